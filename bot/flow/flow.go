package flow

import (
	"maps"
	"slices"
	"time"

	"scalebot/approvals"
	"scalebot/providers"
)

// Schema is the version of the record's form. A replica leaves alone a record
// with a higher one: a newer replica wrote it.
const Schema = 1

// Flow is one request from command to end, as stored.
type Flow struct {
	Schema    int       `json:"schema"`
	ID        string    `json:"id"`      // F-7K3Q
	Version   int64     `json:"version"` // of the record; the store counts it up at every save
	State     State     `json:"state"`
	Request   Request   `json:"request"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`

	// Plans are all plans of the flow, the last one current. An earlier one is
	// void and its card is closed.
	Plans        []Planned               `json:"plans,omitempty"`
	Requirements []approvals.Requirement `json:"requirements,omitempty"` // of the current plan
	Verdict      *approvals.Verdict      `json:"verdict,omitempty"`      // on the current plan
	ExpiresAt    time.Time               `json:"expires_at,omitzero"`    // of the open ballot, or of planning
	Votes        []approvals.Vote        `json:"votes,omitempty"`        // by button and command, on all plans; the last of each person and plan
	FurtherAt    time.Time               `json:"further_at,omitzero"`    // when others were asked about the current plan besides
	Reminded     int                     `json:"reminded,omitempty"`     // reminders of the current ballot whose time has come and gone
	GraceUntil   time.Time               `json:"grace_until,omitzero"`   // until when it can be stopped after the last vote; zero = no such time runs
	Booked       []Booking               `json:"booked,omitempty"`       // what it takes of the ledger, since it was approved

	Attempts   int                   `json:"attempts,omitempty"` // submissions made so far
	SentBy     string                `json:"sent_by,omitempty"`  // fence of the claim that made the last one
	Repeats    int                   `json:"repeats,omitempty"`  // of its request, by token, to find out about a lost answer
	RepeatedAt time.Time             `json:"repeated_at,omitzero"`
	Submission *providers.Submission `json:"submission,omitempty"`
	Quote      *providers.Quote      `json:"quote,omitempty"` // at which it was sent; nil = not sent, or by a version that kept none
	Operation  *providers.Operation  `json:"operation,omitempty"`
	Progress   *providers.Progress   `json:"progress,omitempty"`

	HeldSince     time.Time `json:"held_since,omitzero"`     // first in line, and since then it can't be judged
	OccupiedSince time.Time `json:"occupied_since,omitzero"` // the cloud does not take it, though the cluster looked idle, since then
	AtWorkAt      time.Time `json:"at_work_at,omitzero"`     // of the attempt in doubt: when an operation was last seen that may be it
	PutOff        int       `json:"put_off,omitempty"`       // how often the cloud did not take it for another reason

	Doubled  bool `json:"doubled,omitempty"`  // unknown: two acceptances of it are known, or may be; no machine decides
	Restored bool `json:"restored,omitempty"` // the store had lost it: what was done meanwhile nobody knows

	UnsettledAt time.Time `json:"unsettled_at,omitzero"` // when those who may settle it were last reminded

	Closed   string  `json:"closed,omitempty"`   // Slack user id of who closed it while its outcome was unknown
	Place    int     `json:"place,omitempty"`    // in the cluster's queue; 1 = next
	Wait     *Note   `json:"wait,omitempty"`     // what it is waiting for, when that is worth telling
	End      *Note   `json:"end,omitempty"`      // why it ended, or became unknown
	Log      []Note  `json:"log,omitempty"`      // told in the card's thread, in order
	Whispers []Note  `json:"whispers,omitempty"` // told to the requester privately, in order
	Told     []State `json:"told,omitempty"`     // states announced in channels, in order; see State.Told
	After    []Note  `json:"after,omitempty"`    // what people did about it after its end, in order

	Refused *Planned `json:"refused,omitempty"` // what the policy refused outright, kept so that another one can be tried over it
}

// Request is what was asked, in the words of config, with who and where.
type Request struct {
	Raw       string    `json:"raw"`       // what was typed, for the audit; never shown unescaped
	User      string    `json:"user"`      // Slack user id
	Workspace string    `json:"workspace"` // Slack team id
	Channel   string    `json:"channel"`
	Thread    string    `json:"thread,omitempty"` // ts of the thread it was typed in
	Language  string    `json:"language"`         // of private replies: en or zh
	Wish      Wish      `json:"wish"`
	Reason    string    `json:"reason,omitempty"`
	StartAt   time.Time `json:"start_at,omitzero"` // zero = as soon as it may

	BreakGlass bool `json:"break_glass,omitempty"` // to run without its ballot, by who may

	// DefaultCharge says that the charge was not asked for but is the group's.
	DefaultCharge bool `json:"default_charge,omitempty"`

	// Need is how long prepaid nodes are said to be needed: it is compared with the
	// term and removes nothing. 0 = not said.
	Need time.Duration `json:"need,omitempty"`
}

// AmountOp says how an amount is meant.
type AmountOp string

// The ways.
const (
	Add    AmountOp = "+"
	Remove AmountOp = "-"
	Set    AmountOp = "=" // an absolute size: the delta is known once the cluster was observed
)

// Wish is the change as asked: a Change whose Delta may still be open.
type Wish struct {
	Op     AmountOp         `json:"op"`
	N      int              `json:"n"`      // > 0 for + and -; >= 0 for =
	Change providers.Change `json:"change"` // Delta, Nodes and Profile are filled in at planning
}

// Planned is one plan of a flow and, once void, what voided it.
type Planned struct {
	Plan      approvals.Plan         `json:"plan"`
	At        time.Time              `json:"at"`
	Void      bool                   `json:"void,omitempty"`
	VoidedBy  []approvals.Difference `json:"voided_by,omitempty"`
	Judgement approvals.Judgement    `json:"judgement"`
	Ballot    *approvals.Ballot      `json:"ballot,omitempty"` // of a void plan, as it was last counted
	Facts     *Facts                 `json:"facts,omitempty"`  // nil = recorded by a version that kept none
	Hourly    *providers.Quote       `json:"hourly,omitempty"` // the same nodes by the hour, beside a prepaid plan and no part of it; nil = not asked
}

// Plan is the current plan, or nil while there is none.
func (f *Flow) Plan() *approvals.Plan {
	if len(f.Plans) == 0 || f.Plans[len(f.Plans)-1].Void {
		return nil
	}
	return &f.Plans[len(f.Plans)-1].Plan
}

// unasked reports whether somebody broke the glass: nobody is asked, so no vote
// counts for or against it.
func (f *Flow) unasked() bool { return f.Verdict != nil && f.Verdict.Glass != nil }

// asked reports whether people's votes decide on the flow.
func (f *Flow) asked() bool { return len(f.Requirements) > 0 && !f.unasked() }

// Delta is the number of nodes to add or remove, and whether it is known yet.
func (f *Flow) Delta() (int, bool) {
	if p := f.lastPlan(); p != nil {
		return p.Change.Delta, true
	}
	switch f.Request.Wish.Op {
	case Add:
		return f.Request.Wish.N, true
	case Remove:
		return -f.Request.Wish.N, true
	case Set:
	}
	return 0, false
}

// Target is the absolute size asked for, and whether it is known yet.
func (f *Flow) Target() (int, bool) {
	if p := f.lastPlan(); p != nil {
		return p.Target, true
	}
	return f.Request.Wish.N, f.Request.Wish.Op == Set
}

func (f *Flow) lastPlan() *approvals.Plan {
	if len(f.Plans) == 0 {
		return nil
	}
	return &f.Plans[len(f.Plans)-1].Plan
}

// Note is one thing worth telling, in words that bot/card's catalogue knows.
type Note struct {
	At   time.Time         `json:"at"`
	Code NoteCode          `json:"code"`
	By   string            `json:"by,omitempty"`   // Slack user id of who did it
	Args map[string]string `json:"args,omitempty"` // by name, see the codes
	Text providers.Text    `json:"text,omitzero"`  // a cloud's advice or evidence, already in both languages
	Plan int               `json:"plan,omitempty"` // index+1 of the plan it belongs to: whose thread
	To   string            `json:"to,omitempty"`   // of a whisper that is not for the requester: Slack user id
}

// NoteCode names a sentence of the catalogue.
type NoteCode string

// The bounds of a record: it is read and written whole at every move, and a flow
// that goes round and round must not grow without end. Notes are told by their
// place in the log, so none is ever taken out: the thread begins with all there is,
// and past quietAfter goes on with what matters alone.
const (
	quietAfter = 300
	logMost    = 600
	plansMost  = 40
	noteRunes  = 3000 // of each text and argument of a note
)

// chatty reports whether a note is worth less than the room in a long log.
func (c NoteCode) chatty() bool {
	return slices.Contains([]NoteCode{
		NoteStage, NoteJoined, NoteLeft, NoteAttention, NoteVote, NoteUnvote, NoteReminder, NoteEscalated, NoteNotAccepted, NoteNotSent, NoteSteered, NoteNotSteered,
	}, c)
}

// short is the note with its texts cut.
func (n Note) short() Note {
	for k, v := range n.Args {
		if len(v) > noteRunes {
			n.Args = maps.Clone(n.Args)
			n.Args[k] = firstRunes(v, noteRunes)
		}
	}
	n.Text.EN, n.Text.ZH = firstRunes(n.Text.EN, noteRunes), firstRunes(n.Text.ZH, noteRunes)
	return n
}

// atOnce is how soon an end is still the answer to the command that was typed.
const atOnce = time.Minute

// decides reports whether a whisper tells how the flow ended, which must reach who
// asked. What is wrong with the command itself is read where it was typed.
func (f *Flow) decides(n Note) bool {
	if f.End == nil || !f.State.Ended() || n.Code != f.End.Code || n.At.Before(f.End.At) {
		return false
	}
	return !n.Code.Private() || f.End.At.Sub(f.CreatedAt) >= atOnce
}

// Private reports whether an end is a matter between the bot and whoever typed
// the request: what was asked can't be, so there was never anything to decide
// for anybody else.
func (c NoteCode) Private() bool {
	return slices.Contains([]NoteCode{NoteBelowMin, NoteAboveMax, NoteAboveStep, NoteTooMany, NoteNoChange, NoteImpossible}, c)
}

// The notes, with their Args. Those that refuse an amount also carry have (nodes
// there now) and, where there is one, fixed: the corrected line without the slash
// word.
const (
	NoteRequested   NoteCode = "requested"    // By; reason
	NotePlanned     NoteCode = "planned"      // a plan was made: from, to
	NoteReplaced    NoteCode = "replaced"     // the plan is void; differences stand in the Planned
	NoteVote        NoteCode = "vote"         // By filled a seat: group
	NoteUnvote      NoteCode = "unvote"       // By's vote no longer counts: group
	NoteApproved    NoteCode = "approved"     // all seats filled: by (mentions are made from the ballot)
	NoteFree        NoteCode = "free"         // no rule asked for anybody
	NoteDenied      NoteCode = "denied"       // By; reason
	NoteExpired     NoteCode = "expired"      //
	NoteCancelled   NoteCode = "cancelled"    // By
	NoteTooLate     NoteCode = "too_late"     // By asked to cancel what was already sent
	NoteScheduled   NoteCode = "scheduled"    // at: RFC 3339
	NoteQueued      NoteCode = "queued"       // place, behind: flow id
	NoteSubmitting  NoteCode = "submitting"   // attempt
	NoteAccepted    NoteCode = "accepted"     // operation: id or ""
	NoteNotAccepted NoteCode = "not_accepted" // Text: will be tried again
	NoteNotSent     NoteCode = "not_sent"     // the store did not vouch for the intent; will be tried again
	NoteInDoubt     NoteCode = "in_doubt"     // Text: the answer was lost
	NoteStage       NoteCode = "stage"        // stage, state
	NoteJoined      NoteCode = "joined"       // nodes: comma list; n
	NoteLeft        NoteCode = "left"         // nodes: comma list; n
	NoteAttention   NoteCode = "attention"    // Text
	NoteSucceeded   NoteCode = "succeeded"    //
	NotePartial     NoteCode = "partial"      // got, want; Text
	NoteFailed      NoteCode = "failed"       // Text
	NoteUnknown     NoteCode = "unknown"      // Text: what was seen
	NoteResolved    NoteCode = "resolved"     // By; how: the SignalKind; operation
	NoteOutdated    NoteCode = "outdated"     // By decided how about what was unknown before; nothing was done
	NoteTorn        NoteCode = "torn"         // people settled it in different ways at once: nothing was done
	NoteRefused     NoteCode = "refused"      // Text
	NoteImpossible  NoteCode = "impossible"   // refused: Text: the cluster as it is can't take this request
	NoteNoRules     NoteCode = "no_rules"     // refused: approvals.rules is missing
	NoteFrozen      NoteCode = "frozen"       // refused: name, until; groups: who may pass it with a reason
	NoteRuleBroken  NoteCode = "rule_broken"  // refused: name
	NoteFrozenBy    NoteCode = "frozen_by"    // refused: by ordered the freeze; cluster, until, reason; groups: who may pass it with a reason
	NotePassed      NoteCode = "passed"       // by passes the freeze name as a member of group; reason
	NoteSkipped     NoteCode = "skipped"      // By broke the glass past the vote of To, as a member of group; the reason is the request's
	NotePassedOrder NoteCode = "passed_order" // by passes the freeze that whose ordered, as a member of group; reason
	NoteGlass       NoteCode = "glass"        // By ran it without its ballot as a member of group; reason; skipped: comma list of groups
	NoteGlassHeld   NoteCode = "glass_held"   // by wanted to, and may not any more
	NoteBelowMin    NoteCode = "below_min"    // refused: to, min, cluster, group; fixed
	NoteAboveMax    NoteCode = "above_max"    // refused: to, max; fixed
	NoteAboveStep   NoteCode = "above_step"   // refused: n, max_step; fixed
	NoteTooMany     NoteCode = "too_many"     // refused: n, have; fixed
	NoteNoChange    NoteCode = "no_change"    // refused: it is that size already: to
	NoteHeld        NoteCode = "held"         // refused: for: how long it could not be judged, and kept others waiting; Text: why
	NoteRestless    NoteCode = "restless"     // refused: n: plans that were made and voided
	NoteQuiet       NoteCode = "quiet"        // the thread is full: from here on only what matters is told
	NoteMoved       NoteCode = "moved"        // refused: was, is: the size changed and no flow on record did it; it may have been this one
	NoteForgotten   NoteCode = "forgotten"    // refused: the store forgot what was done with it last
	NoteRestored    NoteCode = "restored"     // the store had come back older; this is what is known to have happened
	NoteNoChannel   NoteCode = "no_channel"   // the card can't be posted: the bot is not in channel
	NoteArchived    NoteCode = "archived"     // the same: channel is archived
	NoteRestricted  NoteCode = "restricted"   // the same: only some may post in channel
	NoteAuth        NoteCode = "auth"         // refused: account; Text
	NoteSteered     NoteCode = "steered"      // By; control: the providers.Control that the cloud took
	NoteNotSteered  NoteCode = "not_steered"  // By; control; Text: why not
	NoteReminder    NoteCode = "reminder"     // who: people who can fill an open seat, comma list; at: the end of the ballot
	NoteUnsettled   NoteCode = "unsettled"    // nobody has settled it yet; at: since when it is unknown (who may is made from config)
	NoteEscalated   NoteCode = "escalated"    // group; to: the second group, which is asked too from now on (who is made from config)
	NoteGrace       NoteCode = "grace"        // at: until when it can be stopped
	NoteStopped     NoteCode = "stopped"      // By, in the grace time; who: everybody concerned, comma list
	NoteMandate     NoteCode = "mandate"      // By's mandate id fills a seat of group; n: nodes and amount, currency that this takes; left, money, until: what stays of it
	NoteBudgetMoved NoteCode = "budget_moved" // approved, but meanwhile others took of the budget: centre, left, currency; groups: comma list of who is asked besides (who is made from config); at: the new end of the ballot

	// After the end:
	NoteRetried NoteCode = "retried" // By asked again for what is missing; id: of the new flow
	NoteCleaned NoteCode = "cleaned" // By asked to remove the failed nodes; id: of the new flow
	NoteKept    NoteCode = "kept"    // By keeps it as it is

	WaitCloud  NoteCode = "wait_cloud"  // Text: slow or throttled, tried again
	WaitBusy   NoteCode = "wait_busy"   // status: another operation runs on the cluster
	WaitPlace  NoteCode = "wait_place"  // place, behind
	WaitStart  NoteCode = "wait_start"  // at
	WaitGrace  NoteCode = "wait_grace"  // at: until when it can be stopped
	WaitBallot NoteCode = "wait_ballot" // Text: reactions, people or groups can't be read
	WaitCard   NoteCode = "wait_card"   // the card isn't posted yet
	WaitDisk   NoteCode = "wait_disk"   // the store does not vouch for what is to be sent
	WaitStore  NoteCode = "wait_store"  // at: the store restarted; what it may have forgotten must show in the cloud first
	WaitProof  NoteCode = "wait_proof"  // Text: finding out what became of a lost answer
)
