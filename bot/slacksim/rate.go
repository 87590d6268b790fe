package slacksim

import (
	"time"
)

// rates holds what was used of each limit. Limits are per method, and for
// chat.postMessage per channel (Slack, Rate limits).
type rates struct {
	on     bool
	calls  map[string][]time.Time // method -> accepted calls of the last minute
	bucket map[string]*bucket     // what is limited to one a second
}

type bucket struct {
	tokens float64
	at     time.Time
}

// burst is how many posts in a row one channel takes before the pace of one a
// second holds. Slack says "short bursts" without a number.
const burst = 3

// postsPerMinute is how many messages the whole workspace takes of an app: "several
// hundred a minute" (Slack, chat.postMessage).
const postsPerMinute = 300

func newRates(on bool) rates {
	return rates{on: on, calls: map[string][]time.Time{}, bucket: map[string]*bucket{}}
}

// perMinute takes one call of a method with n calls a minute. A tenth more is
// let through, since Slack tolerates some burst. The wait is in whole seconds.
func (r *rates) perMinute(method string, n int, now time.Time) (wait int, ok bool) {
	if !r.on || n == 0 {
		return 0, true
	}
	calls := r.calls[method]
	for len(calls) > 0 && now.Sub(calls[0]) >= time.Minute {
		calls = calls[1:]
	}
	r.calls[method] = calls
	if len(calls) >= n+max(1, n/10) {
		return wholeSeconds(calls[0].Add(time.Minute).Sub(now)), false
	}
	r.calls[method] = append(calls, now)
	return 0, true
}

// perSecond takes one of a key limited to one a second after a short burst.
func (r *rates) perSecond(key string, now time.Time) (wait int, ok bool) {
	if !r.on {
		return 0, true
	}
	b := r.bucket[key]
	if b == nil {
		b = &bucket{tokens: burst, at: now}
		r.bucket[key] = b
	}
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(burst, b.tokens+d.Seconds())
		b.at = now
	}
	if b.tokens < 1 {
		return wholeSeconds(time.Duration((1 - b.tokens) * float64(time.Second))), false
	}
	b.tokens--
	return 0, true
}

func wholeSeconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
