package main

import (
	"regexp"
	"strings"
	"time"
)

// block prints one block of a message as lines of text, for the transcript.
func (p *play) block(b map[string]any) []string {
	switch b["type"] {
	case "header":
		return p.plain(textOf(b["text"]))
	case "section":
		lines := p.plain(textOf(b["text"]))
		for _, f := range list(b["fields"]) {
			lines = append(lines, strings.Join(p.plain(textOf(f)), " "))
		}
		return lines
	case "context":
		var parts []string
		for _, e := range list(b["elements"]) {
			parts = append(parts, p.plain(textOf(e))...)
		}
		return []string{strings.Join(parts, " · ")}
	case "rich_text":
		return strings.Split(strings.TrimRight(p.rich(b), "\n"), "\n")
	case "plan":
		lines := p.plain(textOf(b["title"]))
		for _, t := range list(b["tasks"]) {
			lines = append(lines, p.block(t)...)
		}
		return lines
	case "task_card":
		marks := map[any]string{"complete": "✓", "in_progress": "…", "pending": "·", "error": "✗"}
		line := "  " + marks[b["status"]] + " " + strings.Join(p.plain(textOf(b["title"])), " ")
		if out, ok := b["output"].(map[string]any); ok {
			if said := strings.TrimSpace(p.rich(out)); said != "" {
				line += " (" + said + ")"
			}
		}
		return []string{line}
	case "actions":
		var names []string
		for _, e := range list(b["elements"]) {
			names = append(names, "["+textOf(e["text"])+"]")
		}
		return []string{strings.Join(names, " ")}
	case "divider":
		return []string{"—"}
	}
	return nil
}

// rich prints rich_text, whose words are literal.
func (p *play) rich(b map[string]any) string {
	var out strings.Builder
	for _, e := range list(b["elements"]) {
		switch e["type"] {
		case "text":
			out.WriteString(str(e["text"]))
		case "user":
			out.WriteString("@" + p.name(str(e["user_id"])))
		case "usergroup":
			out.WriteString("@" + p.handle(str(e["usergroup_id"])))
		case "emoji":
			out.WriteString(emoji(str(e["name"])))
		case "link":
			out.WriteString(str(e["url"]))
		case "rich_text_list":
			for _, item := range list(e["elements"]) {
				out.WriteString("• " + strings.TrimRight(p.rich(item), "\n") + "\n")
			}
		default:
			out.WriteString(strings.TrimRight(p.rich(e), "\n") + "\n")
		}
	}
	return out.String()
}

func list(v any) []map[string]any {
	items, _ := v.([]any)
	all := make([]map[string]any, 0, len(items))
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

func str(v any) string { s, _ := v.(string); return s }

// textOf reads a text object, or a text that stands alone.
func textOf(v any) string {
	if m, ok := v.(map[string]any); ok {
		return str(m["text"])
	}
	return str(v)
}

var (
	token     = regexp.MustCompile(`<[^<>]+>`)
	shortcode = regexp.MustCompile(`:[a-z0-9_+-]+:`)
)

// plain prints mrkdwn as a person reads it.
func (p *play) plain(text string) []string {
	if text == "" {
		return nil
	}
	text = token.ReplaceAllStringFunc(text, func(t string) string {
		body, label, labelled := strings.Cut(t[1:len(t)-1], "|")
		switch {
		case strings.HasPrefix(body, "@"):
			return "@" + p.name(body[1:])
		case strings.HasPrefix(body, "!subteam^"):
			return "@" + p.handle(strings.TrimPrefix(body, "!subteam^"))
		case strings.HasPrefix(body, "!date^"):
			if at, err := time.Parse("2006-01-02 15:04 MST", label); err == nil {
				return at.Local().Format("15:04")
			}
			return label
		case strings.HasPrefix(body, "#"):
			for _, c := range p.slack.Channels() {
				if c.ID == body[1:] {
					return "#" + c.Name
				}
			}
		}
		if labelled {
			return label
		}
		return body
	})
	text = shortcode.ReplaceAllStringFunc(text, func(c string) string { return emoji(strings.Trim(c, ":")) })
	text = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "*", "").Replace(text)
	return strings.Split(text, "\n")
}

func (p *play) handle(group string) string {
	for _, g := range p.slack.Usergroups() {
		if g.ID == group {
			return g.Handle
		}
	}
	return group
}

// emoji shows the few shortcodes that cards use.
func emoji(name string) string {
	known := map[string]string{"white_check_mark": "✅", "heavy_check_mark": "✔", "x": "❌", "no_entry": "⛔", "+1": "👍", "-1": "👎"}
	if e, ok := known[name]; ok {
		return e
	}
	return ":" + name + ":"
}
