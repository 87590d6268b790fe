package flow_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

// perNode is what a node of the test cloud costs in a month, by the hour.
const perNode = providers.HoursPerMonth

// within asks finops for what the rest of the budget does not hold, and nobody
// otherwise.
func within(c *approvals.Config) {
	c.Rules = []approvals.Rule{{Name: "over-budget", When: `!budget.known || budget.left < change.cost`, Require: map[string]int{"finops": 1}}}
}

// withBudget gives the cluster's cost centre a budget, and the centre a second
// cluster, web, in an account of its own.
func (w *world) withBudget(monthly int64) *flowtest.Cloud {
	emr := w.options.Catalog["emr"]
	emr.Labels = map[string]string{"team": "data"}
	web := emr
	web.Name, web.ID, web.Account = "web", "web-1", "acc2"
	other := flowtest.NewCloud(w.clock, 3)
	w.options.Catalog = flow.Catalog{"emr": emr, "web": web}
	w.options.Clouds = flowtest.Clouds{"acc": w.cloud, "acc2": other}
	w.options.Budgets = flow.Budgets{Label: "team", Centres: map[string]flow.Centre{
		"data": {Monthly: decimal.NewFromInt(monthly), Currency: "CNY"}, "ads": {Monthly: decimal.NewFromInt(1), Currency: "USD"},
	}}
	w.wire()
	return other
}

// books are spent and reserved of the cost centre this month.
func (w *world) books() (spent, reserved string) {
	w.t.Helper()
	all, err := w.desk.Spendings(w.t.Context(), "data")
	require.NoError(w.t, err)
	return all[0].Spent.String(), all[0].Reserved.String()
}

func (w *world) holds(spent, reserved int) {
	w.t.Helper()
	s, r := w.books()
	require.Equal(w.t, [2]string{fmt.Sprint(spent), fmt.Sprint(reserved)}, [2]string{s, r}, "spent and reserved")
}

func onWeb(n int) flow.Ask { a := ask(flow.Add, n); a.Cluster = "web"; return a }

func (w *world) state(id string) flow.State { w.t.Helper(); return w.flow(id).State }

func TestTenSmallRequestsAreSeenAsOneBigOne(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(4*perNode + 100)
	var ids []string
	for i := range 10 {
		a := ask(flow.Add, 1)
		if i%2 == 1 {
			a = onWeb(1)
		}
		ids = append(ids, w.request(a))
	}
	w.settle()
	w.holds(0, 4*perNode)
	w.pass(10 * time.Minute)
	asked, done := 0, 0
	for _, id := range ids {
		if w.state(id) == flow.Succeeded {
			done++
			continue
		}
		asked++
		w.in(id, flow.AwaitingApproval)
		require.Equal(t, "finops", w.flow(id).Requirements[0].Group)
	}
	require.Equal(t, [2]int{4, 6}, [2]int{done, asked}, "only as many run as fit")
	w.holds(4*perNode, 0)
	w.consistent()
}

// racing is a store on which something happens between the reading of a book and
// the save that was judged by it.
type racing struct {
	flow.Store
	mu   sync.Mutex
	then func() // one-shot
}

func (r *racing) Book(ctx context.Context, name string) (flow.Book, error) {
	b, err := r.Store.Book(ctx, name)
	r.mu.Lock()
	then := r.then
	r.then = nil
	r.mu.Unlock()
	if then != nil {
		then()
	}
	return b, err
}

// Mandates reads the mandates, and lets something happen behind it as Book does.
func (r *racing) Mandates(ctx context.Context, since time.Time) ([]flow.Book, error) {
	b, err := r.Store.Mandates(ctx, since)
	r.mu.Lock()
	then := r.then
	r.then = nil
	r.mu.Unlock()
	if then != nil {
		then()
	}
	return b, err
}

func TestTwoClustersDoNotTakeTheSameRest(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(3 * perNode)
	race := &racing{Store: w.store}
	w.options.Store = race
	w.wire()
	first, second := w.request(ask(flow.Add, 2)), w.request(onWeb(2))
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.Len(t, claims, 2)
	race.then = func() { require.NoError(t, w.engine.Step(t.Context(), claims[1])) }
	require.NoError(t, w.engine.Step(t.Context(), claims[0]))
	require.Equal(t, flow.Planning, w.state(claims[0].ID), "it was judged by a rest that another one took meanwhile")
	w.pass(5 * time.Minute)
	require.ElementsMatch(t, []flow.State{flow.Succeeded, flow.AwaitingApproval}, []flow.State{w.state(first), w.state(second)})
	w.holds(2*perNode, 0)
	w.consistent()
}

// A void plan gives its share back at once; what its flow asks for anew has no
// better right to it than anybody else.
func TestAVoidPlanHasNoClaimToWhatItHeld(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(2 * perNode)
	race := &racing{Store: w.store}
	w.options.Store = race
	w.wire()
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Queued)
	w.cloud.SetPhase(providers.Ready)
	w.cloud.SetProfile("another")
	step := func(id string, then func()) {
		claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		var mine flow.Claim
		for _, c := range claims {
			if c.ID == id {
				mine = c
				continue
			}
			require.NoError(t, w.store.Release(t.Context(), c, w.clock.Now()))
		}
		race.then = then
		require.NoError(t, w.engine.Step(t.Context(), mine))
	}
	w.clock.Advance(30 * time.Second)
	step(id, nil)
	w.in(id, flow.Planning)
	w.holds(0, 0)
	other := w.request(onWeb(2))
	step(id, func() {
		step(other, nil)
		w.in(other, flow.Queued)
	})
	w.in(id, flow.Planning)
	w.settle()
	w.in(id, flow.AwaitingApproval)
	require.LessOrEqual(t, w.flow(other).Attempts, 1)
}

// Both were planned while there was enough for each; the second one to be approved
// must see that the first took the rest.
func TestAVoteForWhatNoLongerFitsAsksFurtherOnTheSameCard(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		within(c)
		c.Rules = append(c.Rules, approvals.Rule{Name: "all", When: "true", Require: map[string]int{"leads": 1}})
	})
	w.withBudget(3 * perNode)
	first, second := w.request(ask(flow.Add, 2)), w.request(onWeb(2))
	w.settle()
	w.vote(first, 1, "white_check_mark", lead2)
	w.vote(second, 1, "white_check_mark", lead2)
	f := w.flow(second)
	require.Equal(t, flow.AwaitingApproval, f.State)
	require.Len(t, f.Plans, 1, "the plan is the same, and so is its card")
	require.Len(t, f.Requirements, 2)
	require.Equal(t, []string{lead2}, f.Verdict.Ballot.Seated(), "the vote that is there stands")
	n, told := w.told(second, flow.NoteBudgetMoved)
	require.True(t, told)
	require.Equal(t, "730", n.Args["left"])
	w.holds(0, 2*perNode)
	w.pass(5 * time.Minute)
	w.in(first, flow.Succeeded)
	w.in(second, flow.AwaitingApproval)

	w.vote(second, 1, "white_check_mark", finance)
	w.pass(5 * time.Minute)
	w.in(second, flow.Succeeded)
	w.holds(4*perNode, 0)
	_, detail := w.last("budget_moved")
	require.Equal(t, "data", detail["budget"].(map[string]any)["centre"])
	w.consistent()
}

// Who is asked only now must read it, and has the time of a ballot of their own.
func TestWhoIsAskedBesidesHasTheTimeOfANewBallot(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		within(c)
		c.Groups["boss"] = approvals.Group{Users: []string{"U0BOSS"}}
		c.Rules[0].Escalate = &approvals.Escalation{After: time.Hour, To: "boss"}
		c.Rules = append(c.Rules, approvals.Rule{Name: "all", When: "true", Require: map[string]int{"leads": 1}})
	})
	w.options.RemindAfter = 15 * time.Minute
	w.withBudget(3 * perNode)
	first, second := w.request(ask(flow.Add, 2)), w.request(onWeb(2))
	w.settle()
	w.vote(first, 1, "white_check_mark", lead2)
	w.pass(2 * time.Hour)
	before := w.flow(second)
	require.Len(t, w.notes(second, flow.NoteReminder), 4)
	w.vote(second, 1, "white_check_mark", lead2)
	f, now := w.flow(second), w.clock.Now()
	require.Equal(t, flow.AwaitingApproval, f.State)
	require.Equal(t, now.Add(4*time.Hour), f.ExpiresAt)
	require.True(t, f.ExpiresAt.After(before.ExpiresAt))
	n, _ := w.told(second, flow.NoteBudgetMoved)
	require.Equal(t, "finops", n.Args["groups"], "whose votes are there is not asked again")
	require.Equal(t, f.ExpiresAt.Format(time.RFC3339), n.Args["at"])
	w.pass(14 * time.Minute)
	require.Len(t, w.notes(second, flow.NoteReminder), 4)
	w.pass(2 * time.Minute)
	require.Len(t, w.notes(second, flow.NoteReminder), 5, "reminders begin anew")
	require.Equal(t, "U0FIN,"+lead1, w.notes(second, flow.NoteReminder)[4].Args["who"])
	require.Empty(t, w.notes(second, flow.NoteEscalated), "the second group comes in an hour after the first was asked")
	w.pass(45 * time.Minute)
	require.Len(t, w.notes(second, flow.NoteEscalated), 1)
	require.Len(t, w.notes(second, flow.NoteBudgetMoved), 1)
	w.vote(second, 1, "white_check_mark", "U0BOSS")
	w.pass(5 * time.Minute)
	w.in(second, flow.Succeeded)
	w.consistent()
}

func TestAFlowIsNotJudgedByItsOwnShare(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(2 * perNode)
	id := w.request(ask(flow.Add, 2)) // all of it
	w.pass(5 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.flow(id).Plans, 1)
	w.holds(2*perNode, 0)
}

// Who came later was judged with the share of the first in the sums. If it was let
// through by people, it must not push the first one out.
func TestWhoIsLetPastTheBudgetTakesNothingFromWhoWasThereBefore(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(2 * perNode)
	w.cloud.SetPhase(providers.Busy) // the first one waits in its line
	first := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(first, flow.Queued)
	second := w.request(onWeb(2))
	w.settle()
	w.vote(second, 1, "white_check_mark", finance)
	w.pass(3 * time.Minute)
	w.in(second, flow.Succeeded)
	w.cloud.SetPhase(providers.Ready)
	w.pass(5 * time.Minute)
	w.in(first, flow.Succeeded)
	require.Len(t, w.flow(first).Plans, 1)
	w.holds(4*perNode, 0)
}

func TestWhatIsReservedComesBackAtEachEndThatBroughtNothing(t *testing.T) {
	for name, end := range map[string]func(w *world, id string) flow.State{
		"cancelled": func(w *world, id string) flow.State {
			_, err := w.desk.Cancel(w.t.Context(), w.caller(asker), id)
			require.NoError(w.t, err)
			return flow.Cancelled
		},
		"denied": func(w *world, id string) flow.State {
			w.vote(id, 1, "x", finance)
			w.cloud.SetPhase(providers.Ready)
			return flow.Denied
		},
		"failed": func(w *world, id string) flow.State {
			w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
				return providers.Operation{}, providers.Refusef(providers.Text{EN: "no", ZH: "否"})
			})
			w.cloud.SetPhase(providers.Ready)
			return flow.Failed
		},
		"refused": func(w *world, id string) flow.State {
			w.cloud.SetPhase(providers.Gone)
			return flow.Refused
		},
		"void": func(w *world, id string) flow.State {
			w.cloud.SetPrice(2, true)
			w.cloud.SetPhase(providers.Ready)
			return flow.AwaitingApproval
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, within)
			w.withBudget(perNode)
			w.cloud.SetPhase(providers.Busy)
			id := w.request(ask(flow.Add, 2))
			w.settle()
			w.holds(0, 0)
			w.vote(id, 1, "white_check_mark", finance)
			w.in(id, flow.Queued)
			w.holds(0, 2*perNode)
			to := end(w, id)
			w.pass(2 * time.Minute)
			w.in(id, to)
			w.holds(0, 0)
			w.consistent()
		})
	}
}

func TestOfWhatCameShortTheShareOfTheNodesIsSpent(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(10 * perNode)
	w.cloud.ComeShort(1)
	id := w.request(ask(flow.Add, 3))
	w.settle()
	w.holds(0, 3*perNode)
	w.pass(30 * time.Second)
	w.in(id, flow.Running)
	w.holds(0, 3*perNode)
	w.pass(time.Minute)
	w.in(id, flow.Partial)
	w.holds(3*perNode, 0) // the failed node was bought too
}

// What the cloud never made costs nothing.
func TestOfWhatWasNeverMadeNothingIsSpent(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(10 * perNode)
	w.cloud.ComeShort(1)
	w.cloud.NeverMade = true
	id := w.request(ask(flow.Add, 3))
	w.pass(2 * time.Minute)
	w.in(id, flow.Partial)
	w.holds(2*perNode, 0)
}

func TestWhatNobodyKnowsStaysReserved(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(10 * perNode)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 3))
	w.pass(5 * time.Minute)
	w.in(id, flow.Unknown)
	w.holds(0, 3*perNode)
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Failed)
	w.holds(3*perNode, 0) // nobody knows that nothing was bought
}

// An operation that the cloud took, and that nobody can follow, may have bought
// everything: closing it must not free its money.
func TestWhatTheCloudTookIsSpentWhenItIsClosedByHand(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(10 * perNode)
	id := w.request(ask(flow.Add, 3))
	w.settle()
	w.in(id, flow.Running)
	w.cloud.Takes = 24 * time.Hour
	for range 30 {
		w.cloud.Fail("follow", &providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "gone"}})
	}
	w.pass(20 * time.Second)
	w.in(id, flow.Unknown)
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Failed)
	w.holds(3*perNode, 0)
}

func TestAPriceWithinTheToleranceMovesTheReservation(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(1000 * perNode)
	w.cloud.SetPrice(100, true)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.holds(0, 200*perNode)
	w.cloud.SetPrice(104, true)
	w.cloud.SetPhase(providers.Ready)
	w.pass(30 * time.Second)
	w.in(id, flow.Running)
	require.Len(t, w.flow(id).Plans, 1)
	w.holds(0, 208*perNode)
}

// A price that rose within the tolerance takes more than was held, so it is judged
// by all others, also by who came later.
func TestAHigherPriceHasNoClaimToWhatOthersTook(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(400 * perNode)
	w.cloud.SetPrice(100, true)
	w.cloud.SetPhase(providers.Busy)
	first := w.request(ask(flow.Add, 2))
	w.settle()
	other := w.options.Clouds.(flowtest.Clouds)["acc2"].(*flowtest.Cloud)
	other.SetPrice(100, true)
	second := w.request(onWeb(2))
	w.settle()
	w.in(second, flow.Running) // and the budget is taken to the last yuan
	w.cloud.SetPrice(104, true)
	w.cloud.SetPhase(providers.Ready)
	w.pass(30 * time.Second)
	w.in(first, flow.AwaitingApproval)
	require.Len(t, w.flow(first).Plans, 2)
}

func TestAReservationMovesWithTheMonth(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(2 * perNode)
	w.clock.Advance(time.Date(2026, 11, 30, 23, 50, 0, 0, time.UTC).Sub(noon))
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Queued)
	w.holds(0, 2*perNode)
	w.clock.Advance(20 * time.Minute)
	w.cloud.SetPhase(providers.Ready)
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	w.holds(2*perNode, 0)
	november, err := w.store.Book(t.Context(), "budget/data/2026-11")
	require.NoError(t, err)
	require.Empty(t, november.Entries)
	require.Equal(t, "2026-12", (flow.Budgets{Zone: time.FixedZone("", 8*3600)}).Month(time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)))
}

func TestWhatIsToStartNextMonthCountsThere(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(2 * perNode)
	a := ask(flow.Add, 2)
	a.StartAt = time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC)
	w.request(a)
	w.settle()
	w.holds(0, 0)
	december, err := w.store.Book(t.Context(), "budget/data/2026-12")
	require.NoError(t, err)
	require.Len(t, december.Entries, 1)
}

func TestAmountsOfUnknownPricesAreInNoSumAndShown(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(100 * perNode)
	w.cloud.SetPrice(1, false)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.AwaitingApproval)
	w.vote(id, 1, "white_check_mark", finance)
	w.pass(time.Minute)
	all, err := w.desk.Spendings(t.Context(), "data")
	require.NoError(t, err)
	require.Equal(t, 1, all[0].Unpriced)
	require.Equal(t, id, all[0].Top[0].Flow)
	w.holds(0, 0)
}

func TestARuleThatComparesAnUnknownBudgetRefuses(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Rules = []approvals.Rule{{Name: "bare", When: `budget.left < change.cost`, Require: map[string]int{"finops": 1}}}
	})
	id := w.request(ask(flow.Add, 1)) // no budget at all
	w.settle()
	w.in(id, flow.Refused)
	require.Equal(t, flow.NoteRuleBroken, w.flow(id).End.Code)
}

func TestARemovalTakesNothingOfTheBudget(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(0)
	id := w.request(ask(flow.Remove, 1))
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	w.holds(0, 0)
}

func TestAReplayJudgesByTheBudgetOfThen(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(2 * perNode)
	small, big := w.request(ask(flow.Add, 1)), w.request(onWeb(3))
	w.settle()
	flows := []flow.Flow{w.flow(small), w.flow(big)}
	same := flow.Replay(w.options.Policy, flows)
	require.Equal(t, 2, same.Same)
	stricter := w.options.Approvals
	stricter.Rules = []approvals.Rule{{Name: "half", When: `!budget.known || budget.left < change.cost * 4.0`, Require: map[string]int{"finops": 1}}}
	policy, problems := approvals.Compile(stricter)
	require.Empty(t, problems)
	moved := flow.Replay(policy, flows)
	require.Len(t, moved.Moved, 1)
	require.Equal(t, small, moved.Moved[0].Flow.ID)
}

func TestWhoAsksForABudgetThatIsNot(t *testing.T) {
	w := newWorld(t)
	_, err := w.desk.Spendings(t.Context(), "")
	rejected(t, err, flow.RejectNoBudgets)
	w.withBudget(1)
	_, err = w.desk.Spendings(t.Context(), "dta")
	require.Equal(t, "ads, data", rejected(t, err, flow.RejectCentre).Args["meant"])
	all, err := w.desk.Spendings(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, all, 2)
}

// Nodes that were made and are no use were paid for: an operation that failed over
// them frees nothing.
func TestNodesThatAreNoUseAreSpent(t *testing.T) {
	w := newWorld(t, within)
	w.withBudget(10 * perNode)
	w.cloud.ComeShort(2)
	id := w.request(ask(flow.Add, 2))
	w.pass(2 * time.Minute)
	require.Len(t, w.flow(id).Progress.Failed, 2)
	require.Empty(t, w.flow(id).Progress.Changed)
	w.holds(2*perNode, 0)
}
