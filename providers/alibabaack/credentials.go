package alibabaack

import (
	"context"

	aliyun "github.com/aliyun/credentials-go/credentials"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

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

// credentials finds the keys of each call.
type credentials struct {
	static *keys
	chain  func() (source, error)
	search adapter.Search[keys]
	found  source // the search's own
}

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
	return c.search.Get(ctx, c.find)
}

// find reads the keys, asking the chain only once.
func (c *credentials) find() (k keys, err error) {
	found := c.found
	if found == nil {
		if found, err = c.chain(); err != nil {
			return keys{}, err
		}
	}
	if k, err = keysOf(found); err != nil {
		return keys{}, err
	}
	c.found = found
	return k, nil
}

func keysOf(found source) (keys, error) {
	m, err := found.GetCredential()
	if err != nil {
		return keys{}, err
	}
	k := keys{id: value(m.AccessKeyId), key: value(m.AccessKeySecret), token: value(m.SecurityToken)}
	if k.id == "" || k.key == "" {
		return keys{}, adapter.ErrNoCredentials
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
