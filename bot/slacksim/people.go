package slacksim

import (
	"fmt"
	"slices"
)

func (s *Server) apiTest(c *call) (obj, error) {
	if e := c.arg("error"); e != "" {
		return nil, refuse(e)
	}
	return obj{"args": c.args}, nil
}

func (s *Server) authTest(*call) (obj, error) {
	out := obj{
		"url": fmt.Sprintf("https://%s.slack.com/", s.team.Domain), "team": s.team.Name, "team_id": s.team.ID,
		"user": s.users[s.app.BotUserID].Name, "user_id": s.app.BotUserID, "bot_id": s.app.BotID,
		"is_enterprise_install": false,
	}
	if s.team.EnterpriseID != "" {
		out["enterprise_id"] = s.team.EnterpriseID
	}
	return out, nil
}

func (s *Server) botsInfo(c *call) (obj, error) {
	if c.arg("bot") != s.app.BotID {
		return nil, refuse("bot_not_found")
	}
	return obj{"bot": obj{
		"id": s.app.BotID, "app_id": s.app.ID, "user_id": s.app.BotUserID, "name": s.app.Name,
		"deleted": false, "updated": 0, "icons": obj{},
	}}, nil
}

func (s *Server) teamInfo(c *call) (obj, error) {
	if t := c.arg("team"); t != "" && t != s.team.ID {
		return nil, refuse("team_not_found")
	}
	return obj{"team": obj{"id": s.team.ID, "name": s.team.Name, "domain": s.team.Domain}}, nil
}

// wireUser is a user as Slack tells it. A deactivated user lacks most fields
// (users.info).
func (s *Server) wireUser(u *User, locale bool) obj {
	out := obj{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "deleted": u.Deleted, "is_bot": u.IsBot,
		"is_app_user": false, "updated": 0,
		"profile": obj{"real_name": u.RealName, "display_name": u.Name, "team": u.TeamID},
	}
	if u.IsStranger {
		out["is_stranger"] = true
	}
	if u.Deleted {
		return out
	}
	out["real_name"], out["tz"], out["tz_offset"] = u.RealName, u.TZ, u.TZOffset
	out["is_restricted"], out["is_ultra_restricted"] = u.IsRestricted, u.IsUltraRestricted
	out["is_admin"], out["is_owner"], out["is_email_confirmed"] = false, false, !u.IsBot
	if locale {
		out["locale"] = u.Locale
	}
	return out
}

func (s *Server) usersInfo(c *call) (obj, error) {
	u := s.users[c.arg("user")]
	if u == nil {
		return nil, refuse("user_not_found")
	}
	return obj{"user": s.wireUser(u, c.flag("include_locale"))}, nil
}

func (s *Server) usersList(c *call) (obj, error) {
	limit, err := c.limit(1000, 1000)
	if err != nil {
		return nil, err
	}
	ids, next, err := page(c, s.userOrder, limit)
	if err != nil {
		return nil, err
	}
	list := []obj{}
	for _, id := range ids {
		list = append(list, s.wireUser(s.users[id], c.flag("include_locale")))
	}
	return obj{"members": list, "cache_ts": s.now().Unix(), "response_metadata": obj{"next_cursor": next}}, nil
}

// wireGroup gives counts as numbers: that is what real payloads carry, though
// the sample in the documentation shows strings.
func (s *Server) wireGroup(g *Usergroup, users bool) obj {
	out := obj{
		"id": g.ID, "team_id": s.team.ID, "is_usergroup": true, "is_external": false, "name": g.Name,
		"handle": g.Handle, "description": "", "date_create": 0, "date_update": g.DateUpdate, "date_delete": 0,
		"auto_type": nil, "created_by": "", "updated_by": "", "deleted_by": nil,
		"prefs": obj{"channels": []string{}, "groups": []string{}}, "user_count": len(g.Users),
	}
	if g.Disabled {
		out["date_delete"] = max(g.DateUpdate, 1)
	}
	if users {
		out["users"] = slices.Clone(g.Users)
	}
	return out
}

func (s *Server) usergroupsList(c *call) (obj, error) {
	list := []obj{}
	for _, id := range s.groupOrder {
		if g := s.groups[id]; !g.Disabled || c.flag("include_disabled") {
			list = append(list, s.wireGroup(g, c.flag("include_users")))
		}
	}
	return obj{"usergroups": list}, nil
}

func (s *Server) usergroupsUsersList(c *call) (obj, error) {
	g := s.groups[c.arg("usergroup")]
	if g == nil || (g.Disabled && !c.flag("include_disabled")) {
		return nil, refuse("no_such_subteam")
	}
	return obj{"users": append([]string{}, g.Users...)}, nil
}
