package flowsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// The people and places.
const (
	workspaceID = "T0SIM"
	botUser     = "U0BOT"
	groupID     = "TASK"
	room        = "C0ROOM"
	dataRoom    = "C0DATA"

	ann, ben = "U0ANN", "U0BEN" // they ask
	lea, leo = "U0LEA", "U0LEO" // leads
	fay      = "U0FAY"          // finops, and a lead
	oncall   = "U0ONCALL"
	gus      = "U0GUS" // a guest in the group of leads
	nobody   = "U0NOBODY"

	expireAfter = 25 * time.Minute
)

// world is what the people of a run know and did.
type world struct {
	ids       int
	flows     int
	asks      map[string]flow.Flow // accepted by a script, by id: as it was recorded
	askedAt   map[string]time.Time
	promised  map[string]bool // somebody read that it was taken
	forgotten map[string]bool // it was in a second that Redis lost
	pressed   []press
	decided   map[string][]decision // about unknown flows
	lost      []span                // seconds that Redis lost
	deleted   map[string]bool       // flow/plan whose card somebody deleted
	frozen    []span
	looked    map[string]time.Time // when people first saw the card as unknown
	mind      map[string]int       // how the approvers think of a flow

	mandates    map[string]*signed         // that a script took
	signedBy    map[string]map[string]bool // by delivery: the mandates that somebody read were signed by it
	saidRevoked map[string]time.Time       // when somebody read that a mandate was revoked
	intents     map[string]*intent         // by flow
	steered     map[string][]steered       // by flow: presses that a script took
	madeOf      map[string]int             // by flow: how many of them were made
	renewed     map[string][]renewed       // by flow: decisions that a script took
	out         map[string]time.Time       // by channel: until when the bot is not in it
	refused     map[string]bool            // messages that Slack refused because of it
}

type span struct {
	from, to time.Time
	cluster  string    // of a freeze
	seen     time.Time // of a lost second: when it was noticed, by the clock of who did
}

type press struct {
	at       time.Time
	flow     string
	user     string
	plan     int
	planHash string
	choice   approvals.Choice
}

// decision is what a person said about an unknown flow, right or wrong.
type decision struct {
	at    time.Time
	kind  flow.SignalKind
	wrong bool
}

func (w *world) newID() string {
	w.ids++
	return fmt.Sprintf("F-%04d", w.ids)
}

// cast makes the workspace, the clouds and the config.
func (s *sim) cast() {
	s.world = world{
		asks: map[string]flow.Flow{}, askedAt: map[string]time.Time{}, promised: map[string]bool{}, forgotten: map[string]bool{},
		decided: map[string][]decision{}, deleted: map[string]bool{}, looked: map[string]time.Time{}, mind: map[string]int{},
		mandates: map[string]*signed{}, signedBy: map[string]map[string]bool{}, saidRevoked: map[string]time.Time{}, intents: map[string]*intent{},
		steered: map[string][]steered{}, madeOf: map[string]int{}, renewed: map[string][]renewed{},
		out: map[string]time.Time{}, refused: map[string]bool{},
	}
	groups := map[string][]string{"S0LEADS": {lea, leo, fay, gus, ann}, "S0FINOPS": {fay}}
	if s.Edge {
		s.edge = newEdge(s, groups)
		s.slack = s.edge
	} else {
		s.slack = &slackTeam{s: s, people: map[string]approvals.Person{gus: {ID: gus, Found: true, Guest: true}}, groups: groups}
	}
	s.castBudgets()
	s.rules = s.theRules()
	policy, problems := approvals.Compile(s.rules)
	if len(problems) > 0 {
		panic(fmt.Sprint("flowsim: ", problems))
	}
	s.policy = policy
	s.renderer = card.New(card.Options{Groups: s.rules.Groups, Approve: policy.Approve(), Deny: policy.Deny(), Spell: s.spell()})
	s.clouds, s.catalog = map[string]*cloud{}, flow.Catalog{}
	if s.Real != nil {
		s.catalog = s.Real.Catalog
		for _, c := range s.catalog {
			s.clouds[c.Account] = &cloud{s: s, account: c.Account, cluster: c.ID, group: c.Groups["task"].ID}
		}
		s.mood.console, s.mood.prices = 0, 0
		return
	}
	for _, c := range []struct {
		name  string
		style style
	}{{"emr", byToken}, {"ack", byTask}, {"mrs", byState}} {
		cl := &cloud{s: s, account: "acc-" + c.name, style: c.style, cluster: c.name + "-1", group: groupID, price: 1, known: true}
		cl.grow(8)
		s.clouds[cl.account] = cl
		most, step := 40, 10
		s.catalog[c.name] = flow.Cluster{
			Name: c.name, ID: cl.cluster, Account: cl.account, Kind: "sim", Channels: []string{dataRoom}, Labels: s.labels(c.name),
			Groups: map[string]flow.Group{"task": {Name: "task", ID: groupID, Min: 1, Max: &most, MaxStep: &step, Charge: providers.Postpaid}},
		}
	}
}

func (s *sim) cluster(name string) *cloud { return s.clouds[s.catalog[name].Account] }

// plan lays out what people will do and what will go wrong, each in its time.
func (s *sim) plan() {
	clusters := s.catalog.Names()
	// Few clusters for many requests, so that they meet.
	clusters = clusters[s.rng.IntN(len(clusters)):]
	for range 2 + s.rng.IntN(5) {
		name := clusters[s.rng.IntN(len(clusters))]
		s.at(s.between(0, busyTime*2/3), func() { s.request(name) })
	}
	for _, x := range []struct {
		n    int
		what func()
	}{
		{s.mood.older, s.comeBackOlder},
		{s.mood.away, func() {
			s.away = time.Now().Add(s.between(200*time.Millisecond, 40*time.Second))
			s.log(nil, "Redis", "is away until "+s.away.Sub(s.t0).Round(time.Second).String())
		}},
		{s.mood.console, func() { s.console(clusters[s.rng.IntN(len(clusters))]) }},
		{s.mood.prices, func() {
			c := s.cluster(clusters[s.rng.IntN(len(clusters))])
			c.price, c.known = int64(1+s.rng.IntN(9)), s.rng.IntN(4) > 0
			s.log(nil, c.account, fmt.Sprintf("a node costs %d (known: %v)", c.price, c.known))
		}},
		{s.mood.moves, s.joinOrLeave},
		{s.mood.freezes, func() { s.freezeCluster(clusters[s.rng.IntN(len(clusters))]) }},
	} {
		for range x.n {
			s.at(s.between(time.Second, busyTime), func() {
				if !s.calm {
					x.what()
				}
			})
		}
	}
	s.at(s.between(time.Second, 10*time.Second), s.people)
	if s.edge != nil {
		s.edge.plan()
	}
}

// someone is a replica that people's events reach now; nil while there is none.
func (s *sim) someone() *replica {
	var up []*replica
	for _, r := range s.replicas {
		if r.up && !r.frozen.After(time.Now()) {
			up = append(up, r)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[s.rng.IntN(len(up))]
}

// request is a person typing a command, which Slack may deliver twice.
func (s *sim) request(cluster string) {
	n := 1 + s.rng.IntN(3)
	a := flow.Ask{Cluster: cluster, Group: "task", Op: pick(s, flow.Add, flow.Add, flow.Add, flow.Remove, flow.Set), N: n, Reason: "because"}
	user := pick(s, ann, ann, ben, lea)
	switch {
	case a.Op == flow.Set:
		a.N = 6 + s.rng.IntN(6)
	case a.Op == flow.Add && s.rng.IntN(3) == 0:
		a.Charge, a.Months = providers.Prepaid, 1
	}
	if s.rng.IntN(6) == 0 {
		a.StartAt = time.Now().Add(s.between(time.Minute, 8*time.Minute))
	}
	if s.rng.IntN(10) == 0 {
		user, a.BreakGlass = oncall, true
	}
	s.slack.ask(user, a)
}

func (t *slackTeam) ask(user string, a flow.Ask) {
	s := t.s
	s.serial++
	c := flow.Caller{User: user, Workspace: workspaceID, Channel: room, Language: "en", Dedupe: fmt.Sprint("d", s.serial), Raw: "typed"}
	s.deliver(c, a, 0)
	if s.chance(s.mood.doubled) {
		s.at(s.between(0, 3*time.Second), func() { s.deliver(c, a, 0) })
	}
}

func (s *sim) deliver(c flow.Caller, a flow.Ask, tries int) {
	again := func() {
		if tries < 6 {
			s.at(s.between(time.Second, 20*time.Second), func() { s.deliver(c, a, tries+1) })
		}
	}
	r := s.someone()
	if r == nil {
		again()
		return
	}
	desk := r.desk
	s.spawn(r, "ask "+c.User, func(ctx context.Context, k *task) {
		got, err := desk.Request(ctx, c, a)
		var no *flow.Rejection
		switch {
		case err == nil:
			s.log(k, "ask", fmt.Sprintf("%s %s %s%d is %s", a.Cluster, c.User, a.Op, a.N, got.Flow.ID))
			s.world.promised[got.Flow.ID] = true
		case errors.As(err, &no):
			s.log(k, "ask", "no: "+string(no.Code))
			if no.Code == flow.RejectStore || no.Code == flow.RejectPerson {
				again()
			}
		default:
			s.log(k, "ask", "in doubt: "+err.Error())
			again() // the edge asks for the outcome; the person's client delivers again
		}
	})
}

// recorded notes what a script took.
func (s *sim) recorded(f flow.Flow) {
	s.world.asks[f.ID], s.world.askedAt[f.ID] = f, time.Now()
}

// signalled notes a vote that a script took.
func (s *sim) signalled(id string, sig flow.Signal) {
	p := press{at: time.Now(), flow: id, user: sig.By, plan: sig.Plan, planHash: sig.PlanHash}
	switch sig.Kind {
	case flow.SignalApprove:
		p.choice = approvals.Approve
	case flow.SignalDeny:
		p.choice = approvals.Deny
	case flow.SignalTakeBack:
		p.choice = approvals.TakenBack
	case flow.SignalCancel, flow.SignalPause, flow.SignalResume, flow.SignalStop, flow.SignalHappened, flow.SignalRetry, flow.SignalClose, flow.SignalHalt:
		return
	}
	s.world.pressed = append(s.world.pressed, p)
}

// standing are the votes by button on record for a flow, the last one of each
// person and plan.
func (s *sim) standing(id string) []press {
	var out []press
	for _, p := range s.world.pressed {
		if p.flow != id {
			continue
		}
		out = slices.DeleteFunc(out, func(o press) bool { return o.user == p.user && o.plan == p.plan })
		out = append(out, p)
	}
	return out
}

// forgotten takes back what was recorded in a second that Redis lost.
func (s *sim) forgotten(since time.Time) {
	s.world.lost = append(s.world.lost, span{from: since, to: time.Now()})
	s.world.pressed = slices.DeleteFunc(s.world.pressed, func(p press) bool { return !p.at.Before(since) })
	s.world.frozen = slices.DeleteFunc(s.world.frozen, func(z span) bool { return !z.from.Before(since) })
	s.loseMoney(since)
	for id, at := range s.world.askedAt {
		if !at.Before(since) {
			s.world.forgotten[id] = true
		}
	}
}

func (s *sim) console(name string) {
	c := s.cluster(name)
	if c.busy() {
		return
	}
	delta := pick(s, -1, 1, 1, 2)
	op := c.begin(delta, nil, "")
	c.ledger = append(c.ledger, entry{at: time.Now(), console: true, accepted: true, op: op})
	s.log(nil, c.account, fmt.Sprintf("somebody resizes by %+d in the console", delta))
}

func (s *sim) freezeCluster(name string) {
	r := s.someone()
	if r == nil {
		return
	}
	s.slack.freeze(r, name, s.between(time.Minute, 6*time.Minute))
}

func (t *slackTeam) freeze(r *replica, name string, last time.Duration) {
	s, desk, began := t.s, r.desk, time.Now()
	s.spawn(r, "freeze "+name, func(ctx context.Context, k *task) {
		_, err := desk.Freeze(ctx, flow.Caller{User: leo, Workspace: workspaceID, Channel: room}, name, last, "release")
		s.froze(k, name, began, last, err)
	})
}

// froze notes what came of freezing a cluster.
func (s *sim) froze(k *task, name string, began time.Time, last time.Duration, err error) {
	s.log(k, "freeze", fmt.Sprintf("%s for %s: %s", name, last, said(err)))
	if err == nil {
		s.world.frozen = append(s.world.frozen, span{from: time.Now(), to: began.Add(last), cluster: name})
	}
}

// tell is an event of Slack: some replica hears of it, or none.
func (s *sim) tell(m *message) {
	for range 2 {
		if r := s.someone(); r != nil && !s.out(m.Message.Channel) && !s.chance(s.mood.dropped) {
			desk, ref := r.desk, m.ref
			s.spawn(r, "touched", func(ctx context.Context, k *task) {
				_ = desk.Touched(ctx, ref) // an event is only a wake
			})
		}
		if !s.chance(s.mood.doubled) {
			return
		}
	}
}

// people look at Slack now and then, and do something about what it shows.
func (s *sim) people() {
	if time.Since(s.t0) < patience {
		s.at(s.between(4*time.Second, 30*time.Second), s.people)
	}
	s.renewals()
	newest := map[string]*message{}
	for _, m := range s.slack.all() {
		if m.plan() >= 0 && !m.deleted && m.private == "" {
			if was := newest[m.flow()]; was == nil || m.plan() >= was.plan() {
				newest[m.flow()] = m
			}
		}
	}
	ids := make([]string, 0, len(newest))
	for id := range newest {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		s.lookAt(newest[id])
	}
}

func (s *sim) lookAt(m *message) {
	id := m.flow()
	mind, made := s.world.mind[id]
	if !made {
		mind = s.rng.IntN(100)
		s.world.mind[id] = mind
	}
	if s.chance(s.mood.deletes / 20) {
		s.log(nil, m.Key, "somebody deletes the card of "+id)
		s.world.deleted[fmt.Sprint(id, "/", m.plan())] = true
		s.slack.remove(m)
		return
	}
	switch m.state() {
	case flow.AwaitingApproval:
		s.vote(m, mind)
	case flow.Scheduled, flow.Queued, flow.Planning:
		if mind > 92 && s.rng.IntN(6) == 0 {
			s.cancel(id)
		}
		if m.state() != flow.Planning && s.rng.IntN(25) == 0 {
			s.withdraw(m)
		}
		if m.state() == flow.Scheduled && mind > 60 && s.rng.IntN(12) == 0 {
			s.halt(id)
		}
	case flow.Unknown:
		seen, known := s.world.looked[id]
		if !known {
			s.world.looked[id] = time.Now()
		} else if time.Since(seen) > 2*time.Minute && s.rng.IntN(3) == 0 {
			s.settle(id)
		}
	case flow.Partial, flow.Failed, flow.Denied, flow.Expired:
		if mind%4 == 0 && !s.calm && s.rng.IntN(4) == 0 {
			s.again(id)
		}
	case flow.Running:
		delete(s.world.looked, id)
		s.steering(m)
	case flow.Submitting, flow.Refused, flow.Cancelled, flow.Succeeded:
		delete(s.world.looked, id)
	}
}

// vote is the approvers' doing on an open ballot: most of them agree in the end.
func (s *sim) vote(m *message, mind int) {
	if s.rng.IntN(3) == 0 {
		return
	}
	who := pick(s, lea, leo, fay, fay, lea, gus, ann, ben, nobody)
	switch {
	case mind < 8 && s.rng.IntN(4) == 0: // somebody is against it
		who = pick(s, lea, leo, fay)
		if s.rng.IntN(2) == 0 {
			s.press(m, who, approvals.Deny)
			return
		}
		s.log(nil, m.Key, fmt.Sprintf("%s says no to %s", who, m.flow()))
		s.slack.react(m, who, approvals.Deny)
	case mind > 95 && s.rng.IntN(4) == 0:
		s.cancel(m.flow())
		return
	case mind > 88: // nobody cares
		return
	case s.rng.IntN(7) == 0:
		s.withdraw(m)
		return
	case s.rng.IntN(4) == 0:
		s.press(m, who, approvals.Approve)
		return
	default:
		if slices.Contains(m.yes, who) {
			return
		}
		s.log(nil, m.Key, fmt.Sprintf("%s says yes to %s", who, m.flow()))
		s.slack.react(m, who, approvals.Approve)
	}
}

func (s *sim) withdraw(m *message) {
	if len(m.yes) > 0 {
		i := s.rng.IntN(len(m.yes))
		s.log(nil, m.Key, fmt.Sprintf("%s takes back the yes to %s", m.yes[i], m.flow()))
		s.slack.unreact(m, m.yes[i])
	}
}

func (t *slackTeam) react(m *message, who string, choice approvals.Choice) {
	on := &m.yes
	if choice == approvals.Deny {
		on = &m.no
	}
	*on = append(slices.DeleteFunc(*on, func(u string) bool { return u == who }), who)
	t.s.tell(m)
}

func (t *slackTeam) unreact(m *message, who string) {
	m.yes = slices.DeleteFunc(slices.Clone(m.yes), func(u string) bool { return u == who })
	t.s.tell(m)
}

func (t *slackTeam) remove(m *message) {
	m.deleted = true
	t.s.tell(m)
}

// press is a vote by button on the plan that the person sees.
func (s *sim) press(m *message, who string, choice approvals.Choice) {
	r := s.someone()
	if r == nil {
		return
	}
	s.slack.press(r, m, who, choice)
}

func (t *slackTeam) press(r *replica, m *message, who string, choice approvals.Choice) {
	s, desk, id, n := t.s, r.desk, m.flow(), m.plan()
	s.serial++
	c := flow.Caller{User: who, Workspace: workspaceID, Channel: room, Dedupe: fmt.Sprint("p", s.serial)}
	s.spawn(r, "press "+who, func(ctx context.Context, k *task) {
		v, err := desk.Vote(ctx, c, id, n, choice, "no money")
		s.log(k, "press", fmt.Sprintf("%s on %s plan %d: %s %s", choice, id, n, v.Choice, said(err)))
	})
}

func (s *sim) cancel(id string) {
	r := s.someone()
	if r == nil {
		return
	}
	s.slack.cancel(r, id, s.world.asks[id].Request.User)
}

func (t *slackTeam) cancel(r *replica, id, user string) {
	s, desk := t.s, r.desk
	s.spawn(r, "cancel "+user, func(ctx context.Context, k *task) {
		_, err := desk.Cancel(ctx, flow.Caller{User: user, Workspace: workspaceID, Channel: room}, id)
		s.log(k, "cancel", id+": "+said(err))
	})
}

// halt is the Stop of the grace time.
func (s *sim) halt(id string) {
	r := s.someone()
	if r == nil {
		return
	}
	s.slack.halt(r, id, pick(s, lea, leo, fay, s.world.asks[id].Request.User))
}

func (t *slackTeam) halt(r *replica, id, user string) {
	s, desk := t.s, r.desk
	s.spawn(r, "halt "+user, func(ctx context.Context, k *task) {
		_, err := desk.Halt(ctx, flow.Caller{User: user, Workspace: workspaceID, Channel: room}, id)
		s.log(k, "halt", id+": "+said(err))
	})
}

// again asks for what an ended flow left to do, or says that it is to stay so.
func (s *sim) again(id string) {
	r := s.someone()
	if r == nil {
		return
	}
	s.slack.again(r, id, s.rng.IntN(3) == 0)
}

func (t *slackTeam) again(r *replica, id string, keep bool) {
	s, desk := t.s, r.desk
	c := flow.Caller{User: ben, Workspace: workspaceID, Channel: room, Language: "en", Raw: "pressed"}
	s.spawn(r, "again", func(ctx context.Context, k *task) {
		if keep {
			_, err := desk.Keep(ctx, c, id)
			s.log(k, "keep", id+": "+said(err))
			return
		}
		got, err := desk.Again(ctx, c, id)
		s.log(k, "again", fmt.Sprintf("%s is %s: %s", id, got.Flow.ID, said(err)))
		if err == nil && got.Fresh {
			s.world.promised[got.Flow.ID] = true
		}
	})
}

// joinOrLeave moves a person in or out of a group, and may make somebody a guest.
func (s *sim) joinOrLeave() {
	group, user := pick(s, "S0LEADS", "S0FINOPS"), pick(s, lea, leo, ben, fay)
	users := slices.Clone(s.slack.members(group))
	if i := slices.Index(users, user); i >= 0 {
		users = slices.Delete(users, i, i+1)
	} else {
		users = append(users, user)
	}
	s.slack.regroup(group, users)
	s.log(nil, group, fmt.Sprintf("%s moves, now %v", user, users))
}

// happened is what the console shows of a flow's changes, for a person who looks:
// the operation of the newest one that was taken.
func (s *sim) happened(id string) (op *operation, running bool) {
	for _, c := range s.clouds {
		c.progress()
		for _, e := range c.ledger {
			if e.accepted && !e.console && ownerOf(e.sub.Token, id) {
				op = e.op
			}
		}
	}
	return op, op != nil && !op.applied
}

// ownerOf reports whether a token is of one of a flow's attempts.
func ownerOf(token, id string) bool {
	for n := 1; n <= 40; n++ {
		if providers.Token(workspaceID, id, n) == token {
			return true
		}
	}
	return false
}

// settle is a person who looked in the console and decides.
func (s *sim) settle(id string) {
	r := s.someone()
	if r == nil {
		return
	}
	op, _ := s.happened(id)
	kind, name := flow.SignalRetry, ""
	if op != nil {
		kind, name = flow.SignalHappened, op.id
		if c := s.cluster(s.world.asks[id].Request.Wish.Change.Cluster); c.style == byState {
			name = ""
		}
	}
	// Nobody watches an operation that never ends for ever: three of them in one line
	// would outlast the run.
	if s.rng.IntN(4) == 0 || len(s.world.decided[id]) >= 4 {
		kind = flow.SignalClose
	}
	d := decision{at: time.Now(), kind: kind}
	if s.chance(s.mood.liars) {
		d.kind, d.wrong = flow.SignalRetry, op != nil
	}
	s.slack.settle(r, id, pick(s, lea, oncall), d, name) // one of them is always in a group that may
}

func (t *slackTeam) settle(r *replica, id, user string, d decision, name string) {
	s, desk := t.s, r.desk
	s.spawn(r, "settle", func(ctx context.Context, k *task) {
		_, err := desk.Settle(ctx, flow.Caller{User: user, Workspace: workspaceID, Channel: room}, id, d.kind, name)
		s.settled(k, id, name, d, err)
	})
}

// settled notes what came of a decision about an unknown flow.
func (s *sim) settled(k *task, id, operation string, d decision, err error) {
	s.log(k, "settle", fmt.Sprintf("%s %s %s: %s", id, d.kind, operation, said(err)))
	var no *flow.Rejection
	if !errors.As(err, &no) {
		s.world.decided[id] = append(s.world.decided[id], d)
	}
}
