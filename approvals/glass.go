package approvals

import (
	"slices"
	"strings"
	"unicode"
)

// Glass says who ran a change without its ballot, and what was skipped. It stands
// in the verdict, so that nothing can run this way without being told from an
// approval.
type Glass struct {
	By      string        `json:"by"`      // Slack user id: the requester
	Group   string        `json:"group"`   // of Config.BreakGlass, as whose member
	Reason  string        `json:"reason"`  // as given
	Skipped []Requirement `json:"skipped"` // who would have been asked
}

// whole reports whether nothing is missing that must be known about it.
func (g *Glass) whole() bool {
	return g.By != "" && g.Group != "" && Reasoned(g.Reason) && len(g.Skipped) > 0
}

// BreakGlass is the only way past a ballot that somebody asked for. It holds
// where the requester is in one of the groups of Config.BreakGlass, gave a reason,
// and the judgement, of exactly this plan, refuses nothing: a freeze, a missing
// rule file or a broken rule stops it like any other request. Where nobody is
// asked there is no glass to break: Unopposed answers that.
func (p *Policy) BreakGlass(f Facts, j Judgement) (Verdict, bool) {
	if p == nil || j.Refusal != nil || len(j.Requirements) == 0 || j.PlanHash == "" || j.PlanHash != f.Plan.Hash || f.Plan.Hash != f.Plan.digest() {
		return Verdict{}, false
	}
	group, ok := firstIn(p.glass, f.Requester.Groups)
	glass := &Glass{By: f.Requester.ID, Group: group, Reason: f.Reason, Skipped: slices.Clone(j.Requirements)}
	if !ok || !glass.whole() {
		return Verdict{}, false
	}
	return Verdict{Status: Approved, Ballot: Ballot{PlanHash: f.Plan.Hash}, At: f.Now, Glass: glass}, true
}

// Reasoned reports whether a text says anything: the "…" of a line that was
// proposed to be filled in does not.
func Reasoned(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// firstIn is the first of the wanted names that is among those had.
func firstIn(wanted, had []string) (string, bool) {
	i := slices.IndexFunc(wanted, func(name string) bool { return slices.Contains(had, name) })
	if i < 0 {
		return "", false
	}
	return wanted[i], true
}
