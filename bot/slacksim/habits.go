package slacksim

import (
	"encoding/json"
)

// Habits are what Slack does in one place and not in another, or does and doesn't
// write down. The zero value is the reading that most accounts give; a bot has to
// hold against all of them. See also Server.SetHabits.
type Habits struct {
	// LivingTombstones answers reactions.get and chat.update about the tombstone of
	// a deleted parent as about any message: it has no reactions and is not the
	// app's. Otherwise it is not found.
	LivingTombstones bool
	// LooseReplies posts a reply to a message that is gone into the channel and says
	// ok; that the answer has no thread_ts is the only sign. Otherwise it is refused.
	LooseReplies bool
	// StrangeEchoes gives messages and views back with a block of a form that no
	// client knows as yet.
	StrangeEchoes bool
	// ListForNoFields writes the state of a view without input as "values": [].
	ListForNoFields bool
	// ShortPages is the most messages on a page of history or replies, whatever limit
	// asks for; 0 = as many as it asks.
	ShortPages int
	// RefusalsWith200 refuses posts to a response_url with HTTP 200, as Web API
	// methods do.
	RefusalsWith200 bool
	// NullTeam leaves the team out of clicks and submissions, as where the app is
	// installed for a whole organisation; people are of the organisation then.
	NullTeam bool
	// BareAcks takes no payload with an ack and says so with each envelope. Slack
	// does for commands and submissions, so it is none of AllHabits.
	BareAcks bool
}

// SetHabits changes the habits from now on.
func (s *Server) SetHabits(h Habits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.habits = h
}

// AllHabits are the harder readings all at once.
func AllHabits() Habits {
	return Habits{LivingTombstones: true, LooseReplies: true, StrangeEchoes: true, ListForNoFields: true, ShortPages: 15, RefusalsWith200: true, NullTeam: true}
}

// echo is a message as the call that wrote it gives it back.
func (s *Server) echo(m *Message) obj {
	out := s.wireMessage(m, true, false)
	if s.habits.StrangeEchoes {
		out["blocks"] = strange(m.Blocks)
	}
	return out
}

// strange adds a section whose text is no object.
func strange(blocks json.RawMessage) []any {
	var list []any
	_ = json.Unmarshal(blocks, &list) // they passed the checks, or there are none
	return append(list, obj{"type": "section", "block_id": "strange", "text": "a form of tomorrow"})
}
