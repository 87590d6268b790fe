package redisstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// skewReads is how many readings of the server's clock a Skew is the median of: one
// slow answer says nothing about the clock.
const skewReads = 5

// Skew says how far a clock is ahead of the server's (< 0: behind). Replicas judge
// each other's leases and the age of an intent by their own clocks, so they must
// agree; the server is what they have in common. The error is at most half of the
// time that an answer takes.
func Skew(ctx context.Context, rdb redis.UniversalClient, now func() time.Time) (time.Duration, error) {
	all := make([]time.Duration, skewReads)
	for i := range all {
		asked := now()
		there, err := rdb.Time(ctx).Result()
		if err != nil {
			return 0, fmt.Errorf("redis: its clock can't be read: %w", err)
		}
		took := now().Sub(asked)
		all[i] = asked.Add(took / 2).Sub(there)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
