package flow

import (
	"context"
	"slices"

	"scalebot/approvals"
)

// Facts are what the policy could look at besides the plan and the request, kept
// with the plan so that another policy can be tried over it later.
type Facts struct {
	Labels     map[string]string `json:"labels,omitempty"`      // of the cluster
	Groups     []string          `json:"groups,omitempty"`      // approver groups of the requester
	GroupsRead bool              `json:"groups_read,omitempty"` // false: no rule asked and they could not be read
	Order      *approvals.Order  `json:"order,omitempty"`       // the freeze that a person had ordered
	Budget     *approvals.Budget `json:"budget,omitempty"`      // of the cluster's cost centre, without this change
}

// facts are those that the plan was judged by.
func (p *Planned) facts(r Request) approvals.Facts {
	f := approvals.Facts{Plan: p.Plan, Reason: r.Reason, Requester: approvals.Requester{ID: r.User}, Now: p.At, StartAt: r.StartAt}
	if p.Facts != nil {
		f.Labels, f.Order, f.Requester.Groups, f.Budget = p.Facts.Labels, p.Facts.Order, p.Facts.Groups, p.Facts.Budget
	}
	return f
}

// gather reads what the policy looks at besides the plan. What it may turn on must
// be read, or the request waits.
func (o *Options) gather(ctx context.Context, call caller, self *Flow, r Request, plan approvals.Plan) (Facts, error) {
	f := Facts{Labels: o.Catalog[plan.Change.Cluster].Labels}
	var err error
	if o.Policy.ReadsGroups() || r.BreakGlass {
		if f.Groups, err = o.groupsToJudge(ctx, call, r.User); err != nil {
			return f, err
		}
		f.GroupsRead = true
	}
	if f.Order, err = o.order(ctx, plan.Change.Cluster); err != nil {
		return f, err
	}
	f.Budget, err = o.budget(ctx, self, r, plan)
	return f, err
}

// complete adds to the record of a plan what no rule of now asks for and one of
// later may. It decides nothing, so what can't be read is left out.
func (t *turn) complete(ctx context.Context, f *Facts) {
	if f == nil || f.GroupsRead {
		return
	}
	groups, err := t.groupsToJudge(ctx, t.call, t.f.Request.User)
	if err == nil {
		f.Groups, f.GroupsRead = groups, true
	} else {
		t.log.Info("the requester's groups are not kept with the plan", "error", err)
	}
}

// historyScan bounds how many records a look back reads, and historyShown how many
// changes it shows.
const (
	historyScan  = 500
	historyShown = 25
)

// History lists ended changes; see FrontDesk.
func (d *Desk) History(ctx context.Context, cluster string) ([]Flow, error) {
	if _, ok := d.Options.Catalog[cluster]; !ok && cluster != "" {
		return nil, &Rejection{Code: RejectCluster, Args: map[string]string{"word": cluster}}
	}
	flows, err := d.Flows(ctx, Filter{Cluster: cluster, Limit: historyScan})
	if err != nil {
		return nil, err
	}
	flows = slices.DeleteFunc(flows, func(f Flow) bool { return !f.State.Ended() })
	slices.SortStableFunc(flows, func(a, b Flow) int { return b.EndedAt.Compare(a.EndedAt) })
	return flows[:min(len(flows), historyShown)], nil
}

// Rules is the approvals section of config; see FrontDesk.
func (d *Desk) Rules() approvals.Config { return d.Approvals }
