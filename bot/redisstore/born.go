package redisstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// info reads the server's own account of itself from the node that has the
// workspace's keys, which on a cluster is not any node. KEYS 1 any key of it.
var info = redis.NewScript(`return redis.call('INFO', 'server') .. redis.call('INFO', 'persistence')`)

// Reborn says when the server came to life, by the caller's clock, if what was
// written right before may be lost to it; zero if it forgets nothing that Durable
// vouched for. A failover to a replica that ran all along does not show here:
// against that stands only the memory of the bot's replicas.
func (s *Store) Reborn(ctx context.Context, now time.Time) (time.Time, error) {
	text, err := info.Run(ctx, s.rdb, []string{s.keys.flags()}).Text()
	if err != nil {
		return time.Time{}, answer("", err)
	}
	field := fieldOf(text)
	if field("aof_enabled") == "1" {
		if waitsForDisk(field("redis_version")) {
			return time.Time{}, nil
		}
		// Where settings may not be read they count as the default, which forgets.
		if set, err := s.rdb.ConfigGet(ctx, "appendfsync").Result(); err == nil && set["appendfsync"] == "always" {
			return time.Time{}, nil
		}
	}
	up, err := strconv.ParseInt(field("uptime_in_seconds"), 10, 64)
	if err != nil {
		return time.Time{}, nil //nolint:nilerr // a server that doesn't say so, such as a proxy: it can't be told
	}
	return now.Add(-time.Duration(up) * time.Second), nil
}

// fieldOf reads the fields of an answer to INFO.
func fieldOf(text string) func(name string) string {
	return func(name string) string {
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(line, name+":"); ok {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
}

// waitsForDisk reports whether a server has WAITAOF: Redis 7.2 and later.
func waitsForDisk(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	return errA == nil && errB == nil && (a > 7 || a == 7 && b >= 2)
}
