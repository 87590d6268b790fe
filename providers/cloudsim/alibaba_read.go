package cloudsim

import (
	"slices"
	"strings"
	"time"
)

// acClusterRow is a cluster as both DescribeClusterDetail and a line of
// DescribeClustersV1 show it.
func (a *alibaba) acClusterRow(cl *acCluster, at time.Time) map[string]any {
	size := len(cl.masters)
	for _, p := range cl.pools {
		size += p.count(acRunning, acRemoving)
	}
	spec := ""
	if cl.Type == "ManagedKubernetes" {
		spec = "ack.pro.small"
	}
	vswitches := cl.VSwitches
	if vswitches == nil {
		vswitches = []string{}
	}
	return map[string]any{
		"cluster_id": cl.ID, "name": cl.Name, "state": a.stateOf(cl, at), "size": size,
		"cluster_type": cl.Type, "profile": cl.Profile, "cluster_spec": spec,
		"region_id": cl.Region, "zone_id": cl.Zone, "vpc_id": "vpc-2ze" + digest(cl.ID)[:17],
		"vswitch_ids": vswitches, "vswitch_id": strings.Join(vswitches, ","),
		"current_version": cl.Version, "init_version": cl.Version, "next_version": "", "deletion_protection": true,
		"tags": acTags(cl.Tags), "created": acTime(cl.made), "updated": acTime(cl.made), "meta_data": "{}",
		"resource_group_id": "rg-acfm" + digest(cl.Account)[:11],
	}
}

// describeClusters is DescribeClustersV1. The largest page is not documented;
// 50 is what is seen in use.
func (a *alibaba) describeClusters(c *acCall) (map[string]any, error) {
	filters := []string{"cluster_id", "name", "cluster_type", "cluster_spec", "profile", "region_id"}
	q := acReadQuery(c.query, append([]string{"page_number", "page_size"}, filters...)...)
	p := q.page("page_number", "page_size", 10, 50)
	if q.err != nil {
		return nil, q.err
	}
	rows := []map[string]any{}
	for _, cl := range a.clusters {
		row := a.acClusterRow(cl, c.at)
		if cl.Account == c.account && !slices.ContainsFunc(filters, func(f string) bool { return q.values.Has(f) && row[f] != q.text(f) }) {
			rows = append(rows, row)
		}
	}
	return map[string]any{"clusters": acCut(rows, p), "page_info": p.info(len(rows))}, nil
}

func (a *alibaba) describeCluster(c *acCall) (map[string]any, error) {
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	cl, err := a.visible(c)
	if err != nil {
		return nil, err
	}
	return a.acClusterRow(cl, c.at), nil
}

// describePools is DescribeClusterNodePools, which has no paging.
func (a *alibaba) describePools(c *acCall) (map[string]any, error) {
	q := acReadQuery(c.query, "NodepoolName")
	if q.err != nil {
		return nil, q.err
	}
	cl, err := a.visible(c)
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	for _, p := range cl.pools {
		if name := q.text("NodepoolName"); name == "" || p.Name == name {
			rows = append(rows, p.row(cl))
		}
	}
	return map[string]any{"nodepools": rows}, nil
}

func (a *alibaba) describePool(c *acCall) (map[string]any, error) {
	if q := acReadQuery(c.query); q.err != nil {
		return nil, q.err
	}
	cl, p, err := a.visiblePool(c)
	if err != nil {
		return nil, err
	}
	return p.row(cl), nil
}

func (p *acPool) row(cl *acCluster) map[string]any {
	row := map[string]any{
		"nodepool_info": map[string]any{
			"nodepool_id": p.ID, "name": p.Name, "type": p.Type, "is_default": p.Default, "region_id": cl.Region,
			"created": acTime(cl.made), "updated": acTime(cl.made), "resource_group_id": "rg-acfm" + digest(cl.Account)[:11],
		},
		// total_nodes has them all, also those that come, go, or failed to come.
		"status": map[string]any{
			"state": p.state(cl), "total_nodes": len(p.nodes), "healthy_nodes": p.count(acRunning, acRemoving),
			"serving_nodes": p.count(acRunning), "initial_nodes": p.count(acInitial), "removing_nodes": p.count(acRemoving),
			"failed_nodes": p.count(acFailed), "offline_nodes": 0,
		},
		"auto_scaling":      map[string]any{"enable": p.AutoMax > 0, "min_instances": p.AutoMin, "max_instances": p.AutoMax, "type": "cpu"},
		"kubernetes_config": map[string]any{"cms_enabled": true, "cpu_policy": "none", "runtime": "containerd", "runtime_version": "1.6.28", "labels": []any{}, "taints": []any{}, "unschedulable": false},
	}
	if p.Type == "edge" {
		// Edge pools have no scaling group: their machines come by ScaleOutCluster.
		row["interconnect_mode"], row["max_nodes"] = "basic", 20
		return row
	}
	group := map[string]any{
		"desired_size": p.desired, "instance_charge_type": p.Charge, "instance_types": p.Machines, "spot_strategy": p.Spot,
		"spot_price_limit": []any{}, "vswitch_ids": cl.VSwitches, "image_id": p.Image, "key_pair": p.KeyPair, "login_password": "",
		"scaling_group_id":     "asg-2ze" + digest(p.ID)[:17],
		"system_disk_category": p.SystemDisk.Category, "system_disk_size": p.SystemDisk.GiB,
		"period": 0, "period_unit": "Month", "auto_renew": p.AutoRenew, "auto_renew_period": 0,
	}
	if p.NoDesired {
		group["desired_size"] = nil
	}
	if p.Charge == "PrePaid" {
		group["period"] = p.Months
		if p.AutoRenew {
			group["auto_renew_period"] = 1
		}
	}
	disks := []map[string]any{}
	for _, d := range p.DataDisks {
		disks = append(disks, map[string]any{"category": d.Category, "size": d.GiB, "encrypted": "false"})
	}
	group["data_disks"] = disks
	row["scaling_group"] = group
	return row
}

// describeNodes is DescribeClusterNodes.
func (a *alibaba) describeNodes(c *acCall) (map[string]any, error) {
	q := acReadQuery(c.query, "nodepool_id", "pageNumber", "pageSize", "state", "instanceIds")
	p := q.page("pageNumber", "pageSize", 10, 100)
	if q.err != nil {
		return nil, q.err
	}
	state := acOr(q.text("state"), "all")
	if err := acOneOf("state", state, "all", string(acRunning), string(acRemoving), string(acInitial), string(acFailed)); err != nil {
		return nil, err
	}
	cl, err := a.visible(c)
	if err != nil {
		return nil, err
	}
	pool := q.text("nodepool_id")
	if pool != "" && cl.pool(pool) == nil {
		return nil, acRefuse(acNoPool, "node pool %s is not found in cluster %s", pool, cl.ID)
	}
	var ids []string
	if q.values.Has("instanceIds") {
		ids = strings.Split(q.text("instanceIds"), ",")
	}
	var nodes []*acNode
	for _, n := range cl.nodes() {
		if (pool == "" || n.pool.ID == pool) && (state == "all" || string(n.phase) == state) && (ids == nil || slices.Contains(ids, n.id)) {
			nodes = append(nodes, n)
		}
	}
	rows := []map[string]any{}
	for _, n := range acCut(nodes, p) {
		rows = append(rows, n.row(cl, c.at))
	}
	return map[string]any{"nodes": rows, "page": p.info(len(nodes))}, nil
}

// row shows a node. One that has not joined has no name in the cluster yet: its
// machine may run while Kubernetes knows nothing of it.
func (n *acNode) row(cl *acCluster, at time.Time) map[string]any {
	state, status := "running", "Ready"
	switch n.phase {
	case acInitial:
		status = "NotReady"
		if cl.task != nil && cl.task.stageAt(at) == cl.task.makes {
			state, status = "pending", "Unknown"
		}
	case acFailed:
		status = "NotReady"
	case acRunning, acRemoving:
	}
	// The value for no end is that of the document's example.
	role, source, expires := "Worker", "ess_attach", "2099-12-31T23:59:00+08:00"
	if n.pool.ID == "" {
		role, source = "Master", "ros"
	}
	if n.pool.Type == "edge" {
		source = "ens"
	}
	if !n.expires.IsZero() {
		expires = acTime(n.expires)
	}
	return map[string]any{
		"instance_id": n.id, "instance_name": "worker-k8s-for-cs-" + cl.ID, "node_name": n.name, "host_name": n.host,
		"instance_role": role, "state": state, "instance_status": strings.ToUpper(state[:1]) + state[1:], "node_status": status,
		"nodepool_id": n.pool.ID, "instance_charge_type": n.charge, "instance_type": n.machine,
		"instance_type_family": n.machine[:strings.LastIndex(n.machine, ".")], "spot_strategy": n.spot,
		"creation_time": acTime(n.made), "expired_time": expires, "ip_address": []string{n.ip}, "is_aliyun_node": true,
		"source": source, "error_message": n.why, "image_id": n.pool.Image,
	}
}
