package huaweimrs

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/cloudsim"
	"scalebot/providers/providertest"
)

// The adapter passes the port's contract against the local control plane, which
// checks signatures and parameters and was written by somebody else, in every
// edition of the answers that it knows.
func TestContract(t *testing.T) {
	for name, c := range map[string]simCase{
		"task nodes":                  {group: "task"},
		"core nodes":                  {group: "core"},
		"the first task nodes":        {group: "task", params: firstParams(), edit: noTasks, grow: true},
		"totals as text":              {group: "task", edit: edition(cloudsim.HuaweiEdition{TextTotals: true, TasksTwice: true})},
		"other spellings":             {group: "task", edit: edition(cloudsim.HuaweiEdition{CamelErrors: true, PascalGroups: true})},
		"core nodes of another model": {group: "core", params: map[string]any{"skip_bootstrap_scripts": true}, edit: streaming, id: "core_node_streaming_group"},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Harness{New: c.bench})
		})
	}
}

// simCase is a group of the demo's cluster, as an edited world has it.
type simCase struct {
	group, id string
	params    map[string]any
	edit      func(*cloudsim.HuaweiWorld)
	grow      bool // the group begins empty: nothing to remove
}

func edition(e cloudsim.HuaweiEdition) func(*cloudsim.HuaweiWorld) {
	return func(w *cloudsim.HuaweiWorld) { w.Edition = e }
}

func noTasks(w *cloudsim.HuaweiWorld) {
	w.Clusters[0].Groups[2] = cloudsim.HuaweiGroup{Name: taskGroup}
}

func streaming(w *cloudsim.HuaweiWorld) {
	c := &w.Clusters[0]
	c.Kind = cloudsim.HuaweiStreaming
	c.Groups[1].Name, c.Groups[2].Name = "core_node_streaming_group", "task_node_streaming_group"
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

// start runs the case's world with five core nodes, two above the floor.
func (c simCase) start(t *testing.T) (*cloudsim.Sim, *simTime) {
	t.Helper()
	w := cloudsim.Demo()
	w.Huawei.Clusters[0].Groups[1].Count = 5
	if c.edit != nil {
		c.edit(&w.Huawei)
	}
	sim, err := cloudsim.New(cloudsim.Options{World: w, Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, sim.Start(context.Background()))
	t.Cleanup(sim.Close)
	return sim, &simTime{t: time.Now(), sim: sim}
}

func (c simCase) provider(t *testing.T, sim *cloudsim.Sim, st *simTime, params map[string]any) providers.Provider {
	t.Helper()
	price := providers.Price{Currency: "CNY", Hourly: decimal.RequireFromString("5.5")}
	p, err := Kind().Open(providers.Account{
		Name: "mrs-n4", Kind: Name, Region: "cn-north-4", Endpoint: sim.URL(), PriceEndpoint: sim.URL(), IAMEndpoint: sim.URL(),
		ProjectID: cloudsim.DemoProjectID, DomainID: cloudsim.DemoDomainID, KeyID: cloudsim.DemoAK, KeySecret: cloudsim.DemoSK,
		Groups: []providers.GroupConfig{{Cluster: "analytics", Group: c.group, GroupID: c.id, Params: params}},
	}, providers.Env{Now: st.now, Prices: providers.PriceTable{"c6.4xlarge.4.linux.bigdata": price, "s3.xlarge.2.linux.bigdata": price}})
	require.NoError(t, err)
	return p
}

func (c simCase) change(delta int) providers.Change {
	ch := change(c.group, delta)
	ch.ClusterID = cloudsim.DemoMRSCluster
	ch.GroupID = groupID(providers.GroupConfig{Group: c.group, GroupID: c.id})
	return ch
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

func (c simCase) bench(t *testing.T) providertest.Bench {
	sim, st := c.start(t)
	other := map[string]any{"scale_without_start": true}
	if first, ok := c.params["task_node_info"]; ok {
		other["task_node_info"] = first
	}
	b := providertest.Bench{
		Provider:     c.provider(t, sim, st, c.params),
		Reconfigured: c.provider(t, sim, st, other),
		Cluster:      providers.ClusterRef{Name: "analytics", ID: cloudsim.DemoMRSCluster},
		Add:          c.change(2),
		CloudPicks:   c.group == "core",
		Price:        providers.Quote{Currency: "CNY", Hourly: decimal.RequireFromString("11")},
		Secrets:      []string{cloudsim.DemoAK, cloudsim.DemoSK},
		Now:          st.now,
		Advance:      st.advance,
		Finish:       func() { st.advance(6 * time.Hour) }, // decommissioning of core nodes takes its time
		Fault: func(k providertest.FaultKind, on providertest.Target) bool {
			f := cloudsim.Fault{Kind: simFaults[k], Action: resize}
			if on == providertest.OnRead {
				f.Action = "ShowClusterDetails"
			}
			_, err := sim.Fault(f)
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
				if r.Action == resize {
					n++
				}
			}
			return n
		},
	}
	if !c.grow {
		b.Remove = c.change(-2)
	}
	return b
}
