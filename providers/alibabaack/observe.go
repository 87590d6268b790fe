package alibabaack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	cs "github.com/alibabacloud-go/cs-20151215/v5/client"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const (
	nodePage    = 100 // the most that DescribeClusterNodes gives
	clusterPage = 50
)

// Observe reads the cluster, its pools, its nodes and the ids of its tasks: four
// calls and as many more as the listings have pages. The tasks come last, so
// that one begun meanwhile is not taken for new later.
func (p *provider) Observe(ctx context.Context, ref providers.ClusterRef) (providers.Snapshot, error) {
	s, err := p.observe(ctx, ref)
	if err != nil {
		return providers.Snapshot{}, err
	}
	p.noteTasks(ctx, ref.ID, s.Facts)
	return s, nil
}

// observe is Observe without the tasks, which only a baseline needs.
func (p *provider) observe(ctx context.Context, ref providers.ClusterRef) (providers.Snapshot, error) {
	c, err := p.cluster(ctx, ref.ID)
	if err != nil {
		return providers.Snapshot{}, err
	}
	pools, err := p.pools(ctx, ref.ID)
	if err != nil {
		return providers.Snapshot{}, err
	}
	nodes, err := p.nodes(ctx, ref.ID, "")
	if err != nil {
		return providers.Snapshot{}, err
	}
	s := providers.Snapshot{
		At: p.env.Now(), ID: ref.ID, Name: value(c.Name),
		Facts: map[string]string{factVersion: value(c.CurrentVersion), factProfile: value(c.Profile)},
	}
	mine := p.groupsOf(ref.Name)
	s.Phase, s.Status = phaseOf(value(c.State), pools, mine)
	for _, pool := range pools {
		s.Groups = append(s.Groups, poolGroup(pool, nodes))
	}
	for _, id := range []string{allWorkers, ensWorkers} {
		if slices.ContainsFunc(mine, func(g namedGroup) bool { return g.id == id }) {
			s.Groups = append(s.Groups, workerGroup(id, pools, nodes))
			note(s.Facts, nodes)
		}
	}
	for i := range s.Groups {
		s.Groups[i].Warnings = warnings(s.Groups[i].ID, pools, mine)
	}
	var scalers, working []string
	for _, pool := range pools {
		f := factOf(pool.sdk)
		if f.Autoscale {
			scalers = append(scalers, pool.id)
		}
		if pool.state != "" && !strings.EqualFold(pool.state, poolActive) {
			working = append(working, pool.id)
		}
		if !slices.ContainsFunc(mine, func(g namedGroup) bool { return g.id == pool.id }) {
			continue
		}
		b, err := json.Marshal(f)
		if err != nil {
			return providers.Snapshot{}, fmt.Errorf("a pool's facts: %w", err)
		}
		s.Facts[factPool+pool.id] = string(b)
	}
	if len(scalers) > 0 {
		s.Facts[factScaler] = strings.Join(scalers, ",")
	}
	if len(working) > 0 {
		s.Facts[factWorking] = strings.Join(working, ",")
	}
	return s, nil
}

// namedGroup is a group of config with its name there.
type namedGroup struct {
	name string
	group
}

// groupsOf are the groups that config has of a cluster, by name.
func (p *provider) groupsOf(cluster string) []namedGroup {
	var out []namedGroup
	for k, g := range p.groups {
		if k.cluster == cluster {
			out = append(out, namedGroup{k.group, g})
		}
	}
	slices.SortFunc(out, func(a, b namedGroup) int { return cmp.Compare(a.name, b.name) })
	return out
}

// note keeps which pool each worker is in: a removal from all workers goes by
// its nodes' pool.
func note(facts map[string]string, nodes []node) {
	by := map[string][]string{}
	for _, n := range nodes {
		if n.worker && n.pool != "" && n.ID != "" {
			by[n.pool] = append(by[n.pool], n.ID)
		}
	}
	for pool, ids := range by {
		facts[factMembers+pool] = strings.Join(ids, ",")
	}
}

func (p *provider) cluster(ctx context.Context, id string) (*cs.DescribeClusterDetailResponseBody, error) {
	x := exchange{"DescribeClusterDetail", read, rate}
	return send(ctx, p, x, func(w *wire) (*cs.DescribeClusterDetailResponseBody, error) {
		r, err := w.client.DescribeClusterDetailWithOptions(&id, w.headers, w.options)
		switch {
		case err != nil:
			return nil, err
		case r.Body == nil || r.Body.State == nil:
			return nil, errNoAnswer
		}
		return r.Body, nil
	})
}

// pool is a node pool as the cloud shows it.
type pool struct {
	id, name, state string
	isDefault       bool
	count           int // nodes that are there and stay
	sdk             *sdkPool
}

func (p *provider) pools(ctx context.Context, cluster string) ([]pool, error) {
	x := exchange{"DescribeClusterNodePools", read, rate}
	return send(ctx, p, x, func(w *wire) ([]pool, error) {
		r, err := w.client.DescribeClusterNodePoolsWithOptions(&cluster, &cs.DescribeClusterNodePoolsRequest{}, w.headers, w.options)
		switch {
		case err != nil:
			return nil, err
		case r.Body == nil:
			return nil, errNoAnswer
		}
		var out []pool
		for _, n := range r.Body.Nodepools {
			if n == nil || n.NodepoolInfo == nil || value(n.NodepoolInfo.NodepoolId) == "" {
				continue
			}
			one := pool{
				id: *n.NodepoolInfo.NodepoolId, name: value(n.NodepoolInfo.Name), isDefault: value(n.NodepoolInfo.IsDefault),
				state: stateOf(n), sdk: n,
			}
			if st := n.Status; st != nil {
				one.count = int(max(value(st.TotalNodes)-value(st.RemovingNodes), 0))
			}
			out = append(out, one)
		}
		slices.SortFunc(out, func(a, b pool) int { return cmp.Compare(a.id, b.id) })
		return out, nil
	})
}

// node is a machine with what the port's Node has no room for.
type node struct {
	providers.Node
	pool    string
	worker  bool
	ecs     bool
	ready   bool   // joined: Kubernetes says Ready
	leaving bool   // on its way out
	broken  string // why it came to nothing; "" = it may still
}

// nodes lists the cluster's nodes, or those of one pool. A listing that stays
// short of its own total is an error and not a small cluster: nodes missing from
// it would look removed.
func (p *provider) nodes(ctx context.Context, cluster, pool string) ([]node, error) {
	return pages("DescribeClusterNodes", func(n node) string { return n.ID }, func(page int) ([]node, int, error) {
		type list struct {
			nodes []node
			total int
		}
		x := exchange{"DescribeClusterNodes", read, rate}
		l, err := send(ctx, p, x, func(w *wire) (list, error) {
			q := &cs.DescribeClusterNodesRequest{
				PageNumber: new(strconv.Itoa(page)), PageSize: new(strconv.Itoa(nodePage)), State: new("all"),
			}
			if pool != "" {
				q.NodepoolId = &pool
			}
			r, err := w.client.DescribeClusterNodesWithOptions(&cluster, q, w.headers, w.options)
			switch {
			case err != nil:
				return list{}, err
			case r.Body == nil || r.Body.Page == nil || r.Body.Page.TotalCount == nil:
				return list{}, errNoAnswer
			}
			l := list{total: int(*r.Body.Page.TotalCount)}
			for _, n := range r.Body.Nodes {
				if n != nil {
					l.nodes = append(l.nodes, nodeOf(n))
				}
			}
			return l, nil
		})
		return l.nodes, l.total, err
	})
}

// pages reads a whole listing, pages from 1, without double entries. Entries
// without an id (a machine still being made) count, but can't be told apart.
func pages[T any](action string, id func(T) string, fetch func(page int) ([]T, int, error)) ([]T, error) {
	var out []T
	seen := map[string]bool{}
	for page := 1; ; page++ {
		list, total, err := fetch(page)
		if err != nil {
			return nil, err
		}
		before := len(out)
		for _, x := range list {
			if k := id(x); k == "" || !seen[k] {
				seen[k] = true
				out = append(out, x)
			}
		}
		switch {
		case len(out) >= total:
			return out, nil
		case len(out) == before:
			return nil, &providers.Error{
				Kind: providers.Retry, Op: action, Advice: adviceBroken,
				Err: fmt.Errorf("the listing ended at %d of %d", len(out), total),
			}
		}
	}
}

// Why a node is not chosen. Those in named may still go when a person names it.
const (
	keepPrepaid   = "prepaid: it would leave the cluster and go on costing until its term ends"
	keepElsewhere = "in a node pool of its own; name it, or scale that pool"
	keepForeign   = "not a machine of Alibaba Cloud"
	keepNoID      = "the cloud shows no machine id for it"
)

var named = []string{keepPrepaid, keepElsewhere, keepForeign}

func nodeOf(n *cs.DescribeClusterNodesResponseBodyNodes) node {
	state := strings.ToLower(value(n.State))
	out := node{
		Node: providers.Node{
			ID: value(n.InstanceId), Name: value(n.NodeName), InstanceType: value(n.InstanceType),
			Created: timeOf(n.CreationTime),
		},
		pool:    value(n.NodepoolId),
		worker:  !strings.EqualFold(value(n.InstanceRole), "Master"),
		ecs:     strings.HasPrefix(value(n.InstanceType), "ecs."),
		ready:   strings.EqualFold(value(n.NodeStatus), "Ready"),
		leaving: strings.HasPrefix(state, "remov") || strings.HasPrefix(state, "delet") || strings.HasPrefix(state, "releas"),
	}
	if strings.HasPrefix(state, "fail") {
		out.broken = cmp.Or(adapter.Cut(value(n.ErrorMessage), maxWords), state)
	}
	if len(n.IpAddress) > 0 {
		out.IP = value(n.IpAddress[0])
	}
	charge := value(n.InstanceChargeType)
	if charge == "" && strings.HasPrefix(value(n.InstanceType), "ens.") {
		charge = prePaid // edge machines are sold for a term only, and the list may not say so
	}
	switch spot := value(n.SpotStrategy); {
	case charge == prePaid:
		out.Charge, out.Expires = providers.Prepaid, timeOf(n.ExpiredTime)
	case spot != "" && spot != noSpot:
		out.Charge = providers.Spot
	case charge == postPaid:
		out.Charge = providers.Postpaid
	}
	switch {
	case out.ID == "":
		out.ID, out.Keep = out.Name, keepNoID
	case out.Charge == providers.Prepaid:
		out.Keep = keepPrepaid
	case n.IsAliyunNode != nil && !*n.IsAliyunNode:
		out.Keep = keepForeign
	}
	return out
}

func timeOf(s *string) time.Time {
	t, err := time.Parse(time.RFC3339, value(s))
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t
}

// Clusters lists what the key can see in the region, with the pools of each, in
// order of id. A cluster whose pools can't be read (a registered cluster, no
// rights inside it) is listed without them, and says so.
func (p *provider) Clusters(ctx context.Context) ([]providers.ClusterInfo, error) {
	type cluster = cs.DescribeClustersV1ResponseBodyClusters
	list, err := pages("DescribeClustersV1", func(c *cluster) string { return value(c.ClusterId) }, func(page int) ([]*cluster, int, error) {
		x := exchange{"DescribeClustersV1", read, rate}
		r, err := send(ctx, p, x, func(w *wire) (*cs.DescribeClustersV1ResponseBody, error) {
			r, err := w.client.DescribeClustersV1WithOptions(&cs.DescribeClustersV1Request{
				RegionId: new(p.account.Region), PageNumber: new(int64(page)), PageSize: new(int64(clusterPage)),
			}, w.headers, w.options)
			switch {
			case err != nil:
				return nil, err
			case r.Body == nil || r.Body.PageInfo == nil || r.Body.PageInfo.TotalCount == nil:
				return nil, errNoAnswer
			}
			return r.Body, nil
		})
		if err != nil {
			return nil, 0, err
		}
		found := slices.DeleteFunc(r.Clusters, func(c *cluster) bool { return c == nil })
		return found, int(*r.PageInfo.TotalCount), nil
	})
	if err != nil {
		return nil, err
	}
	var out []providers.ClusterInfo
	for _, c := range list {
		info := providers.ClusterInfo{ID: value(c.ClusterId), Name: value(c.Name), Status: value(c.State)}
		pools, err := p.pools(ctx, info.ID)
		var e *providers.Error
		switch {
		case errors.As(err, &e) && e.Kind != providers.Retry:
			info.Status += fmt.Sprintf(" (its node pools can't be read: %s)", cmp.Or(e.Code, string(e.Kind)))
		case err != nil:
			return nil, err
		}
		for _, pool := range pools {
			info.Groups = append(info.Groups, providers.Group{ID: pool.id, Name: pool.name, Count: pool.count})
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b providers.ClusterInfo) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}
