package commands

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Vocabulary is what the caller knows by name: clusters with their groups. It
// decides which names are known and what is proposed instead. Without any
// cluster every name is accepted; a cluster without groups takes any group.
type Vocabulary struct {
	Clusters map[string][]string
	Centres  []string // cost centres; without any, every name is accepted
}

func (v Vocabulary) clusterNames() []string { return slices.Sorted(maps.Keys(v.Clusters)) }

// cluster finds a cluster in any case and gives it back as the vocabulary
// spells it.
func (v Vocabulary) cluster(name string) (string, bool) {
	if _, ok := v.Clusters[name]; ok {
		return name, true
	}
	found := ""
	for c := range v.Clusters {
		// Two names may differ only in case: the smaller wins, so that the answer
		// doesn't depend on the order of a map.
		if strings.EqualFold(c, name) && (found == "" || c < found) {
			found = c
		}
	}
	return found, found != ""
}

func (v Vocabulary) group(cluster, name string) (string, bool) {
	groups := v.Clusters[cluster]
	if len(groups) == 0 {
		return name, isName(name)
	}
	if slices.Contains(groups, name) {
		return name, true
	}
	for _, g := range groups {
		if strings.EqualFold(g, name) {
			return g, true
		}
	}
	return "", false
}

// Parse reads the text of a slash command, or of a mention after TrimMention,
// as Slack delivered it. The error is a *UsageError. No text at all is
// VerbHelp.
func Parse(text string, v Vocabulary) (Command, error) {
	cmd, wrong := parse(text, v)
	if wrong != nil {
		return Command{Raw: text}, wrong
	}
	cmd.Raw = text
	return cmd, nil
}

func parse(text string, v Vocabulary) (Command, *UsageError) {
	if len(text) > MaxLength && utf8.RuneCountInString(text) > MaxLength {
		return Command{}, &UsageError{Code: CodeTooLong}
	}
	plain := uncode(unwrap(text))
	if r, ok := hidden(plain); ok {
		wrong := &UsageError{Code: CodeHidden, Word: codePoint(r)}
		if cmd, err := parse(Wire(unhide(plain)), v); err == nil {
			wrong.Fixed = certain(cmd, v)
		}
		return Command{}, wrong
	}
	var buf [16]token
	p := parser{text: plain, v: v, toks: lex(plain, buf[:0])}
	cmd, wrong := p.command()
	if wrong != nil {
		p.propose(wrong)
	}
	return cmd, wrong
}

// uncode takes off the backticks around a line that was copied out of a code
// span or block.
func uncode(text string) string {
	t := strings.TrimSpace(text)
	if len(t) > 2 && t[0] == '`' && t[len(t)-1] == '`' {
		return strings.Trim(t, "`")
	}
	return text
}

func codePoint(r rune) string {
	hex := strings.ToUpper(strconv.FormatInt(int64(r), 16))
	return "U+" + strings.Repeat("0", max(0, 4-len(hex))) + hex
}

// parser walks over the words of one command.
type parser struct {
	text string
	v    Vocabulary
	toks []token
	i    int
	row  *verbRow

	// edits are the ways to correct what was found wrong, most likely first.
	edits []edit
}

// edit replaces n words from at by others.
type edit struct {
	at, n int
	with  []token
}

// maxRepairs bounds how many wrong words one proposal corrects.
const maxRepairs = 8

// propose fills in Fixed and Also: each correction is carried out and read
// again, further mistakes behind it are corrected on the way, and only a line
// that parses in the end is shown.
func (p *parser) propose(wrong *UsageError) {
	if p.row != nil {
		wrong.Usage = p.row.usage
	}
	if wrong.Code == CodeDuration && wrong.Option == "for" {
		// A duration that is spelled right leads on only where the line does.
		defer func() {
			if wrong.Fixed == "" {
				wrong.Meant = nil
			}
		}()
	}
	for _, e := range p.edits {
		line := p.repair(e)
		switch {
		case line == "" || line == wrong.Fixed || slices.Contains(wrong.Also, line):
		case wrong.Fixed == "":
			wrong.Fixed = line
		default:
			wrong.Also = append(wrong.Also, line)
		}
	}
}

func (p *parser) repair(e edit) string {
	toks := p.toks
	for range maxRepairs {
		next := make([]token, 0, len(toks)+len(e.with))
		next = append(append(append(next, toks[:e.at]...), e.with...), toks[e.at+e.n:]...)
		q := parser{text: p.text, v: p.v, toks: next}
		cmd, wrong := q.command()
		if wrong == nil {
			return certain(cmd, p.v)
		}
		if len(q.edits) == 0 {
			return ""
		}
		toks, e = next, q.edits[0]
	}
	return ""
}

// certain is the command's line, as people type it, if it reads back and would not
// be refused for what no parser can mend, which a proposal must.
func certain(cmd Command, v Vocabulary) string {
	if cmd.Verb == VerbScale && cmd.Scale.temporary() {
		return ""
	}
	line := cmd.String()
	if utf8.RuneCountInString(line) > MaxLength {
		return ""
	}
	q := parser{text: unwrap(line), v: v}
	q.toks = lex(q.text, nil)
	if _, wrong := q.command(); wrong != nil {
		return ""
	}
	return q.text
}

func (p *parser) fail(code Code, word string, meant ...string) *UsageError {
	return &UsageError{Code: code, Word: readable(word), Meant: meant}
}

func (p *parser) replace(at, n int, words ...string) {
	e := edit{at: at, n: n}
	like := p.toks[min(at, len(p.toks)-1)]
	for _, w := range words {
		e.with = append(e.with, word(w, like))
	}
	p.edits = append(p.edits, e)
}

// more reports whether a word is left; a "--" is none.
func (p *parser) more() bool { return p.i < len(p.toks) && !p.toks[p.i].stop }

// named takes the next word as a name or value.
func (p *parser) named() (token, *UsageError) {
	t := p.toks[p.i]
	if t.open {
		closed := t
		closed.open = false
		p.edits = append(p.edits, edit{at: p.i, n: 1, with: []token{closed}})
		return t, p.fail(CodeQuote, p.text[t.start:t.end])
	}
	if t.bare > 1 && isMention(t.s) {
		return t, p.fail(CodeMention, t.s)
	}
	p.i++
	return t, nil
}

func isMention(s string) bool { return s[0] == '@' || s[0] == '#' }

func (p *parser) command() (Command, *UsageError) {
	if len(p.toks) > 0 && isSlash(p.toks[0]) {
		p.i = 1 // a whole line copied out of a document, slash word and all
	}
	if p.i == len(p.toks) {
		return Command{Verb: VerbHelp}, nil
	}
	first := p.toks[p.i]
	if !first.quoted {
		if row, ok := verbOf(first.s); ok {
			p.row = row
			p.i++
			return p.arguments()
		}
	}
	p.row = &verbs[0]
	s, wrong := p.scale()
	return Command{Verb: VerbScale, Scale: s}, wrong
}

func isSlash(t token) bool {
	return !t.quoted && len(t.s) > 1 && t.s[0] == '/' && strings.Trim(t.s[1:], "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

func (p *parser) arguments() (Command, *UsageError) {
	cmd := Command{Verb: p.row.verb}
	var wrong *UsageError
	switch p.row.form {
	case takesNothing:
	case takesScale:
		cmd.Scale, wrong = p.scale()
		return cmd, wrong
	case takesMaybeScale:
		if p.i < len(p.toks) {
			cmd.Scale, wrong = p.scale()
		}
		return cmd, wrong
	case takesTopic:
		if p.more() {
			cmd.Topic, wrong = p.topic()
		}
	case takesTarget:
		if p.more() {
			if id, ok := flowID(p.toks[p.i].s, true); ok && !p.knows(p.toks[p.i].s) {
				cmd.Flow = id
				p.i++
			} else {
				cmd.Cluster, wrong = p.cluster()
			}
		}
	case takesMaybeCluster:
		if p.more() {
			cmd.Cluster, wrong = p.cluster()
		}
	case takesMaybeCentre:
		if p.more() {
			cmd.Centre, wrong = p.centre()
		}
	case takesMandate:
		wrong = p.mandate(&cmd)
	case takesCluster:
		cmd.Cluster, wrong = p.cluster()
	case takesFlow:
		cmd.Flow, wrong = p.flow()
	case takesFlowWithdraw:
		if cmd.Flow, wrong = p.flow(); wrong == nil {
			cmd.Withdraw, wrong = p.withdraw()
		}
	case takesFlowDuration:
		if cmd.Flow, wrong = p.flow(); wrong == nil {
			if p.more() && (strings.EqualFold(p.toks[p.i].s, "for") || strings.EqualFold(p.toks[p.i].s, "by")) {
				p.i++
			}
			cmd.Duration, wrong = p.length()
		}
	case takesFlowReason:
		if cmd.Flow, wrong = p.flow(); wrong == nil {
			cmd.Reason, wrong = p.freeReason()
		}
	case takesFreeze:
		if cmd.Cluster, wrong = p.cluster(); wrong == nil {
			// "for" without a number behind it begins the reason.
			if p.more() && strings.EqualFold(p.toks[p.i].s, "for") && p.i+1 < len(p.toks) && startsWithDigit(p.toks[p.i+1].s) {
				p.i++
				cmd.Duration, wrong = p.length()
			}
			if wrong == nil {
				cmd.Reason, wrong = p.freeReason()
			}
		}
	}
	if wrong != nil {
		return Command{}, wrong
	}
	if p.i < len(p.toks) {
		p.replace(p.i, len(p.toks)-p.i)
		return Command{}, p.fail(CodeExtra, p.text[p.toks[p.i].start:p.toks[p.i].end])
	}
	return cmd, nil
}

func (p *parser) topic() (Verb, *UsageError) {
	t, wrong := p.named()
	if wrong != nil {
		return "", wrong
	}
	if row, ok := verbOf(t.s); ok {
		return row.verb, nil
	}
	if near, ok := Nearest(t.s, verbNames()); ok {
		p.replace(p.i-1, 1, near)
		return "", p.fail(CodeExtra, t.s, near)
	}
	p.replace(p.i-1, 1)
	return "", p.fail(CodeExtra, t.s)
}

func (p *parser) missing(what string, meant ...string) *UsageError {
	return &UsageError{Code: CodeMissing, Option: what, Meant: meant}
}

func (p *parser) knows(cluster string) bool {
	_, ok := p.v.cluster(cluster)
	return ok
}

// cluster takes the name of a cluster behind a verb.
func (p *parser) cluster() (string, *UsageError) {
	if !p.more() {
		return "", p.missing("CLUSTER", p.v.clusterNames()...)
	}
	t, wrong := p.named()
	if wrong != nil {
		return "", wrong
	}
	if len(p.v.Clusters) == 0 && isName(t.s) {
		return t.s, nil
	}
	if c, ok := p.v.cluster(t.s); ok {
		return c, nil
	}
	return "", p.unknown(CodeCluster, t.s, p.v.clusterNames())
}

// centre takes the name of a cost centre.
func (p *parser) centre() (string, *UsageError) {
	t, wrong := p.named()
	if wrong != nil {
		return "", wrong
	}
	if len(p.v.Centres) == 0 && isName(t.s) {
		return t.s, nil
	}
	if i := slices.IndexFunc(p.v.Centres, func(c string) bool { return strings.EqualFold(c, t.s) }); i >= 0 {
		if slices.Contains(p.v.Centres, t.s) {
			return t.s, nil
		}
		return p.v.Centres[i], nil
	}
	return "", p.unknown(CodeCentre, t.s, p.v.Centres)
}

// unknown is the error for the name just taken, with the nearest known one.
func (p *parser) unknown(code Code, name string, known []string) *UsageError {
	if near, ok := Nearest(name, known); ok {
		p.replace(p.i-1, 1, near)
		return p.fail(code, name, near)
	}
	return p.fail(code, name)
}

func (p *parser) flow() (string, *UsageError) {
	if !p.more() {
		return "", p.missing("FLOW")
	}
	t, wrong := p.named()
	if wrong != nil {
		return "", wrong
	}
	if id, ok := flowID(t.s, false); ok {
		return id, nil
	}
	return "", p.fail(CodeFlow, t.s)
}

// withdraw takes the one word that may follow an approval. A misspelt one is
// proposed as it was meant: left out, the line would say the opposite.
func (p *parser) withdraw() (bool, *UsageError) {
	if !p.more() {
		return false, nil
	}
	if p.word("withdraw", "撤回") {
		return true, nil
	}
	t, wrong := p.named()
	if wrong != nil {
		return false, wrong
	}
	if near, ok := Nearest(strings.TrimLeft(t.s, "-"), []string{"withdraw"}); ok {
		p.replace(p.i-1, 1, near)
		return false, p.fail(CodeExtra, t.s, near)
	}
	p.i-- // one word too many, like behind any other verb
	return false, nil
}

// flowID reads F-7K3Q in any case, without its "F-" too unless whole is asked
// for.
func flowID(s string, whole bool) (string, bool) {
	rest := s
	if len(s) > 2 && s[0]|0x20 == 'f' && s[1] == '-' {
		rest = s[2:]
	} else if whole {
		return "", false
	}
	if len(rest) < 3 || len(rest) > 12 {
		return "", false
	}
	for i := range len(rest) {
		if c := rest[i] | 0x20; (c < 'a' || c > 'z') && (rest[i] < '0' || rest[i] > '9') {
			return "", false
		}
	}
	return "F-" + strings.ToUpper(rest), true
}

// length takes the duration of freeze and extend.
func (p *parser) length() (d time.Duration, wrong *UsageError) {
	if !p.more() {
		return 0, p.missing("DURATION")
	}
	at := p.i
	t, wrong := p.named()
	if wrong != nil {
		return 0, wrong
	}
	return p.duration(string(p.row.verb), t.s, at, 1, "")
}

// duration reads s, which stands in n words from at, behind prefix.
func (p *parser) duration(option, s string, at, n int, prefix string) (time.Duration, *UsageError) {
	if d, ok := readDuration(s); ok {
		return d, nil
	}
	shown := s
	if at+n < len(p.toks) && isNumber(s) {
		if next := p.toks[at+n]; !next.quoted { // "6 h"
			if _, ok := unitOf(next.s); ok {
				shown, s = s+" "+next.s, s+next.s
				n++
			}
		}
	}
	var meant []string
	if guess := guessDuration(s); guess != "" {
		p.replace(at, n, prefix+guess)
		meant = []string{guess}
	}
	wrong := p.fail(CodeDuration, shown, meant...)
	wrong.Option = option
	return 0, wrong
}

func isNumber(s string) bool {
	_, ok := digits(s)
	return ok
}

// freeReason takes all that is left as a reason: behind "--", behind reason=,
// or just so.
func (p *parser) freeReason() (string, *UsageError) {
	if p.i == len(p.toks) {
		return "", nil
	}
	t := p.toks[p.i]
	if t.stop || t.dash {
		return p.rest(t.end), nil
	}
	name, _, has := cutOption(t)
	if last := p.i == len(p.toks)-1; has && strings.EqualFold(name, "reason") || last && t.quoted && t.bare == 0 && !t.open {
		if t, wrong := p.named(); wrong != nil {
			return "", wrong
		} else if !has {
			return strings.TrimSpace(t.s), nil
		}
		return strings.TrimSpace(t.s[len(name)+1:]), nil
	}
	return p.rest(t.start), nil
}

// rest is the text from an offset on, as typed, and ends the words.
func (p *parser) rest(from int) string {
	p.i = len(p.toks)
	return strings.TrimSpace(p.text[from:])
}

func startsWithDigit(s string) bool { return s != "" && isDigit(rune(s[0])) }
