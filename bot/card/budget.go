package card

import (
	"strings"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// budgetLine says what a plan finds in the budget of its cost centre, and what it
// takes of it.
func budgetLine(lang string, b *approvals.Budget, p approvals.Plan) line {
	if b == nil || p.Change.Delta <= 0 {
		return nil
	}
	a := args{"centre": named(b.Centre), "month": say(b.Month), "monthly": say(money(b.Monthly, b.Currency)), "left": say(money(b.Left(), b.Currency))}
	s := wBudget
	if b.Left().IsNegative() {
		s, a["left"] = wBudgetOver, say(money(b.Left().Neg(), b.Currency))
	}
	takes := say(word(lang, wTakesUnknown))
	if amount, known := b.Takes(p); known {
		takes = wTakes.fill(lang, args{"sum": say(money(amount, b.Currency))})
	}
	return join(word(lang, wClause), s.fill(lang, a), takes)
}

// ofPlan is the budget that the flow's last plan was judged by.
func ofPlan(f flow.Flow) *approvals.Budget {
	if len(f.Plans) == 0 || f.Plans[len(f.Plans)-1].Facts == nil {
		return nil
	}
	return f.Plans[len(f.Plans)-1].Facts.Budget
}

// chartWidth is that of a chart in characters: it fits a phone.
const chartWidth = 24

// chart draws spent, reserved and left. Slack has no chart block, and these blocks
// are as wide as each other in its code font. What is not nothing is at least one
// wide; over the budget there is no left.
func chart(spent, reserved, monthly decimal.Decimal) string {
	whole := decimal.Max(monthly, spent.Add(reserved))
	if !whole.IsPositive() {
		return strings.Repeat("░", chartWidth)
	}
	wide := func(d decimal.Decimal) int {
		n := int(d.Mul(decimal.NewFromInt(chartWidth)).Div(whole).Round(0).IntPart())
		if n == 0 && d.IsPositive() {
			return 1
		}
		return n
	}
	a := min(wide(spent), chartWidth)
	b := min(wide(reserved), chartWidth-a)
	c := chartWidth - a - b
	if c == 0 && monthly.Sub(spent).Sub(reserved).IsPositive() { // something is left: the last one shows it
		if c = 1; b > 1 {
			b--
		} else {
			a--
		}
	}
	return strings.Repeat("█", a) + strings.Repeat("▓", b) + strings.Repeat("░", c)
}

// Budgets is the month of cost centres as a chart, privately.
func (r *Renderer) Budgets(all []flow.Spending, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	var text []line
	for i, s := range all {
		if i == 0 {
			p.header(wBudgets.fill(lang, args{"month": say(s.Month)}))
			p.context(wBudgetKey.fill(lang, nil))
		}
		sums := args{
			"centre": named(s.Centre), "spent": say(money(s.Spent, s.Currency)), "reserved": say(money(s.Reserved, s.Currency)),
			"monthly": say(money(s.Monthly, s.Currency)), "left": say(money(s.Left(), s.Currency)),
		}
		state := wBudgetSums
		if s.Left().IsNegative() {
			state, sums["left"] = wBudgetSumsOver, say(money(s.Left().Neg(), s.Currency))
		}
		said := state.fill(lang, sums)
		p.lines(named(s.Centre).inBold(), line{{kind: ours, text: chart(s.Spent, s.Reserved, s.Monthly), code: true}}, said)
		if s.Unpriced > 0 {
			p.context(wUnpriced.fill(lang, args{"n": number(s.Unpriced)}))
		}
		top := s.Top
		if len(all) > 1 {
			top = top[:min(len(top), 3)]
		}
		lines := entryLines(lang, top)
		if hidden := len(s.Top) - len(top) + s.More; hidden > 0 && len(lines) > 0 {
			lines = append(lines, wAndMore.fill(lang, args{"n": number(hidden)}))
		}
		p.list(nil, lines)
		text = append(text, join(word(lang, wColon), named(s.Centre), said))
	}
	return p.message(join(" · ", text...))
}

func entryLines(lang string, es []flow.Entry) []line {
	ls := make([]line, 0, len(es))
	for _, e := range es {
		state := wEntryReserved
		if e.Used {
			state = wEntrySpent
		}
		sum := say(word(lang, wEntryUnknown))
		if e.Priced {
			sum = say(money(e.Amount, e.Currency))
		}
		ls = append(ls, wEntry.fill(lang, args{
			"id": say(e.Flow), "what": named(e.Cluster + " " + e.Group + " " + signed(e.Nodes)), "sum": sum,
			"state": say(word(lang, state)), "by": mention(e.User),
		}))
	}
	return ls
}

// budgetNote tells that others took of the budget while people voted. who is empty
// where the note is only looked at: a look must not ping anybody again.
func budgetNote(lang string, n flow.Note, who line) line {
	a := args{"centre": named(n.Args["centre"]), "groups": names(lang, strings.Split(n.Args["groups"], ",")), "who": who, "at": argument(lang, "at", n.Args["at"])}
	if left, err := decimal.NewFromString(n.Args["left"]); err == nil {
		a["left"] = say(money(left, n.Args["currency"]))
	}
	return notes[flow.NoteBudgetMoved].fill(lang, a)
}
