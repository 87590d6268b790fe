package card

import (
	"testing"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

func mandateOf() flow.Mandated {
	return flow.Mandated{
		Mandate: approvals.Mandate{
			ID: "M-7K3Q", By: "U0LEAD1", Cluster: "emr-m620", Group: "task", Nodes: 10, Max: yuan("30000"), Currency: "CNY", At: t0, Until: t0.Add(72 * time.Hour),
		},
		Reserved: 2, Used: 3, Amount: yuan("21030"), Counts: []string{"finops", "leads"},
	}
}

// inAdvance is the flow with one seat filled by a mandate, and others that do not
// count.
func inAdvance(f flow.Flow) flow.Flow {
	f.Verdict.Ballot.Seats[1].By = []string{"U0LEAD1"}
	f.Verdict.Ballot.Mandates = []approvals.Use{{ID: "M-7K3Q", By: "U0LEAD1", Group: "leads"}}
	f.Verdict.Ballot.Uncounted = []approvals.Uncounted{
		{User: "U0LEAD2", Reason: approvals.ReasonMandateSpent, Mandate: "M-2B9X"},
		{User: "U0ALICE", Emoji: "+1", Reason: approvals.ReasonRequester},
		{User: "U0ALICE", Reason: approvals.ReasonMandateOwn, Mandate: "M-9ZZZ"},
	}
	return f
}

func TestMandatesReadAsPinned(t *testing.T) {
	open := mandateOf()
	open.ID, open.Currency, open.Counts = "M-2B9X", "", nil
	half, unread := mandateOf(), open
	half.Counts, half.Unread, unread.Unread = []string{"finops"}, []string{"leads"}, []string{"leads"}
	gone := mandateOf()
	gone.Revoked = &approvals.Revocation{By: "U0LEAD2", At: t0}
	use := flow.Note{Code: flow.NoteMandate, By: "U0LEAD1", Plan: 1, Args: map[string]string{
		"id": "M-7K3Q", "group": "leads", "n": "2", "left": "5", "amount": "8412", "money": "558.5", "currency": "CNY", "until": t0.Add(72 * time.Hour).Format(time.RFC3339),
	}}
	bare := flow.Note{Code: flow.NoteMandate, By: "U0LEAD1", Plan: 1, Args: map[string]string{
		"id": "M-2B9X", "group": "leads", "n": "1", "left": "1", "until": t0.Format(time.RFC3339),
	}}
	private := use
	private.To = "U0LEAD1"
	f := inAdvance(planned(prepaid(), 3))
	for _, lang := range []string{English, Chinese} {
		r := renderer(lang)
		for name, m := range map[string]flow.Message{
			"yours":   r.Mandate(mandateOf(), lang),
			"signed":  r.Signed(mandateOf()),
			"revoked": r.Revoked(gone),
			"list":    r.Mandates([]flow.Mandated{mandateOf(), open, half, unread}, lang),
			"none":    r.Mandates(nil, lang),
			"card":    r.Card(f, 1, false),
			"log":     r.Log(f, []flow.Note{use, bare}),
			"preview": r.Preview(flow.Preview{Plan: f.Plans[0].Plan, Judgement: f.Plans[0].Judgement, Foreseen: f.Verdict}, lang),
			"whisper": r.Whisper(f, private),
		} {
			t.Run(name+"/"+lang, func(t *testing.T) { golden(t, "mandate/"+name+"."+lang, m) })
		}
	}
}
