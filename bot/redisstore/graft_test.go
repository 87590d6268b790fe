package redisstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
)

func (b *bench) graft(id string, to flow.State, beside bool) error {
	b.t.Helper()
	f, _, err := b.Get(b.t.Context(), id)
	read, from := f.Version, f.State
	if err != nil {
		require.ErrorIs(b.t, err, flow.ErrNotFound)
		f, read, from = newFlow(id), 0, ""
	}
	f.State = to
	_, err = b.Graft(b.t.Context(), flow.Graft{
		Flow: f, Read: read, From: from, Beside: beside, Due: b.now, Now: b.now, Audit: flow.Audit{Actor: "scalebot", Action: "graft"},
	})
	return err
}

// Whatever stands there, and whatever is known: afterwards the record, the seat,
// the line, the schedule and the index of open flows say one thing.
func TestAGraftLeavesOneStory(t *testing.T) {
	ctx := t.Context()
	b := newBench(t)
	road := map[flow.State][]flow.State{
		"": nil, flow.Planning: {}, flow.Queued: {flow.Queued}, flow.Running: {flow.Queued, flow.Submitting, flow.Running},
		flow.Cancelled: {flow.Cancelled},
	}
	for from, path := range road {
		for _, to := range flow.States {
			require.NoError(t, b.rdb.FlushAll(ctx).Err())
			if from != "" {
				b.accept("F-1")
				b.must("F-1", path...)
			}
			require.NoError(t, b.graft("F-1", to, false), "%s → %s", from, to)
			f, _, err := b.Get(ctx, "F-1")
			require.NoError(t, err)
			require.Equal(t, to, f.State)
			open, err := b.List(ctx, flow.Filter{Open: true})
			require.NoError(t, err)
			require.Equal(t, !to.Ended(), len(open) == 1, "%s → %s: open", from, to)
			all, err := b.List(ctx, flow.Filter{})
			require.NoError(t, err)
			require.Len(t, all, 1)
			due, err := b.rdb.ZCard(ctx, "test:{T1}:due:step").Result()
			require.NoError(t, err)
			require.Equal(t, !to.Ended(), due == 1, "%s → %s: due", from, to)
			ttl, err := b.rdb.TTL(ctx, "test:{T1}:flow:F-1").Result()
			require.NoError(t, err)
			require.Equal(t, to.Ended(), ttl > 0, "%s → %s: an open record stays", from, to)
			place, holder, err := b.Place(ctx, "acc/emr-1", "F-1")
			require.NoError(t, err)
			require.Equal(t, to == flow.Queued, place == 1, "%s → %s: line", from, to)
			require.Equal(t, to.HoldsSeat(), holder == "F-1", "%s → %s: seat", from, to)
			report, err := b.VerifyAudit(ctx)
			require.NoError(t, err)
			require.Empty(t, report.Findings)
		}
	}
}

func TestAGraftEndsTheLeaseOfAStepThatBeganOnLess(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	b.must("F-1", flow.Queued)
	c := b.claim("F-1")
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	require.NoError(t, b.graft("F-1", flow.Running, false))
	f.State = flow.Submitting
	_, err = b.Save(t.Context(), c, flow.Save{Flow: f, From: flow.Queued, Due: b.now, Now: b.now})
	require.ErrorIs(t, err, flow.ErrLeaseLost)
}

func TestAGraftIsMadeOnWhatWasRead(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	b.must("F-1", flow.Queued)
	f.State = flow.Running
	_, err = b.Graft(t.Context(), flow.Graft{Flow: f, Read: f.Version, Due: b.now, Now: b.now})
	require.ErrorIs(t, err, flow.ErrStale)
	_, err = b.Graft(t.Context(), flow.Graft{Flow: f, Due: b.now, Now: b.now})
	require.ErrorIs(t, err, flow.ErrStale, "there is a record")
	f.ID = "F-2"
	_, err = b.Graft(t.Context(), flow.Graft{Flow: f, Read: 3, Due: b.now, Now: b.now})
	require.ErrorIs(t, err, flow.ErrNotFound)
	_, err = b.Graft(t.Context(), flow.Graft{Flow: f, Now: b.now})
	require.ErrorIs(t, err, flow.ErrIllegal, "an open flow is always due")
}

func TestTwoFlowsHoldAClusterUntilBothLetGo(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"F-1", "F-2", "F-3"} {
		b.accept(id)
		b.must(id, flow.Queued)
	}
	b.must("F-1", flow.Submitting)
	require.ErrorIs(t, b.graft("F-2", flow.Unknown, false), flow.ErrSeatTaken)
	require.NoError(t, b.graft("F-2", flow.Unknown, true))
	b.must("F-2", flow.Running)
	b.must("F-1", flow.Running, flow.Succeeded)
	require.ErrorIs(t, b.move("F-3", flow.Submitting), flow.ErrSeatTaken, "F-2 is still at it")
	_, holder, err := b.Place(t.Context(), "acc/emr-1", "F-3")
	require.NoError(t, err)
	require.Equal(t, "F-2", holder)
	b.must("F-2", flow.Running, flow.Succeeded)
	b.must("F-3", flow.Submitting)
}

// What a crash may cost depends on the server, and which server it is shows by its
// run id.
func TestWhetherAServerForgotItsLastSecond(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		was  string // the server that the data was with
		want time.Time
	}{
		"with this one all along": {nil, "", time.Time{}},
		"with another one":        {nil, "another 0", noon},
		"written to disk at once": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, "another 0", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, c.args...)
			if !server.Real {
				t.Skip("the embedded one does not tell")
			}
			rdb := server.Client(t)
			s := redisstore.New(rdb, "test", "T1")
			if c.was != "" {
				require.NoError(t, rdb.HSet(t.Context(), "test:{T1}:flags", "server", c.was).Err())
			}
			for i := range 3 { // the first to ask sets the time
				at, err := s.Reborn(t.Context(), noon.Add(time.Duration(i)*time.Minute))
				require.NoError(t, err)
				require.True(t, c.want.Equal(at), "%s", at)
			}
		})
	}
}
