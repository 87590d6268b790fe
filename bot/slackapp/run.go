package slackapp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"scalebot/bot/card"
	"scalebot/bot/flow"
)

const (
	// The front workers answer commands and mentions, within Slack's three
	// seconds; the back workers do what follows an ack and may take long.
	frontWorkers = 16
	frontQueue   = 256
	backWorkers  = 16
	backQueue    = 1024

	// A stop lets what is in hand be answered (stopWork), its acks be written
	// (stopFlush), and then ends the rest (stopRest). Together well below the ten
	// seconds of design.md section 9.
	stopWork  = 1500 * time.Millisecond
	stopFlush = 100 * time.Millisecond
	stopRest  = time.Second
)

// session is one Run of the app and what it is connected to.
type session struct {
	app   *App
	desk  flow.FrontDesk
	card  *card.Renderer
	front *pool
	back  *pool

	mu       sync.Mutex
	stopping bool
	touched  map[flow.MessageRef]struct{} // on their way to the desk
	telling  map[*untold]struct{}         // private answers that wait for their next try
}

// Run connects and serves until the context ends (nil, within about three
// seconds) or Slack refuses the tokens (ErrTokens). It identifies the bot first
// unless Identify was called. One Run at a time.
func (a *App) Run(ctx context.Context, desk flow.FrontDesk, r *card.Renderer) error {
	if a.identity.Load() == nil {
		if _, err := a.Identify(ctx); err != nil {
			return fmt.Errorf("who the bot is can't be told: %w", err)
		}
	}
	a.mu.Lock()
	if a.running {
		a.mu.Unlock()
		return errors.New("the Slack app is running already")
	}
	a.running = true
	a.sockets = nil
	for n := range a.opt.Sockets {
		a.sockets = append(a.sockets, a.newSocket(n+1))
	}
	sockets := a.sockets
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.running, a.sockets = false, nil
		a.mu.Unlock()
	}()

	// Neither work nor sockets end with ctx: what is in hand then is still
	// answered.
	workCtx, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	socketCtx, endSockets := context.WithCancel(context.WithoutCancel(ctx))
	defer endSockets()

	broken := func(r any) {
		a.metrics.panics.Inc()
		a.log.Error("a handler panicked", "panic", redact(fmt.Sprint(r)), "stack", string(debug.Stack()))
	}
	s := &session{
		app: a, desk: desk, card: r, touched: map[flow.MessageRef]struct{}{}, telling: map[*untold]struct{}{},
		front: newPool(workCtx, frontWorkers, frontQueue, broken),
		back:  newPool(workCtx, backWorkers, backQueue, broken),
	}

	failed := make(chan error, 1)
	fatal := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	var running sync.WaitGroup
	for _, sock := range sockets {
		running.Go(func() {
			if err := sock.run(socketCtx, fatal, s.take); err != nil {
				fatal(err)
			}
		})
	}
	running.Go(func() { s.reconcile(socketCtx) })
	running.Go(func() { a.watchToken(socketCtx, fatal) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		a.log.Error("the Slack edge stops", "error", err)
	}
	s.stop(context.WithoutCancel(ctx), sockets, endWork)
	endSockets()
	running.Wait()
	return err
}

// stop ends the work: no more is taken, what is in hand is answered, and the
// rest is cut short.
func (s *session) stop(ctx context.Context, sockets []*socket, endWork func()) {
	s.mu.Lock()
	s.stopping = true
	s.giveUp()
	s.mu.Unlock()
	s.front.close()
	work, cancel := context.WithTimeout(ctx, stopWork)
	defer cancel()
	inTime := s.front.wait(work)
	s.back.close()
	inTime = s.back.wait(work) && inTime
	if !inTime {
		s.app.log.Warn("work was cut short by the stop; Slack delivers events again")
		endWork()
		rest, cancel := context.WithTimeout(ctx, stopRest)
		defer cancel()
		s.front.wait(rest)
		s.back.wait(rest)
	}
	flush, cancel := context.WithTimeout(ctx, stopFlush)
	defer cancel()
	waitAcks(flush, sockets)
}

// waitAcks waits until slack-go has all acks and some time to write them: it
// doesn't tell when it did, and drops those still queued when it ends (slack.md
// 2.4).
func waitAcks(ctx context.Context, sockets []*socket) {
	tick := time.NewTicker(stopFlush / 10)
	defer tick.Stop()
	quiet := 0
	for quiet < 5 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		quiet++
		for _, s := range sockets {
			if s.queued.Load() > 0 {
				quiet = 0
			}
		}
	}
}

// Ready reports whether at least one socket has had its hello and was heard of
// lately: Slack then delivers to this process. For /readyz.
func (a *App) Ready() bool {
	now := a.clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sockets {
		if s.ready(now, a.silence()) {
			return true
		}
	}
	return false
}

const (
	// perBallot is how far apart the looks after a gap are: reactions.get allows
	// 50 a minute, and the usual looks go on (slack.md 9).
	perBallot = 1500 * time.Millisecond
	minSpread = 2 * time.Second
	maxSpread = 10 * time.Minute
	// reconcileRetry is the pause after a failed try.
	reconcileRetry = 5 * time.Second
	deskTimeout    = 10 * time.Second
)

// gap notes that events may have been missed. Several at once are one.
func (a *App) gap() {
	select {
	case a.gaps <- struct{}{}:
	default:
	}
}

// reconcile has the desk look at everything after a gap, until it worked.
func (s *session) reconcile(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.app.gaps:
		}
		for {
			err := s.reconcileOnce(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			s.app.log.Warn("open ballots could not be woken after a gap; trying again", "error", err)
			if pause(ctx, reconcileRetry) != nil {
				return
			}
		}
	}
}

func (s *session) reconcileOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	return s.desk.Reconcile(ctx, func(ballots int) time.Duration {
		return min(max(time.Duration(ballots)*perBallot, minSpread), maxSpread)
	})
}
