package slacksim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
)

func TestConversationsAndPeopleThroughSlackGo(t *testing.T) {
	t.Parallel()
	s := start(t)
	api, ctx := client(s), t.Context()
	c, err := api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: "C0DATA"})
	require.NoError(t, err)
	require.True(t, c.IsExtShared && c.IsMember && !c.IsPrivate)

	var members []string
	cursor := ""
	for {
		part, next, err := api.GetUsersInConversationContext(ctx, &slack.GetUsersInConversationParameters{ChannelID: "C0DATA", Limit: 4, Cursor: cursor})
		require.NoError(t, err)
		members = append(members, part...)
		if cursor = next; cursor == "" {
			break
		}
	}
	require.Equal(t, []string{"U0ANN", "U0BOB", "U0CAT", "U0DAN", "U0EXT", "U0BOT"}, members)

	names := func(list []slack.Channel) (out []string) {
		for _, c := range list {
			out = append(out, c.Name)
		}
		return out
	}
	list, _, err := api.GetConversationsContext(ctx, &slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}})
	require.NoError(t, err)
	require.Equal(t, []string{"data", "open", "old"}, names(list), "a private channel without the bot is not seen")
	list, _, err = api.GetConversationsContext(ctx, &slack.GetConversationsParameters{ExcludeArchived: true})
	require.NoError(t, err)
	require.Equal(t, []string{"data", "open"}, names(list))

	im, _, already, err := api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{"U0ANN"}, ReturnIM: true})
	require.NoError(t, err)
	require.False(t, already)
	require.Equal(t, "U0ANN", im.User)
	again, _, already, err := api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{"U0ANN"}})
	require.NoError(t, err)
	require.True(t, already)
	require.Equal(t, im.ID, again.ID)
	require.Equal(t, im.ID, s.DM("U0ANN"))
	require.Equal(t, "user_disabled", call(t, s, "conversations.open", "users", "U0GONE")["error"])
	require.Equal(t, "cannot_dm_bot", call(t, s, "conversations.open", "users", "U0BOT")["error"])

	users, err := api.GetUsersContext(ctx)
	require.NoError(t, err)
	byID := map[string]slack.User{}
	for _, u := range users {
		byID[u.ID] = u
	}
	require.True(t, byID["U0GUEST"].IsRestricted)
	require.True(t, byID["U0GONE"].Deleted)
	require.Empty(t, byID["U0GONE"].TZ, "a deactivated user lacks most fields")
	require.True(t, byID["U0EXT"].IsStranger)
	require.Equal(t, "T0OTHER", byID["U0EXT"].TeamID)
	require.True(t, byID["U0BOT"].IsBot)

	b, err := api.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: "B0BOT"})
	require.NoError(t, err)
	require.Equal(t, "A0SCALE", b.AppID)
	team, err := api.GetTeamInfoContext(ctx)
	require.NoError(t, err)
	require.Equal(t, "T0TEAM", team.ID)
	require.Equal(t, "ok", ok(t, call(t, s, "api.test", "foo", "ok"))["args"].(map[string]any)["foo"])
	require.Equal(t, "asked_for", call(t, s, "api.test", "error", "asked_for")["error"])
}

func TestWhatACallerLooksAtIsACopy(t *testing.T) {
	t.Parallel()
	s := start(t)
	ts := post(t, s, "C0DATA", "x")
	require.NoError(t, s.React("U0ANN", "C0DATA", ts, "x"))
	m, _ := s.Message("C0DATA", ts)
	m.Reactions[0].Users[0] = "changed"
	s.Channels()[0].Members[0] = "changed"
	s.Usergroups()[0].Users[0] = "changed"
	s.App().Scopes[0] = "changed"
	m, _ = s.Message("C0DATA", ts)
	require.Equal(t, "U0ANN", m.Reactions[0].Users[0])
	require.Equal(t, "U0ANN", s.Channels()[0].Members[0])
	require.Equal(t, "U0ANN", s.Usergroups()[0].Users[0])
	require.NotContains(t, s.App().Scopes, "changed")
	require.Equal(t, botToken, s.BotToken())
	require.Equal(t, appToken, s.AppToken())
	require.Equal(t, "T0TEAM", s.Team().ID)
	require.Len(t, s.Users(), 8)
	require.Nil(t, s.Messages("C0NONE"))
	require.Nil(t, s.Thread("C0NONE", ts))
	require.Nil(t, s.DMs("U0BOB"))
}

func TestDisabledGroupsAreLeftOut(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.NoError(t, s.DisableUsergroup("S0FIN"))
	require.Empty(t, ok(t, call(t, s, "usergroups.list"))["usergroups"])
	all := ok(t, call(t, s, "usergroups.list", "include_disabled", "true", "include_users", "1"))["usergroups"].([]any)
	require.NotZero(t, all[0].(map[string]any)["date_delete"])
	require.Equal(t, "no_such_subteam", call(t, s, "usergroups.users.list", "usergroup", "S0FIN")["error"])
	require.EqualError(t, s.DisableUsergroup("S0NONE"), "no_such_subteam")
}

func TestThreadsCountTheirReplies(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := post(t, s, "C0DATA", "root")
	said, err := s.Say("U0ANN", "C0DATA", root, "one")
	require.NoError(t, err)
	deeper, err := s.Say("U0BOB", "C0DATA", said.TS, "a person's reply to a reply joins the thread")
	require.NoError(t, err)
	require.Equal(t, root, deeper.ThreadTS)
	shown := post(t, s, "C0DATA", "for all", "thread_ts", root, "reply_broadcast", "true")
	require.Len(t, s.Messages("C0DATA"), 2)
	ok(t, call(t, s, "chat.delete", "channel", "C0DATA", "ts", shown))
	m, _ := s.Message("C0DATA", root)
	require.Equal(t, 2, m.Replies)
	require.Len(t, s.Thread("C0DATA", root), 3)
}

func TestEditedMark(t *testing.T) {
	t.Parallel()
	s := start(t)
	ts := post(t, s, "C0DATA", "x")
	ok(t, call(t, s, "chat.update", "channel", "C0DATA", "ts", ts, "text", "y", "blocks", `[{"type":"divider"}]`, "metadata", `{"event_type":"a","event_payload":{"b":1}}`))
	m, _ := s.Message("C0DATA", ts)
	require.False(t, m.Edited, "a message with blocks shows no mark")
	ok(t, call(t, s, "chat.update", "channel", "C0DATA", "ts", ts, "text", "z", "metadata", "{}"))
	m, _ = s.Message("C0DATA", ts)
	require.True(t, m.Edited)
	require.Nil(t, m.Metadata, "{} clears it")
	require.Equal(t, 2, m.Updates)
}

const menus = `[
	{"type":"section","block_id":"a","text":{"type":"mrkdwn","text":"x"},"accessory":{"type":"overflow","action_id":"more","options":[{"text":{"type":"plain_text","text":"x"},"value":"1"}]}},
	{"type":"section","block_id":"pic","text":{"type":"mrkdwn","text":"x"},"accessory":{"type":"image","alt_text":"x","image_url":"https://a.b/c.png"}},
	{"type":"actions","block_id":"b","elements":[
		{"type":"users_select","action_id":"who"},{"type":"datepicker","action_id":"day"},
		{"type":"checkboxes","action_id":"boxes","options":[{"text":{"type":"mrkdwn","text":"x"},"value":"1"},{"text":{"type":"mrkdwn","text":"y"},"value":"2"}]},
		{"type":"button","action_id":"sure","text":{"type":"plain_text","text":"x"},"confirm":{"title":{"type":"plain_text","text":"x"},"text":{"type":"mrkdwn","text":"x"},"confirm":{"type":"plain_text","text":"x"},"deny":{"type":"plain_text","text":"x"}}}]},
	{"type":"input","block_id":"c","optional":true,"label":{"type":"plain_text","text":"x"},"element":{"type":"external_select","action_id":"cluster","min_query_length":0}}]`

func TestMenusShortcutsAndSuggestions(t *testing.T) {
	t.Parallel()
	s := start(t)
	var payload any
	b := connect(t, s, func(socketmode.Event) (any, bool) { return payload, true })
	d := s.Shortcut("U0ANN", "scale_form")
	require.NoError(t, d.Err)
	ok(t, call(t, s, "views.open", "trigger_id", d.TriggerID, "view", modal(menus)))

	require.NoError(t, s.ClickView("U0ANN", "more", "1").Err)
	require.NoError(t, s.ClickView("U0ANN", "who", "U0BOB").Err)
	require.NoError(t, s.ClickView("U0ANN", "day", "2026-12-24").Err)
	require.NoError(t, s.ClickView("U0ANN", "boxes", "1", "2").Err)
	require.NoError(t, s.ClickView("U0ANN", "sure").Err)
	all := b.wait(t, socketmode.EventTypeInteractive, 6)
	require.Equal(t, slack.InteractionTypeShortcut, all[0].Data.(slack.InteractionCallback).Type)
	values := all[5].Data.(slack.InteractionCallback).View.State.Values
	require.Equal(t, "U0BOB", values["b"]["who"].SelectedUser)
	require.Equal(t, "2026-12-24", values["b"]["day"].SelectedDate)
	require.Len(t, values["b"]["boxes"].SelectedOptions, 2)
	require.Equal(t, "1", values["a"]["more"].SelectedOption.Value)
	require.EqualError(t, s.ClickView("U0ANN", "sure", "1").Err, "buttons_have_no_values")
	require.EqualError(t, s.ClickView("U0ANN", "who").Err, "one_value_needed")
	require.EqualError(t, s.ClickView("U0BOB", "who", "U0BOB").Err, "view_not_found")

	payload = map[string]any{"options": json.RawMessage(list(`{"text":{"type":"plain_text","text":"x"},"value":"x"}`, 100))}
	d = s.Suggest("U0ANN", "cluster", "emr")
	require.NoError(t, d.Err)
	require.Contains(t, string(d.Payload), `"value":"x"`)
	all = b.wait(t, socketmode.EventTypeInteractive, 7)
	require.Equal(t, "emr", all[6].Data.(slack.InteractionCallback).Value)
	payload = map[string]any{"options": json.RawMessage(list(`{"text":{"type":"plain_text","text":"x"},"value":"x"}`, 101))}
	require.ErrorIs(t, s.Suggest("U0ANN", "cluster", "emr").Err, slacksim.ErrBadAck)
	payload = map[string]any{}
	require.ErrorIs(t, s.Suggest("U0ANN", "cluster", "emr").Err, slacksim.ErrBadAck)
	require.EqualError(t, s.Suggest("U0ANN", "who", "x").Err, "action_not_found")

	s.SetScopes(strings.Fields("chat:write users:read")...)
	require.EqualError(t, s.Shortcut("U0ANN", "scale_form").Err, "invalid_shortcut")
}

func TestClosingEndsWhatWaits(t *testing.T) {
	t.Parallel()
	s := start(t)
	ws := dial(t, s)
	ws.next()
	done := make(chan *slacksim.Delivery)
	go func() { done <- s.Slash("U0ANN", "C0DATA", "/scale", "x") }()
	ws.next()
	require.NoError(t, s.Close())
	require.ErrorIs(t, (<-done).Err, slacksim.ErrClosed)
	require.ErrorIs(t, s.Slash("U0ANN", "C0DATA", "/scale", "x").Err, slacksim.ErrNoConnection)
	ch, _ := s.Subscribe()
	_, open := <-ch
	require.False(t, open)
	require.Error(t, s.Start("127.0.0.1:0"))
}
