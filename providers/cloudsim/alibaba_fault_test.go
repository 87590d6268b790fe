package cloudsim_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// Whether the change behind a broken answer happened is the whole point of
// these faults, so it is asked of the ledger and of the pool. Nothing protects
// a repeat here: it would order again.
func TestAckTransportFaults(t *testing.T) {
	tests := []struct {
		kind    cloudsim.FaultKind
		effect  bool
		outcome cloudsim.Outcome
		check   func(t *testing.T, res *http.Response, err error)
	}{
		{cloudsim.LostBefore, false, cloudsim.Unheard, lost},
		{cloudsim.LostAfter, true, cloudsim.Accepted, lost},
		{cloudsim.ServerError, false, cloudsim.Unheard, func(t *testing.T, res *http.Response, err error) {
			require.NoError(t, err)
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusBadGateway, res.StatusCode)
			require.Equal(t, "text/html", res.Header.Get("Content-Type"))
			require.Contains(t, string(b), "502 Bad Gateway")
		}},
		{cloudsim.Garbage, true, cloudsim.Accepted, func(t *testing.T, res *http.Response, err error) {
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.NotContains(t, string(b), "task_id")
		}},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			sim := run(t, nil)
			c := newAckClient(t, sim)
			set(t, sim, cloudsim.Fault{Kind: tt.kind, Action: "ScaleClusterNodePool", Cluster: web})
			require.Equal(t, "running", c.cluster(web)["state"], "other actions are not hit")
			c.must(edgeCall, order(edgeBody))
			res, err := c.send(t.Context(), growCall, `{"count":2}`)
			tt.check(t, res, err) // closes the body

			require.Empty(t, sim.Faults(), "it was for once")
			l := sim.Ledger()
			require.Len(t, l, 2, "the lost request is on the ledger")
			require.Equal(t, tt.outcome, l[1].Outcome)
			require.Equal(t, tt.kind, l[1].Fault)
			require.Equal(t, web, l[1].Cluster)
			require.Equal(t, "cn-beijing", l[1].Region)
			if !tt.effect {
				require.Empty(t, l[1].RequestID)
				require.Equal(t, "running", c.cluster(web)["state"])
				require.EqualValues(t, 4, c.pool(web, workers).sub("scaling_group")["desired_size"])
				return
			}
			require.Equal(t, "scaling", c.cluster(web)["state"])
			require.EqualValues(t, 6, c.pool(web, workers).sub("scaling_group")["desired_size"])
			tasks := c.must("GET DescribeClusterTasks /clusters/"+web+"/tasks", "").list("tasks")
			require.Equal(t, []string{l[1].Operation}, states(tasks, "task_id"), "how a lost order is found again")
		})
	}
}

func TestAckSlowActsAtOnceAndAnswersLate(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Slow, Action: "ScaleOutCluster", Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		res, err := c.send(ctx, webCall, order(workerBody))
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	require.Eventually(t, func() bool { return accepted(sim) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	require.Equal(t, "scaling", c.cluster(web)["state"])
}

func TestAckHangDoesNothing(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Hang, Action: "ScaleClusterNodePool"})
	gone := make(chan error, 1)
	go func() {
		res, err := c.send(t.Context(), growCall, `{"count":1}`)
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	require.Eventually(t, func() bool { return len(sim.Ledger()) == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, cloudsim.Unheard, sim.Ledger()[0].Outcome)
	require.Equal(t, "running", c.cluster(web)["state"])
	sim.Close()
	require.Error(t, <-gone)
}

func TestAckAnswerFaults(t *testing.T) {
	tests := []struct {
		fault  cloudsim.Fault
		want   string
		status int
	}{
		{cloudsim.Fault{Kind: cloudsim.Throttled}, "Throttling.User", 400},
		{cloudsim.Fault{Kind: cloudsim.Throttled, Code: "Throttling.Api"}, "Throttling.Api", 400},
		{cloudsim.Fault{Kind: cloudsim.AuthFailed}, "SignatureDoesNotMatch", 400},
		{cloudsim.Fault{Kind: cloudsim.AuthFailed, Code: "InvalidAccessKeyId.NotFound"}, "InvalidAccessKeyId.NotFound", 404},
		{cloudsim.Fault{Kind: cloudsim.Refused, Code: "QuotaExceeded.Ecs"}, "QuotaExceeded.Ecs", 400},
		{cloudsim.Fault{Kind: cloudsim.Refused, Code: "Forbidden"}, "Forbidden", 403},
		{cloudsim.Fault{Kind: cloudsim.Refused, Code: "ServiceUnavailable"}, "ServiceUnavailable", 503},
		{cloudsim.Fault{Kind: cloudsim.Refused, Code: "InternalError"}, "InternalError", 500},
	}
	changes := map[string]struct{ what, body string }{
		"ScaleClusterNodePool":  {growCall, `{"count":1}`},
		"ModifyClusterNodePool": {setCall, `{"scaling_group":{"desired_size":5}}`},
		"ScaleOutCluster":       {webCall, order(workerBody)},
	}
	for _, tt := range tests {
		for action, change := range changes {
			t.Run(tt.want+" "+action, func(t *testing.T) {
				sim := run(t, nil)
				c := newAckClient(t, sim)
				f := tt.fault
				f.Cluster, f.Action, f.Cloud = web, action, cloudsim.Alibaba
				set(t, sim, f)
				require.Equal(t, "running", c.cluster(web)["state"], "reads are not hit")
				a := c.call(change.what, change.body)
				require.Equal(t, tt.want, a.ackCode())
				require.Equal(t, tt.status, a["status"])
				l := sim.Ledger()
				require.Len(t, l, 1)
				require.Equal(t, cloudsim.Rejected, l[0].Outcome)
				require.Equal(t, tt.want, l[0].Code)
				require.Equal(t, tt.fault.Kind, l[0].Fault)
				require.Empty(t, sim.Faults())
				c.must(change.what, change.body)
			})
		}
	}
	// A removal and the steering of a task can be refused too, and a read.
	sim := run(t, nil)
	c := newAckClient(t, sim)
	id := c.grow(1)
	for _, action := range []string{"PauseTask", "DescribeTaskInfo"} {
		set(t, sim, cloudsim.Fault{Kind: cloudsim.Refused, Code: "InternalError", Action: action, Cluster: web})
	}
	require.Equal(t, "InternalError", c.steer("Pause", id))
	require.Equal(t, "InternalError", c.call("GET DescribeTaskInfo /tasks/"+id, "").ackCode(), "a task belongs to its cluster")
	sim.Advance(time.Hour)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Refused, Code: "InternalError", Action: "RemoveNodePoolNodes"})
	n := c.machines(web, "nodepool_id="+workers)[0]["instance_id"]
	require.Equal(t, "InternalError", c.call(shrink(web, workers, "", n), "").ackCode())
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Throttled, Action: "DescribePrice"})
	require.Equal(t, "Throttling.User", c.price(ecs, nil).ackCode())
}

func TestAckFaultsNeverHideBrokenRequests(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Refused, Code: "X", Action: "ScaleClusterNodePool"})
	set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut})
	require.Equal(t, "InvalidParameter", c.call(growCall, `{"count":0}`).ackCode())
	require.Len(t, sim.Faults(), 2, "not used up by a request that would not have ordered")
}

// Stock is asked for late: the call is accepted, the task fails.
func TestAckSoldOutComesLate(t *testing.T) {
	for name, call := range map[string]struct{ what, body, cluster, pool string }{
		"pool":   {growCall, `{"count":2}`, web, workers},
		"modify": {setCall, `{"scaling_group":{"desired_size":6}}`, web, workers},
		"legacy": {webCall, order(workerBody, "count=2"), web, legacy},
		"edge":   {edgeCall, order(edgeBody, "count=2"), webEdge, edge},
	} {
		t.Run(name, func(t *testing.T) {
			sim := run(t, nil)
			c := newAckClient(t, sim)
			set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut})
			before := c.machines(call.cluster, "")
			id := c.must(call.what, call.body)["task_id"].(string)
			require.Equal(t, cloudsim.Accepted, sim.Ledger()[0].Outcome)
			require.Equal(t, cloudsim.SoldOut, sim.Ledger()[0].Fault)
			sim.Advance(39 * time.Second)
			require.Equal(t, "running", c.task(id)["state"])
			sim.Advance(time.Second)
			task := c.task(id)
			require.Equal(t, "fail", task["state"])
			require.Equal(t, "OperationDenied.NoStock", task.sub("error")["code"])
			require.Contains(t, task.sub("error")["message"], "sold out")
			require.Equal(t, []string{"fail", "pending", "pending", "pending"}, states(task.list("stages"), "state"))
			require.Empty(t, task.list("task_result"), "no machine was ever made")
			events := task.list("events")
			require.Equal(t, "Warning", events[len(events)-1]["level"])
			list := c.must("GET DescribeClusterTasks /clusters/"+call.cluster+"/tasks", "").list("tasks")
			require.Equal(t, "OperationDenied.NoStock", list[0].sub("error")["code"])
			sim.Advance(time.Hour)
			require.Equal(t, before, c.machines(call.cluster, ""))
			require.Equal(t, "running", c.cluster(call.cluster)["state"], "it can be tried again")
			c.must(call.what, call.body)
			sim.Advance(time.Hour)
			require.Len(t, c.machines(call.cluster, ""), len(before)+2)
		})
	}
	// A removal needs no stock.
	sim := run(t, nil)
	c := newAckClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut})
	c.must(setCall, `{"scaling_group":{"desired_size":3}}`)
	sim.Advance(time.Hour)
	require.Len(t, c.machines(web, "nodepool_id="+workers), 3)
	require.Len(t, sim.Faults(), 1)
}

func TestAckFlowFails(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails, Stage: 3, Reason: "failed to install kubelet", Code: "NodeInitFailed"})
	id := c.grow(2)
	sim.Advance(179 * time.Second) // stage 3 is 140 s to 220 s
	require.Equal(t, "running", c.task(id)["state"])
	sim.Advance(time.Second)
	task := c.task(id)
	require.Equal(t, "fail", task["state"])
	require.Equal(t, answer{"code": "NodeInitFailed", "message": "failed to install kubelet"}, task.sub("error"))
	require.Equal(t, []string{"success", "success", "fail", "pending"}, states(task.list("stages"), "state"))
	require.Equal(t, "failed to install kubelet", task.list("stages")[2]["message"])
	require.Equal(t, "2026-11-24 09:03:00", task.list("stages")[2]["end_time"])
	require.Equal(t, []string{"success", "fail"}, states(task.list("task_result"), "status"))
	require.Equal(t, "JoinNodes", task["current_stage"])

	// Its useless machine stays behind and is counted, until a person removes it.
	status := c.pool(web, workers).sub("status")
	require.EqualValues(t, 6, status["total_nodes"])
	require.EqualValues(t, 5, status["serving_nodes"])
	require.EqualValues(t, 1, status["failed_nodes"])
	require.EqualValues(t, 5, c.pool(web, workers).sub("scaling_group")["desired_size"])
	failed := c.machines(web, "state=failed")
	require.Len(t, failed, 1)
	require.Equal(t, "NotReady", failed[0]["node_status"])
	require.Equal(t, "failed to install kubelet", failed[0]["error_message"])
	require.Equal(t, task.list("task_result")[1]["data"], failed[0]["instance_id"])

	set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails, Stage: 1})
	drop := c.must(shrink(web, workers, "", failed[0]["instance_id"]), "")["task_id"].(string)
	sim.Advance(time.Hour)
	require.Equal(t, "fail", c.task(drop)["state"])
	require.Equal(t, "InternalError", c.task(drop).sub("error")["code"])
	require.Len(t, c.machines(web, "state=failed"), 1, "still there, and still useless")
	c.must(shrink(web, workers, "", failed[0]["instance_id"]), "")
	sim.Advance(time.Hour)
	require.Empty(t, c.machines(web, "state=failed"))
	require.EqualValues(t, 5, c.pool(web, workers).sub("status")["total_nodes"])
	require.EqualValues(t, 5, c.pool(web, workers).sub("scaling_group")["desired_size"])

	// Before there are machines a failure leaves none; the middle stage is the usual one.
	set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails})
	id = c.grow(1)
	sim.Advance(time.Hour)
	require.Equal(t, "JoinNodes", c.task(id)["current_stage"])
	require.Len(t, c.machines(web, "state=failed"), 1)
	sim.ClearFaults()
	require.Empty(t, c.machines(web, "state=failed"), "swept up")
	require.Equal(t, "fail", c.task(id)["state"], "the past stays")
}

func TestAckFlowBlockedGoesOnWhenCleared(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	hold := set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowBlocked, Stage: 3})
	id := c.grow(2)
	sim.Advance(24 * time.Hour)
	task := c.task(id)
	require.Equal(t, "running", task["state"], "the cloud has no word for it")
	require.Equal(t, []string{"success", "success", "running", "pending"}, states(task.list("stages"), "state"))
	require.Len(t, c.machines(web, "state=running&nodepool_id="+workers), 5)
	require.Len(t, sim.Faults(), 1, "still listed: it holds a task")

	// Paused while it stands still, then released, then resumed: nothing is lost.
	require.Empty(t, c.steer("Pause", id))
	sim.Advance(time.Hour)
	require.True(t, sim.ClearFault(hold))
	require.Equal(t, "paused", c.task(id)["state"])
	sim.Advance(time.Hour)
	require.Empty(t, c.steer("Resume", id))
	sim.Advance(59 * time.Second) // 60 s of its own time are left
	require.Equal(t, "running", c.task(id)["state"])
	sim.Advance(time.Second)
	require.Equal(t, "success", c.task(id)["state"])
	require.Equal(t, "2026-11-25T11:01:00+08:00", c.task(id)["updated"], "26 h of standstill")

	hold = set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowBlocked, Stage: 1})
	id = c.grow(1)
	sim.Advance(time.Hour)
	require.Empty(t, c.steer("Cancel", id))
	require.Equal(t, []string{"canceled", "pending", "pending", "pending"}, states(c.task(id).list("stages"), "state"))
	require.Equal(t, "running", c.cluster(web)["state"])
	require.True(t, sim.ClearFault(hold))
	require.Equal(t, "canceled", c.task(id)["state"])
	require.Len(t, c.machines(web, "nodepool_id="+workers), 6)
}

func TestAckPartial(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 2})
	id := c.grow(5)
	sim.Advance(time.Hour)
	task := c.task(id)
	require.Equal(t, "fail", task["state"])
	require.Equal(t, "3 of 5 nodes failed", task.sub("error")["message"])
	require.Equal(t, []string{"success", "success", "fail", "fail", "fail"}, states(task.list("task_result"), "status"))
	require.Equal(t, []string{"success", "success", "fail", "success"}, states(task.list("stages"), "state"))
	require.Len(t, c.machines(web, "state=running&nodepool_id="+workers), 6)
	require.Len(t, c.machines(web, "state=failed"), 3)

	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 0})
	id = c.grow(1)
	sim.Advance(time.Hour)
	require.Equal(t, []string{"fail"}, states(c.task(id).list("task_result"), "status"))

	// A removal can stop half-way as well; the rest stays in use.
	sim.ClearFaults()
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 1})
	n := c.machines(web, "nodepool_id="+workers)
	id = c.must(shrink(web, workers, "", n[0]["instance_id"], n[1]["instance_id"]), "")["task_id"].(string)
	sim.Advance(time.Hour)
	require.Equal(t, "fail", c.task(id)["state"])
	require.Equal(t, []string{"success", "fail"}, states(c.task(id).list("task_result"), "status"))
	require.Equal(t, n[1:], c.machines(web, "nodepool_id="+workers))
	require.EqualValues(t, len(n)-1, c.pool(web, workers).sub("scaling_group")["desired_size"])

	// A fault may hit what the scaling group does by itself.
	c.must("POST DeleteClusterNodes /clusters/"+web+"/nodes", `{"nodes":["`+n[1]["node_name"].(string)+`"]}`)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut})
	sim.Advance(time.Hour)
	l := sim.Ledger()
	require.Equal(t, cloudsim.Outside, l[len(l)-1].Outcome)
	require.Equal(t, cloudsim.SoldOut, l[len(l)-1].Fault)
	require.Len(t, c.machines(web, "nodepool_id="+workers), len(n)-2, "deleted, and not made up for")
}

func TestAckForcedStatus(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	for _, state := range []string{"updating_failed", "upgrading", "disconnected", "deleting", "scaling"} {
		id := set(t, sim, cloudsim.Fault{Kind: cloudsim.ForcedStatus, Cluster: web, Status: state})
		require.Equal(t, state, c.cluster(web)["state"])
		require.Equal(t, "running", c.cluster(webEdge)["state"])
		require.Equal(t, "ErrorClusterState", c.call(growCall, `{"count":1}`).ackCode())
		require.False(t, sim.State().Clusters[1].Usable)
		require.Equal(t, strings.ReplaceAll(state, "_", " "), sim.State().Clusters[1].StatusText)
		require.True(t, sim.ClearFault(id))
	}
	for _, bad := range []string{"sleepy", "active"} {
		_, err := sim.Fault(cloudsim.Fault{Kind: cloudsim.ForcedStatus, Status: bad})
		require.Error(t, err, bad)
	}
	c.grow(1)
}

func TestAckLedgerAndJournal(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	id := c.grow(2)
	c.call("DELETE DeleteCluster /clusters/"+web, "")
	c.call("GET DescribeClusterDetail /clusters/none", "")
	c.key = "wrong"
	c.call(growCall, `{"count":2}`)

	l := sim.Ledger()
	require.Len(t, l, 3, "reads are not in it")
	requestID := sim.Requests()[0].RequestID
	require.Equal(t, cloudsim.Entry{
		N: 1, Time: epoch, Cloud: cloudsim.Alibaba, Account: "ack-bj", Region: "cn-beijing", Action: "ScaleClusterNodePool",
		Cluster: web, Group: workers, Delta: 2, Outcome: cloudsim.Accepted, Operation: id, RequestID: requestID, Body: []byte(`{"count":2}`),
	}, l[0])
	require.Equal(t, "DeleteCluster", l[1].Action, "what isn't built here shows up all the same")
	require.Equal(t, "InvalidApi.NotFound", l[1].Code)
	require.Empty(t, l[2].Account, "nobody's: the signature did not hold")
	require.Equal(t, "SignatureDoesNotMatch", l[2].Code)
	require.Zero(t, l[2].Delta)

	r := sim.Requests()
	require.Len(t, r, 4)
	require.Equal(t, `{"count":2}`, string(r[0].Body))
	require.Equal(t, http.StatusOK, r[0].Status)
	require.Equal(t, "ErrorClusterNotFound", r[2].Code)
	require.Equal(t, http.StatusNotFound, r[2].Status)
}

func TestAckStateAndSetCount(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	s := sim.State().Clusters[1]
	require.Equal(t, cloudsim.Alibaba, s.Cloud)
	require.Equal(t, "ack-bj", s.Account)
	require.Equal(t, "running", s.Status)
	require.True(t, s.Usable)
	require.Equal(t, workers, s.Groups[0].ID)
	require.Equal(t, "ecs.c7.xlarge", s.Groups[0].Type)
	require.Equal(t, 4, s.Groups[0].Count)
	require.True(t, s.Groups[0].Nodes[0].Started)

	// Somebody else resizes the pool: up, then down, by id or by name.
	require.NoError(t, sim.SetCount(web, workers, 6))
	require.Len(t, c.machines(web, "nodepool_id="+workers), 6)
	require.EqualValues(t, 6, c.pool(web, workers).sub("scaling_group")["desired_size"])
	require.NoError(t, sim.SetCount(web, "workers", 1))
	require.Len(t, c.machines(web, "nodepool_id="+workers), 1)
	l := sim.Ledger()
	require.Equal(t, []int{2, -5}, []int{l[0].Delta, l[1].Delta})
	require.Equal(t, cloudsim.Outside, l[1].Outcome)
	require.Equal(t, workers, l[1].Group)
	require.Error(t, sim.SetCount(web, "none", 1))
	require.Error(t, sim.SetCount("none", workers, 1))

	id := c.grow(2)
	require.NoError(t, sim.SetCount(web, workers, 0), "also while a task runs")
	sim.Advance(180 * time.Second)
	op := sim.State().Clusters[1].Operation
	require.Equal(t, id, op.ID)
	require.Equal(t, "nodepool_scaleout", op.Name)
	require.Equal(t, workers, op.Group)
	require.Equal(t, 2, op.Delta)
	require.InDelta(t, 0.75, op.Progress, 1e-9)
	require.False(t, op.Blocked)
	require.Equal(t, cloudsim.StageState{Name: "CreateInstances", Status: 2, Progress: 1}, op.Stages[0])
	require.Equal(t, cloudsim.StageState{Name: "JoinNodes", Status: 1, Progress: 0.5}, op.Stages[2])
	require.Equal(t, cloudsim.StageState{Name: "VerifyNodes"}, op.Stages[3])
	s = sim.State().Clusters[1]
	require.Equal(t, 1, s.Groups[0].Count)
	require.Len(t, s.Groups[0].Nodes, 2)
	require.False(t, s.Groups[0].Nodes[1].Started)
	require.Empty(t, c.steer("Pause", id))
	require.True(t, sim.State().Clusters[1].Operation.Blocked, "paused shows like blocked")
	require.Empty(t, c.steer("Cancel", id))
	require.Nil(t, sim.State().Clusters[1].Operation)

	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 1})
	c.grow(2)
	sim.Advance(230 * time.Second)
	require.Equal(t, 3, sim.State().Clusters[1].Operation.Stages[2].Status, "partly done")
}
