package card

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

func TestAVotesButtonNamesThePlanThatTheCardShows(t *testing.T) {
	value := Ballot("F-7K3Q", 2, "0123456789")
	id, plan, hash := ReadBallot(value)
	require.Equal(t, "01234567", hash)
	require.Equal(t, "F-7K3Q", id)
	require.Equal(t, 2, plan)
	for _, bad := range []string{"F-7K3Q", "F-7K3Q/", "F-7K3Q/0", "F-7K3Q/-2", "F-7K3Q/two", "/1x", ""} {
		_, plan, _ := ReadBallot(bad)
		require.Equal(t, -1, plan, "%q must not become a vote on whatever is current", bad)
	}
	f := replacedFlow()
	require.Contains(t, string(renderer(English).Card(f, 2, true).Blocks), `"F-7K3Q/2/h2"`)
	require.NotContains(t, string(renderer(English).Card(f, 1, true).Blocks), "F-7K3Q/", "a replaced card takes no votes")
	require.NotContains(t, string(renderer(English).FlowDetail(f, English).Blocks), "F-7K3Q/")
}

func TestTheDenyModalKeepsToSlacksLimits(t *testing.T) {
	for _, lang := range []string{English, Chinese} {
		v := renderer(English).DenyModal("F-7K3Q", "private", lang)
		data, err := json.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, "private", v.PrivateMetadata)
		for _, title := range []string{v.Title.Text, v.Submit.Text, v.Close.Text} {
			require.NotEmpty(t, title)
			require.LessOrEqual(t, size(title), 24)
		}
		require.Contains(t, string(data), `"block_id":"reason"`)
		require.Contains(t, string(data), `"optional":true`)
		require.Equal(t, lang == Chinese, strings.Contains(string(data), "否决"))
	}
}

func TestARejectedVoteHasTheWordsOfTheCard(t *testing.T) {
	for _, lang := range []string{English, Chinese} {
		for why, words := range reasons {
			no := &flow.Rejection{Code: flow.RejectVote, Args: map[string]string{"id": "F-7K3Q", "vote": string(why)}}
			require.Contains(t, renderer(English).Rejection(no, lang).Text, words.in(lang))
			require.Contains(t, renderer(English).RejectionText(no, lang), words.in(lang))
		}
		require.NotEmpty(t, renderer(English).RejectionText(&flow.Rejection{Code: "new"}, lang))
	}
}

func TestVoteLogsReadAsPinned(t *testing.T) {
	f := situations()["escalated"]
	for _, lang := range []string{English, Chinese} {
		golden(t, "log/ballot."+lang, renderer(lang).Log(f, []flow.Note{
			{Code: flow.NoteReminder, Args: map[string]string{"who": "U0LEAD1,U0LEAD2", "at": "2026-11-24T16:00:00Z"}},
			{Code: flow.NoteEscalated, Args: map[string]string{"group": "leads", "to": "finops"}},
			{Code: flow.NoteGrace, Args: map[string]string{"at": "2026-11-24T12:10:00Z"}},
			{Code: flow.NoteStopped, By: "U0LEAD1", Args: map[string]string{"who": "U0ALICE,U0FIN1"}},
			{Code: flow.NoteDenied, By: "U0LEAD2", Args: map[string]string{"reason": "<!channel> `no`"}},
		}))
		f.Request.Language = lang
		golden(t, "whisper/approved."+lang, renderer(English).Whisper(f, flow.Note{Code: flow.NoteApproved, Args: map[string]string{"by": "U0FIN1,U0LEAD1"}}))
		skipped := flow.Note{Code: flow.NoteSkipped, By: "U0ALICE", To: "U0LEAD1", Args: map[string]string{"group": "oncall"}}
		golden(t, "whisper/skipped."+lang, renderer(lang).Whisper(f, skipped))
		golden(t, "whisper/denied."+lang, renderer(English).Whisper(f, flow.Note{Code: flow.NoteDenied, By: "U0LEAD2", Args: map[string]string{"reason": "too dear"}}))
	}
	require.Equal(t, approvals.ReasonWithdrawn, f.Verdict.Ballot.Uncounted[0].Reason)
}
