package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

// A card has its log below it, so what stays of a deleted one is a tombstone. Some
// answer about it as about any message: without reactions, and not ours to edit.
func TestATombstoneIsADeletedCard(t *testing.T) {
	for name, h := range map[string]slacksim.Habits{"not found": {}, "answers as a message": {LivingTombstones: true}} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t, func(o *slacksim.Options) { o.Habits = h }, nil).run()
			ref, err := e.app.Post(t.Context(), testMessage("card/1"))
			require.NoError(t, err)
			_, err = e.sim.Say(ann, channel, ref.TS, "looks fine")
			require.NoError(t, err)
			require.NoError(t, e.sim.React(ann, channel, ref.TS, "white_check_mark"))
			e.eventually(func() bool { return read(e.desk, func(d *desk) int { return len(d.refs) }) == 1 }, "the vote")
			require.NoError(t, e.app.Update(t.Context(), ref, testMessage("card/1")))
			require.NoError(t, e.sim.DeleteMessage(channel, ref.TS))
			e.eventually(func() bool { return read(e.desk, func(d *desk) int { return len(d.refs) }) == 2 }, "the deletion, and no edit")
			require.Equal(t, ref, read(e.desk, func(d *desk) flow.MessageRef { return d.refs[1] }))
			_, err = e.app.Reactions(t.Context(), ref)
			require.ErrorIs(t, err, flow.ErrMessageGone, "it must not read as no votes")
			require.ErrorIs(t, e.app.Update(t.Context(), ref, testMessage("card/1")), flow.ErrMessageGone)
		})
	}
}

func TestADeletedCardIsAskedAboutAnew(t *testing.T) {
	w := newRoad(t, 1)
	id, ts := w.asked()
	w.eventually(func() bool { w.jump(time.Second); return len(w.sim.Thread(channel, ts)) > 1 }, "its log")
	w.react(lea, ts, "x")
	w.sim.DropEvents(lost)
	require.NoError(t, w.sim.DeleteMessage(channel, ts))
	w.eventually(func() bool {
		w.jump(time.Minute)
		return len(w.flow(id).Plans) == 2 && w.card(id) != ts
	}, "another plan with its card")
	w.in(id, flow.AwaitingApproval)
}

// Slack posts such a reply into the channel and says ok. What the answer lacks is
// too little to go by alone: others leave it out of every answer.
func TestAReplyToADeletedMessageDoesNotStandInTheChannel(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.Habits.LooseReplies = true }, nil)
	ref, err := e.app.Post(t.Context(), testMessage("card/1"))
	require.NoError(t, err)
	log := flow.Message{Key: "log/0", Channel: channel, Thread: ref.TS, Text: "requested", EventType: "scalebot_log", Payload: map[string]any{"flow": "F-1"}}
	_, err = e.app.Post(t.Context(), log)
	require.NoError(t, err)
	require.Empty(t, e.sim.Requests("reactions.get"), "no doubt, no question")

	lone, err := e.sim.Say(ann, channel, "", "shall we?")
	require.NoError(t, err)
	require.NoError(t, e.sim.DeleteMessage(channel, lone.TS))
	log.Thread = lone.TS
	_, err = e.app.Post(t.Context(), log)
	require.ErrorIs(t, err, flow.ErrMessageGone)
	require.Len(t, e.sim.Messages(channel), 1, "the card alone")

	require.False(t, placed{Message: json.RawMessage(`{"ts":"1.000001","thread_ts":"1.000000"}`)}.loose())
	require.False(t, placed{}.loose())
	e.app.pace = newPace(wallClock{}) // the pace is not what this is about
	live, err := e.app.Post(t.Context(), testMessage("card/2"))
	require.NoError(t, err)
	require.False(t, e.app.isGone(t.Context(), live))
}

// Whatever comes back of a message, it was posted.
func TestAnEchoInAnUnknownFormIsNoDoubt(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.Habits.StrangeEchoes = true }, nil)
	ref, err := e.app.Post(t.Context(), testMessage("card/1"))
	require.NoError(t, err)
	require.NoError(t, e.app.Update(t.Context(), ref, testMessage("card/1")))
	require.NoError(t, e.app.Whisper(t.Context(), ann, flow.Message{Channel: channel, Text: "psst"}))
}

func TestAnAnswerThatSaysNothingIsInDoubt(t *testing.T) {
	require.ErrorIs(t, translate(methodPost, refusedIn([]byte(`{}`))), flow.ErrChatInDoubt)
	require.ErrorIs(t, translate(methodPost, refusedIn([]byte(`<html>`))), flow.ErrChatInDoubt)
	err := translate(methodPost, refusedIn([]byte(`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] must be a string [json-pointer:/blocks/0/text]"]}}`)))
	require.ErrorIs(t, err, flow.ErrBlocksRefused)
	require.ErrorContains(t, err, "/blocks/0/text")
	require.ErrorIs(t, translate(methodPost, refusedIn([]byte(`{"ok":false,"error":"invalid_blocks","response_metadata":[]}`))), flow.ErrBlocksRefused)
	require.NoError(t, refusedIn([]byte(`{"ok":true}`)))
}

// Slack gives the view back: with blocks in its own form, and where nothing was
// typed with an empty list in the place of an object. The modal is open all the same.
func TestAViewThatComesBackInAnotherFormWasShown(t *testing.T) {
	e, ts := voting(t)
	e.sim.SetHabits(slacksim.AllHabits())
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_deny").Err)
	e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
	require.NoError(t, e.sim.SubmitView(ann, because("too dear")).Err)
	require.Equal(t, []string{"deny F-1/2 too dear"}, did(e))
	e.told(ann, "denial of F-1 is on record")
	require.Len(t, e.sim.Ephemerals(ann), 1, "nobody was told that Slack did not open it")

	e.sim.EmitEvent(map[string]any{"type": "app_home_opened", "user": ann, "tab": "home"})
	e.eventually(func() bool { _, ok := e.sim.Home(ann); return ok }, "the home tab")
	require.NotContains(t, e.logs.String(), "could not be")

	var p interactionPayload
	require.NoError(t, json.Unmarshal([]byte(`{"type":"block_actions","view":{"state":{"values":[]}},"actions":[{"action_id":"flow_cancel"}]}`), &p))
	require.Len(t, p.Actions, 1, "a click in a view without input")
}

func TestAPrivateAnswerWaitsForSlack(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.sim.Fail("chat.postEphemeral", slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 1})
	for range 2 { // the second meets a method that is left alone
		_, err := e.sim.Mention(ann, channel, "", "whoami")
		require.NoError(t, err)
	}
	e.eventually(func() bool { return len(e.sim.Ephemerals(ann)) == 2 }, "both answers")
	require.Empty(t, e.sim.DMs(ann))

	e.sim.Fail("chat.postEphemeral", slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 60})
	_, err := e.sim.Mention(ann, channel, "", "whoami")
	require.NoError(t, err)
	e.eventually(func() bool { return len(e.sim.DMs(ann)) == 1 }, "that is longer than somebody waits: by direct message")
}

// What still waits for its next try when the edge stops is in the log, and nothing
// of it speaks to Slack behind Run's back.
func TestAStopGivesUpThePrivateAnswersThatWait(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.sim.Fail("chat.postEphemeral", slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 2})
	_, err := e.sim.Mention(ann, channel, "", "whoami")
	require.NoError(t, err)
	e.eventually(func() bool { return len(e.sim.Requests("chat.postEphemeral")) == 1 }, "the first try")
	time.Sleep(100 * time.Millisecond) // its answer is read
	e.cancel()
	require.NoError(t, e.stopped(3*time.Second))
	require.Equal(t, 1, strings.Count(e.logs.String(), "a private answer could not be delivered"))
	time.Sleep(2500 * time.Millisecond)
	require.Len(t, e.sim.Requests("chat.postEphemeral"), 1)
	require.Empty(t, e.sim.DMs(ann))
	require.Equal(t, 1, strings.Count(e.logs.String(), "a private answer could not be delivered"))
}

// A try that is due while all workers are busy waits for one: on the timer it would
// be nobody's.
func TestADueAnswerWaitsForAWorker(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := &session{app: e.app, telling: map[*untold]struct{}{}, back: newPool(t.Context(), 0, 0, nil)}
	told := func(context.Context) { t.Error("told by nobody's worker") }
	s.tellIn(0, &untold{c: flow.Caller{User: ann}, err: errors.New("limited"), again: told})
	time.Sleep(50 * time.Millisecond)
	s.mu.Lock()
	require.Len(t, s.telling, 1)
	s.stopping = true
	s.giveUp()
	s.mu.Unlock()
	s.tellIn(0, &untold{c: flow.Caller{User: ann}, err: errors.New("limited"), again: told})
	require.Empty(t, s.telling)
	require.Equal(t, 2, strings.Count(e.logs.String(), "a private answer could not be delivered"))
}

func TestARefusedResponseURLTakesTheOtherWay(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.Habits.RefusalsWith200 = true }, nil)
	require.ErrorContains(t, e.app.reply(t.Context(), e.sim.URL()+"/commands/T0OWN/gone", flow.Message{Text: "psst"}), "expired_url")

	for _, answer := range []string{"ok", "", `{"ok":true}`, `"fine"`} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		require.NoError(t, e.app.reply(t.Context(), srv.URL, flow.Message{Text: "psst"}), answer)
		srv.Close()
	}
	s := &session{app: e.app}
	s.later(t.Context(), e.sim.URL()+"/commands/T0OWN/gone", flow.Caller{User: ann, Channel: channel}, flow.Message{Text: "psst"})
	require.Equal(t, "chat.postEphemeral", e.told(ann, "psst").From)
}

// A workspace or a channel that is being moved takes nothing for some minutes. That is
// no reason to give up a card, to ask for an invitation or to end the process.
func TestWhatIsBeingMovedIsWaitedFor(t *testing.T) {
	for _, code := range []string{"external_channel_migrating", "team_added_to_org", "org_login_required"} {
		err := translate(methodUpdate, slack.SlackErrorResponse{Err: code})
		require.ErrorContains(t, err, code)
		for _, not := range []error{flow.ErrChatRefused, flow.ErrNoChannel, flow.ErrMessageGone, flow.ErrChatInDoubt, ErrTokens} {
			require.NotErrorIs(t, err, not, code)
		}
	}
	e := newEdge(t, nil, nil)
	e.sim.Fail("auth.test", slacksim.Fault{Kind: slacksim.APIError, Code: "org_login_required"})
	e.sim.Fail("apps.connections.open", slacksim.Fault{Kind: slacksim.APIError, Code: "org_login_required"})
	_, err := e.app.Identify(t.Context())
	require.NotErrorIs(t, err, ErrTokens)
	require.Error(t, err, "asked again by who started it")
	e.run()
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "help").Err)
}

func TestAnAnswerThatMayNotGoWithTheAckFollowsIt(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.Habits.BareAcks = true }, nil).run()
	d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2")
	require.NoError(t, d.Err)
	require.Nil(t, d.Ephemeral)
	require.Empty(t, d.Payload)
	require.Equal(t, slacksim.ResponseURL, e.told(ann, "F-T001").From)
	d = e.sim.Slash(ann, channel, "/scale", "status emr-m620")
	require.NoError(t, d.Err)
	e.told(ann, "emr-m620")

	ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", Blocks: []byte(voteButtons)})
	require.NoError(t, err)
	require.NoError(t, e.sim.Click(ann, channel, ref.TS, "flow_deny").Err)
	e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
	e.desk.set(func(d *desk) { d.fail = errors.New("redis is down") })
	require.NoError(t, e.sim.SubmitView(ann, because("too dear")).Err)
	e.told(ann, "could not be confirmed whether your denial was recorded")
}

// The ballot was opened under the old id, and config names the channel by it.
func TestAFlowFollowsItsChannelToAnotherID(t *testing.T) {
	w := newRoad(t, 1)
	w.sim.SetScopes(append(scopeNames(), "channels:read")...)
	id, ts := w.asked()
	now, err := w.sim.MoveChannel(channel)
	require.NoError(t, err)
	w.eventually(func() bool {
		known, err := w.store.Flag(t.Context(), "channel_was/"+now)
		return err == nil && known == channel
	}, "the new id")
	require.NoError(t, w.sim.React(lea, now, ts, "white_check_mark"))
	w.eventually(func() bool { w.settle(); return w.flow(id).State == flow.Scheduled }, "the vote, heard of and not found after a minute")
	w.jump(10 * time.Minute)
	w.in(id, flow.Running)
	w.eventually(func() bool {
		w.jump(time.Second)
		m, _ := w.sim.Message(now, ts)
		return strings.Contains(m.Text, "running")
	}, "the card")
	w.eventually(func() bool { w.jump(time.Second); return len(w.sim.Thread(now, ts)) > 1 }, "its log")
}

func TestAChannelsNewIDIsToldUntilItIsOnRecord(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) {
		o.AckDeadline, o.RetryAfter = 50*time.Millisecond, []time.Duration{0, 50 * time.Millisecond}
	}, nil).run()
	e.desk.set(func(d *desk) { d.fail = errors.New("redis is down") })
	e.sim.EmitEvent(map[string]any{"type": "channel_id_changed", "old_channel_id": "G0OLD", "new_channel_id": "C0NEW"})
	e.eventually(func() bool { return len(did(e)) > 0 }, "the first try")
	e.desk.set(func(d *desk) { d.fail = nil })
	e.eventually(func() bool { return acks(e.sim) == 1 }, "acknowledged once it is on record")
	require.Equal(t, "moved G0OLD C0NEW", did(e)[0])
}
