package tencentemr

import (
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
			"yarn_node_labl":                 "X",
			"soft_deploy_info":               []any{"1", 0},
			"enable_start_service_flag":      "yes",
			"client_token":                   "mine",
			"resource_spec":                  map[string]any{"instance_typ": "S5", "system_disk": []any{map[string]any{"disk_type": "CLOUD_SSD", "disk_size": 50, "count": 2}}},
			"tags":                           map[string]any{"k": "v"},
			"hardware_source_type":           "POT",
			"script_bootstrap_action_config": []any{map[string]any{"cos_file_uri": "u", "execution_moment": "clusterAftr"}},
			"disaster_recover_group_ids":     []any{"a", "b"},
			"grace_down_time":                30,
			"zone":                           nil,
		},
	})), "\n")
	for _, want := range []string{
		`: "tsk" is no node type of Tencent EMR`, "[task]",
		"api: ",
		"params.yarn_node_labl: There is no field yarn_node_labl here", "[yarn_node_label]",
		"params.soft_deploy_info.0: 0 must be a whole number, not this text.",
		"params.soft_deploy_info.0: The numbers of soft_deploy_info",
		"params.enable_start_service_flag: enable_start_service_flag must be true or false, not this text.",
		"params.client_token: client_token can't be configured: scalebot makes its own",
		"params.resource_spec.instance_typ: ", "[instance_type]",
		"params.resource_spec: instance_type is missing.",
		"params.resource_spec.system_disk: A node has one system disk, not 2.",
		"params.tags: tags must be a list, not a map.",
		`params.hardware_source_type: "POT" is not possible here: HOST, POD, MNode. [POD]`,
		"params.script_bootstrap_action_config.0.execution_moment: ", "[clusterAfter]",
		"params.disaster_recover_group_ids: Only one",
		"params.grace_down_time: grace_down_time is 60 to 1800 seconds.",
		"params.grace_down_time: grace_down_time works only with grace_down_flag: true.",
		"params.zone: zone must be a text (in quotes if it looks like a number), not nothing.",
	} {
		require.Contains(t, got, want)
	}
}

func TestCheckGroupRanges(t *testing.T) {
	disks := func(n int) map[string]any {
		return map[string]any{"resource_spec": map[string]any{"instance_type": "S5", "data_disk": []any{map[string]any{"disk_type": "CLOUD_SSD", "disk_size": 1, "count": n}}}}
	}
	for name, tc := range map[string]struct {
		group  string
		params map[string]any
		says   string // "" = fine
	}{
		"nothing":                        {"task", nil, ""},
		"the document's own":             {"TASK", documentParams(), ""},
		"fifteen disks":                  {"task", disks(15), ""},
		"sixteen disks":                  {"task", disks(16), "at most 15"},
		"no disk":                        {"task", disks(0), "from 1"},
		"grace of a minute":              {"core", map[string]any{"grace_down_flag": true, "grace_down_time": 60}, ""},
		"grace of more than half hour":   {"core", map[string]any{"grace_down_flag": true, "grace_down_time": 1801}, "60 to 1800"},
		"TerminateTasks of task":         {"task", map[string]any{"terminate_api": "terminate_tasks"}, ""},
		"TerminateTasks of core":         {"core", map[string]any{"terminate_api": "terminate_tasks"}, "task nodes only"},
		"TerminateTasks with grace":      {"task", map[string]any{"terminate_api": "terminate_tasks", "grace_down_flag": true}, "can't let work finish"},
		"a terminate_api of its own":     {"task", map[string]any{"terminate_api": "terminate_task"}, "terminate_tasks"},
		"pods without saying so":         {"task", map[string]any{"pod_spec_info": map[string]any{}}, "hardware_source_type: POD"},
		"pods in lower case":             {"task", map[string]any{"hardware_source_type": "pod", "pod_spec_info": map[string]any{}}, ""},
		"a tag twice":                    {"task", map[string]any{"tags": []any{map[string]any{"tag_key": "k", "tag_value": "1"}, map[string]any{"tag_key": "k", "tag_value": "2"}}}, "twice"},
		"a tag without value":            {"task", map[string]any{"tags": []any{map[string]any{"tag_key": "k"}}}, "tag_value is missing"},
		"an empty label":                 {"task", map[string]any{"yarn_node_label": " "}, "is empty"},
		"a number that is too large":     {"task", map[string]any{"soft_deploy_info": []any{uint64(math.MaxUint64)}}, "whole number"},
		"a fraction for a whole number":  {"task", map[string]any{"soft_deploy_info": []any{1.5}}, "whole number, not a number with a fraction"},
		"negative where it can't be":     {"task", map[string]any{"hardware_source_type": "POD", "pod_spec_info": map[string]any{"pod_spec": map[string]any{"resource_provider_identifier": "cls-1", "cpu": -1}}}, "from 0"},
		"not a number":                   {"task", map[string]any{"hardware_source_type": "POD", "pod_spec_info": map[string]any{"pod_spec": map[string]any{"resource_provider_identifier": "cls-1", "dynamic_pod_spec": map[string]any{"limit_cpu": math.NaN()}}}}, "must be a number"},
		"an override of the group's own": {"batch", nil, "node type"},
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(checkGroup(providers.GroupConfig{Group: tc.group, Params: tc.params}))
			if tc.says == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Contains(t, got[0], tc.says)
		})
	}
	require.Empty(t, checkGroup(providers.GroupConfig{Group: "batch", GroupID: "task"}))
	require.Equal(t, []string{"node_type"}, checkGroup(providers.GroupConfig{Group: "task", GroupID: "rooter"})[0].Path)
	require.Equal(t, "router", checkGroup(providers.GroupConfig{Group: "task", GroupID: "rooter"})[0].Suggest)
}

func TestGroupID(t *testing.T) {
	id := Kind().GroupID
	require.Equal(t, "TASK", id(providers.GroupConfig{Group: "Task"}))
	require.Equal(t, "CORE", id(providers.GroupConfig{Group: "batch", GroupID: "core"}))
}

func TestCheckAccount(t *testing.T) {
	fine := providers.Account{Region: "ap-guangzhou"}
	require.Empty(t, checkAccount(fine))
	for endpoint, okay := range map[string]bool{
		"http://127.0.0.1:7001": true, "https://emr.intl.tencentcloudapi.com": true, "HTTPS://x/": true,
		"emr.tencentcloudapi.com": false, "127.0.0.1:7001": false, "https://x/emr": false, "ftp://x": false,
		"https://user:pw@x": false, "https://x?a=b": false, "https://": false, "http://[::1": false,
	} {
		a := fine
		a.Endpoint = endpoint
		require.Equal(t, okay, len(checkAccount(a)) == 0, endpoint)
	}
	all := checkAccount(providers.Account{Endpoint: "x", PriceEndpoint: "y", ProjectID: "z", KeyID: "a"})
	var paths []string
	for _, p := range all {
		paths = append(paths, p.Path[0])
	}
	require.Equal(t, []string{"region", "endpoint", "price_endpoint", "project_id", "secret_key"}, paths)
	require.Equal(t, "secret_id", checkAccount(providers.Account{Region: "ap-guangzhou", KeySecret: "x"})[0].Path[0])
	require.Equal(t, "region", checkAccount(providers.Account{Region: "Guangzhou"})[0].Path[0])
}

func TestOpen(t *testing.T) {
	_, err := Kind().Open(providers.Account{Name: "a", Region: "ap-guangzhou", KeyID: secretID}, providers.Env{Now: time.Now})
	require.ErrorContains(t, err, "account a: secret_key: ")
	require.NotContains(t, err.Error(), secretID)
	_, err = Kind().Open(providers.Account{Name: "a", Region: "ap-guangzhou", Groups: []providers.GroupConfig{{Cluster: "c", Group: "x"}}}, providers.Env{Now: time.Now})
	require.ErrorContains(t, err, "cluster c group x")
	_, err = Kind().Open(providers.Account{Name: "a", Region: "ap-guangzhou"}, providers.Env{})
	require.Error(t, err)
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"CosFileURI": "cos_file_uri", "PVCVolume": "pvc_volume", "ClickHouseClusterName": "click_house_cluster_name",
		"VpcId": "vpc_id", "Zone": "zone", "EnableDynamicSpecFlag": "enable_dynamic_spec_flag",
	} {
		require.Equal(t, want, snake(name))
	}
}
