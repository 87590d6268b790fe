package alibabaack

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/providertest"
)

func (b *bench) follow(t *testing.T, sub providers.Submission, op providers.Operation) providers.Progress {
	t.Helper()
	pr, err := b.p.Follow(context.Background(), sub, op)
	require.NoError(t, err)
	return pr
}

var running = providers.Operation{ID: "T-1", AcceptedAt: noon}

// results is a task's result list: "i-1 success".
func results(list ...string) string {
	var out []string
	for _, line := range list {
		id, status, _ := strings.Cut(line, " ")
		out = append(out, fmt.Sprintf(`{"data":%q,"status":%q}`, id, status))
	}
	return `,"task_result":[` + strings.Join(out, ",") + `]`
}

// grow sets the cluster to the bench's pool with so many nodes, of which those
// from five on may be NotReady.
func (b *bench) grow(n int, notReady ...int) {
	b.cluster("running", poolOfNodes(n))
	var list []string
	for i := range n {
		ready := "Ready"
		for _, x := range notReady {
			if x == i {
				ready = "NotReady"
			}
		}
		list = append(list, nodeJSON(web, i, ready))
	}
	b.nodes(list...)
}

func TestFollowRunning(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", 2))
	b.grow(7, 6)
	b.task("T-1", `"state":"running","task_type":"nodepool_scaleout","current_stage":"InstallNodes","stages":[
		{"state":"success","message":"machines made","start_time":"2022-12-15 23:00:00","end_time":"2022-12-15 23:01:00"},
		{"state":"running","start_time":"2022-12-15 23:01:00","end_time":""},{"state":"","start_time":""},null]`+results("i-np1-5 success", "i-np1-6 initial"))
	pr := b.follow(t, sub, running)
	require.Equal(t, "/tasks/T-1", b.of("DescribeTaskInfo")[0].path)
	require.Equal(t, providers.Running, pr.State)
	require.Equal(t, 50, pr.Percent)
	require.Equal(t, 7, pr.Count)
	require.Equal(t, []string{"i-np1-5"}, ids(pr.Changed), "running is not joined: the node must be Ready")
	require.Equal(t, []providers.Stage{
		{Name: "1/4", State: providers.StageDone, Percent: 100, Detail: "machines made"},
		{Name: "2/4", State: providers.StageRunning, Detail: "InstallNodes"},
		{Name: "3/4", State: providers.StagePending},
	}, pr.Stages)
	require.Equal(t, []providers.Control{providers.Pause, providers.Cancel}, pr.Controls)
	require.Empty(t, pr.Failed, "it may still come")

	b.task("T-1", `"state":"paused","current_stage":"InstallNodes"`)
	pr = b.follow(t, sub, running)
	require.Equal(t, providers.Running, pr.State)
	require.Equal(t, []providers.Control{providers.Resume, providers.Cancel}, pr.Controls)
	require.NotEmpty(t, pr.Attention.EN)
	require.NotEmpty(t, pr.Attention.ZH)
	require.Equal(t, []providers.Stage{{Name: "InstallNodes", State: providers.StageRunning}}, pr.Stages)

	for _, word := range []string{"reconciling", "cancelling", "failing", "PAUSING"} {
		b.task("T-1", fmt.Sprintf(`"state":%q`, word))
		pr = b.follow(t, sub, running)
		require.Equal(t, providers.Running, pr.State, "an unknown word is never an end")
		require.Contains(t, pr.Message, word)
	}
	b.task("T-1", `"state":"Running"`)
	require.Empty(t, b.follow(t, sub, running).Message)
}

func TestFollowToTheEnd(t *testing.T) {
	const now = `,"updated":"2026-11-24T12:00:00Z"`
	const stock = `,"error":{"code":"OperationDenied.NoStock","message":"the type is out of stock"}`
	for name, tc := range map[string]struct {
		delta    int
		state    string
		fields   string
		nodes    int
		notReady []int
		age      time.Duration
		want     providers.ProgressState
		changed  string
		failed   string
		says     string
	}{
		"all joined, named":                {2, "success", now + results("i-np1-5 success", "i-np1-6 success"), 7, nil, 0, providers.Succeeded, "[i-np1-5 i-np1-6]", "[]", ""},
		"all joined, not named":            {2, "success", now, 7, nil, 0, providers.Succeeded, "[i-np1-5 i-np1-6]", "[]", ""},
		"an empty error is none":           {2, "success", now + `,"error":{"code":"","message":""}`, 7, nil, 0, providers.Succeeded, "[i-np1-5 i-np1-6]", "[]", ""},
		"one more of somebody else":        {2, "success", now + results("i-np1-5 success", "i-np1-7 success"), 8, nil, 0, providers.Succeeded, "[i-np1-5 i-np1-7]", "[]", ""},
		"one more, and nothing says whose": {2, "success", now, 8, nil, time.Hour, providers.Partial, "[]", "[]", "3 nodes are new where 2"},
		"named by node name":               {1, "success", now + results("cn-beijing.10.0.np1.5 success"), 6, nil, 0, providers.Succeeded, "[i-np1-5]", "[]", ""},
		"the last is not Ready yet":        {2, "success", now + results("i-np1-5 success", "i-np1-6 success"), 7, []int{6}, joining - time.Second, providers.Running, "[i-np1-5]", "[]", ""},
		"the last never got Ready":         {2, "success", now + results("i-np1-5 success", "i-np1-6 success"), 7, []int{6}, joining, providers.Partial, "[i-np1-5]", "[i-np1-6]", "1 of 2"},
		"one of two failed":                {2, "success", now + results("i-np1-5 success", "i-gone failed"), 6, nil, 0, providers.Partial, "[i-np1-5]", "[i-gone]", "1 of 2"},
		"failed":                           {2, "fail", now + stock, 5, nil, 0, providers.Failed, "[]", "[]", "OperationDenied.NoStock: the type is out of stock"},
		"failed, the other word":           {2, "failed", now + stock, 5, nil, 0, providers.Failed, "[]", "[]", "NoStock"},
		"failed with one joined":           {2, "failed", now + stock + results("i-np1-5 success", "i-np1-6 fail"), 7, []int{6}, 0, providers.Partial, "[i-np1-5]", "[i-np1-6]", "NoStock"},
		"failed without a reason":          {2, "failed", now, 5, nil, 0, providers.Failed, "[]", "[]", "gives no reason"},
		"failed in a stage":                {2, "failed", now + `,"stages":[{"state":"fail","message":"云服务器\n创建失败"}]`, 5, nil, 0, providers.Failed, "[]", "[]", "云服务器 创建失败"},
		"cancelled":                        {2, "canceled", now, 5, nil, 0, providers.Failed, "[]", "[]", "the task is canceled"},
		"cancelled with one joined":        {2, "cancelled", now + results("i-np1-5 success"), 6, nil, 0, providers.Partial, "[i-np1-5]", "[]", "cancelled"},
		"cancelled, one new of anybody":    {2, "cancelled", now, 6, nil, 0, providers.Failed, "[]", "[]", "1 nodes are new in the group"},
		"failed, two new of anybody":       {2, "failed", now + stock, 7, []int{6}, 0, providers.Failed, "[]", "[]", "does not say whether they are this change's"},
		"removal failed, one new":          {-2, "failed", now, 6, []int{5}, 0, providers.Failed, "[]", "[]", "gives no reason"},
		"removed":                          {-2, "success", now, 3, nil, 0, providers.Succeeded, "[i-np1-3 i-np1-4]", "[]", ""},
		"one still listed":                 {-2, "success", now, 4, nil, 0, providers.Running, "[i-np1-4]", "[]", ""},
		"one stayed":                       {-2, "success", now, 4, nil, joining, providers.Partial, "[i-np1-4]", "[]", "1 of 2 nodes have left"},
		"removal failed":                   {-2, "failed", now + `,"error":{"code":"DrainFailed","message":"pod x has a budget"}`, 5, nil, 0, providers.Failed, "[]", "[]", "DrainFailed: pod x"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change("workers", tc.delta))
			b.grow(tc.nodes, tc.notReady...)
			b.task("T-1", fmt.Sprintf(`"state":%q%s`, tc.state, tc.fields))
			b.clock.set(noon.Add(tc.age))
			pr := b.follow(t, sub, running)
			require.Equal(t, tc.want, pr.State, "%+v", pr)
			require.Equal(t, tc.nodes, pr.Count)
			require.Equal(t, tc.changed, fmt.Sprint(ids(pr.Changed)))
			require.Equal(t, tc.failed, fmt.Sprint(ids(pr.Failed)))
			require.Contains(t, pr.Message, tc.says)
			require.Equal(t, pr.State == providers.Succeeded, pr.Percent == 100)
			require.Empty(t, pr.Controls, "nothing is left to steer")
			if strings.Contains(tc.says, "NoStock") {
				require.Contains(t, pr.Attention.EN, "sold out")
				require.NotEmpty(t, pr.Attention.ZH)
			}
		})
	}
}

// Stock, quota and address errors come inside the task, long after the call.
func TestLateErrorsGetAdvice(t *testing.T) {
	for fields, want := range map[string]string{
		`"error":{"code":"QuotaExceeded.Node","message":"x"}`:                                                                         "quota",
		`"events":[{"level":"Error","reason":"ScaleFailed","message":"create ecs: InvalidVSwitchId.IpNotEnough, no ip left"}]`:        "addresses",
		`"events":[{"level":"Warning","reason":"OperationDenied.NoStock","message":"sold out"},{"level":"Normal","message":"hi"}]`:    "sold out",
		`"stages":[{"state":"running","message":"ok"},{"state":"fail","message":"(InvalidAccountStatus.NotEnoughBalance) no money"}]`: "balance",
		`"error":{"code":"X","message":"who knows"}`:                                                                                  "",
	} {
		b := newBench(t)
		sub := b.submission(t, change("workers", 2))
		b.task("T-1", `"state":"running",`+fields)
		pr := b.follow(t, sub, running)
		require.Equal(t, providers.Running, pr.State, "it is the task that ends, not an event")
		require.Contains(t, strings.ToLower(pr.Attention.EN), want)
		require.Equal(t, want == "", pr.Attention.IsZero(), fields)
	}
}

// What a node says of its own failure is the reason where the task has none.
func TestErrorOfANode(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", 2))
	b.cluster("running", poolOfNodes(6))
	b.nodes(nodeJSON(web, 0, "Ready"), `{"instance_id":"i-new","nodepool_id":"np1","state":"failed","node_status":"","error_message":"NoInstanceStock: ecs.c5.xlarge"}`)
	b.task("T-1", `"state":"failed"`+results("i-new failed"))
	pr := b.follow(t, sub, running)
	require.Equal(t, providers.Failed, pr.State)
	require.Equal(t, "NoInstanceStock: ecs.c5.xlarge", pr.Message)
	require.Contains(t, pr.Attention.EN, "sold out")
	require.Equal(t, []string{"i-new"}, ids(pr.Failed))
}

// A group of all workers has its nodes from the task, wherever they went.
func TestFollowAllWorkers(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("legacy", 2))
	other := fakePool{id: "np2", state: "active", nodes: 2, group: web.group, node: web.node}
	b.cluster("running", web, other)
	b.task("T-1", `"state":"success","task_type":"cluster_scaleout"`+results("i-np2-0 success", "i-np2-1 success"))
	pr := b.follow(t, sub, running)
	require.Equal(t, providers.Succeeded, pr.State)
	require.Equal(t, 7, pr.Count)
	require.Equal(t, []string{"i-np2-0", "i-np2-1"}, ids(pr.Changed))
	require.Empty(t, b.of("DescribeClusterNodes")[len(b.of("DescribeClusterNodes"))-1].query.Get("nodepool_id"))
}

// Nor is what another pool's node says of its own failure the reason of ours.
func TestErrorOfAnothersNode(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("legacy", 2))
	b.nodes(nodeJSON(web, 0, "Ready"), `{"instance_id":"i-new","nodepool_id":"np2","instance_role":"Worker","state":"failed","error_message":"NoInstanceStock: ecs.c5.xlarge"}`)
	b.task("T-1", `"state":"failed"`)
	pr := b.follow(t, sub, running)
	require.NotContains(t, pr.Message, "NoInstanceStock")
	require.Empty(t, pr.Failed)
}

// For all workers every pool's new node counts: one that never got Ready is not
// called the change's, for people to remove, unless its task says so.
func TestUselessNodesAreClaimed(t *testing.T) {
	for name, tc := range map[string]struct {
		results, useless string
		more             int
	}{
		"of anybody":         {"", "[]", 0},
		"named by the task":  {results("i-np2-0 success", "i-np2-1 initial"), "[i-np2-1]", 0},
		"more than asked":    {"", "[]", 1},
		"more, but named":    {results("i-np2-0 success", "i-np2-1 initial"), "[i-np2-1]", 1},
		"failed and no node": {results("i-np2-0 success", "i-gone fail"), "[i-gone]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change("legacy", 2))
			other := fakePool{id: "np2", state: "active", nodes: 2 + tc.more, group: web.group, node: web.node}
			b.cluster("running", web, other)
			var list []string
			for i := range web.nodes {
				list = append(list, nodeJSON(web, i, "Ready"))
			}
			for i := range other.nodes {
				list = append(list, nodeJSON(other, i, []string{"Ready", "NotReady", "NotReady"}[i]))
			}
			b.nodes(list...)
			b.task("T-1", `"state":"success","updated":"2026-11-24T12:00:00Z"`+tc.results)
			b.clock.set(noon.Add(time.Hour))
			pr := b.follow(t, sub, running)
			require.Equal(t, providers.Partial, pr.State, "%+v", pr)
			require.Equal(t, tc.useless, fmt.Sprint(ids(pr.Failed)))
		})
	}
}

// A fresh task may be unknown for a minute; after that the nodes tell, or a
// person looks.
func TestTaskThatIsNotKnown(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", 2))
	b.always("DescribeTaskInfo", fault(404, "ErrorTaskNotFound"))
	b.clock.set(noon.Add(freshTask - time.Second))
	require.Equal(t, providers.Running, b.follow(t, sub, running).State)
	b.clock.set(noon.Add(freshTask))
	_, err := b.p.Follow(context.Background(), sub, running)
	require.Equal(t, providers.NotFound, providers.KindOf(err))
	require.Contains(t, providers.AdviceOf(err).EN, "task")
	providertest.Presentable(t, err)
	b.grow(7)
	require.Equal(t, providers.Succeeded, b.follow(t, sub, running).State)

	for code, want := range map[string]providers.Kind{"InternalError": providers.Retry, "Forbidden": providers.Auth, "Throttling": providers.Retry} {
		b := newBench(t)
		sub := b.submission(t, change("workers", 2))
		b.always("DescribeTaskInfo", fault(403, code))
		_, err := b.p.Follow(context.Background(), sub, running)
		require.Equal(t, want, providers.KindOf(err), code)
	}
}

// Without a task the pool and its nodes are all there is to follow.
func TestFollowByNodes(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster string
		pool    string
		nodes   int
		age     time.Duration
		want    providers.ProgressState // "" = not found
	}{
		"not begun yet":         {"running", "active", 5, time.Second, providers.Running},
		"at work":               {"running", "scaling", 6, time.Hour, providers.Running},
		"all there":             {"running", "active", 7, time.Second, providers.Succeeded},
		"one there, just now":   {"running", "active", 6, time.Second, providers.Running},
		"one there, long ago":   {"running", "active", 6, freshChange, providers.Partial},
		"nothing, long ago":     {"running", "active", 5, freshChange, ""},
		"the cluster is lost":   {"disconnected", "active", 6, time.Hour, providers.Failed},
		"the cluster is gone":   {"deleting", "active", 6, time.Hour, providers.Failed},
		"more than asked, busy": {"running", "scaling", 9, time.Hour, providers.Running},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change("workers", 2))
			p := poolOfNodes(tc.nodes)
			p.state = tc.pool
			b.cluster(tc.cluster, p)
			b.clock.set(noon.Add(tc.age))
			pr, err := b.p.Follow(context.Background(), sub, providers.Operation{AcceptedAt: noon})
			require.Empty(t, b.of("DescribeTaskInfo"))
			if tc.want == "" {
				require.Equal(t, providers.NotFound, providers.KindOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, pr.State, "%+v", pr)
			require.Empty(t, pr.Controls)
			require.Equal(t, pr.State == providers.Succeeded, pr.Percent == 100)
		})
	}
}

func TestControl(t *testing.T) {
	for name, tc := range map[string]struct {
		c      providers.Control
		states []string // of the task, one per look
		say    answer
		kind   providers.Kind // "" = success
		sent   int
	}{
		"pause":                            {providers.Pause, []string{"running"}, answer{}, "", 1},
		"resume":                           {providers.Resume, []string{"paused"}, answer{}, "", 1},
		"cancel":                           {providers.Cancel, []string{"running"}, ok(`{"any":"body"}`), "", 1},
		"cancel what is paused":            {providers.Cancel, []string{"paused"}, answer{}, "", 1},
		"paused already":                   {providers.Pause, []string{"paused"}, answer{}, "", 0},
		"on its way to be paused":          {providers.Pause, []string{"pausing"}, answer{}, "", 0},
		"running already":                  {providers.Resume, []string{"running"}, answer{}, "", 0},
		"cancelled already":                {providers.Cancel, []string{"cancelled"}, answer{}, "", 0},
		"ended":                            {providers.Cancel, []string{"success"}, answer{}, providers.Refused, 0},
		"refused":                          {providers.Pause, []string{"running", "running"}, fault(400, "TaskNotSupport"), providers.Refused, 1},
		"refused, for somebody was faster": {providers.Pause, []string{"running", "paused"}, fault(400, "TaskState"), "", 1},
		"the answer is lost":               {providers.Pause, []string{"running"}, answer{drop: true}, providers.Retry, 1},
		"a fault":                          {providers.Pause, []string{"running"}, fault(500, "InternalError"), providers.Retry, 1},
		"no right":                         {providers.Pause, []string{"running"}, fault(403, "Forbidden.RAM"), providers.Auth, 1},
		"something else":                   {"explode", nil, answer{}, providers.Refused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change("workers", 2))
			for _, s := range tc.states {
				b.next("DescribeTaskInfo", ok(fmt.Sprintf(`{"task_id":"T-1","state":%q}`, s)))
			}
			for _, a := range []string{"PauseTask", "ResumeTask", "CancelTask"} {
				b.always(a, tc.say)
			}
			err := b.p.Control(context.Background(), sub, running, tc.c)
			if tc.kind == "" {
				require.NoError(t, err)
			} else {
				require.Equal(t, tc.kind, providers.KindOf(err))
				providertest.Presentable(t, err)
			}
			calls := append(append(b.of("PauseTask"), b.of("ResumeTask")...), b.of("CancelTask")...)
			require.Len(t, calls, tc.sent)
			if tc.sent > 0 {
				require.Equal(t, "POST /tasks/T-1/"+string(tc.c), calls[0].method+" "+calls[0].path)
			}
		})
	}
	b := newBench(t)
	err := b.p.Control(context.Background(), b.submission(t, change("workers", 2)), providers.Operation{}, providers.Pause)
	require.Equal(t, providers.Refused, providers.KindOf(err))
	b.always("DescribeTaskInfo", fault(404, "ErrorTaskNotFound"))
	err = b.p.Control(context.Background(), b.submission(t, change("workers", 2)), running, providers.Pause)
	require.Equal(t, providers.NotFound, providers.KindOf(err))
}
