package huaweimrs

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/cloudsim"
)

// run submits +2 or −2 against the local control plane with a fault set, lets
// all time pass and follows.
func (c simCase) run(t *testing.T, delta int, faults ...cloudsim.Fault) (providers.Progress, error) {
	t.Helper()
	sim, st := c.start(t)
	p := c.provider(t, sim, st, c.params)
	at := providers.ClusterRef{Name: "analytics", ID: cloudsim.DemoMRSCluster}
	s, err := p.Observe(context.Background(), at)
	require.NoError(t, err)
	change, err := p.Resolve(c.change(delta), s)
	if err != nil {
		return providers.Progress{}, err
	}
	for _, f := range faults {
		_, err := sim.Fault(f)
		require.NoError(t, err)
	}
	sub := providers.Submission{Change: change, Baseline: s, Attempt: 1, SentAt: st.now()}
	op, err := p.Submit(context.Background(), sub)
	if err != nil {
		return providers.Progress{}, err
	}
	st.advance(6 * time.Hour)
	return p.Follow(context.Background(), sub, op)
}

// How a resize goes wrong in the local control plane, which its author wrote
// from the documents, is what the adapter takes it for.
func TestHowItGoesWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		group string
		delta int
		fault cloudsim.Fault
		want  providers.ProgressState
		moved int
	}{
		"a scale-out that fails":         {"task", 2, cloudsim.Fault{Kind: cloudsim.FlowFails}, providers.Failed, 0},
		"a scale-in that fails":          {"task", -2, cloudsim.Fault{Kind: cloudsim.FlowFails}, providers.Failed, 0},
		"a scale-out that ends short":    {"core", 2, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 1}, providers.Partial, 1},
		"a scale-in that ends short":     {"core", -2, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 1}, providers.Partial, 1},
		"a scale-out that does not move": {"task", 2, cloudsim.Fault{Kind: cloudsim.FlowBlocked}, providers.Running, 0},
	} {
		t.Run(name, func(t *testing.T) {
			pr, err := simCase{group: tc.group}.run(t, tc.delta, tc.fault)
			require.NoError(t, err)
			require.Equal(t, tc.want, pr.State, "%+v", pr)
			require.Len(t, pr.Changed, tc.moved, "%+v", pr)
		})
	}
}

func TestWhatTheLocalCloudRefuses(t *testing.T) {
	edit := func(f func(*cloudsim.HuaweiCluster)) func(*cloudsim.HuaweiWorld) {
		return func(w *cloudsim.HuaweiWorld) { f(&w.Clusters[0]) }
	}
	for name, tc := range map[string]struct {
		c     simCase
		fault []cloudsim.Fault
		kind  providers.Kind
		code  string // "" = refused before anything is sent
	}{
		"a prepaid cluster":           {simCase{group: "task", edit: edit(func(c *cloudsim.HuaweiCluster) { c.Prepaid = true })}, nil, providers.Refused, ""},
		"an unpaid order":             {simCase{group: "task", edit: edit(func(c *cloudsim.HuaweiCluster) { c.Unpaid = true })}, nil, providers.Refused, "12000121"},
		"a group under auto scaling":  {simCase{group: "task", edit: edit(func(c *cloudsim.HuaweiCluster) { c.Groups[2].AutoScaled = true })}, nil, providers.Refused, "12000124"},
		"a quota of nodes":            {simCase{group: "task", edit: func(w *cloudsim.HuaweiWorld) { w.Quota.Nodes = 9 }}, nil, providers.Refused, "12000030"},
		"no right to resize":          {simCase{group: "task", edit: func(w *cloudsim.HuaweiWorld) { w.Accounts[0].Denied = []string{"mrs:cluster:resize"} }}, nil, providers.Auth, "12000136"},
		"sold out":                    {simCase{group: "task"}, []cloudsim.Fault{{Kind: cloudsim.SoldOut}}, providers.Refused, "MRS.104"},
		"a service behind that fails": {simCase{group: "task"}, []cloudsim.Fault{{Kind: cloudsim.Refused, Code: "MRS.201", Reason: "(ECS:Ecs.0219, x)"}}, providers.Unknown, "MRS.201"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tc.c.run(t, 2, tc.fault...)
			requireKind(t, tc.kind, err, "%v", err)
			require.Equal(t, tc.code, codeIn(err))
		})
	}
}

// Somebody else's resize that is under way makes the cloud refuse ours, and the
// flow waits.
func TestBusyClusterIsOccupied(t *testing.T) {
	c := simCase{group: "task"}
	sim, st := c.start(t)
	p := c.provider(t, sim, st, nil)
	at := providers.ClusterRef{Name: "analytics", ID: cloudsim.DemoMRSCluster}
	idle, err := p.Observe(context.Background(), at)
	require.NoError(t, err)
	change, err := p.Resolve(c.change(2), idle)
	require.NoError(t, err)
	sub := providers.Submission{Change: change, Baseline: idle, Attempt: 1, SentAt: st.now()}
	_, err = p.Submit(context.Background(), sub)
	require.NoError(t, err)
	st.advance(20 * time.Second)
	s, err := p.Observe(context.Background(), at)
	require.NoError(t, err)
	require.Equal(t, providers.Busy, s.Phase)
	sub.SentAt = st.now()
	_, err = p.Submit(context.Background(), sub)
	requireKind(t, providers.Occupied, err)
}

// Without a row in prices the local price service names the least that it costs.
func TestAtLeastFromTheLocalPriceService(t *testing.T) {
	c := simCase{group: "task"}
	sim, st := c.start(t)
	p := c.provider(t, sim, st, nil)
	p.(*provider).env.Prices = nil
	s, err := p.Observe(context.Background(), providers.ClusterRef{Name: "analytics", ID: cloudsim.DemoMRSCluster})
	require.NoError(t, err)
	change, err := p.Resolve(c.change(2), s)
	require.NoError(t, err)
	q, err := p.Quote(context.Background(), change, s)
	require.NoError(t, err)
	require.False(t, q.Known)
	require.Contains(t, q.Reason.EN, "at least "+q.Hourly.String()+" CNY per hour")
	require.True(t, q.Hourly.GreaterThanOrEqual(dec("8.4852")), "%s", q.Hourly)
}

// Project and domain are found by the account's keys alone.
func TestIdentityFromTheLocalIAM(t *testing.T) {
	c := simCase{group: "task"}
	sim, st := c.start(t)
	p := c.provider(t, sim, st, nil)
	p.(*provider).project.given, p.(*provider).domain.given = "", ""
	_, err := p.Observe(context.Background(), providers.ClusterRef{Name: "analytics", ID: cloudsim.DemoMRSCluster})
	require.NoError(t, err)
	project, err := p.(*provider).projectID(context.Background())
	require.NoError(t, err)
	require.Equal(t, cloudsim.DemoProjectID, project)
	domain, err := p.(*provider).domainID(context.Background())
	require.NoError(t, err)
	require.Equal(t, cloudsim.DemoDomainID, domain)
}
