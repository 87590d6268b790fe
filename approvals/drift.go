package approvals

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// Drift lists what voids the votes on a plan now that a fresh one was made of
// the same request; nothing listed means that the votes stand, and the caller
// carries out the voted plan: Verdict.Permits is true of that one only.
//
// Votes stand when the price fell, when it rose within the tolerance (each of
// committed, hourly and monthly by itself; 0.05 = five percent above the voted
// amount, that amount included), and when a price that was unknown is known
// now: who approved it agreed to any price. Rules may say otherwise about the
// fresh plan, so judge it as well.
func Drift(voted, fresh Plan, tolerance float64) []Difference {
	var out []Difference
	moved := voted.Base != fresh.Base
	if moved {
		out = append(out, Difference{What: BaseMoved, Was: strconv.Itoa(voted.Base), Is: strconv.Itoa(fresh.Base)})
	}
	was, is := voted.Change, fresh.Change
	if moved {
		// "make it ten" is another delta on another base: said once is enough.
		was.Delta, is.Delta = 0, 0
	} else if voted.Target != fresh.Target && was.Delta == is.Delta {
		out = append(out, Difference{What: ChangeMoved, Field: "target", Was: strconv.Itoa(voted.Target), Is: strconv.Itoa(fresh.Target)})
	}
	out = append(out, changeDrift(was, is)...)
	return append(out, priceDrift(voted.Quote, fresh.Quote, tolerance)...)
}

// BallotDrift lists why an approved ballot no longer permits its plan: whose votes
// are gone or don't count any more, and whom the policy asks now besides. asked are
// the requirements of before, nil where nobody was asked.
func BallotDrift(asked []Requirement, before, now Ballot) []Difference {
	var out []Difference
	var gone []string
	still := now.Seated()
	for _, id := range before.Seated() {
		if slices.Contains(still, id) {
			continue
		}
		i := slices.IndexFunc(now.Uncounted, func(u Uncounted) bool { return u.User == id })
		if i < 0 && slices.ContainsFunc(before.Mandates, func(m Use) bool { return m.By == id }) {
			continue // somebody votes who was not there before: the mandate is not needed
		}
		if i < 0 || now.Uncounted[i].Reason == ReasonWithdrawn {
			gone = append(gone, id)
			continue
		}
		u := now.Uncounted[i]
		out = append(out, Difference{What: VoteLost, Field: string(u.Reason), Was: id, Is: u.Mandate})
	}
	wanted := make([]Requirement, len(now.Seats))
	for i, s := range now.Seats {
		wanted[i] = s.Requirement
	}
	more := slices.ContainsFunc(wanted, func(q Requirement) bool {
		return !slices.ContainsFunc(asked, func(a Requirement) bool { return a.Group == q.Group && a.N >= q.N })
	})
	if more {
		out = append(out, Difference{What: RulesMoved, Was: Asks(asked), Is: Asks(wanted)})
	}
	if len(out)+len(gone) == 0 { // the last count had seen already that votes were gone
		for _, u := range now.Uncounted {
			if u.Reason == ReasonWithdrawn && !slices.Contains(gone, u.User) {
				gone = append(gone, u.User)
			}
		}
	}
	if len(gone) > 0 {
		out = slices.Insert(out, 0, Difference{What: Withdrawn, Was: strings.Join(gone, ",")})
	}
	if len(out) == 0 {
		out = []Difference{{What: VotesMoved}}
	}
	return out
}

const askOf = " of "

// Asks writes requirements down, as "1 of finops, 2 of leads".
func Asks(reqs []Requirement) string {
	asks := make([]string, len(reqs))
	for i, q := range reqs {
		asks[i] = strconv.Itoa(q.N) + askOf + q.Group
	}
	return strings.Join(asks, ", ")
}

// ReadAsks reads what Asks wrote; false for anything else.
func ReadAsks(text string) ([]Requirement, bool) {
	var reqs []Requirement
	for _, ask := range strings.Split(text, ", ") {
		n, group, found := strings.Cut(ask, askOf)
		count, err := strconv.Atoi(n)
		if !found || err != nil {
			return nil, false
		}
		reqs = append(reqs, Requirement{Group: group, N: count})
	}
	return reqs, true
}

// changeDrift compares by the fields' JSON, as the hash does: nil and empty are
// one, and a field added to Change can't be forgotten.
func changeDrift(was, is providers.Change) []Difference {
	a, b := fieldsOf(was), fieldsOf(is)
	both := map[string]bool{}
	for k := range a {
		both[k] = true
	}
	for k := range b {
		both[k] = true
	}
	var out []Difference
	for _, k := range sortedKeys(both) {
		if string(a[k]) != string(b[k]) {
			out = append(out, Difference{What: ChangeMoved, Field: k, Was: words(a[k]), Is: words(b[k])})
		}
	}
	return out
}

func fieldsOf(c providers.Change) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	data, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		panic("approvals: a change is plain data: " + err.Error())
	}
	return m
}

// words shows a text without its quotes and anything else as its JSON.
func words(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func priceDrift(was, is providers.Quote, tolerance float64) []Difference {
	if !was.Known {
		return nil
	}
	if !is.Known {
		shown := was.Committed
		if shown.IsZero() {
			shown = was.Monthly
		}
		return []Difference{{What: PriceLost, Was: money(shown, was.Currency)}}
	}
	if was.Currency != is.Currency && (!free(was) || !free(is)) {
		return []Difference{{What: PriceUp, Field: "currency", Was: was.Currency, Is: is.Currency}}
	}
	if !(tolerance >= 0 && tolerance <= 1) {
		tolerance = 0 // a number that Compile refuses must not widen the gate
	}
	limit := decimal.NewFromFloat(tolerance).Add(decimal.NewFromInt(1))
	var out []Difference
	for _, a := range []struct {
		field   string
		was, is decimal.Decimal
	}{
		{"committed", was.Committed, is.Committed},
		{"hourly", was.Hourly, is.Hourly},
		{"monthly", was.Monthly, is.Monthly},
	} {
		if a.is.GreaterThan(a.was.Mul(limit)) {
			out = append(out, Difference{What: PriceUp, Field: a.field, Was: money(a.was, was.Currency), Is: money(a.is, is.Currency)})
		}
	}
	return out
}

func free(q providers.Quote) bool {
	return q.Committed.IsZero() && q.Hourly.IsZero() && q.Monthly.IsZero()
}

func money(d decimal.Decimal, currency string) string {
	if currency == "" {
		return d.String()
	}
	return d.String() + " " + currency
}
