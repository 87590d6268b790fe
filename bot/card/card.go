package card

import (
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
	"github.com/slack-go/slack"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// The metadata and the buttons that other programs and the Slack edge know
// (design.md section 9).
const (
	EventLog = "scalebot_log" // those of cards and notices are flow's: it looks for them

	ActionCancel   = "flow_cancel"   // the value of each is the flow's id
	ActionHappened = "flow_happened" // of these three it says what was unknown too, see Decision
	ActionDidNot   = "flow_did_not"  //
	ActionClose    = "flow_close"    //
	ActionPause    = "flow_pause"    //
	ActionResume   = "flow_resume"   //
	ActionStop     = "flow_stop"     //
	ActionRetry    = "flow_retry"    //
	ActionCleanUp  = "flow_clean_up" //
	ActionKeep     = "flow_keep"     //
	ActionHalt     = "flow_halt"     //
	ActionApprove  = "flow_approve"  // the value of a vote names the plan too, see Ballot
	ActionDeny     = "flow_deny"     //
)

// Options are what a Renderer knows besides the record.
type Options struct {
	Command  string                     // the slash word, e.g. /scale
	Language string                     // of cards, logs and notices: en or zh
	Groups   map[string]approvals.Group // approver groups, to mention them
	Settle   []string                   // those of them that decide about an unknown flow; none = all, as the desk has it
	Approve  []string                   // reaction names; the first of each is the one people are told
	Deny     []string
	Spell    func(flow.Ask) string // a request as the line to type, without the slash word; nil = no such lines
}

// Renderer makes messages of records. It holds no state and is safe for
// concurrent use.
type Renderer struct{ o Options }

var _ flow.Renderer = (*Renderer)(nil)

// New builds a Renderer; what Options leave out has the defaults of design.md
// section 6.
func New(o Options) *Renderer {
	if o.Command == "" {
		o.Command = "/scale"
	}
	if len(o.Approve) == 0 {
		o.Approve = []string{"white_check_mark"}
	}
	if len(o.Deny) == 0 {
		o.Deny = []string{"x"}
	}
	o.Language = language(o.Language)
	return &Renderer{o: o}
}

// Card is the card of plan n (1 = first) in the language of channels. A plan
// that is not the current one, or is void, gets a closed card; n outside of the
// plans gets the card of a flow that has no plan yet. rich shows the road as
// Slack's plan and task_card blocks; without it the same road is text.
func (r *Renderer) Card(f flow.Flow, n int, rich bool) flow.Message {
	lang := r.o.Language
	p := &page{lang: lang}
	var text line
	if n == 0 && len(f.Plans) > 0 {
		text = r.overtaken(p, f)
	} else if n >= 1 && n <= len(f.Plans) && (n < len(f.Plans) || f.Plans[n-1].Void) {
		text = r.replaced(p, f, f.Plans[n-1])
	} else {
		text = r.current(p, f, rich, true)
	}
	m := p.message(text)
	m.Key = "card/" + strconv.Itoa(n)
	m.Channel = f.Request.Channel
	m.EventType = flow.EventFlow
	m.Payload = map[string]any{"flow": f.ID, "state": string(f.State), "version": f.Version}
	return m
}

// overtaken is the closed card of a flow from before it had a plan.
func (r *Renderer) overtaken(p *page, f flow.Flow) line {
	lang := p.lang
	name := theirs(f.Request.Wish.Change.Cluster+" "+f.Request.Wish.Change.Group+" "+string(f.Request.Wish.Op)+strconv.Itoa(f.Request.Wish.N), maxHead)
	p.context(asked(lang, f))
	p.lines(say(word(lang, wOvertaken)))
	return join(": ", name, say(word(lang, wOvertaken)))
}

// replaced is the closed card of a void plan.
func (r *Renderer) replaced(p *page, f flow.Flow, old flow.Planned) line {
	lang := p.lang
	head := headOf(old.Plan.Change, old.Plan.Base, old.Plan.Target)
	p.header(theirs(head+" · "+word(lang, wReplaced), maxHeader))
	p.context(asked(lang, f))
	p.lines(say(word(lang, wReplacedWhy)))
	p.list(bold(word(lang, wWhatMoved)), moved(lang, old.VoidedBy))
	return say(head + ": " + word(lang, wReplaced) + dash + word(lang, wReplacedWhy))
}

const dash = " — "

// current is the card of the flow as it stands; clickable adds its buttons.
func (r *Renderer) current(p *page, f flow.Flow, rich, clickable bool) line {
	lang, plan := p.lang, f.Plan()
	lead := r.lead(lang, f)
	p.header(theirs(head(f)+" · "+stateName(lang, f.State), maxHeader))
	p.context(asked(lang, f))
	p.lines(lead)
	p.fields(r.facts(lang, f)...)
	p.lines(options(lang, f.Request.Wish.Change, plan))
	if plan != nil && !f.State.Ended() {
		p.lines(budgetLine(lang, ofPlan(f), *plan))
	}
	if reason := theirs(f.Request.Reason, longForeign); reason != nil {
		p.quote(reason)
	}
	if plan != nil && plan.Change.Delta < 0 {
		if len(plan.Change.Nodes) == 0 {
			p.lines(say(word(lang, wCloudPicks)))
		}
		p.list(bold(word(lang, wRemoves)), nodeLines(lang, plan.Change.Nodes, f))
	}
	if plan != nil && !f.State.Ended() {
		from, _ := termStart(f)
		p.lines(compared(lang, *plan, f.Plans[len(f.Plans)-1].Hourly, from, f.Request.Need)...)
		for _, w := range plan.Warnings {
			p.lines(wWarning.fill(lang, args{"text": theirs(w.In(lang), longForeign)}))
		}
	}
	r.unusual(p, f)
	r.ballot(p, f)
	r.road(p, f, rich)
	if f.Progress != nil && len(f.Progress.Changed) > 0 {
		label := wJoined
		if d, _ := f.Delta(); d < 0 {
			label = wLeft
		}
		p.list(bold(word(lang, label)), describe(lang, f.Progress.Changed))
	}
	if f.Progress != nil {
		p.list(bold(word(lang, wFailedNodes)), describe(lang, f.Progress.Failed))
	}
	for _, n := range f.After {
		p.lines(note(lang, n, nil))
	}
	r.next(p, f)
	if clickable {
		p.buttons(buttons(lang, f)...)
	}
	if len(lead) == 0 {
		lead = r.brief(lang, f)
	}
	return join(dash, say(title(lang, f)), lead)
}

// lead is the one sentence that says where the flow stands and why.
func (r *Renderer) lead(lang string, f flow.Flow) line {
	switch {
	case f.End != nil:
		return note(lang, *f.End, f.Verdict)
	case f.Wait != nil:
		return note(lang, *f.Wait, f.Verdict)
	}
	switch f.State {
	case flow.Planning:
		return say(word(lang, wPlanning))
	case flow.Running:
		if f.Progress != nil && !f.Progress.Attention.IsZero() {
			return notes[flow.NoteAttention].fill(lang, args{"text": theirs(f.Progress.Attention.In(lang), longForeign)})
		}
	case flow.AwaitingApproval, flow.Scheduled, flow.Queued, flow.Submitting, flow.Unknown, flow.Refused,
		flow.Denied, flow.Expired, flow.Cancelled, flow.Failed, flow.Partial, flow.Succeeded:
	}
	return nil
}

// brief is what the fallback text adds where the card itself needs no sentence.
func (r *Renderer) brief(lang string, f flow.Flow) line {
	switch {
	case f.State == flow.AwaitingApproval:
		return needs(lang, seatsOf(f, requirements(f)))
	case f.State == flow.Running && f.Progress != nil:
		return join(" · ", say(percent(f.Progress.Percent)), stageNow(f), counted(lang, f))
	}
	return nil
}

// facts are the fields of a card.
func (r *Renderer) facts(lang string, f flow.Flow) []field {
	name := func(s sentence) line { return say(word(lang, s)) }
	var fs []field
	c := f.Request.Wish.Change
	if plan := f.Plan(); plan != nil {
		c = plan.Change
		price := wCost
		if f.State.Ended() && f.State != flow.Succeeded && f.State != flow.Partial {
			price = wQuoted // nothing or not all of it was bought: it must not read as a bill
		}
		fs = append(fs,
			field{name(wNodes), wSize.fill(lang, args{"from": number(plan.Base), "to": number(plan.Target), "delta": say(signed(plan.Change.Delta))})},
			field{name(price), cost(lang, *plan)})
	}
	fs = append(fs, field{name(wCharge), charge(lang, c)})
	if from, sent := termStart(f); f.Plan() != nil && (!f.State.Ended() || f.State == flow.Succeeded || f.State == flow.Partial) {
		fs = append(fs, termField(lang, c, from, sent)...)
	}
	if f.State == flow.Scheduled || (!f.Request.StartAt.IsZero() && !f.State.Ended()) {
		fs = append(fs, field{name(wStart), when(f.Request.StartAt)})
	}
	if f.State == flow.Queued && f.Place > 0 {
		fs = append(fs, field{name(wPlace), number(f.Place)})
	}
	if f.Operation != nil {
		fs = append(fs, field{name(wOp), named(f.Operation.ID)})
	}
	if t := took(lang, f); t != "" && f.State.Ended() && f.Submission != nil {
		fs = append(fs, field{name(wTook), say(t)})
	}
	return fs
}

// ballot shows who is asked, who counted and whose vote did not, and why.
func (r *Renderer) ballot(p *page, f flow.Flow) {
	lang := p.lang
	reqs := requirements(f)
	if len(reqs) == 0 {
		return
	}
	open := f.State == flow.AwaitingApproval
	if !open && f.State != flow.Denied && f.State != flow.Expired && f.State != flow.Cancelled {
		return // the road says who approved
	}
	seats := seatsOf(f, reqs)
	var lines []line
	for _, s := range seats {
		a := args{"group": named(s.Group), "got": number(len(s.By)), "n": number(s.N), "by": mentions(lang, s.By)}
		if s.Open() <= 0 {
			lines = append(lines, wSeatFull.fill(lang, a))
			continue
		}
		if open {
			a["open"], a["who"] = number(s.Open()), r.members(lang, s.Group)
		}
		lines = append(lines, wSeatOpen.fill(lang, a))
		if open {
			lines = append(lines, r.escalation(lang, f, s)...)
		}
	}
	if v := verdict(f); open && v != nil && len(v.Ballot.DeniedBy) > 0 {
		lines = append(lines, wDenied.fill(lang, args{"by": mentions(lang, v.Ballot.DeniedBy)}))
	}
	p.list(bold(word(lang, wApprovals)), lines)
	if v := verdict(f); v != nil {
		p.list(bold(word(lang, wUncounted)), uncounted(lang, v.Ballot.Uncounted))
	}
	if open {
		p.lines(wHowToVote.fill(lang, args{"yes": reaction(r.o.Approve[0]), "no": reaction(r.o.Deny[0]), "at": when(f.ExpiresAt)}))
	}
	if rules := rulesOf(reqs); open && len(rules) > 0 {
		p.context(wRules.fill(lang, args{"n": number(len(rules)), "rules": names(lang, rules)}))
	}
}

// members mentions an approver group so that its people are told.
func (r *Renderer) members(lang, group string) line {
	g := r.o.Groups[group]
	var ls []line
	for _, id := range g.Usergroups {
		ls = append(ls, mentionGroup(id))
	}
	for _, id := range g.Users {
		ls = append(ls, mention(id))
	}
	return capped(lang, ls, word(lang, wOr), maxNames)
}

// next says what to do after an end, or while a person must decide.
func (r *Renderer) next(p *page, f flow.Flow) {
	if fixed := fixedLine(f); fixed != "" {
		r.propose(p, fixed)
		return
	}
	s, ok := nexts[f.State]
	if !ok || len(f.After) > 0 { // somebody saw to it already
		return
	}
	again := r.again(f)
	if f.State.Ended() && again == "" {
		return
	}
	p.lines(say(s.in(p.lang)))
	if f.State == flow.Unknown {
		p.lines(r.settling(p.lang, maxNames))
	}
	if f.State.Ended() {
		p.copyable(again)
	}
}

// side is one side of a difference: an amount in the form of all amounts, a
// count, or what config or the cloud says.
func side(lang string, what approvals.DifferenceKind, s string) line {
	if s == "" {
		return say(word(lang, wNothing))
	}
	switch what {
	case approvals.Withdrawn, approvals.VoteLost:
		return mentions(lang, strings.Split(s, ","))
	case approvals.RulesMoved:
		if reqs, ok := approvals.ReadAsks(s); ok {
			return seatsLine(lang, reqs)
		}
	case approvals.PriceUp, approvals.PriceLost:
		amount, currency, _ := strings.Cut(s, " ")
		if d, err := decimal.NewFromString(amount); err == nil {
			return say(money(d, currency))
		}
	case approvals.BaseMoved, approvals.ChangeMoved, approvals.VotesMoved, approvals.CardGone, approvals.FreezeBegan, approvals.GroupGone, approvals.BudgetMoved:
	}
	if isNumber(s) {
		return say(s)
	}
	return theirs(s, 200)
}

// again is the command that asks for what is left to do; "" = nothing is.
func (r *Renderer) again(f flow.Flow) string {
	rest, some := f.Rest()
	if !some || r.o.Spell == nil {
		return ""
	}
	if rest.Renew != nil && !*rest.Renew {
		rest.Renew = nil // what is not said is not renewed
	}
	if f.Request.DefaultCharge {
		rest.Charge, rest.Months = "", 0 // nobody typed it
	}
	return r.o.Command + " " + r.o.Spell(rest)
}

func buttons(lang string, f flow.Flow) []button {
	id := args{"id": say(f.ID)}
	fill := func(s sentence) string { return s.fill(lang, id).plain() }
	switch f.State {
	case flow.Planning, flow.AwaitingApproval, flow.Scheduled, flow.Queued:
		return append(ballotButtons(f, fill), button{ActionCancel, f.ID, fill(wCancel), fill(wCancelTop), fill(wCancelText), fill(wCancelYes), fill(wKeep), slack.StyleDanger})
	case flow.Unknown:
		bs := []button{
			{action: ActionHappened, value: Decision(f), label: fill(wHappened)}, // its modal asks
			{ActionDidNot, Decision(f), fill(wDidNot), fill(wDidNotTop), fill(wDidNotText), fill(wConfirm), fill(wGoBack), slack.StyleDanger},
			{ActionClose, Decision(f), fill(wClose), fill(wCloseTop), fill(wCloseText), fill(wCloseYes), fill(wGoBack), slack.StyleDefault},
		}
		if f.Operation != nil { // the cloud took it: it can't be said that it didn't happen
			bs = slices.Delete(bs, 1, 2)
		}
		return bs

	case flow.Running:
		return steering(f, fill)
	case flow.Failed, flow.Partial:
		return remedies(f, fill)
	case flow.Submitting, flow.Refused, flow.Denied, flow.Expired, flow.Cancelled, flow.Succeeded:
	}
	return nil
}

// steering are the ways to steer the running operation that the cloud offers.
func steering(f flow.Flow, fill func(sentence) string) []button {
	if f.Progress == nil {
		return nil
	}
	var bs []button
	for _, c := range f.Progress.Controls {
		switch c {
		case providers.Pause:
			bs = append(bs, button{ActionPause, f.ID, fill(wPause), fill(wPauseTop), fill(wPauseText), fill(wPauseYes), fill(wGoBack), slack.StyleDefault})
		case providers.Resume:
			bs = append(bs, button{ActionResume, f.ID, fill(wResume), fill(wResumeTop), fill(wResumeText), fill(wResumeYes), fill(wGoBack), slack.StyleDefault})
		case providers.Cancel:
			bs = append(bs, button{ActionStop, f.ID, fill(wStop), fill(wStopTop), fill(wStopText), fill(wStopYes), fill(wGoBack), slack.StyleDanger})
		}
	}
	return bs
}

// remedies are what can be done about a flow that came short, until somebody
// decided.
func remedies(f flow.Flow, fill func(sentence) string) []button {
	failed := f.Progress != nil && len(f.Progress.Failed) > 0
	if f.Kept() || (f.State == flow.Failed && !failed) {
		return nil
	}
	var bs []button
	if !f.Retried() {
		bs = append(bs, button{ActionRetry, f.ID, fill(wRetry), fill(wRetryTop), fill(wRetryText), fill(wRetryYes), fill(wGoBack), slack.StyleDefault})
	}
	if failed && !f.Cleaned() {
		bs = append(bs, button{ActionCleanUp, f.ID, fill(wCleanUp), fill(wCleanUpTop), fill(wCleanUpText), fill(wRetryYes), fill(wGoBack), slack.StyleDanger})
	}
	if len(f.After) == 0 {
		bs = append(bs, button{ActionKeep, f.ID, fill(wKeepIt), fill(wKeepItTop), fill(wKeepItText), fill(wKeepIt), fill(wGoBack), slack.StyleDefault})
	}
	return bs
}

// requirements are those of the current plan.
func requirements(f flow.Flow) []approvals.Requirement {
	if len(f.Requirements) > 0 || len(f.Plans) == 0 {
		return f.Requirements
	}
	return f.Plans[len(f.Plans)-1].Judgement.Requirements
}

// verdict is the verdict if it is on the current plan: one on a void plan says
// nothing about this one.
func verdict(f flow.Flow) *approvals.Verdict {
	plan := f.Plan()
	if f.Verdict == nil || plan == nil || f.Verdict.Ballot.PlanHash != plan.Hash {
		return nil
	}
	return f.Verdict
}

// seatsOf are the seats of the ballot, or empty ones before the first count.
func seatsOf(f flow.Flow, reqs []approvals.Requirement) []approvals.Seat {
	if v := verdict(f); v != nil && len(v.Ballot.Seats) > 0 {
		return v.Ballot.Seats
	}
	seats := make([]approvals.Seat, 0, len(reqs))
	for _, q := range reqs {
		seats = append(seats, approvals.Seat{Requirement: q})
	}
	return seats
}

func rulesOf(reqs []approvals.Requirement) []string {
	var rules []string
	for _, q := range reqs {
		rules = append(rules, q.Rules...)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// needs says how many of whom are still missing.
func needs(lang string, seats []approvals.Seat) line {
	var missing []approvals.Requirement
	for _, s := range seats {
		if n := s.Open(); n > 0 {
			missing = append(missing, approvals.Requirement{Group: s.Group, N: n})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return wNeeds.fill(lang, args{"seats": seatsLine(lang, missing)})
}

// seatsLine is "1 of finops, 2 of leads".
func seatsLine(lang string, reqs []approvals.Requirement) line {
	ls := make([]line, 0, len(reqs))
	for _, q := range reqs {
		ls = append(ls, wNeedsSeat.fill(lang, args{"n": number(q.N), "group": named(q.Group)}))
	}
	return capped(lang, ls, word(lang, wAnd), maxNames)
}

func uncounted(lang string, votes []approvals.Uncounted) []line {
	ls := make([]line, 0, len(votes))
	for _, v := range votes {
		if v.Mandate != "" {
			ls = append(ls, notMandated(lang, v))
			continue
		}
		why := theirs(string(v.Reason), shortForeign)
		if s, ok := reasons[v.Reason]; ok {
			why = say(s.in(lang))
		}
		ls = append(ls, wVoteLine.fill(lang, args{"emoji": reaction(v.Emoji), "by": mention(v.User), "why": why}))
	}
	return short(lang, ls, maxVotes)
}

func moved(lang string, ds []approvals.Difference) []line {
	ls := make([]line, 0, len(ds))
	for _, d := range ds {
		if s, ok := reconfigured[d.Field]; ok {
			ls = append(ls, say(s.in(lang)))
			continue
		}
		field := theirs(d.Field, shortForeign)
		if s, ok := changed[d.Field]; ok {
			field = say(s.in(lang))
		}
		s, ok := differences[d.What]
		if !ok {
			s = differences[approvals.ChangeMoved]
		}
		a := args{"field": field, "was": side(lang, d.What, d.Was), "is": side(lang, d.What, d.Is)}
		if d.What == approvals.VoteLost {
			a["is"] = literal(d.Is, shortForeign) // there may be none, and that says nothing
			if s, ok := reasons[approvals.Reason(d.Field)]; ok {
				a["field"] = say(s.in(lang))
			}
		}
		ls = append(ls, s.fill(lang, a))
	}
	return short(lang, ls, maxPoints)
}
