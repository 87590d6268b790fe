package card

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// The modal that asks for the reason of a denial.
const (
	CallbackDeny = "flow_deny" // its private_metadata is the edge's own
	BlockReason  = "reason"    // the one input, which errors are shown under
	FieldReason  = "text"

	maxDenyReason = 500 // characters that the input takes
	maxModalTitle = 24  // of a modal's title and buttons (Slack, Views)
)

// hashStart is how much of a plan's hash names it beside its number.
const hashStart = 8

// Ballot is the value of a vote's button: the flow, and the number of the plan that
// the card shows and the start of its hash, so that a vote counts on what the person
// saw. The number alone may be another plan's after Redis came back older.
func Ballot(id string, plan int, hash string) string {
	return id + "/" + strconv.Itoa(plan) + "/" + hash[:min(len(hash), hashStart)]
}

// ReadBallot reads the value of a vote's button. One that names no plan gives a
// plan that no flow has: it must not become a vote on whatever is current. A card of
// an earlier version names no hash.
func ReadBallot(value string) (id string, plan int, hash string) {
	id, rest, _ := strings.Cut(value, "/")
	number, hash, _ := strings.Cut(rest, "/")
	plan, err := strconv.Atoi(number)
	if err != nil || plan < 1 {
		return id, -1, ""
	}
	return id, plan, hash
}

// ballotButtons are the votes on an open ballot, the Stop of the grace time, and
// the denial of what was approved for later.
func ballotButtons(f flow.Flow, fill func(sentence) string) []button {
	value := ""
	if f.Plan() != nil {
		value = Ballot(f.ID, len(f.Plans), f.Plan().Hash)
	}
	deny := button{action: ActionDeny, value: value, label: fill(wDenyIt)} // its modal asks
	switch {
	case f.State == flow.AwaitingApproval && value != "":
		return []button{
			{ActionApprove, value, fill(wApproveIt), fill(wApproveTop), fill(wApproveTxt), fill(wApproveYes), fill(wGoBack), slack.StylePrimary},
			deny,
		}
	case f.State == flow.Scheduled && f.GraceUntil.IsZero() && value != "" && len(f.Requirements) > 0 && (f.Verdict == nil || f.Verdict.Glass == nil):
		return []button{deny}
	case f.State == flow.Scheduled && !f.GraceUntil.IsZero():
		return []button{{ActionHalt, f.ID, fill(wHalt), fill(wHaltTop), fill(wHaltText), fill(wHaltYes), fill(wGoBack), slack.StyleDanger}}
	}
	return nil
}

// DenyModal asks for the reason of a denial, in the person's own language.
// private comes back with the submission.
func (r *Renderer) DenyModal(id, private, lang string) slack.ModalViewRequest {
	lang = language(lang)
	label := func(s sentence, limit int) *slack.TextBlockObject {
		return plainText(s.fill(lang, args{"id": say(id)}).plain(), limit)
	}
	p := &page{lang: lang}
	p.lines(wDenyText.fill(lang, args{"what": literal(id, shortForeign)}))
	input := slack.NewPlainTextInputBlockElement(nil, FieldReason)
	input.Multiline, input.MaxLength = true, maxDenyReason
	field := slack.NewInputBlock(BlockReason, label(wDenyWhy, maxText), label(wDenyHint, maxText), input)
	field.Optional = true
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: CallbackDeny, PrivateMetadata: private,
		Title: label(wDenyTop, maxModalTitle), Submit: label(wDenyYes, maxModalTitle), Close: label(wGoBack, maxModalTitle),
		Blocks: slack.Blocks{BlockSet: append(p.blocks, field)},
	}
}

// RejectionText is a rejection as plain text, for where Slack takes no blocks:
// the error below an input.
func (r *Renderer) RejectionText(no *flow.Rejection, lang string) string {
	lang = language(lang)
	s, ok := rejections[no.Code]
	if !ok {
		s = rejections[flow.RejectStore]
	}
	a := arguments(lang, no.Args)
	a["text"] = theirs(no.Text.In(lang), longForeign)
	return cut(s.fill(lang, a).plain(), maxConfirm)
}

// escalated tells a thread that a second group is asked too, and mentions it so
// that its people are told.
func (r *Renderer) escalated(lang string, n flow.Note) line {
	a := arguments(lang, n.Args)
	a["who"] = r.members(lang, n.Args["to"])
	return notes[n.Code].fill(lang, a)
}

// escalation says who may sit in an open seat beside its own group, or from when
// on.
func (r *Renderer) escalation(lang string, f flow.Flow, s approvals.Seat) []line {
	if s.Escalate == nil {
		return nil
	}
	a := args{"group": named(s.Group), "to": named(s.Escalate.To)}
	if s.Escalated {
		a["who"] = r.members(lang, s.Escalate.To)
		return []line{wAlsoAsked.fill(lang, a)}
	}
	if len(f.Plans) == 0 {
		return nil
	}
	at, comes := s.EscalatesAt(f.Plans[len(f.Plans)-1].At)
	if !comes {
		return nil
	}
	a["at"] = when(at)
	return []line{wThen.fill(lang, a)}
}
