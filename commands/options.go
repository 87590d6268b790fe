package commands

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// optionNames are the options as the help spells them.
func optionNames() []string {
	return []string{"for", "at", "prepaid", "postpaid", "spot", "renew", "no-renew", "spec", "disk", "zone", "nodes",
		"drain", "start", "no-start", "bootstrap", "no-bootstrap", "tag", "dry-run", "break-glass", "reason"}
}

// optionOf gives the name of an option in any spelling, without dashes.
func optionOf(name string) (string, bool) {
	name = strings.ToLower(name) // no copy when it is lower case already
	switch name {
	case "for", "at", Prepaid, Postpaid, Spot, "renew", "no-renew", "spec", "disk", "zone", "nodes",
		"drain", "start", "no-start", "bootstrap", "no-bootstrap", "tag", "dry-run", "break-glass", "reason":
		return name, true
	case "dryrun":
		return "dry-run", true
	case "breakglass":
		return "break-glass", true
	case "auto-renew", "autorenew":
		return "renew", true
	case "norenew", "no-auto-renew", "no-autorenew", "noautorenew":
		return "no-renew", true
	case "nostart":
		return "no-start", true
	case "nobootstrap":
		return "no-bootstrap", true
	case "node":
		return "nodes", true
	case "disks":
		return "disk", true
	case "tags":
		return "tag", true
	}
	return "", false
}

// cutOption parts a word at its first = or : outside quotes. name keeps its
// dashes.
func cutOption(t token) (name, value string, has bool) {
	for i := range t.bare {
		if t.s[i] == '=' || t.s[i] == ':' {
			return t.s[:i], t.s[i+1:], true
		}
	}
	if t.bare < len(t.s) {
		return "", "", false
	}
	return t.s, "", false
}

// isOption reports whether a word is an option rather than the value of the one
// before it.
func isOption(t token) bool {
	if t.stop || t.dash {
		return true
	}
	if t.quoted && t.bare == 0 {
		return false
	}
	name, _, _ := cutOption(t)
	_, ok := optionOf(strings.TrimPrefix(name, "--"))
	return ok
}

// asked is one option as it stands in the command.
type asked struct {
	name  string // as optionOf gives it
	value string
	has   bool // a value was joined by = or :, possibly an empty one
	at, n int  // the words it takes so far
}

func (p *parser) option(s *Scale) *UsageError {
	t := p.toks[p.i]
	if t.stop || t.dash {
		return p.setReason(s, p.rest(t.end))
	}
	typed, value, has := cutOption(t)
	name, ok := optionOf(strings.TrimPrefix(typed, "--"))
	if !ok || t.quoted && t.bare == 0 {
		return p.strange(s, t, typed)
	}
	at := p.i
	if _, wrong := p.named(); wrong != nil {
		return wrong
	}
	a := asked{name: name, value: value, has: has, at: at, n: 1}
	switch name {
	case Prepaid:
		return p.prepaid(s, a)
	case Postpaid, Spot:
		if wrong := p.bare(a); wrong != nil {
			return wrong
		}
		return setWord(p, &s.Charge, name, name)
	case "renew", "no-renew":
		return p.flag(&s.Renew, a)
	case "start", "no-start":
		return p.flag(&s.Start, a)
	case "bootstrap", "no-bootstrap":
		return p.flag(&s.Bootstrap, a)
	case "dry-run":
		s.DryRun = true
		return p.bare(a)
	case "break-glass":
		s.BreakGlass = true
		return p.bare(a)
	}
	return p.valued(s, a)
}

func (p *parser) valued(s *Scale, a asked) *UsageError {
	if wrong := p.fetch(&a); wrong != nil {
		return wrong
	}
	switch a.name {
	case "for":
		return p.setDuration(&s.For, a)
	case "drain":
		return p.setDuration(&s.Drain, a)
	case "at":
		return p.setWhen(s, a)
	case "spec":
		return p.setName(&s.InstanceType, a)
	case "zone":
		return p.setName(&s.Zone, a)
	case "nodes":
		return p.addNodes(s, a)
	case "disk":
		return p.addDisk(s, a)
	case "tag":
		return p.addTag(s, a)
	}
	return p.setReason(s, strings.TrimSpace(a.value))
}

// wants says how an option with a value is written.
func wants(option string) string {
	switch option {
	case "for":
		return "for 6h"
	case "at":
		return "at 02:00"
	case "spec":
		return "spec=TYPE"
	case "disk":
		return "disk=TYPE:GiBxN (disk=CLOUD_SSD:100x2)"
	case "zone":
		return "zone=ZONE"
	case "nodes":
		return "nodes=ID,ID"
	case "drain":
		return "drain=30m"
	case "tag":
		return "tag=KEY=VALUE"
	}
	return `reason="…"`
}

// fetch completes an option with its value: the one joined to it, else the next
// word, behind a lone "=" if there is one.
func (p *parser) fetch(a *asked) *UsageError {
	if a.value == "" && !p.toks[a.at].quoted {
		if !a.has && p.more() && p.toks[p.i].is("=") {
			p.i++
		}
		if p.more() && !isOption(p.toks[p.i]) {
			t, wrong := p.named()
			if wrong != nil {
				return wrong
			}
			a.value = t.s
			if !a.has && len(t.s) > 1 && t.s[0] == '=' && t.bare > 0 { // "zone =x"
				a.value = t.s[1:]
			}
		}
		a.n = p.i - a.at
	}
	switch {
	case a.value == "":
		return &UsageError{Code: CodeNoValue, Option: a.name, Form: wants(a.name)}
	case a.value[0] == '@' && !p.toks[p.i-1].quoted:
		return p.fail(CodeMention, a.value)
	}
	return nil
}

// bad is the error for the value of an option.
func (p *parser) bad(a asked) *UsageError {
	wrong := p.fail(CodeValue, a.value)
	wrong.Option, wrong.Form = a.name, wants(a.name)
	return wrong
}

// bare refuses a value for an option that takes none.
func (p *parser) bare(a asked) *UsageError {
	if !a.has {
		return nil
	}
	wrong := p.fail(CodeFlagValue, a.value)
	wrong.Option = a.name
	off := strings.TrimPrefix(a.name, "no-")
	if off == a.name {
		off = "no-" + a.name
	}
	_, switchable := optionOf(off)
	switch strings.ToLower(a.value) {
	case "", "true", "yes", "on", "1":
		wrong.Meant = []string{a.name}
		p.replace(a.at, 1, a.name)
	case "false", "no", "off", "0":
		if switchable {
			wrong.Meant = []string{off}
			p.replace(a.at, 1, off)
		}
	}
	return wrong
}

func (p *parser) flag(to **bool, a asked) *UsageError {
	if wrong := p.bare(a); wrong != nil {
		return wrong
	}
	on := !strings.HasPrefix(a.name, "no-")
	if *to != nil && **to != on {
		name := strings.TrimPrefix(a.name, "no-")
		return p.conflict(name, "no-"+name)
	}
	*to = &on
	return nil
}

// conflict has no correction: which of two contradicting words was meant, only
// the person knows.
func (p *parser) conflict(first, second string) *UsageError {
	wrong := p.fail(CodeConflict, second)
	wrong.Option = readable(first)
	return wrong
}

// setWord sets what can be said once; saying the same again does no harm.
func setWord(p *parser, to *string, value, shown string) *UsageError {
	if *to != "" && *to != value {
		return p.conflict(*to, shown)
	}
	*to = value
	return nil
}

func (p *parser) setReason(s *Scale, text string) *UsageError {
	if text == "" {
		return &UsageError{Code: CodeNoValue, Option: "reason", Form: "-- why"}
	}
	return setWord(p, &s.Reason, text, text)
}

func (p *parser) setName(to *string, a asked) *UsageError {
	if !isName(a.value) {
		return p.bad(a)
	}
	return setWord(p, to, a.value, a.value)
}

func (p *parser) setDuration(to *time.Duration, a asked) *UsageError {
	d, wrong := p.duration(a.name, a.value, a.at, a.n, a.name+"=")
	if wrong != nil {
		return wrong
	}
	if *to != 0 && *to != d {
		return p.conflict(a.name+" "+spellDuration(*to), a.name+" "+spellDuration(d))
	}
	*to = d
	return nil
}

// prepaid takes an optional term. A number behind it is always meant as one.
func (p *parser) prepaid(s *Scale, a asked) *UsageError {
	if wrong := setWord(p, &s.Charge, Prepaid, Prepaid); wrong != nil {
		return wrong
	}
	if a.value == "" && !p.toks[a.at].quoted {
		next := p.i
		if !a.has && next < len(p.toks) && p.toks[next].is("=") {
			next++
		}
		if next < len(p.toks) && !p.toks[next].quoted && startsWithDigit(p.toks[next].s) {
			a.value = p.toks[next].s
			p.i = next + 1
		}
		a.n = p.i - a.at
	}
	if a.value == "" {
		if a.has {
			return &UsageError{Code: CodeNoValue, Option: Prepaid, Form: "prepaid 1m|3m|1y"}
		}
		return nil
	}
	months, ok := readTerm(a.value)
	if !ok {
		return p.badTerm(a)
	}
	if s.Months != 0 && s.Months != months {
		return p.conflict(Prepaid+" "+spellTerm(s.Months), Prepaid+" "+spellTerm(months))
	}
	s.Months = months
	return nil
}

// badTerm is the error for a term, which may stand in two words: "1 month".
func (p *parser) badTerm(a asked) *UsageError {
	shown, n := a.value, a.n
	guesses := guessTerm(a.value)
	if isDigits(a.value) && p.more() && !p.toks[p.i].quoted {
		unit := p.toks[p.i].s
		joined := guessTerm(a.value + unit)
		if _, ok := readTerm(a.value + unit); ok {
			joined = []string{a.value + unit}
		}
		if len(joined) > 0 {
			shown, guesses = a.value+" "+unit, joined
			n++
		}
	}
	var meant []string
	for _, guess := range guesses {
		if _, ok := readTerm(guess); ok {
			meant = append(meant, guess)
			p.replace(a.at, n, Prepaid, guess)
		}
	}
	return p.fail(CodeTerm, shown, meant...)
}

// setWhen takes a time; date and time, and an offset, may be words of their own.
func (p *parser) setWhen(s *Scale, a asked) *UsageError {
	for range 2 {
		if !p.more() || p.toks[p.i].quoted || p.toks[p.i].s == "" {
			break
		}
		next := p.toks[p.i].s
		_, offset := readOffset(next)
		if clock := startsWithDigit(next) && strings.Contains(next, ":"); !(isDate(dashed(a.value)) && clock) && !offset {
			break
		}
		a.value += " " + next
		p.i++
	}
	w, ok := readWhen(a.value)
	if !ok {
		if w, ok := readWhen(dashed(a.value)); ok {
			p.replace(a.at, p.i-a.at, "at", w.String())
			return p.fail(CodeTime, a.value, w.String())
		}
		return p.fail(CodeTime, a.value)
	}
	if s.At != nil && s.At.String() != w.String() {
		return p.conflict("at "+s.At.String(), "at "+w.String())
	}
	s.At = &w
	return nil
}

// dashed is a date as some write it, 2026/12/24, in the form that is read.
func dashed(s string) string { return strings.ReplaceAll(s, "/", "-") }

// addNodes takes a comma list; a comma at its end goes on in the next word.
func (p *parser) addNodes(s *Scale, a asked) *UsageError {
	for strings.HasSuffix(a.value, ",") && p.more() && !isOption(p.toks[p.i]) {
		t, wrong := p.named()
		if wrong != nil {
			return wrong
		}
		a.value += t.s
	}
	some := false
	for id := range strings.SplitSeq(a.value, ",") {
		id = strings.TrimSpace(id)
		switch {
		case id == "":
			continue
		case !isName(id):
			return p.bad(a)
		case !slices.Contains(s.Nodes, id):
			s.Nodes = append(s.Nodes, id)
		}
		some = true
	}
	if !some {
		return p.bad(a)
	}
	return nil
}

// addDisk takes TYPE:GiBxN, where the x may be any multiplication sign.
func (p *parser) addDisk(s *Scale, a asked) *UsageError {
	i := strings.LastIndexByte(a.value, ':')
	if i < 0 || !isName(a.value[:i]) || strings.ContainsAny(a.value[:i], ":") {
		return p.bad(a)
	}
	size, number, ok := cutTimes(a.value[i+1:])
	size = trimGiB(size)
	if !ok || !isDigits(size) || !isDigits(number) {
		return p.bad(a)
	}
	d := Disk{Type: a.value[:i]}
	var big, many bool
	d.SizeGiB, big = count(size)
	d.Count, many = count(number)
	if big || many || d.SizeGiB == 0 || d.Count == 0 {
		return p.bad(a)
	}
	s.Disks = append(s.Disks, d)
	return nil
}

// trimGiB takes off the unit that sizes of disks always have.
func trimGiB(size string) string {
	n, unit := cutNumber(size)
	switch strings.ToLower(unit) {
	case "g", "gb", "gib":
		return n
	}
	return size
}

func cutTimes(s string) (size, number string, ok bool) {
	for _, times := range [...]string{"x", "X", "×", "*"} {
		if size, number, ok := strings.Cut(s, times); ok {
			return size, number, true
		}
	}
	return "", "", false
}

// addTag takes KEY=VALUE; the value may be empty and hold anything that shows.
func (p *parser) addTag(s *Scale, a asked) *UsageError {
	key, value, ok := strings.Cut(a.value, "=")
	if !ok || !isName(key) || strings.ContainsFunc(value, unicode.IsControl) {
		return p.bad(a)
	}
	if had, ok := s.Tags[key]; ok && had != value {
		return p.conflict("tag="+key+"="+had, "tag="+key+"="+value)
	}
	if s.Tags == nil {
		s.Tags = map[string]string{}
	}
	s.Tags[key] = value
	return nil
}

// strange is the error for a word that is no option.
func (p *parser) strange(s *Scale, t token, typed string) *UsageError {
	shown := p.text[t.start:t.end]
	if t.open {
		_, wrong := p.named()
		return wrong
	}
	if !t.quoted && t.s != "" && isMention(t.s) {
		return p.fail(CodeMention, t.s)
	}
	switch {
	case t.quoted && t.bare == 0:
		return p.loose(shown)
	case t.is("-"):
		p.edits = append(p.edits, edit{at: p.i, n: 1, with: []token{{s: "--", bare: 2, stop: true, start: t.start, end: t.end}}})
		return p.fail(CodeOption, shown, "--")
	case isTime(t.s):
		p.replace(p.i, 1, "at", t.s)
		return p.fail(CodeOption, shown, "at "+t.s)
	}
	if _, ok := readTerm(t.s); ok {
		if at, ok := p.termless(); ok {
			p.joinTerm(at, t.s)
			return p.fail(CodeOption, shown, Prepaid+" "+t.s)
		}
	}
	if _, ok := readDuration(t.s); ok {
		return p.looseDuration(s, t.s, shown)
	}
	if looksLikeAmount(t.s) {
		return p.fail(CodeExtra, shown)
	}
	name := strings.TrimLeft(typed, "-")
	meant, ok := nearestOption(name)
	if ok {
		fixed := t
		fixed.s, fixed.bare = meant+t.s[len(typed):], t.bare-len(typed)+len(meant)
		p.edits = append(p.edits, edit{at: p.i, n: 1, with: []token{fixed}})
	}
	p.gluedReason(t, ok)
	switch {
	case ok:
		return p.fail(CodeOption, shown, meant)
	case len(p.edits) > 0:
		return p.fail(CodeOption, shown)
	}
	return p.loose(shown)
}

// nearestOption is the option that a word was probably meant to be. A word and
// its opposite are nearer to each other than most typing errors: what switches
// off is never proposed for what doesn't, nor the other way round.
func nearestOption(name string) (string, bool) {
	if o, ok := optionOf(name); ok {
		return o, true
	}
	near, ok := Nearest(name, optionNames())
	if !ok || near != "nodes" && strings.HasPrefix(near, "no-") != strings.HasPrefix(strings.ToLower(name), "no") {
		return "", false
	}
	return near, true
}

// looseDuration is the error for a duration without its option: prepaid nodes can
// be needed for a time, a removal can wait for the nodes' work, and a new size may be
// either. Whoever adds nodes by the hour means that they go again: nothing is
// proposed that would leave them there, the duration as the reason least of all.
func (p *parser) looseDuration(s *Scale, d, shown string) *UsageError {
	var meant []string
	if s.needed() {
		meant = append(meant, "for "+d)
		p.replace(p.i, 1, "for", d)
	}
	if s.Op != "+" {
		meant = append(meant, "drain="+d)
		p.replace(p.i, 1, "drain="+d)
	}
	if len(meant) == 0 {
		return p.fail(CodeTemporary, shown)
	}
	return p.fail(CodeOption, shown, meant...)
}

// termless finds the "prepaid", or the word that is most likely one, that has no
// term yet.
func (p *parser) termless() (at int, ok bool) {
	for i, t := range p.toks {
		name, _, has := cutOption(t)
		if i < 2 || t.quoted || has { // cluster and group may be called anything
			continue
		}
		if meant, ok := nearestOption(strings.TrimLeft(name, "-")); !ok || meant != Prepaid {
			continue
		}
		next := i + 1
		return i, next == p.i || next == len(p.toks) || !startsWithDigit(p.toks[next].s)
	}
	return 0, false
}

// joinTerm proposes to put the term, which is the word at hand, behind the
// "prepaid" at another place. As a duration it would mean minutes.
func (p *parser) joinTerm(at int, term string) {
	first, last := min(at, p.i), max(at, p.i)
	e := edit{at: first, n: last - first + 1}
	for i := first; i <= last; i++ {
		switch i {
		case at:
			e.with = append(e.with, word(Prepaid, p.toks[at]), word(term, p.toks[at]))
		case p.i:
		default:
			e.with = append(e.with, p.toks[i])
		}
	}
	p.edits = append(p.edits, e)
}

// gluedReason proposes to read a word with dashes in front as the beginning of
// the reason, unless an option behind it would be swallowed. A word that is near
// an option is one, unless more words follow.
func (p *parser) gluedReason(t token, near bool) {
	rest := p.toks[p.i:]
	if slices.ContainsFunc(rest[1:], isOption) || near && len(rest) == 1 {
		return
	}
	from := t.start
	for from < t.end {
		r, n := utf8.DecodeRuneInString(p.text[from:])
		if fold(r) != '-' {
			break
		}
		from += n
	}
	if from == t.start || from == t.end {
		return
	}
	p.edits = append(p.edits, edit{at: p.i, n: 1, with: []token{{s: "--", bare: 2, stop: true, start: t.start, end: from}}})
}

func isTime(s string) bool {
	_, ok := readWhen(s)
	return ok
}

// loose is the error for words that are like no option. Several of them with no
// option behind are most probably a reason whose "--" was left out; with an
// option among them that proposal would swallow it.
func (p *parser) loose(shown string) *UsageError {
	rest := p.toks[p.i:]
	if len(rest) > 1 && !slices.ContainsFunc(rest, isOption) {
		at := rest[0].start
		p.edits = append(p.edits, edit{at: p.i, with: []token{{s: "--", bare: 2, stop: true, start: at, end: at}}})
	}
	return p.fail(CodeOption, shown)
}
