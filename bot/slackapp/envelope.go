package slackapp

import (
	"encoding/json"
	"time"
)

// The types of envelopes (Slack, Socket Mode).
const (
	typeEvents      = "events_api"
	typeCommand     = "slash_commands"
	typeInteractive = "interactive"
)

// envelope is what Slack delivers over a socket and wants acknowledged within
// three seconds.
type envelope struct {
	ID      string          `json:"envelope_id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	Attempt int             `json:"retry_attempt"`
	Accepts bool            `json:"accepts_response_payload"` // a payload with the ack

	socket  *socket
	life    int64 // of the socket when it arrived
	arrived time.Time
}

// on notes where and when an envelope arrived.
func (e envelope) on(s *socket) envelope {
	e.socket, e.life, e.arrived = s, s.count.Load(), s.app.clock.Now()
	return e
}

// ack acknowledges the envelope, with a payload where its type takes one.
func (e envelope) ack(payload any) {
	e.socket.answer(ack{id: e.ID, kind: e.kind(), payload: payload, arrived: e.arrived})
}

// kind is the type for metrics: out of a closed list, whatever Slack sends.
func (e envelope) kind() string {
	switch e.Type {
	case typeEvents, typeCommand, typeInteractive:
		return e.Type
	}
	return "unknown"
}

// delivery names what arrived, the same for every time it is delivered. Without
// the name that Slack should have given it, the envelope's own has to do: an empty
// one would make all such deliveries one.
func (e envelope) delivery(name string) string {
	if name == "" {
		return "envelope/" + e.ID
	}
	return name
}

// answerable reports whether an answer may go with the ack of a command. What Slack
// doesn't accept there is shown to nobody, and a response_url works in any case.
func (e envelope) answerable(responseURL string) bool { return e.Accepts || responseURL == "" }

// cut reports whether the connection that brought the envelope is gone. An ack
// then goes out on the next one, and nobody knows what Slack does with it
// (slack.md 1.3).
func (e envelope) cut() bool { return e.socket.count.Load() != e.life }

func decodeEnvelope(message json.RawMessage) (envelope, bool) {
	var e envelope
	err := json.Unmarshal(message, &e)
	return e, err == nil && e.ID != ""
}

// The payloads, reduced to the fields that are used. slack-go's own types refuse
// a whole payload for one field in another form (slack.md 2.7).

type commandPayload struct {
	Team        string `json:"team_id"`
	Channel     string `json:"channel_id"`
	User        string `json:"user_id"`
	Command     string `json:"command"`
	Text        string `json:"text"`
	ResponseURL string `json:"response_url"`
	Trigger     string `json:"trigger_id"`
}

type eventPayload struct {
	Type  string          `json:"type"`
	Team  string          `json:"team_id"`
	ID    string          `json:"event_id"`
	Event json.RawMessage `json:"event"`
}

// event is the union of the events served. Fields whose form depends on the
// type are decoded later.
type event struct {
	Type    string          `json:"type"`
	Subtype string          `json:"subtype"`
	User    json.RawMessage `json:"user"` // an id, or the user of user_change
	Channel json.RawMessage `json:"channel"`
	TS      string          `json:"ts"`
	Thread  string          `json:"thread_ts"`
	Deleted string          `json:"deleted_ts"`
	Message json.RawMessage `json:"message"` // of message_changed: what it is now
	Text    string          `json:"text"`
	BotID   string          `json:"bot_id"`
	Edited  json.RawMessage `json:"edited"`
	Tab     string          `json:"tab"`
	View    struct {
		Meta string `json:"private_metadata"`
	} `json:"view"` // of the home tab that was opened, if there was one
	Item struct {
		Type    string `json:"type"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	} `json:"item"`
	Group string `json:"subteam_id"`
	Old   string `json:"old_channel_id"`
	New   string `json:"new_channel_id"`
	Sub   struct {
		ID string `json:"id"`
	} `json:"subteam"`
}

// deleted is the message that was deleted, "" for other events. Of a parent with
// replies a tombstone stays, so its deletion comes as a change.
func (e event) deleted() string {
	switch e.Subtype {
	case "message_deleted":
		return e.Deleted
	case "message_changed":
		var now struct {
			Subtype string `json:"subtype"`
			TS      string `json:"ts"`
		}
		if json.Unmarshal(e.Message, &now) == nil && now.Subtype == subtypeTombstone {
			return now.TS
		}
	}
	return ""
}

// text reads a field that is a string in this event.
func text(field json.RawMessage) string {
	var s string
	if json.Unmarshal(field, &s) != nil {
		return ""
	}
	return s
}

// userOf reads the id of a field that is a user.
func userOf(field json.RawMessage) string {
	var u struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(field, &u) != nil {
		return ""
	}
	return u.ID
}

type interactionPayload struct {
	Type string `json:"type"`
	Team struct {
		ID string `json:"id"`
	} `json:"team"`
	User struct {
		ID   string `json:"id"`
		Team string `json:"team_id"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Container struct {
		Channel string `json:"channel_id"`
		Message string `json:"message_ts"`
		Thread  string `json:"thread_ts"`
	} `json:"container"`
	ResponseURL string `json:"response_url"`
	Trigger     string `json:"trigger_id"`
	View        struct {
		Callback string `json:"callback_id"`
		Private  string `json:"private_metadata"`
		State    struct {
			Values fields `json:"values"`
		} `json:"state"`
	} `json:"view"`
	Actions []pressedAction `json:"actions"`
}

// pressedAction is a button that was pressed.
type pressedAction struct {
	ID    string `json:"action_id"`
	Value string `json:"value"`
	TS    string `json:"action_ts"`
}

// fields are what was typed into a view, by block and action.
type fields map[string]map[string]field

type field struct {
	Value string `json:"value"` // null when left empty
}

// UnmarshalJSON takes no fields from what is no object: where there are none, some
// write an empty list.
func (f *fields) UnmarshalJSON(body []byte) error {
	if body[0] != '{' {
		return nil
	}
	return json.Unmarshal(body, (*map[string]map[string]field)(f))
}
