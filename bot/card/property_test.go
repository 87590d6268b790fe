package card

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// nasty are texts that would do harm where markup is read.
var nasty = []string{
	"<!channel>", "<!here>", "<@U1>", "<#C1>", "<https://evil|x>", "<!subteam^S1>", "<!date^1^{date}|x>",
	"a\nb\r\nc", "```x```", "*b* _i_ ~s~ `c`", ":fire:", "&lt;!channel&gt;", "&amp;", "\u202eevil\u202c", "\u200b\u2066x",
	"\xff\xfe", "\x00\x07", "👩‍👩‍👧‍👦", "ｗｉｄｅ", "\U000e0041", ">quote", "{n}", "[x]", "",
}

func wild() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(nasty), rapid.String()), 1, 4).Draw(t, "parts")
		s := strings.Join(parts, rapid.SampledFrom([]string{"", " ", "\n"}).Draw(t, "sep"))
		if rapid.IntRange(0, 4).Draw(t, "long") == 0 {
			s = strings.Repeat(s+"<&", 10000/(len(s)+2)+1)
		}
		return s
	})
}

func wilds(t *rapid.T, name string, limit int) []string {
	return rapid.SliceOfN(wild(), 0, limit).Draw(t, name)
}

// anyFlow is a record in which every text that a person or a cloud has a say in
// is wild.
func anyFlow(t *rapid.T) flow.Flow {
	text := func(name string) string { return wild().Draw(t, name) }
	both := providers.Text{EN: text("en"), ZH: text("zh")}
	c := change(rapid.SampledFrom([]int{-40, -1, 1, 2, 100000}).Draw(t, "delta"))
	c.Charge = providers.Charge(rapid.SampledFrom([]string{"prepaid", "postpaid", "spot", "", "<x>"}).Draw(t, "charge"))
	c.Months, c.InstanceType, c.Zone = rapid.IntRange(0, 60).Draw(t, "months"), text("spec"), text("zone")
	c.Disks = []providers.Disk{{Type: text("disk"), SizeG: 1, Count: 1}}
	c.Cluster, c.Group = text("cluster"), text("group")
	c.Nodes = wilds(t, "nodes", 40)
	c.Tags = map[string]string{text("tag"): text("value")}
	f := planned(c, 3)
	f.Request.Reason, f.Request.User, f.Request.Raw = text("reason"), text("user"), text("raw")
	f.Plans[0].Plan.Quote.Known = rapid.Bool().Draw(t, "known")
	f.Plans[0].Plan.Quote.Currency, f.Plans[0].Plan.Quote.Reason = text("currency"), both
	var reqs []approvals.Requirement
	var seats []approvals.Seat
	for _, g := range wilds(t, "groups", 12) {
		q := approvals.Requirement{Group: g, N: 2, Rules: wilds(t, "rules", 10)}
		reqs, seats = append(reqs, q), append(seats, approvals.Seat{Requirement: q, By: wilds(t, "by", 2)})
	}
	f.Requirements, f.Verdict.Ballot.Seats, f.Verdict.Ballot.DeniedBy = reqs, seats, wilds(t, "denied", 3)
	for _, e := range wilds(t, "emoji", 20) {
		f.Verdict.Ballot.Uncounted = append(f.Verdict.Ballot.Uncounted, approvals.Uncounted{User: e, Emoji: e, Reason: approvals.Reason(text("why"))})
	}
	f.State = rapid.SampledFrom(flow.States[:]).Draw(t, "state")
	f.Operation = &providers.Operation{ID: text("operation")}
	f.Progress = &providers.Progress{Percent: rapid.Int().Draw(t, "percent"), Attention: both}
	for _, s := range wilds(t, "stages", 40) {
		f.Progress.Stages = append(f.Progress.Stages, providers.Stage{Name: s, Detail: s, Percent: 5,
			State: providers.StageState(rapid.SampledFrom([]string{"pending", "running", "done", "partial", "failed", "<x>"}).Draw(t, "stage"))})
	}
	for _, s := range wilds(t, "changed", 30) {
		f.Progress.Changed = append(f.Progress.Changed, providers.Node{ID: s, Name: s, IP: s})
	}
	if rapid.Bool().Draw(t, "end") {
		n := anyNote(t)
		f.End = &n
	}
	if rapid.Bool().Draw(t, "void") {
		f.Plans[0].Void = true
		for _, s := range wilds(t, "moved", 20) {
			f.Plans[0].VoidedBy = append(f.Plans[0].VoidedBy, approvals.Difference{What: approvals.DifferenceKind(rapid.SampledFrom([]string{"base", "price", "<x>"}).Draw(t, "what")), Was: s, Is: s})
		}
	}
	return f
}

func anyNote(t *rapid.T) flow.Note {
	code := rapid.SampledFrom(sortedKeys(keys(notes))).Draw(t, "code")
	s := func(name string) string { return wild().Draw(t, name) }
	a := map[string]string{}
	for _, name := range placeholders(notes[flow.NoteCode(code)].en) {
		if rapid.Bool().Draw(t, "given") {
			a[name] = s(name)
		}
	}
	return flow.Note{Code: flow.NoteCode(code), By: s("by"), Args: a, Text: providers.Text{EN: s("note")}, Plan: 1}
}

func TestNothingForeignIsEverInterpreted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := renderer(rapid.SampledFrom([]string{English, Chinese}).Draw(t, "lang"))
		f := anyFlow(t)
		f.Log = []flow.Note{anyNote(t), anyNote(t)}
		checkMessage(t, r.Card(f, rapid.IntRange(-1, 2).Draw(t, "n"), rapid.Bool().Draw(t, "rich")))
		checkMessage(t, r.Notice(f, flow.Failed))
		checkMessage(t, r.Whisper(f, anyNote(t)))
		checkMessage(t, r.FlowDetail(f, English))
		checkMessage(t, r.Accepted(f, Chinese))
		checkMessage(t, r.FlowList([]flow.Flow{f, f}, English))
		c := flow.Commitment{ID: f.ID, By: f.Request.User, Account: f.Request.Reason, Cluster: f.Request.Wish.Change.Cluster, Group: f.Request.Reason,
			N: 2, Nodes: wilds(t, "bought", 30), Known: true, Currency: f.Request.Reason, Until: t0,
			Decision: &flow.Decision{Choice: flow.RenewalChoice(f.Request.Reason), By: f.Request.User, At: t0}}
		all := []flow.Commitment{c, c}
		checkMessage(t, r.Renewal(flow.Renewal{Commitment: c, Latest: rapid.Bool().Draw(t, "latest"), Over: rapid.Bool().Draw(t, "over")}))
		checkMessage(t, r.Commitments(all, English))
		checkMessage(t, r.RenewalDecided(c, Chinese))
		f.Plans[0].Hourly, f.Request.Need = &providers.Quote{Reason: providers.Text{EN: f.Request.Reason}}, time.Hour
		checkMessage(t, r.Home(Tab{User: f.Request.User, Running: []flow.Flow{f}, Waiting: []flow.Flow{f}, Committed: all}, Chinese))
		checkMessage(t, r.Preview(flow.Preview{Plan: f.Plans[0].Plan, Judgement: approvals.Judgement{Requirements: f.Requirements}}, English))
		checkMessage(t, r.Log(f, rapid.SliceOfN(rapid.Custom(anyNote), 1, 60).Draw(t, "notes")))
	})
}

func TestNoReplyInterpretsWhatItIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := renderer(English)
		lang := rapid.SampledFrom([]string{English, Chinese}).Draw(t, "lang")
		s := wild().Draw(t, "text") + "x" // the callers never say nothing
		code := flow.RejectCode(rapid.SampledFrom(sortedKeys(keys(rejections))).Draw(t, "code"))
		a := map[string]string{}
		for _, name := range placeholders(rejections[code].en) {
			a[name] = wild().Draw(t, name)
		}
		checkMessage(t, r.Rejection(&flow.Rejection{Code: code, Args: a, Text: providers.Text{EN: s}, Fixed: wild().Draw(t, "fixed")}, lang))
		checkMessage(t, r.Usage(Misread{Why: s, Lines: []string{wild().Draw(t, "fixed"), wild().Draw(t, "also")}, Usage: wild().Draw(t, "usage")}, lang))
		checkMessage(t, r.CloudError(s, lang))
		checkMessage(t, r.WhoAmI(s, flow.Rights{
			Groups:   flow.Membership{In: wilds(t, "groups", 30), Unread: wilds(t, "unread", 30)},
			Clusters: flow.Membership{In: wilds(t, "clusters", 30), Unread: wilds(t, "unread clusters", 30)}, Settles: true,
		}, lang))
		entries := make([]HelpEntry, 0, 40)
		for _, u := range wilds(t, "help", 40) {
			entries = append(entries, HelpEntry{Usage: u, About: u, Examples: []string{u}})
		}
		checkMessage(t, r.Help(entries, lang))
		cat := flow.Catalog{}
		snap := providers.Snapshot{At: time.Unix(0, 0), Phase: providers.Phase(s), Status: s}
		for _, name := range wilds(t, "catalog", 60) {
			cat[name] = flow.Cluster{Name: name, Account: s, Groups: map[string]flow.Group{name: {ID: name}}}
			snap.Groups = append(snap.Groups, providers.Group{ID: name, InstanceType: s})
		}
		checkMessage(t, r.ClusterList(cat, flow.Frozen{}, lang))
		for _, c := range cat {
			checkMessage(t, r.ClusterStatus(c, snap, flow.Frozen{}, lang))
		}
	})
}

// Fifty notes of the longest kind are more than one message holds: it says so
// and stays within the limits.
func TestALongLogIsShortenedAndSaysSo(t *testing.T) {
	n := flow.Note{Code: flow.NoteFailed, Text: providers.Text{EN: strings.Repeat("long & ", 2000)}}
	ns := make([]flow.Note, 100)
	for i := range ns {
		ns[i] = n
	}
	m := renderer(English).Log(situations()["running"], ns)
	checkMessage(t, m)
	require.Contains(t, string(m.Blocks), wShortened.en)
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain words":        "plain words",
		" a \n\n b\tc ":      "a b c",
		"a\u202eb\u200bc":    "a[U+202E]b[U+200B]c",
		"\x00\x1b[31m\x7f":   "␀␛[31m␡",
		"x\xffy":             "x\ufffdy",
		"中文\u3000全角":         "中文 全角",
		"\u3164hi\U000e0041": "[U+3164]hi[U+E0041]",
		"❤\ufe0f":            "❤\ufe0f",
	} {
		require.Equal(t, want, visible(in), "%q", in)
	}
}

func TestCutKeepsRunesAndEntitiesWhole(t *testing.T) {
	require.Equal(t, "扩容…", cut("扩容集群", 3))
	require.Equal(t, "扩容集群", cut("扩容集群", 4))
	require.Equal(t, "a…", cut("a😀b", 3), "an emoji weighs two")
	require.Equal(t, "ab…", cut("ab  cdef", 5), "no space before the ellipsis")
	require.Equal(t, "a…", cutEscaped("a<<<<", 5))
	require.Equal(t, "&lt;&gt;&amp;", cutEscaped("<>&", 13))
	require.Equal(t, "&lt;…", cutEscaped("<>&", 8))
}

func FuzzEscape(f *testing.F) {
	for _, s := range nasty {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(limit%4000, 2)
		if limit < 0 {
			limit = 2
		}
		e := cutEscaped(s, limit)
		require.LessOrEqual(t, size(e), max(limit, len("&amp;…")))
		require.NotContains(t, e, "<")
		require.NotContains(t, e, ">")
		for rest := e; strings.Contains(rest, "&"); {
			_, rest, _ = strings.Cut(rest, "&")
			require.True(t, strings.HasPrefix(rest, "amp;") || strings.HasPrefix(rest, "lt;") || strings.HasPrefix(rest, "gt;"), e)
		}
		v := visible(s)
		require.True(t, utf8.ValidString(v))
		require.Equal(t, v, visible(v), "what is visible stays as it is")
		for _, r := range v {
			require.False(t, hidden(r) || r < 0x20, "%U", r)
		}
		checkMessage(t, New(Options{}).Usage(Misread{Why: "x" + s, Lines: []string{s}}, English))
	})
}
