package cloudsim_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

func TestAckScaleOutRoad(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	before := c.machines(web, "nodepool_id="+workers)
	require.Len(t, before, 4)
	id := c.grow(2)
	require.Regexp(t, `^T-[0-9a-f]{24}$`, id)

	status := func() answer { return c.pool(web, workers).sub("status") }
	counts := func(total, initial, serving int) {
		t.Helper()
		s := status()
		require.EqualValues(t, total, s["total_nodes"])
		require.EqualValues(t, initial, s["initial_nodes"])
		require.EqualValues(t, serving, s["serving_nodes"])
	}
	// At once: the expected number is up, the states say so, nothing has come yet.
	require.Equal(t, "scaling", c.cluster(web)["state"])
	require.Equal(t, "scaling", status()["state"])
	require.Equal(t, "active", c.pool(web, legacy).sub("status")["state"], "the other pool is not concerned")
	require.EqualValues(t, 6, c.pool(web, workers).sub("scaling_group")["desired_size"])
	counts(4, 0, 4)
	task := c.task(id)
	require.Equal(t, "running", task["state"])
	require.Equal(t, "nodepool_scaleout", task["task_type"])
	require.Equal(t, web, task["cluster_id"])
	require.Equal(t, answer{"id": workers, "type": "nodepool"}, task.sub("target"))
	require.Equal(t, "CreateInstances", task["current_stage"])
	require.Equal(t, []string{"running", "pending", "pending", "pending"}, states(task.list("stages"), "state"))
	require.Equal(t, answer{"code": "", "message": ""}, task.sub("error"), "there, but empty")
	require.Empty(t, task.list("task_result"))

	// 40 s: one of two machines is there. It is no node yet.
	sim.Advance(40 * time.Second)
	counts(5, 1, 4)
	born := c.machines(web, "state=initial")
	require.Len(t, born, 1)
	require.Equal(t, "pending", born[0]["state"])
	require.Equal(t, "Unknown", born[0]["node_status"])
	require.Empty(t, born[0]["node_name"], "Kubernetes doesn't know it yet")
	require.Equal(t, "2026-11-24T09:00:40+08:00", born[0]["creation_time"])
	require.Equal(t, []string{"initial"}, states(c.task(id).list("task_result"), "status"))

	// 100 s: both run, none has joined.
	sim.Advance(time.Minute)
	counts(6, 2, 4)
	require.Equal(t, []string{"running", "running"}, states(c.machines(web, "state=initial"), "state"))
	require.Equal(t, []string{"NotReady", "NotReady"}, states(c.machines(web, "state=initial"), "node_status"))
	require.Equal(t, "InitNodes", c.task(id)["current_stage"])

	// 180 s: half-way through joining.
	sim.Advance(80 * time.Second)
	counts(6, 1, 5)
	task = c.task(id)
	require.Equal(t, []string{"success", "success", "running", "pending"}, states(task.list("stages"), "state"))
	require.Equal(t, []string{"success", "initial"}, states(task.list("task_result"), "status"))
	st := task.list("stages")
	require.Equal(t, "2026-11-24 09:00:00", st[0]["start_time"], "no zone")
	require.Equal(t, "2026-11-24 09:01:20", st[0]["end_time"])
	require.Equal(t, "2026-11-24 09:02:20", st[2]["start_time"])
	require.Empty(t, st[2]["end_time"])
	require.Empty(t, st[3]["start_time"])
	require.Equal(t, "2026-11-24T09:00:00+08:00", task["created"])
	require.Equal(t, "2026-11-24T09:03:00+08:00", task["updated"])

	// 240 s: done, and nothing moves any more.
	sim.Advance(time.Minute)
	task = c.task(id)
	require.Equal(t, "success", task["state"])
	require.Equal(t, []string{"success", "success", "success", "success"}, states(task.list("stages"), "state"))
	require.Equal(t, answer{"code": "", "message": ""}, task.sub("error"))
	counts(6, 0, 6)
	require.Equal(t, "running", c.cluster(web)["state"])
	require.EqualValues(t, 8, c.cluster(web)["size"])
	sim.Advance(time.Hour)
	require.Equal(t, task, c.task(id))

	after := c.machines(web, "nodepool_id="+workers)
	require.Len(t, after, 6)
	require.Equal(t, before, after[:4])
	require.Equal(t, ids(after[4:], "instance_id"), ids(task.list("task_result"), "data"), "task_result names the new machines")
	for _, n := range after[4:] {
		require.Regexp(t, `^i-2ze[0-9a-f]{17}$`, n["instance_id"])
		require.Equal(t, "cn-beijing."+n["ip_address"].([]any)[0].(string), n["node_name"])
		require.Equal(t, "Ready", n["node_status"])
		require.Equal(t, "ecs.c7.xlarge", n["instance_type"])
		require.Equal(t, "PostPaid", n["instance_charge_type"])
		require.Equal(t, "Worker", n["instance_role"])
	}

	events := task.list("events")
	require.Equal(t, "Started", events[0]["reason"])
	require.Equal(t, fmt.Sprint(epoch.UnixMilli()), events[0]["timestamp"], "milliseconds as text")
	require.Equal(t, "Success", events[len(events)-1]["reason"])
}

// The same request twice adds twice: there is no token in this API.
func TestAckNoTokenProtects(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	first := c.grow(1)
	sim.Advance(time.Hour)
	require.NotEqual(t, first, c.grow(1))
	sim.Advance(time.Hour)
	require.Len(t, c.machines(web, "nodepool_id="+workers), 6)
}

func TestAckModifyIsAbsolute(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	set := func(n int) answer {
		t.Helper()
		a := c.must(setCall, fmt.Sprintf(`{"scaling_group":{"desired_size":%d}}`, n))
		require.Equal(t, workers, a["nodepool_id"])
		require.NotEmpty(t, a["request_id"])
		return a
	}
	up := set(6)
	require.Equal(t, cloudsim.Entry{
		N: 1, Time: epoch, Cloud: cloudsim.Alibaba, Account: "ack-bj", Region: "cn-beijing", Action: "ModifyClusterNodePool", Cluster: web,
		Group: workers, Delta: 2, Outcome: cloudsim.Accepted, Operation: up["task_id"].(string), RequestID: up["request_id"].(string),
		Body: []byte(`{"scaling_group":{"desired_size":6}}`),
	}, sim.Ledger()[0])
	require.Equal(t, "nodepool_scaleout", c.task(up["task_id"].(string))["task_type"])
	sim.Advance(time.Hour)

	same := set(6)
	require.Equal(t, "nodepool_update", c.task(same["task_id"].(string))["task_type"])
	require.Equal(t, "updating", c.cluster(web)["state"])
	require.Equal(t, "updating", c.pool(web, workers).sub("status")["state"])
	require.Zero(t, sim.Ledger()[1].Delta)
	sim.Advance(10 * time.Second)
	require.Equal(t, "success", c.task(same["task_id"].(string))["state"])
	require.Equal(t, "running", c.cluster(web)["state"])
	before := c.machines(web, "nodepool_id="+workers)
	require.Len(t, before, 6)

	down := set(4)
	require.Equal(t, -2, sim.Ledger()[2].Delta)
	require.Equal(t, "cluster_node_delete", c.task(down["task_id"].(string))["task_type"])
	sim.Advance(time.Hour)
	require.Equal(t, before[2:], c.machines(web, "nodepool_id="+workers), "the scaling group chose the oldest")
	require.EqualValues(t, 4, c.pool(web, workers).sub("scaling_group")["desired_size"])

	require.Empty(t, set(0).ackCode())
	sim.Advance(time.Hour)
	require.Empty(t, c.machines(web, "nodepool_id="+workers))
}

func TestAckRemoveNodes(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	before := c.machines(web, "nodepool_id="+workers)
	a := c.must(shrink(web, workers, "&drain_node=true&release_node=true&concurrency=false", before[0]["instance_id"], before[2]["instance_id"]), "")
	id := a["task_id"].(string)
	require.NotEmpty(t, a["request_id"])
	e := sim.Ledger()[0]
	require.Equal(t, -2, e.Delta)
	require.Equal(t, workers, e.Group)
	require.JSONEq(t, fmt.Sprintf(`{"concurrency":"false","drain_node":"true","release_node":"true","instance_ids":"[\"%s\",\"%s\"]"}`,
		before[0]["instance_id"], before[2]["instance_id"]), string(e.Body), "what was asked for stands in the query")

	status := c.pool(web, workers).sub("status")
	require.Equal(t, "removing", status["state"])
	require.EqualValues(t, 4, status["total_nodes"])
	require.EqualValues(t, 2, status["removing_nodes"])
	require.EqualValues(t, 2, status["serving_nodes"])
	require.EqualValues(t, 2, c.pool(web, workers).sub("scaling_group")["desired_size"], "lowered at once")
	require.Equal(t, "removing", c.cluster(web)["state"])
	require.Len(t, c.machines(web, "state=removing"), 2)

	sim.Advance(10 * time.Second)
	require.Equal(t, "draining", c.cluster(web)["state"])
	require.Equal(t, "DrainNodes", c.task(id)["current_stage"])
	sim.Advance(60 * time.Second)
	require.Equal(t, "removing", c.cluster(web)["state"])
	sim.Advance(30 * time.Second)
	require.Len(t, c.machines(web, "nodepool_id="+workers), 3, "one by one")
	require.Equal(t, []string{"success", "initial"}, states(c.task(id).list("task_result"), "status"))
	sim.Advance(40 * time.Second)
	require.Equal(t, "success", c.task(id)["state"])
	require.Equal(t, []answer{before[1], before[3]}, c.machines(web, "nodepool_id="+workers))
	sim.Advance(time.Hour)
	require.EqualValues(t, 2, c.pool(web, workers).sub("status")["total_nodes"], "and nothing comes back")
	require.Contains(t, fmt.Sprint(c.task(id).list("events")), "instance "+before[0]["instance_id"].(string)+" is released")

	// By the deprecated list of names, without draining: 80 s in all.
	left := c.machines(web, "nodepool_id="+workers)
	a = c.must("DELETE RemoveNodePoolNodes /clusters/"+web+"/nodepools/"+workers+"/nodes?nodes="+url.QueryEscape(`["`+left[0]["node_name"].(string)+`"]`), "")
	sim.Advance(80 * time.Second)
	require.Equal(t, "success", c.task(a["task_id"].(string))["state"])
	require.Contains(t, fmt.Sprint(c.task(a["task_id"].(string)).list("events")), "is kept", "release_node is false unless said")
}

// Subscription machines go on costing whatever is asked for.
func TestAckPrepaidNodesOnlyLeave(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	year := c.machines(web, "nodepool_id=npyear")
	require.Equal(t, "PrePaid", year[0]["instance_charge_type"])
	a := c.must(shrink(web, "npyear", "&release_node=true", year[0]["instance_id"]), "")
	sim.Advance(time.Hour)
	require.Len(t, c.machines(web, "nodepool_id=npyear"), 1)
	require.Contains(t, fmt.Sprint(c.task(a["task_id"].(string)).list("events")), "is a subscription and is not released")

	b := c.must(strings.Replace(growCall, workers, "npyear", 1), `{"count":1}`)
	sim.Advance(time.Hour)
	require.Equal(t, "success", c.task(b["task_id"].(string))["state"])
	n := c.machines(web, "nodepool_id=npyear")[1]
	require.Equal(t, "2027-11-24T10:00:00+08:00", n["expired_time"], "the pool's term from the order on")
	require.Equal(t, "SpotAsPriceGo", c.pool(web, "npspot").sub("scaling_group")["spot_strategy"])
	c.must(strings.Replace(growCall, workers, "npspot", 1), `{"count":1}`)
	sim.Advance(time.Hour)
	n = c.machines(web, "nodepool_id=npspot")[0]
	require.Equal(t, "SpotAsPriceGo", n["spot_strategy"])
	require.Equal(t, "PostPaid", n["instance_charge_type"], "the charge text of a spot machine")
}

// DeleteClusterNodes on a pool with an expected number of nodes: the scaling
// group orders new ones, which is the documented danger.
func TestAckDeletedNodesComeBack(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	w, l := c.machines(web, "nodepool_id="+workers), c.machines(web, "nodepool_id="+legacy)
	names := fmt.Sprintf(`{"nodes":[%q,%q],"release_node":true,"drain_node":true}`, w[0]["node_name"], l[0]["node_name"])
	a := c.must("POST DeleteClusterNodes /clusters/"+web+"/nodes", names)
	require.Equal(t, web, a["cluster_id"])
	require.Equal(t, "cluster", c.task(a["task_id"].(string)).sub("target")["type"])
	require.Empty(t, sim.Ledger()[0].Group, "nodes of two pools")
	require.EqualValues(t, 4, c.pool(web, workers).sub("scaling_group")["desired_size"])

	sim.Advance(140 * time.Second)
	require.Equal(t, "success", c.task(a["task_id"].(string))["state"])
	require.Equal(t, "scaling", c.cluster(web)["state"], "the scaling group has started by itself")
	entry := sim.Ledger()[1]
	require.Equal(t, cloudsim.Outside, entry.Outcome)
	require.Equal(t, 1, entry.Delta)
	require.Equal(t, workers, entry.Group)
	require.Equal(t, epoch.Add(140*time.Second), entry.Time)
	sim.Advance(240 * time.Second)
	require.Equal(t, "success", c.task(entry.Operation)["state"])
	now := c.machines(web, "nodepool_id="+workers)
	require.Len(t, now, 4)
	require.NotContains(t, ids(now, "instance_id"), w[0]["instance_id"])
	require.Len(t, c.machines(web, "nodepool_id="+legacy), 1, "a pool without an expected number stays as it is")

	// The deprecated form does the same and says less.
	b := c.must("POST RemoveClusterNodes /api/v2/clusters/"+web+"/nodes/remove", fmt.Sprintf(`{"nodes":[%q]}`, now[0]["node_name"]))
	require.Empty(t, b)
	require.Equal(t, workers, sim.Ledger()[2].Group)
	require.NotEmpty(t, sim.Ledger()[2].Operation)
	sim.Advance(time.Hour)
	require.Len(t, c.machines(web, "nodepool_id="+workers), 4)
}

func TestAckSteering(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	id := c.grow(2)
	require.Equal(t, "ErrorTaskState", c.steer("Resume", id))
	sim.Advance(100 * time.Second)
	require.Empty(t, c.steer("Pause", id))
	require.Equal(t, "ErrorTaskState", c.steer("Pause", id))
	paused := c.task(id)
	require.Equal(t, "paused", paused["state"])
	require.Equal(t, []string{"success", "paused", "pending", "pending"}, states(paused.list("stages"), "state"))
	sim.Advance(24 * time.Hour)
	require.Equal(t, paused, c.task(id), "a paused task doesn't get on")
	require.Equal(t, "scaling", c.cluster(web)["state"])

	require.Empty(t, c.steer("Resume", id))
	sim.Advance(80 * time.Second) // 180 s of its own time: half-way through joining
	task := c.task(id)
	require.Equal(t, "running", task["state"])
	require.Equal(t, []string{"success", "initial"}, states(task.list("task_result"), "status"))
	st := task.list("stages")
	require.Equal(t, "2026-11-24 09:01:20", st[1]["start_time"], "before the standstill")
	require.Equal(t, "2026-11-25 09:02:20", st[2]["start_time"], "after it")

	// Canceled while paused: what has joined stays, the other machine goes.
	require.Empty(t, c.steer("Pause", id))
	sim.Advance(time.Hour)
	require.Empty(t, c.steer("Cancel", id))
	task = c.task(id)
	require.Equal(t, "canceled", task["state"])
	require.Equal(t, []string{"success", "success", "canceled", "pending"}, states(task.list("stages"), "state"))
	require.Equal(t, []string{"success", "fail"}, states(task.list("task_result"), "status"))
	require.Equal(t, "running", c.cluster(web)["state"])
	require.Len(t, c.machines(web, "nodepool_id="+workers), 5)
	require.Empty(t, c.machines(web, "state=failed"))
	require.EqualValues(t, 5, c.pool(web, workers).sub("scaling_group")["desired_size"])
	sim.Advance(time.Hour)
	require.Equal(t, task, c.task(id), "over is over")
	for _, how := range []string{"Pause", "Resume", "Cancel"} {
		require.Equal(t, "ErrorTaskState", c.steer(how, id), how)
	}

	// A removal can be stopped half-way too.
	n := c.machines(web, "nodepool_id="+workers)
	id = c.must(shrink(web, workers, "", n[0]["instance_id"], n[1]["instance_id"]), "")["task_id"].(string)
	sim.Advance(40 * time.Second)
	require.Empty(t, c.steer("Cancel", id))
	require.Equal(t, n[1:], c.machines(web, "nodepool_id="+workers))
	require.Empty(t, c.machines(web, "state=removing"))
	require.EqualValues(t, 4, c.pool(web, workers).sub("scaling_group")["desired_size"])

	var got []string
	for _, e := range sim.Ledger() {
		if e.Outcome == cloudsim.Accepted {
			got = append(got, e.Action)
			require.NotEmpty(t, e.Operation)
			require.Equal(t, workers, e.Group)
			require.Equal(t, web, e.Cluster)
		}
	}
	require.Equal(t, []string{"ScaleClusterNodePool", "PauseTask", "ResumeTask", "PauseTask", "CancelTask", "RemoveNodePoolNodes", "CancelTask"}, got)
}

func TestAckTasksAndEvents(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	var all []string
	for range 5 {
		all = append(all, c.grow(1))
		sim.Advance(time.Hour)
	}
	list := func(query string) answer {
		return c.must("GET DescribeClusterTasks /clusters/"+web+"/tasks"+query, "")
	}
	got := list("").list("tasks")
	require.ElementsMatch(t, all, states(got, "task_id"))
	require.NotEqual(t, all, states(got, "task_id"), "in no order that one could rely on")
	require.NotEmpty(t, list("")["requestId"])
	p := list("?page_number=2&page_size=2")
	require.Equal(t, states(got[2:4], "task_id"), states(p.list("tasks"), "task_id"))
	require.Equal(t, answer{"total_count": 5.0, "page_number": 2.0, "page_size": 2.0}, p.sub("page_info"))
	require.Empty(t, list("?page_number=9").list("tasks"))
	require.Empty(t, c.must("GET DescribeClusterTasks /clusters/"+webEdge+"/tasks", "").list("tasks"))

	events := func(query string) []answer {
		return c.must("GET DescribeClusterEvents /clusters/"+web+"/events"+query, "").list("events")
	}
	one := events("?task_id=" + all[1])
	require.Len(t, one, 8, "start, four stages, machine, node, end")
	require.Equal(t, "task ended: success", one[0].sub("data")["message"], "newest first")
	require.Equal(t, "info", one[0].sub("data")["level"])
	require.Equal(t, workers, one[0]["subject"])
	require.Equal(t, "nodepool_scaleout", one[0]["type"])
	require.Equal(t, "2026-11-24T02:04:00Z", one[0]["time"])
	require.Len(t, events("?page_size=50"), 40)
	require.Len(t, events("?page_size=30&page_number=2"), 10)
	require.Empty(t, events("?task_id=T-none"))
	seen := map[any]bool{}
	for _, e := range events("") {
		require.False(t, seen[e["event_id"]], "an id twice")
		seen[e["event_id"]] = true
	}
}

func TestAckDescribe(t *testing.T) {
	c := newAckClient(t, run(t, ackWorld))
	clusters := func(query string) []string {
		return states(c.must("GET DescribeClustersV1 /api/v1/clusters?"+query, "").list("clusters"), "name")
	}
	require.Equal(t, []string{"web", "web-edge", "old"}, clusters(""))
	require.Equal(t, []string{"web", "web-edge"}, clusters("region_id=cn-beijing"))
	require.Equal(t, []string{"web-edge"}, clusters("profile=Edge&cluster_type=ManagedKubernetes"))
	require.Equal(t, []string{"old"}, clusters("cluster_type=Kubernetes"))
	require.Equal(t, []string{"web"}, clusters("cluster_id="+web+"&name=web&cluster_spec=ack.pro.small"))
	require.Empty(t, clusters("name=we"))
	require.Equal(t, []string{"web-edge"}, clusters("page_size=1&page_number=2"))
	page := c.must("GET DescribeClustersV1 /api/v1/clusters?page_size=2", "").sub("page_info")
	require.Equal(t, answer{"total_count": 3.0, "page_number": 1.0, "page_size": 2.0}, page)

	cl := c.cluster(web)
	for field, want := range map[string]any{
		"cluster_id": web, "name": "web", "state": "running", "size": 9.0, "cluster_type": "ManagedKubernetes", "profile": "Default",
		"region_id": "cn-beijing", "zone_id": "cn-beijing-h", "current_version": "1.30.1-aliyun.1", "meta_data": "{}",
		"vswitch_ids": []any{"vsw-1", "vsw-2"}, "created": "2026-10-15T09:00:00+08:00",
		"tags": []any{map[string]any{"key": "env", "value": "prod"}, map[string]any{"key": "team", "value": "web"}},
	} {
		require.Equal(t, want, cl[field], field)
	}

	pools := c.must("GET DescribeClusterNodePools /clusters/"+web+"/nodepools", "").list("nodepools")
	require.Len(t, pools, 5)
	require.Equal(t, pools[0], c.pool(web, workers))
	byName := c.must("GET DescribeClusterNodePools /clusters/"+web+"/nodepools?NodepoolName=auto", "").list("nodepools")
	require.Len(t, byName, 1)
	require.Equal(t, answer{"enable": true, "min_instances": 1.0, "max_instances": 5.0, "type": "cpu"}, byName[0].sub("auto_scaling"))
	require.Equal(t, false, pools[0].sub("auto_scaling")["enable"])
	require.Equal(t, true, c.pool(web, legacy).sub("nodepool_info")["is_default"])
	require.Equal(t, "ess", pools[0].sub("nodepool_info")["type"])
	group := pools[0].sub("scaling_group")
	require.EqualValues(t, 4, group["desired_size"])
	require.Equal(t, []any{"ecs.c7.xlarge"}, group["instance_types"])
	require.Equal(t, "cloud_essd", group["system_disk_category"])
	require.EqualValues(t, 120, group["system_disk_size"])
	require.Empty(t, group["login_password"])
	require.Contains(t, c.pool(web, legacy).sub("scaling_group"), "desired_size")
	require.Nil(t, c.pool(web, legacy).sub("scaling_group")["desired_size"], "made without an expected number")
	year := c.pool(web, "npyear").sub("scaling_group")
	require.EqualValues(t, 12, year["period"])
	require.Equal(t, true, year["auto_renew"])
	edgePool := c.pool(webEdge, edge)
	require.Equal(t, "edge", edgePool.sub("nodepool_info")["type"])
	require.NotContains(t, edgePool, "scaling_group")

	nodes := func(query string) answer {
		return c.must("GET DescribeClusterNodes /clusters/"+web+"/nodes?"+query, "")
	}
	require.Len(t, nodes("").list("nodes"), 9, "all states, pages of ten")
	all := nodes("pageSize=100").list("nodes")
	require.Len(t, nodes("pageSize=4&pageNumber=3").list("nodes"), 1)
	require.Equal(t, answer{"total_count": 9.0, "page_number": 3.0, "page_size": 4.0}, nodes("pageSize=4&pageNumber=3").sub("page"))
	require.Equal(t, all[1:3], nodes("instanceIds="+all[1]["instance_id"].(string)+","+all[2]["instance_id"].(string)).list("nodes"))
	require.Empty(t, nodes("instanceIds=i-none").list("nodes"))
	require.Len(t, nodes("state=running&nodepool_id="+workers).list("nodes"), 4)
	ens := c.machines(webEdge, "")
	require.Len(t, ens, 2)
	require.Equal(t, "ens.sn1.tiny", ens[0]["instance_type"])
	require.Equal(t, "PrePaid", ens[0]["instance_charge_type"])
	require.False(t, strings.HasPrefix(ens[0]["node_name"].(string), "cn-"), "named after its host")
}

func TestAckSpeedAndStages(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) {
		o.Speed = cloudsim.DemoSpeed
		o.Stages = map[string]time.Duration{cloudsim.AckStageVerify: 0}
	})
	c := newAckClient(t, sim)
	id := c.grow(2)
	sim.Advance(3500 * time.Millisecond) // 220 s by 62 are 3.548 s
	require.Equal(t, "running", c.task(id)["state"])
	sim.Advance(50 * time.Millisecond)
	require.Equal(t, "success", c.task(id)["state"])
}

func TestAckBrokenWorlds(t *testing.T) {
	tests := map[string]func(*cloudsim.AlibabaWorld){
		"no secret":          func(w *cloudsim.AlibabaWorld) { w.Accounts[0].KeySecret = "" },
		"no id":              func(w *cloudsim.AlibabaWorld) { w.Clusters[0].ID = "" },
		"same twice":         func(w *cloudsim.AlibabaWorld) { w.Clusters[1].ID = web },
		"region":             func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Region = "moon" },
		"type":               func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Type = "Swarm" },
		"profile":            func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Profile = "edge" },
		"account":            func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Account = "who" },
		"no default pool":    func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[1].Default = false },
		"two default pools":  func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].Default = true },
		"masters of managed": func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Masters = 3 },
		"pool without name":  func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].Name = "" },
		"pool twice":         func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].ID = legacy },
		"pool type":          func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].Type = "cloud" },
		"pool charge":        func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].Charge = "Prepaid" },
		"pool of nothing":    func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].Machines = nil },
		"unknown machine":    func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].Machines = []string{"ecs.x"} },
		"ENS for an ess":     func(w *cloudsim.AlibabaWorld) { w.Clusters[0].Pools[0].Machines = []string{"ens.sn1.tiny"} },
		"ECS for an edge":    func(w *cloudsim.AlibabaWorld) { w.Clusters[1].Pools[0].Machines = []string{"ecs.c7.xlarge"} },
	}
	for name, bend := range tests {
		t.Run(name, func(t *testing.T) {
			o := cloudsim.Options{World: cloudsim.Demo(), Now: frozen}
			bend(&o.World.Alibaba)
			_, err := cloudsim.New(o)
			require.ErrorContains(t, err, "alibaba")
		})
	}
	_, err := cloudsim.New(cloudsim.Options{
		World: cloudsim.World{Alibaba: cloudsim.Demo().Alibaba}, Now: frozen, Stages: map[string]time.Duration{cloudsim.AckStageInit: -1},
	})
	require.Error(t, err)
	sim, err := cloudsim.New(cloudsim.Options{World: cloudsim.World{Alibaba: cloudsim.Demo().Alibaba}, Now: frozen})
	require.NoError(t, err, "one cloud is enough")
	require.Len(t, sim.State().Clusters, 2)
}
