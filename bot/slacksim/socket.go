package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// maxClientFrame is the largest frame that Slack takes from an app; above it
// the socket is closed with 1009.
const maxClientFrame = 20480

// ticketLife is how long a socket URL can be dialled.
const ticketLife = 30 * time.Second

// conn is one socket of the app. Only its writer goroutine writes data frames.
type conn struct {
	s      *Server
	id     int
	ws     *websocket.Conn
	out    chan outgoing
	closed chan struct{}
	leave  *time.Timer

	// These are under the lock. A refused socket is one too many, or was never
	// greeted, and gets no payloads. A silent socket is half open: nothing comes or goes. A
	// ghost is one that the app gave up meanwhile; Slack doesn't know that yet and
	// goes on choosing it for payloads, which are lost.
	refused, silent, ghost bool
}

// outgoing is a frame on its way to the app.
type outgoing struct {
	raw  []byte
	kind string
	env  *envelope // nil for hello and disconnect
}

// end cuts the socket without a close frame, which is what a lost network looks
// like to the app. It may be called more than once.
func (c *conn) end() {
	if tcp, ok := c.ws.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.ws.Close()
}

func (s *Server) connectionsOpen(*call) (obj, error) {
	if code := s.socket.refuseOpens; code != "" {
		return nil, refuse(code)
	}
	now := s.now()
	maps.DeleteFunc(s.tickets, func(_ string, old time.Time) bool { return now.After(old) })
	t := s.secret()
	s.tickets[t] = now.Add(ticketLife)
	q := url.Values{"ticket": {t}, "app_id": {s.app.ID}}
	return obj{"url": "ws" + strings.TrimPrefix(s.base, "http") + "/link/?" + q.Encode()}, nil
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("ticket")
	s.mu.Lock()
	expires, known := s.tickets[id]
	delete(s.tickets, id)
	status := s.socket.refuseUpgrades
	live := known && s.now().Before(expires) && !s.closed
	s.mu.Unlock()
	switch {
	case status != 0:
		http.Error(w, http.StatusText(status), status)
		return
	case !live:
		http.Error(w, "invalid or used ticket", http.StatusUnauthorized)
		return
	}
	// Compression is declined so that peers are compared alike.
	up := websocket.Upgrader{WriteBufferSize: 32 << 10, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	ws.SetReadLimit(maxClientFrame)
	c := &conn{s: s, ws: ws, out: make(chan outgoing, 4096), closed: make(chan struct{})}
	ws.SetCloseHandler(func(code int, text string) error {
		s.mu.Lock()
		s.note(Frame{Conn: c.id, Dir: "in", Type: "close", Note: strings.TrimSpace(strconv.Itoa(code) + " " + text)})
		s.mu.Unlock()
		return ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	})
	life := s.opt.ConnectionLife
	if r.URL.Query().Get("debug_reconnects") == "true" {
		life = 360 * time.Second
	}
	if !s.admit(c, life) {
		_ = ws.Close()
		return
	}
	go func() {
		defer s.wg.Done()
		c.write()
	}()
	defer s.wg.Done()
	c.read()
}

// admit registers a socket and greets it.
func (s *Server) admit(c *conn, life time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(2) // reader and writer; under the lock, so that Close waits for them
	s.connCount++
	c.id = s.connCount
	full := len(s.conns) >= s.opt.MaxConnections
	s.conns = append(s.conns, c)
	s.changed(Change{Kind: "socket"})
	s.note(Frame{Conn: c.id, Dir: "note", Type: "open"})
	if full {
		c.refused = true
		c.send("disconnect", s.disconnectFrame("too_many_websockets"))
		c.leave = s.after(min(time.Second, s.opt.CloseAfter), c.goodbye)
		return true
	}
	if s.socket.mute > 0 {
		s.socket.mute--
		c.refused = true
		c.leave = s.after(max(0, life-s.opt.CloseAfter), func() { s.dismiss(c, "warning") })
		return true
	}
	c.send("hello", obj{
		"type": "hello", "num_connections": len(s.conns), "connection_info": obj{"app_id": s.app.ID},
		"debug_info": obj{
			"host": "local", "started": s.now().UTC().Format("2006-01-02 15:04:05.000"), "build_number": 1,
			"approximate_connection_time": int(life.Seconds()),
		},
	})
	c.leave = s.after(max(0, life-s.opt.CloseAfter), func() { s.dismiss(c, "warning") })
	return true
}

func (s *Server) disconnectFrame(reason string) obj {
	return obj{"type": "disconnect", "reason": reason, "debug_info": obj{"host": "local"}}
}

// dismiss tells a socket to reconnect, and closes it a while later. Under the
// lock.
func (s *Server) dismiss(c *conn, reason string) {
	s.cancel(c.leave)
	c.send("disconnect", s.disconnectFrame(reason))
	c.leave = s.after(s.opt.CloseAfter, c.goodbye)
}

// goodbye asks the writer to close the socket in order. Under the lock.
func (c *conn) goodbye() { c.queue(outgoing{kind: "close"}) }

// close ends the socket with a close frame, or without one if it is silent.
func (c *conn) close() {
	c.s.mu.Lock()
	quiet := c.silent
	c.s.note(Frame{Conn: c.id, Dir: "out", Type: "close"})
	c.s.mu.Unlock()
	if !quiet {
		bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
	}
	_ = c.ws.Close()
}

// send queues a frame. Under the lock. A socket that stopped reading thousands
// of frames ago is cut.
func (c *conn) send(kind string, frame obj) {
	raw, err := json.Marshal(frame)
	if err != nil {
		c.s.log.Error("frame can't be written as JSON", "type", kind, "error", err)
		return
	}
	c.queue(outgoing{raw: raw, kind: kind})
}

func (c *conn) queue(o outgoing) {
	select {
	case c.out <- o:
	default:
		c.s.note(Frame{Conn: c.id, Dir: "note", Type: "cut", Note: "the app doesn't read"})
		c.end()
	}
}

func (c *conn) write() {
	var tick <-chan time.Time
	if every := c.s.opt.PingEvery; every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-c.closed:
			return
		case <-c.s.done.Done():
			return
		case o := <-c.out:
			if o.kind == "close" {
				c.close()
				return
			}
			c.writeFrame(o)
		case <-tick:
			c.ping()
		}
	}
}

func (c *conn) writeFrame(o outgoing) {
	c.s.mu.Lock()
	f := Frame{Conn: c.id, Dir: "out", Type: o.kind}
	if o.env != nil {
		f.EnvelopeID = o.env.id
	}
	if json.Valid(o.raw) {
		f.Raw = o.raw // the journal is read as JSON; an injected frame may be none
	}
	if c.silent {
		// A half open link: the sender sees success, the app sees nothing.
		f.Note = "lost"
	}
	c.s.note(f)
	c.s.wrote(o.env)
	c.s.mu.Unlock()
	if f.Note == "lost" {
		return
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if err := c.ws.WriteMessage(websocket.TextMessage, o.raw); err != nil {
		c.end() // the reader notices and takes the socket off the list
	}
}

func (c *conn) ping() {
	c.s.mu.Lock()
	quiet := c.silent
	if !quiet {
		c.s.note(Frame{Conn: c.id, Dir: "out", Type: "ping"})
	}
	c.s.mu.Unlock()
	if !quiet {
		_ = c.ws.WriteControl(websocket.PingMessage, []byte("local"), time.Now().Add(time.Second))
	}
}

func (c *conn) read() {
	defer func() {
		close(c.closed)
		_ = c.ws.Close()
		c.s.forget(c)
	}()
	for {
		kind, raw, err := c.ws.ReadMessage()
		if err != nil {
			c.s.mu.Lock()
			c.s.note(Frame{Conn: c.id, Dir: "note", Type: "gone", Note: err.Error()})
			c.s.mu.Unlock()
			return
		}
		if kind == websocket.TextMessage {
			c.s.received(c, raw)
		}
	}
}

// forget takes a dead socket off the list. What waited in its queue counts as
// written now: its deadline must pass somehow.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.envelopes {
		if e.conn == c.id && !e.written {
			s.wrote(e)
		}
	}
	s.cancel(c.leave)
	if c.silent && !c.ghost {
		c.ghost = true
		if c.leave = s.after(s.opt.CloseAfter, func() { s.strike(c) }); c.leave != nil {
			return
		}
	}
	s.strike(c)
}

func (s *Server) strike(c *conn) {
	s.conns = slices.DeleteFunc(s.conns, func(x *conn) bool { return x == c })
	s.changed(Change{Kind: "socket"})
}

// received takes a frame from the app: nothing but acks is known.
func (s *Server) received(c *conn, raw []byte) {
	var ack struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	err := json.Unmarshal(raw, &ack)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.silent {
		s.note(Frame{Conn: c.id, Dir: "in", Type: "ack", EnvelopeID: ack.EnvelopeID, Note: "lost"})
		return
	}
	f := Frame{Conn: c.id, Dir: "in", Type: "ack", EnvelopeID: ack.EnvelopeID}
	if json.Valid(raw) {
		f.Raw = slices.Clone(raw)
	}
	if err != nil || ack.EnvelopeID == "" {
		f.Type, f.Note = "unknown", fmt.Sprintf("%d bytes that are no ack", len(raw))
	} else {
		f.Note = s.acked(c, ack.EnvelopeID, ack.Payload)
	}
	s.note(f)
}
