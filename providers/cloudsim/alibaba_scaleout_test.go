package cloudsim_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// The document's own sample (its masked ids filled in) is taken but for one
// field: it sends a data disk's size as a number where its table says text.
func TestAckDocumentExample(t *testing.T) {
	sample, err := os.ReadFile("testdata/AckScaleOutCluster.json")
	require.NoError(t, err)
	sim := run(t, nil)
	c := newAckClient(t, sim)
	require.Equal(t, "InvalidParameter", c.call(webCall, string(sample)).ackCode())

	a := c.must(webCall, strings.Replace(string(sample), "500", `"500"`, 1))
	require.Equal(t, web, a["cluster_id"])
	require.Regexp(t, `^T-[0-9a-f]{24}$`, a["task_id"])
	require.Regexp(t, `^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`, a["request_id"])
	task := c.task(a["task_id"].(string))
	require.Equal(t, "cluster_scaleout", task["task_type"])
	require.Equal(t, answer{"id": web, "type": "cluster"}, task.sub("target"))
	require.Equal(t, legacy, sim.Ledger()[1].Group, "the nodes land in the default pool")
	require.Equal(t, 1, sim.Ledger()[1].Delta)
	require.Nil(t, c.pool(web, legacy).sub("scaling_group")["desired_size"])
	sim.Advance(4 * time.Minute)
	nodes := c.machines(web, "nodepool_id="+legacy)
	require.Len(t, nodes, 3)
	require.Equal(t, "ecs.c5.xlarge", nodes[2]["instance_type"])
	require.Equal(t, "PostPaid", nodes[2]["instance_charge_type"])
}

// What the document allows is taken, each range at both its ends.
func TestAckScaleOutTakes(t *testing.T) {
	tests := map[string][]string{
		"the least":               {"worker_system_disk_category=-", "worker_system_disk_size=-"},
		"a password":              {"key_pair=-", `login_password="Hello@1234"`},
		"a password of 8":         {"key_pair=-", `login_password="hello@12"`},
		"a password of 30":        {"key_pair=-", `login_password="Hello1` + strings.Repeat("x", 24) + `"`},
		"500 nodes":               {"count=500"},
		"hourly by name":          {`worker_instance_charge_type="PostPaid"`, "worker_auto_renew=false"},
		"prepaid":                 pre(),
		"a year":                  pre("worker_period=12"),
		"renewal":                 pre("worker_auto_renew=true", "worker_auto_renew_period=12"),
		"smallest system disk":    {"worker_system_disk_size=40"},
		"largest system disk":     {"worker_system_disk_size=500"},
		"data disks":              {"worker_data_disk=true", `worker_data_disks=[{"category":"cloud_ssd","size":"40","encrypted":"false"},{"category":"cloud_essd","size":"32767","encrypted":"true"}]`},
		"data disks, unmentioned": {`worker_data_disks=[{"category":"cloud_ssd","size":"40"}]`},
		"monitor and policy":      {"cloud_monitor_flags=true", `cpu_policy="static"`},
		"rollback either way":     {"disable_rollback=true"},
		"image and user data":     {`image_id=""`, `user_data="IyEvYmluL3No"`},
		"runtime":                 {`runtime={"name":"docker","version":"19.03.5"}`},
		"databases":               {`rds_instances=["rm-2zev748xi27xc0000"]`},
		"tags and taints":         {`tags=[{"key":"tier","value":"frontend"}]`, `taints=[{"key":"node_type","value":"prod","effect":"NoSchedule"}]`},
		"ten machine types":       {`worker_instance_types=[` + strings.Repeat(`"ecs.c5.xlarge",`, 9) + `"ecs.c7.xlarge"]`},
		"two vSwitches":           {`vswitch_ids=["vsw-1","vsw-2"]`},
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			c := newAckClient(t, run(t, nil))
			c.must(webCall, order(workerBody, changes...))
		})
	}
}

func TestAckPrepaidOrder(t *testing.T) {
	sim := run(t, ackWorld)
	c := newAckClient(t, sim)
	c.must(webCall, order(workerBody, pre("worker_period=3")...))
	sim.Advance(time.Hour)
	n := c.machines(web, "nodepool_id="+legacy)[2]
	require.Equal(t, "PrePaid", n["instance_charge_type"], "what the request says, not the pool")
	require.Equal(t, "2027-02-24T09:00:00+08:00", n["expired_time"])
	require.Equal(t, "2099-12-31T23:59:00+08:00", c.machines(web, "nodepool_id="+legacy)[0]["expired_time"])

	// A default pool with an expected number of nodes goes up with the order.
	c.must(strings.Replace(webCall, web, "cold", 1), order(workerBody, `vswitch_ids=["vsw-9"]`, "count=2"))
	require.EqualValues(t, 3, c.pool("cold", "npold").sub("scaling_group")["desired_size"])
	sim.Advance(time.Hour)
	require.EqualValues(t, 6, c.cluster("cold")["size"])
}

// The edge document's sample, its masked image filled in, is taken as it is.
func TestAckEdgeDocumentExample(t *testing.T) {
	sample, err := os.ReadFile("testdata/AckEdgeScaleOutCluster.json")
	require.NoError(t, err)
	sim := run(t, nil)
	c := newAckClient(t, sim)
	a := c.must(edgeCall, string(sample))
	require.Equal(t, webEdge, a["cluster_id"])
	require.Equal(t, "scaling", c.cluster(webEdge)["state"])
	sim.Advance(4 * time.Minute)
	require.Equal(t, "success", c.task(a["task_id"].(string))["state"])
	nodes := c.machines(webEdge, "")
	require.Len(t, nodes, 3)
	require.Equal(t, edge, nodes[2]["nodepool_id"])
	require.Equal(t, "PrePaid", nodes[2]["instance_charge_type"], "ENS is prepaid")
	require.Equal(t, "2026-12-24T09:00:00+08:00", nodes[2]["expired_time"])

	// Its nodes can leave, and go on costing.
	b := c.must(shrink(webEdge, edge, "&release_node=true&drain_node=true", nodes[0]["instance_id"]), "")
	sim.Advance(time.Hour)
	require.Equal(t, nodes[1:], c.machines(webEdge, ""))
	require.Equal(t, "success", c.task(b["task_id"].(string))["state"])
	reasons := states(c.task(b["task_id"].(string)).list("events"), "reason")
	require.Equal(t, []string{"Started", "CordonNodes", "DrainNodes", "RemoveNodes", "NodeRemoved", "SyncScalingGroup", "Success"}, reasons)
	require.Contains(t, c.task(b["task_id"].(string)).list("events")[4]["message"], "is a subscription and is not released")
}

func TestAckEdgeTakes(t *testing.T) {
	tests := map[string][]string{
		"the least":                {},
		"monthly bandwidth":        {`ens_internet_charge_type="95BandwidthByMonth"`},
		"five years":               {"worker_period=60"},
		"largest system disk":      {"worker_system_disk_size=100"},
		"smallest data disk":       {"worker_data_disk_size=20"},
		"largest data disk":        {"worker_data_disk_size=200"},
		"renewal of a year":        {"worker_auto_renew=true", "worker_auto_renew_period=12"},
		"no renewal":               {"worker_auto_renew=false"},
		"a minute":                 {"timeout_mins=1"},
		"disk larger than image":   {`worker_image_id="centos_7_06_64_20G_alibase_20190711.vhd"`, "worker_system_disk_size=30"},
		"a larger machine, twenty": {`worker_instance_type="ens.sn1.small"`, "count=20"},
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			newAckClient(t, run(t, nil)).must(edgeCall, order(edgeBody, changes...))
		})
	}
	sim := run(t, func(o *cloudsim.Options) { o.World.Alibaba.EdgeRegions = nil })
	newAckClient(t, sim).must(edgeCall, order(edgeBody, `ens_region_id="cn-nowhere-unicom"`))
}

// What is not there after timeout_mins is given up; what has joined stays.
func TestAckEdgeTimeout(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	id := c.must(edgeCall, order(edgeBody, "count=2", "timeout_mins=3"))["task_id"].(string)
	sim.Advance(3*time.Minute - time.Second)
	require.Equal(t, "running", c.task(id)["state"])
	sim.Advance(time.Hour)
	task := c.task(id)
	require.Equal(t, "fail", task["state"])
	require.Equal(t, "the instances were not added in time", task.sub("error")["message"])
	require.Equal(t, "2026-11-24T09:03:00+08:00", task["updated"], "given up then, whenever somebody looks")
	require.Equal(t, []string{"success", "fail"}, states(task.list("task_result"), "status"))
	require.Equal(t, []string{"success", "success", "fail", "pending"}, states(task.list("stages"), "state"))
	require.Len(t, c.machines(webEdge, "state=running"), 3)
	failed := c.machines(webEdge, "state=failed")
	require.Len(t, failed, 1, "the machine is there and costs")
	require.NotEmpty(t, failed[0]["error_message"])

	// Time runs while a task is paused, and one that is done in time ends well.
	id = c.must(edgeCall, order(edgeBody, "timeout_mins=60"))["task_id"].(string)
	require.Empty(t, c.steer("Pause", id))
	sim.Advance(59 * time.Minute)
	require.Equal(t, "paused", c.task(id)["state"])
	sim.Advance(time.Minute)
	require.Equal(t, "fail", c.task(id)["state"])
	require.Equal(t, "CreateInstances", c.task(id)["current_stage"], "it got no further than where it was paused")
	id = c.must(edgeCall, order(edgeBody, "timeout_mins=4"))["task_id"].(string)
	sim.Advance(time.Hour)
	require.Equal(t, "success", c.task(id)["state"])
}
