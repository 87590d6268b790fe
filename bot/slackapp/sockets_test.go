package slackapp

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/card"
	"scalebot/bot/slacksim"
)

func TestRefusedTokensEndTheRun(t *testing.T) {
	t.Run("the bot token", func(t *testing.T) {
		e := newEdge(t, nil, nil)
		e.app.identity.Store(nil)
		e.sim.Fail("auth.test", slacksim.Fault{Kind: slacksim.APIError, Code: "account_inactive", Times: slacksim.Forever})
		_, err := e.app.Identify(t.Context())
		require.ErrorIs(t, err, ErrTokens)
		require.ErrorIs(t, e.app.Run(t.Context(), e.desk, card.New(card.Options{})), ErrTokens)
	})
	// slack-go ends by itself on the first, and would try the others for ever.
	for _, code := range []string{"invalid_auth", "not_allowed_token_type", "missing_scope"} {
		t.Run("the app token: "+code, func(t *testing.T) {
			e := newEdge(t, nil, nil)
			e.sim.RefuseOpens(code)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			require.ErrorIs(t, e.app.Run(ctx, e.desk, card.New(card.Options{})), ErrTokens)
			require.NoError(t, ctx.Err(), "at once")
		})
	}
}

// The bot token of a running bot can be revoked at any time.
func TestATokenRevokedLaterEndsTheRun(t *testing.T) {
	revoke := func(e *edge) {
		for _, method := range []string{"auth.test", "chat.postMessage", "usergroups.list"} {
			e.sim.Fail(method, slacksim.Fault{Kind: slacksim.APIError, Code: "token_revoked", Times: slacksim.Forever})
		}
	}
	ends := func(e *edge) {
		e.t.Helper()
		err := e.stopped(8 * time.Second)
		require.ErrorIs(e.t, err, ErrTokens)
		require.ErrorContains(e.t, err, "token_revoked")
	}
	t.Run("seen by a call", func(t *testing.T) {
		e := newEdge(t, nil, nil).run()
		revoke(e)
		_, err := e.app.Post(t.Context(), testMessage("card/1"))
		require.ErrorIs(t, err, ErrTokens)
		ends(e)
	})
	for _, event := range []string{"tokens_revoked", "app_uninstalled"} {
		t.Run("told by "+event, func(t *testing.T) {
			e := newEdge(t, nil, nil).run()
			revoke(e)
			e.sim.EmitEvent(map[string]any{"type": event, "tokens": map[string]any{"bot": []string{botUser}}})
			ends(e)
		})
	}
	t.Run("while Slack is slow to say", func(t *testing.T) {
		e := newEdge(t, nil, nil).run()
		e.sim.Fail("auth.test", slacksim.Fault{Kind: slacksim.Error500})
		revoke(e)
		e.app.suspect("a test")
		ends(e)
	})
}

// One refusal proves nothing: the token may be fine, and somebody else's revoked.
func TestATokenThatHoldsEndsNothing(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	before := len(e.sim.Requests("auth.test"))
	e.sim.Fail("chat.postMessage", slacksim.Fault{Kind: slacksim.APIError, Code: "not_allowed_token_type"})
	_, err := e.app.Post(t.Context(), testMessage("card/1"))
	require.ErrorIs(t, err, ErrTokens)
	e.sim.EmitEvent(map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []string{ann}}})
	e.eventually(func() bool { return len(e.sim.Requests("auth.test")) > before }, "asked")
	e.eventually(func() bool { return strings.Contains(e.logs.String(), "the bot token holds") }, "answered")
	d := e.sim.Slash(ann, channel, "/scale", "help")
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "CLUSTER GROUP AMOUNT", "it goes on")
	require.LessOrEqual(t, len(e.sim.Requests("auth.test")), before+2, "and doesn't ask all the time")
}

func TestTokensOfTwoAppsAreLoudAndNotFatal(t *testing.T) {
	e := newEdge(t, nil, nil)
	require.NoError(t, e.app.CheckSockets(t.Context()))
	other := *e.app.identity.Load()
	other.AppID = "A0OTHER"
	e.app.identity.Store(&other)
	err := e.app.CheckSockets(t.Context())
	require.ErrorIs(t, err, ErrTwoApps)
	require.ErrorContains(t, err, "A0OTHER")
	require.ErrorContains(t, err, "A0APP")
	e.run()
	e.eventually(func() bool { return strings.Contains(e.logs.String(), "the tokens are of two apps") }, "an error in the log")
	require.NoError(t, e.sim.Slash(ann, channel, "/scale", "help").Err)
}

func TestTheAppOfTheSocketsIsToldByItsAddressOrItsToken(t *testing.T) {
	require.Equal(t, "A0URL", appOf("wss://host/link/?ticket=x&app_id=A0URL", appToken))
	require.Equal(t, "A0APP", appOf("wss://host/link/?ticket=x", appToken))
	require.Empty(t, appOf("", "xapp-odd"))
}

func TestIdentity(t *testing.T) {
	e := newEdge(t, nil, nil)
	id, err := e.app.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, own, id.Team)
	require.Equal(t, botUser, id.User)
	require.Equal(t, "B0BOT", id.BotID)
	require.Equal(t, "A0APP", id.AppID)
	require.Empty(t, MissingScopes(id.Scopes))
	e.sim.SetScopes("commands", "users:read")
	id, err = e.app.Identify(t.Context())
	require.NoError(t, err)
	missing := MissingScopes(id.Scopes)
	require.Len(t, missing, len(RequiredScopes())-2)
	for _, s := range missing {
		require.NotEmpty(t, s.Reason)
	}
}

func TestSocketsAreOpenedApart(t *testing.T) {
	e := newEdge(t, nil, func(o *Options) { o.Sockets = 2 }).run()
	e.eventually(func() bool { return e.sim.Connections() == 2 }, "both")
	opens := e.sim.Requests("apps.connections.open")
	require.Len(t, opens, 2)
	require.GreaterOrEqual(t, opens[1].Mono-opens[0].Mono, 990*time.Millisecond)
}

func TestServerThatAcceptsAndClosesIsNotStormed(t *testing.T) {
	e := newEdge(t, func(o *slacksim.Options) { o.CloseAfter = time.Millisecond }, nil).run()
	begun := time.Now()
	// Every hello is followed by a disconnect: slack-go alone opens thousands of
	// times a second here (slack.md 2.5).
	for time.Since(begun) < 3500*time.Millisecond {
		n := e.sim.Connections()
		e.sim.Disconnect(slacksim.DisconnectRefresh)
		require.Eventually(t, func() bool { return e.sim.Connections() != n || time.Since(begun) > 3500*time.Millisecond }, 5*time.Second, time.Millisecond)
	}
	opens := e.sim.Requests("apps.connections.open")
	require.Greater(t, len(opens), 1)
	require.LessOrEqual(t, len(opens), 5)
	for i := range opens[1:] {
		require.GreaterOrEqual(t, opens[i+1].Mono-opens[i].Mono, 990*time.Millisecond)
	}
}

func TestReadyNeedsAHello(t *testing.T) {
	e := newEdge(t, nil, nil)
	require.False(t, e.app.Ready())
	e.run()
	e.sim.RefuseUpgrades(503)
	e.sim.CutSockets()
	e.eventually(func() bool { return !e.app.Ready() }, "no socket")
	e.sim.ClearSocketFaults()
	e.eventually(e.app.Ready, "back again")
}

func TestHalfOpenSocketIsNotReadyAndReplaced(t *testing.T) {
	e := newEdge(t, nil, func(o *Options) { o.PingInterval = 400 * time.Millisecond }).run()
	before := len(e.sim.Requests("apps.connections.open"))
	e.sim.SilenceSockets()
	e.eventually(func() bool { return len(e.sim.Requests("apps.connections.open")) > before }, "opened anew")
	e.eventually(func() bool {
		d := e.sim.Slash(ann, channel, "/scale", "help")
		return d.Err == nil
	}, "works again")
}

func TestSilenceMakesASocketStale(t *testing.T) {
	e := newEdge(t, nil, nil)
	s := e.app.newSocket(1)
	now := time.Now()
	s.up.Store(true)
	s.heard.Store(now.Add(-time.Minute).UnixNano())
	require.False(t, s.ready(now, 30*time.Second))
	require.True(t, s.ready(now, 2*time.Minute))
}

func TestNoSecretIsLogged(t *testing.T) {
	e := newEdge(t, nil, func(o *Options) { o.PingInterval = 400 * time.Millisecond }).run()
	e.desk.set(func(d *desk) { d.panics = true })
	e.sim.Fail("chat.postMessage", slacksim.Fault{Kind: slacksim.ResetAfter})
	_, _ = e.app.Post(t.Context(), testMessage("k"))
	e.sim.Fail(slacksim.ResponseURL, slacksim.Fault{Kind: slacksim.ResetBefore, Times: slacksim.Forever})
	e.sim.Slash(wei, channel, "/scale", "status emr-m620")
	e.told(wei, "emr-m620")
	e.sim.RefuseUpgrades(409)
	e.sim.CutSockets()
	e.eventually(func() bool { return strings.Contains(e.logs.String(), "can't be reached") }, "a refused upgrade")
	e.sim.ClearSocketFaults()
	e.eventually(e.app.Ready, "back again")
	e.app.mu.Lock()
	for _, s := range e.app.sockets {
		s.mu.Lock()
		s.poor = 0 // as after a good run: the next outage need not wait for this one
		s.mu.Unlock()
	}
	e.app.mu.Unlock()
	e.sim.RefuseOpens("internal_error")
	e.sim.CutSockets()
	e.eventually(func() bool { return strings.Contains(e.logs.String(), "internal_error") }, "a refused open")
	e.sim.RefuseOpens("")
	e.eventually(e.app.Ready, "back again")
	e.sim.Slash(ann, channel, "/scale", "emr-m620 task +2") // panics with a token
	log := e.logs.String()
	require.Contains(t, log, "panicked")
	for _, secret := range []string{"botsecret", "appsecret", "xoxb-1-secret", "ticket=", "/commands/"} {
		require.NotContains(t, log, secret)
	}
}
