package tencentemr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	tccommon "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers"
)

const (
	// rate is what the service allows per API and second (document, section 1).
	rate = 20
	// exchangeLimit bounds one HTTP exchange for callers without a deadline; the
	// proofs in the package comment count on it.
	exchangeLimit = 60 * time.Second
	// credentialWait bounds the search for credentials for callers without a
	// deadline: outside a CVM the metadata address may never answer.
	credentialWait = 10 * time.Second
	// maxAnswer is far above any real answer (100 nodes are some 200 KB).
	maxAnswer = 16 << 20
)

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
	scrub     scrubber
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
		// Two accounts of config with one key share one allowance at the cloud.
		limitName: Name + "/" + a.Name,
	}
	if a.KeyID != "" {
		p.creds.static = &keys{id: a.KeyID.Reveal(), key: a.KeySecret.Reveal()}
		sum := sha256.Sum256([]byte(a.KeyID.Reveal()))
		p.limitName = Name + "/" + hex.EncodeToString(sum[:6])
	}
	p.scrub.add(a.KeyID.Reveal(), a.KeySecret.Reveal())
	for _, g := range groups {
		if pod := g.params.PodSpecInfo; pod != nil && pod.PodParameter != nil {
			p.scrub.add(value(pod.PodParameter.Config))
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

// credentials finds the keys of each call. The SDK's own providers read files
// and the metadata address without a context, so they run in one goroutine that
// callers wait for no longer than they want to; a second caller joins the
// first's search instead of starting another.
type credentials struct {
	static *keys
	source func() tccommon.Provider

	mu     sync.Mutex
	found  tccommon.CredentialIface
	search *search
}

type search struct {
	done chan struct{}
	keys keys
	err  error
}

var errCredentialsSlow = errors.New("the search for credentials (environment, profile file, instance role) takes too long")

func (c *credentials) get(ctx context.Context) (keys, error) {
	if c.static != nil {
		return *c.static, nil
	}
	c.mu.Lock()
	s := c.search
	if s == nil {
		s = &search{done: make(chan struct{})}
		c.search = s
		go c.run(s, c.found)
	}
	c.mu.Unlock()
	limit := time.NewTimer(credentialWait)
	defer limit.Stop()
	select {
	case <-s.done:
		return s.keys, s.err
	case <-ctx.Done():
		return keys{}, fmt.Errorf("%w: %w", errCredentialsSlow, ctx.Err())
	case <-limit.C:
		return keys{}, errCredentialsSlow
	}
}

// run reads the keys, asking the chain only once: what it found refreshes
// itself when it expires.
func (c *credentials) run(s *search, found tccommon.CredentialIface) {
	if found == nil {
		found, s.err = c.source().GetCredential()
	}
	if s.err == nil {
		s.keys.id, s.keys.key, s.keys.token = found.GetCredential()
		if s.keys.id == "" || s.keys.key == "" {
			s.err = errors.New("the credentials found are empty")
		}
	}
	c.mu.Lock()
	if s.err == nil {
		c.found = found
	}
	c.search = nil
	c.mu.Unlock()
	close(s.done)
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
	if err := p.wait(ctx, action); err != nil {
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

// wait keeps to the service's 20 calls a second per API, over all replicas.
// Without a limiter (tests, the doctor) nothing holds the caller back and the
// service's own throttling answers.
func (p *provider) wait(ctx context.Context, action string) error {
	if p.env.Limiter == nil {
		return nil
	}
	if err := p.env.Limiter.Wait(ctx, p.limitName+"/"+action, rate); err != nil {
		return &providers.Error{
			Kind: providers.Retry, Op: action, Err: fmt.Errorf("rate limit: %w", err),
			Advice: providers.Text{
				EN: "Too many calls to Tencent Cloud right now, so this one was not sent; it is tried again by itself.",
				ZH: "当前对腾讯云的调用过多，本次请求未发出，稍后会自动重试。",
			},
		}
	}
	return nil
}
