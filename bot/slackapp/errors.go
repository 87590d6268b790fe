package slackapp

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// ErrTokens means that Slack refuses the tokens themselves: no retry helps, a
// person has to look. `scalebot run` exits 1 on it.
var ErrTokens = errors.New("Slack refuses the tokens")

// tokenErrors are the answers that refuse a token, with what each means (Slack,
// common errors of the Web API). slack-go gives up on invalid_auth, not_authed,
// account_inactive and token_revoked by itself and repeats the others for ever
// (slack.md 2.5).
var tokenErrors = map[string]string{
	"invalid_auth":            "the token is wrong or was made for another workspace",
	"not_authed":              "no token was sent",
	"account_inactive":        "the app was uninstalled or its workspace is gone",
	"token_revoked":           "the token was revoked",
	"token_expired":           "the token has expired",
	"not_allowed_token_type":  "this is another kind of token: app_token must be xapp-…, bot_token xoxb-…",
	"app_not_installed":       "the app isn't installed in the workspace",
	"team_access_not_granted": "the app isn't granted access to the workspace",
	"invalid_app":             "the app doesn't exist any more",
	"forbidden_team":          "the workspace may not use this app",
}

// tokensRefused tells a refusal of the tokens from everything else. A missing
// scope counts only where the whole connection depends on it.
func tokensRefused(method string, err error) error {
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) {
		return nil
	}
	if why, ok := tokenErrors[answer.Err]; ok {
		return fmt.Errorf("%w: %s says %s: %s", ErrTokens, method, answer.Err, why)
	}
	if answer.Err == "missing_scope" && method == methodOpen {
		return fmt.Errorf("%w: %s says missing_scope: the app token needs connections:write", ErrTokens, method)
	}
	return nil
}

// without a Retry-After, as slack-go itself waits on 429 (slack.md 2.7).
const defaultRetryAfter = 30 * time.Second

// translate maps what a call gave to the words of flow.Chat. What isn't known to
// have been refused before it had an effect is in doubt: the caller then looks
// (Find) before it repeats.
func translate(method string, err error) error {
	if err == nil {
		return nil
	}
	if refused := tokensRefused(method, err); refused != nil {
		return refused
	}
	var (
		limited *slack.RateLimitedError
		answer  slack.SlackErrorResponse
		status  slack.StatusCodeError
		lost    *lostError
		own     *flow.RateLimited
	)
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &limited):
		return &flow.RateLimited{After: max(limited.RetryAfter, time.Second), Told: true}
	case errors.As(err, &answer):
		return translateCode(method, answer)
	case errors.As(err, &status):
		switch {
		case status.Code == http.StatusTooManyRequests:
			return &flow.RateLimited{After: defaultRetryAfter, Told: true}
		case status.Code >= http.StatusInternalServerError:
			return fmt.Errorf("%w: %s answered %s", flow.ErrChatInDoubt, method, status.Status)
		}
		return fmt.Errorf("%s was refused: %s", method, status.Status)
	case errors.As(err, &lost) && !lost.sent:
		return fmt.Errorf("%s was not sent: %w", method, lost)
	}
	// A lost or cut answer, or one that isn't JSON.
	return fmt.Errorf("%w: %s: %w", flow.ErrChatInDoubt, method, redacted(err))
}

// postponed are the refusals that end by themselves: a channel or the workspace is
// being moved. To take them for a no would give up cards and stop the bot for what
// is over in minutes.
var postponed = map[string]bool{"external_channel_migrating": true, "team_added_to_org": true, "org_login_required": true}

func translateCode(method string, answer slack.SlackErrorResponse) error {
	code := answer.Err
	detail := strings.Join(answer.ResponseMetadata.Messages, "; ")
	switch {
	case code == "ratelimited" || code == "rate_limited" || code == "message_limit_exceeded":
		return &flow.RateLimited{After: defaultRetryAfter, Told: true}
	case code == "invalid_blocks" || code == "invalid_blocks_format":
		return fmt.Errorf("%w: %s: %s %s", flow.ErrBlocksRefused, method, code, detail)
	case code == "message_not_found" || code == "thread_not_found" || code == "bad_timestamp" || code == "cant_update_message":
		// The last one says that the message is not ours, as that of a tombstone is:
		// only messages of our own are edited.
		return fmt.Errorf("%w: %s: %s", flow.ErrMessageGone, method, code)
	case code == "not_in_channel" || code == "channel_not_found":
		return fmt.Errorf("%w: %s: %s", flow.ErrNoChannel, method, code)
	case code == "is_archived":
		return fmt.Errorf("%w: %s: %w", flow.ErrNoChannel, method, flow.ErrArchived)
	case strings.HasPrefix(code, "restricted_action"):
		return fmt.Errorf("%w: %s: %s: %w", flow.ErrNoChannel, method, code, flow.ErrRestricted)
	case postponed[code]:
		return fmt.Errorf("%s was not taken: %s", method, code)
	case code == "fatal_error" || code == "internal_error" || code == "service_unavailable" || code == "request_timeout":
		// "May have partly succeeded" (Slack, chat.postMessage errors).
		return fmt.Errorf("%w: %s: %s", flow.ErrChatInDoubt, method, code)
	case code == "missing_scope":
		return &refusal{method: method, code: code, detail: "the bot token lacks " + answer.Needed + ": add it to the app and install it again"}
	}
	return &refusal{method: method, code: code, detail: detail}
}

// refusal is a plain no of a Web API method.
type refusal struct{ method, code, detail string }

func (r *refusal) Error() string {
	s := r.method + " was refused: " + r.code
	if r.detail != "" {
		s += " (" + r.detail + ")"
	}
	return s
}

// Is lets callers who don't know the codes see a definite refusal.
func (r *refusal) Is(target error) bool { return target == flow.ErrChatRefused }

// refusedWith reports whether Slack answered one of the codes.
func refusedWith(err error, codes ...string) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, c := range codes {
		if r.code == c {
			return true
		}
	}
	return false
}

// kindOf names an error for metrics, out of a closed list.
func kindOf(err error) string {
	var limited *flow.RateLimited
	switch {
	case errors.As(err, &limited):
		return kindLimited
	case errors.Is(err, ErrTokens):
		return kindTokens
	case errors.Is(err, flow.ErrBlocksRefused):
		return kindBlocks
	case errors.Is(err, flow.ErrMessageGone):
		return kindGone
	case errors.Is(err, flow.ErrNoChannel):
		return kindChannel
	case errors.Is(err, flow.ErrChatInDoubt):
		return kindInDoubt
	}
	var lost *lostError
	if errors.As(err, &lost) {
		return kindUnreachable
	}
	return kindRefused
}

// The kinds of errors in metrics.
const (
	kindLimited     = "rate_limited"
	kindTokens      = "tokens"
	kindBlocks      = "blocks"
	kindGone        = "gone"
	kindChannel     = "channel"
	kindInDoubt     = "in_doubt"
	kindUnreachable = "unreachable"
	kindRefused     = "refused"
)

// secrets are the shapes of what must never reach a log: tokens, the one-use
// ticket of a socket's address and the path of a response_url.
var secrets = regexp.MustCompile(`xox[a-z.]*-[0-9A-Za-z-]+|xapp-[0-9A-Za-z-]+|ticket=[^&\s"]+|/(?:commands|actions)/[^\s"]+`)

// redact takes secrets out of foreign text.
func redact(s string) string { return secrets.ReplaceAllString(s, "[redacted]") }

// redactedError shows an error without its secrets and keeps its identity.
type redactedError struct{ err error }

func redacted(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{err}
}

func (e *redactedError) Error() string { return redact(e.err.Error()) }
func (e *redactedError) Unwrap() error { return e.err }
