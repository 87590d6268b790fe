package card

import (
	"strings"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// The languages of the product.
const (
	English = "en"
	Chinese = "zh"
)

// language reads a language or locale name ("zh", "zh-CN", "en-GB"); what it
// doesn't know is English.
func language(name string) string {
	if strings.HasPrefix(strings.ToLower(name), Chinese) {
		return Chinese
	}
	return English
}

// sentence is one entry of the catalogue. The forms name the same arguments; a
// test holds them to it. A form may hold
//
//	{name}          an argument, in the form that its kind asks for
//	{n|node|nodes}  the first word when argument n is 1, the second otherwise
//	[…]             left out when an argument inside it is empty
type sentence struct{ en, zh string }

func (s sentence) in(lang string) string {
	if lang == Chinese {
		return s.zh
	}
	return s.en
}

// args are the arguments of a sentence, ready to be shown.
type args map[string]line

// fill makes a line of a sentence. An argument that is missing outside of
// brackets shows as a question mark: never a hole that reads like a fact.
func (s sentence) fill(lang string, a args) line {
	rest := s.in(lang)
	var out line
	for rest != "" {
		before, inner, after, ok := bracket(rest)
		out = append(out, slots(before, a, true)...)
		if !ok {
			break
		}
		if part := slots(inner, a, false); part != nil {
			out = append(out, part...)
		}
		rest = after
	}
	return out
}

func bracket(s string) (before, inner, after string, ok bool) {
	before, rest, ok := strings.Cut(s, "[")
	if !ok {
		return s, "", "", false
	}
	inner, after, ok = strings.Cut(rest, "]")
	return before, inner, after, ok
}

// slots fills the arguments of one part. Nil means that an argument was empty
// and the part may be left out.
func slots(s string, a args, must bool) line {
	var out line
	for s != "" {
		before, rest, ok := strings.Cut(s, "{")
		if before != "" {
			out = append(out, say(before)...)
		}
		if !ok {
			break
		}
		var slot string
		slot, s, _ = strings.Cut(rest, "}")
		name, forms, plural := strings.Cut(slot, "|")
		value := a[name]
		switch {
		case len(value) == 0 && !must:
			return nil
		case plural:
			one, many, _ := strings.Cut(forms, "|")
			if value.plain() != "1" {
				one = many
			}
			out = append(out, say(one)...)
		case len(value) == 0:
			out = append(out, say("?")...)
		default:
			out = append(out, value...)
		}
	}
	return out
}

// word is an entry without arguments.
func word(lang string, s sentence) string { return s.in(lang) }

// arguments turns the args of a record into what a sentence shows. Their kind
// follows from their name; the names are those of the codes in bot/flow.
func arguments(lang string, raw map[string]string) args {
	a := make(args, len(raw)+2)
	for name, value := range raw {
		a[name] = argument(lang, name, value)
	}
	return a
}

func argument(lang, name, value string) line {
	if value == "" {
		return nil
	}
	switch name {
	case "by", "who", "whose":
		return mentions(lang, strings.Split(value, ","))
	case "at", "until":
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return theirs(value, shortForeign)
		}
		return when(t)
	case "reason":
		return theirs(value, longForeign)
	case "channel":
		return mentionChannel(value)
	case "nodes":
		return nodeList(lang, strings.Split(value, ","))
	case "state":
		if s, ok := states[flow.State(value)]; ok {
			return say(s.in(lang))
		}
		return stageWord(lang, providers.StageState(value))
	case "how":
		if s, ok := resolutions[value]; ok {
			return say(s.in(lang))
		}
	case "vote":
		if s, ok := reasons[approvals.Reason(value)]; ok {
			return say(s.in(lang))
		}
	case "choice":
		return renewalChoice(lang, flow.RenewalChoice(value))
	case "control":
		if s, ok := controls[value]; ok {
			return say(s.in(lang))
		}
	case "attempt":
		if value == "1" {
			return nil // only a further attempt is news
		}
	case "id", "behind", "operation", "option", "word", "meant":
		return literal(value, shortForeign)
	}
	if isNumber(value) {
		return say(value)
	}
	return theirs(value, shortForeign)
}

// isNumber reports whether a value is a plain count, which can't be markup.
func isNumber(s string) bool {
	return s != "" && len(s) < 10 && strings.Trim(s, "0123456789") == ""
}

// stateName names a state of a flow.
func stateName(lang string, state flow.State) string {
	if s, ok := states[state]; ok {
		return s.in(lang)
	}
	return cut(visible(string(state)), shortForeign)
}

// note is the sentence of a note, with its arguments.
func note(lang string, n flow.Note, v *approvals.Verdict) line {
	s, ok := notes[n.Code]
	if !ok {
		// A record of a newer version: its code is better than silence.
		return join(" ", theirs(string(n.Code), shortForeign), theirs(n.Text.In(lang), longForeign))
	}
	if n.Code == flow.NoteBudgetMoved {
		return budgetNote(lang, n, nil)
	}
	if n.Code == flow.NoteMandate {
		return mandateNote(lang, n)
	}
	a := arguments(lang, n.Args)
	if n.By != "" {
		a["by"] = mention(n.By)
	}
	if n.Code == flow.NoteApproved && v != nil {
		a["by"] = mentions(lang, v.Ballot.Seated())
	}
	a["text"] = theirs(n.Text.In(lang), longForeign)
	return s.fill(lang, a)
}
