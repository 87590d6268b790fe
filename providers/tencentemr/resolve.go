package tencentemr

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// minCore is our floor for core nodes. The service documents none; a cluster
// without any core node has no HDFS data left, and a config's min is the place
// for a higher one that fits the replication.
const minCore = 1

// prepaidMonths are the terms that InstanceChargePrepaid.Period takes.
var prepaidMonths = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24, 36, 48, 60}

func (p *provider) group(c providers.Change) (group, error) {
	g, ok := p.groups[groupKey{c.Cluster, c.Group}]
	if !ok {
		return group{}, refuse(
			fmt.Sprintf("Group %s of cluster %s is not in the config of account %s.", c.Group, c.Cluster, p.account.Name),
			fmt.Sprintf("账号 %s 的配置中没有集群 %s 的节点组 %s。", p.account.Name, c.Cluster, c.Group))
	}
	return g, nil
}

// Check judges the change against what ScaleOutCluster, TerminateClusterNodes
// and TerminateTasks can say at all.
func (p *provider) Check(c providers.Change) error {
	g, err := p.group(c)
	if err != nil {
		return err
	}
	if !slices.Contains(nodeTypes, c.GroupID) {
		return refuse(
			fmt.Sprintf("Tencent EMR has no node type %s: task, core, master, router or common.", c.GroupID),
			fmt.Sprintf("腾讯云 EMR 没有节点类型 %s：可用 task、core、master、router、common。", c.GroupID))
	}
	switch {
	case c.Delta == 0:
		return refuse("The amount is zero; name how many nodes to add or remove.", "数量为零，请写明要增加或减少的节点数。")
	case c.Delta > math.MaxInt32 || c.Delta < -math.MaxInt32:
		return refuse("The amount is far out of any range.", "数量超出任何合理范围。")
	case c.GroupID == common:
		return refuse("Common nodes can't be scaled; task, core and router can.", "common 节点不支持扩缩容；可用 task、core、router。")
	case c.Adds():
		return checkAdd(c, g)
	default:
		return checkRemove(c, g)
	}
}

func checkAdd(c providers.Change, g group) error {
	switch c.Charge {
	case providers.Postpaid, providers.Prepaid:
	case providers.Spot:
		if c.GroupID != task {
			return refuse("Spot is for task nodes only: use postpaid or prepaid.", "spot 仅限 task 节点：请使用 postpaid 或 prepaid。")
		}
	default:
		return refuse("The charge mode must be postpaid, prepaid or spot.", "计费模式必须是 postpaid、prepaid 或 spot。")
	}
	if c.Charge == providers.Prepaid {
		if !slices.Contains(prepaidMonths, c.Months) {
			return refuse(
				fmt.Sprintf("Prepaid needs a term of 1–12, 24, 36, 48 or 60 months, for example prepaid 1m; %d is none of them.", c.Months),
				fmt.Sprintf("prepaid 的时长须为 1–12、24、36、48 或 60 个月，例如 prepaid 1m；%d 不在其中。", c.Months))
		}
	} else if c.Months != 0 || c.Renew {
		return refuse("A term and renew go with prepaid only.", "时长和 renew 只能与 prepaid 一起使用。")
	}
	switch {
	case len(c.Nodes) > 0:
		return refuse("nodes= names nodes to remove; it does not go with adding.", "nodes= 用于指定要移除的节点，不能用于扩容。")
	case c.Drain != 0:
		return refuse("drain= is for removing nodes; leave it out when adding.", "drain= 仅用于缩容，扩容时请去掉。")
	case c.Bootstrap != nil && *c.Bootstrap && len(g.params.ScriptBootstrapActionConfig) == 0:
		return refuse(
			"No bootstrap script is configured for this group: add script_bootstrap_action_config to its params, or leave bootstrap out.",
			"该节点组未配置引导脚本：请在其 params 中添加 script_bootstrap_action_config，或去掉 bootstrap。")
	}
	if err := checkDisks(c, g); err != nil {
		return err
	}
	// A subnet lies in one zone. Sending it with another one only fails later,
	// in the cloud's words.
	if c.Zone != "" && g.params.SubnetId != nil && c.Zone != value(g.params.Zone) {
		return refuse(
			fmt.Sprintf("The group's params name subnet %s, which lies in one zone: zone=%s can't be used with it.", value(g.params.SubnetId), c.Zone),
			fmt.Sprintf("该节点组的 params 指定了子网 %s，子网只属于一个可用区，不能与 zone=%s 同用。", value(g.params.SubnetId), c.Zone))
	}
	for k := range c.Tags {
		if strings.TrimSpace(k) == "" {
			return refuse("A tag needs a name: tag=NAME=VALUE.", "标签需要名称：tag=名称=值。")
		}
	}
	return nil
}

func checkDisks(c providers.Change, g group) error {
	if len(c.Disks) == 0 {
		return nil
	}
	if c.InstanceType == "" && g.params.ResourceSpec == nil {
		return refuse(
			"disk= needs a machine type too, because the cluster's default spec brings its own disks: add spec=TYPE.",
			"disk= 需同时指定机型，因为集群默认规格自带云盘：请加上 spec=机型。")
	}
	total := 0
	for _, d := range c.Disks {
		if d.Type == "" || d.SizeG < 1 || d.Count < 1 || d.Count > maxDataDisks {
			return refuse(
				fmt.Sprintf("A disk is TYPE:GiBxN with a size and a number from 1, and at most %d disks, for example disk=CLOUD_SSD:200x2.", maxDataDisks),
				fmt.Sprintf("云盘写作 类型:GiBx数量，大小与数量从 1 起，最多 %d 块，例如 disk=CLOUD_SSD:200x2。", maxDataDisks))
		}
		total += d.Count
	}
	if total > maxDataDisks {
		return refuse(
			fmt.Sprintf("A node takes at most %d data disks, not %d.", maxDataDisks, total),
			fmt.Sprintf("每个节点最多 %d 块数据盘，而不是 %d 块。", maxDataDisks, total))
	}
	return nil
}

func checkRemove(c providers.Change, g group) error {
	if c.GroupID == master {
		return refuse("Master nodes can't be removed: the cluster needs all it has.", "master 节点不支持缩容：集群需要全部 master 节点。")
	}
	if c.Charge != "" || c.Months != 0 || c.Renew || c.InstanceType != "" || len(c.Disks) > 0 || c.Zone != "" ||
		len(c.Tags) > 0 || c.Start != nil || c.Bootstrap != nil {
		return refuse(
			"Charge, spec, disk, zone, tag, start and bootstrap are for adding nodes; leave them out when removing.",
			"计费、spec、disk、zone、tag、start、bootstrap 仅用于扩容，缩容时请去掉。")
	}
	if n := len(c.Nodes); n > 0 {
		sorted := slices.Sorted(slices.Values(c.Nodes))
		if len(slices.Compact(sorted)) != n {
			return refuse("A node is named twice in nodes=.", "nodes= 中有重复的节点。")
		}
		if n != -c.Delta {
			return refuse(
				fmt.Sprintf("The amount is %d, but nodes= names %d: make them equal.", c.Delta, n),
				fmt.Sprintf("数量为 %d，但 nodes= 指定了 %d 个节点：两者须一致。", c.Delta, n))
		}
	}
	if g.params.usesTerminateTasks() {
		switch {
		case c.GroupID != task:
			return refuse("This group is set to TerminateTasks, which removes task nodes only.", "该组配置为 TerminateTasks，仅支持移除 task 节点。")
		case c.Drain != 0:
			return refuse(
				"This group is set to TerminateTasks, which can't let work finish first: leave drain= out, or set terminate_api to "+terminateNodes+".",
				"该组配置为 TerminateTasks，不支持优雅下线：请去掉 drain=，或将 terminate_api 设为 "+terminateNodes+"。")
		}
		return nil
	}
	if d := c.Drain; d != 0 && (d < minGrace*time.Second || d > maxGrace*time.Second || d%time.Second != 0) {
		return refuse(
			fmt.Sprintf("drain=%s is out of the service's range: 1m to 30m, in whole seconds.", d),
			fmt.Sprintf("drain=%s 超出服务范围：1m 到 30m，以整秒计。", d))
	}
	return nil
}

// Resolve fills in the nodes to remove and the profile.
func (p *provider) Resolve(c providers.Change, s providers.Snapshot) (providers.Change, error) {
	if err := p.Check(c); err != nil {
		return c, err
	}
	g, err := p.group(c)
	if err != nil {
		return c, err
	}
	now, ok := s.Group(c.GroupID)
	if !ok {
		return c, &providers.Error{Kind: providers.NotFound, Advice: providers.Text{
			EN: fmt.Sprintf("Cluster %s has no %s nodes and no such group.", c.Cluster, strings.ToLower(c.GroupID)),
			ZH: fmt.Sprintf("集群 %s 没有 %s 节点组。", c.Cluster, strings.ToLower(c.GroupID)),
		}}
	}
	c.Profile = g.profile
	if c.Adds() {
		return c, nil
	}
	left := now.Count + c.Delta
	switch {
	case left < 0:
		return c, adapter.TooMany(c, now)
	case c.GroupID == core && left < minCore:
		return c, refuse(
			fmt.Sprintf("At least %d core node must stay: it holds the cluster's data. %d can be removed.", minCore, now.Count-minCore),
			fmt.Sprintf("至少保留 %d 个 core 节点（存放集群数据），最多可移除 %d 个。", minCore, now.Count-minCore))
	}
	c.Nodes, err = victims(c, now)
	return c, err
}

// victims are the nodes that go. Such as autoscaling made go when they are named.
func victims(c providers.Change, g providers.Group) ([]string, error) {
	return adapter.Choice{
		Yields: func(keep string) bool { return keep == keepAutoscaled },
		Short: func(free int) providers.Text {
			return providers.Text{
				EN: fmt.Sprintf("Only %d of the group's %d nodes may be removed; the others are prepaid, protected or made by autoscaling. The cluster's status shows which.", free, len(g.Nodes)),
				ZH: fmt.Sprintf("该组 %d 个节点中只有 %d 个可移除，其余为包年包月、受保护或由自动伸缩创建，详见集群状态。", len(g.Nodes), free),
			}
		},
	}.Victims(c, g)
}
