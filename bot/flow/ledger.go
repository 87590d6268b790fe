package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
)

// Entry is what one flow holds of a book of the ledger: reserved while it is
// approved and has not ended, used once it brought nodes.
type Entry struct {
	Flow     string          `json:"flow"`
	User     string          `json:"user"` // Slack user id of who asked
	Cluster  string          `json:"cluster"`
	Group    string          `json:"group"`
	Nodes    int             `json:"nodes"`  // added
	Amount   decimal.Decimal `json:"amount"` // see approvals.Plan.Cost
	Currency string          `json:"currency,omitempty"`
	Priced   bool            `json:"priced"` // false: the price is unknown, and Amount says nothing
	Used     bool            `json:"used,omitempty"`

	// Place is the order in which reservations came into the book: one is judged by
	// those before it.
	Place int64 `json:"-"`
}

// Book is one account of the ledger: the month of a cost centre, or a mandate.
// Entries come in the order of Place, one per flow.
type Book struct {
	Version int64 // counts every change of the book; 0 = it was never written
	Entries []Entry
	Mandate *approvals.Mandate // of a mandate's book
}

// of finds a flow's own entry.
func (b Book) of(id string) (Entry, bool) {
	i := slices.IndexFunc(b.Entries, func(e Entry) bool { return e.Flow == id })
	if i < 0 {
		return Entry{}, false
	}
	return b.Entries[i], true
}

// before are the entries that a flow is judged by: all others, or those that came
// before its own where it asks for no more than it holds already. Who came after
// was judged with this flow's share in the sums, and must not be able to take it
// away from it.
func (b Book) before(id string, holds func(Entry) bool) []Entry {
	own, has := b.of(id)
	has = has && holds(own)
	var out []Entry
	for _, e := range b.Entries {
		if e.Flow != id && (!has || e.Place < own.Place) {
			out = append(out, e)
		}
	}
	return out
}

// Booking is what a flow takes of a book once it is approved, as kept in its
// record. What stands in the book follows from it and from the flow's state.
type Booking struct {
	Book     string          `json:"book"`
	Nodes    int             `json:"nodes"`
	Amount   decimal.Decimal `json:"amount"`
	Currency string          `json:"currency,omitempty"`
	Priced   bool            `json:"priced"`
}

// Posting makes one book equal to a flow's record, in the script of the move that
// changes the record.
type Posting struct {
	Book  string
	Entry *Entry // nil = the flow holds nothing of it
	// Seen is the version of the book that the move was judged by: at any other
	// version nothing is written (ErrLedger). Nil = the move does not turn on it.
	Seen *int64
	// Anew gives the entry the last place: it asks for more than it had.
	Anew bool
}

// BookKept is how long a book stays after its last change: long enough to look
// back on a year.
const BookKept = 400 * 24 * time.Hour

// entry is what a booking comes to in the flow's state; nil = nothing.
//
// It stays reserved while the outcome is unknown. Of a change that came short the
// share of the nodes that were made is used, also of those that are no use. One that
// a person closed because nobody could tell what became of it counts in full: money
// that may have been spent must not come free by pressing a button.
func (f *Flow) entry(b Booking) *Entry {
	e := Entry{
		Flow: f.ID, User: f.Request.User, Cluster: f.Request.Wish.Change.Cluster, Group: f.Request.Wish.Change.Group,
		Nodes: b.Nodes, Amount: b.Amount, Currency: b.Currency, Priced: b.Priced,
	}
	switch f.State {
	case Planning, AwaitingApproval, Refused, Denied, Expired, Cancelled:
		return nil
	case Scheduled, Queued, Submitting, Running, Unknown:
		return &e
	case Succeeded:
		e.Used = true
		return &e
	case Partial, Failed:
		e.Used = true
	}
	came := min(len(f.bought()), b.Nodes)
	switch {
	case f.closedByPerson(), f.State == Partial && came == 0, came >= b.Nodes && came > 0:
		return &e
	case came == 0:
		return nil
	}
	part := decimal.NewFromInt(int64(came))
	e.Amount = b.Amount.Mul(part).Div(decimal.NewFromInt(int64(b.Nodes))).RoundCeil(2)
	e.Nodes = came
	return &e
}

// guard is by which version of a book a move was judged, and whether it asks for
// more than the flow held.
type guard struct {
	seen int64
	anew bool
}

// unguarded is the version of a guard that holds a save to nothing.
const unguarded = -1

// book takes bookings into the record, in the place of the earlier ones of the same
// kind. seen are the versions of the books that they were judged by; a book that is
// not in it binds nothing. A booking that asks for more than was held takes the
// last place; the save of one that does not is held to the version only where
// always is true.
func (t *turn) book(kind string, now []Booking, seen map[string]int64, always bool) {
	was := map[string]Booking{}
	t.f.Booked = slices.DeleteFunc(slices.Clone(t.f.Booked), func(x Booking) bool {
		if bookKind(x.Book) != kind {
			return false
		}
		was[x.Book] = x
		return true
	})
	for _, b := range now {
		t.f.Booked = append(t.f.Booked, b)
		old, had := was[b.Book]
		g := guard{seen: unguarded, anew: !had || !old.covers(b)}
		if version, judged := seen[b.Book]; judged && (g.anew || always) {
			g.seen = version
		}
		if t.guards == nil {
			t.guards = map[string]guard{}
		}
		t.guards[b.Book] = g
	}
}

// covers reports whether what was booked is enough for what is to be.
func (b Booking) covers(now Booking) bool {
	return b.Currency == now.Currency && b.Priced == now.Priced && !now.Amount.GreaterThan(b.Amount) && now.Nodes <= b.Nodes
}

// postings make the ledger equal to the record as it will be saved: what it held
// before, and what it holds now.
func (t *turn) postings() []Posting {
	var out []Posting
	for _, b := range t.f.Booked {
		p := Posting{Book: b.Book, Entry: t.f.entry(b)}
		if g, ok := t.guards[b.Book]; ok && p.Entry != nil {
			p.Anew = g.anew
			if g.seen >= 0 {
				p.Seen = &g.seen
			}
		}
		out = append(out, p)
	}
	for _, b := range t.held {
		if !slices.ContainsFunc(out, func(p Posting) bool { return p.Book == b.Book }) {
			out = append(out, Posting{Book: b.Book})
		}
	}
	slices.SortFunc(out, func(a, b Posting) int { return cmp.Compare(a.Book, b.Book) })
	return out
}

// sums adds up the entries that have an amount in the currency.
func sums(entries []Entry, currency string) (used, reserved decimal.Decimal, unpriced int) {
	for _, e := range entries {
		switch {
		case !e.Priced || (e.Currency != currency && !e.Amount.IsZero()):
			unpriced++
		case e.Used:
			used = used.Add(e.Amount)
		default:
			reserved = reserved.Add(e.Amount)
		}
	}
	return used, reserved, unpriced
}

// bookingOf is what an addition takes of a book.
func bookingOf(book string, p approvals.Plan) Booking {
	amount, currency, ok := p.Cost()
	return Booking{Book: book, Nodes: p.Change.Delta, Amount: amount, Currency: currency, Priced: ok}
}
