package cloudsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Huawei names this cloud in faults, ledger and admin page.
const Huawei = "huawei-mrs"

// huawei is the control plane: MRS in its versions 1.1 and 2, the prices of BSS,
// and the two questions that the vendor's SDK asks IAM.
type huawei struct {
	sim      *Sim
	world    HuaweiWorld
	clusters []*hwCluster
	routes   []hwRoute
	stages   map[string]time.Duration
	strikes  map[string]hwStrikes // by access key
	nextOp   int
	nextHost int
}

var _ cloud = (*huawei)(nil)

// hwRoute is one row of the API. A part of the path in braces takes any value.
// run decodes and checks what was sent and does it; its answer becomes the body.
type hwRoute struct {
	action, method, path string
	// permission is the IAM action of classic policies; "" = none is needed.
	permission string
	change     bool
	run        func(*hwCall) (any, error)
}

// hwCall is one authenticated request on its way through a route. entry is its
// line of the ledger, used for changes only.
type hwCall struct {
	account HuaweiAccount
	region  string
	cluster string // as in the path
	query   url.Values
	chinese bool
	domain  string // X-Domain-Id
	at      time.Time
	body    []byte
	target  target
	entry   *Entry
}

func newHuawei(s *Sim, w HuaweiWorld, stages map[string]time.Duration) (*huawei, error) {
	h := &huawei{sim: s, world: w, stages: stages, strikes: map[string]hwStrikes{}}
	if h.world.Currency == "" {
		h.world.Currency = "CNY"
	}
	for _, a := range w.Accounts {
		if a.Name == "" || a.AK == "" || a.SK == "" || a.DomainID == "" || len(a.Projects) == 0 {
			return nil, errors.New("an account needs Name, AK, SK, DomainID and Projects")
		}
	}
	for key, d := range stages {
		if d < 0 {
			return nil, fmt.Errorf("stage %s takes %v", key, d)
		}
	}
	for _, c := range w.Clusters {
		if err := h.addCluster(c); err != nil {
			return nil, fmt.Errorf("cluster %q: %w", c.ID, err)
		}
	}
	const resize = "mrs:cluster:resize"
	h.routes = []hwRoute{
		{"ListClusters", http.MethodGet, "/v1.1/{project}/cluster_infos", "mrs:cluster:list", false, h.listClusters},
		{"ShowClusterDetails", http.MethodGet, "/v1.1/{project}/cluster_infos/{cluster}", "mrs:cluster:get", false, h.showCluster},
		{"UpdateClusterScaling", http.MethodPut, "/v1.1/{project}/cluster_infos/{cluster}", resize, true, h.scale},
		{"ListHosts", http.MethodGet, "/v1.1/{project}/clusters/{cluster}/hosts", "mrs:host:list", false, h.listHosts},
		{"ListNodes", http.MethodGet, "/v2/{project}/clusters/{cluster}/nodes", "mrs:host:list", false, h.listNodes},
		{"ExpandCluster", http.MethodPost, "/v2/{project}/clusters/{cluster}/expand", resize, true, h.expand},
		{"ShrinkCluster", http.MethodPost, "/v2/{project}/clusters/{cluster}/shrink", resize, true, h.shrink},
		{"ListOnDemandResourceRatings", http.MethodPost, "/v2/bills/ratings/on-demand-resources", "", false, h.rateOnDemand},
		{"ListRateOnPeriodDetail", http.MethodPost, "/v2/bills/ratings/period-resources/subscribe-rate", "", false, h.rateOnPeriod},
		{"KeystoneListProjects", http.MethodGet, "/v3/projects", "", false, h.listProjects},
		{"KeystoneListAuthDomains", http.MethodGet, "/v3/auth/domains", "", false, h.listDomains},
	}
	return h, nil
}

func (h *huawei) name() string { return Huawei }

// owns takes what the vendor's SDK signs, and unsigned requests by their path, so
// that these are refused as the real gateway does and not with a plain 404.
func (h *huawei) owns(r *http.Request) bool {
	if strings.HasPrefix(r.Header.Get("Authorization"), hwAlgorithm) || strings.HasPrefix(r.URL.Path, "/v1.1/") {
		return true
	}
	return slices.ContainsFunc(h.routes, func(rt hwRoute) bool {
		_, ok := rt.matches(r.URL.Path)
		return ok
	})
}

// matches compares a path part by part and gives what stands for the braces.
func (rt *hwRoute) matches(path string) (map[string]string, bool) {
	want, got := strings.Split(rt.path, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	vars := map[string]string{}
	for i, w := range want {
		switch {
		case strings.HasPrefix(w, "{") && got[i] != "":
			vars[strings.Trim(w, "{}")] = got[i]
		case w != got[i]:
			return nil, false
		}
	}
	return vars, true
}

func (h *huawei) route(r *http.Request) (*hwRoute, map[string]string) {
	for i := range h.routes {
		if vars, ok := h.routes[i].matches(r.URL.Path); ok && h.routes[i].method == r.Method {
			return &h.routes[i], vars
		}
	}
	return nil, nil
}

// serve is the front: which API, who, how often, whose project; then the route.
func (h *huawei) serve(ex *exchange) reply {
	rt, vars := h.route(ex.Request)
	c := &hwCall{
		cluster: vars["cluster"], query: ex.URL.Query(), at: ex.at, body: ex.body, domain: ex.Header.Get("X-Domain-Id"),
		chinese: strings.EqualFold(ex.Header.Get("X-Language"), "zh-cn"),
		target:  target{cloud: Huawei},
	}
	if rt != nil {
		c.target.action, c.target.change = rt.action, rt.change
	}
	if c.cluster != "" {
		c.target.clusters = []string{c.cluster}
	}
	ex.note.Action, ex.note.RequestID = c.target.action, h.sim.nextID("huawei-request")[:32]
	// A call that isn't built here may well be one that changes things, so it goes
	// into the ledger too: a bot that tries to delete a cluster shows up.
	if c.target.change || rt == nil && ex.Method != http.MethodGet && ex.Method != http.MethodHead {
		c.entry = &Entry{
			Time: ex.at, Cloud: Huawei, Action: c.target.action, Cluster: c.cluster, Outcome: Rejected,
			RequestID: ex.note.RequestID, Body: rawJSON(ex.body),
		}
	}
	ran := false
	f, _ := h.sim.faults.take(c.target, Throttled, AuthFailed, LostBefore, LostAfter, Slow, Hang, ServerError, Garbage)
	ex.note.Fault = f.Kind
	rep := f.under(func() reply {
		ran = true
		out, err := h.call(ex, c, rt, vars["project"], f)
		ex.note.Account, ex.note.Region = c.account.Name, c.region
		return h.answer(ex.note, out, err)
	})
	if c.entry != nil {
		c.entry.Account, c.entry.Region, c.entry.Code = c.account.Name, c.region, ex.note.Code
		if f.Kind != "" {
			c.entry.Fault = f.Kind
		}
		if !ran {
			c.entry.Outcome, c.entry.RequestID = Unheard, ""
		}
		h.sim.journal.enter(*c.entry)
	}
	if !ran {
		ex.note.RequestID = ""
	}
	return rep
}

func (h *huawei) call(ex *exchange, c *hwCall, rt *hwRoute, project string, f hit) (any, error) {
	if rt == nil {
		return nil, hwRefuse("APIGW.0101", "%s %s", ex.Method, ex.URL.Path)
	}
	if f.Kind == AuthFailed {
		code := f.Code
		if code == "" {
			code = hwBadKeys
		}
		return nil, hwRefuse(code, "verify aksk signature fail")
	}
	account, err := h.authenticate(ex.Request, ex.body, c.at)
	if err != nil {
		return nil, err
	}
	c.account = account
	// MRS's own limits are not documented and those of BSS only as "about ten a
	// second"; the Sim's common limit stands for both.
	if f.Kind == Throttled || !h.sim.allow(Huawei+"/"+account.Name+"/"+c.target.action, c.at) {
		code := "APIGW.0308"
		if f.Kind == Throttled && f.Code != "" {
			code = f.Code
		}
		return nil, hwRefuse(code, "policy user over ratelimit")
	}
	if err := h.project(ex, c, project); err != nil {
		return nil, err
	}
	if slices.Contains(account.Denied, rt.permission) {
		return nil, hwRefuse("12000136", "Policy doesn't allow %s to be performed.", rt.permission)
	}
	// Some editions of ListHosts are known to answer 415 to any other type; here
	// all routes do. A read without a body may leave the header out.
	if ct := ex.Header.Get("Content-Type"); ct != "" || len(ex.body) > 0 {
		if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/json" {
			return nil, hwRefuse("APIGW.0201", "Content-Type must be application/json, got %q", ct).with(http.StatusUnsupportedMediaType)
		}
	}
	h.settle(c.at)
	if !rt.change {
		// Changes ask for this themselves, once they know that the order is sound.
		if err := h.refusedByFault(c); err != nil {
			return nil, err
		}
	}
	return rt.run(c)
}

// project checks the project in the path; routes of global services have none.
// Which code answers which mismatch is not documented: a project that the key's
// owner doesn't have is taken for "invalid project ID", and a path that leaves
// the project in X-Project-Id, for which the caller was authenticated, for an
// invalid identity. The SDK's literal {project_id} ends up in the first.
func (h *huawei) project(ex *exchange, c *hwCall, project string) error {
	if project == "" {
		return nil
	}
	for region, id := range c.account.Projects {
		if id == project {
			c.region = region
		}
	}
	if c.region == "" {
		return hwRefuse("12000107", "%s", project)
	}
	if scope := ex.Header.Get("X-Project-Id"); scope != "" && scope != project {
		return hwRefuse("12000001", "X-Project-Id %s is not the project of the path", scope)
	}
	return nil
}

// refusedByFault lets SoldOut and Refused have their say. Changes call it right
// before they would order, so that a fault never hides a broken request.
//
// SoldOut is the document's MRS.104, which stands in the table of codes that the
// call itself answers with. A flavour that sells out while the cluster grows is
// FlowFails with such a Reason.
func (h *huawei) refusedByFault(c *hwCall) error {
	f, ok := h.sim.faults.take(c.target, SoldOut, Refused)
	if !ok {
		return nil
	}
	if c.entry != nil {
		c.entry.Fault = f.Kind
	}
	if f.Kind == SoldOut {
		return hwRefuse("MRS.104", "")
	}
	return hwRefuse(f.Code, "%s", f.Reason)
}

// answer puts a result or an error on the wire. The request id is in a header
// always and in the body only for the gateway's own errors.
func (h *huawei) answer(note *Request, out any, err error) reply {
	rep := reply{status: http.StatusOK, kind: "application/json", header: http.Header{"X-Request-Id": {note.RequestID}}}
	if err != nil {
		var he *hwError
		if !errors.As(err, &he) {
			he = hwRefuse("12000004", "%v", err)
		}
		note.Code, rep.status = he.code, he.status
		switch {
		case he.code == hwResultFailed:
			rep.status, out = http.StatusOK, map[string]any{"result": "failed"}
		case strings.HasPrefix(he.code, "APIG"):
			out = map[string]any{"error_msg": he.message, "error_code": he.code, "request_id": note.RequestID}
		case h.world.Edition.CamelErrors && !strings.HasPrefix(he.code, "CBC."):
			out = map[string]any{"errorCode": he.code, "message": he.message}
		default:
			out = map[string]any{"error_code": he.code, "error_msg": he.message}
		}
	}
	rep.body, err = json.Marshal(out)
	if err != nil {
		return reply{status: http.StatusInternalServerError, kind: "text/plain", body: []byte(err.Error())}
	}
	return rep
}
