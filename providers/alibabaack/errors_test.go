package alibabaack

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alibabacloud-go/tea/tea"
	aliyun "github.com/aliyun/credentials-go/credentials"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/providertest"
)

// Every code of the reference has the class that it gives it, on the wire and
// not only in the table; one that nobody lists is judged by its status.
func TestCodes(t *testing.T) {
	const u, r, f, n, a, o = providers.Unknown, providers.Retry, providers.Refused, providers.NotFound, providers.Auth, providers.Occupied
	for _, tc := range []struct {
		status      int
		code        string
		write, read providers.Kind
		ask         providers.Kind
	}{
		{404, "ErrorClusterNotFound", n, n, n},
		{404, "ErrorNodePoolNotFound", n, n, n},
		{400, "ErrorClusterState", o, r, r},
		{409, "ErrClusterState", o, r, r},
		{403, "Forbidden", a, a, a},
		{403, "Forbidden.RAM", a, a, a},
		{403, "NoPermission", a, a, a},
		{403, "StatusForbidden", a, a, a},
		{404, "InvalidAccessKeyId.NotFound", a, a, a},
		{400, "SignatureDoesNotMatch", a, a, a},
		{400, "InvalidSecurityToken.Expired", a, a, a},
		{400, "Throttling", r, r, r},
		{400, "Throttling.User", r, r, r},
		{503, "Throttling.Api", r, r, r},
		{429, "Rejected.Throttling", r, r, r},
		{503, "ServiceUnavailable", u, r, r},
		{500, "InternalError", u, r, r},
		{400, "QuotaExceeded.Node", f, r, f},
		{400, "QuotaExceed.ElasticQuota", f, r, f},
		{400, "InvalidVSwitchId.IpNotEnough", f, r, f},
		{403, "OperationDenied.NoStock", f, r, f},
		{400, "NoInstanceStock", f, r, f},
		{400, "InvalidInstanceType.NotSupported", f, r, f},
		{400, "InvalidPayMethod", f, r, f},
		{400, "InvalidAccountStatus.NotEnoughBalance", f, r, f},
		{400, "InvalidParameter", f, r, f},
		{400, "InvalidParameter.Count", f, r, f},
		{400, "MissingParameter.KeyPair", f, r, f},
		{400, "SignatureNonceUsed", u, r, r},
		// By status alone.
		{400, "SomethingNew", f, r, f},
		{401, "SomethingNew", a, a, a},
		{403, "", a, a, a},
		{404, "SomethingNew", n, n, n},
		{408, "SomethingNew", u, r, r},
		{429, "", r, r, r},
		{500, "SomethingNew", u, r, r},
		{502, "", u, r, r},
		// A refusal that came as a fault may have come after the change was taken.
		{500, "ErrorClusterNotFound", u, n, n},
		{500, "InvalidParameter", u, r, f},
		{503, "ErrorClusterState", u, r, r},
	} {
		t.Run(tc.code+" "+http.StatusText(tc.status), func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change("workers", 2))
			for _, action := range []string{"ScaleClusterNodePool", "DescribeClusterDetail", "CancelTask"} {
				b.always(action, fault(tc.status, tc.code))
			}
			b.task("T-1", `"state":"running"`)
			_, err := b.p.Submit(context.Background(), sub)
			require.Equal(t, tc.write, providers.KindOf(err))
			require.Len(t, b.of("ScaleClusterNodePool"), 1)
			requireOurs(t, err, tc.code)
			_, err = b.p.Observe(context.Background(), ref(sub.Change))
			require.Equal(t, tc.read, providers.KindOf(err))
			requireOurs(t, err, tc.code)
			if tc.read == a {
				require.Contains(t, providers.AdviceOf(err).EN, "Account ack-bj, action DescribeClusterDetail", "the person must learn whose keys may not do what")
			}
			err = b.p.Control(context.Background(), sub, providers.Operation{ID: "T-1"}, providers.Cancel)
			require.Equal(t, tc.ask, providers.KindOf(err))
			requireOurs(t, err, tc.code)
		})
	}
}

func requireOurs(t *testing.T, err error, code string) {
	t.Helper()
	providertest.Presentable(t, err, keyID, keySecret, password)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	require.Equal(t, "rid", e.RequestID, "ACK's request_id, which the SDK does not find")
	var sdk *tea.SDKError
	require.False(t, errors.As(err, &sdk), "the SDK's type leaks")
}

var oneOrTwoSentences = regexp.MustCompile(`^[A-Z][^\n]{10,240}\.$`)

func TestAdviceSaysWhatToDo(t *testing.T) {
	for code, r := range rules {
		require.Regexp(t, oneOrTwoSentences, r.advice.EN, code)
		require.True(t, strings.HasSuffix(r.advice.ZH, "。"), code)
		require.Contains(t, []providers.Kind{providers.Retry, providers.NotFound, providers.Auth}, r.read, "%s: the port's contract for reads", code)
	}
}

// What is broken on the way, for a change and for a read.
func TestTransport(t *testing.T) {
	for name, tc := range map[string]struct {
		say   answer
		write providers.Kind
	}{
		"closed without an answer": {answer{drop: true}, providers.Unknown},
		"a gateway's 502 page":     {answer{status: 502, body: "<html>" + strings.Repeat("no ", 10_000) + keySecret + "</html>"}, providers.Unknown},
		"502 with nothing":         {answer{status: 502}, providers.Unknown},
		"503 with a list":          {answer{status: 503, body: `[]`}, providers.Unknown},
		"400 with nothing":         {answer{status: 400}, providers.Unknown},
		"400 with null":            {answer{status: 400, body: `null`}, providers.Unknown},
		"200 with nothing":         {answer{}, providers.Unknown},
		"200 with empty JSON":      {answer{body: `{}`}, providers.Unknown},
		"200 with an error":        {answer{body: `{"code":"InvalidParameter","message":"no"}`}, providers.Unknown},
		"200 with an empty task":   {answer{body: `{"task_id":" "}`}, providers.Unknown},
		"200 with a list":          {answer{body: `[{"task_id":"T-1"}]`}, providers.Unknown},
		"204":                      {answer{status: 204}, providers.Unknown},
		"302 to nowhere":           {answer{status: 302}, providers.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change("workers", 2))
			b.always("ScaleClusterNodePool", tc.say)
			b.always("DescribeClusterDetail", tc.say)
			_, err := b.p.Submit(context.Background(), sub)
			require.Equal(t, tc.write, providers.KindOf(err))
			require.Len(t, b.of("ScaleClusterNodePool"), 1)
			providertest.Presentable(t, err, keyID, keySecret)
			_, err = b.p.Observe(context.Background(), ref(sub.Change))
			require.Equal(t, providers.Retry, providers.KindOf(err))
			providertest.Presentable(t, err, keyID, keySecret)
		})
	}
}

// A call that its caller gave up goes on in the SDK: of a change nothing is
// known, and its answer, when it comes, disturbs nobody.
func TestAbandonedCalls(t *testing.T) {
	for action, want := range map[string]providers.Kind{"ScaleClusterNodePool": providers.Unknown, "DescribeClusterDetail": providers.Retry} {
		t.Run(action, func(t *testing.T) {
			b := newBench(t)
			sub := b.submission(t, change("workers", 2))
			a := answer{body: `{"task_id":"T-late","state":"running"}`, hold: make(chan struct{}), reached: make(chan struct{})}
			b.next(action, a)
			ctx, cancel := context.WithCancel(context.Background())
			errs := make(chan error, 1)
			go func() {
				var err error
				if want == providers.Unknown {
					_, err = b.p.Submit(ctx, sub)
				} else {
					_, err = b.p.Observe(ctx, ref(sub.Change))
				}
				errs <- err
			}()
			<-a.reached
			cancel()
			err := <-errs
			require.Equal(t, want, providers.KindOf(err))
			require.ErrorIs(t, err, context.Canceled)
			providertest.Presentable(t, err, keyID, keySecret)
			close(a.hold)
		})
	}
}

// What never left the process is certainly not accepted.
func TestNotSent(t *testing.T) {
	sub := newBench(t).submission(t, change("workers", 2))
	at := func(endpoint string) *bench {
		return newBench(t, func(a *providers.Account, _ *providers.Env) { a.Endpoint = endpoint })
	}
	t.Run("connection refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := l.Addr().String()
		require.NoError(t, l.Close())
		_, err = at("http://"+addr).p.Submit(context.Background(), sub)
		require.Equal(t, providers.Retry, providers.KindOf(err))
		require.Contains(t, providers.AdviceOf(err).EN, "can't be reached")
		providertest.Presentable(t, err, keyID, keySecret)
	})
	t.Run("untrusted certificate", func(t *testing.T) {
		s := httptest.NewUnstartedServer(newFake(t))
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that must fail
		s.StartTLS()
		defer s.Close()
		_, err := at(s.URL).p.Submit(context.Background(), sub)
		require.Equal(t, providers.Retry, providers.KindOf(err))
		require.Contains(t, providers.AdviceOf(err).EN, "certificate")
	})
	t.Run("a context that has ended", func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := b.p.Submit(ctx, sub)
		require.Equal(t, providers.Retry, providers.KindOf(err))
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, b.of("ScaleClusterNodePool"))
	})
	t.Run("no rate left", func(t *testing.T) {
		lim := &limiter{err: errors.New("redis is down")}
		b := newBench(t, func(_ *providers.Account, e *providers.Env) { e.Limiter = lim })
		_, err := b.p.Submit(context.Background(), sub)
		require.Equal(t, providers.Retry, providers.KindOf(err))
		require.ErrorIs(t, err, lim.err)
		require.Empty(t, b.of("ScaleClusterNodePool"))
		providertest.Presentable(t, err, keyID, keySecret)
	})
}

// Every call ends by itself and is made once, whatever it is.
func TestCallsAreBoundedAndSingle(t *testing.T) {
	p := newBench(t).p.(*provider)
	for m, limit := range map[mode]time.Duration{read: readLimit, ask: readLimit, write: writeLimit} {
		w, err := p.newWire(exchange{"X", m, rate}, keys{"a", "b", "c"}, p.ack)
		require.NoError(t, err)
		require.Nil(t, w.options.Autoretry)
		have := w.client.ReadTimeout
		if w.options.ReadTimeout != nil {
			have = w.options.ReadTimeout
		}
		require.Equal(t, int(limit.Milliseconds()), value(have))
		require.NotSame(t, w.fresh(), w.fresh(), "the SDK writes to a config")
	}
	require.NotEqual(t, readLimit, writeLimit, "or changes and reads would share their connections")
}

// A change has a connection of its own, so that one that was closed while it
// was kept can't put it in doubt; reads share theirs.
func TestChangesOpenTheirOwnConnection(t *testing.T) {
	b := newBench(t)
	b.always("ScaleClusterNodePool", ok(accepted))
	for range 3 {
		_, err := b.submit(t, change("workers", 2))
		require.NoError(t, err)
	}
	seen := map[string]bool{}
	for _, c := range b.of("ScaleClusterNodePool") {
		seen[c.remote] = true
	}
	require.Len(t, seen, 3)
	for _, c := range append(b.of("DescribeClusterDetail"), b.of("DescribeClusterTasks")...) {
		require.False(t, seen[c.remote])
	}
}

// The SDK follows redirects. A gateway that answers a change with 307 has not
// carried it out, so it is carried out once, where the redirect leads.
func TestRedirect(t *testing.T) {
	b := newBench(t)
	sub := b.submission(t, change("workers", 2))
	b.next("ScaleClusterNodePool", answer{status: http.StatusTemporaryRedirect, location: "/clusters/c1/nodepools/np1"}, answer{drop: true})
	_, err := b.p.Submit(context.Background(), sub)
	require.Equal(t, providers.Unknown, providers.KindOf(err))
}

type limiter struct {
	names []string
	rates map[string]int
	err   error
}

func (l *limiter) Wait(_ context.Context, name string, perSecond int) error {
	l.names = append(l.names, name)
	if l.rates == nil {
		l.rates = map[string]int{}
	}
	l.rates[name[strings.LastIndexByte(name, '/')+1:]] = perSecond
	return l.err
}

func TestRateIsPerKeyAndAction(t *testing.T) {
	lim := &limiter{}
	with := func(name, id string) *bench {
		return newBench(t, func(a *providers.Account, e *providers.Env) {
			e.Limiter, a.Name, a.KeyID = lim, name, providers.Secret(id)
		})
	}
	for _, b := range []*bench{with("one", "LTAI1111"), with("two", "LTAI1111"), with("three", "LTAI2222")} {
		b.observe(t, change("workers", 1))
	}
	require.Len(t, lim.names, 12)
	require.Equal(t, lim.names[:4], lim.names[4:8], "one key has one allowance, whatever config calls it")
	require.NotEqual(t, lim.names[0], lim.names[8])
	for _, n := range lim.names {
		require.True(t, strings.HasPrefix(n, "alibaba-ack/"))
		require.NotContains(t, n, "LTAI")
	}
	b := with("one", "LTAI1111")
	b.always("DescribePrice", ok(priceAnswer("1.00", "CNY")))
	b.task("T-1", `"state":"running"`)
	sub := b.submission(t, change("workers", 1))
	_, err := b.p.Quote(context.Background(), sub.Change, sub.Baseline)
	require.NoError(t, err)
	_, err = b.p.Follow(context.Background(), sub, providers.Operation{ID: "T-1"})
	require.NoError(t, err)
	require.Equal(t, 8, lim.rates["DescribePrice"], "ECS documents 500 a minute")
	require.Equal(t, 5, lim.rates["DescribeTaskInfo"])
	require.Equal(t, 10, lim.rates["DescribeClusterNodes"])
}

// chain is an SDK chain of credentials under the test's control.
type chain struct {
	calls chan struct{}
	free  chan struct{}
	id    string
	err   error
}

func (c *chain) GetCredential() (*aliyun.CredentialModel, error) {
	c.calls <- struct{}{}
	<-c.free
	if c.err != nil {
		return nil, c.err
	}
	return &aliyun.CredentialModel{AccessKeyId: new(c.id), AccessKeySecret: new("rolekey"), SecurityToken: new("roletoken")}, nil
}

func TestDefaultCredentials(t *testing.T) {
	open := func(t *testing.T, c *chain) *bench {
		b := newBench(t, func(a *providers.Account, _ *providers.Env) { a.KeyID, a.KeySecret = "", "" })
		b.p.(*provider).creds.chain = func() (source, error) { return c, nil }
		return b
	}
	at := ref(change("workers", 1))
	t.Run("a hanging metadata address holds nobody, and is asked once", func(t *testing.T) {
		c := &chain{calls: make(chan struct{}, 50), free: make(chan struct{}), id: "STSrole"}
		b := open(t, c)
		for range 3 {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			_, err := b.p.Observe(ctx, at)
			cancel()
			require.Equal(t, providers.Retry, providers.KindOf(err))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		require.Len(t, c.calls, 1)
		close(c.free)
		_, err := b.p.Observe(context.Background(), at)
		require.NoError(t, err)
		h := b.of("DescribeClusterDetail")[0].header
		require.Equal(t, "roletoken", h.Get("X-Acs-Security-Token"))
		require.True(t, strings.HasPrefix(h.Get("Authorization"), "acs STSrole:"))
	})
	t.Run("a change is not in doubt while keys are searched", func(t *testing.T) {
		c := &chain{calls: make(chan struct{}, 50), free: make(chan struct{}), id: "STSrole"}
		sub := newBench(t).submission(t, change("workers", 2))
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		b := open(t, c)
		_, err := b.p.Submit(ctx, sub)
		require.Equal(t, providers.Retry, providers.KindOf(err))
		close(c.free)
	})
	t.Run("none to be found", func(t *testing.T) {
		c := &chain{calls: make(chan struct{}, 50), free: make(chan struct{}), err: errors.New("unable to get credentials from any of the providers")}
		close(c.free)
		_, err := open(t, c).p.Observe(context.Background(), at)
		require.Equal(t, providers.Auth, providers.KindOf(err))
		require.Contains(t, providers.AdviceOf(err).EN, "access_key_id")
		providertest.Presentable(t, err)
	})
	t.Run("keys of a role are scrubbed too", func(t *testing.T) {
		c := &chain{calls: make(chan struct{}, 50), free: make(chan struct{}), id: "STSrole"}
		close(c.free)
		b := open(t, c)
		b.always("DescribeClusterDetail", answer{status: 403, body: `{"Code":"InvalidSecurityToken.Mismatch","Message":"key STSrole with roletoken is not known","RequestId":"r"}`})
		_, err := b.p.Observe(context.Background(), at)
		require.Equal(t, providers.Auth, providers.KindOf(err))
		require.Contains(t, err.Error(), "[secret]")
		providertest.Presentable(t, err, "STSrole", "rolekey", "roletoken")
	})
}

// The password stands in the body of the edge form and of the worker form: an
// answer that echoes the request must not bring it into an error.
func TestEchoedPasswordsAreScrubbed(t *testing.T) {
	const odd = `He"llo<&>\1x`
	p := edgeParams()
	p["login_password"] = odd
	b := newBench(t, withParams("edge", p))
	b.clusterWith("running", `"profile":"Edge"`, "")
	sub := b.submission(t, change("edge", 1))
	b.always("ScaleOutCluster", answer{status: 400, body: `{"code":"InvalidParameter","message":"bad request {\"login_password\":\"He\\\"llo<&>\\\\1x\"}","request_id":"rid"}`})
	_, err := b.p.Submit(context.Background(), sub)
	require.Equal(t, providers.Refused, providers.KindOf(err))
	require.Contains(t, err.Error(), "[secret]")
	providertest.Presentable(t, err, odd, `He\"llo`, `llo<&>`)
	require.Equal(t, odd, b.of("ScaleOutCluster")[0].body["login_password"])
}

// The SDK's decoding asserts types; a failed assertion is an answer that can't
// be read and not the end of the process.
func TestPanicOfTheSDK(t *testing.T) {
	p := newBench(t).p.(*provider)
	for m, want := range map[mode]providers.Kind{read: providers.Retry, write: providers.Unknown} {
		_, err := send(context.Background(), p, exchange{"X", m, rate}, func(*wire) (int, error) { panic("interface conversion") })
		require.Equal(t, want, providers.KindOf(err))
		require.ErrorContains(t, err, "interface conversion")
	}
}
