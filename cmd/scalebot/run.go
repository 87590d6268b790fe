package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"scalebot/bot/config"
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

// runConfig runs a replica until ctx ends.
func runConfig(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	rdb := openRedis(cfg)
	defer rdb.Close() //nolint:errcheck // the process ends
	if health, err := redisstore.Inspect(ctx, rdb); err == nil && health.Evicts() {
		return fmt.Errorf("redis evicts keys when it is full (maxmemory-policy %s): flows could vanish; set maxmemory-policy noeviction", health.Eviction)
	}
	b, err := newBot(ctx, cfg, rdb, log)
	if err == nil {
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
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, slackapp.ErrTokens) {
		return fmt.Errorf("%w; run `scalebot check` with the same config", err)
	}
	return err
}
