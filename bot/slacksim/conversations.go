package slacksim

import (
	"strconv"
	"strings"
)

// kind is the conversation's kind as scopes and events name it.
func (ch *channel) kind() string {
	switch {
	case ch.IM:
		return "im"
	case ch.Private:
		return "groups"
	default:
		return "channels"
	}
}

func (ch *channel) member(user string) bool { return has(ch.Members, user) }

// visible finds a channel that the bot may know of. A private one that it is
// not in does not exist for it.
func (s *Server) visible(id string) (*channel, error) {
	ch := s.channels[id]
	if ch == nil || ((ch.Private || ch.IM) && !ch.member(s.app.BotUserID)) {
		return nil, refuse("channel_not_found")
	}
	return ch, nil
}

// readable finds a channel for conversations.* and checks the scope that its
// kind needs: verb is read or history.
func (s *Server) readable(id, verb string) (*channel, error) {
	ch, err := s.visible(id)
	if err != nil {
		return nil, err
	}
	return ch, s.needScope(ch.kind() + ":" + verb)
}

func (s *Server) wireChannel(ch *channel) obj {
	if ch.IM {
		peer := ch.Members[0]
		return obj{"id": ch.ID, "is_im": true, "user": peer, "is_archived": false, "is_user_deleted": s.users[peer].Deleted}
	}
	return obj{
		"id": ch.ID, "name": ch.Name, "name_normalized": ch.Name, "is_channel": !ch.Private, "is_group": false,
		"is_im": false, "is_mpim": false, "is_private": ch.Private, "is_archived": ch.Archived, "is_general": false,
		"is_shared": ch.ExtShared, "is_ext_shared": ch.ExtShared, "is_org_shared": false,
		"is_member": ch.member(s.app.BotUserID), "num_members": len(ch.Members), "created": 0,
		"context_team_id": s.team.ID,
	}
}

func (s *Server) conversationsInfo(c *call) (obj, error) {
	ch, err := s.readable(c.arg("channel"), "read")
	if err != nil {
		return nil, err
	}
	return obj{"channel": s.wireChannel(ch)}, nil
}

func (s *Server) conversationsMembers(c *call) (obj, error) {
	ch, err := s.readable(c.arg("channel"), "read")
	if err != nil {
		return nil, err
	}
	limit, err := c.limit(100, 1000)
	if err != nil {
		return nil, err
	}
	ids, next, err := page(c, ch.Members, limit)
	if err != nil {
		return nil, err
	}
	return obj{"members": append([]string{}, ids...), "response_metadata": obj{"next_cursor": next}}, nil
}

func (s *Server) conversationsList(c *call) (obj, error) {
	kinds := map[string]string{"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}
	types := c.arg("types")
	if types == "" {
		types = "public_channel"
	}
	want := map[string]bool{}
	for t := range strings.SplitSeq(types, ",") {
		k := kinds[strings.TrimSpace(t)]
		if k == "" {
			return nil, refuse("invalid_types")
		}
		if err := s.needScope(k + ":read"); err != nil {
			return nil, err
		}
		want[k] = true
	}
	var list []*channel
	for _, id := range s.channelOrder {
		ch, err := s.visible(id)
		if err == nil && want[ch.kind()] && (!ch.Archived || !c.flag("exclude_archived")) {
			list = append(list, ch)
		}
	}
	limit, err := c.limit(100, 999)
	if err != nil {
		return nil, err
	}
	part, next, err := page(c, list, limit)
	if err != nil {
		return nil, err
	}
	out := []obj{}
	for _, ch := range part {
		out = append(out, s.wireChannel(ch))
	}
	return obj{"channels": out, "response_metadata": obj{"next_cursor": next}}, nil
}

func (s *Server) imOf(user string) string {
	for _, id := range s.channelOrder {
		if ch := s.channels[id]; ch.IM && ch.member(user) && ch.member(s.app.BotUserID) {
			return id
		}
	}
	return ""
}

// openIM finds or makes the direct message between a person and the app.
func (s *Server) openIM(user string) (ch *channel, fresh bool, err error) {
	u := s.users[user]
	switch {
	case u == nil:
		return nil, false, refuse("user_not_found")
	case u.Deleted:
		return nil, false, refuse("user_disabled")
	case u.IsBot:
		return nil, false, refuse("cannot_dm_bot")
	}
	if id := s.imOf(user); id != "" {
		return s.channels[id], false, nil
	}
	ch = s.addChannel(Channel{ID: s.id("D"), IM: true, Members: []string{user, s.app.BotUserID}})
	s.changed(Change{Kind: "channel", Channel: ch.ID, User: user})
	return ch, true, nil
}

func (s *Server) conversationsOpen(c *call) (obj, error) {
	users := strings.Split(c.arg("users"), ",")
	if id := c.arg("channel"); id != "" {
		ch, err := s.visible(id)
		if err != nil {
			return nil, err
		}
		if !ch.IM {
			return nil, refuse("method_not_supported_for_channel_type")
		}
		return obj{"channel": obj{"id": ch.ID}, "no_op": true, "already_open": true}, nil
	}
	switch {
	case users[0] == "":
		return nil, refuse("users_list_not_supplied")
	case len(users) > 1:
		// Group direct messages are not part of this workspace.
		return nil, refuse("not_enough_users")
	}
	ch, fresh, err := s.openIM(users[0])
	if err != nil {
		return nil, err
	}
	c.effect = fresh
	out := obj{"channel": obj{"id": ch.ID}, "no_op": !fresh, "already_open": !fresh}
	if c.flag("return_im") {
		out["channel"] = s.wireChannel(ch)
	}
	return out, nil
}

// micros reads a ts as microseconds, so that it is never compared as a float.
func micros(ts string) (int64, bool) {
	sec, frac, dotted := strings.Cut(ts, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || n < 0 || len(frac) > 6 || (dotted && frac == "") {
		return 0, false
	}
	f := int64(0)
	if frac != "" {
		if f, err = strconv.ParseInt((frac + "000000")[:6], 10, 64); err != nil || f < 0 {
			return 0, false
		}
	}
	return n*1e6 + f, true
}

// window reads oldest, latest and inclusive of a history call.
func (c *call) window() (func(ts string) bool, error) {
	oldest, latest := int64(-1), int64(1)<<62
	for name, v := range map[string]*int64{"oldest": &oldest, "latest": &latest} {
		if a := c.arg(name); a != "" && a != "0" {
			n, ok := micros(a)
			if !ok {
				return nil, refuse("invalid_ts_" + name)
			}
			*v = n
		}
	}
	inclusive := c.flag("inclusive")
	return func(ts string) bool {
		n, _ := micros(ts)
		if inclusive {
			return n >= oldest && n <= latest
		}
		return n > oldest && n < latest
	}, nil
}

func (s *Server) conversationsHistory(c *call) (obj, error) {
	ch, err := s.readable(c.arg("channel"), "history")
	if err != nil {
		return nil, err
	}
	if !ch.member(s.app.BotUserID) {
		return nil, refuse("not_in_channel")
	}
	within, err := c.window()
	if err != nil {
		return nil, err
	}
	var list []*Message
	for i := len(ch.messages) - 1; i >= 0; i-- { // newest first
		if m := ch.messages[i]; m.inMain() && within(m.TS) {
			list = append(list, m)
		}
	}
	return s.listMessages(c, list)
}

func (s *Server) conversationsReplies(c *call) (obj, error) {
	ch, err := s.readable(c.arg("channel"), "history")
	if err != nil {
		return nil, err
	}
	if !ch.member(s.app.BotUserID) {
		return nil, refuse("not_in_channel")
	}
	root := ch.byTS[c.arg("ts")]
	if root == nil {
		return nil, refuse("thread_not_found")
	}
	if root.ThreadTS != "" && root.ThreadTS != root.TS {
		root = ch.byTS[root.ThreadTS]
	}
	within, err := c.window()
	if err != nil {
		return nil, err
	}
	var list []*Message
	for _, m := range ch.messages {
		if m == root || (m.ThreadTS == root.TS && within(m.TS)) {
			list = append(list, m)
		}
	}
	return s.listMessages(c, list)
}

func (s *Server) listMessages(c *call, list []*Message) (obj, error) {
	limit, err := c.limit(100, 999)
	if err != nil {
		return nil, err
	}
	if most := s.habits.ShortPages; most > 0 {
		limit = min(limit, most)
	}
	part, next, err := page(c, list, limit)
	if err != nil {
		return nil, err
	}
	out := []obj{}
	for _, m := range part {
		out = append(out, s.wireMessage(m, c.flag("include_all_metadata"), false))
	}
	return obj{
		"messages": out, "has_more": next != "", "pin_count": 0,
		"response_metadata": obj{"next_cursor": next},
	}, nil
}
