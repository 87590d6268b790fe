package flowsim

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/providers"
)

// check looks at the world after everything has come to an end.
func (s *sim) check() {
	ctx := context.Background()
	flows, err := s.truth.List(ctx, flow.Filter{Limit: 1 << 16})
	if err != nil {
		s.blame("flows can't be listed: %v", err)
		return
	}
	s.world.flows = len(flows)
	byID := map[string]flow.Flow{}
	for _, f := range flows {
		byID[f.ID] = f
	}
	s.checkNoneLost(byID)
	s.checkLedger(byID)
	s.checkAudit(ctx, byID)
	plain, err := s.truth.Flag(ctx, "plain_cards")
	if err != nil {
		s.blame("a flag can't be read: %v", err)
	}
	for _, f := range flows {
		s.checkCards(f, plain == "")
		s.checkNotices(f)
		s.checkEnds(f)
	}
	s.checkStrangers(byID)
	s.checkMandates(ctx, byID)
	s.checkBudgets(ctx, byID)
	s.checkTerms(ctx, byID)
	if s.edge != nil {
		s.edge.check(byID)
	}
}

// checkNoneLost holds what people were told, and what a script took, to be there
// and to have ended.
func (s *sim) checkNoneLost(flows map[string]flow.Flow) {
	for id := range s.world.asks {
		f, there := flows[id]
		switch {
		case there && !f.State.Ended():
			s.blame("%s has not ended: %s, wait %+v", id, f.State, f.Wait)
		case !there && !s.world.forgotten[id]:
			s.blame("%s was taken and is not on record any more", id)
		}
	}
	for id := range s.world.promised {
		if _, asked := s.world.asks[id]; !asked {
			s.blame("somebody was told that %s was taken, and no script ever took it", id)
		}
	}
}

// checkLedger holds what clouds took against what was decided: at most one change
// for each flow, and one more for each time that a person wrongly said that the
// last was not taken.
func (s *sim) checkLedger(flows map[string]flow.Flow) {
	for id := range s.world.asks {
		var taken []entry
		for _, c := range s.clouds {
			for _, e := range c.ledger {
				if e.accepted && !e.console && ownerOf(e.sub.Token, id) {
					taken = append(taken, e)
				}
			}
		}
		may := 1
		for _, d := range s.world.decided[id] {
			if d.wrong {
				may++ // and whatever came of the one that was denied, its record can't tell
			}
		}
		if len(taken) > may {
			var ops []string
			for _, e := range taken {
				ops = append(ops, fmt.Sprintf("%s (attempt %d)", e.op.id, e.sub.Attempt))
			}
			s.blame("%s: its change was done %d times: %s", id, len(taken), strings.Join(ops, ", "))
		}
		f, there := flows[id]
		if len(taken) > 0 && !there {
			s.blame("%s: a cloud took its change and there is no record of it", id)
		}
		if len(taken) > 0 && there && may == 1 {
			if f.State != flow.Succeeded && f.State != flow.Partial && f.State != flow.Failed {
				s.blame("%s: a cloud took its change and it ended as %s", id, f.State)
			}
		}
		if there && len(taken) == 0 && (f.State == flow.Succeeded || f.State == flow.Partial) && !s.couldBeTakenForIts(f) && len(s.world.decided[id]) == 0 {
			s.blame("%s ended as %s and no cloud ever took its change", id, f.State)
		}
	}
}

// couldBeTakenForIts reports whether somebody else changed the cluster, which a
// cloud without tokens can't tell from the flow's own change.
func (s *sim) couldBeTakenForIts(f flow.Flow) bool {
	for _, e := range s.cluster(f.Request.Wish.Change.Cluster).ledger {
		if e.console {
			return true
		}
	}
	return false
}

// checkAudit walks the stream: the chain is whole, each version of each record
// has its entry, no two flows held one cluster at once, and each change that was
// sent has its plan and its verdict.
func (s *sim) checkAudit(ctx context.Context, flows map[string]flow.Flow) {
	report, err := s.truth.VerifyAudit(ctx)
	if err != nil {
		s.blame("the audit can't be read: %v", err)
		return
	}
	for _, f := range report.Findings {
		s.blame("audit: %s", f)
	}
	versions, state := map[string]int64{}, map[string]flow.State{}
	plans, submits := map[string]providers.Change{}, map[string]bool{}
	if err := s.truth.Audit(ctx, func(e redisstore.AuditEntry) error {
		if e.Version == 0 {
			return nil
		}
		// What is written over a store that came back older counts on from what it was.
		graft := strings.HasPrefix(e.Action, "graft_")
		if e.Version != versions[e.Flow]+1 && !(graft && e.Version > versions[e.Flow]) {
			s.blame("audit: %s goes from version %d to %d (%s)", e.Flow, versions[e.Flow], e.Version, e.Action)
		}
		versions[e.Flow] = e.Version
		if before, known := state[e.Flow]; known && e.From != before && !graft {
			s.blame("audit: %s was %s and then moved from %s to %s", e.Flow, before, e.From, e.To)
		}
		state[e.Flow] = e.To
		s.seats(flows, state, e)
		var detail struct {
			Plan    json.RawMessage    `json:"plan"`
			Token   string             `json:"token"`
			Verdict *approvals.Verdict `json:"verdict"`
		}
		if err := json.Unmarshal(e.Detail, &detail); len(e.Detail) > 0 && err != nil {
			return nil //nolint:nilerr // not of a move that is of interest here
		}
		var p approvals.Plan
		var hash string
		switch {
		case e.Action == "plan" && json.Unmarshal(detail.Plan, &p) == nil:
			plans[e.Flow+p.Hash] = p.Change
		case e.Action == "submit" && json.Unmarshal(detail.Plan, &hash) == nil:
			submits[detail.Token] = true
			if _, planned := plans[e.Flow+hash]; !planned {
				s.blame("audit: %s was sent for plan %.8s, which was never made", e.Flow, hash)
			}
			if v := detail.Verdict; v == nil || v.Status != approvals.Approved || v.Ballot.PlanHash != hash {
				s.blame("audit: %s was sent without a verdict on exactly its plan: %+v", e.Flow, v)
			}
		}
		return nil
	}); err != nil {
		s.blame("the audit can't be read: %v", err)
	}
	for id, f := range flows {
		if versions[id] != f.Version {
			s.blame("audit: %s is at version %d and its last entry at %d", id, f.Version, versions[id])
		}
	}
	if len(s.world.lost) > 0 {
		return // the entry of an intent may have been lost with it
	}
	for _, c := range s.clouds {
		for _, e := range c.ledger {
			if !e.console && !submits[e.sub.Token] {
				s.blame("%s got a change whose intent is not in the audit", c.account)
			}
		}
	}
}

// seats holds each cluster to one flow that changes it.
func (s *sim) seats(flows map[string]flow.Flow, state map[string]flow.State, e redisstore.AuditEntry) {
	if !e.To.HoldsSeat() {
		return
	}
	for other, st := range state {
		if other != e.Flow && st.HoldsSeat() && flows[other].Request.Wish.Change.Cluster == flows[e.Flow].Request.Wish.Change.Cluster {
			s.blame("audit: %s became %s while %s was %s on the same cluster", e.Flow, e.To, other, st)
		}
	}
}

// checkCards makes each card anew and compares it with what Slack shows.
func (s *sim) checkCards(f flow.Flow, rich bool) {
	shown := map[int][]*message{}
	for _, m := range s.slack.all() {
		if m.flow() == f.ID && m.plan() >= 0 && !m.deleted && m.private == "" {
			shown[m.plan()] = append(shown[m.plan()], m)
		}
	}
	for n, all := range shown {
		want := s.renderer.Card(f, n, rich)
		for _, m := range all {
			if m.Text != want.Text || !s.slack.shows(m, want) || m.state() != f.State && n == len(f.Plans) {
				s.blame("%s: card %d in Slack is not the flow's (%s): %q, wanted %q", f.ID, n, f.State, m.Text, want.Text)
			}
		}
		if len(all) > 1 {
			s.blame("%s: card %d stands %d times", f.ID, n, len(all))
		}
	}
	last := len(f.Plans)
	if len(shown[last]) == 0 && !s.wasRefused(f.ID, "card/") && !s.world.deleted[fmt.Sprint(f.ID, "/", last)] && (last > 0 || f.End == nil || !f.End.Code.Private()) {
		s.blame("%s ended as %s and has no card", f.ID, f.State)
	}
}

// checkNotices wants each announcement once in each channel.
func (s *sim) checkNotices(f flow.Flow) {
	count := map[string]int{}
	logs := map[string]int{}
	for _, m := range s.slack.all() {
		if m.flow() != f.ID || m.deleted || m.private != "" {
			continue
		}
		switch {
		case strings.HasPrefix(m.Key, "notice/"):
			count[string(m.state())+" in "+m.Message.Channel]++
		case strings.HasPrefix(m.Key, "log/"):
			logs[m.Key]++
		}
	}
	want := map[string]int{}
	for _, st := range f.Told {
		for _, c := range []string{room, dataRoom} {
			want[string(st)+" in "+c]++
		}
	}
	for what, n := range want {
		switch got := count[what]; {
		case got < n && s.wasRefused(f.ID, "notice/"):
		case got == 0:
			s.blame("%s: the notice %s is missing", f.ID, what)
		case got < n:
			s.blame("%s: the notice %s stands %d times, wanted %d", f.ID, what, got, n)
		case got > n:
			s.blame("%s: the notice %s stands %d times, wanted %d", f.ID, what, got, n)
		}
	}
	for what, n := range count {
		if want[what] == 0 {
			s.blame("%s: %d notices %s that nothing asked for", f.ID, n, what)
		}
	}
	for key, n := range logs {
		if n > 1 && len(s.world.lost) == 0 && !s.wasRefused(f.ID, key) {
			s.blame("%s: %s stands %d times", f.ID, key, n)
		}
	}
}

// checkStrangers looks for messages of flows that are not on record.
func (s *sim) checkStrangers(flows map[string]flow.Flow) {
	for _, m := range s.slack.all() {
		if id := m.flow(); id != "" && m.plan() >= 0 {
			if _, known := flows[id]; !known && !s.world.forgotten[id] {
				s.blame("Slack shows a card of %s, which is not on record", id)
			}
		}
	}
}
