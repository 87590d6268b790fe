package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
	"scalebot/providers"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// bench is one Redis with a store of one workspace.
type bench struct {
	*redisstore.Store
	rdb redis.UniversalClient
	t   *testing.T
	now time.Time
}

// open is where the tests of this package get their Redis: another kind of it in
// TestAllOfItOnARedisCluster.
var open = func(t *testing.T) redis.UniversalClient { return redistest.Start(t).Client(t) }

func newBench(t *testing.T) *bench {
	t.Helper()
	rdb := open(t)
	return &bench{Store: redisstore.New(rdb, "test", "T1"), rdb: rdb, t: t, now: noon}
}

func newFlow(id string) flow.Flow {
	return flow.Flow{
		ID: id, State: flow.Planning, CreatedAt: noon,
		Request: flow.Request{User: "U1", Channel: "C1", Workspace: "T1", Wish: flow.Wish{
			Op: flow.Add, N: 2, Change: providers.Change{Account: "acc", Cluster: "emr", ClusterID: "emr-1", Group: "task"},
		}},
	}
}

func (b *bench) accept(id string) {
	b.t.Helper()
	_, fresh, err := b.Accept(b.t.Context(), newFlow(id), "delivery-"+id, flow.Limits{})
	require.NoError(b.t, err)
	require.True(b.t, fresh)
}

// claim leases exactly this flow.
func (b *bench) claim(id string) flow.Claim {
	b.t.Helper()
	claims, err := b.Claim(b.t.Context(), flow.LaneStep, b.now, 30*time.Second, 100)
	require.NoError(b.t, err)
	var mine flow.Claim
	for _, c := range claims {
		if c.ID == id {
			mine = c
			continue
		}
		require.NoError(b.t, b.Release(b.t.Context(), c, b.now))
	}
	require.Equal(b.t, id, mine.ID, "the flow must be due")
	return mine
}

// move takes the flow to a state, due again at once.
func (b *bench) move(id string, to flow.State) error {
	b.t.Helper()
	c := b.claim(id)
	f, _, err := b.Get(b.t.Context(), id)
	require.NoError(b.t, err)
	from := f.State
	f.State = to
	_, err = b.Save(b.t.Context(), c, flow.Save{Flow: f, From: from, Due: b.now, Now: b.now, Audit: flow.Audit{Actor: "scalebot", Action: "test"}})
	if err != nil {
		require.NoError(b.t, b.Release(b.t.Context(), c, b.now))
	}
	return err
}

func (b *bench) must(id string, states ...flow.State) {
	b.t.Helper()
	for _, s := range states {
		require.NoError(b.t, b.move(id, s), "%s → %s", id, s)
	}
}

func TestARequestIsRecordedOnceHoweverOftenItIsDelivered(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	ids, fresh := make([]string, 20), make([]bool, 20)
	for i := range ids {
		wg.Go(func() {
			id, isFresh, err := b.Accept(context.Background(), newFlow(fmt.Sprintf("F-%04d", i)), "same delivery", flow.Limits{})
			if err == nil {
				ids[i], fresh[i] = id, isFresh
			}
		})
	}
	wg.Wait()
	first := 0
	for i := range ids {
		require.Equal(t, ids[0], ids[i], "every delivery must be answered with the same flow")
		if fresh[i] {
			first++
		}
	}
	require.Equal(t, 1, first)
	flows, err := b.List(t.Context(), flow.Filter{})
	require.NoError(t, err)
	require.Len(t, flows, 1)
	require.Len(t, audit(b), 1, "one audit entry for one flow")
}

func TestATakenIDLeavesTheOtherFlowAlone(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	_, _, err := b.Accept(t.Context(), newFlow("F-1"), "another delivery", flow.Limits{})
	require.ErrorIs(t, err, flow.ErrIDTaken)
	// Writing before all checks would have remembered the delivery.
	id, fresh, err := b.Accept(t.Context(), newFlow("F-2"), "another delivery", flow.Limits{})
	require.NoError(t, err)
	require.True(t, fresh)
	require.Equal(t, "F-2", id)
}

func TestCommandsAreCappedPerPersonAndChannel(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		_, _, err := b.Accept(t.Context(), newFlow(fmt.Sprintf("F-%d", i)), fmt.Sprint(i), flow.Limits{PerUserMinute: 3})
		require.NoError(t, err)
	}
	_, _, err := b.Accept(t.Context(), newFlow("F-9"), "9", flow.Limits{PerUserMinute: 3})
	require.ErrorIs(t, err, flow.ErrLimited)
	_, _, err = b.Accept(t.Context(), newFlow("F-9"), "9", flow.Limits{PerChannelMinute: 3})
	require.ErrorIs(t, err, flow.ErrLimited)
	later := newFlow("F-9")
	later.CreatedAt = noon.Add(time.Minute)
	_, _, err = b.Accept(t.Context(), later, "9", flow.Limits{PerUserMinute: 3})
	require.NoError(t, err, "the next minute starts at zero")
}

func TestOnlyOneReplicaGetsAFlow(t *testing.T) {
	b := newBench(t)
	for i := range 50 {
		b.accept(fmt.Sprintf("F-%02d", i))
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				claims, err := b.Claim(context.Background(), flow.LaneStep, b.now, time.Minute, 5)
				if err != nil {
					return
				}
				mu.Lock()
				for _, c := range claims {
					seen[c.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, 50)
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
}

func TestADeadReplicasFlowComesBackAndItsLateSaveWritesNothing(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	dead := b.claim("F-1")
	b.now = b.now.Add(29 * time.Second)
	claims, err := b.Claim(t.Context(), flow.LaneStep, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claims, "the lease still runs")
	b.now = b.now.Add(2 * time.Second)
	b.claim("F-1")

	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	before := f
	f.State = flow.Queued
	_, err = b.Save(t.Context(), dead, flow.Save{Flow: f, From: flow.Planning, Due: b.now, Now: b.now})
	require.ErrorIs(t, err, flow.ErrLeaseLost)
	require.ErrorIs(t, b.Release(t.Context(), dead, b.now), flow.ErrLeaseLost)
	_, err = b.Extend(t.Context(), dead, b.now.Add(time.Hour))
	require.ErrorIs(t, err, flow.ErrLeaseLost)
	after, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestAStaleRecordIsNotWritten(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	c := b.claim("F-1")
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	f.Version--
	f.State = flow.Queued
	_, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: flow.Planning, Due: b.now, Now: b.now})
	require.ErrorIs(t, err, flow.ErrStale)
}

// The table lives once in code; this holds the scripts to it, move by move.
func TestEveryMoveIsLegalInTheStoreExactlyIfItIsInTheTable(t *testing.T) {
	b := newBench(t)
	road := map[flow.State][]flow.State{
		flow.Planning:         {},
		flow.AwaitingApproval: {flow.AwaitingApproval},
		flow.Scheduled:        {flow.Scheduled},
		flow.Queued:           {flow.Queued},
		flow.Submitting:       {flow.Queued, flow.Submitting},
		flow.Running:          {flow.Queued, flow.Submitting, flow.Running},
		flow.Unknown:          {flow.Queued, flow.Submitting, flow.Unknown},
	}
	n := 0
	for from, path := range road {
		for _, to := range flow.States {
			n++
			id := fmt.Sprintf("F-%03d", n)
			f := newFlow(id)
			f.Request.Wish.Change.ClusterID = id // a cluster of its own: seats don't interfere
			_, _, err := b.Accept(t.Context(), f, id, flow.Limits{})
			require.NoError(t, err)
			b.must(id, path...)
			err = b.move(id, to)
			if from.MayBecome(to) {
				require.NoError(t, err, "%s → %s", from, to)
			} else {
				require.ErrorIs(t, err, flow.ErrIllegal, "%s → %s", from, to)
			}
		}
	}
}

func TestAnEndedFlowTakesNothingMore(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	c := b.claim("F-1")
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	f.State = flow.Refused
	f, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: flow.Planning, Now: b.now})
	require.NoError(t, err)
	require.ErrorIs(t, b.Signal(t.Context(), "F-1", flow.Signal{Kind: flow.SignalCancel}, flow.Audit{}), flow.ErrIllegal)
	require.NoError(t, b.Wake(t.Context(), flow.LaneStep, "F-1", b.now))
	claims, err := b.Claim(t.Context(), flow.LaneStep, b.now.Add(time.Hour), time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claims)
	ttl, err := b.rdb.TTL(t.Context(), "test:{T1}:flow:F-1").Result()
	require.NoError(t, err)
	require.InDelta(t, redisstore.Retention.Seconds(), ttl.Seconds(), 5, "ended flows stay 90 days")
	require.Equal(t, flow.Refused, f.State)
}

func TestAnOpenFlowWithoutANextLookIsRefused(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	c := b.claim("F-1")
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	f.State = flow.Queued
	_, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: flow.Planning, Now: b.now})
	require.ErrorIs(t, err, flow.ErrIllegal)
}

func TestAClusterHasOneSeatAndALine(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"F-1", "F-2", "F-3"} {
		b.accept(id)
		b.must(id, flow.Queued)
	}
	require.ErrorIs(t, b.move("F-2", flow.Submitting), flow.ErrSeatTaken, "the seat is free, but F-1 came first")
	b.must("F-1", flow.Submitting)
	require.ErrorIs(t, b.move("F-2", flow.Submitting), flow.ErrSeatTaken)
	place, holder, err := b.Place(t.Context(), "acc/emr-1", "F-3")
	require.NoError(t, err)
	require.Equal(t, 2, place)
	require.Equal(t, "F-1", holder)

	// Proved not accepted: back to the head of the line, not to its end.
	b.must("F-1", flow.Queued)
	place, holder, err = b.Place(t.Context(), "acc/emr-1", "F-1")
	require.NoError(t, err)
	require.Equal(t, 1, place)
	require.Empty(t, holder)

	b.must("F-1", flow.Submitting, flow.Unknown)
	require.ErrorIs(t, b.move("F-2", flow.Submitting), flow.ErrSeatTaken, "an unknown flow keeps the seat")
	b.must("F-1", flow.Running)
	b.must("F-1", flow.Succeeded)
	b.must("F-2", flow.Submitting)
}

func TestAFreedSeatWakesTheLine(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	b.accept("F-2")
	b.must("F-1", flow.Queued, flow.Submitting)
	b.must("F-2", flow.Queued)
	c := b.claim("F-2")
	require.NoError(t, b.Release(t.Context(), c, b.now.Add(time.Hour)))
	b.must("F-1", flow.Failed)
	b.claim("F-2")
}

func TestAWakeDuringALeaseIsKept(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	c := b.claim("F-1")
	require.NoError(t, b.Wake(t.Context(), flow.LaneStep, "F-1", b.now.Add(time.Second)))
	require.NoError(t, b.Release(t.Context(), c, b.now.Add(time.Hour)))
	b.now = b.now.Add(2 * time.Second)
	c = b.claim("F-1")

	require.NoError(t, b.Wake(t.Context(), flow.LaneStep, "F-1", b.now))
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	_, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: f.State, Due: b.now.Add(time.Hour), Now: b.now})
	require.NoError(t, err)
	b.claim("F-1")
}

func TestASignalIsKeptUntilItWasTakenUp(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	c := b.claim("F-1")
	require.NoError(t, b.Release(t.Context(), c, b.now.Add(time.Hour)))
	require.NoError(t, b.Signal(t.Context(), "F-1", flow.Signal{Kind: flow.SignalCancel, By: "U1", At: b.now}, flow.Audit{Actor: "U1", Action: "cancel"}))
	c = b.claim("F-1")
	f, signals, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	require.Len(t, signals, 1)
	// A second one comes in while the first is taken up.
	require.NoError(t, b.Signal(t.Context(), "F-1", flow.Signal{Kind: flow.SignalClose, By: "U2", At: b.now}, flow.Audit{}))
	_, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: f.State, Due: b.now.Add(time.Hour), Now: b.now, Signals: 1})
	require.NoError(t, err)
	b.claim("F-1")
	_, signals, err = b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	require.Len(t, signals, 1)
	require.Equal(t, flow.SignalClose, signals[0].Kind)
	require.ErrorIs(t, b.Signal(t.Context(), "F-404", flow.Signal{}, flow.Audit{}), flow.ErrNotFound)
}

func TestKeepingTheLeaseAllowsOneMoreSaveAndNobodyElse(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	b.must("F-1", flow.Queued)
	c := b.claim("F-1")
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	f.State = flow.Submitting
	f, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: flow.Queued, Due: b.now, Keep: b.now.Add(30 * time.Second), Now: b.now})
	require.NoError(t, err)
	claims, err := b.Claim(t.Context(), flow.LaneStep, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claims)
	_, err = b.Reclaim(t.Context(), flow.Claim{Lane: flow.LaneStep, ID: "F-1", Fence: "somebody else"}, b.now, time.Minute)
	require.ErrorIs(t, err, flow.ErrLeaseLost)
	again, err := b.Reclaim(t.Context(), c, b.now, time.Minute)
	require.NoError(t, err)
	f.State = flow.Running
	_, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: flow.Submitting, Due: b.now, Now: b.now})
	require.ErrorIs(t, err, flow.ErrLeaseLost, "the old fence is void")
	_, err = b.Save(t.Context(), again, flow.Save{Flow: f, From: flow.Submitting, Due: b.now, Now: b.now})
	require.NoError(t, err)
}

func TestANewerRecordIsLeftAlone(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	require.NoError(t, b.rdb.HSet(t.Context(), "test:{T1}:flow:F-1", "n", flow.Schema+1).Err())
	_, _, err := b.Get(t.Context(), "F-1")
	require.ErrorIs(t, err, flow.ErrNewer)
	claims, err := b.Claim(t.Context(), flow.LaneStep, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claims)
	flows, err := b.List(t.Context(), flow.Filter{})
	require.NoError(t, err)
	require.Empty(t, flows)
}

func TestPostsAreWrittenOnlyUnderTheLeaseAndFoundByCard(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	require.NoError(t, b.Wake(t.Context(), flow.LaneChat, "F-1", b.now))
	claims, err := b.Claim(t.Context(), flow.LaneChat, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	p := flow.Posts{Cards: map[int]flow.Post{1: {MessageRef: flow.MessageRef{Channel: "C1", TS: "1.000001"}}}}
	require.ErrorIs(t, b.SavePosts(t.Context(), flow.Claim{ID: "F-1", Fence: "x"}, p), flow.ErrLeaseLost)
	_, _, err = b.ByCard(t.Context(), "C1", "1.000001")
	require.ErrorIs(t, err, flow.ErrNotFound)
	require.NoError(t, b.SavePosts(t.Context(), claims[0], p))
	id, n, err := b.ByCard(t.Context(), "C1", "1.000001")
	require.NoError(t, err)
	require.Equal(t, "F-1", id)
	require.Equal(t, 1, n)
	got, err := b.Posts(t.Context(), "F-1")
	require.NoError(t, err)
	p.Slipped = 1 // what the one without the lease may have sent
	require.Equal(t, p, got)
	require.NoError(t, b.Release(t.Context(), claims[0], time.Time{}))
	claims, err = b.Claim(t.Context(), flow.LaneChat, b.now.Add(time.Hour), time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1, "for the slip")
	require.NoError(t, b.Release(t.Context(), claims[0], time.Time{}))
	claims, err = b.Claim(t.Context(), flow.LaneChat, b.now.Add(2*time.Hour), time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claims)
}

// A write whose answer was lost may run behind the next one of the same lease.
func TestPostsThatArriveLateForgetNothing(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	require.NoError(t, b.Wake(t.Context(), flow.LaneChat, "F-1", b.now))
	claims, err := b.Claim(t.Context(), flow.LaneChat, b.now, time.Minute, 10)
	require.NoError(t, err)
	older := flow.Posts{Version: 1}
	newer := flow.Posts{Version: 2, Notices: map[string]flow.Post{"notice/succeeded/C1": {Hash: "x"}}}
	require.NoError(t, b.SavePosts(t.Context(), claims[0], newer))
	require.ErrorIs(t, b.SavePosts(t.Context(), claims[0], older), flow.ErrStale)
	got, err := b.Posts(t.Context(), "F-1")
	require.NoError(t, err)
	require.Equal(t, newer, got)
	require.NoError(t, b.SavePosts(t.Context(), claims[0], newer), "the same once more is no harm")
	require.NoError(t, b.rdb.Del(t.Context(), "test:{T1}:posts:F-1").Err())
	got, err = b.Posts(t.Context(), "F-1")
	require.NoError(t, err)
	require.EqualValues(t, 2, got.Version, "or nothing would be taken any more")
}

func TestListWalksAllPagesNewestFirst(t *testing.T) {
	b := newBench(t)
	for i := range 250 {
		f := newFlow(fmt.Sprintf("F-%03d", i))
		f.CreatedAt = noon.Add(time.Duration(i) * time.Second)
		if i%50 == 0 {
			f.Request.User = "U9"
		}
		_, _, err := b.Accept(t.Context(), f, f.ID, flow.Limits{})
		require.NoError(t, err)
	}
	mine, err := b.List(t.Context(), flow.Filter{User: "U9", Open: true})
	require.NoError(t, err)
	require.Len(t, mine, 5)
	require.Equal(t, "F-200", mine[0].ID)
	recent, err := b.List(t.Context(), flow.Filter{Since: noon.Add(240 * time.Second), Limit: 1000})
	require.NoError(t, err)
	require.Len(t, recent, 10)
	few, err := b.List(t.Context(), flow.Filter{Limit: 3})
	require.NoError(t, err)
	require.Len(t, few, 3)
}

func TestEveryMoveLeavesOneAuditEntry(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	b.must("F-1", flow.Queued, flow.Submitting, flow.Running, flow.Succeeded)
	require.ErrorContains(t, b.tryMove("F-1", flow.Running), "due", "an ended flow can't even be claimed")
	entries := audit(b)
	require.Len(t, entries, 5)
	require.Equal(t, "planning", entries[0].Values["to"])
	for i, to := range []string{"queued", "submitting", "running", "succeeded"} {
		e := entries[i+1].Values
		require.Equal(t, to, e["to"])
		require.Equal(t, "F-1", e["flow"])
		require.Equal(t, fmt.Sprint(i+2), e["version"])
		require.NotEmpty(t, e["at"])
		require.Equal(t, "scalebot", e["actor"])
	}
}

func (b *bench) tryMove(id string, _ flow.State) error {
	claims, err := b.Claim(b.t.Context(), flow.LaneStep, b.now.Add(time.Hour), time.Second, 10)
	if err != nil {
		return err
	}
	for _, c := range claims {
		if c.ID == id {
			return nil
		}
	}
	return errors.New(id + " is not due")
}

func audit(b *bench) []redis.XMessage {
	b.t.Helper()
	entries, err := b.rdb.XRange(b.t.Context(), "test:{T1}:audit", "-", "+").Result()
	require.NoError(b.t, err)
	return entries
}

func TestTheSharedPaceHoldsAcrossClients(t *testing.T) {
	s := redistest.Start(t)
	a, b := redisstore.NewPacer(s.Client(t), "test"), redisstore.NewPacer(s.Client(t), "test")
	start := time.Now()
	for i := range 15 {
		p := a
		if i%2 == 1 {
			p = b
		}
		require.NoError(t, p.Wait(t.Context(), "api", 10))
	}
	require.GreaterOrEqual(t, time.Since(start), 400*time.Millisecond, "10 at once, the other 5 at 10 a second")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, a.Wait(ctx, "api", 10), context.DeadlineExceeded)
}

func TestFlagsAndOnce(t *testing.T) {
	b := newBench(t)
	v, err := b.Flag(t.Context(), "plain_cards")
	require.NoError(t, err)
	require.Empty(t, v)
	require.NoError(t, b.SetFlag(t.Context(), "plain_cards", "1"))
	v, err = b.Flag(t.Context(), "plain_cards")
	require.NoError(t, err)
	require.Equal(t, "1", v)
	first, err := b.Once(t.Context(), "e1", time.Minute)
	require.NoError(t, err)
	require.True(t, first)
	first, err = b.Once(t.Context(), "e1", time.Minute)
	require.NoError(t, err)
	require.False(t, first)
	require.NoError(t, b.Ping(t.Context()))
	h, err := redisstore.Inspect(t.Context(), b.rdb)
	require.NoError(t, err)
	if h.Version != "" {
		require.Equal(t, "noeviction", h.Eviction)
		require.Equal(t, "off", h.AOF)
	}
}
