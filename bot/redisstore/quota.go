package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/flow"
)

// Quota is flow.Quota on Redis: one count of a workspace's calls of Slack for
// all replicas.
type Quota struct {
	rdb  redis.UniversalClient
	keys keys
}

var _ flow.Quota = (*Quota)(nil)

// NewQuota makes the quota of one workspace. prefix is redis.key_prefix of
// config.
func NewQuota(rdb redis.UniversalClient, prefix, workspace string) *Quota {
	return &Quota{rdb: rdb, keys: newKeys(prefix, workspace)}
}

// Quota is the quota of the store's workspace.
func (s *Store) Quota() *Quota { return &Quota{rdb: s.rdb, keys: s.keys} }

const (
	// missedTurn is how late a bid may come to its turn and keep it. One that never
	// comes (its card needs no edit any more, its replica died) holds those behind
	// it up for so long.
	missedTurn = 10 * time.Second
	// quotaTTL outlives every wait; a share that nobody used for so long is full.
	quotaTTL = time.Hour
	// clocksApart is how far ahead the clock of another replica may be and still be
	// believed. Further, and a clock that was once wrong would stop all calls.
	clocksApart = time.Minute
)

// takeQuota spends one call of every share of a bid, or gives the bid its turn in
// those that refuse. Bids have turns by urgency, then by arrival; one goes when its
// share has enough for all before it, itself, and the reserve of its urgency.
//
// KEYS per share: quota, waiting, promised. ARGV 1 now ms, 2 who, 3 urgency,
// 4 "1" = only take a turn, 5 missed turn ms, 6 clocks apart ms, 7 ttl ms, and per
// share: calls a minute, burst, and the reserve of each of three urgencies. Returns 0 = go, else the ms to wait.
//
// Turns that were missed, or that a wrong clock put far away, are dropped first,
// whatever follows: that is right at any time.
var takeQuota = redis.NewScript(`
local now, who, urgency = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local shares, most = {}, 0
for i = 1, #KEYS / 3 do
  local s = {key = KEYS[3 * i - 2], waiting = KEYS[3 * i - 1], promised = KEYS[3 * i], wait = 0}
  local rate, burst = tonumber(ARGV[3 + 5 * i]), tonumber(ARGV[4 + 5 * i])
  for _, range in ipairs({{'-inf', now - tonumber(ARGV[5])}, {now + tonumber(ARGV[7]), '+inf'}}) do
    for _, gone in ipairs(redis.call('ZRANGEBYSCORE', s.promised, range[1], range[2], 'LIMIT', 0, 500)) do
      if gone ~= who then
        redis.call('ZREM', s.promised, gone)
        redis.call('ZREM', s.waiting, gone)
      end
    end
  end
  local b = redis.call('HMGET', s.key, 'tokens', 'at', 'rest', 'last')
  local at, rest = tonumber(b[2] or now), tonumber(b[3] or 0)
  s.tokens = tonumber(b[1] or burst)
  if at > now + tonumber(ARGV[6]) then at = now end
  if now > at then
    s.tokens = math.min(burst, s.tokens + (now - at) * rate / 60000)
    at = now
  end
  s.at = at
  s.last = tonumber(b[4] or 0)
  s.turn = urgency * 1e13 + s.last + 1
  local before = redis.call('ZSCORE', s.waiting, who)
  if before and math.floor(tonumber(before) / 1e13) <= urgency then s.turn = tonumber(before) end
  local reserve = tonumber(ARGV[5 + 5 * i + math.floor(s.turn / 1e13)])
  local need = redis.call('ZCOUNT', s.waiting, '-inf', '(' .. string.format('%.0f', s.turn)) + 1 + reserve
  if s.tokens < need then s.wait = math.ceil((need - s.tokens) * 60000 / rate) end
  if rest > now and rest <= now + tonumber(ARGV[7]) then s.wait = math.max(s.wait, rest - now + math.ceil((need - 1 - reserve) * 60000 / rate)) end
  most = math.max(most, s.wait)
  shares[i] = s
end
local urged = ARGV[4] == '1'
for _, s in ipairs(shares) do
  if urged or s.wait > 0 then
    s.last = s.last + 1
    redis.call('ZADD', s.waiting, string.format('%.0f', s.turn), who)
    redis.call('ZADD', s.promised, now + s.wait, who)
    redis.call('PEXPIRE', s.waiting, ARGV[7])
    redis.call('PEXPIRE', s.promised, ARGV[7])
  else
    redis.call('ZREM', s.waiting, who)
    redis.call('ZREM', s.promised, who)
  end
  if not urged and most == 0 then s.tokens = s.tokens - 1 end
  redis.call('HSET', s.key, 'tokens', string.format('%.6f', s.tokens), 'at', string.format('%.0f', s.at),
    'last', string.format('%.0f', s.last))
  redis.call('PEXPIRE', s.key, ARGV[7])
end
return most
`)

// restQuota keeps everybody from some shares until a time. KEYS quotas. ARGV
// 1 until ms, 2 ttl ms. Returns "ok".
var restQuota = redis.NewScript(`
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('HGET', key, 'rest') or 0) < tonumber(ARGV[1]) then redis.call('HSET', key, 'rest', ARGV[1]) end
  redis.call('PEXPIRE', key, ARGV[2])
end
return 'ok'
`)

// Take spends one call or says when to ask again; see flow.Quota.
func (b *Quota) Take(ctx context.Context, bid flow.Bid, now time.Time) (time.Time, error) {
	wait, err := b.bid(ctx, bid, now, "0")
	if err != nil || wait <= 0 {
		return time.Time{}, err
	}
	return now.Add(time.Duration(wait) * time.Millisecond), nil
}

// Urge takes a turn without a call; see flow.Quota.
func (b *Quota) Urge(ctx context.Context, bid flow.Bid, now time.Time) error {
	_, err := b.bid(ctx, bid, now, "1")
	return err
}

func (b *Quota) bid(ctx context.Context, bid flow.Bid, now time.Time, urge string) (int64, error) {
	shares := bid.Shares()
	if len(shares) == 0 {
		return 0, nil
	}
	var names []string
	args := []any{
		ms(now), bid.Who, int(bid.Urgency), urge, missedTurn.Milliseconds(), clocksApart.Milliseconds(), quotaTTL.Milliseconds(),
	}
	for _, s := range shares {
		names = append(names, b.keys.quota(s.Name), b.keys.waiting(s.Name), b.keys.promised(s.Name))
		args = append(args, s.PerMinute, s.Burst)
		for _, keep := range s.Reserve {
			args = append(args, keep)
		}
	}
	wait, err := takeQuota.Run(ctx, b.rdb, names, args...).Int64()
	if err != nil {
		return 0, answer("", err)
	}
	return wait, nil
}

// Rest keeps every replica from a call until a time; see flow.Quota. One
// that is more than quotaTTL away is not believed: a clock was wrong.
func (b *Quota) Rest(ctx context.Context, bid flow.Bid, until time.Time) error {
	var names []string
	for _, s := range bid.Shares() {
		names = append(names, b.keys.quota(s.Name))
	}
	if len(names) == 0 {
		return nil
	}
	return answer(restQuota.Run(ctx, b.rdb, names, ms(until), quotaTTL.Milliseconds()).Text())
}
