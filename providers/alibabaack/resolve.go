package alibabaack

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const (
	// maxAdd is the most nodes of one ScaleClusterNodePool (reference 4.1).
	maxAdd = 500
	// maxRemove keeps the list of ids, which is one text in the URL, at a length
	// that every gateway takes (reference section 5).
	maxRemove = 50
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

// Check judges the change against what the group's form can say at all.
func (p *provider) Check(c providers.Change) error {
	g, err := p.group(c)
	if err != nil {
		return err
	}
	switch {
	case c.GroupID != g.id:
		return refuse(
			fmt.Sprintf("Group %s of cluster %s is now %s in config, not %s: ask again.", c.Group, c.Cluster, g.id, c.GroupID),
			fmt.Sprintf("配置中集群 %s 的节点组 %s 现为 %s，而不是 %s：请重新发起。", c.Cluster, c.Group, g.id, c.GroupID))
	case c.Delta == 0:
		return refuse("The amount is zero; name how many nodes to add or remove.", "数量为零，请写明要增加或减少的节点数。")
	case c.Delta > math.MaxInt32 || c.Delta < -math.MaxInt32:
		return refuse("The amount is far out of any range.", "数量超出任何合理范围。")
	case c.Adds():
		return checkAdd(c, g)
	default:
		return checkRemove(c)
	}
}

func checkAdd(c providers.Change, g group) error {
	if err := checkCharge(c, g); err != nil {
		return err
	}
	switch {
	case g.form == poolForm && c.Delta > maxAdd:
		return refuse(
			fmt.Sprintf("A node pool takes at most %d nodes at once; ask in steps.", maxAdd),
			fmt.Sprintf("节点池一次最多增加 %d 个节点，请分步进行。", maxAdd))
	case len(c.Nodes) > 0:
		return refuse("nodes= names nodes to remove; it does not go with adding.", "nodes= 用于指定要移除的节点，不能用于扩容。")
	case c.Drain != 0:
		return refuse("drain= is for removing nodes; leave it out when adding.", "drain= 仅用于缩容，扩容时请去掉。")
	case c.Start != nil || c.Bootstrap != nil:
		return refuse("ACK has no start and bootstrap options; leave them out.", "ACK 不支持 start 与 bootstrap 选项，请去掉。")
	case c.Zone != "":
		return refuse(
			"ACK takes zones by vSwitch: leave zone= out and set the vSwitches of the node pool, or vswitch_ids of the group.",
			"ACK 通过交换机决定可用区：请去掉 zone=，并设置节点池的交换机或该组的 vswitch_ids。")
	}
	switch g.form {
	case poolForm:
		if c.InstanceType != "" || len(c.Disks) > 0 || len(c.Tags) > 0 {
			return refuse(
				"New nodes take machine type, disks and tags from their node pool: leave spec=, disk= and tag= out.",
				"新节点的机型、云盘和标签由节点池决定：请去掉 spec=、disk= 和 tag=。")
		}
	case edgeForm:
		if len(c.Disks) > 0 || len(c.Tags) > 0 {
			return refuse(
				"Edge nodes take no disk= and no tag=: their data disk is worker_data_disk_size in the group's params.",
				"边缘节点不支持 disk= 和 tag=：数据盘由该组 params 中的 worker_data_disk_size 决定。")
		}
	case workerForm:
		if c.InstanceType == "" && len(g.params.texts("worker_instance_types")) == 0 {
			return refuse(
				"No machine type is configured for this group: add spec=TYPE, or worker_instance_types to its params.",
				"该节点组未配置机型：请加上 spec=机型，或在其 params 中添加 worker_instance_types。")
		}
		if err := checkDisks(c.Disks); err != nil {
			return err
		}
		for k, v := range c.Tags {
			if why := badTag(k, v); why.EN != "" {
				return providers.Refusef(why)
			}
		}
	}
	return nil
}

func checkCharge(c providers.Change, g group) error {
	switch c.Charge {
	case providers.Postpaid, providers.Prepaid:
	case providers.Spot:
		if g.form != poolForm {
			return refuse(
				"This call of ACK buys no spot nodes: use a node pool whose scaling group is set to spot.",
				"该接口不支持竞价实例：请使用伸缩组设置为竞价实例的节点池。")
		}
	default:
		return refuse("The charge mode must be postpaid, prepaid or spot.", "计费模式必须是 postpaid、prepaid 或 spot。")
	}
	if c.Charge == providers.Prepaid {
		if !slices.Contains(periods, c.Months) {
			return refuse(
				fmt.Sprintf("Prepaid needs a term of %s months, for example prepaid 1m; %d is none of them.", numbers(periods), c.Months),
				fmt.Sprintf("prepaid 的时长须为 %s 个月，例如 prepaid 1m；%d 不在其中。", numbers(periods), c.Months))
		}
	} else if c.Months != 0 || c.Renew {
		return refuse("A term and renew go with prepaid only.", "时长和 renew 只能与 prepaid 一起使用。")
	}
	return nil
}

func checkDisks(disks []providers.Disk) error {
	total := 0
	for _, d := range disks {
		if d.Type == "" || d.SizeG < minDataDisk || d.SizeG > maxDataDisk || d.Count < 1 || d.Count > maxDisks {
			return refuse(
				fmt.Sprintf("A disk is TYPE:GiBxN with %d to %d GiB, for example disk=cloud_essd:200x2.", minDataDisk, maxDataDisk),
				fmt.Sprintf("云盘写作 类型:GiBx数量，大小为 %d 到 %d GiB，例如 disk=cloud_essd:200x2。", minDataDisk, maxDataDisk))
		}
		total += d.Count
	}
	if total > maxDisks {
		return refuse(
			fmt.Sprintf("A node takes at most %d data disks, not %d.", maxDisks, total),
			fmt.Sprintf("每个节点最多 %d 块数据盘，而不是 %d 块。", maxDisks, total))
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
	if -c.Delta > maxRemove {
		return refuse(
			fmt.Sprintf("At most %d nodes can be removed at once; ask in steps.", maxRemove),
			fmt.Sprintf("一次最多移除 %d 个节点，请分步进行。", maxRemove))
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
	return nil
}

// Resolve fills in how the new nodes will really be paid for, the nodes to
// remove, and the profile.
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
			EN: fmt.Sprintf("Cluster %s has no node pool %s: check node_pool of group %s in config.", c.Cluster, c.GroupID, c.Group),
			ZH: fmt.Sprintf("集群 %s 没有节点池 %s：请检查配置中节点组 %s 的 node_pool。", c.Cluster, c.GroupID, c.Group),
		}}
	}
	if f, ok := fact(s, c.GroupID); ok && f.State == poolDeleting {
		return c, refuse(
			fmt.Sprintf("Node pool %s is being deleted; point group %s at another one.", c.GroupID, c.Group),
			fmt.Sprintf("节点池 %s 正在删除；请将节点组 %s 指向其他节点池。", c.GroupID, c.Group))
	}
	c.Profile = g.profile
	if !c.Adds() {
		if left := now.Count + c.Delta; left < 0 {
			return c, adapter.TooMany(c, now)
		}
		c.Nodes, err = victims(c, s, now)
		return c, err
	}
	switch g.form {
	case poolForm:
		return poolTerms(c, s)
	case edgeForm:
		if profile := s.Facts[factProfile]; profile != "" && profile != "Edge" {
			return c, refuse(
				fmt.Sprintf("Cluster %s is no edge cluster (its profile is %s), so it takes no ENS nodes.", c.Cluster, profile),
				fmt.Sprintf("集群 %s 不是边缘集群（profile 为 %s），不支持 ENS 节点。", c.Cluster, profile))
		}
	case workerForm:
		if v := s.Facts[factVersion]; g.params.text("cpu_policy") == "static" && older(v, 1, 12, 6) {
			return c, refuse(
				fmt.Sprintf("cpu_policy: static needs Kubernetes 1.12.6; the cluster has %s.", v),
				fmt.Sprintf("cpu_policy: static 需要 Kubernetes 1.12.6，而集群版本为 %s。", v))
		}
	}
	return ownTerms(c, g), nil
}

// poolTerms takes charge, term and renewal from the pool: the call has no field
// for them, so anything else in the plan would be untrue. postpaid is what a
// command without a word on it says, so it gives way; a wish that the pool does
// not have is refused.
func poolTerms(c providers.Change, s providers.Snapshot) (providers.Change, error) {
	f, ok := fact(s, c.GroupID)
	if !ok {
		return c, refuse(
			fmt.Sprintf("How nodes of pool %s are paid for is not known; ask again.", c.GroupID),
			fmt.Sprintf("无法获知节点池 %s 的计费方式，请重新发起。", c.GroupID))
	}
	no := func(en, zh string) (providers.Change, error) {
		return c, refuse(
			fmt.Sprintf("Node pool %s buys its nodes %s, whatever the command says: ask without it, or change the pool in the ACK console.", c.GroupID, en),
			fmt.Sprintf("节点池 %s 的新节点按“%s”购买，命令无法改变：请去掉该选项，或在 ACK 控制台修改节点池。", c.GroupID, zh))
	}
	switch {
	case f.Charge == providers.Prepaid && f.Months == 0, f.Charge == providers.Prepaid && !slices.Contains(periods, f.Months):
		return c, refuse(
			fmt.Sprintf("Node pool %s buys its nodes prepaid for %s, a term that scalebot can't plan with; change the pool in the ACK console.", c.GroupID, f.Term),
			fmt.Sprintf("节点池 %s 的新节点为包年包月 %s，scalebot 不支持该时长；请在 ACK 控制台修改节点池。", c.GroupID, f.Term))
	case c.Charge == providers.Spot && f.Charge != providers.Spot, c.Charge == providers.Prepaid && f.Charge != providers.Prepaid:
		en, zh := chargeWords(f)
		return no(en, zh)
	case c.Charge == providers.Prepaid && (c.Months != f.Months || c.Renew && !f.Renew):
		en, zh := chargeWords(f)
		return no(en, zh)
	}
	c.Charge = cmp.Or(f.Charge, c.Charge)
	c.Months, c.Renew = 0, false
	if c.Charge == providers.Prepaid {
		c.Months, c.Renew = f.Months, f.Renew
	}
	return c, nil
}

func chargeWords(f poolFact) (en, zh string) {
	switch f.Charge {
	case providers.Prepaid:
		en, zh = "prepaid for "+f.Term, "包年包月 "+strconv.Itoa(f.Months)+" 个月"
		if f.Renew {
			return en + " with renewal", zh + "、自动续费"
		}
		return en + " without renewal", zh + "、不自动续费"
	case providers.Spot:
		return "as spot", "竞价实例"
	case providers.Postpaid:
		return "postpaid", "按量付费"
	}
	return "in its own way", "自有方式"
}

// ownTerms settles the terms of the two calls that carry them. A command that
// says prepaid says the term; else the params do, and ENS nodes are prepaid in
// any case. Renewal holds when either of the two asks for it.
func ownTerms(c providers.Change, g group) providers.Change {
	prepaid := g.form == edgeForm || g.params.text("worker_instance_charge_type") == prePaid
	if c.Charge == providers.Postpaid && prepaid {
		c.Charge, c.Months = providers.Prepaid, max(g.params.number("worker_period"), 1)
	}
	if c.Charge == providers.Prepaid {
		c.Renew = c.Renew || g.params.flag("worker_auto_renew", false)
	}
	return c
}

// older compares a version such as 1.12.3-aliyun.1; one that can't be read is
// left to the cloud.
func older(version string, want ...int) bool {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	for i, part := range strings.Split(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || i >= len(want) {
			return false
		}
		if n != want[i] {
			return n < want[i]
		}
	}
	return false
}

// victims are the nodes that go. All are in one pool, because one call removes from
// one pool.
func victims(c providers.Change, s providers.Snapshot, g providers.Group) ([]string, error) {
	ids, err := adapter.Choice{
		Yields: func(keep string) bool { return slices.Contains(named, keep) },
		Short: func(free int) providers.Text {
			return providers.Text{
				EN: fmt.Sprintf("Only %d of the group's %d nodes may be chosen; the others are prepaid, foreign or in a pool of their own. Name them with nodes= to remove them all the same.", free, g.Count),
				ZH: fmt.Sprintf("该组 %d 个节点中只有 %d 个可自动选择，其余为包年包月、非阿里云机器或属于其他节点池；如需移除请用 nodes= 指定。", g.Count, free),
			}
		},
	}.Victims(c, g)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if poolOf(s, id) != poolOf(s, ids[0]) {
			return nil, refuse(
				fmt.Sprintf("Nodes %s and %s are in different node pools, and one call removes from one pool: ask for each pool by itself.", ids[0], id),
				fmt.Sprintf("节点 %s 与 %s 属于不同节点池，一次只能移除同一节点池的节点：请分别发起。", ids[0], id))
		}
	}
	return ids, nil
}
