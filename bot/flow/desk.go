package flow

import (
	"context"
	"time"

	"scalebot/approvals"
	"scalebot/providers"
)

// Caller is who speaks, where, as Slack delivered it.
type Caller struct {
	User      string // Slack user id
	Workspace string // Slack team id the event is for
	Channel   string
	Thread    string // ts; only mentions have one
	Language  string // en or zh: the person's own
	Dedupe    string // names the delivery: trigger_id of a command, event_id of a mention
	Raw       string // what was typed
	Saw       string // of a vote: how the hash of the plan begins that the card showed; of a decision about an unknown flow: its Episode; "" = it does not say
}

// Ask is a parsed scale command, still in the person's own words.
type Ask struct {
	Cluster, Group string
	Op             AmountOp
	N              int
	Charge         providers.Charge // "" = the group's
	Months         int              // 0 = the group's default term
	Renew          *bool
	InstanceType   string
	Disks          []providers.Disk
	Zone           string
	Nodes          []string
	Drain          time.Duration
	Start          *bool
	Bootstrap      *bool
	Tags           map[string]string
	Reason         string
	StartAt        time.Time     // zero = now
	For            time.Duration // how long it is needed: a temporary change, or with a prepaid term the need to compare it with; 0 = for good
	BreakGlass     bool          // to run at once without the ballot
}

// RejectCode names why the Desk does not take something; the words are in
// bot/card's catalogue.
type RejectCode string

// The rejections, with their Args.
const (
	RejectGuest        RejectCode = "guest"         // guests, bots, strangers and deactivated people may not ask
	RejectPerson       RejectCode = "person"        // who asks could not be looked up: try again
	RejectRequester    RejectCode = "requester"     // cluster: not among its requesters
	RejectCluster      RejectCode = "cluster"       // word, meant: unknown cluster
	RejectGroup        RejectCode = "group"         // word, meant, cluster: unknown group
	RejectZero         RejectCode = "zero"          // amount 0
	RejectStep         RejectCode = "step"          // n, max_step
	RejectMin          RejectCode = "min"           // n, min
	RejectMax          RejectCode = "max"           // n, max
	RejectTerm         RejectCode = "term"          // prepaid without months and the group has no default
	RejectTermUnused   RejectCode = "term_unused"   // months or renew without prepaid
	RejectNodes        RejectCode = "nodes"         // nodes= with + or =, or not as many as the amount
	RejectBuyOption    RejectCode = "buy_option"    // option: makes sense only when adding
	RejectDropOption   RejectCode = "drop_option"   // option: makes sense only when removing
	RejectTemporary    RejectCode = "temporary"     // for …: not available yet
	RejectPast         RejectCode = "past"          // at: the time has passed
	RejectProvider     RejectCode = "provider"      // Text: the provider's Check said no
	RejectFlow         RejectCode = "flow"          // word: no such flow
	RejectNotYours     RejectCode = "not_yours"     // only the requester may do this
	RejectEnded        RejectCode = "ended"         // id, state: nothing left to do
	RejectTooLate      RejectCode = "too_late"      // id, state: already sent to the cloud
	RejectNotUnknown   RejectCode = "not_unknown"   // id, state: only an unknown flow can be settled
	RejectEpisode      RejectCode = "episode"       // id, state: it is unknown anew, and the person saw what was unknown before
	RejectSettler      RejectCode = "settler"       // id, state: not among those who may settle; groups: who may
	RejectOperation    RejectCode = "operation"     // id: that it happened takes the operation's id, as the console shows it
	RejectOthers       RejectCode = "others"        // id; operation; other: the flow whose operation that is
	RejectTaken        RejectCode = "taken"         // id, state: the cloud accepted it, so it can't be sent again
	RejectSteer        RejectCode = "steer"         // id, state: the operation can't be steered so now
	RejectNothing      RejectCode = "nothing"       // id, state: nothing is missing, or nothing failed
	RejectVote         RejectCode = "vote"          // id; vote: the approvals.Reason why it would not count
	RejectOldPlan      RejectCode = "old_plan"      // id: the plan that was voted on was replaced
	RejectBallot       RejectCode = "ballot"        // id, state: nothing to vote on
	RejectStop         RejectCode = "stop"          // id, state: no grace time runs
	RejectNoStop       RejectCode = "no_stop"       // id: not among those who may stop it
	RejectReason       RejectCode = "reason"        // break-glass without a reason
	RejectGlass        RejectCode = "glass"         // groups: not among those who may break the glass
	RejectGlassOff     RejectCode = "glass_off"     // nobody may break the glass
	RejectFreezer      RejectCode = "freezer"       // groups: not among those who may freeze
	RejectNotFrozen    RejectCode = "not_frozen"    // cluster: nobody froze it
	RejectNoBudgets    RejectCode = "no_budgets"    // config has no budgets
	RejectCentre       RejectCode = "centre"        // word, meant: unknown cost centre
	RejectLimited      RejectCode = "limited"       // too many commands this minute
	RejectCommitment   RejectCode = "commitment"    // word: no such commitment on record
	RejectTermOver     RejectCode = "term_over"     // id, at: the term has ended
	RejectDecided      RejectCode = "decided"       // id; by decided otherwise meanwhile: choice
	RejectRenewer      RejectCode = "renewer"       // not by, who asked for it, nor in one of groups
	RejectStore        RejectCode = "store"         // could not be recorded: nothing was done
	RejectNoApprover   RejectCode = "no_approver"   // groups: only their members can sign a mandate
	RejectMandateLong  RejectCode = "mandate_long"  // until: the longest that a mandate can last
	RejectMandate      RejectCode = "mandate"       // word: no such mandate
	RejectMandateEnded RejectCode = "mandate_ended" // id: it covers nothing any more
	RejectNotSigner    RejectCode = "not_signer"    // id: only by, who signed it, and members of groups may revoke it
)

// Rejection is a no with the corrected line, ready to copy. Nothing was
// recorded. It is the only error type of the Desk that people see.
type Rejection struct {
	Code RejectCode
	Args map[string]string
	Text providers.Text
	// Better is the corrected request, where there is one; the Slack edge spells it
	// as a command into Fixed.
	Better *Ask
	Fixed  string // the corrected command without the slash word; "" = no guess
	Err    error  // the cause, for logs
}

// Error is for logs.
func (r *Rejection) Error() string {
	s := "rejected: " + string(r.Code)
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (r *Rejection) Unwrap() error { return r.Err }

// Receipt is the answer to a request that was taken.
type Receipt struct {
	Flow  Flow
	Fresh bool // false: this delivery was taken before
	// Delivery is the name that it was recorded under, if it is not the caller's own.
	Delivery string
}

// Preview is the answer to a dry run.
type Preview struct {
	Request   Request
	Plan      approvals.Plan
	Judgement approvals.Judgement
	Hourly    *providers.Quote  // the same nodes by the hour, of a prepaid plan; nil = not asked
	At        time.Time         // when it was planned
	Refused   *Note             // why there is no plan; Plan and Judgement are empty then, unless the policy refused
	Budget    *approvals.Budget // of the cluster's cost centre; nil = it has none
	// Foreseen is the verdict before anybody votes, by broken glass or by mandates; nil
	// = neither has a part in it.
	Foreseen *approvals.Verdict
	// Explained are the grounds of the judgement; nil where it was not reached.
	Explained *approvals.Explanation
}

// FrontDesk is what the Slack edge calls; *Desk is the real one. Every error
// that is meant for the person is a *Rejection. After any other error of a
// method that records something, it may be on record; of a request, Outcome tells.
type FrontDesk interface {
	// Request records a scale request: ack path, at most a cached look-up and one
	// store script.
	Request(ctx context.Context, c Caller, a Ask) (Receipt, error)
	// Outcome finds the flow that a delivery made, for a request that ended in
	// doubt. ErrNotFound; a request that is still under way may come after that.
	Outcome(ctx context.Context, c Caller) (Flow, error)
	// DryRun plans without a flow. It calls the cloud, so after the ack only. What
	// the cloud or the policy refuses comes back as Preview.Refused.
	DryRun(ctx context.Context, c Caller, a Ask) (Preview, error)
	// Cancel asks to end a flow that was not sent yet; only its requester may.
	Cancel(ctx context.Context, c Caller, id string) (Flow, error)
	// Steer pauses, resumes or stops the cloud's running operation, where the cloud
	// offers it; its requester and those who may settle may.
	Steer(ctx context.Context, c Caller, id string, k SignalKind) (Flow, error)
	// Again asks for what is missing of a flow that ended without reaching its
	// target, as a new request of the caller. Asked twice it is taken once.
	Again(ctx context.Context, c Caller, id string) (Receipt, error)
	// CleanUp asks to remove the nodes that a flow left unusable, as a new request.
	CleanUp(ctx context.Context, c Caller, id string) (Receipt, error)
	// Keep says that a flow that came short is to be left as it is.
	Keep(ctx context.Context, c Caller, id string) (Flow, error)
	// MaySettle says as a *Rejection why this person could not settle the flow so. A
	// Caller who Saw another episode than the current one could not.
	MaySettle(ctx context.Context, c Caller, id string, k SignalKind) (Flow, error)
	// Settle decides an unknown flow; only people whom config names may. With
	// SignalHappened it takes the operation's id, unless the flow has one already or
	// its cloud gives none.
	Settle(ctx context.Context, c Caller, id string, k SignalKind, operation string) (Flow, error)
	// Vote records a vote by button or command on plan number n, the one that the
	// person saw; 0 = the current one, by command. Approving twice by button takes the
	// approval back, as TakenBack does; by command it says that the vote stands.
	Vote(ctx context.Context, c Caller, id string, n int, choice approvals.Choice, reason string) (Voted, error)
	// MayVote says as a *Rejection why this person's vote would not count, if so.
	MayVote(ctx context.Context, c Caller, id string, n int) error
	// Halt stops an approved flow in its grace time: its requester, whoever was
	// asked to approve and those who may settle may.
	Halt(ctx context.Context, c Caller, id string) (Flow, error)
	// Freeze refuses changes of a cluster for a time, or until it is ended where last
	// is 0; it takes the place of an earlier one. Only people whom config names may.
	Freeze(ctx context.Context, c Caller, cluster string, last time.Duration, reason string) (approvals.Order, error)
	// Unfreeze ends the freeze that somebody ordered, and gives it back.
	Unfreeze(ctx context.Context, c Caller, cluster string) (approvals.Order, error)
	// Frozen reads what is frozen now.
	Frozen(ctx context.Context) (Frozen, error)
	// Commitments lists the prepaid terms that run, by their end; of one cluster, or of
	// all for "".
	Commitments(ctx context.Context, cluster string) ([]Commitment, error)
	// Renewal records what a person decides about the renewal of a commitment: who
	// asked for it and members of approver groups may. seen is how many decisions the
	// person saw (Commitment.Decided). The bot renews nothing.
	Renewal(ctx context.Context, c Caller, id string, seen int, choice RenewalChoice) (Commitment, error)
	// History lists the last ended changes of a cluster, or of all for "", newest
	// end first.
	History(ctx context.Context, cluster string) ([]Flow, error)
	// SignMandate records a vote in advance of the caller, who must be in an approver
	// group now. What it is worth is decided at each request, by the groups of then.
	SignMandate(ctx context.Context, c Caller, a MandateAsk) (Mandated, error)
	// Mandates lists those that hold, in the order of signing.
	Mandates(ctx context.Context) ([]Mandated, error)
	// RevokeMandate ends one: its signer may, and the members of the groups that the
	// signer was in. What was sent by it goes on.
	RevokeMandate(ctx context.Context, c Caller, id string) (Mandated, error)
	// Spendings is this month of one cost centre, or of all for "".
	Spendings(ctx context.Context, centre string) ([]Spending, error)
	// Centres are the cost centres of config, in order.
	Centres() []string
	// Rules is what config says of approvals.
	Rules() approvals.Config
	// Flow, Flows read. Ids are taken in any case, with or without "F-".
	Flow(ctx context.Context, id string) (Flow, error)
	Flows(ctx context.Context, f Filter) ([]Flow, error)
	// Cluster observes a cluster now: after the ack only.
	Cluster(ctx context.Context, name string) (Cluster, providers.Snapshot, error)
	// Waiting lists the open flows whose ballot this person could still fill, and the
	// unknown ones that they may settle; and the approver groups that could not be read:
	// what waits for those is not in it.
	Waiting(ctx context.Context, user string) (waiting []Flow, unread []string, err error)
	// Touched says that reactions of a message may have changed, or that it was
	// deleted. A message that is no card is ignored.
	Touched(ctx context.Context, ref MessageRef) error
	// ChannelMoved says that Slack knows a channel by another id from now on.
	ChannelMoved(ctx context.Context, from, to string) error
	// Reconcile wakes every open ballot and every chat lane: after a gap in the
	// socket. Looks are spread over the time that so many open ballots take.
	Reconcile(ctx context.Context, spread func(ballots int) time.Duration) error
	// Catalog is what config says of clusters.
	Catalog() Catalog
	// Rights is what config lets a person do. It reads usergroups: after the ack only.
	Rights(ctx context.Context, user string) Rights
}
