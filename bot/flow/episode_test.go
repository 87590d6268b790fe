package flow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

// unknownTwice is a flow whose first attempt was lost and given up by a person, and
// whose second one is lost too: what the first card said of it, and what holds now.
func unknownTwice(w *world) (id, first, second string) {
	w.t.Helper()
	lose := func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	}
	w.cloud.OnSubmit(lose)
	id = w.request(ask(flow.Add, 2))
	w.pass(4 * time.Minute)
	w.in(id, flow.Unknown)
	was := w.flow(id)
	w.cloud.OnSubmit(lose)
	_, err := w.desk.Settle(w.t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
	require.NoError(w.t, err)
	w.pass(4 * time.Minute)
	w.in(id, flow.Unknown)
	is := w.flow(id)
	require.Equal(w.t, 2, is.Attempts)
	return id, was.Episode(), is.Episode()
}

// Two leads look at a lost attempt. One says that it did not happen, and the next
// attempt is lost as well, while the other still has the question open: what they
// then say is about the first, and the second may be at work.
func TestADecisionStandsForWhatThePersonSaw(t *testing.T) {
	w := newWorld(t)
	id, first, second := unknownTwice(w)
	require.NotEqual(t, first, second)
	late := w.caller(lead2)
	late.Saw = first
	for _, kind := range []flow.SignalKind{flow.SignalClose, flow.SignalRetry, flow.SignalHappened} {
		_, err := w.desk.MaySettle(t.Context(), late, id, kind)
		var no *flow.Rejection
		require.ErrorAs(t, err, &no)
		require.Equal(t, flow.RejectEpisode, no.Code)
		_, err = w.desk.Settle(t.Context(), late, id, kind, "op-1")
		require.ErrorAs(t, err, &no)
		require.Equal(t, flow.RejectEpisode, no.Code)
	}
	w.pass(2 * time.Minute)
	w.in(id, flow.Unknown)

	late.Saw = second
	_, err := w.desk.Settle(t.Context(), late, id, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Failed)
	w.consistent()
}

// The decision passed the desk and was slow to the record: the step judges it again,
// and who decided reads that nothing came of it.
func TestADecisionThatIsReadAfterItsTimeChangesNothing(t *testing.T) {
	w := newWorld(t)
	id, first, second := unknownTwice(w)
	send := func(kind flow.SignalKind, by, episode string) {
		require.NoError(t, w.store.Signal(t.Context(), id, flow.Signal{Kind: kind, By: by, At: w.clock.Now(), Episode: episode}, flow.Audit{Actor: by}))
	}
	send(flow.SignalClose, lead2, first)
	w.pass(2 * time.Minute)
	w.in(id, flow.Unknown)
	told := w.notes(id, flow.NoteOutdated)
	require.Len(t, told, 1, "once: the store has taken the decision off")
	require.Equal(t, lead2, told[0].By)
	require.Equal(t, string(flow.SignalClose), told[0].Args["how"])

	send(flow.SignalClose, lead2, first)
	send(flow.SignalRetry, lead1, second)
	w.settle()
	w.in(id, flow.Running) // one of another time does not make two people differ
	require.Len(t, w.cloud.Ledger(), 1)
	w.consistent()
}

// A decision that an older version recorded says nothing of what the person saw. It
// is taken, as it was then.
func TestADecisionOfAnOlderVersionIsTaken(t *testing.T) {
	w := newWorld(t)
	id, _, _ := unknownTwice(w)
	require.NoError(t, w.store.Signal(t.Context(), id, flow.Signal{Kind: flow.SignalClose, By: lead1, At: w.clock.Now()}, flow.Audit{Actor: lead1}))
	w.settle()
	w.in(id, flow.Failed)
}

// Until somebody settles it the cluster stands, so whoever may finds it where they
// find what else waits for them.
func TestWhatIsUnknownWaitsForWhoMaySettleIt(t *testing.T) {
	w := newWorld(t)
	w.options.Settle = []string{"leads"}
	w.wire()
	waiting := func(user string) int {
		flows, err := w.desk.Waiting(t.Context(), user)
		require.NoError(t, err)
		return len(flows)
	}
	id, _, _ := unknownTwice(w)
	require.Equal(t, 1, waiting(lead1))
	require.Equal(t, 0, waiting(finance), "may approve, and not settle")
	require.Equal(t, 0, waiting(asker))
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	require.Equal(t, 0, waiting(lead1))
}
