package commands

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mandate is a vote in advance, as typed: up to so many nodes added to a group,
// until a time.
type Mandate struct {
	Cluster, Group string // in the vocabulary's spelling where it knows them
	N              int    // 1..MaxAmount, in all
	Until          Until
	Max            string // a decimal number, in all; "" = no limit of money
	Currency       string // ISO 4217; "" only without Max
}

// Until is the end of something as a person named it: a day, a day with a time, a
// time of day, or a length. A day without a time means its whole length.
type Until struct {
	Day   string        // a date, "today", "tomorrow", or a weekday in lower case; "" = none
	Clock *When         // without a date; nil = none
	For   time.Duration // instead of both
}

// String is the words that Parse reads back.
func (u Until) String() string {
	switch {
	case u.For != 0:
		return "for " + spellDuration(u.For)
	case u.Clock == nil:
		return "until " + u.Day
	case u.Day == "":
		return "until " + u.Clock.String()
	}
	return "until " + u.Day + " " + u.Clock.String()
}

// In resolves it for a person in zone loc. A weekday is the next one, today
// counted as long as its end is ahead. A date that has passed is itself: whether
// that is an error is the caller's to say. The error is a *UsageError, as of
// When.In.
func (u Until) In(now time.Time, loc *time.Location) (time.Time, error) {
	if u.For != 0 {
		return now.Add(u.For), nil
	}
	if u.Day == "" {
		return u.Clock.In(now, loc)
	}
	if u.Clock != nil && u.Clock.Offset != nil {
		loc = time.FixedZone("", *u.Clock.Offset)
	}
	y, m, d := now.In(loc).Date()
	week := 0
	switch i := slices.Index(weekdays[:], u.Day); {
	case i >= 0:
		d += (i - int(now.In(loc).Weekday()) + 7) % 7
		week = 7
	case u.Day == "tomorrow":
		d++
	case u.Day != "today":
		day, err := time.Parse(time.DateOnly, u.Day)
		if err != nil {
			return time.Time{}, &UsageError{Code: CodeTime, Word: u.Day}
		}
		y, m, d = day.Date()
	}
	at, err := u.on(y, m, d, now, loc)
	if err == nil && !at.After(now) && week > 0 {
		return u.on(y, m, d+week, now, loc)
	}
	return at, err
}

// on is the end on one day: its time, or the midnight behind it.
func (u Until) on(y int, m time.Month, d int, now time.Time, loc *time.Location) (time.Time, error) {
	if u.Clock == nil {
		return When{}.on(y, m, d+1, now, loc)
	}
	return u.Clock.on(y, m, d, now, loc)
}

// weekdays are in the order of time.Weekday.
var weekdays = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// readDay reads a date or the name of a day.
func readDay(s string) (string, bool) {
	if d := dashed(s); isDate(d) {
		t, err := time.Parse(time.DateOnly, d)
		return d, err == nil && t.Year() >= 2000
	}
	s = strings.ToLower(s)
	switch s {
	case "today", "今天", "今日":
		return "today", true
	case "tomorrow", "明天", "明日":
		return "tomorrow", true
	}
	for i, name := range weekdays {
		if s == name || len(s) >= 3 && strings.HasPrefix(name, s) {
			return name, true
		}
		for _, prefix := range [...]string{"周", "星期", "礼拜"} {
			if rest, ok := strings.CutPrefix(s, prefix); ok && (rest == hanDays[i] || i == 0 && rest == "天") {
				return name, true
			}
		}
	}
	return "", false
}

var hanDays = [...]string{"日", "一", "二", "三", "四", "五", "六"}

func (m *Mandate) write(b *line) {
	b.put(spell(m.Cluster))
	b.put(spell(m.Group))
	b.put("up to +" + strconv.Itoa(m.N))
	b.put(m.Until.String())
	if m.Max != "" {
		b.put("max " + m.Max + " " + m.Currency)
	}
}

// mandateID reads M-7K3Q in any case, with or without its "M-".
func mandateID(s string) (string, bool) {
	if len(s) > 2 && s[0]|0x20 == 'm' && s[1] == '-' {
		s = s[2:]
	}
	id, ok := flowID(s, false)
	if !ok || strings.Contains(s, "-") {
		return "", false
	}
	return "M-" + strings.TrimPrefix(id, "F-"), true
}

const (
	untilForm = "until WHEN"
	maxForm   = "max AMOUNT CURRENCY"
)

// mandate reads what follows the verb: nothing, revoke M-…, or a mandate.
func (p *parser) mandate(cmd *Command) *UsageError {
	if !p.more() || p.word("list", "列表") {
		return nil
	}
	if p.word("revoke", "撤销", "取消") {
		if !p.more() {
			return p.missing("M-…")
		}
		t, wrong := p.named()
		if wrong != nil {
			return wrong
		}
		id, ok := mandateID(t.s)
		if !ok {
			return p.fail(CodeMandate, t.s)
		}
		cmd.Revoke = id
		return nil
	}
	m := &Mandate{}
	s := &Scale{}
	if wrong := p.target(s); wrong != nil {
		return wrong
	}
	if wrong := p.mandateGroup(s); wrong != nil {
		return wrong
	}
	m.Cluster, m.Group = s.Cluster, s.Group
	if wrong := p.upTo(m); wrong != nil {
		return wrong
	}
	for p.more() {
		if wrong := p.mandateOption(m); wrong != nil {
			return wrong
		}
	}
	if m.Until == (Until{}) {
		return p.missing(untilForm)
	}
	cmd.Mandate = m
	return nil
}

// mandateGroup is group, also before "up to".
func (p *parser) mandateGroup(s *Scale) *UsageError {
	if p.more() && (strings.EqualFold(p.toks[p.i].s, "up") || strings.EqualFold(p.toks[p.i].s, "upto")) {
		if _, ok := p.v.group(s.Cluster, p.toks[p.i].s); !ok || len(p.v.Clusters[s.Cluster]) == 0 {
			return p.missing("GROUP", p.v.Clusters[s.Cluster]...)
		}
	}
	return p.group(s)
}

// word takes the next word if it is one of these, also written as an option.
func (p *parser) word(any ...string) bool {
	if !p.more() || p.toks[p.i].quoted {
		return false
	}
	s := strings.ToLower(strings.TrimRight(strings.TrimLeft(p.toks[p.i].s, "-"), ":"))
	if !slices.Contains(any, s) {
		return false
	}
	p.i++
	return true
}

// upTo takes "up to +10", and "+10" or "10" alone: a mandate is for additions only.
func (p *parser) upTo(m *Mandate) *UsageError {
	if p.word("up") {
		p.word("to")
	} else {
		p.word("upto", "up-to", "最多")
	}
	if !p.more() {
		return p.missing("up to +N")
	}
	t, wrong := p.named()
	if wrong != nil {
		return wrong
	}
	typed := strings.TrimRight(t.s, sentenceEnds)
	if typed == "+" && p.more() {
		typed += p.toks[p.i].s
		p.i++
	}
	number, unit := cutNumber(strings.TrimPrefix(typed, "+"))
	n, tooMuch := count(number)
	switch {
	case number == "" || unit != "" && !isNodeWord(unit):
		wrong := p.fail(CodeValue, typed)
		wrong.Option, wrong.Form = "up to", "up to +N"
		return wrong
	case tooMuch:
		return p.fail(CodeTooMuch, typed)
	case n == 0:
		return p.fail(CodeZero, typed)
	}
	if p.more() && isNodeWord(p.toks[p.i].s) {
		p.i++
	}
	m.N = n
	return nil
}

func (p *parser) mandateOption(m *Mandate) *UsageError {
	switch {
	case p.word("until", "till", "til", "直到", "至", "到"):
		return p.until(m)
	case p.word("for"):
		d, wrong := p.length()
		if wrong == nil {
			wrong = p.once(m, Until{For: d})
		}
		return wrong
	case p.word("max", "maximum", "at-most", "上限", "不超过"):
		return p.most(m, "")
	}
	if name, value, has := cutOption(p.toks[p.i]); has {
		switch strings.ToLower(strings.TrimLeft(name, "-")) {
		case "max":
			p.i++
			return p.most(m, value)
		case "until":
			p.i++
			return p.ends(m, value)
		}
	}
	t := p.toks[p.i]
	if _, wrong := p.named(); wrong != nil {
		return wrong
	}
	shown := p.text[t.start:t.end]
	if near, ok := Nearest(strings.TrimLeft(t.s, "-"), []string{"until", "max", "for"}); ok {
		p.replace(p.i-1, 1, near)
		return p.fail(CodeOption, shown, near)
	}
	return p.fail(CodeExtra, shown)
}

func (p *parser) until(m *Mandate) *UsageError {
	if !p.more() {
		return p.noValue("until", untilForm)
	}
	t, wrong := p.named()
	if wrong != nil {
		return wrong
	}
	return p.ends(m, t.s)
}

// ends reads a day, or a time, and the time that may stand behind a day.
func (p *parser) ends(m *Mandate, s string) *UsageError {
	s = strings.TrimRight(s, ",;")
	if day, ok := readDay(s); ok {
		u := Until{Day: day}
		if p.more() && startsWithDigit(p.toks[p.i].s) && strings.Contains(p.toks[p.i].s, ":") {
			clock, ok := readWhen(p.toks[p.i].s)
			if !ok || clock.Year != 0 {
				return p.fail(CodeTime, p.toks[p.i].s)
			}
			u.Clock = &clock
			p.i++
		}
		return p.once(m, u)
	}
	w, ok := readWhen(s)
	if !ok {
		if near, ok := Nearest(strings.ToLower(s), weekdays[:]); ok {
			p.replace(p.i-1, 1, near)
			return p.fail(CodeTime, s, near)
		}
		return p.fail(CodeTime, s)
	}
	u := Until{Clock: &w}
	if w.Year != 0 {
		u.Day = time.Date(w.Year, w.Month, w.Day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		w.Year, w.Month, w.Day = 0, 0, 0
	}
	return p.once(m, u)
}

func (p *parser) once(m *Mandate, u Until) *UsageError {
	if m.Until != (Until{}) && m.Until.String() != u.String() {
		return p.conflict(m.Until.String(), u.String())
	}
	m.Until = u
	return nil
}

func (p *parser) noValue(option, form string) *UsageError {
	return &UsageError{Code: CodeNoValue, Option: option, Form: form}
}

// most takes the amount and its currency, in either order, in one word or two.
// The currency is never guessed: two are not worth the same.
func (p *parser) most(m *Mandate, first string) *UsageError {
	typed := first
	if typed == "" {
		if !p.more() {
			return p.noValue("max", maxForm)
		}
		t, wrong := p.named()
		if wrong != nil {
			return wrong
		}
		typed = t.s
	}
	number, currency, ok := cutMoney(typed)
	if (ok && currency == "" || number == "") && p.more() && !p.toks[p.i].quoted { // "3000 CNY", "CNY 3000"
		if n, c, both := cutMoney(typed + p.toks[p.i].s); both && n != "" && c != "" {
			number, currency, ok = n, c, true
			typed += " " + p.toks[p.i].s
			p.i++
		}
	}
	if !ok || number == "" || currency == "" {
		wrong := p.fail(CodeValue, typed)
		wrong.Option, wrong.Form = "max", maxForm
		return wrong
	}
	if m.Max != "" && (m.Max != number || m.Currency != currency) {
		return p.conflict("max "+m.Max+" "+m.Currency, "max "+number+" "+currency)
	}
	m.Max, m.Currency = number, currency
	return nil
}

// cutMoney parts an amount from its currency. Thousands may be parted by commas.
func cutMoney(s string) (number, currency string, ok bool) {
	i := strings.IndexAny(s, "0123456789")
	if i < 0 {
		currency, ok = readCurrency(s)
		return "", currency, ok
	}
	end := i + len(strings.TrimRight(s[i:], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz$¥€£元块"))
	before, after := s[:i], s[end:]
	number, ok = readMoney(s[i:end])
	if !ok || before != "" && after != "" {
		return "", "", false
	}
	if before+after == "" {
		return number, "", true
	}
	currency, ok = readCurrency(before + after)
	return number, currency, ok
}

// readMoney reads 3000, 3,000 and 3000.50; nothing larger than a budget could be.
func readMoney(s string) (string, bool) {
	whole, cents, parted := strings.Cut(s, ".")
	if groups := strings.Split(whole, ","); len(groups) > 1 {
		for i, g := range groups {
			if len(g) != 3 && (i > 0 || g == "" || len(g) > 3) {
				return "", false
			}
		}
		whole = strings.Join(groups, "")
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 12 || whole != "" && !isDigits(whole) || parted && (!isDigits(cents) || len(cents) > 2) {
		return "", false
	}
	if strings.Trim(whole+cents, "0") == "" {
		return "", false // no money at all is no limit that anybody means
	}
	if whole == "" {
		whole = "0"
	}
	if parted {
		whole += "." + cents
	}
	return whole, true
}

func readCurrency(s string) (string, bool) {
	s = strings.ToUpper(s)
	switch s {
	case "¥", "￥", "元", "块", "RMB", "YUAN":
		return "CNY", true
	case "$", "US$", "DOLLARS":
		return "USD", true
	case "€":
		return "EUR", true
	}
	return s, len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
