package flowsim

import (
	"slices"
	"strings"
	"time"

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
	e.checkOnce()
	e.checkWords()
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
