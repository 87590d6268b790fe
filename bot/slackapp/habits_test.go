package slackapp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

// A card has its log below it, so what stays of a deleted one is a tombstone. Some
// answer about it as about any message: without reactions, and not ours to edit.
func TestATombstoneIsADeletedCard(t *testing.T) {
	for name, h := range map[string]slacksim.Habits{"not found": {}, "answers as a message": {LivingTombstones: true}} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t, func(o *slacksim.Options) { o.Habits = h }, nil).run()
			ref, err := e.app.Post(t.Context(), testMessage("card/1"))
			require.NoError(t, err)
			_, err = e.sim.Say(ann, channel, ref.TS, "looks fine")
			require.NoError(t, err)
			require.NoError(t, e.sim.React(ann, channel, ref.TS, "white_check_mark"))
			e.eventually(func() bool { return read(e.desk, func(d *desk) int { return len(d.refs) }) == 1 }, "the vote")
			require.NoError(t, e.app.Update(t.Context(), ref, testMessage("card/1")))
			require.NoError(t, e.sim.DeleteMessage(channel, ref.TS))
			e.eventually(func() bool { return read(e.desk, func(d *desk) int { return len(d.refs) }) == 2 }, "the deletion, and no edit")
			require.Equal(t, ref, read(e.desk, func(d *desk) flow.MessageRef { return d.refs[1] }))
			_, err = e.app.Reactions(t.Context(), ref)
			require.ErrorIs(t, err, flow.ErrMessageGone, "it must not read as no votes")
			require.ErrorIs(t, e.app.Update(t.Context(), ref, testMessage("card/1")), flow.ErrMessageGone)
		})
	}
}

func TestADeletedCardIsAskedAboutAnew(t *testing.T) {
	w := newRoad(t, 1)
	w.sim.SetHabits(slacksim.AllHabits())
	id, ts := w.asked()
	w.eventually(func() bool { w.jump(time.Second); return len(w.sim.Thread(channel, ts)) > 1 }, "its log")
	w.react(lea, ts, "x")
	w.sim.DropEvents(lost)
	require.NoError(t, w.sim.DeleteMessage(channel, ts))
	w.eventually(func() bool {
		w.jump(time.Minute)
		return len(w.flow(id).Plans) == 2 && w.card(id) != ts
	}, "another plan with its card")
	w.in(id, flow.AwaitingApproval)
}
