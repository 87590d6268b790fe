package slackapp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
	"scalebot/bot/slacksim"
)

// sharing is several apps of one workspace, on one clock.
type sharing struct {
	*edge
	now  time.Time
	age  func(time.Duration) // what Redis remembers, by its own clock
	apps []*App
}

// pass lets time pass on the apps' clock and on the one of Redis.
func (w *sharing) pass(d time.Duration) {
	w.now = w.now.Add(d)
	w.age(d)
}

func newSharing(t *testing.T) *sharing {
	w := &sharing{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	clock := clockFunc(func() time.Time { return w.now })
	w.edge = newEdge(t, func(o *slacksim.Options) {
		o.Now, o.NoRateLimits = clock, false
		o.World.Usergroups = append(o.World.Usergroups, slacksim.Usergroup{ID: "S0OPS", Handle: "ops", Name: "Ops", Users: []string{wei}})
	}, func(o *Options) { o.Clock = clock })
	rdb := redistest.Start(t).Client(t)
	w.age = func(d time.Duration) {
		keys, err := rdb.Keys(t.Context(), "test:{"+own+"}:lookup:*").Result()
		require.NoError(t, err)
		for _, key := range keys {
			require.NoError(t, rdb.HIncrBy(t.Context(), key, "at", -d.Milliseconds()).Err())
		}
	}
	for range 2 {
		app, err := New(w.app.opt)
		require.NoError(t, err)
		_, err = app.Identify(t.Context())
		require.NoError(t, err)
		app.Share(redisstore.NewQuota(rdb, "test", own), redisstore.NewLookups(rdb, "test", own))
		w.apps = append(w.apps, app)
	}
	return w
}

// What one replica asked Slack a moment ago the others don't ask again; one that was
// told of a change does.
func TestReplicasShareTheirLookups(t *testing.T) {
	w := newSharing(t)
	everybody := []string{ann, guest, "U0SOLO", "U0ROBOT", "U0GONE", "U0PARTNER", "U0STRANGE"}
	both := approvals.Group{Usergroups: []string{"S0LEADS", "S0OPS"}}
	var people [2]map[string]approvals.Person
	for i, app := range w.apps {
		var err error
		people[i], err = app.People(t.Context(), everybody)
		require.NoError(t, err)
		members, err := app.Members(t.Context(), both)
		require.NoError(t, err)
		require.Equal(t, []string{ann, wei}, members)
		zone, err := app.Zone(t.Context(), ann)
		require.NoError(t, err)
		require.Equal(t, "Asia/Shanghai", zone.String())
	}
	require.Equal(t, people[0], people[1])
	require.Len(t, w.sim.Requests("users.info"), len(everybody))
	asked := len(w.sim.Requests("usergroups.list"))
	require.LessOrEqual(t, asked, 2, "one call for all groups, once it is known which")

	require.NoError(t, w.sim.SetUsergroup("S0LEADS", wei))
	refreshed := func(app *App) []string {
		app.Refresh([]string{ann}, []approvals.Group{both})
		members, err := app.Members(t.Context(), both)
		require.NoError(t, err)
		_, err = app.People(t.Context(), []string{ann})
		require.NoError(t, err)
		return members
	}
	w.pass(fresh - time.Second)
	for _, app := range w.apps {
		require.Equal(t, []string{ann, wei}, refreshed(app), "asked a moment ago")
	}
	w.pass(time.Second)
	for _, app := range w.apps {
		require.Equal(t, []string{wei}, refreshed(app), "an old answer of the other replica is no fresh one")
	}
	require.Len(t, w.sim.Requests("usergroups.list"), asked+1, "one of them asks")
	require.Len(t, w.sim.Requests("users.info"), len(everybody)+1)

	require.NoError(t, w.sim.SetUsergroup("S0LEADS", ann, wei))
	w.pass(time.Second)
	w.apps[0].groups.forget("S0LEADS")
	members, err := w.apps[0].Members(t.Context(), both)
	require.NoError(t, err)
	require.Equal(t, []string{ann, wei}, members, "who was told of a change takes no answer from before it")
}

// A replica whose clock is ahead does not make an old answer a fresh one for others.
func TestAnAnswerIsAsOldAsItIsWhateverTheClockOfWhoAsked(t *testing.T) {
	w := newSharing(t)
	leads := approvals.Group{Usergroups: []string{"S0LEADS"}}
	w.now = w.now.Add(20 * time.Second)
	_, err := w.apps[1].Members(t.Context(), leads)
	require.NoError(t, err)
	w.now = w.now.Add(-20 * time.Second)
	require.NoError(t, w.sim.SetUsergroup("S0LEADS", wei))
	w.pass(18 * time.Second)
	w.apps[0].Refresh(nil, []approvals.Group{leads})
	members, err := w.apps[0].Members(t.Context(), leads)
	require.NoError(t, err)
	require.Equal(t, []string{wei}, members)
}

// Groups that Slack knows no more must not use up what the others need.
func TestGroupsThatAreGoneHoldUpNoOther(t *testing.T) {
	w := newSharing(t)
	app := w.apps[0]
	require.NoError(t, w.sim.DisableUsergroup("S0OPS"))
	for _, id := range []string{"S0OPS", "S0GONE1", "S0GONE2", "S0GONE3", "S0GONE4", "S0GONE5"} {
		app.groups.first(id)
	}
	leads := approvals.Group{Usergroups: []string{"S0LEADS"}}
	for range 3 { // sends, each of which wants to know anew
		read := false
		for range 60 {
			app.Refresh(nil, []approvals.Group{leads})
			if _, err := app.Members(t.Context(), leads); err == nil {
				read = true
				break
			}
			w.pass(time.Second)
		}
		require.True(t, read)
		w.pass(4 * time.Second)
	}
	for _, gone := range []string{"S0OPS", "S0GONE1"} {
		_, err := app.Members(t.Context(), group(gone))
		require.ErrorIs(t, err, flow.ErrNoGroup)
	}
	require.Len(t, w.sim.Requests("usergroups.users.list"), 5, "each once; the disabled one stands in the list")
	require.NoError(t, w.sim.SetUsergroup("S0LEADS", wei))
	w.pass(fresh + time.Second)
	app.Refresh(nil, []approvals.Group{leads})
	members, err := app.Members(t.Context(), leads)
	require.NoError(t, err)
	require.Equal(t, []string{wei}, members, "nor do they make an older answer do")
	require.Empty(t, w.sim.Limited())
}

// The sync of a directory changes groups by the hundred that nobody here asks about.
func TestAnEventOfAnotherGroupCostsNothing(t *testing.T) {
	w := newSharing(t)
	leads := approvals.Group{Usergroups: []string{"S0LEADS"}}
	for range 3 {
		_, err := w.apps[0].Members(t.Context(), leads)
		require.NoError(t, err)
		w.apps[0].groups.forget("S0OPS")
	}
	require.Len(t, w.sim.Requests("usergroups.list"), 1)
}

// A group that somebody else asked about is asked about anew: its last event was nothing
// to a replica that did not care for it.
func TestAGroupThatIsNewHereIsAskedAbout(t *testing.T) {
	w := newSharing(t)
	ops := approvals.Group{Usergroups: []string{"S0OPS"}}
	_, err := w.apps[0].Members(t.Context(), approvals.Group{Usergroups: []string{"S0OPS", "S0LEADS"}})
	require.NoError(t, err)
	_, err = w.apps[1].Members(t.Context(), approvals.Group{Usergroups: []string{"S0LEADS"}})
	require.NoError(t, err)
	require.NoError(t, w.sim.SetUsergroup("S0OPS", ann))
	w.apps[1].groups.forget("S0OPS")
	members, err := w.apps[1].Members(t.Context(), ops)
	require.NoError(t, err)
	require.Equal(t, []string{ann}, members)
}

// The quota is asked before Slack, and what it puts off comes to its turn.
func TestLookupsKeepToTheQuota(t *testing.T) {
	w := newSharing(t)
	g := approvals.Group{Usergroups: []string{"S0LEADS"}}
	waited := false
	for range 240 { // two minutes, in which each look needs a fresh answer
		for _, app := range w.apps {
			app.groups.forget("")
			app.people.forget("")
			for _, err := range []error{second(app.Members(t.Context(), g)), second(app.People(t.Context(), []string{ann, wei, guest}))} {
				limited, own := errors.AsType[*flow.RateLimited](err)
				require.True(t, err == nil || own && !limited.Told, "%v", err)
				waited = waited || own
			}
		}
		w.now = w.now.Add(500 * time.Millisecond)
	}
	require.True(t, waited)
	require.Empty(t, w.sim.Limited(), "no 429")
	require.Greater(t, len(w.sim.Requests("usergroups.list")), 25, "and little of it is wasted")
}

func second[T any](_ T, err error) error { return err }

// A list that was cut short would leave members out, and their votes would not count.
func TestAGroupThatTheListCutsShortIsAskedForByItself(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/usergroups.list", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"ok":true,"usergroups":[{"id":"S1","user_count":"3","users":["U1","U2"]},{"id":"S2","user_count":1,"users":["U4"]},` +
			`{"id":"S3","date_delete":17,"user_count":1,"users":["U5"]}]}`))
	})
	mux.HandleFunc("/usergroups.users.list", func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "S1", r.FormValue("usergroup"))
		_, _ = w.Write([]byte(`{"ok":true,"users":["U1","U2","U3"]}`))
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	app, err := New(Options{AppToken: appToken, BotToken: botToken, APIURL: srv.URL, Clock: wallClock{}, HTTPClient: srv.Client()})
	require.NoError(t, err)
	members, err := app.Members(t.Context(), approvals.Group{Usergroups: []string{"S1", "S2"}})
	require.NoError(t, err)
	require.Equal(t, []string{"U1", "U2", "U3", "U4"}, members)
	_, err = app.Members(t.Context(), group("S3"))
	require.ErrorIs(t, err, flow.ErrNoGroup, "disabled")
}

// Whatever the list leaves out is asked for by itself: a Slack that doesn't serve it, or
// without the members, must not make of a group one that has nobody.
func TestWhatTheListOfGroupsLeavesOutIsAskedFor(t *testing.T) {
	for _, list := range []string{
		`{"ok":false,"error":"unknown_method"}`, `{"ok":true}`, `{"ok":true,"usergroups":[]}`, `{"ok":true,"usergroups":[{"id":"S1","user_count":2}]}`,
		`{"ok":true,"usergroups":[{"id":"S1"}]}`,
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("/usergroups.list", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(list)) })
		mux.HandleFunc("/usergroups.users.list", func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("usergroup") != "S1" {
				_, _ = w.Write([]byte(`{"ok":false,"error":"no_such_subteam"}`))
				return
			}
			_, _ = w.Write([]byte(`{"ok":true,"users":["U1","U2"]}`))
		})
		srv := httptest.NewServer(mux)
		app, err := New(Options{AppToken: appToken, BotToken: botToken, APIURL: srv.URL, Clock: wallClock{}, HTTPClient: srv.Client()})
		require.NoError(t, err)
		members, err := app.Members(t.Context(), group("S1"))
		require.NoError(t, err, list)
		require.Equal(t, []string{"U1", "U2"}, members, list)
		_, err = app.Members(t.Context(), group("S2"))
		require.ErrorIs(t, err, flow.ErrNoGroup, list)
		srv.Close()
	}
}

func TestAnAnswerWithoutGroupsDoesNotSayThatThereAreNone(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok":true}`)) }))
	defer srv.Close()
	app, err := New(Options{AppToken: appToken, BotToken: botToken, APIURL: srv.URL, Clock: wallClock{}, HTTPClient: srv.Client()})
	require.NoError(t, err)
	_, err = app.Members(t.Context(), group("S1"))
	require.Error(t, err)
	require.NotErrorIs(t, err, flow.ErrNoGroup)
}

// In a busy room with short pages one search is many calls.
func TestALongSearchKeepsToTheQuotaAndComesToItsEnd(t *testing.T) {
	w := newSharing(t)
	w.sim.SetHabits(slacksim.Habits{ShortPages: 15})
	since := w.now
	ref, err := w.apps[0].Post(t.Context(), testMessage("card/1"))
	require.NoError(t, err)
	for range 900 {
		_, err := w.sim.Say(ann, channel, "", "chatter")
		require.NoError(t, err)
	}
	app := w.apps[0]
	found, there, tries := flow.MessageRef{}, false, 0
	for ; !there && tries < 200; tries++ {
		if err := app.may(t.Context(), flow.Bid{Call: flow.CallSearch, Who: "F-1/card/1"}); err == nil {
			found, there, err = app.Find(t.Context(), testMessage("card/1"), since)
			if err != nil {
				limited, own := errors.AsType[*flow.RateLimited](err)
				require.True(t, own && !limited.Told, "%v", err)
			}
		}
		w.now = w.now.Add(time.Second)
	}
	require.True(t, there)
	require.Equal(t, ref, found)
	require.Empty(t, w.sim.Limited(), "no 429")
	require.LessOrEqual(t, len(w.sim.Requests("conversations.history")), 62, "no page is read twice")
}

func TestDeletionsKeepToTheQuota(t *testing.T) {
	w := newSharing(t)
	since, app := w.now, w.apps[0]
	for range 70 {
		_, err := app.Post(t.Context(), testMessage("card/1"))
		require.NoError(t, err)
		w.now = w.now.Add(time.Second)
	}
	w.now = w.now.Add(time.Minute)
	var err error
	for range 200 {
		if err = app.Prune(t.Context(), testMessage(""), since, nil); err == nil {
			break
		}
		limited, own := errors.AsType[*flow.RateLimited](err)
		require.True(t, own && !limited.Told, "%v", err)
		w.now = w.now.Add(max(limited.After, 2*time.Second))
	}
	require.NoError(t, err)
	require.Empty(t, w.sim.Limited(), "no 429")
	require.Len(t, w.sim.Requests("chat.delete"), 70)
}

// A Redis that hangs must not eat the time of an ack, one look-up after the other.
func TestSharingThatHangsCostsACommandNoTime(t *testing.T) {
	w := newSharing(t)
	app := w.apps[0]
	stuck := &stuckSharing{}
	app.Share(stuck, stuck)
	began := time.Now()
	for _, user := range []string{ann, wei, guest} {
		_, err := app.People(t.Context(), []string{user})
		require.NoError(t, err)
	}
	require.Less(t, time.Since(began), 900*time.Millisecond)
	require.Equal(t, 1, stuck.asked)
	w.now = w.now.Add(time.Minute)
	_, err := app.Members(t.Context(), group("S0OPS"))
	require.Equal(t, 2, stuck.asked, "it is tried again after a while: %v", err)
}

// stuckSharing answers nothing.
type stuckSharing struct{ asked int }

func (s *stuckSharing) hang(ctx context.Context) error { s.asked++; <-ctx.Done(); return ctx.Err() }

func (s *stuckSharing) Recall(ctx context.Context, _ string) (string, time.Duration, bool, int64, error) {
	return "", 0, false, 0, s.hang(ctx)
}

func (s *stuckSharing) Remember(ctx context.Context, _, _ string, _ int64, _ time.Duration) error {
	return s.hang(ctx)
}

func (s *stuckSharing) Take(ctx context.Context, _ flow.Bid, _ time.Time) (time.Time, error) {
	return time.Time{}, s.hang(ctx)
}

func (s *stuckSharing) Rest(ctx context.Context, _ flow.Bid, _ time.Time) error { return s.hang(ctx) }

func (s *stuckSharing) Urge(ctx context.Context, _ flow.Bid, _ time.Time) error { return s.hang(ctx) }
