package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/config"
	"scalebot/bot/redisstore/redistest"
)

func TestARunRefusesAWrongClock(t *testing.T) {
	rdb := redistest.Start(t).Client(t)
	cfg := &config.Config{}
	for off, wrong := range map[time.Duration]bool{0: false, 10 * time.Second: false, 40 * time.Second: true, -40 * time.Second: true} {
		err := useRedis(t.Context(), rdb, cfg, "T1", func() time.Time { return time.Now().Add(off) })
		if !wrong {
			require.NoError(t, err, off)
			continue
		}
		require.ErrorIs(t, err, errSkew)
		require.Contains(t, err.Error(), "set it")
	}
	require.Contains(t, skewText(-3*time.Second), "3s behind")
	require.Contains(t, skewText(3*time.Second), "3s ahead of")
}
