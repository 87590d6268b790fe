package card

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
)

// tokens that this package may write, and nothing else in angle brackets.
var goodToken = regexp.MustCompile(`<[@#][A-Z][A-Z0-9]+>|<!subteam\^[A-Z][A-Z0-9]+>|<!date\^-?[0-9]+\^(\{date_short_pretty\} \{time\}\|[0-9-]+ [0-9:]+ UTC|\{date_short\}\|[0-9-]+)>`)

type tester interface {
	require.TestingT
	Helper()
}

// checkMessage holds a message to Slack's limits (reference: Block Kit) and to
// the promise that nothing but our own tokens can be read as markup.
func checkMessage(t tester, m flow.Message) {
	t.Helper()
	require.NotEmpty(t, m.Text)
	require.True(t, utf8.ValidString(m.Text) && utf8.Valid(m.Blocks) && json.Valid(m.Blocks))
	require.LessOrEqual(t, size(m.Text), maxFallback)
	require.NotContains(t, m.Text, "\n")
	require.NotContains(t, goodToken.ReplaceAllString(m.Text, ""), "<", "markup in the text")

	var blocks []map[string]any
	require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
	require.NotEmpty(t, blocks)
	require.LessOrEqual(t, len(blocks), 50)
	total := 0
	for _, b := range blocks {
		total += checkBlock(t, b)
	}
	require.LessOrEqual(t, total, 13000, "msg_blocks_too_long")
}

func checkBlock(t tester, b map[string]any) int {
	t.Helper()
	switch b["type"] {
	case "header":
		o := b["text"].(map[string]any)
		require.Equal(t, "plain_text", o["type"])
		require.LessOrEqual(t, size(o["text"].(string)), 150)
	case "section":
		fields, _ := b["fields"].([]any)
		require.LessOrEqual(t, len(fields), 10)
		require.True(t, b["text"] != nil || len(fields) > 0, "an empty section")
		for _, f := range fields {
			require.LessOrEqual(t, size(f.(map[string]any)["text"].(string)), 2000)
		}
	case "context":
		els := b["elements"].([]any)
		require.True(t, len(els) >= 1 && len(els) <= 10)
	case "actions":
		for _, e := range b["elements"].([]any) {
			o := e.(map[string]any)
			require.LessOrEqual(t, size(o["text"].(map[string]any)["text"].(string)), 75)
			c, asks := o["confirm"].(map[string]any)
			if !asks {
				continue
			}
			for k, limit := range map[string]int{"title": 100, "text": 300, "confirm": 30, "deny": 30} {
				require.LessOrEqual(t, size(c[k].(map[string]any)["text"].(string)), limit, k)
			}
		}
	case "plan":
		require.NotContains(t, b["title"], "<")
	case "rich_text", "divider":
	default:
		require.Failf(t, "unknown block", "%v", b["type"])
	}
	return checkTexts(t, b)
}

// checkTexts walks every text of a block and returns how much there is.
func checkTexts(t tester, x any) int {
	t.Helper()
	total := 0
	switch v := x.(type) {
	case []any:
		for _, e := range v {
			total += checkTexts(t, e)
		}
	case map[string]any:
		if s, ok := v["text"].(string); ok {
			require.NotEmpty(t, s, "Slack refuses an empty text")
			require.LessOrEqual(t, size(s), 3000)
			require.Equal(t, strings.ToValidUTF8(s, "?"), s)
			for _, r := range s {
				require.False(t, r != '\n' && hidden(r), "a hidden character %U", r)
			}
			switch v["type"] {
			case "mrkdwn":
				require.Equal(t, true, v["verbatim"])
				rest := goodToken.ReplaceAllString(s, "")
				require.NotContains(t, rest, "<")
				require.NotContains(t, rest, ">")
			case "plain_text":
				require.Equal(t, false, v["emoji"])
			}
			total += size(s)
		}
		for k, e := range v {
			switch s := e.(type) {
			case string:
				if k == "title" {
					require.NotContains(t, s, "<")
					total += size(s)
				}
				if k == "user_id" || k == "channel_id" || k == "usergroup_id" {
					require.Regexp(t, slackID, s)
				}
			default:
				total += checkTexts(t, e)
			}
		}
	}
	return total
}
