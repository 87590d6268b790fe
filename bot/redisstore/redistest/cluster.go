package redistest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/redisstore"
)

// clusterSlots is how many hash slots a Redis Cluster shares out.
const clusterSlots = 16384

// real skips a test that needs real servers where there are none, or fails it
// where they are required.
func real(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("SCALEBOT_REQUIRE_REDIS") != "" {
			t.Fatal("SCALEBOT_REQUIRE_REDIS is set, but redis-server is not on the PATH")
		}
		t.Skip("redis-server is not on the PATH")
	}
}

// Cluster is a Redis Cluster of three masters on the loopback interface.
type Cluster struct{ Nodes []Server }

// StartCluster starts a Redis Cluster and waits until every node knows that it is
// up.
func StartCluster(t testing.TB) Cluster {
	t.Helper()
	real(t)
	var c Cluster
	for range 3 {
		bus, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		// By default the bus is 10000 above the port, which may be no port at all.
		c.Nodes = append(c.Nodes, Start(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "2000"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for i, node := range c.Nodes {
		rdb := node.Client(t)
		if err := rdb.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", i*clusterSlots/3, (i+1)*clusterSlots/3-1).Err(); err != nil {
			t.Fatalf("slots: %v", err)
		}
		if i == 0 {
			continue
		}
		first := c.Nodes[0]
		host, port := split(first.Addr)
		if err := rdb.Do(ctx, "CLUSTER", "MEET", host, port, first.flag("--cluster-port")).Err(); err != nil {
			t.Fatalf("meet: %v", err)
		}
	}
	until(ctx, t, "the cluster is up", func() bool {
		for _, node := range c.Nodes {
			rdb := node.open()
			info, err := rdb.Do(ctx, "CLUSTER", "INFO").Text()
			_ = rdb.Close() // it only looked
			if err != nil || !has(info, "cluster_state:ok") || !has(info, "cluster_known_nodes:3") {
				return false
			}
		}
		return true
	})
	return c
}

// Target is the cluster as config names it.
func (c Cluster) Target() redisstore.Target {
	var t redisstore.Target
	t.Cluster = true
	for _, n := range c.Nodes {
		t.Addrs = append(t.Addrs, n.Addr)
	}
	return t
}

// URL is the cluster as redis.url of config.
func (c Cluster) URL() string {
	return "redis+cluster://" + c.Nodes[0].Addr + "," + c.Nodes[1].Addr + "," + c.Nodes[2].Addr
}

// Client opens a client to the cluster and closes it with the test.
func (c Cluster) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	rdb := redisstore.Open(c.Target())
	t.Cleanup(func() { _ = rdb.Close() }) // the test has ended: nobody left to tell
	return rdb
}

// Sentinels is a master with a replica, watched by three sentinels.
type Sentinels struct {
	Master, Replica Server
	Name            string // of the master among the sentinels
	Watchers        []Server
}

// StartSentinels starts all five and waits until the sentinels know each other
// and the replica.
func StartSentinels(t testing.TB, args ...string) Sentinels {
	t.Helper()
	real(t)
	s := Sentinels{Name: "scalebot", Master: Start(t, args...)}
	host, port := split(s.Master.Addr)
	s.Replica = Start(t, append([]string{"--replicaof", host + " " + port}, args...)...)
	for range 3 {
		s.Watchers = append(s.Watchers, startSentinel(t, s.Name, host, port))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	until(ctx, t, "the sentinels know each other", func() bool {
		for _, w := range s.Watchers {
			rdb := redis.NewSentinelClient(&redis.Options{Addr: w.Addr})
			m, err := rdb.Master(ctx, s.Name).Result()
			_ = rdb.Close() // it only looked
			if err != nil || m["num-other-sentinels"] != "2" || m["num-slaves"] != "1" {
				return false
			}
		}
		return true
	})
	rdb := s.Replica.Client(t)
	until(ctx, t, "the replica is in step", func() bool {
		info, err := rdb.Info(ctx, "replication").Result()
		return err == nil && has(info, "master_link_status:up")
	})
	return s
}

func startSentinel(t testing.TB, name, host, port string) Server {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %s %s %s 2\nsentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n", name, host, port, name, name)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	own, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{path: path, dir: dir, args: []string{
		conf, "--sentinel", "--port", strconv.Itoa(own), "--bind", "127.0.0.1", "--dir", dir, "--logfile", filepath.Join(dir, "redis.log"),
	}}
	s := Server{Addr: fmt.Sprintf("127.0.0.1:%d", own), Real: true, run: r}
	if err := s.launch(); err != nil {
		t.Fatalf("a sentinel does not start: %v", err)
	}
	t.Cleanup(func() { _ = r.end(os.Kill) }) // how a killed process ends is no news
	return s
}

// Target is the master behind its sentinels, as config names it.
func (s Sentinels) Target() redisstore.Target {
	t := redisstore.Target{Master: s.Name}
	for _, w := range s.Watchers {
		t.Addrs = append(t.Addrs, w.Addr)
	}
	return t
}

// Client opens a client that follows the master and closes it with the test.
func (s Sentinels) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	rdb := redisstore.Open(s.Target())
	t.Cleanup(func() { _ = rdb.Close() }) // the test has ended: nobody left to tell
	return rdb
}

func split(addr string) (host, port string) {
	host, port, _ = strings.Cut(addr, ":")
	return host, port
}

func has(info, line string) bool {
	return strings.Contains(info, line+"\r\n") || strings.HasSuffix(info, line)
}

// flag is the value of an argument that the server was started with.
func (s Server) flag(name string) string {
	for i, a := range s.run.args {
		if a == name {
			return s.run.args[i+1]
		}
	}
	return ""
}

func until(ctx context.Context, t testing.TB, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-ctx.Done():
			t.Fatalf("redis: not in time: %s", what)
		case <-tick.C:
		}
	}
}
