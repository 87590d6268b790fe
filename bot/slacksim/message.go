package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The sizes of text. Slack cuts a posted text above 40,000 and refuses an
// updated one above 4,000 (chat.postMessage, chat.update).
const (
	maxPostText   = 40000
	maxUpdateText = 4000
	// maxMetadata is a guess: Slack has the error metadata_too_large but no number.
	maxMetadata = 16 << 10
)

// find is a message that is there and not deleted.
func (s *Server) find(channel, ts string) *Message {
	if ch := s.channels[channel]; ch != nil {
		if m := ch.byTS[ts]; m != nil && !m.Deleted {
			return m
		}
	}
	return nil
}

// known is find, with the tombstones that answer as messages (Habits).
func (s *Server) known(channel, ts string) *Message {
	if m := s.find(channel, ts); m != nil || !s.habits.LivingTombstones {
		return m
	}
	if ch := s.channels[channel]; ch != nil {
		return ch.byTS[ts]
	}
	return nil
}

// content is what a message says.
type content struct {
	text        string
	blocks      json.RawMessage // nil = not given; [] = none wanted
	attachments json.RawMessage
	metadata    *Metadata
	metaGiven   bool
	warning     string
}

// content reads and checks what a call wants to say. Slack checks form before it
// looks for the channel's limits, so a refused message never counts as posted.
func (s *Server) content(c *call) (content, error) {
	out := content{text: c.arg("text")}
	if raw := c.arg("blocks"); raw != "" {
		blocks, err := s.checkBlocks(raw, surfaceMessage)
		if err != nil {
			return out, err
		}
		out.blocks = blocks
	}
	if raw := c.arg("attachments"); raw != "" {
		var list []map[string]any
		if json.Unmarshal([]byte(raw), &list) != nil {
			return out, refuse("invalid_attachments")
		}
		if len(list) > 100 {
			return out, refuse("too_many_attachments")
		}
		if len(list) > 0 {
			out.attachments = json.RawMessage(raw)
		}
	}
	if raw, given := c.args["metadata"]; given && raw != "" {
		m, err := readMetadata(raw)
		if err != nil {
			return out, err
		}
		out.metadata, out.metaGiven = m, true
	}
	return out, nil
}

// empty says that there is nothing to show.
func (t content) empty() bool {
	return t.text == "" && len(t.attachments) == 0 && noBlocks(t.blocks)
}

func noBlocks(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "[]" }

// cut applies Slack's silent cut of long texts, on a rune boundary.
func (t content) cut() content {
	if utf8.RuneCountInString(t.text) > maxPostText {
		t.text = string([]rune(t.text)[:maxPostText])
		t.warning = "message_truncated"
	}
	return t
}

// readMetadata takes {} as "none", which is how a client clears it.
func readMetadata(raw string) (*Metadata, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(raw), &fields) != nil {
		return nil, refuse("invalid_metadata_format")
	}
	if len(raw) > maxMetadata {
		return nil, refuse("metadata_too_large")
	}
	if len(fields) == 0 {
		return nil, nil
	}
	var m Metadata
	if t := fields["event_type"]; len(t) > 0 && json.Unmarshal(t, &m.EventType) != nil {
		return nil, refuse("invalid_metadata_format")
	}
	if p := fields["event_payload"]; len(p) > 0 && json.Unmarshal(p, &m.EventPayload) != nil {
		return nil, refuse("invalid_metadata_format")
	}
	if m.EventType == "" && len(m.EventPayload) == 0 {
		return nil, nil
	}
	if m.EventType == "" || m.EventPayload == nil {
		return nil, refuse("invalid_metadata_schema")
	}
	return &m, nil
}

// put stores a new message and tells everyone.
func (s *Server) put(ch *channel, m *Message) {
	m.Channel, m.TS, m.At = ch.ID, s.nextTS(), s.now()
	ch.messages = append(ch.messages, m)
	ch.byTS[m.TS] = m
	if m.ThreadTS != "" {
		if root := ch.byTS[m.ThreadTS]; root != nil {
			root.ThreadTS = root.TS
			root.Replies++
		}
	}
	s.changed(Change{Kind: "message", Channel: ch.ID, TS: m.TS, User: m.User})
	event := s.wireMessage(m, true, false)
	event["channel"], event["channel_type"], event["event_ts"] = ch.ID, eventKind(ch), m.TS
	s.emitIn(ch, "message", event)
}

// eventKind is channel_type in message events.
func eventKind(ch *channel) string {
	switch {
	case ch.IM:
		return "im"
	case ch.Private:
		return "group"
	default:
		return "channel"
	}
}

// remove takes a message away. A parent with replies leaves a tombstone, which
// Slack tells as a change of the message and not as its deletion.
func (s *Server) remove(ch *channel, m *Message) {
	before := s.wireMessage(m, true, false)
	ts := s.nextTS()
	event := obj{
		"type": "message", "subtype": "message_deleted", "hidden": true, "channel": ch.ID, "channel_type": eventKind(ch),
		"ts": ts, "event_ts": ts, "previous_message": before,
	}
	if m.Replies > 0 {
		*m = Message{
			Channel: m.Channel, TS: m.TS, ThreadTS: m.ThreadTS, User: "USLACKBOT", At: m.At,
			Text: "This message was deleted.", Replies: m.Replies, Deleted: true,
		}
		event["subtype"], event["message"] = "message_changed", s.wireMessage(m, true, false)
	} else {
		event["deleted_ts"] = m.TS
		ch.messages = slices.DeleteFunc(ch.messages, func(x *Message) bool { return x == m })
		delete(ch.byTS, m.TS)
		if root := ch.byTS[m.ThreadTS]; root != nil && root != m {
			root.Replies--
		}
	}
	s.changed(Change{Kind: "delete", Channel: ch.ID, TS: m.TS})
	s.emitIn(ch, "message", event)
}

func (s *Server) wireMessage(m *Message, allMetadata, fullReactions bool) obj {
	out := obj{"type": "message", "ts": m.TS, "user": m.User, "text": m.Text, "team": s.team.ID}
	if m.Deleted {
		out["subtype"], out["hidden"] = "tombstone", true
	}
	if m.BotID != "" {
		out["bot_id"], out["app_id"] = m.BotID, s.app.ID
		out["bot_profile"] = obj{
			"id": m.BotID, "app_id": s.app.ID, "user_id": s.app.BotUserID, "name": s.app.Name,
			"team_id": s.team.ID, "deleted": false, "updated": 0, "icons": obj{},
		}
	}
	if m.ThreadTS != "" {
		out["thread_ts"] = m.ThreadTS
		if m.ThreadTS == m.TS {
			out["reply_count"] = m.Replies
		}
		if m.Broadcast {
			out["subtype"] = "thread_broadcast"
		}
	}
	if !noBlocks(m.Blocks) {
		out["blocks"] = m.Blocks
	}
	if len(m.Attachments) > 0 {
		out["attachments"] = m.Attachments
	}
	if m.Metadata != nil {
		md := obj{"event_type": m.Metadata.EventType}
		if allMetadata {
			md["event_payload"] = m.Metadata.EventPayload
		}
		out["metadata"] = md
	}
	if m.Edited {
		out["edited"] = obj{"user": m.User, "ts": m.TS}
	}
	if len(m.Reactions) > 0 {
		out["reactions"] = s.wireReactions(m, fullReactions)
	}
	return out
}

// permalink is the address of a message for people.
func (s *Server) permalink(m *Message) string {
	link := fmt.Sprintf("https://%s.slack.com/archives/%s/p%s", s.team.Domain, m.Channel, strings.Replace(m.TS, ".", "", 1))
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		link += "?thread_ts=" + m.ThreadTS + "&cid=" + m.Channel
	}
	return link
}

// whisper shows something to one person.
func (s *Server) whisper(from, channel, user, thread string, t content) *Ephemeral {
	e := &Ephemeral{
		TS: s.nextTS(), Channel: channel, User: user, ThreadTS: thread, Text: t.text, Blocks: t.blocks, From: from, At: s.now(),
	}
	s.ephemerals = append(s.ephemerals, e)
	s.changed(Change{Kind: "ephemeral", Channel: channel, TS: e.TS, User: user})
	return e
}

func (s *Server) dropEphemeral(e *Ephemeral) {
	s.ephemerals = slices.DeleteFunc(s.ephemerals, func(x *Ephemeral) bool { return x == e })
	s.changed(Change{Kind: "ephemeral", Channel: e.Channel, TS: e.TS, User: e.User})
}
