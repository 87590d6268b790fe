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

// Whoever is told to look at the card again must find one whose buttons hold: an older
// version that ran beside this one may have drawn it last.
func TestARefusedDecisionHasTheCardDrawnAgain(t *testing.T) {
	w := newWorld(t)
	id, first, _ := unknownTwice(w)
	due := func() int {
		claims, err := w.store.Claim(t.Context(), flow.LaneChat, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		return len(claims)
	}
	require.Zero(t, due())
	late := w.caller(lead2)
	late.Saw = first
	_, err := w.desk.Settle(t.Context(), late, id, flow.SignalClose, "")
	require.Error(t, err)
	require.Equal(t, 1, due())
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
		flows, _, err := w.desk.Waiting(t.Context(), user)
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

// An unknown flow holds up its cluster, so who may settle it is reminded at the pace
// of a ballot's reminders, until it is settled.
func TestWhoMaySettleIsReminded(t *testing.T) {
	w := newWorld(t)
	w.options.RemindAfter = 15 * time.Minute
	w.wire()
	lose := func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	}
	w.cloud.OnSubmit(lose)
	id := w.request(ask(flow.Add, 2))
	w.pass(4 * time.Minute)
	w.in(id, flow.Unknown)
	told := func() int { return len(w.notes(id, flow.NoteUnsettled)) }
	to := func(after time.Duration) {
		for end := w.flow(id).End.At.Add(after); w.clock.Now().Before(end); {
			w.clock.Advance(min(30*time.Second, end.Sub(w.clock.Now())))
			w.settle()
		}
	}
	replies := len(w.slack.Keyed("log/"))
	to(14 * time.Minute)
	require.Zero(t, told())
	to(17 * time.Minute)
	require.Equal(t, 1, told())
	require.Equal(t, w.flow(id).End.At.Format(time.RFC3339), w.notes(id, flow.NoteUnsettled)[0].Args["at"])
	require.Len(t, w.slack.Keyed("log/"), replies+1, "in a message of its own, which tells people")

	w.wire() // restarted
	to(29 * time.Minute)
	require.Equal(t, 1, told())
	to(32 * time.Minute)
	require.Equal(t, 2, told(), "the second one at twice the time")
	to(59 * time.Minute)
	require.Equal(t, 2, told())
	w.clock.Advance(90 * time.Minute) // nobody looked at 60 and at 120 minutes
	w.settle()
	require.Equal(t, 3, told(), "those that came due meanwhile are one")

	w.cloud.OnSubmit(lose)
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
	require.NoError(t, err)
	w.pass(4 * time.Minute)
	w.in(id, flow.Unknown)
	to(14 * time.Minute)
	require.Equal(t, 3, told(), "unknown anew, so the time begins anew")
	to(17 * time.Minute)
	require.Equal(t, 4, told())
	_, err = w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	w.clock.Advance(5 * time.Hour)
	w.settle()
	require.Equal(t, 4, told(), "settled")
	w.consistent()
}

// A reminder that came late does not bring the next one closer, and a decision that
// waits to be read is reminded of by nobody.
func TestRemindersOfWhatIsUnknownKeepTheirDistance(t *testing.T) {
	w := newWorld(t)
	id, _, _ := unknownTwice(w)
	w.options.RemindAfter = 15 * time.Minute
	w.wire()
	told := func() int { return len(w.notes(id, flow.NoteUnsettled)) }
	w.clock.Advance(28 * time.Minute) // away when the first came due
	w.settle()
	require.Equal(t, 1, told())
	for range 12 { // past twice the time
		w.clock.Advance(time.Minute)
		w.settle()
	}
	require.Equal(t, 1, told())
	for range 4 {
		w.clock.Advance(time.Minute)
		w.settle()
	}
	require.Equal(t, 2, told())
	w.clock.Advance(2 * time.Hour)
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalClose, "")
	require.NoError(t, err)
	w.settle()
	require.Equal(t, 2, told())
	w.in(id, flow.Failed)
}

func TestNoRemindersOfWhatIsUnknownWith0s(t *testing.T) {
	w := newWorld(t)
	id, _, _ := unknownTwice(w)
	w.clock.Advance(5 * time.Hour)
	w.settle()
	require.Empty(t, w.notes(id, flow.NoteUnsettled))
}
