package cloudsim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tcCluster is a cluster as it stands at the last settle.
type tcCluster struct {
	TencentCluster
	status int // own status while no operation runs: 2, or 302 after a failed scale-out
	made   time.Time
	groups []*tcGroup
	flow   *tcFlow // running or blocked; nil when idle
}

type tcGroup struct {
	TencentGroup
	nodes []*tcNode
}

// tcNode is one machine.
type tcNode struct {
	vmID, cvmID string // emr-vm-…, ins-…
	name, ip    string
	spec        string
	charge      string // PREPAID, POSTPAID_BY_HOUR, SPOTPAID
	renew       bool
	made        time.Time
	expires     time.Time // prepaid only
	started     bool      // its services run
	tags        []tcTag
	zone        string
	order       string
}

// Cluster status codes (DescribeInstances, field Status).
const (
	stRunning     = 2
	stScalingOut  = 4
	stDestroyCore = 15
	stDestroyTask = 16
	stDestroyRtr  = 17
	stShrinking   = 24
	stOutFailed   = 302
)

// tcFlags are the groups by the name that changes use, with the number that
// stands for each in a node's Flag. Node filters use the same name in lower case.
var tcFlags = map[string]int64{"COMMON": 0, "MASTER": 1, "CORE": 2, "TASK": 3, "ROUTER": 4}

func (t *tencent) addCluster(w TencentCluster) error {
	if w.Account == "" {
		w.Account = t.accounts[0].Name
	}
	switch {
	case w.ID == "":
		return errors.New("needs an ID")
	case t.find(w.ID) != nil:
		return errors.New("there twice")
	case tencentRegions[w.Region] == 0:
		return fmt.Errorf("unknown region %q", w.Region)
	case !strings.HasPrefix(w.Zone, w.Region+"-") || w.ZoneID == 0:
		return fmt.Errorf("zone %q (%d) is not in region %s", w.Zone, w.ZoneID, w.Region)
	case !slices.ContainsFunc(t.accounts, func(a TencentAccount) bool { return a.Name == w.Account }):
		return fmt.Errorf("unknown account %q", w.Account)
	}
	// Made some weeks before the world begins, so that nodes have an age.
	c := &tcCluster{TencentCluster: w, status: stRunning, made: t.sim.time().Add(-40 * 24 * time.Hour)}
	charge := "POSTPAID_BY_HOUR"
	if w.Prepaid {
		charge = "PREPAID"
	}
	for _, g := range w.Groups {
		if _, ok := tcFlags[g.Flag]; !ok {
			return fmt.Errorf("unknown group %q", g.Flag)
		}
		if c.group(g.Flag) != nil {
			return fmt.Errorf("group %s is there twice", g.Flag)
		}
		if _, ok := t.machines[g.Spec]; g.Spec != "" && !ok {
			return fmt.Errorf("group %s: unknown machine type %q", g.Flag, g.Spec)
		}
		group := &tcGroup{TencentGroup: g}
		for range g.Count {
			n := t.newNode(c, g.Flag, g.Spec, charge, c.made)
			n.started = true
			if w.Prepaid {
				n.expires, n.renew = c.made.AddDate(0, 12, 0), true
			}
			group.nodes = append(group.nodes, n)
		}
		c.groups = append(c.groups, group)
	}
	t.clusters = append(t.clusters, c)
	return nil
}

func (t *tencent) newNode(c *tcCluster, flag, spec, charge string, made time.Time) *tcNode {
	id := t.sim.nextID("tencent-node/" + c.ID)
	t.nextHost++
	ip := fmt.Sprintf("10.0.%d.%d", t.nextHost/250, t.nextHost%250+4)
	return &tcNode{
		vmID: "emr-vm-" + id[:8], cvmID: "ins-" + id[8:16],
		name: fmt.Sprintf("%s-%s-%s", c.ID, strings.ToLower(flag), id[:4]), ip: ip,
		spec: spec, charge: charge, made: made, zone: c.Zone,
	}
}

// find looks a cluster up by id alone; callers of the API go through visible.
func (t *tencent) find(id string) *tcCluster {
	for _, c := range t.clusters {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// visible is the cluster as this caller may see it: clusters of another account
// or region don't exist for it.
func (t *tencent) visible(call *tencentCall, id string) (*tcCluster, error) {
	c := t.find(id)
	if c == nil || c.Account != call.account || c.Region != call.region {
		return nil, refuse(codeNoCluster, "实例 %s 不存在 (the instance was not found)", id)
	}
	return c, nil
}

func (c *tcCluster) group(flag string) *tcGroup {
	for _, g := range c.groups {
		if g.Flag == flag {
			return g
		}
	}
	return nil
}

func (c *tcCluster) size(flag string) int {
	if g := c.group(flag); g != nil {
		return len(g.nodes)
	}
	return 0
}

// statusOf is the status a caller sees at a moment.
func (t *tencent) statusOf(c *tcCluster, at time.Time) int {
	if forced, ok := t.sim.faults.forced(Tencent, c.ID); ok {
		if n, err := strconv.Atoi(forced); err == nil {
			return n
		}
	}
	if c.flow != nil {
		return c.flow.clusterStatus(at)
	}
	return c.status
}

// ready refuses a change that the cluster can't take now. Which code the real
// cloud gives for a cluster that is broken or isolated isn't documented; the
// common ResourceUnavailable is used.
func (t *tencent) ready(c *tcCluster, at time.Time) error {
	switch st := t.statusOf(c, at); st {
	case stRunning:
		return nil
	case -2, -1, 14, 19, 23, 33, 34, 201, 301, stOutFailed:
		return refuse("ResourceUnavailable", "集群状态 %d 不支持该操作 (the cluster's status does not allow this)", st)
	default:
		return refuse(codeInProcess, "实例 %s 正在流程中 (the instance is under workflow), status %d", c.ID, st)
	}
}

// setCount is somebody else resizing the group, at once and without any flow.
func (t *tencent) setCount(id, flag string, count int) (Entry, error) {
	c := t.find(id)
	if c == nil {
		return Entry{}, errNoCluster
	}
	at := t.sim.time()
	t.settle(at)
	g := c.group(strings.ToUpper(flag))
	if g == nil {
		return Entry{}, fmt.Errorf("cluster %s has no group %s", id, flag)
	}
	delta := count - len(g.nodes)
	for len(g.nodes) < count {
		n := t.newNode(c, g.Flag, g.Spec, "POSTPAID_BY_HOUR", at)
		n.started = true
		g.nodes = append(g.nodes, n)
	}
	g.nodes = g.nodes[:count]
	return Entry{
		Time: at, Cloud: Tencent, Account: c.Account, Region: c.Region,
		Cluster: c.ID, Group: g.Flag, Delta: delta, Outcome: Outside,
	}, nil
}

// mend makes clusters usable again that a failed operation left behind.
func (t *tencent) mend() {
	t.settle(t.sim.time())
	for _, c := range t.clusters {
		c.status = stRunning
	}
}

func (t *tencent) state() []ClusterState {
	at := t.sim.time()
	t.settle(at)
	out := make([]ClusterState, 0, len(t.clusters))
	for _, c := range t.clusters {
		st := t.statusOf(c, at)
		s := ClusterState{
			Cloud: Tencent, Account: c.Account, ID: c.ID, Name: c.Name, Region: c.Region,
			Status: strconv.Itoa(st), StatusText: tcStatusText(st), Usable: st == stRunning,
		}
		for _, g := range c.groups {
			gs := GroupState{ID: g.Flag, Count: len(g.nodes), Type: g.Spec}
			for _, n := range g.nodes {
				gs.Nodes = append(gs.Nodes, NodeState{
					ID: n.cvmID, Name: n.name, IP: n.ip, Type: n.spec, Charge: n.charge, Started: n.started,
				})
			}
			s.Groups = append(s.Groups, gs)
		}
		if c.flow != nil {
			s.Operation = c.flow.state(at)
		}
		out = append(out, s)
	}
	return out
}

// knowsStatus takes any number: the documents don't list them all.
func (t *tencent) knowsStatus(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

func tcStatusText(st int) string {
	switch st {
	case stRunning:
		return "running"
	case stScalingOut:
		return "scaling out"
	case stDestroyCore, stDestroyTask, stDestroyRtr:
		return "destroying nodes"
	case stShrinking:
		return "shrinking"
	case stOutFailed:
		return "scale-out failed"
	default:
		return fmt.Sprintf("status %d", st)
	}
}
