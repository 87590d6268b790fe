package config

import (
	"fmt"
	"slices"

	"scalebot/approvals"
	"scalebot/providers"
)

func (b *builder) people(path []string, k peopleKeys) approvals.Group {
	b.twice(below(path, "users"), k.Users)
	b.twice(below(path, "usergroups"), k.Usergroups)
	return approvals.Group{Users: k.Users, Usergroups: k.Usergroups}
}

// approvals checks the section for form; its meaning is for approvals.Compile to
// check.
func (b *builder) approvals() {
	k := b.file.Approvals
	b.cfg.RemindAfter, b.cfg.Grace = k.RemindAfter, k.Grace
	b.cfg.Renewals = k.Renewals
	for i, lead := range k.Renewals {
		if at := []string{"approvals", "renewal_reminders", fmt.Sprint(i)}; lead > 0 && slices.Contains(k.Renewals[:i], lead) {
			b.at(at, "is named twice", "")
		}
	}
	c := approvals.Config{
		Groups:         map[string]approvals.Group{},
		Approve:        k.Reactions.Approve,
		Deny:           k.Reactions.Deny,
		ExpireAfter:    k.ExpireAfter,
		PriceTolerance: float64(k.PriceTolerance),
		SelfApproval:   k.SelfApproval,
		RulesGiven:     b.root.has("approvals", "rules"),
	}
	for _, name := range sorted(k.Groups) {
		c.Groups[name] = b.people([]string{"approvals", "groups", name}, k.Groups[name])
	}
	for _, r := range k.Rules {
		rule := approvals.Rule{Name: r.Name, When: r.When, Require: r.Require}
		if e := r.Escalate; e != nil {
			rule.Escalate = &approvals.Escalation{After: e.After, To: e.To}
		}
		c.Rules = append(c.Rules, rule)
	}
	for _, f := range k.Freezes {
		c.Freezes = append(c.Freezes, approvals.Freeze{Name: f.Name, From: f.From, To: f.To, When: f.When, Pass: f.Pass})
	}
	c.Freezers, c.FreezePass, c.BreakGlass = b.freezers(k, c), k.FreezePass, k.BreakGlass
	b.twice([]string{"approvals", "freeze_pass"}, k.FreezePass)
	b.twice([]string{"approvals", "break_glass"}, k.BreakGlass)
	b.cfg.Approvals = c
	b.settle(k, c)
	_, found := approvals.Compile(c)
	problems := make([]providers.Problem, len(found))
	for i, p := range found {
		problems[i] = providers.Problem(p)
	}
	b.adopt([]string{"approvals"}, problems)

	rules := []string{"approvals", "rules"}
	switch {
	case !c.RulesGiven:
		b.warn(rules, "is missing: every change will be refused; write [] if none shall need approval")
	case len(c.Rules) == 0:
		b.warn(rules, "has no rule: every change runs without approval")
	}
}

// freezers fills in the default; a list that is there and names nobody would turn
// the command off in a way that nobody reads.
func (b *builder) freezers(k approvalKeys, c approvals.Config) []string {
	path := []string{"approvals", "freezers"}
	if !b.root.has(path...) {
		return sorted(c.Groups)
	}
	if len(k.Freezers) == 0 && !b.overlaps(path) {
		b.at(path, "names nobody: no cluster could be frozen; leave it out for all approver groups", "")
	}
	b.twice(path, k.Freezers)
	return k.Freezers
}

func (b *builder) settle(k approvalKeys, c approvals.Config) {
	path := []string{"approvals", "settle"}
	b.cfg.Settle = k.Settle
	if !b.root.has(path...) {
		b.cfg.Settle = sorted(c.Groups)
		return
	}
	if len(k.Settle) == 0 && !b.overlaps(path) {
		b.at(path, "names nobody: a flow in doubt could never be settled", "")
	}
	b.twice(path, k.Settle)
	for i, name := range k.Settle {
		if _, ok := c.Groups[name]; !ok && name != "" {
			b.at(below(path, fmt.Sprint(i)), fmt.Sprintf("no group %q in approvals.groups", name), providers.Nearest(name, sorted(c.Groups)))
		}
	}
	b.cfg.Settle = slices.Clone(k.Settle)
}
