package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"scalebot/providers"
)

// RedisMode is how a Redis is reached.
type RedisMode string

// The modes.
const (
	RedisSingle   RedisMode = "single"
	RedisSentinel RedisMode = "sentinel"
	RedisCluster  RedisMode = "cluster"
)

// RedisTarget is a Redis address in parts, in no client's own form:
//
//	redis://[user:password@]host[:6379][/db]
//	unix://[user:password@]/path/to/socket[?db=N]
//	redis+sentinel://[user:password@]host1[:26379],host2/master[/db][?sentinel_username=…&sentinel_password=…]
//	redis+cluster://[user:password@]host1[:6379],host2
//
// rediss://, rediss+sentinel:// and rediss+cluster:// are the same over TLS.
// Special characters of user and password are percent-encoded; a lone password
// is written :password@.
type RedisTarget struct {
	Mode             RedisMode
	Network          string   // tcp or unix
	Addrs            []string // host:port, or the one socket's path
	Master           string   // sentinel only
	DB               int      // 0..; always 0 in cluster mode
	TLS              bool
	Username         string
	Password         providers.Secret
	SentinelUsername string
	SentinelPassword providers.Secret
}

// parseRedis never puts any part of the text into its error: all of it may come
// from one variable that has the password in it.
func parseRedis(text string) (RedisTarget, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	t := RedisTarget{Mode: RedisSingle, Network: "tcp"}
	port := "6379"
	switch {
	case !ok:
		return t, errors.New("must be an address such as redis://localhost:6379/0")
	case scheme == "unix":
		t.Network = "unix"
	case slices.Contains([]string{"redis", "redis+sentinel", "redis+cluster", "rediss", "rediss+sentinel", "rediss+cluster"}, scheme):
		base, mode, _ := strings.Cut(scheme, "+")
		t.TLS = base == "rediss"
		if mode != "" {
			t.Mode = RedisMode(mode)
		}
		if t.Mode == RedisSentinel {
			port = "26379"
		}
	default:
		return t, errors.New("must start with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
	}

	// By hand: url.Parse takes no list of hosts.
	rest, query, err := cutQuery(rest)
	if err != nil {
		return t, err
	}
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		if t.Username, t.Password, err = userinfo(rest[:i]); err != nil {
			return t, err
		}
		rest = rest[i+1:]
	}
	if err := t.query(query); err != nil {
		return t, err
	}
	if t.Network == "unix" {
		if !strings.HasPrefix(rest, "/") || rest == "/" {
			return t, errors.New("must name the socket by its full path: unix:///run/redis.sock")
		}
		t.Addrs = []string{rest}
		return t, nil
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if err := t.path(path, query.Has("db")); err != nil {
		return t, err
	}
	return t, t.hosts(hosts, port)
}

func cutQuery(rest string) (string, url.Values, error) {
	// A "?" inside an unencoded password stands before the "@".
	from := strings.LastIndex(rest, "@") + 1
	i := strings.Index(rest[from:], "?")
	if i < 0 {
		return rest, url.Values{}, nil
	}
	q, err := url.ParseQuery(rest[from+i+1:])
	if err != nil {
		return rest, nil, errors.New("has a part after ? that can't be read: percent-encode special characters")
	}
	return rest[:from+i], q, nil
}

func userinfo(text string) (string, providers.Secret, error) {
	user, password, _ := strings.Cut(text, ":")
	u, err1 := url.PathUnescape(user)
	p, err2 := url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return "", "", errors.New("has a % in user or password that encodes nothing: write it as %25")
	}
	return u, providers.Secret(p), nil
}

func (t *RedisTarget) query(q url.Values) error {
	for key := range q {
		switch {
		case key == "db" && t.Mode != RedisCluster:
			if err := t.db(q.Get(key)); err != nil {
				return err
			}
		case key == "sentinel_username" && t.Mode == RedisSentinel:
			t.SentinelUsername = q.Get(key)
		case key == "sentinel_password" && t.Mode == RedisSentinel:
			t.SentinelPassword = providers.Secret(q.Get(key))
		default:
			return errors.New("has an option after ? that this form doesn't have: there are db, and for sentinel sentinel_username and sentinel_password")
		}
	}
	return nil
}

func (t *RedisTarget) path(path string, dbGiven bool) error {
	path = strings.TrimSuffix(path, "/")
	db := path
	switch t.Mode {
	case RedisCluster:
		if path != "" && path != "0" {
			return errors.New("names a database, but a Redis Cluster has only one: end it after the hosts")
		}
		return nil
	case RedisSentinel:
		t.Master, db, _ = strings.Cut(path, "/")
		if t.Master == "" {
			return errors.New("must name the master after the sentinels: redis+sentinel://host1,host2/mymaster/0")
		}
	case RedisSingle:
	}
	if db == "" {
		return nil
	}
	if dbGiven {
		return errors.New("names the database twice, in the path and after ?")
	}
	return t.db(db)
}

func (t *RedisTarget) db(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<20 {
		return errors.New("must name the database by its number, as in redis://localhost:6379/0")
	}
	t.DB = n
	return nil
}

func (t *RedisTarget) hosts(list, port string) error {
	hosts := strings.Split(list, ",")
	if len(hosts) > 1 && t.Mode == RedisSingle {
		return errors.New("names several hosts: write redis+sentinel://host1,host2/master or redis+cluster://host1,host2")
	}
	for i, h := range hosts {
		addr, err := hostPort(h, port)
		if err != nil {
			return fmt.Errorf("has no usable host and port at place %d", i+1)
		}
		t.Addrs = append(t.Addrs, addr)
	}
	return nil
}

func hostPort(h, port string) (string, error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")
	if !strings.Contains(h, ":") || net.ParseIP(bare) != nil {
		h = net.JoinHostPort(bare, port)
	}
	host, p, err := net.SplitHostPort(h)
	n, perr := strconv.ParseUint(p, 10, 16)
	if err != nil || perr != nil || n == 0 || host == "" || strings.ContainsAny(host, " /?#@[]%") {
		return "", errors.New("no host and port")
	}
	return net.JoinHostPort(host, p), nil
}
