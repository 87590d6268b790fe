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

// Versions of the three APIs, which also tell them apart.
const (
	acVersion  = "2015-12-15" // Container Service
	ecsVersion = "2014-05-26" // Elastic Compute Service
	ensVersion = "2017-11-10" // Edge Node Service
)

// Error codes of the product; those of the gateway stand where they are used.
// The documents of the scaling calls name none and refer to an error centre, so
// where the public tables don't cover a case the general code is used.
const (
	acMissing     = "MissingParameter"
	acInvalid     = "InvalidParameter"
	acNoCluster   = "ErrorClusterNotFound"
	acNoPool      = "ErrorNodePoolNotFound"
	acNoTask      = "ErrorTaskNotFound"
	acBusy        = "ErrorClusterState"
	acTaskState   = "ErrorTaskState"
	acNoStock     = "OperationDenied.NoStock"
	acThrottled   = "Throttling.User"
	acNoMatch     = "SignatureDoesNotMatch"
	acForbidden   = "Forbidden.RAM"
	acNoSuchAPI   = "InvalidApi.NotFound"
	acBadVersion  = "InvalidVersion"
	acBadFormat   = "InvalidParameter.Format"
	acBadMachine  = "InvalidInstanceType.ValueNotSupported"
	acOverQuota   = "QuotaExceeded.NodesPerCluster"
	acBadVSwitch  = "InvalidVSwitchId.NotFound"
	acBadPassword = "InvalidParameter.LoginPassword"
)

// acError is a refusal. The gateway in front of all products and the product
// behind it spell theirs differently: the gateway has Code, Message, RequestId,
// the product code, message, request_id. Callers must read both.
type acError struct {
	code, message string
	gateway       bool
}

func (e *acError) Error() string { return e.code + ": " + e.message }

// acRefuse is a refusal by the product, acGate one by the gateway.
func acRefuse(code, format string, args ...any) error {
	return &acError{code: code, message: fmt.Sprintf(format, args...)}
}

func acGate(code, format string, args ...any) error {
	return &acError{code: code, message: fmt.Sprintf(format, args...), gateway: true}
}

// status is the HTTP status that goes with a code. Throttling is a 400 in the
// gateway's table of common errors.
func (e *acError) status() int {
	switch {
	case strings.Contains(e.code, "NotFound"):
		return http.StatusNotFound
	case strings.HasPrefix(e.code, "Forbidden"), e.code == "NoPermission":
		return http.StatusForbidden
	case e.code == "ServiceUnavailable":
		return http.StatusServiceUnavailable
	case e.code == "InternalError":
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}

// alibaba is the control plane.
type alibaba struct {
	sim         *Sim
	world       AlibabaWorld
	machines    map[string]AlibabaMachine
	disks       map[string]AlibabaDisk
	clusters    []*acCluster
	tasks       []*acTask // in the order in which they were accepted
	routes      []acRoute
	stages      map[string]time.Duration
	nonces      map[string]time.Time // when each was used
	swept       time.Time            // when old ones were last forgotten
	nextAddress int
}

var _ cloud = (*alibaba)(nil)

// acRoute is one row of the API. A path of "" is a call of the RPC style, whose
// API is told by its version. run decodes the request strictly, checks it and
// does it.
type acRoute struct {
	action, version string
	method, path    string // e.g. GET /clusters/{cluster}
	change          bool
	run             func(*acCall) (map[string]any, error)
}

// acCall is one request on its way through an action. entry is its line of the
// ledger, used for changes only.
type acCall struct {
	action, version     string
	cluster, pool, task string // named in the path
	account             string
	at                  time.Time
	query               url.Values
	body                []byte
	request             string // its request id
	target              target
	entry               *Entry
}

func newAlibaba(s *Sim, w AlibabaWorld, stages map[string]time.Duration) (*alibaba, error) {
	a := &alibaba{
		sim: s, world: w, stages: stages,
		machines: map[string]AlibabaMachine{}, disks: map[string]AlibabaDisk{}, nonces: map[string]time.Time{},
	}
	if a.world.Quota == 0 {
		a.world.Quota = 1000
	}
	for _, acc := range w.Accounts {
		if acc.Name == "" || acc.KeyID == "" || acc.KeySecret == "" {
			return nil, errors.New("an account needs Name, KeyID and KeySecret")
		}
	}
	for _, m := range w.Machines {
		a.machines[m.Type] = m
	}
	for _, d := range w.Disks {
		a.disks[d.Category] = d
	}
	for key, d := range stages {
		if d < 0 {
			return nil, fmt.Errorf("stage %s takes %v", key, d)
		}
	}
	for _, c := range w.Clusters {
		if err := a.addCluster(c); err != nil {
			return nil, fmt.Errorf("cluster %q: %w", c.ID, err)
		}
	}
	read := func(action, path string, run func(*acCall) (map[string]any, error)) acRoute {
		return acRoute{action: action, version: acVersion, method: http.MethodGet, path: path, run: run}
	}
	change := func(action, method, path string, run func(*acCall) (map[string]any, error)) acRoute {
		return acRoute{action: action, version: acVersion, method: method, path: path, change: true, run: run}
	}
	a.routes = []acRoute{
		read("DescribeClustersV1", "/api/v1/clusters", a.describeClusters),
		read("DescribeClusterDetail", "/clusters/{cluster}", a.describeCluster),
		read("DescribeClusterNodePools", "/clusters/{cluster}/nodepools", a.describePools),
		read("DescribeClusterNodePoolDetail", "/clusters/{cluster}/nodepools/{pool}", a.describePool),
		read("DescribeClusterNodes", "/clusters/{cluster}/nodes", a.describeNodes),
		read("DescribeClusterTasks", "/clusters/{cluster}/tasks", a.describeTasks),
		read("DescribeClusterEvents", "/clusters/{cluster}/events", a.describeEvents),
		read("DescribeTaskInfo", "/tasks/{task}", a.describeTask),
		change("ScaleClusterNodePool", http.MethodPost, "/clusters/{cluster}/nodepools/{pool}", a.scalePool),
		change("ModifyClusterNodePool", http.MethodPut, "/clusters/{cluster}/nodepools/{pool}", a.modifyPool),
		change("ScaleOutCluster", http.MethodPost, "/api/v2/clusters/{cluster}", a.scaleOut),
		change("RemoveNodePoolNodes", http.MethodDelete, "/clusters/{cluster}/nodepools/{pool}/nodes", a.removePoolNodes),
		change("DeleteClusterNodes", http.MethodPost, "/clusters/{cluster}/nodes", a.deleteNodes),
		change("RemoveClusterNodes", http.MethodPost, "/api/v2/clusters/{cluster}/nodes/remove", a.removeNodes),
		change("PauseTask", http.MethodPost, "/tasks/{task}/pause", a.pauseTask),
		change("ResumeTask", http.MethodPost, "/tasks/{task}/resume", a.resumeTask),
		change("CancelTask", http.MethodPost, "/tasks/{task}/cancel", a.cancelTask),
		{action: "DescribePrice", version: ecsVersion, run: a.ecsPrice},
		{action: "DescribePrice", version: ensVersion, run: a.ensPrice},
	}
	return a, nil
}

func (a *alibaba) name() string { return Alibaba }

func (a *alibaba) owns(r *http.Request) bool {
	auth := r.Header.Get("Authorization")
	return r.Header.Get("X-Acs-Version") != "" || r.Header.Get("X-Acs-Action") != "" ||
		strings.HasPrefix(auth, "acs ") || strings.HasPrefix(auth, "ACS3-") ||
		r.URL.Query().Has("Signature") && r.URL.Query().Has("AccessKeyId")
}

// route finds the row that a request is for and notes what its path names.
func (a *alibaba) route(r *http.Request, c *acCall) (acRoute, bool) {
	for _, row := range a.routes {
		if row.path == "" {
			if r.URL.Path == "/" && row.version == c.version && row.action == c.action {
				return row, true
			}
		} else if row.method == r.Method && c.matches(row.path, r.URL.EscapedPath()) {
			return row, true
		}
	}
	return acRoute{}, false
}

func (c *acCall) matches(pattern, path string) bool {
	want, given := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(given) {
		return false
	}
	var cluster, pool, task string
	for i, w := range want {
		text, _ := url.PathUnescape(given[i]) // the server takes no path that can't be read
		switch w {
		case "{cluster}":
			cluster = text
		case "{pool}":
			pool = text
		case "{task}":
			task = text
		case text:
		default:
			return false
		}
	}
	c.cluster, c.pool, c.task = cluster, pool, task
	return true
}

// serve is the front of the API: who, what, how often; then the action.
func (a *alibaba) serve(ex *exchange) reply {
	c := &acCall{
		action: ex.Header.Get("X-Acs-Action"), version: ex.Header.Get("X-Acs-Version"),
		at: ex.at, query: ex.URL.Query(), body: ex.body, request: a.requestID(),
	}
	rpc := ex.URL.Path == "/"
	if rpc {
		c.query = acParams(ex.Request, ex.body)
	}
	if rpc && c.action == "" {
		c.action = c.query.Get("Action")
	}
	if rpc && c.version == "" {
		c.version = c.query.Get("Version")
	}
	row, known := a.route(ex.Request, c)
	ex.note.Action, ex.note.RequestID = c.action, c.request
	if known && row.path != "" {
		// What happens is told by the path; the header only has to agree.
		ex.note.Action = row.action
	}
	c.target = target{cloud: Alibaba, action: ex.note.Action, clusters: a.named(c), change: row.change}
	// A call that isn't built here may well be one that changes things, so it
	// goes into the ledger too: a bot that tries DeleteCluster shows up.
	if row.change || !known && ex.Method != http.MethodGet && !(rpc && strings.HasPrefix(c.action, "Describe")) {
		c.entry = &Entry{
			Time: ex.at, Cloud: Alibaba, Action: ex.note.Action, Group: c.pool, Operation: c.task,
			Outcome: Rejected, RequestID: c.request, Body: acBody(ex),
		}
		for _, id := range c.target.clusters {
			c.entry.Cluster = id
			if cl := a.find(id); cl != nil {
				c.entry.Region = cl.Region
			}
		}
	}
	ran := false
	f, _ := a.sim.faults.take(c.target, Throttled, AuthFailed, LostBefore, LostAfter, Slow, Hang, ServerError, Garbage)
	ex.note.Fault = f.Kind
	rep := f.under(func() reply {
		ran = true
		out, err := a.call(ex, c, row, f)
		ex.note.Account = c.account
		return a.answer(ex.note, out, err)
	})
	if f.Kind == ServerError {
		// What this cloud's gateway says when nothing answers behind it.
		rep.status, rep.body = http.StatusBadGateway, []byte("<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<center><h1>502 Bad Gateway</h1></center>\n<hr/>Powered by Tengine\n</body>\n</html>\n")
	}
	if c.entry != nil {
		c.entry.Account, c.entry.Code = c.account, ex.note.Code
		if f.Kind != "" {
			c.entry.Fault = f.Kind
		}
		if !ran {
			c.entry.Outcome, c.entry.RequestID = Unheard, ""
		}
		a.sim.journal.enter(*c.entry)
	}
	if !ran {
		ex.note.RequestID = ""
	}
	return rep
}

func (a *alibaba) call(ex *exchange, c *acCall, row acRoute, f hit) (map[string]any, error) {
	if f.Kind == AuthFailed {
		code := f.Code
		if code == "" {
			code = acNoMatch
		}
		return nil, acGate(code, "Specified signature is not matched with our calculation.")
	}
	account, err := a.authenticate(ex.Request, ex.body)
	if err != nil {
		return nil, err
	}
	c.account = account.Name
	if err := a.wellFormed(ex.Request, c, row); err != nil {
		return nil, err
	}
	switch {
	case f.Kind == Throttled || !a.allow(c):
		code := acThrottled
		if f.Kind == Throttled && f.Code != "" {
			code = f.Code
		}
		return nil, acGate(code, "Request was denied due to user flow control.")
	case slices.Contains(account.Denied, c.action):
		return nil, acGate(acForbidden, "User not authorized to operate on the specified resource, or this API doesn't support RAM.")
	}
	a.settle(c.at)
	if !row.change {
		// Changes ask for this themselves, once they know that the order is sound.
		if err := a.refusedByFault(c); err != nil {
			return nil, err
		}
	}
	return row.run(c)
}

// wellFormed is what the gateway checks of any request, after its signature.
func (a *alibaba) wellFormed(r *http.Request, c *acCall, row acRoute) error {
	mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case c.version == "":
		return acGate(acMissing, "Version is mandatory for this action.")
	case !slices.Contains([]string{acVersion, ecsVersion, ensVersion}, c.version) || (r.URL.Path == "/") == (c.version == acVersion):
		return acGate(acBadVersion, "Specified parameter Version is not valid.")
	case c.action == "":
		return acGate(acMissing, "Action is mandatory for this action.")
	case row.run == nil || row.action != c.action:
		return acGate(acNoSuchAPI, "Specified api is not found, please check your url and method.")
	case row.path == "":
		return nil
	case r.Header.Get("Accept") != "application/json":
		// XML is the documented default; it isn't served here.
		return acGate(acBadFormat, "Specified parameter format is not valid.")
	case len(c.body) > 0 && (err != nil || mt != "application/json"):
		return acGate(acBadFormat, "A body must be application/json.")
	}
	return nil
}

// allow counts a call. Prices have a documented limit of 500 in 60 seconds; that
// of the other calls isn't known.
func (a *alibaba) allow(c *acCall) bool {
	key := Alibaba + "/" + c.account + "/" + c.version + "/" + c.action
	if c.action == "DescribePrice" {
		return a.sim.within(key, c.at, 500, time.Minute)
	}
	return a.sim.allow(key, c.at)
}

// refusedByFault lets Refused have its say. Changes call it right before they
// would act, so that a fault never hides a broken request. SoldOut is no refusal
// here: this cloud finds out only while it works (see launch).
func (a *alibaba) refusedByFault(c *acCall) error {
	f, ok := a.sim.faults.take(c.target, Refused)
	if !ok {
		return nil
	}
	if c.entry != nil {
		c.entry.Fault = f.Kind
	}
	reason := f.Reason
	if reason == "" {
		reason = "the operation is refused"
	}
	return acRefuse(f.Code, "%s", reason)
}

// answer puts a result or a refusal on the wire. A result of nil is an answer
// without a body, which is what some calls are documented to give.
func (a *alibaba) answer(note *Request, out map[string]any, err error) reply {
	rep := reply{
		status: http.StatusOK, kind: "application/json; charset=utf-8",
		header: http.Header{"X-Acs-Request-Id": {note.RequestID}},
	}
	if err != nil {
		var ae *acError
		if !errors.As(err, &ae) {
			ae = &acError{code: "InternalError", message: err.Error()}
		}
		note.Code, rep.status = ae.code, ae.status()
		out = map[string]any{"code": ae.code, "message": ae.message, "request_id": note.RequestID}
		if ae.gateway {
			out = map[string]any{"Code": ae.code, "Message": ae.message, "RequestId": note.RequestID, "HostId": note.Host}
		}
	}
	if out == nil {
		return rep
	}
	body, err := json.Marshal(out)
	if err != nil {
		return reply{status: http.StatusInternalServerError, kind: "text/plain", body: []byte(err.Error())}
	}
	rep.body = body
	return rep
}

func (a *alibaba) requestID() string {
	h := strings.ToUpper(a.sim.nextID("alibaba-request"))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// named are the clusters a request is about: faults must find their cluster
// even in a request that is refused later.
func (a *alibaba) named(c *acCall) []string {
	id := c.cluster
	if t := a.findTask(c.task); t != nil {
		id = t.cluster.ID
	}
	if id == "" {
		return nil
	}
	return []string{id}
}

// acBody is what a request asks for, for the ledger: its body, or, for a removal
// that has none, its query.
func acBody(ex *exchange) json.RawMessage {
	if len(ex.body) > 0 || len(ex.URL.Query()) == 0 {
		return rawJSON(ex.body)
	}
	flat := map[string]string{}
	for k, v := range ex.URL.Query() {
		flat[k] = strings.Join(v, ",")
	}
	out, err := json.Marshal(flat)
	if err != nil {
		return nil
	}
	return out
}
