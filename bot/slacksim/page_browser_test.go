package slacksim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
	"scalebot/bot/slacksim/page/pagetest"
)

// demoWorld has the people of bot/card's golden files.
func demoWorld() slacksim.World {
	return slacksim.World{
		Team: slacksim.Team{ID: "T0TEAM", Name: "Acme Data", Domain: "acme"},
		App: slacksim.App{
			ID: "A0SCALE", Name: "Scalebot", BotUserID: "U0BOT", BotID: "B0BOT", BotToken: botToken, AppToken: appToken,
			Scopes: slacksim.AllScopes(), Commands: []slacksim.Command{{Name: "/scale", ShouldEscape: true}},
		},
		Users: []slacksim.User{
			{ID: "U0ALICE", Name: "alice", RealName: "Alice Chen"},
			{ID: "U0LEAD1", Name: "wei", RealName: "Wei Zhang", Locale: "zh-CN"},
			{ID: "U0LEAD2", Name: "priya", RealName: "Priya Nair"},
			{ID: "U0FIN1", Name: "lin", RealName: "Lin Hao"},
			{ID: "U0MALLORY", Name: "mallory", RealName: "Mallory Reed"},
			{ID: "U0GUEST", Name: "guest", RealName: "Gus Vendor", IsRestricted: true},
		},
		Channels: []slacksim.Channel{
			{ID: "C0DATA", Name: "data-platform", Members: []string{"U0ALICE", "U0LEAD1", "U0LEAD2", "U0FIN1", "U0MALLORY", "U0GUEST", "U0BOT"}},
			{ID: "C0TEAM", Name: "cluster-changes", Members: []string{"U0ALICE", "U0LEAD1", "U0BOT"}},
			{ID: "C0FIN", Name: "finops-private", Private: true, Members: []string{"U0FIN1", "U0BOT"}},
		},
		Usergroups: []slacksim.Usergroup{
			{ID: "S0FINOPS", Handle: "finops", Name: "FinOps", Users: []string{"U0FIN1"}, DateUpdate: 100},
			{ID: "S0LEADS", Handle: "leads", Name: "Leads", Users: []string{"U0LEAD1", "U0LEAD2"}, DateUpdate: 100},
		},
	}
}

// serve puts the page on a listener of its own.
func serve(t *testing.T, s *slacksim.Server, o slacksim.PageOptions) string {
	t.Helper()
	web := httptest.NewServer(s.Page(o))
	t.Cleanup(func() {
		// The event streams end with the local Slack; Close waits for them.
		require.NoError(t, s.Close())
		web.Close()
	})
	return web.URL
}

// next is what the bot's side saw.
func next(t *testing.T, seen <-chan string) string {
	t.Helper()
	select {
	case s := <-seen:
		return s
	case <-time.After(pagetest.Patience):
		require.FailNow(t, "the bot's side saw nothing")
		return ""
	}
}

const (
	awaitingTasks = `{"type":"task_card","task_id":"plan","title":"Plan","status":"complete"},` +
		`{"type":"task_card","task_id":"approval","title":"Approval · 0 of 1","status":"in_progress"},{"type":"task_card","task_id":"end","title":"Result"}`
	doneTasks = `{"type":"task_card","task_id":"plan","title":"Plan","status":"complete"},` +
		`{"type":"task_card","task_id":"approval","title":"Approval · done","status":"complete"},{"type":"task_card","task_id":"end","title":"Result","status":"complete"}`
)

func cardBlocks(title, tasks, button string) string {
	return `[{"type":"header","text":{"type":"plain_text","text":"` + title + `"}},` +
		`{"type":"section","text":{"type":"mrkdwn","text":"*Who*: <@U0ALICE> &lt;b&gt;not bold&lt;/b&gt; <javascript:alert(1)|no link>\nReact with :white_check_mark: to approve or :x: to deny"}},` +
		`{"type":"plan","title":"Progress","tasks":[` + tasks + `]}` + button + `]`
}

const cancelButton = `,{"type":"actions","block_id":"a","elements":[{"type":"button","action_id":"cancel","style":"danger","value":"F-1",` +
	`"text":{"type":"plain_text","text":"Cancel request"},"confirm":{"title":{"type":"plain_text","text":"Sure?"},"text":{"type":"plain_text","text":"It ends."},` +
	`"confirm":{"type":"plain_text","text":"Cancel it"},"deny":{"type":"plain_text","text":"Keep it"}}}]}`

// TestPageInBrowser plays what a visitor does, with a small bot on the other
// side that talks to the local Slack as a real one would.
func TestPageInBrowser(t *testing.T) {
	s := start(t, func(o *slacksim.Options) { o.World = demoWorld() })
	api := func(method string, args map[string]string) map[string]any {
		body, err := json.Marshal(args)
		if err != nil {
			return nil
		}
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.APIURL()+method, bytes.NewReader(body))
		if err != nil {
			return nil
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+botToken)
		res, err := httpClient.Do(r)
		if err != nil {
			return nil
		}
		defer func() { _ = res.Body.Close() }()
		var out map[string]any
		if json.NewDecoder(res.Body).Decode(&out) != nil || out["ok"] != true {
			t.Errorf("%s: %v", method, out)
		}
		return out
	}
	card := make(chan string, 1)
	clicks := make(chan string, 4)
	connect(t, s, func(e socketmode.Event) (any, bool) {
		switch d := e.Data.(type) {
		case slack.SlashCommand:
			if d.Text == "silence" {
				return nil, false
			}
			out := api("chat.postMessage", map[string]string{
				"channel": d.ChannelID, "text": "a card", "blocks": cardBlocks("emr-m620 task +2", awaitingTasks, cancelButton),
			})
			if ts, ok := out["ts"].(string); ok {
				card <- ts
			}
			return map[string]any{"text": "Asked for *two* nodes. " + d.Text}, true
		case slack.InteractionCallback:
			clicks <- d.User.ID + " " + d.ActionCallback.BlockActions[0].Value
		default:
			if strings.Contains(string(e.Request.Payload), "app_home_opened") {
				api("views.publish", map[string]string{"user_id": "U0LEAD1", "view": `{"type":"home","blocks":[{"type":"header","text":{"type":"plain_text","text":"Your requests"}}]}`})
			}
		}
		return nil, true
	})
	b := pagetest.Open(t, serve(t, s, slacksim.PageOptions{
		Title: "scalebot demo", Start: "U0ALICE", Roles: map[string]string{"U0ALICE": "requester"},
		Scenarios: []slacksim.Scenario{
			{Title: "cheap +2", Text: "Press Enter.", User: "U0ALICE", Channel: "C0DATA", Command: "/scale emr-m620 task +2"},
			{Title: "as Wei", Text: "Press Enter as Wei.", User: "U0LEAD1", Channel: "C0TEAM", Command: "/scale list"},
		},
		Hints: []slacksim.Hint{{Insert: "/scale clusters", Note: "what there is"}},
	}))

	// Who there is, and what can be tried.
	b.Shows("#side", "Acme Data")
	b.Shows("[data-person=U0ALICE]", "requester")
	b.Shows("[data-person=U0LEAD1]", "leads")
	b.Shows("[data-person=U0GUEST]", "guest")
	require.InDelta(t, 16, pagetest.JS[float64](b, `document.querySelector('[data-open=home] svg').getBoundingClientRect().width`), 1, "the icon of the Home tab")
	require.False(t, pagetest.JS[bool](b, `document.querySelector('#side').innerText.includes('finops-private')`), "Alice isn't in it")

	// A scenario fills the composer; Enter sends; the private reply and the card come.
	b.Press("[data-scenario='1']")
	b.Until(`document.querySelector('.composer textarea').value === '/scale list'`)
	b.Shows("#head", "cluster-changes")
	b.Press("[data-scenario='0']")
	b.Until(`document.querySelector('.composer textarea').value === '/scale emr-m620 task +2'`)
	b.Shows("#guide", "Press Enter.")
	b.Shows("#head", "data-platform")
	b.Type(".composer textarea", "\r")
	b.Shows(".message.private", "Only visible to you")
	b.Shows(".message.private", "Asked for two nodes. emr-m620 task +2")
	b.Shows(".composer-status", "delivered")
	require.Equal(t, "two", pagetest.JS[string](b, `document.querySelector('.message.private strong:not(.by strong)').innerText`))
	ts := next(t, card)
	one := fmt.Sprintf("[data-ts='%s'] ", ts)
	b.Shows(one+".b-header", "emr-m620 task +2")
	require.Equal(t, []string{"complete", "in_progress", "pending"}, pagetest.JS[[]string](b, `[...document.querySelectorAll('.task')].map(x => x.classList[1])`))
	require.Contains(t, pagetest.JS[string](b, `document.querySelector('.task').innerText`), "done", "the state stands in words too")

	// Text from outside stays text, and only harmless links are links.
	b.Shows(one+".b-text", "<b>not bold</b>")
	require.Equal(t, 0, pagetest.JS[int](b, `document.querySelectorAll('.blocks b, .blocks a').length`))

	// A person reacts, sees it counted, and takes it back.
	b.Press(one + ".pill[data-emoji=white_check_mark]")
	b.Until(`document.querySelector('.pill[data-emoji=white_check_mark]').getAttribute('aria-pressed') === 'true'`)
	m, _ := s.Message("C0DATA", ts)
	require.Equal(t, []slacksim.Reaction{{Name: "white_check_mark", Users: []string{"U0ALICE"}}}, m.Reactions)
	b.Shot("card")
	b.Press(one + ".pill[data-emoji=white_check_mark]")
	b.Until(`document.querySelector('.pill[data-emoji=white_check_mark]').classList.contains('offered')`)

	// A button asks first: keeping does nothing, going on reaches the bot.
	b.Press(one + "[data-action=cancel]")
	b.Until(`document.querySelector('#confirm').open`)
	b.Shows("#confirm", "It ends.")
	b.Shot("confirm")
	b.Press("#confirm button[value=no]")
	b.Until(`!document.querySelector('#confirm').open`)
	b.Press(one + "[data-action=cancel]")
	b.Until(`document.querySelector('#confirm').open`)
	b.Press("[data-confirm=yes]")
	require.Equal(t, "U0ALICE F-1", next(t, clicks))
	require.Empty(t, clicks)

	// Somebody else: the private reply is not theirs, and they vote for themselves.
	b.Press("[data-person=U0LEAD1]")
	b.Until(`!document.querySelector('.message.private') && document.querySelector('.card')`)
	b.Press(one + ".pill[data-emoji=white_check_mark]")
	b.Shows(one+".pill[data-emoji=white_check_mark]", "Wei Zhang")

	// The card changes under their eyes.
	api("chat.update", map[string]string{"channel": "C0DATA", "ts": ts, "text": "done", "blocks": cardBlocks("emr-m620 task +2 · succeeded", doneTasks, "")})
	b.Shows(one+".b-header", "succeeded")
	b.Until(`document.querySelector('.message.card').classList.contains('flash')`)
	require.Equal(t, 3, pagetest.JS[int](b, `document.querySelectorAll('.task.complete').length`))
	require.Equal(t, 0, pagetest.JS[int](b, `document.querySelectorAll('[data-action=cancel]').length`))

	// A thread: open it, answer in it, see the bot's answer.
	b.Point(strings.TrimSpace(one))
	b.Press(one + "[data-tool=thread]")
	b.Until(`document.querySelector('#thread textarea').value === '@scalebot '`)
	b.Type("#thread textarea", "why?\r")
	b.Shows("#thread .thread-list", "why?")
	api("chat.postMessage", map[string]string{"channel": "C0DATA", "thread_ts": ts, "text": "because `rule` says so"})
	b.Shows("#thread .thread-list", "because rule says so")
	b.Until(`(x => x.scrollHeight - x.scrollTop - x.clientHeight < 2)(document.querySelector('.thread-list'))`)
	b.Shows(one+".replies", "2 replies")
	thread := s.Thread("C0DATA", ts)
	require.Equal(t, "<@U0BOT> why?", thread[1].Text)
	b.Type("#thread textarea", "/scale list\r")
	b.Shows("#thread .composer-status", "can’t be used in threads")
	b.Shot("thread")

	// The Home tab.
	b.Press("[data-open=home]")
	b.Shows("#messages", "Your requests")

	// Back in the channel: completion, history, and a command that nobody answers.
	b.Press("[data-open=C0DATA]")
	b.Type(".composer textarea", "/scale c")
	b.Shows(".hints", "what there is")
	require.LessOrEqual(t, pagetest.JS[float64](b, `document.querySelector('.hints').getBoundingClientRect().bottom`),
		pagetest.JS[float64](b, `document.querySelector('.composer-box').getBoundingClientRect().top`), "the completion leaves what is typed in sight")
	b.Shot("hints")
	b.Type(".composer textarea", "\t")
	b.Until(`document.querySelector('.composer textarea').value === '/scale clusters'`)
	b.Clear(".composer textarea")
	b.Type(".composer textarea", "/scale silence\r")
	b.Shows(".composer-status", "operation_timeout")
	b.Clear(".composer textarea")
	b.Type(".composer textarea", "/nothing\r")
	b.Shows(".composer-status", "/nothing is not a valid command here.")

	// The other language.
	b.Press("#language")
	b.Shows("#side", "当前身份")
	require.Equal(t, "zh-CN", pagetest.JS[string](b, `document.documentElement.lang`))
	require.Empty(t, b.Complaints())
}

// goldens are blocks of real cards, by file name.
func goldens(t *testing.T, pattern string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "card", "testdata", pattern))
	require.NoError(t, err)
	out := map[string]string{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		_, rest, ok := strings.Cut(string(raw), "\n---\n")
		require.True(t, ok, f)
		var blocks json.RawMessage
		require.NoError(t, json.NewDecoder(strings.NewReader(rest)).Decode(&blocks), f)
		out[filepath.Base(f)] = string(blocks)
	}
	return out
}

// TestPageDrawsRealCards posts the blocks that bot/card makes: the page must know
// each of them, and the local Slack must accept them.
func TestPageDrawsRealCards(t *testing.T) {
	s := start(t, func(o *slacksim.Options) { o.World = demoWorld() })
	connect(t, s, nil)
	b := pagetest.Open(t, serve(t, s, slacksim.PageOptions{Start: "U0ALICE"}))
	n := 0
	for _, pattern := range []string{"card/*.golden", "notice/*.golden", "log/*.golden", "reply/*.golden", "whisper/*.golden"} {
		for name, blocks := range goldens(t, pattern) {
			if strings.HasPrefix(name, "home.") {
				ok(t, call(t, s, "views.publish", "user_id", "U0ALICE", "view", `{"type":"home","blocks":`+blocks+`}`))
				continue
			}
			post(t, s, "C0DATA", name, "blocks", blocks)
			n++
		}
	}
	require.Greater(t, n, 100)
	b.Until(fmt.Sprintf("document.querySelectorAll('#messages .message .blocks').length === %d", n))
	require.Empty(t, pagetest.JS[[]string](b, `[...document.querySelectorAll('.b-unknown')].map(x => x.innerText)`))
	for _, width := range []int64{1440, 1024} {
		b.Resize(width, 900)
		require.Empty(t, b.SticksOut(), "%d wide", width)
	}
	for _, dark := range []bool{false, true} {
		b.Dark(dark)
		require.Empty(t, b.HardToRead(), "dark: %v", dark)
	}
	require.Equal(t, 0, pagetest.JS[int](b, `[...document.querySelectorAll('time')].filter(x => /[{}]/.test(x.innerText)).length`), "dates are filled in")
	b.Press("[data-open=home]")
	b.Shows("#messages.home", "/scale")
	require.Equal(t, 0, pagetest.JS[int](b, `document.querySelectorAll('.b-unknown').length`))
	require.Empty(t, b.Complaints())
	b.Shot("home")
}

// fourClusters is what three clouds answer while a change runs in one of them.
func fourClusters(t *testing.T) map[string]any {
	t.Helper()
	nodes := func(prefix string, n, started int) []map[string]any {
		list := []map[string]any{}
		for i := range n {
			list = append(list, map[string]any{
				"id": fmt.Sprintf("%s-%d", prefix, i), "name": fmt.Sprintf("%s-%04d", prefix, i), "ip": "10.0.0.4", "type": "S5.2XLARGE32",
				"charge": "POSTPAID_BY_HOUR", "started": i < started,
			})
		}
		return list
	}
	group := func(id string, n, started int) map[string]any {
		return map[string]any{"id": id, "count": n, "type": "S5.2XLARGE32", "nodes": nodes(id, n, started)}
	}
	cluster := func(cloud, account, id, name, status string, usable bool, groups ...map[string]any) map[string]any {
		return map[string]any{
			"cloud": cloud, "account": account, "id": id, "name": name, "region": "cn-north-4", "status": "2", "status_text": status, "usable": usable, "groups": groups,
		}
	}
	running := cluster("huawei-mrs", "mrs-n4", "7f3a9c02-51d4-4a7e-9a35-0f2c8d1be6aa", "analytics", "scaling-out", false,
		group("master_node_default_group", 2, 2), group("core_node_default_group", 4, 4), group("task_node_default_group", 19, 18))
	running["operation"] = map[string]any{
		"id": "", "name": "scale_out", "group": "task_node_default_group", "delta": 2, "progress": 0.4, "blocked": false,
		"stages": []map[string]any{{"name": "create virtual machines", "status": 2, "progress": 1}, {"name": "install components and start their roles on every new node", "status": 1, "progress": 0.3}, {"name": "start", "status": 0, "progress": 0}},
	}
	at := time.Date(2026, 11, 24, 9, 5, 0, 0, time.UTC)
	return map[string]any{
		"time": at, "clusters": []any{
			cluster("tencent-emr", "data-gz", "emr-m620", "data-platform", "running", true, group("MASTER", 2, 2), group("COMMON", 3, 3), group("CORE", 3, 3), group("TASK", 7, 7)),
			cluster("alibaba-ack", "ack-bj", "c82e6987e2961451182edacd74faf0000", "web", "running", true, group("np0123456789abcdef0123456789abcdef", 6, 6), group("legacy", 3, 3)),
			cluster("alibaba-ack", "ack-bj", "Cccfd68c474454665ace07efce9240000", "web-edge", "failed", false, group("edge", 120, 119)),
			running,
		},
		"faults": []any{
			map[string]any{"id": 1, "kind": "sold-out", "cluster": "c82e6987e2961451182edacd74faf0000"},
			map[string]any{"id": 2, "kind": "http-500", "cloud": "huawei-mrs", "times": -1},
		},
		"ledger": []any{
			map[string]any{"n": 3, "time": at, "cloud": "huawei-mrs", "cluster": "7f3a9c02-51d4-4a7e-9a35-0f2c8d1be6aa", "group": "task_node_default_group", "delta": 2, "outcome": "accepted"},
			map[string]any{
				"n": 2, "time": at, "cloud": "alibaba-ack", "cluster": "c82e6987e2961451182edacd74faf0000", "action": "ScaleClusterNodePool", "outcome": "refused",
				"code": "QuotaExceeded.InstanceTypeNotAvailableInThisZoneAtTheMoment", "token": "cf3b4a64-da9f-4c1b-8f1e-000000000000", "fault": "sold-out",
			},
			map[string]any{"n": 1, "time": at, "cloud": "tencent-emr", "cluster": "emr-m620", "group": "TASK", "delta": 2, "outcome": "duplicate", "operation": "19239", "duplicate_of": 1, "token": "cf3b4a64-da9f-4c1b-8f1e-000000000000"},
		},
	}
}

// clouds answers like the local clouds and remembers what it was told.
type clouds struct {
	mu    sync.Mutex
	state map[string]any
	told  []string
}

func (c *clouds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		c.told = append(c.told, filepath.Base(r.URL.Path)+" "+string(body))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(c.state)
}

func (c *clouds) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.told) == 0 {
		return ""
	}
	return c.told[len(c.told)-1]
}

// TestPageShowsFourClusters gives the panel more than it has room for: it folds
// what rests, and nothing is cut off or sticks out.
func TestPageShowsFourClusters(t *testing.T) {
	s := start(t, func(o *slacksim.Options) { o.World = demoWorld() })
	connect(t, s, nil)
	c := &clouds{state: fourClusters(t)}
	scenarios := []slacksim.Scenario{{Title: "At the edge", Text: "A fold opens.", User: "U0ALICE", Channel: "C0DATA", Command: "/scale web-edge edge +1"}}
	b := pagetest.Open(t, serve(t, s, slacksim.PageOptions{Start: "U0ALICE", Clouds: c, Scenarios: scenarios}))
	const web, edge = `[data-cluster=c82e6987e2961451182edacd74faf0000]`, `[data-cluster=Cccfd68c474454665ace07efce9240000]`
	unfolded := `[...document.querySelectorAll('.cluster[open]')].map(x => x.querySelector('strong').innerText)`
	b.Shows(".cluster", "task_node_default_group")
	require.Equal(t, []string{"emr-m620", "analytics"}, pagetest.JS[[]string](b, unfolded), "the first, and where something runs")
	b.Shows(".cluster .group-count", "19 → 21")
	b.Shows("#clouds .active", "http-500 · huawei-mrs · until cleared")
	b.Shows("#clouds .entry", "web")
	for _, size := range [][2]int64{{1440, 900}, {1024, 768}, {800, 1000}} {
		b.Resize(size[0], size[1])
		require.Empty(t, b.SticksOut(), "%d wide", size[0])
		b.Shot(fmt.Sprintf("four-%d", size[0]))
	}
	b.Resize(1440, 900)

	// What a person folds or unfolds stays so while the clouds move on.
	b.Press(web + " summary")
	b.Press("[data-cluster=emr-m620] summary")
	b.Until(`document.querySelector('` + web + `').open && !document.querySelector('[data-cluster=emr-m620]').open`)
	c.mu.Lock()
	delete(c.state["clusters"].([]any)[3].(map[string]any), "operation")
	c.mu.Unlock()
	b.Until(`!document.querySelector('.op')`)
	require.Equal(t, []string{"web", "analytics"}, pagetest.JS[[]string](b, unfolded))
	b.Press("[data-play='0']")
	b.Shows(edge+" .dots", "90 +")
	require.Equal(t, 30, pagetest.JS[int](b, `document.querySelectorAll('`+edge+` .dot').length`), "120 nodes are a number and thirty dots")

	// Faults are set where the button is, say what will happen, and can be taken back.
	b.Shows(web+" .armed", "the next request for nodes is refused")
	b.Press(web + " [data-fault=sold-out]")
	require.Eventually(t, func() bool { return c.last() == `clear {"id":1}` }, pagetest.Patience, pagetest.Pace, "pressing it again takes it back")
	b.Press(web + " [data-fault=throttled]")
	require.Eventually(t, func() bool {
		return c.last() == `fault {"times":3,"kind":"throttled","cluster":"c82e6987e2961451182edacd74faf0000"}`
	}, pagetest.Patience, pagetest.Pace)
	b.Press(web + " [data-fault=outside]")
	require.Eventually(t, func() bool {
		return c.last() == `set {"cluster":"c82e6987e2961451182edacd74faf0000","group":"legacy","count":4}`
	}, pagetest.Patience, pagetest.Pace)
	b.Shot("four-unfolded")
	for _, dark := range []bool{true, false} {
		b.Dark(dark)
		b.Shot(fmt.Sprintf("four-dark-%v", dark))
		require.Empty(t, b.HardToRead(), "dark: %v", dark)
	}
	require.Empty(t, b.Complaints())
}
