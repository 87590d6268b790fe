package tencentemr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/providertest"
)

func TestCheckRefuses(t *testing.T) {
	yes := true
	subnet := map[string]any{"subnet_id": "subnet-1", "zone": "ap-guangzhou-3"}
	for name, tc := range map[string]struct {
		params map[string]any
		group  string
		delta  int
		edit   func(*providers.Change)
		says   string
	}{
		"zero":                       {nil, "task", 0, asIs, "zero"},
		"an amount that would wrap":  {nil, "task", 1 << 40, func(c *providers.Change) { c.Charge = providers.Postpaid }, "range"},
		"common":                     {nil, "common", 1, asIs, "Common"},
		"common, removing":           {nil, "common", -1, asIs, "Common"},
		"master, removing":           {nil, "master", -1, asIs, "Master"},
		"no node type":               {nil, "task", 1, func(c *providers.Change) { c.GroupID = "WORKER" }, "node type"},
		"no charge":                  {nil, "task", 1, func(c *providers.Change) { c.Charge = "" }, "charge"},
		"spot core":                  {nil, "core", 1, func(c *providers.Change) { c.Charge = providers.Spot }, "task nodes only"},
		"prepaid for 13 months":      {nil, "task", 1, prepaid(13), "13"},
		"prepaid for 72 months":      {nil, "task", 1, prepaid(72), "72"},
		"renew without prepaid":      {nil, "task", 1, func(c *providers.Change) { c.Renew = true }, "prepaid only"},
		"nodes when adding":          {nil, "task", 1, func(c *providers.Change) { c.Nodes = []string{"x"} }, "nodes="},
		"drain when adding":          {nil, "task", 1, func(c *providers.Change) { c.Drain = time.Minute }, "drain="},
		"bootstrap with no script":   {nil, "task", 1, func(c *providers.Change) { c.Bootstrap = &yes }, "bootstrap"},
		"disks with no machine type": {nil, "task", 1, func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "CLOUD_SSD", SizeG: 1, Count: 1}} }, "spec="},
		"sixteen disks": {documentParams(), "task", 1, func(c *providers.Change) {
			c.Disks = []providers.Disk{{Type: "A", SizeG: 1, Count: 8}, {Type: "B", SizeG: 1, Count: 8}}
		}, "16"},
		"a disk of no size":           {documentParams(), "task", 1, func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "A", Count: 1}} }, "TYPE:GiBxN"},
		"a zone the subnet is not in": {subnet, "task", 1, func(c *providers.Change) { c.Zone = "ap-guangzhou-4" }, "subnet-1"},
		"a tag without a name":        {nil, "task", 1, func(c *providers.Change) { c.Tags = map[string]string{" ": "v"} }, "tag="},
		"charge when removing":        {nil, "task", -1, func(c *providers.Change) { c.Charge = providers.Postpaid }, "leave them out"},
		"a node twice":                {nil, "task", -2, func(c *providers.Change) { c.Nodes = []string{"a", "a"} }, "twice"},
		"nodes and amount differ":     {nil, "task", -2, func(c *providers.Change) { c.Nodes = []string{"a"} }, "equal"},
		"drain too short":             {nil, "task", -1, func(c *providers.Change) { c.Drain = 59 * time.Second }, "1m to 30m"},
		"drain too long":              {nil, "task", -1, func(c *providers.Change) { c.Drain = 31 * time.Minute }, "1m to 30m"},
		"drain with TerminateTasks":   {map[string]any{"terminate_api": "terminate_tasks"}, "task", -1, func(c *providers.Change) { c.Drain = time.Minute }, "terminate_api"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tc.params)
			c := change(tc.group, tc.delta)
			tc.edit(&c)
			err := b.p.Check(c)
			require.Equal(t, providers.Refused, providers.KindOf(err))
			require.Contains(t, providers.AdviceOf(err).EN, tc.says)
			providertest.Presentable(t, err)
		})
	}
}

func TestCheckAllows(t *testing.T) {
	b := newBench(t, map[string]any{"subnet_id": "subnet-1", "zone": "ap-guangzhou-3"})
	for _, m := range prepaidMonths {
		c := change("task", 1)
		prepaid(m)(&c)
		c.Renew = true
		require.NoError(t, b.p.Check(c))
	}
	c := change("task", 1)
	c.Zone = "ap-guangzhou-3"
	require.NoError(t, b.p.Check(c), "the subnet's own zone")
	for _, g := range []string{"core", "router", "master"} {
		require.NoError(t, b.p.Check(change(g, 1)), g)
	}
	for _, d := range []time.Duration{time.Minute, 30 * time.Minute} {
		c := change("core", -1)
		c.Drain = d
		require.NoError(t, b.p.Check(c))
	}
}

// pool is a snapshot with one task and one core group.
func pool(nodes ...providers.Node) providers.Snapshot {
	return providers.Snapshot{Groups: []providers.Group{
		{ID: task, Count: len(nodes), Nodes: nodes},
		{ID: core, Count: 2, Nodes: []providers.Node{{ID: "c1"}, {ID: "c2"}}},
	}}
}

func TestVictims(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	s := pool(
		providers.Node{ID: "old", Created: day(1)},
		providers.Node{ID: "new-a", Created: day(9)},
		providers.Node{ID: "new-b", Created: day(9)},
		providers.Node{ID: "newest", Created: day(20), Keep: "prepaid"},
		providers.Node{ID: "ageless"},
		providers.Node{ID: "auto", Created: day(30), Keep: keepAutoscaled},
	)
	b := newBench(t, nil)
	resolve := func(c providers.Change) ([]string, error) {
		r, err := b.p.Resolve(c, s)
		return r.Nodes, err
	}
	for n, want := range map[int][]string{1: {"new-b"}, 2: {"new-a", "new-b"}, 3: {"new-a", "new-b", "old"}, 4: {"ageless", "new-a", "new-b", "old"}} {
		got, err := resolve(change("task", -n))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for name, tc := range map[string]struct {
		c    providers.Change
		kind providers.Kind
		says string
	}{
		"more than may go":     {change("task", -5), providers.Refused, "Only 4"},
		"more than there are":  {change("task", -7), providers.Refused, "6 nodes"},
		"the last core node":   {change("core", -2), providers.Refused, "1 can be removed"},
		"a group that is not":  {change("router", -1), providers.NotFound, "router"},
		"adding to no group":   {change("router", 1), providers.NotFound, "router"},
		"a node of no group":   {named("nobody"), providers.NotFound, "nobody"},
		"a node of another":    {named("c1"), providers.NotFound, "c1"},
		"a prepaid node named": {named("newest"), providers.Refused, "prepaid"},
	} {
		_, err := resolve(tc.c)
		require.Equal(t, tc.kind, providers.KindOf(err), name)
		require.Contains(t, providers.AdviceOf(err).EN, tc.says, name)
		providertest.Presentable(t, err)
	}
	got, err := resolve(named("auto"))
	require.NoError(t, err, "named one by one, an autoscaled node goes")
	require.Equal(t, []string{"auto"}, got)
	c := change("core", -1)
	got, err = resolve(c)
	require.NoError(t, err)
	require.Equal(t, []string{"c2"}, got)
	c = named("old", "ageless")
	got, err = resolve(c)
	require.NoError(t, err)
	require.Equal(t, []string{"ageless", "old"}, got)
	require.Equal(t, []string{"old", "ageless"}, c.Nodes, "the caller's list is not touched")
}

func named(nodes ...string) providers.Change {
	c := change("task", -len(nodes))
	c.Nodes = nodes
	return c
}
