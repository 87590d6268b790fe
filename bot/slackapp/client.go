package slackapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// maxAnswer bounds what is read of one answer. A page of history is the largest.
const maxAnswer = 16 << 20

// lostError is a call without an answer. sent tells whether the request left:
// only then can it have had an effect.
type lostError struct {
	sent bool
	err  error
}

func (e *lostError) Error() string { return redact(e.err.Error()) }
func (e *lostError) Unwrap() error { return e.err }

// doer is the HTTP client given to slack-go. It repeats nothing: slack-go's own
// repeats would post a message twice when only the answer was lost (slack.md 2.7).
type doer struct {
	client *http.Client
	// before is called ahead of apps.connections.open; see spacing.
	before func(context.Context) error
}

// Do sends a request and tells, when no answer came, whether it had been sent.
func (d doer) Do(req *http.Request) (*http.Response, error) {
	if d.before != nil && strings.HasSuffix(req.URL.Path, "/apps.connections.open") {
		if err := d.before(req.Context()); err != nil {
			return nil, err
		}
	}
	var sent atomic.Bool
	// The headers stay in the connection's buffer until they are complete, so a
	// failure before this hook (name, dial, TLS) means that nothing left.
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	resp, err := d.client.Do(req.WithContext(ctx))
	if err != nil {
		// *url.Error repeats the address, and a response_url is a secret.
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return nil, &lostError{sent: sent.Load(), err: err}
	}
	return resp, nil
}

// call makes one call of a Web API method. While the method has to wait after a
// 429 it isn't made at all: each further call would make Slack wait longer.
func (a *App) call(ctx context.Context, method string, do func(context.Context) error) error {
	if wait := a.rates.wait(method); wait > 0 {
		return &flow.RateLimited{After: wait}
	}
	err := translate(method, do(ctx))
	a.metrics.calls.WithLabelValues(method).Inc()
	if err == nil {
		return nil
	}
	a.metrics.errors.WithLabelValues(method, kindOf(err)).Inc()
	if limited, ok := errors.AsType[*flow.RateLimited](err); ok {
		a.rates.limit(method, limited.After)
	}
	if errors.Is(err, ErrTokens) && method != methodTest {
		a.suspect(err.Error())
	}
	return err
}

// read makes one call and decodes only the fields that out has. slack-go decodes
// whole messages and views, every block of them: one block in a form it doesn't
// expect, somebody else's even, and the reactions of a card or a page of history
// could not be read at all, nor whether a message was posted.
func (a *App) read(ctx context.Context, method string, form url.Values, out any) error {
	return a.ask(ctx, method, "application/x-www-form-urlencoded", form.Encode(), out)
}

// show makes one call that shows a view, with its arguments as JSON. What Slack
// makes of the view comes back and is not looked at.
func (a *App) show(ctx context.Context, method string, args any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return err
	}
	return a.ask(ctx, method, "application/json; charset=utf-8", string(body), &struct{}{})
}

func (a *App) ask(ctx context.Context, method, kind, args string, out any) error {
	return a.call(ctx, method, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.opt.APIURL+method, strings.NewReader(args))
		if err != nil {
			return &lostError{err: err}
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Authorization", "Bearer "+a.opt.BotToken)
		body, err := a.exchange(req)
		if err != nil {
			return err
		}
		if err := refusedIn(body); err != nil {
			return err
		}
		return json.Unmarshal(body, out)
	})
}

// refusedIn is the error that an answer of the Web API tells. Neither ok nor an
// error is no answer of Slack's: whether anything was done can't be told then.
func refusedIn(body []byte) error {
	var head struct {
		OK     bool            `json:"ok"`
		Error  string          `json:"error"`
		Needed string          `json:"needed"`
		Meta   json.RawMessage `json:"response_metadata"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	switch {
	case head.OK:
		return nil
	case head.Error == "":
		return errors.New("the answer says neither ok nor why not")
	}
	refused := slack.SlackErrorResponse{Err: head.Error, Needed: head.Needed}
	// What is wrong with which block. In another form it is only missed.
	_ = json.Unmarshal(head.Meta, &refused.ResponseMetadata)
	return refused
}

// exchange sends a request and reads its answer, with errors in the form that
// slack-go gives them.
func (a *App) exchange(req *http.Request) ([]byte, error) {
	resp, err := doer{client: a.http}.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing can be done, and the answer was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode == http.StatusTooManyRequests {
		if after, bad := strconv.Atoi(resp.Header.Get("Retry-After")); bad == nil {
			return nil, &slack.RateLimitedError{RetryAfter: time.Duration(after) * time.Second}
		}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, slack.StatusCodeError{Code: resp.StatusCode, Status: resp.Status}
	}
	if err != nil {
		return nil, &lostError{sent: true, err: err}
	}
	return body, nil
}

// reply posts a private answer to a response_url. slack-go would add an empty
// metadata and blocks:null, which Slack isn't known to take (slack.md 13).
func (a *App) reply(ctx context.Context, responseURL string, m flow.Message) error {
	const method = "response_url"
	return a.call(ctx, method, func(ctx context.Context) error {
		body, err := json.Marshal(struct {
			private
			Replace bool `json:"replace_original"`
		}{privately(m), false})
		if err != nil {
			return &lostError{err: err}
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, responseURL, bytes.NewReader(body))
		if err != nil {
			return &lostError{err: errors.New("the response_url is malformed")}
		}
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		answer, err := a.exchange(req)
		if err != nil {
			return err
		}
		// A success may as well be the bare word ok; a refusal comes with 200, too.
		var said struct {
			OK    *bool  `json:"ok"`
			Error string `json:"error"`
		}
		if json.Unmarshal(answer, &said) == nil && said.OK != nil && !*said.OK {
			return slack.SlackErrorResponse{Err: said.Error}
		}
		return nil
	})
}

// private is the body of an answer that only one person sees, in an ack and on
// a response_url alike.
type private struct {
	Type   string          `json:"response_type"`
	Text   string          `json:"text"`
	Blocks json.RawMessage `json:"blocks,omitempty"`
}

func privately(m flow.Message) private {
	return private{Type: "ephemeral", Text: m.Text, Blocks: m.Blocks}
}

// rates remembers which methods Slack asked to leave alone, and until when
// ("429 with Retry-After applies to that method and workspace only", Slack, Rate
// limits).
type rates struct {
	clock flow.Clock
	mu    sync.Mutex
	until map[string]time.Time
}

func newRates(c flow.Clock) *rates { return &rates{clock: c, until: map[string]time.Time{}} }

func (r *rates) wait(method string) time.Duration {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := r.until[method].Sub(now)
	if wait <= 0 {
		delete(r.until, method)
		return 0
	}
	return wait
}

func (r *rates) limit(method string, d time.Duration) {
	until := r.clock.Now().Add(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	if until.After(r.until[method]) {
		r.until[method] = until
	}
}
