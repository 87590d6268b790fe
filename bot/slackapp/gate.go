package slackapp

import (
	"context"
	"time"

	"scalebot/bot/flow"
)

const (
	// gateBudget bounds the look-up of somebody who isn't known yet. It stands
	// before the ack of a command, which must hold a call of the desk as well.
	gateBudget = 1200 * time.Millisecond
	// takenBudget bounds the look whether another delivery was taken.
	takenBudget = time.Second
	// meterBudget bounds the count of a command that the desk doesn't record.
	meterBudget = 500 * time.Millisecond
)

// Meter counts commands against the caps of config, with one count for all
// replicas.
type Meter interface {
	// Spend counts one command in the minute of a moment. It reports false, and
	// counts nothing, where the person or the channel has had its share. An error
	// means that it isn't known.
	Spend(ctx context.Context, workspace, user, channel string, at time.Time) (bool, error)
}

// admit is the one gate before every answer: it lets full members of the
// workspace through, gives everybody else the words to be told, and sets the
// language of all that follows. Somebody known costs no call of Slack; for
// somebody unknown it waits no longer than budget. The look-up goes on behind
// that, so that the next try finds its answer.
func (s *session) admit(ctx context.Context, c *flow.Caller, budget time.Duration) *flow.Message {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	p, err := s.app.profile(ctx, c.User, flow.UrgentEnd)
	c.Language = s.app.language(c.User)
	if err == nil {
		c.Language = p.language
	}
	var no *flow.Rejection
	switch who := p.person; {
	case err != nil:
		no = &flow.Rejection{Code: flow.RejectPerson, Err: err}
	case who.Bot, who.Guest, who.Stranger, who.Deleted:
		s.app.log.Info("somebody who is no full member was turned away", "user", c.User, "channel", c.Channel)
		no = &flow.Rejection{Code: flow.RejectGuest}
	default:
		return nil
	}
	m := s.refuse(no, *c, saidFailed)
	return &m
}

// spend counts a command that the desk does not record, and gives the words for
// somebody who sent too many. Those that it records are counted by the script
// that records them, so that an uncounted one is never taken. Here it is the
// other way round: a count that can't be made lets a question pass, since what
// ails the store must not also silence help and status.
func (s *session) spend(ctx context.Context, c flow.Caller) *flow.Message {
	meter, id := s.app.opt.Meter, s.app.identity.Load()
	if meter == nil || id == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, meterBudget)
	defer cancel()
	ok, err := meter.Spend(ctx, id.Team, c.User, c.Channel, s.app.clock.Now())
	if err != nil {
		s.app.log.Warn("a command could not be counted and is answered uncounted", "user", c.User, "error", redacted(err))
		return nil
	}
	if ok {
		return nil
	}
	m := s.refuse(&flow.Rejection{Code: flow.RejectLimited}, c, saidFailed)
	return &m
}

// listen passes a line through the gate and the caps, and gives the work that it
// asks for: often only to say no.
func (s *session) listen(ctx context.Context, c *flow.Caller, line string) work {
	no := s.admit(ctx, c, gateBudget)
	w := s.understand(*c, line)
	if no != nil {
		switch {
		case w.open:
			return w
		case w.counted:
			return work{do: func(ctx context.Context) flow.Message { return s.unlessTaken(ctx, *c, s.comesAgain(*c), *no) }}
		}
		return saying(*no)
	}
	if w.counted {
		return w
	}
	if over := s.spend(ctx, *c); over != nil {
		return saying(*over)
	}
	return w
}
