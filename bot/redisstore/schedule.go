package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/flow"
)

// Schedule reads when each flow of a lane is looked at next: for whoever wants to
// see that none has fallen out, or how late the oldest look is. A flow under a
// lease stands at the lease's end.
func (s *Store) Schedule(ctx context.Context, lane flow.Lane) (map[string]time.Time, error) {
	all, err := s.rdb.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: s.keys.due(lane), Start: 0, Stop: -1}).Result()
	if err != nil {
		return nil, answer("", err)
	}
	next := make(map[string]time.Time, len(all))
	for _, z := range all {
		if id, ok := z.Member.(string); ok {
			next[id] = time.UnixMilli(int64(z.Score))
		}
	}
	return next, nil
}
