package approvals

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// press is votes by button on the base ballot's plan, one after the other.
func press(choice Choice, users ...string) func(*BallotFacts) {
	return func(b *BallotFacts) {
		for _, u := range users {
			b.Votes = append(b.Votes, Vote{User: u, Plan: b.Plan, PlanHash: b.PlanHash, Choice: choice, At: noon})
		}
	}
}

func TestVotesByButton(t *testing.T) {
	bothSeats := map[string][]string{"finops": {fin1}, "leads": {lead1}}
	one := map[string][]string{"finops": {fin1}}

	t.Run("buttons alone approve", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(press(Approve, lead1, fin1)), Approved, bothSeats))
	})
	t.Run("a reaction and a button are counted together", func(t *testing.T) {
		counts(t, baseBallot(yes(lead1), press(Approve, fin1)), Approved, bothSeats)
	})
	t.Run("a reaction and a button of one person are one vote", func(t *testing.T) {
		two := func(b *BallotFacts) { b.Requirements = []Requirement{{Group: "leads", N: 2}} }
		leavesOut(t, counts(t, baseBallot(two, yes(lead1), press(Approve, lead1, lead1)), Pending, map[string][]string{"leads": {lead1}}))
	})
	t.Run("pressed by the requester it does not count", func(t *testing.T) {
		v := counts(t, baseBallot(press(Approve, asker)), Pending, nil)
		leavesOut(t, v, Uncounted{User: asker, Emoji: "white_check_mark", Reason: ReasonRequester})
	})
	t.Run("a reaction that comes later unseats nobody who pressed", func(t *testing.T) {
		pressed := baseBallot(press(Approve, lead1, fin1), yes(lead2))
		pressed.Before = &Ballot{PlanHash: pressed.PlanHash, Seats: []Seat{{Requirement: pressed.Requirements[0]}, {Requirement: pressed.Requirements[1], By: []string{lead1}}}}
		leavesOut(t, counts(t, pressed, Approved, bothSeats), Uncounted{User: lead2, Emoji: "white_check_mark", Reason: ReasonNoSeatLeft})
		pressed.Before.PlanHash = "of an older plan"
		counts(t, pressed, Approved, map[string][]string{"finops": {fin1}, "leads": {lead2}})
	})
	t.Run("taken back it is gone", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(press(Approve, lead1, fin1), press(TakenBack, lead1)), Pending, one))
	})
	t.Run("taken back it does not take the reaction along", func(t *testing.T) {
		counts(t, baseBallot(yes(lead1), press(Approve, lead1, fin1), press(TakenBack, lead1)), Approved, bothSeats)
	})
	t.Run("given again it counts again", func(t *testing.T) {
		counts(t, baseBallot(press(Approve, lead1, fin1), press(TakenBack, lead1), press(Approve, lead1)), Approved, bothSeats)
	})
	t.Run("the last choice holds", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(press(Deny, lead1), press(Approve, lead1, fin1)), Approved, bothSeats))
	})
	t.Run("a denial by button beside a reaction that approves denies", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead1, fin1), press(Deny, lead1)), Denied, one)
		leavesOut(t, v, Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonBoth})
	})
	t.Run("the reason of a denial stands on the ballot, and who gave it stands first", func(t *testing.T) {
		why := func(user, reason string) func(*BallotFacts) {
			return func(b *BallotFacts) {
				b.Votes = append(b.Votes, Vote{User: user, Plan: b.Plan, PlanHash: b.PlanHash, Choice: Deny, Reason: reason})
			}
		}
		v := counts(t, baseBallot(no(fin1), why(lead1, ""), why(lead2, "too dear"), why(other, "because")), Denied, nil)
		require.Equal(t, "too dear", v.Ballot.Why)
		require.Equal(t, []string{lead2, fin1, lead1}, v.Ballot.DeniedBy)
	})
	t.Run("on another plan it does not count", func(t *testing.T) {
		for name, edit := range map[string]func(*Vote){
			"another hash":               func(v *Vote) { v.PlanHash = basePlan().Hash },
			"no hash":                    func(v *Vote) { v.PlanHash = "" },
			"an earlier plan like it":    func(v *Vote) { v.Plan-- },
			"a later plan like it":       func(v *Vote) { v.Plan++ },
			"a choice that nobody knows": func(v *Vote) { v.Choice = "perhaps" },
			"nobody":                     func(v *Vote) { v.User = "" },
			"our own":                    func(v *Vote) { v.User = self },
		} {
			t.Run(name, func(t *testing.T) {
				b := baseBallot(yes(fin1), func(b *BallotFacts) { b.Plan = 2 }, press(Approve, lead1))
				edit(&b.Votes[0])
				leavesOut(t, counts(t, b, Pending, one))
			})
		}
	})
}

func TestWhoseVoteIsMissing(t *testing.T) {
	seats := map[string][]string{"finops": {fin1}}
	before := func(b *BallotFacts) { v := compile(t, baseConfig()).Count(*b).Ballot; b.Before = &v }
	gone := func(b *BallotFacts) { b.Reactions, b.Votes = baseBallot().Reactions, nil }
	withdrawn := Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonWithdrawn}

	t.Run("a reaction that is gone was withdrawn", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(yes(lead1, fin1), before, gone, yes(fin1)), Pending, seats), withdrawn)
	})
	t.Run("so was a button's vote that was taken back", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(press(Approve, lead1, fin1), before, press(TakenBack, lead1)), Pending, seats), withdrawn)
	})
	t.Run("and it is said at every later count", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(yes(lead1, fin1), before, gone, yes(fin1), before, before), Pending, seats), withdrawn)
	})
	t.Run("until they vote again", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(yes(lead1, fin1), before, gone, yes(fin1), before, yes(lead1)), Approved,
			map[string][]string{"finops": {fin1}, "leads": {lead1}}))
	})
	t.Run("a denial that is gone was withdrawn", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(no(lead1), before, gone), Pending, nil), Uncounted{User: lead1, Emoji: "x", Reason: ReasonWithdrawn})
	})
	t.Run("who changed from yes to no has withdrawn nothing", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(yes(lead1), before, gone, no(lead1)), Denied, nil))
	})
	t.Run("a vote that never counted leaves no trace", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(yes(other), before, gone), Pending, nil))
	})
	t.Run("a list cut short says nothing about who is gone", func(t *testing.T) {
		cut := votes(Reaction{Name: "white_check_mark", Users: []string{fin1}, Count: 2})
		leavesOut(t, counts(t, baseBallot(yes(lead1, fin1), before, gone, cut), Pending, nil), Uncounted{User: fin1, Emoji: "white_check_mark", Reason: ReasonListCut})
	})
	t.Run("a ballot of another plan says nothing about withdrawals", func(t *testing.T) {
		other := func(b *BallotFacts) { b.Before.PlanHash = basePlan().Hash }
		leavesOut(t, counts(t, baseBallot(yes(lead1), before, other, gone), Pending, nil))
	})

	replaced := func(edit ...func(*BallotFacts)) func(*BallotFacts) {
		return func(b *BallotFacts) {
			b.Replaced = append(b.Replaced, compile(t, baseConfig()).Count(baseBallot(edit...)).Ballot)
		}
	}
	older := Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonOlderPlan}
	t.Run("a vote on the plan before counts no more, and the ballot says so", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(replaced(yes(lead1)), yes(fin1)), Pending, seats), older)
	})
	t.Run("said once however many plans were replaced", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(replaced(yes(lead1)), replaced(yes(lead1))), Pending, nil), older)
	})
	t.Run("not of somebody who votes on this one", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(replaced(yes(lead1, fin1)), yes(lead1, fin1)), Approved, map[string][]string{"finops": {fin1}, "leads": {lead1}}))
	})
	t.Run("and who withdrew on this one has withdrawn", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(replaced(yes(lead1)), yes(lead1), before, gone), Pending, nil), withdrawn)
	})
	t.Run("the earlier ballots decide nothing", func(t *testing.T) {
		b := baseBallot(replaced(yes(lead1, fin1)))
		b.Before = &Ballot{PlanHash: b.PlanHash, Seats: []Seat{{Requirement: b.Requirements[0], By: []string{fin1}}, {Requirement: b.Requirements[1], By: []string{lead1}}}}
		counts(t, b, Pending, nil)
	})
}

func TestEscalation(t *testing.T) {
	c := baseConfig()
	c.Groups["managers"] = Group{Users: []string{other, asker}}
	hour := func(b *BallotFacts) {
		b.Requirements = []Requirement{{Group: "leads", N: 1, Escalate: &Escalation{After: 20 * time.Minute, To: "managers"}}}
		b.Members["managers"] = []string{other, asker}
		b.OpenedAt = noon
	}
	at := func(d time.Duration) func(*BallotFacts) { return func(b *BallotFacts) { b.Now = noon.Add(d) } }
	boss := map[string][]string{"leads": {other}}

	t.Run("before its time the second group is none of those asked", func(t *testing.T) {
		v := countsWith(t, c, baseBallot(hour, yes(other), at(20*time.Minute-1)), Pending, nil)
		leavesOut(t, v, Uncounted{User: other, Emoji: "white_check_mark", Reason: ReasonNotInGroup})
		require.False(t, v.Ballot.Seats[0].Escalated)
	})
	t.Run("from then on it may fill the seats", func(t *testing.T) {
		v := countsWith(t, c, baseBallot(hour, yes(other), at(20*time.Minute)), Approved, boss)
		require.True(t, v.Ballot.Seats[0].Escalated)
	})
	t.Run("and deny", func(t *testing.T) {
		require.Equal(t, []string{other}, countsWith(t, c, baseBallot(hour, no(other), at(time.Hour-1)), Denied, nil).Ballot.DeniedBy)
	})
	t.Run("the first group still may", func(t *testing.T) {
		countsWith(t, c, baseBallot(hour, yes(lead1), at(30*time.Minute)), Approved, map[string][]string{"leads": {lead1}})
	})
	t.Run("the requester may not, in whatever group", func(t *testing.T) {
		countsWith(t, c, baseBallot(hour, yes(asker), at(30*time.Minute)), Pending, nil)
	})
	t.Run("a second group that can't be read lets nobody in", func(t *testing.T) {
		lost := func(b *BallotFacts) { delete(b.Members, "managers") }
		v := countsWith(t, c, baseBallot(hour, yes(other), lost, at(30*time.Minute)), Pending, nil)
		leavesOut(t, v, Uncounted{User: other, Emoji: "white_check_mark", Reason: ReasonGroupUnread})
	})
	t.Run("nobody is approved past a denial while its group can't be read", func(t *testing.T) {
		lost := func(b *BallotFacts) { delete(b.Members, "managers") }
		first := map[string][]string{"leads": {lead1}}
		v := countsWith(t, c, baseBallot(hour, yes(lead1), no(other), lost, at(30*time.Minute)), Pending, first)
		leavesOut(t, v, Uncounted{User: other, Emoji: "x", Reason: ReasonGroupUnread})
		gone := person(other, func(p *Person) { p.Found = false })
		v = countsWith(t, c, baseBallot(hour, yes(lead1), no(other), lost, gone, at(30*time.Minute)), Pending, first)
		leavesOut(t, v, Uncounted{User: other, Emoji: "x", Reason: ReasonUnknown})
		countsWith(t, c, baseBallot(hour, yes(lead1), lost, at(30*time.Minute)), Approved, first)
	})
	t.Run("a ballot without a time of opening never escalates", func(t *testing.T) {
		countsWith(t, c, baseBallot(hour, yes(other), at(30*time.Minute), func(b *BallotFacts) { b.OpenedAt = time.Time{} }), Pending, nil)
	})
	t.Run("rules that ask the same group keep the earliest", func(t *testing.T) {
		c := baseConfig()
		c.Groups["managers"] = Group{Users: []string{other}}
		c.Rules = []Rule{
			{Name: "a", When: "true", Require: map[string]int{"leads": 1, "finops": 1}},
			{Name: "b", When: "true", Require: map[string]int{"leads": 1}, Escalate: &Escalation{After: time.Hour, To: "managers"}},
			{Name: "c", When: "true", Require: map[string]int{"leads": 1}, Escalate: &Escalation{After: 10 * time.Minute, To: "finops"}},
			{Name: "d", When: "true", Require: map[string]int{"leads": 2}, Escalate: &Escalation{After: 2 * time.Hour, To: "managers"}},
		}
		j := compile(t, c).Judge(baseFacts())
		require.Equal(t, []Requirement{
			{Group: "finops", N: 1, Rules: []string{"a"}},
			{Group: "leads", N: 2, Rules: []string{"a", "b", "c", "d"}, Escalate: &Escalation{After: 10 * time.Minute, To: "finops"}},
		}, j.Requirements)
	})
	for name, bad := range map[string]struct {
		e       Escalation
		path    string
		suggest string
	}{
		"a group that isn't there":      {Escalation{time.Hour, "finop"}, "to", "finops"},
		"no group":                      {Escalation{After: time.Hour}, "to", ""},
		"no time":                       {Escalation{To: "finops"}, "after", "1h"},
		"a time before it opens":        {Escalation{-time.Hour, "finops"}, "after", "1h"},
		"a time after it has expired":   {Escalation{1000 * time.Hour, "finops"}, "after", ""},
		"the group that is asked first": {Escalation{time.Hour, "leads"}, "to", ""},
	} {
		t.Run("refused at load: "+name, func(t *testing.T) {
			c := baseConfig()
			c.Rules = []Rule{{Name: "r", When: "true", Require: map[string]int{"leads": 1}, Escalate: &bad.e}}
			c.ExpireAfter = 4 * time.Hour
			p, problems := Compile(c)
			require.Nil(t, p)
			require.Len(t, problems, 1)
			require.Equal(t, []string{"rules", "0", "escalate", bad.path}, problems[0].Path)
			require.Equal(t, bad.suggest, problems[0].Suggest)
		})
	}
}

func TestWhomToRemind(t *testing.T) {
	wants := func(t *testing.T, b BallotFacts, want ...string) {
		t.Helper()
		require.Equal(t, want, compile(t, baseConfig()).Wanted(b))
	}
	t.Run("everybody of the groups asked, but not the requester", func(t *testing.T) {
		wants(t, baseBallot(), both, fin1, fin2, lead1, lead2)
	})
	t.Run("not who voted, nor the group whose seat is taken", func(t *testing.T) {
		wants(t, baseBallot(yes(lead1)), both, fin1, fin2)
	})
	t.Run("who can free a seat by filling another one is wanted", func(t *testing.T) {
		// both sits for finops, and would move to the leads' seat for fin1.
		wants(t, baseBallot(yes(both)), fin1, fin2, lead1, lead2)
	})
	t.Run("not a guest, a bot or somebody who can't be looked up", func(t *testing.T) {
		wants(t, baseBallot(person(lead1, func(p *Person) { p.Guest = true }), person(fin1, func(p *Person) { p.Bot = true }),
			person(both, func(p *Person) { p.Found = false })), fin2, lead2)
	})
	t.Run("not who voted by button, even in vain", func(t *testing.T) {
		wants(t, baseBallot(press(Approve, lead1, lead2)), both, fin1, fin2)
	})
	t.Run("nobody once all seats are filled", func(t *testing.T) { wants(t, baseBallot(yes(lead1, fin1))) })
}

func TestFactsOnRecordGiveTheSameVerdict(t *testing.T) {
	p := compile(t, baseConfig())
	b := baseBallot(yes(lead1, other), no(asker), press(Approve, fin1, fin2), func(b *BallotFacts) {
		b.OpenedAt, b.Before, b.Replaced = noon, &Ballot{PlanHash: b.PlanHash, DeniedBy: []string{lead2}}, []Ballot{{DeniedBy: []string{both}}}
	})
	data, err := json.Marshal(b)
	require.NoError(t, err)
	var read BallotFacts
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, p.Count(b), p.Count(read))
}

func TestBallotDriftSaysWhoAndWhat(t *testing.T) {
	seat := func(group string, n int, by ...string) Seat {
		return Seat{Requirement: Requirement{Group: group, N: n}, By: by}
	}
	asked := []Requirement{{Group: "leads", N: 1}}
	before := Ballot{Seats: []Seat{seat("leads", 1, "U1")}}
	for name, c := range map[string]struct {
		asked  []Requirement
		before Ballot
		now    Ballot
		want   []Difference
	}{
		"a reaction that is gone": {asked, before, Ballot{Seats: []Seat{seat("leads", 1)}}, []Difference{{What: Withdrawn, Was: "U1"}}},
		"seen to be gone earlier": {
			asked, Ballot{Seats: []Seat{seat("leads", 1)}}, Ballot{Seats: []Seat{seat("leads", 1)}, Uncounted: []Uncounted{{User: "U1", Reason: ReasonWithdrawn}}},
			[]Difference{{What: Withdrawn, Was: "U1"}},
		},
		"out of the group": {
			asked, before, Ballot{Seats: []Seat{seat("leads", 1)}, Uncounted: []Uncounted{{User: "U1", Reason: ReasonNotInGroup}}},
			[]Difference{{What: VoteLost, Field: "not_in_group", Was: "U1"}},
		},
		"a mandate that was revoked": {
			asked, before, Ballot{Seats: []Seat{seat("leads", 1)}, Uncounted: []Uncounted{{User: "U1", Reason: ReasonMandateRevoked, Mandate: "M-1"}}},
			[]Difference{{What: VoteLost, Field: "mandate_revoked", Was: "U1", Is: "M-1"}},
		},
		"another group": {
			asked, before, Ballot{Seats: []Seat{seat("finops", 1), seat("leads", 1, "U1")}},
			[]Difference{{What: RulesMoved, Was: "1 of leads", Is: "1 of finops, 1 of leads"}},
		},
		"who withdrew long ago is no reason when others are asked": {
			asked, before, Ballot{Seats: []Seat{seat("finops", 1), seat("leads", 1, "U1")}, Uncounted: []Uncounted{{User: "U2", Reason: ReasonWithdrawn}}},
			[]Difference{{What: RulesMoved, Was: "1 of leads", Is: "1 of finops, 1 of leads"}},
		},
		"more of the same group": {asked, before, Ballot{Seats: []Seat{seat("leads", 2, "U1")}}, []Difference{{What: RulesMoved, Was: "1 of leads", Is: "2 of leads"}}},
		"nobody was asked":       {nil, Ballot{}, Ballot{Seats: []Seat{seat("leads", 1)}}, []Difference{{What: RulesMoved, Is: "1 of leads"}}},
		"nothing can be told":    {asked, Ballot{}, Ballot{Seats: []Seat{seat("leads", 1)}}, []Difference{{What: VotesMoved}}},
	} {
		require.Equal(t, c.want, BallotDrift(c.asked, c.before, c.now), name)
	}
	reqs, ok := ReadAsks("1 of finops, 2 of lead of leads")
	require.True(t, ok)
	require.Equal(t, []Requirement{{Group: "finops", N: 1}, {Group: "lead of leads", N: 2}}, reqs)
	_, ok = ReadAsks("anybody")
	require.False(t, ok)
}
