package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Fields are what a person entered in a modal: block id, action id, values. A
// text, number, date (2026-01-31), time (09:30) or id is one value; boxes and
// multi menus take any number; an option is named by its value.
type Fields map[string]map[string][]string

// OpenHome opens the app's Home tab: the app gets app_home_opened, with the view
// if one was published.
func (s *Server) OpenHome(user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.app.NoHome {
		return &Refused{"not_enabled"}
	}
	ch, _, err := s.openIM(user)
	if err != nil {
		return asRefused(err)
	}
	ev := obj{
		"type": "app_home_opened", "user": user, "channel": ch.ID, "tab": "home", "event_ts": s.nextTS(),
	}
	if v := s.home[user]; v != nil {
		ev["view"] = s.wireView(v)
	}
	s.emitIf("app_home_opened", "", ev, false)
	return nil
}

// ClickHome presses a button on a person's Home tab.
func (s *Server) ClickHome(user, actionID string) *Delivery {
	d := &Delivery{Kind: "interactive"}
	s.mu.Lock()
	done, err := s.viewAction(d, user, s.home[user], actionID, nil)
	s.mu.Unlock()
	return wait(d, done, err)
}

// ClickView uses an element of the modal that a person sees; values as for
// Select, none for a button.
func (s *Server) ClickView(user, actionID string, values ...string) *Delivery {
	d := &Delivery{Kind: "interactive"}
	s.mu.Lock()
	done, err := s.viewAction(d, user, s.top(user), actionID, values)
	s.mu.Unlock()
	return wait(d, done, err)
}

// top is the modal that a person sees, nil if none.
func (s *Server) top(user string) *View {
	stack := s.stacks[user]
	if len(stack) == 0 {
		return nil
	}
	return s.views[stack[len(stack)-1]]
}

func (s *Server) viewAction(d *Delivery, user string, v *View, actionID string, values []string) (<-chan struct{}, error) {
	u := s.users[user]
	switch {
	case u == nil || u.Deleted:
		return nil, &Refused{"user_not_found"}
	case v == nil:
		return nil, &Refused{"view_not_found"}
	}
	action, err := s.action(v.Blocks, actionID, values)
	if err != nil {
		return nil, err
	}
	v.state = merge(v.state, stateOf(action))
	d.TriggerID = s.newTrigger(user, v.ID)
	payload := s.interaction("block_actions", u)
	payload["container"] = obj{"type": "view", "view_id": v.ID}
	payload["trigger_id"], payload["view"], payload["actions"] = d.TriggerID, s.wireView(v), []obj{action}
	return s.interact("interactive", payload, d, noPayload), nil
}

func merge(state, more obj) obj {
	out := maps.Clone(state)
	if out == nil {
		out = obj{}
	}
	for block, v := range more {
		old, _ := out[block].(obj)
		fresh := maps.Clone(old)
		if fresh == nil {
			fresh = obj{}
		}
		if in, ok := v.(obj); ok {
			maps.Copy(fresh, in)
		}
		out[block] = fresh
	}
	return out
}

// SubmitView submits the modal that a person sees and waits for the ack, which
// closes it, shows errors, or updates, pushes or clears views. A required field
// left out is refused before the app hears of it, as Slack's client does.
func (s *Server) SubmitView(user string, fields Fields) *Delivery {
	d := &Delivery{Kind: "interactive"}
	s.mu.Lock()
	done, err := s.submitView(d, user, fields)
	s.mu.Unlock()
	return wait(d, done, err)
}

func (s *Server) submitView(d *Delivery, user string, fields Fields) (<-chan struct{}, error) {
	u, v := s.users[user], s.top(user)
	switch {
	case u == nil || u.Deleted:
		return nil, &Refused{"user_not_found"}
	case v == nil:
		return nil, &Refused{"view_not_found"}
	}
	state, err := enter(v, fields)
	if err != nil {
		return nil, err
	}
	v.state, v.Errors = state, nil
	d.TriggerID = s.newTrigger(user, v.ID)
	payload := s.interaction("view_submission", u)
	payload["trigger_id"], payload["view"], payload["response_urls"] = d.TriggerID, s.wireView(v), []obj{}
	id := v.ID
	return s.interact("interactive", payload, d, func(raw json.RawMessage) error {
		return s.submitted(d, user, id, raw)
	}), nil
}

// enter checks what was entered against the inputs of the view.
func enter(v *View, fields Fields) (obj, error) {
	known := map[string]bool{}
	state := v.state
	for _, e := range elements(v.Blocks) {
		known[e.block+"/"+e.action] = true
		values, given := fields[e.block][e.action]
		if !given {
			if e.input && !e.optional && !prefilled(e, state) {
				return nil, &Refused{"required_field: " + e.block}
			}
			if e.input && !prefilled(e, state) {
				state = merge(state, obj{e.block: obj{e.action: e.blank()}})
			} else if e.input {
				state = merge(state, obj{e.block: obj{e.action: e.initial(state)}})
			}
			continue
		}
		in, err := e.use(values)
		if err != nil {
			return nil, err
		}
		in["type"] = e.kind
		state = merge(state, obj{e.block: obj{e.action: in}})
	}
	for block, actions := range fields {
		for action := range actions {
			if !known[block+"/"+action] {
				return nil, &Refused{"no_such_field: " + block + "/" + action}
			}
		}
	}
	return state, nil
}

// initials are the properties with which an element starts filled in, and the
// state that each becomes.
var initials = map[string]string{
	"initial_value": "value", "initial_option": "selected_option", "initial_options": "selected_options",
	"initial_user": "selected_user", "initial_users": "selected_users", "initial_channel": "selected_channel",
	"initial_channels": "selected_channels", "initial_conversation": "selected_conversation",
	"initial_conversations": "selected_conversations", "initial_date": "selected_date", "initial_time": "selected_time",
	"initial_date_time": "selected_date_time",
}

func prefilled(e element, state obj) bool {
	if b, ok := state[e.block].(obj); ok && b[e.action] != nil {
		return true
	}
	for name := range initials {
		if _, there := e.fields[name]; there {
			return true
		}
	}
	return false
}

func (e element) initial(state obj) any {
	if b, ok := state[e.block].(obj); ok && b[e.action] != nil {
		return b[e.action]
	}
	out := obj{"type": e.kind}
	for name, key := range initials {
		if v, there := e.fields[name]; there {
			out[key] = v
		}
	}
	return out
}

// blank is the state of an input left empty.
func (e element) blank() obj {
	out := obj{"type": e.kind}
	switch e.kind {
	case "plain_text_input", "number_input", "email_text_input", "url_text_input":
		out["value"] = nil
	case "checkboxes", "multi_static_select", "multi_external_select":
		out["selected_options"] = []obj{}
	case "static_select", "external_select", "radio_buttons":
		out["selected_option"] = nil
	}
	return out
}

// submitted carries out the response_action of a submission's ack.
func (s *Server) submitted(d *Delivery, user, viewID string, raw json.RawMessage) error {
	var ack struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(raw) > 0 && json.Unmarshal(raw, &ack) != nil {
		return fmt.Errorf("%w: not an object", ErrBadAck)
	}
	v := s.views[viewID]
	if v == nil {
		return nil // closed meanwhile
	}
	switch ack.Action {
	case "":
		s.pop(user)
	case "clear":
		s.closeStack(user)
	case "errors":
		return s.fieldErrors(d, v, ack.Errors)
	case "update", "push":
		fresh, err := s.readView(string(ack.View), false)
		if err != nil {
			return fmt.Errorf("%w: view: %w", ErrBadAck, err)
		}
		if ack.Action == "update" {
			s.replaceView(v, fresh)
		} else if err := s.show(user, fresh, true); err != nil {
			return fmt.Errorf("%w: %w", ErrBadAck, err)
		}
	default:
		return fmt.Errorf("%w: response_action %q", ErrBadAck, ack.Action)
	}
	return nil
}

// fieldErrors shows errors under inputs. A key that is no input block gives the
// person a connection error instead.
func (s *Server) fieldErrors(d *Delivery, v *View, errs map[string]string) error {
	if len(errs) == 0 {
		return fmt.Errorf("%w: no errors given", ErrBadAck)
	}
	for block := range errs {
		if !slices.ContainsFunc(elements(v.Blocks), func(e element) bool { return e.input && e.block == block }) {
			return fmt.Errorf("%w: errors: %q is no input block", ErrBadAck, block)
		}
	}
	d.Errors, v.Errors = errs, errs
	s.changed(Change{Kind: "view", User: v.User})
	return nil
}

// CloseView closes the modal that a person sees, or with all the whole stack.
// The app hears of it if the view asked for notify_on_close.
func (s *Server) CloseView(user string, all bool) *Delivery {
	d := &Delivery{Kind: "interactive"}
	s.mu.Lock()
	u, v := s.users[user], s.top(user)
	if u == nil || v == nil {
		s.mu.Unlock()
		d.Err = &Refused{"view_not_found"}
		return d
	}
	if all = all || v.ClearOnClose; all {
		s.closeStack(user)
	} else {
		s.pop(user)
	}
	if !v.NotifyOnClose {
		s.mu.Unlock()
		return d
	}
	payload := s.interaction("view_closed", u)
	payload["view"], payload["is_cleared"] = s.wireView(v), all
	done := s.interact("interactive", payload, d, noPayload)
	s.mu.Unlock()
	return wait(d, done, nil)
}

// Shortcut uses a global shortcut of the app.
func (s *Server) Shortcut(user, callbackID string) *Delivery {
	d := &Delivery{Kind: "interactive"}
	s.mu.Lock()
	u := s.users[user]
	if u == nil || u.Deleted || !has(s.app.Scopes, "commands") {
		s.mu.Unlock()
		d.Err = &Refused{"invalid_shortcut"}
		return d
	}
	d.TriggerID = s.newTrigger(user, "")
	payload := s.interaction("shortcut", u)
	payload["callback_id"], payload["trigger_id"], payload["action_ts"] = callbackID, d.TriggerID, s.nextTS()
	done := s.interact("interactive", payload, d, noPayload)
	s.mu.Unlock()
	return wait(d, done, nil)
}

// Suggest types into an external menu of the modal that a person sees; the ack's
// options are in Delivery.Payload.
func (s *Server) Suggest(user, actionID, query string) *Delivery {
	d := &Delivery{Kind: "interactive"}
	s.mu.Lock()
	u, v := s.users[user], s.top(user)
	i := -1
	var list []element
	if u != nil && v != nil {
		list = elements(v.Blocks)
		i = slices.IndexFunc(list, func(e element) bool {
			return e.action == actionID && (e.kind == "external_select" || e.kind == "multi_external_select")
		})
	}
	if i < 0 {
		s.mu.Unlock()
		d.Err = &Refused{"action_not_found"}
		return d
	}
	payload := s.interaction("block_suggestion", u)
	payload["view"], payload["container"] = s.wireView(v), obj{"type": "view", "view_id": v.ID}
	payload["action_id"], payload["block_id"], payload["value"] = actionID, list[i].block, query
	done := s.interact("interactive", payload, d, checkOptions)
	s.mu.Unlock()
	return wait(d, done, nil)
}

// checkOptions checks the ack of a block_suggestion.
func checkOptions(raw json.RawMessage) error {
	var o obj
	if json.Unmarshal(raw, &o) != nil {
		return fmt.Errorf("%w: options missing", ErrBadAck)
	}
	k := &checker{}
	_, options := o["options"]
	_, groups := o["option_groups"]
	if options == groups {
		return fmt.Errorf("%w: give options or option_groups", ErrBadAck)
	}
	for i, x := range k.list("", o, "options", 0, 100) {
		k.option(fmt.Sprintf("/options/%d", i), x, plainText)
	}
	k.list("", o, "option_groups", 0, 100)
	if len(k.messages) > 0 {
		return fmt.Errorf("%w: %s", ErrBadAck, k.messages[0])
	}
	return nil
}
