package slackapp

import (
	"context"
	"errors"
	"slices"
	"time"

	"scalebot/bot/flow"
	"scalebot/commands"
)

// clusters lists what config knows, and what is frozen.
func (s *session) clusters(c flow.Caller) work {
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		frozen, err := s.desk.Frozen(ctx)
		if err != nil {
			return flow.Message{}, err
		}
		return s.card.ClusterList(s.desk.Catalog(), frozen, c.Language), nil
	})
}

// freeze orders a freeze and tells the channels.
func (s *session) freeze(ctx context.Context, c flow.Caller, cmd commands.Command) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	o, err := s.desk.Freeze(ctx, c, cmd.Cluster, cmd.Duration, cmd.Reason)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("a cluster was frozen", "cluster", cmd.Cluster, "user", c.User, "until", o.Until)
	s.announce(ctx, c, cmd.Cluster, s.card.Froze(cmd.Cluster, o))
	return s.say(saidFroze.cluster(cmd.Cluster), c.Language)
}

func (s *session) unfreeze(ctx context.Context, c flow.Caller, cluster string) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	o, err := s.desk.Unfreeze(ctx, c, cluster)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("a freeze was ended", "cluster", cluster, "user", c.User)
	s.announce(ctx, c, cluster, s.card.Unfroze(cluster, o, c.User))
	return s.say(saidUnfroze.cluster(cluster), c.Language)
}

// announce posts in the channel that somebody spoke in and in the cluster's own,
// beside the answer. It waits for a while where Slack asks to; what is not taken by
// then is logged: a freeze or a mandate holds without it, and whom it concerns reads of
// it on a card.
func (s *session) announce(ctx context.Context, c flow.Caller, cluster string, m flow.Message) {
	rooms := slices.Concat([]string{c.Channel}, s.desk.Catalog()[cluster].Channels)
	slices.Sort(rooms)
	for _, room := range slices.Compact(rooms) {
		told := m
		told.Channel = room
		s.aside(ctx, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, tellTimeout)
			defer cancel()
			bid := flow.Bid{Call: flow.CallPost, Channel: room, Who: "announce/" + room + "/" + nameOf(told.Text)}
			err := patiently(ctx, func(ctx context.Context) error {
				if err := s.app.may(ctx, bid); err != nil {
					return err
				}
				_, err := s.app.Post(ctx, told)
				return err
			})
			if err != nil {
				s.app.log.Warn("what was ordered for a cluster could not be announced", "cluster", cluster, "channel", room, "error", redacted(err))
			}
		})
	}
}

// patiently does something once Slack, or our own pace, listens again: beside cards
// that are being posted the first try is often too early. A wait that ctx doesn't
// leave time for is not begun.
func patiently(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		limited, wait := errors.AsType[*flow.RateLimited](err)
		if !wait {
			return err
		}
		if end, ends := ctx.Deadline(); ends && time.Until(end) < limited.After {
			return err
		}
		if pause(ctx, limited.After) != nil {
			return err
		}
	}
}

func (s *session) history(c flow.Caller, cluster string) work {
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		ended, err := s.desk.History(ctx, cluster)
		if err != nil {
			return flow.Message{}, err
		}
		return s.card.History(ended, c.Language), nil
	})
}

// policy tells the rules, or tries them on a command.
func (s *session) policy(c flow.Caller, wish *commands.Scale) work {
	if wish != nil {
		return s.tried(c, wish)
	}
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		frozen, err := s.desk.Frozen(ctx)
		if err != nil {
			return flow.Message{}, err
		}
		return s.card.Policy(s.desk.Rules(), frozen, c.Language), nil
	})
}

// tried plans a wish without recording it.
func (s *session) tried(c flow.Caller, wish *commands.Scale) work {
	return work{slow: true, do: func(ctx context.Context) flow.Message {
		ask, no := s.ask(ctx, c, wish)
		if no != nil {
			return *no
		}
		preview, err := s.desk.DryRun(ctx, c, ask)
		if err != nil {
			return s.unseen(spelled(err, true), c)
		}
		return s.card.Preview(rehearsed(preview), c.Language)
	}}
}
