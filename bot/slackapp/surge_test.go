package slackapp

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
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

var heavy = flag.Bool("heavy", false, "run the surge with 500 flows instead of 60")

// surgeReplicas are more than two, since each knows by itself what it may not ask
// twice in a few seconds: two alone stay below Slack's limits of look-ups by chance.
const surgeReplicas = 4

// surge is some replicas with many flows that move at once, between many clouds and
// a local Slack that keeps to its documented limits. All share one clock, which the
// test moves: half an hour of Slack's patience takes seconds.
type surge struct {
	t        *testing.T
	clock    *flowtest.Clock
	sim      *slacksim.Server
	store    *redisstore.Store
	desk     *flow.Desk
	replicas []replica
	renderer *card.Renderer
	ids      []string
	rooms    int
}

type replica struct {
	engine  *flow.Engine
	courier *flow.Courier
}

// The usergroups of a surge, whose approvals both ask.
var surgeGroups = []string{"S0LEAD", "S0OPS"}

func newSurge(t *testing.T, flows, rooms int, quota bool) *surge {
	w := &surge{t: t, clock: flowtest.NewClock(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)), rooms: rooms}
	e := newEdge(t, func(o *slacksim.Options) {
		o.Now, o.NoRateLimits, o.Keep = w.clock.Now, false, 1<<20
		o.World.Users = append(o.World.Users, slacksim.User{ID: lea, Name: "lea"})
		for _, g := range surgeGroups {
			o.World.Usergroups = append(o.World.Usergroups, slacksim.Usergroup{ID: g, Handle: g, Name: g, Users: []string{lea}})
		}
		for i := range rooms {
			o.World.Channels = append(o.World.Channels, slacksim.Channel{ID: room(i), Name: room(i), Members: []string{botUser, ann, lea}})
		}
	}, func(o *Options) { o.Clock = w.clock })
	w.sim = e.sim
	rdb := redistest.Start(t).Client(t)
	w.store = redisstore.New(rdb, "test", own)
	rules := approvals.Config{
		Groups:  map[string]approvals.Group{"leads": {Usergroups: surgeGroups}},
		Approve: []string{"white_check_mark"}, Deny: []string{"x"}, ExpireAfter: 4 * time.Hour, RulesGiven: true,
		Rules: []approvals.Rule{{Name: "in", When: "change.delta < 0", Require: map[string]int{"leads": 1}}},
	}
	policy, problems := approvals.Compile(rules)
	require.Empty(t, problems)
	w.renderer = card.New(card.Options{Groups: rules.Groups})
	clouds, catalog := flowtest.Clouds{}, flow.Catalog{}
	for i := range flows {
		cloud := flowtest.NewCloud(w.clock, 9)
		cloud.Takes = 4 * time.Minute
		name := fmt.Sprintf("emr-%03d", i)
		clouds[name] = cloud
		catalog[name] = flow.Cluster{Name: name, ID: name, Account: name, Kind: "test",
			Groups: map[string]flow.Group{"task": {Name: "task", ID: "TASK", Charge: providers.Postpaid}}}
	}
	o := flow.Options{
		Store: w.store, Clouds: clouds, Renderer: w.renderer, Clock: w.clock, Logger: slog.New(slog.DiscardHandler),
		Catalog: catalog, Policy: policy, Approvals: rules, Workspace: own, Bot: botUser,
		NewID: func() string { return fmt.Sprintf("F-%04d", len(w.ids)+1) },
		Lease: 30 * time.Second, CallTimeout: 5 * time.Second, PollMin: 3 * time.Second, PollMax: 30 * time.Second,
		Doubt: 3 * time.Minute, Follow: 6 * time.Hour, Workers: 4,
	}
	if quota {
		o.Quota = redisstore.NewQuota(rdb, "test", own)
	}
	for range surgeReplicas {
		// Each has an app of its own, which knows nothing of what the other posts.
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		app, err := New(Options{AppToken: appToken, BotToken: botToken, APIURL: e.sim.APIURL(), Clock: w.clock, HTTPClient: &http.Client{Transport: transport, Timeout: 10 * time.Second}})
		require.NoError(t, err)
		_, err = app.Identify(t.Context())
		require.NoError(t, err)
		if quota {
			app.Share(o.Quota, redisstore.NewLookups(rdb, "test", own))
		}
		o.Ballots, o.Directory, o.Chat = app, app, app
		w.replicas = append(w.replicas, replica{flow.NewEngine(o), flow.NewCourier(o)})
	}
	w.desk = flow.NewDesk(o, nil)
	return w
}

func room(i int) string { return fmt.Sprintf("C0ROOM%d", i) }

// ask requests one change per cluster; every second one needs an approval.
func (w *surge) ask(flows int) {
	w.t.Helper()
	for i := range flows {
		a := flow.Ask{Cluster: fmt.Sprintf("emr-%03d", i), Group: "task", Op: flow.Add, N: 1}
		if i%2 == 1 {
			a.Op = flow.Remove
		}
		r, err := w.desk.Request(w.t.Context(), flow.Caller{
			User: ann, Workspace: own, Channel: room(i % w.rooms), Language: "en", Dedupe: fmt.Sprint("d", i), Raw: "typed",
		}, a)
		require.NoError(w.t, err)
		w.ids = append(w.ids, r.Flow.ID)
	}
}

// work runs what is due in both lanes, alternating between the replicas.
func (w *surge) work() {
	w.t.Helper()
	for range 50 {
		n := 0
		for _, lane := range []flow.Lane{flow.LaneStep, flow.LaneChat} {
			claims, err := w.store.Claim(w.t.Context(), lane, w.clock.Now(), 30*time.Second, 200)
			require.NoError(w.t, err)
			for i, c := range claims {
				n++
				r := w.replicas[i%len(w.replicas)]
				step := r.engine.Step
				if lane == flow.LaneChat {
					step = r.courier.Step
				}
				require.NoError(w.t, step(w.t.Context(), c))
			}
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("something is due again and again at one moment")
}

// until lets time go by until it is so.
func (w *surge) until(limit time.Duration, what string, so func() bool) time.Duration {
	w.t.Helper()
	begun := w.clock.Now()
	for {
		w.work()
		took := w.clock.Now().Sub(begun)
		if so() {
			return took
		}
		if took > limit {
			require.FailNow(w.t, what+" took longer than "+limit.String())
		}
		w.clock.Advance(500 * time.Millisecond)
	}
}

func (w *surge) flow(id string) flow.Flow {
	w.t.Helper()
	f, _, err := w.store.Get(w.t.Context(), id)
	require.NoError(w.t, err)
	return f
}

// shown is how many flows have a card that says what the record says.
func (w *surge) shown() int {
	n := 0
	for _, id := range w.ids {
		f := w.flow(id)
		p, err := w.store.Posts(context.Background(), id)
		require.NoError(w.t, err)
		ref := p.Cards[len(f.Plans)]
		m, ok := w.sim.Message(ref.Channel, ref.TS)
		if ok && m.Metadata != nil && m.Metadata.EventPayload["state"] == string(f.State) && m.Text == w.renderer.Card(f, len(f.Plans), true).Text {
			n++
		}
	}
	return n
}

func (w *surge) every(state ...flow.State) func() bool {
	return func() bool {
		for _, id := range w.ids {
			f := w.flow(id)
			ok := false
			for _, s := range state {
				ok = ok || f.State == s
			}
			if !ok {
				return false
			}
		}
		return true
	}
}

// notices counts the completion messages by flow.
func (w *surge) notices() map[string]int {
	n := map[string]int{}
	for i := range w.rooms {
		for _, m := range w.sim.Messages(room(i)) {
			if m.Metadata != nil && m.Metadata.EventType == flow.EventNotice {
				id, _ := m.Metadata.EventPayload["flow"].(string)
				n[id]++
			}
		}
	}
	return n
}

// Hundreds of flows at once: no end notice is lost, Slack never has to say 429,
// and every card is right as soon as the quota allows.
func TestASurgeKeepsToSlacksLimitsAndLosesNothing(t *testing.T) {
	flows, rooms := 60, 6
	if *heavy {
		flows, rooms = 500, 25
	}
	w := newSurge(t, flows, rooms, true)
	w.ask(flows)
	open := func(id string) bool { return w.flow(id).State == flow.AwaitingApproval }
	// Everybody's card comes up: one a second in each room, and not more than the
	// workspace takes.
	posts := max(time.Duration(flows/rooms)*time.Second, time.Duration(flows)*time.Minute/200)
	cards := w.until(3*posts+20*time.Second, "the cards", func() bool {
		n := 0
		for i := range rooms {
			for _, m := range w.sim.Messages(room(i)) {
				if m.Metadata != nil && m.Metadata.EventType == flow.EventFlow {
					n++
				}
			}
		}
		return n == flows
	})
	// All ballots are voted on within the same moment, while the others run.
	voted := 0
	for _, id := range w.ids {
		if !open(id) {
			continue
		}
		p, err := w.store.Posts(t.Context(), id)
		require.NoError(t, err)
		ref := p.Cards[1].MessageRef
		require.NoError(t, w.sim.React(lea, ref.Channel, ref.TS, "white_check_mark"))
		require.NoError(t, w.desk.Touched(t.Context(), ref))
		voted++
	}
	require.Equal(t, flows/2, voted)
	reads := time.Duration(voted) * time.Minute / 40
	votes := w.until(reads*3/2+20*time.Second, "the votes", func() bool {
		for _, id := range w.ids {
			if open(id) {
				return false
			}
		}
		return true
	})
	ended := w.until(time.Hour, "the operations", w.every(flow.Succeeded))
	// From here on there are only ends to show, and one edit each.
	edits := time.Duration(flows) * time.Minute / 40
	right := w.until(edits*5/4+30*time.Second, "the cards after the end", func() bool { return w.shown() == flows })
	w.until(3*posts+30*time.Second, "the notices", func() bool { return len(w.notices()) == flows })
	w.until(30*time.Minute, "the threads", func() bool {
		for _, id := range w.ids {
			p, err := w.store.Posts(t.Context(), id)
			require.NoError(t, err)
			if f := w.flow(id); p.Logged < len(f.Log) || p.Whispered < len(f.Whispers) {
				return false
			}
		}
		return true
	})
	for id, n := range w.notices() {
		require.Equal(t, 1, n, "%s has one notice", id)
	}
	updates := 0
	for i := range rooms {
		for _, m := range w.sim.Messages(room(i)) {
			updates += m.Updates
		}
	}
	t.Logf("%d flows in %d rooms: cards after %s, votes counted after %s more, all ended after %s more, all cards right after %s more; %d edits",
		flows, rooms, cards, votes, ended, right, updates)
	require.Empty(t, w.sim.Limited(), "no 429")
	require.Less(t, updates, 8*flows, "progress is folded")
}

// What tells one person of many ballots is limited like a channel: one a second.
func TestBallotsOfOnePersonThatEndTogetherKeepToSlacksLimits(t *testing.T) {
	w := newSurge(t, 16, 4, true)
	w.ask(16)
	var open []flow.MessageRef
	w.until(time.Minute, "the ballots", func() bool {
		open = nil
		for i, id := range w.ids {
			if p, err := w.store.Posts(t.Context(), id); err == nil && i%2 == 1 && p.Cards[1].TS != "" {
				open = append(open, p.Cards[1].MessageRef)
			}
		}
		return len(open) == 8
	})
	w.until(time.Minute, "quiet", func() bool { return w.shown() == 16 })
	for _, ref := range open {
		require.NoError(t, w.sim.React(lea, ref.Channel, ref.TS, "x"))
		require.NoError(t, w.desk.Touched(t.Context(), ref))
	}
	took := w.until(time.Minute, "the news", func() bool { return len(w.sim.DMs(ann)) == 8 })
	require.Empty(t, w.sim.Limited(), "no 429")
	t.Logf("the news of 8 ballots after %s", took)
}

// The same without a quota: the test above can fail.
func TestASurgeWithoutAQuotaRunsIntoLimits(t *testing.T) {
	w := newSurge(t, 60, 6, false)
	w.ask(60)
	for range 120 {
		w.work()
		w.clock.Advance(500 * time.Millisecond)
	}
	require.NotEmpty(t, w.sim.Limited())
}

// A ballot's card comes up though all cards of the workspace wait for edits.
func TestABallotIsNotStarvedByEdits(t *testing.T) {
	w := newSurge(t, 61, 1, true)
	w.ask(60)
	w.until(5*time.Minute, "all others run", func() bool {
		n := 0
		for _, id := range w.ids {
			if s := w.flow(id).State; s == flow.Running || s == flow.Succeeded {
				n++
			}
		}
		return n >= 30
	})
	w.clock.Advance(time.Second)
	r, err := w.desk.Request(t.Context(), flow.Caller{User: ann, Workspace: own, Channel: room(0), Language: "en", Dedupe: "last"},
		flow.Ask{Cluster: "emr-060", Group: "task", Op: flow.Remove, N: 1})
	require.NoError(t, err)
	w.ids = append(w.ids, r.Flow.ID)
	card := func() (slacksim.Message, bool) {
		p, err := w.store.Posts(t.Context(), r.Flow.ID)
		require.NoError(t, err)
		return w.sim.Message(p.Cards[1].Channel, p.Cards[1].TS)
	}
	w.until(70*time.Second, "its card, behind the other cards of the room", func() bool { _, up := card(); return up })
	m, _ := card()
	require.NoError(t, w.sim.React(lea, m.Channel, m.TS, "white_check_mark"))
	require.NoError(t, w.desk.Touched(t.Context(), flow.MessageRef{Channel: m.Channel, TS: m.TS}))
	w.until(15*time.Second, "the vote", func() bool { return w.flow(r.Flow.ID).State != flow.AwaitingApproval })
	w.until(30*time.Second, "the card tells", func() bool { m, _ := card(); return !strings.Contains(m.Text, "waits for") && m.Updates > 0 })
	require.Empty(t, w.sim.Limited())
}
