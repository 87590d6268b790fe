package card

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

func actionIDs(t *testing.T, m flow.Message) []string {
	t.Helper()
	var blocks []struct {
		Type     string
		Elements []struct {
			ActionID string `json:"action_id"`
			Value    string
			Confirm  map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
	var ids []string
	for _, b := range blocks {
		if b.Type != "actions" {
			continue
		}
		for _, e := range b.Elements {
			switch e.ActionID {
			case ActionApprove, ActionDeny:
				require.Equal(t, Ballot("F-7K3Q", 1, "h1"), e.Value)
			case ActionHappened, ActionDidNot, ActionClose:
				doubt := situations()["unknown"]
				require.Equal(t, Decision(doubt), e.Value)
				id, episode := ReadDecision(e.Value)
				require.Equal(t, "F-7K3Q", id)
				require.Equal(t, doubt.Episode(), episode)
			default:
				require.Equal(t, "F-7K3Q", e.Value)
			}
			if e.ActionID != ActionDeny && e.ActionID != ActionHappened { // which open a modal that asks
				require.NotEmpty(t, e.Confirm, "a click that changes something is asked about first")
			}
			ids = append(ids, e.ActionID)
		}
	}
	return ids
}

func TestButtonsFollowTheState(t *testing.T) {
	for name, f := range situations() {
		want := map[flow.State][]string{
			flow.Planning: {ActionCancel}, flow.AwaitingApproval: {ActionApprove, ActionDeny, ActionCancel},
			flow.Scheduled: {ActionCancel}, flow.Queued: {ActionCancel},
			flow.Unknown: {ActionHappened, ActionDidNot, ActionClose},
			flow.Partial: {ActionRetry, ActionKeep},
		}[f.State]
		switch name {
		case "grace":
			want = []string{ActionHalt, ActionCancel}
		case "approved-later":
			want = []string{ActionDeny, ActionCancel}
		case "replaced", "partial-settled":
			want = nil
		case "partial-desk":
			want = []string{ActionRetry, ActionCleanUp, ActionKeep}
		case "steerable":
			want = []string{ActionPause, ActionStop}
		}
		require.Equal(t, want, actionIDs(t, renderer(English).Card(f, min(1, len(f.Plans)), true)), name)
	}
}

func TestApproversArePingedOnlyWhileTheyAreAsked(t *testing.T) {
	for name, f := range situations() {
		for n := range len(f.Plans) + 1 {
			blocks := string(renderer(Chinese).Card(f, n, true).Blocks)
			open := f.State == flow.AwaitingApproval || f.State == flow.Unknown // who may settle is asked
			if !open || n < len(f.Plans) && n != 0 {
				require.NotContains(t, blocks, "subteam", "%s card %d", name, n)
			}
		}
	}
	m := renderer(English).Card(situations()["awaiting"], 1, false)
	require.Contains(t, string(m.Blocks), "<!subteam^S0FINOPS>")
	require.Contains(t, string(m.Blocks), "<@U0LEAD1> or <@U0LEAD2>")
	require.NotContains(t, string(renderer(English).FlowDetail(situations()["awaiting"], English).Blocks), "subteam", "looking pings nobody")
}

func TestOnlyRichCardsUsePlanBlocks(t *testing.T) {
	for name, f := range situations() {
		plain := renderer(English).Card(f, len(f.Plans), false)
		require.NotContains(t, string(plain.Blocks), `"type":"plan"`, name)
		require.NotContains(t, string(plain.Blocks), "task_card", name)
		rich := renderer(English).Card(f, len(f.Plans), true)
		require.Contains(t, string(rich.Blocks), `"type":"task_card"`, name)
		require.Equal(t, plain.Text, rich.Text)
	}
}

func TestTextBeginsWithClusterGroupChangeAndState(t *testing.T) {
	for name, f := range situations() {
		n := len(f.Plans)
		require.True(t, strings.HasPrefix(renderer(English).Card(f, n, true).Text,
			head(f)+": "+strings.ReplaceAll(string(f.State), "_", " ")), name)
		if f.State.Told() {
			require.True(t, strings.HasPrefix(renderer(English).Notice(f, f.State).Text, head(f)+": "+string(f.State)), name)
		}
	}
}

func TestMetadata(t *testing.T) {
	f := situations()["running"]
	m := renderer(English).Card(f, 1, true)
	require.Equal(t, "scalebot_flow", m.EventType)
	require.Equal(t, map[string]any{"flow": "F-7K3Q", "state": "running", "version": int64(7)}, m.Payload)
	require.Equal(t, "card/1", m.Key)
	require.Equal(t, "C0DATA", m.Channel)
	m = renderer(English).Notice(succeeded(), flow.Succeeded)
	require.Equal(t, "scalebot_notice", m.EventType)
	require.Equal(t, map[string]any{"flow": "F-7K3Q", "state": "succeeded"}, m.Payload)
	require.Equal(t, "notice/succeeded", m.Key)
	m = renderer(English).Log(f, []flow.Note{{Code: flow.NoteFree}})
	require.Equal(t, "scalebot_log", m.EventType)
	require.Equal(t, map[string]any{"flow": "F-7K3Q"}, m.Payload)
}

// The line to copy asks for all that was asked for; one whose time has passed is
// not shown, since it would start now.
func TestTheLineToAskAgainIsTheWholeRequest(t *testing.T) {
	lines := func(f flow.Flow) string { return readable(t, renderer(English).Card(f, 1, false).Blocks) }
	f := situations()["expired"]
	f.Request.Wish.Change.InstanceType, f.Request.Wish.Change.Renew = "S5.4XLARGE64", true
	f.Request.StartAt = f.EndedAt.Add(time.Hour)
	require.Contains(t, lines(f), "/scale emr-m620 task +2 prepaid 1m renew=true spec=S5.4XLARGE64 at "+f.Request.StartAt.Format(time.RFC3339)+" -- nightly backfill")
	f.Request.StartAt = f.EndedAt
	require.NotContains(t, lines(f), "ask again")
	require.NotContains(t, lines(f), "/scale")
	r := New(Options{})
	require.NotContains(t, readable(t, r.Card(situations()["expired"], 1, false).Blocks), "To ask again:")
}

// A private message is often read as a notification, which shows the text alone.
func TestACorrectedLineStandsInTheTextToo(t *testing.T) {
	f := situations()["refused"]
	for _, m := range []flow.Message{
		renderer(English).Whisper(f, *f.End),
		renderer(English).Preview(flow.Preview{Request: f.Request, Refused: f.End}, English),
		renderer(English).Usage(Misread{Why: "No.", Lines: []string{"emr-m620 task +1"}}, English),
		renderer(English).Rejection(&flow.Rejection{Code: flow.RejectZero, Fixed: "emr-m620 task +1"}, English),
	} {
		require.Contains(t, m.Text, "/scale emr-m620 task +1")
		require.Contains(t, readable(t, m.Blocks), "/scale emr-m620 task +1")
	}
}

// A verdict on a void plan must not lend its votes to the plan after it.
func TestVotesOfAnotherPlanAreNotShown(t *testing.T) {
	f := approved(planned(prepaid(), 3))
	f.Verdict.Ballot.PlanHash = "another"
	m := renderer(English).Card(f, 1, false)
	require.NotContains(t, string(m.Blocks), "U0FIN1")
	require.Contains(t, string(m.Blocks), "finops: 0 of 1")
}

// An unknown that was settled before Slack took its notice is still told as what
// it was.
func TestNoticeTellsOfItsOwnState(t *testing.T) {
	f := succeeded()
	f.Log = []flow.Note{{At: t0.Add(5 * time.Minute), Code: flow.NoteUnknown, Text: providers.Text{EN: "No answer."}}}
	m := renderer(English).Notice(f, flow.Unknown)
	require.Contains(t, m.Text, ": unknown — It can't be told whether the change happened. No answer.")
	require.Equal(t, "unknown", m.Payload["state"])
}

func TestRemovalNamesItsNodesWhereTheNamesAreKnown(t *testing.T) {
	f := removal(29)
	require.Contains(t, readable(t, renderer(English).Card(f, 1, true).Blocks), "• emr-vm-12\n• and 17 more")
	f = sent(f, flow.Running)
	f.Submission.Baseline.Groups = []providers.Group{{ID: "TASK", Nodes: nodes(29)}}
	require.Contains(t, readable(t, renderer(English).Card(f, 1, true).Blocks), "• emr-vm-1 · task-1\n")
}

func TestOptionsOfTheWishAreOnTheCard(t *testing.T) {
	yes, no := true, false
	c := prepaid()
	c.InstanceType, c.Zone, c.Start, c.Bootstrap = "S5.2XLARGE16", "ap-guangzhou-3", &yes, &no
	c.Disks = []providers.Disk{{Type: "CLOUD_SSD", SizeG: 200, Count: 2}}
	c.Tags = map[string]string{"team": "data", "cost": "42"}
	c.Renew, c.Months = true, 12
	f := planned(c, 3)
	f.Plans[0].Plan.Quote.Monthly = yuan("701")
	got := readable(t, renderer(English).Card(f, 1, false).Blocks)
	require.Contains(t, got, "spec S5.2XLARGE16 · zone ap-guangzhou-3 · disk CLOUD_SSD 200 GiB × 2 · start services · skip bootstrap scripts · tag cost=42 · tag team=data")
	require.Contains(t, got, "prepaid for 12 months, auto-renew on")
	require.Contains(t, got, "¥ 8,412.00 committed (≈ ¥ 701.00 per month)")
}

func TestMarksOfStates(t *testing.T) {
	// Every sign and every status of the road stands beside a word.
	for name, f := range situations() {
		for _, s := range steps(English, f) {
			require.NotEmpty(t, s.stateWord(English).plain(), "%s %s", name, s.id)
		}
	}
	require.Equal(t, "▓▓▓▓▓▓░░░░ 60 %", bar(situations()["running"]))
	f := situations()["running"]
	for given, want := range map[int]string{-5: "0 %", 100: "100 %", 250: "100 %"} {
		f.Progress.Percent = given
		require.True(t, strings.HasSuffix(bar(f), want) && len([]rune(strings.Fields(bar(f))[0])) == 10, bar(f))
	}
}

func TestUnknownRejectionIsStillANo(t *testing.T) {
	m := New(Options{}).Rejection(&flow.Rejection{Code: "newer"}, English)
	require.Contains(t, m.Text, "nothing was done")
	require.Contains(t, New(Options{}).Preview(flow.Preview{Judgement: approvals.Judgement{Refusal: &approvals.Refusal{Code: "newer"}}}, English).Text, "Would be refused")
}

// A name from config with characters of markup is taken literally too.
func TestNamesFromConfigAreNotInterpreted(t *testing.T) {
	f := planned(prepaid(), 3)
	f.Requirements[0].Group, f.Verdict.Ballot.Seats[0].Group = "_fin_", "_fin_"
	m := renderer(English).Card(f, 1, false)
	var blocks []map[string]any
	require.NoError(t, json.Unmarshal(m.Blocks, &blocks))
	for _, b := range blocks {
		if b["type"] == "section" {
			raw, err := json.Marshal(b)
			require.NoError(t, err)
			require.NotContains(t, string(raw), "_fin_")
		}
	}
	require.Contains(t, string(m.Blocks), "_fin_")
}

func TestAFieldKeepsItsNameInBoldBesideForeignWords(t *testing.T) {
	f := situations()["unknown-price"]
	f.Plans[0].Plan.Quote.Reason.EN = "see *<https://x|y>* `z`"
	blocks := string(renderer(English).Card(f, 1, false).Blocks)
	require.Contains(t, blocks, `{"type":"text","text":"Cost","style":{"bold":true}}`)
	require.NotContains(t, blocks, "*see", "and the foreign words stay literal")
	running := situations()["running"]
	require.Contains(t, string(renderer(English).Card(running, 1, false).Blocks), `*Cloud operation*`)
	running.Operation.ID = "op_*x*"
	require.NotContains(t, string(renderer(English).Card(running, 1, false).Blocks), `"*Cloud operation*`, "an id that could be markup is taken literally")
}

func TestWhatWasTypedShowsAsCode(t *testing.T) {
	code := func(why string) string {
		return string(renderer(English).Usage(Misread{Why: why}, English).Blocks)
	}
	require.Contains(t, code("`+two` is no amount."), `{"type":"text","text":"+two","style":{"code":true}}`)
	require.NotContains(t, code("`+two` is no amount."), "`")
	require.Contains(t, code("put a reason behind ` -- `."), `{"type":"text","text":" -- ","style":{"code":true}}`)
	require.Contains(t, code("`a`b` is no amount."), "`a`b` is no amount.", "a typed backtick: literally")
	require.NotContains(t, code("`<!channel> *x*` is no amount."), `"type":"mrkdwn"`)
}

func TestALineToAskAgainSaysNothingThatNobodyTyped(t *testing.T) {
	f := situations()["expired"]
	f.Request.Wish.Change.Charge, f.Request.Wish.Change.Months = providers.Postpaid, 0
	text := func() string { return readable(t, renderer(English).Card(f, 1, false).Blocks) }
	require.Contains(t, text(), "/scale emr-m620 task +2 postpaid")
	f.Request.DefaultCharge = true
	require.Contains(t, text(), "/scale emr-m620 task +2")
	require.NotContains(t, text(), "postpaid")
}

func TestWhatMovedOnTheBallotIsSaidByName(t *testing.T) {
	ds := []approvals.Difference{
		{What: approvals.Withdrawn, Was: "U0LEAD1,U0LEAD2"},
		{What: approvals.VoteLost, Was: "U0FIN1", Field: string(approvals.ReasonNotInGroup)},
		{What: approvals.VoteLost, Was: "U0FIN1", Field: string(approvals.ReasonMandateRevoked), Is: "M-1"},
		{What: approvals.RulesMoved, Was: "1 of leads", Is: "1 of finops, 2 of leads"},
		{What: approvals.RulesMoved, Is: "<!channel>"},
	}
	for lang, want := range map[string][]string{
		English: {
			"Withdrew the vote: @U0LEAD1, @U0LEAD2",
			"No longer counted: @U0FIN1 — is in none of the groups asked",
			"No longer counted: @U0FIN1 (mandate M-1) — it was revoked",
			"Asked before: 1 of leads. Asked now: 1 of finops and 2 of leads.",
			"Asked before: none. Asked now: <!channel>.",
		},
		Chinese: {
			"撤回了投票：@U0LEAD1、@U0LEAD2",
			"不再计入：@U0FIN1 — 不在所要求的审批组中",
			"不再计入：@U0FIN1（授权 M-1） — 已被撤销",
			"此前要求：leads 1 人。现在要求：finops 1 人、leads 2 人。",
			"此前要求：无。现在要求：<!channel>。",
		},
	} {
		for i, l := range moved(lang, ds) {
			require.Equal(t, want[i], l.plain())
		}
	}
}

// Nobody looks into an unknown flow who isn't told that they are to.
func TestWhoMaySettleIsNamedWhileItIsUnknown(t *testing.T) {
	doubt := situations()["unknown"]
	o := options1()
	o.Groups["oncall"] = approvals.Group{Usergroups: []string{"S0ONCALL"}, Users: []string{"U0LEAD1"}}
	o.Settle = []string{"leads", "oncall"}
	for lang, begin := range map[string]string{English: "Who may settle it: ", Chinese: "有权裁定："} {
		o.Language = lang
		r := New(o)
		for what, m := range map[string]flow.Message{"card": r.Card(doubt, 1, false), "notice": r.Notice(doubt, flow.Unknown)} {
			checkMessage(t, m)
			text := string(m.Blocks)
			_, named, found := strings.Cut(text, begin)
			require.True(t, found, what)
			named, _, _ = strings.Cut(named, `"`)
			named, _, _ = strings.Cut(named, `\n`)
			require.Equal(t, 1, strings.Count(named, "<@U0LEAD1>"), what)
			require.Contains(t, named, "<!subteam^S0ONCALL>", what)
			require.NotContains(t, named, "S0FINOPS", "who may not")
		}
	}
	o.Language, o.Settle = English, nil // as the desk has it: all approvers
	require.Contains(t, string(New(o).Card(doubt, 1, false).Blocks), "<!subteam^S0FINOPS>")
	require.NotContains(t, string(New(o).FlowDetail(doubt, English).Blocks), "subteam", "looking pings nobody")

	settled := doubt
	settled.State = flow.Running
	require.NotContains(t, string(New(o).Card(settled, 1, false).Blocks), "subteam", "it is decided")
	require.NotContains(t, string(New(o).Notice(settled, flow.Unknown).Blocks), "subteam", "also where the notice comes late")

	many := approvals.Group{}
	for i := range 500 {
		many.Users = append(many.Users, "U"+strings.Repeat("0", 8)+strconv.Itoa(i))
	}
	o.Groups, o.Settle = map[string]approvals.Group{"all": many}, []string{"all"}
	for limit, m := range map[int]flow.Message{maxNames: New(o).Card(doubt, 1, false), maxTold: New(o).Notice(doubt, flow.Unknown)} {
		checkMessage(t, m)
		require.Equal(t, limit, strings.Count(string(m.Blocks), "<@U0000"))
		require.Contains(t, string(m.Blocks), "and "+strconv.Itoa(500-limit)+" more")
	}
}

func TestWhoMayNotSettleReadsWhoMay(t *testing.T) {
	no := &flow.Rejection{Code: flow.RejectSettler, Args: map[string]string{"id": "F-7K3Q", "groups": "leads, oncall"}}
	require.Contains(t, renderer(English).Rejection(no, English).Text, "unknown (leads, oncall).")
	require.Contains(t, renderer(English).Rejection(no, Chinese).Text, "（leads, oncall）")
}

func TestTheHomeTabListsWhatIsToBeSettled(t *testing.T) {
	all := situations()
	doubt := all["unknown"]
	doubt.ID = "F-2B9X"
	for lang, title := range map[string]string{English: wHomeSettle.en, Chinese: wHomeSettle.zh} {
		blocks := string(renderer(English).Home(Tab{User: "U0LEAD1", Waiting: []flow.Flow{all["awaiting"], doubt}}, lang).Blocks)
		_, settle, found := strings.Cut(blocks, title)
		require.True(t, found, lang)
		settle, _, _ = strings.Cut(settle, `"divider"`)
		require.Contains(t, settle, "F-2B9X")
		require.NotContains(t, settle, "F-7K3Q", "that is a ballot")
		require.NotContains(t, string(renderer(English).Home(Tab{User: "U0LEAD1", Waiting: []flow.Flow{all["awaiting"]}}, lang).Blocks), title)
	}
}

func TestAReminderOfWhatIsUnknownNamesWhoMaySettleIt(t *testing.T) {
	doubt := situations()["unknown"]
	n := flow.Note{Code: flow.NoteUnsettled, Args: map[string]string{"at": "2026-11-24T16:00:00Z"}}
	doubt.Log = []flow.Note{n}
	for _, lang := range []string{English, Chinese} {
		m := renderer(lang).Log(doubt, []flow.Note{n})
		checkMessage(t, m)
		require.Contains(t, string(m.Blocks), "<!subteam^S0FINOPS>", lang)
		settled := doubt
		settled.State = flow.Running
		m = renderer(lang).Log(settled, []flow.Note{n})
		checkMessage(t, m)
		require.NotContains(t, string(m.Blocks), "subteam", "told late: it is settled")
		require.NotContains(t, string(renderer(lang).FlowDetail(doubt, lang).Blocks), "subteam")
	}
}
