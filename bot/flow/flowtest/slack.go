package flowtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// Posted is one message that the fake Slack has.
type Posted struct {
	flow.Message
	flow.MessageRef
	At      time.Time
	Edits   int
	Private string // user id
	Deleted bool
}

// Slack is chat, ballots and directory in one.
type Slack struct {
	Clock *Clock

	mu        sync.Mutex
	serial    int
	messages  []*Posted
	reactions map[flow.MessageRef]map[string][]string
	people    map[string]approvals.Person
	groups    map[string][]string // by first usergroup or by user list
	next      map[string][]error  // one-shot errors by method, before the effect
	after     map[string][]error  // one-shot errors by method, after the effect
	reads     int
}

var (
	_ flow.Chat      = (*Slack)(nil)
	_ flow.Ballots   = (*Slack)(nil)
	_ flow.Directory = (*Slack)(nil)
)

// NewSlack makes a Slack where everybody asked for is a full member.
func NewSlack(c *Clock) *Slack {
	return &Slack{
		Clock: c, reactions: map[flow.MessageRef]map[string][]string{}, people: map[string]approvals.Person{},
		groups: map[string][]string{}, next: map[string][]error{}, after: map[string][]error{},
	}
}

// Fail makes the next call of a method (post, update, whisper, find, reactions,
// people, members) answer an error without doing anything; FailAfter after
// having done it.
func (s *Slack) Fail(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[method] = append(s.next[method], err)
}

// FailAfter lets the next call do its work and then answer an error.
func (s *Slack) FailAfter(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after[method] = append(s.after[method], err)
}

// FailIn lets the next post in a channel fail without doing anything.
func (s *Slack) FailIn(channel string, err error) { s.Fail("post in "+channel, err) }

func pop(q map[string][]error, method string) error {
	if len(q[method]) == 0 {
		return nil
	}
	err := q[method][0]
	q[method] = q[method][1:]
	return err
}

// Person sets what is known of a user.
func (s *Slack) Person(p approvals.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people[p.ID] = p
}

// SetGroup sets the members of a usergroup.
func (s *Slack) SetGroup(id string, users ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[id] = users
}

// React puts a reaction on a message; Unreact takes it back.
func (s *Slack) React(ref flow.MessageRef, emoji, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reactions[ref] == nil {
		s.reactions[ref] = map[string][]string{}
	}
	s.reactions[ref][emoji] = append(s.reactions[ref][emoji], user)
}

// Unreact takes a reaction back.
func (s *Slack) Unreact(ref flow.MessageRef, emoji, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reactions[ref] == nil {
		return
	}
	s.reactions[ref][emoji] = slices.DeleteFunc(s.reactions[ref][emoji], func(u string) bool { return u == user })
}

// Delete removes a message.
func (s *Slack) Delete(ref flow.MessageRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.MessageRef == ref {
			m.Deleted = true
		}
	}
}

// Messages returns what was posted, with edits applied.
func (s *Slack) Messages() []Posted {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Posted, len(s.messages))
	for i, m := range s.messages {
		all[i] = *m
	}
	return all
}

// Keyed returns the messages whose key begins with a prefix.
func (s *Slack) Keyed(prefix string) []Posted {
	var found []Posted
	for _, m := range s.Messages() {
		if len(m.Key) >= len(prefix) && m.Key[:len(prefix)] == prefix {
			found = append(found, m)
		}
	}
	return found
}

// Reads counts how often reactions were read.
func (s *Slack) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// Post implements flow.Chat.
func (s *Slack) Post(_ context.Context, m flow.Message) (flow.MessageRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "post"); err != nil {
		return flow.MessageRef{}, err
	}
	if err := pop(s.next, "post in "+m.Channel); err != nil {
		return flow.MessageRef{}, err
	}
	s.serial++
	p := &Posted{Message: m, At: s.Clock.Now(), MessageRef: flow.MessageRef{Channel: m.Channel, TS: fmt.Sprintf("%d.%06d", s.Clock.Now().Unix(), s.serial)}}
	s.messages = append(s.messages, p)
	if err := pop(s.after, "post"); err != nil {
		return flow.MessageRef{}, err
	}
	return p.MessageRef, nil
}

// Update implements flow.Chat.
func (s *Slack) Update(_ context.Context, ref flow.MessageRef, m flow.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "update"); err != nil {
		return err
	}
	for _, p := range s.messages {
		if p.MessageRef == ref && !p.Deleted {
			p.Message = m
			p.Edits++
			return pop(s.after, "update")
		}
	}
	return flow.ErrMessageGone
}

// Whisper implements flow.Chat.
func (s *Slack) Whisper(_ context.Context, user string, m flow.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "whisper"); err != nil {
		return err
	}
	s.messages = append(s.messages, &Posted{Message: m, Private: user})
	return pop(s.after, "whisper")
}

// Find implements flow.Chat, with the span of time that the real one searches.
func (s *Slack) Find(_ context.Context, m flow.Message, since time.Time) (flow.MessageRef, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "find"); err != nil {
		return flow.MessageRef{}, false, err
	}
	for _, p := range s.messages {
		if p.Key == m.Key && p.Message.Channel == m.Channel && p.Thread == m.Thread && p.Payload["flow"] == m.Payload["flow"] && !p.Deleted &&
			!p.At.Before(since.Add(-2*time.Minute)) && !p.At.After(since.Add(10*time.Minute)) {
			return p.MessageRef, true, nil
		}
	}
	return flow.MessageRef{}, false, nil
}

// Prune implements flow.Chat.
func (s *Slack) Prune(_ context.Context, m flow.Message, _ time.Time, keep []flow.MessageRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "prune"); err != nil {
		return err
	}
	for _, p := range s.messages {
		if p.EventType == m.EventType && p.Message.Channel == m.Channel && p.Payload["flow"] == m.Payload["flow"] && !slices.Contains(keep, p.MessageRef) {
			p.Deleted = true
		}
	}
	return pop(s.after, "prune")
}

// Reactions implements flow.Ballots.
func (s *Slack) Reactions(_ context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "reactions"); err != nil {
		return nil, err
	}
	s.reads++
	for _, p := range s.messages {
		if p.MessageRef == ref && p.Deleted {
			return nil, flow.ErrMessageGone
		}
	}
	var all []approvals.Reaction
	for emoji, users := range s.reactions[ref] {
		all = append(all, approvals.Reaction{Name: emoji, Users: slices.Clone(users), Count: len(users)})
	}
	slices.SortFunc(all, func(a, b approvals.Reaction) int { return slices.Compare([]string{a.Name}, []string{b.Name}) })
	return all, nil
}

// People implements flow.Directory.
func (s *Slack) People(_ context.Context, ids []string) (map[string]approvals.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "people"); err != nil {
		return nil, err
	}
	out := map[string]approvals.Person{}
	for _, id := range ids {
		p, ok := s.people[id]
		if !ok {
			p = approvals.Person{ID: id, Found: true}
		}
		out[id] = p
	}
	return out, nil
}

// Refresh implements flow.Directory: nothing is remembered.
func (s *Slack) Refresh([]string, []approvals.Group) {}

// Members implements flow.Directory.
func (s *Slack) Members(_ context.Context, g approvals.Group) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pop(s.next, "members"); err != nil {
		return nil, err
	}
	out := slices.Clone(g.Users)
	for _, id := range g.Usergroups {
		out = append(out, s.groups[id]...)
	}
	return out, nil
}
