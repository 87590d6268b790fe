package main

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/bot/redisstore/redistest"
)

// The real program benches itself: every command is recorded and carried out once,
// also when all replicas were killed in the middle.
func TestBench(t *testing.T) {
	path, err := binary()
	require.NoError(t, err)
	for _, kind := range []struct{ name, figure string }{
		{"ack", `recorded +12 of 12`},
		{"flows", `changes that the cloud took +12, of which 0 twice`},
		{"recover", `changes that the cloud took +12, of which 0 twice`},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			out, err := exec.Command(path, "bench", kind.name, "-n", "12", "--lease", "6s", "--redis", "redis://"+redis.Addr+"/0").CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Regexp(t, kind.figure, string(out))
			if kind.name != "ack" {
				require.Regexp(t, `ended as +succeeded 12\b`, string(out))
			}
		})
	}
}

func TestBenchMixesWithNothing(t *testing.T) {
	redis := redistest.Start(t)
	rdb := redis.Client(t)
	require.NoError(t, rdb.Set(t.Context(), "somebody", "else's", 0).Err())
	code, _, errs := command(t, "bench", "ack", "--redis", "redis://"+redis.Addr+"/0")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "give an empty one")
	require.Equal(t, "else's", rdb.Get(t.Context(), "somebody").Val(), "what is somebody else's is left alone")
	require.NoError(t, rdb.FlushDB(t.Context()).Err())
	require.NoError(t, rdb.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	path, err := binary()
	require.NoError(t, err)
	out, err := exec.Command(path, "bench", "ack", "--redis", "redis://"+redis.Addr+"/0").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "noeviction", "why the replicas ended")
	code, _, errs = command(t, "bench")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "bench ack")
	code, _, _ = command(t, "bench", "flows", "--replicas", "9")
	require.Equal(t, exitUsage, code)
}
