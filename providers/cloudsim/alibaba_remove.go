package cloudsim

import "slices"

// removePoolNodes is RemoveNodePoolNodes: named machines of one pool, whose
// expected number of nodes goes down with them. Its parameters travel in the
// query, the list as one JSON text. concurrency has no documented effect.
func (a *alibaba) removePoolNodes(c *acCall) (map[string]any, error) {
	q := acReadQuery(c.query, "instance_ids", "nodes", "drain_node", "release_node", "concurrency")
	ids, names := q.list("instance_ids"), q.list("nodes")
	drain, release, _ := q.flag("drain_node"), q.flag("release_node"), q.flag("concurrency")
	if q.err != nil {
		return nil, q.err
	}
	cl, pool, err := a.visiblePool(c)
	if err != nil {
		return nil, err
	}
	if (len(ids) == 0) == (len(names) == 0) {
		return nil, acRefuse(acMissing, "either instance_ids or the deprecated nodes must name nodes")
	}
	by := func(n *acNode) string { return n.id }
	if len(ids) == 0 {
		ids, by = names, func(n *acNode) string { return n.name }
	}
	nodes, err := acChoose(pool.nodes, ids, by)
	if err != nil {
		return nil, err
	}
	t := &acTask{
		cluster: cl, pool: pool, release: release,
		params: map[string]any{"nodepool_id": pool.ID, "instance_ids": ids, "drain_node": drain, "release_node": release},
	}
	if err := a.remove(c, t, nodes, drain); err != nil {
		return nil, err
	}
	pool.desired = pool.count(acRunning)
	return map[string]any{"task_id": t.id, "request_id": c.request}, nil
}

// deleteNodes is DeleteClusterNodes: nodes of the whole cluster, by their names.
// It leaves the expected number of nodes of their pools alone, so that the
// scaling groups order new ones: the documented danger of this call.
func (a *alibaba) deleteNodes(c *acCall) (map[string]any, error) {
	t, err := a.deleteByName(c)
	if err != nil {
		return nil, err
	}
	return map[string]any{"cluster_id": t.cluster.ID, "task_id": t.id, "request_id": c.request}, nil
}

// removeNodes is RemoveClusterNodes, the deprecated form: the same, with nothing
// in the answer.
func (a *alibaba) removeNodes(c *acCall) (map[string]any, error) {
	_, err := a.deleteByName(c)
	return nil, err
}

func (a *alibaba) deleteByName(c *acCall) (*acTask, error) {
	var p struct {
		Nodes       []string `json:"nodes" ack:"required"`
		DrainNode   bool     `json:"drain_node"`
		ReleaseNode bool     `json:"release_node"`
	}
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	if err := acDecode(c.body, &p); err != nil {
		return nil, err
	}
	cl, err := a.visible(c)
	if err != nil {
		return nil, err
	}
	if len(p.Nodes) == 0 {
		return nil, acRefuse(acMissing, "nodes must name nodes")
	}
	nodes, err := acChoose(cl.nodes(), p.Nodes, func(n *acNode) string { return n.name })
	if err != nil {
		return nil, err
	}
	t := &acTask{
		cluster: cl, pool: nodes[0].pool, wide: true, release: p.ReleaseNode, refill: true,
		params: map[string]any{"nodes": p.Nodes, "drain_node": p.DrainNode, "release_node": p.ReleaseNode},
	}
	if slices.ContainsFunc(nodes, func(n *acNode) bool { return n.pool != t.pool }) {
		t.pool = nil
	}
	return t, a.remove(c, t, nodes, p.DrainNode)
}

// acChoose finds nodes by what names them. Which code an unknown node gets is not
// documented; the general one is used.
func acChoose(from []*acNode, names []string, by func(*acNode) string) ([]*acNode, error) {
	var out []*acNode
	for _, name := range names {
		i := slices.IndexFunc(from, func(n *acNode) bool { return name != "" && by(n) == name })
		switch {
		case i < 0:
			return nil, acRefuse(acInvalid, "node %q is not found", name)
		case from[i].pool.ID == "":
			return nil, acRefuse(acInvalid, "node %q is a master, which can't be removed", name)
		case slices.Contains(out, from[i]):
			return nil, acRefuse(acInvalid, "node %q is named twice", name)
		}
		out = append(out, from[i])
	}
	return out, nil
}

// remove starts a removal. A busy cluster is refused first, so the nodes are
// either in use or failed ones.
func (a *alibaba) remove(c *acCall, t *acTask, nodes []*acNode, drain bool) error {
	if err := a.ready(t.cluster, c.at); err != nil {
		return err
	}
	if err := a.refusedByFault(c); err != nil {
		return err
	}
	t.kind, t.stages, t.remove = kindNodeDelete, a.shrinkStages(drain), nodes
	a.start(c, t)
	return nil
}
