package flowsim

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// task is one goroutine of the product: a step, a delivery, a poll for claims, or
// a call that a person made. seen is what it read of the world, for the judge.
type task struct {
	id    int
	name  string
	rep   *replica // nil = a person's
	life  *life    // of rep, in which it began
	began time.Time
	edge  bool // the replica's whole Slack edge, with all that it begins by itself
	done  bool
	seen  seen
}

// life is a replica from its start until it is killed.
type life struct {
	ctx   context.Context
	dead  bool   // it must not do another thing; under sim.mu
	phone *phone // its way to the local Slack, if it has one
}

// waiter is a task that stands before an effect.
type waiter struct {
	k     *task
	label string
	went  bool
	go_   chan struct{}
	come  func() // instead of go_: a message from Slack, on its way to the task
}

type taskKey struct{}

func taskOf(ctx context.Context) *task {
	k, _ := ctx.Value(taskKey{}).(*task)
	return k
}

// spawn starts a task on a replica.
func (s *sim) spawn(rep *replica, name string, run func(ctx context.Context, k *task)) {
	s.serial++
	k := &task{id: s.serial, name: name, rep: rep, began: time.Now()}
	ctx := context.Background()
	if rep != nil {
		k.life, ctx = rep.life, rep.life.ctx
	}
	s.launch(ctx, k, run)
}

func (s *sim) launch(ctx context.Context, k *task, run func(ctx context.Context, k *task)) {
	s.tasks = append(s.tasks, k)
	ctx = context.WithValue(ctx, taskKey{}, k)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				s.mu.Lock()
				s.wrong = append(s.wrong, fmt.Sprintf("%s: panic: %v\n%s", k.name, r, debug.Stack()))
				s.mu.Unlock()
			}
			s.mu.Lock()
			k.done = true
			s.mu.Unlock()
		}()
		run(ctx, k)
	}()
}

// gate stops the calling task until the scheduler lets it do its next effect. A
// task of a killed replica ends here and never gets to do it. Without a task (the
// checker looks) there is nothing to wait for.
func (s *sim) gate(ctx context.Context, label string) *task {
	k := taskOf(ctx)
	if k != nil && !s.turn(k, label) {
		runtime.Goexit()
	}
	return k
}

// turn is gate for those who may not end just so: it is false if the task's replica
// was killed.
func (s *sim) turn(k *task, label string) bool {
	w := &waiter{k: k, label: label, go_: make(chan struct{})}
	if !s.wait(w) {
		return false
	}
	<-w.go_
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.isDead(k)
}

// wait puts somebody in line; not a dead one.
func (s *sim) wait(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDead(w.k) {
		return false
	}
	s.waiting = append(s.waiting, w)
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	return true
}

// isDead is under the lock.
func (s *sim) isDead(k *task) bool { return s.ended || k.life != nil && k.life.dead }

// sleep lets virtual time pass. A task that wakes by a timer of its own runs while
// the scheduler sleeps: the lock tells the race detector that the one comes after
// the other.
func (s *sim) sleep(d time.Duration) {
	s.fence()
	time.Sleep(d)
}

// nap is sleep that ends, and is false, once the edge has something to do: it works
// when Slack calls, and not when the scheduler looks.
func (s *sim) nap(d time.Duration) bool {
	if s.edge == nil {
		s.sleep(d)
		return true
	}
	s.fence()
	select {
	case <-s.arrived:
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.arrived:
		return false
	}
}

func (s *sim) fence() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

// runnable are the waiters that may go on now, in an order that does not depend
// on which goroutine got to its gate first.
func (s *sim) runnable() []*waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool { return w.went })
	s.tasks = slices.DeleteFunc(s.tasks, func(k *task) bool { return k.done })
	slices.SortFunc(s.waiting, func(a, b *waiter) int {
		if a.k.id != b.k.id {
			return a.k.id - b.k.id
		}
		return strings.Compare(a.label, b.label)
	})
	var free []*waiter
	for _, w := range s.waiting {
		if w.k.rep == nil || !time.Now().Before(w.k.rep.frozen) {
			free = append(free, w)
		}
	}
	return free
}

func (s *sim) resume(w *waiter) {
	w.went = true
	if w.come != nil {
		w.come()
		return
	}
	close(w.go_)
}

// kill ends all tasks of a replica at the effect before which each stands, and
// with them all that the replica had in memory.
func (s *sim) kill(rep *replica) {
	rep.up, rep.frozen = false, time.Time{}
	s.mu.Lock()
	rep.life.dead = true
	waiting := slices.Clone(s.waiting)
	s.mu.Unlock()
	if p := rep.life.phone; p != nil {
		p.hangUp()
	}
	for _, w := range waiting {
		if w.k.rep == rep && !w.went {
			s.resume(w)
		}
	}
}
