package huaweimrs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// Reconcile finds out about a lost answer by looking; the package comment says
// how far that goes. It never repeats the request: there is no token, and a
// repeat after the first has ended doubles.
func (p *provider) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	v, err := p.look(ctx, sub.Change.ClusterID)
	if err != nil {
		return providers.Finding{}, err
	}
	f := compare(sub, v, p.env.Now().Sub(sub.SentAt))
	if f.State == providers.Accepted {
		f.Operation.AcceptedAt = p.env.Now()
	}
	return f, nil
}

// settled is how long after the send an accepted change shows at the latest, as
// a rule (reference section 8). It changes what people read and no finding.
const settled = 90 * time.Second

// compare reads the cluster against the baseline, so long after the send.
func compare(sub providers.Submission, v view, age time.Duration) providers.Finding {
	c := sub.Change
	d := differ(sub, v)
	switch {
	case d.exact(c) && (len(c.Nodes) > 0 || v.Phase == providers.Ready && len(d.making) == 0):
		// While a resize runs its machines come and go one by one: somebody else's
		// larger one passes our number on its way. The state may be seconds behind, so
		// a machine that is still being made counts as one that runs. Nodes that were
		// named are no matter of number.
		return providers.Finding{State: providers.Accepted, Evidence: providers.Text{
			EN: fmt.Sprintf("Exactly as many nodes as this change asks for (%d) have %s the group since.", d.moved(), appearedOrLeft(c)),
			ZH: fmt.Sprintf("此后该组恰好有与本次变更数量一致的节点（%d 个）%s。", d.moved(), appearedOrLeftZH(c)),
		}}
	case v.Phase == providers.Gone:
		return providers.NotTold("The cluster is gone ("+v.Status+").", "集群已销毁（"+v.Status+"）。")
	case v.scales(c):
		return providers.AtWork(
			fmt.Sprintf("The cluster is %s: a resize of that kind runs, this change or somebody else's. Its nodes will tell.", v.Status),
			fmt.Sprintf("集群状态为 %s：有同类扩缩容在执行，可能是本次变更，也可能是其他人的操作，待节点变化后判断。", v.Status))
	case v.Phase != providers.Ready:
		return providers.NotTold(
			fmt.Sprintf("The cluster is %s; it can be told when that ends.", v.Status),
			fmt.Sprintf("集群状态为 %s，需待其结束后判断。", v.Status))
	case len(d.making) > 0:
		return providers.AtWork(
			fmt.Sprintf("%d nodes are new in the group and %d of them still being made: it can be told when they are there.", d.moved(), len(d.making)),
			fmt.Sprintf("该组新增 %d 个节点，其中 %d 个仍在创建，需待其完成后判断。", d.moved(), len(d.making)))
	case d.moved() > 0:
		return providers.NotTold(
			fmt.Sprintf("The number of nodes that have %s the group since is %d, which is not what was asked for (%+d).", appearedOrLeft(c), d.moved(), c.Delta),
			fmt.Sprintf("该组有 %d 个节点%s，与请求（%+d）不符。", d.moved(), appearedOrLeftZH(c), c.Delta))
	case newFailure(sub, v):
		return providers.NotTold(
			fmt.Sprintf("A resize has failed since, perhaps this one: the group has %d nodes as before. %s", d.now, adapter.Cut(v.words, 160)),
			fmt.Sprintf("此后有一次扩缩容失败，可能就是本次变更：该组仍有 %d 个节点。%s", d.now, adapter.Cut(v.words, 160)))
	case v.Facts[factUpdated] != sub.Baseline.Facts[factUpdated]:
		return providers.NotTold(
			fmt.Sprintf("The cluster is %s with %d nodes in the group (%d before), and the cloud has touched its record since: the change may be about to begin.", v.Status, d.now, d.before),
			fmt.Sprintf("集群状态为 %s，该组现有 %d 个节点（之前 %d 个），且云平台此后更新过集群记录：变更可能即将开始。", v.Status, d.now, d.before))
	case age < settled:
		return providers.NotTold(
			fmt.Sprintf("The cluster is %s with %d nodes in the group as before; a change that was taken may need a minute to show.", v.Status, d.now),
			fmt.Sprintf("集群状态为 %s，该组仍有 %d 个节点；已接受的变更可能需要一分钟才会显现。", v.Status, d.now))
	default:
		return providers.NotTold(
			fmt.Sprintf("The cluster is %s, its group has %d nodes (%d before) and its record is untouched: most likely the change was not taken, but that is no proof.", v.Status, d.now, d.before),
			fmt.Sprintf("集群状态为 %s，该组现有 %d 个节点（之前 %d 个），集群记录未更新：变更很可能未被接受，但不能证明。", v.Status, d.now, d.before))
	}
}

// scales reports whether a resize in the change's direction runs.
func (v view) scales(c providers.Change) bool {
	want := "scaling-in"
	if c.Adds() {
		want = "scaling-out"
	}
	return v.Phase == providers.Busy && (v.state == want || v.scale == want)
}

func appearedOrLeft(c providers.Change) string {
	if c.Adds() {
		return "appeared in"
	}
	return "left"
}

func appearedOrLeftZH(c providers.Change) string {
	if c.Adds() {
		return "出现"
	}
	return "移除"
}

// difference is what became of the change's group since the baseline.
type difference struct {
	before, now int
	changed     []providers.Node // new and running, or of the nodes to remove those that are gone
	broken      []providers.Node // new and in ERROR, or off in a cluster that does nothing any more
	making      []providers.Node // new and neither yet
}

func differ(sub providers.Submission, v view) difference {
	c := sub.Change
	was, _ := sub.Baseline.Group(c.GroupID)
	is, _ := v.Group(c.GroupID)
	d := difference{before: was.Count, now: is.Count}
	if !c.Adds() {
		for _, n := range was.Nodes {
			// Of core nodes any may be the one that the cloud picked.
			if (len(c.Nodes) == 0 || slices.Contains(c.Nodes, n.ID)) && !has(is, n.ID) {
				d.changed = append(d.changed, n)
			}
		}
		return d
	}
	for _, n := range is.Nodes {
		switch status := v.hostStates[n.ID]; {
		case has(was, n.ID):
		case status == active:
			d.changed = append(d.changed, n)
		case status == broken, status == off && v.Phase == providers.Ready:
			d.broken = append(d.broken, n)
		default:
			d.making = append(d.making, n)
		}
	}
	return d
}

func has(g providers.Group, id string) bool {
	return slices.ContainsFunc(g.Nodes, func(n providers.Node) bool { return n.ID == id })
}

// moved is how many machines appeared, in whatever state, or are gone.
func (d difference) moved() int { return len(d.changed) + len(d.broken) + len(d.making) }

// exact reports whether just as many as asked for moved. A machine that failed to
// be made was ordered too.
func (d difference) exact(c providers.Change) bool { return d.moved() == abs(c.Delta) }

// reached reports whether a change that is known to be ours has all its nodes;
// more than asked for are somebody else's and do no harm to its success. A new
// machine that the group does not count is not one of the cluster's yet; what is
// gone is gone.
func (d difference) reached(c providers.Change) bool {
	return len(d.changed) >= abs(c.Delta) && (!c.Adds() || d.now >= d.before+c.Delta)
}
