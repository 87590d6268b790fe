package flow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"scalebot/providers"
)

// How long and how much a replica remembers beside the store. A store that comes
// back older lacks seconds; it may take minutes to come back.
const (
	memoryFor  = 5 * time.Minute
	memoryMost = 2000
	// The first look whether the store still has it, then at twice the age.
	memoryLook = 2 * time.Second
	memoryTick = time.Second
)

// known is one thing that this replica knows to have happened to a flow: an
// answer of the cloud to an attempt, an end before anything was sent, or a request
// that was taken in.
type known struct {
	flow    Flow // attempt: the intent as saved; end: as saved; request: as accepted
	what    knowledge
	op      providers.Operation // of an attempt
	err     error               // of an attempt: its answer
	dedupe  string              // of a request
	version int64               // of the record that has it; 0 = it could not be saved yet
	at      time.Time
	kept    time.Time // last time that the store was away: what is known ages only while it is there
	next    time.Time // the next look at the record
}

type knowledge int

const (
	knowsAnswer knowledge = iota
	knowsEnd
	knowsRequest
)

// Memory is what one replica did in the last minutes. It lives and dies with the
// process: nothing of a flow's life hangs on it, but where the store comes back
// older it is all that tells what was already done. A nil *Memory remembers
// nothing.
type Memory struct {
	mu   sync.Mutex
	list []*known // oldest first
}

// NewMemory makes an empty memory.
func NewMemory() *Memory { return &Memory{} }

func (m *Memory) add(k *known) *known {
	if m == nil {
		return k
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k.next = k.at.Add(memoryLook)
	m.list = slices.DeleteFunc(m.list, func(old *known) bool { return old.old(k.at) })
	if len(m.list) >= memoryMost {
		m.list = slices.Delete(m.list, 0, len(m.list)-memoryMost+1)
	}
	m.list = append(m.list, k)
	return k
}

func (m *Memory) sent(intent Flow, op providers.Operation, err error, now time.Time) *known {
	return m.add(&known{what: knowsAnswer, flow: intent, op: op, err: err, at: now})
}

func (m *Memory) stopped(f Flow, now time.Time) {
	m.add(&known{what: knowsEnd, flow: f, version: f.Version, at: now})
}

func (m *Memory) taken(f Flow, dedupe string, now time.Time) {
	m.add(&known{what: knowsRequest, flow: f, dedupe: dedupe, version: 1, at: now})
}

// saved notes which version of the record has it.
func (m *Memory) saved(k *known, version int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k.version = version
}

// old reports whether it need not be remembered any longer.
func (k *known) old(now time.Time) bool {
	since := k.at
	if k.kept.After(since) {
		since = k.kept
	}
	return now.Sub(since) > memoryFor
}

// in reports whether a record knows it too.
func (k *known) in(f *Flow) bool {
	if k.what == knowsEnd {
		// Not by its version: another replica may have counted it up on the older record.
		return f != nil && (f.State.Ended() || f.State.HoldsSeat())
	}
	if f == nil || k.version == 0 || f.Version < k.version {
		return false
	}
	// Versions count up again after the store came back older; who sent does not.
	return k.what != knowsAnswer || f.SentBy == k.flow.SentBy || f.Attempts > k.flow.Attempts
}

// ahead finds what is known of a flow and not in its record: whoever steps it must
// write that first, or it would be done again.
func (m *Memory) ahead(f *Flow) *known {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range slices.Backward(m.list) {
		if k.flow.ID == f.ID && !k.in(f) {
			return k
		}
	}
	return nil
}

// due lists what is to be looked up now, and says when each comes next.
func (m *Memory) due(now time.Time) []*known {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = slices.DeleteFunc(m.list, func(k *known) bool { return k.old(now) })
	var due []*known
	for _, k := range m.list {
		if !now.Before(k.next) {
			due = append(due, k)
			k.next = now.Add(max(now.Sub(k.at), memoryLook))
		}
	}
	return due
}

func (m *Memory) forget(k *known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = slices.DeleteFunc(m.list, func(x *known) bool { return x == k })
}

// Recheck looks whether the store still has what this replica did lately, and
// writes it again where the store came back older. Run calls it every second; a
// simulator may call it directly.
func (e *Engine) Recheck(ctx context.Context) {
	if e.Reborn != nil { // the first to ask after a restart sets the time of it
		if _, err := e.Reborn(ctx); err != nil {
			e.Logger.Debug("the store does not say since when it is the same", "error", err)
		}
	}
	for _, k := range e.Memory.due(e.Clock.Now()) {
		f, _, err := e.Store.Get(ctx, k.flow.ID)
		record := &f
		switch {
		case errors.Is(err, ErrNotFound):
			record = nil
		case errors.Is(err, ErrNewer):
			continue
		case err != nil:
			e.Memory.again(k, e.Clock.Now()) // the store is away: it may be about to come back older
			continue
		}
		if k.in(record) {
			continue
		}
		if err := e.restore(ctx, k); err != nil {
			e.Logger.Warn("what the store forgot is not written again yet", "flow", k.flow.ID, "error", err)
			e.Memory.again(k, e.Clock.Now())
		}
	}
}

// again brings the next look forward.
func (m *Memory) again(k *known, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k.next, k.kept = now.Add(memoryTick), now
}

// recheck runs Recheck until ctx ends.
func (e *Engine) recheck(ctx context.Context) {
	tick := time.NewTicker(memoryTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			e.Recheck(ctx)
		}
	}
}
