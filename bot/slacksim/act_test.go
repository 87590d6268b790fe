package slacksim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
)

const buttons = `[{"type":"actions","block_id":"stop","elements":[
	{"type":"button","action_id":"cancel","text":{"type":"plain_text","text":"Stop"},"value":"F-7K3Q","style":"danger"},
	{"type":"static_select","action_id":"pick","options":[{"text":{"type":"plain_text","text":"One"},"value":"1"}]}]}]`

func TestClick(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := connect(t, s, nil)
	ts := post(t, s, "C0DATA", "card", "blocks", buttons)
	d := s.Click("U0BOB", "C0DATA", ts, "cancel")
	require.NoError(t, d.Err)
	cb := b.wait(t, socketmode.EventTypeInteractive, 1)[0].Data.(slack.InteractionCallback)
	require.Equal(t, slack.InteractionTypeBlockActions, cb.Type)
	require.Equal(t, "U0BOB", cb.User.ID)
	require.Equal(t, "C0DATA", cb.Channel.ID)
	require.Equal(t, ts, cb.Container.MessageTs)
	require.Equal(t, ts, cb.Message.Timestamp)
	require.Equal(t, d.ResponseURL, cb.ResponseURL)
	require.Equal(t, d.TriggerID, cb.TriggerID)
	a := cb.ActionCallback.BlockActions[0]
	require.Equal(t, []string{"stop", "cancel", "F-7K3Q"}, []string{a.BlockID, a.ActionID, a.Value})

	require.NoError(t, s.Select("U0BOB", "C0DATA", ts, "stop/pick", "1").Err)
	cb = b.wait(t, socketmode.EventTypeInteractive, 2)[1].Data.(slack.InteractionCallback)
	require.Equal(t, "1", cb.BlockActionState.Values["stop"]["pick"].SelectedOption.Value)

	for id, want := range map[string]string{"none": "action_not_found", "other/cancel": "action_not_found"} {
		require.EqualError(t, s.Click("U0BOB", "C0DATA", ts, id).Err, want)
	}
	require.EqualError(t, s.Select("U0BOB", "C0DATA", ts, "pick", "9").Err, "no_such_option")
	require.EqualError(t, s.Click("U0BOB", "C0DATA", "1.000001", "cancel").Err, "message_not_found")

	ok(t, call(t, s, "chat.postEphemeral", "channel", "C0DATA", "user", "U0ANN", "text", "x", "blocks", buttons))
	e := s.Ephemerals("U0ANN")[0]
	require.EqualError(t, s.Click("U0BOB", "C0DATA", e.TS, "cancel").Err, "message_not_found", "another's private message")
	require.NoError(t, s.Click("U0ANN", "C0DATA", e.TS, "cancel").Err)
	cb = b.wait(t, socketmode.EventTypeInteractive, 3)[2].Data.(slack.InteractionCallback)
	require.True(t, cb.Container.IsEphemeral)
	require.Empty(t, cb.Message.Timestamp, "Slack does not keep private messages")
}

func TestResponseURL(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, func(o *slacksim.Options) { o.Now = c.now })
	connect(t, s, nil)
	answer := func(address, body string) map[string]any {
		return do(t, request(t, address, "application/json", body))
	}
	d := s.Slash("U0ANN", "C0OPEN", "/scale", "x") // works where the bot is not
	require.NoError(t, d.Err)
	ok(t, answer(d.ResponseURL, `{"text":"wait"}`))
	require.Equal(t, "wait", s.Ephemerals("U0ANN")[0].Text)
	require.Equal(t, "invalid_blocks", answer(d.ResponseURL, `{"blocks":[{"type":"nonsense"}]}`)["error"])
	require.Equal(t, "no_text", answer(d.ResponseURL, `{}`)["error"])
	ok(t, answer(d.ResponseURL, `{"text":"done","replace_original":true,"metadata":{},"blocks":null}`))
	require.Len(t, s.Ephemerals("U0ANN"), 1)
	require.Equal(t, "done", s.Ephemerals("U0ANN")[0].Text)
	ok(t, answer(d.ResponseURL, `{"text":"all","response_type":"in_channel"}`))
	require.Equal(t, "all", s.Messages("C0OPEN")[0].Text)
	ok(t, answer(d.ResponseURL, `{"delete_original":true}`))
	require.Empty(t, s.Ephemerals("U0ANN"))
	ok(t, answer(d.ResponseURL, `{"text":"fifth"}`))
	a := answer(d.ResponseURL, `{"text":"sixth"}`)
	require.Equal(t, "used_url", a["error"])
	require.Equal(t, 404, a["_status"])

	d = s.Slash("U0ANN", "C0OPEN", "/scale", "x")
	c.add(30 * time.Minute)
	require.Equal(t, "expired_url", answer(d.ResponseURL, `{"text":"late"}`)["error"])

	ts := post(t, s, "C0DATA", "card", "blocks", buttons)
	d = s.Click("U0BOB", "C0DATA", ts, "cancel")
	_, _, err := client(s).PostMessageContext(t.Context(), "", slack.MsgOptionReplaceOriginal(d.ResponseURL), slack.MsgOptionText("gone", false))
	require.NoError(t, err)
	m, _ := s.Message("C0DATA", ts)
	require.Equal(t, "gone", m.Text)
	s.Fail(slacksim.ResponseURL, slacksim.Fault{Kind: slacksim.Error500})
	require.Error(t, slack.PostWebhookCustomHTTPContext(t.Context(), d.ResponseURL, httpClient, &slack.WebhookMessage{Text: "x"}))
}

func modal(blocks string, more ...string) string {
	return `{"type":"modal","callback_id":"form","title":{"type":"plain_text","text":"Scale"},"submit":{"type":"plain_text","text":"Go"},"blocks":` +
		blocks + strings.Join(more, "") + `}`
}

const inputs = `[{"type":"input","block_id":"amount","label":{"type":"plain_text","text":"Amount"},"element":{"type":"plain_text_input","action_id":"n"}},
	{"type":"input","block_id":"why","optional":true,"label":{"type":"plain_text","text":"Why"},"element":{"type":"plain_text_input","action_id":"t"}},
	{"type":"input","block_id":"charge","label":{"type":"plain_text","text":"Charge"},"element":{"type":"radio_buttons","action_id":"c",
		"options":[{"text":{"type":"plain_text","text":"Post"},"value":"postpaid"},{"text":{"type":"plain_text","text":"Pre"},"value":"prepaid"}],
		"initial_option":{"text":{"type":"plain_text","text":"Post"},"value":"postpaid"}}}]`

func TestModals(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, func(o *slacksim.Options) { o.Now = c.now })
	var payload any
	b := connect(t, s, func(e socketmode.Event) (any, bool) {
		if e.Type == socketmode.EventTypeInteractive {
			return payload, true
		}
		return nil, true
	})
	trigger := func() string { return s.Slash("U0ANN", "C0DATA", "/scale", "").TriggerID }
	view := func(method, trigger, view string) map[string]any {
		return call(t, s, method, "trigger_id", trigger, "view", view)
	}
	used := trigger()
	ok(t, view("views.open", used, modal(inputs)))
	require.Equal(t, "exchanged_trigger_id", view("views.open", used, modal(inputs))["error"])
	late := trigger()
	c.add(3 * time.Second)
	require.Equal(t, "expired_trigger_id", view("views.open", late, modal(inputs))["error"])
	require.Equal(t, "not_found", view("views.push", trigger(), modal(inputs))["error"], "push needs a trigger from a modal")

	require.EqualError(t, s.SubmitView("U0ANN", nil).Err, "required_field: amount")
	require.EqualError(t, s.SubmitView("U0ANN", slacksim.Fields{"amount": {"other": {"x"}}}).Err, "required_field: amount")
	payload = map[string]any{"response_action": "errors", "errors": map[string]string{"amount": "too many"}}
	d := s.SubmitView("U0ANN", slacksim.Fields{"amount": {"n": {"+99"}}})
	require.NoError(t, d.Err)
	require.Equal(t, map[string]string{"amount": "too many"}, d.Errors)
	cb := b.wait(t, socketmode.EventTypeInteractive, 1)[0].Data.(slack.InteractionCallback)
	require.Equal(t, slack.InteractionTypeViewSubmission, cb.Type)
	require.Equal(t, "+99", cb.View.State.Values["amount"]["n"].Value)
	require.Equal(t, "postpaid", cb.View.State.Values["charge"]["c"].SelectedOption.Value)
	require.Empty(t, cb.View.State.Values["why"]["t"].Value)
	require.Equal(t, "form", cb.View.CallbackID)

	payload = map[string]any{"response_action": "errors", "errors": map[string]string{"nowhere": "x"}}
	require.ErrorIs(t, s.SubmitView("U0ANN", nil).Err, slacksim.ErrBadAck)
	payload = map[string]any{"response_action": "update", "view": json.RawMessage(modal(`[{"type":"divider"}]`))}
	require.NoError(t, s.SubmitView("U0ANN", nil).Err)
	open := s.Views("U0ANN")
	require.Len(t, open, 1)
	require.Contains(t, string(open[0].Blocks), "divider")

	for range 2 {
		payload = map[string]any{"response_action": "push", "view": json.RawMessage(modal(inputs))}
		require.NoError(t, s.SubmitView("U0ANN", slacksim.Fields{}).Err, "%v", s.Views("U0ANN"))
		payload = map[string]any{"response_action": "update", "view": json.RawMessage(modal(`[{"type":"divider"}]`))}
		require.NoError(t, s.SubmitView("U0ANN", slacksim.Fields{"amount": {"n": {"1"}}}).Err)
	}
	require.Len(t, s.Views("U0ANN"), 3)
	payload = map[string]any{"response_action": "push", "view": json.RawMessage(modal(inputs))}
	require.ErrorContains(t, s.SubmitView("U0ANN", nil).Err, "push_limit_reached")

	top := s.Views("U0ANN")[2]
	update := func(hash string) map[string]any {
		return call(t, s, "views.update", "view_id", top.ID, "hash", hash, "view", modal(inputs, `,"external_id":"one"`))
	}
	require.Equal(t, "hash_conflict", update("0.stale")["error"])
	ok(t, update(top.Hash))
	require.Equal(t, "hash_conflict", update(top.Hash)["error"], "an update makes a new hash")
	payload = nil
	require.NoError(t, s.CloseView("U0ANN", false).Err)
	require.Len(t, s.Views("U0ANN"), 2)
	payload = map[string]any{"response_action": "clear"}
	require.NoError(t, s.SubmitView("U0ANN", nil).Err)
	require.Empty(t, s.Views("U0ANN"))
	require.EqualError(t, s.SubmitView("U0ANN", nil).Err, "view_not_found")

	ok(t, view("views.open", trigger(), modal(inputs, `,"external_id":"two","notify_on_close":true`)))
	d = s.Slash("U0BOB", "C0DATA", "/scale", "")
	require.Equal(t, "duplicate_external_id", view("views.open", d.TriggerID, modal(inputs, `,"external_id":"two"`))["error"])
	payload = nil
	require.NoError(t, s.CloseView("U0ANN", true).Err)
	all := b.all(socketmode.EventTypeInteractive)
	require.Equal(t, slack.InteractionTypeViewClosed, all[len(all)-1].Data.(slack.InteractionCallback).Type)

	for name, bad := range map[string]string{
		"long title":       strings.Replace(modal(inputs), `"Scale"`, `"`+strings.Repeat("x", 25)+`"`, 1),
		"no submit":        strings.Replace(modal(inputs), `"submit":{"type":"plain_text","text":"Go"},`, "", 1),
		"a home":           `{"type":"home","title":{"type":"plain_text","text":"x"},"blocks":[]}`,
		"markdown":         modal(`[{"type":"markdown","text":"x"}]`),
		"unknown property": modal(inputs, `,"colour":"red"`),
		"long metadata":    modal(inputs, `,"private_metadata":"`+strings.Repeat("x", 3001)+`"`),
	} {
		a := view("views.open", trigger(), bad)
		require.Equal(t, "invalid_arguments", a["error"], name)
		require.NotEmpty(t, a["response_metadata"].(map[string]any)["messages"], name)
	}
	require.Equal(t, "view_too_large", view("views.open", trigger(), modal(inputs, `,"private_metadata":"`+strings.Repeat("x", 260000)+`"`))["error"])
}

func TestHome(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := connect(t, s, nil)
	home := `{"type":"home","blocks":` + buttons + `}`
	a := ok(t, call(t, s, "views.publish", "user_id", "U0ANN", "view", home))
	v, found := s.Home("U0ANN")
	require.True(t, found)
	require.Equal(t, a["view"].(map[string]any)["hash"], v.Hash)
	require.Equal(t, "hash_conflict", call(t, s, "views.publish", "user_id", "U0ANN", "view", home, "hash", "old")["error"])
	require.NoError(t, s.ClickHome("U0ANN", "cancel").Err)
	cb := b.wait(t, socketmode.EventTypeInteractive, 1)[0].Data.(slack.InteractionCallback)
	require.Equal(t, "F-7K3Q", cb.ActionCallback.BlockActions[0].Value)
	require.Equal(t, v.ID, cb.View.ID)
	require.EqualError(t, s.ClickHome("U0BOB", "cancel").Err, "view_not_found")

	off := start(t, func(o *slacksim.Options) { o.World.App.NoHome = true })
	require.Equal(t, "not_enabled", call(t, off, "views.publish", "user_id", "U0ANN", "view", home)["error"])
	require.EqualError(t, off.OpenHome("U0ANN"), "not_enabled")
}

func TestPeopleAreRefusedToo(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, tc := range []struct{ user, channel, thread, text, want string }{
		{"U0BOB", "C0OPEN", "", "x", "not_in_channel"},
		{"U0BOB", "C0SECRET", "", "x", "channel_not_found"},
		{"U0ANN", "C0OLD", "", "x", "is_archived"},
		{"U0GONE", "C0DATA", "", "x", "user_disabled"},
		{"U0ANN", "C0DATA", "", " ", "no_text"},
		{"U0ANN", "C0DATA", "1.000001", "x", "message_not_found"},
	} {
		_, err := s.Say(tc.user, tc.channel, tc.thread, tc.text)
		require.EqualError(t, err, tc.want)
	}
	m, err := s.Say("U0ANN", s.DM("U0ANN"), "", "hi <@U0NOBODY> @finops. see https://a.b/c?d=1&e=2")
	require.NoError(t, err)
	require.Equal(t, "hi &lt;@U0NOBODY&gt; <!subteam^S0FIN>. see <https://a.b/c?d=1&e=2>", m.Text)
	require.Empty(t, s.DM("U0GONE"))
	require.EqualError(t, s.Invite("U0ANN", "C0DATA"), "already_in_channel")
	require.EqualError(t, s.Kick("U0GUEST", "C0DATA"), "not_in_channel")
	require.EqualError(t, s.SetUsergroup("S0FIN", "U0NOBODY"), "user_not_found")
	require.EqualError(t, s.DeleteMessage("C0DATA", "1.000001"), "message_not_found")
}
