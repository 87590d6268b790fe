package flowsim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"scalebot/bot/flow"
	"scalebot/providers"
)

// A run is shorter than any term, so reminders come a month less some minutes
// before its end: soon after the purchase. A bubble's time begins in January.
const month = 31 * 24 * time.Hour

var reminders = []time.Duration{month - 3*time.Minute, month - 12*time.Minute}

// lanes are those that this run plays.
func (s *sim) lanes() []flow.Lane {
	if s.mood.terms {
		return []flow.Lane{flow.LaneStep, flow.LaneChat, flow.LaneRenew}
	}
	return []flow.Lane{flow.LaneStep, flow.LaneChat}
}

// renewed is a decision about a renewal that a script took.
type renewed struct {
	flow.Decision
	at time.Time
}

// renewals is what people do about the reminders that they see.
func (s *sim) renewals() {
	if !s.mood.terms {
		return
	}
	for _, m := range s.slack.all() {
		if !strings.HasPrefix(m.Key, "renewal/") || m.deleted || s.calm || s.more.IntN(12) > 0 {
			continue
		}
		c, err := s.truth.Commitment(context.Background(), m.flow())
		if err != nil {
			continue
		}
		for range 1 + s.more.IntN(2) { // two of them may press at once
			user := oneOf(s, ann, ben, lea, fay, gus, c.By)
			s.renew(c.ID, user, c.Decided(), oneOf(s, flow.Renew, flow.LetLapse), 0)
		}
	}
}

func (s *sim) renew(id, user string, seen int, choice flow.RenewalChoice, tries int) {
	r := s.someone()
	if r == nil {
		return
	}
	desk := r.desk
	s.spawn(r, "renew "+user, func(ctx context.Context, k *task) {
		got, err := desk.Renewal(ctx, flow.Caller{User: user, Workspace: workspaceID, Channel: dataRoom}, id, seen, choice)
		s.log(k, "renew", fmt.Sprintf("%s %s by %s: %s", id, choice, user, said(err)))
		var no *flow.Rejection
		switch {
		case err == nil && (got.Decision == nil || got.Decision.Choice != choice):
			s.blame("%s: %s read that the renewal is decided as %s, and it is %+v", id, user, choice, got.Decision)
		case err != nil && (!errors.As(err, &no) || no.Code == flow.RejectStore) && tries < 2:
			s.at(s.later(time.Second, 10*time.Second), func() { s.renew(id, user, seen, choice, tries+1) })
		}
	})
}

// decides notes a decision that a script took, and holds it to who may.
func (s *sim) decides(k *task, id string, d flow.Decision) {
	for _, was := range s.world.renewed[id] {
		if was.N == d.N {
			s.blame("%s: renewal decision %d was taken twice: %s by %s, %s by %s", id, d.N, was.Choice, was.By, d.Choice, d.By)
		}
	}
	s.world.renewed[id] = append(s.world.renewed[id], renewed{d, time.Now()})
	may := d.By == s.world.asks[id].Request.User || d.By == oncall || k == nil
	if k != nil {
		for _, members := range k.seen.members {
			may = may || slices.Contains(members, d.By)
		}
	}
	if !may || d.By == gus {
		s.blame("%s: %s decided about its renewal, who may not", id, d.By)
	}
}

// checkTerms wants one commitment of each prepaid change that made nodes, of the
// price at which it was sent, with the last decision, and its reminders in Slack.
func (s *sim) checkTerms(ctx context.Context, flows map[string]flow.Flow) {
	if s.Real != nil { // whose control planes do not say what came of an operation
		return
	}
	all, err := s.truth.Commitments(ctx, s.t0)
	if err != nil {
		s.blame("commitments can't be read: %v", err)
		return
	}
	byID := map[string]flow.Commitment{}
	for _, c := range all {
		if _, twice := byID[c.ID]; twice {
			s.blame("%s has two commitments", c.ID)
		}
		byID[c.ID] = c
		s.checkReminders(c, flows[c.ID])
		if all := s.world.renewed[c.ID]; len(all) != c.Decided() || len(all) > 0 && all[len(all)-1].Choice != c.Decision.Choice {
			s.blame("%s: its renewal is decided as %+v, and scripts took %+v", c.ID, c.Decision, all)
		}
	}
	for id, it := range s.world.intents {
		f, ch := flows[id], it.flow.Submission.Change
		c, there := byID[id]
		delete(byID, id)
		nodes, _ := s.taken(id)
		if ch.Charge != providers.Prepaid || ch.Delta <= 0 {
			if there {
				s.blame("%s commits to %d nodes, and is not prepaid", id, c.N)
			}
			continue
		}
		_, _, exact := s.came(f, it)
		switch {
		case !exact || s.excused(it):
		case there != (nodes > 0):
			s.blame("%s made %d prepaid nodes (%s), commitment: %v", id, nodes, f.State, there)
		case !there:
		case c.N != nodes, c.Months != ch.Months, c.By != f.Request.User, c.Cluster != ch.Cluster:
			s.blame("%s made %d prepaid nodes for %d months, and commits to %d for %d: %+v", id, nodes, ch.Months, c.N, c.Months, c)
		case c.Known != it.priced:
			s.blame("%s commits to a known price %v, and was sent at one %v", id, c.Known, it.priced)
		case it.priced:
			want := it.cost.Mul(decimal.NewFromInt(int64(nodes))).Div(decimal.NewFromInt(int64(ch.Delta)))
			if c.Total.Sub(want).Abs().GreaterThan(decimal.New(1, -2)) {
				s.blame("%s commits to %s, and was sent at a price of %s for %d nodes", id, c.Total, want, nodes)
			}
		}
	}
	for id := range byID {
		if f, there := flows[id]; !there || len(s.world.decided[id]) == 0 && len(s.world.lost) == 0 {
			s.blame("there is a commitment of %s (%s), which no script ever sent", id, f.State)
		}
	}
}

// checkReminders wants the last reminder of a term that nobody decided about, each
// once, and each as the commitment is now.
func (s *sim) checkReminders(c flow.Commitment, f flow.Flow) {
	if !s.mood.terms {
		return
	}
	count := map[string]int{}
	for _, m := range s.slack.all() {
		if m.flow() != c.ID || m.deleted || !strings.HasPrefix(m.Key, "renewal/") {
			continue
		}
		count[m.Key]++
		ok := false
		for _, latest := range []bool{true, false} {
			want := s.renderer.Renewal(flow.Renewal{Commitment: c, Latest: latest})
			ok = ok || m.Text == want.Text && bytes.Equal(m.Blocks, want.Blocks)
		}
		if !ok {
			s.blame("%s: the reminder %s in Slack is not the commitment's: %q", c.ID, m.Key, m.Text)
		}
	}
	lead := reminders[len(reminders)-1]
	last := "renewal/" + lead.String() + "/" + dataRoom
	// What was over before the change had come to its end waits for the daily look.
	soon := f.EndedAt.Add(time.Minute).Before(c.Until.Add(-lead))
	if c.Decision == nil && count[last] == 0 && soon {
		s.blame("%s: nobody was reminded of its term: %v", c.ID, count)
	}
	for key, n := range count {
		if n > 1 {
			s.blame("%s: the reminder %s stands %d times", c.ID, key, n)
		}
	}
}

func (st *store) Commitment(ctx context.Context, id string) (c flow.Commitment, err error) {
	err = st.op(ctx, "Commitment "+id, false, func(ctx context.Context) (err error) {
		c, err = st.Store.Commitment(ctx, id)
		return err
	})
	return c, err
}

func (st *store) Decide(ctx context.Context, id string, d flow.Decision, a flow.Audit) error {
	return st.op(ctx, fmt.Sprintf("Decide %s %d %s", id, d.N, d.Choice), true, func(ctx context.Context) error {
		err := st.Store.Decide(ctx, id, d, a)
		if err == nil {
			st.s.decides(taskOf(ctx), id, d)
		}
		return err
	})
}

func (st *store) Reminders(ctx context.Context, id string) (r flow.Reminders, err error) {
	err = st.op(ctx, "Reminders "+id, false, func(ctx context.Context) (err error) {
		r, err = st.Store.Reminders(ctx, id)
		return err
	})
	return r, err
}

func (st *store) SaveReminders(ctx context.Context, c flow.Claim, r flow.Reminders) error {
	r = sentCopy(st, r)
	return st.op(ctx, "SaveReminders "+c.ID, true, func(ctx context.Context) error { return st.Store.SaveReminders(ctx, c, r) })
}
