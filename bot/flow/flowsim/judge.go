package flowsim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// seen is what one task read of the real world, for the judge.
type seen struct {
	card    *message // whose reactions it read last
	yes, no []string
	quote   *providers.Quote
	count   int
	counted bool
	members map[string][]string // of usergroups that it read last
	pressed []press             // votes by button that were on record when the intent was saved

	mandates []approvals.Mandate // that stood when the intent was saved
	intent   *flow.Flow          // that it saved
	intended time.Time           // when
}

// lostSince reports whether Redis may have lost what was written at a time.
func (s *sim) lostSince(at time.Time) bool {
	return slices.ContainsFunc(s.world.lost, func(z span) bool { return !at.Before(z.from) && !at.After(z.to) })
}

// judge looks at a change at the moment in which it is sent: whether people let
// exactly this happen. It counts by itself, from what the step read of the real
// world and not from what it made of it.
func (s *sim) judge(k *task, c *cloud, sub providers.Submission) {
	id := ""
	for known := range s.world.asks {
		if ownerOf(sub.Token, known) {
			id = known
		}
	}
	if id == "" {
		s.blame("a change was sent to %s whose token belongs to no request (%q)", c.account, sub.Token)
		return
	}
	if k.seen.intent == nil || k.seen.intent.ID != id || k.seen.intent.Submission == nil || k.seen.intent.Submission.Token != sub.Token {
		s.blame("%s: a change was sent whose intent was not saved first", id)
		return
	}
	f := *k.seen.intent
	now, _, err := s.truth.Get(context.Background(), id)
	if on := err == nil && now.State == flow.Submitting && now.Submission.Token == sub.Token; !on && !s.lostSince(k.seen.intended) {
		s.blame("%s: a change was sent while its intent was not on record (state %s)", id, now.State)
	}
	plan := f.Plan()
	switch {
	case plan == nil:
		s.blame("%s: a change was sent without a plan", id)
		return
	case sub.Change.Delta != plan.Change.Delta || !slices.Equal(sub.Change.Nodes, plan.Change.Nodes) || sub.Change.ClusterID != c.cluster:
		s.blame("%s: another change was sent than was planned: %+v, plan %+v", id, sub.Change, plan.Change)
	case !k.seen.counted || k.seen.count != plan.Base:
		s.blame("%s: sent on a base of %d, planned on %d", id, k.seen.count, plan.Base)
	}
	for _, z := range s.world.frozen {
		if z.cluster == f.Request.Wish.Change.Cluster && time.Now().After(z.from.Add(time.Minute)) && time.Now().Before(z.to.Add(-10*time.Second)) {
			s.blame("%s: sent while its cluster was frozen", id)
		}
	}
	need := map[string]int{}
	if k.seen.quote != nil {
		need = asked(plan.Change, *k.seen.quote)
	}
	if len(need) == 0 && s.mood.budgets && s.heardFinops(f, k.seen) {
		return // asked because of the budget, of which the plan that was voted on knows nothing
	}
	if len(need) == 0 {
		need = asked(plan.Change, plan.Quote)
	}
	if len(need) == 0 || f.Request.BreakGlass && f.Request.User == oncall {
		return
	}
	if k.seen.card == nil {
		s.blame("%s: sent without reading its ballot", id)
		return
	}
	if k.seen.card.flow() != id || k.seen.card.plan() != len(f.Plans) {
		s.blame("%s: the ballot that was read is %s of %s, the plan is number %d", id, k.seen.card.Key, k.seen.card.flow(), len(f.Plans))
		return
	}
	why := ""
	for _, members := range s.couldKnow(k) {
		saw := k.seen
		saw.members = members
		if why = s.mayRun(f, saw, need); why == "" {
			break
		}
	}
	if why != "" {
		s.blame("%s: sent without the people: %s (yes %v no %v pressed %v need %v)", id, why, k.seen.yes, k.seen.no, k.seen.pressed, need)
	}
}

// couldKnow is who was in which usergroup, as the step read it; with the real
// directory, which remembers for a while, as it may have been read.
func (s *sim) couldKnow(k *task) []map[string][]string {
	if s.edge != nil {
		return s.edge.membersSince(k.began.Add(-groupsKept))
	}
	return []map[string][]string{k.seen.members}
}

// mayRun counts: everybody who is needed said yes, each in a seat of their own,
// and nobody who could sit says no. It returns what is missing.
func (s *sim) mayRun(f flow.Flow, saw seen, need map[string]int) string {
	yes, no := map[string]bool{}, map[string]bool{}
	for _, u := range saw.yes {
		yes[u] = true
	}
	for _, u := range saw.no {
		no[u] = true
	}
	for _, p := range saw.pressed {
		if p.plan == len(f.Plans) {
			yes[p.user] = yes[p.user] || p.choice == approvals.Approve
			no[p.user] = no[p.user] || p.choice == approvals.Deny
		}
	}
	for u := range s.inAdvance(f, saw) {
		yes[u] = true
	}
	sits := func(u, group string) bool {
		if u == f.Request.User || u == gus {
			return false
		}
		switch group {
		case "leads":
			return slices.Contains(saw.members["S0LEADS"], u)
		case "finops":
			return slices.Contains(saw.members["S0FINOPS"], u)
		}
		return false
	}
	for u, denies := range no {
		for group := range need {
			if denies && sits(u, group) {
				return u + " is against it"
			}
		}
	}
	// Two seats at most in this little policy.
	var seats []string
	for group, n := range need {
		for range n {
			seats = append(seats, group)
		}
	}
	for a := range yes {
		if !yes[a] || !sits(a, seats[0]) {
			continue
		}
		if len(seats) == 1 {
			return ""
		}
		for b := range yes {
			if a != b && yes[b] && sits(b, seats[1]) {
				return ""
			}
		}
	}
	return fmt.Sprintf("no two people for %v", seats)
}
