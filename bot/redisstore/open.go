package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"scalebot/providers"
)

// The time that one command may take. The ack path has 3 s in all; an engine
// step must not hold its lease for a dead Redis.
const (
	dialTimeout = 2 * time.Second
	callTimeout = 2 * time.Second
)

// Target is where a Redis is: one server, or a master behind sentinels, or a
// cluster. bot/config reads it from redis.url.
type Target struct {
	Cluster  bool
	Master   string   // set: Addrs are sentinels, and this is the master's name
	Network  string   // tcp or unix; "" = tcp
	Addrs    []string // host:port, or the one socket's path
	DB       int
	TLS      bool
	Username string
	Password string

	SentinelUsername string
	SentinelPassword string
}

// Open makes a client. It does no I/O. Commands are not retried by the client: a
// script whose answer was lost may have run, and only the caller knows what that
// means.
func Open(t Target) redis.UniversalClient {
	var secure *tls.Config
	if t.TLS {
		secure = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case t.Cluster:
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: t.Addrs, Username: t.Username, Password: t.Password, TLSConfig: secure,
			// Redirections of a cluster are no repeats: the first node did nothing.
			MaxRetries: -1, DialTimeout: dialTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout, ContextTimeoutEnabled: true,
		})
	case t.Master != "":
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: t.Master, SentinelAddrs: t.Addrs, SentinelUsername: t.SentinelUsername, SentinelPassword: t.SentinelPassword,
			Username: t.Username, Password: t.Password, DB: t.DB, TLSConfig: secure,
			MaxRetries: -1, DialTimeout: dialTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout, ContextTimeoutEnabled: true,
		})
	}
	return redis.NewClient(&redis.Options{
		Network: t.Network, Addr: t.Addrs[0], Username: t.Username, Password: t.Password, DB: t.DB, TLSConfig: secure,
		MaxRetries: -1, DialTimeout: dialTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout, ContextTimeoutEnabled: true,
	})
}

// Health is what the doctor wants to know of a Redis.
type Health struct {
	Version  string
	AOF      string // "always", "everysec", "no" (sync by the system), "off"; "" = could not be read
	Eviction string // maxmemory-policy; "" = could not be read
	Replicas int
	NoWait   string // why the user may not ask whether a write is on disk; "" = it may, or there is nothing to ask
}

// Evicts reports whether the server is known to drop keys when it is full.
func (h Health) Evicts() bool { return h.Eviction != "" && h.Eviction != "noeviction" }

// WaitsForDisk reports whether the server can say when a write is on disk
// (WAITAOF, Redis 7.2): Store.Durable then waits for it.
func (h Health) WaitsForDisk() bool {
	major, rest, _ := strings.Cut(h.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor) // "7" alone is 7.0
	return h.AOF != "off" && err == nil && (a > 7 || a == 7 && b >= 2)
}

// NeverOnDisk reports whether the server can say when a write is on disk and never
// will: with appendfsync no the system decides when, so Store.Durable would wait in
// vain and no change would ever be sent.
func (h Health) NeverOnDisk() bool { return h.AOF == "no" && h.WaitsForDisk() }

// Inspect reads a server's version and settings. Servers that forbid CONFIG
// leave AOF and Eviction as far as INFO tells.
//
// Of a cluster it is the worst that any master says: a workspace lives on one of
// them, and a client without a key asks just any.
func Inspect(ctx context.Context, rdb redis.UniversalClient) (Health, error) {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		return inspect(ctx, rdb)
	}
	var mu sync.Mutex
	var worst Health
	seen := false
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		h, err := inspect(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			return err
		case !seen:
			worst, seen = h, true
		default:
			worst = worst.or(h)
		}
		return nil
	})
	return worst, err
}

// or is the worse of two servers in every respect.
func (h Health) or(other Health) Health {
	if h.WaitsForDisk() && !other.WaitsForDisk() {
		h.Version = other.Version
	}
	if !h.Evicts() && other.Eviction != h.Eviction && (other.Evicts() || other.Eviction == "") {
		h.Eviction = other.Eviction
	}
	order := []string{"off", "", "no", "everysec", "always"}
	if slices.Index(order, other.AOF) < slices.Index(order, h.AOF) {
		h.AOF = other.AOF
	}
	h.Replicas += other.Replicas
	h.NoWait = cmp.Or(h.NoWait, other.NoWait)
	return h
}

func inspect(ctx context.Context, rdb redis.UniversalClient) (Health, error) {
	var h Health
	info, err := rdb.Info(ctx, "server", "persistence", "memory", "replication").Result()
	if err != nil {
		return h, fmt.Errorf("redis: %w", err)
	}
	field := fieldOf(info)
	h.Version, h.Eviction = field("redis_version"), field("maxmemory_policy")
	h.Replicas, _ = strconv.Atoi(field("connected_slaves"))
	switch field("aof_enabled") {
	case "0":
		h.AOF = "off"
	case "1":
		if settings, err := rdb.ConfigGet(ctx, "appendfsync").Result(); err == nil {
			h.AOF = settings["appendfsync"]
		}
	}
	if h.WaitsForDisk() {
		var refused redis.Error
		if err := waitAOF(ctx, rdb); errors.As(err, &refused) && !canNotTell(err) {
			h.NoWait = refused.Error()
		}
	}
	return h, nil
}

// Pacer is a providers.Limiter that all replicas share.
type Pacer struct {
	limiter *redis_rate.Limiter
	prefix  string
}

var _ providers.Limiter = (*Pacer)(nil)

// NewPacer makes a pacer whose counts live under a key prefix.
func NewPacer(rdb redis.UniversalClient, prefix string) *Pacer {
	return &Pacer{limiter: redis_rate.NewLimiter(rdb), prefix: prefix}
}

// paceWait is how long a call waits for its turn: longer, and it is better made at
// another look than by a worker that stands still.
const paceWait = 2 * time.Second

// Take asks for one call of a name: 0 if it may go, else how long until one may.
func (p *Pacer) Take(ctx context.Context, name string, perSecond int) (time.Duration, error) {
	got, err := p.limiter.Allow(ctx, pace(p.prefix, name), redis_rate.Limit{Rate: perSecond, Burst: perSecond, Period: time.Second})
	if err != nil {
		return 0, fmt.Errorf("shared rate of %s: %w", name, err)
	}
	if got.Allowed > 0 {
		return 0, nil
	}
	return got.RetryAfter, nil
}

// Wait returns when one call may go; see providers.Limiter.
func (p *Pacer) Wait(ctx context.Context, name string, perSecond int) error {
	for waited := time.Duration(0); ; {
		wait, err := p.Take(ctx, name, perSecond)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", providers.ErrPaced, err)
		case wait <= 0:
			return nil
		case waited+wait > paceWait:
			return fmt.Errorf("%w: %s has its share of this second", providers.ErrPaced, name)
		}
		waited += wait
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", providers.ErrPaced, ctx.Err())
		case <-timer.C:
		}
	}
}
