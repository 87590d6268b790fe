package tencentemr

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// Name is the provider kind as config spells it.
const Name = "tencent-emr"

// Kind is the entry of this adapter in the table of provider kinds.
func Kind() providers.KindSpec {
	return providers.KindSpec{
		Name:         Name,
		CheckAccount: checkAccount,
		CheckGroup:   checkGroup,
		GroupID:      groupID,
		Open:         open,
	}
}

// The node types of the service, spelt as the write calls and our snapshots
// spell them. The node filter wants lower case and the node list numbers
// (reference section 10, trap 2).
const (
	master = "MASTER"
	core   = "CORE"
	task   = "TASK"
	router = "ROUTER"
	common = "COMMON"
)

var nodeTypes = []string{master, core, task, router, common}

func groupID(g providers.GroupConfig) string {
	if g.GroupID != "" {
		return strings.ToUpper(strings.TrimSpace(g.GroupID))
	}
	return strings.ToUpper(g.Group)
}

var regionShape = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)

func checkAccount(a providers.Account) []providers.Problem {
	var ps []providers.Problem
	add := func(key, text string) {
		ps = append(ps, providers.Problem{Path: []string{key}, Text: text})
	}
	switch {
	case a.Region == "":
		add("region", "A Tencent account needs its region, for example ap-guangzhou.")
	case !regionShape.MatchString(a.Region):
		add("region", fmt.Sprintf("%q is no Tencent region; they look like ap-guangzhou.", a.Region))
	}
	if _, _, err := splitEndpoint(a.Endpoint); err != nil {
		add("endpoint", sentence(err.Error()))
	}
	if a.PriceEndpoint != "" {
		add("price_endpoint", "Tencent EMR answers prices at the same endpoint; leave price_endpoint out.")
	}
	if a.ProjectID != "" {
		add("project_id", "Tencent EMR needs no project id: clusters of all projects are seen; leave it out.")
	}
	switch {
	case a.KeyID != "" && a.KeySecret == "":
		add("secret_key", "secret_id is given without secret_key; give both, or neither for the default credentials of the host.")
	case a.KeyID == "" && a.KeySecret != "":
		add("secret_id", "secret_key is given without secret_id; give both, or neither for the default credentials of the host.")
	}
	return ps
}

// splitEndpoint turns scheme://host[:port] into the two texts that the SDK
// wants; "" gives its default host. A path is refused: the SDK would send to it
// while the signature covers only "/" (reference section 1.2).
func splitEndpoint(endpoint string) (scheme, host string, err error) {
	if endpoint == "" {
		return "HTTPS", "", nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", "", fmt.Errorf("endpoint must be scheme://host[:port], for example https://emr.intl.tencentcloudapi.com")
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
	default:
		return "", "", fmt.Errorf("endpoint must begin with http:// or https://, not %s://", u.Scheme)
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", "", fmt.Errorf("endpoint must be scheme://host[:port] alone: a path, a query or a user name can't be signed")
	}
	return strings.ToUpper(u.Scheme), u.Host, nil
}

// open builds the provider without any I/O.
func open(a providers.Account, env providers.Env) (providers.Provider, error) {
	if env.Now == nil {
		return nil, errors.New("tencentemr: Env.Now is missing")
	}
	var wrong []error
	for _, p := range checkAccount(a) {
		wrong = append(wrong, adapter.ProblemError(p))
	}
	groups := make(map[groupKey]group, len(a.Groups))
	for _, g := range a.Groups {
		ps := checkGroup(g)
		for _, p := range ps {
			wrong = append(wrong, fmt.Errorf("cluster %s group %s: %w", g.Cluster, g.Group, adapter.ProblemError(p)))
		}
		if len(ps) > 0 {
			continue
		}
		prm, _ := decodeParams(g.Params)
		groups[groupKey{g.Cluster, g.Group}] = group{params: prm, profile: adapter.Digest(g.Params)}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("account %s: %w", a.Name, errors.Join(wrong...))
	}
	return newProvider(a, env, groups), nil
}

func checkGroup(g providers.GroupConfig) []providers.Problem {
	var ps []providers.Problem
	id := groupID(g)
	if !slices.Contains(nodeTypes, id) {
		p := providers.Problem{
			Text:    fmt.Sprintf("%q is no node type of Tencent EMR: task, core, master, router or common.", strings.ToLower(id)),
			Suggest: providers.Nearest(strings.ToLower(id), lower(nodeTypes)),
		}
		if g.GroupID != "" {
			p.Path = []string{"node_type"}
		}
		ps = append(ps, p)
	}
	if g.API != "" {
		ps = append(ps, providers.Problem{Path: []string{"api"}, Text: "Tencent EMR has one form of its API; leave api out."})
	}
	prm, bad := decodeParams(g.Params)
	ps = append(ps, bad...)
	ps = append(ps, prm.check(id)...)
	return ps
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
