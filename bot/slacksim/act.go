package slacksim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// triggerLife is how long a trigger_id opens a modal (Slack, Handling user
// interaction).
const triggerLife = 3 * time.Second

// trigger is the one-use right to open a modal for a person.
type trigger struct {
	user    string
	expires time.Time
	used    bool
	view    string // the modal that the person was in; views.push needs one
}

// newTrigger makes a trigger_id. Old ones are forgotten after a while, long
// after the difference between used and expired has ceased to matter.
func (s *Server) newTrigger(user, view string) string {
	now := s.now()
	maps.DeleteFunc(s.triggers, func(_ string, t *trigger) bool { return now.Sub(t.expires) > time.Minute })
	id := fmt.Sprintf("%d.%d.%s", now.UnixMilli(), s.rnd.Uint32(), s.secret())
	s.triggers[id] = &trigger{user: user, expires: now.Add(triggerLife), view: view}
	return id
}

// actor checks that a person can act in a channel.
func (s *Server) actor(user, id string) (*User, *channel, error) {
	u, ch := s.users[user], s.channels[id]
	switch {
	case u == nil:
		return nil, nil, &Refused{"user_not_found"}
	case u.Deleted:
		return nil, nil, &Refused{"user_disabled"}
	case ch == nil, (ch.Private || ch.IM) && !ch.member(user):
		return nil, nil, &Refused{"channel_not_found"}
	}
	return u, ch, nil
}

// writer checks that a person can write in a channel.
func (s *Server) writer(user, id string) (*User, *channel, error) {
	u, ch, err := s.actor(user, id)
	switch {
	case err != nil:
		return nil, nil, err
	case ch.Archived:
		return nil, nil, &Refused{"is_archived"}
	case !ch.member(user):
		return nil, nil, &Refused{"not_in_channel"}
	}
	return u, ch, nil
}

// typed are the parts of typed text that Slack turns into tokens.
var typed = regexp.MustCompile(`<[@#!][^<>\s]+>|https?://[^\s<>|]+|[@#][\p{L}\p{N}._-]+|[&<>]`)

// encode turns what a person typed into Slack's text: names become ids, & < >
// become entities. A token whose id exists stays as it is.
func (s *Server) encode(text string) string {
	return typed.ReplaceAllStringFunc(text, func(t string) string {
		switch {
		case t == "&":
			return "&amp;"
		case t == "<":
			return "&lt;"
		case t == ">":
			return "&gt;"
		case strings.HasPrefix(t, "http"):
			return "<" + t + ">"
		case strings.HasPrefix(t, "<"):
			if s.knows(t[1 : len(t)-1]) {
				return t
			}
			return "&lt;" + t[1:len(t)-1] + "&gt;"
		}
		// A full stop after a name belongs to the sentence.
		name := strings.TrimRight(t[1:], ".")
		tail := t[1+len(name):]
		for _, id := range s.userOrder {
			if t[0] == '@' && s.users[id].Name == name {
				return "<@" + id + ">" + tail
			}
		}
		for _, id := range s.groupOrder {
			if t[0] == '@' && s.groups[id].Handle == name {
				return "<!subteam^" + id + ">" + tail
			}
		}
		for _, id := range s.channelOrder {
			if ch := s.channels[id]; t[0] == '#' && !ch.IM && ch.Name == name {
				if ch.Private {
					return "<#" + id + "|>" + tail
				}
				return "<#" + id + "|" + name + ">" + tail
			}
		}
		return t
	})
}

// knows says whether a token without its angle brackets names something here.
func (s *Server) knows(token string) bool {
	id, _, _ := strings.Cut(token[1:], "|")
	switch token[0] {
	case '@':
		return s.users[id] != nil
	case '#':
		return s.channels[id] != nil
	default:
		g, ok := strings.CutPrefix(id, "subteam^")
		return (ok && s.groups[g] != nil) || id == "here" || id == "channel" || id == "everyone"
	}
}

// DM is the direct message between a person and the app; it is opened if there
// is none yet. "" for someone who can't have one.
func (s *Server) DM(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, _, err := s.openIM(user)
	if err != nil {
		return ""
	}
	return ch.ID
}

// Slash types a slash command and waits for the ack. The ack's payload becomes
// an ephemeral or a visible message, as response_type says; a bare ack shows
// nothing. Commands can't be typed in threads.
func (s *Server) Slash(user, channel, command, text string) *Delivery {
	d := &Delivery{Kind: "slash_commands"}
	s.mu.Lock()
	done, err := s.slash(d, user, channel, command, text)
	s.mu.Unlock()
	return wait(d, done, err)
}

func wait(d *Delivery, done <-chan struct{}, err error) *Delivery {
	if err != nil {
		d.Err = err
		return d
	}
	<-done
	return d
}

func (s *Server) slash(d *Delivery, user, channel, command, text string) (<-chan struct{}, error) {
	u, ch, err := s.writer(user, channel)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.app.Commands, func(c Command) bool { return c.Name == command })
	switch {
	case i < 0 || !has(s.app.Scopes, "commands"):
		return nil, &Refused{"invalid_command"}
	case u.TeamID != s.team.ID:
		// The other side of a shared channel can't use the app's commands.
		return nil, &Refused{"invalid_command"}
	}
	if s.app.Commands[i].ShouldEscape {
		text = s.encode(text)
	}
	name := ch.Name
	if ch.IM {
		name = "directmessage"
	}
	d.TriggerID = s.newTrigger(user, "")
	d.ResponseURL = s.newResponseURL(&responseURL{channel: ch.ID, user: user})
	payload := obj{
		"token": "verification", "team_id": s.team.ID, "team_domain": s.team.Domain, "channel_id": ch.ID, "channel_name": name,
		"user_id": u.ID, "user_name": u.Name, "command": command, "text": text, "api_app_id": s.app.ID,
		"is_enterprise_install": "false", "response_url": d.ResponseURL, "trigger_id": d.TriggerID,
	}
	if s.team.EnterpriseID != "" {
		payload["enterprise_id"] = s.team.EnterpriseID
	}
	onAck := func(raw json.RawMessage) error {
		return s.showAck(d, u, ch, strings.TrimSpace(command+" "+text), raw)
	}
	return s.interact("slash_commands", payload, d, onAck), nil
}

// showAck turns the payload of a command's ack into a message.
func (s *Server) showAck(d *Delivery, u *User, ch *channel, line string, raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	c := &call{args: map[string]string{}}
	if err := c.readJSON(raw); err != nil {
		return fmt.Errorf("%w: not an object", ErrBadAck)
	}
	if len(c.args) == 0 {
		return nil
	}
	t, err := s.content(c)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBadAck, err)
	case t.empty():
		return fmt.Errorf("%w: no_text", ErrBadAck)
	}
	switch c.arg("response_type") {
	case "", "ephemeral":
		e := *s.whisper("ack", ch.ID, u.ID, "", t.cut())
		d.Ephemeral = &e
	case "in_channel":
		// Everyone sees what was typed, then the answer.
		s.put(ch, &Message{User: u.ID, Text: line})
		m := s.appMessage(t.cut())
		s.put(ch, m)
		out := m.clone()
		d.Message = &out
	default:
		return fmt.Errorf("%w: response_type %q", ErrBadAck, c.arg("response_type"))
	}
	return nil
}

// Say writes a message as a person, in a thread if threadTS is given. Names
// (@ann, #general) become ids as in Slack's composer. An app that is mentioned
// and is in the channel gets app_mention as well as message.
func (s *Server) Say(user, channel, threadTS, text string) (Message, error) {
	return s.say(user, channel, threadTS, text, false)
}

// Broadcast is Say in a thread with "also send to the channel" ticked.
func (s *Server) Broadcast(user, channel, threadTS, text string) (Message, error) {
	return s.say(user, channel, threadTS, text, true)
}

func (s *Server) say(user, channel, threadTS, text string, broadcast bool) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ch, err := s.writer(user, channel)
	if err != nil {
		return Message{}, err
	}
	if strings.TrimSpace(text) == "" {
		return Message{}, &Refused{"no_text"}
	}
	if threadTS != "" {
		root := ch.byTS[threadTS]
		if root == nil {
			return Message{}, &Refused{"message_not_found"}
		}
		threadTS = cmp.Or(root.ThreadTS, root.TS)
	}
	m := &Message{User: user, Text: s.encode(text), ThreadTS: threadTS, Broadcast: broadcast && threadTS != ""}
	s.put(ch, m)
	if strings.Contains(m.Text, "<@"+s.app.BotUserID+">") && !ch.IM {
		ev := s.wireMessage(m, true, false)
		ev["type"], ev["channel"], ev["event_ts"] = "app_mention", ch.ID, m.TS
		s.emitIn(ch, "app_mention", ev)
	}
	return m.clone(), nil
}

// Mention is Say with the app mentioned first.
func (s *Server) Mention(user, channel, threadTS, text string) (Message, error) {
	return s.Say(user, channel, threadTS, "<@"+s.app.BotUserID+"> "+text)
}

// React puts a reaction on a message. The name has no colons; a skin tone is a
// suffix (+1::skin-tone-3).
func (s *Server) React(user, channel, ts, emoji string) error {
	return s.reactAs(user, channel, ts, emoji, true)
}

// Unreact takes a person's own reaction back.
func (s *Server) Unreact(user, channel, ts, emoji string) error {
	return s.reactAs(user, channel, ts, emoji, false)
}

func (s *Server) reactAs(user, channel, ts, emoji string, add bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ch, err := s.actor(user, channel)
	if err != nil {
		return err
	}
	m := s.find(ch.ID, ts)
	if m == nil {
		return &Refused{"message_not_found"}
	}
	return asRefused(s.react(ch, m, user, emoji, add))
}

// DeleteMessage takes a message away, as its author or someone with the right
// to does. A parent with replies leaves a tombstone.
func (s *Server) DeleteMessage(channel, ts string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(channel, ts)
	if m == nil {
		return &Refused{"message_not_found"}
	}
	s.remove(s.channels[channel], m)
	return nil
}

// asRefused turns the Web API's refusal into a person's.
func asRefused(err error) error {
	if e, ok := errors.AsType[*apiError](err); ok {
		return &Refused{e.code}
	}
	return err
}
