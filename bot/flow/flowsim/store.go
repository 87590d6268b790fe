package flowsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"scalebot/bot/flow"
)

// store is the real store with faults around each script, as one replica sees it.
// Methods that it does not know pass through without.
type store struct {
	flow.Store
	s *sim
}

var errRefused = errors.New("redis: READONLY You can't write against a read only replica")

// op is one script: the caller waits for its turn, and then the dice say whether
// it runs, whether the caller hears of it, and whether it runs only later, like
// the one that a frozen server had received.
func (st *store) op(ctx context.Context, label string, writes bool, do func(context.Context) error) error {
	s := st.s
	k := s.gate(ctx, label)
	if k == nil {
		return do(ctx)
	}
	switch {
	case time.Now().Before(s.away):
		s.log(k, label, "Redis is away")
		if s.rng.IntN(2) == 0 {
			return fmt.Errorf("%w: redis is away", flow.ErrInDoubt)
		}
		return errors.New("redis: connection refused")
	case s.chance(s.mood.refused):
		s.log(k, label, "refused")
		return errRefused
	case s.chance(s.mood.unanswered):
		err := do(ctx)
		s.log(k, label, fmt.Sprintf("answer lost (%s)", said(err)))
		return fmt.Errorf("%w: sim", flow.ErrInDoubt)
	case writes && s.chance(s.mood.belated):
		after := s.between(10*time.Millisecond, 5*time.Second)
		s.log(k, label, fmt.Sprintf("no answer; runs after %s", after))
		s.at(after, func() {
			if time.Now().Before(s.away) {
				return
			}
			err := do(context.WithoutCancel(ctx))
			s.log(k, label, fmt.Sprintf("runs now (%s)", said(err)))
		})
		return fmt.Errorf("%w: sim", flow.ErrInDoubt)
	}
	err := do(ctx)
	s.log(k, label, said(err))
	return err
}

func said(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func (st *store) Accept(ctx context.Context, f flow.Flow, dedupe string, lim flow.Limits) (id string, fresh bool, err error) {
	err = st.op(ctx, "Accept "+f.ID, true, func(ctx context.Context) (err error) {
		var got string
		var new bool
		if got, new, err = st.Store.Accept(ctx, f, dedupe, lim); err == nil && new {
			st.s.recorded(f)
		}
		id, fresh = got, new
		return err
	})
	return id, fresh, err
}

func (st *store) Delivered(ctx context.Context, dedupe string) (id string, err error) {
	err = st.op(ctx, "Delivered", false, func(ctx context.Context) (err error) {
		id, err = st.Store.Delivered(ctx, dedupe)
		return err
	})
	return id, err
}

func (st *store) Get(ctx context.Context, id string) (f flow.Flow, signals []flow.Signal, err error) {
	err = st.op(ctx, "Get "+id, false, func(ctx context.Context) (err error) {
		f, signals, err = st.Store.Get(ctx, id)
		return err
	})
	return f, signals, err
}

func (st *store) List(ctx context.Context, q flow.Filter) (all []flow.Flow, err error) {
	err = st.op(ctx, "List", false, func(ctx context.Context) (err error) {
		all, err = st.Store.List(ctx, q)
		return err
	})
	return all, err
}

func (st *store) Claim(ctx context.Context, lane flow.Lane, now time.Time, lease time.Duration, most int) (claims []flow.Claim, err error) {
	err = st.op(ctx, "Claim "+string(lane), true, func(ctx context.Context) (err error) {
		claims, err = st.Store.Claim(ctx, lane, now, lease, most)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claims, nil
}

func (st *store) Extend(ctx context.Context, c flow.Claim, until time.Time) (out flow.Claim, err error) {
	out = c
	err = st.op(ctx, "Extend "+c.ID, true, func(ctx context.Context) error {
		got, err := st.Store.Extend(ctx, c, until)
		if err == nil {
			out = got
		}
		return err
	})
	if err != nil {
		return c, err
	}
	return out, nil
}

func (st *store) Release(ctx context.Context, c flow.Claim, due time.Time) error {
	return st.op(ctx, fmt.Sprintf("Release %s %s", c.ID, c.Lane), true, func(ctx context.Context) error { return st.Store.Release(ctx, c, due) })
}

func (st *store) Wake(ctx context.Context, lane flow.Lane, id string, at time.Time) error {
	return st.op(ctx, fmt.Sprintf("Wake %s %s", id, lane), true, func(ctx context.Context) error { return st.Store.Wake(ctx, lane, id, at) })
}

func (st *store) Reclaim(ctx context.Context, c flow.Claim, now time.Time, lease time.Duration) (out flow.Claim, err error) {
	out = c
	err = st.op(ctx, "Reclaim "+c.ID, true, func(ctx context.Context) error {
		got, err := st.Store.Reclaim(ctx, c, now, lease)
		if err == nil {
			out = got
		}
		return err
	})
	if err != nil {
		return c, err
	}
	return out, nil
}

func (st *store) Save(ctx context.Context, c flow.Claim, sv flow.Save) (f flow.Flow, err error) {
	label := fmt.Sprintf("Save %s %s→%s %q", sv.Flow.ID, sv.From, sv.Flow.State, sv.Audit.Action)
	sv.Flow = sentCopy(st, sv.Flow)
	err = st.op(ctx, label, true, func(ctx context.Context) (err error) {
		got, err := st.Store.Save(ctx, c, sv)
		if err == nil {
			f = got
			st.s.checkReserved(got)
			if k := taskOf(ctx); k != nil && sv.Flow.State == flow.Submitting && sv.From != flow.Submitting {
				k.seen.pressed, k.seen.intent, k.seen.intended = st.s.standing(sv.Flow.ID), &got, time.Now()
				st.s.intended(k, got)
			}
		}
		return err
	})
	if err != nil {
		return flow.Flow{}, err
	}
	return f, nil
}

func (st *store) Graft(ctx context.Context, g flow.Graft) (f flow.Flow, err error) {
	g.Flow = sentCopy(st, g.Flow)
	err = st.op(ctx, fmt.Sprintf("Graft %s %s→%s %q", g.Flow.ID, g.From, g.Flow.State, g.Audit.Action), true, func(ctx context.Context) error {
		got, err := st.Store.Graft(ctx, g)
		if err == nil {
			f = got
		}
		return err
	})
	if err != nil {
		return flow.Flow{}, err
	}
	return f, nil
}

// Durable is what Redis 7.2 offers. From then on what was saved can't be lost: a
// crash that was under way gives back a database that has it.
func (st *store) Durable(ctx context.Context, id string) error {
	return st.op(ctx, "Durable "+id, false, func(ctx context.Context) error {
		if st.s.mood.aof && st.s.older != nil {
			return st.s.takeImage()
		}
		return nil
	})
}

func (st *store) Place(ctx context.Context, seat, id string) (place int, holder string, err error) {
	err = st.op(ctx, "Place "+id, false, func(ctx context.Context) (err error) {
		place, holder, err = st.Store.Place(ctx, seat, id)
		return err
	})
	return place, holder, err
}

func (st *store) Signal(ctx context.Context, id string, sig flow.Signal, a flow.Audit) error {
	return st.op(ctx, fmt.Sprintf("Signal %s %s by %s", id, sig.Kind, sig.By), true, func(ctx context.Context) error {
		err := st.Store.Signal(ctx, id, sig, a)
		if err == nil {
			st.s.signalled(id, sig)
			st.s.steers(taskOf(ctx), id, sig)
		}
		return err
	})
}

func (st *store) Amend(ctx context.Context, id string, n flow.Note, a flow.Audit) (f flow.Flow, err error) {
	err = st.op(ctx, fmt.Sprintf("Amend %s %s", id, n.Code), true, func(ctx context.Context) (err error) {
		got, err := st.Store.Amend(ctx, id, n, a)
		f = got
		return err
	})
	return f, err
}

func (st *store) Posts(ctx context.Context, id string) (p flow.Posts, err error) {
	err = st.op(ctx, "Posts "+id, false, func(ctx context.Context) (err error) {
		p, err = st.Store.Posts(ctx, id)
		return err
	})
	return p, err
}

func (st *store) SavePosts(ctx context.Context, c flow.Claim, p flow.Posts) error {
	p = sentCopy(st, p)
	return st.op(ctx, "SavePosts "+c.ID, true, func(ctx context.Context) error { return st.Store.SavePosts(ctx, c, p) })
}

// sentCopy is a record as it went over the wire: what runs later must not see what
// the caller has done to its own since.
func sentCopy[T any](st *store, v T) T {
	if st.s.mood.belated == 0 {
		return v
	}
	text, err := json.Marshal(v)
	var out T
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		panic("flowsim: a record is plain data: " + err.Error())
	}
	return out
}

// quota is the real quota with the same faults.
type quota struct {
	flow.Quota
	st *store
}

func (q *quota) Take(ctx context.Context, b flow.Bid, now time.Time) (again time.Time, err error) {
	err = q.st.op(ctx, "Take "+string(b.Call)+" "+b.Who, true, func(ctx context.Context) (err error) {
		again, err = q.Quota.Take(ctx, b, now)
		return err
	})
	return again, err
}

func (q *quota) Urge(ctx context.Context, b flow.Bid, now time.Time) error {
	return q.st.op(ctx, "Urge "+b.Who, true, func(ctx context.Context) error { return q.Quota.Urge(ctx, b, now) })
}

func (q *quota) Rest(ctx context.Context, b flow.Bid, until time.Time) error {
	return q.st.op(ctx, "Rest "+string(b.Call), true, func(ctx context.Context) error { return q.Quota.Rest(ctx, b, until) })
}
