package commands

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// token is one word of a command.
type token struct {
	s          string // as meant: folded, quotes taken off
	bare       int    // how many leading bytes of s stood outside quotes; len(s) if there were none
	start, end int    // where it stands in the text
	quoted     bool   // some part stood in quotes
	open       bool   // its quote never closes
	stop       bool   // a bare "--": the rest of the text is the reason
	dash       bool   // a lone en dash: a minus before a number, else a "--" that a phone made shorter
}

func (t token) is(s string) bool { return !t.quoted && t.s == s }

func word(s string, like token) token {
	return token{s: s, bare: len(s), start: like.start, end: like.end}
}

// hidden finds the first character that shows nothing or changes the order in
// which text is shown. Names and reasons stand on the card that people approve,
// so what they see must be what was typed.
func hidden(text string) (rune, bool) {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c == 0x7f || c < ' ' && (c < '\t' || c > '\r') {
				return rune(c), true
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 || isHidden(r) {
			return r, true
		}
		i += n
	}
	return 0, false
}

func isHidden(r rune) bool {
	switch r {
	case 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0:
		return true // fillers and joiners that are letters or marks by category
	case utf8.RuneError:
		return true // what is left of a character that was broken on the way
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Cc, r) && !unicode.IsSpace(r)
}

func unhide(text string) string {
	return strings.Map(func(r rune) rune {
		if isHidden(r) {
			return -1
		}
		return r
	}, text)
}

// lex splits text, which holds nothing hidden, into words. It never fails: a
// quote that doesn't close is marked, since it only matters where a word is
// wanted and not in free text. It ends at a "--".
func lex(text string, toks []token) []token {
	var q quotes
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' || c >= '\t' && c <= '\r' {
			i++
			continue
		}
		t, clean := lexPlain(text, i)
		if !clean {
			if r, n := utf8.DecodeRuneInString(text[i:]); unicode.IsSpace(r) {
				i += n
				continue
			}
			t = lexFolded(text, i, &q)
		}
		toks = append(toks, t)
		if t.stop {
			break
		}
		i = t.end
	}
	return toks
}

// lexPlain reads a word of plain ASCII without quotes as a piece of the text
// itself, or reports false.
func lexPlain(text string, start int) (token, bool) {
	i := start
	for ; i < len(text); i++ {
		c := text[i]
		if c == ' ' || c >= '\t' && c <= '\r' {
			break
		}
		if c >= utf8.RuneSelf {
			return token{}, false
		}
		if (c == '"' || c == '\'') && (i == start || opensAfter(text[i-1])) {
			return token{}, false
		}
	}
	s := text[start:i]
	return token{s: s, bare: len(s), start: start, end: i, stop: isStop(s)}, true
}

// opensAfter says where inside a word a quote opens; elsewhere it is an
// apostrophe.
func opensAfter(c byte) bool { return c == '=' || c == ':' || c == ',' }

func isStop(s string) bool { return len(s) >= 2 && strings.Trim(s, "-") == "" }

func lexFolded(text string, start int, q *quotes) token {
	t := token{start: start}
	b, i := foldDashes(text, start, &t)
	opens := i == start
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if unicode.IsSpace(r) {
			break
		}
		if opens && isQuote(r) {
			if !t.quoted {
				t.quoted, t.bare = true, len(b)
			}
			end, next := q.closing(text, i)
			b = append(b, text[i+n:end]...)
			i = next
			t.open = t.open || end == next
			continue
		}
		b = utf8.AppendRune(b, fold(r))
		opens = opensAfter(b[len(b)-1])
		i += n
	}
	t.end = i
	if !t.quoted {
		t.s = norm.NFC.String(string(b))
		t.bare = len(t.s)
		t.stop = isStop(t.s)
		return t
	}
	t.s = string(b)
	return t
}

// foldDashes reads the dashes that a word begins with. Phones turn "--" into an
// em or en dash, and input methods for Chinese type two em dashes for one; so a
// long dash before a letter means "--", and before a digit a minus.
func foldDashes(text string, start int, t *token) ([]byte, int) {
	i, runes, long, en := start, 0, false, false
	var b []byte
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if fold(r) != '-' {
			break
		}
		b = append(b, '-')
		i += n
		runes++
		switch r {
		case '–':
			en = true
		case '—', '―', '﹘':
			long = true
		}
	}
	if !long && !en {
		return b, i
	}
	next, _ := utf8.DecodeRuneInString(text[i:])
	switch ends := i == len(text) || unicode.IsSpace(next); {
	case ends && en && runes == 1:
		t.dash = true
		return []byte("-"), i
	case runes == 1 && isDigit(fold(next)):
		return []byte("-"), i
	}
	return []byte("--"), i
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// fold reads a character as the ASCII one that a person meant by it.
func fold(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r
	case r >= '！' && r <= '～':
		return r - ('！' - '!')
	}
	switch r {
	case '‐', '‑', '‒', '–', '—', '―', '−', '﹘', '﹣':
		return '-'
	case '﹢':
		return '+'
	case '﹦':
		return '='
	case '、':
		return ','
	}
	return r
}

func isQuote(r rune) bool {
	switch r {
	case '"', '\'', '“', '”', '„', '‟', '‘', '’', '‚', '＂', '＇', '「', '『', '«', '»':
		return true
	}
	return false
}

// quotes remembers which closers the rest of a text doesn't hold. Without it
// every opener of a long run would search to the end of the text again, on the
// path that has to answer Slack in milliseconds.
type quotes struct{ gone []string }

// closing finds where the quote that opens at i closes: end of the quoted text,
// and where to read on. Both are the end of the text when it doesn't. The
// opener's own partner is looked for first, then any of its kind, because
// keyboards mix them. A closer has to end something: the apostrophe in ‘don’t’
// doesn't.
func (q *quotes) closing(text string, i int) (end, next int) {
	opener, n := utf8.DecodeRuneInString(text[i:])
	own, kind := partner(opener)
	for _, closers := range [...]string{own, kind} {
		if slices.Contains(q.gone, closers) {
			continue
		}
		for j, r := range text[i+n:] {
			if !strings.ContainsRune(closers, r) {
				continue
			}
			at := i + n + j
			after := at + utf8.RuneLen(r)
			follow, _ := utf8.DecodeRuneInString(text[after:])
			if after == len(text) || unicode.IsSpace(follow) || fold(follow) == ',' || isQuote(follow) {
				return at, after
			}
		}
		q.gone = append(q.gone, closers)
	}
	return len(text), len(text)
}

func partner(opener rune) (own, kind string) {
	const double, single = `"“”„‟＂«»`, `'‘’‚＇`
	switch opener {
	case '“', '„', '‟':
		return "”", double
	case '«':
		return "»", double
	case '»':
		return "«", double
	case '‘', '‚':
		return "’", single
	case '「':
		return "」", "」"
	case '『':
		return "』", "』"
	case '\'', '’', '＇':
		return string(opener), single
	}
	return string(opener), double
}

// spell writes s as one word (or part of one behind = or :) that lex reads back
// as s. What is no plain word goes into quotes; text that holds both kinds of
// quotes into several, one behind the other.
func spell(s string) string {
	if isPlain(s) {
		return s
	}
	if s == "" {
		return `""`
	}
	var b strings.Builder
	for rest := s; rest != ""; {
		quote := `"`
		cut := strings.IndexByte(rest, '"')
		if cut == 0 {
			quote, cut = "'", strings.IndexByte(rest, '\'')
		}
		if cut < 0 {
			cut = len(rest)
		}
		b.WriteString(quote + rest[:cut] + quote)
		rest = rest[cut:]
	}
	return b.String()
}

// isPlain reports whether s reads as itself without quotes.
func isPlain(s string) bool {
	if s == "" || s[0] == '-' || s[0] == '=' || s[0] == '+' {
		return false
	}
	ascii := true
	for _, r := range s {
		switch {
		case r >= utf8.RuneSelf:
			ascii = false
			if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) || fold(r) != r {
				return false
			}
		case !isNameByte(byte(r)) && r != ',':
			return false
		}
	}
	first, _ := utf8.DecodeRuneInString(s)
	return ascii || !unicode.IsMark(first) && norm.NFC.IsNormalString(s)
}

func isNameByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("-_./:@+*%#~", c) >= 0
}

// isName reports whether s can be the name of something: a cluster, a group, a
// node, a zone, an instance type.
func isName(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf:
			if !isNameByte(byte(r)) || i == 0 && !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
				return false
			}
		case unicode.IsMark(r):
			if i == 0 {
				return false
			}
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			return false
		}
	}
	return true
}
