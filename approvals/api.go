package approvals

import (
	"time"
)

// Config is the approvals section of the config file, checked for form by
// bot/config and for meaning by Compile.
type Config struct {
	Groups         map[string]Group
	Approve, Deny  []string // reaction names without colons and skin tone
	ExpireAfter    time.Duration
	PriceTolerance float64 // 0.05 = five percent
	SelfApproval   bool
	Rules          []Rule
	RulesGiven     bool // false = the key is missing: every change is refused
	Freezes        []Freeze
}

// Group is a named set of approvers; its members are looked up by the caller at
// decision time.
type Group struct {
	Users      []string // Slack user ids
	Usergroups []string // Slack usergroup ids
}

// Rule asks for people when its condition holds.
type Rule struct {
	Name    string
	When    string // CEL over change, quote, cluster, requester, now; must be a bool
	Require map[string]int
}

// Freeze refuses changes for a time.
type Freeze struct {
	Name     string
	From, To time.Time
	When     string // CEL; "" = every change
}

// Facts is all that a policy may look at.
type Facts struct {
	Plan      Plan
	Labels    map[string]string // of the cluster
	Requester Requester
	Now       time.Time
}

// Requester is who asks.
type Requester struct {
	ID     string
	Groups []string // names of Config.Groups that the person is a member of
}

// Outcome is what became of one rule; every rule of the file has one, so that a
// policy can be explained.
type Outcome struct {
	Rule    string         `json:"rule"`
	Matched bool           `json:"matched"`
	Error   string         `json:"error,omitempty"` // evaluation failed; the change is refused
	Require map[string]int `json:"require,omitempty"`
}

// RefusalCode says why a policy refuses a plan outright.
type RefusalCode string

// The refusals.
const (
	NoRules    RefusalCode = "no_rules"    // approvals.rules is missing altogether
	Frozen     RefusalCode = "frozen"      // a freeze matches
	RuleBroken RefusalCode = "rule_broken" // a condition failed to evaluate
)

// Refusal is an outright no.
type Refusal struct {
	Code  RefusalCode `json:"code"`
	Name  string      `json:"name,omitempty"`  // of the freeze or rule
	Until time.Time   `json:"until,omitzero"`  // end of the freeze
	Error string      `json:"error,omitempty"` // of the broken rule
}

// Judgement is what a policy says of one plan: refused, or a list of
// requirements, where an empty list means free to go.
type Judgement struct {
	Refusal      *Refusal      `json:"refusal,omitempty"`
	Requirements []Requirement `json:"requirements,omitempty"` // one per group, by group name
	Outcomes     []Outcome     `json:"outcomes"`
}

// Requirement is "n people from group g", with the rules that asked for it.
// Rules that ask the same group merge to the larger number.
type Requirement struct {
	Group string   `json:"group"`
	N     int      `json:"n"`
	Rules []string `json:"rules"`
}

// Reaction is one entry of Slack's reactions.get on the plan's card.
type Reaction struct {
	Name  string // as Slack has it: skin tones and aliases included
	Users []string
	Count int // more than len(Users) means that the list is cut: nothing counts then
}

// Person is what Slack says of a user.
type Person struct {
	ID       string
	Name     string
	Found    bool // false: could not be looked up; such a vote is not counted
	Bot      bool
	Guest    bool // single- or multi-channel guest
	Stranger bool // of another workspace
	Deleted  bool
}

// BallotFacts is all that Count may look at.
type BallotFacts struct {
	PlanHash     string
	Requirements []Requirement
	Requester    string
	Reactions    []Reaction
	People       map[string]Person   // by user id
	Members      map[string][]string // by group name; a group that is missing could not be looked up
	Bot          string              // our own user id: its seeded reactions are ignored silently
	Now          time.Time
	ExpiresAt    time.Time
}

// Status is where a ballot stands.
type Status string

// The statuses.
const (
	Pending  Status = "pending"
	Approved Status = "approved"
	Denied   Status = "denied"
	Expired  Status = "expired"
)

// Reason is why a vote is not counted.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	ReasonBot         Reason = "bot"
	ReasonDeactivated Reason = "deactivated"
	ReasonStranger    Reason = "stranger"     // of another workspace
	ReasonGuest       Reason = "guest"        //
	ReasonUnknown     Reason = "unknown"      // could not be looked up
	ReasonRequester   Reason = "requester"    // four eyes
	ReasonNotInGroup  Reason = "not_in_group" // in none of the groups asked
	ReasonGroupUnread Reason = "group_unread" // a group asked could not be looked up
	ReasonNoSeatLeft  Reason = "no_seat_left" // in a group whose seats are all taken
	ReasonBoth        Reason = "both"         // approved and denied at once: the denial counts
	ReasonListCut     Reason = "list_cut"     // Slack gave a shortened list of voters
)

// Seat is one requirement with the people who fill it.
type Seat struct {
	Requirement
	By []string `json:"by"` // user ids, in a stable order; at most N
}

// Open is how many people are still missing.
func (s Seat) Open() int { return s.N - len(s.By) }

// Uncounted is a vote that does not count, and why.
type Uncounted struct {
	User   string `json:"user"`
	Emoji  string `json:"emoji"`
	Reason Reason `json:"reason"`
}

// Ballot is all votes on one plan.
type Ballot struct {
	PlanHash  string      `json:"plan_hash"`
	Seats     []Seat      `json:"seats"`
	DeniedBy  []string    `json:"denied_by,omitempty"`
	Uncounted []Uncounted `json:"uncounted,omitempty"`
}

// Verdict is a status with the ballot that led to it; never a bare bool.
type Verdict struct {
	Status Status    `json:"status"`
	Ballot Ballot    `json:"ballot"`
	At     time.Time `json:"at"`
}

// Permits reports whether this verdict lets exactly this plan run.
func (v Verdict) Permits(p Plan) bool {
	return v.Status == Approved && p.Hash != "" && v.Ballot.PlanHash == p.Hash && p.Hash == p.digest()
}

// Difference is one way in which a fresh plan is not the voted one.
type Difference struct {
	What DifferenceKind `json:"what"`
	Was  string         `json:"was"`
	Is   string         `json:"is"`
}

// DifferenceKind names what moved.
type DifferenceKind string

// The differences.
const (
	BaseMoved   DifferenceKind = "base"     // the group has another size
	ChangeMoved DifferenceKind = "change"   // the change itself: config, chosen nodes
	PriceUp     DifferenceKind = "price"    // beyond the tolerance, or in another currency
	PriceLost   DifferenceKind = "no_price" // was known, is not any more
)
