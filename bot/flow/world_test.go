package flow_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
	"scalebot/providers"
)

const day = 24 * time.Hour

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// world is one bot on a real Redis, with a cloud and a Slack of flowtest. Tests
// act, then settle: every due step of both lanes is run, and time moves on.
type world struct {
	t       *testing.T
	clock   *flowtest.Clock
	cloud   *flowtest.Cloud
	slack   *flowtest.Slack
	rdb     redis.UniversalClient
	store   *redisstore.Store
	options flow.Options
	desk    *flow.Desk
	engine  *flow.Engine
	courier *flow.Courier

	renewals *flow.Renewals
	ids      int
}

const (
	asker   = "U0ASK"
	lead1   = "U0LEAD1"
	lead2   = "U0LEAD2"
	finance = "U0FIN"
	room    = "C0ROOM"
	data    = "C0DATA"
)

func newWorld(t *testing.T, change ...func(*approvals.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: flowtest.NewClock(noon)}
	w.cloud, w.slack = flowtest.NewCloud(w.clock, 3), flowtest.NewSlack(w.clock)
	w.rdb = redistest.Start(t).Client(t)
	w.store = redisstore.New(w.rdb, "test", "T1")
	rules := approvals.Config{
		Groups: map[string]approvals.Group{
			"leads": {Users: []string{lead1, lead2}}, "finops": {Users: []string{finance, lead1}},
		},
		Approve: []string{"white_check_mark"}, Deny: []string{"x"},
		ExpireAfter: 4 * time.Hour, PriceTolerance: 0.05, RulesGiven: true,
		Rules: []approvals.Rule{
			{Name: "prepaid", When: `change.charge == "prepaid"`, Require: map[string]int{"finops": 1, "leads": 1}},
			{Name: "costly", When: `quote.monthly > 5000.0 || !quote.known`, Require: map[string]int{"leads": 1}},
			{Name: "scale-in", When: `change.delta < 0`, Require: map[string]int{"leads": 1}},
		},
	}
	for _, c := range change {
		c(&rules)
	}
	policy, problems := approvals.Compile(rules)
	require.Empty(t, problems)
	ten, twenty := 10, 20
	w.options = flow.Options{
		Store: w.store, Clouds: flowtest.Clouds{"acc": w.cloud}, Ballots: w.slack, Directory: w.slack, Chat: w.slack,
		Renderer: flowtest.Renderer{}, Clock: w.clock, Logger: slog.New(slog.DiscardHandler),
		Catalog: flow.Catalog{"emr": {
			Name: "emr", ID: "emr-1", Account: "acc", Kind: "test", Channels: []string{data},
			Groups: map[string]flow.Group{"task": {Name: "task", ID: "TASK", Min: 1, Max: &twenty, MaxStep: &ten, Charge: providers.Postpaid}},
		}},
		Policy: policy, Approvals: rules, Workspace: "T1", Bot: "U0BOT",
		NewID: func() string { w.ids++; return fmt.Sprintf("F-%04d", w.ids) },
		Lease: 30 * time.Second, CallTimeout: 20 * time.Second, PollMin: 3 * time.Second, PollMax: 30 * time.Second,
		Doubt: 3 * time.Minute, Follow: 6 * time.Hour, Workers: 4, RenewalReminders: []time.Duration{14 * day, 3 * day},
	}
	w.wire()
	return w
}

// wire makes the parts anew from the options: also how a test restarts the bot.
func (w *world) wire() {
	w.engine, w.courier = flow.NewEngine(w.options), flow.NewCourier(w.options)
	w.desk, w.renewals = flow.NewDesk(w.options, nil), flow.NewRenewals(w.options)
}

func ask(op flow.AmountOp, n int) flow.Ask {
	return flow.Ask{Cluster: "emr", Group: "task", Op: op, N: n}
}

func prepaid(n int) flow.Ask {
	a := ask(flow.Add, n)
	a.Charge, a.Months = providers.Prepaid, 1
	return a
}

func (w *world) caller(user string) flow.Caller {
	w.ids++
	return flow.Caller{User: user, Workspace: "T1", Channel: room, Language: "en", Dedupe: fmt.Sprint("d", w.ids), Raw: "typed"}
}

func (w *world) request(a flow.Ask) string {
	w.t.Helper()
	r, err := w.desk.Request(w.t.Context(), w.caller(asker), a)
	require.NoError(w.t, err)
	require.True(w.t, r.Fresh)
	return r.Flow.ID
}

// work runs every step that is due now, once.
func (w *world) work() int {
	w.t.Helper()
	n := 0
	for _, lane := range []flow.Lane{flow.LaneStep, flow.LaneChat, flow.LaneRenew} {
		claims, err := w.store.Claim(w.t.Context(), lane, w.clock.Now(), w.options.Lease, 100)
		require.NoError(w.t, err)
		for _, c := range claims {
			n++
			step := map[flow.Lane]func(context.Context, flow.Claim) error{
				flow.LaneStep: w.engine.Step, flow.LaneChat: w.courier.Step, flow.LaneRenew: w.renewals.Step,
			}[lane]
			if err := step(w.t.Context(), c); err != nil {
				w.t.Logf("step of %s: %v", c.ID, err)
			}
		}
	}
	return n
}

// settle works until nothing is due at this moment.
func (w *world) settle() {
	w.t.Helper()
	for range 200 {
		if w.work() == 0 {
			return
		}
	}
	w.t.Fatal("something is due again and again at one moment")
}

// pass lets time go by in small strides.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.settle()
	for d > 0 {
		stride := min(d, time.Second)
		w.clock.Advance(stride)
		d -= stride
		w.settle()
	}
}

func (w *world) flow(id string) flow.Flow {
	w.t.Helper()
	f, _, err := w.store.Get(w.t.Context(), id)
	require.NoError(w.t, err)
	return f
}

func (w *world) in(id string, s flow.State) {
	w.t.Helper()
	f := w.flow(id)
	require.Equal(w.t, s, f.State, "wait %+v end %+v", f.Wait, f.End)
}

// card is where the flow's n-th card is.
func (w *world) card(id string, n int) flow.MessageRef {
	w.t.Helper()
	p, err := w.store.Posts(w.t.Context(), id)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, p.Cards[n].TS, "card %d of %s is not posted", n, id)
	return p.Cards[n].MessageRef
}

func (w *world) vote(id string, n int, emoji, user string) {
	w.t.Helper()
	ref := w.card(id, n)
	w.slack.React(ref, emoji, user)
	require.NoError(w.t, w.desk.Touched(w.t.Context(), ref))
	w.settle()
}

func (w *world) whispers(user string) string {
	var all []string
	for _, m := range w.slack.Messages() {
		if m.Private == user {
			all = append(all, m.Text)
		}
	}
	return strings.Join(all, "\n")
}

// consistent checks what must hold after every test: each card shows its flow,
// each open flow is scheduled, one audit entry per version.
func (w *world) consistent() {
	w.t.Helper()
	ctx := context.Background()
	flows, err := w.store.List(ctx, flow.Filter{})
	require.NoError(w.t, err)
	moves := map[string]int64{}
	entries, err := w.rdb.XRange(ctx, "test:{T1}:audit", "-", "+").Result()
	require.NoError(w.t, err)
	for _, e := range entries {
		if e.Values["version"] != "0" {
			moves[e.Values["flow"].(string)]++
		}
	}
	for _, f := range flows {
		require.Equal(w.t, f.Version, moves[f.ID], "%s: one audit entry per move", f.ID)
		if !f.State.Ended() {
			_, err := w.rdb.ZScore(ctx, "test:{T1}:due:step", f.ID).Result()
			require.NoError(w.t, err, "%s in %s is not scheduled", f.ID, f.State)
		}
	}
}

// free lets every change run unasked.
func free(c *approvals.Config) { c.Rules = nil }
