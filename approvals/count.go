package approvals

import (
	"cmp"
	"slices"
)

// Count says where a ballot stands, from the reactions as Slack has them now and
// the votes on record: it keeps no state, so a withdrawn reaction is simply gone.
// A vote by button or command counts like a reaction, on the plan it names only,
// and both together are one vote of one person. The earlier ballots decide
// nothing: they only explain whose vote is missing.
//
//   - Expired from ExpiresAt on, whatever the votes; the ballot still shows them.
//   - Denied when one person denied who could fill a seat. With self_approval
//     off the requester can't: withdrawing a request is cancelling it.
//   - Approved when every seat has a person of its own. One person fills one seat
//     of the whole ballot, and seats are given so that as many as possible are
//     filled; who voted earlier is never unseated.
//   - A mandate that covers the change is its signer's vote, given in advance: it
//     fills one seat of a group that the signer is in at this time, after those who
//     vote here, and never of the signer's own request.
//   - Pending otherwise, and always when something that decides could not be
//     read: a group that is asked, the voter list of one of our emoji, a person who
//     denies and may be of such a group. Also without any requirement: only
//     Judgement.Unopposed approves without votes.
//
// Reactions with other emoji, and our own seeded ones, leave no trace. The
// caller checks Verdict.Permits with the plan before it acts on the verdict.
func (p *Policy) Count(b BallotFacts) Verdict {
	if p == nil {
		p = &Policy{}
	}
	c := counter{p: p, b: b, members: map[string]map[string]bool{}}
	for _, q := range b.Requirements {
		for _, g := range q.Asked(b.OpenedAt, b.Now) {
			if ids, ok := b.Members[g]; ok {
				c.members[g] = setOf(ids)
			}
		}
	}
	voters, cut := p.voters(b)
	c.tally(voters, cut)
	c.firstComeFirst()
	c.mandated(voters, cut)
	seats := c.seat()
	c.missing(voters, cut)
	v := Verdict{At: b.Now, Unread: cut || c.doubt || c.unread(), Ballot: Ballot{PlanHash: b.PlanHash, Seats: seats, DeniedBy: c.denied, Why: c.why, Uncounted: c.uncounted, Mandates: c.uses(seats)}}
	switch {
	case !b.Now.Before(b.ExpiresAt):
		v.Status = Expired
	case len(c.denied) > 0:
		v.Status = Denied
	case !c.doubt && c.sound() && full(seats):
		v.Status = Approved
	default:
		v.Status = Pending
	}
	return v
}

// voter is one person with the first emoji on each side, "" = none, and what
// they gave as reason for a denial.
type voter struct{ id, approve, deny, why string }

// voters collects people, not entries: the same thumb in two skin tones, or two
// emoji that both approve, are one vote, and so is a reaction with a press of the
// button. They come in order of first appearance, reactions first: Slack doesn't
// tell when one was put.
func (p *Policy) voters(b BallotFacts) (voters []voter, cut bool) {
	at := map[string]int{}
	find := func(id string) *voter {
		i, seen := at[id]
		if !seen {
			i = len(voters)
			at[id] = i
			voters = append(voters, voter{id: id})
		}
		return &voters[i]
	}
	for _, r := range b.Reactions {
		name := canonical(r.Name)
		if !p.approve[name] && !p.deny[name] {
			continue
		}
		if r.Count > len(r.Users) {
			cut = true
		}
		for _, id := range r.Users {
			if id == b.Bot && b.Bot != "" {
				continue
			}
			v := find(id)
			side := &v.approve
			if p.deny[name] {
				side = &v.deny
			}
			if *side == "" {
				*side = name
			}
		}
	}
	for _, vote := range standing(b) {
		v := find(vote.User)
		switch vote.Choice {
		case Approve:
			v.approve = cmp.Or(v.approve, p.emojiOf(Approve))
		case Deny:
			v.deny, v.why = cmp.Or(v.deny, p.emojiOf(Deny)), vote.Reason
		case TakenBack:
		}
	}
	return voters, cut
}

type counter struct {
	p       *Policy
	b       BallotFacts
	members map[string]map[string]bool // of the groups asked that could be read

	approved  []voter // may fill a seat
	denied    []string
	why       string // of the first denial that gave a reason
	doubt     bool   // somebody denies who may have the right to
	uncounted []Uncounted

	mandates map[string]string // by signer who votes in advance: the id
}

func (c *counter) tally(voters []voter, cut bool) {
	for _, v := range voters {
		reason := c.barred(v.id)
		if v.deny != "" && (reason == ReasonGroupUnread || reason == ReasonUnknown && c.couldSit(v.id)) {
			c.doubt = true
		}
		if reason == "" && cut {
			reason = ReasonListCut
		}
		switch {
		case reason != "":
			c.drop(v.id, v.approve, reason)
			c.drop(v.id, v.deny, reason)
		case v.deny != "":
			if c.why == "" && v.why != "" {
				c.denied, c.why = slices.Insert(c.denied, 0, v.id), v.why
			} else {
				c.denied = append(c.denied, v.id)
			}
			c.drop(v.id, v.approve, ReasonBoth)
		default:
			c.approved = append(c.approved, v)
		}
	}
}

// firstComeFirst puts those who filled a seat at the last count before the others.
// A reaction may be younger than a press, which comes behind it, and Slack doesn't
// tell. Among themselves they keep their order: by their seats it would turn round
// at every count, and each would be news.
func (c *counter) firstComeFirst() {
	before := c.b.Before
	if before == nil || before.PlanHash != c.b.PlanHash {
		return
	}
	seated := setOf(before.Seated())
	rank := func(v voter) int {
		if seated[v.id] {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(c.approved, func(a, b voter) int { return cmp.Compare(rank(a), rank(b)) })
}

func (c *counter) drop(id, emoji string, why Reason) {
	if emoji != "" {
		c.uncounted = append(c.uncounted, Uncounted{User: id, Emoji: emoji, Reason: why})
	}
}

// barred is why a person can't vote on this ballot at all, looked for in the
// order of the Reasons; "" = they can.
func (c *counter) barred(id string) Reason {
	who := c.b.People[id]
	switch {
	case who.Bot:
		return ReasonBot
	case who.Deleted:
		return ReasonDeactivated
	case who.Stranger:
		return ReasonStranger
	case who.Guest:
		return ReasonGuest
	case !who.Found || id == "":
		return ReasonUnknown
	case !c.p.self && id == c.b.Requester:
		return ReasonRequester
	}
	unread := false
	for _, q := range c.b.Requirements {
		for _, g := range q.Asked(c.b.OpenedAt, c.b.Now) {
			m, read := c.members[g]
			if m[id] {
				return ""
			}
			unread = unread || !read
		}
	}
	if unread {
		return ReasonGroupUnread
	}
	return ReasonNotInGroup
}

// couldSit reports whether a person who could not be looked up is in a group
// asked, or may be in one that could not be read: nobody may be approved past
// their denial until it is known whether it counts. An unread group need not hold
// the ballot by itself, since of two that may fill a seat the other one can.
func (c *counter) couldSit(id string) bool {
	if !c.p.self && id == c.b.Requester {
		return false
	}
	for _, q := range c.b.Requirements {
		for _, g := range q.Asked(c.b.OpenedAt, c.b.Now) {
			if m, read := c.members[g]; m[id] || !read {
				return true
			}
		}
	}
	return false
}

// seat gives the seats away by augmenting paths: each voter in turn takes a free
// seat, or one whose holder can move to another. A seat once filled stays
// filled, so the result is a maximum and depends on the order of voters alone.
func (c *counter) seat() []Seat {
	reqs := c.b.Requirements
	holders := make([][]int, len(reqs)) // indexes into c.approved
	var take func(i int, tried []bool) bool
	take = func(i int, tried []bool) bool {
		for s, q := range reqs {
			if tried[s] || !c.maySit(c.approved[i].id, q) {
				continue
			}
			tried[s] = true
			if len(holders[s]) < q.N {
				holders[s] = append(holders[s], i)
				return true
			}
			for k, other := range holders[s] {
				if take(other, tried) {
					holders[s][k] = i
					return true
				}
			}
		}
		return false
	}
	for i, v := range c.approved {
		if !take(i, make([]bool, len(reqs))) {
			c.drop(v.id, v.approve, ReasonNoSeatLeft)
		}
	}
	seats := make([]Seat, len(reqs))
	for s, q := range reqs {
		slices.Sort(holders[s])
		q.Rules = slices.Clone(q.Rules)
		seats[s].Requirement, seats[s].Escalated = q, len(q.Asked(c.b.OpenedAt, c.b.Now)) > 1
		for _, i := range holders[s] {
			seats[s].By = append(seats[s].By, c.approved[i].id)
		}
	}
	return seats
}

// unread reports whether a group asked could not be read.
func (c *counter) unread() bool {
	for _, q := range c.b.Requirements {
		for _, g := range q.Asked(c.b.OpenedAt, c.b.Now) {
			if _, read := c.members[g]; !read {
				return true
			}
		}
	}
	return false
}

// sound reports whether the facts can carry an approval at all. Without the
// requester's id four eyes can't be told from two.
func (c *counter) sound() bool {
	return c.b.PlanHash != "" && c.b.Requester != ""
}

// full wants at least one seat, each asking for somebody and filled: nothing
// asked is not everything fulfilled.
func full(seats []Seat) bool {
	for _, s := range seats {
		if s.N < 1 || s.Open() > 0 {
			return false
		}
	}
	return len(seats) > 0
}

func setOf(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}
