package card

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

func budget(monthly, spent, reserved string) approvals.Budget {
	return approvals.Budget{Centre: "data", Month: "2026-08", Currency: "CNY", Monthly: yuan(monthly), Spent: yuan(spent), Reserved: yuan(reserved)}
}

func judgedBy(f flow.Flow, b approvals.Budget) flow.Flow {
	f.Plans[0].Facts = &flow.Facts{Budget: &b}
	return f
}

func TestBudgetsReadAsPinned(t *testing.T) {
	full := flow.Spending{Budget: budget("20000", "8412", "4906.40"), More: 2, Top: []flow.Entry{
		{Flow: "F-9ZZZ", User: "U0ALICE", Cluster: "emr-m620", Group: "task", Nodes: 3, Currency: "CNY"},
		{Flow: "F-7K3Q", User: "U0ALICE", Cluster: "emr-m620", Group: "task", Nodes: 2, Amount: yuan("8412"), Currency: "CNY", Priced: true, Used: true},
		{Flow: "F-2B9X", User: "U0BOB", Cluster: "emr-m620", Group: "core", Nodes: 4, Amount: yuan("4906.4"), Currency: "CNY", Priced: true},
	}}
	full.Unpriced = 1
	over := flow.Spending{Budget: budget("5000", "4000", "1500.5")}
	over.Centre = "ads_*team*"
	dear := planned(prepaid(), 3)
	unpriced := situations()["unknown-price"]
	for _, lang := range []string{English, Chinese} {
		r := renderer(lang)
		for name, m := range map[string]flow.Message{
			"one":     r.Budgets([]flow.Spending{full}, lang),
			"all":     r.Budgets([]flow.Spending{full, over}, lang),
			"card":    r.Card(judgedBy(dear, budget("20000", "1000", "500")), 1, false),
			"over":    r.Card(judgedBy(dear, budget("5000", "4000", "1500")), 1, false),
			"unknown": r.Card(judgedBy(unpriced, budget("5000", "4000", "0")), 1, false),
			"preview": r.Preview(flow.Preview{Plan: dear.Plans[0].Plan, Judgement: dear.Plans[0].Judgement, Budget: new(budget("20000", "1000", "500")), Explained: new(explanation())}, lang),
			"moved": r.Log(dear, []flow.Note{{Code: flow.NoteBudgetMoved, Plan: 1, Args: map[string]string{
				"centre": "data", "left": "730.5", "currency": "CNY", "groups": "finops,leads", "at": t0.Add(4 * time.Hour).Format(time.RFC3339)}}}),
		} {
			t.Run(name+"/"+lang, func(t *testing.T) { golden(t, "budget/"+name+"."+lang, m) })
		}
	}
	ended := judgedBy(succeeded(), budget("20000", "1000", "500"))
	require.NotContains(t, renderer(English).Card(ended, 1, false).Text+string(renderer(English).Card(ended, 1, false).Blocks), "Budget data",
		"what was left then says nothing after the end")
}

func TestAChartIsAlwaysAsWideAndHidesNothing(t *testing.T) {
	for _, c := range []struct{ spent, reserved, monthly, want string }{
		{"0", "0", "100", strings.Repeat("░", 24)},
		{"50", "25", "100", strings.Repeat("█", 12) + strings.Repeat("▓", 6) + strings.Repeat("░", 6)},
		{"1", "1", "100000", "█▓" + strings.Repeat("░", 22)},
		{"99999", "0", "100000", strings.Repeat("█", 23) + "░"},
		{"1", "99998", "100000", "█" + strings.Repeat("▓", 22) + "░"},
		{"100", "100", "100", strings.Repeat("█", 12) + strings.Repeat("▓", 12)},
		{"0", "0", "0", strings.Repeat("░", 24)},
		{"5", "0", "0", strings.Repeat("█", 24)},
	} {
		require.Equal(t, c.want, chart(yuan(c.spent), yuan(c.reserved), yuan(c.monthly)), "%+v", c)
	}
	for spent := range 40 {
		for reserved := range 40 {
			got := chart(decimal.NewFromInt(int64(spent)), decimal.NewFromInt(int64(reserved)), yuan("30"))
			require.Equal(t, chartWidth, utf8.RuneCountInString(got))
			require.Equal(t, spent > 0, strings.Contains(got, "█"), "%d %d", spent, reserved)
			require.Equal(t, reserved > 0, strings.Contains(got, "▓"), "%d %d", spent, reserved)
			require.Equal(t, spent+reserved < 30, strings.Contains(got, "░"), "%d %d", spent, reserved)
		}
	}
}
