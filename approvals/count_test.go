package approvals

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// The people of the tests. U0BOTH is in both groups.
const (
	asker, lead1, lead2, fin1, fin2, both, other = "U0ASKER", "U0LEAD1", "U0LEAD2", "U0FIN1", "U0FIN2", "U0BOTH", "U0OTHER"
	self                                         = "U0SCALEBOT"
)

// baseBallot asks for one of finops and one of leads, the requester being a
// lead; everybody can be looked up and the bot has seeded its two reactions.
func baseBallot(edit ...func(*BallotFacts)) BallotFacts {
	b := BallotFacts{
		PlanHash:     basePlan(prepaid).Hash,
		Requirements: []Requirement{{Group: "finops", N: 1, Rules: []string{"prepaid"}}, {Group: "leads", N: 1, Rules: []string{"prepaid", "costly"}}},
		Requester:    asker,
		People:       map[string]Person{self: {ID: self, Found: true, Bot: true}},
		Members:      map[string][]string{"leads": {lead1, lead2, both, asker}, "finops": {fin1, fin2, both}},
		Bot:          self,
		Now:          noon,
		ExpiresAt:    noon.Add(time.Hour),
	}
	for _, id := range []string{asker, lead1, lead2, fin1, fin2, both, other} {
		b.People[id] = Person{ID: id, Found: true}
	}
	b.Reactions = []Reaction{react("white_check_mark", self), react("x", self)}
	for _, e := range edit {
		e(&b)
	}
	return b
}

func react(name string, users ...string) Reaction {
	return Reaction{Name: name, Users: users, Count: len(users)}
}

func votes(rs ...Reaction) func(*BallotFacts) {
	return func(b *BallotFacts) { b.Reactions = append(b.Reactions, rs...) }
}

func yes(users ...string) func(*BallotFacts) { return votes(react("white_check_mark", users...)) }
func no(users ...string) func(*BallotFacts)  { return votes(react("x", users...)) }

func person(id string, edit func(*Person)) func(*BallotFacts) {
	return func(b *BallotFacts) {
		p := b.People[id]
		edit(&p)
		b.People[id] = p
	}
}

// counts asserts the status and who fills which seat, by group.
func counts(t *testing.T, b BallotFacts, want Status, seats map[string][]string) Verdict {
	t.Helper()
	return countsWith(t, baseConfig(), b, want, seats)
}

func countsWith(t *testing.T, c Config, b BallotFacts, want Status, seats map[string][]string) Verdict {
	t.Helper()
	v := compile(t, c).Count(b)
	got := map[string][]string{}
	for _, s := range v.Ballot.Seats {
		if len(s.By) > 0 {
			got[s.Group] = s.By
		}
	}
	if seats == nil {
		seats = map[string][]string{}
	}
	require.Equal(t, want, v.Status)
	require.Equal(t, seats, got)
	require.Equal(t, b.PlanHash, v.Ballot.PlanHash)
	require.Equal(t, b.Now, v.At)
	require.Equal(t, want == Approved, v.Permits(basePlan(prepaid)))
	return v
}

// leavesOut asserts the whole list of votes that don't count.
func leavesOut(t *testing.T, v Verdict, want ...Uncounted) {
	t.Helper()
	require.Equal(t, want, v.Ballot.Uncounted)
}

func TestCount(t *testing.T) {
	bothSeats := map[string][]string{"finops": {fin1}, "leads": {lead1}}

	t.Run("nobody has voted yet, and our own reactions leave no trace", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(), Pending, nil))
	})
	t.Run("one of each group approves", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(yes(lead1, fin1)), Approved, bothSeats))
	})
	t.Run("one of the two is missing", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead1)), Pending, map[string][]string{"leads": {lead1}})
		require.Equal(t, 1, v.Ballot.Seats[0].Open())
		require.Equal(t, 0, v.Ballot.Seats[1].Open())
	})
	t.Run("the requester cannot approve", func(t *testing.T) {
		v := counts(t, baseBallot(yes(asker, fin1)), Pending, map[string][]string{"finops": {fin1}})
		leavesOut(t, v, Uncounted{User: asker, Emoji: "white_check_mark", Reason: ReasonRequester})
	})
	t.Run("the requester can where config says so", func(t *testing.T) {
		c := baseConfig()
		c.SelfApproval = true
		countsWith(t, c, baseBallot(yes(asker, fin1)), Approved, map[string][]string{"finops": {fin1}, "leads": {asker}})
	})
	t.Run("but only a seat of a group they are in", func(t *testing.T) {
		c := baseConfig()
		c.SelfApproval = true
		v := countsWith(t, c, baseBallot(yes(asker, lead1)), Pending, map[string][]string{"leads": {asker}})
		leavesOut(t, v, Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonNoSeatLeft})
	})
	t.Run("the requester cannot deny: that is cancelling", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead1, fin1), no(asker)), Approved, bothSeats)
		leavesOut(t, v, Uncounted{User: asker, Emoji: "x", Reason: ReasonRequester})
	})
	t.Run("each reason", func(t *testing.T) {
		for reason, edit := range map[Reason]func(*Person){
			ReasonBot:         func(p *Person) { p.Bot, p.Deleted, p.Stranger, p.Guest = true, true, true, true },
			ReasonDeactivated: func(p *Person) { p.Deleted, p.Stranger, p.Guest = true, true, true },
			ReasonStranger:    func(p *Person) { p.Stranger, p.Guest = true, true },
			ReasonGuest:       func(p *Person) { p.Guest = true },
			ReasonUnknown:     func(p *Person) { p.Found = false },
		} {
			t.Run(string(reason)+" approves", func(t *testing.T) {
				v := counts(t, baseBallot(yes(lead1, fin1), person(lead1, edit)), Pending, map[string][]string{"finops": {fin1}})
				leavesOut(t, v, Uncounted{User: lead1, Emoji: "white_check_mark", Reason: reason})
			})
			t.Run(string(reason)+" denies", func(t *testing.T) {
				v := counts(t, baseBallot(no(lead1), person(lead1, edit)), Pending, nil)
				leavesOut(t, v, Uncounted{User: lead1, Emoji: "x", Reason: reason})
				require.Empty(t, v.Ballot.DeniedBy)
			})
		}
	})
	t.Run("the reason is the first of the list: a requester who is a guest", func(t *testing.T) {
		v := counts(t, baseBallot(yes(asker), person(asker, func(p *Person) { p.Guest = true })), Pending, nil)
		leavesOut(t, v, Uncounted{User: asker, Emoji: "white_check_mark", Reason: ReasonGuest})
	})
	t.Run("somebody nobody knows", func(t *testing.T) {
		v := counts(t, baseBallot(yes("U0NEVER", "")), Pending, nil)
		leavesOut(t, v, Uncounted{User: "U0NEVER", Emoji: "white_check_mark", Reason: ReasonUnknown}, Uncounted{User: "", Emoji: "white_check_mark", Reason: ReasonUnknown})
	})
	t.Run("somebody in no group asked, for and against", func(t *testing.T) {
		v := counts(t, baseBallot(yes(other, lead1, fin1), no("U0NEVER", other)), Approved, bothSeats)
		leavesOut(t, v, Uncounted{User: other, Emoji: "white_check_mark", Reason: ReasonNotInGroup}, Uncounted{User: other, Emoji: "x", Reason: ReasonNotInGroup}, Uncounted{User: "U0NEVER", Emoji: "x", Reason: ReasonUnknown})
	})
	t.Run("a second lead finds no seat", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead2, lead1)), Pending, map[string][]string{"leads": {lead2}})
		leavesOut(t, v, Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonNoSeatLeft})
	})
	t.Run("other emoji leave no trace", func(t *testing.T) {
		leavesOut(t, counts(t, baseBallot(votes(react("eyes", lead1, fin1), react("white_large_square", fin1))), Pending, nil))
	})
	t.Run("any emoji of the list, in any skin tone, by any alias", func(t *testing.T) {
		for _, name := range []string{"white_check_mark", "heavy_check_mark", "+1", "thumbsup", "+1::skin-tone-6", "thumbsup::skin-tone-2"} {
			counts(t, baseBallot(votes(react(name, lead1, fin1))), Approved, bothSeats)
		}
		for _, name := range []string{"x", "no_entry", "-1", "thumbsdown", "-1::skin-tone-4"} {
			v := counts(t, baseBallot(votes(react(name, lead1, fin1))), Denied, nil)
			require.Equal(t, []string{lead1, fin1}, v.Ballot.DeniedBy)
		}
	})
	t.Run("the two check marks are two emoji", func(t *testing.T) {
		c := baseConfig()
		c.Approve = []string{"heavy_check_mark"}
		countsWith(t, c, baseBallot(yes(lead1, fin1)), Pending, nil)
	})
	t.Run("one person with many emoji is one person", func(t *testing.T) {
		two := func(b *BallotFacts) { b.Requirements = []Requirement{{Group: "leads", N: 2}} }
		many := votes(react("+1", lead1), react("+1::skin-tone-2", lead1), react("heavy_check_mark", lead1, lead1))
		leavesOut(t, counts(t, baseBallot(two, many), Pending, map[string][]string{"leads": {lead1}}))
		leavesOut(t, counts(t, baseBallot(two, many, yes(lead2)), Approved, map[string][]string{"leads": {lead1, lead2}}))
	})
	t.Run("one person in both groups fills one seat", func(t *testing.T) {
		counts(t, baseBallot(yes(both)), Pending, map[string][]string{"finops": {both}})
	})
	t.Run("and moves to the other seat when that fills both", func(t *testing.T) {
		counts(t, baseBallot(yes(both, fin1)), Approved, map[string][]string{"finops": {fin1}, "leads": {both}})
		counts(t, baseBallot(yes(both, lead1)), Approved, map[string][]string{"finops": {both}, "leads": {lead1}})
	})
	t.Run("a chain of moves", func(t *testing.T) {
		b := baseBallot(yes("U1", "U2", "U3"), func(b *BallotFacts) {
			b.Requirements = []Requirement{{Group: "a", N: 1}, {Group: "b", N: 1}, {Group: "c", N: 1}}
			b.Members = map[string][]string{"a": {"U1", "U2", "U3"}, "b": {"U1", "U2"}, "c": {"U1"}}
			for _, id := range []string{"U1", "U2", "U3"} {
				b.People[id] = Person{ID: id, Found: true}
			}
		})
		counts(t, b, Approved, map[string][]string{"a": {"U3"}, "b": {"U2"}, "c": {"U1"}})
	})
	t.Run("after a move the people of a seat stand in the order of their votes", func(t *testing.T) {
		b := baseBallot(yes(both, lead1, lead2), func(b *BallotFacts) { b.Requirements = []Requirement{{Group: "leads", N: 2}, {Group: "finops", N: 1}} })
		counts(t, b, Approved, map[string][]string{"leads": {lead1, lead2}, "finops": {both}})
	})
	t.Run("one denial by somebody who could approve ends it at once", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead1, fin1), no(lead2)), Denied, bothSeats)
		require.Equal(t, []string{lead2}, v.Ballot.DeniedBy)
	})
	t.Run("who does both has denied", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead1, fin1), no(lead1)), Denied, map[string][]string{"finops": {fin1}})
		require.Equal(t, []string{lead1}, v.Ballot.DeniedBy)
		leavesOut(t, v, Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonBoth})
	})
	t.Run("a withdrawn vote is gone", func(t *testing.T) {
		counts(t, baseBallot(yes(lead1, fin1)), Approved, bothSeats)
		counts(t, baseBallot(yes(fin1)), Pending, map[string][]string{"finops": {fin1}})
	})
	t.Run("who left the group no longer counts", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead1, fin1), func(b *BallotFacts) { b.Members["leads"] = []string{lead2} }), Pending, map[string][]string{"finops": {fin1}})
		leavesOut(t, v, Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonNotInGroup})
	})
	t.Run("membership of a group nobody asks is nothing", func(t *testing.T) {
		counts(t, baseBallot(yes(other), func(b *BallotFacts) { b.Members["ops"] = []string{other} }), Pending, nil)
	})
	t.Run("a vote with no requirement approves nothing", func(t *testing.T) {
		counts(t, baseBallot(yes(lead1, fin1), func(b *BallotFacts) { b.Requirements = nil }), Pending, nil)
	})
	t.Run("a requirement of nobody approves nothing", func(t *testing.T) {
		for _, n := range []int{0, -1} {
			counts(t, baseBallot(yes(lead1, fin1), func(b *BallotFacts) { b.Requirements[0].N = n }), Pending, map[string][]string{"leads": {lead1}})
		}
	})
	t.Run("a ballot of no plan, or of nobody, approves nothing", func(t *testing.T) {
		counts(t, baseBallot(yes(lead1, fin1), func(b *BallotFacts) { b.PlanHash = "" }), Pending, bothSeats)
		counts(t, baseBallot(yes(lead1, fin1), func(b *BallotFacts) { b.Requester = "" }), Pending, bothSeats)
	})
	t.Run("an empty group approves nothing", func(t *testing.T) {
		counts(t, baseBallot(yes(lead1, fin1), func(b *BallotFacts) { b.Members["finops"] = nil }), Pending, map[string][]string{"leads": {lead1}})
	})
	t.Run("no policy counts nothing", func(t *testing.T) {
		var p *Policy
		require.Equal(t, Pending, p.Count(baseBallot(yes(lead1, fin1))).Status)
	})
}

func TestCountWhatCannotBeRead(t *testing.T) {
	unread := func(b *BallotFacts) { delete(b.Members, "finops") }
	t.Run("a group that can't be read keeps its seat open", func(t *testing.T) {
		v := counts(t, baseBallot(yes(lead1, fin1, both), unread), Pending, map[string][]string{"leads": {lead1}})
		leavesOut(t, v, Uncounted{User: fin1, Emoji: "white_check_mark", Reason: ReasonGroupUnread}, Uncounted{User: both, Emoji: "white_check_mark", Reason: ReasonNoSeatLeft})
	})
	t.Run("a denial from it does not count, one from a readable group does", func(t *testing.T) {
		v := counts(t, baseBallot(no(fin1), unread), Pending, nil)
		leavesOut(t, v, Uncounted{User: fin1, Emoji: "x", Reason: ReasonGroupUnread})
		counts(t, baseBallot(no(lead1), unread), Denied, nil)
	})
	t.Run("a list of voters cut short: nothing counts", func(t *testing.T) {
		for _, name := range []string{"white_check_mark", "x", "-1::skin-tone-3"} {
			b := baseBallot(yes(lead1, fin1, other), no(lead2), func(b *BallotFacts) {
				b.Reactions = append(b.Reactions, Reaction{Name: name, Users: []string{self}, Count: 2})
			})
			v := counts(t, b, Pending, nil)
			leavesOut(t, v,
				Uncounted{User: lead1, Emoji: "white_check_mark", Reason: ReasonListCut}, Uncounted{User: fin1, Emoji: "white_check_mark", Reason: ReasonListCut},
				Uncounted{User: other, Emoji: "white_check_mark", Reason: ReasonNotInGroup}, Uncounted{User: lead2, Emoji: "x", Reason: ReasonListCut})
		}
	})
	t.Run("of an emoji that is not ours it doesn't matter", func(t *testing.T) {
		counts(t, baseBallot(yes(lead1, fin1), votes(Reaction{Name: "eyes", Count: 500})), Approved, map[string][]string{"finops": {fin1}, "leads": {lead1}})
	})
	t.Run("a denial by somebody of the group who can't be looked up holds the ballot", func(t *testing.T) {
		lost := person(lead2, func(p *Person) { p.Found = false })
		v := counts(t, baseBallot(yes(lead1, fin1), no(lead2), lost), Pending, map[string][]string{"finops": {fin1}, "leads": {lead1}})
		leavesOut(t, v, Uncounted{User: lead2, Emoji: "x", Reason: ReasonUnknown})
	})
	t.Run("but not by the requester, nor an approval", func(t *testing.T) {
		seats := map[string][]string{"finops": {fin1}, "leads": {lead1}}
		lost := func(id string) func(*BallotFacts) { return person(id, func(p *Person) { p.Found = false }) }
		counts(t, baseBallot(yes(lead1, fin1), no(asker), lost(asker)), Approved, seats)
		counts(t, baseBallot(yes(lead1, fin1, lead2), lost(lead2)), Approved, seats)
	})
}

func TestVotersAreWhomToLookUp(t *testing.T) {
	b := baseBallot(yes(lead1, fin1), no(lead1, other), votes(react("eyes", lead2), react("thumbsup::skin-tone-2", both)))
	require.Equal(t, []string{self, lead1, fin1, other, both}, compile(t, baseConfig()).VotersOf(BallotFacts{Reactions: b.Reactions}))
}

func TestCountExpiry(t *testing.T) {
	seats := map[string][]string{"finops": {fin1}, "leads": {lead1}}
	at := func(d time.Duration) func(*BallotFacts) {
		return func(b *BallotFacts) { b.Now = b.ExpiresAt.Add(d) }
	}
	counts(t, baseBallot(yes(lead1, fin1), at(-1)), Approved, seats)
	counts(t, baseBallot(yes(lead1, fin1), at(0)), Expired, seats)
	counts(t, baseBallot(yes(lead1, fin1), at(time.Hour)), Expired, seats)
	counts(t, baseBallot(no(lead1), at(0)), Expired, nil)
	counts(t, baseBallot(at(0)), Expired, nil)
	counts(t, baseBallot(yes(lead1, fin1), func(b *BallotFacts) { b.ExpiresAt = time.Time{} }), Expired, seats)
}

func TestCountLeavesItsFactsAlone(t *testing.T) {
	p := compile(t, baseConfig())
	b := baseBallot(yes(fin1, both, lead1), no(other), votes(react("thumbsup::skin-tone-2", lead2)))
	before := fmt.Sprintf("%#v", b)
	v := p.Count(b)
	v.Ballot.Seats[0].Rules[0] = "changed"
	v.Ballot.Seats[0].By[0] = "changed"
	require.Equal(t, before, fmt.Sprintf("%#v", b))
	first := p.Count(b)
	for range 20 {
		require.Equal(t, first, p.Count(b))
	}
}

func TestPermitsTrustsNobody(t *testing.T) {
	plan := basePlan(prepaid)
	good := func() Verdict {
		return Verdict{Status: Approved, Ballot: Ballot{PlanHash: plan.Hash, Seats: []Seat{
			{Requirement: Requirement{Group: "finops", N: 1}, By: []string{fin1}}, {Requirement: Requirement{Group: "leads", N: 2}, By: []string{lead1, lead2}},
		}}}
	}
	require.True(t, good().Permits(plan))
	for name, break1 := range map[string]func(*Verdict, *Plan){
		"pending":                       func(v *Verdict, _ *Plan) { v.Status = Pending },
		"expired":                       func(v *Verdict, _ *Plan) { v.Status = Expired },
		"no status":                     func(v *Verdict, _ *Plan) { v.Status = "" },
		"another plan":                  func(_ *Verdict, p *Plan) { *p = basePlan() },
		"a changed plan under its hash": func(_ *Verdict, p *Plan) { p.Change.Delta = 20 },
		"a plan without a hash":         func(v *Verdict, p *Plan) { p.Hash, v.Ballot.PlanHash = "", "" },
		"a ballot of another plan":      func(v *Verdict, _ *Plan) { v.Ballot.PlanHash = basePlan().Hash },
		"an open seat":                  func(v *Verdict, _ *Plan) { v.Ballot.Seats[1].By = v.Ballot.Seats[1].By[:1] },
		"a seat that asks nobody":       func(v *Verdict, _ *Plan) { v.Ballot.Seats[0].N = 0 },
		"one person in two seats":       func(v *Verdict, _ *Plan) { v.Ballot.Seats[0].By[0] = lead1 },
		"one person twice in a seat":    func(v *Verdict, _ *Plan) { v.Ballot.Seats[1].By[0] = lead2 },
		"a seat filled by no one":       func(v *Verdict, _ *Plan) { v.Ballot.Seats[0].By[0] = "" },
		"somebody denied":               func(v *Verdict, _ *Plan) { v.Ballot.DeniedBy = []string{lead1} },
	} {
		t.Run(name, func(t *testing.T) {
			v, p := good(), plan
			break1(&v, &p)
			require.False(t, v.Permits(p))
		})
	}
	require.False(t, Verdict{}.Permits(Plan{}))
	require.False(t, good().Permits(basePlan(prepaid, func(_ *providers.Change, s *providers.Snapshot, _ *providers.Quote) { s.Groups[0].Count = 4 })))
}

func FuzzCount(f *testing.F) {
	f.Add("white_check_mark", "+1::skin-tone-2", "x", 1, 1, uint8(0b1011))
	f.Add("::skin-tone-", "thumbsup", "-1", 2, 0, uint8(0xff))
	f.Add("", "", "", -1, 1<<62, uint8(0))
	p, _ := Compile(baseConfig())
	ids := []string{asker, lead1, lead2, fin1, fin2, both, other, self}
	f.Fuzz(func(t *testing.T, a, b, c string, n, m int, who uint8) {
		facts := baseBallot(func(x *BallotFacts) { x.Requirements[0].N, x.Requirements[1].N = n, m })
		var some, rest []string
		for i, id := range ids {
			if who&(1<<i) != 0 {
				some = append(some, id)
			} else {
				rest = append(rest, id)
			}
		}
		facts.Reactions = append(facts.Reactions, react(a, some...), react(b, rest...), react(c, some...))
		v := p.Count(facts)
		if v.Status == Approved && !fulfilled(facts, false) {
			t.Fatalf("approved without the people: %+v", v)
		}
		for _, s := range v.Ballot.Seats {
			if len(s.By) > max(s.N, 0) || slices.Contains(s.By, asker) {
				t.Fatalf("a seat too full or filled by the requester: %+v", s)
			}
		}
	})
}

func BenchmarkCount(b *testing.B) {
	p := compile(b, baseConfig())
	facts := baseBallot(yes(lead1, fin1, both, other), no(asker))
	b.ReportAllocs()
	for b.Loop() {
		p.Count(facts)
	}
}

// fulfilled is the oracle of the property tests, written without a look at
// Count: it tries every way to hand out seats among the people who plainly may
// approve.
func fulfilled(b BallotFacts, selfApproval bool) bool {
	approve := []string{"white_check_mark", "heavy_check_mark", "+1", "thumbsup"}
	deny := []string{"x", "no_entry", "-1", "thumbsdown"}
	bare := func(n string) string {
		n, _, _ = strings.Cut(n, "::skin-tone-")
		return n
	}
	eligible := func(id string) bool {
		p, ok := b.People[id]
		return ok && p.Found && !p.Bot && !p.Guest && !p.Stranger && !p.Deleted && id != b.Bot && (selfApproval || id != b.Requester)
	}
	asked := func(id string) bool {
		return slices.ContainsFunc(b.Requirements, func(q Requirement) bool { return slices.Contains(b.Members[q.Group], id) })
	}
	if !b.Now.Before(b.ExpiresAt) || len(b.Requirements) == 0 {
		return false
	}
	pool := map[string]bool{}
	for _, r := range b.Reactions {
		name := bare(r.Name)
		ours := slices.Contains(approve, name) || slices.Contains(deny, name)
		if ours && r.Count > len(r.Users) {
			return false
		}
		for _, id := range r.Users {
			if slices.Contains(deny, name) && eligible(id) && asked(id) {
				return false
			}
			if slices.Contains(approve, name) && eligible(id) {
				pool[id] = true
			}
		}
	}
	for _, m := range b.Mandates {
		reacted := slices.ContainsFunc(b.Reactions, func(r Reaction) bool {
			name := bare(r.Name)
			return (slices.Contains(approve, name) || slices.Contains(deny, name)) && slices.Contains(r.Users, m.By)
		})
		fits := m.Nodes > 0 && m.UsedNodes >= 0 && m.Mandate.Nodes-m.UsedNodes >= m.Nodes &&
			(m.Currency == "" || m.Priced && !m.Max.LessThan(m.UsedAmount.Add(m.Amount)))
		if eligible(m.By) && m.By != b.Requester && !reacted && fits && m.Revoked == nil && b.Now.Before(m.Until) {
			pool[m.By] = true
		}
	}
	var seats []string
	for _, q := range b.Requirements {
		if q.N < 1 || q.N > len(pool) {
			return false
		}
		for range q.N {
			seats = append(seats, q.Group)
		}
	}
	people := slices.Sorted(maps.Keys(pool))
	used := map[string]bool{}
	var fill func(i int) bool
	fill = func(i int) bool {
		if i == len(seats) {
			return true
		}
		for _, id := range people {
			if !used[id] && slices.Contains(b.Members[seats[i]], id) {
				used[id] = true
				if fill(i + 1) {
					return true
				}
				used[id] = false
			}
		}
		return false
	}
	return fill(0)
}
