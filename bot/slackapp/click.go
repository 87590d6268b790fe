package slackapp

import (
	"context"
	"time"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
)

// clicked does what a button of a card asks for. It reads nothing from the message
// in the payload, which is what the person's client showed and may be old; the value
// names what the person saw.
func (s *session) clicked(ctx context.Context, env envelope, p interactionPayload) {
	for _, action := range p.Actions { // of a message it is one at a time
		// Slack isn't known to repeat clicks, but one answered twice would confuse.
		key := p.Trigger + "/" + action.ID + "/" + action.TS
		if opensModal(p) {
			if s.app.seen.first(key) {
				s.asked(ctx, p, action)
			}
			continue
		}
		s.pressed(ctx, env, p, action, key)
	}
}

// presser is who pressed a button, and where.
func presser(p interactionPayload, action pressedAction) flow.Caller {
	channel := p.Container.Channel
	if channel == "" {
		channel = p.Channel.ID
	}
	workspace := p.Team.ID // null on org-wide installs
	if workspace == "" {
		workspace = p.User.Team
	}
	return flow.Caller{
		User: p.User.ID, Workspace: workspace, Channel: channel, Thread: p.Container.Thread,
		Dedupe: p.Trigger, Raw: action.ID + " " + action.Value,
	}
}

// asked opens the modal that a button asks more in. Its trigger lives for three
// seconds.
func (s *session) asked(ctx context.Context, p interactionPayload, action pressedAction) {
	c := presser(p, action)
	if no := s.admit(ctx, &c, gateBudget); no != nil {
		s.answer(ctx, p.ResponseURL, c, *no)
		return
	}
	switch action.ID {
	case card.ActionDeny:
		s.askWhy(ctx, c, p, action.Value)
	case card.ActionHappened:
		s.askWhich(ctx, c, p, action.Value)
	}
}

// pressed puts on record what a button asks for, acknowledges it then, and answers
// privately. If this process dies before, Slack tells the person that it didn't
// work: acknowledged first, a vote would be lost and look as if it were given. What
// can't be done in the time of an ack isn't begun, since the person has read that it
// didn't work and may have pressed again.
func (s *session) pressed(ctx context.Context, env envelope, p interactionPayload, action pressedAction, key string) {
	ack := func() { env.ack(nil) }
	if !s.app.seen.begin(key, env.arrived) {
		if !s.app.seen.join(key, ack) {
			ack()
		}
		return
	}
	acked := false
	defer func() {
		if !acked { // a panic, a stop, or too late
			s.app.seen.drop(key)
		}
	}()
	left := func() time.Duration { return ackBudget - s.app.clock.Now().Sub(env.arrived) }
	c := presser(p, action)
	var m flow.Message
	if no := s.admit(ctx, &c, min(gateBudget, left())); no != nil {
		m = *no
	} else {
		if left() <= 0 {
			s.app.log.Warn("a click was too late to be done and acknowledged in time", "action", action.ID, "user", c.User)
			return
		}
		do, cancel := context.WithTimeout(ctx, min(deskBudget, left()))
		defer cancel()
		m = s.act(do, c, action.ID, action.Value)
	}
	if ctx.Err() != nil { // stopped in the middle of it, so it may not be on record
		return
	}
	acked = true
	ack()
	for _, repeat := range s.app.seen.done(key) {
		repeat()
	}
	s.answer(ctx, p.ResponseURL, c, m)
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
