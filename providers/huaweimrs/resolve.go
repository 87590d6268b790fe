package huaweimrs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// The bounds of the document's field instances: core and task nodes together
// are at most 500, and 3 core nodes stay.
const (
	maxNodes = 500
	minCore  = 3
)

func (p *provider) group(c providers.Change) (group, error) {
	g, ok := p.groups[groupKey{c.Cluster, c.Group}]
	if !ok {
		return group{}, refuse(
			fmt.Sprintf("Group %s of cluster %s is not in the config of account %s.", c.Group, c.Cluster, p.account.Name),
			fmt.Sprintf("账号 %s 的配置中没有集群 %s 的节点组 %s。", p.account.Name, c.Cluster, c.Group))
	}
	return g, nil
}

// Check judges the change against what UpdateClusterScaling can say at all.
func (p *provider) Check(c providers.Change) error {
	if _, err := p.group(c); err != nil {
		return err
	}
	switch {
	case !slices.Contains(scalable, c.GroupID):
		return refuse(
			fmt.Sprintf("MRS does not scale a group %s this way; core and task groups of analysis, streaming and hybrid clusters scale.", c.GroupID),
			fmt.Sprintf("MRS 不支持以此方式调整节点组 %s；仅支持分析、流式和混合集群的 core 和 task 组。", c.GroupID))
	case c.Delta == 0:
		return refuse("The amount is zero; name how many nodes to add or remove.", "数量为零，请写明要增加或减少的节点数。")
	case c.Delta > maxNodes || c.Delta < -maxNodes:
		return refuse(
			fmt.Sprintf("An MRS cluster has at most %d core and task nodes together; %d is out of that range.", maxNodes, c.Delta),
			fmt.Sprintf("MRS 集群的 core 与 task 节点总数最多 %d 个，%d 超出范围。", maxNodes, c.Delta))
	case c.Adds():
		return checkAdd(c)
	default:
		return checkRemove(c)
	}
}

func checkAdd(c providers.Change) error {
	switch c.Charge {
	case providers.Postpaid:
	case providers.Prepaid:
		return refuse(
			"MRS has no prepaid in this call: it names no term, it refuses yearly and monthly clusters (12000065), and task nodes are always paid by the hour. Use postpaid, or order in the console.",
			"此接口不支持包年包月：请求中没有购买时长，包年包月集群会被拒绝（12000065），task 节点始终按需计费。请使用 postpaid，或在控制台下单。")
	case providers.Spot:
		return refuse("MRS has no spot nodes: use postpaid.", "MRS 没有竞价节点：请使用 postpaid。")
	default:
		return refuse("The charge mode of MRS is postpaid.", "MRS 的计费模式是 postpaid。")
	}
	if c.Months != 0 || c.Renew {
		return refuse("A term and renew go with prepaid, which this call of MRS does not have.", "时长和 renew 仅用于包年包月，MRS 的此接口不支持。")
	}
	switch {
	case len(c.Nodes) > 0:
		return refuse("nodes= names nodes to remove; it does not go with adding.", "nodes= 用于指定要移除的节点，不能用于扩容。")
	case c.Drain != 0:
		return refuse("drain= is for removing nodes; leave it out when adding.", "drain= 仅用于缩容，扩容时请去掉。")
	case c.Zone != "" || len(c.Tags) > 0:
		return refuse(
			"MRS puts new nodes into the cluster's own zone and takes no tags in this call: leave zone= and tag= out.",
			"MRS 会将新节点放在集群所在可用区，且此接口不支持标签：请去掉 zone= 和 tag=。")
	case roleOf(c.GroupID) != task && (c.InstanceType != "" || len(c.Disks) > 0):
		return refuse(
			"New core nodes are always like the core nodes there are: leave spec= and disk= out.",
			"新增 core 节点的规格与现有 core 节点一致：请去掉 spec= 和 disk=。")
	case len(c.Disks) > 1:
		return refuse("All data disks of an MRS node are of one kind: give one disk=.", "MRS 节点的数据盘只能是同一种：请只写一个 disk=。")
	}
	for _, d := range c.Disks {
		if advice := new(nodeInfo).disk(d); !advice.IsZero() {
			return providers.Refusef(advice)
		}
	}
	return nil
}

func checkRemove(c providers.Change) error {
	if c.Charge != "" || c.Months != 0 || c.Renew || c.InstanceType != "" || len(c.Disks) > 0 || c.Zone != "" ||
		len(c.Tags) > 0 || c.Start != nil || c.Bootstrap != nil {
		return refuse(
			"Charge, spec, disk, zone, tag, start and bootstrap are for adding nodes; leave them out when removing.",
			"计费、spec、disk、zone、tag、start、bootstrap 仅用于扩容，缩容时请去掉。")
	}
	if c.Drain != 0 {
		return refuse(
			"MRS takes no time for draining: it decommissions core nodes by itself and stops task nodes at once. Leave drain= out.",
			"MRS 不支持指定 drain 时长：core 节点会自动退服，task 节点会直接停止。请去掉 drain=。")
	}
	n := len(c.Nodes)
	switch sorted := slices.Sorted(slices.Values(c.Nodes)); {
	case n == 0:
		return nil
	case roleOf(c.GroupID) != task:
		return refuse(
			"MRS itself picks which core nodes go; only task nodes can be named. Leave nodes= out.",
			"要移除的 core 节点由 MRS 自行选择，只有 task 节点可以指定。请去掉 nodes=。")
	case len(slices.Compact(sorted)) != n:
		return refuse("A node is named twice in nodes=.", "nodes= 中有重复的节点。")
	case n != -c.Delta:
		return refuse(
			fmt.Sprintf("The amount is %d, but nodes= names %d: make them equal.", c.Delta, n),
			fmt.Sprintf("数量为 %d，但 nodes= 指定了 %d 个节点：两者须一致。", c.Delta, n))
	}
	return nil
}

// Resolve fills in the profile, what the first nodes of an empty task group are,
// and the task nodes to remove. Core nodes to remove stay unnamed: the cloud
// picks them.
func (p *provider) Resolve(c providers.Change, s providers.Snapshot) (providers.Change, error) {
	if err := p.Check(c); err != nil {
		return c, err
	}
	g, err := p.group(c)
	if err != nil {
		return c, err
	}
	now, ok := s.Group(c.GroupID)
	switch {
	case !ok:
		return c, noGroup(c, s)
	case s.Charge == providers.Prepaid:
		return c, refuse(
			"The cluster is paid by the year or month, and MRS does not resize such a cluster by this call (12000065): use the console, which makes an order.",
			"该集群为包年包月，MRS 不支持通过此接口扩缩容（12000065）：请在控制台操作并下单。")
	}
	c.Profile = g.profile
	if !c.Adds() {
		return remove(c, now)
	}
	if total := scaled(s); total+c.Delta > maxNodes {
		return c, refuse(
			fmt.Sprintf("The cluster has %d core and task nodes and takes %d at most, so %d can be added.", total, maxNodes, max(maxNodes-total, 0)),
			fmt.Sprintf("集群现有 core 与 task 节点共 %d 个，上限 %d 个，最多还可增加 %d 个。", total, maxNodes, max(maxNodes-total, 0)))
	}
	if roleOf(c.GroupID) != task {
		return c, nil
	}
	return specify(c, now, g.params.first)
}

// specify settles what new task nodes are. The cloud wants to be told exactly
// when the group has none, and refuses to be told otherwise (12000123).
func specify(c providers.Change, now providers.Group, configured *nodeInfo) (providers.Change, error) {
	if now.Count > 0 {
		if c.InstanceType != "" || len(c.Disks) > 0 {
			return c, refuse(
				fmt.Sprintf("The group has nodes of type %s, and new ones are always the same: leave spec= and disk= out. They count only while the group is empty.", cmp.Or(now.InstanceType, "its own")),
				fmt.Sprintf("该组已有规格为 %s 的节点，新增节点规格相同：请去掉 spec= 和 disk=，它们仅在组内没有节点时有效。", cmp.Or(now.InstanceType, "既定")))
		}
		return c, nil
	}
	info, ok := firstNodes(c, configured)
	if !ok {
		return c, refuse(
			"The group has no nodes, so MRS must be told what the first ones are: add spec=TYPE disk=TYPE:GiBxN, or set task_node_info in the group's params.",
			"该组尚无节点，需告知 MRS 首批节点的规格：请加上 spec=规格 disk=类型:GiBx数量，或在该组 params 中设置 task_node_info。")
	}
	c.InstanceType, c.Disks = info.size, info.disks()
	return c, nil
}

// firstNodes is the configured node with what the command says over it; not ok
// where neither settles flavour and disks.
func firstNodes(c providers.Change, configured *nodeInfo) (info nodeInfo, ok bool) {
	if configured != nil {
		info = *configured
	}
	if c.InstanceType != "" {
		info.size = c.InstanceType
	}
	for _, d := range c.Disks {
		info.disk(d) // in range: Check
	}
	return info, info.size != "" && info.volumeCount > 0
}

// scaled is how many core and task nodes the cluster has.
func scaled(s providers.Snapshot) (n int) {
	for _, g := range s.Groups {
		if r := roleOf(g.ID); r == core || r == task {
			n += g.Count
		}
	}
	return n
}

func noGroup(c providers.Change, s providers.Snapshot) *providers.Error {
	var have []string
	for _, g := range s.Groups {
		have = append(have, g.ID)
	}
	list := strings.Join(have, ", ")
	return &providers.Error{Kind: providers.NotFound, Advice: providers.Text{
		EN: fmt.Sprintf("Cluster %s has no group %s; it has %s. Set node_group of the group in config to one of them.", c.Cluster, c.GroupID, cmp.Or(list, "none")),
		ZH: fmt.Sprintf("集群 %s 没有节点组 %s，现有：%s。请将配置中该组的 node_group 改为其中之一。", c.Cluster, c.GroupID, cmp.Or(list, "无")),
	}}
}

func remove(c providers.Change, now providers.Group) (providers.Change, error) {
	isCore := roleOf(c.GroupID) == core
	left := now.Count + c.Delta
	switch {
	case isCore && left < minCore:
		return c, refuse(
			fmt.Sprintf("MRS keeps at least %d core nodes: of %d, %d can be removed.", minCore, now.Count, max(now.Count-minCore, 0)),
			fmt.Sprintf("MRS 至少保留 %d 个 core 节点：现有 %d 个，最多可移除 %d 个。", minCore, now.Count, max(now.Count-minCore, 0)))
	case left < 0:
		return c, adapter.TooMany(c, now)
	case isCore:
		return c, nil
	}
	var err error
	c.Nodes, err = victims(c, now)
	return c, err
}

// victims are the nodes that go, chosen among those that run. MRS gives no time of
// creation; what it gives away is that a node was added after the cluster was made,
// by its name.
func victims(c providers.Change, g providers.Group) ([]string, error) {
	return adapter.Choice{
		Yields: func(keep string) bool { return strings.HasPrefix(keep, keepNotRunning) },
		First:  func(a, b providers.Node) int { return addedLater(b) - addedLater(a) },
		Short: func(free int) providers.Text {
			return providers.Text{
				EN: fmt.Sprintf("Only %d of the group's %d nodes run, and only such are chosen; name others with nodes=. The cluster's status shows which.", free, len(g.Nodes)),
				ZH: fmt.Sprintf("该组 %d 个节点中只有 %d 个在运行，系统只会选择运行中的节点；其他节点请用 nodes= 指定，详见集群状态。", len(g.Nodes), free),
			}
		},
	}.Victims(c, g)
}

// addedLater is 1 for a node that a resize made: its name holds node_orderadd, in
// the document's example as node-orderadd-TBvSr.com.
func addedLater(n providers.Node) int {
	if strings.Contains(strings.ReplaceAll(strings.ToLower(n.Name), "_", "-"), "node-orderadd") {
		return 1
	}
	return 0
}
