package approvals

import (
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"cel.dev/cel-go/common/types"
)

// Budget is what the ledger of a cost centre said at one moment, for one plan: the
// plan's own flow is not in Spent and Reserved. All amounts are of one calendar
// month and in Currency.
type Budget struct {
	Centre   string          `json:"centre"`
	Month    string          `json:"month"` // 2026-11, in the zone of config
	Currency string          `json:"currency"`
	Monthly  decimal.Decimal `json:"monthly"`  // of config
	Spent    decimal.Decimal `json:"spent"`    // by changes that ended with nodes
	Reserved decimal.Decimal `json:"reserved"` // by changes that are approved and have not ended
	// Unpriced is how many changes of the month are in no sum, because their price is
	// unknown or in another currency.
	Unpriced int `json:"unpriced,omitempty"`
	// Version is that of the ledger: a reservation that was judged by another one is
	// judged again.
	Version int64 `json:"version"`
}

// Left is what is neither spent nor reserved; below zero where people approved
// more than the budget.
func (b Budget) Left() decimal.Decimal { return b.Monthly.Sub(b.Spent).Sub(b.Reserved) }

// Cost is what a change takes of a budget, in the currency of its quote: the whole
// term of what is prepaid, otherwise one full month, since nodes that are paid by
// the hour stay until somebody removes them. It is never the rest of the month: a
// change on the 30th would cost next to nothing. A removal costs nothing. ok is
// false while the price is unknown.
func (p Plan) Cost() (amount decimal.Decimal, currency string, ok bool) {
	q := p.Quote
	switch {
	case p.Change.Delta <= 0:
		return decimal.Zero, q.Currency, true
	case !q.Known:
		return decimal.Zero, "", false
	}
	return decimal.Max(q.Committed, q.Monthly), q.Currency, true
}

// Takes is what a plan takes of the budget; false where that can't be told: the
// price is unknown, or in another currency, and amounts of two currencies are
// never added up.
func (b *Budget) Takes(p Plan) (decimal.Decimal, bool) {
	amount, currency, ok := p.Cost()
	if b == nil || !ok || (currency != b.Currency && !amount.IsZero()) {
		return decimal.Zero, false
	}
	return amount, true
}

// known is budget.known of a rule: there is a budget, and it is known what the
// change takes of it. Both must be, or a comparison of the two would say yes to
// what nobody could prove.
func (w *world) budgetKnown() bool {
	_, ok := w.Budget.Takes(w.Plan)
	return ok
}

var errNoCost = errors.New("what the change costs is unknown, so change.cost can't be compared: add `|| !quote.known` or `quote.known &&`")

// costField is change.cost.
func costField() field {
	return field{typ: types.DoubleType, get: func(w *world) (any, error) {
		amount, _, ok := w.Plan.Cost()
		if !ok {
			return nil, errNoCost
		}
		return types.Double(amount.InexactFloat64()), nil
	}}
}

// ofBudget is an amount of the budget. Like amount it can't be read where it is
// unknown: a missing budget would read as nothing left, or as nothing spent.
func ofBudget(name string, get func(*Budget) decimal.Decimal) field {
	return field{typ: types.DoubleType, get: func(w *world) (any, error) {
		if !w.budgetKnown() {
			return nil, fmt.Errorf("the budget of this change is unknown, so budget.%s can't be compared: add `|| !budget.known` or `budget.known &&`", name)
		}
		return types.Double(get(w.Budget).InexactFloat64()), nil
	}}
}

// ReadsBudget reports whether the outcome of Judge may turn on Facts.Budget, so
// that a reservation has to be judged by the ledger as it is then.
func (p *Policy) ReadsBudget() bool {
	if p == nil {
		return false
	}
	reads := func(c condition) bool {
		for _, r := range c.reads {
			if r.ofBudget() {
				return true
			}
		}
		return false
	}
	for _, r := range p.rules {
		if reads(r.condition) {
			return true
		}
	}
	for _, f := range p.freezes {
		if reads(f.condition) {
			return true
		}
	}
	return false
}
