package slackapp

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/bot/redisstore"
	"scalebot/bot/slacksim"
	"scalebot/providers"
)

func operation(id string) slacksim.Fields {
	return slacksim.Fields{card.BlockOperation: {card.FieldOperation: {id}}}
}

// settling is an edge with a card of an unknown flow.
func settling(t *testing.T) (*edge, string) {
	e := newEdge(t, nil, nil).run()
	ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", Blocks: []byte(buttons)})
	require.NoError(t, err)
	e.desk.set(func(d *desk) { d.unknown = flow.Flow{ID: "F-1", State: flow.Unknown} })
	return e, ref.TS
}

func settled(e *edge) []flow.SignalKind {
	return read(e.desk, func(d *desk) []flow.SignalKind { return d.settled })
}

func TestThatAChangeHappenedAsksForItsOperation(t *testing.T) {
	e, ts := settling(t)
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_happened").Err)
	e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
	require.Empty(t, settled(e), "opening it decides nothing")
	require.Equal(t, "F-1 happened", e.sim.Views(ann)[0].Title)
	require.Error(t, e.sim.SubmitView(ann, nil).Err, "Slack itself asks for the id")
	require.NoError(t, e.sim.SubmitView(ann, operation("19239")).Err)
	require.Empty(t, e.sim.Views(ann), "taken, so it closes")
	require.Equal(t, []flow.SignalKind{flow.SignalHappened}, settled(e))
	require.Equal(t, "19239", read(e.desk, func(d *desk) string { return d.operation }))
	e.told(ann, "decision about F-1")
	c := read(e.desk, func(d *desk) flow.Caller { return d.callers[len(d.callers)-1] })
	require.Equal(t, ann, c.User)
	require.Equal(t, channel, c.Channel)
	require.NotEmpty(t, c.Dedupe)
	for _, c := range read(e.desk, func(d *desk) []flow.Caller { return d.callers }) {
		require.Equal(t, "1/k3", c.Saw, "asked and answered about what the card showed")
	}
}

// A card that an older version drew doesn't say what was unknown then. Its buttons
// must not decide about whatever is unknown now.
func TestADecisionOnACardOfAnOlderVersionIsAboutNothingThatIs(t *testing.T) {
	e := newEdge(t, nil, nil).run()
	old := []byte(strings.ReplaceAll(buttons, "F-1/1/k3", "F-1"))
	ref, err := e.app.Post(t.Context(), flow.Message{Key: "card/1", Channel: channel, Text: "a card", Blocks: old})
	require.NoError(t, err)
	e.desk.set(func(d *desk) {
		d.fail = &flow.Rejection{Code: flow.RejectEpisode, Args: map[string]string{"id": "F-1"}}
	})
	for i, action := range []string{card.ActionDidNot, card.ActionClose} {
		require.NoError(t, e.sim.Click(ann, channel, ref.TS, action).Err)
		e.eventually(func() bool { return len(e.sim.Ephemerals(ann)) == i+1 }, action)
		require.Contains(t, e.sim.Ephemerals(ann)[i].Text, "Look at its card")
	}
	for _, c := range read(e.desk, func(d *desk) []flow.Caller { return d.callers }) {
		require.NotEmpty(t, c.Saw, "nothing would be the current one")
		f := flow.Flow{State: flow.Unknown}
		require.NotEqual(t, f.Episode(), c.Saw)
	}
}

func TestWhereTheOperationHasNoIDItMayBeLeftOut(t *testing.T) {
	for name, unknown := range map[string]flow.Flow{
		"the cloud gives none": {ID: "F-1", State: flow.Unknown, Request: flow.Request{Wish: flow.Wish{Change: providers.Change{Cluster: "nameless"}}}},
		"it is known already":  {ID: "F-1", State: flow.Unknown, Operation: &providers.Operation{ID: "77"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, ts := settling(t)
			e.desk.set(func(d *desk) { d.unknown, d.catalog = unknown, flow.Catalog{"nameless": {Nameless: true}} })
			require.NoError(t, e.sim.Click(ann, channel, ts, "flow_happened").Err)
			e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
			require.NoError(t, e.sim.SubmitView(ann, operation("")).Err)
			require.Equal(t, []flow.SignalKind{flow.SignalHappened}, settled(e))
		})
	}
}

func TestADecisionThatCannotBeTakenSaysSoInTheModal(t *testing.T) {
	e, ts := settling(t)
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_happened").Err)
	e.eventually(func() bool { return len(e.sim.Views(ann)) == 1 }, "the modal")
	for _, c := range []struct {
		err  error
		text string
	}{
		{&flow.Rejection{Code: flow.RejectOthers, Args: map[string]string{"id": "F-1", "operation": "9", "other": "F-2"}}, "is the one of F-2"},
		{&flow.Rejection{Code: flow.RejectOperation, Args: map[string]string{"id": "F-1"}}, "operation's id"},
		{&flow.Rejection{Code: flow.RejectNotUnknown, Args: map[string]string{"id": "F-1", "state": "running"}}, "needs no decision"},
		{errors.New("the connection broke"), "could not be confirmed"},
	} {
		e.desk.set(func(d *desk) { d.fail = c.err })
		d := e.sim.SubmitView(ann, operation("9"))
		require.NoError(t, d.Err)
		require.Contains(t, d.Errors[card.BlockOperation], c.text)
		require.Len(t, e.sim.Views(ann), 1, "it stays open")
	}
}

func TestWhoMayNotSettleIsToldInsteadOfAsked(t *testing.T) {
	e, ts := settling(t)
	e.desk.set(func(d *desk) { d.barred = &flow.Rejection{Code: flow.RejectSettler} })
	require.NoError(t, e.sim.Click(ann, channel, ts, "flow_happened").Err)
	e.told(ann, "not among those who may settle")
	require.Empty(t, e.sim.Requests("views.open"))
}

// The whole road over the local Slack: an answer is lost, nobody can tell, the
// person who may looks and names the operation, and it is followed to its end.
func TestAnUnknownFlowIsSettledOverSlack(t *testing.T) {
	w := newRoad(t, 1)
	id, ts := w.asked()
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		_, err := do()
		require.NoError(t, err)
		for range 200 { // and nothing shows what became of it
			w.cloud.Fail("reconcile", &providers.Error{Kind: providers.Retry})
		}
		return providers.Operation{}, flowtest.Lost()
	})
	w.react(lea, ts, "white_check_mark")
	for range 30 {
		w.jump(time.Minute)
		if w.flow(id).State == flow.Unknown {
			break
		}
	}
	w.in(id, flow.Unknown)
	require.Eventually(t, func() bool {
		w.jump(time.Second)
		m, _ := w.sim.Message(channel, ts)
		return strings.Contains(string(m.Blocks), card.ActionHappened)
	}, 20*time.Second, 10*time.Millisecond, "the card has the button")
	require.NoError(t, w.sim.Click(lea, channel, ts, card.ActionHappened).Err)
	w.eventually(func() bool { return len(w.sim.Views(lea)) == 1 }, "the modal")
	require.NoError(t, w.sim.SubmitView(lea, operation("op-1")).Err)
	w.jump(time.Second)
	w.in(id, flow.Running)
	require.Equal(t, "op-1", w.flow(id).Operation.ID)
	for range 10 {
		w.jump(time.Minute)
	}
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
	var who string
	require.NoError(t, w.store.Audit(t.Context(), func(e redisstore.AuditEntry) error {
		if e.Action == "signal_happened" {
			who = e.Actor
		}
		return nil
	}))
	require.Equal(t, lea, who, "who decided is in the audit")
}
