package huaweimrs

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// sizes renders groups as "id count/nodes".
func sizes(groups []providers.Group) (out []string) {
	for _, g := range groups {
		out = append(out, fmt.Sprintf("%s %d/%d", g.ID, g.Count, len(g.Nodes)))
	}
	return out
}

func TestObserveOnTheWire(t *testing.T) {
	b := newBench(t, nil)
	s := b.observe(t)
	require.Equal(t, "/v1.1/pid/cluster_infos/cid", b.of("ShowClusterDetails")[0].path)
	require.Equal(t, "application/json", b.of("ListHosts")[0].header.Get("Content-Type"), "some editions answer 415 otherwise")
	require.Equal(t, "/v1.1/pid/clusters/cid/hosts", b.of("ListHosts")[0].path)
	require.Equal(t, "currentPage=1&pageSize=500", b.of("ListHosts")[0].query.Encode())
	require.Equal(t, noon, s.At)
	require.Equal(t, "cid", s.ID)
	require.Equal(t, "analytics", s.Name)
	require.Equal(t, providers.Ready, s.Phase)
	require.Equal(t, "running", s.Status)
	require.Equal(t, providers.Postpaid, s.Charge)
	require.Equal(t, []string{"master_node_default_group 2/2", "core_node_default_group 3/3", "task_node_default_group 5/5"}, sizes(s.Groups))
	g, _ := s.Group(taskGroup)
	require.Equal(t, "c6.4xlarge.4.linux.bigdata", g.InstanceType)
	require.Equal(t, providers.Node{ID: "task0", Name: "node_task0", IP: "10.0.0.1", InstanceType: "c6.4xlarge.4.linux.bigdata", Charge: providers.Postpaid}, g.Nodes[0])
	require.Equal(t, map[string]string{
		"scale": "", "updated": "1700000000",
		"disks/core_node_default_group": `[{"type":"SATA","size_gib":600,"count":1}]`,
		"disks/task_node_default_group": `[{"type":"SAS","size_gib":480,"count":1},{"type":"SATA","size_gib":200,"count":2}]`,
	}, s.Facts)
}

// Editions differ in spelling, in what is text and what a number, and in what
// they leave out. None of it hides the rest.
func TestEditions(t *testing.T) {
	hostless := func(kind string) string { return fmt.Sprintf(`{"id":"h-%s","status":"active","type":%q}`, kind, kind) }
	for name, tc := range map[string]struct {
		fields string
		hosts  []string
		want   []string
	}{
		"counts as text, camelCase": {
			`"nodeGroups":[{"groupName":"core_node_default_group","nodeNum":"3"}],"taskNodeGroups":[{"groupName":"task_node_default_group","nodeNum":"1"}]`,
			nil, []string{"core_node_default_group 3/0", "task_node_default_group 1/0"},
		},
		"task groups in both lists": {
			`"nodeGroups":[{"groupName":"core_node_default_group","nodeNum":3},{"groupName":"task_node_default_group","nodeNum":1}],"taskNodeGroups":[{"groupName":"task_node_default_group","nodeNum":2}]`,
			nil, []string{"core_node_default_group 3/0", "task_node_default_group 2/0"},
		},
		"no lists, counts of the cluster": {
			`"masterNodeNum":"2","coreNodeNum":"4","nodeGroups":null,"taskNodeGroups":null`,
			nil, []string{"master_node_default_group 2/0", "core_node_default_group 4/0", "task_node_default_group 0/0"},
		},
		"hosts that name no group": {
			`"nodeGroups":[{"groupName":"master_node_default_group"},{"groupName":"core_node_default_group"}]`,
			[]string{hostless("MasterNode"), hostless("CoreNode"), hostless("Task")},
			[]string{"master_node_default_group 1/1", "core_node_default_group 1/1", "task_node_default_group 0/1"},
		},
		"a hybrid cluster": {
			`"nodeGroups":[{"groupName":"core_node_analysis_group","nodeNum":3},{"groupName":"core_node_streaming_group","nodeNum":3}],"taskNodeGroups":[{"groupName":"task_node_streaming_group","nodeNum":1}]`,
			[]string{hostless("Core")},
			[]string{"core_node_analysis_group 3/0", "core_node_streaming_group 3/0", "task_node_streaming_group 1/0", "task_node_analysis_group 0/0"},
		},
		"a custom cluster": {
			`"nodeGroups":[{"groupName":"node_group_1","nodeNum":3}]`,
			[]string{`{"id":"h","node_group_name":"node_group_1","status":"ACTIVE"}`}, []string{"node_group_1 3/1"},
		},
		"odd types": {
			`"clusterType":"x","createAt":7,"tags":[{"a":1}],"errorInfo":{},"componentList":"none","nodeGroups":[{"groupName":"core_node_default_group","nodeNum":{}},{"nodeNum":3}]`,
			nil, []string{"core_node_default_group 0/0", "task_node_default_group 0/0"},
		},
		"nothing, written out": {
			`"scale":"null","errorInfo":"null","nodeGroups":[{"groupName":"core_node_default_group","nodeNum":"null"}]`,
			nil, []string{"core_node_default_group 0/0", "task_node_default_group 0/0"},
		},
		"a host that is gone, and one without an id": {
			`"nodeGroups":[{"groupName":"core_node_default_group"}]`,
			[]string{hostJSON("dead", "Core", "DELETED"), `{"type":"Core"}`, hostJSON("core0", "Core", "ACTIVE")},
			[]string{"core_node_default_group 1/1", "task_node_default_group 0/0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.always("ShowClusterDetails", ok(`{"cluster":{"clusterId":"cid","clusterState":"running",`+tc.fields+`}}`))
			b.hosts(tc.hosts...)
			s := b.observe(t)
			require.Equal(t, tc.want, sizes(s.Groups))
			require.Equal(t, "running", s.Status)
			require.Equal(t, providers.Ready, s.Phase)
			require.NotContains(t, s.Facts, factTrouble)
		})
	}
}

// Every word of the reference means what it says there; an unlisted one is busy
// and shown.
func TestStates(t *testing.T) {
	for phase, words := range map[providers.Phase][]string{
		providers.Ready:   {"running/", "Running/", "running/scaling-error", "running/scaled-up-success", "running/scaled_up_success"},
		providers.Busy:    {"running/scaling-out", "running/scaling_in", "running/scaling-up", "running/scaling_up_first", "running/scaled_up_first", "running/something-new", "scaling-out/", "scaling-in/scaling-in", "starting/", "resting/", "/"},
		providers.Blocked: {"abnormal/", "frozen/", "failed/scaling-error"},
		providers.Gone:    {"terminating/", "terminated/"},
	} {
		for _, w := range words {
			state, scale, _ := strings.Cut(w, "/")
			c := cluster{State: text(state), Scale: text(scale)}
			require.Equal(t, phase, viewOf(c, nil).Phase, w)
		}
	}
	for want, c := range map[string]cluster{
		"running":                 {State: "running"},
		"running (scaling-error)": {State: "running", Scale: "scaling-error"},
		"scaling-out":             {State: "scaling-out", Scale: "scaling_out"},
		"unknown":                 {},
	} {
		require.Equal(t, want, viewOf(c, nil).Status)
	}
}

func TestCharge(t *testing.T) {
	for want, fields := range map[providers.Charge][]string{
		providers.Postpaid: {`"billingType":"Metered"`, `"billingType":"metered","periodType":0`, `"billingType":"on-quantity"`},
		providers.Prepaid:  {`"billingType":"on-period"`, `"billingType":"Period","periodType":0`, `"periodType":"1"`},
		"":                 {`"billingType":"something"`, `"billingType":null,"periodType":null`, `"remark":""`},
	} {
		for _, f := range fields {
			b := newBench(t, nil)
			b.always("ShowClusterDetails", ok(`{"cluster":{"clusterId":"cid","clusterState":"running",`+f+`}}`))
			require.Equal(t, want, b.observe(t).Charge, f)
		}
	}
}

// After a failed resize the cluster runs and takes changes, and people are told.
func TestLastResizeFailedIsAWarning(t *testing.T) {
	b := newBench(t, nil)
	b.cluster(world{cores: 3, tasks: 5, scale: "scaling-error", err: "ECS: Ecs.0319 <!channel>"})
	s := b.observe(t)
	require.Equal(t, providers.Ready, s.Phase)
	g, _ := s.Group(taskGroup)
	require.Len(t, g.Warnings, 1)
	require.Contains(t, g.Warnings[0].EN, "Ecs.0319")
	require.Contains(t, g.Warnings[0].ZH, "Ecs.0319")
	require.NotContains(t, fmt.Sprint(s.Facts), "Ecs", "facts tell failures apart and keep no words")
	b.cluster(world{cores: 3, tasks: 5})
	g, _ = b.observe(t).Group(taskGroup)
	require.Empty(t, g.Warnings)
}

func TestNodesThatDoNotRunAreMarked(t *testing.T) {
	b := newBench(t, nil)
	b.cluster(world{cores: 3, tasks: 1, extra: []string{hostJSON("off", "Task", "SHUTOFF"), hostJSON("new", "Task", "BUILD")}})
	g, _ := b.observe(t).Group(taskGroup)
	keep := map[string]string{}
	for _, n := range g.Nodes {
		keep[n.ID] = n.Keep
	}
	require.Equal(t, map[string]string{"task0": "", "off": keepNotRunning + "SHUTOFF", "new": keepNotRunning + "BUILD"}, keep)
}

func TestObserveFails(t *testing.T) {
	for name, tc := range map[string]struct {
		action string
		say    answer
		kind   providers.Kind
	}{
		"no such cluster":       {"ShowClusterDetails", fault(http.StatusNotFound, "12000003"), providers.NotFound},
		"no cluster in it":      {"ShowClusterDetails", ok(`{}`), providers.Retry},
		"null cluster":          {"ShowClusterDetails", ok(`{"cluster":null}`), providers.Retry},
		"another cluster":       {"ShowClusterDetails", ok(`{"cluster":{"clusterId":"other","clusterState":"running"}}`), providers.Retry},
		"cut off":               {"ShowClusterDetails", ok(`{"cluster":{"clusterId":"cid"`), providers.Retry},
		"empty":                 {"ShowClusterDetails", ok(``), providers.Retry},
		"a redirect":            {"ShowClusterDetails", answer{status: http.StatusFound, body: `{"cluster":{"clusterId":"cid","clusterState":"running"}}`}, providers.Retry},
		"hosts refused":         {"ListHosts", fault(http.StatusForbidden, "12000052"), providers.Auth},
		"hosts short of total":  {"ListHosts", ok(`{"total":3,"hosts":[` + hostJSON("core0", "Core", "ACTIVE") + `]}`), providers.Retry},
		"a list that is no one": {"ListHosts", ok(`{"total":1,"hosts":{}}`), providers.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.always(tc.action, tc.say)
			_, err := b.p.Observe(context.Background(), here)
			requireKind(t, tc.kind, err, "%v", err)
		})
	}
}

// A server that gives smaller pages than were asked for is read to its end.
func TestHostsArePaged(t *testing.T) {
	b := newBench(t, nil)
	page := func(ids ...string) answer {
		var hosts []string
		for _, id := range ids {
			hosts = append(hosts, hostJSON(id, "Task", "ACTIVE"))
		}
		return ok(fmt.Sprintf(`{"total":"5","hosts":[%s]}`, strings.Join(hosts, ",")))
	}
	b.next("ListHosts", page("a", "b"), page("c", "d"), page("e"))
	g, _ := b.observe(t).Group(taskGroup)
	require.Equal(t, []string{"a", "b", "c", "d", "e"}, idsOf(g.Nodes))
	for i, c := range b.of("ListHosts") {
		require.Equal(t, fmt.Sprint(i+1), c.query.Get("currentPage"))
	}
}

// Whatever the size of a page really is, every entry is listed once.
func TestPages(t *testing.T) {
	listing := func(total, real int, counted bool) func(int) ([]string, number, error) {
		return func(page int) ([]string, number, error) {
			var out []string
			for i := (page - 1) * real; i < min(page*real, total); i++ {
				out = append(out, fmt.Sprint(i))
			}
			return out, number{total, counted}, nil
		}
	}
	same := func(s string) string { return s }
	for _, total := range []int{0, 1, 9, 10, 11, 20, 25, 100} {
		for _, real := range []int{10, 7, 3} {
			got, err := pages("X", 10, same, listing(total, real, true))
			require.NoError(t, err)
			require.Len(t, got, total, "%d by %d", total, real)
		}
		got, err := pages("X", 10, same, listing(total, 10, false))
		require.NoError(t, err)
		require.Len(t, got, total, "%d without a total", total)
	}
	_, err := pages("X", 10, same, func(int) ([]string, number, error) { return []string{"a"}, number{3, true}, nil })
	requireKind(t, providers.Retry, err, "a listing short of its total is not taken for a small cluster")
}

func TestClusters(t *testing.T) {
	b := newBench(t, nil)
	var all []string
	for i := range 130 {
		all = append(all, fmt.Sprintf(`{"clusterId":"c-%03d","clusterName":"n","clusterState":"running","nodeGroups":[{"GroupName":"master_node_default_group","NodeNum":2},{"GroupName":"core_node_default_group","NodeNum":%d}]}`, i, i))
	}
	page := func(l []string) answer {
		return ok(fmt.Sprintf(`{"clusterTotal":"130","clusters":[%s]}`, strings.Join(l, ",")))
	}
	b.next("ListClusters", page(all[:100]), page(all[100:]))
	list, err := b.p.Clusters(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 130)
	require.Equal(t, providers.ClusterInfo{ID: "c-129", Name: "n", Status: "running", Groups: []providers.Group{{ID: coreGroup, Count: 129}, {ID: taskGroup}}}, list[129],
		"the groups that config can name")
	require.Equal(t, "/v1.1/pid/cluster_infos", b.of("ListClusters")[0].path)
	require.Equal(t, "clusterState=existing&currentPage=1&pageSize=100", b.of("ListClusters")[0].query.Encode())
	require.Equal(t, "2", b.of("ListClusters")[1].query.Get("currentPage"))

	b.always("ListClusters", fault(http.StatusUnauthorized, "APIGW.0301"))
	_, err = b.p.Clusters(context.Background())
	requireKind(t, providers.Auth, err)
}
