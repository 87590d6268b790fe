package cloudsim_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// There is no token in this API: whether the change behind a broken answer
// happened shows in the ledger and, later, in the cluster.
func TestHuaweiTransportFaults(t *testing.T) {
	const body = `{"parameters":{"scale_type":"scale_out","node_id":"node_orderadd","node_group":"task_node_default_group","instances":1}}`
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
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusInternalServerError, res.StatusCode)
			require.Equal(t, "text/html", res.Header.Get("Content-Type"))
		}},
		{cloudsim.Garbage, true, cloudsim.Accepted, func(t *testing.T, res *http.Response, err error) {
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.NotContains(t, string(b), "result")
		}},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			sim := run(t, nil)
			c := newHuaweiClient(t, sim)
			set(t, sim, cloudsim.Fault{Kind: tt.kind, Action: "UpdateClusterScaling"})
			require.Equal(t, "running", c.state(), "other calls are not hit")
			res, err := c.send(t.Context(), http.MethodPut, c.v1("/cluster_infos/{}"), "", body)
			tt.check(t, res, err) // closes the body

			require.Empty(t, sim.Faults(), "it was for once")
			l := sim.Ledger()
			require.Len(t, l, 1)
			require.Equal(t, tt.outcome, l[0].Outcome)
			require.Equal(t, tt.kind, l[0].Fault)
			require.Equal(t, "running", c.state(), "which proves nothing either way")
			sim.Advance(10 * time.Second)
			if !tt.effect {
				require.Equal(t, "running", c.state())
				require.Zero(t, accepted(sim))
				return
			}
			require.Equal(t, "scaling-out", c.state())
			require.Equal(t, "12000018", c.resize(change(taskGroup, 1)).code())
			sim.Advance(time.Hour)
			require.Equal(t, http.StatusOK, c.resize(change(taskGroup, 1)).status, "a late repeat is a second order")
			sim.Advance(time.Hour)
			require.Equal(t, 4, c.size(taskGroup))
		})
	}
}

func TestHuaweiSlow(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Slow, Cloud: cloudsim.Huawei, Delay: time.Hour, Action: "UpdateClusterScaling"})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		res, err := c.send(ctx, http.MethodPut, c.v1("/cluster_infos/{}"), "", `{"parameters":{"node_id":"node_orderadd",`+change(taskGroup, 1)+`}}`)
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	require.Eventually(t, func() bool { return accepted(sim) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
}

func TestHuaweiHang(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Hang, Cluster: c.cluster})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		res, err := c.send(ctx, http.MethodPost, c.v2("expand"), "", `{"node_group_name":"task_node_default_group","count":1}`)
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	require.Eventually(t, func() bool { return len(sim.Ledger()) == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, cloudsim.Unheard, sim.Ledger()[0].Outcome)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
}

func TestHuaweiAnswerFaults(t *testing.T) {
	const scaling = "UpdateClusterScaling"
	tests := map[string]struct {
		fault  cloudsim.Fault
		status int
		code   string
	}{
		"sold out":              {cloudsim.Fault{Kind: cloudsim.SoldOut}, 400, "MRS.104"},
		"throttled":             {cloudsim.Fault{Kind: cloudsim.Throttled, Action: scaling}, 429, "APIGW.0308"},
		"throttled, older word": {cloudsim.Fault{Kind: cloudsim.Throttled, Action: scaling, Code: "APIG.0308"}, 429, "APIG.0308"},
		"keys":                  {cloudsim.Fault{Kind: cloudsim.AuthFailed, Action: scaling}, 401, "APIGW.0301"},
		"identity":              {cloudsim.Fault{Kind: cloudsim.AuthFailed, Action: scaling, Code: "12000001"}, 401, "12000001"},
		"disk sold out":         {cloudsim.Fault{Kind: cloudsim.Refused, Action: scaling, Code: "12000139", Reason: "sold out"}, 400, "12000139"},
		"subnet":                {cloudsim.Fault{Kind: cloudsim.Refused, Action: scaling, Code: "MRS.105"}, 400, "MRS.105"},
		"ECS":                   {cloudsim.Fault{Kind: cloudsim.Refused, Action: scaling, Code: "MRS.201", Reason: "ECS: Ecs.0219"}, 400, "MRS.201"},
		"inside":                {cloudsim.Fault{Kind: cloudsim.Refused, Action: scaling, Code: "12000004"}, 500, "12000004"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sim := run(t, nil)
			c := newHuaweiClient(t, sim)
			tt.fault.Cluster = c.cluster
			set(t, sim, tt.fault)
			require.Equal(t, "running", c.state(), "reads are not hit")
			a := c.resize(change(taskGroup, 1))
			require.Equal(t, tt.code, a.code())
			require.Equal(t, tt.status, a.status)
			require.Contains(t, a.answer["error_msg"], tt.fault.Reason)
			l := sim.Ledger()
			require.Len(t, l, 1)
			require.Equal(t, cloudsim.Rejected, l[0].Outcome)
			require.Equal(t, tt.code, l[0].Code)
			require.Equal(t, tt.fault.Kind, l[0].Fault)
			require.Empty(t, sim.Faults())
			sim.Advance(time.Hour)
			require.Equal(t, 2, c.size(taskGroup), "nothing happened")
			require.Equal(t, http.StatusOK, c.resize(change(taskGroup, 1)).status)
		})
	}
}

func TestHuaweiFaultsHitWhatTheyAreMeantFor(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut})
	require.Equal(t, http.StatusOK, c.resize(change(taskGroup, -1)).status, "a removal sells nothing")
	sim.Advance(time.Hour)
	require.Equal(t, "12000002", c.resize(change(taskGroup, 0)).code())
	require.Len(t, sim.Faults(), 1, "not used up by a request that would not have ordered")
	require.Equal(t, "MRS.104", c.call(http.MethodPost, c.v2("expand"), "", `{"node_group_name":"task_node_default_group","count":1}`).code())

	set(t, sim, cloudsim.Fault{Kind: cloudsim.Refused, Action: "ListHosts", Code: "12000019"})
	require.Equal(t, "running", c.state())
	require.Equal(t, "12000019", c.call(http.MethodGet, c.v1("/clusters/{}/hosts"), "", "").code())

	// The one refusal that is no error: status 200 and a word.
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Refused, Action: "ShrinkCluster", Code: "failed"})
	a := c.must(http.MethodPost, c.v2("shrink"), "", `{"node_group_name":"task_node_default_group","count":1}`)
	require.Equal(t, answer{"result": "failed"}, a.answer)
	l := sim.Ledger()
	require.Equal(t, cloudsim.Rejected, l[len(l)-1].Outcome)
	sim.Advance(time.Hour)
	require.Equal(t, 1, c.size(taskGroup))
}

func TestHuaweiFlowFails(t *testing.T) {
	tests := map[string]struct {
		stage     int
		at        time.Duration // when it fails
		n         int
		stageDesc string
		size      int // of the task group afterwards
	}{
		"before the state turned":     {1, 3 * time.Second, 2, "Cluster expansion failed", 2},
		"while creating":              {3, 71 * time.Second, 2, "Cluster expansion failed", 2},
		"in the middle, unless said":  {0, 71 * time.Second, 2, "Cluster expansion failed", 2},
		"while joining: one has come": {5, 240 * time.Second, 2, "Cluster expansion failed", 3},
		"while leaving":               {5, 131 * time.Second, -2, "Cluster shrink failed", 0},
		"while deleting machines":     {4, 86 * time.Second, -2, "Cluster shrink failed", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sim := run(t, nil)
			c := newHuaweiClient(t, sim)
			set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails, Stage: tt.stage, Reason: "(MRS.104) 用户资源不足"})
			require.Equal(t, http.StatusOK, c.resize(change(taskGroup, tt.n)).status)
			require.Equal(t, cloudsim.FlowFails, sim.Ledger()[0].Fault)
			sim.Advance(tt.at - 1)
			require.Empty(t, c.details()["errorInfo"])
			sim.Advance(1)
			d := c.details()
			require.Equal(t, "running", d["clusterState"], "a failed scaling leaves a running cluster")
			require.Equal(t, "scaling-error", d["scale"])
			require.Equal(t, "(MRS.104) 用户资源不足", d["errorInfo"])
			require.Equal(t, tt.stageDesc, d["stageDesc"])
			require.Equal(t, fmt.Sprint(epoch.Add(tt.at).Unix()), d["updateAt"])
			require.Equal(t, tt.size, c.size(taskGroup))
			for _, h := range c.hosts(taskGroup) {
				require.Equal(t, "ACTIVE", h["status"], "no half-made machine is kept")
			}
		})
	}
}

// A failure of yesterday still shows when a new change was just taken: a caller
// that looks then must not take it for its own.
func TestHuaweiOldFailureShowsUntilTheStateTurns(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails})
	c.resize(change(taskGroup, 1))
	sim.Advance(time.Hour)
	before := c.details()
	require.Equal(t, "scaling-error", before["scale"])
	require.Contains(t, before["errorInfo"], "MRS.201")
	require.Equal(t, http.StatusOK, c.resize(change(taskGroup, 1)).status)
	require.Equal(t, before, c.details())
	sim.Advance(6 * time.Second)
	require.Equal(t, "scaling-out", c.details()["scale"])
	sim.Advance(time.Hour)
	d := c.details()
	require.Equal(t, []any{"", "", "running"}, []any{d["scale"], d["errorInfo"], d["clusterState"]})
	require.Equal(t, 3, c.size(taskGroup))

	set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails})
	c.resize(change(taskGroup, 1))
	sim.Advance(time.Hour)
	require.Equal(t, "scaling-error", c.details()["scale"])
	sim.ClearFaults()
	require.Equal(t, "", c.details()["scale"])
	require.Equal(t, "", c.details()["errorInfo"])
}

func TestHuaweiFlowBlockedGoesOnWhenCleared(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	id := set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowBlocked, Stage: 5})
	c.resize(change(taskGroup, 2))
	sim.Advance(24 * time.Hour)
	require.Equal(t, "scaling-out", c.state())
	require.Equal(t, "Adding node to the cluster", c.details()["stageDesc"])
	require.Equal(t, 3, c.size(taskGroup))
	require.True(t, huaweiState(t, sim).Operation.Blocked)
	require.Len(t, sim.Faults(), 1, "still listed: it holds an operation")
	require.True(t, sim.ClearFault(id))
	sim.Advance(60*time.Second - 1)
	require.Equal(t, "scaling-out", c.state())
	sim.Advance(1)
	require.Equal(t, "running", c.state())
	require.Equal(t, 4, c.size(taskGroup))
	require.Equal(t, fmt.Sprint(epoch.Add(24*time.Hour+time.Minute).Unix()), c.details()["updateAt"])
}

func TestHuaweiPartial(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 1})
	c.resize(change(taskGroup, 3))
	sim.Advance(time.Hour)
	d := c.details()
	require.Equal(t, []any{"running", ""}, []any{d["clusterState"], d["scale"]}, "the state doesn't tell")
	require.Equal(t, 3, c.size(taskGroup))
	hosts := c.hosts(taskGroup)
	require.Equal(t, []string{"ACTIVE", "ACTIVE", "ACTIVE", "ERROR", "ERROR"}, statuses(hosts))
	require.Equal(t, "failed", c.must(http.MethodGet, c.v2("nodes"), "node_group=task_node_default_group", "").list("nodes")[4]["node_status"])

	// Broken nodes stop every ordinary change, and go by their resource ids.
	require.Equal(t, "12000068", c.resize(change(taskGroup, 1)).code())
	require.Equal(t, "12000068", c.resize(change(taskGroup, -1)).code())
	shrink := func(body string) hwAnswer { return c.call(http.MethodPost, c.v2("shrink"), "", body) }
	require.Equal(t, "12000068", shrink(`{"node_group_name":"task_node_default_group","count":1}`).code())
	ids := func(field string, which ...int) string {
		out := ""
		for _, i := range which {
			out += fmt.Sprintf(`,%q`, hosts[i][field])
		}
		return `{"node_group_name":"task_node_default_group","resource_ids":[` + out[1:] + `]}`
	}
	require.Equal(t, "12000002", shrink(ids("resource_id", 0)).code(), "healthy")
	require.Equal(t, "12000002", shrink(ids("id", 3)).code(), "the other id")
	require.Equal(t, "12000002", shrink(ids("resource_id", 3, 3)).code())
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Refused, Action: "ShrinkCluster", Code: "12000013"})
	require.Equal(t, "12000013", shrink(ids("resource_id", 3, 4)).code())
	require.Equal(t, http.StatusOK, shrink(ids("resource_id", 3, 4)).status)
	sim.Advance(100 * time.Second)
	require.Equal(t, 3, c.size(taskGroup), "broken nodes never counted")
	sim.Advance(time.Hour)
	require.Equal(t, []string{"ACTIVE", "ACTIVE", "ACTIVE"}, statuses(c.hosts(taskGroup)))

	// A removal can stop half-way as well.
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 1})
	c.resize(change(taskGroup, -3))
	sim.Advance(time.Hour)
	require.Equal(t, []string{"ACTIVE", "ACTIVE"}, statuses(c.hosts(taskGroup)))
	require.Equal(t, 2, c.size(taskGroup))

	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial})
	c.resize(change(taskGroup, 1))
	sim.Advance(time.Hour)
	require.Equal(t, "12000068", c.resize(change(taskGroup, 1)).code())
	require.Equal(t, http.StatusOK, shrink(`{"node_group_name":"task_node_default_group","count":1,"force_delete":true}`).status, "force leaves that rule out")
	sim.Advance(time.Hour)
	require.Equal(t, []string{"ACTIVE", "ERROR"}, statuses(c.hosts(taskGroup)))
	sim.ClearFaults()
	require.Equal(t, http.StatusOK, c.resize(change(taskGroup, 1)).status, "ClearFaults takes broken nodes away")
}

func TestHuaweiForcedStatus(t *testing.T) {
	tests := map[string]struct{ state, scale, code string }{
		"starting":          {"starting", "", "12000017"},
		"frozen":            {"frozen", "", "12000017"},
		"abnormal":          {"abnormal", "", "12000017"},
		"failed":            {"failed", "", "12000017"},
		"terminated":        {"terminated", "", "12000017"},
		"scaling-in":        {"scaling-in", "scaling-in", "12000018"},
		"scaling-up":        {"running", "scaling-up", "12000012"},
		"scaling_up_first":  {"running", "scaling_up_first", "12000012"},
		"scaled-up-success": {"running", "scaled-up-success", ""},
		"scaling-error":     {"running", "scaling-error", ""},
	}
	for status, tt := range tests {
		t.Run(status, func(t *testing.T) {
			sim := run(t, nil)
			c := newHuaweiClient(t, sim)
			id := set(t, sim, cloudsim.Fault{Kind: cloudsim.ForcedStatus, Cluster: c.cluster, Status: status})
			d := c.details()
			require.Equal(t, []any{tt.state, tt.scale}, []any{d["clusterState"], d["scale"]})
			require.Equal(t, tt.code == "", huaweiState(t, sim).Usable)
			require.Equal(t, tt.code, c.resize(change(taskGroup, 1)).code())
			require.True(t, sim.ClearFault(id))
			require.Equal(t, "running", c.state())
		})
	}
	// A word of another cloud leaves this one alone.
	sim := run(t, nil)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.ForcedStatus, Status: "302"})
	require.Equal(t, "running", newHuaweiClient(t, sim).state())
}

func TestHuaweiLedgerAndState(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	body := `{"parameters":{"node_id":"node_orderadd",` + change(taskGroup, 2) + `}}`
	a := c.must(http.MethodPut, c.v1("/cluster_infos/{}"), "", body)
	l := sim.Ledger()
	require.Len(t, l, 1)
	require.JSONEq(t, body, string(l[0].Body))
	l[0].Body = nil
	require.Equal(t, cloudsim.Entry{
		N: 1, Time: epoch, Cloud: cloudsim.Huawei, Account: "mrs-n4", Region: "cn-north-4", Action: "UpdateClusterScaling",
		Cluster: c.cluster, Group: taskGroup, Delta: 2, Outcome: cloudsim.Accepted, Operation: "mrs-1", RequestID: a.header.Get("X-Request-Id"),
	}, l[0])
	r := sim.Requests()
	require.Equal(t, []any{"mrs-n4", "cn-north-4", http.MethodPut}, []any{r[0].Account, r[0].Region, r[0].Method})

	look := func() cloudsim.ClusterState { return huaweiState(t, sim) }
	s := look()
	require.False(t, s.Usable)
	require.Equal(t, "running", s.Status)
	require.Equal(t, "Waiting for the cluster to begin", s.Operation.Stages[0].Name)
	require.Equal(t, 1, s.Operation.Stages[0].Status)
	sim.Advance(71 * time.Second) // half-way through creating machines
	s = look()
	require.Equal(t, []any{"scaling-out", "scaling out"}, []any{s.Status, s.StatusText})
	require.Equal(t, []int{2, 2, 1, 0, 0}, []int{s.Operation.Stages[0].Status, s.Operation.Stages[1].Status, s.Operation.Stages[2].Status, s.Operation.Stages[3].Status, s.Operation.Stages[4].Status})
	require.InDelta(t, 0.5, s.Operation.Stages[2].Progress, 0.01)
	require.InDelta(t, 0.23, s.Operation.Progress, 0.001)
	require.Equal(t, []any{"mrs-1", taskGroup, 2}, []any{s.Operation.ID, s.Operation.Group, s.Operation.Delta})
	require.Equal(t, 2, s.Groups[2].Count)
	require.Len(t, s.Groups[2].Nodes, 3)
	require.False(t, s.Groups[2].Nodes[2].Started)
	require.Equal(t, "on-quantity", s.Groups[2].Nodes[2].Charge)
	sim.Advance(time.Hour)
	require.Nil(t, look().Operation)

	// Somebody else resizes the group behind everybody's back.
	before := c.details()["updateAt"]
	require.NoError(t, sim.SetCount(c.cluster, "TASK_NODE_DEFAULT_GROUP", 9))
	require.Equal(t, 9, c.size(taskGroup))
	require.NotEqual(t, before, c.details()["updateAt"])
	require.NoError(t, sim.SetCount(c.cluster, taskGroup, 1))
	require.Equal(t, 1, c.size(taskGroup))
	l = sim.Ledger()
	require.Equal(t, []int{5, -8}, []int{l[1].Delta, l[2].Delta})
	require.Equal(t, cloudsim.Outside, l[2].Outcome)
	require.Error(t, sim.SetCount(c.cluster, "gpu", 1))

	set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails})
	c.resize(change(taskGroup, 1))
	sim.Advance(time.Hour)
	require.Equal(t, "running, the last scaling failed", look().StatusText)
	require.True(t, look().Usable)
}

func TestHuaweiSetCountNeedsAFlavour(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[2].Count, w.Clusters[0].Groups[2].Flavor = 0, "" }))
	require.ErrorContains(t, sim.SetCount(cloudsim.DemoMRSCluster, taskGroup, 1), "no flavour")
}
