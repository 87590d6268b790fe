package card

import (
	"fmt"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

var t0 = time.Date(2026, 8, 3, 2, 15, 0, 0, time.UTC)

func options1() Options {
	return Options{
		Command: "/scale", Language: English,
		Groups: map[string]approvals.Group{
			"finops": {Usergroups: []string{"S0FINOPS"}},
			"leads":  {Users: []string{"U0LEAD1", "U0LEAD2"}},
		},
		Approve: []string{"white_check_mark", "+1"}, Deny: []string{"x", "-1"}, Spell: spell,
	}
}

// spell stands in for the language.
func spell(a flow.Ask) string {
	s := fmt.Sprintf("%s %s %s%d", a.Cluster, a.Group, a.Op, a.N)
	if a.Charge != "" {
		s += " " + string(a.Charge)
	}
	if a.Months > 0 {
		s += fmt.Sprintf(" %dm", a.Months)
	}
	if a.Renew != nil {
		s += fmt.Sprintf(" renew=%v", *a.Renew)
	}
	if a.InstanceType != "" {
		s += " spec=" + a.InstanceType
	}
	if !a.StartAt.IsZero() {
		s += " at " + a.StartAt.Format(time.RFC3339)
	}
	if a.Reason != "" {
		s += " -- " + a.Reason
	}
	return s
}

func yuan(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func change(delta int) providers.Change {
	return providers.Change{Kind: "tencent-emr", Account: "data-gz", Cluster: "emr-m620", ClusterID: "emr-m620",
		Group: "task", GroupID: "TASK", Delta: delta, Charge: providers.Postpaid}
}

func wish(op flow.AmountOp, n int, c providers.Change) flow.Wish {
	c.Delta = 0
	return flow.Wish{Op: op, N: n, Change: c}
}

// planned is a flow with one plan that needs one of finops and one of leads.
func planned(c providers.Change, base int) flow.Flow {
	op, n := flow.Add, c.Delta
	if n < 0 {
		op, n = flow.Remove, -n
	}
	reqs := []approvals.Requirement{{Group: "finops", N: 1, Rules: []string{"prepaid"}}, {Group: "leads", N: 1, Rules: []string{"costly", "prepaid"}}}
	p := approvals.Plan{Change: c, Base: base, Target: base + c.Delta, Status: "2", Nodes: 12, Hash: "h1",
		Quote: providers.Quote{Known: true, Currency: "CNY", Committed: yuan("8412"), Monthly: yuan("8412"), At: t0}}
	return flow.Flow{
		Schema: 1, ID: "F-7K3Q", Version: 7, State: flow.AwaitingApproval, CreatedAt: t0, UpdatedAt: t0.Add(time.Minute),
		Request: flow.Request{User: "U0ALICE", Channel: "C0DATA", Language: English, Wish: wish(op, n, c),
			Reason: "nightly backfill is *late*, see <https://wiki/x>"},
		Plans:        []flow.Planned{{Plan: p, At: t0, Judgement: approvals.Judgement{Requirements: reqs}}},
		Requirements: reqs, ExpiresAt: t0.Add(4 * time.Hour),
		Verdict: &approvals.Verdict{Status: approvals.Pending, At: t0.Add(time.Minute), Ballot: approvals.Ballot{PlanHash: "h1",
			Seats: []approvals.Seat{{Requirement: reqs[0]}, {Requirement: reqs[1]}}}},
	}
}

func prepaid() providers.Change {
	c := change(2)
	c.Charge, c.Months = providers.Prepaid, 1
	return c
}

func hourly(f flow.Flow) flow.Flow {
	f.Plans[0].Plan.Quote = providers.Quote{Known: true, Currency: "CNY", Hourly: yuan("3.36"), Monthly: yuan("2452.8"), At: t0}
	return f
}

func approved(f flow.Flow) flow.Flow {
	f.Verdict.Status = approvals.Approved
	f.Verdict.Ballot.Seats[0].By = []string{"U0FIN1"}
	f.Verdict.Ballot.Seats[1].By = []string{"U0LEAD1"}
	return f
}

func free(f flow.Flow) flow.Flow {
	f.Requirements, f.Verdict, f.Plans[0].Judgement.Requirements = nil, nil, nil
	f.Request.Reason = ""
	return f
}

func nodes(n int) []providers.Node {
	out := make([]providers.Node, n)
	for i := range out {
		id := strconv.Itoa(i + 1)
		out[i] = providers.Node{ID: "emr-vm-" + id, Name: "task-" + id, IP: "10.0.0." + id}
	}
	return out
}

func sent(f flow.Flow, s flow.State) flow.Flow {
	f.State = s
	f.Attempts = 1
	f.Submission = &providers.Submission{Change: f.Plans[0].Plan.Change, Attempt: 1, SentAt: t0.Add(3 * time.Minute)}
	f.Operation = &providers.Operation{ID: "19239", AcceptedAt: t0.Add(3 * time.Minute)}
	return f
}

func running(f flow.Flow) flow.Flow {
	f = sent(f, flow.Running)
	f.Progress = &providers.Progress{State: providers.Running, Percent: 60, Count: 4, Changed: nodes(1), Stages: []providers.Stage{
		{Name: "购买节点", State: providers.StageDone, Percent: 100},
		{Name: "安装服务", State: providers.StageRunning, Percent: 40},
		{Name: "启动服务", State: providers.StagePending},
	}}
	return f
}

func ended(f flow.Flow, s flow.State, end flow.Note, after time.Duration) flow.Flow {
	f.State, f.EndedAt = s, t0.Add(after)
	end.At = f.EndedAt
	f.End = &end
	return f
}

func succeeded() flow.Flow {
	f := running(approved(planned(prepaid(), 3)))
	for i := range f.Progress.Stages {
		f.Progress.Stages[i].State = providers.StageDone
	}
	f.Progress.State, f.Progress.Percent, f.Progress.Count, f.Progress.Changed = providers.Succeeded, 100, 5, nodes(2)
	return ended(f, flow.Succeeded, flow.Note{Code: flow.NoteSucceeded}, 9*time.Minute+12*time.Second)
}

func withVotes(f flow.Flow) flow.Flow {
	f.Verdict.Ballot.Seats[0].By = []string{"U0FIN1"}
	f.Verdict.Ballot.Uncounted = []approvals.Uncounted{
		{User: "U0ALICE", Emoji: "+1::skin-tone-3", Reason: approvals.ReasonRequester},
		{User: "U0MALLORY", Emoji: "white_check_mark", Reason: approvals.ReasonNotInGroup},
	}
	return f
}

func replacedFlow() flow.Flow {
	f := planned(prepaid(), 3)
	next := f.Plans[0]
	next.Plan.Base, next.Plan.Target, next.Plan.Hash = 4, 6, "h2"
	f.Plans[0].Void = true
	f.Plans[0].VoidedBy = []approvals.Difference{{What: approvals.BaseMoved, Was: "3", Is: "4"}, {What: approvals.PriceUp, Field: "committed", Was: "8412 CNY", Is: "9100 CNY"},
		{What: approvals.ChangeMoved, Field: "zone", Is: "ap-guangzhou-3"}, {What: approvals.ChangeMoved, Field: "profile", Was: "ab12", Is: "cd34"}}
	f.Plans = append(f.Plans, next)
	f.Verdict = nil
	return f
}

func removal(n int) flow.Flow {
	c := change(-n)
	c.Charge, c.Drain = "", 30*time.Minute
	for _, node := range nodes(n) {
		c.Nodes = append(c.Nodes, node.ID)
	}
	f := planned(c, 30)
	f.Plans[0].Plan.Quote = providers.Quote{Known: true, Currency: "CNY", At: t0}
	return f
}

// situations are the flows that the goldens pin, by name.
func situations() map[string]flow.Flow {
	soldOut := providers.Text{EN: "S5.2XLARGE16 is sold out in ap-guangzhou-3. Try another spec=… or zone=….", ZH: "ap-guangzhou-3 的 S5.2XLARGE16 已售罄，请更换 spec=… 或 zone=…。"}
	lost := providers.Text{EN: "No answer from ScaleOutCluster; the cluster has shown no new operation since.", ZH: "ScaleOutCluster 无响应，此后集群未出现新的操作。"}
	none := planned(change(2), 3)
	none.State, none.Plans, none.Requirements, none.Verdict = flow.Planning, nil, nil, nil
	unknownPrice := planned(change(2), 3)
	unknownPrice.Plans[0].Plan.Quote = providers.Quote{Reason: providers.Text{EN: "the cloud can't price ens.sn1.tiny", ZH: "云平台无法为 ens.sn1.tiny 询价"}}
	queued := hourly(free(planned(change(2), 3)))
	queued.State, queued.Place = flow.Queued, 2
	queued.Wait = &flow.Note{Code: flow.WaitPlace, Args: map[string]string{"place": "2", "behind": "F-2B9X"}}
	scheduled := hourly(free(planned(change(2), 3)))
	scheduled.State, scheduled.Request.StartAt = flow.Scheduled, t0.Add(16*time.Hour)
	scheduled.Wait = &flow.Note{Code: flow.WaitStart, Args: map[string]string{"at": t0.Add(16 * time.Hour).Format(time.RFC3339)}}
	doubt := sent(approved(planned(prepaid(), 3)), flow.Unknown)
	doubt.Operation = nil
	doubt.End = &flow.Note{Code: flow.NoteUnknown, At: t0.Add(8 * time.Minute), Text: lost}
	denied := planned(prepaid(), 3)
	denied.Verdict.Status, denied.Verdict.Ballot.DeniedBy = approvals.Denied, []string{"U0LEAD2"}
	failed := sent(approved(planned(prepaid(), 3)), flow.Failed)
	failed.Operation = nil
	partial := running(approved(planned(prepaid(), 3)))
	partial.Progress.Stages[1].State, partial.Progress.Stages[2].State = providers.StageDone, providers.StagePartial
	partial.Progress.Stages[2].Detail = "1 node did not start"
	refused := none
	desk := ended(partial, flow.Partial, flow.Note{Code: flow.NotePartial, Args: map[string]string{"got": "1", "want": "2"}}, 20*time.Minute)
	broken := *partial.Progress
	broken.Failed = []providers.Node{{ID: "emr-vm-9", Name: "task-9"}}
	desk.Progress = &broken
	settled := desk
	settled.After = []flow.Note{{Code: flow.NoteRetried, By: "U0ALICE", Args: map[string]string{"id": "F-2B9X"}}, {Code: flow.NoteKept, By: "U0LEAD1"}}
	steerable := running(hourly(free(planned(change(2), 3))))
	steerable.Progress.Controls = []providers.Control{providers.Pause, providers.Cancel}
	steerable.Plans[0].Plan.Warnings = []providers.Text{{EN: "The cloud phases this call out; a node pool is the better way.", ZH: "云平台将逐步停用此接口，建议改用节点池。"}}
	anyNodes := removal(2)
	anyNodes.Plans[0].Plan.Change.Nodes = nil
	escalated := withVotes(planned(prepaid(), 3))
	seats := escalated.Verdict.Ballot.Seats
	seats[0].Escalate = &approvals.Escalation{After: 3 * time.Hour, To: "leads"}
	seats[0].N = 2
	seats[1].Escalate, seats[1].Escalated = &approvals.Escalation{After: time.Hour, To: "finops"}, true
	escalated.Verdict.Ballot.Uncounted = []approvals.Uncounted{
		{User: "U0LEAD2", Emoji: "white_check_mark", Reason: approvals.ReasonWithdrawn},
		{User: "U0FIN2", Emoji: "x", Reason: approvals.ReasonOlderPlan},
	}
	grace := approved(planned(prepaid(), 3))
	grace.State, grace.GraceUntil = flow.Scheduled, t0.Add(12*time.Minute)
	grace.Wait = &flow.Note{Code: flow.WaitGrace, Args: map[string]string{"at": t0.Add(12 * time.Minute).Format(time.RFC3339)}}
	later := approved(planned(prepaid(), 3))
	later.State, later.Wait, later.Request.StartAt = flow.Scheduled, scheduled.Wait, scheduled.Request.StartAt
	reasoned := planned(prepaid(), 3)
	reasoned.Verdict.Status, reasoned.Verdict.Ballot.DeniedBy, reasoned.Verdict.Ballot.Why = approvals.Denied, []string{"U0LEAD2"}, "too *dear* <!channel>"
	needed := planned(prepaid(), 3)
	needed.Plans[0].Hourly = &providers.Quote{Known: true, Currency: "CNY", Hourly: yuan("16.9"), Monthly: yuan("12337"), At: t0}
	needed.Request.Need = 20 * 24 * time.Hour
	enough := planned(prepaid(), 3)
	enough.Plans[0].Hourly, enough.Request.Need, enough.Request.StartAt = needed.Plans[0].Hourly, 40*24*time.Hour, t0.Add(48*time.Hour)
	dear := planned(prepaid(), 3)
	dear.Plans[0].Hourly = &providers.Quote{Known: true, Currency: "CNY", Hourly: yuan("9.1"), At: t0}
	blind := sent(approved(planned(prepaid(), 3)), flow.Running)
	blind.Plans[0].Hourly = &providers.Quote{Reason: providers.Text{EN: "The cloud is *slow* <!here>.", ZH: "云平台响应缓慢。"}}
	blind.Request.Need = 36 * time.Hour
	return map[string]flow.Flow{
		"prepaid-need": needed, "prepaid-long": enough, "prepaid-dear": dear, "prepaid-blind": blind,
		"escalated": escalated,
		"grace":     grace,
		"denied-why": ended(reasoned, flow.Denied, flow.Note{Code: flow.NoteDenied, By: "U0LEAD2",
			Args: map[string]string{"reason": "too *dear* <!channel> <https://x|y>"}}, 10*time.Minute),
		"stopped": ended(approved(planned(prepaid(), 3)), flow.Cancelled, flow.Note{Code: flow.NoteStopped, By: "U0LEAD1",
			Args: map[string]string{"who": "U0ALICE,U0FIN1"}}, 5*time.Minute),
		"planning":       none,
		"awaiting":       planned(prepaid(), 3),
		"votes":          withVotes(planned(prepaid(), 3)),
		"unknown-price":  unknownPrice,
		"scheduled":      scheduled,
		"approved-later": later,
		"queued":         queued,
		"running":        running(hourly(free(planned(change(2), 3)))),
		"succeeded":      succeeded(),
		"partial":        ended(partial, flow.Partial, flow.Note{Code: flow.NotePartial, Args: map[string]string{"got": "1", "want": "2"}}, 20*time.Minute),
		"sold-out":       ended(failed, flow.Failed, flow.Note{Code: flow.NoteFailed, Text: soldOut}, 4*time.Minute),
		"unknown":        doubt,
		"denied":         ended(denied, flow.Denied, flow.Note{Code: flow.NoteDenied, By: "U0LEAD2"}, 10*time.Minute),
		"expired":        ended(withVotes(planned(prepaid(), 3)), flow.Expired, flow.Note{Code: flow.NoteExpired}, 4*time.Hour),
		"cancelled":      ended(planned(prepaid(), 3), flow.Cancelled, flow.Note{Code: flow.NoteCancelled, By: "U0ALICE"}, 5*time.Minute),
		"refused": ended(refused, flow.Refused, flow.Note{Code: flow.NoteAboveMax,
			Args: map[string]string{"to": "5", "max": "4", "have": "3", "fixed": "emr-m620 task +1"}}, 2*time.Second),
		"partial-desk":    desk,
		"partial-settled": settled,
		"steerable":       steerable,
		"removal-any":     anyNodes,
		"removal":         removal(2),
		"removal-many":    removal(29),
		"replaced":        replacedFlow(),
	}
}

// terms are one commitment of each kind, seen at t0.
func terms() []flow.Commitment {
	c := flow.Commitment{ID: "F-7K3Q", By: "U0ALICE", Channel: "C0DATA", Account: "data-gz", Cluster: "emr-m620", Group: "task", N: 2,
		Nodes: []string{"emr-vm-1", "emr-vm-2"}, Charge: providers.Prepaid, Months: 1, Known: true, Total: yuan("8412"), Currency: "CNY",
		From: t0.AddDate(0, 0, -17), Until: t0.AddDate(0, 0, 14)}
	renewing := c
	renewing.ID, renewing.Renew, renewing.N, renewing.Nodes, renewing.Months = "F-8A1B", true, 1, nil, 3
	renewing.Total, renewing.Currency, renewing.Until = yuan("1250.5"), "USD", t0.AddDate(0, 1, 0)
	renewing.Decision = &flow.Decision{Choice: flow.LetLapse, By: "U0LEAD1", At: t0, N: 1}
	blind := c
	blind.ID, blind.Known, blind.Total, blind.Until = "F-9C2D", false, yuan("0"), t0.AddDate(0, 2, 0)
	return []flow.Commitment{c, renewing, blind}
}

// termOver is a commitment whose term has ended.
func termOver() flow.Commitment {
	over := terms()[1]
	over.ID, over.Until, over.Decision = "F-0VER", t0.AddDate(0, 0, -2), nil
	return over
}
