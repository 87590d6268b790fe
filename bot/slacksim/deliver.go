package slacksim

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// What a person sees when the app did not take a command or a click.
var (
	// ErrTimeout is Slack's operation_timeout: no ack within AckDeadline.
	ErrTimeout = errors.New("operation_timeout")
	// ErrNoConnection is what happens with no socket open: the command or click is
	// lost, and never delivered later.
	ErrNoConnection = errors.New("the app has no connection")
	// ErrBadAck is an ack whose payload Slack doesn't take.
	ErrBadAck = errors.New("the app's answer was not valid")
	// ErrClosed is a server that closed meanwhile.
	ErrClosed = errors.New("the local Slack was closed")
)

// Delivery is one command, click or submission on its way to the app, and what
// came back.
type Delivery struct {
	EnvelopeID  string          `json:"envelope_id"`
	Kind        string          `json:"kind"` // slash_commands or interactive
	Conn        int             `json:"conn"` // the socket that got it
	TriggerID   string          `json:"trigger_id,omitempty"`
	ResponseURL string          `json:"response_url,omitempty"`
	AckAfter    time.Duration   `json:"ack_after"` // from the write of the frame; machine's clock
	Payload     json.RawMessage `json:"payload,omitempty"`
	// Ephemeral and Message are what the ack's payload showed, if anything.
	Ephemeral *Ephemeral `json:"ephemeral,omitempty"`
	Message   *Message   `json:"message,omitempty"`
	// Errors are the field errors of a refused view submission, by block id.
	Errors map[string]string `json:"errors,omitempty"`
	// Err is nil when the app acked in time; else one of the errors above, or why
	// Slack would not let the person do it (a *Refused).
	Err error `json:"-"`
}

// Refused is an action that Slack doesn't allow, by its error code.
type Refused struct{ Code string }

// Error is the code.
func (r *Refused) Error() string { return r.Code }

// envelope is one delivery to one socket.
type envelope struct {
	id      string
	kind    string
	frame   obj
	event   *event // nil unless events_api
	attempt int
	conn    int
	written bool
	at      time.Duration // mono at the write
	timer   *time.Timer
	settled bool // acked in time, or given up
	ok      bool // acked in time
	dup     bool // a second copy; nobody waits for it
	onAck   func(payload json.RawMessage) error
	d       *Delivery
	done    chan struct{}
}

// finish lets the waiting actor go on. Under the lock; more than once is fine.
func (e *envelope) finish() {
	if e.done != nil {
		if e.d != nil && !e.settled {
			e.d.Err = ErrClosed
		}
		close(e.done)
		e.done = nil
	}
	e.settled = true
}

// dispatch sends an envelope to one socket, any one. False without a socket.
func (s *Server) dispatch(e *envelope) bool {
	open := slices.DeleteFunc(slices.Clone(s.conns), func(c *conn) bool { return c.refused })
	if len(open) == 0 {
		return false
	}
	c := open[s.rnd.IntN(len(open))]
	e.conn = c.id
	e.id = s.envelopeID()
	e.frame["envelope_id"] = e.id
	s.envelopes[e.id] = e
	raw, err := json.Marshal(e.frame)
	if err != nil {
		s.log.Error("envelope can't be written as JSON", "error", err)
		return false
	}
	if c.ghost {
		s.note(Frame{Conn: c.id, Dir: "out", Type: e.kind, EnvelopeID: e.id, Raw: raw, Note: "lost"})
		s.wrote(e)
		return true
	}
	c.queue(outgoing{raw: raw, kind: e.kind, env: e})
	return true
}

func (s *Server) envelopeID() string {
	h := s.secret()
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// wrote starts the deadline of an envelope. Under the lock.
func (s *Server) wrote(e *envelope) {
	if e == nil || e.written || e.settled {
		return
	}
	e.written, e.at = true, s.mono()
	e.timer = s.after(s.opt.AckDeadline, func() { s.gaveUp(e, ErrTimeout) })
}

// gaveUp settles an envelope that was not acked in time.
func (s *Server) gaveUp(e *envelope, why error) {
	if e.settled {
		return
	}
	if e.d != nil {
		e.d.Err = why
	}
	e.settled = true
	s.note(Frame{Conn: e.conn, Dir: "note", Type: "no_ack", EnvelopeID: e.id, Note: why.Error()})
	e.finish()
	if e.event != nil && !e.dup {
		s.retry(e.event, e.attempt)
	}
	s.trimEnvelopes()
}

// acked takes an ack and says what was odd about it, "" if nothing.
func (s *Server) acked(c *conn, id string, payload json.RawMessage) string {
	e := s.envelopes[id]
	switch {
	case e == nil:
		return "unknown envelope"
	case e.ok:
		return "duplicate"
	case e.settled:
		return "late"
	case e.conn != c.id:
		// Not documented. Not counted: a bot must not rely on it.
		return "on another socket"
	}
	s.cancel(e.timer)
	e.settled, e.ok = true, true
	note := ""
	if e.d != nil {
		e.d.AckAfter = s.mono() - e.at
		e.d.Payload = slices.Clone(payload)
	}
	if e.onAck != nil && !e.dup {
		if err := e.onAck(payload); err != nil {
			note = "payload refused: " + err.Error()
			e.d.Err = err
		}
	}
	e.finish()
	s.trimEnvelopes()
	return note
}

// trimEnvelopes forgets settled envelopes once there are many, so that late and
// duplicate acks are recognised for long but not for ever.
func (s *Server) trimEnvelopes() {
	if len(s.envelopes) < s.opt.Keep {
		return
	}
	for id, e := range s.envelopes {
		if e.settled && s.mono()-e.at > 10*s.opt.AckDeadline {
			delete(s.envelopes, id)
		}
	}
}

// interact sends a command or an interaction and makes its Delivery. Under the
// lock; the caller waits on the channel without it.
func (s *Server) interact(kind string, payload obj, d *Delivery, onAck func(json.RawMessage) error) <-chan struct{} {
	done := make(chan struct{})
	d.Kind = kind
	bare := s.habits.BareAcks
	frame := func() obj {
		return obj{"type": kind, "payload": payload, "accepts_response_payload": !bare}
	}
	if takes := onAck; bare && takes != nil {
		onAck = func(json.RawMessage) error { return takes(nil) }
	}
	e := &envelope{kind: kind, frame: frame(), d: d, onAck: onAck, done: done}
	if s.closed || !s.dispatch(e) {
		d.Err = ErrNoConnection
		close(done)
		return done
	}
	d.EnvelopeID, d.Conn = e.id, e.conn
	if s.socket.duplicateInteractions > 0 {
		s.socket.duplicateInteractions--
		s.dispatch(&envelope{kind: kind, frame: frame(), dup: true})
	}
	return done
}

// event is one happening that the app subscribed to; its id stays the same on
// every redelivery.
type event struct {
	id      string
	payload obj
}

// eventScopes are what an app needs to be told (Slack, event pages).
var eventScopes = map[string]string{
	"reaction_added": "reactions:read", "reaction_removed": "reactions:read",
	"app_mention": "app_mentions:read", "subteam_members_changed": "usergroups:read",
	"subteam_updated": "usergroups:read", "subteam_created": "usergroups:read", "user_change": "users:read",
}

// emitIn tells of something in a channel. The app hears of channels that it is
// in, and no others.
func (s *Server) emitIn(ch *channel, name string, ev obj) {
	if !ch.member(s.app.BotUserID) {
		return
	}
	sub, scope := name, eventScopes[name]
	switch name {
	case "message":
		sub, scope = "message."+ch.kind(), ch.kind()+":history"
	case "member_joined_channel", "member_left_channel", "channel_archive", "group_archive", "channel_id_changed":
		scope = ch.kind() + ":read"
	}
	s.emitIf(sub, scope, ev, ch.ExtShared)
}

func (s *Server) emitIf(sub, scope string, ev obj, ext bool) {
	if scope != "" && !has(s.app.Scopes, scope) {
		return
	}
	if s.app.Events != nil && !has(s.app.Events, sub) {
		return
	}
	s.emit(ev, ext)
}

// emit wraps an event, sends it through the socket faults and gives its id.
func (s *Server) emit(ev obj, ext bool) string {
	id := s.id("Ev")
	var enterprise any
	if s.team.EnterpriseID != "" {
		enterprise = s.team.EnterpriseID
	}
	s.route(&event{id: id, payload: obj{
		"token": "verification", "team_id": s.team.ID, "context_team_id": s.team.ID, "context_enterprise_id": enterprise,
		"api_app_id": s.app.ID, "event": ev, "type": "event_callback", "event_id": id, "event_time": s.now().Unix(),
		"event_context": "4-" + id, "is_ext_shared_channel": ext,
		"authorizations": []obj{{
			"enterprise_id": enterprise, "team_id": s.team.ID, "user_id": s.app.BotUserID, "is_bot": true,
			"is_enterprise_install": false,
		}},
	}})
	return id
}

// try is one delivery of an event: attempt 0, then the retries.
func (s *Server) try(ev *event, attempt int) {
	reason := ""
	if attempt > 0 {
		reason = "timeout"
	}
	frame := func() obj {
		return obj{
			"type": "events_api", "payload": ev.payload, "accepts_response_payload": false,
			"retry_attempt": attempt, "retry_reason": reason,
		}
	}
	if !s.dispatch(&envelope{kind: "events_api", frame: frame(), event: ev, attempt: attempt}) {
		s.note(Frame{Dir: "note", Type: "no_socket", Note: ev.id})
		s.retry(ev, attempt)
		return
	}
	if s.socket.duplicateEvents > 0 {
		s.socket.duplicateEvents--
		s.dispatch(&envelope{kind: "events_api", frame: frame(), event: ev, attempt: attempt, dup: true})
	}
}

// retry plans the delivery after a failed one, until Slack gives up.
func (s *Server) retry(ev *event, failed int) {
	if failed >= len(s.opt.RetryAfter) {
		s.note(Frame{Dir: "note", Type: "event_lost", Note: ev.id})
		return
	}
	s.after(s.opt.RetryAfter[failed], func() { s.try(ev, failed+1) })
}
