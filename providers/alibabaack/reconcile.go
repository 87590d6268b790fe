package alibabaack

import (
	"context"
	"errors"
	"fmt"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// Reconcile finds out about a lost answer; the package comment says how far. It
// never sends anything.
func (p *provider) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	byTask, others, err := p.ownTask(ctx, sub)
	if err != nil || byTask.State == providers.Accepted {
		return byTask, err
	}
	s, err := p.observe(ctx, ref(sub.Change))
	if err != nil {
		return providers.Finding{}, err
	}
	d, err := p.look(ctx, sub)
	if err != nil {
		return providers.Finding{}, err
	}
	f := p.compare(sub, s, d, others)
	if f.State == providers.Unsure && !byTask.Evidence.IsZero() {
		f.Evidence = providers.Text{EN: byTask.Evidence.EN + " " + f.Evidence.EN, ZH: byTask.Evidence.ZH + f.Evidence.ZH}
	}
	return f, nil
}

// ownTask looks for the one task made since the baseline that fits the change
// in type, and in whatever else it says of itself. One that says too little is
// taken only for a group of all workers, which every pool's nodes are in, and not
// while an autoscaler makes tasks of its own. Its finding is Accepted, or
// Unsure with or without a word on what was seen. others are the tasks made since
// that are another change of perhaps the same nodes.
func (p *provider) ownTask(ctx context.Context, sub providers.Submission) (f providers.Finding, others []made, err error) {
	if sub.Baseline.Facts[factNewest] == "" {
		return providers.NotTold("", ""), nil, nil
	}
	tasks, err := p.listTasks(ctx, sub.Change.ClusterID)
	var e *providers.Error
	switch {
	case errors.As(err, &e) && e.Kind == providers.Auth:
		return providers.NotTold("The cluster's tasks can't be listed with this key.", "该密钥无法列出集群的任务。"), nil, nil
	case errors.Is(err, errManyTasks):
		return providers.NotTold("The cluster has too many tasks to list them all.", "集群的任务过多，无法全部列出。"), nil, nil
	case err != nil:
		return providers.Finding{}, nil, err
	}
	strict := !wide(sub.Change) || sub.Baseline.Facts[factScaler] != ""
	var own, silent []made
	for _, t := range since(sub.Baseline, tasks, sub.Change.Adds()) {
		detail, err := p.task(ctx, t.id)
		switch {
		case errors.As(err, &e) && e.Kind == providers.NotFound:
			continue
		case err != nil:
			return providers.Finding{}, nil, err
		}
		switch {
		case !contradicts(detail, sub.Change):
			if strict && !claims(detail, t.kind, sub.Change) {
				silent = append(silent, t)
				continue
			}
			own = append(own, t)
		case !elsewhere(detail, sub.Change):
			others = append(others, t)
		}
	}
	switch {
	case len(own) == 0 && len(silent) > 0:
		return providers.NotTold(
			fmt.Sprintf("Since then task %s (%s) was made on the cluster; it does not say enough of itself to be told from another's.", silent[0].id, silent[0].kind),
			fmt.Sprintf("此后集群上新增了任务 %s（%s），但其信息不足以判断是否为本次变更。", silent[0].id, silent[0].kind)), others, nil
	case len(own) == 0:
		return providers.NotTold("", ""), others, nil
	case len(own) == 1:
		return providers.Finding{
			State:     providers.Accepted,
			Operation: providers.Operation{ID: own[0].id, AcceptedAt: p.env.Now()},
			Evidence: providers.Text{
				EN: fmt.Sprintf("Since then exactly one task of this kind was made on the cluster: %s (%s).", own[0].id, own[0].kind),
				ZH: fmt.Sprintf("此后集群上恰好新增一个同类任务：%s（%s）。", own[0].id, own[0].kind),
			},
		}, others, nil
	}
	return providers.NotTold(
		fmt.Sprintf("Since then %d tasks of this kind were made on the cluster (%s, %s, …), and nothing says which is this change.", len(own), own[0].id, own[1].id),
		fmt.Sprintf("此后集群上新增了 %d 个同类任务（%s、%s 等），无法判断哪个是本次变更。", len(own), own[0].id, own[1].id)), others, nil
}

// compare reads pool and nodes against the baseline, knowing of others' tasks.
func (p *provider) compare(sub providers.Submission, s providers.Snapshot, d *difference, others []made) providers.Finding {
	c := sub.Change
	was, _ := fact(sub.Baseline, c.GroupID)
	is, _ := fact(s, c.GroupID)
	// An autoscaler makes nodes and moves the desired size at any time, so with
	// one at work neither says anything of ours. Nodes removed by id do.
	scaler := c.Adds() && (was.Autoscale || is.Autoscale || wide(c) && sub.Baseline.Facts[factScaler]+s.Facts[factScaler] != "")
	// While nodes are being made they appear one by one: somebody else's larger
	// number passes ours on its way. With another's task on record neither nodes nor
	// size say whose they are, at work or not. Nodes that were named are no matter of
	// number. Pools that hold no change up have nodes of all workers too.
	working := ""
	if c.Adds() && wide(c) {
		working = s.Facts[factWorking]
	}
	growing := c.Adds() && (s.Phase != providers.Ready || working != "" || is.Desired != nil && *is.Desired > d.now)
	foreign := c.Adds() && len(others) > 0
	accepted := func(en, zh string) providers.Finding {
		return providers.Finding{
			State: providers.Accepted, Operation: providers.Operation{AcceptedAt: p.env.Now()},
			Evidence: providers.Text{EN: en, ZH: zh},
		}
	}
	switch {
	case d.exact(c) && !scaler && !growing && !foreign:
		return accepted(
			fmt.Sprintf("Since then exactly the nodes of this change have %s (%d before, %d now).", adapter.JoinedOrLeft(c), d.before, d.now),
			fmt.Sprintf("此后恰好有本次变更的节点%s（之前 %d 个，现在 %d 个）。", adapter.JoinedOrLeftZH(c), d.before, d.now))
	case c.Adds() && !scaler && !foreign && was.Desired != nil && is.Desired != nil && *is.Desired == *was.Desired+c.Delta:
		return accepted(
			fmt.Sprintf("The pool's desired size went from %d to %d, as this change asks.", *was.Desired, *is.Desired),
			fmt.Sprintf("节点池的期望节点数由 %d 变为 %d，与本次变更一致。", *was.Desired, *is.Desired))
	case s.Phase == providers.Gone:
		return providers.NotTold("The cluster is gone ("+s.Status+").", "集群已销毁（"+s.Status+"）。")
	case s.Phase != providers.Ready:
		return providers.AtWork(
			fmt.Sprintf("The cluster is %s: this change may be at work or another one; it can be told when that ends.", s.Status),
			fmt.Sprintf("集群状态为 %s：可能是本次变更，也可能是其他操作，需待其结束后判断。", s.Status))
	case foreign && len(d.fresh) > 0:
		return providers.NotTold(
			fmt.Sprintf("%d nodes are new, but another task (%s, %s) was made on the cluster since and may have made them.", len(d.fresh), others[0].id, others[0].kind),
			fmt.Sprintf("新增了 %d 个节点，但此后集群上另有任务（%s，%s），可能由其创建。", len(d.fresh), others[0].id, others[0].kind))
	case working != "" && len(d.fresh) > 0:
		return providers.AtWork(
			fmt.Sprintf("%d nodes are new, and node pool %s is at work: this change may be at work or another one.", len(d.fresh), working),
			fmt.Sprintf("新增了 %d 个节点，且节点池 %s 正在变更：可能是本次变更，也可能是其他操作。", len(d.fresh), working))
	case growing && d.exact(c):
		return providers.AtWork(
			fmt.Sprintf("%d nodes are new, but the pool's desired size of %d is not reached: this change may be at work or a larger one.", len(d.fresh), *is.Desired),
			fmt.Sprintf("新增了 %d 个节点，但未达到节点池的期望节点数 %d：可能是本次变更，也可能是更大的变更在执行。", len(d.fresh), *is.Desired))
	case scaler && len(d.fresh) > 0:
		return providers.NotTold(
			fmt.Sprintf("%d nodes are new, but autoscaling is on and may have made them.", len(d.fresh)),
			fmt.Sprintf("新增了 %d 个节点，但自动伸缩已开启，可能由其创建。", len(d.fresh)))
	case c.Adds() && len(d.fresh) > 0:
		return providers.NotTold(
			fmt.Sprintf("%d nodes have joined, which is not what was asked for (%+d).", len(d.fresh), c.Delta),
			fmt.Sprintf("有 %d 个节点加入，与请求（%+d）不符。", len(d.fresh), c.Delta))
	case !c.Adds() && d.leaving > 0:
		return providers.NotTold(
			fmt.Sprintf("%d of the %d nodes have left or are leaving.", d.leaving, len(c.Nodes)),
			fmt.Sprintf("%d 个待移除节点中有 %d 个已移除或正在移除。", len(c.Nodes), d.leaving))
	default:
		return providers.NotTold(
			fmt.Sprintf("The cluster is %s and its group has %d nodes (%d before): nothing shows that the change was taken, and nothing that it was not.", s.Status, d.now, d.before),
			fmt.Sprintf("集群状态为 %s，该组现有 %d 个节点（之前 %d 个）：既不能证明变更已被接受，也不能证明未被接受。", s.Status, d.now, d.before))
	}
}
