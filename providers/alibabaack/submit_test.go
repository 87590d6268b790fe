package alibabaack

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	cs "github.com/alibabacloud-go/cs-20151215/v5/client"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const accepted = `{"cluster_id":"c1","task_id":"T-5a54309c80282e39ea00002f","request_id":"687C5BAA"}`

func golden(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	var body map[string]any
	require.NoError(t, json.Unmarshal(raw, &body))
	return body
}

var wantAccepted = providers.Operation{ID: "T-5a54309c80282e39ea00002f", RequestID: "687C5BAA", AcceptedAt: noon}

// The worker document's profile in config and `legacy +1` in chat send the
// Chinese document's example, field by field, with the two deviations of the
// package comment.
func TestWorkerSendsTheDocumentsExample(t *testing.T) {
	b := newBench(t)
	b.always("ScaleOutCluster", ok(accepted))
	op, err := b.submit(t, change("legacy", 1))
	require.NoError(t, err)
	require.Equal(t, wantAccepted, op)

	want := golden(t, "worker-example.json")
	delete(want, "ClusterId")                                             // the path says it
	want["worker_data_disks"].([]any)[0].(map[string]any)["size"] = "500" // a text, as the SDK types it
	calls := b.of("ScaleOutCluster")
	require.Len(t, calls, 1)
	require.Empty(t, cmp.Diff(want, calls[0].body))
	require.Equal(t, "POST /api/v2/clusters/c1", calls[0].method+" "+calls[0].path)
	h := calls[0].header
	require.Equal(t, "2015-12-15", h.Get("X-Acs-Version"))
	require.True(t, strings.HasPrefix(h.Get("Authorization"), "acs "+keyID+":"))
	require.Equal(t, "close", h.Get("Connection"), "a change opens a connection of its own")
}

// The same for the edge document: is_edge_worker and the term come from scalebot.
func TestEdgeSendsTheDocumentsExample(t *testing.T) {
	b := newBench(t)
	b.clusterWith("running", `"profile":"Edge"`, "")
	b.always("ScaleOutCluster", ok(accepted))
	op, err := b.submit(t, change("edge", 1))
	require.NoError(t, err)
	require.Equal(t, wantAccepted, op)
	calls := b.of("ScaleOutCluster")
	require.Len(t, calls, 1)
	require.Empty(t, cmp.Diff(golden(t, "edge-example.json"), calls[0].body))
	require.Equal(t, "POST /api/v2/clusters/c1", calls[0].method+" "+calls[0].path)
}

func TestPoolSendsACount(t *testing.T) {
	b := newBench(t)
	b.always("ScaleClusterNodePool", answer{status: http.StatusAccepted, body: `{"task_id":"T-1"}`})
	op, err := b.submit(t, change("workers", 2))
	require.NoError(t, err)
	require.Equal(t, providers.Operation{ID: "T-1", RequestID: "by-header", AcceptedAt: noon}, op)
	c := b.of("ScaleClusterNodePool")[0]
	require.Equal(t, "POST /clusters/c1/nodepools/np1", c.method+" "+c.path)
	require.JSONEq(t, `{"count":2}`, c.raw)
}

// A task id that came as a number is one, as the SDK reads it.
func TestNumericTaskID(t *testing.T) {
	b := newBench(t)
	b.always("ScaleClusterNodePool", ok(`{"task_id":42}`))
	op, err := b.submit(t, change("workers", 2))
	require.NoError(t, err)
	require.Equal(t, "42", op.ID)
}

// Everything that the documents have and config can set reaches the wire.
func TestEveryConfigurableFieldReachesTheWire(t *testing.T) {
	all := map[string]any{
		"worker_instance_charge_type": "PrePaid", "worker_period": 1, "worker_period_unit": "Month",
		"worker_auto_renew": true, "worker_auto_renew_period": 6,
		"worker_system_disk_category": "cloud_essd", "worker_system_disk_size": 40, "worker_data_disk": true,
		"login_password": password, "cloud_monitor_flags": true, "cpu_policy": "static", "disable_rollback": true,
		"image_id": "m-1", "user_data": "IyEvYmluL3No", "runtime": map[string]any{"name": "containerd", "version": "1.6.28"},
		"vswitch_ids": []any{"vsw-1", "vsw-2"}, "worker_instance_types": []any{"ecs.c5.xlarge", "ecs.c6.xlarge"}, "rds_instances": []any{"rm-1"},
		"worker_data_disks": []any{map[string]any{"category": "cloud_ssd", "size": "500", "encrypted": true, "auto_snapshot_policy_id": "sp-1"}},
		"tags":              []any{}, "taints": []any{map[string]any{"key": "k", "value": "v", "effect": "NoSchedule"}},
	}
	b := newBench(t, withParams("legacy", all))
	b.always("ScaleOutCluster", ok(accepted))
	_, err := b.submit(t, change("legacy", 3))
	require.NoError(t, err)
	raw, err := json.Marshal(all)
	require.NoError(t, err)
	var want map[string]any
	require.NoError(t, json.Unmarshal(raw, &want))
	want["count"] = 3.0
	want["worker_data_disks"].([]any)[0].(map[string]any)["encrypted"] = "true"
	require.Empty(t, cmp.Diff(want, b.of("ScaleOutCluster")[0].body))

	// The list misses nothing: neither of our fields nor of the SDK's type.
	for _, f := range fieldsOf[workerForm] {
		if f.name != "key_pair" && f.name != "drain_node" && f.name != "release_node" && f.name != "concurrency" {
			require.Contains(t, all, f.name)
		}
	}
	names := map[string]bool{"count": true}
	for _, f := range fieldsOf[workerForm] {
		names[f.name] = true
	}
	for f := range reflect.TypeFor[cs.ScaleOutClusterRequest]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		require.True(t, names[name], "the SDK has %s", name)
	}
}

func TestWhatChatSaysGoesOverConfig(t *testing.T) {
	renewing := workerParams()
	renewing["worker_auto_renew"], renewing["worker_auto_renew_period"] = true, 6
	bought := workerParams()
	bought["worker_instance_charge_type"], bought["worker_period"] = "PrePaid", 3
	for name, tc := range map[string]struct {
		group  string
		params map[string]any
		edit   func(*providers.Change)
		want   map[string]any // nil = not there
	}{
		"postpaid says nothing of a term": {"legacy", renewing, asIs, map[string]any{
			"worker_instance_charge_type": nil, "worker_period": nil, "worker_period_unit": nil, "worker_auto_renew": nil, "worker_auto_renew_period": nil,
		}},
		"prepaid never renews unasked": {"legacy", workerParams(), prepaid(3), map[string]any{
			"worker_instance_charge_type": "PrePaid", "worker_period": 3.0, "worker_period_unit": "Month", "worker_auto_renew": false, "worker_auto_renew_period": nil,
		}},
		"prepaid with configured renewal": {"legacy", renewing, prepaid(1), map[string]any{"worker_auto_renew": true, "worker_auto_renew_period": 6.0}},
		"a year with renew": {"legacy", workerParams(), func(c *providers.Change) { prepaid(12)(c); c.Renew = true }, map[string]any{
			"worker_period": 12.0, "worker_auto_renew": true, "worker_auto_renew_period": 12.0,
		}},
		"two years renew year by year": {"legacy", workerParams(), func(c *providers.Change) { prepaid(24)(c); c.Renew = true }, map[string]any{
			"worker_period": 24.0, "worker_auto_renew_period": 12.0,
		}},
		"config's prepaid":         {"legacy", bought, asIs, map[string]any{"worker_instance_charge_type": "PrePaid", "worker_period": 3.0, "worker_auto_renew": false}},
		"a term over config's":     {"legacy", bought, prepaid(1), map[string]any{"worker_period": 1.0}},
		"spec over machine types":  {"legacy", workerParams(), func(c *providers.Change) { c.InstanceType = "ecs.g7.large" }, map[string]any{"worker_instance_types": []any{"ecs.g7.large"}}},
		"edge: a spec":             {"edge", edgeParams(), func(c *providers.Change) { c.InstanceType = "ens.sn1.small" }, map[string]any{"worker_instance_type": "ens.sn1.small"}},
		"edge: a term":             {"edge", edgeParams(), prepaid(6), map[string]any{"worker_period": 6.0, "worker_auto_renew": true}},
		"edge: renewal left out":   {"edge", without(edgeParams(), "worker_auto_renew", "worker_auto_renew_period"), prepaid(1), map[string]any{"worker_auto_renew": false, "worker_auto_renew_period": nil}},
		"edge: any month to renew": {"edge", without(edgeParams(), "worker_auto_renew", "worker_auto_renew_period"), func(c *providers.Change) { prepaid(24)(c); c.Renew = true }, map[string]any{"worker_auto_renew_period": 12.0}},
		"disks replace and are turned on": {"legacy", workerParams(), func(c *providers.Change) {
			c.Disks = []providers.Disk{{Type: "cloud_essd", SizeG: 100, Count: 2}}
		}, map[string]any{"worker_data_disk": true, "worker_data_disks": []any{
			map[string]any{"category": "cloud_essd", "size": "100"}, map[string]any{"category": "cloud_essd", "size": "100"},
		}}},
		"tags merge": {"legacy", workerParams(), func(c *providers.Change) { c.Tags = map[string]string{"tier": "new", "b": "2", "a": "1"} }, map[string]any{"tags": []any{
			map[string]any{"key": "tier", "value": "new"}, map[string]any{"key": "a", "value": "1"}, map[string]any{"key": "b", "value": "2"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, withParams(tc.group, tc.params))
			b.always("ScaleOutCluster", ok(accepted))
			if tc.group == "edge" {
				b.clusterWith("running", `"profile":"Edge"`, "")
			}
			c := change(tc.group, 2)
			tc.edit(&c)
			_, err := b.submit(t, c)
			require.NoError(t, err)
			body := b.of("ScaleOutCluster")[0].body
			for k, v := range tc.want {
				if v == nil {
					require.NotContains(t, body, k)
				} else {
					require.Equal(t, v, body[k], k)
				}
			}
			// The shared params are as they were: a plain request is as before.
			_, err = b.submit(t, c)
			require.NoError(t, err)
			require.Equal(t, body, b.of("ScaleOutCluster")[1].body)
		})
	}
}

func without(m map[string]any, keys ...string) map[string]any {
	m = maps.Clone(m)
	for _, k := range keys {
		delete(m, k)
	}
	return m
}

func TestRemovalsOnTheWire(t *testing.T) {
	named := func(group string, nodes ...string) providers.Change {
		c := change(group, -len(nodes))
		c.Nodes = nodes
		return c
	}
	other := fakePool{id: "np2", state: "active", nodes: 2, desired: 2, group: web.group, node: web.node}
	boughtPool := web
	boughtPool.node = `"instance_type":"ecs.c5.xlarge","instance_charge_type":"PrePaid","expired_time":"2027-01-01T00:00Z"`
	poolless := `{"instance_id":"i-old","node_name":"cn-beijing.old","instance_role":"Worker","node_status":"Ready"}`
	for name, tc := range map[string]struct {
		change providers.Change
		params map[string]any
		pools  []fakePool
		more   string
		path   string
		want   string // query of a pool's removal, else the body
	}{
		"chosen, newest first":      {change("workers", -2), nil, nil, "", "DELETE /clusters/c1/nodepools/np1/nodes", `concurrency=false&drain_node=true&instance_ids=["i-np1-3","i-np1-4"]&release_node=true`},
		"no drain as configured":    {change("workers", -1), map[string]any{"drain_node": false, "concurrency": true}, nil, "", "DELETE /clusters/c1/nodepools/np1/nodes", `concurrency=true&drain_node=false&instance_ids=["i-np1-4"]&release_node=true`},
		"drain= turns it on":        {func() providers.Change { c := change("workers", -1); c.Drain = time.Minute; return c }(), map[string]any{"drain_node": false, "release_node": false}, nil, "", "DELETE /clusters/c1/nodepools/np1/nodes", `concurrency=false&drain_node=true&instance_ids=["i-np1-4"]&release_node=false`},
		"prepaid ones, by name":     {named("workers", "i-np1-0"), nil, []fakePool{boughtPool}, "", "DELETE /clusters/c1/nodepools/np1/nodes", `concurrency=false&drain_node=true&instance_ids=["i-np1-0"]&release_node=false`},
		"of all workers":            {change("legacy", -1), workerParams(), []fakePool{web, other}, "", "DELETE /clusters/c1/nodepools/np1/nodes", `concurrency=false&drain_node=true&instance_ids=["i-np1-4"]&release_node=true`},
		"of another pool, by name":  {named("legacy", "i-np2-1"), workerParams(), []fakePool{web, other}, "", "DELETE /clusters/c1/nodepools/np2/nodes", `concurrency=false&drain_node=true&instance_ids=["i-np2-1"]&release_node=true`},
		"of no pool, by node names": {change("legacy", -1), workerParams(), []fakePool{}, poolless, "POST /clusters/c1/nodes", `{"drain_node":true,"nodes":["cn-beijing.old"],"release_node":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, withParams(tc.change.Group, tc.params))
			if tc.pools != nil {
				b.clusterWith("running", `"profile":"Default"`, tc.more, tc.pools...)
			}
			for _, a := range []string{"RemoveNodePoolNodes", "DeleteClusterNodes"} {
				b.always(a, ok(`{"task_id":"T-9","request_id":"r"}`))
			}
			op, err := b.submit(t, tc.change)
			require.NoError(t, err)
			require.Equal(t, providers.Operation{ID: "T-9", RequestID: "r", AcceptedAt: noon}, op)
			calls := append(b.of("RemoveNodePoolNodes"), b.of("DeleteClusterNodes")...)
			require.Len(t, calls, 1)
			require.Equal(t, tc.path, calls[0].method+" "+calls[0].path)
			if calls[0].raw != "" {
				require.JSONEq(t, tc.want, calls[0].raw)
				return
			}
			var have []string
			for _, k := range []string{"concurrency", "drain_node", "instance_ids", "release_node"} {
				have = append(have, k+"="+calls[0].query.Get(k))
			}
			require.Equal(t, tc.want, strings.Join(have, "&"))
			require.Len(t, calls[0].query, 4)
		})
	}
}

// What must not be sent is not sent, and says why.
func TestNotSentAtAll(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*bench, *providers.Submission)
		kind providers.Kind
		says string
	}{
		"params changed since the vote": {func(_ *bench, s *providers.Submission) { s.Change.Profile = "sha256:other" }, providers.Refused, "params"},
		"no profile":                    {func(_ *bench, s *providers.Submission) { s.Change.Profile = "" }, providers.Refused, "params"},
		"the pool turned prepaid": {func(_ *bench, s *providers.Submission) {
			s.Baseline.Facts[factPool+"np1"] = `{"charge":"prepaid","months":1}`
		}, providers.Refused, "pays"},
		"the pool turned to spot": {func(_ *bench, s *providers.Submission) { s.Baseline.Facts[factPool+"np1"] = `{"charge":"spot"}` }, providers.Refused, "pays"},
		"the pool renews now": {func(_ *bench, s *providers.Submission) {
			s.Change.Charge, s.Change.Months = providers.Prepaid, 1
			s.Baseline.Facts[factPool+"np1"] = `{"charge":"prepaid","months":1,"renew":true}`
		}, providers.Refused, "pays"},
		"the pool is being deleted": {func(_ *bench, s *providers.Submission) { s.Baseline.Facts[factPool+"np1"] = `{"state":"deleting"}` }, providers.Refused, "deleted"},
		"nothing known of the pool": {func(_ *bench, s *providers.Submission) { delete(s.Baseline.Facts, factPool+"np1") }, providers.Refused, "not known"},
		"no cluster":                {func(_ *bench, s *providers.Submission) { s.Change.ClusterID = "" }, providers.Refused, "no cluster"},
		"a count of nothing":        {func(_ *bench, s *providers.Submission) { s.Change.Delta = 0 }, providers.Refused, "zero"},
		"the group left the config": {func(_ *bench, s *providers.Submission) { s.Change.Group = "gone" }, providers.Refused, "not in the config"},
		"the group is another pool": {func(_ *bench, s *providers.Submission) { s.Change.GroupID = "np2" }, providers.Refused, "now np1"},
		"the replica was frozen":    {func(b *bench, _ *providers.Submission) { b.clock.set(noon.Add(adapter.SendWithin + time.Second)) }, providers.Retry, "held up"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.always("ScaleClusterNodePool", ok(accepted))
			sub := b.submission(t, change("workers", 2))
			tc.edit(b, &sub)
			_, err := b.p.Submit(context.Background(), sub)
			require.Equal(t, tc.kind, providers.KindOf(err), "%v", err)
			require.Contains(t, providers.AdviceOf(err).EN, tc.says)
			require.NotEmpty(t, providers.AdviceOf(err).ZH)
			require.Empty(t, b.of("ScaleClusterNodePool"))
		})
	}
	t.Run("a removal of nodes that are no longer there", func(t *testing.T) {
		b := newBench(t)
		sub := b.submission(t, change("workers", -1))
		sub.Baseline.Groups[0].Nodes = sub.Baseline.Groups[0].Nodes[:3]
		_, err := b.p.Submit(context.Background(), sub)
		require.Equal(t, providers.NotFound, providers.KindOf(err))
		require.Empty(t, b.of("RemoveNodePoolNodes"))
	})
}

// The node list need not say how an edge machine is paid for: it is prepaid. It is
// not chosen, and where a person names it, it is not asked to be released, and the
// quote says what goes on.
func TestEdgeMachinesArePrepaid(t *testing.T) {
	b := newBench(t)
	edge := fakePool{id: "np1", state: "active", isDefault: true, nodes: 3, desired: 3, group: `"instance_types":[]`, node: `"instance_type":"ens.sn1.tiny"`}
	b.cluster("running", edge)
	c := change("edge", -1)
	s := b.observe(t, c)
	g, _ := s.Group(ensWorkers)
	require.Equal(t, providers.Prepaid, g.Nodes[0].Charge)
	_, err := b.p.Resolve(c, s)
	require.Equal(t, providers.Refused, providers.KindOf(err), "none is there to choose")

	c.Nodes = []string{"i-np1-0"}
	q, err := b.p.Quote(t.Context(), c, s)
	require.NoError(t, err)
	require.Contains(t, q.Reason.EN, "1 of the nodes are prepaid")
	b.always("RemoveNodePoolNodes", ok(`{"task_id":"T-1"}`))
	_, err = b.submit(t, c)
	require.NoError(t, err)
	require.Equal(t, "false", b.of("RemoveNodePoolNodes")[0].query.Get("release_node"))
}
