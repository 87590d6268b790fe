package slacksim

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// place is the block in which an element stands.
type place int

const (
	inSection place = iota
	inActions
	inInput
)

// menus share their properties: what they choose from differs.
func menuProperties(kind string) (needed, allowed []string) {
	allowed = []string{"action_id", "placeholder", "confirm", "focus_on_load"}
	switch kind {
	case "static_select":
		return nil, append(allowed, "options", "option_groups", "initial_option")
	case "multi_static_select":
		return nil, append(allowed, "options", "option_groups", "initial_options", "max_selected_items")
	case "external_select":
		return nil, append(allowed, "initial_option", "min_query_length")
	case "multi_external_select":
		return nil, append(allowed, "initial_options", "min_query_length", "max_selected_items")
	case "users_select":
		return nil, append(allowed, "initial_user")
	case "multi_users_select":
		return nil, append(allowed, "initial_users", "max_selected_items")
	case "conversations_select":
		return nil, append(allowed, "initial_conversation", "default_to_current_conversation", "response_url_enabled", "filter")
	case "multi_conversations_select":
		return nil, append(allowed, "initial_conversations", "default_to_current_conversation", "filter", "max_selected_items")
	case "channels_select":
		return nil, append(allowed, "initial_channel", "response_url_enabled")
	case "multi_channels_select":
		return nil, append(allowed, "initial_channels", "max_selected_items")
	case "radio_buttons":
		return []string{"options"}, []string{"action_id", "confirm", "focus_on_load", "initial_option"}
	case "checkboxes":
		return []string{"options"}, []string{"action_id", "confirm", "focus_on_load", "initial_options"}
	case "overflow":
		return []string{"options"}, []string{"action_id", "confirm"}
	case "datepicker":
		return nil, append(allowed, "initial_date")
	case "timepicker":
		return nil, append(allowed, "initial_time", "timezone")
	case "datetimepicker":
		return nil, []string{"action_id", "confirm", "focus_on_load", "initial_date_time"}
	default:
		return nil, nil
	}
}

// typedInputs take text and stand in input blocks only.
var typedInputs = map[string][]string{
	"plain_text_input": {"multiline", "min_length", "max_length", "initial_value"},
	"number_input":     {"is_decimal_allowed", "min_value", "max_value", "initial_value"},
	"email_text_input": {"initial_value"},
	"url_text_input":   {"initial_value"},
}

// element checks an interactive element or, in a section, an image. ids are the
// action ids of the block so far: one that has none gets one.
func (k *checker) element(path string, v any, in place, ids map[string]bool) {
	e, ok := v.(obj)
	if !ok {
		k.bad(path, "must be an object")
		return
	}
	kind, _ := e["type"].(string)
	if kind == "image" && in == inSection {
		k.imageElement(path, e)
		return
	}
	_, menu := menuProperties(kind)
	typed, isTyped := typedInputs[kind]
	switch {
	case kind == "button" && in != inInput:
		k.button(path, e)
	case kind == "overflow" && in == inInput, kind == "datetimepicker" && in == inSection:
		k.bad(path+"/type", "unsupported type: %s", kind)
		return
	case menu != nil:
		k.menu(path, kind, e)
	case isTyped && in == inInput:
		k.object(path, e, []string{"type"}, append([]string{"action_id", "placeholder", "focus_on_load", "dispatch_action_config"}, typed...))
		if kind == "number_input" {
			if _, there := e["is_decimal_allowed"]; !there {
				k.bad(path, "missing required field: is_decimal_allowed")
			}
		}
		k.boolean(path, e, "multiline", "is_decimal_allowed", "focus_on_load")
		k.str(path, e, "initial_value", 3000)
	default:
		k.bad(path+"/type", "unsupported type: %s", kind)
		return
	}
	if p, there := e["placeholder"]; there {
		k.textObject(path+"/placeholder", p, plainText, 150)
	}
	if c, there := e["confirm"]; there {
		k.confirm(path+"/confirm", c)
	}
	if _, there := e["action_id"]; !there {
		e["action_id"] = k.next()
	}
	id := k.str(path, e, "action_id", maxID)
	if id != "" && ids[id] {
		k.bad(path+"/action_id", "`action_id` %q already exists", id)
	}
	ids[id] = true
}

func (k *checker) button(path string, e obj) {
	k.object(path, e, []string{"type", "text"},
		[]string{"action_id", "url", "value", "style", "confirm", "accessibility_label"})
	if t, there := e["text"]; there {
		k.textObject(path+"/text", t, plainText, 75)
	}
	k.str(path, e, "value", 2000)
	k.str(path, e, "url", 3000)
	k.link(path, e)
	k.str(path, e, "accessibility_label", 75)
	k.enum(path, e, "style", "primary", "danger")
}

func (k *checker) confirm(path string, v any) {
	c, ok := k.object(path, v, []string{"title", "text", "confirm", "deny"}, []string{"style"})
	if !ok {
		return
	}
	k.textObject(path+"/title", c["title"], plainText, 100)
	k.textObject(path+"/text", c["text"], anyText, 300)
	k.textObject(path+"/confirm", c["confirm"], plainText, 30)
	k.textObject(path+"/deny", c["deny"], plainText, 30)
	k.enum(path, c, "style", "primary", "danger")
}

// menu checks menus, boxes and pickers with their options.
func (k *checker) menu(path, kind string, e obj) {
	needed, allowed := menuProperties(kind)
	k.object(path, e, append([]string{"type"}, needed...), allowed)
	_, options := e["options"]
	_, groups := e["option_groups"]
	if (kind == "static_select" || kind == "multi_static_select") && options == groups {
		k.bad(path, "must provide either options or option_groups")
	}
	limit, label := 100, plainText
	switch kind {
	case "radio_buttons", "checkboxes":
		limit, label = 10, anyText
	case "overflow":
		limit = 5
	}
	var values []string
	for i, o := range k.list(path, e, "options", 1, limit) {
		values = append(values, k.option(fmt.Sprintf("%s/options/%d", path, i), o, label))
	}
	for i, g := range k.list(path, e, "option_groups", 1, 100) {
		at := fmt.Sprintf("%s/option_groups/%d", path, i)
		o, ok := k.object(at, g, []string{"label", "options"}, nil)
		if !ok {
			continue
		}
		k.textObject(at+"/label", o["label"], plainText, 75)
		for j, x := range k.list(at, o, "options", 1, 100) {
			values = append(values, k.option(fmt.Sprintf("%s/options/%d", at, j), x, label))
		}
	}
	if first, ok := e["initial_option"].(obj); ok && (options || groups) {
		if v, _ := first["value"].(string); !slices.Contains(values, v) {
			k.bad(path+"/initial_option", "initial_option must be one of the options")
		}
	}
}

func (k *checker) option(path string, v any, label string) string {
	o, ok := k.object(path, v, []string{"text", "value"}, []string{"description", "url"})
	if !ok {
		return ""
	}
	k.textObject(path+"/text", o["text"], label, 75)
	if d, there := o["description"]; there {
		k.textObject(path+"/description", d, label, 75)
	}
	return k.str(path, o, "value", 150)
}

// richText checks a rich_text block: sections, lists, quotes and preformatted
// parts, in which text is literal.
func (k *checker) richText(path string, b obj) {
	k.object(path, b, []string{"type", "elements"}, []string{"block_id"})
	for i, e := range k.list(path, b, "elements", 0, 0) {
		k.richPart(fmt.Sprintf("%s/elements/%d", path, i), e, true)
	}
}

func (k *checker) richPart(path string, v any, lists bool) {
	o, ok := v.(obj)
	if !ok {
		k.bad(path, "must be an object")
		return
	}
	switch kind, _ := o["type"].(string); {
	case kind == "rich_text_section":
		k.object(path, o, []string{"type", "elements"}, nil)
	case kind == "rich_text_preformatted":
		k.object(path, o, []string{"type", "elements"}, []string{"border", "language"})
	case kind == "rich_text_quote":
		k.object(path, o, []string{"type", "elements"}, []string{"border"})
	case kind == "rich_text_list" && lists:
		k.object(path, o, []string{"type", "elements", "style"}, []string{"indent", "offset", "border"})
		k.enum(path, o, "style", "bullet", "ordered")
		for i, e := range k.list(path, o, "elements", 0, 0) {
			k.richPart(fmt.Sprintf("%s/elements/%d", path, i), e, false)
		}
		return
	default:
		k.bad(path+"/type", "unsupported type: %s", kind)
		return
	}
	for i, e := range k.list(path, o, "elements", 0, 0) {
		k.richElement(fmt.Sprintf("%s/elements/%d", path, i), e)
	}
}

// richElements are the parts of a line, with their own properties beside type
// and style.
var richElements = map[string]struct{ needed, allowed []string }{
	"text":      {needed: []string{"text"}},
	"link":      {needed: []string{"url"}, allowed: []string{"text", "unsafe"}},
	"user":      {needed: []string{"user_id"}},
	"usergroup": {needed: []string{"usergroup_id"}},
	"channel":   {needed: []string{"channel_id"}},
	"emoji":     {needed: []string{"name"}, allowed: []string{"unicode", "skin_tone"}},
	"date":      {needed: []string{"timestamp", "format"}, allowed: []string{"url", "fallback"}},
	"broadcast": {needed: []string{"range"}},
	"color":     {needed: []string{"value"}},
}

func (k *checker) richElement(path string, v any) {
	o, ok := v.(obj)
	if !ok {
		k.bad(path, "must be an object")
		return
	}
	kind, _ := o["type"].(string)
	rules, known := richElements[kind]
	if !known {
		k.bad(path+"/type", "unsupported type: %s", kind)
		return
	}
	if _, ok := k.object(path, o, append([]string{"type"}, rules.needed...), append([]string{"style"}, rules.allowed...)); !ok {
		return
	}
	for _, name := range []string{"text", "url", "user_id", "usergroup_id", "channel_id", "name", "format"} {
		if t := k.str(path, o, name, 0); name == "text" {
			k.text += utf8.RuneCountInString(t)
		}
	}
	if kind == "link" {
		k.link(path, o)
	}
	if st, there := o["style"]; there {
		if f, ok := k.object(path+"/style", st, nil, []string{"bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"}); ok {
			k.boolean(path+"/style", f, "bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink")
		}
	}
}
