package approvals

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"scalebot/providers"
)

// The bounds of one condition. A rule that compares a few fields costs below
// fifty units and stays far from all of them; they only stop a rule that would
// keep a replica busy.
const (
	maxRuleRunes = 4096   // length of the text
	maxRuleNodes = 2000   // size of the tree, macros expanded
	maxRuleCost  = 20_000 // CEL's runtime cost: about a millisecond
	maxRegexSize = 1000
)

// conditions compiles CEL for one policy.
type conditions struct {
	env    *cel.Env
	groups []string // approver groups, for "leads" in requester.groups

	readsGroups bool // a condition compiled so far may read requester.groups
}

func newConditions(groups []string) (*conditions, error) {
	reg, err := types.NewRegistry(types.OptionalType)
	if err != nil {
		return nil, fmt.Errorf("register CEL types: %w", err)
	}
	opts := []cel.EnvOption{
		cel.OptionalTypes(), // cluster.labels[?"env"].orValue("") for a label that may be missing
		cel.CustomTypeProvider(typeProvider{reg}),
		cel.CustomTypeAdapter(reg),
		cel.CrossTypeNumericComparisons(true), // quote.monthly > 5000 is what people write
		cel.DefaultUTCTimeZone(true),          // now.getHours() must not depend on the host
		cel.ParserExpressionSizeLimit(maxRuleRunes),
		cel.ExpressionNodeLimit(maxRuleNodes),
		cel.RegexProgramSizeLimit(maxRegexSize),
		cel.Variable(varNow, cel.TimestampType),
	}
	for name, k := range kinds {
		opts = append(opts, cel.Variable(name, k.typ))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("build the CEL environment: %w", err)
	}
	return &conditions{env: env, groups: groups}, nil
}

// finding is one thing wrong with a condition.
type finding struct{ text, suggest string }

// compile checks one condition. It returns every finding at once; the compiled one
// only when there is none.
func (c *conditions) compile(when string) (condition, []finding) {
	if strings.TrimSpace(when) == "" {
		return condition{}, []finding{{text: "the condition is empty: write `true` for every change"}}
	}
	parsed, issues := c.env.Parse(when)
	if issues.Err() != nil {
		return condition{}, c.findings(nil, issues.Errors())
	}
	checked, issues := c.env.Check(parsed)
	if issues.Err() != nil {
		return condition{}, c.findings(parsed, issues.Errors())
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return condition{}, []finding{{text: fmt.Sprintf("the condition must be true or false, this one is a %s", typeName(checked.OutputType()))}}
	}
	if readsGroups(checked) {
		c.readsGroups = true
	}
	if bad := c.words(checked); len(bad) > 0 {
		return condition{}, bad
	}
	prg, err := c.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxRuleCost))
	if err != nil {
		return condition{}, []finding{{text: err.Error()}}
	}
	return condition{holds: prg, reads: readsOf(checked), ast: checked}, nil
}

// findings turns the checker's errors into sentences with the nearest right
// name. parsed is nil when the text could not even be parsed.
func (c *conditions) findings(parsed *cel.Ast, errs []*common.Error) []finding {
	var out []finding
	var nodes map[int64]ast.Expr
	if parsed != nil {
		nodes = byID(parsed.NativeRep())
	}
	for _, e := range errs {
		f := finding{text: e.Message}
		if parsed != nil {
			f = explain(e, nodes[e.ExprID])
		} else if said, _, long := strings.Cut(e.Message, " expecting {"); long {
			f.text = said // what follows is every token of the grammar
		}
		if e.Location.Column() >= 0 {
			f.text = fmt.Sprintf("%s (at character %d)", f.text, e.Location.Column()+1)
		}
		out = append(out, f)
	}
	return out
}

func explain(e *common.Error, at ast.Expr) finding {
	f := finding{text: e.Message}
	if at == nil {
		return f
	}
	switch {
	case at.Kind() == ast.IdentKind && strings.HasPrefix(e.Message, "undeclared reference"):
		name := at.AsIdent()
		f.text = fmt.Sprintf("there is no variable %s; a condition knows %s", name, variables)
		f.suggest = providers.Nearest(name, append(slices.Collect(maps.Keys(kinds)), varNow))
		if f.suggest == "" {
			f.suggest = fieldOf(name)
		}
	case at.Kind() == ast.SelectKind && strings.HasPrefix(e.Message, "undefined field"):
		sel := at.AsSelect()
		if sel.Operand().Kind() != ast.IdentKind {
			break
		}
		owner := sel.Operand().AsIdent()
		k, ok := kinds[owner]
		if !ok {
			break
		}
		f.text = fmt.Sprintf("%s has no field %s; it has %s", owner, sel.FieldName(), strings.Join(k.names, ", "))
		if near := providers.Nearest(sel.FieldName(), k.names); near != "" {
			f.suggest = owner + "." + near
		}
	default:
		m := badOperands.FindStringSubmatch(e.Message)
		if m == nil {
			break
		}
		op, left, right := m[1], strings.TrimPrefix(m[2], typePrefix), strings.TrimPrefix(m[3], typePrefix)
		f.text = fmt.Sprintf("%s can't stand between %s and %s", op, left, right)
		if numeric[left] && numeric[right] {
			f.text += ": it wants the same kind of number on both sides, so write amounts with a decimal point, as in 5000.0"
		}
	}
	return f
}

// badOperands reads the checker's words for an operator between wrong types.
var badOperands = regexp.MustCompile(`^found no matching overload for '_(\S+)_' applied to '\(([\w.]+), ([\w.]+)\)'`)

var numeric = map[string]bool{"int": true, "double": true}

// fieldOf finds the one variable that has a field of that name: people write
// delta for change.delta.
func fieldOf(name string) string {
	found := ""
	for _, v := range sortedKeys(kinds) {
		if _, ok := kinds[v].fields[name]; ok {
			if found != "" {
				return ""
			}
			found = v + "." + name
		}
	}
	return found
}

// words finds comparisons with a word that can never hold: change.charge ==
// "prepayed" type-checks, never matches, and so would approve by a typo.
func (c *conditions) words(checked *cel.Ast) []finding {
	var out []finding
	report := func(what, word string, only []string) {
		if word != "" && !slices.Contains(only, word) {
			out = append(out, finding{
				text:    fmt.Sprintf("%s is never %q; it can be %s", what, word, strings.Join(nonEmpty(only), ", ")),
				suggest: providers.Nearest(word, only),
			})
		}
	}
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
			return
		}
		call := e.AsCall()
		a, b := call.Args()[0], call.Args()[1]
		switch call.FunctionName() {
		case operators.Equals, operators.NotEquals:
			if _, ok := literal(a); ok {
				a, b = b, a
			}
			if word, ok := literal(b); ok {
				if what, f := fieldAt(a); f.only != nil {
					report(what, word, f.only)
				}
			}
		case operators.In:
			if what, f := fieldAt(a); f.only != nil && b.Kind() == ast.ListKind {
				for _, el := range b.AsList().Elements() {
					if word, ok := literal(el); ok {
						report(what, word, f.only)
					}
				}
			}
			if word, ok := literal(a); ok {
				if what, _ := fieldAt(b); what == "requester.groups" {
					report("a name in "+what, word, c.groups)
				}
			}
		}
	}))
	return out
}

// readsGroups reports whether a condition may read requester.groups: it takes the
// requester for more than the id.
func readsGroups(checked *cel.Ast) bool {
	uses, ids := 0, 0
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch what, _ := fieldAt(e); {
		case e.Kind() == ast.IdentKind && e.AsIdent() == "requester":
			uses++
		case what == "requester.id":
			ids++
		}
	}))
	return uses > ids
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// fieldAt names the declared field that an expression reads, or "".
func fieldAt(e ast.Expr) (string, field) {
	if e.Kind() != ast.SelectKind || e.AsSelect().Operand().Kind() != ast.IdentKind {
		return "", field{}
	}
	owner, name := e.AsSelect().Operand().AsIdent(), e.AsSelect().FieldName()
	k, ok := kinds[owner]
	if !ok {
		return "", field{}
	}
	return owner + "." + name, k.fields[name]
}

func byID(a *ast.AST) map[int64]ast.Expr {
	all := map[int64]ast.Expr{}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) { all[e.ID()] = e }))
	return all
}

func typeName(t *cel.Type) string { return strings.TrimPrefix(cel.FormatCELType(t), typePrefix) }

// evaluate answers one condition, or says why it can't be answered.
func evaluate(p cel.Program, w *world) (matched bool, err error) {
	out, _, err := p.Eval(w)
	if err != nil {
		if key, missing := strings.CutPrefix(err.Error(), "no such key: "); missing {
			return false, fmt.Errorf("the cluster has no label %s: guard it, as in `has(cluster.labels.%s) && …`, or label the cluster", key, key)
		}
		return false, err
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("the condition gave a %s, not true or false", out.Type().TypeName())
	}
	return bool(b), nil
}
