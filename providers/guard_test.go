package providers_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// answering is a provider whose answers are set and whose calls are counted.
type answering struct {
	providers.Provider
	err   error
	calls int
}

func (a *answering) Observe(context.Context, providers.ClusterRef) (providers.Snapshot, error) {
	a.calls++
	return providers.Snapshot{}, a.err
}

func (a *answering) Submit(context.Context, providers.Submission) (providers.Operation, error) {
	a.calls++
	return providers.Operation{}, a.err
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func failed(k providers.Kind) error { return &providers.Error{Kind: k} }

func TestACloudThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	c := &clock{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	g := providers.NewGuard(providers.GuardOptions{Account: "data-gz", Now: c.Now})
	a := &answering{err: failed(providers.Retry)}
	p := g.Around(a)
	look := func() error { _, err := p.Observe(t.Context(), providers.ClusterRef{}); return err }
	for range 5 {
		_, blocked := g.Blocked()
		require.False(t, blocked)
		require.Error(t, look())
	}
	require.Equal(t, 5, a.calls)
	until, blocked := g.Blocked()
	require.True(t, blocked)
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(g.Collect())
	got, merr := metrics.Gather()
	require.NoError(t, merr)
	require.InDelta(t, 1, got[0].Metric[0].Gauge.GetValue(), 0)

	err := look()
	require.Equal(t, 5, a.calls, "not asked")
	require.ErrorIs(t, err, providers.ErrPaced)
	require.Equal(t, providers.Retry, providers.KindOf(err))
	require.Equal(t, until, providers.RetryAtOf(err))
	require.Contains(t, providers.AdviceOf(err).EN, "data-gz doesn't answer; the next try is at 12:00:05")
	_, err = p.Submit(t.Context(), providers.Submission{})
	require.Equal(t, providers.Retry, providers.KindOf(err), "certainly not sent")
	require.Equal(t, 5, a.calls)

	for _, pause := range []time.Duration{5, 10, 20, 40, 80, 120, 120} { // doubled at each probe that fails
		c.now = c.now.Add(pause*time.Second - time.Millisecond)
		require.ErrorIs(t, look(), providers.ErrPaced, pause)
		c.now = c.now.Add(time.Millisecond)
		calls := a.calls
		require.NotErrorIs(t, look(), providers.ErrPaced, "the probe")
		require.Equal(t, calls+1, a.calls)
		require.ErrorIs(t, look(), providers.ErrPaced, "one probe")
	}
	c.now = c.now.Add(2 * time.Minute)
	a.err = failed(providers.Refused) // a refusal is an answer
	require.Error(t, look())
	_, blocked = g.Blocked()
	require.False(t, blocked)
}

func TestWhatCountsAgainstACloud(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		opens bool
	}{
		"throttled":    {&providers.Error{Kind: providers.Retry, Throttled: true}, false},
		"slow":         {failed(providers.Retry), true},
		"lost":         {failed(providers.Unknown), true},
		"timed out":    {context.DeadlineExceeded, true},
		"stopped":      {context.Canceled, false},
		"held back":    {&providers.Error{Kind: providers.Retry, Err: providers.ErrPaced}, false},
		"refused":      {failed(providers.Refused), false},
		"wrong keys":   {failed(providers.Auth), false},
		"not found":    {failed(providers.NotFound), false},
		"at work":      {failed(providers.Occupied), false},
		"no complaint": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			clk := &clock{time.Unix(1e9, 0)}
			g := providers.NewGuard(providers.GuardOptions{Now: clk.Now})
			p := g.Around(&answering{err: c.err})
			for range 20 {
				p.Submit(t.Context(), providers.Submission{}) //nolint:errcheck // what it does to the guard is looked at
			}
			_, blocked := g.Blocked()
			require.Equal(t, c.opens, blocked)
		})
	}
}

func TestOneProbeAtATime(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	g := providers.NewGuard(providers.GuardOptions{Now: c.Now})
	slow := &slowly{in: make(chan struct{}, 10), out: make(chan error)}
	p := g.Around(slow)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { p.Observe(context.Background(), providers.ClusterRef{}) }) //nolint:errcheck // it fails
		<-slow.in
		slow.out <- failed(providers.Retry)
	}
	wg.Wait()
	c.now = c.now.Add(time.Minute)
	wg.Go(func() { p.Observe(context.Background(), providers.ClusterRef{}) }) //nolint:errcheck // the probe
	<-slow.in
	_, err := p.Observe(t.Context(), providers.ClusterRef{})
	require.ErrorIs(t, err, providers.ErrPaced)
	require.True(t, providers.RetryAtOf(err).After(c.now))
	slow.out <- nil
	wg.Wait()
	_, blocked := g.Blocked()
	require.False(t, blocked)
}

type slowly struct {
	providers.Provider
	in  chan struct{}
	out chan error
}

func (s *slowly) Observe(context.Context, providers.ClusterRef) (providers.Snapshot, error) {
	s.in <- struct{}{}
	return providers.Snapshot{}, <-s.out
}

func TestACallThatWouldWaitLongIsALookAgain(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	wait, asked := time.Minute, 0
	var broken error
	g := providers.NewGuard(providers.GuardOptions{Account: "a", Rate: 7, Now: c.Now, Take: func(_ context.Context, name string, perSecond int) (time.Duration, error) {
		asked++
		require.Equal(t, "account/a", name)
		require.Equal(t, 7, perSecond)
		return wait, broken
	}})
	a := &answering{}
	p := g.Around(a)
	_, err := p.Observe(t.Context(), providers.ClusterRef{})
	require.ErrorIs(t, err, providers.ErrPaced)
	require.Equal(t, c.now.Add(time.Minute), providers.RetryAtOf(err))
	require.Zero(t, a.calls)
	_, err = p.Submit(t.Context(), providers.Submission{})
	require.NoError(t, err, "a change whose intent is on record goes, and is counted")
	require.Equal(t, 2, asked)
	broken = errors.New("Redis is away")
	_, err = p.Observe(t.Context(), providers.ClusterRef{})
	require.ErrorIs(t, err, broken)
	require.Equal(t, providers.Retry, providers.KindOf(err))
	broken, wait = nil, 0
	_, err = p.Observe(t.Context(), providers.ClusterRef{})
	require.NoError(t, err)
	_, blocked := g.Blocked()
	require.False(t, blocked, "our own limits say nothing of the cloud")
}
