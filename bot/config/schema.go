package config

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"strconv"
	"strings"
)

// variable is how a value that comes from the environment looks in the file; it
// may stand for any scalar.
const variable = `\$\{[A-Za-z_][A-Za-z0-9_]*\}`

// Schema is the JSON Schema (draft 2020-12) of the config file, for editors. It
// is made of the same structs that the decoder fills. It says less than the
// loader: params, conditions and whatever takes two keys to see are checked
// only there.
func Schema() []byte {
	s := objectSchema(reflect.TypeFor[fileKeys](), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "scalebot config"
	s["$defs"] = map[string]any{
		"variable": map[string]any{"type": "string", "pattern": variable, "description": "${NAME}: an environment variable."},
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: a schema is plain data: " + err.Error())
	}
	return append(out, '\n')
}

// objectSchema describes a struct; kind narrows it to the keys of one provider.
func objectSchema(t reflect.Type, kind string) map[string]any {
	props, required := map[string]any{}, []string{}
	for _, f := range keysOf(t) {
		if kind != "" && !ofKind(f, kind) {
			continue
		}
		key := yamlKey(f)
		p := typeSchema(f.Type, f.Tag)
		p["description"] = f.Tag.Get("doc")
		if d, ok := f.Tag.Lookup("default"); ok && d != "" {
			p["default"] = defaultOf(f.Type, d)
		}
		if kind != "" && key == "provider" {
			p["const"] = kind
		}
		props[key] = p
		if f.Tag.Get("required") == "true" {
			required = append(required, key)
		}
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": props}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func typeSchema(t reflect.Type, tag reflect.StructTag) map[string]any {
	if l, ok := leaves[t]; ok {
		return leafSchema(l, tag)
	}
	nothing := map[string]any{"type": "null"}
	if tag.Get("null") == "no" || tag.Get("required") == "true" {
		nothing = nil
	}
	var s map[string]any
	switch {
	case t.Kind() == reflect.Pointer:
		return typeSchema(t.Elem(), tag)
	case t.Kind() == reflect.Struct:
		if t == reflect.TypeFor[accountKeys]() {
			kinds := make([]any, len(knownKinds))
			for i, k := range knownKinds {
				kinds[i] = objectSchema(t, k)
			}
			return map[string]any{"oneOf": kinds}
		}
		s = objectSchema(t, "")
	case t.Kind() == reflect.Map:
		s = map[string]any{"type": "object"}
		if t.Elem().Kind() != reflect.Interface {
			s["additionalProperties"] = typeSchema(t.Elem(), itemTag(tag))
		}
		if tag.Get("keys") == "name" {
			s["propertyNames"] = map[string]any{"pattern": forms["name"].schema()}
		}
	case t.Kind() == reflect.Slice:
		s = map[string]any{"type": "array", "items": typeSchema(t.Elem(), itemTag(tag))}
	default:
		panic("config: no schema for " + t.String())
	}
	if nothing != nil {
		return anyOf(s, nothing)
	}
	return s
}

func leafSchema(l leaf, tag reflect.StructTag) map[string]any {
	s := maps.Clone(l.schema)
	if words := tag.Get("enum"); words != "" {
		s["enum"] = strings.Split(words, "|")
	}
	if name := tag.Get("form"); name != "" {
		s["pattern"] = forms[name].schema()
	}
	if s["type"] == "integer" && tag.Get("min") != "" {
		s["minimum"], s["maximum"] = json.Number(tag.Get("min")), json.Number(tag.Get("max"))
	}
	if s["type"] == "string" && len(s) == 1 {
		return s // any text, a variable's name included
	}
	return anyOf(s, map[string]any{"$ref": "#/$defs/variable"})
}

// schema is the pattern in the dialect that all validators share.
func (f form) schema() string { return cmp.Or(f.portable, f.pattern.String()) }

// itemTag are the checks of a list or map that hold for its items.
func itemTag(tag reflect.StructTag) reflect.StructTag {
	var keep []string
	for _, k := range []string{"form", "min", "max"} {
		if v := tag.Get(k); v != "" {
			keep = append(keep, k+":"+strconv.Quote(v))
		}
	}
	return reflect.StructTag(strings.Join(keep, " "))
}

// defaultOf is a default as the file would have it.
func defaultOf(t reflect.Type, text string) any {
	switch {
	case t.Kind() == reflect.Slice:
		return strings.Fields(text)
	case t.Kind() == reflect.Bool:
		return text == "true"
	case t.Kind() == reflect.Int:
		return json.Number(text)
	}
	return text
}
