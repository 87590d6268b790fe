package slackapp

import (
	"context"

	"github.com/shopspring/decimal"

	"scalebot/bot/flow"
	"scalebot/commands"
)

// mandate lists mandates, signs one, or revokes one.
func (s *session) mandate(c flow.Caller, cmd commands.Command) work {
	switch {
	case cmd.Mandate != nil:
		return work{once: true, do: func(ctx context.Context) flow.Message { return s.sign(ctx, c, cmd.Mandate) }}
	case cmd.Revoke != "":
		return work{once: true, do: func(ctx context.Context) flow.Message { return s.revoke(ctx, c, cmd.Revoke) }}
	}
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		all, err := s.desk.Mandates(ctx)
		return s.card.Mandates(all, c.Language), err
	})
}

// sign records a mandate and tells the channels: what somebody approves in advance
// is no private matter.
func (s *session) sign(ctx context.Context, c flow.Caller, m *commands.Mandate) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	ask := flow.MandateAsk{Cluster: m.Cluster, Group: m.Group, Nodes: m.N, Currency: m.Currency}
	var err error
	if m.Max != "" {
		if ask.Max, err = decimal.NewFromString(m.Max); err != nil {
			return s.say(saidUnreadable, c.Language)
		}
	}
	p, err := s.app.profile(ctx, c.User, flow.UrgentEnd) // of the gate, a moment ago
	if err != nil {
		return s.refuse(&flow.Rejection{Code: flow.RejectPerson, Err: err}, c, saidFailed)
	}
	if ask.Until, err = m.Until.In(s.app.clock.Now(), p.zone); err != nil {
		return s.misread(err, c)
	}
	signed, err := s.desk.SignMandate(ctx, c, ask)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("a mandate was signed", "mandate", signed.ID, "user", c.User, "until", signed.Until)
	s.announce(ctx, c, signed.Cluster, s.card.Signed(signed))
	return s.card.Mandate(signed, c.Language)
}

func (s *session) revoke(ctx context.Context, c flow.Caller, id string) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	gone, err := s.desk.RevokeMandate(ctx, c, id)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("a mandate was revoked", "mandate", gone.ID, "user", c.User)
	s.announce(ctx, c, gone.Cluster, s.card.Revoked(gone))
	return s.say(saidRevoked.of(gone.ID), c.Language)
}
