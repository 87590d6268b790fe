package flow

import (
	"context"
	"errors"
	"strings"

	"scalebot/approvals"
)

// maxReason is how many characters of a denial's reason are kept.
const maxReason = 1000

// Voted is the answer to a vote by button or command.
type Voted struct {
	Flow   Flow
	Choice approvals.Choice // TakenBack after an approval that was given before
	Same   bool             // the vote was so already: nothing new is on record
}

// Vote records a vote; see FrontDesk.
func (d *Desk) Vote(ctx context.Context, c Caller, id string, n int, choice approvals.Choice, reason string) (Voted, error) {
	f, signals, err := d.ballotOf(ctx, c, id, n)
	if err != nil {
		return Voted{Flow: f}, err
	}
	if err := d.countable(ctx, f, c.User); err != nil {
		return Voted{Flow: f}, err
	}
	votes := f.Votes
	for _, s := range signals { // not taken up yet, but on record
		if v, ok := s.vote(); ok {
			votes = withVote(votes, v)
		}
	}
	plan := len(f.Plans)
	var last approvals.Vote
	// A store that came back older may have a vote on another plan of that number.
	if i := voteOf(votes, c.User, plan); i >= 0 && votes[i].PlanHash == f.Plan().Hash {
		last = votes[i]
		if c.Dedupe != "" && last.Dedupe == c.Dedupe {
			return Voted{Flow: f, Choice: last.Choice}, nil
		}
	}
	switch stands := last.Choice == approvals.Approve; {
	case choice == approvals.Approve && stands && n > 0:
		choice = approvals.TakenBack
	case choice == approvals.Approve && stands, choice == approvals.TakenBack && !stands:
		// A line that is typed again, or sent again for want of an answer, says the same
		// thing twice.
		return Voted{Flow: f, Choice: choice, Same: true}, nil
	}
	s := Signal{
		By: c.User, At: d.Clock.Now(), Plan: plan, PlanHash: f.Plan().Hash, Dedupe: c.Dedupe,
	}
	switch choice {
	case approvals.Approve:
		s.Kind = SignalApprove
	case approvals.Deny:
		s.Kind, s.Reason = SignalDeny, firstRunes(strings.TrimSpace(reason), maxReason)
	case approvals.TakenBack:
		s.Kind = SignalTakeBack
	}
	return Voted{Flow: f, Choice: choice}, d.signal(ctx, f, s)
}

func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// MayVote says why a vote would not count; see FrontDesk.
func (d *Desk) MayVote(ctx context.Context, c Caller, id string, n int) error {
	f, _, err := d.ballotOf(ctx, c, id, n)
	if err != nil {
		return err
	}
	return d.countable(ctx, f, c.User)
}

// ballotOf reads a flow that can be voted on, with the signals that wait. A vote
// still counts after the approval, until the change is sent: it may end it.
func (d *Desk) ballotOf(ctx context.Context, c Caller, id string, n int) (Flow, []Signal, error) {
	f, signals, err := d.Store.Get(ctx, NormalID(id))
	if errors.Is(err, ErrNotFound) {
		return f, nil, &Rejection{Code: RejectFlow, Args: map[string]string{"word": id}}
	}
	if err != nil {
		return f, nil, &Rejection{Code: RejectStore, Err: err}
	}
	if n > 0 && n < len(f.Plans) || n > 0 && n == len(f.Plans) && f.Plan() == nil {
		return f, nil, about(RejectOldPlan, f)
	}
	if n > 0 && n == len(f.Plans) && !strings.HasPrefix(f.Plan().Hash, c.Saw) {
		// The store came back older and the number was given anew.
		return f, nil, about(RejectOldPlan, f)
	}
	if n > len(f.Plans) || n < 0 || f.Plan() == nil || !f.asked() {
		return f, nil, about(RejectBallot, f)
	}
	switch f.State {
	case AwaitingApproval, Scheduled, Queued:
		return f, signals, nil
	case Planning, Submitting, Running, Unknown, Refused, Denied, Expired, Cancelled, Failed, Partial, Succeeded:
	}
	return f, nil, about(RejectBallot, f)
}

// countable turns away whose vote would not count, in the words of the card.
func (d *Desk) countable(ctx context.Context, f Flow, user string) error {
	people, err := d.Directory.People(ctx, []string{user})
	if err != nil {
		return &Rejection{Code: RejectPerson, Err: err}
	}
	facts := approvals.BallotFacts{
		Requirements: f.Requirements, Requester: f.Request.User, People: people, Members: map[string][]string{},
		OpenedAt: f.opened(), Now: d.Clock.Now(),
	}
	var unread error
	for _, q := range f.Requirements {
		for _, g := range q.Asked(facts.OpenedAt, facts.Now) {
			var members []string
			err := errNoSuchGroup
			if group, known := d.Approvals.Groups[g]; known {
				members, err = d.Directory.Members(ctx, group)
			}
			if err != nil {
				unread = errors.Join(unread, err)
				continue
			}
			facts.Members[g] = members
		}
	}
	if why := d.Policy.Barred(facts, user); why != "" {
		no := about(RejectVote, f)
		no.Args["vote"], no.Err = string(why), unread
		return no
	}
	return nil
}

// Halt stops a flow in its grace time; see FrontDesk.
func (d *Desk) Halt(ctx context.Context, c Caller, id string) (Flow, error) {
	f, err := d.flow(ctx, id)
	switch {
	case err != nil:
		return f, err
	case f.State != Scheduled || f.GraceUntil.IsZero():
		return f, about(RejectStop, f)
	}
	if err := d.mayAsk(ctx, c.User); err != nil {
		return f, err
	}
	if f.Request.User != c.User {
		in, err := d.inOneOf(ctx, c.User, append(d.askedNow(f), d.settlers()...))
		if err != nil {
			return f, err
		}
		if !in {
			return f, about(RejectNoStop, f)
		}
	}
	return f, d.signal(ctx, f, Signal{Kind: SignalHalt, By: c.User, At: d.Clock.Now()})
}

// askedNow are the groups that the plan's rules ask at this moment.
func (d *Desk) askedNow(f Flow) []string {
	var groups []string
	for _, q := range f.Requirements {
		groups = append(groups, q.Asked(f.opened(), d.Clock.Now())...)
	}
	return groups
}
