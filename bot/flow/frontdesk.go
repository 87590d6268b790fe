package flow

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"scalebot/providers"
)

// Desk is the front desk: it takes requests in and answers questions. It is what
// the Slack edge calls.
type Desk struct {
	Options
	wake func()
}

var _ FrontDesk = (*Desk)(nil)

// NewDesk makes a desk. wake is called after something was recorded, so that an
// engine in the same process need not wait for its next poll; it may be nil.
func NewDesk(o Options, wake func()) *Desk {
	if wake == nil {
		wake = func() {}
	}
	return &Desk{Options: o, wake: wake}
}

// RandomID makes a short id for people to say and type: four characters of
// Crockford's base 32, without I, L, O and U. About a million; a taken one is
// asked for again.
func RandomID() string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var b [4]byte
	rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never fails (it aborts the process)
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return "F-" + string(b[:])
}

// NormalID turns an id as people type it (any case, with or without F-) into the
// one on record.
func NormalID(id string) string {
	id = strings.ToUpper(strings.TrimSpace(id))
	if !strings.HasPrefix(id, "F-") {
		id = "F-" + id
	}
	return id
}

// idTries bounds the search for a free id: at 100,000 flows in 90 days nine
// taken ones in a row happen once in a billion requests.
const idTries = 9

// Request records a scale request; see FrontDesk.
func (d *Desk) Request(ctx context.Context, c Caller, a Ask) (Receipt, error) {
	receipt, err := d.request(ctx, c, a)
	var no *Rejection
	switch {
	case err == nil && receipt.Fresh:
		d.Metrics.requested("taken")
	case err == nil:
		d.Metrics.requested("again")
	case errors.As(err, &no) && no.Code != RejectStore:
		d.Metrics.requested("rejected")
	default:
		d.Metrics.requested("failed")
	}
	return receipt, err
}

func (d *Desk) request(ctx context.Context, c Caller, a Ask) (Receipt, error) {
	r, err := d.resolve(ctx, c, a)
	if err != nil {
		return Receipt{}, err
	}
	now := d.Clock.Now()
	f := Flow{
		State: Planning, Request: r, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(d.Approvals.ExpireAfter),
		Log: []Note{{At: now, Code: NoteRequested, By: c.User, Args: map[string]string{"reason": a.Reason}}},
	}
	for range idTries {
		f.ID = d.NewID()
		id, fresh, err := d.Store.Accept(ctx, f, c.Dedupe, d.Limits)
		switch {
		case errors.Is(err, ErrIDTaken):
			continue
		case errors.Is(err, ErrLimited):
			return Receipt{}, &Rejection{Code: RejectLimited, Err: err}
		case errors.Is(err, ErrInDoubt):
			return Receipt{}, err // it may be on record: nobody may be told that nothing was done
		case err != nil:
			return Receipt{}, &Rejection{Code: RejectStore, Err: err}
		case !fresh:
			earlier, _, err := d.Store.Get(ctx, id)
			if err != nil {
				earlier = Flow{ID: id, Request: r, State: Planning}
			}
			return Receipt{Flow: earlier}, nil
		}
		d.Memory.taken(f, c.Dedupe, now)
		d.Logger.Info("request taken", "flow", id, "user", c.User, "channel", c.Channel, "cluster", a.Cluster, "group", a.Group)
		d.wake()
		return Receipt{Flow: f, Fresh: true}, nil
	}
	return Receipt{}, &Rejection{Code: RejectStore, Err: ErrIDTaken}
}

// resolve checks who asks for what against config and the provider's own rules,
// without asking a cloud.
func (d *Desk) resolve(ctx context.Context, c Caller, a Ask) (Request, error) {
	if err := d.mayAsk(ctx, c.User); err != nil {
		return Request{}, err
	}
	cluster, ok := d.Options.Catalog[a.Cluster]
	if !ok {
		return Request{}, &Rejection{Code: RejectCluster, Args: map[string]string{"word": a.Cluster}}
	}
	group, ok := cluster.Groups[a.Group]
	if !ok {
		return Request{}, &Rejection{Code: RejectGroup, Args: map[string]string{
			"word": a.Group, "cluster": a.Cluster, "meant": strings.Join(cluster.GroupNames(), ", "),
		}}
	}
	if err := d.mayAskFor(ctx, c.User, cluster); err != nil {
		return Request{}, err
	}
	need := a.need(group)
	if err := d.fits(a, group); err != nil {
		return Request{}, err
	}
	if err := d.mayBreakGlass(ctx, c.User, a); err != nil {
		return Request{}, err
	}
	change := providers.Change{
		Kind: cluster.Kind, Account: cluster.Account, Cluster: cluster.Name, ClusterID: cluster.ID,
		Group: group.Name, GroupID: group.ID,
		Nodes: slices.Sorted(slices.Values(a.Nodes)), Drain: a.Drain,
		InstanceType: a.InstanceType, Disks: a.Disks, Zone: a.Zone, Tags: a.Tags, Start: a.Start, Bootstrap: a.Bootstrap,
	}
	if a.Op != Remove {
		change.Charge, change.Months = a.Charge, a.Months
		if change.Charge == "" {
			change.Charge = group.Charge
		}
		if change.Charge == providers.Prepaid {
			if change.Months == 0 {
				change.Months = group.Months
			}
			if change.Months == 0 {
				// No line to copy: its term would be one that nobody asked to pay for.
				return Request{}, &Rejection{Code: RejectTerm}
			}
			change.Renew = a.Renew != nil && *a.Renew
		} else if change.Months != 0 || (a.Renew != nil && *a.Renew) {
			better := a
			better.Months, better.Renew = 0, nil
			return Request{}, &Rejection{Code: RejectTermUnused, Better: &better}
		}
	}
	if a.Op != Set { // the amount of = is known once the cluster was observed
		p, ok := d.Clouds.Provider(cluster.Account)
		if !ok {
			return Request{}, &Rejection{Code: RejectProvider, Text: accountGone(cluster.Account)}
		}
		checked := change
		if checked.Delta = a.N; a.Op == Remove {
			checked.Delta = -a.N
		}
		if err := p.Check(checked); err != nil {
			return Request{}, &Rejection{Code: RejectProvider, Text: providers.AdviceOf(err), Err: err}
		}
	}
	return Request{
		Raw: c.Raw, User: c.User, Workspace: c.Workspace, Channel: c.Channel, Thread: c.Thread, Language: c.Language,
		Wish: Wish{Op: a.Op, N: a.N, Change: change}, Reason: a.Reason, StartAt: a.StartAt,
		BreakGlass: a.BreakGlass, Need: need, DefaultCharge: a.Op != Remove && a.Charge == "",
	}, nil
}

// need is how long the nodes of a prepaid request are said to be needed. Without a
// term that was asked for as such, "for" means a temporary change.
func (a Ask) need(g Group) time.Duration {
	if a.Op != Remove && a.Charge == providers.Prepaid && (a.Months > 0 || g.Months > 0) {
		return a.For
	}
	return 0
}

// fits holds an ask to what its own words and the group's limits allow. A
// correction is proposed only where it buys or removes nothing else than was
// meant: not another sign, not for good instead of for a time, not now instead of
// later, and no other number of nodes that are named.
func (d *Desk) fits(a Ask, g Group) error {
	better := a
	no := func(code RejectCode, args ...string) *Rejection {
		r := &Rejection{Code: code, Args: map[string]string{"cluster": a.Cluster, "group": a.Group}, Better: &better}
		for i := 0; i+1 < len(args); i += 2 {
			r.Args[args[i]] = args[i+1]
		}
		return r
	}
	// only is a rejection that no correction of ours can mend.
	only := func(r *Rejection) error { r.Better = nil; return r }
	n := strconv.Itoa(a.N)
	switch {
	case a.N < 0, a.N == 0 && a.Op != Set:
		return &Rejection{Code: RejectZero}
	case a.For > 0 && a.need(g) == 0:
		return only(no(RejectTemporary))
	case !a.StartAt.IsZero() && a.StartAt.Before(d.Clock.Now()):
		return only(no(RejectPast, "at", a.StartAt.Format(time.RFC3339)))
	case len(a.Nodes) > 0 && a.Op != Remove:
		return only(no(RejectNodes, "n", n, "nodes", strconv.Itoa(len(a.Nodes))))
	case len(a.Nodes) > 0 && g.MaxStep != nil && max(a.N, len(a.Nodes)) > *g.MaxStep:
		return only(no(RejectStep, "n", strconv.Itoa(max(a.N, len(a.Nodes))), "max_step", strconv.Itoa(*g.MaxStep)))
	case len(a.Nodes) > 0 && len(a.Nodes) != a.N:
		better.N = len(a.Nodes)
		return no(RejectNodes, "n", n, "nodes", strconv.Itoa(len(a.Nodes)))
	case a.Op != Set && g.MaxStep != nil && a.N > *g.MaxStep:
		better.N = *g.MaxStep
		return no(RejectStep, "n", n, "max_step", strconv.Itoa(*g.MaxStep))
	case a.Op == Set && a.N < g.Min:
		better.N = g.Min
		return no(RejectMin, "n", n, "min", strconv.Itoa(g.Min))
	case a.Op == Set && g.Max != nil && a.N > *g.Max:
		better.N = *g.Max
		return no(RejectMax, "n", n, "max", strconv.Itoa(*g.Max))
	}
	if a.Op == Add && a.Drain > 0 {
		better.Drain = 0
		return no(RejectDropOption, "option", "drain")
	}
	if a.Op == Remove {
		for _, o := range []struct {
			given bool
			name  string
		}{
			{a.Charge != "", string(a.Charge)}, {a.Renew != nil, "renew"}, {a.InstanceType != "", "spec"}, {len(a.Disks) > 0, "disk"},
			{a.Zone != "", "zone"}, {a.Start != nil, "start"}, {a.Bootstrap != nil, "bootstrap"}, {len(a.Tags) > 0, "tag"},
		} {
			if o.given {
				better.Charge, better.Months, better.Renew, better.InstanceType, better.Disks = "", 0, nil, "", nil
				better.Zone, better.Start, better.Bootstrap, better.Tags = "", nil, nil, nil
				return no(RejectBuyOption, "option", o.name)
			}
		}
	}
	return nil
}

// mayAsk lets full members of the workspace through.
func (d *Desk) mayAsk(ctx context.Context, user string) error {
	people, err := d.Directory.People(ctx, []string{user})
	p := people[user]
	switch {
	case err != nil || !p.Found:
		return &Rejection{Code: RejectPerson, Err: err}
	case p.Bot, p.Guest, p.Stranger, p.Deleted:
		return &Rejection{Code: RejectGuest}
	}
	return nil
}

// mayAskFor lets a cluster's requesters through; a group that can't be read lets
// nobody.
func (d *Desk) mayAskFor(ctx context.Context, user string, c Cluster) error {
	if c.Requesters == nil {
		return nil
	}
	in, err := d.isIn(ctx, user, *c.Requesters)
	if err != nil {
		return personUnread(err)
	}
	if !in {
		return &Rejection{Code: RejectRequester, Args: map[string]string{"cluster": c.Name}}
	}
	return nil
}

// DryRun plans without a flow; see FrontDesk.
func (d *Desk) DryRun(ctx context.Context, c Caller, a Ask) (Preview, error) {
	r, err := d.resolve(ctx, c, a)
	if err != nil {
		return Preview{}, err
	}
	made, err := d.plan(ctx, d.within, nil, r)
	if err == nil {
		err = d.compare(ctx, d.within, &made)
	}
	var no *refusal
	var later *unread
	switch {
	case errors.As(err, &no):
		p := Preview{Refused: &no.note, Request: r}
		if made.planned.Judgement.Refusal != nil {
			p.Plan, p.Judgement, p.Explained, p.Budget = made.planned.Plan, made.planned.Judgement, new(d.Policy.Explain(made.facts)), made.facts.Budget
		}
		return p, nil
	case errors.As(err, &later):
		return Preview{Refused: &later.wait, Request: r}, nil
	case err != nil:
		return Preview{}, &Rejection{Code: RejectStore, Err: err}
	}
	ahead, err := d.foresee(ctx, r, made)
	if err != nil {
		return Preview{}, err
	}
	return Preview{
		Foreseen: ahead,
		Plan:     made.planned.Plan, Hourly: made.planned.Hourly, At: made.planned.At, Judgement: made.planned.Judgement, Request: r, Explained: new(d.Policy.Explain(made.facts)),
		Budget: made.facts.Budget,
	}, nil
}

// within is the time of one cloud call outside of a flow.
func (d *Desk) within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.CallTimeout)
	defer cancel()
	return do(ctx)
}

// flow reads a flow for a person.
func (d *Desk) flow(ctx context.Context, id string) (Flow, error) {
	f, _, err := d.Store.Get(ctx, NormalID(id))
	if errors.Is(err, ErrNotFound) {
		return f, &Rejection{Code: RejectFlow, Args: map[string]string{"word": id}}
	}
	if err != nil {
		return f, &Rejection{Code: RejectStore, Err: err}
	}
	return f, nil
}

func about(code RejectCode, f Flow) *Rejection {
	return &Rejection{Code: code, Args: map[string]string{"id": f.ID, "state": string(f.State)}}
}

// Cancel asks to end a flow; see FrontDesk.
func (d *Desk) Cancel(ctx context.Context, c Caller, id string) (Flow, error) {
	f, err := d.flow(ctx, id)
	switch {
	case err != nil:
		return f, err
	case f.Request.User != c.User:
		return f, about(RejectNotYours, f)
	case f.State.Ended():
		return f, about(RejectEnded, f)
	case f.State.HoldsSeat():
		return f, about(RejectTooLate, f)
	}
	return f, d.signal(ctx, f, Signal{Kind: SignalCancel, By: c.User, At: d.Clock.Now()})
}

// MaySettle says whether a person may settle a flow; see FrontDesk.
func (d *Desk) MaySettle(ctx context.Context, c Caller, id string, k SignalKind) (Flow, error) {
	f, err := d.flow(ctx, id)
	switch {
	case err != nil:
		return f, err
	case f.State != Unknown:
		return f, about(RejectNotUnknown, f)
	case k == SignalRetry && f.Operation != nil:
		return f, about(RejectTaken, f)
	}
	if err := d.mayAsk(ctx, c.User); err != nil {
		return f, err
	}
	settles, err := d.inOneOf(ctx, c.User, d.settlers())
	if err != nil {
		return f, err
	}
	if !settles {
		return f, d.noSettler(f)
	}
	if c.Saw != "" && c.Saw != f.Episode() {
		// Told to look at the card again, the person must not find the same one: an older
		// version may have drawn it last, and no other button would ever be accepted.
		if err := d.Store.Wake(ctx, LaneChat, f.ID, d.Clock.Now()); err != nil {
			d.Logger.Warn("a card with buttons of another time is made equal no sooner than by itself", "flow", f.ID, "error", err)
		}
		d.wake()
		return f, about(RejectEpisode, f)
	}
	return f, nil
}

// Settle decides an unknown flow; see FrontDesk.
func (d *Desk) Settle(ctx context.Context, c Caller, id string, k SignalKind, operation string) (Flow, error) {
	f, err := d.MaySettle(ctx, c, id, k)
	if err != nil {
		return f, err
	}
	if k == SignalHappened {
		if operation, err = d.operation(ctx, f, operation); err != nil {
			return f, err
		}
	}
	// The step may read it later than it becomes unknown again: it says itself what it
	// is about.
	return f, d.signal(ctx, f, Signal{Kind: k, By: c.User, At: d.Clock.Now(), Operation: operation, Episode: f.Episode()})
}

// How long an id of an operation may be, and over how many flows it is looked for.
const (
	operationRunes = 200
	operationScan  = 1000
)

// operation checks the id of an operation that a person names. One that is another
// flow's on record would be followed twice, and this flow's own forgotten.
func (d *Desk) operation(ctx context.Context, f Flow, named string) (string, error) {
	named = strings.TrimSpace(named)
	if named == "" {
		if f.Operation != nil || d.Options.Catalog[f.Request.Wish.Change.Cluster].Nameless {
			return "", nil
		}
		return "", about(RejectOperation, f)
	}
	if len([]rune(named)) > operationRunes || strings.ContainsFunc(named, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return "", about(RejectOperation, f)
	}
	flows, err := d.Store.List(ctx, Filter{Cluster: f.Request.Wish.Change.Cluster, Limit: operationScan})
	if err != nil {
		return "", &Rejection{Code: RejectStore, Err: err}
	}
	for _, other := range flows {
		if other.ID != f.ID && other.Operation != nil && other.Operation.ID == named {
			no := about(RejectOthers, f)
			no.Args["operation"], no.Args["other"] = named, other.ID
			return "", no
		}
	}
	return named, nil
}

func (d *Desk) noSettler(f Flow) *Rejection {
	r := about(RejectSettler, f)
	r.Args["groups"] = strings.Join(d.settlers(), ", ")
	return r
}

func (d *Desk) signal(ctx context.Context, f Flow, s Signal) error {
	detail := map[string]any{"operation": s.Operation}
	if s.PlanHash != "" {
		detail["plan"], detail["reason"] = s.PlanHash, s.Reason
	}
	err := d.Store.Signal(ctx, f.ID, s, Audit{Actor: s.By, Action: "signal_" + string(s.Kind), Detail: detail})
	if errors.Is(err, ErrIllegal) {
		return about(RejectEnded, f)
	}
	if errors.Is(err, ErrInDoubt) {
		return err
	}
	if err != nil {
		return &Rejection{Code: RejectStore, Err: err}
	}
	d.wake()
	return nil
}

// Outcome finds the flow of a delivery; see FrontDesk.
func (d *Desk) Outcome(ctx context.Context, c Caller) (Flow, error) {
	id, err := d.Store.Delivered(ctx, c.Dedupe)
	if err != nil {
		return Flow{}, err
	}
	f, _, err := d.Store.Get(ctx, id)
	return f, err
}

// Flow reads one flow; see FrontDesk.
func (d *Desk) Flow(ctx context.Context, id string) (Flow, error) { return d.flow(ctx, id) }

// Flows lists flows; see FrontDesk.
func (d *Desk) Flows(ctx context.Context, f Filter) ([]Flow, error) {
	flows, err := d.Store.List(ctx, f)
	if err != nil {
		return nil, &Rejection{Code: RejectStore, Err: err}
	}
	return flows, nil
}

// Cluster observes a cluster; see FrontDesk.
func (d *Desk) Cluster(ctx context.Context, name string) (Cluster, providers.Snapshot, error) {
	c, ok := d.Options.Catalog[name]
	if !ok {
		return c, providers.Snapshot{}, &Rejection{Code: RejectCluster, Args: map[string]string{"word": name}}
	}
	p, ok := d.Clouds.Provider(c.Account)
	if !ok {
		return c, providers.Snapshot{}, &Rejection{Code: RejectProvider, Text: accountGone(c.Account)}
	}
	var s providers.Snapshot
	err := d.within(ctx, func(ctx context.Context) (err error) {
		s, err = p.Observe(ctx, providers.ClusterRef{Name: c.Name, ID: c.ID})
		return err
	})
	return c, s, err
}

// waitingScan bounds how many open flows Waiting looks through, the newest first. It
// is for the home tab, which shows fifteen.
const waitingScan = 500

// Waiting lists the open ballots with a free seat for the person, and what they may
// settle; see FrontDesk.
func (d *Desk) Waiting(ctx context.Context, user string) ([]Flow, []string, error) {
	open, err := d.Flows(ctx, Filter{Open: true, Limit: waitingScan})
	if err != nil {
		return nil, nil, err
	}
	groups := d.groupsOf(ctx, user)
	settles := d.settles(groups.In)
	return slices.DeleteFunc(open, func(f Flow) bool {
		if f.State == Unknown {
			return !settles
		}
		if f.State != AwaitingApproval || (f.Request.User == user && !d.Approvals.SelfApproval) {
			return true
		}
		return !slices.ContainsFunc(openSeats(f), func(group string) bool { return slices.Contains(groups.In, group) })
	}), groups.Unread, nil
}

// openSeats are the groups whose people are still missing.
func openSeats(f Flow) []string {
	var groups []string
	for _, r := range f.Requirements {
		missing, escalated := r.N, false
		if f.Verdict != nil {
			for _, s := range f.Verdict.Ballot.Seats {
				if s.Group == r.Group {
					missing, escalated = s.Open(), s.Escalated
				}
			}
		}
		if missing > 0 {
			groups = append(groups, r.Group)
		}
		if missing > 0 && escalated && r.Escalate != nil {
			groups = append(groups, r.Escalate.To)
		}
	}
	return groups
}

// ChannelMoved keeps a channel's new id for all replicas, and wakes what is to be
// told there; see FrontDesk and Moved.
func (d *Desk) ChannelMoved(ctx context.Context, from, to string) error {
	if err := d.Store.SetFlag(ctx, movedTo(from), to); err != nil {
		return err
	}
	if err := d.Store.SetFlag(ctx, movedFrom(to), from); err != nil {
		return err
	}
	named := []string{}
	for _, name := range d.Options.Catalog.Names() {
		if slices.Contains(d.Options.Catalog[name].Channels, from) {
			named = append(named, name)
		}
	}
	d.Logger.Warn("a channel has another id now and is followed there; please change it in the config", "from", from, "to", to, "clusters", named)
	now := d.Clock.Now()
	var failed error
	err := d.Store.Walk(ctx, Filter{Open: true}, func(f Flow) error {
		if f.Request.Channel == from || slices.Contains(named, f.Request.Wish.Change.Cluster) {
			failed = errors.Join(failed, d.Store.Wake(ctx, LaneChat, f.ID, now))
		}
		return ctx.Err()
	})
	d.wake()
	return errors.Join(err, failed)
}

// byCard finds the flow of a card, also of one that was posted when its channel had
// another id.
func (d *Desk) byCard(ctx context.Context, ref MessageRef) (string, error) {
	id, _, err := d.Store.ByCard(ctx, ref.Channel, ref.TS)
	for range mostMoves {
		if !errors.Is(err, ErrNotFound) {
			break
		}
		was, unknown := d.Store.Flag(ctx, movedFrom(ref.Channel))
		if unknown != nil || was == "" {
			return "", errors.Join(err, unknown)
		}
		ref.Channel = was
		id, _, err = d.Store.ByCard(ctx, ref.Channel, ref.TS)
	}
	return id, err
}

// Touched wakes the flow of a card; see FrontDesk.
func (d *Desk) Touched(ctx context.Context, ref MessageRef) error {
	id, err := d.byCard(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.Quota != nil {
		// Its reading must not wait behind those that nobody asked for.
		touched := Flow{ID: id}
		if err := d.Quota.Urge(ctx, touched.readBid(true), d.Clock.Now()); err != nil {
			d.Logger.Warn("a changed ballot is read no sooner than by itself", "flow", id, "error", err)
		}
	}
	if err := d.Store.Wake(ctx, LaneStep, id, d.Clock.Now()); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	d.wake()
	return nil
}

// Reconcile wakes everything that events could have been lost for; see
// FrontDesk.
func (d *Desk) Reconcile(ctx context.Context, spread func(ballots int) time.Duration) error {
	type look struct {
		id   string
		step bool
	}
	var looks []look
	ballots := 0
	// Counted first, since the count says how far apart the looks are. Only ids are
	// kept: a workspace may have more open flows than fit in memory.
	err := d.Store.Walk(ctx, Filter{Open: true}, func(f Flow) error {
		if f.State == AwaitingApproval {
			ballots++
		}
		looks = append(looks, look{f.ID, f.State == AwaitingApproval || f.State == Scheduled})
		return ctx.Err()
	})
	now, over := d.Clock.Now(), spread(ballots)
	var failed error
	for _, l := range looks {
		if ctx.Err() != nil {
			failed = errors.Join(failed, ctx.Err())
			break
		}
		at := now.Add(time.Duration(share(l.id) * float64(over)))
		if l.step {
			failed = errors.Join(failed, d.Store.Wake(ctx, LaneStep, l.id, at))
		}
		failed = errors.Join(failed, d.Store.Wake(ctx, LaneChat, l.id, at))
	}
	d.wake()
	return errors.Join(err, failed)
}

// share spreads flows evenly over a time: the place of an id in it, 0 to 1.
func share(id string) float64 {
	h := fnv.New32a()
	h.Write([]byte(id)) //nolint:errcheck // a hash takes everything
	return float64(h.Sum32()) / (1 << 32)
}

// Catalog is what config says of clusters; see FrontDesk.
func (d *Desk) Catalog() Catalog { return d.Options.Catalog }
