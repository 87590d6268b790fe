package cloudsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// decode reads a body into the struct that p points to, as strictly as the real
// front does: names are case-sensitive and must be known, types must fit, fields
// tagged `tc:"required"` must be there. encoding/json alone is no judge of that:
// it matches names in any case and takes a missing field for zero.
//
// null is refused like any other wrong type; the vendor's text doesn't say, and
// a caller that means "not given" leaves the field out. A field of Go type
// map[string]any takes any object: its inside isn't in the references.
func decode(body []byte, p any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return refuse(codeInvalid, "The request body is not JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(codeInvalid, "The request body has more than one JSON value.")
	}
	if err := fits(v, reflect.TypeOf(p).Elem(), ""); err != nil {
		return err
	}
	if err := json.Unmarshal(body, p); err != nil {
		return refuse(codeInvalid, "%v", err)
	}
	return nil
}

func fits(v any, t reflect.Type, path string) error {
	wrong := func() error {
		return refuse(codeInvalid, "The value type of parameter `%s` is not valid.", path)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return fits(v, t.Elem(), path)
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return wrong()
		}
		return fitsStruct(m, t, path)
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			return wrong()
		}
		for i, e := range list {
			if err := fits(e, t.Elem(), path+"."+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		if _, ok := v.(map[string]any); !ok {
			return wrong()
		}
		return nil
	case reflect.String:
		if _, ok := v.(string); !ok {
			return wrong()
		}
		return nil
	case reflect.Bool:
		if _, ok := v.(bool); !ok {
			return wrong()
		}
		return nil
	case reflect.Int64:
		n, ok := v.(json.Number)
		if !ok {
			return wrong()
		}
		if _, err := strconv.ParseInt(n.String(), 10, 64); err != nil {
			return wrong()
		}
		return nil
	case reflect.Uint64:
		n, ok := v.(json.Number)
		if !ok {
			return wrong()
		}
		if _, err := strconv.ParseUint(n.String(), 10, 64); err != nil {
			return wrong()
		}
		return nil
	default:
		return wrong()
	}
}

func fitsStruct(m map[string]any, t reflect.Type, path string) error {
	join := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	for name, v := range m {
		f, ok := t.FieldByName(name)
		if !ok {
			return refuse(codeUnknown, "The parameter `%s` is not recognized.", join(name))
		}
		if err := fits(v, f.Type, join(name)); err != nil {
			return err
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if _, given := m[f.Name]; !given && f.Tag.Get("tc") == "required" {
			return refuse(codeMissing, "The request is missing a required parameter `%s`.", join(f.Name))
		}
	}
	return nil
}
