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
	moved map[string]bool // other groups that had an event

	// What Slack said last of all groups, and of those alone that it left out there: a
	// look that the quota puts off goes on from here.
	list     told
	alone    map[string]told
	unlisted int       // how many were left out last
	voided   time.Time // what was asked before counts no more: a group changed
}

// told is an answer of Slack: of all groups by id, or of one under its id.
type told struct {
	of roll
	at time.Time // when it was asked
}

func newGroups(c flow.Clock) *groups {
	return &groups{cache: newCache[roll](c, groupTTL), asked: map[string]bool{}, moved: map[string]bool{}, alone: map[string]told{}}
}

// wanted are the groups that are asked about; see first.
func (g *groups) wanted() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.asked)
}

// forget drops what is known where a group has changed that anybody here asks about:
// the next call tells of all. A directory's sync of a thousand others must not cost the
// calls that are needed for these.
func (g *groups) forget(id string) {
	g.mu.Lock()
	delete(g.alone, id)
	if id == "" {
		clear(g.alone)
	}
	matters := id == "" || g.asked[id]
	if !matters {
		g.moved[id] = true
		matters = len(g.moved) > maxCached // whose events they were is forgotten
	}
	if matters {
		g.voided = g.clock.Now()
		clear(g.moved)
	}
	g.mu.Unlock()
	if matters {
		g.cache.forget(theRoll)
	}
}

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
	a.groups.first(id)
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

// first notes that a group is asked about. What is known of it from others may be older
// than its last event, which was nothing to this replica then.
func (g *groups) first(id string) {
	g.mu.Lock()
	g.asked[id] = true
	moved := g.moved[id]
	g.mu.Unlock()
	if moved {
		g.forget(id)
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
	wanted := a.groups.wanted()
	var all roll
	began := a.clock.Now()
	asked, mark, ok := a.recall(ctx, theRoll, since, &all)
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
	all, asked, err := a.askForGroups(ctx, wanted, since)
	if err != nil {
		return nil, asked, err
	}
	if mark > 0 && asked.Before(began) { // a part of it is of an earlier look
		mark -= began.Sub(asked).Milliseconds()
	}
	a.remember(ctx, theRoll, all, mark, groupTTL)
	return all, asked, nil
}

const (
	// perGroup is how much older an answer may be for each group that has to be asked
	// about by itself: the quota gives one such call in four seconds, and the first would
	// be old before the last is known, again and again.
	perGroup = 5 * time.Second
	// goneTTL is how long a group counts as unknown to Slack without being asked about.
	goneTTL = 10 * time.Minute
)

// askForGroups gives the groups that are wanted as Slack tells them, and when the
// oldest part was asked. What the list of all does not tell (it has no such group, or
// no users of it, or fewer than it counts) is asked of the group alone: an answer in
// another form must not mean that a group has nobody.
func (a *App) askForGroups(ctx context.Context, wanted map[string]bool, since time.Time) (all roll, asked time.Time, err error) {
	g, urgency := a.groups, a.groups.urgency(since)
	g.mu.Lock()
	list, unlisted, voided := g.list, g.unlisted, g.voided
	g.mu.Unlock()
	old := func(at time.Time, groups int) bool {
		return !at.After(since.Add(-time.Duration(groups)*perGroup)) || !at.After(voided)
	}
	if unlisted == 0 || old(list.at, unlisted) {
		if list, err = a.listGroups(ctx, urgency); err != nil {
			return nil, list.at, err
		}
	}
	all, asked = roll{}, list.at
	var left []string
	for id := range wanted {
		users, is := list.of[id]
		if !is {
			left = append(left, id)
			continue
		}
		all[id] = users
	}
	g.mu.Lock()
	left = slices.DeleteFunc(left, func(id string) bool {
		one, known := g.alone[id]
		gone := known && one.of[id] == nil && len(list.of) > 0 && a.clock.Now().Sub(one.at) < goneTTL
		if gone {
			all[id] = nil
		}
		return gone
	})
	g.list, g.unlisted = list, len(left)
	g.mu.Unlock()
	slices.Sort(left)
	for _, id := range left {
		g.mu.Lock()
		one, known := g.alone[id]
		g.mu.Unlock()
		if !known || old(one.at, len(left)) {
			if one, err = a.askForGroup(ctx, id, urgency); err != nil {
				return nil, asked, err
			}
			g.mu.Lock()
			g.alone[id] = one
			g.mu.Unlock()
		}
		if all[id] = one.of[id]; one.at.Before(asked) {
			asked = one.at
		}
	}
	g.mu.Lock()
	g.list = told{} // it was for a look that is put off
	g.mu.Unlock()
	return all, asked, nil
}

// listGroups asks Slack for all usergroups. Disabled ones are in it too, as groups that
// there are no more: left out they would have to be asked about by themselves.
func (a *App) listGroups(ctx context.Context, urgency flow.Urgency) (told, error) {
	bid := flow.Bid{Call: flow.CallGroups, Who: theRoll, Urgency: urgency}
	if err := a.may(ctx, bid); err != nil {
		return told{}, err
	}
	list := told{of: roll{}, at: a.clock.Now()}
	var answer struct {
		Usergroups []struct {
			ID      string          `json:"id"`
			Deleted json.Number     `json:"date_delete"`
			Count   json.RawMessage `json:"user_count"`
			Users   []string        `json:"users"`
		} `json:"usergroups"`
	}
	form := url.Values{"include_users": {"true"}, "include_count": {"true"}, "include_disabled": {"true"}}
	a.inTeam(form)
	if err := a.read(ctx, methodGroups, form, &answer); err != nil && !refusedWith(err, "unknown_method") {
		a.rest(ctx, bid, err)
		return list, err
	}
	for _, g := range answer.Usergroups {
		// Slack shows a number here, and text in its documentation.
		n, _ := strconv.Atoi(strings.Trim(string(g.Count), `"`))
		switch {
		case g.Deleted != "" && g.Deleted != "0":
			list.of[g.ID] = nil
		case g.Users != nil && n <= len(g.Users):
			list.of[g.ID] = g.Users
		}
	}
	return list, nil
}

// askForGroup asks for the members of one group; nil = there is no such group.
func (a *App) askForGroup(ctx context.Context, id string, urgency flow.Urgency) (told, error) {
	bid := flow.Bid{Call: flow.CallGroups, Who: id, Urgency: urgency}
	if err := a.may(ctx, bid); err != nil {
		return told{}, err
	}
	one := told{at: a.clock.Now()}
	var answer struct {
		Users []string `json:"users"`
	}
	form := url.Values{"usergroup": {id}}
	a.inTeam(form)
	switch err := a.read(ctx, methodMembers, form, &answer); {
	case refusedWith(err, noGroup...):
	case err != nil:
		a.rest(ctx, bid, err)
		return one, err
	case answer.Users == nil:
		return one, fmt.Errorf("%s: the answer names no users", methodMembers)
	}
	one.of = roll{id: answer.Users}
	return one, nil
}

// inTeam names the workspace where the token is good for several (Slack,
// usergroups.list: "team_id is required if an org token is used").
func (a *App) inTeam(form url.Values) {
	if id := a.identity.Load(); id != nil && id.Enterprise != "" {
		form.Set("team_id", id.Team)
	}
}
