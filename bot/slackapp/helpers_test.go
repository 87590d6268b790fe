package slackapp

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"scalebot/bot/card"
	"scalebot/bot/slacksim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	botToken = "xoxb-111-222-botsecret"
	appToken = "xapp-1-A0APP-333-appsecret"
	channel  = "C0DATA"
	outside  = "C0OUT" // the bot isn't in it
	own      = "T0OWN"
	botUser  = "U0BOT"
	ann      = "U0ANN" // writes in English, lives in Shanghai
	wei      = "U0WEI" // reads Chinese
	guest    = "U0GUEST"
)

func world() slacksim.World {
	return slacksim.World{
		Team: slacksim.Team{ID: own, Name: "Own", Domain: "own"},
		App: slacksim.App{
			ID: "A0APP", Name: "scalebot", BotUserID: botUser, BotID: "B0BOT", BotToken: botToken, AppToken: appToken,
			Scopes:   scopeNames(),
			Commands: []slacksim.Command{{Name: "/scale", ShouldEscape: true}},
		},
		Users: []slacksim.User{
			{ID: ann, Name: "ann", TZ: "Asia/Shanghai", TZOffset: 28800},
			{ID: wei, Name: "wei", Locale: "zh-CN"},
			{ID: guest, Name: "guest", IsRestricted: true},
			{ID: "U0SOLO", Name: "solo", IsUltraRestricted: true},
			{ID: "U0ROBOT", Name: "robot", IsBot: true},
			{ID: "U0GONE", Name: "gone", Deleted: true},
			{ID: "U0PARTNER", Name: "partner", TeamID: "T0OTHER"},
			{ID: "U0STRANGE", Name: "strange", IsStranger: true},
		},
		Channels: []slacksim.Channel{
			{ID: channel, Name: "data", Members: []string{botUser, ann, wei, guest}},
			{ID: outside, Name: "out", Private: true, Members: []string{ann}},
		},
		Usergroups: []slacksim.Usergroup{{ID: "S0LEADS", Handle: "leads", Name: "Leads", Users: []string{ann, wei}}},
	}
}

// userWithout is a full member whose profile lacks something.
func userWithout(what string) *slack.User {
	u := &slack.User{ID: ann, Name: "ann", TeamID: own, Locale: "en-US", TZ: "Asia/Shanghai"}
	switch what {
	case "locale":
		u.Locale = ""
	case "zone":
		u.TZ = ""
	}
	return u
}

func scopeNames() []string {
	var names []string
	for _, s := range RequiredScopes() {
		names = append(names, s.Name)
	}
	return names
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// logs collects what was logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// edge is an App against a local Slack.
type edge struct {
	t    *testing.T
	sim  *slacksim.Server
	app  *App
	desk *desk
	logs *logs

	cancel context.CancelFunc
	done   chan error
}

func startSim(t *testing.T, change func(*slacksim.Options)) *slacksim.Server {
	t.Helper()
	opt := slacksim.Options{World: world(), PingEvery: 100 * time.Millisecond, NoRateLimits: true, RetryAfter: []time.Duration{}}
	if change != nil {
		change(&opt)
	}
	sim := slacksim.New(opt)
	require.NoError(t, sim.Start("127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	return sim
}

// newEdge makes an app that is not running yet but knows who it is.
func newEdge(t *testing.T, change func(*slacksim.Options), more func(*Options)) *edge {
	t.Helper()
	t.Parallel() // they mostly wait: for spacing, deadlines and stops
	e := &edge{t: t, sim: startSim(t, change), desk: newDesk(), logs: &logs{}}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	opt := Options{
		AppToken: appToken, BotToken: botToken, APIURL: e.sim.APIURL(), Sockets: 1, Clock: wallClock{},
		HTTPClient:   &http.Client{Transport: transport, Timeout: 3 * time.Second},
		Logger:       slog.New(slog.NewJSONHandler(e.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		PingInterval: 2 * time.Second,
	}
	if more != nil {
		more(&opt)
	}
	app, err := New(opt)
	require.NoError(t, err)
	e.app = app
	_, err = app.Identify(t.Context())
	require.NoError(t, err)
	return e
}

// run starts the app; the test's end stops it.
func (e *edge) run() *edge {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel, e.done = cancel, make(chan error, 1)
	go func() { e.done <- e.app.Run(ctx, e.desk, card.New(card.Options{})) }()
	e.t.Cleanup(func() {
		cancel()
		<-e.done //nolint:errcheck // a test that cares calls stopped
	})
	e.eventually(e.app.Ready, "a socket gets its hello")
	return e
}

// stopped waits for Run and gives its error.
func (e *edge) stopped(limit time.Duration) error {
	e.t.Helper()
	select {
	case err := <-e.done:
		e.done <- err // for the cleanup
		return err
	case <-time.After(limit):
		require.FailNow(e.t, "Run did not return in time")
		return nil
	}
}

func (e *edge) eventually(ok func() bool, what string) {
	e.t.Helper()
	require.Eventually(e.t, ok, 8*time.Second, 10*time.Millisecond, what)
}

// sent waits for a direct message to a person that contains a text.
func (e *edge) sent(user, part string) slacksim.Message {
	e.t.Helper()
	var found slacksim.Message
	e.eventually(func() bool {
		for _, m := range e.sim.DMs(user) {
			if bytes.Contains([]byte(m.Text), []byte(part)) {
				found = m
				return true
			}
		}
		return false
	}, "a direct message with "+part)
	return found
}

// told waits for a private message to a person that contains a text.
func (e *edge) told(user, part string) slacksim.Ephemeral {
	e.t.Helper()
	var found slacksim.Ephemeral
	e.eventually(func() bool {
		for _, m := range e.sim.Ephemerals(user) {
			if bytes.Contains([]byte(m.Text), []byte(part)) {
				found = m
				return true
			}
		}
		return false
	}, "a private message with "+part)
	return found
}
