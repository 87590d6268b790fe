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

// expel has the bot removed from its channels with the next post, which gets no
// answer: whether it arrived can't be looked up. invite lets the bot in again.
func (w *world) expel(arrived bool) (invite func()) {
	c := &chat{Chat: w.options.Chat}
	out := false
	gone := func() error {
		if out {
			return flow.ErrNoChannel
		}
		return nil
	}
	c.post = func(m flow.Message) error {
		if err := gone(); err != nil {
			return err
		}
		out = true
		if arrived {
			_, err := w.slack.Post(w.t.Context(), m)
			require.NoError(w.t, err)
		}
		return flow.ErrChatInDoubt
	}
	c.find = func(flow.Message) error { return gone() }
	w.options.Chat = c
	w.wire()
	return func() { out, c.post = false, nil }
}

// searched notes since when messages are looked for.
type searched struct {
	flow.Chat
	since map[string]time.Time // the last one, by key
}

func (s *searched) Find(ctx context.Context, m flow.Message, since time.Time) (flow.MessageRef, bool, error) {
	s.since[m.Key] = since
	return s.Chat.Find(ctx, m, since)
}

func (w *world) searched() map[string]time.Time {
	s := &searched{Chat: w.slack, since: map[string]time.Time{}}
	w.options.Chat = s
	w.wire()
	return s.since
}

// A card whose post has no answer, and a channel in which it can't be looked for: a
// second one beside it would ask people who vote on the first.
func TestACardThatCanNotBeLookedForIsNotPostedTwice(t *testing.T) {
	w := newWorld(t)
	invite := w.expel(true)
	id := w.request(ask(flow.Remove, 1))
	w.pass(5 * time.Minute)
	invite()
	w.pass(time.Minute)
	require.Len(t, w.slack.Keyed("card/"), 1)
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(time.Minute)
	w.in(id, flow.Succeeded)
}

// The flow ends meanwhile. Seed 400748.
func TestACardThatMayStandIsPutRightAfterTheEndToo(t *testing.T) {
	w := newWorld(t)
	invite := w.expel(true)
	w.request(ask(flow.Add, 1))
	w.pass(10 * time.Minute)
	require.Len(t, w.cloud.Ledger(), 1)
	invite()
	w.pass(30 * time.Minute)
	cards := w.slack.Keyed("card/")
	require.Len(t, cards, 1)
	require.EqualValues(t, flow.Succeeded, cards[0].Payload["state"])
}

// Nor is one that nobody wants any more: it is closed where it stands, and not posted
// where it never did. Seed 520286.
func TestACardThatMayStandIsClosedOnceAnotherIsWanted(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		w := newWorld(t)
		invite := w.expel(arrived)
		for range 6 {
			w.cloud.Fail("observe", &providers.Error{Kind: providers.Retry, Advice: providers.Text{EN: "slow"}})
		}
		id := w.request(ask(flow.Remove, 1))
		w.pass(5 * time.Minute)
		w.in(id, flow.AwaitingApproval)
		invite()
		w.pass(2 * time.Minute)
		early := w.slack.Keyed("card/0")
		require.Len(t, w.slack.Keyed("card/1"), 1)
		if !arrived {
			require.Empty(t, early)
			continue
		}
		require.Len(t, early, 1)
		want := flowtest.Renderer{}.Card(w.flow(id), 0, true)
		require.Equal(t, want.Text, early[0].Text)
	}
}

// A later try that ended before its look, as a killed process leaves it, hides the
// first send from no search. Seed 710739.
func TestWhatMayStandIsLookedForFromTheFirstSendOn(t *testing.T) {
	w := newWorld(t)
	since := w.searched()
	w.slack.FailAfter("post", flow.ErrChatInDoubt)
	w.slack.Fail("find", flow.ErrNoChannel)
	id := w.request(ask(flow.Remove, 1))
	w.pass(5 * time.Second)
	posts, err := w.store.Posts(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, posts.Held, 1)
	for key, hold := range posts.Held {
		first := hold.Since
		require.False(t, first.IsZero())
		w.clock.Advance(3 * time.Minute)
		require.NoError(t, w.store.Wake(t.Context(), flow.LaneChat, id, w.clock.Now()))
		claims, err := w.store.Claim(t.Context(), flow.LaneChat, w.clock.Now(), time.Second, 1)
		require.NoError(t, err)
		require.Len(t, claims, 1)
		posts.Version++
		posts.Sending = &flow.Sending{Key: key, At: w.clock.Now(), Channel: room}
		require.NoError(t, w.store.SavePosts(t.Context(), claims[0], posts))
		w.slack.Fail("find", flow.ErrNoChannel)
		w.pass(time.Minute)
		require.True(t, since[key].Before(first), "%s, sent first at %s", since[key], first)
	}
}

// What was looked for and never arrived is forgotten before it is sent again: a search
// goes no further than some minutes from the time of a send, and would miss the second
// for the sake of the first. Seeds 811978 and 821789.
func TestWhatNeverArrivedIsLookedForByItsNextSend(t *testing.T) {
	w := newWorld(t)
	since := w.searched()
	invite := w.expel(false)
	id := w.request(ask(flow.Remove, 1))
	w.pass(20 * time.Minute)
	invite()
	w.slack.FailAfter("post", flow.ErrChatInDoubt)
	w.pass(3 * time.Minute)
	cards := w.slack.Keyed("card/")
	require.Len(t, cards, 1)
	require.Less(t, w.clock.Now().Sub(since[cards[0].Key]), 6*time.Minute, "by the time of the send that arrived")
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(time.Minute)
	w.in(id, flow.Succeeded)
}

// The same of a reminder, on which a decision must show. Seed 821125.
func TestAReminderThatMayStandShowsTheDecision(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		w := newWorld(t)
		id := w.bought(prepaid(1))
		w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
		invite := w.expel(arrived)
		w.pass(5 * time.Minute)
		_, err := w.desk.Renewal(t.Context(), w.caller(asker), id, 0, flow.LetLapse)
		require.NoError(t, err)
		invite()
		w.pass(time.Hour)
		told := w.slack.Keyed("renewal/")
		if !arrived {
			require.Empty(t, told, "nobody is asked what is decided")
			continue
		}
		require.Len(t, told, 1)
		require.Contains(t, told[0].Text, "let_lapse by "+asker)
	}
}

// A reminder that was posted in a second that the store lost. Seed 911537.
func TestAReminderThatTheStoreForgotIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	var born time.Time
	w.options.Restarted = func(context.Context) (time.Time, error) { return born, nil }
	w.wire()
	id := w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	before, err := redistest.Take(t.Context(), w.rdb)
	require.NoError(t, err)
	w.settle()
	require.Len(t, w.slack.Keyed("renewal/"), 1)
	require.NoError(t, before.Restore(t.Context(), w.rdb))
	born = w.clock.Now()
	w.pass(time.Minute)
	require.Len(t, w.slack.Keyed("renewal/"), 1)
	_, err = w.desk.Renewal(t.Context(), w.caller(asker), id, 0, flow.LetLapse)
	require.NoError(t, err)
	w.settle()
	require.Contains(t, w.slack.Keyed("renewal/")[0].Text, "let_lapse by "+asker)
}
