package tencentemr

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	tccommon "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const (
	// rate is what the service allows per API and second (document, section 1).
	rate = 20
	// exchangeLimit bounds one HTTP exchange for callers without a deadline; the
	// proofs in the package comment count on it.
	exchangeLimit = 60 * time.Second
	// maxAnswer is far above any real answer (100 nodes are some 200 KB).
	maxAnswer = 16 << 20
)

// cloud is the cloud in the sentences that are the same for all.
var cloud = adapter.Cloud{EN: "Tencent Cloud", ZH: "腾讯云"}

type groupKey struct{ cluster, group string }

// group is one group of config, decoded.
type group struct {
	params  *params
	profile string
}

// provider is safe for concurrent use: everything but the credentials is
// written once, in newProvider.
type provider struct {
	account   providers.Account
	env       providers.Env
	groups    map[groupKey]group
	creds     *credentials
	transport http.RoundTripper // for reads
	changes   http.RoundTripper
	limitName string // first parts of the limiter's name
	scheme    string
	host      string
	scrub     adapter.Scrubber
}

var _ providers.Provider = (*provider)(nil)

// newProvider is called with a checked account.
func newProvider(a providers.Account, env providers.Env, groups map[groupKey]group) *provider {
	scheme, host, _ := splitEndpoint(a.Endpoint) // checked by open
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t := base.Clone()
	t.MaxIdleConnsPerHost = 16
	t.IdleConnTimeout = 30 * time.Second
	// One request per connection at a time: the proof "not sent" rests on this
	// transport's order of events, and HTTP/2 has a pool and repeats of its own.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	// A kept connection that the cloud closes just as a change is written leaves the
	// change in doubt; one of its own is there for it alone.
	own := t.Clone()
	own.DisableKeepAlives = true
	p := &provider{
		account: a, env: env, groups: groups,
		creds:     &credentials{source: tccommon.DefaultProviderChain},
		transport: guard{t}, changes: guard{own},
		scheme: scheme, host: host,
		limitName: adapter.LimitName(Name, a),
	}
	if a.KeyID != "" {
		p.creds.static = &keys{id: a.KeyID.Reveal(), key: a.KeySecret.Reveal()}
	}
	p.scrub.Add(a.KeyID.Reveal(), a.KeySecret.Reveal())
	for _, g := range groups {
		if pod := g.params.PodSpecInfo; pod != nil && pod.PodParameter != nil {
			p.scrub.Add(value(pod.PodParameter.Config))
		}
	}
	return p
}

// guard keeps the exchange to one request and a bounded answer.
type guard struct{ base http.RoundTripper }

// RoundTrip takes the Location from redirects: Go would send a POST again to
// wherever a 307 points, and a change must leave this process once.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Location")
	resp.Body = body{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

type body struct {
	io.Reader
	io.Closer
}

// keys are the credentials of one call.
type keys struct{ id, key, token string }

// credentials finds the keys of each call.
type credentials struct {
	static *keys
	source func() tccommon.Provider
	search adapter.Search[keys]
	found  tccommon.CredentialIface // the search's own
}

func (c *credentials) get(ctx context.Context) (keys, error) {
	if c.static != nil {
		return *c.static, nil
	}
	return c.search.Get(ctx, c.find)
}

// find reads the keys, asking the chain only once: what it found refreshes itself
// when it expires.
func (c *credentials) find() (k keys, err error) {
	found := c.found
	if found == nil {
		if found, err = c.source().GetCredential(); err != nil {
			return keys{}, err
		}
	}
	k.id, k.key, k.token = found.GetCredential()
	if k.id == "" || k.key == "" {
		return keys{}, adapter.ErrNoCredentials
	}
	c.found = found
	return k, nil
}

// client is made per call with that call's keys; connections of reads are kept by
// the transport, which all share. Every way of the SDK to send twice is off: see
// reference section 1.4.
func (p *provider) client(k keys, write bool) (*emr.Client, error) {
	prof := profile.NewClientProfile()
	prof.HttpProfile.ReqMethod = http.MethodPost
	prof.HttpProfile.ReqTimeout = int(exchangeLimit / time.Second)
	prof.HttpProfile.Scheme = p.scheme
	prof.HttpProfile.Endpoint = p.host
	prof.Language = "en-US"
	prof.DisableRegionBreaker = true
	prof.NetworkFailureMaxRetries = 0
	prof.RateLimitExceededMaxRetries = 0
	prof.UnsafeRetryOnConnectionFailure = false
	c, err := emr.NewClient(tccommon.NewTokenCredential(k.id, k.key, k.token), p.account.Region, prof)
	if err != nil {
		return nil, err
	}
	c.WithHttpTransport(p.transport)
	if write {
		c.WithHttpTransport(p.changes)
	}
	return c, nil
}

// exchange says what one call is, for its errors.
type exchange struct {
	action string
	write  bool
	sent   bool // a connection was handed to the request: bytes may have left
}

// send makes one call: rate, keys, client, classified error. do must build a
// new request object (the SDK's keep the domain of their first send) and return
// errNoAnswer for an answer without content.
func (p *provider) send(ctx context.Context, action string, write bool, do func(context.Context, *emr.Client) error) error {
	x := exchange{action: action, write: write}
	if err := cloud.Wait(ctx, p.env.Limiter, p.limitName, action, rate); err != nil {
		return err
	}
	k, err := p.creds.get(ctx)
	if err != nil {
		return p.credentialError(x, err)
	}
	c, err := p.client(k, write)
	if err != nil {
		return p.credentialError(x, err)
	}
	// The transport calls GotConn before it writes the first byte on any
	// connection. If it was never called, nothing left this process, whatever
	// the error says. The SDK's error alone can't tell: a deadline that ends
	// while dialling looks like one that ends while waiting for the answer.
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	if err := do(traced, c); err != nil {
		x.sent = sent.Load()
		return p.classify(x, k, err)
	}
	return nil
}
