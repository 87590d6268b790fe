package approvals

import (
	"time"

	"github.com/shopspring/decimal"
)

// Mandate is a vote that an approver gave in advance: for additions to one group
// of a cluster, up to so many nodes and so much money in all, until a time.
type Mandate struct {
	ID       string          `json:"id"` // M-7K3Q
	By       string          `json:"by"` // Slack user id of who signed it
	Cluster  string          `json:"cluster"`
	Group    string          `json:"group"`
	Nodes    int             `json:"nodes"` // may be added in all, > 0
	Max      decimal.Decimal `json:"max"`   // may cost in all (Plan.Cost); of no meaning without Currency
	Currency string          `json:"currency,omitempty"`
	At       time.Time       `json:"at"`
	Until    time.Time       `json:"until"` // from then on it covers nothing
	Revoked  *Revocation     `json:"revoked,omitempty"`
	Groups   []string        `json:"groups,omitempty"` // approver groups of the signer when it was signed: who may revoke it; who counts is looked up anew
}

// Revocation is the end of a mandate by a person.
type Revocation struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Capped reports whether the mandate has a limit of money.
func (m Mandate) Capped() bool { return m.Currency != "" }

// Ended reports whether it covers nothing any more, whatever is left of it.
func (m Mandate) Ended(now time.Time) bool { return m.Revoked != nil || !now.Before(m.Until) }

// Covers reports whether the mandate is about a change at all: an addition to its
// group. What it is not about it says nothing of, not even why.
func (m Mandate) Covers(cluster, group string, delta int) bool {
	return m.Cluster == cluster && m.Group == group && delta > 0
}

// Standing is a mandate as it stands for one request: what others have taken of
// it, and what the request would take.
type Standing struct {
	Mandate
	UsedNodes  int             `json:"used_nodes,omitempty"` // by other requests, reserved or used
	UsedAmount decimal.Decimal `json:"used_amount"`
	Nodes      int             `json:"asks_nodes"` // of the request, > 0
	Amount     decimal.Decimal `json:"asks_amount"`
	Priced     bool            `json:"priced"` // false: Amount is unknown, or in another currency than the mandate's
	// Version is that of the mandate's book: a use that was judged by another one is
	// judged again.
	Version int64 `json:"version"`
}

// Use is a mandate whose signer fills a seat by it.
type Use struct {
	ID    string `json:"id"`
	By    string `json:"by"`
	Group string `json:"group"` // whose seat
}

// LeftNodes is how many nodes are left of it behind the request.
func (s Standing) LeftNodes() int { return s.Mandate.Nodes - s.UsedNodes - s.Nodes }

// LeftAmount is how much money is left of it behind the request, where it has a
// limit.
func (s Standing) LeftAmount() decimal.Decimal { return s.Max.Sub(s.UsedAmount).Sub(s.Amount) }

// bars is why the mandate does not count for a request of this person at this
// time, looked for in the order of the Reasons; "" = nothing of itself bars it.
// What bars the signer is looked for as for any vote.
func (s Standing) bars(requester string, now time.Time) Reason {
	switch {
	case s.Revoked != nil:
		return ReasonMandateRevoked
	case !now.Before(s.Until):
		return ReasonMandateOver
	case s.By == requester:
		return ReasonMandateOwn
	case s.Nodes < 1 || s.UsedNodes < 0 || s.UsedNodes+s.Nodes > s.Mandate.Nodes:
		return ReasonMandateNodes
	case s.Capped() && !s.Priced:
		return ReasonMandatePrice
	case s.Capped() && s.UsedAmount.Add(s.Amount).GreaterThan(s.Max):
		return ReasonMandateSpent
	}
	return ""
}

// mandated adds the votes that were given in advance behind those of people who
// vote on this plan: a seat that somebody fills takes nothing of a mandate. Who
// votes here has said what they want, and their mandate is silent. Behind a voter
// list that Slack cut short somebody may be denying, so nothing counts in advance.
func (c *counter) mandated(voters []voter, cut bool) {
	voted := map[string]bool{}
	for _, v := range voters {
		voted[v.id] = true
	}
	for _, v := range c.b.Votes { // also who took their vote back said something about this plan
		if v.Plan == c.b.Plan && v.PlanHash == c.b.PlanHash {
			voted[v.User] = true
		}
	}
	if before := c.b.Before; before != nil && before.PlanHash == c.b.PlanHash {
		for _, was := range c.p.counted(*before) { // a reaction that is gone now
			voted[was.User] = true
		}
		for _, u := range before.Uncounted {
			if u.Reason == ReasonWithdrawn {
				voted[u.User] = true
			}
		}
	}
	c.mandates = map[string]string{}
	var not []Uncounted
	for _, m := range c.b.Mandates {
		if voted[m.By] || c.mandates[m.By] != "" {
			continue
		}
		why := m.bars(c.b.Requester, c.b.Now)
		if why == "" {
			why = c.barred(m.By)
		}
		if why == "" && cut {
			why = ReasonListCut
		}
		if why != "" {
			not = append(not, Uncounted{User: m.By, Reason: why, Mandate: m.ID})
			continue
		}
		c.mandates[m.By] = m.ID
		c.approved = append(c.approved, voter{id: m.By})
	}
	for _, u := range not {
		if c.mandates[u.User] == "" { // another one of theirs counts: nobody need read of this one
			c.uncounted = append(c.uncounted, u)
		}
	}
}

// uses are the mandates that fill a seat, in the order of the seats.
func (c *counter) uses(seats []Seat) []Use {
	var out []Use
	for _, s := range seats {
		for _, id := range s.By {
			if m := c.mandates[id]; m != "" {
				out = append(out, Use{ID: m, By: id, Group: s.Group})
			}
		}
	}
	return out
}
