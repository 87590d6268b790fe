package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/redisstore/redistest"
	"scalebot/bot/slacksim"
	"scalebot/providers/cloudsim"
)

// binary is the real program, built once: signals, exit codes and kill -9 can't
// be tried inside a test process.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "scalebot-test")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "scalebot")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// command runs the program to its end.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestTheDemoPlaysTheMainJob(t *testing.T) {
	start := time.Now()
	code, out, errs := command(t, "demo", "--once")
	require.Equal(t, exitDone, code, "%s\n%s", out, errs)
	require.Less(t, time.Since(start), 60*time.Second)
	for _, want := range []string{
		"emr-m620 task +2 (3 → 5) · succeeded",
		"prepaid for 1 month", "¥ 8,412.00 committed",
		"@mei — asked for this change, and someone else must agree",
		"@sam — belongs to another workspace",
		"Approved by @lin, @chen",
		"emr-m620 task +2 (5 → 7) · succeeded",
		"#data-platform · scalebot:",
		"Denied by @chen. Nothing was changed.", "scalebot to mei, directly:",
		"Did you mean task?", "/scale emr-m620 task +2",
	} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out+errs, cloudsim.DemoSecretKey)
	require.Empty(t, errs, "nothing to warn of")
}

// The demo's clouds are local, so nothing in it waits for a real one's limits.
func TestTheDemosCloudsNeedNoPause(t *testing.T) {
	s, err := newStage(t.Context(), onceSpeed)
	require.NoError(t, err)
	defer s.close()
	cfg := s.cfg
	require.Len(t, cfg.Accounts, 3)
	pace := paces(cfg.Accounts)
	for i := range cfg.Accounts {
		a := &cfg.Accounts[i]
		require.Zero(t, pace(a.Name), a.Name)
		a.Endpoint = ""
	}
	pace = paces(cfg.Accounts)
	require.Equal(t, []time.Duration{10 * time.Second, 0, 15 * time.Second}, []time.Duration{pace("ack-bj"), pace("data-gz"), pace("mrs-n4")})
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":                    {[]string{"--help"}, exitDone, "scalebot demo"},
		"no arguments":            {nil, exitDone, "Available Commands"},
		"version":                 {[]string{"version"}, exitDone, "scalebot "},
		"manifest":                {[]string{"manifest"}, exitDone, "bot_user:"},
		"help names the manifest": {[]string{"--help"}, exitDone, "manifest of the Slack app"},
		"an unknown command":      {[]string{"rnu"}, exitUsage, `no command "rnu"`},
		"an unknown flag":         {[]string{"run", "--conf", "x"}, exitUsage, "scalebot run --help"},
		"no config":               {[]string{"run"}, exitUsage, "--config FILE is required"},
		"a file that isn't there": {[]string{"check", "--config", "nowhere.yaml"}, exitUsage, "nowhere.yaml"},
		"no request":              {[]string{"policy", "--config", "x"}, exitUsage, "needs a request"},
		"one argument too many":   {[]string{"version", "x"}, exitUsage, `takes no argument "x"`},
		"the sample config":       {[]string{"config", "example"}, exitDone, "clusters:"},
		"the schema":              {[]string{"config", "schema"}, exitDone, `"$schema"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := command(t, c.args...)
			require.Equal(t, c.code, code, "%s%s", out, errs)
			require.Contains(t, out+errs, c.says)
			if code != exitDone {
				require.Empty(t, out)
				require.Equal(t, 1, strings.Count(strings.TrimSpace(errs), "\n")+1, "one sentence: %s", errs)
			}
		})
	}
}

func TestAllConfigErrorsAtOnceWithTheirLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`slack: {app_token: xapp-1, bot_token: xoxb-1}
accounts:
  a: {provider: tencent-emr, regoin: ap-guangzhou}
  b: {provider: huawei-mrs, region: cn-north-4, secret_id: x}
clusters:
  c: {account: a, id: emr-1, groups: {task: {max_stp: 3}}}
`), 0o600))
	code, out, errs := command(t, "run", "--config", path)
	require.Equal(t, exitUsage, code)
	require.Empty(t, out)
	for _, want := range []string{"bad.yaml:3:", `did you mean "region"`, "bad.yaml:4:", "bad.yaml:6:", `did you mean "max_step"`} {
		require.Contains(t, errs, want)
	}
}

// site is everything that a real deployment has, on this machine.
type site struct {
	t      *testing.T
	slack  *slacksim.Server
	clouds *cloudsim.Sim
	config string
	http   string
	env    []string
	redis  redistest.Server
}

func newSite(t *testing.T, edit func(string) string) *site {
	t.Helper()
	return newSiteIn(t, place{slack: slacksim.Options{World: demoWorld()}, clouds: cloudsim.Demo(), speed: onceSpeed, text: demoConfig, edit: edit})
}

// place is where a site stands, with the config of the bot there.
type place struct {
	slack  slacksim.Options
	clouds cloudsim.World
	speed  float64
	text   string
	edit   func(string) string
	redis  redistest.Server // the zero one: a fresh one that keeps nothing
}

func newSiteIn(t *testing.T, p place) *site {
	t.Helper()
	s := &site{t: t, slack: slacksim.New(p.slack)}
	require.NoError(t, s.slack.Start("127.0.0.1:0"))
	t.Cleanup(func() { s.slack.Close() })
	var err error
	s.clouds, err = cloudsim.New(cloudsim.Options{World: p.clouds, Now: time.Now, Speed: p.speed})
	require.NoError(t, err)
	require.NoError(t, s.clouds.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(s.clouds.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.http = l.Addr().String()
	require.NoError(t, l.Close())
	text := strings.Replace(p.text, `http: {listen: ""}`, `http: {listen: "`+s.http+`"}`, 1)
	text = strings.Replace(text, "engine: {", "engine: {lease: 6s, call_timeout: 3s, ", 1)
	if p.edit != nil {
		text = p.edit(text)
	}
	s.config = filepath.Join(t.TempDir(), "scalebot.yaml")
	require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
	if p.redis.Addr == "" {
		p.redis = redistest.Start(t)
	}
	s.redis = p.redis
	s.env = append(os.Environ(),
		"DEMO_APP_TOKEN="+s.slack.AppToken(), "DEMO_BOT_TOKEN="+s.slack.BotToken(), "DEMO_SLACK="+s.slack.APIURL(),
		"DEMO_REDIS=redis://"+p.redis.Addr+"/0", "DEMO_CLOUDS="+s.clouds.URL())
	for name, value := range demoKeys() {
		s.env = append(s.env, name+"="+value)
	}
	return s
}

// process is one running replica.
type process struct {
	cmd  *exec.Cmd
	log  *lockedBuffer
	done chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (s *site) start() *process {
	s.t.Helper()
	path, err := binary()
	require.NoError(s.t, err)
	p := &process{cmd: exec.Command(path, "run", "--config", s.config), log: &lockedBuffer{}, done: make(chan error, 1)}
	p.cmd.Env, p.cmd.Stderr, p.cmd.Stdout = s.env, p.log, p.log
	require.NoError(s.t, p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	s.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
		}
		if s.t.Failed() {
			s.t.Logf("log of the process:\n%s", p.log)
		}
	})
	return p
}

func (s *site) ready() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.get("/readyz") == http.StatusOK }, 15*time.Second, 20*time.Millisecond)
}

func (s *site) get(path string) int {
	resp, err := http.Get("http://" + s.http + path)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// tool runs another subcommand of the program on the same site.
func (s *site) tool(args ...string) (int, string) {
	s.t.Helper()
	path, err := binary()
	require.NoError(s.t, err)
	cmd := exec.Command(path, append(args, "--config", s.config)...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(s.t, err)
	}
	remedied(s.t, string(out))
	return cmd.ProcessState.ExitCode(), string(out)
}

func (s *site) flows() []line {
	s.t.Helper()
	code, out := s.tool("flows", "--json")
	require.Equal(s.t, exitDone, code, out)
	var all []line
	in := bufio.NewScanner(strings.NewReader(out))
	for in.Scan() {
		var l line
		require.NoError(s.t, json.Unmarshal(in.Bytes(), &l))
		all = append(all, l)
	}
	return all
}

func (s *site) accepted() int {
	n := 0
	for _, e := range s.clouds.Ledger() {
		if e.Outcome == cloudsim.Accepted {
			n++
		}
	}
	return n
}

func (s *site) notices(state string) int {
	n := 0
	for _, room := range []string{opsRoom, dataRoom} {
		for _, m := range s.slack.Messages(room) {
			if m.Metadata != nil && m.Metadata.EventType == "scalebot_notice" && m.Metadata.EventPayload["state"] == state {
				n++
			}
		}
	}
	return n
}

func TestRunAgainstARealDeployment(t *testing.T) {
	s := newSite(t, nil)
	p := s.start()
	s.ready()
	require.Equal(t, http.StatusOK, s.get("/healthz"))
	require.Equal(t, http.StatusOK, s.get("/metrics"))

	d := s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +2")
	require.NoError(t, d.Err)
	require.NotNil(t, d.Ephemeral)
	flows := s.flows()
	require.Len(t, flows, 1)
	require.Contains(t, d.Ephemeral.Text, flows[0].ID, "the private answer contains the flow id")
	require.Eventually(t, func() bool { return s.notices("succeeded") == 2 }, 25*time.Second, 50*time.Millisecond)
	f := s.flows()[0]
	require.EqualValues(t, "succeeded", f.State)
	require.Equal(t, 2, *f.Delta)
	require.Equal(t, 5, *f.Target)
	require.NotNil(t, f.Operation)
	require.NotNil(t, f.EndedAt)
	require.Equal(t, mei, f.Requester)
	require.Equal(t, 1, s.accepted())

	code, out := s.tool("check")
	require.Equal(t, exitDone, code, out)
	for _, want := range []string{"all 8 scopes are granted", "app token may open sockets", "appendonly is off", "cluster emr-m620", "task 5"} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "is not in the config", "all four clusters are")
	code, out = s.tool("policy", "--as", mei, "emr-m620 task +2 prepaid 1m")
	require.Equal(t, exitDone, code, out)
	require.Contains(t, out, "1 of finops")
	require.Contains(t, out, "1 of leads")
	require.Contains(t, out, "  ✓ prepaid matches: 1 of finops and 1 of leads — change.charge = \"prepaid\"\n       when change.charge == \"prepaid\"\n")
	require.Contains(t, out, "  ✗ scale-in does not match — change.delta = 2\n       when change.delta < 0\n")
	code, out = s.tool("flows", "show", f.ID)
	require.Equal(t, exitDone, code, out)
	require.Contains(t, out, `"state": "succeeded"`)

	start := time.Now()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-p.done, "exit code 0")
	require.Less(t, time.Since(start), 10*time.Second)
	for _, secret := range []string{cloudsim.DemoSecretKey, s.slack.AppToken(), s.slack.BotToken()} {
		require.NotContains(t, p.log.String(), secret)
	}
	require.Contains(t, p.log.String(), `"flow":"`+f.ID+`"`)
}

// A cluster that the credentials see and the config doesn't name is shown as
// config, and that config loads.
func TestCheckListsWhatTheConfigDoesNotName(t *testing.T) {
	s := newSite(t, func(text string) string {
		for _, name := range []string{"web", "web-edge", "analytics"} {
			i := strings.Index(text, "\n  "+name+":")
			end := i + 1 + strings.Index(text[i+1:], "\n  ")
			for strings.HasPrefix(text[end:], "\n   ") {
				next := strings.Index(text[end+1:], "\n")
				end += 1 + next
			}
			text = text[:i] + text[end:]
		}
		return text
	})
	code, out := s.tool("check")
	require.Equal(t, exitDone, code, out)
	require.Equal(t, 3, strings.Count(out, "is not in the config"), out)
	var blocks []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "          ") {
			blocks = append(blocks, strings.TrimPrefix(line, "        "))
		}
	}
	pasted := strings.Join(blocks, "")
	for _, want := range []string{"node_pool: np0123456789", "core: {}", "task: {}", cloudsim.DemoMRSCluster} {
		require.Contains(t, pasted, want)
	}
	require.NotContains(t, pasted, "master", "no command can change those")
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.config, []byte(strings.Replace(string(text), "\nclusters:\n", "\nclusters:\n"+pasted, 1)), 0o600))
	code, out = s.tool("check")
	require.Equal(t, exitDone, code, out)
	require.NotContains(t, out, "is not in the config")
}

// kill -9 at many moments of one flow's road: exactly one change, one notice a
// channel, one card.
func TestKillNineLosesNothingAndDoublesNothing(t *testing.T) {
	s := newSite(t, nil)
	_, err := s.clouds.Fault(cloudsim.Fault{Kind: cloudsim.LostAfter})
	require.NoError(t, err)
	p := s.start()
	s.ready()
	require.NoError(t, s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +2").Err)
	for i := range 5 {
		require.NoError(t, p.cmd.Process.Kill())
		<-p.done
		p = s.start()
		s.ready()
		pause := time.NewTimer(time.Duration(i*150) * time.Millisecond)
		<-pause.C
	}
	require.Eventually(t, func() bool { return s.notices("succeeded") == 2 }, 60*time.Second, 100*time.Millisecond)
	require.Equal(t, 1, s.accepted())
	cards := 0
	for _, m := range s.slack.Messages(opsRoom) {
		if m.Metadata != nil && m.Metadata.EventType == "scalebot_flow" {
			cards++
			require.Equal(t, "succeeded", m.Metadata.EventPayload["state"])
		}
	}
	require.Equal(t, 1, cards)
	require.Len(t, s.flows(), 1)
}

// Votes given while the bot is down count when it is back.
func TestVotesWhileTheBotIsDownCount(t *testing.T) {
	s := newSite(t, nil)
	p := s.start()
	s.ready()
	require.NoError(t, s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task -1").Err)
	card := func() *slacksim.Message {
		for _, m := range s.slack.Messages(opsRoom) {
			if m.Metadata != nil && m.Metadata.EventType == "scalebot_flow" {
				return &m
			}
		}
		return nil
	}
	require.Eventually(t, func() bool { return card() != nil }, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-p.done)
	require.NoError(t, s.slack.React(chen, opsRoom, card().TS, "white_check_mark"))
	s.start()
	require.Eventually(t, func() bool { return s.notices("succeeded") == 2 }, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, 1, s.accepted())
}

func TestRefusedTokensExitOne(t *testing.T) {
	s := newSite(t, func(text string) string { return strings.Replace(text, "${DEMO_BOT_TOKEN}", "xoxb-wrong", 1) })
	p := s.start()
	var exit *exec.ExitError
	require.ErrorAs(t, <-p.done, &exit)
	require.Equal(t, exitFailed, exit.ExitCode())
	require.Contains(t, p.log.String(), "scalebot check")
	require.NotContains(t, p.log.String(), "xoxb-wrong")
	code, out := s.tool("check")
	require.Equal(t, exitFailed, code, out)
	require.Contains(t, out, "FAIL  slack.bot_token")
}

func TestARedisThatEvictsIsRefused(t *testing.T) {
	r := redistest.Start(t, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "50mb")
	if !r.Real {
		t.Skip("the embedded Redis never evicts")
	}
	s := newSite(t, nil)
	s.env = append(s.env, "DEMO_REDIS=redis://"+r.Addr+"/0")
	p := s.start()
	var exit *exec.ExitError
	require.ErrorAs(t, <-p.done, &exit)
	require.Equal(t, exitFailed, exit.ExitCode())
	require.Contains(t, p.log.String(), "noeviction")
	code, out := s.tool("check")
	require.Equal(t, exitFailed, code, out)
}

func TestWrongCloudKeysNameTheAccount(t *testing.T) {
	s := newSite(t, func(text string) string { return strings.Replace(text, "${DEMO_KEY}", "wrong-key", 1) })
	s.start()
	s.ready()
	require.NoError(t, s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +1").Err)
	require.Eventually(t, func() bool {
		for _, e := range s.slack.DMs(mei) {
			if strings.Contains(e.Text, "data-gz") && strings.Contains(e.Text+string(e.Blocks), "scalebot check") {
				return true
			}
		}
		return false
	}, 15*time.Second, 50*time.Millisecond)
	require.EqualValues(t, "refused", s.flows()[0].State)
	code, out := s.tool("check")
	require.Equal(t, exitFailed, code)
	require.NotContains(t, out, "wrong-key")
}

func TestWithoutRedisNothingIsDone(t *testing.T) {
	s := newSite(t, nil)
	r := redistest.Start(t)
	proxy := newProxy(t, r.Addr)
	s.env = append(s.env, "DEMO_REDIS=redis://"+proxy.addr()+"/0")
	s.start()
	s.ready()
	proxy.cut()
	d := s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +1")
	require.NoError(t, d.Err, "answered within Slack's 3 s")
	require.NotNil(t, d.Ephemeral)
	require.Contains(t, strings.ToLower(d.Ephemeral.Text), "nothing was")
	require.Eventually(t, func() bool { return s.get("/readyz") == http.StatusServiceUnavailable }, 5*time.Second, 50*time.Millisecond)
	require.Equal(t, http.StatusOK, s.get("/healthz"))
	proxy.mend()
	s.ready()
	require.Zero(t, s.accepted())
}

// A frozen Redis still works off what it had received. Nobody may be told that
// nothing was done then, and what was recorded is told as soon as it can be seen.
func TestARequestInDoubtIsFoundOut(t *testing.T) {
	r := redistest.Start(t)
	if !r.Real {
		t.Skip("the embedded Redis can't be frozen")
	}
	s := newSite(t, nil)
	s.env = append(s.env, "DEMO_REDIS=redis://"+r.Addr+"/0")
	s.start()
	s.ready()
	require.NoError(t, s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +1").Err, "the scripts are loaded now")
	require.Eventually(t, func() bool { return s.notices("succeeded") == 2 }, 25*time.Second, 50*time.Millisecond)
	r.Signal(syscall.SIGSTOP)
	d := s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +2")
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "finding out")
	r.Signal(syscall.SIGCONT)
	told := func() bool {
		for _, e := range s.slack.Ephemerals(mei) {
			if strings.Contains(e.Text, "is recorded") && strings.Contains(e.Text, "task +2") || strings.Contains(e.Text, "not recorded after all") {
				return true
			}
		}
		return false
	}
	require.Eventually(t, told, 30*time.Second, 100*time.Millisecond)
}

// A probe must not kill a replica that only waits for its Redis.
func TestItWaitsForARedisThatIsNotThereYet(t *testing.T) {
	s := newSite(t, nil)
	r := redistest.Start(t)
	proxy := newProxy(t, r.Addr)
	proxy.cut()
	s.env = append(s.env, "DEMO_REDIS=redis://"+proxy.addr()+"/0")
	s.start()
	require.Eventually(t, func() bool { return s.get("/healthz") == http.StatusOK }, 15*time.Second, 20*time.Millisecond)
	require.Equal(t, http.StatusServiceUnavailable, s.get("/readyz"))
	require.Equal(t, http.StatusOK, s.get("/metrics"))
	proxy.mend()
	s.ready()
}

// proxy stands between the bot and its Redis and can be cut.
type proxy struct {
	l  net.Listener
	to string
	mu sync.Mutex
	on bool
	up []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{l: l, to: to, on: true}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			on := p.on
			p.mu.Unlock()
			if !on {
				c.Close()
				continue
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			p.mu.Lock()
			p.up = append(p.up, c, far)
			p.mu.Unlock()
			go func() { io.Copy(far, c); far.Close() }()
			go func() { io.Copy(c, far); c.Close() }()
		}
	}()
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = false
	for _, c := range p.up {
		c.Close()
	}
	p.up = nil
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = true
}
