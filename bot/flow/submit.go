package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"scalebot/approvals"
	"scalebot/providers"
)

// The pace of flows that wait for something other than a cloud's operation.
const (
	linePoll    = 30 * time.Second // in line; a seat that frees wakes the line at once
	busyPoll    = 20 * time.Second // the cluster runs somebody else's operation
	unknownPoll = time.Minute      // a person decides, but proof may still turn up
	graftPause  = time.Second      // between tries to save what only this replica knows
	graftLimit  = 30 * time.Second // after which its memory goes on trying

	// A lost answer is asked for by a repeat of the request this often at most, and
	// this far apart: the last one comes when the first send can't arrive any more.
	maxRepeats = 3
	repeatGap  = 45 * time.Second
	// atWork is how long proof is looked for, at least, while an operation runs whose
	// end will tell: a person could only wait for it too.
	atWork = 30 * time.Minute
	// atWorkFor is how long the last look that saw it is believed while others fail.
	atWorkFor = 5 * time.Minute
	// maxPutOff ends a flow that the cloud puts off again and again. An occupied
	// cluster is not counted but timed: see notAccepted.
	maxPutOff = 20
)

// queued: wait for the cluster's one seat, look at everything once more, save
// the intent, send.
func (t *turn) queued(ctx context.Context) error {
	if t.cancelled() {
		return t.save(ctx, "cancel", time.Time{}, nil)
	}
	if t.voted && t.f.asked() {
		return t.reconsider(ctx, t.f.Wait, t.Clock.Now())
	}
	place, holder, err := t.Store.Place(ctx, SeatKey(t.f.Request.Wish.Change), t.f.ID)
	if err != nil {
		return err
	}
	if place > 1 || (holder != "" && holder != t.f.ID) {
		if t.f.Place != place {
			t.f.Place, t.changed = place, true
		}
		return t.look(ctx, &Note{Code: WaitPlace, Args: map[string]string{"place": strconv.Itoa(place), "behind": holder}}, t.Clock.Now().Add(linePoll))
	}
	voted := t.f.Plan()
	if voted == nil {
		return t.void(ctx, nil)
	}
	if waiting, err := t.settling(ctx); waiting || err != nil {
		return err
	}
	t.going = true
	if t.f.Request.BreakGlass {
		t.Directory.Refresh(nil, t.groups(t.Approvals.BreakGlass))
	}
	fresh, err := t.plan(ctx, t.call, &t.f, t.f.Request)
	if err != nil {
		return t.noPlan(ctx, fresh, err)
	}
	if fresh.snapshot.Phase == providers.Busy {
		t.f.HeldSince, t.f.OccupiedSince = time.Time{}, time.Time{}
		return t.look(ctx, &Note{Code: WaitBusy, Args: map[string]string{"status": fresh.snapshot.Status}}, t.backoff(max(t.PollMin, t.pace()), busyPoll))
	}
	if moved := approvals.Drift(*voted, fresh.planned.Plan, t.Approvals.PriceTolerance); len(moved) > 0 {
		verdict, denied, err := t.deniedMeanwhile(ctx, *voted)
		var turn *notYet
		switch {
		case errors.As(err, &turn):
			return t.look(ctx, t.f.Wait, turn.at)
		case err != nil:
			return err
		case denied:
			t.f.Verdict = &verdict
			return t.deny(ctx, verdict, map[string]any{"verdict": verdict, "facts": t.facts})
		}
		if no, err := t.mayBeOurs(ctx, fresh); err != nil {
			return err
		} else if no != nil {
			return t.refuse(ctx, *no)
		}
		return t.void(ctx, moved)
	}
	t.priced = &fresh.planned.Plan
	verdict, err := t.standing(ctx, *voted, fresh)
	if errors.Is(err, ErrMessageGone) {
		return t.void(ctx, []approvals.Difference{{What: approvals.CardGone}})
	}
	var turn *notYet
	if errors.As(err, &turn) {
		return t.look(ctx, t.f.Wait, turn.at)
	}
	var later *unread
	if errors.As(err, &later) {
		t.log.Warn("approved, but the ballot can't be read again before sending", "error", later.err)
		return t.hold(ctx, later)
	}
	if err != nil {
		return err
	}
	asked, before := t.lastCount()
	t.f.Verdict, t.f.HeldSince = &verdict, time.Time{}
	if verdict.Status == approvals.Denied {
		return t.deny(ctx, verdict, map[string]any{"verdict": verdict, "facts": t.facts})
	}
	if !verdict.Permits(*voted) {
		return t.void(ctx, approvals.BallotDrift(asked, before, verdict.Ballot))
	}
	frozen, err := t.frozenOnRecord(ctx, voted.Change.Cluster)
	if err != nil {
		return err
	}
	if frozen.On(t.Clock.Now()) && !frozen.Same(fresh.facts.Order) { // ordered since the plan was judged a moment ago
		return t.void(ctx, []approvals.Difference{{What: approvals.FreezeBegan}})
	}
	// The price of now is what is spent, within the tolerance.
	t.reserve(fresh.planned.Plan, fresh.facts.Budget)
	t.draw(verdict, fresh.planned.Plan)
	return t.send(ctx, fresh, *voted, frozen)
}

// lastCount are the requirements that people were asked to meet, none where the flow went
// unasked, and the ballot as it was counted last.
func (t *turn) lastCount() (reqs []approvals.Requirement, last approvals.Ballot) {
	if !t.f.unasked() {
		reqs = t.f.Requirements
	}
	if t.f.Verdict != nil {
		last = t.f.Verdict.Ballot
	}
	return reqs, last
}

// deniedMeanwhile reports whether somebody who could approve the voted plan denies
// it now. A plan that no longer holds is asked about anew, but not over a denial:
// who said no at the same time ends the request. A ballot that can't be read says
// nothing here; people are asked again then.
func (t *turn) deniedMeanwhile(ctx context.Context, voted approvals.Plan) (approvals.Verdict, bool, error) {
	if !t.f.asked() {
		return approvals.Verdict{}, false, nil
	}
	verdict, err := t.ballot(ctx, voted, t.f.Requirements, t.Clock.Now().Add(t.Approvals.ExpireAfter))
	var later *unread
	switch {
	case errors.Is(err, ErrMessageGone):
		return verdict, false, nil
	case errors.As(err, &later):
		t.log.Warn("whether somebody denied a plan that no longer holds can't be read", "error", later.err)
		return verdict, false, nil
	case err != nil:
		return verdict, false, err
	}
	return verdict, verdict.Status == approvals.Denied, nil
}

// standing takes the verdict once more, by the policy of now, right before
// sending. An approved ballot no longer expires. What the policy asks for the
// fresh plan decides; where that is nothing, what it asks for the voted one: a
// price that came down may free a change that people approved, and one that
// nobody had to approve must still be free as it was planned.
func (t *turn) standing(ctx context.Context, voted approvals.Plan, fresh observed) (approvals.Verdict, error) {
	now := t.Clock.Now()
	j := fresh.planned.Judgement
	if len(j.Requirements) == 0 {
		j = fresh.judge(voted)
		if verdict, free := j.Unopposed(voted, now); free {
			return verdict, nil
		}
	}
	if verdict, broken := t.glass(fresh, voted); broken {
		return verdict, nil
	}
	verdict, err := t.ballot(ctx, voted, j.Requirements, now.Add(t.Approvals.ExpireAfter))
	if err == nil {
		err = t.undecided(verdict)
	}
	return verdict, err
}

// undecided says that a verdict is pending for want of what Slack did not tell: nobody
// took a vote back, and to ask people again would be for nothing, or drop a denial. A
// group that Slack has no more does not come back by waiting.
func (t *turn) undecided(v approvals.Verdict) error {
	if v.Status != approvals.Pending || !v.Unread || errors.Is(t.lacks, ErrNoGroup) {
		return nil
	}
	return ballotUnread(cmp.Or(t.lacks, errCut))
}

var errCut = errors.New("Slack does not tell who voted in full")

// groups are the approver groups of these names.
func (t *turn) groups(names []string) []approvals.Group {
	all := make([]approvals.Group, len(names))
	for i, name := range names {
		all[i] = t.Approvals.Groups[name]
	}
	return all
}

// send saves the intent and, in the same breath, makes the call: the only place
// where a change is first sent. Whoever finds the flow in submitting later can't
// know whether the call went out and must not send. frozen is the freeze of the
// cluster that the last look saw on record: with another one nothing is sent.
func (t *turn) send(ctx context.Context, fresh observed, voted approvals.Plan, frozen *approvals.Order) error {
	now := t.Clock.Now()
	if err := t.awake(now); err != nil {
		return err
	}
	baseline := fresh.snapshot
	group, _ := baseline.Group(voted.Change.GroupID)
	baseline.Groups = []providers.Group{group}
	t.f.Attempts++
	t.f.Submission = &providers.Submission{
		Change: voted.Change, Baseline: baseline, Attempt: t.f.Attempts,
		Token: providers.Token(t.Workspace, t.f.ID, t.f.Attempts), SentAt: now,
	}
	t.f.Quote, t.f.Operation, t.f.Progress = &fresh.planned.Plan.Quote, nil, nil
	t.f.SentBy, t.f.Repeats, t.f.RepeatedAt, t.f.AtWorkAt = t.claim.Fence, 0, time.Time{}, time.Time{}
	t.become(Submitting)
	if t.f.OccupiedSince.IsZero() {
		t.tell(Note{Code: NoteSubmitting, Args: map[string]string{"attempt": strconv.Itoa(t.f.Attempts)}})
	}
	intent := t.f
	t.seen = &SeenFreeze{Order: frozen}
	err := t.write(ctx, "submit", now, now.Add(t.Lease), map[string]any{
		"plan": voted.Hash, "verdict": t.f.Verdict, "facts": t.facts, "attempt": t.f.Attempts, "token": t.f.Submission.Token,
		// The price and the rules of now: those of the plan may be days old.
		"quote": fresh.planned.Plan.Quote, "outcomes": fresh.planned.Judgement.Outcomes, "passed": fresh.planned.Judgement.Passed,
	})
	t.seen = nil
	if err != nil {
		switch {
		case errors.Is(err, ErrSeatTaken):
			return t.Store.Release(ctx, t.claim, now.Add(linePoll))
		case errors.Is(err, ErrStale): // somebody cancelled or froze the cluster in this very moment
			return t.Store.Release(ctx, t.claim, now)
		}
		return err
	}
	t.claim.Until = now.Add(t.Lease)
	if err := t.Store.Durable(ctx, t.f.ID); err != nil {
		t.log.Error("the intent is not on disk, so nothing was sent", "error", err)
		// Only this process knows that. A later step would look for proof, and where there
		// can be none a person would, while the cluster waits.
		known := t.Memory.sent(intent, providers.Operation{}, errNotOnDisk, t.Clock.Now())
		action, due, detail := t.notSent()
		if err := t.save(ctx, action, due, detail); err != nil {
			t.log.Error("that nothing was sent could not be saved; trying on", "error", err)
			return t.graft(ctx, known)
		}
		// A Redis that is behind may come back with the intent and without this.
		t.Memory.saved(known, t.f.Version)
		return nil
	}

	// A process that was frozen after the write may wake with its lease gone and
	// another replica reconciling: then it must not send.
	if !t.Clock.Now().Add(t.CallTimeout).Before(t.claim.Until) {
		return fmt.Errorf("%s: paused between intent and call: %w", t.f.ID, ErrLeaseLost)
	}
	call, cancel := context.WithTimeout(ctx, t.CallTimeout)
	op, err := fresh.provider.Submit(call, *t.f.Submission)
	cancel()
	known := t.Memory.sent(intent, op, err, t.Clock.Now())
	action, due, detail := t.answered(op, err)
	if saveErr := t.save(ctx, action, due, detail); saveErr != nil {
		t.log.Error("the cloud's answer could not be saved; trying on", "error", saveErr)
		return t.graft(ctx, known)
	}
	t.Memory.saved(known, t.f.Version)
	return nil
}

// errNotOnDisk is why a change was not handed to its provider: Redis did not vouch
// for the intent.
var errNotOnDisk = &providers.Error{Kind: providers.Retry, Advice: providers.Text{
	EN: "Redis did not confirm that the request is on record for good, so nothing was sent. Ask whoever runs Redis to look at it.",
	ZH: "Redis 未确认请求已可靠保存，因此没有发送。请让 Redis 的维护人员检查。",
}}

// notSent sends a flow back into the line whose last attempt was recorded and not
// made. It was none, so the next one has its number and its token: where Redis had
// forgotten an earlier sending, the cloud knows that token.
func (t *turn) notSent() (action string, due time.Time, detail map[string]any) {
	t.f.Attempts--
	t.f.PutOff++
	if t.f.PutOff >= maxPutOff {
		t.finish(Failed, Note{Code: NoteFailed, Text: errNotOnDisk.Advice})
		return "fail", time.Time{}, nil
	}
	now := t.Clock.Now()
	t.become(Queued)
	t.f.Wait = &Note{Code: WaitDisk, At: now}
	t.tell(Note{Code: NoteNotSent})
	return "not_sent", now.Add(min(time.Duration(t.f.PutOff)*5*time.Second, time.Minute)), nil
}

// answered turns the answer to a submission into the flow's next state.
func (t *turn) answered(op providers.Operation, err error) (action string, due time.Time, detail map[string]any) {
	now := t.Clock.Now()
	if err == nil {
		return t.accepted(op, "accept")
	}
	if errors.Is(err, errNotOnDisk) {
		return t.notSent()
	}
	text := providers.AdviceOf(err)
	detail = withTrouble(nil, err)
	switch kind := providers.KindOf(err); kind {
	case providers.Retry, providers.Occupied:
		return t.notAccepted(kind, text, detail)
	case providers.Refused, providers.NotFound, providers.Auth:
		t.finish(Failed, Note{Code: NoteFailed, Text: text})
		return "fail", time.Time{}, detail
	case providers.Unknown:
	}
	t.f.Wait = &Note{Code: WaitProof, At: now, Text: text}
	t.tell(Note{Code: NoteInDoubt, Text: text})
	return "in_doubt", now.Add(2 * time.Second), detail
}

func (t *turn) accepted(op providers.Operation, action string) (string, time.Time, map[string]any) {
	now := t.Clock.Now()
	if op.AcceptedAt.IsZero() {
		op.AcceptedAt = now
	}
	t.f.Operation, t.f.Closed, t.f.OccupiedSince = &op, "", time.Time{}
	t.become(Running)
	t.tell(Note{Code: NoteAccepted, Args: map[string]string{"operation": op.ID}})
	return action, now.Add(max(t.PollMin, t.pace())), map[string]any{"operation": op}
}

// notAccepted sends a flow back into the line, at its old place, with proof that
// its last attempt was not taken.
func (t *turn) notAccepted(kind providers.Kind, text providers.Text, detail map[string]any) (string, time.Time, map[string]any) {
	wait := 5 * time.Second
	if kind == providers.Occupied {
		wait = busyPoll / 2
	}
	// Each further attempt waits longer, so that a cloud that keeps saying "later"
	// is not asked more and more.
	wait = min(wait*time.Duration(max(t.f.Attempts, 1)), time.Minute)
	now := t.Clock.Now()
	over, quiet := false, false
	if kind == providers.Occupied {
		// Somebody else's operation takes as long as it takes, and many show in nothing
		// but this answer. It is waited for as long as for a ballot, and told once.
		if quiet = !t.f.OccupiedSince.IsZero(); !quiet {
			t.f.OccupiedSince = now
		}
		over = now.Sub(t.f.OccupiedSince) >= max(heldBallot, t.Approvals.ExpireAfter)
	} else {
		t.f.PutOff++
		over = t.f.PutOff >= maxPutOff
	}
	if over {
		t.finish(Failed, Note{Code: NoteFailed, Text: text})
		return "fail", time.Time{}, detail
	}
	t.become(Queued)
	t.f.Wait = &Note{Code: WaitCloud, At: now, Text: text}
	if !quiet {
		t.tell(Note{Code: NoteNotAccepted, Text: text})
	}
	return "not_accepted", now.Add(wait), detail
}

// submitting: a step that finds this state can't know whether the call went out.
// It looks for proof, for a time, and never sends.
func (t *turn) submitting(ctx context.Context) error {
	t.tooLate()
	repeat := t.f.Repeats < maxRepeats && t.Clock.Now().Sub(t.f.RepeatedAt) >= repeatGap
	if t.Blocked != nil {
		// A repeat that is held back would be one of the few all the same.
		_, blocked := t.Blocked(t.f.Submission.Change.Account)
		repeat = repeat && !blocked
	}
	before := t.f.RepeatedAt
	if repeat {
		// On record before it is done, like every send.
		t.f.Repeats, t.f.RepeatedAt = t.f.Repeats+1, t.Clock.Now()
		until := t.Clock.Now().Add(t.Lease)
		if err := t.write(ctx, "repeat", until, until, map[string]any{"repeat": t.f.Repeats}); err != nil {
			return err
		}
		t.claim.Until = until
		// It may be the first that reaches the cloud: the one before may have stopped for
		// want of this.
		if err := t.Store.Durable(ctx, t.f.ID); err != nil {
			t.log.Error("the repeat is not on disk, so it is not sent", "error", err)
			repeat, t.f.Repeats, t.f.RepeatedAt, t.changed = false, t.f.Repeats-1, before, true
		}
		if !t.Clock.Now().Add(t.CallTimeout).Before(t.claim.Until) {
			return fmt.Errorf("%s: paused before the repeat: %w", t.f.ID, ErrLeaseLost)
		}
	}
	finding, err := t.reconcile(ctx, repeat)
	if repeat && errors.Is(err, providers.ErrPaced) { // it was not made: one of the few is left for it
		t.f.Repeats, t.f.RepeatedAt, t.changed = t.f.Repeats-1, before, true
	}
	if errors.Is(err, ErrLeaseLost) {
		return err
	}
	if err == nil {
		switch finding.State {
		case providers.Accepted:
			action, due, detail := t.accepted(finding.Operation, "found_accepted")
			detail["evidence"] = finding.Evidence
			return t.save(ctx, action, due, detail)
		case providers.NotAccepted:
			return t.provedNot(ctx, finding)
		case providers.Unsure:
		}
	}
	evidence := finding.Evidence
	if err != nil {
		evidence = providers.AdviceOf(err)
	}
	now := t.Clock.Now()
	if finding.AtWork && now.Sub(t.f.AtWorkAt) >= time.Minute {
		t.f.AtWorkAt, t.changed = now, true
	}
	doubt := t.Doubt
	if finding.AtWork || err != nil && now.Sub(t.f.AtWorkAt) < atWorkFor {
		doubt = max(doubt, atWork)
	}
	if now.Sub(t.f.Submission.SentAt) > doubt {
		return t.handOver(ctx, evidence)
	}
	due := t.again(err, t.backoff(max(2*time.Second, t.pace()), 15*time.Second))
	return t.look(ctx, &Note{Code: WaitProof, Text: evidence}, earliest(due, t.f.Submission.SentAt.Add(doubt+time.Second)))
}

// provedNot acts on proof that the cloud did not take the change.
func (t *turn) provedNot(ctx context.Context, finding providers.Finding) error {
	detail := map[string]any{"evidence": finding.Evidence}
	kind := providers.Retry
	withTrouble(detail, finding.Cause)
	if finding.Cause != nil {
		kind = providers.KindOf(finding.Cause)
	}
	switch kind {
	case providers.Refused, providers.NotFound, providers.Auth:
		t.finish(Failed, Note{Code: NoteFailed, Text: providers.AdviceOf(finding.Cause)})
		return t.save(ctx, "fail", time.Time{}, detail)
	case providers.Retry, providers.Occupied, providers.Unknown:
	}
	action, due, detail := t.notAccepted(kind, finding.Evidence, detail)
	return t.save(ctx, action, due, detail)
}

// reconcile asks the provider what became of the submission. Without repeat it
// only looks.
func (t *turn) reconcile(ctx context.Context, repeat bool) (finding providers.Finding, err error) {
	sub := *t.f.Submission
	sub.Look = !repeat
	p, ok := t.Clouds.Provider(t.f.Submission.Change.Account)
	if !ok {
		return providers.Finding{State: providers.Unsure, Evidence: accountGone(t.f.Submission.Change.Account)}, nil
	}
	err = t.call(ctx, func(ctx context.Context) (err error) {
		finding, err = p.Reconcile(ctx, sub)
		return err
	})
	return finding, err
}

// unknown: a named person decides on the card; proof that turns up by itself is
// taken too.
func (t *turn) unknown(ctx context.Context) error {
	t.tooLate()
	now := t.Clock.Now()
	if t.torn() {
		t.tell(Note{Code: NoteTorn})
		return t.save(ctx, "settle_torn", now.Add(unknownPoll), map[string]any{"signals": t.signals})
	}
	for _, s := range t.signals {
		note := Note{Code: NoteResolved, By: s.By, Args: map[string]string{"how": string(s.Kind), "operation": s.Operation}}
		detail := map[string]any{"signal": s}
		switch s.Kind {
		case SignalHappened:
			t.tell(note)
			op := providers.Operation{ID: s.Operation, AcceptedAt: t.f.Submission.SentAt}
			if op.ID == "" && t.f.Operation != nil {
				op = *t.f.Operation
			}
			op.AcceptedAt = now // following starts anew: its time limit counts from the decision
			t.f.End, t.f.Doubled = nil, false
			action, due, _ := t.accepted(op, "settle_happened")
			return t.save(ctx, action, due, detail)
		case SignalRetry:
			if t.f.Operation != nil {
				continue // the cloud took it: to send it again would be to do it twice
			}
			t.tell(note)
			t.f.End, t.f.OccupiedSince, t.f.PutOff = nil, time.Time{}, 0
			t.become(Queued)
			return t.save(ctx, "settle_retry", now, detail)
		case SignalClose:
			t.tell(note)
			t.f.Doubled = false
			t.f.Closed = s.By
			t.finish(Failed, Note{Code: NoteFailed, By: s.By, Text: t.f.End.Text})
			return t.save(ctx, "settle_close", time.Time{}, detail)
		case SignalCancel, SignalPause, SignalResume, SignalStop, SignalApprove, SignalDeny, SignalTakeBack, SignalHalt:
		}
	}
	switch {
	case t.f.Doubled: // what the cloud says of one of the two is no answer
	case t.f.Operation == nil: // it became unknown for want of an answer, not of an end
		finding, err := t.reconcile(ctx, false)
		if errors.Is(err, ErrLeaseLost) {
			return err
		}
		if err == nil && finding.State == providers.Accepted {
			t.f.End = nil
			action, due, detail := t.accepted(finding.Operation, "found_accepted")
			detail["evidence"] = finding.Evidence
			return t.save(ctx, action, due, detail)
		}
	default:
		ended, err := t.endSeen(ctx)
		if errors.Is(err, ErrLeaseLost) {
			return err
		}
		if ended {
			t.f.End = nil
			action, due, detail := t.accepted(*t.f.Operation, "found_again")
			return t.save(ctx, action, due, detail)
		}
	}
	t.remindSettlers()
	return t.look(ctx, nil, now.Add(unknownPoll))
}

// torn reports whether people who may settle said different things: then none of
// it is done, and they are asked to agree.
func (t *turn) torn() bool {
	var first SignalKind
	for _, s := range t.signals {
		switch s.Kind {
		case SignalHappened, SignalRetry, SignalClose:
			if first != "" && first != s.Kind {
				return true
			}
			first = s.Kind
		case SignalCancel, SignalPause, SignalResume, SignalStop, SignalApprove, SignalDeny, SignalTakeBack, SignalHalt:
		}
	}
	return false
}

// endSeen reports whether the cloud meanwhile says how an operation ended that was
// handed to a person because it could not be followed.
func (t *turn) endSeen(ctx context.Context) (bool, error) {
	p, ok := t.Clouds.Provider(t.f.Submission.Change.Account)
	if !ok {
		return false, nil
	}
	var seen providers.Progress
	err := t.call(ctx, func(ctx context.Context) (err error) {
		seen, err = p.Follow(ctx, *t.f.Submission, *t.f.Operation)
		return err
	})
	return err == nil && seen.State != providers.Running, err
}
