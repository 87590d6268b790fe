package tencentemr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const (
	// freshFlow is how long a new flow may still be unknown to the service.
	freshFlow = 60 * time.Second
	// freshChange is how long a cluster may look idle before an accepted change
	// without a flow shows; removing nodes begins within seconds as a rule.
	freshChange = 3 * time.Minute
	// maxWords is how much of the cloud's own words is kept, in bytes.
	maxWords = 400
)

// The values of FlowTotalStatus and of a stage's Status.
const (
	flowInitial = 0
	flowRunning = 1
	flowDone    = 2
	flowSkipped = 3 // of a stage: partly done
	flowFailed  = -1
	flowBlocked = -3
)

// Follow reads the flow and the group's nodes.
func (p *provider) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	if op.ID == "" && op.Trace == "" {
		s, err := p.Observe(ctx, ref(sub.Change))
		if err != nil {
			return providers.Progress{}, err
		}
		return p.followNodes(sub, op, s)
	}
	flow, err := p.flow(ctx, sub.Change.ClusterID, op)
	if err != nil {
		return providers.Progress{}, err
	}
	if flow == nil {
		if p.env.Now().Sub(op.AcceptedAt) < freshFlow {
			return p.withNodes(ctx, sub, providers.Progress{State: providers.Running})
		}
		return providers.Progress{}, &providers.Error{
			Kind: providers.NotFound, Op: "DescribeClusterFlowStatusDetail",
			Err: fmt.Errorf("no flow %s (trace %s) on %s", op.ID, op.Trace, sub.Change.ClusterID),
			Advice: providers.Text{
				EN: fmt.Sprintf("Tencent Cloud does not know flow %s any more: look at the cluster in the EMR console.", op.ID),
				ZH: fmt.Sprintf("腾讯云已查不到流程 %s：请在 EMR 控制台查看集群。", op.ID),
			},
		}
	}
	return p.withNodes(ctx, sub, progressOf(flow))
}

// flow reads the flow by its id, and by its trace where the id is not known.
// Nil without an error: the service knows neither.
func (p *provider) flow(ctx context.Context, cluster string, op providers.Operation) (*emr.DescribeClusterFlowStatusDetailResponseParams, error) {
	for _, key := range [][2]string{{"FlowId", op.ID}, {"TraceId", op.Trace}} {
		if key[1] == "" {
			continue
		}
		var out *emr.DescribeClusterFlowStatusDetailResponseParams
		err := p.send(ctx, "DescribeClusterFlowStatusDetail", false, func(ctx context.Context, c *emr.Client) error {
			r := emr.NewDescribeClusterFlowStatusDetailRequest()
			r.InstanceId = &cluster
			r.FlowParam = &emr.FlowParam{FKey: new(key[0]), FValue: new(key[1])}
			r.NeedExtraDetail = new(true)
			resp, err := c.DescribeClusterFlowStatusDetailWithContext(ctx, r)
			switch {
			case err != nil:
				return err
			case resp == nil || resp.Response == nil:
				return errNoAnswer
			}
			out = resp.Response
			return nil
		})
		switch {
		case err == nil && out.FlowTotalStatus != nil:
			return out, nil
		// Which of the two it says of a fresh flow is not documented.
		case err == nil, saysNo(err):
		default:
			return nil, err
		}
	}
	return nil, nil
}

// saysNo reports whether the service answered that it has no such thing, or that
// it doesn't take the name.
func saysNo(err error) bool {
	var e *providers.Error
	if !errors.As(err, &e) || e.Code == "" || e.Kind == providers.Auth {
		return false
	}
	w := lookup(e.Code).write
	return w == providers.NotFound || w == providers.Refused
}

// progressOf reads the flow alone; withNodes says whether the nodes are there.
func progressOf(f *emr.DescribeClusterFlowStatusDetailResponseParams) providers.Progress {
	pr := providers.Progress{State: providers.Running, Percent: percent(f.FlowTotalProgress)}
	var failed string
	for _, s := range f.StageDetails {
		if s == nil || s.IsShow != nil && !*s.IsShow {
			continue
		}
		st := providers.Stage{
			Name: adapter.Cut(value(s.Name), 200), State: stageState(s.Status), Percent: percent(s.Progress),
			Detail: adapter.Cut(value(s.FailedReason), maxWords),
		}
		if st.Name == "" {
			st.Name = adapter.Cut(value(s.LanguageKey), 200)
		}
		if st.State == providers.StageFailed && failed == "" {
			failed = st.Name
			if st.Detail != "" {
				failed += ": " + st.Detail
			}
		}
		pr.Stages = append(pr.Stages, st)
	}
	switch code := value(f.FlowTotalStatus); code {
	case flowInitial, flowRunning:
	case flowDone:
		pr.State, pr.Percent = providers.Succeeded, 100
	case flowSkipped:
		pr.State, pr.Percent = providers.Partial, 100
		pr.Message = "done with skipped steps"
		if failed != "" {
			pr.Message += ": " + failed
		}
	case flowFailed:
		pr.State, pr.Message = providers.Failed, failed
		if failed == "" {
			pr.Message = "the flow failed; Tencent Cloud gives no reason"
		}
	case flowBlocked:
		pr.Message = failed
		pr.Attention = providers.Text{
			EN: "The flow is blocked and waits for a person: look at the cluster in the EMR console; it may go on from there.",
			ZH: "流程已阻塞，需要人工处理：请在 EMR 控制台查看集群，处理后流程可继续。",
		}
	default:
		pr.Message = fmt.Sprintf("flow status %d", code)
	}
	return pr
}

func stageState(n *int64) providers.StageState {
	if n == nil {
		return providers.StagePending
	}
	switch *n {
	case flowInitial:
		return providers.StagePending
	case flowDone:
		return providers.StageDone
	case flowSkipped:
		return providers.StagePartial
	case flowFailed:
		return providers.StageFailed
	}
	return providers.StageRunning
}

// percent reads a share of 0 to 1.
func percent(f *float64) int {
	v := value(f)
	if math.IsNaN(v) {
		return 0
	}
	return int(math.Round(100 * min(max(v, 0), 1)))
}

// withNodes adds the group's nodes and takes a success back that the nodes do
// not bear out: a flow that ended while the cluster still works is running, one
// that ended short is partial.
func (p *provider) withNodes(ctx context.Context, sub providers.Submission, pr providers.Progress) (providers.Progress, error) {
	s, err := p.Observe(ctx, ref(sub.Change))
	if err != nil {
		return providers.Progress{}, err
	}
	d := differ(sub, s)
	pr.Count, pr.Changed = d.now, d.changed
	if pr.State != providers.Succeeded || d.reached(sub.Change) {
		return pr, nil
	}
	if scales(s) {
		pr.State, pr.Percent = providers.Running, 99
		return pr, nil
	}
	pr.State = providers.Partial
	pr.Message = fmt.Sprintf("the flow ended, but %d of %d nodes have %s", len(d.changed), abs(sub.Change.Delta), adapter.JoinedOrLeft(sub.Change))
	return pr, nil
}

// reached is complete for a change that is known to be ours: more nodes than
// asked for are somebody else's and do no harm to its success.
func (d difference) reached(c providers.Change) bool {
	return d.complete || c.Adds() && len(d.changed) >= c.Delta && d.now >= d.before+c.Delta
}

// followNodes follows an accepted change that has no flow: TerminateTasks, or
// one that Reconcile found by its nodes.
func (p *provider) followNodes(sub providers.Submission, op providers.Operation, s providers.Snapshot) (providers.Progress, error) {
	d := differ(sub, s)
	want := abs(sub.Change.Delta)
	pr := providers.Progress{State: providers.Running, Count: d.now, Changed: d.changed, Message: s.Status}
	if want > 0 {
		pr.Percent = min(99, 100*len(d.changed)/want)
	}
	switch {
	case s.Phase == providers.Busy:
	case s.Phase == providers.Blocked, s.Phase == providers.Gone:
		pr.State = providers.Failed
	case d.reached(sub.Change):
		pr.State, pr.Percent, pr.Message = providers.Succeeded, 100, ""
	case p.env.Now().Sub(op.AcceptedAt) < freshChange:
	case len(d.changed) > 0:
		pr.State = providers.Partial
		pr.Message = fmt.Sprintf("%d of %d nodes have %s", len(d.changed), want, adapter.JoinedOrLeft(sub.Change))
	default:
		return providers.Progress{}, &providers.Error{
			Kind: providers.NotFound, Op: "DescribeInstances",
			Err: fmt.Errorf("%s is %s and no node has %s", sub.Change.ClusterID, s.Status, adapter.JoinedOrLeft(sub.Change)),
			Advice: providers.Text{
				EN: "Tencent Cloud accepted the change, but the cluster is idle and shows nothing of it: look at it in the EMR console.",
				ZH: "腾讯云已接受变更，但集群空闲且没有任何变化：请在 EMR 控制台查看。",
			},
		}
	}
	return pr, nil
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// Control refuses: the service has no call that steers a flow.
func (p *provider) Control(context.Context, providers.Submission, providers.Operation, providers.Control) error {
	return providers.Refusef(providers.Text{
		EN: "Tencent EMR can't pause or stop a running operation; follow it in the EMR console.",
		ZH: "腾讯云 EMR 不支持暂停或终止进行中的操作，请在 EMR 控制台查看。",
	})
}
