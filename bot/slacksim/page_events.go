package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// streamPulse is the pace of comment lines that keep an idle stream alive, and
// let the server notice a browser that has gone.
const streamPulse = 15 * time.Second

// events streams changes: ids are boot and number, so that Last-Event-ID (or
// ?after= on the first connection) resumes without a gap. An event "reload"
// means that some are no longer known, or are of an earlier run: look at
// everything again. Web API calls are left out; they change nothing by themselves.
func (p *site) events(w http.ResponseWriter, r *http.Request) {
	s := p.s
	// Subscribed before the past is read: a change in between comes twice and is
	// dropped by its number; the other way round it would be lost.
	live, cancel := s.Subscribe()
	defer cancel()
	out := &stream{w: w, rc: http.NewResponseController(w), boot: s.boot()}
	// A server with a write timeout would cut the stream; not all can lift it.
	_ = out.rc.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)

	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	now := s.lastChange()
	past, complete := []Change(nil), false
	boot, number, _ := cutLast(last, "/")
	after, err := strconv.ParseUint(number, 10, 64)
	if err == nil && boot == out.boot && after <= now {
		past, complete = s.Changes(after)
	}
	if complete {
		out.seq = after
	} else {
		past, out.seq = nil, now
		out.send("reload", now, []byte("{}"))
	}
	for _, c := range past {
		out.change(c)
	}
	pulse := time.NewTicker(streamPulse)
	defer pulse.Stop()
	for out.flush() {
		select {
		case c, ok := <-live:
			if !ok {
				return // too far behind, or closed: the browser comes back by itself
			}
			out.change(c)
		case <-pulse.C:
			out.write(": still here\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// stream writes events until a write fails.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	boot string
	seq  uint64 // of the last change written or passed over
	err  error
}

func (o *stream) change(c Change) {
	if c.Seq <= o.seq {
		return
	}
	o.seq = c.Seq
	if c.Kind == "request" {
		return
	}
	body, err := json.Marshal(c)
	if err != nil {
		o.err = err
		return
	}
	o.send("change", c.Seq, body)
}

func (o *stream) send(event string, seq uint64, body []byte) {
	o.write(fmt.Sprintf("id: %s/%d\nevent: %s\ndata: %s\n\n", o.boot, seq, event, body))
}

func (o *stream) write(text string) {
	if o.err == nil {
		_, o.err = o.w.Write([]byte(text))
	}
}

// flush sends what was written; false once the browser is gone.
func (o *stream) flush() bool {
	if o.err == nil {
		o.err = o.rc.Flush()
	}
	return o.err == nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
