package approvals

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// glassConfig is the base config where leads may break the glass and finops may
// pass the freeze.
func glassConfig() Config {
	c := baseConfig()
	c.BreakGlass = []string{"leads"}
	c.Freezes[0].Pass = []string{"finops", "leads"}
	return c
}

func urgent(edit ...func(*Facts)) Facts {
	f := baseFacts(removal)
	f.Reason = "disk full, jobs fail"
	for _, e := range edit {
		e(&f)
	}
	return f
}

func TestBreakingTheGlass(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Facts)
		want bool
	}{
		{"a member of the group with a reason runs without the ballot", func(*Facts) {}, true},
		{"without a reason nobody does", func(f *Facts) { f.Reason = "" }, false},
		{"an ellipsis is no reason", func(f *Facts) { f.Reason = " … " }, false},
		{"somebody of another group can't", func(f *Facts) { f.Requester.Groups = []string{"finops"} }, false},
		{"somebody in no group can't", func(f *Facts) { f.Requester.Groups = nil }, false},
		{"nobody is nobody", func(f *Facts) { f.Requester.ID = "" }, false},
		{"a freeze that a person ordered stops it", func(f *Facts) { f.Order = &Order{By: "U0LEAD1", Since: noon} }, false},
		{"a plan that was tampered with", func(f *Facts) { f.Plan.Target = 0 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, f := compile(t, glassConfig()), urgent(c.edit)
			v, ok := p.BreakGlass(f, p.Judge(f))
			require.Equal(t, c.want, ok)
			require.Equal(t, c.want, v.Permits(f.Plan))
			if c.want {
				require.Equal(t, &Glass{By: "U0ASKER", Group: "leads", Reason: "disk full, jobs fail", Skipped: []Requirement{{Group: "leads", N: 1, Rules: []string{"scale-in"}}}}, v.Glass)
			}
		})
	}
	t.Run("left out of the config means nobody", func(t *testing.T) {
		p, f := compile(t, baseConfig()), urgent()
		_, ok := p.BreakGlass(f, p.Judge(f))
		require.False(t, ok)
	})
	t.Run("where nobody is asked there is no glass", func(t *testing.T) {
		p, f := compile(t, glassConfig()), urgent(func(f *Facts) { f.Plan = basePlan() })
		j := p.Judge(f)
		_, ok := p.BreakGlass(f, j)
		require.False(t, ok)
		_, free := j.Unopposed(f.Plan, noon)
		require.True(t, free)
	})
	t.Run("a judgement of another plan breaks nothing", func(t *testing.T) {
		p, f := compile(t, glassConfig()), urgent()
		other := urgent(func(f *Facts) {
			f.Plan = basePlan(removal, func(c *providers.Change, _ *providers.Snapshot, _ *providers.Quote) { c.Nodes = []string{"ins-9"} })
		})
		_, ok := p.BreakGlass(f, p.Judge(other))
		require.False(t, ok)
	})
}

func TestAVerdictOfBrokenGlassPermitsOnlyWhatItSays(t *testing.T) {
	p, f := compile(t, glassConfig()), urgent()
	for name, damage := range map[string]func(*Verdict){
		"nobody did it":       func(v *Verdict) { v.Glass.By = "" },
		"of no group":         func(v *Verdict) { v.Glass.Group = "" },
		"for no reason":       func(v *Verdict) { v.Glass.Reason = "" },
		"nothing was skipped": func(v *Verdict) { v.Glass.Skipped = nil },
		"with seats beside": func(v *Verdict) {
			v.Ballot.Seats = []Seat{{Requirement: Requirement{Group: "leads", N: 1}, By: []string{"U1"}}}
		},
		"denied all the same":  func(v *Verdict) { v.Ballot.DeniedBy = []string{"U1"} },
		"not approved":         func(v *Verdict) { v.Status = Pending },
		"of another plan hash": func(v *Verdict) { v.Ballot.PlanHash = "x" },
	} {
		t.Run(name, func(t *testing.T) {
			v, ok := p.BreakGlass(f, p.Judge(f))
			require.True(t, ok)
			require.True(t, v.Permits(f.Plan))
			damage(&v)
			require.False(t, v.Permits(f.Plan))
		})
	}
}

func TestFreezes(t *testing.T) {
	frozen := func(edit ...func(*Facts)) Facts {
		return urgent(append([]func(*Facts){func(f *Facts) { f.Now = time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC) }}, edit...)...)
	}
	order := &Order{By: "U0LEAD1", Reason: "migration", Since: noon}
	for _, c := range []struct {
		name   string
		facts  Facts
		refuse RefusalCode
		passed string
	}{
		{"before it begins nothing holds", urgent(), "", ""},
		{"a group that may pass, with a reason, passes", frozen(), "", "leads"},
		{"without a reason it does not", frozen(func(f *Facts) { f.Reason = "" }), Frozen, ""},
		{"another group does not", frozen(func(f *Facts) { f.Requester.Groups = []string{"ops"} }), Frozen, ""},
		{"the first group named that the person is in is told", frozen(func(f *Facts) { f.Requester.Groups = []string{"leads", "finops"} }), "", "finops"},
		{"an order has no pass", frozen(func(f *Facts) { f.Order = order }), Ordered, "leads"},
		{"an order without an end holds for good", urgent(func(f *Facts) { f.Order, f.Now = order, noon.AddDate(1, 0, 0) }), Ordered, ""},
		{"an order that is over does not", urgent(func(f *Facts) { f.Order = &Order{By: "U1", Until: noon} }), "", ""},
		{"an order holds until its end", urgent(func(f *Facts) { f.Order = &Order{By: "U1", Until: noon.Add(1)} }), Ordered, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, glassConfig())
			j := p.Judge(c.facts)
			if c.refuse == "" {
				require.Nil(t, j.Refusal)
			} else {
				require.NotNil(t, j.Refusal)
				require.Equal(t, c.refuse, j.Refusal.Code)
				_, ok := p.BreakGlass(c.facts, j)
				require.False(t, ok, "broken glass does not open a freeze")
			}
			if c.passed == "" {
				require.Empty(t, j.Passed)
			} else {
				require.Equal(t, []Pass{{Freeze: "year-end", Group: c.passed, Reason: c.facts.Reason, Until: glassConfig().Freezes[0].To}}, j.Passed)
			}
		})
	}
	require.True(t, compile(t, glassConfig()).ReadsGroups(), "who may pass must be looked up")
	require.False(t, compile(t, baseConfig()).ReadsGroups())
}

func TestAnOrderedFreezeIsPassedByTheGroupsNamedForIt(t *testing.T) {
	c := glassConfig()
	c.FreezePass = []string{"finops", "leads"}
	p := compile(t, c)
	require.True(t, p.ReadsGroups())
	o := &Order{By: "U0LEAD1", Reason: "migration", Since: noon, Until: noon.Add(time.Hour)}
	ordered := func(f *Facts) { f.Order = o }
	j := p.Judge(urgent(ordered))
	require.Nil(t, j.Refusal)
	require.Equal(t, []Pass{{Freeze: "emr-m620", Group: "leads", Reason: urgent().Reason, Until: o.Until, Order: o}}, j.Passed)
	for name, edit := range map[string]func(*Facts){
		"without a reason": func(f *Facts) { f.Reason = "" },
		"another group":    func(f *Facts) { f.Requester.Groups = []string{"ops"} },
	} {
		no := p.Judge(urgent(ordered, edit)).Refusal
		require.NotNil(t, no, name)
		require.Equal(t, Ordered, no.Code, name)
		require.Equal(t, c.FreezePass, no.Pass, "it names who may")
	}
	// Both kinds of freeze must be passed, each by its own groups.
	c.Freezes[0].Pass = []string{"finops"}
	no := compile(t, c).Judge(urgent(ordered, func(f *Facts) { f.Now = c.Freezes[0].From; f.Order = &Order{By: "U0LEAD1"} })).Refusal
	require.Equal(t, &Refusal{Code: Frozen, Name: "year-end", Until: c.Freezes[0].To, Pass: []string{"finops"}}, no)
}

func TestGroupsThatAreNotThere(t *testing.T) {
	c := baseConfig()
	c.FreezePass = []string{"lead"}
	c.BreakGlass, c.Freezers, c.Freezes[0].Pass = []string{"leeds"}, []string{"nobody"}, []string{"leads", "finop"}
	_, problems := Compile(c)
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	require.Equal(t, []string{
		"freezes.0.pass.1: there is no approver group finop; did you mean finops?",
		"break_glass.0: there is no approver group leeds; did you mean leads?",
		"freezers.0: there is no approver group nobody",
		"freeze_pass.0: there is no approver group lead; did you mean leads?",
	}, got)
}
