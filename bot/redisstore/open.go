package redisstore

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
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

// Open makes a client from redis.url of config. It does no I/O.
//
//	redis://[:password@]host:port/db      one server; rediss:// with TLS
//	unix:///path/to/socket?db=0
//	redis+sentinel://[:password@]h1:26379,h2:26379/master-name/db
//	redis+cluster://[:password@]h1:6379,h2:6379     rediss+… with TLS
//
// Commands are not retried by the client: a script whose answer was lost may
// have run, and only the caller knows what that means.
func Open(text string) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	switch scheme {
	case "redis", "rediss", "unix":
		o, err := redis.ParseURL(text)
		if err != nil {
			return nil, fmt.Errorf("redis.url: %w", err)
		}
		o.MaxRetries, o.DialTimeout, o.ReadTimeout, o.WriteTimeout = -1, dialTimeout, callTimeout, callTimeout
		o.ContextTimeoutEnabled = true
		return redis.NewClient(o), nil
	case "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
		return openMany(scheme, rest)
	}
	return nil, fmt.Errorf("redis.url: %q is not one of redis, rediss, unix, redis+sentinel, redis+cluster", scheme)
}

func openMany(scheme, rest string) (redis.UniversalClient, error) {
	secure := strings.HasPrefix(scheme, "rediss")
	hosts, path, _ := strings.Cut(rest, "/")
	var user *url.Userinfo
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		u, err := url.Parse("redis://" + hosts[:at] + "@host")
		if err != nil {
			return nil, fmt.Errorf("redis.url: user and password can't be read (percent-encode special characters)")
		}
		user, hosts = u.User, hosts[at+1:]
	}
	o := &redis.UniversalOptions{
		Addrs: strings.Split(hosts, ","), MaxRetries: -1, DialTimeout: dialTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout,
		ContextTimeoutEnabled: true,
	}
	if user != nil {
		o.Username = user.Username()
		o.Password, _ = user.Password()
	}
	if secure {
		one, err := redis.ParseURL("rediss://" + o.Addrs[0])
		if err != nil {
			return nil, fmt.Errorf("redis.url: %w", err)
		}
		o.TLSConfig = one.TLSConfig
		o.TLSConfig.ServerName = "" // each node has its own name
	}
	if strings.HasSuffix(scheme, "sentinel") {
		master, db, _ := strings.Cut(path, "/")
		if master == "" {
			return nil, fmt.Errorf("redis.url: the sentinel form needs the master's name: redis+sentinel://host1,host2/NAME/0")
		}
		o.MasterName = master
		if db != "" {
			n, err := strconv.Atoi(db)
			if err != nil {
				return nil, fmt.Errorf("redis.url: database %q is no number", db)
			}
			o.DB = n
		}
		return redis.NewUniversalClient(o), nil
	}
	o.IsClusterMode = true
	return redis.NewUniversalClient(o), nil
}

// Health is what the doctor wants to know of a Redis.
type Health struct {
	Version  string
	AOF      string // "always", "everysec", "no" (sync by the system), "off"; "" = could not be read
	Eviction string // maxmemory-policy; "" = could not be read
	Replicas int
}

// Inspect reads a server's version and settings. Servers that forbid CONFIG
// leave AOF and Eviction as far as INFO tells.
func Inspect(ctx context.Context, rdb redis.UniversalClient) (Health, error) {
	var h Health
	info, err := rdb.Info(ctx, "server", "persistence", "memory", "replication").Result()
	if err != nil {
		return h, fmt.Errorf("redis: %w", err)
	}
	field := func(name string) string {
		for line := range strings.Lines(info) {
			if v, ok := strings.CutPrefix(line, name+":"); ok {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
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

// Wait returns when one call may go; see providers.Limiter.
func (p *Pacer) Wait(ctx context.Context, name string, perSecond int) error {
	limit := redis_rate.Limit{Rate: perSecond, Burst: perSecond, Period: time.Second}
	for {
		got, err := p.limiter.Allow(ctx, pace(p.prefix, name), limit)
		if err != nil {
			return fmt.Errorf("shared rate of %s: %w", name, err)
		}
		if got.Allowed > 0 {
			return nil
		}
		timer := time.NewTimer(got.RetryAfter)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
