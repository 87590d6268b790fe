package slacksim

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxAct is far above the longest message that Slack takes.
const maxAct = 256 << 10

// pageAct is one act of a person. Kind says which, and which fields count:
//
//	say           channel, text; thread for a reply
//	mention       the same, with the app mentioned first
//	slash         channel, text with the command in front
//	react         channel, ts, emoji without colons
//	unreact       the same
//	click         channel, ts, action ("block_id/action_id")
//	select        the same and values
//	open_dm       nothing; the answer's channel is the direct message
//	open_home     nothing
//	click_home    action
type pageAct struct {
	Kind    string   `json:"kind"`
	User    string   `json:"user"`
	Channel string   `json:"channel"`
	Thread  string   `json:"thread"`
	TS      string   `json:"ts"`
	Text    string   `json:"text"`
	Emoji   string   `json:"emoji"`
	Action  string   `json:"action"`
	Values  []string `json:"values"`
}

// pageAnswer tells what became of it. What Slack or the app refused is no fault
// of the page: it comes with status 200 and ok false.
type pageAnswer struct {
	OK        bool       `json:"ok"`
	Error     string     `json:"error,omitempty"` // Slack's code, e.g. operation_timeout
	Channel   string     `json:"channel,omitempty"`
	TS        string     `json:"ts,omitempty"` // of the message written
	AckMS     *int64     `json:"ack_ms,omitempty"`
	Ephemeral *Ephemeral `json:"ephemeral,omitempty"`
	Message   *Message   `json:"message,omitempty"`
}

func (p *site) act(w http.ResponseWriter, r *http.Request) {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		pageFail(w, http.StatusUnsupportedMediaType, "send application/json")
		return
	}
	var in pageAct
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAct))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		pageFail(w, http.StatusBadRequest, err.Error())
		return
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		pageFail(w, http.StatusBadRequest, "one JSON object and nothing after it")
		return
	}
	out, known := p.do(in)
	if !known {
		pageFail(w, http.StatusBadRequest, "unknown kind of act")
		return
	}
	pageJSON(w, http.StatusOK, out)
}

func (p *site) do(in pageAct) (out pageAnswer, known bool) {
	s := p.s
	switch in.Kind {
	case "say", "mention":
		say := s.Say
		if in.Kind == "mention" {
			say = s.Mention
		}
		m, err := say(in.User, in.Channel, in.Thread, in.Text)
		out = plainAnswer(err)
		out.Channel, out.TS = m.Channel, m.TS
	case "slash":
		command, text, _ := strings.Cut(strings.TrimSpace(in.Text), " ")
		out = delivered(s.Slash(in.User, in.Channel, command, strings.TrimSpace(text)))
	case "react":
		out = plainAnswer(s.React(in.User, in.Channel, in.TS, in.Emoji))
	case "unreact":
		out = plainAnswer(s.Unreact(in.User, in.Channel, in.TS, in.Emoji))
	case "click":
		out = delivered(s.Click(in.User, in.Channel, in.TS, in.Action))
	case "select":
		out = delivered(s.Select(in.User, in.Channel, in.TS, in.Action, in.Values...))
	case "open_dm":
		if out.Channel = s.DM(in.User); out.Channel == "" {
			out.Error = "cannot_dm_bot"
		}
		out.OK = out.Channel != ""
	case "open_home":
		out = plainAnswer(s.OpenHome(in.User))
	case "click_home":
		out = delivered(s.ClickHome(in.User, in.Action))
	default:
		return out, false
	}
	return out, true
}

func plainAnswer(err error) pageAnswer {
	if err != nil {
		return pageAnswer{Error: err.Error()}
	}
	return pageAnswer{OK: true}
}

func delivered(d *Delivery) pageAnswer {
	out := plainAnswer(d.Err)
	out.Ephemeral, out.Message = d.Ephemeral, d.Message
	if d.Err == nil {
		ms := d.AckAfter.Milliseconds()
		out.AckMS = &ms
	}
	return out
}
