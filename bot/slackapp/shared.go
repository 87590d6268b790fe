package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"scalebot/bot/flow"
)

// Shared keeps for all replicas what Slack said of people and groups. Recall gives the
// last answer to a question and how long ago it was asked, by a clock that all share
// (ms); false: there is none. mark is what that clock shows: Remember takes the mark of
// before a question with its answer.
type Shared interface {
	Recall(ctx context.Context, question string) (text string, ago time.Duration, ok bool, mark int64, err error)
	Remember(ctx context.Context, question, text string, mark int64, ttl time.Duration) error
}

const (
	// sharedTimeout bounds a question to what replicas share: a command waits for it
	// before its ack, and Slack itself can be asked instead.
	sharedTimeout = 300 * time.Millisecond
	// sharedPause is how long nothing is asked there after no answer came: the look-ups
	// of one command would wait one after the other.
	sharedPause = 3 * time.Second
)

// Share connects the app with what all replicas of its workspace share. Call it before
// Run and before any method of flow.Directory. Without it each process counts its calls
// and remembers its look-ups for itself.
func (a *App) Share(q flow.Quota, s Shared) { a.quota, a.shared = q, s }

// may asks the quota for a call; nil = go ahead. It goes ahead too where the quota
// can't be asked: Slack says when it is too much, and a person who waits for an answer
// should have one.
func (a *App) may(ctx context.Context, b flow.Bid) error {
	if a.quota == nil || a.unshared() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	now := a.clock.Now()
	again, err := a.quota.Take(ctx, b, now)
	if err != nil {
		a.log.Warn("the quota of Slack's calls can't be asked", "call", string(b.Call), "error", redacted(err))
		a.pauseSharing()
		return nil
	}
	if again.IsZero() {
		return nil
	}
	return &flow.RateLimited{After: again.Sub(now)}
}

// unshared reports whether the replicas are without what they share for a moment.
func (a *App) unshared() bool { return a.clock.Now().UnixMilli() < a.alone.Load() }

func (a *App) pauseSharing() { a.alone.Store(a.clock.Now().Add(sharedPause).UnixMilli()) }

// rest tells all replicas that Slack asked to be left alone, if that is what err says.
func (a *App) rest(ctx context.Context, b flow.Bid, err error) {
	limited, ok := errors.AsType[*flow.RateLimited](err)
	if a.quota == nil || !ok || !limited.Told {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
	defer cancel()
	if err := a.quota.Rest(ctx, b, a.clock.Now().Add(limited.After)); err != nil {
		a.log.Warn("other replicas don't know that Slack asks to wait", "call", string(b.Call), "error", redacted(err))
	}
}

// recall reads an answer that some replica got to a question asked since a time, and
// the mark for one that is asked now; 0 = there is none.
func (a *App) recall(ctx context.Context, question string, since time.Time, out any) (asked time.Time, mark int64, ok bool) {
	if a.shared == nil || a.unshared() {
		return asked, 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	now := a.clock.Now() // before the answer: what it says of its age was so at most then
	text, ago, ok, mark, err := a.shared.Recall(ctx, question)
	asked = now.Add(-ago)
	switch {
	case err != nil:
		a.log.Warn("what other replicas asked Slack can't be read", "question", question, "error", redacted(err))
		a.pauseSharing()
		return asked, 0, false
	case !ok, !asked.After(since):
		return asked, mark, false
	}
	if err := json.Unmarshal([]byte(text), out); err != nil { // of another version
		a.log.Warn("what another replica asked Slack is in a form unknown here", "question", question, "error", redacted(err))
		return asked, mark, false
	}
	return asked, mark, true
}

// remember tells the other replicas an answer. It is a courtesy: who doesn't hear of it
// asks Slack.
func (a *App) remember(ctx context.Context, question string, v any, mark int64, ttl time.Duration) {
	if a.shared == nil || mark == 0 || a.unshared() {
		return
	}
	text, err := json.Marshal(v)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
		defer cancel()
		err = a.shared.Remember(ctx, question, string(text), mark, ttl)
	}
	if err != nil {
		a.log.Warn("other replicas don't hear what Slack said", "question", question, "error", redacted(err))
		a.pauseSharing()
	}
}
