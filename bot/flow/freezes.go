package flow

import (
	"context"
	"errors"
	"strings"
	"time"

	"scalebot/approvals"
)

// Frozen is what is frozen at one moment.
type Frozen struct {
	Orders   map[string]approvals.Order // by cluster: those that people ordered
	Calendar []approvals.Freeze         // of config that are on; which changes they hold for, their condition says
}

// Freeze orders a freeze; see FrontDesk.
func (d *Desk) Freeze(ctx context.Context, c Caller, cluster string, last time.Duration, reason string) (approvals.Order, error) {
	if err := d.mayFreeze(ctx, c, cluster); err != nil {
		return approvals.Order{}, err
	}
	o := approvals.Order{By: c.User, Reason: reason, Since: d.Clock.Now()}
	detail := map[string]any{"cluster": cluster, "reason": reason, "raw": c.Raw, "channel": c.Channel}
	if last > 0 {
		o.Until = o.Since.Add(last)
		detail["until"] = o.Until
	}
	if err := d.recorded(d.Store.SetFreeze(ctx, cluster, o, Audit{Actor: c.User, Action: "freeze", Detail: detail})); err != nil {
		return o, err
	}
	d.wakeCluster(ctx, cluster)
	return o, nil
}

// Unfreeze ends a freeze; see FrontDesk.
func (d *Desk) Unfreeze(ctx context.Context, c Caller, cluster string) (approvals.Order, error) {
	if err := d.mayFreeze(ctx, c, cluster); err != nil {
		return approvals.Order{}, err
	}
	not := &Rejection{Code: RejectNotFrozen, Args: map[string]string{"cluster": cluster}}
	frozen, err := d.Frozen(ctx)
	if err != nil {
		return approvals.Order{}, err
	}
	o, on := frozen.Orders[cluster]
	if !on {
		return o, not
	}
	now := d.Clock.Now()
	err = d.Store.EndFreeze(ctx, cluster, now, Audit{Actor: c.User, Action: "unfreeze", Detail: map[string]any{
		"cluster": cluster, "ended": o, "raw": c.Raw, "channel": c.Channel,
	}})
	if errors.Is(err, ErrNotFound) { // somebody else was first
		return o, not
	}
	return o, d.recorded(err)
}

// Frozen reads what is frozen now; see FrontDesk.
func (d *Desk) Frozen(ctx context.Context) (Frozen, error) {
	now := d.Clock.Now()
	orders, err := d.Store.Freezes(ctx)
	if err != nil {
		return Frozen{}, &Rejection{Code: RejectStore, Err: err}
	}
	for cluster, o := range orders {
		if !o.On(now) {
			delete(orders, cluster)
		}
	}
	f := Frozen{Orders: orders}
	for _, z := range d.Approvals.Freezes {
		if !now.Before(z.From) && now.Before(z.To) {
			f.Calendar = append(f.Calendar, z)
		}
	}
	return f, nil
}

// mayFreeze lets full members in one of the groups of approvals.freezers through.
func (d *Desk) mayFreeze(ctx context.Context, c Caller, cluster string) error {
	if _, ok := d.Options.Catalog[cluster]; !ok {
		return &Rejection{Code: RejectCluster, Args: map[string]string{"word": cluster}}
	}
	if err := d.mayAsk(ctx, c.User); err != nil {
		return err
	}
	groups := d.Approvals.Freezers
	if len(groups) == 0 {
		groups = d.groupNames()
	}
	in, err := d.inOneOf(ctx, c.User, groups)
	if err != nil {
		return err
	}
	if !in {
		return &Rejection{Code: RejectFreezer, Args: map[string]string{"groups": strings.Join(groups, ", ")}}
	}
	return nil
}

// recorded turns a failure to write into what the person may be told.
func (d *Desk) recorded(err error) error {
	if err == nil || errors.Is(err, ErrInDoubt) {
		return err
	}
	return &Rejection{Code: RejectStore, Err: err}
}

// wakeCluster makes the cluster's open flows look at once, so that people read of a
// freeze before they vote on, and a mandate that covers a flow is counted, or no
// longer. A wake that fails is made up by the flows' own pace.
func (d *Desk) wakeCluster(ctx context.Context, cluster string) {
	now := d.Clock.Now()
	var failed error
	err := d.Store.Walk(ctx, Filter{Open: true, Cluster: cluster}, func(f Flow) error {
		failed = errors.Join(failed, d.Store.Wake(ctx, LaneStep, f.ID, now))
		return ctx.Err()
	})
	if err := errors.Join(err, failed); err != nil {
		d.Logger.Warn("some flows of a cluster are not woken; they look by themselves", "cluster", cluster, "error", err)
	}
	d.wake()
}

// order is the freeze that a person ordered for a cluster, if it is on.
func (o *Options) order(ctx context.Context, cluster string) (*approvals.Order, error) {
	f, err := o.frozenOnRecord(ctx, cluster)
	if err != nil || !f.On(o.Clock.Now()) {
		return nil, err
	}
	return f, nil
}

// frozenOnRecord is the freeze of a cluster as it stands on record, also one whose
// end has passed; nil = none.
func (o *Options) frozenOnRecord(ctx context.Context, cluster string) (*approvals.Order, error) {
	orders, err := o.Store.Freezes(ctx)
	if err != nil {
		return nil, err
	}
	if f, ok := orders[cluster]; ok {
		return &f, nil
	}
	return nil, nil
}

// freezeBegan reports whether a freeze is on that the request does not pass, so
// that nobody goes on voting for what would be refused. A flow that starts later
// is looked at when it starts: the freeze may be over by then.
func (t *turn) freezeBegan(ctx context.Context, now time.Time) (bool, error) {
	if t.f.Request.StartAt.After(now) {
		return false, nil
	}
	order, err := t.order(ctx, t.f.Request.Wish.Change.Cluster)
	if err != nil {
		return false, err
	}
	facts := t.f.Plans[len(t.f.Plans)-1].facts(t.f.Request)
	facts.Order, facts.Now = order, now
	no := t.Policy.Judge(facts).Refusal
	return no != nil && (no.Code == approvals.Frozen || no.Code == approvals.Ordered), nil
}
