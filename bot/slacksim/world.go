package slacksim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// World is the workspace as it is when the server starts.
type World struct {
	Team       Team
	App        App
	Users      []User
	Channels   []Channel
	Usergroups []Usergroup
}

// Team is the workspace.
type Team struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Domain       string `json:"domain"`
	EnterpriseID string `json:"enterprise_id,omitempty"` // "" outside Enterprise Grid
}

// App is the one app installed in the workspace.
type App struct {
	ID        string
	Name      string
	BotUserID string
	BotID     string
	BotToken  string   // xoxb-…
	AppToken  string   // xapp-…
	Scopes    []string // of the bot token
	AppScopes []string // of the app token; nil = connections:write
	Commands  []Command
	// Events are the subscribed bot events (reaction_added, message.channels, …);
	// nil subscribes to all that the scopes allow.
	Events []string
	// NoHome turns the Home tab off: views.publish answers not_enabled.
	NoHome bool
}

// Command is a slash command of the app.
type Command struct {
	Name         string // with the slash
	ShouldEscape bool   // names become ids in the text that the app gets
}

// User is a person or a bot.
type User struct {
	ID                string `json:"id"`
	TeamID            string `json:"team_id"` // "" = the workspace's own
	Name              string `json:"name"`
	RealName          string `json:"real_name"`
	Locale            string `json:"locale"` // "" = en-US
	TZ                string `json:"tz"`     // "" = Asia/Shanghai
	TZOffset          int    `json:"tz_offset"`
	IsBot             bool   `json:"is_bot"`
	IsRestricted      bool   `json:"is_restricted"`       // guest
	IsUltraRestricted bool   `json:"is_ultra_restricted"` // single-channel guest
	IsStranger        bool   `json:"is_stranger"`
	Deleted           bool   `json:"deleted"`
}

// Channel is a conversation. Direct messages are made as they are needed.
type Channel struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Private   bool     `json:"private"`
	IM        bool     `json:"im"` // a direct message with Members[0]
	Archived  bool     `json:"archived"`
	ExtShared bool     `json:"ext_shared"` // shared with another organisation
	Members   []string `json:"members"`
}

// Usergroup is a group of people that can be mentioned.
type Usergroup struct {
	ID         string   `json:"id"`
	Handle     string   `json:"handle"`
	Name       string   `json:"name"`
	Users      []string `json:"users"`
	DateUpdate int64    `json:"date_update"` // Unix seconds
	Disabled   bool     `json:"disabled"`
}

// AllScopes are the bot scopes that the Web API methods here can ask for.
func AllScopes() []string {
	return []string{
		"app_mentions:read", "channels:history", "channels:read", "chat:write", "commands",
		"groups:history", "groups:read", "im:history", "im:read", "im:write",
		"reactions:read", "reactions:write", "team:read", "usergroups:read", "users:read",
	}
}

// check names everything in a World that can't be, so that a wrong fixture is
// not taken for a bug of the bot.
func (w World) check() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if w.Team.ID == "" {
		bad("the team has no id")
	}
	if w.App.ID == "" || w.App.BotUserID == "" || w.App.BotID == "" {
		bad("the app needs an id, a bot user id and a bot id")
	}
	if !strings.HasPrefix(w.App.BotToken, "xoxb-") {
		bad("the bot token must begin with xoxb-")
	}
	if !strings.HasPrefix(w.App.AppToken, "xapp-") {
		bad("the app token must begin with xapp-")
	}
	users := map[string]bool{w.App.BotUserID: true}
	for _, u := range w.Users {
		if u.ID == "" || (users[u.ID] && u.ID != w.App.BotUserID) {
			bad("user id %q is empty or used twice", u.ID)
		}
		users[u.ID] = true
	}
	seen := map[string]bool{}
	for _, c := range w.Channels {
		if c.ID == "" || seen[c.ID] {
			bad("channel id %q is empty or used twice", c.ID)
		}
		seen[c.ID] = true
		for _, m := range c.Members {
			if !users[m] {
				bad("channel %s: no user %s", c.ID, m)
			}
		}
	}
	for _, g := range w.Usergroups {
		if g.ID == "" || seen[g.ID] {
			bad("usergroup id %q is empty or used twice", g.ID)
		}
		seen[g.ID] = true
		for _, m := range g.Users {
			if !users[m] {
				bad("usergroup %s: no user %s", g.ID, m)
			}
		}
	}
	for _, c := range w.App.Commands {
		if !strings.HasPrefix(c.Name, "/") {
			bad("command %q must begin with a slash", c.Name)
		}
	}
	return errors.Join(errs...)
}

// load copies the World into the server's own records.
func (s *Server) load(w World) {
	s.team, s.app = w.Team, w.App
	if s.app.AppScopes == nil {
		s.app.AppScopes = []string{"connections:write"}
	}
	s.app.Scopes = slices.Clone(w.App.Scopes)
	for _, u := range w.Users {
		s.addUser(u)
	}
	if s.users[w.App.BotUserID] == nil {
		s.addUser(User{ID: w.App.BotUserID, Name: strings.ToLower(w.App.Name), RealName: w.App.Name, IsBot: true})
	}
	for _, c := range w.Channels {
		c.Members = slices.Clone(c.Members)
		s.addChannel(c)
	}
	for _, g := range w.Usergroups {
		g.Users = slices.Clone(g.Users)
		s.groups[g.ID] = &g
		s.groupOrder = append(s.groupOrder, g.ID)
	}
}

func (s *Server) addUser(u User) {
	if u.TeamID == "" {
		u.TeamID = s.team.ID
	}
	if u.Locale == "" {
		u.Locale = "en-US"
	}
	if u.TZ == "" {
		u.TZ, u.TZOffset = "Asia/Shanghai", 28800
	}
	s.users[u.ID] = &u
	s.userOrder = append(s.userOrder, u.ID)
}

func (s *Server) addChannel(c Channel) *channel {
	ch := &channel{Channel: c, byTS: map[string]*Message{}}
	s.channels[c.ID] = ch
	s.channelOrder = append(s.channelOrder, c.ID)
	return ch
}
