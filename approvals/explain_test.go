package approvals

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func TestAConditionTellsTheValuesThatItRead(t *testing.T) {
	for _, c := range []struct {
		when  string
		facts Facts
		want  []Value
	}{
		{`change.delta < 0 && change.delta > -9`, baseFacts(removal), []Value{{"change.delta", "-1"}}},
		{`change.charge == "prepaid"`, baseFacts(), []Value{{"change.charge", `"postpaid"`}}},
		{`quote.monthly > 5000.0 || !quote.known`, baseFacts(), []Value{{"quote.monthly", "2555"}, {"quote.known", "true"}}},
		{`quote.monthly > 5000.0 || !quote.known`, baseFacts(unpriced), []Value{{"quote.monthly", "unknown"}, {"quote.known", "false"}}},
		{`cluster.labels.env == "prod"`, baseFacts(), []Value{{"cluster.labels.env", `"prod"`}}},
		{`cluster.labels["env"] == "prod" || cluster.labels[?"owner"].orValue("") == "me"`, baseFacts(), []Value{{"cluster.labels.env", `"prod"`}, {"cluster.labels.owner", "none"}}},
		{`cluster.labels.?team.orValue("") == "x" || has(cluster.labels.env)`, baseFacts(), []Value{{"cluster.labels.team", `"data"`}, {"cluster.labels.env", `"prod"`}}},
		{`"leads" in requester.groups`, baseFacts(), []Value{{"requester.groups", `["leads"]`}}},
		{`now.getHours() < 8`, baseFacts(), []Value{{"now", "2026-11-24T12:00:00Z"}}},
		{`true`, baseFacts(), []Value{}},
	} {
		t.Run(c.when, func(t *testing.T) {
			x := compile(t, oneRule(c.when)).Explain(c.facts)
			require.Len(t, x.Rules, 1)
			require.Equal(t, c.when, x.Rules[0].When)
			require.Equal(t, c.want, x.Rules[0].Values)
		})
	}
}

func TestAnExplanationSaysWhatTheJudgementSays(t *testing.T) {
	p := compile(t, glassConfig())
	f := urgent(func(f *Facts) { f.Now = time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC) })
	x, j := p.Explain(f), p.Judge(f)
	for i, o := range j.Outcomes {
		require.Equal(t, o, x.Rules[i].Outcome)
	}
	require.Len(t, x.Freezes, 1)
	require.Equal(t, FreezePassed, x.Freezes[0].State)
	require.Equal(t, "leads", x.Freezes[0].Passed)
	require.Equal(t, []Value{{"cluster.labels.env", `"prod"`}}, x.Freezes[0].Values)
	for name, c := range map[string]struct {
		edit func(*Facts)
		want FreezeState
	}{
		"no reason":          {func(f *Facts) { f.Reason = "" }, FreezeHolds},
		"another time":       {func(f *Facts) { f.Now = noon }, FreezeOff},
		"another cluster":    {func(f *Facts) { f.Labels = map[string]string{"env": "test"} }, FreezeElsewhere},
		"a label is missing": {func(f *Facts) { f.Labels = nil }, FreezeBroken},
	} {
		f := f
		c.edit(&f)
		require.Equal(t, c.want, p.Explain(f).Freezes[0].State, name)
	}
	require.Empty(t, (*Policy)(nil).Explain(f).Rules)
}

func places() []Place {
	ten := 10
	return []Place{
		{Cluster: "emr", Group: "task", Kind: "tencent-emr", Account: "a", Labels: map[string]string{"env": "prod"}, Charge: providers.Postpaid, MaxStep: &ten},
		{Cluster: "web", Group: "workers", Kind: "alibaba-ack", Account: "b", Labels: map[string]string{"env": "test"}, Charge: providers.Postpaid, Max: &ten},
	}
}

func TestRulesThatNeverMatchAreFound(t *testing.T) {
	for _, c := range []struct {
		name, when string
		idle       bool
	}{
		{"a price above a number of any size can come", `quote.monthly > 31234567.0`, false},
		{"a price between two numbers", `quote.monthly > 4000.0 && quote.monthly < 4001.0`, false},
		{"what is committed", `quote.committed > 100000.0`, false},
		{"no price is below nothing", `quote.known && quote.monthly < 0.0`, true},
		{"an unknown price", `!quote.known`, false},
		{"a removal pays nothing", `change.delta < 0 && quote.monthly > 1.0`, true},
		{"nor has it a charge", `change.delta < 0 && change.charge == "prepaid"`, true},
		{"a term that can be bought", `change.charge == "prepaid" && change.months >= 24`, false},
		{"a term without prepaid", `change.charge == "spot" && change.months > 0`, true},
		{"a size beyond every limit", `change.cluster == "emr" && change.delta > 10`, true},
		{"a size within", `change.cluster == "emr" && change.delta == 10`, false},
		{"a cluster that isn't there", `cluster.name == "emr-m62O"`, true},
		{"a label that no cluster has that way", `cluster.labels.env == "staging"`, true},
		{"a group of another cluster", `change.cluster == "web" && change.group == "task"`, true},
		{"somebody named", `requester.id == "U0CTO"`, false},
		{"a group of approvers", `"leads" in requester.groups && !("finops" in requester.groups)`, false},
		{"a night in a week", `now.getHours() == 3 && now.getDayOfWeek() == 0`, false},
		{"a thirteenth month", `now.getMonth() == 12`, true},
		{"a status by name", `cluster.status == "degraded"`, false},
		{"never", `false`, true},
		{"a rule that breaks refuses, so it does something", `cluster.labels.owner == "x"`, false},
		{"what this can't make up is left out", `dyn(change).delta == 12345`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			idle := compile(t, oneRule(c.when)).Idle(places())
			if !c.idle {
				require.Empty(t, idle)
				return
			}
			require.Len(t, idle, 1)
			require.Equal(t, "r", idle[0].Rule)
			require.Positive(t, idle[0].Tried)
		})
	}
}

func TestRequirementsThatCanNeverBeFilled(t *testing.T) {
	c := baseConfig()
	c.Rules = []Rule{
		{Name: "scale-in", When: `change.delta < 0`, Require: map[string]int{"leads": 2}},
		{Name: "elsewhere", When: `change.cluster == "web"`, Require: map[string]int{"leads": 9}},
	}
	c.Groups["leads"] = Group{Usergroups: []string{"S1"}}
	emr := places()[:1]
	for _, k := range []struct {
		name       string
		requesters []string
		leads      []string
		self       bool
		want       []string
	}{
		{"enough others", []string{"U1"}, []string{"U1", "U2", "U3"}, false, nil},
		{"a requester in the group is one too few", []string{"U1", "U9"}, []string{"U1", "U2"}, false,
			[]string{"rule scale-in asks for 2 of leads: a request for emr by U1 can never get that, because their own vote does not count and too few others are left"}},
		{"all requesters are", []string{"U1", "U2"}, []string{"U1", "U2"}, false,
			[]string{"rule scale-in asks for 2 of leads: nobody who may change emr can ever get that, because a requester's own vote does not count and too few others are left"}},
		{"unless their own vote counts", []string{"U1", "U2"}, []string{"U1", "U2"}, true, nil},
		{"everybody may ask: those in the group can't", nil, []string{"U1", "U2"}, false,
			[]string{"rule scale-in asks for 2 of leads: a request for emr by U1, U2 can never get that, because their own vote does not count and too few others are left"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c.SelfApproval = k.self
			var got []string
			for _, s := range compile(t, c).Shortfalls("emr", emr, k.requesters, map[string][]string{"leads": k.leads}) {
				got = append(got, s.String())
			}
			require.Equal(t, k.want, got)
		})
	}
	require.Empty(t, compile(t, c).Shortfalls("emr", emr, nil, nil), "a group that can't be read is told elsewhere")
}

// One person in two groups fills one seat, and a second group fills seats in time.
func TestRequirementsThatOverlap(t *testing.T) {
	c := baseConfig()
	c.Groups = map[string]Group{"finops": {Usergroups: []string{"S1"}}, "leads": {Usergroups: []string{"S2"}}, "boss": {Usergroups: []string{"S3"}}}
	emr := places()[:1]
	both := map[string]int{"finops": 1, "leads": 1}
	for _, k := range []struct {
		name       string
		require    map[string]int
		to         string
		requesters []string
		members    map[string][]string
		want       []string
	}{
		{"one and the same person in both", both, "", []string{"U9"}, map[string][]string{"finops": {"U1"}, "leads": {"U1"}},
			[]string{"rule r asks for 1 of finops and 1 of leads: nobody who may change emr can ever get that, because one person fills one seat, a requester's own vote does not count and too few others are left"}},
		{"two people in both", both, "", []string{"U9"}, map[string][]string{"finops": {"U1", "U2"}, "leads": {"U1", "U2"}}, nil},
		{"two in both, and one of them asks", both, "", []string{"U1", "U9"}, map[string][]string{"finops": {"U1", "U2"}, "leads": {"U1", "U2"}},
			[]string{"rule r asks for 1 of finops and 1 of leads: a request for emr by U1 can never get that, because one person fills one seat, their own vote does not count and too few others are left"}},
		{"who sits in the small group leaves the large one", both, "", []string{"U9"}, map[string][]string{"finops": {"U1", "U2"}, "leads": {"U1"}}, nil},
		{"one group alone is said alone", both, "", []string{"U1"}, map[string][]string{"finops": {"U1"}, "leads": {"U2", "U3"}},
			[]string{"rule r asks for 1 of finops: nobody who may change emr can ever get that, because a requester's own vote does not count and too few others are left"}},
		{"the second group fills them in time", map[string]int{"leads": 2}, "boss", []string{"U1", "U9"}, map[string][]string{"leads": {"U1", "U2"}, "boss": {"U3"}}, nil},
		{"and may be too small with it", map[string]int{"leads": 2}, "boss", []string{"U1", "U9"}, map[string][]string{"leads": {"U1", "U2"}, "boss": {"U1"}},
			[]string{"rule r asks for 2 of leads (or, in time, of boss): a request for emr by U1 can never get that, because their own vote does not count and too few others are left"}},
		{"or can't be read, which is told elsewhere", map[string]int{"leads": 2}, "boss", []string{"U1"}, map[string][]string{"leads": {"U1", "U2"}}, nil},
		{"everybody may ask: those in the groups can't", both, "", nil, map[string][]string{"finops": {"U1", "U2"}, "leads": {"U1", "U2"}},
			[]string{"rule r asks for 1 of finops and 1 of leads: a request for emr by U1, U2 can never get that, because one person fills one seat, their own vote does not count and too few others are left"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c.Rules = []Rule{{Name: "r", When: "true", Require: k.require}}
			if k.to != "" {
				c.Rules[0].Escalate = &Escalation{After: time.Hour, To: k.to}
			}
			var got []string
			for _, s := range compile(t, c).Shortfalls("emr", emr, k.requesters, k.members) {
				got = append(got, s.String())
			}
			require.Equal(t, k.want, got)
		})
	}
}
