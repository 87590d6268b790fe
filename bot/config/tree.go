package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits of a document. They are far above any real file and keep a
// hostile or generated one from holding up the start: the YAML parser takes
// quadratic time in depth.
const (
	maxBytes = 512 << 10
	maxDepth = 32
	maxNodes = 100_000 // with aliases written out
)

type nodeKind int

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mapNode
)

// node is one value of the document, variables expanded, aliases and merges
// written out.
type node struct {
	kind      nodeKind
	line, col int
	text      string // of a scalar: as written, so that numbers lose no digit
	value     any    // of a scalar, as YAML types it; always a string once a variable was expanded
	items     []*node
	fields    []field
}

type field struct {
	key       string
	line, col int
	value     *node
	merged    bool // came with <<: an explicit key replaces it
}

func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// has says whether the file has this path, be it empty.
func (n *node) has(path ...string) bool {
	for _, k := range path {
		if n = n.get(k); n == nil {
			return false
		}
	}
	return true
}

// find is the position of the value at a path, or of its key if wanted or if
// the value spans lines; of the nearest existing key above where the path ends
// early.
func (n *node) find(path []string, key bool) (line, col int) {
	line, col = 1, 1
	for i, k := range path {
		if n == nil {
			return line, col
		}
		if n.kind == listNode {
			at, err := strconv.Atoi(k)
			if err != nil || at < 0 || at >= len(n.items) {
				return line, col
			}
			n = n.items[at]
			line, col = n.line, n.col
			continue
		}
		at := slices.IndexFunc(n.fields, func(f field) bool { return f.key == k })
		if at < 0 {
			return line, col
		}
		f := n.fields[at]
		line, col, n = f.line, f.col, f.value
		if i == len(path)-1 && !key && n.kind == scalarNode {
			line, col = n.line, n.col
		}
	}
	return line, col
}

// plain gives the value as YAML decoded it: string, bool, int64, uint64,
// float64, []any or map[string]any.
func (n *node) plain() any {
	switch n.kind {
	case nullNode:
		return nil
	case scalarNode:
		return n.value
	case listNode:
		list := make([]any, len(n.items))
		for i, it := range n.items {
			list[i] = it.plain()
		}
		return list
	case mapNode:
		m := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			m[f.key] = f.value.plain()
		}
		return m
	}
	panic("config: a node is of one of four kinds")
}

// reader turns the parser's tree into ours.
type reader struct {
	*report
	env     func(string) (string, bool)
	veil    veil
	anchors map[string]ast.Node
	nodes   int
}

// read parses a document. On a syntax error, which is always a single one, the
// result is nil and the problem is on record.
func (r *reader) read(data []byte) *node {
	if len(data) > maxBytes {
		r.add(0, 0, nil, fmt.Sprintf("is larger than %d KiB: this is no scalebot config", maxBytes>>10), "")
		return nil
	}
	// An editor on Windows leaves a mark that YAML allows and the parser doesn't.
	text := strings.TrimPrefix(string(data), "\ufeff")
	r.veil = newVeil(text)
	tokens := lexer.Tokenize(r.veil.hide(text))
	if deep := tooDeep(tokens); deep != nil {
		r.add(deep.Position.Line, deep.Position.Column, nil, fmt.Sprintf("is nested more than %d levels deep", maxDepth), "")
		return nil
	}
	// Keys given twice are found below, so that they come with everything else.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil {
			// Its message only: its full text quotes lines of the file, tokens and all.
			r.add(at.GetToken().Position.Line, at.GetToken().Position.Column, nil, "YAML: "+r.veil.lift(at.GetMessage()), "")
		} else {
			r.add(1, 1, nil, "is not YAML", "")
		}
		return nil
	}
	root := &node{kind: mapNode, line: 1, col: 1}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			line, col := position(doc.Body)
			r.add(line, col, nil, "there is more than one document: everything belongs before the second ---", "")
			break
		}
		body = doc.Body
	}
	if body == nil {
		return root
	}
	r.anchors = map[string]ast.Node{}
	n := r.convert(body, nil, 0)
	if r.nodes > maxNodes {
		r.add(0, 0, nil, fmt.Sprintf("grows to more than %d values by its aliases (*name)", maxNodes), "")
		return nil
	}
	switch n.kind {
	case mapNode:
		return n
	case nullNode:
		return root
	case scalarNode, listNode:
	}
	r.add(n.line, n.col, nil, "must be keys with values, such as slack: and redis:", "")
	return nil
}

// tooDeep finds the token at which flow brackets, or list dashes on one line,
// go deeper than anything a config needs.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, line, dashes := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		if t.Type == token.SequenceStartType || t.Type == token.MappingStartType {
			flow++
		}
		if t.Type == token.SequenceEndType || t.Type == token.MappingEndType {
			flow--
		}
		if t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType || t.Type == token.AnchorType || t.Type == token.TagType {
			dashes++
		}
		if flow > maxDepth || dashes > maxDepth {
			return t
		}
	}
	return nil
}

func (r *reader) convert(a ast.Node, path []string, depth int) *node {
	n := &node{}
	if a == nil {
		return n
	}
	n.line, n.col = position(a)
	if r.nodes++; r.nodes > maxNodes {
		return n // read says it once for all
	}
	if depth > maxDepth {
		r.add(n.line, n.col, path, fmt.Sprintf("is nested more than %d levels deep", maxDepth), "")
		return n
	}
	switch a := a.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		n.kind = mapNode
		for _, kv := range a.Values {
			r.field(n, kv, path, depth)
		}
	case *ast.MappingValueNode:
		n.kind = mapNode
		r.field(n, a, path, depth)
	case *ast.SequenceNode:
		n.kind = listNode
		for i, item := range a.Values {
			n.items = append(n.items, r.convert(item, below(path, strconv.Itoa(i)), depth+1))
		}
	case *ast.AnchorNode:
		n = r.convert(a.Value, path, depth+1)
		r.anchors[r.veil.lift(a.Name.GetToken().Value)] = a.Value
	case *ast.AliasNode:
		name := r.veil.lift(a.Value.GetToken().Value)
		target, ok := r.anchors[name]
		if !ok {
			r.add(n.line, n.col, path, fmt.Sprintf("nothing above is marked &%s", name), "")
			return n
		}
		n = r.convert(target, path, depth+1)
	case *ast.LiteralNode:
		text := r.veil.lift(a.Value.Value)
		r.scalar(n, text, text, path)
	case *ast.StringNode:
		text := r.veil.lift(a.Value)
		r.scalar(n, text, text, path)
	case *ast.IntegerNode:
		r.scalar(n, a.Token.Value, a.Value, path)
	case *ast.FloatNode:
		r.scalar(n, a.Token.Value, a.Value, path)
	case *ast.BoolNode:
		r.scalar(n, a.Token.Value, a.Value, path)
	case *ast.InfinityNode, *ast.NanNode:
		r.scalar(n, a.GetToken().Value, math.NaN(), path) // noHoles refuses it in params
	case *ast.TagNode:
		r.add(n.line, n.col, path, "YAML tags (!) have no meaning here: leave it out", "")
	default:
		r.add(n.line, n.col, path, "can't be read here: write a value, a list or keys", "")
	}
	return n
}

// position is where a value begins. The parser gives a block of keys the place
// of its first colon; people look for its first key.
func position(a ast.Node) (line, col int) {
	if m, ok := a.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		a = m.Values[0].Key
	}
	if kv, ok := a.(*ast.MappingValueNode); ok {
		a = kv.Key
	}
	t := a.GetToken()
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

func (r *reader) field(n *node, kv *ast.MappingValueNode, path []string, depth int) {
	t := kv.Key.GetToken()
	if kv.Key.IsMergeKey() {
		r.merge(n, r.convert(kv.Value, path, depth+1), path)
		return
	}
	key := r.veil.lift(t.Value)
	if _, plain := kv.Key.(ast.ScalarNode); !plain {
		r.add(t.Position.Line, t.Position.Column, path, "a key must be a plain word", "")
		return
	}
	f := field{key: key, line: t.Position.Line, col: t.Position.Column}
	at := slices.IndexFunc(n.fields, func(o field) bool { return o.key == key })
	if at >= 0 && !n.fields[at].merged {
		r.add(f.line, f.col, below(path, key), fmt.Sprintf("is given twice; the first is in line %d", n.fields[at].line), "")
		return
	}
	f.value = r.convert(kv.Value, below(path, key), depth+1)
	if at >= 0 {
		n.fields[at] = f
		return
	}
	n.fields = append(n.fields, f)
}

// merge is YAML's <<: keys of another map, or of a list of maps where the first
// that has a key wins. Keys that are there already stay.
func (r *reader) merge(n, from *node, path []string) {
	switch from.kind {
	case mapNode:
		for _, f := range from.fields {
			if !n.has(f.key) {
				f.merged = true
				n.fields = append(n.fields, f)
			}
		}
	case listNode:
		for _, it := range from.items {
			r.merge(n, it, path)
		}
	case nullNode, scalarNode:
		r.add(from.line, from.col, path, "<< takes keys from a map, such as <<: *name", "")
	}
}

func (r *reader) scalar(n *node, text string, value any, path []string) {
	n.kind, n.text, n.value = scalarNode, text, value
	expanded, touched := r.expand(text, n, path)
	if touched {
		n.text, n.value = expanded, expanded
	}
}
