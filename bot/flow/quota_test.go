package flow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
)

// Hundreds of running flows have a new stage to show when one ends: its card is right
// within seconds, not behind theirs.
func TestAnEndIsShownBeforeTheStagesOfACrowd(t *testing.T) {
	for state, prepare := range map[flow.State]func(*world){
		flow.Succeeded: func(*world) {},
		flow.Partial:   func(w *world) { w.cloud.ComeShort(1) },
	} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t)
			w.options.Quota = redisstore.NewQuota(w.rdb, "test", "T1")
			w.wire()
			prepare(w)
			id := w.request(ask(flow.Add, 2))
			w.pass(20 * time.Second)
			w.in(id, flow.Running)
			for !w.flow(id).State.Ended() {
				w.crowd(flow.UrgentStage)
				w.pass(time.Second)
			}
			w.in(id, state)
			w.crowd(flow.UrgentStage)
			w.pass(5 * time.Second)
			require.Contains(t, w.slack.Keyed("card/")[0].Text, string(state))
		})
	}
}

// A look-up that the quota puts off puts the flow off: nobody is told of trouble, no
// reading of the votes is spent on it, and the change goes out a little later.
func TestALookupThatWaitsForItsTurnIsNoTrouble(t *testing.T) {
	for _, method := range []string{"members", "people"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			id := w.request(ask(flow.Remove, 1))
			w.pass(5 * time.Second)
			w.in(id, flow.AwaitingApproval)
			reads := w.slack.Reads()
			w.slack.Fail(method, &flow.RateLimited{After: 4 * time.Second})
			w.vote(id, 1, "white_check_mark", lead1)
			w.pass(3 * time.Second)
			w.in(id, flow.AwaitingApproval)
			require.Nil(t, w.flow(id).Wait, "that it waits a few seconds is nobody's business")
			if method == "members" {
				require.Equal(t, reads, w.slack.Reads())
			}
			w.pass(5 * time.Second)
			w.in(id, flow.Running)
		})
	}
}
