package flow_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

// hanging is a Slack that answers nothing until a call's time is over.
type hanging struct {
	flow.Ballots
	flow.Directory
	over chan struct{}

	mu    sync.Mutex
	inHas int
	most  int
}

func (h *hanging) hang(ctx context.Context) error {
	h.mu.Lock()
	h.inHas++
	h.most = max(h.most, h.inHas)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.inHas--
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-h.over:
		return errors.New("the test is over")
	}
}

func (h *hanging) Reactions(ctx context.Context, _ flow.MessageRef) ([]approvals.Reaction, error) {
	return nil, h.hang(ctx)
}

func (h *hanging) held() (now, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.inHas, h.most
}

// run drives the engine as the bot does, until the returned stop.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.engine.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(w.t, <-done)
	}
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	require.Eventually(w.t, ok, 20*time.Second, 20*time.Millisecond, what)
}

func (w *world) stateNow(id string) flow.State {
	f, _, err := w.store.Get(context.Background(), id)
	if err != nil {
		return ""
	}
	return f.State
}

func TestAHangingSlackDelaysNoRunningOperation(t *testing.T) {
	w := newWorld(t)
	running := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(running, flow.Running)
	for range 10 {
		w.request(ask(flow.Remove, 1))
	}
	w.settle()
	h := &hanging{over: make(chan struct{})}
	w.options.Ballots = h
	w.wire()
	w.clock.Advance(2 * time.Minute) // everything is due, the ballots first
	require.NoError(t, w.store.Wake(t.Context(), flow.LaneStep, running, w.clock.Now()))
	stop := w.run()
	w.eventually("ballots hang", func() bool { n, _ := h.held(); return n >= 2 })
	w.eventually("the operation is followed to its end", func() bool { return w.stateNow(running) == flow.Succeeded })
	_, most := h.held()
	require.LessOrEqual(t, most, w.options.Workers/2, "ballots get half of the workers")
	close(h.over)
	stop()
}

// Looking people and groups up takes no longer than a call may.
func TestALookUpTakesNoLongerThanACallMay(t *testing.T) {
	for _, what := range []string{"people", "members"} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			id := w.request(ask(flow.Remove, 1))
			w.settle()
			w.slack.React(w.card(id, 1), "white_check_mark", lead1)
			w.options.Directory = &slowLookUp{Slack: w.slack, what: what}
			w.options.CallTimeout = 50 * time.Millisecond
			w.wire()
			w.clock.Advance(time.Minute)
			w.settle() // would hang
			w.in(id, flow.AwaitingApproval)
		})
	}
}

type slowLookUp struct {
	*flowtest.Slack
	what string
}

func (s *slowLookUp) People(ctx context.Context, ids []string) (map[string]approvals.Person, error) {
	if s.what == "people" && len(ids) > 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Slack.People(ctx, ids)
}

func (s *slowLookUp) Members(ctx context.Context, g approvals.Group) ([]string, error) {
	if s.what == "members" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Slack.Members(ctx, g)
}

// A bug in one flow's step ends neither the process nor other flows, and leaves its
// stack.
func TestAPanicInAStepStaysThere(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.options.Logger = slog.New(slog.NewJSONHandler(&guarded{w: &log}, nil))
	w.wire()
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) { panic("a bug in here") })
	id := w.request(ask(flow.Add, 1))
	stop := w.run()
	w.eventually("the call is out", func() bool { return w.stateNow(id) == flow.Submitting })
	other := w.request(ask(flow.Remove, 1))
	w.eventually("the other goes on", func() bool { return w.stateNow(other) == flow.AwaitingApproval })
	stop()
	require.Contains(t, log.String(), "a bug in here")
	require.Contains(t, log.String(), "engine_test.go", "the stack")
	w.pass(5 * time.Minute)
	w.in(id, flow.Unknown) // it can't be known whether it was sent
	require.Empty(t, w.cloud.Ledger())
}

type guarded struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.w.Write(p)
}

// A stop that comes while a change is out waits for its answer and saves it.
func TestAStopDoesNotCutTheSaveOfAnAnswer(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		op, err := do()
		cancel()
		<-ctx.Done()
		return op, err
	})
	id := w.request(ask(flow.Add, 1))
	require.NoError(t, w.engine.Run(ctx))
	w.in(id, flow.Running)
	require.Len(t, w.cloud.Ledger(), 1)
}

// Not even one that cuts the call itself.
func TestACutStepSavesItsAnswer(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 1))
	w.killFirstMove(id)
	ctx, cut := context.WithCancel(t.Context())
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		op, err := do()
		cut()
		return op, err
	})
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.NoError(t, w.engine.Step(ctx, claims[0]))
	w.in(id, flow.Running)
}

// A stopped engine takes nothing new.
func TestAStoppedEngineTakesNothing(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, w.engine.Run(ctx))
	w.in(id, flow.Planning)
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1, "no lease was taken")
}

// A call that hangs ends when its time is over, and is in doubt.
func TestACallThatHangsIsInDoubt(t *testing.T) {
	w := newWorld(t)
	w.options.CallTimeout = 50 * time.Millisecond
	hangs := &hangsOnce{Cloud: w.cloud}
	w.withCloud(hangs)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(id, flow.Submitting)
	require.Equal(t, flow.WaitProof, w.flow(id).Wait.Code)
	w.pass(3 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
}

type hangsOnce struct{ *flowtest.Cloud }

func (c *hangsOnce) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	if _, err := c.Cloud.Submit(ctx, sub); err != nil {
		return providers.Operation{}, err
	}
	if by, ok := ctx.Deadline(); !ok || time.Until(by) > time.Second {
		return providers.Operation{}, &providers.Error{Kind: providers.Refused, Advice: providers.Text{EN: "Nothing ends this call in time."}}
	}
	<-ctx.Done()
	return providers.Operation{}, ctx.Err()
}

// What began on most of a lease is renewed before a call that could outlive it.
func TestALeaseOutlivesTheCall(t *testing.T) {
	w := newWorld(t)
	hook := &hookCloud{Cloud: w.cloud}
	w.withCloud(hook)
	id := w.request(ask(flow.Add, 1))
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	w.clock.Advance(w.options.Lease - time.Second)
	seen := false
	hook.quote = func() {
		seen = true
		until, err := w.rdb.HGet(context.Background(), "test:{T1}:flow:"+id, "step.u").Int64()
		require.NoError(t, err)
		require.GreaterOrEqual(t, until, w.clock.Now().Add(w.options.CallTimeout).UnixMilli())
	}
	require.NoError(t, w.engine.Step(t.Context(), claims[0]))
	require.True(t, seen)
	w.in(id, flow.Queued)
}

// A signal that comes while a step is under way is taken up right after it.
func TestASignalDuringAStepIsTakenUpAtOnce(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	during := &duringReactions{Ballots: w.slack}
	w.options.Ballots = during
	w.wire()
	during.do = func() {
		_, err := w.desk.Cancel(context.Background(), w.caller(asker), id)
		require.NoError(t, err)
	}
	w.clock.Advance(time.Minute)
	require.Positive(t, w.work())
	w.in(id, flow.AwaitingApproval)
	w.settle() // without any time going by
	w.in(id, flow.Cancelled)
}

type duringReactions struct {
	flow.Ballots
	do func()
}

func (d *duringReactions) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	if d.do != nil {
		d.do()
		d.do = nil
	}
	return d.Ballots.Reactions(ctx, ref)
}

// looked notes when an operation is looked at.
type looked struct {
	*flowtest.Cloud
	clock *flowtest.Clock
	at    []time.Time
}

func (l *looked) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	l.at = append(l.at, l.clock.Now())
	return l.Cloud.Follow(ctx, sub, op)
}

// Some clouds ask not to be looked at as often as config allows: the account's
// limits are not ours alone.
func TestNoFasterThanTheCloudWants(t *testing.T) {
	const pace = 15 * time.Second
	w := newWorld(t)
	cloud := &looked{Cloud: w.cloud, clock: w.clock}
	w.options.Clouds = clouds{"acc": cloud}
	w.options.Pace = func(account string) time.Duration {
		require.Equal(t, "acc", account)
		return pace
	}
	w.options.PollMax = 5 * time.Second
	w.wire()
	id := w.request(ask(flow.Add, 2))
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	last := w.flow(id).Operation.AcceptedAt
	require.NotEmpty(t, cloud.at)
	for _, at := range cloud.at {
		require.GreaterOrEqual(t, at.Sub(last), pace)
		last = at
	}
}

type clouds map[string]providers.Provider

func (c clouds) Provider(account string) (providers.Provider, bool) {
	p, ok := c[account]
	return p, ok
}
