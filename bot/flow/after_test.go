package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/providers"
)

// said reports whether the flow's log has a note of a kind by a person.
func (w *world) said(id string, code flow.NoteCode, by string) bool {
	for _, n := range w.flow(id).Log {
		if n.Code == code && n.By == by {
			return true
		}
	}
	return false
}

// steerable is a world with one running operation that people may steer.
func steerable(t *testing.T) (*world, string) {
	w := newWorld(t)
	w.cloud.Steerable, w.cloud.Takes = true, 10*time.Minute
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.pass(5 * time.Second)
	w.in(id, flow.Running)
	return w, id
}

func (w *world) steer(id, user string, k flow.SignalKind) error {
	_, err := w.desk.Steer(w.t.Context(), w.caller(user), id, k)
	w.pass(5 * time.Second)
	return err
}

func TestAnOperationIsPausedResumedAndStopped(t *testing.T) {
	w, id := steerable(t)
	require.NoError(t, w.steer(id, asker, flow.SignalPause), "its requester may")
	require.True(t, w.said(id, flow.NoteSteered, asker))
	require.Equal(t, []providers.Control{providers.Resume, providers.Cancel}, w.flow(id).Progress.Controls)
	w.pass(15 * time.Minute)
	w.in(id, flow.Running)
	require.NoError(t, w.steer(id, lead2, flow.SignalResume), "so may who may settle")
	require.NoError(t, w.steer(id, asker, flow.SignalStop))
	w.pass(time.Minute)
	w.in(id, flow.Partial)
	require.Equal(t, 3, w.cloud.Count())
	w.consistent()
}

func TestWhoAndWhatMaySteer(t *testing.T) {
	w, id := steerable(t)
	var no *flow.Rejection
	require.ErrorAs(t, w.steer(id, "U0OTHER", flow.SignalStop), &no)
	require.Equal(t, flow.RejectSettler, no.Code)
	require.ErrorAs(t, w.steer(id, asker, flow.SignalResume), &no)
	require.Equal(t, flow.RejectSteer, no.Code, "it is not paused")
	require.ErrorAs(t, w.steer(id, asker, flow.SignalCancel), &no)
	require.Equal(t, flow.RejectSteer, no.Code, "cancelling a request steers no operation")
	w.pass(15 * time.Minute)
	w.in(id, flow.Succeeded)
	require.ErrorAs(t, w.steer(id, asker, flow.SignalStop), &no)
	require.Equal(t, flow.RejectSteer, no.Code, "it has ended")
}

func TestACloudThatDoesNotTakeItIsToldAndNotAskedAgain(t *testing.T) {
	w, id := steerable(t)
	w.cloud.Fail("control", &providers.Error{Kind: providers.Refused, Advice: providers.Text{EN: "Not in this stage."}})
	require.NoError(t, w.steer(id, asker, flow.SignalPause))
	require.True(t, w.said(id, flow.NoteNotSteered, asker))
	require.False(t, w.said(id, flow.NoteSteered, asker))
	w.pass(15 * time.Minute)
	w.in(id, flow.Succeeded)
	w.consistent()
}

// short is a world with a flow that came short: two of five.
func short(t *testing.T) (*world, string) {
	w := newWorld(t)
	w.cloud.ComeShort(3)
	id := w.request(ask(flow.Add, 5))
	w.settle()
	w.pass(2 * time.Minute)
	w.in(id, flow.Partial)
	return w, id
}

func TestTheRestIsAskedForOnce(t *testing.T) {
	w, id := short(t)
	first, err := w.desk.Again(t.Context(), w.caller(asker), id)
	require.NoError(t, err)
	require.True(t, first.Fresh)
	made, err := w.desk.Outcome(t.Context(), flow.Caller{Dedupe: first.Delivery})
	require.NoError(t, err)
	require.Equal(t, first.Flow.ID, made.ID, "what became of it can be asked")
	require.Equal(t, 3, first.Flow.Request.Wish.N)
	second, err := w.desk.Again(t.Context(), w.caller(lead1), id)
	require.NoError(t, err)
	require.False(t, second.Fresh)
	require.Equal(t, first.Flow.ID, second.Flow.ID, "two people pressed, one request")
	w.pass(2 * time.Minute)
	w.in(first.Flow.ID, flow.Succeeded)
	require.Equal(t, 8, w.cloud.Count())
	after := w.flow(id).After
	require.Len(t, after, 1)
	require.Equal(t, flow.NoteRetried, after[0].Code)
	require.Equal(t, first.Flow.ID, after[0].Args["id"])
	w.in(id, flow.Partial)
	w.consistent()
}

// The request for the rest was taken and the process died before it stood on the
// first record: the next press finds it.
func TestTheRestIsAskedForOnceEvenAfterACrash(t *testing.T) {
	w, id := short(t)
	w.options.Store = unamended{w.store}
	w.wire()
	first, err := w.desk.Again(t.Context(), w.caller(asker), id)
	require.NoError(t, err)
	require.Empty(t, w.flow(id).After)
	w.options.Store = w.store
	w.wire()
	again, err := w.desk.Again(t.Context(), w.caller(lead1), id)
	require.NoError(t, err)
	require.Equal(t, first.Flow.ID, again.Flow.ID)
	require.Len(t, w.flow(id).After, 1)
	require.Equal(t, asker, w.flow(id).After[0].By, "by whoever made it")
}

func TestFailedNodesAreCleanedUpByARequestOfItsOwn(t *testing.T) {
	w, id := short(t)
	r, err := w.desk.CleanUp(t.Context(), w.caller(asker), id)
	require.NoError(t, err)
	wish := r.Flow.Request.Wish
	require.Equal(t, flow.Remove, wish.Op)
	require.Len(t, wish.Change.Nodes, 3)
	w.settle()
	w.in(r.Flow.ID, flow.AwaitingApproval)
	f := w.flow(id)
	require.True(t, f.Cleaned())
}

func TestKeepingClosesTheQuestion(t *testing.T) {
	w, id := short(t)
	for range 2 {
		f, err := w.desk.Keep(t.Context(), w.caller(asker), id)
		require.NoError(t, err)
		require.True(t, f.Kept())
		require.Len(t, f.After, 1)
	}
	w.consistent()
}

func TestNothingToDoAboutAFlowThatWentWell(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 2))
	w.settle()
	var no *flow.Rejection
	for range 2 { // while it runs, and after
		_, err := w.desk.Again(t.Context(), w.caller(asker), id)
		require.ErrorAs(t, err, &no)
		require.Equal(t, flow.RejectNothing, no.Code)
		_, err = w.desk.CleanUp(t.Context(), w.caller(asker), id)
		require.ErrorAs(t, err, &no)
		_, err = w.desk.Keep(t.Context(), w.caller(asker), id)
		require.ErrorAs(t, err, &no)
		w.pass(2 * time.Minute)
	}
	w.in(id, flow.Succeeded)
}

func TestAnOpenRecordIsNotAmended(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	_, err := w.store.Amend(t.Context(), id, flow.Note{At: w.clock.Now(), Code: flow.NoteKept, By: asker}, flow.Audit{Actor: asker, Action: "x"})
	require.ErrorIs(t, err, flow.ErrIllegal)
	_, err = w.store.Amend(t.Context(), "F-NONE", flow.Note{}, flow.Audit{})
	require.ErrorIs(t, err, flow.ErrNotFound)
}

// unamended is a store whose Amend never arrives.
type unamended struct{ flow.Store }

func (unamended) Amend(context.Context, string, flow.Note, flow.Audit) (flow.Flow, error) {
	return flow.Flow{}, errors.New("the process died")
}
