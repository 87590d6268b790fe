package flow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"scalebot/approvals"
)

// choice is the vote that a signal carries; false for any other signal.
func (k SignalKind) choice() (approvals.Choice, bool) {
	switch k {
	case SignalApprove:
		return approvals.Approve, true
	case SignalDeny:
		return approvals.Deny, true
	case SignalTakeBack:
		return approvals.TakenBack, true
	case SignalCancel, SignalPause, SignalResume, SignalStop, SignalHappened, SignalRetry, SignalClose, SignalHalt:
	}
	return "", false
}

func (s Signal) vote() (approvals.Vote, bool) {
	choice, ok := s.Kind.choice()
	return approvals.Vote{
		User: s.By, Plan: s.Plan, PlanHash: s.PlanHash, Choice: choice, Reason: s.Reason, At: s.At, Dedupe: s.Dedupe,
	}, ok
}

// withVote puts a vote in the place of the person's earlier one on the same plan,
// so that who voted first stays first and a record can't be filled up by
// pressing.
func withVote(votes []approvals.Vote, v approvals.Vote) []approvals.Vote {
	if i := voteOf(votes, v.User, v.Plan); i >= 0 {
		votes = slices.Clone(votes)
		votes[i] = v
		return votes
	}
	return append(votes[:len(votes):len(votes)], v)
}

func voteOf(votes []approvals.Vote, user string, plan int) int {
	return slices.IndexFunc(votes, func(v approvals.Vote) bool { return v.User == user && v.Plan == plan })
}

// takeVotes puts the votes that wait as signals into the record, as long as a
// vote may still stop something.
func (t *turn) takeVotes() {
	if t.f.State.Ended() || t.f.State.HoldsSeat() {
		return
	}
	for _, s := range t.signals {
		if v, ok := s.vote(); ok {
			t.f.Votes = withVote(t.f.Votes, v)
			t.voted, t.changed = true, true
		}
	}
}

// opened is when people were asked about the current plan.
func (f *Flow) opened() time.Time {
	if len(f.Plans) == 0 {
		return time.Time{}
	}
	return f.Plans[len(f.Plans)-1].At
}

// askedAt is when people were last asked about the current plan, all or some of
// them.
func (f *Flow) askedAt() time.Time {
	if opened := f.opened(); !f.FurtherAt.After(opened) {
		return opened
	}
	return f.FurtherAt
}

// onRecord are the facts of a ballot that stand in the record.
func (t *turn) onRecord(plan approvals.Plan, asked []approvals.Requirement, reactions []approvals.Reaction, expires time.Time) approvals.BallotFacts {
	facts := approvals.BallotFacts{
		PlanHash: plan.Hash, Plan: len(t.f.Plans), Requirements: asked, Requester: t.f.Request.User,
		Reactions: reactions, Votes: t.f.Votes, Bot: t.Bot, OpenedAt: t.f.opened(), Now: t.Clock.Now(), ExpiresAt: expires,
	}
	if t.f.Verdict != nil {
		before := t.f.Verdict.Ballot
		facts.Before = &before
	}
	for _, p := range t.f.Plans[:len(t.f.Plans)-1] {
		if p.Ballot != nil {
			facts.Replaced = append(facts.Replaced, *p.Ballot)
		}
	}
	return facts
}

// members looks up the groups that a ballot asks, kept to those people who matter:
// a group of a thousand is not written down at every count. One that can't be read is
// left out, and Count fails closed on it.
func (t *turn) members(ctx context.Context, b approvals.BallotFacts, matters func(string) bool) map[string][]string {
	// A little ahead: the verdict's time is taken after the look-ups.
	all, err := t.memberships(ctx, groupsAt(b.Requirements, b.OpenedAt, b.Now.Add(t.CallTimeout)))
	if err != nil {
		t.lacks = err
	}
	for g, ids := range all {
		all[g] = slices.DeleteFunc(ids, func(id string) bool { return !matters(id) })
	}
	return all
}

// groupsAt are the groups that a ballot opened then asks at a time.
func groupsAt(reqs []approvals.Requirement, opened, at time.Time) []string {
	var names []string
	for _, q := range reqs {
		names = append(names, q.Asked(opened, at)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// memberships reads who is in these groups. One that can't be read is left out; a
// *notYet ends it: the others can't be read either before the quota has a look left.
func (t *turn) memberships(ctx context.Context, groups []string) (map[string][]string, error) {
	all := map[string][]string{}
	for _, g := range groups {
		var members []string
		err := errNoSuchGroup
		if group, known := t.Approvals.Groups[g]; known {
			err = t.call(ctx, func(ctx context.Context) (err error) {
				members, err = t.Directory.Members(ctx, group)
				return err
			})
		}
		if turn, put := t.turnOf(err); put {
			return all, turn
		}
		if err != nil {
			t.log.Warn("approver group can't be read", "group", g, "error", err)
			t.lacks = err
			continue
		}
		all[g] = append([]string{}, members...) // not nil: read, even where none is there
	}
	return all, nil
}

// keptTo are the members who are among some people.
func keptTo(members map[string][]string, people []string) map[string][]string {
	for g, ids := range members {
		members[g] = slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(people, id) })
	}
	return members
}

// isIn reports whether somebody is in one of the groups.
func isIn(members map[string][]string, id string) bool {
	for _, ids := range members {
		if slices.Contains(ids, id) {
			return true
		}
	}
	return false
}

// errNoSuchGroup: nobody is in a group that config doesn't have, which is not the
// same as that nobody was.
var errNoSuchGroup = errors.New("config has no such group")

// configSettles is how old a plan must be before it is given up for want of a
// group. While replicas with an old and a new config run side by side, each would
// void the plan of the other.
const configSettles = 5 * time.Minute

// groupGone is what voids a plan that asks a group which config no longer has:
// nobody could fill the seat.
func (t *turn) groupGone(now time.Time) []approvals.Difference {
	if now.Before(t.f.opened().Add(configSettles)) {
		return nil
	}
	var gone []approvals.Difference
	for _, q := range t.f.Requirements {
		names := []string{q.Group}
		if q.Escalate != nil {
			names = append(names, q.Escalate.To)
		}
		for _, g := range names {
			d := approvals.Difference{What: approvals.GroupGone, Was: g}
			if _, known := t.Approvals.Groups[g]; !known && !slices.Contains(gone, d) {
				gone = append(gone, d)
			}
		}
	}
	return gone
}

// adopt takes a fresh verdict into the record, tells what moved, and gives what
// the audit needs to count again.
func (t *turn) adopt(v approvals.Verdict) map[string]any {
	t.tellVotes(t.f.Verdict, v)
	t.tellEscalations(t.f.Verdict, v)
	if !sameBallot(t.f.Verdict, &v) {
		t.f.Verdict, t.changed = &v, true
	}
	t.detail = map[string]any{"verdict": v, "facts": t.facts}
	return t.detail
}

func (t *turn) tellEscalations(before *approvals.Verdict, now approvals.Verdict) {
	was := map[string]bool{}
	if before != nil {
		for _, s := range before.Ballot.Seats {
			was[s.Group] = s.Escalated
		}
	}
	for _, s := range now.Ballot.Seats {
		if s.Escalated && !was[s.Group] && s.Open() > 0 {
			t.tell(Note{Code: NoteEscalated, Args: map[string]string{"group": s.Group, "to": s.Escalate.To}})
		}
	}
}

// approved sends a flow on whose seats are all filled: first into its grace time,
// where config gives one.
func (t *turn) approved(ctx context.Context, action string, detail map[string]any) error {
	t.draw(*t.f.Verdict, *t.f.Plan())
	t.tell(Note{Code: NoteApproved})
	t.whisper(Note{Code: NoteApproved, Args: map[string]string{"by": strings.Join(t.f.Verdict.Ballot.Seated(), ",")}})
	if t.Grace <= 0 {
		return t.proceed(ctx, action, detail)
	}
	now := t.Clock.Now()
	t.f.GraceUntil = now.Add(t.Grace)
	t.become(Scheduled)
	until := map[string]string{"at": t.f.GraceUntil.Format(time.RFC3339)}
	t.f.Wait = &Note{Code: WaitGrace, At: now, Args: until}
	t.tell(Note{Code: NoteGrace, Args: until})
	return t.save(ctx, action, earliest(now.Add(ballotPoll), t.f.GraceUntil), detail)
}

// deny ends a flow that somebody denied who could have approved it.
func (t *turn) deny(ctx context.Context, v approvals.Verdict, detail map[string]any) error {
	n := Note{Code: NoteDenied, By: v.Ballot.DeniedBy[0]}
	if v.Ballot.Why != "" {
		n.Args = map[string]string{"reason": v.Ballot.Why}
	}
	t.finish(Denied, n)
	return t.save(ctx, "deny", time.Time{}, detail)
}

// grace is the time after the last vote in which people can think again. A
// withdrawn vote shows at once, and counts when the ballot is read right before
// sending.
func (t *turn) grace(ctx context.Context) error {
	now := t.Clock.Now()
	if t.voted {
		return t.reconsider(ctx, t.f.Wait, now)
	}
	if !now.Before(t.f.GraceUntil) {
		t.f.GraceUntil = time.Time{}
		return t.proceed(ctx, "grace_over", nil)
	}
	wait := &Note{Code: WaitGrace, Args: map[string]string{"at": t.f.GraceUntil.Format(time.RFC3339)}}
	return t.reconsider(ctx, wait, earliest(now.Add(ballotPoll), t.f.GraceUntil))
}

// reconsider reads the ballot of a flow that was approved and not sent yet: a
// denial ends it at once, and people are asked again at once about one that waits
// for its start time, while they are still awake. What can't be read doesn't hold
// it here: the reading right before sending does.
func (t *turn) reconsider(ctx context.Context, wait *Note, due time.Time) error {
	plan := t.f.Plan()
	if plan == nil {
		return t.void(ctx, nil)
	}
	waits := t.f.State == Scheduled && t.f.GraceUntil.IsZero()
	if gone := t.groupGone(t.Clock.Now()); waits && len(gone) > 0 {
		return t.void(ctx, gone)
	}
	verdict, err := t.ballot(ctx, *plan, t.f.Requirements, t.Clock.Now().Add(t.Approvals.ExpireAfter))
	var later *unread
	var turn *notYet
	switch {
	case errors.As(err, &turn):
		return t.look(ctx, wait, earliest(turn.at, due))
	case errors.Is(err, ErrMessageGone):
		return t.void(ctx, []approvals.Difference{{What: approvals.CardGone}})
	case errors.As(err, &later):
		t.log.Warn("the ballot of an approved flow can't be read again", "error", later.err)
		return t.look(ctx, wait, earliest(t.Clock.Now().Add(ballotPoll), due))
	case err != nil:
		return err
	}
	if unread := t.undecided(verdict); unread != nil {
		t.log.Warn("the ballot of an approved flow can't be read again in full", "error", unread)
		if errors.As(unread, &later) {
			wait = &later.wait
		}
		return t.look(ctx, wait, earliest(t.Clock.Now().Add(ballotPoll), due))
	}
	asked, before := t.lastCount()
	detail := t.adopt(verdict)
	switch {
	case verdict.Status == approvals.Denied:
		return t.deny(ctx, verdict, detail)
	case waits && !verdict.Permits(*plan):
		return t.void(ctx, approvals.BallotDrift(asked, before, verdict.Ballot))
	}
	return t.look(ctx, wait, due)
}

// concerned are the people whom a stop is told by name: who asked and who voted,
// but not who pressed.
func (t *turn) concerned(by string) []string {
	all := []string{t.f.Request.User}
	if t.f.Verdict != nil {
		all = append(all, t.f.Verdict.Ballot.Seated()...)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(id string) bool { return id == by })
}
