// Package redistest gives tests a Redis: a real redis-server on a free port
// where one is on the PATH, else an embedded one, and says which. CI sets
// SCALEBOT_REQUIRE_REDIS and then gets the real one or a failure.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"scalebot/bot/redisstore"
)

// Server is one Redis of a test.
type Server struct {
	Addr string // host:port
	Real bool   // a redis-server; false: the embedded one

	process *os.Process // of a real one
}

// Start starts a Redis for the test and ends it with the test. Extra arguments
// go to redis-server and are ignored by the embedded one.
func Start(t testing.TB, args ...string) Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("SCALEBOT_REQUIRE_REDIS") != "" {
			t.Fatal("SCALEBOT_REQUIRE_REDIS is set, but redis-server is not on the PATH")
		}
		t.Log("WARNING: redis-server is not on the PATH: this test runs on an EMBEDDED Redis, which proves less")
		m := miniredis.RunT(t)
		return Server{Addr: m.Addr()}
	}
	// A port is free only until somebody else takes it: try a few.
	for range 5 {
		s, err := start(t, path, args)
		if err == nil {
			return s
		}
		t.Logf("redis-server did not start, trying another port: %v", err)
	}
	t.Fatal("redis-server does not start")
	return Server{}
}

func start(t testing.TB, path string, args []string) (Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Server{}, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return Server{}, err
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "redis.log")
	cmd := exec.Command(path, append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
		"--logfile", log, "--daemonize", "no",
	}, args...)...)
	if err := cmd.Start(); err != nil {
		return Server{}, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop := func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Logf("redis-server can't be ended: %v", err)
		}
		if err := <-exited; err == nil {
			t.Log("redis-server ended by itself before the test did")
		}
	}
	s := Server{Addr: fmt.Sprintf("127.0.0.1:%d", port), Real: true, process: cmd.Process}
	rdb := s.open()
	defer func() { _ = rdb.Close() }() // it only looked
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if rdb.Ping(ctx).Err() == nil {
			t.Cleanup(stop)
			return s, nil
		}
		select {
		case err := <-exited:
			text, _ := os.ReadFile(log)
			exited <- err
			return Server{}, fmt.Errorf("%w\n%s", err, text)
		case <-ctx.Done():
			stop()
			return Server{}, ctx.Err()
		case <-tick.C:
		}
	}
}

// Signal sends a signal to the server's process, to freeze it and to let it go on;
// only a real one has a process.
func (s Server) Signal(sig os.Signal) {
	if s.process != nil {
		_ = s.process.Signal(sig) // a server that is gone shows in what the test waits for
	}
}

// Client opens a client to the server and closes it with the test.
func (s Server) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	rdb := s.open()
	t.Cleanup(func() { _ = rdb.Close() }) // the test has ended: nobody left to tell
	return rdb
}

func (s Server) open() redis.UniversalClient {
	return redisstore.Open(redisstore.Target{Addrs: []string{s.Addr}})
}
