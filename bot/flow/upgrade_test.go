package flow_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
)

// writeSchema keeps the records of this version beside those of earlier ones: to be
// used once, when flow.Schema is raised.
var writeSchema = flag.Bool("write-schema", false, "write testdata/schema-N anew")

// atRest are flows in states that an upgrade may find, with the records of this
// version.
func (w *world) atRest() map[flow.State]string {
	ids := map[flow.State]string{}
	ids[flow.Running] = w.request(ask(flow.Add, 2))
	w.settle()
	ids[flow.Queued] = w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(ids[flow.Queued], 1, "white_check_mark", lead1)
	ids[flow.AwaitingApproval] = w.request(prepaid(1))
	later := ask(flow.Add, 1)
	later.StartAt = noon.Add(time.Hour)
	ids[flow.Scheduled] = w.request(later)
	w.settle()
	ids[flow.Planning] = w.request(ask(flow.Set, 5))
	for s, id := range ids {
		w.in(id, s)
	}
	return ids
}

func TestWriteTheRecordsOfThisSchema(t *testing.T) {
	if !*writeSchema {
		t.Skip("only when flow.Schema is raised: -write-schema")
	}
	w := newWorld(t)
	for s, id := range w.atRest() {
		text, err := w.rdb.HGet(t.Context(), "test:{T1}:flow:"+id, "j").Result()
		require.NoError(t, err)
		var record any
		require.NoError(t, json.Unmarshal([]byte(text), &record))
		pretty, err := json.MarshalIndent(record, "", "  ")
		require.NoError(t, err)
		file := filepath.Join("testdata", fmt.Sprint("schema-", flow.Schema), string(s)+".json")
		require.NoError(t, os.WriteFile(file, append(pretty, '\n'), 0o600))
	}
}

// put writes a record as an earlier version left it.
func (w *world) put(s flow.State, record []byte, schema int) flow.Flow {
	w.t.Helper()
	ctx := w.t.Context()
	var f flow.Flow
	require.NoError(w.t, json.Unmarshal(record, &f))
	key, seat := "test:{T1}:flow:"+f.ID, flow.SeatKey(f.Request.Wish.Change)
	require.NoError(w.t, w.rdb.HSet(ctx, key, "j", record, "v", f.Version, "s", string(s), "n", schema, "t", seat).Err())
	at := redis.Z{Score: float64(noon.UnixMilli()), Member: f.ID}
	for _, index := range []string{"due:step", "open", "all"} {
		require.NoError(w.t, w.rdb.ZAdd(ctx, "test:{T1}:"+index, at).Err())
	}
	switch {
	case s == flow.Queued:
		require.NoError(w.t, w.rdb.ZAdd(ctx, "test:{T1}:line:"+seat, redis.Z{Score: 1, Member: f.ID}).Err())
	case s.HoldsSeat():
		require.NoError(w.t, w.rdb.Set(ctx, "test:{T1}:seat:"+seat, f.ID, 0).Err())
	}
	return f
}

// What an earlier version recorded is read and carried on, from every state.
func TestRecordsOfEarlierVersionsAreCarriedOn(t *testing.T) {
	files, err := filepath.Glob("testdata/schema-*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	ends := map[flow.State]flow.State{ // of a cloud that knows nothing of them
		flow.Planning: flow.Succeeded, flow.AwaitingApproval: flow.Expired, flow.Scheduled: flow.Succeeded,
		flow.Queued: flow.AwaitingApproval, flow.Running: flow.Unknown,
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			w := newWorld(t)
			record, err := os.ReadFile(file)
			require.NoError(t, err)
			var schema int
			_, err = fmt.Sscanf(filepath.Base(filepath.Dir(file)), "schema-%d", &schema)
			require.NoError(t, err)
			state := flow.State(strings.TrimSuffix(filepath.Base(file), ".json"))
			f := w.put(state, record, schema)
			got := w.flow(f.ID)
			got.Schema = f.Schema
			require.Equal(t, f, got, "read as it was written")
			again, err := json.Marshal(got)
			require.NoError(t, err)
			require.JSONEq(t, string(record), string(again), "nothing of it is lost when it is saved")
			w.pass(5 * time.Minute)
			if state == flow.AwaitingApproval || state == flow.Scheduled {
				w.clock.Advance(4 * time.Hour)
				w.pass(5 * time.Minute)
			}
			want, known := ends[state]
			require.True(t, known)
			w.in(f.ID, want)
		})
	}
}

// What a newer version recorded is left exactly as it is, and keeps nobody else
// waiting.
func TestRecordsOfNewerVersionsAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	newer := `{"schema":99,"id":"F-NEWR","version":3,"state":"levitating","request":{"wish":{"change":{"account":"acc","cluster_id":"emr-1"}}},"unheard":{"of":1}}`
	f := w.put("levitating", []byte(newer), 99)
	before, err := w.rdb.HGetAll(t.Context(), "test:{T1}:flow:"+f.ID).Result()
	require.NoError(t, err)
	mine := w.request(ask(flow.Add, 1))
	w.pass(5 * time.Minute)
	w.in(mine, flow.Succeeded)
	_, err = w.desk.Cancel(t.Context(), w.caller(asker), f.ID)
	require.Error(t, err)
	require.NoError(t, w.desk.Reconcile(t.Context(), func(int) time.Duration { return 0 }))
	after, err := w.rdb.HGetAll(t.Context(), "test:{T1}:flow:"+f.ID).Result()
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = w.rdb.ZScore(t.Context(), "test:{T1}:due:step", f.ID).Result()
	require.NoError(t, err, "still scheduled, for whoever knows it")
	open, err := w.rdb.ZScore(t.Context(), "test:{T1}:open", f.ID).Result()
	require.NoError(t, err)
	require.Positive(t, open)
}

// replica is one process of the bot, in this one.
type replica struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

func (w *world) start() *replica {
	ctx, stop := context.WithCancel(context.Background())
	r := &replica{stop: stop}
	o := w.options
	o.Memory = nil // what a process knows dies with it
	engine, courier := flow.NewEngine(o), flow.NewCourier(o)
	r.done.Go(func() { _ = engine.Run(ctx) })
	r.done.Go(func() { _ = courier.Run(ctx) })
	return r
}

// Three replicas are replaced one after the other, again and again, while fifty
// flows run on ten clusters: nothing is lost and nothing is done twice.
func TestARollingRestartLosesNothing(t *testing.T) {
	const clusters, each = 10, 5
	w := newWorld(t, free)
	w.options.Lease = 10 * time.Minute // steps are slow only because the machine is
	clouds, catalog, own := flowtest.Clouds{}, flow.Catalog{}, map[string]*flowtest.Cloud{}
	for i := range clusters {
		name := fmt.Sprint("c", i)
		own[name] = flowtest.NewCloud(w.clock, 3)
		clouds[name] = own[name]
		c := w.options.Catalog["emr"]
		c.Name, c.Account, c.ID = name, name, name+"-id"
		catalog[name] = c
	}
	w.options.Clouds, w.options.Catalog = clouds, catalog
	w.wire()
	var ids []string
	for i := range clusters * each {
		a := ask(flow.Add, 1)
		a.Cluster = fmt.Sprint("c", i%clusters)
		ids = append(ids, w.request(a))
	}
	replicas := []*replica{w.start(), w.start(), w.start()}
	restarts := 0
	over := time.Now().Add(90 * time.Second)
	for ended := 0; ended < len(ids); {
		require.True(t, time.Now().Before(over), "%d of %d ended after %d restarts", ended, len(ids), restarts)
		i := restarts % len(replicas)
		replicas[i].stop()
		replicas[i].done.Wait()
		replicas[i] = w.start()
		restarts++
		w.clock.Advance(5 * time.Second)
		ended = 0
		for _, id := range ids {
			if w.stateNow(id).Ended() {
				ended++
			}
		}
	}
	for _, r := range replicas {
		r.stop()
		r.done.Wait()
	}
	w.pass(time.Minute) // whatever Slack still lacks
	t.Logf("%d restarts", restarts)
	require.Greater(t, restarts, 9)
	for _, id := range ids {
		w.in(id, flow.Succeeded)
	}
	for name, c := range own {
		require.Equal(t, each, c.Accepted(), name)
		require.Len(t, c.Ledger(), each, "%s: nothing was sent that was not taken", name)
		require.Equal(t, 3+each, c.Count(), name)
	}
	posts := map[string]int{}
	for _, m := range w.slack.Messages() {
		if !m.Deleted && m.Private == "" {
			posts[fmt.Sprint(m.Payload["flow"], " ", m.Key, " ", m.Message.Channel)]++
		}
	}
	for key, n := range posts {
		require.Equal(t, 1, n, key)
	}
	require.Len(t, slices.DeleteFunc(w.slack.Keyed("notice/"), func(p flowtest.Posted) bool { return p.Private != "" }), 2*len(ids))
	w.consistent()
	report, err := w.store.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}
