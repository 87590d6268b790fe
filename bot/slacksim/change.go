package slacksim

import (
	"slices"
)

// SetUsergroup replaces the members of a group, as an administrator does. The
// app gets subteam_members_changed (a delta) and subteam_updated (a snapshot).
func (s *Server) SetUsergroup(id string, members ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[id]
	if g == nil {
		return &Refused{"no_such_subteam"}
	}
	for _, m := range members {
		if s.users[m] == nil {
			return &Refused{"user_not_found"}
		}
	}
	added, removed := []string{}, []string{}
	for _, m := range members {
		if !has(g.Users, m) {
			added = append(added, m)
		}
	}
	for _, m := range g.Users {
		if !has(members, m) {
			removed = append(removed, m)
		}
	}
	before := g.DateUpdate
	// Whole seconds may not have passed since the last change; the date rises all
	// the same, because it is what tells the app that it missed one.
	g.DateUpdate = max(s.now().Unix(), before+1)
	g.Users = slices.Clone(members)
	s.changed(Change{Kind: "usergroup", User: id})
	s.emitIf("subteam_members_changed", eventScopes["subteam_members_changed"], obj{
		"type": "subteam_members_changed", "subteam_id": g.ID, "team_id": s.team.ID, "date_previous_update": before,
		"date_update": g.DateUpdate, "added_users": added, "added_users_count": len(added), "removed_users": removed,
		"removed_users_count": len(removed), "event_ts": s.nextTS(),
	}, false)
	s.subteamUpdated(g)
	return nil
}

func (s *Server) subteamUpdated(g *Usergroup) {
	s.emitIf("subteam_updated", eventScopes["subteam_updated"], obj{
		"type": "subteam_updated", "subteam": s.wireGroup(g, true), "event_ts": s.nextTS(),
	}, false)
}

// DisableUsergroup takes a group out of use.
func (s *Server) DisableUsergroup(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[id]
	if g == nil {
		return &Refused{"no_such_subteam"}
	}
	g.Disabled, g.DateUpdate = true, max(s.now().Unix(), g.DateUpdate+1)
	s.changed(Change{Kind: "usergroup", User: id})
	s.subteamUpdated(g)
	return nil
}

// ChangeUser edits a person's record (locale, guest, name, …) and tells the app.
// The id can't change.
func (s *Server) ChangeUser(id string, edit func(*User)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[id]
	if u == nil {
		return &Refused{"user_not_found"}
	}
	edit(u)
	u.ID = id
	s.changed(Change{Kind: "user", User: id})
	s.emitIf("user_change", eventScopes["user_change"], obj{
		"type": "user_change", "user": s.wireUser(u, true), "cache_ts": s.now().Unix(), "event_ts": s.nextTS(),
	}, false)
	return nil
}

// DeactivateUser ends a person's account. Reactions and group memberships stay,
// as in Slack.
func (s *Server) DeactivateUser(id string) error {
	return s.ChangeUser(id, func(u *User) { u.Deleted = true })
}

// Invite brings someone into a channel.
func (s *Server) Invite(user, channel string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.membership(user, channel)
	switch {
	case err != nil:
		return err
	case ch.member(user):
		return &Refused{"already_in_channel"}
	}
	ch.Members = append(ch.Members, user)
	s.moved(ch, "member_joined_channel", user)
	return nil
}

// Kick takes someone out of a channel.
func (s *Server) Kick(user, channel string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.membership(user, channel)
	switch {
	case err != nil:
		return err
	case !ch.member(user):
		return &Refused{"not_in_channel"}
	}
	s.moved(ch, "member_left_channel", user)
	ch.Members = without(ch.Members, user)
	return nil
}

func (s *Server) membership(user, id string) (*channel, error) {
	ch := s.channels[id]
	switch {
	case ch == nil || ch.IM:
		return nil, &Refused{"channel_not_found"}
	case s.users[user] == nil:
		return nil, &Refused{"user_not_found"}
	case ch.Archived:
		return nil, &Refused{"is_archived"}
	}
	return ch, nil
}

// moved tells of a member while the app, if it is the one, still or already is
// in the channel.
func (s *Server) moved(ch *channel, event, user string) {
	s.changed(Change{Kind: "channel", Channel: ch.ID, User: user})
	kind := "C"
	if ch.Private {
		kind = "G"
	}
	s.emitIn(ch, event, obj{
		"type": event, "user": user, "channel": ch.ID, "channel_type": kind, "team": s.team.ID, "event_ts": s.nextTS(),
	})
}

// MoveChannel gives a channel another id, as Slack does with a private one that is
// shared with another organisation. The old one is answered no more.
func (s *Server) MoveChannel(id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[id]
	if ch == nil || ch.IM {
		return "", &Refused{"channel_not_found"}
	}
	now := s.id("C")
	delete(s.channels, id)
	s.channels[now] = ch
	s.channelOrder[slices.Index(s.channelOrder, id)] = now
	ch.ID, ch.ExtShared = now, true
	for _, m := range ch.messages {
		m.Channel = now
	}
	for _, e := range s.ephemerals {
		if e.Channel == id {
			e.Channel = now
		}
	}
	for _, r := range s.responseURLs {
		if r.channel == id {
			r.channel = now
		}
	}
	s.changed(Change{Kind: "channel", Channel: now})
	s.emitIn(ch, "channel_id_changed", obj{
		"type": "channel_id_changed", "old_channel_id": id, "new_channel_id": now, "event_ts": s.nextTS(),
	})
	return now, nil
}

// Archive closes a channel for writing.
func (s *Server) Archive(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[id]
	if ch == nil || ch.IM {
		return &Refused{"channel_not_found"}
	}
	ch.Archived = true
	s.changed(Change{Kind: "channel", Channel: id})
	name := "channel_archive"
	if ch.Private {
		name = "group_archive"
	}
	s.emitIn(ch, name, obj{"type": name, "channel": id, "user": "", "event_ts": s.nextTS()})
	return nil
}
