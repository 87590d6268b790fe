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
// KEYS 1 lookup. ARGV 1 mark, 2 answer, 3 ttl ms. Returns "ok".
var remember = script(`
if tonumber(redis.call('HGET', KEYS[1], 'at') or 0) <= tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'at', ARGV[1], 'v', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 'ok'
`)

// recall reads an answer and its mark.
//
// KEYS 1 lookup. Returns the mark of now, that of the answer, "" for none, and the answer.
var recall = script(`
local t = redis.call('TIME')
local got = redis.call('HMGET', KEYS[1], 'at', 'v')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
if not got[1] or not got[2] then return {now, '', ''} end
return {now, got[1], got[2]}
`)

// Recall is the last answer to a question and how long ago that was asked; false: there
// is none. mark names this moment by the server's clock (ms): who asks Slack after it
// gives it to Remember with the answer.
func (l *Lookups) Recall(ctx context.Context, question string) (text string, ago time.Duration, ok bool, mark int64, err error) {
	got, err := recall.Run(ctx, l.rdb, []string{l.keys.lookup(question)}).StringSlice()
	if err != nil {
		return "", 0, false, 0, answer("", err)
	}
	if mark, err = strconv.ParseInt(got[0], 10, 64); err != nil || got[1] == "" {
		return "", 0, false, mark, err
	}
	at, err := strconv.ParseInt(got[1], 10, 64)
	// Younger than now: the server's clock was put back, and nobody knows how old it is.
	return got[2], time.Duration(mark-at) * time.Millisecond, err == nil && at <= mark, mark, err
}

// Remember keeps an answer for a time; what it says was so at some moment after mark. A
// server that works this off late must not make it younger.
func (l *Lookups) Remember(ctx context.Context, question, text string, mark int64, ttl time.Duration) error {
	return answer(remember.Run(ctx, l.rdb, []string{l.keys.lookup(question)}, mark, text, ttl.Milliseconds()).Text())
}
