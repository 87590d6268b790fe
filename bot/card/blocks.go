package card

import (
	"bytes"
	"encoding/json"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// page collects the blocks of one message and keeps to Slack's limits: what
// does not fit any more is left out and said to be, except for buttons, for
// which room is kept.
type page struct {
	lang   string
	blocks []slack.Block
	used   int // characters so far
	short  bool
}

// kept is what stays free for the buttons and the line that says that
// something was left out.
const (
	keptBlocks = 2
	keptText   = 1900
)

func (p *page) add(b slack.Block, weight int) {
	if len(p.blocks) >= maxBlocks-keptBlocks || p.used+weight > maxTotal-keptText {
		p.short = true
		return
	}
	p.blocks = append(p.blocks, b)
	p.used += weight
}

func plainText(s string, limit int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, cut(s, limit), false, false)
}

func mrkdwnText(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
}

// header is a title; it may hold foreign text.
func (p *page) header(l line) {
	t := cut(l.plain(), maxHeader)
	if t == "" {
		return
	}
	p.add(slack.NewHeaderBlock(plainText(t, maxHeader)), size(t))
}

func (p *page) divider() { p.add(slack.NewDividerBlock(), 0) }

// lines are paragraphs below each other.
func (p *page) lines(ls ...line) { p.text("", nil, ls) }

// list is a title with points below it; no points, no title.
func (p *page) list(title line, points []line) {
	if len(points) > 0 {
		p.text("• ", title, points)
	}
}

// text writes title and lines as sections of mrkdwn as long as all words are
// ours, and as one rich_text otherwise.
func (p *page) text(mark string, title line, ls []line) {
	pure := title.pure()
	said := ls[:0:0]
	for _, l := range ls {
		if len(l) > 0 {
			said = append(said, l)
			pure = pure && l.pure()
		}
	}
	if len(said) == 0 && len(title) == 0 {
		return
	}
	if pure {
		p.section(mark, title, said)
		return
	}
	p.richText(mark, title, said)
}

func (p *page) section(mark string, title line, ls []line) {
	var buf string
	flush := func() {
		if buf != "" {
			p.add(slack.NewSectionBlock(mrkdwnText(buf), nil, nil), size(buf))
		}
		buf = ""
	}
	put := func(s string) {
		switch {
		case size(s) > maxText:
			// Only a bug can make a line of ours this long; it is left out rather than
			// cut, since a cut could split a token.
			p.short = true
			return
		case buf == "":
		case size(buf)+1+size(s) > maxText:
			flush()
		default:
			buf += "\n"
		}
		buf += s
	}
	if len(title) > 0 {
		put(title.mrkdwn())
	}
	for _, l := range ls {
		put(mark + l.mrkdwn())
	}
	flush()
}

// richText writes lines as one section, with line breaks as text as Slack's own
// composer does it, and points as a list. What is longer than a text object may
// be goes on in a further block.
func (p *page) richText(mark string, title line, ls []line) {
	var prose line
	var points []slack.RichTextElement
	weight := 0
	flush := func() {
		var els []slack.RichTextElement
		if len(prose) > 0 {
			els = append(els, slack.NewRichTextSection(prose.elements()...))
		}
		if len(points) > 0 {
			els = append(els, slack.NewRichTextList(slack.RTEListBullet, 0, points...))
		}
		if len(els) > 0 {
			p.add(slack.NewRichTextBlock("", els...), weight)
		}
		prose, points, weight = nil, nil, 0
	}
	put := func(l line, point bool) {
		w := l.size() + 1
		if w > maxText {
			p.short = true
			return
		}
		if weight+w > maxText {
			flush()
		}
		weight += w
		if point {
			points = append(points, slack.NewRichTextSection(l.elements()...))
			return
		}
		prose = join("\n", prose, l)
	}
	put(title, false)
	for _, l := range ls {
		put(l, mark != "")
	}
	flush()
}

// quote shows a foreign text set apart.
func (p *page) quote(l line) {
	if len(l) == 0 {
		return
	}
	q := &slack.RichTextQuote{Type: slack.RTEQuote, Elements: l.elements()}
	p.add(slack.NewRichTextBlock("", q), l.size())
}

// copyable shows a line to copy, literally.
func (p *page) copyable(s string) {
	l := theirs(s, maxText)
	if len(l) == 0 {
		return
	}
	pre := &slack.RichTextPreformatted{Type: slack.RTEPreformatted, Elements: l.elements()}
	p.add(slack.NewRichTextBlock("", pre), l.size())
}

// field is a name and its value.
type field struct{ name, value line }

// fields are shown two to a row. One whose value has foreign words can't stand
// there with its name in bold, since a field is mrkdwn as a whole or not at all: it
// is a paragraph of its own.
func (p *page) fields(fs ...field) {
	var objs []*slack.TextBlockObject
	weight := 0
	flush := func() {
		if len(objs) > 0 {
			p.add(slack.NewSectionBlock(nil, objs, nil), weight)
		}
		objs, weight = nil, 0
	}
	for _, f := range fs {
		if len(f.value) == 0 {
			continue
		}
		md := "*" + f.name.mrkdwn() + "*\n" + f.value.mrkdwn()
		if !f.name.pure() || !f.value.pure() || size(md) > maxField {
			flush()
			p.richText("", f.name.inBold(), []line{f.value})
			continue
		}
		objs = append(objs, mrkdwnText(md))
		weight += size(md)
		if len(objs) == maxFields {
			flush()
		}
	}
	flush()
}

// context is small print, one element per line.
func (p *page) context(ls ...line) {
	var els []slack.MixedElement
	weight := 0
	for _, l := range ls {
		if len(l) == 0 || len(els) == maxContext {
			continue
		}
		obj := plainText(l.plain(), maxText)
		if md := l.mrkdwn(); l.pure() && size(md) <= maxText {
			obj = mrkdwnText(md)
		}
		els = append(els, obj)
		weight += size(obj.Text)
	}
	if len(els) > 0 {
		p.add(slack.NewContextBlock("", els...), weight)
	}
}

// button is one click with the question asked before it counts; without a title
// it counts at once.
type button struct {
	action, value string
	label         string
	title, text   string
	confirm, deny string
	style         slack.Style
}

func (p *page) buttons(bs ...button) {
	if len(bs) == 0 {
		return
	}
	els := make([]slack.BlockElement, 0, len(bs))
	for _, b := range bs {
		el := slack.NewButtonBlockElement(b.action, b.value, plainText(b.label, maxButton))
		el.Style = b.style
		if b.title != "" {
			el.Confirm = slack.NewConfirmationBlockObject(
				plainText(b.title, maxConfirmTop), plainText(b.text, maxConfirm),
				plainText(b.confirm, maxConfirmKey), plainText(b.deny, maxConfirmKey))
			el.Confirm.Style = b.style
		}
		els = append(els, el)
	}
	// Past add: room was kept for this.
	p.blocks = append(p.blocks, slack.NewActionBlock("", els...))
}

// message ends the page; text becomes the fallback.
func (p *page) message(text line) flow.Message {
	if p.short {
		note := say(word(p.lang, wShortened)).mrkdwn()
		at := len(p.blocks)
		if at > 0 && p.blocks[at-1].BlockType() == slack.MBTAction {
			at--
		}
		p.blocks = append(p.blocks[:at:at], append([]slack.Block{slack.NewContextBlock("", mrkdwnText(note))}, p.blocks[at:]...)...)
	}
	return flow.Message{Text: text.fallback(maxFallback), Blocks: encode(p.blocks)}
}

func encode(blocks []slack.Block) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // < and > are the reader's; fewer bytes, and goldens can be read
	if blocks == nil {
		blocks = []slack.Block{}
	}
	if err := enc.Encode(blocks); err != nil {
		panic("card: blocks are plain data: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}
