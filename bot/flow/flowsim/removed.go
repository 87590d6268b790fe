package flowsim

import (
	"fmt"
	"strings"
	"time"

	"scalebot/bot/flow"
)

// remove takes the bot out of a channel for a while. It can neither write nor read
// there, and hears of nothing; what is there people see as before.
func (s *sim) remove() {
	channel, last := oneOf(s, room, room, dataRoom), s.later(20*time.Second, 9*time.Minute)
	s.world.out[channel] = time.Now().Add(last)
	s.log(nil, channel, "the bot is removed for "+last.Round(time.Second).String())
}

// out reports whether the bot is not in a channel now.
func (s *sim) out(channel string) bool {
	return !s.calm && time.Now().Before(s.world.out[channel])
}

// refuses is Slack's answer about a channel that the bot is not in.
func (w *workspace) refuses(k *task, method, channel, key, id string) error {
	if !w.s.out(channel) {
		return nil
	}
	w.s.faults++
	w.s.world.refused[id+" "+key] = true
	w.s.log(k, "slack."+method+" "+key, "not_in_channel")
	return fmt.Errorf("%w: not_in_channel", flow.ErrNoChannel)
}

// wasRefused reports whether Slack refused a message of a flow because the bot was
// not in its channel: it may be missing for good, as news does not wait for an
// invitation.
func (s *sim) wasRefused(id, kind string) bool {
	for what := range s.world.refused {
		if strings.HasPrefix(what, id+" "+kind) {
			return true
		}
	}
	return false
}

// chatRest is how long before its next look the chat lane of an ended flow is at
// rest: where the bot was removed, a card may wait longer for the invitation.
func (s *sim) chatRest() time.Duration {
	if s.mood.removed > 0 {
		return 40 * time.Minute
	}
	return 10 * time.Minute
}
