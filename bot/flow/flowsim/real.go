package flowsim

import (
	"context"
	"fmt"
	"time"

	"scalebot/bot/flow"
	"scalebot/providers"
)

// Real is the real adapters on local control planes, in the place of the clouds of
// this package: the same road, with the wire in it. What they can't do here is to
// let time pass while a call hangs, so nothing arrives late.
type Real struct {
	Catalog flow.Catalog // each cluster with one group, "task"
	Open    func(now func() time.Time) (map[string]Provider, error)
	Tick    func(now time.Time) // sets the control planes' clock
	Ledger  func() []Taken      // all that they took so far, oldest first
	// Break arms a fault for the next call: of a change, or of a read. It gives the
	// fault's name. Mend disarms what was not hit.
	Break func(cluster string, write bool, dice int) string
	Mend  func()
}

// Taken is a change that a control plane took.
type Taken struct{ Cluster, Operation string }

// adapter is one account as one replica has it.
type adapter struct {
	Provider
	c   *cloud
	rep *replica
}

// call lets one call of the adapter happen at its turn, with the clouds' clock set
// and a fault armed now and then; what the clouds took in it is its doing.
func (a *adapter) call(ctx context.Context, method string, write bool, sub *providers.Submission, do func() error) (*task, error) {
	s := a.c.s
	label := a.c.account + "." + method
	k := s.gate(ctx, label)
	s.Real.Tick(time.Now())
	rate := s.mood.throttled/2 + s.mood.broken/2
	if write {
		rate += s.mood.lost
	}
	fault := ""
	if s.chance(rate) {
		fault = " (" + s.Real.Break(a.c.cluster, write, s.rng.IntN(1<<16)) + ")"
	}
	before := len(s.Real.Ledger())
	err := do()
	s.Real.Mend()
	for _, t := range s.Real.Ledger()[before:] {
		if sub == nil {
			s.blame("%s took a change in %s, which is a read", t.Cluster, method)
			continue
		}
		s.log(k, a.c.account, fmt.Sprintf("ACCEPTS %+d as %q (attempt %d)", sub.Change.Delta, t.Operation, sub.Attempt))
		a.c.ledger = append(a.c.ledger, entry{at: time.Now(), sub: *sub, accepted: true, op: &operation{id: t.Operation, applied: true}})
	}
	s.log(k, label+fault, said(err))
	return k, err
}

// Observe implements providers.Provider.
func (a *adapter) Observe(ctx context.Context, ref providers.ClusterRef) (s providers.Snapshot, err error) {
	k, err := a.call(ctx, "Observe", false, nil, func() error {
		s, err = a.Provider.Observe(ctx, ref)
		return err
	})
	if g, ok := s.Group(a.c.group); ok && err == nil && k != nil {
		k.seen.count, k.seen.counted = g.Count, true
	}
	return s, err
}

// Quote implements providers.Provider.
func (a *adapter) Quote(ctx context.Context, ch providers.Change, s providers.Snapshot) (q providers.Quote, err error) {
	k, err := a.call(ctx, "Quote", false, nil, func() error {
		q, err = a.Provider.Quote(ctx, ch, s)
		return err
	})
	if err == nil && k != nil {
		k.seen.quote = &q
	}
	return q, err
}

// Submit implements providers.Provider.
func (a *adapter) Submit(ctx context.Context, sub providers.Submission) (op providers.Operation, err error) {
	_, err = a.call(ctx, "Submit", true, &sub, func() error {
		k := taskOf(ctx)
		if ctx.Err() == nil && a.rep.Now().Sub(sub.SentAt) <= sendWithin {
			a.c.s.judge(k, a.c, sub)
		}
		op, err = a.Provider.Submit(ctx, sub)
		return err
	})
	return op, err
}

// Reconcile implements providers.Provider.
func (a *adapter) Reconcile(ctx context.Context, sub providers.Submission) (f providers.Finding, err error) {
	_, err = a.call(ctx, "Reconcile", !sub.Look, &sub, func() error {
		f, err = a.Provider.Reconcile(ctx, sub)
		return err
	})
	return f, err
}

// Follow implements providers.Provider.
func (a *adapter) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (p providers.Progress, err error) {
	_, err = a.call(ctx, "Follow", false, nil, func() error {
		p, err = a.Provider.Follow(ctx, sub, op)
		return err
	})
	return p, err
}

// providersOf are the accounts as a replica reaches them.
func (s *sim) providersOf(r *replica) clouds {
	all := clouds{}
	if s.Real == nil {
		for name, c := range s.clouds {
			all[name] = &account{cloud: c, rep: r}
		}
		return all
	}
	s.Real.Tick(time.Now())
	opened, err := s.Real.Open(r.Now)
	if err != nil {
		panic("flowsim: " + err.Error())
	}
	for name, p := range opened {
		all[name] = &adapter{Provider: p, c: s.clouds[name], rep: r}
	}
	return all
}
