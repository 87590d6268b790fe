package slackapp

import (
	"context"
	"encoding/json"

	"scalebot/bot/flow"
	"scalebot/commands"
)

// take decides about one envelope: what acknowledges it, and who works on it. It
// runs in the goroutine that drains the socket and never waits.
func (s *session) take(env envelope) {
	switch env.Type {
	case typeCommand:
		s.takeCommand(env)
	case typeEvents:
		s.takeEvent(env)
	case typeInteractive:
		s.takeInteraction(env)
	default:
		// Nothing here can use it, and unacknowledged it would come again.
		s.app.metrics.events.WithLabelValues("unknown").Inc()
		s.app.log.Info("an envelope of an unknown type was acknowledged and ignored", "type", env.Type)
		env.ack(nil)
	}
}

func (s *session) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// takeCommand hands a command to the front workers. Slack doesn't deliver
// commands again, so what can't be taken is answered.
func (s *session) takeCommand(env envelope) {
	s.app.metrics.events.WithLabelValues(typeCommand).Inc()
	var c commandPayload
	if err := json.Unmarshal(env.Payload, &c); err != nil || c.User == "" {
		s.app.log.Error("a command could not be read", "error", err)
		env.ack(privately(s.say(saidUnreadable, s.app.opt.Language)))
		return
	}
	if s.isStopping() {
		s.turnAway(env, c, saidStopping)
		return
	}
	if !s.front.offer(func(ctx context.Context) { s.command(ctx, env, c) }) {
		s.app.metrics.shed.WithLabelValues(typeCommand).Inc()
		s.turnAway(env, c, saidBusy)
	}
}

// turnAway answers a command that is not taken.
func (s *session) turnAway(env envelope, c commandPayload, why said) {
	m := s.say(why, s.app.language(c.User))
	if !env.answerable(c.ResponseURL) {
		who := flow.Caller{User: c.User, Channel: c.Channel}
		if s.back.offer(func(ctx context.Context) { s.later(ctx, c.ResponseURL, who, m) }) {
			env.ack(nil)
			return
		}
	}
	env.ack(privately(m))
}

// takeEvent acknowledges an event, or leaves it for Slack to deliver again: at
// once, after one and after five minutes (slack.md 1.5).
func (s *session) takeEvent(env envelope) {
	var p eventPayload
	var e event
	if err := json.Unmarshal(env.Payload, &p); err != nil {
		s.app.log.Error("an event could not be read", "error", err)
		env.ack(nil)
		return
	}
	if p.Type == "app_rate_limited" {
		s.app.metrics.events.WithLabelValues(p.Type).Inc()
		s.app.log.Error("Slack holds events back: more than 30,000 in an hour; reactions are still read every minute")
		env.ack(nil)
		return
	}
	if err := json.Unmarshal(p.Event, &e); err != nil {
		s.app.log.Warn("an event could not be read", "event", p.ID, "error", err)
		env.ack(nil)
		return
	}
	s.app.metrics.events.WithLabelValues(s.kindOfEvent(e)).Inc()
	switch e.Type {
	case "app_mention":
		s.takeMention(env, p, e)
		return
	case "reaction_added", "reaction_removed":
		if e.Item.Type == "message" && text(e.User) != s.app.self() {
			s.touch(flow.MessageRef{Channel: e.Item.Channel, TS: e.Item.TS})
		}
	case "message":
		if ts := e.deleted(); ts != "" {
			s.touch(flow.MessageRef{Channel: text(e.Channel), TS: ts})
		}
	case "subteam_members_changed":
		s.app.groups.forget(e.Group)
	case "subteam_updated":
		s.app.groups.forget(e.Sub.ID)
	case "user_change":
		s.app.people.forget(userOf(e.User))
	case "channel_id_changed":
		s.takeMove(env, e)
		return
	case "app_home_opened":
		// Sent on every opening, so one that is dropped comes with the next.
		if user := text(e.User); user != "" && e.Tab != "messages" && !s.isStopping() {
			if !s.back.offer(func(ctx context.Context) { s.home(ctx, user, e.View.Meta) }) {
				s.app.metrics.shed.WithLabelValues(typeEvents).Inc()
			}
		}
	case "tokens_revoked", "app_uninstalled":
		// The tokens of others are revoked too: a person's of this app, for one.
		s.app.suspect("event " + e.Type)
	}
	env.ack(nil)
}

// kindOfEvent is an event's type for metrics, out of a closed list.
func (s *session) kindOfEvent(e event) string {
	switch e.Type {
	case "app_mention", "reaction_added", "reaction_removed", "subteam_members_changed", "subteam_updated",
		"user_change", "channel_id_changed", "app_home_opened", "tokens_revoked", "app_uninstalled":
		return e.Type
	case "message":
		if e.deleted() != "" {
			return "message_deleted"
		}
		return e.Type
	}
	return "other"
}

// takeMention hands a mention to the front workers, who acknowledge it once what
// it asks for is on record: if this process dies before, Slack delivers it again.
func (s *session) takeMention(env envelope, p eventPayload, e event) {
	user := text(e.User)
	edited := len(e.Edited) > 0 && string(e.Edited) != "null"
	if user == "" || user == s.app.self() || e.BotID != "" || !spoken(e.Subtype) || edited {
		env.ack(nil)
		return
	}
	if s.isStopping() {
		return
	}
	c := flow.Caller{
		User: user, Workspace: p.Team, Channel: text(e.Channel), Thread: e.Thread,
		Dedupe: env.delivery(p.ID), Raw: e.Text,
	}
	line := commands.TrimMention(e.Text, s.app.self())
	if !s.front.offer(func(ctx context.Context) { s.mention(ctx, env, c, line) }) {
		s.app.metrics.shed.WithLabelValues(typeEvents).Inc()
	}
}

// takeMove has a channel's new id recorded and acknowledges it then: no later event
// tells it again, so Slack has to until it is on record.
func (s *session) takeMove(env envelope, e event) {
	if e.Old == "" || e.New == "" || e.Old == e.New {
		env.ack(nil)
		return
	}
	if s.isStopping() {
		return
	}
	if !s.back.offer(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, deskBudget)
		defer cancel()
		if err := s.desk.ChannelMoved(ctx, e.Old, e.New); err != nil {
			s.app.log.Error("the new id of a channel could not be recorded", "from", e.Old, "to", e.New, "error", redacted(err))
			return
		}
		env.ack(nil)
	}) {
		s.app.metrics.shed.WithLabelValues(typeEvents).Inc()
	}
}

// spoken reports whether a message of this subtype is one that a person wrote: a
// reply that is shown in the channel too has one, and so has a message with a file.
func spoken(subtype string) bool {
	switch subtype {
	case "", "thread_broadcast", "file_share":
		return true
	}
	return false
}

// takeInteraction hands a click to the front workers, who acknowledge it once what
// it asks for is on record: Slack doesn't deliver it again, and tells the person
// that it didn't work only while it is unacknowledged. One that can't be taken stays
// so.
func (s *session) takeInteraction(env envelope) {
	var p interactionPayload
	if err := json.Unmarshal(env.Payload, &p); err != nil {
		s.app.log.Error("a click could not be read", "error", err)
		env.ack(nil)
		return
	}
	if p.Type == "view_submission" {
		s.takeSubmission(env, p)
		return
	}
	if p.Type != "block_actions" {
		s.app.metrics.events.WithLabelValues("interaction").Inc()
		env.ack(nil)
		return
	}
	s.app.metrics.events.WithLabelValues(p.Type).Inc()
	if len(p.Actions) == 0 {
		env.ack(nil)
		return
	}
	if s.isStopping() {
		return
	}
	p.Trigger = env.delivery(p.Trigger)
	if !s.front.offer(func(ctx context.Context) { s.clicked(ctx, env, p) }) {
		s.app.metrics.shed.WithLabelValues(typeInteractive).Inc()
		return
	}
	if opensModal(p) {
		// Nothing is on record by that. Who sees no modal knows that it didn't work.
		env.ack(nil)
	}
}

// touch tells the desk that a message may have changed. Many changes of one
// message that wait together are one: the engine reads what is true then. One
// that is lost is made up by the minutely look (design.md section 4).
func (s *session) touch(ref flow.MessageRef) {
	if ref.Channel == "" || ref.TS == "" {
		return
	}
	s.mu.Lock()
	_, waiting := s.touched[ref]
	if waiting || s.stopping {
		s.mu.Unlock()
		return
	}
	s.touched[ref] = struct{}{}
	s.mu.Unlock()
	taken := s.back.offer(func(ctx context.Context) {
		s.untouch(ref) // first: a change from here on needs another look
		ctx, cancel := context.WithTimeout(ctx, deskTimeout)
		defer cancel()
		if err := s.desk.Touched(ctx, ref); err != nil {
			s.app.log.Warn("a changed message could not be looked at now", "channel", ref.Channel, "ts", ref.TS, "error", err)
		}
	})
	if !taken {
		s.untouch(ref)
		s.app.metrics.shed.WithLabelValues(typeEvents).Inc()
	}
}

func (s *session) untouch(ref flow.MessageRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.touched, ref)
}

// self is the bot's user id.
func (a *App) self() string {
	if id := a.identity.Load(); id != nil {
		return id.User
	}
	return ""
}
