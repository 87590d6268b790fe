package redisstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
)

// trips counts what is sent to Redis: a pipeline is one.
type trips struct{ n atomic.Int64 }

func (c *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmds)
	}
}

// counted is how many round trips something takes.
func (b *bench) counted(do func()) int64 {
	b.t.Helper()
	c := &trips{}
	switch rdb := b.rdb.(type) {
	case *redis.Client:
		rdb.AddHook(c)
	case *redis.ClusterClient: // what goes out to its nodes is counted once, here
		rdb.AddHook(c)
	default:
		require.Fail(b.t, "no such client")
	}
	do()
	n := c.n.Load()
	require.NotZero(b.t, n)
	return n
}

// old records flows as an earlier version did: without the indexes.
func old(t testing.TB, rdb redis.UniversalClient, flows ...flow.Flow) {
	t.Helper()
	for len(flows) > 0 {
		pipe := rdb.Pipeline()
		for _, f := range flows[:min(len(flows), 2000)] {
			record, err := json.Marshal(f)
			require.NoError(t, err)
			pipe.HSet(t.Context(), "test:{T1}:flow:"+f.ID, "j", record, "v", 1, "s", string(f.State), "n", flow.Schema, "t", "acc/emr-1")
			pipe.ZAdd(t.Context(), "test:{T1}:all", redis.Z{Score: float64(f.CreatedAt.UnixMilli()), Member: f.ID})
		}
		_, err := pipe.Exec(t.Context())
		require.NoError(t, err)
		flows = flows[min(len(flows), 2000):]
	}
}

// many are flows of others, on other clusters, one a second up to noon.
func many(n int) []flow.Flow {
	flows := make([]flow.Flow, n)
	for i := range flows {
		flows[i] = of(fmt.Sprintf("F-X%05d", i), fmt.Sprint("U", 1000+i%30), fmt.Sprint("c", i%40), -time.Duration(n-i)*time.Second)
	}
	return flows
}

// of is somebody's flow on a cluster, made some time before or after noon.
func of(id, user, cluster string, after time.Duration) flow.Flow {
	f := newFlow(id)
	f.Request.User, f.Request.Wish.Change.Cluster, f.CreatedAt = user, cluster, noon.Add(after)
	f.State = flow.Succeeded
	return f
}

func (b *bench) take(f flow.Flow) {
	b.t.Helper()
	f.State = flow.Planning
	_, fresh, err := b.Accept(b.t.Context(), f, f.ID, flow.Limits{})
	require.NoError(b.t, err)
	require.True(b.t, fresh)
}

// found are the ids that a walk gives, in its order.
func (b *bench) found(q flow.Filter) []string {
	b.t.Helper()
	ids := []string{}
	require.NoError(b.t, b.Walk(b.t.Context(), q, func(f flow.Flow) error { ids = append(ids, f.ID); return nil }))
	return ids
}

// entries are what a sorted set holds.
func (b *bench) entries(key string) []string {
	b.t.Helper()
	ids, err := b.rdb.ZRange(b.t.Context(), "test:{T1}:"+key, 0, -1).Result()
	require.NoError(b.t, err)
	return ids
}

func TestAPersonsFewFlowsAreFoundAmongThoseOfAllOthers(t *testing.T) {
	b := newBench(t)
	old(t, b.rdb, many(20_000)...)
	require.NoError(t, b.CatchUp(t.Context()))
	b.take(of("F-1", "U9", "mine", -5*time.Hour))
	b.take(of("F-2", "U9", "c1", -3*time.Hour))
	b.take(of("F-3", "U9", "mine", -time.Hour))
	b.take(of("F-4", "U8", "mine", -time.Minute))
	for _, c := range []struct {
		filter flow.Filter
		want   []string
	}{
		{flow.Filter{User: "U9"}, []string{"F-3", "F-2", "F-1"}},
		{flow.Filter{User: "U9", Since: noon.Add(-4 * time.Hour)}, []string{"F-3", "F-2"}},
		{flow.Filter{User: "U9", Open: true}, []string{"F-3", "F-2", "F-1"}},
		{flow.Filter{Cluster: "mine"}, []string{"F-4", "F-3", "F-1"}},
		{flow.Filter{Cluster: "mine", User: "U9"}, []string{"F-3", "F-1"}},
		{flow.Filter{Cluster: "c1", User: "U9"}, []string{"F-2"}}, // hundreds on c1
		{flow.Filter{User: "U1001", Cluster: "mine"}, []string{}}, // many of theirs
		{flow.Filter{User: "nobody"}, []string{}},
	} {
		n := b.counted(func() { require.Equal(t, c.want, b.found(c.filter), "%+v", c.filter) })
		require.LessOrEqual(t, n, int64(6), "%+v", c.filter)
	}
	all, err := b.List(t.Context(), flow.Filter{Limit: 1 << 16})
	require.NoError(t, err)
	require.Len(t, all, 20_004)
}

// A flow that an earlier version recorded is not missing for a moment: neither from
// before the upgrade nor from an old replica that still works beside a new one.
func TestFlowsThatAnEarlierVersionRecordedAreFound(t *testing.T) {
	b := newBench(t)
	require.Empty(t, b.found(flow.Filter{User: "U9"}), "an empty store")
	old(t, b.rdb, many(2500)...) // more than one script looks at
	old(t, b.rdb, of("F-1", "U9", "mine", -time.Hour))
	require.Equal(t, []string{"F-1"}, b.found(flow.Filter{User: "U9"}))
	b.take(of("F-2", "U9", "mine", time.Second))
	for i := range 5 {
		id := fmt.Sprint("F-OLD", i)
		old(t, b.rdb, of(id, "U9", id, time.Duration(2+i)*time.Second))
		require.Equal(t, id, b.found(flow.Filter{User: "U9"})[0])
		require.Equal(t, []string{id}, b.found(flow.Filter{Cluster: id}))
	}
	old(t, b.rdb, of("F-LATE", "U9", "mine", -30*time.Minute)) // by a clock that is behind
	require.Equal(t, []string{"F-OLD4", "F-OLD3", "F-OLD2", "F-OLD1", "F-OLD0", "F-2", "F-LATE", "F-1"}, b.found(flow.Filter{User: "U9"}))
	require.Equal(t, b.entries("all"), b.entries("indexed"))
	require.LessOrEqual(t, b.counted(func() { b.found(flow.Filter{User: "U9"}) }), int64(5), "once put in, nothing is looked for again")
}

// What of an upgrade was done stays done, and what it can't read is nobody's.
func TestACatchUpGoesOnWhereItWasCut(t *testing.T) {
	b := newBench(t)
	old(t, b.rdb, many(1000)...)
	old(t, b.rdb, of("F-GONE", "U9", "mine", 0), of("F-NEWER", "U9", "mine", 0))
	require.NoError(t, b.rdb.Del(t.Context(), "test:{T1}:flow:F-GONE").Err())
	require.NoError(t, b.rdb.HSet(t.Context(), "test:{T1}:flow:F-NEWER", "n", flow.Schema+1, "j", `{"unheard":{"of":1}}`).Err())
	ctx, stop := context.WithCancel(t.Context())
	cut := &after{left: 3, do: stop}
	b.rdb.(interface{ AddHook(redis.Hook) }).AddHook(cut)
	require.Error(t, b.CatchUp(ctx))
	done := len(b.entries("indexed"))
	require.Positive(t, done)
	require.Less(t, done, 1000)
	require.Empty(t, b.found(flow.Filter{User: "U9"}))
	require.Equal(t, b.entries("all"), b.entries("indexed"))
	require.Len(t, b.found(flow.Filter{Cluster: "c7"}), 25)
}

// after does something before the last of some commands.
type after struct {
	trips
	left int
	do   func()
}

func (a *after) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if a.left--; a.left == 0 {
			a.do()
		}
		return next(ctx, cmd)
	}
}

// The index of a person shows what the main one shows, however long they were away,
// and goes when nothing of theirs is left.
func TestIndexesForgetWhatTheMainOneForgets(t *testing.T) {
	b := newBench(t)
	day := 24 * time.Hour
	b.take(of("F-1", "U9", "mine", 0))
	b.take(of("F-2", "U9", "mine", 50*day))
	b.take(of("F-3", "U8", "other", 91*day))
	require.Equal(t, []string{"F-2"}, b.found(flow.Filter{User: "U9"}), "trimmed by another's request")
	require.Equal(t, []string{"F-2"}, b.found(flow.Filter{Cluster: "mine"}))
	require.Equal(t, []string{"F-2", "F-3"}, b.entries("indexed"))
	b.take(of("F-4", "U9", "mine", 92*day))
	for _, key := range []string{"by:user:U9", "by:cluster:mine"} {
		require.Equal(t, []string{"F-2", "F-4"}, b.entries(key))
		ttl, err := b.rdb.TTL(t.Context(), "test:{T1}:"+key).Result()
		require.NoError(t, err)
		// A record is kept for the retention after its end, so one is not enough.
		require.InDelta(t, 2*redisstore.Retention.Seconds(), ttl.Seconds(), 5, key)
	}

	// An old replica trims the main index alone.
	require.NoError(t, b.rdb.ZRemRangeByScore(t.Context(), "test:{T1}:all", "-inf", strconv.FormatInt(noon.Add(60*day).UnixMilli(), 10)).Err())
	require.Equal(t, []string{"F-4"}, b.found(flow.Filter{User: "U9"}))
	old(t, b.rdb, of("F-5", "U9", "mine", 93*day))
	require.Equal(t, []string{"F-5", "F-4"}, b.found(flow.Filter{User: "U9"}), "what it left behind hides nothing that is missing")
}

// Flows that come faster than they can be put in keep nobody waiting: all are read then.
func TestAWalkEndsAlsoWhileAnOldReplicaGoesOn(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	busy := &beforeScripts{}
	n := 0
	busy.do = func() {
		n++
		old(t, b.rdb, of(fmt.Sprintf("F-%05d", n), "U9", "mine", time.Duration(n)*time.Second))
	}
	b.rdb.(interface{ AddHook(redis.Hook) }).AddHook(busy)
	got := []string{}
	require.NoError(t, b.Walk(ctx, flow.Filter{User: "U9"}, func(f flow.Flow) error { got = append(got, f.ID); return nil }))
	require.Len(t, got, n)
	require.Less(t, n, 20)
}

// beforeScripts does something before every script, outside of any pipeline.
type beforeScripts struct {
	trips
	do func()
}

func (h *beforeScripts) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			h.do()
		}
		return next(ctx, cmd)
	}
}

// More in indexed than there are could hide as many that are missing.
func TestIndexesThatHaveMoreThanThereIsAreMadeAnew(t *testing.T) {
	b := newBench(t)
	b.take(of("F-1", "U9", "mine", 0))
	b.take(of("F-2", "U9", "mine", time.Second))
	require.NoError(t, b.rdb.ZRem(t.Context(), "test:{T1}:all", "F-2").Err())
	b.found(flow.Filter{User: "U9"})
	require.Equal(t, b.entries("all"), b.entries("indexed"))
}

// Redis forgot the flow with its place in the indexes; whoever knows it brings both
// back.
func TestAGraftedFlowIsFoundByPersonAndCluster(t *testing.T) {
	b := newBench(t)
	b.take(of("F-0", "U9", "mine", -time.Hour))
	require.NoError(t, b.graft("F-1", flow.Running, false))
	require.Equal(t, []string{"F-1"}, b.entries("by:user:U1"))
	require.Equal(t, []string{"F-1"}, b.entries("by:cluster:emr"))
	require.Equal(t, []string{"F-0", "F-1"}, b.entries("indexed"))
	require.Equal(t, []string{"F-1"}, b.found(flow.Filter{User: "U1", Cluster: "emr"}))
	require.NoError(t, b.graft("F-1", flow.Succeeded, false), "over a record that is there")
	require.Equal(t, []string{"F-1"}, b.found(flow.Filter{User: "U1"}))
	ttl, err := b.rdb.TTL(t.Context(), "test:{T1}:by:user:U1").Result()
	require.NoError(t, err)
	require.InDelta(t, 2*redisstore.Retention.Seconds(), ttl.Seconds(), 5)
}

// BenchmarkHomeTab reads what a home tab shows of one person in a store of 90 days.
func BenchmarkHomeTab(b *testing.B) {
	text, err := os.ReadFile("../flow/testdata/schema-1/running.json") // a record as long as they are
	require.NoError(b, err)
	var real flow.Flow
	require.NoError(b, json.Unmarshal(text, &real))
	flows := append(many(100_000), of("F-1", "U9", "mine", 0), of("F-2", "U9", "mine", 0), of("F-3", "U9", "mine", 0))
	for i, f := range flows {
		flows[i] = real
		flows[i].ID, flows[i].CreatedAt, flows[i].Request.User = f.ID, f.CreatedAt, f.Request.User
		flows[i].Request.Wish.Change.Cluster = f.Request.Wish.Change.Cluster
	}
	rdb := redistest.Start(b).Client(b)
	old(b, rdb, flows...)
	s := redisstore.New(rdb, "test", "T1")
	began := time.Now()
	require.NoError(b, s.CatchUp(b.Context()))
	upgrade := time.Since(began)
	c := &trips{}
	rdb.AddHook(c)
	for b.Loop() {
		mine, err := s.List(b.Context(), flow.Filter{User: "U9", Limit: 50})
		require.NoError(b, err)
		require.Len(b, mine, 3)
	}
	b.ReportMetric(float64(c.n.Load())/float64(b.N), "trips/op")
	b.ReportMetric(upgrade.Seconds(), "s/catch-up")
}
