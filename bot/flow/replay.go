package flow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"scalebot/approvals"
)

// Replayed is what another policy makes of the requests on record.
type Replayed struct {
	Same     int
	Moved    []Redecided // in the order given
	Unjudged []Unjudged
}

// Redecided is a request that would have gone another way.
type Redecided struct {
	Flow    Flow
	At      time.Time // when it was judged
	Was, Is string    // "runs without approval", "asks 1 of leads", "refused: …"
	Way     Way
}

// Way is the direction in which a decision moved.
type Way string

// The ways.
const (
	Stricter Way = "stricter" // refused now, or somebody is asked where nobody was
	Looser   Way = "looser"   // not refused any more, or nobody is asked
	Otherway Way = "other"    // other people, or another number of them
)

// Unjudged is a request that can't be judged again, and why.
type Unjudged struct {
	ID, Why string
}

// Replay judges every request again as it was first put to the policy last: its
// last plan, or the one that was refused, with the facts and at the time of then.
// A request that never came to be judged, because it named what wasn't there or
// was over a limit, has no part in it. Votes are no part of it either: the policy
// decides who is asked.
func Replay(p *approvals.Policy, flows []Flow) Replayed {
	var out Replayed
	for _, f := range flows {
		old := f.Refused
		if old == nil && len(f.Plans) > 0 {
			old = &f.Plans[len(f.Plans)-1]
		}
		switch {
		case old == nil:
			continue
		case old.Facts == nil:
			out.Unjudged = append(out.Unjudged, Unjudged{f.ID, "it was recorded by a version that did not keep what rules read"})
			continue
		case p.ReadsGroups() && !old.Facts.GroupsRead:
			out.Unjudged = append(out.Unjudged, Unjudged{f.ID, "the requester's groups could not be read then"})
			continue
		}
		j := p.Judge(old.facts(f.Request))
		was, is := old.Judgement.Says(), j.Says()
		if was == is {
			out.Same++
			continue
		}
		out.Moved = append(out.Moved, Redecided{Flow: f, At: old.At, Was: was, Is: is, Way: wayOf(old.Judgement, j)})
	}
	return out
}

// Ways counts the moved by their way.
func (r Replayed) Ways() map[Way]int {
	n := map[Way]int{}
	for _, m := range r.Moved {
		n[m.Way]++
	}
	return n
}

func wayOf(was, is approvals.Judgement) Way {
	a, b := strictness(was), strictness(is)
	switch {
	case a < b:
		return Stricter
	case a > b:
		return Looser
	}
	return Otherway
}

// strictness orders judgements: free, asking, refused.
func strictness(j approvals.Judgement) int {
	switch {
	case j.Refusal != nil:
		return 2
	case len(j.Requirements) > 0:
		return 1
	}
	return 0
}

// String is one line for a report.
func (r Redecided) String() string {
	delta, _ := r.Flow.Delta()
	c := r.Flow.Request.Wish.Change
	if r.Flow.Refused != nil {
		delta = r.Flow.Refused.Plan.Change.Delta
	}
	return fmt.Sprintf("%s  %s  %s  %s %s %+d  %s → %s", r.Flow.ID, r.At.UTC().Format(time.RFC3339), r.Flow.Request.User, c.Cluster, c.Group, delta, r.Was, r.Is)
}

// UnjudgedBy groups the unjudged by their reason, in order.
func (r Replayed) UnjudgedBy() []string {
	by := map[string][]string{}
	for _, u := range r.Unjudged {
		by[u.Why] = append(by[u.Why], u.ID)
	}
	var lines []string
	for why, ids := range by {
		lines = append(lines, fmt.Sprintf("%d can't be judged again (%s): %s", len(ids), why, strings.Join(ids, ", ")))
	}
	slices.Sort(lines)
	return lines
}
