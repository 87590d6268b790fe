package slackapp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

// One test per measured trap of slack-go (slack.md 2).

func TestASocketWithoutAHelloIsReplaced(t *testing.T) {
	e := newEdge(t, nil, func(o *Options) { o.PingInterval = 500 * time.Millisecond })
	e.sim.WithholdHello(1)
	e.run()
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "help").Err)
	require.Contains(t, e.logs.String(), "no hello came")
}

// An open that Slack accepts and never answers.
func TestAHangingOpenIsGivenUp(t *testing.T) {
	e := newEdge(t, nil, func(o *Options) {
		o.HTTPClient = &http.Client{Transport: o.HTTPClient.Transport, Timeout: 400 * time.Millisecond}
	})
	e.sim.Fail("apps.connections.open", slacksim.Fault{Kind: slacksim.Hang, Times: 2})
	begun := time.Now()
	e.run()
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "help").Err)
	require.Greater(t, time.Since(begun), 2*time.Second, "opens stay apart")
}

func TestRetryAfterOfAnOpenIsObeyedByAllSockets(t *testing.T) {
	e := newEdge(t, nil, func(o *Options) { o.Sockets = 2 })
	e.sim.Fail("apps.connections.open", slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 3})
	e.run()
	e.eventually(func() bool { return e.sim.Connections() == 2 }, "both are up in the end")
	opens := e.sim.Requests("apps.connections.open")
	require.Equal(t, 429, opens[0].Status)
	// The second socket's turn may have been given out before.
	n := 0
	for _, r := range opens[1:] {
		if r.Mono-opens[0].Mono < 2900*time.Millisecond {
			n++
		}
	}
	require.LessOrEqual(t, n, 1)
}

// slack-go alone would wait up to five minutes after an outage.
func TestAfterAnOutageItComesBackSoon(t *testing.T) {
	for poor := range 20 {
		require.LessOrEqual(t, patience(poor, rand.N[time.Duration]), slowest+slowest/4)
	}
	require.Zero(t, patience(1, rand.N[time.Duration]), "one cut is nothing")
	require.GreaterOrEqual(t, patience(4, rand.N[time.Duration]), 4*time.Second)
	var passed time.Duration
	opens := 0
	for poor := 0; passed < time.Minute; poor++ {
		opens++
		passed += time.Second + patience(poor+1, func(time.Duration) time.Duration { return 0 })
	}
	require.LessOrEqual(t, opens*maxSockets, 50, "an outage is no reason for a 429")
	require.GreaterOrEqual(t, patience(100, rand.N[time.Duration]), slowest)
	seen := map[time.Duration]bool{}
	for range 20 {
		seen[patience(6, rand.N[time.Duration])] = true
	}
	require.Greater(t, len(seen), 1, "with jitter: replicas don't come back in step")
}

func TestConnectionsThatDoNotLastAreOpenedEverMoreSlowly(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := e.app.newSocket(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // how long it would wait is not waited for
	for range poorHint + 1 {
		s.mu.Lock()
		s.hello = e.app.clock.Now()
		s.mu.Unlock()
		require.ErrorIs(t, s.beforeOpen(ctx), context.Canceled)
	}
	require.Equal(t, poorHint, s.poor)
	require.Contains(t, e.logs.String(), "is Socket Mode on")
	s.mu.Lock()
	s.hello = e.app.clock.Now().Add(-goodRun)
	s.mu.Unlock()
	require.ErrorIs(t, s.beforeOpen(ctx), context.Canceled)
	require.Zero(t, s.poor, "a good run makes up for it")
}

func TestAConnectionThatTakesNoAcksIsReplaced(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := e.app.newSocket(1)
	now := e.app.clock.Now()
	s.up.Store(true)
	s.note()
	failed := socketmode.Event{Type: socketmode.EventTypeErrorWriteFailed, Data: &socketmode.ErrorWriteFailed{
		Cause: errors.New("i/o timeout"), Response: &socketmode.Response{EnvelopeID: "e"},
	}}
	s.on(t.Context(), failed, nil, nil)
	require.Empty(t, s.due(now), "slack-go may notice by itself")
	require.NotEmpty(t, s.due(now.Add(2*time.Second)))
	s.on(t.Context(), socketmode.Event{Type: socketmode.EventTypeConnecting}, nil, nil)
	s.up.Store(true)
	require.Empty(t, s.due(now.Add(2*time.Second)))
}

func TestASilentConnectionIsReplacedThoughSlackGoIsContent(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := e.app.newSocket(1)
	now := e.app.clock.Now()
	require.Empty(t, s.due(now.Add(time.Hour)), "it is being opened")
	s.up.Store(true)
	s.heard.Store(now.UnixNano())
	require.Empty(t, s.due(now.Add(e.app.silence())))
	require.NotEmpty(t, s.due(now.Add(e.app.silence()+time.Millisecond)))
}

// Acks queue up while there is no connection. Who acknowledges never waits.
func TestAcksWithoutAConnectionBlockNobody(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := e.app.newSocket(1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2 * ackQueue {
			s.answer(ack{id: fmt.Sprint(i), kind: typeEvents, arrived: e.app.clock.Now()})
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		require.FailNow(t, "an ack waits for a connection")
	}
	require.Contains(t, e.logs.String(), "too many are waiting")
	// What slack-go has no room for is given up within Slack's three seconds.
	begun := time.Now()
	for range 20 {
		s.send(t.Context(), ack{id: "x", kind: typeEvents})
	}
	s.send(t.Context(), ack{id: "x", kind: typeEvents})
	require.Less(t, time.Since(begun), 3*time.Second)
}

// While one socket is replaced the other serves.
func TestARefreshLosesNothing(t *testing.T) {
	e := newEdge(t, nil, func(o *Options) { o.Sockets = 2 }).run()
	e.eventually(func() bool { return e.sim.Connections() == 2 }, "both")
	e.sim.Fail("apps.connections.open", slacksim.Fault{Kind: slacksim.Slow, Delay: time.Second, Times: 2})
	spreads := func() int { return read(e.desk, func(d *desk) int { return len(d.spreads) }) }
	for range 2 {
		before := spreads()
		e.sim.DisconnectOne(slacksim.DisconnectRefresh)
		e.eventually(func() bool { return e.sim.Connections() == 1 }, "one is gone")
		for range 5 {
			require.NoError(t, e.sim.Slash(ann, channel, "/scale", "help").Err)
			require.True(t, e.app.Ready())
		}
		require.Equal(t, 1, e.sim.Connections(), "the other is still being opened")
		e.eventually(func() bool { return e.sim.Connections() == 2 }, "both again")
		e.eventually(func() bool { return spreads() > before }, "what may have been lost is looked at")
	}
}

// Two sockets opened together reach the end of their life together.
func TestSocketsDoNotEndTogether(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.ConnectionLife, o.CloseAfter = 8*time.Second, 100*time.Millisecond }, func(o *Options) { o.Sockets = 2 })
	e.run()
	e.eventually(func() bool { return e.sim.Connections() == 2 }, "both")
	begun := time.Now()
	e.eventually(func() bool { return strings.Contains(e.logs.String(), "renewed, so that not all end at once") }, "one of them is renewed early")
	require.Less(t, time.Since(begun), 6*time.Second, "well before its end")
	e.eventually(func() bool { return e.sim.Connections() == 2 }, "and is back")
	require.Equal(t, 1, strings.Count(e.logs.String(), "renewed, so that"), "once is enough")
	s := e.app.newSocket(2)
	s.up.Store(true)
	s.note()
	s.life, s.hello = time.Hour, e.app.clock.Now().Add(-50*time.Minute)
	e.sim.RefuseOpens("internal_error")
	e.sim.CutSockets()
	e.eventually(func() bool { return !e.app.Ready() }, "all down")
	require.Empty(t, s.due(e.app.clock.Now()), "the last one standing isn't touched")
	e.sim.RefuseOpens("")
}

// A reconnect wakes what events could have been lost for, with the real desk.
func TestAVoteDuringAnOutageCountsAfterIt(t *testing.T) {
	w := newRoad(t, 1)
	id, ts := w.asked()
	w.sim.RefuseUpgrades(503)
	w.sim.CutSockets()
	w.eventually(func() bool { return !w.app.Ready() }, "no socket")
	w.sim.DropEvents(lost)
	w.react(lea, ts, "white_check_mark")
	w.settle()
	w.in(id, flow.AwaitingApproval)
	w.sim.ClearSocketFaults()
	w.eventually(w.app.Ready, "back again")
	w.eventually(func() bool {
		w.clock.Advance(100 * time.Millisecond)
		w.settle()
		return w.flow(id).State == flow.Scheduled
	}, "the vote is found long before the minutely look")
	require.Less(t, w.clock.Now().Sub(w.flow(id).CreatedAt), 50*time.Second)
}

// A token that is refused later ends the run, whichever socket hears of it, and
// other failures don't.
func TestFailuresOfAnOpenAreToldApart(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := e.app.newSocket(1)
	var fatal atomic.Int64
	fail := func(err error) {
		s.on(t.Context(), socketmode.Event{Type: socketmode.EventTypeConnectionError, Data: &slack.ConnectionErrorEvent{ErrorObj: err}},
			func(error) { fatal.Add(1) }, nil)
	}
	alive, end := context.WithCancelCause(t.Context())
	s.end = end
	fail(context.Canceled)
	require.NoError(t, alive.Err(), "ended by ourselves: nothing more to do")
	fail(errors.New("no such host"))
	require.Error(t, alive.Err(), "the next try is ours, not slack-go's")
	require.Zero(t, fatal.Load())
	fail(slack.SlackErrorResponse{Err: "token_revoked"})
	require.EqualValues(t, 1, fatal.Load())
}
