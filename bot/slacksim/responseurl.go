package slacksim

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// The limits of a response_url (Slack, Handling user interaction).
const (
	responseUses = 5
	responseLife = 30 * time.Minute
)

// responseURL is the right to answer one command or click, in the channel where
// it happened, the bot in it or not.
type responseURL struct {
	channel, user, thread string
	expires               time.Time
	uses                  int
	message               string     // ts of the message clicked on, or of the own visible answer
	ephemeral             *Ephemeral // the private message clicked on, or the own private answer
}

func (s *Server) newResponseURL(r *responseURL) string {
	now := s.now()
	maps.DeleteFunc(s.responseURLs, func(_ string, old *responseURL) bool { return now.After(old.expires) })
	r.expires = now.Add(responseLife)
	id := s.secret()
	s.responseURLs[id] = r
	return s.base + "/commands/" + s.team.ID + "/" + id
}

func (s *Server) serveResponseURL(w http.ResponseWriter, r *http.Request) {
	c := &call{method: ResponseURL}
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	_, _, err := c.read(r)
	if p := c.arg("payload"); p != "" && err == nil {
		err = c.readJSON([]byte(p))
	}
	s.exchange(w, r, c, func() (int, http.Header, any) {
		if err == nil {
			err = s.respond(c, id)
		}
		if err == nil {
			return http.StatusOK, nil, obj{"ok": true}
		}
		status := http.StatusBadRequest
		switch err.Error() {
		case "expired_url", "used_url", "channel_not_found":
			status = http.StatusNotFound
		case "ratelimited":
			return tooMany(1)
		}
		if s.habits.RefusalsWith200 {
			status = http.StatusOK
		}
		return status, nil, answerError(err)
	})
}

func (s *Server) respond(c *call, id string) error {
	r := s.responseURLs[id]
	switch {
	case r == nil, !s.now().Before(r.expires):
		return refuse("expired_url")
	case r.uses >= responseUses:
		return refuse("used_url")
	}
	if _, ok := s.rates.perSecond("response_url "+id, s.now()); !ok {
		return refuse("ratelimited")
	}
	ch := s.channels[r.channel]
	if ch.Archived {
		return refuse("is_archived")
	}
	if c.flag("delete_original") {
		r.uses++
		return s.deleteOriginal(c, ch, r)
	}
	t, err := s.content(c)
	switch {
	case err != nil:
		return err
	case t.empty():
		return refuse("no_text")
	}
	visible := false
	switch c.arg("response_type") {
	case "", "ephemeral":
	case "in_channel":
		visible = true
	default:
		return refuse("invalid_response_type")
	}
	r.uses++
	c.effect = true
	t = t.cut()
	if c.flag("replace_original") && s.replaceOriginal(ch, r, t) {
		return nil
	}
	if !visible {
		r.ephemeral = s.whisper(ResponseURL, ch.ID, r.user, r.thread, t)
		return nil
	}
	m := s.appMessage(t)
	if thread := c.arg("thread_ts"); thread != "" && s.thread(ch, thread) == nil {
		m.ThreadTS = thread
	}
	s.put(ch, m)
	r.message = m.TS
	return nil
}

func (s *Server) deleteOriginal(c *call, ch *channel, r *responseURL) error {
	switch m := s.find(ch.ID, r.message); {
	case r.ephemeral != nil:
		s.dropEphemeral(r.ephemeral)
		r.ephemeral = nil
	case m != nil && m.BotID != "":
		s.remove(ch, m)
	default:
		return refuse("message_not_found")
	}
	c.effect = true
	return nil
}

// replaceOriginal changes the message that the URL belongs to. An ephemeral one
// stays ephemeral whatever response_type says. False if there is none.
func (s *Server) replaceOriginal(ch *channel, r *responseURL, t content) bool {
	if e := r.ephemeral; e != nil {
		e.Text, e.Blocks, e.From = t.text, t.blocks, ResponseURL
		s.changed(Change{Kind: "ephemeral", Channel: ch.ID, TS: e.TS, User: e.User})
		return true
	}
	m := s.find(ch.ID, r.message)
	if m == nil || m.BotID == "" {
		return false
	}
	m.Text, m.Blocks, m.Attachments = t.text, t.blocks, t.attachments
	m.Updates++
	s.changed(Change{Kind: "message", Channel: ch.ID, TS: m.TS, User: m.User})
	return true
}
