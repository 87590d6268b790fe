package huaweimrs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	hcprovider "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/provider"
	hcconfig "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/impl"

	"scalebot/providers"
)

// credentialWait bounds the search for credentials for callers without a
// deadline, and each exchange of a refresh: outside an ECS the metadata address
// may never answer.
const credentialWait = 10 * time.Second

// keys are the credentials of one call.
type keys struct{ id, key, token, project string }

// credentials finds the keys of each call. The SDK's own sources read files and
// the metadata address without a context, and its refresh of an agency's or a
// federation's keys is not safe for two callers at once (reference section 1.2).
// So both run in one goroutine, for which callers wait no longer than they want
// to; a second caller joins the first's search instead of starting another.
type credentials struct {
	static *keys
	source func() (*basic.Credentials, error)
	client *impl.DefaultHttpClient // of a federation's refresh

	mu     sync.Mutex
	found  *basic.Credentials
	search *search
}

type search struct {
	done chan struct{}
	keys keys
	err  error
}

var (
	errCredentialsSlow = errors.New("the search for credentials (environment, profile file, instance agency) takes too long")
	errNoCredentials   = errors.New("the credentials found are empty")
)

func newCredentials(a providers.Account, transport http.RoundTripper) *credentials {
	c := &credentials{source: chain}
	if a.KeyID != "" {
		c.static = &keys{id: a.KeyID.Reveal(), key: a.KeySecret.Reveal()}
		return c
	}
	c.client = impl.NewDefaultHttpClient(hcconfig.DefaultHttpConfig().WithTimeout(credentialWait).WithHttpRoundTripper(transport))
	return c
}

// chain is the SDK's default chain. It is named in full because the chain that
// the client builder takes by itself looks for a section [basic.credentials] in
// the profile file, while the documents say [basic].
func chain() (*basic.Credentials, error) {
	found, err := hcprovider.BasicCredentialProviderChain().GetCredentials()
	if err != nil {
		return nil, err
	}
	c, ok := found.(*basic.Credentials)
	if !ok {
		return nil, fmt.Errorf("the credentials found are of another kind: %T", found)
	}
	return c, nil
}

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

// run reads the keys, asking the chain only once: what it found is refreshed
// before it expires.
func (c *credentials) run(s *search, found *basic.Credentials) {
	if found == nil {
		found, s.err = c.source()
	}
	if s.err == nil {
		s.err = found.ProcessSts(c.client)
	}
	if s.err == nil {
		s.keys = keys{id: found.AK, key: found.SK, token: found.SecurityToken, project: found.ProjectId}
		if s.keys.id == "" || s.keys.key == "" {
			s.err = errNoCredentials
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
