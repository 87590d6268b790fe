package slacksim

import (
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"
)

// The limits of views (Slack, Views).
const (
	maxStack    = 3
	maxViewSize = 250 << 10
)

// View is a modal or a Home tab.
type View struct {
	ID              string          `json:"id"`
	Type            string          `json:"type"` // modal or home
	User            string          `json:"user"`
	CallbackID      string          `json:"callback_id"`
	PrivateMetadata string          `json:"private_metadata"`
	ExternalID      string          `json:"external_id"`
	Title           string          `json:"title"`
	Submit          string          `json:"submit"`
	Close           string          `json:"close"`
	Blocks          json.RawMessage `json:"blocks"`
	Hash            string          `json:"hash"`
	NotifyOnClose   bool            `json:"notify_on_close"`
	ClearOnClose    bool            `json:"clear_on_close"`
	RootID          string          `json:"root_view_id"`
	PreviousID      string          `json:"previous_view_id"`
	// Errors are the field errors that the app gave on the last submission.
	Errors map[string]string `json:"errors,omitempty"`

	state obj // values[block_id][action_id] as entered
}

func (v *View) clone() View {
	out := *v
	out.state = nil
	return out
}

// readView checks a view argument. Views answer invalid_arguments where messages
// answer invalid_blocks.
func (s *Server) readView(raw string, home bool) (*View, error) {
	if raw == "" {
		return nil, refuse("invalid_arguments")
	}
	if len(raw) > maxViewSize {
		return nil, refuse("view_too_large")
	}
	var v any
	if json.Unmarshal([]byte(raw), &v) != nil {
		return nil, refuse("invalid_arguments")
	}
	k := &checker{}
	needed, where, kind := []string{"type", "title", "blocks"}, surfaceModal, "modal"
	if home {
		needed, where, kind = []string{"type", "blocks"}, surfaceHome, "home"
	}
	o, _ := k.object("/view", v, needed, []string{
		"title", "submit", "close", "private_metadata", "callback_id", "external_id", "clear_on_close", "notify_on_close",
		"submit_disabled",
	})
	if o == nil {
		return nil, &apiError{code: "invalid_arguments", messages: k.messages}
	}
	if o["type"] != kind {
		k.bad("/view/type", "must be a valid enum value")
	}
	label := func(name string) string {
		x, there := o[name]
		if !there || x == nil {
			return ""
		}
		k.textObject("/view/"+name, x, plainText, 24)
		f, _ := x.(obj)
		t, _ := f["text"].(string)
		return t
	}
	text := func(name string, limit int) string {
		t, _ := o[name].(string)
		if utf8.RuneCountInString(t) > limit {
			k.bad("/view/"+name, "must be less than %d characters", limit+1)
		}
		return t
	}
	k.boolean("/view", o, "clear_on_close", "notify_on_close")
	notify, _ := o["notify_on_close"].(bool)
	clearAll, _ := o["clear_on_close"].(bool)
	out := &View{
		Type: kind, CallbackID: text("callback_id", 255), PrivateMetadata: text("private_metadata", 3000),
		ExternalID: text("external_id", 255), Title: label("title"), Submit: label("submit"), Close: label("close"),
		NotifyOnClose: notify, ClearOnClose: clearAll,
	}
	blocks, err := json.Marshal(o["blocks"])
	if err == nil {
		out.Blocks, err = s.checkBlocks(string(blocks), where)
	}
	if e, ok := errors.AsType[*apiError](err); ok {
		k.messages = append(k.messages, e.messages...)
		if len(e.messages) == 0 {
			k.bad("/view/blocks", "%s", e.code)
		}
	}
	if !home && out.Submit == "" && slices.ContainsFunc(elements(out.Blocks), func(e element) bool { return e.input }) {
		k.bad("/view", "missing required field: submit")
	}
	if len(k.messages) > 0 {
		return nil, &apiError{code: "invalid_arguments", messages: k.messages}
	}
	return out, nil
}

func (s *Server) wireView(v *View) obj {
	text := func(t string) any {
		if t == "" {
			return nil
		}
		return obj{"type": "plain_text", "text": t, "emoji": true}
	}
	var state any = v.state
	switch {
	case len(v.state) == 0 && s.habits.ListForNoFields:
		state = []any{}
	case v.state == nil:
		state = obj{}
	}
	blocks := any(v.Blocks)
	if s.habits.StrangeEchoes {
		blocks = strange(v.Blocks)
	}
	var previous any
	if v.PreviousID != "" {
		previous = v.PreviousID
	}
	return obj{
		"id": v.ID, "team_id": s.team.ID, "app_id": s.app.ID, "bot_id": s.app.BotID, "app_installed_team_id": s.team.ID,
		"type": v.Type, "callback_id": v.CallbackID, "private_metadata": v.PrivateMetadata, "external_id": v.ExternalID,
		"title": text(v.Title), "submit": text(v.Submit), "close": text(v.Close), "blocks": blocks, "hash": v.Hash,
		"notify_on_close": v.NotifyOnClose, "clear_on_close": v.ClearOnClose, "root_view_id": v.RootID,
		"previous_view_id": previous, "state": obj{"values": state},
	}
}

// show gives a checked view its identity and puts it on top of the stack.
func (s *Server) show(user string, v *View, push bool) error {
	if v.ExternalID != "" {
		for _, other := range s.views {
			if other.ExternalID == v.ExternalID {
				return refuse("duplicate_external_id")
			}
		}
	}
	stack := s.stacks[user]
	if !push {
		s.closeStack(user)
		stack = nil
	}
	if len(stack) >= maxStack {
		return refuse("push_limit_reached")
	}
	v.ID, v.User, v.Hash = s.id("V"), user, s.hash()
	v.RootID = v.ID
	if len(stack) > 0 {
		v.RootID, v.PreviousID = stack[0], stack[len(stack)-1]
	}
	s.views[v.ID] = v
	s.stacks[user] = append(slices.Clone(stack), v.ID)
	s.changed(Change{Kind: "view", User: user})
	return nil
}

func (s *Server) hash() string { return s.nextTS() + "." + s.secret()[:8] }

func (s *Server) closeStack(user string) {
	for _, id := range s.stacks[user] {
		delete(s.views, id)
	}
	delete(s.stacks, user)
	s.changed(Change{Kind: "view", User: user})
}

// pop closes the top modal of a person.
func (s *Server) pop(user string) {
	stack := s.stacks[user]
	if len(stack) == 0 {
		return
	}
	delete(s.views, stack[len(stack)-1])
	s.stacks[user] = stack[:len(stack)-1]
	s.changed(Change{Kind: "view", User: user})
}

// useTrigger takes a trigger_id: it works once and for three seconds.
func (s *Server) useTrigger(id string) (*trigger, error) {
	t := s.triggers[id]
	switch {
	case id == "":
		return nil, refuse("invalid_arguments")
	case t == nil:
		return nil, refuse("invalid_trigger_id")
	case t.used:
		return nil, refuse("exchanged_trigger_id")
	case !s.now().Before(t.expires):
		return nil, refuse("expired_trigger_id")
	}
	t.used = true
	return t, nil
}

func (s *Server) viewsOpen(c *call) (obj, error) { return s.openView(c, false) }

func (s *Server) viewsPush(c *call) (obj, error) { return s.openView(c, true) }

func (s *Server) openView(c *call, push bool) (obj, error) {
	v, err := s.readView(c.arg("view"), false)
	if err != nil {
		return nil, err
	}
	t, err := s.useTrigger(c.arg("trigger_id"))
	if err != nil {
		return nil, err
	}
	if push && (t.view == "" || s.views[t.view] == nil) {
		return nil, refuse("not_found")
	}
	if err := s.show(t.user, v, push); err != nil {
		return nil, err
	}
	c.effect = true
	return obj{"view": s.wireView(v)}, nil
}

// replaceView changes a view in place; its place in the stack stays.
func (s *Server) replaceView(old, v *View) {
	v.ID, v.User, v.RootID, v.PreviousID, v.Hash = old.ID, old.User, old.RootID, old.PreviousID, s.hash()
	if v.ExternalID == "" {
		v.ExternalID = old.ExternalID
	}
	*old = *v
	kind := "view"
	if old.Type == "home" {
		kind = "home"
	}
	s.changed(Change{Kind: kind, User: old.User})
}

func (s *Server) viewsUpdate(c *call) (obj, error) {
	old := s.views[c.arg("view_id")]
	if id := c.arg("external_id"); id != "" {
		for _, v := range s.views {
			if v.ExternalID == id {
				old = v
			}
		}
	}
	for _, h := range s.home {
		if h.ID == c.arg("view_id") {
			old = h
		}
	}
	if old == nil {
		return nil, refuse("not_found")
	}
	v, err := s.readView(c.arg("view"), old.Type == "home")
	if err != nil {
		return nil, err
	}
	if h := c.arg("hash"); h != "" && h != old.Hash {
		return nil, refuse("hash_conflict")
	}
	s.replaceView(old, v)
	c.effect = true
	return obj{"view": s.wireView(old)}, nil
}

func (s *Server) viewsPublish(c *call) (obj, error) {
	u := s.users[c.arg("user_id")]
	switch {
	case s.app.NoHome:
		return nil, refuse("not_enabled")
	case u == nil || u.Deleted:
		return nil, refuse("user_not_found")
	}
	v, err := s.readView(c.arg("view"), true)
	if err != nil {
		return nil, err
	}
	old := s.home[u.ID]
	if h := c.arg("hash"); h != "" && (old == nil || h != old.Hash) {
		return nil, refuse("hash_conflict")
	}
	if old == nil {
		id := s.id("V")
		old = &View{ID: id, RootID: id, User: u.ID}
		s.home[u.ID] = old
	}
	s.replaceView(old, v)
	c.effect = true
	return obj{"view": s.wireView(old)}, nil
}
