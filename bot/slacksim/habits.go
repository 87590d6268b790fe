package slacksim

// Habits are what Slack does in one place and not in another, or does and doesn't
// write down. The zero value is the reading that most accounts give; a bot has to
// hold against all of them. See also Server.SetHabits.
type Habits struct {
	// LivingTombstones answers reactions.get and chat.update about the tombstone of
	// a deleted parent as about any message: it has no reactions and is not the
	// app's. Otherwise it is not found.
	LivingTombstones bool
}

// SetHabits changes the habits from now on.
func (s *Server) SetHabits(h Habits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.habits = h
}

// AllHabits are the harder readings all at once.
func AllHabits() Habits { return Habits{LivingTombstones: true} }
