package cloudsim

import "time"

// maxGrow is how many nodes one call may add (ScaleClusterNodePool, count;
// ModifyClusterNodePool, desired_size).
const maxGrow = 500

// grow is a task that adds n nodes of a machine type to a pool, not yet launched.
func (a *alibaba) grow(cl *acCluster, p *acPool, n int, machine string, at time.Time) *acTask {
	t := &acTask{
		kind: kindPoolScaleOut, cluster: cl, pool: p, stages: a.growStages(),
		params: map[string]any{"nodepool_id": p.ID, "count": n},
	}
	for range n {
		node := a.newNode(cl, p, machine, p.Charge, at)
		if p.Charge == "PrePaid" {
			node.expires = at.AddDate(0, p.Months, 0)
		}
		t.add = append(t.add, node)
	}
	return t
}

// start launches the task that a call asked for.
func (a *alibaba) start(c *acCall, t *acTask) {
	a.launch(t, c.at, c.target, c.entry)
	c.entry.Outcome = Accepted
}

// mayGrow are the checks that all calls share which add nodes.
func (a *alibaba) mayGrow(cl *acCluster, n int64) error {
	if n < 1 || n > maxGrow {
		return acRefuse(acInvalid, "the number of nodes to add must be from 1 to %d, got %d", maxGrow, n)
	}
	if have := len(cl.nodes()); have+int(n) > a.world.Quota {
		return acRefuse(acOverQuota, "cluster %s has %d nodes and may have %d", cl.ID, have, a.world.Quota)
	}
	return nil
}

// sizeable says whether a pool's number of nodes is for people to set, which goes
// for edge pools too (reference section 4.1: ACK Edge has its own page for
// ScaleClusterNodePool). What the real cloud answers where it isn't is not
// documented; it is refused here, since the autoscaler would undo the change.
func (p *acPool) sizeable() error {
	if p.AutoMax > 0 {
		return acRefuse(acInvalid, "auto scaling is enabled for node pool %s, which can't be scaled by hand", p.ID)
	}
	return nil
}

// scalePool is ScaleClusterNodePool: count nodes more, whatever there is now.
// There is no token: the same request twice adds twice.
func (a *alibaba) scalePool(c *acCall) (map[string]any, error) {
	var p struct {
		Count int64 `json:"count" ack:"required"`
	}
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	if err := acDecode(c.body, &p); err != nil {
		return nil, err
	}
	cl, pool, err := a.visiblePool(c)
	if err != nil {
		return nil, err
	}
	if err := pool.sizeable(); err != nil {
		return nil, err
	}
	if err := a.mayGrow(cl, p.Count); err != nil {
		return nil, err
	}
	if err := a.ready(cl, c.at); err != nil {
		return nil, err
	}
	if err := a.refusedByFault(c); err != nil {
		return nil, err
	}
	t := a.grow(cl, pool, int(p.Count), pool.Machines[0], c.at)
	pool.desired += int(p.Count)
	a.start(c, t)
	return map[string]any{"task_id": t.id}, nil
}

// modifyPool is ModifyClusterNodePool, of which only the expected number of nodes
// is served: any other field is refused as unknown. Fewer nodes than there are
// lets the scaling group choose which go, the oldest first.
func (a *alibaba) modifyPool(c *acCall) (map[string]any, error) {
	var p struct {
		ScalingGroup struct {
			DesiredSize int64 `json:"desired_size" ack:"required"`
		} `json:"scaling_group" ack:"required"`
	}
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	if err := acDecode(c.body, &p); err != nil {
		return nil, err
	}
	cl, pool, err := a.visiblePool(c)
	if err != nil {
		return nil, err
	}
	if err := pool.sizeable(); err != nil {
		return nil, err
	}
	delta := p.ScalingGroup.DesiredSize - int64(pool.count(acRunning))
	switch {
	case pool.NoDesired:
		return nil, acRefuse(acInvalid, "node pool %s has no expected number of nodes", pool.ID)
	case p.ScalingGroup.DesiredSize < 0:
		return nil, acRefuse(acInvalid, "desired_size must be 0 or more, got %d", p.ScalingGroup.DesiredSize)
	case delta > 0:
		if err := a.mayGrow(cl, delta); err != nil {
			return nil, err
		}
	}
	if err := a.ready(cl, c.at); err != nil {
		return nil, err
	}
	if err := a.refusedByFault(c); err != nil {
		return nil, err
	}
	var t *acTask
	switch {
	case delta > 0:
		t = a.grow(cl, pool, int(delta), pool.Machines[0], c.at)
	case delta < 0:
		t = &acTask{kind: kindNodeDelete, cluster: cl, pool: pool, stages: a.shrinkStages(true), release: true}
		for _, n := range pool.nodes {
			if n.phase == acRunning && int64(len(t.remove)) < -delta {
				t.remove = append(t.remove, n)
			}
		}
	default:
		t = &acTask{kind: kindPoolModified, cluster: cl, pool: pool, stages: a.stageList(acStage{AckStageSync, "SyncScalingGroup", "update the scaling group", 10 * time.Second})}
	}
	t.params = map[string]any{"nodepool_id": pool.ID, "desired_size": p.ScalingGroup.DesiredSize}
	pool.desired = int(p.ScalingGroup.DesiredSize)
	a.start(c, t)
	return map[string]any{"nodepool_id": pool.ID, "task_id": t.id, "request_id": c.request}, nil
}
