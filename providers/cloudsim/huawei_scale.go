package cloudsim

import (
	"slices"
)

// Limits of the document: core and task nodes of a cluster together, and what a
// core group must keep.
const (
	hwMaxNodes = 500
	hwMinCore  = 3
)

// hwScaling is the body of UpdateClusterScaling, tables 2 and 3 of the document.
type hwScaling struct {
	ServiceID  string `json:"service_id"`
	PlanID     string `json:"plan_id"`
	Parameters struct {
		OrderID              string      `json:"order_id"`
		ScaleType            string      `json:"scale_type" hw:"required"`
		NodeID               string      `json:"node_id" hw:"required"`
		NodeGroup            string      `json:"node_group"`
		Instances            hwInt       `json:"instances" hw:"required"`
		SkipBootstrapScripts hwFlag      `json:"skip_bootstrap_scripts"`
		ScaleWithoutStart    bool        `json:"scale_without_start"`
		ServerIDs            []string    `json:"server_ids"`
		TaskNodeInfo         *hwTaskInfo `json:"task_node_info"`
	} `json:"parameters" hw:"required"`
	PreviousValues map[string]string `json:"previous_values"`
}

// hwTaskInfo is the machine of a task group's first nodes. The SDK sends what its
// caller left unset as "" and 0; given at all, each value must be a valid one.
type hwTaskInfo struct {
	NodeSize        string  `json:"node_size" hw:"required"`
	DataVolumeType  *string `json:"data_volume_type"`
	DataVolumeCount *int    `json:"data_volume_count"`
	DataVolumeSize  *int    `json:"data_volume_size"`
}

// scale is UpdateClusterScaling. Its answer says that it was taken and nothing
// else; there is no id to follow and no token that would make a repeat harmless.
func (h *huawei) scale(c *hwCall) (any, error) {
	var p hwScaling
	if err := hwDecode(c.body, &p, hwInvalid); err != nil {
		return nil, err
	}
	cl, err := h.visible(c)
	if err != nil {
		return nil, err
	}
	switch {
	case cl.Kind == HuaweiCustom:
		return nil, hwRefuse("12000054", "a custom cluster is resized through version 2")
	case cl.Prepaid:
		return nil, hwRefuse("12000065", "")
	}
	g, err := scaleGroup(cl, p.Parameters.NodeGroup)
	if err != nil {
		return nil, err
	}
	c.entry.Group = g.Name
	if err := h.checkScaling(cl, g, &p); err != nil {
		return nil, err
	}
	if err := h.ready(cl, c.at, false); err != nil {
		return nil, err
	}
	n := int(p.Parameters.Instances)
	var op *hwOperation
	if p.Parameters.ScaleType == "scale_out" {
		op, err = h.grow(c, cl, g, n, p.Parameters.TaskNodeInfo)
	} else {
		op, err = h.cut(c, cl, g, n, p.Parameters.ServerIDs)
	}
	if err != nil {
		return nil, err
	}
	h.launch(op, c.at, c.target, c.entry)
	return map[string]any{"result": "succeeded"}, nil
}

// scaleGroup finds the group a name of version 1.1 means. The document knows two
// names, for the core and for the task group; a cluster whose only such group has
// another name has that one meant, and its own names work as well, which is how
// public users of the API resize hybrid clusters. A task group that is not there
// yet is made by its first nodes.
func scaleGroup(cl *hwCluster, name string) (*hwGroup, error) {
	if name == "" {
		name = "core_node_default_group"
	}
	r := role(name)
	if r == roleMaster {
		return nil, hwRefuse("12000054", "master nodes can't be resized")
	}
	if g := cl.group(name); g != nil {
		return g, nil
	}
	if name != "core_node_default_group" && name != "task_node_default_group" {
		return nil, hwRefuse(hwInvalid, "node_group %q is not known", name)
	}
	var same []*hwGroup
	for _, g := range cl.groups {
		if role(g.Name) == r {
			same = append(same, g)
		}
	}
	switch {
	case len(same) == 1:
		return same[0], nil
	case len(same) == 0 && r == roleTask:
		return &hwGroup{HuaweiGroup: HuaweiGroup{Name: name}}, nil
	default:
		return nil, hwRefuse(hwInvalid, "node_group %q fits %d groups", name, len(same))
	}
}

// checkScaling checks what the document says of the parameters alone. Fields that
// it calls reserved must be left empty, as in its samples.
func (h *huawei) checkScaling(cl *hwCluster, g *hwGroup, p *hwScaling) error {
	q := &p.Parameters
	out, task := q.ScaleType == "scale_out", role(g.Name) == roleTask
	switch {
	case p.ServiceID != "" || p.PlanID != "" || q.OrderID != "" || len(p.PreviousValues) > 1 || p.PreviousValues["plan_id"] != "":
		return hwRefuse(hwInvalid, "service_id, plan_id, order_id and previous_values are reserved")
	case q.ScaleType != "scale_in" && !out:
		return hwRefuse(hwInvalid, "scale_type %q is neither scale_in nor scale_out", q.ScaleType)
	case q.NodeID != "node_orderadd":
		return hwRefuse(hwInvalid, "node_id %q is not node_orderadd", q.NodeID)
	case q.Instances < 1 || q.Instances > 1_000_000:
		return hwRefuse(hwInvalid, "instances %d", q.Instances)
	case g.AutoScaled && task:
		return hwRefuse("12000124", "")
	case q.TaskNodeInfo != nil && task && g.count() > 0:
		return hwRefuse("12000123", "")
	case q.TaskNodeInfo != nil && (!task || !out):
		return hwRefuse(hwInvalid, "task_node_info is for the first task nodes")
	case q.TaskNodeInfo == nil && task && out && g.count() == 0:
		return hwRefuse(hwInvalid, "the first task nodes need task_node_info")
	case !out && len(q.ServerIDs) > 0 && !task:
		// On a scale-out server_ids has no effect, says the document; that it names
		// core nodes to remove is nowhere said to be ignored.
		return hwRefuse(hwInvalid, "server_ids is for task nodes")
	case !out && len(q.ServerIDs) > 0 && len(q.ServerIDs) != int(q.Instances):
		return hwRefuse(hwInvalid, "instances is %d and server_ids names %d", q.Instances, len(q.ServerIDs))
	case q.TaskNodeInfo == nil:
		return nil
	}
	return h.checkTaskInfo(q.TaskNodeInfo)
}

// checkTaskInfo checks table 3. The SDK's text allows 0 to 20 disks; the
// document's 1 to 10 is the narrower.
func (h *huawei) checkTaskInfo(t *hwTaskInfo) error {
	known := slices.ContainsFunc(h.world.Flavors, func(f HuaweiFlavor) bool { return nodeSize(f.Name) == t.NodeSize })
	switch {
	case !known:
		return hwRefuse("12000048", "%s", t.NodeSize)
	case t.DataVolumeType != nil && !slices.Contains([]string{"SATA", "SAS", "SSD", "GPSSD"}, *t.DataVolumeType):
		return hwRefuse(hwInvalid, "data_volume_type %q", *t.DataVolumeType)
	case t.DataVolumeCount != nil && (*t.DataVolumeCount < 1 || *t.DataVolumeCount > 10):
		return hwRefuse(hwInvalid, "data_volume_count %d is not between 1 and 10", *t.DataVolumeCount)
	case t.DataVolumeSize != nil && *t.DataVolumeSize < 100:
		return hwRefuse("12000141", "%d", *t.DataVolumeSize)
	case t.DataVolumeSize != nil && *t.DataVolumeSize > 32000:
		return hwRefuse("12000142", "%d", *t.DataVolumeSize)
	}
	return nil
}

// grow prepares a scale-out: limits, quota and faults, then the hosts. first is
// the machine of a task group's first nodes, nil for all others.
func (h *huawei) grow(c *hwCall, cl *hwCluster, g *hwGroup, n int, first *hwTaskInfo) (*hwOperation, error) {
	want := g.HuaweiGroup
	if first != nil {
		for _, f := range h.world.Flavors {
			if nodeSize(f.Name) == first.NodeSize {
				want.Flavor = f.Name
			}
		}
		want.DiskType, want.DiskCount, want.DiskGB = orZero(first.DataVolumeType), orZero(first.DataVolumeCount), orZero(first.DataVolumeSize)
	}
	if role(g.Name) != roleOther && cl.size(roleCore, roleTask)+n > hwMaxNodes {
		return nil, hwRefuse("12000028", "%d", hwMaxNodes)
	}
	if err := h.checkQuota(cl, want, n); err != nil {
		return nil, err
	}
	c.target.orders = true
	if err := h.refusedByFault(c); err != nil {
		return nil, err
	}
	g.HuaweiGroup = want
	if cl.group(g.Name) == nil {
		cl.groups = append(cl.groups, g)
	}
	hosts := make([]*hwHost, 0, n)
	for range n {
		host := h.newHost(cl, g)
		host.added = true
		hosts = append(hosts, host)
	}
	return h.operation(cl, g, true, hosts), nil
}

func orZero[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// checkQuota counts what the account has in all clusters, with what running
// operations will still add, against its quotas in the document's order.
func (h *huawei) checkQuota(cl *hwCluster, want HuaweiGroup, n int) error {
	var use HuaweiQuota
	add := func(g HuaweiGroup, n int) {
		f, _ := h.flavor(g.Flavor)
		use.Nodes += n
		use.CPUs += n * f.CPU
		use.MemoryGB += n * f.MemoryGB
		use.Disks += n * g.DiskCount
		use.DiskGB += n * g.DiskCount * g.DiskGB
	}
	for _, other := range h.clusters {
		if other.Account != cl.Account {
			continue
		}
		for _, g := range other.groups {
			add(g.HuaweiGroup, len(g.hosts))
		}
		if op := other.op; op != nil && op.out {
			add(op.group.HuaweiGroup, len(op.hosts)-op.begun)
		}
	}
	add(want, n)
	for _, q := range []struct {
		code       string
		use, limit int
	}{
		{"12000030", use.Nodes, h.world.Quota.Nodes}, {"12000031", use.CPUs, h.world.Quota.CPUs},
		{"12000032", use.MemoryGB, h.world.Quota.MemoryGB}, {"12000033", use.Disks, h.world.Quota.Disks},
		{"12000034", use.DiskGB, h.world.Quota.DiskGB},
	} {
		if q.limit > 0 && q.use > q.limit {
			return hwRefuse(q.code, "%d of %d", q.use, q.limit)
		}
	}
	return nil
}

// cut prepares a scale-in: which hosts go. Without names the system picks; here
// the newest go first, which is no promise of the vendor. Which code refuses a
// removal of too many is not documented; 12000013, "scale-in failed", would tell
// the caller that something was tried.
func (h *huawei) cut(c *hwCall, cl *hwCluster, g *hwGroup, n int, ids []string) (*hwOperation, error) {
	keep := 0
	if role(g.Name) == roleCore {
		keep = hwMinCore
	}
	if n > g.count()-keep {
		return nil, hwRefuse(hwInvalid, "%d of %d nodes of %s can be removed", max(g.count()-keep, 0), g.count(), g.Name)
	}
	var hosts []*hwHost
	for _, id := range ids {
		i := slices.IndexFunc(g.hosts, func(n *hwHost) bool { return n.id == id })
		if i < 0 || slices.Contains(hosts, g.hosts[i]) {
			return nil, hwRefuse(hwInvalid, "server_ids: %s is not in %s or is named twice", id, g.Name)
		}
		hosts = append(hosts, g.hosts[i])
	}
	for _, host := range slices.Backward(g.hosts) {
		if len(hosts) < n && host.status == hsActive {
			hosts = append(hosts, host)
		}
	}
	if err := h.refusedByFault(c); err != nil {
		return nil, err
	}
	return h.operation(cl, g, false, hosts), nil
}
