package huaweimrs

import (
	"context"
	"fmt"
	"net/http"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	hcprovider "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/provider"
	hcconfig "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/impl"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// keys are the credentials of one call.
type keys struct{ id, key, token, project string }

// credentials finds the keys of each call. The SDK's refresh of an agency's or a
// federation's keys is not safe for two callers at once (reference section 1.2); the
// search runs once at a time, and refreshes in it.
type credentials struct {
	static *keys
	source func() (*basic.Credentials, error)
	client *impl.DefaultHttpClient // of a federation's refresh
	search adapter.Search[keys]
	found  *basic.Credentials // the search's own
}

func newCredentials(a providers.Account, transport http.RoundTripper) *credentials {
	c := &credentials{source: chain}
	if a.KeyID != "" {
		c.static = &keys{id: a.KeyID.Reveal(), key: a.KeySecret.Reveal()}
		return c
	}
	c.client = impl.NewDefaultHttpClient(hcconfig.DefaultHttpConfig().WithTimeout(adapter.CredentialWait).WithHttpRoundTripper(transport))
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
	return c.search.Get(ctx, c.find)
}

// find reads the keys, asking the chain only once: what it found is refreshed
// before it expires.
func (c *credentials) find() (_ keys, err error) {
	found := c.found
	if found == nil {
		if found, err = c.source(); err != nil {
			return keys{}, err
		}
	}
	if err := found.ProcessSts(c.client); err != nil {
		return keys{}, err
	}
	k := keys{id: found.AK, key: found.SK, token: found.SecurityToken, project: found.ProjectId}
	if k.id == "" || k.key == "" {
		return keys{}, adapter.ErrNoCredentials
	}
	c.found = found
	return k, nil
}
