package cloudsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// Every way in which the document says no to a resize, and the strict readings.
func TestHuaweiScalingRefusals(t *testing.T) {
	const out = `"scale_type":"scale_out",`
	first := func(info string) string {
		return change(taskGroup, 1) + `,"task_node_info":{` + info + `}`
	}
	const full = `"node_size":"s3.xlarge.2.linux.bigdata","data_volume_type":"SATA","data_volume_count":2,"data_volume_size":200`
	empty := huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups = w.Clusters[0].Groups[:2] })
	world := func(change func(*cloudsim.HuaweiCluster)) func(*cloudsim.Options) {
		return huaweiWorld(func(w *cloudsim.HuaweiWorld) { change(&w.Clusters[0]) })
	}
	quota := func(q cloudsim.HuaweiQuota) func(*cloudsim.Options) {
		return huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Quota = q })
	}
	tests := []struct {
		name, parameters, want string
		world                  func(*cloudsim.Options)
	}{
		{"unknown field", change(taskGroup, 1) + `,"foo":1`, "12000002", nil},
		{"field in another case", `"Scale_type":"scale_out","instances":1`, "12000002", nil},
		{"null", change(taskGroup, 1) + `,"order_id":null`, "12000002", nil},
		{"no instances", `"scale_type":"scale_out"`, "12000002", nil},
		{"no scale_type", `"instances":1`, "12000002", nil},
		{"unknown scale_type", `"scale_type":"grow","instances":1`, "12000002", nil},
		{"another node_id", change(taskGroup, 1) + `,"node_id":"node_1"`, "12000002", nil},
		{"zero", out + `"instances":0`, "12000002", nil},
		{"negative", out + `"instances":-1`, "12000002", nil},
		{"negative as text", out + `"instances":"-1"`, "12000002", nil},
		{"fraction", out + `"instances":1.5`, "12000002", nil},
		{"no number", out + `"instances":"two"`, "12000002", nil},
		{"flag of no sense", change(taskGroup, 1) + `,"skip_bootstrap_scripts":"no"`, "12000002", nil},
		{"second flag as text", change(taskGroup, 1) + `,"scale_without_start":"false"`, "12000002", nil},
		{"reserved order_id", change(taskGroup, 1) + `,"order_id":"CS1"`, "12000002", nil},
		{"unknown group", change("gpu", 1), "12000002", nil},
		{"master", change("master_node_default_group", 1), "12000054", nil},

		{"spec although task nodes are there", first(full), "12000123", nil},
		{"spec for core nodes", change(coreGroup, 1) + `,"task_node_info":{` + full + `}`, "12000002", nil},
		{"first task nodes without a spec", change(taskGroup, 1), "12000002", empty},
		{"spec without a flavour", first(`"data_volume_type":"SATA"`), "12000002", empty},
		{"unknown flavour", first(`"node_size":"c9.huge.linux.bigdata"`), "12000048", empty},
		{"the price list's name of a flavour", first(`"node_size":"s3.xlarge.2.linux"`), "12000048", empty},
		{"disk left unset by the SDK", first(`"node_size":"s3.xlarge.2.linux.bigdata","data_volume_type":"","data_volume_count":0,"data_volume_size":0`), "12000002", empty},
		{"unknown disk", first(strings.Replace(full, "SATA", "FLOPPY", 1)), "12000002", empty},
		{"no disks", first(strings.Replace(full, `count":2`, `count":0`, 1)), "12000002", empty},
		{"11 disks", first(strings.Replace(full, `count":2`, `count":11`, 1)), "12000002", empty},
		{"disk below 100 GB", first(strings.Replace(full, "200", "99", 1)), "12000141", empty},
		{"disk above 32000 GB", first(strings.Replace(full, "200", "32001", 1)), "12000142", empty},

		{"core below 3", change(coreGroup, -1), "12000002", nil},
		{"more task nodes than there are", change(taskGroup, -3), "12000002", nil},
		{"named core nodes", change(coreGroup, -1) + `,"server_ids":["x"]`, "12000002", world(func(c *cloudsim.HuaweiCluster) { c.Groups[1].Count = 5 })},
		{"named unknown node", change(taskGroup, -1) + `,"server_ids":["x"]`, "12000002", nil},
		{"fewer names than instances", change(taskGroup, -2) + `,"server_ids":["x"]`, "12000002", nil},
		{"core and task above 500", change(taskGroup, 496), "12000028", nil},
		{"task nodes under auto scaling", change(taskGroup, 1), "12000124", world(func(c *cloudsim.HuaweiCluster) { c.Groups[2].AutoScaled = true })},
		{"custom cluster", change("node_group_1", 1), "12000054", huaweiWorld(custom)},
		{"custom cluster by a default name", change(taskGroup, 1), "12000054", huaweiWorld(custom)},
		{"two core groups", change(coreGroup, 1), "12000002", world(func(c *cloudsim.HuaweiCluster) {
			c.Kind, c.Groups[1].Name, c.Groups[2].Name = cloudsim.HuaweiHybrid, "core_node_analysis_group", "core_node_streaming_group"
		})},
		{"yearly/monthly", change(taskGroup, 1), "12000065", world(func(c *cloudsim.HuaweiCluster) { c.Prepaid = true })},
		{"unpaid order", change(taskGroup, 1), "12000121", world(func(c *cloudsim.HuaweiCluster) { c.Unpaid = true })},

		{"quota of nodes", change(taskGroup, 2), "12000030", quota(cloudsim.HuaweiQuota{Nodes: 8})},
		{"quota of vCPUs", change(taskGroup, 1), "12000031", quota(cloudsim.HuaweiQuota{CPUs: 127})},
		{"quota of memory", change(taskGroup, 1), "12000032", quota(cloudsim.HuaweiQuota{MemoryGB: 511})},
		{"quota of disks", change(taskGroup, 1), "12000033", quota(cloudsim.HuaweiQuota{Disks: 7})},
		{"quota of disk capacity", change(taskGroup, 1), "12000034", quota(cloudsim.HuaweiQuota{DiskGB: 4799})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := run(t, tt.world)
			c := newHuaweiClient(t, sim)
			a := c.resize(tt.parameters)
			require.Equal(t, tt.want, a.code(), "%v", a.answer)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.NotEmpty(t, a.answer["error_msg"])
			l := sim.Ledger()
			require.Len(t, l, 1)
			require.Equal(t, cloudsim.Rejected, l[0].Outcome)
			require.Equal(t, tt.want, l[0].Code)
			sim.Advance(time.Hour)
			require.Equal(t, "running", c.state())
			require.Zero(t, accepted(sim))
		})
	}
}

// Just inside the limits that the refusals test from the other side.
func TestHuaweiScalingJustInside(t *testing.T) {
	tests := map[string]struct {
		parameters string
		world      func(*cloudsim.Options)
	}{
		"500 core and task nodes": {change(taskGroup, 495), nil},
		"core down to 3":          {change(coreGroup, -2), huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[1].Count = 5 })},
		"all task nodes":          {change(taskGroup, -2), nil},
		"all quotas": {change(taskGroup, 1), huaweiWorld(func(w *cloudsim.HuaweiWorld) {
			w.Quota = cloudsim.HuaweiQuota{Nodes: 8, CPUs: 128, MemoryGB: 512, Disks: 8, DiskGB: 4800}
		})},
		"instances as text":            {`"scale_type":"scale_out","node_group":"task_node_default_group","instances":"2"`, nil},
		"no group means core":          {`"scale_type":"scale_out","instances":1`, nil},
		"an empty group means core":    {`"scale_type":"scale_out","node_group":"","instances":1`, nil},
		"flag as the SDK's text":       {change(taskGroup, 1) + `,"skip_bootstrap_scripts":"true"`, nil},
		"names on a scale-out ignored": {change(taskGroup, 1) + `,"server_ids":["x","y"]`, nil},
		"the only core group":          {change(coreGroup, 1), huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[1].Name = "core_node_analysis_group" })},
		"a group's own name":           {change("core_node_analysis_group", 1), huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[1].Name = "core_node_analysis_group" })},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sim := run(t, tt.world)
			c := newHuaweiClient(t, sim)
			a := c.resize(tt.parameters)
			require.Equal(t, http.StatusOK, a.status, "%v", a.answer)
			require.Equal(t, answer{"result": "succeeded"}, a.answer, "no id of any kind")
			e := sim.Ledger()[0]
			sim.Advance(time.Hour)
			before := map[string]int{"core": 3, "task": 2}[e.Group[:4]]
			if name == "core down to 3" {
				before = 5
			}
			require.Equal(t, before+e.Delta, c.size(e.Group))
		})
	}
}

func TestHuaweiBodies(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	for _, body := range []string{
		``, `{`, `[]`, `{}`, `{"parameters":null}`, `{"parameters":[]}`, `{"parameters":{}} {}`,
		`{"parameters":{"node_id":"node_orderadd",` + change(taskGroup, 1) + `},"previous_values":{"plan_id":"p"}}`,
		`{"parameters":{"node_id":"node_orderadd",` + change(taskGroup, 1) + `},"plan_id":"p"}`,
		`{"parameters":{"node_id":"node_orderadd",` + change(taskGroup, 1) + `},"foo":1}`,
	} {
		require.Equal(t, "12000002", c.call(http.MethodPut, c.v1("/cluster_infos/{}"), "", body).code(), body)
	}
	require.Zero(t, accepted(sim))
}

// A hybrid cluster has two core and two task groups, which go by their own names.
func TestHuaweiHybridCluster(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		c := &w.Clusters[0]
		core, task := c.Groups[1], c.Groups[2]
		c.Kind, c.Groups = cloudsim.HuaweiHybrid, c.Groups[:1]
		for _, kind := range []string{"_analysis_group", "_streaming_group"} {
			core.Name, task.Name = "core_node"+kind, "task_node"+kind
			c.Groups = append(c.Groups, core, task)
		}
	}))
	c := newHuaweiClient(t, sim)
	d := c.details()
	require.Equal(t, 2, num(d["clusterType"]))
	require.Equal(t, "6", d["coreNodeNum"], "of both groups")
	require.Len(t, d.list("nodeGroups"), 3)
	require.Len(t, d.list("taskNodeGroups"), 2)
	require.Equal(t, "12000002", c.resize(change(taskGroup, 1)).code(), "which of the two?")
	require.Equal(t, http.StatusOK, c.resize(change("task_node_analysis_group", 1)).status)
	sim.Advance(time.Hour)
	require.Equal(t, []int{3, 2}, []int{c.size("task_node_analysis_group"), c.size("task_node_streaming_group")})
	require.Equal(t, "Analysis_Task", c.hosts("task_node_analysis_group")[0]["type"])
	require.Equal(t, "12000002", c.resize(change("core_node_streaming_group", -1)).code(), "each keeps three")
}

// A cluster that never had task nodes lists no such group; its first ones make it.
func TestHuaweiFirstTaskNodesMakeTheGroup(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups = w.Clusters[0].Groups[:2] }))
	c := newHuaweiClient(t, sim)
	require.Len(t, huaweiState(t, sim).Groups, 2)
	a := c.resize(change(taskGroup, 2) + `,"task_node_info":{"node_size":"c3.4xlarge.2.linux.bigdata"}`)
	require.Equal(t, http.StatusOK, a.status, "all but the flavour may be left out: %v", a.answer)
	sim.Advance(10 * time.Second)
	require.Zero(t, c.size(taskGroup))
	sim.Advance(time.Hour)
	require.Equal(t, 2, c.size(taskGroup))
	require.Equal(t, "c3.4xlarge.2.linux.bigdata", c.hosts(taskGroup)[0]["flavor"])
}

// The samples of the document are taken as they are printed.
func TestHuaweiDocumentSamples(t *testing.T) {
	sample := func(parameters string) string {
		return `{"service_id":"","plan_id":"","parameters":{"order_id":"","node_id":"node_orderadd",` + parameters + `},"previous_values":{"plan_id":""}}`
	}
	const flags = `,"skip_bootstrap_scripts":false,"scale_without_start":false`
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		w.Clusters[0].Groups[1].Count, w.Clusters[0].Groups[2].Count, w.Clusters[0].Groups[2].Flavor = 5, 0, ""
	}))
	c := newHuaweiClient(t, sim)
	require.Zero(t, c.size(taskGroup))
	require.Empty(t, c.details().list("taskNodeGroups"), "an empty task group is not listed")
	do := func(parameters, group string, want int) {
		t.Helper()
		c.must(http.MethodPut, c.v1("/cluster_infos/{}"), "", sample(parameters))
		sim.Advance(time.Hour)
		require.Equal(t, want, c.size(group))
	}
	do(`"scale_type":"scale_out","node_group":"core_node_default_group","instances":"1"`+flags, coreGroup, 6)
	do(`"scale_type":"scale_out","node_group":"task_node_default_group","task_node_info":{"node_size":"s3.xlarge.2.linux.bigdata","data_volume_type":"SATA","data_volume_count":2,"data_volume_size":200},"instances":"1","scale_without_start":false`, taskGroup, 1)
	g := c.details().list("taskNodeGroups")[0]
	require.Equal(t, "s3.xlarge.2.linux.bigdata", g["nodeSize"])
	require.Equal(t, "SATA", g["dataVolumeType"])
	require.Equal(t, []int{2, 200}, []int{num(g["dataVolumeCount"]), num(g["dataVolumeSize"])})
	do(`"scale_type":"scale_out","node_group":"task_node_default_group","instances":"1"`+flags, taskGroup, 2)
	do(`"scale_type":"scale_in","node_group":"core_node_default_group","instances":"1"`, coreGroup, 5)
	do(`"scale_type":"scale_in","node_group":"task_node_default_group","instances":"1"`, taskGroup, 1)
	do(`"scale_type":"scale_out","node_group":"task_node_default_group","instances":"2"`, taskGroup, 3)
	ids := c.hosts(taskGroup)
	do(fmt.Sprintf(`"scale_type":"scale_in","node_group":"task_node_default_group","instances":"2","server_ids":[%q,%q]`, ids[0]["id"], ids[2]["id"]), taskGroup, 1)
	require.Equal(t, ids[1]["id"], c.hosts(taskGroup)[0]["id"])
	do(`"scale_type":"scale_in","node_group":"task_node_default_group","instances":"1"`, taskGroup, 0)
	require.Equal(t, "12000002", c.resize(change(taskGroup, 1)).code(), "empty again: a spec is needed again")
}

func TestHuaweiScaleOutRoad(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	before, hosts := c.details(), c.hosts(taskGroup)
	require.Equal(t, []string{"ACTIVE", "ACTIVE"}, statuses(hosts))
	require.Equal(t, "", before["scale"])
	c.must(http.MethodPut, c.v1("/cluster_infos/{}"), "", `{"parameters":{"node_id":"node_orderadd",`+change(taskGroup, 2)+`}}`)

	// Taken, and nothing shows yet: a running cluster proves nothing.
	require.Equal(t, before, c.details())
	require.Equal(t, hosts, c.hosts(taskGroup))
	require.Equal(t, "12000018", c.resize(change(taskGroup, 2)).code(), "though a repeat is refused already")
	sim.Advance(6*time.Second - 1)
	require.Equal(t, before, c.details())

	look := func(d time.Duration) answer {
		t.Helper()
		sim.Advance(d)
		return c.details()
	}
	d := look(1)
	require.Equal(t, "scaling-out", d["clusterState"])
	require.Equal(t, "scaling-out", d["scale"])
	require.Equal(t, "Preparing for cluster expansion", d["stageDesc"])
	require.Equal(t, "1795482006", d["updateAt"])
	require.NotEqual(t, before["updateAt"], d["updateAt"])
	require.Equal(t, "12000018", c.resize(change(coreGroup, 1)).code())
	require.Equal(t, "12000018", c.call(http.MethodPost, c.v2("shrink"), "", `{"node_group_name":"task_node_default_group","count":1}`).code())

	d = look(20*time.Second + 45*time.Second) // half-way through creating machines
	require.Equal(t, "Creating VM", d["stageDesc"])
	require.Equal(t, []string{"ACTIVE", "ACTIVE", "BUILD"}, statuses(c.hosts(taskGroup)))
	require.Equal(t, 2, c.size(taskGroup), "a machine being made is no node yet")
	d = look(45 * time.Second)
	require.Equal(t, "Initializing VM", d["stageDesc"])
	d = look(64*time.Second + 60*time.Second) // half-way through joining
	require.Equal(t, "Adding node to the cluster", d["stageDesc"])
	require.Equal(t, []string{"ACTIVE", "ACTIVE", "ACTIVE", "BUILD"}, statuses(c.hosts(taskGroup)))
	require.Equal(t, 3, c.size(taskGroup))
	require.Equal(t, "scaling-out", look(60*time.Second - 1)["clusterState"])

	d = look(1) // 300 s
	require.Equal(t, "running", d["clusterState"])
	require.Equal(t, "", d["scale"])
	require.Equal(t, "", d["errorInfo"])
	require.Equal(t, "1795482300", d["updateAt"])
	require.Equal(t, "9", d["totalNodeNum"], "numbers of nodes are text")
	require.Equal(t, 4, c.size(taskGroup))
	after := c.hosts(taskGroup)
	require.Equal(t, hosts, after[:2])
	for _, h := range after[2:] {
		require.Contains(t, h["name"], "node_orderadd")
		require.Equal(t, "ACTIVE", h["status"])
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`, h["id"])
		require.NotEqual(t, h["id"], h["resource_id"])
		require.Equal(t, "c6.4xlarge.4.linux.bigdata", h["flavor"])
		require.Equal(t, "16", h["cpu"])
		require.Equal(t, "65536", h["mem"])
	}
}

func TestHuaweiScaleInRoad(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[1].Count = 5 }))
	c := newHuaweiClient(t, sim)
	hosts := c.hosts(taskGroup)
	require.Equal(t, "12000002", c.resize(change(taskGroup, -2)+fmt.Sprintf(`,"server_ids":[%q]`, hosts[0]["id"])).code(), "two to go and one named")
	require.Equal(t, "12000002", c.resize(change(taskGroup, -2)+fmt.Sprintf(`,"server_ids":[%q,%[1]q]`, hosts[0]["id"])).code(), "named twice")
	require.Equal(t, "12000002", c.resize(change(taskGroup, -1)+fmt.Sprintf(`,"server_ids":[%q]`, hosts[0]["resource_id"])).code(), "the other id")
	c.resize(change(taskGroup, -1) + fmt.Sprintf(`,"server_ids":[%q]`, hosts[0]["id"]))
	sim.Advance(6 * time.Second)
	require.Equal(t, "scaling-in", c.state())
	require.Equal(t, "Preparing for cluster shrink", c.details()["stageDesc"])
	sim.Advance(20 * time.Second)
	require.Equal(t, "Decommissioning instance", c.details()["stageDesc"])
	require.Equal(t, []string{"ACTIVE", "ACTIVE"}, statuses(c.hosts(taskGroup)))
	sim.Advance(90 * time.Second)
	require.Equal(t, "Deleting node from the cluster", c.details()["stageDesc"])
	require.Equal(t, []string{"DELETED", "ACTIVE"}, statuses(c.hosts(taskGroup)))
	require.Equal(t, 2, c.size(taskGroup), "still a node of the cluster")
	sim.Advance(30 * time.Second) // 146 s
	require.Equal(t, "running", c.state())
	require.Equal(t, []answer{hosts[1]}, c.hosts(taskGroup), "exactly the one that was named")

	// Core nodes hand their data over first, which takes far longer.
	c.resize(change(coreGroup, -2))
	sim.Advance(10 * time.Minute)
	require.Equal(t, "Decommissioning instance", c.details()["stageDesc"])
	require.Equal(t, 5, c.size(coreGroup))
	sim.Advance(116 * time.Second)
	require.Equal(t, "running", c.state())
	require.Equal(t, 3, c.size(coreGroup))
	require.Equal(t, "3", c.details()["coreNodeNum"])
}

func TestHuaweiSpeedAndStages(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) {
		o.Speed = cloudsim.DemoSpeed
		o.Stages = map[string]time.Duration{cloudsim.StageMRSAccepted: 0, cloudsim.StageMRSJoin: 62 * time.Second}
	})
	c := newHuaweiClient(t, sim)
	c.resize(change(taskGroup, 1))
	require.Equal(t, "scaling-out", c.state(), "no time is left out before the state turns")
	sim.Advance(3800 * time.Millisecond) // 236 s by 62 is 3.806 s
	require.Equal(t, "scaling-out", c.state())
	sim.Advance(10 * time.Millisecond)
	require.Equal(t, "running", c.state())
}
