package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
)

// purse is a quota with a clock.
type purse struct {
	*redisstore.Quota
	t   *testing.T
	now time.Time
}

func newPurse(t *testing.T) *purse {
	return &purse{Quota: redisstore.NewQuota(newBench(t).rdb, "test", "T1"), t: t, now: noon}
}

// ask gives the wait; zero = spent.
func (p *purse) ask(who string, u flow.Urgency) time.Duration {
	p.t.Helper()
	return p.bid(flow.Bid{Call: flow.CallEdit, Who: who, Urgency: u})
}

func (p *purse) bid(b flow.Bid) time.Duration {
	p.t.Helper()
	again, err := p.Take(p.t.Context(), b, p.now)
	require.NoError(p.t, err)
	if again.IsZero() {
		return 0
	}
	require.True(p.t, again.After(p.now))
	return again.Sub(p.now)
}

// empty spends what there is, and leaves nobody waiting.
func (p *purse) empty() {
	p.t.Helper()
	burst := flow.Bid{Call: flow.CallEdit}.Shares()[0].Burst
	for i := range burst {
		require.Zero(p.t, p.ask(fmt.Sprint("drain", i), flow.UrgentEnd))
	}
}

// Whatever is asked, Slack sees no more than it documents in any minute.
func TestNoMinuteHasMoreEditsThanSlackAllows(t *testing.T) {
	p := newPurse(t)
	var spent []time.Time
	due := map[string]time.Time{}
	for i := range 200 {
		due[fmt.Sprint("F-", i)] = p.now
	}
	urgency := func(who string) flow.Urgency { return flow.Urgency(len(who)+int(who[len(who)-1])) % 3 }
	asks := 0
	for end := p.now.Add(20 * time.Minute); p.now.Before(end) && len(due) > 0; p.now = p.now.Add(100 * time.Millisecond) {
		for who, at := range due {
			if at.After(p.now) {
				continue
			}
			asks++
			if wait := p.ask(who, urgency(who)); wait > 0 {
				due[who] = p.now.Add(wait)
			} else {
				spent = append(spent, p.now)
				delete(due, who)
			}
		}
	}
	require.Len(t, spent, 200, "all of them in their time")
	for i := range spent {
		n := 0
		for _, at := range spent[i:] {
			if at.Sub(spent[i]) < time.Minute {
				n++
			}
		}
		require.LessOrEqual(t, n, 48)
	}
	require.LessOrEqual(t, spent[len(spent)-1].Sub(noon), 5*time.Minute+10*time.Second, "and none of the quota is wasted")
	require.Less(t, asks, 1000, "nobody asks all the time")
}

func TestAnEndOvertakesProgress(t *testing.T) {
	p := newPurse(t)
	p.empty()
	for i := range 30 {
		require.NotZero(t, p.ask(fmt.Sprint("progress", i), flow.UrgentProgress))
	}
	last := p.ask("stage", flow.UrgentStage)
	wait := p.ask("end", flow.UrgentEnd)
	require.Less(t, wait, 5*time.Second)
	require.Less(t, wait, last)
	p.now = p.now.Add(wait)
	require.Zero(t, p.ask("end", flow.UrgentEnd))
	require.Less(t, p.ask("progress29", flow.UrgentEnd), 5*time.Second, "one that became an end moves to the front")
}

func TestProgressLeavesRoomForABallot(t *testing.T) {
	p := newPurse(t)
	n := 0
	for p.ask(fmt.Sprint("progress", n), flow.UrgentProgress) == 0 {
		n++
	}
	require.Equal(t, 4, n)
	require.Zero(t, p.ask("ballot", flow.UrgentEnd), "at once, with hundreds of edits waiting")
}

func TestABidKeepsItsPlace(t *testing.T) {
	p := newPurse(t)
	p.empty()
	first := p.ask("first", flow.UrgentStage)
	for i := range 10 {
		p.ask(fmt.Sprint("later", i), flow.UrgentStage)
	}
	p.now = p.now.Add(time.Second)
	require.Equal(t, first-time.Second, p.ask("first", flow.UrgentStage), "asked again too early")
	require.LessOrEqual(t, p.ask("first", flow.UrgentProgress), first-time.Second, "what it has to say became less urgent")
	p.now = p.now.Add(first - time.Second)
	require.NotZero(t, p.ask("newcomer", flow.UrgentStage), "there is one call left, and it is not for who came last")
	require.Zero(t, p.ask("first", flow.UrgentProgress))
}

func TestABidThatNeverComesBackHoldsNobodyUpForLong(t *testing.T) {
	p := newPurse(t)
	p.empty()
	for i := range 40 {
		p.ask(fmt.Sprint("dead", i), flow.UrgentEnd)
	}
	wait := p.ask("alive", flow.UrgentStage)
	require.Greater(t, wait, time.Minute)
	p.now = p.now.Add(wait)
	if again := p.ask("alive", flow.UrgentStage); again > 0 {
		require.LessOrEqual(t, again, 12*time.Second)
		p.now = p.now.Add(again)
		require.Zero(t, p.ask("alive", flow.UrgentStage))
	}
}

func TestTwoReplicasShareOneQuotaThoughTheirClocksDiffer(t *testing.T) {
	p := newPurse(t)
	p.empty()
	spent := 0
	for range 600 { // one minute
		p.now = p.now.Add(100 * time.Millisecond)
		for _, ahead := range []time.Duration{0, 5 * time.Second} {
			b := flow.Bid{Call: flow.CallEdit, Who: fmt.Sprint("of ", ahead)}
			again, err := p.Take(t.Context(), b, p.now.Add(ahead))
			require.NoError(t, err)
			if again.IsZero() {
				spent++
			}
		}
	}
	require.InDelta(t, 40, spent, 5)
}

func TestAClockThatWasWrongStopsNobodyForGood(t *testing.T) {
	p := newPurse(t)
	far := p.now.Add(24 * time.Hour)
	for i := range 10 {
		_, err := p.Take(t.Context(), flow.Bid{Call: flow.CallEdit, Who: fmt.Sprint(i)}, far)
		require.NoError(t, err)
	}
	require.NoError(t, p.Rest(t.Context(), flow.Bid{Call: flow.CallEdit}, far))
	p.now = p.now.Add(15 * time.Minute)
	wait := p.ask("me", flow.UrgentEnd)
	require.Less(t, wait, time.Minute)
	p.now = p.now.Add(wait)
	require.Zero(t, p.ask("me", flow.UrgentEnd))
}

func TestPostsOfOneChannelDoNotWaitForAnother(t *testing.T) {
	p := newPurse(t)
	post := func(channel, who string) time.Duration {
		return p.bid(flow.Bid{Call: flow.CallPost, Channel: channel, Who: who})
	}
	for i := range 30 {
		post("C1", fmt.Sprint(i))
	}
	require.Equal(t, 29*time.Second, post("C1", "31st"))
	require.Zero(t, post("C2", "a"))
	require.Zero(t, post("C2", "b"))
	require.NotZero(t, post("C2", "c"), "one a second, after a burst of two")
	require.Zero(t, p.ask("edit", flow.UrgentProgress), "edits are counted apart")
}

func TestSlackIsLeftAloneByAllWhenItSaysSo(t *testing.T) {
	p := newPurse(t)
	edit := flow.Bid{Call: flow.CallEdit, Who: "a"}
	require.NoError(t, p.Rest(t.Context(), edit, p.now.Add(30*time.Second)))
	require.NoError(t, p.Rest(t.Context(), edit, p.now.Add(10*time.Second)), "a shorter one takes nothing back")
	require.GreaterOrEqual(t, p.bid(edit), 30*time.Second)
	require.Zero(t, p.bid(flow.Bid{Call: flow.CallPost, Channel: "C1", Who: "a"}), "posts go on")
	p.now = p.now.Add(30 * time.Second)
	require.Zero(t, p.bid(edit))
}

func TestAnUrgedBidIsServedAsUrgent(t *testing.T) {
	p := newPurse(t)
	p.empty()
	for i := range 30 {
		p.ask(fmt.Sprint("poll", i), flow.UrgentProgress)
	}
	b := flow.Bid{Call: flow.CallEdit, Who: "poll29", Urgency: flow.UrgentEnd}
	require.NoError(t, p.Urge(t.Context(), b, p.now))
	wait := p.ask("poll29", flow.UrgentProgress)
	require.Less(t, wait, 3*time.Second)
	p.now = p.now.Add(wait)
	require.Zero(t, p.ask("poll29", flow.UrgentProgress))
}
