package approvals

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Judge says what the policy asks of a plan. It never fails: what can't be
// judged is refused.
//
//   - approvals.rules missing altogether: NoRules, with no Outcomes;
//   - a freeze that a person ordered for the cluster: Ordered;
//   - a freeze with From ≤ Now < To whose condition holds: Frozen, and if several
//     hold the one that ends last;
//   - neither where the requester is in one of the groups that may pass it and gave
//     a reason, which is listed in Passed. For a change that starts later, freezes
//     see the time of its start;
//   - a condition of a rule, or of a freeze at its time, that fails to evaluate:
//     RuleBroken, the first of them in the order of the file.
//
// The first of these that is true is the Refusal. Every rule is evaluated and
// has an Outcome in any other case, refused or not, so that a policy can be
// explained. Requirements are listed even beside a Refusal. The caller goes on
// with Judgement.Unopposed, then with Policy.Count.
func (p *Policy) Judge(f Facts) Judgement {
	j := Judgement{PlanHash: f.Plan.Hash}
	if p == nil || !p.given {
		j.Refusal = &Refusal{Code: NoRules}
		return j
	}
	w := newWorld(f)
	j.Outcomes = make([]Outcome, 0, len(p.rules))
	asked := map[string]*Requirement{}
	var broken *Refusal
	for _, r := range p.rules {
		o := Outcome{Rule: r.Name, Require: maps.Clone(r.Require)}
		matched, err := evaluate(r.holds, w)
		if err != nil {
			o.Error = err.Error()
			if broken == nil {
				broken = &Refusal{Code: RuleBroken, Name: r.Name, Error: o.Error}
			}
		} else if matched {
			o.Matched = true
			merge(asked, r.Rule)
		}
		j.Outcomes = append(j.Outcomes, o)
	}
	for _, q := range asked {
		j.Requirements = append(j.Requirements, *q)
	}
	slices.SortFunc(j.Requirements, func(a, b Requirement) int { return cmp.Compare(a.Group, b.Group) })
	then := f.starting()
	frozen, unsure := p.frozen(newWorld(then), &j)
	j.Refusal = cmp.Or(p.ordered(then, &j), frozen, broken, unsure)
	return j
}

// ordered holds a change to the freeze that a person ordered, or notes that it is
// passed.
func (p *Policy) ordered(f Facts, j *Judgement) *Refusal {
	if !f.Order.On(f.Now) {
		return nil
	}
	cluster := f.Plan.Change.Cluster
	if group, ok := passes(p.pass, f); ok {
		j.Passed = append(j.Passed, Pass{Freeze: cluster, Group: group, Reason: f.Reason, Until: f.Order.Until, Order: f.Order})
		return nil
	}
	return &Refusal{Code: Ordered, Name: cluster, Until: f.Order.Until, Order: f.Order, Pass: slices.Clone(p.pass)}
}

// merge adds what a rule asks: the larger number per group, the earliest
// escalation, and every rule that asked, so that the card can say why.
func merge(asked map[string]*Requirement, r Rule) {
	for g, n := range r.Require {
		q := asked[g]
		if q == nil {
			q = &Requirement{Group: g}
			asked[g] = q
		}
		q.N = max(q.N, n)
		q.Rules = append(q.Rules, r.Name)
		if e := r.Escalate; e != nil && e.To != g && (q.Escalate == nil || e.After < q.Escalate.After) {
			earliest := *e
			q.Escalate = &earliest
		}
	}
}

// frozen finds the freeze that refuses a change at its start, and the first that can't be
// told; those that the request passes are noted in the judgement.
func (p *Policy) frozen(w *world, j *Judgement) (hold, broken *Refusal) {
	for _, f := range p.freezes {
		if !f.on(w.Now) {
			continue
		}
		holds, err := true, error(nil)
		if f.holds != nil {
			holds, err = evaluate(f.holds, w)
		}
		switch {
		case err != nil:
			if broken == nil {
				broken = &Refusal{Code: RuleBroken, Name: f.Name, Until: f.To, Error: err.Error()}
			}
		case holds:
			if group, ok := passes(f.Pass, w.Facts); ok {
				j.Passed = append(j.Passed, Pass{Freeze: f.Name, Group: group, Reason: w.Reason, Until: f.To})
			} else if hold == nil || f.To.After(hold.Until) {
				hold = &Refusal{Code: Frozen, Name: f.Name, Until: f.To, Pass: slices.Clone(f.Pass)}
			}
		}
	}
	return hold, broken
}

func (f freeze) on(now time.Time) bool { return !now.Before(f.From) && now.Before(f.To) }

// passes names the group as whose member the requester passes a freeze.
func passes(groups []string, f Facts) (group string, ok bool) {
	if !Reasoned(f.Reason) {
		return "", false
	}
	return firstIn(groups, f.Requester.Groups)
}

// Says is the judgement in a few words for an operator: who is asked, or why it is
// refused. Judgements that say the same decide the same.
func (j Judgement) Says() string {
	if no := j.Refusal; no != nil {
		s := "refused: " + string(no.Code)
		if no.Name != "" {
			s += " " + no.Name
		}
		return s
	}
	if len(j.Requirements) == 0 {
		return "runs without approval"
	}
	asked := make([]string, len(j.Requirements))
	for i, r := range j.Requirements {
		asked[i] = strconv.Itoa(r.N) + " of " + r.Group
	}
	return "asks " + strings.Join(asked, " and ")
}

// Unopposed is the only way to an Approved verdict without votes: no refusal
// and no requirement, on exactly the plan that was judged. A judgement of
// another plan, or one that was never made (the zero Judgement), approves
// nothing.
func (j Judgement) Unopposed(p Plan, now time.Time) (Verdict, bool) {
	if j.Refusal != nil || len(j.Requirements) > 0 || j.PlanHash == "" || j.PlanHash != p.Hash || p.Hash != p.digest() {
		return Verdict{}, false
	}
	return Verdict{Status: Approved, Ballot: Ballot{PlanHash: p.Hash}, At: now}, true
}
