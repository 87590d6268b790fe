package slackapp

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

// clicksAcked counts the deliveries of clicks that were acknowledged.
func clicksAcked(sim *slacksim.Server) int {
	n := 0
	for _, f := range sim.Frames() {
		if f.Dir == "out" && f.Type == typeInteractive && acked(sim, f.EnvelopeID) {
			n++
		}
	}
	return n
}

// A process that dies between an acknowledgement and the record loses a vote that
// Slack showed as given, and delivers to nobody again.
func TestAClickIsAcknowledgedOnceItIsOnRecord(t *testing.T) {
	for action, blocks := range map[string]string{card.ActionApprove: voteButtons, card.ActionDidNot: buttons, card.ActionClose: buttons} {
		t.Run(action, func(t *testing.T) {
			e := newEdge(t, nil, nil).run()
			ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", Blocks: []byte(blocks)})
			require.NoError(t, err)
			begun, record := make(chan struct{}), make(chan struct{})
			e.desk.set(func(d *desk) { d.deciding = func(context.Context) { close(begun); <-record } })
			e.sim.DuplicateInteractions(1)
			pressed := make(chan *slacksim.Delivery, 1)
			go func() { pressed <- e.sim.Click(ann, channel, ref.TS, action) }()
			<-begun
			e.eventually(func() bool { return frames(e.sim, "out", "interactive") == 2 }, "Slack delivers it twice")
			time.Sleep(200 * time.Millisecond) // for an ack that must not come
			require.Zero(t, clicksAcked(e.sim), "nothing is on record")
			close(record)
			require.NoError(t, (<-pressed).Err)
			e.eventually(func() bool { return clicksAcked(e.sim) == 2 }, "both deliveries are acknowledged")
			require.Len(t, read(e.desk, func(d *desk) []flow.Caller { return d.callers }), 1, "and done once")
		})
	}
}

// Between, Slack tells the person that it didn't work.
func TestAStopAcknowledgesNoClickThatIsNotOnRecord(t *testing.T) {
	e := newEdge(t, nil, nil)
	sock := e.app.newSocket(1)
	for _, action := range []string{
		card.ActionApprove, card.ActionCancel, card.ActionDidNot, card.ActionClose, card.ActionPause, card.ActionRetry, card.ActionCleanUp,
		card.ActionKeep, card.ActionHalt, card.ActionRenew,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		back := newPool(ctx, 1, 8, func(any) {})
		s := &session{app: e.app, desk: e.desk, card: card.New(card.Options{}), back: back, stopping: true}
		cancel()
		p := interactionPayload{Trigger: action, Actions: []pressedAction{{ID: action, Value: "F-1/1", TS: "1"}}}
		p.User.ID = ann
		s.clicked(ctx, envelope{ID: action, Type: typeInteractive}.on(sock), p)
		back.close()
		require.True(t, back.wait(t.Context()))
		require.Empty(t, sock.acks, action)
		require.True(t, e.app.seen.first(action+"/"+action+"/1"), "a next delivery would be worked on: %s", action)
	}
}

// Whoever read that it didn't work presses again, and the second approval takes back
// the first: so what can't be acknowledged in time isn't begun.
func TestAClickThatIsTooLateIsNotDone(t *testing.T) {
	e := newEdge(t, nil, nil)
	_, err := e.app.profile(t.Context(), ann, flow.UrgentEnd)
	require.NoError(t, err)
	back := newPool(t.Context(), 1, 8, func(any) {})
	s := &session{app: e.app, desk: e.desk, card: card.New(card.Options{}), back: back}
	sock := e.app.newSocket(1)
	env := envelope{ID: "late", Type: typeInteractive}.on(sock)
	env.arrived = env.arrived.Add(-ackBudget)
	p := interactionPayload{Trigger: "late", Actions: []pressedAction{{ID: card.ActionApprove, Value: "F-1/1", TS: "1"}}}
	p.User.ID = ann
	s.clicked(t.Context(), env, p)
	back.close()
	require.True(t, back.wait(t.Context()))
	require.Empty(t, sock.acks)
	require.Empty(t, did(e))
}

// What asks a cloud may take long and fill the workers behind the ack. A click must
// not wait for them.
func TestAClickDoesNotWaitBehindSlowWork(t *testing.T) {
	e, ts := voting(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	e.desk.set(func(d *desk) {
		d.cluster = func(ctx context.Context) error {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
	})
	for range backWorkers {
		require.NoError(t, e.sim.Slash(ann, channel, "/scale", "status emr-m620").Err)
	}
	require.NoError(t, e.sim.Click(ann, channel, ts, card.ActionApprove).Err)
	require.Len(t, did(e), 1)
}
