package tencentemr

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	tccommon "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"

	"scalebot/providers"
	"scalebot/providers/cloudsim"
	"scalebot/providers/internal/adapter"
	"scalebot/providers/providertest"
)

// The adapter passes the port's contract against the local control plane, which
// checks signatures and parameters and was written by somebody else.
func TestContract(t *testing.T) {
	t.Run("TerminateClusterNodes", func(t *testing.T) {
		providertest.Run(t, providertest.Harness{Token: true, New: simBench(nil)})
	})
	t.Run("TerminateTasks", func(t *testing.T) {
		providertest.Run(t, providertest.Harness{Token: true, New: simBench(map[string]any{"terminate_api": "terminate_tasks"})})
	})
}

// A replica may sleep in the wait for the shared rate or in the search for
// credentials: its machine stood still, and people have decided since. What wakes
// up then sends nothing: neither a change, nor the repeat of one whose token the
// cloud may have forgotten.
func TestHeldUpOnTheWay(t *testing.T) {
	tasks := map[string]any{"terminate_api": terminateTasks}
	for name, tc := range map[string]struct {
		delta  int
		params map[string]any
		repeat bool
	}{
		"an addition":        {delta: 2},
		"a removal":          {delta: -2},
		"a removal of tasks": {delta: -2, params: tasks},
		"a repeat":           {delta: 2, repeat: true},
	} {
		for wait, install := range map[string]func(*provider, func()){
			"rate": func(p *provider, sleep func()) { p.env.Limiter = limitFunc(sleep) },
			"credentials": func(p *provider, sleep func()) {
				p.creds = &credentials{source: func() tccommon.Provider { return sleeper{sleep} }}
			},
		} {
			t.Run(name+" by "+wait, func(t *testing.T) {
				sim, st := startSim(t)
				p := simProvider(t, sim, st, tc.params).(*provider)
				s, err := p.Observe(t.Context(), providers.ClusterRef{Name: "m620", ID: "emr-m620"})
				require.NoError(t, err)
				c, err := p.Resolve(change("task", tc.delta), s)
				require.NoError(t, err)
				sub := providers.Submission{Change: c, Baseline: s, Attempt: 1, Token: providers.Token("T0", "F-7K3Q", 1), SentAt: st.now()}
				if tc.repeat {
					install(p, func() { st.advance(tokenWindow) })
					f, err := p.Reconcile(t.Context(), sub)
					require.NoError(t, err)
					require.Equal(t, providers.Unsure, f.State)
					require.NotContains(t, f.Evidence.EN, "repeat", "none was made")
				} else {
					install(p, func() { st.advance(adapter.SendWithin + time.Second) })
					_, err = p.Submit(t.Context(), sub)
					require.Error(t, err)
					require.Equal(t, providers.Retry, providers.KindOf(err), "%v", err)
					require.Contains(t, providers.AdviceOf(err).EN, "held up")
				}
				for _, r := range sim.Requests() {
					require.False(t, r.Action == "ScaleOutCluster" || strings.HasPrefix(r.Action, "Terminate"), "%s was sent", r.Action)
				}
			})
		}
	}
}

// limitFunc lets everybody go, after something happened.
type limitFunc func()

func (f limitFunc) Wait(context.Context, string, int) error { f(); return nil }

// sleeper finds the demo's keys, after something happened.
type sleeper struct{ sleep func() }

func (s sleeper) GetCredential() (tccommon.CredentialIface, error) {
	s.sleep()
	return tccommon.NewTokenCredential(cloudsim.DemoSecretID, cloudsim.DemoSecretKey, ""), nil
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

func startSim(t *testing.T) (*cloudsim.Sim, *simTime) {
	t.Helper()
	sim, err := cloudsim.New(cloudsim.Options{World: cloudsim.Demo(), Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, sim.Start(context.Background()))
	t.Cleanup(sim.Close)
	return sim, &simTime{t: time.Now(), sim: sim}
}

func simProvider(t *testing.T, sim *cloudsim.Sim, st *simTime, params map[string]any) providers.Provider {
	t.Helper()
	p, err := Kind().Open(providers.Account{
		Name: "data-gz", Kind: Name, Region: "ap-guangzhou", Endpoint: sim.URL(),
		KeyID: cloudsim.DemoSecretID, KeySecret: cloudsim.DemoSecretKey,
		Groups: []providers.GroupConfig{{Cluster: "m620", Group: "task", Params: params}},
	}, providers.Env{Now: st.now})
	require.NoError(t, err)
	return p
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

func simBench(params map[string]any) func(*testing.T) providertest.Bench {
	return func(t *testing.T) providertest.Bench {
		sim, st := startSim(t)
		other := map[string]any{"yarn_node_label": "OTHER"}
		return providertest.Bench{
			Provider:     simProvider(t, sim, st, params),
			Reconfigured: simProvider(t, sim, st, other),
			Cluster:      providers.ClusterRef{Name: "m620", ID: "emr-m620"},
			Add:          change("task", 2),
			Remove:       change("task", -2),
			Price:        providers.Quote{Currency: "CNY", Hourly: decimal.RequireFromString("3.36")},
			Secrets:      []string{cloudsim.DemoSecretID, cloudsim.DemoSecretKey},
			Now:          st.now,
			Advance:      st.advance,
			Finish:       func() { st.advance(time.Hour) },
			Fault: func(k providertest.FaultKind, on providertest.Target) bool {
				f := cloudsim.Fault{Kind: simFaults[k]}
				switch {
				case on == providertest.OnRead:
					f.Action = "DescribeInstances"
				case k != providertest.LostAfter && k != providertest.LostBefore:
					f.Action = "ScaleOutCluster"
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
					if r.Action == "ScaleOutCluster" || strings.HasPrefix(r.Action, "Terminate") {
						n++
					}
				}
				return n
			},
		}
	}
}
