// Package providers owns the port between scalebot and the clouds: the nouns
// that travel through it (Change, Snapshot, Quote, Operation, Progress), the
// closed set of error kinds, and the table of provider kinds.
//
// It refuses to import an SDK, to register anything from init, and to carry a
// method that only one cloud has. An adapter lives in a package of its own
// below this one and is the only place that sees its SDK. Adapters never loop,
// never sleep and never repeat a change by themselves: they classify what the
// cloud said (see Kind in errors.go) and the engine in bot/flow decides.
package providers

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// Provider is one account of one cloud, with the groups that config names in
// it. It is built by a Kind's Open and is safe for concurrent use.
//
// Every method that takes a context honours its deadline and its cancellation.
// Every error it returns is, or wraps, an *Error; KindOf reads its kind.
type Provider interface {
	// Check says whether the cloud could take this change at all, from the
	// change and the config alone: no I/O, no clock. It runs before a request is
	// recorded, so the sentence of its error is what the person reads. Errors
	// are of kind Refused.
	Check(Change) error

	// Observe reads the cluster as it is now: state, groups with counts, nodes.
	// Kinds: NotFound (no such cluster), Auth (wrong credentials or no right to
	// read), Retry (slow, throttled, broken answer). Never Unknown: a read that
	// failed had no effect.
	Observe(ctx context.Context, ref ClusterRef) (Snapshot, error)

	// Resolve completes a change against a snapshot: it chooses the nodes to
	// remove when none are named, fills in Profile, and refuses what this
	// cluster can't do now or ever (no such group, more nodes than there are, a
	// floor of the service). Pure. Kinds: Refused, NotFound (no such group or
	// node). A cluster that is merely busy is not an error here; Snapshot.Phase
	// says so.
	Resolve(Change, Snapshot) (Change, error)

	// Quote prices exactly what Submit would buy. What can't be priced exactly
	// is a Quote with Known false and a reason, never an error and never zero;
	// errors are of kind Retry or Auth, for a price service that can't be
	// reached now. Removing nodes buys nothing: known, all zero.
	Quote(ctx context.Context, c Change, s Snapshot) (Quote, error)

	// Submit sends the change once. The caller has saved sub before the call
	// and saves the answer after it.
	//
	// A nil error means the cloud accepted. Kinds Retry, Busy, Refused,
	// NotFound and Auth mean it certainly did not, so the same change may be
	// sent again later as a new attempt. Kind Unknown means it can't be told:
	// the caller must not send again and calls Reconcile.
	Submit(ctx context.Context, sub Submission) (Operation, error)

	// Reconcile finds out what became of a submission whose answer is lost,
	// from what the cloud shows now against sub.Baseline. It may repeat the
	// very same request only where the cloud itself promises that a repeat with
	// the same token can't act twice, and only within the time of that promise.
	// The adapter's package comment says when it can prove either way. Errors
	// are those of Observe and say nothing about the submission.
	Reconcile(ctx context.Context, sub Submission) (Finding, error)

	// Follow reads how far an accepted submission has come. Errors: Retry and
	// Auth mean look again later; NotFound means the cloud no longer knows the
	// operation, which the engine hands to a person.
	Follow(ctx context.Context, sub Submission, op Operation) (Progress, error)

	// Control steers a running operation, where the cloud lets people do that:
	// Progress.Controls says which ways it takes now, and the caller asks for no
	// other. "Already so" is success, so a call whose answer was lost may be made
	// again. Kinds: Refused (this cloud or this operation can't be steered so),
	// Retry, NotFound, Auth. Never Unknown: what became of it shows in Follow.
	Control(ctx context.Context, sub Submission, op Operation, c Control) error

	// Clusters lists what the credentials can see, for the doctor. Kinds as
	// Observe.
	Clusters(ctx context.Context) ([]ClusterInfo, error)
}

// ClusterRef names a cluster to a provider.
type ClusterRef struct {
	Name string // as config names it
	ID   string // as the cloud names it
}

// Charge is how new nodes are paid for.
type Charge string

// The charge modes, spelt as in the config file and in chat.
const (
	Postpaid Charge = "postpaid" // by the hour
	Prepaid  Charge = "prepaid"  // a term in months, committed up front
	Spot     Charge = "spot"     // by the hour, may be taken back by the cloud
)

// Disk is one kind of data disk to mount on each new node.
type Disk struct {
	Type  string `json:"type"`     // the cloud's own name, e.g. CLOUD_SSD
	SizeG int    `json:"size_gib"` // each
	Count int    `json:"count"`
}

// Change is the resolved wish: what to do, to which group of which cluster. It
// is stored with the flow and hashed into the plan, so it holds no secret;
// secrets in a group's params stay in the adapter and only their digest
// travels, as Profile.
type Change struct {
	Kind      string `json:"kind"`       // provider kind, e.g. tencent-emr
	Account   string `json:"account"`    // as config names it
	Cluster   string `json:"cluster"`    // as config names it
	ClusterID string `json:"cluster_id"` // as the cloud names it
	Group     string `json:"group"`      // as config names it
	GroupID   string `json:"group_id"`   // as the cloud names it

	Delta  int      `json:"delta"`            // nodes to add (> 0) or remove (< 0)
	Charge Charge   `json:"charge,omitempty"` // of nodes to add; empty when removing
	Months int      `json:"months,omitempty"` // term; only prepaid
	Renew  bool     `json:"renew,omitempty"`  // renew by itself at the end of the term; only prepaid
	Nodes  []string `json:"nodes,omitempty"`  // to remove, by Node.ID; set by Resolve when left empty

	Drain        time.Duration     `json:"drain,omitempty"` // let work finish before removal; 0 = the group's configured way
	InstanceType string            `json:"instance_type,omitempty"`
	Disks        []Disk            `json:"disks,omitempty"`
	Zone         string            `json:"zone,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`      // on the new nodes
	Start        *bool             `json:"start,omitempty"`     // start services on new nodes; nil = as configured
	Bootstrap    *bool             `json:"bootstrap,omitempty"` // run bootstrap scripts; nil = as configured

	// Profile is a digest of the group's configured params, so that a config
	// changed between vote and execution makes another plan. Set by Resolve.
	Profile string `json:"profile,omitempty"`
}

// Adds reports whether the change buys nodes.
func (c Change) Adds() bool { return c.Delta > 0 }

// Phase is what the cluster's state means for a change.
type Phase string

// The phases.
const (
	Ready   Phase = "ready"   // takes a change now
	Busy    Phase = "busy"    // another operation runs; wait
	Blocked Phase = "blocked" // a person must look first: failed, frozen, isolated
	Gone    Phase = "gone"    // destroyed or being destroyed
)

// Snapshot is what the cloud said about a cluster at one moment.
type Snapshot struct {
	At     time.Time `json:"at"`
	ID     string    `json:"id"`
	Name   string    `json:"name,omitempty"`
	Phase  Phase     `json:"phase"`
	Status string    `json:"status"`           // the cloud's own word or number for it, for people
	Charge Charge    `json:"charge,omitempty"` // how the cluster itself is paid for
	Groups []Group   `json:"groups"`

	// Facts are the adapter's own notes from this observation that Quote or
	// Reconcile need (a zone number, the newest task id). Nobody else reads them.
	Facts map[string]string `json:"facts,omitempty"`
}

// Group finds a group by the cloud's name for it.
func (s Snapshot) Group(id string) (Group, bool) {
	for _, g := range s.Groups {
		if g.ID == id {
			return g, true
		}
	}
	return Group{}, false
}

// Group is one node group of a snapshot.
type Group struct {
	ID           string `json:"id"`
	Name         string `json:"name,omitempty"` // the cloud's display name, where people know the group by another than the id
	Count        int    `json:"count"`
	InstanceType string `json:"instance_type,omitempty"`
	Nodes        []Node `json:"nodes,omitempty"`
	// Warnings are what people must know before they change this group: the cloud
	// phases the call out, its own autoscaler will undo the change. They stand on
	// the card.
	Warnings []Text `json:"warnings,omitempty"`
}

// Node is one machine of a group. ID is what people name in nodes=… and what
// the adapter removes by.
type Node struct {
	ID           string    `json:"id"`
	Name         string    `json:"name,omitempty"`
	IP           string    `json:"ip,omitempty"`
	InstanceType string    `json:"type,omitempty"`
	Charge       Charge    `json:"charge,omitempty"`
	Created      time.Time `json:"created,omitzero"`
	Expires      time.Time `json:"expires,omitzero"` // end of the prepaid term
	Keep         string    `json:"keep,omitempty"`   // why it must not be removed; "" = may be
}

// Quote is what a change costs. All amounts are for the whole change, not per
// node, and zero or more. Known is true only when they price exactly what will
// be bought (design.md section 6).
type Quote struct {
	Known     bool            `json:"known"`
	Reason    Text            `json:"reason,omitzero"` // why it isn't known, or what the amounts leave out
	Currency  string          `json:"currency,omitempty"`
	Hourly    decimal.Decimal `json:"hourly"`
	Monthly   decimal.Decimal `json:"monthly"`   // hourly × HoursPerMonth, or the term divided by its months
	Committed decimal.Decimal `json:"committed"` // owed whatever happens: the whole prepaid term; 0 otherwise
	At        time.Time       `json:"at"`
}

// HoursPerMonth turns an hourly price into a monthly one: 365 × 24 / 12.
const HoursPerMonth = 730

// Submission is one attempt to carry out a change, saved before it is sent.
type Submission struct {
	Change   Change    `json:"change"`
	Baseline Snapshot  `json:"baseline"` // taken right before; only the change's group keeps its nodes
	Attempt  int       `json:"attempt"`  // 1, 2, …; a further attempt needs proof that the last was not accepted
	Token    string    `json:"token"`    // see Token
	SentAt   time.Time `json:"sent_at"`  // when the intent was saved: the call began at or after this time

	// Look tells Reconcile to repeat nothing, whatever the cloud promises: a person
	// was asked and may be looking at the console, or enough was repeated.
	Look bool `json:"-"`
}

// Operation is the cloud's own asynchronous job.
type Operation struct {
	ID         string    `json:"id,omitempty"`    // Tencent FlowId, ACK task_id; empty where the cloud has none
	Trace      string    `json:"trace,omitempty"` // a second key to the same job
	Orders     []string  `json:"orders,omitempty"`
	RequestID  string    `json:"request_id,omitempty"`
	AcceptedAt time.Time `json:"accepted_at"`
}

// FindingState is what Reconcile could prove.
type FindingState string

// The findings.
const (
	Accepted    FindingState = "accepted"     // proved; Operation says how to follow it
	NotAccepted FindingState = "not_accepted" // proved; a new attempt may be made
	Unsure      FindingState = "unsure"       // neither; look again, in the end a person decides
)

// Finding is the outcome of a Reconcile. Evidence is a sentence for the card:
// what was seen.
type Finding struct {
	State     FindingState `json:"state"`
	Operation Operation    `json:"operation"`
	Evidence  Text         `json:"evidence"`
	// AtWork says of an Unsure finding that an operation runs which may be this change
	// or another one: its end will tell, so a person need not be asked yet.
	AtWork bool `json:"at_work,omitempty"`
	// Cause is set when State is NotAccepted by a definite refusal, so that the
	// engine can tell a busy cluster from a wrong parameter.
	Cause error `json:"-"`
}

// NotTold is an Unsure finding: what the cluster shows proves neither.
func NotTold(en, zh string) Finding {
	return Finding{State: Unsure, Evidence: Text{EN: en, ZH: zh}}
}

// AtWork is NotTold while an operation runs whose end will tell.
func AtWork(en, zh string) Finding {
	f := NotTold(en, zh)
	f.AtWork = true
	return f
}

// ProgressState is how far an operation has come.
type ProgressState string

// The progress states. Every other word of a cloud is Running: unknown words
// are shown, never taken for an end.
const (
	Running   ProgressState = "running"
	Succeeded ProgressState = "succeeded"
	Partial   ProgressState = "partial" // ended with fewer nodes than asked for, or with skipped steps
	Failed    ProgressState = "failed"
)

// Progress is what the cloud says of a running operation.
type Progress struct {
	State     ProgressState `json:"state"`
	Percent   int           `json:"percent"` // 0..100
	Stages    []Stage       `json:"stages,omitempty"`
	Attention Text          `json:"attention,omitzero"` // running, but a person should look: blocked
	Message   string        `json:"message,omitempty"`  // the cloud's own words on how it ended
	Count     int           `json:"count"`              // nodes in the group now
	Changed   []Node        `json:"changed,omitempty"`  // nodes that joined, or that left
	Failed    []Node        `json:"failed,omitempty"`   // nodes that the operation made and that are no use: a person may remove them
	Controls  []Control     `json:"controls,omitempty"` // ways in which a person may steer it now
}

// Control is a way to steer a running operation.
type Control string

// The controls.
const (
	Pause  Control = "pause"  // stop where it is, to go on later
	Resume Control = "resume" // go on
	Cancel Control = "cancel" // end it; what it has done so far stays
)

// StageState is how far one stage of an operation is.
type StageState string

// The stage states.
const (
	StagePending StageState = "pending"
	StageRunning StageState = "running"
	StageDone    StageState = "done"
	StagePartial StageState = "partial"
	StageFailed  StageState = "failed"
)

// Stage is one step of the cloud's operation, in the cloud's order.
type Stage struct {
	Name    string     `json:"name"` // the cloud's own text, often Chinese
	State   StageState `json:"state"`
	Percent int        `json:"percent,omitempty"` // 0..100
	Detail  string     `json:"detail,omitempty"`  // its reason when it failed
}

// ClusterInfo is one line of a listing.
type ClusterInfo struct {
	ID     string
	Name   string
	Status string
	Groups []Group // counts without nodes
}

// Text is a sentence in the two languages of the product.
type Text struct {
	EN string `json:"en,omitempty"`
	ZH string `json:"zh,omitempty"`
}

// In returns the sentence in a language ("en" or "zh"), or the English one
// where it has no other.
func (t Text) In(lang string) string {
	if lang == "zh" && t.ZH != "" {
		return t.ZH
	}
	return t.EN
}

// IsZero reports whether there is no sentence at all.
func (t Text) IsZero() bool { return t.EN == "" && t.ZH == "" }

// Limiter makes callers keep to a rate that all replicas share. Wait returns
// when one call of that name may go, or with an error that wraps ErrPaced when that
// would take long, the context ends, or the shared count can't be read; adapters
// then answer Retry for reads and for changes alike, since nothing was sent.
type Limiter interface {
	Wait(ctx context.Context, name string, perSecond int) error
}

// Env is what a Kind's Open needs besides the account: everything that a test
// wants to own.
type Env struct {
	Now     func() time.Time
	Limiter Limiter
	Prices  PriceTable
}

// PriceTable is the config's prices by instance type, per node; used where the
// cloud can't quote.
type PriceTable map[string]Price

// Price is one row of a PriceTable. A zero Hourly or Monthly means not given.
type Price struct {
	Currency string
	Hourly   decimal.Decimal
	Monthly  decimal.Decimal
}
