package commands

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// When is a moment as a person named it: a time of day, or a date and a time,
// in the person's own zone unless an offset was typed.
type When struct {
	Year  int        // 0 = no date: the next such time of day
	Month time.Month // 0 without a date
	Day   int        // 0 without a date

	Hour, Minute, Second int

	Offset *int // seconds east of UTC, if typed; "Z" is 0
}

// String is the moment as Parse reads it after "at": 02:00, 2026-12-24T02:00,
// 2026-12-24T02:00:30+08:00.
func (w When) String() string {
	var b strings.Builder
	if w.Year != 0 {
		fmt.Fprintf(&b, "%04d-%02d-%02dT", w.Year, int(w.Month), w.Day)
	}
	b.WriteString(w.clock())
	switch {
	case w.Offset == nil:
	case *w.Offset == 0:
		b.WriteByte('Z')
	default:
		sign, o := '+', *w.Offset
		if o < 0 {
			sign, o = '-', -o
		}
		fmt.Fprintf(&b, "%c%02d:%02d", sign, o/3600, o/60%60)
	}
	return b.String()
}

func (w When) clock() string {
	if w.Second != 0 {
		return fmt.Sprintf("%02d:%02d:%02d", w.Hour, w.Minute, w.Second)
	}
	return fmt.Sprintf("%02d:%02d", w.Hour, w.Minute)
}

// In resolves the moment for a person in zone loc, in that zone. A time of day
// is the next such moment that is not before now. A date and time is itself,
// even if it has passed: whether that is an error is the caller's to say.
//
// Where clocks change, nothing is guessed that could surprise. A time that is
// jumped over is a *UsageError with CodeSkipped, also for a bare time of day
// when the next day is the day of the change. A time that comes twice is the
// first of the two, or the second once the first has passed; who wants to say
// which types the offset.
func (w When) In(now time.Time, loc *time.Location) (time.Time, error) {
	if w.Offset != nil {
		loc = time.FixedZone("", *w.Offset)
	}
	if w.Year != 0 {
		return w.on(w.Year, w.Month, w.Day, now, loc)
	}
	y, m, d := now.In(loc).Date()
	t, err := w.on(y, m, d, now, loc)
	// A time that today's clocks jumped over is only worth an error while it is
	// still ahead.
	if err == nil && !t.Before(now) || err != nil && w.clock() >= now.In(loc).Format("15:04:05") {
		return t, err
	}
	return w.on(y, m, d+1, now, loc)
}

// on finds the moments of a day whose clock in loc shows the time, and takes
// the first that has not passed, else the first.
func (w When) on(y int, m time.Month, d int, now time.Time, loc *time.Location) (time.Time, error) {
	wall := time.Date(y, m, d, w.Hour, w.Minute, w.Second, 0, time.UTC)
	// The day before and the day after have every offset that can hold at this
	// time, since no zone changes its clocks twice in two days.
	var found []time.Time
	for _, near := range []time.Time{wall.Add(-36 * time.Hour), wall.Add(36 * time.Hour)} {
		_, offset := near.In(loc).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		if _, o := t.Zone(); o == offset && !slices.ContainsFunc(found, t.Equal) {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		skipped := When{Year: wall.Year(), Month: wall.Month(), Day: wall.Day(), Hour: w.Hour, Minute: w.Minute, Second: w.Second}
		return time.Time{}, &UsageError{Code: CodeSkipped, Word: strings.Replace(skipped.String(), "T", " ", 1), Option: loc.String()}
	}
	slices.SortFunc(found, time.Time.Compare)
	for _, t := range found {
		if !t.Before(now) {
			return t, nil
		}
	}
	return found[0], nil
}

// readWhen reads a moment in one piece; date and time may be parted by T or a
// space.
func readWhen(s string) (When, bool) {
	var w When
	s = strings.ToUpper(strings.TrimSpace(s))
	if isDate(s) {
		return w, false
	}
	if len(s) > len("2006-01-02") && isDate(s[:len("2006-01-02")]) && (s[10] == 'T' || s[10] == ' ') {
		day, err := time.Parse(time.DateOnly, s[:10])
		if err != nil || day.Year() < 2000 {
			return w, false
		}
		w.Year, w.Month, w.Day = day.Date()
		s = strings.TrimLeft(s[11:], " ")
	}
	s, ok := w.cutOffset(s)
	if !ok {
		return w, false
	}
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return w, false
	}
	for i, to := range []struct {
		n   *int
		max int
	}{{&w.Hour, 23}, {&w.Minute, 59}, {&w.Second, 59}}[:len(parts)] {
		n, ok := digits(parts[i])
		if !ok || len(parts[i]) > 2 || i > 0 && len(parts[i]) != 2 || n > to.max {
			return w, false
		}
		*to.n = n
	}
	return w, true
}

// cutOffset takes Z, +08:00, +0800 or +08 off the end of a time of day.
func (w *When) cutOffset(s string) (string, bool) {
	if rest, ok := strings.CutSuffix(s, "Z"); ok {
		w.Offset = new(int)
		return strings.TrimRight(rest, " "), true
	}
	i := strings.LastIndexAny(s, "+-")
	if i < 0 {
		return s, true
	}
	o, ok := readOffset(s[i:])
	if !ok {
		return s, false
	}
	w.Offset = &o
	return strings.TrimRight(s[:i], " "), true
}

func readOffset(s string) (int, bool) {
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hh, mm := s[1:3], "00"
	switch rest := strings.TrimPrefix(s[3:], ":"); {
	case len(rest) == 2:
		mm = rest
	case len(s) > 3:
		return 0, false
	}
	h, okH := digits(hh)
	m, okM := digits(mm)
	if !okH || !okM || h > 14 || m > 59 {
		return 0, false
	}
	o := h*3600 + m*60
	if s[0] == '-' {
		o = -o
	}
	return o, true
}

// isDate reports whether s has the form of a date, valid or not.
func isDate(s string) bool {
	if len(s) != len("2006-01-02") {
		return false
	}
	for i := range len(s) {
		if (i == 4 || i == 7) != (s[i] == '-') || i != 4 && i != 7 && !isDigit(rune(s[i])) {
			return false
		}
	}
	return true
}

// digits reads up to seven ASCII digits.
func digits(s string) (int, bool) {
	if s == "" || len(s) > 7 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

const day = 24 * time.Hour

// readDuration reads a number with m, h or d, above zero and at most
// MaxDuration.
func readDuration(s string) (time.Duration, bool) {
	n, unit := cutNumber(s)
	v, ok := digits(n)
	if !ok || v == 0 || len(unit) != 1 {
		return 0, false
	}
	var each time.Duration
	switch unit[0] | 0x20 {
	case 'm':
		each = time.Minute
	case 'h':
		each = time.Hour
	case 'd':
		each = day
	default:
		return 0, false
	}
	if v > int(MaxDuration/each) {
		return 0, false // before multiplying: the product could overflow into a sane duration
	}
	return time.Duration(v) * each, true
}

// cutNumber parts the digits that s begins with from what follows.
func cutNumber(s string) (number, unit string) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// guessDuration reads what people write when they mean a duration: 90min,
// 1h30m, 2hours, 6小时. "" when it can't be told.
func guessDuration(s string) string {
	var total time.Duration
	for s != "" {
		n, rest := cutNumber(s)
		v, ok := digits(n)
		if !ok {
			return ""
		}
		unit := rest
		if i := strings.IndexAny(rest, "0123456789"); i >= 0 {
			unit = rest[:i]
		}
		each, ok := unitOf(unit)
		if !ok || v > int((MaxDuration-total)/each) {
			return ""
		}
		total += time.Duration(v) * each
		s = rest[len(unit):]
	}
	if total == 0 {
		return ""
	}
	return spellDuration(total)
}

func unitOf(s string) (time.Duration, bool) {
	switch strings.ToLower(s) {
	case "m", "min", "mins", "minute", "minutes", "分", "分钟":
		return time.Minute, true
	case "h", "hr", "hrs", "hour", "hours", "时", "小时", "个小时":
		return time.Hour, true
	case "d", "day", "days", "天", "日":
		return day, true
	case "w", "week", "weeks", "周", "星期":
		return 7 * day, true
	}
	return 0, false
}

// spellDuration writes a duration of whole minutes in its largest unit.
func spellDuration(d time.Duration) string {
	switch {
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	}
	return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
}

// readTerm reads a prepaid term into months. Here m is months: a term stands
// only behind "prepaid", a duration never does.
func readTerm(s string) (int, bool) {
	n, unit := cutNumber(s)
	v, ok := digits(n)
	if !ok || len(unit) != 1 {
		return 0, false
	}
	switch unit[0] | 0x20 {
	case 'm':
	case 'y':
		v *= 12
	default:
		return 0, false
	}
	return v, v >= 1 && v <= MaxTerm
}

// guessTerm is what a person probably meant by s as a prepaid term, most likely
// first. Days and hours are no months, whatever the number.
func guessTerm(s string) []string {
	n, unit := cutNumber(s)
	if _, ok := digits(n); !ok {
		return nil
	}
	switch strings.ToLower(unit) {
	case "":
		return []string{n + "m", n + "y"}
	case "mo", "mon", "month", "months", "月", "个月":
		return []string{n + "m"}
	case "yr", "yrs", "year", "years", "年":
		return []string{n + "y"}
	}
	return nil
}
