package alibabaack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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
	reached  chan struct{} // closed when the request is there
}

func ok(body string) answer { return answer{body: body} }

func fault(status int, code string) answer {
	return answer{status: status, body: fmt.Sprintf(`{"code":%q,"message":"said by the fake","request_id":"rid"}`, code)}
}

// call is one recorded request.
type call struct {
	action, method, path string
	query                url.Values
	header               http.Header
	raw                  string
	body                 map[string]any
	remote               string
}

// fake answers by x-acs-action and records: it knows the wire, not the service.
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
	f.cluster("running", web)
	f.tasks()
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	c := call{
		action: r.Header.Get("X-Acs-Action"), method: r.Method, path: r.URL.Path, query: r.URL.Query(),
		header: r.Header, raw: string(raw), remote: r.RemoteAddr,
	}
	_ = json.Unmarshal(raw, &c.body)
	f.mu.Lock()
	f.calls = append(f.calls, c)
	a, known := f.say[c.action]
	if strings.HasPrefix(r.URL.Path, "/tasks/") && r.Method == http.MethodGet {
		if own, has := f.say[r.URL.Path]; has {
			a, known = own, true
		}
	}
	if q := f.once[c.action]; len(q) > 0 {
		a, f.once[c.action], known = q[0], q[1:], true
	}
	f.mu.Unlock()
	if !known {
		a = fault(404, "InvalidAction")
	}
	if a.reached != nil {
		close(a.reached)
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
	w.Header().Set("X-Acs-Request-Id", "by-header")
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// always sets what is said to an action, or to a path of tasks.
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

// fakePool is a node pool with so many Ready nodes i-<id>-0…; with extra as
// further JSON fields and group as the fields of its scaling group.
type fakePool struct {
	id, state    string
	isDefault    bool
	nodes        int
	desired      int
	total        int // 0 = nodes
	group, extra string
	node         string // further fields of each node
}

// web is the cluster that most tests use.
var web = fakePool{
	id: "np1", state: "active", isDefault: true, nodes: 5, desired: 5,
	group: `"instance_charge_type":"PostPaid","spot_strategy":"NoSpot","instance_types":["ecs.c5.xlarge"],"system_disk_category":"cloud_efficiency","system_disk_size":120,
		"data_disks":[{"category":"cloud_ssd","size":200}]`,
	node: `"instance_type":"ecs.c5.xlarge","instance_charge_type":"PostPaid","spot_strategy":"NoSpot"`,
}

func poolOfNodes(n int) fakePool { p := web; p.nodes, p.desired = n, n; return p }

// cluster sets what the describe calls say.
func (f *fake) cluster(state string, pools ...fakePool) {
	f.clusterWith(state, `"profile":"Default"`, "", pools...)
}

func (f *fake) clusterWith(state, fields, moreNodes string, pools ...fakePool) {
	f.always("DescribeClusterDetail", ok(fmt.Sprintf(`{"cluster_id":"c1","name":"web","state":%q,"size":9,"current_version":"1.30.1-aliyun.1",%s}`, state, fields)))
	var list, nodes []string
	for _, p := range pools {
		total := p.total
		if total == 0 {
			total = p.nodes
		}
		list = append(list, fmt.Sprintf(`{"nodepool_info":{"nodepool_id":%q,"name":"n","type":"ess","is_default":%t},
			"status":{"state":%q,"total_nodes":%d,"removing_nodes":0},"scaling_group":{"desired_size":%d,%s}%s}`,
			p.id, p.isDefault, p.state, total, p.desired, p.group, p.extra))
		for i := range p.nodes {
			nodes = append(nodes, nodeJSON(p, i, "Ready"))
		}
	}
	f.always("DescribeClusterNodePools", ok(`{"nodepools":[`+strings.Join(list, ",")+`]}`))
	if moreNodes != "" {
		nodes = append(nodes, moreNodes)
	}
	f.nodes(nodes...)
}

func nodeJSON(p fakePool, i int, ready string) string {
	return fmt.Sprintf(`{"instance_id":"i-%s-%d","node_name":"cn-beijing.10.0.%s.%d","nodepool_id":%q,"instance_role":"Worker","state":"running","node_status":%q,
		"creation_time":"2026-01-%02dT08:00:00+08:00","ip_address":["10.0.0.%d"],"is_aliyun_node":true,%s}`, p.id, i, p.id, i, p.id, ready, i%28+1, i, p.node)
}

// nodes sets the node list as it is.
func (f *fake) nodes(list ...string) {
	n := strings.Count(strings.Join(list, ""), `"instance_id"`)
	f.always("DescribeClusterNodes", ok(fmt.Sprintf(`{"nodes":[%s],"page":{"total_count":%d,"page_number":1,"page_size":100}}`, strings.Join(list, ","), n)))
}

// tasks sets the task list: "T-1 nodepool_scaleout 2026-11-24T20:00:00+08:00".
func (f *fake) tasks(list ...string) {
	var out []string
	for _, line := range list {
		p := strings.Fields(line)
		out = append(out, fmt.Sprintf(`{"task_id":%q,"task_type":%q,"state":"running","created":%q}`, p[0], p[1], p[2]))
	}
	f.always("DescribeClusterTasks", ok(fmt.Sprintf(`{"page_info":{"total_count":%d},"tasks":[%s]}`, len(list), strings.Join(out, ","))))
}

// task sets what DescribeTaskInfo says of one task.
func (f *fake) task(id, fields string) {
	f.always("/tasks/"+id, ok(fmt.Sprintf(`{"task_id":%q,"cluster_id":"c1",%s}`, id, fields)))
}

const (
	keyID     = "LTAItopsecretidentity"
	keySecret = "verysecretkeyverysecret"
	password  = "Hello1234!"
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

// workerParams is the profile of the Chinese worker document's example, as YAML
// decodes it.
func workerParams() map[string]any {
	return map[string]any{
		"key_pair":                    "common",
		"vswitch_ids":                 []any{"vsw-uf684tfrpwup8gcsw"},
		"worker_instance_types":       []any{"ecs.c5.xlarge"},
		"worker_system_disk_category": "cloud_efficiency",
		"worker_system_disk_size":     uint64(120),
		"worker_data_disk":            false,
		"worker_data_disks":           []any{map[string]any{"category": "cloud_ssd", "size": uint64(500)}},
		"tags":                        []any{map[string]any{"key": "tier", "value": "frontend"}},
	}
}

// edgeParams is the profile of the edge document's example.
func edgeParams() map[string]any {
	return map[string]any{
		"timeout_mins": uint64(60), "worker_instance_type": "ens.sn1.tiny", "ens_region_id": "cn-beijing-telecom",
		"worker_image_id": "m-2QVLO2T8NYgm8CNQVg", "ens_internet_charge_type": "BandwidthByDay",
		"worker_auto_renew": true, "worker_auto_renew_period": uint64(1), "login_password": password,
		"worker_system_disk_size": uint64(20), "worker_data_disk_size": uint64(0),
	}
}

// bench is a provider on a fake.
type bench struct {
	*fake
	clock *clock
	p     providers.Provider
}

func newBench(t *testing.T, edit ...func(*providers.Account, *providers.Env)) *bench {
	f := newFake(t)
	c := &clock{t: noon}
	a := providers.Account{
		Name: "ack-bj", Kind: Name, Region: "cn-beijing", Endpoint: f.URL, PriceEndpoint: f.URL, KeyID: keyID, KeySecret: keySecret,
		Groups: []providers.GroupConfig{
			{Cluster: "web", Group: "workers", GroupID: "np1"},
			{Cluster: "web", Group: "legacy", API: "scale-out-cluster", Params: workerParams()},
			{Cluster: "web-edge", Group: "edge", API: "edge", Params: edgeParams()},
		},
	}
	env := providers.Env{Now: c.now}
	for _, e := range edit {
		e(&a, &env)
	}
	p, err := Kind().Open(a, env)
	require.NoError(t, err)
	return &bench{fake: f, clock: c, p: p}
}

// withParams gives a group of the bench other params.
func withParams(name string, params map[string]any) func(*providers.Account, *providers.Env) {
	return func(a *providers.Account, _ *providers.Env) {
		for i := range a.Groups {
			if a.Groups[i].Group == name {
				a.Groups[i].Params = params
			}
		}
	}
}

func change(group string, delta int) providers.Change {
	c := providers.Change{Kind: Name, Account: "ack-bj", Cluster: "web", ClusterID: "c1", Group: group, Delta: delta}
	switch group {
	case "workers":
		c.GroupID = "np1"
	case "legacy":
		c.GroupID = allWorkers
	case "edge":
		c.Cluster, c.GroupID = "web-edge", ensWorkers
	}
	if delta > 0 {
		c.Charge = providers.Postpaid
	}
	return c
}

func asIs(*providers.Change) {}

func prepaid(months int) func(*providers.Change) {
	return func(c *providers.Change) { c.Charge, c.Months = providers.Prepaid, months }
}

func (b *bench) observe(t *testing.T, c providers.Change) providers.Snapshot {
	t.Helper()
	s, err := b.p.Observe(context.Background(), ref(c))
	require.NoError(t, err)
	return s
}

// submission resolves a change against the cluster and makes it attempt 1, with
// the baseline that the engine keeps: the change's group only.
func (b *bench) submission(t *testing.T, c providers.Change) providers.Submission {
	t.Helper()
	s := b.observe(t, c)
	c, err := b.p.Resolve(c, s)
	require.NoError(t, err)
	g, _ := s.Group(c.GroupID)
	s.Groups = []providers.Group{g}
	return providers.Submission{Change: c, Baseline: s, Attempt: 1, Token: providers.Token("T0", "F-7K3Q", 1), SentAt: b.clock.now()}
}

func (b *bench) submit(t *testing.T, c providers.Change) (providers.Operation, error) {
	t.Helper()
	return b.p.Submit(context.Background(), b.submission(t, c))
}

func ids(nodes []providers.Node) (out []string) {
	for _, n := range nodes {
		out = append(out, n.ID)
	}
	return out
}
