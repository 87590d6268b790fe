package tencentemr

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func flowAnswer(status int, progress float64, stages string) answer {
	return ok(fmt.Sprintf(`{"StageDetails":[%s],"FlowDesc":null,"FlowName":"扩容","FlowTotalProgress":%g,"FlowTotalStatus":%d,"RequestId":"r"}`, stages, progress, status))
}

const someStages = `
	{"Stage":"1","Name":"申请资源","Status":2,"Progress":1,"IsShow":true},
	{"Stage":"2","Name":"hidden","Status":2,"Progress":1,"IsShow":false},
	{"Stage":"3","LanguageKey":"install","Status":1,"Progress":0.5},
	{"Stage":"4","Name":"start","Status":0,"Progress":0},
	null`

func (b *bench) follow(t *testing.T, sub providers.Submission, op providers.Operation) providers.Progress {
	t.Helper()
	pr, err := b.p.Follow(context.Background(), sub, op)
	require.NoError(t, err)
	return pr
}

func ids2(nodes []providers.Node) (out []string) {
	for _, n := range nodes {
		out = append(out, n.ID)
	}
	return out
}

func TestFollowRunning(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", 2))
	op := providers.Operation{ID: "19239", Trace: "tr", AcceptedAt: noon}
	b.cluster(4, 3, 6)
	b.always("DescribeClusterFlowStatusDetail", flowAnswer(1, 0.5, someStages))
	pr := b.follow(t, sub, op)
	require.Equal(t, map[string]any{"InstanceId": "emr-m620", "FlowParam": map[string]any{"FKey": "FlowId", "FValue": "19239"}, "NeedExtraDetail": true},
		b.of("DescribeClusterFlowStatusDetail")[0].body)
	require.Equal(t, providers.Running, pr.State)
	require.Equal(t, 50, pr.Percent)
	require.Equal(t, []providers.Stage{
		{Name: "申请资源", State: providers.StageDone, Percent: 100},
		{Name: "install", State: providers.StageRunning, Percent: 50},
		{Name: "start", State: providers.StagePending},
	}, pr.Stages)
	require.Equal(t, 6, pr.Count)
	require.Equal(t, []string{"ins-task5"}, ids2(pr.Changed))

	b.always("DescribeClusterFlowStatusDetail", flowAnswer(-3, 0.5, someStages))
	pr = b.follow(t, sub, op)
	require.Equal(t, providers.Running, pr.State)
	require.NotEmpty(t, pr.Attention.EN)
	require.NotEmpty(t, pr.Attention.ZH)

	b.always("DescribeClusterFlowStatusDetail", flowAnswer(77, 3, ""))
	pr = b.follow(t, sub, op)
	require.Equal(t, providers.Running, pr.State, "an unknown word is never an end")
	require.Equal(t, 100, pr.Percent)
	require.Contains(t, pr.Message, "77")
}

func TestFollowToTheEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		delta, flow, status, tasks int
		want                       providers.ProgressState
		changed                    int
	}{
		"all joined":                        {2, 2, 2, 7, providers.Succeeded, 2},
		"more joined than asked":            {2, 2, 2, 8, providers.Succeeded, 3},
		"flow ended, cluster still working": {2, 2, 4, 6, providers.Running, 1},
		"one joined":                        {2, 2, 2, 6, providers.Partial, 1},
		"none joined":                       {2, 2, 2, 5, providers.Partial, 0},
		"skipped steps":                     {2, 3, 2, 7, providers.Partial, 2},
		"failed with one joined":            {2, -1, 302, 6, providers.Failed, 1},
		"removed":                           {-2, 2, 2, 3, providers.Succeeded, 2},
		"one removed":                       {-2, 2, 2, 4, providers.Partial, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", tc.delta))
			b.cluster(tc.status, 3, tc.tasks)
			b.always("DescribeClusterFlowStatusDetail", flowAnswer(tc.flow, 1, `{"Name":"s","Status":-1,"FailedReason":"云服务器\n创建失败"}`))
			pr := b.follow(t, sub, providers.Operation{ID: "1", AcceptedAt: noon})
			require.Equal(t, tc.want, pr.State, "%+v", pr)
			require.Equal(t, tc.tasks, pr.Count)
			require.Len(t, pr.Changed, tc.changed)
			if tc.want == providers.Failed {
				require.Equal(t, "s: 云服务器 创建失败", pr.Message)
			}
		})
	}
}

// A fresh flow may be unknown for a minute; after that a person looks.
func TestFlowThatIsNotKnown(t *testing.T) {
	for name, say := range map[string]answer{
		"not found": fault("ResourceNotFound"), "refused key": fault("InvalidParameter"), "nothing in it": ok(`{"RequestId":"r"}`),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", 2))
			op := providers.Operation{ID: "1", AcceptedAt: noon}
			b.always("DescribeClusterFlowStatusDetail", say)
			b.clock.set(noon.Add(freshFlow - time.Second))
			require.Equal(t, providers.Running, b.follow(t, sub, op).State)
			b.clock.set(noon.Add(freshFlow))
			_, err := b.p.Follow(context.Background(), sub, op)
			require.Equal(t, providers.NotFound, providers.KindOf(err))

			op.Trace = "tr"
			b.next("DescribeClusterFlowStatusDetail", say, flowAnswer(1, 0.1, ""))
			require.Equal(t, 10, b.follow(t, sub, op).Percent, "the trace is a second key")
		})
	}
	for code, want := range map[string]providers.Kind{"InternalError": providers.Retry, "AuthFailure.SignatureFailure": providers.Auth, "RequestLimitExceeded": providers.Retry} {
		b := newBench(t, nil)
		sub := b.submission(t, change("task", 2))
		b.always("DescribeClusterFlowStatusDetail", fault(code))
		_, err := b.p.Follow(context.Background(), sub, providers.Operation{ID: "1", Trace: "tr", AcceptedAt: noon})
		require.Equal(t, want, providers.KindOf(err), code)
	}
}

// Without a flow id the cluster and its nodes are all there is to follow.
func TestFollowByNodes(t *testing.T) {
	for name, tc := range map[string]struct {
		status, tasks int
		age           time.Duration
		want          providers.ProgressState // "" = not found
	}{
		"not begun yet":         {2, 5, time.Second, providers.Running},
		"at work":               {16, 4, time.Hour, providers.Running},
		"all gone":              {2, 3, time.Second, providers.Succeeded},
		"gone but still busy":   {16, 3, time.Second, providers.Running},
		"one gone, just now":    {2, 4, time.Second, providers.Running},
		"one gone, long ago":    {2, 4, freshChange, providers.Partial},
		"nothing, long ago":     {2, 5, freshChange, ""},
		"the cluster is frozen": {19, 4, time.Hour, providers.Failed},
		"the cluster is gone":   {201, 4, time.Hour, providers.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", -2))
			b.cluster(tc.status, 3, tc.tasks)
			b.clock.set(noon.Add(tc.age))
			pr, err := b.p.Follow(context.Background(), sub, providers.Operation{AcceptedAt: noon})
			require.Empty(t, b.of("DescribeClusterFlowStatusDetail"))
			if tc.want == "" {
				require.Equal(t, providers.NotFound, providers.KindOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, pr.State, "%+v", pr)
			require.Equal(t, pr.State == providers.Succeeded, pr.Percent == 100)
		})
	}
}
