package huaweimrs

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	hccore "github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	hcconfig "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	bss "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/bss/v2"
	mrs "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const (
	// rate is how often one key may call one API in a second, over all replicas.
	// The limits of MRS are not documented (reference section 9), those of BSS are
	// about 10; both stay far below what throttles.
	rate = 5
	// exchangeLimit bounds one HTTP exchange for callers without a deadline.
	exchangeLimit = 60 * time.Second
	// maxAnswer is far above any real answer (500 hosts are some 300 KB).
	maxAnswer = 16 << 20
)

// The addresses of the services that are the same in every region: the SDK's own
// for domestic accounts. International ones set price_endpoint to
// https://bss-intl.myhuaweicloud.com.
const (
	ownIAM = "https://iam.myhuaweicloud.com"
	ownBSS = "https://bss.myhuaweicloud.com"
)

// cloud is the cloud in the sentences that are the same for all.
var cloud = adapter.Cloud{EN: "Huawei Cloud", ZH: "华为云"}

type groupKey struct{ cluster, group string }

// group is one group of config, decoded.
type group struct {
	params  *params
	profile string
}

// provider is safe for concurrent use: everything but the credentials and what
// IAM was asked for is written once, in newProvider.
type provider struct {
	account   providers.Account
	env       providers.Env
	groups    map[groupKey]group
	creds     *credentials
	project   *lookup
	domain    *lookup
	transport http.RoundTripper
	limitName string // first parts of the limiter's name
	mrsURL    string
	iamURL    string
	bssURL    string
	scrub     adapter.Scrubber
}

var _ providers.Provider = (*provider)(nil)

// newProvider is called with a checked account, so its addresses are good; here
// they only get the form that the SDK reads.
func newProvider(a providers.Account, env providers.Env, groups map[groupKey]group) *provider {
	p := &provider{
		account: a, env: env, groups: groups,
		transport: newTransport(),
		project:   &lookup{given: a.ProjectID},
		domain:    &lookup{given: a.DomainID},
		limitName: adapter.LimitName(Name, a),
	}
	if p.mrsURL, _ = endpointOf(a.Endpoint); p.mrsURL == "" {
		p.mrsURL, _ = ownEndpoint(a.Region)
	}
	p.iamURL, _ = endpointOf(cmp.Or(a.IAMEndpoint, ownIAM))
	p.bssURL, _ = endpointOf(cmp.Or(a.PriceEndpoint, ownBSS))
	p.creds = newCredentials(a, p.transport)
	p.scrub.Add(a.KeyID.Reveal(), a.KeySecret.Reveal())
	return p
}

func newTransport() http.RoundTripper {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t := base.Clone() // the SDK's own would ignore the proxy of the environment
	// A kept connection that the cloud has just closed would put a change in doubt
	// that nobody ever saw, and makes Go's transport repeat a read by itself. The
	// calls are few, so each has a connection of its own.
	t.DisableKeepAlives = true
	// One request per connection at a time: the proof "not sent" rests on this
	// transport's order of events, and HTTP/2 has a pool and repeats of its own.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

// exchange is one call: how the transport sees it, and what it saw.
type exchange struct {
	action    string
	write     bool
	ctx       context.Context
	base      http.RoundTripper
	sent      atomic.Bool // a connection was handed to the request: bytes may have left
	requestID string      // the cloud's, from the answer's header
}

// RoundTrip binds the caller's context to the SDK's request: the SDK has no
// other place for it (reference section 1.3). Redirects are not followed by the
// SDK's client, so a change leaves this process once.
func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := x.base.RoundTrip(r.WithContext(x.ctx))
	if err != nil {
		return nil, err
	}
	x.requestID = adapter.Cut(resp.Header.Get("X-Request-Id"), 100)
	resp.Body = body{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

type body struct {
	io.Reader
	io.Closer
}

// service is where a call goes and which of the SDK's two kinds of credentials
// it signs with.
type service struct {
	url        string
	credential func(keys) (auth.ICredential, error)
	builder    func() *hccore.HcHttpClientBuilder
}

func (p *provider) mrsService(project string) service {
	return service{p.mrsURL, func(k keys) (auth.ICredential, error) {
		return basic.NewCredentialsBuilder().WithAk(k.id).WithSk(k.key).WithSecurityToken(k.token).WithProjectId(project).SafeBuild()
	}, mrs.MrsClientBuilder}
}

// iamService signs without a project: it is what IAM is asked for.
func (p *provider) iamService() service {
	return service{p.iamURL, func(k keys) (auth.ICredential, error) {
		return basic.NewCredentialsBuilder().WithAk(k.id).WithSk(k.key).WithSecurityToken(k.token).SafeBuild()
	}, hccore.NewHcHttpClientBuilder}
}

func (p *provider) bssService(domain string) service {
	return service{p.bssURL, func(k keys) (auth.ICredential, error) {
		return global.NewCredentialsBuilder().WithAk(k.id).WithSk(k.key).WithSecurityToken(k.token).WithDomainId(domain).SafeBuild()
	}, bss.BssClientBuilder}
}

// client is made per call with that call's keys and context, which costs no
// I/O. It has one address, since the SDK would turn to a second one by itself,
// and no timeout of its own: the context has it.
func (s service) client(k keys, x *exchange) (*hccore.HcHttpClient, error) {
	cred, err := s.credential(k)
	if err != nil {
		return nil, err
	}
	config := hcconfig.DefaultHttpConfig().WithTimeout(0).WithUserAgent("scalebot").WithHttpRoundTripper(x)
	return s.builder().WithCredential(cred).WithEndpoint(s.url).WithHttpConfig(config).SafeBuild()
}

// ask makes one MRS call in the account's project, which is looked up first
// where config does not name it.
func (p *provider) ask(ctx context.Context, action string, write bool, do func(*hccore.HcHttpClient) error) (requestID string, err error) {
	project, err := p.projectID(ctx)
	if err != nil {
		return "", err
	}
	return p.send(ctx, p.mrsService(project), action, write, do)
}

// send makes one call: rate, keys, client, classified error. do must build a
// new request and a new answer object, since the SDK's definitions hold them.
func (p *provider) send(ctx context.Context, s service, action string, write bool, do func(*hccore.HcHttpClient) error) (requestID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	if err := cloud.Wait(ctx, p.env.Limiter, p.limitName, action, rate); err != nil {
		return "", err
	}
	x := &exchange{action: action, write: write, base: p.transport}
	k, err := p.creds.get(ctx)
	if err != nil {
		return "", p.credentialError(x, err)
	}
	// The transport calls GotConn before it writes the first byte on any
	// connection. If it was never called, nothing left this process, whatever the
	// error says: a deadline that ends while dialling looks like one that ends
	// while waiting for the answer.
	x.ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { x.sent.Store(true) },
	})
	c, err := s.client(k, x)
	if err != nil {
		return "", p.credentialError(x, err)
	}
	if err := do(c); err != nil {
		return "", p.classify(x, k, err)
	}
	return x.requestID, nil
}
