package tencentemr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

var here = providers.ClusterRef{Name: "m620", ID: "emr-m620"}

func (b *bench) observe(t *testing.T) providers.Snapshot {
	t.Helper()
	s, err := b.p.Observe(context.Background(), here)
	require.NoError(t, err)
	return s
}

// instance is what DescribeInstances says of the one cluster.
func (b *bench) instance(fields string) {
	b.always("DescribeInstances", ok(`{"TotalCnt":1,"ClusterList":[{"ClusterId":"emr-m620",`+fields+`}]}`))
}

func (b *bench) nodeList(nodes ...string) {
	b.always("DescribeClusterNodes", ok(fmt.Sprintf(`{"TotalCnt":%d,"NodeList":[%s]}`, len(nodes), strings.Join(nodes, ","))))
}

func TestObserveOnTheWire(t *testing.T) {
	b := newBench(t, nil)
	s := b.observe(t)
	require.Equal(t, map[string]any{"DisplayStrategy": "clusterList", "InstanceIds": []any{"emr-m620"}, "Offset": 0.0, "Limit": 100.0, "ProjectId": -1.0},
		b.of("DescribeInstances")[0].body)
	require.Equal(t, map[string]any{"InstanceId": "emr-m620", "NodeFlag": "all", "Offset": 0.0, "Limit": 100.0, "HardwareResourceType": "all"},
		b.of("DescribeClusterNodes")[0].body)
	require.Equal(t, noon, s.At)
	require.Equal(t, "m620", s.Name)
	require.Equal(t, providers.Ready, s.Phase)
	require.Equal(t, "running (2)", s.Status)
	require.Equal(t, providers.Postpaid, s.Charge)
	require.Equal(t, map[string]string{factStatus: "2", factZoneID: "100003", factZone: "ap-guangzhou-3"}, s.Facts)
	var have []string
	for _, g := range s.Groups {
		have = append(have, fmt.Sprintf("%s %d/%d", g.ID, g.Count, len(g.Nodes)))
	}
	require.Equal(t, []string{"MASTER 1/1", "CORE 3/3", "TASK 5/5", "ROUTER 0/0"}, have, "common is not there: no count, no nodes")
	g, _ := s.Group(task)
	require.Equal(t, "S5.2XLARGE32", g.InstanceType)
	require.Equal(t, providers.Node{
		ID: "ins-task0", Name: "task.0", IP: "10.0.0.0", InstanceType: "S5.2XLARGE32", Charge: providers.Postpaid,
		Created: time.Date(2026, 1, 1, 8, 0, 0, 0, beijing),
	}, g.Nodes[0])
}

func TestObserveCounts(t *testing.T) {
	b := newBench(t, nil)
	b.nodeList(`{"Flag":3,"OrderNo":"ins-1"}`, `{"Flag":0,"OrderNo":"ins-2"}`, `{"Flag":9,"OrderNo":"ins-3"}`, `{"OrderNo":"ins-4"}`, `{"Flag":3}`)
	count := func(id string) int {
		g, ok := b.observe(t).Group(id)
		if !ok {
			return -1
		}
		return g.Count
	}
	b.instance(`"Status":2,"ConfigDetail":{"TaskNodeSize":7},"Config":{"TaskNodeSize":8,"CoreNodeSize":4,"ComNodeSize":0}`)
	require.Equal(t, 7, count(task), "the newer field first")
	require.Equal(t, 4, count(core), "then the older")
	require.Equal(t, 0, count(common), "a count of zero is a count")
	require.Equal(t, 0, count(router), "no count, but it may get its first node")
	require.Equal(t, -1, count(master))
	b.instance(`"Status":2`)
	require.Equal(t, 1, count(task), "then the nodes; flag 0 is common and no flag is nothing")
	require.Equal(t, 1, count(common))
	require.Equal(t, 0, count(core))
}

func TestRoutersAreAskedForByName(t *testing.T) {
	b := newBench(t, nil)
	b.instance(`"Status":2,"ConfigDetail":{"RouterNodeSize":1,"TaskNodeSize":1}`)
	b.next("DescribeClusterNodes",
		ok(`{"TotalCnt":2,"NodeList":[{"Flag":3,"OrderNo":"ins-t"},{"Flag":3,"OrderNo":"ins-r"}]}`),
		ok(`{"TotalCnt":1,"NodeList":[{"Flag":3,"OrderNo":"ins-r"}]}`))
	s := b.observe(t)
	require.Equal(t, "router", b.of("DescribeClusterNodes")[1].body["NodeFlag"])
	r, _ := s.Group(router)
	k, _ := s.Group(task)
	require.Equal(t, []string{"ins-r"}, ids2(r.Nodes))
	require.Equal(t, []string{"ins-t"}, ids2(k.Nodes))
}

// Counts are null, or left out, where there is nothing to count: the groups that
// scale are there all the same, and take their first nodes.
func TestFirstNodesOfAGroup(t *testing.T) {
	b := newBench(t, nil)
	b.nodeList(`{"Flag":1,"OrderNo":"ins-m"}`, `{"Flag":2,"OrderNo":"ins-c"}`)
	for _, detail := range []string{`{"MasterNodeSize":1,"CoreNodeSize":1}`, `{"MasterNodeSize":1,"CoreNodeSize":1,"TaskNodeSize":null,"RouterNodeSize":null}`} {
		b.instance(`"Status":2,"ConfigDetail":` + detail)
		for _, group := range []string{"task", "router"} {
			sub := b.submission(t, change(group, 2))
			g, _ := sub.Baseline.Group(sub.Change.GroupID)
			require.Zero(t, g.Count)
		}
		list, err := b.p.Clusters(context.Background())
		require.NoError(t, err)
		require.Len(t, list[0].Groups, 2, "without the nodes a group that is not counted may have any number")
	}
}

// Where the routers' count is left out they are asked for too, or they would count
// as task nodes. A service that has no such filter has no routers.
func TestRoutersThatAreNotCounted(t *testing.T) {
	b := newBench(t, nil)
	b.instance(`"Status":2,"ConfigDetail":{"TaskNodeSize":1}`)
	b.nodeList(`{"Flag":3,"OrderNo":"ins-t"}`, `{"Flag":3,"OrderNo":"ins-r"}`)
	b.always("routers", ok(`{"TotalCnt":1,"NodeList":[{"Flag":3,"OrderNo":"ins-r"}]}`))
	r, _ := b.observe(t).Group(router)
	require.Equal(t, []string{"ins-r"}, ids2(r.Nodes))
	b.always("routers", fault("InvalidParameter.InvalidNodeFlag"))
	r, _ = b.observe(t).Group(router)
	require.Empty(t, r.Nodes)
	b.always("routers", fault("InternalError"))
	_, err := b.p.Observe(context.Background(), here)
	require.Equal(t, providers.Retry, providers.KindOf(err), "a fault is no answer")
}

func TestKeepReasons(t *testing.T) {
	b := newBench(t, nil)
	for fields, want := range map[string]string{
		`"OrderNo":"i","Destroyable":1,"ChargeType":0,"AutoFlag":0`: "",
		`"OrderNo":"i"`:                                                   "",
		`"OrderNo":"i","Destroyable":0`:                                   "can't be destroyed",
		`"OrderNo":"i","DisableApiTermination":true`:                      "protected",
		`"OrderNo":"i","ChargeType":1,"ExpireTime":"2027-01-01 00:00:00"`: "prepaid",
		`"OrderNo":"i","AutoFlag":1`:                                      "autoscaling",
		`"EmrResourceId":"emr-vm-1"`:                                      "no machine id",
	} {
		b.nodeList(`{"Flag":3,` + fields + `}`)
		g, _ := b.observe(t).Group(task)
		require.Len(t, g.Nodes, 1)
		if want == "" {
			require.Empty(t, g.Nodes[0].Keep, fields)
		} else {
			require.Contains(t, g.Nodes[0].Keep, want, fields)
		}
		require.Equal(t, strings.Contains(fields, "ExpireTime"), !g.Nodes[0].Expires.IsZero())
	}
}

// Every status of the reference means what it says there; an unlisted one is
// busy and shown.
func TestStatuses(t *testing.T) {
	b := newBench(t, nil)
	want := map[providers.Phase][]int{
		providers.Ready:   {2},
		providers.Busy:    {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 22, 24, 0, -1, 25, 999},
		providers.Blocked: {19, 23, 33, 34, 301, 302},
		providers.Gone:    {14, 201},
	}
	for phase, codes := range want {
		for _, code := range codes {
			b.instance(fmt.Sprintf(`"Status":%d`, code))
			s := b.observe(t)
			require.Equal(t, phase, s.Phase, "%d", code)
			require.Contains(t, s.Status, fmt.Sprint(code))
		}
	}
	b.instance(`"ClusterName":"x"`)
	require.Equal(t, providers.Busy, b.observe(t).Phase, "no status at all")
}

func TestObserveFails(t *testing.T) {
	for name, tc := range map[string]struct {
		say  answer
		kind providers.Kind
	}{
		"no such cluster":      {ok(`{"TotalCnt":0,"ClusterList":[]}`), providers.NotFound},
		"null list":            {ok(`{"TotalCnt":0,"ClusterList":null}`), providers.NotFound},
		"another cluster":      {ok(`{"TotalCnt":1,"ClusterList":[null,{"ClusterId":"emr-other"}]}`), providers.NotFound},
		"says it is not found": {fault("ResourceNotFound.InstanceNotFound"), providers.NotFound},
		"wrong id":             {fault("InvalidParameter.InvalidClusterId"), providers.NotFound},
	} {
		b := newBench(t, nil)
		b.always("DescribeInstances", tc.say)
		_, err := b.p.Observe(context.Background(), here)
		require.Equal(t, tc.kind, providers.KindOf(err), name)
	}
}

// listing answers DescribeClusterNodes with pages of total nodes, by what
// Offset means.
func listing(total int, start func(offset int) int) func(offset int) ([]*string, int, error) {
	return func(offset int) ([]*string, int, error) {
		var page []*string
		for i := start(offset); i < min(start(offset)+pageSize, total); i++ {
			page = append(page, new(fmt.Sprint(i)))
		}
		return page, total, nil
	}
}

// The text says that Offset counts pages, the name that it counts records: both
// give every entry once.
func TestPages(t *testing.T) {
	byPage := func(o int) int { return o * pageSize }
	byRecord := func(o int) int { return o }
	id := func(s *string) string { return *s }
	for _, total := range []int{0, 1, 99, 100, 101, 200, 250, 1000} {
		for name, start := range map[string]func(int) int{"pages": byPage, "records": byRecord} {
			got, err := pages("X", id, listing(total, start))
			require.NoError(t, err)
			require.Len(t, got, total, "%s of %d", name, total)
		}
	}
	// Records that have no id yet are counted once, wherever they are.
	for _, total := range []int{101, 150, 250} {
		for _, at := range [][]int{{1, 2, 3}, {99, 100}, {100}, {50, 99, 149, 199, 200}} {
			for name, start := range map[string]func(int) int{"pages": byPage, "records": byRecord} {
				all, want := listing(total, start), total
				for _, i := range at {
					if i < total {
						want--
					}
				}
				got, err := pages("X", id, func(o int) ([]*string, int, error) {
					list, n, err := all(o)
					list = slices.Clone(list)
					for _, i := range at {
						if i -= start(o); i >= 0 && i < len(list) {
							list[i] = new("")
						}
					}
					return list, n, err
				})
				require.NoError(t, err, "%s of %d, nameless %v", name, total, at)
				require.Len(t, got, want, "%s of %d, nameless %v", name, total, at)
			}
		}
	}
	// Without a total a short page is the last one.
	got, err := pages("X", id, func(o int) ([]*string, int, error) {
		l, _, err := listing(150, byPage)(o)
		return l, -1, err
	})
	require.NoError(t, err)
	require.Len(t, got, 150)
	// A listing that stays short of its total is not taken for a small cluster.
	_, err = pages("X", id, func(int) ([]*string, int, error) { return []*string{new("a")}, 3, nil })
	require.Equal(t, providers.Retry, providers.KindOf(err))
}

func TestClusters(t *testing.T) {
	b := newBench(t, nil)
	var all []string
	for i := range 130 {
		all = append(all, fmt.Sprintf(`{"ClusterId":"emr-%03d","ClusterName":"n","Status":2,"ConfigDetail":{"TaskNodeSize":%d}}`, i, i))
	}
	page := func(l []string) answer {
		return ok(fmt.Sprintf(`{"TotalCnt":130,"ClusterList":[%s]}`, strings.Join(l, ",")))
	}
	b.next("DescribeInstances", page(all[:100]), page(all[100:]))
	list, err := b.p.Clusters(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 130)
	require.Equal(t, providers.ClusterInfo{ID: "emr-129", Name: "n", Status: "running (2)", Groups: []providers.Group{{ID: task, Count: 129}}}, list[129])
	require.NotContains(t, b.of("DescribeInstances")[0].body, "InstanceIds")
	require.Equal(t, 1.0, b.of("DescribeInstances")[1].body["Offset"])

	b.always("DescribeInstances", fault("AuthFailure.SecretIdNotFound"))
	_, err = b.p.Clusters(context.Background())
	require.Equal(t, providers.Auth, providers.KindOf(err))
}
