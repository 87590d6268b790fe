package slackapp

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"scalebot/bot/flow"
)

// Posting is allowed about once a second per channel, with short bursts (Slack,
// Rate limits).
const (
	postEvery = time.Second
	postBurst = 3
	// maxPaced bounds the channels remembered; a channel forgotten starts with a
	// full burst, which Slack answers with a 429 at worst.
	maxPaced = 4096
)

// pace spaces posts per channel.
type pace struct {
	clock    flow.Clock
	mu       sync.Mutex
	channels map[string]*rate.Limiter
}

func newPace(c flow.Clock) *pace { return &pace{clock: c, channels: map[string]*rate.Limiter{}} }

// take uses up one post in the channel, or says how long to wait for the next.
func (p *pace) take(channel string) time.Duration {
	now := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.channels[channel]
	if l == nil {
		if len(p.channels) >= maxPaced {
			p.forget(now)
		}
		l = rate.NewLimiter(rate.Every(postEvery), postBurst)
		p.channels[channel] = l
	}
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// forget drops the channels that are at rest, or all when none is.
func (p *pace) forget(now time.Time) {
	for c, l := range p.channels {
		if l.TokensAt(now) >= postBurst {
			delete(p.channels, c)
		}
	}
	if len(p.channels) >= maxPaced {
		clear(p.channels)
	}
}

// spacing keeps apps.connections.open calls of all sockets apart. slack-go has
// no pause after a successful dial: a server that accepts and closes at once got
// 4,700 opens a second (slack.md 2.5).
type spacing struct {
	clock  flow.Clock
	jitter func(below time.Duration) time.Duration
	every  time.Duration
	mu     sync.Mutex
	next   time.Time
}

func newSpacing(c flow.Clock, jitter func(time.Duration) time.Duration) *spacing {
	return &spacing{clock: c, jitter: jitter, every: time.Second}
}

// wait blocks until this call's turn, at least extra from now.
func (s *spacing) wait(ctx context.Context, extra time.Duration) error {
	now := s.clock.Now()
	s.mu.Lock()
	at := now.Add(extra)
	if s.next.After(at) {
		at = s.next
	}
	s.next = at.Add(s.every + s.jitter(s.every/4+1))
	s.mu.Unlock()
	return pause(ctx, at.Sub(now))
}

// rest puts off the next open: Slack asked for it.
func (s *spacing) rest(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.clock.Now().Add(d); at.After(s.next) {
		s.next = at
	}
}

// pause waits, or ends early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
