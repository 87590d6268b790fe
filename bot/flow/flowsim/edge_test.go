package flowsim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"scalebot/bot/flow/flowsim"
	"scalebot/bot/redisstore/redistest"
)

// TestSimWithTheRealSlack plays seeds with the Slack edge as it is, on a local Slack
// that keeps the documented rules: the Web API client over HTTP, envelopes over
// Socket Mode.
func TestSimWithTheRealSlack(t *testing.T) {
	server := redistest.Start(t)
	began := time.Now()
	var total flowsim.Outcome
	broken := 0
	for seed := *from; seed < *from+uint64(*seeds) && broken < 12; seed++ {
		out := playWithSlack(t, server, seed)
		total.Flows += out.Flows
		total.Sent += out.Sent
		total.Unknown += out.Unknown
		total.Faults += out.Faults
		total.Lasted += out.Lasted
		if testing.Verbose() && *seeds == 1 {
			t.Logf("seed %d\n%s", seed, strings.Join(out.Trace, "\n"))
		}
		if len(out.Wrong) > 0 {
			broken++
			t.Errorf("seed %d:\n  %s\nplay it again: go test ./bot/flow/flowsim -run RealSlack -sim.seeds 1 -sim.from %d -v", seed, strings.Join(out.Wrong, "\n  "), seed)
		}
	}
	t.Logf("%d seeds in %s: %d flows, %d changes sent, %d decided by people, %d faults, %s of virtual time",
		*seeds, time.Since(began).Round(time.Millisecond), total.Flows, total.Sent, total.Unknown, total.Faults, total.Lasted.Round(time.Minute))
}

func playWithSlack(t *testing.T, server redistest.Server, seed uint64) (out flowsim.Outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		disk := server.Disk(0)
		defer func() { _ = disk.Close() }() // the run is over
		out = flowsim.Play(flowsim.Setup{Seed: seed, Disk: disk, Edge: true})
	})
	return out
}
