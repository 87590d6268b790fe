package flow

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalebot/approvals"
	"scalebot/providers"
)

// planning: observe the cluster, price the change, judge the policy.
func (t *turn) planning(ctx context.Context) error {
	if t.cancelled() {
		return t.save(ctx, "cancel", time.Time{}, nil)
	}
	if t.f.ExpiresAt.IsZero() {
		t.f.ExpiresAt = t.f.CreatedAt.Add(t.Approvals.ExpireAfter)
	}
	if n := len(t.f.Plans); n >= plansMost {
		return t.refuse(ctx, Note{Code: NoteRestless, Args: map[string]string{"n": strconv.Itoa(n)}})
	}
	made, err := t.plan(ctx, t.call, &t.f, t.f.Request)
	if err != nil {
		if made.planned.Judgement.Refusal != nil {
			t.complete(ctx, made.planned.Facts)
			t.f.Refused = &made.planned
		}
		return t.noPlan(ctx, made, err)
	}
	if no, err := t.mayBeOurs(ctx, made); err != nil {
		return err
	} else if no != nil {
		return t.refuse(ctx, *no)
	}
	if err := t.compare(ctx, t.call, &made); err != nil {
		return err
	}
	t.complete(ctx, made.planned.Facts)
	t.f.Plans = append(t.f.Plans, made.planned)
	t.f.Requirements = made.planned.Judgement.Requirements
	plan := t.f.Plan()
	now := t.Clock.Now()
	t.f.ExpiresAt = now.Add(t.Approvals.ExpireAfter)
	t.f.Verdict = nil
	detail := map[string]any{
		"plan": plan, "outcomes": made.planned.Judgement.Outcomes, "requirements": t.f.Requirements, "passed": made.planned.Judgement.Passed,
	}
	t.tell(Note{Code: NotePlanned, Args: map[string]string{"from": strconv.Itoa(plan.Base), "to": strconv.Itoa(plan.Target)}})
	t.tellPasses(made.planned.Judgement.Passed)
	if verdict, why := t.withoutBallot(made); why != nil {
		t.f.Verdict, detail["verdict"] = &verdict, verdict
		t.tell(*why)
		t.tellSkipped(ctx, verdict.Glass)
		t.reserve(*plan, made.facts.Budget)
		return t.proceed(ctx, "plan", detail)
	}
	if verdict, all := t.inAdvance(ctx, made); all {
		t.f.Verdict, detail["verdict"], detail["facts"] = &verdict, verdict, t.facts
		t.reserve(*plan, made.facts.Budget)
		return t.approved(ctx, "plan", detail)
	}
	t.become(AwaitingApproval)
	return t.save(ctx, "plan", now, detail)
}

// noPlan ends or delays a flow that could not be planned, as far as made was.
func (t *turn) noPlan(ctx context.Context, made observed, err error) error {
	var no *refusal
	if errors.As(err, &no) {
		t.finish(Refused, no.note)
		detail := map[string]any{"why": no.note}
		if j := made.planned.Judgement; j.Refusal != nil {
			detail["plan"], detail["outcomes"], detail["requirements"], detail["passed"] = made.planned.Plan, j.Outcomes, j.Requirements, j.Passed
		}
		return t.save(ctx, "refuse", time.Time{}, withTrouble(detail, no.err))
	}
	var later *unread
	if !errors.As(err, &later) {
		return err
	}
	t.log.Warn("planning waits", "error", later.err)
	if t.from == Planning && !t.Clock.Now().Before(t.f.ExpiresAt) {
		t.finish(Refused, Note{Code: NoteRefused, Text: later.wait.Text})
		return t.save(ctx, "refuse", time.Time{}, withTrouble(map[string]any{"why": later.err.Error()}, later.err))
	}
	if turn, put := t.turnOf(err); put {
		return t.look(ctx, t.f.Wait, turn.at)
	}
	t.detail = withTrouble(nil, later.err)
	return t.hold(ctx, later)
}

// How long the first of a line may wait for what it must be judged by: everybody
// behind it waits too. A cloud that gives no answer gives none to them either.
const heldBallot = 30 * time.Minute

// hold makes a flow wait for what can't be read now. The first of a line does so
// for a time only.
func (t *turn) hold(ctx context.Context, later *unread) error {
	now := t.Clock.Now()
	if t.from == Queued {
		if t.f.HeldSince.IsZero() {
			t.f.HeldSince, t.changed = now, true
		}
		most := heldBallot
		if later.wait.Code == WaitCloud {
			most = max(most, t.Approvals.ExpireAfter)
		}
		if held := now.Sub(t.f.HeldSince); held >= most {
			return t.refuse(ctx, Note{Code: NoteHeld, Text: later.wait.Text, Args: map[string]string{"for": held.Round(time.Minute).String()}})
		}
	}
	return t.look(ctx, &later.wait, t.again(later.err, t.backoff(2*time.Second, time.Minute)))
}

// proceed sends an approved flow on: to its start time, or into the line.
func (t *turn) proceed(ctx context.Context, action string, detail map[string]any) error {
	now := t.Clock.Now()
	if at := t.f.Request.StartAt; at.After(now) {
		t.become(Scheduled)
		t.tell(Note{Code: NoteScheduled, Args: map[string]string{"at": at.Format(time.RFC3339)}})
		return t.save(ctx, action, t.startLook(now), detail)
	}
	t.become(Queued)
	return t.save(ctx, action, now, detail)
}

// void closes the plan and sends the flow back to be planned and asked again.
func (t *turn) void(ctx context.Context, why []approvals.Difference) error {
	last := &t.f.Plans[len(t.f.Plans)-1]
	t.tell(Note{Code: NoteReplaced})
	last.Void, last.VoidedBy = true, why
	if v := t.f.Verdict; v != nil && v.Ballot.PlanHash == last.Plan.Hash {
		last.Ballot = &v.Ballot
	}
	t.f.Reminded, t.f.GraceUntil, t.f.HeldSince, t.f.Booked = 0, time.Time{}, time.Time{}, nil
	t.f.OccupiedSince = time.Time{}
	t.f.Verdict, t.f.Requirements, t.f.ExpiresAt = nil, nil, time.Time{}
	t.become(Planning)
	t.f.ExpiresAt = t.Clock.Now().Add(t.Approvals.ExpireAfter)
	detail := map[string]any{"plan": last.Plan.Hash, "differences": why}
	if t.counted != nil { // what the record would otherwise have lost with the votes
		detail["verdict"], detail["facts"] = t.counted, t.facts
	}
	return t.save(ctx, "void", t.Clock.Now(), detail)
}

// The pace of an open ballot: read at least every minute even if no event came,
// and once more right before it expires, so that a vote whose event was lost
// still counts.
const (
	ballotPoll = 50 * time.Second
	lastLook   = 3 * time.Second
	// startPoll is for ballots that were approved for later: events wake them, and
	// most of Slack's readings belong to those that are open.
	startPoll = 5 * time.Minute
)

// awaiting: read the real reactions from Slack, build the ballot, take the
// verdict.
func (t *turn) awaiting(ctx context.Context) error {
	if t.cancelled() {
		return t.save(ctx, "cancel", time.Time{}, nil)
	}
	plan := t.f.Plan()
	if plan == nil {
		return t.void(ctx, nil)
	}
	if !t.Clock.Now().Before(t.f.ExpiresAt) {
		return t.expire(ctx)
	}
	if began, err := t.freezeBegan(ctx, t.Clock.Now()); err != nil {
		return err
	} else if began {
		return t.void(ctx, []approvals.Difference{{What: approvals.FreezeBegan}})
	}
	if gone := t.groupGone(t.Clock.Now()); len(gone) > 0 {
		return t.void(ctx, gone)
	}
	verdict, err := t.ballot(ctx, *plan, t.f.Requirements, t.f.ExpiresAt)
	if errors.Is(err, ErrMessageGone) {
		return t.void(ctx, []approvals.Difference{{What: approvals.CardGone}})
	}
	if errors.Is(err, errNoCard) {
		// The courier wakes the flow once the card is up. To tell it on the card that
		// there is no card would be silly.
		return t.look(ctx, nil, earliest(t.backoff(2*time.Second, ballotPoll), t.f.ExpiresAt))
	}
	var turn *notYet
	if errors.As(err, &turn) {
		return t.look(ctx, t.f.Wait, earliest(turn.at, t.f.ExpiresAt))
	}
	var later *unread
	if errors.As(err, &later) {
		due := t.backoff(2*time.Second, ballotPoll)
		var limited *RateLimited
		if errors.As(err, &limited) {
			due = t.Clock.Now().Add(limited.After)
		}
		return t.look(ctx, &later.wait, earliest(due, t.f.ExpiresAt))
	}
	if err != nil {
		return err
	}
	detail := t.adopt(verdict)
	switch verdict.Status {
	case approvals.Approved:
		if ok, err := t.afford(ctx, *plan); !ok {
			return err
		}
		return t.approved(ctx, "approve", detail)
	case approvals.Denied:
		return t.deny(ctx, verdict, detail)
	case approvals.Expired:
		return t.expire(ctx)
	case approvals.Pending:
	}
	t.remind(ctx)
	now := t.Clock.Now()
	due := now.Add(ballotPoll)
	if last := t.f.ExpiresAt.Add(-lastLook); last.After(now) {
		due = earliest(due, last)
	} else {
		due = earliest(due, t.f.ExpiresAt)
	}
	return t.look(ctx, nil, t.soonest(now, due))
}

func (t *turn) expire(ctx context.Context) error {
	t.finish(Expired, Note{Code: NoteExpired})
	return t.save(ctx, "expire", time.Time{}, map[string]any{"verdict": t.f.Verdict, "facts": t.facts})
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

var errNoCard = errors.New("the card is not posted yet")

// ballot reads who holds which reaction on the plan's card now, who they are and
// who is in the groups asked, and counts. The time of the verdict is taken after
// the read: a vote counts if it was there at a read before the expiry.
func (t *turn) ballot(ctx context.Context, plan approvals.Plan, asked []approvals.Requirement, expires time.Time) (approvals.Verdict, error) {
	posts, err := t.Store.Posts(ctx, t.f.ID)
	if err != nil {
		return approvals.Verdict{}, err
	}
	card, up := posts.Cards[len(t.f.Plans)]
	if !up || card.TS == "" || card.Plan != plan.Hash {
		return approvals.Verdict{}, &unread{wait: Note{Code: WaitCard}, err: errNoCard}
	}
	// Groups come first: what their quota puts off must not have spent a reading of the
	// votes, of which Slack allows hardly more.
	opened, soon := t.f.opened(), t.Clock.Now().Add(2*t.CallTimeout)
	if t.going {
		t.Directory.Refresh(nil, t.groups(groupsAt(asked, opened, soon)))
	}
	members, err := t.memberships(ctx, groupsAt(asked, opened, soon))
	if err != nil {
		return approvals.Verdict{}, err
	}
	bid := t.f.readBid(t.voted || t.f.State == Queued || t.f.State == AwaitingApproval && t.Clock.Now().Add(soonOver).After(t.f.ExpiresAt))
	if again, err := t.may(ctx, bid); err != nil {
		return approvals.Verdict{}, err
	} else if !again.IsZero() {
		return approvals.Verdict{}, &notYet{at: again}
	}
	var reactions []approvals.Reaction
	if err := t.call(ctx, func(ctx context.Context) (err error) {
		reactions, err = t.Ballots.Reactions(ctx, card.MessageRef)
		return err
	}); err != nil {
		if errors.Is(err, ErrMessageGone) || errors.Is(err, ErrLeaseLost) {
			return approvals.Verdict{}, err
		}
		var limited *RateLimited
		if errors.As(err, &limited) {
			t.rest(ctx, bid, limited)
		}
		return approvals.Verdict{}, ballotUnread(err)
	}
	readAt := t.Clock.Now() // a vote counts if it was there at a read before the expiry
	facts := t.onRecord(plan, asked, reactions, expires)
	priced := plan
	if t.priced != nil {
		priced = *t.priced
	}
	if facts.Mandates, err = t.mandates(ctx, &t.f, priced); err != nil {
		return approvals.Verdict{}, err
	}
	voters := append(t.Policy.VotersOf(facts), signers(facts.Mandates)...)
	facts.Members = keptTo(members, voters)
	if t.going {
		// A vote of somebody who is in none of the groups counts for nothing, whoever they
		// are: hundreds may react, and each look is one of those that Slack allows.
		t.Directory.Refresh(slices.DeleteFunc(slices.Clone(voters), func(id string) bool { return !isIn(facts.Members, id) }), nil)
	}
	if facts.People, err = t.people(ctx, voters); err != nil {
		if turn, put := t.turnOf(err); put {
			return approvals.Verdict{}, turn
		}
		return approvals.Verdict{}, ballotUnread(err)
	}
	facts.Now = readAt
	verdict := t.Policy.Count(facts)
	t.facts, t.counted = &facts, &verdict
	return verdict, nil
}

// people looks people up within the time of one call.
func (t *turn) people(ctx context.Context, ids []string) (found map[string]approvals.Person, err error) {
	err = t.call(ctx, func(ctx context.Context) (err error) {
		found, err = t.Directory.People(ctx, ids)
		return err
	})
	return found, err
}

func sameBallot(a, b *approvals.Verdict) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Status == b.Status && a.Ballot.PlanHash == b.Ballot.PlanHash &&
		slices.Equal(a.Ballot.DeniedBy, b.Ballot.DeniedBy) && a.Ballot.Why == b.Ballot.Why && slices.Equal(a.Ballot.Uncounted, b.Ballot.Uncounted) &&
		slices.Equal(a.Ballot.Mandates, b.Ballot.Mandates) &&
		slices.EqualFunc(a.Ballot.Seats, b.Ballot.Seats, func(x, y approvals.Seat) bool {
			return x.Group == y.Group && x.N == y.N && x.Escalated == y.Escalated && slices.Equal(x.By, y.By)
		})
}

// tellVotes logs who gained and who lost a seat.
func (t *turn) tellVotes(before *approvals.Verdict, now approvals.Verdict) {
	was, is := seated(before), seated(&now)
	for _, who := range slices.Sorted(maps.Keys(is)) {
		if was[who] == "" && !byMandate(now.Ballot)[who] { // a use is told once it is drawn
			t.tell(Note{Code: NoteVote, By: who, Args: map[string]string{"group": is[who]}})
		}
	}
	for _, who := range slices.Sorted(maps.Keys(was)) {
		if is[who] == "" && !byMandate(before.Ballot)[who] {
			t.tell(Note{Code: NoteUnvote, By: who, Args: map[string]string{"group": was[who]}})
		}
	}
}

func seated(v *approvals.Verdict) map[string]string {
	by := map[string]string{}
	if v != nil {
		for _, s := range v.Ballot.Seats {
			for _, who := range s.By {
				by[who] = s.Group
			}
		}
	}
	return by
}

// scheduled: wait for the end of the grace time, then for the start time.
func (t *turn) scheduled(ctx context.Context) error {
	if t.cancelled() {
		return t.save(ctx, "cancel", time.Time{}, nil)
	}
	if !t.f.GraceUntil.IsZero() {
		return t.grace(ctx)
	}
	now, at := t.Clock.Now(), t.f.Request.StartAt
	switch wait := (&Note{Code: WaitStart, Args: map[string]string{"at": at.Format(time.RFC3339)}}); {
	case t.f.asked() && now.Before(at):
		// Who denies at noon must not wait for the night to see that it counts.
		return t.reconsider(ctx, wait, t.startLook(now))
	case t.f.asked() && t.voted:
		return t.reconsider(ctx, t.f.Wait, now)
	case now.Before(at):
		return t.look(ctx, wait, at)
	}
	t.become(Queued)
	return t.save(ctx, "start", now, nil)
}

// startLook is when to look again at a flow that waits for its start time.
func (t *turn) startLook(now time.Time) time.Time {
	if !t.f.asked() {
		return t.f.Request.StartAt
	}
	return earliest(now.Add(startPoll), t.f.Request.StartAt)
}

// pace is how long the flow's cloud wants to be left alone between two looks.
func (t *turn) pace() time.Duration {
	if t.Pace == nil {
		return 0
	}
	return t.Pace(t.f.Request.Wish.Change.Account)
}

// running: poll the operation; progress and nodes that joined.
func (t *turn) running(ctx context.Context) error {
	t.tooLate()
	p, ok := t.Clouds.Provider(t.f.Request.Wish.Change.Account)
	if !ok {
		return t.look(ctx, &Note{Code: WaitCloud, Text: accountGone(t.f.Request.Wish.Change.Account)}, t.backoff(t.PollMin, time.Minute))
	}
	if s, asked := t.steered(); asked {
		return t.steer(ctx, p, s)
	}
	now := t.Clock.Now()
	var seen providers.Progress
	err := t.call(ctx, func(ctx context.Context) (err error) {
		seen, err = p.Follow(ctx, *t.f.Submission, *t.f.Operation)
		return err
	})
	age := now.Sub(t.f.Operation.AcceptedAt)
	due := now.Add(max(min(max(age/20, t.PollMin), t.PollMax), t.pace()))
	if errors.Is(err, ErrLeaseLost) {
		return err
	}
	if err != nil {
		if providers.KindOf(err) == providers.NotFound {
			return t.handOver(ctx, providers.AdviceOf(err))
		}
		if age > t.Follow {
			return t.handOver(ctx, providers.AdviceOf(err))
		}
		return t.look(ctx, &Note{Code: WaitCloud, Text: providers.AdviceOf(err)}, t.again(err, due))
	}
	t.tellProgress(seen)
	t.f.Progress = &seen
	detail := map[string]any{"progress": seen, "operation": t.f.Operation}
	switch seen.State {
	case providers.Running:
		if age > t.Follow {
			return t.handOver(ctx, providers.Text{
				EN: "The operation has run for " + t.Follow.String() + " and the cloud does not say that it ended.",
				ZH: "操作已运行 " + t.Follow.String() + "，云平台仍未给出结束状态。",
			})
		}
		return t.look(ctx, nil, due)
	case providers.Succeeded:
		t.finish(Succeeded, Note{Code: NoteSucceeded})
		return t.save(ctx, "succeed", time.Time{}, detail)
	case providers.Partial:
		t.finish(Partial, Note{Code: NotePartial, Text: said(seen.Message), Args: map[string]string{
			"got": strconv.Itoa(len(seen.Changed)), "want": strconv.Itoa(abs(t.f.Submission.Change.Delta)),
		}})
		return t.save(ctx, "end_partial", time.Time{}, detail)
	case providers.Failed:
		t.finish(Failed, Note{Code: NoteFailed, Text: said(seen.Message)})
		return t.save(ctx, "fail", time.Time{}, detail)
	}
	return t.look(ctx, nil, due)
}

// steered finds the first signal that steers the operation. Signals behind it
// stay on record for the next step.
func (t *turn) steered() (Signal, bool) {
	for i, s := range t.signals {
		if _, ok := s.Kind.control(); ok {
			n := i + 1
			for n < len(t.signals) && t.signals[n].Kind == "" { // put aside, and told
				n++
			}
			t.signals = t.signals[:n]
			return s, true
		}
	}
	return Signal{}, false
}

// steer passes on what a person asked of the running operation: the one outside
// effect of its step. A crash between call and save makes the call again, which
// the port allows. What the cloud doesn't take is told and not tried again: the
// person sees it and may press again.
func (t *turn) steer(ctx context.Context, p providers.Provider, s Signal) error {
	how, _ := s.Kind.control()
	note := Note{Code: NoteSteered, By: s.By, Args: map[string]string{"control": string(how)}}
	detail := map[string]any{"signal": s, "operation": t.f.Operation}
	if t.f.Progress == nil || !slices.Contains(t.f.Progress.Controls, how) {
		note.Code, note.Text = NoteNotSteered, providers.Text{
			EN: "The operation had moved on and could not be steered this way any more.", ZH: "操作已有进展，无法再执行此操作。",
		}
	} else if err := t.call(ctx, func(ctx context.Context) error {
		return p.Control(ctx, *t.f.Submission, *t.f.Operation, how)
	}); errors.Is(err, ErrLeaseLost) {
		return err
	} else if err != nil {
		note.Code, note.Text = NoteNotSteered, providers.AdviceOf(err)
		withTrouble(detail, err)
	}
	t.tell(note)
	return t.save(ctx, "steer", t.Clock.Now(), detail)
}

func said(cloudWords string) providers.Text { return providers.Text{EN: cloudWords, ZH: cloudWords} }

func abs(n int) int { return max(n, -n) }

func accountGone(name string) providers.Text {
	return providers.Text{
		EN: "Account " + name + " is no longer in this replica's config; put it back to follow the operation.",
		ZH: "账号 " + name + " 已不在此副本的配置中；请恢复配置以继续跟踪。",
	}
}

// tellProgress logs stages that began or ended and nodes that joined or left.
func (t *turn) tellProgress(seen providers.Progress) {
	before := providers.Progress{}
	if t.f.Progress != nil {
		before = *t.f.Progress
	}
	was := map[string]providers.StageState{}
	for _, s := range before.Stages {
		was[s.Name] = s.State
	}
	for _, s := range seen.Stages {
		if s.State != was[s.Name] && s.State != providers.StagePending {
			t.tell(Note{Code: NoteStage, Args: map[string]string{"stage": s.Name, "state": string(s.State)}, Text: said(s.Detail)})
		}
	}
	known := map[string]bool{}
	for _, n := range before.Changed {
		known[n.ID] = true
	}
	var fresh []string
	for _, n := range seen.Changed {
		if !known[n.ID] {
			fresh = append(fresh, n.ID)
		}
	}
	if len(fresh) > 0 {
		code := NoteJoined
		if !t.f.Submission.Change.Adds() {
			code = NoteLeft
		}
		t.tell(Note{Code: code, Args: map[string]string{"n": strconv.Itoa(len(fresh)), "nodes": strings.Join(fresh, ",")}})
	}
	if seen.Attention != before.Attention && !seen.Attention.IsZero() {
		t.tell(Note{Code: NoteAttention, Text: seen.Attention})
	}
	if seen.Percent != before.Percent || seen.Count != before.Count || len(seen.Stages) != len(before.Stages) || seen.Attention != before.Attention ||
		!slices.Equal(seen.Controls, before.Controls) || len(seen.Failed) != len(before.Failed) {
		t.changed = true
	}
}

// handOver gives a flow that can't be told by machine to a person (promise 6).
func (t *turn) handOver(ctx context.Context, evidence providers.Text) error {
	t.finish(Unknown, Note{Code: NoteUnknown, Text: evidence})
	return t.save(ctx, "hand_over", t.Clock.Now().Add(unknownPoll), map[string]any{"evidence": evidence})
}
