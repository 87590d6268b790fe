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
}

func newSeen(c flow.Clock) *seen { return &seen{clock: c, keys: map[string]time.Time{}} }

// since is when a delivery came first, if it did.
func (s *seen) since(key string) (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok = s.keys[key]
	return at, ok
}

// first reports whether a delivery is new. One without a key always is.
func (s *seen) first(key string) bool {
	if key == "" {
		return true
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
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
