package flow_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/providers"
)

// led asks one of leads for every change.
func led(c *approvals.Config) {
	c.Rules = []approvals.Rule{{Name: "all", When: "true", Require: map[string]int{"leads": 1}}}
}

func (w *world) mandate(n int, edit ...func(*flow.MandateAsk)) flow.MandateAsk {
	a := flow.MandateAsk{Cluster: "emr", Group: "task", Nodes: n, Until: w.clock.Now().Add(72 * time.Hour)}
	for _, e := range edit {
		e(&a)
	}
	return a
}

func most(amount int64) func(*flow.MandateAsk) {
	return func(a *flow.MandateAsk) { a.Max, a.Currency = decimal.NewFromInt(amount), "CNY" }
}

func (w *world) sign(by string, a flow.MandateAsk) string {
	w.t.Helper()
	m, err := w.desk.SignMandate(w.t.Context(), w.caller(by), a)
	require.NoError(w.t, err)
	return m.ID
}

// left is what of a mandate is reserved and used.
func (w *world) left(id string) (reserved, used int) {
	w.t.Helper()
	all, err := w.desk.Mandates(w.t.Context())
	require.NoError(w.t, err)
	for _, m := range all {
		if m.ID == id {
			return m.Reserved, m.Used
		}
	}
	w.t.Fatalf("%s does not hold any more", id)
	return 0, 0
}

func TestARequestInsideAMandateNeedsNobodyElse(t *testing.T) {
	w := newWorld(t, led)
	m := w.sign(lead1, w.mandate(10, most(3*perNode)))
	id := w.request(ask(flow.Add, 2))
	w.settle()
	f := w.flow(id)
	require.Equal(t, flow.Running, f.State, "wait %+v", f.Wait)
	require.True(t, f.Verdict.Permits(*f.Plan()))
	require.Equal(t, []approvals.Use{{ID: m, By: lead1, Group: "leads"}}, f.Verdict.Ballot.Mandates)
	require.Equal(t, []string{lead1}, f.Verdict.Ballot.Seated())
	reserved, used := w.left(m)
	require.Equal(t, [2]int{2, 0}, [2]int{reserved, used})

	n, told := w.told(id, flow.NoteMandate)
	require.True(t, told, "the thread says whose vote it was")
	require.Equal(t, lead1, n.By)
	require.Equal(t, map[string]string{"id": m, "group": "leads", "n": "2", "left": "8", "amount": "1460", "money": "730", "currency": "CNY", "until": n.Args["until"]}, n.Args)
	require.Contains(t, w.whispers(lead1), "mandate", "the signer reads of it privately")
	require.NotContains(t, w.whispers(asker), " mandate")
	_, voted := w.told(id, flow.NoteVote)
	require.False(t, voted, "nobody voted")

	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	reserved, used = w.left(m)
	require.Equal(t, [2]int{0, 2}, [2]int{reserved, used})
	uses := 0
	for _, n := range w.flow(id).Log {
		if n.Code == flow.NoteMandate {
			uses++
		}
	}
	require.Equal(t, 1, uses, "told once")

	// The next one is over the money that is left.
	next := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(next, flow.AwaitingApproval)
	require.Equal(t, []approvals.Uncounted{{User: lead1, Reason: approvals.ReasonMandateSpent, Mandate: m}}, w.flow(next).Verdict.Ballot.Uncounted)
	third := w.request(ask(flow.Add, 1))
	w.pass(3 * time.Minute)
	w.in(third, flow.Succeeded)
	w.consistent()
}

func TestAuditOfAMandate(t *testing.T) {
	w := newWorld(t, led)
	m := w.sign(lead1, w.mandate(10))
	e, detail := w.last("sign_mandate")
	require.Equal(t, lead1, e.Actor)
	require.Equal(t, m, detail["mandate"].(map[string]any)["id"])
	w.request(ask(flow.Add, 2))
	w.settle()
	_, detail = w.last("plan")
	require.NotEmpty(t, detail["facts"].(map[string]any)["mandates"], "it can be counted again")
	_, err := w.desk.RevokeMandate(t.Context(), w.caller(lead2), strings.ToLower(m))
	require.NoError(t, err)
	e, detail = w.last("revoke_mandate")
	require.Equal(t, lead2, e.Actor)
	require.Equal(t, lead2, detail["mandate"].(map[string]any)["revoked"].(map[string]any)["by"])
	w.consistent()
}

// Two requests ask for the last three nodes at the same moment.
func TestTwoRequestsDoNotBothTakeTheLastNodes(t *testing.T) {
	w := newWorld(t, led)
	race := &racing{Store: w.store}
	w.options.Store = race
	w.wire()
	m := w.sign(lead1, w.mandate(3))
	first, second := w.request(ask(flow.Add, 3)), w.request(ask(flow.Add, 3))
	claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
	require.NoError(t, err)
	require.Len(t, claims, 2)
	race.then = func() { require.NoError(t, w.engine.Step(t.Context(), claims[1])) }
	require.NoError(t, w.engine.Step(t.Context(), claims[0]))
	require.Equal(t, flow.Planning, w.state(claims[0].ID), "it counted a mandate that another one used up meanwhile")
	w.pass(3 * time.Minute)
	require.ElementsMatch(t, []flow.State{flow.Succeeded, flow.AwaitingApproval}, []flow.State{w.state(first), w.state(second)})
	reserved, used := w.left(m)
	require.Equal(t, [2]int{0, 3}, [2]int{reserved, used})
}

// From the moment that somebody revokes it nothing more is sent by it, also not
// what was approved by it and is about to go.
func TestAMandateIsCheckedRightBeforeSending(t *testing.T) {
	for name, end := range map[string]func(w *world, race *racing, m string){
		"revoked": func(w *world, _ *racing, m string) {
			_, err := w.desk.RevokeMandate(w.t.Context(), w.caller(lead1), m)
			require.NoError(w.t, err)
		},
		"revoked between the count and the save": func(w *world, race *racing, m string) {
			race.then = func() {
				_, err := flow.NewDesk(flow.Options{
					Store: w.store, Directory: w.slack, Clock: w.clock, Approvals: w.options.Approvals, Logger: w.options.Logger, Catalog: w.options.Catalog,
				}, nil).RevokeMandate(w.t.Context(), w.caller(lead1), m)
				require.NoError(w.t, err)
			}
		},
		"its time is over": func(w *world, _ *racing, _ string) { w.clock.Advance(73 * time.Hour) },
		"the signer left the group": func(w *world, _ *racing, _ string) {
			w.slack.SetGroup("S0LEADS", lead2)
		},
		"the signer denies": func(w *world, _ *racing, _ string) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, led, func(c *approvals.Config) { c.Groups["leads"] = approvals.Group{Usergroups: []string{"S0LEADS"}} })
			w.slack.SetGroup("S0LEADS", lead1, lead2)
			race := &racing{Store: w.store}
			w.options.Store = race
			w.wire()
			m := w.sign(lead1, w.mandate(10))
			w.cloud.SetPhase(providers.Busy)
			id := w.request(ask(flow.Add, 2))
			w.settle()
			w.in(id, flow.Queued)
			w.cloud.SetPhase(providers.Ready)
			if name == "the signer denies" {
				w.vote(id, 1, "x", lead1)
			}
			end(w, race, m)
			w.pass(time.Minute)
			require.Zero(t, w.cloud.Accepted(), "nothing may be sent")
			if name == "the signer denies" {
				w.in(id, flow.Denied)
				return
			}
			w.in(id, flow.AwaitingApproval)
			require.Len(t, w.flow(id).Plans, 2)
			w.vote(id, 2, "white_check_mark", lead2)
			w.pass(2 * time.Minute)
			w.in(id, flow.Succeeded)
		})
	}
}

func TestAMandateComesBackAtAnEndThatBroughtNothing(t *testing.T) {
	w := newWorld(t, led)
	m := w.sign(lead1, w.mandate(10))
	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, providers.Refusef(providers.Text{EN: "no", ZH: "否"})
	})
	id := w.request(ask(flow.Add, 4))
	w.pass(time.Minute)
	w.in(id, flow.Failed)
	reserved, used := w.left(m)
	require.Equal(t, [2]int{0, 0}, [2]int{reserved, used})

	w.cloud.ComeShort(1)
	id = w.request(ask(flow.Add, 4))
	w.pass(2 * time.Minute)
	w.in(id, flow.Partial)
	reserved, used = w.left(m)
	require.Equal(t, [2]int{0, 4}, [2]int{reserved, used}, "what came short was bought: the failed node too")

	w.cloud.SetPhase(providers.Busy)
	id = w.request(ask(flow.Add, 6))
	w.settle()
	reserved, used = w.left(m)
	require.Equal(t, [2]int{6, 4}, [2]int{reserved, used})
	_, err := w.desk.Cancel(t.Context(), w.caller(asker), id)
	require.NoError(t, err)
	w.settle()
	reserved, used = w.left(m)
	require.Equal(t, [2]int{0, 4}, [2]int{reserved, used})
}

func TestWhatAMandateDoesNotDo(t *testing.T) {
	t.Run("it is not of the signer's own request", func(t *testing.T) {
		w := newWorld(t, led)
		m := w.sign(lead1, w.mandate(10))
		r, err := w.desk.Request(t.Context(), w.caller(lead1), ask(flow.Add, 1))
		require.NoError(t, err)
		w.settle()
		w.in(r.Flow.ID, flow.AwaitingApproval)
		require.Contains(t, w.flow(r.Flow.ID).Verdict.Ballot.Uncounted, approvals.Uncounted{User: lead1, Reason: approvals.ReasonMandateOwn, Mandate: m})
	})
	t.Run("it covers no removal, and no other cluster", func(t *testing.T) {
		w := newWorld(t, led)
		w.withBudget(1)
		w.sign(lead1, w.mandate(10))
		for _, a := range []flow.Ask{ask(flow.Remove, 1), onWeb(1)} {
			id := w.request(a)
			w.settle()
			w.in(id, flow.AwaitingApproval)
			require.Empty(t, w.flow(id).Verdict.Ballot.Uncounted)
		}
	})
	t.Run("a limit of money needs a known price", func(t *testing.T) {
		w := newWorld(t, led)
		w.cloud.SetPrice(1, false)
		w.sign(lead1, w.mandate(10, most(1_000_000)))
		id := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(id, flow.AwaitingApproval)
	})
	t.Run("it passes no freeze", func(t *testing.T) {
		w := newWorld(t, led)
		w.sign(lead1, w.mandate(10))
		_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", time.Hour, "")
		require.NoError(t, err)
		id := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(id, flow.Refused)
	})
	t.Run("it fills one seat only", func(t *testing.T) {
		w := newWorld(t)
		w.sign(lead1, w.mandate(10))
		id := w.request(prepaid(2)) // one of finops and one of leads, and lead1 is in both
		w.settle()
		w.in(id, flow.AwaitingApproval)
		w.vote(id, 1, "white_check_mark", finance)
		w.pass(2 * time.Minute)
		w.in(id, flow.Succeeded)
		require.Len(t, w.flow(id).Verdict.Ballot.Mandates, 1)
	})
	t.Run("people who vote save it", func(t *testing.T) {
		w := newWorld(t, led)
		id := w.request(ask(flow.Add, 2))
		w.settle()
		w.in(id, flow.AwaitingApproval)
		ref := w.card(id, 1)
		w.slack.React(ref, "white_check_mark", lead2)
		m := w.sign(lead1, w.mandate(10))
		w.settle()
		w.in(id, flow.Running)
		reserved, used := w.left(m)
		require.Equal(t, [2]int{0, 0}, [2]int{reserved, used})
	})
	t.Run("a request that waits is covered by one that is signed meanwhile", func(t *testing.T) {
		w := newWorld(t, led)
		id := w.request(ask(flow.Add, 2))
		w.settle()
		w.in(id, flow.AwaitingApproval)
		w.sign(lead1, w.mandate(10))
		w.pass(2 * time.Minute)
		w.in(id, flow.Succeeded)
	})
}

func TestWhoSignsAndWhoRevokes(t *testing.T) {
	w := newWorld(t, led)
	_, err := w.desk.SignMandate(t.Context(), w.caller(asker), w.mandate(10))
	rejected(t, err, flow.RejectNoApprover)
	for code, edit := range map[flow.RejectCode]func(*flow.MandateAsk){
		flow.RejectCluster:     func(a *flow.MandateAsk) { a.Cluster = "none" },
		flow.RejectGroup:       func(a *flow.MandateAsk) { a.Group = "none" },
		flow.RejectZero:        func(a *flow.MandateAsk) { a.Nodes = 0 },
		flow.RejectPast:        func(a *flow.MandateAsk) { a.Until = w.clock.Now() },
		flow.RejectMandateLong: func(a *flow.MandateAsk) { a.Until = w.clock.Now().Add(flow.MaxMandate + time.Second) },
	} {
		_, err := w.desk.SignMandate(t.Context(), w.caller(lead1), w.mandate(10, edit))
		rejected(t, err, code)
	}
	w.slack.Person(approvals.Person{ID: lead2, Found: true, Guest: true})
	_, err = w.desk.SignMandate(t.Context(), w.caller(lead2), w.mandate(10))
	rejected(t, err, flow.RejectGuest)

	signed, err := w.desk.SignMandate(t.Context(), w.caller(lead1), w.mandate(10))
	require.NoError(t, err)
	require.Equal(t, []string{"finops", "leads"}, signed.Counts)
	_, err = w.desk.RevokeMandate(t.Context(), w.caller(asker), signed.ID)
	rejected(t, err, flow.RejectNotSigner)
	_, err = w.desk.RevokeMandate(t.Context(), w.caller(finance), signed.ID)
	require.NoError(t, err, "of a group that it was signed for")
	_, err = w.desk.RevokeMandate(t.Context(), w.caller(lead1), signed.ID)
	rejected(t, err, flow.RejectMandateEnded)
	_, err = w.desk.RevokeMandate(t.Context(), w.caller(lead1), "M-NONE")
	rejected(t, err, flow.RejectMandate)
	all, err := w.desk.Mandates(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
}

// The audit of each decision that a mandate carried counts to the same verdict.
func TestAVoteInAdvanceIsCountedAgainFromTheRecord(t *testing.T) {
	w := newWorld(t, led)
	w.sign(lead1, w.mandate(10))
	w.request(ask(flow.Add, 2))
	w.pass(time.Minute)
	counted := 0
	for _, e := range w.audited() {
		counted += recount(t, w.options.Policy, e)
	}
	require.GreaterOrEqual(t, counted, 2)
}

func recount(t *testing.T, p *approvals.Policy, e redisstore.AuditEntry) int {
	t.Helper()
	var d struct {
		Verdict *approvals.Verdict
		Facts   *approvals.BallotFacts
	}
	if len(e.Detail) == 0 {
		return 0
	}
	unmarshal(t, e.Detail, &d)
	if d.Verdict == nil || d.Facts == nil || len(d.Facts.Mandates) == 0 {
		return 0
	}
	again := p.Count(*d.Facts)
	require.Equal(t, d.Verdict.Status, again.Status)
	require.Equal(t, d.Verdict.Ballot.Mandates, again.Ballot.Mandates)
	return 1
}

func unmarshal(t *testing.T, data []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(data, into))
}

// A rehearsal tries what a request would find before anybody votes.
func TestADryRunTriesMandatesAndBrokenGlass(t *testing.T) {
	w := newWorld(t, led, glass)
	try := func(user string, a flow.Ask) *approvals.Verdict {
		t.Helper()
		p, err := w.desk.DryRun(t.Context(), w.caller(user), a)
		require.NoError(t, err)
		require.Nil(t, p.Refused)
		return p.Foreseen
	}
	require.Nil(t, try(asker, ask(flow.Add, 2)))
	m := w.sign(lead1, w.mandate(3))
	v := try(asker, ask(flow.Add, 2))
	require.Equal(t, approvals.Approved, v.Status)
	require.Equal(t, []approvals.Use{{ID: m, By: lead1, Group: "leads"}}, v.Ballot.Mandates)
	require.Equal(t, approvals.ReasonMandateNodes, try(asker, ask(flow.Add, 4)).Ballot.Uncounted[0].Reason)
	require.Equal(t, approvals.ReasonMandateOwn, try(lead1, ask(flow.Add, 2)).Ballot.Uncounted[0].Reason)
	require.Nil(t, try(asker, ask(flow.Remove, 1)), "it is about additions")
	late := ask(flow.Add, 2)
	late.StartAt = noon.Add(73 * time.Hour)
	require.Equal(t, approvals.ReasonMandateOver, try(asker, late).Ballot.Uncounted[0].Reason, "when it starts")
	reserved, used := w.left(m)
	require.Zero(t, reserved+used, "nothing is taken by trying")

	v = try(finance, urgent(1))
	require.Equal(t, "finops", v.Glass.Group)
	require.Equal(t, "leads", v.Glass.Skipped[0].Group)
}
