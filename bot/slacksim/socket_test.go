package slacksim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
)

func TestSlashRoundTrip(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := connect(t, s, func(e socketmode.Event) (any, bool) {
		cmd, ok := e.Data.(slack.SlashCommand)
		if !ok {
			return nil, true
		}
		switch cmd.Text {
		case "bare":
			return nil, true
		case "loud":
			return map[string]any{"response_type": "in_channel", "text": "everyone"}, true
		case "late":
			return nil, false
		case "broken":
			return map[string]any{"blocks": []any{map[string]any{"type": "nonsense"}}}, true
		default:
			return map[string]any{"text": "accepted: " + cmd.Text}, true
		}
	})

	d := s.Slash("U0ANN", "C0DATA", "/scale", "emr-m620 task +2 for @bob in #data & <b>")
	require.NoError(t, d.Err)
	cmd := b.wait(t, socketmode.EventTypeSlashCommand, 1)[0].Data.(slack.SlashCommand)
	require.Equal(t, "emr-m620 task +2 for <@U0BOB> in <#C0DATA|data> &amp; &lt;b&gt;", cmd.Text)
	require.Equal(t, "U0ANN", cmd.UserID)
	require.Equal(t, d.TriggerID, cmd.TriggerID)
	require.Positive(t, d.AckAfter)
	require.Equal(t, "accepted: "+cmd.Text, s.Ephemerals("U0ANN")[0].Text)
	require.Equal(t, s.Ephemerals("U0ANN")[0], *d.Ephemeral)
	require.Empty(t, s.Messages("C0DATA"), "a private answer is private")

	require.NoError(t, s.Slash("U0ANN", "C0DATA", "/raw", "@bob <b>").Err)
	require.Equal(t, "@bob <b>", b.wait(t, socketmode.EventTypeSlashCommand, 2)[1].Data.(slack.SlashCommand).Text, "without should_escape the text is raw")

	require.NoError(t, s.Slash("U0ANN", "C0DATA", "/scale", "bare").Err)
	require.Len(t, s.Ephemerals("U0ANN"), 2, "a bare ack shows nothing")

	d = s.Slash("U0ANN", "C0DATA", "/scale", "loud")
	require.NoError(t, d.Err)
	seen := s.Messages("C0DATA")
	require.Equal(t, []string{"/scale loud", "everyone"}, []string{seen[0].Text, seen[1].Text})
	require.Equal(t, seen[1].TS, d.Message.TS)

	require.ErrorIs(t, s.Slash("U0ANN", "C0DATA", "/scale", "broken").Err, slacksim.ErrBadAck)
	require.ErrorIs(t, s.Slash("U0ANN", "C0DATA", "/scale", "late").Err, slacksim.ErrTimeout)

	for _, tc := range []struct{ user, channel, command, want string }{
		{"U0ANN", "C0DATA", "/other", "invalid_command"},
		{"U0EXT", "C0DATA", "/scale", "invalid_command"},
		{"U0GONE", "C0DATA", "/scale", "user_disabled"},
		{"U0BOB", "C0OPEN", "/scale", "not_in_channel"},
		{"U0BOB", "C0SECRET", "/scale", "channel_not_found"},
		{"U0ANN", "C0OLD", "/scale", "is_archived"},
	} {
		var refused *slacksim.Refused
		require.ErrorAs(t, s.Slash(tc.user, tc.channel, tc.command, "x").Err, &refused)
		require.Equal(t, tc.want, refused.Code)
	}
}

func TestNoConnectionLosesCommands(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.ErrorIs(t, s.Slash("U0ANN", "C0DATA", "/scale", "x").Err, slacksim.ErrNoConnection)
	ws := dial(t, s)
	require.Equal(t, "hello", ws.next()["type"])
	require.NoError(t, s.React("U0ANN", "C0DATA", post(t, s, "C0DATA", "x"), "x"))
	require.Equal(t, "events_api", ws.next()["type"], "the command is never delivered later")
}

func TestHelloAndTickets(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, func(o *slacksim.Options) { o.Now = c.now })
	address := open(t, s)
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), address, nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	defer func() { _ = ws.Close() }()
	var hello map[string]any
	require.NoError(t, ws.ReadJSON(&hello))
	require.Equal(t, 1.0, hello["num_connections"])
	require.Equal(t, map[string]any{"app_id": "A0SCALE"}, hello["connection_info"])
	require.Equal(t, 18060.0, hello["debug_info"].(map[string]any)["approximate_connection_time"])

	refused := func(address string, status int) {
		t.Helper()
		_, res, err := websocket.DefaultDialer.DialContext(t.Context(), address, nil)
		require.Error(t, err)
		require.Equal(t, status, res.StatusCode)
		require.NoError(t, res.Body.Close())
	}
	refused(address, http.StatusUnauthorized)
	stale := open(t, s)
	c.add(31 * time.Second)
	refused(stale, http.StatusUnauthorized)
	s.RefuseUpgrades(http.StatusConflict)
	refused(open(t, s), http.StatusConflict)
	s.RefuseUpgrades(0)
	require.Equal(t, 2.0, dial(t, s).next()["num_connections"])

	s.RefuseOpens("internal_error")
	r := request(t, s.APIURL()+"apps.connections.open", "", "")
	r.Header.Set("Authorization", "Bearer "+appToken)
	require.Equal(t, "internal_error", do(t, r)["error"])
}

func TestEleventhSocketIsSentAway(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 10 {
		require.Equal(t, "hello", dial(t, s).next()["type"])
	}
	for range 50 {
		_, err := s.Say("U0ANN", "C0DATA", "", "spread over the ten")
		require.NoError(t, err)
	}
	used := map[int]bool{}
	require.Eventually(t, func() bool {
		for _, f := range s.Frames() {
			if f.Type == "events_api" {
				used[f.Conn] = true
			}
		}
		return len(used) > 5
	}, patience, tick, "each payload goes to any one socket")
	ws := dial(t, s)
	require.Equal(t, "too_many_websockets", ws.next()["reason"])
	_, _, err := ws.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
	require.Eventually(t, func() bool { return s.Connections() == 10 }, patience, tick)
}

func TestLargeFramesCloseTheSocket(t *testing.T) {
	t.Parallel()
	s := start(t)
	ws := dial(t, s)
	ws.next()
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"`+strings.Repeat("x", 20480-18)+`"}`)))
	noted(t, s, "ack", "unknown envelope")
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"`+strings.Repeat("x", 20480-17)+`"}`)))
	_, _, err := ws.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseMessageTooBig), "%v", err)
}

func TestEventsAreRetriedWithTheSameID(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) { o.AckDeadline = 30 * time.Millisecond })
	ws := dial(t, s)
	ws.next()
	ts := post(t, s, "C0DATA", "x")
	first := ws.next() // the message itself
	ws.ack(first["envelope_id"])
	require.NoError(t, s.React("U0ANN", "C0DATA", ts, "x"))
	var ids, envelopes []any
	for i := range 4 {
		e := ws.next()
		require.Equal(t, float64(i), e["retry_attempt"])
		require.Equal(t, map[bool]string{true: "", false: "timeout"}[i == 0], e["retry_reason"])
		require.Equal(t, false, e["accepts_response_payload"])
		ids = append(ids, e["payload"].(map[string]any)["event_id"])
		envelopes = append(envelopes, e["envelope_id"])
	}
	require.Equal(t, []any{ids[0], ids[0], ids[0], ids[0]}, ids)
	require.NotEqual(t, envelopes[0], envelopes[1], "an envelope id is no key")
	noted(t, s, "event_lost", ids[0].(string))

	ws.ack(envelopes[0])
	noted(t, s, "ack", "late")
	ws.ack(first["envelope_id"])
	noted(t, s, "ack", "duplicate")
	require.Equal(t, 4, s.Events()[ids[0].(string)])
}

func TestEventsWithNoSocketComeAfterReconnect(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) { o.RetryAfter = []time.Duration{0, 300 * time.Millisecond} })
	said, err := s.Mention("U0ANN", "C0DATA", "", "status")
	require.NoError(t, err)
	ws := dial(t, s)
	ws.next()
	kinds := map[any]any{}
	for range 2 {
		e := ws.next()
		require.Equal(t, 2.0, e["retry_attempt"])
		in := e["payload"].(map[string]any)["event"].(map[string]any)
		kinds[in["type"]] = in["ts"]
	}
	require.Equal(t, map[any]any{"message": said.TS, "app_mention": said.TS}, kinds)
}

func TestAckOnAnotherSocketDoesNotCount(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := dial(t, s)
	a.next() // numbered before the other one dials
	b := dial(t, s)
	b.next()
	done := make(chan *slacksim.Delivery)
	go func() { done <- s.Slash("U0ANN", "C0DATA", "/scale", "x") }()
	noted(t, s, "slash_commands", "")
	right, wrong := a, b
	for _, f := range s.Frames() {
		if f.Type == "slash_commands" && f.Conn == 2 {
			right, wrong = b, a
		}
	}
	e := right.next()
	wrong.ack(e["envelope_id"])
	noted(t, s, "ack", "on another socket")
	right.ack(e["envelope_id"])
	require.NoError(t, (<-done).Err)
}

func TestDisconnectMakesTheClientReconnect(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{slacksim.DisconnectWarning, slacksim.DisconnectRefresh, slacksim.DisconnectLink} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			b := connect(t, s, nil)
			s.Disconnect(reason)
			b.wait(t, socketmode.EventTypeHello, 2)
			require.Eventually(t, func() bool { return s.Connections() == 1 }, patience, tick)
			require.NoError(t, s.Slash("U0ANN", "C0DATA", "/scale", "x").Err)
		})
	}
}

func TestConnectionLifeEnds(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) { o.ConnectionLife = 100 * time.Millisecond })
	ws := dial(t, s)
	ws.next()
	require.Equal(t, "warning", ws.next()["reason"])
	_, _, err := ws.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
}

func TestCutAndSilentSockets(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) { o.AckDeadline, o.CloseAfter = 200*time.Millisecond, time.Hour })
	b := connect(t, s, nil)
	require.Equal(t, 1, s.CutSockets())
	b.wait(t, socketmode.EventTypeHello, 2)

	require.Eventually(t, func() bool { return s.Connections() == 1 }, patience, tick)
	s.SilenceSockets()
	require.ErrorIs(t, s.Slash("U0ANN", "C0DATA", "/scale", "lost").Err, slacksim.ErrTimeout)
	hello := b.wait(t, socketmode.EventTypeHello, 3)[2] // the client missed its pings
	require.Equal(t, 2, hello.Request.NumConnections, "the ghost still counts")
	s.ClearSocketFaults()
	require.Equal(t, 1, s.Connections())
	require.NoError(t, s.Slash("U0ANN", "C0DATA", "/scale", "x").Err)
}

func TestEventFaults(t *testing.T) {
	t.Parallel()
	s := start(t)
	ts := post(t, s, "C0DATA", "x") // before any socket: its event fails and is given up
	noted(t, s, "event_lost", "")
	ws := dial(t, s)
	ws.next()
	react := func(name string) { require.NoError(t, s.React("U0ANN", "C0DATA", ts, name)) }
	next := func() string {
		e := ws.next()
		ws.ack(e["envelope_id"])
		return e["payload"].(map[string]any)["event"].(map[string]any)["reaction"].(string)
	}
	s.DropEvents(1)
	react("a")
	react("b")
	require.Equal(t, "b", next())
	s.DuplicateEvents(1)
	react("c")
	require.Equal(t, []string{"c", "c"}, []string{next(), next()})
	s.ReorderEvents(3)
	react("d")
	react("e")
	react("f")
	require.Equal(t, []string{"f", "e", "d"}, []string{next(), next(), next()})
	s.DelayEvents(20 * time.Millisecond)
	react("g")
	require.Equal(t, "g", next())
	s.ClearSocketFaults()
	id := s.EmitEvent(map[string]any{"type": "from_the_future"})
	e := ws.next()
	require.Equal(t, id, e["payload"].(map[string]any)["event_id"])
	s.EmitRateLimited()
	require.Equal(t, "app_rate_limited", ws.next()["payload"].(map[string]any)["type"])
	s.InjectFrame("not json")
	_, raw, err := ws.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, "not json", string(raw))

	s.DuplicateInteractions(1)
	done := make(chan *slacksim.Delivery)
	go func() { done <- s.Slash("U0ANN", "C0DATA", "/scale", "x") }()
	one, two := ws.next(), ws.next()
	require.NotEqual(t, one["envelope_id"], two["envelope_id"])
	require.Equal(t, one["payload"], two["payload"])
	ws.ack(one["envelope_id"])
	ws.ack(two["envelope_id"])
	require.NoError(t, (<-done).Err)
}

// The types in real payloads are strict: slack-go refuses counts as strings.
func TestEventsThatSlackGoReads(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := connect(t, s, nil)
	ts := post(t, s, "C0DATA", "card")
	require.NoError(t, s.React("U0BOB", "C0DATA", ts, "+1::skin-tone-2"))
	require.NoError(t, s.Unreact("U0BOB", "C0DATA", ts, "+1::skin-tone-2"))
	require.NoError(t, s.SetUsergroup("S0FIN", "U0BOB", "U0CAT"))
	require.NoError(t, s.DeactivateUser("U0CAT"))
	require.NoError(t, s.OpenHome("U0ANN"))
	require.NoError(t, s.Kick("U0DAN", "C0DATA"))
	require.NoError(t, s.Invite("U0DAN", "C0DATA"))
	_, err := s.Mention("U0ANN", "C0DATA", ts, "status @bob")
	require.NoError(t, err)
	lone := post(t, s, "C0DATA", "no replies")
	require.NoError(t, s.DeleteMessage("C0DATA", lone))
	require.NoError(t, s.DeleteMessage("C0DATA", ts))
	require.NoError(t, s.Archive("C0DATA"))
	got := map[string]slackevents.EventsAPIEvent{}
	require.Eventually(t, func() bool {
		for _, e := range b.all(socketmode.EventTypeEventsAPI) {
			api := e.Data.(slackevents.EventsAPIEvent)
			name := api.InnerEvent.Type
			if m, ok := api.InnerEvent.Data.(*slackevents.MessageEvent); ok && m.SubType != "" {
				name += "/" + m.SubType
			}
			got[name] = api
		}
		return len(got) == 13
	}, patience, tick)
	require.Empty(t, b.all(socketmode.EventTypeErrorBadMessage))

	r := got["reaction_added"].InnerEvent.Data.(*slackevents.ReactionAddedEvent)
	require.Equal(t, "+1::skin-tone-2", r.Reaction)
	require.Equal(t, ts, r.Item.Timestamp)
	require.Equal(t, "U0BOT", r.ItemUser)
	g := got["subteam_members_changed"].InnerEvent.Data.(*slackevents.SubteamMembersChangedEvent)
	require.Equal(t, []string{"U0BOB", "U0CAT"}, g.AddedUsers)
	require.Equal(t, 2, g.AddedUsersCount)
	require.Equal(t, []string{"U0ANN"}, g.RemovedUsers)
	require.Equal(t, 100, g.DatePreviousUpdate)
	m := got["app_mention"].InnerEvent.Data.(*slackevents.AppMentionEvent)
	require.Equal(t, "<@U0BOT> status <@U0BOB>", m.Text)
	require.Equal(t, ts, m.ThreadTimeStamp)
	del := got["message/message_deleted"].InnerEvent.Data.(*slackevents.MessageEvent)
	require.Equal(t, lone, del.DeletedTimeStamp)
	tomb := got["message/message_changed"].InnerEvent.Data.(*slackevents.MessageEvent)
	require.Equal(t, "tombstone", tomb.Message.SubType, "a parent with replies is changed, not deleted")
	require.Equal(t, ts, tomb.Message.Timestamp)
	for name := range got {
		require.Contains(t, []string{
			"message", "message/message_deleted", "message/message_changed", "reaction_added", "reaction_removed", "subteam_members_changed", "subteam_updated",
			"user_change", "app_home_opened", "member_left_channel", "member_joined_channel", "app_mention", "channel_archive",
		}, name)
	}
}

func TestEventsNeedScopeMembershipAndSubscription(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) { o.World.App.Events = []string{"reaction_added", "message.channels"} })
	ws := dial(t, s)
	ws.next()
	outside, err := s.Say("U0ANN", "C0OPEN", "", "the app is not here")
	require.NoError(t, err)
	require.NoError(t, s.React("U0ANN", "C0OPEN", outside.TS, "x"))
	require.NoError(t, s.SetUsergroup("S0FIN")) // not subscribed
	s.SetScopes("channels:history")
	inside, err := s.Say("U0ANN", "C0DATA", "", "here")
	require.NoError(t, err)
	require.NoError(t, s.React("U0ANN", "C0DATA", inside.TS, "x")) // no reactions:read
	e := ws.next()["payload"].(map[string]any)["event"].(map[string]any)
	require.Equal(t, inside.TS, e["ts"])
	s.EmitEvent(map[string]any{"type": "end"})
	require.Equal(t, "end", ws.next()["payload"].(map[string]any)["event"].(map[string]any)["type"], "nothing in between")
}
