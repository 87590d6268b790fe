package cloudsim

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// Keys of the stages of MRS's operations, for Options.Stages. The times are of
// this world; the vendor gives none. The wait before the state turns is the first
// stage, also for the faults that name one; the last is the fifth.
const (
	StageMRSAccepted   = "mrs_accepted"     // 6 s; taken, and the cluster still says running
	StageMRSPrepare    = "mrs_prepare"      // 20 s
	StageMRSCreate     = "mrs_create_vm"    // 90 s; hosts appear one by one, in BUILD
	StageMRSInit       = "mrs_init_vm"      // 64 s
	StageMRSJoin       = "mrs_add_node"     // 120 s; hosts turn ACTIVE one by one
	StageMRSDecomTask  = "mrs_decommission" // 30 s
	StageMRSDecomCore  = "mrs_move_data"    // 600 s; core nodes hand their HDFS blocks over first
	StageMRSDelete     = "mrs_delete_vm"    // 60 s; hosts turn DELETED one by one
	StageMRSDeleteNode = "mrs_delete_node"  // 30 s; hosts leave the list one by one
)

// hwTexts are the texts of stageDesc in Chinese.
var hwTexts = map[string]string{
	"Deploying cluster":               "部署集群中",
	"Preparing for cluster expansion": "准备扩容中",
	"Creating VM":                     "创建虚拟机中",
	"Initializing VM":                 "初始化虚拟机中",
	"Adding node to the cluster":      "节点加入集群中",
	"Cluster expansion failed":        "集群扩容失败",
	"Preparing for cluster shrink":    "正在准备缩容",
	"Decommissioning instance":        "实例退服中",
	"Deleting VM":                     "删除虚拟机中",
	"Deleting node from the cluster":  "从集群删除节点中",
	"Cluster shrink failed":           "集群缩容失败",
}

type hwStage struct {
	key, name string
	takes     time.Duration
}

// hwOperation is one resize. What it looks like is a pure function of the moment
// asked about; settle carries its effects into the cluster. The API never shows
// its id: it is the Sim's own, for the page and the ledger.
type hwOperation struct {
	id      string
	cluster *hwCluster
	group   *hwGroup
	out     bool
	hosts   []*hwHost // that come or go
	started time.Time
	stages  []hwStage

	first, second int // index of the stages in which hosts appear and join, or are deleted and leave
	begun, done   int // hosts that have got so far by now

	failAt  int // index of the stage that fails, -1 = none
	reason  string
	blockAt int // index of the stage at which it stands still, -1 = none
	blocker int // the fault that holds it; 0 = released
	pause   time.Duration
	partial int // how many hosts come or go, -1 = all
}

func (h *huawei) operation(c *hwCluster, g *hwGroup, out bool, hosts []*hwHost) *hwOperation {
	h.nextOp++
	op := &hwOperation{id: "mrs-" + strconv.Itoa(h.nextOp), cluster: c, group: g, out: out, hosts: hosts, first: 2, second: 4}
	accepted := hwStage{StageMRSAccepted, "Waiting for the cluster to begin", 6 * time.Second}
	if out {
		op.stages = []hwStage{
			accepted,
			{StageMRSPrepare, "Preparing for cluster expansion", 20 * time.Second},
			{StageMRSCreate, "Creating VM", 90 * time.Second},
			{StageMRSInit, "Initializing VM", 64 * time.Second},
			{StageMRSJoin, "Adding node to the cluster", 120 * time.Second},
		}
	} else {
		leave := hwStage{StageMRSDecomTask, "Decommissioning instance", 30 * time.Second}
		if role(g.Name) == roleCore {
			leave.key, leave.takes = StageMRSDecomCore, 10*time.Minute
		}
		op.first = 3
		op.stages = []hwStage{
			accepted,
			{StageMRSPrepare, "Preparing for cluster shrink", 20 * time.Second},
			leave,
			{StageMRSDelete, "Deleting VM", 60 * time.Second},
			{StageMRSDeleteNode, "Deleting node from the cluster", 30 * time.Second},
		}
	}
	for i := range op.stages {
		if d, ok := h.stages[op.stages[i].key]; ok {
			op.stages[i].takes = d
		}
		op.stages[i].takes = h.sim.scaled(op.stages[i].takes)
	}
	return op
}

// launch starts an operation and lets the flow faults have their say.
func (h *huawei) launch(op *hwOperation, at time.Time, t target, e *Entry) {
	op.started = at
	op.failAt, op.blockAt, op.partial = -1, -1, -1
	t.change = true
	if f, ok := h.sim.faults.take(t, FlowFails, FlowBlocked, Partial); ok {
		stage := min(f.Stage, len(op.stages)) - 1
		if f.Stage == 0 {
			stage = len(op.stages) / 2
		}
		switch f.Kind {
		case FlowFails:
			op.failAt, op.reason = stage, f.Reason
			if op.reason == "" {
				op.reason = "(MRS.201) " + hwCodes["MRS.201"].text + "(ECS: Ecs.0219, Insufficient capacity)"
			}
		case FlowBlocked:
			op.blockAt, op.blocker = stage, f.ID
		case Partial:
			op.partial = min(f.Nodes, len(op.hosts))
		case SoldOut, Throttled, Refused, AuthFailed, LostBefore, LostAfter, Slow, Hang, ServerError, Garbage, ForcedStatus:
		}
		e.Fault = f.Kind
	}
	op.cluster.op = op
	e.Outcome, e.Operation, e.Group, e.Delta = Accepted, op.id, op.group.Name, op.delta()
}

func (o *hwOperation) delta() int {
	if o.out {
		return len(o.hosts)
	}
	return -len(o.hosts)
}

// word is what clusterState and scale say while it runs.
func (o *hwOperation) word() string {
	if o.out {
		return hwScalingOut
	}
	return hwScalingIn
}

// begins is when a stage begins, counted from the start of the operation.
func (o *hwOperation) begins(stage int) time.Duration {
	var d time.Duration
	for _, s := range o.stages[:stage] {
		d += s.takes
	}
	return d
}

// middle is half-way through a stage: where it fails or stands still.
func (o *hwOperation) middle(stage int) time.Duration {
	return o.begins(stage) + o.stages[stage].takes/2
}

// ends is how much time the operation needs in all.
func (o *hwOperation) ends() time.Duration {
	if o.failAt >= 0 {
		return o.middle(o.failAt)
	}
	return o.begins(len(o.stages))
}

// elapsed is how far the operation is at a moment, in its own time: pauses don't
// count, and it never goes beyond its end or the stage that holds it.
func (o *hwOperation) elapsed(at time.Time) time.Duration {
	e := min(max(at.Sub(o.started)-o.pause, 0), o.ends())
	if o.blocker != 0 {
		e = min(e, o.middle(o.blockAt))
	}
	return e
}

// moment is when the operation was, or will be, so far.
func (o *hwOperation) moment(elapsed time.Duration) time.Time {
	at := o.started.Add(elapsed)
	if o.pause > 0 && elapsed > o.middle(o.blockAt) {
		at = at.Add(o.pause)
	}
	return at
}

func (o *hwOperation) blocked(at time.Time) bool {
	return o.blocker != 0 && o.elapsed(at) == o.middle(o.blockAt)
}

func (o *hwOperation) over(at time.Time) bool { return o.blocker == 0 && o.elapsed(at) >= o.ends() }

// turned is whether the cluster's state shows the operation yet.
func (o *hwOperation) turned(at time.Time) bool { return o.elapsed(at) >= o.begins(1) }

// released lets an operation go on that this fault held; the time it stood still
// doesn't count.
func (h *huawei) released(fault int) {
	at := h.sim.time()
	h.settle(at)
	for _, c := range h.clusters {
		o := c.op
		if o == nil || o.blocker != fault {
			continue
		}
		if o.blocked(at) {
			o.pause = at.Sub(o.started) - o.middle(o.blockAt)
		}
		o.blocker = 0
	}
}

// due is how many of n hosts should have got through a stage by a moment: one by
// one over the stage.
func (o *hwOperation) due(stage, n int, at time.Time) int {
	in, takes := o.elapsed(at)-o.begins(stage), o.stages[stage].takes
	switch {
	case in < 0:
		return 0
	case in >= takes:
		return n
	default:
		return int(int64(n) * int64(in) / int64(takes))
	}
}

// settle carries the effects of all operations up to a moment into the clusters.
func (h *huawei) settle(at time.Time) {
	for _, c := range h.clusters {
		if c.op != nil {
			c.op.settle(at)
		}
	}
}

func (o *hwOperation) settle(at time.Time) {
	all := len(o.hosts)
	joining := all // how many come through the second stage
	if o.partial >= 0 {
		joining = o.partial
	}
	if !o.out {
		all = joining // a machine that is not let go is not deleted either
	}
	for due := o.due(o.first, all, at); o.begun < due; o.begun++ {
		if o.out {
			o.group.hosts = append(o.group.hosts, o.hosts[o.begun])
		} else {
			o.hosts[o.begun].deleted = true
		}
	}
	for due := o.due(o.second, joining, at); o.done < due; o.done++ {
		if o.out {
			o.hosts[o.done].status = hsActive
		} else {
			o.group.drop(o.hosts[o.done])
		}
	}
	if o.turned(at) {
		if turn := o.moment(o.begins(1)); o.cluster.updated.Before(turn) {
			o.cluster.updated = turn
		}
		o.cluster.stage = o.stages[o.stage(at)].name
	}
	if o.over(at) {
		o.finish()
	}
}

// finish leaves behind what the operation ends with. Of a failure the texts are
// documented; of an operation that only some nodes got through nothing is, so
// that shows in the count and in hosts with status ERROR and nowhere else.
func (o *hwOperation) finish() {
	c := o.cluster
	c.op, c.updated = nil, o.moment(o.ends())
	if o.failAt < 0 {
		c.scale, c.errorInfo = "", ""
		for _, n := range o.hosts[o.done:] {
			if o.out {
				n.status = hsError
			}
		}
		return
	}
	c.scale, c.errorInfo, c.stage = hwScalingError, o.reason, "Cluster shrink failed"
	if o.out {
		c.stage = "Cluster expansion failed"
	}
	// Machines that did not make it into the cluster, or are gone, are not kept.
	for _, n := range o.hosts {
		if n.status == hsBuild || n.deleted {
			o.group.drop(n)
		}
	}
}

func (g *hwGroup) drop(gone *hwHost) {
	g.hosts = slices.DeleteFunc(g.hosts, func(n *hwHost) bool { return n == gone })
}

// stage is the index of the stage that runs at a moment.
func (o *hwOperation) stage(at time.Time) int {
	i, e := 0, o.elapsed(at)
	for i < len(o.stages)-1 && e >= o.begins(i+1) {
		i++
	}
	return i
}

// progress is between 0 and 1 with two digits; 1 only at the end.
func (o *hwOperation) progress(at time.Time) float64 {
	total := o.begins(len(o.stages))
	if total == 0 {
		return 0
	}
	return math.Floor(100*float64(o.elapsed(at))/float64(total)) / 100
}

func (o *hwOperation) state(at time.Time) *OperationState {
	s := &OperationState{
		ID: o.id, Name: o.word(), Group: o.group.Name, Delta: o.delta(), Progress: o.progress(at), Blocked: o.blocked(at),
	}
	now, e := o.stage(at), o.elapsed(at)
	for i, st := range o.stages {
		out := StageState{Name: st.name}
		switch {
		case i < now:
			out.Status, out.Progress = 2, 1
		case i == now:
			out.Status = 1
			out.Progress = math.Floor(100*float64(e-o.begins(i))/float64(max(st.takes, 1))) / 100
		}
		s.Stages = append(s.Stages, out)
	}
	return s
}
