package cloudsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// beijing is the zone of all times in this API's answers.
var beijing = time.FixedZone("CST", 8*60*60)

func tcTime(at time.Time) string { return at.In(beijing).Format(time.DateTime) }

// tcNever is how a node without an end of term shows ExpireTime.
const tcNever = "0000-00-00 00:00:00"

// page cuts a list the way this API pages: Offset is the number of the page,
// the first being 0, not the number of the first record.
func page[T any](list []T, offset, limit int64) []T {
	from := min(max(offset, 0)*limit, int64(len(list)))
	return list[from:min(from+limit, int64(len(list)))]
}

// pageSize checks Limit against the documented maximum of 100.
func pageSize(limit *int64, usual int64) (int64, error) {
	if limit == nil {
		return usual, nil
	}
	if *limit < 1 || *limit > 100 {
		return 0, refuse(codeInvalid, "Limit must be between 1 and 100, got %d", *limit)
	}
	return *limit, nil
}

// listed are the clusters a caller may see under a display strategy.
func (t *tencent) listed(c *tencentCall, strategy string) ([]*tcCluster, error) {
	hidden := []int{-2, 201}
	switch strategy {
	case "clusterList":
	case "monitorManage":
		hidden = append(hidden, 0, 3, 301)
	default:
		return nil, refuse(codeInvalid, "DisplayStrategy `%s` is not valid", strategy)
	}
	var out []*tcCluster
	for _, cl := range t.clusters {
		if cl.Account == c.account && cl.Region == c.region && !slices.Contains(hidden, t.statusOf(cl, c.at)) {
			out = append(out, cl)
		}
	}
	return out, nil
}

// describeInstances is DescribeInstances. Without ProjectId it shows clusters of
// the default project only, with -1 those of all; an unknown id is no error but
// an empty list.
func (t *tencent) describeInstances(c *tencentCall) (map[string]any, error) {
	var p struct {
		DisplayStrategy string `tc:"required"`
		InstanceIds     []string
		Offset, Limit   *int64
		ProjectId       int64
		OrderField      string
		Asc             int64
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	limit, err := pageSize(p.Limit, 10)
	if err != nil {
		return nil, err
	}
	all, err := t.listed(c, p.DisplayStrategy)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(cl *tcCluster) bool {
		return p.ProjectId != -1 && cl.ProjectID != p.ProjectId ||
			len(p.InstanceIds) > 0 && !slices.Contains(p.InstanceIds, cl.ID)
	})
	// Asc 0 is descending here; the id is the only order this world keeps.
	slices.SortFunc(all, func(a, b *tcCluster) int { return strings.Compare(b.ID, a.ID) })
	if p.Asc == 1 {
		slices.Reverse(all)
	}
	list := []map[string]any{}
	for _, cl := range page(all, deref(p.Offset), limit) {
		list = append(list, t.instance(cl, c.at))
	}
	return map[string]any{"TotalCnt": len(all), "ClusterList": list}, nil
}

func (t *tencent) instance(cl *tcCluster, at time.Time) map[string]any {
	chargeType := 0
	if cl.Prepaid {
		chargeType = 1
	}
	detail := func() map[string]any {
		d := map[string]any{
			"SoftInfo": []string{}, "SupportHA": cl.size("MASTER") > 1, "ChargeType": chargeType,
			"MasterNodeSize": cl.size("MASTER"), "CoreNodeSize": cl.size("CORE"), "TaskNodeSize": cl.size("TASK"),
			"ComNodeSize": cl.size("COMMON"), "RouterNodeSize": cl.size("ROUTER"),
		}
		for flag, field := range map[string]string{"MASTER": "MasterResource", "CORE": "CoreResource", "TASK": "TaskResource", "COMMON": "ComResource"} {
			if g := cl.group(flag); g != nil && g.Spec != "" {
				m := t.machines[g.Spec]
				d[field] = map[string]any{"Spec": m.Type, "Cpu": m.CPU, "MemSize": m.MemoryGB * 1024, "InstanceType": m.Type}
			}
		}
		return d
	}
	tags := []tcTag{}
	for k, v := range cl.Tags {
		tags = append(tags, tcTag{k, v})
	}
	slices.SortFunc(tags, func(a, b tcTag) int { return strings.Compare(a.TagKey, b.TagKey) })
	return map[string]any{
		"Id": 1, "ClusterId": cl.ID, "ClusterName": cl.Name, "Ftitle": "emr", "RegionId": tencentRegions[cl.Region],
		"ZoneId": cl.ZoneID, "Zone": cl.Zone, "ProjectId": cl.ProjectID, "Status": t.statusOf(cl, at),
		"AddTime": tcTime(cl.made), "RunTime": at.Sub(cl.made).Truncate(time.Second).String(),
		"EmrVersion": cl.Version, "ChargeType": chargeType, "AlarmInfo": "", "Tags": tags,
		"IsMultiZoneCluster": false, "TopologyInfoList": nil, "Config": detail(), "ConfigDetail": detail(),
	}
}

// describeInstancesList is DescribeInstancesList. Asc 0 is ascending here,
// the other way round than in DescribeInstances.
func (t *tencent) describeInstancesList(c *tencentCall) (map[string]any, error) {
	var p struct {
		DisplayStrategy string `tc:"required"`
		Offset, Limit   *int64
		OrderField      string
		Asc             int64
		Filters         []struct {
			Name   string   `tc:"required"`
			Values []string `tc:"required"`
		}
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	limit, err := pageSize(p.Limit, 10)
	if err != nil {
		return nil, err
	}
	all, err := t.listed(c, p.DisplayStrategy)
	if err != nil {
		return nil, err
	}
	for _, f := range p.Filters {
		var value func(*tcCluster) string
		switch f.Name {
		case "ClusterId":
			value = func(cl *tcCluster) string { return cl.ID }
		case "ClusterName":
			value = func(cl *tcCluster) string { return cl.Name }
		case "ClusterStatus":
			value = func(cl *tcCluster) string { return strconv.Itoa(t.statusOf(cl, c.at)) }
		default:
			return nil, refuse(codeInvalid, "filter `%s` is not valid", f.Name)
		}
		all = slices.DeleteFunc(all, func(cl *tcCluster) bool { return !slices.Contains(f.Values, value(cl)) })
	}
	slices.SortFunc(all, func(a, b *tcCluster) int { return strings.Compare(a.ID, b.ID) })
	if p.Asc == 1 {
		slices.Reverse(all)
	}
	list := []map[string]any{}
	for _, cl := range page(all, deref(p.Offset), limit) {
		in := t.instance(cl, c.at)
		row := map[string]any{"StatusDesc": tcStatusText(t.statusOf(cl, c.at))}
		for _, k := range []string{"ClusterId", "ClusterName", "ZoneId", "Zone", "RegionId", "ProjectId", "Status", "AddTime", "RunTime", "EmrVersion", "ChargeType", "AlarmInfo", "Tags"} {
			row[k] = in[k]
		}
		list = append(list, row)
	}
	return map[string]any{"TotalCnt": len(all), "InstancesList": list}, nil
}

// describeClusterNodes is DescribeClusterNodes. Without Offset and Limit, or
// with both 0, it gives all nodes.
func (t *tencent) describeClusterNodes(c *tencentCall) (map[string]any, error) {
	var p struct {
		InstanceId           string `tc:"required"`
		NodeFlag             string `tc:"required"`
		Offset, Limit        int64
		HardwareResourceType string
		SearchFields         []struct{ SearchType, SearchValue string }
		OrderField           string
		Asc                  int64
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	cl, err := t.visible(c, p.InstanceId)
	if err != nil {
		return nil, err
	}
	if p.Limit < 0 || p.Limit > 100 || p.Offset < 0 || p.Limit == 0 && p.Offset > 0 {
		return nil, refuse(codeInvalid, "Limit must be between 1 and 100 and Offset 0 or more, got %d and %d", p.Limit, p.Offset)
	}
	if len(p.SearchFields) > 0 {
		return nil, refuse("UnsupportedOperation", "SearchFields is not served here")
	}
	switch p.HardwareResourceType {
	case "", "all", "host", "pod":
	default:
		return nil, refuse(codeInvalid, "HardwareResourceType `%s` is not valid", p.HardwareResourceType)
	}
	keep := func(*tcGroup, *tcNode) bool { return true }
	switch p.NodeFlag {
	case "all":
	case "master", "core", "task", "common", "router":
		keep = func(g *tcGroup, _ *tcNode) bool { return strings.EqualFold(g.Flag, p.NodeFlag) }
	case "db", "recyle":
		keep = func(*tcGroup, *tcNode) bool { return false }
	case "renew":
		keep = func(_ *tcGroup, n *tcNode) bool { return n.charge == "PREPAID" }
	default:
		return nil, refuse(codeNodeFlag, "NodeFlag `%s` is not valid", p.NodeFlag)
	}
	list := []map[string]any{}
	for _, g := range cl.groups {
		for _, n := range g.nodes {
			// All nodes of this world are hosts.
			if keep(g, n) && p.HardwareResourceType != "pod" {
				list = append(list, t.nodeRecord(cl, g, n, c.at))
			}
		}
	}
	total := len(list)
	if p.Limit > 0 {
		list = page(list, p.Offset, p.Limit)
	}
	return map[string]any{"TotalCnt": total, "NodeList": list, "TagKeys": []string{}, "HardwareResourceTypeList": []string{"host"}}, nil
}

func (t *tencent) nodeRecord(cl *tcCluster, g *tcGroup, n *tcNode, at time.Time) map[string]any {
	m := t.machines[n.spec]
	chargeType, expires := 0, tcNever
	if n.charge == "PREPAID" {
		chargeType, expires = 1, tcTime(n.expires)
	}
	renew := 0
	if n.renew {
		renew = 1
	}
	status := "running"
	if !n.started {
		status = "stopped"
	}
	// Only task, core and router nodes can be given back one by one.
	destroyable := 0
	switch g.Flag {
	case "TASK", "CORE", "ROUTER":
		destroyable = 1
	}
	tags := n.tags
	if tags == nil {
		tags = []tcTag{}
	}
	return map[string]any{
		"EmrResourceId": n.vmID, "OrderNo": n.cvmID, "SerialNo": n.order, "NameTag": n.name, "Ip": n.ip, "WanIp": "",
		"Flag": tcFlags[g.Flag], "Spec": n.spec, "DeviceClass": n.spec, "CpuNum": m.CPU, "MemDesc": strconv.Itoa(m.MemoryGB) + "GB",
		"RegionId": tencentRegions[cl.Region], "ZoneId": cl.ZoneID, "Zone": n.zone,
		"ApplyTime": tcTime(n.made), "FreeTime": tcNever, "ExpireTime": expires, "CurrentTime": tcTime(at),
		"ChargeType": chargeType, "IsAutoRenew": renew, "Destroyable": destroyable, "AutoFlag": 0,
		"DisableApiTermination": false, "HardwareResourceType": "host", "Tags": tags,
		"Services": "", "ServicesStatus": status,
	}
}

// describeQuota is DescribeCvmQuota; its cluster field is called ClusterId.
func (t *tencent) describeQuota(c *tencentCall) (map[string]any, error) {
	var p struct {
		ClusterId string `tc:"required"`
		ZoneId    int64
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	cl := t.find(p.ClusterId)
	if cl == nil || cl.Account != c.account || cl.Region != c.region {
		return nil, refuse("ResourceNotFound.ClusterNotFound", "集群 %s 不存在 (the cluster was not found)", p.ClusterId)
	}
	set := func(spot bool) []map[string]any {
		used := t.ordered(cl, spot)
		return []map[string]any{{"UsedQuota": used, "RemainingQuota": max(t.quota-used, 0), "TotalQuota": t.quota, "Zone": cl.Zone}}
	}
	return map[string]any{"PostPaidQuotaSet": set(false), "SpotPaidQuotaSet": set(true), "EksQuotaSet": []any{}}, nil
}

// ordered counts the machines that use up an account's quota in a zone; those
// of a running operation count from its acceptance.
func (t *tencent) ordered(where *tcCluster, spot bool) int {
	n := 0
	count := func(nodes []*tcNode) {
		for _, node := range nodes {
			if node.charge != "PREPAID" && (node.charge == "SPOTPAID") == spot {
				n++
			}
		}
	}
	for _, cl := range t.clusters {
		if cl.Account != where.Account || cl.Zone != where.Zone {
			continue
		}
		for _, g := range cl.groups {
			count(g.nodes)
		}
		if cl.flow != nil && len(cl.flow.add) > 0 {
			count(cl.flow.add[cl.flow.acted:])
		}
	}
	return n
}

// describeSpecs is DescribeNodeResourceConfigFast: the machine types a group
// may be made of, its default first.
func (t *tencent) describeSpecs(c *tencentCall) (map[string]any, error) {
	var p struct {
		InstanceId           string `tc:"required"`
		ResourceType         string `tc:"required"`
		PayMode              int64  `tc:"required"`
		ZoneId               int64
		ResourceBaseType     string
		ComputeResourceId    string
		HardwareResourceType string
	}
	if err := decode(c.body, &p); err != nil {
		return nil, err
	}
	cl, err := t.visible(c, p.InstanceId)
	if err != nil {
		return nil, err
	}
	if p.PayMode != 0 && p.PayMode != 1 {
		return nil, refuse("InvalidParameter.InvalidPaymode", "PayMode must be 0 or 1, got %d", p.PayMode)
	}
	data := []map[string]any{}
	switch p.ResourceType {
	case "CORE", "TASK", "ROUTER", "ALL":
	default:
		return nil, refuse(codeInvalid, "ResourceType must be CORE, TASK, ROUTER or ALL, got `%s`", p.ResourceType)
	}
	for _, g := range cl.groups {
		if p.ResourceType != g.Flag && (p.ResourceType != "ALL" || !scalable(cl, g.Flag)) {
			continue
		}
		rows := []map[string]any{}
		for i, m := range t.offers(g.Spec) {
			isDefault := "BACKUP"
			if m.Type == g.Spec {
				isDefault = "DEFAULT"
			}
			rows = append(rows, map[string]any{
				"ResourceConfigId": i + 1, "IsDefault": isDefault, "MaxResourceNum": max(t.quota-t.ordered(cl, false), 0),
				"CreateTime": tcTime(cl.made), "UpdateTime": tcTime(cl.made),
				"Resource": map[string]any{"Spec": m.Type, "InstanceType": m.Type, "Cpu": m.CPU, "MemSize": m.MemoryGB * 1024},
			})
		}
		data = append(data, map[string]any{"ResourceType": g.Flag, "ResourceData": rows})
	}
	return map[string]any{"Data": data}, nil
}

// offers are all machine types, that of the group first, the others by name.
func (t *tencent) offers(first string) []TencentMachine {
	out := make([]TencentMachine, 0, len(t.machines))
	for _, m := range t.machines {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b TencentMachine) int {
		if (a.Type == first) != (b.Type == first) {
			if a.Type == first {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Type, b.Type)
	})
	return out
}

func deref(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}
