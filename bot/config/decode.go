package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"scalebot/providers"
)

// decoder fills the structs of keys.go from a tree and reports every fault of
// form. It goes on after a fault, leaving the zero value.
type decoder struct{ *report }

// keysOf are the fields of a struct by their key, in the order of the struct.
func keysOf(t reflect.Type) []reflect.StructField {
	fields := make([]reflect.StructField, t.NumField())
	for i := range fields {
		fields[i] = t.Field(i)
	}
	return fields
}

func yamlKey(f reflect.StructField) string { return f.Tag.Get("yaml") }

func (d decoder) object(v reflect.Value, n *node, path []string) {
	fields := keysOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = yamlKey(f)
	}
	if n != nil && n.kind != mapNode && n.kind != nullNode {
		d.at(path, "must be keys with values: "+strings.Join(names, ", "), "")
		return
	}
	if n != nil {
		for _, f := range n.fields {
			if !slices.Contains(names, f.key) {
				d.unknown(below(path, f.key), names)
			}
		}
	}
	for i, f := range fields {
		d.value(v.Field(i), n.get(names[i]), below(path, names[i]), f.Tag)
	}
}

func (d decoder) unknown(path, names []string) {
	if s := providers.Nearest(path[len(path)-1], names); s != "" {
		d.atKey(path, "unknown key", s)
		return
	}
	d.atKey(path, "unknown key; there are "+strings.Join(names, ", "), "")
}

// value decodes one key. A nil node means that the key is missing.
func (d decoder) value(v reflect.Value, n *node, path []string, tag reflect.StructTag) {
	if n != nil && n.kind == nullNode && d.reported(path) { // it is not empty, it could not be read
		return
	}
	if n != nil && n.kind == nullNode && tag.Get("null") == "no" {
		d.at(path, "has nothing behind it: fill it in, or take the key away", "")
		return
	}
	if n == nil && tag.Get("required") == "true" {
		d.at(path, "is missing", "")
		return
	}
	if l, ok := leaves[v.Type()]; ok {
		d.leaf(v, n, path, tag, l)
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		if n != nil {
			v.Set(reflect.New(v.Type().Elem()))
			d.value(v.Elem(), n, path, tag)
		}
	case v.Kind() == reflect.Struct:
		d.object(v, n, path)
	case v.Kind() == reflect.Map:
		d.dict(v, n, path, tag)
	case v.Kind() == reflect.Slice:
		d.list(v, n, path, tag)
	default:
		panic("config: no decoder for " + v.Type().String())
	}
}

func (d decoder) leaf(v reflect.Value, n *node, path []string, tag reflect.StructTag, l leaf) {
	text := tag.Get("default")
	switch {
	case n == nil:
		if text == "" {
			return
		}
	case n.kind == nullNode:
		d.at(path, `has no value: take the key away, or write "" where empty is meant`, "")
		return
	case n.kind != scalarNode:
		d.at(path, "must be "+l.hint+", not a list or keys", "")
		return
	default:
		if d.reported(path) { // its variable isn't set: all that follows would be nonsense
			return
		}
		text = n.text
	}
	_, secret := v.Interface().(providers.Secret)
	got, ok := l.parse(text)
	switch {
	case !ok && !secret:
		d.at(path, fmt.Sprintf("must be %s, not %q", l.hint, text), "")
		return
	case text == "" && tag.Get("required") == "true":
		d.at(path, "is empty", "")
		return
	}
	if wrong := bounds(got, tag); wrong != "" {
		d.at(path, fmt.Sprintf("%s, not %s", wrong, text), "")
		return
	}
	if words := tag.Get("enum"); words != "" && !slices.Contains(strings.Split(words, "|"), text) {
		choices := strings.Split(words, "|")
		d.at(path, fmt.Sprintf("must be %s, not %q", strings.Join(choices, " or "), text), providers.Nearest(text, choices))
		return
	}
	if d.form(path, text, tag.Get("form")) {
		v.Set(reflect.ValueOf(got))
	}
}

// form reports whether a text has the named form; "" is any.
func (d decoder) form(path []string, text, name string) bool {
	if name == "" {
		return true
	}
	f, ok := forms[name]
	if !ok {
		panic("config: no form " + name)
	}
	if !f.pattern.MatchString(text) {
		d.at(path, fmt.Sprintf("must be %s, not %q", f.hint, text), "")
		return false
	}
	return true
}

func (d decoder) list(v reflect.Value, n *node, path []string, tag reflect.StructTag) {
	if n == nil {
		if words := strings.Fields(tag.Get("default")); len(words) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), len(words), len(words)))
			for i, word := range words {
				d.value(v.Index(i), &node{kind: scalarNode, text: word}, below(path, fmt.Sprint(i)), itemTag(tag))
			}
		}
		return
	}
	if n.kind == nullNode {
		return
	}
	if n.kind != listNode {
		d.at(path, "must be a list: [a, b], or one item per line after a dash", "")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, it := range n.items {
		d.value(v.Index(i), it, below(path, fmt.Sprint(i)), itemTag(tag))
	}
}

func (d decoder) dict(v reflect.Value, n *node, path []string, tag reflect.StructTag) {
	if n == nil || n.kind == nullNode {
		return
	}
	if n.kind != mapNode {
		d.at(path, "must be keys with values", "")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, f := range n.fields {
		at := below(path, f.key)
		switch {
		case tag.Get("keys") == "name" && !typed(f.key):
			d.atKey(at, "a name must be "+forms["name"].hint, "")
		case f.key == "":
			d.atKey(at, "the key is empty", "")
		}
		if v.Type().Elem().Kind() == reflect.Interface {
			d.noHoles(f.value, at)
			v.SetMapIndex(reflect.ValueOf(f.key), reflect.ValueOf(f.value.plain()))
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(e, f.value, at, itemTag(tag))
		v.SetMapIndex(reflect.ValueOf(f.key), e)
	}
}

// noHoles refuses what no API field takes: nothing at all, and no number.
func (d decoder) noHoles(n *node, path []string) {
	switch n.kind {
	case nullNode:
		if !d.reported(path) {
			d.at(path, "has no value: take the key away", "")
		}
	case scalarNode:
		if f, ok := n.value.(float64); ok && math.IsNaN(f) {
			d.at(path, "must be a number that can be sent", "")
		}
	case listNode:
		for i, it := range n.items {
			d.noHoles(it, below(path, fmt.Sprint(i)))
		}
	case mapNode:
		for _, f := range n.fields {
			d.noHoles(f.value, below(path, f.key))
		}
	}
}
