package slackapp

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

const (
	methodGroups  = "usergroups.list"
	methodMembers = "usergroups.users.list"

	groupTTL = time.Minute
	// theRoll is what the one answer about all groups is remembered as.
	theRoll = "groups"
)

// roll is who is in each usergroup that somebody asked about; nil = Slack has no such
// group, or it is disabled.
type roll map[string][]string

// groups remembers the usergroups. One call tells of all of them: Slack allows twenty a
// minute, and with one each a ballot that asks several groups could never have all of
// them fresh at once while many changes are sent.
type groups struct {
	*cache[roll]
	mu    sync.Mutex
	asked map[string]bool // about which groups anybody here ever asked
}

func newGroups(c flow.Clock) *groups {
	return &groups{cache: newCache[roll](c, groupTTL), asked: map[string]bool{}}
}

// want notes that a group is asked about, and gives all that are.
func (g *groups) want(id string) map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id != "" {
		g.asked[id] = true
	}
	return maps.Clone(g.asked)
}

// forget drops what is known, of whatever group: the next call tells of all.
func (g *groups) forget(string) { g.cache.forget(theRoll) }

// get is what is known of a group without asking.
func (g *groups) get(id string) ([]string, bool) {
	known, ok := g.cache.get(theRoll)
	users, there := known[id]
	return users, ok && there
}

// Members are the users of a group of config: those it names and those of its
// usergroups (usergroups.list, at most 1 min old). A usergroup that can't be read, or
// is disabled, is an error: a part of the members is not the group.
func (a *App) Members(ctx context.Context, g approvals.Group) ([]string, error) {
	members := slices.Clone(g.Users)
	for _, group := range g.Usergroups {
		users, err := a.usergroup(ctx, group)
		if refusedWith(err, noGroup...) {
			return nil, fmt.Errorf("usergroup %s: %w: %w", group, flow.ErrNoGroup, err)
		}
		if err != nil {
			return nil, fmt.Errorf("usergroup %s can't be read: %w", group, err)
		}
		members = append(members, users...)
	}
	slices.Sort(members)
	return slices.Compact(members), nil
}

// noGroup are the refusals that waiting won't change.
var noGroup = []string{"no_such_subteam", "plan_upgrade_required"}

func (a *App) usergroup(ctx context.Context, id string) ([]string, error) {
	a.groups.want(id)
	for {
		all, err := a.groups.fill(ctx, theRoll, a.lookAtGroups)
		if err != nil {
			return nil, err
		}
		users, told := all[id]
		switch {
		case !told: // asked before anybody wanted to know of this group
			a.groups.drop(theRoll, id)
			continue
		case users == nil:
			return nil, &refusal{method: methodGroups, code: "no_such_subteam", detail: "the workspace has no such usergroup, or it is disabled"}
		}
		return users, nil
	}
}

// drop forgets an answer that doesn't tell of a group, for want of which it would be
// asked for ever; one that came meanwhile and does is kept.
func (g *groups) drop(key, id string) {
	g.cache.mu.Lock()
	defer g.cache.mu.Unlock()
	if e, ok := g.known[key]; ok {
		if _, told := e.v[id]; !told {
			delete(g.known, key)
		}
	}
}

// lookAtGroups gives what another replica learned since a time, or asks Slack.
func (a *App) lookAtGroups(ctx context.Context, since time.Time) (roll, time.Time, error) {
	wanted := a.groups.want("")
	var all roll
	asked, ok := a.recall(ctx, theRoll, since, &all)
	complete := ok
	for id := range wanted {
		_, told := all[id]
		complete = complete && told
	}
	if complete {
		return all, asked, nil
	}
	for id := range all { // what others need, so that not each asks for its own
		wanted[id] = true
	}
	bid := flow.Bid{Call: flow.CallGroups, Who: theRoll, Urgency: a.groups.urgency(since)}
	asked = a.clock.Now()
	all, err := a.askForGroups(ctx, bid, wanted)
	if err != nil {
		return nil, asked, err
	}
	a.remember(ctx, theRoll, all, asked, groupTTL)
	return all, asked, nil
}

// askForGroups asks Slack for all usergroups, and keeps those that are wanted. What
// the one answer does not tell (it names no such group, or no users of it, or fewer
// than it counts) is asked of the group alone: an answer in another form must not mean
// that a group has nobody.
func (a *App) askForGroups(ctx context.Context, bid flow.Bid, wanted map[string]bool) (roll, error) {
	if err := a.may(ctx, bid); err != nil {
		return nil, err
	}
	var answer struct {
		Usergroups []struct {
			ID      string          `json:"id"`
			Deleted json.Number     `json:"date_delete"`
			Count   json.RawMessage `json:"user_count"`
			Users   []string        `json:"users"`
		} `json:"usergroups"`
	}
	form := url.Values{"include_users": {"true"}, "include_count": {"true"}}
	a.inTeam(form)
	if err := a.read(ctx, methodGroups, form, &answer); err != nil && !refusedWith(err, "unknown_method") {
		a.rest(ctx, bid, err)
		return nil, err
	}
	all := roll{}
	for _, g := range answer.Usergroups {
		// Slack shows a number here, and text in its documentation.
		n, _ := strconv.Atoi(strings.Trim(string(g.Count), `"`))
		switch {
		case !wanted[g.ID]:
		case g.Deleted != "" && g.Deleted != "0":
			all[g.ID] = nil
		case g.Users != nil && n <= len(g.Users):
			all[g.ID] = g.Users
		}
	}
	for id := range wanted {
		if _, told := all[id]; told {
			continue
		}
		users, err := a.askForGroup(ctx, id, bid.Urgency)
		if err != nil && !refusedWith(err, noGroup...) {
			return nil, err
		}
		all[id] = users
	}
	return all, nil
}

// askForGroup asks for the members of one group; nil = there is no such group.
func (a *App) askForGroup(ctx context.Context, id string, urgency flow.Urgency) ([]string, error) {
	bid := flow.Bid{Call: flow.CallGroups, Who: id, Urgency: urgency}
	if err := a.may(ctx, bid); err != nil {
		return nil, err
	}
	var answer struct {
		Users []string `json:"users"`
	}
	form := url.Values{"usergroup": {id}}
	a.inTeam(form)
	if err := a.read(ctx, methodMembers, form, &answer); err != nil {
		a.rest(ctx, bid, err)
		return nil, err
	}
	if answer.Users == nil {
		return nil, fmt.Errorf("%s: the answer names no users", methodMembers)
	}
	return answer.Users, nil
}

// inTeam names the workspace where the token is good for several (Slack,
// usergroups.list: "team_id is required if an org token is used").
func (a *App) inTeam(form url.Values) {
	if id := a.identity.Load(); id != nil && id.Enterprise != "" {
		form.Set("team_id", id.Team)
	}
}
