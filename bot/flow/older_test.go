package flow_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

// The store forgot the whole road including the accepted answer, and comes back in
// each state on it. The replica that sent it is alive and writes it again.
func TestWhatTheStoreForgotIsWrittenAgain(t *testing.T) {
	for name, lost := range map[string]func(w *world, id string){
		"planning":          func(*world, string) {},
		"awaiting_approval": func(w *world, id string) { w.settle() },
		"queued": func(w *world, id string) {
			w.settle()
			w.cloud.SetPhase(providers.Busy)
			w.vote(id, 1, "white_check_mark", lead1)
			w.in(id, flow.Queued)
			w.cloud.SetPhase(providers.Ready)
		},
		"vanished": nil,
		"cancelled": func(w *world, id string) {
			_, err := w.desk.Cancel(t.Context(), w.caller(asker), id)
			require.NoError(t, err)
			before := *w.engine
			w.engine = flow.NewEngine(w.options) // another replica, which ended it
			w.settle()
			w.engine = &before
			w.in(id, flow.Cancelled)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var id string
			older := w.dump()
			if lost != nil {
				id = w.request(ask(flow.Remove, 1))
				begun := w.dump()
				lost(w, id)
				older = w.dump()
				if name == "cancelled" {
					w.restore(begun)
				}
			} else {
				id = w.request(ask(flow.Remove, 1))
			}
			w.settle()
			if w.flow(id).State == flow.AwaitingApproval {
				w.vote(id, 1, "white_check_mark", lead1)
			}
			w.pass(20 * time.Second) // a cluster that was busy is looked at again
			w.in(id, flow.Running)
			require.Equal(t, 1, w.cloud.Accepted())

			w.restore(older)
			w.engine.Recheck(t.Context())
			w.in(id, flow.Running)
			require.Equal(t, 1, w.flow(id).Attempts)
			w.pass(10 * time.Minute)
			w.in(id, flow.Succeeded)
			require.Len(t, w.cloud.Ledger(), 1, "sent once")
			report, err := w.store.VerifyAudit(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Findings)
			open, err := w.store.List(t.Context(), flow.Filter{Open: true})
			require.NoError(t, err)
			require.Empty(t, open)
		})
	}
}

// A replica that finds the older record itself writes what it knows before it does
// anything with it.
func TestAnOlderRecordIsNotSteppedByWhoKnowsMore(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 2))
	older := w.dump()
	w.settle()
	w.in(id, flow.Running)
	w.cloud.Resize(3)
	w.restore(older)
	w.settle() // no look at the memory in between
	w.in(id, flow.Running)
	require.Len(t, w.cloud.Ledger(), 1)
}

// The store is older and gave the cluster to another flow meanwhile.
func TestASeatThatWasGivenAwayEndsWithAPerson(t *testing.T) {
	w := newWorld(t)
	w.cloud.Takes = 10 * time.Minute
	first := w.request(ask(flow.Add, 2))
	older := w.dump()
	w.settle()
	w.in(first, flow.Running)
	mine := w.engine

	w.restore(older)
	require.NoError(t, w.rdb.ZRem(t.Context(), "test:{T1}:due:step", first).Err()) // nobody looks at it yet
	blind := &hidesBusy{Cloud: w.cloud}
	w.withCloud(blind)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	second := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(second, flow.Submitting)

	w.clock.Advance(3 * time.Second)
	mine.Recheck(t.Context())
	w.in(first, flow.Unknown)
	require.Contains(t, w.flow(first).End.Text.EN, second)
	w.settle()
	require.NotEmpty(t, w.slack.Keyed("notice/unknown/"), "a person is asked")
	third := w.request(ask(flow.Add, 1))
	w.pass(5 * time.Minute)
	w.in(second, flow.Unknown)
	w.in(third, flow.Queued)

	// The one that has the seat is closed: the other still holds the cluster.
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), second, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	w.in(second, flow.Failed)
	w.in(third, flow.Queued)
	require.Equal(t, first, w.flow(third).Wait.Args["behind"])
	w.pass(10 * time.Minute)
	w.in(first, flow.Succeeded)
	w.pass(15 * time.Minute)
	w.in(third, flow.Succeeded) // it knows who moved the size while it waited
}

// hidesBusy is a cloud that shows an operation late.
type hidesBusy struct{ *flowtest.Cloud }

func (c *hidesBusy) Observe(ctx context.Context, ref providers.ClusterRef) (providers.Snapshot, error) {
	s, err := c.Cloud.Observe(ctx, ref)
	s.Phase = providers.Ready
	return s, err
}

// All replicas died with the store's last second: nobody remembers. A change that
// nobody approves is not planned anew on the size that it made itself.
func TestAFreeChangeThatMayHaveHappenedIsNotPlannedAnew(t *testing.T) {
	for name, a := range map[string]flow.Ask{"add": ask(flow.Add, 2), "remove": ask(flow.Remove, 1), "by mandate": ask(flow.Add, 2)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, free)
			if name == "by mandate" {
				w = newWorld(t, led)
				w.sign(lead1, w.mandate(10))
			}
			id := w.request(a)
			w.killFirstMove(id)
			older := w.dump()
			w.settle()
			w.in(id, flow.Running)
			w.pass(2 * time.Minute)
			w.in(id, flow.Succeeded)
			count := w.cloud.Count()
			w.restore(older)
			w.wire()
			w.pass(10 * time.Minute)
			w.in(id, flow.Refused)
			require.Equal(t, flow.NoteMoved, w.flow(id).End.Code)
			require.Equal(t, 1, w.cloud.Accepted())
			require.Equal(t, count, w.cloud.Count())
			require.Contains(t, w.whispers(asker), "moved")
			w.consistent()
		})
	}
}

// What others on record did to the size is no riddle.
func TestAFreeChangeBehindOthersIsPlannedAnew(t *testing.T) {
	w := newWorld(t)
	first := w.request(ask(flow.Add, 2))
	second := w.request(ask(flow.Add, 1))
	third := w.request(ask(flow.Add, 3))
	w.pass(10 * time.Minute)
	for _, id := range []string{first, second, third} {
		w.in(id, flow.Succeeded)
	}
	require.Equal(t, 9, w.cloud.Count())
	w.consistent()
}

// A forgotten change must not hide between two that are on record.
func TestAForgottenChangeDoesNotHideBehindAnother(t *testing.T) {
	w := newWorld(t)
	later := ask(flow.Add, 2)
	later.StartAt = noon.Add(10 * time.Minute)
	id := w.request(later)
	w.settle()
	w.in(id, flow.Scheduled) // planned on three
	w.cloud.Resize(5)        // it happened, and nobody knows
	w.pass(time.Minute)
	other := w.request(ask(flow.Add, 1))
	w.pass(3 * time.Minute)
	w.in(other, flow.Succeeded)
	w.pass(10 * time.Minute)
	w.in(id, flow.Refused)
	require.Equal(t, flow.NoteMoved, w.flow(id).End.Code)
	require.Equal(t, 6, w.cloud.Count())
}

// The store restarted without its last second, and so did every replica.
func TestAfterTheStoreRestartedNothingIsSentBlindly(t *testing.T) {
	t.Run("a free change that was not planned yet is refused", func(t *testing.T) {
		w := newWorld(t)
		id := w.request(ask(flow.Add, 2))
		w.reborn()
		w.pass(5 * time.Minute)
		w.in(id, flow.Refused)
		require.Equal(t, flow.NoteForgotten, w.flow(id).End.Code)
		require.Empty(t, w.cloud.Ledger())
	})
	t.Run("a size says itself what is left", func(t *testing.T) {
		w := newWorld(t)
		id := w.request(ask(flow.Set, 5))
		w.reborn()
		w.pass(5 * time.Minute)
		w.in(id, flow.Succeeded)
	})
	t.Run("one in line waits until the cloud would show it", func(t *testing.T) {
		w := newWorld(t)
		id := w.request(ask(flow.Add, 2))
		w.killFirstMove(id)
		w.reborn()
		w.pass(time.Minute)
		w.in(id, flow.Queued)
		require.Equal(t, flow.WaitStore, w.flow(id).Wait.Code)
		require.Empty(t, w.cloud.Ledger())
		w.pass(4 * time.Minute)
		w.in(id, flow.Succeeded)
		later := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(later, flow.Running)
	})
}

// The same with an approved change: whoever approves a plan on another size knows
// nothing of the restart. Found by flowsim, seed 301740.
func TestAfterTheStoreRestartedAMovedSizeIsNotPutToAVote(t *testing.T) {
	for _, restarted := range []bool{true, false} {
		w := newWorld(t)
		id := w.request(ask(flow.Remove, 1))
		w.settle()
		w.in(id, flow.AwaitingApproval)
		if restarted {
			w.reborn()
		}
		w.cloud.Resize(6) // it happened, or somebody did it in the console
		w.vote(id, 1, "white_check_mark", lead1)
		w.pass(5 * time.Minute)
		require.Empty(t, w.cloud.Ledger())
		if restarted {
			w.in(id, flow.Refused)
			require.Equal(t, flow.NoteMoved, w.flow(id).End.Code)
			again := w.request(ask(flow.Remove, 1))
			w.settle()
			w.in(again, flow.AwaitingApproval) // whoever looked and still wants it may ask
		} else {
			w.in(id, flow.AwaitingApproval) // by the plan of now
		}
	}
}

// reborn restarts the bot behind a store that restarted a second after all that
// there is, and may have lost that second.
func (w *world) reborn() {
	at := w.clock.Now().Add(time.Second)
	w.clock.Advance(2 * time.Second)
	w.options.Reborn = func(context.Context) (time.Time, error) { return at, nil }
	w.wire()
}

// A request that was taken in and lost comes back, but is not carried out unasked:
// another replica may have done so before it was lost.
func TestALostRequestComesBackAndAsks(t *testing.T) {
	w := newWorld(t)
	w.options.Memory = flow.NewMemory()
	w.wire()
	empty := w.dump()
	freeOne, voted := w.request(ask(flow.Add, 2)), w.request(ask(flow.Remove, 1))
	w.restore(empty)
	w.clock.Advance(3 * time.Second)
	w.engine.Recheck(t.Context())
	_, _, err := w.store.Get(t.Context(), freeOne)
	require.ErrorIs(t, err, flow.ErrNotFound, "whoever knows more comes first")
	w.clock.Advance(10 * time.Second)
	w.engine.Recheck(t.Context())
	w.settle()
	w.in(freeOne, flow.Refused)
	require.Equal(t, flow.NoteForgotten, w.flow(freeOne).End.Code)
	w.in(voted, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
	w.consistent()
}

// A request that was cancelled stays cancelled.
func TestALostCancellationIsWrittenAgain(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	older := w.dump()
	_, err := w.desk.Cancel(t.Context(), w.caller(asker), id)
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Cancelled)
	w.slack.React(w.card(id, 1), "white_check_mark", lead1)
	w.restore(older)
	w.clock.Advance(2 * time.Second)
	w.engine.Recheck(t.Context())
	w.in(id, flow.Cancelled)
	w.pass(2 * time.Minute)
	require.Empty(t, w.cloud.Ledger())
}

// A later attempt was made because ours was taken for not accepted, and ours was
// accepted all the same.
func TestTwoAcceptancesEndWithAPerson(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 2))
	w.killFirstMove(id)
	other := flow.NewEngine(w.options)
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		// While our call is out a person says that it did not happen, and it is sent
		// again as a second attempt.
		w.clock.Advance(31 * time.Second)
		w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
			return providers.Operation{ID: "op-second"}, nil
		})
		f := w.flow(id)
		require.Equal(t, flow.Submitting, f.State)
		f.State, f.Log = flow.Queued, nil
		_, err := w.store.Graft(context.Background(), flow.Graft{Flow: f, Read: f.Version, From: flow.Submitting, Due: w.clock.Now(), Now: w.clock.Now()})
		require.NoError(t, err)
		claims, err := w.store.Claim(context.Background(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		require.NoError(t, other.Step(context.Background(), claims[0]))
		require.Equal(t, 2, w.flow(id).Attempts)
		return providers.Operation{ID: "op-first"}, nil
	})
	w.settle()
	w.in(id, flow.Unknown)
	f := w.flow(id)
	require.True(t, f.Doubled)
	require.Contains(t, f.End.Text.EN, "op-first")
	require.Contains(t, f.End.Text.EN, "op-second")
	w.pass(3 * time.Minute)
	w.in(id, flow.Unknown) // no machine decides
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
	require.Error(t, err)
	_, err = w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Failed)
}
