package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a config file, or one warning about it.
type Problem struct {
	File    string
	Line    int    // 1-based; 0 = the file as a whole
	Column  int    // 1-based, in characters
	Path    string // keys from the top joined by dots, list items by number: approvals.rules.0.when
	Text    string // what is wrong; no secret, no value of a variable
	Suggest string // the nearest right key or value; "" = none
}

// Error is the problem on one line: file:line:column: path: text.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	if p.Suggest != "" {
		b.WriteString(", did you mean " + strconv.Quote(p.Suggest) + "?")
	}
	return b.String()
}

// Errors is everything that is wrong with a file, in the order of its lines. It
// holds at least one problem. The command line answers it with exit code 2.
type Errors struct {
	Problems []Problem
	cause    error // of a file that can't be read
}

// Error is one problem per line.
func (e *Errors) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the cause of a file that can't be read to errors.Is.
func (e *Errors) Unwrap() error { return e.cause }

// report collects problems and warnings of one document.
type report struct {
	file     string
	root     *node
	problems []Problem
	warnings []Problem
	values   []string          // paths whose value is at fault, not only their key
	hide     map[string]string // value of a variable → ${NAME}
}

// at reports a problem with the value at a path; where the path is not in the
// file, with the nearest key above it that is.
func (r *report) at(path []string, text, suggest string) {
	line, col := r.root.find(path, false)
	r.values = append(r.values, strings.Join(path, "."))
	r.add(line, col, path, text, suggest)
}

// atKey reports a problem with the key itself.
func (r *report) atKey(path []string, text, suggest string) {
	line, col := r.root.find(path, true)
	r.add(line, col, path, text, suggest)
}

func (r *report) add(line, col int, path []string, text, suggest string) {
	text = strings.TrimSuffix(text, ".") // others write whole sentences
	p := Problem{File: r.file, Line: line, Column: col, Path: strings.Join(path, "."), Text: r.redact(text), Suggest: r.redact(suggest)}
	if !slices.Contains(r.problems, p) { // an alias shows the same fault at each use
		r.problems = append(r.problems, p)
	}
}

func (r *report) warn(path []string, text string) {
	line, col := r.root.find(path, true)
	r.warnings = append(r.warnings, Problem{File: r.file, Line: line, Column: col, Path: strings.Join(path, "."), Text: r.redact(text)})
}

// reported says whether a problem is on record for this very key.
func (r *report) reported(path []string) bool {
	at := strings.Join(path, ".")
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Path == at })
}

// overlaps says whether a problem is on record for this very key, or for a value
// above or below it: what another checker then says of it is only an echo.
func (r *report) overlaps(path []string) bool {
	at := strings.Join(path, ".")
	return r.reported(path) || slices.ContainsFunc(r.values, func(p string) bool {
		return strings.HasPrefix(at, p+".") || strings.HasPrefix(p, at+".")
	})
}

// minHidden keeps redact from shredding sentences: a value this short is no
// secret, and "1" would hit every number.
const minHidden = 4

// redact writes the name of the variable where its content shows. Texts come
// from other packages too, and those may quote a value that was a secret.
func (r *report) redact(text string) string {
	values := make([]string, 0, len(r.hide))
	for v := range r.hide {
		values = append(values, v)
	}
	// The longest first: one value may be a part of another.
	slices.SortFunc(values, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	for _, v := range values {
		text = strings.ReplaceAll(text, v, r.hide[v])
		// Messages quote with %q, where a quote or a line end looks different.
		if q := strconv.Quote(v); q[1:len(q)-1] != v {
			text = strings.ReplaceAll(text, q[1:len(q)-1], r.hide[v])
		}
	}
	return text
}

// errors is nil when nothing is wrong.
func (r *report) errors() error {
	if len(r.problems) == 0 {
		return nil
	}
	byLine(r.problems)
	return &Errors{Problems: r.problems}
}

func byLine(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
}

// below copies: append on a shared path would overwrite a sibling's.
func below(path []string, keys ...string) []string {
	return append(slices.Clip(slices.Clone(path)), keys...)
}
