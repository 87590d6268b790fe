package cloudsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Tencent names this cloud in faults, ledger and admin page.
const Tencent = "tencent-emr"

const tencentVersion = "2019-01-03"

// TencentWorld is the part of the world that belongs to Tencent Cloud EMR.
type TencentWorld struct {
	Accounts []TencentAccount
	Clusters []TencentCluster
	Machines []TencentMachine // every machine type on offer, in every zone

	// Quota is how many machines more each account may have by charge mode and
	// zone; 0 means 500.
	Quota int
	// FirstFlow is the id of the first operation; 0 means 19239, the document's.
	FirstFlow int64
}

// TencentAccount is one pair of keys. Several keys with the same Name belong to
// the same owner.
type TencentAccount struct {
	Name      string
	SecretID  string
	SecretKey string
	Token     string   // required with temporary keys; "" = a permanent key
	Denied    []string // actions that this key's CAM policy forbids
}

// TencentMachine is a machine type with its price per node in CNY. List is what
// the price list says, Pay what this customer pays.
type TencentMachine struct {
	Type                    string
	CPU                     int
	MemoryGB                int
	ListHourly, PayHourly   decimal.Decimal
	ListMonthly, PayMonthly decimal.Decimal
}

// TencentCluster is one EMR cluster as it stands when the Sim starts, running.
type TencentCluster struct {
	ID, Name  string
	Account   string // "" = the first account
	Region    string // e.g. ap-guangzhou
	Zone      string // e.g. ap-guangzhou-3
	ZoneID    int64  // the same zone as a number, which pricing wants
	ProjectID int64  // 0 = the default project
	Version   string // e.g. EMR-V3.6.0
	Prepaid   bool   // how the cluster itself is paid for
	Tags      map[string]string
	Groups    []TencentGroup

	// ClickHouse allows the ClickHouse fields of ScaleOutCluster.
	ClickHouse bool
	// ScaleMaster allows adding masters, which only special products do.
	ScaleMaster bool
	// Services and Processes are the ids that SoftDeployInfo and ServiceNodeInfo
	// may name. Left nil, any positive id passes: the vendor's mapping tables
	// differ by product and are not part of this world.
	Services, Processes map[int64]string
}

// TencentGroup is a node group. Flag is one of MASTER, CORE, TASK, COMMON,
// ROUTER, each at most once in a cluster.
type TencentGroup struct {
	Flag  string
	Count int
	// Spec is the default machine type. "" = none: scale-outs must then name one.
	Spec string
}

// Error codes of the API; the source is the error table of ScaleOutCluster and
// Tencent's list of common codes. Where neither covers a case the general code
// is used.
const (
	codeMissing      = "MissingParameter"
	codeUnknown      = "UnknownParameter"
	codeInvalid      = "InvalidParameter"
	codeNoCluster    = "ResourceNotFound.InstanceNotFound"
	codeInProcess    = "ResourceInUse.InstanceInProcess"
	codeSoldOut      = "ResourceInsufficient.InstanceInsufficient"
	codeThrottled    = "RequestLimitExceeded"
	codeNodeFlag     = "InvalidParameter.InvalidNodeFlag"
	codeNoSpec       = "ResourceUnavailable.ResourceSpecNotDefaultSpec"
	codeSignature    = "AuthFailure.SignatureFailure"
	codeResourceIDs  = "InvalidParameter.InvalidResourceIds"
	codeFailed       = "FailedOperation"
	codeUnauthorized = "UnauthorizedOperation"
)

// tencentError is a business error: HTTP 200 with Response.Error.
type tencentError struct{ code, message string }

func (e *tencentError) Error() string { return e.code + ": " + e.message }

func refuse(code, format string, args ...any) *tencentError {
	return &tencentError{code, fmt.Sprintf(format, args...)}
}

// tencent is the control plane.
type tencent struct {
	sim      *Sim
	accounts []TencentAccount
	machines map[string]TencentMachine
	quota    int
	clusters []*tcCluster
	actions  map[string]tencentAction
	stages   map[string]time.Duration
	tokens   map[string]tcToken
	flows    map[int64]*tcFlow
	nextFlow int64
	nextHost int
}

var _ cloud = (*tencent)(nil)

// tencentAction is one row of the API. run decodes the body strictly into the
// action's own parameters, checks them and does it.
type tencentAction struct {
	change bool
	orders bool
	run    func(*tencentCall) (map[string]any, error)
}

// tencentCall is one authenticated request on its way through an action. entry
// is its line of the ledger, used for changes only.
type tencentCall struct {
	action  string
	account string
	region  string
	at      time.Time
	body    []byte
	target  target
	entry   *Entry
}

func newTencent(s *Sim, w TencentWorld, stages map[string]time.Duration) (*tencent, error) {
	t := &tencent{
		sim: s, accounts: w.Accounts, quota: w.Quota, nextFlow: w.FirstFlow,
		machines: map[string]TencentMachine{}, stages: stages,
		tokens: map[string]tcToken{}, flows: map[int64]*tcFlow{},
	}
	if t.quota == 0 {
		t.quota = 500
	}
	if t.nextFlow == 0 {
		t.nextFlow = 19239
	}
	for _, a := range w.Accounts {
		if a.Name == "" || a.SecretID == "" || a.SecretKey == "" {
			return nil, errors.New("an account needs Name, SecretID and SecretKey")
		}
	}
	for _, m := range w.Machines {
		t.machines[m.Type] = m
	}
	for key, d := range stages {
		if d < 0 {
			return nil, fmt.Errorf("stage %s takes %v", key, d)
		}
	}
	for _, c := range w.Clusters {
		if err := t.addCluster(c); err != nil {
			return nil, fmt.Errorf("cluster %q: %w", c.ID, err)
		}
	}
	t.actions = map[string]tencentAction{
		"DescribeInstances":               {run: t.describeInstances},
		"DescribeInstancesList":           {run: t.describeInstancesList},
		"DescribeClusterNodes":            {run: t.describeClusterNodes},
		"DescribeClusterFlowStatusDetail": {run: t.describeFlow},
		"DescribeCvmQuota":                {run: t.describeQuota},
		"DescribeNodeResourceConfigFast":  {run: t.describeSpecs},
		"InquiryPriceScaleOutInstance":    {run: t.inquirePrice},
		"ScaleOutCluster":                 {run: t.scaleOut, change: true, orders: true},
		"TerminateClusterNodes":           {run: t.terminateNodes, change: true},
		"TerminateTasks":                  {run: t.terminateTasks, change: true},
	}
	return t, nil
}

func (t *tencent) name() string { return Tencent }

func (t *tencent) owns(r *http.Request) bool {
	return r.Header.Get("X-TC-Action") != "" || r.Header.Get("X-TC-Version") != "" ||
		strings.HasPrefix(r.Header.Get("Authorization"), "TC3-HMAC-SHA256")
}

// serve is the front of the API: who, what, where, how often; then the action.
func (t *tencent) serve(ex *exchange) reply {
	c := &tencentCall{
		action: ex.Header.Get("X-TC-Action"), region: ex.Header.Get("X-TC-Region"),
		at: ex.at, body: ex.body,
	}
	ex.note.Action, ex.note.Region, ex.note.RequestID = c.action, c.region, t.requestID()
	act, known := t.actions[c.action]
	c.target = target{
		cloud: Tencent, action: c.action, clusters: clustersNamed(ex.body),
		change: act.change, orders: act.orders,
	}
	// An action that isn't built here may well be one that changes things, so it
	// goes into the ledger too: a bot that tries TerminateInstance shows up.
	if !known && !strings.HasPrefix(c.action, "Describe") && !strings.HasPrefix(c.action, "Inquiry") || act.change {
		c.entry = &Entry{
			Time: ex.at, Cloud: Tencent, Region: c.region, Action: c.action, Outcome: Rejected,
			RequestID: ex.note.RequestID, Body: rawJSON(ex.body),
		}
		if len(c.target.clusters) > 0 {
			c.entry.Cluster = c.target.clusters[0]
		}
	}
	ran := false
	f, _ := t.sim.faults.take(c.target, Throttled, AuthFailed, LostBefore, LostAfter, Slow, Hang, ServerError, Garbage)
	ex.note.Fault = f.Kind
	rep := f.under(func() reply {
		ran = true
		out, err := t.call(ex, c, act, f)
		ex.note.Account = c.account
		return t.answer(ex.note, out, err)
	})
	if c.entry != nil {
		c.entry.Account, c.entry.Code = c.account, ex.note.Code
		if f.Kind != "" {
			c.entry.Fault = f.Kind
		}
		if !ran {
			c.entry.Outcome, c.entry.RequestID = Unheard, ""
		}
		t.sim.journal.enter(*c.entry)
	}
	if !ran {
		ex.note.RequestID = ""
	}
	return rep
}

func (t *tencent) call(ex *exchange, c *tencentCall, act tencentAction, f hit) (map[string]any, error) {
	if ex.Method != http.MethodPost {
		// The real API takes GET as well; nothing in this project sends it.
		return nil, refuse("UnsupportedProtocol", "only POST is served here, got %s", ex.Method)
	}
	if mt, _, err := mime.ParseMediaType(ex.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return nil, refuse("InvalidRequest", "Content-Type must be application/json, got %q", ex.Header.Get("Content-Type"))
	}
	if f.Kind == AuthFailed {
		code := f.Code
		if code == "" {
			code = codeSignature
		}
		return nil, refuse(code, "The provided credentials could not be validated.")
	}
	account, err := t.authenticate(ex.Request, ex.body)
	if err != nil {
		return nil, err
	}
	c.account = account.Name
	switch {
	case c.action == "":
		return nil, refuse(codeMissing, "The request is missing a required parameter `Action`.")
	case ex.Header.Get("X-TC-Version") == "":
		return nil, refuse(codeMissing, "The request is missing a required parameter `Version`.")
	case ex.Header.Get("X-TC-Version") != tencentVersion:
		return nil, refuse("NoSuchVersion", "The API version `%s` does not exist.", ex.Header.Get("X-TC-Version"))
	case act.run == nil:
		return nil, refuse("InvalidAction", "The request action=`%s` is invalid or doesn't match the specified product.", c.action)
	case c.region == "":
		return nil, refuse(codeMissing, "The request is missing a required parameter `Region`.")
	case tencentRegions[c.region] == 0:
		return nil, refuse("UnsupportedRegion", "The region `%s` is not supported.", c.region)
	case f.Kind == Throttled || !t.sim.allow(account.Name+"/"+c.action, c.at):
		code := codeThrottled
		if f.Kind == Throttled && f.Code != "" {
			code = f.Code
		}
		return nil, refuse(code, "Your current request times equals to `21` in a second, which exceeds the frequency limit `20` for a second. Please reduce the frequency of calls.")
	case slices.Contains(account.Denied, c.action):
		return nil, refuse(codeUnauthorized, "you are not authorized to perform operation (emr:%s)", c.action)
	}
	t.settle(c.at)
	if !act.change {
		// Changes ask for this themselves, once they know that the order is sound.
		if err := t.refusedByFault(c); err != nil {
			return nil, err
		}
	}
	return act.run(c)
}

// refusedByFault lets SoldOut and Refused have their say. Changes call it right
// before they would order, so that a fault never hides a broken request.
func (t *tencent) refusedByFault(c *tencentCall) error {
	f, ok := t.sim.faults.take(c.target, SoldOut, Refused)
	if !ok {
		return nil
	}
	if c.entry != nil {
		c.entry.Fault = f.Kind
	}
	if f.Kind == SoldOut {
		return refuse(codeSoldOut, "所选机型已售罄 (the node specification is unsupported or has been sold out)")
	}
	reason := f.Reason
	if reason == "" {
		reason = "操作失败"
	}
	return refuse(f.Code, "%s", reason)
}

// answer puts a result or a business error on the wire: both with HTTP 200.
func (t *tencent) answer(note *Request, out map[string]any, err error) reply {
	if err != nil {
		var te *tencentError
		if !errors.As(err, &te) {
			te = refuse("InternalError", "%v", err)
		}
		note.Code = te.code
		out = map[string]any{"Error": map[string]any{"Code": te.code, "Message": te.message}}
	}
	out["RequestId"] = note.RequestID
	body, err := json.Marshal(map[string]any{"Response": out})
	if err != nil {
		return reply{status: http.StatusInternalServerError, kind: "text/plain", body: []byte(err.Error())}
	}
	return reply{status: http.StatusOK, kind: "application/json", body: body}
}

func (t *tencent) requestID() string {
	h := t.sim.nextID("tencent-request")
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// clustersNamed reads which clusters a body talks about, leniently: faults must
// find their cluster even in a request that is refused later.
func clustersNamed(body []byte) []string {
	var p struct {
		InstanceId, ClusterId any
		InstanceIds           []any
	}
	_ = json.Unmarshal(body, &p) // what can't be read names no cluster
	var out []string
	for _, v := range append([]any{p.InstanceId, p.ClusterId}, p.InstanceIds...) {
		if s, ok := v.(string); ok && s != "" {
			out = append(out, s)
		}
	}
	return out
}

func rawJSON(body []byte) json.RawMessage {
	if !json.Valid(body) {
		return nil
	}
	return slices.Clone(body)
}

// tencentRegions are the regions this cloud knows, with the number that stands
// for each in answers (RegionId).
var tencentRegions = map[string]int64{
	"ap-guangzhou": 1, "ap-shanghai": 4, "ap-hongkong": 5, "ap-beijing": 8, "ap-singapore": 9,
	"na-siliconvalley": 15, "ap-chengdu": 16, "eu-frankfurt": 17, "ap-seoul": 18, "ap-chongqing": 19,
	"ap-mumbai": 21, "na-ashburn": 22, "ap-bangkok": 23, "ap-tokyo": 25, "ap-nanjing": 33,
	"ap-jakarta": 72, "sa-saopaulo": 74,
}
