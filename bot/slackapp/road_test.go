package slackapp

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
	"scalebot/bot/slacksim"
	"scalebot/providers"
)

// road is the real desk, engine and courier between a local Slack and a cloud.
// The test moves their clock and runs their steps; only the events take time.
type road struct {
	*edge
	clock   *flowtest.Clock
	cloud   *flowtest.Cloud
	store   *redisstore.Store
	options flow.Options
	engine  *flow.Engine
	courier *flow.Courier
}

const (
	lea = "U0LEA" // she and mia are the leads
	mia = "U0MIA"
)

func newRoad(t *testing.T, leads int) *road {
	e := newEdge(t, func(o *slacksim.Options) {
		o.World.Users = append(o.World.Users, slacksim.User{ID: lea, Name: "lea"}, slacksim.User{ID: mia, Name: "mia"})
		o.World.Channels[0].Members = append(o.World.Channels[0].Members, lea, mia)
		o.World.Usergroups[0].Users = []string{lea, mia}
		o.Habits = slacksim.AllHabits() // what holds against these holds against any Slack
	}, nil)
	w := &road{edge: e, clock: flowtest.NewClock(time.Now())}
	w.cloud = flowtest.NewCloud(w.clock, 9)
	w.store = redisstore.New(redistest.Start(t).Client(t), "test", own)
	rules := approvals.Config{
		Groups:  map[string]approvals.Group{"leads": {Usergroups: []string{"S0LEADS"}}},
		Approve: []string{"white_check_mark"}, Deny: []string{"x"}, ExpireAfter: 4 * time.Hour, RulesGiven: true,
		Rules: []approvals.Rule{{Name: "all", When: "true", Require: map[string]int{"leads": leads}}},
	}
	policy, problems := approvals.Compile(rules)
	require.Empty(t, problems)
	ids := 0
	r := card.New(card.Options{Groups: rules.Groups})
	moved := flow.Moved{Chat: e.app, Ballots: e.app, Store: w.store}
	w.options = flow.Options{
		Store: w.store, Clouds: flowtest.Clouds{"acc": w.cloud}, Ballots: moved, Directory: e.app, Chat: moved, Renderer: r,
		Clock: w.clock, Logger: slog.New(slog.DiscardHandler),
		Catalog: flow.Catalog{"emr-m620": {Name: "emr-m620", ID: "emr-1", Account: "acc", Kind: "test",
			Groups: map[string]flow.Group{"task": {Name: "task", ID: "TASK", Charge: providers.Postpaid}}}},
		Policy: policy, Approvals: rules, Workspace: own, Bot: botUser, Grace: 10 * time.Minute,
		NewID: func() string { ids++; return fmt.Sprintf("F-%04d", ids) },
		Lease: 30 * time.Second, CallTimeout: 5 * time.Second, PollMin: 3 * time.Second, PollMax: 30 * time.Second,
		Doubt: 3 * time.Minute, Follow: 6 * time.Hour, Workers: 4,
	}
	w.engine, w.courier = flow.NewEngine(w.options), flow.NewCourier(w.options)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.app.Run(ctx, flow.NewDesk(w.options, nil), r) }()
	t.Cleanup(func() { cancel(); <-done })
	e.eventually(e.app.Ready, "a socket gets its hello")
	return w
}

// settle runs every step that is due until none is.
func (w *road) settle() {
	w.t.Helper()
	for range 100 {
		n := 0
		for lane, step := range map[flow.Lane]func(context.Context, flow.Claim) error{flow.LaneStep: w.engine.Step, flow.LaneChat: w.courier.Step} {
			claims, err := w.store.Claim(w.t.Context(), lane, w.clock.Now(), w.options.Lease, 10)
			require.NoError(w.t, err)
			for _, c := range claims {
				n++
				if err := step(w.t.Context(), c); err != nil {
					w.t.Logf("step: %v", err)
				}
			}
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("something is due again and again at one moment")
}

func (w *road) jump(d time.Duration) {
	w.t.Helper()
	w.settle()
	w.clock.Advance(d)
	w.settle()
}

// nearlySent goes to a second before the end of the grace time, wherever it began:
// on a quick machine the votes are heard of before the first look.
func (w *road) nearlySent(id string) {
	w.t.Helper()
	w.jump(w.flow(id).GraceUntil.Add(-time.Second).Sub(w.clock.Now()))
}

// asked requests a removal, and gives the id and the ts of its newest card.
func (w *road) asked() (id, ts string) {
	w.t.Helper()
	d := w.sim.Slash(ann, channel, "/scale", "emr-m620 task -1")
	require.NoError(w.t, d.Err)
	w.settle()
	return "F-0001", w.card("F-0001")
}

func (w *road) card(id string) string {
	w.t.Helper()
	p, err := w.store.Posts(w.t.Context(), id)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, p.Cards)
	return p.Cards[len(w.flow(id).Plans)].TS
}

func (w *road) flow(id string) flow.Flow {
	w.t.Helper()
	f, _, err := w.store.Get(w.t.Context(), id)
	require.NoError(w.t, err)
	return f
}

func (w *road) in(id string, s flow.State) {
	w.t.Helper()
	f := w.flow(id)
	require.Equal(w.t, s, f.State, "wait %+v end %+v", f.Wait, f.End)
}

func (w *road) react(user, ts, emoji string) {
	w.t.Helper()
	require.NoError(w.t, w.sim.React(user, channel, ts, emoji))
}

func (w *road) unreact(user, ts, emoji string) {
	w.t.Helper()
	require.NoError(w.t, w.sim.Unreact(user, channel, ts, emoji))
}

// heard waits until the app has acknowledged everything that was delivered.
func (w *road) heard() {
	w.t.Helper()
	w.eventually(func() bool { return acks(w.sim) >= deliveries(w.sim) }, "everything is acknowledged")
	w.settle()
}

const lost = 1000

func TestVotesWhoseEventsAreLost(t *testing.T) {
	t.Run("count at the next look", func(t *testing.T) {
		w := newRoad(t, 2)
		id, ts := w.asked()
		w.sim.DropEvents(lost)
		w.react(lea, ts, "white_check_mark")
		w.react(mia, ts, "white_check_mark")
		w.in(id, flow.AwaitingApproval)
		w.jump(time.Minute)
		w.in(id, flow.Scheduled)
		w.jump(10 * time.Minute)
		w.in(id, flow.Running)
	})
	t.Run("a withdrawal of which nobody heard stops it right before sending", func(t *testing.T) {
		w := newRoad(t, 2)
		id, ts := w.asked()
		w.react(lea, ts, "white_check_mark")
		w.react(mia, ts, "white_check_mark")
		w.jump(time.Minute)
		w.in(id, flow.Scheduled)
		w.nearlySent(id)
		w.sim.DropEvents(lost)
		w.unreact(mia, ts, "white_check_mark")
		w.jump(time.Second)
		w.in(id, flow.AwaitingApproval)
		require.Len(t, w.flow(id).Plans, 2)
		require.Empty(t, w.cloud.Ledger())
		// Lea's vote went with the plan; the fresh card says so. The app spaces its
		// posts by the machine's clock.
		w.eventually(func() bool {
			w.jump(time.Second)
			m, _ := w.sim.Message(channel, w.card(id))
			return strings.Contains(string(m.Blocks), "voted on an older plan")
		}, "the fresh card")
		w.react(lea, w.card(id), "white_check_mark")
		w.react(mia, w.card(id), "white_check_mark")
		w.jump(time.Minute)
		w.jump(10 * time.Minute)
		w.in(id, flow.Running)
	})
	t.Run("a denial of which nobody heard ends it right before sending", func(t *testing.T) {
		w := newRoad(t, 1)
		id, ts := w.asked()
		w.react(lea, ts, "white_check_mark")
		w.jump(time.Minute)
		w.nearlySent(id)
		w.sim.DropEvents(lost)
		w.react(mia, ts, "x")
		w.jump(time.Second)
		w.in(id, flow.Denied)
		require.Empty(t, w.cloud.Ledger())
	})
}

func TestDoubledEventsAreOneVote(t *testing.T) {
	w := newRoad(t, 2)
	id, ts := w.asked()
	w.sim.DuplicateEvents(4)
	w.react(lea, ts, "white_check_mark")
	w.heard()
	w.jump(time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Equal(t, []string{lea}, w.flow(id).Verdict.Ballot.Seated())
	w.sim.DuplicateInteractions(4)
	require.NoError(t, w.sim.Click(lea, channel, ts, "flow_approve").Err)
	w.heard()
	w.jump(time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Equal(t, []string{lea}, w.flow(id).Verdict.Ballot.Seated(), "the reaction and the button are one person")
}

func TestReorderedEventsLeaveWhatIsTrue(t *testing.T) {
	t.Run("put and taken away", func(t *testing.T) {
		w := newRoad(t, 1)
		id, ts := w.asked()
		w.sim.ReorderEvents(2) // the removal is heard before the vote
		w.react(lea, ts, "white_check_mark")
		w.unreact(lea, ts, "white_check_mark")
		w.heard()
		w.jump(time.Minute)
		w.in(id, flow.AwaitingApproval)
		require.Empty(t, w.flow(id).Verdict.Ballot.Seated())
	})
	t.Run("taken away and put again", func(t *testing.T) {
		w := newRoad(t, 1)
		id, ts := w.asked()
		w.sim.DropEvents(1)
		w.react(lea, ts, "white_check_mark")
		w.sim.ReorderEvents(2)
		w.unreact(lea, ts, "white_check_mark")
		w.react(lea, ts, "white_check_mark")
		w.heard()
		w.jump(time.Minute)
		w.in(id, flow.Scheduled)
	})
}

func TestReactionsThatCannotBeReadLetNothingRun(t *testing.T) {
	w := newRoad(t, 1)
	id, ts := w.asked()
	w.react(lea, ts, "white_check_mark")
	w.jump(time.Minute)
	w.in(id, flow.Scheduled)
	w.sim.Fail("reactions.get", slacksim.Fault{Kind: slacksim.Error500, Times: slacksim.Forever})
	w.jump(10 * time.Minute)
	w.in(id, flow.Queued)
	m, _ := w.sim.Message(channel, ts)
	require.Contains(t, m.Text, "votes can't be read right now", "the card says what it waits for")
	w.jump(20 * time.Minute) // not for ever: others wait behind it
	require.Empty(t, w.cloud.Ledger())
	w.sim.ClearFaults()
	w.jump(2 * time.Minute)
	w.in(id, flow.Running)
}

// Nobody knows who the missing voters are, nor whether one of them denies: nothing
// counts until the list is whole again.
func TestAListOfVotersThatSlackCutShortCountsForNothing(t *testing.T) {
	w := newRoad(t, 2)
	id, ts := w.asked()
	w.sim.CutReactions(1)
	w.react(lea, ts, "white_check_mark")
	w.react(mia, ts, "white_check_mark")
	w.jump(time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.flow(id).Verdict.Ballot.Seated())
	w.eventually(func() bool {
		w.jump(time.Second)
		m, _ := w.sim.Message(channel, ts)
		return strings.Contains(string(m.Blocks), "list of voters is cut short")
	}, "the card says why")
	w.sim.CutReactions(0)
	w.jump(time.Minute)
	w.in(id, flow.Scheduled)

	w.sim.CutReactions(1) // and once more right before it is sent
	w.jump(10 * time.Minute)
	w.jump(time.Minute)
	require.Empty(t, w.cloud.Ledger())
}

func TestTheDenialOfAModalEndsTheRequest(t *testing.T) {
	w := newRoad(t, 1)
	id, ts := w.asked()
	require.NoError(t, w.sim.Click(lea, channel, ts, "flow_deny").Err)
	w.eventually(func() bool { return len(w.sim.Views(lea)) == 1 }, "the modal")
	require.NoError(t, w.sim.SubmitView(lea, because("<!channel> *too* dear")).Err)
	w.settle()
	w.in(id, flow.Denied)
	m, _ := w.sim.Message(channel, ts)
	require.Contains(t, m.Text, "Reason: &lt;!channel&gt; *too* dear", "escaped")
	thread := w.sim.Thread(channel, ts)
	require.Contains(t, thread[len(thread)-1].Text, "Reason: &lt;!channel&gt; *too* dear")
	require.Contains(t, w.sent(ann, "Denied by").Text, "Reason: ", "who asked is told privately, where it stays")
	d := w.sim.Slash(mia, channel, "/scale", "approve "+id)
	require.True(t, strings.Contains(d.Ephemeral.Text, "nothing to vote on"), d.Ephemeral.Text)
}
