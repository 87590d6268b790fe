package approvals

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Explanation is a judgement with its grounds: every rule and freeze of the file,
// with the values that it read.
type Explanation struct {
	Rules   []RuleWhy
	Freezes []FreezeWhy
}

// RuleWhy is one rule, what became of it, and why.
type RuleWhy struct {
	Outcome
	When   string  // the condition as the file has it
	Values []Value // of all that the condition reads, in the order of reading
}

// FreezeWhy is one freeze of the calendar.
type FreezeWhy struct {
	Name     string
	From, To time.Time
	Pass     []string // groups that it lets through with a reason
	State    FreezeState
	Passed   string // the group as whose member the requester passes; with FreezePassed
	Error    string // with FreezeBroken
	When     string
	Values   []Value
}

// FreezeState is what a freeze says of a request.
type FreezeState string

// The states.
const (
	FreezeOff       FreezeState = "off"       // not at the time at which the change starts
	FreezeElsewhere FreezeState = "elsewhere" // it is on, and does not hold for this request
	FreezeHolds     FreezeState = "holds"     // it refuses the request
	FreezePassed    FreezeState = "passed"    // it holds and lets the request through
	FreezeBroken    FreezeState = "broken"    // its condition can't be evaluated: it refuses
)

// Value is one field that a condition reads. Both are unescaped.
type Value struct {
	Field string // change.delta, cluster.labels.env, now
	Text  string // texts in quotes; "unknown" for a price that isn't known, "none" for a label that isn't there
}

// Explain says how Judge comes to its judgement of the same facts. It costs more
// and decides nothing.
func (p *Policy) Explain(f Facts) Explanation {
	var x Explanation
	if p == nil {
		return x
	}
	w, j := newWorld(f), p.Judge(f)
	for i, o := range j.Outcomes {
		x.Rules = append(x.Rules, RuleWhy{Outcome: o, When: p.rules[i].When, Values: valuesOf(p.rules[i].reads, w)})
	}
	then := newWorld(f.starting())
	for _, z := range p.freezes {
		x.Freezes = append(x.Freezes, z.why(then))
	}
	return x
}

func (f freeze) why(w *world) FreezeWhy {
	y := FreezeWhy{Name: f.Name, From: f.From, To: f.To, Pass: slices.Clone(f.Pass), State: FreezeOff, When: f.When, Values: valuesOf(f.reads, w)}
	if !f.on(w.Now) {
		return y
	}
	holds, err := true, error(nil)
	if f.holds != nil {
		holds, err = evaluate(f.holds, w)
	}
	group, passed := passes(f.Pass, w.Facts)
	switch {
	case err != nil:
		y.State, y.Error = FreezeBroken, err.Error()
	case !holds:
		y.State = FreezeElsewhere
	case passed:
		y.State, y.Passed = FreezePassed, group
	default:
		y.State = FreezeHolds
	}
	return y
}

// read is one thing that a condition looks at: a field of a variable, one label
// of the cluster, or the time.
type read struct {
	field string // change.delta, cluster.labels, now; a bare variable for dyn(change)
	label string // of cluster.labels; "" = all of them
}

const labels = "cluster.labels"

// ofBudget reports whether it looks at the budget, by a field or as a whole.
func (r read) ofBudget() bool {
	owner, _, _ := strings.Cut(r.field, ".")
	return owner == "budget"
}

// readsOf lists what a checked condition reads, each once.
func readsOf(checked *cel.Ast) []read {
	var found []read
	whole := map[int64]bool{} // selections of all labels, unless a label is taken of them
	inner := map[int64]bool{} // variables of which a field is taken
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if what, _ := fieldAt(e); what != "" {
			inner[e.AsSelect().Operand().ID()] = true
			whole[e.ID()] = what == labels
		}
		if of, name := labelAt(e); name != "" {
			whole[of.ID()] = false
		}
	}))
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		var r read
		what, _ := fieldAt(e)
		_, name := labelAt(e)
		switch {
		case name != "":
			r = read{labels, name}
		case what == labels && !whole[e.ID()]:
			return
		case what != "":
			r.field = what
		case e.Kind() == ast.IdentKind && !inner[e.ID()] && (e.AsIdent() == varNow || kinds[e.AsIdent()] != nil):
			r.field = e.AsIdent()
		default:
			return
		}
		if !slices.Contains(found, r) {
			found = append(found, r)
		}
	}))
	return found
}

// labelAt names the label that an expression takes of the cluster's, in any of
// the ways to write it.
func labelAt(e ast.Expr) (of ast.Expr, name string) {
	if e.Kind() == ast.SelectKind {
		of, name = e.AsSelect().Operand(), e.AsSelect().FieldName()
	} else if e.Kind() == ast.CallKind {
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
			of = call.Args()[0]
			name, _ = literal(call.Args()[1])
		}
	}
	if of == nil {
		return nil, ""
	}
	if what, _ := fieldAt(of); what != labels {
		return nil, ""
	}
	return of, name
}

func valuesOf(reads []read, w *world) []Value {
	values := make([]Value, 0, len(reads))
	for _, r := range reads {
		switch owner, name, isField := strings.Cut(r.field, "."); {
		case r.label != "":
			text := "none"
			if v, ok := w.Labels[r.label]; ok {
				text = strconv.Quote(v)
			}
			values = append(values, Value{r.field + "." + r.label, text})
		case r.field == varNow:
			values = append(values, Value{varNow, w.Now.UTC().Format(time.RFC3339)})
		case isField:
			values = append(values, Value{r.field, shown(kinds[owner].fields[name].get(w))})
		}
	}
	return values
}

// shown writes a value as a rule would.
func shown(v any, err error) string {
	if err != nil {
		return "unknown"
	}
	switch v := v.(type) {
	case types.String:
		return strconv.Quote(string(v))
	case types.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return fmt.Sprint(v)
}
