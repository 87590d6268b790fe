package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Secret is a text that prints as a fixed mask, so that no log line, error or
// dump of a struct can leak it. Reveal is the only way to its content.
type Secret string

// String masks the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString masks the secret in %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText masks the secret in JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the content, for the one call that needs it.
func (s Secret) Reveal() string { return string(s) }

// Account is one account of config, with the groups that use it.
type Account struct {
	Name          string
	Kind          string
	Region        string
	Endpoint      string         // "" = the cloud's own; else scheme://host[:port]
	PriceEndpoint string         // the same for the price service; "" = the cloud's own
	ProjectID     string         // Huawei only
	DomainID      string         // Huawei only: of the account that pays, for prices
	IAMEndpoint   string         // Huawei only: where project and domain are looked up; "" = the cloud's own
	Rate          int            // calls a second over all replicas, of all kinds of calls together; 0 = no limit of ours
	Pace          *time.Duration // at least so long between two looks at one operation; nil = what the kind needs
	KeyID         Secret         // empty = the SDK's own default credential chain
	KeySecret     Secret
	Groups        []GroupConfig
}

// GroupConfig is one group of one cluster as config has it.
type GroupConfig struct {
	Cluster string // config's name
	Group   string // config's name
	GroupID string // the cloud's own name, where config overrides it; "" = adapter derives it from Group
	API     string // which form of the cloud's API to use; "" = the usual one
	// Params are the API's own request fields in snake_case, as YAML decoded
	// them (string, bool, int64/uint64, float64, []any, map[string]any).
	// Their values may be secrets (a login password): see String.
	Params map[string]any `json:"-"`
}

// String shows which params there are and none of their values, so that a dump
// of a config leaks nothing.
func (g GroupConfig) String() string {
	return fmt.Sprintf("{%s/%s id=%q api=%q params=%v}", g.Cluster, g.Group, g.GroupID, g.API, slices.Sorted(maps.Keys(g.Params)))
}

// GoString is String for %#v.
func (g GroupConfig) GoString() string { return g.String() }

// Problem is one thing wrong with an account or group of config. Path leads to
// the offending key below the account or group, e.g. ["params","yarn_node_labl"].
type Problem struct {
	Path    []string
	Text    string // one sentence: what is wrong and what was meant
	Suggest string // the nearest right key or value; "" = none
}

// KindSpec is one kind of provider. The table of kinds is built by cmd and
// handed to whom needs it: nothing registers itself.
type KindSpec struct {
	Name string
	// CheckAccount and CheckGroup look at config alone, for the loader: every
	// problem at once, no I/O.
	CheckAccount func(Account) []Problem
	CheckGroup   func(GroupConfig) []Problem
	// GroupID is the cloud's own name of a group, e.g. "task" → "TASK".
	GroupID func(GroupConfig) string
	// NoOperationID says that the cloud gives its operations no id, so that a person
	// who saw one happen can't be asked for it.
	NoOperationID bool
	// Pace is how long there must be at least between two looks at one operation:
	// the service's limits are an account's, which scalebot is not alone with.
	Pace time.Duration
	// Open builds the provider. It does no I/O: wrong credentials show at the
	// first call, as kind Auth.
	Open func(Account, Env) (Provider, error)
}

// Registry is the table of kinds by name.
type Registry map[string]KindSpec

// NewRegistry builds the table; a name given twice is a bug and panics.
func NewRegistry(kinds ...KindSpec) Registry {
	r := make(Registry, len(kinds))
	for _, k := range kinds {
		if _, dup := r[k.Name]; dup {
			panic("providers: kind given twice: " + k.Name)
		}
		r[k.Name] = k
	}
	return r
}

// Names returns the kinds in order.
func (r Registry) Names() []string {
	names := make([]string, 0, len(r))
	for n := range r {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Open builds the provider of an account.
func (r Registry) Open(a Account, env Env) (Provider, error) {
	k, ok := r[a.Kind]
	if !ok {
		return nil, fmt.Errorf("account %s: no provider kind %q (there are %v)", a.Name, a.Kind, r.Names())
	}
	return k.Open(a, env)
}

// Pace is how long there must be between two looks at one operation of an account:
// what config says, else what its kind needs. An endpoint on this machine is taken for
// a local cloud, which has no limits; for a sidecar that leads to the real one, config
// says the pace.
func (r Registry) Pace(a Account) time.Duration {
	switch {
	case a.Pace != nil:
		return *a.Pace
	case local(a.Endpoint):
		return 0
	}
	return r[a.Kind].Pace
}

// local reports whether an address is on this machine.
func local(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Token derives the idempotency token of one attempt of one flow. It depends on
// nothing else, so a record that was lost and recovered repeats the same token:
// that is what lets a cloud with tokens refuse the second of two sends. The
// text has the form of a lower-case UUID, which every cloud's token accepts.
func Token(workspace, flowID string, attempt int) string {
	sum := sha256.Sum256([]byte("scalebot/" + workspace + "/" + flowID + "/" + strconv.Itoa(attempt)))
	sum[6] = sum[6]&0x0f | 0x80 // version 8: custom
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
