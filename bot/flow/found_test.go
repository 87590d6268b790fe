package flow_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

func TestWhatTheCloudAcceptedIsNotSentAgain(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.cloud.Fail("follow", &providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "Gone."}})
	w.pass(5 * time.Second)
	w.in(id, flow.Unknown)
	require.NotNil(t, w.flow(id).Operation)
	w.pass(5 * time.Minute)
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
	require.Error(t, err)
	w.pass(10 * time.Minute)
	require.Equal(t, 1, w.cloud.Accepted())
}

func TestAnEndedFlowWhoseChannelIsClosedSpinsNot(t *testing.T) {
	w := newWorld(t)
	c := &chat{Chat: w.slack}
	ctx, cancel := context.WithCancel(t.Context())
	c.post = func(m flow.Message) error {
		if m.Channel == room {
			if c.posts > 300 {
				cancel()
			}
			return flow.ErrNoChannel
		}
		return nil
	}
	w.options.Chat = c
	w.wire()
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, &providers.Error{Kind: providers.Refused, Advice: providers.Text{EN: "Sold out."}}
	})
	id := w.request(ask(flow.Add, 1))
	for range 4 {
		claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		for _, cl := range claims {
			require.NoError(t, w.engine.Step(t.Context(), cl))
		}
	}
	w.in(id, flow.Failed)
	claims, err := w.store.Claim(t.Context(), flow.LaneChat, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	_ = w.courier.Step(ctx, claims[0])
	require.Less(t, c.posts, 50)
}

func TestAnAnswerAfterTheHandOverIsKept(t *testing.T) {
	w := newWorld(t)
	w.options.Doubt = 10 * time.Second
	w.wire()
	other := flow.NewEngine(w.options)
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		op, err := do()
		w.clock.Advance(31 * time.Second)
		w.cloud.Fail("reconcile", &providers.Error{Kind: providers.Retry})
		claims, cerr := w.store.Claim(context.Background(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, cerr)
		require.NoError(t, other.Step(context.Background(), claims[0]))
		w.in("F-0002", flow.Unknown)
		return op, err
	})
	id := w.request(ask(flow.Add, 2))
	w.work()
	w.work()
	require.Equal(t, flow.Running, w.flow(id).State, "the answer names the operation: it is proof")
}

func TestACancelBeforeTheIntentIsHeard(t *testing.T) {
	w := newWorld(t)
	var id string
	hook := &hookCloud{Cloud: w.cloud}
	w.withCloud(hook)
	id = w.request(ask(flow.Add, 1))
	w.killFirstMove(id)
	hook.quote = func() {
		hook.quote = nil
		f, err := w.desk.Cancel(context.Background(), w.caller(asker), id)
		require.NoError(t, err)
		t.Logf("cancel taken while %s", f.State)
	}
	w.settle()
	require.Empty(t, w.cloud.Ledger())
}

func TestAnOperationThatIsSeenAgainIsFollowedAgain(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.cloud.Fail("follow", &providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "Gone."}})
	w.pass(3 * time.Hour)
	require.Equal(t, 4, w.cloud.Count(), "it did succeed")
	w.in(id, flow.Succeeded)
}

func TestAClusterThatLeftTheConfigIsNotChanged(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Remove, 2)) // min 1
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Queued)
	delete(w.options.Catalog, "emr")
	w.wire()
	w.cloud.SetPhase(providers.Ready)
	w.pass(30 * time.Second)
	require.Empty(t, w.cloud.Ledger())
}

func TestAVoteReadBeforeTheExpiryCounts(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.options.Directory = &slowDirectory{w.slack, w.clock, 5 * time.Second}
	w.engine = flow.NewEngine(w.options)
	w.slack.React(w.card(id, 1), "white_check_mark", lead1)
	w.clock.Advance(4*time.Hour - 3*time.Second)
	w.settle()
	require.NotEqual(t, flow.Expired, w.flow(id).State)
}

func TestTwoPeopleWhoDisagreeSettleNothing(t *testing.T) {
	w := newWorld(t)
	w.cloud.Takes = 10 * time.Minute
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 2))
	w.pass(4 * time.Minute)
	w.in(id, flow.Unknown)
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
	require.NoError(t, err)
	_, err = w.desk.Settle(t.Context(), w.caller(lead2), id, flow.SignalHappened, "op-1")
	require.NoError(t, err)
	w.settle()
	require.Empty(t, w.cloud.Ledger(), "one says it happened: not sent again")
}

func TestAVanishedFlowBlocksNoCluster(t *testing.T) {
	for _, which := range []string{"holder", "head"} {
		w := newWorld(t)
		one := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(one, flow.Running)
		two := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(two, flow.Queued)
		three := w.request(ask(flow.Add, 1))
		w.settle()
		gone, waits := one, two
		if which == "head" {
			gone, waits = two, three
		}
		require.NoError(t, w.rdb.Del(t.Context(), "test:{T1}:flow:"+gone).Err())
		w.pass(30 * time.Minute)
		t.Logf("%s gone: the next is %s, %+v", which, w.flow(waits).State, w.flow(waits).Wait)
		if w.flow(waits).State == flow.Queued {
			t.Fail()
		}
	}
}

func TestAnOpenFlowIsNeverLetGo(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	err = w.store.Release(t.Context(), claims[0], time.Time{})
	_, zerr := w.rdb.ZScore(t.Context(), "test:{T1}:due:step", id).Result()
	require.False(t, err == nil && zerr != nil)
}

func TestAgainAsksOnlyForWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.withCloud(failedShort{w.cloud})
	id := w.request(ask(flow.Add, 3))
	w.pass(5 * time.Second)
	w.in(id, flow.Failed)
	r, err := w.desk.Again(t.Context(), w.caller(asker), id)
	require.NoError(t, err)
	require.Equal(t, 1, r.Flow.Request.Wish.N, "two of three are there and paid for")
}

func TestARefusalOfOneReplicaIsNotTheOthers(t *testing.T) {
	w := newWorld(t)
	w.cloud.Takes = 6 * time.Minute
	five := &fiveMinutes{Cloud: w.cloud}
	w.withCloud(five)
	id := w.request(ask(flow.Add, 2))
	w.killFirstMove(id)
	snap := w.dump()
	other := flow.NewEngine(w.options)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		w.restore(snap) // A's intent is lost; B sends the same attempt, and its answer is lost
		w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
			_, err := do()
			require.NoError(t, err)
			return providers.Operation{}, flowtest.Lost()
		})
		claims, err := w.store.Claim(context.Background(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		require.NoError(t, other.Step(context.Background(), claims[0]))
		w.in(id, flow.Submitting)
		return providers.Operation{}, &providers.Error{Kind: providers.Occupied, Advice: providers.Text{EN: "Busy: with B's."}}
	})
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	_ = w.engine.Step(t.Context(), claims[0])
	w.pass(20 * time.Minute)
	require.Equal(t, 1, w.cloud.Accepted())
}

func (w *world) dump() map[string]kv {
	ctx := context.Background()
	ks, err := w.rdb.Keys(ctx, "*").Result()
	require.NoError(w.t, err)
	m := map[string]kv{}
	for _, k := range ks {
		d, err := w.rdb.Dump(ctx, k).Result()
		require.NoError(w.t, err)
		ttl, err := w.rdb.PTTL(ctx, k).Result()
		require.NoError(w.t, err)
		m[k] = kv{d, max(ttl, 0)}
	}
	return m
}

func (w *world) restore(m map[string]kv) {
	ctx := context.Background()
	require.NoError(w.t, w.rdb.FlushAll(ctx).Err())
	for k, v := range m {
		require.NoError(w.t, w.rdb.Restore(ctx, k, v.ttl, v.data).Err())
	}
}

type fiveMinutes struct {
	*flowtest.Cloud
	mu        sync.Mutex
	first     map[string]time.Time
	n         int
	repeats   bool
	loseReply int // answers of repeats to lose
}

func (c *fiveMinutes) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	c.mu.Lock()
	if c.first == nil {
		c.first = map[string]time.Time{}
	}
	at, ok := c.first[sub.Token]
	now := c.Clock.Now()
	if sub.Change.Delta < 0 { // removals have no token
		c.n++
		sub.Token += fmt.Sprint("#none", c.n)
	} else if !ok {
		c.first[sub.Token] = now
	} else if now.Sub(at) > 5*time.Minute {
		c.n++
		sub.Token += fmt.Sprint("#forgotten", c.n)
	}
	c.mu.Unlock()
	return c.Cloud.Submit(ctx, sub)
}

func (c *fiveMinutes) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	if age := c.Clock.Now().Sub(sub.SentAt); c.repeats && age < 4*time.Minute {
		op, err := c.Submit(ctx, sub)
		if c.loseReply > 0 {
			c.loseReply--
			err = flowtest.Lost()
		}
		if err == nil {
			return providers.Finding{State: providers.Accepted, Operation: op}, nil
		}
	}
	return providers.Finding{State: providers.Unsure, Evidence: providers.Text{EN: "Nothing changed."}}, nil
}

func (w *world) withCloud(p providers.Provider) {
	w.options.Clouds = flowtest.Clouds{"acc": p}
	w.wire()
}

type chat struct {
	flow.Chat
	post   func(m flow.Message) error
	update func(m flow.Message) error
	find   func(m flow.Message) error
	posts  int
	edits  int
}

func (c *chat) Post(ctx context.Context, m flow.Message) (flow.MessageRef, error) {
	c.posts++
	if c.post != nil {
		if err := c.post(m); err != nil {
			return flow.MessageRef{}, err
		}
	}
	return c.Chat.Post(ctx, m)
}

func (c *chat) Update(ctx context.Context, r flow.MessageRef, m flow.Message) error {
	c.edits++
	if c.update != nil {
		if err := c.update(m); err != nil {
			return err
		}
	}
	return c.Chat.Update(ctx, r, m)
}

func (c *chat) Find(ctx context.Context, m flow.Message, since time.Time) (flow.MessageRef, bool, error) {
	if c.find != nil {
		if err := c.find(m); err != nil {
			return flow.MessageRef{}, false, err
		}
	}
	return c.Chat.Find(ctx, m, since)
}

type hookCloud struct {
	*flowtest.Cloud
	quote func()
}

func (h *hookCloud) Quote(ctx context.Context, c providers.Change, s providers.Snapshot) (providers.Quote, error) {
	if h.quote != nil {
		h.quote()
	}
	return h.Cloud.Quote(ctx, c, s)
}

type slowDirectory struct {
	flow.Directory
	clock *flowtest.Clock
	by    time.Duration
}

func (s *slowDirectory) People(ctx context.Context, ids []string) (map[string]approvals.Person, error) {
	if len(ids) > 0 {
		s.clock.Advance(s.by)
	}
	return s.Directory.People(ctx, ids)
}

type failedShort struct{ *flowtest.Cloud }

func (c failedShort) Follow(ctx context.Context, s providers.Submission, o providers.Operation) (providers.Progress, error) {
	return providers.Progress{State: providers.Failed, Count: 5, Message: "stage 4 failed",
		Changed: []providers.Node{{ID: "ins-004"}, {ID: "ins-005"}}}, nil
}

type kv struct {
	data string
	ttl  time.Duration
}

// lookers counts what a provider was asked to find out, and how.
type lookers struct {
	*flowtest.Cloud
	repeats, looks int
	unknown        func() bool
	t              *testing.T
}

func (l *lookers) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	if sub.Look {
		l.looks++
	} else {
		l.repeats++
		require.False(l.t, l.unknown(), "nothing is repeated once a person was asked")
	}
	return providers.Finding{State: providers.Unsure, Evidence: providers.Text{EN: "Nothing changed.", ZH: "没有变化。"}}, nil
}

// A lost answer is asked for by a repeat a few times at most, and never once a
// person was asked: they look at the console and decide by what they see.
func TestALostAnswerIsAskedForAFewTimesOnly(t *testing.T) {
	w := newWorld(t)
	l := &lookers{Cloud: w.cloud, t: t}
	w.withCloud(l)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 1))
	l.unknown = func() bool { return w.flow(id).State == flow.Unknown }
	w.pass(20 * time.Minute)
	w.in(id, flow.Unknown)
	require.Equal(t, 3, l.repeats)
	require.Greater(t, l.looks, 10)
	require.Equal(t, 3, w.flow(id).Repeats)
}

// sleepy is a store whose reading of posts takes long, once.
type sleepy struct {
	flow.Store
	posts func()
}

func (s *sleepy) Posts(ctx context.Context, id string) (flow.Posts, error) {
	s.posts()
	return s.Store.Posts(ctx, id)
}

// A replica looked at the cluster, slept through its lease, and nobody else was
// there to take the flow over. What it saw before it slept decides nothing.
func TestAStepThatSleptThroughItsLeaseDecidesNothing(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.slack.React(w.card(id, 1), "white_check_mark", lead1)
	slept := 0
	slow := w.options
	slow.Store = &sleepy{Store: w.store, posts: func() {
		if w.flow(id).State == flow.Queued && slept == 0 {
			slept++
			w.clock.Advance(40 * time.Second)
			w.cloud.Resize(5)
		}
	}}
	w.engine = flow.NewEngine(slow)
	w.pass(2 * time.Minute)
	require.Equal(t, 1, slept)
	w.in(id, flow.AwaitingApproval)
	require.Len(t, w.flow(id).Plans, 2, "people are asked again")
	require.Empty(t, w.cloud.Ledger())
}
