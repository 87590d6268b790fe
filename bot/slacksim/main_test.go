package slacksim_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"scalebot/bot/slacksim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	botToken = "xoxb-test"
	appToken = "xapp-1-A0SCALE-1-test"
	patience = 10 * time.Second
	tick     = 5 * time.Millisecond
)

func testWorld() slacksim.World {
	return slacksim.World{
		Team: slacksim.Team{ID: "T0TEAM", Name: "Team", Domain: "team"},
		App: slacksim.App{
			ID: "A0SCALE", Name: "Scalebot", BotUserID: "U0BOT", BotID: "B0BOT", BotToken: botToken, AppToken: appToken,
			Scopes:   slacksim.AllScopes(),
			Commands: []slacksim.Command{{Name: "/scale", ShouldEscape: true}, {Name: "/raw"}},
		},
		Users: []slacksim.User{
			{ID: "U0ANN", Name: "ann", RealName: "Ann", Locale: "zh-CN"},
			{ID: "U0BOB", Name: "bob", RealName: "Bob"},
			{ID: "U0CAT", Name: "cat", RealName: "Cat"},
			{ID: "U0DAN", Name: "dan", RealName: "Dan"},
			{ID: "U0GUEST", Name: "guest", IsRestricted: true},
			{ID: "U0GONE", Name: "gone", RealName: "Gone", Deleted: true},
			{ID: "U0EXT", Name: "ext", TeamID: "T0OTHER", IsStranger: true},
		},
		Channels: []slacksim.Channel{
			{ID: "C0DATA", Name: "data", Members: []string{"U0ANN", "U0BOB", "U0CAT", "U0DAN", "U0EXT", "U0BOT"}, ExtShared: true},
			{ID: "C0OPEN", Name: "open", Members: []string{"U0ANN"}},
			{ID: "C0SECRET", Name: "secret", Private: true, Members: []string{"U0ANN"}},
			{ID: "C0OLD", Name: "old", Archived: true, Members: []string{"U0ANN", "U0BOT"}},
		},
		Usergroups: []slacksim.Usergroup{
			{ID: "S0FIN", Handle: "finops", Name: "FinOps", Users: []string{"U0ANN"}, DateUpdate: 100},
			{ID: "S0OFF", Handle: "off", Name: "Off", Disabled: true},
		},
	}
}

// clock is Slack's clock in tests that need it to stand still or jump.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func start(t *testing.T, edit ...func(*slacksim.Options)) *slacksim.Server {
	t.Helper()
	opt := slacksim.Options{
		World: testWorld(), NoRateLimits: true, AckDeadline: 2 * time.Second,
		RetryAfter: []time.Duration{0, 20 * time.Millisecond, 20 * time.Millisecond},
		PingEvery:  50 * time.Millisecond, CloseAfter: 50 * time.Millisecond,
	}
	for _, e := range edit {
		e(&opt)
	}
	s := slacksim.New(opt)
	require.NoError(t, s.Start("127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

var httpClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// call posts a form with the bot token and gives the decoded answer.
func call(t *testing.T, s *slacksim.Server, method string, args ...string) map[string]any {
	t.Helper()
	form := url.Values{"token": {botToken}}
	for i := 0; i+1 < len(args); i += 2 {
		form.Set(args[i], args[i+1])
	}
	return do(t, request(t, s.APIURL()+method, "application/x-www-form-urlencoded", form.Encode()))
}

func request(t *testing.T, address, kind, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}

func do(t *testing.T, r *http.Request) map[string]any {
	t.Helper()
	res, err := httpClient.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	var out map[string]any
	require.NoError(t, json.NewDecoder(res.Body).Decode(&out))
	out["_status"], out["_retry"], out["_scopes"] = res.StatusCode, res.Header.Get("Retry-After"), res.Header.Get("X-OAuth-Scopes")
	return out
}

func ok(t *testing.T, answer map[string]any) map[string]any {
	t.Helper()
	require.Equal(t, true, answer["ok"], "%v", answer)
	return answer
}

// post puts a text message of the app into a channel and gives its ts.
func post(t *testing.T, s *slacksim.Server, channel, text string, more ...string) string {
	t.Helper()
	a := ok(t, call(t, s, "chat.postMessage", append([]string{"channel", channel, "text", text}, more...)...))
	return a["ts"].(string)
}

func client(s *slacksim.Server) *slack.Client {
	return slack.New(botToken, slack.OptionAppLevelToken(appToken), slack.OptionAPIURL(s.APIURL()), slack.OptionHTTPClient(httpClient))
}

// bot is a real slack-go socket mode client that acks what it gets.
type bot struct {
	mu     sync.Mutex
	events []socketmode.Event
	answer func(socketmode.Event) (payload any, ack bool)
}

func (b *bot) all(kind socketmode.EventType) []socketmode.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []socketmode.Event
	for _, e := range b.events {
		if e.Type == kind {
			out = append(out, e)
		}
	}
	return out
}

// connect runs a bot until the test ends and returns once it had its hello.
func connect(t *testing.T, s *slacksim.Server, answer func(socketmode.Event) (any, bool)) *bot {
	t.Helper()
	b := &bot{answer: answer}
	sm := socketmode.New(client(s), socketmode.OptionPingInterval(300*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = sm.RunContext(ctx) })
	stopped := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case e := <-sm.Events:
				b.mu.Lock()
				b.events = append(b.events, e)
				b.mu.Unlock()
				if e.Request == nil || e.Request.EnvelopeID == "" {
					continue
				}
				var payload any
				ack := true
				if b.answer != nil {
					payload, ack = b.answer(e)
				}
				if ack {
					_ = sm.AckCtx(ctx, e.Request.EnvelopeID, payload)
				}
			case <-stopped:
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		close(stopped)
		wg.Wait()
	})
	b.wait(t, socketmode.EventTypeHello, 1)
	return b
}

func (b *bot) wait(t *testing.T, kind socketmode.EventType, n int) []socketmode.Event {
	t.Helper()
	require.Eventually(t, func() bool { return len(b.all(kind)) >= n }, patience, tick, "%d of %s", n, kind)
	return b.all(kind)
}

// socket is a bare connection for what slack-go would not do.
type socket struct {
	*websocket.Conn
	t *testing.T
}

func open(t *testing.T, s *slacksim.Server) string {
	t.Helper()
	r := request(t, s.APIURL()+"apps.connections.open", "", "")
	r.Header.Set("Authorization", "Bearer "+appToken)
	return ok(t, do(t, r))["url"].(string)
}

func dial(t *testing.T, s *slacksim.Server) *socket {
	t.Helper()
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), open(t, s), nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	t.Cleanup(func() { _ = ws.Close() })
	require.NoError(t, ws.SetReadDeadline(time.Now().Add(patience)))
	return &socket{ws, t}
}

func (s *socket) next() map[string]any {
	s.t.Helper()
	var out map[string]any
	require.NoError(s.t, s.ReadJSON(&out))
	return out
}

func (s *socket) ack(id any) {
	s.t.Helper()
	require.NoError(s.t, s.WriteJSON(map[string]any{"envelope_id": id}))
}

// noted waits for a frame of that type and note in the journal.
func noted(t *testing.T, s *slacksim.Server, kind, note string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, f := range s.Frames() {
			if f.Type == kind && strings.Contains(f.Note, note) {
				return true
			}
		}
		return false
	}, patience, tick, "%s %s", kind, note)
}
