package alibabaack

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	aliyun "github.com/aliyun/credentials-go/credentials"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/cloudsim"
	"scalebot/providers/internal/adapter"
	"scalebot/providers/providertest"
)

// The adapter passes the port's contract in its three forms against the local
// control plane, which checks signatures and parameters and was written by
// somebody else. No form has a token: a lost change shows in its task.
func TestContract(t *testing.T) {
	for name, f := range simForms() {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Harness{New: f.bench, Rereads: true})
		})
	}
}

// What a change made, and nothing else, can be taken back by the ids that it
// reports: that is what a temporary change lives on. ENS machines are prepaid
// and go too, since they are named.
func TestWhatWasMadeCanBeTakenBack(t *testing.T) {
	for name, f := range simForms() {
		t.Run(name, func(t *testing.T) {
			sim, st := startSim(t)
			p := f.open(t, sim, st, f.group.Params)
			run := func(c providers.Change) (providers.Submission, providers.Progress) {
				s, err := p.Observe(t.Context(), f.cluster)
				require.NoError(t, err)
				c, err = p.Resolve(c, s)
				require.NoError(t, err)
				sub := providers.Submission{Change: c, Baseline: s, Attempt: 1, SentAt: st.now()}
				op, err := p.Submit(t.Context(), sub)
				require.NoError(t, err)
				st.advance(time.Hour)
				pr, err := p.Follow(t.Context(), sub, op)
				require.NoError(t, err)
				require.Equal(t, providers.Succeeded, pr.State, "%+v", pr)
				return sub, pr
			}
			sub, made := run(f.wish(2))
			require.Len(t, made.Changed, 2)
			back := f.wish(-2)
			back.Nodes = ids(made.Changed)
			_, gone := run(back)
			require.ElementsMatch(t, ids(made.Changed), ids(gone.Changed))
			was, _ := sub.Baseline.Group(back.GroupID)
			s, err := p.Observe(t.Context(), f.cluster)
			require.NoError(t, err)
			is, _ := s.Group(back.GroupID)
			require.Equal(t, ids(was.Nodes), ids(is.Nodes))
		})
	}
}

// A replica may sleep in the wait for the shared rate or in the search for
// credentials: its machine stood still, people have decided since and another
// replica may have sent. What wakes up then sends nothing, in any form: there is
// no token that would stop the second order.
func TestHeldUpOnTheWay(t *testing.T) {
	for name, f := range simForms() {
		for _, delta := range []int{2, f.remove} {
			if delta == 0 {
				continue
			}
			for wait, install := range map[string]func(*provider, func()){
				"rate": func(p *provider, sleep func()) { p.env.Limiter = limitFunc(sleep) },
				"credentials": func(p *provider, sleep func()) {
					p.creds = &credentials{chain: func() (source, error) { return sleeper{sleep}, nil }}
				},
			} {
				t.Run(fmt.Sprintf("%s %+d %s", name, delta, wait), func(t *testing.T) {
					sim, st := startSim(t)
					p := f.open(t, sim, st, f.group.Params).(*provider)
					s, err := p.Observe(t.Context(), f.cluster)
					require.NoError(t, err)
					c, err := p.Resolve(f.wish(delta), s)
					require.NoError(t, err)
					sub := providers.Submission{Change: c, Baseline: s, Attempt: 1, SentAt: st.now()}
					before := len(sim.Requests())
					install(p, func() { st.advance(adapter.SendWithin + time.Second) })
					_, err = p.Submit(t.Context(), sub)
					require.Error(t, err)
					require.Equal(t, providers.Retry, providers.KindOf(err), "%v", err)
					require.Contains(t, providers.AdviceOf(err).EN, "held up")
					require.Len(t, sim.Requests(), before, "something was sent")
				})
			}
		}
	}
}

// limitFunc lets everybody go, after something happened.
type limitFunc func()

func (f limitFunc) Wait(context.Context, string, int) error { f(); return nil }

// sleeper finds the demo's keys, after something happened.
type sleeper struct{ sleep func() }

func (s sleeper) GetCredential() (*aliyun.CredentialModel, error) {
	s.sleep()
	return &aliyun.CredentialModel{AccessKeyId: new(cloudsim.DemoAccessKeyID), AccessKeySecret: new(cloudsim.DemoAccessKeySecret)}, nil
}

// simForms are the three forms on the demo's clusters.
func simForms() map[string]simForm {
	const (
		webID  = "c82e6987e2961451182edacd74faf0000"
		edgeID = "Cccfd68c474454665ace07efce9240000"
	)
	worker := map[string]any{
		"vswitch_ids": []any{"vsw-1"}, "worker_instance_types": []any{"ecs.c5.xlarge"}, "key_pair": "ops",
		"worker_system_disk_category": "cloud_efficiency", "worker_system_disk_size": 120,
		"worker_data_disks": []any{map[string]any{"category": "cloud_ssd", "size": 200}},
	}
	edge := without(edgeParams(), "worker_auto_renew", "worker_auto_renew_period")
	edge["ens_region_id"] = "cn-beijing-cmcc-2"
	return map[string]simForm{
		"node pool": {
			cluster: providers.ClusterRef{Name: "web", ID: webID},
			group:   providers.GroupConfig{Group: "workers", GroupID: "np0123456789"},
			other:   map[string]any{"drain_node": false},
			change:  "ScaleClusterNodePool", remove: -2, hourly: "2.16",
		},
		"ScaleOutCluster": {
			cluster: providers.ClusterRef{Name: "web", ID: webID},
			group:   providers.GroupConfig{Group: "legacy", API: "scale-out-cluster", Params: worker},
			other:   without(worker, "worker_data_disks"),
			change:  "ScaleOutCluster", remove: -2, hourly: "2.4352",
		},
		"edge": {
			cluster: providers.ClusterRef{Name: "web-edge", ID: edgeID},
			group:   providers.GroupConfig{Group: "edge", API: "edge", Params: edge},
			other:   without(edge, "timeout_mins"),
			change:  "ScaleOutCluster", committed: "360", // and none to choose for removal: ENS machines are prepaid
		},
	}
}

// simTime is the time of provider and control plane: it stands still until it
// is advanced. Signatures carry the machine's time in any case.
type simTime struct {
	mu  sync.Mutex
	t   time.Time
	sim *cloudsim.Sim
}

func (s *simTime) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.t
}

func (s *simTime) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t = s.t.Add(d)
	s.sim.Advance(d)
}

// simForm is one form of the adapter on the demo's world.
type simForm struct {
	cluster           providers.ClusterRef
	group             providers.GroupConfig
	other             map[string]any // params that make another profile
	change            string         // the call that adds
	remove            int
	hourly, committed string
}

var simFaults = map[providertest.FaultKind]cloudsim.FaultKind{
	providertest.LostBefore: cloudsim.LostBefore,
	providertest.LostAfter:  cloudsim.LostAfter,
	providertest.Throttled:  cloudsim.Throttled,
	providertest.AuthFailed: cloudsim.AuthFailed,
	providertest.Hang:       cloudsim.Hang,
	providertest.HTTP500:    cloudsim.ServerError,
	providertest.Garbage:    cloudsim.Garbage,
}

var simChanges = []string{"ScaleClusterNodePool", "ScaleOutCluster", "RemoveNodePoolNodes", "DeleteClusterNodes"}

func startSim(t *testing.T) (*cloudsim.Sim, *simTime) {
	t.Helper()
	sim, err := cloudsim.New(cloudsim.Options{World: cloudsim.Demo(), Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, sim.Start(context.Background()))
	t.Cleanup(sim.Close)
	return sim, &simTime{t: time.Now(), sim: sim}
}

func (f simForm) open(t *testing.T, sim *cloudsim.Sim, st *simTime, params map[string]any) providers.Provider {
	t.Helper()
	g := f.group
	g.Cluster, g.Params = f.cluster.Name, params
	p, err := Kind().Open(providers.Account{
		Name: "ack-bj", Kind: Name, Region: "cn-beijing", Endpoint: sim.URL(), PriceEndpoint: sim.URL(),
		KeyID: cloudsim.DemoAccessKeyID, KeySecret: cloudsim.DemoAccessKeySecret,
		Groups: []providers.GroupConfig{g},
	}, providers.Env{Now: st.now})
	require.NoError(t, err)
	return p
}

func (f simForm) wish(delta int) providers.Change {
	c := providers.Change{
		Kind: Name, Account: "ack-bj", Cluster: f.cluster.Name, ClusterID: f.cluster.ID,
		Group: f.group.Group, GroupID: groupID(f.group), Delta: delta,
	}
	if delta > 0 {
		c.Charge = providers.Postpaid
	}
	return c
}

func (f simForm) bench(t *testing.T) providertest.Bench {
	sim, st := startSim(t)
	price := providers.Quote{Currency: "CNY"}
	if f.hourly != "" {
		price.Hourly = decimal.RequireFromString(f.hourly)
	}
	if f.committed != "" {
		price.Committed = decimal.RequireFromString(f.committed)
	}
	return providertest.Bench{
		Provider:     f.open(t, sim, st, f.group.Params),
		Reconfigured: f.open(t, sim, st, f.other),
		Cluster:      f.cluster,
		Add:          f.wish(2),
		Remove:       f.wish(f.remove),
		Price:        price,
		Secrets:      []string{cloudsim.DemoAccessKeyID, cloudsim.DemoAccessKeySecret, password},
		Now:          st.now,
		Advance:      st.advance,
		Finish:       func() { st.advance(time.Hour) },
		Fault: func(k providertest.FaultKind, on providertest.Target) bool {
			fault := cloudsim.Fault{Kind: simFaults[k]}
			switch {
			case on == providertest.OnRead:
				fault.Action = "DescribeClusterDetail"
			case k != providertest.LostAfter && k != providertest.LostBefore:
				fault.Action = f.change
			}
			_, err := sim.Fault(fault)
			require.NoError(t, err)
			return true
		},
		Accepted: func() int {
			n := 0
			for _, e := range sim.Ledger() {
				if e.Outcome == cloudsim.Accepted {
					n++
				}
			}
			return n
		},
		Sent: func() int {
			n := 0
			for _, r := range sim.Requests() {
				if slices.Contains(simChanges, r.Action) {
					n++
				}
			}
			return n
		},
	}
}
