package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Click presses a button of a message, or of an ephemeral that the person sees,
// and waits for the ack. actionID names the element; "block_id/action_id" where
// several blocks use the same.
func (s *Server) Click(user, channel, ts, actionID string) *Delivery {
	return s.act(user, channel, ts, actionID, nil)
}

// Select chooses values of a menu, picker or set of boxes in a message; see
// Fields for what a value is.
func (s *Server) Select(user, channel, ts, actionID string, values ...string) *Delivery {
	return s.act(user, channel, ts, actionID, append([]string{}, values...))
}

func (s *Server) act(user, channel, ts, actionID string, values []string) *Delivery {
	d := &Delivery{Kind: "interactive"}
	s.mu.Lock()
	done, err := s.blockAction(d, user, channel, ts, actionID, values)
	s.mu.Unlock()
	return wait(d, done, err)
}

func (s *Server) blockAction(d *Delivery, user, channel, ts, actionID string, values []string) (<-chan struct{}, error) {
	u, ch, err := s.actor(user, channel)
	if err != nil {
		return nil, err
	}
	container := obj{"type": "message", "message_ts": ts, "channel_id": ch.ID, "is_ephemeral": false}
	var (
		blocks  json.RawMessage
		message obj
	)
	target := &responseURL{channel: ch.ID, user: user}
	if m := s.find(ch.ID, ts); m != nil {
		blocks, message, target.message = m.Blocks, s.wireMessage(m, true, false), m.TS
		if m.ThreadTS != "" {
			container["thread_ts"] = m.ThreadTS
		}
		target.thread = m.ThreadTS
	} else if i := slices.IndexFunc(s.ephemerals, func(e *Ephemeral) bool { return e.TS == ts && e.User == user }); i >= 0 {
		e := s.ephemerals[i]
		blocks, target.ephemeral, target.thread = e.Blocks, e, e.ThreadTS
		container["is_ephemeral"] = true // and no message: Slack doesn't keep it
	} else {
		return nil, &Refused{"message_not_found"}
	}
	action, err := s.action(blocks, actionID, values)
	if err != nil {
		return nil, err
	}
	d.TriggerID = s.newTrigger(user, "")
	d.ResponseURL = s.newResponseURL(target)
	payload := s.interaction("block_actions", u)
	payload["container"], payload["trigger_id"], payload["response_url"] = container, d.TriggerID, d.ResponseURL
	payload["channel"] = obj{"id": ch.ID, "name": ch.Name}
	payload["actions"] = []obj{action}
	payload["state"] = obj{"values": stateOf(action)}
	if message != nil {
		payload["message"] = message
	}
	return s.interact("interactive", payload, d, noPayload), nil
}

// noPayload is the ack of clicks, shortcuts and closed views: whatever comes
// with it is not looked at, save that it must be an object.
func noPayload(raw json.RawMessage) error {
	var o obj
	if len(raw) > 0 && json.Unmarshal(raw, &o) != nil {
		return fmt.Errorf("%w: not an object", ErrBadAck)
	}
	return nil
}

// interaction is what all interactions have in common.
func (s *Server) interaction(kind string, u *User) obj {
	out := obj{
		"type": kind, "token": "verification", "api_app_id": s.app.ID, "is_enterprise_install": false, "enterprise": nil,
		"user": obj{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.TeamID},
		"team": obj{"id": s.team.ID, "domain": s.team.Domain},
	}
	if s.habits.NullTeam {
		out["team"] = nil
		if s.team.EnterpriseID != "" {
			out["user"].(obj)["team_id"] = s.team.EnterpriseID
		}
	}
	if s.team.EnterpriseID != "" {
		out["enterprise"] = obj{"id": s.team.EnterpriseID, "name": s.team.Name}
	}
	return out
}

// action finds an element and says what using it sends.
func (s *Server) action(blocks json.RawMessage, id string, values []string) (obj, error) {
	block, action, qualified := strings.Cut(id, "/")
	if !qualified {
		block, action = "", id
	}
	for _, el := range elements(blocks) {
		if el.action != action || (block != "" && el.block != block) {
			continue
		}
		out, err := el.use(values)
		if err != nil {
			return nil, err
		}
		out["type"], out["action_id"], out["block_id"], out["action_ts"] = el.kind, el.action, el.block, s.nextTS()
		return out, nil
	}
	return nil, &Refused{"action_not_found"}
}

// stateOf is state.values after the action: of a message only the element used
// is known. A button has no state.
func stateOf(action obj) obj {
	if action["type"] == "button" {
		return obj{}
	}
	v := obj{}
	for k, x := range action {
		if k != "block_id" && k != "action_id" && k != "action_ts" {
			v[k] = x
		}
	}
	return obj{action["block_id"].(string): obj{action["action_id"].(string): v}}
}

// element is one interactive part of a message or view.
type element struct {
	kind, block, action string
	input               bool // stands in an input block
	optional            bool
	fields              obj
}

// elements lists the interactive parts of blocks that passed the checks.
func elements(raw json.RawMessage) []element {
	var blocks []obj
	if json.Unmarshal(raw, &blocks) != nil {
		return nil
	}
	var out []element
	add := func(b obj, el any, input bool) {
		f, ok := el.(obj)
		if !ok {
			return
		}
		if id, ok := f["action_id"].(string); ok {
			kind, _ := f["type"].(string)
			block, _ := b["block_id"].(string)
			optional, _ := b["optional"].(bool)
			out = append(out, element{kind: kind, block: block, action: id, input: input, optional: optional, fields: f})
		}
	}
	for _, b := range blocks {
		list, _ := b["elements"].([]any)
		for _, el := range list {
			add(b, el, false)
		}
		add(b, b["accessory"], false)
		add(b, b["element"], b["type"] == "input")
	}
	return out
}

// use is the part of an action that depends on the kind of element.
func (e element) use(values []string) (obj, error) {
	one := func() (string, error) {
		if len(values) != 1 {
			return "", &Refused{"one_value_needed"}
		}
		return values[0], nil
	}
	switch e.kind {
	case "button":
		if values != nil {
			return nil, &Refused{"buttons_have_no_values"}
		}
		out := obj{"text": e.fields["text"]}
		for _, k := range []string{"value", "url", "style"} {
			if v, ok := e.fields[k]; ok {
				out[k] = v
			}
		}
		return out, nil
	case "static_select", "external_select", "radio_buttons", "overflow":
		v, err := one()
		if err != nil {
			return nil, err
		}
		o, err := e.option(v)
		return obj{"selected_option": o}, err
	case "checkboxes", "multi_static_select", "multi_external_select":
		list := []obj{}
		for _, v := range values {
			o, err := e.option(v)
			if err != nil {
				return nil, err
			}
			list = append(list, o)
		}
		return obj{"selected_options": list}, nil
	case "multi_users_select", "multi_conversations_select", "multi_channels_select":
		key := "selected_" + strings.TrimSuffix(strings.TrimPrefix(e.kind, "multi_"), "_select")
		return obj{key: append([]string{}, values...)}, nil
	}
	key := map[string]string{
		"users_select": "selected_user", "conversations_select": "selected_conversation", "channels_select": "selected_channel",
		"datepicker": "selected_date", "timepicker": "selected_time", "datetimepicker": "selected_date_time",
		"plain_text_input": "value", "number_input": "value", "email_text_input": "value", "url_text_input": "value",
	}[e.kind]
	if key == "" {
		return nil, &Refused{"not_interactive"}
	}
	v, err := one()
	return obj{key: v}, err
}

// option finds the option with that value. Those of an external menu came from
// the app a moment ago and are taken as they are.
func (e element) option(value string) (obj, error) {
	if strings.Contains(e.kind, "external") {
		return obj{"text": obj{"type": "plain_text", "text": value}, "value": value}, nil
	}
	lists := []any{e.fields["options"]}
	if groups, ok := e.fields["option_groups"].([]any); ok {
		for _, g := range groups {
			if o, ok := g.(obj); ok {
				lists = append(lists, o["options"])
			}
		}
	}
	for _, l := range lists {
		list, _ := l.([]any)
		for _, x := range list {
			if o, ok := x.(obj); ok && o["value"] == value {
				return o, nil
			}
		}
	}
	return nil, &Refused{"no_such_option"}
}
