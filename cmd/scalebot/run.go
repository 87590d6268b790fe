package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"scalebot/bot/config"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/slackapp"
)

// stopLimit ends a stop that hangs: the promise is 10 s (design.md section 9).
const stopLimit = 9 * time.Second

func runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run --config FILE", Short: "Run the bot", Args: noArgs,
		Long: "Run one replica of the bot. Any number of replicas may share one Redis.\nSIGTERM stops it within 10 seconds; kill -9 at any moment loses nothing.",
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(*path)
		if err != nil {
			return err
		}
		log := newLogger(cmd.ErrOrStderr(), slog.LevelInfo)
		for _, w := range cfg.Warnings {
			log.Warn("config", "warning", w.Error())
		}
		return runConfig(cmd.Context(), cfg, log)
	}
	return cmd
}

func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// openRedis makes the client that the config asks for; no I/O.
func openRedis(cfg *config.Config) redis.UniversalClient {
	r := cfg.Redis
	return redisstore.Open(redisstore.Target{
		Cluster: r.Mode == config.RedisCluster, Master: r.Master, Network: r.Network, Addrs: r.Addrs, DB: r.DB, TLS: r.TLS,
		Username: r.Username, Password: r.Password.Reveal(),
		SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword.Reveal(),
	})
}

// A clock that differs by more than skewMost from the server's ends a start, and by
// more than skewMuch is told: leases are judged by each replica's own clock.
const (
	skewMuch = 2 * time.Second
	skewMost = 30 * time.Second
)

var errSkew = errors.New("this machine's clock is wrong")

// skewed says that a clock is too far off to run with, and which way.
func skewed(skew time.Duration) error {
	if skew.Abs() <= skewMost {
		return nil
	}
	return fmt.Errorf("%w: %s; set it, and let it be kept (chrony, ntpd, systemd-timesyncd)", errSkew, skewText(skew))
}

func skewText(skew time.Duration) string {
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	return fmt.Sprintf("%s %s the one of Redis", skew.Abs().Round(100*time.Millisecond), way)
}

// errUnfit ends a start: with this Redis flows would be lost, or never sent.
var errUnfit = errors.New("redis is not fit to keep flows")

// Why a Redis is not fit, and what to set; `check` says the same.
const (
	evicts      = "maxmemory-policy is %s: flows would vanish when memory is full; set noeviction"
	mayNotWait  = "WAITAOF is refused (%s): nobody could say that a change is on record for good, so none would be sent; allow the command (ACL SETUSER … +waitaof)"
	neverOnDisk = "appendfsync is no: it never says that a change is on record for good, so none would be sent; set always (or everysec)"
)

// runConfig runs a replica until ctx ends.
func runConfig(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	redisstore.LogTo(log)
	rdb := openRedis(cfg)
	defer rdb.Close() //nolint:errcheck // the process ends
	f := &front{metrics: prometheus.NewRegistry()}
	f.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	shut, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	closed, err := f.serve(shut, cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	err = runBehind(ctx, f, closed, cfg, rdb, log)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return toldApart(err)
}

// toldApart adds what to do where Slack refused the tokens.
func toldApart(err error) error {
	if errors.Is(err, slackapp.ErrTokens) {
		return fmt.Errorf("%w; run `scalebot check` with the same config", err)
	}
	return err
}

// noRedis is a tool's word for a Redis that gave no answer, or a refusal.
func noRedis(err error) error {
	var refused redis.Error
	if errors.As(err, &refused) {
		return fmt.Errorf("redis refuses: %w; check the user, the password and the database in redis.url, and whether Redis is still loading", err)
	}
	return fmt.Errorf("redis does not answer: %w; check redis.url, and that Redis runs and can be reached from here", err)
}

// unread is noRedis for what also has to be made sense of: to call a record that this
// version can't read a Redis that is down would send people looking at the network.
func unread(err error) error {
	var refused redis.Error
	var unreached net.Error
	switch {
	case errors.Is(err, flow.ErrNewer):
		return fmt.Errorf("%w; look with the version that runs", err)
	case errors.As(err, &refused), errors.As(err, &unreached), errors.Is(err, flow.ErrInDoubt), errors.Is(err, io.EOF),
		errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrClosed), errors.Is(err, context.Canceled):
		return noRedis(err)
	}
	return fmt.Errorf("what is on record can't be read: %w; look with the version that wrote it, and see what `scalebot audit --verify` says", err)
}

// runBehind wires the bot and runs it behind a front that is served already.
func runBehind(ctx context.Context, f *front, closed <-chan error, cfg *config.Config, rdb redis.UniversalClient, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-closed:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	b, err := newBot(ctx, cfg, rdb, log, f.metrics)
	if err != nil {
		return err
	}
	if err := patiently(ctx, log, "Redis can't be used", func() error { return useRedis(ctx, rdb, cfg, b.identity.Team, wall{}.Now) }); err != nil {
		return err
	}
	f.ready(b.ready, b.guards.lines)
	done := make(chan error, 1)
	go func() { done <- b.run(ctx) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(stopLimit):
			err = fmt.Errorf("the stop took longer than %s; flows in hand are taken over by another replica or the next start", stopLimit)
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// useRedis makes the workspace known in Redis, which shows that it takes writes,
// and refuses one that would lose flows.
func useRedis(ctx context.Context, rdb redis.UniversalClient, cfg *config.Config, team string, now func() time.Time) error {
	skew, err := redisstore.Skew(ctx, rdb, now)
	if err != nil {
		return err
	}
	if err := skewed(skew); err != nil {
		return err
	}
	// What can't be read is no reason to stop: `scalebot check` warns of it.
	health, _ := redisstore.Inspect(ctx, rdb)
	if health.Evicts() {
		return fmt.Errorf("%w: "+evicts, errUnfit, health.Eviction)
	}
	if health.NeverOnDisk() {
		return fmt.Errorf("%w: %s", errUnfit, neverOnDisk)
	}
	if health.NoWait != "" {
		return fmt.Errorf("%w: "+mayNotWait, errUnfit, health.NoWait)
	}
	return redisstore.Register(ctx, rdb, cfg.Redis.KeyPrefix, team)
}
