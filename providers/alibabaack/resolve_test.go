package alibabaack

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/providertest"
)

func TestCheckRefuses(t *testing.T) {
	yes := true
	disks := func(d ...providers.Disk) func(*providers.Change) {
		return func(c *providers.Change) { c.Disks = d }
	}
	for name, tc := range map[string]struct {
		group string
		delta int
		edit  func(*providers.Change)
		says  string
	}{
		"zero":                          {"workers", 0, asIs, "zero"},
		"an amount that would wrap":     {"legacy", 1 << 40, asIs, "range"},
		"more than a pool takes":        {"workers", 501, asIs, "500"},
		"more than a URL takes":         {"workers", -51, asIs, "50"},
		"no charge":                     {"workers", 1, func(c *providers.Change) { c.Charge = "" }, "charge"},
		"prepaid for 4 months":          {"workers", 1, prepaid(4), "4 is none"},
		"prepaid for 13 months, edge":   {"edge", 1, prepaid(13), "13"},
		"renew without prepaid":         {"legacy", 1, func(c *providers.Change) { c.Renew = true }, "prepaid only"},
		"spot by ScaleOutCluster":       {"legacy", 1, func(c *providers.Change) { c.Charge = providers.Spot }, "spot"},
		"spot at the edge":              {"edge", 1, func(c *providers.Change) { c.Charge = providers.Spot }, "spot"},
		"nodes when adding":             {"workers", 1, func(c *providers.Change) { c.Nodes = []string{"i-1"} }, "nodes="},
		"drain when adding":             {"workers", 1, func(c *providers.Change) { c.Drain = time.Minute }, "drain="},
		"start":                         {"workers", 1, func(c *providers.Change) { c.Start = &yes }, "start"},
		"bootstrap":                     {"edge", 1, func(c *providers.Change) { c.Bootstrap = &yes }, "bootstrap"},
		"a zone":                        {"legacy", 1, func(c *providers.Change) { c.Zone = "cn-beijing-h" }, "vSwitch"},
		"a spec for a pool":             {"workers", 1, func(c *providers.Change) { c.InstanceType = "ecs.c5.xlarge" }, "node pool"},
		"a tag for a pool":              {"workers", 1, func(c *providers.Change) { c.Tags = map[string]string{"a": "b"} }, "node pool"},
		"a disk for a pool":             {"workers", 1, disks(providers.Disk{Type: "cloud_ssd", SizeG: 40, Count: 1}), "node pool"},
		"a disk at the edge":            {"edge", 1, disks(providers.Disk{Type: "cloud_ssd", SizeG: 40, Count: 1}), "worker_data_disk_size"},
		"a tag at the edge":             {"edge", 1, func(c *providers.Change) { c.Tags = map[string]string{"a": "b"} }, "tag="},
		"a disk that is too small":      {"legacy", 1, disks(providers.Disk{Type: "cloud_ssd", SizeG: 39, Count: 1}), "40 to 32767"},
		"seventeen disks":               {"legacy", 1, disks(providers.Disk{Type: "a", SizeG: 40, Count: 16}, providers.Disk{Type: "b", SizeG: 40, Count: 1}), "16"},
		"a tag of the cloud's own":      {"legacy", 1, func(c *providers.Change) { c.Tags = map[string]string{"aliyun.x": "b"} }, "aliyun"},
		"a tag without a name":          {"legacy", 1, func(c *providers.Change) { c.Tags = map[string]string{" ": "b"} }, "name"},
		"charge when removing":          {"workers", -1, func(c *providers.Change) { c.Charge = providers.Postpaid }, "leave them out"},
		"a node twice":                  {"workers", -2, func(c *providers.Change) { c.Nodes = []string{"a", "a"} }, "twice"},
		"nodes and amount differ":       {"workers", -2, func(c *providers.Change) { c.Nodes = []string{"a"} }, "equal"},
		"a group of another pool's id":  {"workers", 1, func(c *providers.Change) { c.GroupID = "np9" }, "now np1"},
		"a group that is not in config": {"workers", 1, func(c *providers.Change) { c.Group = "x" }, "not in the config"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c := change(tc.group, tc.delta)
			tc.edit(&c)
			err := b.p.Check(c)
			require.Equal(t, providers.Refused, providers.KindOf(err))
			require.Contains(t, providers.AdviceOf(err).EN, tc.says)
			providertest.Presentable(t, err)
		})
	}
	t.Run("no machine type anywhere", func(t *testing.T) {
		b := newBench(t, withParams("legacy", map[string]any{"key_pair": "ops"}))
		c := change("legacy", 1)
		require.Equal(t, providers.Refused, providers.KindOf(b.p.Check(c)))
		c.InstanceType = "ecs.c5.xlarge"
		require.NoError(t, b.p.Check(c))
	})
}

func TestCheckAllows(t *testing.T) {
	b := newBench(t)
	for _, g := range []string{"workers", "legacy", "edge"} {
		for _, m := range periods {
			c := change(g, 1)
			prepaid(m)(&c)
			c.Renew = true
			require.NoError(t, b.p.Check(c))
		}
		c := change(g, -1)
		c.Drain = 30 * time.Minute
		require.NoError(t, b.p.Check(c), "drain= turns draining on; its time is Kubernetes' own affair")
	}
	c := change("workers", 500)
	c.Charge = providers.Spot
	require.NoError(t, b.p.Check(c), "whether the pool buys spot shows when it is looked at")
}

// A pool's new nodes are paid for as the pool says. The plan says so too, or the
// wish is refused.
func TestPoolTerms(t *testing.T) {
	type terms struct {
		charge providers.Charge
		months int
		renew  bool
	}
	pool := func(group string) fakePool { p := web; p.group = group; return p }
	post := pool(`"instance_charge_type":"PostPaid","spot_strategy":"NoSpot"`)
	spot := pool(`"instance_charge_type":"PostPaid","spot_strategy":"SpotAsPriceGo"`)
	pre3 := pool(`"instance_charge_type":"PrePaid","period":3,"period_unit":"Month","auto_renew":true`)
	year := pool(`"instance_charge_type":"PrePaid","period":1,"period_unit":"Year","auto_renew":false`)
	week := pool(`"instance_charge_type":"PrePaid","period":2,"period_unit":"Week"`)
	mute := pool(`"image_id":"m-1"`)
	for name, tc := range map[string]struct {
		pool fakePool
		wish terms
		want terms  // of what is planned
		says string // or why not
	}{
		"nothing said, pool postpaid":      {post, terms{providers.Postpaid, 0, false}, terms{providers.Postpaid, 0, false}, ""},
		"nothing said, pool prepaid":       {pre3, terms{providers.Postpaid, 0, false}, terms{providers.Prepaid, 3, true}, ""},
		"nothing said, pool by the year":   {year, terms{providers.Postpaid, 0, false}, terms{providers.Prepaid, 12, false}, ""},
		"nothing said, pool spot":          {spot, terms{providers.Postpaid, 0, false}, terms{providers.Spot, 0, false}, ""},
		"nothing said, pool says nothing":  {mute, terms{providers.Postpaid, 0, false}, terms{providers.Postpaid, 0, false}, ""},
		"the pool's very term":             {pre3, terms{providers.Prepaid, 3, true}, terms{providers.Prepaid, 3, true}, ""},
		"the pool's term, renewal unsaid":  {pre3, terms{providers.Prepaid, 3, false}, terms{providers.Prepaid, 3, true}, ""},
		"spot of a spot pool":              {spot, terms{providers.Spot, 0, false}, terms{providers.Spot, 0, false}, ""},
		"prepaid of a postpaid pool":       {post, terms{providers.Prepaid, 1, false}, terms{}, "buys its nodes postpaid"},
		"prepaid of a spot pool":           {spot, terms{providers.Prepaid, 1, false}, terms{}, "as spot"},
		"spot of a postpaid pool":          {post, terms{providers.Spot, 0, false}, terms{}, "buys its nodes postpaid"},
		"another term":                     {pre3, terms{providers.Prepaid, 1, false}, terms{}, "prepaid for 3 months with renewal"},
		"renew where the pool doesn't":     {year, terms{providers.Prepaid, 12, true}, terms{}, "without renewal"},
		"a pool by the week":               {week, terms{providers.Postpaid, 0, false}, terms{}, "2 weeks"},
		"prepaid where nothing is said":    {mute, terms{providers.Prepaid, 1, false}, terms{}, "in its own way"},
		"a pool that is being deleted":     {func() fakePool { p := post; p.state = "deleting"; return p }(), terms{providers.Postpaid, 0, false}, terms{}, "being deleted"},
		"an edge pool, which says nothing": {func() fakePool { p := mute; p.group = `"image_id":""`; return p }(), terms{providers.Postpaid, 0, false}, terms{providers.Postpaid, 0, false}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.cluster("running", tc.pool)
			c := change("workers", 2)
			c.Charge, c.Months, c.Renew = tc.wish.charge, tc.wish.months, tc.wish.renew
			s := b.observe(t, c)
			got, err := b.p.Resolve(c, s)
			if tc.says != "" {
				require.Equal(t, providers.Refused, providers.KindOf(err))
				require.Contains(t, providers.AdviceOf(err).EN, tc.says)
				providertest.Presentable(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, terms{got.Charge, got.Months, got.Renew})
			again, err := b.p.Resolve(got, s)
			require.NoError(t, err)
			require.Equal(t, got, again)
		})
	}
}

func TestOwnTerms(t *testing.T) {
	b := newBench(t)
	b.clusterWith("running", `"profile":"Edge"`, "")
	s := b.observe(t, change("edge", 1))
	got, err := b.p.Resolve(change("edge", 1), s)
	require.NoError(t, err)
	require.Equal(t, providers.Prepaid, got.Charge, "ENS machines are prepaid by nature")
	require.Equal(t, 1, got.Months, "the document's default")
	require.True(t, got.Renew, "as configured")

	b.clusterWith("running", `"profile":"Default"`, "")
	_, err = b.p.Resolve(change("edge", 1), b.observe(t, change("edge", 1)))
	require.Equal(t, providers.Refused, providers.KindOf(err))
	require.Contains(t, providers.AdviceOf(err).EN, "no edge cluster")
}

func TestStaticCPUNeedsAVersion(t *testing.T) {
	p := workerParams()
	p["cpu_policy"] = "static"
	for version, okay := range map[string]bool{
		"1.12.6": true, "1.12.6-aliyun.1": true, "1.30.1-aliyun.1": true, "v1.13.0": true, "2": true, "": true, "next": true,
		"1.12.5": false, "1.11.9-aliyun.1": false, "1.9": false,
	} {
		b := newBench(t, withParams("legacy", p))
		s := b.observe(t, change("legacy", 1))
		s.Facts[factVersion] = version
		_, err := b.p.Resolve(change("legacy", 1), s)
		require.Equal(t, okay, err == nil, version)
	}
}

func TestVictims(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	s := providers.Snapshot{
		Facts: map[string]string{factPool + "np1": `{"charge":"postpaid"}`, factMembers + "np1": "old,new-a,new-b,bought", factMembers + "np2": "far"},
	}
	nodes := []providers.Node{
		{ID: "old", Created: day(1)},
		{ID: "new-a", Created: day(9)},
		{ID: "new-b", Created: day(9)},
		{ID: "bought", Created: day(20), Keep: keepPrepaid},
		{ID: "far", Created: day(30), Keep: keepElsewhere},
		{ID: "noid", Keep: keepNoID},
	}
	s.Groups = []providers.Group{{ID: "np1", Count: 6, Nodes: nodes}, {ID: allWorkers, Count: 6, Nodes: nodes}}
	b := newBench(t)
	resolve := func(c providers.Change) ([]string, error) {
		r, err := b.p.Resolve(c, s)
		return r.Nodes, err
	}
	for n, want := range map[int][]string{1: {"new-b"}, 2: {"new-a", "new-b"}, 3: {"new-a", "new-b", "old"}} {
		got, err := resolve(change("workers", -n))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	named := func(group string, nodes ...string) providers.Change {
		c := change(group, -len(nodes))
		c.Nodes = nodes
		return c
	}
	for name, tc := range map[string]struct {
		c    providers.Change
		kind providers.Kind
		says string
	}{
		"more than may go":       {change("workers", -4), providers.Refused, "Only 3"},
		"more than there are":    {change("workers", -7), providers.Refused, "6 nodes"},
		"a node of no group":     {named("workers", "nobody"), providers.NotFound, "nobody"},
		"one without an id":      {named("workers", "noid"), providers.Refused, "no machine id"},
		"of two pools at a time": {named("legacy", "far", "old"), providers.Refused, "different node pools"},
	} {
		_, err := resolve(tc.c)
		require.Equal(t, tc.kind, providers.KindOf(err), name)
		require.Contains(t, providers.AdviceOf(err).EN, tc.says, name)
		providertest.Presentable(t, err)
	}
	for _, one := range [][]string{{"bought"}, {"far"}} {
		got, err := resolve(named("legacy", one...))
		require.NoError(t, err, "a person may name what the machine does not choose")
		require.Equal(t, one, got)
	}
	c := named("workers", "old", "new-a")
	got, err := resolve(c)
	require.NoError(t, err)
	require.Equal(t, []string{"new-a", "old"}, got)
	require.Equal(t, []string{"old", "new-a"}, c.Nodes, "the caller's list is not touched")
}
