package huaweimrs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const (
	// freshChange is how long a cluster may look idle and unchanged after it took
	// a change: "running" straight after acceptance is not the end but the time
	// before the beginning (reference section 10, trap 5).
	freshChange = 3 * time.Minute
	// maxWords is how much of the cloud's own words is kept, in bytes.
	maxWords = 400
)

// The stages that stageDesc names, in order (reference section 6).
var (
	stagesOut = []string{"Preparing for cluster expansion", "Creating VM", "Initializing VM", "Adding node to the cluster"}
	stagesIn  = []string{"Preparing for cluster shrink", "Decommissioning instance", "Deleting VM", "Deleting node from the cluster"}
)

// Follow reads the cluster and its hosts and compares them with the baseline:
// the service gives an operation no id.
func (p *provider) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	v, err := p.look(ctx, sub.Change.ClusterID)
	if err != nil {
		return providers.Progress{}, err
	}
	return progressOf(sub, v, p.env.Now().Sub(op.AcceptedAt))
}

// progressOf reads how far an operation accepted so long ago has come.
func progressOf(sub providers.Submission, v view, age time.Duration) (providers.Progress, error) {
	c := sub.Change
	d := differ(sub, v)
	pr := providers.Progress{State: providers.Running, Count: d.now, Changed: d.changed, Failed: d.broken, Message: v.Status}
	pr.Stages, pr.Percent = stagesOf(c, v, d)
	end := func(state providers.ProgressState, words string) (providers.Progress, error) {
		pr.State, pr.Message = state, words
		if state == providers.Succeeded {
			pr.Percent = 100
		}
		return pr, nil
	}
	short := fmt.Sprintf("%d of %d nodes have %s; the group counts %d", len(d.changed), abs(c.Delta), adapter.JoinedOrLeft(c), d.now)
	switch v.Phase {
	case providers.Busy:
		return pr, nil
	case providers.Gone:
		return end(providers.Failed, "the cluster is "+v.Status)
	case providers.Blocked:
		if v.state != "abnormal" {
			return end(providers.Failed, explain("the cluster is "+v.Status, v.words))
		}
		// Some service of the cluster is unwell, which is no word on the resize. With
		// all nodes there it is over; otherwise it may still go on.
		if d.reached(c) {
			return end(providers.Partial, explain("the nodes have "+adapter.JoinedOrLeft(c)+", but the cluster is abnormal", v.words))
		}
		pr.Attention = providers.Text{
			EN: "The cluster is abnormal: look at it in the MRS console; the resize may still go on.",
			ZH: "集群状态异常：请在 MRS 控制台查看，扩缩容可能仍在继续。",
		}
		return pr, nil
	case providers.Ready:
	}
	failed := newFailure(sub, v) || !d.reached(c) && age >= freshChange && sameFailureAgain(sub, v)
	switch {
	case d.reached(c) && !failed:
		return end(providers.Succeeded, "")
	case failed && len(d.changed) > 0:
		return end(providers.Partial, explain(short, v.words))
	case failed:
		return end(providers.Failed, explain("the cloud says that the resize failed", v.words))
	case age < freshChange, len(d.making) > 0:
		return pr, nil
	case len(d.changed) > 0 || len(d.broken) > 0:
		return end(providers.Partial, short)
	}
	return providers.Progress{}, &providers.Error{
		Kind: providers.NotFound, Op: "ShowClusterDetails",
		Err: fmt.Errorf("%s is %s and no node has %s", c.ClusterID, v.Status, adapter.JoinedOrLeft(c)),
		Advice: providers.Text{
			EN: "Huawei Cloud accepted the change, but the cluster is idle and shows nothing of it: look at it in the MRS console.",
			ZH: "华为云已接受变更，但集群空闲且没有任何变化：请在 MRS 控制台查看。",
		},
	}
}

// newFailure reports whether the cloud says of a failure that it did not say of
// when the change was sent.
func newFailure(sub providers.Submission, v view) bool {
	was := sub.Baseline.Facts
	trouble := v.Facts[factTrouble]
	return v.scale == scalingError && was[factScale] != scalingError || trouble != "" && trouble != was[factTrouble]
}

// sameFailureAgain reports a cluster that stood after a failed resize before and
// does so again, touched since. Right after acceptance that means nothing yet.
func sameFailureAgain(sub providers.Submission, v view) bool {
	return v.scale == scalingError && v.Facts[factUpdated] != sub.Baseline.Facts[factUpdated]
}

// explain adds the cloud's own words, where it has some.
func explain(what, words string) string {
	if words == "" {
		return what
	}
	return what + ": " + words
}

// stagesOf shows where the operation is while one runs, and how much of it is
// done. Of an idle cluster stageDesc tells old news.
func stagesOf(c providers.Change, v view, d difference) ([]providers.Stage, int) {
	done := 100 * len(d.changed) / max(abs(c.Delta), 1)
	if v.Phase != providers.Busy || v.stage == "" {
		return nil, min(99, done)
	}
	list := stagesIn
	if c.Adds() {
		list = stagesOut
	}
	at := slices.IndexFunc(list, func(name string) bool { return strings.EqualFold(name, v.stage) })
	if at < 0 {
		// Another language, another edition or somebody else's operation: shown as it
		// stands.
		return []providers.Stage{{Name: v.stage, State: providers.StageRunning}}, min(99, done)
	}
	stages := make([]providers.Stage, len(list))
	for i, name := range list {
		stages[i] = providers.Stage{Name: name, State: providers.StagePending}
		switch {
		case i < at:
			stages[i].State, stages[i].Percent = providers.StageDone, 100
		case i == at:
			stages[i].State = providers.StageRunning
		}
	}
	return stages, min(99, max(done, 100*at/len(list)))
}

func abs(n int) int { return max(n, -n) }

// Control refuses: the service has no call that steers a resize.
func (p *provider) Control(context.Context, providers.Submission, providers.Operation, providers.Control) error {
	return refuse(
		"MRS can't pause or stop a running resize; follow it in the MRS console.",
		"MRS 不支持暂停或终止进行中的扩缩容，请在 MRS 控制台查看。")
}
