package tencentemr

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	tccommon "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/providertest"
)

// Every code of the document and of the reference has the class that they give
// it, on the wire and not only in the table.
func TestCodes(t *testing.T) {
	const u, r, f, n, a, o = providers.Unknown, providers.Retry, providers.Refused, providers.NotFound, providers.Auth, providers.Occupied
	for code, want := range map[string]struct{ write, read providers.Kind }{
		// The document, section 6: all eleven.
		"FailedOperation":                                {u, r},
		"FailedOperation.GetCvmConfigQuotaFailed":        {r, r},
		"InvalidParameter.InvalidInstanceChargeType":     {f, r},
		"InvalidParameter.InvalidInstanceType":           {f, r},
		"InvalidParameter.InvalidNodeFlag":               {f, r},
		"InvalidParameter.InvalidSoftDeployInfo":         {f, r},
		"ResourceInUse.InstanceInProcess":                {o, r},
		"ResourceInsufficient.DiskInsufficient":          {f, r},
		"ResourceInsufficient.InstanceInsufficient":      {f, r},
		"ResourceNotFound.InstanceNotFound":              {n, n},
		"ResourceUnavailable.ResourceSpecNotDefaultSpec": {f, r},
		// The reference, section 9.
		"FailedOperation.DuplicateOrderNotAllowed":          {u, r},
		"FailedOperation.GetTradeServerFailed":              {u, r},
		"FailedOperation.GetCvmServerFailed":                {u, r},
		"FailedOperation.GetCamRoleFailed":                  {u, r},
		"InvalidParameter.InvalidCount":                     {f, r},
		"InvalidParameter.InvalidNodeCount":                 {f, r},
		"InvalidParameter.InvalidTaskCount":                 {f, r},
		"InvalidParameter.InvalidCoreCount":                 {f, r},
		"InvalidParameter.InvalidClientToken":               {f, r},
		"InvalidParameter.InvalidResourceIds":               {n, n},
		"ResourceNotFound.CvmInstanceNotFound":              {n, n},
		"InvalidParameter.PayModeResourceNotMatch":          {f, r},
		"InvalidParameter.InvalidPaymode":                   {f, r},
		"InvalidParameter.InvalidTimeSpan":                  {f, r},
		"InvalidParameter.InvalidTimeUnit":                  {f, r},
		"ResourcesSoldOut":                                  {f, r},
		"ResourcesSoldOut.CvmSoldOut":                       {f, r},
		"ResourcesSoldOut.CbsSoldOut":                       {f, r},
		"ResourceNotFound.ClusterNotFound":                  {n, n},
		"ResourceUnavailable.ResourceSpecNotExist":          {f, r},
		"ResourceUnavailable.NotSupportClusterType":         {f, r},
		"LimitExceeded.BootstrapActionsNumLimitExceeded":    {f, r},
		"UnauthorizedOperation":                             {a, a},
		"UnauthorizedOperation.CheckCamAuth":                {a, a},
		"AuthFailure.UnauthorizedOperation":                 {a, a},
		"AuthFailure.SignatureExpire":                       {a, a},
		"AuthFailure.SecretIdNotFound":                      {a, a},
		"AuthFailure.SignatureFailure":                      {a, a},
		"AuthFailure.TokenFailure":                          {a, a},
		"AuthFailure.InvalidSecretId":                       {a, a},
		"InternalError":                                     {u, r},
		"InternalError.TradeCgwError":                       {u, r},
		"InternalError.WoodServerError":                     {u, r},
		"UnsupportedRegion":                                 {f, n},
		"NoSuchVersion":                                     {f, r},
		"InvalidAction":                                     {f, r},
		"ActionOffline":                                     {f, r},
		"MissingParameter":                                  {f, r},
		"UnknownParameter":                                  {f, r},
		"RequestLimitExceeded":                              {r, r},
		"RequestLimitExceeded.IPLimitExceeded":              {r, r},
		"RequestLimitExceeded.UinLimitExceeded":             {r, r},
		"RequestLimitExceeded.GlobalRegionUinLimitExceeded": {r, r},
		// A family's newcomer, and a code of no family.
		"InvalidParameter.InventedTomorrow": {f, r},
		"SomethingNew":                      {u, r},
	} {
		t.Run(code, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", 2))
			b.always("ScaleOutCluster", fault(code))
			b.always("DescribeInstances", fault(code))
			_, err := b.p.Submit(context.Background(), sub)
			require.Equal(t, want.write, providers.KindOf(err))
			require.Len(t, b.of("ScaleOutCluster"), 1)
			requireOurs(t, err, code)
			_, err = b.p.Observe(context.Background(), ref(sub.Change))
			require.Equal(t, want.read, providers.KindOf(err))
			requireOurs(t, err, code)
			if want.read == a {
				require.Contains(t, providers.AdviceOf(err).EN, "data-gz", "the person must learn whose keys are wrong")
			}
		})
	}
}

func requireOurs(t *testing.T, err error, code string) {
	t.Helper()
	providertest.Presentable(t, err, secretID, secretKey)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	require.Equal(t, "rid", e.RequestID)
	var sdk *tcerr.TencentCloudSDKError
	require.False(t, errors.As(err, &sdk), "the SDK's type leaks")
}

// The document in the tree and the table can't drift apart.
func TestDocumentsCodesAreInTheTable(t *testing.T) {
	raw, err := os.ReadFile("testdata/scale-out-codes.txt")
	require.NoError(t, err)
	codes := strings.Fields(string(raw))
	require.Len(t, codes, 11)
	for _, c := range codes {
		_, ok := rules[c]
		require.True(t, ok, c)
	}
}

var oneOrTwoSentences = regexp.MustCompile(`^[A-Z][^\n]{10,240}\.$`)

func TestAdviceSaysWhatToDo(t *testing.T) {
	for code, r := range rules {
		require.Regexp(t, oneOrTwoSentences, r.advice.EN, code)
		require.True(t, strings.HasSuffix(r.advice.ZH, "。"), code)
		if r.write != providers.Refused && r.write != providers.NotFound {
			require.Equal(t, provesNothing, r.proof, "%s: only a definite refusal proves anything", code)
		}
	}
}

// What is broken on the way, for a change and for a read.
func TestTransport(t *testing.T) {
	for name, tc := range map[string]struct {
		say   answer
		write providers.Kind
	}{
		"closed without an answer":  {answer{drop: true}, providers.Unknown},
		"a gateway's 502 page":      {answer{status: 502, body: "<html>" + strings.Repeat("no ", 10_000) + secretKey + "</html>"}, providers.Unknown},
		"503 with empty JSON":       {answer{status: 503, body: `{}`}, providers.Unknown},
		"200 with nothing":          {answer{}, providers.Unknown},
		"200 with empty JSON":       {answer{body: `{}`}, providers.Unknown},
		"200 with another shape":    {answer{body: `{"Response":{"FlowId":"x","TotalCnt":"x"}}`}, providers.Unknown},
		"500 with a business error": {answer{status: 500, body: fault("InvalidParameter").body}, providers.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", 2))
			b.always("ScaleOutCluster", tc.say)
			b.always("DescribeInstances", tc.say)
			_, err := b.p.Submit(context.Background(), sub)
			require.Equal(t, tc.write, providers.KindOf(err))
			require.Len(t, b.of("ScaleOutCluster"), 1)
			providertest.Presentable(t, err, secretID, secretKey)
			_, err = b.p.Observe(context.Background(), ref(sub.Change))
			require.Equal(t, providers.Retry, providers.KindOf(err))
			providertest.Presentable(t, err, secretID, secretKey)
		})
	}
}

// A change never goes out on a connection that the cloud may be closing: the lost
// answer would be a doubt that nobody needed.
func TestChangesOpenTheirOwnConnection(t *testing.T) {
	b := newBench(t, nil)
	b.always("TerminateClusterNodes", ok(`{"FlowId":4711,"RequestId":"r"}`))
	sub := b.submission(t, change("task", -1))
	_, err := b.p.Submit(context.Background(), sub)
	require.NoError(t, err)
	reads := map[string]bool{}
	for _, c := range append(b.of("DescribeInstances"), b.of("DescribeClusterNodes")...) {
		reads[c.remote] = true
	}
	require.Len(t, reads, 1, "the bench's reads share one")
	sent := b.of("TerminateClusterNodes")[0]
	require.NotContains(t, reads, sent.remote)
	_, err = b.p.Observe(context.Background(), ref(sub.Change))
	require.NoError(t, err)
	looks := b.of("DescribeInstances")
	require.NotEqual(t, sent.remote, looks[len(looks)-1].remote)
}

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
		require.Equal(t, providers.Retry, providers.KindOf(err))
		require.Contains(t, providers.AdviceOf(err).EN, "can't be reached")
		providertest.Presentable(t, err, secretID, secretKey)
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
	t.Run("no rate left", func(t *testing.T) {
		lim := &limiter{err: errors.New("redis is down")}
		b := newBench(t, nil, func(_ *providers.Account, e *providers.Env) { e.Limiter = lim })
		_, err := b.p.Submit(context.Background(), sub)
		require.Equal(t, providers.Retry, providers.KindOf(err))
		require.ErrorIs(t, err, lim.err)
		require.Empty(t, b.of("ScaleOutCluster"))
		providertest.Presentable(t, err, secretID, secretKey)
	})
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
	tr := over.p.(*provider).changes.(guard).base.(*http.Transport)
	tr.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	tr.TLSClientConfig.NextProtos = nil
	defer tr.CloseIdleConnections()
	b.next("ScaleOutCluster", answer{drop: true}, ok(accepted))
	_, err := over.p.Submit(context.Background(), sub)
	require.Equal(t, providers.Unknown, providers.KindOf(err))
	op, err := over.p.Submit(context.Background(), sub)
	require.NoError(t, err)
	require.Equal(t, "19239", op.ID)
	require.Len(t, b.of("ScaleOutCluster"), 2)
	require.Equal(t, 1, b.of("ScaleOutCluster")[1].proto)
}

type limiter struct {
	names []string
	err   error
}

func (l *limiter) Wait(_ context.Context, name string, perSecond int) error {
	if perSecond != 20 {
		return errors.New("the document allows 20")
	}
	l.names = append(l.names, name)
	return l.err
}

func TestRateIsPerKeyAndAction(t *testing.T) {
	lim := &limiter{}
	with := func(name, id string) *bench {
		return newBench(t, nil, func(a *providers.Account, e *providers.Env) {
			e.Limiter, a.Name, a.KeyID = lim, name, providers.Secret(id)
		})
	}
	for _, b := range []*bench{with("one", "AKID1111"), with("two", "AKID1111"), with("three", "AKID2222")} {
		_, err := b.p.Observe(context.Background(), providers.ClusterRef{Name: "m620", ID: "emr-m620"})
		require.NoError(t, err)
	}
	require.Len(t, lim.names, 6)
	require.True(t, strings.HasSuffix(lim.names[0], "/DescribeInstances") && strings.HasSuffix(lim.names[1], "/DescribeClusterNodes"))
	require.Equal(t, lim.names[:2], lim.names[2:4], "one key has one allowance, whatever config calls it")
	require.NotEqual(t, lim.names[0], lim.names[4])
	for _, n := range lim.names {
		require.True(t, strings.HasPrefix(n, "tencent-emr/"))
		require.NotContains(t, n, "AKID")
	}
}

// chain is an SDK provider of credentials under the test's control.
type chain struct {
	calls chan struct{}
	free  chan struct{}
	cred  tccommon.CredentialIface
	err   error
}

func (c *chain) GetCredential() (tccommon.CredentialIface, error) {
	c.calls <- struct{}{}
	<-c.free
	return c.cred, c.err
}

func TestDefaultCredentials(t *testing.T) {
	open := func(t *testing.T, c *chain) *bench {
		b := newBench(t, nil, func(a *providers.Account, _ *providers.Env) { a.KeyID, a.KeySecret = "", "" })
		b.p.(*provider).creds.source = func() tccommon.Provider { return c }
		return b
	}
	at := providers.ClusterRef{Name: "m620", ID: "emr-m620"}
	t.Run("a hanging metadata address holds nobody, and is asked once", func(t *testing.T) {
		c := &chain{calls: make(chan struct{}, 10), free: make(chan struct{}), cred: tccommon.NewTokenCredential("AKIDrole", "rolekey", "roletoken")}
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
		h := b.of("DescribeInstances")[0].header
		require.Equal(t, "roletoken", h.Get("X-TC-Token"))
		require.Contains(t, h.Get("Authorization"), "Credential=AKIDrole/")
		require.Len(t, c.calls, 1, "what was found is kept")
	})
	t.Run("none to be found", func(t *testing.T) {
		c := &chain{calls: make(chan struct{}, 10), free: make(chan struct{}), err: errors.New("no credential found in every providers")}
		close(c.free)
		_, err := open(t, c).p.Observe(context.Background(), at)
		require.Equal(t, providers.Auth, providers.KindOf(err))
		require.Contains(t, providers.AdviceOf(err).EN, "secret_id")
		providertest.Presentable(t, err)
	})
	t.Run("keys of a role are scrubbed too", func(t *testing.T) {
		c := &chain{calls: make(chan struct{}, 10), free: make(chan struct{}), cred: tccommon.NewTokenCredential("AKIDrole", "rolekey", "roletoken")}
		close(c.free)
		b := open(t, c)
		b.always("DescribeInstances", ok(`{"Error":{"Code":"AuthFailure.TokenFailure","Message":"key AKIDrole with roletoken is not known"}}`))
		_, err := b.p.Observe(context.Background(), at)
		require.Equal(t, providers.Auth, providers.KindOf(err))
		require.Contains(t, err.Error(), "[secret]")
		providertest.Presentable(t, err, "AKIDrole", "rolekey", "roletoken")
	})
}

// A kubeconfig in the params is a secret too, also where an answer echoes the
// request that carried it.
func TestEchoedParamsAreScrubbed(t *testing.T) {
	const config = `{"client-key-data":"kubesecret"}`
	b := newBench(t, map[string]any{"hardware_source_type": "POD", "pod_spec_info": map[string]any{"pod_parameter": map[string]any{"config": config}}})
	b.always("ScaleOutCluster", answer{status: 502, body: `<pre>{"Config":"{\"client-key-data\":\"kubesecret\"}"} ` + config + `</pre>`})
	_, err := b.submit(t, change("task", 1))
	require.Equal(t, providers.Unknown, providers.KindOf(err))
	providertest.Presentable(t, err, config, "kubesecret")
}
