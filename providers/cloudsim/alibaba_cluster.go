package cloudsim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// acCluster is a cluster as it stands at the last settle.
type acCluster struct {
	AlibabaCluster
	made    time.Time
	pools   []*acPool
	masters []*acNode
	task    *acTask // running or paused; nil when idle
	log     []acEvent
}

type acPool struct {
	AlibabaPool
	desired int // what the scaling group aims at, unless NoDesired
	nodes   []*acNode
	owed    int // nodes that the scaling group will make up for once the cluster is idle
}

// acNode is one machine.
type acNode struct {
	id, name, host, ip string // instance id, node name in the cluster, host name
	pool               *acPool
	machine            string
	charge, spot       string
	made, expires      time.Time
	phase              acPhase
	why                string // of a failed node
}

// acPhase is what the cluster thinks of a node, in the words of the state filter
// of DescribeClusterNodes. The node's own state is that of its machine.
type acPhase string

const (
	acInitial  acPhase = "initial"
	acRunning  acPhase = "running"
	acRemoving acPhase = "removing"
	acFailed   acPhase = "failed"
)

// Cluster states and, below, those of a pool.
const (
	csRunning  = "running"
	csScaling  = "scaling"
	csDraining = "draining"
	csRemoving = "removing"

	psActive = "active"
)

// acStates are the words a cluster's state may have (DescribeClusterDetail).
var acStates = []string{
	csRunning, csScaling, csDraining, csRemoving, "updating", "upgrading", "updating_failed", "initial", "waiting", "failed",
	"disconnected", "stopped", "deleting", "deleted", "delete_failed",
}

func (a *alibaba) addCluster(w AlibabaCluster) error {
	w.Account = acOr(w.Account, a.world.Accounts[0].Name)
	w.Type, w.Profile = acOr(w.Type, "ManagedKubernetes"), acOr(w.Profile, "Default")
	defaults := 0
	for _, p := range w.Pools {
		if p.Default {
			defaults++
		}
	}
	switch {
	case w.ID == "":
		return errors.New("needs an ID")
	case a.find(w.ID) != nil:
		return errors.New("there twice")
	case !slices.Contains(acRegions, w.Region):
		return fmt.Errorf("unknown region %q", w.Region)
	case !slices.Contains([]string{"ManagedKubernetes", "Kubernetes", "ExternalKubernetes"}, w.Type):
		return fmt.Errorf("unknown type %q", w.Type)
	case !slices.Contains([]string{"Default", "Edge", "Serverless", "Lingjun"}, w.Profile):
		return fmt.Errorf("unknown profile %q", w.Profile)
	case !slices.ContainsFunc(a.world.Accounts, func(acc AlibabaAccount) bool { return acc.Name == w.Account }):
		return fmt.Errorf("unknown account %q", w.Account)
	case defaults != 1:
		return fmt.Errorf("needs one default pool, has %d", defaults)
	case w.Masters > 0 && w.Type != "Kubernetes":
		return errors.New("only a dedicated cluster has its own masters")
	}
	// Made some weeks before the world begins, so that nodes have an age.
	c := &acCluster{AlibabaCluster: w, made: a.sim.time().Add(-40 * 24 * time.Hour)}
	for range w.Masters {
		m := a.newNode(c, &acPool{}, "ecs.master", "PostPaid", c.made)
		m.join(c)
		c.masters = append(c.masters, m)
	}
	for _, p := range w.Pools {
		if err := a.addPool(c, p); err != nil {
			return fmt.Errorf("pool %q: %w", p.ID, err)
		}
	}
	a.clusters = append(a.clusters, c)
	return nil
}

func (a *alibaba) addPool(c *acCluster, w AlibabaPool) error {
	w.Type, w.Charge, w.Spot = acOr(w.Type, "ess"), acOr(w.Charge, "PostPaid"), acOr(w.Spot, "NoSpot")
	w.Months = max(w.Months, 1)
	switch {
	case w.ID == "" || w.Name == "":
		return errors.New("needs an ID and a Name")
	case c.pool(w.ID) != nil:
		return errors.New("there twice")
	case w.Type != "ess" && w.Type != "edge":
		return fmt.Errorf("unknown type %q", w.Type)
	case w.Charge != "PostPaid" && w.Charge != "PrePaid":
		return fmt.Errorf("unknown charge %q", w.Charge)
	case len(w.Machines) == 0:
		return errors.New("needs a machine type")
	}
	for _, m := range w.Machines {
		if _, ok := a.machines[m]; !ok || strings.HasPrefix(m, "ens.") != (w.Type == "edge") {
			return fmt.Errorf("machine type %q is not on offer for pools of type %s", m, w.Type)
		}
	}
	p := &acPool{AlibabaPool: w, desired: w.Count}
	c.pools = append(c.pools, p)
	for range w.Count {
		n := a.newNode(c, p, w.Machines[0], w.Charge, c.made)
		if w.Charge == "PrePaid" {
			n.expires = c.made.AddDate(0, max(w.Months, 12), 0)
		}
		n.join(c)
		p.nodes = append(p.nodes, n)
	}
	return nil
}

// acOr is a text, or the usual one where there is none.
func acOr(text, usual string) string {
	if text == "" {
		return usual
	}
	return text
}

// newNode is a machine on its way into a pool; it has no name in the cluster yet.
func (a *alibaba) newNode(c *acCluster, p *acPool, machine, charge string, made time.Time) *acNode {
	id := a.sim.nextID("alibaba-node/" + c.ID)
	a.nextAddress++
	return &acNode{
		id: "i-2ze" + id[:17], host: "iZ2ze" + id[:17] + "Z", ip: fmt.Sprintf("192.168.%d.%d", a.nextAddress/250, a.nextAddress%250+1),
		pool: p, machine: machine, charge: charge, spot: acOr(p.Spot, "NoSpot"), made: made, phase: acInitial,
	}
}

// join makes a machine a node. ECS nodes are named after region and address,
// ENS nodes after their host.
func (n *acNode) join(c *acCluster) {
	n.phase, n.name = acRunning, c.Region+"."+n.ip
	if n.pool.Type == "edge" {
		n.name = strings.ToLower(n.host)
	}
}

// find looks a cluster up by id alone; callers of the API go through visible.
func (a *alibaba) find(id string) *acCluster {
	for _, c := range a.clusters {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// visible is the cluster that a call names, if the caller owns it. A request
// carries no region: the real endpoint belongs to one, this one to all.
func (a *alibaba) visible(call *acCall) (*acCluster, error) {
	c := a.find(call.cluster)
	if c == nil || c.Account != call.account {
		return nil, acRefuse(acNoCluster, "cluster %s is not found", call.cluster)
	}
	return c, nil
}

// visiblePool is the pool that a call names.
func (a *alibaba) visiblePool(call *acCall) (*acCluster, *acPool, error) {
	c, err := a.visible(call)
	if err != nil {
		return nil, nil, err
	}
	p := c.pool(call.pool)
	if p == nil {
		return nil, nil, acRefuse(acNoPool, "node pool %s is not found in cluster %s", call.pool, c.ID)
	}
	return c, p, nil
}

func (c *acCluster) pool(id string) *acPool {
	for _, p := range c.pools {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (c *acCluster) defaultPool() *acPool {
	return c.pools[slices.IndexFunc(c.pools, func(p *acPool) bool { return p.Default })] // addCluster made sure
}

// nodes are all machines of the cluster, masters first.
func (c *acCluster) nodes() []*acNode {
	out := slices.Clone(c.masters)
	for _, p := range c.pools {
		out = append(out, p.nodes...)
	}
	return out
}

func (p *acPool) count(phases ...acPhase) int {
	n := 0
	for _, node := range p.nodes {
		if slices.Contains(phases, node.phase) {
			n++
		}
	}
	return n
}

// stateOf is the state of a cluster that a caller sees at a moment.
func (a *alibaba) stateOf(c *acCluster, at time.Time) string {
	if forced, ok := a.sim.faults.forced(Alibaba, c.ID); ok {
		return forced
	}
	if c.task != nil {
		return c.task.clusterState(at)
	}
	return csRunning
}

func (p *acPool) state(c *acCluster) string {
	switch {
	case c.task == nil:
		return psActive
	case len(c.task.add) > 0 && c.task.pool == p:
		return csScaling
	case p.count(acRemoving) > 0:
		return csRemoving
	case c.task.pool == p:
		return "updating"
	default:
		return psActive
	}
}

// ready refuses a change that the cluster can't take now: one at a time, and
// only in a cluster that runs. The documents say "wait" for every other state or
// hand it to a person; the code is one and the same.
func (a *alibaba) ready(c *acCluster, at time.Time) error {
	if st := a.stateOf(c, at); st != csRunning {
		return acRefuse(acBusy, "the state of cluster %s is %s, which does not allow this operation", c.ID, st)
	}
	return nil
}

// setCount is somebody else resizing the pool, at once and without any task.
// The pool may be named by its id or its name.
func (a *alibaba) setCount(id, pool string, count int) (Entry, error) {
	c := a.find(id)
	if c == nil {
		return Entry{}, errNoCluster
	}
	at := a.sim.time()
	a.settle(at)
	i := slices.IndexFunc(c.pools, func(p *acPool) bool { return p.ID == pool || p.Name == pool })
	if i < 0 {
		return Entry{}, fmt.Errorf("cluster %s has no node pool %s", id, pool)
	}
	p := c.pools[i]
	delta := count - p.count(acRunning)
	for range delta {
		n := a.newNode(c, p, p.Machines[0], p.Charge, at)
		n.join(c)
		p.nodes = append(p.nodes, n)
	}
	for left := -delta; left > 0; left-- {
		last := len(p.nodes) - 1
		for p.nodes[last].phase != acRunning {
			last--
		}
		p.nodes = slices.Delete(p.nodes, last, last+1)
	}
	p.desired = max(p.desired+delta, 0)
	return Entry{
		Time: at, Cloud: Alibaba, Account: c.Account, Region: c.Region,
		Cluster: c.ID, Group: p.ID, Delta: delta, Outcome: Outside,
	}, nil
}

// mend takes the useless machines away that failed operations left behind.
func (a *alibaba) mend() {
	a.settle(a.sim.time())
	for _, c := range a.clusters {
		for _, p := range c.pools {
			p.nodes = slices.DeleteFunc(p.nodes, func(n *acNode) bool { return n.phase == acFailed })
		}
	}
}

func (a *alibaba) knowsStatus(text string) bool { return slices.Contains(acStates, text) }

func (a *alibaba) state() []ClusterState {
	at := a.sim.time()
	a.settle(at)
	out := make([]ClusterState, 0, len(a.clusters))
	for _, c := range a.clusters {
		st := a.stateOf(c, at)
		s := ClusterState{
			Cloud: Alibaba, Account: c.Account, ID: c.ID, Name: c.Name, Region: c.Region,
			Status: st, StatusText: strings.ReplaceAll(st, "_", " "), Usable: st == csRunning,
		}
		for _, p := range c.pools {
			gs := GroupState{ID: p.ID, Count: p.count(acRunning, acRemoving), Type: p.Machines[0]}
			for _, n := range p.nodes {
				gs.Nodes = append(gs.Nodes, NodeState{
					ID: n.id, Name: acOr(n.name, n.host), IP: n.ip, Type: n.machine, Charge: n.charge,
					Started: n.phase == acRunning || n.phase == acRemoving,
				})
			}
			s.Groups = append(s.Groups, gs)
		}
		if c.task != nil {
			s.Operation = c.task.state(at)
		}
		out = append(out, s)
	}
	return out
}

// acTags is a set of tags in the order of their keys.
func acTags(tags map[string]string) []map[string]any {
	out := []map[string]any{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, map[string]any{"key": k, "value": tags[k]})
	}
	return out
}
