package cloudsim

import (
	"fmt"
	"slices"
	"strings"
)

// hwOrder is an order that waits for its payment. One of the world's own has no
// group.
type hwOrder struct {
	id    string
	group *hwGroup
	hosts []*hwHost
}

func (h *huawei) orderID() string {
	return "CS" + strings.ToUpper(h.sim.nextID("huawei-order")[:16])
}

// expand is ExpandCluster of version 2. For a yearly/monthly group it makes an
// order and nothing else happens until a person pays it, which Sim.Pay does. Of
// the word for success the page says both "succeeded" and "success", the latter
// in the text of this very answer.
func (h *huawei) expand(c *hwCall) (any, error) {
	var p struct {
		NodeGroupName        string  `json:"node_group_name" hw:"required"`
		Count                hwInt   `json:"count" hw:"required"` // text in the page's samples
		SkipBootstrapScripts *bool   `json:"skip_bootstrap_scripts"`
		ScaleWithoutStart    *bool   `json:"scale_without_start"`
		AzCode               *string `json:"az_code"`
	}
	if err := hwDecode(c.body, &p, hwInvalid); err != nil {
		return nil, err
	}
	cl, g, err := h.groupV2(c, p.NodeGroupName, p.AzCode)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Count < 1 || p.Count > 1_000_000:
		return nil, hwRefuse(hwInvalid, "count %d", p.Count)
	case g.count() == 0 && (g.Flavor == "" || role(g.Name) == roleTask):
		// Only version 1.1 can say what the first task nodes are to be.
		return nil, hwRefuse(hwInvalid, "%s has no nodes to be like", g.Name)
	}
	if err := h.ready(cl, c.at, false); err != nil {
		return nil, err
	}
	op, err := h.grow(c, cl, g, int(p.Count), nil)
	if err != nil {
		return nil, err
	}
	if !cl.Prepaid || g.Metered {
		h.launch(op, c.at, c.target, c.entry)
		return map[string]any{"result": "success"}, nil
	}
	cl.order = &hwOrder{id: h.orderID(), group: g, hosts: op.hosts}
	c.entry.Outcome, c.entry.Operation, c.entry.Delta = Accepted, cl.order.id, len(op.hosts)
	return map[string]any{"order_id": cl.order.id}, nil
}

// Pay is a person paying a Huawei Cloud order in the console: the nodes ordered
// begin to come. It fails for an order that is not there, or is there without
// anything that this world could deliver.
func (s *Sim) Pay(order string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clouds {
		h, ok := c.(*huawei)
		if !ok {
			continue
		}
		at := s.time()
		h.settle(at)
		for _, cl := range h.clusters {
			if cl.order == nil || cl.order.id != order {
				continue
			}
			o := cl.order
			cl.order = nil
			if o.group == nil {
				return nil
			}
			e := Entry{Time: at, Cloud: Huawei, Account: cl.Account, Region: cl.Region, Action: "Pay", Cluster: cl.ID}
			h.launch(h.operation(cl, o.group, true, o.hosts), at, target{cloud: Huawei, action: "ExpandCluster", clusters: []string{cl.ID}}, &e)
			e.Outcome, e.Delta = Outside, 0 // counted when it was ordered
			s.journal.enter(e)
			return nil
		}
	}
	return fmt.Errorf("cloudsim: no unpaid order %s", order)
}

// shrink is ShrinkCluster of version 2: a number of nodes, picked by the system,
// or nodes named by resource id, which must be broken ones. Yearly/monthly nodes
// are given back by unsubscribing, which is no part of this API, so they are
// refused; the page is silent.
func (h *huawei) shrink(c *hwCall) (any, error) {
	var p struct {
		NodeGroupName string   `json:"node_group_name" hw:"required"`
		Count         *hwInt   `json:"count"`
		ResourceIDs   []string `json:"resource_ids"`
		ForceDelete   bool     `json:"force_delete"`
		AzCode        *string  `json:"az_code"`
	}
	if err := hwDecode(c.body, &p, hwInvalid); err != nil {
		return nil, err
	}
	cl, g, err := h.groupV2(c, p.NodeGroupName, p.AzCode)
	if err != nil {
		return nil, err
	}
	n := int(orZero(p.Count))
	switch {
	case len(p.ResourceIDs) == 0 && (n < 1 || n > 1_000_000):
		return nil, hwRefuse(hwInvalid, "count %d", n)
	case len(p.ResourceIDs) > 0 && p.Count != nil && n != len(p.ResourceIDs):
		return nil, hwRefuse(hwInvalid, "count is %d and resource_ids names %d", n, len(p.ResourceIDs))
	case cl.Prepaid && !g.Metered:
		return nil, hwRefuse("12000054", "")
	}
	if err := h.ready(cl, c.at, p.ForceDelete || len(p.ResourceIDs) > 0); err != nil {
		return nil, err
	}
	var op *hwOperation
	if len(p.ResourceIDs) == 0 {
		op, err = h.cut(c, cl, g, n, nil)
	} else {
		op, err = h.clear(c, cl, g, p.ResourceIDs)
	}
	if err != nil {
		return nil, err
	}
	h.launch(op, c.at, c.target, c.entry)
	return map[string]any{"result": "succeeded"}, nil
}

// clear prepares the removal of named broken hosts. The page doesn't name the
// code for a healthy one.
func (h *huawei) clear(c *hwCall, cl *hwCluster, g *hwGroup, ids []string) (*hwOperation, error) {
	var hosts []*hwHost
	for _, id := range ids {
		i := slices.IndexFunc(g.hosts, func(n *hwHost) bool { return n.resource == id })
		switch {
		case i < 0 || slices.Contains(hosts, g.hosts[i]):
			return nil, hwRefuse(hwInvalid, "resource_ids: %s is not in %s or is named twice", id, g.Name)
		case g.hosts[i].status != hsError:
			return nil, hwRefuse(hwInvalid, "resource_ids: %s is not abnormal", id)
		}
		hosts = append(hosts, g.hosts[i])
	}
	if err := h.refusedByFault(c); err != nil {
		return nil, err
	}
	return h.operation(cl, g, false, hosts), nil
}

// groupV2 finds cluster and group of a call of version 2. Clusters of this world
// have one zone, so a list of zones can only name that one.
func (h *huawei) groupV2(c *hwCall, name string, zone *string) (*hwCluster, *hwGroup, error) {
	cl, err := h.visible(c)
	if err != nil {
		return nil, nil, err
	}
	g := cl.group(name)
	c.entry.Group = name
	switch {
	case g == nil:
		return nil, nil, hwRefuse(hwInvalid, "node_group_name %q is not known", name)
	case role(name) == roleMaster:
		return nil, nil, hwRefuse("12000054", "master nodes can't be resized")
	case zone != nil && *zone != "" && *zone != cl.Zone:
		return nil, nil, hwRefuse(hwInvalid, "az_code %q", *zone)
	case g.AutoScaled && role(name) == roleTask:
		return nil, nil, hwRefuse("12000124", "")
	}
	return cl, g, nil
}
