package slacksim

import (
	"unicode/utf8"
)

// writable finds where a call may post: a channel that the bot is in, a public
// one with chat:write.public, or a person, whose direct message is opened.
func (s *Server) writable(id string) (*channel, error) {
	if u := s.users[id]; u != nil {
		ch, _, err := s.openIM(id)
		return ch, err
	}
	ch, err := s.visible(id)
	if err != nil {
		return nil, err
	}
	switch {
	case ch.Archived:
		return nil, refuse("is_archived")
	case !ch.member(s.app.BotUserID) && !has(s.app.Scopes, "chat:write.public"):
		return nil, refuse("not_in_channel")
	}
	return ch, nil
}

// thread checks the parent that a reply names. Slack doesn't document the
// errors; what would post a reply where nobody sees it is refused here.
func (s *Server) thread(ch *channel, ts string) error {
	if ts == "" {
		return nil
	}
	root := ch.byTS[ts]
	switch {
	case root == nil:
		return refuse("message_not_found")
	case root.ThreadTS != "" && root.ThreadTS != root.TS:
		return refuse("cannot_reply_to_message")
	}
	return nil
}

func (s *Server) chatPostMessage(c *call) (obj, error) {
	t, err := s.content(c)
	if err != nil {
		return nil, err
	}
	if t.empty() {
		return nil, refuse("no_text")
	}
	ch, err := s.writable(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	thread := c.arg("thread_ts")
	if s.habits.LooseReplies && ch.byTS[thread] == nil {
		thread = ""
	}
	if err := s.thread(ch, thread); err != nil {
		return nil, err
	}
	if wait, ok := s.rates.perSecond("chat.postMessage "+ch.ID, s.now()); !ok {
		return nil, &apiError{code: "ratelimited", wait: wait}
	}
	if wait, ok := s.rates.perMinute("chat.postMessage", postsPerMinute, s.now()); !ok {
		return nil, &apiError{code: "ratelimited", wait: wait}
	}
	t = t.cut()
	m := s.appMessage(t)
	m.ThreadTS, m.Broadcast = thread, thread != "" && c.flag("reply_broadcast")
	s.put(ch, m)
	c.effect = true
	out := obj{"channel": ch.ID, "ts": m.TS, "message": s.echo(m)}
	if t.warning != "" {
		out["warning"] = t.warning
		out["response_metadata"] = obj{"warnings": []string{t.warning}}
	}
	return out, nil
}

// appMessage is a message of the app, not yet posted.
func (s *Server) appMessage(t content) *Message {
	return &Message{
		User: s.app.BotUserID, BotID: s.app.BotID, Text: t.text, Blocks: t.blocks,
		Attachments: t.attachments, Metadata: t.metadata,
	}
}

// own finds a message that the app may change.
func (s *Server) own(c *call, refusal string) (*channel, *Message, error) {
	ch, err := s.visible(c.arg("channel"))
	if err != nil {
		return nil, nil, err
	}
	m := s.known(ch.ID, c.arg("ts"))
	switch {
	case m == nil:
		return nil, nil, refuse("message_not_found")
	case ch.Archived:
		return nil, nil, refuse("is_archived")
	case m.BotID != s.app.BotID:
		return nil, nil, refuse(refusal)
	}
	return ch, m, nil
}

// chatUpdate replaces text and blocks together: text alone removes the blocks,
// and blocks alone leave no text for notifications. Metadata stays unless given.
func (s *Server) chatUpdate(c *call) (obj, error) {
	t, err := s.content(c)
	if err != nil {
		return nil, err
	}
	if t.empty() {
		return nil, refuse("no_text")
	}
	if utf8.RuneCountInString(t.text) > maxUpdateText {
		return nil, refuse("msg_too_long")
	}
	ch, m, err := s.own(c, "cant_update_message")
	if err != nil {
		return nil, err
	}
	before := s.wireMessage(m, true, false)
	m.Text, m.Blocks, m.Attachments = t.text, t.blocks, t.attachments
	if t.metaGiven {
		m.Metadata = t.metadata
	}
	m.Updates++
	m.Edited = noBlocks(m.Blocks)
	c.effect = true
	ts := s.nextTS()
	s.changed(Change{Kind: "message", Channel: ch.ID, TS: m.TS, User: m.User})
	s.emitIn(ch, "message", obj{
		"type": "message", "subtype": "message_changed", "hidden": true, "channel": ch.ID, "channel_type": eventKind(ch),
		"ts": ts, "event_ts": ts, "message": s.wireMessage(m, true, false), "previous_message": before,
	})
	return obj{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": s.echo(m)}, nil
}

func (s *Server) chatDelete(c *call) (obj, error) {
	ch, m, err := s.own(c, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	ts := m.TS
	s.remove(ch, m)
	c.effect = true
	return obj{"channel": ch.ID, "ts": ts}, nil
}

func (s *Server) chatPostEphemeral(c *call) (obj, error) {
	t, err := s.content(c)
	if err != nil {
		return nil, err
	}
	if t.empty() {
		return nil, refuse("no_text")
	}
	ch, err := s.visible(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	user := c.arg("user")
	switch {
	case ch.Archived:
		return nil, refuse("is_archived")
	case !ch.member(s.app.BotUserID) && !has(s.app.Scopes, "chat:write.public"):
		return nil, refuse("not_in_channel")
	case s.users[user] == nil || !ch.member(user):
		return nil, refuse("user_not_in_channel")
	}
	if err := s.thread(ch, c.arg("thread_ts")); err != nil {
		return nil, err
	}
	e := s.whisper("chat.postEphemeral", ch.ID, user, c.arg("thread_ts"), t.cut())
	c.effect = true
	return obj{"message_ts": e.TS}, nil
}

func (s *Server) chatGetPermalink(c *call) (obj, error) {
	ch, err := s.visible(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	m := s.find(ch.ID, c.arg("message_ts"))
	if m == nil {
		return nil, refuse("message_not_found")
	}
	return obj{"channel": ch.ID, "permalink": s.permalink(m)}, nil
}
