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
	BreakGlass     []string // names of Groups whose members may run a change without its ballot; empty = nobody
	Freezers       []string // names of Groups whose members may order a freeze; empty = any approver group
	FreezePass     []string // names of Groups whose members pass an ordered freeze when they give a reason; empty = nobody
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
	When    string // CEL over change, quote, budget, cluster, requester, now; must be a bool
	Require map[string]int

	Escalate *Escalation // nil = only the groups of Require, however long it takes
}

// Freeze refuses changes for a time.
type Freeze struct {
	Name     string
	From, To time.Time
	When     string   // CEL; "" = every change
	Pass     []string // names of Config.Groups whose members it lets through when they give a reason
}

// Facts is all that a policy may look at.
type Facts struct {
	Plan      Plan
	Temporary bool              // the change has an end and takes its nodes back
	Labels    map[string]string // of the cluster
	Requester Requester
	Reason    string  // as the requester gave it; some freezes and break-glass need one
	Order     *Order  // the freeze that a person ordered for the cluster, if it is on; nil = none
	Budget    *Budget // of the cluster's cost centre; nil = it has none
	Now       time.Time
	StartAt   time.Time // as asked for; zero or past = now
}

// starting are the same facts at the time at which the change would begin. Freezes
// are judged by these: one that is over by then is no reason to refuse, and nobody
// should vote for what one will refuse then.
func (f Facts) starting() Facts {
	if f.StartAt.After(f.Now) {
		f.Now = f.StartAt
	}
	return f
}

// Order is a freeze of one cluster that a person ordered.
type Order struct {
	By     string    `json:"by"` // Slack user id
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero = until somebody ends it
}

// On reports whether the order holds at that time.
func (o *Order) On(now time.Time) bool {
	return o != nil && (o.Until.IsZero() || now.Before(o.Until))
}

// Same reports whether both are one order.
func (o *Order) Same(x *Order) bool {
	return o != nil && x != nil && o.By == x.By && o.Since.Equal(x.Since) && o.Until.Equal(x.Until)
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
	Error   string         `json:"error,omitempty"`   // evaluation failed; the change is refused
	Require map[string]int `json:"require,omitempty"` // what the rule asks when it matches, matched or not
}

// RefusalCode says why a policy refuses a plan outright.
type RefusalCode string

// The refusals.
const (
	NoRules    RefusalCode = "no_rules"    // approvals.rules is missing altogether
	Frozen     RefusalCode = "frozen"      // a freeze matches
	Ordered    RefusalCode = "ordered"     // a person froze the cluster
	RuleBroken RefusalCode = "rule_broken" // a condition failed to evaluate
)

// Refusal is an outright no.
type Refusal struct {
	Code  RefusalCode `json:"code"`
	Name  string      `json:"name,omitempty"`  // of the freeze or rule
	Until time.Time   `json:"until,omitzero"`  // end of the freeze, also of one whose condition broke
	Error string      `json:"error,omitempty"` // of the broken condition, for the people who wrote it
	Order *Order      `json:"order,omitempty"` // with Ordered
	Pass  []string    `json:"pass,omitempty"`  // of a freeze: groups whose members it lets through when they give a reason
}

// Judgement is what a policy says of one plan: refused, or a list of
// requirements, where an empty list means free to go.
// It holds for one plan, named by PlanHash; the zero Judgement permits nothing.
type Judgement struct {
	PlanHash     string        `json:"plan_hash"`
	Refusal      *Refusal      `json:"refusal,omitempty"`
	Requirements []Requirement `json:"requirements,omitempty"` // one per group, by group name
	Passed       []Pass        `json:"passed,omitempty"`       // freezes that are on and let this request through
	Outcomes     []Outcome     `json:"outcomes"`
}

// Pass is a freeze that is on and lets a request through: the requester is in one
// of the groups that may pass it, and gave a reason.
type Pass struct {
	Freeze string    `json:"freeze"` // its name; of one that a person ordered, the cluster's
	Group  string    `json:"group"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`           // end of the freeze; zero = until somebody ends it
	Order  *Order    `json:"order,omitempty"` // set: a person ordered it
}

// Requirement is "n people from group g", with the rules that asked for it.
// Rules that ask the same group merge to the larger number.
type Requirement struct {
	Group string   `json:"group"`
	N     int      `json:"n"`
	Rules []string `json:"rules"`

	Escalate *Escalation `json:"escalate,omitempty"` // the earliest that the rules give
}

// Reaction is one entry of Slack's reactions.get on the plan's card.
type Reaction struct {
	Name  string   `json:"name"` // as Slack has it: skin tones and aliases included
	Users []string `json:"users"`
	Count int      `json:"count"` // more than len(Users) means that the list is cut: nothing counts then
}

// Person is what Slack says of a user.
type Person struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Found    bool   `json:"found"` // false: could not be looked up; such a vote is not counted
	Bot      bool   `json:"bot,omitempty"`
	Guest    bool   `json:"guest,omitempty"`    // single- or multi-channel guest
	Stranger bool   `json:"stranger,omitempty"` // of another workspace
	Deleted  bool   `json:"deleted,omitempty"`
}

// BallotFacts is all that Count may look at, and so all that must be kept to
// count again. Now is the time at which Reactions were read: a vote counts if it
// was there at a read before ExpiresAt (design.md section 4), and a zero ExpiresAt
// is long past.
type BallotFacts struct {
	PlanHash     string              `json:"plan_hash"`
	Plan         int                 `json:"plan,omitempty"` // number of the plan in its flow; Votes name it
	Requirements []Requirement       `json:"requirements"`   // of the Judgement on that plan
	Requester    string              `json:"requester"`
	Reactions    []Reaction          `json:"reactions"`          // in Slack's order: earlier voters keep their seats
	Votes        []Vote              `json:"votes,omitempty"`    // by button and command, in order; a person's last one holds
	People       map[string]Person   `json:"people"`             // by user id; one that is missing is as good as not Found
	Members      map[string][]string `json:"members"`            // by group name; a group that is missing could not be looked up
	Mandates     []Standing          `json:"mandates,omitempty"` // that cover the change, oldest first; also those that ended since it was asked for
	Bot          string              `json:"bot,omitempty"`      // our own user id: its seeded reactions are ignored silently
	Before       *Ballot             `json:"before,omitempty"`   // of the last count on this plan: who is gone since has withdrawn
	Replaced     []Ballot            `json:"replaced,omitempty"` // the last ones on the plans that this one replaced
	OpenedAt     time.Time           `json:"opened_at,omitzero"` // escalations count from here; zero = none comes
	Now          time.Time           `json:"now"`
	ExpiresAt    time.Time           `json:"expires_at"`
}

// Status is where a ballot stands.
type Status string

// The statuses.
const (
	Pending  Status = "pending"  // seats are open, or something could not be read
	Approved Status = "approved" // every seat is filled, or none was asked for
	Denied   Status = "denied"   // one person who could approve said no
	Expired  Status = "expired"  // the time was over at this read, whatever the votes
)

// Reason is why a vote is not counted.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	ReasonBot         Reason = "bot"          // any but our own, which is ignored silently
	ReasonDeactivated Reason = "deactivated"  // the account was closed
	ReasonStranger    Reason = "stranger"     // of another workspace
	ReasonGuest       Reason = "guest"        // single- or multi-channel
	ReasonUnknown     Reason = "unknown"      // could not be looked up
	ReasonRequester   Reason = "requester"    // four eyes
	ReasonNotInGroup  Reason = "not_in_group" // in none of the groups asked
	ReasonGroupUnread Reason = "group_unread" // a group asked could not be looked up
	ReasonNoSeatLeft  Reason = "no_seat_left" // in a group whose seats are all taken
	ReasonBoth        Reason = "both"         // approved and denied at once: the denial counts
	ReasonListCut     Reason = "list_cut"     // Slack gave a shortened list of voters
	ReasonWithdrawn   Reason = "withdrawn"    // counted at an earlier read, and gone now
	ReasonOlderPlan   Reason = "older_plan"   // counted on a plan that was replaced, and not given on this one

	// Of mandates, looked for before those of their signer:
	ReasonMandateRevoked Reason = "mandate_revoked" // somebody took it back
	ReasonMandateOver    Reason = "mandate_over"    // its time is over
	ReasonMandateOwn     Reason = "mandate_own"     // the signer asks: nobody agrees with themselves in advance
	ReasonMandateNodes   Reason = "mandate_nodes"   // more nodes than are left of it
	ReasonMandatePrice   Reason = "mandate_price"   // it has a limit of money, and the price is unknown or in another currency
	ReasonMandateSpent   Reason = "mandate_spent"   // more money than is left of it
)

// Seat is one requirement with the people who fill it.
type Seat struct {
	Requirement
	By []string `json:"by"` // user ids, in a stable order; at most N

	Escalated bool `json:"escalated,omitempty"` // members of Escalate.To may sit here too by now
}

// Open is how many people are still missing.
func (s Seat) Open() int { return s.N - len(s.By) }

// Uncounted is a vote that does not count, and why. A person has at most two:
// an approval and a denial, however many emoji they used. A vote that is no
// reaction stands under the emoji that people are told to use.
type Uncounted struct {
	User   string `json:"user"`
	Emoji  string `json:"emoji"` // the person's first on that side, without skin tone; "" of a mandate
	Reason Reason `json:"reason"`

	Mandate string `json:"mandate,omitempty"` // id of the one that does not count
}

// Ballot is all votes on one plan.
type Ballot struct {
	PlanHash  string      `json:"plan_hash"`
	Seats     []Seat      `json:"seats"`
	DeniedBy  []string    `json:"denied_by,omitempty"`
	Why       string      `json:"why,omitempty"` // the reason of the first in DeniedBy; foreign text
	Uncounted []Uncounted `json:"uncounted,omitempty"`
	Mandates  []Use       `json:"mandates,omitempty"` // by which people in Seats vote in advance
}

// Verdict is a status with the ballot that led to it; never a bare bool.
type Verdict struct {
	Status Status    `json:"status"`
	Ballot Ballot    `json:"ballot"`
	At     time.Time `json:"at"`
	Glass  *Glass    `json:"glass,omitempty"` // set: nobody was asked, because somebody broke the glass
	// Unread says that a pending verdict rests on what Slack did not tell: a list that it
	// cut, a group that could not be read, somebody who may deny. It takes nothing back.
	Unread bool `json:"unread,omitempty"`
}

// Permits reports whether this verdict lets exactly this plan run. It trusts
// neither side: the plan's hash is computed again, and every seat must hold as
// many people as it asks for, nobody twice on the whole ballot; where the glass
// was broken, it must say who did it, as a member of which group, why, and what
// was skipped. So a record that was damaged or written by other code permits
// nothing.
func (v Verdict) Permits(p Plan) bool {
	if v.Status != Approved || p.Hash == "" || v.Ballot.PlanHash != p.Hash || p.Hash != p.digest() || len(v.Ballot.DeniedBy) > 0 {
		return false
	}
	if v.Glass != nil {
		return len(v.Ballot.Seats) == 0 && v.Glass.whole()
	}
	seated := map[string]bool{}
	for _, s := range v.Ballot.Seats {
		if s.N < 1 || s.Open() > 0 {
			return false
		}
		for _, u := range s.By {
			if u == "" || seated[u] {
				return false
			}
			seated[u] = true
		}
	}
	return true
}

// Difference is one way in which a fresh plan is not the voted one.
type Difference struct {
	What  DifferenceKind `json:"what"`
	Field string         `json:"field,omitempty"` // of the Change by its JSON name, or committed, hourly, monthly, currency
	Was   string         `json:"was"`             // unescaped; amounts as "8412 CNY"; "" = none
	Is    string         `json:"is"`
}

// DifferenceKind names what moved.
type DifferenceKind string

// The differences.
const (
	BaseMoved   DifferenceKind = "base"      // the group has another size
	ChangeMoved DifferenceKind = "change"    // the change itself: config, chosen nodes; one per Field
	PriceUp     DifferenceKind = "price"     // beyond the tolerance, or in another currency
	PriceLost   DifferenceKind = "no_price"  // was known, is not any more
	VotesMoved  DifferenceKind = "votes"     // votes were withdrawn, or the policy now asks for more: on older records, which say no more
	Withdrawn   DifferenceKind = "withdrawn" // votes that were there are gone: Was are the people, comma list
	VoteLost    DifferenceKind = "vote_lost" // a vote that is still there no longer counts: Was is the person, Field the Reason, Is the mandate, if it was one
	RulesMoved  DifferenceKind = "rules"     // others are asked: Was and Is as Asks has them
	CardGone    DifferenceKind = "card"      // the card was deleted, and its reactions with it
	FreezeBegan DifferenceKind = "freeze"    // a freeze began that the request does not pass
	GroupGone   DifferenceKind = "group"     // config no longer has Was, which was asked
	BudgetMoved DifferenceKind = "budget"    // the rules no longer take the change, with what is left of the budget
)
