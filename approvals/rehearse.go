package approvals

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// Place is a node group of config that requests can be made for.
type Place struct {
	Cluster, Group string
	Kind, Account  string
	Labels         map[string]string
	Charge         providers.Charge // of new nodes when the command doesn't say
	Min            int
	Max, MaxStep   *int // nil = no limit
}

// Idle is a rule that matched none of the plausible requests.
type Idle struct {
	Rule  string
	Tried int // how many requests
}

// maxTried bounds the requests that one rule is tried over: about two seconds. A
// rule that reads so much is not judged.
const maxTried = 2_000_000

// Idle tries every rule over all plausible requests: each place, by somebody in
// each one of the approver groups, in all and in none, paid for in each way, of
// sizes within the limits of config, at a ladder of prices, over the hours of a
// week and the days of a year. The numbers and words that the rule itself compares
// with are among them, just below and above. Only what a rule reads is varied. A
// rule that reads something else than this makes up is left out.
func (p *Policy) Idle(places []Place) []Idle {
	var idle []Idle
	if p == nil {
		return nil
	}
	for _, r := range p.rules {
		s := p.stage(r, places)
		if s == nil {
			continue
		}
		if matched, tried := s.play(r.holds); !matched && tried > 0 {
			idle = append(idle, Idle{Rule: r.Name, Tried: tried})
		}
	}
	return idle
}

// MayMatch reports whether a rule matches some plausible request for one of the
// places; true where that can't be tried.
func (p *Policy) MayMatch(rule string, places ...Place) bool {
	for _, r := range p.rules {
		if r.Name != rule {
			continue
		}
		s := p.stage(r, places)
		if s == nil {
			return true
		}
		matched, _ := s.play(r.holds)
		return matched
	}
	return false
}

// stage is what the requests that a rule is tried over are made of.
type stage struct {
	places    []Place
	sizes     []int // deltas
	counts    []int // nodes in the group before
	charges   []providers.Change
	prices    []providers.Quote
	people    []Requester
	status    []string
	times     []time.Time
	temporary []bool
	budgets   []*Budget
}

// rehearsed are the fields that a stage knows how to vary.
var rehearsed = map[string]string{
	"change.cluster": "", "change.group": "", "change.provider": "", "change.account": "", "cluster.name": "", "cluster.labels": "",
	"change.delta": "size", "change.target": "size", "cluster.nodes": "size",
	"change.charge": "charge", "change.months": "charge", "change.renew": "charge",
	"budget.known": "budget", "budget.left": "budget", "budget.spent": "budget", "budget.reserved": "budget", "budget.monthly": "budget",
	"change.cost": "price",
	"quote.known": "price", "quote.currency": "price", "quote.hourly": "price", "quote.monthly": "price", "quote.committed": "price",
	"requester.id": "people", "requester.groups": "people",
	"cluster.status": "status", "now": "time", "change.temporary": "temporary",
}

// stage is nil when the rule can't be tried fairly.
func (p *Policy) stage(r rule, places []Place) *stage {
	reads := map[string]bool{}
	for _, x := range r.reads {
		dimension, known := rehearsed[x.field]
		if !known {
			return nil
		}
		reads[dimension] = true
	}
	numbers, words := literalsOf(r.ast)
	s := &stage{
		places: places, sizes: []int{1, -1}, counts: []int{3}, status: []string{"running"}, temporary: []bool{false}, budgets: []*Budget{nil},
		charges: []providers.Change{{}}, prices: []providers.Quote{quoteOf("CNY", 100)},
		people: []Requester{{ID: "U0SOMEBODY"}}, times: []time.Time{rehearsal},
	}
	if reads["size"] {
		s.sizes, s.counts = []int{}, []int{0, 1, 3, 10, 100}
		for _, n := range append([]float64{1, 2, 5, 10, 20, 50, 100}, numbers...) {
			for _, d := range []int{int(n) - 1, int(n), int(n) + 1} {
				s.sizes = append(s.sizes, d, -d)
				s.counts = append(s.counts, d)
			}
		}
	}
	if reads["budget"] { // what a change takes of it turns on its price
		s.budgets, reads["price"] = budgetsOf(numbers), true
	}
	if reads["charge"] || reads["price"] { // what is committed turns on how it is paid
		s.charges = []providers.Change{{}, {Charge: providers.Postpaid}, {Charge: providers.Spot}}
		terms := []int{1, 3, 12, 36}
		for _, n := range numbers {
			terms = append(terms, int(n)-1, int(n), int(n)+1)
		}
		for _, m := range distinctIn(terms, 1, 120) {
			s.charges = append(s.charges, providers.Change{Charge: providers.Prepaid, Months: m}, providers.Change{Charge: providers.Prepaid, Months: m, Renew: true})
		}
	}
	if reads["price"] {
		s.prices = pricesOf(numbers, words)
	}
	if reads["people"] {
		s.people = peopleOf(sortedKeys(p.groups), words)
	}
	if reads["status"] {
		s.status = append(s.status, words...)
	}
	if reads["temporary"] {
		s.temporary = []bool{false, true}
	}
	if reads["time"] {
		s.times = timesOf(words)
	}
	s.sizes, s.counts = distinctIn(s.sizes, -1_000_000, 1_000_000), distinctIn(s.counts, 0, 1_000_000)
	if len(s.places)*len(s.sizes)*len(s.counts)*len(s.charges)*len(s.prices)*len(s.people)*len(s.status)*len(s.times)*len(s.temporary)*len(s.budgets) > maxTried {
		return nil
	}
	return s
}

// play tries a condition over every request of the stage until one matches.
func (s *stage) play(holds cel.Program) (matched bool, tried int) {
	for _, place := range s.places {
		for _, delta := range s.sizes {
			for _, count := range s.counts {
				if !place.takes(delta, count) {
					continue
				}
				for _, charge := range s.charges {
					if delta < 0 && charge.Charge != "" {
						continue // how new nodes are paid for is no part of a removal
					}
					m, n := s.act(holds, place, delta, count, charge)
					if tried += n; m {
						return true, tried
					}
				}
			}
		}
	}
	return false, tried
}

func (s *stage) act(holds cel.Program, place Place, delta, count int, paid providers.Change) (matched bool, tried int) {
	c := providers.Change{
		Kind: place.Kind, Account: place.Account, Cluster: place.Cluster, Group: place.Group, Delta: delta,
		Charge: paid.Charge, Months: paid.Months, Renew: paid.Renew,
	}
	if c.Charge == "" && delta > 0 {
		c.Charge = place.Charge
	}
	for _, quote := range s.prices {
		switch {
		case delta < 0:
			quote = providers.Quote{Known: true}
		case c.Charge == providers.Prepaid:
			quote.Committed, quote.Hourly = quote.Monthly.Mul(decimal.NewFromInt(int64(max(c.Months, 1)))), decimal.Zero
		}
		for _, who := range s.people {
			for _, status := range s.status {
				for _, at := range s.times {
					for _, temporary := range s.temporary {
						for _, budget := range s.budgets {
							tried++
							ok, err := evaluate(holds, newWorld(Facts{
								Plan:      Plan{Change: c, Base: count, Target: count + delta, Status: status, Nodes: count, Quote: quote},
								Temporary: temporary, Labels: place.Labels, Requester: who, Budget: budget, Now: at,
							}))
							if ok || err != nil { // one that breaks refuses: it does not sit idle
								return true, tried
							}
						}
					}
				}
			}
		}
	}
	return false, tried
}

// takes reports whether config lets a request of that size through.
func (p Place) takes(delta, count int) bool {
	to := count + delta
	switch {
	case delta == 0, to < 0, p.MaxStep != nil && max(delta, -delta) > *p.MaxStep:
		return false
	case delta < 0:
		return to >= p.Min
	}
	return p.Max == nil || to <= *p.Max
}

// rehearsal is a Monday, ten o'clock.
var rehearsal = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

func timesOf(words []string) []time.Time {
	var times []time.Time
	for h := range 7 * 24 {
		times = append(times, rehearsal.Add(time.Duration(h)*time.Hour))
	}
	for d := range 366 {
		times = append(times, rehearsal.AddDate(0, 0, d))
	}
	for _, w := range words {
		if at, err := time.Parse(time.RFC3339, w); err == nil {
			times = append(times, at.Add(-time.Hour), at, at.Add(time.Hour))
		}
	}
	return times
}

func quoteOf(currency string, monthly float64) providers.Quote {
	m := decimal.NewFromFloat(monthly)
	return providers.Quote{Known: true, Currency: currency, Monthly: m, Hourly: m.Div(decimal.NewFromInt(730))}
}

// pricesOf is a ladder of prices per month, and around every number of the rule,
// also where that is meant per hour or for a term.
func pricesOf(numbers []float64, words []string) []providers.Quote {
	ladder := []float64{0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000}
	for _, n := range numbers {
		ladder = append(ladder, n, n*0.99, n*1.01+0.01, n*730*0.99, n*730*1.01, n/12)
	}
	prices := []providers.Quote{{}}
	for _, currency := range append([]string{"CNY", "USD"}, words...) {
		if len(currency) != 3 {
			continue
		}
		for _, m := range ladder {
			if m >= 0 {
				prices = append(prices, quoteOf(currency, m))
			}
		}
	}
	return prices
}

// budgetsOf are no budget, and some around every number of the rule: untouched,
// half spent, all reserved, and overdrawn.
func budgetsOf(numbers []float64) []*Budget {
	budgets := []*Budget{nil}
	for _, n := range append([]float64{100, 1_000_000}, numbers...) {
		m := decimal.NewFromFloat(max(n, 0))
		for _, b := range []Budget{
			{Monthly: m}, {Monthly: m.Mul(decimal.NewFromInt(2)), Spent: m}, {Monthly: m, Reserved: m},
			{Monthly: m, Spent: m, Reserved: decimal.NewFromInt(1)}, {Monthly: m.Add(decimal.NewFromInt(1))},
		} {
			b.Currency = "CNY"
			budgets = append(budgets, &b)
		}
	}
	return budgets
}

func peopleOf(groups, words []string) []Requester {
	sets := [][]string{nil, groups}
	for _, g := range groups {
		sets = append(sets, []string{g})
	}
	var people []Requester
	for _, id := range append([]string{"U0SOMEBODY"}, words...) {
		for _, in := range sets {
			people = append(people, Requester{ID: id, Groups: in})
		}
	}
	return people
}

func distinctIn(ns []int, least, most int) []int {
	ns = slices.DeleteFunc(slices.Clone(ns), func(n int) bool { return n < least || n > most })
	slices.Sort(ns)
	return slices.Compact(ns)
}

// literalsOf are the numbers and words of a condition. A negative number is a call
// of minus, so its size is what counts.
func literalsOf(checked *cel.Ast) (numbers []float64, words []string) {
	if checked == nil {
		return nil, nil
	}
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind {
			return
		}
		switch v := e.AsLiteral().(type) {
		case types.Int:
			numbers = append(numbers, float64(v))
		case types.Uint:
			numbers = append(numbers, float64(v))
		case types.Double:
			numbers = append(numbers, float64(v))
		case types.String:
			words = append(words, string(v))
		}
	}))
	return numbers, words
}

// Shortfall is what a rule asks and people who may ask for a change can't get
// filled: their own vote does not count, one person fills one seat, and too few
// others are left.
type Shortfall struct {
	Rule    string
	Asks    []Requirement // one group that is too small, or all of the rule where only together they are
	Cluster string
	Who     []string // Slack user ids of those who could never get it; nil = nobody who may ask could
}

// String is one sentence for an operator.
func (s Shortfall) String() string {
	asks := make([]string, len(s.Asks))
	for i, q := range s.Asks {
		if asks[i] = Asks(s.Asks[i : i+1]); q.Escalate != nil {
			asks[i] += " (or, in time, of " + q.Escalate.To + ")"
		}
	}
	what := "rule " + s.Rule + " asks for " + strings.Join(asks, " and ")
	because := "because a requester's own vote does not count and too few others are left"
	if len(asks) > 1 {
		because = "because one person fills one seat, a requester's own vote does not count and too few others are left"
	}
	if s.Who == nil {
		return what + ": nobody who may change " + s.Cluster + " can ever get that, " + because
	}
	return what + ": a request for " + s.Cluster + " by " + strings.Join(s.Who, ", ") + " can never get that, " + strings.Replace(because, "a requester's", "their", 1)
}

// Shortfalls looks for what can't be filled, rule by rule, on one cluster: each
// group that a rule asks alone, and then all of them together, since a person in
// two groups fills one seat. requesters are who may ask; nil = everyone. members are
// those of the approver groups; a seat that is open to a group that is missing is
// passed over.
func (p *Policy) Shortfalls(cluster string, places []Place, requesters []string, members map[string][]string) []Shortfall {
	var found []Shortfall
	if p == nil {
		return nil
	}
	for _, r := range p.rules {
		asked := map[string]*Requirement{}
		merge(asked, r.Rule)
		var known []Requirement
		for _, group := range sortedKeys(asked) {
			q := *asked[group]
			_, first := members[q.Group]
			second := q.Escalate == nil
			if !second {
				_, second = members[q.Escalate.To]
			}
			if first && second {
				known = append(known, q)
			}
		}
		whole := p.stuck(known, requesters, members)
		if len(whole.who) == 0 && !whole.all || !p.MayMatch(r.Name, places...) {
			continue
		}
		told := stuck{}
		for _, q := range known {
			one := p.stuck([]Requirement{q}, requesters, members)
			told.who, told.all = append(told.who, one.who...), told.all || one.all
			found = append(found, one.shortfalls(r.Name, []Requirement{q}, cluster)...)
		}
		if !told.all {
			whole.who = slices.DeleteFunc(whole.who, func(id string) bool { return slices.Contains(told.who, id) })
			found = append(found, whole.shortfalls(r.Name, known, cluster)...)
		}
	}
	return found
}

// stuck are the requesters who can't get all seats filled; all = that is everybody.
type stuck struct {
	who []string
	all bool
}

func (s stuck) shortfalls(rule string, asks []Requirement, cluster string) []Shortfall {
	switch {
	case s.all:
		return []Shortfall{{Rule: rule, Asks: asks, Cluster: cluster}}
	case len(s.who) > 0:
		return []Shortfall{{Rule: rule, Asks: asks, Cluster: cluster, Who: s.who}}
	}
	return nil
}

func (p *Policy) stuck(reqs []Requirement, requesters []string, members map[string][]string) stuck {
	sits := make([][]string, 0, len(reqs)) // of each seat, who may sit there in the end
	everyone := requesters == nil
	for _, q := range reqs {
		may := members[q.Group]
		if q.Escalate != nil {
			may = slices.Concat(may, members[q.Escalate.To])
		}
		for range q.N {
			sits = append(sits, may)
		}
		if everyone { // anybody else sees all of them
			requesters = append(requesters, may...)
		}
	}
	requesters = slices.Compact(slices.Sorted(slices.Values(requesters)))
	var s stuck
	for _, id := range requesters {
		without := id
		if p.self {
			without = ""
		}
		if !fillable(sits, without) {
			s.who = append(s.who, id)
		}
	}
	s.all = len(s.who) > 0 && len(s.who) == len(requesters)
	if everyone {
		s.all = !fillable(sits, "")
	}
	return s
}

// fillable reports whether each seat can have a person of its own, without one of
// them: by augmenting paths, as votes are seated.
func fillable(sits [][]string, without string) bool {
	holds := map[string]int{} // by person: which seat, from 1
	var take func(seat int, tried map[string]bool) bool
	take = func(seat int, tried map[string]bool) bool {
		for _, id := range sits[seat] {
			if id == without || tried[id] {
				continue
			}
			tried[id] = true
			if holds[id] == 0 || take(holds[id]-1, tried) {
				holds[id] = seat + 1
				return true
			}
		}
		return false
	}
	for seat := range sits {
		if !take(seat, map[string]bool{}) {
			return false
		}
	}
	return true
}
