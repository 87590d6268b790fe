package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/flow"
)

// meter counts one command that makes no flow, on the counters that accept uses.
//
// KEYS 1 count of the user, 2 count of the channel. ARGV 1 user cap, 2 channel
// cap (0 = none). Returns "ok", or "limited" and then counts nothing.
var meter = redis.NewScript(`
for i = 1, 2 do
  local cap = tonumber(ARGV[i])
  if cap > 0 and tonumber(redis.call('GET', KEYS[i]) or '0') >= cap then return 'limited' end
end
for i = 1, 2 do
  redis.call('INCR', KEYS[i])
  redis.call('EXPIRE', KEYS[i], 120)
end
return 'ok'
`)

// Meter counts commands per person and per channel, for all replicas together.
// What makes a flow is counted by Store.Accept, on the same counters.
type Meter struct {
	rdb    redis.UniversalClient
	prefix string
	limits flow.Limits
}

// NewMeter makes a meter; prefix is redis.key_prefix of config.
func NewMeter(rdb redis.UniversalClient, prefix string, l flow.Limits) *Meter {
	return &Meter{rdb: rdb, prefix: prefix, limits: l}
}

// Spend counts one command in the minute of a moment. It reports false, and
// counts nothing, where the person or the channel has had its share of that
// minute.
func (m *Meter) Spend(ctx context.Context, workspace, user, channel string, at time.Time) (bool, error) {
	if m.limits == (flow.Limits{}) {
		return true, nil
	}
	k := newKeys(m.prefix, workspace)
	code, err := meter.Run(ctx, m.rdb, []string{k.count("user:"+user, at), k.count("channel:"+channel, at)},
		m.limits.PerUserMinute, m.limits.PerChannelMinute).Text()
	if err != nil {
		return false, answer("", err)
	}
	if code == codeLimited {
		return false, nil
	}
	return true, answer(code, nil)
}
