package slackapp

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
	"scalebot/providers"
)

const turnedAway = "full members"

// inside puts all sorts of people who may not use the bot where they can speak.
func inside(o *slacksim.Options) {
	o.World.Channels[0].Members = append(o.World.Channels[0].Members, "U0SOLO", "U0ROBOT", "U0PARTNER", "U0STRANGE")
	o.World.Channels[0].ExtShared = true
}

// untouched fails if the desk was asked for anything.
func (e *edge) untouched() {
	e.t.Helper()
	asked := read(e.desk, func(d *desk) int {
		return len(d.asks) + len(d.cancelled) + len(d.settled) + len(d.did) + d.homes + d.looks
	})
	require.Zero(e.t, asked, "the desk was asked")
}

// know has somebody looked up, so that a test of something else doesn't turn on
// how fast that goes.
func (e *edge) know(user string) {
	e.t.Helper()
	_, err := e.app.People(e.t.Context(), []string{user})
	require.NoError(e.t, err)
}

func TestOnlyFullMembersAreAnswered(t *testing.T) {
	e := newEdge(t, inside, nil).run()
	t.Run("commands", func(t *testing.T) {
		// People of other companies can type none in a shared channel.
		for _, user := range []string{guest, "U0SOLO", "U0ROBOT"} {
			for _, line := range []string{
				"list", "clusters", "status", "status emr-m620", "show F-AAAA", "cancel F-AAAA", "retry F-AAAA", "whoami",
				"emr-m620 task +1", "emr-m620 task +1 dry-run", "emr-m620 tusk +1", "watch emr-m620",
			} {
				d := e.sim.Slash(user, channel, "/scale", line)
				require.NoError(t, d.Err, "%s %s", user, line)
				require.Contains(t, d.Ephemeral.Text, turnedAway, "%s %s", user, line)
				require.NotContains(t, d.Ephemeral.Text+string(d.Ephemeral.Blocks), "emr-m620 task +1")
			}
			d := e.sim.Slash(user, channel, "/scale", "help")
			require.Contains(t, d.Ephemeral.Text, "/scale CLUSTER GROUP AMOUNT", "how to ask is no secret")
		}
	})
	t.Run("mentions", func(t *testing.T) {
		for _, user := range []string{guest, "U0PARTNER", "U0STRANGE"} {
			_, err := e.sim.Mention(user, channel, "", "list")
			require.NoError(t, err)
			e.told(user, turnedAway)
		}
	})
	t.Run("clicks", func(t *testing.T) {
		ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", Blocks: []byte(buttons)})
		require.NoError(t, err)
		for _, action := range []string{"flow_cancel", "flow_happened", "flow_stop", "flow_retry", "flow_keep"} {
			before := len(e.sim.Ephemerals(guest))
			require.NoError(t, e.sim.Click(guest, channel, ref.TS, action).Err)
			e.eventually(func() bool { return len(e.sim.Ephemerals(guest)) == before+1 }, action)
			require.Contains(t, e.sim.Ephemerals(guest)[before].Text, turnedAway)
		}
	})
	t.Run("a modal that was opened before", func(t *testing.T) {
		e.sim.InjectFrame(`{"envelope_id":"late","type":"interactive","payload":{"type":"view_submission","user":{"id":"` + guest +
			`"},"trigger_id":"t","view":{"callback_id":"flow_deny","private_metadata":"{\"ballot\":\"F-1/1\"}"}}}`)
		e.eventually(func() bool { return acked(e.sim, "late") }, "acknowledged")
	})
	t.Run("the home tab", func(t *testing.T) {
		require.NoError(t, e.sim.OpenHome(guest))
		e.eventually(func() bool { _, ok := e.sim.Home(guest); return ok }, "a tab")
		v, _ := e.sim.Home(guest)
		require.Contains(t, string(v.Blocks), turnedAway)
	})
	e.untouched()
}

func TestSomebodyWhoCanNotBeLookedUpIsToldToTryAgain(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.sim.Fail("users.info", slacksim.Fault{Kind: slacksim.Error500, Times: slacksim.Forever})
	for _, line := range []string{"list", "status emr-m620", "emr-m620 task +1"} {
		d := e.sim.Slash(ann, channel, "/scale", line)
		require.NoError(t, d.Err)
		require.Contains(t, d.Ephemeral.Text, "try again", line)
	}
	e.untouched()
	e.sim.ClearFaults()
	require.Contains(t, e.sim.Slash(ann, channel, "/scale", "emr-m620 task +1").Ephemeral.Text, "F-T001")
}

// Of two deliveries of a request one may be taken and the other come to nothing.
// Whoever asked must not read that nothing was done.
func TestADeliveryThatComesToNothingDoesNotDenyTheOther(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.everyTaken = "F-T009" // as another replica has it
	for _, fail := range []func(){
		func() { e.sim.Fail("users.info", slacksim.Fault{Kind: slacksim.Error500, Times: 1}) },
		func() {
			e.desk.request = func(context.Context) error {
				return &flow.Rejection{Code: flow.RejectStore, Err: errors.New("read only")}
			}
		},
	} {
		fail()
		d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +1")
		require.NoError(t, d.Err)
		require.Contains(t, d.Ephemeral.Text, "F-T009")
		require.NotContains(t, d.Ephemeral.Text, "try again")
	}
}

// A mention that could not be acknowledged in time comes again, and may be taken
// then.
func TestWhatComesAgainIsNotDenied(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := &session{app: e.app, desk: e.desk, card: card.New(card.Options{})}
	no := flow.Message{Text: "nothing was done"}
	answer := func(c flow.Caller) flow.Message { return s.unlessTaken(t.Context(), c, s.comesAgain(c), no) }
	require.Equal(t, no, answer(flow.Caller{Dedupe: "a command"}))
	require.True(t, e.app.seen.first("Ev1"))
	require.Equal(t, no, answer(flow.Caller{Dedupe: "Ev1"}), "it was acknowledged in time")
	e.app.seen.keys["Ev1"] = e.app.clock.Now().Add(-time.Minute)
	require.Contains(t, answer(flow.Caller{Dedupe: "Ev1"}).Text, "could not be confirmed")
	// A follow-up is on record under a name of its own, and comes again all the same.
	m := s.requested(t.Context(), flow.Caller{Dedupe: "Ev1"}, func(context.Context) (flow.Receipt, error) {
		return flow.Receipt{Delivery: "retried/F-1"}, &flow.Rejection{Code: flow.RejectStore}
	})
	require.Contains(t, m.Text, "could not be confirmed")
}

// What became of a follow-up is asked by the name that it is on record under: by that of
// the press nothing would be found, and the person read that nothing was done.
func TestAFollowUpInDoubtIsFoundOut(t *testing.T) {
	e := newEdge(t, nil, nil)
	e.desk.set(func(d *desk) { d.taken = map[string]string{"retried/F-1": "F-NEXT"} })
	s := &session{app: e.app, desk: e.desk, card: card.New(card.Options{})}
	m := s.requested(t.Context(), flow.Caller{Dedupe: "trigger"}, func(context.Context) (flow.Receipt, error) {
		return flow.Receipt{Delivery: "retried/F-1"}, errors.New("no answer")
	})
	require.Contains(t, m.Text, "F-NEXT")
}

// A stop cuts work short. What is not on record then is left to be delivered again,
// whatever it asks for.
func TestAStopAcknowledgesNoMentionThatIsNotOnRecord(t *testing.T) {
	e := newEdge(t, nil, nil)
	for _, line := range []string{"emr-m620 task +1", "approve F-7K3Q", "freeze emr-m620 for 1h", "status emr-m620", "help"} {
		ctx, cancel := context.WithCancel(t.Context())
		back := newPool(ctx, 1, 8, func(any) {})
		s := &session{app: e.app, desk: e.desk, card: card.New(card.Options{}), back: back, stopping: true}
		cancel()
		sock := e.app.newSocket(1)
		s.mention(ctx, envelope{ID: line, Type: typeEvents}.on(sock), flow.Caller{User: ann, Workspace: own, Channel: channel, Dedupe: line}, line)
		back.close()
		require.True(t, back.wait(t.Context()))
		require.Empty(t, sock.acks, line)
		require.True(t, e.app.seen.first(line), "the next delivery is worked on: %s", line)
	}
}

// The answer to a mention may be that nothing was done, and there is no other way to
// tell it.
func TestAPrivateAnswerIsTriedAgain(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.sim.Fail("chat.postEphemeral", slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 1})
	e.sim.Fail("chat.postEphemeral", slacksim.Fault{Kind: slacksim.HTML502})
	_, err := e.sim.Mention(ann, channel, "", "emr-m620 task +1")
	require.NoError(t, err)
	e.told(ann, "F-T001")
}

// A look-up that takes long must not cost the ack, and its answer is there for
// the next try.
func TestASlowLookUpKeepsTheAckInTime(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.sim.Fail("users.info", slacksim.Fault{Kind: slacksim.Slow, Delay: 2500 * time.Millisecond, Times: 1})
	d := e.sim.Slash(ann, channel, "/scale", "emr-m620 task +1")
	require.NoError(t, d.Err)
	require.Less(t, d.AckAfter, 2*time.Second)
	require.Contains(t, d.Ephemeral.Text, "try again")
	e.eventually(func() bool { _, known := e.app.people.get(ann); return known }, "the look-up went on")
	require.Contains(t, e.sim.Slash(ann, channel, "/scale", "emr-m620 task +1").Ephemeral.Text, "F-T001")
}

func TestKnownPeopleCostNoCallOfSlack(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "list").Err)
	before := len(e.sim.Requests())
	for _, line := range []string{"list", "clusters", "help", "emr-m620 task +1"} {
		require.NoError(t, e.sim.Slash(ann, channel, "/scale", line).Err)
	}
	require.Len(t, e.sim.Requests(), before)
	require.Len(t, e.sim.Requests("users.info"), 1)
}

func TestAnswersFollowThePersonsLanguage(t *testing.T) {
	zh := func(s said) string { return strings.ReplaceAll(s.zh, "{command}", "/scale") }
	t.Run("from the first one on", func(t *testing.T) {
		e := newEdge(t, nil, nil).run()
		require.Equal(t, zh(saidNotYet), e.sim.Slash(wei, channel, "/scale", "watch emr-m620").Ephemeral.Text)
		require.NoError(t, e.sim.Slash(wei, channel, "/scale", "emr-m620 task +1").Err)
		require.Equal(t, "zh", read(e.desk, func(d *desk) string { return d.callers[0].Language }), "what comes later is told in it too")
		_, err := e.sim.Mention(wei, channel, "", "emr-m620 task +2")
		require.NoError(t, err)
		e.told(wei, "已登记")

		// What is known of people is forgotten at each hello; a language isn't.
		e.app.people.forget("")
		e.sim.Fail("users.info", slacksim.Fault{Kind: slacksim.Error500, Times: slacksim.Forever})
		require.Contains(t, e.sim.Slash(wei, channel, "/scale", "list").Ephemeral.Text, "请稍后再试")
	})
	t.Run("a slow verb's first words too", func(t *testing.T) {
		e := newEdge(t, nil, nil).run()
		require.Equal(t, zh(saidLooking), e.sim.Slash(wei, channel, "/scale", "status emr-m620").Ephemeral.Text)
	})
	t.Run("without a locale it is the workspace's", func(t *testing.T) {
		require.Equal(t, "zh", profileOf(userWithout("locale"), Identity{Team: own}, "zh").language)
		require.Equal(t, "en", profileOf(userWithout("locale"), Identity{Team: own}, "en").language)
		e := newEdge(t, nil, func(o *Options) { o.Language = "zh" })
		require.Equal(t, "zh", e.app.language("U0NEVERSEEN"))
	})
}

// tally is a Meter of one process.
type tally struct {
	mu   sync.Mutex
	seen []string
	most int // 0 = no cap
	fail error
}

func (m *tally) Spend(_ context.Context, workspace, user, channel string, at time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return false, m.fail
	}
	if m.most > 0 && len(m.seen) >= m.most {
		return false, nil
	}
	m.seen = append(m.seen, workspace+" "+user+" "+channel)
	return true, nil
}

func (m *tally) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen)
}

func TestEveryCommandIsCountedOnce(t *testing.T) {
	m := &tally{}
	e := newEdge(t, nil, func(o *Options) { o.Meter = m }).run()
	e.know(ann)
	slash := func(line string) string {
		d := e.sim.Slash(ann, channel, "/scale", line)
		require.NoError(t, d.Err)
		return d.Ephemeral.Text
	}
	lines := []string{"help", "list", "clusters", "status emr-m620", "show F-AAAA", "whoami", "cancel F-AAAA", "emr-m620 task +1 dry-run", "emr-m620 tusk +1"}
	for i, line := range lines {
		slash(line)
		require.Equal(t, i+1, m.count(), line)
	}
	require.Equal(t, own+" "+ann+" "+channel, m.seen[0])
	slash("emr-m620 task +1")
	require.Equal(t, len(lines), m.count(), "what is recorded is counted as it is recorded")
	e.desk.set(func(d *desk) { d.fail = &flow.Rejection{Code: flow.RejectStep} })
	slash("emr-m620 task +1")
	require.Equal(t, len(lines)+1, m.count(), "what the desk turns away is counted here")
	e.desk.set(func(d *desk) { d.fail = &flow.Rejection{Code: flow.RejectLimited} })
	slash("emr-m620 task +1")
	require.Equal(t, len(lines)+1, m.count())
	e.desk.set(func(d *desk) { d.fail = nil })

	m.mu.Lock()
	m.most = len(lines) + 1
	m.mu.Unlock()
	looks := read(e.desk, func(d *desk) int { return d.looks })
	for _, line := range []string{"help", "status emr-m620", "emr-m620 task +1 dry-run", "emr-m620 tusk +1", "show F-AAAA"} {
		require.Contains(t, slash(line), "a lot of commands", line)
	}
	require.Equal(t, looks, read(e.desk, func(d *desk) int { return d.looks }), "no cloud and no store was asked")

	m.mu.Lock()
	m.fail = errors.New("redis is down")
	m.mu.Unlock()
	require.Contains(t, slash("help"), "/scale", "a question is answered uncounted")
}

// Two commands that Slack forgot to name are still two.
func TestDeliveriesWithoutANameAreNotOne(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	for _, id := range []string{"env-1", "env-2"} {
		e.sim.InjectFrame(`{"envelope_id":"` + id + `","type":"slash_commands","payload":{"team_id":"` + own + `","channel_id":"` + channel +
			`","user_id":"` + ann + `","command":"/scale","text":"emr-m620 task +1"}}`)
		e.eventually(func() bool { return acked(e.sim, id) }, id)
	}
	for _, id := range []string{"env-3", "env-4"} {
		e.sim.InjectFrame(`{"envelope_id":"` + id + `","type":"events_api","payload":{"type":"event_callback","event":{"type":"app_mention","user":"` + ann +
			`","channel":"` + channel + `","ts":"1.000001","text":"<@` + botUser + `> emr-m620 task +1"}}}`)
		e.eventually(func() bool { return acked(e.sim, id) }, id)
	}
	require.Len(t, read(e.desk, func(d *desk) map[string]string { return d.taken }), 4)
}

func TestAMentionIsReadWhereverItStands(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	for i, text := range []string{"hey <@" + botUser + "> emr-m620 task +1", "emr-m620 task +1, <@" + botUser + ">"} {
		e.sim.EmitEvent(map[string]any{"type": "app_mention", "user": ann, "channel": channel, "ts": "1.000001", "text": text})
		e.eventually(func() bool { return read(e.desk, func(d *desk) int { return len(d.asks) }) == i+1 }, text)
	}
}

// The corrected line of a rehearsal is one too.
func TestACorrectedDryRunStaysOne(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	e.desk.set(func(d *desk) {
		d.preview = flow.Preview{
			Request: flow.Request{Wish: flow.Wish{Op: flow.Add, N: 9, Change: providers.Change{Cluster: "emr-m620", Group: "task"}}},
			Refused: &flow.Note{Code: flow.NoteAboveMax, Args: map[string]string{
				"to": "12", "max": "5", "have": "3", "fixed": Spell(flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2, Reason: "a < b"}),
			}},
		}
	})
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "emr-m620 task +9 dry-run -- a < b").Err)
	e.told(ann, "/scale emr-m620 task +2 dry-run -- a &lt; b")
}

func TestARequestIsSpelledAsItIsTyped(t *testing.T) {
	zone := time.FixedZone("", 8*3600)
	for want, a := range map[string]flow.Ask{
		"emr-m620 task +2 prepaid 3m renew spec=S5.LARGE8 disk=SSD:100x2 zone=gz-3 no-start bootstrap tag=k=v at 2026-12-24T02:00+08:00 -- cost < 5 & more": {
			Op: flow.Add, N: 2, Charge: providers.Prepaid, Months: 3, Renew: new(true), InstanceType: "S5.LARGE8",
			Disks: []providers.Disk{{Type: "SSD", SizeG: 100, Count: 2}}, Zone: "gz-3", Start: new(false), Bootstrap: new(true),
			Tags: map[string]string{"k": "v"}, StartAt: time.Date(2026, 12, 24, 2, 0, 0, 0, zone), Reason: "cost < 5 & more",
		},
		"emr-m620 task -2 nodes=ins-1,ins-2 drain=30m": {Op: flow.Remove, N: 2, Nodes: []string{"ins-1", "ins-2"}, Drain: 30 * time.Minute},
		"emr-m620 task =0": {Op: flow.Set},
	} {
		a.Cluster, a.Group = "emr-m620", "task"
		require.Equal(t, want, Spell(a))
		got, err := ParseAsk(want, newDesk().Catalog(), time.Now(), time.UTC)
		require.NoError(t, err)
		require.True(t, a.StartAt.Equal(got.StartAt))
		got.StartAt = a.StartAt
		require.Equal(t, a, got, "and is read back as it was")
	}
	_, err := ParseAsk("emr-m620 task 2", newDesk().Catalog(), time.Now(), time.UTC)
	require.ErrorContains(t, err, "did you mean: emr-m620 task +2 or: emr-m620 task =2")
	_, err = ParseAsk("emr-m620 task", newDesk().Catalog(), time.Now(), time.UTC)
	require.ErrorContains(t, err, "written like this: CLUSTER GROUP AMOUNT")
}
