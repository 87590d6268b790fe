package flowsim

import (
	"time"
)

// mood is what can go wrong in one run, and how often. Each seed has its own: a
// run in which everything fails a little finds less than many in which a few
// things fail a lot.
type mood struct {
	replicas int
	skew     time.Duration // the most that a replica's clock is off
	aof      bool          // the store can tell when a write is on disk (WAITAOF), so that such a write is never lost
	grace    time.Duration

	crash, freeze                            float64 // of a replica, at each effect
	refused, unanswered, belated             float64 // of each script
	throttled, broken, lost, hung, turned    float64 // of each cloud call; the last is a definite refusal
	postLost, limited, slackDown, readFailed float64 // of each Slack call
	dropped, doubled                         float64 // of each event
	older                                    int     // times that Redis comes back one second older
	away                                     int     // times that Redis is away for some seconds
	console                                  int     // times that somebody else resizes
	prices                                   int     // times that prices move
	freezes                                  int     // times that somebody freezes a cluster
	moves                                    int     // times that somebody joins or leaves a group
	deletes                                  float64 // of each card, that somebody deletes it
	liars                                    float64 // of each decision about an unknown flow, that it is wrong

	mandates int     // times that somebody signs a mandate
	budgets  bool    // cost centres have budgets, and a rule looks at them
	month    bool    // a calendar month ends while people ask
	steering float64 // of each look at a running operation, that somebody steers it
	terms    bool    // people are reminded of prepaid terms and decide about them
	removed  int     // times that the bot is removed from a channel for some minutes

	// With the real Slack edge only.
	slow      float64 // of each Slack call
	reordered float64 // of each event, that it waits for the next and comes after it
	cuts      int     // times that all sockets are cut
	silences  int     // times that they are half open
	refresh   int     // times that Slack asks to reconnect
	unwelcome int     // times that sockets get no hello
	closed    int     // times that no socket can be opened for a while
	delays    int     // times that events come late for a while
	truncated int     // times that reactions are not told in full for a while
}

// often is one of some rates, in every second run.
func (s *sim) often(rates ...float64) float64 {
	if s.rng.IntN(2) == 0 {
		return 0
	}
	return rates[s.rng.IntN(len(rates))]
}

// times is a number up to the most, in every second run.
func (s *sim) times(most int) int {
	if s.rng.IntN(2) == 0 {
		return 0
	}
	return 1 + s.rng.IntN(most)
}

func (s *sim) newMood() mood {
	m := mood{
		replicas: 2 + s.rng.IntN(3), skew: time.Duration(s.rng.IntN(4)) * time.Second, aof: s.rng.IntN(2) == 0,
		grace: time.Duration(s.rng.IntN(2)*90) * time.Second,
		crash: s.often(0.002, 0.01, 0.03), freeze: s.often(0.002, 0.01),
		refused: s.often(0.01, 0.05), unanswered: s.often(0.01, 0.05), belated: s.often(0.01, 0.03),
		throttled: s.often(0.03, 0.2), broken: s.often(0.03, 0.2), lost: s.often(0.1, 0.4), hung: s.often(0.05, 0.3), turned: s.often(0.03),
		postLost: s.often(0.02, 0.1), limited: s.often(0.02, 0.1), slackDown: s.often(0.02, 0.1), readFailed: s.often(0.02, 0.1),
		dropped: s.often(0.2, 1), doubled: s.often(0.2),
		older: s.times(2), away: s.times(2), console: s.times(3), prices: s.times(2), freezes: s.times(1), moves: s.times(3), deletes: s.often(0.1), liars: s.often(0.1),
	}
	s.plays(&m)
	return m
}

// moreOf adds what can go wrong with a real Slack between the two.
func (m *mood) moreOf(s *sim) {
	m.slow, m.reordered = s.often(0.02, 0.1), s.often(0.2)
	m.cuts, m.silences, m.refresh, m.unwelcome, m.truncated, m.closed, m.delays = s.times(4), s.times(2), s.times(2), s.times(1), s.times(1), s.times(2), s.times(2)
}

// chance is a throw of the dice for a fault; none falls once the faults stopped.
func (s *sim) chance(rate float64) bool {
	if rate <= 0 || s.calm {
		return false
	}
	if s.rng.Float64() >= rate {
		return false
	}
	s.faults++
	return true
}

// between is a length of time at random.
func (s *sim) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.rng.Int64N(int64(most-least)+1))
}

func pick[T any](s *sim, from ...T) T { return from[s.rng.IntN(len(from))] }
