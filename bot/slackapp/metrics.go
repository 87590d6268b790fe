package slackapp

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	acks     *prometheus.CounterVec // type, outcome
	ackTime  *prometheus.HistogramVec
	events   *prometheus.CounterVec // type
	shed     *prometheus.CounterVec // type
	connects prometheus.Counter
	gaps     *prometheus.CounterVec // stage
	calls    *prometheus.CounterVec // method
	errors   *prometheus.CounterVec // method, kind
	panics   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "scalebot", Subsystem: "slack", Name: name, Help: help}, labels)
	}
	single := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "scalebot", Subsystem: "slack", Name: name, Help: help})
	}
	m := &metrics{
		acks: counter("acks_total", "Acknowledgements handed to a socket, by envelope type and outcome (queued, lost).", "type", "outcome"),
		ackTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "scalebot", Subsystem: "slack", Name: "ack_seconds",
			Help:    "Time from an envelope's arrival to its acknowledgement; Slack allows 3 s.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3},
		}, []string{"type"}),
		events:   counter("events_total", "What arrived, by type.", "type"),
		shed:     counter("shed_total", "What arrived while all workers were busy and was not taken, by envelope type.", "type"),
		connects: single("socket_connects_total", "Times a socket got its hello."),
		gaps:     counter("socket_failures_total", "Failures of sockets, by stage (connect, read, write, message).", "stage"),
		calls:    counter("api_calls_total", "Calls of the Web API, by method.", "method"),
		errors:   counter("api_errors_total", "Calls of the Web API without success, by method and kind.", "method", "kind"),
		panics:   single("panics_total", "Handlers that panicked and were stopped."),
	}
	if reg != nil {
		reg.MustRegister(m.acks, m.ackTime, m.events, m.shed, m.connects, m.gaps, m.calls, m.errors, m.panics)
	}
	return m
}
