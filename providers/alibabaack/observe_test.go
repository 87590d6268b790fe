package alibabaack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func TestObserveOnTheWire(t *testing.T) {
	b := newBench(t)
	b.cluster("running", web, fakePool{id: "np2", state: "scaling", nodes: 1, group: `"instance_types":[]`, node: `"instance_type":"ecs.g7.large"`})
	b.tasks("T-1 nodepool_scaleout 2026-11-24T19:00:00+08:00", "T-2 cluster_upgrade 2026-11-24T20:00:00+08:00", "T-3 nodepool_scaleout 2026-11-24T12:00:00Z")
	s := b.observe(t, change("workers", 1))
	require.Equal(t, "GET /clusters/c1", b.of("DescribeClusterDetail")[0].method+" "+b.of("DescribeClusterDetail")[0].path)
	require.Equal(t, "/clusters/c1/nodepools", b.of("DescribeClusterNodePools")[0].path)
	nodes := b.of("DescribeClusterNodes")[0]
	require.Equal(t, "/clusters/c1/nodes?pageNumber=1&pageSize=100&state=all", nodes.path+"?"+nodes.query.Encode())
	require.Equal(t, "/clusters/c1/tasks?page_number=1&page_size=50", b.of("DescribeClusterTasks")[0].path+"?"+b.of("DescribeClusterTasks")[0].query.Encode())
	require.Equal(t, noon, s.At)
	require.Equal(t, "c1", s.ID)
	require.Equal(t, "web", s.Name)
	require.Equal(t, providers.Ready, s.Phase, "another pool's work holds nobody up")
	require.Equal(t, "running", s.Status)
	var have []string
	for _, g := range s.Groups {
		have = append(have, fmt.Sprintf("%s %d/%d %s", g.ID, g.Count, len(g.Nodes), g.InstanceType))
	}
	require.Equal(t, []string{"np1 5/5 ecs.c5.xlarge", "np2 1/1 ecs.g7.large", "workers 6/6 "}, have, "size 9 counts masters and is not used")
	g, _ := s.Group("np1")
	require.Equal(t, providers.Node{
		ID: "i-np1-0", Name: "cn-beijing.10.0.np1.0", IP: "10.0.0.0", InstanceType: "ecs.c5.xlarge", Charge: providers.Postpaid, Created: g.Nodes[0].Created,
	}, g.Nodes[0])
	require.True(t, g.Nodes[0].Created.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	all, _ := s.Group(allWorkers)
	require.Equal(t, keepElsewhere, all.Nodes[5].Keep, "chosen from the default pool only")
	require.Equal(t, map[string]string{
		factVersion: "1.30.1-aliyun.1", factProfile: "Default", factMembers + "np1": "i-np1-0,i-np1-1,i-np1-2,i-np1-3,i-np1-4", factMembers + "np2": "i-np2-0",
		factPool + "np1": s.Facts[factPool+"np1"], factNewest: "2026-11-24T12:00:00Z", factTasks: "T-2,T-3", factWorking: "np2",
	}, s.Facts)
	f, ok := fact(s, "np1")
	require.True(t, ok)
	five := 5
	require.Equal(t, poolFact{State: "active", Desired: &five, Charge: providers.Postpaid, Spec: spec{
		Types: []string{"ecs.c5.xlarge"}, System: disk{"cloud_efficiency", 120, ""}, Data: []disk{{"cloud_ssd", 200, ""}},
	}}, f)
	raw, err := json.Marshal(s)
	require.NoError(t, err)
	require.NotContains(t, string(raw), password)
}

func TestObserveCounts(t *testing.T) {
	b := newBench(t)
	p := web
	p.total, p.extra = 7, `,"status":{"state":"removing","total_nodes":7,"removing_nodes":2}`
	b.cluster("running", p)
	b.nodes(
		nodeJSON(web, 0, "Ready"), nodeJSON(web, 1, "NotReady"),
		`{"instance_id":"i-going","nodepool_id":"np1","instance_role":"Worker","state":"removing"}`,
		`{"instance_id":"i-master","instance_role":"Master","state":"running"}`,
		`{"instance_id":"","nodepool_id":"np1","state":"initial"}`,
		`{"instance_id":"i-free","instance_role":"Worker","instance_type":"ens.sn1.tiny"}`,
	)
	s := b.observe(t, change("workers", 1))
	g, _ := s.Group("np1")
	require.Equal(t, 5, g.Count, "total less removing")
	require.Equal(t, []string{"i-np1-0", "i-np1-1"}, ids(g.Nodes))
	g, _ = s.Group(allWorkers)
	require.Equal(t, 4, g.Count, "masters and the leaving are out, one without an id is in")
	require.Equal(t, []string{"i-free", "i-np1-0", "i-np1-1"}, ids(g.Nodes))
	require.Equal(t, providers.Busy, s.Phase, "the group's own pool is at work")
	require.Equal(t, "running, node pool np1 removing", s.Status)

	g, _ = b.observe(t, change("edge", 1)).Group(ensWorkers)
	require.Equal(t, []string{"i-free"}, ids(g.Nodes), "ECS machines of an edge cluster are not its edge nodes")
	require.Equal(t, 2, g.Count)
}

func TestKeepReasons(t *testing.T) {
	for fields, want := range map[string]string{
		`"instance_id":"i","instance_charge_type":"PostPaid","is_aliyun_node":true`: "",
		`"instance_id":"i"`: "",
		`"instance_id":"i","instance_charge_type":"PostPaid","spot_strategy":"SpotWithPriceLimit"`:      "",
		`"instance_id":"i","instance_charge_type":"PrePaid","expired_time":"2027-01-01T00:00:00+08:00"`: keepPrepaid,
		`"instance_id":"i","is_aliyun_node":false`:                                                      keepForeign,
		`"instance_id":"","node_name":"n"`:                                                              keepNoID,
	} {
		b := newBench(t)
		b.nodes(`{"nodepool_id":"np1",` + fields + `}`)
		g, _ := b.observe(t, change("workers", 1)).Group("np1")
		require.Len(t, g.Nodes, 1)
		require.Equal(t, want, g.Nodes[0].Keep, fields)
		require.Equal(t, strings.Contains(fields, "expired"), !g.Nodes[0].Expires.IsZero())
		require.Equal(t, strings.Contains(fields, "SpotWith"), g.Nodes[0].Charge == providers.Spot)
	}
}

// Every state of the reference means what it says there; an unlisted one is
// busy and shown.
func TestStates(t *testing.T) {
	b := newBench(t)
	for phase, states := range map[providers.Phase][]string{
		providers.Ready:   {"running"},
		providers.Busy:    {"scaling", "updating", "upgrading", "removing", "draining", "initial", "hibernating"},
		providers.Blocked: {"updating_failed", "failed", "disconnected", "stopped", "waiting", "delete_failed"},
		providers.Gone:    {"deleting", "deleted"},
	} {
		for _, state := range states {
			b.cluster(state, web)
			s := b.observe(t, change("workers", 1))
			require.Equal(t, phase, s.Phase, state)
			require.Equal(t, state, s.Status)
		}
	}
	for _, state := range []string{"scaling", "removing", "updating", "deleting", "strange"} {
		p := web
		p.state = state
		b.cluster("running", p)
		require.Equal(t, providers.Busy, b.observe(t, change("workers", 1)).Phase, state)
		b.cluster("deleting", p)
		require.Equal(t, providers.Gone, b.observe(t, change("workers", 1)).Phase)
	}
}

func TestWarnings(t *testing.T) {
	b := newBench(t)
	p := web
	p.extra = `,"auto_scaling":{"enable":true,"min_instances":2,"max_instances":9}`
	b.cluster("running", p)
	s := b.observe(t, change("workers", 1))
	g, _ := s.Group("np1")
	require.Len(t, g.Warnings, 1)
	require.Contains(t, g.Warnings[0].EN, "2 to 9")
	require.Equal(t, "np1", s.Facts[factScaler])
	g, _ = s.Group(allWorkers)
	require.Len(t, g.Warnings, 2)
	require.Contains(t, g.Warnings[0].EN, "np1", "its nodes are presumed to go to the default pool")
	require.Contains(t, g.Warnings[1].EN, "phases out")
	require.Contains(t, g.Warnings[1].EN, "Group workers (node pool np1)", "the better way is named")
	require.Contains(t, g.Warnings[1].ZH, "np1")

	b.cluster("running", web)
	g, _ = b.observe(t, change("edge", 1)).Group(ensWorkers)
	require.Len(t, g.Warnings, 1)
	require.NotContains(t, g.Warnings[0].EN, "better way", "no pool of that cluster is configured")
	g, _ = b.observe(t, change("workers", 1)).Group("np1")
	require.Empty(t, g.Warnings)
}

func TestListingsAreReadWhole(t *testing.T) {
	b := newBench(t)
	var all []string
	for i := range 250 {
		all = append(all, nodeJSON(web, i, "Ready"))
	}
	page := func(l []string) answer {
		return ok(fmt.Sprintf(`{"nodes":[%s],"page":{"total_count":250}}`, strings.Join(l, ",")))
	}
	b.next("DescribeClusterNodes", page(all[:100]), page(all[100:200]), page(all[200:]))
	g, _ := b.observe(t, change("workers", 1)).Group("np1")
	require.Len(t, g.Nodes, 250)
	require.Equal(t, "3", b.of("DescribeClusterNodes")[2].query.Get("pageNumber"))

	// A listing that stays short of its total, or repeats itself, is no small cluster.
	b.next("DescribeClusterNodes", page(all[:100]), page(all[:100]))
	_, err := b.p.Observe(context.Background(), ref(change("workers", 1)))
	require.Equal(t, providers.Retry, providers.KindOf(err))
	b.next("DescribeClusterNodes", page(all[:100]), page(nil))
	_, err = b.p.Observe(context.Background(), ref(change("workers", 1)))
	require.Equal(t, providers.Retry, providers.KindOf(err))
}

// A cluster whose tasks can't be listed is read all the same, without a note of
// them: nothing else of it is in doubt.
func TestTasksThatCantBeListed(t *testing.T) {
	for name, say := range map[string]answer{
		"no right":          fault(403, "Forbidden.RAM"),
		"a fault":           fault(503, "ServiceUnavailable"),
		"refused":           fault(400, "InvalidParameter"),
		"no such action":    fault(404, "InvalidAction"),
		"no count":          ok(`{"tasks":[]}`),
		"lost":              {drop: true},
		"too many":          ok(`{"page_info":{"total_count":4711},"tasks":[{"task_id":"T-1","task_type":"x","created":"2026-11-24T20:00:00+08:00"}]}`),
		"fewer than it has": ok(`{"page_info":{"total_count":70},"tasks":[{"task_id":"T-1","task_type":"x","created":"2026-11-24T20:00:00+08:00"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.always("DescribeClusterTasks", say)
			s := b.observe(t, change("workers", 1))
			require.NotContains(t, s.Facts, factNewest)
			require.Len(t, s.Groups[0].Nodes, 5)
			require.LessOrEqual(t, len(b.of("DescribeClusterTasks")), 2, "the service's rate is everybody's")
		})
	}
}

// The note takes no more than its share of a look's time.
func TestTasksThatTakeLong(t *testing.T) {
	b := newBench(t)
	hang := answer{hold: make(chan struct{})}
	b.always("DescribeClusterTasks", hang)
	defer close(hang.hold)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	s, err := b.p.Observe(ctx, ref(change("workers", 1)))
	require.NoError(t, err)
	require.NoError(t, ctx.Err())
	require.NotContains(t, s.Facts, factNewest)
}

// Only a baseline needs the tasks: a change that is followed by its nodes does not
// list them at every look.
func TestFollowingDoesNotListTasks(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", 2))
	listed := len(b.of("DescribeClusterTasks"))
	b.grow(7)
	_, err := b.p.Follow(t.Context(), sub, providers.Operation{AcceptedAt: noon})
	require.NoError(t, err)
	require.Len(t, b.of("DescribeClusterTasks"), listed)
	b.reconcile(t, sub)
	require.Len(t, b.of("DescribeClusterTasks"), listed+1, "once, for what was made since")
}

func TestObserveFails(t *testing.T) {
	for name, tc := range map[string]struct {
		action string
		say    answer
		kind   providers.Kind
	}{
		"no such cluster":         {"DescribeClusterDetail", fault(404, "ErrorClusterNotFound"), providers.NotFound},
		"no such thing":           {"DescribeClusterDetail", fault(404, ""), providers.NotFound},
		"nothing in it":           {"DescribeClusterDetail", ok(`{}`), providers.Retry},
		"an error under HTTP 200": {"DescribeClusterDetail", ok(`{"code":"ErrorClusterNotFound"}`), providers.Retry},
		"no pools in it":          {"DescribeClusterNodePools", ok(`[]`), providers.Retry},
		"no page in it":           {"DescribeClusterNodes", ok(`{"nodes":null}`), providers.Retry},
		"no right":                {"DescribeClusterNodes", fault(403, "Forbidden"), providers.Auth},
	} {
		b := newBench(t)
		b.always(tc.action, tc.say)
		_, err := b.p.Observe(context.Background(), ref(change("workers", 1)))
		require.Equal(t, tc.kind, providers.KindOf(err), name)
		require.NotEmpty(t, providers.AdviceOf(err).ZH)
	}
}

func TestClusters(t *testing.T) {
	b := newBench(t)
	b.cluster("running", web)
	var all []string
	for i := range 60 {
		all = append(all, fmt.Sprintf(`{"cluster_id":"c%02d","name":"n","state":"running"}`, i))
	}
	page := func(l []string) answer {
		return ok(fmt.Sprintf(`{"clusters":[%s],"page_info":{"total_count":60}}`, strings.Join(l, ",")))
	}
	b.next("DescribeClustersV1", page(all[:50]), page(all[50:]))
	b.next("DescribeClusterNodePools", fault(403, "StatusForbidden"))
	list, err := b.p.Clusters(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 60)
	require.Equal(t, providers.ClusterInfo{ID: "c59", Name: "n", Status: "running", Groups: []providers.Group{{ID: "np1", Name: "n", Count: 5}}}, list[59])
	require.Equal(t, "running (its node pools can't be read: StatusForbidden)", list[0].Status)
	q := b.of("DescribeClustersV1")
	require.Equal(t, "page_number=1&page_size=50&region_id=cn-beijing", q[0].query.Encode())
	require.Equal(t, "2", q[1].query.Get("page_number"))

	b.always("DescribeClustersV1", page(all[:1]))
	b.always("DescribeClusterNodePools", fault(429, "Throttling"))
	_, err = b.p.Clusters(context.Background())
	require.Equal(t, providers.Retry, providers.KindOf(err))
	b.always("DescribeClustersV1", fault(403, "InvalidAccessKeyId.NotFound"))
	_, err = b.p.Clusters(context.Background())
	require.Equal(t, providers.Auth, providers.KindOf(err))
}
