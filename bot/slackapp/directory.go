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
	methodUser = "users.info"

	personTTL = 5 * time.Minute
	// fresh is what still counts as asked now, by whichever replica. Without it the
	// sending of many changes at once would use up the calls that Slack allows (Tier 2
	// for groups).
	fresh = 3 * time.Second
	// perPerson is how much longer that is for each person more than the quota gives at
	// one moment: the first would be old before the last is known, again and again.
	perPerson = time.Second
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
	// since is, by key, and floor for all: an answer to a question of before is void,
	// also one that another replica remembers.
	since map[string]time.Time
	floor time.Time
}

type cached[V any] struct {
	v  V
	at time.Time // when it was asked
}

// lookup is one question that several may wait for.
type lookup[V any] struct {
	since time.Time     // an answer from then is good enough
	done  chan struct{} // closed once the rest is set
	v     V
	err   error
}

// look asks for something, or finds what was asked since a time; it tells when.
type look[V any] func(ctx context.Context, since time.Time) (v V, asked time.Time, err error)

func newCache[V any](c flow.Clock, ttl time.Duration) *cache[V] {
	return &cache[V]{clock: c, ttl: ttl, known: map[string]cached[V]{}, asked: map[string]*lookup[V]{}, since: map[string]time.Time{}}
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

// urgency of a look that may take no answer from before since: who needs to be sure
// can wait a little, and goes behind a person who waits for an answer.
func (c *cache[V]) urgency(since time.Time) flow.Urgency {
	if since.After(c.clock.Now().Add(-c.ttl)) {
		return flow.UrgentStage
	}
	return flow.UrgentEnd
}

// outdate drops an entry that was asked longer ago than that, and joins no look-up that
// would take such an answer.
func (c *cache[V]) outdate(key string, ago time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := c.clock.Now().Add(-ago)
	if e, ok := c.known[key]; ok && !e.at.After(since) {
		delete(c.known, key)
	}
	if l := c.asked[key]; l != nil && l.since.Before(since) {
		delete(c.asked, key)
	}
	c.void(key, since)
}

// void notes that no answer from before a time will do, under the lock.
func (c *cache[V]) void(key string, since time.Time) {
	if len(c.since) >= maxCached {
		clear(c.since)
		c.floor = c.clock.Now()
	}
	if since.After(c.since[key]) {
		c.since[key] = since
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
		clear(c.since)
		c.floor = c.clock.Now()
		return
	}
	delete(c.known, key)
	delete(c.asked, key)
	c.void(key, c.clock.Now())
}

// fill gives the cached value, or looks it up. Callers that ask for one key at a
// time share a look-up, which goes on when one of them leaves.
func (c *cache[V]) fill(ctx context.Context, key string, ask look[V]) (V, error) {
	c.mu.Lock()
	if v, ok := c.young(key); ok {
		c.mu.Unlock()
		return v, nil
	}
	l := c.asked[key]
	if l == nil {
		l = &lookup[V]{since: c.clock.Now().Add(-c.ttl), done: make(chan struct{})}
		for _, since := range []time.Time{c.floor, c.since[key]} {
			if since.After(l.since) {
				l.since = since
			}
		}
		c.asked[key] = l
		go c.answer(context.WithoutCancel(ctx), key, l, ask)
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
func (c *cache[V]) answer(ctx context.Context, key string, l *lookup[V], ask look[V]) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var at time.Time
	l.v, at, l.err = ask(ctx, l.since)
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
	c.known[key] = cached[V]{v: l.v, at: at}
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
	p, err := a.profile(ctx, user, flow.UrgentEnd)
	if err != nil {
		return nil, fmt.Errorf("user %s can't be looked up in Slack: %w", user, err)
	}
	return p.zone, nil
}

// profile looks a user up (users.info, cached). A *refusal means that Slack
// knows no such user or doesn't show them.
func (a *App) profile(ctx context.Context, user string, urgency flow.Urgency) (profile, error) {
	id := a.identity.Load()
	if id == nil {
		return profile{}, errNoIdentity
	}
	return a.people.fill(ctx, user, func(ctx context.Context, since time.Time) (profile, time.Time, error) {
		var u slack.User
		asked, mark, ok := a.recall(ctx, "person:"+user, since, &u)
		if !ok || u.ID != user {
			var err error
			if u, asked, err = a.askForUser(ctx, user, mark, urgency); err != nil {
				return profile{}, asked, err
			}
		}
		p := profileOf(&u, *id, a.opt.Language)
		a.locales.set(user, p.language)
		return p, asked, nil
	})
}

// askForUser asks Slack for a user, and tells the other replicas what they need of it.
func (a *App) askForUser(ctx context.Context, user string, mark int64, urgency flow.Urgency) (slack.User, time.Time, error) {
	none := slack.User{}
	select {
	case a.lookups <- struct{}{}:
		defer func() { <-a.lookups }()
	case <-ctx.Done():
		return none, time.Time{}, ctx.Err()
	}
	bid := flow.Bid{Call: flow.CallPeople, Who: user, Urgency: urgency}
	if err := a.may(ctx, bid); err != nil {
		return none, time.Time{}, err
	}
	asked := a.clock.Now()
	var u *slack.User
	err := a.call(ctx, methodUser, func(ctx context.Context) (err error) {
		u, err = a.slack.GetUserInfoContext(ctx, user)
		return err
	})
	if err != nil {
		a.rest(ctx, bid, err)
		return none, asked, err
	}
	if u.ID != user {
		return none, asked, &refusal{method: methodUser, code: "another_user", detail: "asked for " + user + ", got " + u.ID}
	}
	// What a profile is made of, and no more: names, mail addresses and pictures are
	// nobody's business here.
	kept := slack.User{
		ID: u.ID, TeamID: u.TeamID, Name: u.Name, Deleted: u.Deleted, Locale: u.Locale, TZ: u.TZ, TZLabel: u.TZLabel, TZOffset: u.TZOffset,
		IsBot: u.IsBot, IsConnectorBot: u.IsConnectorBot, IsWorkflowBot: u.IsWorkflowBot,
		IsRestricted: u.IsRestricted, IsUltraRestricted: u.IsUltraRestricted, IsStranger: u.IsStranger,
	}
	kept.Enterprise.Teams = u.Enterprise.Teams
	a.remember(ctx, "person:"+user, kept, mark, personTTL)
	return kept, asked, nil
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
	urgency := flow.UrgentEnd
	if len(unique) > 1 { // a ballot's; a person who is waiting goes before it
		urgency = flow.UrgentStage
	}
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
				p, err := a.profile(ctx, id, urgency)
				results <- result{id, p.person, err}
			}
		}()
	}
	people := make(map[string]approvals.Person, len(unique))
	var wait *flow.RateLimited
	for range unique {
		r := <-results
		limited, own := errors.AsType[*flow.RateLimited](r.err)
		switch {
		case own && !limited.Told:
			// The others get their places in the quota too, and all are looked up at the last
			// one's turn: one after the other the first would be old by then.
			if wait == nil || limited.After > wait.After {
				wait = limited
			}
		case r.err == nil:
			people[r.id] = r.person
		case refusedWith(r.err, notFound...):
			people[r.id] = approvals.Person{ID: r.id}
		default:
			return nil, fmt.Errorf("people can't be looked up in Slack: %w", r.err)
		}
	}
	if wait != nil {
		return nil, fmt.Errorf("people can't be looked up in Slack: %w", wait)
	}
	return people, nil
}

// Refresh makes the next look-ups of these give nothing that was asked before just now.
func (a *App) Refresh(people []string, groups []approvals.Group) {
	s := flow.Bid{Call: flow.CallPeople}.Shares()[0]
	atOnce := s.Burst - s.Reserve[flow.UrgentStage]
	ago := fresh + time.Duration(max(0, len(people)-atOnce))*perPerson
	for _, id := range people {
		a.people.outdate(id, ago)
	}
	for _, g := range groups {
		if len(g.Usergroups) > 0 {
			a.groups.outdate(theRoll, fresh)
		}
	}
}
