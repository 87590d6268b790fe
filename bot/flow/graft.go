package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"scalebot/providers"
)

// graft saves what only this replica knows, after the ordinary save failed or the
// record turned out to be older: the store was away, or came back without it, or
// the lease ran out. It never overwrites what another replica concluded meanwhile.
func (t *turn) graft(ctx context.Context, k *known) error {
	ctx, cancel := context.WithTimeout(ctx, graftLimit)
	defer cancel()
	for {
		err := t.restore(ctx, k)
		if err == nil {
			return nil
		}
		t.log.Warn("the cloud's answer is not saved yet", "error", err)
		timer := time.NewTimer(graftPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: what became of attempt %d is not on record yet; it is tried on from memory, or reconciled: %w", k.flow.ID, k.flow.Attempts, err)
		case <-timer.C:
		}
	}
}

// restore writes what is known over a record that knows less, once.
func (e *Engine) restore(ctx context.Context, k *known) error {
	ctx, cancel := context.WithTimeout(ctx, 2*saveTimeout)
	defer cancel()
	now, _, err := e.Store.Get(ctx, k.flow.ID)
	exists := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if k.what == knowsRequest {
		return e.retake(ctx, k, exists)
	}
	g := &turn{Engine: e, f: now, from: now.State, held: now.Booked, log: e.Logger.With("flow", k.flow.ID)}
	action, due, detail, more := g.merge(k, exists)
	if !more {
		e.Memory.forget(k)
		return nil
	}
	if detail == nil {
		detail = map[string]any{}
	}
	detail["attempt"], detail["older"] = k.flow.Attempts, now.State
	if s := k.flow.Submission; s != nil {
		detail["token"] = s.Token
	}
	graft := Graft{
		Flow: g.f, Read: now.Version, From: now.State, Due: due, Now: e.Clock.Now(),
		Audit: Audit{Actor: "scalebot", Action: "graft_" + action, Detail: detail}, Postings: g.postings(),
	}
	saved, err := e.Store.Graft(ctx, graft)
	if errors.Is(err, ErrSeatTaken) {
		if graft, err = g.beside(ctx, graft); err == nil {
			saved, err = e.Store.Graft(ctx, graft)
		}
	}
	if err != nil {
		return err
	}
	e.Memory.saved(k, saved.Version)
	e.Metrics.grafted()
	e.Logger.Error("the store had come back older than what was done; it was written again",
		"flow", saved.ID, "found", string(now.State), "now", string(saved.State), "attempt", k.flow.Attempts)
	e.Nudge()
	return nil
}

// retake records a request again that was taken in and is not on record. Another
// replica may have carried it far before it was lost, so it comes back marked.
func (e *Engine) retake(ctx context.Context, k *known, exists bool) error {
	if exists {
		return nil
	}
	now := e.Clock.Now()
	if now.Sub(k.at) < retakeAfter {
		return nil // whoever knows more of it comes first
	}
	f := k.flow
	f.Restored = true
	f.Log = append(f.Log, Note{At: now, Code: NoteRestored})
	_, fresh, err := e.Store.Accept(ctx, f, k.dedupe, Limits{})
	if errors.Is(err, ErrIDTaken) {
		err = nil
	}
	if err == nil && fresh {
		e.Metrics.grafted()
		e.Logger.Error("the store had lost a request that was taken in; it is on record again", "flow", f.ID)
		e.Nudge()
	}
	return err
}

// retakeAfter leaves time to whoever knows that the request was carried out.
const retakeAfter = 10 * time.Second

// copy is the flow as it is known, for one writer to add to: the step and Recheck
// may both be writing it.
func (k *known) copy() Flow {
	f := k.flow
	f.Log, f.Told, f.Whispers, f.After = slices.Clone(f.Log), slices.Clone(f.Told), slices.Clone(f.Whispers), slices.Clone(f.After)
	return f
}

// merge makes t.f what both the record as it is and this replica's knowledge add
// up to; false if the record already knows as much. The rules, by the attempt that
// is known and what the record says:
//
//   - no record, or one that never heard of this attempt, in whatever state: all
//     that is known is written. Only "not accepted" adds nothing to a record that
//     will ask again anyway.
//   - the same attempt: an acceptance is proof over every state that has none. Any
//     other answer is about our own send alone, and counts while that is what the
//     record waits for.
//   - a later attempt: it was made because ours was taken for not accepted. If ours
//     was accepted all the same, the change was or may be made twice: a person is
//     asked. If the later one was proved not accepted, ours is simply followed.
//   - two acceptances with two operations: made twice, a person is asked.
func (t *turn) merge(k *known, exists bool) (action string, due time.Time, detail map[string]any, more bool) {
	now := t.f
	if k.what == knowsEnd {
		if exists && (now.State.HoldsSeat() || now.State.Ended() || now.Attempts > k.flow.Attempts) {
			return "", time.Time{}, nil, false
		}
		t.f = k.copy()
		t.tell(Note{Code: NoteRestored})
		return "end", time.Time{}, nil, true
	}
	accepted := k.err == nil
	switch {
	case !exists, now.Attempts < k.flow.Attempts:
		kind := providers.KindOf(k.err)
		if exists && (kind == providers.Retry || kind == providers.Occupied) {
			return "", time.Time{}, nil, false
		}
		t.f = k.copy()
		t.tell(Note{Code: NoteRestored})
	case accepted && now.Operation != nil && sameOperation(*now.Operation, k.op):
		return "", time.Time{}, nil, false
	case accepted && (now.Operation != nil || now.Attempts > k.flow.Attempts && (now.State == Submitting || now.State == Unknown)):
		return t.doubled(k)
	case accepted: // over a state without proof, also one that had ended
		t.f.End, t.f.EndedAt, t.f.Submission, t.f.Quote = nil, time.Time{}, k.flow.Submission, k.flow.Quote
		t.keepBooked(k.flow)
	case now.Attempts > k.flow.Attempts, now.SentBy != k.flow.SentBy, now.Repeats > k.flow.Repeats:
		// Somebody else sent it too, or repeated it by its token: that ours was not taken
		// says nothing about theirs. Found by flowsim, seed 201504.
		return "", time.Time{}, nil, false
	case now.State == Submitting:
	case now.State == Unknown && providers.KindOf(k.err) != providers.Unknown && now.Operation == nil:
		t.f.End = nil
	default:
		return "", time.Time{}, nil, false
	}
	action, due, detail = t.answered(k.op, k.err)
	return action, due, detail, true
}

// keepBooked takes the ledger's part of what was sent over a record that let go of
// it meanwhile: money that was spent must stand in its book.
func (t *turn) keepBooked(sent Flow) {
	if len(t.f.Booked) == 0 {
		t.f.Booked = sent.Booked
	}
}

// doubled hands a flow to a person that was, or may have been, carried out twice.
func (t *turn) doubled(k *known) (action string, due time.Time, detail map[string]any, more bool) {
	if t.f.Doubled {
		return "", time.Time{}, nil, false
	}
	t.keepBooked(k.flow)
	detail = map[string]any{"accepted": k.op, "recorded": t.f.Operation, "recorded_attempt": t.f.Attempts}
	other := "attempt " + strconv.Itoa(t.f.Attempts)
	otherZH := "第 " + strconv.Itoa(t.f.Attempts) + " 次提交"
	if t.f.Operation != nil {
		other += " (operation " + t.f.Operation.ID + ")"
		otherZH += "（操作编号 " + t.f.Operation.ID + "）"
	} else {
		t.f.Operation, t.f.Submission, t.f.Quote = &k.op, k.flow.Submission, k.flow.Quote
	}
	t.f.Doubled, t.f.EndedAt = true, time.Time{}
	t.finish(Unknown, Note{Code: NoteUnknown, Text: providers.Text{
		EN: "Redis came back older, so the change may have been made twice: the cloud accepted attempt " + strconv.Itoa(k.flow.Attempts) +
			" (operation " + k.op.ID + ") and there is " + other + ". Look at both in the cloud's console and take back the one that is too many.",
		ZH: "Redis 数据曾回退，变更可能执行了两次：云平台已接受第 " + strconv.Itoa(k.flow.Attempts) + " 次提交（操作编号 " + k.op.ID + "），另有" + otherZH +
			"。请在云控制台核对并撤销多余的一次。",
	}})
	return "doubled", t.Clock.Now().Add(unknownPoll), detail, true
}

// beside turns a graft whose cluster was given to another flow meanwhile into one
// that a person is asked about: two changes are, or may be, under way at once.
func (t *turn) beside(ctx context.Context, g Graft) (Graft, error) {
	_, holder, err := t.Store.Place(ctx, SeatKey(g.Flow.Request.Wish.Change), g.Flow.ID)
	if err != nil {
		return g, err
	}
	t.f = g.Flow
	if t.f.State != Unknown {
		t.finish(Unknown, Note{Code: NoteUnknown, Text: providers.Text{
			EN: "Redis came back older: this change had already been sent, and meanwhile " + holder + " was given the cluster. Please look at both in the cloud's console.",
			ZH: "Redis 数据曾回退：此变更早已提交，而该集群随后又分配给了 " + holder + "。请在云控制台核对两者。",
		}})
	}
	g.Flow, g.Postings, g.Beside, g.Due = t.f, t.postings(), true, t.Clock.Now().Add(2*time.Second)
	return g, nil
}

// sameOperation reports whether two answers speak of one operation; a cloud
// without ids can't say otherwise.
func sameOperation(a, b providers.Operation) bool { return a.ID == b.ID || a.ID == "" || b.ID == "" }
