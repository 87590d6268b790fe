package tencentemr

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// params are the request fields that a group's config may set. The keys of
// config are the field names in snake_case, down to the nested structs of the
// SDK, so the list of keys, their types and the decoding are this one type.
//
// Left out on purpose: what a request says itself (InstanceChargeType,
// InstanceId, ScaleOutNodeConfig, ClientToken, InstanceChargePrepaid).
type params struct {
	ScriptBootstrapActionConfig   []*emr.ScriptBootstrapActionConfig
	SoftDeployInfo                []*int64
	ServiceNodeInfo               []*int64
	DisasterRecoverGroupIds       []*string //nolint:revive // named as the SDK names fields: the config key is made from it
	Tags                          []*emr.Tag
	HardwareSourceType            *string
	PodSpecInfo                   *emr.PodSpecInfo
	ClickHouseClusterName         *string
	ClickHouseClusterType         *string
	YarnNodeLabel                 *string
	EnableStartServiceFlag        *bool
	ResourceSpec                  *emr.NodeResourceSpec
	Zone                          *string
	SubnetId                      *string //nolint:revive // named as the SDK names fields: the config key is made from it
	ScaleOutServiceConfGroupsInfo []*emr.ScaleOutServiceConfGroupsInfo
	NodeMarks                     *nodeMark

	// How nodes are removed; these belong to TerminateClusterNodes, and the last
	// one is ours: it chooses the call.
	GraceDownFlag *bool
	GraceDownTime *int64
	TerminateApi  *string //nolint:revive // named as the SDK names fields: the config key is made from it
}

// nodeMark is on the ScaleOutCluster page but not in this version of the SDK.
type nodeMark struct {
	NodeType  *string   `json:"NodeType,omitempty"`
	NodeNames []*string `json:"NodeNames,omitempty"`
	Zone      *string   `json:"Zone,omitempty"`
}

// The two calls that remove nodes.
const (
	terminateNodes = "terminate_cluster_nodes"
	terminateTasks = "terminate_tasks"
)

// The bounds of GraceDownTime in seconds (reference section 5).
const (
	minGrace = 60
	maxGrace = 1800
)

func (p *params) usesTerminateTasks() bool { return value(p.TerminateApi) == terminateTasks }

// decodeParams turns config's params into the SDK's types. It reports every
// problem and decodes the rest.
func decodeParams(raw map[string]any) (*params, []providers.Problem) {
	d := decoder{}
	p := new(params)
	d.object(reflect.ValueOf(p).Elem(), raw, []string{"params"})
	return p, d.Found
}

type decoder struct{ adapter.Problems }

func (d *decoder) object(dst reflect.Value, raw map[string]any, path []string) {
	fields := make(map[string]int, dst.NumField())
	names := make([]string, 0, dst.NumField())
	for i := range dst.NumField() {
		name := snake(dst.Type().Field(i).Name)
		fields[name] = i
		names = append(names, name)
	}
	keys := make([]string, 0, len(raw))
	for k := range raw {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		at := append(slices.Clone(path), k)
		i, ok := fields[k]
		switch why, own := ownFields[k]; {
		case ok:
			d.value(dst.Field(i), raw[k], at)
		case own && len(path) == 1:
			d.Bad(at, "", "%s can't be configured: %s.", k, why)
		default:
			d.Bad(at, providers.Nearest(k, names), "There is no field %s here; the fields are %s.", k, strings.Join(names, ", "))
		}
	}
}

// ownFields are request fields that people look for in params.
var ownFields = map[string]string{
	"instance_charge_type":    "it comes from the command or the group's charge",
	"instance_charge_prepaid": "the term comes from the command",
	"instance_id":             "it is the cluster's id",
	"scale_out_node_config":   "it is the group and the amount of the command",
	"client_token":            "scalebot makes its own, which protects against a double order",
}

func (d *decoder) value(dst reflect.Value, raw any, path []string) {
	key := path[len(path)-1]
	t := dst.Type()
	switch {
	case t.Kind() == reflect.Slice:
		list, ok := raw.([]any)
		if !ok {
			d.Bad(path, "", "%s must be a list, not %s.", key, adapter.TypeName(raw))
			return
		}
		out := reflect.MakeSlice(t, 0, len(list)) // empty but not nil: sent as []
		for i, item := range list {
			v := reflect.New(t.Elem()).Elem()
			d.value(v, item, append(slices.Clone(path), strconv.Itoa(i)))
			if !v.IsNil() {
				out = reflect.Append(out, v)
			}
		}
		dst.Set(out)
	case t.Elem().Kind() == reflect.Struct:
		m, ok := raw.(map[string]any)
		if !ok {
			d.Bad(path, "", "%s must be a map of fields, not %s.", key, adapter.TypeName(raw))
			return
		}
		v := reflect.New(t.Elem())
		d.object(v.Elem(), m, path)
		dst.Set(v)
	default:
		v := reflect.New(t.Elem())
		if want, ok := scalar(v.Interface(), raw); !ok {
			d.Bad(path, "", "%s must be %s, not %s.", key, want, adapter.TypeName(raw))
			return
		}
		dst.Set(v)
	}
}

// scalar fills what dst points to with what YAML gave; want is what it takes.
func scalar(dst, raw any) (want string, ok bool) {
	switch p := dst.(type) {
	case *string:
		*p, ok = raw.(string)
		return "a text (in quotes if it looks like a number)", ok
	case *bool:
		*p, ok = raw.(bool)
		return "true or false", ok
	case *int64:
		*p, ok = adapter.Integer(raw)
		return "a whole number", ok
	case *uint64:
		n, ok := adapter.Integer(raw)
		*p = uint64(max(n, 0))
		return "a whole number from 0", ok && n >= 0
	case *float64:
		if *p, ok = raw.(float64); !ok {
			var n int64
			n, ok = adapter.Integer(raw)
			*p = float64(n)
		}
		return "a number", ok && !math.IsNaN(*p) && !math.IsInf(*p, 0)
	}
	panic(fmt.Sprintf("tencentemr: params holds a type that decoding does not know: %T", dst))
}

// check looks at ranges and at what goes together; id is the group's node type.
func (p *params) check(id string) []providers.Problem {
	c := checker{}
	for i, s := range p.ScriptBootstrapActionConfig {
		at := []string{"script_bootstrap_action_config", strconv.Itoa(i)}
		c.required(at, "cos_file_uri", s.CosFileURI)
		c.oneOf(append(at, "execution_moment"), s.ExecutionMoment, true, "resourceAfter", "clusterAfter", "clusterBefore")
	}
	c.positive("soft_deploy_info", p.SoftDeployInfo)
	c.positive("service_node_info", p.ServiceNodeInfo)
	if len(p.DisasterRecoverGroupIds) > 1 {
		c.add([]string{"disaster_recover_group_ids"}, "", "Only one spread placement group can be given.")
	}
	for i, s := range p.DisasterRecoverGroupIds {
		c.filled([]string{"disaster_recover_group_ids", strconv.Itoa(i)}, s)
	}
	c.tags([]string{"tags"}, p.Tags)
	c.oneOf([]string{"hardware_source_type"}, p.HardwareSourceType, false, "HOST", "POD", "MNode")
	if p.PodSpecInfo != nil {
		if !strings.EqualFold(value(p.HardwareSourceType), "POD") {
			c.add([]string{"pod_spec_info"}, "", "pod_spec_info is only for hardware_source_type: POD.")
		}
		c.podSpec(p.PodSpecInfo)
	}
	c.filled([]string{"click_house_cluster_name"}, p.ClickHouseClusterName)
	c.oneOf([]string{"click_house_cluster_type"}, p.ClickHouseClusterType, false, "new", "old")
	c.filled([]string{"yarn_node_label"}, p.YarnNodeLabel)
	c.filled([]string{"zone"}, p.Zone)
	c.filled([]string{"subnet_id"}, p.SubnetId)
	c.resourceSpec(p.ResourceSpec)
	for i, s := range p.ScaleOutServiceConfGroupsInfo {
		c.required([]string{"scale_out_service_conf_groups_info", strconv.Itoa(i)}, "service_component_name", s.ServiceComponentName)
	}
	c.removal(p, id)
	return c.problems
}

type checker struct{ problems []providers.Problem }

func (c *checker) add(path []string, suggest, format string, args ...any) {
	c.problems = append(c.problems, providers.Problem{
		Path: append([]string{"params"}, path...), Text: fmt.Sprintf(format, args...), Suggest: suggest,
	})
}

func (c *checker) required(path []string, key string, s *string) {
	if s == nil {
		c.add(path, "", "%s is missing.", key)
		return
	}
	c.filled(append(slices.Clone(path), key), s)
}

func (c *checker) filled(path []string, s *string) {
	if s != nil && strings.TrimSpace(*s) == "" {
		c.add(path, "", "%s is empty; leave it out to take the cloud's default.", path[len(path)-1])
	}
}

func (c *checker) oneOf(path []string, s *string, exact bool, allowed ...string) {
	if s == nil {
		return
	}
	for _, a := range allowed {
		if *s == a || !exact && strings.EqualFold(*s, a) {
			return
		}
	}
	c.add(path, providers.Nearest(*s, allowed), "%q is not possible here: %s.", *s, strings.Join(allowed, ", "))
}

func (c *checker) positive(key string, list []*int64) {
	for i, n := range list {
		if *n < 1 {
			c.add([]string{key, strconv.Itoa(i)}, "", "The numbers of %s come from Tencent's mapping table and begin at 1.", key)
		}
	}
}

func (c *checker) tags(path []string, tags []*emr.Tag) {
	seen := map[string]bool{}
	for i, t := range tags {
		at := append(slices.Clone(path), strconv.Itoa(i))
		c.required(at, "tag_key", t.TagKey)
		if k := value(t.TagKey); k != "" && seen[k] {
			c.add(at, "", "The tag %s is given twice.", k)
		} else {
			seen[k] = true
		}
		if t.TagValue == nil {
			c.add(at, "", "tag_value is missing.")
		}
	}
}

func (c *checker) podSpec(p *emr.PodSpecInfo) {
	if p.PodSpec == nil {
		return
	}
	at := []string{"pod_spec_info", "pod_spec"}
	c.required(at, "resource_provider_identifier", p.PodSpec.ResourceProviderIdentifier)
	for i, v := range p.PodSpec.PodVolumes {
		c.oneOf(append(slices.Clone(at), "pod_volumes", strconv.Itoa(i), "volume_type"), v.VolumeType, true, "pvc", "hostpath")
	}
}

// The limits of ResourceSpec: at most one system disk, at most 15 cloud data
// disks (SDK, NodeResourceSpec). Disk types are not checked against a list: the
// document's own example uses one that is in no list.
func (c *checker) resourceSpec(r *emr.NodeResourceSpec) {
	if r == nil {
		return
	}
	at := []string{"resource_spec"}
	c.required(at, "instance_type", r.InstanceType)
	c.tags([]string{"resource_spec", "tags"}, r.Tags)
	if n := c.disks("system_disk", r.SystemDisk); n > 1 {
		c.add([]string{"resource_spec", "system_disk"}, "", "A node has one system disk, not %d.", n)
	}
	if n := c.disks("data_disk", r.DataDisk); n > maxDataDisks {
		c.add([]string{"resource_spec", "data_disk"}, "", "A node takes at most %d data disks, not %d.", maxDataDisks, n)
	}
	c.disks("local_data_disk", r.LocalDataDisk)
}

const maxDataDisks = 15

func (c *checker) disks(key string, disks []*emr.DiskSpecInfo) (total int64) {
	for i, d := range disks {
		at := []string{"resource_spec", key, strconv.Itoa(i)}
		c.required(at, "disk_type", d.DiskType)
		if d.DiskSize == nil || *d.DiskSize < 1 {
			c.add(append(slices.Clone(at), "disk_size"), "", "disk_size is the size in GB, from 1.")
		}
		n := int64(1)
		if d.Count != nil {
			n = *d.Count
		}
		if n < 1 || n > math.MaxInt32 {
			c.add(append(slices.Clone(at), "count"), "", "count is the number of disks, from 1.")
			n = 0
		}
		total += n
		if d.ExtraPerformance != nil && *d.ExtraPerformance < 0 {
			c.add(append(slices.Clone(at), "extra_performance"), "", "extra_performance is in MB/s, from 0.")
		}
	}
	return total
}

func (c *checker) removal(p *params, id string) {
	c.oneOf([]string{"terminate_api"}, p.TerminateApi, true, terminateNodes, terminateTasks)
	if t := p.GraceDownTime; t != nil {
		if *t < minGrace || *t > maxGrace {
			c.add([]string{"grace_down_time"}, "", "grace_down_time is %d to %d seconds.", minGrace, maxGrace)
		}
		if p.GraceDownFlag == nil || !*p.GraceDownFlag {
			c.add([]string{"grace_down_time"}, "", "grace_down_time works only with grace_down_flag: true.")
		}
	}
	if !p.usesTerminateTasks() {
		return
	}
	if id != task {
		c.add([]string{"terminate_api"}, terminateNodes, "TerminateTasks removes task nodes only.")
	}
	if p.GraceDownFlag != nil && *p.GraceDownFlag {
		c.add([]string{"grace_down_flag"}, "", "TerminateTasks can't let work finish first; use terminate_api: %s.", terminateNodes)
	}
}

// snake turns a Go field name into a config key: CosFileURI → cos_file_uri,
// PVCVolume → pvc_volume.
func snake(name string) string {
	rs := []rune(name)
	var b strings.Builder
	for i, r := range rs {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// value reads a pointer of the SDK; nil is the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
