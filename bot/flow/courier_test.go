package flow_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/bot/redisstore"
	"scalebot/providers"
)

func zset(at time.Time, id string) redis.Z {
	return redis.Z{Score: float64(at.UnixMilli()), Member: id}
}

// Slack promises nothing of a message that one person sees in a channel, so an end
// is told where it stays.
func TestAnEndIsToldInADirectMessage(t *testing.T) {
	where := func(w *world, part string) string {
		for _, m := range w.slack.Messages() {
			if m.Private == asker && strings.Contains(m.Text, part) {
				return m.Message.Channel
			}
		}
		t.Fatalf("%s is told nothing of %s", asker, part)
		return ""
	}
	for name, c := range map[string]struct {
		end func(w *world, id string)
		as  flow.NoteCode
	}{
		"denied":  {func(w *world, id string) { w.vote(id, 1, "x", lead1) }, flow.NoteDenied},
		"expired": {func(w *world, _ string) { w.pass(5 * time.Minute); w.jump(4 * time.Hour) }, flow.NoteExpired},
		"stopped": {stopped, flow.NoteStopped},
		"refused": {func(w *world, id string) { w.cloud.SetPhase(providers.Gone); w.vote(id, 1, "white_check_mark", lead1) }, flow.NoteRefused},
		"too large": {func(w *world, id string) {
			w.cloud.Resize(1)
			w.jump(2 * time.Minute)
			w.vote(id, 1, "white_check_mark", lead1)
		}, flow.NoteBelowMin},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.as == flow.NoteStopped {
				w.options.Grace = 10 * time.Minute
				w.wire()
			}
			id := w.request(ask(flow.Remove, 1))
			w.settle()
			c.end(w, id)
			w.settle()
			require.Equal(t, c.as, w.flow(id).End.Code)
			require.Empty(t, where(w, string(c.as)))
		})
	}
	t.Run("what is wrong with a command is read where it was typed", func(t *testing.T) {
		w := newWorld(t)
		w.cloud.Resize(1)
		w.request(ask(flow.Remove, 1))
		w.settle()
		require.Equal(t, room, where(w, string(flow.NoteBelowMin)))
	})
	t.Run("and what goes on too", func(t *testing.T) {
		w := newWorld(t)
		id := w.request(ask(flow.Remove, 1))
		w.settle()
		w.vote(id, 1, "white_check_mark", lead1)
		require.Equal(t, room, where(w, string(flow.NoteApproved)))
	})
}

func stopped(w *world, id string) {
	w.vote(id, 1, "white_check_mark", lead1)
	_, err := w.desk.Halt(w.t.Context(), w.caller(lead2), id)
	require.NoError(w.t, err)
}

func TestAPostWhoseAnswerWasLostIsFoundAndNotDoubled(t *testing.T) {
	for _, prefix := range []string{"card/", "notice/succeeded/" + room, "log/"} {
		w := newWorld(t)
		if prefix == "card/" {
			w.slack.FailAfter("post", flow.ErrChatInDoubt)
		}
		id := w.request(ask(flow.Add, 1))
		w.settle()
		switch prefix {
		case "log/":
			w.slack.FailAfter("post", flow.ErrChatInDoubt)
		case "notice/succeeded/" + room:
			w.pass(50 * time.Second)
			w.slack.FailAfter("post", flow.ErrChatInDoubt)
		}
		w.pass(3 * time.Minute)
		w.in(id, flow.Succeeded)
		keys := map[string]int{}
		for _, m := range w.slack.Messages() {
			if m.Private == "" {
				f := w.flow(id)
				key := strings.TrimSuffix(m.Key, "/"+f.Plan().Hash[:8])
				keys[key]++
			}
		}
		for key, n := range keys {
			require.Equal(t, 1, n, "%s was posted %d times (%s)", key, n, prefix)
		}
		require.Equal(t, 1, keys["card/1"])
		require.Equal(t, 1, keys["notice/succeeded/"+room])
		require.Equal(t, 1, keys["notice/succeeded/"+data])
	}
}

func TestAPostThatNeverHappenedIsPostedAfterAll(t *testing.T) {
	w := newWorld(t)
	w.slack.Fail("post", flow.ErrChatInDoubt)
	w.request(ask(flow.Remove, 1))
	w.pass(10 * time.Second)
	require.Len(t, w.slack.Keyed("card/"), 1)
}

// A busy channel stays as busy as it was in that minute, however often it is asked.
func TestASearchThatIsAlwaysCutShortDoesNotSilenceAFlow(t *testing.T) {
	w := newWorld(t)
	w.slack.FailAfter("post", flow.ErrChatInDoubt)
	for range 100 {
		w.slack.Fail("find", flow.ErrSearchCut)
	}
	id := w.request(ask(flow.Add, 1))
	w.pass(3 * time.Second)
	require.Len(t, w.slack.Keyed("card/"), 1, "not yet posted again: it may be there")
	w.pass(3 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.slack.Keyed("notice/"), 2)
	live := 0
	for _, m := range w.slack.Keyed("card/") {
		if !m.Deleted {
			live++
			require.Contains(t, m.Text, "succeeded")
		}
	}
	require.Equal(t, 1, live, "the copy is deleted")
}

func TestADeadSlackDelaysNothingInTheCloud(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.slack.Fail("post", errors.New("down"))
	}
	id := w.request(ask(flow.Add, 1))
	w.pass(90 * time.Second)
	w.in(id, flow.Succeeded)
	require.Empty(t, w.slack.Keyed("card/"))
	w.pass(80 * time.Minute)
	require.Len(t, w.slack.Keyed("card/"), 1)
	require.Contains(t, w.slack.Keyed("card/")[0].Text, "succeeded")
	require.Len(t, w.slack.Keyed("notice/"), 2)
}

func TestRetryAfterIsObeyed(t *testing.T) {
	w := newWorld(t)
	w.slack.Fail("post", &flow.RateLimited{After: 20 * time.Second})
	w.request(ask(flow.Remove, 1))
	w.pass(19 * time.Second)
	require.Empty(t, w.slack.Keyed("card/"))
	w.pass(2 * time.Second)
	require.Len(t, w.slack.Keyed("card/"), 1)
}

func TestRefusedBlocksFallBackOnceAndAreRemembered(t *testing.T) {
	w := newWorld(t)
	w.slack.Fail("post", flow.ErrBlocksRefused)
	w.request(ask(flow.Remove, 1))
	w.settle()
	require.Len(t, w.slack.Keyed("card/"), 1)
	require.JSONEq(t, `[{"rich":false}]`, string(w.slack.Keyed("card/")[0].Blocks))
	w.wire()
	w.request(ask(flow.Remove, 1))
	w.settle()
	require.Len(t, w.slack.Keyed("card/"), 2)
	require.JSONEq(t, `[{"rich":false}]`, string(w.slack.Keyed("card/")[1].Blocks), "a restarted bot does not try again")
}

func TestARefusedLogLeavesTheCardsRich(t *testing.T) {
	w := newWorld(t)
	w.slack.Fail("post", nil) // the card's
	w.slack.Fail("post", flow.ErrBlocksRefused)
	w.request(ask(flow.Remove, 1))
	w.pass(10 * time.Second)
	require.NotEmpty(t, w.slack.Keyed("log/"), "tried again")
	w.request(ask(flow.Remove, 1))
	w.settle()
	require.JSONEq(t, `[{"rich":true}]`, string(w.slack.Keyed("card/")[1].Blocks))
}

func TestAChannelWithoutTheBotIsToldToTheRequester(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.slack.Fail("post", flow.ErrNoChannel)
	}
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	require.Contains(t, w.whispers(asker), string(flow.NoteNoChannel))
	w.pass(2 * time.Minute) // invited meanwhile
	require.Len(t, w.slack.Keyed("card/"), 1)
	require.Equal(t, 1, strings.Count(w.whispers(asker), string(flow.NoteNoChannel)), "told once")
	w.vote(id, 1, "white_check_mark", lead1)
	w.in(id, flow.Running)
}

func TestAnInvitationIsNotAskedForWhereItIsNoHelp(t *testing.T) {
	for why, code := range map[error]flow.NoteCode{flow.ErrArchived: flow.NoteArchived, flow.ErrRestricted: flow.NoteRestricted} {
		t.Run(string(code), func(t *testing.T) {
			w := newWorld(t)
			w.slack.Fail("post", fmt.Errorf("%w: %w", flow.ErrNoChannel, why))
			w.request(ask(flow.Remove, 1))
			w.settle()
			require.Contains(t, w.whispers(asker), string(code))
			require.NotContains(t, w.whispers(asker), string(flow.NoteNoChannel))
			w.pass(time.Minute)
			require.Len(t, w.slack.Keyed("card/"), 1)
		})
	}
}

func TestTheHintThatTheBotIsMissingIsRepeatedUntilItIsTold(t *testing.T) {
	w := newWorld(t)
	for range 4 {
		w.slack.Fail("post", flow.ErrNoChannel)
	}
	w.slack.Fail("whisper", &flow.RateLimited{After: 20 * time.Second})
	w.slack.Fail("whisper", errors.New("down"))
	w.request(ask(flow.Remove, 1))
	w.settle()
	require.Empty(t, w.whispers(asker))
	w.pass(3 * time.Minute)
	require.Equal(t, 1, strings.Count(w.whispers(asker), string(flow.NoteNoChannel)))
	require.Len(t, w.slack.Keyed("card/"), 1)
}

// Whoever removes the bot may invite it again: what a person must answer on is not
// given up meanwhile, nor what tells them of it.
func TestWhatMustBeAnsweredWaitsForAnInvitation(t *testing.T) {
	w := newWorld(t)
	c := &chat{Chat: w.slack}
	out := false
	gone := func(m flow.Message) error {
		if out && m.Channel == room {
			return flow.ErrNoChannel
		}
		return nil
	}
	c.post, c.update = gone, gone
	w.options.Chat = c
	w.wire()
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		out = true
		return providers.Operation{}, &providers.Error{Kind: providers.Unknown, Advice: providers.Text{EN: "No answer."}}
	})
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(time.Hour)
	w.in(id, flow.Unknown)
	require.NotContains(t, w.slack.Keyed("card/")[0].Text, "unknown")
	out = false
	w.pass(time.Minute)
	require.Contains(t, w.slack.Keyed("card/")[0].Text, "unknown")
	require.Len(t, w.slack.Keyed("notice/unknown"), 2)
}

func TestANoticeToAClosedChannelIsGivenUp(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 1))
	w.pass(55 * time.Second)
	w.slack.Fail("post", flow.ErrNoChannel)
	w.pass(30 * time.Second)
	w.in(id, flow.Succeeded)
	require.Len(t, w.slack.Keyed("notice/"), 1)
	w.pass(10 * time.Minute)
	require.Len(t, w.slack.Keyed("notice/"), 1)
}

func TestEditsAreFoldedWhileItProgresses(t *testing.T) {
	w := newWorld(t)
	w.request(ask(flow.Add, 1))
	w.pass(2 * time.Minute)
	card := w.slack.Keyed("card/")[0]
	require.LessOrEqual(t, card.Edits, 4)
	require.Contains(t, card.Text, "succeeded", "the end is shown")
}

func TestNobodysCardIsPostedTwiceWhenCouriersRace(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.request(ask(flow.Remove, 1))
	}
	w.settle()
	other := flow.NewCourier(w.options)
	for range 5 {
		claims, err := w.store.Claim(t.Context(), flow.LaneChat, w.clock.Now(), w.options.Lease, 100)
		require.NoError(t, err)
		for _, c := range claims {
			require.NoError(t, other.Step(t.Context(), c))
		}
		w.settle()
	}
	require.Len(t, w.slack.Keyed("card/"), 20)
}

// What Slack refuses for good holds up nothing else.
func TestACardThatCanNotBeEditedHoldsUpNoNotice(t *testing.T) {
	for name, err := range map[string]error{"refused": flow.ErrChatRefused, "archived": flow.ErrNoChannel} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.request(ask(flow.Add, 1))
			w.settle()
			for range 200 {
				w.slack.Fail("update", err)
			}
			w.pass(70 * time.Second)
			w.in(id, flow.Succeeded)
			require.Len(t, w.slack.Keyed("notice/"), 2)
			require.NotEmpty(t, w.slack.Keyed("log/"))
			w.pass(2 * time.Hour)
			due, err := w.rdb.ZScore(t.Context(), "test:{T1}:due:chat", id).Result()
			require.ErrorIs(t, err, redis.Nil, "it is given up and not tried for ever (due %v)", due)
		})
	}
}

func TestACardIsEditedAgainOnceTheBotIsBackInTheChannel(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	for range 40 { // 20 minutes of them
		w.slack.Fail("update", flow.ErrNoChannel)
	}
	w.cloud.SetPhase(providers.Busy) // so that it stays open meanwhile
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(25 * time.Minute)
	p, err := w.store.Posts(t.Context(), id)
	require.NoError(t, err)
	require.NotEqual(t, "stuck", p.Cards[1].Hash)
	w.cloud.SetPhase(providers.Ready)
	w.pass(3 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Contains(t, w.slack.Keyed("card/1")[0].Text, "succeeded")
}

func TestAPrivateMessageThatIsRefusedIsGivenUp(t *testing.T) {
	for name, refusal := range map[string]error{"refused": flow.ErrChatRefused, "its thread is gone": flow.ErrMessageGone} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.request(ask(flow.Remove, 1))
			w.settle()
			for range 50 {
				w.slack.Fail("whisper", refusal)
			}
			w.vote(id, 1, "x", lead1)
			w.pass(20 * time.Minute)
			w.in(id, flow.Denied)
			logs := w.slack.Keyed("log/")
			require.Contains(t, logs[len(logs)-1].Text, string(flow.NoteDenied), "the thread was told all the same")
			p, err := w.store.Posts(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, 1, p.Whispered)
			require.Empty(t, p.Held)
		})
	}
}

// A refusal stands on a card too: a private message is never the only place.
func TestAFlowThatNeverHadAPlanHasACard(t *testing.T) {
	w := newWorld(t)
	w.cloud.Fail("observe", &providers.Error{Kind: providers.Auth})
	id := w.request(ask(flow.Add, 1))
	w.pass(time.Second)
	w.in(id, flow.Refused)
	cards := w.slack.Keyed("card/")
	require.Len(t, cards, 1)
	require.Contains(t, cards[0].Text, "refused")
	require.NotEmpty(t, w.slack.Keyed("log/"), "its thread tells how it came")
}

func TestPlanningThatTakesLongIsSeen(t *testing.T) {
	w := newWorld(t)
	slow := &providers.Error{Kind: providers.Retry, Advice: providers.Text{EN: "slow"}}
	for range 8 {
		w.cloud.Fail("observe", slow)
	}
	id := w.request(ask(flow.Remove, 1))
	w.pass(4 * time.Second)
	require.Empty(t, w.slack.Keyed("card/"), "a hiccup makes no second card")
	w.pass(3 * time.Second)
	require.Contains(t, w.slack.Keyed("card/0")[0].Text, "wait:wait_cloud")
	w.pass(time.Minute)
	w.in(id, flow.AwaitingApproval)
	require.Contains(t, w.slack.Keyed("card/0")[0].Text, "overtaken")
	require.Len(t, w.slack.Keyed("card/1"), 1)
	// A reaction on what was no plan is no vote on one.
	w.slack.React(w.card(id, 0), "white_check_mark", lead1)
	w.pass(2 * time.Minute)
	w.in(id, flow.AwaitingApproval)
}

// One lost answer, and the plan was replaced before it could be looked for.
func TestACardOfAVoidPlanWhoseAnswerWasLostIsClosed(t *testing.T) {
	w := newWorld(t)
	w.slack.FailAfter("post", flow.ErrChatInDoubt)
	id := w.request(ask(flow.Remove, 1))
	w.work()
	w.work()
	f := w.flow(id)
	require.Equal(t, flow.AwaitingApproval, f.State)
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now().Add(time.Minute), w.options.Lease, 1)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	f.Plans[0].Void, f.State, f.Verdict = true, flow.Planning, nil
	_, err = w.store.Save(t.Context(), claims[0], flow.Save{Flow: f, From: flow.AwaitingApproval, Due: w.clock.Now(), TellNow: true, Now: w.clock.Now()})
	require.NoError(t, err)
	w.pass(20 * time.Second)
	require.Len(t, w.flow(id).Plans, 2)
	cards := w.slack.Keyed("card/1")
	require.Len(t, cards, 1)
	require.Contains(t, cards[0].Text, "replaced", "nobody votes on it any more")
	require.Len(t, w.slack.Keyed("card/2"), 1)
}

// Slack limits each method on its own.
func TestALimitOfEditsHoldsUpNoNotice(t *testing.T) {
	w := newWorld(t)
	w.request(ask(flow.Add, 1))
	w.pass(55 * time.Second)
	for range 3 {
		w.slack.Fail("update", &flow.RateLimited{After: 30 * time.Second, Told: true})
	}
	w.pass(10 * time.Second)
	require.Len(t, w.slack.Keyed("notice/"), 2)
	require.NotContains(t, w.slack.Keyed("card/")[0].Text, "succeeded")
	w.pass(2 * time.Minute)
	require.Contains(t, w.slack.Keyed("card/")[0].Text, "succeeded")
}

// What one replica heard, all obey.
func TestRetryAfterIsObeyedByAllReplicas(t *testing.T) {
	w := newWorld(t)
	w.options.Quota = redisstore.NewQuota(w.rdb, "test", "T1")
	w.wire()
	w.slack.Fail("post", &flow.RateLimited{After: 20 * time.Second, Told: true})
	w.request(ask(flow.Remove, 1))
	w.settle()
	w.wire() // another replica, with another flow
	w.request(ask(flow.Remove, 1))
	w.pass(19 * time.Second)
	require.Empty(t, w.slack.Keyed("card/"))
	w.pass(4 * time.Second)
	require.Len(t, w.slack.Keyed("card/"), 2)
}

// What waits for the quota is written when it goes, not when it was put off.
func TestOnlyTheNewestStateIsSent(t *testing.T) {
	w := newWorld(t)
	quota := redisstore.NewQuota(w.rdb, "test", "T1")
	w.options.Quota = quota
	w.wire()
	id := w.request(ask(flow.Add, 1))
	w.pass(5 * time.Second)
	w.in(id, flow.Running)
	edits := w.slack.Keyed("card/")[0].Edits
	edit := flow.Bid{Call: flow.CallEdit}
	require.NoError(t, quota.Rest(t.Context(), edit, w.clock.Now().Add(5*time.Minute)))
	w.pass(4 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.slack.Keyed("notice/"), 2, "the notice is no edit")
	require.NotContains(t, w.slack.Keyed("card/")[0].Text, "succeeded")
	w.pass(90 * time.Second)
	card := w.slack.Keyed("card/")[0]
	require.Contains(t, card.Text, "succeeded")
	require.Equal(t, edits+1, card.Edits, "one edit for all that happened meanwhile")
}

// A renderer that never writes the same twice is a bug that must not take a worker
// along.
func TestAnUnsteadyRendererDoesNotSpin(t *testing.T) {
	w := newWorld(t)
	w.options.Renderer = &unsteady{}
	w.wire()
	w.request(ask(flow.Remove, 1))
	w.pass(3 * time.Second)
	require.Less(t, w.slack.Keyed("card/")[0].Edits, 12)
}

type unsteady struct {
	flowtest.Renderer
	n int
}

func (u *unsteady) Card(f flow.Flow, n int, rich bool) flow.Message {
	m := u.Renderer.Card(f, n, rich)
	u.n++
	m.Text += fmt.Sprint(u.n)
	return m
}

// crowd is a quota with so many bids of other flows in it that whoever comes last
// waits for minutes.
func (w *world) crowd(u flow.Urgency) {
	w.t.Helper()
	for i := range 200 {
		for _, call := range []flow.Call{flow.CallEdit, flow.CallVotes} {
			_, err := w.options.Quota.Take(w.t.Context(), flow.Bid{Call: call, Who: fmt.Sprint("other", i), Urgency: u}, w.clock.Now())
			require.NoError(w.t, err)
		}
	}
}

func TestAVoteOvertakesWhatLooksByItself(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.Rules[2].Require = map[string]int{"leads": 2} })
	w.options.Quota = redisstore.NewQuota(w.rdb, "test", "T1")
	w.wire()
	id := w.request(ask(flow.Remove, 1))
	w.pass(5 * time.Second)
	w.crowd(flow.UrgentProgress)
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(8 * time.Second)
	require.NotNil(t, w.flow(id).Verdict)
	require.Equal(t, []string{lead1}, w.flow(id).Verdict.Ballot.Seated(), "the vote is read")
	require.Contains(t, w.slack.Keyed("card/1")[0].Text, lead1, "and shown")
	w.crowd(flow.UrgentStage)
	w.vote(id, 1, "white_check_mark", lead2)
	w.pass(10 * time.Second)
	w.in(id, flow.Running)
}

// Nobody should go on voting on what is void.
func TestAVoidCardIsClosedBeforeOthersAreUpToDate(t *testing.T) {
	w := newWorld(t)
	w.options.Quota = redisstore.NewQuota(w.rdb, "test", "T1")
	w.wire()
	id := w.request(ask(flow.Remove, 1))
	w.pass(5 * time.Second)
	w.cloud.SetPhase(providers.Busy)
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(5 * time.Second)
	w.in(id, flow.Queued)
	w.cloud.Resize(9)
	w.cloud.SetPhase(providers.Ready)
	w.crowd(flow.UrgentStage)
	w.pass(70 * time.Second)
	require.Len(t, w.flow(id).Plans, 2)
	require.Contains(t, w.slack.Keyed("card/1")[0].Text, "replaced")
}
