package huaweimrs

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	mrsregion "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1/region"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// Name is the provider kind as config spells it.
const Name = "huawei-mrs"

// Kind is the entry of this adapter in the table of provider kinds.
func Kind() providers.KindSpec {
	return providers.KindSpec{
		Name:          Name,
		NoOperationID: true,
		CheckAccount:  checkAccount,
		CheckGroup:    checkGroup,
		GroupID:       groupID,
		Pace:          15 * time.Second, // reference section 9
		Open:          open,
	}
}

// role is what the nodes of a group do, which decides what the call can do to
// them.
type role string

const (
	master role = "master"
	core   role = "core"
	task   role = "task"
	custom role = "" // node_group_1 and the like, of custom clusters
)

// The groups that the document names, and the short names for them.
const (
	coreGroup = "core_node_default_group"
	taskGroup = "task_node_default_group"
)

// scalable are the group names of analysis, streaming and hybrid clusters
// (reference section 3.1) whose nodes this call adds and removes.
var scalable = []string{
	coreGroup, "core_node_analysis_group", "core_node_streaming_group",
	taskGroup, "task_node_analysis_group", "task_node_streaming_group",
}

// roleOf reads the role from a group's name.
func roleOf(id string) role {
	for _, r := range []role{master, core, task} {
		if strings.HasPrefix(id, string(r)+"_node_") {
			return r
		}
	}
	return custom
}

func groupID(g providers.GroupConfig) string {
	id := strings.ToLower(strings.TrimSpace(g.GroupID))
	if id == "" {
		id = strings.ToLower(g.Group)
	}
	switch role(id) {
	case core:
		return coreGroup
	case task:
		return taskGroup
	case master:
		return "master_node_default_group"
	case custom:
	}
	return id
}

var regionShape = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)

func checkAccount(a providers.Account) []providers.Problem {
	var ps []providers.Problem
	add := func(key, text string) {
		ps = append(ps, providers.Problem{Path: []string{key}, Text: text})
	}
	switch {
	case a.Region == "":
		add("region", "A Huawei account needs its region, for example cn-north-4.")
	case !regionShape.MatchString(a.Region):
		add("region", fmt.Sprintf("%q is no Huawei region; they look like cn-north-4.", a.Region))
	case a.Endpoint == "":
		if _, err := ownEndpoint(a.Region); err != nil {
			add("region", fmt.Sprintf("No address of MRS is known for region %q: give it as endpoint, with project_id.", a.Region))
		}
	}
	for _, e := range []struct{ key, value string }{
		{"endpoint", a.Endpoint}, {"price_endpoint", a.PriceEndpoint}, {"iam_endpoint", a.IAMEndpoint},
	} {
		if _, err := endpointOf(e.value); err != nil {
			add(e.key, fmt.Sprintf("%s must be %v.", e.key, err))
		}
	}
	// Whoever replaces an address speaks to something that the cloud's own IAM may
	// know nothing of, and the SDK would send a literal {project_id} without a word
	// (reference section 1.2).
	if a.Endpoint != "" && a.ProjectID == "" {
		add("project_id", "endpoint replaces the cloud's own address, so the project is not looked up: give project_id.")
	}
	if a.PriceEndpoint != "" && a.DomainID == "" {
		add("domain_id", "price_endpoint replaces the cloud's own address, so the paying account is not looked up: give domain_id.")
	}
	switch {
	case a.KeyID != "" && a.KeySecret == "":
		add("secret_key", "access_key is given without secret_key; give both, or neither for the default credentials of the host.")
	case a.KeyID == "" && a.KeySecret != "":
		add("access_key", "secret_key is given without access_key; give both, or neither for the default credentials of the host.")
	}
	return ps
}

// ownEndpoint is the cloud's own address of MRS in a region. The SDK lets the
// environment override it, even with several addresses, between which it would
// fail over; one alone is taken, since a change has one way to go.
func ownEndpoint(region string) (string, error) {
	r, err := mrsregion.SafeValueOf(region)
	if err != nil {
		return "", err
	}
	if len(r.Endpoints) == 0 {
		return "", fmt.Errorf("region %s has no address", region)
	}
	return endpointOf(r.Endpoints[0])
}

// endpointOf accepts "" and scheme://host[:port]. The SDK drops a path without a
// word, and the call would go to another place than config says (reference
// section 1.1); it also knows the scheme in lower case only.
func endpointOf(endpoint string) (string, error) {
	if endpoint == "" {
		return "", nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "":
		return "", errors.New("scheme://host[:port], for example https://mrs.cn-north-4.myhuaweicloud.com")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("an address that begins with http:// or https://")
	case (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "", errors.New("scheme://host[:port] alone: a path, a query or a user name would be lost")
	}
	return u.Scheme + "://" + u.Host, nil
}

// open builds the provider without speaking to the cloud.
func open(a providers.Account, env providers.Env) (providers.Provider, error) {
	if env.Now == nil {
		return nil, errors.New("huaweimrs: Env.Now is missing")
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
		prm, _ := decodeParams(g.Params, groupID(g))
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
	add := func(text, suggest string) {
		p := providers.Problem{Text: text, Suggest: suggest}
		if g.GroupID != "" {
			p.Path = []string{"node_group"}
		}
		ps = append(ps, p)
	}
	switch {
	case slices.Contains(scalable, id):
	case roleOf(id) == master:
		add("The number of master nodes can't be changed after an MRS cluster is made; only core and task groups scale.", "")
	default:
		add(fmt.Sprintf("%q is no node group that this call scales: %s. Groups of custom clusters (node_group_1, …) need another call of MRS; use the console for them.",
			id, strings.Join(scalable, ", ")), providers.Nearest(id, append([]string{string(core), string(task)}, scalable...)))
	}
	if g.API != "" {
		ps = append(ps, providers.Problem{Path: []string{"api"}, Text: "Only one form of the MRS API is used; leave api out."})
	}
	_, bad := decodeParams(g.Params, id)
	return append(ps, bad...)
}
