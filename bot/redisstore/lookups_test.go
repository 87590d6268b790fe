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
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	_, at, err := one.Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.Zero(t, at)
	require.NoError(t, one.Remember(t.Context(), "groups", "later", noon.Add(time.Second), time.Minute))
	require.NoError(t, two.Remember(t.Context(), "groups", "earlier", noon, time.Minute))
	text, at, err := two.Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.Equal(t, "later", text, "an answer that came late replaces no younger one")
	require.True(t, at.Equal(noon.Add(time.Second)))
	require.NoError(t, two.Remember(t.Context(), "groups", "last", noon.Add(2*time.Second), time.Minute))
	text, _, err = one.Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.Equal(t, "last", text)
	_, at, err = redisstore.NewLookups(rdb, "test", "T2").Recall(t.Context(), "groups")
	require.NoError(t, err)
	require.Zero(t, at, "another workspace")
	left, err := rdb.PTTL(t.Context(), "test:{T1}:lookup:groups").Result()
	require.NoError(t, err)
	require.Positive(t, left)
}
