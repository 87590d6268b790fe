package slackapp

import (
	"sync"
	"time"

	"scalebot/bot/flow"
)

const (
	// seenFor covers all redeliveries of an event: at once, after 1 and after 5
	// minutes (slack.md 1.5).
	seenFor = time.Hour
	maxSeen = 8192
)

// seen remembers deliveries, so that one repeated by Slack is not answered
// twice by this replica. It is a courtesy: what must not happen twice is kept
// from it by the store.
type seen struct {
	clock flow.Clock
	mu    sync.Mutex
	keys  map[string]time.Time
	hand  map[string][]func() // of keys still being worked on: how to acknowledge their repeats
}

func newSeen(c flow.Clock) *seen {
	return &seen{clock: c, keys: map[string]time.Time{}, hand: map[string][]func(){}}
}

// begin is first for work that must not be lost: until done or drop, its repeats may
// join it, so that none is acknowledged before it. came is when the delivery came
// first, here or to another replica; see since.
func (s *seen) begin(key string, came time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.anew(key) {
		return false
	}
	s.keys[key], s.hand[key] = came, nil
	return true
}

// drop forgets work that was begun and came to nothing: its repeats are new.
func (s *seen) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
	delete(s.hand, key)
}

// join leaves the acknowledgement of a repeat to the work in hand, if it is.
func (s *seen) join(key string, ack func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	acks, inHand := s.hand[key]
	if inHand {
		s.hand[key] = append(acks, ack)
	}
	return inHand
}

// done ends the work in hand and gives the acknowledgements that joined it.
func (s *seen) done(key string) []func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	acks := s.hand[key]
	delete(s.hand, key)
	return acks
}

// since is when a delivery came first, if it did.
func (s *seen) since(key string) (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok = s.keys[key]
	return at, ok
}

// first reports whether a delivery is new. One without a key always is.
func (s *seen) first(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.anew(key)
}

// anew is first under the lock.
func (s *seen) anew(key string) bool {
	if key == "" {
		return true
	}
	now := s.clock.Now()
	if at, ok := s.keys[key]; ok && now.Sub(at) < seenFor {
		return false
	}
	if len(s.keys) >= maxSeen {
		for k, at := range s.keys {
			if now.Sub(at) >= seenFor {
				delete(s.keys, k)
			}
		}
		if len(s.keys) >= maxSeen {
			clear(s.keys)
		}
	}
	s.keys[key] = now
	return true
}
