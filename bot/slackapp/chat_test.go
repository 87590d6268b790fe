package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

func testMessage(key string) flow.Message {
	return flow.Message{
		Key: key, Channel: channel, Text: "emr-m620 · task +2: planning", EventType: "scalebot_flow",
		Payload: map[string]any{"flow": "F-1", "state": "planning", "version": 1},
		Blocks:  json.RawMessage(`[{"type":"section","block_id":"b1","text":{"type":"mrkdwn","text":"hello","verbatim":true}}]`),
	}
}

func group(id string) approvals.Group { return approvals.Group{Usergroups: []string{id}} }

func TestPostAndUpdate(t *testing.T) {
	e := newEdge(t, nil, nil)
	m := testMessage("card/1")
	ref, err := e.app.Post(t.Context(), m)
	require.NoError(t, err)
	got, ok := e.sim.Message(channel, ref.TS)
	require.True(t, ok)
	require.Equal(t, "scalebot_flow", got.Metadata.EventType)
	require.Equal(t, map[string]any{"flow": "F-1", "state": "planning", "version": float64(1)}, got.Metadata.EventPayload, "what other programs were promised, and no more")
	require.Equal(t, "F-1/card/1#1", firstBlock(t, got))
	args := e.sim.Requests("chat.postMessage")[0].Args
	for name, want := range map[string]string{"unfurl_links": "false", "unfurl_media": "false", "parse": "none", "link_names": "false"} {
		require.Equal(t, want, args[name], name)
	}

	m.Text, m.Blocks, m.Payload = "done", nil, map[string]any{"flow": "F-1", "state": "succeeded", "version": 2}
	require.NoError(t, e.app.Update(t.Context(), ref, m))
	got, _ = e.sim.Message(channel, ref.TS)
	require.Equal(t, "done", got.Text)
	require.Equal(t, "succeeded", got.Metadata.EventPayload["state"])
	require.NotContains(t, string(got.Blocks), "hello")
	require.Equal(t, "F-1/card/1#2", firstBlock(t, got), "a new one at each edit")

	found, ok, err := e.app.Find(t.Context(), m, time.Now().Add(-time.Minute))
	require.NoError(t, err)
	require.True(t, ok, "found again after an edit, too")
	require.Equal(t, ref.TS, found.TS)

	m.Key, m.Thread, m.EventType, m.Payload = "log/0", ref.TS, "scalebot_log", map[string]any{"flow": "F-1"}
	reply, err := e.app.Post(t.Context(), m)
	require.NoError(t, err)
	require.Len(t, e.sim.Thread(channel, ref.TS), 2)
	got, _ = e.sim.Message(channel, reply.TS)
	require.Equal(t, map[string]any{"flow": "F-1"}, got.Metadata.EventPayload)
	found, ok, err = e.app.Find(t.Context(), m, time.Now().Add(-time.Minute))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, reply.TS, found.TS)
}

// firstBlock is the block_id of a message's first block.
func firstBlock(t *testing.T, m slacksim.Message) string {
	t.Helper()
	var blocks []struct {
		ID string `json:"block_id"`
	}
	require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
	require.NotEmpty(t, blocks)
	return blocks[0].ID
}

// Another block_id is all that changes about a block.
func TestANamedBlockKeepsAllItsFields(t *testing.T) {
	blocks, err := rawBlocks(json.RawMessage(`[{"type":"plan","block_id":"old","a_field_of_tomorrow":{"deep":[1,"<&>"]}}]`))
	require.NoError(t, err)
	b, err := blocks[0].(raw).named(blockName(testMessage("card/1")))
	require.NoError(t, err)
	out, err := json.Marshal(b)
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"plan","block_id":"F-1/card/1#1","a_field_of_tomorrow":{"deep":[1,"<&>"]}}`, string(out))
	require.Equal(t, "F-1/card/1#1", b.ID())
	require.Empty(t, blockName(flow.Message{Payload: map[string]any{"flow": "F-1"}}), "a message without a key has no name")
	require.False(t, sameMessage("F-1/card/1", "F-1/card/10"))
	require.False(t, sameMessage("", ""))
	require.True(t, sameMessage("F-1/card/1#4", "F-1/card/1#11"))
	require.False(t, sameMessage("F-1/notice/unknown#2/C0DATA", "F-1/notice/unknown#3/C0DATA"), "the third notice of a state is not the second")
	require.True(t, sameMessage("F-1/notice/unknown#2/C0DATA#7", "F-1/notice/unknown#2/C0DATA"))
}

// In a direct message the app may not read, by design: a search would fail for
// ever.
func TestWhatMayNotBeReadIsNotSearchedForEver(t *testing.T) {
	e := newEdge(t, nil, nil)
	m := testMessage("card/1")
	ref, err := e.app.Post(t.Context(), flow.Message{Key: m.Key, Channel: ann, Text: m.Text, Blocks: m.Blocks, EventType: m.EventType, Payload: m.Payload})
	require.NoError(t, err)
	m.Channel = ref.Channel
	_, ok, err := e.app.Find(t.Context(), m, time.Now().Add(-time.Minute))
	require.NoError(t, err)
	require.False(t, ok)
	require.Contains(t, e.logs.String(), "posted anew")
}

func TestBlocksArePassedOnAsTheyAre(t *testing.T) {
	in := json.RawMessage(`[{"type":"plan","title":"x","tasks":[{"type":"task_card","a_field_of_tomorrow":{"deep":[1]}}]}]`)
	blocks, err := rawBlocks(in)
	require.NoError(t, err)
	out, err := json.Marshal(blocks)
	require.NoError(t, err)
	require.JSONEq(t, string(in), string(out))
	for _, bad := range []string{`{}`, `[1]`, `nonsense`} {
		_, err := rawBlocks(json.RawMessage(bad))
		require.Error(t, err, bad)
	}
}

func TestLostAnswerIsInDoubtAndFound(t *testing.T) {
	e := newEdge(t, nil, nil)
	for _, m := range []flow.Message{testMessage("card/1"), testMessage("card/2")} {
		_, err := e.app.Post(t.Context(), m)
		require.NoError(t, err)
	}
	m, since := testMessage("card/3"), time.Now()
	e.sim.Fail("chat.postMessage", slacksim.Fault{Kind: slacksim.ResetAfter})
	_, err := e.app.Post(t.Context(), m)
	require.ErrorIs(t, err, flow.ErrChatInDoubt)
	require.Len(t, e.sim.Requests("chat.postMessage"), 3, "not repeated")

	ref, ok, err := e.app.Find(t.Context(), m, since)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, e.sim.Messages(channel)[2].TS, ref.TS)
	for i, key := range []string{"card/1", "card/2"} {
		earlier, ok, err := e.app.Find(t.Context(), testMessage(key), since)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, e.sim.Messages(channel)[i].TS, earlier.TS, "each by its own key")
	}

	other := testMessage("card/3")
	other.Payload = map[string]any{"flow": "F-2"}
	_, ok, err = e.app.Find(t.Context(), other, since)
	require.NoError(t, err)
	require.False(t, ok, "another flow's message of the same key")
}

func TestPruneLeavesWhatIsOnRecord(t *testing.T) {
	e := newEdge(t, nil, nil)
	since := time.Now()
	var refs []flow.MessageRef
	for _, key := range []string{"card/1", "card/1", "card/2", "card/3"} {
		ref, err := e.app.Post(t.Context(), testMessage(key))
		require.NoError(t, err)
		refs = append(refs, ref)
		e.app.pace = newPace(wallClock{}) // the pace is not what this is about
	}
	foreign := testMessage("card/1")
	foreign.Payload = map[string]any{"flow": "F-2"}
	other, err := e.app.Post(t.Context(), foreign)
	require.NoError(t, err)
	e.app.pace = newPace(wallClock{})
	notice := testMessage("notice/succeeded")
	notice.EventType = "scalebot_notice"
	told, err := e.app.Post(t.Context(), notice)
	require.NoError(t, err)
	_, err = e.sim.Say(ann, channel, "", "chatter")
	require.NoError(t, err)

	keep := []flow.MessageRef{refs[1], refs[2]}
	require.NoError(t, e.app.Prune(t.Context(), testMessage(""), since, keep))
	require.NoError(t, e.app.Prune(t.Context(), testMessage(""), since, keep), "nothing is left to do")
	var left []string
	for _, m := range e.sim.Messages(channel) {
		if m.BotID != "" && !m.Deleted {
			left = append(left, m.TS)
		}
	}
	require.Equal(t, []string{refs[1].TS, refs[2].TS, other.TS, told.TS}, left, "a copy of card 1 and a card that nobody knows are gone")
	require.Len(t, e.sim.Requests("chat.delete"), 2)
}

func TestFindIsBounded(t *testing.T) {
	e := newEdge(t, nil, nil)
	since := time.Now()
	ref, err := e.app.Post(t.Context(), testMessage("card/1"))
	require.NoError(t, err)
	chatter := func(n int) {
		for range n {
			_, err := e.sim.Say(ann, channel, "", "chatter")
			require.NoError(t, err)
		}
	}
	chatter(findMost - 100)
	e.sim.SetHabits(slacksim.Habits{ShortPages: 15})
	got, there, err := e.app.Find(t.Context(), testMessage("card/1"), since)
	require.NoError(t, err, "messages count, not pages")
	require.True(t, there)
	require.Equal(t, ref, got)
	e.sim.SetHabits(slacksim.Habits{})
	chatter(100)
	before := len(e.sim.Requests("conversations.history"))
	_, _, err = e.app.Find(t.Context(), testMessage("card/1"), since)
	require.ErrorIs(t, err, flow.ErrSearchCut, "not seen is not the same as not there")
	require.Len(t, e.sim.Requests("conversations.history"), before+findMost/findLimit)

	// A search for copies that was cut short must not hold up a flow for good.
	require.NoError(t, e.app.Prune(t.Context(), testMessage(""), since, nil))
}

func TestErrorsOfPosting(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault slacksim.Fault
		is    error
		not   error
	}{
		{"500", slacksim.Fault{Kind: slacksim.Error500}, flow.ErrChatInDoubt, nil},
		{"an HTML page", slacksim.Fault{Kind: slacksim.HTML502}, flow.ErrChatInDoubt, nil},
		{"fatal_error", slacksim.Fault{Kind: slacksim.APIError, Code: "fatal_error"}, flow.ErrChatInDoubt, nil},
		{"internal_error", slacksim.Fault{Kind: slacksim.APIError, Code: "internal_error"}, flow.ErrChatInDoubt, nil},
		{"no answer", slacksim.Fault{Kind: slacksim.Hang}, flow.ErrChatInDoubt, nil},
		{"invalid_blocks", slacksim.Fault{Kind: slacksim.APIError, Code: "invalid_blocks"}, flow.ErrBlocksRefused, flow.ErrChatInDoubt},
		{"not_in_channel", slacksim.Fault{Kind: slacksim.APIError, Code: "not_in_channel"}, flow.ErrNoChannel, flow.ErrChatInDoubt},
		{"is_archived", slacksim.Fault{Kind: slacksim.APIError, Code: "is_archived"}, flow.ErrArchived, nil},
		{"restricted_action_thread_only_channel", slacksim.Fault{Kind: slacksim.APIError, Code: "restricted_action_thread_only_channel"}, flow.ErrRestricted, nil},
		{"restricted_action", slacksim.Fault{Kind: slacksim.APIError, Code: "restricted_action"}, flow.ErrNoChannel, nil},
		{"token_revoked", slacksim.Fault{Kind: slacksim.APIError, Code: "token_revoked"}, ErrTokens, flow.ErrChatInDoubt},
		{"msg_blocks_too_long", slacksim.Fault{Kind: slacksim.APIError, Code: "msg_blocks_too_long"}, flow.ErrChatRefused, flow.ErrBlocksRefused},
		{"msg_too_long", slacksim.Fault{Kind: slacksim.APIError, Code: "msg_too_long"}, nil, flow.ErrChatInDoubt},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEdge(t, nil, func(o *Options) { o.HTTPClient.Timeout = 500 * time.Millisecond })
			e.sim.Fail("chat.postMessage", c.fault)
			_, err := e.app.Post(t.Context(), testMessage("k"))
			require.Error(t, err)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			if c.not != nil {
				require.NotErrorIs(t, err, c.not)
			}
			require.Len(t, e.sim.Requests("chat.postMessage"), 1, "one call")
		})
	}
	t.Run("a deleted message", func(t *testing.T) {
		e := newEdge(t, nil, nil)
		ref, err := e.app.Post(t.Context(), testMessage("k"))
		require.NoError(t, err)
		require.NoError(t, e.sim.DeleteMessage(channel, ref.TS))
		require.ErrorIs(t, e.app.Update(t.Context(), ref, testMessage("k")), flow.ErrMessageGone)
		_, err = e.app.Reactions(t.Context(), ref)
		require.ErrorIs(t, err, flow.ErrMessageGone)
	})
	t.Run("nobody listens", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := ln.Addr().String()
		require.NoError(t, ln.Close())
		app, err := New(Options{AppToken: appToken, BotToken: botToken, APIURL: "http://" + addr + "/api", Clock: wallClock{}})
		require.NoError(t, err)
		_, err = app.Post(t.Context(), testMessage("k"))
		require.Error(t, err)
		require.NotErrorIs(t, err, flow.ErrChatInDoubt, "what was never sent is not in doubt")
		require.Equal(t, kindUnreachable, kindOf(err))
	})
}

func TestRateLimits(t *testing.T) {
	e := newEdge(t, nil, nil)
	e.sim.Fail("chat.update", slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 7})
	ref, err := e.app.Post(t.Context(), testMessage("k"))
	require.NoError(t, err)
	var limited *flow.RateLimited
	require.ErrorAs(t, e.app.Update(t.Context(), ref, testMessage("k")), &limited)
	require.Equal(t, 7*time.Second, limited.After)
	require.ErrorAs(t, e.app.Update(t.Context(), ref, testMessage("k")), &limited)
	require.LessOrEqual(t, limited.After, 7*time.Second)
	require.Len(t, e.sim.Requests("chat.update"), 1, "Slack is left alone until then")
	_, err = e.app.Reactions(t.Context(), ref)
	require.NoError(t, err, "other methods go on")

	e.sim.Fail("reactions.get", slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 9})
	_, err = e.app.Reactions(t.Context(), ref)
	require.ErrorAs(t, err, &limited)
	require.Equal(t, 9*time.Second, limited.After)
}

func TestPostsOfAChannelArePaced(t *testing.T) {
	e := newEdge(t, nil, nil)
	for range postBurst {
		_, err := e.app.Post(t.Context(), testMessage("k"))
		require.NoError(t, err)
	}
	_, err := e.app.Post(t.Context(), testMessage("k"))
	var limited *flow.RateLimited
	require.ErrorAs(t, err, &limited, "said, not waited for")
	require.LessOrEqual(t, limited.After, postEvery)
	require.Len(t, e.sim.Requests("chat.postMessage"), postBurst)
}

func TestPaceForgetsChannelsAtRest(t *testing.T) {
	now := time.Now()
	p := newPace(clockFunc(func() time.Time { return now }))
	for i := range maxPaced {
		require.Zero(t, p.take(string(rune('a'+i%26))+time.Duration(i).String()))
	}
	now = now.Add(time.Minute)
	require.Zero(t, p.take("one more"))
	require.Len(t, p.channels, 1)
}

type clockFunc func() time.Time

func (f clockFunc) Now() time.Time { return f() }

func TestWhisper(t *testing.T) {
	e := newEdge(t, nil, nil)
	m := flow.Message{Channel: channel, Text: "psst"}
	require.NoError(t, e.app.Whisper(t.Context(), ann, m))
	require.Equal(t, "psst", e.sim.Ephemerals(ann)[0].Text)
	require.NotContains(t, e.sim.Requests("chat.postEphemeral")[0].Args, "metadata", "nothing is said to programs that isn't for them")
	t.Run("a channel without the bot", func(t *testing.T) {
		m.Channel = outside
		require.NoError(t, e.app.Whisper(t.Context(), ann, m))
		require.Len(t, e.sim.DMs(ann), 1)
	})
	t.Run("a channel without the person", func(t *testing.T) {
		require.NoError(t, e.sim.Kick(wei, channel))
		m.Channel = channel
		require.NoError(t, e.app.Whisper(t.Context(), wei, m))
		require.Len(t, e.sim.DMs(wei), 1)
	})
	t.Run("a thread that is gone", func(t *testing.T) {
		root, err := e.sim.Say(ann, channel, "", "shall we?")
		require.NoError(t, err)
		require.NoError(t, e.sim.DeleteMessage(channel, root.TS))
		require.NoError(t, e.app.Whisper(t.Context(), ann, flow.Message{Channel: channel, Thread: root.TS, Text: "in vain"}))
		require.Len(t, e.sim.DMs(ann), 2)
	})
	t.Run("a lost answer isn't told a second time elsewhere", func(t *testing.T) {
		e.sim.Fail("chat.postEphemeral", slacksim.Fault{Kind: slacksim.ResetAfter})
		require.ErrorIs(t, e.app.Whisper(t.Context(), ann, m), flow.ErrChatInDoubt)
		require.Len(t, e.sim.DMs(ann), 2)
	})
}

func TestReactions(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.ReactionUsersShown = 1 }, nil)
	ref, err := e.app.Post(t.Context(), testMessage("k"))
	require.NoError(t, err)
	list, err := e.app.Reactions(t.Context(), ref)
	require.NoError(t, err)
	require.Empty(t, list)
	for _, u := range []string{ann, wei, guest} {
		require.NoError(t, e.sim.React(u, channel, ref.TS, "white_check_mark"))
	}
	list, err = e.app.Reactions(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, []approvals.Reaction{{Name: "white_check_mark", Users: []string{ann, wei, guest}, Count: 3}}, list)

	people, err := e.app.People(t.Context(), list[0].Users)
	require.NoError(t, err)
	require.True(t, people[guest].Guest, "a guest's reaction is known as one")
	require.False(t, people[ann].Guest)
}

func TestReactionsOfACardInAFormThatSlackGoDoesNotKnow(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"ok":true,"type":"message","message":{"blocks":[{"type":"section","text":7}],` +
			`"reactions":[{"name":"x","count":4,"users":["U1"]}]}}`))
	}))
	defer srv.Close()
	app, err := New(Options{AppToken: appToken, BotToken: botToken, APIURL: srv.URL, Clock: wallClock{}, HTTPClient: srv.Client()})
	require.NoError(t, err)
	list, err := app.Reactions(t.Context(), flow.MessageRef{Channel: channel, TS: "1.000001"})
	require.NoError(t, err)
	require.Equal(t, []approvals.Reaction{{Name: "x", Users: []string{"U1"}, Count: 4}}, list, "cut lists show as such")
}

func TestPeople(t *testing.T) {
	e := newEdge(t, nil, nil)
	people, err := e.app.People(t.Context(), []string{ann, ann, guest, "U0SOLO", "U0ROBOT", "U0GONE", "U0PARTNER", "U0STRANGE", "U0NOBODY"})
	require.NoError(t, err)
	require.Equal(t, map[string]approvals.Person{
		ann:         {ID: ann, Name: "ann", Found: true},
		guest:       {ID: guest, Name: "guest", Found: true, Guest: true},
		"U0SOLO":    {ID: "U0SOLO", Name: "solo", Found: true, Guest: true},
		"U0ROBOT":   {ID: "U0ROBOT", Name: "robot", Found: true, Bot: true},
		"U0GONE":    {ID: "U0GONE", Name: "gone", Found: true, Deleted: true},
		"U0PARTNER": {ID: "U0PARTNER", Name: "partner", Found: true, Stranger: true},
		"U0STRANGE": {ID: "U0STRANGE", Name: "strange", Found: true, Stranger: true},
		"U0NOBODY":  {ID: "U0NOBODY"},
	}, people)

	before := len(e.sim.Requests("users.info"))
	_, err = e.app.People(t.Context(), []string{ann, guest})
	require.NoError(t, err)
	require.Len(t, e.sim.Requests("users.info"), before, "cached")

	e.app.people.forget("")
	e.sim.Fail("users.info", slacksim.Fault{Kind: slacksim.Error500})
	_, err = e.app.People(t.Context(), []string{ann})
	require.Error(t, err, "a bad minute makes nobody a stranger")
	_, err = e.app.People(t.Context(), []string{ann})
	require.NoError(t, err, "an error is not cached")

	unknown, err := New(Options{AppToken: appToken, BotToken: botToken, Clock: wallClock{}})
	require.NoError(t, err)
	_, err = unknown.People(t.Context(), []string{ann})
	require.ErrorIs(t, err, errNoIdentity)
}

func TestMembers(t *testing.T) {
	e := newEdge(t, nil, nil)
	g := approvals.Group{Users: []string{"U0LEAD", ann}, Usergroups: []string{"S0LEADS"}}
	members, err := e.app.Members(t.Context(), g)
	require.NoError(t, err)
	require.Equal(t, []string{ann, "U0LEAD", wei}, members)
	_, err = e.app.Members(t.Context(), group("S0NOSUCH"))
	require.Error(t, err)
	require.NoError(t, e.sim.DisableUsergroup("S0LEADS"))
	e.app.groups.forget("S0LEADS")
	_, err = e.app.Members(t.Context(), g)
	require.Error(t, err, "a part of the members is not the group")
}

// Slack tells one replica of a change. To the others the group is what it was, until
// somebody needs to be sure.
func TestRefreshSeesWhatAnotherReplicaWasToldOf(t *testing.T) {
	e := newEdge(t, nil, nil)
	now := time.Now()
	e.app.groups.clock = clockFunc(func() time.Time { return now })
	e.app.people.clock = e.app.groups.clock
	g := group("S0LEADS")
	look := func() ([]string, bool) {
		members, err := e.app.Members(t.Context(), g)
		require.NoError(t, err)
		people, err := e.app.People(t.Context(), []string{wei})
		require.NoError(t, err)
		return members, people[wei].Deleted
	}
	refresh := func() { e.app.Refresh([]string{wei}, []approvals.Group{g}) }
	look()
	require.NoError(t, e.sim.SetUsergroup("S0LEADS", ann))
	refresh()
	members, _ := look()
	require.Equal(t, []string{ann, wei}, members, "asked a moment ago")
	now = now.Add(10 * time.Second)
	members, _ = look()
	require.Equal(t, []string{ann, wei}, members)
	before := len(e.sim.Requests("users.info"))
	refresh()
	members, _ = look()
	require.Equal(t, []string{ann}, members)
	require.Len(t, e.sim.Requests("users.info"), before+1)
}

func TestCache(t *testing.T) {
	now := time.Now()
	c := newCache[int](clockFunc(func() time.Time { return now }), time.Minute)
	n := 0
	look := func(look func(context.Context) (int, error)) look[int] {
		return func(ctx context.Context, _ time.Time) (int, time.Time, error) {
			v, err := look(ctx)
			return v, now, err
		}
	}
	count := look(func(context.Context) (int, error) { n++; return n, nil })
	for range 3 {
		v, err := c.fill(t.Context(), "k", count)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	}
	now = now.Add(time.Minute)
	v, err := c.fill(t.Context(), "k", count)
	require.NoError(t, err)
	require.Equal(t, 2, v, "too old")

	t.Run("what an event made void meanwhile is not kept", func(t *testing.T) {
		_, err := c.fill(t.Context(), "other", look(func(context.Context) (int, error) {
			c.forget("other")
			return 99, nil
		}))
		require.NoError(t, err)
		_, ok := c.get("other")
		require.False(t, ok)
	})
	t.Run("what happens to somebody else meanwhile voids nothing", func(t *testing.T) {
		begun, release, looks := make(chan struct{}), make(chan struct{}), 0
		ask := func() chan int {
			got := make(chan int, 1)
			go func() {
				v, _ := c.fill(t.Context(), "mine", look(func(context.Context) (int, error) { looks++; close(begun); <-release; return 7, nil }))
				got <- v
			}()
			return got
		}
		first := ask()
		<-begun
		c.forget("theirs")
		second := ask()
		close(release)
		require.Equal(t, 7, <-first)
		require.Equal(t, 7, <-second)
		require.Equal(t, 1, looks, "one look-up for both")
		v, ok := c.get("mine")
		require.True(t, ok, "and it is kept")
		require.Equal(t, 7, v)
	})
	t.Run("who asks after an event gets no answer from before it", func(t *testing.T) {
		begun, release := make(chan struct{}), make(chan struct{})
		old := make(chan int, 1)
		go func() {
			v, _ := c.fill(t.Context(), "left", look(func(context.Context) (int, error) { close(begun); <-release; return 1, nil }))
			old <- v
		}()
		<-begun
		c.forget("left")
		v, err := c.fill(t.Context(), "left", look(func(context.Context) (int, error) { return 2, nil }))
		require.NoError(t, err)
		require.Equal(t, 2, v)
		close(release)
		require.Equal(t, 1, <-old)
		v, _ = c.get("left")
		require.Equal(t, 2, v, "nor is it kept")
	})
	t.Run("a caller who leaves doesn't end the look-up of the others", func(t *testing.T) {
		begun, release := make(chan struct{}), make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := c.fill(ctx, "shared", look(func(ctx context.Context) (int, error) {
				close(begun)
				<-release
				return 5, ctx.Err()
			}))
			left <- err
		}()
		<-begun
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		close(release)
		require.Eventually(t, func() bool { v, ok := c.get("shared"); return ok && v == 5 }, time.Second, time.Millisecond)
	})
}

func TestCorrectedRequestBecomesALine(t *testing.T) {
	at := time.Date(2026, 12, 24, 2, 0, 0, 0, time.FixedZone("", 8*3600))
	err := spelled(&flow.Rejection{Code: flow.RejectMax, Better: &flow.Ask{
		Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 3, Charge: "prepaid", Months: 1, StartAt: at,
	}}, true)
	var no *flow.Rejection
	require.ErrorAs(t, err, &no)
	require.Equal(t, "emr-m620 task +3 prepaid 1m at 2026-12-24T02:00+08:00 dry-run", no.Fixed)
	plain := errors.New("plain")
	require.Equal(t, plain, spelled(plain, false))
}

func TestOptions(t *testing.T) {
	_, err := New(Options{AppToken: "xoxb-1", BotToken: "xapp-1", APIURL: "slack.com", Sockets: 11})
	require.Error(t, err)
	for _, part := range []string{"app_token", "bot_token", "api_url", "sockets", "clock"} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "xoxb-1")
	app, err := New(Options{AppToken: appToken, BotToken: botToken, Clock: wallClock{}, Registerer: prometheus.NewRegistry()})
	require.NoError(t, err)
	require.NotZero(t, app.http.Timeout)
	require.Equal(t, 2, app.opt.Sockets, "one stays while the other is replaced")
}
