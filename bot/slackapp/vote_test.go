package slackapp

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

const voteButtons = `[{"type":"actions","elements":[
	{"type":"button","action_id":"flow_approve","value":"F-1/2","text":{"type":"plain_text","text":"Approve"}},
	{"type":"button","action_id":"flow_deny","value":"F-1/2","text":{"type":"plain_text","text":"Deny"}},
	{"type":"button","action_id":"flow_halt","value":"F-1","text":{"type":"plain_text","text":"Stop"}}]}]`

// voting is an edge with a card that can be voted on.
func voting(t *testing.T) (*edge, string) {
	e := newEdge(t, nil, nil).run()
	ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", Blocks: []byte(voteButtons)})
	require.NoError(t, err)
	return e, ref.TS
}

func did(e *edge) []string { return read(e.desk, func(d *desk) []string { return d.did }) }

func because(reason string) slacksim.Fields {
	return slacksim.Fields{card.BlockReason: {card.FieldReason: {reason}}}
}

func TestVotesByButtonAndCommand(t *testing.T) {
	e, ts := voting(t)
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_approve").Err)
	e.told(ann, "approval of F-1 is on record")
	require.Equal(t, []string{"approve F-1/2 "}, did(e), "the plan that the card showed")

	e.desk.set(func(d *desk) { d.voted = approvals.TakenBack })
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_approve").Err)
	e.told(ann, "approval of F-1 is taken back")
	e.desk.set(func(d *desk) { d.voted, d.did = "", nil })

	require.Contains(t, e.sim.Slash(ann, channel, "/scale", "approve f-7k3q").Ephemeral.Text, "approval of F-7K3Q")
	require.Contains(t, e.sim.Slash(ann, channel, "/scale", "deny F-7K3Q too dear").Ephemeral.Text, "denial of F-7K3Q")
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_halt").Err)
	e.told(ann, "Stopping F-1")
	require.Equal(t, []string{"approve F-7K3Q/0 ", "deny F-7K3Q/0 too dear", "halt F-1"}, did(e))
}

func TestTheApproveCommandSaysHowToTakeItBack(t *testing.T) {
	e, _ := voting(t)
	typed := func(line string) string { return e.sim.Slash(ann, channel, "/scale", line).Ephemeral.Text }
	require.Contains(t, typed("approve F-7K3Q"), "`/scale approve F-7K3Q withdraw`")
	require.Contains(t, typed("approve F-7K3Q withdraw"), "is taken back")
	require.Equal(t, []string{"approve F-7K3Q/0 ", "taken_back F-7K3Q/0 "}, did(e))
	e.desk.set(func(d *desk) { d.same = true })
	stands := typed("approve F-7K3Q")
	require.Contains(t, stands, "stands already")
	require.Contains(t, stands, "`/scale approve F-7K3Q withdraw`")
	require.Contains(t, typed("approve F-7K3Q withdraw"), "no approval of F-7K3Q by you")
}

func TestOneClickDeliveredTwiceIsOneVote(t *testing.T) {
	e, ts := voting(t)
	e.sim.DuplicateInteractions(1)
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_approve").Err)
	e.eventually(func() bool { return deliveries(e.sim) > 1 && acks(e.sim) >= deliveries(e.sim) }, "both deliveries are acknowledged")
	e.told(ann, "approval of F-1 is on record")
	require.Len(t, did(e), 1)
}

func TestTheReasonOfADenialIsAskedInAModal(t *testing.T) {
	e, ts := voting(t)
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_deny").Err)
	e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
	require.Empty(t, did(e), "opening it votes nothing")
	require.Equal(t, "Deny F-1", e.sim.Views(ann)[0].Title)
	require.NoError(t, e.sim.SubmitView(ann, because("too *dear* <!channel>")).Err)
	require.Empty(t, e.sim.Views(ann), "taken, so it closes")
	require.Equal(t, []string{"deny F-1/2 too *dear* <!channel>"}, did(e))
	e.told(ann, "denial of F-1 is on record")
	c := read(e.desk, func(d *desk) flow.Caller { return d.callers[0] })
	require.Equal(t, ann, c.User)
	require.Equal(t, channel, c.Channel)
	require.NotEmpty(t, c.Dedupe)

	t.Run("the reason may be left out, and the person reads their own language", func(t *testing.T) {
		_, err := e.app.profile(t.Context(), wei, flow.UrgentEnd)
		require.NoError(t, err)
		require.NoError(t, e.sim.Click(wei, channel, ts, "flow_deny").Err)
		e.eventually(func() bool { return len(e.sim.Views(wei)) == 1 }, "the modal")
		require.Equal(t, "否决 F-1", e.sim.Views(wei)[0].Title)
		require.NoError(t, e.sim.SubmitView(wei, nil).Err)
		require.Contains(t, did(e), "deny F-1/2 ")
		e.told(wei, "已登记")
	})
}

func TestADenialThatCannotBeTakenSaysSoInTheModal(t *testing.T) {
	e, ts := voting(t)
	for _, c := range []struct {
		err  error
		text string
	}{
		{&flow.Rejection{Code: flow.RejectOldPlan, Args: map[string]string{"id": "F-1"}}, "no longer holds"},
		{&flow.Rejection{Code: flow.RejectVote, Args: map[string]string{"id": "F-1", "vote": string(approvals.ReasonNotInGroup)}}, "in none of the groups asked"},
		{&flow.Rejection{Code: flow.RejectStore, Err: errors.New("redis is down")}, "nothing was done"},
		{errors.New("the connection broke after the script was sent"), "could not be confirmed"},
	} {
		e.desk.set(func(d *desk) { d.fail = nil })
		require.NoError(t, e.sim.Click(ann, channel, ts, "flow_deny").Err)
		e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
		e.desk.set(func(d *desk) { d.fail = c.err })
		d := e.sim.SubmitView(ann, because("no"))
		require.NoError(t, d.Err)
		require.Contains(t, d.Errors[card.BlockReason], c.text)
		require.Len(t, e.sim.Views(ann), 1, "it stays open")
		require.NoError(t, e.sim.CloseView(ann, true).Err)
	}
	e.desk.set(func(d *desk) { d.fail = nil })
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_deny").Err)
	e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
	require.NoError(t, e.sim.SubmitView(ann, because("no")).Err)
	require.Empty(t, e.sim.Views(ann))
}

func TestWhoMayNotVoteIsToldInsteadOfAsked(t *testing.T) {
	e, ts := voting(t)
	no := &flow.Rejection{Code: flow.RejectVote, Args: map[string]string{"id": "F-1", "vote": string(approvals.ReasonRequester)}}
	e.desk.set(func(d *desk) { d.barred, d.fail = no, no })
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_deny").Err)
	e.told(ann, "someone else must agree")
	require.Empty(t, e.sim.Requests("views.open"))
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_approve").Err)
	require.Contains(t, e.sim.Slash(ann, channel, "/scale", "approve F-7K3Q").Ephemeral.Text, "someone else must agree")
}

func TestAModalThatSlackDoesNotOpen(t *testing.T) {
	e, ts := voting(t)
	e.sim.Fail("views.open", slacksim.Fault{Kind: slacksim.APIError, Code: "expired_trigger_id"})
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_deny").Err)
	require.Contains(t, e.told(ann, "nothing was done").Text, "/scale deny F-1")
	require.Empty(t, did(e))
}

func TestSubmissionsOfOtherModalsAndBrokenOnesAreAcked(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	for name, view := range map[string]string{
		"other":  `{"callback_id":"something","private_metadata":""}`,
		"broken": `{"callback_id":"flow_deny","private_metadata":"{"}`,
	} {
		payload, err := json.Marshal(map[string]any{"type": "view_submission", "user": map[string]any{"id": ann}, "trigger_id": name, "view": json.RawMessage(view)})
		require.NoError(t, err)
		e.sim.InjectFrame(`{"envelope_id":"` + name + `","type":"interactive","payload":` + string(payload) + `}`)
		e.eventually(func() bool { return acked(e.sim, name) }, name)
	}
	require.Empty(t, did(e))
	require.True(t, strings.Contains(e.logs.String(), "could not be read"))
}
