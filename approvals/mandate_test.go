package approvals

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// standing3 is a mandate of ten nodes and no limit of money.
func standing3(by string, used, asks int) Standing {
	return Standing{
		Mandate:   Mandate{ID: "M-1", By: by, Cluster: "emr-m620", Group: "task", Nodes: 10, At: noon.Add(-time.Hour), Until: noon.Add(time.Hour)},
		UsedNodes: used, Nodes: asks, Amount: yuan("100"), Priced: true,
	}
}

func mandates(ms ...Standing) func(*BallotFacts) {
	return func(b *BallotFacts) { b.Mandates = append(b.Mandates, ms...) }
}

func edited(m Standing, edit func(*Standing)) Standing { edit(&m); return m }

func capped(m Standing, most string) Standing {
	return edited(m, func(m *Standing) { m.Max, m.Currency = yuan(most), "CNY" })
}

func notCounted(m Standing, why Reason) Uncounted {
	return Uncounted{User: m.By, Reason: why, Mandate: m.ID}
}

func TestAMandateIsItsSignersVoteInAdvance(t *testing.T) {
	m := standing3(lead1, 7, 3)
	v := counts(t, baseBallot(mandates(m), yes(fin1)), Approved, map[string][]string{"leads": {lead1}, "finops": {fin1}})
	require.Equal(t, []Use{{ID: "M-1", By: lead1, Group: "leads"}}, v.Ballot.Mandates)
	require.Empty(t, v.Ballot.Uncounted)
	require.True(t, v.Permits(basePlan(prepaid)))

	t.Run("alone it fills one seat", func(t *testing.T) {
		counts(t, baseBallot(mandates(m)), Pending, map[string][]string{"leads": {lead1}})
	})
	t.Run("two of one person are one vote", func(t *testing.T) {
		second := edited(standing3(both, 0, 1), func(m *Standing) { m.ID = "M-2" })
		v := counts(t, baseBallot(mandates(standing3(both, 0, 1), second)), Pending, map[string][]string{"finops": {both}})
		require.Len(t, v.Ballot.Mandates, 1)
	})
	t.Run("the first that covers it counts, and the other is silent", func(t *testing.T) {
		second := edited(m, func(m *Standing) { m.ID, m.UsedNodes = "M-2", 0 })
		v := counts(t, baseBallot(mandates(edited(m, func(m *Standing) { m.UsedNodes = 8 }), second)), Pending, map[string][]string{"leads": {lead1}})
		require.Equal(t, "M-2", v.Ballot.Mandates[0].ID)
		require.Empty(t, v.Ballot.Uncounted)
	})
	t.Run("two people's are two votes", func(t *testing.T) {
		v := counts(t, baseBallot(mandates(m, standing3(fin2, 0, 3))), Approved, map[string][]string{"leads": {lead1}, "finops": {fin2}})
		require.Len(t, v.Ballot.Mandates, 2)
	})
	t.Run("they are matched to seats like any votes", func(t *testing.T) {
		counts(t, baseBallot(mandates(standing3(both, 0, 3), standing3(fin2, 0, 3))), Approved, map[string][]string{"leads": {both}, "finops": {fin2}})
	})
	t.Run("who votes here fills the seat before", func(t *testing.T) {
		v := counts(t, baseBallot(mandates(m), yes(lead2, fin1)), Approved, map[string][]string{"leads": {lead2}, "finops": {fin1}})
		require.Empty(t, v.Ballot.Mandates, "nothing of it is used up")
	})
	t.Run("the signer's own vote is the one that counts", func(t *testing.T) {
		v := counts(t, baseBallot(mandates(m), yes(lead1, fin1)), Approved, map[string][]string{"leads": {lead1}, "finops": {fin1}})
		require.Empty(t, v.Ballot.Mandates)
	})
}

func TestAMandateNeverOverrulesWhoIsThere(t *testing.T) {
	m := standing3(lead1, 0, 3)
	t.Run("the signer denies", func(t *testing.T) {
		v := counts(t, baseBallot(mandates(m), yes(fin1), no(lead1)), Denied, map[string][]string{"finops": {fin1}})
		require.Empty(t, v.Ballot.Mandates)
	})
	t.Run("somebody else denies", func(t *testing.T) {
		counts(t, baseBallot(mandates(m, standing3(fin1, 0, 3)), no(lead2)), Denied, map[string][]string{"finops": {fin1}, "leads": {lead1}})
	})
	t.Run("the signer took a vote on this plan back", func(t *testing.T) {
		back := func(b *BallotFacts) {
			b.Plan = 1
			b.Votes = []Vote{{User: lead1, Plan: 1, PlanHash: b.PlanHash, Choice: TakenBack}}
		}
		counts(t, baseBallot(mandates(m), yes(fin1), back), Pending, map[string][]string{"finops": {fin1}})
	})
	t.Run("the signer took a reaction on this plan back", func(t *testing.T) {
		before := compile(t, baseConfig()).Count(baseBallot(mandates(m), yes(lead1))).Ballot
		again := func(b *BallotFacts) { b.Before = &before }
		v := counts(t, baseBallot(mandates(m), yes(fin1), again), Pending, map[string][]string{"finops": {fin1}})
		require.Empty(t, v.Ballot.Mandates)
		later := func(b *BallotFacts) { b.Before = &v.Ballot }
		counts(t, baseBallot(mandates(m), yes(fin1), later), Pending, map[string][]string{"finops": {fin1}})
	})
	t.Run("somebody may be denying whom Slack left out", func(t *testing.T) {
		cut := votes(Reaction{Name: "x", Count: 1})
		v := counts(t, baseBallot(mandates(m, standing3(fin1, 0, 3)), cut), Pending, nil)
		leavesOut(t, v, notCounted(m, ReasonListCut), Uncounted{User: fin1, Reason: ReasonListCut, Mandate: "M-1"})
	})
	t.Run("it expires like any ballot", func(t *testing.T) {
		over := func(b *BallotFacts) { b.Now = b.ExpiresAt }
		late := edited(m, func(m *Standing) { m.Until = noon.Add(2 * time.Hour) })
		counts(t, baseBallot(mandates(late, edited(late, func(m *Standing) { m.By = fin1 })), over), Expired, map[string][]string{"leads": {lead1}, "finops": {fin1}})
	})
	t.Run("without a requirement it approves nothing", func(t *testing.T) {
		counts(t, baseBallot(mandates(m), func(b *BallotFacts) { b.Requirements = nil }), Pending, nil)
	})
}

func TestWhyAMandateDoesNotCount(t *testing.T) {
	m := standing3(lead1, 0, 3)
	for name, c := range map[string]struct {
		m    Standing
		edit func(*BallotFacts)
		why  Reason
	}{
		"revoked":                 {edited(m, func(m *Standing) { m.Revoked = &Revocation{By: lead2, At: noon} }), nil, ReasonMandateRevoked},
		"over":                    {edited(m, func(m *Standing) { m.Until = noon }), nil, ReasonMandateOver},
		"the signer asks":         {m, func(b *BallotFacts) { b.Requester = lead1 }, ReasonMandateOwn},
		"one node too many":       {standing3(lead1, 8, 3), nil, ReasonMandateNodes},
		"a removal":               {standing3(lead1, 0, -3), nil, ReasonMandateNodes},
		"unknown price":           {capped(edited(m, func(m *Standing) { m.Priced = false }), "1000"), nil, ReasonMandatePrice},
		"one cent too much":       {edited(capped(m, "1000"), func(m *Standing) { m.UsedAmount = yuan("900.01") }), nil, ReasonMandateSpent},
		"left the group":          {m, func(b *BallotFacts) { b.Members["leads"] = []string{lead2} }, ReasonNotInGroup},
		"in a group not asked":    {m, func(b *BallotFacts) { b.Requirements = b.Requirements[:1] }, ReasonNotInGroup},
		"the group can't be read": {m, func(b *BallotFacts) { delete(b.Members, "leads") }, ReasonGroupUnread},
		"became a guest":          {m, person(lead1, func(p *Person) { p.Guest = true }), ReasonGuest},
		"left the company":        {m, person(lead1, func(p *Person) { p.Deleted = true }), ReasonDeactivated},
		"can't be looked up":      {m, person(lead1, func(p *Person) { p.Found = false }), ReasonUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := baseBallot(mandates(c.m))
			if c.edit != nil {
				c.edit(&b)
			}
			v := counts(t, b, Pending, nil)
			leavesOut(t, v, notCounted(c.m, c.why))
			require.Empty(t, v.Ballot.Mandates)
		})
	}
	t.Run("the last node and the last cent are covered", func(t *testing.T) {
		exact := edited(capped(standing3(lead1, 7, 3), "1000"), func(m *Standing) { m.UsedAmount = yuan("900") })
		counts(t, baseBallot(mandates(exact)), Pending, map[string][]string{"leads": {lead1}})
	})
	t.Run("without a limit of money the price may be unknown", func(t *testing.T) {
		counts(t, baseBallot(mandates(edited(m, func(m *Standing) { m.Priced = false }))), Pending, map[string][]string{"leads": {lead1}})
	})
	t.Run("nobody agrees with themselves in advance, even where they may vote for themselves", func(t *testing.T) {
		c := baseConfig()
		c.SelfApproval = true
		v := countsWith(t, c, baseBallot(mandates(m), func(b *BallotFacts) { b.Requester = lead1 }), Pending, nil)
		leavesOut(t, v, notCounted(m, ReasonMandateOwn))
	})
}

// A mandate that ended while the ballot was open is not told as a vote that its
// signer took back.
func TestAMandateThatEndsIsNoWithdrawal(t *testing.T) {
	m := standing3(lead1, 0, 3)
	before := compile(t, baseConfig()).Count(baseBallot(mandates(m))).Ballot
	gone := edited(m, func(m *Standing) { m.Revoked = &Revocation{By: lead1, At: noon} })
	v := counts(t, baseBallot(mandates(gone), func(b *BallotFacts) { b.Before = &before }), Pending, nil)
	leavesOut(t, v, notCounted(gone, ReasonMandateRevoked))
}

func TestWhatAMandateIsAbout(t *testing.T) {
	m := standing3(lead1, 0, 1).Mandate
	require.True(t, m.Covers("emr-m620", "task", 1))
	require.False(t, m.Covers("emr-m620", "task", -1))
	require.False(t, m.Covers("emr-m620", "task", 0))
	require.False(t, m.Covers("emr-m620", "core", 1))
	require.False(t, m.Covers("web", "task", 1))
	require.False(t, m.Ended(m.Until.Add(-time.Second)))
	require.True(t, m.Ended(m.Until))
}
