package huaweimrs

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
	status int
	body   string
	drop   bool          // close the connection instead
	hold   chan struct{} // answer only when closed, or never
}

func ok(body string) answer { return answer{body: body} }

func fault(status int, code string) answer {
	return answer{status: status, body: fmt.Sprintf(`{"error_code":%q,"error_msg":"said by the fake"}`, code)}
}

// call is one recorded request.
type call struct {
	action string
	path   string
	query  url.Values
	header http.Header
	proto  int
	body   map[string]any
}

// fake answers by method and path and records: it knows the wire, not the
// service.
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
	f.cluster(world{cores: 3, tasks: 5})
	f.always(resize, ok(`{"result":"succeeded"}`))
	return f
}

// actionOf names a request as the SDK names its call.
func actionOf(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch at := r.Method + " " + parts[0] + " " + parts[len(parts)-1]; {
	case strings.HasPrefix(at, "PUT v1.1 "):
		return resize
	case at == "GET v1.1 hosts":
		return "ListHosts"
	case at == "GET v1.1 cluster_infos":
		return "ListClusters"
	case strings.HasPrefix(at, "GET v1.1 "):
		return "ShowClusterDetails"
	case at == "POST v2 on-demand-resources":
		return rating
	case at == "GET v3 projects":
		return listProjects
	case at == "GET v3 domains":
		return listDomains
	}
	return r.Method + " " + r.URL.Path
}

const rating = "ListOnDemandResourceRatings"

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	c := call{action: actionOf(r), path: r.URL.Path, query: r.URL.Query(), header: r.Header, proto: r.ProtoMajor}
	_ = json.Unmarshal(raw, &c.body)
	f.mu.Lock()
	f.calls = append(f.calls, c)
	a, known := f.say[c.action]
	if q := f.once[c.action]; len(q) > 0 {
		a, f.once[c.action], known = q[0], q[1:], true
	}
	f.mu.Unlock()
	if !known {
		a = fault(http.StatusNotFound, "APIGW.0101")
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
	w.Header().Set("X-Request-Id", "rid")
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

// world is what the reads say. The zero state is an idle metered cluster with
// hosts core0… and task0….
type world struct {
	state, scale, stage, err, updated, billing string
	cores, tasks                               int
	extra                                      []string // hosts as JSON
	counted                                    int      // task nodes by the count, where it differs from the hosts; -1 = none
	fields                                     string   // further fields of the cluster, with a trailing comma
}

func (f *fake) cluster(w world) {
	or := func(s *string, other string) {
		if *s == "" {
			*s = other
		}
	}
	or(&w.state, "running")
	or(&w.updated, "1700000000")
	or(&w.billing, "Metered")
	counted := w.tasks
	switch {
	case w.counted < 0:
		counted = 0
	case w.counted > 0:
		counted = w.counted
	}
	tasks := "null"
	if counted > 0 {
		tasks = fmt.Sprintf(`[{"groupName":"task_node_default_group","nodeNum":%d,"nodeSize":"c6.4xlarge.4.linux.bigdata","rootVolumeType":"SAS","rootVolumeSize":"480","dataVolumeType":"SATA","dataVolumeSize":200,"dataVolumeCount":2}]`, counted)
	}
	f.always("ShowClusterDetails", ok(fmt.Sprintf(`{"cluster":{%s"clusterId":"cid","clusterName":"analytics","clusterState":%q,"scale":%q,
		"stageDesc":%q,"errorInfo":%q,"updateAt":%q,"billingType":%q,"totalNodeNum":"10","coreNodeNum":%d,
		"nodeGroups":[{"GroupName":"master_node_default_group","NodeNum":2,"NodeSize":"c6.2xlarge.4.linux.bigdata"},
			{"GroupName":"core_node_default_group","NodeNum":%d,"NodeSize":"c6.4xlarge.4.linux.bigdata","DataVolumeType":"SATA","DataVolumeSize":600,"DataVolumeCount":1}],
		"taskNodeGroups":%s}}`, w.fields, w.state, w.scale, w.stage, w.err, w.updated, w.billing, w.cores, w.cores, tasks)))
	hosts := []string{hostJSON("master0", "Master", "ACTIVE"), hostJSON("master1", "Master", "ACTIVE")}
	for i := range w.cores {
		hosts = append(hosts, hostJSON(fmt.Sprintf("core%d", i), "Core", "ACTIVE"))
	}
	for i := range w.tasks {
		hosts = append(hosts, hostJSON(fmt.Sprintf("task%d", i), "Task", "ACTIVE"))
	}
	f.hosts(append(hosts, w.extra...)...)
}

func hostJSON(id, kind, status string) string {
	return fmt.Sprintf(`{"id":%q,"name":"node_%s","ip":"10.0.0.1","status":%q,"flavor":"c6.4xlarge.4.linux.bigdata","type":%q,"node_group_name":"%s_node_default_group","data_volume_size":"200"}`,
		id, id, status, kind, strings.ToLower(kind))
}

func (f *fake) hosts(hosts ...string) {
	f.always("ListHosts", ok(fmt.Sprintf(`{"total":"%d","hosts":[%s]}`, len(hosts), strings.Join(hosts, ","))))
}

const (
	accessKey = "HPUAaccesskeyidentity"
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

// firstParams is the document's example of the first task nodes, as YAML
// decodes it.
func firstParams() map[string]any {
	return map[string]any{
		"task_node_info": map[string]any{
			"node_size": "s3.xlarge.2.linux.bigdata", "data_volume_type": "SATA",
			"data_volume_count": uint64(2), "data_volume_size": uint64(200),
		},
		"scale_without_start": false,
	}
}

// bench is a provider on a fake.
type bench struct {
	*fake
	clock *clock
	p     providers.Provider
}

func newBench(t *testing.T, taskParams map[string]any, edit ...func(*providers.Account, *providers.Env)) *bench {
	f := newFake(t)
	c := &clock{t: noon}
	a := providers.Account{
		Name: "mrs-n4", Kind: Name, Region: "cn-north-4", Endpoint: f.URL, PriceEndpoint: f.URL, IAMEndpoint: f.URL,
		ProjectID: "pid", DomainID: "did", KeyID: accessKey, KeySecret: secretKey,
		Groups: []providers.GroupConfig{
			{Cluster: "analytics", Group: "task", Params: taskParams},
			{Cluster: "analytics", Group: "core"},
			{Cluster: "analytics", Group: "stream", GroupID: "task_node_streaming_group"},
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

func change(group string, delta int) providers.Change {
	c := providers.Change{
		Kind: Name, Account: "mrs-n4", Cluster: "analytics", ClusterID: "cid",
		Group: group, GroupID: groupID(providers.GroupConfig{Group: group}), Delta: delta,
	}
	if delta > 0 {
		c.Charge = providers.Postpaid
	}
	return c
}

var here = providers.ClusterRef{Name: "analytics", ID: "cid"}

func (b *bench) observe(t *testing.T) providers.Snapshot {
	t.Helper()
	s, err := b.p.Observe(context.Background(), here)
	require.NoError(t, err)
	return s
}

// submission resolves a change against the cluster and makes it attempt 1, with
// the baseline as the engine keeps it: the change's group alone.
func (b *bench) submission(t *testing.T, c providers.Change) providers.Submission {
	t.Helper()
	s := b.observe(t)
	c, err := b.p.Resolve(c, s)
	require.NoError(t, err)
	g, found := s.Group(c.GroupID)
	require.True(t, found)
	s.Groups = []providers.Group{g}
	return providers.Submission{Change: c, Baseline: s, Attempt: 1, Token: providers.Token("T0", "F-7K3Q", 1), SentAt: b.clock.now()}
}

func (b *bench) submit(t *testing.T, c providers.Change) (providers.Operation, error) {
	t.Helper()
	return b.p.Submit(context.Background(), b.submission(t, c))
}

func named(nodes ...string) providers.Change {
	c := change("task", -len(nodes))
	c.Nodes = nodes
	return c
}

func asIs(*providers.Change) {}

// requireKind asserts that there is an error and its kind: no error at all would
// read as Unknown.
func requireKind(t *testing.T, kind providers.Kind, err error, msg ...any) {
	t.Helper()
	require.Error(t, err, msg...)
	require.Equal(t, kind, providers.KindOf(err), msg...)
}
