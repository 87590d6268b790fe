package commands

import (
	"strings"
)

// unwrap turns Slack's wire text into what the person saw while typing: <…>
// tokens become their visible words and the three entities are decoded, exactly
// once and only outside tokens, so that a typed "&lt;!channel&gt;" stays harmless
// text (reference/slack.md section 3.1).
func unwrap(text string) string {
	if !strings.ContainsAny(text, "&<") {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		switch text[i] {
		case '<':
			if word, n := reference(text[i:]); n > 0 {
				b.WriteString(word)
				i += n
				continue
			}
		case '&':
			if c, n := entity(text[i:]); n > 0 {
				b.WriteByte(c)
				i += n
				continue
			}
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

func entity(s string) (byte, int) {
	switch {
	case strings.HasPrefix(s, "&amp;"):
		return '&', len("&amp;")
	case strings.HasPrefix(s, "&lt;"):
		return '<', len("&lt;")
	case strings.HasPrefix(s, "&gt;"):
		return '>', len("&gt;")
	}
	return 0, 0
}

// reference reads one <…> token at the start of s and gives its visible words
// and its length; 0 when s only happens to begin with "<", which Slack sends
// for text of commands that don't escape.
func reference(s string) (string, int) {
	end := strings.IndexByte(s, '>')
	if end < 2 || strings.ContainsAny(s[1:end], "<\n") {
		return "", 0
	}
	body, label, _ := strings.Cut(s[1:end], "|")
	switch {
	case body == "":
		return "", 0
	case body[:1] == "@":
		return mark("@", body[1:], label), end + 1
	case body[:1] == "#":
		return mark("#", body[1:], label), end + 1
	case body[:1] == "!":
		if strings.HasPrefix(body, "!date^") {
			return decode(label), end + 1
		}
		if id, ok := strings.CutPrefix(body, "!subteam^"); ok {
			return mark("@", id, label), end + 1
		}
		return mark("@", body[1:], label), end + 1
	case strings.Contains(body, "://"), strings.HasPrefix(body, "mailto:"), strings.HasPrefix(body, "tel:"):
		if label != "" {
			return decode(label), end + 1
		}
		_, visible, ok := strings.Cut(body, ":")
		if !ok || strings.HasPrefix(visible, "//") {
			visible = body
		}
		return decode(visible), end + 1
	}
	return "", 0
}

func mark(sign, id, label string) string {
	if label == "" {
		label = id
	}
	return sign + strings.TrimPrefix(decode(label), sign)
}

func decode(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
}

// Wire writes a line as it was typed in the form in which Slack delivers it: for
// lines that reach Parse by another way. Only what would be read otherwise is
// escaped.
func Wire(text string) string {
	if !strings.ContainsAny(text, "&<") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '<':
			// Any "<" may become a token by what follows it later in the line.
			b.WriteString("&lt;")
			continue
		case '&':
			if _, n := entity(text[i:]); n > 0 {
				b.WriteString("&amp;")
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// TrimMention takes the command out of a message that mentions the bot: what
// stands behind its first mention ("hey <@U0BOT> status"), with the comma or
// colon that people write there taken off, else what stands before it. Both
// forms that Slack sends are read, <@U0BOT> and <@U0BOT|name>. Text without a
// mention of the bot comes back trimmed but whole. Call it on the text of an
// app_mention before Parse.
func TrimMention(text, botID string) string {
	text = strings.TrimSpace(text)
	start, end := findMention(text, botID)
	if end == 0 {
		return text
	}
	before, behind := strings.TrimSpace(text[:start]), strings.TrimSpace(text[end:])
	for _, sign := range []string{",", ":", "，", "："} {
		if after, ok := strings.CutPrefix(behind, sign); ok {
			behind = strings.TrimSpace(after)
			break
		}
	}
	if behind == "" {
		return before
	}
	return behind
}

// findMention is where the first mention of an id stands; end is 0 if nowhere.
func findMention(text, id string) (start, end int) {
	if id == "" {
		return 0, 0
	}
	token := "<@" + id
	for from := 0; ; {
		i := strings.Index(text[from:], token)
		if i < 0 {
			return 0, 0
		}
		start = from + i
		from = start + len(token)
		switch rest := text[from:]; {
		case strings.HasPrefix(rest, ">"):
			return start, from + 1
		case strings.HasPrefix(rest, "|"):
			if n := strings.IndexByte(rest, '>'); n > 0 {
				return start, from + n + 1
			}
		}
	}
}
