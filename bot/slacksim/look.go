package slacksim

import (
	"encoding/json"
	"slices"
	"time"
)

// Message is a message in a channel as it stands now.
type Message struct {
	Channel     string          `json:"channel"`
	TS          string          `json:"ts"`
	ThreadTS    string          `json:"thread_ts,omitempty"` // of the parent; own ts on a parent with replies
	User        string          `json:"user"`
	BotID       string          `json:"bot_id,omitempty"` // set when the app posted it
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks,omitempty"` // array; every block and action has its id
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Metadata    *Metadata       `json:"metadata,omitempty"`
	Reactions   []Reaction      `json:"reactions,omitempty"`
	Replies     int             `json:"replies,omitempty"`
	Broadcast   bool            `json:"broadcast,omitempty"` // a thread reply shown in the channel too
	Edited      bool            `json:"edited,omitempty"`    // shows Slack's "edited" mark
	Updates     int             `json:"updates,omitempty"`   // how often chat.update changed it
	Deleted     bool            `json:"deleted,omitempty"`   // a tombstone that keeps its thread
	At          time.Time       `json:"at"`                  // Slack's clock
}

// Metadata is what an app attached to a message.
type Metadata struct {
	EventType    string         `json:"event_type"`
	EventPayload map[string]any `json:"event_payload"`
}

// Reaction is one emoji on a message; each skin tone is one of its own.
type Reaction struct {
	Name  string   `json:"name"`
	Users []string `json:"users"` // in the order they reacted
}

// Ephemeral is a message that one person sees.
type Ephemeral struct {
	TS       string          `json:"ts"`
	Channel  string          `json:"channel"`
	User     string          `json:"user"` // who sees it
	ThreadTS string          `json:"thread_ts,omitempty"`
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks,omitempty"`
	From     string          `json:"from"` // ack, response_url or chat.postEphemeral
	At       time.Time       `json:"at"`
}

// Request is one Web API call as it came in and was answered.
type Request struct {
	Seq    uint64            `json:"seq"`
	At     time.Time         `json:"at"`   // Slack's clock
	Mono   time.Duration     `json:"mono"` // machine's time since the server was made
	Method string            `json:"method"`
	Args   map[string]string `json:"args"` // nested values as JSON; the token is left out
	Status int               `json:"status"`
	Error  string            `json:"error,omitempty"` // the error of an ok:false answer
	Answer json.RawMessage   `json:"answer,omitempty"`
	Fault  FaultKind         `json:"fault,omitempty"` // the injected fault, if any
	// Effect says that the call changed something, even if its answer was lost.
	Effect bool `json:"effect"`
}

// Frame is one thing that happened on a socket.
type Frame struct {
	Seq        uint64          `json:"seq"`
	At         time.Time       `json:"at"`
	Mono       time.Duration   `json:"mono"`
	Conn       int             `json:"conn"` // numbered from 1
	Dir        string          `json:"dir"`  // out (to the app), in, or note
	Type       string          `json:"type"` // hello, events_api, ack, ping, close, …
	EnvelopeID string          `json:"envelope_id,omitempty"`
	Note       string          `json:"note,omitempty"` // late, duplicate, lost, …
	Raw        json.RawMessage `json:"raw,omitempty"`
}

// Change tells that something visible changed; the reader looks at the rest.
type Change struct {
	Seq     uint64 `json:"seq"`
	Kind    string `json:"kind"` // message, reaction, ephemeral, delete, channel, user, usergroup, home, view, socket, request
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
	User    string `json:"user,omitempty"`
}

// Messages are the messages of a channel that its main view shows, oldest
// first: thread replies are left out unless they were broadcast. nil if there
// is no such channel.
func (s *Server) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	if ch == nil {
		return nil
	}
	var out []Message
	for _, m := range ch.messages {
		if m.inMain() {
			out = append(out, m.clone())
		}
	}
	return out
}

// Thread is a message and its replies, oldest first; nil if there is no such
// message.
func (s *Server) Thread(channel, ts string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	if ch == nil {
		return nil
	}
	var out []Message
	for _, m := range ch.messages {
		if m.TS == ts || m.ThreadTS == ts {
			out = append(out, m.clone())
		}
	}
	return out
}

// Message is one message; false if it isn't there or was deleted.
func (s *Server) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(channel, ts); m != nil {
		return m.clone(), true
	}
	return Message{}, false
}

// Ephemerals are the private messages that a person was shown and that were not
// deleted or replaced since, oldest first.
func (s *Server) Ephemerals(user string) []Ephemeral {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Ephemeral
	for _, e := range s.ephemerals {
		if e.User == user {
			out = append(out, *e)
		}
	}
	return out
}

// DMs are the messages between a person and the app, oldest first.
func (s *Server) DMs(user string) []Message {
	s.mu.Lock()
	id := s.imOf(user)
	s.mu.Unlock()
	if id == "" {
		return nil
	}
	return s.Messages(id)
}

// Home is what the app published on a person's Home tab.
func (s *Server) Home(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.home[user]; v != nil {
		return v.clone(), true
	}
	return View{}, false
}

// Views are the modals that a person has open, the visible one last.
func (s *Server) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []View
	for _, id := range s.stacks[user] {
		out = append(out, s.views[id].clone())
	}
	return out
}

// Users are all users, in the order of the World.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]User, 0, len(s.userOrder))
	for _, id := range s.userOrder {
		out = append(out, *s.users[id])
	}
	return out
}

// Channels are all channels, direct messages included.
func (s *Server) Channels() []Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Channel, 0, len(s.channelOrder))
	for _, id := range s.channelOrder {
		c := s.channels[id].Channel
		c.Members = slices.Clone(c.Members)
		out = append(out, c)
	}
	return out
}

// Usergroups are all usergroups.
func (s *Server) Usergroups() []Usergroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Usergroup, 0, len(s.groupOrder))
	for _, id := range s.groupOrder {
		g := *s.groups[id]
		g.Users = slices.Clone(g.Users)
		out = append(out, g)
	}
	return out
}

// Team is the workspace.
func (s *Server) Team() Team { return s.team }

// App is the app as it is now; its tokens are included.
func (s *Server) App() App {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app
	a.Scopes = slices.Clone(a.Scopes)
	return a
}

// Connections is how many sockets are open, silent ones included.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Requests are the Web API calls so far, oldest first; of one method if given.
func (s *Server) Requests(method ...string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.requests {
		if len(method) == 0 || has(method, r.Method) {
			out = append(out, r)
		}
	}
	return out
}

// Frames are what happened on the sockets so far, oldest first.
func (s *Server) Frames() []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.frames)
}

// Subscribe gives a channel of changes from now on. A reader that falls 1024
// changes behind, and every reader when the server closes, finds the channel
// closed: it looks at everything again and subscribes anew. The returned
// function ends the subscription.
func (s *Server) Subscribe() (<-chan Change, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan Change, 1024)
	if s.closed {
		close(ch)
		return ch, func() {}
	}
	s.subs[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.subs[ch]; ok {
			delete(s.subs, ch)
			close(ch)
		}
	}
}

// Changes are the changes after a sequence number. complete is false when some
// of them are no longer kept: the reader looks at everything again.
func (s *Server) Changes(after uint64) (list []Change, complete bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := 0
	for i < len(s.changes) && s.changes[i].Seq <= after {
		i++
	}
	oldest := s.changeSeq + 1
	if len(s.changes) > 0 {
		oldest = s.changes[0].Seq
	}
	return slices.Clone(s.changes[i:]), after+1 >= oldest
}

// changed tells the subscribers. The caller holds the lock.
func (s *Server) changed(c Change) {
	s.changeSeq++
	c.Seq = s.changeSeq
	s.changes = keep(append(s.changes, c), s.opt.Keep)
	for ch := range s.subs {
		select {
		case ch <- c:
		default:
			delete(s.subs, ch)
			close(ch)
		}
	}
}

// note puts a socket happening on record. The caller holds the lock.
func (s *Server) note(f Frame) {
	s.frameSeq++
	f.Seq, f.At, f.Mono = s.frameSeq, s.now(), s.mono()
	s.frames = keep(append(s.frames, f), s.opt.Keep)
	s.log.Debug("socket", "conn", f.Conn, "dir", f.Dir, "type", f.Type, "envelope", f.EnvelopeID, "note", f.Note)
}

// keep drops the oldest tenth once a journal is full, so that dropping stays
// cheap per entry.
func keep[T any](list []T, limit int) []T {
	if len(list) <= limit {
		return list
	}
	return slices.Clone(list[max(1, limit/10):])
}

func (m *Message) inMain() bool {
	return m.ThreadTS == "" || m.ThreadTS == m.TS || m.Broadcast
}

func (m *Message) clone() Message {
	out := *m
	out.Reactions = make([]Reaction, len(m.Reactions))
	for i, r := range m.Reactions {
		out.Reactions[i] = Reaction{Name: r.Name, Users: slices.Clone(r.Users)}
	}
	return out
}
