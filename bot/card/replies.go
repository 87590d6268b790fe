package card

import (
	"strings"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// Accepted is the answer to a request that was taken: its id and what comes
// next.
func (r *Renderer) Accepted(f flow.Flow, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	l := wAccepted.fill(lang, args{"id": say(f.ID), "what": theirs(head(f), maxHeader)})
	p.lines(l, say(word(lang, wNextCard)))
	return p.message(join(word(lang, wGap), l, say(word(lang, wNextCard))))
}

// Again is the answer to a delivery that was taken before.
func (r *Renderer) Again(f flow.Flow, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	l := wAgain.fill(lang, args{"id": say(f.ID), "state": say(stateName(lang, f.State))})
	p.lines(l)
	return p.message(l)
}

// Rejection is a no of the Desk, with the corrected line ready to copy.
func (r *Renderer) Rejection(no *flow.Rejection, lang string) flow.Message {
	lang = language(lang)
	s, ok := rejections[no.Code]
	if !ok {
		s = rejections[flow.RejectStore]
	}
	a := arguments(lang, no.Args)
	a["text"] = theirs(no.Text.In(lang), longForeign)
	p := &page{lang: lang}
	why := s.fill(lang, a)
	p.lines(why)
	return p.message(join(word(lang, wGap), why, r.propose(p, no.Fixed)))
}

// Misread is a line that can't be read. Its lines are as a person types them,
// without the slash word.
type Misread struct {
	Why   string   // one sentence in the reader's language
	Lines []string // the corrected line, and others that are as likely
	Usage string   // how it is written; shown where there is no corrected line
}

// Usage is the answer to a line that can't be read.
func (r *Renderer) Usage(m Misread, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	why := spoken(m.Why, longForeign)
	p.lines(why)
	more := r.propose(p, m.Lines...)
	if more == nil && m.Usage != "" {
		p.lines(say(word(lang, wWritten)))
		p.copyable(r.o.Command + " " + m.Usage)
		more = join(" ", say(word(lang, wWritten)), theirs(r.o.Command+" "+m.Usage, longForeign))
	}
	return p.message(join(word(lang, wGap), why, more))
}

// spoken is a sentence in which what was typed stands between backticks, as the
// language writes them: it is shown as code. A typed backtick may shift what is
// code, never what is read as markup. visible would take the spaces off the pieces,
// so it goes over the whole first.
func spoken(s string, limit int) line {
	s = cut(visible(s), limit)
	pieces := strings.Split(s, "`")
	if len(pieces)%2 == 0 {
		return theirs(s, limit) // one is left over: literally, then
	}
	var l line
	for i, piece := range pieces {
		if piece != "" {
			l = append(l, span{kind: foreign, text: piece, code: i%2 == 1})
		}
	}
	return l
}

// propose shows corrected lines to copy, and gives the same for the message's
// text, which is all that a notification and a screen reader have; nil without
// any line.
func (r *Renderer) propose(p *page, lines ...string) line {
	title := say(word(p.lang, wTryThis))
	if len(lines) > 1 {
		title = say(word(p.lang, wTryOne))
	}
	var text line
	for _, l := range lines {
		if l == "" {
			continue
		}
		if text == nil {
			p.lines(title)
		}
		p.copyable(r.o.Command + " " + l)
		text = join(word(p.lang, wOr), text, theirs(r.o.Command+" "+l, longForeign))
	}
	if text == nil {
		return nil
	}
	return join(" ", title, text)
}

// fixedLine is the corrected line of a flow that was refused; "" = none.
func fixedLine(f flow.Flow) string {
	if f.End == nil {
		return ""
	}
	return f.End.Args["fixed"]
}

// CloudError is the answer when a cloud could not be asked; text is the
// provider's advice.
func (r *Renderer) CloudError(text, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	l := wCloudErr.fill(lang, args{"text": theirs(text, longForeign)})
	p.lines(l)
	return p.message(l)
}

// Preview is the answer to a dry run: plan, price, and what each rule says; or
// why there would be no plan.
func (r *Renderer) Preview(v flow.Preview, lang string) flow.Message {
	lang = language(lang)
	if v.Refused != nil {
		return r.unplanned(v, lang)
	}
	c := v.Plan.Change
	top := headOf(c, v.Plan.Base, v.Plan.Target)
	p := &page{lang: lang}
	p.header(theirs(top, maxHeader))
	p.lines(say(word(lang, wDryRun)))
	p.fields(
		field{say(word(lang, wNodes)), wSize.fill(lang, args{"from": number(v.Plan.Base), "to": number(v.Plan.Target), "delta": say(signed(c.Delta))})},
		field{say(word(lang, wCost)), cost(lang, v.Plan)},
		field{say(word(lang, wCharge)), charge(lang, c)})
	from := v.At
	if v.Request.StartAt.After(from) {
		from = v.Request.StartAt
	}
	p.fields(termField(lang, c, from, false)...)
	p.lines(compared(lang, v.Plan, v.Hourly, from, v.Request.Need)...)
	p.lines(options(lang, c, nil))
	p.lines(budgetLine(lang, v.Budget, v.Plan))
	if c.Delta < 0 {
		p.list(bold(word(lang, wRemoves)), nodeLines(lang, c.Nodes, flow.Flow{}))
	}

	sum := r.judged(p, v.Judgement, v.Foreseen)
	var yes []line
	var no []string
	for _, o := range v.Judgement.Outcomes {
		if !o.Matched {
			no = append(no, o.Rule)
			continue
		}
		yes = append(yes, wRuleYes.fill(lang, args{"name": names(lang, []string{o.Rule}), "seats": seatsLine(lang, required(o.Require))}))
	}
	if v.Explained != nil {
		r.explained(p, *v.Explained)
		return p.message(join(word(lang, wGap), say(top+": "+word(lang, wDryRun)), sum))
	}
	p.lines(short(lang, yes, maxPoints)...)
	if len(no) > 0 {
		p.context(wRuleNo.fill(lang, args{"n": number(len(no)), "rules": names(lang, no)}))
	}
	return p.message(join(word(lang, wGap), say(top+": "+word(lang, wDryRun)), sum))
}

// unplanned is a dry run that comes to no plan, with the corrected line.
func (r *Renderer) unplanned(v flow.Preview, lang string) flow.Message {
	f := flow.Flow{Request: v.Request, End: v.Refused}
	p := &page{lang: lang}
	p.header(theirs(head(f), maxHeader))
	why := note(lang, *v.Refused, nil)
	p.lines(say(word(lang, wDryRun)), why)
	if v.Explained != nil {
		r.explained(p, *v.Explained)
	}
	fixed := r.propose(p, fixedLine(f))
	return p.message(join(word(lang, wGap), say(head(f)+": "+word(lang, wDryRun)), why, fixed))
}

// judged says what a policy makes of a plan, and what is foreseen of its ballot.
func (r *Renderer) judged(p *page, j approvals.Judgement, ahead *approvals.Verdict) line {
	lang := p.lang
	var sum line
	switch {
	case j.Refusal != nil:
		s, ok := refusals[j.Refusal.Code]
		if !ok {
			s = refusals[approvals.NoRules] // closed by default, also in words
		}
		a := args{"name": theirs(j.Refusal.Name, shortForeign), "until": when(j.Refusal.Until), "error": theirs(j.Refusal.Error, 300), "groups": names(lang, j.Refusal.Pass)}
		if o := j.Refusal.Order; o != nil {
			a["by"], a["reason"] = mention(o.By), theirs(o.Reason, longForeign)
		}
		sum = s.fill(lang, a)
	case len(j.Requirements) == 0:
		sum = say(word(lang, wWouldRun))
	default:
		sum = join(word(lang, wColon), say(word(lang, wWouldAsk)), seatsLine(lang, j.Requirements))
	}
	further := foreseen(lang, ahead)
	if ahead != nil && ahead.Glass != nil {
		sum, further = further, nil
	}
	p.lines(sum, further)
	sum = join(dash, sum, further)
	if ahead != nil {
		p.list(bold(word(lang, wUncounted)), uncounted(lang, ahead.Ballot.Uncounted))
	}
	for _, x := range j.Passed {
		if x.Order != nil { // those of the calendar are told with their conditions
			p.lines(passLine(lang, x))
		}
	}
	return sum
}

// foreseen says who would not have to be asked any more. Groups are named, not
// mentioned: a look must not ping anybody.
func foreseen(lang string, v *approvals.Verdict) line {
	if v == nil {
		return nil
	}
	if g := v.Glass; g != nil {
		return wWouldBreak.fill(lang, args{"group": named(g.Group), "seats": seatsLine(lang, g.Skipped)})
	}
	ls := make([]line, 0, len(v.Ballot.Mandates))
	for _, u := range v.Ballot.Mandates {
		ls = append(ls, wWouldCover.fill(lang, args{"id": say(u.ID), "by": mention(u.By), "group": named(u.Group)}))
	}
	covered := join(word(lang, wGap), short(lang, ls, maxNames)...)
	if v.Status == approvals.Approved {
		covered = join(word(lang, wGap), covered, say(word(lang, wWouldAskNone)))
	}
	return covered
}

// ClusterStatus is what the cloud says of a cluster now, beside what config
// allows.
func (r *Renderer) ClusterStatus(c flow.Cluster, s providers.Snapshot, z flow.Frozen, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	phase := theirs(string(s.Phase), shortForeign)
	if w, ok := phases[s.Phase]; ok {
		phase = say(w.in(lang))
	}
	p.header(theirs(c.Name, maxHeader))
	frozen := frozenLines(lang, c.Name, z)
	p.lines(frozen...)
	p.fields(
		field{say(word(lang, wStatus)), join(" · ", phase, theirs(s.Status, shortForeign))},
		field{say(word(lang, wAccount)), named(c.Account)})
	lines := make([]line, 0, len(c.Groups))
	for _, name := range c.GroupNames() {
		g := c.Groups[name]
		seen, ok := s.Group(g.ID)
		if !ok {
			lines = append(lines, wGroupGone.fill(lang, args{"group": named(name)}))
			continue
		}
		lines = append(lines, wGroupLine.fill(lang, args{
			"group": named(name), "n": number(seen.Count),
			"type": theirs(seen.InstanceType, shortForeign), "limits": limits(lang, g)}))
	}
	p.list(bold(word(lang, wGroups)), short(lang, lines, 30))
	p.context(wSeenAt.fill(lang, args{"at": when(s.At)}))
	return p.message(join(" · ", append([]line{join(": ", named(c.Name), phase)}, append(frozen, short(lang, lines, maxNames)...)...)...))
}

// ClusterList is what config knows, and what is frozen.
func (r *Renderer) ClusterList(cat flow.Catalog, z flow.Frozen, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	if len(cat) == 0 {
		p.lines(say(word(lang, wNoCluster)))
		return p.message(say(word(lang, wNoCluster)))
	}
	const shown = 30
	all := cat.Names()
	p.header(say(word(lang, wClusters)))
	p.lines(calendarLines(lang, z)...)
	for _, name := range all[:min(len(all), shown)] {
		c := cat[name]
		lines := orderLines(lang, name, z)
		for _, gn := range c.GroupNames() {
			g := c.Groups[gn]
			lines = append(lines, wGroupOnly.fill(lang, args{
				"group": named(gn), "limits": limits(lang, g),
				"charge": charge(lang, providers.Change{Charge: g.Charge})}))
		}
		p.list(named(name).inBold(), short(lang, lines, maxPoints))
	}
	if len(all) > shown {
		p.context(wAndMore.fill(lang, args{"n": number(len(all) - shown)}))
	}
	return p.message(join(word(lang, wColon), say(word(lang, wClusters)), names(lang, all)))
}

// limits are the bounds that config sets for a group; nil when it sets none.
func limits(lang string, g flow.Group) line {
	var size, step line
	switch {
	case g.Max != nil:
		size = wLimits.fill(lang, args{"min": number(g.Min), "max": number(*g.Max)})
	case g.Min > 0:
		size = wLimitMin.fill(lang, args{"min": number(g.Min)})
	}
	if g.MaxStep != nil {
		step = wLimitStep.fill(lang, args{"step": number(*g.MaxStep)})
	}
	return join(word(lang, wClause), size, step)
}

// FlowList lists flows, one line each, as the caller has ordered them.
func (r *Renderer) FlowList(fs []flow.Flow, lang string) flow.Message {
	return r.Status(fs, flow.Frozen{}, lang)
}

// Status is FlowList below what is frozen: by order of people, and by the calendar
// of config.
func (r *Renderer) Status(fs []flow.Flow, z flow.Frozen, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	var frozen []line
	for _, cluster := range sortedKeys(z.Orders) {
		frozen = append(frozen, join(word(lang, wColon), named(cluster), join("", orderLines(lang, cluster, z)...)))
	}
	frozen = append(frozen, calendarLines(lang, z)...)
	p.list(bold(word(lang, wFreezes)), short(lang, frozen, maxPoints))
	frozenText := capped(lang, frozen, "; ", maxNames)
	if len(fs) == 0 {
		p.lines(say(word(lang, wNoFlows)))
		return p.message(join(word(lang, wGap), frozenText, say(word(lang, wNoFlows))))
	}
	p.list(bold(word(lang, wFlows)), flowLines(lang, fs, 25))
	var text []line
	for _, f := range fs {
		text = append(text, say(f.ID+" "+title(lang, f)))
	}
	return p.message(join(" · ", frozenText, join(word(lang, wColon), say(word(lang, wFlows)), capped(lang, text, "; ", maxNames))))
}

func flowLines(lang string, fs []flow.Flow, limit int) []line {
	lines := make([]line, 0, len(fs))
	for _, f := range fs {
		lines = append(lines, wFlowBy.fill(lang, args{
			"id": say(f.ID), "head": named(head(f)), "state": say(stateName(lang, f.State)),
			"by": mention(f.Request.User), "at": when(f.CreatedAt)}))
	}
	return short(lang, lines, limit)
}

// FlowDetail is the card as text, without buttons, and what happened.
func (r *Renderer) FlowDetail(f flow.Flow, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	in := Renderer{o: r.o}
	in.o.Groups = nil // a look must not ping the approvers again
	text := in.current(p, f, false, false)
	const shown = 15
	skipped := max(0, len(f.Log)-shown)
	var lines []line
	if skipped > 0 {
		lines = append(lines, wEarlier.fill(lang, args{"n": number(skipped)}))
	}
	for _, n := range f.Log[skipped:] {
		for i, l := range in.noteLines(lang, f, n) {
			if i == 0 {
				l = wLogLine.fill(lang, args{"at": when(n.At), "what": l})
			}
			lines = append(lines, l)
		}
	}
	p.list(bold(word(lang, wLog)), lines)
	return p.message(text)
}

// WhoAmI tells a person what they may do, and what of it could not be read: that
// they may not is said only where it is known.
func (r *Renderer) WhoAmI(user string, w flow.Rights, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	in := func(m flow.Membership, name string, some, none, unread sentence) []line {
		var ls []line
		if len(m.In) > 0 {
			ls = append(ls, some.fill(lang, args{name: names(lang, m.In)}))
		}
		if len(m.Unread) > 0 {
			ls = append(ls, unread.fill(lang, args{name: names(lang, m.Unread)}))
		}
		if len(ls) == 0 {
			ls = append(ls, say(word(lang, none)))
		}
		return ls
	}
	told := in(w.Groups, "groups", wYouIn, wYouInNo, wUnreadIn)
	told = append(told, in(w.Clusters, "clusters", wMayAsk, wMayNot, wUnreadAs)...)
	switch {
	case w.Settles:
		told = append(told, say(word(lang, wMaySet)))
	case w.SettlesUnread:
		told = append(told, say(word(lang, wUnreadSt)))
	}
	p.lines(append([]line{wYouAre.fill(lang, args{"by": mention(user)})}, told...)...)
	return p.message(join(" · ", told...))
}

// HelpEntry is one verb of the language, in the caller's words for the reader's
// language.
type HelpEntry struct {
	Usage    string   // without the slash word: "CLUSTER GROUP AMOUNT [OPTION…]"
	About    string   // one sentence
	Examples []string // without the slash word
}

// Help shows what can be said.
func (r *Renderer) Help(entries []HelpEntry, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	p.header(say(word(lang, wHelp)))
	var lines, examples, text []line
	for _, e := range entries {
		lines = append(lines, join(dash, literal(r.o.Command+" "+e.Usage, 300), theirs(e.About, longForeign)))
		text = append(text, theirs(r.o.Command+" "+e.Usage, 300))
		for _, x := range e.Examples {
			examples = append(examples, literal(r.o.Command+" "+x, 300))
		}
	}
	p.list(nil, short(lang, lines, 30))
	p.list(bold(word(lang, wExamples)), short(lang, examples, maxPoints))
	return p.message(join(word(lang, wColon), say(word(lang, wHelp)), join(" · ", text...)))
}

func required(m map[string]int) []approvals.Requirement {
	reqs := make([]approvals.Requirement, 0, len(m))
	for _, g := range sortedKeys(m) {
		reqs = append(reqs, approvals.Requirement{Group: g, N: m[g]})
	}
	return reqs
}

// Tab is what a home tab shows.
type Tab struct {
	User      string // Slack user id
	Running   []flow.Flow
	Waiting   []flow.Flow // for this person's vote, or to be settled by them
	Unread    []string    // approver groups that could not be read: Waiting lacks what waits for them
	Mine      []flow.Flow
	Committed []flow.Commitment
}

// Home is the home tab of a person: blocks for views.publish; Text is unused
// there.
func (r *Renderer) Home(t Tab, lang string) flow.Message {
	lang = language(lang)
	p := &page{lang: lang}
	p.header(say(word(lang, wHome)))
	p.lines(wHomeIntro.fill(lang, args{"command": line{{kind: ours, text: r.o.Command, code: true}}}))
	part := func(title sentence, fs []flow.Flow, more ...line) {
		p.divider()
		lines := append(flowLines(lang, fs, 15), more...)
		if len(lines) == 0 {
			lines = []line{say(word(lang, wNone))}
		}
		p.lines(append([]line{bold(word(lang, title))}, lines...)...)
	}
	var votes, unknown []flow.Flow
	for _, f := range t.Waiting {
		if f.State == flow.Unknown {
			unknown = append(unknown, f)
		} else {
			votes = append(votes, f)
		}
	}
	if len(unknown) > 0 { // each holds up its cluster
		part(wHomeSettle, unknown)
	}
	var unread []line
	if len(t.Unread) > 0 {
		unread = []line{wHomeUnread.fill(lang, args{"groups": names(lang, t.Unread)})}
	}
	part(wHomeWaiting, votes, unread...)
	part(wHomeRunning, t.Running)
	part(wHomeMine, t.Mine)
	r.committed(p, t.Committed)
	p.context(wSeeHelp.fill(lang, args{"command": say(r.o.Command)}), wYouAre.fill(lang, args{"by": mention(t.User)}))
	return p.message(say(word(lang, wHome)))
}
