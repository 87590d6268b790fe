package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
)

// apart runs a subcommand with its two outputs kept apart.
func (s *site) apart(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	path, err := binary()
	require.NoError(s.t, err)
	var out, errs bytes.Buffer
	cmd := exec.Command(path, append(args, "--config", s.config)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		require.NoError(s.t, err)
	}
	remedied(s.t, out.String())
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// remedied holds each failure of the doctor to what its summary promises: that the
// line says what to do.
func remedied(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "  FAIL  ") {
			require.Regexp(t, `[^.];\s\S.*\S`, line)
		}
	}
}

// sentence is stderr, which must be one line and nothing of a library's.
func sentence(t *testing.T, stderr string) string {
	t.Helper()
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	require.NotContains(t, stderr, ".go:")
	return stderr
}

const nobody = "127.0.0.1:1" // where nothing listens

func TestAFailureEndsWithASentenceThatSaysWhatToDo(t *testing.T) {
	t.Run("Redis is down", func(t *testing.T) {
		s := newSite(t, nil)
		s.env = append(s.env, "DEMO_REDIS=redis://"+nobody+"/0")
		for _, args := range [][]string{
			{"flows"}, {"flows", "--json"}, {"flows", "show", "F-AAAA"}, {"policy", "--as", mei, "emr-m620 task +1"}, {"policy", "--replay", "90d"},
			{"audit"}, {"audit", "--verify"},
		} {
			code, out, errs := s.apart(args...)
			require.Equal(t, exitFailed, code)
			require.Empty(t, out)
			require.Contains(t, sentence(t, errs), "check redis.url")
		}
	})
	t.Run("a check fails", func(t *testing.T) {
		s := newSite(t, nil)
		s.env = append(s.env, "DEMO_REDIS=redis://"+nobody+"/0")
		code, out, errs := s.apart("check")
		require.Equal(t, exitFailed, code)
		require.Contains(t, out, "FAIL  does not answer")
		require.Contains(t, out, "check redis.url")
		require.Equal(t, "1 check failed; see the line marked FAIL, which says what to do\n", errs)
		s.env = append(s.env, "DEMO_BOT_TOKEN=xoxb-wrong")
		code, _, errs = s.apart("check")
		require.Equal(t, exitFailed, code)
		require.Contains(t, sentence(t, errs), "checks failed; see the lines marked FAIL")
	})
	t.Run("everything in the config is a little wrong", func(t *testing.T) {
		s := newSite(t, func(text string) string {
			text = strings.Replace(text, "id: emr-m620\n", "id: emr-m620\n    requesters: {usergroups: [S0NOSUCH]}\n", 1)
			text = strings.Replace(text, "node_pool: np0123456789", "node_pool: npnosuch", 1)
			text = strings.Replace(text, "id: Cccfd68c474454665ace07efce9240000", "id: Cnosuch", 1)
			text = strings.Replace(text, "${DEMO_SK}", "wrong", 1)
			return strings.Replace(text, "  groups:\n    leads:", "  groups:\n    gone: {usergroups: [S0NOSUCH]}\n    leads:", 1)
		})
		s.slack.SetScopes("commands", "chat:write", "usergroups:read")
		code, out, _ := s.apart("check")
		require.Equal(t, exitFailed, code)
		for _, part := range []string{
			"FAIL  group gone can't be read: ", "below approvals.groups.gone, ", "usergroups:read", "FAIL  the requesters of cluster emr-m620 can't be read: ",
			"below clusters.emr-m620.requesters, ", "FAIL  scope users:read is missing: ", "FAIL  clusters can't be listed: ", "mrs:cluster:list", "accounts.mrs-n4",
			"FAIL  cluster web has no group workers (npnosuch) in the cloud; set clusters.web.groups.workers.node_pool to one that it has: np",
			"FAIL  cluster web-edge: ", "check clusters.web-edge.id (Cnosuch)", "cs:DescribeClusterDetail",
		} {
			require.Contains(t, out, part)
		}
	})
	t.Run("a record that can't be read is no Redis that is down", func(t *testing.T) {
		s := newSite(t, nil)
		p := s.start()
		s.ready()
		require.NoError(t, s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +1").Err)
		require.NoError(t, p.cmd.Process.Kill())
		<-p.done //nolint:errcheck // killed
		id := s.flows()[0].ID
		rdb := s.redis.Client(t)
		keys, err := rdb.Keys(t.Context(), "*"+id+"*").Result()
		require.NoError(t, err)
		spoilt := 0
		for _, k := range keys {
			if rdb.HExists(t.Context(), k, "j").Val() {
				require.NoError(t, rdb.HSet(t.Context(), k, "j", "{").Err())
				spoilt++
			}
		}
		require.Equal(t, 1, spoilt)
		for _, args := range [][]string{{"flows"}, {"flows", "show", id}, {"policy", "--replay", "90d"}} {
			code, _, errs := s.apart(args...)
			require.Equal(t, exitFailed, code)
			require.Contains(t, sentence(t, errs), "what is on record can't be read: ")
			require.NotContains(t, errs, "does not answer")
		}
	})
	t.Run("Slack is out of reach", func(t *testing.T) {
		s := newSite(t, func(text string) string { return strings.Replace(text, "${DEMO_SLACK}", "http://"+nobody+"/api/", 1) })
		start := time.Now()
		code, out, errs := s.apart("policy", "--as", mei, "emr-m620 task +1")
		require.Equal(t, exitFailed, code)
		require.Empty(t, out)
		require.Contains(t, sentence(t, errs), "check slack.api_url")
		require.Less(t, time.Since(start), 10*time.Second)
	})
	t.Run("nobody of that name", func(t *testing.T) {
		code, _, errs := newSite(t, nil).apart("policy", "--as", "U0NOBODY", "emr-m620 task +1")
		require.Equal(t, exitFailed, code)
		require.Contains(t, sentence(t, errs), "--as takes the id of a member")
	})
	t.Run("a request that can't be read", func(t *testing.T) {
		code, _, errs := newSite(t, nil).apart("policy", "--as", mei, "emr-m620 tsak +1 -- a < b")
		require.Equal(t, exitUsage, code)
		require.Contains(t, sentence(t, errs), "did you mean: emr-m620 task +1 -- a < b")
	})
	t.Run("a request beyond the limits", func(t *testing.T) {
		code, _, errs := newSite(t, nil).apart("policy", "--as", mei, "emr-m620 task +11 prepaid 1m")
		require.Equal(t, exitFailed, code)
		require.Contains(t, sentence(t, errs), "/scale emr-m620 task +10 prepaid 1m")
	})
}

// Mei lives in Shanghai; a time of day in her request is meant there, wherever
// the tool runs.
func TestPolicyReadsATimeInTheZoneOfThePerson(t *testing.T) {
	s := newSite(t, nil)
	s.env = append(s.env, "TZ=UTC")
	at := func(d time.Duration) string { return time.Now().UTC().Add(d).Format("2006-01-02T15:04") }
	code, _, errs := s.apart("policy", "--as", mei, "emr-m620 task +1 at "+at(time.Hour))
	require.Equal(t, exitFailed, code)
	require.Contains(t, sentence(t, errs), "already passed", "seven hours ago in Shanghai")
	code, out, errs := s.apart("policy", "--as", mei, "emr-m620 task +1 at "+at(9*time.Hour))
	require.Equal(t, exitDone, code, out+errs)
}

// A bot whose token is revoked while it runs is of no use: the process ends and
// says so.
func TestATokenRevokedLaterExitsOne(t *testing.T) {
	s := newSite(t, nil)
	p := s.start()
	s.ready()
	for _, method := range []string{"auth.test", "chat.postMessage", "chat.update", "usergroups.list"} {
		s.slack.Fail(method, slacksim.Fault{Kind: slacksim.APIError, Code: "token_revoked", Times: slacksim.Forever})
	}
	s.slack.EmitEvent(map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"bot": []string{"U0SCALEBOT"}}})
	var err error
	select {
	case err = <-p.done:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the process goes on")
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, exitFailed, exit.ExitCode())
	lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	last := lines[len(lines)-1]
	require.Contains(t, last, "token_revoked")
	require.Contains(t, last, "scalebot check")
	require.NotContains(t, last, "{", "a sentence and no log line")
}

// What a troubled Redis makes its client library say comes as lines of our log.
func TestTheLogIsOurs(t *testing.T) {
	s := newSite(t, nil)
	s.env = append(s.env, "DEMO_REDIS=redis+sentinel://"+nobody+"/none")
	p := s.start()
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "redis client") }, 15*time.Second, 20*time.Millisecond)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	<-p.done
	for line := range strings.Lines(p.log.String()) {
		require.True(t, strings.HasPrefix(line, "{"), line)
	}
}

func TestTokensOfTwoAppsFailTheCheck(t *testing.T) {
	s := newSite(t, nil)
	slack, err := url.Parse(s.slack.APIURL())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: slack.Scheme, Host: slack.Host})
	proxy.ModifyResponse = func(r *http.Response) error {
		if !strings.HasSuffix(r.Request.URL.Path, "/bots.info") {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		body = bytes.ReplaceAll(body, []byte("A0SCALEBOT"), []byte("A0OTHERBOT"))
		r.Body = io.NopCloser(bytes.NewReader(body))
		return err
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	s.env = append(s.env, "DEMO_SLACK="+front.URL+"/api/")
	code, out, _ := s.apart("check")
	require.Equal(t, exitFailed, code, out)
	require.Contains(t, out, "FAIL  the tokens are of two apps")
	require.Contains(t, out, "A0OTHERBOT")
}

// Every command counts, also those that make no flow.
func TestTheCapsHoldForEveryCommand(t *testing.T) {
	s := newSite(t, func(text string) string {
		return strings.Replace(text, "approvals:", "limits: {commands_per_user_per_minute: 3}\napprovals:", 1)
	})
	s.start()
	s.ready()
	limited := 0
	for range 8 { // more than one minute's share, also when the minute turns in between
		d := s.slack.Slash(mei, opsRoom, "/scale", "list")
		require.NoError(t, d.Err)
		if strings.Contains(d.Ephemeral.Text, "a lot of commands") {
			limited++
		}
	}
	require.GreaterOrEqual(t, limited, 2)
	require.Contains(t, s.slack.Slash(mei, opsRoom, "/scale", "emr-m620 task +1").Ephemeral.Text, "a lot of commands")
	require.NotContains(t, s.slack.Slash(chen, opsRoom, "/scale", "list").Ephemeral.Text, "a lot of commands")
}

// What config warns of is told once, whoever else could say it too.
func TestMissingRulesAreWarnedOfOnce(t *testing.T) {
	s := newSite(t, func(text string) string {
		before, rest, ok := strings.Cut(text, "  rules:\n")
		require.True(t, ok)
		for strings.HasPrefix(rest, "    - ") {
			_, rest, _ = strings.Cut(rest, "\n")
		}
		return before + rest
	})
	code, out, errs := s.apart("check", "--offline")
	require.Equal(t, exitDone, code, errs)
	require.Equal(t, 1, strings.Count(out, "every change will be refused"), out)
}
