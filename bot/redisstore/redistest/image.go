package redistest

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Image is all that a database held at one moment. To restore it is what a crash
// does to a Redis with `appendfsync everysec`, or a failover to a replica that
// lagged: the server is back, whole and a little older.
type Image struct{ keys []kept }

// kept is one key: its value by the commands that would make it anew.
type kept struct {
	key   string
	make  [][]any
	lives time.Duration
}

// Take reads a whole database. It works key by key with the plain commands of
// each type, which the embedded Redis has too.
func Take(ctx context.Context, rdb redis.UniversalClient) (Image, error) {
	names, err := rdb.Keys(ctx, "*").Result()
	if err != nil || len(names) == 0 {
		return Image{}, err
	}
	pipe := rdb.Pipeline()
	types, lives := make([]*redis.StatusCmd, len(names)), make([]*redis.DurationCmd, len(names))
	for i, k := range names {
		types[i], lives[i] = pipe.Type(ctx, k), pipe.PTTL(ctx, k)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return Image{}, err
	}
	values := make([]func() [][]any, len(names))
	for i, k := range names {
		if values[i], err = read(ctx, pipe, types[i].Val(), k); err != nil {
			return Image{}, err
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return Image{}, err
	}
	var image Image
	for i, k := range names {
		image.keys = append(image.keys, kept{key: k, make: values[i](), lives: lives[i].Val()})
	}
	return image, nil
}

// read asks for one value and gives the commands that make it once it is there.
func read(ctx context.Context, pipe redis.Pipeliner, kind, k string) (func() [][]any, error) {
	switch kind {
	case "string":
		v := pipe.Get(ctx, k)
		return func() [][]any { return [][]any{{"SET", k, v.Val()}} }, nil
	case "hash":
		v := pipe.HGetAll(ctx, k)
		return func() [][]any {
			c := []any{"HSET", k}
			for f, x := range v.Val() {
				c = append(c, f, x)
			}
			return [][]any{c}
		}, nil
	case "zset":
		v := pipe.ZRangeWithScores(ctx, k, 0, -1)
		return func() [][]any {
			c := []any{"ZADD", k}
			for _, z := range v.Val() {
				c = append(c, z.Score, z.Member)
			}
			return [][]any{c}
		}, nil
	case "list":
		v := pipe.LRange(ctx, k, 0, -1)
		return func() [][]any {
			c := []any{"RPUSH", k}
			for _, x := range v.Val() {
				c = append(c, x)
			}
			return [][]any{c}
		}, nil
	case "set":
		v := pipe.SMembers(ctx, k)
		return func() [][]any {
			c := []any{"SADD", k}
			for _, x := range v.Val() {
				c = append(c, x)
			}
			return [][]any{c}
		}, nil
	case "stream":
		v := pipe.XRange(ctx, k, "-", "+")
		return func() [][]any {
			var all [][]any
			for _, e := range v.Val() {
				c := []any{"XADD", k, e.ID}
				for f, x := range e.Values {
					c = append(c, f, x)
				}
				all = append(all, c)
			}
			return all
		}, nil
	}
	return nil, fmt.Errorf("an image of a %s (%s) is not known how to take", kind, k)
}

// Restore makes the database what it was, in one transaction.
func (i Image) Restore(ctx context.Context, rdb redis.UniversalClient) error {
	pipe := rdb.TxPipeline()
	pipe.FlushDB(ctx)
	for _, k := range i.keys {
		for _, c := range k.make {
			pipe.Do(ctx, c...)
		}
		if k.lives > 0 {
			pipe.PExpire(ctx, k.key, k.lives)
		}
	}
	_, err := pipe.Exec(ctx)
	return err
}
