package alibabaack

import (
	"cmp"
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
	// freshTask is how long a new task may still be unknown to the service.
	freshTask = time.Minute
	// freshChange is how long a pool may look idle before an accepted change
	// without a task shows.
	freshChange = 3 * time.Minute
	// joining is how long nodes may still be missing after their task has ended
	// well: kubelet reports Ready on its own.
	joining = 5 * time.Minute
	// maxWords is how much of the cloud's own words is kept, in bytes.
	maxWords = 400
)

// Follow reads the task and the group's nodes.
func (p *provider) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	if op.ID == "" {
		return p.followNodes(ctx, sub, op)
	}
	t, err := p.task(ctx, op.ID)
	var e *providers.Error
	if err != nil && (!errors.As(err, &e) || e.Kind != providers.NotFound) {
		return providers.Progress{}, err
	}
	d, lookErr := p.look(ctx, sub)
	if lookErr != nil {
		return providers.Progress{}, lookErr
	}
	if err != nil { // no such task
		pr := d.progress(sub.Change)
		switch {
		case d.complete(sub.Change):
			pr.State, pr.Percent = providers.Succeeded, 100
		case p.env.Now().Sub(op.AcceptedAt) >= freshTask:
			return providers.Progress{}, err
		}
		return pr, nil
	}
	return p.progressOf(sub.Change, op, t, d), nil
}

// progressOf joins what the task says with what the nodes show. A task that
// ended well is a success only when the nodes bear it out.
func (p *provider) progressOf(c providers.Change, op providers.Operation, t *sdkTask, d *difference) providers.Progress {
	d.claim(t, c)
	pr := d.progress(c)
	pr.Stages = stagesOf(t)
	pr.Percent = max(pr.Percent, share(pr.Stages))
	why := reasonOf(t, d, c)
	if why.advice.EN != "" {
		pr.Attention = why.advice
	}
	switch {
	case is(t.State, stemSuccess):
		switch {
		case d.complete(c):
			pr.State, pr.Percent, pr.Attention = providers.Succeeded, 100, providers.Text{}
		case d.hopeful(c) && p.env.Now().Sub(endOf(t, op)) < joining:
			pr.Percent = 99
		default:
			pr.State = providers.Partial
			pr.Message = cmp.Or(why.words, "the task ended, but "+d.short(c))
			pr.Failed = d.useless(c)
		}
	case is(t.State, stemFail), is(t.State, stemCancel):
		pr.State = providers.Failed
		pr.Message = cmp.Or(why.words, "the task is "+value(t.State)+"; Alibaba Cloud gives no reason")
		switch {
		case c.Adds() && !d.claimed:
			// It may have failed before it made a machine. New nodes are then another
			// pool's or an autoscaler's, and would be taken for ours and cleaned up.
			pr.Changed = nil
			if n := len(d.fresh); n > 0 {
				pr.Message += fmt.Sprintf(" (%d nodes are new in the group, and Alibaba Cloud does not say whether they are this change's)", n)
			}
		case len(d.changed) > 0:
			pr.State = providers.Partial
			fallthrough
		default:
			pr.Failed = d.useless(c)
		}
	case is(t.State, stemPause):
		pr.Controls = []providers.Control{providers.Resume, providers.Cancel}
		pr.Attention = providers.Text{
			EN: "The task is paused and waits for a person: resume or cancel it.",
			ZH: "任务已暂停，需要人工处理：请恢复或取消。",
		}
	default:
		pr.Controls = []providers.Control{providers.Pause, providers.Cancel}
		if word(t.State) != wordRunning {
			pr.Message = "task state " + adapter.Cut(value(t.State), 100)
		}
	}
	return pr
}

// endOf is when a task ended, by its own stamp.
func endOf(t *sdkTask, op providers.Operation) time.Time {
	if at := timeOf(t.Updated); !at.IsZero() {
		return at
	}
	return op.AcceptedAt
}

// reason is why a task went wrong, in the cloud's own words, with advice where
// their code is known: stock, quota and address errors come inside the task,
// long after the call was accepted, or stand on a node alone (reference section 9).
type reason struct {
	words  string
	advice providers.Text
}

func reasonOf(t *sdkTask, d *difference, c providers.Change) reason {
	var out reason
	take := func(code, message string) {
		text := adapter.Cut(strings.TrimSpace(message), maxWords)
		if code != "" && !strings.Contains(text, code) {
			text = strings.TrimSuffix(code+": "+text, ": ")
		}
		out.words = cmp.Or(out.words, text)
		if out.advice.IsZero() {
			out.advice = adviceIn(code + " " + message)
		}
	}
	if e := t.Error; e != nil && value(e.Code)+value(e.Message) != "" { // present but empty on success
		take(adapter.Cut(value(e.Code), 100), value(e.Message))
	}
	for _, s := range t.Stages {
		if s != nil && is(s.State, stemFail) {
			take("", value(s.Message))
		}
	}
	for _, e := range t.Events {
		if e != nil && (strings.EqualFold(value(e.Level), "error") || strings.EqualFold(value(e.Level), "warning")) {
			take(adapter.Cut(value(e.Reason), 100), value(e.Message))
		}
	}
	for _, n := range d.fresh {
		if n.broken != "" && d.ours(c) {
			take("", n.broken)
		}
	}
	return out
}

// adviceIn finds a known code among the words of a message.
func adviceIn(message string) providers.Text {
	for _, w := range strings.FieldsFunc(message, func(r rune) bool {
		return r != '.' && r != '_' && (r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z')
	}) {
		if r, ok := lookup(strings.Trim(w, ".")); ok && r.write == providers.Refused {
			return r.advice
		}
	}
	return providers.Text{}
}

// stagesOf shows the stages, which have a message and no name of their own; a
// task without any shows its current one.
func stagesOf(t *sdkTask) []providers.Stage {
	var out []providers.Stage
	for i, s := range t.Stages {
		if s == nil {
			continue
		}
		st := providers.Stage{Name: fmt.Sprintf("%d/%d", i+1, len(t.Stages)), Detail: adapter.Cut(value(s.Message), maxWords)}
		switch {
		case is(s.State, stemSuccess):
			st.State, st.Percent = providers.StageDone, 100
		case is(s.State, stemFail), is(s.State, stemCancel):
			st.State = providers.StageFailed
		case slices.Contains([]string{"", "pending", "initial", "init", "waiting"}, word(s.State)):
			st.State = providers.StagePending
		default:
			st.State = providers.StageRunning
			st.Detail = cmp.Or(st.Detail, adapter.Cut(value(t.CurrentStage), maxWords))
		}
		out = append(out, st)
	}
	if now := adapter.Cut(value(t.CurrentStage), 200); len(out) == 0 && now != "" {
		st := providers.Stage{Name: now, State: providers.StageRunning}
		switch {
		case is(t.State, stemSuccess):
			st.State, st.Percent = providers.StageDone, 100
		case is(t.State, stemFail), is(t.State, stemCancel):
			st.State = providers.StageFailed
		}
		out = append(out, st)
	}
	return out
}

// share is how much of a task its stages say is done; never all of it.
func share(stages []providers.Stage) int {
	done := 0
	for _, s := range stages {
		if s.State == providers.StageDone {
			done++
		}
	}
	if len(stages) == 0 {
		return 0
	}
	return 90 * done / len(stages)
}

// followNodes follows an accepted change that has no task, because Reconcile
// found it by the pool or its nodes.
func (p *provider) followNodes(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	s, err := p.observe(ctx, ref(sub.Change))
	if err != nil {
		return providers.Progress{}, err
	}
	d, err := p.look(ctx, sub)
	if err != nil {
		return providers.Progress{}, err
	}
	c := sub.Change
	pr := d.progress(c)
	pr.Message = s.Status
	switch {
	case s.Phase == providers.Blocked, s.Phase == providers.Gone:
		pr.State, pr.Failed = providers.Failed, d.useless(c)
	case d.complete(c):
		pr.State, pr.Percent, pr.Message = providers.Succeeded, 100, ""
	case s.Phase == providers.Busy, p.env.Now().Sub(op.AcceptedAt) < freshChange:
	case len(d.changed) > 0:
		pr.State, pr.Failed = providers.Partial, d.useless(c)
		pr.Message = d.short(c)
	default:
		return providers.Progress{}, &providers.Error{
			Kind: providers.NotFound, Op: "DescribeClusterNodePools",
			Err: fmt.Errorf("%s is %s and no node has %s", c.ClusterID, s.Status, adapter.JoinedOrLeft(c)),
			Advice: providers.Text{
				EN: "Alibaba Cloud accepted the change, but the cluster is idle and shows nothing of it: look at it in the ACK console.",
				ZH: "阿里云已接受变更，但集群空闲且没有任何变化：请在 ACK 控制台查看。",
			},
		}
	}
	return pr, nil
}

func ref(c providers.Change) providers.ClusterRef {
	return providers.ClusterRef{Name: c.Cluster, ID: c.ClusterID}
}

func size(c providers.Change) int { return max(c.Delta, -c.Delta) }

// sorted are the ids of a set in order.
func sorted(set map[string]bool) []string {
	var out []string
	for id := range set {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
