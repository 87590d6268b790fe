package slackapp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// ackTimeout bounds how long an ack waits for room in slack-go's queue, which
	// is 20 deep and stands still without a connection (slack.md 2.4). Behind
	// Slack's three seconds there is no use in it.
	ackTimeout = 2500 * time.Millisecond
	// ackQueue is how many acks of one socket may wait.
	ackQueue = 512
	// maxAck is Slack's limit of a client frame less some room for the envelope:
	// a longer one closes the socket with code 1009 (slack.md 1.3).
	maxAck = 19 << 10
	// writeBuffer keeps an ack in one frame: Slack drops large acks in several
	// (slack.md 2.1).
	writeBuffer = 32 << 10
	// goodRun is how long a connection lives to count as a good one. Worse ones in
	// a row are opened ever more slowly, up to slowest apart.
	goodRun = 30 * time.Second
	slowest = 30 * time.Second
)

// ack is an answer to an envelope on its way to a socket.
type ack struct {
	id, kind string
	payload  any // nil = bare
	arrived  time.Time
}

// socket is one Socket Mode connection, opened anew whenever it ends.
type socket struct {
	app    *App
	n      int
	log    *slog.Logger
	client *socketmode.Client
	acks   chan ack
	queued atomic.Int64 // acks not yet given to slack-go

	up    atomic.Bool  // had its hello and is not known to be down
	count atomic.Int64 // counts connections: an ack belongs to one
	heard atomic.Int64 // when the connection last gave a byte, Unix nanoseconds

	mu      sync.Mutex
	end     context.CancelCauseFunc // ends the connection that is there or being made
	dialled time.Time               // of a connection without a hello as yet; else zero
	hello   time.Time               // of the last connection; zero = it had none
	mute    time.Time               // since when the connection takes no acks; zero = it does
	life    time.Duration           // how long Slack lets a connection live, as hello said; 0 = unknown
	spread  bool                    // was renewed once ahead of its time; see due
	poor    int                     // connections in a row that didn't last
	opened  bool
}

func (a *App) newSocket(n int) *socket {
	s := &socket{app: a, n: n, log: a.log.With("socket", n), acks: make(chan ack, ackQueue)}
	// Its own Web API client, since opening is paced per socket. slack-go copies
	// it, debug must stay off: it would add debug_reconnects to the address.
	api := slack.New(a.opt.BotToken,
		slack.OptionAppLevelToken(a.opt.AppToken),
		slack.OptionAPIURL(a.opt.APIURL),
		slack.OptionHTTPClient(doer{client: a.http, before: s.beforeOpen}))
	s.client = socketmode.New(api,
		socketmode.OptionPingInterval(a.opt.PingInterval),
		socketmode.OptionDialer(&websocket.Dialer{
			Proxy:            http.ProxyFromEnvironment,
			HandshakeTimeout: httpTimeout,
			WriteBufferSize:  writeBuffer,
			NetDialContext:   s.dial,
		}))
	return s
}

// dial notes when the connection gives a byte: slack-go keeps the age of the
// last ping to itself.
func (s *socket) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := s.app.opt.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return heard{Conn: conn, note: s.note}, nil
}

func (s *socket) note() { s.heard.Store(s.app.clock.Now().UnixNano()) }

type heard struct {
	net.Conn
	note func()
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.note()
	}
	return n, err
}

// beforeOpen waits for this socket's turn to call apps.connections.open.
func (s *socket) beforeOpen(ctx context.Context) error {
	s.mu.Lock()
	switch {
	case !s.opened:
		s.opened = true
	case !s.hello.IsZero() && s.app.clock.Now().Sub(s.hello) >= goodRun:
		s.poor = 0
	default:
		s.poor++
	}
	s.hello = time.Time{}
	poor := s.poor
	s.mu.Unlock()
	if poor == poorHint {
		s.log.Warn("Slack ends every connection soon; is Socket Mode on for the app, and do all replicas together hold no more than 10 sockets?")
	}
	return s.app.spacing.wait(ctx, patience(poor, s.app.opt.Jitter))
}

// poorHint is after how many short connections in a row a person should look.
const poorHint = 4

// patience is the wait before a connection is opened after some in a row that
// didn't last, beyond what keeps all opens apart: none after the first, then
// doubling, with jitter so that replicas don't come back in step. That makes five
// in the first minute of an outage, so that ten sockets, which is what an app may
// have, stay within the fifty calls a minute that Slack allows (slack.md 9).
func patience(poor int, jitter func(time.Duration) time.Duration) time.Duration {
	if poor < 2 {
		return 0
	}
	wait := min(5*time.Second<<min(poor-2, 10), slowest)
	return wait + jitter(wait/4+1)
}

// restart ends the connection that is there or being made; another is opened.
func (s *socket) restart(why string) {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	if end != nil {
		end(errors.New(why))
	}
}

// silence is how long a connection may give no byte. slack-go looks for pings
// only, after one to two intervals; this catches what it misses.
func (a *App) silence() time.Duration { return 2*a.opt.PingInterval + 10*time.Second }

// due says why the connection has to be replaced now, "" = it need not.
func (s *socket) due(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.dialled.IsZero():
		// A connection without a hello gets nothing delivered, pings or not.
		if now.Sub(s.dialled) > s.app.opt.PingInterval {
			return "no hello came"
		}
	case !s.up.Load():
	case !s.mute.IsZero() && now.Sub(s.mute) > time.Second:
		return "it takes no acknowledgements"
	case now.Sub(time.Unix(0, s.heard.Load())) > s.app.silence():
		return "nothing is heard"
	case s.n > 1 && !s.spread && s.life > 0:
		// Sockets opened together would reach the end of their life together. One
		// early renewal keeps them apart for good. It waits for another to be up.
		early := s.life * time.Duration(s.n-1) / time.Duration(s.app.opt.Sockets)
		if now.Sub(s.hello) >= early && s.app.another(s, now) {
			s.spread = true
			return "renewed, so that not all end at once"
		}
	}
	return ""
}

// another reports whether a socket besides this one is ready.
func (a *App) another(but *socket, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sockets {
		if s != but && s.ready(now, a.silence()) {
			return true
		}
	}
	return false
}

// watch replaces the connection when it has to be.
func (s *socket) watch(ctx context.Context, done <-chan struct{}) {
	tick := time.NewTicker(min(max(s.app.opt.PingInterval/20, 20*time.Millisecond), time.Second))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if why := s.due(s.app.clock.Now()); why != "" && ctx.Err() == nil {
				s.restart(why)
			}
		case <-done:
			return
		}
	}
}

// run keeps the connection until the context ends (nil) or Slack refuses the
// tokens (ErrTokens). fatal is told at once about refusals that slack-go would
// repeat for ever.
func (s *socket) run(ctx context.Context, fatal func(error), take func(envelope)) error {
	var helpers sync.WaitGroup
	done := make(chan struct{})
	defer helpers.Wait()
	defer close(done)
	// slack-go stops reading, answering pings and reconnecting when Events is
	// full, and never closes it: drain it until RunContext has returned (slack.md
	// 2.3). Nothing in here may wait.
	helpers.Go(func() {
		for {
			select {
			case evt := <-s.client.Events:
				s.on(ctx, evt, fatal, take)
			case <-done:
				return
			}
		}
	})
	helpers.Go(func() {
		for {
			select {
			case a := <-s.acks:
				s.send(ctx, a)
			case <-done:
				return
			}
		}
	})
	helpers.Go(func() { s.watch(ctx, done) })
	for {
		alive, end := context.WithCancelCause(ctx)
		s.mu.Lock()
		s.end, s.dialled = end, time.Time{}
		s.mu.Unlock()
		err := s.client.RunContext(alive)
		why := context.Cause(alive)
		end(nil)
		s.up.Store(false)
		s.count.Add(1)
		if ctx.Err() != nil {
			return nil
		}
		if why != nil {
			s.log.Info("the socket is opened anew", "why", redacted(why))
			continue
		}
		if refused := tokensRefused(methodOpen, err); refused != nil {
			return refused
		}
		// slack-go takes HTTP 404 for a refusal; it may as well be a proxy that is
		// being replaced. beforeOpen paces the next try.
		s.app.metrics.gaps.WithLabelValues("connect").Inc()
		s.log.Error("the socket gave up and is started again; is slack.api_url right?", "error", redacted(err))
	}
}

// on takes one event of slack-go.
func (s *socket) on(ctx context.Context, evt socketmode.Event, fatal func(error), take func(envelope)) {
	switch evt.Type {
	case socketmode.EventTypeConnecting:
		if s.up.Swap(false) {
			s.log.Info("the socket is opened anew")
		}
		s.mu.Lock()
		s.dialled, s.mute = time.Time{}, time.Time{}
		s.mu.Unlock()
		s.count.Add(1)
	case socketmode.EventTypeHello:
		s.greeted(evt.Request)
	case socketmode.EventTypeConnectionError:
		s.app.metrics.gaps.WithLabelValues("connect").Inc()
		cause := errors.New("unknown")
		if e, ok := evt.Data.(*slack.ConnectionErrorEvent); ok {
			cause = e.ErrorObj
		}
		if refused := tokensRefused(methodOpen, cause); refused != nil {
			fatal(refused)
			return
		}
		if errors.Is(cause, context.Canceled) {
			return // we ended it ourselves
		}
		s.log.Warn("Slack can't be reached over a socket", "error", redacted(cause))
		var limited *slack.RateLimitedError
		if errors.As(cause, &limited) {
			s.app.spacing.rest(limited.RetryAfter)
		}
		// slack-go waits up to five minutes between tries, in step with every other
		// client that lost Slack at the same moment; beforeOpen paces the next one.
		s.restart("a try failed")
	case socketmode.EventTypeIncomingError:
		s.app.metrics.gaps.WithLabelValues("read").Inc()
		if e, ok := evt.Data.(*slack.IncomingEventError); ok {
			s.log.Debug("reading from the socket failed", "error", redacted(e.ErrorObj))
		}
	case socketmode.EventTypeErrorWriteFailed:
		s.app.metrics.gaps.WithLabelValues("write").Inc()
		if e, ok := evt.Data.(*socketmode.ErrorWriteFailed); ok {
			s.app.metrics.acks.WithLabelValues("any", ackLost).Inc()
			s.log.Warn("an acknowledgement was lost", "envelope", e.Response.EnvelopeID, "error", redacted(e.Cause))
		}
		// No later write can succeed either, but slack-go goes on as if nothing were.
		// Most of the time the connection is cut, and it notices by itself.
		s.mu.Lock()
		s.mute = s.app.clock.Now()
		s.mu.Unlock()
	case socketmode.EventTypeErrorBadMessage:
		// Types that slack-go doesn't know, or a field in another form than it
		// expects. Slack would send it three times more; what we need of it we read
		// ourselves (slack.md 2.3).
		if e, ok := evt.Data.(*socketmode.ErrorBadMessage); ok {
			s.app.metrics.gaps.WithLabelValues("message").Inc()
			s.log.Debug("slack-go could not read a message", "error", redacted(e.Cause))
			if env, ok := decodeEnvelope(e.Message); ok {
				take(env.on(s))
			}
		}
	case socketmode.EventTypeEventsAPI, socketmode.EventTypeInteractive, socketmode.EventTypeSlashCommand:
		if r := evt.Request; r != nil && r.EnvelopeID != "" {
			take(envelope{ID: r.EnvelopeID, Type: r.Type, Payload: r.Payload, Attempt: r.RetryAttempt, Accepts: r.AcceptsResponsePayload}.on(s))
		}
	case socketmode.EventTypeConnected:
		// It comes before hello and says nothing about readiness.
		s.mu.Lock()
		s.dialled = s.app.clock.Now()
		s.mu.Unlock()
	case socketmode.EventTypeInvalidAuth, socketmode.EventTypeDisconnect:
		// RunContext returns the one's cause; slack-go handles the other itself.
	}
}

// greeted takes a hello: from here on Slack delivers on this connection.
func (s *socket) greeted(r *socketmode.Request) {
	s.mu.Lock()
	s.hello, s.dialled = s.app.clock.Now(), time.Time{}
	if r != nil {
		s.life = time.Duration(r.DebugInfo.ApproximateConnectionTime) * time.Second
	}
	s.mu.Unlock()
	s.note()
	s.up.Store(true)
	s.app.metrics.connects.Inc()
	if r != nil {
		s.log.Info("the socket is ready", "connections_of_the_app", r.NumConnections, "host", r.DebugInfo.Host)
		if err := s.app.sameApp(r.ConnectionInfo.AppID); err != nil {
			// It runs, if not as meant; an end of the process would not mend it.
			s.log.Error("the tokens are of two apps: commands may never arrive, and answers come from another bot", "error", err)
		}
	}
	// Events of the time without this connection may have been lost, also those
	// that say that somebody left a group.
	s.app.groups.forget("")
	s.app.people.forget("")
	s.app.gap()
}

// ready reports whether the connection had its hello and was heard of lately.
func (s *socket) ready(now time.Time, silence time.Duration) bool {
	return s.up.Load() && now.Sub(time.Unix(0, s.heard.Load())) < silence
}

// The outcomes of acks in metrics.
const (
	ackQueued = "queued"
	ackLost   = "lost"
)

// answer queues an ack; it never waits. A full queue means that the socket has
// been down for long: Slack has given up on these envelopes anyway.
func (s *socket) answer(a ack) {
	s.queued.Add(1)
	select {
	case s.acks <- a:
	default:
		s.queued.Add(-1)
		s.app.metrics.acks.WithLabelValues(a.kind, ackLost).Inc()
		s.log.Warn("an acknowledgement was dropped: too many are waiting", "envelope", a.id)
	}
}

// send gives an ack to slack-go.
func (s *socket) send(ctx context.Context, a ack) {
	defer s.queued.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	err := s.client.AckCtx(ctx, a.id, a.payload)
	if err != nil {
		s.app.metrics.acks.WithLabelValues(a.kind, ackLost).Inc()
		s.log.Warn("an acknowledgement could not be sent", "envelope", a.id, "error", redacted(err))
		return
	}
	s.app.metrics.acks.WithLabelValues(a.kind, ackQueued).Inc()
	s.app.metrics.ackTime.WithLabelValues(a.kind).Observe(s.app.clock.Now().Sub(a.arrived).Seconds())
}
