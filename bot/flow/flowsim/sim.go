package flowsim

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
)

// Disk is the database of one run and what can be done to it from outside. See
// redistest.
type Disk interface {
	Store() *redisstore.Store
	Wipe(ctx context.Context) error
	// Take reads all that is there; the func that it gives puts it back.
	Take(ctx context.Context) (restore func(context.Context) error, err error)
}

// Bug is a defect that a test plants into the product's surroundings, to see that
// the checker sees it. Each func is optional and wraps what one replica gets.
type Bug struct {
	Name  string
	Store func(flow.Store) flow.Store
	Cloud func(Provider) Provider
	Slack func(Slack) Slack
}

// Setup is one run.
type Setup struct {
	Seed uint64
	Disk Disk
	Bug  *Bug
	Real *Real // nil = the clouds of this package
	Edge bool  // the Slack edge as it is, on a local Slack; false = the Slack of this package
}

// Outcome is what came of a run.
type Outcome struct {
	Seed                 uint64
	Wrong                []string // promises that were not kept; none = all were
	Trace                []string // what happened, in order
	Flows, Sent, Unknown int      // flows on record, changes that clouds took, flows that a person had to decide
	Faults               int
	Lasted               time.Duration // virtual
}

// The times of a run.
const (
	busyTime  = 25 * time.Minute // in which people ask for things
	faultTime = 35 * time.Minute // after which nothing fails any more
	patience  = 4 * time.Hour    // within which everything must have come to an end
)

type sim struct {
	Setup
	rng   *rand.Rand
	more  *rand.Rand // of what came into the world later
	mood  mood
	calm  bool // faults have stopped
	t0    time.Time
	truth *redisstore.Store // the store as it is, without faults

	mu      sync.Mutex // of waiting and wrong: goroutines that a timer woke come together
	waiting []*waiter
	wrong   []string
	tasks   []*task
	serial  int
	faults  int
	looks   int // whether everything is over, once the faults have stopped
	ended   bool
	arrived chan struct{} // somebody came to a gate

	traceMu sync.Mutex // apart from mu: what a timer of the product woke is noted too
	trace   []string

	replicas []*replica
	clouds   map[string]*cloud
	slack    team
	edge     *edge // nil = slack is of this package
	policy   *approvals.Policy
	rules    approvals.Config
	catalog  flow.Catalog
	budgets  flow.Budgets
	renderer *card.Renderer

	events []event
	older  func(context.Context) error // what Redis will be when it comes back older; nil = nothing is planned
	since  time.Time                   // when that was taken
	away   time.Time                   // until when Redis does not answer

	world world
}

type event struct {
	at  time.Time
	n   int
	run func()
}

// replica is one process of the bot.
type replica struct {
	name   string
	skew   time.Duration
	up     bool
	life   *life
	frozen time.Time // until when it stands still
	engine *flow.Engine
	chat   *flow.Courier
	desk   *flow.Desk
	renew  *flow.Renewals
}

// Now is the replica's own clock.
func (r *replica) Now() time.Time { return time.Now().Add(r.skew) }

// Play plays one run. It must be called inside a synctest bubble, which it leaves
// empty.
func Play(setup Setup) Outcome {
	s := &sim{
		Setup: setup, rng: rand.New(rand.NewPCG(setup.Seed, 0x5ca1eb07)), more: rand.New(rand.NewPCG(setup.Seed, 0x90de7)), t0: time.Now(), truth: setup.Disk.Store(),
	}
	s.arrived = make(chan struct{}, 1)
	s.mood = s.newMood()
	if setup.Edge {
		s.mood.moreOf(s)
	}
	s.build()
	if err := setup.Disk.Wipe(context.Background()); err != nil {
		s.blame("the database can't be wiped: %v", err)
		return s.outcome()
	}
	s.log(nil, "mood", fmt.Sprintf("%+v", s.mood))
	s.plan()
	s.planMoney()
	s.drive()
	s.check()
	for _, r := range s.replicas {
		s.kill(r)
	}
	s.end()
	// Those that wait for a timer end when it fires and they come to a gate.
	s.sleep(10 * time.Minute)
	synctest.Wait()
	return s.outcome()
}

// end lets nobody pass a gate any more.
func (s *sim) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	if s.edge != nil {
		s.edge.close()
	}
	synctest.Wait()
	for _, w := range s.waiting {
		if !w.went {
			s.resume(w)
		}
	}
}

func (s *sim) outcome() Outcome {
	o := Outcome{Seed: s.Seed, Wrong: s.wrong, Trace: s.trace, Faults: s.faults, Flows: s.world.flows, Unknown: len(s.world.decided), Lasted: time.Since(s.t0)}
	for _, c := range s.clouds {
		for _, e := range c.ledger {
			if e.accepted {
				o.Sent++
			}
		}
	}
	return o
}

// blame notes a broken promise.
func (s *sim) blame(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.wrong, text) {
		s.wrong = append(s.wrong, text)
		s.line(s.stamp() + " WRONG: " + text)
	}
}

func (s *sim) stamp() string {
	d := time.Since(s.t0)
	return fmt.Sprintf("%02d:%02d:%06.3f", int(d.Hours()), int(d.Minutes())%60, d.Seconds()-60*float64(int(d.Minutes())))
}

// log adds a line to the trace.
func (s *sim) log(k *task, what, how string) {
	who := "world"
	if k != nil {
		who = k.name
		if k.rep != nil {
			who = k.rep.name + " " + k.name
		}
	}
	s.line(fmt.Sprintf("%s  %-26s %s: %s", s.stamp(), who, what, how))
}

func (s *sim) line(text string) {
	s.traceMu.Lock()
	defer s.traceMu.Unlock()
	s.trace = append(s.trace, text)
}

// at plans something for later.
func (s *sim) at(after time.Duration, run func()) {
	s.serial++
	s.events = append(s.events, event{at: time.Now().Add(after), n: s.serial, run: run})
	slices.SortStableFunc(s.events, func(a, b event) int { return cmp.Or(a.at.Compare(b.at), a.n-b.n) })
}

// build makes clouds, Slack and replicas.
func (s *sim) build() {
	s.cast()
	for i := range s.mood.replicas {
		r := &replica{name: fmt.Sprintf("r%d", i+1)}
		if s.mood.skew > 0 {
			r.skew = s.between(-s.mood.skew, s.mood.skew)
		}
		s.replicas = append(s.replicas, r)
		s.start(r)
	}
}

// start makes a replica anew: nothing in memory is left of what it was.
func (s *sim) start(r *replica) {
	var st flow.Store = &store{Store: s.truth, s: s}
	clouds := s.providersOf(r)
	r.life = &life{ctx: context.Background()}
	var team Slack
	if s.edge != nil {
		team = s.edge.connect(r)
	} else {
		team = &workspace{slackTeam: s.slack.(*slackTeam)}
	}
	if b := s.Bug; b != nil {
		if b.Store != nil {
			st = b.Store(st)
		}
		for name, p := range clouds {
			if b.Cloud != nil {
				clouds[name] = b.Cloud(p)
			}
		}
		if b.Slack != nil {
			team = b.Slack(team)
		}
	}
	o := flow.Options{
		Store: st, Clouds: clouds, Ballots: team, Directory: team, Chat: team, Renderer: s.renderer,
		Quota: &quota{Quota: s.truth.Quota(), st: &store{Store: s.truth, s: s}},
		Clock: r, Logger: slog.New(slog.DiscardHandler),
		Catalog: s.catalog, Budgets: s.budgets, Policy: s.policy, Approvals: s.rules, Workspace: workspaceID, Bot: botUser,
		NewID: s.world.newID, Lease: lease, CallTimeout: callTimeout, PollMin: 3 * time.Second, PollMax: 20 * time.Second,
		Memory: flow.NewMemory(), Reborn: s.reborn, Restarted: s.restarted, RemindAfter: 6 * time.Minute, Grace: s.mood.grace, Doubt: 3 * time.Minute, Follow: 20 * time.Minute, Workers: 4,
	}
	if s.mood.terms {
		o.RenewalReminders = reminders
	}
	r.engine, r.chat, r.desk, r.renew = flow.NewEngine(o), flow.NewCourier(o), flow.NewDesk(o, nil), flow.NewRenewals(o)
	if s.edge != nil {
		s.edge.run(r)
		return
	}
	r.up = true
}

// The times of the engine, as in config's defaults.
const (
	lease       = 30 * time.Second
	callTimeout = 20 * time.Second
)

// drive runs the world until everything has come to an end.
func (s *sim) drive() {
	for {
		s.fence()
		s.thaw()
		synctest.Wait()
		if !s.calm && time.Since(s.t0) > faultTime {
			s.calmDown()
		}
		free := s.runnable()
		if len(free) > 0 && s.rng.IntN(16) > 0 {
			w := free[s.rng.IntN(len(free))]
			switch {
			case w.k.rep == nil:
				s.resume(w)
			case s.chance(s.mood.crash):
				s.crash(w)
			case s.chance(s.mood.freeze):
				s.freeze(w)
			default:
				s.resume(w)
			}
			continue
		}
		if s.happen() {
			continue
		}
		if len(free) > 0 {
			s.sleep(s.between(time.Millisecond, 200*time.Millisecond))
			continue
		}
		due := s.schedule()
		if over, why := s.over(due); over {
			if why != "" {
				s.blame("%s", why)
			}
			return
		}
		s.idle(due)
	}
}

// happen runs what was planned for now.
func (s *sim) happen() bool {
	if len(s.events) == 0 || s.events[0].at.After(time.Now()) {
		return false
	}
	e := s.events[0]
	s.events = s.events[1:]
	e.run()
	return true
}

func (s *sim) crash(w *waiter) {
	r := w.k.rep
	s.log(w.k, w.label, "KILLED before it")
	s.kill(r)
	s.at(s.between(time.Second, 40*time.Second), func() {
		if r.life.dead {
			s.log(nil, r.name, "starts again")
			s.start(r)
		}
	})
}

func (s *sim) freeze(w *waiter) {
	r, last := w.k.rep, s.between(5*time.Second, 75*time.Second)
	r.frozen = time.Now().Add(last)
	if p := r.life.phone; p != nil {
		p.lines.stop(true)
	}
	s.log(w.k, w.label, fmt.Sprintf("the replica stands still for %s before it", last.Round(time.Second)))
}

// thaw lets those that stood still hear from Slack again.
func (s *sim) thaw() {
	for _, r := range s.replicas {
		if p := r.life.phone; p != nil && p.lines.still() && !time.Now().Before(r.frozen) {
			p.lines.stop(false)
		}
	}
}

// calmDown ends all faults: from here on everything must come right.
func (s *sim) calmDown() {
	s.calm, s.away = true, time.Time{}
	s.log(nil, "calm", "no more faults")
	if s.edge != nil {
		s.edge.calm()
	}
	for _, r := range s.replicas {
		r.frozen = time.Time{}
		if r.life.dead {
			s.start(r)
		}
	}
}

// due is when the next look of each lane comes, of flows that have one.
type due map[flow.Lane]time.Time

func (s *sim) schedule() due {
	next := due{}
	for _, lane := range s.lanes() {
		all, err := s.truth.Schedule(context.Background(), lane)
		if err != nil {
			s.blame("the schedule can't be read: %v", err)
		}
		for _, at := range all {
			if first, some := next[lane]; !some || at.Before(first) {
				next[lane] = at
			}
		}
	}
	return next
}

// idle lets time go by until something is due, and lets replicas look for work.
func (s *sim) idle(lanes due) {
	now := time.Now()
	next := now.Add(15 * time.Second)
	if len(s.events) > 0 && s.events[0].at.Before(next) {
		next = s.events[0].at
	}
	for _, r := range s.replicas {
		if r.frozen.After(now) && r.frozen.Before(next) {
			next = r.frozen
		}
	}
	for _, at := range lanes {
		if at.Before(next) {
			next = at
		}
	}
	if next.Before(now) {
		next = now
	}
	if len(s.events) == 0 || s.events[0].at.After(next) {
		next = next.Add(s.between(20*time.Millisecond, 900*time.Millisecond))
	}
	if len(s.events) > 0 && s.events[0].at.Before(next) {
		next = s.events[0].at
	}
	if !s.nap(max(time.Until(next), time.Millisecond)) {
		return
	}
	for _, r := range s.replicas {
		if !r.up || r.frozen.After(time.Now()) {
			continue
		}
		if s.rng.IntN(3) == 0 {
			engine, renew := r.engine, r.renew
			s.spawn(r, "recheck", func(ctx context.Context, _ *task) {
				engine.Recheck(ctx)
				if s.mood.terms {
					renew.Recheck(ctx)
				}
			})
		}
		for _, lane := range s.lanes() {
			if at, some := lanes[lane]; some && !at.After(r.Now()) && s.rng.IntN(3) > 0 {
				s.poll(r, lane)
			}
		}
	}
}

// poll is one look of a replica for due flows, each then stepped by itself.
func (s *sim) poll(r *replica, lane flow.Lane) {
	engine, chat, renew := r.engine, r.chat, r.renew
	most := 1 + s.rng.IntN(4)
	s.spawn(r, "poll "+string(lane), func(ctx context.Context, k *task) {
		claims, err := engine.Store.Claim(ctx, lane, r.Now(), lease, most)
		if err != nil {
			return
		}
		for _, c := range claims {
			s.spawn(r, fmt.Sprintf("%s %s", lane, c.ID), func(ctx context.Context, k *task) {
				step := engine.Step
				switch lane {
				case flow.LaneStep:
				case flow.LaneChat:
					step = chat.Step
				case flow.LaneRenew:
					step = renew.Step
				}
				if err := step(ctx, c); err != nil {
					s.note(k, err)
				}
			})
		}
	})
}

// note keeps how a step failed, for the trace.
func (s *sim) note(k *task, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log(k, "step", err.Error())
}

// over says whether everything has come to an end, or why it never will.
func (s *sim) over(next due) (bool, string) {
	if !s.calm {
		return false, ""
	}
	s.looks++
	late := time.Since(s.t0) > patience
	_, steps := next[flow.LaneStep]
	if steps && !late && s.looks%16 != 0 {
		return false, "" // a flow that has ended is not looked at any more
	}
	ctx := context.Background()
	open, err := s.truth.List(ctx, flow.Filter{Open: true, Limit: 1000})
	if err != nil {
		return true, "flows can't be listed: " + err.Error()
	}
	if late {
		var left []string
		for _, f := range open {
			left = append(left, fmt.Sprintf("%s %s wait %+v", f.ID, f.State, f.Wait))
		}
		return true, "not everything has come to an end: " + strings.Join(left, "; ")
	}
	s.scheduled(ctx, open)
	if chat, some := next[flow.LaneChat]; len(open) > 0 || some && time.Until(chat) < s.chatRest() {
		return false, ""
	}
	if at, some := next[flow.LaneRenew]; some && time.Until(at) < 30*time.Minute {
		return false, ""
	}
	// What is still planned is people looking at Slack, where there is nothing left
	// to do. What Redis or a cloud had received has long arrived.
	if slices.ContainsFunc(s.tasks, func(k *task) bool { return !k.edge }) {
		return false, ""
	}
	return time.Since(s.t0) > faultTime+2*time.Minute && (s.edge == nil || s.edge.quiet()), ""
}

// scheduled holds every open flow to promise 2.
func (s *sim) scheduled(ctx context.Context, open []flow.Flow) {
	due, err := s.truth.Schedule(ctx, flow.LaneStep)
	if err != nil {
		s.blame("the schedule can't be read: %v", err)
		return
	}
	for _, f := range open {
		if at, some := due[f.ID]; !some || time.Until(at) > 2*time.Hour {
			s.blame("%s in %s has no next look", f.ID, f.State)
		}
	}
}

// reborn is when Redis last came back older, as a server whose run id is another
// one tells; nothing that Durable vouched for is lost to one that waits for its
// disk.
func (s *sim) reborn(ctx context.Context) (time.Time, error) {
	st := &store{Store: s.truth, s: s}
	at := time.Time{}
	err := st.op(ctx, "Reborn", false, func(context.Context) error {
		if at = s.seenBy(ctx); s.mood.aof {
			at = time.Time{}
		}
		return nil
	})
	return at, err
}

// restarted is reborn for what nobody waited for to be on disk.
func (s *sim) restarted(ctx context.Context) (at time.Time, err error) {
	st := &store{Store: s.truth, s: s}
	err = st.op(ctx, "Restarted", false, func(context.Context) error {
		at = s.seenBy(ctx)
		return nil
	})
	return at, err
}

// seenBy is when Redis last came back older, by the clock of whoever asked first.
func (s *sim) seenBy(ctx context.Context) time.Time {
	n := len(s.world.lost)
	if n == 0 {
		return time.Time{}
	}
	last := &s.world.lost[n-1]
	if last.seen.IsZero() {
		last.seen = time.Now()
		if k := taskOf(ctx); k != nil && k.rep != nil {
			last.seen = k.rep.Now()
		}
	}
	return last.seen
}

// takeImage keeps what Redis holds now, for when it comes back older.
func (s *sim) takeImage() error {
	restore, err := s.Disk.Take(context.Background())
	if err != nil {
		s.blame("Redis can't be read: %v", err)
		return err
	}
	s.older, s.since = restore, time.Now()
	return nil
}

// comeBackOlder crashes Redis: it loses up to a second and is away for a moment.
func (s *sim) comeBackOlder() {
	s.at(0, func() {
		if s.calm || s.older != nil || s.takeImage() != nil {
			return
		}
		s.at(s.between(50*time.Millisecond, time.Second), func() {
			restore, since := s.older, s.since
			s.older = nil
			if s.calm {
				return
			}
			s.faults++
			if err := restore(context.Background()); err != nil {
				s.blame("Redis can't be put back: %v", err)
			}
			s.log(nil, "Redis", fmt.Sprintf("IS BACK, %s OLDER", time.Since(since).Round(time.Millisecond)))
			s.forgotten(since)
			if s.rng.IntN(2) == 0 {
				s.away = time.Now().Add(s.between(100*time.Millisecond, 4*time.Second))
			}
		})
	})
}
