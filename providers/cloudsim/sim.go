package cloudsim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxBody is the largest request taken, in bytes: the 10 MB that Tencent's API
// 3.0 allows with its TC3 signature.
const maxBody = 10 << 20

// World is what exists in the clouds when a Sim starts. A cloud without
// accounts is not there at all.
type World struct {
	Tencent TencentWorld
	Alibaba AlibabaWorld
}

// Options is everything a Sim needs from its caller.
type Options struct {
	World World

	// Now is the clock; required. Signatures are checked against it, while
	// everything else runs on Now plus what Advance has added, so that a client
	// that signs with the machine's clock stays believable after an Advance.
	Now func() time.Time

	// Speed divides the durations of the stages of operations: 62 turns the
	// usual 6 min 12 s of a scale-out into 6 s. 0 means 1. It does not touch the
	// life of client tokens, which callers count on in real minutes.
	Speed float64

	// Stages replaces the duration of single stages, by key (see the stage
	// lists of each cloud, e.g. StageApply). 0 or more.
	Stages map[string]time.Duration

	// Rate is the number of calls a second that each account may make of each
	// action. 0 means the documented 20, a negative number no limit.
	Rate int
}

// Sim is one run of the local clouds. It is safe for concurrent use.
type Sim struct {
	now   func() time.Time
	speed float64
	rate  int

	mu       sync.Mutex
	advanced time.Duration
	clouds   []cloud
	faults   switchboard
	journal  journal
	recent   map[string][]time.Time // call times within the window of their limit, by account and action
	serial   int

	done     chan struct{} // closed by Close: ends every slow or hanging answer
	inflight sync.WaitGroup
	shut     sync.Once
	server   *http.Server
	served   chan struct{}
	url      string
}

// cloud is one control plane. All its methods are called with Sim.mu held.
type cloud interface {
	name() string
	owns(*http.Request) bool
	serve(*exchange) reply
	state() []ClusterState
	setCount(cluster, group string, count int) (Entry, error)
	released(fault int)
	knowsStatus(string) bool
	mend()
}

// errNoCluster is answered by setCount for a cluster of another cloud.
var errNoCluster = errors.New("no such cluster")

// exchange is one request being answered. note is its line of the journal,
// which the cloud completes.
type exchange struct {
	*http.Request
	body []byte
	at   time.Time // the Sim's time, with what Advance has added
	note *Request
}

// reply is an answer not yet delivered. Delivery happens without the lock, so
// that a slow answer to one caller does not hold up the others.
type reply struct {
	status int
	kind   string // Content-Type
	header http.Header
	body   []byte
	delay  time.Duration
	drop   bool // close the connection with no answer
	hang   bool // never answer
}

// New builds the clouds. Its errors name what is wrong with the world.
func New(o Options) (*Sim, error) {
	if o.Now == nil {
		return nil, errors.New("cloudsim: Options.Now is required")
	}
	if o.Speed < 0 {
		return nil, fmt.Errorf("cloudsim: Speed %v is negative", o.Speed)
	}
	s := &Sim{
		now: o.Now, speed: o.Speed, rate: o.Rate,
		recent: map[string][]time.Time{},
		done:   make(chan struct{}),
	}
	if s.speed == 0 {
		s.speed = 1
	}
	if s.rate == 0 {
		s.rate = 20
	}
	if len(o.World.Tencent.Accounts) > 0 {
		t, err := newTencent(s, o.World.Tencent, o.Stages)
		if err != nil {
			return nil, fmt.Errorf("cloudsim: tencent: %w", err)
		}
		s.clouds = append(s.clouds, t)
	}
	if len(o.World.Alibaba.Accounts) > 0 {
		a, err := newAlibaba(s, o.World.Alibaba, o.Stages)
		if err != nil {
			return nil, fmt.Errorf("cloudsim: alibaba: %w", err)
		}
		s.clouds = append(s.clouds, a)
	}
	if len(s.clouds) == 0 {
		return nil, errors.New("cloudsim: the world has no account in any cloud")
	}
	return s, nil
}

// Handler serves all clouds at once; a request is told apart by the headers its
// cloud's SDK always sends. Requests of no known cloud get a plain 404.
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Start serves Handler on a free port of 127.0.0.1 until ctx ends or Close is
// called. It may be called once.
func (s *Sim) Start(ctx context.Context) error {
	if s.server != nil {
		return errors.New("cloudsim: started twice")
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cloudsim: %w", err)
	}
	s.url = "http://" + ln.Addr().String()
	s.server = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		// Dropped answers are this server's trade; its own log would only repeat them.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	s.served = make(chan struct{})
	go func() {
		defer close(s.served)
		_ = s.server.Serve(ln) // ends with ErrServerClosed by Close and with nothing else worth telling
	}()
	go func() {
		select {
		case <-ctx.Done():
			s.Close()
		case <-s.done:
		}
	}()
	return nil
}

// URL is the address to give to an SDK as its endpoint, e.g.
// http://127.0.0.1:40123; empty before Start.
func (s *Sim) URL() string { return s.url }

// Close stops serving, ends slow and hanging answers and waits for the last
// request. State, ledger and journal stay readable. Safe to call more than once
// and without Start.
func (s *Sim) Close() {
	s.shut.Do(func() {
		close(s.done)
		if s.server != nil {
			_ = s.server.Close() // its listener is gone either way
			<-s.served
		}
	})
	s.inflight.Wait()
}

// Advance moves the clouds' time forward at once by d, on top of the clock:
// operations get on, client tokens age, the rate limit forgets. A negative d is
// ignored; clouds don't run backwards.
func (s *Sim) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advanced += max(d, 0)
}

// time is the clouds' time. The caller holds mu.
func (s *Sim) time() time.Time { return s.now().Add(s.advanced) }

// scaled is how long a stage of duration d takes at this Sim's speed.
func (s *Sim) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.speed)
}

// nextID gives ids that look random and are the same in every run, so that a
// transcript of the demo can be compared with the last one. The caller holds mu.
func (s *Sim) nextID(kind string) string {
	s.serial++
	return digest(fmt.Sprintf("%s/%d", kind, s.serial))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// allow counts one call against the rate limit. The caller holds mu.
func (s *Sim) allow(key string, at time.Time) bool {
	return s.within(key, at, s.rate, time.Second)
}

// within counts one call against a limit of n calls in any span of a window.
// Where Options.Rate lifts the limits it lifts this one too. The caller holds mu.
func (s *Sim) within(key string, at time.Time, n int, window time.Duration) bool {
	if s.rate < 0 {
		return true
	}
	last := s.recent[key]
	for len(last) > 0 && at.Sub(last[0]) >= window {
		last = last[1:]
	}
	if len(last) >= n {
		s.recent[key] = last
		return false
	}
	s.recent[key] = append(last, at)
	return true
}

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	s.inflight.Add(1)
	defer s.inflight.Done()
	select {
	case <-s.done:
		panic(http.ErrAbortHandler)
	default:
	}
	// Reading everything first also lets net/http notice a client that leaves
	// while its answer is being held back.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request body too large or cut off", http.StatusRequestEntityTooLarge)
		return
	}
	s.deliver(w, r, s.answer(r, body))
}

func (s *Sim) answer(r *http.Request, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clouds {
		if !c.owns(r) {
			continue
		}
		at := s.time()
		note := Request{
			Time: at, Cloud: c.name(), Method: r.Method, Path: r.URL.RequestURI(),
			Host: r.Host, Header: r.Header.Clone(), Body: body,
		}
		rep := c.serve(&exchange{Request: r, body: body, at: at, note: &note})
		if !rep.drop && !rep.hang {
			note.Status = rep.status
		}
		s.journal.request(note)
		return rep
	}
	return reply{status: http.StatusNotFound, kind: "text/plain; charset=utf-8", body: []byte("no cloud here knows this request\n")}
}

// under lets a fault of the transport do its work around run, which has the
// effect. Faults that are a cloud's own answer are not handled here.
func (f hit) under(run func() reply) reply {
	switch f.Kind {
	case LostBefore:
		return reply{drop: true}
	case Hang:
		return reply{hang: true}
	case ServerError:
		return reply{status: http.StatusInternalServerError, kind: "text/html", body: []byte("<html><head><title>500 Internal Server Error</title></head><body><center><h1>500 Internal Server Error</h1></center><hr><center>stgw</center></body></html>\n")}
	case LostAfter:
		run()
		return reply{drop: true}
	case Garbage:
		rep := run()
		return reply{status: http.StatusOK, kind: rep.kind, body: []byte("\x00\x1f{\"Resp")}
	case Slow:
		rep := run()
		rep.delay = f.Delay
		return rep
	case SoldOut, Throttled, Refused, AuthFailed, FlowFails, FlowBlocked, Partial, ForcedStatus:
	}
	return run()
}

func (s *Sim) deliver(w http.ResponseWriter, r *http.Request, rep reply) {
	switch {
	case rep.hang:
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		panic(http.ErrAbortHandler)
	case rep.drop:
		panic(http.ErrAbortHandler)
	case rep.delay > 0:
		t := time.NewTimer(rep.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-s.done:
			panic(http.ErrAbortHandler)
		}
	}
	maps.Copy(w.Header(), rep.header)
	w.Header().Set("Content-Type", rep.kind)
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body) // the client is gone: nobody left to tell
}
