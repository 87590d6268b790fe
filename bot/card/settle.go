package card

import (
	"strings"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// The modal that asks for the operation of a change that a person saw happen.
const (
	CallbackHappened = "flow_happened" // its private_metadata is the edge's own
	BlockOperation   = "operation"     // the one input, which errors are shown under
	FieldOperation   = "id"

	maxOperation = 200 // characters that the input takes
)

// settling names who may decide about an unknown flow, so that they are told: until
// they do, its cluster stands.
func (r *Renderer) settling(lang string, limit int) line {
	who := r.someOf(lang, r.settlers(), limit)
	if len(who) == 0 { // a look pings nobody
		return nil
	}
	return wSettlers.fill(lang, args{"who": who})
}

// unsettled reminds a thread that somebody has to settle the flow, and names who may
// as long as nobody has.
func (r *Renderer) unsettled(lang string, f flow.Flow, n flow.Note) line {
	a := arguments(lang, n.Args)
	if f.State == flow.Unknown {
		a["who"] = r.settling(lang, maxTold)
	}
	return notes[n.Code].fill(lang, a)
}

func (r *Renderer) settlers() []string {
	if len(r.o.Settle) > 0 {
		return r.o.Settle
	}
	return sortedKeys(r.o.Groups)
}

// noEpisode is what no flow's episode is called.
const noEpisode = "-"

// Decision is the value of a button that settles an unknown flow: the flow, and
// which of its unknown outcomes the card shows, so that a decision stands for what
// the person saw. Who still looks at a lost first attempt must not close the flow
// while a second one may be at work.
func Decision(f flow.Flow) string { return f.ID + "/" + f.Episode() }

// ReadDecision reads the value of a button that settles. One that doesn't say what
// the person saw, from a card of an earlier version, gives an episode that no flow
// has: it must not become a decision about whatever is unknown now.
func ReadDecision(value string) (id, episode string) {
	id, episode, _ = strings.Cut(value, "/")
	if episode == "" {
		episode = noEpisode
	}
	return id, episode
}

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
