package approvals

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"

	"scalebot/providers"
)

// Policy is a compiled Config: it judges plans and counts ballots. It is read
// only and safe for concurrent use. The zero Policy and a nil one refuse every
// plan and count no vote.
type Policy struct {
	given     bool
	groups    map[string]Group
	approve   map[string]bool // canonical names
	deny      map[string]bool
	approveBy []string // as written, for the card to seed and name
	denyBy    []string
	self      bool
	reads     bool     // a condition may read requester.groups
	glass     []string // groups whose members may break the glass
	pass      []string // groups whose members pass an ordered freeze
	rules     []rule
	freezes   []freeze
}

type rule struct {
	Rule
	condition
}

// condition is a compiled one: whether it holds, what it reads, and its tree.
type condition struct {
	holds cel.Program // nil = always
	reads []read
	ast   *cel.Ast
}

type freeze struct {
	Freeze
	condition // its holds is nil for every change
}

// Problem is one thing wrong with the approvals section of the config file.
// Path leads to the offending key below approvals, e.g. ["rules","0","when"].
type Problem struct {
	Path    []string
	Text    string // one sentence: what is wrong
	Suggest string // the nearest right value; "" = none
}

// Error lets a Problem travel as an error.
func (p Problem) Error() string {
	s := strings.Join(p.Path, ".") + ": " + p.Text
	if p.Suggest != "" {
		s += "; did you mean " + p.Suggest + "?"
	}
	return s
}

// Compile checks the whole section and type-checks its conditions. It returns
// every problem at once, in the order of the file, and a Policy only when there
// is none. Rules that are missing altogether are no problem here: Judge refuses
// every plan then (NoRules) and the doctor warns.
func Compile(c Config) (*Policy, []Problem) {
	k := compiler{c: c, p: &Policy{given: c.RulesGiven, groups: map[string]Group{}, self: c.SelfApproval}}
	for name, g := range c.Groups {
		k.p.groups[name] = g.clone()
	}
	conds, err := newConditions(sortedKeys(c.Groups))
	if err != nil {
		return nil, []Problem{{Path: []string{"rules"}, Text: err.Error()}}
	}
	k.conds = conds
	k.checkGroups()
	k.checkReactions()
	k.checkNumbers()
	k.checkRules()
	k.checkFreezes()
	k.p.glass, k.p.pass = slices.Clone(c.BreakGlass), slices.Clone(c.FreezePass)
	k.checkNames([]string{"break_glass"}, c.BreakGlass)
	k.checkNames([]string{"freezers"}, c.Freezers)
	k.checkNames([]string{"freeze_pass"}, c.FreezePass)
	if len(k.problems) > 0 {
		return nil, k.problems
	}
	k.p.reads = conds.readsGroups || len(c.FreezePass) > 0 || slices.ContainsFunc(c.Freezes, func(f Freeze) bool { return len(f.Pass) > 0 })
	return k.p, nil
}

// ReadsGroups reports whether the outcome of Judge may turn on Requester.Groups,
// so that a caller need not look up groups that no condition asks about.
func (p *Policy) ReadsGroups() bool { return p != nil && p.reads }

type compiler struct {
	c        Config
	p        *Policy
	conds    *conditions
	problems []Problem
}

func (k *compiler) bad(path []string, suggest, format string, args ...any) {
	k.problems = append(k.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...), Suggest: suggest})
}

func (k *compiler) checkGroups() {
	for _, name := range sortedKeys(k.c.Groups) {
		g := k.c.Groups[name]
		path := []string{"groups", name}
		if strings.TrimSpace(name) == "" {
			k.bad(path, "", "an approver group needs a name")
		}
		if len(g.Users) == 0 && len(g.Usergroups) == 0 {
			k.bad(path, "", "approver group %s is empty: nobody could ever approve; give it users or usergroups", name)
		}
		k.checkIDs([]string{"groups", name, "users"}, g.Users)
		k.checkIDs([]string{"groups", name, "usergroups"}, g.Usergroups)
	}
}

func (k *compiler) checkIDs(path []string, ids []string) {
	for i, id := range ids {
		if strings.TrimSpace(id) == "" {
			k.bad(append(slices.Clone(path), strconv.Itoa(i)), "", "a Slack id is missing")
		}
	}
}

func (k *compiler) checkReactions() {
	k.p.approveBy, k.p.denyBy = slices.Clone(k.c.Approve), slices.Clone(k.c.Deny)
	k.p.approve = k.emoji("approve", k.c.Approve)
	k.p.deny = k.emoji("deny", k.c.Deny)
	if len(k.c.Rules) > 0 && len(k.c.Approve) == 0 {
		k.bad([]string{"reactions", "approve"}, "[white_check_mark]", "there is no reaction to approve with")
	}
	for i, name := range k.c.Deny {
		if k.p.approve[canonical(name)] {
			k.bad([]string{"reactions", "deny", strconv.Itoa(i)}, "", "%s can't both approve and deny", name)
		}
	}
}

func (k *compiler) emoji(side string, names []string) map[string]bool {
	set := map[string]bool{}
	for i, name := range names {
		if !emojiName(name) {
			k.bad([]string{"reactions", side, strconv.Itoa(i)}, emojiMeant(name), "%q is no emoji name: write it as Slack does, in lower case without colons and skin tone", name)
			continue
		}
		set[canonical(name)] = true
	}
	return set
}

func (k *compiler) checkNumbers() {
	if k.c.ExpireAfter < 0 {
		k.bad([]string{"expire_after"}, "", "a ballot can't expire before it opens: %s", k.c.ExpireAfter)
	}
	if t := k.c.PriceTolerance; !(t >= 0 && t <= 1) { // also refuses NaN
		k.bad([]string{"price_tolerance"}, "5%", "the tolerance must be between 0%% and 100%%, this is %v", t)
	}
}

func (k *compiler) checkRules() {
	first := map[string]int{}
	for i, r := range k.c.Rules {
		at := func(keys ...string) []string { return append([]string{"rules", strconv.Itoa(i)}, keys...) }
		if strings.TrimSpace(r.Name) == "" {
			k.bad(at("name"), "", "a rule needs a name: people read it on the card")
		} else if j, dup := first[r.Name]; dup {
			k.bad(at("name"), "", "rule %d is called %s too", j+1, r.Name)
		} else {
			first[r.Name] = i
		}
		r.Require = maps.Clone(r.Require)
		if r.Escalate != nil {
			e := *r.Escalate
			r.Escalate = &e
			k.checkEscalation(at, r)
		}
		k.p.rules = append(k.p.rules, rule{r, k.condition(at("when"), r.When)})
		if len(r.Require) == 0 {
			k.bad(at("require"), "", "the rule asks for nobody: name a group and how many of it")
		}
		for _, g := range sortedKeys(r.Require) {
			k.checkRequire(at("require", g), g, r.Require[g])
		}
	}
}

func (k *compiler) checkRequire(path []string, name string, n int) {
	g, ok := k.c.Groups[name]
	switch {
	case !ok:
		k.bad(path, providers.Nearest(name, sortedKeys(k.c.Groups)), "there is no approver group %s", name)
	case n < 1:
		k.bad(path, "1", "a rule must ask for at least one person, this asks for %d", n)
	case len(g.Users) > 0 && len(g.Usergroups) == 0 && distinct(g.Users) < n:
		k.bad(path, strconv.Itoa(distinct(g.Users)), "the rule asks for %d people of %s, which has only %d", n, name, distinct(g.Users))
	}
}

func (k *compiler) checkEscalation(at func(...string) []string, r Rule) {
	e := r.Escalate
	if e.After <= 0 {
		k.bad(at("escalate", "after"), "1h", "an escalation needs a time after which it comes, this says %s", e.After)
	} else if k.c.ExpireAfter > 0 && e.After >= k.c.ExpireAfter {
		k.bad(at("escalate", "after"), "", "the escalation after %s never comes: the ballot expires after %s", e.After, k.c.ExpireAfter)
	}
	_, asked := r.Require[e.To]
	if _, ok := k.c.Groups[e.To]; !ok {
		k.bad(at("escalate", "to"), providers.Nearest(e.To, sortedKeys(k.c.Groups)), "there is no approver group %s", e.To)
	} else if asked && len(r.Require) == 1 {
		k.bad(at("escalate", "to"), "", "the rule asks %s already: name another group, or leave escalate out", e.To)
	}
}

func (k *compiler) checkFreezes() {
	first := map[string]int{}
	for i, f := range k.c.Freezes {
		at := func(key string) []string { return []string{"freezes", strconv.Itoa(i), key} }
		if strings.TrimSpace(f.Name) == "" {
			k.bad(at("name"), "", "a freeze needs a name: people read it when they are refused")
		} else if j, dup := first[f.Name]; dup {
			k.bad(at("name"), "", "freeze %d is called %s too", j+1, f.Name)
		} else {
			first[f.Name] = i
		}
		if !f.From.Before(f.To) {
			k.bad(at("to"), "", "the freeze must end after it begins")
		}
		f.Pass = slices.Clone(f.Pass)
		k.checkNames(at("pass"), f.Pass)
		fr := freeze{Freeze: f}
		if f.When != "" {
			fr.condition = k.condition(at("when"), f.When)
		}
		k.p.freezes = append(k.p.freezes, fr)
	}
}

func (k *compiler) condition(path []string, when string) condition {
	made, found := k.conds.compile(when)
	for _, f := range found {
		k.bad(path, f.suggest, "%s", f.text)
	}
	return made
}

// checkNames holds a list to the approver groups that there are.
func (k *compiler) checkNames(path []string, names []string) {
	for i, name := range names {
		if _, ok := k.c.Groups[name]; !ok {
			k.bad(append(slices.Clone(path), strconv.Itoa(i)), providers.Nearest(name, sortedKeys(k.c.Groups)), "there is no approver group %s", name)
		}
	}
}

// Approve are the emoji names that approve, as the file has them, first the one
// to seed the card with.
func (p *Policy) Approve() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.approveBy)
}

// Deny are the emoji names that deny, as the file has them.
func (p *Policy) Deny() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.denyBy)
}

func (g Group) clone() Group {
	return Group{Users: slices.Clone(g.Users), Usergroups: slices.Clone(g.Usergroups)}
}

func distinct(ids []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(ids))))
}

// aliases are Slack's two names for one emoji. white_check_mark and
// heavy_check_mark are two emoji and stay apart.
var aliases = map[string]string{"thumbsup": "+1", "thumbsdown": "-1"}

// canonical strips the skin tone that Slack appends ("+1::skin-tone-3") and
// resolves aliases, so that one person's thumbs in two colours are one vote.
func canonical(name string) string {
	if i := strings.Index(name, "::skin-tone-"); i >= 0 {
		name = name[:i]
	}
	if a, ok := aliases[name]; ok {
		return a
	}
	return name
}

// emojiName accepts what Slack gives out: lower-case letters of any script,
// digits, and the signs _ - + '.
func emojiName(name string) bool {
	if name == "" || len(name) > 100 {
		return false
	}
	for _, r := range name {
		if unicode.IsDigit(r) || strings.ContainsRune("_-+'", r) {
			continue
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) || unicode.IsUpper(r) || r == '\ufe0f' {
			return false
		}
	}
	return true
}

// drawn are the names of emoji that people paste as such.
var drawn = map[string]string{"✅": "white_check_mark", "✔": "heavy_check_mark", "👍": "+1", "👎": "-1", "❌": "x", "⛔": "no_entry", "🚫": "no_entry_sign"}

func emojiMeant(name string) string {
	name = strings.ToLower(strings.Trim(strings.TrimSpace(name), ":"))
	name = strings.TrimSuffix(canonical(name), "\ufe0f")
	if d, ok := drawn[name]; ok {
		return d
	}
	if emojiName(name) {
		return name
	}
	return ""
}
