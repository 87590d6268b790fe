package cloudsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// nodeSize is how MRS names a flavour, ecsSpec how the price list names it.
func nodeSize(flavor string) string {
	if flavor == "" {
		return ""
	}
	return ecsSpec(flavor) + ".bigdata"
}

func ecsSpec(flavor string) string { return flavor + ".linux" }

// name is the host's name. The document says that nodes which a resize added
// have node_orderadd in it; the rest is the form of the samples.
func (n *hwHost) name(c *hwCluster, g *hwGroup) string {
	what := strings.ToLower(role(g.Name))
	if n.added {
		what = "orderadd"
	}
	return c.ID + "_node_" + what + "_" + n.tail
}

// nodeName is the name in the cluster's manager, e.g. node-orderadd-TBvSr.com.
func (n *hwHost) nodeName(c *hwCluster, g *hwGroup) string {
	return strings.ReplaceAll(strings.TrimPrefix(n.name(c, g), c.ID+"_"), "_", "-") + ".com"
}

func (n *hwHost) billing() string {
	if n.prepaid {
		return "on-period"
	}
	return "on-quantity"
}

// kindNumber is clusterType. 0 and 1 are in the texts of the call that creates
// clusters; the other two are not on any page.
func kindNumber(k HuaweiKind) int {
	switch k {
	case HuaweiAnalysis:
		return 0
	case HuaweiStreaming:
		return 1
	case HuaweiHybrid:
		return 2
	case HuaweiCustom:
	}
	return 3
}

// number writes a number as the edition does.
func (h *huawei) number(n int) any {
	if h.world.Edition.TextTotals {
		return strconv.Itoa(n)
	}
	return n
}

// hwTime is a moment as this API writes it: seconds, ten digits, as text.
func hwTime(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// showCluster is ShowClusterDetails.
func (h *huawei) showCluster(c *hwCall) (any, error) {
	if err := hwQuery(c.query); err != nil {
		return nil, err
	}
	cl, err := h.visible(c)
	if err != nil {
		return nil, err
	}
	return map[string]any{"cluster": h.cluster(cl, c)}, nil
}

func (h *huawei) cluster(cl *hwCluster, c *hwCall) map[string]any {
	state, scale := h.stateOf(cl, c.at)
	stage := cl.stage
	if c.chinese {
		state, stage = hwStates[state], hwTexts[stage]
	}
	var tags []string
	for k, v := range cl.Tags {
		tags = append(tags, k+"="+v)
	}
	slices.Sort(tags)
	out := map[string]any{
		"clusterId": cl.ID, "clusterName": cl.Name, "clusterState": state, "scale": scale, "stageDesc": stage, "errorInfo": cl.errorInfo,
		"totalNodeNum":  strconv.Itoa(cl.size(roleMaster, roleCore, roleTask, roleOther)),
		"masterNodeNum": strconv.Itoa(cl.size(roleMaster)), "coreNodeNum": strconv.Itoa(cl.size(roleCore)),
		"createAt": hwTime(cl.made), "updateAt": hwTime(cl.updated), "chargingStartTime": hwTime(cl.made),
		"dataCenter": cl.Region, "azCode": cl.Zone, "azName": cl.Zone, "tenantId": c.account.Projects[cl.Region],
		"clusterVersion": cl.Version, "clusterType": kindNumber(cl.Kind), "enterpriseProjectId": cl.EnterpriseProject,
		"tags": strings.Join(tags, ","), "billingType": "Metered", "duration": "0", "fee": nil, "orderId": nil, "remark": "",
		"safeMode": 0, "logCollection": 1, "isMrsManagerFinish": true,
	}
	if cl.Prepaid {
		// No page shows the word for yearly/monthly clusters, only that periodType
		// is there for them alone.
		out["billingType"], out["periodType"] = "Period", 0
	}
	groups, tasks := []map[string]any{}, []map[string]any{}
	for _, g := range cl.groups {
		switch {
		case role(g.Name) != roleTask:
			groups = append(groups, h.group(g))
		case g.count() > 0:
			// A task group without nodes is not listed; nothing is known of it.
			tasks = append(tasks, h.group(g))
		}
		if r := role(g.Name); r == roleMaster || r == roleCore {
			prefix := strings.ToLower(r)
			out[prefix+"NodeSize"], out[prefix+"DataVolumeType"] = nodeSize(g.Flavor), g.DiskType
			out[prefix+"DataVolumeSize"], out[prefix+"DataVolumeCount"] = g.DiskGB, g.DiskCount
		}
	}
	out["taskNodeGroups"] = tasks
	if h.world.Edition.TasksTwice {
		groups = append(groups, tasks...)
	}
	out["nodeGroups"] = groups
	return out
}

func (h *huawei) group(g *hwGroup) map[string]any {
	out := map[string]any{
		"groupName": g.Name, "nodeNum": g.count(), "nodeSize": nodeSize(g.Flavor), "vmSpecCode": ecsSpec(g.Flavor),
		"rootVolumeType": "SAS", "rootVolumeSize": 100,
		"dataVolumeType": g.DiskType, "dataVolumeSize": g.DiskGB, "dataVolumeCount": g.DiskCount,
	}
	if !h.world.Edition.PascalGroups {
		return out
	}
	pascal := map[string]any{}
	for k, v := range out {
		pascal[strings.ToUpper(k[:1])+k[1:]] = v
	}
	return pascal
}

// listClusters is ListClusters. Two defaults hide clusters: ten to a page, and
// those of the default enterprise project only.
func (h *huawei) listClusters(c *hwCall) (any, error) {
	if err := hwQuery(c.query, "pageSize", "currentPage", "clusterName", "clusterState", "enterpriseProjectId", "tags"); err != nil {
		return nil, err
	}
	size, current, err := hwPaging(c, "pageSize", "currentPage")
	if err != nil {
		return nil, err
	}
	want := c.query.Get("clusterState")
	if _, known := hwStates[want]; !known && want != "" && want != "existing" && want != "history" {
		return nil, hwRefuse("12000009", "clusterState %q is not known", want)
	}
	project := c.query.Get("enterpriseProjectId")
	if project == "" {
		project = "0"
	}
	all := []map[string]any{}
	for _, cl := range h.clusters {
		state, _ := h.stateOf(cl, c.at)
		listed := want == "" || want == state || want == "existing" && state != hwTerminated || want == "history" && state == hwTerminated
		if !listed || cl.Account != c.account.Name || cl.Region != c.region || cl.EnterpriseProject != project {
			continue
		}
		if name := c.query.Get("clusterName"); name != "" && name != cl.Name || !cl.tagged(c.query.Get("tags")) {
			continue
		}
		all = append(all, h.cluster(cl, c))
	}
	return map[string]any{"clusterTotal": h.number(len(all)), "clusters": page(all, int64(current-1), int64(size))}, nil
}

// tagged tells whether a cluster has all tags of a filter: k1*v1,k2 where a key
// alone means an empty value.
func (c *hwCluster) tagged(filter string) bool {
	if filter == "" {
		return true
	}
	for pair := range strings.SplitSeq(filter, ",") {
		key, value, _ := strings.Cut(pair, "*")
		if v, ok := c.Tags[key]; !ok || v != value {
			return false
		}
	}
	return true
}

func hwPaging(c *hwCall, size, current string) (int, int, error) {
	n, err := hwNumber(c.query, size, 10)
	if err != nil {
		return 0, 0, err
	}
	p, err := hwNumber(c.query, current, 1)
	return n, p, err
}

// listHosts is ListHosts, ten to a page unless asked otherwise. The type of hosts
// in analysis and streaming groups is on no page (which name Master, Core, Task
// in samples and MasterNode … in tables); public users of the API tell the hosts
// of hybrid clusters apart by it.
func (h *huawei) listHosts(c *hwCall) (any, error) {
	if err := hwQuery(c.query, "pageSize", "currentPage"); err != nil {
		return nil, err
	}
	size, current, err := hwPaging(c, "pageSize", "currentPage")
	if err != nil {
		return nil, err
	}
	cl, err := h.visible(c)
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, g := range cl.groups {
		kind := role(g.Name)
		switch {
		case strings.HasSuffix(g.Name, "_analysis_group"):
			kind = "Analysis_" + kind
		case strings.HasSuffix(g.Name, "_streaming_group"):
			kind = "Streaming_" + kind
		}
		f, _ := h.flavor(g.Flavor)
		for _, n := range g.hosts {
			all = append(all, map[string]any{
				"id": n.id, "resource_id": n.resource, "name": n.name(cl, g), "ip": n.ip, "status": n.shown(), "type": kind,
				"node_group_name": g.Name, "flavor": nodeSize(g.Flavor), "cpu": strconv.Itoa(f.CPU), "mem": strconv.Itoa(f.MemoryGB * 1024),
				"root_volume_size": "100", "data_volume_type": g.DiskType, "data_volume_size": h.number(g.DiskGB),
				"data_volume_count": h.number(g.DiskCount), "availability_zone_id": nil, "tags": nil,
			})
		}
	}
	return map[string]any{"total": h.number(len(all)), "hosts": page(all, int64(current-1), int64(size))}, nil
}

// listNodes is ListNodes of version 2. Its offset is the place of the first
// record, counted from 1, as its text says ("starting from this offset"), and
// not the number of a page. Of node_status only "started" is in any sample.
func (h *huawei) listNodes(c *hwCall) (any, error) {
	if err := hwQuery(c.query, "node_group", "limit", "offset", "node_name", "sort_key", "sort_dir", "query_node_detail", "query_ecs_detail", "internal_ip"); err != nil {
		return nil, err
	}
	limit, offset, err := hwPaging(c, "limit", "offset")
	if err != nil {
		return nil, err
	}
	dir := c.query.Get("sort_dir")
	if key := c.query.Get("sort_key"); key != "" && key != "node_name" || dir != "" && dir != "asc" && dir != "desc" {
		return nil, hwRefuse("12000009", "sort_key must be node_name and sort_dir asc or desc")
	}
	cl, err := h.visible(c)
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, g := range cl.groups {
		f, _ := h.flavor(g.Flavor)
		for _, n := range g.hosts {
			name, ip := n.nodeName(cl, g), c.query.Get("internal_ip")
			if want := c.query.Get("node_group"); want != "" && want != g.Name || !strings.Contains(name, c.query.Get("node_name")) || ip != "" && ip != n.ip {
				continue
			}
			all = append(all, map[string]any{
				"node_name": name, "resource_id": n.resource, "node_group_name": g.Name, "node_type": role(g.Name),
				"billing_type": n.billing(), "deployment_type": "Server",
				"node_status": map[string]string{hsActive: "started", hsBuild: "starting", hsError: "failed", hsDeleted: "stopped"}[n.shown()],
				"server_info": map[string]any{
					"server_id": n.id, "server_name": n.name(cl, g), "server_type": "ECS", "cpu_type": "x86",
					"cpu": strconv.Itoa(f.CPU), "mem": strconv.Itoa(f.MemoryGB * 1024), "internal_ip": n.ip,
				},
			})
		}
	}
	if c.query.Get("sort_key") != "" || dir != "" {
		slices.SortStableFunc(all, func(a, b map[string]any) int {
			return strings.Compare(a["node_name"].(string), b["node_name"].(string))
		})
		if dir == "desc" {
			slices.Reverse(all)
		}
	}
	from := min(offset-1, len(all))
	return map[string]any{"node_total": len(all), "nodes": all[from:min(from+limit, len(all))]}, nil
}

// listProjects is IAM's KeystoneListProjects, which the SDK asks for the project
// id of a region it was not given one for. A region without a project of the
// account gives an empty list and no error.
func (h *huawei) listProjects(c *hwCall) (any, error) {
	if err := hwQuery(c.query, "name", "domain_id", "enabled", "is_domain", "page", "parent_id", "per_page"); err != nil {
		return nil, err
	}
	projects := []map[string]any{}
	for region, id := range c.account.Projects {
		if name := c.query.Get("name"); name == "" || name == region {
			projects = append(projects, map[string]any{
				"id": id, "name": region, "domain_id": c.account.DomainID, "parent_id": c.account.DomainID,
				"is_domain": false, "enabled": true, "description": "", "links": map[string]any{"self": "/v3/projects/" + id},
			})
		}
	}
	slices.SortFunc(projects, func(a, b map[string]any) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	return map[string]any{"projects": projects, "links": map[string]any{"self": "/v3/projects", "next": nil, "previous": nil}}, nil
}

// listDomains is IAM's KeystoneListAuthDomains, which the SDK asks for the
// account's own id.
func (h *huawei) listDomains(c *hwCall) (any, error) {
	return map[string]any{
		"domains": []map[string]any{{
			"id": c.account.DomainID, "name": c.account.Name, "enabled": true, "description": "",
			"links": map[string]any{"self": "/v3/domains/" + c.account.DomainID},
		}},
		"links": map[string]any{"self": "/v3/auth/domains", "next": nil, "previous": nil},
	}, nil
}
