package cloudsim_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// ackWorld is the demo's world with pools and clusters of other kinds.
func ackWorld(o *cloudsim.Options) {
	o.Rate = -1
	w := &o.World.Alibaba
	w.Quota = 300
	machines := []string{"ecs.c7.xlarge", "ecs.c5.xlarge"}
	w.Clusters[0].Pools = append(w.Clusters[0].Pools,
		cloudsim.AlibabaPool{ID: "npauto", Name: "auto", Count: 1, Machines: machines, AutoMin: 1, AutoMax: 5},
		cloudsim.AlibabaPool{ID: "npyear", Name: "year", Count: 2, Machines: machines, Charge: "PrePaid", Months: 12, AutoRenew: true},
		cloudsim.AlibabaPool{ID: "npspot", Name: "spot", Count: 0, Machines: machines, Spot: "SpotAsPriceGo"})
	w.Clusters = append(w.Clusters, cloudsim.AlibabaCluster{
		ID: "cold", Name: "old", Region: "cn-hangzhou", Type: "Kubernetes", Version: "1.12.5-aliyun.1", Masters: 3, VSwitches: []string{"vsw-9"},
		Pools: []cloudsim.AlibabaPool{{ID: "npold", Name: "default", Default: true, Count: 1, Machines: machines}},
	})
}

// order is a body of ScaleOutCluster with fields replaced or, by "-", taken away.
func order(base map[string]string, changes ...string) string {
	fields := map[string]string{}
	for k, v := range base {
		fields[k] = v
	}
	for _, change := range changes {
		k, v, _ := strings.Cut(change, "=")
		if fields[k] = v; v == "-" {
			delete(fields, k)
		}
	}
	var parts []string
	for k, v := range fields {
		parts = append(parts, `"`+k+`":`+v)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

var (
	workerBody = map[string]string{
		"count": "1", "worker_instance_types": `["ecs.c5.xlarge"]`, "vswitch_ids": `["vsw-1"]`, "key_pair": `"ops"`,
		"worker_system_disk_category": `"cloud_efficiency"`, "worker_system_disk_size": "120",
	}
	edgeBody = map[string]string{
		"count": "1", "worker_instance_type": `"ens.sn1.tiny"`, "ens_region_id": `"cn-beijing-cmcc-2"`, "worker_image_id": `"m-2QVL"`,
		"ens_internet_charge_type": `"BandwidthByDay"`, "worker_period": "1", "login_password": `"Hello1234!"`,
		"worker_system_disk_size": "20", "is_edge_worker": "true",
	}
	prepaid = []string{`worker_instance_charge_type="PrePaid"`, "worker_period=1", `worker_period_unit="Month"`}
)

const (
	webCall  = "POST ScaleOutCluster /api/v2/clusters/" + web
	edgeCall = "POST ScaleOutCluster /api/v2/clusters/" + webEdge
	setCall  = "PUT ModifyClusterNodePool /clusters/" + web + "/nodepools/" + workers
)

func pre(more ...string) []string { return append(append([]string{}, prepaid...), more...) }

func TestAckRefusals(t *testing.T) {
	worker := func(changes ...string) string { return order(workerBody, changes...) }
	ens := func(changes ...string) string { return order(edgeBody, changes...) }
	nodes := func(query string) string { return "GET DescribeClusterNodes /clusters/" + web + "/nodes?" + query }
	drop := func(query string) string {
		return "DELETE RemoveNodePoolNodes /clusters/" + web + "/nodepools/" + workers + "/nodes?" + query
	}
	list := func(s string) string { return "instance_ids=" + url.QueryEscape(s) }
	tags := func(n int, tag string) string { return "tags=[" + strings.Repeat(tag+",", n-1) + tag + "]" }
	const del = "POST DeleteClusterNodes /clusters/" + web + "/nodes"
	const bad, missing = "InvalidParameter", "MissingParameter"
	tests := []struct{ name, what, body, want string }{
		{"unknown cluster", "GET DescribeClusterDetail /clusters/none", "", "ErrorClusterNotFound"},
		{"a page twice", "GET DescribeClustersV1 /api/v1/clusters?page_size=5&page_size=6", "", bad},
		{"pools of unknown", "GET DescribeClusterNodePools /clusters/none/nodepools", "", "ErrorClusterNotFound"},
		{"pools by another name", "GET DescribeClusterNodePools /clusters/" + web + "/nodepools?nodepool_name=x", "", bad},
		{"unknown pool", "GET DescribeClusterNodePoolDetail /clusters/" + web + "/nodepools/none", "", "ErrorNodePoolNotFound"},
		{"pool of another cluster", "GET DescribeClusterNodePoolDetail /clusters/" + web + "/nodepools/" + edge, "", "ErrorNodePoolNotFound"},
		{"clusters, page 0", "GET DescribeClustersV1 /api/v1/clusters?page_number=0", "", bad},
		{"clusters, large page", "GET DescribeClustersV1 /api/v1/clusters?page_size=51", "", bad},
		{"clusters, unknown filter", "GET DescribeClustersV1 /api/v1/clusters?state=running", "", bad},
		{"nodes, large page", nodes("pageSize=101"), "", bad},
		{"nodes, empty page", nodes("pageSize=0"), "", bad},
		{"nodes, page in words", nodes("pageNumber=one"), "", bad},
		{"nodes, snake case", nodes("page_size=10"), "", bad},
		{"nodes, unknown state", nodes("state=ready"), "", bad},
		{"nodes of unknown", "GET DescribeClusterNodes /clusters/none/nodes", "", "ErrorClusterNotFound"},
		{"nodes of unknown pool", nodes("nodepool_id=none"), "", "ErrorNodePoolNotFound"},
		{"tasks of unknown", "GET DescribeClusterTasks /clusters/none/tasks", "", "ErrorClusterNotFound"},
		{"tasks, large page", "GET DescribeClusterTasks /clusters/" + web + "/tasks?page_size=51", "", bad},
		{"events of unknown", "GET DescribeClusterEvents /clusters/none/events", "", "ErrorClusterNotFound"},
		{"events, large page", "GET DescribeClusterEvents /clusters/" + web + "/events?page_size=51", "", bad},
		{"unknown task", "GET DescribeTaskInfo /tasks/T-1", "", "ErrorTaskNotFound"},
		{"pause unknown task", "POST PauseTask /tasks/T-1/pause", "", "ErrorTaskNotFound"},

		{"no body", growCall, "", bad},
		{"not JSON", growCall, "{", bad},
		{"two values", growCall, `{"count":1} {}`, bad},
		{"a list", growCall, `[1]`, bad},
		{"no count", growCall, `{}`, missing},
		{"count in another case", growCall, `{"Count":1}`, missing},
		{"count and another", growCall, `{"count":1,"client_token":"x"}`, bad},
		{"count as text", growCall, `{"count":"1"}`, bad},
		{"half a node", growCall, `{"count":1.5}`, bad},
		{"null", growCall, `{"count":null}`, bad},
		{"none", growCall, `{"count":0}`, bad},
		{"fewer", growCall, `{"count":-1}`, bad},
		{"more than 500", growCall, `{"count":501}`, bad},
		{"over the quota", growCall, `{"count":299}`, "QuotaExceeded.NodesPerCluster"},
		{"grow unknown cluster", strings.Replace(growCall, web, "none", 1), `{"count":1}`, "ErrorClusterNotFound"},
		{"grow unknown pool", strings.Replace(growCall, workers, "none", 1), `{"count":1}`, "ErrorNodePoolNotFound"},
		{"grow an autoscaled pool", strings.Replace(growCall, workers, "npauto", 1), `{"count":1}`, bad},

		{"desired, no group", setCall, `{"desired_size":5}`, missing},
		{"desired, empty group", setCall, `{"scaling_group":{}}`, missing},
		{"desired as text", setCall, `{"scaling_group":{"desired_size":"5"}}`, bad},
		{"desired and another", setCall, `{"scaling_group":{"desired_size":5,"instance_types":["ecs.c5.xlarge"]}}`, bad},
		{"desired and autoscaling", setCall, `{"scaling_group":{"desired_size":5},"auto_scaling":{"enable":true}}`, bad},
		{"desired of unknown", strings.Replace(setCall, web, "none", 1), `{"scaling_group":{"desired_size":5}}`, "ErrorClusterNotFound"},
		{"desired below none", setCall, `{"scaling_group":{"desired_size":-1}}`, bad},
		{"desired 501 more", setCall, `{"scaling_group":{"desired_size":505}}`, bad},
		{"desired of an autoscaled pool", strings.Replace(setCall, workers, "npauto", 1), `{"scaling_group":{"desired_size":5}}`, bad},
		{"desired of a pool without", strings.Replace(setCall, workers, legacy, 1), `{"scaling_group":{"desired_size":5}}`, bad},

		{"order for unknown", strings.Replace(webCall, web, "none", 1), worker(), "ErrorClusterNotFound"},
		{"order of none", webCall, worker("count=0"), bad},
		{"order of 501", webCall, worker("count=501"), bad},
		{"order without count", webCall, worker("count=-"), missing},
		{"order without machine", webCall, worker("worker_instance_types=-"), missing},
		{"order of no machine", webCall, worker("worker_instance_types=[]"), bad},
		{"order of one machine", webCall, worker(`worker_instance_types="ecs.c5.xlarge"`), bad},
		{"order of unknown machine", webCall, worker(`worker_instance_types=["ecs.x9.huge"]`), "InvalidInstanceType.ValueNotSupported"},
		{"order of an ENS machine", webCall, worker(`worker_instance_types=["ens.sn1.tiny"]`), "InvalidInstanceType.ValueNotSupported"},
		{"order without vSwitch", webCall, worker("vswitch_ids=-"), missing},
		{"order of four vSwitches", webCall, worker(`vswitch_ids=["vsw-1","vsw-2","vsw-1","vsw-2"]`), bad},
		{"order in a foreign vSwitch", webCall, worker(`vswitch_ids=["vsw-9"]`), "InvalidVSwitchId.NotFound"},
		{"order for another cluster", webCall, worker(`ClusterId="other"`), bad},
		{"unknown charge", webCall, worker(`worker_instance_charge_type="prepaid"`), bad},
		{"hourly with a term", webCall, worker("worker_period=1"), bad},
		{"hourly with a unit", webCall, worker(`worker_period_unit="Month"`), bad},
		{"hourly with renewal", webCall, worker("worker_auto_renew=true"), bad},
		{"prepaid without term", webCall, worker(pre("worker_period=-")...), missing},
		{"prepaid without unit", webCall, worker(pre("worker_period_unit=-")...), missing},
		{"prepaid by the year", webCall, worker(pre(`worker_period_unit="Year"`)...), bad},
		{"prepaid 4 months", webCall, worker(pre("worker_period=4")...), bad},
		{"prepaid 24 months", webCall, worker(pre("worker_period=24")...), bad},
		{"renewal without period", webCall, worker(pre("worker_auto_renew=true")...), missing},
		{"renewal of 4 months", webCall, worker(pre("worker_auto_renew=true", "worker_auto_renew_period=4")...), bad},
		{"period without renewal", webCall, worker(pre("worker_auto_renew_period=1")...), bad},
		{"key pair and password", webCall, worker(`login_password="Hello@1234"`), missing},
		{"neither of them", webCall, worker("key_pair=-"), missing},
		{"empty key pair", webCall, worker(`key_pair=""`), bad},
		{"short password", webCall, worker("key_pair=-", `login_password="He@1234"`), "InvalidParameter.LoginPassword"},
		{"long password", webCall, worker("key_pair=-", `login_password="He@1`+strings.Repeat("x", 27)+`"`), "InvalidParameter.LoginPassword"},
		{"plain password", webCall, worker("key_pair=-", `login_password="hello1234"`), "InvalidParameter.LoginPassword"},
		{"password with a blank", webCall, worker("key_pair=-", `login_password="Hello @1234"`), "InvalidParameter.LoginPassword"},
		{"password in another script", webCall, worker("key_pair=-", `login_password="Hello@1234密码"`), "InvalidParameter.LoginPassword"},
		{"unknown system disk", webCall, worker(`worker_system_disk_category="floppy"`), bad},
		{"system disk of 39", webCall, worker("worker_system_disk_size=39"), bad},
		{"system disk of 501", webCall, worker("worker_system_disk_size=501"), bad},
		{"system disk as text", webCall, worker(`worker_system_disk_size="120"`), bad},
		{"data disk without disks", webCall, worker("worker_data_disk=true"), missing},
		{"data disk as text", webCall, worker(`worker_data_disk="false"`), bad},
		{"data disk of a number", webCall, worker(`worker_data_disks=[{"category":"cloud_ssd","size":500}]`), bad},
		{"data disk of words", webCall, worker(`worker_data_disks=[{"category":"cloud_ssd","size":"big"}]`), bad},
		{"data disk of 39", webCall, worker(`worker_data_disks=[{"category":"cloud_ssd","size":"39"}]`), bad},
		{"data disk of 32768", webCall, worker(`worker_data_disks=[{"category":"cloud_ssd","size":"32768"}]`), bad},
		{"unknown data disk", webCall, worker(`worker_data_disks=[{"category":"floppy","size":"40"}]`), bad},
		{"data disk of no size", webCall, worker(`worker_data_disks=[{"category":"cloud_ssd"}]`), missing},
		{"encrypted as a flag", webCall, worker(`worker_data_disks=[{"category":"cloud_ssd","size":"40","encrypted":true}]`), bad},
		{"encrypted perhaps", webCall, worker(`worker_data_disks=[{"category":"cloud_ssd","size":"40","encrypted":"perhaps"}]`), bad},
		{"unknown CPU policy", webCall, worker(`cpu_policy="fast"`), bad},
		{"static CPUs in an old version", strings.Replace(webCall, web, "cold", 1), worker(`cpu_policy="static"`, `vswitch_ids=["vsw-9"]`), bad},
		{"user data in clear", webCall, worker(`user_data="#!/bin/sh"`), bad},
		{"unknown runtime", webCall, worker(`runtime={"name":"podman"}`), bad},
		{"runtime as text", webCall, worker(`runtime="docker"`), bad},
		{"tag without a key", webCall, worker(`tags=[{"value":"v"}]`), missing},
		{"tag with an empty key", webCall, worker(`tags=[{"key":"","value":"v"}]`), bad},
		{"tag twice", webCall, worker(tags(2, `{"key":"a"}`)), bad},
		{"21 tags", webCall, worker(tags(21, `{"key":"a"}`)), bad},
		{"reserved tag", webCall, worker(`tags=[{"key":"acs:x"}]`), bad},
		{"long tag", webCall, worker(`tags=[{"key":"` + strings.Repeat("k", 65) + `"}]`), bad},
		{"taint without effect", webCall, worker(`taints=[{"key":"k"}]`), missing},
		{"taint with an empty key", webCall, worker(`taints=[{"key":"","effect":"NoSchedule"}]`), bad},
		{"taint of no effect", webCall, worker(`taints=[{"key":"k","effect":"Never"}]`), bad},
		{"edge body for an ordinary cluster", webCall, ens(), missing},
		{"worker body for an edge cluster", edgeCall, worker(), missing},

		{"edge without count", edgeCall, ens("count=-"), missing},
		{"edge of none", edgeCall, ens("count=0"), bad},
		{"edge without machine", edgeCall, ens("worker_instance_type=-"), missing},
		{"edge of an ECS machine", edgeCall, ens(`worker_instance_type="ecs.c5.xlarge"`), "InvalidInstanceType.ValueNotSupported"},
		{"edge without region", edgeCall, ens("ens_region_id=-"), missing},
		{"edge in an ordinary region", edgeCall, ens(`ens_region_id="cn-beijing"`), bad},
		{"edge without image", edgeCall, ens("worker_image_id=-"), missing},
		{"edge of an empty image", edgeCall, ens(`worker_image_id=""`), bad},
		{"edge without bandwidth", edgeCall, ens("ens_internet_charge_type=-"), missing},
		{"edge, the table's spelling", edgeCall, ens("ens_internet_charge_type=-", `ens_Internet_charge_type="BandwidthByDay"`), missing},
		{"edge, unknown bandwidth", edgeCall, ens(`ens_internet_charge_type="PayByTraffic"`), bad},
		{"edge without term", edgeCall, ens("worker_period=-"), missing},
		{"edge 4 months", edgeCall, ens("worker_period=4"), bad},
		{"edge with a charge type", edgeCall, ens(`worker_instance_charge_type="PrePaid"`), bad},
		{"edge with a key pair", edgeCall, ens("login_password=-", `key_pair="ops"`), missing},
		{"edge with both", edgeCall, ens(`key_pair="ops"`), bad},
		{"edge, plain password", edgeCall, ens(`login_password="hello"`), "InvalidParameter.LoginPassword"},
		{"edge, no system disk", edgeCall, ens("worker_system_disk_size=-"), missing},
		{"edge, system disk of 10", edgeCall, ens("worker_system_disk_size=10"), bad},
		{"edge, system disk of 25", edgeCall, ens("worker_system_disk_size=25"), bad},
		{"edge, system disk of 110", edgeCall, ens("worker_system_disk_size=110"), bad},
		{"edge, disk no larger than the image", edgeCall, ens(`worker_image_id="centos_7_06_64_20G_alibase_20190711.vhd"`), bad},
		{"edge, data disk of 10", edgeCall, ens("worker_data_disk_size=10"), bad},
		{"edge, data disk of 205", edgeCall, ens("worker_data_disk_size=205"), bad},
		{"edge, data disk of 210", edgeCall, ens("worker_data_disk_size=210"), bad},
		{"edge, not an edge worker", edgeCall, ens("is_edge_worker=false"), bad},
		{"edge, nothing said of it", edgeCall, ens("is_edge_worker=-"), missing},
		{"edge, renewal without period", edgeCall, ens("worker_auto_renew=true"), missing},
		{"edge, renewal of 13 months", edgeCall, ens("worker_auto_renew=true", "worker_auto_renew_period=13"), bad},
		{"edge, period without renewal", edgeCall, ens("worker_auto_renew_period=1"), bad},
		{"edge, no time at all", edgeCall, ens("timeout_mins=0"), bad},

		{"remove nobody", drop(""), "", missing},
		{"remove an empty list", drop(list(`[]`)), "", missing},
		{"remove by both", drop(list(`["i-1"]`) + "&nodes=" + url.QueryEscape(`["n"]`)), "", missing},
		{"remove by a bare id", drop(list(`i-1`)), "", bad},
		{"remove by numbers", drop(list(`[1]`)), "", bad},
		{"remove unknown", drop(list(`["i-none"]`)), "", bad},
		{"remove an empty name", drop("nodes=" + url.QueryEscape(`[""]`)), "", bad},
		{"drain perhaps", drop(list(`["i-none"]`) + "&drain_node=perhaps"), "", bad},
		{"remove and force", drop(list(`["i-none"]`) + "&force=true"), "", bad},
		{"remove from unknown pool", strings.Replace(drop(list(`["i-1"]`)), workers, "none", 1), "", "ErrorNodePoolNotFound"},
		{"delete nobody", del, `{"nodes":[]}`, missing},
		{"delete nothing named", del, `{}`, missing},
		{"delete unknown", del, `{"nodes":["cn-beijing.10.0.0.1"]}`, bad},
		{"delete by instance", del, `{"instance_ids":["i-1"]}`, missing},
		{"delete, flag as text", del, `{"nodes":["n"],"drain_node":"true"}`, bad},
		{"delete in unknown", "POST DeleteClusterNodes /clusters/none/nodes", `{"nodes":["n"]}`, "ErrorClusterNotFound"},
		{"the old form in unknown", "POST RemoveClusterNodes /api/v2/clusters/none/nodes/remove", `{"nodes":["n"]}`, "ErrorClusterNotFound"},
	}
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	for _, tt := range tests {
		a := c.call(tt.what, tt.body)
		require.Equal(t, tt.want, a.ackCode(), "%s: %v", tt.name, a)
		require.NotEmpty(t, a["request_id"], "the product's own spelling")
		require.NotContains(t, a["message"], "Hello", "a password is never repeated")
		if strings.Contains(tt.want, "NotFound") {
			require.Equal(t, 404, a["status"])
		} else {
			require.Equal(t, 400, a["status"])
		}
	}
	require.Zero(t, accepted(sim), "nothing of this was ordered")
	for _, cl := range c.must("GET DescribeClustersV1 /api/v1/clusters", "").list("clusters") {
		require.Equal(t, "running", cl["state"])
	}
}

// A parameter that a call doesn't have is a mistake, not decoration.
func TestAckUnknownQueryParameters(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	id := c.grow(1)
	for what, body := range map[string]string{
		"GET DescribeClustersV1 /api/v1/clusters":                                          "",
		"GET DescribeClusterDetail /clusters/" + web:                                       "",
		"GET DescribeClusterNodePools /clusters/" + web + "/nodepools":                     "",
		"GET DescribeClusterNodePoolDetail /clusters/" + web + "/nodepools/" + workers:     "",
		"GET DescribeClusterNodes /clusters/" + web + "/nodes":                             "",
		"GET DescribeClusterTasks /clusters/" + web + "/tasks":                             "",
		"GET DescribeClusterEvents /clusters/" + web + "/events":                           "",
		"GET DescribeTaskInfo /tasks/" + id:                                                "",
		"POST PauseTask /tasks/" + id + "/pause":                                           "",
		"DELETE RemoveNodePoolNodes /clusters/" + web + "/nodepools/" + workers + "/nodes": "",
		"POST DeleteClusterNodes /clusters/" + web + "/nodes":                              `{"nodes":["n"]}`,
		growCall: `{"count":1}`, setCall: `{"scaling_group":{"desired_size":5}}`, webCall: order(workerBody), edgeCall: order(edgeBody),
	} {
		require.Equal(t, "InvalidParameter", c.call(what+"?x=1", body).ackCode(), what)
	}
	require.Equal(t, 1, accepted(sim))
}

func TestAckMastersStay(t *testing.T) {
	c := newAckClient(t, run(t, ackWorld))
	nodes := c.machines("cold", "")
	require.Equal(t, []string{"Master", "Master", "Master", "Worker"}, states(nodes, "instance_role"))
	require.EqualValues(t, 4, c.cluster("cold")["size"], "masters count")
	a := c.call("POST DeleteClusterNodes /clusters/cold/nodes", `{"nodes":["`+nodes[0]["node_name"].(string)+`"]}`)
	require.Equal(t, "InvalidParameter", a.ackCode())
	require.Equal(t, "InvalidParameter", c.call(shrink("cold", "npold", "", nodes[0]["instance_id"]), "").ackCode())
	same := nodes[3]["instance_id"]
	require.Equal(t, "InvalidParameter", c.call(shrink("cold", "npold", "", same, same), "").ackCode(), "named twice")
	require.Equal(t, "InvalidParameter", c.call(shrink(web, workers, "", same), "").ackCode(), "a node of another pool")
}

// A cluster does one thing at a time, and only when it runs.
func TestAckBusy(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	first := c.machines(web, "nodepool_id="+workers)
	task := c.grow(1)
	changes := map[string]string{
		growCall: `{"count":1}`,
		strings.Replace(growCall, workers, "npyear", 1): `{"count":1}`,
		setCall: `{"scaling_group":{"desired_size":9}}`,
		webCall: order(workerBody),
		shrink(web, workers, "", first[0]["instance_id"]):                   "",
		"POST DeleteClusterNodes /clusters/" + web + "/nodes":               `{"nodes":["` + first[0]["node_name"].(string) + `"]}`,
		"POST RemoveClusterNodes /api/v2/clusters/" + web + "/nodes/remove": `{"nodes":["` + first[0]["node_name"].(string) + `"]}`,
	}
	refused := func() {
		t.Helper()
		for what, body := range changes {
			a := c.call(what, body)
			require.Equal(t, "ErrorClusterState", a.ackCode(), what)
			require.Equal(t, 400, a["status"])
		}
	}
	refused()
	require.Empty(t, c.must(edgeCall, order(edgeBody)).ackCode(), "another cluster is free")
	require.Empty(t, c.steer("Pause", task))
	refused() // a paused task still holds the cluster
	require.Empty(t, c.steer("Cancel", task))
	require.Equal(t, 2, len(sim.Ledger())-len(changes)*2-2, "the two orders beside refusals and steering")
	c.grow(1)
}
