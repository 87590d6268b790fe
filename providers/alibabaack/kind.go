package alibabaack

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// Name is the provider kind as config spells it.
const Name = "alibaba-ack"

// Kind is the entry of this adapter in the table of provider kinds.
func Kind() providers.KindSpec {
	return providers.KindSpec{
		Name:         Name,
		CheckAccount: checkAccount,
		CheckGroup:   checkGroup,
		GroupID:      groupID,
		Pace:         10 * time.Second, // reference section 9
		Open:         open,
	}
}

// form is which call adds the nodes of a group: GroupConfig.API.
type form string

const (
	poolForm   form = ""                  // ScaleClusterNodePool
	workerForm form = "scale-out-cluster" // ScaleOutCluster with the worker document's body
	edgeForm   form = "edge"              // ScaleOutCluster with the edge (ENS) document's body
)

var forms = []form{poolForm, workerForm, edgeForm}

// The groups of the two older forms where config names no pool. No document
// says into which pool ScaleOutCluster puts its nodes, so anything narrower than
// these could miss them.
const (
	allWorkers = "workers"     // every worker of the cluster
	ensWorkers = "ens-workers" // every worker that isn't an ECS machine
)

var (
	regionShape = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)
	poolShape   = regexp.MustCompile(`^np[0-9a-z]+$`)
)

// groupID is the pool's id where a pool is named, by node_pool or, as the
// doctor prints them, by the group's own name.
func groupID(g providers.GroupConfig) string {
	if id := strings.TrimSpace(g.GroupID); id != "" {
		return id
	}
	switch form(g.API) {
	case workerForm:
		return allWorkers
	case edgeForm:
		return ensWorkers
	case poolForm:
	}
	if poolShape.MatchString(g.Group) {
		return g.Group
	}
	return ""
}

func checkAccount(a providers.Account) []providers.Problem {
	var ps []providers.Problem
	add := func(key, text string) {
		ps = append(ps, providers.Problem{Path: []string{key}, Text: text})
	}
	switch {
	case a.Region == "":
		add("region", "An Alibaba Cloud account needs its region, for example cn-beijing: clusters and tasks belong to one region.")
	case !regionShape.MatchString(a.Region):
		add("region", fmt.Sprintf("%q is no Alibaba Cloud region; they look like cn-beijing.", a.Region))
	}
	for key, text := range map[string]string{"endpoint": a.Endpoint, "price_endpoint": a.PriceEndpoint} {
		if _, _, err := splitEndpoint(text); err != nil {
			add(key, key+" "+err.Error()+".")
		}
	}
	for key, text := range map[string]string{"project_id": a.ProjectID, "domain_id": a.DomainID, "iam_endpoint": a.IAMEndpoint} {
		if text != "" {
			add(key, key+" is a key of Huawei Cloud; leave it out.")
		}
	}
	switch {
	case a.KeyID != "" && a.KeySecret == "":
		add("access_key_secret", "access_key_id is given without access_key_secret; give both, or neither for the default credentials of the host.")
	case a.KeyID == "" && a.KeySecret != "":
		add("access_key_id", "access_key_secret is given without access_key_id; give both, or neither for the default credentials of the host.")
	}
	slices.SortFunc(ps, func(a, b providers.Problem) int { return cmp.Compare(a.Path[0], b.Path[0]) })
	return ps
}

// splitEndpoint turns scheme://host[:port] into the two texts that the SDK
// wants; "" gives its own rule. The scheme must go, or the SDK dials a host
// called http; a path is refused, because the request would reach it while the
// Host header is empty and the signature doesn't cover it (reference 1.1).
func splitEndpoint(endpoint string) (protocol, host string, err error) {
	if endpoint == "" {
		return "HTTPS", "", nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", "", errors.New("must be scheme://host[:port], for example https://cs-vpc.cn-beijing.aliyuncs.com")
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
	default:
		return "", "", fmt.Errorf("must begin with http:// or https://, not %s://", u.Scheme)
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", "", errors.New("must be scheme://host[:port] alone: a path, a query or a user name can't be signed")
	}
	return strings.ToUpper(u.Scheme), u.Host, nil
}

// open builds the provider without any I/O.
func open(a providers.Account, env providers.Env) (providers.Provider, error) {
	if env.Now == nil {
		return nil, errors.New("alibabaack: Env.Now is missing")
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
		f := form(g.API)
		prm, _ := decode(g.Params, fieldsOf[f])
		groups[groupKey{g.Cluster, g.Group}] = group{form: f, id: groupID(g), params: prm, profile: adapter.Digest(g.Params, g.API)}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("account %s: %w", a.Name, errors.Join(wrong...))
	}
	return newProvider(a, env, groups)
}

func checkGroup(g providers.GroupConfig) []providers.Problem {
	var ps []providers.Problem
	f := form(g.API)
	if !slices.Contains(forms, f) {
		return []providers.Problem{{
			Path:    []string{"api"},
			Text:    fmt.Sprintf("%q is no form of ACK's API: leave api out for a node pool, or say scale-out-cluster or edge.", g.API),
			Suggest: providers.Nearest(g.API, []string{string(workerForm), string(edgeForm)}),
		}}
	}
	switch id := groupID(g); {
	case id == "":
		ps = append(ps, providers.Problem{Path: []string{"node_pool"}, Text: "A group of ACK needs its node pool's id, for example node_pool: np0123456789."})
	case g.GroupID != "" && !poolShape.MatchString(id):
		ps = append(ps, providers.Problem{Path: []string{"node_pool"}, Text: fmt.Sprintf("%q is no node pool id: they begin with np and are on the pool's page in the console.", id)})
	}
	prm, bad := decode(g.Params, fieldsOf[f])
	ps = append(ps, bad...)
	c := checker{params: prm}
	switch f {
	case workerForm:
		c.worker()
	case edgeForm:
		c.edge()
	case poolForm:
	}
	return append(ps, c.problems...)
}
