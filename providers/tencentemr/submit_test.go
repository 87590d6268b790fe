package tencentemr

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

const accepted = `{"InstanceId":"emr-m620","ClientToken":"","FlowId":19239,"TraceId":"1731400002-73146-8002","DealNames":["2026"],"RequestId":"11f5"}`

func (b *bench) submit(t *testing.T, c providers.Change) (providers.Operation, error) {
	t.Helper()
	return b.p.Submit(context.Background(), b.submission(t, c))
}

// The document's profile in config and `task +2 prepaid 1m` in chat send the
// document's example, field by field.
func TestScaleOutSendsTheDocumentsExample(t *testing.T) {
	b := newBench(t, documentParams())
	b.always("ScaleOutCluster", ok(accepted))
	c := change("task", 2)
	c.Charge, c.Months = providers.Prepaid, 1
	op, err := b.submit(t, c)
	require.NoError(t, err)
	require.Equal(t, providers.Operation{ID: "19239", Trace: "1731400002-73146-8002", Orders: []string{"2026"}, RequestID: "11f5", AcceptedAt: noon}, op)

	raw, err := os.ReadFile("testdata/scale-out-example.json")
	require.NoError(t, err)
	var want map[string]any
	require.NoError(t, json.Unmarshal(raw, &want))
	want["ClientToken"] = providers.Token("T0", "F-7K3Q", 1)
	want["InstanceChargePrepaid"] = map[string]any{"Period": 1.0, "RenewFlag": false}
	calls := b.of("ScaleOutCluster")
	require.Len(t, calls, 1)
	require.Empty(t, cmp.Diff(want, calls[0].body))

	h := calls[0].header
	require.Equal(t, "2019-01-03", h.Get("X-TC-Version"))
	require.Equal(t, "ap-guangzhou", h.Get("X-TC-Region"))
	require.Equal(t, "en-US", h.Get("X-TC-Language"))
	require.Contains(t, h.Get("Authorization"), "Credential="+secretID+"/")
	require.Empty(t, h.Get("X-Idempotency-Key"), "it would let Go's transport send a POST twice")
}

// Everything the document has and config can set reaches the wire, nested
// fields and NodeMarks too.
func TestEveryConfigurableFieldReachesTheWire(t *testing.T) {
	all := map[string]any{
		"script_bootstrap_action_config": []any{map[string]any{"cos_file_uri": "https://b.cos.example/x.sh", "execution_moment": "clusterAfter", "args": []any{"-v"}, "cos_file_name": "x.sh", "remark": "r"}},
		"soft_deploy_info":               []any{1},
		"service_node_info":              []any{2},
		"disaster_recover_group_ids":     []any{"ps-1"},
		"tags":                           []any{map[string]any{"tag_key": "k", "tag_value": "v"}},
		"hardware_source_type":           "POD",
		"pod_spec_info": map[string]any{
			"pod_spec": map[string]any{
				"resource_provider_identifier": "cls-1", "resource_provider_type": "tke", "node_flag": "TASK", "cpu": 4, "memory": 8, "cpu_type": "intel",
				"pod_volumes": []any{map[string]any{
					"volume_type": "pvc",
					"pvc_volume":  map[string]any{"disk_size": 100, "disk_type": "CLOUD_SSD", "disk_num": 1, "extra_performance": 0},
					"host_volume": map[string]any{"volume_path": "/data"},
				}},
				"enable_dynamic_spec_flag": true,
				"dynamic_pod_spec":         map[string]any{"request_cpu": 1.5, "limit_cpu": 2, "request_memory": 1024.0, "limit_memory": 2048.0},
				"vpc_id":                   "vpc-1", "subnet_id": "subnet-1", "pod_name": "p",
			},
			"pod_parameter": map[string]any{"instance_id": "cls-1", "config": "{}", "parameter": "{}"},
		},
		"click_house_cluster_name":           "g1",
		"click_house_cluster_type":           "old",
		"yarn_node_label":                    "CLOUD",
		"enable_start_service_flag":          false,
		"resource_spec":                      map[string]any{"instance_type": "S5", "system_disk": []any{}, "data_disk": []any{}, "local_data_disk": []any{map[string]any{"disk_type": "LOCAL_SSD", "disk_size": 1, "count": 1}}, "tags": []any{}},
		"zone":                               "ap-guangzhou-3",
		"subnet_id":                          "subnet-2",
		"scale_out_service_conf_groups_info": []any{map[string]any{"service_component_name": "HDFS-2.8.5", "conf_group_name": "hdfs-core-defaultGroup"}},
		"node_marks":                         map[string]any{"node_type": "task", "node_names": []any{"a", "b"}, "zone": "ap-guangzhou-3"},
	}
	b := newBench(t, all)
	b.always("ScaleOutCluster", ok(accepted))
	_, err := b.submit(t, change("task", 1))
	require.NoError(t, err)
	body := b.of("ScaleOutCluster")[0].body

	// What config says, with the wire's names, is in the body unchanged.
	var toWire func(v any) any
	names := map[string]string{"cos_file_uri": "CosFileURI", "pvc_volume": "PVCVolume"}
	toWire = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			m := map[string]any{}
			for k, x := range v {
				name := names[k]
				if name == "" {
					for part := range strings.SplitSeq(k, "_") {
						name += strings.ToUpper(part[:1]) + part[1:]
					}
				}
				m[name] = toWire(x)
			}
			return m
		case []any:
			l := []any{}
			for _, x := range v {
				l = append(l, toWire(x))
			}
			return l
		case int:
			return float64(v)
		}
		return v
	}
	want := toWire(all).(map[string]any)
	want["InstanceChargeType"], want["InstanceId"] = "POSTPAID_BY_HOUR", "emr-m620"
	want["ScaleOutNodeConfig"] = map[string]any{"NodeFlag": "TASK", "NodeCount": 1.0}
	want["ClientToken"] = providers.Token("T0", "F-7K3Q", 1)
	require.Empty(t, cmp.Diff(want, body))

	// The list above misses nothing: neither of our params nor of the SDK's type.
	ours := reflect.TypeFor[params]()
	removal := []string{"GraceDownFlag", "GraceDownTime", "TerminateApi"}
	for f := range ours.Fields() {
		if name := f.Name; !slices.Contains(removal, name) {
			require.Contains(t, all, snake(name))
		}
	}
	sdk := reflect.TypeFor[emr.ScaleOutClusterRequestParams]()
	for f := range sdk.Fields() {
		name := f.Name
		_, own := ownFields[snake(name)]
		_, has := ours.FieldByName(name)
		require.True(t, own != has, "%s must be either configurable or said by the request", name)
	}
}

func TestWhatChatSaysGoesOverConfig(t *testing.T) {
	yes, no := true, false
	scripted := maps.Clone(documentParams())
	scripted["script_bootstrap_action_config"] = []any{map[string]any{"cos_file_uri": "https://b.cos.example/x.sh"}}
	scripted["tags"] = []any{map[string]any{"tag_key": "team", "tag_value": "old"}, map[string]any{"tag_key": "keep", "tag_value": "1"}}
	silent := map[string]any{}
	for name, tc := range map[string]struct {
		params map[string]any
		edit   func(*providers.Change)
		look   func(t *testing.T, body map[string]any)
	}{
		"services start unless somebody says no": {silent, func(*providers.Change) {}, func(t *testing.T, b map[string]any) {
			require.Equal(t, true, b["EnableStartServiceFlag"])
			require.NotContains(t, b, "InstanceChargePrepaid")
			require.NotContains(t, b, "ResourceSpec")
		}},
		"no-start": {scripted, func(c *providers.Change) { c.Start = &no }, func(t *testing.T, b map[string]any) {
			require.Equal(t, false, b["EnableStartServiceFlag"])
		}},
		"config says no start": {map[string]any{"enable_start_service_flag": false}, func(*providers.Change) {}, func(t *testing.T, b map[string]any) {
			require.Equal(t, false, b["EnableStartServiceFlag"])
		}},
		"start over config": {map[string]any{"enable_start_service_flag": false}, func(c *providers.Change) { c.Start = &yes }, func(t *testing.T, b map[string]any) {
			require.Equal(t, true, b["EnableStartServiceFlag"])
		}},
		"no-bootstrap drops the scripts": {scripted, func(c *providers.Change) { c.Bootstrap = &no }, func(t *testing.T, b map[string]any) {
			require.NotContains(t, b, "ScriptBootstrapActionConfig")
		}},
		"scripts run by default": {scripted, func(*providers.Change) {}, func(t *testing.T, b map[string]any) {
			require.Len(t, b["ScriptBootstrapActionConfig"], 1)
		}},
		"spec keeps the configured disks": {scripted, func(c *providers.Change) { c.InstanceType = "S5.LARGE8" }, func(t *testing.T, b map[string]any) {
			spec := b["ResourceSpec"].(map[string]any)
			require.Equal(t, "S5.LARGE8", spec["InstanceType"])
			require.Len(t, spec["DataDisk"], 1)
		}},
		"disks replace data disks only": {scripted, func(c *providers.Change) {
			c.Disks = []providers.Disk{{Type: "CLOUD_SSD", SizeG: 100, Count: 2}}
		}, func(t *testing.T, b map[string]any) {
			spec := b["ResourceSpec"].(map[string]any)
			require.Equal(t, []any{map[string]any{"DiskType": "CLOUD_SSD", "DiskSize": 100.0, "Count": 2.0}}, spec["DataDisk"])
			require.Len(t, spec["SystemDisk"], 1)
		}},
		"tags merge": {scripted, func(c *providers.Change) { c.Tags = map[string]string{"team": "new", "b": "2", "a": "1"} }, func(t *testing.T, b map[string]any) {
			tag := func(k, v string) any { return map[string]any{"TagKey": k, "TagValue": v} }
			require.Equal(t, []any{tag("team", "new"), tag("keep", "1"), tag("a", "1"), tag("b", "2")}, b["Tags"])
		}},
		"zone": {silent, func(c *providers.Change) { c.Zone = "ap-guangzhou-4" }, func(t *testing.T, b map[string]any) {
			require.Equal(t, "ap-guangzhou-4", b["Zone"])
		}},
		"spot": {silent, func(c *providers.Change) { c.Charge = providers.Spot }, func(t *testing.T, b map[string]any) {
			require.Equal(t, "SPOTPAID", b["InstanceChargeType"])
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tc.params)
			b.always("ScaleOutCluster", ok(accepted))
			c := change("task", 2)
			tc.edit(&c)
			_, err := b.submit(t, c)
			require.NoError(t, err)
			tc.look(t, b.of("ScaleOutCluster")[0].body)
			// The shared params are as they were: a second, plain request says so.
			before := b.of("ScaleOutCluster")[0].body
			_, err = b.submit(t, c)
			require.NoError(t, err)
			require.Equal(t, before, b.of("ScaleOutCluster")[1].body)
		})
	}
}

func TestRemovalsOnTheWire(t *testing.T) {
	t.Run("chosen nodes, newest first", func(t *testing.T) {
		b := newBench(t, nil)
		b.always("TerminateClusterNodes", ok(`{"FlowId":4711,"RequestId":"r"}`))
		op, err := b.submit(t, change("task", -2))
		require.NoError(t, err)
		require.Equal(t, providers.Operation{ID: "4711", RequestID: "r", AcceptedAt: noon}, op)
		require.Equal(t, map[string]any{"InstanceId": "emr-m620", "NodeFlag": "TASK", "CvmInstanceIds": []any{"ins-task3", "ins-task4"}},
			b.of("TerminateClusterNodes")[0].body)
	})
	t.Run("drain", func(t *testing.T) {
		b := newBench(t, map[string]any{"grace_down_flag": true, "grace_down_time": 120})
		b.always("TerminateClusterNodes", ok(`{"FlowId":4711}`))
		c := change("task", -1)
		_, err := b.submit(t, c)
		require.NoError(t, err)
		c.Drain = 30 * time.Minute
		_, err = b.submit(t, c)
		require.NoError(t, err)
		calls := b.of("TerminateClusterNodes")
		require.Equal(t, 120.0, calls[0].body["GraceDownTime"])
		require.Equal(t, 1800.0, calls[1].body["GraceDownTime"])
		require.Equal(t, true, calls[1].body["GraceDownFlag"])
	})
	t.Run("TerminateTasks", func(t *testing.T) {
		b := newBench(t, map[string]any{"terminate_api": "terminate_tasks"})
		b.always("TerminateTasks", ok(`{"RequestId":"r"}`))
		c := change("task", -1)
		c.Nodes = []string{"ins-task1"}
		op, err := b.submit(t, c)
		require.NoError(t, err)
		require.Equal(t, providers.Operation{RequestID: "r", AcceptedAt: noon}, op)
		require.Equal(t, map[string]any{"InstanceId": "emr-m620", "ResourceIds": []any{"emr-vm-task1"}}, b.of("TerminateTasks")[0].body)

		sub := b.submission(t, c)
		delete(sub.Baseline.Facts, factResource+"ins-task1")
		_, err = b.p.Submit(context.Background(), sub)
		require.Equal(t, providers.NotFound, providers.KindOf(err))
		require.Len(t, b.of("TerminateTasks"), 1)
	})
}

// An acceptance that names no flow can't be followed and must not be repeated.
func TestAcceptedWithoutFlowIsUnknown(t *testing.T) {
	for _, body := range []string{`{"FlowId":0}`, `{"RequestId":"r"}`, `null`} {
		b := newBench(t, nil)
		b.always("ScaleOutCluster", ok(body))
		b.always("TerminateClusterNodes", ok(body))
		_, err := b.submit(t, change("task", 1))
		require.Equal(t, providers.Unknown, providers.KindOf(err), body)
		_, err = b.submit(t, change("task", -1))
		require.Equal(t, providers.Unknown, providers.KindOf(err), body)
	}
}

func TestSubmitSendsNothingWhen(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*bench, *providers.Submission)
		kind providers.Kind
	}{
		"the params changed since the vote": {func(_ *bench, s *providers.Submission) {
			s.Change.Profile = adapter.Digest(map[string]any{"zone": "x"})
		}, providers.Refused},
		"the plan has no profile":   {func(_ *bench, s *providers.Submission) { s.Change.Profile = "" }, providers.Refused},
		"there is no token":         {func(_ *bench, s *providers.Submission) { s.Token = "" }, providers.Refused},
		"the count would wrap":      {func(_ *bench, s *providers.Submission) { s.Change.Delta = 0 }, providers.Refused},
		"the group left the config": {func(_ *bench, s *providers.Submission) { s.Change.Group = "gone" }, providers.Refused},
		"the replica was frozen":    {func(b *bench, _ *providers.Submission) { b.clock.set(noon.Add(adapter.SendWithin + time.Second)) }, providers.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			sub := b.submission(t, change("task", 2))
			tc.edit(b, &sub)
			_, err := b.p.Submit(context.Background(), sub)
			require.Equal(t, tc.kind, providers.KindOf(err))
			require.NotEmpty(t, providers.AdviceOf(err).ZH)
			require.Empty(t, b.of("ScaleOutCluster"))
		})
	}
}

// A redirect of a POST with 307 would make Go send the change a second time.
func TestRedirectIsNotFollowed(t *testing.T) {
	b := newBench(t, nil)
	b.always("ScaleOutCluster", answer{status: http.StatusTemporaryRedirect, location: "/again"})
	_, err := b.submit(t, change("task", 1))
	require.Equal(t, providers.Unknown, providers.KindOf(err))
	require.Len(t, b.of("ScaleOutCluster"), 1)
}
