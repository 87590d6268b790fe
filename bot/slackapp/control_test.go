package slackapp

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

func TestAFreezeIsAnsweredPrivatelyAndToldToTheChannel(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	posted := func(words string) bool {
		for _, m := range e.sim.Messages(channel) {
			if strings.Contains(m.Text, words) {
				return true
			}
		}
		return false
	}
	d := e.sim.Slash(ann, channel, "/scale", "freeze emr-m620 for 2h the migration")
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "/scale unfreeze emr-m620")
	require.Equal(t, []string{"freeze emr-m620 2h0m0s the migration"}, read(e.desk, func(d *desk) []string { return d.did }))
	e.eventually(func() bool { return posted("froze emr-m620") && posted("the migration") }, "the channel reads of it")

	d = e.sim.Slash(ann, channel, "/scale", "unfreeze emr-m620")
	require.Contains(t, d.Ephemeral.Text, "has ended")
	e.eventually(func() bool { return posted("ended the freeze of emr-m620") }, "and of its end")

	before := len(e.sim.Messages(channel))
	e.desk.set(func(d *desk) {
		d.fail = &flow.Rejection{Code: flow.RejectFreezer, Args: map[string]string{"groups": "leads"}}
	})
	d = e.sim.Slash(ann, channel, "/scale", "freeze emr-m620")
	require.Contains(t, d.Ephemeral.Text, "not among those who may freeze")
	require.Len(t, e.sim.Messages(channel), before, "what was not done is not told")
}

func TestBreakGlassReachesTheDeskAndItsCorrectionIsALine(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", `emr-m620 task -2 reason="disk full" break-glass`).Err)
	ask := read(e.desk, func(d *desk) flow.Ask { return d.asks[0] })
	require.True(t, ask.BreakGlass)
	require.Equal(t, "disk full", ask.Reason)

	ask.Reason = "…"
	e.desk.set(func(d *desk) { d.fail = &flow.Rejection{Code: flow.RejectReason, Better: &ask} })
	d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task -2 break-glass")
	require.Contains(t, d.Ephemeral.Text, "needs a reason")
	require.Contains(t, d.Ephemeral.Text, "/scale emr-m620 task -2 break-glass -- …")
}

func TestPolicyHistoryAndWhatIsFrozen(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.set(func(d *desk) {
		d.frozen = flow.Frozen{Orders: map[string]approvals.Order{"emr-m620": {By: ann, Since: time.Unix(0, 0)}}}
		f := record("F-T777", flow.Caller{User: ann}, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2})
		f.State, f.EndedAt = flow.Cancelled, time.Unix(100, 0)
		d.open = []flow.Flow{f}
	})
	for line, answer := range map[string]string{
		"policy":           "scale-in: 1 of leads when change.delta < 0",
		"history":          "F-T777 emr-m620 task +2: cancelled",
		"status":           "emr-m620: Frozen by <@" + ann + ">",
		"history emr-m620": "F-T777",
	} {
		d := e.sim.Slash(ann, channel, "/scale", line)
		require.NoError(t, d.Err)
		require.Contains(t, strings.ReplaceAll(d.Ephemeral.Text, "&lt;", "<"), answer, line)
	}
	require.Contains(t, read(e.desk, func(d *desk) []string { return d.did }), "history emr-m620")
}

func TestABudgetIsShownPrivately(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.set(func(d *desk) {
		d.spendings = []flow.Spending{{Budget: approvals.Budget{Centre: "data", Month: "2026-11", Currency: "CNY", Monthly: decimal.NewFromInt(100), Spent: decimal.NewFromInt(25)}}}
	})
	before := len(e.sim.Messages(channel))
	d := e.sim.Slash(ann, channel, "/scale", "budget DATA")
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "¥ 25.00 spent, ¥ 0.00 reserved, ¥ 75.00 left of ¥ 100.00")
	require.Contains(t, read(e.desk, func(d *desk) []string { return d.did }), "budget data")
	require.Len(t, e.sim.Messages(channel), before)
	d = e.sim.Slash(ann, channel, "/scale", "budget dta")
	require.Contains(t, d.Ephemeral.Text, "/scale budget data", "the corrected line")
	e.desk.set(func(d *desk) { d.fail = &flow.Rejection{Code: flow.RejectNoBudgets} })
	d = e.sim.Slash(ann, channel, "/scale", "budget")
	require.Contains(t, d.Ephemeral.Text, "No budgets are configured")
}
