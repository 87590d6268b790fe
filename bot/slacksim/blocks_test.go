package slacksim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"scalebot/bot/slacksim"
)

func n(c string, times int) string { return strings.Repeat(c, times) }

func list(item string, times int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", times), ",") + "]"
}

func TestBlocksRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	button := func(more string) string {
		return `[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"x"}` + more + `}]}]`
	}
	section := func(text string) string { return `[{"type":"section","text":` + text + `}]` }
	option := `{"text":{"type":"plain_text","text":"x"},"value":"x"}`
	for name, tc := range map[string]struct{ blocks, path, message string }{
		"unknown block":           {`[{"type":"progress"}]`, "/blocks/0/type", "unsupported type: progress"},
		"alert":                   {`[{"type":"alert","text":{"type":"plain_text","text":"x"}}]`, "/blocks/0/type", "unsupported type"},
		"no type":                 {`[{}]`, "/blocks/0", "missing required field: type"},
		"not an object":           {`["x"]`, "/blocks/0", "must be an object"},
		"51 blocks":               {list(`{"type":"divider"}`, 51), "/blocks", "no more than 50 items"},
		"section of nothing":      {`[{"type":"section"}]`, "/blocks/0", "missing required field: text"},
		"empty text":              {section(`{"type":"mrkdwn","text":""}`), "/blocks/0/text/text", "more than 0 characters"},
		"text of 3001":            {section(`{"type":"mrkdwn","text":"` + n("字", 3001) + `"}`), "/blocks/0/text/text", "less than 3001"},
		"text as a string":        {section(`"x"`), "/blocks/0/text", "must be an object"},
		"emoji in mrkdwn":         {section(`{"type":"mrkdwn","text":"x","emoji":true}`), "/blocks/0/text", "additional property: emoji"},
		"text of no kind":         {section(`{"type":"html","text":"x"}`), "/blocks/0/text/type", "valid enum"},
		"unknown property":        {`[{"type":"divider","colour":"red"}]`, "/blocks/0", "additional property: colour"},
		"11 fields":               {`[{"type":"section","fields":` + list(`{"type":"mrkdwn","text":"x"}`, 11) + `}]`, "/blocks/0/fields", "no more than 10"},
		"field of 2001":           {`[{"type":"section","fields":[{"type":"mrkdwn","text":"` + n("x", 2001) + `"}]}]`, "/blocks/0/fields/0/text", "less than 2001"},
		"header of 151":           {`[{"type":"header","text":{"type":"plain_text","text":"` + n("x", 151) + `"}}]`, "/blocks/0/text/text", "less than 151"},
		"header in mrkdwn":        {`[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`, "/blocks/0/text/type", "valid enum"},
		"context of 11":           {`[{"type":"context","elements":` + list(`{"type":"mrkdwn","text":"x"}`, 11) + `}]`, "/blocks/0/elements", "no more than 10"},
		"context of none":         {`[{"type":"context","elements":[]}]`, "/blocks/0/elements", "no fewer than 1"},
		"actions of 26":           {`[{"type":"actions","elements":` + list(`{"type":"button","text":{"type":"plain_text","text":"x"}}`, 26) + `}]`, "/blocks/0/elements", "no more than 25"},
		"button label of 76":      {strings.Replace(button(""), `"x"`, `"`+n("x", 76)+`"`, 1), "/blocks/0/elements/0/text/text", "less than 76"},
		"button value of 2001":    {button(`,"value":"` + n("x", 2001) + `"`), "/blocks/0/elements/0/value", "less than 2001"},
		"button of a colour":      {button(`,"style":"green"`), "/blocks/0/elements/0/style", "valid enum"},
		"button to nowhere":       {button(`,"url":"javascript:x"`), "/blocks/0/elements/0/url", "valid url"},
		"label for readers of 76": {button(`,"accessibility_label":"` + n("x", 76) + `"`), "/blocks/0/elements/0/accessibility_label", "less than 76"},
		"action id of 256":        {button(`,"action_id":"` + n("x", 256) + `"`), "/blocks/0/elements/0/action_id", "less than 256"},
		"half a confirm":          {button(`,"confirm":{"title":{"type":"plain_text","text":"x"}}`), "/blocks/0/elements/0/confirm", "missing required field: text"},
		"action id twice":         {`[{"type":"actions","elements":` + list(`{"type":"button","action_id":"a","text":{"type":"plain_text","text":"x"}}`, 2) + `}]`, "/blocks/0/elements/1/action_id", "already exists"},
		"block id twice":          {list(`{"type":"divider","block_id":"a"}`, 2), "/blocks/1/block_id", "already exists"},
		"block id of 256":         {`[{"type":"divider","block_id":"` + n("x", 256) + `"}]`, "/blocks/0/block_id", "less than 256"},
		"101 options":             {`[{"type":"actions","elements":[{"type":"static_select","options":` + list(option, 101) + `}]}]`, "/blocks/0/elements/0/options", "no more than 100"},
		"menu of nothing":         {`[{"type":"actions","elements":[{"type":"static_select"}]}]`, "/blocks/0/elements/0", "either options or option_groups"},
		"option value of 151":     {`[{"type":"actions","elements":[{"type":"static_select","options":[{"text":{"type":"plain_text","text":"x"},"value":"` + n("x", 151) + `"}]}]}]`, "/blocks/0/elements/0/options/0/value", "less than 151"},
		"text input in actions":   {`[{"type":"actions","elements":[{"type":"plain_text_input"}]}]`, "/blocks/0/elements/0/type", "unsupported type"},
		"button in an input":      {`[{"type":"input","label":{"type":"plain_text","text":"x"},"element":{"type":"button","text":{"type":"plain_text","text":"x"}}}]`, "/blocks/0/element/type", "unsupported type"},
		"image of nothing":        {`[{"type":"image","alt_text":"x"}]`, "/blocks/0", "image_url or slack_file"},
		"rich text of no kind":    {`[{"type":"rich_text","elements":[{"type":"text","text":"x"}]}]`, "/blocks/0/elements/0/type", "unsupported type"},
		"empty rich text":         {`[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":""}]}]}]`, "/blocks/0/elements/0/elements/0/text", "more than 0"},
		"rich text style":         {`[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"x","style":{"blink":true}}]}]}]`, "/blocks/0/elements/0/elements/0/style", "additional property: blink"},
		"rich text link":          {`[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"link","url":"x"}]}]}]`, "/blocks/0/elements/0/elements/0/url", "valid url"},
		"list in a list":          {`[{"type":"rich_text","elements":[{"type":"rich_text_list","style":"bullet","elements":[{"type":"rich_text_list","style":"bullet","elements":[]}]}]}]`, "/blocks/0/elements/0/elements/0/type", "unsupported type"},
		"table of 21 columns":     {`[{"type":"table","rows":[` + list(`{"type":"raw_text","text":"x"}`, 21) + `]}]`, "/blocks/0/rows/0", "1 to 20"},
		"table of 101 rows":       {`[{"type":"table","rows":` + list(`[{"type":"raw_text","text":"x"}]`, 101) + `}]`, "/blocks/0/rows", "no more than 100"},
		"plan without a title":    {`[{"type":"plan","tasks":[]}]`, "/blocks/0", "missing required field: title"},
		"plan with a text object": {`[{"type":"plan","title":{"type":"plain_text","text":"x"}}]`, "/blocks/0/title", "must be a string"},
		"plan of sections":        {`[{"type":"plan","title":"x","tasks":[{"type":"section","text":{"type":"mrkdwn","text":"x"}}]}]`, "/blocks/0/tasks/0/type", "valid enum"},
		"task without an id":      {`[{"type":"plan","title":"x","tasks":[{"title":"x"}]}]`, "/blocks/0/tasks/0", "missing required field: task_id"},
		"task of no status":       {`[{"type":"task_card","task_id":"1","title":"x","status":"running"}]`, "/blocks/0/status", "valid enum"},
		"task details in mrkdwn":  {`[{"type":"task_card","task_id":"1","title":"x","details":{"type":"mrkdwn","text":"x"}}]`, "/blocks/0/details", "rich_text"},
		"task source":             {`[{"type":"task_card","task_id":"1","title":"x","sources":[{"type":"url","url":"x","text":"x"}]}]`, "/blocks/0/sources/0/url", "valid url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := call(t, s, "chat.postMessage", "channel", "C0DATA", "text", "x", "blocks", tc.blocks)
			require.Equal(t, "invalid_blocks", a["error"], "%v", a)
			messages := a["response_metadata"].(map[string]any)["messages"].([]any)
			require.True(t, func() bool {
				for _, m := range messages {
					if strings.Contains(m.(string), tc.message) && strings.HasSuffix(m.(string), "[json-pointer:"+tc.path+"]") {
						return true
					}
				}
				return false
			}(), "%v", messages)
		})
	}
	for name, tc := range map[string][2]string{
		"two tables":       {list(`{"type":"table","rows":[[{"type":"raw_text","text":"x"}]]}`, 2), "only_one_table_allowed"},
		"13201 characters": {list(`{"type":"section","text":{"type":"mrkdwn","text":"`+n("x", 2641)+`"}}`, 5), "msg_blocks_too_long"},
		"12001 markdown":   {list(`{"type":"markdown","text":"`+n("x", 6001)+`"}`, 2), "msg_blocks_too_long"},
	} {
		require.Equal(t, tc[1], call(t, s, "chat.postMessage", "channel", "C0DATA", "blocks", tc[0])["error"], name)
	}
}

func TestBlocksAtTheLimit(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, blocks := range map[string]string{
		"50 blocks":    list(`{"type":"divider"}`, 50),
		"text of 3000": `[{"type":"section","text":{"type":"mrkdwn","text":"` + n("字", 3000) + `","verbatim":true}}]`,
		"header":       `[{"type":"header","text":{"type":"plain_text","text":"` + n("字", 150) + `","emoji":true}}]`,
		"10 fields":    `[{"type":"section","fields":` + list(`{"type":"mrkdwn","text":"x"}`, 10) + `}]`,
		"25 buttons":   `[{"type":"actions","elements":` + list(`{"type":"button","text":{"type":"plain_text","text":"`+n("x", 75)+`"}}`, 25) + `}]`,
		"13200":        list(`{"type":"section","text":{"type":"mrkdwn","text":"`+n("x", 2640)+`"}}`, 5),
		"plan by docs": `[{"type":"plan","title":"x","tasks":[{"task_id":"1","title":"x","status":"pending"}]}]`,
	} {
		ok(t, call(t, s, "chat.postMessage", "channel", "C0DATA", "text", name, "blocks", blocks))
	}
	for _, m := range s.Messages("C0DATA") {
		var blocks []map[string]any
		require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
		for _, b := range blocks {
			require.NotEmpty(t, b["block_id"], "Slack names every block")
		}
	}
}

func TestPlanBlocksOfSlackGo(t *testing.T) {
	t.Parallel()
	s := start(t)
	rich := slack.NewRichTextBlock("", slack.NewRichTextSection(slack.NewRichTextSectionTextElement("2 of 2 nodes joined", nil)))
	plan := slack.NewPlanBlock("emr-m620 · task 3 → 5").WithTasks(
		slack.NewTaskCardBlock("approve", "Approved").WithStatus(slack.TaskCardStatusComplete).WithDetails(rich),
		slack.NewTaskCardBlock("run", "Running").WithStatus(slack.TaskCardStatusInProgress).WithOutput(rich).
			WithSources(slack.NewTaskCardSource("https://console.cloud.tencent.com/emr", "console")).WithHideTitle(true),
	)
	api := client(s)
	_, ts, err := api.PostMessageContext(t.Context(), "C0DATA", slack.MsgOptionText("card", false), slack.MsgOptionBlocks(plan))
	require.NoError(t, err)

	s.SetRefusePlanBlocks(true)
	_, _, _, err = api.UpdateMessageContext(t.Context(), "C0DATA", ts, slack.MsgOptionText("card", false), slack.MsgOptionBlocks(plan))
	var refused slack.SlackErrorResponse
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "invalid_blocks", refused.Err)
	require.Equal(t, []string{"[ERROR] unsupported type: plan [json-pointer:/blocks/0/type]"}, refused.ResponseMetadata.Messages)

	from := start(t, func(o *slacksim.Options) { o.RefusePlanBlocks = true })
	require.Equal(t, "invalid_blocks", call(t, from, "chat.postMessage", "channel", "C0DATA", "blocks", `[{"type":"task_card","task_id":"1","title":"x"}]`)["error"])
}

func TestLongTextIsCutWithAWarning(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := ok(t, call(t, s, "chat.postMessage", "channel", "C0DATA", "text", n("字", 40001)))
	require.Equal(t, "message_truncated", a["warning"])
	require.Len(t, []rune(s.Messages("C0DATA")[0].Text), 40000)
	require.False(t, s.Messages("C0DATA")[0].Edited)
}
