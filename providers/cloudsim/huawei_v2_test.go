package cloudsim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

func TestHuaweiV2Refusals(t *testing.T) {
	prepaid := huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Prepaid = true })
	tests := []struct {
		name, verb, body, want string
		world                  func(*cloudsim.Options)
	}{
		{"unknown field", "expand", `{"node_group_name":"task_node_default_group","count":1,"server_ids":[]}`, "12000002", nil},
		{"no group", "expand", `{"count":1}`, "12000002", nil},
		{"no count", "expand", `{"node_group_name":"task_node_default_group"}`, "12000002", nil},
		{"zero", "expand", `{"node_group_name":"task_node_default_group","count":0}`, "12000002", nil},
		{"unknown group", "expand", `{"node_group_name":"gpu","count":1}`, "12000002", nil},
		{"master", "expand", `{"node_group_name":"master_node_default_group","count":1}`, "12000054", nil},
		{"flag as text", "expand", `{"node_group_name":"task_node_default_group","count":1,"scale_without_start":"true"}`, "12000002", nil},
		{"zone elsewhere", "expand", `{"node_group_name":"task_node_default_group","count":1,"az_code":"cn-north-4b"}`, "12000002", nil},
		{"above 500", "expand", `{"node_group_name":"task_node_default_group","count":496}`, "12000028", nil},
		{"first task nodes", "expand", `{"node_group_name":"task_node_default_group","count":1}`, "12000002", huaweiWorld(func(w *cloudsim.HuaweiWorld) {
			w.Clusters[0].Groups[2].Count, w.Clusters[0].Groups[2].Flavor = 0, ""
		})},
		{"first task nodes of a known flavour", "expand", `{"node_group_name":"task_node_default_group","count":1}`, "12000002", huaweiWorld(func(w *cloudsim.HuaweiWorld) {
			w.Clusters[0].Groups[2].Count = 0
		})},
		{"negative removal", "shrink", `{"node_group_name":"task_node_default_group","count":-1}`, "12000002", nil},
		{"broken JSON", "shrink", `{`, "12000002", nil},
		{"auto scaling", "expand", `{"node_group_name":"task_node_default_group","count":1}`, "12000124", huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[2].AutoScaled = true })},
		{"neither count nor names", "shrink", `{"node_group_name":"task_node_default_group"}`, "12000002", nil},
		{"count and names differ", "shrink", `{"node_group_name":"task_node_default_group","count":2,"resource_ids":["a"]}`, "12000002", nil},
		{"core below 3", "shrink", `{"node_group_name":"core_node_default_group","count":1}`, "12000002", nil},
		{"too many", "shrink", `{"node_group_name":"task_node_default_group","count":3}`, "12000002", nil},
		{"yearly/monthly nodes given back", "shrink", `{"node_group_name":"task_node_default_group","count":1}`, "12000054", prepaid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := run(t, tt.world)
			c := newHuaweiClient(t, sim)
			a := c.call(http.MethodPost, c.v2(tt.verb), "", tt.body)
			require.Equal(t, tt.want, a.code(), "%v", a.answer)
			require.Equal(t, tt.want, sim.Ledger()[0].Code)
			require.Zero(t, accepted(sim))
		})
	}
}

func TestHuaweiV2Road(t *testing.T) {
	sim := run(t, huaweiWorld(custom))
	c := newHuaweiClient(t, sim)
	post := func(verb, body string) answer {
		t.Helper()
		return c.must(http.MethodPost, c.v2(verb), "", body).answer
	}
	// The page's samples write the count as text and name the zone or don't.
	require.Equal(t, answer{"result": "success"}, post("expand", `{"node_group_name":"node_group_1","count":"1","skip_bootstrap_scripts":false,"scale_without_start":true,"az_code":""}`))
	require.Equal(t, "running", c.state())
	sim.Advance(6 * time.Second)
	require.Equal(t, "scaling-out", c.state())
	require.Equal(t, "12000018", c.call(http.MethodPost, c.v2("expand"), "", `{"node_group_name":"node_group_1","count":1}`).code())
	sim.Advance(time.Hour)
	require.Equal(t, 4, c.size("node_group_1"))
	require.Equal(t, answer{"result": "succeeded"}, post("shrink", `{"node_group_name":"node_group_1","count":3,"az_code":"cn-north-4a"}`))
	sim.Advance(146 * time.Second)
	require.Equal(t, "running", c.state())
	require.Equal(t, 1, c.size("node_group_1"), "the smallest number of core nodes is a rule for core groups")
	require.Equal(t, 3, num(c.details()["clusterType"]))
}

// A yearly/monthly group is only ordered: nothing happens before a person pays,
// and until then nothing else is taken.
func TestHuaweiOrders(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		w.Clusters[0].Prepaid, w.Clusters[0].Groups[2].Metered = true, true
	}))
	c := newHuaweiClient(t, sim)
	d := c.details()
	require.Equal(t, 0, num(d["periodType"]))
	require.NotEqual(t, "Metered", d["billingType"])
	billing := map[any]bool{}
	for _, n := range c.must(http.MethodGet, c.v2("nodes"), "", "").list("nodes") {
		billing[n["billing_type"]] = true
	}
	require.Equal(t, map[any]bool{"on-period": true, "on-quantity": true}, billing)

	a := c.must(http.MethodPost, c.v2("expand"), "", `{"node_group_name":"core_node_default_group","count":2}`)
	require.NotContains(t, a.answer, "result")
	order := a.answer["order_id"].(string)
	require.Regexp(t, `^CS[0-9A-F]{16}$`, order)
	e := sim.Ledger()[0]
	require.Equal(t, []any{cloudsim.Accepted, order, 2}, []any{e.Outcome, e.Operation, e.Delta})
	sim.Advance(24 * time.Hour)
	require.Equal(t, "running", c.state())
	require.Equal(t, 3, c.size(coreGroup))
	require.Equal(t, "running, an order is unpaid", huaweiState(t, sim).StatusText)
	require.Equal(t, "12000121", c.call(http.MethodPost, c.v2("expand"), "", `{"node_group_name":"task_node_default_group","count":1}`).code())

	require.Error(t, sim.Pay("CS0"))
	require.NoError(t, sim.Pay(order))
	require.Error(t, sim.Pay(order), "paid once")
	require.Equal(t, "12000018", c.call(http.MethodPost, c.v2("expand"), "", `{"node_group_name":"task_node_default_group","count":1}`).code())
	sim.Advance(5 * time.Minute)
	require.Equal(t, "running", c.state())
	require.Equal(t, 5, c.size(coreGroup))

	// A pay-per-use group of the same cluster needs no order in version 2; version
	// 1.1 refuses the whole cluster.
	require.Equal(t, answer{"result": "success"}, c.must(http.MethodPost, c.v2("expand"), "", `{"node_group_name":"task_node_default_group","count":1}`).answer)
	sim.Advance(time.Hour)
	require.Equal(t, 3, c.size(taskGroup))
	require.Equal(t, "12000065", c.resize(change(taskGroup, 1)).code())
	require.Equal(t, http.StatusOK, c.call(http.MethodPost, c.v2("shrink"), "", `{"node_group_name":"task_node_default_group","count":1}`).status)
}

func TestHuaweiOrderOfSomebodyElse(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Unpaid = true }))
	c := newHuaweiClient(t, sim)
	require.Equal(t, "12000121", c.resize(change(taskGroup, 1)).code())
	sim.ClearFaults()
	require.Equal(t, http.StatusOK, c.resize(change(taskGroup, 1)).status, "ClearFaults withdraws it")
}
