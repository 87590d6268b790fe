package flow_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow/flowsim"
	"scalebot/bot/redisstore/redistest"
)

// usualSeeds are what TestSim plays unless told otherwise.
func usualSeeds() int {
	if fewSeeds {
		return 15
	}
	return 200
}

var (
	simSeeds   = flag.Int("sim.seeds", usualSeeds(), "how many seeds TestSim plays")
	simFrom    = flag.Uint64("sim.from", 1, "the first of them")
	simWorkers = flag.Int("sim.workers", 4, "how many are played at a time")
	simTrace   = flag.Bool("sim.trace", false, "print what happened in each run, also in one that is well")
)

// simulate plays one seed in a bubble of its own.
func simulate(t *testing.T, server redistest.Server, worker int, setup flowsim.Setup) (out flowsim.Outcome) {
	synctest.Test(t, func(t *testing.T) {
		disk := server.Disk(worker)
		defer func() { _ = disk.Close() }() // the run is over
		setup.Disk = disk
		out = flowsim.Play(setup)
	})
	return out
}

// TestSim plays the whole bot from one seed after another; see package flowsim. A
// seed that breaks a promise plays the same again with -sim.from.
func TestSim(t *testing.T) {
	server := redistest.Start(t)
	began := time.Now()
	var mu sync.Mutex
	var total flowsim.Outcome
	broken, next := 0, *simFrom
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next-1 < *simFrom+uint64(*simSeeds) && broken < 12
	}
	var workers sync.WaitGroup
	for worker := range *simWorkers {
		workers.Go(func() {
			for seed, more := take(); more; seed, more = take() {
				out := simulate(t, server, worker, flowsim.Setup{Seed: seed})
				mu.Lock()
				total.Flows += out.Flows
				total.Sent += out.Sent
				total.Unknown += out.Unknown
				total.Faults += out.Faults
				total.Lasted += out.Lasted
				if len(out.Wrong) > 0 {
					broken++
					report(t, out)
				}
				mu.Unlock()
				if *simTrace {
					t.Logf("seed %d\n%s", seed, strings.Join(out.Trace, "\n"))
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d seeds in %s: %d flows, %d changes sent, %d decided by people, %d faults, %s of virtual time",
		*simSeeds, time.Since(began).Round(time.Millisecond), total.Flows, total.Sent, total.Unknown, total.Faults, total.Lasted.Round(time.Minute))
}

// TestSimReplays holds the simulator to its promise: a seed is a run, whatever the
// machine does meanwhile.
func TestSimReplays(t *testing.T) {
	server := redistest.Start(t)
	for seed := uint64(1); seed <= 5; seed++ {
		first := simulate(t, server, 0, flowsim.Setup{Seed: seed})
		again := simulate(t, server, 1, flowsim.Setup{Seed: seed})
		require.NotEmpty(t, first.Trace)
		for i := range first.Trace {
			require.Greater(t, len(again.Trace), i)
			require.Equal(t, first.Trace[i], again.Trace[i], "seed %d, line %d", seed, i+1)
		}
		require.Len(t, again.Trace, len(first.Trace))
	}
}

// report fails the test with what was broken, how to play it again, and where the
// whole trace is.
func report(t *testing.T, out flowsim.Outcome) {
	t.Helper()
	at := filepath.Join(os.TempDir(), fmt.Sprintf("flowsim-%d.txt", out.Seed))
	text := strings.Join(out.Trace, "\n") + "\n\n" + strings.Join(out.Wrong, "\n") + "\n"
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		at = err.Error()
	}
	t.Errorf("seed %d:\n  %s\nplay it again: go test ./bot/flow -run 'TestSim$' -sim.seeds 1 -sim.from %d -sim.trace -v\nits trace: %s",
		out.Seed, strings.Join(out.Wrong, "\n  "), out.Seed, at)
}
