package alibabaack

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// reconcile looks for a submission that came back from Redis.
func (b *bench) reconcile(t *testing.T, sub providers.Submission) providers.Finding {
	t.Helper()
	raw, err := json.Marshal(sub)
	require.NoError(t, err)
	var stored providers.Submission
	require.NoError(t, json.Unmarshal(raw, &stored))
	f, err := b.p.Reconcile(context.Background(), stored)
	require.NoError(t, err)
	require.NotEmpty(t, f.Evidence.EN)
	require.NotEmpty(t, f.Evidence.ZH)
	for _, action := range []string{"ScaleClusterNodePool", "ScaleOutCluster", "RemoveNodePoolNodes", "DeleteClusterNodes"} {
		require.Empty(t, b.of(action), "there is no token: nothing is ever repeated")
	}
	return f
}

const (
	before = "T-0 nodepool_scaleout 2026-11-24T19:59:00+08:00"
	just   = "T-00 nodepool_scaleout 2026-11-24T20:00:00+08:00" // the newest at the baseline
)

// A task made since the baseline, of the change's kind, that says nothing
// against it.
func TestTaskProves(t *testing.T) {
	const out, in = "nodepool_scaleout", "nodepool_node_remove"
	at := func(id, kind string) string { return id + " " + kind + " 2026-11-24T20:00:05+08:00" }
	for name, tc := range map[string]struct {
		group string
		delta int
		tasks []string // besides before and just
		info  map[string]string
		want  providers.FindingState
		says  string
	}{
		"one, that says nothing":         {"workers", 2, []string{at("T-1", out)}, nil, providers.Unsure, "does not say enough"},
		"one, that says its number":      {"workers", 2, []string{at("T-1", out)}, map[string]string{"T-1": `"parameters":{"count":2}`}, providers.Accepted, "exactly one task"},
		"one, of this pool":              {"workers", 2, []string{at("T-1", out)}, map[string]string{"T-1": `"target":{"id":"np1","type":"nodepool"},"parameters":{"count":2,"nodepool_id":"np1"}`}, providers.Accepted, "T-1"},
		"one, of this cluster":           {"workers", 2, []string{at("T-1", "cluster_scaleout")}, map[string]string{"T-1": `"target":{"id":"c1","type":"cluster"},"parameters":{}`}, providers.Unsure, "T-1"},
		"of this cluster and number":     {"workers", 2, []string{at("T-1", "cluster_scaleout")}, map[string]string{"T-1": `"target":{"id":"c1","type":"cluster"},"parameters":{"count":2}`}, providers.Unsure, "T-1"},
		"of this cluster, naming a pool": {"workers", 2, []string{at("T-1", "cluster_scaleout")}, map[string]string{"T-1": `"target":{"id":"c1","type":"cluster"},"parameters":{"nodepool_id":"np1"}`}, providers.Accepted, ""},
		"one beside one that is ours":    {"workers", 2, []string{at("T-1", out), at("T-2", out)}, map[string]string{"T-2": `"target":{"id":"np1"},"parameters":{"count":2}`}, providers.Accepted, "T-2"},
		"in the same second as the last": {"workers", 2, []string{"T-1 " + out + " 2026-11-24T20:00:00+08:00"}, map[string]string{"T-1": `"target":{"id":"np1"}`}, providers.Accepted, ""},
		"failed since":                   {"workers", 2, []string{at("T-1", out)}, map[string]string{"T-1": `"target":{"id":"np1"},"error":{"message":"x"}`}, providers.Accepted, ""},
		"made before the baseline":       {"workers", 2, []string{"T-1 " + out + " 2026-11-24T19:59:59+08:00"}, nil, providers.Unsure, ""},
		"made at no time":                {"workers", 2, []string{"T-1 " + out + " -"}, nil, providers.Unsure, ""},
		"of another pool":                {"workers", 2, []string{at("T-1", out)}, map[string]string{"T-1": `"target":{"id":"np2","type":"nodepool"}`}, providers.Unsure, ""},
		"of another pool, by parameter":  {"workers", 2, []string{at("T-1", out)}, map[string]string{"T-1": `"parameters":{"nodepool_id":"np2"}`}, providers.Unsure, ""},
		"of another number":              {"workers", 2, []string{at("T-1", out)}, map[string]string{"T-1": `"parameters":{"count":3}`}, providers.Unsure, ""},
		"of another number, as a text":   {"workers", 2, []string{at("T-1", out)}, map[string]string{"T-1": `"parameters":{"Count":"3"}`}, providers.Unsure, ""},
		"of another kind":                {"workers", 2, []string{at("T-1", in)}, nil, providers.Unsure, ""},
		"of no kind of ours":             {"workers", -2, []string{at("T-1", "cluster_upgrade")}, nil, providers.Unsure, ""},
		"two that fit":                   {"workers", 2, []string{at("T-1", out), at("T-2", out)}, map[string]string{"T-1": `"target":{"id":"np1"}`, "T-2": `"target":{"id":"np1"}`}, providers.Unsure, "2 tasks"},
		"two, one of another number":     {"workers", 2, []string{at("T-1", out), at("T-2", out)}, map[string]string{"T-1": `"parameters":{"count":9}`, "T-2": `"parameters":{"count":2}`}, providers.Accepted, "T-2"},
		"of all workers, any pool":       {"legacy", 2, []string{at("T-1", "cluster_scaleout")}, map[string]string{"T-1": `"target":{"id":"np7"}`}, providers.Accepted, ""},
		"of another cluster":             {"legacy", 2, []string{at("T-1", "cluster_scaleout")}, map[string]string{"T-1": `"target":{"id":"c2"}`}, providers.Unsure, ""},
		"a removal":                      {"workers", -2, []string{at("T-1", in)}, map[string]string{"T-1": `"parameters":{"instance_ids":["i-np1-3","i-np1-4"]}`}, providers.Accepted, ""},
		"a removal that says nothing":    {"workers", -2, []string{at("T-1", in)}, nil, providers.Unsure, "T-1"},
		"a removal, the other word":      {"workers", -2, []string{at("T-1", "nodepool_scalein")}, map[string]string{"T-1": `"target":{"id":"np1"}`}, providers.Accepted, ""},
		"a removal of other nodes":       {"workers", -2, []string{at("T-1", in)}, map[string]string{"T-1": `"parameters":{"instance_ids":["i-np1-0","i-np1-1"]}`}, providers.Unsure, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.tasks(before, just)
			sub := b.submission(t, change(tc.group, tc.delta))
			b.tasks(append([]string{before, just}, tc.tasks...)...)
			for _, id := range []string{"T-1", "T-2"} {
				fields := tc.info[id]
				if fields != "" {
					fields = "," + fields
				}
				b.task(id, `"state":"running"`+fields)
			}
			b.clock.set(noon.Add(time.Minute))
			f := b.reconcile(t, sub)
			require.Equal(t, tc.want, f.State, "%+v", f)
			require.Contains(t, f.Evidence.EN, tc.says)
			require.NoError(t, f.Cause)
			if f.State == providers.Accepted {
				require.NotEmpty(t, f.Operation.ID)
				require.Equal(t, noon.Add(time.Minute), f.Operation.AcceptedAt)
			}
		})
	}
}

// An autoscaler makes tasks of its own: while one is on, a task that says nothing
// of itself is not ours for a group of all workers either.
func TestTaskBesideAnAutoscaler(t *testing.T) {
	for info, want := range map[string]providers.FindingState{
		`"target":{"id":"c1","type":"cluster"}`:                            providers.Unsure,
		`"target":{"id":"c1","type":"cluster"},"parameters":{"count":"2"}`: providers.Accepted,
	} {
		for _, on := range []bool{true, false} {
			b := newBench(t)
			b.tasks(just)
			p := web
			if on {
				p.extra = autoscaling
			}
			b.cluster("running", p)
			sub := b.submission(t, change("legacy", 2))
			b.tasks(just, "T-1 cluster_scaleout 2026-11-24T20:00:05+08:00")
			b.task("T-1", `"state":"running",`+info)
			if !on {
				want = providers.Accepted
			}
			require.Equal(t, want, b.reconcile(t, sub).State, "%s, autoscaler %t", info, on)
		}
	}
}

// The tasks' own clock decides: a replica whose clock is wrong by an hour finds
// the same.
func TestClocksDontMatter(t *testing.T) {
	b := newBench(t)
	b.tasks(just)
	b.clock.set(noon.Add(time.Hour))
	sub := b.submission(t, change("workers", 2))
	b.tasks(just, "T-1 nodepool_scaleout 2026-11-24T20:00:05+08:00")
	b.task("T-1", `"state":"running","target":{"id":"np1"}`)
	require.Equal(t, "T-1", b.reconcile(t, sub).Operation.ID)
}

// What pool and nodes can prove. Absence is never a proof, and there is no
// finding that the change was not taken.
func TestPoolAndNodesProve(t *testing.T) {
	for name, tc := range map[string]struct {
		group    string
		delta    int
		cluster  string
		edit     func(*fakePool)
		notReady []int
		want     providers.FindingState
		says     string
	}{
		"added, idle again":           {"workers", 2, "running", func(p *fakePool) { p.nodes, p.desired = 7, 7 }, nil, providers.Accepted, "joined"},
		"added, not Ready yet":        {"workers", 2, "running", func(p *fakePool) { p.nodes, p.desired = 7, 5 }, []int{5, 6}, providers.Accepted, "joined"},
		"added, all workers":          {"legacy", 2, "running", func(p *fakePool) { p.nodes = 7 }, nil, providers.Accepted, "joined"},
		"the target moved":            {"workers", 2, "running", func(p *fakePool) { p.desired, p.state = 7, "scaling" }, nil, providers.Accepted, "from 5 to 7"},
		"a larger one passes by":      {"workers", 2, "running", func(p *fakePool) { p.nodes, p.state = 7, "scaling" }, nil, providers.Unsure, "or another one"},
		"a larger one, any pool":      {"legacy", 2, "scaling", func(p *fakePool) { p.nodes = 7 }, nil, providers.Unsure, "or another one"},
		"and its state is behind":     {"workers", 2, "running", func(p *fakePool) { p.nodes, p.desired = 7, 10 }, nil, providers.Unsure, "10 is not reached"},
		"removed, still at work":      {"workers", -2, "running", func(p *fakePool) { p.nodes, p.state = 3, "removing" }, nil, providers.Accepted, "left"},
		"the target moved otherwise":  {"workers", 2, "running", func(p *fakePool) { p.desired = 8 }, nil, providers.Unsure, "nothing that it was not"},
		"scaling":                     {"workers", 2, "running", func(p *fakePool) { p.state = "scaling" }, nil, providers.Unsure, "or another one"},
		"cluster at work":             {"workers", 2, "upgrading", func(*fakePool) {}, nil, providers.Unsure, "upgrading"},
		"idle and unchanged":          {"workers", 2, "running", func(*fakePool) {}, nil, providers.Unsure, "nothing that it was not"},
		"one of two":                  {"workers", 2, "running", func(p *fakePool) { p.nodes, p.desired = 6, 6 }, nil, providers.Unsure, "not what was asked for"},
		"three of two":                {"workers", 2, "running", func(p *fakePool) { p.nodes, p.desired = 8, 8 }, nil, providers.Unsure, "not what was asked for"},
		"an autoscaler at work":       {"workers", 2, "running", func(p *fakePool) { p.nodes, p.desired, p.extra = 7, 7, autoscaling }, nil, providers.Unsure, "autoscaling"},
		"an autoscaler, all workers":  {"legacy", 2, "running", func(p *fakePool) { p.nodes, p.extra = 7, autoscaling }, nil, providers.Unsure, "autoscaling"},
		"gone":                        {"workers", 2, "deleting", func(*fakePool) {}, nil, providers.Unsure, "gone"},
		"removed":                     {"workers", -2, "running", func(p *fakePool) { p.nodes, p.desired = 3, 3 }, nil, providers.Accepted, "left"},
		"removed, autoscaler at work": {"workers", -2, "running", func(p *fakePool) { p.nodes, p.desired, p.extra = 3, 3, autoscaling }, nil, providers.Accepted, "left"},
		"one removed":                 {"workers", -2, "running", func(p *fakePool) { p.nodes, p.desired = 4, 4 }, nil, providers.Unsure, "1 of the 2"},
		"a lower target alone":        {"workers", -2, "running", func(p *fakePool) { p.desired = 3 }, nil, providers.Unsure, "nothing that it was not"},
		"idle, nothing removed":       {"workers", -2, "running", func(*fakePool) {}, nil, providers.Unsure, "nothing that it was not"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change(tc.group, tc.delta))
			b.clock.set(noon.Add(time.Hour))
			p := web
			tc.edit(&p)
			b.cluster(tc.cluster, p)
			if len(tc.notReady) > 0 {
				var list []string
				for i := range p.nodes {
					ready := "Ready"
					if i >= tc.notReady[0] {
						ready = "NotReady"
					}
					list = append(list, nodeJSON(p, i, ready))
				}
				b.nodes(list...)
			}
			f := b.reconcile(t, sub)
			require.Equal(t, tc.want, f.State, "%+v", f)
			require.Contains(t, f.Evidence.EN, tc.says)
			require.Equal(t, slices.Contains([]string{"or another one", "10 is not reached", "upgrading"}, tc.says), f.AtWork)
			if f.State == providers.Accepted {
				require.Equal(t, providers.Operation{AcceptedAt: noon.Add(time.Hour)}, f.Operation)
			}
		})
	}
}

const autoscaling = `,"auto_scaling":{"enable":true,"min_instances":1,"max_instances":9}`

// Every pool's new nodes are of all workers: while another pool is at work, their
// number proves nothing, though it holds no change up.
func TestAllWorkersBesideAnotherPoolAtWork(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("legacy", 2))
	other := fakePool{id: "np2", state: "scaling", nodes: 2, desired: 5, group: web.group, node: web.node}
	b.cluster("running", web, other)
	f := b.reconcile(t, sub)
	require.Equal(t, providers.Unsure, f.State, "%+v", f)
	require.Contains(t, f.Evidence.EN, "node pool np2 is at work")
	require.True(t, f.AtWork, "its end will tell")
	other.state, other.desired = "active", 2
	b.cluster("running", web, other)
	require.Equal(t, providers.Accepted, b.reconcile(t, sub).State)
}

// Another's task that adds nodes may have made those that are new, whatever their
// number and whatever the pool's state; one of another pool may not.
func TestNodesBesideAnothersTask(t *testing.T) {
	for name, tc := range map[string]struct {
		group, info string
		want        providers.FindingState
	}{
		"of this pool":               {"workers", `"target":{"id":"np1","type":"nodepool"},"parameters":{"count":5}`, providers.Unsure},
		"of the cluster":             {"workers", `"target":{"id":"c1","type":"cluster"},"parameters":{"count":"5"}`, providers.Unsure},
		"of another pool":            {"workers", `"target":{"id":"np2","type":"nodepool"},"parameters":{"count":5}`, providers.Accepted},
		"of another, by parameter":   {"workers", `"parameters":{"count":5,"nodepool_id":"np2"}`, providers.Accepted},
		"of a pool, all are counted": {"legacy", `"target":{"id":"np2","type":"nodepool"},"parameters":{"count":5}`, providers.Unsure},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.tasks(just)
			sub := b.submission(t, change(tc.group, 2))
			b.tasks(just, "T-1 nodepool_scaleout 2026-11-24T20:00:05+08:00")
			b.task("T-1", `"state":"running",`+tc.info)
			b.grow(7)
			f := b.reconcile(t, sub)
			require.Equal(t, tc.want, f.State, "%+v", f)
			if tc.want == providers.Unsure {
				require.Contains(t, f.Evidence.EN, "T-1")
			}
		})
	}
}

// Nodes on their way out prove a removal before they are gone.
func TestLeavingNodesProve(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", -2))
	leaving := func(i int) string {
		return `{"instance_id":"i-np1-` + string(rune('0'+i)) + `","nodepool_id":"np1","instance_role":"Worker","state":"removing"}`
	}
	b.nodes(nodeJSON(web, 0, "Ready"), leaving(3), leaving(4))
	require.Equal(t, providers.Accepted, b.reconcile(t, sub).State)
	b.nodes(nodeJSON(web, 0, "Ready"), nodeJSON(web, 3, "Ready"), leaving(4))
	require.Equal(t, providers.Unsure, b.reconcile(t, sub).State)
}

func TestReconcileWithoutTheRightToListTasks(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", 2))
	b.always("DescribeClusterTasks", fault(403, "Forbidden.RAM"))
	require.Contains(t, b.reconcile(t, sub).Evidence.EN, "can't be listed")
	b.grow(7)
	require.Equal(t, providers.Accepted, b.reconcile(t, sub).State)

	b = newBench(t)
	b.always("DescribeClusterTasks", fault(403, "Forbidden.RAM"))
	sub = b.submission(t, change("workers", 2))
	b.tasks("T-1 nodepool_scaleout 2026-11-24T20:00:05+08:00")
	require.Equal(t, providers.Unsure, b.reconcile(t, sub).State, "without a note of the old tasks none is new")
}

// A cluster whose tasks became too many to list is judged by its nodes.
func TestReconcileWithTooManyTasks(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", 2))
	b.always("DescribeClusterTasks", ok(`{"page_info":{"total_count":4711},"tasks":[{"task_id":"T-1","task_type":"nodepool_scaleout","created":"2026-11-24T20:00:05+08:00"}]}`))
	require.Contains(t, b.reconcile(t, sub).Evidence.EN, "too many tasks")
	b.grow(7)
	require.Equal(t, providers.Accepted, b.reconcile(t, sub).State)
}

func TestReconcileThatCantLookSaysSo(t *testing.T) {
	for _, action := range []string{"DescribeClusterTasks", "DescribeClusterDetail", "DescribeClusterNodes"} {
		b := newBench(t)
		sub := b.submission(t, change("workers", -1))
		b.always(action, fault(500, "InternalError"))
		_, err := b.p.Reconcile(context.Background(), sub)
		require.Equal(t, providers.Retry, providers.KindOf(err), action)
	}
}
