// Package providertest is the contract suite of the port in package providers:
// every adapter passes it against a control plane that speaks its cloud's real
// protocol over real HTTP. It owns what holds for all clouds; what is special to
// one cloud's wire is tested beside its adapter. It refuses to know an adapter,
// an SDK or a particular control plane: those come in by Harness.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// FaultKind is what the control plane does to one request.
type FaultKind string

// The faults. A harness whose cloud can't show one reports it by Bench.Fault
// returning false; the cases that need it are then skipped by name.
const (
	LostBefore FaultKind = "lost before" // connection closed, request not looked at
	LostAfter  FaultKind = "lost after"  // taken, then the connection closed without an answer
	Throttled  FaultKind = "throttled"   // refused for too many calls
	AuthFailed FaultKind = "auth"        // credentials refused
	Hang       FaultKind = "hang"        // no answer before the client gives up
	HTTP500    FaultKind = "http 500"    // a gateway's 5xx with HTML, request not looked at
	Garbage    FaultKind = "garbage"     // HTTP 200 that is not the cloud's format; of a change: taken
)

// Target is which requests a fault hits.
type Target string

// The targets.
const (
	OnRead   Target = "read"
	OnChange Target = "change"
)

// Bench is one fresh control plane with one idle cluster, and a provider on it.
type Bench struct {
	Provider providers.Provider
	Cluster  providers.ClusterRef
	// Add and Remove are changes that fit the cluster, before Resolve. Remove
	// names no nodes. A zero Remove.Delta: this cloud can't remove.
	Add, Remove providers.Change
	// Price is the exact quote that Add must have; a zero amount is not checked,
	// but one of the amounts must be given.
	Price providers.Quote
	// Reconfigured is a provider on the same control plane whose group has other
	// params.
	Reconfigured providers.Provider
	// Secrets must never be seen in an error.
	Secrets []string

	// Now is the time of provider and control plane; Advance moves it. Finish
	// moves it so far that every running operation has ended.
	Now     func() time.Time
	Advance func(time.Duration)
	Finish  func()

	// Fault hits the next request of the target, once.
	Fault func(FaultKind, Target) bool
	// Accepted counts the changes that the cloud took, by anybody. Sent counts
	// requests for a change that reached it, taken or not.
	Accepted func() int
	Sent     func() int
}

// Harness makes benches.
type Harness struct {
	// New builds a bench; it registers its own clean-up with t.
	New func(t *testing.T) Bench
	// Token says that a repeat with the same token can't act twice, so that
	// Reconcile proves acceptance at once and not only when the nodes show.
	Token bool
	// Rereads says that the cloud is read by GET, which Go's HTTP repeats by
	// itself on a fresh connection when a kept one turns out to be closed: a read
	// that is lost before it is looked at may then be answered all the same.
	Rereads bool
}

// patience is when a call that ignores its context has failed the suite. It is
// far above a context's own 200 ms so that slow machines pass.
const patience = 5 * time.Second

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness, *bench)
	}{
		{"observe", observe},
		{"clusters are listed", clusters},
		{"a cluster that is not there", notFound},
		{"check refuses what can never be", check},
		{"resolve adds", resolveAdd},
		{"resolve chooses nodes", resolveRemove},
		{"quote", quote},
		{"submit is taken once and followed to its end", submit},
		{"removal is taken once and followed to its end", remove},
		{"the answer of a taken change is lost", lostAfter},
		{"an unreadable answer to a taken change", garbage},
		{"a change is lost on its way", lostBefore},
		{"a change is lost on its way and nobody looks for long", lostForLong},
		{"the answer to a removal is lost", lostRemoval},
		{"a throttled change", throttled},
		{"a change with refused credentials", authFailed},
		{"a 5xx to a change", serverError},
		{"reads that fail", reads},
		{"a hung cloud and a deadline", deadline},
		{"a hung cloud and a cancellation", cancellation},
		{"a context that has ended", ended},
		{"the config changed since the vote", reconfigured},
		{"many at once", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(t, h, &bench{Bench: h.New(t), t: t})
		})
	}
}

// bench adds what the cases share.
type bench struct {
	Bench
	t *testing.T
}

func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bench) fault(k FaultKind, on Target) {
	b.t.Helper()
	if !b.Fault(k, on) {
		b.t.Skipf("the control plane can't show %q on a %s", k, on)
	}
}

func (b *bench) snapshot() providers.Snapshot {
	b.t.Helper()
	s, err := b.Provider.Observe(b.ctx(), b.Cluster)
	require.NoError(b.t, err)
	return s
}

// submission resolves a change as the engine does.
func (b *bench) submission(c providers.Change) providers.Submission {
	b.t.Helper()
	s := b.snapshot()
	c, err := b.Provider.Resolve(c, s)
	require.NoError(b.t, err)
	return providers.Submission{
		Change: c, Baseline: s, Attempt: 1,
		Token: providers.Token("TCONTRACT", "F-"+b.t.Name(), 1), SentAt: b.Now(),
	}
}

// wrong asserts an error of a kind, and what must hold for every error.
func (b *bench) wrong(err error, kinds ...providers.Kind) {
	b.t.Helper()
	require.Error(b.t, err)
	require.Contains(b.t, kinds, providers.KindOf(err), "%v", err)
	Presentable(b.t, err, b.Secrets...)
}

// Presentable asserts what holds for every error of a port: it is classified,
// it has advice in both languages of one short sentence or two, and none of the
// secrets is in any of its texts.
func Presentable(t testing.TB, err error, secrets ...string) {
	t.Helper()
	var e *providers.Error
	require.ErrorAs(t, err, &e, "the error is not classified")
	require.NotEmpty(t, e.Advice.EN, "%v", err)
	require.NotEmpty(t, e.Advice.ZH, "%v", err)
	require.LessOrEqual(t, len(e.Advice.EN), 400, "advice is for a chat line: %s", e.Advice.EN)
	require.LessOrEqual(t, len(err.Error()), 2000, "a foreign answer was kept whole")
	texts := []string{e.Advice.EN, e.Advice.ZH, fmt.Sprintf("%+v", *e)}
	for x := error(err); x != nil; x = errors.Unwrap(x) {
		texts = append(texts, x.Error(), fmt.Sprintf("%#v", x))
	}
	for _, text := range texts {
		for _, s := range secrets {
			require.NotContains(t, text, s, "a secret is in an error")
		}
	}
}

// follow polls until the end that Finish brings.
func (b *bench) follow(sub providers.Submission, op providers.Operation) providers.Progress {
	b.t.Helper()
	pr, err := b.Provider.Follow(b.ctx(), sub, op)
	require.NoError(b.t, err)
	require.Equal(b.t, providers.Running, pr.State, "%+v", pr)
	b.Finish()
	pr, err = b.Provider.Follow(b.ctx(), sub, op)
	require.NoError(b.t, err)
	return pr
}

func group(t *testing.T, s providers.Snapshot, id string) providers.Group {
	t.Helper()
	g, ok := s.Group(id)
	require.True(t, ok, "the snapshot has no group %s", id)
	return g
}
