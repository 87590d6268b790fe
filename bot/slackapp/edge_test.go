package slackapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

func TestAckCarriesTheFlowAndComesAfterItIsOnRecord(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	asked, record := make(chan struct{}), make(chan struct{})
	e.desk.set(func(d *desk) {
		d.request = func(context.Context) error { close(asked); <-record; return nil }
	})
	answered := make(chan *slacksim.Delivery)
	go func() { answered <- e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2 -- night batch") }()
	<-asked
	for _, f := range e.sim.Frames() {
		require.NotEqual(t, "ack", f.Type, "acknowledged before it was on record")
	}
	close(record)
	d := <-answered
	require.NoError(t, d.Err)
	require.NotNil(t, d.Ephemeral)
	require.Contains(t, d.Ephemeral.Text, "F-T001")

	ask := read(e.desk, func(d *desk) flow.Ask { return d.asks[0] })
	require.Equal(t, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2, Reason: "night batch"}, ask)
	c := read(e.desk, func(d *desk) flow.Caller { return d.callers[0] })
	require.Equal(t, flow.Caller{
		User: ann, Workspace: own, Channel: channel, Language: "en", Dedupe: d.TriggerID, Raw: "emr-m620 task +2 -- night batch",
	}, c)
}

func TestRequestThatCannotBeRecordedSaysThatNothingWasDone(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.set(func(d *desk) { d.fail = &flow.Rejection{Code: flow.RejectStore, Err: errors.New("redis is down")} })
	d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2")
	require.NoError(t, d.Err)
	require.Contains(t, strings.ToLower(d.Ephemeral.Text), "nothing was done")
	require.NotContains(t, d.Ephemeral.Text, "F-")
	require.Contains(t, e.logs.String(), "redis is down")
}

func TestErrorThatIsNoRejectionNeverClaimsEither(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.set(func(d *desk) { d.fail = errors.New("the connection broke after the script was sent") })
	d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2")
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "could not be confirmed")
}

func TestSlowRecordIsAckedInTimeAndAnsweredBehind(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.set(func(d *desk) {
		d.request = func(ctx context.Context) error {
			<-ctx.Done() // the budget of the desk
			return &flow.Rejection{Code: flow.RejectStore, Err: ctx.Err()}
		}
	})
	d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2")
	require.NoError(t, d.Err)
	require.Less(t, d.AckAfter, 3*time.Second)
	require.Contains(t, strings.ToLower(e.told(ann, "nothing was done").Text), "nothing was done")
}

func TestDeskThatHangsBeyondTheAckIsAnsweredByResponseURL(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	release := make(chan struct{})
	e.desk.set(func(d *desk) { d.request = func(context.Context) error { <-release; return nil } })
	d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2")
	require.NoError(t, d.Err, "acknowledged within three seconds")
	require.NotContains(t, d.Ephemeral.Text, "F-", "nothing is called taken that is not on record")
	close(release)
	require.Equal(t, "response_url", e.told(ann, "F-T001").From)
}

func TestDoubledDeliveries(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	t.Run("a command asks the desk twice under one name and is one flow", func(t *testing.T) {
		e.sim.DuplicateInteractions(1)
		d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2")
		require.NoError(t, d.Err)
		e.eventually(func() bool { return read(e.desk, func(d *desk) int { return len(d.callers) }) == 2 }, "both deliveries")
		cs := read(e.desk, func(d *desk) []flow.Caller { return d.callers })
		require.Equal(t, cs[0].Dedupe, cs[1].Dedupe)
		require.Len(t, read(e.desk, func(d *desk) map[string]string { return d.taken }), 1)
	})
	t.Run("a freeze is made and announced once", func(t *testing.T) {
		e.sim.DuplicateInteractions(1)
		require.NoError(t, e.sim.Slash(ann, channel, "/scale", "freeze emr-m620 for 2h").Err)
		e.eventually(func() bool { return acks(e.sim) >= deliveries(e.sim) }, "both are acknowledged")
		require.Equal(t, []string{"freeze emr-m620 2h0m0s "}, read(e.desk, func(d *desk) []string { return d.did }))
		require.NoError(t, e.sim.Slash(ann, channel, "/scale", "freeze emr-m620 for 2h").Err)
		require.Len(t, read(e.desk, func(d *desk) []string { return d.did }), 2, "typed again it is another one")
		e.desk.set(func(d *desk) { d.callers = d.callers[:2] })
	})
	t.Run("a mention is answered once", func(t *testing.T) {
		e.sim.DuplicateEvents(2) // the app_mention and its message event
		_, err := e.sim.Mention(wei, channel, "", "emr-m620 task +3")
		require.NoError(t, err)
		e.told(wei, "F-T002")
		e.eventually(func() bool { return acks(e.sim) >= deliveries(e.sim) }, "all are acknowledged")
		require.Equal(t, 3, read(e.desk, func(d *desk) int { return len(d.callers) }))
	})
}

// A process that dies takes with it what it has acknowledged and not yet recorded.
func TestAMentionInHandIsNotAcknowledged(t *testing.T) {
	e := newEdge(t, nil, nil)
	release := make(chan struct{})
	asked := make(chan struct{}, 2)
	e.desk.request = func(context.Context) error {
		asked <- struct{}{}
		<-release
		return nil
	}
	e.run()
	e.sim.DuplicateEvents(2) // the app_mention and its message event
	_, err := e.sim.Mention(wei, channel, "", "emr-m620 task +3")
	require.NoError(t, err)
	<-asked
	e.eventually(func() bool { return frames(e.sim, "note", "no_ack") >= 2 }, "both deliveries of the mention ran out of time")
	require.Equal(t, deliveries(e.sim)-2, acks(e.sim), "the message events alone are acknowledged")
	close(release)
	e.told(wei, "F-T001")
	require.Len(t, asked, 0, "it was asked for once")
}

func acks(sim *slacksim.Server) int { return frames(sim, "in", "ack") }

func deliveries(sim *slacksim.Server) int {
	return frames(sim, "out", "events_api") + frames(sim, "out", "slash_commands") + frames(sim, "out", "interactive")
}

func frames(sim *slacksim.Server, dir, kind string) int {
	n := 0
	for _, f := range sim.Frames() {
		if f.Dir == dir && f.Type == kind {
			n++
		}
	}
	return n
}

func acked(sim *slacksim.Server, envelope string) bool {
	for _, f := range sim.Frames() {
		if f.Dir == "in" && f.EnvelopeID == envelope {
			return true
		}
	}
	return false
}

func TestEnvelopesThatSlackGoCannotReadAreAcked(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	for name, frame := range map[string]string{
		"new-type":  `{"envelope_id":"new-type","type":"carrier_pigeon","payload":{"a":1}}`,
		"new-event": `{"envelope_id":"new-event","type":"events_api","payload":{"type":"event_callback","event_id":"Ev1","event":{"type":"never_heard_of"}}}`,
		"no-shape":  `{"envelope_id":"no-shape","type":"slash_commands","payload":[]}`,
		"no-click":  `{"envelope_id":"no-click","type":"interactive","payload":7}`,
	} {
		e.sim.InjectFrame(frame)
		e.eventually(func() bool { return acked(e.sim, name) }, name)
	}
	e.sim.InjectFrame(`{not json`)
	e.sim.InjectFrame(`{"type":"mystery"}`) // no envelope, nothing to acknowledge
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "help").Err, "the connection is kept")
}

func TestEventInAnotherFormThanSlackGoExpectsStillWorks(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	g := group("S0LEADS")
	members, err := e.app.Members(t.Context(), g)
	require.NoError(t, err)
	require.Equal(t, []string{ann, wei}, members)
	// Counts as strings, as Slack's own documentation shows them (slack.md 2.7).
	e.sim.InjectFrame(`{"envelope_id":"strings","type":"events_api","payload":{"type":"event_callback","event_id":"Ev2","event":` +
		`{"type":"subteam_members_changed","subteam_id":"S0LEADS","added_users_count":"1","removed_users_count":"0"}}}`)
	e.eventually(func() bool { return acked(e.sim, "strings") }, "acknowledged")
	_, cached := e.app.groups.get("S0LEADS")
	require.False(t, cached, "the group is read again")
}

func TestMentionInAThreadIsAnsweredThereAndTakesItsCardToTheChannel(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	root, err := e.sim.Say(ann, channel, "", "shall we?")
	require.NoError(t, err)
	_, err = e.sim.Mention(ann, channel, root.TS, "emr-m620 task +2")
	require.NoError(t, err)
	m := e.told(ann, "F-T001")
	require.Equal(t, "chat.postEphemeral", m.From)
	require.Equal(t, root.TS, m.ThreadTS)
	c := read(e.desk, func(d *desk) flow.Caller { return d.callers[0] })
	require.Equal(t, root.TS, c.Thread)
	require.Equal(t, channel, c.Channel)
	require.True(t, strings.HasPrefix(c.Dedupe, "Ev"), "the event's id names the delivery: %s", c.Dedupe)

	_, err = e.sim.Broadcast(ann, channel, root.TS, "<@"+botUser+"> emr-m620 task +3")
	require.NoError(t, err)
	require.Equal(t, root.TS, e.told(ann, "F-T002").ThreadTS, "shown in the channel too, it is still said in the thread")
	e.sim.EmitEvent(map[string]any{
		"type": "app_mention", "subtype": "file_share", "user": ann, "channel": channel, "ts": "1.000001",
		"text": "<@" + botUser + "> emr-m620 task +4", "files": []any{map[string]any{"id": "F0FILE"}},
	})
	e.told(ann, "F-T003")
}

func TestMentionsOfBotsAndEditsAreIgnored(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	mention := func(more map[string]any) {
		ev := map[string]any{"type": "app_mention", "user": ann, "channel": channel, "ts": "1.000001", "text": "<@" + botUser + "> emr-m620 task +2"}
		for k, v := range more {
			ev[k] = v
		}
		e.sim.EmitEvent(ev)
	}
	mention(map[string]any{"bot_id": "B0OTHER"})
	mention(map[string]any{"edited": map[string]any{"user": ann, "ts": "1.000002"}})
	mention(map[string]any{"user": botUser})
	mention(map[string]any{"subtype": "bot_message"})
	e.eventually(func() bool { return acks(e.sim) == 4 }, "acknowledged")
	require.Zero(t, read(e.desk, func(d *desk) int { return len(d.asks) }))
}

func TestVerbs(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.set(func(d *desk) {
		d.open = []flow.Flow{record("F-T777", flow.Caller{User: ann}, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2})}
	})
	for _, c := range []struct{ line, answer string }{
		{"help", "/scale"},
		{"", "/scale"},
		{"clusters", "emr-m620"},
		{"list", "F-T777"},
		{"status", "F-T777"},
		{"show F-AAAA", "emr-m620 task +2: planning"},
		{"status F-AAAA", "emr-m620 task +2: planning"},
		{"cancel F-AAAA", "F-AAAA"},
		{"whoami", "leads"},
		{"whoami", "Could not be read just now: whether you are in finops"},
		{"whoami", "You may settle requests"},
		{"watch emr-m620", "not available yet"},
		{"emr-m620 tusk +2", "emr-m620 task +2"},
		{"emr-m620 tusk +2 -- cost < 5 & more", "/scale emr-m620 task +2 -- cost &lt; 5 &amp; more"},
		{"emr-m620 task 2", "/scale emr-m620 task +2 or /scale emr-m620 task =2"},
		{"emr-m620", "/scale CLUSTER GROUP AMOUNT"},
		{"show", "/scale show FLOW"},
	} {
		t.Run(c.line, func(t *testing.T) {
			d := e.sim.Slash(ann, channel, "/scale", c.line)
			require.NoError(t, d.Err)
			require.NotNil(t, d.Ephemeral, "answered in the ack")
			require.Contains(t, d.Ephemeral.Text, c.answer)
		})
	}
	require.Equal(t, []string{"F-AAAA"}, read(e.desk, func(d *desk) []string { return d.cancelled }))
	require.Zero(t, read(e.desk, func(d *desk) int { return len(d.asks) }), "nothing was asked of the desk by mistake")
}

func TestSlowVerbIsAckedAtOnce(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	release := make(chan struct{})
	e.desk.set(func(d *desk) { d.cluster = func(context.Context) error { <-release; return nil } })
	d := e.sim.Slash(ann, channel, "/scale", "status emr-m620")
	require.NoError(t, d.Err)
	require.Less(t, d.AckAfter, time.Second)
	close(release)
	require.Equal(t, "response_url", e.told(ann, "emr-m620").From)
}

func TestAnswerTooBigForAnAckComesBehindIt(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	big := flow.Catalog{}
	for i := range 30 {
		c := flow.Cluster{Name: fmt.Sprintf("cluster-%02d-%s", i, strings.Repeat("集", 40)), Groups: map[string]flow.Group{}}
		for j := range 9 {
			c.Groups[fmt.Sprintf("group-%d-%s", j, strings.Repeat("组", 40))] = flow.Group{Min: 1, Charge: "postpaid"}
		}
		big[c.Name] = c
	}
	e.desk.set(func(d *desk) { d.catalog = big })
	d := e.sim.Slash(ann, channel, "/scale", "clusters")
	require.NoError(t, d.Err)
	require.Empty(t, d.Payload, "a bare ack")
	require.Equal(t, "response_url", e.told(ann, "cluster-00").From)
	require.Equal(t, 1, e.sim.Connections())
}

func TestAnswerOnACutConnectionComesByTheOtherWay(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.AckDeadline = 300 * time.Millisecond }, nil).run()
	asked, record := make(chan struct{}), make(chan struct{})
	e.desk.set(func(d *desk) {
		d.request = func(context.Context) error { close(asked); <-record; return nil }
	})
	done := make(chan struct{})
	go func() { defer close(done); e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2") }()
	<-asked
	e.sim.CutSockets()
	e.eventually(func() bool { return !e.app.Ready() }, "the cut is noticed")
	close(record)
	require.Equal(t, "response_url", e.told(ann, "F-T001").From)
	<-done
}

func TestMetricsHaveClosedLabels(t *testing.T) {
	reg := prometheus.NewRegistry()
	e := newEdge(t, nil, func(o *Options) { o.Registerer = reg }).run()
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "help").Err)
	e.sim.InjectFrame(`{"envelope_id":"odd","type":"odd_type","payload":{}}`)
	e.sim.EmitEvent(map[string]any{"type": "odd_event"})
	e.eventually(func() bool { return acked(e.sim, "odd") && acks(e.sim) >= 3 }, "all acknowledged")
	families, err := reg.Gather()
	require.NoError(t, err)
	seen := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			seen[name] += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	require.InDelta(t, 1, seen["scalebot_slack_acks_total/queued/slash_commands"], 0)
	require.InDelta(t, 1, seen["scalebot_slack_acks_total/queued/unknown"], 0)
	require.InDelta(t, 1, seen["scalebot_slack_ack_seconds/slash_commands"], 0)
	require.InDelta(t, 1, seen["scalebot_slack_events_total/unknown"], 0)
	require.InDelta(t, 1, seen["scalebot_slack_events_total/other"], 0)
	require.InDelta(t, 1, seen["scalebot_slack_socket_connects_total"], 0)
	require.InDelta(t, 1, seen["scalebot_slack_api_calls_total/auth.test"], 0)
}

func TestTimeOfDayIsThePersonsOwn(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2 at 02:00").Err)
	at := read(e.desk, func(d *desk) time.Time { return d.asks[0].StartAt })
	require.Equal(t, 18, at.UTC().Hour(), "02:00 in Shanghai")
	require.True(t, at.After(time.Now()))

	zone, err := e.app.Zone(t.Context(), ann)
	require.NoError(t, err)
	require.Equal(t, "Asia/Shanghai", zone.String(), "for tools outside of Slack too")
	_, err = e.app.Zone(t.Context(), "U0NOBODY")
	require.ErrorContains(t, err, "U0NOBODY")
}

func TestReactionsAndDeletionsAreHints(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", EventType: "scalebot_flow", Payload: map[string]any{"flow": "F-1"}})
	require.NoError(t, err)
	touched := func() int {
		return read(e.desk, func(d *desk) int { return len(d.refs) })
	}
	require.NoError(t, e.sim.React(ann, channel, ref.TS, "white_check_mark"))
	e.eventually(func() bool { return touched() == 1 }, "an added reaction")
	require.NoError(t, e.sim.Unreact(ann, channel, ref.TS, "white_check_mark"))
	e.eventually(func() bool { return touched() == 2 }, "a removed reaction")
	e.sim.EmitEvent(map[string]any{"type": "reaction_added", "user": botUser, "reaction": "x", "item": map[string]any{"type": "message", "channel": channel, "ts": ref.TS}})
	require.NoError(t, e.sim.DeleteMessage(channel, ref.TS))
	e.eventually(func() bool { return touched() == 3 }, "a deletion")
	for _, got := range read(e.desk, func(d *desk) []flow.MessageRef { return d.refs }) {
		require.Equal(t, ref, got)
	}
}

const buttons = `[{"type":"actions","elements":[
	{"type":"button","action_id":"flow_cancel","value":"F-1","text":{"type":"plain_text","text":"Cancel"}},
	{"type":"button","action_id":"flow_happened","value":"F-1/1/k3","text":{"type":"plain_text","text":"Yes"}},
	{"type":"button","action_id":"flow_did_not","value":"F-1/1/k3","text":{"type":"plain_text","text":"No"}},
	{"type":"button","action_id":"flow_close","value":"F-1/1/k3","text":{"type":"plain_text","text":"Close"}},
	{"type":"button","action_id":"flow_pause","value":"F-1","text":{"type":"plain_text","text":"Pause"}},
	{"type":"button","action_id":"flow_resume","value":"F-1","text":{"type":"plain_text","text":"Resume"}},
	{"type":"button","action_id":"flow_stop","value":"F-1","text":{"type":"plain_text","text":"Stop"}},
	{"type":"button","action_id":"flow_retry","value":"F-1","text":{"type":"plain_text","text":"Retry"}},
	{"type":"button","action_id":"flow_clean_up","value":"F-1","text":{"type":"plain_text","text":"Clean"}},
	{"type":"button","action_id":"flow_keep","value":"F-1","text":{"type":"plain_text","text":"Keep"}},
	{"type":"button","action_id":"flow_ancient","value":"F-1","text":{"type":"plain_text","text":"Old"}}]}]`

func TestClicks(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", Blocks: []byte(buttons)})
	require.NoError(t, err)
	for _, c := range []struct{ action, answer string }{
		{"flow_cancel", "Cancelling F-1"},
		{"flow_did_not", "decision about F-1"},
		{"flow_close", "decision about F-1"},
		{"flow_pause", "do that with F-1"},
		{"flow_resume", "do that with F-1"},
		{"flow_stop", "do that with F-1"},
		{"flow_retry", "F-NEXT"},
		{"flow_clean_up", "F-NEXT"},
		{"flow_keep", "F-1 stays"},
		{"flow_ancient", "older version"},
	} {
		before := len(e.sim.Ephemerals(ann))
		require.NoError(t, e.sim.Click(ann, channel, ref.TS, c.action).Err, c.action)
		e.eventually(func() bool { return len(e.sim.Ephemerals(ann)) == before+1 }, c.action)
		got := e.sim.Ephemerals(ann)[before]
		require.Contains(t, got.Text, c.answer)
		require.Equal(t, "response_url", got.From)
	}
	require.Equal(t, []string{"F-1"}, read(e.desk, func(d *desk) []string { return d.cancelled }))
	require.Equal(t, []flow.SignalKind{flow.SignalRetry, flow.SignalClose},
		read(e.desk, func(d *desk) []flow.SignalKind { return d.settled }))
	require.Equal(t, []string{"pause F-1", "resume F-1", "stop F-1", "again F-1", "clean up F-1", "keep F-1"},
		read(e.desk, func(d *desk) []string { return d.did }))
	m, ok := e.sim.Message(channel, ref.TS)
	require.True(t, ok)
	require.Equal(t, "a card", m.Text, "the card is not replaced by the answer")

	e.desk.set(func(d *desk) { d.fail = &flow.Rejection{Code: flow.RejectNotYours} })
	e.sim.Fail(slacksim.ResponseURL, slacksim.Fault{Kind: slacksim.Error500})
	before := len(e.sim.Ephemerals(wei))
	require.NoError(t, e.sim.Click(wei, channel, ref.TS, "flow_cancel").Err)
	e.eventually(func() bool { return len(e.sim.Ephemerals(wei)) > before }, "the refusal, by the other way")
	require.Equal(t, "chat.postEphemeral", e.sim.Ephemerals(wei)[before].From)
}

func TestHomeIsPublishedWhenItChanged(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	published := func() int { return len(e.sim.Requests("views.publish")) }
	require.NoError(t, e.sim.OpenHome(ann))
	e.eventually(func() bool { return published() == 1 }, "the first opening")
	v, ok := e.sim.Home(ann)
	require.True(t, ok)
	require.NotEmpty(t, v.Blocks)
	require.NoError(t, e.sim.OpenHome(ann))
	e.eventually(func() bool { return read(e.desk, func(d *desk) int { return d.homes }) == 2 }, "the second")
	e.desk.set(func(d *desk) {
		d.open = []flow.Flow{record("F-T777", flow.Caller{User: ann}, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2})}
	})
	require.NoError(t, e.sim.OpenHome(wei))
	e.eventually(func() bool { return published() == 2 }, "another person's")
	require.NoError(t, e.sim.OpenHome(ann))
	e.eventually(func() bool { return published() == 3 }, "the same person's, changed")

	// Another replica drew the tab meanwhile, and what it drew is history again.
	_, err := e.app.slack.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: ann, View: slack.HomeTabViewRequest{
		Type: slack.VTHomeTab, PrivateMetadata: "of the other", Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewDividerBlock()}},
	}})
	require.NoError(t, err)
	require.NoError(t, e.sim.OpenHome(ann))
	e.eventually(func() bool { return published() == 5 }, "drawn anew")
	v, _ = e.sim.Home(ann)
	require.Contains(t, string(v.Blocks), "F-T777")
	hers := 0
	for _, r := range e.sim.Requests("views.publish") {
		require.Empty(t, r.Error)
		if r.Args["user_id"] == ann {
			hers++
		}
	}
	require.Equal(t, 4, hers, "the first, the changed, the other replica's and the one after it: what she saw already was not drawn again")
}

func TestGapsAreReconciled(t *testing.T) {
	e := newEdge(t, nil, nil)
	ballots := make([]flow.Flow, 20)
	for i := range ballots {
		ballots[i].State = flow.AwaitingApproval
	}
	var failed atomic.Bool
	e.desk.set(func(d *desk) {
		d.open = ballots
		d.reconciled = func() error {
			if !failed.Swap(true) {
				return errors.New("redis is down")
			}
			return nil
		}
	})
	e.run()
	spreads := func() []time.Duration { return read(e.desk, func(d *desk) []time.Duration { return d.spreads }) }
	e.eventually(func() bool { return len(spreads()) == 1 }, "a start is the end of a gap, and it is tried until it works")
	require.Equal(t, 20*perBallot, spreads()[0], "spread so that reactions.get holds its tier")

	_, err := e.app.People(t.Context(), []string{ann})
	require.NoError(t, err)
	require.Equal(t, 1, e.sim.CutSockets())
	e.eventually(func() bool { return len(spreads()) == 2 }, "and so is a reconnect")
	_, cached := e.app.people.get(ann)
	require.False(t, cached, "what events could have changed is read again")
	require.True(t, e.app.Ready())
}

func TestDrainGoesOnWhileAllWorkersHang(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	release := make(chan struct{})
	var once sync.Once
	free := func() { once.Do(func() { close(release) }) }
	t.Cleanup(free)
	e.desk.set(func(d *desk) { d.request = func(context.Context) error { <-release; return nil } })

	const n = frontWorkers + frontQueue + 40
	var busy, waiting atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			d := e.sim.Slash(ann, channel, "/scale", fmt.Sprintf("emr-m620 task +%d", i+1))
			if d.Err == nil && d.Ephemeral != nil && d.Ephemeral.Text == saidBusy.en {
				busy.Add(1)
				return
			}
			waiting.Add(1)
		})
	}
	e.eventually(func() bool { return busy.Load() >= 40 }, "those beyond the queue are told at once that nothing was done")
	ref, err := e.app.Post(t.Context(), flow.Message{Key: "k", Channel: channel, Text: "a card"})
	require.NoError(t, err)
	require.NoError(t, e.sim.React(ann, channel, ref.TS, "x"))
	e.eventually(func() bool { return read(e.desk, func(d *desk) int { return len(d.refs) }) == 1 }, "reactions still arrive")
	require.True(t, e.app.Ready())
	require.Equal(t, 1, e.sim.Connections(), "no reconnect: pings are answered")
	free()
	all.Wait()
}

func TestStopAnswersWhatIsInHand(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	asked, record := make(chan struct{}), make(chan struct{})
	e.desk.set(func(d *desk) {
		d.request = func(context.Context) error { close(asked); <-record; return nil }
	})
	answered := make(chan *slacksim.Delivery, 1)
	go func() { answered <- e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2") }()
	<-asked
	begun := time.Now()
	e.cancel()
	e.eventually(func() bool {
		d := e.sim.Slash(guest, channel, "/scale", "help")
		return d.Err == nil && d.Ephemeral != nil && d.Ephemeral.Text == saidStopping.en
	}, "what comes during the stop is told so")
	time.AfterFunc(500*time.Millisecond, func() { close(record) }) // well into the stop, well before its end
	d := <-answered
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "F-T001")
	require.NoError(t, e.stopped(3*time.Second))
	require.Less(t, time.Since(begun), 3*time.Second)
	require.False(t, e.app.Ready())
}

func TestStopDoesNotWaitForWhatHangs(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	asked := make(chan struct{})
	e.desk.set(func(d *desk) {
		d.cluster = func(ctx context.Context) error { close(asked); <-ctx.Done(); return ctx.Err() }
	})
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "status emr-m620").Err)
	<-asked
	e.cancel()
	require.NoError(t, e.stopped(3*time.Second))
}

func TestPanicOfAHandlerDoesNotEndTheProcess(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.AckDeadline = 300 * time.Millisecond }, nil).run()
	e.desk.set(func(d *desk) { d.panics = true })
	require.Error(t, e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2").Err, "not acknowledged: Slack tells the person")
	e.desk.set(func(d *desk) { d.panics = false })
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2").Err)
}
