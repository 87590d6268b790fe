package flow

import (
	"context"
	"slices"
	"strconv"
	"time"

	"scalebot/providers"
)

// rebirth is how long after the store came to life, possibly without its last
// second, nothing is sent for flows from before: what was sent in that second
// shows in the cloud by then, as an operation that runs or a size that moved.
const rebirth = 2 * time.Minute

// apart is how far the clock that took a request may be ahead of the one that saw the
// store come to life: a flow that seems to be so much younger may be older.
const apart = 5 * time.Second

// born says when the store came to life that may have forgotten something of this
// flow; zero = it has forgotten nothing.
func (t *turn) born(ctx context.Context) (time.Time, error) {
	if t.Reborn == nil {
		return time.Time{}, nil
	}
	at, err := t.Reborn(ctx)
	if err != nil || at.IsZero() || !t.f.CreatedAt.Before(at.Add(apart)) {
		return time.Time{}, err
	}
	return at, nil
}

// settling holds a flow in line while what the store may have forgotten can't show
// in the cloud yet.
func (t *turn) settling(ctx context.Context) (bool, error) {
	at, err := t.born(ctx)
	if err != nil || at.IsZero() {
		return false, err
	}
	until := at.Add(rebirth)
	if !t.Clock.Now().Before(until) {
		return false, nil
	}
	return true, t.look(ctx, &Note{Code: WaitStore, Args: map[string]string{"at": until.Format(time.RFC3339)}}, until)
}

// mayBeOurs refuses a change that may have been made already, by this very flow, in
// a time that the store forgot: a size relative to one that has moved without any
// flow on record having moved it. To plan it anew would do it twice. A request for a
// size says itself what is left to do. Where people are asked they read the
// difference, which will do for what somebody else did, but not once the store may
// have forgotten a sending of the plan: nobody who approves knows of that. Found by
// flowsim, seed 301740.
func (t *turn) mayBeOurs(ctx context.Context, made observed) (*Note, error) {
	if t.f.Request.Wish.Op == Set {
		return nil, nil
	}
	why, err := t.riddle(ctx, made)
	if err != nil || why == nil {
		return nil, err
	}
	if why.Code == NoteMoved {
		at, err := t.born(ctx)
		if err != nil {
			return nil, err
		}
		if t.f.Plans[len(t.f.Plans)-1].At.Before(at.Add(apart)) && !t.f.Request.StartAt.After(at.Add(apart)) {
			return why, nil
		}
	}
	if unasked, err := t.runsUnasked(ctx, made); err != nil || !unasked {
		return nil, err
	}
	return why, nil
}

// riddle says why a change may have been made already, by all that can be known;
// nil = it was not.
func (t *turn) riddle(ctx context.Context, made observed) (*Note, error) {
	if len(t.f.Plans) == 0 {
		at, err := t.born(ctx)
		if err != nil {
			return nil, err
		}
		if t.f.Restored || !at.IsZero() {
			return &Note{Code: NoteForgotten}, nil
		}
		return nil, nil
	}
	was, is := t.f.Plans[len(t.f.Plans)-1], made.planned.Plan
	group, _ := made.snapshot.Group(is.Change.GroupID)
	gone := slices.ContainsFunc(was.Plan.Change.Nodes, func(id string) bool {
		return !slices.ContainsFunc(group.Nodes, func(n providers.Node) bool { return n.ID == id })
	})
	if was.Plan.Base == is.Base && !gone {
		return nil, nil
	}
	told, err := t.toldBy(ctx, was, is.Base)
	if err != nil || told {
		return nil, err
	}
	return &Note{Code: NoteMoved, Args: map[string]string{"was": strconv.Itoa(was.Plan.Base), "is": strconv.Itoa(is.Base)}}, nil
}

// runsUnasked reports whether a plan would, or could, go without anybody being
// asked: no rule asks, the glass was broken, or a mandate votes in advance.
func (t *turn) runsUnasked(ctx context.Context, made observed) (bool, error) {
	if _, free := made.judge(made.planned.Plan).Unopposed(made.planned.Plan, made.facts.Now); free {
		return true, nil
	}
	if _, broken := t.glass(made, made.planned.Plan); broken {
		return true, nil
	}
	all, err := t.mandates(ctx, &t.f, made.planned.Plan)
	return len(all) > 0, err
}

// How far back, and over how many records, the flows are looked for that moved a
// group.
const (
	toldSince = 30 * 24 * time.Hour
	toldScan  = 1000
)

// toldBy reports whether other flows on record account for all that happened to
// the group since a plan was made: each began at the size that the one before
// left, and the last left the size of now. A size that merely adds up is not
// enough: a forgotten change would hide between two that are on record.
func (t *turn) toldBy(ctx context.Context, since Planned, size int) (bool, error) {
	flows, err := t.Store.List(ctx, Filter{Since: t.Clock.Now().Add(-toldSince), Limit: toldScan})
	if err != nil {
		return false, err
	}
	change := since.Plan.Change
	// The plan's time is taken when its calls are over, and the cluster was looked at
	// in the first of them.
	looked := since.At.Add(-3 * t.CallTimeout)
	flows = slices.DeleteFunc(flows, func(f Flow) bool {
		return f.ID == t.f.ID || f.Submission == nil || f.Operation == nil || SeatKey(f.Submission.Change) != SeatKey(change) ||
			f.Submission.Change.GroupID != change.GroupID || f.State.Ended() && f.EndedAt.Before(looked)
	})
	slices.SortFunc(flows, func(a, b Flow) int { return a.Submission.SentAt.Compare(b.Submission.SentAt) })
	at, told := since.Plan.Base, false
	for _, f := range flows {
		group, _ := f.Submission.Baseline.Group(change.GroupID)
		left := group.Count + f.came()
		if !f.State.Ended() {
			left = group.Count + f.Submission.Change.Delta
		}
		low, high := min(group.Count, left), max(group.Count, left)
		switch {
		case f.Submission.SentAt.Before(since.At):
			// The plan was made while it ran, on anything between its two sizes; or it
			// was over by then.
			if at < low || at > high {
				continue
			}
		case group.Count != at:
			return false, nil
		}
		at, told = left, size == left
		if !f.State.Ended() { // it is on its way
			told = low <= size && size <= high
		}
	}
	return told, nil
}

// came is by how many nodes a flow changed its group, as far as is known.
func (f *Flow) came() int {
	n := f.Submission.Change.Delta
	if f.State == Succeeded || f.Progress == nil {
		return n
	}
	if n < 0 {
		return -len(f.Progress.Changed)
	}
	return len(f.Progress.Changed)
}

// refuse ends a flow whose change must not be made as it was asked for.
func (t *turn) refuse(ctx context.Context, why Note) error {
	t.finish(Refused, why)
	return t.save(ctx, "refuse", time.Time{}, map[string]any{"why": why})
}
