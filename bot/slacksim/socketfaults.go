package slacksim

import (
	"encoding/json"
	"slices"
	"time"
)

// socketFaults is what is to go wrong on sockets. Under the lock.
type socketFaults struct {
	refuseOpens           string
	refuseUpgrades        int
	mute                  int // sockets still to come that get no hello
	dropEvents            int
	duplicateEvents       int
	duplicateInteractions int
	reorder               int // events still to be held back
	held                  []*event
	delay                 time.Duration
}

// The reasons of Disconnect.
const (
	DisconnectWarning = "warning"           // the socket's life ends soon
	DisconnectRefresh = "refresh_requested" // the container is being replaced
	DisconnectLink    = "link_disabled"     // Socket Mode was turned off
)

// CutSockets resets all sockets without a close frame, and says how many.
func (s *Server) CutSockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		s.note(Frame{Conn: c.id, Dir: "note", Type: "cut"})
		c.end()
	}
	return len(s.conns)
}

// SilenceSockets makes the sockets that are open now half open: no pings, no
// frames, no acks taken. They stay registered, and once the app gave one up for
// Options.CloseAfter more, so payloads go on being lost on them. New sockets
// are sound.
func (s *Server) SilenceSockets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.silent = true
		s.note(Frame{Conn: c.id, Dir: "note", Type: "silent"})
	}
}

// WithholdHello leaves the next n sockets without a hello: they are pinged and
// registered, and get no payloads.
func (s *Server) WithholdHello(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.mute = n
}

// DisconnectOne is Disconnect for the oldest socket alone.
func (s *Server) DisconnectOne(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if !c.ghost && !c.refused {
			s.dismiss(c, reason)
			return
		}
	}
}

// Disconnect asks every socket to reconnect and closes it Options.CloseAfter
// later.
func (s *Server) Disconnect(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range slices.Clone(s.conns) {
		if !c.ghost {
			s.dismiss(c, reason)
		}
	}
}

// RefuseOpens makes apps.connections.open answer ok:false with the code, until
// called with "".
func (s *Server) RefuseOpens(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.refuseOpens = code
}

// RefuseUpgrades makes dialling a socket fail with an HTTP status (409, 408 and
// 503 have been seen), until called with 0.
func (s *Server) RefuseUpgrades(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.refuseUpgrades = status
}

// DropEvents loses the next n events for good, retries included.
func (s *Server) DropEvents(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.dropEvents = n
}

// DuplicateEvents delivers the next n events twice, with the same event_id and
// different envelope ids.
func (s *Server) DuplicateEvents(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.duplicateEvents = n
}

// DuplicateInteractions delivers the next n commands, clicks and submissions
// twice, with the same trigger_id. Slack does so at times after a reconnect.
func (s *Server) DuplicateInteractions(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.duplicateInteractions = n
}

// ReorderEvents holds the next n events back and delivers them in reverse once
// the last of them has come.
func (s *Server) ReorderEvents(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.reorder = n
}

// DelayEvents delivers events d of the machine's time late, until called with 0.
func (s *Server) DelayEvents(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.delay = d
}

// ClearSocketFaults ends all of the above that lasts; silent sockets are cut
// and events held back are delivered.
func (s *Server) ClearSocketFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.socket.held
	s.socket = socketFaults{}
	for _, c := range slices.Clone(s.conns) {
		if c.ghost {
			s.cancel(c.leave)
			s.strike(c)
		} else if c.silent {
			c.silent = false
			c.end()
		}
	}
	for _, ev := range held {
		s.try(ev, 0)
	}
}

// route takes a new event through the faults.
func (s *Server) route(ev *event) {
	f := &s.socket
	switch {
	case f.dropEvents > 0:
		f.dropEvents--
		s.note(Frame{Dir: "note", Type: "event_dropped", Note: ev.id})
	case f.reorder > 0:
		f.held = append(f.held, ev)
		if f.reorder--; f.reorder == 0 {
			held := f.held
			f.held = nil
			for _, h := range slices.Backward(held) {
				s.try(h, 0)
			}
		}
	case f.delay > 0:
		s.after(f.delay, func() { s.try(ev, 0) })
	default:
		s.try(ev, 0)
	}
}

// EmitEvent sends any event to the app, subscribed or not: one that its client
// doesn't know, for example. The id that Slack gave it is returned.
func (s *Server) EmitEvent(inner map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emit(inner, false)
}

// EmitRateLimited sends app_rate_limited, which takes the place of events above
// 30,000 an hour.
func (s *Server) EmitRateLimited() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.route(&event{id: s.id("Ev"), payload: obj{
		"token": "verification", "type": "app_rate_limited", "team_id": s.team.ID,
		"minute_rate_limited": s.now().Truncate(time.Minute).Unix(), "api_app_id": s.app.ID,
	}})
}

// InjectFrame sends a raw text frame to every socket, valid or not.
func (s *Server) InjectFrame(raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		o := outgoing{raw: []byte(raw), kind: "injected"}
		c.queue(o)
	}
}

// Events are the distinct events that were sent to the app so far, with the
// number of deliveries each took.
func (s *Server) Events() map[string]int {
	out := map[string]int{}
	for _, f := range s.Frames() {
		if f.Dir != "out" || f.Type != "events_api" {
			continue
		}
		var e struct {
			Payload struct {
				EventID string `json:"event_id"`
			} `json:"payload"`
		}
		if json.Unmarshal(f.Raw, &e) == nil {
			out[e.Payload.EventID]++
		}
	}
	return out
}
