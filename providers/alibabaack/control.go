package alibabaack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	cs "github.com/alibabacloud-go/cs-20151215/v5/client"
	util "github.com/alibabacloud-go/tea-utils/v2/service"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// steering is how a control is said and when it is already so. That scaling
// tasks take these calls is not documented (reference section 6): one that
// doesn't answers with a refusal.
var steering = map[providers.Control]struct {
	action string
	state  string // how a task's state begins that the control leads to
	call   func(*cs.Client, string, map[string]*string, *util.RuntimeOptions) error
}{
	providers.Pause: {"PauseTask", stemPause, func(c *cs.Client, id string, h map[string]*string, o *util.RuntimeOptions) error {
		_, err := c.PauseTaskWithOptions(&id, h, o)
		return err
	}},
	providers.Resume: {"ResumeTask", wordRunning, func(c *cs.Client, id string, h map[string]*string, o *util.RuntimeOptions) error {
		_, err := c.ResumeTaskWithOptions(&id, h, o)
		return err
	}},
	providers.Cancel: {"CancelTask", stemCancel, func(c *cs.Client, id string, h map[string]*string, o *util.RuntimeOptions) error {
		_, err := c.CancelTaskWithOptions(&id, h, o)
		return err
	}},
}

// Control steers the task. It looks first, so that what is already so is success
// and what has ended is left alone.
func (p *provider) Control(ctx context.Context, _ providers.Submission, op providers.Operation, c providers.Control) error {
	s, ok := steering[c]
	if !ok {
		return refuse(
			fmt.Sprintf("ACK can't do %s with a running task.", c),
			fmt.Sprintf("ACK 不支持对运行中的任务执行 %s。", c))
	}
	if op.ID == "" {
		return refuse(
			"This change was found without its task, so it can't be steered: use the ACK console.",
			"未找到本次变更对应的任务，无法控制：请使用 ACK 控制台。")
	}
	if done, err := p.already(ctx, op.ID, s.state); done || err != nil {
		return err
	}
	x := exchange{s.action, ask, rate}
	_, err := send(ctx, p, x, func(w *wire) (struct{}, error) {
		return struct{}{}, s.call(w.client, op.ID, w.headers, w.options)
	})
	var e *providers.Error
	if errors.As(err, &e) && e.Kind == providers.Refused {
		// Somebody else may have been faster: then it is as it should be.
		if done, lookErr := p.already(ctx, op.ID, s.state); done && lookErr == nil {
			return nil
		}
		e.Advice = providers.Text{
			EN: fmt.Sprintf("ACK refuses to %s this task; use the ACK console, or let it end.", c),
			ZH: fmt.Sprintf("ACK 拒绝对该任务执行 %s；请使用 ACK 控制台，或等待其结束。", c),
		}
	}
	return err
}

// already reports whether the task is in the state that is wanted, or on its way
// there (pausing). A task that has ended otherwise takes no control any more.
func (p *provider) already(ctx context.Context, id, state string) (bool, error) {
	t, err := p.task(ctx, id)
	switch {
	case err != nil:
		return false, err
	case strings.HasPrefix(word(t.State), strings.TrimSuffix(state, "e")):
		return true, nil
	case is(t.State, stemSuccess), is(t.State, stemFail), is(t.State, stemCancel):
		return false, refuse(
			fmt.Sprintf("The task has ended (%s), so there is nothing left to steer.", adapter.Cut(value(t.State), 100)),
			fmt.Sprintf("任务已结束（%s），无法再控制。", adapter.Cut(value(t.State), 100)))
	}
	return false, nil
}
