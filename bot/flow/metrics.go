package flow

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what Engine, Courier and Desk do. A nil *Metrics counts
// nothing.
type Metrics struct {
	steps    *prometheus.HistogramVec
	failures *prometheus.CounterVec
	moves    *prometheus.CounterVec
	limited  prometheus.Counter
	off      *prometheus.CounterVec
	requests *prometheus.CounterVec
	grafts   prometheus.Counter
}

// NewMetrics registers the metrics. Every label value that can occur starts at
// zero, so that rates and absences are right from the first scrape.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scalebot_step_seconds", Help: "Time that one step of a flow took, by lane.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30},
		}, []string{"lane"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scalebot_step_failures_total", Help: "Steps that ended with an error, by lane and kind.",
		}, []string{"lane", "kind"}),
		moves: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scalebot_moves_total", Help: "Moves of flows between states.",
		}, []string{"from", "to"}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scalebot_chat_rate_limited_total", Help: "Calls that Slack itself put off (HTTP 429), or that came too fast for our own pace.",
		}),
		grafts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scalebot_store_older_total", Help: "Records that were written again because the store had come back older than what was done.",
		}),
		off: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scalebot_chat_put_off_total", Help: "Calls that the quota of the workspace put off before they were made, by call.",
		}, []string{"call"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scalebot_requests_total", Help: "Scale requests by outcome.",
		}, []string{"outcome"}),
	}
	for _, lane := range []Lane{LaneStep, LaneChat, LaneRenew} {
		m.steps.WithLabelValues(string(lane))
		for _, kind := range []string{"lease", "error"} {
			m.failures.WithLabelValues(string(lane), kind)
		}
	}
	for from, all := range moves {
		for _, to := range all {
			m.moves.WithLabelValues(string(from), string(to))
		}
	}
	for _, outcome := range []string{"taken", "again", "rejected", "failed"} {
		m.requests.WithLabelValues(outcome)
	}
	for _, call := range Calls {
		m.off.WithLabelValues(string(call))
	}
	r.MustRegister(m.steps, m.failures, m.moves, m.limited, m.off, m.requests, m.grafts)
	return m
}

func (m *Metrics) stepped(lane Lane, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.steps.WithLabelValues(string(lane)).Observe(took.Seconds())
	if err != nil {
		kind := "error"
		if errors.Is(err, ErrLeaseLost) || errors.Is(err, ErrStale) {
			kind = "lease"
		}
		m.failures.WithLabelValues(string(lane), kind).Inc()
	}
}

func (m *Metrics) moved(from, to State) {
	if m != nil {
		m.moves.WithLabelValues(string(from), string(to)).Inc()
	}
}

func (m *Metrics) chatLimited() {
	if m != nil {
		m.limited.Inc()
	}
}

func (m *Metrics) requested(outcome string) {
	if m != nil {
		m.requests.WithLabelValues(outcome).Inc()
	}
}

func (m *Metrics) grafted() {
	if m != nil {
		m.grafts.Inc()
	}
}

func (m *Metrics) putOff(c Call) {
	if m != nil {
		m.off.WithLabelValues(string(c)).Inc()
	}
}
