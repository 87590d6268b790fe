package tencentemr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const (
	// tokenWindow is how long after SentAt the same request may be repeated: the
	// documented five minutes of a ClientToken minus three, because SentAt may have
	// been read from another replica's clock.
	tokenWindow = 2 * time.Minute
	// repeatLimit ends a repeat, so that one begun at the window's end still
	// arrives while the token lives.
	repeatLimit = 30 * time.Second
	// settled is when a late arrival of the first send is past: see "Not
	// accepted" in the package comment.
	settled = adapter.SendWithin + exchangeLimit
)

// Reconcile finds out about a lost answer; the package comment says how far.
func (p *provider) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	var note providers.Text
	var refused *providers.Finding
	if g, err := p.today(sub); err == nil && sub.Change.Adds() && !sub.Look {
		age := p.env.Now().Sub(sub.SentAt)
		if age >= 0 && age < tokenWindow {
			f, done := p.repeat(ctx, sub, g, age)
			if done && f.State == providers.Accepted {
				return f, nil
			}
			if done {
				refused = &f
			}
			note = f.Evidence
		}
	}
	s, err := p.Observe(ctx, ref(sub.Change))
	if err != nil {
		return providers.Finding{}, err
	}
	f := p.compare(sub, s)
	// A quota or a stock may be gone because the first send took it, so a refusal is
	// believed only while the cluster shows nothing at all of the change.
	if d := differ(sub, s); refused != nil && s.Phase == providers.Ready && len(d.changed) == 0 && d.now == d.before {
		return *refused, nil
	}
	if f.State == providers.Unsure && !note.IsZero() {
		f.Evidence = providers.Text{EN: note.EN + " " + f.Evidence.EN, ZH: note.ZH + f.Evidence.ZH}
	}
	return f, nil
}

func ref(c providers.Change) providers.ClusterRef {
	return providers.ClusterRef{Name: c.Cluster, ID: c.ClusterID}
}

// repeat sends the very same request with the same token. It reports false
// where the answer proves nothing; Evidence then says what the answer was.
func (p *provider) repeat(ctx context.Context, sub providers.Submission, g group, age time.Duration) (providers.Finding, bool) {
	ctx, cancel := context.WithTimeout(ctx, repeatLimit)
	defer cancel()
	op, err := p.scaleOut(ctx, sub, g, p.inWindow)
	if err == nil {
		return providers.Finding{State: providers.Accepted, Operation: op, Evidence: providers.Text{
			EN: fmt.Sprintf("Repeated with the same token, the cloud answered with flow %s.", op.ID),
			ZH: fmt.Sprintf("以相同的幂等 Token 重新发送后，云平台返回流程 %s。", op.ID),
		}}, true
	}
	if errors.Is(err, errWindowOver) {
		return providers.Finding{}, false // nothing was asked, so there is nothing to tell
	}
	var e *providers.Error
	if !errors.As(err, &e) || e.Code == "" {
		return providers.NotTold("A repeat with the same token got no readable answer either.", "以相同 Token 重新发送，同样没有得到可读的响应。"), false
	}
	switch proof := lookup(e.Code).proof; {
	case proof == provesForGood, proof == provesNow && age >= settled:
		return providers.Finding{State: providers.NotAccepted, Cause: err, Evidence: providers.Text{
			EN: fmt.Sprintf("Repeated with the same token, the cloud refused with %s, so the first send was not accepted.", e.Code),
			ZH: fmt.Sprintf("以相同 Token 重新发送后被云平台拒绝（%s），说明首次请求未被接受。", e.Code),
		}}, true
	}
	return providers.NotTold(
		fmt.Sprintf("A repeat with the same token was answered with %s, which proves nothing yet.", e.Code),
		fmt.Sprintf("以相同 Token 重新发送得到 %s，尚不能证明什么。", e.Code)), false
}

// compare reads the cluster against the baseline.
func (p *provider) compare(sub providers.Submission, s providers.Snapshot) providers.Finding {
	c := sub.Change
	d := differ(sub, s)
	switch {
	case d.complete && (!c.Adds() || s.Phase == providers.Ready):
		// While a resize runs its nodes appear one by one: somebody else's larger one
		// passes our number on its way. Nodes that were named are no matter of number.
		return providers.Finding{
			State: providers.Accepted, Operation: providers.Operation{AcceptedAt: p.env.Now()},
			Evidence: providers.Text{
				EN: fmt.Sprintf("Since then exactly the nodes of this change have %s (%d before, %d now).", adapter.JoinedOrLeft(c), d.before, d.now),
				ZH: fmt.Sprintf("此后恰好有本次变更的节点%s（之前 %d 个，现在 %d 个）。", adapter.JoinedOrLeftZH(c), d.before, d.now),
			},
		}
	case s.Phase == providers.Gone:
		return providers.NotTold("The cluster is gone ("+s.Status+").", "集群已销毁（"+s.Status+"）。")
	case scales(s):
		return providers.AtWork(
			fmt.Sprintf("The cluster is %s: an operation of that kind runs, this change or another one.", s.Status),
			fmt.Sprintf("集群状态为 %s：有同类流程在执行，可能是本次变更，也可能是其他变更。", s.Status))
	case s.Phase != providers.Ready:
		return providers.NotTold(
			fmt.Sprintf("The cluster is %s; it can be told when that ends.", s.Status),
			fmt.Sprintf("集群状态为 %s，需待其结束后判断。", s.Status))
	case len(d.changed) > 0:
		return providers.NotTold(
			fmt.Sprintf("%d nodes have %s, which is not what was asked for (%+d).", len(d.changed), adapter.JoinedOrLeft(c), c.Delta),
			fmt.Sprintf("有 %d 个节点%s，与请求（%+d）不符。", len(d.changed), adapter.JoinedOrLeftZH(c), c.Delta))
	case d.foreign > 0:
		return providers.NotTold(
			fmt.Sprintf("%d nodes are new, but autoscaling made them or they are charged otherwise than this change asks for: they say nothing of it.", d.foreign),
			fmt.Sprintf("新增了 %d 个节点，但由自动伸缩创建或计费方式与本次变更不同，不能说明什么。", d.foreign))
	default:
		return providers.NotTold(
			fmt.Sprintf("The cluster is %s and its group has %d nodes (%d before): nothing shows that the change was taken, and nothing that it was not.", s.Status, d.now, d.before),
			fmt.Sprintf("集群状态为 %s，该组现有 %d 个节点（之前 %d 个）：既不能证明变更已被接受，也不能证明未被接受。", s.Status, d.now, d.before))
	}
}

// difference is what became of the change's group since the baseline.
type difference struct {
	before, now int
	changed     []providers.Node // joined, or of the nodes to remove those that left
	complete    bool             // exactly what was asked for
	foreign     int              // joined, and certainly not by this change
}

// differ leaves out new nodes that autoscaling made or that are paid for in
// another way than the change asks for: they would make a lost change look taken,
// a short one whole, and would be given back with a temporary one.
func differ(sub providers.Submission, s providers.Snapshot) difference {
	c := sub.Change
	was, _ := sub.Baseline.Group(c.GroupID)
	is, _ := s.Group(c.GroupID)
	d := difference{before: was.Count, now: is.Count}
	if c.Adds() {
		old := ids(was)
		auto := strings.Split(s.Facts[factAuto], ",")
		for _, n := range is.Nodes {
			switch {
			case old[n.ID]:
			case slices.Contains(auto, n.ID), n.Charge != "" && (n.Charge == providers.Prepaid) != (c.Charge == providers.Prepaid):
				d.foreign++
			default:
				d.changed = append(d.changed, n)
			}
		}
		d.complete = len(d.changed) == c.Delta && is.Count >= was.Count+c.Delta
		return d
	}
	still := ids(is)
	named := map[string]bool{}
	for _, id := range c.Nodes {
		named[id] = true
	}
	for _, n := range was.Nodes {
		if named[n.ID] && !still[n.ID] {
			d.changed = append(d.changed, n)
		}
	}
	d.complete = len(c.Nodes) > 0 && len(d.changed) == len(c.Nodes)
	return d
}

func ids(g providers.Group) map[string]bool {
	m := make(map[string]bool, len(g.Nodes))
	for _, n := range g.Nodes {
		m[n.ID] = true
	}
	return m
}

// errWindowOver is a repeat that is not sent, because its token may be forgotten
// by the time it arrives.
var errWindowOver = errors.New("the token's window is over")

// inWindow is the gate of a repeat, asked like inTime after every wait: one that
// slept in the wait for the rate or for credentials would be signed anew, and with
// a token that the cloud has forgotten the same request orders once more.
func (p *provider) inWindow(action string, sub providers.Submission) error {
	if age := p.env.Now().Sub(sub.SentAt); age < 0 || age >= tokenWindow {
		return &providers.Error{Kind: providers.Retry, Op: action, Advice: adviceSlow, Err: fmt.Errorf("%w: the intent is %s old", errWindowOver, age.Round(time.Second))}
	}
	return nil
}
