package flow_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/bot/redisstore/redistest"
	"scalebot/providers"
)

// What the simulator found, each held by a small test of its own.

// Seeds 3 and 33: somebody deleted the card of a flow that then became unknown.
// Nobody could decide any more, and the line behind it stood for good.
func TestTheCardOfAnUnknownFlowThatWasDeletedIsPostedAgain(t *testing.T) {
	for _, when := range []string{"before it is unknown", "while it is unknown"} {
		w := newWorld(t)
		w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
			return providers.Operation{}, flowtest.Lost()
		})
		id := w.request(ask(flow.Add, 1))
		w.pass(10 * time.Second)
		if when == "before it is unknown" {
			w.slack.Delete(w.card(id, 1))
		}
		w.pass(5 * time.Minute)
		w.in(id, flow.Unknown)
		if when == "while it is unknown" {
			w.slack.Delete(w.card(id, 1))
		}
		w.pass(6 * time.Minute)
		cards := w.slack.Keyed("card/1")
		require.Len(t, cards, 2, when)
		require.True(t, cards[0].Deleted, when)
		require.False(t, cards[1].Deleted, when)
		require.Equal(t, string(flow.Unknown), cards[1].Payload["state"], when)
		require.Equal(t, cards[1].MessageRef, w.card(id, 1), when)
		w.consistent()
	}
}

// Seeds 176 and 196: the card from before there was a plan was posted, its answer
// lost, and the plan made before it was looked for. Nobody wanted that card any
// more, so nobody looked, and it stood open for good.
func TestALostCardThatNobodyWantsAnyMoreIsClosed(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.cloud.Fail("observe", &providers.Error{Kind: providers.Retry, Advice: providers.Text{EN: "slow"}})
	}
	w.slack.FailAfter("post", flow.ErrChatInDoubt)
	id := w.request(ask(flow.Remove, 1))
	w.pass(20 * time.Second)
	w.in(id, flow.AwaitingApproval)
	cards := w.slack.Keyed("card/0")
	require.Len(t, cards, 1, "the test needs a card from before the plan")
	require.Contains(t, cards[0].Text, "overtaken")
	require.Len(t, w.slack.Keyed("card/1"), 1)
}

// Seed 74: a log went into the thread of the card from before the plan and was not
// recorded. It was looked for in the thread of the plan's card and told twice.
func TestALostLogIsLookedForWhereItWasSent(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.cloud.Fail("observe", &providers.Error{Kind: providers.Retry, Advice: providers.Text{EN: "slow"}})
	}
	w.slack.FailAfter("post", nil) // the card's
	w.slack.FailAfter("post", flow.ErrChatInDoubt)
	id := w.request(ask(flow.Remove, 1))
	w.pass(20 * time.Second)
	w.in(id, flow.AwaitingApproval)
	require.Len(t, w.slack.Keyed("card/0"), 1, "the test needs a card from before the plan")
	require.Len(t, w.slack.Keyed("log/0"), 1)
	require.Equal(t, w.card(id, 0).TS, w.slack.Keyed("log/0")[0].Thread)
}

// Seed 170: the courier had posted a card and saved where, and Redis lost that
// second. Another card was posted, and the first stood open for good, with
// reactions on it that counted for nothing.
func TestWhatSlackHasIsFoundAfterTheStoreForgotIt(t *testing.T) {
	w := newWorld(t)
	var born time.Time
	w.options.Restarted = func(context.Context) (time.Time, error) { return born, nil }
	w.wire()
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	card := w.card(id, 1)
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.slack.Keyed("notice/"), 2)

	// The clock that took the request may be ahead of the one that saw the store come to
	// life (seed 610177).
	for _, born = range []time.Time{w.clock.Now(), w.flow(id).CreatedAt.Add(-3 * time.Second)} {
		require.NoError(t, w.rdb.Del(t.Context(), "test:{T1}:posts:"+id).Err())
		require.NoError(t, w.store.Wake(t.Context(), flow.LaneChat, id, w.clock.Now()))
		w.pass(10 * time.Second)
		require.Len(t, w.slack.Keyed("card/"), 1)
		if w.slack.Keyed("notice/")[0].At.Before(born) {
			require.Len(t, w.slack.Keyed("notice/"), 2)
		}
		require.Equal(t, card, w.card(id, 1))
	}
}

// The same, where the flow went another way after the store came back: the
// reactions on the card of the plan that was forgotten are no votes on its
// namesake.
func TestTheCardOfAForgottenPlanIsNotTakenForItsNamesakes(t *testing.T) {
	w := newWorld(t)
	var born time.Time
	w.options.Restarted = func(context.Context) (time.Time, error) { return born, nil }
	w.wire()
	id := w.request(ask(flow.Remove, 1))
	before, err := redistest.Take(t.Context(), w.rdb)
	require.NoError(t, err)
	w.settle()
	w.slack.React(w.card(id, 1), "white_check_mark", lead1)

	require.NoError(t, before.Restore(t.Context(), w.rdb))
	born = w.clock.Now()
	w.cloud.Resize(5) // so that other nodes go
	w.settle()
	w.in(id, flow.AwaitingApproval)
	w.pass(2 * time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
	require.Equal(t, []string{w.slack.Keyed("card/1")[1].Key}, w.standing(), "the forgotten card is no ballot and does not stand as one")
}

// Seed 300808: a card was posted and its second was lost, and then the flow ended
// before it had a plan again. The card stood open for good.
func TestAForgottenCardDoesNotStandWhereTheFlowNeverComesToItAgain(t *testing.T) {
	for _, private := range []bool{false, true} {
		w := newWorld(t)
		var born time.Time
		w.options.Restarted = func(context.Context) (time.Time, error) { return born, nil }
		w.wire()
		id := w.request(ask(flow.Remove, 1))
		before, err := redistest.Take(t.Context(), w.rdb)
		require.NoError(t, err)
		w.settle()
		require.Len(t, w.standing(), 1)

		require.NoError(t, before.Restore(t.Context(), w.rdb))
		born = w.clock.Now()
		if private {
			w.cloud.Resize(0) // there is nothing left to remove, which only the requester is told
		} else {
			_, err := w.desk.Cancel(t.Context(), w.caller(asker), id)
			require.NoError(t, err)
		}
		w.pass(2 * time.Minute)
		require.True(t, w.flow(id).State.Ended())
		require.Empty(t, w.flow(id).Plans)
		if private {
			require.Empty(t, w.standing())
		} else {
			require.Equal(t, []string{"card/0"}, w.standing())
		}
	}
}

// standing are the cards that Slack shows, by key.
func (w *world) standing() (keys []string) {
	for _, m := range w.slack.Keyed("card/") {
		if !m.Deleted {
			keys = append(keys, m.Key)
		}
	}
	return keys
}
