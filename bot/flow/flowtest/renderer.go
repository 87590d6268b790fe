package flowtest

import (
	"encoding/json"
	"fmt"
	"strings"

	"scalebot/bot/flow"
)

// Renderer writes messages for tests: short, and with all that can change.
type Renderer struct{}

var _ flow.Renderer = Renderer{}

func head(f flow.Flow) map[string]any {
	return map[string]any{"flow": f.ID, "state": string(f.State), "version": f.Version}
}

// plain writes equal values alike, whichever reading of the record they are from:
// %v would print the addresses of pointers.
func plain(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Card implements flow.Renderer.
func (Renderer) Card(f flow.Flow, n int, rich bool) flow.Message {
	text := fmt.Sprintf("%s %s", f.ID, f.State)
	switch {
	case n == 0 && len(f.Plans) > 0:
		text = f.ID + " overtaken"
	case n > 0 && f.Plans[n-1].Void:
		text = fmt.Sprintf("%s replaced %s", f.ID, plain(f.Plans[n-1].VoidedBy))
	}
	if f.Wait != nil {
		text += " wait:" + string(f.Wait.Code)
	}
	if f.Verdict != nil {
		text += " " + plain(f.Verdict.Ballot)
	}
	if f.Progress != nil {
		text += fmt.Sprintf(" %d%%", f.Progress.Percent)
	}
	return flow.Message{Text: text, Blocks: []byte(fmt.Sprintf(`[{"rich":%v}]`, rich)), EventType: flow.EventFlow, Payload: head(f)}
}

// Log implements flow.Renderer.
func (Renderer) Log(f flow.Flow, notes []flow.Note) flow.Message {
	var codes []string
	for _, n := range notes {
		codes = append(codes, string(n.Code))
	}
	return flow.Message{Text: strings.Join(codes, " "), EventType: "scalebot_log", Payload: head(f)}
}

// Notice implements flow.Renderer.
func (Renderer) Notice(f flow.Flow, s flow.State) flow.Message {
	return flow.Message{Text: f.ID + " " + string(s), EventType: flow.EventNotice, Payload: map[string]any{"flow": f.ID, "state": string(s)}}
}

// Whisper implements flow.Renderer.
func (Renderer) Whisper(f flow.Flow, n flow.Note) flow.Message {
	return flow.Message{Text: f.ID + " " + string(n.Code) + " " + n.Text.EN}
}

// Renewal implements flow.Renderer.
func (Renderer) Renewal(r flow.Renewal) flow.Message {
	text := fmt.Sprintf("%s ends %s latest:%v over:%v", r.Commitment.ID, r.Commitment.Until.Format("2006-01-02"), r.Latest, r.Over)
	if d := r.Commitment.Decision; d != nil {
		text += fmt.Sprintf(" %s by %s", d.Choice, d.By)
	}
	return flow.Message{Text: text, EventType: "scalebot_renewal"}
}
