package huaweimrs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	hccore "github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	mrs "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1"
	model "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1/model"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// The sizes of a page. The services' default is 10 and their range is open
// (SDK, ListHostsRequest).
const (
	hostPage    = 500
	clusterPage = 100
)

// The keys of Snapshot.Facts.
const (
	factScale   = "scale"   // the scale field, in one spelling
	factUpdated = "updated" // updateAt
	factTrouble = "trouble" // digest of what the cloud says about a failure; absent when it says nothing
	factDisks   = "disks/"  // + group: the disks of each of its nodes, as JSON
)

// view is one look at a cluster: the snapshot, and what following needs beside.
type view struct {
	providers.Snapshot
	state      string
	scale      string
	stage      string
	words      string            // the cloud's own on a failure; "" = none
	hostStates map[string]string // by the host's id
}

// Observe reads the cluster and its hosts: one ShowClusterDetails and as many
// ListHosts as there are pages.
func (p *provider) Observe(ctx context.Context, ref providers.ClusterRef) (providers.Snapshot, error) {
	v, err := p.look(ctx, ref.ID)
	return v.Snapshot, err
}

func (p *provider) look(ctx context.Context, id string) (view, error) {
	c, err := p.describe(ctx, id)
	if err != nil {
		return view{}, err
	}
	hosts, err := p.hosts(ctx, id)
	if err != nil {
		return view{}, err
	}
	v := viewOf(c, hosts)
	v.At, v.ID = p.env.Now(), id
	return v, nil
}

func viewOf(c cluster, hosts []host) view {
	v := view{
		state: word(c.State), scale: word(c.Scale), stage: adapter.Cut(string(c.Stage), maxWords), words: troubleOf(c),
		hostStates: make(map[string]string, len(hosts)),
	}
	for _, h := range hosts {
		v.hostStates[string(h.ID)] = strings.ToUpper(string(h.Status))
	}
	v.Name, v.Phase, v.Status, v.Charge = string(c.Name), phaseOf(v.state, v.scale), statusOf(c), chargeOf(c)
	v.Groups = groupsOf(c, hosts, v.Charge)
	v.Facts = map[string]string{factScale: v.scale, factUpdated: string(c.Updated)}
	if v.words != "" {
		v.Facts[factTrouble] = adapter.Fingerprint([]byte(v.words))
	}
	for _, g := range append(slices.Clone(c.Groups), c.TaskGroups...) {
		if d := g.disks(); len(d) > 0 {
			if b, err := json.Marshal(d); err == nil { // plain data
				v.Facts[factDisks+string(g.Name)] = string(b)
			}
		}
	}
	if v.scale == scalingError {
		warnOfFailure(v.Groups, v.words)
	}
	return v
}

// word makes the mixed spelling of the scale field one: scaling_up_first is
// scaling-up-first.
func word(t text) string { return strings.ReplaceAll(strings.ToLower(string(t)), "_", "-") }

// scalingError: the cluster runs, but its last resize or change of flavour failed.
const scalingError = "scaling-error"

// phases are the states of reference section 3.1.
var phases = map[string]providers.Phase{
	"running":     providers.Ready,
	"starting":    providers.Busy,
	"scaling-out": providers.Busy,
	"scaling-in":  providers.Busy,
	"abnormal":    providers.Blocked,
	"frozen":      providers.Blocked,
	"failed":      providers.Blocked,
	"terminating": providers.Gone,
	"terminated":  providers.Gone,
}

// phaseOf reads an unknown word as busy: a change waits for a state that is
// known to take it. A running cluster takes none while its scale field says that
// its nodes are being changed.
func phaseOf(state, scale string) providers.Phase {
	phase, ok := phases[state]
	if !ok {
		return providers.Busy
	}
	if phase != providers.Ready {
		return phase
	}
	switch scale {
	case "", scalingError, "scaled-up-success":
		return providers.Ready
	}
	return providers.Busy
}

func statusOf(c cluster) string {
	s := string(c.State)
	if s == "" {
		s = "unknown"
	}
	if scale := string(c.Scale); scale != "" && word(c.Scale) != word(c.State) {
		s += " (" + scale + ")"
	}
	return adapter.Cut(s, 100)
}

// troubleOf is what the cloud says about a failure: errorInfo, else a stage that
// names one ("Cluster expansion failed", with its reason in some editions).
func troubleOf(c cluster) string {
	if c.Error != "" {
		return adapter.Cut(string(c.Error), maxWords)
	}
	if s := string(c.Stage); strings.Contains(strings.ToLower(s), "failed") || strings.Contains(s, "失败") {
		return adapter.Cut(s, maxWords)
	}
	return ""
}

// warnOfFailure tells people who want to change a group that the last change
// went wrong: what it left behind is not undone by the next.
func warnOfFailure(groups []providers.Group, words string) {
	t := providers.Text{
		EN: "The last resize of this cluster failed; look at it in the MRS console before the next one.",
		ZH: "该集群上一次扩缩容失败，请先在 MRS 控制台查看，再进行下一次变更。",
	}
	if words != "" {
		t.EN += " The cloud says: " + adapter.Cut(words, 160)
		t.ZH += "云平台提示：" + adapter.Cut(words, 160)
	}
	for i := range groups {
		groups[i].Warnings = []providers.Text{t}
	}
}

// chargeOf reads how the cluster is paid for. "Metered" is the only word that
// the documents show; periodType is there for yearly and monthly clusters only,
// and "on-period" is what newer calls say for them.
func chargeOf(c cluster) providers.Charge {
	switch w := word(c.Billing); {
	case w == "metered" || w == "on-quantity":
		return providers.Postpaid
	case w == "on-period" || c.Period.set:
		return providers.Prepaid
	}
	return ""
}

func (g nodeGroup) disks() []providers.Disk {
	var out []providers.Disk
	for _, d := range []providers.Disk{
		{Type: string(g.RootType), SizeG: g.RootSize.n, Count: 1},
		{Type: string(g.DataType), SizeG: g.DataSize.n, Count: g.DataCount.n},
	} {
		if d.Type != "" && d.SizeG > 0 && d.Count > 0 {
			out = append(out, d)
		}
	}
	return out
}

// groupsOf builds the groups, in the cloud's order with task groups last. The
// list of task groups goes over what the other list says of them.
func groupsOf(c cluster, hosts []host, charge providers.Charge) []providers.Group {
	var order []string
	known := map[string]nodeGroup{}
	add := func(g nodeGroup) {
		id := string(g.Name)
		if id == "" {
			return
		}
		if _, twice := known[id]; !twice {
			order = append(order, id)
		}
		known[id] = g
	}
	for _, g := range c.Groups {
		add(g)
	}
	if len(c.Groups) == 0 {
		// Older editions count core and master nodes only.
		if c.Masters.set {
			add(nodeGroup{Name: "master_node_default_group", Count: c.Masters, Size: c.MasterSize})
		}
		if c.Cores.set {
			add(nodeGroup{Name: coreGroup, Count: c.Cores, Size: c.CoreSize})
		}
	}
	for _, g := range c.TaskGroups {
		add(g)
	}
	// A cluster that has no task nodes yet does not list the group, but it takes
	// the first ones: each kind of core group has a task group beside it.
	for _, id := range slices.Clone(order) {
		if rest, ok := strings.CutPrefix(id, string(core)+"_node_"); ok {
			if sibling := string(task) + "_node_" + rest; known[sibling].Name == "" {
				add(nodeGroup{Name: text(sibling), Count: number{0, true}})
			}
		}
	}
	nodes := map[string][]providers.Node{}
	for _, h := range hosts {
		if id := groupOf(h, order); id != "" && h.ID != "" && !h.is("DELETED") {
			nodes[id] = append(nodes[id], nodeOf(h, charge))
		}
	}
	out := make([]providers.Group, 0, len(order))
	for _, id := range order {
		ns := nodes[id]
		slices.SortFunc(ns, func(a, b providers.Node) int { return strings.Compare(a.ID, b.ID) })
		g := providers.Group{ID: id, Count: known[id].Count.or(len(ns)), Nodes: ns}
		if g.Count > 0 { // an empty group's flavour is not settled
			g.InstanceType = string(known[id].Size)
		}
		out = append(out, g)
	}
	return out
}

// groupOf is a host's group by its name, or, where the host names none, by its
// type ("Task", "TaskNode") if the cluster has one such group.
func groupOf(h host, groups []string) string {
	if slices.Contains(groups, string(h.Group)) {
		return string(h.Group)
	}
	found := ""
	for _, id := range groups {
		r := roleOf(id)
		if r == custom || !strings.HasPrefix(strings.ToLower(string(h.Type)), string(r)) {
			continue
		}
		if found != "" {
			return ""
		}
		found = id
	}
	return found
}

func (h host) is(status string) bool { return strings.EqualFold(string(h.Status), status) }

// keepNotRunning marks nodes that are not chosen for removal but may be named.
const keepNotRunning = "it is not running: "

func nodeOf(h host, charge providers.Charge) providers.Node {
	n := providers.Node{ID: string(h.ID), Name: string(h.Name), IP: string(h.IP), InstanceType: string(h.Flavor), Charge: charge}
	if !h.is(active) {
		n.Keep = keepNotRunning + adapter.Cut(strings.ToUpper(string(h.Status)), 40)
	}
	return n
}

// The states of a host (reference section 3.2) that matter to a change.
const (
	active = "ACTIVE"
	broken = "ERROR"
	off    = "SHUTOFF"
)

func (p *provider) describe(ctx context.Context, id string) (cluster, error) {
	var got struct {
		Cluster *cluster `json:"cluster"`
	}
	_, err := p.ask(ctx, "ShowClusterDetails", false, func(c *hccore.HcHttpClient) error {
		err := read(c, mrs.GenReqDefForShowClusterDetails(), &model.ShowClusterDetailsRequest{ClusterId: id}, &got)
		switch {
		case err != nil:
			return err
		case got.Cluster == nil, got.Cluster.ID != "" && string(got.Cluster.ID) != id:
			return fmt.Errorf("%w: it is not about cluster %s", errUnreadable, id)
		}
		return nil
	})
	if err != nil {
		return cluster{}, err
	}
	return *got.Cluster, nil
}

func (p *provider) hosts(ctx context.Context, id string) ([]host, error) {
	return pages("ListHosts", hostPage, func(h host) string { return string(h.ID) }, func(page int) ([]host, number, error) {
		var got struct {
			Total number `json:"total"`
			Hosts []host `json:"hosts"`
		}
		_, err := p.ask(ctx, "ListHosts", false, func(c *hccore.HcHttpClient) error {
			return read(c, mrs.GenReqDefForListHosts(), &model.ListHostsRequest{
				ClusterId: id, PageSize: new(strconv.Itoa(hostPage)), CurrentPage: new(strconv.Itoa(page)),
			}, &got)
		})
		return got.Hosts, got.Total, err
	})
}

// Clusters lists the clusters of the project that have not ended, in order of
// id, with the groups that can be scaled: the doctor offers them as lines of
// config, and config refuses the others.
func (p *provider) Clusters(ctx context.Context) ([]providers.ClusterInfo, error) {
	list, err := pages("ListClusters", clusterPage, func(c cluster) string { return string(c.ID) }, func(page int) ([]cluster, number, error) {
		var got struct {
			Total    number    `json:"clusterTotal"`
			Clusters []cluster `json:"clusters"`
		}
		_, err := p.ask(ctx, "ListClusters", false, func(c *hccore.HcHttpClient) error {
			return read(c, mrs.GenReqDefForListClusters(), &model.ListClustersRequest{
				PageSize: new(strconv.Itoa(clusterPage)), CurrentPage: new(strconv.Itoa(page)), ClusterState: new("existing"),
			}, &got)
		})
		return got.Clusters, got.Total, err
	})
	if err != nil {
		return nil, err
	}
	out := make([]providers.ClusterInfo, 0, len(list))
	for _, c := range list {
		groups := slices.DeleteFunc(groupsOf(c, nil, ""), func(g providers.Group) bool { return !slices.Contains(scalable, g.ID) })
		out = append(out, providers.ClusterInfo{ID: string(c.ID), Name: string(c.Name), Status: statusOf(c), Groups: groups})
	}
	slices.SortFunc(out, func(a, b providers.ClusterInfo) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// pages reads a whole listing without double entries. A listing that stays short
// of its own total is an error and not a small cluster: hosts missing from it
// would look removed.
func pages[T any](action string, size int, id func(T) string, fetch func(page int) ([]T, number, error)) ([]T, error) {
	var out []T
	seen := map[string]bool{}
	nameless := 0 // entries without an id (a machine still being made): counted, not listed
	for page := 1; ; page++ {
		list, total, err := fetch(page)
		if err != nil {
			return nil, err
		}
		before := len(out) + nameless
		for _, x := range list {
			switch {
			case id(x) == "":
				nameless++
			case !seen[id(x)]:
				seen[id(x)] = true
				out = append(out, x)
			}
		}
		have := len(out) + nameless
		switch {
		case total.set && have >= total.n, !total.set && len(list) < size:
			return out, nil
		case have == before:
			return nil, &providers.Error{
				Kind: providers.Retry, Op: action, Advice: adviceBroken,
				Err: fmt.Errorf("the listing ended at %d of %d", have, total.n),
			}
		}
	}
}
