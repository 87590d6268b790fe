package redisstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo makes the client library tell its troubles (a pool that can't connect, a
// failover) to a logger. It would print them to stderr by itself, in a form of
// its own, between the lines of ours. The library has one logger for all clients
// of a process, so the last call counts.
func LogTo(log *slog.Logger) { redis.SetLogger(library{log}) }

type library struct{ log *slog.Logger }

// Printf takes one line of the library.
func (l library) Printf(ctx context.Context, format string, v ...any) {
	l.log.WarnContext(ctx, "redis client", "said", fmt.Sprintf(format, v...))
}
