package slackapp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

const (
	methodTest = "auth.test"
	methodOpen = "apps.connections.open"
)

// Identity is who the bot is in its workspace.
type Identity struct {
	Team       string // workspace id
	TeamName   string
	Enterprise string // organisation id on Enterprise Grid, else ""
	User       string // the bot's user id
	BotID      string
	AppID      string // "" when Slack didn't tell
	Scopes     []string
}

// Scope is a bot scope that the app needs, and what for.
type Scope struct{ Name, Reason string }

// RequiredScopes are the bot scopes without which something doesn't work, and
// no more (Slack, Permission scopes). The manifest and `scalebot check` use this
// list.
func RequiredScopes() []Scope {
	return []Scope{
		{"commands", "to offer the slash command"},
		{"app_mentions:read", "to hear commands in threads, where slash commands can't be used"},
		{"chat:write", "to post and update cards, thread logs and notices, and to answer privately"},
		{"reactions:read", "to read who approved and who denied"},
		{"users:read", "to tell guests, bots and deactivated people from members, and to answer in the reader's language and time zone"},
		{"usergroups:read", "to look up the members of approver groups"},
		{"channels:history", "to find a card again when the answer to posting it was lost, and to notice a deleted card, in public channels"},
		{"groups:history", "the same in private channels"},
	}
}

// MissingScopes are the required scopes that a token doesn't have.
func MissingScopes(granted []string) []Scope {
	return slices.DeleteFunc(RequiredScopes(), func(s Scope) bool { return slices.Contains(granted, s.Name) })
}

// Identify asks Slack who the tokens belong to. Call it before Run and before
// any method of flow.Directory: slack-go's sockets never try the bot token, and
// whether somebody is of the own workspace can't be told without it. ErrTokens
// when Slack refuses the bot token; anything else may be tried again.
func (a *App) Identify(ctx context.Context) (Identity, error) {
	var test *slack.AuthTestResponse
	err := a.call(ctx, methodTest, func(ctx context.Context) (err error) {
		test, err = a.slack.AuthTestContext(ctx)
		return err
	})
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Team: test.TeamID, TeamName: test.Team, Enterprise: test.EnterpriseID, User: test.UserID, BotID: test.BotID}
	if id.Team == "" || id.User == "" {
		return Identity{}, errors.New("auth.test named no workspace or no user: is slack.api_url right?")
	}
	for scope := range strings.SplitSeq(test.Header.Get("X-OAuth-Scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			id.Scopes = append(id.Scopes, scope)
		}
	}
	slices.Sort(id.Scopes)
	// Only to notice tokens of two different apps, so a refusal does no harm.
	err = a.call(ctx, "bots.info", func(ctx context.Context) error {
		bot, err := a.slack.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: id.BotID})
		if err == nil {
			id.AppID = bot.AppID
		}
		return err
	})
	if err != nil {
		a.log.Debug("the bot's app is not known", "error", redacted(err))
	}
	a.identity.Store(&id)
	return id, nil
}

// ErrTwoApps means that the two tokens are of two apps: everything connects, but
// commands arrive from one app and replies come from the other (slack.md 8).
var ErrTwoApps = errors.New("the tokens are of two apps")

// sameApp checks that the app of the sockets and the app of the bot token are
// one, as far as Slack told.
func (a *App) sameApp(app string) error {
	id := a.identity.Load()
	if id == nil || id.AppID == "" || app == "" || id.AppID == app {
		return nil
	}
	return fmt.Errorf("%w: slack.app_token is of app %s, slack.bot_token of app %s; take both from one app", ErrTwoApps, app, id.AppID)
}

// CheckSockets asks Slack for a Socket Mode address and does not use it: whether
// the app token is right and Socket Mode is on. For the doctor; ErrTokens when
// Slack refuses the token, ErrTwoApps when it is of another app than the bot
// token (call Identify first).
func (a *App) CheckSockets(ctx context.Context) error {
	client := slack.New(a.opt.BotToken, slack.OptionAppLevelToken(a.opt.AppToken), slack.OptionAPIURL(a.opt.APIURL),
		slack.OptionHTTPClient(doer{client: a.http}))
	app := ""
	if err := a.call(ctx, methodOpen, func(ctx context.Context) error {
		_, address, err := client.StartSocketModeContext(ctx)
		app = appOf(address, a.opt.AppToken)
		return err
	}); err != nil {
		return err
	}
	return a.sameApp(app)
}

// appOf is the app that a socket's address names (…/link/?ticket=…&app_id=A0…),
// or else the app token itself (xapp-1-A0…-…).
func appOf(address, appToken string) string {
	if u, err := url.Parse(address); err == nil {
		if app := u.Query().Get("app_id"); app != "" {
			return app
		}
	}
	if parts := strings.Split(appToken, "-"); len(parts) > 3 && strings.HasPrefix(parts[2], "A") {
		return parts[2]
	}
	return ""
}

// confirmPause is the wait between two questions whether the bot token holds.
const confirmPause = 5 * time.Second

// suspect notes that the bot token may have been revoked. One note at a time is
// enough.
func (a *App) suspect(why string) {
	select {
	case a.doubts <- why:
	default:
	}
}

// watchToken ends the run, by fatal, once Slack has refused the bot token for
// good. A single refusal proves nothing (a method may refuse this kind of token,
// an event may be about somebody else's), so auth.test is asked until it answers.
func (a *App) watchToken(ctx context.Context, fatal func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case why := <-a.doubts:
			a.log.Warn("Slack may have revoked the bot token; asking", "because", redact(why))
		}
		err := a.call(ctx, methodTest, func(ctx context.Context) error {
			_, err := a.slack.AuthTestContext(ctx)
			return err
		})
		switch {
		case errors.Is(err, ErrTokens):
			fatal(err)
			return
		case err == nil:
			a.log.Info("the bot token holds")
		default:
			a.suspect(err.Error()) // not told yet
		}
		if pause(ctx, confirmPause) != nil {
			return
		}
	}
}
