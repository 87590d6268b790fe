package slacksim

import (
	"regexp"
	"slices"
)

// Slack documents the two errors without numbers; these are the ones that
// circulate.
const (
	maxEmojiPerMessage     = 50
	maxReactionsPerMessage = 23 // of one person
)

// emojiName is a name as reactions.* take it: no colons, a skin tone as suffix.
var emojiName = regexp.MustCompile(`^[\p{Ll}\p{Lo}0-9_+'-]+(::skin-tone-[2-6])?$`)

// wireReactions lists reactions. Without full the users may be fewer than the
// count; the caller is among them if it reacted (reactions.get). CutReactions makes
// them fewer with full too: Slack promises "always" all, and a bot that counts votes
// had better not rest on it.
func (s *Server) wireReactions(m *Message, full bool) []obj {
	out := []obj{}
	for _, r := range m.Reactions {
		users := slices.Clone(r.Users)
		n := s.opt.ReactionUsersShown
		if full {
			n = s.shownUsers
		}
		if n > 0 && len(users) > n {
			mine := has(users, s.app.BotUserID)
			users = users[:n]
			if mine && !has(users, s.app.BotUserID) {
				users[n-1] = s.app.BotUserID
			}
		}
		out = append(out, obj{"name": r.Name, "count": len(r.Users), "users": users})
	}
	return out
}

// CutReactions lists at most n users of each reaction from now on, also where all
// are asked for; 0 = all again.
func (s *Server) CutReactions(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shownUsers = n
}

// react changes one person's reaction and tells everyone, the app included
// when it was its own.
func (s *Server) react(ch *channel, m *Message, user, name string, add bool) error {
	if !emojiName.MatchString(name) {
		return refuse("invalid_name")
	}
	if ch.Archived {
		return refuse("is_archived")
	}
	i := slices.IndexFunc(m.Reactions, func(r Reaction) bool { return r.Name == name })
	event := "reaction_added"
	if add {
		mine := 0
		for _, r := range m.Reactions {
			if has(r.Users, user) {
				mine++
			}
		}
		switch {
		case i >= 0 && has(m.Reactions[i].Users, user):
			return refuse("already_reacted")
		case i < 0 && len(m.Reactions) >= maxEmojiPerMessage:
			return refuse("too_many_emoji")
		case mine >= maxReactionsPerMessage:
			return refuse("too_many_reactions")
		case i < 0:
			m.Reactions = append(m.Reactions, Reaction{Name: name, Users: []string{user}})
		default:
			m.Reactions[i].Users = append(m.Reactions[i].Users, user)
		}
	} else {
		event = "reaction_removed"
		if i < 0 || !has(m.Reactions[i].Users, user) {
			return refuse("no_reaction")
		}
		m.Reactions[i].Users = without(m.Reactions[i].Users, user)
		if len(m.Reactions[i].Users) == 0 {
			m.Reactions = slices.Delete(m.Reactions, i, i+1)
		}
	}
	s.changed(Change{Kind: "reaction", Channel: ch.ID, TS: m.TS, User: user})
	s.emitIn(ch, event, obj{
		"type": event, "user": user, "reaction": name, "item_user": m.User,
		"item": obj{"type": "message", "channel": ch.ID, "ts": m.TS}, "event_ts": s.nextTS(),
	})
	return nil
}

// reactionItem finds the message that a reactions.* call means.
func (s *Server) reactionItem(c *call) (*channel, *Message, error) {
	if c.arg("channel") == "" || c.arg("timestamp") == "" {
		return nil, nil, refuse("no_item_specified")
	}
	ch, err := s.visible(c.arg("channel"))
	if err != nil {
		return nil, nil, err
	}
	if _, ok := micros(c.arg("timestamp")); !ok {
		return nil, nil, refuse("bad_timestamp")
	}
	m := s.known(ch.ID, c.arg("timestamp"))
	if m == nil {
		return nil, nil, refuse("message_not_found")
	}
	return ch, m, nil
}

func (s *Server) reactionsAdd(c *call) (obj, error) { return nil, s.ownReaction(c, true) }

func (s *Server) reactionsRemove(c *call) (obj, error) { return nil, s.ownReaction(c, false) }

func (s *Server) ownReaction(c *call, add bool) error {
	ch, m, err := s.reactionItem(c)
	if err != nil {
		return err
	}
	if !ch.member(s.app.BotUserID) {
		return refuse("not_in_channel")
	}
	if err := s.react(ch, m, s.app.BotUserID, c.arg("name"), add); err != nil {
		return err
	}
	c.effect = true
	return nil
}

func (s *Server) reactionsGet(c *call) (obj, error) {
	ch, m, err := s.reactionItem(c)
	if err != nil {
		return nil, err
	}
	out := s.wireMessage(m, false, c.flag("full"))
	out["permalink"] = s.permalink(m)
	return obj{"type": "message", "channel": ch.ID, "message": out}, nil
}
