package cloudsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// keep is how many lines the ledger and the journal hold each; the oldest go
// first. A demo left running for weeks must not eat the machine.
const keep = 10_000

// Outcome is what became of a request for a change.
type Outcome string

// The outcomes.
const (
	Accepted  Outcome = "accepted"  // ordered; Entry.Operation follows it
	Rejected  Outcome = "refused"   // nothing ordered; Entry.Code says why
	Duplicate Outcome = "duplicate" // token seen before: nothing ordered, first answer given again
	Unheard   Outcome = "unheard"   // a fault of the transport ate it before it was looked at
	Outside   Outcome = "outside"   // not a request at all: somebody else resized the group
)

// Entry is one line of the ledger: a change asked for or made.
type Entry struct {
	N           int             `json:"n"` // 1, 2, …
	Time        time.Time       `json:"time"`
	Cloud       string          `json:"cloud"`
	Account     string          `json:"account,omitempty"` // empty when the signature did not hold
	Region      string          `json:"region,omitempty"`
	Action      string          `json:"action,omitempty"`
	Cluster     string          `json:"cluster,omitempty"`
	Group       string          `json:"group,omitempty"`
	Delta       int             `json:"delta,omitempty"` // nodes; only of accepted, duplicate and outside
	Token       string          `json:"token,omitempty"`
	Outcome     Outcome         `json:"outcome"`
	Code        string          `json:"code,omitempty"`         // of a refusal
	Operation   string          `json:"operation,omitempty"`    // the operation it started, or that of the first request
	DuplicateOf int             `json:"duplicate_of,omitempty"` // N of the first request
	RequestID   string          `json:"request_id,omitempty"`
	Fault       FaultKind       `json:"fault,omitempty"` // the fault that hit it on the way
	Body        json.RawMessage `json:"body,omitempty"`  // as received; left out when it is not JSON
}

// Request is one line of the journal: any request that reached a cloud.
type Request struct {
	Time      time.Time
	Cloud     string
	Account   string // empty when the signature did not hold
	Region    string
	Action    string
	Method    string
	Path      string // with the query
	Host      string
	Header    http.Header
	Body      []byte
	Status    int       // of the answer; 0 when none was given
	Code      string    // error code of the answer that was made, even if it was then lost
	RequestID string    // of the answer that was made, even if it was then lost
	Fault     FaultKind // the fault of the transport that hit it, if any
}

// journal holds both lists. Guarded by Sim.mu.
type journal struct {
	requests []Request
	entries  []Entry
	n        int
}

func (j *journal) request(r Request) {
	j.requests = trim(append(j.requests, r))
}

func (j *journal) enter(e Entry) {
	j.n++
	e.N = j.n
	j.entries = trim(append(j.entries, e))
}

func trim[T any](list []T) []T {
	if len(list) <= keep {
		return list
	}
	// Cutting a tenth at once keeps the copying rare.
	return slices.Clone(list[len(list)-keep+keep/10:])
}

// Ledger is every change asked for or made, oldest first, at most the last
// 10,000. The bodies are shared: don't write to them.
func (s *Sim) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clouds {
		c.state() // a scaling group may have ordered by itself meanwhile
	}
	return slices.Clone(s.journal.entries)
}

// Requests is every request that reached a cloud, oldest first, at most the
// last 10,000. Headers and bodies are shared: don't write to them.
func (s *Sim) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.journal.requests)
}
