package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

// Neither who asked nor the bot fills a seat, though both are in the group.
func TestTheRequesterAndTheBotFillNoSeat(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Groups["leads"] = approvals.Group{Users: []string{asker, "U0BOT", lead1}}
	})
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", asker)
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 1, "white_check_mark", "U0BOT")
	w.in(id, flow.AwaitingApproval)
	require.Len(t, w.flow(id).Verdict.Ballot.Uncounted, 1, "the bot's own reactions are nobody's vote, and the requester reads why")
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Running)
}

// What the policy asks at the moment of sending decides, not what it asked before.
func TestAPolicyThatAsksMoreMeanwhileIsHeard(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Queued)
	rules := w.options.Approvals
	rules.Rules = append(rules.Rules, approvals.Rule{Name: "money", When: "change.delta < 0", Require: map[string]int{"finops": 1}})
	policy, problems := approvals.Compile(rules)
	require.Empty(t, problems)
	w.options.Policy, w.options.Approvals = policy, rules
	w.wire()
	w.cloud.SetPhase(providers.Ready)
	w.pass(time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
	require.Len(t, w.flow(id).Requirements, 2)
}

// A card that shows another plan is no ballot of this one.
func TestACardOfAnotherPlanIsNoBallot(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	posts, err := w.store.Posts(t.Context(), id)
	require.NoError(t, err)
	card := posts.Cards[1]
	card.Plan = "of something else"
	posts.Cards[1] = card
	require.NoError(t, w.store.Wake(t.Context(), flow.LaneChat, id, w.clock.Now()))
	claims, err := w.store.Claim(t.Context(), flow.LaneChat, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.NoError(t, w.store.SavePosts(t.Context(), claims[0], posts))
	w.slack.React(card.MessageRef, "white_check_mark", lead1)
	require.NoError(t, w.desk.Touched(t.Context(), card.MessageRef))
	for range 5 { // the courier would mend the card
		claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		for _, c := range claims {
			require.NoError(t, w.engine.Step(t.Context(), c))
		}
		w.clock.Advance(time.Minute)
	}
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
}

// Where a rule turns on the requester's groups, not to know them is not to know
// what is asked.
func TestUnreadableGroupsOfTheRequesterAllowNothing(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Rules = []approvals.Rule{{Name: "others", When: `!("leads" in requester.groups)`, Require: map[string]int{"leads": 1}}}
		c.ExpireAfter = 10 * time.Minute
	})
	w.options.Directory = noGroups{w.slack}
	w.wire()
	id := w.request(ask(flow.Add, 1))
	w.pass(5 * time.Minute)
	w.in(id, flow.Planning)
	w.pass(10 * time.Minute)
	w.in(id, flow.Refused)
	require.Empty(t, w.cloud.Ledger())

	catalog := w.options.Catalog["emr"]
	catalog.Requesters = &approvals.Group{Usergroups: []string{"S0DATA"}}
	w.options.Catalog["emr"] = catalog
	w.wire()
	_, err := w.desk.Request(t.Context(), w.caller(asker), ask(flow.Add, 1))
	var no *flow.Rejection
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectPerson, no.Code)
}

type noGroups struct{ *flowtest.Slack }

func (noGroups) Members(context.Context, approvals.Group) ([]string, error) {
	return nil, errors.New("Slack is down")
}

// Proof that the cloud refused the change is no reason to send it again.
func TestAProvedRefusalIsNotTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.withCloud(refusedAfterAll{w.cloud})
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 1))
	w.pass(time.Minute)
	w.in(id, flow.Failed)
	require.Equal(t, 1, w.flow(id).Attempts)
	require.Empty(t, w.cloud.Ledger())
}

type refusedAfterAll struct{ *flowtest.Cloud }

func (refusedAfterAll) Reconcile(context.Context, providers.Submission) (providers.Finding, error) {
	return providers.Finding{State: providers.NotAccepted, Cause: providers.Refusef(providers.Text{EN: "Sold out."})}, nil
}

// A word that nobody knows is never an end.
func TestAnUnknownWordOfProgressIsNoEnd(t *testing.T) {
	w := newWorld(t)
	odd := &oddProgress{Cloud: w.cloud, word: "half-way"}
	w.withCloud(odd)
	id := w.request(ask(flow.Add, 1))
	w.pass(5 * time.Minute)
	w.in(id, flow.Running)
	odd.word = ""
	w.pass(time.Minute)
	w.in(id, flow.Succeeded)
}

type oddProgress struct {
	*flowtest.Cloud
	word providers.ProgressState
}

func (c *oddProgress) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	p, err := c.Cloud.Follow(ctx, sub, op)
	if c.word != "" {
		p.State = c.word
	}
	return p, err
}

// The first of a line whose votes can't be read any more lets the others go.
func TestTheHeadOfALineDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	first := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(first, 1, "white_check_mark", lead1)
	w.in(first, flow.Queued)
	second := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(second, flow.Queued)
	w.options.Ballots = noBallots{}
	w.wire()
	w.cloud.SetPhase(providers.Ready)
	w.pass(20 * time.Minute)
	w.in(first, flow.Queued)
	require.Equal(t, flow.WaitBallot, w.flow(first).Wait.Code)
	w.pass(15 * time.Minute)
	w.in(first, flow.Refused)
	require.Equal(t, flow.NoteHeld, w.flow(first).End.Code)
	require.Contains(t, w.whispers(asker), "held")
	require.Contains(t, []flow.State{flow.Running, flow.Succeeded}, w.flow(second).State)
	require.Len(t, w.cloud.Ledger(), 1)
	w.consistent()
}

type noBallots struct{}

func (noBallots) Reactions(context.Context, flow.MessageRef) ([]approvals.Reaction, error) {
	return nil, errors.New("not_in_channel")
}

// Nobody votes for what the calendar will refuse when it starts.
func TestAFreezeAtTheStartTimeIsSeenAtOnce(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Freezes = []approvals.Freeze{{Name: "sale", From: noon.Add(2 * time.Hour), To: noon.Add(5 * time.Hour)}}
	})
	during, after := ask(flow.Remove, 1), ask(flow.Remove, 1)
	during.StartAt, after.StartAt = noon.Add(3*time.Hour), noon.Add(6*time.Hour)
	in, out := w.request(during), w.request(after)
	w.settle()
	w.in(in, flow.Refused)
	require.Equal(t, flow.NoteFrozen, w.flow(in).End.Code)
	require.Equal(t, "sale", w.flow(in).End.Args["name"])
	w.in(out, flow.AwaitingApproval)

	require.NotNil(t, w.flow(in).Refused, "another policy can be tried over it")
	require.Equal(t, 1, flow.Replay(w.options.Policy, []flow.Flow{w.flow(in)}).Same)
	open := w.options.Approvals
	open.Freezes = nil
	policy, problems := approvals.Compile(open)
	require.Empty(t, problems)
	require.Equal(t, map[flow.Way]int{flow.Looser: 1}, flow.Replay(policy, []flow.Flow{w.flow(in)}).Ways())
}

// A freeze that is over when the change starts is no reason to refuse it today.
func TestAFreezeThatIsOverAtTheStartTimeRefusesNothing(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		calendar(c)
		c.ExpireAfter = 24 * time.Hour
	})
	_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 30*time.Minute, "short")
	require.NoError(t, err)
	for _, c := range []struct {
		at   time.Time
		code flow.NoteCode
	}{
		{noon.Add(20 * time.Minute), flow.NoteFrozenBy},
		{noon.Add(50 * time.Minute), flow.NoteFrozen},
	} {
		a := ask(flow.Remove, 1)
		a.StartAt = c.at
		id := w.request(a)
		w.settle()
		w.in(id, flow.Refused)
		require.Equal(t, c.code, w.flow(id).End.Code, "%s", c.at)
	}
	a := ask(flow.Remove, 1)
	a.StartAt = noon.Add(2 * time.Hour)
	p, err := w.desk.DryRun(t.Context(), w.caller(asker), a)
	require.NoError(t, err)
	require.Nil(t, p.Refused)
	require.Equal(t, approvals.FreezeOff, p.Explained.Freezes[0].State)
	id := w.request(a)
	w.settle()
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Scheduled)
	w.pass(2*time.Hour + 10*time.Minute)
	w.in(id, flow.Succeeded)
}

// A world that never stands still ends a request instead of a store.
func TestAFlowIsPlannedSoManyTimesAndNoMore(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.ExpireAfter = 100 * time.Hour })
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	n := 0
	for ; n < 60 && !w.flow(id).State.Ended(); n++ {
		w.slack.Delete(w.card(id, len(w.flow(id).Plans)))
		w.pass(time.Minute)
	}
	w.in(id, flow.Refused)
	require.Equal(t, flow.NoteRestless, w.flow(id).End.Code)
	require.Equal(t, 40, n)
}

// What a person settled turns out otherwise: they are asked again, aloud.
func TestASecondUnknownIsAnnouncedToo(t *testing.T) {
	w := newWorld(t)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 2))
	w.pass(4 * time.Minute)
	w.in(id, flow.Unknown)
	require.Len(t, w.slack.Keyed("notice/unknown/"), 2)
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalHappened, "op-77")
	require.NoError(t, err)
	w.pass(time.Minute)
	w.in(id, flow.Unknown) // the cloud knows no such operation
	require.Len(t, w.slack.Keyed("notice/unknown/"), 2)
	require.Len(t, w.slack.Keyed("notice/unknown#2/"), 2)
}

// The operation that a person names must be one, and of this flow.
func TestTheOperationThatAPersonNames(t *testing.T) {
	w := newWorld(t)
	other := w.request(ask(flow.Add, 1))
	w.pass(5 * time.Minute)
	w.in(other, flow.Succeeded)
	taken := w.flow(other).Operation.ID
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 2))
	w.pass(4 * time.Minute)
	w.in(id, flow.Unknown)
	for named, code := range map[string]flow.RejectCode{
		"": flow.RejectOperation, "  ": flow.RejectOperation, "two words": flow.RejectOperation, "a\x00b": flow.RejectOperation,
		string(make([]byte, 300)): flow.RejectOperation, taken: flow.RejectOthers,
	} {
		_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalHappened, named)
		var no *flow.Rejection
		require.ErrorAs(t, err, &no, "%q", named)
		require.Equal(t, code, no.Code, "%q", named)
	}
	_, err := w.desk.MaySettle(t.Context(), w.caller("U0STRANGER"), id, flow.SignalHappened)
	require.Error(t, err)
	c := w.options.Catalog["emr"]
	c.Nameless = true
	w.options.Catalog["emr"] = c
	w.wire()
	_, err = w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalHappened, "")
	require.NoError(t, err, "this cloud gives none")
}

// While a cloud is left alone, nothing that asks what became of a change is spent
// on it, the card says when it is asked again, and the flow looks again then.
func TestACloudThatIsLeftAloneCostsNoRepeat(t *testing.T) {
	w := newWorld(t)
	l := &lookers{Cloud: w.cloud, t: t, unknown: func() bool { return false }}
	w.withCloud(l)
	until := noon.Add(time.Minute)
	w.options.Blocked = func(account string) (time.Time, bool) {
		require.Equal(t, "acc", account)
		return until, w.clock.Now().Before(until)
	}
	w.wire()
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 1))
	w.pass(50 * time.Second)
	w.in(id, flow.Submitting)
	require.Zero(t, w.flow(id).Repeats)
	require.Zero(t, l.repeats)
	w.pass(30 * time.Second)
	require.Positive(t, w.flow(id).Repeats)

	away := &providers.Error{Kind: providers.Retry, RetryAt: w.clock.Now().Add(3 * time.Minute), Advice: providers.Text{EN: "Account acc doesn't answer."}}
	other := w.request(ask(flow.Set, 9))
	w.cloud.Fail("observe", away)
	w.settle()
	w.in(other, flow.Planning)
	require.Equal(t, "Account acc doesn't answer.", w.flow(other).Wait.Text.EN)
	due, err := w.rdb.ZScore(t.Context(), "test:{T1}:due:step", other).Result()
	require.NoError(t, err)
	require.GreaterOrEqual(t, int64(due), away.RetryAt.UnixMilli())
	require.Less(t, int64(due), away.RetryAt.Add(3*time.Second).UnixMilli())
}
