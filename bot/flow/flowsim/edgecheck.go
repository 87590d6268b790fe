package flowsim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"scalebot/bot/card"
	"scalebot/bot/flow"
)

// opens is the one method whose limit the bot can't keep by itself: replicas that
// are killed again and again each begin anew. Each may make its share, see caller.
const (
	opens         = "apps.connections.open"
	opensInMinute = 11 // two sockets of five, and one for a minute that begins within them
)

// check holds the edge to what only it promises.
func (e *edge) check(flows map[string]flow.Flow) {
	s := e.s
	for method, n := range e.server.Limited() {
		if method != opens {
			s.blame("Slack answered %d calls of %s with 429, since the bot made too many", n, method)
		}
	}
	e.checkGaps()
	e.checkOnce()
	e.checkMentions()
	e.checkClicks()
	e.checkWords()
	for _, f := range flows {
		e.checkBallot(f)
	}
}

// checkMentions wants a mention that was acknowledged to have become a flow, or an
// answer: Slack delivers it to nobody again.
func (e *edge) checkMentions() {
	s := e.s
	acked := map[string]bool{} // by tag
	sent := map[string]string{}
	for _, f := range e.server.Frames() {
		if f.Dir == "in" && f.Type == "ack" && f.Note == "" && sent[f.EnvelopeID] != "" {
			acked[sent[f.EnvelopeID]] = true
		}
		if f.Dir != "out" || f.Type != "events_api" || f.Note != "" {
			continue
		}
		var frame struct {
			Payload struct {
				Event struct{ Type, Text string }
			}
		}
		if json.Unmarshal(f.Raw, &frame) == nil && frame.Payload.Event.Type == "app_mention" {
			_, sent[f.EnvelopeID], _ = strings.Cut(frame.Payload.Event.Text, "-- ")
		}
	}
	all := e.all()
	for _, t := range e.typed {
		if !acked[t.tag] || len(e.of(t)) > 0 || s.lostSince(t.at) {
			continue
		}
		// An answer that names a flow is about another one.
		if !slices.ContainsFunc(all, func(m *message) bool {
			return m.private == t.user && !m.at.Before(t.at) && m.at.Sub(t.at) < 8*time.Minute && !strings.Contains(m.Text, "F-")
		}) {
			s.blame("%q was a mention that was acknowledged, and nothing came of it", t.tag)
		}
	}
}

// recorders are the buttons whose click puts something on record.
var recorders = []string{
	card.ActionApprove, card.ActionCancel, card.ActionDidNot, card.ActionClose, card.ActionRetry, card.ActionKeep, card.ActionHalt,
}

// checkClicks wants the desk to be done with a click before it is acknowledged:
// Slack then shows it as done, and delivers it to nobody again. One that the gate
// turned away never reaches the desk.
func (e *edge) checkClicks() {
	s := e.s
	type click struct {
		action, trigger, user string
	}
	sent := map[string]click{} // by envelope
	for _, f := range e.server.Frames() {
		if f.Dir == "out" && f.Type == "interactive" && f.Note == "" {
			var frame struct {
				Payload struct {
					Type    string
					Trigger string `json:"trigger_id"`
					User    struct{ ID string }
					Actions []struct {
						ID string `json:"action_id"`
					}
				}
			}
			if json.Unmarshal(f.Raw, &frame) == nil && len(frame.Payload.Actions) == 1 && slices.Contains(recorders, frame.Payload.Actions[0].ID) {
				sent[f.EnvelopeID] = click{frame.Payload.Actions[0].ID, frame.Payload.Trigger, frame.Payload.User.ID}
			}
			continue
		}
		c, ok := sent[f.EnvelopeID]
		if !ok || f.Dir != "in" || f.Type != "ack" {
			continue
		}
		if e.decided[c.trigger].After(f.At) {
			s.blame("%s by %s was acknowledged before it was done", c.action, c.user)
		}
	}
}

// seenWithin is how long before the end of a ballot a vote must have been given for
// some replica to have seen it, whatever fails.
const seenWithin = 5 * time.Minute

// checkBallot wants a vote to count that was given in time, whoever was down when it
// was given and whatever became of its event.
func (e *edge) checkBallot(f flow.Flow) {
	s, plan := e.s, f.Plan()
	if f.State != flow.Expired || plan == nil || f.EndedAt.IsZero() || len(e.groups) > 1 || s.mood.truncated > 0 || s.mood.deletes > 0 {
		return
	}
	m := e.newest(f.ID)
	need := asked(plan.Change, plan.Quote)
	if m == nil || m.plan() != len(f.Plans) || len(need) == 0 {
		return
	}
	saw := seen{no: m.no, pressed: s.standing(f.ID), members: e.groups[0].now}
	for _, who := range m.yes {
		if f.EndedAt.Sub(e.votes[vote{m.ref, who}]) > seenWithin {
			saw.yes = append(saw.yes, who)
		}
	}
	saw.pressed = slices.DeleteFunc(saw.pressed, func(p press) bool { return f.EndedAt.Sub(p.at) < seenWithin })
	if s.mayRun(f, saw, need) == "" {
		s.blame("%s expired, and everybody who was needed had said yes in time: %v", f.ID, m.yes)
	}
}

// checkGaps wants each replica to have looked at everything since it opened its last
// socket: before, it may have missed what people did.
func (e *edge) checkGaps() {
	for _, r := range e.s.replicas {
		p := r.life.phone
		if since := p.lines.dialled; p.desk.reconciled.Before(since) && time.Since(since) > time.Minute {
			e.s.blame("%s has a socket since %s and has not looked for what it missed", r.name, since.Sub(e.s.t0))
		}
	}
}

// of are the flows that scripts took for what was typed, but for those that Redis
// lost, and for those that a button made of another: they have its reason too.
func (e *edge) of(t *typed) []string {
	var ids []string
	for id, f := range e.s.world.asks {
		if strings.Contains(f.Request.Raw, t.tag) && !e.s.world.forgotten[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// checkOnce wants at most one flow of each thing that was typed, however often Slack
// delivered it.
func (e *edge) checkOnce() {
	for _, t := range e.typed {
		if ids := e.of(t); len(ids) > 1 {
			e.s.blame("%q was typed once and became %v", t.tag, ids)
		}
	}
}

// tellWithin is how long after somebody typed a request they may still be told what
// became of it.
const tellWithin = 4 * time.Minute

// atOnce is how close two deliveries of one request may come for one of them not to
// know that the other was taken.
const atOnce = 2 * time.Second

// checkWords holds what people were told against the record.
func (e *edge) checkWords() {
	for _, m := range e.all() {
		if m.private == "" {
			continue
		}
		e.believe(m.Text)
		if !nothingDone.MatchString(m.Text) {
			continue
		}
		// Which of somebody's requests an answer is about can't be told, so all have to
		// be on record for it to be wrong.
		about, recorded := 0, 0
		var tags []string
		for _, t := range e.typed {
			if t.user == m.private && !t.at.After(m.at) && m.at.Sub(t.at) < tellWithin {
				about++
				tags = append(tags, t.tag)
				if slices.ContainsFunc(e.of(t), func(id string) bool { return e.s.world.askedAt[id].Sub(m.at).Abs() > atOnce }) {
					recorded++
				}
			}
		}
		clicked := false
		for _, c := range e.clicks {
			if c.user == m.private && !c.at.After(m.at) && m.at.Sub(c.at) < tellWithin {
				clicked = true
			}
		}
		if about > 0 && about == recorded && !clicked {
			e.s.blame("%s was told %q, and what was typed (%v) is on record", m.private, m.Text, tags)
		}
	}
}
