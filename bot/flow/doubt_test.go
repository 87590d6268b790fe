package flow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/providers"
)

func TestTheIntentIsOnRecordBeforeTheCall(t *testing.T) {
	w := newWorld(t)
	var during flow.Flow
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		during = w.flow("F-0002")
		return do()
	})
	id := w.request(ask(flow.Add, 1))
	require.Equal(t, "F-0002", id)
	w.settle()
	require.Equal(t, flow.Submitting, during.State)
	require.Equal(t, 1, during.Attempts)
	require.Equal(t, providers.Token("T1", id, 1), during.Submission.Token)
	require.Len(t, during.Submission.Baseline.Groups[0].Nodes, 3)
	w.in(id, flow.Running)
}

func TestALostAnswerOfAnAcceptedChangeIsFoundAndNotRepeated(t *testing.T) {
	w := newWorld(t)
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		_, err := do()
		require.NoError(t, err)
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Submitting)
	require.Equal(t, flow.WaitProof, w.flow(id).Wait.Code)
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
	require.Equal(t, 5, w.cloud.Count())
	w.consistent()
}

func TestALostRequestGoesToAPersonAndIsNeverRepeatedBlindly(t *testing.T) {
	w := newWorld(t)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 2))
	w.pass(10 * time.Minute)
	w.in(id, flow.Unknown)
	require.Empty(t, w.cloud.Ledger())
	require.Len(t, w.slack.Keyed("notice/unknown/"), 2)
	other := w.request(ask(flow.Add, 1))
	w.pass(time.Minute)
	w.in(other, flow.Queued)

	_, err := w.desk.Settle(t.Context(), w.caller("U0STRANGER"), id, flow.SignalRetry, "")
	var no *flow.Rejection
	require.ErrorAs(t, err, &no)
	require.Equal(t, flow.RejectSettler, no.Code)
	_, err = w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Running)
	require.Equal(t, 2, w.flow(id).Attempts)
	require.Equal(t, providers.Token("T1", id, 2), w.cloud.Ledger()[0].Token, "a new attempt has a new token")
	w.pass(10 * time.Minute)
	w.in(id, flow.Succeeded)
	w.in(other, flow.Succeeded)
	require.Equal(t, 6, w.cloud.Count())
	w.consistent()
}

func TestAPersonSettlesAnUnknownFlow(t *testing.T) {
	for kind, want := range map[flow.SignalKind]flow.State{flow.SignalClose: flow.Failed, flow.SignalHappened: flow.Running} {
		w := newWorld(t)
		w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
			return providers.Operation{}, flowtest.Lost()
		})
		id := w.request(ask(flow.Add, 2))
		w.pass(4 * time.Minute)
		w.in(id, flow.Unknown)
		_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, kind, "op-77")
		require.NoError(t, err)
		w.work()
		w.in(id, want)
		if want == flow.Running {
			require.Equal(t, "op-77", w.flow(id).Operation.ID)
			w.pass(time.Minute) // the cloud knows no such operation
			w.in(id, flow.Unknown)
		}
		w.consistent()
	}
}

func TestDefiniteRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		err  *providers.Error
		want flow.State
	}{
		"throttled is tried again": {&providers.Error{Kind: providers.Retry}, flow.Succeeded},
		"busy is tried again":      {&providers.Error{Kind: providers.Occupied}, flow.Succeeded},
		"refused fails":            {&providers.Error{Kind: providers.Refused, Advice: providers.Text{EN: "Sold out."}}, flow.Failed},
		"not found fails":          {&providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "Gone."}}, flow.Failed},
		"wrong credentials fail":   {&providers.Error{Kind: providers.Auth, Advice: providers.Text{EN: "Wrong keys."}}, flow.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
				return providers.Operation{}, c.err
			})
			id := w.request(ask(flow.Add, 1))
			w.pass(3 * time.Minute)
			w.in(id, c.want)
			require.LessOrEqual(t, w.cloud.Accepted(), 1)
			if c.want == flow.Failed {
				require.Empty(t, w.cloud.Ledger())
				require.Len(t, w.slack.Keyed("notice/failed/"), 2)
				require.Equal(t, c.err.Advice.EN, w.flow(id).End.Text.EN)
			}
			w.consistent()
		})
	}
}

// puttingOff makes the cloud put every submission off until a time.
func (w *world) puttingOff(kind providers.Kind, until time.Time) {
	var say func(func() (providers.Operation, error)) (providers.Operation, error)
	say = func(do func() (providers.Operation, error)) (providers.Operation, error) {
		if !w.clock.Now().Before(until) {
			return do()
		}
		w.cloud.OnSubmit(say)
		return providers.Operation{}, &providers.Error{Kind: kind, Advice: providers.Text{EN: "Not now."}}
	}
	w.cloud.OnSubmit(say)
}

// The state of a cluster does not show every operation that holds it: one that
// looks idle and takes nothing is waited for by time, not by the number of tries,
// which a task of half an hour would use up. The thread is told once.
func TestAnOccupiedClusterIsWaitedFor(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.ExpireAfter = time.Hour })
	w.puttingOff(providers.Occupied, w.clock.Now().Add(50*time.Minute))
	id := w.request(ask(flow.Add, 1))
	w.pass(49 * time.Minute)
	w.in(id, flow.Queued)
	require.Greater(t, w.flow(id).Attempts, 20)
	w.pass(5 * time.Minute)
	w.in(id, flow.Succeeded)
	told := map[flow.NoteCode]int{}
	for _, n := range w.flow(id).Log {
		told[n.Code]++
	}
	require.Equal(t, 1, told[flow.NoteNotAccepted])
	require.Equal(t, 1, told[flow.NoteSubmitting])
	require.Equal(t, 1, w.cloud.Accepted())
	w.consistent()
}

// Neither goes on for ever.
func TestPuttingOffEnds(t *testing.T) {
	for kind, after := range map[providers.Kind]time.Duration{providers.Occupied: 32 * time.Minute, providers.Retry: 20 * time.Minute} {
		w := newWorld(t, func(c *approvals.Config) { c.ExpireAfter = 10 * time.Minute })
		w.puttingOff(kind, w.clock.Now().Add(time.Hour))
		id := w.request(ask(flow.Add, 1))
		w.pass(after)
		w.in(id, flow.Failed)
		require.Equal(t, "Not now.", w.flow(id).End.Text.EN)
		require.Zero(t, w.cloud.Accepted())
		w.consistent()
	}
}

// crash ends the process at an instruction: nothing after it runs.
var errCrash = errors.New("killed")

func TestKilledBetweenCallAndAnswer(t *testing.T) {
	w := newWorld(t)
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		_, err := do()
		require.NoError(t, err)
		panic(errCrash)
	})
	id := w.request(ask(flow.Add, 2))
	w.killedStep(id)
	w.in(id, flow.Submitting)
	w.wire()
	w.settle()
	w.in(id, flow.Submitting) // the dead replica's lease still runs
	w.pass(5 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
	require.Equal(t, 5, w.cloud.Count())
	w.consistent()
}

func TestKilledBetweenIntentAndCall(t *testing.T) {
	w := newWorld(t)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) { panic(errCrash) })
	id := w.request(ask(flow.Add, 2))
	w.killedStep(id)
	w.wire()
	w.pass(10 * time.Minute)
	w.in(id, flow.Unknown)
	require.Empty(t, w.cloud.Ledger(), "it can't be known that nothing was sent: never sent again without a person")
}

// killedStep steps until the step that dies.
func (w *world) killedStep(id string) {
	w.t.Helper()
	require.PanicsWithError(w.t, errCrash.Error(), func() {
		for range 20 {
			claims, err := w.store.Claim(w.t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
			require.NoError(w.t, err)
			for _, c := range claims {
				require.Equal(w.t, id, c.ID)
				require.NoError(w.t, w.engine.Step(w.t.Context(), c))
			}
		}
	})
}

// A replica is frozen inside the call for longer than its lease; another takes
// the flow over and finds the change accepted. The late answer changes nothing.
func TestTwoReplicasBelieveTheyHoldTheLease(t *testing.T) {
	w := newWorld(t)
	other := flow.NewEngine(w.options)
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		op, err := do()
		w.clock.Advance(31 * time.Second)
		claims, cerr := w.store.Claim(context.Background(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, cerr)
		require.Len(t, claims, 1, "the lease is over")
		require.NoError(t, other.Step(context.Background(), claims[0]))
		w.in("F-0002", flow.Running)
		return op, err
	})
	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Running)
	w.pass(3 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
	w.consistent()
}

// Frozen between the intent and the call: when it wakes, its lease is gone and it
// must not send.
func TestAReplicaThatWakesAfterItsLeaseDoesNotSend(t *testing.T) {
	w := newWorld(t)
	freeze := &freezingStore{Store: w.store, clock: w.clock}
	w.options.Store = freeze
	w.wire()
	id := w.request(ask(flow.Add, 2))
	freeze.after = flow.Submitting
	w.settle()
	w.in(id, flow.Submitting)
	require.Empty(t, w.cloud.Ledger())
	w.pass(5 * time.Minute)
	w.in(id, flow.Unknown)
	require.Empty(t, w.cloud.Ledger())
}

// freezingStore lets time pass right after the save of a state.
type freezingStore struct {
	flow.Store
	clock *flowtest.Clock
	after flow.State
}

func (s *freezingStore) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	f, err := s.Store.Save(ctx, c, sv)
	if err == nil && sv.Flow.State == s.after {
		s.after = ""
		s.clock.Advance(40 * time.Second)
	}
	return f, err
}

// The store comes back without the intent (AOF everysec, failover) while the call
// is out: the answer is saved all the same, with the intent before it.
func TestAStoreThatComesBackOlderKeepsTheAnswer(t *testing.T) {
	w := newWorld(t)
	key, due := "test:{T1}:flow:F-0002", "test:{T1}:due:step"
	id := w.request(ask(flow.Add, 2))
	w.killFirstMove(id)
	before, err := w.rdb.HGetAll(t.Context(), key).Result()
	require.NoError(t, err)
	line, err := w.rdb.ZRangeWithScores(t.Context(), "test:{T1}:line:acc/emr-1", 0, -1).Result()
	require.NoError(t, err)
	require.Len(t, line, 1)
	w.cloud.OnSubmit(func(do func() (providers.Operation, error)) (providers.Operation, error) {
		op, err := do()
		require.NoError(t, w.rdb.Del(t.Context(), key, "test:{T1}:seat:acc/emr-1").Err())
		require.NoError(t, w.rdb.HSet(t.Context(), key, before).Err())
		require.NoError(t, w.rdb.ZAdd(t.Context(), "test:{T1}:line:acc/emr-1", line...).Err())
		require.NoError(t, w.rdb.ZAdd(t.Context(), due, zset(w.clock.Now(), id)).Err())
		return op, err
	})
	w.settle()
	w.in(id, flow.Running)
	require.Equal(t, 1, w.flow(id).Attempts)
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
}

// killFirstMove steps the flow from planning into the line and stops there.
func (w *world) killFirstMove(id string) {
	w.t.Helper()
	claims, err := w.store.Claim(w.t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(w.t, err)
	require.Len(w.t, claims, 1)
	require.NoError(w.t, w.engine.Step(w.t.Context(), claims[0]))
	w.in(id, flow.Queued)
}

func TestAnOperationThatTheCloudForgotGoesToAPerson(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.cloud.Fail("follow", &providers.Error{Kind: providers.NotFound, Advice: providers.Text{EN: "Gone."}})
	w.pass(10 * time.Second)
	w.in(id, flow.Unknown)
}

func TestFollowingOutlastsFaults(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Add, 1))
	w.settle()
	for range 5 {
		w.cloud.Fail("follow", &providers.Error{Kind: providers.Retry})
		w.cloud.Fail("follow", &providers.Error{Kind: providers.Auth})
	}
	w.pass(5 * time.Minute)
	w.in(id, flow.Succeeded)
}

func TestAnOperationThatNeverEndsGoesToAPerson(t *testing.T) {
	w := newWorld(t)
	w.cloud.Takes = 100 * time.Hour
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.clock.Advance(6*time.Hour + time.Minute)
	w.settle()
	w.in(id, flow.Unknown)
}

func TestLegalMovesHaveEnds(t *testing.T) {
	for from, all := range flow.Moves() {
		require.NotEmpty(t, all, from)
		for _, to := range all {
			require.True(t, from.MayBecome(to))
		}
	}
	for _, s := range flow.States {
		require.Equal(t, s.Ended(), len(flow.Moves()[s]) == 0)
		require.Equal(t, !s.Ended(), s.MayBecome(s))
		require.False(t, s.Ended() && s.HoldsSeat())
	}
}

// atWork is a cloud where something runs that may be ours.
type atWork struct {
	providers.Provider
	running bool
}

func (a *atWork) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	f, err := a.Provider.Reconcile(ctx, sub)
	f.AtWork = a.running
	return f, err
}

// While an operation runs whose end will tell, a person could only wait for it too.
func TestAPersonIsNotAskedWhileTheEndOfAnOperationWillTell(t *testing.T) {
	w := newWorld(t)
	cloud := &atWork{Provider: w.cloud, running: true}
	w.options.Clouds = flowtest.Clouds{"acc": cloud}
	w.wire()
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 2))
	w.pass(20 * time.Minute)
	w.in(id, flow.Submitting)
	cloud.running = false
	w.pass(time.Minute)
	w.in(id, flow.Unknown)

	cloud.running = true
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalClose, "")
	require.NoError(t, err)
	w.pass(time.Minute)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	forever := w.request(ask(flow.Add, 2))
	w.pass(32 * time.Minute)
	w.in(forever, flow.Unknown) // not for ever
}

// undurable is a store that does not vouch for what was saved, some times, and does not
// save what comes next.
type undurable struct {
	flow.Store
	times, saves int
	failing      bool
	then         func()
}

func (s *undurable) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	if s.failing && s.saves > 0 {
		s.saves--
		return flow.Flow{}, errors.New("no answer")
	}
	return s.Store.Save(ctx, c, sv)
}

func (s *undurable) Durable(ctx context.Context, id string) error {
	if s.times--; s.times >= 0 {
		s.failing = true
		if s.then != nil {
			s.then()
		}
		return errors.New("not on disk")
	}
	return s.Store.Durable(ctx, id)
}

// A disk that is too slow is nobody's business but the disk's: nothing was sent, which
// is known, so no person is asked and the change is made once the disk is well.
func TestAnIntentThatIsNotOnDiskIsNotSentAndNotInDoubt(t *testing.T) {
	w := newWorld(t)
	w.options.Store = &undurable{Store: w.store, times: 3}
	w.wire()
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(id, flow.Queued)
	require.Equal(t, flow.WaitDisk, w.flow(id).Wait.Code, "not the cloud's fault")
	require.Empty(t, w.cloud.Ledger())
	w.pass(5 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
	require.Equal(t, providers.Token("T1", id, 1), w.cloud.Ledger()[0].Token, "what was not sent was no attempt")
}

// Redis may be too slow for that too: the process that knows it tries on.
func TestThatNothingWasSentIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	slow := &undurable{Store: w.store, times: 1, saves: 1}
	w.options.Store = slow
	w.options.Memory = flow.NewMemory()
	w.wire()
	id := w.request(ask(flow.Add, 1))
	w.pass(10 * time.Second)
	require.Zero(t, slow.saves, "the test needs a save that fails")
	require.NotEqual(t, flow.Submitting, w.flow(id).State)
	w.pass(3 * time.Minute)
	w.in(id, flow.Succeeded)
	require.Len(t, w.cloud.Ledger(), 1)
}

// A Redis that is behind may come back with the intent, and without what came of it:
// what was cancelled meanwhile is not sent then.
func TestWhatWasNotSentAndCancelledIsNotSentByAnOlderRecord(t *testing.T) {
	w := newWorld(t)
	var intent map[string]kv
	disk := &undurable{Store: w.store, times: 1, then: func() { intent = w.dump() }}
	w.options.Store = disk
	w.options.Memory = flow.NewMemory()
	w.wire()
	id := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(id, flow.Queued)
	_, err := w.desk.Cancel(t.Context(), w.caller(asker), id)
	require.NoError(t, err)
	w.settle()
	w.in(id, flow.Cancelled)
	w.restore(intent)
	w.in(id, flow.Submitting)
	for range 60 {
		w.clock.Advance(time.Second)
		w.engine.Recheck(t.Context())
	}
	w.pass(5 * time.Minute)
	require.Empty(t, w.cloud.Ledger())
	w.in(id, flow.Cancelled)
}

// Nor does a repeat that was not sent use up one of the few.
func TestARepeatThatIsNotOnDiskIsNotCounted(t *testing.T) {
	w := newWorld(t)
	l := &lookers{Cloud: w.cloud, t: t, unknown: func() bool { return false }}
	w.withCloud(l)
	disk := &undurable{Store: w.store}
	w.options.Store = disk
	w.wire()
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		disk.times = 1000
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 1))
	w.pass(time.Minute)
	w.in(id, flow.Submitting)
	require.Zero(t, w.flow(id).Repeats)
	require.Zero(t, l.repeats)
	require.Positive(t, l.looks, "it is looked for all the same")
	disk.times = 0
	w.pass(time.Minute)
	require.Positive(t, l.repeats)
}

// A decision that comes while the step of another one is under way is not thrown away:
// the two contradict each other, and people are told so.
func TestADecisionThatComesMeanwhileIsHeard(t *testing.T) {
	w := newWorld(t)
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, flowtest.Lost()
	})
	id := w.request(ask(flow.Add, 1))
	w.pass(5 * time.Minute)
	w.in(id, flow.Unknown)
	late := &meanwhile{Store: w.store}
	w.options.Store = late
	w.wire()
	late.before = func() {
		_, err := flow.NewDesk(w.options, nil).Settle(t.Context(), w.caller(lead2), id, flow.SignalClose, "")
		require.NoError(t, err)
	}
	_, err := w.desk.Settle(t.Context(), w.caller(lead1), id, flow.SignalRetry, "")
	require.NoError(t, err)
	w.settle()
	require.Nil(t, late.before)
	w.in(id, flow.Unknown)
	require.True(t, w.said(id, flow.NoteTorn, ""))
}

// meanwhile is a store in which something happens right before a save.
type meanwhile struct {
	flow.Store
	before func()
}

func (s *meanwhile) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Save(ctx, c, sv)
}
