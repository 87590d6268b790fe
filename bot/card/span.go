package card

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

// spanKind says what a span is, and so how it may be written.
type spanKind int

const (
	ours      spanKind = iota // words of the catalogue, numbers, names from config
	foreign                   // typed by a person or said by a cloud: taken literally
	user                      // a mention of a Slack user id
	usergroup                 // a mention of a Slack usergroup id
	channel                   // a mention of a Slack channel id
	date                      // a moment, in the reader's zone
	emoji                     // a Slack emoji name, without colons
)

// span is a piece of a line.
type span struct {
	kind spanKind
	text string // words, id or emoji name
	bold bool
	code bool
	at   time.Time
}

// line is one line of text.
type line []span

func say(s string) line { return line{{kind: ours, text: s}} }

func bold(s string) line { return line{{kind: ours, text: s, bold: true}} }

// theirs quotes a foreign text, made visible and cut.
func theirs(s string, limit int) line {
	if s = visible(s); s == "" {
		return nil
	}
	return line{{kind: foreign, text: cut(s, limit)}}
}

// named is a name from config. It counts as ours unless a character of it could
// be read as markup: then it is taken literally too.
func named(s string) line {
	l := theirs(s, shortForeign)
	if !strings.ContainsAny(s, "*_~`:&<>") {
		for i := range l {
			l[i].kind = ours
		}
	}
	return l
}

// literal quotes a foreign text as code: ids and lines to copy.
func literal(s string, limit int) line {
	l := theirs(s, limit)
	for i := range l {
		l[i].code = true
	}
	return l
}

// inBold is the line with every word in bold.
func (l line) inBold() line {
	out := make(line, len(l))
	for i, s := range l {
		s.bold = true
		out[i] = s
	}
	return out
}

// slackID is the form of the ids that may stand in a mention. Anything else in
// the place of an id is shown as text: a mention token is never built from
// characters that could close it.
var slackID = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,20}$`)

func mention(id string) line {
	if !slackID.MatchString(id) {
		return theirs(id, shortForeign)
	}
	return line{{kind: user, text: id}}
}

func mentionGroup(id string) line {
	if !slackID.MatchString(id) {
		return theirs(id, shortForeign)
	}
	return line{{kind: usergroup, text: id}}
}

func mentionChannel(id string) line {
	if !slackID.MatchString(id) {
		return theirs(id, shortForeign)
	}
	return line{{kind: channel, text: id}}
}

func when(t time.Time) line {
	if t.IsZero() {
		return nil
	}
	return line{{kind: date, at: t}}
}

// day is the day of a prepaid term. It is no date of Slack's: those are shown in the
// reader's zone, where it may be the day before, and titles can't hold them.
func day(t time.Time) line {
	if t.IsZero() {
		return nil
	}
	return say(flow.TermDay(t))
}

// reactionName is what reactions.get gives: a name, perhaps with a skin tone.
var reactionName = regexp.MustCompile(`^[\p{L}\p{N}_+'-]{1,100}(::skin-tone-[2-6])?$`)

func reaction(name string) line {
	if !reactionName.MatchString(name) {
		return theirs(name, shortForeign)
	}
	return line{{kind: emoji, text: name}}
}

// join puts lines together with a separator of ours between those that say
// something.
func join(sep string, ls ...line) line {
	var out line
	for _, l := range ls {
		if len(l) == 0 {
			continue
		}
		if len(out) > 0 && sep != "" {
			out = append(out, span{kind: ours, text: sep})
		}
		out = append(out, l...)
	}
	return out
}

// pure reports whether every word of the line is ours, so that it may be
// written as mrkdwn.
func (l line) pure() bool {
	for _, s := range l {
		if s.kind == foreign {
			return false
		}
	}
	return true
}

// mrkdwn writes a pure line. A foreign span would be escaped too, but its * _ ~
// and ` can't be: whoever calls this has asked pure first.
func (l line) mrkdwn() string {
	var b strings.Builder
	for _, s := range l {
		t := ""
		switch s.kind {
		case ours, foreign:
			t = escape(s.text)
		case user:
			t = "<@" + s.text + ">"
		case usergroup:
			t = "<!subteam^" + s.text + ">"
		case channel:
			t = "<#" + s.text + ">"
		case date:
			t = "<!date^" + strconv.FormatInt(s.at.Unix(), 10) + "^" + dateFormat + "|" + clock(s.at) + ">"
		case emoji:
			t = ":" + s.text + ":"
		}
		switch {
		case s.code:
			t = "`" + t + "`"
		case s.bold:
			t = "*" + t + "*"
		}
		b.WriteString(t)
	}
	return b.String()
}

// fallback writes the line as a message's text, which Slack reads as mrkdwn in
// notifications: words escaped, people as mentions, times in UTC, since date
// tokens are not known to work there. It is cut between tokens, never in one.
func (l line) fallback(limit int) string {
	var b strings.Builder
	left := limit
	for _, s := range l {
		t := escape(strings.ReplaceAll(line{s}.plain(), "\n", " "))
		if token := s.kind == user || s.kind == channel; token {
			t = line{s}.mrkdwn()
		}
		if size(t) > left {
			if s.kind != user && s.kind != channel && left > size(ellipsis) {
				b.WriteString(cutEscaped(line{s}.plain(), left))
			}
			break
		}
		b.WriteString(t)
		left -= size(t)
	}
	return b.String()
}

// plain writes the line for plain_text objects: people and groups as @id, times
// in UTC.
func (l line) plain() string {
	var b strings.Builder
	for _, s := range l {
		switch s.kind {
		case ours, foreign:
			b.WriteString(s.text)
		case user, usergroup:
			b.WriteString("@" + s.text)
		case channel:
			b.WriteString("#" + s.text)
		case date:
			b.WriteString(clock(s.at))
		case emoji:
			b.WriteString(":" + s.text + ":")
		}
	}
	return b.String()
}

// elements writes the line as rich_text, where every text is literal.
func (l line) elements() []slack.RichTextSectionElement {
	out := make([]slack.RichTextSectionElement, 0, len(l))
	for _, s := range l {
		switch s.kind {
		case ours, foreign:
			if s.text == "" {
				continue
			}
			var style *slack.RichTextSectionTextStyle
			if s.bold || s.code {
				style = &slack.RichTextSectionTextStyle{Bold: s.bold, Code: s.code}
			}
			out = append(out, slack.NewRichTextSectionTextElement(s.text, style))
		case user:
			out = append(out, slack.NewRichTextSectionUserElement(s.text, nil))
		case usergroup:
			out = append(out, slack.NewRichTextSectionUserGroupElement(s.text))
		case channel:
			out = append(out, slack.NewRichTextSectionChannelElement(s.text, nil))
		case date:
			fallback := clock(s.at)
			out = append(out, slack.NewRichTextSectionDateElement(s.at.Unix(), dateFormat, nil, &fallback))
		case emoji:
			name, tone := s.text, 0
			if base, suffix, ok := strings.Cut(name, "::skin-tone-"); ok {
				name = base
				tone, _ = strconv.Atoi(suffix) // reactionName has checked the digit
			}
			out = append(out, slack.NewRichTextSectionEmojiElement(name, tone, nil))
		}
	}
	return out
}

// size is the characters that the line takes in its longest form.
func (l line) size() int { return max(size(l.mrkdwn()), size(l.plain())) }

// dateFormat is Slack's: a short day that reads "today" where it is, and the
// time, both in the reader's zone and language.
const dateFormat = "{date_short_pretty} {time}"

// clock is a moment for those who can't be shown a date token.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
