package flow_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
)

// frozen is a Slack whose next edit leaves late: its process was stopped in the
// middle of the call, and meanwhile does what happens meanwhile.
type frozen struct {
	flow.Chat
	meanwhile func() // before an edit
	posted    func() // before the post with this key
	key       string
}

func (f *frozen) Post(ctx context.Context, m flow.Message) (flow.MessageRef, error) {
	if posted := f.posted; posted != nil && m.Key == f.key {
		f.posted = nil
		posted()
	}
	return f.Chat.Post(ctx, m)
}

func (f *frozen) Update(ctx context.Context, ref flow.MessageRef, m flow.Message) error {
	if meanwhile := f.meanwhile; meanwhile != nil {
		f.meanwhile = nil
		meanwhile()
	}
	return f.Chat.Update(ctx, ref, m)
}

// A replica was frozen in the middle of an edit for longer than its lease. Another
// one followed the flow to its end and edited the card; then the old edit arrives
// and puts the old state over it. The card must come right again.
func TestAnEditThatArrivesLateIsMadeGood(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 1))
	slow := &frozen{Chat: w.slack}
	slow.meanwhile = func() {
		require.False(t, w.flow(id).State.Ended())
		w.clock.Advance(40 * time.Second) // the lease is 30 s
		w.pass(5 * time.Minute)
		w.in(id, flow.Succeeded)
	}
	options := w.options
	options.Chat = slow
	late := flow.NewCourier(options)
	w.work()
	for range 100 {
		claims, err := w.store.Claim(t.Context(), flow.LaneChat, w.clock.Now(), w.options.Lease, 1)
		require.NoError(t, err)
		for _, c := range claims {
			_ = late.Step(t.Context(), c) // it finds out that it has lost its lease
		}
		if slow.meanwhile == nil {
			break
		}
		w.clock.Advance(time.Second)
		engine, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		for _, c := range engine {
			require.NoError(t, w.engine.Step(t.Context(), c))
		}
	}
	require.Nil(t, slow.meanwhile, "the late edit was never made")
	w.pass(time.Minute)
	cards := w.slack.Keyed("card/")
	require.Len(t, cards, 1)
	require.EqualValues(t, flow.Succeeded, cards[0].Payload["state"])
}

// A replica was frozen in the middle of a post for longer than its lease. Another
// one looked for the post, did not find it and posted it itself; then the first one
// arrives. One of them goes.
func TestAPostThatArrivesLateIsTakenAway(t *testing.T) {
	for _, key := range []string{"card/1", "notice/succeeded/" + room} {
		w := newWorld(t)
		id := w.request(ask(flow.Add, 1))
		if key != "card/1" {
			w.work()
			for range 300 { // to its end, with nobody to tell it
				claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 1)
				require.NoError(t, err)
				for _, c := range claims {
					require.NoError(t, w.engine.Step(t.Context(), c))
				}
				w.clock.Advance(time.Second)
			}
			w.in(id, flow.Succeeded)
		} else {
			claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 1)
			require.NoError(t, err)
			require.NoError(t, w.engine.Step(t.Context(), claims[0]))
		}
		slow := &frozen{Chat: w.slack, key: key}
		slow.posted = func() {
			w.clock.Advance(40 * time.Second) // the lease is 30 s
			w.pass(5 * time.Minute)
		}
		options := w.options
		options.Chat = slow
		late := flow.NewCourier(options)
		for range 20 {
			claims, err := w.store.Claim(t.Context(), flow.LaneChat, w.clock.Now(), w.options.Lease, 1)
			require.NoError(t, err)
			for _, c := range claims {
				_ = late.Step(t.Context(), c) // it finds out that it has lost its lease
			}
			if slow.posted == nil {
				break
			}
			w.clock.Advance(time.Second)
		}
		require.Nil(t, slow.posted, "the late post was never made")
		w.pass(time.Minute)
		w.in(id, flow.Succeeded)
		standing := map[string]int{}
		for _, m := range w.slack.Messages() {
			if m.Private == "" && !m.Deleted {
				standing[m.Key]++
			}
		}
		require.Equal(t, 1, standing["card/1"])
		require.Equal(t, 1, standing["notice/succeeded/"+room])
	}
}
