package flow_test

import (
	"context"
	"errors"
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

// loses has the store come back as it was before what is done, which Slack keeps.
func (w *world) loses(done func()) {
	w.t.Helper()
	before, err := redistest.Take(w.t.Context(), w.rdb)
	require.NoError(w.t, err)
	done()
	require.NoError(w.t, before.Restore(w.t.Context(), w.rdb))
	back := w.clock.Now()
	w.options.Restarted = func(context.Context) (time.Time, error) { return back, nil }
	w.wire()
}

// slackAway lets time pass in which nothing can be posted or looked for.
func (w *world) slackAway(d time.Duration) {
	w.t.Helper()
	trouble := func(flow.Message) error { return errors.New("was not sent") }
	c := &chat{Chat: w.slack, find: trouble, post: trouble}
	w.options.Chat = c
	w.wire()
	w.pass(d)
	c.find, c.post = nil, nil
}

// remindable is a prepaid change whose first reminder is due.
func (w *world) remindable() string {
	w.t.Helper()
	id := w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	return id
}

func (w *world) lapse(id string) {
	w.t.Helper()
	_, err := w.desk.Renewal(w.t.Context(), w.caller(asker), id, 0, flow.LetLapse)
	require.NoError(w.t, err)
}

// A reminder that was posted in a second that the store lost is found, also once
// somebody has decided, and whatever Slack was like for a while. Seed 911537.
func TestAReminderThatTheStoreForgotIsFoundAgain(t *testing.T) {
	for name, first := range map[string]func(w *world, id string){
		"undecided": func(w *world, _ string) { w.pass(time.Minute) },
		"decided":   func(w *world, id string) { w.lapse(id) },
		"late":      func(w *world, _ string) { w.clock.Advance(time.Hour); w.pass(time.Minute) },
		"Slack away": func(w *world, _ string) {
			w.slackAway(12 * time.Minute)
			w.pass(5 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.remindable()
			w.loses(w.settle)
			require.Len(t, w.slack.Keyed("renewal/"), 1)
			first(w, id)
			if w.commitments()[0].Decision == nil {
				w.lapse(id)
			}
			w.pass(time.Minute)
			told := w.slack.Keyed("renewal/")
			require.Len(t, told, 1)
			require.Contains(t, told[0].Text, "let_lapse by "+asker)
		})
	}
}

// Slack's clock, and the one of the replica that saw the store come back, may be apart.
func TestASearchForWhatTheStoreForgotGoesPastItsReturn(t *testing.T) {
	w := newWorld(t)
	w.remindable()
	w.loses(w.settle)
	since := w.searched()
	back := w.clock.Now()
	w.pass(time.Minute)
	require.Len(t, since, 1)
	for _, from := range since {
		require.Greater(t, from.Add(10*time.Minute).Sub(back), 30*time.Second)
	}
}

// A post that was out when the store came back arrives after it.
func TestAReminderThatArrivesLateIsNotDoubled(t *testing.T) {
	w := newWorld(t)
	id := w.remindable()
	var out *flow.Message
	w.options.Chat = &chat{Chat: w.slack, post: func(m flow.Message) error {
		if out == nil {
			out = &m
			return flow.ErrChatInDoubt
		}
		return nil
	}}
	w.wire()
	w.loses(w.settle)
	require.NotNil(t, out)
	w.pass(10 * time.Second)
	_, err := w.slack.Post(t.Context(), *out)
	require.NoError(t, err)
	w.pass(2 * time.Minute)
	w.lapse(id)
	w.pass(time.Minute)
	told := w.slack.Keyed("renewal/")
	require.Len(t, told, 1)
	require.Contains(t, told[0].Text, "let_lapse by "+asker)
}

// A process that was frozen between the record of a post and the post may have been
// given up: another one looked for it in vain.
func TestAReminderIsNotPostedByOneThatSleptThroughItsLease(t *testing.T) {
	w := newWorld(t)
	w.remindable()
	w.options.Store = &sleepyReminders{Store: w.store, clock: w.clock}
	w.wire()
	claims, err := w.store.Claim(t.Context(), flow.LaneRenew, w.clock.Now(), w.options.Lease, 1)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.ErrorIs(t, w.renewals.Step(t.Context(), claims[0]), flow.ErrLeaseLost)
	require.Empty(t, w.slack.Keyed("renewal/"))
}

// sleepyReminders lets the lease pass once a post is on record as being sent.
type sleepyReminders struct {
	flow.Store
	clock *flowtest.Clock
}

func (s *sleepyReminders) SaveReminders(ctx context.Context, c flow.Claim, r flow.Reminders) error {
	err := s.Store.SaveReminders(ctx, c, r)
	if r.Sending != nil {
		s.clock.Advance(40 * time.Second)
	}
	return err
}

// A decision that the store forgot does not stay shown: people would take it for made.
func TestADecisionThatTheStoreForgotIsNotShown(t *testing.T) {
	w := newWorld(t)
	id := w.remindable()
	w.settle()
	w.loses(func() {
		w.lapse(id)
		w.settle()
		require.Contains(t, w.slack.Keyed("renewal/")[0].Text, "let_lapse")
	})
	w.renewals.Recheck(t.Context())
	w.pass(time.Minute)
	require.NotContains(t, w.slack.Keyed("renewal/")[0].Text, "let_lapse")
}

// What Slack refuses is tried less and less often, also while it may have been
// forgotten: each try would cost a search that running flows lack.
func TestARefusedReminderIsNotSearchedForTimeAndAgain(t *testing.T) {
	w := newWorld(t)
	w.remindable()
	posts, searches := 0, 0
	w.loses(func() {})
	w.options.Chat = &chat{
		Chat: w.slack,
		post: func(flow.Message) error { posts++; return flow.ErrChatRefused },
		find: func(flow.Message) error { searches++; return nil },
	}
	w.wire()
	w.pass(20 * time.Minute)
	require.Equal(t, 8, posts)
	require.Equal(t, 1, searches)
}

// A channel that config gives up keeps its reminders, which must go on showing what is
// so.
func TestAReminderThatMayStandInAChannelThatConfigGaveUp(t *testing.T) {
	w := newWorld(t)
	id := w.remindable()
	invite := w.expel(true)
	w.pass(5 * time.Minute)
	cluster := w.options.Catalog["emr"]
	cluster.Channels = []string{room}
	w.options.Catalog["emr"] = cluster
	w.lapse(id)
	invite()
	w.pass(time.Hour)
	for _, m := range w.slack.Keyed("renewal/") {
		require.Contains(t, m.Text, "let_lapse by "+asker)
	}
	require.Equal(t, data, w.slack.Keyed("renewal/")[0].Message.Channel)
}

// A card that the store forgot, and a Slack that can't be asked for longer than one
// remembers by itself that something may be forgotten.
func TestACardThatTheStoreForgotIsFoundAfterALongOutageOfSlack(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.loses(w.settle)
	require.Len(t, w.slack.Keyed("card/"), 1)
	w.slackAway(12 * time.Minute)
	w.pass(3 * time.Minute)
	require.Len(t, w.slack.Keyed("card/"), 1)
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(time.Minute)
	w.in(id, flow.Succeeded)
}

// Two reasons why a card may stand: its first post has no answer, and the store forgot
// the second. The first never arrived, so only the time of the second finds it.
func TestACardIsLookedForByEachTimeThatItMayHaveBeenSent(t *testing.T) {
	w := newWorld(t)
	invite := w.expel(false)
	w.request(ask(flow.Remove, 1))
	w.pass(20 * time.Minute)
	w.loses(func() {
		invite()
		w.pass(2 * time.Minute)
		require.Len(t, w.slack.Keyed("card/"), 1)
	})
	w.options.Chat = w.slack
	w.wire()
	w.pass(5 * time.Minute)
	for _, m := range w.slack.Keyed("card/") {
		require.False(t, m.Deleted)
	}
	require.Len(t, w.slack.Keyed("card/"), 1)
}
