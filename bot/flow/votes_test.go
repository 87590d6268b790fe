package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

// press votes by button on plan n, which 0 leaves open as the command does.
func (w *world) press(id string, n int, user string, choice approvals.Choice, reason string) approvals.Choice {
	w.t.Helper()
	v, err := w.desk.Vote(w.t.Context(), w.caller(user), id, n, choice, reason)
	require.NoError(w.t, err)
	w.settle()
	return v.Choice
}

// turnedAway is why the desk takes no vote of a person.
func (w *world) turnedAway(id string, n int, user string) (flow.RejectCode, map[string]string) {
	w.t.Helper()
	before := w.flow(id)
	_, err := w.desk.Vote(w.t.Context(), w.caller(user), id, n, approvals.Approve, "")
	var no *flow.Rejection
	require.ErrorAs(w.t, err, &no)
	may := w.desk.MayVote(w.t.Context(), w.caller(user), id, n)
	var same *flow.Rejection
	require.ErrorAs(w.t, may, &same, "who may not vote is told before the modal opens")
	require.Equal(w.t, no.Code, same.Code)
	w.settle()
	require.Equal(w.t, before.Votes, w.flow(id).Votes, "nothing is recorded")
	return no.Code, no.Args
}

func (w *world) jump(d time.Duration) {
	w.t.Helper()
	w.settle()
	w.clock.Advance(d)
	w.settle()
}

// notes are the notes of a code in the flow's log.
func (w *world) notes(id string, code flow.NoteCode) []flow.Note {
	w.t.Helper()
	var ns []flow.Note
	for _, n := range w.flow(id).Log {
		if n.Code == code {
			ns = append(ns, n)
		}
	}
	return ns
}

// whys are the votes of the current ballot that don't count.
func (w *world) whys(id string) map[string]approvals.Reason {
	w.t.Helper()
	out := map[string]approvals.Reason{}
	if v := w.flow(id).Verdict; v != nil {
		for _, u := range v.Ballot.Uncounted {
			out[u.User] = u.Reason
		}
	}
	return out
}

func TestButtonsAndReactionsAreCountedTogether(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(2))
	w.settle()
	require.Equal(t, approvals.Approve, w.press(id, 1, lead1, approvals.Approve, ""))
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.AwaitingApproval) // one person fills one seat, however often they agree
	require.Empty(t, w.cloud.Ledger())
	w.press(id, 0, finance, approvals.Approve, "")
	w.in(id, flow.Running)
	require.Contains(t, w.whispers(asker), string(flow.NoteApproved), "who asked is told")
	w.consistent()
}

func TestApprovingAgainTakesTheVoteBack(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(2))
	w.settle()
	w.press(id, 1, lead1, approvals.Approve, "")
	require.Equal(t, approvals.TakenBack, w.press(id, 1, lead1, approvals.Approve, ""))
	require.Equal(t, approvals.ReasonWithdrawn, w.whys(id)[lead1])
	w.press(id, 1, finance, approvals.Approve, "")
	w.in(id, flow.AwaitingApproval)
	require.Equal(t, approvals.Approve, w.press(id, 1, lead1, approvals.Approve, ""))
	w.in(id, flow.Running)
}

func TestOnlyTheButtonTakesAnApprovalBackByApproving(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(2))
	w.settle()
	typed := func(choice approvals.Choice) flow.Voted {
		v, err := w.desk.Vote(t.Context(), w.caller(lead1), id, 0, choice, "")
		require.NoError(t, err)
		return v
	}
	none := typed(approvals.TakenBack)
	require.True(t, none.Same, "there is nothing to take back")
	w.press(id, 1, lead1, approvals.Approve, "")
	for range 2 { // the second while the first may still wait to be taken up
		v := typed(approvals.Approve)
		require.Equal(t, approvals.Approve, v.Choice)
		require.True(t, v.Same)
	}
	w.settle()
	require.Equal(t, []string{lead1}, w.flow(id).Verdict.Ballot.Seated())
	require.Len(t, w.flow(id).Votes, 1)

	v := typed(approvals.TakenBack)
	require.Equal(t, approvals.TakenBack, v.Choice)
	require.False(t, v.Same)
	require.True(t, typed(approvals.TakenBack).Same, "it was heard, though nobody looked yet")
	w.settle()
	require.Equal(t, approvals.ReasonWithdrawn, w.whys(id)[lead1])
	require.False(t, typed(approvals.Approve).Same)
	w.press(id, 1, finance, approvals.Approve, "")
	w.in(id, flow.Running)
}

func TestTwoPressesBeforeTheEngineLooks(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(2))
	w.settle()
	for _, want := range []approvals.Choice{approvals.Approve, approvals.TakenBack} {
		v, err := w.desk.Vote(t.Context(), w.caller(lead1), id, 1, approvals.Approve, "")
		require.NoError(t, err)
		require.Equal(t, want, v.Choice)
	}
	w.settle()
	require.Empty(t, w.flow(id).Verdict.Ballot.Seated())
}

func TestOnePressDeliveredTwiceIsOneVote(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(2))
	w.settle()
	c := w.caller(lead1)
	for range 3 {
		v, err := w.desk.Vote(t.Context(), c, id, 1, approvals.Approve, "")
		require.NoError(t, err)
		require.Equal(t, approvals.Approve, v.Choice)
		w.settle()
	}
	require.Equal(t, []string{lead1}, w.flow(id).Verdict.Ballot.Seated())
}

func TestAVoteByButtonIsBoundToThePlanThatWasSeen(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(2))
	w.settle()
	w.press(id, 1, lead1, approvals.Approve, "")
	w.slack.Delete(w.card(id, 1)) // voids the plan; the next one has the same hash
	w.jump(time.Minute)
	f := w.flow(id)
	require.Equal(t, flow.AwaitingApproval, f.State)
	require.Len(t, f.Plans, 2)
	require.Equal(t, f.Plans[0].Plan.Hash, f.Plans[1].Plan.Hash)
	require.Equal(t, approvals.ReasonOlderPlan, w.whys(id)[lead1])

	code, _ := w.turnedAway(id, 1, lead1)
	require.Equal(t, flow.RejectOldPlan, code)
	w.press(id, 2, finance, approvals.Approve, "")
	w.in(id, flow.AwaitingApproval)
	w.press(id, 2, lead2, approvals.Approve, "")
	w.in(id, flow.Running)
}

func TestAVoteThatWaitsWhileThePlanIsReplacedCountsOnNeither(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.slack.Delete(w.card(id, 1))
	_, err := w.desk.Vote(t.Context(), w.caller(lead1), id, 1, approvals.Approve, "")
	require.NoError(t, err)
	w.settle()
	w.jump(time.Minute)
	require.Len(t, w.flow(id).Plans, 2)
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
}

func TestWhoMayNotVoteIsToldWhyAtOnce(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.slack.Person(approvals.Person{ID: "U0GUEST", Found: true, Guest: true})
	w.slack.Person(approvals.Person{ID: "U0BOT2", Found: true, Bot: true})
	w.slack.Person(approvals.Person{ID: "U0LOST"})
	for user, why := range map[string]approvals.Reason{
		asker: approvals.ReasonRequester, "U0OTHER": approvals.ReasonNotInGroup, "U0GUEST": approvals.ReasonGuest,
		"U0BOT2": approvals.ReasonBot, "U0LOST": approvals.ReasonUnknown,
	} {
		code, args := w.turnedAway(id, 1, user)
		require.Equal(t, flow.RejectVote, code)
		require.Equal(t, string(why), args["vote"], user)
	}
	w.slack.Fail("members", errors.New("down"))
	_, err := w.desk.Vote(t.Context(), w.caller(lead1), id, 1, approvals.Approve, "")
	var no *flow.Rejection
	require.ErrorAs(t, err, &no)
	require.Equal(t, string(approvals.ReasonGroupUnread), no.Args["vote"], "a group that can't be read lets nobody vote")

	code, _ := w.turnedAway(id, 7, lead1)
	require.Equal(t, flow.RejectBallot, code)
	w.press(id, 1, lead1, approvals.Approve, "")
	w.in(id, flow.Running)
	code, _ = w.turnedAway(id, 1, lead2)
	require.Equal(t, flow.RejectBallot, code, "it was sent already")
}

func TestADenialWithAReason(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(1))
	w.settle()
	w.press(id, 1, lead2, approvals.Deny, "too dear <!channel> "+strings.Repeat("长", 2000))
	w.in(id, flow.Denied)
	f := w.flow(id)
	require.Equal(t, lead2, f.End.By)
	require.True(t, strings.HasPrefix(f.End.Args["reason"], "too dear <!channel> 长"), "kept as typed; the card escapes it")
	require.Equal(t, 1000, len([]rune(f.End.Args["reason"])))
	require.Equal(t, f.End.Args, w.notes(id, flow.NoteDenied)[0].Args)
	require.Equal(t, f.End.Args, f.Whispers[len(f.Whispers)-1].Args, "who asked reads the reason privately")
	require.Empty(t, w.cloud.Ledger())
	w.consistent()
}

func TestADenialWhileInLineEndsIt(t *testing.T) {
	w := newWorld(t)
	first := w.request(ask(flow.Add, 1))
	w.settle()
	second := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(second, 1, "white_check_mark", lead1)
	w.in(second, flow.Queued)
	w.press(second, 1, lead2, approvals.Deny, "not now")
	w.jump(3 * time.Minute)
	w.pass(time.Minute)
	w.in(first, flow.Succeeded)
	w.in(second, flow.Denied)
	require.Len(t, w.cloud.Ledger(), 1)
}

func TestReminders(t *testing.T) {
	w := newWorld(t)
	w.options.RemindAfter = 15 * time.Minute
	w.wire()
	id := w.request(prepaid(2))
	w.settle()
	w.vote(id, 1, "white_check_mark", finance)
	w.jump(14 * time.Minute)
	require.Empty(t, w.notes(id, flow.NoteReminder))
	w.jump(time.Minute)
	require.Len(t, w.notes(id, flow.NoteReminder), 1)
	require.Equal(t, lead1+","+lead2, w.notes(id, flow.NoteReminder)[0].Args["who"], "only who can fill the open seat")
	require.Len(t, w.slack.Keyed("log/"), 3, "one reply of its own")

	w.wire() // restarted
	w.jump(14 * time.Minute)
	require.Len(t, w.notes(id, flow.NoteReminder), 1)
	w.jump(time.Minute)
	require.Len(t, w.notes(id, flow.NoteReminder), 2, "the second one at twice the time")
	w.jump(100 * time.Minute) // away for the ones at 60 and 120 minutes
	require.Len(t, w.notes(id, flow.NoteReminder), 3, "those that came due meanwhile are one")
	w.jump(2 * time.Hour)
	w.in(id, flow.Expired)
	require.Len(t, w.notes(id, flow.NoteReminder), 3)
	require.Empty(t, w.flow(id).Log[len(w.flow(id).Log)-1].Args)
}

func TestNoReminders(t *testing.T) {
	t.Run("with 0s", func(t *testing.T) {
		w := newWorld(t)
		id := w.request(prepaid(2))
		w.jump(3 * time.Hour)
		require.Empty(t, w.notes(id, flow.NoteReminder))
	})
	t.Run("when nobody is left who could vote", func(t *testing.T) {
		w := newWorld(t, func(c *approvals.Config) { c.Groups["leads"] = approvals.Group{Usergroups: []string{"S0LEADS"}} })
		w.options.RemindAfter = time.Minute
		w.wire()
		w.slack.SetGroup("S0LEADS", asker)
		id := w.request(ask(flow.Remove, 1))
		w.jump(10 * time.Minute)
		require.Empty(t, w.notes(id, flow.NoteReminder))
	})
	t.Run("names at most eight", func(t *testing.T) {
		w := newWorld(t, func(c *approvals.Config) { c.Groups["leads"] = approvals.Group{Usergroups: []string{"S0LEADS"}} })
		w.options.RemindAfter = time.Minute
		w.wire()
		many := make([]string, 300)
		for i := range many {
			many[i] = "U0M" + strings.Repeat("X", i)
		}
		w.slack.SetGroup("S0LEADS", many...)
		id := w.request(ask(flow.Remove, 1))
		w.jump(time.Minute)
		require.Len(t, strings.Split(w.notes(id, flow.NoteReminder)[0].Args["who"], ","), 8)
	})
}

// The first ones by id may be away: everybody who can fill an open seat is reminded
// in turn, of each group that is asked.
func TestRemindersNameEverybodyInTurn(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Groups["leads"] = approvals.Group{Usergroups: []string{"S0LEADS"}}
		c.Groups["finops"] = approvals.Group{Usergroups: []string{"S0FIN"}}
	})
	w.options.RemindAfter = time.Minute
	w.wire()
	var leads, fins []string
	for i := range 12 {
		leads, fins = append(leads, fmt.Sprintf("U0LEAD%02d", i)), append(fins, fmt.Sprintf("U0FIN%02d", i))
	}
	w.slack.Person(approvals.Person{ID: leads[1], Found: true, Guest: true})
	w.slack.SetGroup("S0LEADS", leads...)
	w.slack.SetGroup("S0FIN", fins...)
	id := w.request(prepaid(1))
	w.jump(4 * time.Minute) // two of the three that came due meanwhile are one
	w.jump(4 * time.Minute)
	w.jump(8 * time.Minute)
	var named []string
	for _, n := range w.notes(id, flow.NoteReminder) {
		who := strings.Split(n.Args["who"], ",")
		require.Len(t, who, 8)
		require.True(t, slices.ContainsFunc(who, func(id string) bool { return slices.Contains(leads, id) }), "of each group some: %s", who)
		named = append(named, who...)
	}
	require.Len(t, w.notes(id, flow.NoteReminder), 3)
	slices.Sort(named)
	require.ElementsMatch(t, slices.Concat(fins, leads[:1], leads[2:]), slices.Compact(named))
}

func TestEscalationToASecondGroup(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Groups["managers"] = approvals.Group{Users: []string{"U0BOSS", asker}}
		c.Rules[2].Escalate = &approvals.Escalation{After: time.Hour, To: "managers"}
	})
	w.options.RemindAfter = 59 * time.Minute
	w.wire()
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", "U0BOSS")
	require.Equal(t, approvals.ReasonNotInGroup, w.whys(id)["U0BOSS"])
	w.jump(time.Hour - time.Second)
	w.in(id, flow.AwaitingApproval)
	require.Empty(t, w.notes(id, flow.NoteEscalated))
	w.slack.Unreact(w.card(id, 1), "white_check_mark", "U0BOSS")
	w.jump(time.Second)
	require.Equal(t, map[string]string{"group": "leads", "to": "managers"}, w.notes(id, flow.NoteEscalated)[0].Args)
	require.True(t, w.flow(id).Verdict.Ballot.Seats[0].Escalated)
	waiting, _, err := w.desk.Waiting(t.Context(), "U0BOSS")
	require.NoError(t, err)
	require.Len(t, waiting, 1, "it waits for the second group's people too")
	w.jump(59 * time.Minute)
	require.Equal(t, "U0BOSS,"+lead1+","+lead2, w.notes(id, flow.NoteReminder)[1].Args["who"])
	require.Len(t, w.notes(id, flow.NoteEscalated), 1, "said once")
	w.press(id, 1, "U0BOSS", approvals.Approve, "")
	w.in(id, flow.Running)
}

// graceful is a world with ten minutes of grace and an approved removal.
func graceful(t *testing.T) (*world, string) {
	w := newWorld(t)
	w.options.Grace = 10 * time.Minute
	w.options.Settle = []string{"finops"}
	w.wire()
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Scheduled)
	return w, id
}

func TestGrace(t *testing.T) {
	t.Run("nothing runs before it is over, then it goes on", func(t *testing.T) {
		w, id := graceful(t)
		w.jump(10*time.Minute - time.Second)
		w.in(id, flow.Scheduled)
		require.Equal(t, flow.WaitGrace, w.flow(id).Wait.Code)
		w.jump(time.Second)
		w.in(id, flow.Running)
		require.True(t, w.flow(id).GraceUntil.IsZero())
		w.consistent()
	})
	t.Run("a start time after it is kept", func(t *testing.T) {
		w := newWorld(t)
		w.options.Grace = 10 * time.Minute
		w.wire()
		a := ask(flow.Remove, 1)
		a.StartAt = w.clock.Now().Add(time.Hour)
		id := w.request(a)
		w.settle()
		w.vote(id, 1, "white_check_mark", lead1)
		w.jump(11 * time.Minute)
		w.in(id, flow.Scheduled)
		require.True(t, w.flow(id).GraceUntil.IsZero())
		w.jump(50 * time.Minute)
		w.in(id, flow.Running)
	})
	t.Run("what no rule asks anybody about has none", func(t *testing.T) {
		w := newWorld(t)
		w.options.Grace = 10 * time.Minute
		w.wire()
		id := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(id, flow.Running)
	})
	for who, user := range map[string]string{
		"who asked": asker, "who voted": lead1, "somebody else who was asked": lead2, "who may settle": finance,
	} {
		t.Run(who+" can stop it", func(t *testing.T) {
			w, id := graceful(t)
			_, err := w.desk.Halt(t.Context(), w.caller(user), id)
			require.NoError(t, err)
			w.settle()
			w.in(id, flow.Cancelled)
			f := w.flow(id)
			require.Equal(t, flow.NoteStopped, f.End.Code)
			require.Equal(t, user, f.End.By)
			for _, one := range []string{asker, lead1} {
				require.Equal(t, one != user, strings.Contains(f.End.Args["who"], one), "everybody concerned is named in the thread")
			}
			require.Equal(t, user != asker, strings.Contains(w.whispers(asker), "stopped"))
			w.jump(time.Hour)
			require.Empty(t, w.cloud.Ledger())
			w.consistent()
		})
	}
	t.Run("nobody else can", func(t *testing.T) {
		w, id := graceful(t)
		w.slack.Person(approvals.Person{ID: "U0GONE", Found: true, Deleted: true})
		for user, code := range map[string]flow.RejectCode{"U0OTHER": flow.RejectNoStop, "U0GONE": flow.RejectGuest} {
			_, err := w.desk.Halt(t.Context(), w.caller(user), id)
			var no *flow.Rejection
			require.ErrorAs(t, err, &no)
			require.Equal(t, code, no.Code)
		}
		for range 9 {
			w.slack.Fail("members", errors.New("down"))
		}
		_, err := w.desk.Halt(t.Context(), w.caller(lead2), id)
		rejected(t, err, flow.RejectPerson)
	})
	t.Run("after it there is nothing to stop", func(t *testing.T) {
		w, id := graceful(t)
		w.jump(10 * time.Minute)
		_, err := w.desk.Halt(t.Context(), w.caller(asker), id)
		var no *flow.Rejection
		require.ErrorAs(t, err, &no)
		require.Equal(t, flow.RejectStop, no.Code)
	})
	t.Run("a denial ends it at once", func(t *testing.T) {
		w, id := graceful(t)
		w.vote(id, 1, "x", lead2)
		w.in(id, flow.Denied)
		require.Contains(t, w.whispers(asker), "denied")
	})
	t.Run("by button too", func(t *testing.T) {
		w, id := graceful(t)
		w.press(id, 1, lead2, approvals.Deny, "think again")
		w.in(id, flow.Denied)
		require.Equal(t, "think again", w.flow(id).End.Args["reason"])
	})
	t.Run("a denial whose event was lost ends it before anything is sent", func(t *testing.T) {
		w, id := graceful(t)
		w.jump(10*time.Minute - time.Second)
		w.slack.React(w.card(id, 1), "x", lead2)
		w.jump(time.Second)
		w.in(id, flow.Denied)
		require.Empty(t, w.cloud.Ledger())
	})
	t.Run("a vote withdrawn asks again", func(t *testing.T) {
		w, id := graceful(t)
		w.slack.Unreact(w.card(id, 1), "white_check_mark", lead1)
		w.jump(time.Minute)
		w.in(id, flow.Scheduled)
		require.Equal(t, approvals.ReasonWithdrawn, w.whys(id)[lead1])
		w.jump(9 * time.Minute)
		w.in(id, flow.AwaitingApproval)
		require.Len(t, w.flow(id).Plans, 2)
		require.Empty(t, w.whys(id), "who withdrew had no vote to lose")
		require.Equal(t, []approvals.Difference{{What: approvals.Withdrawn, Was: lead1}}, w.flow(id).Plans[0].VoidedBy, "also when it was seen in the grace time")
		require.Empty(t, w.cloud.Ledger())
	})
	t.Run("reactions that can't be read hold it before sending", func(t *testing.T) {
		w, id := graceful(t)
		for range 100 {
			w.slack.Fail("reactions", errors.New("down"))
		}
		w.jump(10 * time.Minute)
		w.in(id, flow.Queued)
		require.Equal(t, flow.WaitBallot, w.flow(id).Wait.Code)
		require.Empty(t, w.cloud.Ledger())
	})
	t.Run("a better price does not end it", func(t *testing.T) {
		w, id := graceful(t)
		w.cloud.SetPhase(providers.Ready)
		w.jump(10 * time.Minute)
		w.in(id, flow.Running)
	})
}

func TestABallotWithVotesReadsOnFromAnOlderRecord(t *testing.T) {
	var f flow.Flow
	require.NoError(t, json.Unmarshal([]byte(`{"schema":1,"id":"F-1","state":"scheduled","plans":[{"plan":{},"at":"2026-11-24T12:00:00Z","judgement":{}}],"requirements":[{"group":"leads","n":1,"rules":["r"]}]}`), &f))
	require.Empty(t, f.Votes)
	require.Nil(t, f.Requirements[0].Escalate)
	data, err := json.Marshal(f)
	require.NoError(t, err)
	for _, key := range []string{"votes", "reminded", "grace_until", "ballot", "escalate", "plan_hash\":\"\",\"dedupe"} {
		require.NotContains(t, string(data), `"`+key+`"`, "a field that says nothing is not written")
	}
}

// After the store came back older a number may be another plan's than the one on
// the card that was pressed.
func TestAVoteOnAnotherPlanOfTheSameNumberDoesNotCount(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	c := w.caller(lead1)
	c.Saw = "0123abcd"
	for _, try := range []func() error{
		func() error { _, err := w.desk.Vote(t.Context(), c, id, 1, approvals.Approve, ""); return err },
		func() error { return w.desk.MayVote(t.Context(), c, id, 1) },
	} {
		var no *flow.Rejection
		require.ErrorAs(t, try(), &no)
		require.Equal(t, flow.RejectOldPlan, no.Code)
	}
	w.settle()
	w.in(id, flow.AwaitingApproval)
	f := w.flow(id)
	c.Saw = f.Plan().Hash[:8]
	_, err := w.desk.Vote(t.Context(), c, id, 1, approvals.Approve, "")
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Running)
}

// later is a world with a removal that was approved for the night.
func later(t *testing.T) (*world, string) {
	w := newWorld(t)
	a := ask(flow.Remove, 1)
	a.StartAt = noon.Add(14 * time.Hour)
	id := w.request(a)
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Scheduled)
	return w, id
}

func TestABallotStillCountsWhileTheStartTimeIsWaitedFor(t *testing.T) {
	t.Run("a denial ends it at once", func(t *testing.T) {
		w, id := later(t)
		w.vote(id, 1, "x", lead2)
		w.in(id, flow.Denied)
	})
	t.Run("by button too", func(t *testing.T) {
		w, id := later(t)
		w.press(id, 1, lead2, approvals.Deny, "not tonight")
		w.in(id, flow.Denied)
		require.Equal(t, "not tonight", w.flow(id).End.Args["reason"])
	})
	t.Run("a denial whose event was lost is seen within minutes", func(t *testing.T) {
		w, id := later(t)
		w.slack.React(w.card(id, 1), "x", lead2)
		w.jump(startPoll)
		w.in(id, flow.Denied)
	})
	t.Run("an approval that is withdrawn asks again, with the reason", func(t *testing.T) {
		w, id := later(t)
		w.slack.Unreact(w.card(id, 1), "white_check_mark", lead1)
		require.NoError(t, w.desk.Touched(t.Context(), w.card(id, 1)))
		w.settle()
		w.in(id, flow.AwaitingApproval)
		require.Equal(t, []approvals.Difference{{What: approvals.Withdrawn, Was: lead1}}, w.flow(id).Plans[0].VoidedBy)
		w.vote(id, 2, "white_check_mark", lead2)
		w.in(id, flow.Scheduled)
		w.consistent()
	})
	t.Run("what can't be read takes no vote back", func(t *testing.T) {
		w, id := later(t)
		w.slack.Fail("members", errors.New("down"))
		w.slack.Fail("members", errors.New("down"))
		w.jump(startPoll)
		w.slack.Fail("reactions", errors.New("down"))
		w.jump(startPoll)
		w.in(id, flow.Scheduled)
		require.Len(t, w.flow(id).Plans, 1)
		require.Equal(t, []string{lead1}, w.flow(id).Verdict.Ballot.Seated())
	})
	t.Run("most readings are left to open ballots", func(t *testing.T) {
		w, id := later(t)
		w.settle()
		before, version := w.slack.Reads(), w.flow(id).Version
		w.pass(20 * time.Minute)
		require.LessOrEqual(t, w.slack.Reads()-before, 4)
		require.LessOrEqual(t, w.flow(id).Version, version+1, "nothing is news")
	})
	t.Run("then it starts", func(t *testing.T) {
		w, id := later(t)
		w.jump(14 * time.Hour)
		w.in(id, flow.Running)
		w.consistent()
	})
	t.Run("what nobody was asked about reads no votes", func(t *testing.T) {
		w := newWorld(t)
		a := ask(flow.Add, 1)
		a.StartAt = noon.Add(2 * time.Hour)
		id := w.request(a)
		w.pass(time.Minute)
		w.in(id, flow.Scheduled)
		require.Zero(t, w.slack.Reads())
	})
}

// startPoll is within how long a lost event is made up for.
const startPoll = 5 * time.Minute

// remembering is a Directory that goes on with what it once read, like a replica
// that Slack did not tell of a change.
type remembering struct {
	*flowtest.Slack
	members map[string][]string // by the group's first usergroup
}

func (r *remembering) Members(ctx context.Context, g approvals.Group) ([]string, error) {
	if len(g.Usergroups) == 0 {
		return r.Slack.Members(ctx, g)
	}
	id := g.Usergroups[0]
	if known, ok := r.members[id]; ok {
		return known, nil
	}
	members, err := r.Slack.Members(ctx, g)
	if err == nil {
		r.members[id] = members
	}
	return members, err
}

func (r *remembering) Refresh(_ []string, groups []approvals.Group) {
	for _, g := range groups {
		for _, id := range g.Usergroups {
			delete(r.members, id)
		}
	}
}

func remembered(t *testing.T) *world {
	w := newWorld(t, func(c *approvals.Config) {
		c.Groups["leads"] = approvals.Group{Usergroups: []string{"S0LEADS"}}
		c.BreakGlass = []string{"leads"}
	})
	w.slack.SetGroup("S0LEADS", lead1, lead2, asker)
	w.options.Directory = &remembering{w.slack, map[string][]string{}}
	w.wire()
	return w
}

func TestTheReadingBeforeSendingRemembersNoGroup(t *testing.T) {
	t.Run("an approver who left", func(t *testing.T) {
		w := remembered(t)
		w.cloud.SetPhase(providers.Busy)
		id := w.request(ask(flow.Remove, 1))
		w.settle()
		w.press(id, 1, lead1, approvals.Approve, "")
		w.in(id, flow.Queued)
		w.slack.SetGroup("S0LEADS", lead2, asker)
		w.cloud.SetPhase(providers.Ready)
		w.jump(time.Minute)
		w.in(id, flow.AwaitingApproval)
		require.Empty(t, w.cloud.Ledger())
		require.Equal(t, []approvals.Difference{{What: approvals.VoteLost, Was: lead1, Field: string(approvals.ReasonNotInGroup)}}, w.flow(id).Plans[0].VoidedBy)
	})
	t.Run("who broke the glass", func(t *testing.T) {
		w := remembered(t)
		w.cloud.SetPhase(providers.Busy)
		a := ask(flow.Remove, 1)
		a.BreakGlass, a.Reason = true, "disks are full"
		id := w.request(a)
		w.settle()
		w.in(id, flow.Queued)
		w.slack.SetGroup("S0LEADS", lead1)
		w.cloud.SetPhase(providers.Ready)
		w.jump(time.Minute)
		w.in(id, flow.AwaitingApproval)
		require.Empty(t, w.cloud.Ledger())
	})
}

// A minute in which Slack doesn't tell who is in a group takes nobody's vote back.
func TestAGroupThatCannotBeReadBeforeSendingIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.cloud.SetPhase(providers.Busy)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.press(id, 1, lead1, approvals.Approve, "")
	w.in(id, flow.Queued)
	w.cloud.SetPhase(providers.Ready)
	w.slack.Fail("members", errors.New("Slack is slow"))
	w.slack.Fail("members", errors.New("Slack is slow"))
	w.jump(30 * time.Second)
	w.in(id, flow.Queued)
	require.Equal(t, flow.WaitBallot, w.flow(id).Wait.Code)
	w.pass(time.Minute)
	require.Len(t, w.flow(id).Plans, 1)
	require.Len(t, w.cloud.Ledger(), 1)
	w.consistent()
}
