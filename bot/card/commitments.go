package card

import (
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/slack-go/slack"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// EventRenewal is the metadata event type of reminders of prepaid terms.
const EventRenewal = "scalebot_renewal"

// The buttons of a reminder; the value of each is Decidable.
const (
	ActionRenew = "commitment_renew"
	ActionLapse = "commitment_lapse"
)

// Decidable is the value of a button that decides about a commitment: its id and
// how many decisions the person saw, so that nobody undoes by accident what
// somebody else decided meanwhile.
func Decidable(c flow.Commitment) string { return c.ID + "/" + strconv.Itoa(c.Decided()) }

// ReadDecidable reads the value of such a button. One that says no number gives one
// that nothing was decided by.
func ReadDecidable(value string) (id string, seen int) {
	id, number, _ := strings.Cut(value, "/")
	seen, err := strconv.Atoi(number)
	if err != nil || seen < 0 {
		return id, -1
	}
	return id, seen
}

// termField says when the term of a prepaid plan ends. Before it is sent the term
// counts from the earliest start.
func termField(lang string, c providers.Change, from time.Time, sent bool) []field {
	if c.Charge != providers.Prepaid || c.Months <= 0 || c.Delta < 0 || from.IsZero() {
		return nil
	}
	s := wTermFrom
	if sent {
		s = wTermEnds
	}
	return []field{{say(word(lang, wTerm)), s.fill(lang, args{"until": day(flow.TermEnd(from, c.Months)), "from": day(from)})}}
}

// termStart is when the term of a flow's plan begins as far as that is known, and
// whether it has.
func termStart(f flow.Flow) (from time.Time, sent bool) {
	if f.Submission != nil {
		return f.Submission.SentAt, true
	}
	if len(f.Plans) == 0 {
		return time.Time{}, false
	}
	from = f.Plans[len(f.Plans)-1].At
	if f.Request.StartAt.After(from) {
		from = f.Request.StartAt
	}
	return from, false
}

// compared tells what the same nodes would cost by the hour, from when on the term
// pays, and that nothing is removed when the need is over.
func compared(lang string, p approvals.Plan, hourly *providers.Quote, from time.Time, need time.Duration) []line {
	c := p.Change
	if hourly == nil || c.Charge != providers.Prepaid || !c.Adds() {
		return nil
	}
	var ls []line
	b, ok := flow.Breaks(p, hourly, from, need)
	a := args{"n": say(strconv.Itoa(b.Days))}
	switch {
	case !ok && !hourly.Known:
		ls = append(ls, wHourlyUnknown.fill(lang, args{"why": theirs(hourly.Reason.In(lang), 300)}))
	case !ok:
		ls = append(ls, say(word(lang, wNoCompare)))
	case need > 0:
		a["need"], a["sum"] = say(duration(need, lang)), say(money(b.Need, hourly.Currency))
		a["less"] = say(money(b.Need.Sub(p.Quote.Committed).Abs(), hourly.Currency))
		s := wNeedHourly // the term costs more than the need
		if b.Need.GreaterThan(p.Quote.Committed) {
			s = wNeedPrepaid
		}
		ls = append(ls, join(word(lang, wGap), s.fill(lang, a), pays(lang, b)))
	default:
		a["sum"] = say(money(hourly.Hourly, hourly.Currency))
		ls = append(ls, join(word(lang, wGap), wByTheHour.fill(lang, a), pays(lang, b)))
	}
	if need > 0 {
		stays := wStays
		if ok && b.Short {
			stays = wStaysShort
		}
		ls = append(ls, stays.fill(lang, args{"need": say(duration(need, lang))}))
	}
	return ls
}

func pays(lang string, b flow.BreakEven) line {
	if b.Never {
		return say(word(lang, wNeverPays))
	}
	return wPaysFrom.fill(lang, args{"n": say(strconv.Itoa(b.Days))})
}

// Renewal is a reminder that a prepaid term is about to end, in the language of
// channels. The caller sets Key, Channel and Payload.
func (r *Renderer) Renewal(v flow.Renewal) flow.Message {
	lang, c := r.o.Language, v.Commitment
	p := &page{lang: lang}
	title := wEndsSoon
	if v.Over {
		title = wEnded
	}
	head := title.fill(lang, args{"n": number(c.N), "what": named(c.Cluster + " " + c.Group), "until": day(c.Until)})
	p.header(head)
	p.lines(wBought.fill(lang, args{
		"id": say(c.ID), "by": mention(c.By), "from": day(c.From), "sum": owed(lang, c), "n": number(c.Months)}))
	if c.Term > 1 {
		p.lines(wTermNow.fill(lang, args{"term": number(c.Term), "from": day(c.Began)}))
	}
	p.lines(autoRenew(lang, c, v.Over))
	if len(c.Nodes) > 0 {
		p.list(bold(word(lang, wNodes)), short(lang, literals(c.Nodes), maxPoints))
	}
	state := renewalState(lang, c)
	switch {
	case v.Over:
		p.lines(state)
	case c.Decision == nil:
		p.lines(wDecide.fill(lang, args{"command": literal(r.o.Command+" commitments", 100)}))
	default:
		p.lines(state, todo(lang, c))
	}
	switch {
	case v.Over:
	case !v.Latest:
		p.context(say(word(lang, wLaterReminder)))
	default:
		p.buttons(renewalButtons(lang, c)...)
	}
	m := p.message(join(dash, head, state))
	m.EventType = EventRenewal
	return m
}

func literals(ids []string) []line {
	ls := make([]line, 0, len(ids))
	for _, id := range ids {
		ls = append(ls, literal(id, shortForeign))
	}
	return ls
}

// renewalState says what was decided, by whom; or that nobody has.
func renewalState(lang string, c flow.Commitment) line {
	d := c.Decision
	if d == nil {
		return say(word(lang, wUndecided))
	}
	return wDecided.fill(lang, args{"by": mention(d.By), "at": when(d.At), "choice": renewalChoice(lang, d.Choice)})
}

func renewalChoice(lang string, choice flow.RenewalChoice) line {
	if s, ok := renewalChoices[choice]; ok {
		return say(s.in(lang))
	}
	return theirs(string(choice), shortForeign)
}

// autoRenew says what happens at the end when nobody does anything.
func autoRenew(lang string, c flow.Commitment, over bool) line {
	s := wRenewsNot
	switch {
	case over && c.Renew:
		s = wOverRenewed
	case over:
		s = wOverEnded
	case c.Renew:
		s = wRenewsItself
	}
	return s.fill(lang, args{"until": day(c.Until)})
}

// todo is what a decision asks of people: the bot renews and cancels nothing.
func todo(lang string, c flow.Commitment) line {
	s := wTodoMoveOff
	switch {
	case c.Decision.Choice == flow.Renew && c.Renew:
		s = wTodoNothing
	case c.Decision.Choice == flow.Renew:
		s = wTodoRenew
	case c.Renew:
		s = wTodoSwitchOff
	}
	return s.fill(lang, args{"until": day(c.Until), "account": named(c.Account)})
}

// owed is the sum of a term.
func owed(lang string, c flow.Commitment) line {
	if !c.Known {
		return say(word(lang, wPriceUnknown))
	}
	return say(money(c.Total, c.Currency))
}

// renewalButtons are both ways to decide; once it is decided, the other one, for
// who thinks again.
func renewalButtons(lang string, c flow.Commitment) []button {
	a := args{"id": say(c.ID)}
	fill := func(s sentence) string { return s.fill(lang, a).plain() }
	value := Decidable(c)
	var bs []button
	if d := c.Decision; d == nil || d.Choice != flow.Renew {
		bs = append(bs, button{ActionRenew, value, fill(wRenewIt), fill(wRenewTop), fill(wRenewText), fill(wRenewIt), fill(wGoBack), slack.StylePrimary})
	}
	if d := c.Decision; d == nil || d.Choice != flow.LetLapse {
		bs = append(bs, button{ActionLapse, value, fill(wLapseIt), fill(wLapseTop), fill(wLapseText), fill(wLapseIt), fill(wGoBack), slack.StyleDefault})
	}
	return bs
}

// RenewalDecided is the private answer to who decided: what to do now.
func (r *Renderer) RenewalDecided(c flow.Commitment, lang string) flow.Message {
	lang = language(lang)
	if c.Decision == nil {
		return r.sentence(say(word(lang, wUndecided)), lang)
	}
	l := wDecidedSo.fill(lang, args{"id": say(c.ID), "choice": renewalChoice(lang, c.Decision.Choice)})
	p := &page{lang: lang}
	p.lines(l, todo(lang, c))
	return p.message(join(word(lang, wGap), l, todo(lang, c)))
}

// Commitments lists what is committed until when, as the caller has ordered it,
// with the totals per currency.
func (r *Renderer) Commitments(cs []flow.Commitment, lang string) flow.Message {
	lang = language(lang)
	if len(cs) == 0 {
		return r.sentence(say(word(lang, wCommitNone)), lang)
	}
	p := &page{lang: lang}
	p.list(bold(word(lang, wCommitments)), short(lang, commitmentLines(lang, cs), 25))
	sum := totals(lang, cs)
	p.lines(sum)
	return p.message(join(word(lang, wGap), join(word(lang, wColon), say(word(lang, wCommitments)), capped(lang, commitmentLines(lang, cs), "; ", maxNames)), sum))
}

func commitmentLines(lang string, cs []flow.Commitment) []line {
	ls := make([]line, 0, len(cs))
	for _, c := range cs {
		a := args{
			"until": day(c.Until), "id": say(c.ID), "what": named(c.Cluster + " " + c.Group), "n": number(c.N),
			"months": number(c.Months), "sum": owed(lang, c), "by": mention(c.By), "renew": say(word(lang, wRenewOff)),
		}
		if c.Renew {
			a["renew"] = say(word(lang, wRenewOn))
		}
		if d := c.Decision; d != nil {
			a["decided"] = wDecidedBy.fill(lang, args{"choice": renewalChoice(lang, d.Choice), "by": mention(d.By), "at": day(d.At)})
		}
		if c.Term > 1 {
			a["term"], a["from"] = number(c.Term), day(c.Began)
		}
		ls = append(ls, wCommitLine.fill(lang, a))
	}
	return ls
}

// totals sums per currency, and says what it leaves out.
func totals(lang string, cs []flow.Commitment) line {
	sums := map[string]decimal.Decimal{}
	unknown := 0
	for _, c := range cs {
		switch {
		case !c.Known:
			unknown++
		default:
			sums[c.Currency] = sums[c.Currency].Add(c.Total)
		}
	}
	var parts []line
	for _, currency := range sortedKeys(sums) {
		parts = append(parts, say(money(sums[currency], currency)))
	}
	if len(parts) == 0 && unknown == 0 {
		return nil
	}
	if len(parts) == 0 {
		parts = []line{say(word(lang, wPriceUnknown))}
	}
	a := args{"sums": join(word(lang, wAnd), parts...)}
	if unknown > 0 && len(sums) > 0 {
		a["n"] = number(unknown)
	}
	return wCommitTotal.fill(lang, a)
}

// committed is the part of the home tab about commitments; nothing where there
// are none.
func (r *Renderer) committed(p *page, cs []flow.Commitment) {
	if len(cs) == 0 {
		return
	}
	p.divider()
	p.lines(append([]line{bold(word(p.lang, wCommitments))}, short(p.lang, commitmentLines(p.lang, cs), 8)...)...)
	p.lines(totals(p.lang, cs))
}
