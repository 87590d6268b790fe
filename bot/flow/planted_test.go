//go:build planted

package flow_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowsim"
	"scalebot/bot/redisstore/redistest"
	"scalebot/providers"
)

// A planted bug breaks one promise, from outside: in what the product is given, or
// in a script on its way to Redis. The product itself has no hook for it.
type plantedBug struct {
	name   string
	plant  func() flowsim.Bug // anew for each run: some remember
	script [2]string          // a text in a script, and what stands there instead
	wrong  string             // what the checker must say of it
}

var plantedBugs = []plantedBug{
	{name: "a request is said to be taken that could not be recorded", plant: bugStore(func(s flow.Store) flow.Store { return forgetful{s} }),
		wrong: `no script ever took it`},
	{name: "the intent is saved after the call", plant: bugStore(func(s flow.Store) flow.Store { return &afterwards{Store: s} }),
		wrong: `intent|done 2 times`},
	{name: "the intent is saved after the call, seen by what comes of it", plant: bugStore(func(s flow.Store) flow.Store { return &afterwards{Store: s} }),
		wrong: `done 2 times`},
	{name: "a token at random", plant: bugCloud(func(p providers.Provider) providers.Provider { return &random{Provider: p} }),
		wrong: `token belongs to no request`},
	{name: "another token at each repeat", plant: bugCloud(func(p providers.Provider) providers.Provider { return &otherToken{Provider: p} }),
		wrong: `done 2 times`},
	{name: "a lost answer is taken for a refusal", plant: bugCloud(func(p providers.Provider) providers.Provider { return certain{p} }),
		wrong: `done \d+ times`},
	{name: "what nobody can tell is taken for a proof", plant: bugCloud(func(p providers.Provider) providers.Provider { return sure{p} }),
		wrong: `done \d+ times`},
	{name: "the ballot is not read again before sending", plant: bugSlack(func(s flowsim.Slack) flowsim.Slack {
		return &remembers{Slack: s, first: map[flow.MessageRef][]approvals.Reaction{}}
	}), wrong: `sent without the people`},
	{name: "the votes on a void plan count", plant: func() flowsim.Bug {
		cards := map[string][]flow.MessageRef{}
		return flowsim.Bug{Slack: func(s flowsim.Slack) flowsim.Slack { return &inherits{Slack: s, cards: cards} }}
	}, wrong: `sent without the people`},
	{name: "a guest's vote counts", plant: bugSlack(func(s flowsim.Slack) flowsim.Slack { return everybodyIsIn{s} }),
		wrong: `sent without the people`},
	// The script looks once more, so it has to be blind too.
	{name: "a freeze is not seen", plant: bugStore(func(s flow.Store) flow.Store { return unfrozen{s} }),
		script: [2]string{"if (frozen and cjson.decode(frozen).since or '') ~= ARGV[22] then return 'stale' end", ""},
		wrong:  `while its cluster was frozen`},
	{name: "a message whose answer was lost is not looked for", plant: bugSlack(func(s flowsim.Slack) flowsim.Slack { return blind{s} }),
		wrong: `stands \d+ times`},
	{name: "an edit that failed is taken for done", plant: bugSlack(func(s flowsim.Slack) flowsim.Slack { return hopeful{s} }),
		wrong: `in Slack is not the flow's`},
	{name: "a lost lease and a record that moved on stop nobody", script: [2]string{
		"if f[3] ~= ARGV[3] then return 'lost' end\nif f[2] ~= ARGV[4] or f[1] ~= from then return 'stale' end\n", ""},
		wrong: `audit: .*(version|moved from|moves from|became)`},
	{name: "the seat is not looked at", script: [2]string{"if holds[to] then\n  if holder and", "if false then\n  if holder and"},
		plant: bugStore(func(s flow.Store) flow.Store { return alone{s} }), wrong: `on the same cluster`},
	{name: "a move without its audit entry", script: [2]string{"chain(KEYS[7], 24 + 4 * books)\n", ""},
		wrong: `audit: `},
	{name: "a move without a next look", script: [2]string{
		"redis.call('HDEL', KEYS[1], 'step.f', 'step.u', 'step.w')\n    redis.call('ZADD', KEYS[2], due, id)", "redis.call('ZREM', KEYS[2], id)"},
		wrong: `has no next look`},
	{name: "a move does not wake the chat lane", script: [2]string{"if ARGV[13] == '1' then wake(base, 'chat', id, now) end", ""},
		wrong: `in Slack is not the flow's|has no card|is missing`},
	{name: "a mandate that was revoked counts", plant: bugStore(func(s flow.Store) flow.Store { return unrevoked{s} }),
		wrong: `sent without the people`},
	{name: "what was taken of a mandate is not counted", plant: bugStore(func(s flow.Store) flow.Store { return endless{s} }),
		wrong: `were added under it|were spent under it`},
	{name: "the use of a mandate is told to nobody", plant: bugStore(func(s flow.Store) flow.Store { return discreet{s} }),
		wrong: `was not told that mandate`},
	{name: "what others took of a budget is not counted", plant: bugStore(func(s flow.Store) flow.Store { return rich{s} }),
		wrong: `spent without finops`},
	{name: "an end that made nothing frees no money", script: [2]string{"redis.call('HDEL', book, field)", ""},
		wrong: `takes nothing of it`},
	{name: "an approval reserves nothing", plant: bugStore(func(s flow.Store) flow.Store { return lavish{s} }),
		wrong: `has 0 reservations`},
	{name: "a pause is passed on as a stop", plant: bugCloud(func(p providers.Provider) providers.Provider { return final{p} }),
		wrong: `which nobody pressed`},
	{name: "what came short is taken for all of it", plant: bugCloud(func(p providers.Provider) providers.Provider { return content{p} }),
		wrong: `and its operation`},
	{name: "an end commits to nothing", plant: bugStore(func(s flow.Store) flow.Store { return gratis{s} }),
		wrong: `commitment: false`},
	{name: "an end commits to what was asked and not to what was made", plant: bugStore(func(s flow.Store) flow.Store { return whole{s} }),
		wrong: `and commits to`},
	{name: "two decisions about one renewal are both taken", script: [2]string{
		"if tonumber(c[2] or '0') + 1 ~= tonumber(ARGV[4]) then return 'stale' end", ""}, wrong: `was taken twice`},
	{name: "a ballot that can't be read without an invitation counts as empty", plant: bugSlack(func(s flowsim.Slack) flowsim.Slack { return unmoved{s} }),
		wrong: `without reading its ballot`},
}

func bugStore(f func(flow.Store) flow.Store) func() flowsim.Bug {
	return func() flowsim.Bug { return flowsim.Bug{Store: f} }
}

func bugCloud(f func(providers.Provider) providers.Provider) func() flowsim.Bug {
	return func() flowsim.Bug { return flowsim.Bug{Cloud: f} }
}

func bugSlack(f func(flowsim.Slack) flowsim.Slack) func() flowsim.Bug {
	return func() flowsim.Bug { return flowsim.Bug{Slack: f} }
}

// TestPlanted shows that the checker of TestSim sees: each planted bug is found
// within 500 seeds, as the promise that it breaks.
func TestPlanted(t *testing.T) {
	server := redistest.Start(t)
	disks := make(chan int, 8)
	for i := range cap(disks) {
		disks <- i
	}
	for _, bug := range plantedBugs {
		t.Run(bug.name, func(t *testing.T) {
			t.Parallel()
			disk := <-disks
			defer func() { disks <- disk }()
			looks := regexp.MustCompile(bug.wrong)
			began := time.Now()
			met := 0
			for seed := uint64(1); seed <= 500; seed++ {
				out := playPlanted(t, server, disk, seed, bug, &met)
				if bug.script[0] != "" && seed == 50 { // by then each script has run
					require.NotZero(t, met, "the text to change is in no script any more")
				}
				if i := slices.IndexFunc(out.Wrong, looks.MatchString); i >= 0 {
					t.Logf("found by seed %d after %s: %s", seed, time.Since(began).Round(time.Millisecond), out.Wrong[i])
					return
				}
				if len(out.Wrong) > 0 && seed < 20 {
					t.Logf("seed %d: %v", seed, strings.Join(out.Wrong, "; "))
				}
			}
			t.Errorf("not found within 500 seeds (the script was changed %d times)", met)
		})
	}
}

func playPlanted(t *testing.T, server redistest.Server, number int, seed uint64, bug plantedBug, met *int) (out flowsim.Outcome) {
	synctest.Test(t, func(t *testing.T) {
		disk := server.Disk(number)
		defer func() { _ = disk.Close() }() // the run is over
		setup := flowsim.Setup{Seed: seed, Disk: disk}
		if bug.plant != nil {
			setup.Bug = new(bug.plant())
		}
		n := func() int { return 0 }
		if bug.script[0] != "" {
			n = disk.Mutate(bug.script[0], bug.script[1])
		}
		out = flowsim.Play(setup)
		*met += n()
	})
	return out
}

// forgetful says that a request was taken whatever became of it.
type forgetful struct{ flow.Store }

func (s forgetful) Accept(ctx context.Context, f flow.Flow, dedupe string, lim flow.Limits) (string, bool, error) {
	id, fresh, err := s.Store.Accept(ctx, f, dedupe, lim)
	if err != nil && !errors.Is(err, flow.ErrInDoubt) && !errors.Is(err, flow.ErrIDTaken) {
		return f.ID, true, nil
	}
	return id, fresh, err
}

// afterwards saves the intent together with the answer.
type afterwards struct {
	flow.Store
	intent map[string]flow.Save
}

func (s *afterwards) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	if sv.Flow.State == flow.Submitting && sv.From == flow.Queued {
		if s.intent == nil {
			s.intent = map[string]flow.Save{}
		}
		s.intent[sv.Flow.ID] = sv
		f := sv.Flow
		f.Version++
		return f, nil
	}
	if intent, kept := s.intent[sv.Flow.ID]; kept {
		delete(s.intent, sv.Flow.ID)
		if _, err := s.Store.Save(ctx, c, intent); err != nil {
			return flow.Flow{}, err
		}
	}
	return s.Store.Save(ctx, c, sv)
}

// random sends each request with a token of its own.
type random struct {
	providers.Provider
	n int
}

func (p *random) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	p.n++
	sub.Token = fmt.Sprint("random", p.n)
	return p.Provider.Submit(ctx, sub)
}

// otherToken repeats a request with the token of another attempt.
type otherToken struct {
	providers.Provider
	n int
}

func (p *otherToken) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	p.n++
	for id := 1; id < 60; id++ {
		f := fmt.Sprintf("F-%04d", id)
		if providers.Token("T0SIM", f, sub.Attempt) == sub.Token {
			sub.Token = providers.Token("T0SIM", f, 30+p.n%10)
		}
	}
	return p.Provider.Reconcile(ctx, sub)
}

// certain takes a lost answer for a refusal.
type certain struct{ providers.Provider }

func (p certain) Submit(ctx context.Context, sub providers.Submission) (providers.Operation, error) {
	op, err := p.Provider.Submit(ctx, sub)
	if providers.KindOf(err) == providers.Unknown {
		err = &providers.Error{Kind: providers.Retry, Advice: providers.AdviceOf(err), Err: err}
	}
	return op, err
}

// sure takes what nobody can tell for a proof that the change was not taken.
type sure struct{ providers.Provider }

func (p sure) Reconcile(ctx context.Context, sub providers.Submission) (providers.Finding, error) {
	f, err := p.Provider.Reconcile(ctx, sub)
	if f.State == providers.Unsure {
		f.State = providers.NotAccepted
	}
	return f, err
}

// remembers gives reactions as they were when they were most.
type remembers struct {
	flowsim.Slack
	first map[flow.MessageRef][]approvals.Reaction
}

func (s *remembers) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	now, err := s.Slack.Reactions(ctx, ref)
	if err != nil {
		return nil, err
	}
	if was := s.first[ref]; count(was) > count(now) {
		return was, nil
	}
	s.first[ref] = now
	return now, nil
}

func count(all []approvals.Reaction) (n int) {
	for _, r := range all {
		if r.Name == "white_check_mark" {
			n += len(r.Users)
		}
	}
	return n
}

// inherits counts the reactions on all cards of a flow.
type inherits struct {
	flowsim.Slack
	cards map[string][]flow.MessageRef
}

func (s *inherits) Post(ctx context.Context, m flow.Message) (flow.MessageRef, error) {
	ref, err := s.Slack.Post(ctx, m)
	if id, ok := m.Payload["flow"].(string); ok && err == nil && strings.HasPrefix(m.Key, "card/") {
		s.cards[id] = append(s.cards[id], ref)
	}
	return ref, err
}

func (s *inherits) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	var all []approvals.Reaction
	for _, refs := range s.cards {
		if !slices.Contains(refs, ref) {
			continue
		}
		for _, old := range refs {
			if old == ref {
				break
			}
			if more, err := s.Slack.Reactions(ctx, old); err == nil {
				all = append(all, more...)
			}
		}
	}
	now, err := s.Slack.Reactions(ctx, ref)
	return append(all, now...), err
}

// everybodyIsIn takes everybody for a full member.
type everybodyIsIn struct{ flowsim.Slack }

func (s everybodyIsIn) People(ctx context.Context, ids []string) (map[string]approvals.Person, error) {
	all, err := s.Slack.People(ctx, ids)
	for id := range all {
		all[id] = approvals.Person{ID: id, Found: true}
	}
	return all, err
}

// unfrozen knows of no freeze.
type unfrozen struct{ flow.Store }

func (s unfrozen) Freezes(context.Context) (map[string]approvals.Order, error) { return nil, nil }

// blind never finds a message.
type blind struct{ flowsim.Slack }

func (s blind) Find(context.Context, flow.Message, time.Time) (flow.MessageRef, bool, error) {
	return flow.MessageRef{}, false, nil
}

// hopeful takes an edit for done that was not.
type hopeful struct{ flowsim.Slack }

func (s hopeful) Update(ctx context.Context, ref flow.MessageRef, m flow.Message) error {
	err := s.Slack.Update(ctx, ref, m)
	if errors.Is(err, flow.ErrMessageGone) {
		return err
	}
	return nil
}

// alone thinks that every flow is the only one.
type alone struct{ flow.Store }

func (s alone) Place(ctx context.Context, seat, id string) (int, string, error) {
	_, _, err := s.Store.Place(ctx, seat, id)
	return 1, "", err
}

// unrevoked knows of no revocation.
type unrevoked struct{ flow.Store }

func (s unrevoked) Mandates(ctx context.Context, since time.Time) ([]flow.Book, error) {
	all, err := s.Store.Mandates(ctx, since)
	for i := range all {
		all[i].Mandate.Revoked = nil
	}
	return all, err
}

// endless takes every mandate for an untouched one.
type endless struct{ flow.Store }

func (s endless) Mandates(ctx context.Context, since time.Time) ([]flow.Book, error) {
	all, err := s.Store.Mandates(ctx, since)
	for i := range all {
		all[i].Entries = nil
	}
	return all, err
}

// discreet records no word for the signer of a mandate.
type discreet struct{ flow.Store }

func (s discreet) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	sv.Flow.Whispers = slices.DeleteFunc(slices.Clone(sv.Flow.Whispers), func(n flow.Note) bool { return n.Code == flow.NoteMandate })
	return s.Store.Save(ctx, c, sv)
}

// rich takes every budget for an untouched one.
type rich struct{ flow.Store }

func (s rich) Book(ctx context.Context, name string) (flow.Book, error) {
	b, err := s.Store.Book(ctx, name)
	b.Entries = nil
	return b, err
}

// lavish reserves nothing while a flow waits.
type lavish struct{ flow.Store }

func (s lavish) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	if sv.Flow.State == flow.Queued || sv.Flow.State == flow.Scheduled {
		sv.Postings = nil
	}
	return s.Store.Save(ctx, c, sv)
}

// final ends what was to be paused.
type final struct{ providers.Provider }

func (p final) Control(ctx context.Context, sub providers.Submission, op providers.Operation, how providers.Control) error {
	if how == providers.Pause {
		how = providers.Cancel
	}
	return p.Provider.Control(ctx, sub, op, how)
}

// content takes a part for the whole.
type content struct{ providers.Provider }

func (p content) Follow(ctx context.Context, sub providers.Submission, op providers.Operation) (providers.Progress, error) {
	seen, err := p.Provider.Follow(ctx, sub, op)
	if seen.State == providers.Partial {
		seen.State = providers.Succeeded
	}
	return seen, err
}

// gratis records no commitment.
type gratis struct{ flow.Store }

func (s gratis) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	sv.Commit = nil
	return s.Store.Save(ctx, c, sv)
}

// whole commits to all nodes that were asked for.
type whole struct{ flow.Store }

func (s whole) Save(ctx context.Context, c flow.Claim, sv flow.Save) (flow.Flow, error) {
	if sv.Commit != nil {
		all := *sv.Commit
		all.N = sv.Flow.Submission.Change.Delta
		sv.Commit = &all
	}
	return s.Store.Save(ctx, c, sv)
}

// unmoved takes a card that it may not read for one without reactions.
type unmoved struct{ flowsim.Slack }

func (s unmoved) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	all, err := s.Slack.Reactions(ctx, ref)
	if errors.Is(err, flow.ErrNoChannel) {
		return nil, nil
	}
	return all, err
}
