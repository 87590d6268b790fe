package slackapp

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/slacksim"
)

// renew lets two replicas look at once at the commitments that are due, as often
// as it takes: the app spaces its posts by the machine's clock.
func (w *road) renew(replicas ...*flow.Renewals) {
	w.t.Helper()
	var all sync.WaitGroup
	for _, r := range replicas {
		all.Go(func() {
			claims, err := w.store.Claim(w.t.Context(), flow.LaneRenew, w.clock.Now(), w.options.Lease, 10)
			if err != nil {
				w.t.Error(err)
			}
			for _, c := range claims {
				if err := r.Step(w.t.Context(), c); err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func (w *road) reminders() []slacksim.Message {
	var found []slacksim.Message
	for _, m := range w.sim.Messages(channel) {
		if strings.Contains(m.Text, "the term of") {
			found = append(found, m)
		}
	}
	return found
}

func TestFromAPrepaidPurchaseToTheDecisionAboutItsRenewal(t *testing.T) {
	w := newRoad(t, 1)
	w.options.RenewalReminders = []time.Duration{14 * 24 * time.Hour, 3 * 24 * time.Hour}
	w.engine = flow.NewEngine(w.options)
	require.NoError(t, w.sim.Slash(ann, channel, "/scale", "emr-m620 task +2 prepaid 1m for 20d").Err)
	w.settle()
	id, ts := "F-0001", w.card("F-0001")
	m, _ := w.sim.Message(channel, ts)
	require.Contains(t, string(m.Blocks), "20 d hourly would cost ¥ 960.00")
	require.Contains(t, string(m.Blocks), "Prepaid nodes are not removed after 20 d")
	w.react(lea, ts, "white_check_mark")
	w.jump(time.Minute)
	w.jump(10 * time.Minute)
	w.in(id, flow.Running)
	w.jump(2 * time.Minute)
	w.in(id, flow.Succeeded)

	d := w.sim.Slash(wei, channel, "/scale", "commitments emr-m620")
	require.Contains(t, d.Ephemeral.Text, "2 个节点 · 1 个月 · ¥ 1,460.00 · 不自动续费")
	require.Contains(t, w.sim.Slash(ann, channel, "/scale", "commitments nosuch").Ephemeral.Text, "nosuch")

	c, err := w.store.Commitment(t.Context(), id)
	require.NoError(t, err)
	one, two := flow.NewRenewals(w.options), flow.NewRenewals(w.options)
	w.clock.Advance(c.Until.Add(-14*24*time.Hour - time.Second).Sub(w.clock.Now()))
	w.renew(one, two)
	require.Empty(t, w.reminders())
	w.clock.Advance(time.Second)
	w.eventually(func() bool {
		w.renew(one, two)
		w.clock.Advance(time.Second)
		return len(w.reminders()) > 0
	}, "the reminder")
	for range 5 {
		w.clock.Advance(time.Minute)
		w.renew(one, two)
	}
	require.Len(t, w.reminders(), 1, "once, by whichever replica")
	told := w.reminders()[0]
	require.Contains(t, string(told.Blocks), "commitment_renew")

	require.NoError(t, w.sim.Click(wei, channel, told.TS, "commitment_renew").Err)
	require.Contains(t, w.told(wei, "只有申请人").Text, ann, "neither an approver nor who asked")
	require.NoError(t, w.sim.Click(mia, channel, told.TS, "commitment_renew").Err)
	require.Contains(t, w.told(mia, "On record for").Text, "renew the nodes in the console of account acc")
	w.eventually(func() bool {
		w.clock.Advance(time.Second)
		w.renew(one, two)
		m, _ := w.sim.Message(channel, told.TS)
		return strings.Contains(m.Text, "decided at")
	}, "the edit")
	m, _ = w.sim.Message(channel, told.TS)
	require.Contains(t, m.Text, "<@"+mia+"> decided at")
	require.NotContains(t, string(m.Blocks), `"commitment_renew"`)
	require.Contains(t, string(m.Blocks), "commitment_lapse", "for who thinks again")
	require.Contains(t, w.sim.Slash(ann, channel, "/scale", "commitments").Ephemeral.Text, "renew, decided by <@"+mia+">")

	w.clock.Advance(11 * 24 * time.Hour)
	w.renew(one, two)
	require.Len(t, w.reminders(), 1, "decided: no further reminder")
}

func TestTheHomeTabShowsWhatIsCommitted(t *testing.T) {
	w := newRoad(t, 1)
	w.options.Policy, _ = approvals.Compile(approvals.Config{RulesGiven: true})
	w.engine = flow.NewEngine(w.options)
	require.NoError(t, w.sim.Slash(ann, channel, "/scale", "emr-m620 task +1 prepaid 3m renew").Err)
	w.jump(time.Minute)
	w.jump(2 * time.Minute)
	w.in("F-0001", flow.Succeeded)
	require.NoError(t, w.sim.OpenHome(mia))
	w.eventually(func() bool {
		v, _ := w.sim.Home(mia)
		return strings.Contains(string(v.Blocks), "3 months · ¥ 2,190.00 · auto-renew on")
	}, "the home tab")
}
