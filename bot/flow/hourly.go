package flow

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
	"scalebot/providers"
)

// compareTime bounds the extra inquiry for the hourly price: it only informs, and
// people wait for the card.
const compareTime = 8 * time.Second

// compare asks what the same nodes would cost by the hour, so that people can see
// from when on a term pays. It is no part of the plan and holds nothing up: a
// price that can't be told is kept as unknown. The only error is the loss of the
// lease.
func (o *Options) compare(ctx context.Context, call caller, made *observed) error {
	c := made.planned.Plan.Change
	if !c.Adds() || c.Charge != providers.Prepaid {
		return nil
	}
	c.Charge, c.Months, c.Renew = providers.Postpaid, 0, false
	var q providers.Quote
	err := call(ctx, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, compareTime)
		defer cancel()
		q, err = made.provider.Quote(ctx, c, made.snapshot)
		return err
	})
	switch {
	case errors.Is(err, ErrLeaseLost):
		return err
	case err != nil:
		o.Logger.Info("the hourly price beside a prepaid one can't be told", "cluster", c.Cluster, "group", c.Group, "error", err)
		q = providers.Quote{Reason: providers.AdviceOf(err), At: o.Clock.Now()}
	}
	made.planned.Hourly = &q
	return nil
}

// BreakEven compares a prepaid price with the hourly one of the same nodes.
type BreakEven struct {
	Days  int             // prepaid is cheaper from so many days of need on
	Never bool            // not within its term: by the hour it costs less to the end
	Need  decimal.Decimal // what the stated need costs by the hour; zero = none was stated
	Short bool            // the term ends before the need does
}

// Breaks compares the prices of a prepaid plan; false when one of them is not
// known, or they are in two currencies. need is zero where none was stated.
func Breaks(p approvals.Plan, hourly *providers.Quote, at time.Time, need time.Duration) (BreakEven, bool) {
	q := p.Quote
	if hourly == nil || !q.Known || !hourly.Known || q.Currency != hourly.Currency || !q.Committed.IsPositive() || !hourly.Hourly.IsPositive() {
		return BreakEven{}, false
	}
	term := TermEnd(at, p.Change.Months).Sub(at)
	day := hourly.Hourly.Mul(decimal.NewFromInt(24))
	// At exactly so many days both cost the same: the next one decides.
	days := q.Committed.Div(day).Floor().IntPart() + 1
	b := BreakEven{Days: int(days), Short: need > term}
	b.Never = q.Committed.GreaterThanOrEqual(hoursOf(term).Mul(hourly.Hourly))
	b.Need = hoursOf(need).Mul(hourly.Hourly).Round(2)
	return b, true
}

func hoursOf(d time.Duration) decimal.Decimal {
	return decimal.NewFromInt(int64(d / time.Minute)).Div(decimal.NewFromInt(60))
}
