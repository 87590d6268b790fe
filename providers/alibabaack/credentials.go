package alibabaack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	aliyun "github.com/aliyun/credentials-go/credentials"

	"scalebot/providers"
)

// credentialWait bounds the search for credentials for callers without a
// deadline: outside an ECS machine the metadata address may never answer.
const credentialWait = 10 * time.Second

// keys are the credentials of one call.
type keys struct{ id, key, token string }

// source is the part of the SDK's credentials that is used. What the chain found
// renews itself when it expires.
type source interface {
	GetCredential() (*aliyun.CredentialModel, error)
}

// defaultChain is the SDK's: environment, OIDC token of a pod, profile, file,
// instance role, URI (reference 1.2).
func defaultChain() (source, error) { return aliyun.NewCredential(nil) }

// credentials finds the keys of each call. The SDK's chain reads files and the
// metadata address without a context, so it runs in one goroutine that callers
// wait for no longer than they want to; a second caller joins the first's search
// instead of starting another. The keys are known before a change is sent, so a
// search that takes too long puts no change in doubt.
type credentials struct {
	static *keys
	chain  func() (source, error)

	mu     sync.Mutex
	found  source
	search *search
}

type search struct {
	done chan struct{}
	keys keys
	err  error
}

var errCredentialsSlow = errors.New("the search for credentials (environment, profile file, instance role) takes too long")

func newCredentials(a providers.Account) *credentials {
	c := &credentials{chain: defaultChain}
	if a.KeyID != "" {
		c.static = &keys{id: a.KeyID.Reveal(), key: a.KeySecret.Reveal()}
	}
	return c
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

func (c *credentials) run(s *search, found source) {
	if found == nil {
		found, s.err = c.chain()
	}
	if s.err == nil {
		s.keys, s.err = keysOf(found)
	}
	c.mu.Lock()
	if s.err == nil {
		c.found = found
	}
	c.search = nil
	c.mu.Unlock()
	close(s.done)
}

func keysOf(found source) (keys, error) {
	m, err := found.GetCredential()
	if err != nil {
		return keys{}, err
	}
	k := keys{id: value(m.AccessKeyId), key: value(m.AccessKeySecret), token: value(m.SecurityToken)}
	if k.id == "" || k.key == "" {
		return keys{}, errors.New("the credentials found are empty")
	}
	return k, nil
}

// value reads a pointer of the SDK; nil is the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
