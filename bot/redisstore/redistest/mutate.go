package redistest

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Mutate plants a defect into the scripts that go over this connection: wherever
// one contains a text, another stands instead. It gives the number of scripts that
// had it so far, so that a test can tell a planted defect from one that has lost
// its place.
func (d *Disk) Mutate(old, instead string) (met func() int) {
	m := &mutation{old: old, instead: instead}
	d.rdb.AddHook(m)
	return func() int { return m.met }
}

type mutation struct {
	old, instead string
	met          int
}

// noScript makes the client send a script's text instead of its digest.
type noScript struct{}

func (noScript) Error() string { return "NOSCRIPT this client sends every script as text" }
func (noScript) RedisError()   {}

func (m *mutation) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *mutation) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (m *mutation) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		switch args := cmd.Args(); cmd.Name() {
		case "evalsha":
			cmd.SetErr(noScript{})
			return noScript{}
		case "eval":
			if text, ok := args[1].(string); ok && strings.Contains(text, m.old) {
				args[1] = strings.ReplaceAll(text, m.old, m.instead)
				m.met++
			}
		}
		return next(ctx, cmd)
	}
}
