package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// lost is a cloud that gives no answer.
type lost struct{ providers.Provider }

func (lost) Observe(context.Context, providers.ClusterRef) (providers.Snapshot, error) {
	return providers.Snapshot{}, context.DeadlineExceeded
}

// A cloud that is away stands in the detail of /readyz and makes nothing unready.
func TestTheDetailOfReadyz(t *testing.T) {
	g := guards{"data-gz": nil, "ack-bj": nil}
	for name := range g {
		g[name] = providers.NewGuard(providers.GuardOptions{Account: name, Now: time.Now})
	}
	f := &front{metrics: prometheus.NewRegistry()}
	var trouble error
	f.ready(func(context.Context) error { return trouble }, g.lines)
	get := func() (int, string) {
		w := httptest.NewRecorder()
		f.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code, w.Body.String()
	}
	code, body := get()
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ready\naccount ack-bj: ok\naccount data-gz: ok\n", body)
	away := g["data-gz"].Around(lost{})
	for range 5 {
		_, err := away.Observe(t.Context(), providers.ClusterRef{})
		require.Error(t, err)
	}
	_, blocked := g.blocked("data-gz")
	require.True(t, blocked)
	_, blocked = g.blocked("of no config")
	require.False(t, blocked)
	code, body = get()
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "account ack-bj: ok\naccount data-gz: does not answer; next try at ")
	trouble = errors.New("Redis does not answer or takes no writes")
	code, body = get()
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "takes no writes")
}
