package flow_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
)

// walks counts how often the open flows are read.
type walks struct {
	flow.Store
	n int
}

func (s *walks) Walk(ctx context.Context, q flow.Filter, each func(flow.Flow) error) error {
	s.n++
	return s.Store.Walk(ctx, q, each)
}

func (s *walks) List(ctx context.Context, q flow.Filter) ([]flow.Flow, error) {
	s.n++
	return s.Store.List(ctx, q)
}

// The looks after a gap are spread by how many ballots are open, counted in the one
// reading that finds them.
func TestAGapIsReconciledInOneReading(t *testing.T) {
	w := newWorld(t)
	later := ask(flow.Add, 1)
	later.StartAt = noon.Add(time.Hour)
	ids := map[string]flow.State{
		w.request(prepaid(1)): flow.AwaitingApproval, w.request(prepaid(2)): flow.AwaitingApproval, w.request(later): flow.Scheduled,
	}
	w.settle()
	for id, s := range ids {
		w.in(id, s)
	}
	s := &walks{Store: w.store}
	w.options.Store = s
	w.wire()
	now, counted := w.clock.Now(), 0
	require.NoError(t, w.desk.Reconcile(t.Context(), func(ballots int) time.Duration {
		counted = ballots
		return 10 * time.Second
	}))
	require.Equal(t, 2, counted)
	require.Equal(t, 1, s.n)
	for _, lane := range []flow.Lane{flow.LaneStep, flow.LaneChat} {
		next, err := w.store.Schedule(t.Context(), lane)
		require.NoError(t, err)
		at := map[time.Time]bool{}
		for id := range ids {
			require.Contains(t, next, id)
			require.WithinRange(t, next[id], now, now.Add(10*time.Second))
			at[next[id]] = true
		}
		require.Len(t, at, len(ids), "spread")
	}
}
