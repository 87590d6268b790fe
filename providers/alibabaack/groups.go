package alibabaack

import (
	"fmt"
	"slices"
	"strings"

	"scalebot/providers"
)

// phases are the cluster states of reference 3.1. An unlisted one is busy: a
// change waits for a state that is known to take it.
var phases = map[string]providers.Phase{
	"running":         providers.Ready,
	"scaling":         providers.Busy,
	"updating":        providers.Busy,
	"upgrading":       providers.Busy,
	"removing":        providers.Busy,
	"draining":        providers.Busy,
	"initial":         providers.Busy,
	"waiting":         providers.Blocked, // for a person to register it
	"updating_failed": providers.Blocked,
	"failed":          providers.Blocked,
	"disconnected":    providers.Blocked,
	"stopped":         providers.Blocked,
	"delete_failed":   providers.Blocked,
	"deleting":        providers.Gone,
	"deleted":         providers.Gone,
}

// The pool state that takes a change, and the one that never will again; the
// others are scaling, removing and updating.
const (
	poolActive   = "active"
	poolDeleting = "deleting"
)

// phaseOf joins the cluster's state with those of the pools that config names,
// or into which ScaleOutCluster is presumed to put nodes. Other pools don't hold
// a change up: their autoscalers may always be at work.
func phaseOf(state string, pools []pool, mine []namedGroup) (providers.Phase, string) {
	phase, listed := phases[strings.ToLower(state)]
	if !listed {
		phase = providers.Busy
	}
	for _, p := range pools {
		named := slices.ContainsFunc(mine, func(g namedGroup) bool { return concerns(g.id, p) })
		if !named || p.state == "" || strings.EqualFold(p.state, poolActive) {
			continue
		}
		state += fmt.Sprintf(", node pool %s %s", p.id, strings.ToLower(p.state))
		if phase == providers.Ready {
			phase = providers.Busy
		}
	}
	return phase, state
}

// concerns reports whether a group's new nodes go into a pool, as far as that is
// known.
func concerns(id string, p pool) bool {
	return id == p.id || p.isDefault && (id == allWorkers || id == ensWorkers)
}

// poolGroup is a pool with its nodes. The count is the pool's own, less the
// nodes on their way out.
func poolGroup(p pool, nodes []node) providers.Group {
	g := providers.Group{ID: p.id, Name: p.name, Count: p.count}
	for _, n := range nodes {
		if n.pool == p.id && !n.leaving && n.ID != "" {
			g.Nodes = append(g.Nodes, n.Node)
		}
	}
	return settle(g)
}

// belongs reports whether a node is one of the two cluster-wide groups.
func belongs(id string, n node) bool {
	return n.worker && !n.leaving && (id == allWorkers || !n.ecs)
}

// workerGroup is one of the two cluster-wide groups. Nodes are chosen for
// removal from the default pool only, where ScaleOutCluster is presumed to put
// them, or in a cluster without one, from those of no pool.
func workerGroup(id string, pools []pool, nodes []node) providers.Group {
	home := ""
	for _, p := range pools {
		if p.isDefault {
			home = p.id
		}
	}
	g := providers.Group{ID: id}
	for _, n := range nodes {
		if !belongs(id, n) {
			continue
		}
		g.Count++
		if n.ID == "" {
			continue // still being made: nobody can name it yet
		}
		one := n.Node
		if one.Keep == "" && n.pool != home {
			one.Keep = keepElsewhere
		}
		g.Nodes = append(g.Nodes, one)
	}
	return settle(g)
}

// settle orders the nodes and names their machine type if they have one only.
func settle(g providers.Group) providers.Group {
	slices.SortFunc(g.Nodes, func(a, b providers.Node) int { return strings.Compare(a.ID, b.ID) })
	for i, n := range g.Nodes {
		if i > 0 && n.InstanceType != g.InstanceType {
			g.InstanceType = ""
			break
		}
		g.InstanceType = n.InstanceType
	}
	return g
}

// warnings are what stands on the card of a change to a group.
func warnings(id string, pools []pool, mine []namedGroup) []providers.Text {
	var out []providers.Text
	for _, p := range pools {
		a := p.sdk.AutoScaling
		if a == nil || !value(a.Enable) || !concerns(id, p) {
			continue
		}
		out = append(out, providers.Text{
			EN: fmt.Sprintf("Autoscaling is on for node pool %s (%d to %d nodes): it may undo this change.", p.id, value(a.MinInstances), value(a.MaxInstances)),
			ZH: fmt.Sprintf("节点池 %s 已开启自动伸缩（%d 到 %d 个节点）：本次变更可能被其撤销。", p.id, value(a.MinInstances), value(a.MaxInstances)),
		})
	}
	for _, g := range mine {
		if g.id != id || g.form == poolForm {
			continue
		}
		t := providers.Text{
			EN: fmt.Sprintf("Group %s uses ScaleOutCluster, which Alibaba Cloud phases out in favour of node pools.", g.name),
			ZH: fmt.Sprintf("节点组 %s 使用 ScaleOutCluster 接口，阿里云正逐步下线该接口，建议改用节点池。", g.name),
		}
		if i := slices.IndexFunc(mine, func(o namedGroup) bool { return o.form == poolForm }); i >= 0 {
			t.EN += fmt.Sprintf(" Group %s (node pool %s) of this cluster is the better way.", mine[i].name, mine[i].id)
			t.ZH += fmt.Sprintf("本集群的节点组 %s（节点池 %s）是更好的选择。", mine[i].name, mine[i].id)
		}
		out = append(out, t)
	}
	return out
}
