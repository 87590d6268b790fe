package flow

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
)

// Budgets is what config says of money. The zero value has none.
type Budgets struct {
	Label   string            // of clusters: its value names the cost centre
	Zone    *time.Location    // whose calendar months count; nil = UTC
	Centres map[string]Centre // by name
}

// Centre is the budget of one cost centre, for each calendar month.
type Centre struct {
	Monthly  decimal.Decimal
	Currency string // ISO 4217
}

// Names are the cost centres in order.
func (b Budgets) Names() []string { return slices.Sorted(maps.Keys(b.Centres)) }

// Month is the calendar month that a time counts in, such as 2026-11.
func (b Budgets) Month(at time.Time) string {
	zone := b.Zone
	if zone == nil {
		zone = time.UTC
	}
	return at.In(zone).Format("2006-01")
}

// of finds the cost centre of a cluster.
func (b Budgets) of(c Cluster) (name string, centre Centre, ok bool) {
	name = c.Labels[b.Label]
	centre, ok = b.Centres[name]
	return name, centre, ok && b.Label != ""
}

const budgetBooks = "budget"

func budgetBook(centre, month string) string { return budgetBooks + "/" + centre + "/" + month }

// bookKind is the part of a book's name before the first slash.
func bookKind(book string) string {
	kind, _, _ := strings.Cut(book, "/")
	return kind
}

// budget reads what the ledger says of the cost centre of a plan; nil where the
// cluster has none. self is the flow that asks, nil for a dry run: what it holds
// already is not counted against it. The month is the one in which the change is
// to start.
func (o *Options) budget(ctx context.Context, self *Flow, r Request, plan approvals.Plan) (*approvals.Budget, error) {
	name, centre, ok := o.Budgets.of(o.Catalog[plan.Change.Cluster])
	if !ok {
		return nil, nil
	}
	at := o.Clock.Now()
	if r.StartAt.After(at) {
		at = r.StartAt
	}
	b := &approvals.Budget{Centre: name, Month: o.Budgets.Month(at), Currency: centre.Currency, Monthly: centre.Monthly}
	book, err := o.Store.Book(ctx, budgetBook(name, b.Month))
	if err != nil {
		return nil, err
	}
	b.Version = book.Version
	counted := book.Entries
	if self != nil {
		takes, known := b.Takes(plan)
		counted = book.before(self.ID, func(own Entry) bool {
			return known && own.Priced && own.Currency == b.Currency && !takes.GreaterThan(own.Amount)
		})
	}
	b.Spent, b.Reserved, b.Unpriced = sums(counted, b.Currency)
	return b, nil
}

// reserve books what a plan takes of the budget that it was judged by.
func (t *turn) reserve(plan approvals.Plan, b *approvals.Budget) {
	if b == nil || plan.Change.Delta <= 0 { // a removal takes nothing
		t.book(budgetBooks, nil, nil, false)
		return
	}
	book, seen := budgetBook(b.Centre, b.Month), map[string]int64{}
	if t.Policy.ReadsBudget() {
		seen[book] = b.Version
	}
	t.book(budgetBooks, []Booking{bookingOf(book, plan)}, seen, false)
}

// afford reads the budget once more now that a ballot is approved and reserves
// what the plan takes. Others may have taken the rest since people were asked: if
// the rules now ask for somebody else, they are asked on the same card, the votes
// that are there stand, and ok is false.
func (t *turn) afford(ctx context.Context, plan approvals.Plan) (ok bool, err error) {
	b, err := t.budget(ctx, &t.f, t.f.Request, plan)
	if err != nil {
		return false, err
	}
	last := &t.f.Plans[len(t.f.Plans)-1]
	if t.Policy.ReadsBudget() {
		facts := last.facts(t.f.Request)
		facts.Budget = b
		j := t.Policy.Judge(facts)
		if j.Refusal != nil {
			return false, t.void(ctx, []approvals.Difference{{What: approvals.BudgetMoved}})
		}
		if !covers(t.f.Requirements, j.Requirements) {
			kept := Facts{}
			if last.Facts != nil {
				kept = *last.Facts
			}
			kept.Budget = b
			now := t.Clock.Now()
			further := slices.DeleteFunc(slices.Clone(j.Requirements), func(q approvals.Requirement) bool {
				return covers(t.f.Requirements, []approvals.Requirement{q})
			})
			last.Judgement, last.Facts, t.f.Requirements = j, &kept, t.since(now, j.Requirements)
			// Whoever is asked only now has as long as those who were asked before had.
			t.f.FurtherAt, t.f.ExpiresAt, t.f.Reminded = now, now.Add(t.Approvals.ExpireAfter), 0
			said := map[string]string{"groups": strings.Join(groupsAsked(further), ","), "at": t.f.ExpiresAt.Format(time.RFC3339)}
			if b != nil {
				said["centre"], said["left"], said["currency"] = b.Centre, b.Left().String(), b.Currency
			}
			t.tell(Note{Code: NoteBudgetMoved, Args: said})
			return false, t.save(ctx, "budget_moved", now, map[string]any{
				"plan": plan.Hash, "budget": b, "outcomes": j.Outcomes, "requirements": j.Requirements,
			})
		}
	}
	t.reserve(plan, b)
	return true, nil
}

// since are the requirements for people who are asked from now on: the second group
// of one that was not asked before comes in so much later, or both would be asked at
// once.
func (t *turn) since(now time.Time, reqs []approvals.Requirement) []approvals.Requirement {
	reqs = slices.Clone(reqs)
	for i, q := range reqs {
		if q.Escalate == nil {
			continue
		}
		if was := slices.IndexFunc(t.f.Requirements, func(a approvals.Requirement) bool { return a.Group == q.Group }); was >= 0 {
			// One that was asked later than the others goes on counting from then.
			if e := t.f.Requirements[was].Escalate; e != nil && e.To == q.Escalate.To && e.After > q.Escalate.After {
				reqs[i].Escalate = e
			}
			continue
		}
		reqs[i].Escalate = &approvals.Escalation{To: q.Escalate.To, After: q.Escalate.After + now.Sub(t.f.opened())}
	}
	return reqs
}

// covers reports whether who was asked is enough for who is to be asked.
func covers(asked, now []approvals.Requirement) bool {
	return !slices.ContainsFunc(now, func(q approvals.Requirement) bool {
		return !slices.ContainsFunc(asked, func(a approvals.Requirement) bool {
			return a.Group == q.Group && a.N >= q.N && noSooner(a.Escalate, q.Escalate)
		})
	})
}

// noSooner reports whether an escalation is to the same group and comes no sooner:
// see since.
func noSooner(asked, now *approvals.Escalation) bool {
	if asked == nil || now == nil {
		return asked == now
	}
	return asked.To == now.To && asked.After >= now.After
}

// Spending is the month of one cost centre, to be shown.
type Spending struct {
	approvals.Budget
	Top  []Entry // the largest that are reserved or spent, largest first
	More int     // how many are not in Top
}

// spendingTop is how many entries of a cost centre are shown.
const spendingTop = 8

// Spendings reads the ledger of this month; see FrontDesk.
func (d *Desk) Spendings(ctx context.Context, centre string) ([]Spending, error) {
	names := d.Budgets.Names()
	if len(names) == 0 {
		return nil, &Rejection{Code: RejectNoBudgets}
	}
	if centre != "" {
		if !slices.Contains(names, centre) {
			return nil, &Rejection{Code: RejectCentre, Args: map[string]string{"word": centre, "meant": strings.Join(names, ", ")}}
		}
		names = []string{centre}
	}
	month := d.Budgets.Month(d.Clock.Now())
	out := make([]Spending, 0, len(names))
	for _, name := range names {
		book, err := d.Store.Book(ctx, budgetBook(name, month))
		if err != nil {
			return nil, &Rejection{Code: RejectStore, Err: err}
		}
		c := d.Budgets.Centres[name]
		s := Spending{Budget: approvals.Budget{Centre: name, Month: month, Currency: c.Currency, Monthly: c.Monthly, Version: book.Version}}
		s.Spent, s.Reserved, s.Unpriced = sums(book.Entries, c.Currency)
		slices.SortStableFunc(book.Entries, func(a, b Entry) int {
			return cmp.Or(boolFirst(!a.Priced, !b.Priced), b.Amount.Cmp(a.Amount), cmp.Compare(a.Flow, b.Flow))
		})
		shown := min(len(book.Entries), spendingTop)
		s.Top, s.More = book.Entries[:shown], len(book.Entries)-shown
		out = append(out, s)
	}
	return out, nil
}

// Centres are the cost centres of config; see FrontDesk.
func (d *Desk) Centres() []string { return d.Budgets.Names() }

// boolFirst orders what is true first: a price that nobody knows may be the
// largest.
func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
