package slacksim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pageState is what one person sees, with all that is needed to draw it.
type pageState struct {
	Boot       string        `json:"boot"` // differs after a restart: nothing older holds
	Seq        uint64        `json:"seq"`  // every change up to here is in it
	Title      string        `json:"title"`
	Team       Team          `json:"team"`
	App        pageApp       `json:"app"`
	Connected  bool          `json:"connected"` // the app has a socket open
	Clouds     bool          `json:"clouds"`
	Scenarios  []Scenario    `json:"scenarios"`
	Hints      []Hint        `json:"hints"`
	Users      []pageUser    `json:"users"`
	Usergroups []Usergroup   `json:"usergroups"`
	Me         string        `json:"me"`
	DM         string        `json:"dm"`       // channel id, "" if never opened
	Channels   []pageChannel `json:"channels"` // that the person can open; direct message last
	Channel    string        `json:"channel"`
	Messages   []Message     `json:"messages"`
	Thread     []Message     `json:"thread,omitempty"` // parent first; nil if there is none
	Ephemerals []Ephemeral   `json:"ephemerals"`       // of the person, in all channels
	Home       *View         `json:"home,omitempty"`
	HomeTab    bool          `json:"home_tab"` // the app has one
}

type pageApp struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	BotUserID string   `json:"bot_user_id"`
	BotName   string   `json:"bot_name"`
	Commands  []string `json:"commands"`
}

type pageUser struct {
	User
	Role string `json:"role"`
}

type pageChannel struct {
	Channel
	Member bool   `json:"member"` // the person can write there
	Last   string `json:"last"`   // ts of the newest message not their own, "" if none
}

// state answers with what ?user= sees. Unknown or missing users and channels
// fall back to the first ones: a page kept open over a restart must not stall.
func (p *site) state(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	pageJSON(w, http.StatusOK, p.look(q.Get("user"), q.Get("channel"), q.Get("thread")))
}

func (p *site) look(user, channel, thread string) pageState {
	s := p.s
	// The number first: what changes while looking is told once more.
	out := pageState{Boot: s.boot(), Seq: s.lastChange()}
	app := s.App()
	out.Team = s.Team()
	out.Title = cmp.Or(p.opt.Title, out.Team.Name, app.Name)
	out.App = pageApp{ID: app.ID, Name: app.Name, BotUserID: app.BotUserID, Commands: []string{}}
	for _, c := range app.Commands {
		out.App.Commands = append(out.App.Commands, c.Name)
	}
	out.HomeTab, out.Connected, out.Clouds = !app.NoHome, s.Connections() > 0, p.opt.Clouds != nil
	out.Scenarios = append([]Scenario{}, p.opt.Scenarios...)
	out.Hints = append([]Hint{}, p.opt.Hints...)
	out.Usergroups = append([]Usergroup{}, s.Usergroups()...)

	var me *pageUser
	for _, u := range s.Users() {
		if u.ID == app.BotUserID {
			out.App.BotName = u.Name
		}
		out.Users = append(out.Users, pageUser{User: u, Role: p.role(u, out.Usergroups, out.Team.ID)})
	}
	for _, want := range []string{user, p.opt.Start, ""} {
		i := slices.IndexFunc(out.Users, func(u pageUser) bool {
			return !u.IsBot && !u.Deleted && (want == "" || u.ID == want)
		})
		if i >= 0 {
			me = &out.Users[i]
			break
		}
	}
	out.Messages, out.Ephemerals, out.Channels = []Message{}, []Ephemeral{}, []pageChannel{}
	if me == nil {
		return out // a workspace of bots only
	}
	out.Me = me.ID
	out.Channels, out.DM = s.pageChannels(me.User)
	if len(out.Channels) == 0 {
		return out
	}
	i := max(0, slices.IndexFunc(out.Channels, func(c pageChannel) bool { return c.ID == channel }))
	out.Channel = out.Channels[i].ID
	out.Messages = append(out.Messages, s.Messages(out.Channel)...)
	if thread != "" {
		out.Thread = s.Thread(out.Channel, thread)
	}
	out.Ephemerals = append(out.Ephemerals, s.Ephemerals(me.ID)...)
	if v, ok := s.Home(me.ID); ok {
		out.Home = &v
	}
	return out
}

// role is what the page writes beside a name.
func (p *site) role(u User, groups []Usergroup, team string) string {
	switch r := p.opt.Roles[u.ID]; {
	case r != "":
		return r
	case u.IsBot:
		return "app"
	case u.Deleted:
		return "deactivated"
	case u.IsStranger || u.TeamID != team:
		return "outside"
	case u.IsRestricted || u.IsUltraRestricted:
		return "guest"
	}
	var in []string
	for _, g := range groups {
		if !g.Disabled && has(g.Users, u.ID) {
			in = append(in, cmp.Or(g.Handle, g.Name))
		}
	}
	if len(in) > 0 {
		return strings.Join(in, ", ")
	}
	return "member"
}

// pageChannels are the channels that a person finds in Slack: guests and people
// of other workspaces only those they are in, everybody else the open ones too.
func (s *Server) pageChannels(u User) (list []pageChannel, dm string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dm = s.imOf(u.ID)
	inner := u.TeamID == s.team.ID && !u.IsStranger && !u.IsRestricted && !u.IsUltraRestricted
	list = []pageChannel{}
	for _, id := range s.channelOrder {
		ch := s.channels[id]
		member := ch.member(u.ID)
		if ch.IM && id != dm || !member && (ch.Private || !inner) {
			continue
		}
		c := pageChannel{Channel: ch.Channel, Member: member && !ch.Archived}
		c.Members = slices.Clone(ch.Members)
		for _, m := range slices.Backward(ch.messages) {
			if m.User != u.ID {
				c.Last = m.TS
				break
			}
		}
		for _, e := range s.ephemerals {
			if e.User == u.ID && e.Channel == id && e.TS > c.Last {
				c.Last = e.TS
			}
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b pageChannel) int {
		switch {
		case a.IM == b.IM:
			return 0
		case a.IM:
			return 1
		default:
			return -1
		}
	})
	return list, dm
}

// boot tells one run of the server from another.
func (s *Server) boot() string { return s.birth.UTC().Format(time.RFC3339Nano) }

// lastChange is the number of the newest change.
func (s *Server) lastChange() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changeSeq
}
