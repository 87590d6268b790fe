package flow

import (
	"context"
	"errors"
	"slices"

	"scalebot/providers"
)

// Steer records what a person asks of a running operation; see FrontDesk.
func (d *Desk) Steer(ctx context.Context, c Caller, id string, k SignalKind) (Flow, error) {
	f, err := d.flow(ctx, id)
	if err != nil {
		return f, err
	}
	how, steers := k.control()
	if !steers || f.State != Running || f.Progress == nil || !slices.Contains(f.Progress.Controls, how) {
		return f, about(RejectSteer, f)
	}
	if err := d.mayAsk(ctx, c.User); err != nil {
		return f, err
	}
	if f.Request.User != c.User {
		settles, err := d.inOneOf(ctx, c.User, d.settlers())
		if err != nil {
			return f, err
		}
		if !settles {
			return f, d.noSettler(f)
		}
	}
	return f, d.signal(ctx, f, Signal{Kind: k, By: c.User, At: d.Clock.Now()})
}

// Again asks for what is missing; see FrontDesk.
func (d *Desk) Again(ctx context.Context, c Caller, id string) (Receipt, error) {
	f, err := d.flow(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	ask, missing := f.missing()
	if !f.State.Ended() || !missing {
		return Receipt{}, about(RejectNothing, f)
	}
	return d.followUp(ctx, c, f, ask, NoteRetried)
}

// CleanUp asks to remove failed nodes; see FrontDesk.
func (d *Desk) CleanUp(ctx context.Context, c Caller, id string) (Receipt, error) {
	f, err := d.flow(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	if !f.State.Ended() || f.Progress == nil || len(f.Progress.Failed) == 0 {
		return Receipt{}, about(RejectNothing, f)
	}
	wish := f.Request.Wish.Change
	ask := Ask{Cluster: wish.Cluster, Group: wish.Group, Op: Remove, N: len(f.Progress.Failed)}
	for _, n := range f.Progress.Failed {
		ask.Nodes = append(ask.Nodes, n.ID)
	}
	return d.followUp(ctx, c, f, ask, NoteCleaned)
}

// followUp records a request that follows from an ended flow, and on the flow
// that it was made. The delivery is named after the flow, so two people who press
// at once make one request. It outlives the note that could not be written: the
// next press finds the same request and writes it then.
func (d *Desk) followUp(ctx context.Context, c Caller, f Flow, ask Ask, code NoteCode) (Receipt, error) {
	if i := slices.IndexFunc(f.After, func(n Note) bool { return n.Code == code }); i >= 0 {
		made, err := d.flow(ctx, f.After[i].Args["id"])
		return Receipt{Flow: made}, err
	}
	c.Dedupe = string(code) + "/" + f.ID
	c.Channel = f.Request.Channel // the card of the rest belongs beside the first
	receipt, err := d.Request(ctx, c, ask)
	receipt.Delivery = c.Dedupe
	if err != nil {
		return receipt, err
	}
	made := receipt.Flow
	note := Note{At: d.Clock.Now(), Code: code, By: made.Request.User, Args: map[string]string{"id": made.ID}}
	if _, err := d.Store.Amend(ctx, f.ID, note, Audit{Actor: c.User, Action: "after_" + string(code), Detail: map[string]any{"flow": made.ID}}); err != nil {
		d.Logger.Warn("a follow-up was taken but does not stand on the first card yet", "flow", f.ID, "new", made.ID, "error", err)
	}
	d.wake()
	return receipt, nil
}

// Keep closes the question what to do about a flow that came short; see
// FrontDesk.
func (d *Desk) Keep(ctx context.Context, c Caller, id string) (Flow, error) {
	f, err := d.flow(ctx, id)
	if err != nil {
		return f, err
	}
	if f.State != Partial && f.State != Failed {
		return f, about(RejectNothing, f)
	}
	if err := d.mayAsk(ctx, c.User); err != nil {
		return f, err
	}
	if cluster, known := d.Options.Catalog[f.Request.Wish.Change.Cluster]; known {
		if err := d.mayAskFor(ctx, c.User, cluster); err != nil {
			return f, err
		}
	}
	if f.Kept() {
		return f, nil
	}
	kept, err := d.Store.Amend(ctx, f.ID, Note{At: d.Clock.Now(), Code: NoteKept, By: c.User}, Audit{Actor: c.User, Action: "after_kept"})
	if errors.Is(err, ErrInDoubt) {
		return f, err
	}
	if err != nil {
		return f, &Rejection{Code: RejectStore, Err: err}
	}
	d.wake()
	return kept, nil
}

// Kept reports whether somebody decided to leave the flow as it ended.
func (f *Flow) Kept() bool { return f.did(NoteKept) }

// Retried reports whether somebody asked again for what was missing.
func (f *Flow) Retried() bool { return f.did(NoteRetried) }

// Cleaned reports whether somebody asked to remove the failed nodes.
func (f *Flow) Cleaned() bool { return f.did(NoteCleaned) }

func (f *Flow) did(code NoteCode) bool {
	return slices.ContainsFunc(f.After, func(n Note) bool { return n.Code == code })
}

// missing is the request for what an ended flow did not reach, in the words of
// the first one; false when nothing is missing.
func (f *Flow) missing() (Ask, bool) {
	w, c := f.Request.Wish, f.Request.Wish.Change
	a := Ask{
		Cluster: c.Cluster, Group: c.Group, Op: w.Op, N: w.N, Nodes: slices.Clone(c.Nodes), Drain: c.Drain, Reason: f.Request.Reason,
	}
	if w.Op != Remove {
		a.Charge, a.InstanceType, a.Disks, a.Zone, a.Tags = c.Charge, c.InstanceType, c.Disks, c.Zone, c.Tags
		a.Start, a.Bootstrap = c.Start, c.Bootstrap
		if c.Charge == providers.Prepaid {
			a.Months, a.Renew, a.For = c.Months, new(c.Renew), f.Request.Need
		}
	}
	if f.State == Succeeded || f.closedByPerson() {
		return a, false // what the cloud did of a flow that was closed by hand nobody knows
	}
	if (f.State != Partial && f.State != Failed) || f.Progress == nil || w.Op == Set {
		return a, true // nothing of it happened, or the size asked for still says it all
	}
	changed := f.Progress.Changed
	a.N -= len(changed)
	a.Nodes = slices.DeleteFunc(a.Nodes, func(id string) bool {
		return slices.ContainsFunc(changed, func(n providers.Node) bool { return n.ID == id })
	})
	return a, a.N > 0
}

// closedByPerson reports whether somebody closed the flow while its outcome was
// unknown.
func (f *Flow) closedByPerson() bool {
	// A record from before Closed has it in its log alone.
	return f.Closed != "" || slices.ContainsFunc(f.Log, func(n Note) bool { return n.Code == NoteResolved && n.Args["how"] == string(SignalClose) })
}
