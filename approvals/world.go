package approvals

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// world is what one evaluation sees. It is the activation itself: a policy of
// twenty rules then costs no map per rule, and a field is one function call.
//
// Amounts become doubles here and nowhere else: rules compare them with
// thresholds, and nothing that is computed from them is ever shown or paid.
type world struct {
	Facts
	hourly, monthly, committed float64

	given [8]given
	n     int
}

func newWorld(f Facts) *world {
	w := &world{Facts: f}
	if q := f.Plan.Quote; q.Known {
		w.hourly, w.monthly, w.committed = q.Hourly.InexactFloat64(), q.Monthly.InexactFloat64(), q.Committed.InexactFloat64()
	}
	return w
}

// ResolveName gives a rule its variables.
func (w *world) ResolveName(name string) (any, bool) {
	if name == varNow {
		return w.Now, true
	}
	for _, v := range w.given[:w.n] {
		if v.name == name {
			return v.object, true
		}
	}
	k, ok := kinds[name]
	if !ok {
		return nil, false
	}
	var o any = object{k, w}
	if w.n < len(w.given) {
		w.given[w.n] = given{name, o}
		w.n++
	}
	return o, true
}

// given is a variable that a rule of this policy has read: twenty rules read the
// same few, and each would otherwise be made anew. One judgement is one goroutine.
type given struct {
	name   string
	object any
}

// Parent is part of cel.Activation; a rule sees nothing but this world.
func (w *world) Parent() cel.Activation { return nil }

const varNow = "now"

// kind is one variable of design.md section 6 with its fields.
type kind struct {
	typ    *types.Type
	names  []string
	fields map[string]field
}

type field struct {
	typ  *types.Type
	get  func(*world) (any, error)
	only []string // the words it can hold; nil = any
}

// kinds is the whole language of rules, besides now. A field is declared here
// and nowhere else. Read only.
var kinds = map[string]*kind{
	"change": newKind("change", map[string]field{
		"cluster":   text(func(w *world) string { return w.Plan.Change.Cluster }),
		"group":     text(func(w *world) string { return w.Plan.Change.Group }),
		"delta":     number(func(w *world) int { return w.Plan.Change.Delta }),
		"target":    number(func(w *world) int { return w.Plan.Target }),
		"charge":    text(func(w *world) string { return string(w.Plan.Change.Charge) }, "", string(providers.Postpaid), string(providers.Prepaid), string(providers.Spot)),
		"months":    number(func(w *world) int { return w.Plan.Change.Months }),
		"renew":     yesNo(func(w *world) bool { return w.Plan.Change.Renew }),
		"temporary": yesNo(func(w *world) bool { return w.Temporary }),
		"provider":  text(func(w *world) string { return w.Plan.Change.Kind }),
		"account":   text(func(w *world) string { return w.Plan.Change.Account }),
		"cost":      costField(),
	}),
	"budget": newKind("budget", map[string]field{
		"known":    yesNo((*world).budgetKnown),
		"monthly":  ofBudget("monthly", func(b *Budget) decimal.Decimal { return b.Monthly }),
		"spent":    ofBudget("spent", func(b *Budget) decimal.Decimal { return b.Spent }),
		"reserved": ofBudget("reserved", func(b *Budget) decimal.Decimal { return b.Reserved }),
		"left":     ofBudget("left", func(b *Budget) decimal.Decimal { return b.Left() }),
	}),
	"quote": newKind("quote", map[string]field{
		"known":     yesNo(func(w *world) bool { return w.Plan.Quote.Known }),
		"currency":  text(func(w *world) string { return w.Plan.Quote.Currency }),
		"hourly":    amount("hourly", func(w *world) float64 { return w.hourly }),
		"monthly":   amount("monthly", func(w *world) float64 { return w.monthly }),
		"committed": amount("committed", func(w *world) float64 { return w.committed }),
	}),
	"cluster": newKind("cluster", map[string]field{
		"name":   text(func(w *world) string { return w.Plan.Change.Cluster }),
		"labels": {typ: types.NewMapType(types.StringType, types.StringType), get: func(w *world) (any, error) { return w.Labels, nil }},
		"nodes":  number(func(w *world) int { return w.Plan.Nodes }),
		"status": text(func(w *world) string { return w.Plan.Status }),
	}),
	"requester": newKind("requester", map[string]field{
		"id":     text(func(w *world) string { return w.Requester.ID }),
		"groups": {typ: types.NewListType(types.StringType), get: func(w *world) (any, error) { return w.Requester.Groups, nil }},
	}),
}

// variables in the order of the contract, for messages.
const variables = "change, quote, budget, cluster, requester and now"

func newKind(name string, fields map[string]field) *kind {
	return &kind{typ: types.NewObjectType("scalebot." + name), names: sortedKeys(fields), fields: fields}
}

func text(get func(*world) string, only ...string) field {
	return field{typ: types.StringType, get: func(w *world) (any, error) { return types.String(get(w)), nil }, only: only}
}

func number(get func(*world) int) field {
	return field{typ: types.IntType, get: func(w *world) (any, error) { return types.Int(get(w)), nil }}
}

func yesNo(get func(*world) bool) field {
	return field{typ: types.BoolType, get: func(w *world) (any, error) { return types.Bool(get(w)), nil }}
}

// amount can't be read while the price is unknown. It would read as zero
// otherwise, and `quote.monthly > 5000` would wave through exactly the change
// that nobody could price (promise 8). CEL's || and && look past an error when
// the other side decides, so `quote.monthly > 5000 || !quote.known` works.
func amount(name string, get func(*world) float64) field {
	return field{typ: types.DoubleType, get: func(w *world) (any, error) {
		if !w.Plan.Quote.Known {
			return nil, fmt.Errorf("the price is unknown, so quote.%s can't be compared: add `|| !quote.known` or `quote.known &&`", name)
		}
		return types.Double(get(w)), nil
	}}
}

// object is one variable as CEL sees it.
type object struct {
	*kind
	w *world
}

var errNotNative = errors.New("a variable of a rule has no other form")

// ConvertToNative is never needed: rules only read fields.
func (o object) ConvertToNative(reflect.Type) (any, error) { return nil, errNotNative }

// ConvertToType knows type(x) only.
func (o object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return o.typ
	}
	return types.NewErr("%v", errNotNative)
}

// Equal holds for the same variable only.
func (o object) Equal(other ref.Val) ref.Val {
	p, ok := other.(object)
	return types.Bool(ok && o.kind == p.kind)
}

// Type is the declared type.
func (o object) Type() ref.Type { return o.typ }

// Value is what the getters of typeProvider are handed.
func (o object) Value() any { return o.w }

// Get reads a field by a name that the checker has not seen, as in
// dyn(change).delta.
func (o object) Get(index ref.Val) ref.Val {
	f, ok := o.field(index)
	if !ok {
		return types.NewErr("no such field: %v", index.Value())
	}
	v, err := f.get(o.w)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// IsSet is has() for the same case.
func (o object) IsSet(index ref.Val) ref.Val {
	f, ok := o.field(index)
	if !ok {
		return types.NewErr("no such field: %v", index.Value())
	}
	return types.Bool(f.isSet(o.w))
}

func (o object) field(index ref.Val) (field, bool) {
	name, ok := index.Value().(string)
	f, found := o.fields[name]
	return f, ok && found
}

// isSet reads like protocol buffers: a field is there when it isn't zero, so
// has(change.charge) is false for a removal and has(quote.monthly) for an
// unknown price.
func (f field) isSet(w *world) bool {
	v, err := f.get(w)
	return err == nil && !reflect.ValueOf(v).IsZero()
}

// typeProvider declares the kinds to the type checker, so that change.charg is
// an error of the config file and not of the first request.
type typeProvider struct{ *types.Registry }

const typePrefix = "scalebot."

func kindOf(structType string) (*kind, bool) {
	name, ours := strings.CutPrefix(structType, typePrefix)
	k, ok := kinds[name]
	return k, ours && ok
}

// FindStructType finds a declared type.
func (p typeProvider) FindStructType(structType string) (*types.Type, bool) {
	if k, ok := kindOf(structType); ok {
		return types.NewTypeTypeWithParam(k.typ), true
	}
	return p.Registry.FindStructType(structType)
}

// FindStructFieldNames lists the fields of a declared type.
func (p typeProvider) FindStructFieldNames(structType string) ([]string, bool) {
	if k, ok := kindOf(structType); ok {
		return k.names, true
	}
	return p.Registry.FindStructFieldNames(structType)
}

// FindStructFieldType gives type and getter of a field.
func (p typeProvider) FindStructFieldType(structType, name string) (*types.FieldType, bool) {
	k, ours := kindOf(structType)
	if !ours {
		return p.Registry.FindStructFieldType(structType, name)
	}
	f, ok := k.fields[name]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type: f.typ,
		IsSet: func(target any) bool {
			w, ok := target.(*world)
			return ok && f.isSet(w)
		},
		GetFrom: func(target any) (any, error) {
			w, ok := target.(*world)
			if !ok {
				return nil, fmt.Errorf("%s.%s was read from a %T", strings.TrimPrefix(structType, typePrefix), name, target)
			}
			return f.get(w)
		},
	}, true
}

// NewValue refuses to build a variable inside a rule.
func (p typeProvider) NewValue(structType string, fields map[string]ref.Val) ref.Val {
	if _, ours := kindOf(structType); ours {
		return types.NewErr("a rule can't build a %s", structType)
	}
	return p.Registry.NewValue(structType, fields)
}
