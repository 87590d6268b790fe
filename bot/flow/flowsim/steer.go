package flowsim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"scalebot/bot/flow"
	"scalebot/providers"
)

// steered is a press to steer an operation that a script took.
type steered struct {
	kind flow.SignalKind
	by   string
	at   time.Time
}

// forgotPaused is after which somebody in the console goes on with an operation
// that was paused, so that no cluster stays taken for good.
const forgotPaused = 12 * time.Minute

// controls are the ways in which an operation can be steered now.
func (c *cloud) controls(op *operation) []providers.Control {
	switch {
	case c.s.mood.steering == 0 || c.style == byState || op.applied:
		return nil
	case !op.paused.IsZero():
		return []providers.Control{providers.Resume, providers.Cancel}
	}
	return []providers.Control{providers.Pause, providers.Cancel}
}

// steer does what was asked of an operation; what is so already, or is over, stays.
func (c *cloud) steer(op *operation, how providers.Control) error {
	c.progress()
	now := time.Now()
	if op.applied {
		return nil
	}
	switch how {
	case providers.Pause:
		if op.paused.IsZero() {
			op.paused = now
		}
	case providers.Resume:
		if !op.paused.IsZero() {
			op.ends, op.paused = op.ends.Add(now.Sub(op.paused)), time.Time{}
		}
	case providers.Cancel:
		// What it has done so far stays: of its nodes, half.
		op.ends, op.paused, op.cancelled = now, time.Time{}, true
		op.short = max(op.short, (max(op.delta, -op.delta)+1)/2)
	}
	return nil
}

// Control implements providers.Provider.
func (a *account) Control(ctx context.Context, sub providers.Submission, op providers.Operation, how providers.Control) error {
	if a.style == byState || a.s.mood.steering == 0 {
		return providers.Refusef(sentence("This can't be steered."))
	}
	k, err := a.call(ctx, "Control "+string(how))
	if err != nil {
		return err
	}
	a.s.judgeSteering(a.cloud, sub, how)
	m, label := a.s.mood, a.account+".Control "+string(how)
	switch {
	case a.s.chance(m.throttled):
		a.s.log(k, label, "throttled")
		return trouble(providers.Retry, "throttled")
	case a.s.chance(m.turned):
		a.s.log(k, label, "refused")
		return providers.Refusef(sentence("Not this one."))
	}
	i := slices.IndexFunc(a.ops, func(o *operation) bool { return o.id == op.ID })
	if i < 0 {
		return trouble(providers.NotFound, "no such operation")
	}
	err = a.steer(a.ops[i], how)
	if a.s.chance(m.lost) {
		a.s.log(k, label, "answer lost")
		return trouble(providers.Unknown, "the answer was lost")
	}
	a.s.log(k, label, said(err))
	return err
}

// controlOf is how a signal is said to the cloud.
var controlOf = map[flow.SignalKind]providers.Control{
	flow.SignalPause: providers.Pause, flow.SignalResume: providers.Resume, flow.SignalStop: providers.Cancel,
}

// steers notes a press that a script took, and holds it to who may: who asked, or
// one of a group that approves, as the press itself read it.
func (s *sim) steers(k *task, id string, sig flow.Signal) {
	if controlOf[sig.Kind] == "" {
		return
	}
	s.world.steered[id] = append(s.world.steered[id], steered{sig.Kind, sig.By, time.Now()})
	if sig.By == s.world.asks[id].Request.User && sig.By != gus || sig.By == oncall || k == nil {
		return
	}
	for _, members := range k.seen.members {
		if slices.Contains(members, sig.By) && sig.By != gus {
			return
		}
	}
	s.blame("%s: %s was taken of %s, who may not", id, sig.Kind, sig.By)
}

// judgeSteering holds a control to a press: it belongs to the last one that was
// made of, or to one behind it. A crash makes the same one again, and a Redis that
// comes back older all that it had forgotten.
func (s *sim) judgeSteering(c *cloud, sub providers.Submission, how providers.Control) {
	id := ""
	for known := range s.world.asks {
		if ownerOf(sub.Token, known) {
			id = known
		}
	}
	presses, next := s.world.steered[id], s.world.madeOf[id]
	for i := max(next-1, 0); i < len(presses); i++ {
		if controlOf[presses[i].kind] == how {
			s.world.madeOf[id] = i + 1
			return
		}
	}
	if len(s.world.lost) > 0 && slices.ContainsFunc(presses, func(p steered) bool { return controlOf[p.kind] == how }) {
		return
	}
	s.blame("%s: %s got %s, which nobody pressed (%v, %d of them done)", id, c.account, how, presses, next)
}

// steering is what people do about an operation that runs.
func (s *sim) steering(m *message) {
	if s.mood.steering == 0 {
		return
	}
	id := m.flow()
	c := s.cluster(s.world.asks[id].Request.Wish.Change.Cluster)
	op, running := s.happened(id)
	if c == nil || c.style == byState || !running {
		return
	}
	kind := oneOf(s, flow.SignalPause, flow.SignalStop, flow.SignalPause)
	user := oneOf(s, lea, leo, fay, s.world.asks[id].Request.User, ben, gus, nobody)
	switch {
	case !op.paused.IsZero():
		kind = oneOf(s, flow.SignalResume, flow.SignalResume, flow.SignalStop)
		if s.more.IntN(4) > 0 {
			return
		}
	case s.calm || s.more.Float64() >= s.mood.steering:
		return
	}
	s.steer(id, user, kind)
	if s.more.IntN(4) == 0 { // somebody else wants something else
		s.steer(id, oneOf(s, lea, fay), oneOf(s, flow.SignalPause, flow.SignalResume, flow.SignalStop))
	}
}

func (s *sim) steer(id, user string, kind flow.SignalKind) {
	r := s.someone()
	if r == nil {
		return
	}
	desk := r.desk
	s.spawn(r, "steer "+user, func(ctx context.Context, k *task) {
		_, err := desk.Steer(ctx, flow.Caller{User: user, Workspace: workspaceID, Channel: room}, id, kind)
		s.log(k, "steer", fmt.Sprintf("%s %s by %s: %s", id, kind, user, said(err)))
	})
}

// checkEnds holds each end to what the cloud made of the flow's one operation,
// where it names it and nobody else had a hand in it.
func (s *sim) checkEnds(f flow.Flow) {
	c := s.cluster(f.Request.Wish.Change.Cluster)
	if s.Real != nil || c.style == byState || len(s.world.decided[f.ID]) > 0 || s.couldBeTakenForIts(f) {
		return
	}
	var ops []*operation
	for _, e := range c.ledger {
		if e.accepted && !e.console && ownerOf(e.sub.Token, f.ID) {
			ops = append(ops, e.op)
		}
	}
	if len(ops) != 1 || !ops[0].applied {
		return
	}
	want := flow.Succeeded
	switch op := ops[0]; {
	case op.fails:
		want = flow.Failed
	case op.short > 0:
		want = flow.Partial
	}
	if f.State != want {
		s.blame("%s ended as %s, and its operation %s as %s", f.ID, f.State, ops[0].id, want)
	}
}
