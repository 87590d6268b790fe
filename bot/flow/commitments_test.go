package flow_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

func TestATermEndsByTheCalendar(t *testing.T) {
	utc := func(s string) time.Time {
		at, err := time.Parse("2006-01-02T15:04", s)
		require.NoError(t, err)
		return at
	}
	for _, c := range []struct {
		why, from string
		months    int
		until     string
	}{
		{"the same day", "2026-08-03T02:15", 1, "2026-09-03T02:15"},
		{"a year", "2026-08-03T02:15", 12, "2027-08-03T02:15"},
		{"no 31 February", "2026-01-31T02:00", 1, "2026-02-28T02:00"},
		{"a leap year has a 29th", "2028-01-31T02:00", 1, "2028-02-29T02:00"},
		{"from a leap day", "2028-02-29T02:00", 12, "2029-02-28T02:00"},
		{"evening in UTC is the next morning where the clouds bill", "2026-02-28T20:00", 1, "2026-03-31T20:00"},
	} {
		require.Equal(t, utc(c.until), flow.TermEnd(utc(c.from), c.months), c.why)
	}
}

// From 31 January the terms end on the last day of February and on the 31st of
// March; a cloud that ends them at midnight does so each time.
func TestLaterTermsAreCountedFromThePurchase(t *testing.T) {
	from := time.Date(2026, 1, 31, 2, 0, 0, 0, time.UTC)
	c := flow.Commitment{From: from, Months: 1, Renew: true, Until: flow.TermEnd(from, 1).Add(14 * time.Hour)}
	for now, until := range map[string]string{"2026-02-28": "2026-02-28", "2026-03-01": "2026-03-31", "2026-04-01": "2026-04-30"} {
		at, err := time.Parse(time.DateOnly, now)
		require.NoError(t, err)
		want, err := time.Parse(time.DateOnly, until)
		require.NoError(t, err)
		require.Equal(t, want.Add(16*time.Hour), c.At(at).Until, now)
	}
}

func TestBreakEven(t *testing.T) {
	hourly := func(price string, currency string) *providers.Quote {
		return &providers.Quote{Known: true, Currency: currency, Hourly: decimal.RequireFromString(price)}
	}
	plan := approvals.Plan{Change: providers.Change{Delta: 2, Charge: providers.Prepaid, Months: 1},
		Quote: providers.Quote{Known: true, Currency: "CNY", Committed: decimal.RequireFromString("240")}}
	at := noon // a term of 30 days
	b, ok := flow.Breaks(plan, hourly("1", "CNY"), at, 20*day)
	require.True(t, ok)
	require.Equal(t, 11, b.Days, "on the tenth day both cost the same")
	require.Equal(t, "480", b.Need.String())
	require.False(t, b.Never)
	require.False(t, b.Short)

	b, _ = flow.Breaks(plan, hourly("1.01", "CNY"), at, 31*day)
	require.Equal(t, 10, b.Days)
	require.True(t, b.Short, "the need outlives the term")

	b, _ = flow.Breaks(plan, hourly("0.3", "CNY"), at, 0)
	require.True(t, b.Never, "720 hours at 0.3 are 216")

	for why, q := range map[string]*providers.Quote{
		"not asked": nil, "unknown": {}, "free": hourly("0", "CNY"), "another currency": hourly("1", "USD"),
	} {
		_, ok := flow.Breaks(plan, q, at, day)
		require.False(t, ok, why)
	}
	plan.Quote.Known = false
	_, ok = flow.Breaks(plan, hourly("1", "CNY"), at, day)
	require.False(t, ok, "the prepaid price is unknown")
}

func (w *world) commitments() []flow.Commitment {
	w.t.Helper()
	all, err := w.desk.Commitments(w.t.Context(), "")
	require.NoError(w.t, err)
	return all
}

// bought asks for a prepaid scale-out and lets it end.
func (w *world) bought(a flow.Ask) string {
	w.t.Helper()
	id := w.request(a)
	w.pass(2 * time.Second)
	w.vote(id, 1, "white_check_mark", finance)
	w.vote(id, 1, "white_check_mark", lead2)
	w.pass(2 * time.Minute)
	return id
}

func TestAPrepaidScaleOutIsOnRecordAsCommitted(t *testing.T) {
	w := newWorld(t)
	a := prepaid(2)
	a.Months, a.Renew = 3, new(true)
	id := w.bought(a)
	w.in(id, flow.Succeeded)
	all := w.commitments()
	require.Len(t, all, 1)
	c, f := all[0], w.flow(id)
	require.Equal(t, flow.Commitment{
		Schema: 1, ID: id, By: asker, Channel: room, Account: "acc", Cluster: "emr", Group: "task", N: 2, Nodes: []string{"ins-004", "ins-005"},
		Charge: providers.Prepaid, Months: 3, Renew: true, Known: true, Total: c.Total, Currency: "CNY",
		From: f.Submission.SentAt, Until: flow.TermEnd(f.Submission.SentAt, 3), Term: 1, Began: f.Submission.SentAt,
	}, c)
	require.Equal(t, "4380", c.Total.String())
	require.NotNil(t, f.Plans[0].Hourly)
	require.Equal(t, "2", f.Plans[0].Hourly.Hourly.String(), "the same nodes by the hour")

	w.request(ask(flow.Add, 1))
	w.pass(3 * time.Minute)
	require.Len(t, w.commitments(), 1, "hourly nodes commit to nothing")
	w.consistent()
}

func TestAPurchaseThatCameShortCommitsToWhatWasMade(t *testing.T) {
	w := newWorld(t)
	w.cloud.ComeShort(1)
	id := w.bought(prepaid(2))
	w.in(id, flow.Partial)
	c := w.commitments()[0]
	require.Equal(t, 2, c.N, "the node that is no use was bought all the same")
	require.Len(t, c.Nodes, 2)
	require.Equal(t, "1460", c.Total.String())
}

// A better price lets the votes stand; what is owed is what was paid.
func TestAPurchaseCommitsToThePriceAtWhichItWasSent(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPrice(4, true)
	a := prepaid(2)
	a.StartAt = w.clock.Now().Add(5 * time.Minute)
	id := w.bought(a)
	w.in(id, flow.Scheduled)
	w.cloud.SetPrice(1, true)
	w.pass(6 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.flow(id).Plans, 1, "nobody was asked again")
	require.Equal(t, "1460", w.commitments()[0].Total.String())
}

func TestTheHourlyPriceHoldsNothingUp(t *testing.T) {
	for why, f := range map[string]func() (providers.Quote, error){
		"refused": func() (providers.Quote, error) { return providers.Quote{}, flowRefused() },
		"late":    func() (providers.Quote, error) { return providers.Quote{}, context.DeadlineExceeded },
		"unknown": func() (providers.Quote, error) { return providers.Quote{}, nil },
	} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.PriceHourly(f)
			id := w.request(prepaid(2))
			w.pass(2 * time.Second)
			w.in(id, flow.AwaitingApproval)
			p := w.flow(id).Plans[0]
			require.NotNil(t, p.Hourly)
			require.False(t, p.Hourly.Known)
			bare := p.Plan
			require.Equal(t, approvals.NewPlan(bare.Change, providers.Snapshot{Groups: []providers.Group{{ID: "TASK", Count: 3}}}, bare.Quote).Hash, bare.Hash,
				"the hourly price is no part of what is voted on")
		})
	}
}

func flowRefused() error {
	return &providers.Error{Kind: providers.Auth, Advice: providers.Text{EN: "No right to ask for prices."}}
}

func TestForWithPrepaidIsANeedAndRemovesNothing(t *testing.T) {
	w := newWorld(t)
	a := prepaid(2)
	a.For = 20 * day
	id := w.bought(a)
	w.in(id, flow.Succeeded)
	require.Equal(t, 20*day, w.flow(id).Request.Need)
	w.clock.Advance(21 * day)
	w.settle()
	require.Equal(t, 5, w.cloud.Count())

	for why, a := range map[string]flow.Ask{
		"no term anywhere":                  {Cluster: "emr", Group: "task", Op: flow.Add, N: 1, Charge: providers.Prepaid, For: day},
		"by the hour it would be temporary": {Cluster: "emr", Group: "task", Op: flow.Add, N: 1, For: day},
		"a removal":                         {Cluster: "emr", Group: "task", Op: flow.Remove, N: 1, For: day},
	} {
		_, err := w.desk.Request(t.Context(), w.caller(asker), a)
		var no *flow.Rejection
		require.ErrorAs(t, err, &no, why)
		require.Equal(t, flow.RejectTemporary, no.Code, why)
	}
}

func TestAReminderComesOnceHoweverManyReplicasLook(t *testing.T) {
	w := newWorld(t)
	id := w.bought(prepaid(2))
	c := w.commitments()[0]
	w.clock.Advance(c.Until.Add(-14*day - time.Minute).Sub(w.clock.Now()))
	w.settle()
	require.Empty(t, w.slack.Keyed("renewal/"), "not yet")
	w.clock.Advance(time.Minute)
	other := flow.NewRenewals(w.options)
	var both sync.WaitGroup
	for _, r := range []*flow.Renewals{w.renewals, other} {
		both.Go(func() {
			for range 5 {
				claims, err := w.store.Claim(t.Context(), flow.LaneRenew, w.clock.Now(), w.options.Lease, 10)
				if err != nil {
					t.Error(err)
				}
				for _, claim := range claims {
					if err := r.Step(t.Context(), claim); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	both.Wait()
	w.settle()
	told := w.slack.Keyed("renewal/")
	require.Len(t, told, 1)
	require.Equal(t, data, told[0].MessageRef.Channel, "the cluster's own channel")
	require.Contains(t, told[0].Text, id)

	w.clock.Advance(11*day - time.Second)
	w.settle()
	require.Len(t, w.slack.Keyed("renewal/"), 1, "one reminder, until the next is due")
	w.clock.Advance(time.Second)
	w.settle()
	told = w.slack.Keyed("renewal/")
	require.Len(t, told, 2)
	require.Contains(t, told[0].Text, "latest:false", "the earlier one points to the later")
	require.Contains(t, told[1].Text, "latest:true")

	w.clock.Advance(3 * day)
	w.settle()
	told = w.slack.Keyed("renewal/")
	require.Len(t, told, 2)
	require.Contains(t, told[1].Text, "over:true", "its buttons are gone")
	require.Zero(t, w.rdb.ZCard(t.Context(), "test:{T1}:due:renew").Val(), "nothing is left to do")
	require.Empty(t, w.commitments(), "nothing goes on")
}

func TestRemindersThatCameDueWhileNobodyLookedAreOne(t *testing.T) {
	w := newWorld(t)
	w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-day).Sub(w.clock.Now()))
	w.settle()
	require.Len(t, w.slack.Keyed("renewal/"), 1)
}

func TestAReminderThatConfigTookAwayIsNotMadeUpByAnEarlierOne(t *testing.T) {
	w := newWorld(t)
	w.options.RenewalReminders = []time.Duration{3 * day}
	w.wire()
	w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-3 * day).Sub(w.clock.Now()))
	w.settle()
	w.options.RenewalReminders = []time.Duration{14 * day}
	w.wire()
	w.clock.Advance(day)
	w.settle()
	require.Len(t, w.slack.Keyed("renewal/"), 1)
}

func TestAChannelThatOpensAfterTheDecisionIsNotAsked(t *testing.T) {
	w := newWorld(t)
	id := w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	w.slack.FailIn(data, flow.ErrNoChannel)
	w.settle()
	_, err := w.desk.Renewal(t.Context(), w.caller(asker), id, 0, flow.Renew)
	require.NoError(t, err)
	w.pass(5 * time.Minute)
	require.Empty(t, w.slack.Keyed("renewal/"))
}

func TestNoRemindersAreNone(t *testing.T) {
	w := newWorld(t)
	w.options.RenewalReminders = nil
	w.wire()
	w.bought(prepaid(1))
	c := w.commitments()[0]
	w.clock.Advance(c.Until.Add(-time.Minute).Sub(w.clock.Now()))
	w.settle()
	require.Empty(t, w.slack.Keyed("renewal/"))

	w.options.RenewalReminders = []time.Duration{2 * time.Minute} // config says otherwise now
	w.wire()
	w.clock.Advance(30 * time.Second)
	require.NoError(t, w.store.Wake(t.Context(), flow.LaneRenew, c.ID, w.clock.Now()))
	w.settle()
	require.Len(t, w.slack.Keyed("renewal/"), 1)
}

func TestAReminderWhoseAnswerWasLostIsNotDoubled(t *testing.T) {
	for why, arrived := range map[string]bool{"it was posted": true, "it was not": false} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t)
			w.bought(prepaid(1))
			w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
			if arrived {
				w.slack.FailAfter("post", flow.ErrChatInDoubt)
			} else {
				w.slack.Fail("post", flow.ErrChatInDoubt)
			}
			w.pass(10 * time.Second)
			require.Len(t, w.slack.Keyed("renewal/"), 1)
		})
	}
}

// Too much was said in its channel to look for it, and that stays so.
func TestAReminderIsPostedWhenNoSearchComesToAnEnd(t *testing.T) {
	w := newWorld(t)
	w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	w.slack.Fail("post", flow.ErrChatInDoubt)
	for range 100 {
		w.slack.Fail("find", flow.ErrSearchCut)
	}
	w.pass(time.Minute)
	require.Len(t, w.slack.Keyed("renewal/"), 1)
}

// A replica dies between the post and the save: its lease runs out, and the next
// one finds the message by its name.
func TestAReminderOutlivesTheReplicaThatPostedIt(t *testing.T) {
	w := newWorld(t)
	w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	dying := w.options
	dying.Store = &mute{Store: w.store, after: 2} // what comes due, that it is being sent, and then nothing
	claims, err := w.store.Claim(t.Context(), flow.LaneRenew, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.Error(t, flow.NewRenewals(dying).Step(t.Context(), claims[0]))
	require.Len(t, w.slack.Keyed("renewal/"), 1)
	w.clock.Advance(w.options.Lease + time.Second)
	w.pass(5 * time.Second)
	require.Len(t, w.slack.Keyed("renewal/"), 1, "found, not doubled")
	require.Positive(t, w.slack.Keyed("renewal/")[0].Edits)
}

// mute is a store that loses its voice after some saves of reminders.
type mute struct {
	flow.Store
	after int
}

var errMute = errors.New("the replica died here")

func (m *mute) SaveReminders(ctx context.Context, c flow.Claim, r flow.Reminders) error {
	if m.after--; m.after < 0 {
		return errMute
	}
	return m.Store.SaveReminders(ctx, c, r)
}

func TestAChannelThatTakesNoReminderHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	catalog := w.options.Catalog["emr"]
	catalog.Channels = []string{"C0CLOSED", data}
	w.options.Catalog["emr"] = catalog
	w.wire()
	w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	for range 40 {
		w.slack.FailIn("C0CLOSED", flow.ErrNoChannel)
	}
	w.settle()
	told := w.slack.Keyed("renewal/")
	require.Len(t, told, 1, "the open channel is told at once")
	require.Equal(t, data, told[0].MessageRef.Channel)
	w.clock.Advance(time.Hour)
	for range 20 {
		w.pass(3 * time.Minute)
	}
	require.Len(t, w.slack.Keyed("renewal/"), 1)
}

// A term is long: whoever removes the bot for an hour has not decided about it.
func TestAReminderWaitsForAnInvitation(t *testing.T) {
	w := newWorld(t)
	id := w.bought(prepaid(1))
	c := &chat{Chat: w.slack, post: func(flow.Message) error { return flow.ErrNoChannel }}
	w.options.Chat = c
	w.wire()
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	w.pass(time.Hour)
	require.Less(t, c.posts, 12, "it is not tried again and again")
	c.post = nil
	w.pass(time.Hour)
	require.Len(t, w.slack.Keyed("renewal/"), 1)

	// What nobody lets in until the term is over is not tried for ever.
	c.update = func(flow.Message) error { return flow.ErrNoChannel }
	w.clock.Advance(15 * day)
	w.pass(time.Hour)
	_, err := w.rdb.ZScore(t.Context(), "test:{T1}:due:renew", id).Result()
	require.ErrorIs(t, err, redis.Nil)
}

func TestADecisionIsShownAndEndsTheReminders(t *testing.T) {
	w := newWorld(t)
	id := w.bought(prepaid(1))
	c := w.commitments()[0]
	w.clock.Advance(c.Until.Add(-14 * day).Sub(w.clock.Now()))
	w.settle()
	decide := func(user string, seen int, choice flow.RenewalChoice) (flow.Commitment, error) {
		return w.desk.Renewal(t.Context(), w.caller(user), id, seen, choice)
	}
	var no *flow.Rejection
	_, err := decide("U0OTHER", 0, flow.Renew)
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectRenewer, no.Code, "neither who asked nor an approver")
	w.slack.Person(approvals.Person{ID: lead2, Found: true, Guest: true})
	_, err = decide(lead2, 0, flow.Renew)
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectGuest, no.Code)

	made, err := decide(asker, 0, flow.LetLapse)
	require.NoError(t, err)
	require.Equal(t, flow.LetLapse, made.Decision.Choice)
	w.settle()
	told := w.slack.Keyed("renewal/")
	require.Contains(t, told[0].Text, "let_lapse by "+asker)
	require.Equal(t, asker, w.commitments()[0].Decision.By)

	_, err = decide(lead1, 0, flow.Renew)
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectDecided, no.Code, "on a button from before the decision")
	require.Equal(t, asker, no.Args["by"])
	again, err := decide(lead1, 0, flow.LetLapse)
	require.NoError(t, err)
	require.Equal(t, asker, again.Decision.By, "so decided already")

	_, err = decide(lead1, 1, flow.Renew)
	require.NoError(t, err, "who saw the decision may decide otherwise")
	w.clock.Advance(11 * day)
	w.settle()
	told = w.slack.Keyed("renewal/")
	require.Len(t, told, 1, "nobody is asked again")
	require.Contains(t, told[0].Text, "latest:true", "nor sent to a reminder that never comes")
	require.Contains(t, told[0].Text, "renew by "+lead1)

	var actions []string
	entries, err := w.rdb.XRange(t.Context(), "test:{T1}:audit", "-", "+").Result()
	require.NoError(t, err)
	for _, e := range entries {
		if e.Values["flow"] == id && e.Values["version"] == "0" {
			actions = append(actions, e.Values["action"].(string)+" "+e.Values["actor"].(string))
		}
	}
	require.Subset(t, actions, []string{"renewal_let_lapse " + asker, "renewal_renew " + lead1})

	w.clock.Advance(c.Until.Sub(w.clock.Now()))
	_, err = decide(lead1, 2, flow.LetLapse)
	require.NoError(t, err, "one that was to be renewed goes on, and its next end is decided about anew")
	require.Len(t, w.commitments(), 1)
	w.clock.Advance(31 * day)
	require.Empty(t, w.commitments())
	_, err = decide(lead1, 3, flow.Renew)
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectTermOver, no.Code)
	_, err = w.desk.Renewal(t.Context(), w.caller(asker), "F-NONE", 0, flow.Renew)
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectCommitment, no.Code)
}

// The cloud goes on charging for what renews itself, term after term.
func TestATermThatRenewsItselfGoesOn(t *testing.T) {
	w := newWorld(t)
	a := prepaid(2)
	a.Renew = new(true)
	id := w.bought(a)
	first := w.commitments()[0]
	until := func(n int) time.Time { return flow.TermEnd(first.From, n) }
	for n := 2; n <= 5; n++ { // far past the time that what ended is kept for
		w.clock.Advance(until(n - 1).Add(-3 * day).Sub(w.clock.Now()))
		w.settle()
		w.clock.Advance(until(n - 1).Sub(w.clock.Now()))
		w.settle()
		all := w.commitments()
		require.Len(t, all, 1, "term %d", n)
		c := all[0]
		require.Equal(t, n, c.Term)
		require.Equal(t, until(n), c.Until)
		require.Equal(t, first.From, c.From, "the day of the purchase stays")
		require.Equal(t, first.Total, c.Total, "each term costs as much again")
		require.Len(t, w.slack.Keyed("renewal/"), n-1, "one reminder of each term")
		for _, m := range w.slack.Keyed("renewal/") {
			require.Contains(t, m.Text, "over:true", "the buttons of a term that ended are gone")
		}
	}
	_, detail := w.last("term_goes_on")
	require.InDelta(t, 5, detail["term"], 0)
	w.clock.Advance(until(5).Add(-14 * day).Sub(w.clock.Now()))
	w.settle()
	_, err := w.desk.Renewal(t.Context(), w.caller(asker), id, 0, flow.LetLapse)
	require.NoError(t, err)
	w.clock.Advance(until(5).Sub(w.clock.Now()))
	w.settle()
	require.Empty(t, w.commitments(), "until somebody lets it lapse")
	require.Zero(t, w.rdb.ZCard(t.Context(), "test:{T1}:due:renew").Val())
}

// What was decided holds for the end that it was about.
func TestADecisionToRenewIsAskedForAnewInTheNextTerm(t *testing.T) {
	w := newWorld(t)
	id := w.bought(prepaid(1))
	first := w.commitments()[0]
	_, err := w.desk.Renewal(t.Context(), w.caller(asker), id, 0, flow.Renew)
	require.NoError(t, err)
	w.clock.Advance(first.Until.Sub(w.clock.Now()))
	w.settle()
	c := w.commitments()[0]
	require.Nil(t, c.Decision)
	require.Equal(t, 1, c.Decided(), "what a button must have seen")
	require.Equal(t, 2, c.Term)
	w.clock.Advance(c.Until.Add(-14 * day).Sub(w.clock.Now()))
	w.settle()
	require.Len(t, w.slack.Keyed("renewal/"), 1, "people are asked about the second end")
	_, err = w.desk.Renewal(t.Context(), w.caller(asker), id, 1, flow.Renew)
	require.NoError(t, err)
	w.clock.Advance(c.Until.Sub(w.clock.Now()))
	w.settle()
	require.Equal(t, 3, w.commitments()[0].Term)
	w.clock.Advance(w.commitments()[0].Until.Sub(w.clock.Now()))
	require.Empty(t, w.commitments(), "nobody decided about the third end, and it does not renew itself")
}

// A version that knew of no further terms let go of them at their first end.
func TestATermThatWentOnUnseenIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	a := prepaid(1)
	a.Renew = new(true)
	id := w.bought(a)
	require.NoError(t, w.rdb.Del(t.Context(), "test:{T1}:due:renew").Err())
	w.clock.Advance(w.commitments()[0].Until.Add(10 * day).Sub(w.clock.Now()))
	w.settle()
	require.Zero(t, w.rdb.ZCard(t.Context(), "test:{T1}:due:renew").Val())
	w.renewals.Revive(t.Context())
	w.settle()
	require.Positive(t, w.rdb.ZScore(t.Context(), "test:{T1}:due:renew", id).Val())
}

func TestCommitmentsOfOneCluster(t *testing.T) {
	w := newWorld(t)
	w.bought(prepaid(1))
	one, err := w.desk.Commitments(t.Context(), "emr")
	require.NoError(t, err)
	require.Len(t, one, 1)
	var no *flow.Rejection
	_, err = w.desk.Commitments(t.Context(), "nosuch")
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectCluster, no.Code)
	delete(w.options.Catalog, "emr")
	w.wire()
	one, err = w.desk.Commitments(t.Context(), "emr")
	require.NoError(t, err, "a cluster that left config still costs")
	require.Len(t, one, 1)
}

// Terms that end on one day end by the hundred: a reminder takes its turn in what
// Slack allows, like every message.
func TestAReminderWaitsForItsTurn(t *testing.T) {
	w := newWorld(t)
	w.bought(prepaid(1))
	w.clock.Advance(w.commitments()[0].Until.Add(-14 * day).Sub(w.clock.Now()))
	w.options.Quota = full{flow.CallPost, w.clock.Now().Add(40 * time.Second)}
	w.wire()
	w.pass(30 * time.Second)
	require.Empty(t, w.slack.Keyed("renewal/"))
	w.pass(30 * time.Second)
	require.Len(t, w.slack.Keyed("renewal/"), 1)
}
