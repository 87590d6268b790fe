package config

import (
	"fmt"
	"regexp"
	"strings"
)

// reference is a variable as it stands in the file.
var reference = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// veil keeps the braces of ${NAME} from the YAML parser, to which they would mean
// a map where the value stands unquoted between braces: {secret_key: ${KEY}}. It
// swaps them for two characters that the document doesn't have, one for one, so
// that no column moves.
type veil struct{ open, shut string }

func newVeil(text string) veil {
	var free []string
	for c := '\ue000'; len(free) < 2; c++ { // private use; a document can't hold them all
		if !strings.ContainsRune(text, c) {
			free = append(free, string(c))
		}
	}
	return veil{open: free[0], shut: free[1]}
}

func (v veil) hide(text string) string {
	swap := strings.NewReplacer("{", v.open, "}", v.shut)
	return reference.ReplaceAllStringFunc(text, swap.Replace)
}

// lift gives what hide has swapped as it stands in the file.
func (v veil) lift(text string) string {
	return strings.NewReplacer(v.open, "{", v.shut, "}").Replace(text)
}

// expand replaces ${NAME} by the variable and $${ by a literal ${. Values are
// not looked into again.
func (r *reader) expand(text string, n *node, path []string) (string, bool) {
	if !strings.Contains(text, "${") {
		return text, false
	}
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), true
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		name, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed || !variableName(name) {
			r.add(n.line, n.col, path, "${ starts the name of an environment variable, as in ${NAME}; for the two characters themselves write $${", "")
			b.WriteString(text[i:])
			return b.String(), true
		}
		value, set := r.env(name)
		if !set {
			r.add(n.line, n.col, path, fmt.Sprintf("environment variable %s is not set", name), "")
		}
		if len(value) >= minHidden {
			r.hide[value] = "${" + name + "}"
		}
		b.WriteString(value)
		text = rest
	}
}

func variableName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
