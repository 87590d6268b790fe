package alibabaack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	cs "github.com/alibabacloud-go/cs-20151215/v5/client"
	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	util "github.com/alibabacloud-go/tea-utils/v2/service"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// The whole time of one HTTP exchange. The SDK has no limit of its own and no
// context, so a call that its caller gave up goes on for so long. The two differ
// because the SDK keeps one connection pool per timeout: see newWire.
const (
	readLimit  = 20 * time.Second
	writeLimit = 30 * time.Second
)

// rates are calls per second and account. ECS documents 500 DescribePrice a
// minute; ACK documents none, so these are ours. Tasks are polled by every
// running flow and get a share of their own.
const (
	rate      = 10
	priceRate = 8
	taskRate  = 5
)

const (
	csVersion  = "2015-12-15"
	ecsVersion = "2014-05-26"
	ensVersion = "2017-11-10"
	ensHost    = "ens.aliyuncs.com"
)

// cloud is the cloud in the sentences that are the same for all.
var cloud = adapter.Cloud{EN: "Alibaba Cloud", ZH: "阿里云"}

type groupKey struct{ cluster, group string }

// group is one group of config, decoded.
type group struct {
	form    form
	id      string // pool id, or allWorkers or ensWorkers
	params  params
	profile string
}

// provider is safe for concurrent use: everything but the credentials is
// written once, in newProvider.
type provider struct {
	account   providers.Account
	env       providers.Env
	groups    map[groupKey]group
	creds     *credentials
	limitName string // first parts of the limiter's name
	ack       address
	ecs       address
	ens       address
	scrub     adapter.Scrubber
}

var _ providers.Provider = (*provider)(nil)

// newProvider is called with a checked account.
func newProvider(a providers.Account, env providers.Env, groups map[groupKey]group) (*provider, error) {
	p := &provider{
		account: a, env: env, groups: groups,
		creds:     newCredentials(a),
		limitName: adapter.LimitName(Name, a),
	}
	p.scrub.Add(a.KeyID.Reveal(), a.KeySecret.Reveal())
	for _, g := range groups {
		p.scrub.Add(g.params.text("login_password"), g.params.text("user_data"))
	}
	own, err := cs.NewClient(&openapi.Config{RegionId: new(a.Region)})
	if err != nil {
		return nil, fmt.Errorf("account %s: region %s: %w", a.Name, a.Region, p.cause(keys{}, err))
	}
	for _, at := range []struct {
		to             *address
		endpoint, host string
	}{
		{&p.ack, a.Endpoint, *own.Endpoint},
		{&p.ecs, a.PriceEndpoint, "ecs." + a.Region + ".aliyuncs.com"},
		{&p.ens, a.PriceEndpoint, ensHost},
	} {
		if *at.to, err = addressOf(at.endpoint, at.host, http.ProxyFromEnvironment); err != nil {
			return nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
		p.scrub.Add(at.to.proxyPassword)
	}
	return p, nil
}

// address is where a service is and how it is reached.
type address struct {
	protocol, host string
	proxy          string // "" = direct
	proxyPassword  string
}

// addressOf settles the proxy here, by Go's own reading of the environment. The
// SDK's reading compares NO_PROXY as one exact host:port, sends even loopback
// through a proxy, and with a proxy that it can't parse (10.0.0.1:3128, without a
// scheme) fails the first call and hangs all later ones on a lock that it keeps
// (reference 1.3).
func addressOf(endpoint, host string, proxyOf func(*http.Request) (*url.URL, error)) (address, error) {
	protocol, own, err := splitEndpoint(endpoint)
	if err != nil {
		return address{}, err
	}
	at := address{protocol: protocol, host: host}
	if own != "" {
		at.host = own
	}
	scheme := "https"
	if protocol == "HTTP" {
		scheme = "http"
	}
	proxy, err := proxyOf(&http.Request{URL: &url.URL{Scheme: scheme, Host: at.host, Path: "/"}})
	if err != nil {
		// Its text holds the address, which may hold a password.
		return address{}, errors.New("the proxy in the environment (HTTPS_PROXY or HTTP_PROXY) is no address; correct or unset it")
	}
	if proxy != nil {
		at.proxy = proxy.String()
		if proxy.User != nil {
			at.proxyPassword, _ = proxy.User.Password()
		}
	}
	return at, nil
}

// config is made per client: the SDK writes to it.
func (p *provider) config(k keys, at address) *openapi.Config {
	c := &openapi.Config{
		AccessKeyId: new(k.id), AccessKeySecret: new(k.key),
		RegionId: new(p.account.Region), Endpoint: new(at.host), Protocol: new(at.protocol),
		ReadTimeout:  new(int(readLimit.Milliseconds())),
		MaxIdleConns: new(16),
	}
	if k.token != "" {
		c.SecurityToken = new(k.token)
	}
	if at.proxy == "" {
		c.NoProxy = new(at.host)
	} else {
		c.HttpProxy, c.HttpsProxy = new(at.proxy), new(at.proxy)
	}
	return c
}

// mode says what a lost answer to a call means.
type mode int

const (
	read  mode = iota // nothing can have happened: look again, even after a refusal
	ask               // a price, or a word to a running task: a refusal is an answer, a lost answer does no harm
	write             // a change of size: it may have happened
)

// exchange says what one call is, for its errors.
type exchange struct {
	action string
	mode   mode
	rate   int
}

// wire makes the SDK's calls of one exchange. The options are never shared and
// never have Autoretry, which would send a POST four times (reference 1.4).
type wire struct {
	client  *cs.Client
	fresh   func() *openapi.Config // for a client of another service at the same address
	headers map[string]*string
	options *util.RuntimeOptions
}

// newWire gives changes a connection of their own. A kept connection that the
// other side has just closed fails like a lost answer and would put a change in
// doubt for nothing; with Connection: close and a pool that nobody else uses,
// there is none to be kept.
func (p *provider) newWire(x exchange, k keys, at address) (*wire, error) {
	w := &wire{
		fresh:   func() *openapi.Config { return p.config(k, at) },
		headers: map[string]*string{}, options: &util.RuntimeOptions{},
	}
	if x.mode == write {
		w.headers["Connection"] = new("close")
		w.options.ReadTimeout = new(int(writeLimit.Milliseconds()))
	}
	var err error
	w.client, err = cs.NewClient(w.fresh())
	return w, err
}

// send makes one call of ACK: rate, keys, client, classified error.
func send[T any](ctx context.Context, p *provider, x exchange, do func(*wire) (T, error)) (T, error) {
	return sendTo(ctx, p, x, p.ack, do)
}

// sendTo runs the call beside the caller, because the SDK knows no context: when
// the context ends the wait is given up, and what then becomes of a change is in
// doubt until it shows.
func sendTo[T any](ctx context.Context, p *provider, x exchange, at address, do func(*wire) (T, error)) (T, error) {
	var none T
	if err := cloud.Wait(ctx, p.env.Limiter, p.limitName, x.action, x.rate); err != nil {
		return none, err
	}
	k, err := p.creds.get(ctx)
	if err != nil {
		return none, p.credentialError(x, err)
	}
	w, err := p.newWire(x, k, at)
	if err != nil {
		return none, p.credentialError(x, err)
	}
	if err := ctx.Err(); err != nil {
		return none, p.notSent(x, err)
	}
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1) // an abandoned call must not wait for a reader
	go func() {
		var a answer
		defer func() {
			// The SDK asserts the types of what a cloud or a proxy sent. Here a
			// failed assertion would end the process and every other flow with it.
			if r := recover(); r != nil {
				a.err = fmt.Errorf("the SDK failed on the answer: %v", r)
			}
			done <- a
		}()
		a.value, a.err = do(w)
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return none, p.classify(x, k, a.err)
		}
		return a.value, nil
	case <-ctx.Done():
		return none, p.abandoned(x, k, ctx.Err())
	}
}
