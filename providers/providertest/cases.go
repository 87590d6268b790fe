package providertest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func observe(t *testing.T, _ Harness, b *bench) {
	s := b.snapshot()
	require.Equal(t, b.Cluster.ID, s.ID)
	require.Equal(t, providers.Ready, s.Phase)
	require.NotEmpty(t, s.Status)
	require.True(t, s.At.Equal(b.Now()), "At is the injected time")
	g := group(t, s, b.Add.GroupID)
	require.Equal(t, g.Count, len(g.Nodes), "the bench's cluster is idle")
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		require.NotEmpty(t, n.ID)
		require.False(t, seen[n.ID], "node %s is there twice", n.ID)
		seen[n.ID] = true
	}
}

func clusters(t *testing.T, _ Harness, b *bench) {
	list, err := b.Provider.Clusters(b.ctx())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(list, func(c providers.ClusterInfo) bool { return c.ID == b.Cluster.ID }))
}

func notFound(_ *testing.T, _ Harness, b *bench) {
	_, err := b.Provider.Observe(b.ctx(), providers.ClusterRef{Name: "nowhere", ID: b.Cluster.ID + "0"})
	b.wrong(err, providers.NotFound)
}

func check(t *testing.T, _ Harness, b *bench) {
	require.NoError(t, b.Provider.Check(b.Add))
	for name, edit := range map[string]func(*providers.Change){
		"nothing to do":           func(c *providers.Change) { c.Delta = 0 },
		"a group of no config":    func(c *providers.Change) { c.Group = "no-such-group" },
		"prepaid without a term":  func(c *providers.Change) { c.Charge, c.Months = providers.Prepaid, 0 },
		"a term without prepaid":  func(c *providers.Change) { c.Charge, c.Months = providers.Postpaid, 1 },
		"adding nodes by name":    func(c *providers.Change) { c.Nodes = []string{"x"} },
		"a charge mode of no one": func(c *providers.Change) { c.Charge = "barter" },
	} {
		c := b.Add
		edit(&c)
		err := b.Provider.Check(c)
		require.Error(t, err, name)
		b.wrong(err, providers.Refused)
	}
}

func resolveAdd(t *testing.T, _ Harness, b *bench) {
	s := b.snapshot()
	c, err := b.Provider.Resolve(b.Add, s)
	require.NoError(t, err)
	require.NotEmpty(t, c.Profile)
	require.Empty(t, c.Nodes)
	again, err := b.Provider.Resolve(c, s)
	require.NoError(t, err)
	require.Equal(t, c, again, "resolving what is resolved changes nothing")

	c = b.Add
	s.Groups = slices.DeleteFunc(slices.Clone(s.Groups), func(g providers.Group) bool { return g.ID == c.GroupID })
	_, err = b.Provider.Resolve(c, s)
	b.wrong(err, providers.NotFound)
}

func resolveRemove(t *testing.T, _ Harness, b *bench) {
	needRemove(t, b)
	s := b.snapshot()
	g := group(t, s, b.Remove.GroupID)
	c, err := b.Provider.Resolve(b.Remove, s)
	require.NoError(t, err)
	if b.CloudPicks {
		require.Empty(t, c.Nodes, "a plan must not name nodes that may not be the ones to go")
	} else {
		require.Len(t, c.Nodes, -c.Delta)
	}
	require.True(t, slices.IsSorted(c.Nodes))
	for _, id := range c.Nodes {
		i := slices.IndexFunc(g.Nodes, func(n providers.Node) bool { return n.ID == id })
		require.GreaterOrEqual(t, i, 0, "%s is not in the group", id)
		require.Empty(t, g.Nodes[i].Keep)
	}
	again, err := b.Provider.Resolve(b.Remove, s)
	require.NoError(t, err)
	require.Equal(t, c, again, "two replicas choose alike")

	tooMany := b.Remove
	tooMany.Delta = -g.Count - 1
	_, err = b.Provider.Resolve(tooMany, s)
	b.wrong(err, providers.Refused)

	stranger := b.Remove
	stranger.Delta, stranger.Nodes = -1, []string{"no-such-node"}
	if b.CloudPicks {
		b.wrong(b.Provider.Check(stranger), providers.Refused)
		return
	}
	_, err = b.Provider.Resolve(stranger, s)
	b.wrong(err, providers.NotFound)

	i := slices.IndexFunc(s.Groups, func(g providers.Group) bool { return g.ID == b.Remove.GroupID })
	guarded := s.Groups[i]
	guarded.Nodes = slices.Clone(guarded.Nodes)
	for k := range guarded.Nodes {
		guarded.Nodes[k].Keep = "the suite says so"
	}
	s.Groups = slices.Clone(s.Groups)
	s.Groups[i] = guarded
	_, err = b.Provider.Resolve(b.Remove, s)
	b.wrong(err, providers.Refused)
}

func needRemove(t *testing.T, b *bench) {
	t.Helper()
	if b.Remove.Delta == 0 {
		t.Skip("this cloud can't remove nodes")
	}
}

func quote(t *testing.T, _ Harness, b *bench) {
	s := b.snapshot()
	c, err := b.Provider.Resolve(b.Add, s)
	require.NoError(t, err)
	q, err := b.Provider.Quote(b.ctx(), c, s)
	require.NoError(t, err)
	require.True(t, q.Known, "%+v", q)
	require.Equal(t, b.Price.Currency, q.Currency)
	require.True(t, b.Price.Hourly.IsPositive() || b.Price.Committed.IsPositive(), "the harness gives no price")
	if b.Price.Hourly.IsPositive() {
		require.True(t, b.Price.Hourly.Equal(q.Hourly), "hourly %s, want %s", q.Hourly, b.Price.Hourly)
	}
	if b.Price.Committed.IsPositive() {
		require.True(t, b.Price.Committed.Equal(q.Committed), "committed %s, want %s", q.Committed, b.Price.Committed)
	}
	require.True(t, q.At.Equal(b.Now()))

	if b.Remove.Delta != 0 {
		c, err := b.Provider.Resolve(b.Remove, s)
		require.NoError(t, err)
		q, err := b.Provider.Quote(b.ctx(), c, s)
		require.NoError(t, err)
		require.True(t, q.Known && q.Hourly.IsZero() && q.Monthly.IsZero() && q.Committed.IsZero(), "%+v", q)
	}
	require.Zero(t, b.Sent(), "asking for a price must not order")
}

func submit(t *testing.T, _ Harness, b *bench) {
	sub := b.submission(b.Add)
	op, err := b.Provider.Submit(b.ctx(), sub)
	require.NoError(t, err)
	require.True(t, op.AcceptedAt.Equal(b.Now()))
	pr := b.follow(sub, op)
	endedWell(t, b, sub, pr)
	require.Equal(t, 1, b.Accepted())
	require.Equal(t, 1, b.Sent())
}

// endedWell asserts the end of a change that went well.
func endedWell(t *testing.T, b *bench, sub providers.Submission, pr providers.Progress) {
	t.Helper()
	require.Equal(t, providers.Succeeded, pr.State, "%+v", pr)
	require.Equal(t, 100, pr.Percent)
	before := group(t, sub.Baseline, sub.Change.GroupID)
	require.Equal(t, before.Count+sub.Change.Delta, pr.Count)
	require.Len(t, pr.Changed, max(sub.Change.Delta, -sub.Change.Delta))
	now := group(t, b.snapshot(), sub.Change.GroupID)
	for _, n := range pr.Changed {
		has := func(g providers.Group) bool {
			return slices.ContainsFunc(g.Nodes, func(x providers.Node) bool { return x.ID == n.ID })
		}
		require.Equal(t, sub.Change.Adds(), has(now), "node %s", n.ID)
		require.Equal(t, !sub.Change.Adds(), has(before), "node %s", n.ID)
	}
}

func remove(t *testing.T, _ Harness, b *bench) {
	needRemove(t, b)
	sub := b.submission(b.Remove)
	op, err := b.Provider.Submit(b.ctx(), sub)
	require.NoError(t, err)
	pr := b.follow(sub, op)
	endedWell(t, b, sub, pr)
	if !b.CloudPicks {
		for _, n := range pr.Changed {
			require.Contains(t, sub.Change.Nodes, n.ID)
		}
	}
	require.Equal(t, 1, b.Accepted())
	require.Equal(t, 1, b.Sent())
}

func lostAfter(t *testing.T, h Harness, b *bench) { lost(t, h, b, LostAfter) }
func garbage(t *testing.T, h Harness, b *bench)   { lost(t, h, b, Garbage) }

// lost: the cloud took the change and its answer never came.
func lost(t *testing.T, h Harness, b *bench, k FaultKind) {
	sub := b.submission(b.Add)
	b.fault(k, OnChange)
	_, err := b.Provider.Submit(b.ctx(), sub)
	b.wrong(err, providers.Unknown)
	require.Equal(t, 1, b.Sent(), "the adapter must not repeat by itself")

	f := b.reconcile(sub)
	if h.Token {
		require.Equal(t, providers.Accepted, f.State, "%+v", f)
		endedWell(t, b, sub, b.follow(sub, f.Operation))
	} else {
		require.NotEqual(t, providers.NotAccepted, f.State, "%+v", f)
		b.Finish()
		f = b.reconcile(sub)
		require.Equal(t, providers.Accepted, f.State, "%+v", f)
	}
	require.Equal(t, 1, b.Accepted(), "a lost answer must not order twice")

	// Long after, when no promise of the cloud holds any more, the nodes tell.
	b.Finish()
	b.Advance(24 * time.Hour)
	sent := b.Sent()
	require.Equal(t, providers.Accepted, b.reconcile(sub).State)
	require.Equal(t, sent, b.Sent(), "nothing may be repeated when the token's time is over")
	require.Equal(t, 1, b.Accepted())
}

func (b *bench) reconcile(sub providers.Submission) providers.Finding {
	b.t.Helper()
	f, err := b.Provider.Reconcile(b.ctx(), sub)
	require.NoError(b.t, err)
	require.NotEmpty(b.t, f.Evidence.EN)
	require.NotEmpty(b.t, f.Evidence.ZH)
	return f
}

// lostBefore: nothing shows of the change. A repeat under the token's promise may
// carry it out, once; absence alone is never a proof.
func lostBefore(t *testing.T, h Harness, b *bench) {
	sub := b.submission(b.Add)
	b.fault(LostBefore, OnChange)
	_, err := b.Provider.Submit(b.ctx(), sub)
	b.wrong(err, providers.Unknown)
	require.Zero(t, b.Accepted())
	f := b.reconcile(sub)
	if !h.Token {
		require.Equal(t, providers.Unsure, f.State, "%+v", f)
		require.Equal(t, 1, b.Sent())
		return
	}
	require.Equal(t, providers.Accepted, f.State, "%+v", f)
	again := b.reconcile(sub)
	require.Equal(t, providers.Accepted, again.State)
	require.Equal(t, f.Operation.ID, again.Operation.ID, "two repeats, one operation")
	require.Equal(t, 1, b.Accepted())
}

// lostForLong: the token's promise is over before anybody looks.
func lostForLong(t *testing.T, _ Harness, b *bench) {
	sub := b.submission(b.Add)
	b.fault(LostBefore, OnChange)
	_, err := b.Provider.Submit(b.ctx(), sub)
	b.wrong(err, providers.Unknown)
	b.Advance(time.Hour)
	f := b.reconcile(sub)
	require.Equal(t, providers.Unsure, f.State, "absence proves nothing: %+v", f)
	require.Equal(t, 1, b.Sent())
}

func lostRemoval(t *testing.T, _ Harness, b *bench) {
	needRemove(t, b)
	sub := b.submission(b.Remove)
	b.fault(LostAfter, OnChange)
	_, err := b.Provider.Submit(b.ctx(), sub)
	b.wrong(err, providers.Unknown)
	require.NotEqual(t, providers.NotAccepted, b.reconcile(sub).State)
	b.Finish()
	f := b.reconcile(sub)
	require.Equal(t, providers.Accepted, f.State, "%+v", f)
	require.Equal(t, 1, b.Accepted())
	require.Equal(t, 1, b.Sent(), "a removal has no token and is never repeated")

	pr, err := b.Provider.Follow(b.ctx(), sub, f.Operation)
	require.NoError(t, err)
	endedWell(t, b, sub, pr)
}

// refused: the cloud answered that it did not take the change.
func refused(t *testing.T, b *bench, k FaultKind, kind providers.Kind) {
	sub := b.submission(b.Add)
	b.fault(k, OnChange)
	_, err := b.Provider.Submit(b.ctx(), sub)
	b.wrong(err, kind)
	require.Zero(t, b.Accepted())
	require.Equal(t, 1, b.Sent(), "the engine repeats, not the adapter")
	if k == Throttled {
		asksForLess(t, err)
	}
}

// asksForLess: a cloud that throttles answers, or its account would be left alone
// as one that doesn't.
func asksForLess(t *testing.T, err error) {
	t.Helper()
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.True(t, e.Throttled, "%v", err)
}

func throttled(t *testing.T, _ Harness, b *bench)  { refused(t, b, Throttled, providers.Retry) }
func authFailed(t *testing.T, _ Harness, b *bench) { refused(t, b, AuthFailed, providers.Auth) }

func serverError(t *testing.T, _ Harness, b *bench) { refused(t, b, HTTP500, providers.Unknown) }

// reads never have an effect, so they are never Unknown.
func reads(t *testing.T, h Harness, b *bench) {
	for k, kind := range map[FaultKind]providers.Kind{
		LostBefore: providers.Retry, Throttled: providers.Retry, HTTP500: providers.Retry,
		Garbage: providers.Retry, AuthFailed: providers.Auth,
	} {
		t.Run(string(k), func(t *testing.T) {
			b := &bench{Bench: b.Bench, t: t}
			b.fault(k, OnRead)
			_, err := b.Provider.Observe(b.ctx(), b.Cluster)
			if err != nil || k != LostBefore || !h.Rereads {
				b.wrong(err, kind)
			}
			if k == Throttled {
				asksForLess(t, err)
			}
			b.snapshot() // and the next one is well
		})
	}
}

// timed calls f and asserts that it came back soon.
func timed(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(t, "the call ignores its context")
	}
}

func deadline(t *testing.T, _ Harness, b *bench) {
	hung(t, b, func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), 200*time.Millisecond)
	})
}

func cancellation(t *testing.T, _ Harness, b *bench) {
	hung(t, b, func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.Background())
		stop := time.AfterFunc(200*time.Millisecond, cancel)
		return ctx, func() { stop.Stop(); cancel() }
	})
}

func hung(t *testing.T, b *bench, limited func() (context.Context, context.CancelFunc)) {
	sub := b.submission(b.Add)
	b.fault(Hang, OnRead)
	timed(t, func() {
		ctx, cancel := limited()
		defer cancel()
		_, err := b.Provider.Observe(ctx, b.Cluster)
		b.wrong(err, providers.Retry)
	})
	b.fault(Hang, OnChange)
	timed(t, func() {
		ctx, cancel := limited()
		defer cancel()
		_, err := b.Provider.Submit(ctx, sub)
		b.wrong(err, providers.Unknown)
	})
	require.Equal(t, 1, b.Sent())
}

// ended: a change under a context that is over is not sent, and says so.
func ended(t *testing.T, _ Harness, b *bench) {
	sub := b.submission(b.Add)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.Provider.Submit(ctx, sub)
	b.wrong(err, providers.Retry)
	_, err = b.Provider.Observe(ctx, b.Cluster)
	b.wrong(err, providers.Retry)
	require.Zero(t, b.Sent())
}

func reconfigured(t *testing.T, _ Harness, b *bench) {
	sub := b.submission(b.Add)
	_, err := b.Reconfigured.Submit(b.ctx(), sub)
	b.wrong(err, providers.Refused)
	require.Zero(t, b.Sent())

	c, err := b.Reconfigured.Resolve(b.Add, sub.Baseline)
	require.NoError(t, err)
	require.NotEqual(t, sub.Change.Profile, c.Profile)
}

// concurrent is for the race detector, and shows that one change among many
// reads is taken once.
func concurrent(t *testing.T, _ Harness, b *bench) {
	sub := b.submission(b.Add)
	ctx := b.ctx()
	errs := make(chan error, 64)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := b.Provider.Observe(ctx, b.Cluster)
			errs <- err
			if err != nil {
				return
			}
			_, err = b.Provider.Resolve(b.Add, s)
			errs <- err
			_, err = b.Provider.Quote(ctx, sub.Change, sub.Baseline)
			errs <- err
		})
	}
	wg.Go(func() {
		_, err := b.Provider.Submit(ctx, sub)
		errs <- err
	})
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.Accepted())
}
