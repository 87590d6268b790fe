package tencentemr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// answer is what the fake says to one call.
type answer struct {
	status   int
	location string
	body     string
	drop     bool          // close the connection instead
	hold     chan struct{} // answer only when closed, or never
}

func ok(response string) answer { return answer{body: `{"Response":` + response + `}`} }

func fault(code string) answer {
	return ok(fmt.Sprintf(`{"Error":{"Code":%q,"Message":"said by the fake"},"RequestId":"rid"}`, code))
}

// call is one recorded request.
type call struct {
	action string
	header http.Header
	proto  int
	remote string
	body   map[string]any
}

// fake answers by X-TC-Action and records: it knows the wire, not the service.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
	once  map[string][]answer // one-shot answers, first in first out
	say   map[string]answer   // answers that stay
}

func newFake(t *testing.T) *fake {
	f := &fake{once: map[string][]answer{}, say: map[string]answer{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	f.cluster(2, 3, 5)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	c := call{action: r.Header.Get("X-TC-Action"), header: r.Header, proto: r.ProtoMajor, remote: r.RemoteAddr}
	_ = json.Unmarshal(raw, &c.body)
	f.mu.Lock()
	f.calls = append(f.calls, c)
	a, known := f.say[c.action]
	if c.action == "DescribeClusterNodes" && c.body["NodeFlag"] == "router" {
		if a, known = f.say["routers"]; !known {
			a, known = ok(`{"TotalCnt":0,"NodeList":[]}`), true
		}
	}
	if q := f.once[c.action]; len(q) > 0 {
		a, f.once[c.action], known = q[0], q[1:], true
	}
	f.mu.Unlock()
	if !known {
		a = fault("InvalidAction")
	}
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-r.Context().Done():
			return
		}
	}
	if a.drop {
		panic(http.ErrAbortHandler)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.Header().Set("Content-Type", "application/json")
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (f *fake) always(action string, a answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.say[action] = a
}

func (f *fake) next(action string, a ...answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.once[action] = append(f.once[action], a...)
}

func (f *fake) of(action string) []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []call
	for _, c := range f.calls {
		if c.action == action {
			out = append(out, c)
		}
	}
	return out
}

// cluster sets what the describe calls say: a status and so many core and task
// nodes ins-core0…, ins-task0….
func (f *fake) cluster(status, cores, tasks int) {
	f.always("DescribeInstances", ok(fmt.Sprintf(`{"TotalCnt":1,"ClusterList":[{"ClusterId":"emr-m620","ClusterName":"m620","Status":%d,
		"ChargeType":0,"ZoneId":100003,"Zone":"ap-guangzhou-3","ConfigDetail":{"MasterNodeSize":1,"CoreNodeSize":%d,"TaskNodeSize":%d,"RouterNodeSize":0}}],"RequestId":"r"}`, status, cores, tasks)))
	nodes := `{"Flag":1,"OrderNo":"ins-master0","ChargeType":0,"Destroyable":0}`
	for i := range cores {
		nodes += fmt.Sprintf(`,{"Flag":2,"OrderNo":"ins-core%d","ChargeType":0,"Destroyable":1}`, i)
	}
	for i := range tasks {
		nodes += fmt.Sprintf(`,{"Flag":3,"OrderNo":"ins-task%d","EmrResourceId":"emr-vm-task%d","NameTag":"task.%d","Ip":"10.0.0.%d","Spec":"S5.2XLARGE32","ChargeType":0,"Destroyable":1,"AutoFlag":0,"ApplyTime":"2026-01-0%d 08:00:00"}`, i, i, i, i, i+1)
	}
	f.always("DescribeClusterNodes", ok(fmt.Sprintf(`{"TotalCnt":%d,"NodeList":[%s],"RequestId":"r"}`, 1+cores+tasks, nodes)))
}

const (
	secretID  = "AKIDtopsecretidentity"
	secretKey = "verysecretkeyverysecret"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// clock is the test's own time.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// documentParams is the profile of the ScaleOutCluster document's example, as
// YAML decodes it.
func documentParams() map[string]any {
	return map[string]any{
		"soft_deploy_info":          []any{uint64(1), uint64(2)},
		"service_node_info":         []any{uint64(7)},
		"yarn_node_label":           "CLOUD",
		"enable_start_service_flag": true,
		"resource_spec": map[string]any{
			"instance_type":   "MA5.8XLARGE256",
			"system_disk":     []any{map[string]any{"disk_type": "CLOUD_PREMIUM", "disk_size": uint64(200), "count": uint64(1), "extra_performance": uint64(0)}},
			"data_disk":       []any{map[string]any{"disk_type": "CLOUD_HIGHIO", "disk_size": uint64(4000), "count": uint64(4), "extra_performance": uint64(0)}},
			"local_data_disk": []any{},
			"tags":            []any{},
		},
	}
}

// bench is a provider on a fake.
type bench struct {
	*fake
	clock *clock
	env   providers.Env
	p     providers.Provider
}

func newBench(t *testing.T, taskParams map[string]any, edit ...func(*providers.Account, *providers.Env)) *bench {
	f := newFake(t)
	c := &clock{t: noon}
	a := providers.Account{
		Name: "data-gz", Kind: Name, Region: "ap-guangzhou", Endpoint: f.URL, KeyID: secretID, KeySecret: secretKey,
		Groups: []providers.GroupConfig{
			{Cluster: "m620", Group: "task", Params: taskParams},
			{Cluster: "m620", Group: "core"}, {Cluster: "m620", Group: "master"},
			{Cluster: "m620", Group: "common"}, {Cluster: "m620", Group: "router"},
		},
	}
	env := providers.Env{Now: c.now}
	for _, e := range edit {
		e(&a, &env)
	}
	p, err := Kind().Open(a, env)
	require.NoError(t, err)
	return &bench{fake: f, clock: c, env: env, p: p}
}

func change(group string, delta int) providers.Change {
	c := providers.Change{
		Kind: Name, Account: "data-gz", Cluster: "m620", ClusterID: "emr-m620",
		Group: group, GroupID: groupID(providers.GroupConfig{Group: group}), Delta: delta,
	}
	if delta > 0 {
		c.Charge = providers.Postpaid
	}
	return c
}

// submission resolves a change against the cluster and makes it attempt 1.
func (b *bench) submission(t *testing.T, c providers.Change) providers.Submission {
	t.Helper()
	s, err := b.p.Observe(context.Background(), ref(c))
	require.NoError(t, err)
	c, err = b.p.Resolve(c, s)
	require.NoError(t, err)
	return providers.Submission{Change: c, Baseline: s, Attempt: 1, Token: providers.Token("T0", "F-7K3Q", 1), SentAt: b.clock.now()}
}
