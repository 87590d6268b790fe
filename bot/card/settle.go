package card

import (
	"github.com/slack-go/slack"
)

// The modal that asks for the operation of a change that a person saw happen.
const (
	CallbackHappened = "flow_happened" // its private_metadata is the edge's own
	BlockOperation   = "operation"     // the one input, which errors are shown under
	FieldOperation   = "id"

	maxOperation = 200 // characters that the input takes
)

// HappenedModal asks for the operation's id, in the person's own language. known is
// the one on record, to start from; optional where the cloud has none. private comes
// back with the submission.
func (r *Renderer) HappenedModal(id, known string, optional bool, private, lang string) slack.ModalViewRequest {
	lang = language(lang)
	label := func(s sentence, limit int) *slack.TextBlockObject {
		return plainText(s.fill(lang, args{"id": say(id)}).plain(), limit)
	}
	p := &page{lang: lang}
	p.lines(wHappenText.fill(lang, args{"what": literal(id, shortForeign)}))
	input := slack.NewPlainTextInputBlockElement(nil, FieldOperation)
	input.MaxLength, input.InitialValue = maxOperation, cut(known, maxOperation)
	hint := wHappenHint
	if optional {
		hint = wHappenNone
	}
	field := slack.NewInputBlock(BlockOperation, label(wHappenID, maxText), label(hint, maxText), input)
	field.Optional = optional
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: CallbackHappened, PrivateMetadata: private,
		Title: label(wHappenTop, maxModalTitle), Submit: label(wConfirm, maxModalTitle), Close: label(wGoBack, maxModalTitle),
		Blocks: slack.Blocks{BlockSet: append(p.blocks, field)},
	}
}
