package card

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden pins a message: its readable form above, its JSON below.
func golden(t *testing.T, name string, m flow.Message) {
	t.Helper()
	checkMessage(t, m)
	var b bytes.Buffer
	b.WriteString(m.Text + "\n\n" + readable(t, m.Blocks) + "\n---\n")
	require.NoError(t, json.Indent(&b, m.Blocks, "", " "))
	if m.Payload != nil {
		meta, err := json.Marshal(m.Payload)
		require.NoError(t, err)
		b.WriteString("\n" + m.EventType + " " + string(meta))
	}
	b.WriteString("\n")
	path := filepath.Join("testdata", filepath.FromSlash(name)+".golden")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./bot/card -update")
	require.Equal(t, string(want), b.String())
}

func renderer(lang string) *Renderer {
	o := options1()
	o.Language = lang
	return New(o)
}

func TestCardsReadAsPinned(t *testing.T) {
	for name, f := range situations() {
		for _, lang := range []string{English, Chinese} {
			for _, form := range []string{"rich", "plain"} {
				t.Run(name+"/"+lang+"/"+form, func(t *testing.T) {
					n := min(1, len(f.Plans))
					golden(t, "card/"+name+"."+lang+"."+form, renderer(lang).Card(f, n, form == "rich"))
				})
			}
		}
	}
}

func TestNoticesLogsAndWhispersReadAsPinned(t *testing.T) {
	all := situations()
	for _, lang := range []string{English, Chinese} {
		r := renderer(lang)
		for _, name := range []string{"succeeded", "partial", "sold-out", "unknown"} {
			t.Run("notice/"+name+"/"+lang, func(t *testing.T) {
				f := all[name]
				require.True(t, f.State.Told())
				golden(t, "notice/"+name+"."+lang, r.Notice(f, f.State))
			})
		}
		t.Run("log/"+lang, func(t *testing.T) {
			f := replacedFlow()
			golden(t, "log/several."+lang, r.Log(f, []flow.Note{
				{Code: flow.NoteRequested, By: "U0ALICE", Args: map[string]string{"reason": "see <!channel> `x`"}},
				{Code: flow.NotePlanned, Args: map[string]string{"from": "3", "to": "5"}},
				{Code: flow.NoteVote, By: "U0FIN1", Args: map[string]string{"group": "finops"}},
				{Code: flow.NoteReplaced, Plan: 1},
				{Code: flow.NoteSubmitting, Args: map[string]string{"attempt": "1"}},
				{Code: flow.NoteAccepted, Args: map[string]string{"operation": "19239"}},
				{Code: flow.NoteJoined, Args: map[string]string{"n": "1", "nodes": "emr-vm-1"}},
			}))
		})
		t.Run("whisper/"+lang, func(t *testing.T) {
			f := all["refused"]
			f.Request.Language = lang
			// The channel's language must not matter.
			golden(t, "whisper/refused."+lang, renderer(English).Whisper(f, *f.End))
		})
	}
}

func TestRepliesReadAsPinned(t *testing.T) {
	all := situations()
	top := 100
	step := 20
	cat := flow.Catalog{
		"emr-m620": {Name: "emr-m620", Account: "data-gz", Groups: map[string]flow.Group{
			"task": {Name: "task", ID: "TASK", Max: &top, MaxStep: &step, Charge: providers.Postpaid},
			"core": {Name: "core", ID: "CORE", Min: 3, Charge: providers.Prepaid},
		}},
		"web": {Name: "web", Account: "ack-bj", Groups: map[string]flow.Group{"workers": {Name: "workers", ID: "np1", Charge: providers.Spot}}},
	}
	seen := providers.Snapshot{At: t0, Phase: providers.Busy, Status: "扩容中", Groups: []providers.Group{{ID: "TASK", Count: 3, InstanceType: "S5.2XLARGE16"}}}
	f := all["awaiting"]
	told := succeeded()
	told.Log = []flow.Note{
		{At: t0, Code: flow.NoteRequested, By: "U0ALICE"},
		{At: t0.Add(2 * time.Minute), Code: flow.NoteApproved},
		{At: t0.Add(9 * time.Minute), Code: flow.NoteSucceeded},
	}
	judged := f.Plans[0].Judgement
	judged.Outcomes = []approvals.Outcome{{Rule: "prepaid", Matched: true, Require: map[string]int{"finops": 1, "leads": 1}}, {Rule: "scale-in"}}
	frozen := approvals.Judgement{Refusal: &approvals.Refusal{Code: approvals.Frozen, Name: "year-end", Until: t0.Add(240 * time.Hour)}}
	for _, lang := range []string{English, Chinese} {
		r := New(options1())
		for name, m := range map[string]flow.Message{
			"accepted": r.Accepted(f, lang),
			"again":    r.Again(f, lang),
			"rejection": r.Rejection(&flow.Rejection{Code: flow.RejectGroup, Fixed: "emr-m620 task +2",
				Args: map[string]string{"word": "tsak", "meant": "task", "cluster": "emr-m620"}}, lang),
			"usage":           r.Usage(Misread{Why: "“+two” is not an amount.", Lines: []string{"emr-m620 task +2 -- cost < 5 & more"}, Usage: "not shown"}, lang),
			"usage-several":   r.Usage(Misread{Why: "`2` doesn't say whether to add or to set.", Lines: []string{"emr-m620 task +2", "emr-m620 task =2"}}, lang),
			"usage-no-guess":  r.Usage(Misread{Why: "The command lacks FLOW.", Usage: "show FLOW"}, lang),
			"preview":         r.Preview(flow.Preview{Plan: f.Plans[0].Plan, Judgement: judged}, lang),
			"preview-frozen":  r.Preview(flow.Preview{Plan: f.Plans[0].Plan, Judgement: frozen}, lang),
			"preview-refused": r.Preview(flow.Preview{Request: all["refused"].Request, Refused: all["refused"].End}, lang),
			"status":          r.ClusterStatus(cat["emr-m620"], seen, flow.Frozen{}, lang),
			"clusters":        r.ClusterList(cat, flow.Frozen{}, lang),
			"list":            r.FlowList([]flow.Flow{f, told}, lang),
			"list-empty":      r.FlowList(nil, lang),
			"show":            r.FlowDetail(told, lang),
			"whoami":          r.WhoAmI("U0ALICE", flow.Rights{Groups: flow.Membership{In: []string{"leads"}}, Clusters: flow.Membership{In: []string{"emr-m620"}}, Settles: true}, lang),
			"whoami-unread": r.WhoAmI("U0ALICE", flow.Rights{
				Groups: flow.Membership{Unread: []string{"finops"}}, Clusters: flow.Membership{In: []string{"emr-m620"}, Unread: []string{"web"}}, SettlesUnread: true,
			}, lang),
			"home-unread": r.Home(Tab{User: "U0ALICE", Unread: []string{"finops"}}, lang),
			"help":        r.Help([]HelpEntry{{Usage: "CLUSTER GROUP AMOUNT [OPTION…]", About: "Resize a group.", Examples: []string{"emr-m620 task +2"}}}, lang),
			"cloud-error": r.CloudError("The cloud did not answer in time.", lang),
			"home":        r.Home(Tab{User: "U0ALICE", Running: []flow.Flow{all["running"]}, Waiting: []flow.Flow{f}, Committed: terms()}, lang),
		} {
			t.Run(name+"/"+lang, func(t *testing.T) { golden(t, "reply/"+name+"."+lang, m) })
		}
	}
}

// readable writes blocks as a reader sees them, one line per line, to make
// goldens worth looking at. It knows only what this package makes.
func readable(t *testing.T, blocks json.RawMessage) string {
	t.Helper()
	var list []any
	require.NoError(t, json.Unmarshal(blocks, &list))
	var b strings.Builder
	for _, x := range list {
		b.WriteString(readBlock(x.(map[string]any)))
		b.WriteString("\n")
	}
	return b.String()
}

func readBlock(m map[string]any) string {
	text := func(x any) string {
		if o, ok := x.(map[string]any); ok {
			s, _ := o["text"].(string)
			return s
		}
		return ""
	}
	list := func(k string) []any { l, _ := m[k].([]any); return l }
	var out []string
	switch m["type"] {
	case "header":
		return "# " + text(m["text"])
	case "section":
		if s := text(m["text"]); s != "" {
			out = append(out, s)
		}
		for _, f := range list("fields") {
			out = append(out, strings.ReplaceAll(text(f), "\n", ": "))
		}
	case "context":
		for _, e := range list("elements") {
			out = append(out, "  ("+text(e)+")")
		}
	case "actions":
		for _, e := range list("elements") {
			o := e.(map[string]any)
			c, asks := o["confirm"].(map[string]any)
			if !asks {
				out = append(out, "["+text(o["text"])+"]  "+o["value"].(string))
				continue
			}
			out = append(out, "["+text(o["text"])+"]  "+text(c["title"])+" / "+text(c["text"])+" / "+text(c["confirm"])+" | "+text(c["deny"]))
		}
	case "plan":
		out = append(out, "= "+m["title"].(string))
		for _, e := range list("tasks") {
			o := e.(map[string]any)
			s := "  " + o["status"].(string) + ": " + o["title"].(string)
			if d, ok := o["details"].(map[string]any); ok {
				s += " -- " + readBlock(d)
			}
			out = append(out, s)
		}
	case "rich_text":
		for _, e := range list("elements") {
			out = append(out, readRich(e.(map[string]any), ""))
		}
	case "divider":
		return "----"
	}
	return strings.Join(out, "\n")
}

func readRich(m map[string]any, mark string) string {
	var b strings.Builder
	switch m["type"] {
	case "rich_text_list":
		mark = "• "
	case "rich_text_quote":
		b.WriteString("| ")
	case "rich_text_preformatted":
		b.WriteString("    ")
	}
	els, _ := m["elements"].([]any)
	for i, e := range els {
		o := e.(map[string]any)
		switch o["type"] {
		case "rich_text_section":
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString(mark + readRich(o, ""))
		case "text":
			b.WriteString(o["text"].(string))
		case "user":
			b.WriteString("<@" + o["user_id"].(string) + ">")
		case "usergroup":
			b.WriteString("<!subteam^" + o["usergroup_id"].(string) + ">")
		case "date":
			b.WriteString("<date " + o["fallback"].(string) + ">")
		case "emoji":
			b.WriteString(":" + o["name"].(string) + ":")
		}
	}
	return b.String()
}
