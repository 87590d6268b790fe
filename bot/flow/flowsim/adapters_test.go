package flowsim_test

import (
	"flag"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/config"
	"scalebot/bot/flow/flowsim"
	"scalebot/bot/redisstore/redistest"
	"scalebot/providers"
	"scalebot/providers/alibabaack"
	"scalebot/providers/cloudsim"
	"scalebot/providers/huaweimrs"
	"scalebot/providers/tencentemr"
)

var (
	seeds = flag.Int("sim.seeds", usualSeeds, "how many seeds each test here plays")
	from  = flag.Uint64("sim.from", 1, "the first of them")
)

const realConfig = `
slack: {app_token: xapp-1-x, bot_token: xoxb-x}
redis: {url: "redis://localhost:6379/0"}
accounts:
  tc: {provider: tencent-emr, region: ap-guangzhou, endpoint: "${CLOUDS}", secret_id: "${ID}", secret_key: "${KEY}"}
  ali: {provider: alibaba-ack, region: cn-beijing, endpoint: "${CLOUDS}", price_endpoint: "${CLOUDS}", access_key_id: "${ACK_ID}", access_key_secret: "${ACK_KEY}"}
  hw:
    {provider: huawei-mrs, region: cn-north-4, endpoint: "${CLOUDS}", price_endpoint: "${CLOUDS}", project_id: "${PROJECT}", domain_id: "${DOMAIN}", access_key: "${AK}", secret_key: "${SK}"}
clusters:
  emr:
    account: tc
    id: emr-m620
    channels: [C0DATA]
    groups:
      task: {max: 40, max_step: 10, params: {soft_deploy_info: [1, 2], service_node_info: [7], yarn_node_label: CLOUD, enable_start_service_flag: true}}
  ack:
    account: ali
    id: c82e6987e2961451182edacd74faf0000
    channels: [C0DATA]
    groups: {task: {node_pool: np0123456789, max: 40, max_step: 10}}
  mrs:
    account: hw
    id: "${MRS}"
    channels: [C0DATA]
    groups: {task: {node_group: task_node_default_group, max: 40, max_step: 10}}
prices:
  c6.4xlarge.4.linux.bigdata: {currency: CNY, hourly: 1.10, monthly: 450}
approvals:
  groups: {leads: {users: [U0LEA]}}
  rules: []
`

// controlPlanes are the three local clouds behind one server. Every answer ends its
// connection: one that is kept would be a goroutine waiting for the network, and
// the bubble's time would stand still with it.
type controlPlanes struct {
	*cloudsim.Sim
	clock  atomic.Int64
	url    string
	faults []int
	server *http.Server
}

func startControlPlanes(t *testing.T) *controlPlanes {
	t.Helper()
	c := &controlPlanes{}
	c.clock.Store(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	var err error
	c.Sim, err = cloudsim.New(cloudsim.Options{
		World: cloudsim.Demo(), Now: func() time.Time { return time.Unix(0, c.clock.Load()).UTC() }, Speed: 3, Rate: -1,
	})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c.url = "http://" + l.Addr().String()
	c.server = &http.Server{Handler: c.Handler(), ReadHeaderTimeout: time.Minute}
	c.server.SetKeepAlivesEnabled(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.server.Serve(l) // it ends when it is closed
	}()
	t.Cleanup(func() {
		_ = c.server.Close() // nobody is left to tell
		<-done
		c.Close()
	})
	return c
}

func (c *controlPlanes) real(t *testing.T) *flowsim.Real {
	t.Helper()
	env := map[string]string{
		"CLOUDS": c.url, "ID": cloudsim.DemoSecretID, "KEY": cloudsim.DemoSecretKey,
		"ACK_ID": cloudsim.DemoAccessKeyID, "ACK_KEY": cloudsim.DemoAccessKeySecret,
		"AK": cloudsim.DemoAK, "SK": cloudsim.DemoSK, "PROJECT": cloudsim.DemoProjectID, "DOMAIN": cloudsim.DemoDomainID, "MRS": cloudsim.DemoMRSCluster,
	}
	kinds := providers.NewRegistry(tencentemr.Kind(), alibabaack.Kind(), huaweimrs.Kind())
	cfg, err := config.Parse("sim.yaml", []byte(realConfig), func(name string) (string, bool) { v, ok := env[name]; return v, ok }, kinds)
	require.NoError(t, err)
	clouds := map[string]string{"emr-m620": cloudsim.Tencent, "c82e6987e2961451182edacd74faf0000": cloudsim.Alibaba, cloudsim.DemoMRSCluster: cloudsim.Huawei}
	return &flowsim.Real{
		Catalog: cfg.Catalog,
		Open: func(now func() time.Time) (map[string]flowsim.Provider, error) {
			open := map[string]flowsim.Provider{}
			for _, a := range cfg.Accounts {
				p, err := kinds.Open(a, providers.Env{Now: now, Prices: cfg.Prices})
				if err != nil {
					return nil, err
				}
				open[a.Name] = p
			}
			return open, nil
		},
		Tick: func(now time.Time) { c.clock.Store(now.UnixNano()) },
		Ledger: func() []flowsim.Taken {
			var all []flowsim.Taken
			for _, e := range c.Ledger() {
				if e.Outcome == cloudsim.Accepted {
					all = append(all, flowsim.Taken{Cluster: e.Cluster, Operation: e.Operation})
				}
			}
			return all
		},
		Break: func(cluster string, write bool, dice int) string {
			kinds := []cloudsim.FaultKind{cloudsim.Throttled, cloudsim.ServerError, cloudsim.LostBefore, cloudsim.Garbage}
			if write {
				kinds = append(kinds, cloudsim.LostAfter, cloudsim.LostAfter, cloudsim.LostAfter, cloudsim.LostAfter)
			}
			f := cloudsim.Fault{Kind: kinds[dice%len(kinds)], Cloud: clouds[cluster]}
			id, err := c.Fault(f)
			require.NoError(t, err)
			c.faults = append(c.faults, id)
			return string(f.Kind)
		},
		Mend: func() {
			for _, id := range c.faults {
				c.ClearFault(id)
			}
			c.faults = nil
		},
	}
}

// TestSimWithTheRealAdapters plays seeds with the three adapters and their SDKs on
// local control planes that speak the wire protocols, each seed on fresh ones.
func TestSimWithTheRealAdapters(t *testing.T) {
	// The adapters clone it when they are opened.
	if base, ok := http.DefaultTransport.(*http.Transport); ok {
		base.DisableKeepAlives = true
	}
	server := redistest.Start(t)
	began := time.Now()
	var total flowsim.Outcome
	for seed := *from; seed < *from+uint64(*seeds); seed++ {
		planes := startControlPlanes(t)
		real := planes.real(t)
		var out flowsim.Outcome
		synctest.Test(t, func(*testing.T) {
			disk := server.Disk(0)
			defer func() { _ = disk.Close() }() // the run is over
			out = flowsim.Play(flowsim.Setup{Seed: seed, Disk: disk, Real: real})
		})
		total.Flows += out.Flows
		total.Sent += out.Sent
		total.Unknown += out.Unknown
		total.Faults += out.Faults
		if len(out.Wrong) > 0 || testing.Verbose() && *seeds == 1 {
			t.Logf("seed %d\n%s", seed, strings.Join(out.Trace, "\n"))
		}
		if len(out.Wrong) > 0 {
			t.Fatalf("seed %d:\n  %s\nplay it again: go test ./bot/flow/flowsim -sim.seeds 1 -sim.from %d -v", seed, strings.Join(out.Wrong, "\n  "), seed)
		}
	}
	t.Logf("%d seeds in %s: %d flows, %d changes sent, %d decided by people, %d faults",
		*seeds, time.Since(began).Round(time.Millisecond), total.Flows, total.Sent, total.Unknown, total.Faults)
}
