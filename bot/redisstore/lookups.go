package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Lookups keeps for all replicas of one workspace what Slack said of people and
// groups: each would ask the same otherwise, and Slack counts them as one.
type Lookups struct {
	rdb  redis.UniversalClient
	keys keys
}

// NewLookups makes the look-ups of one workspace. prefix is redis.key_prefix of
// config.
func NewLookups(rdb redis.UniversalClient, prefix, workspace string) *Lookups {
	return &Lookups{rdb: rdb, keys: newKeys(prefix, workspace)}
}

// Times are the server's: by those of replicas whose clocks differ, an old answer
// would pass for one of just now, and one that left a group would still be in it.

// remember keeps an answer unless a younger question was answered already: replicas
// that ask at once may come in any order.
//
// KEYS 1 lookup. ARGV 1 ms since it was asked, 2 answer, 3 ttl ms. Returns "ok".
var remember = script(`
local t = redis.call('TIME')
local at = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[1]
if tonumber(redis.call('HGET', KEYS[1], 'at') or 0) <= at then
  redis.call('HSET', KEYS[1], 'at', string.format('%.0f', at), 'v', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 'ok'
`)

// recall reads an answer and its age.
//
// KEYS 1 lookup. Returns the ms since it was asked, "" for none, and the answer.
var recall = script(`
local got = redis.call('HMGET', KEYS[1], 'at', 'v')
if not got[1] or not got[2] then return {'', ''} end
local t = redis.call('TIME')
return {string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000) - got[1]), got[2]}
`)

// Recall is the last answer to a question and how long ago that was asked; false: there
// is none.
func (l *Lookups) Recall(ctx context.Context, question string) (text string, ago time.Duration, ok bool, err error) {
	got, err := recall.Run(ctx, l.rdb, []string{l.keys.lookup(question)}).StringSlice()
	if err != nil {
		return "", 0, false, answer("", err)
	}
	if got[0] == "" {
		return "", 0, false, nil
	}
	n, err := strconv.ParseInt(got[0], 10, 64)
	// Less than nothing: the server's clock was put back, and nobody knows how old it is.
	return got[1], time.Duration(n) * time.Millisecond, n >= 0, err
}

// Remember keeps an answer for a time; ago is since when the question was put, as what
// it says was so at some moment after that.
func (l *Lookups) Remember(ctx context.Context, question, text string, ago, ttl time.Duration) error {
	return answer(remember.Run(ctx, l.rdb, []string{l.keys.lookup(question)}, ago.Milliseconds(), text, ttl.Milliseconds()).Text())
}
