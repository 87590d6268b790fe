package flow

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"scalebot/approvals"
	"scalebot/providers"
)

// The outcomes of the store that callers act on.
var (
	ErrNotFound  = errors.New("no such flow")
	ErrLeaseLost = errors.New("the lease on the flow was lost: nothing was written")
	ErrStale     = errors.New("the record moved on: nothing was written")
	ErrIllegal   = errors.New("no legal move: nothing was written")
	ErrSeatTaken = errors.New("the cluster's seat is taken: nothing was written")
	ErrIDTaken   = errors.New("the flow id is in use: nothing was written")
	ErrLedger    = errors.New("the ledger moved on since this was judged: nothing was written")
	ErrLimited   = errors.New("too many commands: nothing was written")
	ErrNewer     = errors.New("the record was written by a newer version: left alone")
	// ErrInDoubt is any other failure after which the write may have been made: the
	// request was sent and its answer lost. A failure that is none of these was not
	// made.
	ErrInDoubt = errors.New("the store did not answer: it may have been written")
)

// Lane is one of the kinds of work that come due: two on a flow, one on a
// commitment. Each has its own leases and its own due times, so that none waits for
// another.
type Lane string

// The lanes.
const (
	LaneStep Lane = "step" // the Engine
	LaneChat Lane = "chat" // the Courier

	LaneRenew Lane = "renew" // Renewals; its ids are of commitments
)

// Claim is a lease on one lane of one flow or commitment. Fence is unique to this claim among
// all claims there ever were (a counter in the store would repeat itself after
// the store came back older): a save whose claim was taken over writes nothing.
type Claim struct {
	Lane  Lane
	ID    string
	Fence string
	Until time.Time
}

// Signal is something a person did to a flow, kept on record until the engine
// has taken it up.
type Signal struct {
	Kind      SignalKind `json:"kind"`
	By        string     `json:"by"`
	At        time.Time  `json:"at"`
	Operation string     `json:"operation,omitempty"` // with SignalHappened, if known
	Episode   string     `json:"episode,omitempty"`   // of what settles: Flow.Episode as the person saw it; "" = recorded by a version that kept none

	// Of votes: the plan that the person saw, and what names the press.
	Plan     int    `json:"plan,omitempty"`
	PlanHash string `json:"plan_hash,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Dedupe   string `json:"dedupe,omitempty"`
}

// SignalKind says what was done.
type SignalKind string

// The signals.
const (
	SignalCancel SignalKind = "cancel"

	// These steer the cloud's running operation.
	SignalPause  SignalKind = "pause"
	SignalResume SignalKind = "resume"
	SignalStop   SignalKind = "stop"

	// These settle an unknown flow.
	SignalHappened SignalKind = "happened"     // the cloud took it: follow it
	SignalRetry    SignalKind = "did_not"      // it did not: a new attempt may be made
	SignalClose    SignalKind = "close_failed" // leave it: end as failed

	// These are votes by button and command, and the Stop of the grace time.
	SignalApprove  SignalKind = "approve"
	SignalDeny     SignalKind = "deny"
	SignalTakeBack SignalKind = "take_back"
	SignalHalt     SignalKind = "halt"
)

// control is the cloud's word for a signal that steers; false for any other.
func (k SignalKind) control() (providers.Control, bool) {
	switch k {
	case SignalPause:
		return providers.Pause, true
	case SignalResume:
		return providers.Resume, true
	case SignalStop:
		return providers.Cancel, true
	case SignalCancel, SignalHappened, SignalRetry, SignalClose, SignalApprove, SignalDeny, SignalTakeBack, SignalHalt:
	}
	return "", false
}

// Audit is what a move leaves in the audit stream, in the same atomic script.
type Audit struct {
	Actor  string         `json:"actor"` // Slack user id, or "scalebot"
	Action string         `json:"action"`
	Detail map[string]any `json:"detail,omitempty"`
}

// Save is one move of a flow.
type Save struct {
	Flow    Flow  // as it should be; Version as it was read
	From    State // the state it was read in
	Audit   Audit
	Due     time.Time // next look; ignored at an end, required otherwise (promise 2)
	Signals int       // how many signals were taken up, to be forgotten
	Keep    time.Time // keep the lease until then for one more save (intent before effect); zero = release
	TellNow bool      // the messages may be out of date: wake the chat lane

	// Seen is the freeze of the cluster that the step saw: with another one on record
	// the move is ErrStale. nil = the move does not rest on it.
	Seen *SeenFreeze

	// Commit is what the end of the flow commits to, recorded in the same script;
	// nil = nothing. One that is on record stays as it is. CommitDue is the first
	// look at it, after Now.
	Commit    *Commitment
	CommitDue time.Time

	Now time.Time

	Postings []Posting // what the move does to the ledger, each of another book
}

// SeenFreeze is what a step saw of the freeze that a person ordered for the
// cluster; a nil Order is none.
type SeenFreeze struct{ Order *approvals.Order }

// Graft is a record that must be written although the store knows less.
type Graft struct {
	Flow   Flow
	Read   int64 // version of the record as it was read; 0 = there was none
	From   State // its state; "" = there was none
	Beside bool  // hold the cluster beside the flow that has its seat
	Due    time.Time
	Now    time.Time
	Audit  Audit

	Postings []Posting // what the ledger is to say then; no book is held to a version
}

// Filter narrows List.
type Filter struct {
	Open    bool   // only flows that have not ended
	Cluster string // config's name
	User    string
	Since   time.Time
	Limit   int // 0 = 100
}

// Store keeps flows. Each method that writes is one atomic script; times come
// from the caller's clock.
type Store interface {
	// Accept records a new flow in Planning, schedules it at once and audits it.
	// dedupe names the Slack delivery: the second of two gets the first one's id
	// back with fresh false. ErrIDTaken: try again with another id. ErrLimited:
	// the person or the channel sent too many this minute.
	Accept(ctx context.Context, f Flow, dedupe string, lim Limits) (id string, fresh bool, err error)
	// Delivered finds the flow that a delivery made. ErrNotFound.
	Delivered(ctx context.Context, dedupe string) (id string, err error)
	// Get reads a flow and the signals waiting for it. ErrNotFound, ErrNewer.
	Get(ctx context.Context, id string) (Flow, []Signal, error)
	// List reads flows, newest first.
	List(ctx context.Context, f Filter) ([]Flow, error)

	// Walk reads flows as List does, one after the other, without a limit; an error of
	// each ends it.
	Walk(ctx context.Context, f Filter, each func(Flow) error) error

	// Claim takes up to max due flows of a lane under a lease.
	Claim(ctx context.Context, lane Lane, now time.Time, lease time.Duration, max int) ([]Claim, error)
	// Extend renews a lease. ErrLeaseLost.
	Extend(ctx context.Context, c Claim, until time.Time) (Claim, error)
	// Release ends a lease without a move; due is the next look (zero = none, only
	// for the chat lane). A wake that came in meanwhile brings it forward.
	Release(ctx context.Context, c Claim, due time.Time) error
	// Wake asks for a look at the flow no later than at.
	Wake(ctx context.Context, lane Lane, id string, at time.Time) error
	// Reclaim takes the lease on one flow back if nobody else holds a live one:
	// for a replica that must save what it alone knows. ErrLeaseLost.
	Reclaim(ctx context.Context, c Claim, now time.Time, lease time.Duration) (Claim, error)
	// Save makes a move under a step-lane claim and releases it, unless Keep is
	// set. It returns the flow as saved. ErrLeaseLost, ErrStale, ErrIllegal,
	// ErrSeatTaken, and ErrLedger when a book of Postings is at another version than
	// the move was judged by. A flow enters its cluster's line when it becomes queued (at
	// its old place if it had one) and leaves it when it becomes anything else.
	Save(ctx context.Context, c Claim, s Save) (Flow, error)
	// Graft writes what one replica knows to have happened over a record that knows
	// less, in whatever state that is and whoever holds its lease: the lease is
	// ended, so that a step which began on the older record saves nothing. ErrStale:
	// the record is another one than was read. ErrSeatTaken, unless Beside is set:
	// the seat is another flow's. It returns the flow as saved.
	Graft(ctx context.Context, g Graft) (Flow, error)
	// Book reads one book of the ledger; one that was never written is empty, at
	// version 0.
	Book(ctx context.Context, name string) (Book, error)
	// SignMandate records a mandate with its book and audits it, and returns its id: of
	// the earlier one where dedupe was taken in before ("" = it has no name);
	// ErrIDTaken.
	// RevokeMandate replaces it as it was read by one that is revoked, which moves the
	// book on; ErrStale, ErrNotFound. Mandates reads the books of those whose time
	// ends after since, also of revoked ones.
	SignMandate(ctx context.Context, m approvals.Mandate, dedupe string, a Audit) (string, error)
	RevokeMandate(ctx context.Context, was, now approvals.Mandate, a Audit) error
	Mandates(ctx context.Context, since time.Time) ([]Book, error)
	// Durable returns once what was saved of the flow survives a crash of the store,
	// as far as the store can tell; an error means that it surely doesn't yet.
	Durable(ctx context.Context, id string) error
	// Place is the flow's place in its cluster's line (1 = next) and the flow
	// that holds the seat, "" if free.
	Place(ctx context.Context, seatKey, id string) (place int, holder string, err error)
	// Signal records what a person did and wakes the flow. ErrNotFound.
	Signal(ctx context.Context, id string, s Signal, a Audit) error

	// Amend adds a note on what people did about a flow after its end (Flow.After),
	// with its audit entry, and wakes the chat lane. Nothing else of an ended
	// record changes. ErrNotFound, ErrNewer, ErrIllegal while it has not ended.
	Amend(ctx context.Context, id string, n Note, a Audit) (Flow, error)

	// SetFreeze records a freeze of a cluster, in place of an earlier one, and audits
	// it. EndFreeze forgets it; ErrNotFound if there is none. Freezes reads all on
	// record by cluster, also those whose end has passed.
	SetFreeze(ctx context.Context, cluster string, o approvals.Order, a Audit) error
	EndFreeze(ctx context.Context, cluster string, at time.Time, a Audit) error
	Freezes(ctx context.Context) (map[string]approvals.Order, error)

	// Commitments reads what is on record and ends at or after a time, by its end.
	Commitments(ctx context.Context, since time.Time) ([]Commitment, error)
	// Commitment reads one, with its last decision. ErrNotFound, ErrNewer.
	Commitment(ctx context.Context, id string) (Commitment, error)
	// GoOn puts a commitment on by the end of its term of now, and keeps it so much
	// longer, under a renewal-lane claim, with one audit entry.
	// ErrNotFound, ErrLeaseLost.
	GoOn(ctx context.Context, claim Claim, c Commitment, now time.Time, a Audit) error
	// Decide records decision number d.N about a renewal with its audit entry and
	// wakes the renewal lane. ErrNotFound; ErrStale when there are not d.N-1 before.
	Decide(ctx context.Context, id string, d Decision, a Audit) error
	// Reminders reads what Slack shows of a commitment; SaveReminders writes it under
	// a renewal-lane claim, keeping the claim. ErrLeaseLost.
	Reminders(ctx context.Context, id string) (Reminders, error)
	SaveReminders(ctx context.Context, c Claim, r Reminders) error

	// Posts reads what Slack shows of a flow; SavePosts writes it under a
	// chat-lane claim, keeping the claim. ErrLeaseLost.
	Posts(ctx context.Context, id string) (Posts, error)
	SavePosts(ctx context.Context, c Claim, p Posts) error
	// ByCard finds the flow and plan whose card a message is. ErrNotFound.
	ByCard(ctx context.Context, channel, ts string) (id string, plan int, err error)

	// Once remembers a delivery for ttl and reports whether it is the first.
	Once(ctx context.Context, key string, ttl time.Duration) (bool, error)
	// Flag and SetFlag keep small facts about the workspace for all replicas.
	Flag(ctx context.Context, name string) (string, error)
	SetFlag(ctx context.Context, name, value string) error
	// Ping says whether the store answers and takes writes.
	Ping(ctx context.Context) error
}

// Limits caps commands; 0 = no cap.
type Limits struct {
	PerUserMinute    int
	PerChannelMinute int
}

// MessageRef is a message in Slack.
type MessageRef struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// Ballots reads the real reactions of a card. A list that Slack cut short comes
// back as such (Reaction.Count > len(Users)). ErrMessageGone when the card was
// deleted.
type Ballots interface {
	Reactions(ctx context.Context, ref MessageRef) ([]approvals.Reaction, error)
}

// Directory knows people and groups. A *RateLimited that Slack did not tell says that
// the quota of look-ups has none left for now; whoever asks again by then keeps its
// place.
type Directory interface {
	// People looks up users; one that can't be looked up is returned with Found
	// false. An error means that nothing can be said of anybody.
	People(ctx context.Context, ids []string) (map[string]approvals.Person, error)
	// Members are the user ids of a group of config. An error means that the
	// group can't be read now.
	Members(ctx context.Context, g approvals.Group) ([]string, error)
	// Refresh makes the next look-ups of these ask Slack again, unless that was done
	// seconds ago: Slack tells only one replica that somebody left, and the others
	// remember them for a while.
	Refresh(people []string, groups []approvals.Group)
}

// The outcomes of Chat that the Courier acts on.
var (
	ErrBlocksRefused = errors.New("Slack refused the blocks")
	ErrMessageGone   = errors.New("the message is gone")
	ErrNoChannel     = errors.New("the bot can't write in the channel")
	ErrChatInDoubt   = errors.New("no answer: the message may have been posted")
	ErrChatRefused   = errors.New("Slack refuses the call, and would again")
	ErrSearchCut     = errors.New("there are too many messages to look through")
)

// Why the bot can't write in a channel that it is a member of. They come with
// ErrNoChannel, since an invitation is no help there.
var (
	ErrArchived   = errors.New("the channel is archived")
	ErrRestricted = errors.New("only some may post in the channel")
)

// ErrNoGroup says that a group of config names a usergroup that Slack doesn't
// have: a person must change one or the other.
var ErrNoGroup = errors.New("Slack has no such usergroup")

// RateLimited says when Slack will listen again.
type RateLimited struct {
	After time.Duration
	Told  bool // Slack said so just now; false = our own pace, or said before
}

// Error names the wait.
func (e *RateLimited) Error() string { return "Slack asks to wait " + e.After.String() }

// Chat writes to Slack, one call per method, no repeats. Errors: the six
// above, *RateLimited, and anything else for "not done, try later".
type Chat interface {
	Post(ctx context.Context, m Message) (MessageRef, error)
	Update(ctx context.Context, ref MessageRef, m Message) error
	// Whisper tells one person privately: ephemeral in the channel, or a direct
	// message where that can't be, and where m names no channel.
	Whisper(ctx context.Context, user string, m Message) error
	// Find looks for a message with that Key, posted at or after since in the
	// channel (and thread). One that may not be looked for is not found.
	Find(ctx context.Context, m Message, since time.Time) (MessageRef, bool, error)
	// Prune deletes the messages of ours in a channel that have m's event type and
	// flow, posted since, and are not to be kept. Those in threads are not looked at.
	Prune(ctx context.Context, m Message, since time.Time, keep []MessageRef) error
}

// Message is what to say in Slack. Blocks is Slack's JSON array of blocks.
type Message struct {
	Key       string // names this message among all of its flow; travels with the post, unseen
	Channel   string
	Thread    string
	Text      string // notification and screen reader text; a full sentence
	Blocks    json.RawMessage
	EventType string         // of the metadata
	Payload   map[string]any // of the metadata
}

// Renderer turns records into messages: bot/card.
type Renderer interface {
	// Card is the card of plan number n (1 = first; 0 = of a flow that has no plan
	// yet or never got one, closed once there is a plan). rich chooses Slack's plan
	// and task_card blocks over section and context blocks.
	Card(f Flow, n int, rich bool) Message
	// Log is one thread reply that tells some notes.
	Log(f Flow, notes []Note) Message
	// Notice is the completion message for a state of State.Told.
	Notice(f Flow, s State) Message
	// Whisper is a private message, in the requester's language.
	Whisper(f Flow, n Note) Message
	// Renewal is a reminder that a prepaid term is about to end.
	Renewal(r Renewal) Message
}

// Renewal is what a reminder of a prepaid term shows.
type Renewal struct {
	Commitment Commitment
	Latest     bool // the last reminder of its channel, which has the buttons
	Over       bool // the term has ended
}

// Posts is what Slack shows of a flow, as far as the Courier knows.
type Posts struct {
	Version   int64             `json:"version"`
	Cards     map[int]Post      `json:"cards,omitempty"`     // by plan number; 0 = from before there was one
	Notices   map[string]Post   `json:"notices,omitempty"`   // by state/channel
	Logged    int               `json:"logged,omitempty"`    // notes of Flow.Log told
	Whispered int               `json:"whispered,omitempty"` // notes of Flow.Whispers told
	Sending   *Sending          `json:"sending,omitempty"`   // saved before a post, cleared after: else in doubt
	Tries     int               `json:"tries,omitempty"`     // failures of Slack itself in a row; paces the next try
	NotBefore time.Time         `json:"not_before,omitzero"` // news does not bring the next try forward past this
	Held      map[string]Hold   `json:"held,omitempty"`      // by key: messages that Slack refused, so that they hold up no other
	Blocked   map[string]string `json:"blocked,omitempty"`   // channel → why the bot can't write there

	// Slips is the count of Slipped that all cards were sent again after; Slipped is
	// the count now. A courier that lost its lease while it sent may have overwritten
	// or doubled what its successor had sent.
	Slips   int64 `json:"slips,omitempty"`
	Slipped int64 `json:"-"`

	// Prune is when to look for messages that are not on record, because of that or
	// because the store came back older (Swept: the last time of that which was seen to); Pruned are the
	// kinds that were looked for.
	Prune  time.Time `json:"prune,omitzero"`
	Pruned []string  `json:"pruned,omitempty"`
	Swept  time.Time `json:"swept_at,omitzero"`
}

// Post is one message that Slack has.
type Post struct {
	MessageRef
	Plan string    `json:"plan,omitempty"` // hash of the plan a card shows
	Hash string    `json:"hash"`           // of the content last sent
	At   time.Time `json:"at"`             // of the last send

	// State is the flow's when that was sent: how urgent an edit is depends on it.
	State State `json:"state,omitempty"`
}

// Hold is one message that Slack refused, or that may stand: when to try it again.
type Hold struct {
	Until time.Time `json:"until"`
	Tries int       `json:"tries"` // refusals in a row
	// Since is when it may have been posted already, which could not be looked up: it is
	// looked for before it is posted again.
	Since time.Time `json:"since,omitzero"`
}

// Sending is a post that may or may not have happened.
type Sending struct {
	Key     string    `json:"key"`
	At      time.Time `json:"at"`
	Upto    int       `json:"upto,omitempty"`    // of a log: notes told once it is posted
	Channel string    `json:"channel,omitempty"` // "" = recorded by a version that kept no place
	Thread  string    `json:"thread,omitempty"`
}

// Clock is where time comes from.
type Clock interface{ Now() time.Time }

// Clouds finds the provider of an account.
type Clouds interface {
	Provider(account string) (providers.Provider, bool)
}

// SeatKey names the one seat of a cluster: by the cloud's id, so that two names
// in config for one cluster share it.
func SeatKey(c providers.Change) string { return c.Account + "/" + c.ClusterID }
