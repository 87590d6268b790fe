package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/text/unicode/norm"

	"scalebot/providers"
)

// form is a pattern that texts of one sort have. The hint ends the sentence
// "must be …".
type form struct {
	pattern *regexp.Regexp
	hint    string
	// portable is the pattern for the schema, where ours says something that not
	// every validator's regular expressions know; "" = the same. It may let through
	// what the loader refuses, never the other way round.
	portable string
}

// forms by the name that a form tag uses. Slack's ids: reference, "Object ids".
var forms = map[string]form{
	"command":    {pattern: regexp.MustCompile(`^/[a-z0-9_-]{1,31}$`), hint: "a slash and up to 31 lower-case letters, digits, - or _, such as /scale"},
	"key_prefix": {pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._-]{0,63}$`), hint: "up to 64 letters, digits, colons, dots, - or _, such as scalebot"},
	"region":     {pattern: regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`), hint: "the cloud's own name in lower case, such as ap-guangzhou"},
	"name": {
		pattern: regexp.MustCompile(`^[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._-]{0,62}$`),
		hint:    "up to 63 letters, digits, dots, - or _, starting with a letter or digit, so that people can type it",
		// Of ASCII the same; beyond it everything from the first letter (ª) on.
		portable: "^[^\\u0000-/:-@\\[-`{-\\u00a9][^\\u0000-,/:-@\\[-^`{-\\u00a9]{0,62}$",
	},
	"id":        {pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`), hint: "an id as the cloud's console shows it, without spaces"},
	"channel":   {pattern: regexp.MustCompile(`^[CG][A-Z0-9]{1,31}$`), hint: "a channel's id, such as C0123ABCD (in Slack: the channel's name, About, at the bottom)"},
	"user":      {pattern: regexp.MustCompile(`^[UW][A-Z0-9]{1,31}$`), hint: "a member's id, such as U0123ABCD (in Slack: the profile, ⋮, Copy member ID)"},
	"usergroup": {pattern: regexp.MustCompile(`^S[A-Z0-9]{1,31}$`), hint: "a usergroup's id, such as S0123ABCD (in Slack: People, User groups, ⋮, Copy group ID)"},
	"currency":  {pattern: regexp.MustCompile(`^[A-Z]{3}$`), hint: "a three-letter code such as CNY"},
	"reaction": {
		pattern:  regexp.MustCompile(`^[^\s:]{1,100}$`),
		hint:     "a reaction's name without colons and skin tone, such as white_check_mark",
		portable: `^[^\t\n\f\r :]{1,100}$`, // \s takes in more elsewhere than in Go
	},
}

// typed says whether a name is one that commands can name: they read full-width
// and other variants of characters as the plain ones, so a name written with
// such a variant would never be met.
func typed(name string) bool {
	return forms["name"].pattern.MatchString(name) && norm.NFKC.IsNormalString(name)
}

// verbs can't be names of clusters: a command that begins with one is not read
// as a scale command. A test holds the list equal to that of package commands.
var verbs = []string{
	"scale", "help", "clusters", "status", "list", "show", "history", "cancel", "retry", "extend",
	"approve", "deny", "freeze", "unfreeze", "watch", "unwatch", "policy", "commitments", "whoami", "budget", "mandate",
}

// months is a prepaid term: 3m, 1y.
type months int

// ratio is a part of one: 5% and 0.05 are the same.
type ratio float64

// leaf is a type of one value. parse gets the text as written; its message ends
// the sentence "must be …".
type leaf struct {
	parse func(text string) (any, bool)
	hint  string
	// JSON Schema of the value as it would be written.
	schema map[string]any
}

var leaves = map[reflect.Type]leaf{
	reflect.TypeFor[string](): {func(t string) (any, bool) { return t, true }, "a text",
		map[string]any{"type": "string"}},
	reflect.TypeFor[providers.Charge](): {func(t string) (any, bool) { return providers.Charge(t), true }, "a text",
		map[string]any{"type": "string"}},
	reflect.TypeFor[providers.Secret](): {func(t string) (any, bool) { return providers.Secret(t), true }, "a text",
		map[string]any{"type": "string"}},
	reflect.TypeFor[bool]():            {parseBool, "true or false", map[string]any{"type": "boolean"}},
	reflect.TypeFor[int]():             {parseInt, "a whole number", map[string]any{"type": "integer"}},
	reflect.TypeFor[time.Duration]():   {parseDuration, "a duration such as 30s, 15m or 4h", pattern(durationForm)},
	reflect.TypeFor[months]():          {parseMonths, "a term such as 1m, 3m or 1y", pattern(monthsForm)},
	reflect.TypeFor[ratio]():           {parseRatio, "a share such as 5% or 0.05", anyOf(map[string]any{"type": "number", "minimum": 0, "maximum": 1}, pattern(percentForm))},
	reflect.TypeFor[time.Time]():       {parseTime, "a time with its zone, such as 2026-12-24T00:00+08:00", pattern(timeForm)},
	reflect.TypeFor[decimal.Decimal](): {parseAmount, "an amount such as 180 or 0.35", anyOf(map[string]any{"type": "number", "minimum": 0}, pattern(amountForm))},
}

var (
	durationForm = regexp.MustCompile(`^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d))+$`)
	monthsForm   = regexp.MustCompile(`^[1-9][0-9]{0,2}[my]$`)
	percentForm  = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,6})?%$`)
	timeForm     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$`)
	// Bounded on both sides of the point: an exponent could fill the memory.
	amountForm = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,8})?$`)
)

func pattern(re *regexp.Regexp) map[string]any {
	return map[string]any{"type": "string", "pattern": re.String()}
}

func anyOf(schemas ...any) map[string]any { return map[string]any{"anyOf": schemas} }

func parseBool(t string) (any, bool) { return t == "true", t == "true" || t == "false" }

func parseInt(t string) (any, bool) {
	n, err := strconv.Atoi(t)
	return n, err == nil
}

// parseDuration is Go's, with days, and without the forms nobody writes in a
// config (negative, ns, µs).
func parseDuration(t string) (any, bool) {
	if t == "0" {
		return time.Duration(0), true
	}
	if !durationForm.MatchString(t) {
		return time.Duration(0), false
	}
	var days time.Duration
	if n, rest, found := strings.Cut(t, "d"); found {
		whole, err := strconv.Atoi(n)
		if err != nil || whole > 10_000 { // a day after other units, a broken day, or an overflow
			return time.Duration(0), false
		}
		if days, t = time.Duration(whole)*24*time.Hour, rest; t == "" {
			t = "0s"
		}
	}
	d, err := time.ParseDuration(t)
	return d + days, err == nil && d+days >= 0
}

func parseMonths(t string) (any, bool) {
	if !monthsForm.MatchString(t) {
		return months(0), false
	}
	n, err := strconv.Atoi(t[:len(t)-1])
	if strings.HasSuffix(t, "y") {
		n *= 12
	}
	return months(n), err == nil && n <= 120
}

func parseRatio(t string) (any, bool) {
	if percentForm.MatchString(t) {
		f, err := strconv.ParseFloat(strings.TrimSuffix(t, "%"), 64)
		return ratio(f / 100), err == nil && f <= 100
	}
	if !amountForm.MatchString(t) {
		return ratio(0), false
	}
	// 5 could mean five percent or five hundred: it must be written out.
	f, err := strconv.ParseFloat(t, 64)
	return ratio(f), err == nil && f <= 1
}

func parseTime(t string) (any, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, t); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

func parseAmount(t string) (any, bool) {
	if !amountForm.MatchString(t) {
		return decimal.Zero, false
	}
	d, err := decimal.NewFromString(t)
	return d, err == nil
}

// bounds checks min and max of a number or duration; "" = within.
func bounds(v any, tag reflect.StructTag) string {
	lo, hi := tag.Get("min"), tag.Get("max")
	if lo == "" {
		return ""
	}
	parse := parseInt
	if _, ok := v.(time.Duration); ok {
		parse = parseDuration
	}
	least, ok1 := parse(lo)
	most, ok2 := parse(hi)
	if !ok1 || !ok2 {
		panic(fmt.Sprintf("config: bounds %q, %q", lo, hi))
	}
	below := reflect.ValueOf(v).Int() < reflect.ValueOf(least).Int()
	above := reflect.ValueOf(v).Int() > reflect.ValueOf(most).Int()
	if below || above {
		return fmt.Sprintf("must be from %s to %s", lo, hi)
	}
	return ""
}
