package flowsim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// overBudget is the fourth rule of the workspace, where there are budgets: what is
// left of a month is free to take, and for more somebody of finops is asked.
var overBudget = approvals.Rule{Name: "budget", When: `budget.known && change.cost > budget.left`, Require: map[string]int{"finops": 1}}

const centreLabel = "centre"

// centres are the cost centres by cluster; two clusters share one.
var centres = map[string]string{"ack": "data", "emr": "data", "mrs": "ml"}

func (s *sim) labels(cluster string) map[string]string {
	if !s.mood.budgets {
		return nil
	}
	return map[string]string{centreLabel: centres[cluster]}
}

// monthEnds is when a month ends in a run, where one does: amid the requests.
const monthEnds = 9 * time.Minute

// castBudgets gives the cost centres their money.
func (s *sim) castBudgets() {
	if !s.mood.budgets {
		return
	}
	s.budgets = flow.Budgets{Label: centreLabel, Centres: map[string]flow.Centre{}}
	if s.mood.month { // a bubble's time begins at midnight
		s.budgets.Zone = time.FixedZone("late", -int(monthEnds/time.Second))
	}
	for _, name := range []string{"data", "ml"} {
		s.budgets.Centres[name] = flow.Centre{Monthly: decimal.NewFromInt(730 * int64(2+s.more.IntN(10))), Currency: currency}
	}
}

// centreOf is the cost centre of a cluster, "" where there are none.
func (s *sim) centreOf(cluster string) string {
	if !s.mood.budgets {
		return ""
	}
	return centres[cluster]
}

// monthOf is the month that a flow's intent counts in, of the two that a run may
// have; near the end of the first either may be meant, by the clocks.
func (s *sim) monthOf(it *intent) (month string, sure bool) {
	at := it.at
	if start := it.flow.Request.StartAt; start.After(at) {
		at = start
	}
	zone := s.budgets.Zone
	if zone == nil {
		zone = time.UTC
	}
	end := s.t0.Add(monthEnds)
	return at.In(zone).Format("2006-01"), !s.mood.month || max(at.Sub(end), end.Sub(at)) > lease+10*time.Second
}

// heardFinops reports whether somebody of finops let a flow run, or nobody need be
// asked because the glass was broken.
func (s *sim) heardFinops(f flow.Flow, saw seen) bool {
	if f.Request.BreakGlass && f.Request.User == oncall {
		return true
	}
	if saw.card == nil || saw.card.flow() != f.ID || saw.card.plan() != len(f.Plans) {
		return false
	}
	return s.mayRun(f, saw, map[string]int{"finops": 1}) == ""
}

// checkCentre holds together what was sent of a cost centre without finops to the
// money that there is: the one of them that came last was to be judged with all the
// others in the sum.
func (s *sim) checkCentre(centre string) {
	if centre == "" {
		return
	}
	sum, by := map[string]decimal.Decimal{}, map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(s.world.intents)) {
		it := s.world.intents[id]
		month, sure := s.monthOf(it)
		if it.book != centre || !it.unasked {
			continue
		}
		if s.excused(it) || !sure {
			return
		}
		spent := s.spent(it)
		sum[month] = sum[month].Add(spent)
		by[month] = append(by[month], fmt.Sprintf("%s: %s", id, spent))
	}
	for month, all := range sum {
		if most := s.budgets.Centres[centre].Monthly; all.GreaterThan(most) {
			s.blame("budget of %s in %s: %s were spent without finops and there are %s (%s)", centre, month, all, most, strings.Join(by[month], ", "))
		}
	}
}

// months are the two that a run may have.
var months = []string{"1999-12", "2000-01"}

// checkReserved wants what is approved and has not ended to be reserved, once, and
// nothing else, at the moment in which a record is saved.
func (s *sim) checkReserved(f flow.Flow) {
	centre := s.centreOf(f.Request.Wish.Change.Cluster)
	if centre == "" {
		return
	}
	reserved := 0
	for _, month := range months {
		b, err := s.truth.Book(context.Background(), "budget/"+centre+"/"+month)
		if err != nil {
			s.blame("a book can't be read: %v", err)
			return
		}
		for _, e := range b.Entries {
			if e.Flow == f.ID && !e.Used {
				reserved++
			}
		}
	}
	want := 0
	switch f.State {
	case flow.Scheduled, flow.Queued, flow.Submitting, flow.Running, flow.Unknown:
		if plan := f.Plan(); plan != nil && plan.Change.Delta > 0 {
			want = 1
		}
	case flow.Planning, flow.AwaitingApproval, flow.Refused, flow.Denied, flow.Expired, flow.Cancelled, flow.Failed, flow.Partial, flow.Succeeded:
	}
	if reserved != want {
		s.blame("%s is %s and has %d reservations", f.ID, f.State, reserved)
	}
}

// checkBudgets wants each book to say what the flows on record came to.
func (s *sim) checkBudgets(ctx context.Context, flows map[string]flow.Flow) {
	books := map[string]flow.Book{}
	for name := range s.budgets.Centres {
		s.checkCentre(name)
		for _, month := range months {
			books["budget/"+name+"/"+month] = flow.Book{}
		}
	}
	for id := range s.world.mandates {
		books[flow.MandateBook(id)] = flow.Book{}
	}
	type held struct {
		book string
		flow.Entry
	}
	byFlow := map[string][]held{}
	for _, name := range slices.Sorted(maps.Keys(books)) {
		b, err := s.truth.Book(ctx, name)
		if err != nil {
			s.blame("book %s can't be read: %v", name, err)
			return
		}
		for _, e := range b.Entries {
			byFlow[e.Flow] = append(byFlow[e.Flow], held{name, e})
			if _, there := flows[e.Flow]; !there {
				s.blame("book %s has an entry of %s, which is not on record", name, e.Flow)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(flows)) {
		f, it := flows[id], s.world.intents[id]
		want := map[string]bool{}
		nodes, amount, exact := 0, decimal.Zero, true
		if it != nil {
			nodes, amount, exact = s.came(f, it)
		}
		if it != nil && nodes > 0 {
			for _, m := range it.mandates {
				want[flow.MandateBook(m)] = true
			}
			if it.book != "" {
				month, sure := s.monthOf(it)
				exact = exact && sure
				want["budget/"+it.book+"/"+month] = true
			}
		}
		if !exact || it != nil && s.excused(it) {
			continue
		}
		for _, h := range byFlow[id] {
			switch {
			case !want[h.book]:
				s.blame("book %s holds %d nodes of %s (%s), which takes nothing of it", h.book, h.Nodes, id, f.State)
			case !h.Used:
				s.blame("book %s has %d nodes reserved for %s, which ended as %s", h.book, h.Nodes, id, f.State)
			case h.Nodes != nodes, h.Priced != it.priced, h.Priced && h.Amount.Sub(amount).Abs().GreaterThan(decimal.New(1, -2)):
				s.blame("book %s holds %d nodes for %s of %s (%s), and %d were made for %s", h.book, h.Nodes, h.Amount, id, f.State, nodes, amount)
			}
			delete(want, h.book)
		}
		for book := range want {
			if !s.lostMandate(book) {
				s.blame("book %s says nothing of %s, which made %d nodes (%s)", book, id, nodes, f.State)
			}
		}
	}
}

func (s *sim) lostMandate(book string) bool {
	id, is := strings.CutPrefix(book, "mandate/")
	return is && (s.world.mandates[id] == nil || s.world.mandates[id].lost)
}

// came are the nodes that an ended flow made and their price, by what clouds took.
// exact is false where the cloud does not tell a flow's nodes from others', or a
// person said how it ended.
func (s *sim) came(f flow.Flow, it *intent) (nodes int, amount decimal.Decimal, exact bool) {
	delta := it.flow.Submission.Change.Delta
	if delta <= 0 {
		return 0, decimal.Zero, true
	}
	nodes, ended := s.taken(f.ID)
	exact = ended && len(s.world.decided[f.ID]) == 0 && !s.couldBeTakenForIts(f)
	// Of a cloud that names no node nobody can tell how many came, so all count.
	if f.State == flow.Partial && (nodes == 0 || s.cluster(f.Request.Wish.Change.Cluster).style == byState) {
		nodes = delta
	}
	return nodes, it.cost.Mul(decimal.NewFromInt(int64(nodes))).Div(decimal.NewFromInt(int64(delta))), exact
}
