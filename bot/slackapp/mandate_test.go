package slackapp

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// posted reports whether a message of the channel says something.
func (e *edge) posted(words string) bool {
	for _, m := range e.sim.Messages(channel) {
		if strings.Contains(m.Text, words) {
			return true
		}
	}
	return false
}

// Lea signs; Ann's request runs without anybody's reaction; Lea reads of it; Mia
// revokes, and the next one is put to the vote.
func TestAMandateFromSigningToItsEnd(t *testing.T) {
	w := newRoad(t, 1)
	d := w.sim.Slash(lea, channel, "/scale", "mandate emr-m620 task up to +3 for 2d")
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "Mandate M-0001 is signed: emr-m620 task up to +3 until")
	require.Contains(t, d.Ephemeral.Text, "leads")
	w.eventually(func() bool { return w.posted("signed mandate M-0001") }, "the channel reads of it")

	require.NoError(t, w.sim.Slash(ann, channel, "/scale", "emr-m620 task +2").Err)
	w.settle()
	const id = "F-0002"
	w.in(id, flow.Scheduled) // the time in which everybody concerned can stop it
	w.eventually(func() bool {
		w.jump(time.Second)
		return len(w.sim.DMs(lea)) == 1
	}, "she reads of each use")
	require.Contains(t, w.sim.DMs(lea)[0].Text, "this takes 2 nodes")
	w.eventually(func() bool {
		w.jump(time.Second)
		m, up := w.sim.Message(channel, w.card(id))
		return up && strings.Contains(string(m.Blocks), "approved this in advance")
	}, "the card says whose vote it was")
	w.jump(10 * time.Minute)
	w.in(id, flow.Running)
	w.jump(2 * time.Minute)
	w.in(id, flow.Succeeded)

	d = w.sim.Slash(ann, channel, "/scale", "mandate")
	require.Contains(t, d.Ephemeral.Text, "M-0001")
	require.Contains(t, d.Ephemeral.Text, "used 2, reserved 0")
	require.Contains(t, w.sim.Slash(ann, channel, "/scale", "mandate revoke M-0001").Ephemeral.Text, "members of leads can revoke it")
	require.Contains(t, w.sim.Slash(mia, channel, "/scale", "mandate revoke m-0001").Ephemeral.Text, "M-0001 is revoked")
	w.eventually(func() bool { return w.posted("revoked mandate M-0001") }, "the channel reads of its end")
	require.Contains(t, w.sim.Slash(ann, channel, "/scale", "mandate").Ephemeral.Text, "No mandate holds now")

	require.NoError(t, w.sim.Slash(ann, channel, "/scale", "emr-m620 task +1").Err)
	w.jump(time.Minute)
	w.in("F-0003", flow.AwaitingApproval)
}

func TestWhatTheDeskIsAskedToSign(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	d := e.sim.Slash(ann, channel, "/scale", "mandate emr-m620 task up to +10 until 2026-12-24 18:00+08:00 max ¥3,000.50")
	require.NoError(t, d.Err)
	require.Contains(t, d.Ephemeral.Text, "at most ¥ 3,000.50")
	require.Equal(t, []string{"mandate emr-m620 task 10 2026-12-24T10:00:00Z 3000.5CNY"}, read(e.desk, func(d *desk) []string { return d.did }))

	d = e.sim.Slash(ann, channel, "/scale", "mandate emr-m620 tsk up to +10 until friday")
	require.Contains(t, d.Ephemeral.Text, "/scale mandate emr-m620 task up to +10 until friday", "the corrected line")

	before := len(e.sim.Messages(channel))
	e.desk.set(func(d *desk) {
		d.fail = &flow.Rejection{Code: flow.RejectNoApprover, Args: map[string]string{"groups": "leads"}}
	})
	d = e.sim.Slash(ann, channel, "/scale", "mandate emr-m620 task up to +10 for 2d")
	require.Contains(t, d.Ephemeral.Text, "Only members of an approver group can sign")
	require.Len(t, e.sim.Messages(channel), before, "what was not done is not told")

	e.desk.set(func(d *desk) {
		d.fail = nil
		d.mandates = []flow.Mandated{{Mandate: approvals.Mandate{ID: "M-1", By: ann, Cluster: "emr-m620", Group: "task", Nodes: 3, Until: time.Unix(1, 0), Max: decimal.NewFromInt(5), Currency: "CNY"}}}
	})
	require.Contains(t, e.sim.Slash(ann, channel, "/scale", "mandate list").Ephemeral.Text, "who is in no approver group now")
}
