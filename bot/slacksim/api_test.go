package slacksim_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := start(t)
	card := post(t, s, "C0DATA", "card")
	said, err := s.Say("U0ANN", "C0DATA", "", "hello")
	require.NoError(t, err)
	reply := post(t, s, "C0DATA", "reply", "thread_ts", card)
	long := strings.Repeat("长", 4001)
	for name, tc := range map[string]struct {
		method string
		args   []string
		want   string
	}{
		"unknown method":                {"chat.shout", nil, "unknown_method"},
		"post without text":             {"chat.postMessage", []string{"channel", "C0DATA"}, "no_text"},
		"post with empty blocks":        {"chat.postMessage", []string{"channel", "C0DATA", "blocks", "[]"}, "no_text"},
		"post where the bot is not":     {"chat.postMessage", []string{"channel", "C0OPEN", "text", "x"}, "not_in_channel"},
		"post in a hidden channel":      {"chat.postMessage", []string{"channel", "C0SECRET", "text", "x"}, "channel_not_found"},
		"post nowhere":                  {"chat.postMessage", []string{"channel", "C0NONE", "text", "x"}, "channel_not_found"},
		"post in an archive":            {"chat.postMessage", []string{"channel", "C0OLD", "text", "x"}, "is_archived"},
		"post to a deactivated user":    {"chat.postMessage", []string{"channel", "U0GONE", "text", "x"}, "user_disabled"},
		"reply to nothing":              {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "thread_ts", "1.000001"}, "message_not_found"},
		"reply to a reply":              {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "thread_ts", reply}, "cannot_reply_to_message"},
		"blocks that are no JSON":       {"chat.postMessage", []string{"channel", "C0DATA", "blocks", "{"}, "invalid_blocks_format"},
		"blocks that are an object":     {"chat.postMessage", []string{"channel", "C0DATA", "blocks", "{}"}, "invalid_blocks_format"},
		"metadata that is no JSON":      {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "metadata", "["}, "invalid_metadata_format"},
		"metadata without a type":       {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "metadata", `{"event_payload":{"a":1}}`}, "invalid_metadata_schema"},
		"metadata without a payload":    {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "metadata", `{"event_type":"a"}`}, "invalid_metadata_schema"},
		"metadata with a text payload":  {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "metadata", `{"event_type":"a","event_payload":"b"}`}, "invalid_metadata_format"},
		"metadata too large":            {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "metadata", `{"event_type":"a","event_payload":{"b":"` + strings.Repeat("x", 20000) + `"}}`}, "metadata_too_large"},
		"attachments that are no list":  {"chat.postMessage", []string{"channel", "C0DATA", "text", "x", "attachments", "{}"}, "invalid_attachments"},
		"update of nothing":             {"chat.update", []string{"channel", "C0DATA", "ts", "1.000001", "text", "x"}, "message_not_found"},
		"update of another's message":   {"chat.update", []string{"channel", "C0DATA", "ts", said.TS, "text", "x"}, "cant_update_message"},
		"update too long":               {"chat.update", []string{"channel", "C0DATA", "ts", card, "text", long}, "msg_too_long"},
		"update to nothing":             {"chat.update", []string{"channel", "C0DATA", "ts", card}, "no_text"},
		"delete another's message":      {"chat.delete", []string{"channel", "C0DATA", "ts", said.TS}, "cant_delete_message"},
		"whisper to a stranger":         {"chat.postEphemeral", []string{"channel", "C0DATA", "user", "U0GUEST", "text", "x"}, "user_not_in_channel"},
		"whisper where the bot is not":  {"chat.postEphemeral", []string{"channel", "C0OPEN", "user", "U0ANN", "text", "x"}, "not_in_channel"},
		"whisper in a hidden channel":   {"chat.postEphemeral", []string{"channel", "C0SECRET", "user", "U0ANN", "text", "x"}, "channel_not_found"},
		"link to nothing":               {"chat.getPermalink", []string{"channel", "C0DATA", "message_ts", "1.000001"}, "message_not_found"},
		"react without an item":         {"reactions.add", []string{"channel", "C0DATA", "name", "x"}, "no_item_specified"},
		"react to nothing":              {"reactions.add", []string{"channel", "C0DATA", "timestamp", "1.000001", "name", "x"}, "message_not_found"},
		"react at a wrong time":         {"reactions.add", []string{"channel", "C0DATA", "timestamp", "yesterday", "name", "x"}, "bad_timestamp"},
		"react with colons":             {"reactions.add", []string{"channel", "C0DATA", "timestamp", card, "name", ":x:"}, "invalid_name"},
		"react with no such tone":       {"reactions.add", []string{"channel", "C0DATA", "timestamp", card, "name", "+1::skin-tone-7"}, "invalid_name"},
		"withdraw what is not there":    {"reactions.remove", []string{"channel", "C0DATA", "timestamp", card, "name", "x"}, "no_reaction"},
		"reactions of nothing":          {"reactions.get", []string{"channel", "C0DATA", "timestamp", "1.000001"}, "message_not_found"},
		"history where the bot is not":  {"conversations.history", []string{"channel", "C0OPEN"}, "not_in_channel"},
		"history of a hidden channel":   {"conversations.history", []string{"channel", "C0SECRET"}, "channel_not_found"},
		"history with a wrong limit":    {"conversations.history", []string{"channel", "C0DATA", "limit", "1000"}, "invalid_limit"},
		"history with a wrong cursor":   {"conversations.history", []string{"channel", "C0DATA", "cursor", "x"}, "invalid_cursor"},
		"history with a wrong time":     {"conversations.history", []string{"channel", "C0DATA", "oldest", "x"}, "invalid_ts_oldest"},
		"replies to nothing":            {"conversations.replies", []string{"channel", "C0DATA", "ts", "1.000001"}, "thread_not_found"},
		"info of a hidden channel":      {"conversations.info", []string{"channel", "C0SECRET"}, "channel_not_found"},
		"list of no such kind":          {"conversations.list", []string{"types", "room"}, "invalid_types"},
		"direct message to nobody":      {"conversations.open", []string{"users", "U0NONE"}, "user_not_found"},
		"direct message without a user": {"conversations.open", nil, "users_list_not_supplied"},
		"no such user":                  {"users.info", []string{"user", "U0NONE"}, "user_not_found"},
		"no such group":                 {"usergroups.users.list", []string{"usergroup", "S0NONE"}, "no_such_subteam"},
		"disabled group":                {"usergroups.users.list", []string{"usergroup", "S0OFF"}, "no_such_subteam"},
		"no such bot":                   {"bots.info", []string{"bot", "B0NONE"}, "bot_not_found"},
		"no such team":                  {"team.info", []string{"team", "T0NONE"}, "team_not_found"},
		"modal without a trigger":       {"views.open", []string{"view", `{"type":"modal","title":{"type":"plain_text","text":"x"},"blocks":[]}`}, "invalid_arguments"},
		"modal with a made-up trigger":  {"views.open", []string{"trigger_id", "1.2.3", "view", `{"type":"modal","title":{"type":"plain_text","text":"x"},"blocks":[]}`}, "invalid_trigger_id"},
		"update of no view":             {"views.update", []string{"view_id", "V0", "view", `{}`}, "not_found"},
		"home of nobody":                {"views.publish", []string{"user_id", "U0NONE", "view", `{"type":"home","blocks":[]}`}, "user_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := len(s.Messages("C0DATA"))
			a := call(t, s, tc.method, tc.args...)
			require.Equal(t, false, a["ok"])
			require.Equal(t, tc.want, a["error"])
			require.Equal(t, http.StatusOK, a["_status"], "Slack tells errors with HTTP 200")
			require.Len(t, s.Messages("C0DATA"), before, "a refused call has no effect")
		})
	}
}

func TestEveryMethodAsksForItsScope(t *testing.T) {
	t.Parallel()
	for method, tc := range map[string]struct {
		scope string
		args  []string
	}{
		"chat.postMessage":      {"chat:write", []string{"channel", "C0DATA", "text", "x"}},
		"chat.update":           {"chat:write", nil},
		"chat.delete":           {"chat:write", nil},
		"chat.postEphemeral":    {"chat:write", nil},
		"conversations.history": {"channels:history", []string{"channel", "C0DATA"}},
		"conversations.replies": {"channels:history", []string{"channel", "C0DATA"}},
		"conversations.info":    {"channels:read", []string{"channel", "C0DATA"}},
		"conversations.members": {"channels:read", []string{"channel", "C0DATA"}},
		"conversations.list":    {"groups:read", []string{"types", "private_channel"}},
		"conversations.open":    {"im:write", []string{"users", "U0ANN"}},
		"reactions.add":         {"reactions:write", nil},
		"reactions.remove":      {"reactions:write", nil},
		"reactions.get":         {"reactions:read", nil},
		"usergroups.list":       {"usergroups:read", nil},
		"usergroups.users.list": {"usergroups:read", nil},
		"users.info":            {"users:read", nil},
		"users.list":            {"users:read", nil},
		"bots.info":             {"users:read", nil},
		"team.info":             {"team:read", nil},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			var rest []string
			for _, have := range slacksim.AllScopes() {
				if have != tc.scope {
					rest = append(rest, have)
				}
			}
			s.SetScopes(rest...)
			a := call(t, s, method, tc.args...)
			require.Equal(t, "missing_scope", a["error"])
			require.Equal(t, tc.scope, a["needed"])
			require.NotContains(t, strings.Split(a["provided"].(string), ","), tc.scope)
			require.Contains(t, a["provided"], "commands")
		})
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	form := "application/x-www-form-urlencoded"
	test := func(kind, body, header, query string) map[string]any {
		r := request(t, s.APIURL()+"auth.test"+query, kind, body)
		if header != "" {
			r.Header.Set("Authorization", "Bearer "+header)
		}
		return do(t, r)
	}
	require.Equal(t, "U0BOT", ok(t, test(form, "token="+botToken, "", ""))["user_id"])
	require.Equal(t, "B0BOT", ok(t, test("application/json", "{}", botToken, ""))["bot_id"])
	require.Contains(t, ok(t, test("", "", "", "?token="+botToken))["_scopes"], "chat:write")
	require.Equal(t, "not_authed", test("", "", "", "")["error"])
	require.Equal(t, "invalid_auth", test("", "", "xoxb-wrong", "")["error"])
	require.Equal(t, "not_allowed_token_type", test("", "", appToken, "")["error"])
	require.Equal(t, "not_authed", test("application/json", `{"token":"`+botToken+`"}`, "", "")["error"], "a JSON body carries no token")
	require.Equal(t, "invalid_json", test("application/json", `{`, botToken, "")["error"])
	require.Equal(t, "invalid_post_type", test("text/plain", `x`, botToken, "")["error"])

	connections := func(header, body string) any {
		r := request(t, s.APIURL()+"apps.connections.open", form, body)
		if header != "" {
			r.Header.Set("Authorization", "Bearer "+header)
		}
		return do(t, r)["error"]
	}
	require.Equal(t, "not_allowed_token_type", connections(botToken, ""))
	require.Equal(t, "not_authed", connections("", "token="+appToken), "the app token is taken from the header only")
	require.Nil(t, connections(appToken, ""))

	for _, r := range s.Requests() {
		require.NotContains(t, r.Args, "token")
	}
}

func TestJSONBodiesCarryNestedValues(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := request(t, s.APIURL()+"chat.postMessage", "application/json; charset=utf-8",
		`{"channel":"C0DATA","text":"你好","blocks":[{"type":"divider"}],"metadata":{"event_type":"flow","event_payload":{"n":1}},"thread_ts":null}`)
	r.Header.Set("Authorization", "Bearer "+botToken)
	ok(t, do(t, r))
	m := s.Messages("C0DATA")[0]
	require.Equal(t, "你好", m.Text)
	require.Contains(t, string(m.Blocks), "divider")
	require.Equal(t, "flow", m.Metadata.EventType)
}

func TestPostingThroughSlackGo(t *testing.T) {
	t.Parallel()
	s := start(t)
	api, ctx := client(s), t.Context()
	channel, ts, err := api.PostMessageContext(ctx, "C0DATA", slack.MsgOptionText("emr-m620 task +2", false),
		slack.MsgOptionBlocks(slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "*plan*", false, false), nil, nil)),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "flow", EventPayload: map[string]any{"id": "F-1"}}))
	require.NoError(t, err)
	require.Equal(t, "C0DATA", channel)
	require.Regexp(t, `^\d{10}\.\d{6}$`, ts)

	_, _, _, err = api.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("emr-m620 task +2: done", false))
	require.NoError(t, err)
	m, found := s.Message(channel, ts)
	require.True(t, found)
	require.Empty(t, m.Blocks, "text alone removes the blocks")
	require.Equal(t, "F-1", m.Metadata.EventPayload["id"], "metadata stays unless given")
	require.Equal(t, 1, m.Updates)

	h, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: channel, Oldest: ts, Inclusive: true, IncludeAllMetadata: true,
	})
	require.NoError(t, err)
	require.Len(t, h.Messages, 1)
	require.Equal(t, "F-1", h.Messages[0].Metadata.EventPayload["id"])
	h, err = api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel})
	require.NoError(t, err)
	require.Equal(t, "flow", h.Messages[0].Metadata.EventType)
	require.Empty(t, h.Messages[0].Metadata.EventPayload, "the payload needs include_all_metadata")

	_, reply, err := api.PostMessageContext(ctx, channel, slack.MsgOptionText("log", false), slack.MsgOptionTS(ts))
	require.NoError(t, err)
	replies, _, _, err := api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: ts})
	require.NoError(t, err)
	require.Equal(t, []string{ts, reply}, []string{replies[0].Timestamp, replies[1].Timestamp})
	require.Len(t, s.Messages(channel), 1, "a reply is not in the main view")

	link, err := api.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: channel, Ts: ts})
	require.NoError(t, err)
	require.Equal(t, "https://team.slack.com/archives/C0DATA/p"+strings.Replace(ts, ".", "", 1), link)

	dm, _, err := api.PostMessageContext(ctx, "U0ANN", slack.MsgOptionText("psst", false))
	require.NoError(t, err)
	require.Regexp(t, "^D", dm)
	require.Equal(t, "psst", s.DMs("U0ANN")[0].Text)

	_, err = api.PostEphemeralContext(ctx, channel, "U0BOB", slack.MsgOptionText("only you", false))
	require.NoError(t, err)
	require.Equal(t, "only you", s.Ephemerals("U0BOB")[0].Text)
	require.Equal(t, channel, s.Ephemerals("U0BOB")[0].Channel)

	u, err := api.GetUserInfoContext(ctx, "U0ANN")
	require.NoError(t, err)
	require.Equal(t, "zh-CN", u.Locale)
	groups, err := api.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
	require.NoError(t, err)
	require.Equal(t, []string{"U0ANN"}, groups[0].Users)
	require.Equal(t, 1, groups[0].UserCount)

	_, _, err = api.DeleteMessageContext(ctx, channel, ts)
	require.NoError(t, err)
	left := s.Thread(channel, ts)
	require.True(t, left[0].Deleted, "a parent with replies leaves a tombstone")
	require.Nil(t, left[0].Metadata)
	_, _, _, err = api.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("x", false))
	require.EqualError(t, err, "message_not_found")
	s.SetHabits(slacksim.AllHabits())
	_, _, _, err = api.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("x", false))
	require.EqualError(t, err, "cant_update_message", "others let it answer")
	a := ok(t, call(t, s, "reactions.get", "channel", channel, "timestamp", ts))
	require.Equal(t, "tombstone", a["message"].(map[string]any)["subtype"])
	require.NotContains(t, a["message"], "reactions")
}

func TestTimestampsAreUniqueWhileTheClockStands(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, func(o *slacksim.Options) { o.Now = c.now })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { call(t, s, "chat.postMessage", "channel", "C0DATA", "text", "x") })
	}
	wg.Wait()
	list := s.Messages("C0DATA")
	require.Len(t, list, 20)
	for i := 1; i < len(list); i++ {
		require.Less(t, list[i-1].TS, list[i].TS)
	}
}

func TestHistoryWindowAndPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	var ts []string
	for range 5 {
		ts = append(ts, post(t, s, "C0DATA", "x"))
	}
	list := func(args ...string) []string {
		a := ok(t, call(t, s, "conversations.history", append([]string{"channel", "C0DATA"}, args...)...))
		var out []string
		for _, m := range a["messages"].([]any) {
			out = append(out, m.(map[string]any)["ts"].(string))
		}
		next := a["response_metadata"].(map[string]any)["next_cursor"].(string)
		require.Equal(t, next != "", a["has_more"])
		return append(out, next)
	}
	require.Equal(t, []string{ts[4], ts[3], ts[2], ts[1], ts[0], ""}, list())
	require.Equal(t, []string{ts[2], ""}, list("oldest", ts[1], "latest", ts[3]), "the ends are left out")
	require.Equal(t, []string{ts[3], ts[2], ts[1], ""}, list("oldest", ts[1], "latest", ts[3], "inclusive", "true"))
	first := list("limit", "2")
	require.Equal(t, []string{ts[4], ts[3]}, first[:2])
	second := list("limit", "2", "cursor", first[2])
	require.Equal(t, []string{ts[2], ts[1]}, second[:2])
	require.Equal(t, []string{ts[0], ""}, list("limit", "2", "cursor", second[2]))
}

func TestReactions(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *slacksim.Options) { o.ReactionUsersShown = 2 })
	ts := post(t, s, "C0DATA", "card")
	item := slack.NewRefToMessage("C0DATA", ts)
	for _, u := range []string{"U0ANN", "U0BOB", "U0CAT"} {
		require.NoError(t, s.React(u, "C0DATA", ts, "+1"))
	}
	require.NoError(t, s.React("U0ANN", "C0DATA", ts, "+1::skin-tone-3"), "each tone is an entry of its own")
	require.EqualError(t, s.React("U0ANN", "C0DATA", ts, "+1"), "already_reacted")
	api, ctx := client(s), t.Context()
	require.NoError(t, api.AddReactionContext(ctx, "+1", item))

	short, err := api.GetReactionsContext(ctx, item, slack.GetReactionsParameters{})
	require.NoError(t, err)
	require.Equal(t, slack.ItemReaction{Name: "+1", Count: 4, Users: []string{"U0ANN", "U0BOT"}}, short.Reactions[0], "cut, with the caller in it")
	full, err := api.GetReactionsContext(ctx, item, slack.GetReactionsParameters{Full: true})
	require.NoError(t, err)
	require.Equal(t, []string{"U0ANN", "U0BOB", "U0CAT", "U0BOT"}, full.Reactions[0].Users)
	require.Equal(t, "+1::skin-tone-3", full.Reactions[1].Name)

	require.NoError(t, s.Unreact("U0ANN", "C0DATA", ts, "+1::skin-tone-3"))
	require.EqualError(t, s.Unreact("U0ANN", "C0DATA", ts, "+1::skin-tone-3"), "no_reaction")
	m, _ := s.Message("C0DATA", ts)
	require.Len(t, m.Reactions, 1)

	require.EqualError(t, s.React("U0GONE", "C0DATA", ts, "x"), "user_disabled")
	for i := range 49 {
		require.NoError(t, s.React("U0"+[]string{"ANN", "BOB", "CAT", "DAN"}[i%4], "C0DATA", ts, "e"+strings.Repeat("o", i)))
	}
	require.EqualError(t, s.React("U0DAN", "C0DATA", ts, "one-more"), "too_many_emoji")
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := start(t)
	send := func() (map[string]any, error) {
		r := request(t, s.APIURL()+"chat.postMessage", "application/x-www-form-urlencoded",
			url.Values{"token": {botToken}, "channel": {"C0DATA"}, "text": {"x"}}.Encode())
		res, err := (&http.Client{Transport: httpClient.Transport, Timeout: 2 * time.Second}).Do(r)
		if err != nil {
			return nil, err
		}
		defer func() { require.NoError(t, res.Body.Close()) }()
		return map[string]any{"status": res.StatusCode, "retry": res.Header.Get("Retry-After"), "kind": res.Header.Get("Content-Type")}, nil
	}
	for name, tc := range map[string]struct {
		fault  slacksim.Fault
		status int
		kind   string
		effect bool
	}{
		"429":          {slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 7}, 429, "application/json; charset=utf-8", false},
		"500":          {slacksim.Fault{Kind: slacksim.Error500}, 500, "application/json; charset=utf-8", false},
		"502":          {slacksim.Fault{Kind: slacksim.HTML502}, 502, "text/html; charset=utf-8", false},
		"api error":    {slacksim.Fault{Kind: slacksim.APIError, Code: "fatal_error"}, 200, "application/json; charset=utf-8", false},
		"hang":         {slacksim.Fault{Kind: slacksim.Hang}, 0, "", false},
		"hang after":   {slacksim.Fault{Kind: slacksim.HangAfter}, 0, "", true},
		"reset before": {slacksim.Fault{Kind: slacksim.ResetBefore}, 0, "", false},
		"lost answer":  {slacksim.Fault{Kind: slacksim.ResetAfter}, 0, "", true},
		"slow":         {slacksim.Fault{Kind: slacksim.Slow, Delay: time.Millisecond}, 200, "application/json; charset=utf-8", true},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Messages("C0DATA"))
			s.Fail("chat.postMessage", tc.fault)
			a, err := send()
			if tc.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, tc.status, a["status"])
				require.Equal(t, tc.kind, a["kind"])
			}
			if tc.fault.RetryAfter > 0 {
				require.Equal(t, "7", a["retry"])
			}
			require.Equal(t, tc.effect, len(s.Messages("C0DATA")) == before+1)
			calls := s.Requests("chat.postMessage")
			require.Equal(t, tc.effect, calls[len(calls)-1].Effect)
			require.Equal(t, tc.fault.Kind, calls[len(calls)-1].Fault)
			_, err = send()
			require.NoError(t, err, "a fault strikes once unless told otherwise")
		})
	}
}

func TestFaultsCountSkipAndStay(t *testing.T) {
	t.Parallel()
	s := start(t)
	status := func() any { return call(t, s, "auth.test")["error"] }
	s.Fail("auth.test", slacksim.Fault{Kind: slacksim.APIError, Code: "internal_error", Skip: 1, Times: 2})
	require.Equal(t, []any{nil, "internal_error", "internal_error", nil}, []any{status(), status(), status(), status()})
	s.Fail(slacksim.AllMethods, slacksim.Fault{Kind: slacksim.APIError, Code: "fatal_error", Times: slacksim.Forever})
	for range 5 {
		require.Equal(t, "fatal_error", status())
	}
	s.ClearFaults()
	require.Nil(t, status())
	s.Fail("chat.postMessage", slacksim.Fault{Kind: slacksim.APIError, Code: "is_archived", Channel: "C0OLD"})
	post(t, s, "C0DATA", "another channel is not struck")
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, func(o *slacksim.Options) { o.Now, o.NoRateLimits = c.now, false })
	for range 3 {
		post(t, s, "C0DATA", "burst")
	}
	a := call(t, s, "chat.postMessage", "channel", "C0DATA", "text", "one too many")
	require.Equal(t, http.StatusTooManyRequests, a["_status"])
	require.Equal(t, "1", a["_retry"])
	post(t, s, "U0ANN", "another channel has its own pace")
	c.add(time.Second)
	post(t, s, "C0DATA", "a second later")
	require.Equal(t, 429, call(t, s, "chat.postMessage", "channel", "C0DATA", "text", "x")["_status"])

	var limited *slack.RateLimitedError
	api := client(s)
	n := 0
	for ; n < 60; n++ {
		if _, err := api.GetUserGroupMembersContext(t.Context(), "S0FIN"); errors.As(err, &limited) {
			break
		}
	}
	require.Equal(t, 22, n, "tier 2 and a tenth of tolerance")
	require.Equal(t, time.Minute, limited.RetryAfter)
	c.add(time.Minute)
	_, err := api.GetUserGroupMembersContext(t.Context(), "S0FIN")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"chat.postMessage": 2, "usergroups.users.list": 1}, s.Limited())
	s.Fail("chat.update", slacksim.Fault{Kind: slacksim.RateLimited})
	require.Equal(t, 429, call(t, s, "chat.update", "channel", "C0DATA", "ts", "1.1", "text", "x")["_status"])
	require.NotContains(t, s.Limited(), "chat.update", "an injected one says nothing about the app")
}

func TestWorldIsChecked(t *testing.T) {
	t.Parallel()
	w := testWorld()
	w.App.BotToken = "wrong"
	w.Channels[0].Members = append(w.Channels[0].Members, "U0NOBODY")
	w.Usergroups[0].ID = w.Channels[0].ID
	s := slacksim.New(slacksim.Options{World: w})
	err := s.Start("127.0.0.1:0")
	require.ErrorContains(t, err, "xoxb-")
	require.ErrorContains(t, err, "U0NOBODY")
	require.ErrorContains(t, err, "used twice")
	require.NoError(t, s.Close())
}

func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	s := start(t)
	ch, stop := s.Subscribe()
	ts := post(t, s, "C0DATA", "x")
	first := <-ch
	require.Equal(t, slacksim.Change{Seq: first.Seq, Kind: "message", Channel: "C0DATA", TS: ts, User: "U0BOT"}, first)
	require.NoError(t, s.React("U0ANN", "C0DATA", ts, "x"))
	list, complete := s.Changes(first.Seq)
	require.True(t, complete)
	require.Equal(t, "reaction", list[len(list)-1].Kind)
	for i, c := range list {
		require.Equal(t, first.Seq+uint64(i)+1, c.Seq)
	}
	stop()
	for range ch { // what was on its way
	}
	stop()

	small := start(t, func(o *slacksim.Options) { o.Keep = 10 })
	lag, _ := small.Subscribe()
	for range 600 { // two changes each
		post(t, small, "C0DATA", "x")
	}
	n := 0
	for range lag {
		n++
	}
	require.Equal(t, 1024, n, "a reader that fell behind finds its channel closed")
	_, complete = small.Changes(1)
	require.False(t, complete)
	require.LessOrEqual(t, len(small.Requests()), 10)
}
