package huaweimrs

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
	"scalebot/providers/providertest"
)

func TestCheckRefuses(t *testing.T) {
	yes := true
	sas := func(size, n int) []providers.Disk { return []providers.Disk{{Type: "SAS", SizeG: size, Count: n}} }
	for name, tc := range map[string]struct {
		group string
		delta int
		edit  func(*providers.Change)
		says  string
	}{
		"zero":                      {"task", 0, asIs, "zero"},
		"more than a cluster holds": {"task", 501, asIs, "500"},
		"fewer than minus all":      {"task", -501, asIs, "500"},
		"a group of no config":      {"task", 1, func(c *providers.Change) { c.Group = "other" }, "not in the config"},
		"master":                    {"task", 1, func(c *providers.Change) { c.GroupID = "master_node_default_group" }, "does not scale"},
		"a custom group":            {"task", 1, func(c *providers.Change) { c.GroupID = "node_group_1" }, "does not scale"},
		"no charge":                 {"task", 1, func(c *providers.Change) { c.Charge = "" }, "postpaid"},
		"prepaid task nodes":        {"task", 1, func(c *providers.Change) { c.Charge, c.Months = providers.Prepaid, 1 }, "12000065"},
		"prepaid core nodes":        {"core", 1, func(c *providers.Change) { c.Charge, c.Months = providers.Prepaid, 12 }, "12000065"},
		"spot":                      {"task", 1, func(c *providers.Change) { c.Charge = providers.Spot }, "no spot"},
		"a term without prepaid":    {"task", 1, func(c *providers.Change) { c.Months = 1 }, "prepaid"},
		"renew without prepaid":     {"task", 1, func(c *providers.Change) { c.Renew = true }, "prepaid"},
		"nodes when adding":         {"task", 1, func(c *providers.Change) { c.Nodes = []string{"x"} }, "nodes="},
		"drain when adding":         {"task", 1, func(c *providers.Change) { c.Drain = time.Minute }, "drain="},
		"zone":                      {"task", 1, func(c *providers.Change) { c.Zone = "cn-north-4a" }, "zone="},
		"tags":                      {"task", 1, func(c *providers.Change) { c.Tags = map[string]string{"k": "v"} }, "tag="},
		"a flavour for core nodes":  {"core", 1, func(c *providers.Change) { c.InstanceType = "x" }, "like the core nodes there are"},
		"disks for core nodes":      {"core", 1, func(c *providers.Change) { c.Disks = sas(100, 1) }, "like the core nodes there are"},
		"two kinds of disks":        {"task", 1, func(c *providers.Change) { c.Disks = append(sas(100, 1), sas(200, 1)...) }, "one kind"},
		"a disk type of no one":     {"task", 1, func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "CLOUD_SSD", SizeG: 100, Count: 1}} }, "SATA"},
		"too small a disk":          {"task", 1, func(c *providers.Change) { c.Disks = sas(99, 1) }, "100 to 32000"},
		"too large a disk":          {"task", 1, func(c *providers.Change) { c.Disks = sas(32001, 1) }, "100 to 32000"},
		"no disk":                   {"task", 1, func(c *providers.Change) { c.Disks = sas(100, 0) }, "1 to 10"},
		"eleven disks":              {"task", 1, func(c *providers.Change) { c.Disks = sas(100, 11) }, "1 to 10"},
		"charge when removing":      {"task", -1, func(c *providers.Change) { c.Charge = providers.Postpaid }, "leave them out"},
		"start when removing":       {"task", -1, func(c *providers.Change) { c.Start = &yes }, "leave them out"},
		"drain":                     {"task", -1, func(c *providers.Change) { c.Drain = time.Minute }, "decommissions core nodes by itself"},
		"core nodes by name":        {"core", -1, func(c *providers.Change) { c.Nodes = []string{"core1"} }, "picks which core nodes go"},
		"a node twice":              {"task", -2, func(c *providers.Change) { c.Nodes = []string{"a", "a"} }, "twice"},
		"nodes and amount differ":   {"task", -2, func(c *providers.Change) { c.Nodes = []string{"a"} }, "equal"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			c := change(tc.group, tc.delta)
			tc.edit(&c)
			err := b.p.Check(c)
			requireKind(t, providers.Refused, err)
			require.Contains(t, providers.AdviceOf(err).EN, tc.says)
			providertest.Presentable(t, err)
		})
	}
}

// pool is a snapshot with so many core nodes and these task nodes.
func pool(cores int, nodes ...providers.Node) providers.Snapshot {
	c := providers.Group{ID: coreGroup, Count: cores, InstanceType: "c6.core"}
	for i := range cores {
		c.Nodes = append(c.Nodes, providers.Node{ID: fmt.Sprintf("core%d", i)})
	}
	return providers.Snapshot{Charge: providers.Postpaid, Groups: []providers.Group{
		{ID: "master_node_default_group", Count: 2}, c, {ID: taskGroup, Count: len(nodes), Nodes: nodes, InstanceType: "c6.task"},
	}}
}

func TestResolveRefuses(t *testing.T) {
	spec := func(c *providers.Change) { c.InstanceType = "c6.other" }
	disk := func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "SAS", SizeG: 100, Count: 1}} }
	one := providers.Node{ID: "t1"}
	for name, tc := range map[string]struct {
		s      providers.Snapshot
		params map[string]any
		c      providers.Change
		edit   func(*providers.Change)
		kind   providers.Kind
		says   string
	}{
		"above the cluster's limit":        {pool(400, one), nil, change("task", 100), asIs, providers.Refused, "99 can be added"},
		"above it with core nodes":         {pool(400, one), nil, change("core", 100), asIs, providers.Refused, "99 can be added"},
		"a flavour for a group with nodes": {pool(3, one), nil, change("task", 1), spec, providers.Refused, "type c6.task"},
		"disks for a group with nodes":     {pool(3, one), firstParams(), change("task", 1), disk, providers.Refused, "while the group is empty"},
		"first nodes of no kind":           {pool(3), nil, change("task", 1), asIs, providers.Refused, "task_node_info"},
		"first nodes without disks":        {pool(3), nil, change("task", 1), spec, providers.Refused, "task_node_info"},
		"first nodes without a flavour":    {pool(3), nil, change("task", 1), disk, providers.Refused, "task_node_info"},
		"the last three core nodes":        {pool(3), nil, change("core", -1), asIs, providers.Refused, "of 3, 0 can be removed"},
		"more core nodes than may go":      {pool(5), nil, change("core", -3), asIs, providers.Refused, "of 5, 2 can be removed"},
		"fewer core nodes than the floor":  {pool(2), nil, change("core", -1), asIs, providers.Refused, "of 2, 0 can be removed"},
		"more task nodes than there are":   {pool(3, one), nil, change("task", -2), asIs, providers.Refused, "1 nodes"},
		"a group that is not":              {pool(3, one), nil, change("stream", -1), group3, providers.NotFound, "core_node_default_group, task_node_default_group"},
		"adding to no group":               {pool(3, one), nil, change("stream", 1), group3, providers.NotFound, "node_group"},
		"a node of no group":               {pool(3, one), nil, named("nobody"), asIs, providers.NotFound, "nobody"},
		"a node of another group":          {pool(3, one), nil, named("core1"), asIs, providers.NotFound, "core1"},
		"a guarded node named":             {pool(3, providers.Node{ID: "t1", Keep: "guarded"}), nil, named("t1"), asIs, providers.Refused, "guarded"},
		"fewer that run than asked for":    {pool(3, one, providers.Node{ID: "t2", Keep: keepNotRunning + "ERROR"}), nil, change("task", -2), asIs, providers.Refused, "Only 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tc.params)
			tc.edit(&tc.c)
			_, err := b.p.Resolve(tc.c, tc.s)
			requireKind(t, tc.kind, err)
			require.Contains(t, providers.AdviceOf(err).EN, tc.says)
			providertest.Presentable(t, err)
		})
	}
}

func group3(c *providers.Change) { c.GroupID = "task_node_streaming_group" }

// A yearly or monthly cluster is refused before anything is sent, both ways.
func TestPrepaidClusterIsRefused(t *testing.T) {
	b := newBench(t, nil)
	b.cluster(world{cores: 5, tasks: 2, billing: "Period", fields: `"periodType":0,`})
	s := b.observe(t)
	for _, c := range []providers.Change{change("task", 1), change("core", 1), change("task", -1), change("core", -1)} {
		_, err := b.p.Resolve(c, s)
		requireKind(t, providers.Refused, err)
		require.Contains(t, providers.AdviceOf(err).EN, "12000065")
	}
	require.Empty(t, b.of(resize))
}

// The plan says what the first nodes are, so that people vote on it; with nodes
// there it says nothing.
func TestResolveSettlesTheFirstNodes(t *testing.T) {
	b := newBench(t, firstParams())
	c, err := b.p.Resolve(change("task", 2), pool(3))
	require.NoError(t, err)
	require.Equal(t, "s3.xlarge.2.linux.bigdata", c.InstanceType)
	require.Equal(t, []providers.Disk{{Type: "SATA", SizeG: 200, Count: 2}}, c.Disks)
	again, err := b.p.Resolve(c, pool(3))
	require.NoError(t, err)
	require.Equal(t, c, again)

	c, err = b.p.Resolve(change("task", 2), pool(3, providers.Node{ID: "t1"}))
	require.NoError(t, err)
	require.Empty(t, c.InstanceType)
	require.Empty(t, c.Disks)
	require.Equal(t, adapter.Digest(firstParams()), c.Profile)

	for _, n := range []int{496, 497} {
		_, err = b.p.Resolve(change("task", n), pool(3))
		require.NoError(t, err, "the document's own example: 500 − 3 = 497")
	}
	_, err = b.p.Resolve(change("task", 498), pool(3))
	requireKind(t, providers.Refused, err)
}

func TestCoreNodesAreTheCloudsToPick(t *testing.T) {
	b := newBench(t, nil)
	c, err := b.p.Resolve(change("core", -2), pool(5))
	require.NoError(t, err, "the document's own example: 5 − 3 = 2")
	require.Empty(t, c.Nodes)
}

func TestVictims(t *testing.T) {
	later := func(id string) providers.Node { return providers.Node{ID: id, Name: "node-orderadd-" + id + ".com"} }
	s := pool(3,
		providers.Node{ID: "z-first", Name: "node_task_z"}, providers.Node{ID: "a-first", Name: "node_task_a"},
		later("m"), later("b"), providers.Node{ID: "q", Name: "node_orderadd_q"},
		providers.Node{ID: "zz-off", Name: "node-orderadd-zz", Keep: keepNotRunning + "SHUTOFF"},
	)
	b := newBench(t, nil)
	for n, want := range map[int][]string{
		1: {"q"}, 2: {"m", "q"}, 3: {"b", "m", "q"}, 4: {"b", "m", "q", "z-first"}, 5: {"a-first", "b", "m", "q", "z-first"},
	} {
		c, err := b.p.Resolve(change("task", -n), s)
		require.NoError(t, err)
		require.Equal(t, want, c.Nodes)
	}
	c, err := b.p.Resolve(named("zz-off"), s)
	require.NoError(t, err, "named, a node that does not run goes: it may be what a failed resize left")
	require.Equal(t, []string{"zz-off"}, c.Nodes)
	asked := named("z-first", "b")
	c, err = b.p.Resolve(asked, s)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "z-first"}, c.Nodes)
	require.Equal(t, []string{"z-first", "b"}, asked.Nodes, "the caller's list is not touched")
	all, err := b.p.Resolve(named("z-first", "a-first", "m", "b", "q", "zz-off"), s)
	require.NoError(t, err, "a task group may become empty")
	require.Len(t, all.Nodes, 6)
}
