package flow_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/providers"
)

func zset(at time.Time, id string) redis.Z {
	return redis.Z{Score: float64(at.UnixMilli()), Member: id}
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
			w.pass(20 * time.Minute)
			due, err := w.rdb.ZScore(t.Context(), "test:{T1}:due:chat", id).Result()
			require.ErrorIs(t, err, redis.Nil, "it is given up and not tried for ever (due %v)", due)
		})
	}
}

func TestAPrivateMessageThatIsRefusedIsGivenUp(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	for range 50 {
		w.slack.Fail("whisper", flow.ErrChatRefused)
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
