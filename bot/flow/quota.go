package flow

import (
	"context"
	"errors"
	"time"
)

// Quota shares what Slack allows a workspace among all replicas. It never makes
// anybody wait: a call that can't go now gets a time to ask again, and its flow is
// due then, so that no worker stands still while more urgent news passes by.
type Quota interface {
	// Take spends one call and returns zero, or spends nothing and returns when to
	// ask again. Whoever asks again by then keeps its place; a bid that became more
	// urgent moves forward, one that became less urgent stays.
	Take(ctx context.Context, b Bid, now time.Time) (again time.Time, err error)
	// Urge gives a bid its place before it is made: somebody else knows that it is
	// urgent. It spends nothing.
	Urge(ctx context.Context, b Bid, now time.Time) error
	// Rest keeps every replica from a call until a time: Slack asked for it.
	Rest(ctx context.Context, b Bid, until time.Time) error
}

// Call is a kind of call that Slack limits on its own.
type Call string

// The calls.
const (
	CallPost    Call = "post"    // a message in a channel or thread
	CallEdit    Call = "edit"    // of a card
	CallWhisper Call = "whisper" // a private message
	CallSearch  Call = "search"  // for a post whose answer was lost
	CallVotes   Call = "votes"   // reading the reactions of a card
	CallDelete  Call = "delete"  // of a message that stands twice
	CallGroups  Call = "groups"  // reading who is in which usergroup
	CallPeople  Call = "people"  // reading who somebody is
)

// Calls is every call.
var Calls = [...]Call{CallPost, CallEdit, CallWhisper, CallSearch, CallVotes, CallDelete, CallGroups, CallPeople}

// Urgency orders bids: lower goes first.
type Urgency int

// The urgencies.
const (
	UrgentEnd      Urgency = iota // ends, open ballots, and what a person waits for
	UrgentStage                   // a flow moved on
	UrgentProgress                // it is where it was, with more done; and what looks by itself
)

// Bid asks for one call.
type Bid struct {
	Call    Call
	Channel string // of a post; of a direct message the person
	Who     string // what would be sent: there is one bid of it at a time
	Urgency Urgency
}

// Share is one limit that a bid has to keep: a bucket that fills evenly.
type Share struct {
	Name      string
	PerMinute int
	Burst     int // the bucket's size
	// Reserve is, by urgency, what stays in the bucket for more urgent bids; less
	// than Burst.
	Reserve [UrgentProgress + 1]int
}

// Shares are the limits of a bid. They stay below what Slack documents (50 edits,
// deletions, reads and searches a minute, 100 private messages and looks at a person,
// 20 at the groups, one post a second in a channel, some hundred posts in all), because
// a call takes a while to arrive and because what is shown in the home tab, which asks
// nobody, needs room too. Rate and burst together are what Slack may see within one
// minute. The burst of people is what one ballot may ask about at one moment: of more,
// the first would be old news again before the last is known.
func (b Bid) Shares() []Share {
	switch b.Call {
	case CallPost:
		return []Share{
			{Name: "post", PerMinute: 200, Burst: 20, Reserve: reserves(4, 8)},
			{Name: "post:" + b.Channel, PerMinute: 60, Burst: 2, Reserve: reserves(0, 1)},
		}
	case CallEdit, CallVotes:
		return []Share{{Name: string(b.Call), PerMinute: 40, Burst: 8, Reserve: reserves(2, 4)}}
	case CallWhisper:
		return []Share{{Name: string(b.Call), PerMinute: 80, Burst: 8, Reserve: reserves(2, 4)}}
	case CallSearch, CallDelete:
		return []Share{{Name: string(b.Call), PerMinute: 40, Burst: 4}}
	case CallGroups:
		return []Share{{Name: string(b.Call), PerMinute: 15, Burst: 4, Reserve: reserves(1, 1)}}
	case CallPeople:
		return []Share{{Name: string(b.Call), PerMinute: 60, Burst: 36, Reserve: reserves(6, 6)}}
	}
	return nil
}

func reserves(stage, progress int) [UrgentProgress + 1]int {
	return [...]int{UrgentEnd: 0, UrgentStage: stage, UrgentProgress: progress}
}

// may asks the quota for a call; zero = go ahead. Without a quota everything
// goes ahead.
func (o *Options) may(ctx context.Context, b Bid) (again time.Time, err error) {
	if o.Quota == nil {
		return time.Time{}, nil
	}
	again, err = o.Quota.Take(ctx, b, o.Clock.Now())
	if !again.IsZero() {
		o.Metrics.putOff(b.Call)
	}
	return again, err
}

// rest passes on to all replicas that Slack wants to be left alone. It is a
// courtesy: who doesn't hear of it gets the same answer.
func (o *Options) rest(ctx context.Context, b Bid, limited *RateLimited) {
	if o.Quota == nil || !limited.Told {
		return
	}
	if err := o.Quota.Rest(ctx, b, o.Clock.Now().Add(limited.After)); err != nil {
		o.Logger.Warn("other replicas don't know that Slack asks to wait", "call", string(b.Call), "error", err)
	}
}

// notYet says that a call waits for its turn in the quota. Nobody is told: it is
// no trouble, only a matter of seconds to minutes.
type notYet struct{ at time.Time }

func (n *notYet) Error() string { return "Slack's quota allows it at " + n.at.Format(time.TimeOnly) }

// turnOf tells when the quota allows what err says that it has nothing left for. What
// Slack itself refused is no such thing: that is trouble, and told.
func (o *Options) turnOf(err error) (turn *notYet, put bool) {
	var own *RateLimited
	if errors.As(err, &own) && !own.Told {
		return &notYet{at: o.Clock.Now().Add(own.After)}, true
	}
	return nil, false
}

// soonOver is how long before its end a ballot is read before all that only look
// by themselves.
const soonOver = 2 * time.Minute

// readBid is the bid for reading a flow's votes: of itself it waits behind every
// reading that somebody's reaction, press or deadline asks for. Who heard of a
// reaction urges it.
func (f *Flow) readBid(pressing bool) Bid {
	b := Bid{Call: CallVotes, Who: f.ID, Urgency: UrgentProgress}
	if pressing {
		b.Urgency = UrgentEnd
	}
	return b
}

// urgency of showing a flow's newest card, by what is shown of it now: "" = not
// known.
func (f *Flow) urgency(shown State) Urgency {
	switch f.State {
	case AwaitingApproval, Unknown, Refused, Denied, Expired, Cancelled, Failed, Partial, Succeeded:
		return UrgentEnd // an end, or people are asked
	case Scheduled:
		if !f.GraceUntil.IsZero() && shown != f.State {
			return UrgentEnd // the time in which it can be stopped runs
		}
	case Planning, Queued, Submitting, Running:
	}
	if shown != f.State {
		return UrgentStage
	}
	return UrgentProgress
}
