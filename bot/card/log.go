package card

import (
	"strings"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// Log is one thread reply that tells notes, one line each, in the language of
// channels. The caller sets Key and Thread.
func (r *Renderer) Log(f flow.Flow, ns []flow.Note) flow.Message {
	lang := r.o.Language
	p := &page{lang: lang}
	lines := make([]line, 0, len(ns))
	for _, n := range ns {
		if n.Code == flow.NoteEscalated {
			lines = append(lines, r.escalated(lang, n))
			continue
		}
		if n.Code == flow.NoteUnsettled {
			lines = append(lines, r.unsettled(lang, f, n))
			continue
		}
		if n.Code == flow.NoteBudgetMoved {
			lines = append(lines, budgetNote(lang, n, r.everyone(lang, strings.Split(n.Args["groups"], ","))))
			continue
		}
		lines = append(lines, r.noteLines(lang, f, n)...)
	}
	p.lines(lines...)
	text := say(title(lang, f))
	if len(lines) > 0 {
		text = join(": ", say(head(f)), lines[len(lines)-1])
	}
	m := p.message(text)
	m.Channel = f.Request.Channel
	m.EventType = EventLog
	m.Payload = map[string]any{"flow": f.ID}
	return m
}

// noteLines is a note with what belongs below it.
func (r *Renderer) noteLines(lang string, f flow.Flow, n flow.Note) []line {
	lines := []line{note(lang, n, ballotOf(f, n))}
	if n.Code == flow.NoteGlass {
		lines[0] = r.glassNote(lang, n)
	}
	if i := n.Plan - 1; n.Code == flow.NoteReplaced && i >= 0 && i < len(f.Plans) {
		for _, d := range moved(lang, f.Plans[i].VoidedBy) {
			lines = append(lines, join("", say("• "), d))
		}
	}
	return lines
}

// ballotOf is the verdict that a note may be read with: the record keeps only
// the one on the current plan.
func ballotOf(f flow.Flow, n flow.Note) *approvals.Verdict {
	if n.Plan != 0 && n.Plan != len(f.Plans) {
		return nil
	}
	return verdict(f)
}

// Notice is the completion message for a state of State.Told, in the language
// of channels. Its Key is notice/<state>; the caller sets Channel, and a Key of
// its own where it needs one per channel.
func (r *Renderer) Notice(f flow.Flow, s flow.State) flow.Message {
	lang := r.o.Language
	// A notice tells of its own state also when the flow has moved on meanwhile:
	// an unknown that was settled before Slack took the message.
	then := f
	then.State = s
	if s != f.State {
		then.End, then.EndedAt = lastTold(f, s), f.UpdatedAt
	}
	p := &page{lang: lang}
	text := title(lang, then)
	p.lines(theirs(text, maxText).inBold())
	var lead line
	if then.End != nil {
		lead = note(lang, *then.End, verdict(f))
	}
	var who []line
	who = append(who, wAskedBy.fill(lang, args{"id": say(f.ID), "by": mention(f.Request.User), "at": when(f.CreatedAt)}))
	if v := verdict(f); v != nil && v.Status == approvals.Approved {
		if ids := v.Ballot.Seated(); len(ids) > 0 {
			who = append(who, wApproved.fill(lang, args{"by": mentions(lang, ids)}))
		}
	}
	p.lines(lead, nodesLine(lang, then), paid(lang, then))
	p.lines(r.glassLines(lang, f)...)
	if s == flow.Unknown {
		p.lines(say(nexts[s].in(lang)))
		if f.State == s { // who is told late must not be called to what is settled
			p.lines(r.settling(lang, maxTold))
		}
	} else {
		r.next(p, then)
	}
	p.context(append(who, timing(lang, then))...)

	m := p.message(join(dash, say(text), lead, timing(lang, then)))
	m.Key = "notice/" + string(s)
	m.EventType = flow.EventNotice
	m.Payload = map[string]any{"flow": f.ID, "state": string(s)}
	return m
}

// lastTold finds what the log said when the flow came to a state.
func lastTold(f flow.Flow, s flow.State) *flow.Note {
	code := map[flow.State]flow.NoteCode{
		flow.Unknown: flow.NoteUnknown, flow.Succeeded: flow.NoteSucceeded,
		flow.Partial: flow.NotePartial, flow.Failed: flow.NoteFailed,
	}[s]
	for i := len(f.Log) - 1; i >= 0; i-- {
		if f.Log[i].Code == code {
			return &f.Log[i]
		}
	}
	return nil
}

// nodesLine says how many nodes came or went, and names them.
func nodesLine(lang string, f flow.Flow) line {
	l := counted(lang, f)
	if l == nil || len(f.Progress.Changed) == 0 {
		return l
	}
	ids := make([]string, 0, len(f.Progress.Changed))
	for _, n := range f.Progress.Changed {
		ids = append(ids, n.ID)
	}
	return join(word(lang, wColon), l, nodeList(lang, ids))
}

// paid is what the change costs, for a change that bought something or may have.
func paid(lang string, f flow.Flow) line {
	p := f.Plan()
	if p == nil || !p.Change.Adds() || (f.State == flow.Failed && !joinedAny(f.Progress)) {
		return nil
	}
	label := wQuoted
	if f.State == flow.Succeeded || f.State == flow.Partial {
		label = wCost
	}
	return join(word(lang, wColon), say(word(lang, label)), cost(lang, *p))
}

func joinedAny(p *providers.Progress) bool { return p != nil && len(p.Changed) > 0 }

// Whisper is a private message to the requester, in their own language.
func (r *Renderer) Whisper(f flow.Flow, n flow.Note) flow.Message {
	lang := language(f.Request.Language)
	if n.To != "" { // somebody else than who asked: their language is not on record
		lang = r.o.Language
	}
	if n.Code == flow.NoteSkipped { // one reason on record is enough for all who read it
		n.Args = map[string]string{"group": n.Args["group"], "reason": f.Request.Reason}
	}
	p := &page{lang: lang}
	said := note(lang, n, ballotOf(f, n))
	p.lines(theirs(f.ID+" · "+head(f), maxHeader).inBold(), said)
	text := join(": ", say(f.ID+" · "+head(f)), said)
	switch fixed := fixedLine(f); {
	case n.Code != endCode(f):
	case fixed != "":
		text = join(word(lang, wGap), text, r.propose(p, fixed))
	default:
		r.next(p, f)
	}
	m := p.message(text)
	m.Channel = f.Request.Channel
	return m
}

// endCode is the code of the note that ended the flow, or "".
func endCode(f flow.Flow) flow.NoteCode {
	if f.End == nil {
		return ""
	}
	return f.End.Code
}
