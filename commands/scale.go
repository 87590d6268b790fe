package commands

import (
	"slices"
	"strconv"
	"strings"
)

// scale reads CLUSTER GROUP AMOUNT and the options behind it.
func (p *parser) scale() (*Scale, *UsageError) {
	s := &Scale{}
	if wrong := p.target(s); wrong != nil {
		return nil, wrong
	}
	if wrong := p.group(s); wrong != nil {
		return nil, wrong
	}
	if wrong := p.amount(s); wrong != nil {
		return nil, wrong
	}
	for p.i < len(p.toks) {
		if wrong := p.option(s); wrong != nil {
			return nil, wrong
		}
	}
	return s, nil
}

// temporary reports whether a change would end by itself, which nobody carries out
// yet: "for" is read, so that the answer can say so, but never proposed. Behind a
// prepaid term it is only how long the nodes are needed.
func (s *Scale) temporary() bool {
	return s.For > 0 && !s.needed()
}

// needed reports whether "for" can say how long prepaid nodes are needed.
func (s *Scale) needed() bool { return s.Op != "-" && s.Charge == Prepaid && s.Months > 0 }

// target takes the cluster. A first word that is unknown may be a mistyped verb
// as well, unless what follows it looks like the rest of a scale command.
func (p *parser) target(s *Scale) *UsageError {
	if !p.more() {
		return p.missing("CLUSTER", p.v.clusterNames()...)
	}
	at := p.i
	t, wrong := p.named()
	if wrong != nil {
		return wrong
	}
	known := len(p.v.Clusters) > 0
	if c, ok := p.v.cluster(t.s); ok {
		s.Cluster = c
		return nil
	}
	amountNext := p.more() && looksLikeAmount(p.toks[p.i].s)
	sized := amountNext || p.i+1 < len(p.toks) && looksLikeAmount(p.toks[p.i+1].s)
	if !known && isName(t.s) {
		if near, ok := Nearest(t.s, verbNames()); ok && !p.more() {
			p.replace(at, 1, near)
			return p.fail(CodeVerb, t.s, near)
		}
		s.Cluster = t.s
		return nil
	}
	if amountNext {
		if at := p.clustersWith(t.s); len(at) > 0 { // "task +2"
			for _, c := range at {
				p.replace(p.i-1, 0, c)
			}
			return p.missing("CLUSTER", at...)
		}
	}
	if sized {
		return p.unknown(CodeCluster, t.s, p.v.clusterNames())
	}
	return p.unknown(CodeVerb, t.s, append(p.v.clusterNames(), verbNames()...))
}

// clustersWith are the clusters that have a group of that name.
func (p *parser) clustersWith(group string) []string {
	var all []string
	for c, groups := range p.v.Clusters {
		if slices.ContainsFunc(groups, func(g string) bool { return strings.EqualFold(g, group) }) {
			all = append(all, c)
		}
	}
	slices.Sort(all)
	return all
}

func looksLikeAmount(s string) bool {
	return s != "" && (isSign(s[0]) && (len(s) == 1 || startsWithDigit(s[1:])) || startsWithDigit(s))
}

func isSign(c byte) bool { return c == '+' || c == '-' || c == '=' }

func (p *parser) group(s *Scale) *UsageError {
	groups := p.v.Clusters[s.Cluster]
	if !p.more() {
		return p.missing("GROUP", groups...)
	}
	if g := p.toks[p.i]; !g.quoted && isSign(g.s[0]) {
		return p.groupless(s, groups)
	}
	at := p.i
	t, wrong := p.named()
	if wrong != nil {
		return wrong
	}
	if g, ok := p.v.group(s.Cluster, t.s); ok {
		s.Group = g
		return nil
	}
	wrong = p.unknown(CodeGroup, t.s, groups)
	wrong.Option = s.Cluster
	if i := strings.LastIndexAny(t.s, "+-="); i > 0 && isNumber(t.s[i+1:]) { // "task+2"
		if g, ok := p.v.group(s.Cluster, t.s[:i]); ok {
			p.edits = nil
			p.replace(at, 1, g, t.s[i:])
			wrong.Meant = []string{g + " " + t.s[i:]}
		}
	}
	return wrong
}

// groupless is the error for an amount where the group should be.
func (p *parser) groupless(s *Scale, groups []string) *UsageError {
	words := 1
	if len(p.toks[p.i].s) == 1 {
		words = 2
	}
	if after := p.i + words; after < len(p.toks) && !p.toks[after].stop {
		if g, ok := p.v.group(s.Cluster, p.toks[after].s); ok && len(groups) > 0 { // "+2 task"
			swapped := append([]token{word(g, p.toks[after])}, p.toks[p.i:after]...)
			p.edits = append(p.edits, edit{at: p.i, n: words + 1, with: swapped})
			return p.missing("GROUP", g)
		}
	}
	for _, g := range groups {
		p.replace(p.i, 0, g)
	}
	return p.missing("GROUP", groups...)
}

// sentenceEnds are the signs that people put behind a number without meaning
// them; their full-width forms are folded to these.
const sentenceEnds = ",.;:!。"

// amount takes +2, -2, =10, with or without a space behind the sign.
func (p *parser) amount(s *Scale) *UsageError {
	if !p.more() {
		return p.missing("AMOUNT")
	}
	at := p.i
	t, wrong := p.named()
	if wrong != nil {
		return wrong
	}
	typed, words := t.s, 1
	if len(typed) == 1 && isSign(typed[0]) && p.more() && startsWithDigit(p.toks[p.i].s) && !p.toks[p.i].quoted {
		typed, words = typed+p.toks[p.i].s, 2
		p.i++
	}
	if !t.quoted {
		typed = strings.TrimRight(typed, sentenceEnds) // "+2, please"
	}
	switch {
	case t.quoted:
		return p.fail(CodeAmount, typed)
	case isDigits(typed):
		return p.unsigned(typed, at)
	case typed == "" || !isSign(typed[0]):
		if n := strings.TrimRight(typed, "+-="); len(n) == len(typed)-1 && isDigits(n) { // "2+"
			p.replace(at, 1, typed[len(n):]+n)
			return p.fail(CodeAmount, typed, typed[len(n):]+n)
		}
		return p.fail(CodeAmount, typed)
	}
	op, number := typed[:1], typed[1:]
	if bare := strings.TrimLeft(typed, op); !isDigits(number) {
		if isDigits(bare) { // "--2"
			p.replace(at, words, op+bare)
			return p.fail(CodeAmount, typed, op+bare)
		}
		if n, unit := cutNumber(number); n != "" && isNodeWord(unit) { // "+2nodes"
			p.replace(at, words, op+n)
			return p.fail(CodeAmount, typed, op+n)
		}
		return p.fail(CodeAmount, typed)
	}
	n, tooMuch := count(number)
	switch {
	case tooMuch:
		return p.fail(CodeTooMuch, typed)
	case n == 0 && op != "=":
		return p.fail(CodeZero, typed)
	}
	s.Op, s.N = op, n
	return nil
}

// unsigned is the error for a number without a sign. Removing is never
// proposed: who means it says so.
func (p *parser) unsigned(typed string, at int) *UsageError {
	n, tooMuch := count(typed)
	switch {
	case tooMuch:
		return p.fail(CodeTooMuch, typed)
	case n == 0:
		return p.fail(CodeZero, typed)
	}
	add, set := "+"+strconv.Itoa(n), "="+strconv.Itoa(n)
	p.replace(at, 1, add)
	p.replace(at, 1, set)
	return p.fail(CodeSign, typed, add, set)
}

func isDigits(s string) bool {
	n, rest := cutNumber(s)
	return n != "" && rest == ""
}

// count reads digits, or reports that they say more than MaxAmount.
func count(s string) (n int, tooMuch bool) {
	if s = strings.TrimLeft(s, "0"); s == "" {
		return 0, false
	}
	n, ok := digits(s)
	return n, !ok || n > MaxAmount
}

func isNodeWord(s string) bool {
	switch strings.ToLower(s) {
	case "node", "nodes", "个", "台", "节点", "个节点", "台节点":
		return true
	}
	return false
}
