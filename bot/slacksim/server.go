package slacksim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// obj is a JSON object on its way out.
type obj = map[string]any

// Server is one local Slack with one workspace and one app.
type Server struct {
	opt   Options
	log   *slog.Logger
	birth time.Time // of the machine's own clock; see mono
	bad   error     // what is wrong with the World; Start returns it

	http *http.Server
	base string // http://host:port
	stop context.CancelFunc
	done context.Context // ends when the server closes
	wg   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	rnd    *rand.Rand
	ids    uint64
	lastTS int64 // microseconds

	team         Team
	app          App
	users        map[string]*User
	userOrder    []string
	channels     map[string]*channel
	channelOrder []string
	groups       map[string]*Usergroup
	groupOrder   []string
	ephemerals   []*Ephemeral
	home         map[string]*View
	views        map[string]*View
	stacks       map[string][]string // user -> ids of the open modals, root first
	triggers     map[string]*trigger
	responseURLs map[string]*responseURL

	rates      rates
	refusePlan bool
	habits     Habits
	shownUsers int // users per reaction also with full=true; 0 = all
	faults     map[string][]*Fault
	socket     socketFaults

	tickets   map[string]time.Time // one-use rights to open a socket, until when
	conns     []*conn
	connCount int
	envelopes map[string]*envelope
	timers    map[*time.Timer]planned
	planned   int

	limited    map[string]int // answers 429 by method, but for injected ones
	requests   []Request
	requestSeq uint64
	frames     []Frame
	frameSeq   uint64
	changes    []Change
	changeSeq  uint64
	subs       map[chan Change]struct{}
}

// channel is a conversation with its messages in order of ts.
type channel struct {
	Channel
	messages []*Message
	byTS     map[string]*Message
}

// New makes a server. What is wrong with the World is told by Start.
func New(opt Options) *Server {
	opt = opt.withDefaults()
	s := &Server{
		opt: opt, log: opt.Logger, birth: time.Now(), bad: opt.World.check(),
		rnd:   rand.New(rand.NewPCG(opt.Seed, 0x5ca1e)),
		users: map[string]*User{}, channels: map[string]*channel{}, groups: map[string]*Usergroup{},
		home: map[string]*View{}, views: map[string]*View{}, stacks: map[string][]string{},
		triggers: map[string]*trigger{}, responseURLs: map[string]*responseURL{},
		rates: newRates(!opt.NoRateLimits), refusePlan: opt.RefusePlanBlocks, habits: opt.Habits,
		faults: map[string][]*Fault{}, limited: map[string]int{}, tickets: map[string]time.Time{}, envelopes: map[string]*envelope{},
		timers: map[*time.Timer]planned{}, subs: map[chan Change]struct{}{},
	}
	s.done, s.stop = context.WithCancel(context.Background())
	s.load(opt.World)
	return s
}

// Start listens on addr ("127.0.0.1:0" for a free port) and serves until Close.
// It fails when the World is inconsistent or the address is taken. It may be
// called once.
func (s *Server) Start(addr string) error {
	if s.bad != nil {
		return fmt.Errorf("the simulated workspace is inconsistent: %w", s.bad)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("local Slack: %w", err)
	}
	return s.Serve(ln)
}

// Serve is Start on a listener of the caller's, which need not be of a network:
// one in memory lets the server run inside a testing/synctest bubble. Its address
// stands in the URLs that apps get, as host and port.
func (s *Server) Serve(ln net.Listener) error {
	if s.bad != nil {
		return errors.Join(fmt.Errorf("the simulated workspace is inconsistent: %w", s.bad), ln.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.http != nil {
		return errors.Join(errors.New("local Slack: already started or closed"), ln.Close())
	}
	s.base = "http://" + ln.Addr().String()
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return s.done },
	}
	server := s.http
	s.wg.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("local Slack stopped serving", "error", err)
		}
	})
	return nil
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", s.serveAPI)
	mux.HandleFunc("GET /link/", s.serveSocket)
	mux.HandleFunc("POST /commands/", s.serveResponseURL)
	return mux
}

// Close ends all sockets and requests, and waits until nothing of the server
// runs any more. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.wg.Wait()
		return nil
	}
	s.closed = true
	server, conns := s.http, slices.Clone(s.conns)
	for t := range s.timers {
		t.Stop()
	}
	clear(s.timers)
	for _, e := range s.envelopes {
		e.finish()
	}
	for ch := range s.subs {
		close(ch)
	}
	clear(s.subs)
	s.mu.Unlock()

	s.stop()
	for _, c := range conns {
		c.end()
	}
	var err error
	if server != nil {
		err = server.Close()
	}
	s.wg.Wait()
	return err
}

// URL is the address of the server, without a slash at the end; "" before Start.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// APIURL is what a client takes for https://slack.com/api/; it ends in a slash.
func (s *Server) APIURL() string { return s.URL() + "/api/" }

// BotToken is the app's xoxb- token.
func (s *Server) BotToken() string { return s.app.BotToken }

// AppToken is the app's xapp- token.
func (s *Server) AppToken() string { return s.app.AppToken }

// SetRateLimits turns rate limits on or off and forgets what was used.
func (s *Server) SetRateLimits(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rates = newRates(on)
}

// Limited counts, by method, the calls that were answered 429 because the app was
// over a limit. Injected faults don't count. The journal of requests forgets; this
// doesn't.
func (s *Server) Limited() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.limited)
}

// SetRefusePlanBlocks makes plan and task_card blocks give invalid_blocks.
func (s *Server) SetRefusePlanBlocks(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusePlan = on
}

// SetScopes replaces the bot token's scopes, as a reinstall does.
func (s *Server) SetScopes(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app.Scopes = slices.Clone(scopes)
}

func (s *Server) now() time.Time { return s.opt.Now() }

// mono is the machine's own time since the server was made.
func (s *Server) mono() time.Duration { return time.Since(s.birth) }

// after runs f under the lock once d of the machine's time has passed, unless
// the server closed. The caller holds the lock.
func (s *Server) after(d time.Duration, f func()) *time.Timer {
	if s.closed {
		return nil
	}
	s.planned++
	p := planned{at: s.mono() + d, n: s.planned, f: f} // its time comes before its timer fires
	t := time.AfterFunc(d, s.tick)
	s.timers[t] = p
	return t
}

// planned is what a timer is to run.
type planned struct {
	at time.Duration // mono
	n  int
	f  func()
}

// tick runs what has come due, in the order in which it was planned for one moment,
// whichever of its timers was first to fire.
func (s *Server) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed {
		var next *time.Timer
		for t, p := range s.timers {
			if p.at <= s.mono() && (next == nil || cmp.Or(cmp.Compare(p.at, s.timers[next].at), p.n-s.timers[next].n) < 0) {
				next = t
			}
		}
		if next == nil {
			return
		}
		f := s.timers[next].f
		s.cancel(next)
		f()
	}
}

// cancel stops a timer made by after. The caller holds the lock.
func (s *Server) cancel(t *time.Timer) {
	if t != nil {
		t.Stop()
		delete(s.timers, t)
	}
}

// id makes an identifier in Slack's style.
func (s *Server) id(prefix string) string {
	s.ids++
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var b [8]byte
	n := s.ids
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[n%36]
		n /= 36
	}
	return prefix + "0" + string(b[:])
}

// secret makes a value that can't be guessed from an id.
func (s *Server) secret() string {
	return fmt.Sprintf("%016x%016x", s.rnd.Uint64(), s.rnd.Uint64())
}

// nextTS is the id of the next message: Slack's time in seconds with six
// decimals, unique and rising even while the clock stands still.
func (s *Server) nextTS() string {
	us := max(s.now().UnixMicro(), s.lastTS+1)
	s.lastTS = us
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

func has(list []string, v string) bool { return slices.Contains(list, v) }

func without(list []string, v string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == v })
}

func sortedScopes(list []string) string {
	return strings.Join(slices.Sorted(slices.Values(list)), ",")
}
