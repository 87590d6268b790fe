package cloudsim

import (
	"fmt"
	"slices"
	"time"
)

// acTask is one asynchronous operation. How far it is follows from the moment
// asked about; settle carries its effects into the cluster and ends it.
type acTask struct {
	id, kind string
	cluster  *acCluster
	pool     *acPool // nil when its nodes are of several pools
	wide     bool    // its target is the cluster, not the pool
	params   map[string]any
	started  time.Time
	stages   []acStage
	makes    int // index of the stage in which machines appear, -1 = none
	acts     int // index of the stage in which nodes join or leave, -1 = none

	add, remove []*acNode
	release     bool // give the machines of removed nodes back, as far as that goes
	refill      bool // the scaling group makes up for the removed nodes
	made, acted int  // machines that appeared, nodes that joined or left by now
	begun       int  // stages that have begun by now

	failAt       int // index of the stage that fails, -1 = none
	code, reason string
	blockAt      int // index of the stage at which it stands still, -1 = none
	blocker      int // the fault that holds it; 0 = none
	partial      int // how many nodes join or leave, -1 = all
	holds        []acHold
	paused       time.Time     // since when; zero = it isn't
	deadline     time.Duration // given up after it; 0 = never

	ended  time.Time // zero = it isn't over
	result string    // its state when it is over
	events []acEvent
}

// acHold is a standstill: where in the task's own time, and for how long.
type acHold struct{ at, lasted time.Duration }

// acEvent is a line of a task's log.
type acEvent struct {
	at                     time.Time
	level, reason, message string
	task                   *acTask
}

// launch starts a task and lets the faults of operations have their say. There
// is no call behind a task that the scaling group starts by itself.
func (a *alibaba) launch(t *acTask, at time.Time, tg target, entry *Entry) {
	stage := func(key string) int {
		return slices.IndexFunc(t.stages, func(s acStage) bool { return s.key == key })
	}
	t.id = "T-" + a.sim.nextID("alibaba-task")[:24]
	t.started, t.failAt, t.blockAt, t.partial = at, -1, -1, -1
	t.makes, t.acts = stage(AckStageCreate), stage(AckStageJoin)
	for _, n := range t.remove {
		t.acts, n.phase = stage(AckStageRemove), acRemoving
	}
	tg.orders = len(t.add) > 0
	if h, ok := a.sim.faults.take(tg, SoldOut, FlowFails, FlowBlocked, Partial); ok {
		i := min(h.Stage, len(t.stages)) - 1
		if h.Stage == 0 {
			i = len(t.stages) / 2
		}
		switch h.Kind {
		case SoldOut:
			// Stock is asked for late: the order is accepted, then no machine comes.
			t.failAt, t.makes = t.makes, -1
			t.code, t.reason = acNoStock, "The requested resource is sold out in the specified zone; try other types of resources or other regions and zones."
		case FlowFails:
			t.failAt = i
			t.code, t.reason = acOr(h.Code, "InternalError"), acOr(h.Reason, "failed to "+t.stages[i].text)
		case FlowBlocked:
			t.blockAt, t.blocker = i, h.ID
		case Partial:
			t.partial = min(h.Nodes, len(t.add)+len(t.remove))
		case Throttled, Refused, AuthFailed, LostBefore, LostAfter, Slow, Hang, ServerError, Garbage, ForcedStatus:
		}
		entry.Fault = h.Kind
	}
	t.cluster.task = t
	a.tasks = append(a.tasks, t)
	t.note(at, lvNormal, "Started", "start to run task %s", t.kind)
	entry.Operation, entry.Delta = t.id, len(t.add)-len(t.remove)
	if t.pool != nil {
		entry.Group = t.pool.ID
	}
}

func (t *acTask) note(at time.Time, level, reason, format string, args ...any) {
	e := acEvent{at: at, level: level, reason: reason, message: fmt.Sprintf(format, args...), task: t}
	t.events = append(t.events, e)
	t.cluster.log = append(t.cluster.log, e)
}

// begins is when a stage begins, in the task's own time.
func (t *acTask) begins(stage int) time.Duration {
	var d time.Duration
	for _, s := range t.stages[:stage] {
		d += s.takes
	}
	return d
}

// middle is half-way through a stage: where it fails or stands still.
func (t *acTask) middle(stage int) time.Duration {
	return t.begins(stage) + t.stages[stage].takes/2
}

// total is how much time the task needs in all.
func (t *acTask) total() time.Duration {
	if t.failAt >= 0 {
		return t.middle(t.failAt)
	}
	return t.begins(len(t.stages))
}

// run is how much time a task has had, without the standstills.
func (t *acTask) run(at time.Time) time.Duration {
	if !t.ended.IsZero() && at.After(t.ended) {
		at = t.ended
	}
	if !t.paused.IsZero() {
		at = t.paused
	}
	d := at.Sub(t.started)
	for _, h := range t.holds {
		d -= h.lasted
	}
	return max(d, 0)
}

// elapsed is how far a task is, in its own time: never beyond its end or the
// stage that holds it.
func (t *acTask) elapsed(at time.Time) time.Duration {
	e := min(t.run(at), t.total())
	if t.blocker != 0 {
		e = min(e, t.middle(t.blockAt))
	}
	return e
}

// wall is when a point of the task's own time was, or will be.
func (t *acTask) wall(e time.Duration) time.Time {
	at := t.started.Add(e)
	for _, h := range t.holds {
		if h.at < e {
			at = at.Add(h.lasted)
		}
	}
	return at
}

func (t *acTask) blocked(at time.Time) bool {
	return t.blocker != 0 && t.elapsed(at) == t.middle(t.blockAt)
}

// released lets a task go on that this fault held; the time it stood still
// doesn't count.
func (a *alibaba) released(fault int) {
	at := a.sim.time()
	a.settle(at)
	for _, c := range a.clusters {
		t := c.task
		if t == nil || t.blocker != fault {
			continue
		}
		if over := t.run(at) - t.middle(t.blockAt); over > 0 {
			t.holds = append(t.holds, acHold{t.middle(t.blockAt), over})
		}
		t.blocker = 0
	}
}

// due is how many of n should have happened in a stage by a moment: one by one
// over the stage.
func (t *acTask) due(stage, n int, e time.Duration) int {
	if stage < 0 || e < t.begins(stage) {
		return 0
	}
	in, takes := e-t.begins(stage), t.stages[stage].takes
	if in >= takes {
		return n
	}
	return int(int64(n) * int64(in) / int64(takes))
}

// goal is how many nodes will join or leave.
func (t *acTask) goal() int {
	if t.partial >= 0 {
		return t.partial
	}
	return len(t.add) + len(t.remove)
}

// settle carries the effects of all tasks up to a moment into the clusters. The
// end of one may let a scaling group start the next.
func (a *alibaba) settle(at time.Time) {
	for _, c := range a.clusters {
		for c.task != nil && a.step(c, c.task, at) {
			a.refill(c, c.log[len(c.log)-1].at)
		}
	}
}

// step reports whether the task came to its end.
func (a *alibaba) step(c *acCluster, t *acTask, at time.Time) bool {
	giveUp := t.started.Add(t.deadline)
	if t.deadline > 0 && !at.Before(giveUp) && t.elapsed(giveUp) < t.total() {
		t.advance(giveUp)
		t.code, t.reason = "Timeout", "the instances were not added in time"
		t.finish(c, giveUp, tkFail)
		return true
	}
	t.advance(at)
	if t.blocker != 0 || !t.paused.IsZero() || t.elapsed(at) < t.total() {
		return false
	}
	result := tkSuccess
	switch {
	case t.failAt >= 0:
		result = tkFail
	case t.goal() < len(t.add)+len(t.remove):
		// The documents know no state for this; the nodes are in task_result.
		result, t.code = tkFail, "PartialFailure"
		t.reason = fmt.Sprintf("%d of %d nodes failed", len(t.add)+len(t.remove)-t.goal(), len(t.add)+len(t.remove))
	}
	t.finish(c, t.wall(t.total()), result)
	return true
}

// advance lets happen what is due by a moment.
func (t *acTask) advance(at time.Time) {
	e := t.elapsed(at)
	for due := t.due(t.makes, len(t.add), e); t.made < due; t.made++ {
		n := t.add[t.made]
		n.made = t.moment(t.makes, t.made, len(t.add))
		n.pool.nodes = append(n.pool.nodes, n)
		t.note(n.made, lvNormal, "InstanceCreated", "instance %s is created", n.id)
	}
	for due := t.due(t.acts, t.goal(), e); t.acted < due; t.acted++ {
		when := t.moment(t.acts, t.acted, t.goal())
		if len(t.add) > 0 {
			n := t.add[t.acted]
			n.join(t.cluster)
			t.note(when, lvNormal, "NodeReady", "node %s on instance %s is ready", n.name, n.id)
			continue
		}
		n := t.remove[t.acted]
		n.leave()
		switch {
		case !t.release:
			t.note(when, lvNormal, "NodeRemoved", "node %s left the cluster, instance %s is kept", n.name, n.id)
		case n.charge == "PrePaid":
			t.note(when, lvWarning, "NodeRemoved", "node %s left the cluster, instance %s is a subscription and is not released", n.name, n.id)
		default:
			t.note(when, lvNormal, "NodeRemoved", "node %s left the cluster, instance %s is released", n.name, n.id)
		}
	}
	for ; t.begun < len(t.stages) && t.begins(t.begun) <= e; t.begun++ {
		t.note(t.wall(t.begins(t.begun)), lvNormal, t.stages[t.begun].name, "start to %s", t.stages[t.begun].text)
	}
}

// moment is when the i-th of n things happened in a stage, whenever somebody looks.
func (t *acTask) moment(stage, i, n int) time.Time {
	return t.wall(t.begins(stage) + t.stages[stage].takes*time.Duration(i+1)/time.Duration(n))
}

func (n *acNode) leave() {
	n.pool.nodes = slices.DeleteFunc(n.pool.nodes, func(o *acNode) bool { return o == n })
}

// finish ends a task. What happens to the rest of its nodes is not documented:
// here machines that could not join stay behind as failed nodes, those of a
// canceled task go, and nodes that were to leave stay. The scaling group aims at
// what there is, so that it doesn't order behind everybody's back later.
func (t *acTask) finish(c *acCluster, at time.Time, result string) {
	e := t.elapsed(at)
	t.ended, t.result, t.paused, t.blocker = at, result, time.Time{}, 0
	c.task = nil
	if over := t.run(at) - e; over > 0 { // it ends while it stands still
		t.holds = append(t.holds, acHold{e, over})
	}
	for _, n := range slices.Clone(t.add[:t.made]) {
		switch {
		case n.phase != acInitial:
		case result == tkCanceled:
			n.leave()
			t.note(at, lvNormal, "InstanceReleased", "instance %s is released", n.id)
		default:
			n.phase, n.why = acFailed, acOr(t.reason, "the node did not join")
			t.note(at, lvWarning, "NodeFailed", "instance %s failed to join: %s", n.id, n.why)
		}
	}
	for _, n := range t.remove {
		if slices.Contains(n.pool.nodes, n) {
			n.phase = acRunning
			if n.why != "" {
				n.phase = acFailed
			}
		}
	}
	for _, p := range c.pools {
		aim := p.count(acRunning)
		if t.refill && result == tkSuccess && !p.NoDesired && p.AutoMax == 0 {
			p.owed = max(p.desired-aim, 0)
			continue
		}
		p.desired = aim
	}
	level, text := lvNormal, "task ended: "+result
	if result == tkFail {
		level, text = lvWarning, t.reason
	}
	t.note(at, level, map[string]string{tkSuccess: "Success", tkFail: "Failed", tkCanceled: "Canceled"}[result], "%s", text)
}

// refill is the scaling group of a pool with an expected number of nodes making
// up for nodes that were taken from it behind its back.
func (a *alibaba) refill(c *acCluster, at time.Time) {
	for _, p := range c.pools {
		if p.owed == 0 || c.task != nil {
			continue
		}
		t := a.grow(c, p, p.owed, p.Machines[0], at)
		t.kind, p.owed = kindPoolScaleOut, 0
		e := Entry{Time: at, Cloud: Alibaba, Account: c.Account, Region: c.Region, Cluster: c.ID, Outcome: Outside}
		a.launch(t, at, target{cloud: Alibaba, clusters: []string{c.ID}, change: true}, &e)
		a.sim.journal.enter(e)
	}
}
