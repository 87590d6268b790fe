package adapter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"scalebot/providers"
)

// JoinedOrLeft is what a change's nodes have done.
func JoinedOrLeft(c providers.Change) string {
	if c.Adds() {
		return "joined"
	}
	return "left"
}

// JoinedOrLeftZH is JoinedOrLeft in Chinese.
func JoinedOrLeftZH(c providers.Change) string {
	if c.Adds() {
		return "加入"
	}
	return "移除"
}

// Choice is how a cloud's nodes are chosen for removal.
type Choice struct {
	// Yields reports whether a node that is kept for this reason goes all the same
	// when a person names it.
	Yields func(keep string) bool
	// First orders the nodes that may be chosen: those that go first come first. Of
	// equal ones the higher id goes, so that two replicas choose alike. Nil = the
	// newest first, since older nodes hold more shuffle data and caches.
	First func(a, b providers.Node) int
	// Short is what to say when fewer nodes than asked for may be chosen.
	Short func(free int) providers.Text
}

// Victims checks the nodes that the change names, or chooses as many as it asks
// for. Sorted by id.
func (w Choice) Victims(c providers.Change, g providers.Group) ([]string, error) {
	if len(c.Nodes) > 0 {
		return w.named(c, g)
	}
	var free []providers.Node
	for _, n := range g.Nodes {
		if n.Keep == "" {
			free = append(free, n)
		}
	}
	want := -c.Delta
	if len(free) < want {
		return nil, providers.Refusef(w.Short(len(free)))
	}
	first := w.First
	if first == nil {
		first = func(a, b providers.Node) int { return b.Created.Compare(a.Created) }
	}
	slices.SortFunc(free, func(a, b providers.Node) int {
		return cmp.Or(first(a, b), strings.Compare(b.ID, a.ID))
	})
	ids := make([]string, want)
	for i := range want {
		ids[i] = free[i].ID
	}
	slices.Sort(ids)
	return ids, nil
}

func (w Choice) named(c providers.Change, g providers.Group) ([]string, error) {
	ids := slices.Sorted(slices.Values(c.Nodes))
	for _, id := range ids {
		i := slices.IndexFunc(g.Nodes, func(n providers.Node) bool { return n.ID == id })
		if i < 0 {
			return nil, &providers.Error{Kind: providers.NotFound, Advice: providers.Text{
				EN: fmt.Sprintf("Node %s is not in group %s of cluster %s: look at its status for the nodes there are.", id, c.Group, c.Cluster),
				ZH: fmt.Sprintf("节点 %s 不在集群 %s 的 %s 组中：请查看集群状态中的现有节点。", id, c.Cluster, c.Group),
			}}
		}
		if keep := g.Nodes[i].Keep; keep != "" && !w.Yields(keep) {
			return nil, providers.Refusef(providers.Text{
				EN: fmt.Sprintf("Node %s must stay: %s.", id, keep),
				ZH: fmt.Sprintf("节点 %s 不能移除：%s。", id, keep),
			})
		}
	}
	return ids, nil
}

// TooMany refuses a removal of more nodes than there are.
func TooMany(c providers.Change, now providers.Group) error {
	return providers.Refusef(providers.Text{
		EN: fmt.Sprintf("The group has %d nodes, so %d can't be removed.", now.Count, -c.Delta),
		ZH: fmt.Sprintf("该组只有 %d 个节点，无法移除 %d 个。", now.Count, -c.Delta),
	})
}
