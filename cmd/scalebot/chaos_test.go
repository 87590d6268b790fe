package main

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// heavy lets the tests with real processes run at their full size: minutes each.
var heavy = flag.Bool("heavy", false, "run the tests with real processes at full size")

// sized picks the size of a test.
func sized(short, full int) int {
	if *heavy {
		return full
	}
	return short
}

// Processes are killed with -9 at random while flows run on three clouds that
// lose answers. The clouds' ledgers prove that each change was made exactly once.
func TestKillNineUnderLoad(t *testing.T) {
	f := newFleet(t, sized(2, 14), place{})
	r := rand.New(rand.NewPCG(1, 1))
	f.run(3)
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		r := rand.New(rand.NewPCG(2, 2))
		for i := 0; ; i++ {
			timer := time.NewTimer(time.Duration(500+r.IntN(1500)) * time.Millisecond)
			select {
			case <-stop:
				timer.Stop()
				return
			case <-timer.C:
			}
			f.trouble(r)
			f.kill(r.IntN(len(f.replicas)))
		}
	})
	f.askAll(r)
	rest(time.Duration(sized(8, 40)) * time.Second)
	close(stop)
	killer.Wait()
	f.clouds.ClearFaults()
	f.prove(f.settle(time.Duration(sized(90, 300)) * time.Second))
}
