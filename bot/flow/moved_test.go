package flow_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
)

// rooms is a Slack that knows one channel by one id.
type rooms struct {
	flow.Chat
	flow.Ballots
	knows string
	keep  []flow.MessageRef
	asked []string
}

func (r *rooms) Prune(_ context.Context, m flow.Message, _ time.Time, keep []flow.MessageRef) error {
	r.asked = append(r.asked, m.Channel)
	if m.Channel != r.knows {
		return flow.ErrNoChannel
	}
	r.keep = keep
	return nil
}

type flags map[string]string

func (f flags) Flag(_ context.Context, name string) (string, error) { return f[name], nil }

func TestAMovedChannelIsFollowed(t *testing.T) {
	slack := &rooms{knows: "C3"}
	m := flow.Moved{Chat: slack, Ballots: slack, Store: flags{"channel_now/C1": "C2", "channel_now/C2": "C3"}}
	keep := []flow.MessageRef{{Channel: "C1", TS: "1"}, {Channel: "C2", TS: "2"}, {Channel: "C3", TS: "3"}, {Channel: "C9", TS: "4"}}
	require.NoError(t, m.Prune(t.Context(), flow.Message{Channel: "C1"}, time.Time{}, keep))
	require.Equal(t, []string{"C1", "C2", "C3"}, slack.asked)
	require.Equal(t, []flow.MessageRef{{Channel: "C3", TS: "1"}, {Channel: "C3", TS: "2"}, {Channel: "C3", TS: "3"}, {Channel: "C9", TS: "4"}}, slack.keep, "what is on record is no stranger under another id")
	require.Equal(t, "C1", keep[0].Channel, "the caller's own stays")

	slack.asked = nil
	require.ErrorIs(t, m.Prune(t.Context(), flow.Message{Channel: "C8"}, time.Time{}, nil), flow.ErrNoChannel)
	require.Equal(t, []string{"C8"}, slack.asked, "one that didn't move is asked for once")

	ring := &rooms{}
	m = flow.Moved{Chat: ring, Ballots: ring, Store: flags{"channel_now/C1": "C2", "channel_now/C2": "C1"}}
	require.ErrorIs(t, m.Prune(t.Context(), flow.Message{Channel: "C1"}, time.Time{}, nil), flow.ErrNoChannel)
}
