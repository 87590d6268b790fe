package huaweimrs

import (
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// problems renders problems as "path: text [suggest]".
func problems(ps []providers.Problem) (out []string) {
	for _, p := range ps {
		s := strings.Join(p.Path, ".") + ": " + p.Text
		if p.Suggest != "" {
			s += " [" + p.Suggest + "]"
		}
		out = append(out, s)
	}
	return out
}

func TestCheckGroupTellsEverythingAtOnce(t *testing.T) {
	got := strings.Join(problems(checkGroup(providers.GroupConfig{
		Group: "tsk", API: "v2",
		Params: map[string]any{
			"task_node_inf":          map[string]any{},
			"skip_bootstrap_scripts": "false",
			"scale_without_start":    1,
			"instances":              2,
			"server_ids":             []any{"a"},
			"node_group":             "x",
			"task_node_info": map[string]any{
				"node_sise": "x", "data_volume_type": "SATAA", "data_volume_count": "2", "data_volume_size": uint64(99),
			},
		},
	})), "\n")
	for _, want := range []string{
		`: "tsk" is no node group that this call scales`, "[task]",
		"api: ",
		"params.task_node_inf: There is no field task_node_inf here", "[task_node_info]",
		"params.skip_bootstrap_scripts: skip_bootstrap_scripts must be true or false, not this text.",
		"params.scale_without_start: scale_without_start must be true or false, not this number.",
		"params.instances: instances can't be configured: it is the command's amount.",
		"params.server_ids: server_ids can't be configured",
		"params.node_group: node_group can't be configured: it is a key of the group itself",
		"params.task_node_info.node_sise: There is no field node_sise here", "[node_size]",
		"params.task_node_info: node_size is missing: give all of",
		`params.task_node_info.data_volume_type: "SATAA" is not possible here`, "[SATA]",
		"params.task_node_info.data_volume_count: data_volume_count must be a whole number, not this text.",
		"params.task_node_info.data_volume_size: data_volume_size is 100 to 32000, not 99.",
	} {
		require.Contains(t, got, want)
	}
}

func TestCheckGroup(t *testing.T) {
	with := func(key string, v any) map[string]any {
		m := firstParams()
		info := maps.Clone(m["task_node_info"].(map[string]any))
		info[key] = v
		m["task_node_info"] = info
		return m
	}
	for name, tc := range map[string]struct {
		group, id string
		params    map[string]any
		says      string // "" = fine
	}{
		"task, nothing said":           {"task", "", nil, ""},
		"core":                         {"core", "", map[string]any{"skip_bootstrap_scripts": true}, ""},
		"the document's own":           {"task", "", firstParams(), ""},
		"a classic name":               {"batch", "core_node_analysis_group", nil, ""},
		"a classic name as the group":  {"task_node_streaming_group", "", firstParams(), ""},
		"spelt in capitals":            {"Task", "TASK_NODE_DEFAULT_GROUP", nil, ""},
		"a short name in node_group":   {"batch", "task", nil, ""},
		"master":                       {"master", "", nil, "number of master nodes can't be changed"},
		"master by its name":           {"m", "master_node_default_group", nil, "number of master nodes can't be changed"},
		"a custom cluster's group":     {"g", "node_group_1", nil, "custom clusters"},
		"a name of nobody":             {"workers", "", nil, "no node group"},
		"first nodes of a core group":  {"core", "", firstParams(), "none"},
		"one disk":                     {"task", "", with("data_volume_count", 1), ""},
		"ten disks":                    {"task", "", with("data_volume_count", 10), ""},
		"no disk":                      {"task", "", with("data_volume_count", 0), "1 to 10"},
		"eleven disks":                 {"task", "", with("data_volume_count", 11), "1 to 10"},
		"the smallest disk":            {"task", "", with("data_volume_size", 100), ""},
		"the largest disk":             {"task", "", with("data_volume_size", 32000), ""},
		"too large a disk":             {"task", "", with("data_volume_size", 32001), "100 to 32000"},
		"a fraction":                   {"task", "", with("data_volume_size", 100.5), "whole number, not a number with a fraction"},
		"a number that is too large":   {"task", "", with("data_volume_size", uint64(math.MaxUint64)), "whole number"},
		"the type that the SDK adds":   {"task", "", with("data_volume_type", "GPSSD"), ""},
		"a type in lower case":         {"task", "", with("data_volume_type", "sata"), "[SATA]"},
		"no flavour":                   {"task", "", with("node_size", " "), "is empty"},
		"no list where a map belongs":  {"task", "", map[string]any{"task_node_info": []any{}}, "must be a map of fields, not a list"},
		"nothing behind the key":       {"task", "", map[string]any{"task_node_info": nil}, "not nothing"},
		"a field that the service has": {"task", "", map[string]any{"order_id": "CS1"}, "keeps it for itself"},
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(checkGroup(providers.GroupConfig{Group: tc.group, GroupID: tc.id, Params: tc.params}))
			if tc.says == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Contains(t, got[0], tc.says)
		})
	}
	require.Equal(t, []string{"node_group"}, checkGroup(providers.GroupConfig{Group: "task", GroupID: "task_node_defalt_group"})[0].Path)
	require.Equal(t, taskGroup, checkGroup(providers.GroupConfig{Group: "task", GroupID: "task_node_defalt_group"})[0].Suggest)
}

func TestGroupID(t *testing.T) {
	for _, tc := range [][3]string{
		{"Task", "", taskGroup}, {"core", "", coreGroup}, {"batch", "core", coreGroup},
		{"core", "core_node_streaming_group", "core_node_streaming_group"}, {"core_node_analysis_group", "", "core_node_analysis_group"},
	} {
		require.Equal(t, tc[2], Kind().GroupID(providers.GroupConfig{Group: tc[0], GroupID: tc[1]}))
	}
}

func TestCheckAccount(t *testing.T) {
	fine := providers.Account{Region: "cn-north-4"}
	require.Empty(t, checkAccount(fine), "project and domain are looked up")
	for endpoint, okay := range map[string]bool{
		"http://127.0.0.1:7001": true, "https://mrs.cn-north-4.myhuaweicloud.com": true, "HTTPS://x/": true,
		"mrs.cn-north-4.myhuaweicloud.com": false, "127.0.0.1:7001": false, "https://x/v1.1": false, "ftp://x": false,
		"https://user:pw@x": false, "https://x?a=b": false, "https://": false, "http://[::1": false,
	} {
		for _, set := range []func(*providers.Account){
			func(a *providers.Account) { a.Endpoint = endpoint },
			func(a *providers.Account) { a.PriceEndpoint = endpoint },
			func(a *providers.Account) { a.IAMEndpoint = endpoint },
		} {
			a := fine
			a.ProjectID, a.DomainID = "p", "d"
			set(&a)
			require.Equal(t, okay, len(checkAccount(a)) == 0, endpoint)
		}
	}
	paths := func(a providers.Account) (out []string) {
		for _, p := range checkAccount(a) {
			out = append(out, p.Path[0])
		}
		return out
	}
	require.Equal(t, []string{"region", "endpoint", "price_endpoint", "iam_endpoint", "project_id", "domain_id", "secret_key"},
		paths(providers.Account{Endpoint: "x", PriceEndpoint: "y", IAMEndpoint: "z", KeyID: "a"}))
	require.Equal(t, []string{"project_id"}, paths(providers.Account{Region: "cn-north-4", Endpoint: "http://x", IAMEndpoint: "http://x"}))
	require.Equal(t, []string{"domain_id"}, paths(providers.Account{Region: "cn-north-4", PriceEndpoint: "http://x"}))
	require.Equal(t, []string{"access_key"}, paths(providers.Account{Region: "cn-north-4", KeySecret: "x"}))
	require.Equal(t, []string{"region"}, paths(providers.Account{Region: "Beijing"}))
	require.Equal(t, []string{"region"}, paths(providers.Account{Region: "cn-nowhere-9"}), "a region that has no known address")
	require.Empty(t, paths(providers.Account{Region: "cn-nowhere-9", Endpoint: "http://x", ProjectID: "p"}), "but may be given one")
}

func TestOpen(t *testing.T) {
	a := providers.Account{Name: "a", Region: "cn-north-4"}
	p, err := Kind().Open(a, providers.Env{Now: time.Now})
	require.NoError(t, err)
	require.Equal(t, "https://mrs.cn-north-4.myhuaweicloud.com", p.(*provider).mrsURL)
	require.Equal(t, "https://bss.myhuaweicloud.com", p.(*provider).bssURL)
	require.Equal(t, "https://iam.myhuaweicloud.com", p.(*provider).iamURL)
	_, err = Kind().Open(a, providers.Env{})
	require.Error(t, err)
	a.Groups = []providers.GroupConfig{{Cluster: "c", Group: "master"}}
	_, err = Kind().Open(a, providers.Env{Now: time.Now})
	require.ErrorContains(t, err, "account a: cluster c group master: ")
	a.KeyID = accessKey
	_, err = Kind().Open(a, providers.Env{Now: time.Now})
	require.ErrorContains(t, err, "secret_key: ")
	require.NotContains(t, err.Error(), accessKey)
}
