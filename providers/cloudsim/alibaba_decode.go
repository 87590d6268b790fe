package cloudsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// acDecode reads a body into the struct that p points to, as strictly as the
// documents' tables are written: the names in the json tags are case-sensitive
// and must be known, types must fit, fields tagged `ack:"required"` must be
// there. null is refused like any other wrong type; the documents don't say, and
// a caller that means "not given" leaves the field out.
func acDecode(body []byte, p any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return acRefuse(acInvalid, "the request body is not JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return acRefuse(acInvalid, "the request body has more than one JSON value")
	}
	if err := acFits(v, reflect.TypeOf(p).Elem(), "body"); err != nil {
		return err
	}
	if err := json.Unmarshal(body, p); err != nil {
		return acRefuse(acInvalid, "%v", err)
	}
	return nil
}

func acFits(v any, t reflect.Type, path string) error {
	ok := false
	switch t.Kind() { //nolint:exhaustive // the parameter structs use these kinds only; any other fits nothing
	case reflect.Pointer:
		return acFits(v, t.Elem(), path)
	case reflect.Struct:
		m, isObject := v.(map[string]any)
		if isObject {
			return acFitsStruct(m, t, path)
		}
	case reflect.Slice:
		list, isList := v.([]any)
		for i, e := range list {
			if err := acFits(e, t.Elem(), path+"."+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		ok = isList
	case reflect.String:
		_, ok = v.(string)
	case reflect.Bool:
		_, ok = v.(bool)
	case reflect.Int64:
		n, _ := v.(json.Number)
		_, err := strconv.ParseInt(n.String(), 10, 64)
		ok = err == nil
	}
	if !ok {
		return acRefuse(acInvalid, "%s is of the wrong type", path)
	}
	return nil
}

func acFitsStruct(m map[string]any, t reflect.Type, path string) error {
	known := map[string]bool{}
	for f := range t.Fields() {
		name := f.Tag.Get("json")
		known[name] = true
		v, given := m[name]
		if !given {
			if f.Tag.Get("ack") == "required" {
				return acRefuse(acMissing, "%s.%s is required", path, name)
			}
			continue
		}
		if err := acFits(v, f.Type, path+"."+name); err != nil {
			return err
		}
	}
	for name := range m {
		if !known[name] {
			return acRefuse(acInvalid, "%s.%s is not known", path, name)
		}
	}
	return nil
}

// acQuery reads a query as strictly: only the given names, each at most once.
type acQuery struct {
	values url.Values
	err    error // the first mistake
}

func acReadQuery(values url.Values, names ...string) *acQuery {
	q := &acQuery{values: values}
	for name, list := range values {
		switch {
		case !slices.Contains(names, name):
			q.fail(acInvalid, "query parameter %s is not known", name)
		case len(list) > 1:
			q.fail(acInvalid, "query parameter %s is there twice", name)
		}
	}
	return q
}

func (q *acQuery) fail(code, format string, args ...any) {
	if q.err == nil {
		q.err = acRefuse(code, format, args...)
	}
}

func (q *acQuery) text(name string) string { return q.values.Get(name) }

func (q *acQuery) number(name string, usual, from, to int64) int64 {
	if !q.values.Has(name) {
		return usual
	}
	n, err := strconv.ParseInt(q.text(name), 10, 64)
	if err != nil || n < from || n > to {
		q.fail(acInvalid, "%s must be a number from %d to %d, got %q", name, from, to, q.text(name))
		return usual
	}
	return n
}

func (q *acQuery) flag(name string) bool {
	switch text := q.text(name); {
	case text == "true":
		return true
	case text != "false" && q.values.Has(name):
		q.fail(acInvalid, "%s must be true or false, got %q", name, text)
	}
	return false
}

// list is a JSON array of texts, as the vendor's SDK puts it into one parameter.
func (q *acQuery) list(name string) []string {
	if !q.values.Has(name) {
		return nil
	}
	var out []string
	if err := acDecode([]byte(q.text(name)), &out); err != nil {
		q.fail(acInvalid, "%s must be a JSON array of texts", name)
	}
	return out
}

// acPage is the paging of a listing: pages count from 1.
type acPage struct{ number, size int64 }

func (q *acQuery) page(number, size string, usual, most int64) acPage {
	return acPage{q.number(number, 1, 1, 1<<31-1), q.number(size, usual, 1, most)}
}

func (p acPage) info(total int) map[string]any {
	return map[string]any{"total_count": total, "page_number": p.number, "page_size": p.size}
}

// acCut is the part of a list that a page shows; pages beyond the end are empty.
func acCut[T any](list []T, p acPage) []T {
	return page(list, p.number-1, p.size)
}

// acOneOf says why a text is none of the allowed ones.
func acOneOf(name, text string, allowed ...string) error {
	if slices.Contains(allowed, text) {
		return nil
	}
	return acRefuse(acInvalid, "%s must be one of %s, got %q", name, strings.Join(allowed, ", "), text)
}

// acIn says why a number is outside its range or not a multiple of step.
func acIn(name string, n, from, to, step int64) error {
	if n < from || n > to || n%step != 0 {
		return acRefuse(acInvalid, "%s must be from %d to %d in steps of %d, got %d", name, from, to, step, n)
	}
	return nil
}

// acTerm says why a number of months is none of those on offer.
func acTerm(name string, n *int64, terms []int64) error {
	if n == nil {
		return acRefuse(acMissing, "%s is required", name)
	}
	if !slices.Contains(terms, *n) {
		return acRefuse(acInvalid, "%s must be one of %v, got %d", name, terms, *n)
	}
	return nil
}
