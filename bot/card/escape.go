package card

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Slack's limits, in characters, with the places they hold for. The total is
// not documented: about 13,200 were seen to be refused as msg_blocks_too_long.
const (
	maxBlocks     = 50
	maxText       = 3000 // a text object
	maxField      = 2000 // a field of a section
	maxFields     = 10
	maxHeader     = 150
	maxContext    = 10 // elements
	maxButton     = 75
	maxConfirm    = 300 // text of a confirm dialog
	maxConfirmTop = 100 // its title
	maxConfirmKey = 30  // its buttons
	maxTotal      = 13000
	maxFallback   = 1000 // Slack takes 4,000; nobody reads that in a notification
)

// How much of a foreign text is worth showing.
const (
	longForeign  = 700 // a reason, an advice
	shortForeign = 80  // a name, a number, a word
)

const ellipsis = "…"

// size counts as the strictest reading of Slack's "characters" would: UTF-16
// units, so that an emoji weighs two.
func size(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// cut shortens s to at most limit characters, on a rune boundary, with an
// ellipsis where something is missing.
func cut(s string, limit int) string {
	if size(s) <= limit {
		return s
	}
	n, end := size(ellipsis), 0
	for i, r := range s {
		n += max(1, utf16.RuneLen(r))
		if n > limit {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	return strings.TrimRight(s[:end], " ") + ellipsis
}

// escape makes text literal in mrkdwn and in a message's text: & first, or the
// ampersands of the other two would be escaped again.
func escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// cutEscaped escapes s and shortens it so that the escaped form fits, without
// ever cutting an entity in two.
func cutEscaped(s string, limit int) string {
	e := escape(s)
	for keep := limit; size(e) > limit; keep-- {
		// Each round drops at least what is over, divided by the longest entity.
		over := (size(e) - limit) / len("&amp;")
		keep = min(keep, size(s)) - over
		s = cut(s, max(keep, 1))
		e = escape(s)
		if keep <= 1 {
			break
		}
	}
	return e
}

// visible makes a foreign text safe to look at, on one line: invalid bytes,
// control characters, and characters that can't be seen or that turn the
// direction of what follows are shown as placeholders. Without this, a reason
// could hide words or show them in another order than the approver would read.
func visible(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s { // invalid bytes come out as U+FFFD
		switch {
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			r = ' '
		case r == '\t' || unicode.Is(unicode.Zs, r):
			r = ' '
		case r < 0x20:
			r += 0x2400 // Control Pictures
		case r == 0x7f:
			r = 0x2421
		case hidden(r):
			fmt.Fprintf(&b, "[U+%04X]", r)
			space = false
			continue
		}
		if r == ' ' {
			if space {
				continue
			}
			space = true
		} else {
			space = false
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// hidden reports whether a character can't be seen: format characters (bidi
// controls, zero-width ones, tags, soft hyphen), C1 controls, and the fillers
// that Unicode counts as letters or symbols though they are blank.
func hidden(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u3164', '\uffa0', '\u2800':
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co, unicode.Variation_Selector) && r != '\ufe0f'
}

// wide replaces the three characters that could ever mean markup by their
// full-width twins. It is for text that is neither mrkdwn nor plain_text (the
// titles of plan and task_card), where Slack does not say whether entities are
// decoded.
func wide(s string) string { return widener.Replace(s) }

var widener = strings.NewReplacer("&", "＆", "<", "＜", ">", "＞")
