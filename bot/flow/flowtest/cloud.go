// Package flowtest is a small world for tests of bot/flow: a clock that is set, a
// cloud with a ledger, a Slack that remembers, each with one-shot faults. The
// store is not faked: tests use the real one.
package flowtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// Clock is a clock that stands until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a clock that shows a time.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// Now reads the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Sent is one request for a change that reached the cloud.
type Sent struct {
	Token    string
	Delta    int
	Accepted bool
	At       time.Time
}

// Cloud is one account with one cluster and one group, "TASK". An accepted
// change takes Takes; its nodes come or go at the end. It knows tokens: a repeat
// is answered with the first operation.
type Cloud struct {
	Clock     *Clock
	NeverMade bool // what comes short was never made: no failed nodes are left behind
	Takes     time.Duration
	Steerable bool // operations can be paused, resumed and cancelled

	mu       sync.Mutex
	nodes    []string
	serial   int
	phase    providers.Phase
	price    decimal.Decimal // per node and hour
	known    bool
	running  *operation
	ops      map[string]*operation // by id
	byToken  map[string]*operation
	ledger   []Sent
	onSubmit []func(do func() (providers.Operation, error)) (providers.Operation, error)
	next     map[string][]error // one-shot errors by method
	partial  int                // nodes that will not come; one-shot
	profile  string
	hourly   func() (providers.Quote, error) // of the same nodes beside a prepaid plan; nil = as any
}

type operation struct {
	id    string
	delta int
	ends  time.Time
	short int
	done  bool

	stopped time.Time // paused since; zero = it runs
}

var _ providers.Provider = (*Cloud)(nil)

// NewCloud makes a cloud whose group has n nodes.
func NewCloud(c *Clock, n int) *Cloud {
	cloud := &Cloud{
		Clock: c, Takes: time.Minute, phase: providers.Ready, price: decimal.NewFromInt(1), known: true,
		ops: map[string]*operation{}, byToken: map[string]*operation{}, next: map[string][]error{}, profile: "p1",
	}
	cloud.resize(n)
	return cloud
}

func (c *Cloud) resize(n int) {
	for len(c.nodes) < n {
		c.serial++
		c.nodes = append(c.nodes, fmt.Sprintf("ins-%03d", c.serial))
	}
	c.nodes = c.nodes[:n]
}

// Resize changes the group behind the bot's back.
func (c *Cloud) Resize(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resize(n)
}

// SetPrice sets the price per node and hour; known false makes it unknown.
func (c *Cloud) SetPrice(p int64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.price, c.known = decimal.NewFromInt(p), known
}

// SetPhase makes the cluster busy, blocked or ready.
func (c *Cloud) SetPhase(p providers.Phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = p
}

// SetProfile changes the group's configured params.
func (c *Cloud) SetProfile(p string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.profile = p
}

// ComeShort lets the next operation end with n nodes too few.
func (c *Cloud) ComeShort(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partial = n
}

// PriceHourly answers postpaid inquiries in a way of its own.
func (c *Cloud) PriceHourly(f func() (providers.Quote, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hourly = f
}

// Fail makes the next call of a method (observe, quote, follow, reconcile)
// answer an error.
func (c *Cloud) Fail(method string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next[method] = append(c.next[method], err)
}

// OnSubmit takes over the next submission; do is the real one.
func (c *Cloud) OnSubmit(f func(do func() (providers.Operation, error)) (providers.Operation, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onSubmit = append(c.onSubmit, f)
}

// Lost is the error of an answer that never came.
func Lost() error {
	return &providers.Error{Kind: providers.Unknown, Op: "ScaleOut", Advice: providers.Text{EN: "The answer was lost."}}
}

// Ledger is every request for a change that reached the cloud.
func (c *Cloud) Ledger() []Sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ledger)
}

// Count is the size of the group.
func (c *Cloud) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress()
	return len(c.nodes)
}

func (c *Cloud) progress() {
	op := c.running
	if op == nil || !op.stopped.IsZero() || c.Clock.Now().Before(op.ends) {
		return
	}
	if op.delta > 0 {
		c.resize(len(c.nodes) + op.delta - op.short)
	} else {
		c.resize(len(c.nodes) + op.delta)
	}
	op.done, c.running = true, nil
}

func (c *Cloud) fault(method string) error {
	if q := c.next[method]; len(q) > 0 {
		c.next[method] = q[1:]
		return q[0]
	}
	return nil
}

// Check refuses spot, to have something to refuse.
func (c *Cloud) Check(ch providers.Change) error {
	if ch.Charge == providers.Spot {
		return providers.Refusef(providers.Text{EN: "No spot here.", ZH: "不支持竞价实例。"})
	}
	return nil
}

// Observe implements providers.Provider.
func (c *Cloud) Observe(ctx context.Context, ref providers.ClusterRef) (providers.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("observe"); err != nil {
		return providers.Snapshot{}, err
	}
	c.progress()
	s := providers.Snapshot{At: c.Clock.Now(), ID: ref.ID, Name: ref.Name, Phase: c.phase, Status: string(c.phase), Charge: providers.Postpaid}
	if c.running != nil {
		s.Phase, s.Status = providers.Busy, "scaling"
	}
	g := providers.Group{ID: "TASK", Count: len(c.nodes)}
	for _, id := range c.nodes {
		g.Nodes = append(g.Nodes, providers.Node{ID: id})
	}
	s.Groups = []providers.Group{g}
	return s, nil
}

// Resolve implements providers.Provider.
func (c *Cloud) Resolve(ch providers.Change, s providers.Snapshot) (providers.Change, error) {
	g, ok := s.Group(ch.GroupID)
	if !ok {
		return ch, &providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "There is no group " + ch.GroupID + "."}}
	}
	if ch.Delta < 0 && len(ch.Nodes) == 0 {
		for _, n := range g.Nodes[len(g.Nodes)+ch.Delta:] {
			ch.Nodes = append(ch.Nodes, n.ID)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.Profile = c.profile
	return ch, nil
}

// Quote implements providers.Provider.
func (c *Cloud) Quote(ctx context.Context, ch providers.Change, s providers.Snapshot) (providers.Quote, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("quote"); err != nil {
		return providers.Quote{}, err
	}
	if c.hourly != nil && ch.Charge == providers.Postpaid {
		return c.hourly()
	}
	q := providers.Quote{Known: c.known, Currency: "CNY", At: c.Clock.Now()}
	if ch.Adds() && c.known {
		q.Hourly = c.price.Mul(decimal.NewFromInt(int64(ch.Delta)))
		q.Monthly = q.Hourly.Mul(decimal.NewFromInt(providers.HoursPerMonth))
		if ch.Charge == providers.Prepaid {
			q.Committed = q.Monthly.Mul(decimal.NewFromInt(int64(ch.Months)))
		}
	}
	return q, nil
}

// Submit implements providers.Provider.
func (c *Cloud) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	c.mu.Lock()
	var hook func(func() (providers.Operation, error)) (providers.Operation, error)
	if len(c.onSubmit) > 0 {
		hook, c.onSubmit = c.onSubmit[0], c.onSubmit[1:]
	}
	c.mu.Unlock()
	do := func() (providers.Operation, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.take(sub)
	}
	if hook != nil {
		return hook(do)
	}
	return do()
}

func (c *Cloud) take(sub providers.Submission) (providers.Operation, error) {
	c.progress()
	if op := c.byToken[sub.Token]; op != nil {
		c.ledger = append(c.ledger, Sent{Token: sub.Token, Delta: sub.Change.Delta, At: c.Clock.Now()})
		return providers.Operation{ID: op.id, AcceptedAt: c.Clock.Now()}, nil
	}
	if c.running != nil {
		c.ledger = append(c.ledger, Sent{Token: sub.Token, Delta: sub.Change.Delta, At: c.Clock.Now()})
		return providers.Operation{}, &providers.Error{Kind: providers.Occupied, Advice: providers.Text{EN: "Busy."}}
	}
	op := &operation{id: fmt.Sprintf("op-%d", len(c.ops)+1), delta: sub.Change.Delta, ends: c.Clock.Now().Add(c.Takes), short: c.partial}
	c.partial = 0
	c.running, c.ops[op.id], c.byToken[sub.Token] = op, op, op
	c.ledger = append(c.ledger, Sent{Token: sub.Token, Delta: sub.Change.Delta, Accepted: true, At: c.Clock.Now()})
	return providers.Operation{ID: op.id, AcceptedAt: c.Clock.Now()}, nil
}

// Accepted counts the changes that the cloud took.
func (c *Cloud) Accepted() int {
	n := 0
	for _, s := range c.Ledger() {
		if s.Accepted {
			n++
		}
	}
	return n
}

// Reconcile knows tokens for good, so it can prove acceptance; it never proves
// the opposite.
func (c *Cloud) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("reconcile"); err != nil {
		return providers.Finding{}, err
	}
	if op := c.byToken[sub.Token]; op != nil {
		return providers.Finding{State: providers.Accepted, Operation: providers.Operation{ID: op.id, AcceptedAt: c.Clock.Now()}}, nil
	}
	return providers.Finding{State: providers.Unsure, Evidence: providers.Text{EN: "Nothing changed.", ZH: "没有变化。"}}, nil
}

// Follow implements providers.Provider.
func (c *Cloud) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("follow"); err != nil {
		return providers.Progress{}, err
	}
	c.progress()
	o := c.ops[op.ID]
	if o == nil {
		return providers.Progress{}, &providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "No such operation."}}
	}
	p := providers.Progress{State: providers.Running, Percent: 50, Count: len(c.nodes), Stages: []providers.Stage{{Name: "购买", State: providers.StageRunning}}}
	if c.Steerable {
		p.Controls = []providers.Control{providers.Pause, providers.Cancel}
		if !o.stopped.IsZero() {
			p.Controls = []providers.Control{providers.Resume, providers.Cancel}
		}
	}
	if o.done {
		p.Controls = nil
		p.State, p.Percent, p.Stages[0].State = providers.Succeeded, 100, providers.StageDone
		if o.short > 0 {
			p.State = providers.Partial
			left := o.short
			if c.NeverMade {
				left = 0
			}
			for i := range left {
				p.Failed = append(p.Failed, providers.Node{ID: fmt.Sprintf("%s-failed-%d", o.id, i+1)})
			}
		}
		was := map[string]bool{}
		for _, n := range sub.Baseline.Groups[0].Nodes {
			was[n.ID] = true
		}
		for _, id := range c.nodes {
			if !was[id] {
				p.Changed = append(p.Changed, providers.Node{ID: id})
			}
		}
	}
	return p, nil
}

// Control implements providers.Provider. A cancelled operation ends short of
// everything that it had not done.
func (c *Cloud) Control(_ context.Context, _ providers.Submission, op providers.Operation, how providers.Control) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault("control"); err != nil {
		return err
	}
	o := c.ops[op.ID]
	switch {
	case o == nil:
		return &providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "No such operation."}}
	case !c.Steerable:
		return providers.Refusef(providers.Text{EN: "This can't be steered.", ZH: "不支持该操作。"})
	case o.done:
		return nil
	}
	now := c.Clock.Now()
	switch how {
	case providers.Pause:
		if o.stopped.IsZero() {
			o.stopped = now
		}
	case providers.Resume:
		if !o.stopped.IsZero() {
			o.ends, o.stopped = o.ends.Add(now.Sub(o.stopped)), time.Time{}
		}
	case providers.Cancel:
		o.ends, o.stopped, o.short = now, time.Time{}, max(o.delta, 0)
		c.progress()
	}
	return nil
}

// Clusters implements providers.Provider.
func (c *Cloud) Clusters(context.Context) ([]providers.ClusterInfo, error) { return nil, nil }

// Clouds is a table of accounts.
type Clouds map[string]providers.Provider

// Provider implements flow.Clouds.
func (c Clouds) Provider(account string) (providers.Provider, bool) {
	p, ok := c[account]
	return p, ok
}
