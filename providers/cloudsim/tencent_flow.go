package cloudsim

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// Keys of the stages of Tencent's operations, for Options.Stages. The names
// that callers see are Chinese, as in the real answers; their exact wording
// there is not documented.
const (
	StageApply   = "apply_resource"       // 90 s
	StageInit    = "init_machine"         // 60 s
	StageInstall = "install_services"     // 90 s
	StageConfig  = "deliver_config"       // 20 s
	StageJoin    = "join_cluster"         // 60 s; nodes appear one by one
	StageStart   = "start_services"       // 52 s; only when services are to be started
	StageCheck   = "check_nodes"          // 20 s
	StageDrain   = "decommission_service" // 90 s, or the grace time asked for
	StageDestroy = "destroy_nodes"        // 60 s; nodes vanish one by one
	StageTidy    = "update_cluster"       // 20 s
)

// tcStage is one step of an operation with how long it takes at this speed.
type tcStage struct {
	key, name string
	takes     time.Duration
}

// tcFlow is one asynchronous operation. What it looks like is a pure function of
// the moment asked about; settle carries its effects into the cluster.
type tcFlow struct {
	id      int64
	trace   string
	name    string
	cluster *tcCluster
	group   *tcGroup
	started time.Time
	stages  []tcStage
	acts    int // index of the stage in which nodes come or go

	add    []*tcNode
	remove []*tcNode
	starts bool // start services on the new nodes
	acted  int  // nodes that have come or gone by now

	destroyStatus int // cluster status during the last stages of a removal

	failAt  int // index of the stage that fails, -1 = none
	reason  string
	blockAt int // index of the stage at which it stands still, -1 = none
	blocker int // the fault that holds it; 0 = released
	pause   time.Duration
	partial int // how many nodes come or go, -1 = all
}

func (t *tencent) stageList(list ...tcStage) []tcStage {
	for i := range list {
		if d, ok := t.stages[list[i].key]; ok {
			list[i].takes = d
		}
		list[i].takes = t.sim.scaled(list[i].takes)
	}
	return list
}

func (t *tencent) scaleOutStages(starts bool) []tcStage {
	list := []tcStage{
		{StageApply, "申请资源", 90 * time.Second},
		{StageInit, "初始化节点", 60 * time.Second},
		{StageInstall, "安装服务组件", 90 * time.Second},
		{StageConfig, "下发配置", 20 * time.Second},
		{StageJoin, "节点加入集群", 60 * time.Second},
	}
	if starts {
		list = append(list, tcStage{StageStart, "启动服务", 52 * time.Second})
	}
	return t.stageList(list...)
}

func (t *tencent) scaleInStages(drain time.Duration) []tcStage {
	list := []tcStage{{StageCheck, "检查节点", 20 * time.Second}}
	if drain > 0 {
		list = append(list, tcStage{StageDrain, "服务优雅下线", drain})
	}
	return t.stageList(append(list,
		tcStage{StageDestroy, "销毁节点", 60 * time.Second},
		tcStage{StageTidy, "更新集群信息", 20 * time.Second})...)
}

// launch starts an operation and lets the flow faults have their say.
func (t *tencent) launch(call *tencentCall, f *tcFlow) {
	f.id = t.nextFlow
	t.nextFlow++
	f.started = call.at
	f.trace = strconv.FormatInt(call.at.Unix(), 10) + "-" + t.sim.nextID("tencent-trace")[:8]
	f.failAt, f.blockAt, f.partial = -1, -1, -1
	key := StageJoin
	if len(f.remove) > 0 {
		key = StageDestroy
	}
	f.acts = slices.IndexFunc(f.stages, func(s tcStage) bool { return s.key == key })
	if h, ok := t.sim.faults.take(call.target, FlowFails, FlowBlocked, Partial); ok {
		stage := min(h.Stage, len(f.stages)) - 1
		if h.Stage == 0 {
			stage = len(f.stages) / 2
		}
		switch h.Kind {
		case FlowFails:
			f.failAt, f.reason = stage, h.Reason
			if f.reason == "" {
				f.reason = "节点部署失败: 执行超时"
			}
		case FlowBlocked:
			f.blockAt, f.blocker = stage, h.ID
		case Partial:
			f.partial = min(h.Nodes, len(f.add)+len(f.remove))
		case SoldOut, Throttled, Refused, AuthFailed, LostBefore, LostAfter, Slow, Hang, ServerError, Garbage, ForcedStatus:
		}
		call.entry.Fault = h.Kind
	}
	f.cluster.flow = f
	t.flows[f.id] = f
	call.entry.Outcome, call.entry.Operation, call.entry.Group = Accepted, strconv.FormatInt(f.id, 10), f.group.Flag
	call.entry.Delta = len(f.add) - len(f.remove)
}

// begins is when a stage begins, counted from the start of the operation.
func (f *tcFlow) begins(stage int) time.Duration {
	var d time.Duration
	for _, s := range f.stages[:stage] {
		d += s.takes
	}
	return d
}

// middle is half-way through a stage: where it fails or stands still.
func (f *tcFlow) middle(stage int) time.Duration {
	return f.begins(stage) + f.stages[stage].takes/2
}

// ends is how much time the operation needs in all.
func (f *tcFlow) ends() time.Duration {
	if f.failAt >= 0 {
		return f.middle(f.failAt)
	}
	return f.begins(len(f.stages))
}

// elapsed is how far the operation is at a moment, in its own time: pauses
// don't count, and it never goes beyond its end or the stage that holds it.
func (f *tcFlow) elapsed(at time.Time) time.Duration {
	e := min(max(at.Sub(f.started)-f.pause, 0), f.ends())
	if f.blocker != 0 {
		e = min(e, f.middle(f.blockAt))
	}
	return e
}

func (f *tcFlow) blocked(at time.Time) bool {
	return f.blocker != 0 && f.elapsed(at) == f.middle(f.blockAt)
}

func (f *tcFlow) over(at time.Time) bool { return f.blocker == 0 && f.elapsed(at) >= f.ends() }

// released lets an operation go on that this fault held; the time it stood
// still doesn't count.
func (t *tencent) released(fault int) {
	at := t.sim.time()
	t.settle(at)
	for _, c := range t.clusters {
		f := c.flow
		if f == nil || f.blocker != fault {
			continue
		}
		if f.blocked(at) {
			f.pause = at.Sub(f.started) - f.middle(f.blockAt)
		}
		f.blocker = 0
	}
}

// due is how many nodes should have come or gone by a moment: one by one over
// the stage that does it.
func (f *tcFlow) due(at time.Time) int {
	n := len(f.add) + len(f.remove)
	if f.partial >= 0 {
		n = f.partial
	}
	in := f.elapsed(at) - f.begins(f.acts)
	takes := f.stages[f.acts].takes
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
func (t *tencent) settle(at time.Time) {
	for _, c := range t.clusters {
		if c.flow != nil {
			c.flow.settle(at)
		}
	}
}

func (f *tcFlow) settle(at time.Time) {
	for due := f.due(at); f.acted < due; f.acted++ {
		if len(f.add) > 0 {
			n := f.add[f.acted]
			n.made = f.joined(f.acted)
			f.group.nodes = append(f.group.nodes, n)
			continue
		}
		gone := f.remove[f.acted]
		f.group.nodes = slices.DeleteFunc(f.group.nodes, func(n *tcNode) bool { return n == gone })
	}
	if !f.over(at) {
		return
	}
	for _, n := range f.add[:min(f.acted, len(f.add))] {
		n.started = f.starts && f.failAt < 0
	}
	if f.failAt >= 0 && len(f.add) > 0 {
		f.cluster.status = stOutFailed
	}
	f.cluster.flow = nil
}

// joined is when the i-th node came, whatever the moment at which somebody looks.
func (f *tcFlow) joined(i int) time.Time {
	n := len(f.add)
	if f.partial >= 0 {
		n = f.partial
	}
	return f.started.Add(f.pause + f.begins(f.acts) + f.stages[f.acts].takes*time.Duration(i+1)/time.Duration(n))
}

// clusterStatus is what the running operation makes of the cluster's status:
// 4 while growing; when removing, 24 until machines are destroyed and then the
// number of their group.
func (f *tcFlow) clusterStatus(at time.Time) int {
	switch {
	case len(f.add) > 0:
		return stScalingOut
	case f.elapsed(at) < f.begins(f.acts):
		return stShrinking
	default:
		return f.destroyStatus
	}
}

// Status of an operation (FlowTotalStatus) and of its stages (StageDetails.Status).
const (
	flInitial, flRunning, flDone, flSkipped, flFailed, flBlocked = 0, 1, 2, 3, -1, -3
	sgPending, sgRunning, sgDone, sgPartly, sgFailed             = 0, 1, 2, 3, -1
)

func (f *tcFlow) totalStatus(at time.Time) int {
	switch {
	case f.blocked(at):
		return flBlocked
	case f.over(at) && f.failAt >= 0:
		return flFailed
	case f.over(at) && f.partial >= 0 && f.partial < len(f.add)+len(f.remove):
		return flSkipped
	case f.over(at):
		return flDone
	case f.elapsed(at) == 0:
		return flInitial
	default:
		return flRunning
	}
}

// progress is between 0 and 1 with two digits; 1 only at the end.
func (f *tcFlow) progress(at time.Time) float64 {
	if f.over(at) && f.failAt < 0 {
		return 1
	}
	total := f.begins(len(f.stages))
	if total == 0 {
		return 0
	}
	return math.Floor(100*float64(f.elapsed(at))/float64(total)) / 100
}

// stageStatus is one stage's status and progress between 0 and 1.
func (f *tcFlow) stageStatus(i int, at time.Time) (int, float64) {
	e, from, takes := f.elapsed(at), f.begins(i), f.stages[i].takes
	switch {
	case i == f.failAt && f.over(at):
		return sgFailed, 0.5
	case f.over(at) && f.failAt >= 0 && i > f.failAt:
		return sgPending, 0
	case e >= from+takes && (e > from || f.over(at)):
		if i == f.acts && f.partial >= 0 && f.partial < len(f.add)+len(f.remove) {
			return sgPartly, 1
		}
		return sgDone, 1
	case e < from || e == 0:
		return sgPending, 0
	default:
		return sgRunning, math.Floor(100*float64(e-from)/float64(max(takes, 1))) / 100
	}
}

// describeFlow is DescribeClusterFlowStatusDetail. It knows an operation from
// the moment it was accepted; the real one may need some seconds, which a
// Refused fault on this action can play.
func (t *tencent) describeFlow(c *tencentCall) (map[string]any, error) {
	var p struct {
		InstanceId string `tc:"required"`
		FlowParam  struct {
			FKey   string `tc:"required"`
			FValue string `tc:"required"`
		} `tc:"required"`
		NeedExtraDetail bool
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	cl, err := t.visible(c, p.InstanceId)
	if err != nil {
		return nil, err
	}
	var f *tcFlow
	switch p.FlowParam.FKey {
	case "FlowId":
		id, err := strconv.ParseInt(p.FlowParam.FValue, 10, 64)
		if err != nil {
			return nil, refuse(codeInvalid, "FlowId `%s` is not a number", p.FlowParam.FValue)
		}
		f = t.flows[id]
	case "TraceId":
		for _, other := range t.flows {
			if other.trace == p.FlowParam.FValue {
				f = other
			}
		}
	default:
		return nil, refuse(codeInvalid, "FKey must be FlowId or TraceId, got `%s`", p.FlowParam.FKey)
	}
	if f == nil || f.cluster != cl {
		return nil, refuse("ResourceNotFound", "流程 %s 不存在 (no such flow)", p.FlowParam.FValue)
	}
	return f.describe(c.at), nil
}

func (f *tcFlow) describe(at time.Time) map[string]any {
	stages := make([]map[string]any, 0, len(f.stages))
	for i, s := range f.stages {
		status, progress := f.stageStatus(i, at)
		d := map[string]any{
			"Stage": strconv.Itoa(i + 1), "Name": s.name, "LanguageKey": s.key,
			"IsShow": true, "IsSubFlow": false, "SubFlowFlag": "", "HadWoodDetail": false,
			"Status": status, "Progress": progress, "Desc": "", "FailedReason": "",
			"Starttime": "", "Endtime": "", "TimeConsuming": "", "WoodJobId": f.id*100 + int64(i),
		}
		begin := f.started.Add(f.begins(i))
		if status != sgPending {
			d["Starttime"] = tcTime(begin)
		}
		if status == sgDone || status == sgPartly {
			d["Endtime"] = tcTime(begin.Add(s.takes))
			d["TimeConsuming"] = strconv.Itoa(int(s.takes/time.Second)) + "s"
		}
		if status == sgFailed {
			d["FailedReason"] = f.reason
		}
		stages = append(stages, d)
	}
	return map[string]any{
		"StageDetails": stages,
		"FlowDesc": []map[string]any{
			{"PKey": "节点类型", "PValue": f.group.Flag},
			{"PKey": "节点数量", "PValue": strconv.Itoa(len(f.add) + len(f.remove))},
		},
		"FlowName":          f.name,
		"FlowTotalProgress": f.progress(at),
		"FlowTotalStatus":   f.totalStatus(at),
		"FlowExtraDetail":   nil,
	}
}

func (f *tcFlow) state(at time.Time) *OperationState {
	o := &OperationState{
		ID: strconv.FormatInt(f.id, 10), Name: f.name, Group: f.group.Flag,
		Delta: len(f.add) - len(f.remove), Progress: f.progress(at), Blocked: f.blocked(at),
	}
	for i, s := range f.stages {
		status, progress := f.stageStatus(i, at)
		o.Stages = append(o.Stages, StageState{Name: s.name, Status: status, Progress: progress})
	}
	return o
}
