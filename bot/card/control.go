package card

import (
	"strings"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// maxTold is how many people or groups one message names so that they are told.
// The number is far above the size of a group that could approve anything.
const maxTold = 100

// everyone mentions the people of approver groups, each once.
func (r *Renderer) everyone(lang string, groups []string) line {
	return r.someOf(lang, groups, maxTold)
}

// someOf is everyone with a limit of its own.
func (r *Renderer) someOf(lang string, groups []string, limit int) line {
	var ls []line
	seen := map[string]bool{}
	add := func(id string, how func(string) line) {
		if !seen[id] {
			seen[id] = true
			ls = append(ls, how(id))
		}
	}
	for _, name := range groups {
		g := r.o.Groups[name]
		for _, id := range g.Usergroups {
			add(id, mentionGroup)
		}
		for _, id := range g.Users {
			add(id, mention)
		}
	}
	return capped(lang, ls, word(lang, wComma), limit)
}

// unusual marks a card on which something was passed or skipped.
func (r *Renderer) unusual(p *page, f flow.Flow) {
	lang := p.lang
	if v := verdict(f); v != nil && v.Glass != nil {
		p.lines(glassLine(lang, *v.Glass).inBold())
	}
	p.lines(mandateLines(lang, f)...)
	if len(f.Plans) == 0 || f.Plan() == nil {
		return
	}
	for _, x := range f.Plans[len(f.Plans)-1].Judgement.Passed {
		p.lines(passLine(lang, x))
	}
}

func passLine(lang string, x approvals.Pass) line {
	a := args{"name": theirs(x.Freeze, shortForeign), "until": when(x.Until), "group": named(x.Group), "reason": theirs(x.Reason, longForeign)}
	if x.Order == nil {
		return wPassCard.fill(lang, a)
	}
	a["whose"] = mention(x.Order.By)
	return wPassOrder.fill(lang, a)
}

func glassLine(lang string, g approvals.Glass) line {
	return wGlassCard.fill(lang, args{"by": mention(g.By), "group": named(g.Group), "reason": theirs(g.Reason, longForeign)})
}

// glassLines tell in a notice who was skipped; they are mentioned.
func (r *Renderer) glassLines(lang string, f flow.Flow) []line {
	v := verdict(f)
	if v == nil || v.Glass == nil {
		return nil
	}
	groups := make([]string, len(v.Glass.Skipped))
	for i, q := range v.Glass.Skipped {
		groups[i] = q.Group
	}
	return []line{
		glassLine(lang, *v.Glass).inBold(),
		wGlassSkip.fill(lang, args{"seats": seatsLine(lang, v.Glass.Skipped), "who": r.everyone(lang, groups)}),
	}
}

// glassNote is the same for the thread, where it stands once.
func (r *Renderer) glassNote(lang string, n flow.Note) line {
	a := arguments(lang, n.Args)
	a["by"] = mention(n.By)
	a["skipped"] = r.everyone(lang, strings.Split(n.Args["skipped"], ","))
	return notes[flow.NoteGlass].fill(lang, a)
}

func orderArgs(cluster string, o approvals.Order) args {
	return args{"by": mention(o.By), "cluster": named(cluster), "until": when(o.Until), "reason": theirs(o.Reason, longForeign)}
}

// Froze tells a channel that somebody froze a cluster, in the language of
// channels.
func (r *Renderer) Froze(cluster string, o approvals.Order) flow.Message {
	return r.sentence(wFroze.fill(r.o.Language, orderArgs(cluster, o)), r.o.Language)
}

// Unfroze tells a channel that somebody ended the freeze o.
func (r *Renderer) Unfroze(cluster string, o approvals.Order, by string) flow.Message {
	a := args{"by": mention(by), "cluster": named(cluster), "whose": mention(o.By)}
	return r.sentence(wUnfroze.fill(r.o.Language, a), r.o.Language)
}

func (r *Renderer) sentence(l line, lang string) flow.Message {
	p := &page{lang: lang}
	p.lines(l)
	return p.message(l)
}

// frozenLines say what is frozen on a cluster.
func frozenLines(lang, cluster string, z flow.Frozen) []line {
	return append(orderLines(lang, cluster, z), calendarLines(lang, z)...)
}

func orderLines(lang, cluster string, z flow.Frozen) []line {
	o, on := z.Orders[cluster]
	if !on {
		return nil
	}
	return []line{wFrozenBy.fill(lang, orderArgs(cluster, o))}
}

func calendarLines(lang string, z flow.Frozen) []line {
	var ls []line
	for _, f := range z.Calendar {
		ls = append(ls, wFrozenOn.fill(lang, args{"name": theirs(f.Name, shortForeign), "until": when(f.To)}))
	}
	return ls
}

// History lists ended flows, as the caller has ordered them.
func (r *Renderer) History(fs []flow.Flow, lang string) flow.Message {
	lang = language(lang)
	if len(fs) == 0 {
		return r.sentence(say(word(lang, wHistoryNone)), lang)
	}
	p := &page{lang: lang}
	lines := make([]line, 0, len(fs))
	for _, f := range fs {
		a := args{
			"at": when(f.EndedAt), "id": say(f.ID), "head": named(head(f)), "state": say(stateName(lang, f.State)),
			"by": mention(f.Request.User), "cost": paid(lang, f),
		}
		if f.Submission != nil {
			a["took"] = say(took(lang, f))
		}
		lines = append(lines, wHistoryLine.fill(lang, a))
	}
	p.list(bold(word(lang, wHistory)), lines)
	text := make([]line, 0, len(fs))
	for _, f := range fs {
		text = append(text, say(f.ID+" "+title(lang, f)))
	}
	return p.message(join(word(lang, wColon), say(word(lang, wHistory)), capped(lang, text, "; ", maxNames)))
}

// Policy tells the rules and freezes of config, and what is frozen now.
func (r *Renderer) Policy(c approvals.Config, z flow.Frozen, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	p.header(say(word(lang, wPolicy)))
	var rules []line
	for _, q := range c.Rules {
		rules = append(rules, wRuleLine.fill(lang, args{"name": named(q.Name), "seats": seatsLine(lang, required(q.Require)), "when": literal(q.When, 300)}))
	}
	sum := say(word(lang, wPolicy))
	switch {
	case !c.RulesGiven:
		sum = say(word(lang, wPolicyNone))
		p.lines(sum)
	case len(rules) == 0:
		sum = say(word(lang, wPolicyFree))
		p.lines(sum)
	}
	p.list(nil, short(lang, rules, 30))
	var freezes []line
	for _, f := range c.Freezes {
		freezes = append(freezes, wFreezeLine.fill(lang, args{
			"name": named(f.Name), "from": when(f.From), "to": when(f.To), "when": literal(f.When, 300), "groups": names(lang, f.Pass)}))
	}
	for _, cluster := range sortedKeys(z.Orders) {
		freezes = append(freezes, join(word(lang, wColon), named(cluster), wFrozenBy.fill(lang, orderArgs(cluster, z.Orders[cluster]))))
	}
	p.list(bold(word(lang, wFreezes)), short(lang, freezes, maxPoints))
	if len(c.FreezePass) > 0 {
		p.context(wMayPass.fill(lang, args{"groups": names(lang, c.FreezePass)}))
	}
	if len(c.BreakGlass) > 0 {
		p.context(wMayGlass.fill(lang, args{"groups": names(lang, c.BreakGlass)}))
	}
	return p.message(join(word(lang, wColon), sum, capped(lang, rules, "; ", maxNames)))
}

// explained tells every rule with the values that it read, and the freezes.
func (r *Renderer) explained(p *page, x approvals.Explanation) {
	p.list(bold(word(p.lang, wPolicy)), short(p.lang, ruleLines(p.lang, x), 30))
	p.list(bold(word(p.lang, wFreezes)), short(p.lang, freezeLines(p.lang, x), maxPoints))
}

// Explained is the same as plain text for the command line: one line per rule, then
// one per freeze, each in the order of the explanation.
func (r *Renderer) Explained(x approvals.Explanation, lang string) []string {
	lang = language(lang)
	var out []string
	for _, l := range append(ruleLines(lang, x), freezeLines(lang, x)...) {
		out = append(out, l.plain())
	}
	return out
}

func ruleLines(lang string, x approvals.Explanation) []line {
	ls := make([]line, 0, len(x.Rules))
	for _, y := range x.Rules {
		a := args{"name": named(y.Rule), "values": valueLine(lang, y.Values), "seats": seatsLine(lang, required(y.Require)), "error": theirs(y.Error, 300)}
		s := wRuleMiss
		switch {
		case y.Error != "":
			s = wRuleBroke
		case y.Matched:
			s = wRuleMatch
		}
		ls = append(ls, s.fill(lang, a))
	}
	return ls
}

func freezeLines(lang string, x approvals.Explanation) []line {
	ls := make([]line, 0, len(x.Freezes))
	for _, y := range x.Freezes {
		a := args{
			"name": named(y.Name), "from": when(y.From), "to": when(y.To), "group": named(y.Passed),
			"error": theirs(y.Error, 300), "values": valueLine(lang, y.Values), "groups": names(lang, y.Pass),
		}
		s := wFreezeBroke // closed by default, also in words
		switch y.State {
		case approvals.FreezeOff:
			s = wFreezeOff
		case approvals.FreezeElsewhere:
			s = wFreezeElse
		case approvals.FreezeHolds:
			s = wFreezeHolds
		case approvals.FreezePassed:
			s = wFreezePass
		case approvals.FreezeBroken:
		}
		ls = append(ls, s.fill(lang, a))
	}
	return ls
}

func valueLine(lang string, vs []approvals.Value) line {
	ls := make([]line, 0, len(vs))
	for _, v := range vs {
		ls = append(ls, wValue.fill(lang, args{"field": named(v.Field), "value": literal(v.Text, 120)}))
	}
	return capped(lang, ls, word(lang, wComma), maxNames)
}
