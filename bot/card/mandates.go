package card

import (
	"strings"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// scope is what a mandate allows, in one line.
func scope(lang string, m approvals.Mandate) line {
	a := args{"what": named(m.Cluster + " " + m.Group), "n": number(m.Nodes), "until": when(m.Until)}
	if m.Capped() {
		a["max"] = say(money(m.Max, m.Currency))
	}
	return wMandateScope.fill(lang, a)
}

// Mandate is the private answer to who signed one: what it says and for whose
// seats it counts.
func (r *Renderer) Mandate(m flow.Mandated, lang string) flow.Message {
	lang = language(lang)
	return r.sentence(wMandateYours.fill(lang, args{
		"id": say(m.ID), "scope": scope(lang, m.Mandate), "groups": names(lang, m.Counts),
		"line": literal(r.o.Command+" mandate revoke "+m.ID, shortForeign),
	}), lang)
}

// Signed tells a channel that somebody signed a mandate, in the language of
// channels.
func (r *Renderer) Signed(m flow.Mandated) flow.Message {
	lang := r.o.Language
	return r.sentence(wMandateSigned.fill(lang, args{"by": mention(m.By), "id": say(m.ID), "scope": scope(lang, m.Mandate), "groups": names(lang, m.Counts)}), lang)
}

// Revoked tells a channel that somebody ended a mandate.
func (r *Renderer) Revoked(m flow.Mandated) flow.Message {
	lang := r.o.Language
	a := args{"id": say(m.ID), "whose": mention(m.By), "used": number(m.Used + m.Reserved), "n": number(m.Nodes)}
	if m.Revoked != nil {
		a["by"] = mention(m.Revoked.By)
	}
	return r.sentence(wMandateRevoked.fill(lang, a), lang)
}

// Mandates lists those that hold.
func (r *Renderer) Mandates(all []flow.Mandated, lang string) flow.Message {
	lang = language(lang)
	if len(all) == 0 {
		return r.sentence(wMandateNone.fill(lang, args{"line": literal(r.o.Command+" help mandate", shortForeign)}), lang)
	}
	p := &page{lang: lang}
	lines := make([]line, 0, len(all))
	for _, m := range all {
		a := args{
			"id": say(m.ID), "scope": scope(lang, m.Mandate), "by": mention(m.By), "used": number(m.Used), "reserved": number(m.Reserved),
			"groups": names(lang, m.Counts),
		}
		if m.Capped() {
			a["money"] = say(money(m.Amount, m.Currency))
		}
		s := wMandateLine
		switch {
		case len(m.Unread) > 0:
			s, a["unread"] = wMandateUnread, names(lang, m.Unread)
		case len(m.Counts) == 0:
			s = wMandateIdle
		}
		lines = append(lines, s.fill(lang, a))
	}
	p.list(bold(word(lang, wMandates)), short(lang, lines, 25))
	return p.message(join(word(lang, wColon), say(word(lang, wMandates)), capped(lang, lines, "; ", maxNames)))
}

// mandateNote tells a use of a mandate.
func mandateNote(lang string, n flow.Note) line {
	a := arguments(lang, n.Args)
	a["by"], a["group"] = mention(n.By), named(n.Args["group"])
	for _, name := range []string{"amount", "money"} {
		a[name] = nil
		if d, err := decimal.NewFromString(n.Args[name]); err == nil {
			a[name] = say(money(d, n.Args["currency"]))
		}
	}
	return notes[flow.NoteMandate].fill(lang, a)
}

// mandateLines say on the card whose vote in advance counts.
func mandateLines(lang string, f flow.Flow) []line {
	v := verdict(f)
	if v == nil || len(v.Ballot.Mandates) == 0 {
		return nil
	}
	ls := make([]line, 0, len(v.Ballot.Mandates))
	for _, u := range v.Ballot.Mandates {
		ls = append(ls, wMandateCard.fill(lang, args{"by": mention(u.By), "id": say(u.ID), "group": named(u.Group)}))
	}
	return short(lang, ls, maxNames)
}

// notMandated says why a mandate does not count.
func notMandated(lang string, u approvals.Uncounted) line {
	why := theirs(string(u.Reason), shortForeign)
	if s, ok := reasons[u.Reason]; ok {
		why = say(s.in(lang))
	}
	return wMandateNot.fill(lang, args{"id": say(strings.TrimSpace(u.Mandate)), "by": mention(u.User), "why": why})
}
