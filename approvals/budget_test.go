package approvals

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func yuan(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func priced(delta int, q providers.Quote) Plan {
	return Plan{Change: providers.Change{Cluster: "emr", Group: "task", Delta: delta, Charge: providers.Postpaid}, Base: 3, Target: 3 + delta, Quote: q}
}

func TestWhatAChangeTakesOfABudget(t *testing.T) {
	cny := &Budget{Centre: "data", Currency: "CNY"}
	for name, c := range map[string]struct {
		plan  Plan
		takes string // "" = unknown
	}{
		"prepaid: the whole term":        {priced(2, providers.Quote{Known: true, Currency: "CNY", Monthly: yuan("100"), Committed: yuan("1200")}), "1200"},
		"by the hour: a full month":      {priced(2, providers.Quote{Known: true, Currency: "CNY", Hourly: yuan("1.5"), Monthly: yuan("1095")}), "1095"},
		"a removal: nothing":             {priced(-2, providers.Quote{Known: true, Currency: "CNY", Monthly: yuan("1095")}), "0"},
		"a removal of an unknown price":  {priced(-2, providers.Quote{}), "0"},
		"an unknown price":               {priced(2, providers.Quote{Currency: "CNY", Monthly: yuan("1")}), ""},
		"another currency":               {priced(2, providers.Quote{Known: true, Currency: "USD", Monthly: yuan("1")}), ""},
		"nothing to pay in any currency": {priced(2, providers.Quote{Known: true, Currency: "USD"}), "0"},
	} {
		amount, known := cny.Takes(c.plan)
		require.Equal(t, c.takes != "", known, name)
		if known {
			require.Equal(t, c.takes, amount.String(), name)
		}
		_, known = (*Budget)(nil).Takes(c.plan)
		require.False(t, known, "no budget: %s", name)
	}
}

func TestRulesReadTheBudget(t *testing.T) {
	b := func(monthly, spent, reserved string) *Budget {
		return &Budget{Centre: "data", Currency: "CNY", Monthly: yuan(monthly), Spent: yuan(spent), Reserved: yuan(reserved)}
	}
	month := priced(2, providers.Quote{Known: true, Currency: "CNY", Hourly: yuan("1"), Monthly: yuan("730")})
	dollars := priced(2, providers.Quote{Known: true, Currency: "USD", Monthly: yuan("730")})
	unknown := priced(2, providers.Quote{})
	for name, c := range map[string]struct {
		when    string
		plan    Plan
		budget  *Budget
		matched bool
		broken  bool
	}{
		"fits exactly":                {`budget.left < change.cost`, month, b("1000", "200", "70"), false, false},
		"one cent too little":         {`budget.left < change.cost`, month, b("1000", "200", "70.01"), true, false},
		"overdrawn":                   {`budget.left < 0.0`, month, b("100", "200", "0"), true, false},
		"the sums":                    {`budget.spent == 200.0 && budget.reserved == 70.0 && budget.monthly == 1000.0`, month, b("1000", "200", "70"), true, false},
		"no budget is broken":         {`budget.left < change.cost`, month, nil, false, true},
		"no budget, guarded":          {`budget.known && budget.left < change.cost`, month, nil, false, false},
		"no budget, closed":           {`!budget.known || budget.left < change.cost`, month, nil, true, false},
		"another currency is unknown": {`budget.known`, dollars, b("1000", "0", "0"), false, false},
		"another currency is broken":  {`budget.left > 0.0`, dollars, b("1000", "0", "0"), false, true},
		"unknown price is broken":     {`budget.left > 0.0`, unknown, b("1000", "0", "0"), false, true},
		"unknown price, guarded":      {`budget.known && budget.left < change.cost`, unknown, b("1000", "0", "0"), false, false},
		"the cost alone":              {`change.cost > 700`, month, nil, true, false},
		"the cost of unknown price":   {`change.cost > 700`, unknown, nil, false, true},
		"as in the issue":             {`budget.known && budget.left < quote.committed`, priced(2, providers.Quote{Known: true, Currency: "CNY", Committed: yuan("5")}), b("4", "0", "0"), true, false},
		"has()":                       {`has(budget.left)`, month, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, problems := Compile(Config{
				Groups: map[string]Group{"leads": {Users: []string{"U1"}}}, Approve: []string{"+1"}, RulesGiven: true,
				Rules: []Rule{{Name: "r", When: c.when, Require: map[string]int{"leads": 1}}},
			})
			require.Empty(t, problems)
			j := p.Judge(Facts{Plan: c.plan, Budget: c.budget, Now: time.Unix(0, 0)})
			require.Equal(t, c.broken, j.Refusal != nil, "%+v", j.Outcomes)
			require.Equal(t, c.matched, j.Outcomes[0].Matched)
		})
	}
}

func TestWhichPoliciesReadTheBudget(t *testing.T) {
	for when, reads := range map[string]bool{
		`budget.known`: true, `dyn(budget).left > 1.0`: true, `change.cost > 1`: false, `quote.known`: false,
	} {
		rule := []Rule{{Name: "r", When: when, Require: map[string]int{"leads": 1}}}
		c := Config{Groups: map[string]Group{"leads": {Users: []string{"U1"}}}, Approve: []string{"+1"}, RulesGiven: true, Rules: rule}
		p, problems := Compile(c)
		require.Empty(t, problems)
		require.Equal(t, reads, p.ReadsBudget(), when)
		c.Rules, c.Freezes = nil, []Freeze{{Name: "f", From: time.Unix(0, 0), To: time.Unix(1, 0), When: when}}
		p, problems = Compile(c)
		require.Empty(t, problems)
		require.Equal(t, reads, p.ReadsBudget(), "a freeze: %s", when)
	}
	require.False(t, (*Policy)(nil).ReadsBudget())
}

func TestARuleOnTheBudgetIsRehearsed(t *testing.T) {
	ten := 10
	places := []Place{{Cluster: "emr", Group: "task", Charge: providers.Postpaid, Max: &ten}}
	p, problems := Compile(Config{
		Groups: map[string]Group{"leads": {Users: []string{"U1"}}}, Approve: []string{"+1"}, RulesGiven: true,
		Rules: []Rule{
			{Name: "over", When: `budget.known && budget.left < change.cost`, Require: map[string]int{"leads": 1}},
			{Name: "low", When: `budget.known && budget.left < 500.0`, Require: map[string]int{"leads": 1}},
			{Name: "never", When: `budget.known && budget.spent < 0.0`, Require: map[string]int{"leads": 1}},
		},
	})
	require.Empty(t, problems)
	idle := p.Idle(places)
	require.Len(t, idle, 1)
	require.Equal(t, "never", idle[0].Rule)
}
