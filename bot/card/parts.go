package card

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// How many of a kind are named before "and n more".
const (
	maxNames  = 8   // in a sentence
	maxPoints = 12  // in a list
	maxVotes  = 20  // in the list of votes that don't count: each is somebody's question
	maxHead   = 120 // characters of cluster and group
)

func number(n int) line { return say(strconv.Itoa(n)) }

// signed writes a delta with its sign.
func signed(n int) string {
	if n > 0 {
		return "+" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// head is cluster, group and change, as every text about the flow begins.
func head(f flow.Flow) string {
	if len(f.Plans) > 0 {
		p := f.Plans[len(f.Plans)-1].Plan
		return headOf(p.Change, p.Base, p.Target)
	}
	w := f.Request.Wish
	return cut(visible(w.Change.Cluster+" "+w.Change.Group+" "+string(w.Op)+strconv.Itoa(w.N)), maxHead)
}

func headOf(c providers.Change, from, to int) string {
	return cut(visible(c.Cluster+" "+c.Group), maxHead) + " " + signed(c.Delta) + " (" + strconv.Itoa(from) + " → " + strconv.Itoa(to) + ")"
}

// title is what a text about the flow begins with: cluster, group, change and
// state (design.md section 9). The colon is the same in both languages, since
// programs look for it.
func title(lang string, f flow.Flow) string {
	return head(f) + ": " + stateName(lang, f.State)
}

func asked(lang string, f flow.Flow) line {
	return wAskedBy.fill(lang, args{"id": say(f.ID), "by": mention(f.Request.User), "at": when(f.CreatedAt)})
}

// charge is how the new nodes are paid for; a removal has none.
func charge(lang string, c providers.Change) line {
	if c.Charge == providers.Prepaid && c.Months > 0 {
		renew := wRenewOff
		if c.Renew {
			renew = wRenewOn
		}
		return wPrepaid.fill(lang, args{"n": number(c.Months), "renew": say(word(lang, renew))})
	}
	s, ok := charges[c.Charge]
	if !ok {
		return nil
	}
	return say(s.in(lang))
}

// cost is the quote of a plan in words.
func cost(lang string, p approvals.Plan) line {
	q := p.Quote
	sum := func(s sentence) line {
		a := args{"sum": say(money(q.Committed, q.Currency)), "month": say(money(q.Monthly, q.Currency))}
		if s == wHourly {
			a["sum"] = say(money(q.Hourly, q.Currency))
		}
		if p.Change.Months == 1 && s == wCommitted {
			a["month"] = nil // the same sum twice
		}
		return s.fill(lang, a)
	}
	var l line
	switch {
	case !q.Known:
		return wNoPrice.fill(lang, args{"why": theirs(q.Reason.In(lang), 300)})
	case q.Committed.IsPositive():
		l = sum(wCommitted)
	case q.Hourly.IsPositive():
		l = sum(wHourly)
	case q.Monthly.IsPositive():
		l = sum(wMonthly)
	default:
		l = say(word(lang, wFree))
	}
	return join(dash, l, theirs(q.Reason.In(lang), 300))
}

// options are the finer points of the wish, on one line; nothing when there are
// none. After planning they are the plan's.
func options(lang string, c providers.Change, p *approvals.Plan) line {
	if p != nil {
		c = p.Change
	}
	value := func(s sentence, v string) line {
		if v == "" {
			return nil
		}
		return s.fill(lang, args{"value": literal(v, shortForeign)})
	}
	ls := []line{value(wSpec, c.InstanceType), value(wZone, c.Zone)}
	for _, d := range c.Disks {
		ls = append(ls, wDisk.fill(lang, args{"type": literal(d.Type, shortForeign), "size": number(d.SizeG), "n": number(d.Count)}))
	}
	if c.Drain > 0 {
		ls = append(ls, wDrain.fill(lang, args{"value": say(duration(c.Drain, lang))}))
	}
	flag := func(b *bool, yes, no sentence) {
		if b == nil {
			return
		}
		if !*b {
			yes = no
		}
		ls = append(ls, say(word(lang, yes)))
	}
	flag(c.Start, wStartYes, wStartNo)
	flag(c.Bootstrap, wBootYes, wBootNo)
	for _, k := range sortedKeys(c.Tags) {
		ls = append(ls, wTag.fill(lang, args{"key": theirs(k, shortForeign), "value": theirs(c.Tags[k], shortForeign)}))
	}
	ls = slices.DeleteFunc(ls, func(l line) bool { return len(l) == 0 })
	return capped(lang, ls, " · ", maxPoints)
}

// nodeLines name the nodes of a removal, with the names that the snapshot
// before the submission or the progress knows for them.
func nodeLines(lang string, ids []string, f flow.Flow) []line {
	known := map[string]providers.Node{}
	remember := func(ns []providers.Node) {
		for _, n := range ns {
			known[n.ID] = n
		}
	}
	if f.Submission != nil {
		for _, g := range f.Submission.Baseline.Groups {
			remember(g.Nodes)
		}
	}
	if f.Progress != nil {
		remember(f.Progress.Changed)
	}
	ns := make([]providers.Node, 0, len(ids))
	for _, id := range ids {
		n := known[id]
		n.ID = id
		ns = append(ns, n)
	}
	return describe(lang, ns)
}

// describe lists nodes with what people know them by.
func describe(lang string, ns []providers.Node) []line {
	ls := make([]line, 0, len(ns))
	for _, n := range ns {
		more := theirs(cmp.Or(n.Name, n.IP), shortForeign)
		if n.Name == n.ID {
			more = theirs(n.IP, shortForeign)
		}
		ls = append(ls, join(" · ", literal(n.ID, shortForeign), more))
	}
	return short(lang, ls, maxPoints)
}

// nodeList names nodes in a sentence.
func nodeList(lang string, ids []string) line {
	ls := make([]line, 0, len(ids))
	for _, id := range ids {
		ls = append(ls, literal(id, shortForeign))
	}
	return capped(lang, ls, word(lang, wComma), maxNames)
}

func mentions(lang string, ids []string) line {
	ls := make([]line, 0, len(ids))
	for _, id := range ids {
		ls = append(ls, mention(strings.TrimSpace(id)))
	}
	return capped(lang, ls, word(lang, wComma), maxNames)
}

// names lists words of config.
func names(lang string, words []string) line {
	ls := make([]line, 0, len(words))
	for _, w := range words {
		ls = append(ls, named(w))
	}
	return capped(lang, ls, word(lang, wComma), maxPoints)
}

// capped puts at most limit lines into one, and says how many more there are.
func capped(lang string, ls []line, sep string, limit int) line {
	if len(ls) <= limit {
		return join(sep, ls...)
	}
	return join(" ", join(sep, ls[:limit]...), wAndMore.fill(lang, args{"n": number(len(ls) - limit)}))
}

// short cuts a list, and says how many more there are.
func short(lang string, ls []line, limit int) []line {
	if len(ls) <= limit {
		return ls
	}
	return append(ls[:limit:limit], wAndMore.fill(lang, args{"n": number(len(ls) - limit)}))
}

// moments are when the flow was sent, and when it came to where it stands.
func moments(f flow.Flow) (sent, last time.Time) {
	if f.Submission != nil {
		sent = f.Submission.SentAt
	}
	last = f.EndedAt
	if last.IsZero() && f.End != nil {
		last = f.End.At
	}
	if last.IsZero() {
		last = f.UpdatedAt
	}
	return sent, last
}

// took is the time from request to end.
func took(lang string, f flow.Flow) string {
	_, last := moments(f)
	if last.Before(f.CreatedAt) || f.CreatedAt.IsZero() {
		return ""
	}
	return duration(last.Sub(f.CreatedAt), lang)
}

// timing is how long it took in all, and of that in the cloud.
func timing(lang string, f flow.Flow) line {
	all := took(lang, f)
	if all == "" {
		return nil
	}
	a := args{"all": say(all)}
	// A change that the cloud never took spent no time in it.
	if sent, last := moments(f); !sent.IsZero() && !last.Before(sent) && (f.Operation != nil || !f.State.Ended()) {
		a["run"] = say(duration(last.Sub(sent), lang))
	}
	if f.State.Ended() {
		return wNoticeTook.fill(lang, a)
	}
	return wNoticeOpen.fill(lang, a)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
