package redisstore_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
)

const stream = "test:{T1}:audit"

// chained is a bench with six entries in the chain.
func chained(t *testing.T) *bench {
	b := newBench(t)
	b.accept("F-AAAA")
	require.NoError(t, b.move("F-AAAA", flow.AwaitingApproval))
	require.NoError(t, b.Store.Signal(t.Context(), "F-AAAA", flow.Signal{Kind: flow.SignalCancel, By: "U1", At: b.now}, flow.Audit{Actor: "U1", Action: "signal_cancel"}))
	require.NoError(t, b.move("F-AAAA", flow.Cancelled))
	b.accept("F-BBBB")
	require.NoError(t, b.move("F-BBBB", flow.Refused))
	return b
}

// rewrite puts the stream into another order or form, as somebody with a Redis
// client would: all entries are taken out and added again.
func (b *bench) rewrite(change func([]redis.XMessage) []redis.XMessage) {
	b.t.Helper()
	ctx := b.t.Context()
	entries := change(audit(b))
	require.NoError(b.t, b.rdb.Del(ctx, stream).Err())
	for _, e := range entries {
		require.NoError(b.t, b.rdb.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: e.Values}).Err())
	}
}

func TestTheAuditChainFindsWhatWasDoneToIt(t *testing.T) {
	drop := func(at ...int) func([]redis.XMessage) []redis.XMessage {
		return func(all []redis.XMessage) (left []redis.XMessage) {
			for i, e := range all {
				if len(at) > 0 && at[0] == i {
					at = at[1:]
					continue
				}
				left = append(left, e)
			}
			return left
		}
	}
	set := func(at int, field, value string) func([]redis.XMessage) []redis.XMessage {
		return func(all []redis.XMessage) []redis.XMessage { all[at].Values[field] = value; return all }
	}
	for _, c := range []struct {
		name   string
		change func([]redis.XMessage) []redis.XMessage
		want   []string // damage and place
	}{
		{"an untouched stream is sound", func(all []redis.XMessage) []redis.XMessage { return all }, nil},
		{"another actor", set(2, "actor", "U0OTHER"), []string{"changed 3"}},
		{"another time", set(0, "at", "2026-11-24T12:00:01Z"), []string{"changed 1"}},
		{"a field more", set(1, "note", "x"), []string{"changed 2"}},
		{"another digest", set(1, "digest", strings.Repeat("0", 64)), []string{"changed 2", "replaced 2"}},
		{"another link", set(3, "link", strings.Repeat("0", 40)), []string{"replaced 4", "replaced 5"}},
		{"one removed in the middle", drop(2), []string{"removed 3"}},
		{"two removed", drop(1, 3), []string{"removed 2", "removed 4"}},
		{"the first removed", drop(0), []string{"removed 1"}},
		{"the last removed", drop(5), []string{"removed 6"}},
		{"all removed", drop(0, 1, 2, 3, 4, 5), []string{"removed 1-6"}},
		{"two swapped", func(all []redis.XMessage) []redis.XMessage { all[2], all[3] = all[3], all[2]; return all }, []string{"moved 3"}},
		{"one written twice", func(all []redis.XMessage) []redis.XMessage { return append(all, all[3]) }, []string{"inserted 4"}},
		{"one without a link put in", func(all []redis.XMessage) []redis.XMessage {
			e := redis.XMessage{Values: map[string]any{"flow": "F-EVIL", "action": "approve", "actor": "U1", "at": "2026-11-24T12:00:00Z"}}
			return append(all, e)
		}, []string{"unchained 0"}},
		{"the links stripped from the first", func(all []redis.XMessage) []redis.XMessage { delete(all[0].Values, "n"); return all }, []string{"removed 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := chained(t)
			b.rewrite(c.change)
			report, err := b.VerifyAudit(t.Context())
			require.NoError(t, err)
			var got []string
			for _, f := range report.Findings {
				s := string(f.Damage) + " " + strconv.FormatInt(f.N, 10)
				if f.Last > f.N {
					s += "-" + strconv.FormatInt(f.Last, 10)
				}
				got = append(got, s)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestAHeadThatDoesNotFitIsFound(t *testing.T) {
	b := chained(t)
	require.NoError(t, b.rdb.HSet(t.Context(), stream+":head", "link", "x").Err())
	report, err := b.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Equal(t, redisstore.DamageHead, report.Findings[0].Damage)

	require.NoError(t, b.rdb.Del(t.Context(), stream+":head").Err())
	b.accept("F-CCCC") // the chain begins anew: as if the six before had never been
	report, err = b.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, report.Findings)
}

func TestOldEntriesGoAndTheRestStillVerifies(t *testing.T) {
	rdb := redistest.Start(t).Client(t)
	b := &bench{Store: redisstore.New(rdb, "test", "T1", redisstore.KeepAudit(24*time.Hour)), rdb: rdb, t: t, now: noon}
	b.accept("F-AAAA")
	require.NoError(t, b.move("F-AAAA", flow.AwaitingApproval))
	b.now = noon.Add(23 * time.Hour)
	require.NoError(t, b.move("F-AAAA", flow.Planning))
	require.Len(t, audit(b), 3, "within the time nothing goes")
	b.now = noon.Add(25 * time.Hour)
	require.NoError(t, b.move("F-AAAA", flow.AwaitingApproval))
	require.Len(t, audit(b), 2, "what is a day old goes")

	report, err := b.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	require.Equal(t, int64(3), report.First)
	require.Equal(t, int64(4), report.Last)

	require.NoError(t, rdb.XDel(t.Context(), stream, audit(b)[0].ID).Err())
	report, err = b.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 1, "an entry that went before its time")
	require.Equal(t, "entry 3 was removed", report.Findings[0].String())

	b.now = noon.Add(1000 * time.Hour)
	require.NoError(t, b.move("F-AAAA", flow.Planning))
	report, err = b.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(5), report.First, "the one just written never goes")
}

func TestEntriesFromBeforeTheChainAreCounted(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []any{"flow", "F-OLD", "at", "2026-11-23T12:00:00Z", "version", 1}}).Err())
	b.accept("F-AAAA")
	report, err := b.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	require.Equal(t, int64(1), report.Before)
	require.Equal(t, int64(1), report.Checked)
}

func TestOnlyOnePlaceWritesTheStream(t *testing.T) {
	text, err := os.ReadFile("scripts.go")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "'XADD'"), "an entry that is not chained would be found as inserted")
}
