package flowsim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/slackapp"
	"scalebot/bot/slacksim"
)

// phone is one life of a replica's Slack edge: its App and its lines to Slack.
type phone struct {
	e     *edge
	rep   *replica
	app   *slackapp.App
	lines *lines
	http  *http.Transport
	desk  *counter
	ended context.CancelFunc
	task  *task
	opens []time.Time // of sockets, in the last minute
}

// opened holds the replica to its share of the sockets that may be opened in a
// minute.
func (p *phone) opened() {
	now := time.Now()
	p.opens = append(slices.DeleteFunc(p.opens, func(t time.Time) bool { return now.Sub(t) >= time.Minute }), now)
	if len(p.opens) > opensInMinute {
		p.e.s.blame("%s opened %d sockets within a minute", p.rep.name, len(p.opens))
	}
}

// hangUp is what becomes of the connections of a killed process.
func (p *phone) hangUp() {
	p.lines.cut()
	p.ended()
	p.http.CloseIdleConnections()
}

// connect gives a replica a new App. Nothing is sent before run.
func (e *edge) connect(r *replica) Slack {
	p := &phone{e: e, rep: r}
	p.lines = newLines(e.x, func(label string, come func()) { e.s.wait(&waiter{k: p.task, label: label, come: come}) })
	p.http = &http.Transport{DialContext: p.lines.dial}
	r.life.phone = p
	r.life.ctx, p.ended = context.WithCancel(context.Background())
	e.s.serial++
	// Apart from the dice of the run: who comes first among goroutines that wake
	// together must not change what the others throw.
	dice, mu := rand.New(rand.NewPCG(e.s.Seed, uint64(e.s.serial))), sync.Mutex{}
	var err error
	if p.app, err = slackapp.New(slackapp.Options{
		AppToken: appToken, BotToken: botToken, APIURL: e.server.APIURL(), Language: "en", Sockets: 2, Clock: r,
		HTTPClient: &http.Client{Transport: &caller{p: p}, Timeout: time.Hour}, Dial: p.lines.dialSocket, Logger: e.s.logger(r),
		Jitter: func(below time.Duration) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(dice.Int64N(int64(below)))
		},
	}); err != nil {
		panic("flowsim: " + err.Error())
	}
	return p.app
}

// run starts the edge of a replica that has its desk. The replica is up once Slack
// has said who it is, as in `scalebot run`.
func (e *edge) run(r *replica) {
	s, p := e.s, r.life.phone
	s.serial++
	p.task = &task{id: s.serial, name: "edge", rep: r, life: r.life, began: time.Now(), edge: true}
	p.desk = &counter{FrontDesk: r.desk, s: s}
	s.launch(r.life.ctx, p.task, func(ctx context.Context, k *task) {
		for {
			_, err := p.app.Identify(ctx)
			if err == nil {
				break
			}
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
				return
			}
		}
		s.mu.Lock()
		r.up = !k.life.dead
		s.mu.Unlock()
		err := p.app.Run(ctx, p.desk, s.renderer)
		if ctx.Err() == nil {
			s.blame("the Slack edge of %s has ended: %v", r.name, err)
		}
	})
}

// caller makes the Web API calls of one replica: each is a turn of its own, and may
// fail as this one is to fail.
type caller struct{ p *phone }

// RoundTrip implements http.RoundTripper.
func (c *caller) RoundTrip(req *http.Request) (*http.Response, error) {
	s, server := c.p.e.s, c.p.e.server
	method, args := calls(req)
	label := "slack." + method + what(args)
	k := taskOf(req.Context())
	refuse := func(err error) (*http.Response, error) {
		if req.Body != nil {
			_ = req.Body.Close() // of a string
		}
		return nil, err
	}
	if k == nil {
		return refuse(fmt.Errorf("flowsim: %s is nobody's", label))
	}
	if !s.turn(k, label) {
		return refuse(errDown)
	}
	if err := req.Context().Err(); err != nil {
		return refuse(err)
	}
	if method == opens {
		c.p.opened()
	}
	why := ""
	if f, ok := c.fault(method); ok {
		why = " (" + string(f.Kind) + ")"
		server.Fail(method, f)
	}
	// The client's own timeout would end a call in two ways at one moment.
	ctx, cancel := context.WithTimeout(req.Context(), 10*time.Second)
	var votes *message
	if method == "reactions.get" {
		votes = c.p.e.message(args.Get("channel"), args.Get("timestamp"))
	}
	resp, err := c.p.http.RoundTrip(withoutCancel(req, ctx))
	if why != "" {
		server.ClearFaults(method) // it may never have arrived
	}
	if err != nil {
		cancel()
		s.log(k, label+why, err.Error())
		return resp, err
	}
	resp.Body = &answer{resp.Body, cancel}
	s.log(k, label+why, resp.Status)
	if votes != nil && resp.StatusCode == http.StatusOK {
		k.seen.card, k.seen.yes, k.seen.no = votes, votes.yes, votes.no
	}
	return resp, nil
}

func withoutCancel(req *http.Request, ctx context.Context) *http.Request {
	req = req.WithContext(ctx)
	req.Cancel = nil //nolint:staticcheck // the client sets it
	return req
}

// answer ends its call's time when it has been read.
type answer struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (a *answer) Close() error {
	defer a.cancel()
	return a.ReadCloser.Close()
}

// fault is what is to go wrong with a call.
func (c *caller) fault(method string) (slacksim.Fault, bool) {
	s, m := c.p.e.s, c.p.e.s.mood
	writes := method == "chat.postMessage" || method == "chat.update" || method == "chat.postEphemeral" || method == "chat.delete" || method == slacksim.ResponseURL || method == "views.open"
	const hang = slacksim.Hang
	switch {
	case s.chance(m.limited):
		return slacksim.Fault{Kind: slacksim.RateLimited, RetryAfter: 1 + s.rng.IntN(30)}, true
	case s.chance(m.slackDown):
		kind := pick(s, slacksim.Error500, slacksim.HTML502, slacksim.APIError, slacksim.ResetBefore, hang)
		return slacksim.Fault{Kind: kind, Code: pick(s, "fatal_error", "internal_error", "service_unavailable")}, true
	case writes && s.chance(m.postLost*1.5):
		return slacksim.Fault{Kind: pick(s, slacksim.ResetAfter, slacksim.ResetAfter, slacksim.HangAfter, slacksim.ResetBefore, hang)}, true
	case !writes && s.chance(m.readFailed):
		return slacksim.Fault{Kind: pick(s, slacksim.Error500, hang, slacksim.ResetAfter)}, true
	case s.chance(m.slow):
		return slacksim.Fault{Kind: slacksim.Slow, Delay: s.between(100*time.Millisecond, 9*time.Second)}, true
	}
	return slacksim.Fault{}, false
}

// calls reads which method a request is for, and its arguments.
func calls(req *http.Request) (string, url.Values) {
	args := url.Values{}
	if strings.HasPrefix(req.URL.Path, "/commands/") {
		args.Set("url", path.Base(req.URL.Path)[:6])
		return slacksim.ResponseURL, args
	}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			text := &strings.Builder{}
			_, _ = io.Copy(text, body) // from memory
			if form, err := url.ParseQuery(text.String()); err == nil {
				args = form
			}
		}
	}
	return path.Base(req.URL.Path), args
}

// what tells calls of one method apart, for the order of turns and for the trace.
func what(args url.Values) string {
	var all []string
	for _, name := range []string{"channel", "user", "usergroup", "ts", "timestamp", "thread_ts", "url"} {
		if v := args.Get(name); v != "" {
			all = append(all, v)
		}
	}
	var blocks []struct {
		ID string `json:"block_id"`
	}
	if json.Unmarshal([]byte(args.Get("blocks")), &blocks) == nil && len(blocks) > 0 {
		all = append(all, blocks[0].ID)
	}
	if len(all) == 0 {
		return ""
	}
	return " " + strings.Join(all, " ")
}

// counter is the desk as the edge reaches it: each call is a turn of its own, in an
// order that does not depend on which handler came first.
type counter struct {
	flow.FrontDesk
	s          *sim
	reconciled time.Time // when all was last looked at for events that may be missing
}

func (c *counter) turn(ctx context.Context, label string) *task { return c.s.gate(ctx, "desk."+label) }

// decided notes that the desk is done with what a button asked for.
func (c *counter) decided(who flow.Caller) {
	e := c.s.edge
	if _, before := e.decided[who.Dedupe]; !before {
		e.decided[who.Dedupe] = time.Now()
	}
}

// Request implements flow.FrontDesk.
func (c *counter) Request(ctx context.Context, who flow.Caller, a flow.Ask) (flow.Receipt, error) {
	k := c.turn(ctx, "Request "+who.User+" "+who.Dedupe)
	got, err := c.FrontDesk.Request(ctx, who, a)
	c.s.log(k, "ask", fmt.Sprintf("%s %s %s%d %q is %s: %s", a.Cluster, who.User, a.Op, a.N, a.Reason, got.Flow.ID, said(err)))
	return got, err
}

// Outcome implements flow.FrontDesk.
func (c *counter) Outcome(ctx context.Context, who flow.Caller) (flow.Flow, error) {
	k := c.turn(ctx, "Outcome "+who.User+" "+who.Dedupe)
	f, err := c.FrontDesk.Outcome(ctx, who)
	c.s.log(k, "outcome", fmt.Sprintf("%s %s: %s", who.Dedupe, f.ID, said(err)))
	return f, err
}

// Cancel implements flow.FrontDesk.
func (c *counter) Cancel(ctx context.Context, who flow.Caller, id string) (flow.Flow, error) {
	k := c.turn(ctx, "Cancel "+id+" "+who.User)
	f, err := c.FrontDesk.Cancel(ctx, who, id)
	c.decided(who)
	c.s.log(k, "cancel", id+": "+said(err))
	return f, err
}

// Again implements flow.FrontDesk.
func (c *counter) Again(ctx context.Context, who flow.Caller, id string) (flow.Receipt, error) {
	k := c.turn(ctx, "Again "+id+" "+who.User)
	got, err := c.FrontDesk.Again(ctx, who, id)
	c.decided(who)
	c.s.log(k, "again", fmt.Sprintf("%s is %s: %s", id, got.Flow.ID, said(err)))
	return got, err
}

// Keep implements flow.FrontDesk.
func (c *counter) Keep(ctx context.Context, who flow.Caller, id string) (flow.Flow, error) {
	k := c.turn(ctx, "Keep "+id+" "+who.User)
	f, err := c.FrontDesk.Keep(ctx, who, id)
	c.decided(who)
	c.s.log(k, "keep", id+": "+said(err))
	return f, err
}

// MaySettle implements flow.FrontDesk.
func (c *counter) MaySettle(ctx context.Context, who flow.Caller, id string, kind flow.SignalKind) (flow.Flow, error) {
	c.turn(ctx, "MaySettle "+id+" "+who.User)
	return c.FrontDesk.MaySettle(ctx, who, id, kind)
}

// Settle implements flow.FrontDesk. What the person decided is held against what
// the console shows at that moment.
func (c *counter) Settle(ctx context.Context, who flow.Caller, id string, kind flow.SignalKind, operation string) (flow.Flow, error) {
	k := c.turn(ctx, "Settle "+id+" "+who.User)
	op, _ := c.s.happened(id)
	d := decision{at: time.Now(), kind: kind, wrong: kind == flow.SignalRetry && op != nil}
	f, err := c.FrontDesk.Settle(ctx, who, id, kind, operation)
	c.decided(who)
	c.s.settled(k, id, operation, d, err)
	return f, err
}

// Vote implements flow.FrontDesk.
func (c *counter) Vote(ctx context.Context, who flow.Caller, id string, n int, choice approvals.Choice, reason string) (flow.Voted, error) {
	k := c.turn(ctx, fmt.Sprintf("Vote %s %d %s", id, n, who.User))
	v, err := c.FrontDesk.Vote(ctx, who, id, n, choice, reason)
	c.decided(who)
	c.s.log(k, "press", fmt.Sprintf("%s on %s plan %d by %s: %s %s", choice, id, n, who.User, v.Choice, said(err)))
	return v, err
}

// MayVote implements flow.FrontDesk.
func (c *counter) MayVote(ctx context.Context, who flow.Caller, id string, n int) error {
	c.turn(ctx, "MayVote "+id+" "+who.User)
	return c.FrontDesk.MayVote(ctx, who, id, n)
}

// Halt implements flow.FrontDesk.
func (c *counter) Halt(ctx context.Context, who flow.Caller, id string) (flow.Flow, error) {
	k := c.turn(ctx, "Halt "+id+" "+who.User)
	f, err := c.FrontDesk.Halt(ctx, who, id)
	c.decided(who)
	c.s.log(k, "halt", id+": "+said(err))
	return f, err
}

// Freeze implements flow.FrontDesk.
func (c *counter) Freeze(ctx context.Context, who flow.Caller, cluster string, last time.Duration, reason string) (approvals.Order, error) {
	k := c.turn(ctx, "Freeze "+cluster+" "+who.User)
	began := time.Now()
	o, err := c.FrontDesk.Freeze(ctx, who, cluster, last, reason)
	c.s.froze(k, cluster, began, last, err)
	return o, err
}

// Touched implements flow.FrontDesk.
func (c *counter) Touched(ctx context.Context, ref flow.MessageRef) error {
	c.turn(ctx, "Touched "+ref.TS)
	return c.FrontDesk.Touched(ctx, ref)
}

// Reconcile implements flow.FrontDesk.
func (c *counter) Reconcile(ctx context.Context, spread func(ballots int) time.Duration) error {
	k := c.turn(ctx, "Reconcile")
	err := c.FrontDesk.Reconcile(ctx, spread)
	c.s.log(k, "reconcile", said(err))
	if err == nil {
		c.reconciled = time.Now()
	}
	return err
}

// Flows implements flow.FrontDesk.
func (c *counter) Flows(ctx context.Context, f flow.Filter) ([]flow.Flow, error) {
	c.turn(ctx, "Flows")
	return c.FrontDesk.Flows(ctx, f)
}
