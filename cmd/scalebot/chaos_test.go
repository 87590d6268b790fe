package main

import (
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/redisstore/redistest"
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
	t.Parallel() // it mostly waits
	f := newFleet(t, sized(1, 14), place{})
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
	for _, w := range f.wishes(r) {
		f.ask(w[0], w[1])
	}
	rest(time.Duration(sized(8, 40)) * time.Second)
	close(stop)
	killer.Wait()
	f.clouds.ClearFaults()
	f.prove(f.settle(time.Duration(sized(90, 300)) * time.Second))
}

// between asks half, does something to the site, asks the other half and proves.
func (f *fleet) between(r *rand.Rand, limit time.Duration, happens func()) {
	f.t.Helper()
	all := f.wishes(r)
	for i, w := range all {
		if i == len(all)/2 {
			f.trouble(r)
			f.trouble(r)
			happens()
		}
		f.ask(w[0], w[1])
	}
	f.clouds.ClearFaults()
	f.prove(f.settle(limit))
}

// A replica that is stopped for longer than its lease wakes up in the middle of a
// step that another one has finished for it.
func TestAReplicaFrozenLongerThanItsLease(t *testing.T) {
	t.Parallel() // it mostly waits
	f := newFleet(t, sized(1, 8), place{})
	f.run(2)
	f.between(rand.New(rand.NewPCG(3, 3)), 2*time.Minute, func() {
		for i := range sized(1, 4) {
			f.freeze(i%2, 8*time.Second) // the lease is 6 s
		}
	})
}

// All sockets are cut for a time: what was acked goes on, and what people did
// meanwhile is read afterwards.
func TestAllSocketsCut(t *testing.T) {
	t.Parallel() // it mostly waits
	f := newFleet(t, sized(1, 8), place{})
	f.run(2)
	f.between(rand.New(rand.NewPCG(4, 4)), 2*time.Minute, func() {
		f.slack.RefuseUpgrades(503)
		f.slack.CutSockets()
		rest(time.Duration(sized(5, 60)) * time.Second)
		f.approveAll() // no event of it reaches anybody
		f.slack.RefuseUpgrades(0)
	})
}

// onRedis is a fleet on a redis-server with a file of appended commands.
func onRedis(t *testing.T, fsync string) (*fleet, redistest.Server) {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", fsync)
	if !server.Real {
		t.Skip("the embedded Redis has no process and no disk")
	}
	t.Parallel() // it mostly waits
	f := newFleet(t, sized(1, 8), place{redis: server})
	f.run(2)
	return f, server
}

// Redis is restarted with its file of appended commands.
func TestRedisRestarted(t *testing.T) {
	f, server := onRedis(t, "always")
	f.between(rand.New(rand.NewPCG(5, 5)), 2*time.Minute, func() {
		for range sized(1, 5) {
			server.Restart(t, syscall.SIGKILL)
			rest(time.Second)
		}
	})
}

// Redis stands still for a time.
func TestRedisFrozen(t *testing.T) {
	f, server := onRedis(t, "always")
	f.between(rand.New(rand.NewPCG(6, 6)), 2*time.Minute, func() {
		server.Signal(syscall.SIGSTOP)
		rest(time.Duration(sized(8, 30)) * time.Second) // longer than every lease
		server.Signal(syscall.SIGCONT)
	})
}

// Redis can't write its file any more and refuses writes.
func TestRedisOutOfDisk(t *testing.T) {
	f, server := onRedis(t, "everysec")
	f.between(rand.New(rand.NewPCG(7, 7)), 2*time.Minute, func() {
		server.FillDisk(t)
		d := f.slack.Slash(mei, f.rooms["emr000"], "/scale", "emr000 task +9")
		require.NoError(t, d.Err)
		require.NotNil(t, d.Ephemeral)
		require.Contains(t, strings.ToLower(d.Ephemeral.Text), "nothing was")
		rest(time.Duration(sized(4, 30)) * time.Second)
		server.FreeDisk(t)
	})
}
