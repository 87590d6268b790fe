package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"scalebot/approvals"
	"scalebot/providers"
)

// Engine drives due flows, one step at a time, each under a lease. Any number of
// engines in any number of processes may share one store.
type Engine struct {
	Options
	nudge   chan struct{}
	early   chan struct{} // steps of flows that were not sent yet
	ballots chan struct{} // of those, the ones that read votes
}

// NewEngine makes an engine; Run starts it.
func NewEngine(o Options) *Engine {
	if o.Memory == nil {
		o.Memory = NewMemory()
	}
	return &Engine{
		Options: o, nudge: make(chan struct{}, 1),
		early: make(chan struct{}, max(1, o.Workers-max(1, o.Workers/4))), ballots: make(chan struct{}, max(1, o.Workers/2)),
	}
}

// room gives a step its place among those of its kind, and what gives it back; nil
// if there is none. What was sent is followed whatever Slack does: steps that read
// votes get at most half of the workers, and all steps before the sending together
// leave some free.
func (e *Engine) room(s State) (leave func()) {
	var held []chan struct{}
	leave = func() {
		for _, c := range held {
			<-c
		}
	}
	enter := func(c chan struct{}) bool {
		select {
		case c <- struct{}{}:
			held = append(held, c)
			return true
		default:
			return false
		}
	}
	switch s {
	case AwaitingApproval, Scheduled:
		if !enter(e.ballots) || !enter(e.early) {
			leave()
			return nil
		}
	case Planning, Queued:
		if !enter(e.early) {
			return nil
		}
	case Submitting, Running, Unknown, Refused, Denied, Expired, Cancelled, Failed, Partial, Succeeded:
	}
	return leave
}

// The pace of an idle worker pool, and how long a stop may take: the promise to
// the outside is 10 s (design.md section 9).
const (
	idlePoll    = 250 * time.Millisecond
	roomPause   = 2 * time.Second // before a step is tried again for which there was no room
	stopGrace   = 6 * time.Second
	saveTimeout = 2 * time.Second
)

// Nudge makes the engine look for due flows at once instead of at its next poll.
func (e *Engine) Nudge() { nudge(e.nudge) }

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run claims and steps due flows until ctx ends; then it takes no more, lets the
// steps in hand finish for a few seconds, and returns nil. A cloud call that is
// still out after that is cut, and its flow saved as in doubt.
func (e *Engine) Run(ctx context.Context) error {
	var memory sync.WaitGroup
	memory.Go(func() { e.recheck(ctx) })
	defer memory.Wait()
	return drive(ctx, e.Options, LaneStep, e.nudge, e.Step)
}

// drive is the loop that both lanes share.
func drive(ctx context.Context, o Options, lane Lane, nudge <-chan struct{}, step func(context.Context, Claim) error) error {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var steps sync.WaitGroup
	slots := make(chan struct{}, o.Workers)
	finished := make(chan struct{}, 1)
	var trouble string
	for ctx.Err() == nil {
		wait := idlePoll
		if free := o.Workers - len(slots); free > 0 {
			claims, err := o.Store.Claim(ctx, lane, o.Clock.Now(), o.Lease, free)
			if text := fmt.Sprint(err); err != nil && ctx.Err() == nil && text != trouble {
				o.Logger.Error("flows can't be claimed", "lane", lane, "error", err)
				trouble = text
			} else if err == nil {
				trouble = ""
			}
			for _, c := range claims {
				slots <- struct{}{}
				steps.Go(func() {
					defer func() {
						<-slots
						select {
						case finished <- struct{}{}:
						default:
						}
					}()
					o.guard(work, lane, c, step)
				})
			}
			if len(claims) == free {
				wait = 0
			}
		}
		if wait == 0 && len(slots) < o.Workers {
			continue
		}
		timer := time.NewTimer(idlePoll)
		select {
		case <-ctx.Done():
		case <-nudge:
		case <-finished:
		case <-timer.C:
		}
		timer.Stop()
	}
	late := time.AfterFunc(stopGrace, cut)
	defer late.Stop()
	steps.Wait()
	return nil
}

// guard runs one step, and keeps a bug in one flow from ending all others.
func (o *Options) guard(ctx context.Context, lane Lane, c Claim, step func(context.Context, Claim) error) {
	log := o.Logger.With("flow", c.ID, "lane", string(lane))
	started := o.Clock.Now()
	err := func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic in a step: %v", r)
				log.Error("a step panicked; its flow comes back when the lease has run out", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			}
		}()
		return step(ctx, c)
	}()
	o.Metrics.stepped(lane, o.Clock.Now().Sub(started), err)
	switch {
	case err == nil:
	case errors.Is(err, ErrLeaseLost), errors.Is(err, ErrStale):
		log.Warn("another replica has the flow", "error", err)
	default:
		// The lease is left to run out: the flow comes back by itself, and not at
		// once, so that a broken one can't spin.
		log.Error("step failed", "error", err)
	}
}

// Step does one step of one claimed flow: it looks at the stored state and the
// real world, does at most one outside effect, saves and releases the claim.
// Run calls it; a simulator may call it directly.
func (e *Engine) Step(ctx context.Context, c Claim) error {
	f, signals, err := e.Store.Get(ctx, c.ID)
	if err != nil {
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNewer) {
			return errors.Join(err, e.Store.Release(ctx, c, e.Clock.Now().Add(e.Lease)))
		}
		return err
	}
	t := &turn{Engine: e, claim: c, f: f, from: f.State, signals: signals, before: f.Verdict, held: f.Booked, log: e.Logger.With("flow", f.ID)}
	if k := t.Memory.ahead(&f); k != nil {
		if err := t.graft(ctx, k); err != nil {
			return err
		}
		// Nothing may have been left to write; the claim ended with what was written.
		if err := e.Store.Release(ctx, c, e.Clock.Now()); !errors.Is(err, ErrLeaseLost) && !errors.Is(err, ErrIllegal) {
			return err
		}
		return nil
	}
	leave := e.room(f.State)
	if leave == nil {
		return e.Store.Release(ctx, c, e.Clock.Now().Add(roomPause))
	}
	defer leave()
	t.takeVotes()
	t.dropOutdated()
	err = t.step(ctx)
	// Nothing was written: it is judged again, at once. Of an unknown flow, somebody else
	// decided in this very moment, maybe otherwise.
	if errors.Is(err, ErrLedger) || f.State == Unknown && errors.Is(err, ErrStale) {
		return e.Store.Release(ctx, t.claim, e.Clock.Now())
	}
	return err
}

// step does what is to be done in the flow's state.
func (t *turn) step(ctx context.Context) error {
	switch t.f.State {
	case Planning:
		return t.planning(ctx)
	case AwaitingApproval:
		return t.awaiting(ctx)
	case Scheduled:
		return t.scheduled(ctx)
	case Queued:
		return t.queued(ctx)
	case Submitting:
		return t.submitting(ctx)
	case Running:
		return t.running(ctx)
	case Unknown:
		return t.unknown(ctx)
	case Refused, Denied, Expired, Cancelled, Failed, Partial, Succeeded:
		return t.Store.Release(ctx, t.claim, time.Time{})
	}
	return fmt.Errorf("flow %s is in state %q, which this version does not know", t.f.ID, t.f.State)
}

// turn is one step in the making: the flow as it will be saved.
type turn struct {
	*Engine
	claim   Claim
	f       Flow
	from    State
	signals []Signal
	changed bool
	before  *approvals.Verdict // as it was read: another one is news for the audit
	log     *slog.Logger

	held   []Booking        // what the record as read holds of the ledger
	guards map[string]guard // by book: what the next save is held to
	priced *approvals.Plan  // fresher than the voted one: what a mandate would give now

	voted   bool                   // votes were taken into the record in this turn
	going   bool                   // the ballot that is read decides on sending
	lacks   error                  // why a group asked could not be read
	facts   *approvals.BallotFacts // that a ballot was last counted from in this turn
	seen    *SeenFreeze            // that the move to be saved rests on
	counted *approvals.Verdict     // of the last reading of the ballot in this turn, by facts
	detail  map[string]any         // for the audit entry of a look that is news

	outdated []Signal // decisions that are about something that is over
}

// call runs one outside call under a lease that outlives it. A lease that ran out
// is not renewed, even if nobody took the flow over: whoever slept through it
// would go on with what the world was like before.
func (t *turn) call(ctx context.Context, do func(context.Context) error) error {
	now := t.Clock.Now()
	if err := t.awake(now); err != nil {
		return err
	}
	c, err := t.outlive(ctx, t.claim)
	if err != nil {
		return err
	}
	t.claim = c
	ctx, cancel := context.WithTimeout(ctx, t.CallTimeout)
	defer cancel()
	return do(ctx)
}

// outlive extends a lease that would not outlive one outside call.
func (o *Options) outlive(ctx context.Context, c Claim) (Claim, error) {
	now := o.Clock.Now()
	if c.Until.Sub(now) >= o.CallTimeout+o.Lease/6 {
		return c, nil
	}
	return o.Store.Extend(ctx, c, now.Add(o.Lease))
}

// awake fails once the lease has run out by our own clock.
func (t *turn) awake(now time.Time) error {
	if now.Before(t.claim.Until) {
		return nil
	}
	return fmt.Errorf("%s: this step slept through its lease: %w", t.f.ID, ErrLeaseLost)
}

// become sets the state to be saved.
func (t *turn) become(s State) {
	t.f.State, t.f.Wait, t.changed = s, nil, true
	if s != Queued {
		t.f.Place = 0
	}
	if s.Ended() {
		t.f.EndedAt = t.Clock.Now()
	}
	if s.Told() {
		t.f.Told = append(t.f.Told, s)
	}
}

// tell adds a note to the thread.
func (t *turn) tell(n Note) {
	n.At, n.Plan = t.Clock.Now(), len(t.f.Plans)
	t.changed = true
	switch {
	case len(t.f.Log) < quietAfter:
	case !n.Code.chatty():
		if len(t.f.Log) >= logMost {
			return
		}
	case t.f.Log[len(t.f.Log)-1].Code == NoteQuiet, slices.ContainsFunc(t.f.Log[quietAfter:], func(n Note) bool { return n.Code == NoteQuiet }):
		return
	default:
		n = Note{At: n.At, Plan: n.Plan, Code: NoteQuiet}
	}
	t.f.Log = append(t.f.Log, n.short())
}

// whisper adds a note for the requester alone.
func (t *turn) whisper(n Note) {
	n.At = t.Clock.Now()
	if len(t.f.Whispers) >= logMost {
		return
	}
	t.f.Whispers = append(t.f.Whispers, n.short())
	t.changed = true
}

// finish ends the flow, or makes it unknown, with the note that says why. Ends
// that no channel is told of are told to the requester.
func (t *turn) finish(s State, n Note) {
	n.At = t.Clock.Now()
	t.f.End = &n
	t.become(s)
	t.tell(n)
	if !s.Told() && (n.By == "" || n.By != t.f.Request.User) {
		t.whisper(n)
	}
}

// save writes the move and ends the turn. Once the real world was touched the
// answer must be kept even if a stop has begun, so the write has a time of its
// own.
func (t *turn) save(ctx context.Context, action string, due time.Time, detail map[string]any) error {
	return t.write(ctx, action, due, time.Time{}, detail)
}

func (t *turn) write(ctx context.Context, action string, due, keep time.Time, detail map[string]any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if !t.from.MayBecome(t.f.State) {
		// A mistake of ours, which the script would refuse too: as trouble with Redis, that
		// is tried again and again.
		return fmt.Errorf("%s: %s → %s: %w", t.f.ID, t.from, t.f.State, ErrIllegal)
	}
	if len(t.outdated) > 0 {
		detail = maps.Clone(detail)
		if detail == nil {
			detail = map[string]any{}
		}
		detail["outdated"] = t.outdated
	}
	actor := "scalebot"
	for _, n := range t.f.Log {
		if n.By != "" && n.At.After(t.f.UpdatedAt) && n.Code != NoteOutdated {
			actor = n.By
		}
	}
	var look time.Time
	commit := t.f.commitment()
	if commit != nil {
		look = NextRenewal(*commit, t.RenewalReminders, 0, t.Clock.Now())
		detail = withCommitment(detail, *commit)
	}
	saved, err := t.Store.Save(ctx, t.claim, Save{
		Flow: t.f, From: t.from, Due: due, Keep: keep, Signals: len(t.signals), TellNow: true, Now: t.Clock.Now(),
		Postings: t.postings(),
		Audit:    Audit{Actor: actor, Action: action, Detail: detail}, Commit: commit, CommitDue: look, Seen: t.seen,
	})
	if err != nil {
		return fmt.Errorf("%s: %s → %s: %w", t.f.ID, t.from, t.f.State, err)
	}
	if t.from != t.f.State {
		t.Metrics.moved(t.from, t.f.State)
		if saved.State == Cancelled || saved.State == Denied {
			t.Memory.stopped(saved, t.Clock.Now())
		}
		t.log.Info("moved", "from", string(t.from), "to", string(t.f.State), "action", action, "cluster", t.f.Request.Wish.Change.Cluster)
	}
	t.f, t.from, t.signals, t.changed, t.outdated = saved, saved.State, nil, false, nil
	t.held, t.guards = saved.Booked, nil
	t.Nudge()
	return nil
}

// look ends a turn that may have nothing to save: it says what is waited for and
// when to look again, and writes only if that is news.
func (t *turn) look(ctx context.Context, wait *Note, due time.Time) error {
	if wait != nil {
		wait.At = t.Clock.Now()
	}
	if !sameWait(t.f.Wait, wait) {
		t.f.Wait, t.changed = wait, true
	}
	if t.changed || len(t.signals) > 0 {
		action, detail := "look", t.detail
		if t.f.State == AwaitingApproval && t.f.Verdict != t.before {
			action = "votes" // who counted, who did not and why
			if detail == nil {
				detail = map[string]any{"verdict": t.f.Verdict}
			}
		}
		return t.save(ctx, action, due, detail)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return t.Store.Release(ctx, t.claim, due)
}

// withTrouble adds an error to an audit detail, with the cloud's own code and
// request id where it has them: its support asks for the id.
func withTrouble(detail map[string]any, err error) map[string]any {
	if err == nil {
		return detail
	}
	if detail == nil {
		detail = map[string]any{}
	}
	detail["error"] = err.Error()
	var e *providers.Error
	if errors.As(err, &e) {
		for name, v := range map[string]string{"request_id": e.RequestID, "code": e.Code, "kind": string(e.Kind)} {
			if v != "" {
				detail[name] = v
			}
		}
	}
	return detail
}

func sameWait(a, b *Note) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Code != b.Code || a.Text != b.Text || len(a.Args) != len(b.Args) {
		return false
	}
	for k, v := range a.Args {
		if b.Args[k] != v {
			return false
		}
	}
	return true
}

// backoff paces looks at something that does not change: the longer nothing was
// news, the longer the wait.
func (t *turn) backoff(least, most time.Duration) time.Time {
	now := t.Clock.Now()
	return now.Add(min(max(now.Sub(t.f.UpdatedAt)/4, least), most))
}

// again is when to look again after a cloud gave no answer: at the usual pace, and
// not before the error says that it is of use. Flows that wait for one account come
// back spread over a few seconds.
func (t *turn) again(err error, due time.Time) time.Time {
	at := providers.RetryAtOf(err)
	if at.IsZero() {
		return due
	}
	if at = at.Add(time.Duration(share(t.f.ID) * float64(2*time.Second))); at.After(due) {
		return at
	}
	return due
}

// cancelled takes up a cancellation while nothing was sent yet.
func (t *turn) cancelled() bool {
	for _, s := range t.signals {
		if s.Kind == SignalCancel {
			t.finish(Cancelled, Note{Code: NoteCancelled, By: s.By})
			return true
		}
		if s.Kind == SignalHalt {
			t.finish(Cancelled, Note{Code: NoteStopped, By: s.By, Args: map[string]string{"who": strings.Join(t.concerned(s.By), ",")}})
			return true
		}
	}
	return false
}

// tooLate answers cancellations of what was already sent.
func (t *turn) tooLate() {
	for _, s := range t.signals {
		if s.Kind == SignalCancel || s.Kind == SignalHalt {
			t.whisper(Note{Code: NoteTooLate, By: s.By})
		}
	}
}
