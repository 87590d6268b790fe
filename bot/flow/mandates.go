package flow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
)

// MaxMandate is the longest that a mandate can last: who signed it should look at
// it again sometime.
const MaxMandate = 90 * 24 * time.Hour

const mandateBooks = "mandate"

// MandateBook is the name of a mandate's book.
func MandateBook(id string) string { return mandateBooks + "/" + id }

// mandates are those that cover a plan, oldest first, as they stand for it: those
// that hold now, and those that ended since the request was made, so that the card
// can say why they do not count.
func (o *Options) mandates(ctx context.Context, f *Flow, plan approvals.Plan) ([]approvals.Standing, error) {
	books, err := o.Store.Mandates(ctx, f.CreatedAt)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(books, func(a, b Book) int { // the oldest is used up first, everywhere alike
		return cmp.Or(a.Mandate.At.Compare(b.Mandate.At), cmp.Compare(a.Mandate.ID, b.Mandate.ID))
	})
	var out []approvals.Standing
	for _, b := range books {
		m := *b.Mandate
		if !m.Covers(plan.Change.Cluster, plan.Change.Group, plan.Change.Delta) || (m.Revoked != nil && m.Revoked.At.Before(f.CreatedAt)) {
			continue
		}
		takes := bookingOf(MandateBook(m.ID), plan)
		s := approvals.Standing{Mandate: m, Nodes: takes.Nodes, Amount: takes.Amount, Version: b.Version}
		s.Priced = takes.Priced && (takes.Currency == m.Currency || takes.Amount.IsZero())
		for _, e := range b.before(f.ID, func(own Entry) bool {
			return Booking{Nodes: own.Nodes, Amount: own.Amount, Currency: own.Currency, Priced: own.Priced}.covers(takes)
		}) {
			s.UsedNodes += e.Nodes
			s.UsedAmount = s.UsedAmount.Add(e.Amount)
		}
		out = append(out, s)
	}
	return out, nil
}

// signers are the people whose mandates are among the facts.
func signers(all []approvals.Standing) []string {
	ids := make([]string, len(all))
	for i, m := range all {
		ids[i] = m.By
	}
	return ids
}

// inAdvance counts the mandates that cover a fresh plan, before anybody is asked;
// ok where they fill all seats by themselves. What can't be read is left to the
// ballot, which waits for it.
func (t *turn) inAdvance(ctx context.Context, made observed) (v approvals.Verdict, ok bool) {
	plan := made.planned.Plan
	facts := t.onRecord(plan, made.planned.Judgement.Requirements, nil, t.f.ExpiresAt)
	var err error
	if facts.Mandates, err = t.mandates(ctx, &t.f, plan); err != nil || len(facts.Mandates) == 0 {
		t.unheard(err)
		return v, false
	}
	ids := signers(facts.Mandates)
	if facts.People, err = t.people(ctx, ids); err != nil {
		t.unheard(err)
		return v, false
	}
	facts.Members = t.members(ctx, facts, func(id string) bool { return slices.Contains(ids, id) })
	facts.Now = t.Clock.Now()
	t.facts = &facts
	v = t.Policy.Count(facts)
	return v, v.Status == approvals.Approved && v.Permits(plan)
}

func (t *turn) unheard(err error) {
	if err != nil {
		t.log.Warn("mandates can't be counted while planning; the ballot does it", "error", err)
	}
}

// draw books what the mandates give that fill a seat of the verdict, for what the
// plan costs now, and tells their signers. The save is held to the version of each
// mandate that was counted, also where it only sends on what was booked before: one
// that was revoked or used up a moment ago must not carry a change.
func (t *turn) draw(v approvals.Verdict, plan approvals.Plan) {
	var now []Booking
	seen := map[string]int64{}
	for _, u := range v.Ballot.Mandates {
		i := slices.IndexFunc(t.facts.Mandates, func(m approvals.Standing) bool { return m.ID == u.ID })
		m, book := t.facts.Mandates[i], MandateBook(u.ID)
		now, seen[book] = append(now, bookingOf(book, plan)), m.Version
		if slices.ContainsFunc(t.held, func(b Booking) bool { return b.Book == book }) {
			continue // told when it was first used
		}
		n := Note{Code: NoteMandate, By: u.By, Args: map[string]string{
			"id": u.ID, "group": u.Group, "n": strconv.Itoa(m.Nodes), "left": strconv.Itoa(m.LeftNodes()), "until": m.Until.Format(time.RFC3339),
		}}
		if m.Priced {
			n.Args["amount"], n.Args["currency"] = m.Amount.String(), plan.Quote.Currency
		}
		if m.Capped() {
			n.Args["money"] = m.LeftAmount().String()
		}
		t.tell(n)
		n.To = u.By
		t.whisper(n)
	}
	t.book(mandateBooks, now, seen, true)
}

// MandateAsk is a mandate as somebody wants to sign it.
type MandateAsk struct {
	Cluster, Group string
	Nodes          int // that may be added in all
	Until          time.Time
	Max            decimal.Decimal // of no meaning without Currency
	Currency       string          // "" = no limit of money
}

// Mandated is a mandate with what was taken of it.
type Mandated struct {
	approvals.Mandate
	Reserved, Used int             // nodes
	Amount         decimal.Decimal // of both
	Counts         []string        // approver groups of the signer now: whose seats it can fill
	Unread         []string        // groups that could not be read: it may count for those too
}

// SignMandate records a mandate; see FrontDesk.
func (d *Desk) SignMandate(ctx context.Context, c Caller, a MandateAsk) (Mandated, error) {
	if err := d.mayAsk(ctx, c.User); err != nil {
		return Mandated{}, err
	}
	cluster, ok := d.Options.Catalog[a.Cluster]
	if !ok {
		return Mandated{}, &Rejection{Code: RejectCluster, Args: map[string]string{"word": a.Cluster}}
	}
	if _, ok := cluster.Groups[a.Group]; !ok {
		return Mandated{}, &Rejection{Code: RejectGroup, Args: map[string]string{
			"word": a.Group, "cluster": a.Cluster, "meant": strings.Join(cluster.GroupNames(), ", "),
		}}
	}
	now := d.Clock.Now()
	switch {
	case a.Nodes < 1, a.Currency != "" && !a.Max.IsPositive():
		return Mandated{}, &Rejection{Code: RejectZero}
	case !a.Until.After(now):
		return Mandated{}, &Rejection{Code: RejectPast, Args: map[string]string{"at": a.Until.Format(time.RFC3339)}}
	case a.Until.After(now.Add(MaxMandate)):
		return Mandated{}, &Rejection{Code: RejectMandateLong, Args: map[string]string{"until": now.Add(MaxMandate).Format(time.RFC3339)}}
	}
	groups, err := d.approves(ctx, c.User)
	if err != nil {
		return Mandated{}, err
	}
	if len(groups) == 0 {
		return Mandated{}, &Rejection{Code: RejectNoApprover, Args: map[string]string{"groups": strings.Join(d.groupNames(), ", ")}}
	}
	m := approvals.Mandate{
		By: c.User, Cluster: a.Cluster, Group: a.Group, Nodes: a.Nodes, Max: a.Max, Currency: a.Currency, At: now, Until: a.Until, Groups: groups,
	}
	for range idTries {
		m.ID = "M-" + strings.TrimPrefix(d.NewID(), "F-")
		var id string
		id, err = d.Store.SignMandate(ctx, m, c.Dedupe, Audit{Actor: c.User, Action: "sign_mandate", Detail: map[string]any{"mandate": m, "raw": c.Raw, "channel": c.Channel}})
		if err == nil && id != m.ID { // delivered twice: it was signed then
			return d.signed(ctx, id, groups)
		}
		if !errors.Is(err, ErrIDTaken) {
			break
		}
	}
	if err := d.recorded(err); err != nil {
		return Mandated{}, err
	}
	d.wakeCluster(ctx, a.Cluster) // a request that waits may be covered now
	return Mandated{Mandate: m, Counts: groups}, nil
}

// signed is a mandate that an earlier delivery of the same command signed.
func (d *Desk) signed(ctx context.Context, id string, groups []string) (Mandated, error) {
	book, err := d.Store.Book(ctx, MandateBook(id))
	if err != nil {
		return Mandated{}, &Rejection{Code: RejectStore, Err: err}
	}
	if book.Mandate == nil {
		return Mandated{}, &Rejection{Code: RejectMandate, Args: map[string]string{"word": id}}
	}
	return mandated(book, groups), nil
}

// Mandates lists the mandates that hold; see FrontDesk.
func (d *Desk) Mandates(ctx context.Context) ([]Mandated, error) {
	now := d.Clock.Now()
	books, err := d.Store.Mandates(ctx, now)
	if err != nil {
		return nil, &Rejection{Code: RejectStore, Err: err}
	}
	counts := map[string]Membership{}
	var out []Mandated
	for _, b := range books {
		if b.Mandate.Ended(now) {
			continue
		}
		if _, done := counts[b.Mandate.By]; !done {
			counts[b.Mandate.By] = d.groupsOf(ctx, b.Mandate.By)
		}
		m := mandated(b, counts[b.Mandate.By].In)
		m.Unread = counts[b.Mandate.By].Unread
		out = append(out, m)
	}
	return out, nil
}

func mandated(b Book, counts []string) Mandated {
	m := Mandated{Mandate: *b.Mandate, Counts: counts}
	for _, e := range b.Entries {
		if e.Used {
			m.Used += e.Nodes
		} else {
			m.Reserved += e.Nodes
		}
		m.Amount = m.Amount.Add(e.Amount)
	}
	return m
}

// RevokeMandate ends a mandate; see FrontDesk.
func (d *Desk) RevokeMandate(ctx context.Context, c Caller, id string) (Mandated, error) {
	if err := d.mayAsk(ctx, c.User); err != nil {
		return Mandated{}, err
	}
	id = "M-" + strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(id)), "M-")
	for range amendTries {
		book, err := d.Store.Book(ctx, MandateBook(id))
		if err != nil {
			return Mandated{}, &Rejection{Code: RejectStore, Err: err}
		}
		if book.Mandate == nil {
			return Mandated{}, &Rejection{Code: RejectMandate, Args: map[string]string{"word": id}}
		}
		m, now := *book.Mandate, d.Clock.Now()
		if m.Ended(now) {
			return Mandated{}, &Rejection{Code: RejectMandateEnded, Args: map[string]string{"id": id}}
		}
		if err := d.mayRevoke(ctx, c.User, m); err != nil {
			return Mandated{}, err
		}
		was := m
		m.Revoked = &approvals.Revocation{By: c.User, At: now}
		err = d.Store.RevokeMandate(ctx, was, m, Audit{Actor: c.User, Action: "revoke_mandate", Detail: map[string]any{"mandate": m, "raw": c.Raw, "channel": c.Channel}})
		if errors.Is(err, ErrStale) || errors.Is(err, ErrNotFound) {
			continue // somebody else was first: the next look says so
		}
		if err := d.recorded(err); err != nil {
			return Mandated{}, err
		}
		d.wakeCluster(ctx, m.Cluster)
		return mandated(Book{Mandate: &m, Entries: book.Entries}, nil), nil
	}
	return Mandated{}, &Rejection{Code: RejectStore, Err: ErrStale}
}

// amendTries bounds how often a mandate that moves while it is revoked is read
// again.
const amendTries = 8

// mayRevoke lets the signer, and the members of the groups that it was signed for.
func (d *Desk) mayRevoke(ctx context.Context, user string, m approvals.Mandate) error {
	if user == m.By {
		return nil
	}
	var named []string // a group may have left config since
	for _, g := range m.Groups {
		if _, ok := d.Approvals.Groups[g]; ok {
			named = append(named, g)
		}
	}
	in, err := d.inOneOf(ctx, user, named)
	if err != nil {
		return err
	}
	if !in {
		return &Rejection{Code: RejectNotSigner, Args: map[string]string{"id": m.ID, "by": m.By, "groups": strings.Join(named, ", ")}}
	}
	return nil
}

// byMandate are the signers who fill a seat of a ballot in advance.
func byMandate(b approvals.Ballot) map[string]bool {
	ids := map[string]bool{}
	for _, u := range b.Mandates {
		ids[u.By] = true
	}
	return ids
}
