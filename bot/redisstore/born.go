package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// server reads the server's own account of itself, from the node that has the
// workspace's keys: on a cluster that is not any node.
//
// KEYS 1 any key of the workspace. Returns the text of INFO.
var server = redis.NewScript(`return redis.call('INFO', 'server') .. redis.call('INFO', 'persistence') .. redis.call('INFO', 'replication')`)

// born remembers which server has the workspace, and since when. A server that
// restarts, and a replica that takes over, has another run id than the one that
// stands in its data. Data without one was never with another server.
//
// KEYS 1 flags. ARGV 1 run id, 2 now ms. Returns the ms since which that server has
// it, "0" = all along.
var born = redis.NewScript(`
local was = redis.call('HGET', KEYS[1], 'server')
local id, since = (was or ''):match('^(%S+) (%d+)$')
if id == ARGV[1] then return since end
since = was and ARGV[2] or '0'
redis.call('HSET', KEYS[1], 'server', ARGV[1] .. ' ' .. since)
return since
`)

// Reborn says since when the server has the workspace's data, by the caller's
// clock, if what was written right before may be lost to it; zero if it has had it
// all along, and if it forgets nothing that Durable vouched for. The first caller
// after a restart or a failover sets the time, so it is called often.
func (s *Store) Reborn(ctx context.Context, now time.Time) (time.Time, error) {
	at, safe, err := s.born(ctx, now)
	if safe {
		at = time.Time{}
	}
	return at, err
}

// Restarted is Reborn for what nobody waited for to be on disk: zero only if the
// server has had the data all along.
func (s *Store) Restarted(ctx context.Context, now time.Time) (time.Time, error) {
	at, _, err := s.born(ctx, now)
	return at, err
}

// born says since when the server has the data, and whether it still has all that
// Durable vouched for.
func (s *Store) born(ctx context.Context, now time.Time) (since time.Time, safe bool, err error) {
	text, err := server.Run(ctx, s.rdb, []string{s.keys.flags()}).Text()
	var refused redis.Error
	if errors.As(err, &refused) {
		return time.Time{}, false, nil //nolint:nilerr // the embedded one, or a proxy: it does not say
	}
	if err != nil {
		return time.Time{}, false, answer("", err)
	}
	field := fieldOf(text)
	if field("run_id") == "" {
		return time.Time{}, false, nil
	}
	text, err = born.Run(ctx, s.rdb, []string{s.keys.flags()}, field("run_id"), ms(now)).Text()
	if err != nil {
		return time.Time{}, false, answer("", err)
	}
	if text == "0" {
		return time.Time{}, false, nil
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("since when the server has the data: %w", err)
	}
	// The file of a replica that took over may lack what the old server's had.
	tookOver := strings.Trim(field("master_replid2"), "0") != ""
	safe = field("aof_enabled") == "1" && !tookOver && s.atOnce(ctx)
	return time.UnixMilli(at), safe, nil
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

// atOnce reports whether an append-only file has what Durable vouched for. Where
// settings may not be read they count as the default, which may lose a second.
func (s *Store) atOnce(ctx context.Context) bool {
	node, err := s.node(ctx)
	if err != nil {
		return false
	}
	// The version says little: a proxy may lack the command, and Durable then vouches for
	// nothing.
	if waitAOF(ctx, node) == nil {
		return true
	}
	set, err := s.rdb.ConfigGet(ctx, "appendfsync").Result()
	return err == nil && set["appendfsync"] == "always"
}

// waitAOF asks whether a server answers WAITAOF at all, without waiting for anything.
func waitAOF(ctx context.Context, node redis.UniversalClient) error {
	return node.Do(ctx, "WAITAOF", 0, 0, 1).Err()
}
