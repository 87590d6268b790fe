package adapter

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Scrubber takes secrets out of texts that a cloud or a proxy wrote: error pages
// echo requests, and a refused signature is answered with the key's name. The zero
// value knows no secret.
type Scrubber struct{ secrets []string }

// Add makes secrets known. It is not to be called while Clean may run.
func (s *Scrubber) Add(secrets ...string) {
	for _, x := range secrets {
		// Anything shorter would tear holes into ordinary words.
		if len(x) >= minSecret {
			s.secrets = append(s.secrets, x)
		}
	}
}

const minSecret = 4

// Clean hides the secrets, and those of the call that the text is about.
func (s *Scrubber) Clean(text string, ofCall ...string) string {
	all := Scrubber{secrets: slices.Clone(s.secrets)}
	all.Add(ofCall...)
	plain, at := unquoted(text)
	hidden := make([]bool, len(text)) // marked first: one secret may be a part of another
	for _, x := range all.secrets {
		each(text, x, func(from, to int) { mark(hidden[from:to]) })
		x, _ = unquoted(x)
		each(plain, x, func(from, to int) { mark(hidden[at[from]:at[to]]) })
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString("[secret]")
		}
	}
	return b.String()
}

func mark(part []bool) {
	for i := range part {
		part[i] = true
	}
}

// each finds a secret wherever it stands.
func each(text, x string, found func(from, to int)) {
	for at := 0; len(x) >= minSecret; at += len(x) {
		i := strings.Index(text[at:], x)
		if i < 0 {
			return
		}
		at += i
		found(at, at+len(x))
	}
}

// unquoted is a text without its quoting, however many layers there are, and where
// each of its bytes begins in the text. A message that echoes the request holds a
// secret as JSON wrote it, the answer around the message quotes that once more, and
// an SDK's error text quotes the whole answer: each layer doubles the backslashes.
// So all of them go, with what they stand for in their place, in the text as in the
// secret that is looked for; what the two then share is the secret.
func unquoted(text string) (plain string, at []int32) {
	var b strings.Builder
	for i := 0; i < len(text); {
		begin := i
		for i < len(text) && text[i] == '\\' {
			i++
		}
		r, n := unit(text[i:], i > begin)
		i += n
		if rest := strings.TrimLeft(text[i:], `\`); utf16.IsSurrogate(r) {
			if low, n := unit(rest, len(rest) < len(text)-i); utf16.DecodeRune(r, low) != utf8.RuneError {
				r, i = utf16.DecodeRune(r, low), len(text)-len(rest)+n
			}
		}
		if n > 0 {
			b.WriteRune(r) // a byte that is no UTF-8 becomes U+FFFD, as it does in JSON
		}
		for len(at) < b.Len() {
			at = append(at, int32(begin)) //nolint:gosec // answers are bounded
		}
	}
	return b.String(), append(at, int32(len(text))) //nolint:gosec // as above
}

// letters are what is quoted by a letter.
var letters = map[byte]rune{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// unit reads one letter, quoted or not, and how many bytes it takes.
func unit(s string, quoted bool) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	if !quoted || n != 1 {
		return r, n
	}
	if digits := map[byte]int{'u': 4, 'x': 2}[s[0]]; digits > 0 && len(s) > digits {
		if code, err := strconv.ParseUint(s[1:1+digits], 16, 32); err == nil {
			return rune(code), 1 + digits
		}
	}
	if letter, ok := letters[s[0]]; ok {
		return letter, 1
	}
	return r, n
}

// maxCause is how much of a foreign message is kept, in bytes: a gateway's HTML
// page arrives whole in an SDK's message.
const maxCause = 600

// cause is what is kept of an SDK error: its text, cut and scrubbed, and which
// of the errors that callers ask for it was. The SDK's own type stays behind.
type cause struct {
	text string
	is   error // one of those known, or nil
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.is }

// Cause makes an error that may be kept and shown of one that came from an SDK. It
// wraps the last of known that the error is, and nothing else.
func (s *Scrubber) Cause(err error, known []error, ofCall ...string) error {
	c := &cause{text: Cut(s.Clean(err.Error(), ofCall...), maxCause)}
	for _, k := range known {
		if errors.Is(err, k) {
			c.is = k
		}
	}
	return c
}

// Cut shortens to so many bytes on a rune boundary and keeps what can be printed on
// one line.
func Cut(s string, limit int) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
