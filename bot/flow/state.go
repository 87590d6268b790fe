package flow

import "slices"

// State is where a flow stands. The names are a contract (design.md sections 4
// and 9): they stand in message metadata and in `scalebot flows --json`.
type State string

// The states.
const (
	Planning         State = "planning"
	AwaitingApproval State = "awaiting_approval"
	Scheduled        State = "scheduled"
	Queued           State = "queued"
	Submitting       State = "submitting"
	Running          State = "running"
	Unknown          State = "unknown"
	Refused          State = "refused"
	Denied           State = "denied"
	Expired          State = "expired"
	Cancelled        State = "cancelled"
	Failed           State = "failed"
	Partial          State = "partial"
	Succeeded        State = "succeeded"
)

// States is every state, in the order of the road.
var States = [...]State{
	Planning, AwaitingApproval, Scheduled, Queued, Submitting, Running, Unknown,
	Refused, Denied, Expired, Cancelled, Failed, Partial, Succeeded,
}

// moves is the only table of legal moves. bot/redisstore writes it into every
// script, so that the store refuses what this code would refuse.
var moves = map[State][]State{
	Planning:         {AwaitingApproval, Scheduled, Queued, Refused, Cancelled},
	AwaitingApproval: {Scheduled, Queued, Denied, Expired, Cancelled, Planning},
	Scheduled:        {Queued, Cancelled, Planning, Denied},
	Queued:           {Submitting, Planning, Refused, Cancelled, Denied},
	Submitting:       {Running, Queued, Failed, Unknown},
	Running:          {Succeeded, Partial, Failed, Unknown},
	Unknown:          {Running, Queued, Succeeded, Failed},
}

// Moves returns a copy of the table, for the store's scripts.
func Moves() map[State][]State {
	t := make(map[State][]State, len(moves))
	for from, to := range moves {
		t[from] = slices.Clone(to)
	}
	return t
}

// MayBecome reports whether a flow may go from one state to another. Staying in
// a state that has not ended is always legal: that is how progress is saved.
func (s State) MayBecome(to State) bool {
	if s == to {
		return !s.Ended()
	}
	return slices.Contains(moves[s], to)
}

// Ended reports whether nothing can come after the state.
func (s State) Ended() bool { _, more := moves[s]; return !more }

// HoldsSeat reports whether a flow in this state occupies its cluster's one
// seat (promise 3).
func (s State) HoldsSeat() bool { return s == Submitting || s == Running || s == Unknown }

// Told reports whether a flow's arrival in the state is announced in channels
// (design.md section 9).
func (s State) Told() bool {
	return s == Succeeded || s == Partial || s == Failed || s == Unknown
}
