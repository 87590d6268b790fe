package card

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// broken is the succeeded flow as one whose ballot was skipped.
func broken(f flow.Flow) flow.Flow {
	f.Request.BreakGlass, f.Request.Reason = true, "disk full, see <!channel>"
	f.Verdict = &approvals.Verdict{Status: approvals.Approved, At: t0, Ballot: approvals.Ballot{PlanHash: "h1"}, Glass: &approvals.Glass{
		By: "U0ALICE", Group: "oncall", Reason: "disk full, see <!channel>",
		Skipped: []approvals.Requirement{{Group: "finops", N: 1, Rules: []string{"prepaid"}}, {Group: "leads", N: 1, Rules: []string{"prepaid"}}},
	}}
	return f
}

func passing(f flow.Flow) flow.Flow {
	f.Plans[0].Judgement.Passed = []approvals.Pass{
		{Freeze: "year-end", Group: "finops", Reason: "payroll *is* stuck", Until: t0.Add(240 * time.Hour)},
		{Freeze: "emr-m620", Group: "finops", Reason: "payroll *is* stuck", Order: &approvals.Order{By: "U0LEAD1"}},
	}
	return f
}

func explanation() approvals.Explanation {
	return approvals.Explanation{
		Rules: []approvals.RuleWhy{
			{Outcome: approvals.Outcome{Rule: "prepaid", Matched: true, Require: map[string]int{"finops": 1, "leads": 1}}, Values: []approvals.Value{{Field: "change.charge", Text: `"prepaid"`}}},
			{Outcome: approvals.Outcome{Rule: "scale-in", Require: map[string]int{"leads": 1}}, Values: []approvals.Value{{Field: "change.delta", Text: "2"}}},
			{Outcome: approvals.Outcome{Rule: "owner", Error: "the cluster has no label owner", Require: map[string]int{"leads": 1}}, Values: []approvals.Value{{Field: "cluster.labels.owner", Text: "none"}}},
		},
		Freezes: []approvals.FreezeWhy{
			{Name: "year-end", From: t0, To: t0.Add(time.Hour), State: approvals.FreezePassed, Passed: "finops", Values: []approvals.Value{{Field: "cluster.labels.env", Text: `"prod"`}}},
			{Name: "launch", From: t0, To: t0.Add(time.Hour), State: approvals.FreezeHolds, Pass: []string{"finops", "leads"}},
			{Name: "spring", From: t0, To: t0.Add(time.Hour), State: approvals.FreezeOff},
			{Name: "edge", From: t0, To: t0.Add(time.Hour), State: approvals.FreezeElsewhere},
			{Name: "odd", From: t0, To: t0.Add(time.Hour), State: approvals.FreezeBroken, Error: "no"},
		},
	}
}

func TestControlReadsAsPinned(t *testing.T) {
	frozen := flow.Frozen{
		Orders:   map[string]approvals.Order{"emr-m620": {By: "U0LEAD1", Reason: "migration of `x`", Since: t0, Until: t0.Add(2 * time.Hour)}, "web": {By: "U0LEAD2", Since: t0}},
		Calendar: []approvals.Freeze{{Name: "year-end", From: t0, To: t0.Add(240 * time.Hour)}},
	}
	rules := approvals.Config{
		RulesGiven: true, BreakGlass: []string{"oncall"}, FreezePass: []string{"finops"},
		Rules:   []approvals.Rule{{Name: "prepaid", When: `change.charge == "prepaid"`, Require: map[string]int{"finops": 1, "leads": 1}}},
		Freezes: []approvals.Freeze{{Name: "year-end", From: t0, To: t0.Add(240 * time.Hour), When: `cluster.labels.env == "prod"`, Pass: []string{"finops"}}, {Name: "all", From: t0, To: t0.Add(time.Hour)}},
	}
	cat := flow.Catalog{
		"emr-m620": {Name: "emr-m620", Account: "data-gz", Groups: map[string]flow.Group{"task": {Name: "task", ID: "TASK", Charge: providers.Postpaid}}},
		"web":      {Name: "web", Account: "ack-bj", Groups: map[string]flow.Group{"workers": {Name: "workers", ID: "np1", Charge: providers.Spot}}},
	}
	seen := providers.Snapshot{At: t0, Phase: providers.Ready, Status: "2", Groups: []providers.Group{{ID: "TASK", Count: 3}}}
	all := situations()
	refused := all["refused"]
	refused.End = &flow.Note{At: t0, Code: flow.NoteFrozenBy, Args: map[string]string{"cluster": "emr-m620", "by": "U0LEAD1", "reason": "migration", "until": "", "groups": "finops"}}
	for _, lang := range []string{English, Chinese} {
		r := renderer(lang)
		for name, m := range map[string]flow.Message{
			"glass-card":   r.Card(broken(succeeded()), 1, true),
			"glass-notice": r.Notice(broken(succeeded()), flow.Succeeded),
			"glass-log": r.Log(broken(succeeded()), []flow.Note{{Code: flow.NoteGlass, By: "U0ALICE", Plan: 1,
				Args: map[string]string{"group": "oncall", "reason": "disk full, see <!channel>", "skipped": "finops,leads"}}}),
			"pass-card":    r.Card(passing(planned(prepaid(), 3)), 1, false),
			"frozen-card":  r.Card(refused, min(1, len(refused.Plans)), false),
			"froze":        r.Froze("emr-m620", frozen.Orders["emr-m620"]),
			"froze-open":   r.Froze("web", frozen.Orders["web"]),
			"unfroze":      r.Unfroze("web", frozen.Orders["web"], "U0FIN1"),
			"status":       r.ClusterStatus(cat["emr-m620"], seen, frozen, lang),
			"clusters":     r.ClusterList(cat, frozen, lang),
			"status-all":   r.Status([]flow.Flow{all["running"]}, frozen, lang),
			"status-none":  r.Status(nil, frozen, lang),
			"history":      r.History([]flow.Flow{broken(succeeded()), all["denied"]}, lang),
			"history-none": r.History(nil, lang),
			"policy":       r.Policy(rules, frozen, lang),
			"policy-none":  r.Policy(approvals.Config{}, flow.Frozen{}, lang),
			"policy-free":  r.Policy(approvals.Config{RulesGiven: true}, flow.Frozen{}, lang),
			"glass-try":    r.Preview(flow.Preview{Plan: all["awaiting"].Plans[0].Plan, Judgement: all["awaiting"].Plans[0].Judgement, Foreseen: broken(succeeded()).Verdict}, lang),
			"explained":    r.Preview(flow.Preview{Plan: all["awaiting"].Plans[0].Plan, Judgement: all["awaiting"].Plans[0].Judgement, Explained: new(explanation())}, lang),
		} {
			t.Run(name+"/"+lang, func(t *testing.T) { golden(t, "control/"+name+"."+lang, m) })
		}
	}
}

func TestEveryoneWhoWasSkippedIsMentioned(t *testing.T) {
	o := options1()
	var many []string
	for i := range 30 {
		many = append(many, "U0"+strings.Repeat("X", i+1-i/15*15)+string(rune('A'+i)))
	}
	o.Groups["leads"] = approvals.Group{Users: many}
	m := New(o).Notice(broken(succeeded()), flow.Succeeded)
	for _, u := range append(many, "S0FINOPS") {
		require.Contains(t, string(m.Blocks), u)
	}
	f := broken(succeeded())
	f.Log = []flow.Note{{At: t0, Code: flow.NoteGlass, By: "U0ALICE", Args: map[string]string{"group": "oncall", "skipped": "finops,leads"}}}
	require.NotContains(t, string(New(o).FlowDetail(f, English).Blocks), "S0FINOPS", "a look must not ping them again")
}
