package slacksim

import (
	"log/slog"
	"time"
)

// Options is how a Server behaves. The zero value of a field means the default
// named beside it.
type Options struct {
	World World

	// Now is Slack's clock (default time.Now). It may stand still or jump forward;
	// message timestamps stay unique and rising all the same.
	Now func() time.Time
	// Logger takes one debug line per call and frame (default: none).
	Logger *slog.Logger
	// Seed makes the random choices (which socket, ids) repeatable.
	Seed uint64

	// AckDeadline is how long an envelope may stay unanswered, counted from its
	// write (default 3 s, as Slack).
	AckDeadline time.Duration
	// RetryAfter is the wait before each redelivery of an event after the one
	// before failed (default 0, 1 min, 5 min, as Slack). Empty but not nil: none.
	RetryAfter []time.Duration
	// PingEvery is the pace of WebSocket pings (default 5 s); negative: none.
	PingEvery time.Duration
	// CloseAfter is the time between a disconnect frame and the close (default 10 s).
	CloseAfter time.Duration
	// ConnectionLife is how long a socket lives before Slack asks it to reconnect
	// (default 18060 s). hello announces it.
	ConnectionLife time.Duration
	// MaxConnections is how many sockets the app may hold (default 10).
	MaxConnections int
	// ReactionUsersShown is how many users reactions.get and
	// conversations.history list per reaction unless full=true (default 3).
	ReactionUsersShown int
	// Keep is how many entries each journal holds before the oldest go (default
	// 20000).
	Keep int

	// NoRateLimits turns rate limits off; see also Server.SetRateLimits.
	NoRateLimits bool
	// RefusePlanBlocks acts a workspace without the plan and task_card blocks:
	// they give invalid_blocks. See also Server.SetRefusePlanBlocks.
	RefusePlanBlocks bool
	// Habits are the readings of Slack that this one follows.
	Habits Habits
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.AckDeadline == 0 {
		o.AckDeadline = 3 * time.Second
	}
	if o.RetryAfter == nil {
		o.RetryAfter = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	if o.PingEvery == 0 {
		o.PingEvery = 5 * time.Second
	}
	if o.CloseAfter == 0 {
		o.CloseAfter = 10 * time.Second
	}
	if o.ConnectionLife == 0 {
		o.ConnectionLife = 18060 * time.Second
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 10
	}
	if o.ReactionUsersShown == 0 {
		o.ReactionUsersShown = 3
	}
	if o.Keep == 0 {
		o.Keep = 20000
	}
	return o
}
