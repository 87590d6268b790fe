package flowsim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// Slack is what a Bug wraps.
type Slack interface {
	flow.Chat
	flow.Ballots
	flow.Directory
}

// message is what Slack has.
type message struct {
	flow.Message
	ref     flow.MessageRef
	at      time.Time
	edits   int
	private string // user id
	deleted bool

	yes, no []string // who holds which reaction, in order
}

func (m *message) flow() string { return flowOf(m.Message) }

func flowOf(m flow.Message) string {
	id, _ := m.Payload["flow"].(string)
	return id
}

func (m *message) state() flow.State {
	text, _ := m.Payload["state"].(string)
	return flow.State(text)
}

// plan is the number in the key of a card; -1 = no card.
func (m *message) plan() int {
	n := -1
	if rest, ok := strings.CutPrefix(m.Key, "card/"); ok {
		number, _, _ := strings.Cut(rest, "/")
		if i, err := strconv.Atoi(number); err == nil {
			n = i
		}
	}
	return n
}

// team is the Slack of a run from outside of the bot: as people use it, and as
// judge and checker see it.
type team interface {
	all() []*message                          // that were ever posted, or those that are left
	shows(m *message, want flow.Message) bool // whether the blocks are those that were wanted
	members(group string) []string            // of a usergroup
	regroup(group string, users []string)     // changes them
	ask(user string, a flow.Ask)              // types a request
	react(m *message, who string, c approvals.Choice)
	unreact(m *message, who string) // takes an approval back
	remove(m *message)

	// These reach the replica, where people get to choose one.
	press(r *replica, m *message, who string, c approvals.Choice)
	cancel(r *replica, id, user string)
	halt(r *replica, id, user string)
	again(r *replica, id string, keep bool)
	settle(r *replica, id, user string, d decision, operation string)
	freeze(r *replica, cluster string, last time.Duration)
}

// slackTeam is the Slack of a run.
type slackTeam struct {
	s        *sim
	serial   int
	messages []*message
	people   map[string]approvals.Person
	groups   map[string][]string // by usergroup
}

// workspace is the same as the product reaches it, with faults.
type workspace struct{ *slackTeam }

var _ Slack = (*workspace)(nil)

// call waits for its turn and lets it fail before anything was done.
func (w *workspace) call(ctx context.Context, method string, reads bool) (*task, error) {
	s := w.s
	k := s.gate(ctx, "slack."+method)
	m := s.mood
	switch {
	case ctx.Err() != nil:
		return k, ctx.Err()
	case s.chance(m.limited):
		s.log(k, "slack."+method, "429")
		return k, &flow.RateLimited{After: s.between(time.Second, 30*time.Second)}
	case s.chance(m.slackDown), reads && s.chance(m.readFailed):
		s.log(k, "slack."+method, "503")
		return k, errors.New("slack is down")
	}
	return k, nil
}

// Post implements flow.Chat.
func (w *workspace) Post(ctx context.Context, m flow.Message) (flow.MessageRef, error) {
	k, err := w.call(ctx, "Post "+m.Key, false)
	if err != nil {
		return flow.MessageRef{}, err
	}
	if err := w.refuses(k, "Post", m.Channel, m.Key, flowOf(m)); err != nil {
		return flow.MessageRef{}, err
	}
	if w.s.chance(w.s.mood.postLost / 2) {
		w.s.log(k, "slack.Post "+m.Key, "lost on the way, no answer")
		return flow.MessageRef{}, flow.ErrChatInDoubt
	}
	if m.Thread != "" && !slices.ContainsFunc(w.messages, func(x *message) bool { return x.ref.TS == m.Thread && !x.deleted }) {
		return flow.MessageRef{}, flow.ErrMessageGone
	}
	w.serial++
	p := &message{Message: m, at: time.Now(), ref: flow.MessageRef{Channel: m.Channel, TS: fmt.Sprintf("%d.%06d", time.Now().Unix(), w.serial)}}
	w.messages = append(w.messages, p)
	if w.s.chance(w.s.mood.postLost) {
		w.s.log(k, "slack.Post "+m.Key, "posted, answer lost")
		return flow.MessageRef{}, flow.ErrChatInDoubt
	}
	w.s.log(k, fmt.Sprintf("slack.Post %s of %s", m.Key, p.flow()), "ok "+p.ref.TS)
	return p.ref, nil
}

// Update implements flow.Chat.
func (w *workspace) Update(ctx context.Context, ref flow.MessageRef, m flow.Message) error {
	k, err := w.call(ctx, "Update "+m.Key, false)
	if err != nil {
		return err
	}
	if err := w.refuses(k, "Update", ref.Channel, m.Key, flowOf(m)); err != nil {
		return err
	}
	for _, p := range w.messages {
		if p.ref == ref && !p.deleted {
			p.Message, p.edits = m, p.edits+1
			w.s.log(k, fmt.Sprintf("slack.Update %s", m.Key), fmt.Sprintf("%v", m.Payload["state"]))
			if w.s.chance(w.s.mood.postLost) {
				return flow.ErrChatInDoubt
			}
			return nil
		}
	}
	w.s.log(k, "slack.Update "+m.Key, "it is gone")
	return flow.ErrMessageGone
}

// Whisper implements flow.Chat.
func (w *workspace) Whisper(ctx context.Context, user string, m flow.Message) error {
	if _, err := w.call(ctx, "Whisper", false); err != nil {
		return err
	}
	w.messages = append(w.messages, &message{Message: m, at: time.Now(), private: user})
	return nil
}

// Find implements flow.Chat, with the span of time that the real one searches.
func (w *workspace) Find(ctx context.Context, m flow.Message, since time.Time) (flow.MessageRef, bool, error) {
	k, err := w.call(ctx, "Find "+m.Key, true)
	if err != nil {
		return flow.MessageRef{}, false, err
	}
	if err := w.refuses(k, "Find", m.Channel, m.Key, flowOf(m)); err != nil {
		return flow.MessageRef{}, false, err
	}
	for _, p := range w.messages {
		if p.Key == m.Key && p.Message.Channel == m.Channel && p.Thread == m.Thread && p.flow() == m.Payload["flow"] && !p.deleted && p.private == "" &&
			!p.at.Before(since.Add(-2*time.Minute)) && !p.at.After(since.Add(10*time.Minute)) {
			w.s.log(k, "slack.Find "+m.Key, "found "+p.ref.TS)
			return p.ref, true, nil
		}
	}
	w.s.log(k, "slack.Find "+m.Key, "not there")
	return flow.MessageRef{}, false, nil
}

// Prune implements flow.Chat.
func (w *workspace) Prune(ctx context.Context, m flow.Message, _ time.Time, keep []flow.MessageRef) error {
	k, err := w.call(ctx, "Prune "+m.EventType, false)
	if err != nil {
		return err
	}
	if err := w.refuses(k, "Prune", m.Channel, m.Key, flowOf(m)); err != nil {
		return err
	}
	for _, p := range w.messages {
		if p.EventType == m.EventType && p.Message.Channel == m.Channel && p.flow() == m.Payload["flow"] && p.private == "" && !slices.Contains(keep, p.ref) && !p.deleted {
			p.deleted = true
			w.s.log(k, "slack.Prune "+p.Key, "deleted "+p.ref.TS)
		}
	}
	return nil
}

// Reactions implements flow.Ballots.
func (w *workspace) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	k, err := w.call(ctx, "Reactions", true)
	if err != nil {
		return nil, err
	}
	if err := w.refuses(k, "Reactions", ref.Channel, ref.TS, ""); err != nil {
		return nil, err
	}
	p := w.message(ref)
	if p == nil || p.deleted {
		return nil, flow.ErrMessageGone
	}
	if k != nil {
		k.seen.card, k.seen.yes, k.seen.no = p, slices.Clone(p.yes), slices.Clone(p.no)
	}
	w.s.log(k, "slack.Reactions "+p.Key, fmt.Sprintf("yes %v no %v", p.yes, p.no))
	var all []approvals.Reaction
	if len(p.yes) > 0 {
		all = append(all, approvals.Reaction{Name: "white_check_mark", Users: slices.Clone(p.yes), Count: len(p.yes)})
	}
	if len(p.no) > 0 {
		all = append(all, approvals.Reaction{Name: "x", Users: slices.Clone(p.no), Count: len(p.no)})
	}
	return all, nil
}

func (t *slackTeam) all() []*message { return t.messages }

func (t *slackTeam) shows(m *message, want flow.Message) bool {
	return bytes.Equal(m.Blocks, want.Blocks)
}

func (t *slackTeam) members(group string) []string { return t.groups[group] }

func (t *slackTeam) regroup(group string, users []string) { t.groups[group] = users }

func (t *slackTeam) message(ref flow.MessageRef) *message {
	for _, p := range t.messages {
		if p.ref == ref && p.private == "" {
			return p
		}
	}
	return nil
}

// People implements flow.Directory.
func (w *workspace) People(ctx context.Context, ids []string) (map[string]approvals.Person, error) {
	if _, err := w.call(ctx, "People", true); err != nil {
		return nil, err
	}
	out := map[string]approvals.Person{}
	for _, id := range ids {
		p, ok := w.people[id]
		if !ok {
			p = approvals.Person{ID: id, Found: true}
		}
		out[id] = p
	}
	return out, nil
}

// Refresh implements flow.Directory: nothing is remembered.
func (w *workspace) Refresh([]string, []approvals.Group) {}

// Members implements flow.Directory.
func (w *workspace) Members(ctx context.Context, g approvals.Group) ([]string, error) {
	k, err := w.call(ctx, "Members", true)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(g.Users)
	for _, id := range g.Usergroups {
		out = append(out, w.groups[id]...)
		if k != nil && k.seen.members == nil {
			k.seen.members = map[string][]string{}
		}
		if k != nil {
			k.seen.members[id] = slices.Clone(w.groups[id])
		}
	}
	return out, nil
}
