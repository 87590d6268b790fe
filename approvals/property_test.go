package approvals

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scalebot/providers"
)

// TestNeverApprovedWithoutThePeople plays ballots at random: people vote,
// withdraw, join and leave groups, turn into guests, look-ups fail, lists are
// cut, plans change and the clock moves. After each step an oracle that knows
// nothing of Count says whether the people are there (promises 7 and 8).
func TestNeverApprovedWithoutThePeople(t *testing.T) {
	ids := []string{asker, lead1, lead2, fin1, fin2, both, other, self, "U0NEVER"}
	emoji := []string{"white_check_mark", "+1", "thumbsup", "+1::skin-tone-2", "heavy_check_mark", "x", "-1::skin-tone-5", "thumbsdown", "eyes"}
	groups := []string{"leads", "finops", "ops"}
	approved, advance := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := baseConfig()
		c.SelfApproval = rapid.Bool().Draw(t, "self_approval")
		policy, problems := Compile(c)
		require.Empty(t, problems)
		id, group := rapid.SampledFrom(ids), rapid.SampledFrom(groups)

		plans := []Plan{basePlan(prepaid)}
		b := baseBallot()
		pick := func() int { return rapid.IntRange(0, len(b.Reactions)-1).Draw(t, "entry") }
		vote := func(t *rapid.T) {
			name, who := rapid.SampledFrom(emoji).Draw(t, "emoji"), id.Draw(t, "who")
			i := slices.IndexFunc(b.Reactions, func(r Reaction) bool { return r.Name == name })
			if i < 0 {
				b.Reactions = append(b.Reactions, react(name, who))
				return
			}
			r := &b.Reactions[i]
			if !slices.Contains(r.Users, who) {
				r.Users, r.Count = append(r.Users, who), r.Count+1
			}
		}
		withdraw := func(t *rapid.T) {
			r := &b.Reactions[pick()]
			if len(r.Users) > 0 {
				i := rapid.IntRange(0, len(r.Users)-1).Draw(t, "voter")
				r.Users, r.Count = slices.Delete(slices.Clone(r.Users), i, i+1), r.Count-1
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"vote":      vote,
			"vote more": func(t *rapid.T) { vote(t); vote(t); vote(t) },
			"withdraw":  withdraw,
			"the leads and finops agree": func(*rapid.T) {
				for i := range b.Reactions {
					b.Reactions[i] = react(b.Reactions[i].Name)
				}
				b.Reactions[0].Users, b.Reactions[0].Count = []string{lead1, fin1, both}, 3
			},
			"cut": func(t *rapid.T) { b.Reactions[pick()].Count += rapid.IntRange(0, 1).Draw(t, "hidden") },
			"join or leave": func(t *rapid.T) {
				g, who := group.Draw(t, "group"), id.Draw(t, "who")
				members := slices.Clone(b.Members[g])
				if i := slices.Index(members, who); i >= 0 {
					members = slices.Delete(members, i, i+1)
				} else {
					members = append(members, who)
				}
				b.Members[g] = members
			},
			"lose a group": func(t *rapid.T) { delete(b.Members, group.Draw(t, "group")) },
			"person changes": func(t *rapid.T) {
				who := id.Draw(t, "who")
				p := Person{ID: who, Found: true}
				switch rapid.IntRange(0, 8).Draw(t, "into") {
				case 0:
					p.Found = false
				case 1:
					p.Bot = true
				case 2:
					p.Guest = true
				case 3:
					p.Stranger = true
				case 4:
					p.Deleted = true
				}
				b.People[who] = p
			},
			"ask": func(t *rapid.T) {
				b.Requirements = nil
				for _, g := range groups {
					if n := rapid.IntRange(-1, 3).Draw(t, g); n != 0 {
						b.Requirements = append(b.Requirements, Requirement{Group: g, N: n})
					}
				}
			},
			"plan changes": func(t *rapid.T) {
				delta := rapid.IntRange(1, 50).Draw(t, "delta")
				plans = append(plans, basePlan(prepaid, func(c *providers.Change, _ *providers.Snapshot, _ *providers.Quote) { c.Delta = delta }))
				if rapid.Bool().Draw(t, "new ballot") {
					b.PlanHash = plans[len(plans)-1].Hash
				}
			},
			"sign": func(t *rapid.T) {
				m := standing3(id.Draw(t, "signer"), rapid.IntRange(0, 12).Draw(t, "used"), rapid.IntRange(-1, 12).Draw(t, "asks"))
				m.ID = fmt.Sprint("M-", len(b.Mandates))
				if rapid.Bool().Draw(t, "capped") {
					m.Currency, m.Max = "CNY", decimal.NewFromInt(int64(rapid.IntRange(0, 300).Draw(t, "max")))
				}
				m.Priced = rapid.Bool().Draw(t, "priced")
				b.Mandates = append(slices.Clone(b.Mandates), m)
			},
			"the leads and finops signed": func(*rapid.T) {
				for i := range b.Reactions {
					b.Reactions[i] = react(b.Reactions[i].Name)
				}
				b.Mandates = []Standing{standing3(fin1, 0, 1), standing3(lead1, 9, 1), standing3(both, 3, 1)}
			},
			"revoke": func(t *rapid.T) {
				if len(b.Mandates) > 0 {
					b.Mandates = slices.Clone(b.Mandates)
					b.Mandates[rapid.IntRange(0, len(b.Mandates)-1).Draw(t, "which")].Revoked = &Revocation{By: lead1, At: b.Now}
				}
			},
			"clock": func(t *rapid.T) {
				b.Now = b.ExpiresAt.Add(time.Duration(rapid.IntRange(-9, 1).Draw(t, "minutes")) * time.Minute)
			},
			"": func(t *rapid.T) {
				v := policy.Count(b)
				there := fulfilled(b, c.SelfApproval)
				if v.Status == Approved {
					approved++
					advance += min(len(v.Ballot.Mandates), 1)
					if !there {
						t.Fatalf("approved without the people: %+v\n%+v", v, b)
					}
				}
				if there && v.Status != Approved && !deniedUnseen(b) {
					t.Fatalf("the people are there, the verdict is %s: %+v\n%+v", v.Status, v, b)
				}
				for _, p := range plans {
					if want := v.Status == Approved && p.Hash == b.PlanHash; v.Permits(p) != want {
						t.Fatalf("permits %v, want %v, for %+v", v.Permits(p), want, p)
					}
				}
				checkLedger(t, b, v)
				checkSettled(t, policy, b, v)
			},
		})
	})
	require.Positive(t, approved, "a run in which nothing was ever approved proves nothing")
	require.Positive(t, advance, "nor one in which no mandate ever counted")
}

// deniedUnseen is the one case in which Count is stricter than the oracle: a
// denial by somebody who can't be looked up.
func deniedUnseen(b BallotFacts) bool {
	for _, r := range b.Reactions {
		for _, id := range r.Users {
			if (r.Name == "x" || r.Name == "-1::skin-tone-5" || r.Name == "thumbsdown") && !b.People[id].Found {
				return true
			}
		}
	}
	return false
}

// checkSettled checks that the same votes, counted again, leave everybody in their
// seat: a count that turns the seats round would be news at every look.
func checkSettled(t *rapid.T, p *Policy, b BallotFacts, v Verdict) {
	b.Before = &v.Ballot
	again := p.Count(b)
	b.Before = &again.Ballot
	require.Equal(t, again.Ballot.Seats, p.Count(b).Ballot.Seats)
	require.ElementsMatch(t, v.Ballot.Seated(), again.Ballot.Seated())
}

// checkLedger checks that every vote is on the ballot once: in a seat, as a
// denial, or left out with a reason.
func checkLedger(t *rapid.T, b BallotFacts, v Verdict) {
	approves := []string{"white_check_mark", "+1", "thumbsup", "+1::skin-tone-2", "heavy_check_mark"}
	want, got := map[string]bool{}, map[string]bool{}
	for _, r := range b.Reactions {
		for _, id := range r.Users {
			if id != b.Bot && r.Name != "eyes" {
				want[fmt.Sprint(id, slices.Contains(approves, r.Name))] = true
			}
		}
	}
	add := func(id string, approve bool) {
		key := fmt.Sprint(id, approve)
		if got[key] {
			t.Fatalf("the vote of %s is on the ballot twice: %+v", id, v)
		}
		got[key] = true
	}
	inAdvance := map[string]bool{}
	for _, u := range v.Ballot.Mandates {
		inAdvance[u.By] = true
	}
	seated := map[string]bool{}
	for _, s := range v.Ballot.Seats {
		for _, id := range s.By {
			seated[id] = true
			if !inAdvance[id] {
				add(id, true)
			}
		}
	}
	for id := range inAdvance {
		if !seated[id] {
			t.Fatalf("a mandate of %s that fills no seat: %+v", id, v)
		}
	}
	for _, id := range v.Ballot.DeniedBy {
		add(id, false)
	}
	for _, u := range v.Ballot.Uncounted {
		if u.Reason == "" {
			t.Fatalf("a vote left out without a reason: %+v", u)
		}
		if u.Mandate != "" {
			if inAdvance[u.User] {
				t.Fatalf("a mandate that is left out beside one of the same person that counts: %+v", v)
			}
			continue
		}
		add(u.User, slices.Contains(approves, u.Emoji))
	}
	require.Equal(t, want, got)
}
