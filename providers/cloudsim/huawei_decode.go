package cloudsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// hwDecode reads a body into the struct that p points to, strictly: names are
// case-sensitive and must be known, types must fit, fields tagged
// `hw:"required"` must be there. What is not right is refused with code.
// encoding/json alone is no judge of that: it matches names in any case and takes
// a missing field for zero.
//
// The documents don't say what an unknown field does; a caller that sends one
// means something that will not happen, so it is refused. null is refused too,
// except for fields tagged `hw:"null"`, of which BSS says that it means "not
// given".
func hwDecode(body []byte, p any, code string) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return hwRefuse(code, "the body is not JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return hwRefuse(code, "the body has more than one JSON value")
	}
	if err := hwNames(v, reflect.TypeOf(p).Elem(), ""); err != nil {
		return hwRefuse(code, "%v", err)
	}
	if err := json.Unmarshal(body, p); err != nil {
		return hwRefuse(code, "%v", err)
	}
	return nil
}

// hwNames walks a decoded value beside the type it is meant for and looks at
// names only; whether the values fit is seen when they are decoded.
func hwNames(v any, t reflect.Type, path string) error {
	if v == nil {
		return fmt.Errorf("%s is null", path)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	switch t.Kind() { //nolint:exhaustive // nothing else has names inside
	case reflect.Pointer:
		return hwNames(v, t.Elem(), path)
	case reflect.Slice:
		list, _ := v.([]any)
		for i, e := range list {
			if err := hwNames(e, t.Elem(), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	case reflect.Struct:
		if m, ok := v.(map[string]any); ok {
			return hwFields(m, t, path)
		}
	}
	return nil
}

func hwFields(m map[string]any, t reflect.Type, path string) error {
	join := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	known := map[string]bool{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known[name] = true
		v, given := m[name]
		switch rule := f.Tag.Get("hw"); {
		case !given && rule == "required":
			return fmt.Errorf("%s is missing", join(name))
		case !given, v == nil && rule == "null":
			continue
		}
		if err := hwNames(v, f.Type, join(name)); err != nil {
			return err
		}
	}
	for name := range m {
		if !known[name] {
			return fmt.Errorf("%s is not known", join(name))
		}
	}
	return nil
}

// hwInt is a count that the API takes as a number or as text: the document's
// table says String/Integer, its samples send text, the SDK a number.
type hwInt int64

// UnmarshalJSON takes 2 and "2".
func (n *hwInt) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	*n = hwInt(v)
	return err
}

// hwFlag is a switch that the document calls Boolean and the SDK sends as text.
type hwFlag bool

// UnmarshalJSON takes true and "true".
func (f *hwFlag) UnmarshalJSON(b []byte) error {
	switch strings.Trim(string(b), `"`) {
	case "true":
		*f = true
	case "false":
		*f = false
	default:
		return fmt.Errorf("%s is neither true nor false", b)
	}
	return nil
}

// hwQuery refuses names of the query that the page doesn't list: a caller that
// misspells one would otherwise read the first page for the whole.
func hwQuery(q url.Values, known ...string) error {
	for name, values := range q {
		if !slices.Contains(known, name) {
			return hwRefuse("12000009", "query parameter %s is not known", name)
		}
		if len(values) > 1 {
			return hwRefuse("12000009", "query parameter %s is there twice", name)
		}
	}
	return nil
}

// hwNumber reads a number of 1 or more from the query.
func hwNumber(q url.Values, name string, usual int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, hwRefuse("12000009", "%s must be a number of 1 or more, got %q", name, text)
	}
	return int(n), nil
}
