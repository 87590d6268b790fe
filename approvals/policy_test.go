package approvals

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// baseConfig is the sample of design.md section 6.
func baseConfig() Config {
	return Config{
		Groups: map[string]Group{
			"leads":  {Users: []string{"U0LEAD1", "U0LEAD2"}},
			"finops": {Usergroups: []string{"S0FINOPS"}},
		},
		Approve:        []string{"white_check_mark", "heavy_check_mark", "+1"},
		Deny:           []string{"x", "no_entry", "-1"},
		ExpireAfter:    4 * time.Hour,
		PriceTolerance: 0.05,
		RulesGiven:     true,
		Rules: []Rule{
			{Name: "prepaid", When: `change.charge == "prepaid"`, Require: map[string]int{"finops": 1, "leads": 1}},
			{Name: "costly", When: `quote.monthly > 5000.0 || !quote.known`, Require: map[string]int{"leads": 1}},
			{Name: "scale-in", When: `change.delta < 0`, Require: map[string]int{"leads": 1}},
		},
		Freezes: []Freeze{{
			Name: "year-end", When: `cluster.labels.env == "prod"`,
			From: time.Date(2026, 12, 23, 16, 0, 0, 0, time.UTC), To: time.Date(2027, 1, 2, 16, 0, 0, 0, time.UTC),
		}},
	}
}

func basePlan(edit ...func(*providers.Change, *providers.Snapshot, *providers.Quote)) Plan {
	c := providers.Change{
		Kind: "tencent-emr", Account: "data-gz", Cluster: "emr-m620", ClusterID: "emr-m620", Group: "task", GroupID: "TASK",
		Delta: 2, Charge: providers.Postpaid, Profile: "p1",
	}
	s := providers.Snapshot{At: noon, ID: "emr-m620", Phase: providers.Ready, Status: "2", Groups: []providers.Group{{ID: "TASK", Count: 3}, {ID: "CORE", Count: 4}}}
	q := providers.Quote{Known: true, Currency: "CNY", Hourly: dec("3.5"), Monthly: dec("2555"), At: noon}
	for _, e := range edit {
		e(&c, &s, &q)
	}
	return NewPlan(c, s, q)
}

func baseFacts(edit ...func(*providers.Change, *providers.Snapshot, *providers.Quote)) Facts {
	return Facts{
		Plan: basePlan(edit...), Labels: map[string]string{"env": "prod", "team": "data"},
		Requester: Requester{ID: "U0ASKER", Groups: []string{"leads"}}, Now: noon,
	}
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func compile(t testing.TB, c Config) *Policy {
	t.Helper()
	p, problems := Compile(c)
	require.Empty(t, problems)
	return p
}

func oneRule(when string) Config {
	c := baseConfig()
	c.Rules = []Rule{{Name: "r", When: when, Require: map[string]int{"leads": 1}}}
	return c
}

func TestConditionsSeeEveryVariable(t *testing.T) {
	f := baseFacts(func(c *providers.Change, _ *providers.Snapshot, q *providers.Quote) {
		c.Charge, c.Months, c.Renew = providers.Prepaid, 1, true
		q.Committed = dec("8412")
	})
	f.Temporary = true
	for _, when := range []string{
		`change.cluster == "emr-m620"`, `change.group == "task"`, `change.delta == 2`, `change.target == 5`,
		`change.charge == "prepaid"`, `change.months == 1`, `change.renew`, `change.temporary`,
		`change.provider == "tencent-emr"`, `change.account == "data-gz"`,
		`quote.known`, `quote.currency == "CNY"`, `quote.hourly == 3.5`, `quote.monthly == 2555.0`, `quote.committed > 8411.99 && quote.committed < 8412.01`,
		`cluster.name == "emr-m620"`, `cluster.labels.team == "data"`, `cluster.labels["env"] == "prod"`, `cluster.nodes == 7`, `cluster.status == "2"`,
		`requester.id == "U0ASKER"`, `"leads" in requester.groups`,
		`now == timestamp("2026-11-24T12:00:00Z")`, `now.getHours("+08:00") == 20`, `now.getHours() == 12`,
		`quote.monthly > 2554`, `quote.monthly >= 2555`, `change.delta < 2.5`, `2000 < quote.monthly`, // mixed numbers
		`change.charge in ["prepaid", "spot"]`, `change.charge != ""`,
		`has(cluster.labels.env) && !has(cluster.labels.owner)`, `cluster.labels[?"owner"].orValue("nobody") == "nobody"`, `cluster.labels.?env.orValue("") == "prod"`,
		`requester.groups.exists(g, g.startsWith("le"))`, `cluster.name.matches("^emr-[a-z0-9]+$")`,
		`has(change.charge) && has(quote.monthly)`, `dyn(change).delta == 2`, `dyn(quote)["monthly"] == 2555.0`, `has(dyn(change).delta)`,
		`change == change`, `type(change) == type(change)`, `true`,
	} {
		t.Run(when, func(t *testing.T) {
			j := compile(t, oneRule(when)).Judge(f)
			require.Equal(t, []Outcome{{Rule: "r", Matched: true, Require: map[string]int{"leads": 1}}}, j.Outcomes)
			require.Nil(t, j.Refusal)
		})
	}
}

func TestBadConditionsAreFoundAtLoad(t *testing.T) {
	for _, c := range []struct{ name, when, text, suggest string }{
		{"a field that isn't there", `change.charg == "prepaid"`, "change has no field charg; it has account, charge,", "change.charge"},
		{"a swapped letter in the variable", `chnage.delta < 0`, "there is no variable chnage; a condition knows change, quote,", "change"},
		{"a field without its variable", `delta < 0`, "there is no variable delta", "change.delta"},
		{"a word that is near nothing", `weather == "x"`, "there is no variable weather", ""},
		{"not a bool", `change.delta`, "must be true or false, this one is a int", ""},
		{"only dynamic", `dyn(true)`, "must be true or false", ""},
		{"text compared with a number", `change.group > 5`, "> can't stand between string and int (at character 14)", ""},
		{"an amount compared for equality with a whole number", `quote.monthly == 5000`, "== can't stand between double and int: it wants the same kind of number on both sides, so write amounts with a decimal point", ""},
		{"does not parse", `change.delta <`, "Syntax error: mismatched input '<EOF>' (at character 15)", ""},
		{"empty", "  ", "the condition is empty", ""},
		{"a charge mode that can't be", `change.charge == "prepayed"`, `change.charge is never "prepayed"; it can be postpaid, prepaid, spot`, "prepaid"},
		{"the same, turned round", `"sport" != change.charge`, `change.charge is never "sport"`, "spot"},
		{"the same in a list", `change.charge in ["spot", "prepiad"]`, `change.charge is never "prepiad"`, "prepaid"},
		{"a group that isn't there", `"leeds" in requester.groups`, `a name in requester.groups is never "leeds"; it can be finops, leads`, "leads"},
		{"building a variable", `scalebot.change{delta: 1} == change && nope`, "there is no variable nope", ""},
		{"too long", `change.cluster == "` + strings.Repeat("x", maxRuleRunes) + `"`, "size exceeds limit", ""},
		{"a regex that isn't one", `change.cluster.matches("(")`, "missing closing )", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile(oneRule(c.when))
			require.Nil(t, p)
			require.Len(t, problems, 1)
			require.Equal(t, []string{"rules", "0", "when"}, problems[0].Path)
			require.Contains(t, problems[0].Text, c.text)
			require.Equal(t, c.suggest, problems[0].Suggest)
			require.Contains(t, problems[0].Error(), "rules.0.when: ")
		})
	}
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	c := baseConfig()
	c.Groups["empty"] = Group{}
	c.Groups["blank"] = Group{Users: []string{"U1", " "}}
	c.Approve = []string{":white_check_mark:", "Thumbs Up!", "👍", "+1::skin-tone-2", "+1"}
	c.Deny = []string{"thumbsup", "x"}
	c.ExpireAfter = -time.Second
	c.PriceTolerance = 1.5
	c.Rules = []Rule{
		{Name: "a", When: `change.charg == "x" || quote.monthy > 1.0`, Require: map[string]int{"leeds": 1}},
		{Name: "a", When: `true`, Require: map[string]int{"leads": 0}},
		{Name: " ", When: `true`, Require: map[string]int{"leads": 3, "finops": 9}},
		{Name: "nobody", When: `true`},
	}
	c.Freezes = []Freeze{{Name: "f", From: noon, To: noon, When: "1"}, {Name: "f", From: noon, To: noon.Add(1)}, {From: noon, To: noon.Add(1)}}
	p, problems := Compile(c)
	require.Nil(t, p)
	var got []string
	for _, b := range problems {
		got = append(got, strings.Join(b.Path, ".")+" "+b.Suggest)
	}
	require.Equal(t, []string{
		"groups.blank.users.1 ", "groups.empty ",
		"reactions.approve.0 white_check_mark", "reactions.approve.1 ", "reactions.approve.2 +1", "reactions.approve.3 +1", "reactions.deny.0 ",
		"expire_after ", "price_tolerance 5%",
		"rules.0.when change.charge", "rules.0.when quote.monthly", "rules.0.require.leeds leads",
		"rules.1.name ", "rules.1.require.leads 1", "rules.2.name ", "rules.2.require.leads 2", "rules.3.require ",
		"freezes.0.to ", "freezes.0.when ", "freezes.1.name ", "freezes.2.name ",
	}, got)
}

func TestSingleProblems(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"a tolerance that is no number": func(c *Config) { c.PriceTolerance = math.NaN() },
		"a negative tolerance":          func(c *Config) { c.PriceTolerance = -0.01 },
		"no way to approve":             func(c *Config) { c.Approve = nil },
		"a negative number of people":   func(c *Config) { c.Rules[0].Require["leads"] = -1 },
		"one lead written twice is one": func(c *Config) {
			c.Groups["leads"] = Group{Users: []string{"U1", "U1"}}
			c.Rules[0].Require["leads"] = 2
		},
		"a group without a name":             func(c *Config) { c.Groups[""] = Group{Users: []string{"U1"}} },
		"an emoji with capitals":             func(c *Config) { c.Approve[0] = "OK" },
		"an emoji without a name":            func(c *Config) { c.Deny[0] = "" },
		"a freeze that ends before it began": func(c *Config) { c.Freezes[0].To = c.Freezes[0].From.Add(-1) },
	} {
		t.Run(name, func(t *testing.T) {
			c := baseConfig()
			edit(&c)
			p, problems := Compile(c)
			require.Nil(t, p)
			require.Len(t, problems, 1)
		})
	}
	c := baseConfig()
	c.Approve = append(c.Approve, "批准", "o'clock_1")
	compile(t, c)
}

func TestPolicyOwnsItsConfig(t *testing.T) {
	c := baseConfig()
	p := compile(t, c)
	c.Rules[2].Require["leads"] = 0
	c.Groups["leads"].Users[0] = "U0EVIL"
	c.Approve[0], c.Deny[0] = "eyes", "eyes"
	j := p.Judge(baseFacts(removal))
	j.Outcomes[0].Require["leads"] = 0
	p.Approve()[0] = "eyes"

	require.Equal(t, []Requirement{{Group: "leads", N: 1, Rules: []string{"scale-in"}}}, p.Judge(baseFacts(removal)).Requirements)
	require.Equal(t, map[string]int{"finops": 1, "leads": 1}, p.Judge(baseFacts()).Outcomes[0].Require)
	require.Equal(t, []string{"white_check_mark", "heavy_check_mark", "+1"}, p.Approve())
	require.Equal(t, []string{"x", "no_entry", "-1"}, p.Deny())
}

func removal(c *providers.Change, _ *providers.Snapshot, q *providers.Quote) {
	c.Delta, c.Charge, c.Nodes = -1, "", []string{"ins-1"}
	*q = providers.Quote{Known: true, Currency: "CNY"}
}

func prepaid(c *providers.Change, _ *providers.Snapshot, q *providers.Quote) {
	c.Charge, c.Months = providers.Prepaid, 1
	q.Monthly, q.Committed = dec("8412"), dec("8412")
}

func unpriced(_ *providers.Change, _ *providers.Snapshot, q *providers.Quote) {
	*q = providers.Quote{Reason: providers.Text{EN: "no price"}}
}

func TestJudgeTheSample(t *testing.T) {
	p := compile(t, baseConfig())

	t.Run("nothing matches: free to go", func(t *testing.T) {
		f := baseFacts()
		j := p.Judge(f)
		require.Nil(t, j.Refusal)
		require.Empty(t, j.Requirements)
		require.Len(t, j.Outcomes, 3)
		v, ok := j.Unopposed(f.Plan, noon)
		require.True(t, ok)
		require.True(t, v.Permits(f.Plan))
		require.Equal(t, noon, v.At)
	})
	t.Run("rules that ask the same group merge, by group name", func(t *testing.T) {
		f := baseFacts(prepaid)
		j := p.Judge(f)
		require.Equal(t, []Requirement{
			{Group: "finops", N: 1, Rules: []string{"prepaid"}},
			{Group: "leads", N: 1, Rules: []string{"prepaid", "costly"}},
		}, j.Requirements)
		_, ok := j.Unopposed(f.Plan, noon)
		require.False(t, ok)
	})
	t.Run("the larger number wins whichever rule comes first", func(t *testing.T) {
		for _, n := range [][2]int{{1, 2}, {2, 1}} {
			c := baseConfig()
			c.Rules = []Rule{{Name: "a", When: "true", Require: map[string]int{"leads": n[0]}}, {Name: "b", When: "true", Require: map[string]int{"leads": n[1]}}}
			require.Equal(t, []Requirement{{Group: "leads", N: 2, Rules: []string{"a", "b"}}}, compile(t, c).Judge(baseFacts()).Requirements)
		}
	})
	t.Run("an unknown price asks people", func(t *testing.T) {
		j := p.Judge(baseFacts(unpriced))
		require.Nil(t, j.Refusal)
		require.Equal(t, []Requirement{{Group: "leads", N: 1, Rules: []string{"costly"}}}, j.Requirements)
	})
	t.Run("in a freeze: refused with its end, and still explained", func(t *testing.T) {
		f := baseFacts(removal)
		f.Now = p.freezes[0].From
		j := p.Judge(f)
		require.Equal(t, &Refusal{Code: Frozen, Name: "year-end", Until: p.freezes[0].To}, j.Refusal)
		require.Len(t, j.Outcomes, 3)
		require.True(t, j.Outcomes[2].Matched)
		_, ok := j.Unopposed(f.Plan, noon)
		require.False(t, ok)
	})
	t.Run("a freeze ends at To, and begins at From", func(t *testing.T) {
		f := baseFacts()
		for at, frozen := range map[time.Time]bool{
			p.freezes[0].From.Add(-1): false, p.freezes[0].To.Add(-1): true, p.freezes[0].To: false,
		} {
			f.Now = at
			require.Equal(t, frozen, p.Judge(f).Refusal != nil, at)
		}
	})
	t.Run("a freeze for another kind of cluster", func(t *testing.T) {
		f := baseFacts()
		f.Now, f.Labels = p.freezes[0].From, map[string]string{"env": "test"}
		require.Nil(t, p.Judge(f).Refusal)
	})
	t.Run("of two freezes the one that ends last is named", func(t *testing.T) {
		c := baseConfig()
		c.Freezes = []Freeze{{Name: "short", From: noon, To: noon.Add(1)}, {Name: "long", From: noon, To: noon.Add(3)}, {Name: "middle", From: noon, To: noon.Add(2)}}
		require.Equal(t, "long", compile(t, c).Judge(baseFacts()).Refusal.Name)
	})
}

func TestClosedByDefault(t *testing.T) {
	refused := func(t *testing.T, p *Policy, f Facts, want Refusal) {
		t.Helper()
		j := p.Judge(f)
		require.NotNil(t, j.Refusal)
		got := *j.Refusal
		if want.Error != "" {
			require.Contains(t, got.Error, want.Error)
			got.Error = want.Error
		}
		require.Equal(t, want, got)
		_, ok := j.Unopposed(f.Plan, noon)
		require.False(t, ok)
	}
	t.Run("no rules at all", func(t *testing.T) {
		c := baseConfig()
		c.RulesGiven, c.Rules = false, nil
		refused(t, compile(t, c), baseFacts(), Refusal{Code: NoRules})
		refused(t, &Policy{}, baseFacts(), Refusal{Code: NoRules})
		refused(t, nil, baseFacts(), Refusal{Code: NoRules})
	})
	t.Run("an empty list of rules is a decision", func(t *testing.T) {
		c := baseConfig()
		c.Rules = nil
		_, ok := compile(t, c).Judge(baseFacts()).Unopposed(basePlan(), noon)
		require.True(t, ok)
	})
	t.Run("a rule that can't be evaluated", func(t *testing.T) {
		refused(t, compile(t, oneRule(`cluster.labels.owner == "x"`)), baseFacts(), Refusal{Code: RuleBroken, Name: "r", Error: "no label owner"})
		refused(t, compile(t, oneRule(`requester.groups[5] == "x"`)), baseFacts(), Refusal{Code: RuleBroken, Name: "r", Error: "index"})
		refused(t, compile(t, oneRule(`10 / (change.delta - 2) > 0`)), baseFacts(), Refusal{Code: RuleBroken, Name: "r", Error: "division by zero"})
		refused(t, compile(t, oneRule(`dyn(change).nope`+` == 1`)), baseFacts(), Refusal{Code: RuleBroken, Name: "r", Error: "no such field"})
	})
	t.Run("the amounts of an unknown price", func(t *testing.T) {
		for _, amount := range []string{"hourly", "monthly", "committed"} {
			refused(t, compile(t, oneRule(`quote.`+amount+` > 5000`)), baseFacts(unpriced), Refusal{Code: RuleBroken, Name: "r", Error: "the price is unknown, so quote." + amount})
		}
		require.Nil(t, compile(t, oneRule(`quote.known && quote.monthly > 5000`)).Judge(baseFacts(unpriced)).Refusal)
		require.Nil(t, compile(t, oneRule(`has(quote.monthly)`)).Judge(baseFacts(unpriced)).Refusal)
	})
	t.Run("a rule that would run for long", func(t *testing.T) {
		list := "[" + strings.TrimSuffix(strings.Repeat("1,", 100), ",") + "]"
		refused(t, compile(t, oneRule(list+`.all(a, `+list+`.all(b, `+list+`.all(c, a + b + c > change.delta)))`)), baseFacts(), Refusal{Code: RuleBroken, Name: "r", Error: "cost"})
	})
	t.Run("the broken rule is named though a later one matches", func(t *testing.T) {
		c := oneRule(`cluster.labels.owner == "x"`)
		c.Rules = append(c.Rules, Rule{Name: "s", When: "true", Require: map[string]int{"leads": 1}})
		p := compile(t, c)
		refused(t, p, baseFacts(), Refusal{Code: RuleBroken, Name: "r", Error: "owner"})
		require.True(t, p.Judge(baseFacts()).Outcomes[1].Matched)
		require.NotEmpty(t, p.Judge(baseFacts()).Outcomes[0].Error)
	})
	t.Run("a freeze that can't be told", func(t *testing.T) {
		p := compile(t, baseConfig())
		f := baseFacts()
		f.Now, f.Labels = p.freezes[0].From, nil
		refused(t, p, f, Refusal{Code: RuleBroken, Name: "year-end", Until: p.freezes[0].To, Error: "no label env"})
		f.Now = p.freezes[0].To
		require.Nil(t, p.Judge(f).Refusal)
	})
	t.Run("a freeze that surely holds goes before what is broken", func(t *testing.T) {
		c := oneRule(`cluster.labels.owner == "x"`)
		c.Freezes = []Freeze{{Name: "odd", From: noon, To: noon.Add(9), When: `cluster.labels.owner == "x"`}, {Name: "all", From: noon, To: noon.Add(1)}}
		refused(t, compile(t, c), baseFacts(), Refusal{Code: Frozen, Name: "all", Until: noon.Add(1)})
		c.Freezes = c.Freezes[:1]
		refused(t, compile(t, c), baseFacts(), Refusal{Code: RuleBroken, Name: "r", Error: "owner"})
	})
	t.Run("a judgement frees only the plan it was made of", func(t *testing.T) {
		f := baseFacts()
		j := compile(t, baseConfig()).Judge(f)
		other := basePlan(func(c *providers.Change, _ *providers.Snapshot, _ *providers.Quote) { c.Delta = 3 })
		tampered := f.Plan
		tampered.Change.Delta = 30
		for _, p := range []Plan{other, tampered, {}} {
			_, ok := j.Unopposed(p, noon)
			require.False(t, ok)
		}
		_, ok := Judgement{}.Unopposed(f.Plan, noon)
		require.False(t, ok, "a judgement that was never made")
		_, ok = Judgement{}.Unopposed(Plan{}, noon)
		require.False(t, ok)
	})
}

func TestJudgeIsSteady(t *testing.T) {
	p, f := compile(t, baseConfig()), baseFacts(prepaid)
	first := p.Judge(f)
	for range 50 {
		require.Equal(t, first, p.Judge(f))
	}
	require.True(t, slices.IsSortedFunc(first.Requirements, func(a, b Requirement) int { return strings.Compare(a.Group, b.Group) }))
}

func FuzzCompile(f *testing.F) {
	for _, when := range []string{
		`change.charge == "prepaid"`, `quote.monthly > 5000 || !quote.known`, `cluster.labels.env == "prod"`, `now.getHours("Asia/Shanghai") < 9`,
		`[1].map(x, x).exists(y, y > change.delta)`, `dyn(change)["delta"] == 1`, `scalebot.change{delta: 1}`, `requester.groups[0]`, `has(change.x)`, `"\`, `change.?delta`, `cluster.labels[?"a"]`,
	} {
		f.Add(when)
	}
	facts := baseFacts()
	f.Fuzz(func(t *testing.T, when string) {
		p, problems := Compile(oneRule(when))
		if (p == nil) != (len(problems) > 0) {
			t.Fatalf("policy %v with problems %v", p, problems)
		}
		for _, b := range problems {
			if b.Text == "" || len(b.Path) == 0 {
				t.Fatalf("a problem without words: %+v", b)
			}
		}
		if p == nil {
			return
		}
		j := p.Judge(facts)
		if o := j.Outcomes[0]; o.Error != "" && (o.Matched || j.Refusal == nil) {
			t.Fatalf("a broken rule was let through: %+v", j)
		}
	})
}

// twentyRules is a policy of twenty rules of the usual kinds.
func twentyRules(t testing.TB) *Policy {
	c := baseConfig()
	for len(c.Rules) < 20 {
		r := c.Rules[len(c.Rules)%3]
		r.Name = strings.Repeat("r", len(c.Rules))
		c.Rules = append(c.Rules, r)
	}
	return compile(t, c)
}

// The issue asks for less than 50 µs a request.
func BenchmarkJudgeTwentyRules(b *testing.B) {
	p, f := twentyRules(b), baseFacts(prepaid)
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(f)
	}
}
