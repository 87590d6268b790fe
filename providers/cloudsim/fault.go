package cloudsim

import (
	"fmt"
	"slices"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault. Where a kind is about the transport, the text says
// whether the change it hits happens: that is what callers get wrong.
const (
	// SoldOut lets no new nodes come: no stock of the machine type. Tencent says
	// so at once, with no effect; Alibaba accepts and lets the operation fail.
	SoldOut FaultKind = "sold-out"
	// Throttled answers that there were too many requests. No effect.
	Throttled FaultKind = "throttled"
	// Refused answers with Fault.Code and Fault.Reason after all the usual
	// checks passed. No effect.
	Refused FaultKind = "refused"
	// AuthFailed answers that the credentials are wrong, or with Fault.Code. No effect.
	AuthFailed FaultKind = "auth"
	// LostBefore closes the connection before the request is looked at. No effect.
	LostBefore FaultKind = "lost-before"
	// LostAfter does what was asked and closes the connection with no answer.
	LostAfter FaultKind = "lost-after"
	// Slow does what was asked at once and answers after Fault.Delay of real time.
	Slow FaultKind = "slow"
	// Hang never answers and never does anything.
	Hang FaultKind = "hang"
	// ServerError is a gateway's HTML page with status 500, or 502 where the
	// cloud's own is that. No effect.
	ServerError FaultKind = "http-500"
	// Garbage does what was asked and answers 200 with a cut-off body.
	Garbage FaultKind = "garbage"
	// FlowFails lets the next operation fail at Fault.Stage with Fault.Reason.
	// In Tencent's cloud a failed scale-out leaves the cluster unusable until
	// ClearFaults, in Alibaba's it leaves failed nodes until then.
	FlowFails FaultKind = "flow-fails"
	// FlowBlocked stops the next operation at Fault.Stage until the fault is cleared.
	FlowBlocked FaultKind = "flow-blocked"
	// Partial lets only Fault.Nodes of the nodes join (or leave) in the next operation.
	Partial FaultKind = "partial"
	// ForcedStatus shows the cluster with Fault.Status until cleared; changes
	// are refused accordingly. Fault.Times is ignored.
	ForcedStatus FaultKind = "status"
)

// FaultKinds is every kind, in the order in which a page would offer them.
var FaultKinds = [...]FaultKind{
	SoldOut, Throttled, LostBefore, LostAfter, Slow, Hang, ServerError, Garbage,
	AuthFailed, Refused, FlowFails, FlowBlocked, Partial, ForcedStatus,
}

// UntilCleared as Fault.Times keeps a fault until ClearFault or ClearFaults.
const UntilCleared = -1

// Fault is one switch of the switchboard. Empty Cloud, Action or Cluster match
// all, except that SoldOut only ever hits requests for nodes, and LostBefore,
// LostAfter and the flow kinds hit only changes unless Action says otherwise.
type Fault struct {
	ID      int // set by Sim.Fault
	Kind    FaultKind
	Cloud   string        // e.g. Tencent
	Action  string        // the cloud's own word, e.g. ScaleOutCluster
	Cluster string        // the cloud's id
	Times   int           // how often it hits: 0 = once, UntilCleared = until cleared
	Delay   time.Duration // Slow; 0 = 10 s
	Stage   int           // FlowFails, FlowBlocked: 1 = first; 0 = the middle one
	Reason  string        // FlowFails, Refused: the cloud's words; "" = the usual ones
	Nodes   int           // Partial: how many join
	Status  string        // ForcedStatus: the cloud's own word or number
	Code    string        // Refused (required), AuthFailed, Throttled, Alibaba's FlowFails: the cloud's code
}

// hit is a fault taken for one request or one operation.
type hit struct{ Fault }

// armed is a fault on the switchboard with how often it may still hit.
type armed struct {
	Fault
	left int
}

// switchboard holds the faults in the order they were set; the oldest that
// matches wins. Guarded by Sim.mu.
type switchboard struct {
	last  int
	armed []*armed
}

// Fault sets a fault and returns its id for ClearFault. The error says which
// field the kind needs.
func (s *Sim) Fault(f Fault) (int, error) {
	if !slices.Contains(FaultKinds[:], f.Kind) {
		return 0, fmt.Errorf("cloudsim: unknown kind of fault %q", f.Kind)
	}
	switch {
	case f.Kind == Refused && f.Code == "":
		return 0, fmt.Errorf("cloudsim: a %s fault needs Code", f.Kind)
	case f.Kind == ForcedStatus && f.Status == "":
		return 0, fmt.Errorf("cloudsim: a %s fault needs Status", f.Kind)
	case f.Stage < 0 || f.Nodes < 0 || f.Delay < 0 || f.Times < UntilCleared:
		return 0, fmt.Errorf("cloudsim: a %s fault has a negative Stage, Nodes, Delay or Times", f.Kind)
	}
	switch {
	case f.Kind == ForcedStatus:
		f.Times = UntilCleared
	case f.Times == 0:
		f.Times = 1
	}
	if f.Kind == Slow && f.Delay == 0 {
		f.Delay = 10 * time.Second
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Kind == ForcedStatus && !slices.ContainsFunc(s.clouds, func(c cloud) bool { return c.knowsStatus(f.Status) }) {
		return 0, fmt.Errorf("cloudsim: no cloud here has a status %q", f.Status)
	}
	// Operations settle first, so that a fault never reaches back in time.
	for _, c := range s.clouds {
		c.state()
	}
	s.faults.last++
	f.ID = s.faults.last
	s.faults.armed = append(s.faults.armed, &armed{Fault: f, left: f.Times})
	return f.ID, nil
}

// Faults lists the faults that still wait or still hold an operation, oldest
// first; Times is how often each may still hit.
func (s *Sim) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.list()
}

func (b *switchboard) list() []Fault {
	out := make([]Fault, 0, len(b.armed))
	for _, a := range b.armed {
		f := a.Fault
		f.Times = a.left
		out = append(out, f)
	}
	return out
}

// ClearFault takes one fault back; an operation it holds goes on. It reports
// whether the fault was there.
func (s *Sim) ClearFault(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.faults.armed)
	s.faults.armed = slices.DeleteFunc(s.faults.armed, func(a *armed) bool { return a.ID == id })
	for _, c := range s.clouds {
		c.released(id)
	}
	return len(s.faults.armed) < before
}

// ClearFaults takes all faults back, lets held operations go on, and makes
// clusters usable again that a failed operation had left behind.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.faults.armed
	s.faults.armed = nil
	for _, c := range s.clouds {
		for _, a := range old {
			c.released(a.ID)
		}
		c.mend()
	}
}

// target is what a request or an operation is about.
type target struct {
	cloud, action string
	clusters      []string
	change        bool // the action changes something
	orders        bool // the action orders nodes
}

func (f *Fault) matches(t target) bool {
	if f.Cloud != "" && f.Cloud != t.cloud || f.Action != "" && f.Action != t.action {
		return false
	}
	if f.Cluster != "" && !slices.Contains(t.clusters, f.Cluster) {
		return false
	}
	switch f.Kind {
	case SoldOut:
		return t.orders
	case LostBefore, LostAfter:
		return t.change || f.Action != ""
	case FlowFails, FlowBlocked, Partial:
		return t.change
	case Throttled, Refused, AuthFailed, Slow, Hang, ServerError, Garbage, ForcedStatus:
	}
	return true
}

// take uses up one hit of the oldest matching fault of these kinds.
func (b *switchboard) take(t target, kinds ...FaultKind) (hit, bool) {
	for i, a := range b.armed {
		if a.left == 0 || !slices.Contains(kinds, a.Kind) || !a.matches(t) {
			continue
		}
		if a.left > 0 {
			a.left--
		}
		// A used-up FlowBlocked stays listed: clearing it is how its operation goes on.
		if a.left == 0 && a.Kind != FlowBlocked {
			b.armed = slices.Delete(b.armed, i, i+1)
		}
		return hit{a.Fault}, true
	}
	return hit{}, false
}

// forced is the status a cluster must show, if a fault says so.
func (b *switchboard) forced(cloud, cluster string) (string, bool) {
	for _, a := range b.armed {
		if a.Kind == ForcedStatus && a.matches(target{cloud: cloud, action: a.Action, clusters: []string{cluster}}) {
			return a.Status, true
		}
	}
	return "", false
}
