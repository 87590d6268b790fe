package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/bot/config"
)

func TestRedisForms(t *testing.T) {
	for url, want := range map[string]config.RedisTarget{
		"redis://db":                        {Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"db:6379"}},
		"redis://db:7000/3":                 {Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"db:7000"}, DB: 3},
		"redis://db/?db=3":                  {Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"db:6379"}, DB: 3},
		"redis://[::1]:7000/":               {Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"[::1]:7000"}},
		"redis://[::1]":                     {Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"[::1]:6379"}},
		"rediss://u:p%40%2F%3F@db":          {Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"db:6379"}, TLS: true, Username: "u", Password: "p@/?"},
		"redis://:p@ss/w?rd@db":             {Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"db:6379"}, Password: "p@ss/w?rd"},
		"unix:///run/redis.sock":            {Mode: config.RedisSingle, Network: "unix", Addrs: []string{"/run/redis.sock"}},
		"unix://:p@/run/redis.sock?db=2":    {Mode: config.RedisSingle, Network: "unix", Addrs: []string{"/run/redis.sock"}, Password: "p", DB: 2},
		"redis+sentinel://a,b:1/mymaster/4": {Mode: config.RedisSentinel, Network: "tcp", Addrs: []string{"a:26379", "b:1"}, Master: "mymaster", DB: 4},
		"rediss+sentinel://u:p@a/m?sentinel_username=su&sentinel_password=sp": {
			Mode: config.RedisSentinel, Network: "tcp", Addrs: []string{"a:26379"}, Master: "m", TLS: true,
			Username: "u", Password: "p", SentinelUsername: "su", SentinelPassword: "sp",
		},
		"redis+cluster://:p@a,b:1": {Mode: config.RedisCluster, Network: "tcp", Addrs: []string{"a:6379", "b:1"}, Password: "p"},
	} {
		t.Run(url, func(t *testing.T) {
			require.Equal(t, want, parse(t, "redis: {url: '${URL}'}", "URL="+url).Redis.RedisTarget)
		})
	}
}

// What is wrong is said without a letter of the address: a password may be
// anywhere in it.
func TestRedisFaults(t *testing.T) {
	for url, want := range map[string]string{
		"":                                  "must be an address such as",
		"hunter2":                           "must be an address such as",
		"http://hunter2":                    "must start with redis://",
		"redis://":                          "no usable host and port at place 1",
		"redis://hunter2:port":              "no usable host and port at place 1",
		"redis://a:0":                       "no usable host and port",
		"redis://a,hunter2":                 "names several hosts",
		"redis://a/hunter2":                 "by its number",
		"redis://a/-1":                      "by its number",
		"redis://a/1?db=2":                  "twice",
		"redis://a?hunter2=1":               "an option after ?",
		"redis://a?db=%zz":                  "percent-encode",
		"redis://:hunter2%@a":               "write it as %25",
		"unix://hunter2":                    "by its full path",
		"redis+sentinel://a,b":              "must name the master",
		"redis+sentinel://a/m/hunter2":      "by its number",
		"redis+cluster://a,b/1":             "only one",
		"redis+cluster://a?db=1":            "an option after ?",
		"redis+cluster://a,,hunter2":        "at place 2",
		"redis://a?sentinel_password=hunt2": "an option after ?",
	} {
		t.Run(url, func(t *testing.T) {
			_, err := config.Parse("f", []byte(slackSection+"redis: {url: '"+url+"'}"), env(tokens...), kinds())
			ps := problems(t, err)
			require.Len(t, ps, 1)
			require.Equal(t, "redis.url", ps[0].Path)
			require.Contains(t, ps[0].Text, want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
