package flow

import (
	"context"
	"errors"

	"scalebot/approvals"
)

// foresee is the verdict that a request would find before anybody votes on it: the
// glass that it breaks, or the votes that mandates give in advance; nil = neither.
// What can't be read is an error: that nobody voted in advance must not be said of
// what nobody knows.
func (d *Desk) foresee(ctx context.Context, r Request, made observed) (*approvals.Verdict, error) {
	j, plan := made.planned.Judgement, made.planned.Plan
	if j.Refusal != nil || len(j.Requirements) == 0 {
		return nil, nil
	}
	if r.BreakGlass {
		if v, broken := d.Policy.BreakGlass(made.facts, j); broken {
			return &v, nil
		}
	}
	start := made.facts.Now
	if r.StartAt.After(start) { // where it is counted again
		start = r.StartAt
	}
	standing, err := d.mandates(ctx, &Flow{CreatedAt: made.facts.Now}, plan)
	if err != nil {
		return nil, &Rejection{Code: RejectStore, Err: err}
	}
	if len(standing) == 0 {
		return nil, nil
	}
	b := approvals.BallotFacts{
		PlanHash: plan.Hash, Plan: 1, Requirements: j.Requirements, Requester: r.User, Mandates: standing, Bot: d.Bot,
		Members: map[string][]string{}, OpenedAt: start, Now: start, ExpiresAt: start.Add(d.Approvals.ExpireAfter),
	}
	err = d.within(ctx, func(ctx context.Context) (err error) {
		b.People, err = d.Directory.People(ctx, signers(standing))
		return err
	})
	for _, q := range j.Requirements {
		members, unread := d.Directory.Members(ctx, d.Approvals.Groups[q.Group])
		err = errors.Join(err, unread)
		b.Members[q.Group] = members
	}
	if err != nil {
		return nil, &Rejection{Code: RejectPerson, Err: err}
	}
	v := d.Policy.Count(b)
	if len(v.Ballot.Mandates)+len(v.Ballot.Uncounted) == 0 {
		return nil, nil
	}
	return &v, nil
}
