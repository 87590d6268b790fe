package flowsim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// signed is a mandate that a script took, as the world knows it.
type signed struct {
	approvals.Mandate
	at      time.Time // when the script ran
	revoked time.Time // likewise; zero = it was not
	lost    bool      // in a second that Redis lost
}

// intent is the newest intent of a flow that a script took, with what the step had
// read of the real world.
type intent struct {
	flow     flow.Flow
	at       time.Time
	cost     decimal.Decimal
	priced   bool
	mandates []string // that the verdict says it runs under
	book     string   // of the budget; "" = its cluster has none
	unasked  bool     // nobody of finops let it run, and nobody broke the glass
}

const (
	currency = "CNY"
	// mandateSlack is how long a step may take from the count of a ballot to its
	// intent, with the clocks of two replicas between them.
	mandateSlack = lease + 10*time.Second
)

// later is a length of time at random, of what came into the world later.
func (s *sim) later(least, most time.Duration) time.Duration {
	return least + time.Duration(s.more.Int64N(int64(most-least)+1))
}

// favourite is the cluster that most of the requests under mandates are about.
func (s *sim) favourite() string {
	names := s.catalog.Names()
	return names[s.Seed%uint64(len(names))]
}

// oneOf is pick of what came into the world later.
func oneOf[T any](s *sim, from ...T) T { return from[s.more.IntN(len(from))] }

// seldom is how often something happens in a run: in most not at all.
func (s *sim) seldom(most int) int {
	if s.more.IntN(3) > 0 {
		return 0
	}
	return 1 + s.more.IntN(most)
}

// plays adds to the mood what came into the world later. With the real adapters
// it stays out: their control planes do not tell what came of an operation. With the
// real edge it stays out too: people there do what they do in Slack.
func (s *sim) plays(m *mood) {
	if s.Real != nil || s.Edge {
		return
	}
	m.mandates, m.removed = 2*s.seldom(4), s.seldom(3)
	if s.seldom(1) > 0 {
		m.steering = oneOf(s, 0.2, 0.5)
	}
	m.budgets, m.month, m.terms = s.seldom(1) > 0, s.seldom(1) > 0, s.seldom(1) > 0
}

// planMoney lays out what people do about money.
func (s *sim) planMoney() {
	for _, name := range slices.Sorted(maps.Keys(s.clouds)) {
		if s.mood.mandates > 0 { // so that leads are asked for most additions
			s.clouds[name].price = int64(4 + s.more.IntN(5))
		}
	}
	for range min(s.mood.mandates, 1) * (2 + s.more.IntN(2)) {
		s.at(s.later(time.Minute, busyTime*2/3), func() { s.request(s.favourite()) })
	}
	for range s.mood.removed {
		s.at(s.later(time.Minute, busyTime), func() {
			if !s.calm {
				s.remove()
			}
		})
	}
	if s.mood.budgets { // two that want the same rest at the same moment
		s.at(s.later(time.Second, busyTime/2), func() {
			for range 2 {
				s.request(s.favourite())
			}
		})
	}
	for range s.mood.mandates {
		s.at(s.later(time.Second, busyTime/2), func() {
			if !s.calm {
				s.sign()
			}
		})
	}
}

// sign is a person who signs a mandate, which Slack may deliver twice.
func (s *sim) sign() {
	a := flow.MandateAsk{
		Cluster: oneOf(s, s.favourite(), s.favourite(), s.favourite(), oneOf(s, s.catalog.Names()...)), Group: "task", Nodes: 2 + s.more.IntN(5),
		Until: time.Now().Add(s.later(3*time.Minute, time.Hour)),
	}
	if s.more.IntN(2) == 0 {
		a.Max, a.Currency = decimal.NewFromInt(int64(providers.HoursPerMonth*(10+s.more.IntN(50)))), currency
	}
	s.serial++
	c := flow.Caller{
		User: oneOf(s, lea, leo, fay, fay, lea, ann, ben, gus), Workspace: workspaceID, Channel: room, Language: "en", Dedupe: fmt.Sprint("m", s.serial), Raw: "typed",
	}
	s.deliverMandate(c, a, 0)
	if s.mood.doubled > 0 && s.more.IntN(5) == 0 {
		s.at(s.later(0, 3*time.Second), func() { s.deliverMandate(c, a, 0) })
	}
}

func (s *sim) deliverMandate(c flow.Caller, a flow.MandateAsk, tries int) {
	again := func() {
		if tries < 6 {
			s.at(s.later(time.Second, 20*time.Second), func() { s.deliverMandate(c, a, tries+1) })
		}
	}
	r := s.someone()
	if r == nil {
		again()
		return
	}
	desk := r.desk
	s.spawn(r, "sign "+c.User, func(ctx context.Context, k *task) {
		got, err := desk.SignMandate(ctx, c, a)
		var no *flow.Rejection
		switch {
		case err == nil:
			s.log(k, "sign", fmt.Sprintf("%s by %s: %s %d nodes %s%s until %s", got.ID, c.User, a.Cluster, a.Nodes, a.Max, a.Currency, a.Until.Sub(s.t0).Round(time.Second)))
			if s.world.signedBy[c.Dedupe] == nil {
				s.world.signedBy[c.Dedupe] = map[string]bool{}
			}
			s.world.signedBy[c.Dedupe][got.ID] = true
			if s.more.IntN(3) == 0 {
				s.at(s.later(30*time.Second, 15*time.Minute), func() { s.revoke(got.ID, 0) })
			}
		case errors.As(err, &no):
			s.log(k, "sign", "no: "+string(no.Code))
			if no.Code == flow.RejectStore || no.Code == flow.RejectPerson {
				again()
			}
		default:
			s.log(k, "sign", "in doubt: "+err.Error())
			again()
		}
	})
}

// revoke is a person who ends a mandate, and tries again until they read that it is.
func (s *sim) revoke(id string, tries int) {
	r := s.someone()
	if r == nil {
		return
	}
	m := s.world.mandates[id]
	if m == nil {
		return
	}
	desk, user := r.desk, oneOf(s, m.By, m.By, lea, leo, ben)
	s.spawn(r, "revoke "+user, func(ctx context.Context, k *task) {
		_, err := desk.RevokeMandate(ctx, flow.Caller{User: user, Workspace: workspaceID, Channel: room}, id)
		s.log(k, "revoke", id+": "+said(err))
		if err == nil {
			s.world.saidRevoked[id] = time.Now()
			return
		}
		if tries < 4 {
			s.at(s.later(time.Second, 20*time.Second), func() { s.revoke(id, tries+1) })
		}
	})
}

// stand are the mandates that may fill a seat of a flow's plan now, by what scripts
// took.
func (s *sim) stand(f flow.Flow) []approvals.Mandate {
	plan := f.Plan()
	if plan == nil || plan.Change.Delta <= 0 {
		return nil
	}
	var out []approvals.Mandate
	for _, id := range slices.Sorted(maps.Keys(s.world.mandates)) {
		m := s.world.mandates[id]
		if m.lost || !m.revoked.IsZero() || m.Cluster != plan.Change.Cluster || m.Group != plan.Change.Group || time.Now().After(m.Until.Add(mandateSlack)) {
			continue
		}
		out = append(out, m.Mandate)
	}
	return out
}

// inAdvance are the people who said yes by a mandate, of those who said nothing on
// this plan itself.
func (s *sim) inAdvance(f flow.Flow, saw seen) map[string]bool {
	voted := map[string]bool{}
	for _, u := range slices.Concat(saw.yes, saw.no) {
		voted[u] = true
	}
	for _, p := range saw.pressed {
		if p.plan == len(f.Plans) {
			voted[p.user] = true
		}
	}
	yes := map[string]bool{}
	for _, m := range saw.mandates {
		known := saw.quote != nil && saw.quote.Known
		if !voted[m.By] && m.Nodes >= f.Plan().Change.Delta && (m.Currency == "" || known && !costOf(f.Plan().Change, *saw.quote).GreaterThan(m.Max)) {
			yes[m.By] = true
		}
	}
	return yes
}

// costOf is what a change takes of a mandate or a budget: the whole term, or a month.
func costOf(ch providers.Change, q providers.Quote) decimal.Decimal {
	if ch.Delta <= 0 {
		return decimal.Zero
	}
	return decimal.Max(q.Committed, q.Monthly)
}

// intended notes an intent that a script took.
func (s *sim) intended(k *task, f flow.Flow) {
	k.seen.mandates = s.stand(f)
	it := &intent{flow: f, at: time.Now()}
	if q := k.seen.quote; q != nil && q.Known {
		it.cost, it.priced = costOf(f.Submission.Change, *q), true
	}
	if f.Verdict != nil {
		for _, u := range f.Verdict.Ballot.Mandates {
			it.mandates = append(it.mandates, u.ID)
		}
	}
	it.book = s.centreOf(f.Request.Wish.Change.Cluster)
	it.unasked = it.book != "" && it.priced && !it.cost.IsZero() && !s.heardFinops(f, k.seen)
	s.world.intents[f.ID] = it
	s.log(k, "intent", fmt.Sprintf("%s costs %s, under %v, unasked %v", f.ID, it.cost, it.mandates, it.unasked))
	for _, id := range it.mandates {
		s.heldTo(id)
	}
	s.checkCentre(it.book)
}

// taken are the nodes that a flow's changes made or may still make, by what clouds
// took, and whether all of it has come to its end.
func (s *sim) taken(id string) (nodes int, ended bool) {
	ended = true
	for _, c := range s.clouds {
		c.progress()
		for _, e := range c.ledger {
			switch {
			case !e.accepted || e.console || !ownerOf(e.sub.Token, id) || e.op.delta <= 0:
			case !e.op.applied:
				nodes, ended = nodes+e.op.delta, false
			default:
				nodes += len(e.op.joined)
			}
		}
	}
	return nodes, ended
}

// spent is what a flow's changes cost, by its newest intent and what clouds took.
func (s *sim) spent(it *intent) decimal.Decimal {
	nodes, _ := s.taken(it.flow.ID)
	return it.cost.Mul(decimal.NewFromInt(int64(min(nodes, it.flow.Submission.Change.Delta)))).Div(decimal.NewFromInt(int64(it.flow.Submission.Change.Delta)))
}

// excused reports whether more than was allowed may have been taken by a flow: the
// store forgot that it was sent, or a person said wrongly that it was not.
func (s *sim) excused(it *intent) bool {
	return s.lostSince(it.at) || slices.ContainsFunc(s.world.decided[it.flow.ID], func(d decision) bool { return d.wrong })
}

// heldTo holds all that was taken under a mandate to what was signed.
func (s *sim) heldTo(id string) {
	m := s.world.mandates[id]
	if m == nil {
		return // the judge says so, or Redis lost it
	}
	nodes, money := 0, decimal.Zero
	var by []string
	for _, flowID := range slices.Sorted(maps.Keys(s.world.intents)) {
		it := s.world.intents[flowID]
		if !slices.Contains(it.mandates, id) {
			continue
		}
		if s.excused(it) {
			return
		}
		n, _ := s.taken(flowID)
		nodes, money, by = nodes+n, money.Add(s.spent(it)), append(by, fmt.Sprintf("%s: %d", flowID, n))
	}
	if nodes > m.Nodes {
		s.blame("mandate %s: %d nodes were added under it and %d were signed (%s)", id, nodes, m.Nodes, strings.Join(by, ", "))
	}
	if m.Currency != "" && money.GreaterThan(m.Max) {
		s.blame("mandate %s: %s were spent under it and %s were signed (%s)", id, money, m.Max, strings.Join(by, ", "))
	}
}

// checkMandates holds what people were told of mandates to be on record, what was
// taken under each to what was signed, and each use to be told to its signer.
func (s *sim) checkMandates(ctx context.Context, flows map[string]flow.Flow) {
	books, err := s.truth.Mandates(ctx, s.t0)
	if err != nil {
		s.blame("mandates can't be read: %v", err)
		return
	}
	onRecord := map[string]flow.Book{}
	for _, b := range books {
		onRecord[b.Mandate.ID] = b
	}
	for _, dedupe := range slices.Sorted(maps.Keys(s.world.signedBy)) {
		standing := 0
		for id := range s.world.signedBy[dedupe] {
			m := s.world.mandates[id]
			switch {
			case m == nil:
				s.blame("somebody was told that mandate %s was signed, and no script ever took it", id)
			case !m.lost:
				standing++
			}
		}
		if standing > 1 {
			s.blame("one command signed %d mandates", standing)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.world.mandates)) {
		m := s.world.mandates[id]
		b, there := onRecord[id]
		switch {
		case !there && !m.lost:
			s.blame("mandate %s was signed and is not on record any more", id)
		case there && (b.Mandate.Revoked != nil) == m.revoked.IsZero():
			s.blame("mandate %s: revoked %v on record, and %v by what scripts took", id, b.Mandate.Revoked, m.revoked)
		}
		if at, told := s.world.saidRevoked[id]; told && there && b.Mandate.Revoked == nil && !s.lostSince(at) && !s.lostBefore(at) {
			s.blame("somebody was told that mandate %s was revoked, and it is not", id)
		}
		s.heldTo(id)
	}
	for _, flowID := range slices.Sorted(maps.Keys(s.world.intents)) {
		s.checkUses(flows[flowID], s.world.intents[flowID])
	}
}

// lostBefore reports whether Redis lost something in the seconds before: a script
// may have run in them whose answer came later.
func (s *sim) lostBefore(at time.Time) bool {
	return slices.ContainsFunc(s.world.lost, func(z span) bool { return at.After(z.from) && at.Before(z.to.Add(time.Minute)) })
}

// checkUses wants each use of a mandate told to who signed it, and in the thread.
func (s *sim) checkUses(f flow.Flow, it *intent) {
	for _, id := range it.mandates {
		m := s.world.mandates[id]
		if m == nil || f.ID == "" {
			continue
		}
		told, logged := false, false
		for _, x := range s.slack.all() {
			if !strings.Contains(x.Text, id) && !bytes.Contains(x.Blocks, []byte(id)) || x.flow() != f.ID && x.private == "" {
				continue
			}
			told = told || x.private == m.By
			logged = logged || x.private == "" && strings.HasPrefix(x.Key, "log/")
		}
		if !told {
			s.blame("%s: %s was not told that mandate %s was used", f.ID, m.By, id)
		}
		if !logged && !s.anyDeleted(f.ID) && s.mood.removed == 0 {
			s.blame("%s: the thread does not say that mandate %s was used", f.ID, id)
		}
	}
}

// anyDeleted reports whether somebody deleted a card of the flow: a thread may be
// gone with it.
func (s *sim) anyDeleted(id string) bool {
	for card := range s.world.deleted {
		if strings.HasPrefix(card, id+"/") {
			return true
		}
	}
	return false
}

// loseMoney takes back what was recorded about mandates in a second that Redis lost.
// What came in the very moment of its image may be in it or not: the record tells.
func (s *sim) loseMoney(since time.Time) {
	books, err := s.truth.Mandates(context.Background(), s.t0)
	if err != nil {
		s.blame("mandates can't be read: %v", err)
	}
	left := map[string]approvals.Mandate{}
	for _, b := range books {
		left[b.Mandate.ID] = *b.Mandate
	}
	for id, m := range s.world.mandates {
		kept, there := left[id]
		if !m.at.Before(since) && !there {
			m.lost = true
		}
		if !m.revoked.IsZero() && !m.revoked.Before(since) && kept.Revoked == nil {
			m.revoked = time.Time{}
		}
	}
	for id, all := range s.world.renewed {
		c, err := s.truth.Commitment(context.Background(), id)
		if err != nil && !errors.Is(err, flow.ErrNotFound) {
			s.blame("%s: its renewal can't be read: %v", id, err)
		}
		s.world.renewed[id] = slices.DeleteFunc(all, func(d renewed) bool { return !d.at.Before(since) && d.N > c.Decided() })
	}
}

func (st *store) Mandates(ctx context.Context, since time.Time) (all []flow.Book, err error) {
	if st.s.mood.mandates == 0 {
		return st.Store.Mandates(ctx, since)
	}
	err = st.op(ctx, "Mandates", false, func(ctx context.Context) (err error) {
		all, err = st.Store.Mandates(ctx, since)
		return err
	})
	return all, err
}

// Book implements flow.Store. It is read only where there are mandates or budgets.
func (st *store) Book(ctx context.Context, name string) (b flow.Book, err error) {
	err = st.op(ctx, "Book "+name, false, func(ctx context.Context) (err error) {
		b, err = st.Store.Book(ctx, name)
		return err
	})
	return b, err
}

func (st *store) SignMandate(ctx context.Context, m approvals.Mandate, dedupe string, a flow.Audit) (id string, err error) {
	err = st.op(ctx, "SignMandate "+m.ID, true, func(ctx context.Context) error {
		got, err := st.Store.SignMandate(ctx, m, dedupe, a)
		if err == nil && got == m.ID {
			st.s.world.mandates[m.ID] = &signed{Mandate: m, at: time.Now()}
		}
		id = got
		return err
	})
	return id, err
}

func (st *store) RevokeMandate(ctx context.Context, was, now approvals.Mandate, a flow.Audit) error {
	return st.op(ctx, "RevokeMandate "+was.ID, true, func(ctx context.Context) error {
		err := st.Store.RevokeMandate(ctx, was, now, a)
		if m := st.s.world.mandates[was.ID]; err == nil && m != nil {
			m.revoked = time.Now()
		}
		return err
	})
}
