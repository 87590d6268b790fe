package slackapp

import (
	"context"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
)

// clicked does what the buttons of a card ask for, and answers privately. It
// reads nothing from the message in the payload, which is what the person's
// client showed and may be old; the value is the flow's id.
func (s *session) clicked(ctx context.Context, p interactionPayload) {
	channel := p.Container.Channel
	if channel == "" {
		channel = p.Channel.ID
	}
	workspace := p.Team.ID // null on org-wide installs
	if workspace == "" {
		workspace = p.User.Team
	}
	for _, action := range p.Actions {
		// Slack isn't known to repeat clicks, but one answered twice would confuse.
		if !s.app.seen.first(p.Trigger + "/" + action.ID + "/" + action.TS) {
			continue
		}
		c := flow.Caller{
			User: p.User.ID, Workspace: workspace, Channel: channel, Thread: p.Container.Thread,
			Dedupe: p.Trigger, Raw: action.ID + " " + action.Value,
		}
		budget := lookupTimeout
		if opensModal(p) {
			budget = gateBudget // its trigger lives for three seconds
		}
		if no := s.admit(ctx, &c, budget); no != nil {
			s.later(ctx, p.ResponseURL, c, *no)
			continue
		}
		switch action.ID {
		case card.ActionDeny:
			s.askWhy(ctx, c, p, action.Value)
			continue
		case card.ActionHappened:
			s.askWhich(ctx, c, p, action.Value)
			continue
		}
		s.later(ctx, p.ResponseURL, c, s.act(ctx, c, action.ID, action.Value))
	}
}

func (s *session) act(ctx context.Context, c flow.Caller, action, id string) flow.Message {
	switch action {
	case card.ActionCancel:
		return s.cancel(ctx, c, id)
	case card.ActionDidNot:
		id, c.Saw = card.ReadDecision(id)
		return s.settle(ctx, c, id, flow.SignalRetry)
	case card.ActionClose:
		id, c.Saw = card.ReadDecision(id)
		return s.settle(ctx, c, id, flow.SignalClose)
	case card.ActionPause:
		return s.steer(ctx, c, id, flow.SignalPause)
	case card.ActionResume:
		return s.steer(ctx, c, id, flow.SignalResume)
	case card.ActionStop:
		return s.steer(ctx, c, id, flow.SignalStop)
	case card.ActionRetry:
		return s.requested(ctx, c, func(ctx context.Context) (flow.Receipt, error) { return s.desk.Again(ctx, c, id) })
	case card.ActionCleanUp:
		return s.requested(ctx, c, func(ctx context.Context) (flow.Receipt, error) { return s.desk.CleanUp(ctx, c, id) })
	case card.ActionKeep:
		return s.keep(ctx, c, id)
	case card.ActionHalt:
		return s.halt(ctx, c, id)
	case card.ActionRenew:
		return s.renewal(ctx, c, id, flow.Renew)
	case card.ActionLapse:
		return s.renewal(ctx, c, id, flow.LetLapse)
	case card.ActionApprove:
		var plan int
		id, plan, c.Saw = card.ReadBallot(id)
		return s.vote(ctx, c, id, plan, approvals.Approve, "")
	}
	s.app.log.Info("an unknown button was pressed", "action", action, "user", c.User)
	return s.say(saidOldButton, c.Language)
}

// steer records what a person asks of a running operation.
func (s *session) steer(ctx context.Context, c flow.Caller, id string, kind flow.SignalKind) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	f, err := s.desk.Steer(ctx, c, id, kind)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("an operation is to be steered", "flow", f.ID, "user", c.User, "how", string(kind))
	return s.say(saidSteered.of(f.ID), c.Language)
}

// keep records that a flow that came short is to be left as it is.
func (s *session) keep(ctx context.Context, c flow.Caller, id string) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	f, err := s.desk.Keep(ctx, c, id)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	return s.say(saidKept.of(f.ID), c.Language)
}

// settle records a person's decision about an unknown flow.
func (s *session) settle(ctx context.Context, c flow.Caller, id string, kind flow.SignalKind) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	f, err := s.desk.Settle(ctx, c, id, kind, "")
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("an unknown flow was settled", "flow", f.ID, "user", c.User, "how", string(kind))
	return s.say(saidSettled.of(f.ID), c.Language)
}
