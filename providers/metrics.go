package providers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Calls measures calls to clouds. Adapters hold no metric code: Instrument puts
// this around them.
type Calls struct {
	seconds *prometheus.HistogramVec
	errors  *prometheus.CounterVec
	now     func() time.Time
}

// NewCalls registers the metrics of calls to clouds.
func NewCalls(r prometheus.Registerer, now func() time.Time) *Calls {
	c := &Calls{now: now, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "scalebot_cloud_call_seconds", Help: "Time that a call to a cloud took, by account and method.",
		Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"account", "method"}), errors: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scalebot_cloud_errors_total", Help: "Calls to a cloud that failed, by account, method and kind.",
	}, []string{"account", "method", "kind"})}
	r.MustRegister(c.seconds, c.errors)
	return c
}

// Instrument puts measurement around a provider.
func (c *Calls) Instrument(account string, p Provider) Provider {
	for _, method := range []string{"observe", "quote", "submit", "reconcile", "follow", "control", "clusters"} {
		c.seconds.WithLabelValues(account, method)
		for _, k := range Kinds {
			c.errors.WithLabelValues(account, method, string(k))
		}
	}
	return &measured{Provider: p, calls: c, account: account}
}

// measured is a provider with measurement around it; Check and Resolve are pure
// and pass through.
type measured struct {
	Provider
	calls   *Calls
	account string
}

func (m *measured) done(method string, start time.Time, err error) {
	m.calls.seconds.WithLabelValues(m.account, method).Observe(m.calls.now().Sub(start).Seconds())
	if err != nil {
		m.calls.errors.WithLabelValues(m.account, method, string(KindOf(err))).Inc()
	}
}

func (m *measured) Observe(ctx context.Context, ref ClusterRef) (s Snapshot, err error) {
	defer func(start time.Time) { m.done("observe", start, err) }(m.calls.now())
	return m.Provider.Observe(ctx, ref)
}

func (m *measured) Quote(ctx context.Context, c Change, s Snapshot) (q Quote, err error) {
	defer func(start time.Time) { m.done("quote", start, err) }(m.calls.now())
	return m.Provider.Quote(ctx, c, s)
}

func (m *measured) Submit(ctx context.Context, sub Submission) (op Operation, err error) {
	defer func(start time.Time) { m.done("submit", start, err) }(m.calls.now())
	return m.Provider.Submit(ctx, sub)
}

func (m *measured) Reconcile(ctx context.Context, sub Submission) (f Finding, err error) {
	defer func(start time.Time) { m.done("reconcile", start, err) }(m.calls.now())
	return m.Provider.Reconcile(ctx, sub)
}

func (m *measured) Follow(ctx context.Context, sub Submission, op Operation) (p Progress, err error) {
	defer func(start time.Time) { m.done("follow", start, err) }(m.calls.now())
	return m.Provider.Follow(ctx, sub, op)
}

func (m *measured) Control(ctx context.Context, sub Submission, op Operation, c Control) (err error) {
	defer func(start time.Time) { m.done("control", start, err) }(m.calls.now())
	return m.Provider.Control(ctx, sub, op, c)
}

func (m *measured) Clusters(ctx context.Context) (all []ClusterInfo, err error) {
	defer func(start time.Time) { m.done("clusters", start, err) }(m.calls.now())
	return m.Provider.Clusters(ctx)
}
