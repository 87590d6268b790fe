package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/providers"
)

// audited are the entries of the audit stream, oldest first; it must verify.
func (w *world) audited() []redisstore.AuditEntry {
	w.t.Helper()
	report, err := w.store.VerifyAudit(w.t.Context())
	require.NoError(w.t, err)
	require.Empty(w.t, report.Findings)
	var all []redisstore.AuditEntry
	require.NoError(w.t, w.store.Audit(w.t.Context(), func(e redisstore.AuditEntry) error { all = append(all, e); return nil }))
	return all
}

// last is the newest entry of an action, with its detail.
func (w *world) last(action string) (redisstore.AuditEntry, map[string]any) {
	w.t.Helper()
	all := w.audited()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Action == action {
			var detail map[string]any
			require.NoError(w.t, json.Unmarshal(all[i].Detail, &detail))
			return all[i], detail
		}
	}
	w.t.Fatalf("no audit entry %q", action)
	return redisstore.AuditEntry{}, nil
}

// told reports whether the log of a flow has a note, and gives it.
func (w *world) told(id string, code flow.NoteCode) (flow.Note, bool) {
	w.t.Helper()
	for _, n := range w.flow(id).Log {
		if n.Code == code {
			return n, true
		}
	}
	return flow.Note{}, false
}

func rejected(t *testing.T, err error, code flow.RejectCode) *flow.Rejection {
	t.Helper()
	var no *flow.Rejection
	require.ErrorAs(t, err, &no)
	require.Equal(t, code, no.Code)
	return no
}

func glass(c *approvals.Config) { c.BreakGlass = []string{"finops"} }

func urgent(n int) flow.Ask {
	a := ask(flow.Remove, n)
	a.BreakGlass, a.Reason = true, "disk full"
	return a
}

func TestBrokenGlassRunsAtOnceAndIsToldFromAnApproval(t *testing.T) {
	w := newWorld(t, glass)
	r, err := w.desk.Request(t.Context(), w.caller(finance), urgent(1))
	require.NoError(t, err)
	w.clock.Advance(time.Second)
	w.settle()
	f := w.flow(r.Flow.ID)
	require.Equal(t, flow.Running, f.State, "%+v", f.End)
	require.NotNil(t, f.Verdict.Glass)
	require.Equal(t, approvals.Glass{
		By: finance, Group: "finops", Reason: "disk full",
		Skipped: []approvals.Requirement{{Group: "leads", N: 1, Rules: []string{"scale-in"}}},
	}, *f.Verdict.Glass)
	require.True(t, f.Verdict.Permits(*f.Plan()))
	n, ok := w.told(f.ID, flow.NoteGlass)
	require.True(t, ok, "the thread says so")
	require.Equal(t, "leads", n.Args["skipped"])
	require.Equal(t, finance, n.By)
	_, ok = w.told(f.ID, flow.NoteApproved)
	require.False(t, ok, "nobody approved")
	for _, lead := range []string{lead1, lead2} { // none of whom need be in the channel
		require.Equal(t, f.ID+" skipped ", w.whispers(lead))
	}
	require.NotContains(t, w.whispers(finance), "skipped")
	e, detail := w.last("plan")
	require.Equal(t, finance, e.Actor)
	require.Equal(t, "disk full", detail["verdict"].(map[string]any)["glass"].(map[string]any)["reason"])
	w.consistent()
}

func TestWhoIsToldOfABrokenGlass(t *testing.T) {
	broken := func(w *world) {
		r, err := w.desk.Request(t.Context(), w.caller(finance), urgent(1))
		require.NoError(t, err)
		w.settle()
		w.in(r.Flow.ID, flow.Running)
	}
	crowd := make([]string, 80)
	for i := range crowd {
		crowd[i] = fmt.Sprintf("U0L%02d", i)
	}
	many := func(c *approvals.Config) {
		glass(c)
		c.Groups["leads"] = approvals.Group{Users: append([]string{finance}, crowd...)}
	}
	told := func(w *world) (n int) {
		for _, id := range crowd {
			if w.whispers(id) != "" {
				n++
			}
		}
		return n
	}
	t.Run("who could have voted, and not a whole company", func(t *testing.T) {
		w := newWorld(t, many)
		w.slack.Person(approvals.Person{ID: crowd[0], Found: true, Deleted: true})
		broken(w)
		require.Equal(t, 49, told(w))
		require.Empty(t, w.whispers(crowd[0]), "who left")
		require.NotContains(t, w.whispers(finance), "skipped", "who broke it knows")
		for _, m := range w.slack.Messages() {
			if m.Private == crowd[1] {
				require.Empty(t, m.Message.Channel, "they need be in no channel")
			}
		}
	})
	t.Run("all who stand in the groups, while people can't be looked up", func(t *testing.T) {
		w := newWorld(t, many)
		r, err := w.desk.Request(t.Context(), w.caller(finance), urgent(1))
		require.NoError(t, err)
		w.slack.Fail("people", errors.New("Slack is slow"))
		w.settle()
		w.in(r.Flow.ID, flow.Running)
		require.Equal(t, 50, told(w))
	})
	t.Run("a group that can't be read does not hold it", func(t *testing.T) {
		w := newWorld(t, glass)
		r, err := w.desk.Request(t.Context(), w.caller(finance), urgent(1))
		require.NoError(t, err)
		for _, err := range []error{nil, nil, errors.New("Slack is slow")} { // behind those of the requester
			w.slack.Fail("members", err)
		}
		w.settle()
		w.in(r.Flow.ID, flow.Running)
		require.Empty(t, w.whispers(lead2))
	})
	t.Run("once, also when the plan is made anew", func(t *testing.T) {
		w := newWorld(t, glass)
		w.cloud.SetPhase(providers.Busy)
		r, err := w.desk.Request(t.Context(), w.caller(finance), urgent(1))
		require.NoError(t, err)
		w.settle()
		w.cloud.SetProfile("p2")
		w.cloud.SetPhase(providers.Ready)
		w.pass(2 * time.Minute)
		require.Len(t, w.flow(r.Flow.ID).Plans, 2, "%+v", w.flow(r.Flow.ID).Log)
		require.Equal(t, 1, strings.Count(w.whispers(lead1), "skipped"))
	})
}

func TestWhoMayBreakTheGlass(t *testing.T) {
	w := newWorld(t, glass)
	no := func(user string, a flow.Ask, code flow.RejectCode) *flow.Rejection {
		t.Helper()
		_, err := w.desk.Request(t.Context(), w.caller(user), a)
		return rejected(t, err, code)
	}
	silent := urgent(1)
	silent.Reason = ""
	require.Equal(t, "…", no(finance, silent, flow.RejectReason).Better.Reason, "the corrected line shows where the reason goes")
	silent.Reason = "…"
	no(finance, silent, flow.RejectReason)
	require.False(t, no(lead2, urgent(1), flow.RejectGlass).Better.BreakGlass, "the corrected line asks like everybody")

	shut := newWorld(t)
	_, err := shut.desk.Request(t.Context(), shut.caller(finance), urgent(1))
	rejected(t, err, flow.RejectGlassOff)
}

func TestGlassThatMayNotBeBrokenAnyMoreIsVotedOn(t *testing.T) {
	w := newWorld(t, glass)
	r, err := w.desk.Request(t.Context(), w.caller(finance), urgent(1))
	require.NoError(t, err)
	closed := w.options.Approvals
	closed.BreakGlass = nil
	w.options.Approvals = closed
	w.options.Policy, _ = approvals.Compile(closed)
	w.wire()
	w.settle()
	w.in(r.Flow.ID, flow.AwaitingApproval)
	_, ok := w.told(r.Flow.ID, flow.NoteGlassHeld)
	require.True(t, ok)
}

func TestGlassWhoseRightEndsInTheQueueIsNotSent(t *testing.T) {
	w := newWorld(t, glass)
	a := urgent(1)
	a.StartAt = noon.Add(time.Hour)
	r, err := w.desk.Request(t.Context(), w.caller(finance), a)
	require.NoError(t, err)
	w.settle()
	w.in(r.Flow.ID, flow.Scheduled)
	closed := w.options.Approvals
	closed.BreakGlass = nil
	w.options.Approvals = closed
	w.options.Policy, _ = approvals.Compile(closed)
	w.wire()
	w.pass(time.Hour + time.Minute)
	w.in(r.Flow.ID, flow.AwaitingApproval)
	require.Empty(t, w.cloud.Ledger())
}

func TestAFreezeIsOrderedAndEnds(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.desk.Freeze(ctx, w.caller(asker), "emr", 0, "x")
	require.Contains(t, rejected(t, err, flow.RejectFreezer).Args["groups"], "leads")
	_, err = w.desk.Freeze(ctx, w.caller(lead1), "emrr", 0, "x")
	rejected(t, err, flow.RejectCluster)
	_, err = w.desk.Unfreeze(ctx, w.caller(lead1), "emr")
	rejected(t, err, flow.RejectNotFrozen)

	o, err := w.desk.Freeze(ctx, w.caller(lead1), "emr", 2*time.Hour, "migration")
	require.NoError(t, err)
	require.Equal(t, noon.Add(2*time.Hour), o.Until)
	e, detail := w.last("freeze")
	require.Equal(t, lead1, e.Actor)
	require.Equal(t, "migration", detail["reason"])

	id := w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Refused)
	end := w.flow(id).End
	require.Equal(t, flow.NoteFrozenBy, end.Code)
	require.Equal(t, map[string]string{"cluster": "emr", "by": lead1, "reason": "migration", "until": "2026-11-24T14:00:00Z"}, end.Args)
	e, _ = w.last("refuse")
	require.Equal(t, "scalebot", e.Actor, "the lead did not refuse it")

	w.pass(2 * time.Hour)
	id = w.request(ask(flow.Add, 2))
	w.settle()
	w.in(id, flow.Running)

	_, err = w.desk.Freeze(ctx, w.caller(lead2), "emr", 0, "")
	require.NoError(t, err)
	frozen, err := w.desk.Frozen(ctx)
	require.NoError(t, err)
	require.Equal(t, lead2, frozen.Orders["emr"].By)
	o, err = w.desk.Unfreeze(ctx, w.caller(finance), "emr")
	require.NoError(t, err)
	require.Equal(t, lead2, o.By)
	e, _ = w.last("unfreeze")
	require.Equal(t, finance, e.Actor)
	frozen, err = w.desk.Frozen(ctx)
	require.NoError(t, err)
	require.Empty(t, frozen.Orders)
}

func TestFreezersOfConfigOnly(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.Freezers = []string{"finops"} })
	_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 0, "x")
	require.Equal(t, "finops", rejected(t, err, flow.RejectFreezer).Args["groups"])
	w.slack.Fail("members", errors.New("away"))
	_, err = w.desk.Freeze(t.Context(), w.caller(finance), "emr", 0, "x")
	rejected(t, err, flow.RejectPerson)
	_, err = w.desk.Freeze(t.Context(), w.caller(finance), "emr", 0, "x")
	require.NoError(t, err)
}

func TestWhatIsApprovedAndUnsentWhenAFreezeBeginsIsNotSent(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(w *world, id string)
		from   flow.State
	}{
		{"an open ballot", func(*world, string) {}, flow.AwaitingApproval},
		{"approved, waiting for its time", func(w *world, id string) { w.vote(id, 1, "white_check_mark", lead1) }, flow.Scheduled},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := ask(flow.Remove, 1)
			if c.from == flow.Scheduled {
				a.StartAt = noon.Add(time.Hour)
			}
			id := w.request(a)
			w.settle()
			c.before(w, id)
			w.in(id, c.from)
			_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 0, "incident")
			require.NoError(t, err)
			w.pass(time.Hour + time.Minute)
			w.in(id, flow.Refused)
			require.Equal(t, flow.NoteFrozenBy, w.flow(id).End.Code)
			require.Contains(t, w.whispers(asker), "frozen_by")
			require.Empty(t, w.cloud.Ledger())
			w.consistent()
		})
	}
	t.Run("one that starts after the freeze goes", func(t *testing.T) {
		w := newWorld(t)
		a := ask(flow.Remove, 1)
		a.StartAt = noon.Add(time.Hour)
		id := w.request(a)
		w.settle()
		_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 30*time.Minute, "short")
		require.NoError(t, err)
		w.pass(time.Minute)
		w.in(id, flow.AwaitingApproval)
		w.vote(id, 1, "white_check_mark", lead1)
		w.pass(time.Hour)
		w.in(id, flow.Succeeded)
	})
	t.Run("in the cluster's line", func(t *testing.T) {
		w := newWorld(t)
		first := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(first, flow.Running)
		second := w.request(ask(flow.Add, 1))
		w.settle()
		w.in(second, flow.Queued)
		_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 0, "incident")
		require.NoError(t, err)
		w.settle()
		w.in(first, flow.Running)
		w.pass(15 * time.Minute)
		w.in(second, flow.Refused)
		require.Len(t, w.cloud.Ledger(), 1, "what was sent goes on, what was not is not sent")
	})
}

func calendar(c *approvals.Config) {
	c.Freezes = []approvals.Freeze{{Name: "year-end", From: noon.Add(-time.Hour), To: noon.Add(time.Hour), Pass: []string{"finops"}}}
}

func TestAGroupPassesAFreezeWithAReason(t *testing.T) {
	w := newWorld(t, calendar)
	a := ask(flow.Add, 1)
	a.Reason = "payroll is stuck"
	r, err := w.desk.Request(t.Context(), w.caller(finance), a)
	require.NoError(t, err)
	w.settle()
	w.in(r.Flow.ID, flow.Running)
	n, ok := w.told(r.Flow.ID, flow.NotePassed)
	require.True(t, ok)
	require.Equal(t, map[string]string{"by": finance, "name": "year-end", "group": "finops", "reason": "payroll is stuck"}, n.Args)
	_, detail := w.last("plan")
	require.Equal(t, "year-end", detail["passed"].([]any)[0].(map[string]any)["freeze"])

	a.Reason = ""
	r, err = w.desk.Request(t.Context(), w.caller(finance), a)
	require.NoError(t, err)
	other := w.request(ask(flow.Add, 1))
	w.settle()
	w.in(r.Flow.ID, flow.Refused)
	w.in(other, flow.Refused)
	require.Equal(t, flow.NoteFrozen, w.flow(other).End.Code)
}

func TestAGroupPassesAnOrderedFreezeWithAReason(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) { c.FreezePass = []string{"finops"} })
	_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 0, "incident")
	require.NoError(t, err)
	a := ask(flow.Remove, 1)
	a.Reason = "the incident needs it"
	p, err := w.desk.DryRun(t.Context(), w.caller(finance), a)
	require.NoError(t, err)
	require.Nil(t, p.Refused)
	require.Equal(t, "finops", p.Judgement.Passed[0].Group)
	r, err := w.desk.Request(t.Context(), w.caller(finance), a)
	require.NoError(t, err)
	other := w.request(a)
	w.settle()
	w.in(r.Flow.ID, flow.AwaitingApproval)
	w.vote(r.Flow.ID, 1, "white_check_mark", lead1)
	w.pass(5 * time.Minute)
	w.in(r.Flow.ID, flow.Succeeded)
	require.Len(t, w.flow(r.Flow.ID).Plans, 1, "a freeze that is passed voids nothing")
	n, ok := w.told(r.Flow.ID, flow.NotePassedOrder)
	require.True(t, ok)
	require.Equal(t, map[string]string{"by": finance, "whose": lead2, "group": "finops", "reason": a.Reason}, n.Args)

	w.in(other, flow.Refused)
	require.Equal(t, flow.NoteFrozenBy, w.flow(other).End.Code)
	require.Equal(t, "finops", w.flow(other).End.Args["groups"], "who may pass it is named")
	w.consistent()
}

// What a decision was made by stands in the entry of the decision.
func TestTheAuditTellsPricesRulesAndCountsOfWhatDidNotGo(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		w := newWorld(t, calendar)
		id := w.request(ask(flow.Remove, 1))
		w.settle()
		w.in(id, flow.Refused)
		_, detail := w.last("refuse")
		require.Contains(t, detail["plan"].(map[string]any), "quote")
		require.Equal(t, "scale-in", detail["outcomes"].([]any)[2].(map[string]any)["rule"])
		require.Equal(t, "leads", detail["requirements"].([]any)[0].(map[string]any)["group"])
	})
	t.Run("votes moved", func(t *testing.T) {
		w := newWorld(t)
		w.cloud.SetPhase(providers.Busy)
		id := w.request(ask(flow.Remove, 1))
		w.settle()
		w.vote(id, 1, "white_check_mark", lead1)
		w.slack.Unreact(w.card(id, 1), "white_check_mark", lead1)
		w.cloud.SetPhase(providers.Ready)
		w.pass(time.Minute)
		_, detail := w.last("void")
		require.Equal(t, "withdrawn", detail["differences"].([]any)[0].(map[string]any)["what"])
		uncounted := detail["verdict"].(map[string]any)["ballot"].(map[string]any)["uncounted"].([]any)
		require.Equal(t, "withdrawn", uncounted[0].(map[string]any)["reason"])
		require.Equal(t, asker, detail["facts"].(map[string]any)["requester"])
	})
	t.Run("priced once more", func(t *testing.T) {
		w := newWorld(t, func(c *approvals.Config) {
			free(c)
			c.Freezes = []approvals.Freeze{{Name: "sale", From: noon.Add(time.Minute), To: noon.Add(time.Hour), Pass: []string{"finops"}}}
		})
		w.cloud.SetPrice(100, true)
		w.cloud.SetPhase(providers.Busy)
		a := ask(flow.Add, 1)
		a.Reason = "the sale needs it"
		_, err := w.desk.Request(t.Context(), w.caller(finance), a)
		require.NoError(t, err)
		w.pass(time.Minute)
		w.cloud.SetPrice(104, true)
		w.cloud.SetPhase(providers.Ready)
		w.pass(2 * time.Minute)
		_, detail := w.last("submit")
		require.Equal(t, "104", detail["quote"].(map[string]any)["hourly"])
		require.Equal(t, "sale", detail["passed"].([]any)[0].(map[string]any)["freeze"], "it was not on when it was planned")
		require.Contains(t, detail, "outcomes")
	})
}

func TestTheAuditTellsVotesAndTheCloudsRequestIds(t *testing.T) {
	w := newWorld(t)
	id := w.request(prepaid(1))
	w.settle()
	w.vote(id, 1, "white_check_mark", asker)
	w.vote(id, 1, "white_check_mark", lead2)
	_, detail := w.last("votes")
	ballot := detail["verdict"].(map[string]any)["ballot"].(map[string]any)
	require.Equal(t, asker, ballot["uncounted"].([]any)[0].(map[string]any)["user"])
	require.Equal(t, "requester", ballot["uncounted"].([]any)[0].(map[string]any)["reason"])
	require.Contains(t, string(mustJSON(t, ballot["seats"])), lead2)

	w.cloud.OnSubmit(func(func() (providers.Operation, error)) (providers.Operation, error) {
		return providers.Operation{}, &providers.Error{Kind: providers.Refused, Code: "ResourceInsufficient", RequestID: "req-77", Advice: providers.Text{EN: "no"}}
	})
	w.vote(id, 1, "white_check_mark", finance)
	w.pass(time.Minute)
	w.in(id, flow.Failed)
	_, detail = w.last("fail")
	require.Equal(t, "req-77", detail["request_id"])
	require.Equal(t, "ResourceInsufficient", detail["code"])
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

func TestReplayTriesAnotherPolicyOverTheRecord(t *testing.T) {
	w := newWorld(t, calendar)
	frozen := w.request(ask(flow.Add, 2))
	w.settle()
	w.pass(2 * time.Hour)
	free := w.request(ask(flow.Add, 2))
	w.settle()
	w.pass(time.Hour)
	removal := w.request(ask(flow.Remove, 1))
	w.settle()
	nothing := w.request(ask(flow.Set, w.cloud.Count()))
	w.settle()
	w.in(nothing, flow.Refused) // for its size: the policy never saw it

	flows, err := w.store.List(t.Context(), flow.Filter{})
	require.NoError(t, err)
	same := flow.Replay(w.options.Policy, flows)
	require.Empty(t, same.Moved)
	require.Equal(t, 3, same.Same)

	changed := w.options.Approvals
	changed.Freezes = nil
	changed.Rules = []approvals.Rule{{Name: "by-who", When: `change.delta > 0 && !("leads" in requester.groups)`, Require: map[string]int{"leads": 2}}}
	policy, problems := approvals.Compile(changed)
	require.Empty(t, problems)
	got := flow.Replay(policy, flows)
	require.Empty(t, got.Unjudged, "the requester's groups are on record although no rule read them")
	require.Equal(t, 0, got.Same)
	lines := map[string]string{}
	for _, m := range got.Moved {
		lines[m.Flow.ID] = m.Was + " → " + m.Is + " " + string(m.Way)
	}
	require.Equal(t, map[string]string{
		frozen:  "refused: frozen year-end → asks 2 of leads looser",
		free:    "runs without approval → asks 2 of leads stricter",
		removal: "asks 1 of leads → runs without approval looser",
	}, lines)
	require.True(t, strings.HasPrefix(got.Moved[0].String(), removal+"  2026-11-24T15:"), got.Moved[0].String())

	flows[0].Plans = []flow.Planned{{Plan: flows[1].Plans[0].Plan}}
	require.Len(t, flow.Replay(policy, flows).Unjudged, 1, "a record from before facts were kept")
}

func TestHistoryIsNewestEndFirst(t *testing.T) {
	w := newWorld(t)
	first := w.request(ask(flow.Remove, 1))
	w.settle()
	second := w.request(ask(flow.Add, 2))
	w.pass(15 * time.Minute)
	w.in(second, flow.Succeeded)
	_, err := w.desk.Cancel(t.Context(), w.caller(asker), first)
	require.NoError(t, err)
	w.settle()
	open := w.request(ask(flow.Remove, 1))
	w.settle()
	got, err := w.desk.History(t.Context(), "emr")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, []string{first, second}, []string{got[0].ID, got[1].ID}, "%s is open", open)
	_, err = w.desk.History(t.Context(), "emrr")
	rejected(t, err, flow.RejectCluster)
}

func TestADryRunExplainsAlsoWhatIsRefused(t *testing.T) {
	w := newWorld(t, calendar)
	p, err := w.desk.DryRun(t.Context(), w.caller(asker), ask(flow.Remove, 1))
	require.NoError(t, err)
	require.NotNil(t, p.Refused)
	require.Equal(t, approvals.FreezeHolds, p.Explained.Freezes[0].State)
	require.Equal(t, []approvals.Value{{Field: "change.delta", Text: "-1"}}, p.Explained.Rules[2].Values)
}

func TestAFreezeThatBeginsWhileTheLastLooksAreTakenStopsTheSending(t *testing.T) {
	w, id := newWorld(t), ""
	w.options.Ballots = &meddler{Ballots: w.slack, onRead: func() {
		if w.flow(id).State == flow.Queued {
			_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 0, "incident")
			require.NoError(t, err)
		}
	}}
	w.wire()
	id = w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(2 * time.Minute)
	w.in(id, flow.Refused)
	require.Empty(t, w.cloud.Ledger())
}

// The last look saw no freeze and the intent is about to be saved: the script sees
// it.
func TestAFreezeThatBeginsInTheMomentOfTheSendingStopsIt(t *testing.T) {
	w, froze := newWorld(t), 0
	w.options.Store = &lastMoment{Store: w.store, before: func(s flow.Save) {
		if s.Flow.State == flow.Submitting && s.From == flow.Queued && froze == 0 {
			froze++
			_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", 0, "incident")
			require.NoError(t, err)
		}
	}}
	w.wire()
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(2 * time.Minute)
	require.Equal(t, 1, froze)
	w.in(id, flow.Refused)
	require.Empty(t, w.cloud.Ledger())
	w.consistent()
}

func TestAFreezeThatIsOverStopsNothing(t *testing.T) {
	w := newWorld(t)
	_, err := w.desk.Freeze(t.Context(), w.caller(lead2), "emr", time.Minute, "short")
	require.NoError(t, err)
	w.clock.Advance(2 * time.Minute)
	id := w.request(ask(flow.Add, 1))
	w.pass(2 * time.Minute)
	w.in(id, flow.Succeeded)
	require.NotEmpty(t, w.rdb.HGet(t.Context(), "test:{T1}:freezes", "emr").Val(), "it still stands on record")
}

// Freezes and sendings in a race on a real Redis: nothing is sent after a freeze
// was on record.
func TestNothingIsSentAfterAFreezeIsOnRecord(t *testing.T) {
	w := newWorld(t)
	for range 25 {
		id := w.request(ask(flow.Add, 1))
		w.work() // planned, and due in line
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := w.desk.Freeze(t.Context(), flow.Caller{User: lead2}, "emr", 0, "incident"); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() { w.work() })
		both.Wait()
		w.pass(2 * time.Minute)
		require.True(t, w.flow(id).State.Ended())
		_, err := w.desk.Unfreeze(t.Context(), w.caller(lead2), "emr")
		require.NoError(t, err)
	}
	frozen := false
	entries, err := w.rdb.XRange(t.Context(), "test:{T1}:audit", "-", "+").Result()
	require.NoError(t, err)
	for _, e := range entries {
		switch e.Values["action"] {
		case "freeze":
			frozen = true
		case "unfreeze":
			frozen = false
		case "submit":
			require.False(t, frozen, "a submission stands behind a freeze in the stream")
		}
	}
}

// lastMoment lets something happen right before a save.
type lastMoment struct {
	flow.Store
	before func(flow.Save)
}

func (m *lastMoment) Save(ctx context.Context, c flow.Claim, s flow.Save) (flow.Flow, error) {
	m.before(s)
	return m.Store.Save(ctx, c, s)
}

func TestADenialAtTheSameLookAsAMovedBaseEndsTheRequest(t *testing.T) {
	for how, deny := range map[string]func(w *world, id string){
		"by reaction": func(w *world, id string) { w.slack.React(w.card(id, 1), "x", lead2) },
		"unread": func(w *world, id string) {
			w.slack.React(w.card(id, 1), "x", lead2)
			w.slack.Fail("reactions", errors.New("down"))
		},
		"by nobody who may": func(w *world, id string) { w.slack.React(w.card(id, 1), "x", "U0OTHER") },
	} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			id := w.request(ask(flow.Remove, 1))
			w.settle()
			w.cloud.SetPhase(providers.Busy) // it waits in line, approved
			w.vote(id, 1, "white_check_mark", lead1)
			w.pass(2 * time.Second)
			w.in(id, flow.Queued)
			w.cloud.SetPhase(providers.Ready)
			w.cloud.Resize(5)
			deny(w, id)
			w.pass(time.Minute)
			if how == "by reaction" {
				w.in(id, flow.Denied)
				require.Equal(t, []string{lead2}, w.flow(id).Verdict.Ballot.DeniedBy)
				require.Len(t, w.flow(id).Plans, 1, "nobody is asked again")
			} else {
				w.in(id, flow.AwaitingApproval)
				require.Len(t, w.flow(id).Plans, 2)
			}
			require.Empty(t, w.cloud.Ledger())
		})
	}
}

// full is a quota whose share of one kind of call is used up for a time.
type full struct {
	call  flow.Call
	until time.Time
}

func (q full) Take(_ context.Context, b flow.Bid, now time.Time) (time.Time, error) {
	if b.Call == q.call && now.Before(q.until) {
		return q.until, nil
	}
	return time.Time{}, nil
}
func (full) Urge(context.Context, flow.Bid, time.Time) error { return nil }
func (full) Rest(context.Context, flow.Bid, time.Time) error { return nil }

// A step that must wait for its turn to read the votes waits; it is no failed one,
// whose lease is left to run out.
func TestWaitingForATurnToLookForADenialIsNoFailure(t *testing.T) {
	w := newWorld(t)
	id := w.request(ask(flow.Remove, 1))
	w.settle()
	w.cloud.SetPhase(providers.Busy)
	w.vote(id, 1, "white_check_mark", lead1)
	w.pass(2 * time.Second)
	w.in(id, flow.Queued)
	w.cloud.SetPhase(providers.Ready)
	w.cloud.Resize(5)
	w.slack.React(w.card(id, 1), "x", lead2)
	w.options.Quota = full{flow.CallVotes, w.clock.Now().Add(40 * time.Second)}
	w.wire()
	for range 39 {
		w.clock.Advance(time.Second)
		claims, err := w.store.Claim(t.Context(), flow.LaneStep, w.clock.Now(), w.options.Lease, 10)
		require.NoError(t, err)
		for _, c := range claims {
			require.NoError(t, w.engine.Step(t.Context(), c))
		}
	}
	w.in(id, flow.Queued)
	w.pass(30 * time.Second)
	w.in(id, flow.Denied)
}

// meddler lets something happen whenever the votes are read.
type meddler struct {
	flow.Ballots
	onRead func()
}

func (m *meddler) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	m.onRead()
	return m.Ballots.Reactions(ctx, ref)
}

// Nobody is asked once the glass is broken: a vote by button or command neither
// ends such a change nor makes an ordinary one of it, as a reaction doesn't.
func TestNobodyVotesOnABrokenGlass(t *testing.T) {
	w := newWorld(t, glass)
	w.cloud.SetPhase(providers.Busy)
	r, err := w.desk.Request(t.Context(), w.caller(finance), urgent(1))
	require.NoError(t, err)
	id := r.Flow.ID
	w.pass(5 * time.Second)
	w.in(id, flow.Queued)
	require.NotNil(t, w.flow(id).Verdict.Glass)
	for _, choice := range []approvals.Choice{approvals.Approve, approvals.Deny} {
		_, err := w.desk.Vote(t.Context(), w.caller(lead2), id, 1, choice, "")
		var no *flow.Rejection
		require.ErrorAs(t, err, &no, choice)
		require.Equal(t, flow.RejectBallot, no.Code)
	}
	w.pass(5 * time.Second)
	require.NotNil(t, w.flow(id).Verdict.Glass)
}

// wakes is a store that notes whom it woke.
type wakes struct {
	*redisstore.Store
	ids map[string]bool
}

func (w wakes) Wake(ctx context.Context, lane flow.Lane, id string, at time.Time) error {
	w.ids[id] = lane == flow.LaneStep
	return w.Store.Wake(ctx, lane, id, at)
}

// However many flows wait on a cluster, none of them may be voted on as if nothing
// had happened.
func TestAFreezeWakesEveryOpenFlowOfItsCluster(t *testing.T) {
	const many = 510
	w := newWorld(t)
	other := w.options.Catalog["emr"]
	other.Name = "other"
	w.options.Catalog["other"] = other
	woken := wakes{w.store, map[string]bool{}}
	w.options.Store = woken
	w.wire()
	for range many {
		w.request(ask(flow.Add, 1))
	}
	elsewhere := ask(flow.Add, 1)
	elsewhere.Cluster = "other"
	w.request(elsewhere)
	_, err := w.desk.Freeze(t.Context(), w.caller(lead1), "emr", time.Hour, "x")
	require.NoError(t, err)
	require.Len(t, woken.ids, many)
	for id, step := range woken.ids {
		require.True(t, step, id)
	}
}
