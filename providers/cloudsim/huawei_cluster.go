package cloudsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// hwCluster is a cluster as it stands at the last settle. scale, stage and
// errorInfo are what the last operation left behind.
type hwCluster struct {
	HuaweiCluster
	made, updated           time.Time
	scale, stage, errorInfo string
	groups                  []*hwGroup
	op                      *hwOperation // running or held; nil when idle
	order                   *hwOrder     // waits for its payment; nil = none
}

type hwGroup struct {
	HuaweiGroup
	hosts []*hwHost
}

// hwHost is one machine. Its id, which version 1.1 wants, and its resource id,
// which version 2 wants, differ here: no page says that they are the same, so a
// caller that mixes them up must find out here and not on a live cluster.
type hwHost struct {
	id, resource string
	tail         string // the five letters that end its names
	added        bool   // by a resize and not with the cluster
	ip           string
	status       string // hsBuild, hsActive or hsError
	deleted      bool   // the machine is gone, the cluster still lists it
	prepaid      bool
}

// shown is the status that callers see.
func (n *hwHost) shown() string {
	if n.deleted {
		return hsDeleted
	}
	return n.status
}

// The status of a host.
const (
	hsActive  = "ACTIVE"
	hsBuild   = "BUILD"
	hsError   = "ERROR"
	hsDeleted = "DELETED"
)

// Words of clusterState and scale; mixed spelling is the vendor's.
const (
	hwRunning, hwScalingOut, hwScalingIn = "running", "scaling-out", "scaling-in"
	hwTerminated                         = "terminated"
	hwScalingError                       = "scaling-error"
)

// hwStates are all words of clusterState in Chinese, which a caller gets who
// asks with X-Language: zh-cn.
var hwStates = map[string]string{
	"starting": "启动中", hwRunning: "运行中", hwTerminated: "已删除", "failed": "失败", "abnormal": "异常",
	"terminating": "删除中", "frozen": "已冻结", hwScalingOut: "扩容中", hwScalingIn: "缩容中",
}

// hwScales are the words that scale alone can have, with whether they mean that
// the masters are being upgraded right now.
var hwScales = map[string]bool{
	hwScalingError: false, "scaled-up-success": false, "scaling-up": true, "scaling_up_first": true, "scaled_up_first": true,
}

func (h *huawei) addCluster(w HuaweiCluster) error {
	if w.Account == "" {
		w.Account = h.world.Accounts[0].Name
	}
	if w.EnterpriseProject == "" {
		w.EnterpriseProject = "0"
	}
	i := slices.IndexFunc(h.world.Accounts, func(a HuaweiAccount) bool { return a.Name == w.Account })
	switch {
	case w.ID == "":
		return errors.New("needs an ID")
	case h.find(w.ID) != nil:
		return errors.New("there twice")
	case i < 0:
		return fmt.Errorf("unknown account %q", w.Account)
	case h.world.Accounts[i].Projects[w.Region] == "":
		return fmt.Errorf("account %s has no project in region %q", w.Account, w.Region)
	case !strings.HasPrefix(w.Zone, w.Region):
		return fmt.Errorf("zone %q is not in region %s", w.Zone, w.Region)
	case w.Kind != HuaweiAnalysis && w.Kind != HuaweiStreaming && w.Kind != HuaweiHybrid && w.Kind != HuaweiCustom:
		return fmt.Errorf("unknown kind %q", w.Kind)
	}
	// Made some weeks before the world begins, so that clusters have an age.
	made := h.sim.time().Add(-40 * 24 * time.Hour)
	c := &hwCluster{HuaweiCluster: w, made: made, updated: made, stage: "Deploying cluster"}
	if w.Unpaid {
		c.order = &hwOrder{id: h.orderID()}
	}
	for _, g := range w.Groups {
		if role(g.Name) == roleOther && w.Kind != HuaweiCustom {
			return fmt.Errorf("unknown group %q", g.Name)
		}
		if c.group(g.Name) != nil {
			return fmt.Errorf("group %s is there twice", g.Name)
		}
		if _, ok := h.flavor(g.Flavor); !ok && (g.Flavor != "" || g.Count > 0) {
			return fmt.Errorf("group %s: unknown flavour %q", g.Name, g.Flavor)
		}
		group := &hwGroup{HuaweiGroup: g}
		for range g.Count {
			n := h.newHost(c, group)
			n.status = hsActive
			group.hosts = append(group.hosts, n)
		}
		c.groups = append(c.groups, group)
	}
	h.clusters = append(h.clusters, c)
	return nil
}

func (h *huawei) newHost(c *hwCluster, g *hwGroup) *hwHost {
	h.nextHost++
	return &hwHost{
		id: uuid(h.sim.nextID("huawei-host/" + c.ID)), resource: uuid(h.sim.nextID("huawei-resource/" + c.ID)),
		tail: letters(h.sim.nextID("huawei-name/" + c.ID)), ip: fmt.Sprintf("192.168.%d.%d", h.nextHost/250, h.nextHost%250+4),
		status: hsBuild, prepaid: c.Prepaid && !g.Metered,
	}
}

// uuid gives a digest the form of the ids in this API.
func uuid(digest string) string {
	return digest[:8] + "-" + digest[8:12] + "-" + digest[12:16] + "-" + digest[16:20] + "-" + digest[20:32]
}

// letters makes five letters of a digest, as host names end.
func letters(digest string) string {
	out := make([]byte, 5)
	for i := range out {
		out[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[(16*int(digest[2*i])+int(digest[2*i+1]))%52]
	}
	return string(out)
}

// Roles of a group.
const (
	roleMaster = "Master"
	roleCore   = "Core"
	roleTask   = "Task"
	roleOther  = "Custom" // a group of a custom cluster; no page says what its hosts' type is
)

// role tells by the name what a group is for.
func role(group string) string {
	for prefix, r := range map[string]string{"master_node_": roleMaster, "core_node_": roleCore, "task_node_": roleTask} {
		if strings.HasPrefix(group, prefix) {
			return r
		}
	}
	return roleOther
}

func (h *huawei) flavor(name string) (HuaweiFlavor, bool) {
	i := slices.IndexFunc(h.world.Flavors, func(f HuaweiFlavor) bool { return f.Name == name })
	if i < 0 {
		return HuaweiFlavor{}, false
	}
	return h.world.Flavors[i], true
}

// find looks a cluster up by id alone; callers of the API go through visible.
func (h *huawei) find(id string) *hwCluster {
	for _, c := range h.clusters {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// visible is the cluster in the path as this caller may see it: clusters of
// another account or region don't exist for it.
func (h *huawei) visible(call *hwCall) (*hwCluster, error) {
	c := h.find(call.cluster)
	if c == nil || c.Account != call.account.Name || c.Region != call.region {
		return nil, hwRefuse("12000003", "%s", call.cluster)
	}
	return c, nil
}

func (c *hwCluster) group(name string) *hwGroup {
	for _, g := range c.groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// count is nodeNum: a node counts once it has joined and until it has left, not
// while its machine is being made. No page says so; it is the reading in which a
// caller that trusts the count too early is caught.
func (g *hwGroup) count() int {
	n := 0
	for _, host := range g.hosts {
		if host.status == hsActive {
			n++
		}
	}
	return n
}

// size counts the nodes of a cluster's groups of some roles.
func (c *hwCluster) size(roles ...string) int {
	n := 0
	for _, g := range c.groups {
		if slices.Contains(roles, role(g.Name)) {
			n += g.count()
		}
	}
	return n
}

// stateOf is what clusterState and scale say at a moment. Until an operation has
// turned the state, both say what they said before it: a caller that looks right
// after its order was taken sees a running cluster, and the scaling-error of an
// older failure with it.
func (h *huawei) stateOf(c *hwCluster, at time.Time) (state, scale string) {
	state, scale = hwRunning, c.scale
	if c.op != nil && c.op.turned(at) {
		state, scale = c.op.word(), c.op.word()
	}
	forced, ok := h.sim.faults.forced(Huawei, c.ID)
	if !ok {
		return state, scale
	}
	if _, alone := hwScales[forced]; alone {
		return hwRunning, forced
	}
	if _, known := hwStates[forced]; known {
		if state = forced; state != hwScalingOut && state != hwScalingIn {
			return state, ""
		}
		return state, state
	}
	return state, scale
}

// ready refuses a change that the cluster can't take now. force leaves out the
// rule that all nodes must be running, for removals of broken ones.
func (h *huawei) ready(c *hwCluster, at time.Time, force bool) error {
	state, scale := h.stateOf(c, at)
	switch {
	case c.op != nil, state == hwScalingOut, state == hwScalingIn:
		return hwRefuse("12000018", "")
	case state != hwRunning:
		return hwRefuse("12000017", "%s", state)
	case hwScales[scale]:
		return hwRefuse("12000012", "%s", scale)
	case c.order != nil:
		return hwRefuse("12000121", "%s", c.order.id)
	}
	for _, g := range c.groups {
		for _, host := range g.hosts {
			if host.status != hsActive && !force {
				return hwRefuse("12000068", "%s", host.id)
			}
		}
	}
	return nil
}

// setCount is somebody else resizing the group, at once and without any
// operation.
func (h *huawei) setCount(id, group string, count int) (Entry, error) {
	c := h.find(id)
	if c == nil {
		return Entry{}, errNoCluster
	}
	at := h.sim.time()
	h.settle(at)
	i := slices.IndexFunc(c.groups, func(g *hwGroup) bool { return strings.EqualFold(g.Name, group) })
	if i < 0 {
		return Entry{}, fmt.Errorf("cluster %s has no group %s", id, group)
	}
	g := c.groups[i]
	delta := count - g.count()
	if delta > 0 && g.Flavor == "" {
		return Entry{}, fmt.Errorf("group %s of cluster %s has no flavour", group, id)
	}
	for g.count() < count {
		n := h.newHost(c, g)
		n.status, n.added = hsActive, true
		g.hosts = append(g.hosts, n)
	}
	for i := len(g.hosts) - 1; g.count() > count; i-- {
		if g.hosts[i].status == hsActive {
			g.hosts = slices.Delete(g.hosts, i, i+1)
		}
	}
	c.updated = at
	return Entry{
		Time: at, Cloud: Huawei, Account: c.Account, Region: c.Region,
		Cluster: c.ID, Group: g.Name, Delta: delta, Outcome: Outside,
	}, nil
}

// mend makes clusters usable again: what a failed operation left behind is
// cleared, broken nodes are taken away, unpaid orders are withdrawn.
func (h *huawei) mend() {
	h.settle(h.sim.time())
	for _, c := range h.clusters {
		c.scale, c.errorInfo, c.order = "", "", nil
		for _, g := range c.groups {
			g.hosts = slices.DeleteFunc(g.hosts, func(n *hwHost) bool { return n.status == hsError })
		}
	}
}

func (h *huawei) state() []ClusterState {
	at := h.sim.time()
	h.settle(at)
	out := make([]ClusterState, 0, len(h.clusters))
	for _, c := range h.clusters {
		state, scale := h.stateOf(c, at)
		s := ClusterState{
			Cloud: Huawei, Account: c.Account, ID: c.ID, Name: c.Name, Region: c.Region,
			Status: state, StatusText: strings.ReplaceAll(state, "-", " "), Usable: h.ready(c, at, false) == nil,
		}
		switch {
		case c.order != nil:
			s.StatusText += ", an order is unpaid"
		case scale == hwScalingError:
			s.StatusText += ", the last scaling failed"
		case scale != "" && scale != state:
			s.StatusText += ", " + scale
		}
		for _, g := range c.groups {
			gs := GroupState{ID: g.Name, Count: g.count(), Type: nodeSize(g.Flavor)}
			for _, n := range g.hosts {
				gs.Nodes = append(gs.Nodes, NodeState{
					ID: n.id, Name: n.name(c, g), IP: n.ip, Type: gs.Type, Charge: n.billing(), Started: n.shown() == hsActive,
				})
			}
			s.Groups = append(s.Groups, gs)
		}
		if c.op != nil {
			s.Operation = c.op.state(at)
		}
		out = append(out, s)
	}
	return out
}

// knowsStatus takes the words of clusterState and of scale.
func (h *huawei) knowsStatus(text string) bool {
	_, state := hwStates[text]
	_, scale := hwScales[text]
	return state || scale
}
