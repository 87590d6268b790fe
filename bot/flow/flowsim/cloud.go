package flowsim

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
	"scalebot/providers"
)

// Provider is what a Bug wraps.
type Provider = providers.Provider

// clouds are the accounts as one replica sees them.
type clouds map[string]Provider

// Provider implements flow.Clouds.
func (c clouds) Provider(account string) (providers.Provider, bool) {
	p, ok := c[account]
	return p, ok
}

// style is how a cloud lets one find out about a lost answer: one of the three
// that there are adapters for, with their documented limits.
type style string

const (
	byToken style = "token" // a token dedupes adding, for five minutes; operations have ids
	byTask  style = "task"  // no token; operations have ids and can be listed
	byState style = "state" // no token, no ids: only the nodes tell
)

const (
	tokenLives  = 5 * time.Minute
	tokenWindow = 2 * time.Minute // in which an adapter repeats a request by its token
	settled     = 90 * time.Second
	sendWithin  = 30 * time.Second
)

// cloud is one account with one cluster and one group, and the ledger: all that
// ever reached it.
type cloud struct {
	s       *sim
	account string
	style   style
	cluster string
	group   string
	nodes   []string
	serial  int
	price   int64
	known   bool
	ops     []*operation
	ledger  []entry
}

// entry is one request for a change that reached the cloud.
type entry struct {
	at       time.Time
	sub      providers.Submission
	console  bool // somebody else's
	accepted bool
	op       *operation
}

type operation struct {
	id       string
	token    string
	delta    int
	nodes    []string // to remove
	at, ends time.Time
	short    int
	fails    bool
	applied  bool
	joined   []string

	paused    time.Time // since when it stands still; zero = it does not
	cancelled bool
}

func (c *cloud) grow(n int) []string {
	var fresh []string
	for range n {
		c.serial++
		fresh = append(fresh, fmt.Sprintf("%s-%03d", c.cluster, c.serial))
	}
	c.nodes = append(c.nodes, fresh...)
	return fresh
}

// progress lets operations end whose time has come.
func (c *cloud) progress() {
	for _, op := range c.ops {
		if !op.paused.IsZero() && time.Since(op.paused) > forgotPaused {
			op.ends, op.paused = op.ends.Add(forgotPaused), time.Time{}
		}
		if op.applied || !op.paused.IsZero() || time.Now().Before(op.ends) {
			continue
		}
		op.applied = true
		switch {
		case op.fails:
		case op.delta > 0:
			op.joined = c.grow(op.delta - op.short)
		default:
			for _, id := range op.nodes[:len(op.nodes)-min(op.short, len(op.nodes))] {
				c.nodes = slices.DeleteFunc(c.nodes, func(n string) bool { return n == id })
				op.joined = append(op.joined, id)
			}
		}
	}
}

func (c *cloud) busy() bool {
	c.progress()
	return slices.ContainsFunc(c.ops, func(op *operation) bool { return !op.applied })
}

// take is a request for a change arriving, whoever still waits for the answer.
func (c *cloud) take(k *task, sub providers.Submission) (providers.Operation, error) {
	now := time.Now()
	busy := c.busy()
	if c.style == byToken && sub.Change.Adds() {
		for _, op := range c.ops {
			if op.token == sub.Token && now.Sub(op.at) < tokenLives {
				c.ledger = append(c.ledger, entry{at: now, sub: sub, op: op})
				return providers.Operation{ID: op.id, AcceptedAt: now}, nil
			}
		}
	}
	no := func(kind providers.Kind, code, text string) (providers.Operation, error) {
		c.ledger = append(c.ledger, entry{at: now, sub: sub})
		return providers.Operation{}, &providers.Error{Kind: kind, Code: code, Op: "Scale", Advice: providers.Text{EN: text, ZH: text}}
	}
	if busy {
		return no(providers.Occupied, "InProcess", "The cluster is busy.")
	}
	for _, id := range sub.Change.Nodes {
		if !slices.Contains(c.nodes, id) {
			return no(providers.Refused, "NoSuchNode", "There is no node "+id+".")
		}
	}
	op := c.begin(sub.Change.Delta, sub.Change.Nodes, sub.Token)
	c.ledger = append(c.ledger, entry{at: now, sub: sub, accepted: true, op: op})
	c.s.log(k, c.account, fmt.Sprintf("ACCEPTS %+d as %s (attempt %d)", sub.Change.Delta, op.id, sub.Attempt))
	o := providers.Operation{ID: op.id, AcceptedAt: now}
	if c.style == byState {
		o.ID = ""
	}
	return o, nil
}

func (c *cloud) begin(delta int, nodes []string, token string) *operation {
	now := time.Now()
	op := &operation{
		id: fmt.Sprintf("%s-op-%d", c.account, len(c.ops)+1), token: token, delta: delta, nodes: slices.Clone(nodes), at: now,
		ends: now.Add(c.s.between(20*time.Second, 4*time.Minute)),
	}
	if delta < 0 && len(nodes) == 0 {
		op.nodes = slices.Clone(c.nodes[max(len(c.nodes)+delta, 0):])
	}
	switch c.s.rng.IntN(12) {
	case 0:
		op.fails = true
	case 1, 2:
		op.short = 1
	}
	c.ops = append(c.ops, op)
	return op
}

// account is a cloud as one replica's adapter sees it, with that replica's clock.
type account struct {
	*cloud
	rep *replica
}

var _ providers.Provider = (*account)(nil)

// call waits for its turn. A deadline that passed meanwhile ends it before
// anything is sent, as the adapters do.
func (a *account) call(ctx context.Context, method string) (*task, error) {
	k := a.s.gate(ctx, a.account+"."+method)
	if ctx.Err() != nil {
		a.s.log(k, a.account+"."+method, "its time was over before it was sent")
		return k, trouble(providers.Retry, "not sent in time")
	}
	return k, nil
}

func trouble(kind providers.Kind, text string) error {
	return &providers.Error{Kind: kind, Op: "Call", Advice: providers.Text{EN: text, ZH: text}}
}

// hang stands until the caller's deadline.
func hang(ctx context.Context) { <-ctx.Done() }

func (a *account) read(ctx context.Context, method string) (*task, error) {
	k, err := a.call(ctx, method)
	if err != nil {
		return k, err
	}
	m := a.s.mood
	label := a.account + "." + method
	switch {
	case a.s.chance(m.throttled):
		a.s.log(k, label, "throttled")
		return k, trouble(providers.Retry, "throttled")
	case a.s.chance(m.broken):
		a.s.log(k, label, "500")
		return k, trouble(providers.Retry, "internal error")
	case a.s.chance(m.hung / 4):
		a.s.log(k, label, "hangs")
		hang(ctx)
		return k, trouble(providers.Retry, "no answer in time")
	}
	a.progress()
	a.s.log(k, label, "ok")
	return k, nil
}

// Check implements providers.Provider.
func (a *account) Check(ch providers.Change) error {
	if ch.Charge == providers.Spot {
		return providers.Refusef(providers.Text{EN: "No spot here.", ZH: "不支持竞价实例。"})
	}
	return nil
}

// Observe implements providers.Provider.
func (a *account) Observe(ctx context.Context, ref providers.ClusterRef) (providers.Snapshot, error) {
	k, err := a.read(ctx, "Observe")
	if err != nil {
		return providers.Snapshot{}, err
	}
	s := a.snapshot(ref.Name)
	if k != nil {
		k.seen.count, k.seen.counted = len(a.nodes), true
	}
	return s, nil
}

func (a *account) snapshot(name string) providers.Snapshot {
	s := providers.Snapshot{
		At: a.rep.Now(), ID: a.cluster, Name: name, Phase: providers.Ready, Status: "running", Charge: providers.Postpaid,
		Facts: map[string]string{"ops": strconv.Itoa(len(a.ops))},
	}
	if a.busy() {
		s.Phase, s.Status = providers.Busy, "scaling"
	}
	g := providers.Group{ID: groupID, Count: len(a.nodes)}
	for _, id := range a.nodes {
		g.Nodes = append(g.Nodes, providers.Node{ID: id})
	}
	s.Groups = []providers.Group{g}
	return s
}

// Resolve implements providers.Provider. By state alone the cloud picks the nodes.
func (a *account) Resolve(ch providers.Change, s providers.Snapshot) (providers.Change, error) {
	g, ok := s.Group(ch.GroupID)
	if !ok {
		return ch, trouble(providers.NotFound, "no such group")
	}
	if ch.Delta < 0 && len(ch.Nodes) == 0 && a.style != byState {
		for _, n := range g.Nodes[len(g.Nodes)+ch.Delta:] {
			ch.Nodes = append(ch.Nodes, n.ID)
		}
	}
	ch.Profile = "p1"
	return ch, nil
}

// Quote implements providers.Provider.
func (a *account) Quote(ctx context.Context, ch providers.Change, _ providers.Snapshot) (providers.Quote, error) {
	k, err := a.read(ctx, "Quote")
	if err != nil {
		return providers.Quote{}, err
	}
	q := a.quote(ch)
	q.At = a.rep.Now()
	if k != nil {
		k.seen.quote = &q
	}
	return q, nil
}

func (c *cloud) quote(ch providers.Change) providers.Quote {
	q := providers.Quote{Known: c.known || !ch.Adds(), Currency: "CNY"}
	if !q.Known {
		q.Reason = providers.Text{EN: "no price", ZH: "无报价"}
	}
	if ch.Adds() && c.known {
		q.Hourly = decimal.NewFromInt(c.price).Mul(decimal.NewFromInt(int64(ch.Delta)))
		q.Monthly = q.Hourly.Mul(decimal.NewFromInt(providers.HoursPerMonth))
		if ch.Charge == providers.Prepaid {
			q.Committed = q.Monthly.Mul(decimal.NewFromInt(int64(ch.Months)))
		}
	}
	return q
}

// Submit implements providers.Provider.
func (a *account) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	k, err := a.call(ctx, "Submit")
	if err != nil {
		return providers.Operation{}, err
	}
	if a.rep.Now().Sub(sub.SentAt) > sendWithin {
		return providers.Operation{}, trouble(providers.Retry, "held up before it was sent")
	}
	a.s.judge(k, a.cloud, sub)
	return a.send(ctx, k, "Submit", sub)
}

// send puts a request on the wire.
func (a *account) send(ctx context.Context, k *task, method string, sub providers.Submission) (providers.Operation, error) {
	m, label := a.s.mood, a.account+"."+method
	switch {
	case a.s.chance(m.throttled):
		a.s.log(k, label, "throttled")
		return providers.Operation{}, &providers.Error{Kind: providers.Retry, Op: method, Advice: providers.Text{EN: "throttled"}}
	case a.s.chance(m.turned):
		a.s.log(k, label, "refused for good")
		return providers.Operation{}, &providers.Error{Kind: providers.Refused, Code: "Invalid", Op: method, Advice: providers.Text{EN: "refused", ZH: "拒绝"}}
	case a.s.chance(m.broken):
		a.s.log(k, label, "500 before it was taken")
		return providers.Operation{}, trouble(providers.Unknown, "internal error")
	case a.s.chance(m.hung):
		a.s.log(k, label, "hangs")
		if a.s.rng.IntN(3) > 0 {
			a.s.at(a.s.between(time.Second, 40*time.Second), func() {
				_, err := a.take(k, sub)
				a.s.log(k, label, fmt.Sprintf("arrives late (%s)", said(err)))
			})
		}
		hang(ctx)
		return providers.Operation{}, trouble(providers.Unknown, "no answer in time")
	case a.s.chance(m.lost):
		_, err := a.take(k, sub)
		a.s.log(k, label, fmt.Sprintf("answer lost (%s)", said(err)))
		return providers.Operation{}, trouble(providers.Unknown, "the answer was lost")
	}
	op, err := a.take(k, sub)
	a.s.log(k, label, said(err))
	return op, err
}

// Reconcile implements providers.Provider, as far as the adapter of each cloud
// goes.
func (a *account) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	k, err := a.read(ctx, "Reconcile")
	if err != nil {
		return providers.Finding{}, err
	}
	age := a.rep.Now().Sub(sub.SentAt)
	var refused error
	if a.style == byToken && sub.Change.Adds() && !sub.Look && age >= 0 && age < tokenWindow {
		op, err := a.send(ctx, k, "Repeat", sub)
		if err == nil {
			return providers.Finding{State: providers.Accepted, Operation: op, Evidence: sentence("repeated, and answered with " + op.ID)}, nil
		}
		if ctx.Err() != nil {
			return providers.Finding{}, trouble(providers.Retry, "no answer in time")
		}
		if providers.KindOf(err) == providers.Refused && age >= settled { // earlier the first send may still arrive
			refused = err
		}
	}
	a.progress()
	was, _ := sub.Baseline.Group(groupID)
	before, err := strconv.Atoi(sub.Baseline.Facts["ops"])
	if err != nil {
		return providers.Finding{}, trouble(providers.Retry, "no baseline")
	}
	if a.style == byTask {
		var mine []*operation
		for _, op := range a.ops[before:] {
			if op.delta == sub.Change.Delta {
				mine = append(mine, op)
			}
		}
		if len(mine) == 1 && len(a.ops) == before+1 {
			return providers.Finding{State: providers.Accepted, Operation: providers.Operation{ID: mine[0].id, AcceptedAt: a.rep.Now()}, Evidence: sentence("its task")}, nil
		}
	}
	switch {
	case a.complete(sub, was):
		return providers.Finding{State: providers.Accepted, Operation: providers.Operation{AcceptedAt: a.rep.Now()}, Evidence: sentence("exactly its nodes")}, nil
	case a.busy():
		return providers.Finding{State: providers.Unsure, Evidence: sentence("the cluster is busy")}, nil
	case refused != nil && len(a.nodes) == was.Count && len(a.ops) == before:
		return providers.Finding{State: providers.NotAccepted, Cause: refused, Evidence: sentence("a repeat was refused")}, nil
	}
	return providers.Finding{State: providers.Unsure, Evidence: sentence("nothing tells")}, nil
}

func sentence(text string) providers.Text { return providers.Text{EN: text, ZH: text} }

// complete reports whether exactly the nodes of a change came or went.
func (c *cloud) complete(sub providers.Submission, was providers.Group) bool {
	old := map[string]bool{}
	for _, n := range was.Nodes {
		old[n.ID] = true
	}
	fresh := 0
	for _, id := range c.nodes {
		if !old[id] {
			fresh++
		}
		delete(old, id)
	}
	if sub.Change.Adds() {
		return fresh == sub.Change.Delta
	}
	if len(sub.Change.Nodes) == 0 {
		return len(old) == -sub.Change.Delta
	}
	for _, id := range sub.Change.Nodes {
		if !old[id] {
			return false
		}
	}
	return true
}

// Follow implements providers.Provider.
func (a *account) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	if _, err := a.read(ctx, "Follow"); err != nil {
		return providers.Progress{}, err
	}
	p := providers.Progress{State: providers.Running, Percent: 40, Count: len(a.nodes)}
	if op.ID != "" {
		i := slices.IndexFunc(a.ops, func(o *operation) bool { return o.id == op.ID })
		if i < 0 {
			return p, trouble(providers.NotFound, "no such operation")
		}
		p.Controls = a.controls(a.ops[i])
		return a.ended(p, a.ops[i]), nil
	}
	was, _ := sub.Baseline.Group(groupID)
	switch {
	case a.complete(sub, was):
		p.State, p.Percent = providers.Succeeded, 100
	case a.busy(), a.rep.Now().Sub(op.AcceptedAt) < 3*time.Minute:
	case len(a.nodes) != was.Count:
		p.State = providers.Partial
	default:
		return p, trouble(providers.NotFound, "nothing happened")
	}
	return p, nil
}

func (a *account) ended(p providers.Progress, op *operation) providers.Progress {
	if !op.applied {
		return p
	}
	p.Percent = 100
	for _, id := range op.joined {
		p.Changed = append(p.Changed, providers.Node{ID: id})
	}
	switch {
	case op.fails:
		p.State, p.Message = providers.Failed, "it failed"
	case op.short > 0:
		p.State = providers.Partial
	default:
		p.State = providers.Succeeded
	}
	return p
}

// Clusters implements providers.Provider.
func (a *account) Clusters(context.Context) ([]providers.ClusterInfo, error) { return nil, nil }

// asked is the policy of the simulated workspace, by heart: how many people of
// which group a change needs.
func asked(ch providers.Change, q providers.Quote) map[string]int {
	need := map[string]int{}
	if ch.Delta > 0 && ch.Charge == providers.Prepaid {
		need["finops"], need["leads"] = 1, 1
	}
	if ch.Delta < 0 || !q.Known || q.Monthly.GreaterThan(decimal.NewFromInt(5000)) {
		need["leads"] = 1
	}
	return need
}

// theRules are the same in the product's words.
func (s *sim) theRules() approvals.Config {
	c := approvals.Config{
		Groups: map[string]approvals.Group{
			"leads": {Usergroups: []string{"S0LEADS"}}, "finops": {Usergroups: []string{"S0FINOPS"}}, "oncall": {Users: []string{oncall}},
		},
		Approve: []string{"white_check_mark"}, Deny: []string{"x"}, ExpireAfter: expireAfter, PriceTolerance: 0.05, RulesGiven: true,
		Rules: []approvals.Rule{
			{Name: "prepaid", When: `change.charge == "prepaid"`, Require: map[string]int{"finops": 1, "leads": 1}},
			{Name: "costly", When: `quote.monthly > 5000.0 || !quote.known`, Require: map[string]int{"leads": 1}},
			{Name: "scale-in", When: `change.delta < 0`, Require: map[string]int{"leads": 1}},
		},
		BreakGlass: []string{"oncall"}, Freezers: []string{"leads"},
	}
	if s.mood.budgets {
		c.Rules = append(c.Rules, overBudget)
	}
	return c
}
