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
	"sync"
	"syscall"
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

	run *running // of a real one
}

// running is a redis-server's process, which may be another one after a restart.
type running struct {
	path, dir string
	args      []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan error
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
	port, err := freePort()
	if err != nil {
		return Server{}, err
	}
	dir := t.TempDir()
	r := &running{path: path, dir: dir, args: append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
		"--logfile", filepath.Join(dir, "redis.log"), "--daemonize", "no",
	}, args...)}
	s := Server{Addr: fmt.Sprintf("127.0.0.1:%d", port), Real: true, run: r}
	if err := s.launch(); err != nil {
		return Server{}, err
	}
	t.Cleanup(func() {
		if err := r.end(syscall.SIGKILL); err == nil {
			t.Log("redis-server ended by itself before the test did")
		}
	})
	return s, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// launch starts the process and waits until it answers.
func (s Server) launch() error {
	r := s.run
	// A process that ignores SIGXFSZ sees a full disk as an error of its write, as a
	// real one is seen; see FillDisk.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `trap "" XFSZ; exec "$@"`, "sh", r.path}, r.args...)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	r.mu.Lock()
	r.cmd, r.exited = cmd, exited
	r.mu.Unlock()
	rdb := s.open()
	defer func() { _ = rdb.Close() }() // it only looked
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		// A password or a cluster that is not yet up is an answer too.
		if err := rdb.Ping(ctx).Err(); err == nil || redis.HasErrorPrefix(err, "NOAUTH") || redis.HasErrorPrefix(err, "CLUSTERDOWN") {
			return nil
		}
		select {
		case err := <-exited:
			text, _ := os.ReadFile(filepath.Join(r.dir, "redis.log"))
			exited <- err
			return fmt.Errorf("%w\n%s", err, text)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), r.end(syscall.SIGKILL))
		case <-tick.C:
		}
	}
}

// end sends a signal that ends the process and waits until it is gone; the error
// is how it ended.
func (r *running) end(sig os.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := <-r.exited
	r.exited <- err
	return err
}

// Restart ends a real server with a signal (SIGKILL as a crash, SIGTERM as an
// operator) and starts it again on the same port with what its files hold.
func (s Server) Restart(t testing.TB, sig os.Signal) {
	t.Helper()
	s.Stop(t, sig)
	s.Again(t)
}

// Stop ends a real server; Again starts it anew.
func (s Server) Stop(t testing.TB, sig os.Signal) {
	t.Helper()
	if s.run == nil {
		t.Fatal("the embedded Redis has no process")
	}
	_ = s.run.end(sig) // how a killed process ends is no news
}

// Again starts a server that was stopped, with what its files hold.
func (s Server) Again(t testing.TB) {
	t.Helper()
	if err := s.launch(); err != nil {
		t.Fatalf("redis-server does not start again: %v", err)
	}
}

// Signal sends a signal to the server's process, to freeze it and to let it go on;
// only a real one has a process.
func (s Server) Signal(sig os.Signal) {
	if s.run == nil {
		return
	}
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	_ = s.run.cmd.Process.Signal(sig) // a server that is gone shows in what the test waits for
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
