package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

func TestACheapChangeRunsByItself(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Running)
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Equal(t, 5, w.cloud.Count())
	require.Len(t, w.cloud.Ledger(), 1)
	require.Len(t, w.slack.Keyed("card/"), 1)
	require.Contains(t, w.slack.Keyed("card/")[0].Text, "succeeded")
	var channels []string
	for _, m := range w.slack.Keyed("notice/") {
		channels = append(channels, m.Message.Channel)
	}
	require.ElementsMatch(t, []string{room, data}, channels, "one notice where it was asked, one in the cluster's channel")
	w.consistent()
}

func TestAPrepaidChangeNeedsTwoPeople(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(2))
	w.settle()
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 1, "white_check_mark", asker)
	w.vote(id, 1, "white_check_mark", "U0STRANGER")
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 1, "white_check_mark", lead1) // in both groups, but one person
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
	w.vote(id, 1, "white_check_mark", finance)
	w.in(id, flow.Running)
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	w.consistent()
}

func TestVotesWhoseEventsWereLostCount(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.slack.React(w.card(id, 1), "white_check_mark", lead1) // no event
	w.pass(time.Minute)
	require.Contains(t, []flow.State{flow.Running, flow.Succeeded}, w.flow(id).State)
}

func TestADenialEndsItAndTheRequesterIsTold(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(1))
	w.settle()
	w.vote(id, 1, "x", "U0STRANGER")
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 1, "x", lead2)
	w.in(id, flow.Denied)
	require.Contains(t, w.whispers(asker), "denied")
	require.Empty(t, w.cloud.Ledger())
	require.Empty(t, w.slack.Keyed("notice/"))
	w.consistent()
}

func TestABallotExpires(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(1))
	w.settle()
	w.clock.Advance(4*time.Hour + time.Second)
	w.slack.React(w.card(id, 1), "white_check_mark", lead1)
	w.slack.React(w.card(id, 1), "white_check_mark", finance)
	w.settle()
	w.in(id, flow.Expired)
	require.Contains(t, w.whispers(asker), "expired")
	require.Empty(t, w.cloud.Ledger())
}

func TestAVoteRightBeforeTheExpiryCountsEvenIfItsEventWasLost(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.ExpireAfter = 2 * time.Minute })
	id := w.request(ask(flow.Remove, 1))
	w.pass(2*time.Minute - 4*time.Second)
	w.slack.React(w.card(id, 1), "white_check_mark", lead1)
	w.pass(3 * time.Second)
	w.in(id, flow.Running)
}

func TestUnreadableReactionsNeverApprove(t *testing.T) {
	for _, method := range []string{"reactions", "people", "members"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			id := w.request(ask(flow.Remove, 1))
			w.settle()
			for range 30 {
				w.slack.Fail(method, errors.New("down"))
			}
			w.vote(id, 1, "white_check_mark", lead1)
			w.in(id, flow.AwaitingApproval)
			require.Empty(t, w.cloud.Ledger())
		})
	}
}

func TestAVoteWithdrawnWhileInLineVoidsThePlan(t *testing.T) {
	w := newWorld(t)
	first := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(first, flow.Running)
	second := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(second, 1, "white_check_mark", lead1)
	w.in(second, flow.Queued)
	w.slack.Unreact(w.card(second, 1), "white_check_mark", lead1) // and no event
	w.pass(3 * time.Minute)
	w.in(first, flow.Succeeded)
	w.in(second, flow.AwaitingApproval)
	require.Len(t, w.cloud.Ledger(), 1)
	require.Len(t, w.slack.Keyed("card/2"), 1, "the void plan's card is closed and a fresh one asks again")
}

func TestWhoWithdrewIsShown(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Queued)
	w.slack.Unreact(w.card(id, 1), "white_check_mark", lead1) // and no event
	w.cloud.SetPhase(providers.Ready)
	w.pass(time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Equal(t, []approvals.Difference{{What: approvals.Withdrawn, Was: lead1}}, w.flow(id).Plans[0].VoidedBy)
}

// Two prices within the tolerance stand on two sides of a rule.
func TestWhoIsAskedBesidesRightBeforeSendingIsShown(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Rules = []approvals.Rule{
			{Name: "all", When: "true", Require: map[string]int{"leads": 1}},
			{Name: "costly", When: "quote.hourly > 102.0", Require: map[string]int{"finops": 1}},
		}
	})
	w.cloud.SetPrice(100, true)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead2)
	w.in(id, flow.Queued)
	w.cloud.SetPrice(104, true)
	w.cloud.SetPhase(providers.Ready)
	w.pass(time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Equal(t, []approvals.Difference{{What: approvals.RulesMoved, Was: "1 of leads", Is: "1 of finops, 1 of leads"}}, w.flow(id).Plans[0].VoidedBy)
}

func TestTheBallotIsReadAgainRightBeforeSending(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Queued)
	for range 100 {
		w.slack.Fail("reactions", errors.New("down"))
	}
	w.cloud.SetPhase(providers.Ready)
	w.pass(time.Minute)
	w.in(id, flow.Queued)
	require.Equal(t, flow.WaitBallot, w.flow(id).Wait.Code)
	require.Empty(t, w.cloud.Ledger())
}

func TestAMovedBaseAsksAgain(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Queued)
	w.cloud.Resize(6)
	w.cloud.SetPhase(providers.Ready)
	w.pass(30 * time.Second)
	w.in(id, flow.AwaitingApproval)
	f := w.flow(id)
	require.Len(t, f.Plans, 2)
	require.True(t, f.Plans[0].Void)
	require.NotEmpty(t, f.Plans[0].VoidedBy)
	require.Equal(t, 5, f.Plan().Target)
	require.Empty(t, w.cloud.Ledger())
	// The old card's votes are for the old plan.
	require.NoError(t, w.desk.Touched(t.Context(), w.card(id, 1)))
	w.settle()
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 2, "white_check_mark", lead1)
	w.in(id, flow.Running)
}

func TestAWorsePriceAsksAgainAndABetterOneDoesNot(t *testing.T) {
	for price, want := range map[int64]flow.State{200: flow.AwaitingApproval, 101: flow.AwaitingApproval, 99: flow.Running} {
		w := newWorld(t, func(c *approvals.Config) { c.PriceTolerance = 0 })
		w.cloud.SetPrice(100, true)
		w.cloud.SetPhase(providers.Busy)
		id := w.request(ask(flow.Add, 2))
		w.settle()
		w.vote(id, 1, "white_check_mark", lead1)
		w.in(id, flow.Queued)
		w.cloud.SetPrice(price, true)
		w.cloud.SetPhase(providers.Ready)
		w.pass(30 * time.Second)
		require.Equal(t, want, w.flow(id).State, "price %d", price)
	}
}

func TestAPriceThatMovesWithinToleranceDoesNotStopAFreeChange(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPrice(1, true)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Queued)
	w.cloud.SetPrice(0, true)
	w.cloud.SetPhase(providers.Ready)
	w.pass(30 * time.Second)
	w.in(id, flow.Running)
	require.Len(t, w.flow(id).Plans, 1)
}

func TestAChangedConfigAsksAgain(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.cloud.SetProfile("p2")
	w.cloud.SetPhase(providers.Ready)
	w.pass(30 * time.Second)
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
}

func TestAPolicyThatNowAsksForMoreAsksAgain(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(id, flow.Queued)
	stricter := w.options.Approvals
	stricter.Rules = append(stricter.Rules, approvals.Rule{Name: "all", When: "true", Require: map[string]int{"leads": 1}})
	policy, problems := approvals.Compile(stricter)
	require.Empty(t, problems)
	w.options.Policy, w.options.Approvals = policy, stricter
	w.wire() // a replica restarted with the new file
	w.cloud.SetPhase(providers.Ready)
	w.pass(30 * time.Second)
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
}

func TestAPlanWhoseGroupLeftTheConfigIsMadeAnew(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(1))
	w.settle()
	other := w.options.Approvals
	other.Groups = map[string]approvals.Group{"leads": other.Groups["leads"], "money": {Users: []string{finance}}}
	other.Rules = []approvals.Rule{{Name: "prepaid", When: "true", Require: map[string]int{"money": 1, "leads": 1}}}
	policy, problems := approvals.Compile(other)
	require.Empty(t, problems)
	w.options.Policy, w.options.Approvals = policy, other
	w.wire()
	w.vote(id, 1, "white_check_mark", finance)
	w.in(id, flow.AwaitingApproval)
	require.Equal(t, approvals.ReasonGroupUnread, w.whys(id)[finance], "not the same as being in none")
	require.Len(t, w.flow(id).Plans, 1, "a replica with the old file may still run beside this one")
	code, args := w.turnedAway(id, 1, finance)
	require.Equal(t, flow.RejectVote, code)
	require.Equal(t, string(approvals.ReasonGroupUnread), args["vote"])

	w.jump(6 * time.Minute)
	w.in(id, flow.AwaitingApproval)
	f := w.flow(id)
	require.Len(t, f.Plans, 2)
	require.Equal(t, []approvals.Difference{{What: approvals.GroupGone, Was: "finops"}}, f.Plans[0].VoidedBy)
	w.vote(id, 2, "white_check_mark", finance)
	w.vote(id, 2, "white_check_mark", lead1)
	w.in(id, flow.Running)
	w.consistent()
}

func TestADeletedCardAsksAgain(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.slack.Delete(w.card(id, 1))
	require.NoError(t, w.desk.Touched(t.Context(), w.card(id, 1)))
	w.settle()
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 2, "white_check_mark", lead1)
	w.in(id, flow.Running)
}

func TestNoRulesNoChange(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.RulesGiven, c.Rules = false, nil })
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(id, flow.Refused)
	require.Equal(t, flow.NoteNoRules, w.flow(id).End.Code)
	require.Empty(t, w.cloud.Ledger())
}

func TestAnUnknownPriceAsksForApproval(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPrice(0, false)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(id, flow.AwaitingApproval)
}

func TestRefusalsWhilePlanning(t *testing.T) {
	for name, c := range map[string]struct {
		ask   flow.Ask
		prep  func(*world)
		code  flow.NoteCode
		cards int
	}{
		"more than there are":   {ask: ask(flow.Remove, 5), code: flow.NoteTooMany},
		"below min":             {ask: ask(flow.Remove, 3), code: flow.NoteBelowMin},
		"above max":             {ask: ask(flow.Add, 10), prep: func(w *world) { w.cloud.Resize(15) }, code: flow.NoteAboveMax},
		"a step too far for =":  {ask: ask(flow.Set, 20), code: flow.NoteAboveStep},
		"that size already":     {ask: ask(flow.Set, 3), code: flow.NoteNoChange},
		"credentials are wrong": {ask: ask(flow.Add, 1), prep: func(w *world) { w.cloud.Fail("observe", &providers.Error{Kind: providers.Auth}) }, code: flow.NoteAuth, cards: 1},
		"cluster not found":     {ask: ask(flow.Add, 1), prep: func(w *world) { w.cloud.Fail("observe", &providers.Error{Kind: providers.NotFound}) }, code: flow.NoteRefused, cards: 1},
		"no such group": {ask: ask(flow.Add, 1), prep: func(w *world) {
			emr := w.options.Catalog["emr"]
			task := emr.Groups["task"]
			task.ID = "CORE"
			emr.Groups["task"] = task
		}, code: flow.NoteImpossible},
		"a person must look": {ask: ask(flow.Add, 1), prep: func(w *world) { w.cloud.SetPhase(providers.Blocked) }, code: flow.NoteRefused, cards: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.prep != nil {
				c.prep(w)
			}
			id := w.request(c.ask)
			w.settle()
			w.in(id, flow.Refused)
			f := w.flow(id)
			require.Equal(t, c.code, f.End.Code)
			require.Empty(t, f.Plans, "nothing is recorded as a plan")
			require.Len(t, w.slack.Keyed("card/"), c.cards, "what was mistyped is nobody else's matter; what is broken is")
			require.Contains(t, w.whispers(asker), string(c.code))
			require.Empty(t, w.cloud.Ledger())
			w.consistent()
		})
	}
}

func TestASlowCloudIsTriedAgainUntilTheFlowExpires(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.ExpireAfter = 5 * time.Minute })
	slow := &providers.Error{Kind: providers.Retry, Advice: providers.Text{EN: "Throttled."}}
	w.cloud.Fail("observe", slow)
	w.cloud.Fail("quote", slow)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(id, flow.Planning)
	require.Equal(t, flow.WaitCloud, w.flow(id).Wait.Code)
	w.pass(time.Minute)
	w.in(id, flow.Running)

	for range 1000 {
		w.cloud.Fail("observe", slow)
	}
	other := w.request(ask(flow.Add, 1))
	w.pass(7 * time.Minute)
	w.in(other, flow.Refused)
}

func TestOneFlowAtATimeOnACluster(t *testing.T) {
	w := newWorld(t)
	first, second, third := w.request(ask(flow.Add, 1)), w.request(ask(flow.Add, 1)), w.request(ask(flow.Add, 1))
	w.settle()
	w.in(first, flow.Running)
	w.in(second, flow.Queued)
	w.in(third, flow.Queued)
	require.Equal(t, 2, w.flow(third).Place)
	for range 600 {
		w.clock.Advance(time.Second)
		w.settle()
		active := 0
		for _, id := range []string{first, second, third} {
			if w.flow(id).State.HoldsSeat() {
				active++
			}
		}
		require.LessOrEqual(t, active, 1)
	}
	require.Equal(t, 6, w.cloud.Count())
	require.Equal(t, 3, w.cloud.Accepted())
	w.consistent()
}

func TestCancelBeforeAndAfterItIsSent(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(1))
	w.settle()
	_, err := w.desk.Cancel(t.Context(), w.caller(lead1), id)
	var no *flow.Rejection
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectNotYours, no.Code)
	_, err = w.desk.Cancel(t.Context(), w.caller(asker), id[2:])
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Cancelled)

	sent := w.request(ask(flow.Add, 1))
	w.settle()
	_, err = w.desk.Cancel(t.Context(), w.caller(asker), sent)
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectTooLate, no.Code)
	// A cancellation that was recorded just before the call must not undo it.
	require.NoError(t, w.store.Signal(t.Context(), sent, flow.Signal{Kind: flow.SignalCancel, By: asker}, flow.Audit{}))
	w.pass(2 * time.Minute)
	w.in(sent, flow.Succeeded)
	require.Contains(t, w.whispers(asker), "too_late")
}

func TestAStartTimeIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	a := ask(flow.Add, 1)
	a.StartAt = noon.Add(2 * time.Hour)
	id := w.request(a)
	w.settle()
	w.in(id, flow.Scheduled)
	w.clock.Advance(time.Hour + 59*time.Minute)
	w.settle()
	w.in(id, flow.Scheduled)
	w.clock.Advance(time.Minute)
	w.settle()
	w.in(id, flow.Running)
}

func TestAPartialEndIsItsOwn(t *testing.T) {
	w := newWorld(t)
	w.cloud.ComeShort(1)
	id := w.request(ask(flow.Add, 3))
	w.pass(2 * time.Minute)
	w.in(id, flow.Partial)
	require.Equal(t, map[string]string{"got": "2", "want": "3"}, w.flow(id).End.Args)
	require.Len(t, w.slack.Keyed("notice/partial/"), 2)
}

func TestRemovalNamesItsNodesInThePlan(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 2))
	w.settle()
	require.Equal(t, []string{"ins-002", "ins-003"}, w.flow(id).Plans[0].Plan.Change.Nodes)
}

func TestRejectionsAtTheDesk(t *testing.T) {
	w := newWorld(t)
	w.slack.Person(approvals.Person{ID: "U0GUEST", Found: true, Guest: true})
	w.slack.Person(approvals.Person{ID: "U0BOTX", Found: true, Bot: true})
	w.slack.Person(approvals.Person{ID: "U0FAR", Found: true, Stranger: true})
	w.slack.Person(approvals.Person{ID: "U0GONE", Found: true, Deleted: true})
	w.slack.Person(approvals.Person{ID: "U0WHO"})
	cluster := w.options.Catalog["emr"]
	cluster.Name, cluster.Requesters = "closed", &approvals.Group{Users: []string{lead1}}
	w.options.Catalog["closed"] = cluster
	spot, term, renew, nodes, buy, drop, temporary, past := ask(flow.Add, 1), ask(flow.Add, 1), ask(flow.Add, 1), ask(flow.Remove, 2), ask(flow.Remove, 1), ask(flow.Add, 1), ask(flow.Add, 1), ask(flow.Add, 1)
	spot.Charge = providers.Spot
	term.Charge = providers.Prepaid
	renew.Months = 3
	nodes.Nodes = []string{"ins-001"}
	buy.Zone = "z"
	drop.Drain = time.Minute
	temporary.For = time.Hour
	past.StartAt = noon.Add(-time.Minute)
	elsewhere, group, closed := ask(flow.Add, 1), ask(flow.Add, 1), ask(flow.Add, 1)
	elsewhere.Cluster, group.Group, closed.Cluster = "emrr", "tsk", "closed"
	for name, c := range map[string]struct {
		user string
		ask  flow.Ask
		code flow.RejectCode
	}{
		"a guest":                      {"U0GUEST", ask(flow.Add, 1), flow.RejectGuest},
		"a bot":                        {"U0BOTX", ask(flow.Add, 1), flow.RejectGuest},
		"a stranger":                   {"U0FAR", ask(flow.Add, 1), flow.RejectGuest},
		"a deactivated person":         {"U0GONE", ask(flow.Add, 1), flow.RejectGuest},
		"somebody unknown":             {"U0WHO", ask(flow.Add, 1), flow.RejectPerson},
		"not among the requesters":     {asker, closed, flow.RejectRequester},
		"an unknown cluster":           {asker, elsewhere, flow.RejectCluster},
		"an unknown group":             {asker, group, flow.RejectGroup},
		"amount 0":                     {asker, ask(flow.Add, 0), flow.RejectZero},
		"over max_step":                {asker, ask(flow.Add, 11), flow.RejectStep},
		"= below min":                  {asker, ask(flow.Set, 0), flow.RejectMin},
		"= over max":                   {asker, ask(flow.Set, 21), flow.RejectMax},
		"prepaid without a term":       {asker, term, flow.RejectTerm},
		"a term without prepaid":       {asker, renew, flow.RejectTermUnused},
		"what the provider refuses":    {asker, spot, flow.RejectProvider},
		"other nodes than the amount":  {asker, nodes, flow.RejectNodes},
		"options of buying on removal": {asker, buy, flow.RejectBuyOption},
		"options of removal on buying": {asker, drop, flow.RejectDropOption},
		"a temporary change":           {asker, temporary, flow.RejectTemporary},
		"a time that has passed":       {asker, past, flow.RejectPast},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.desk.Request(t.Context(), w.caller(c.user), c.ask)
			var no *flow.Rejection
			require.ErrorAs(t, err, &no)
			require.Equal(t, c.code, no.Code)
			if c.code == flow.RejectTerm {
				require.Nil(t, no.Better, "no line to copy buys a term that nobody named")
			}
			if no.Better != nil {
				_, err := w.desk.DryRun(t.Context(), w.caller(c.user), *no.Better)
				require.NoError(t, err, "the corrected request must be taken")
			}
		})
	}
	flows, err := w.store.List(t.Context(), flow.Filter{})
	require.NoError(t, err)
	require.Empty(t, flows, "a rejected request leaves no record")
}

func TestWhenTheStoreIsDownNothingWasDone(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.rdb.Close())
	_, err := w.desk.Request(t.Context(), w.caller(asker), ask(flow.Add, 1))
	var no *flow.Rejection
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectStore, no.Code)
}

func TestADoubledDeliveryIsOneFlow(t *testing.T) {
	w := newWorld(t)
	c := w.caller(asker)
	one, err := w.desk.Request(t.Context(), c, ask(flow.Add, 1))
	require.NoError(t, err)
	two, err := w.desk.Request(t.Context(), c, ask(flow.Add, 1))
	require.NoError(t, err)
	require.True(t, one.Fresh)
	require.False(t, two.Fresh)
	require.Equal(t, one.Flow.ID, two.Flow.ID)
	w.pass(2 * time.Minute)
	require.Len(t, w.cloud.Ledger(), 1)
}

func TestADryRunLeavesNothing(t *testing.T) {
	w := newWorld(t)
	p, err := w.desk.DryRun(t.Context(), w.caller(asker), prepaid(2))
	require.NoError(t, err)
	require.Equal(t, 5, p.Plan.Target)
	require.Len(t, p.Judgement.Requirements, 2)
	p, err = w.desk.DryRun(t.Context(), w.caller(asker), ask(flow.Remove, 5))
	require.NoError(t, err)
	require.Equal(t, flow.NoteTooMany, p.Refused.Code)
	flows, err := w.store.List(t.Context(), flow.Filter{})
	require.NoError(t, err)
	require.Empty(t, flows)
	require.Empty(t, w.slack.Messages())
}

func TestWaitingListsWhoCanStillFillASeat(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(1))
	w.settle()
	waiting := func(user string) int {
		flows, unread, err := w.desk.Waiting(context.Background(), user)
		require.Empty(t, unread)
		require.NoError(t, err)
		return len(flows)
	}
	require.Equal(t, 1, waiting(lead2))
	require.Equal(t, 1, waiting(finance))
	require.Equal(t, 0, waiting(asker))
	require.Equal(t, 0, waiting("U0STRANGER"))
	w.vote(id, 1, "white_check_mark", lead2)
	require.Equal(t, 0, waiting(lead2), "their seat is taken")
	require.Equal(t, 1, waiting(finance))
}
