package redisstore

import (
	"context"
	"errors"
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

// remember keeps an answer unless a younger question was answered already: replicas
// that ask at once may come in any order.
//
// KEYS 1 lookup. ARGV 1 asked at ms, 2 answer, 3 ttl ms. Returns "ok".
var remember = redis.NewScript(`
if tonumber(redis.call('HGET', KEYS[1], 'at') or 0) <= tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'at', ARGV[1], 'v', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 'ok'
`)

// Recall is the last answer to a question and when that was asked; a zero time: there
// is none.
func (l *Lookups) Recall(ctx context.Context, question string) (text string, asked time.Time, err error) {
	got, err := l.rdb.HMGet(ctx, l.keys.lookup(question), "at", "v").Result()
	if err != nil {
		return "", time.Time{}, answer("", err)
	}
	at, _ := got[0].(string)
	text, ok := got[1].(string)
	if !ok {
		return "", time.Time{}, nil
	}
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return "", time.Time{}, errors.New("a look-up on record has no time")
	}
	return text, time.UnixMilli(n), nil
}

// Remember keeps an answer for a time; asked is when the question was put, since what
// it says was so at some moment after that.
func (l *Lookups) Remember(ctx context.Context, question, text string, asked time.Time, ttl time.Duration) error {
	return answer(remember.Run(ctx, l.rdb, []string{l.keys.lookup(question)}, ms(asked), text, ttl.Milliseconds()).Text())
}
