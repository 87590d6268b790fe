package alibabaack

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// params are a group's configured request fields under their own names, which
// are the wire's names: text as string, numbers as int64, flags as bool, lists as
// []any, objects as map[string]any. They are never changed after decode.
type params map[string]any

// shape is the type of a field on the wire.
type shape int

const (
	text     shape = iota
	number         // a whole number
	flag           // true or false
	texts          // a list of texts
	sizeText       // a number that the wire wants as text; config may write either
	flagText       // true or false that the wire wants as text; config may write either
	object
	objects
)

// field is one field of a form's body.
type field struct {
	name  string
	shape shape
	of    []field // the fields of object and objects
}

// removal are our own three params for how nodes leave: the options of
// RemoveNodePoolNodes and DeleteClusterNodes (reference section 5).
var removal = []field{{name: "drain_node", shape: flag}, {name: "release_node", shape: flag}, {name: "concurrency", shape: flag}}

// fieldsOf is what config may set, by form: every body field of the form's
// document but those that the command says itself. worker_data_disks has one
// field more than the document: the SDK's.
var fieldsOf = map[form][]field{
	poolForm: removal,
	workerForm: append([]field{
		{name: "worker_instance_charge_type", shape: text},
		{name: "worker_period", shape: number},
		{name: "worker_period_unit", shape: text},
		{name: "worker_auto_renew", shape: flag},
		{name: "worker_auto_renew_period", shape: number},
		{name: "worker_system_disk_category", shape: text},
		{name: "worker_system_disk_size", shape: number},
		{name: "worker_data_disk", shape: flag},
		{name: "key_pair", shape: text},
		{name: "login_password", shape: text},
		{name: "cloud_monitor_flags", shape: flag},
		{name: "cpu_policy", shape: text},
		{name: "disable_rollback", shape: flag},
		{name: "image_id", shape: text},
		{name: "user_data", shape: text},
		{name: "runtime", shape: object, of: []field{{name: "name", shape: text}, {name: "version", shape: text}}},
		{name: "vswitch_ids", shape: texts},
		{name: "worker_instance_types", shape: texts},
		{name: "rds_instances", shape: texts},
		{name: "worker_data_disks", shape: objects, of: []field{
			{name: "category", shape: text}, {name: "encrypted", shape: flagText}, {name: "size", shape: sizeText}, {name: "auto_snapshot_policy_id", shape: text},
		}},
		{name: "tags", shape: objects, of: []field{{name: "key", shape: text}, {name: "value", shape: text}}},
		{name: "taints", shape: objects, of: []field{{name: "effect", shape: text}, {name: "key", shape: text}, {name: "value", shape: text}}},
	}, removal...),
	edgeForm: append([]field{
		{name: "worker_instance_type", shape: text},
		{name: "ens_region_id", shape: text},
		{name: "worker_image_id", shape: text},
		{name: "ens_internet_charge_type", shape: text},
		{name: "worker_period", shape: number},
		{name: "login_password", shape: text},
		{name: "worker_system_disk_size", shape: number},
		{name: "is_edge_worker", shape: flag},
		{name: "worker_data_disk_size", shape: number},
		{name: "worker_auto_renew", shape: flag},
		{name: "worker_auto_renew_period", shape: number},
		{name: "timeout_mins", shape: number},
	}, removal...),
}

// notConfigured are fields that people look for in params.
var notConfigured = map[string]string{
	"count":      "it is the amount of the command",
	"cluster_id": "it is the cluster's id",
	"ClusterId":  "it is the cluster's id",
}

func (p params) text(key string) string { s, _ := p[key].(string); return s }
func (p params) number(key string) int  { n, _ := p[key].(int64); return int(n) }
func (p params) has(key string) bool    { _, ok := p[key]; return ok }
func (p params) texts(key string) (out []string) {
	list, _ := p[key].([]any)
	for _, x := range list {
		s, _ := x.(string)
		out = append(out, s)
	}
	return out
}

func (p params) objects(key string) (out []params) {
	list, _ := p[key].([]any)
	for _, x := range list {
		m, _ := x.(map[string]any)
		out = append(out, m)
	}
	return out
}

// flag reads a flag with its value when config doesn't say.
func (p params) flag(key string, otherwise bool) bool {
	if b, ok := p[key].(bool); ok {
		return b
	}
	return otherwise
}

// decode turns config's params into the wire's types. It reports every problem
// and decodes the rest.
func decode(raw map[string]any, fields []field) (params, []providers.Problem) {
	d := decoder{}
	return d.object(raw, fields, []string{"params"}), d.Found
}

type decoder struct{ adapter.Problems }

func (d *decoder) object(raw map[string]any, fields []field, path []string) map[string]any {
	out := make(map[string]any, len(raw))
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	keys := make([]string, 0, len(raw))
	for k := range raw {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		at := append(slices.Clone(path), k)
		i := slices.Index(names, k)
		switch why, own := notConfigured[k]; {
		case i >= 0:
			if v, ok := d.value(raw[k], fields[i], at); ok {
				out[k] = v
			}
		case own && len(path) == 1:
			d.Bad(at, "", "%s can't be configured: %s.", k, why)
		case len(path) == 1 && slices.ContainsFunc(fieldsOf[workerForm], func(f field) bool { return f.name == k }):
			d.Bad(at, "", "%s is a field of api: %s; here there are %s.", k, workerForm, strings.Join(names, ", "))
		default:
			d.Bad(at, providers.Nearest(k, names), "There is no field %s here; the fields are %s.", k, strings.Join(names, ", "))
		}
	}
	return out
}

// wanted is what to tell people about a shape.
var wanted = map[shape]string{
	text: "a text (in quotes if it looks like a number)", number: "a whole number", flag: "true or false",
	texts: "a list of texts", sizeText: "a whole number", flagText: "true or false",
	object: "a map of fields", objects: "a list of maps",
}

func (d *decoder) value(raw any, f field, path []string) (any, bool) {
	switch f.shape {
	case texts, objects:
		list, ok := raw.([]any)
		if !ok {
			break
		}
		item := field{name: f.name, shape: text}
		if f.shape == objects {
			item = field{name: f.name, shape: object, of: f.of}
		}
		out := make([]any, 0, len(list)) // empty but not nil: sent as []
		for i, x := range list {
			if v, ok := d.value(x, item, append(slices.Clone(path), strconv.Itoa(i))); ok {
				out = append(out, v)
			}
		}
		return out, true
	case object:
		if m, ok := raw.(map[string]any); ok {
			return d.object(m, f.of, path), true
		}
	case text, number, flag, sizeText, flagText:
		if v, ok := scalar(raw, f.shape); ok {
			return v, true
		}
	}
	d.Bad(path, "", "%s must be %s, not %s.", path[len(path)-1], wanted[f.shape], adapter.TypeName(raw))
	return nil, false
}

func scalar(raw any, s shape) (any, bool) {
	switch s {
	case text:
		v, ok := raw.(string)
		return v, ok
	case flag:
		v, ok := raw.(bool)
		return v, ok
	case number:
		n, ok := adapter.Integer(raw)
		return n, ok
	case sizeText:
		if t, isText := raw.(string); isText {
			n, err := strconv.ParseInt(t, 10, 64)
			return strconv.FormatInt(n, 10), err == nil
		}
		n, ok := adapter.Integer(raw)
		return strconv.FormatInt(n, 10), ok
	case flagText:
		if t, isText := raw.(string); isText {
			return t, t == "true" || t == "false"
		}
		b, ok := raw.(bool)
		return strconv.FormatBool(b), ok
	case texts, object, objects:
	}
	return nil, false
}
