package flow

import (
	"context"
	"errors"
	"slices"
	"time"

	"scalebot/approvals"
)

// Moved follows channels to the ids that they have now. Slack gives a private channel
// another id when it is shared with another organisation, and answers to the old one
// no more; records and config go on naming it by that. Without this a flow of such a
// channel would have no card any more, and its votes could not be read.
type Moved struct {
	Chat
	Ballots
	Store interface {
		Flag(ctx context.Context, name string) (string, error)
	}
}

var (
	_ Chat    = Moved{}
	_ Ballots = Moved{}
)

// The flags that name a channel's next id and the one it had before.
func movedTo(channel string) string   { return "channel_now/" + channel }
func movedFrom(channel string) string { return "channel_was/" + channel }

// mostMoves is how many new ids in a row are followed: more would be a ring.
const mostMoves = 4

// follow makes a call about a channel, and again with its next id where Slack knows
// it by that.
func (m Moved) follow(ctx context.Context, channel string, do func(channel string) error) error {
	err := do(channel)
	for range mostMoves {
		if !errors.Is(err, ErrNoChannel) {
			return err
		}
		now, unknown := m.Store.Flag(ctx, movedTo(channel))
		if unknown != nil || now == "" {
			return err // the refusal is what is known
		}
		channel, err = now, do(now)
	}
	return err
}

// Post implements Chat.
func (m Moved) Post(ctx context.Context, msg Message) (ref MessageRef, err error) {
	err = m.follow(ctx, msg.Channel, func(channel string) (err error) {
		msg.Channel = channel
		ref, err = m.Chat.Post(ctx, msg)
		return err
	})
	return ref, err
}

// Update implements Chat.
func (m Moved) Update(ctx context.Context, ref MessageRef, msg Message) error {
	return m.follow(ctx, ref.Channel, func(channel string) error {
		return m.Chat.Update(ctx, MessageRef{Channel: channel, TS: ref.TS}, msg)
	})
}

// Find implements Chat.
func (m Moved) Find(ctx context.Context, msg Message, since time.Time) (ref MessageRef, there bool, err error) {
	err = m.follow(ctx, msg.Channel, func(channel string) (err error) {
		msg.Channel = channel
		ref, there, err = m.Chat.Find(ctx, msg, since)
		return err
	})
	return ref, there, err
}

// Prune implements Chat. What is to be kept has moved along: taken for strangers, the
// very messages on record would be deleted.
func (m Moved) Prune(ctx context.Context, msg Message, since time.Time, keep []MessageRef) error {
	keep = slices.Clone(keep)
	was := []string{}
	return m.follow(ctx, msg.Channel, func(channel string) error {
		msg.Channel, was = channel, append(was, channel)
		for i, ref := range keep {
			if slices.Contains(was, ref.Channel) {
				keep[i].Channel = channel
			}
		}
		return m.Chat.Prune(ctx, msg, since, keep)
	})
}

// Reactions implements Ballots.
func (m Moved) Reactions(ctx context.Context, ref MessageRef) (all []approvals.Reaction, err error) {
	err = m.follow(ctx, ref.Channel, func(channel string) (err error) {
		all, err = m.Ballots.Reactions(ctx, MessageRef{Channel: channel, TS: ref.TS})
		return err
	})
	return all, err
}
