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
	ok := false
	switch t.Kind() { //nolint:exhaustive // the parameter structs use these kinds only; any other fits nothing
	case reflect.Pointer:
		return fits(v, t.Elem(), path)
	case reflect.Struct:
		m, isObject := v.(map[string]any)
		if !isObject {
			return wrong()
		}
		return fitsStruct(m, t, path)
	case reflect.Slice:
		list, isList := v.([]any)
		if !isList {
			return wrong()
		}
		for i, e := range list {
			if err := fits(e, t.Elem(), path+"."+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		_, ok = v.(map[string]any)
	case reflect.String:
		_, ok = v.(string)
	case reflect.Bool:
		_, ok = v.(bool)
	case reflect.Int64:
		n, _ := v.(json.Number)
		_, err := strconv.ParseInt(n.String(), 10, 64)
		ok = err == nil
	case reflect.Uint64:
		n, _ := v.(json.Number)
		_, err := strconv.ParseUint(n.String(), 10, 64)
		ok = err == nil
	}
	if !ok {
		return wrong()
	}
	return nil
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
	for f := range t.Fields() {
		if _, given := m[f.Name]; !given && f.Tag.Get("tc") == "required" {
			return refuse(codeMissing, "The request is missing a required parameter `%s`.", join(f.Name))
		}
	}
	return nil
}
