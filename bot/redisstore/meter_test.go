package redisstore_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
)

// Questions and requests share one count, whichever replica took them.
func TestCommandsAndRequestsShareOneCount(t *testing.T) {
	b := newBench(t)
	limits := flow.Limits{PerUserMinute: 3, PerChannelMinute: 5}
	one, two := redisstore.NewMeter(b.rdb, "test", limits), redisstore.NewMeter(b.rdb, "test", limits)
	f := newFlow("F-1")
	spend := func(m *redisstore.Meter, user string, at time.Time) bool {
		ok, err := m.Spend(t.Context(), "T1", user, f.Request.Channel, at)
		require.NoError(t, err)
		return ok
	}
	_, _, err := b.Accept(t.Context(), f, "a", limits)
	require.NoError(t, err)
	require.True(t, spend(one, f.Request.User, b.now))
	require.True(t, spend(two, f.Request.User, b.now))
	require.False(t, spend(one, f.Request.User, b.now), "the person's fourth")
	_, _, err = b.Accept(t.Context(), newFlow("F-2"), "b", limits)
	require.ErrorIs(t, err, flow.ErrLimited, "a request is not taken either")

	require.True(t, spend(one, "U0OTHER", b.now), "what was refused was not counted")
	require.True(t, spend(one, "U0THIRD", b.now))
	require.False(t, spend(one, "U0FOURTH", b.now), "the channel's sixth")
	require.True(t, spend(one, f.Request.User, b.now.Add(time.Minute)), "the next minute")
	ok, err := one.Spend(t.Context(), "T2", f.Request.User, f.Request.Channel, b.now)
	require.NoError(t, err)
	require.True(t, ok, "another workspace")
}

func TestWithoutCapsNothingIsCounted(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.rdb.Close())
	ok, err := redisstore.NewMeter(b.rdb, "test", flow.Limits{}).Spend(t.Context(), "T1", "U1", "C1", b.now)
	require.NoError(t, err, "Redis was not asked")
	require.True(t, ok)
	_, err = redisstore.NewMeter(b.rdb, "test", flow.Limits{PerUserMinute: 1}).Spend(t.Context(), "T1", "U1", "C1", b.now)
	require.Error(t, err)
}

// What the client library has to say comes as lines of our log.
func TestTheClientLogsThroughOurLogger(t *testing.T) {
	var out bytes.Buffer
	redisstore.LogTo(slog.New(slog.NewJSONHandler(&out, nil)))
	rdb := redisstore.Open(redisstore.Target{Master: "none", Addrs: []string{"127.0.0.1:1"}})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	require.Error(t, rdb.Ping(ctx).Err())
	require.NoError(t, rdb.Close())
	redisstore.LogTo(slog.New(slog.DiscardHandler))
	require.Contains(t, out.String(), `"msg":"redis client"`)
}

func TestWhichServersCanSayThatAWriteIsOnDisk(t *testing.T) {
	for _, c := range []struct {
		version, aof string
		can          bool
	}{
		{"7.2.0", "everysec", true}, {"7.10.1", "", true}, {"8.0", "no", true}, {"10", "always", true},
		{"7.0.15", "everysec", false}, {"6.2.9", "always", false}, {"7", "everysec", false}, {"7.0.15", "no", false}, {"7.2.4", "off", false}, {"", "everysec", false}, {"valkey", "everysec", false}, {"10.1", "everysec", true},
	} {
		h := redisstore.Health{Version: c.version, AOF: c.aof}
		require.Equal(t, c.can, h.WaitsForDisk(), "%+v", c)
		require.Equal(t, c.can && c.aof == "no", h.NeverOnDisk(), "%+v", c)
	}
}
