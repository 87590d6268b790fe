package alibabaack

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// difference is what became of a change's group since the baseline.
type difference struct {
	before, now int
	fresh       []node            // in the group and not in the baseline; a claim narrows it to the task's own
	leaving     int               // of the nodes to remove, those that are gone or on their way out
	changed     []providers.Node  // joined (Ready), or left
	failed      map[string]string // by the task's results: nodes that came to nothing
	claimed     bool              // the task said which nodes are its own
}

// wide reports whether a change's group is one of those that span all pools.
func wide(c providers.Change) bool { return c.GroupID == allWorkers || c.GroupID == ensWorkers }

// look reads the group's nodes as they are now.
func (p *provider) look(ctx context.Context, sub providers.Submission) (*difference, error) {
	c := sub.Change
	filter := c.GroupID
	if wide(c) {
		filter = ""
	}
	nodes, err := p.nodes(ctx, c.ClusterID, filter)
	if err != nil {
		return nil, err
	}
	d := new(difference)
	if !wide(c) {
		pools, err := p.pools(ctx, c.ClusterID)
		if err != nil {
			return nil, err
		}
		for _, pool := range pools {
			if pool.id == c.GroupID {
				d.now = pool.count
			}
		}
	}
	listed := map[string]node{}
	was, _ := sub.Baseline.Group(c.GroupID)
	old := map[string]bool{}
	for _, n := range was.Nodes {
		old[n.ID] = true
	}
	for _, n := range nodes {
		if wide(c) && belongs(c.GroupID, n) {
			d.now++
		}
		if n.ID == "" || wide(c) && !belongs(c.GroupID, n) && !n.leaving || !wide(c) && n.pool != c.GroupID {
			continue
		}
		listed[n.ID] = n
		if !old[n.ID] && !n.leaving {
			d.fresh = append(d.fresh, n)
		}
	}
	d.before = was.Count
	if c.Adds() {
		d.joined()
		return d, nil
	}
	gone := map[string]bool{}
	for _, id := range c.Nodes {
		n, still := listed[id]
		if !still {
			gone[id] = true
		}
		if !still || n.leaving {
			d.leaving++
		}
	}
	for _, n := range was.Nodes {
		if gone[n.ID] {
			d.changed = append(d.changed, n)
		}
	}
	return d, nil
}

// joined: ECS running is not enough, the node must be Ready in Kubernetes.
func (d *difference) joined() {
	d.changed = nil
	for _, n := range d.fresh {
		if n.ready {
			d.changed = append(d.changed, n.Node)
		}
	}
}

// claim narrows the new nodes to those that the task names as its own, so that
// another's nodes are never taken for ours (and given back for ours at the end
// of a temporary change).
func (d *difference) claim(t *sdkTask, c providers.Change) {
	if !c.Adds() {
		return
	}
	results := map[string]bool{}
	for _, r := range t.TaskResult {
		if r == nil || value(r.Data) == "" {
			continue
		}
		results[*r.Data] = true
		if is(r.Status, stemFail) {
			if d.failed == nil {
				d.failed = map[string]string{}
			}
			d.failed[*r.Data] = value(r.Status)
		}
	}
	if len(results) == 0 {
		return
	}
	d.claimed = true
	var own []node
	for _, n := range d.fresh {
		if results[n.ID] || results[n.Name] {
			own = append(own, n)
		}
	}
	d.fresh = own
	d.joined()
}

// crowded: more new nodes than were asked for, and nothing says which are ours.
func (d *difference) crowded(c providers.Change) bool {
	return c.Adds() && !d.claimed && len(d.fresh) > c.Delta
}

// complete: everything that was asked for is there, or gone.
func (d *difference) complete(c providers.Change) bool {
	return !d.crowded(c) && len(d.changed) >= size(c)
}

// exact is the proof that a change was taken: exactly its nodes are there, Ready
// or not, or every one of its nodes is gone or going.
func (d *difference) exact(c providers.Change) bool {
	if c.Adds() {
		return len(d.fresh) == c.Delta && d.now >= d.before+c.Delta
	}
	return len(c.Nodes) > 0 && d.leaving == len(c.Nodes)
}

// hopeful: what is missing may still come.
func (d *difference) hopeful(c providers.Change) bool {
	if !c.Adds() {
		return true
	}
	lost := len(d.failed)
	for _, n := range d.fresh {
		if n.broken != "" && d.failed[n.ID] == "" {
			lost++
		}
	}
	return !d.crowded(c) && len(d.changed)+lost < c.Delta
}

// short is how a change that ended is not what was asked for.
func (d *difference) short(c providers.Change) string {
	if d.crowded(c) {
		return fmt.Sprintf("%d nodes are new where %d were asked for, and the cloud does not say which are this change's", len(d.fresh), c.Delta)
	}
	return fmt.Sprintf("%d of %d nodes have %s", len(d.changed), size(c), adapter.JoinedOrLeft(c))
}

// ours reports whether new nodes may be taken for those of the change: they are
// what its task names, or no more than it asked for of its own pool.
func (d *difference) ours(c providers.Change) bool {
	return c.Adds() && (d.claimed || !wide(c) && !d.crowded(c))
}

// useless are the nodes that the change made and that never joined: none where
// nothing says that it was this change that made them.
func (d *difference) useless(c providers.Change) []providers.Node {
	if !d.ours(c) {
		return nil
	}
	var out []providers.Node
	shown := map[string]bool{}
	for _, n := range d.fresh {
		shown[n.ID] = true
		if !n.ready {
			out = append(out, n.Node)
		}
	}
	ids := map[string]bool{}
	for id := range d.failed {
		ids[id] = !shown[id]
	}
	for _, id := range sorted(ids) {
		if ids[id] {
			out = append(out, providers.Node{ID: id})
		}
	}
	return out
}

// progress is the difference as Follow shows it, still running.
func (d *difference) progress(c providers.Change) providers.Progress {
	pr := providers.Progress{State: providers.Running, Count: d.now, Changed: d.changed}
	pr.Percent = min(99, 100*len(d.changed)/max(size(c), 1))
	if d.crowded(c) {
		pr.Changed = nil
		pr.Attention = providers.Text{
			EN: fmt.Sprintf("%d nodes are new where %d were asked for, and Alibaba Cloud does not say which belong to this change.", len(d.fresh), c.Delta),
			ZH: fmt.Sprintf("新增了 %d 个节点，而请求为 %d 个，阿里云未说明哪些属于本次变更。", len(d.fresh), c.Delta),
		}
	}
	return pr
}

// numberOf reads a number of undocumented parameters.
func numberOf(v any) (int, bool) {
	n, err := strconv.ParseFloat(strings.Trim(fmt.Sprint(v), `"`), 64)
	return int(n), err == nil
}

// mentions reports whether a value of whatever type names all ids.
func mentions(v any, ids []string) bool {
	b, err := json.Marshal(v)
	if err != nil {
		return false
	}
	for _, id := range ids {
		if !strings.Contains(string(b), id) {
			return false
		}
	}
	return true
}
