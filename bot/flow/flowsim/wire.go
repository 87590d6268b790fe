package flowsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// Slack is reached over connections in memory: whoever waits on one is blocked for
// good in the eyes of a bubble, so that time goes by meanwhile. On the loopback
// interface it would stand still.

// exchange is where a server listens and replicas dial.
type exchange struct {
	calls chan net.Conn
	done  chan struct{}
	once  sync.Once
}

var (
	errDown  = errors.New("flowsim: the connection was refused")
	errReset = errors.New("flowsim: the connection was reset")
)

func newExchange() *exchange {
	return &exchange{calls: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (x *exchange) Accept() (net.Conn, error) {
	select {
	case c := <-x.calls:
		return c, nil
	case <-x.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (x *exchange) Close() error {
	x.once.Do(func() { close(x.done) })
	return nil
}

// slackAddr is where Slack is: on the machine itself, so that no proxy from the
// environment is asked.
const slackAddr = "127.0.0.1:443"

type addr struct{}

func (addr) Network() string { return "tcp" }
func (addr) String() string  { return slackAddr }

// Addr implements net.Listener.
func (x *exchange) Addr() net.Addr { return addr{} }

// lines are all connections of one process. Stopped, the process neither reads nor
// writes nor hangs up; dead, it has none.
type lines struct {
	x *exchange

	mu      sync.Mutex
	moved   *sync.Cond // stopped or dead changed
	stopped bool
	dead    bool
	ends    []*end // that the process holds
	sockets int    // that were ever dialled
	dialled time.Time
	told    func(label string, come func())
}

func newLines(x *exchange, told func(label string, come func())) *lines {
	l := &lines{x: x, told: told}
	l.moved = sync.NewCond(&l.mu)
	return l
}

// dial connects to Slack.
func (l *lines) dial(ctx context.Context, _, _ string) (net.Conn, error) { return l.open(ctx, nil) }

// dialSocket is dial for a socket: what Slack says on it comes when whoever was told
// of it lets it come, message by message. Two that came at one moment would be read
// in an order that no seed decides.
func (l *lines) dialSocket(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	l.sockets++
	l.dialled = time.Now()
	n, seq := l.sockets, 0
	l.mu.Unlock()
	return l.open(ctx, func(come func()) {
		seq++
		l.told(fmt.Sprintf("socket %02d message %04d", n, seq), come)
	})
}

func (l *lines) open(ctx context.Context, told func(come func())) (net.Conn, error) {
	l.mu.Lock()
	for l.stopped && !l.dead {
		l.moved.Wait()
	}
	if l.dead {
		l.mu.Unlock()
		return nil, errDown
	}
	p := &pair{told: told}
	p.moved = sync.NewCond(&p.mu)
	ours, theirs := &end{p: p, of: l, n: 0}, &end{p: p, n: 1}
	l.ends = slices.DeleteFunc(l.ends, func(e *end) bool { return e.gone() })
	l.ends = append(l.ends, ours)
	l.mu.Unlock()
	select {
	case l.x.calls <- theirs:
		return ours, nil
	case <-l.x.done:
		return nil, errDown
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stop lets nothing come in or go out, until it is called with false.
func (l *lines) stop(stopped bool) {
	l.mu.Lock()
	l.stopped = stopped
	ends := slices.Clone(l.ends)
	l.moved.Broadcast()
	l.mu.Unlock()
	for _, e := range ends {
		e.p.mu.Lock()
		e.stopped = stopped
		if !stopped && e.hanging {
			e.shut()
		}
		e.p.moved.Broadcast()
		e.p.mu.Unlock()
	}
}

func (l *lines) still() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// cut ends all connections, and lets no more be made.
func (l *lines) cut() {
	l.mu.Lock()
	l.dead = true
	ends := l.ends
	l.ends = nil
	l.moved.Broadcast()
	l.mu.Unlock()
	for _, e := range ends {
		e.p.mu.Lock()
		e.stopped = false
		e.closed = true
		e.shut()
		e.p.mu.Unlock()
	}
}

// pair is one connection, of two ends. What one writes waits in it until the other
// reads, as in the buffers of two kernels.
type pair struct {
	mu    sync.Mutex
	moved *sync.Cond
	bytes [2][]byte // on their way to each end
	over  [2]bool   // what each end writes has come to its end

	told func(come func()) // of a message from Slack; nil = it comes at once
	held [][]byte          // messages that still have to come
}

// hold keeps a message of Slack's back, and what is said between two of them with
// the first. It is false for what may come at once. Under the lock.
func (p *pair) hold(b []byte) bool {
	const text = 0x81 // how a WebSocket frame with a message begins
	switch {
	case p.told == nil:
		return false
	case b[0] == text:
		p.held = append(p.held, slices.Clone(b))
		p.told(p.come)
		return true
	case len(p.held) > 0:
		last := len(p.held) - 1
		p.held[last] = append(p.held[last], b...)
		return true
	}
	return false
}

// come lets the oldest message come.
func (p *pair) come() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) > 0 {
		p.bytes[0] = append(p.bytes[0], p.held[0]...)
		p.held = p.held[1:]
		p.moved.Broadcast()
	}
}

// end is one end of a pair; of is whose it is, nil = Slack's.
type end struct {
	p  *pair
	of *lines
	n  int

	closed      bool
	stopped     bool
	hanging     bool // was closed while its process was stopped: the other end doesn't know yet
	read, write limit
}

// limit is a deadline.
type limit struct {
	at    time.Time
	timer *time.Timer
}

func (l limit) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }

func (e *end) gone() bool {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	return e.closed && !e.hanging
}

// shut lets the other end see that this one is closed. Under the lock.
func (e *end) shut() {
	e.hanging = false
	e.p.over[e.n] = true
	e.p.moved.Broadcast()
}

// Read implements net.Conn.
func (e *end) Read(b []byte) (int, error) {
	p := e.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch in := p.bytes[e.n]; {
		case e.closed:
			return 0, net.ErrClosed
		case e.stopped:
		case e.read.passed():
			return 0, os.ErrDeadlineExceeded
		case len(in) > 0:
			n := copy(b, in)
			p.bytes[e.n] = in[n:]
			return n, nil
		case p.over[1-e.n] && (e.n == 1 || len(p.held) == 0):
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		p.moved.Wait()
	}
}

// Write implements net.Conn.
func (e *end) Write(b []byte) (int, error) {
	p := e.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case e.closed:
			return 0, net.ErrClosed
		case e.stopped:
		case e.write.passed():
			return 0, os.ErrDeadlineExceeded
		case p.over[1-e.n]:
			return 0, errReset
		case len(b) == 0 || e.n == 1 && p.hold(b):
			return len(b), nil
		default:
			p.bytes[1-e.n] = append(p.bytes[1-e.n], b...)
			p.moved.Broadcast()
			return len(b), nil
		}
		p.moved.Wait()
	}
}

// Close implements net.Conn.
func (e *end) Close() error {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	if e.closed {
		return net.ErrClosed
	}
	e.closed = true
	for _, l := range []*limit{&e.read, &e.write} {
		if l.timer != nil {
			l.timer.Stop()
		}
	}
	if e.stopped {
		e.hanging = true
		e.p.moved.Broadcast()
		return nil
	}
	e.shut()
	return nil
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return addr{} }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return addr{} }

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(t time.Time) error { return e.set(&e.read, t) }

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(t time.Time) error { return e.set(&e.write, t) }

func (e *end) set(l *limit, t time.Time) error {
	p := e.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		l.timer = time.AfterFunc(wait, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.moved.Broadcast()
		})
	}
	p.moved.Broadcast()
	return nil
}
