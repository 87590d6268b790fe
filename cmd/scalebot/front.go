package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// front serves health and metrics from before the bot is wired until it has
// stopped: a probe must not kill a process that only waits for its Slack or its
// Redis.
type front struct {
	metrics *prometheus.Registry
	check   atomic.Pointer[func(context.Context) error]
	detail  atomic.Pointer[func() []string]
}

// ready is set once there is something that can tell. What detail says stands below
// the answer and decides nothing: a cloud that is away makes no replica unready.
func (f *front) ready(check func(context.Context) error, detail func() []string) {
	f.detail.Store(&detail)
	f.check.Store(&check)
}

// serve listens on addr until ctx ends; an empty addr serves nothing. It returns
// when it listens, and closed gives the error that ended it.
func (f *front) serve(ctx context.Context, addr string) (closed <-chan error, err error) {
	done := make(chan error, 1)
	if addr == "" {
		return done, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w; choose another address, or \"\" for none", err)
	}
	server := &http.Server{Handler: f.handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			done <- fmt.Errorf("http.listen: %w", err)
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() }) // whoever probes sees that it is gone
	return done, nil
}

func (f *front) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(f.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		check := f.check.Load()
		if check == nil {
			http.Error(w, "not ready: waiting for Slack and Redis to answer", http.StatusServiceUnavailable)
			return
		}
		if err := (*check)(ctx); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
		for _, line := range (*f.detail.Load())() {
			fmt.Fprintln(w, line)
		}
	})
	return mux
}
