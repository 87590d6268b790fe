package slackapp

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// desk records what it was asked and answers as it was told.
type desk struct {
	mu         sync.Mutex
	asks       []flow.Ask
	callers    []flow.Caller
	taken      map[string]string // dedupe -> id
	refs       []flow.MessageRef
	spreads    []time.Duration
	cancelled  []string
	settled    []flow.SignalKind
	did        []string // what was asked about flows, in order
	outcomes   int      // calls of Outcome
	everyTaken string   // the flow that every delivery made, as another replica knows
	open       []flow.Flow
	fail       error                       // of everything
	request    func(context.Context) error // before a request is recorded
	deciding   func(context.Context)       // before a vote or a decision is recorded
	reconciled func() error
	cluster    func(context.Context) error
	panics     bool
	catalog    flow.Catalog
	homes      int // calls of Waiting
	looks      int // calls that read flows or ask a cloud
	preview    flow.Preview
	voted      approvals.Choice // what a vote turns out to be; "" = what was asked
	same       bool             // the vote was so already
	barred     error            // of MayVote and MaySettle
	unknown    flow.Flow        // of MaySettle
	operation  string           // of the last Settle
	frozen     flow.Frozen
	spendings  []flow.Spending
	mandates   []flow.Mandated
}

var _ flow.FrontDesk = (*desk)(nil)

func newDesk() *desk { return &desk{taken: map[string]string{}} }

func (d *desk) ChannelMoved(_ context.Context, from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did = append(d.did, "moved "+from+" "+to)
	return d.fail
}

func (d *desk) Request(ctx context.Context, c flow.Caller, a flow.Ask) (flow.Receipt, error) {
	d.mu.Lock()
	hook, panics := d.request, d.panics
	d.mu.Unlock()
	if panics {
		panic("the desk broke xoxb-1-secret")
	}
	if hook != nil {
		if err := hook(ctx); err != nil {
			return flow.Receipt{}, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asks, d.callers = append(d.asks, a), append(d.callers, c)
	if d.fail != nil {
		return flow.Receipt{}, d.fail
	}
	id, again := d.taken[c.Dedupe]
	if !again {
		id = fmt.Sprintf("F-T%03d", len(d.taken)+1)
		d.taken[c.Dedupe] = id
	}
	return flow.Receipt{Flow: record(id, c, a), Fresh: !again}, nil
}

func record(id string, c flow.Caller, a flow.Ask) flow.Flow {
	return flow.Flow{
		ID: id, State: flow.Planning,
		Request: flow.Request{
			User: c.User, Channel: c.Channel, Thread: c.Thread, Language: c.Language, StartAt: a.StartAt,
			Wish: flow.Wish{Op: a.Op, N: a.N, Change: providers.Change{Cluster: a.Cluster, Group: a.Group}},
		},
	}
}

func (d *desk) DryRun(context.Context, flow.Caller, flow.Ask) (flow.Preview, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return d.preview, d.fail
}

func (d *desk) Cancel(_ context.Context, c flow.Caller, id string) (flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cancelled, d.callers = append(d.cancelled, id), append(d.callers, c)
	return flow.Flow{ID: id}, d.fail
}

func (d *desk) MaySettle(_ context.Context, c flow.Caller, id string, _ flow.SignalKind) (flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.callers = append(d.callers, c)
	return d.unknown, d.barred
}

// decide is a vote or a decision on its way to the record.
func (d *desk) decide(ctx context.Context) {
	d.mu.Lock()
	hook := d.deciding
	d.mu.Unlock()
	if hook != nil {
		hook(ctx)
	}
}

func (d *desk) Settle(ctx context.Context, c flow.Caller, id string, k flow.SignalKind, operation string) (flow.Flow, error) {
	d.decide(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.operation = operation
	d.settled, d.callers = append(d.settled, k), append(d.callers, c)
	return flow.Flow{ID: id}, d.fail
}

func (d *desk) Outcome(_ context.Context, c flow.Caller) (flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outcomes++
	if d.everyTaken != "" {
		return record(d.everyTaken, c, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2}), nil
	}
	if id, ok := d.taken[c.Dedupe]; ok {
		return record(id, c, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2}), nil
	}
	return flow.Flow{}, flow.ErrNotFound
}

func (d *desk) Steer(_ context.Context, c flow.Caller, id string, k flow.SignalKind) (flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, string(k)+" "+id), append(d.callers, c)
	return flow.Flow{ID: id}, d.fail
}

func (d *desk) Again(ctx context.Context, c flow.Caller, id string) (flow.Receipt, error) {
	return d.followUp(c, "again", id)
}

func (d *desk) CleanUp(_ context.Context, c flow.Caller, id string) (flow.Receipt, error) {
	return d.followUp(c, "clean up", id)
}

func (d *desk) followUp(c flow.Caller, what, id string) (flow.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, what+" "+id), append(d.callers, c)
	return flow.Receipt{Flow: record("F-NEXT", c, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 1}), Fresh: true}, d.fail
}

func (d *desk) Keep(_ context.Context, c flow.Caller, id string) (flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, "keep "+id), append(d.callers, c)
	return flow.Flow{ID: id}, d.fail
}

func (d *desk) Vote(ctx context.Context, c flow.Caller, id string, n int, choice approvals.Choice, reason string) (flow.Voted, error) {
	d.decide(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, fmt.Sprintf("%s %s/%d %s", choice, id, n, reason)), append(d.callers, c)
	return flow.Voted{Flow: flow.Flow{ID: id}, Choice: cmp.Or(d.voted, choice), Same: d.same}, d.fail
}

func (d *desk) MayVote(_ context.Context, c flow.Caller, id string, n int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.barred
}

func (d *desk) Halt(_ context.Context, c flow.Caller, id string) (flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, "halt "+id), append(d.callers, c)
	return flow.Flow{ID: id}, d.fail
}

func (d *desk) Flow(_ context.Context, id string) (flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return record(id, flow.Caller{User: ann}, flow.Ask{Cluster: "emr-m620", Group: "task", Op: flow.Add, N: 2}), d.fail
}

func (d *desk) Flows(context.Context, flow.Filter) ([]flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open, d.fail
}

func (d *desk) Cluster(ctx context.Context, name string) (flow.Cluster, providers.Snapshot, error) {
	d.mu.Lock()
	d.looks++
	hook := d.cluster
	d.mu.Unlock()
	if hook != nil {
		if err := hook(ctx); err != nil {
			return flow.Cluster{}, providers.Snapshot{}, err
		}
	}
	return d.Catalog()[name], providers.Snapshot{Status: "RUNNING"}, nil
}

func (d *desk) Waiting(context.Context, string) ([]flow.Flow, []string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.homes++
	return nil, nil, d.fail
}

func (d *desk) Touched(_ context.Context, ref flow.MessageRef) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refs = append(d.refs, ref)
	return nil
}

func (d *desk) Reconcile(_ context.Context, spread func(ballots int) time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reconciled != nil {
		if err := d.reconciled(); err != nil {
			return err
		}
	}
	ballots := 0
	for _, f := range d.open {
		if f.State == flow.AwaitingApproval {
			ballots++
		}
	}
	d.spreads = append(d.spreads, spread(ballots))
	return nil
}

func (d *desk) Catalog() flow.Catalog {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.catalog != nil {
		return d.catalog
	}
	return flow.Catalog{"emr-m620": {Name: "emr-m620", ID: "emr-m620", Account: "data-gz", Groups: map[string]flow.Group{
		"task": {Name: "task", ID: "TASK"}, "core": {Name: "core", ID: "CORE"},
	}}}
}

func (d *desk) Rights(context.Context, string) flow.Rights {
	return flow.Rights{Groups: flow.Membership{In: []string{"leads"}, Unread: []string{"finops"}}, Settles: true}
}

func (d *desk) set(f func(*desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// read looks at the desk under its lock.
func read[T any](d *desk, f func(*desk) T) T {
	d.mu.Lock()
	defer d.mu.Unlock()
	return f(d)
}

func (d *desk) Freeze(_ context.Context, c flow.Caller, cluster string, last time.Duration, reason string) (approvals.Order, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, fmt.Sprint("freeze ", cluster, " ", last, " ", reason)), append(d.callers, c)
	return approvals.Order{By: c.User, Reason: reason, Since: time.Unix(0, 0), Until: time.Unix(0, 0).Add(last)}, d.fail
}

func (d *desk) Unfreeze(_ context.Context, c flow.Caller, cluster string) (approvals.Order, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, "unfreeze "+cluster), append(d.callers, c)
	return approvals.Order{By: "U0OTHER"}, d.fail
}

func (d *desk) Frozen(context.Context) (flow.Frozen, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.frozen, d.fail
}

func (d *desk) History(_ context.Context, cluster string) ([]flow.Flow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did = append(d.did, "history "+cluster)
	return d.open, d.fail
}

func (d *desk) Spendings(_ context.Context, centre string) ([]flow.Spending, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did = append(d.did, "budget "+centre)
	return d.spendings, d.fail
}

func (d *desk) SignMandate(_ context.Context, c flow.Caller, a flow.MandateAsk) (flow.Mandated, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, fmt.Sprint("mandate ", a.Cluster, " ", a.Group, " ", a.Nodes, " ", a.Until.UTC().Format(time.RFC3339), " ", a.Max, a.Currency)), append(d.callers, c)
	return flow.Mandated{Counts: []string{"leads"}, Mandate: approvals.Mandate{
		ID: "M-7K3Q", By: c.User, Cluster: a.Cluster, Group: a.Group, Nodes: a.Nodes, Until: a.Until, Max: a.Max, Currency: a.Currency,
	}}, d.fail
}

func (d *desk) Mandates(context.Context) ([]flow.Mandated, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mandates, d.fail
}

func (d *desk) RevokeMandate(_ context.Context, c flow.Caller, id string) (flow.Mandated, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, "revoke "+id), append(d.callers, c)
	return flow.Mandated{Mandate: approvals.Mandate{
		ID: id, By: "U0OTHER", Cluster: "emr-m620", Group: "task", Nodes: 10, Revoked: &approvals.Revocation{By: c.User},
	}}, d.fail
}

func (d *desk) Centres() []string { return []string{"ads", "data"} }

func (d *desk) Rules() approvals.Config {
	return approvals.Config{RulesGiven: true, Rules: []approvals.Rule{{Name: "scale-in", When: "change.delta < 0", Require: map[string]int{"leads": 1}}}}
}

func (d *desk) Commitments(_ context.Context, cluster string) ([]flow.Commitment, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return nil, d.fail
}

func (d *desk) Renewal(_ context.Context, c flow.Caller, id string, seen int, choice flow.RenewalChoice) (flow.Commitment, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did, d.callers = append(d.did, fmt.Sprintf("%s %s/%d", choice, id, seen)), append(d.callers, c)
	return flow.Commitment{ID: id, Decision: &flow.Decision{Choice: choice, By: c.User, N: seen + 1}}, d.fail
}
