package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"scalebot/bot/flow"
	"scalebot/providers"
)

const (
	// ackDeadline is when Slack takes a delivery for lost.
	ackDeadline = 3 * time.Second
	// ackBudget is how long an answer may take and still go with the ack. Slack
	// gives three seconds; the rest is for its way.
	ackBudget = 2500 * time.Millisecond
	// deskBudget bounds the one call of the desk that records something before
	// the ack.
	deskBudget = 2 * time.Second
	// slowBudget bounds work behind the ack that asks a cloud.
	slowBudget = 45 * time.Second
)

// work is what a line of text asks for.
type work struct {
	slow    bool // asks a cloud: only behind the ack
	open    bool // told to anybody
	counted bool // the desk counts it against the caps
	once    bool // changes something, and the desk doesn't know a delivery again
	do      func(ctx context.Context) flow.Message
}

// saying is work that is done already.
func saying(m flow.Message) work {
	return work{do: func(context.Context) flow.Message { return m }}
}

// command answers a slash command: with the ack where that is possible in time,
// else over its response_url.
func (s *session) command(ctx context.Context, env envelope, p commandPayload) {
	c := flow.Caller{
		User: p.User, Workspace: p.Team, Channel: p.Channel,
		Dedupe: env.delivery(p.Trigger), Raw: p.Text,
	}
	w := s.listen(ctx, &c, p.Text)
	later := func(ctx context.Context, m flow.Message) {
		s.later(ctx, p.ResponseURL, c, m)
	}
	// tell acknowledges, and reports whether the person was told with that.
	tell := func(m flow.Message) bool {
		payload := privately(m)
		if !env.answerable(p.ResponseURL) || !fits(payload) {
			env.ack(nil)
			return false
		}
		env.ack(payload)
		// On another connection nobody knows what becomes of it, and an ack that is too
		// late shows nothing.
		return !env.cut() && s.app.clock.Now().Sub(env.arrived) < ackDeadline
	}
	looking := func() { tell(s.say(saidLooking, c.Language)) }
	if w.once && !s.app.seen.first("command/"+c.Dedupe) {
		// After a reconnect Slack delivers a command again (slack.md 1.5).
		w = saying(s.say(saidTwice, c.Language))
	}
	if w.slow {
		if s.back.offer(func(ctx context.Context) { later(ctx, s.slowly(ctx, w)) }) {
			looking()
			return
		}
		s.app.metrics.shed.WithLabelValues(typeCommand).Inc()
		w = saying(s.say(saidBusy, c.Language))
	}
	m, told := s.inTime(ctx, env, w, tell, looking)
	if !told {
		s.aside(ctx, func(ctx context.Context) { later(ctx, m) })
	}
}

// mention answers a mention privately. Its ack says nothing, so it waits for the
// desk only: a mention that is lost before is delivered again. Neither a repeat nor
// the time that it takes is a reason to acknowledge a request that isn't on record:
// this process may die with it.
func (s *session) mention(ctx context.Context, env envelope, c flow.Caller, line string) {
	bare := func() { env.ack(nil) }
	came := env.arrived
	if env.Attempt > 0 { // the first came before, here or to another replica
		came = came.Add(-ackDeadline)
	}
	if !s.app.seen.begin(c.Dedupe, came) {
		if !s.app.seen.join(c.Dedupe, bare) {
			bare()
		}
		return
	}
	var acked atomic.Bool // the timer of inTime sets it too
	defer func() {
		if !acked.Load() { // a panic, or a stop: what Slack delivers again is worked on anew
			s.app.seen.drop(c.Dedupe)
		}
	}()
	bare = func() {
		if ctx.Err() != nil { // stopped in the middle of it, so it may not be on record
			return
		}
		acked.Store(true)
		env.ack(nil)
		for _, ack := range s.app.seen.done(c.Dedupe) {
			ack()
		}
	}
	w := s.listen(ctx, &c, line)
	tell := func(ctx context.Context, m flow.Message) {
		if acked.Load() { // else the next delivery tells
			s.whisper(ctx, c, m)
		}
	}
	if w.slow {
		bare()
		s.aside(ctx, func(ctx context.Context) { tell(ctx, s.slowly(ctx, w)) })
		return
	}
	if w.counted {
		m := w.do(ctx)
		bare()
		s.aside(ctx, func(ctx context.Context) { tell(ctx, m) })
		return
	}
	m, _ := s.inTime(ctx, env, w, func(flow.Message) bool { bare(); return true }, bare)
	s.aside(ctx, func(ctx context.Context) { tell(ctx, m) })
}

// inTime does work and then calls answer, which acknowledges and reports whether
// the person was told. When the work takes longer than an ack may, late
// acknowledges before, and told is false.
func (s *session) inTime(ctx context.Context, env envelope, w work, answer func(flow.Message) bool, late func()) (m flow.Message, told bool) {
	var once sync.Once
	left := ackBudget - s.app.clock.Now().Sub(env.arrived)
	if left <= 0 {
		once.Do(late)
	}
	timer := time.AfterFunc(left, func() { once.Do(late) })
	defer timer.Stop()
	// A panic in here is caught by the pool. The timer is stopped then and the
	// envelope stays unacknowledged, which is what Slack should see.
	m = w.do(ctx)
	once.Do(func() { told = answer(m) })
	return m, told
}

func (s *session) slowly(ctx context.Context, w work) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, slowBudget)
	defer cancel()
	return w.do(ctx)
}

// aside lets a back worker tell somebody something, or does it here when all are
// busy: what was promised is told, if late.
func (s *session) aside(ctx context.Context, job func(context.Context)) {
	if !s.back.offer(job) {
		job(ctx)
	}
}

// fits reports whether an answer may go with an ack; bigger ones Slack drops,
// together with the connection (slack.md 1.3).
func fits(payload private) bool {
	body, err := json.Marshal(payload)
	return err == nil && len(body) <= maxAck
}

const tellTimeout = 15 * time.Second

// answer has a back worker answer over a response_url. While all are busy the answer
// waits: the front ones, who have acks to give, must not stand for Slack.
func (s *session) answer(ctx context.Context, responseURL string, c flow.Caller, m flow.Message) {
	say := func(ctx context.Context) { s.later(ctx, responseURL, c, m) }
	switch {
	case s.back.offer(say):
	case s.isStopping(): // nobody comes back for it
		say(ctx)
	default:
		s.tellIn(tellAgain, &untold{c: c, err: errBusy, again: say})
	}
}

// errBusy is why an answer waits that was not tried yet.
var errBusy = errors.New("all workers are busy")

// later answers over a response_url, which works in channels that the bot hasn't
// joined, or in the other private ways when Slack doesn't take it.
func (s *session) later(ctx context.Context, responseURL string, c flow.Caller, m flow.Message) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	if responseURL != "" {
		err := s.app.reply(ctx, responseURL, m)
		if err == nil {
			return
		}
		s.app.log.Info("a private answer takes the other way", "user", c.User, "error", redacted(err))
	}
	s.whisper(ctx, c, m)
}

// The pace at which a private answer is tried again, and how often.
const (
	tellAgain = 2 * time.Second
	tellSoon  = 15 * time.Second // longer than that it goes by direct message
	tellMost  = time.Minute
	tellTries = 4
)

// whisper answers in the channel and thread that somebody spoke in, so that only
// they see it, or by direct message.
func (s *session) whisper(ctx context.Context, c flow.Caller, m flow.Message) {
	m.Channel, m.Thread = c.Channel, c.Thread
	s.whisperAgain(ctx, c, m, 1, false)
}

// whisperAgain tries a private answer, and plans the next try when Slack asks to wait
// or can't be reached: the answer may be that nothing was done. No worker waits for
// it. What may have arrived is told once more: twice is better than never. Where the
// blocks are refused the text has to do.
func (s *session) whisperAgain(ctx context.Context, c flow.Caller, m flow.Message, try int, doubted bool) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	err := s.app.tell(ctx, c.User, m)
	if err == nil {
		return
	}
	wait := tellAgain << (try - 1)
	limited, ok := errors.AsType[*flow.RateLimited](err)
	if ok {
		wait = limited.After
	}
	if ok && wait > tellSoon && m.Channel != "" {
		// Slack limits each method on its own, and a mention has no other way.
		m.Channel, m.Thread, wait = "", "", 0
	}
	final := errors.Is(err, flow.ErrChatRefused) || errors.Is(err, flow.ErrBlocksRefused) || errors.Is(err, flow.ErrNoChannel)
	if errors.Is(err, flow.ErrBlocksRefused) && len(m.Blocks) > 0 {
		m.Blocks, wait, final = nil, 0, false
	}
	if !ok && final || errors.Is(err, flow.ErrChatInDoubt) && doubted || try == tellTries || wait > tellMost {
		s.untold(c, err)
		return
	}
	s.tellIn(wait, &untold{c: c, err: err, again: func(ctx context.Context) {
		s.whisperAgain(ctx, c, m, try+1, doubted || errors.Is(err, flow.ErrChatInDoubt))
	}})
}

// untold is a private answer that waits for its next try.
type untold struct {
	c     flow.Caller
	err   error // of the last try
	again func(context.Context)
	timer *time.Timer
}

// tellIn plans the next try of a private answer. A back worker makes it; while all
// are busy it waits on. Those that wait when the edge stops are given up: Run must
// not return while something of it still speaks to Slack.
func (s *session) tellIn(wait time.Duration, u *untold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		s.untold(u.c, u.err)
		return
	}
	s.telling[u] = struct{}{}
	u.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch _, waits := s.telling[u]; {
		case !waits: // given up
		case s.back.offer(u.again):
			delete(s.telling, u)
		default:
			u.timer.Reset(tellAgain)
		}
	})
}

// giveUp ends the wait of all private answers. It is called with s.mu held.
func (s *session) giveUp() {
	for u := range s.telling {
		u.timer.Stop() // one that fires now finds itself gone
		if errors.Is(u.err, errBusy) && s.back.offer(u.again) {
			continue // it was not tried yet
		}
		s.untold(u.c, u.err)
	}
	clear(s.telling)
}

func (s *session) untold(c flow.Caller, err error) {
	s.app.log.Warn("a private answer could not be delivered", "user", c.User, "channel", c.Channel, "error", redacted(err))
}

// refuse turns an error of the desk into words. An error that isn't meant for
// people is logged, and they are told other.
func (s *session) refuse(err error, c flow.Caller, other said) flow.Message {
	var no *flow.Rejection
	if errors.As(err, &no) {
		if no.Err != nil {
			s.app.log.Warn("a request was not taken", "user", c.User, "code", string(no.Code), "error", redacted(no.Err))
		}
		return s.card.Rejection(no, c.Language)
	}
	s.app.log.Error("a request failed", "user", c.User, "channel", c.Channel, "error", redacted(err))
	return s.say(other, c.Language)
}

// unseen is the answer when a cloud could not be asked: an error of the desk that
// isn't a rejection is the provider's there.
func (s *session) unseen(err error, c flow.Caller) flow.Message {
	if _, ok := errors.AsType[*flow.Rejection](err); ok {
		return s.refuse(err, c, saidFailed)
	}
	s.app.log.Warn("a cloud could not be asked", "user", c.User, "error", redacted(err))
	return s.card.CloudError(providers.AdviceOf(err).In(c.Language), c.Language)
}
