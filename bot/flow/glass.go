package flow

import (
	"context"
	"slices"
	"strings"

	"scalebot/approvals"
)

// mayBreakGlass holds a request to run without its ballot to who may, and to a
// reason. The engine asks again when it plans and before it sends: this is only so
// that people read it at once.
func (d *Desk) mayBreakGlass(ctx context.Context, user string, a Ask) error {
	if !a.BreakGlass {
		return nil
	}
	better := a
	if len(d.Approvals.BreakGlass) == 0 {
		better.BreakGlass = false
		return &Rejection{Code: RejectGlassOff, Better: &better}
	}
	in, err := d.inOneOf(ctx, user, d.Approvals.BreakGlass)
	if err != nil {
		return err
	}
	if !in {
		better.BreakGlass = false
		return &Rejection{Code: RejectGlass, Args: map[string]string{"groups": strings.Join(d.Approvals.BreakGlass, ", ")}, Better: &better}
	}
	if !approvals.Reasoned(a.Reason) {
		better.Reason = "…"
		return &Rejection{Code: RejectReason, Better: &better}
	}
	return nil
}

// withoutBallot is the verdict on a fresh plan that goes without a ballot: no rule asks
// for anybody, or the requester broke the glass; with the note that says so. A
// request to break the glass by somebody who may not any more is asked about like
// any other.
func (t *turn) withoutBallot(made observed) (approvals.Verdict, *Note) {
	j, plan := made.planned.Judgement, made.planned.Plan
	if v, free := j.Unopposed(plan, made.facts.Now); free {
		return v, &Note{Code: NoteFree}
	}
	if v, broken := t.glass(made, plan); broken {
		return v, &Note{Code: NoteGlass, By: v.Glass.By, Args: map[string]string{
			"group": v.Glass.Group, "reason": v.Glass.Reason, "skipped": strings.Join(groupsAsked(v.Glass.Skipped), ","),
		}}
	}
	if t.f.Request.BreakGlass {
		t.tell(Note{Code: NoteGlassHeld, Args: map[string]string{"by": t.f.Request.User}})
	}
	return approvals.Verdict{}, nil
}

// glass is the verdict of broken glass on a plan, by the policy and the groups of
// the moment that made was observed.
func (t *turn) glass(made observed, plan approvals.Plan) (approvals.Verdict, bool) {
	if !t.f.Request.BreakGlass {
		return approvals.Verdict{}, false
	}
	facts := made.facts
	facts.Plan = plan
	return t.Policy.BreakGlass(facts, made.judge(plan))
}

// skippedTold bounds how many people one broken glass tells by name: a usergroup
// may have hundreds. All of them are mentioned in the thread.
const skippedTold = 50

// tellSkipped tells privately who could have voted on what runs without them. In
// the thread they would only read it where both they and the bot are in the
// channel. Whom Slack can't tell of now is not waited for: glass is broken in
// emergencies.
func (t *turn) tellSkipped(ctx context.Context, g *approvals.Glass) {
	if g == nil {
		return
	}
	facts := approvals.BallotFacts{Requirements: g.Skipped, Requester: t.f.Request.User, Bot: t.Bot, Now: t.Clock.Now()}
	facts.Members = t.members(ctx, facts, func(string) bool { return true })
	var who []string
	for _, q := range g.Skipped {
		for _, id := range facts.Members[q.Group] {
			told := slices.ContainsFunc(t.f.Whispers, func(n Note) bool { return n.Code == NoteSkipped && n.To == id })
			if !told && id != t.f.Request.User && !slices.Contains(who, id) && len(who) < skippedTold {
				who = append(who, id)
			}
		}
	}
	var err error
	if facts.People, err = t.people(ctx, who); err != nil {
		t.log.Warn("people who are skipped can't be looked up; all who stand in the groups are told", "error", err)
	} else {
		who = slices.DeleteFunc(who, func(id string) bool { return t.Policy.Barred(facts, id) != "" })
	}
	for _, id := range who {
		t.whisper(Note{Code: NoteSkipped, By: g.By, To: id, Args: map[string]string{"group": g.Group}})
	}
}

func groupsAsked(reqs []approvals.Requirement) []string {
	groups := make([]string, len(reqs))
	for i, r := range reqs {
		groups[i] = r.Group
	}
	return groups
}

// tellPasses logs the freezes that a plan passes, and why it may.
func (t *turn) tellPasses(passed []approvals.Pass) {
	for _, p := range passed {
		if p.Order != nil {
			t.tell(Note{Code: NotePassedOrder, Args: map[string]string{"by": t.f.Request.User, "whose": p.Order.By, "group": p.Group, "reason": p.Reason}})
			continue
		}
		t.tell(Note{Code: NotePassed, Args: map[string]string{"by": t.f.Request.User, "name": p.Freeze, "group": p.Group, "reason": p.Reason}})
	}
}
