package redisstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/providers"
)

func commitment(id string, until time.Time) *flow.Commitment {
	return &flow.Commitment{
		Schema: flow.CommitmentSchema, ID: id, By: "U1", Channel: "C1", Cluster: "emr", Group: "task", N: 2, Nodes: []string{"a", "b"},
		Charge: providers.Prepaid, Months: 1, Known: true, Total: decimal.RequireFromString("8412.5"), Currency: "CNY", From: noon, Until: until,
	}
}

// buy takes a flow to its end, with what it commits to.
func (b *bench) buy(id string, until time.Time) error {
	b.t.Helper()
	b.accept(id)
	b.must(id, flow.Queued, flow.Submitting, flow.Running)
	return b.end(id, commitment(id, until))
}

func (b *bench) end(id string, c *flow.Commitment) error {
	b.t.Helper()
	claim := b.claim(id)
	f, _, err := b.Get(b.t.Context(), id)
	require.NoError(b.t, err)
	f.State = flow.Succeeded
	_, err = b.Save(b.t.Context(), claim, flow.Save{Flow: f, From: flow.Running, Now: b.now, Commit: c, CommitDue: b.now.Add(time.Hour),
		Audit: flow.Audit{Actor: "scalebot", Action: "succeed"}})
	return err
}

func TestACommitmentIsWrittenWithTheEndOfItsFlow(t *testing.T) {
	b := newBench(t)
	until := noon.AddDate(0, 1, 0)
	require.NoError(t, b.buy("F-1", until))
	got, err := b.Commitment(t.Context(), "F-1")
	require.NoError(t, err)
	require.True(t, got.Total.Equal(decimal.RequireFromString("8412.5")), "money is exact")
	got.Total = commitment("F-1", until).Total
	require.Equal(t, *commitment("F-1", until), got)

	ttl := b.rdb.TTL(t.Context(), "test:{T1}:commitment:F-1").Val()
	require.Equal(t, until.Sub(noon)+redisstore.Retention, ttl, "it outlives its term, which may be longer than a flow is kept")

	claims, err := b.Claim(t.Context(), flow.LaneRenew, b.now.Add(time.Hour-time.Millisecond), time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claims)
	claims, err = b.Claim(t.Context(), flow.LaneRenew, b.now.Add(time.Hour), time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
}

func TestARefusedEndCommitsToNothing(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	b.must("F-1", flow.Queued, flow.Submitting, flow.Running)
	claim := b.claim("F-1")
	f, _, err := b.Get(t.Context(), "F-1")
	require.NoError(t, err)
	f.State = flow.Succeeded
	save := flow.Save{Flow: f, From: flow.Running, Now: b.now, Commit: commitment("F-1", noon.Add(time.Hour)), CommitDue: b.now, Audit: flow.Audit{Action: "succeed"}}
	stale := claim
	stale.Fence = "another"
	_, err = b.Save(t.Context(), stale, save)
	require.ErrorIs(t, err, flow.ErrLeaseLost)
	_, err = b.Commitment(t.Context(), "F-1")
	require.ErrorIs(t, err, flow.ErrNotFound)
	all, err := b.Commitments(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Empty(t, all)

	save.Flow.State = flow.Running // only an end commits
	save.Due = b.now
	_, err = b.Save(t.Context(), claim, save)
	require.NoError(t, err)
	_, err = b.Commitment(t.Context(), "F-1")
	require.ErrorIs(t, err, flow.ErrNotFound)
}

// A store that came back older ends the flow again: what is on record stays, with
// the decision about it.
func TestACommitmentIsWrittenOnce(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	b.must("F-1", flow.Queued, flow.Submitting, flow.Running)
	before := b.rdb.HGetAll(t.Context(), "test:{T1}:flow:F-1").Val()
	require.NoError(t, b.end("F-1", commitment("F-1", noon.AddDate(0, 1, 0))))
	require.NoError(t, b.Decide(t.Context(), "F-1", flow.Decision{Choice: flow.Renew, By: "U1", At: b.now, N: 1}, flow.Audit{Actor: "U1", Action: "renewal_renew"}))

	require.NoError(t, b.rdb.HSet(t.Context(), "test:{T1}:flow:F-1", before).Err())
	require.NoError(t, b.Wake(t.Context(), flow.LaneStep, "F-1", b.now))
	require.NoError(t, b.end("F-1", commitment("F-1", noon.AddDate(0, 9, 0))))
	got, err := b.Commitment(t.Context(), "F-1")
	require.NoError(t, err)
	require.Equal(t, noon.AddDate(0, 1, 0), got.Until)
	require.Equal(t, flow.Renew, got.Decision.Choice)
}

func TestATermThatGoesOnIsListedByItsNextEndAndKept(t *testing.T) {
	b := newBench(t)
	until := noon.AddDate(0, 1, 0)
	require.NoError(t, b.buy("F-1", until))
	b.now = until
	claims, err := b.Claim(t.Context(), flow.LaneRenew, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	second := *commitment("F-1", noon.AddDate(0, 2, 0))
	second.Term = 2
	audit := flow.Audit{Actor: "scalebot", Action: "term_goes_on"}
	entries := b.rdb.XLen(t.Context(), "test:{T1}:audit").Val()
	late := claims[0]
	late.Fence = "another"
	require.ErrorIs(t, b.GoOn(t.Context(), late, second, b.now, audit), flow.ErrLeaseLost)
	for range 2 { // a repeat changes nothing and is not audited twice
		require.NoError(t, b.GoOn(t.Context(), claims[0], second, b.now, audit))
		require.Equal(t, entries+1, b.rdb.XLen(t.Context(), "test:{T1}:audit").Val())
	}
	all, err := b.Commitments(t.Context(), until.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, until, all[0].Until, "the record stays as it was bought")
	require.Equal(t, second.Until.Sub(b.now)+redisstore.Retention, b.rdb.TTL(t.Context(), "test:{T1}:commitment:F-1").Val())
	gone := flow.Claim{ID: "F-2", Fence: claims[0].Fence}
	require.ErrorIs(t, b.GoOn(t.Context(), gone, flow.Commitment{ID: "F-2"}, b.now, audit), flow.ErrNotFound)
}

func TestCommitmentsAreListedByTheirEnd(t *testing.T) {
	b := newBench(t)
	for i, days := range []int{30, 10, 20, -120} {
		require.NoError(t, b.buy(fmt.Sprintf("F-%d", i+1), noon.AddDate(0, 0, days)))
	}
	all, err := b.Commitments(t.Context(), noon.AddDate(0, 0, 10))
	require.NoError(t, err)
	var ids []string
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	require.Equal(t, []string{"F-2", "F-3", "F-1"}, ids, "an end at that time is in")
	require.Len(t, b.rdb.ZRange(t.Context(), "test:{T1}:commitments", 0, -1).Val(), 3, "one that ended long ago is forgotten")
}

func TestOneOfTwoDecisionsAtOnceIsStale(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.buy("F-1", noon.AddDate(0, 1, 0)))
	entries := len(audit(b))
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = b.Decide(t.Context(), "F-1", flow.Decision{Choice: flow.Renew, By: fmt.Sprint("U", i), At: b.now, N: 1}, flow.Audit{Actor: fmt.Sprint("U", i), Action: "renewal_renew"})
		})
	}
	wg.Wait()
	taken := 0
	for _, err := range errs {
		if err == nil {
			taken++
			continue
		}
		require.ErrorIs(t, err, flow.ErrStale)
	}
	require.Equal(t, 1, taken)
	require.Len(t, audit(b), entries+1, "one decision, one entry")
	require.ErrorIs(t, b.Decide(t.Context(), "F-9", flow.Decision{N: 1, At: b.now}, flow.Audit{}), flow.ErrNotFound)

	claims, err := b.Claim(t.Context(), flow.LaneRenew, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1, "a decision wakes the lane")
	require.NoError(t, b.Decide(t.Context(), "F-1", flow.Decision{Choice: flow.LetLapse, By: "U2", At: b.now, N: 2}, flow.Audit{}))
	require.NoError(t, b.Release(t.Context(), claims[0], b.now.Add(24*time.Hour)))
	claims, err = b.Claim(t.Context(), flow.LaneRenew, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1, "also one that came in under a lease")
}

func TestRemindersAreSavedUnderTheLeaseOnly(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.buy("F-1", noon.AddDate(0, 1, 0)))
	later := b.now.Add(2 * time.Hour)
	claims, err := b.Claim(t.Context(), flow.LaneRenew, later, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	again, err := b.Claim(t.Context(), flow.LaneRenew, later, time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, again, "leased")
	r := flow.Reminders{Lead: 3 * time.Hour, Messages: map[string]flow.Post{"k": {Hash: "h"}}}
	require.NoError(t, b.SaveReminders(t.Context(), claims[0], r))
	taken, err := b.Claim(t.Context(), flow.LaneRenew, later.Add(time.Minute), time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, taken, 1, "a dead replica's lease runs out")
	require.ErrorIs(t, b.SaveReminders(t.Context(), claims[0], flow.Reminders{}), flow.ErrLeaseLost)
	got, err := b.Reminders(t.Context(), "F-1")
	require.NoError(t, err)
	require.Equal(t, r, got)
}

func TestACommitmentOfANewerVersionIsLeftAlone(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.buy("F-1", noon.AddDate(0, 1, 0)))
	require.NoError(t, b.rdb.HSet(t.Context(), "test:{T1}:commitment:F-1", "n", flow.CommitmentSchema+1).Err())
	_, err := b.Commitment(t.Context(), "F-1")
	require.ErrorIs(t, err, flow.ErrNewer)
	claims, err := b.Claim(t.Context(), flow.LaneRenew, b.now.Add(time.Hour), time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claims)
	all, err := b.Commitments(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Empty(t, all)
}
