package providers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrPaced is in the chain of an error of kind Retry when the call was not made
// because of our own limits: it says nothing of the cloud.
var ErrPaced = errors.New("held back by our own limits")

// The circuit breaker of an account: so many failures in a row open it, for so long
// at first, doubled at every probe that fails.
const (
	guardFailures = 5
	guardFirst    = 5 * time.Second
	guardMost     = 2 * time.Minute
	// guardWait is how long a call may wait for its turn in the shared rate. More is
	// a look again: a worker that waits works for nobody.
	guardWait = 2 * time.Second
)

// GuardOptions are what a Guard is made of.
type GuardOptions struct {
	Account string // config's name
	Rate    int    // calls a second over all replicas; <= 0 = no limit of ours
	Now     func() time.Time
	// Take asks the rate that all replicas share for one call of a name: 0 = go, else
	// how long until the next may. nil = no shared rate.
	Take func(ctx context.Context, name string, perSecond int) (time.Duration, error)
}

// Guard stands before one account's cloud: it keeps its calls to a rate that all
// replicas share, and stops calling while the cloud does not answer, so that one
// dead account does not hold every worker for a call's whole time. It never repeats
// a call, and a change that it held back was certainly not sent.
type Guard struct {
	o GuardOptions

	mu       sync.Mutex
	failures int           // in a row
	pause    time.Duration // of the breaker; 0 = closed
	until    time.Time     // no call before
	probing  bool          // one call finds out whether the cloud is back
}

// NewGuard makes the guard of an account, closed.
func NewGuard(o GuardOptions) *Guard { return &Guard{o: o} }

// Around puts the guard before a provider.
func (g *Guard) Around(p Provider) Provider { return &guarded{Provider: p, guard: g} }

// Blocked reports whether calls are held back because the cloud does not answer,
// and until when. The time may have passed: then the next call is a probe.
func (g *Guard) Blocked() (until time.Time, blocked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.until, g.pause > 0
}

// Collect is the guard's state for metrics: 1 while the breaker is open.
func (g *Guard) Collect() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "scalebot_account_blocked", Help: "1 while an account's cloud does not answer and is left alone.",
		ConstLabels: prometheus.Labels{"account": g.o.Account},
	}, func() float64 {
		if _, blocked := g.Blocked(); blocked {
			return 1
		}
		return 0
	})
}

// enter lets one call go or says why not. A change takes from the rate and does not
// wait for it: its intent is on record, and whoever asks what became of it asks more
// than it would have.
func (g *Guard) enter(ctx context.Context, change bool) error {
	now := g.o.Now()
	g.mu.Lock()
	switch {
	case g.pause == 0:
	case now.Before(g.until), g.probing:
		at := g.until
		g.mu.Unlock()
		if !now.Before(at) {
			at = now.Add(guardFirst)
		}
		return g.away(at)
	default:
		g.probing = true
	}
	g.mu.Unlock()
	if g.o.Take == nil || g.o.Rate <= 0 {
		return nil
	}
	for waited := time.Duration(0); ; {
		wait, err := g.o.Take(ctx, "account/"+g.o.Account, g.o.Rate)
		switch {
		case change || err == nil && wait <= 0:
			return nil
		case err != nil:
			return g.paced(time.Time{}, err)
		case waited+wait > guardWait:
			return g.paced(g.o.Now().Add(wait), nil)
		}
		waited += wait
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return g.paced(time.Time{}, ctx.Err())
		case <-timer.C:
		}
	}
}

func (g *Guard) away(at time.Time) error {
	clock := at.UTC().Format("15:04:05")
	return &Error{Kind: Retry, Err: ErrPaced, RetryAt: at, Advice: Text{
		EN: fmt.Sprintf("Cloud account %s doesn't answer; the next try is at %s UTC.", g.o.Account, clock),
		ZH: fmt.Sprintf("云账号 %s 无响应，将于 %s UTC 再次尝试。", g.o.Account, clock),
	}}
}

func (g *Guard) paced(at time.Time, cause error) error {
	g.mu.Lock()
	g.probing = false // it was not made after all
	g.mu.Unlock()
	return &Error{Kind: Retry, Err: errors.Join(ErrPaced, cause), RetryAt: at, Advice: Text{
		EN: fmt.Sprintf("Cloud account %s is asked a lot right now; this waits for its turn.", g.o.Account),
		ZH: fmt.Sprintf("云账号 %s 当前调用较多，正在等待。", g.o.Account),
	}}
}

// leave counts how a call ended. Whatever the cloud said definitely, a refusal or
// that it is asked too often, shows that it answers; a stop of our own says nothing.
func (g *Guard) leave(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	probe := g.probing
	g.probing = false
	kind := KindOf(err)
	var e *Error
	throttled := errors.As(err, &e) && e.Throttled
	switch {
	case errors.Is(err, ErrPaced), errors.Is(err, context.Canceled):
	case kind != Retry && kind != Unknown, throttled:
		g.failures, g.pause, g.until = 0, 0, time.Time{}
	default:
		g.failures++
		switch {
		case g.pause == 0 && g.failures >= guardFailures:
			g.pause = guardFirst
		case probe:
			g.pause = min(2*g.pause, guardMost)
		default:
			return // a straggler of before it opened
		}
		g.until = g.o.Now().Add(g.pause)
	}
}

// guarded is a provider behind its guard; Check and Resolve are pure and pass.
type guarded struct {
	Provider
	guard *Guard
}

// behind makes one call behind the guard.
func behind[T any](ctx context.Context, g *Guard, change bool, call func() (T, error)) (T, error) {
	if err := g.enter(ctx, change); err != nil {
		var none T
		return none, err
	}
	done := false
	defer func() {
		if !done { // a panic, which the caller may outlive: nothing was learnt
			g.leave(context.Canceled)
		}
	}()
	v, err := call()
	done = true
	g.leave(err)
	return v, err
}

func (g *guarded) Observe(ctx context.Context, ref ClusterRef) (Snapshot, error) {
	return behind(ctx, g.guard, false, func() (Snapshot, error) { return g.Provider.Observe(ctx, ref) })
}

func (g *guarded) Quote(ctx context.Context, c Change, s Snapshot) (Quote, error) {
	return behind(ctx, g.guard, false, func() (Quote, error) { return g.Provider.Quote(ctx, c, s) })
}

func (g *guarded) Submit(ctx context.Context, sub Submission) (Operation, error) {
	return behind(ctx, g.guard, true, func() (Operation, error) { return g.Provider.Submit(ctx, sub) })
}

func (g *guarded) Reconcile(ctx context.Context, sub Submission) (Finding, error) {
	return behind(ctx, g.guard, false, func() (Finding, error) { return g.Provider.Reconcile(ctx, sub) })
}

func (g *guarded) Follow(ctx context.Context, sub Submission, op Operation) (Progress, error) {
	return behind(ctx, g.guard, false, func() (Progress, error) { return g.Provider.Follow(ctx, sub, op) })
}

func (g *guarded) Control(ctx context.Context, sub Submission, op Operation, c Control) error {
	_, err := behind(ctx, g.guard, true, func() (struct{}, error) { return struct{}{}, g.Provider.Control(ctx, sub, op, c) })
	return err
}

func (g *guarded) Clusters(ctx context.Context) ([]ClusterInfo, error) {
	return behind(ctx, g.guard, false, func() ([]ClusterInfo, error) { return g.Provider.Clusters(ctx) })
}
