package redisstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
)

func TestTheYoungestAnswerIsRemembered(t *testing.T) {
	rdb := redistest.Start(t).Client(t)
	one, two := redisstore.NewLookups(rdb, "test", "T1"), redisstore.NewLookups(rdb, "test", "T1")
	_, _, ok, mark, err := one.Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.False(t, ok)
	require.InDelta(t, time.Now().UnixMilli(), mark, 5000)
	require.NoError(t, one.Remember(t.Context(), "groups", "later", mark-1000, time.Minute))
	require.NoError(t, two.Remember(t.Context(), "groups", "earlier", mark-3000, time.Minute))
	text, ago, ok, _, err := two.Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "later", text, "an answer that came late replaces no younger one")
	require.GreaterOrEqual(t, ago, time.Second, "by the server's clock, whatever this one says")
	require.Less(t, ago, 3*time.Second)
	require.NoError(t, two.Remember(t.Context(), "groups", "last", mark, time.Minute))
	text, _, _, _, err = one.Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.Equal(t, "last", text)
	require.NoError(t, two.Remember(t.Context(), "groups", "to come", mark+60_000, time.Minute))
	_, _, ok, _, err = one.Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.False(t, ok, "the server's clock was put back")
	_, _, ok, _, err = redisstore.NewLookups(rdb, "test", "T2").Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.False(t, ok, "another workspace")
	left, err := rdb.PTTL(t.Context(), "test:{T1}:lookup:groups").Result()
	require.NoError(t, err)
	require.Positive(t, left)
}
