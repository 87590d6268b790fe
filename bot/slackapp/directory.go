package slackapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

const (
	methodUser  = "users.info"
	methodGroup = "usergroups.users.list"

	personTTL = 5 * time.Minute
	groupTTL  = time.Minute
	// fresh is what still counts as asked now. Without it the sending of many changes
	// at once would use up the calls that Slack allows (Tier 2 for groups).
	fresh = 3 * time.Second
	// lookups is how many people are looked up at once (users.info is Tier 4).
	lookups = 4
	// lookupTimeout bounds a look-up that several callers may share, so that no
	// one caller's context ends it for the others.
	lookupTimeout = 5 * time.Second
	maxCached     = 20_000
)

// slackbot has is_bot false (slack.md 4.1).
const slackbot = "USLACKBOT"

var errNoIdentity = errors.New("the bot doesn't know its workspace yet")

// profile is what is kept of a user.
type profile struct {
	person   approvals.Person
	language string // en or zh
	zone     *time.Location
}

// cache keeps what look-ups gave, for a time. What an event made void while it
// was being looked up is not kept: the answer may be from before the event.
type cache[V any] struct {
	clock flow.Clock
	ttl   time.Duration

	mu    sync.Mutex
	known map[string]cached[V]
	asked map[string]*lookup[V] // under way
}

type cached[V any] struct {
	v  V
	at time.Time
}

// lookup is one question that several may wait for.
type lookup[V any] struct {
	at   time.Time     // when it began
	done chan struct{} // closed once the rest is set
	v    V
	err  error
}

func newCache[V any](c flow.Clock, ttl time.Duration) *cache[V] {
	return &cache[V]{clock: c, ttl: ttl, known: map[string]cached[V]{}, asked: map[string]*lookup[V]{}}
}

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.young(key)
}

// young is get under the lock.
func (c *cache[V]) young(key string) (V, bool) {
	e, ok := c.known[key]
	return e.v, ok && c.clock.Now().Sub(e.at) < c.ttl
}

// outdate drops an entry that is not fresh, and joins no look-up that is not.
func (c *cache[V]) outdate(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.known[key]; ok && c.clock.Now().Sub(e.at) >= fresh {
		delete(c.known, key)
	}
	if l := c.asked[key]; l != nil && c.clock.Now().Sub(l.at) >= fresh {
		delete(c.asked, key)
	}
}

// forget drops one entry, or all with "". A look-up under way goes on for those who
// wait for it: who asks after an event must not get the answer to a question from
// before it. Others' look-ups are left alone, since in a large workspace something
// of somebody changes all the time.
func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key == "" {
		clear(c.known)
		clear(c.asked)
		return
	}
	delete(c.known, key)
	delete(c.asked, key)
}

// fill gives the cached value, or looks it up. Callers that ask for one key at a
// time share a look-up, which goes on when one of them leaves.
func (c *cache[V]) fill(ctx context.Context, key string, look func(context.Context) (V, error)) (V, error) {
	c.mu.Lock()
	if v, ok := c.young(key); ok {
		c.mu.Unlock()
		return v, nil
	}
	l := c.asked[key]
	if l == nil {
		l = &lookup[V]{at: c.clock.Now(), done: make(chan struct{})}
		c.asked[key] = l
		go c.answer(context.WithoutCancel(ctx), key, l, look)
	}
	c.mu.Unlock()
	select {
	case <-l.done:
		return l.v, l.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// answer makes a look-up, and keeps what it gave unless it was forgotten meanwhile.
func (c *cache[V]) answer(ctx context.Context, key string, l *lookup[V], look func(context.Context) (V, error)) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	l.v, l.err = look(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked[key] != l {
		return
	}
	delete(c.asked, key)
	if l.err != nil {
		return
	}
	if len(c.known) >= maxCached {
		clear(c.known)
	}
	c.known[key] = cached[V]{v: l.v, at: l.at}
}

// locales remembers the language of each person for longer than the rest of what
// is known of them: a language seldom changes, and an answer in the wrong one is
// worse than one in last week's.
type locales struct {
	mu    sync.Mutex
	known map[string]string // en or zh, by user id
}

func newLocales() *locales { return &locales{known: map[string]string{}} }

func (l *locales) set(user, language string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= maxCached {
		clear(l.known)
	}
	l.known[user] = language
}

func (l *locales) get(user string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[user]
}

// language is the language of private replies to a person as far as it is known
// without asking Slack.
func (a *App) language(user string) string {
	return cmp.Or(a.locales.get(user), a.opt.Language)
}

// Zone is the time zone of a person's Slack profile, in which a bare time of day
// is meant; UTC where the profile names none. For tools outside of Slack.
func (a *App) Zone(ctx context.Context, user string) (*time.Location, error) {
	p, err := a.profile(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("user %s can't be looked up in Slack: %w", user, err)
	}
	return p.zone, nil
}

// profile looks a user up (users.info, cached). A *refusal means that Slack
// knows no such user or doesn't show them.
func (a *App) profile(ctx context.Context, user string) (profile, error) {
	id := a.identity.Load()
	if id == nil {
		return profile{}, errNoIdentity
	}
	return a.people.fill(ctx, user, func(ctx context.Context) (profile, error) {
		select {
		case a.lookups <- struct{}{}:
			defer func() { <-a.lookups }()
		case <-ctx.Done():
			return profile{}, ctx.Err()
		}
		var u *slack.User
		err := a.call(ctx, methodUser, func(ctx context.Context) (err error) {
			u, err = a.slack.GetUserInfoContext(ctx, user)
			return err
		})
		if err != nil {
			return profile{}, err
		}
		if u.ID != user {
			return profile{}, &refusal{method: methodUser, code: "another_user", detail: "asked for " + user + ", got " + u.ID}
		}
		p := profileOf(u, *id, a.opt.Language)
		a.locales.set(user, p.language)
		return p, nil
	})
}

// profileOf keeps what matters of a user. Somebody without a locale reads the
// language of the workspace.
func profileOf(u *slack.User, own Identity, language string) profile {
	p := profile{
		person: approvals.Person{
			ID: u.ID, Name: u.Name, Found: true,
			Bot:      u.IsBot || u.IsConnectorBot || u.IsWorkflowBot || u.ID == slackbot,
			Guest:    u.IsRestricted || u.IsUltraRestricted,
			Stranger: u.IsStranger || !ofTeam(u, own.Team),
			Deleted:  u.Deleted,
		},
		language: languageOf(cmp.Or(u.Locale, language)),
		zone:     time.UTC,
	}
	if zone, err := time.LoadLocation(u.TZ); err == nil && u.TZ != "" {
		p.zone = zone
	} else if u.TZOffset != 0 {
		p.zone = time.FixedZone(u.TZLabel, u.TZOffset)
	}
	return p
}

// ofTeam reports whether a user is of the workspace. is_stranger doesn't tell:
// it is false for members of other organisations in a shared channel (slack.md
// 4.5). Without a team nobody is one of ours.
func ofTeam(u *slack.User, team string) bool {
	return u.TeamID == team || slices.Contains(u.Enterprise.Teams, team)
}

// notFound are the answers of users.info about one user; other refusals say
// nothing about anybody.
var notFound = []string{"user_not_found", "users_not_found", "user_not_visible", "another_user"}

// People looks users up (users.info, at most 5 min old). Somebody whom Slack
// doesn't know or show has Found false. When Slack can't be asked at all there
// is an error, so that nobody is taken for a stranger because of a bad minute.
func (a *App) People(ctx context.Context, ids []string) (map[string]approvals.Person, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		id     string
		person approvals.Person
		err    error
	}
	unique := slices.Compact(slices.Sorted(slices.Values(ids)))
	results, unknown := make(chan result, len(unique)), make(chan string, len(unique))
	for _, id := range unique {
		if p, ok := a.people.get(id); ok {
			results <- result{id: id, person: p.person}
			continue
		}
		unknown <- id
	}
	close(unknown)
	for range min(lookups, len(unknown)) {
		go func() {
			for id := range unknown {
				p, err := a.profile(ctx, id)
				results <- result{id, p.person, err}
			}
		}()
	}
	people := make(map[string]approvals.Person, len(unique))
	for range unique {
		r := <-results
		switch {
		case r.err == nil:
			people[r.id] = r.person
		case refusedWith(r.err, notFound...):
			people[r.id] = approvals.Person{ID: r.id}
		default:
			return nil, fmt.Errorf("people can't be looked up in Slack: %w", r.err)
		}
	}
	return people, nil
}

// noGroup are the answers of usergroups.users.list that waiting won't change.
var noGroup = []string{"no_such_subteam", "plan_upgrade_required"}

// Members are the users of a group of config: those it names and those of its
// usergroups (usergroups.users.list, at most 1 min old). A usergroup that can't
// be read, or is disabled, is an error: a part of the members is not the group.
func (a *App) Members(ctx context.Context, g approvals.Group) ([]string, error) {
	members := slices.Clone(g.Users)
	for _, group := range g.Usergroups {
		users, err := a.groups.fill(ctx, group, func(ctx context.Context) (users []string, err error) {
			err = a.call(ctx, methodGroup, func(ctx context.Context) (err error) {
				users, err = a.slack.GetUserGroupMembersContext(ctx, group, a.inTeam()...)
				return err
			})
			return users, err
		})
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

// Refresh drops what is remembered of people and groups and is not fresh.
func (a *App) Refresh(people []string, groups []approvals.Group) {
	for _, id := range people {
		a.people.outdate(id)
	}
	for _, g := range groups {
		for _, id := range g.Usergroups {
			a.groups.outdate(id)
		}
	}
}

// inTeam names the workspace where the token is good for several (Slack,
// usergroups.users.list: "team_id is required if an org token is used").
func (a *App) inTeam() []slack.GetUserGroupMembersOption {
	if id := a.identity.Load(); id != nil && id.Enterprise != "" {
		return []slack.GetUserGroupMembersOption{slack.GetUserGroupMembersOptionTeamID(id.Team)}
	}
	return nil
}
