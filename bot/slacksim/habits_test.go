package slacksim_test

import (
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
)

func TestHabitsOfAnswers(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) { o.Habits = slacksim.AllHabits() })
	api, ctx := client(s), t.Context()
	_, _, err := api.PostMessageContext(ctx, "C0DATA", slack.MsgOptionText("hello", false))
	require.Error(t, err, "a block that slack-go can't read comes back")
	require.Len(t, s.Messages("C0DATA"), 1, "it stands all the same")

	lone := post(t, s, "C0DATA", "lone")
	require.NoError(t, s.DeleteMessage("C0DATA", lone))
	a := ok(t, call(t, s, "chat.postMessage", "channel", "C0DATA", "text", "reply", "thread_ts", lone))
	require.NotContains(t, a["message"], "thread_ts")
	require.Len(t, s.Messages("C0DATA"), 2, "in the channel")

	for range 20 {
		post(t, s, "C0DATA", "more")
	}
	a = ok(t, call(t, s, "conversations.history", "channel", "C0DATA", "limit", "200"))
	require.Len(t, a["messages"], 15)
	require.NotEmpty(t, a["response_metadata"].(map[string]any)["next_cursor"])

	a = do(t, request(t, s.URL()+"/commands/T0TEAM/gone", "application/json", `{"text":"x"}`))
	require.Equal(t, 200, a["_status"])
	require.Equal(t, "expired_url", a["error"])
}

func TestHabitsOfDeliveries(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) {
		o.World.Team.EnterpriseID = "E0ORG"
		o.Habits = slacksim.Habits{NullTeam: true, BareAcks: true, ListForNoFields: true}
	})
	b := connect(t, s, func(socketmode.Event) (any, bool) { return map[string]string{"text": "hello"}, true })
	d := s.Slash("U0ANN", "C0DATA", "/scale", "x")
	require.NoError(t, d.Err)
	require.Nil(t, d.Ephemeral, "what comes with the ack is shown to nobody")
	require.False(t, b.wait(t, socketmode.EventTypeSlashCommand, 1)[0].Request.AcceptsResponsePayload)

	ts := post(t, s, "C0DATA", "card", "blocks", buttons)
	d = s.Click("U0BOB", "C0DATA", ts, "cancel")
	require.NoError(t, d.Err)
	cb := b.wait(t, socketmode.EventTypeInteractive, 1)[0].Data.(slack.InteractionCallback)
	require.Empty(t, cb.Team.ID)
	require.Equal(t, "E0ORG", cb.User.TeamID)

	a := ok(t, call(t, s, "views.open", "trigger_id", d.TriggerID, "view",
		`{"type":"modal","title":{"type":"plain_text","text":"x"},"blocks":[{"type":"divider"}]}`))
	require.Equal(t, map[string]any{"values": []any{}}, a["view"].(map[string]any)["state"])
}

func TestAMovedChannelAnswersToItsNewIDAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	ws := dial(t, s)
	ws.next()
	ts := post(t, s, "C0DATA", "card")
	ws.next() // of the message
	now, err := s.MoveChannel("C0DATA")
	require.NoError(t, err)
	e := ws.next()["payload"].(map[string]any)["event"].(map[string]any)
	require.Equal(t, "channel_id_changed", e["type"])
	require.Equal(t, "C0DATA", e["old_channel_id"])
	require.Equal(t, now, e["new_channel_id"])
	require.Equal(t, "channel_not_found", call(t, s, "chat.update", "channel", "C0DATA", "ts", ts, "text", "x")["error"])
	ok(t, call(t, s, "chat.update", "channel", now, "ts", ts, "text", "x"))
	_, err = s.MoveChannel("C0NONE")
	require.EqualError(t, err, "channel_not_found")
}
