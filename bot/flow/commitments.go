package flow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// CommitmentSchema is the version of the form of a Commitment's record. A replica
// leaves alone one with a higher one, as with flows.
const CommitmentSchema = 1

// Commitment is what a prepaid scale-out owes for the whole of its term, whatever
// happens to the nodes. It is written in the same script as the end of its flow,
// whose id is its own, and outlives that record. Nothing of it changes afterwards
// but the decision about its renewal, which is kept beside it.
type Commitment struct {
	Schema  int              `json:"schema"`
	ID      string           `json:"id"`      // of the flow that bought it
	By      string           `json:"by"`      // Slack user id of who asked
	Channel string           `json:"channel"` // where it was asked
	Account string           `json:"account"`
	Cluster string           `json:"cluster"` // as config named it then
	Group   string           `json:"group"`   // as config named it then
	N       int              `json:"n"`       // nodes bought, also those that are no use
	Nodes   []string         `json:"nodes,omitempty"`
	Charge  providers.Charge `json:"charge"`
	Months  int              `json:"months"`
	Renew   bool             `json:"renew,omitempty"` // the cloud renews it by itself

	Known    bool            `json:"known"` // false = the price was not known; Total is zero then
	Total    decimal.Decimal `json:"total"` // of the whole term and all nodes
	Currency string          `json:"currency,omitempty"`

	From  time.Time `json:"from"`
	Until time.Time `json:"until"`

	Decision *Decision `json:"-"` // the last one; nil = nobody has decided

	// Of a term that At gives, which may be a later one than the first:
	Term    int       `json:"-"` // its number, from 1; 0 = as it is on record
	Began   time.Time `json:"-"` // From stays the day of the purchase
	Decides int       `json:"-"` // how many decisions there were in all terms
}

// Decision is what somebody decided about the renewal of a commitment. The bot
// carries none of it out: renewing is done in the cloud's console.
type Decision struct {
	Choice RenewalChoice `json:"choice"`
	By     string        `json:"by"` // Slack user id
	At     time.Time     `json:"at"`
	N      int           `json:"n"` // how many decisions there were with this one, from 1
}

// RenewalChoice is one of the two answers to a reminder.
type RenewalChoice string

// The choices.
const (
	Renew    RenewalChoice = "renew"
	LetLapse RenewalChoice = "let_lapse"
)

// Decided is how many decisions there were; it names what a person who decides
// has seen.
func (c Commitment) Decided() int {
	if c.Decision == nil {
		return c.Decides
	}
	return c.Decision.N
}

// At is the commitment in the term that runs at that time. One that renews itself,
// or that somebody decided to renew, goes on for as long again: the cloud goes on
// charging, and forgetting it would hide that. A decision is about the end of the
// term in which it was made, so that people are asked anew before each end.
func (c Commitment) At(now time.Time) Commitment {
	n := 1
	for c.Months > 0 && !now.Before(c.end(n)) && c.goesOn(n) {
		n++
	}
	return c.in(n)
}

// in is the commitment in its n-th term.
func (c Commitment) in(n int) Commitment {
	t := c
	t.Term, t.Began, t.Until = n, c.begin(n), c.end(n)
	if d := c.Decision; d != nil {
		t.Decides = d.N
		if !c.decidedIn(n) {
			t.Decision = nil
		}
	}
	return t
}

// end is the end of the n-th term: by the calendar from the day of the purchase,
// since a term from 31 January that ended in February ends on the 31st in March. As
// far as the first one's was from the calendar, so are the others'.
func (c Commitment) end(n int) time.Time {
	return TermEnd(c.From, c.Months*n).Add(c.Until.Sub(TermEnd(c.From, c.Months)))
}

func (c Commitment) begin(n int) time.Time {
	if n <= 1 {
		return c.From
	}
	return c.end(n - 1)
}

// decidedIn reports whether the last decision was made in the n-th term.
func (c Commitment) decidedIn(n int) bool {
	return c.Decision != nil && c.Decision.At.Before(c.end(n)) && (n == 1 || !c.Decision.At.Before(c.begin(n)))
}

// goesOn reports whether the n-th term is followed by another. Only a term that
// runs is decided about, so one in which that was done did follow.
func (c Commitment) goesOn(n int) bool {
	switch {
	case c.decidedIn(n):
		return c.Decision.Choice == Renew
	case c.Decision != nil && !c.Decision.At.Before(c.end(n)):
		return true
	}
	return c.Renew
}

// billing is the calendar that terms are counted by. All three clouds bill in
// Beijing's time: counted in UTC, a purchase in the evening of 28 February would
// seem to end three days too early.
var billing = time.FixedZone("UTC+8", 8*60*60)

// TermDay is the calendar day that a moment of a term falls on where the clouds
// bill, for all readers alike: they are the days of the console and of the bill.
func TermDay(at time.Time) string { return at.In(billing).Format(time.DateOnly) }

// TermEnd is the end of a prepaid term: the same day of a later month, or that
// month's last day where it is shorter. time.AddDate would make 3 March of
// 31 January and a month.
func TermEnd(from time.Time, months int) time.Time {
	t := from.In(billing)
	end := t.AddDate(0, months, 0)
	if end.Day() != t.Day() {
		end = end.AddDate(0, 0, -end.Day())
	}
	return end.In(from.Location())
}

// commitment is what the flow bound somebody to at its end, or nil. Nodes that
// the operation made and that are no use were bought all the same.
func (f *Flow) commitment() *Commitment {
	plan := f.lastPlan()
	if !f.State.Ended() || plan == nil || f.Submission == nil || (f.Operation == nil || f.Progress == nil) && !f.closedByPerson() {
		return nil
	}
	var progress providers.Progress
	if f.Progress != nil {
		progress = *f.Progress
	}
	change := f.Submission.Change
	if !change.Adds() || change.Charge != providers.Prepaid || change.Months <= 0 {
		return nil
	}
	c := &Commitment{
		Schema: CommitmentSchema, ID: f.ID, By: f.Request.User, Channel: f.Request.Channel,
		Account: change.Account, Cluster: change.Cluster, Group: change.Group,
		Charge: change.Charge, Months: change.Months, Renew: change.Renew,
		From: f.Submission.SentAt, Until: TermEnd(f.Submission.SentAt, change.Months),
	}
	c.Nodes = f.bought()
	c.N = len(c.Nodes)
	if f.closedByPerson() {
		c.N = max(c.N, change.Delta) // nobody knows: all of it may have been bought
	}
	switch f.State {
	case Succeeded:
		c.N = max(c.N, change.Delta) // not every cloud names what it made
	case Partial:
		c.N = max(c.N, progress.Count-plan.Base)
	case Planning, AwaitingApproval, Scheduled, Queued, Submitting, Running, Unknown, Refused, Denied, Expired, Cancelled, Failed:
	}
	if c.N <= 0 {
		return nil
	}
	c.Until = c.ends(progress.Changed)
	q := plan.Quote
	if f.Quote != nil { // the price may have come down since people voted
		q = *f.Quote
	}
	if q.Known && q.Committed.IsPositive() {
		c.Known, c.Currency, c.Total = true, q.Currency, q.Committed
		if c.N != change.Delta {
			c.Total = q.Committed.Mul(decimal.NewFromInt(int64(c.N))).DivRound(decimal.NewFromInt(int64(change.Delta)), 2)
		}
	}
	return c
}

// bought are the nodes that the operation made, by id. Those that are no use were
// paid for all the same.
func (f *Flow) bought() (ids []string) {
	if f.Progress == nil {
		return nil
	}
	for _, n := range slices.Concat(f.Progress.Changed, f.Progress.Failed) {
		if !slices.Contains(ids, n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// withCommitment adds to the audit of an end what it committed to.
func withCommitment(detail map[string]any, c Commitment) map[string]any {
	all := map[string]any{"commitment": c}
	for k, v := range detail {
		all[k] = v
	}
	return all
}

// termSlack is how far the cloud's own end of a term may be from the calendar's
// and still be believed: some clouds round to the end of the day.
const termSlack = 72 * time.Hour

// ends is the first end of a term that the cloud told of its nodes, or else the
// calendar's.
func (c *Commitment) ends(nodes []providers.Node) time.Time {
	until := time.Time{}
	for _, n := range nodes {
		off := n.Expires.Sub(c.Until)
		if n.Expires.IsZero() || max(off, -off) > termSlack {
			continue
		}
		if until.IsZero() || n.Expires.Before(until) {
			until = n.Expires
		}
	}
	if until.IsZero() {
		return c.Until
	}
	return until
}

// commitmentsPast is how far back the record is read: a term that went on stands
// there by its earlier end until the lane of renewals has looked at it.
const commitmentsPast = 90 * 24 * time.Hour

// Commitments lists the terms that run; see FrontDesk.
func (d *Desk) Commitments(ctx context.Context, cluster string) ([]Commitment, error) {
	now := d.Clock.Now()
	all, err := d.Store.Commitments(ctx, now.Add(-commitmentsPast))
	if err != nil {
		return nil, &Rejection{Code: RejectStore, Err: err}
	}
	known := false
	for i, c := range all {
		all[i] = c.At(now)
	}
	all = slices.DeleteFunc(all, func(c Commitment) bool {
		known = known || c.Cluster == cluster
		return cluster != "" && c.Cluster != cluster || !c.On(now)
	})
	if _, ok := d.Options.Catalog[cluster]; cluster != "" && !ok && !known {
		return nil, &Rejection{Code: RejectCluster, Args: map[string]string{"word": cluster}}
	}
	slices.SortStableFunc(all, func(a, b Commitment) int { return a.Until.Compare(b.Until) })
	return all, nil
}

// On reports whether the term still runs.
func (c Commitment) On(now time.Time) bool { return now.Before(c.Until) }

// Renewal records a decision about a commitment's renewal; see FrontDesk.
func (d *Desk) Renewal(ctx context.Context, c Caller, id string, seen int, choice RenewalChoice) (Commitment, error) {
	id = NormalID(id)
	got, err := d.Store.Commitment(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return got, &Rejection{Code: RejectCommitment, Args: map[string]string{"word": id}}
	case err != nil:
		return got, &Rejection{Code: RejectStore, Err: err}
	}
	now := d.Clock.Now()
	if got = got.At(now); !got.On(now) {
		return got, &Rejection{Code: RejectTermOver, Args: map[string]string{"id": id, "at": got.Until.Format(time.RFC3339)}}
	}
	if err := d.mayAsk(ctx, c.User); err != nil {
		return got, err
	}
	if err := d.mayRenew(ctx, c.User, got); err != nil {
		return got, err
	}
	if got.Decision != nil && got.Decision.Choice == choice {
		return got, nil // so decided already
	}
	made := Decision{Choice: choice, By: c.User, At: now, N: seen + 1}
	err = d.Store.Decide(ctx, id, made, Audit{Actor: c.User, Action: "renewal_" + string(choice), Detail: map[string]any{
		"cluster": got.Cluster, "group": got.Group, "until": got.Until, "renew": got.Renew, "before": got.Decision, "raw": c.Raw, "channel": c.Channel,
	}})
	if errors.Is(err, ErrStale) { // there are not as many decisions as the person saw
		if got, err = d.Store.Commitment(ctx, id); err == nil {
			return got.At(now), decidedOtherwise(got.At(now))
		}
	}
	if err := d.recorded(err); err != nil {
		return got, err
	}
	got.Decision = &made
	d.Logger.Info("the renewal of a commitment was decided", "flow", id, "user", c.User, "choice", string(choice))
	return got, nil
}

func decidedOtherwise(c Commitment) *Rejection {
	no := &Rejection{Code: RejectDecided, Args: map[string]string{"id": c.ID}}
	if c.Decision != nil {
		no.Args["by"], no.Args["choice"] = c.Decision.By, string(c.Decision.Choice)
	}
	return no
}

// mayRenew lets who asked for it and the members of all approver groups decide.
func (d *Desk) mayRenew(ctx context.Context, user string, c Commitment) error {
	if user == c.By {
		return nil
	}
	groups := d.groupNames()
	in, err := d.inOneOf(ctx, user, groups)
	if err != nil {
		return err
	}
	if !in {
		return &Rejection{Code: RejectRenewer, Args: map[string]string{"by": c.By, "groups": strings.Join(groups, ", ")}}
	}
	return nil
}
