package card

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// money writes an amount with two digits and thousands separators, after the
// sign of its currency: ¥ for CNY, $ for USD, the code for all others.
func money(amount decimal.Decimal, currency string) string {
	sign := cut(visible(currency), 12)
	switch currency {
	case "CNY":
		sign = "¥"
	case "USD":
		sign = "$"
	}
	s := amount.StringFixed(2)
	minus := ""
	if strings.HasPrefix(s, "-") {
		minus, s = "-", s[1:]
	}
	whole, cents, _ := strings.Cut(s, ".")
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return strings.TrimSpace(sign + " " + minus + b.String() + "." + cents)
}

// duration writes a length of time with its two largest units. Less than a
// second counts as none.
func duration(d time.Duration, lang string) string {
	units := []struct {
		d    time.Duration
		unit string
	}{
		{24 * time.Hour, word(lang, wDays)},
		{time.Hour, word(lang, wHours)},
		{time.Minute, word(lang, wMinutes)},
		{time.Second, word(lang, wSeconds)},
	}
	if d < time.Second {
		return "0 " + units[3].unit
	}
	for i, u := range units {
		if d < u.d {
			continue
		}
		s := decimal.NewFromInt(int64(d/u.d)).String() + " " + u.unit
		if i+1 < len(units) {
			if rest := d % u.d / units[i+1].d; rest > 0 {
				s += " " + decimal.NewFromInt(int64(rest)).String() + " " + units[i+1].unit
			}
		}
		return s
	}
	return ""
}
