package huaweimrs

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
	"scalebot/providers/providertest"
)

// What never left the process is certainly not accepted.
func TestNotSent(t *testing.T) {
	sub := newBench(t, nil).submission(t, change("task", 2))
	at := func(endpoint string) *bench {
		return newBench(t, nil, func(a *providers.Account, _ *providers.Env) { a.Endpoint = endpoint })
	}
	t.Run("connection refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := l.Addr().String()
		require.NoError(t, l.Close())
		_, err = at("http://"+addr).p.Submit(context.Background(), sub)
		requireKind(t, providers.Retry, err)
		require.Contains(t, providers.AdviceOf(err).EN, "can't be reached")
		providertest.Presentable(t, err, accessKey, secretKey)
	})
	t.Run("untrusted certificate", func(t *testing.T) {
		s := httptest.NewUnstartedServer(newFake(t))
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that must fail
		s.StartTLS()
		defer s.Close()
		_, err := at(s.URL).p.Submit(context.Background(), sub)
		requireKind(t, providers.Retry, err)
		require.Contains(t, providers.AdviceOf(err).EN, "certificate")
	})
	t.Run("no rate left", func(t *testing.T) {
		lim := &limiter{err: errors.New("redis is down")}
		b := newBench(t, nil, func(_ *providers.Account, e *providers.Env) { e.Limiter = lim })
		_, err := b.p.Submit(context.Background(), sub)
		requireKind(t, providers.Retry, err)
		require.ErrorIs(t, err, lim.err)
		require.Empty(t, b.of(resize))
		providertest.Presentable(t, err, accessKey, secretKey)
	})
	t.Run("the rate held it up", func(t *testing.T) {
		var b *bench
		slow := limitFunc(func() { b.clock.set(noon.Add(adapter.SendWithin + time.Second)) })
		b = newBench(t, nil, func(_ *providers.Account, e *providers.Env) { e.Limiter = slow })
		_, err := b.p.Submit(context.Background(), sub)
		requireKind(t, providers.Retry, err)
		require.Contains(t, providers.AdviceOf(err).EN, "held up")
		require.Empty(t, b.of(resize))
	})
	t.Run("the search for credentials held it up", func(t *testing.T) {
		b := newBench(t, nil)
		b.p.(*provider).creds = &credentials{source: func() (*basic.Credentials, error) {
			b.clock.set(noon.Add(adapter.SendWithin + time.Second))
			return found(t, accessKey, secretKey, "", ""), nil
		}}
		_, err := b.p.Submit(context.Background(), sub)
		requireKind(t, providers.Retry, err)
		require.Contains(t, providers.AdviceOf(err).EN, "held up")
		require.Empty(t, b.of(resize))
	})
	t.Run("the look-up of the project held it up", func(t *testing.T) {
		var b *bench
		slow := limitFunc(func() { b.clock.set(noon.Add(adapter.SendWithin + time.Second)) })
		b = newBench(t, nil, func(_ *providers.Account, e *providers.Env) { e.Limiter = slow })
		b.p.(*provider).project.given = ""
		b.always(listProjects, ok(`{"projects":[{"id":"pid","name":"cn-north-4"}]}`))
		_, err := b.p.Submit(context.Background(), sub)
		requireKind(t, providers.Retry, err)
		require.Len(t, b.of(listProjects), 1)
		require.Empty(t, b.of(resize))
	})
	t.Run("the project can't be looked up", func(t *testing.T) {
		b := newBench(t, nil)
		b.p.(*provider).project.given = ""
		b.always(listProjects, answer{drop: true})
		_, err := b.p.Submit(context.Background(), sub)
		requireKind(t, providers.Retry, err, "a lost answer of IAM is no lost answer of the change")
		require.Empty(t, b.of(resize))
	})
}

// A scheme in capitals is the SDK's to misread, and a slash at the end.
func TestEndpointIsNormalised(t *testing.T) {
	b := newBench(t, nil)
	over := newBench(t, nil, func(a *providers.Account, _ *providers.Env) {
		a.Endpoint = strings.Replace(b.URL, "http://", "HTTP://", 1) + "/"
	})
	_, err := over.p.Observe(context.Background(), here)
	require.NoError(t, err)
	require.Len(t, b.of("ShowClusterDetails"), 1)
}

// Over TLS too a request goes out once, on HTTP/1.1, and what left counts as sent.
func TestOverTLS(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", 2))
	s := httptest.NewUnstartedServer(b.fake)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	over := newBench(t, nil, func(a *providers.Account, _ *providers.Env) { a.Endpoint = s.URL })
	tr := over.p.(*provider).transport.(*http.Transport)
	tr.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	tr.TLSClientConfig.NextProtos = nil
	defer tr.CloseIdleConnections()
	b.next(resize, answer{drop: true})
	_, err := over.p.Submit(context.Background(), sub)
	requireKind(t, providers.Unknown, err)
	_, err = over.p.Submit(context.Background(), sub)
	require.NoError(t, err)
	require.Len(t, b.of(resize), 2)
	require.Equal(t, 1, b.of(resize)[1].proto)
}

// The caller's deadline and cancellation reach the SDK's request, which knows no
// context.
func TestContextIsBound(t *testing.T) {
	b := newBench(t, nil)
	sub := b.submission(t, change("task", 2))
	hold := make(chan struct{})
	b.always(resize, answer{hold: hold})
	b.always("ShowClusterDetails", answer{hold: hold})
	for name, bound := range map[string]func() (context.Context, context.CancelFunc){
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 100*time.Millisecond)
		},
		"cancellation": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			stop := time.AfterFunc(100*time.Millisecond, cancel)
			return ctx, func() { stop.Stop(); cancel() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := bound()
			defer cancel()
			_, err := b.p.Submit(ctx, sub)
			requireKind(t, providers.Unknown, err)
			require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
			ctx, cancel2 := bound()
			defer cancel2()
			_, err = b.p.Observe(ctx, here)
			requireKind(t, providers.Retry, err)
		})
	}
	require.Len(t, b.of(resize), 2)
}

type limiter struct {
	names []string
	err   error
}

func (l *limiter) Wait(_ context.Context, name string, perSecond int) error {
	if perSecond != rate {
		return errors.New("another rate")
	}
	l.names = append(l.names, name)
	return l.err
}

// limitFunc lets everybody go, after something happened.
type limitFunc func()

func (f limitFunc) Wait(context.Context, string, int) error { f(); return nil }

func TestRateIsPerKeyAndAction(t *testing.T) {
	lim := &limiter{}
	with := func(name, id string) *bench {
		return newBench(t, nil, func(a *providers.Account, e *providers.Env) {
			e.Limiter, a.Name, a.KeyID = lim, name, providers.Secret(id)
		})
	}
	for _, b := range []*bench{with("one", "AK11111111"), with("two", "AK11111111"), with("three", "AK22222222")} {
		_, err := b.p.Observe(context.Background(), here)
		require.NoError(t, err)
	}
	require.Len(t, lim.names, 6)
	require.True(t, strings.HasSuffix(lim.names[0], "/ShowClusterDetails") && strings.HasSuffix(lim.names[1], "/ListHosts"))
	require.Equal(t, lim.names[:2], lim.names[2:4], "one key has one allowance, whatever config calls it")
	require.NotEqual(t, lim.names[0], lim.names[4])
	for _, n := range lim.names {
		require.True(t, strings.HasPrefix(n, "huawei-mrs/"))
		require.NotContains(t, n, "AK1")
	}
}

// source is a source of credentials under the test's control.
type source struct {
	calls chan struct{}
	free  chan struct{}
	cred  *basic.Credentials
	err   error
}

func (s *source) get() (*basic.Credentials, error) {
	s.calls <- struct{}{}
	<-s.free
	return s.cred, s.err
}

func found(t *testing.T, ak, sk, token, project string) *basic.Credentials {
	t.Helper()
	c, err := basic.NewCredentialsBuilder().WithAk(ak).WithSk(sk).WithSecurityToken(token).WithProjectId(project).SafeBuild()
	require.NoError(t, err)
	return c
}

func TestDefaultCredentials(t *testing.T) {
	open := func(t *testing.T, s *source) *bench {
		b := newBench(t, nil, func(a *providers.Account, _ *providers.Env) { a.KeyID, a.KeySecret = "", "" })
		b.p.(*provider).creds.source = s.get
		return b
	}
	t.Run("a hanging metadata address holds nobody, and is asked once", func(t *testing.T) {
		s := &source{calls: make(chan struct{}, 10), free: make(chan struct{}), cred: found(t, "AKofagency", "agencykey", "agencytoken", "")}
		b := open(t, s)
		for range 3 {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			_, err := b.p.Observe(ctx, here)
			cancel()
			requireKind(t, providers.Retry, err)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		require.Len(t, s.calls, 1)
		close(s.free)
		_, err := b.p.Observe(context.Background(), here)
		require.NoError(t, err)
		h := b.of("ShowClusterDetails")[0].header
		require.Equal(t, "agencytoken", h.Get("X-Security-Token"))
		require.Contains(t, h.Get("Authorization"), "Access=AKofagency,")
		require.Len(t, s.calls, 1, "what was found is kept")
	})
	t.Run("none to be found", func(t *testing.T) {
		s := &source{calls: make(chan struct{}, 10), free: make(chan struct{}), err: errors.New("unable to get credential in providers")}
		close(s.free)
		_, err := open(t, s).p.Observe(context.Background(), here)
		requireKind(t, providers.Auth, err)
		require.Contains(t, providers.AdviceOf(err).EN, "access_key")
		providertest.Presentable(t, err)
	})
	t.Run("an agency's keys are scrubbed too", func(t *testing.T) {
		s := &source{calls: make(chan struct{}, 10), free: make(chan struct{}), cred: found(t, "AKofagency", "agencykey", "agencytoken", "")}
		close(s.free)
		b := open(t, s)
		b.always("ShowClusterDetails", answer{status: 401, body: `{"error_code":"APIGW.0301","error_msg":"AKofagency and agencytoken"}`})
		_, err := b.p.Observe(context.Background(), here)
		requireKind(t, providers.Auth, err)
		require.ErrorContains(t, err, "[secret]")
		providertest.Presentable(t, err, "AKofagency", "agencykey", "agencytoken")
	})
	t.Run("their project goes before IAM's", func(t *testing.T) {
		s := &source{calls: make(chan struct{}, 10), free: make(chan struct{}), cred: found(t, "AKofhost", "hostkey", "", "of-host")}
		close(s.free)
		b := open(t, s)
		b.p.(*provider).project.given = ""
		_, err := b.p.Observe(context.Background(), here)
		require.NoError(t, err)
		require.Equal(t, "/v1.1/of-host/cluster_infos/cid", b.of("ShowClusterDetails")[0].path)
		require.Empty(t, b.of(listProjects))
	})
	t.Run("the environment and the profile file", func(t *testing.T) {
		t.Setenv("HUAWEICLOUD_SDK_AK", "AKofenv")
		t.Setenv("HUAWEICLOUD_SDK_SK", "envkey")
		c, err := chain()
		require.NoError(t, err)
		require.Equal(t, "AKofenv", c.AK)

		t.Setenv("HUAWEICLOUD_SDK_AK", "")
		file := t.TempDir() + "/credentials"
		require.NoError(t, os.WriteFile(file, []byte("[basic]\nak = AKoffile\nsk = filekey\nproject_id = of-file\n"), 0o600))
		t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", file)
		c, err = chain()
		require.NoError(t, err)
		require.Equal(t, "AKoffile", c.AK)
		require.Equal(t, "of-file", c.ProjectId)
	})
}

// Without project_id IAM is asked once, in the SDK's own words, and odd answers
// are told apart from a project.
func TestProjectIsLookedUp(t *testing.T) {
	lookedUp := func(t *testing.T, say answer) *bench {
		b := newBench(t, nil)
		b.p.(*provider).project.given = ""
		b.always(listProjects, say)
		return b
	}
	b := lookedUp(t, ok(`{"projects":[{"id":"other","name":"cn-north-4_sub"},{"id":"right","name":"cn-north-4"}]}`))
	for range 2 {
		_, err := b.p.Observe(context.Background(), here)
		require.NoError(t, err)
	}
	require.Len(t, b.of(listProjects), 1)
	require.Equal(t, "name=cn-north-4", b.of(listProjects)[0].query.Encode())
	require.Equal(t, "/v1.1/right/cluster_infos/cid", b.of("ShowClusterDetails")[0].path)
	require.Equal(t, "right", b.of("ShowClusterDetails")[0].header.Get("X-Project-Id"))

	for name, tc := range map[string]struct {
		say  answer
		kind providers.Kind
	}{
		"none":              {ok(`{"projects":[]}`), providers.Auth},
		"no list":           {ok(`{}`), providers.Auth},
		"two of the name":   {ok(`{"projects":[{"id":"a","name":"cn-north-4"},{"id":"b","name":"cn-north-4"}]}`), providers.Auth},
		"one without an id": {ok(`{"projects":[{"name":"cn-north-4"}]}`), providers.Auth},
		"keys refused":      {answer{status: 401, body: `{"error":{"code":401,"message":"x"}}`}, providers.Auth},
		"away":              {answer{status: 503, body: `<html>`}, providers.Retry},
		"unreadable":        {ok(`{"projects":`), providers.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			b := lookedUp(t, tc.say)
			_, err := b.p.Observe(context.Background(), here)
			requireKind(t, tc.kind, err, "%v", err)
			require.Empty(t, b.of("ShowClusterDetails"), "a literal {project_id} would be sent")
			providertest.Presentable(t, err, accessKey, secretKey)
		})
	}
}
