package tencentemr

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers"
)

// pageSize is the largest page that the service gives.
const pageSize = 100

// The keys of Snapshot.Facts.
const (
	factStatus   = "status"    // the status number
	factZoneID   = "zone_id"   // the zone's number, for pricing
	factZone     = "zone"      // the zone's name
	factResource = "resource/" // + node id: its emr-vm-… id, for TerminateTasks
	factAuto     = "auto"      // the ids of the nodes that autoscaling made
)

// Observe reads the cluster and its nodes: one DescribeInstances and as many
// DescribeClusterNodes as there are pages.
func (p *provider) Observe(ctx context.Context, ref providers.ClusterRef) (providers.Snapshot, error) {
	info, err := p.describe(ctx, ref.ID)
	if err != nil {
		return providers.Snapshot{}, err
	}
	nodes, err := p.nodes(ctx, ref.ID, "all")
	if err != nil {
		return providers.Snapshot{}, err
	}
	counts := countsOf(info)
	routers := map[string]bool{}
	if n := counts[router]; n == nil || *n > 0 {
		// The numbers of the node list know no routers, so they are asked for by
		// name; clusters that say they have none don't pay for the call.
		list, err := p.nodes(ctx, ref.ID, "router")
		if err != nil && (n != nil || !saysNo(err)) {
			return providers.Snapshot{}, err
		}
		for _, n := range list {
			routers[nodeID(n)] = true
		}
	}
	code := value(info.Status)
	s := providers.Snapshot{
		At: p.env.Now(), ID: ref.ID, Name: value(info.ClusterName),
		Phase: phaseOf(code), Status: statusText(code), Charge: chargeOf(info.ChargeType),
		Facts: map[string]string{factStatus: strconv.FormatInt(code, 10)},
	}
	if info.Status == nil {
		s.Phase, s.Status = providers.Busy, "unknown"
	}
	if z := value(info.ZoneId); z > 0 {
		s.Facts[factZoneID] = strconv.FormatInt(z, 10)
	}
	if z := value(info.Zone); z != "" {
		s.Facts[factZone] = z
	}
	s.Groups = groupsOf(counts, nodes, routers)
	var auto []string
	for _, n := range nodes {
		if value(n.AutoFlag) == 1 {
			auto = append(auto, nodeID(n))
		}
	}
	if len(auto) > 0 {
		slices.Sort(auto)
		s.Facts[factAuto] = strings.Join(auto, ",")
	}
	if p.removesByResource(ref.Name) {
		for _, n := range nodes {
			if r := value(n.EmrResourceId); r != "" && groupOfNode(n, routers) == task {
				s.Facts[factResource+nodeID(n)] = r
			}
		}
	}
	return s, nil
}

// removesByResource reports whether a group of the cluster is configured for
// TerminateTasks, whose ids the snapshot must then carry.
func (p *provider) removesByResource(cluster string) bool {
	for k, g := range p.groups {
		if k.cluster == cluster && g.params.usesTerminateTasks() {
			return true
		}
	}
	return false
}

// describe finds one cluster. ProjectId -1 stands for all projects: without it
// clusters outside the default project are "not found".
func (p *provider) describe(ctx context.Context, id string) (*emr.ClusterInstancesInfo, error) {
	list, _, err := p.instances(ctx, []*string{&id}, 0)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c != nil && value(c.ClusterId) == id {
			return c, nil
		}
	}
	return nil, &providers.Error{
		Kind: providers.NotFound, Op: "DescribeInstances", Advice: noCluster.advice,
		Err: fmt.Errorf("no cluster %s in region %s", id, p.account.Region),
	}
}

func (p *provider) instances(ctx context.Context, ids []*string, offset int) ([]*emr.ClusterInstancesInfo, int, error) {
	var list []*emr.ClusterInstancesInfo
	total := -1
	err := p.send(ctx, "DescribeInstances", false, func(ctx context.Context, c *emr.Client) error {
		r := emr.NewDescribeInstancesRequest()
		r.DisplayStrategy = new("clusterList")
		r.InstanceIds = ids
		r.Offset, r.Limit = new(uint64(offset)), new(uint64(pageSize)) //nolint:gosec // offsets count pages or records from 0
		r.ProjectId = new(int64(-1))
		resp, err := c.DescribeInstancesWithContext(ctx, r)
		switch {
		case err != nil:
			return err
		case resp == nil || resp.Response == nil:
			return errNoAnswer
		}
		list = resp.Response.ClusterList
		if t := resp.Response.TotalCnt; t != nil {
			total = int(*t)
		}
		return nil
	})
	return list, total, err
}

func (p *provider) nodes(ctx context.Context, cluster, flag string) ([]*emr.NodeHardwareInfo, error) {
	return pages("DescribeClusterNodes", nodeID, func(offset int) ([]*emr.NodeHardwareInfo, int, error) {
		var list []*emr.NodeHardwareInfo
		total := -1
		err := p.send(ctx, "DescribeClusterNodes", false, func(ctx context.Context, c *emr.Client) error {
			r := emr.NewDescribeClusterNodesRequest()
			r.InstanceId, r.NodeFlag = &cluster, &flag
			r.Offset, r.Limit = new(int64(offset)), new(int64(pageSize))
			r.HardwareResourceType = new("all")
			resp, err := c.DescribeClusterNodesWithContext(ctx, r)
			switch {
			case err != nil:
				return err
			case resp == nil || resp.Response == nil:
				return errNoAnswer
			}
			list = resp.Response.NodeList
			if t := resp.Response.TotalCnt; t != nil {
				total = int(*t)
			}
			return nil
		})
		return list, total, err
	})
}

// pages reads a whole listing without double entries. The SDK describes Offset
// as a page number, while its name and other Tencent APIs count records. Page
// numbers are tried first; a second page that repeats entries or brings none
// shows that records are meant. A listing that stays short of its own total is
// an error and not a small cluster: nodes missing from it would look removed.
func pages[T any](action string, id func(*T) string, fetch func(offset int) ([]*T, int, error)) ([]*T, error) {
	var out []*T
	seen := map[string]bool{}
	nameless := 0 // entries without an id (a machine still being made): counted, not listed
	byRecord := false
	for offset, page := 0, 0; ; {
		list, total, err := fetch(offset)
		if err != nil {
			return nil, err
		}
		before, unnamed, repeats := len(out)+nameless, nameless, 0
		for _, x := range list {
			switch {
			case x == nil || id(x) == "":
				nameless++
			case seen[id(x)]:
				repeats++
			default:
				seen[id(x)] = true
				out = append(out, x)
			}
		}
		if repeats > 0 && !byRecord {
			// This page lies over the last one. Entries without an id can't be told apart,
			// and counted twice they would make the listing look whole before it is.
			nameless = unnamed
		}
		have := len(out) + nameless
		switch {
		case total >= 0 && have >= total, total < 0 && len(list) < pageSize:
			return out, nil
		case page > 0 && !byRecord && (repeats > 0 || len(list) == 0):
			byRecord = true
		case have == before:
			return nil, &providers.Error{
				Kind: providers.Retry, Op: action, Advice: adviceBroken,
				Err: fmt.Errorf("the listing ended at %d of %d", have, total),
			}
		}
		page++
		offset = page
		if byRecord {
			offset = have
		}
	}
}

func nodeID(n *emr.NodeHardwareInfo) string {
	if id := value(n.OrderNo); id != "" {
		return id
	}
	return value(n.EmrResourceId)
}

// countsOf reads the counts of the groups; nil where the service gives none.
func countsOf(c *emr.ClusterInstancesInfo) map[string]*int64 {
	m := map[string]*int64{}
	set := func(id string, n *int64) {
		if m[id] == nil && n != nil && *n >= 0 {
			m[id] = n
		}
	}
	if d := c.ConfigDetail; d != nil {
		set(master, d.MasterNodeSize)
		set(core, d.CoreNodeSize)
		set(task, d.TaskNodeSize)
		set(router, d.RouterNodeSize)
		set(common, d.ComNodeSize)
	}
	if d := c.Config; d != nil { //nolint:staticcheck // deprecated, but all that older clusters answer
		set(master, d.MasterNodeSize)
		set(core, d.CoreNodeSize)
		set(task, d.TaskNodeSize)
		set(router, d.RouterNodeSize)
		set(common, d.ComNodeSize)
	}
	return m
}

// scalable are the groups that a cluster can get its first nodes of.
var scalable = []string{core, task, router}

// groupsOf builds the groups in a fixed order. A group that the service neither
// counts nor has nodes of is left out, but not one that a change may begin: counts
// are null where there is nothing to count, and the first node would be refused.
func groupsOf(counts map[string]*int64, nodes []*emr.NodeHardwareInfo, routers map[string]bool) []providers.Group {
	byGroup := map[string][]providers.Node{}
	for _, n := range nodes {
		if g := groupOfNode(n, routers); g != "" {
			byGroup[g] = append(byGroup[g], nodeOf(n))
		}
	}
	var out []providers.Group
	for _, id := range nodeTypes {
		ns := byGroup[id]
		slices.SortFunc(ns, func(a, b providers.Node) int { return strings.Compare(a.ID, b.ID) })
		g := providers.Group{ID: id, Count: len(ns), Nodes: ns}
		n := counts[id]
		if n == nil && len(ns) == 0 && len(counts) > 0 && !slices.Contains(scalable, id) {
			continue
		}
		if n != nil {
			g.Count = int(*n)
		}
		for _, x := range ns {
			if g.InstanceType == "" {
				g.InstanceType = x.InstanceType
			} else if x.InstanceType != g.InstanceType {
				g.InstanceType = "" // mixed: no one type to name
				break
			}
		}
		out = append(out, g)
	}
	return out
}

// groupOfNode reads the node list's number; 0 is COMMON and not "unset".
func groupOfNode(n *emr.NodeHardwareInfo, routers map[string]bool) string {
	if routers[nodeID(n)] {
		return router
	}
	if n.Flag == nil {
		return ""
	}
	switch *n.Flag {
	case 0:
		return common
	case 1:
		return master
	case 2:
		return core
	case 3:
		return task
	}
	return ""
}

// keepAutoscaled marks nodes that may still be removed when named one by one.
const keepAutoscaled = "made by autoscaling, which would only replace it"

func nodeOf(n *emr.NodeHardwareInfo) providers.Node {
	out := providers.Node{
		ID: nodeID(n), Name: value(n.NameTag), IP: value(n.Ip), InstanceType: value(n.Spec),
		Charge: chargeOf(n.ChargeType), Created: timeOf(n.ApplyTime),
	}
	if out.Charge == providers.Prepaid {
		out.Expires = timeOf(n.ExpireTime)
	}
	switch {
	case n.Destroyable != nil && *n.Destroyable == 0:
		out.Keep = "the cloud says that it can't be destroyed"
	case value(n.DisableApiTermination):
		out.Keep = "protected against removal through the API"
	case out.Charge == providers.Prepaid:
		out.Keep = "prepaid: giving it back early is a refund, which needs the console"
	case value(n.OrderNo) == "":
		out.Keep = "the cloud shows no machine id for it"
	case value(n.AutoFlag) == 1:
		out.Keep = keepAutoscaled
	}
	return out
}

func chargeOf(n *int64) providers.Charge {
	if n == nil {
		return ""
	}
	switch *n {
	case 0:
		return providers.Postpaid
	case 1:
		return providers.Prepaid
	}
	return ""
}

// beijing is the zone of the times in the node list, which carry none. They are
// used to show and to order nodes only.
var beijing = time.FixedZone("UTC+8", 8*60*60)

func timeOf(s *string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, value(s), beijing)
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t
}

// status is a row of the service's status codes (reference section 3.3).
type status struct {
	text  string
	phase providers.Phase
}

var statuses = map[int64]status{
	2:   {"running", providers.Ready},
	3:   {"creating", providers.Busy},
	4:   {"scaling out", providers.Busy},
	5:   {"adding router nodes", providers.Busy},
	6:   {"installing components", providers.Busy},
	7:   {"executing a command", providers.Busy},
	8:   {"restarting services", providers.Busy},
	9:   {"entering maintenance", providers.Busy},
	10:  {"suspending services", providers.Busy},
	11:  {"leaving maintenance", providers.Busy},
	12:  {"leaving suspension", providers.Busy},
	13:  {"delivering configuration", providers.Busy},
	14:  {"destroying the cluster", providers.Gone},
	15:  {"destroying core nodes", providers.Busy},
	16:  {"destroying task nodes", providers.Busy},
	17:  {"destroying router nodes", providers.Busy},
	18:  {"changing the proxy password", providers.Busy},
	19:  {"isolating for arrears", providers.Blocked},
	20:  {"reversing", providers.Busy},
	21:  {"reclaiming", providers.Busy},
	22:  {"waiting for a resize", providers.Busy},
	23:  {"isolated for arrears", providers.Blocked},
	24:  {"shrinking nodes", providers.Busy},
	33:  {"waiting for a refund", providers.Blocked},
	34:  {"refunded", providers.Blocked},
	201: {"deleted", providers.Gone},
	301: {"creation failed", providers.Blocked},
	302: {"scale-out failed", providers.Blocked},
}

// phaseOf reads an unknown code as busy: a change waits for a state that is
// known to take it.
func phaseOf(code int64) providers.Phase {
	if s, ok := statuses[code]; ok {
		return s.phase
	}
	return providers.Busy
}

func statusText(code int64) string {
	n := strconv.FormatInt(code, 10)
	if s, ok := statuses[code]; ok {
		return s.text + " (" + n + ")"
	}
	return "status " + n
}

// scales reports whether the status is that of a change of size under way.
func scales(s providers.Snapshot) bool {
	return slices.Contains([]string{"4", "5", "15", "16", "17", "22", "24"}, s.Facts[factStatus])
}

// Clusters lists what the key can see in the region, in order of id.
func (p *provider) Clusters(ctx context.Context) ([]providers.ClusterInfo, error) {
	list, err := pages("DescribeInstances", func(c *emr.ClusterInstancesInfo) string { return value(c.ClusterId) },
		func(offset int) ([]*emr.ClusterInstancesInfo, int, error) { return p.instances(ctx, nil, offset) })
	if err != nil {
		return nil, err
	}
	out := make([]providers.ClusterInfo, 0, len(list))
	for _, c := range list {
		counts := countsOf(c)
		// The nodes are not read here: what is not counted may have any number.
		counted := slices.DeleteFunc(groupsOf(counts, nil, nil), func(g providers.Group) bool { return counts[g.ID] == nil })
		out = append(out, providers.ClusterInfo{
			ID: value(c.ClusterId), Name: value(c.ClusterName), Status: statusText(value(c.Status)), Groups: counted,
		})
	}
	slices.SortFunc(out, func(a, b providers.ClusterInfo) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}
