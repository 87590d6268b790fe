package slackapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// Options says how an App reaches Slack. AppToken, BotToken and Clock are
// required.
type Options struct {
	AppToken string // xapp-…, with connections:write
	BotToken string // xoxb-…
	APIURL   string // default https://slack.com/api/
	Command  string // default /scale; as written in usage lines
	Language string // en or zh: of private replies to people whose locale isn't known; default en
	Sockets  int    // Socket Mode connections, 1 to 10; default 2
	Meter    Meter  // counts commands that the desk doesn't record; default: no cap on them

	// HTTPClient makes all HTTP calls. Without a timeout it gets one of 10 s: an
	// apps.connections.open that never answers would hang its socket for ever.
	HTTPClient *http.Client
	// Dial opens the connection below a socket (default: a net.Dialer).
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Jitter is a wait at random below a span, which keeps replicas from coming back
	// in step (default: math/rand). A simulator that plays a run again needs its own.
	Jitter     func(below time.Duration) time.Duration
	Clock      flow.Clock
	Logger     *slog.Logger          // default: none
	Registerer prometheus.Registerer // default: none

	// PingInterval is how long a socket may stay without a ping from Slack before
	// it is opened anew (default 30 s; slack-go notices after one to two of them).
	PingInterval time.Duration
}

const (
	defaultAPIURL = "https://slack.com/api/"
	httpTimeout   = 10 * time.Second
	maxSockets    = 10 // "Up to 10 open connections per app" (Slack, Socket Mode)
)

// App is one Slack app in one workspace. It is safe for concurrent use.
type App struct {
	opt     Options
	clock   flow.Clock
	log     *slog.Logger
	metrics *metrics

	http  *http.Client
	slack *slack.Client // bot token; auth.test, bots.info, users.*, usergroups.*
	rates *rates
	pace  *pace

	searches searches

	people  *cache[profile] // by user id
	locales *locales
	groups  *groups
	lookups chan struct{} // one slot per users.info under way
	quota   flow.Quota    // nil = not shared
	shared  Shared        // nil = not shared
	alone   atomic.Int64  // until when neither is asked, in Unix ms

	spacing *spacing
	gaps    chan struct{}
	seen    *seen
	doubts  chan string // why the bot token may have been revoked

	identity atomic.Pointer[Identity]

	mu      sync.Mutex
	running bool
	sockets []*socket
}

var (
	_ flow.Chat      = (*App)(nil)
	_ flow.Ballots   = (*App)(nil)
	_ flow.Directory = (*App)(nil)
)

// New makes an App from options and does no I/O. The error names every option
// that is wrong.
func New(opt Options) (*App, error) {
	var errs []error
	if !strings.HasPrefix(opt.AppToken, "xapp-") {
		errs = append(errs, errors.New("slack.app_token must begin with xapp-: it is made under Basic Information → App-Level Tokens"))
	}
	if !strings.HasPrefix(opt.BotToken, "xoxb-") {
		errs = append(errs, errors.New("slack.bot_token must begin with xoxb-: it stands under OAuth & Permissions once the app is installed"))
	}
	if opt.Clock == nil {
		errs = append(errs, errors.New("a clock is required"))
	}
	if opt.APIURL == "" {
		opt.APIURL = defaultAPIURL
	}
	if u, err := url.Parse(opt.APIURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		errs = append(errs, fmt.Errorf("slack.api_url %q is no http or https address", opt.APIURL))
	}
	// slack-go joins the address and the method's name without a separator.
	if !strings.HasSuffix(opt.APIURL, "/") {
		opt.APIURL += "/"
	}
	if opt.Sockets == 0 {
		opt.Sockets = 2
	}
	if opt.Sockets < 1 || opt.Sockets > maxSockets {
		errs = append(errs, fmt.Errorf("slack.sockets is %d, but Slack allows 1 to %d", opt.Sockets, maxSockets))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if opt.Command == "" {
		opt.Command = "/scale"
	}
	opt.Language = languageOf(opt.Language)
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Dial == nil {
		opt.Dial = (&net.Dialer{Timeout: httpTimeout}).DialContext
	}
	if opt.Jitter == nil {
		opt.Jitter = rand.N[time.Duration]
	}
	if opt.PingInterval == 0 {
		opt.PingInterval = 30 * time.Second
	}
	client := &http.Client{}
	if opt.HTTPClient != nil {
		*client = *opt.HTTPClient
	}
	if client.Timeout == 0 {
		client.Timeout = httpTimeout
	}
	a := &App{
		opt: opt, clock: opt.Clock, log: opt.Logger, metrics: newMetrics(opt.Registerer),
		http: client, rates: newRates(opt.Clock), pace: newPace(opt.Clock),
		people: newCache[profile](opt.Clock, personTTL), locales: newLocales(), groups: newGroups(opt.Clock),
		lookups: make(chan struct{}, lookups),
		spacing: newSpacing(opt.Clock, opt.Jitter), gaps: make(chan struct{}, 1), seen: newSeen(opt.Clock), doubts: make(chan string, 1),
	}
	a.slack = slack.New(opt.BotToken, slack.OptionAPIURL(opt.APIURL), slack.OptionHTTPClient(doer{client: client}))
	return a, nil
}

// languageOf maps a locale of Slack (zh-CN, en-US, …) or of config to a language
// the catalogue has.
func languageOf(locale string) string {
	if strings.HasPrefix(strings.ToLower(locale), "zh") {
		return "zh"
	}
	return "en"
}
