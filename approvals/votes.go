package approvals

import (
	"maps"
	"slices"
	"time"
)

// Choice is what a vote says.
type Choice string

// The choices.
const (
	Approve   Choice = "approve"
	Deny      Choice = "deny"
	TakenBack Choice = "taken_back" // an earlier vote of the person no longer stands
)

// Vote is a vote by button or command. It names the plan that the person saw and
// counts on no other, not even on a later one with the same hash: a plan that was
// made void takes its votes with it.
type Vote struct {
	User     string    `json:"user"`
	Plan     int       `json:"plan"`      // number of the plan in its flow, 1 = first
	PlanHash string    `json:"plan_hash"` // of that plan
	Choice   Choice    `json:"choice"`
	Reason   string    `json:"reason,omitempty"` // of a denial, as typed
	At       time.Time `json:"at"`
	Dedupe   string    `json:"dedupe,omitempty"` // names the press: a second delivery of it is the same vote
}

// Escalation lets a second group fill a requirement's seats after a time.
type Escalation struct {
	After time.Duration `json:"after"` // since the ballot was opened
	To    string        `json:"to"`    // name of Config.Groups
}

// Asked are the groups whose members may fill the requirement's seats at a time:
// its own, and the second one once its time has come. Callers look up the
// members of each. Without a time of opening there is no second one.
func (q Requirement) Asked(opened, now time.Time) []string {
	if at, ok := q.EscalatesAt(opened); ok && !now.Before(at) {
		return []string{q.Group, q.Escalate.To}
	}
	return []string{q.Group}
}

// EscalatesAt is when the second group comes in; false if none does.
func (q Requirement) EscalatesAt(opened time.Time) (time.Time, bool) {
	if q.Escalate == nil || q.Escalate.After <= 0 || q.Escalate.To == q.Group || opened.IsZero() {
		return time.Time{}, false
	}
	return opened.Add(q.Escalate.After), true
}

// standing is the last vote of each person on exactly this plan, in the order in
// which the people first voted.
func standing(b BallotFacts) []Vote {
	var out []Vote
	at := map[string]int{}
	for _, v := range b.Votes {
		if v.Plan != b.Plan || v.PlanHash != b.PlanHash || v.User == "" || (v.User == b.Bot && b.Bot != "") {
			continue
		}
		if i, seen := at[v.User]; seen {
			out[i] = v
			continue
		}
		at[v.User] = len(out)
		out = append(out, v)
	}
	return slices.DeleteFunc(out, func(v Vote) bool { return v.Choice != Approve && v.Choice != Deny })
}

// emojiOf is the emoji that people are told to use for a choice.
func (p *Policy) emojiOf(c Choice) string {
	names, other := p.approveBy, "white_check_mark"
	if c == Deny {
		names, other = p.denyBy, "x"
	}
	if len(names) > 0 {
		return canonical(names[0])
	}
	return other
}

func (c *counter) maySit(id string, q Requirement) bool {
	return slices.ContainsFunc(q.Asked(c.b.OpenedAt, c.b.Now), func(g string) bool { return c.members[g][id] })
}

// missing adds a line for everybody who counted before and has no vote now: on
// this plan they withdrew, on a replaced one their vote went with the plan. A
// list that Slack cut short says nothing about who is gone.
func (c *counter) missing(voters []voter, cut bool) {
	if cut {
		return
	}
	told := map[string]bool{}
	for _, v := range voters {
		told[v.id] = true
	}
	add := func(id, emoji string, why Reason) {
		if !told[id] {
			told[id] = true
			c.drop(id, emoji, why)
		}
	}
	if before := c.b.Before; before != nil && before.PlanHash == c.b.PlanHash {
		for _, was := range c.p.counted(*before) {
			add(was.User, was.Emoji, ReasonWithdrawn)
		}
		for _, u := range before.Uncounted {
			if u.Reason == ReasonWithdrawn {
				add(u.User, u.Emoji, ReasonWithdrawn)
			}
		}
	}
	for _, old := range slices.Backward(c.b.Replaced) {
		for _, was := range c.p.counted(old) {
			add(was.User, was.Emoji, ReasonOlderPlan)
		}
	}
}

// counted are the people who counted on a ballot, each with the emoji of their
// side.
func (p *Policy) counted(b Ballot) []Uncounted {
	var out []Uncounted
	for _, s := range b.Seats {
		for _, id := range s.By {
			// A vote in advance is not withdrawn by its signer: why it no longer counts
			// stands beside the mandate.
			if !slices.ContainsFunc(b.Mandates, func(u Use) bool { return u.By == id }) {
				out = append(out, Uncounted{User: id, Emoji: p.emojiOf(Approve)})
			}
		}
	}
	for _, id := range b.DeniedBy {
		out = append(out, Uncounted{User: id, Emoji: p.emojiOf(Deny)})
	}
	return out
}

// Barred is why one person's vote would not count on a ballot whatever they
// chose, or "" when it would be looked at: the same words as on the card, for
// somebody who is about to vote.
func (p *Policy) Barred(b BallotFacts, user string) Reason {
	if p == nil {
		return ReasonUnknown
	}
	c := counter{p: p, b: b, members: map[string]map[string]bool{}}
	for g, ids := range b.Members {
		c.members[g] = setOf(ids)
	}
	return c.barred(user)
}

// Wanted are the members of the groups asked, in order of their ids, whose
// approval would fill one more seat than are filled now: whom to remind. Nobody
// who voted is among them, nor anybody whose vote would not count. Members must
// hold whole groups here, and People everybody in them who is to be considered.
func (p *Policy) Wanted(b BallotFacts) []string {
	now := filled(p.Count(b).Ballot.Seats)
	voted := setOf(p.VotersOf(b))
	candidates := map[string]bool{}
	for _, q := range b.Requirements {
		for _, g := range q.Asked(b.OpenedAt, b.Now) {
			for _, id := range b.Members[g] {
				if b.People[id].Found && !voted[id] {
					candidates[id] = true
				}
			}
		}
	}
	var wanted []string
	for _, id := range slices.Sorted(maps.Keys(candidates)) {
		if id == b.Requester { // not even where self-approval is allowed: they know
			continue
		}
		with := b
		with.Votes = append(slices.Clone(b.Votes), Vote{User: id, Plan: b.Plan, PlanHash: b.PlanHash, Choice: Approve, At: b.Now})
		if filled(p.Count(with).Ballot.Seats) > now {
			wanted = append(wanted, id)
		}
	}
	return wanted
}

func filled(seats []Seat) int {
	n := 0
	for _, s := range seats {
		n += len(s.By)
	}
	return n
}

// Seated are the people who fill the seats, in the order of the seats.
func (b Ballot) Seated() []string {
	var ids []string
	for _, s := range b.Seats {
		ids = append(ids, s.By...)
	}
	return ids
}
