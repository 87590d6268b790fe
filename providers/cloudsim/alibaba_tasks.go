package cloudsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// acTime is how ACK writes times; those of a task's stages have no zone.
func acTime(at time.Time) string { return at.In(beijing).Format(time.RFC3339) }

func (a *alibaba) findTask(id string) *acTask {
	for _, t := range a.tasks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// visibleTask is the task that a call names, if the caller owns its cluster.
// Which code an unknown task gets is not documented; this one is made like those
// of clusters and pools.
func (a *alibaba) visibleTask(c *acCall) (*acTask, error) {
	t := a.findTask(c.task)
	if t == nil || t.cluster.Account != c.account {
		return nil, acRefuse(acNoTask, "task %s is not found", c.task)
	}
	return t, nil
}

// describeTask is DescribeTaskInfo. It knows a task from the moment it was
// accepted.
func (a *alibaba) describeTask(c *acCall) (map[string]any, error) {
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	t, err := a.visibleTask(c)
	if err != nil {
		return nil, err
	}
	stages := []map[string]any{}
	for i, s := range t.stages {
		state := t.stageState(i, c.at)
		row := map[string]any{"state": state, "start_time": "", "end_time": "", "message": "", "outputs": map[string]any{}}
		if state != tkPending {
			row["message"] = "start to " + s.text
			row["start_time"] = t.wall(t.begins(i)).In(beijing).Format(time.DateTime)
		}
		switch state {
		case tkSuccess:
			row["message"] = "success to " + s.text
			row["end_time"] = t.wall(t.begins(i) + s.takes).In(beijing).Format(time.DateTime)
		case tkFail:
			row["message"] = acOr(t.reason, "failed to "+s.text)
			row["end_time"] = t.wall(min(t.begins(i)+s.takes, t.elapsed(c.at))).In(beijing).Format(time.DateTime)
		}
		stages = append(stages, row)
	}
	// Whoever looks seldom lets much happen at once, stage by stage and not in time.
	log := slices.SortedStableFunc(slices.Values(t.events), func(x, y acEvent) int { return x.at.Compare(y.at) })
	events := []map[string]any{}
	for _, e := range log {
		events = append(events, map[string]any{
			"action": e.reason, "level": e.level, "message": e.message, "reason": e.reason, "source": "ACK",
			"timestamp": strconv.FormatInt(e.at.UnixMilli(), 10),
		})
	}
	tgt := map[string]any{"id": t.cluster.ID, "type": "cluster"}
	if !t.wide && t.pool != nil {
		tgt = map[string]any{"id": t.pool.ID, "type": "nodepool"}
	}
	return map[string]any{
		"task_id": t.id, "cluster_id": t.cluster.ID, "task_type": t.kind, "state": t.status(),
		"created": acTime(t.started), "updated": acTime(t.updated(c.at)), "current_stage": t.stages[t.stageAt(c.at)].name,
		"target": tgt, "parameters": t.params, "stages": stages, "events": events, "task_result": t.results(),
		"error": t.failure(),
	}, nil
}

// updated is when the task last did anything.
func (t *acTask) updated(at time.Time) time.Time {
	switch {
	case !t.ended.IsZero():
		return t.ended
	case !t.paused.IsZero():
		return t.paused
	default:
		return at
	}
}

// failure is there on success too, but empty.
func (t *acTask) failure() map[string]any {
	if t.result != tkFail {
		return map[string]any{"code": "", "message": ""}
	}
	return map[string]any{"code": t.code, "message": t.reason}
}

// results are the machines of a task so far. Those of a removal are listed alike:
// the document says "the resources that are managed by the task".
func (t *acTask) results() []map[string]any {
	out := []map[string]any{}
	row := func(n *acNode, done bool) {
		status := tkInitial
		switch {
		case done:
			status = tkSuccess
		case !t.ended.IsZero():
			status = tkFail
		}
		out = append(out, map[string]any{"data": n.id, "status": status})
	}
	for i, n := range t.add[:t.made] {
		row(n, i < t.acted)
	}
	for i, n := range t.remove {
		row(n, i < t.acted)
	}
	return out
}

// describeTasks is DescribeClusterTasks. The order is not documented, so it is
// one that nobody can rely on: that of the ids.
func (a *alibaba) describeTasks(c *acCall) (map[string]any, error) {
	q := acReadQuery(c.query, "page_number", "page_size")
	p := q.page("page_number", "page_size", 20, 50)
	if q.err != nil {
		return nil, q.err
	}
	cl, err := a.visible(c)
	if err != nil {
		return nil, err
	}
	var tasks []*acTask
	for _, t := range a.tasks {
		if t.cluster == cl {
			tasks = append(tasks, t)
		}
	}
	slices.SortFunc(tasks, func(x, y *acTask) int { return strings.Compare(x.id, y.id) })
	list := []map[string]any{}
	for _, t := range acCut(tasks, p) {
		list = append(list, map[string]any{
			"task_id": t.id, "task_type": t.kind, "state": t.status(),
			"created": acTime(t.started), "updated": acTime(t.updated(c.at)), "error": t.failure(),
		})
	}
	return map[string]any{"requestId": c.request, "page_info": p.info(len(tasks)), "tasks": list}, nil
}

// describeEvents is DescribeClusterEvents, newest first.
func (a *alibaba) describeEvents(c *acCall) (map[string]any, error) {
	q := acReadQuery(c.query, "task_id", "page_number", "page_size")
	p := q.page("page_number", "page_size", 50, 50)
	if q.err != nil {
		return nil, q.err
	}
	cl, err := a.visible(c)
	if err != nil {
		return nil, err
	}
	var events []acEvent
	for _, e := range slices.Backward(cl.log) {
		if id := q.text("task_id"); id == "" || e.task.id == id {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(x, y acEvent) int { return y.at.Compare(x.at) })
	list := []map[string]any{}
	for i, e := range acCut(events, p) {
		subject, source := cl.ID, "cluster"
		if !e.task.wide && e.task.pool != nil {
			subject, source = e.task.pool.ID, "nodepool"
		}
		level := map[string]string{lvNormal: "info", lvWarning: "warning"}[e.level]
		list = append(list, map[string]any{
			"event_id": "e-" + digest(e.task.id + e.message + strconv.Itoa(i))[:32], "cluster_id": cl.ID,
			"type": e.task.kind, "source": source, "subject": subject, "time": e.at.UTC().Format(time.RFC3339),
			"data": map[string]any{"level": level, "reason": e.reason, "message": e.message},
		})
	}
	return map[string]any{"events": list, "page_info": p.info(len(events))}, nil
}

// steer is what PauseTask, ResumeTask and CancelTask have in common. Whether the
// real cloud takes them for scaling is open, their documents speak of upgrades.
// A call that the task's state doesn't fit is refused; the documents don't say.
func (a *alibaba) steer(c *acCall, states []string, act func(*acTask)) (map[string]any, error) {
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	t, err := a.visibleTask(c)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(states, t.status()) {
		return nil, acRefuse(acTaskState, "the state of task %s is %s, which does not allow this operation", t.id, t.status())
	}
	if err := a.refusedByFault(c); err != nil {
		return nil, err
	}
	act(t)
	c.entry.Outcome = Accepted
	if t.pool != nil {
		c.entry.Group = t.pool.ID
	}
	return nil, nil
}

func (a *alibaba) pauseTask(c *acCall) (map[string]any, error) {
	return a.steer(c, []string{tkRunning}, func(t *acTask) {
		t.paused = c.at
		t.note(c.at, lvNormal, "Paused", "task is paused")
	})
}

func (a *alibaba) resumeTask(c *acCall) (map[string]any, error) {
	return a.steer(c, []string{tkPaused}, func(t *acTask) {
		t.holds = append(t.holds, acHold{t.elapsed(c.at), c.at.Sub(t.paused)})
		t.paused = time.Time{}
		t.note(c.at, lvNormal, "Resumed", "task is resumed")
	})
}

// cancelTask ends a task where it is: what it has done stays done.
func (a *alibaba) cancelTask(c *acCall) (map[string]any, error) {
	return a.steer(c, []string{tkRunning, tkPaused}, func(t *acTask) { t.finish(t.cluster, c.at, tkCanceled) })
}
