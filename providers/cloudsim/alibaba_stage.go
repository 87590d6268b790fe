package cloudsim

import (
	"math"
	"time"
)

// Keys of the stages of ACK's tasks, for Options.Stages. The names that callers
// see (current_stage) and the texts of the stages are not documented.
const (
	AckStageCreate = "ack_create_instances" // 80 s; machines appear one by one
	AckStageInit   = "ack_init_nodes"       // 60 s
	AckStageJoin   = "ack_join_nodes"       // 80 s; nodes turn Ready one by one
	AckStageVerify = "ack_verify_nodes"     // 20 s
	AckStageCordon = "ack_cordon_nodes"     // 10 s
	AckStageDrain  = "ack_drain_nodes"      // 60 s, if asked for
	AckStageRemove = "ack_remove_nodes"     // 60 s; nodes leave one by one
	AckStageSync   = "ack_sync_group"       // 10 s
)

// acStage is one step of a task with how long it takes at this speed.
type acStage struct {
	key, name, text string
	takes           time.Duration
}

// Task states, and that of a stage or machine whose turn has not come. The
// current pages write fail, the older ones failed; paused and canceled are in no
// list, but there are calls that lead there.
const (
	tkRunning  = "running"
	tkPaused   = "paused"
	tkSuccess  = "success"
	tkFail     = "fail"
	tkCanceled = "canceled"
	tkPending  = "pending"
	tkInitial  = "initial"
)

// Task types. Those that add nodes are documented; for the others the type of
// the event that goes with them is used, which is the nearest there is.
const (
	kindScaleOut     = "cluster_scaleout"
	kindPoolScaleOut = "nodepool_scaleout"
	kindNodeDelete   = "cluster_node_delete"
	kindPoolModified = "nodepool_update"
)

// Levels of a task's events.
const (
	lvNormal  = "Normal"
	lvWarning = "Warning"
)

func (a *alibaba) stageList(list ...acStage) []acStage {
	for i := range list {
		if d, ok := a.stages[list[i].key]; ok {
			list[i].takes = d
		}
		list[i].takes = a.sim.scaled(list[i].takes)
	}
	return list
}

func (a *alibaba) growStages() []acStage {
	return a.stageList(
		acStage{AckStageCreate, "CreateInstances", "create instances", 80 * time.Second},
		acStage{AckStageInit, "InitNodes", "initialize nodes", 60 * time.Second},
		acStage{AckStageJoin, "JoinNodes", "join nodes to the cluster", 80 * time.Second},
		acStage{AckStageVerify, "VerifyNodes", "verify nodes", 20 * time.Second})
}

func (a *alibaba) shrinkStages(drain bool) []acStage {
	list := []acStage{{AckStageCordon, "CordonNodes", "cordon nodes", 10 * time.Second}}
	if drain {
		list = append(list, acStage{AckStageDrain, "DrainNodes", "drain nodes", 60 * time.Second})
	}
	return a.stageList(append(list,
		acStage{AckStageRemove, "RemoveNodes", "remove nodes", 60 * time.Second},
		acStage{AckStageSync, "SyncScalingGroup", "update the scaling group", 10 * time.Second})...)
}

// clusterState is what a running task makes of the state of its cluster.
func (t *acTask) clusterState(at time.Time) string {
	switch {
	case len(t.add) > 0:
		return csScaling
	case len(t.remove) == 0:
		return "updating"
	case t.stages[t.stageAt(at)].key == AckStageDrain:
		return csDraining
	default:
		return csRemoving
	}
}

// stageAt is the stage that a task is in, or was in last.
func (t *acTask) stageAt(at time.Time) int {
	e, i := t.elapsed(at), 0
	for i < len(t.stages)-1 && i != t.failAt && t.begins(i+1) <= e {
		i++
	}
	return i
}

// status is the task's state in words.
func (t *acTask) status() string {
	switch {
	case !t.ended.IsZero():
		return t.result
	case !t.paused.IsZero():
		return tkPaused
	default:
		return tkRunning
	}
}

// stageState is one stage's state in words.
func (t *acTask) stageState(i int, at time.Time) string {
	switch e := t.elapsed(at); {
	case e >= t.begins(i)+t.stages[i].takes && i != t.failAt:
		if i == t.acts && t.goal() < len(t.add)+len(t.remove) {
			return tkFail
		}
		return tkSuccess
	case i > t.stageAt(at):
		return tkPending
	default:
		return t.status()
	}
}

func (t *acTask) state(at time.Time) *OperationState {
	o := &OperationState{ID: t.id, Name: t.kind, Delta: len(t.add) - len(t.remove), Blocked: t.blocked(at) || !t.paused.IsZero()}
	if t.pool != nil {
		o.Group = t.pool.ID
	}
	e := t.elapsed(at)
	if total := t.begins(len(t.stages)); total > 0 {
		o.Progress = math.Floor(100*float64(e)/float64(total)) / 100
	}
	for i, s := range t.stages {
		st := StageState{Name: s.name}
		switch t.stageState(i, at) {
		case tkSuccess:
			st.Status, st.Progress = 2, 1
		case tkFail:
			// Only a stage of a task that runs on is shown, so some of its nodes failed.
			st.Status, st.Progress = 3, 1
		case tkRunning, tkPaused:
			st.Status = 1
			st.Progress = math.Floor(100*float64(e-t.begins(i))/float64(max(s.takes, 1))) / 100
		}
		o.Stages = append(o.Stages, st)
	}
	return o
}
