package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"scalebot/approvals"
	"scalebot/providers"
)

// Options is what Engine, Desk, Courier and Renewals are made of.
type Options struct {
	Store     Store
	Clouds    Clouds
	Ballots   Ballots
	Directory Directory
	Chat      Chat
	Quota     Quota // of calls of Slack, shared by all replicas; nil = every call goes at once
	Renderer  Renderer
	Clock     Clock
	Logger    *slog.Logger
	Metrics   *Metrics

	Catalog   Catalog
	Budgets   Budgets
	Policy    *approvals.Policy
	Approvals approvals.Config
	Settle    []string // approver groups that may settle an unknown flow; empty = any approver group

	// Memory is what this replica knows to have happened, whatever the store says
	// later; nil = the engine makes one of its own. Desk and Engine share it.
	Memory *Memory
	// Blocked says until when an account's cloud is left alone because it does not
	// answer; nil = none ever is.
	Blocked func(account string) (until time.Time, blocked bool)
	// Reborn says when the store came to life, if what was written right before may
	// be lost to it; zero = it forgets nothing. nil = it never does.
	Reborn func(ctx context.Context) (time.Time, error)
	// Restarted is Reborn for what nobody waited for to be on disk: what Slack shows.
	Restarted func(ctx context.Context) (time.Time, error)

	Workspace string // Slack team id
	Bot       string // our own Slack user id
	Limits    Limits
	NewID     func() string    // a fresh flow id such as F-7K3Q; a taken one is asked for again
	Spell     func(Ask) string // a request as the line to type, for corrections; nil = none are made

	Lease       time.Duration // a replica silent for longer loses its flows
	CallTimeout time.Duration // one step's cloud call; well below Lease
	PollMin     time.Duration // how often a running operation is looked at, at first
	PollMax     time.Duration // and later
	// Pace is how long an account's cloud wants to be left alone between two looks at
	// one operation, whatever PollMin and PollMax are; nil = none minds.
	Pace func(account string) time.Duration

	RenewalReminders []time.Duration // before the end of a prepaid term; empty = none

	RemindAfter time.Duration // after which the first reminder of an open ballot is due, then doubling; 0 = none
	Grace       time.Duration // after the last vote, how long a request can be stopped; 0 = not at all
	Doubt       time.Duration // how long the machine looks for proof after a lost answer
	Follow      time.Duration // how long an operation may run before a person is asked
	Workers     int           // steps at a time, per lane
}

// refusal is a definite no to a request, as the note to end it with.
type refusal struct {
	note Note
	err  error // the cloud's words, where it was the cloud; for the audit
}

func (r *refusal) Error() string { return "refused: " + string(r.note.Code) + " " + r.note.Text.EN }

// unread says that something that must be known could not be read; the request
// waits.
type unread struct {
	wait Note
	err  error
}

func (u *unread) Error() string { return fmt.Sprintf("%s: %v", u.wait.Code, u.err) }
func (u *unread) Unwrap() error { return u.err }

// caller runs one outside call within the time that the caller may spend on it.
type caller func(ctx context.Context, call func(context.Context) error) error

// observed is a plan with the facts that it was made from.
type observed struct {
	planned  Planned
	snapshot providers.Snapshot
	provider providers.Provider
	facts    approvals.Facts                          // that the plan was judged by
	judge    func(approvals.Plan) approvals.Judgement // another plan, by the same policy at the same moment
}

// plan observes the cluster, resolves and prices the wish and judges the policy:
// the same code for a first plan, for the look right before going, and for a dry
// run. self is the flow that is planned, nil for a dry run. Errors are *refusal, *unread, or ErrLeaseLost of the step that plans.
func (o *Options) plan(ctx context.Context, call caller, self *Flow, r Request) (observed, error) {
	c := r.Wish.Change
	var out observed
	p, ok := o.Clouds.Provider(c.Account)
	if !ok {
		return out, &refusal{note: Note{Code: NoteAuth, Args: map[string]string{"account": c.Account}}}
	}
	out.provider = p
	if known, ok := o.Catalog[c.Cluster]; !ok || known.ID != c.ClusterID || known.Account != c.Account || known.Groups[c.Group].ID != c.GroupID {
		// Its limits and labels are gone with it: without them nothing may be judged.
		return out, &refusal{note: Note{Code: NoteRefused, Text: providers.Text{
			EN: "The config no longer has this cluster and group as they were asked for. Ask again, or have the config put back.",
			ZH: "配置中已没有申请时的集群和节点组。请重新申请，或恢复配置。",
		}}}
	}
	if err := call(ctx, func(ctx context.Context) (err error) {
		out.snapshot, err = p.Observe(ctx, providers.ClusterRef{Name: c.Cluster, ID: c.ClusterID})
		return err
	}); err != nil {
		return out, cloudSaidNo(err, c.Account)
	}
	if err := stands(out.snapshot); err != nil {
		return out, err
	}
	group, ok := out.snapshot.Group(c.GroupID)
	if !ok {
		// The provider has the better sentence: it knows which groups there are.
		if _, err := p.Resolve(withDelta(c, 1), out.snapshot); err != nil {
			return out, wishSaidNo(err, c.Account)
		}
	}
	c, err := o.size(r, c, group.Count)
	if err != nil {
		return out, err
	}
	if err := p.Check(c); err != nil {
		return out, wishSaidNo(err, c.Account)
	}
	if c, err = p.Resolve(c, out.snapshot); err != nil {
		return out, wishSaidNo(err, c.Account)
	}
	var quote providers.Quote
	if err := call(ctx, func(ctx context.Context) (err error) {
		quote, err = p.Quote(ctx, c, out.snapshot)
		return err
	}); err != nil {
		return out, cloudSaidNo(err, c.Account)
	}
	plan := approvals.NewPlan(c, out.snapshot, quote)
	facts, err := o.gather(ctx, call, self, r, plan)
	if err != nil {
		return out, err
	}
	out.planned = Planned{Plan: plan, At: o.Clock.Now(), Facts: &facts}
	out.facts = out.planned.facts(r)
	out.judge = func(p approvals.Plan) approvals.Judgement {
		facts := out.facts
		facts.Plan = p
		return o.Policy.Judge(facts)
	}
	out.planned.Judgement = out.judge(out.planned.Plan)
	if no := out.planned.Judgement.Refusal; no != nil {
		return out, &refusal{note: policyNote(*no)}
	}
	return out, nil
}

// withDelta is the change with another amount.
func withDelta(c providers.Change, delta int) providers.Change { c.Delta = delta; return c }

// stands refuses a cluster that no waiting will make fit for a change.
func stands(s providers.Snapshot) error {
	switch s.Phase {
	case providers.Ready, providers.Busy:
		return nil
	case providers.Blocked:
		return &refusal{note: Note{Code: NoteRefused, Text: providers.Text{
			EN: fmt.Sprintf("The cluster is in state %s and takes no change until a person has looked at it in the cloud's console.", s.Status),
			ZH: fmt.Sprintf("集群处于 %s 状态，需要先有人在云控制台处理后才能变更。", s.Status),
		}}}
	case providers.Gone:
		return &refusal{note: Note{Code: NoteRefused, Text: providers.Text{
			EN: fmt.Sprintf("The cluster is destroyed or being destroyed (state %s).", s.Status),
			ZH: fmt.Sprintf("集群已销毁或正在销毁（状态 %s）。", s.Status),
		}}}
	}
	return &refusal{note: Note{Code: NoteRefused, Text: providers.Text{EN: "The cluster is in an unknown state.", ZH: "集群状态未知。"}}}
}

// size turns the wish into a delta against what is there, and holds it to the
// limits of config.
func (o *Options) size(r Request, c providers.Change, have int) (providers.Change, error) {
	w := r.Wish
	switch w.Op {
	case Add:
		c.Delta = w.N
	case Remove:
		c.Delta = -w.N
	case Set:
		c.Delta = w.N - have
	}
	limits := o.Catalog[c.Cluster].Groups[c.Group]
	to := have + c.Delta
	no := func(code NoteCode, args ...string) error {
		n := Note{Code: code, Args: map[string]string{
			"cluster": c.Cluster, "group": c.Group, "have": strconv.Itoa(have), "to": strconv.Itoa(to),
		}}
		for i := 0; i+1 < len(args); i += 2 {
			n.Args[args[i]] = args[i+1]
		}
		return &refusal{note: n}
	}
	// instead is the same request for the nearest size that the limits allow, as a
	// line to copy.
	instead := func(size int) string { return o.instead(r, limits, have, size) }
	step := abs(c.Delta)
	switch {
	case c.Delta == 0:
		return c, no(NoteNoChange)
	case to < 0:
		return c, no(NoteTooMany, "n", strconv.Itoa(-c.Delta), "fixed", instead(limits.Min))
	case limits.MaxStep != nil && step > *limits.MaxStep:
		return c, no(NoteAboveStep, "n", strconv.Itoa(step), "max_step", strconv.Itoa(*limits.MaxStep),
			"fixed", instead(have+c.Delta/step**limits.MaxStep))
	case c.Delta < 0 && to < limits.Min:
		return c, no(NoteBelowMin, "min", strconv.Itoa(limits.Min), "fixed", instead(limits.Min))
	case c.Delta > 0 && limits.Max != nil && to > *limits.Max:
		return c, no(NoteAboveMax, "max", strconv.Itoa(*limits.Max), "fixed", instead(max(have, *limits.Max)))
	}
	if c.Delta < 0 { // how new nodes are paid for is no part of a removal
		c.Charge, c.Months, c.Renew = "", 0, false
	}
	return c, nil
}

// instead spells a request anew for a size that may be had, with all that was
// asked and with its own sign: a bare size would drop the options, and would
// remove nodes where others had added some meanwhile. There is no such line where
// the group has that size, where nothing would be left of it, and where nodes are
// named: which of them to keep only the person knows.
func (o *Options) instead(r Request, g Group, have, size int) string {
	if o.Spell == nil || size == have || size <= 0 || len(r.Wish.Change.Nodes) > 0 {
		return ""
	}
	a, _ := (&Flow{Request: r}).Rest()
	switch r.Wish.Op {
	case Add:
		a.N = size - have
	case Remove:
		a.N = have - size
	case Set:
		a.N = size
	}
	if a.N <= 0 && a.Op != Set { // the other way round
		return ""
	}
	// What the group's defaults say need not be typed.
	// But a need says that prepaid was meant.
	if a.Charge == g.Charge && a.For == 0 && (a.Charge != providers.Prepaid || a.Months == g.Months) {
		a.Charge, a.Months = "", 0
	}
	if a.Renew != nil && !*a.Renew {
		a.Renew = nil
	}
	return o.Spell(a)
}

// Rest is what is left to ask for after a flow's end, as it would be typed now:
// all that it asked for and did not reach, at its time if it was never sent. False
// when nothing is left, or when that time has passed: now is not then.
func (f *Flow) Rest() (Ask, bool) {
	a, some := f.missing()
	if at := f.Request.StartAt; !at.IsZero() && f.Submission == nil {
		a.StartAt, some = at, some && at.After(f.EndedAt)
	}
	return a, some
}

// cloudSaidNo turns a provider's error while planning into an end or a wait
// (design.md section 4).
func cloudSaidNo(err error, account string) error {
	if errors.Is(err, ErrLeaseLost) {
		return err // no cloud said anything
	}
	text := providers.AdviceOf(err)
	switch providers.KindOf(err) {
	case providers.Refused, providers.NotFound:
		return &refusal{note: Note{Code: NoteRefused, Text: text}, err: err}
	case providers.Auth:
		return &refusal{note: Note{Code: NoteAuth, Args: map[string]string{"account": account}, Text: text}, err: err}
	case providers.Retry, providers.Occupied, providers.Unknown:
	}
	return &unread{wait: Note{Code: WaitCloud, Text: text}, err: err}
}

// wishSaidNo is cloudSaidNo for what is wrong with the request itself: that is
// between the bot and whoever typed it.
func wishSaidNo(err error, account string) error {
	no := cloudSaidNo(err, account)
	if r, refused := errors.AsType[*refusal](no); refused && r.note.Code == NoteRefused {
		r.note.Code = NoteImpossible
	}
	return no
}

func policyNote(no approvals.Refusal) Note {
	n := Note{Args: map[string]string{"name": no.Name, "error": no.Error}}
	switch no.Code {
	case approvals.NoRules:
		n.Code = NoteNoRules
	case approvals.Frozen:
		n.Code = NoteFrozen
		n.Args["until"] = no.Until.Format(time.RFC3339)
	case approvals.Ordered:
		n.Code = NoteFrozenBy
		n.Args = map[string]string{"cluster": no.Name, "by": no.Order.By, "reason": no.Order.Reason, "until": ""}
		if !no.Until.IsZero() {
			n.Args["until"] = no.Until.Format(time.RFC3339)
		}
	case approvals.RuleBroken:
		n.Code = NoteRuleBroken
	}
	if len(no.Pass) > 0 {
		n.Args["groups"] = strings.Join(no.Pass, ", ")
	}
	return n
}

// groupsToJudge names the approver groups of a person, for rules that ask. A group
// that can't be read stops planning: a rule may turn on it.
func (o *Options) groupsToJudge(ctx context.Context, call caller, user string) ([]string, error) {
	var in []string
	for _, name := range o.groupNames() {
		var is bool
		err := call(ctx, func(ctx context.Context) (err error) {
			is, err = o.isIn(ctx, user, o.Approvals.Groups[name])
			return err
		})
		if errors.Is(err, ErrLeaseLost) {
			return nil, err
		}
		if errors.Is(err, ErrNoGroup) {
			return nil, &refusal{note: Note{Code: NoteRefused, Text: providers.Text{
				EN: "The rules ask who is in approver group " + name + ", which names a usergroup that Slack doesn't have. Please tell whoever runs scalebot.",
				ZH: "审批规则需要读取审批组 " + name + "，但 Slack 中没有它所指的用户组。请联系 scalebot 的管理员。",
			}}}
		}
		if err != nil {
			return nil, ballotUnread(err)
		}
		if is {
			in = append(in, name)
		}
	}
	return in, nil
}

func ballotUnread(err error) error {
	return &unread{wait: Note{Code: WaitBallot, Text: providers.Text{
		EN: "Slack can't be asked about people, groups or reactions right now.", ZH: "暂时无法从 Slack 读取成员、用户组或表情回应。",
	}}, err: err}
}
