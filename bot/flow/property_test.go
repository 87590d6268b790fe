package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
)

// player plays one request at random and knows on its own, from what people did
// and nothing that the bot recorded, whether the change may run.
type player struct {
	*world
	id      string
	removes bool
	groups  map[string][]string                 // by usergroup id
	people  map[string]approvals.Person         // those who are not plain members
	pressed map[int]map[string]approvals.Choice // by plan, as the desk took it
	price   int64
}

const boss = "U0BOSS"

var (
	everybody = []string{asker, lead1, lead2, finance, boss, "U0OTHER"}
	allGroups = []string{"S0LEADS", "S0FINOPS", "S0BOSSES"}
)

// again makes a fresh bot, cloud and Slack on the world's Redis.
func (w *world) again(t *rapid.T) *player {
	require.NoError(t, w.rdb.FlushAll(context.Background()).Err())
	w.clock = flowtest.NewClock(noon)
	w.cloud, w.slack = flowtest.NewCloud(w.clock, 9), flowtest.NewSlack(w.clock)
	w.options.Clock, w.options.Clouds = w.clock, flowtest.Clouds{"acc": w.cloud}
	w.options.Ballots, w.options.Directory, w.options.Chat = w.slack, w.slack, w.slack
	w.options.Grace = rapid.SampledFrom([]time.Duration{0, 10 * time.Minute}).Draw(t, "grace")
	w.options.RemindAfter = 15 * time.Minute
	w.wire()
	p := &player{
		world: w, removes: rapid.Bool().Draw(t, "removes"), people: map[string]approvals.Person{},
		pressed: map[int]map[string]approvals.Choice{}, price: 1,
		groups: map[string][]string{"S0LEADS": {lead1, lead2, asker}, "S0FINOPS": {finance, lead1}, "S0BOSSES": {boss}},
	}
	for g, users := range p.groups {
		w.slack.SetGroup(g, users...)
	}
	if p.removes {
		p.id = w.request(ask(flow.Remove, 1))
	} else {
		p.id = w.request(prepaid(1))
	}
	w.settle()
	return p
}

// mayRun is the small counter: the people are there, each in a seat of their
// own, and nobody of them denies.
func (p *player) mayRun(f flow.Flow) bool {
	n := len(f.Plans)
	posts, err := p.store.Posts(context.Background(), p.id)
	require.NoError(p.t, err)
	reactions, err := p.slack.Reactions(context.Background(), posts.Cards[n].MessageRef)
	if err != nil {
		return false
	}
	yes, no := map[string]bool{}, map[string]bool{}
	for _, r := range reactions {
		for _, who := range r.Users {
			yes[who] = yes[who] || r.Name == "white_check_mark"
			no[who] = no[who] || r.Name == "x"
		}
	}
	for who, choice := range p.pressed[n] {
		yes[who] = yes[who] || choice == approvals.Approve
		no[who] = no[who] || choice == approvals.Deny
	}
	in := func(who, group string) bool {
		if x, odd := p.people[who]; odd && (!x.Found || x.Guest || x.Bot) {
			return false
		}
		return who != asker && slices.Contains(p.groups[group], who)
	}
	lead := func(who string) bool {
		late := !p.clock.Now().Before(f.Plans[n-1].At.Add(time.Hour))
		return in(who, "S0LEADS") || late && in(who, "S0BOSSES")
	}
	fin := func(who string) bool { return !p.removes && in(who, "S0FINOPS") }
	for who, denies := range no {
		if denies && (lead(who) || fin(who)) {
			return false
		}
	}
	for a := range yes {
		for b := range yes {
			if yes[a] && lead(a) && (p.removes || a != b && yes[b] && fin(b)) {
				return true
			}
		}
	}
	return false
}

// check settles what is due and looks whether anything was sent that should not
// have been.
func (p *player) check(t *rapid.T) {
	sent := len(p.cloud.Ledger())
	count := p.cloud.Count()
	p.settle()
	f := p.flow(p.id)
	if len(p.cloud.Ledger()) == sent {
		return
	}
	plan := f.Plan()
	switch {
	case plan == nil:
		t.Fatal("sent without a plan")
	case !p.mayRun(f):
		t.Fatalf("sent without the people: %+v", f.Verdict)
	case !f.Verdict.Permits(*plan):
		t.Fatalf("sent without a verdict on exactly its plan: %+v", f.Verdict)
	case plan.Base != count:
		t.Fatalf("sent on a base of %d, voted on %d", count, plan.Base)
	case f.Submission.Change.Delta != plan.Change.Delta || p.cloud.Ledger()[sent].Delta != plan.Change.Delta:
		t.Fatal("sent another change than was voted on")
	case len(p.cloud.Ledger()) > 1:
		t.Fatal("sent twice")
	}
}

func TestNothingRunsWithoutItsVerdict(t *testing.T) {
	w := newWorld(t, func(c *approvals.Config) {
		c.Groups = map[string]approvals.Group{
			"leads": {Usergroups: []string{"S0LEADS"}}, "finops": {Usergroups: []string{"S0FINOPS"}}, "managers": {Usergroups: []string{"S0BOSSES"}},
		}
		c.Rules = c.Rules[:0]
		late := &approvals.Escalation{After: time.Hour, To: "managers"}
		c.Rules = append(c.Rules,
			approvals.Rule{Name: "prepaid", When: `change.charge == "prepaid"`, Require: map[string]int{"finops": 1}},
			approvals.Rule{Name: "any", When: "true", Require: map[string]int{"leads": 1}, Escalate: late})
	})
	ran, asked, ballots := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := w.again(t)
		who, group := rapid.SampledFrom(everybody), rapid.SampledFrom(allGroups)
		emoji := rapid.SampledFrom([]string{"white_check_mark", "white_check_mark", "white_check_mark", "x"})
		card := func() (flow.MessageRef, bool) {
			posts, err := p.store.Posts(context.Background(), p.id)
			require.NoError(t, err)
			c, up := posts.Cards[len(p.flow(p.id).Plans)]
			return c.MessageRef, up && c.TS != ""
		}
		heard := func(ref flow.MessageRef) {
			if rapid.Bool().Draw(t, "heard") {
				require.NoError(t, p.desk.Touched(context.Background(), ref))
			}
			p.check(t)
		}
		react := func(ref flow.MessageRef, emoji, user string) {
			p.slack.Unreact(ref, emoji, user) // one person holds one reaction once
			p.slack.React(ref, emoji, user)
		}
		t.Repeat(map[string]func(*rapid.T){
			"react": func(t *rapid.T) {
				if ref, up := card(); up {
					react(ref, emoji.Draw(t, "emoji"), who.Draw(t, "who"))
					heard(ref)
				}
			},
			"the people agree": func(t *rapid.T) {
				if ref, up := card(); up {
					react(ref, "white_check_mark", lead2)
					react(ref, "white_check_mark", finance)
					heard(ref)
				}
			},
			"the people agree and wait": func(t *rapid.T) {
				if ref, up := card(); up {
					react(ref, "white_check_mark", lead2)
					react(ref, "white_check_mark", finance)
					for range 2 {
						p.clock.Advance(time.Minute)
						p.check(t)
					}
					p.clock.Advance(10 * time.Minute)
					p.check(t)
				}
			},
			"withdraw": func(t *rapid.T) {
				if ref, up := card(); up {
					p.slack.Unreact(ref, emoji.Draw(t, "emoji"), who.Draw(t, "who"))
					heard(ref)
				}
			},
			"press": func(t *rapid.T) {
				plans := len(p.flow(p.id).Plans)
				n := rapid.IntRange(0, plans).Draw(t, "plan") // 0 = by command
				user, choice := who.Draw(t, "who"), rapid.SampledFrom([]approvals.Choice{approvals.Approve, approvals.Approve, approvals.Deny}).Draw(t, "choice")
				v, err := p.desk.Vote(context.Background(), p.caller(user), p.id, n, choice, "because")
				if err == nil {
					if p.pressed[plans] == nil {
						p.pressed[plans] = map[string]approvals.Choice{}
					}
					p.pressed[plans][user] = v.Choice
				}
				p.check(t)
			},
			"join or leave": func(t *rapid.T) {
				g, user := group.Draw(t, "group"), who.Draw(t, "who")
				users := slices.Clone(p.groups[g])
				if i := slices.Index(users, user); i >= 0 {
					users = slices.Delete(users, i, i+1)
				} else {
					users = append(users, user)
				}
				p.groups[g] = users
				p.slack.SetGroup(g, users...)
			},
			"a person changes": func(t *rapid.T) {
				x := approvals.Person{ID: who.Draw(t, "who"), Found: true}
				switch rapid.IntRange(0, 3).Draw(t, "into") {
				case 0:
					x.Found = false
				case 1:
					x.Guest = true
				}
				p.people[x.ID] = x
				p.slack.Person(x)
			},
			"price": func(t *rapid.T) {
				p.price = int64(rapid.IntRange(1, 3).Draw(t, "price"))
				p.cloud.SetPrice(p.price, rapid.IntRange(0, 5).Draw(t, "known") > 0)
			},
			"resized by somebody else": func(t *rapid.T) {
				if s := p.flow(p.id).State; !s.HoldsSeat() && !s.Ended() {
					p.cloud.Resize(rapid.IntRange(8, 10).Draw(t, "to"))
				}
			},
			"Slack fails": func(t *rapid.T) {
				p.slack.Fail(rapid.SampledFrom([]string{"reactions", "people", "members"}).Draw(t, "method"), errors.New("down"))
				p.check(t)
			},
			"the card is deleted": func(t *rapid.T) {
				if ref, up := card(); up && rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					p.slack.Delete(ref)
					heard(ref)
				}
			},
			"time goes by": func(t *rapid.T) {
				p.clock.Advance(rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Second, time.Minute, 10 * time.Minute, 40 * time.Minute}).Draw(t, "by"))
				p.check(t)
			},
			"stop": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "really") == 0 {
					p.desk.Halt(context.Background(), p.caller(who.Draw(t, "who")), p.id) //nolint:errcheck // whether it may is tried elsewhere
					p.check(t)
				}
			},
		})
		ran += len(p.cloud.Ledger())
		asked += len(p.flow(p.id).Plans)
		ballots += p.replay(t)
	})
	require.Positive(t, ran, "a run in which nothing was ever sent proves nothing")
	require.Positive(t, ballots)
	t.Logf("%d sent, %d plans, %d ballots counted again", ran, asked, ballots)
}

// replay goes through the audit stream alone: it judges every plan again, counts
// every ballot again from the facts beside its verdict, and sends again only what
// that verdict permits. Each must come out as it did then.
func (p *player) replay(t *rapid.T) int {
	entries, err := p.rdb.XRange(context.Background(), "test:{T1}:audit", "-", "+").Result()
	require.NoError(t, err)
	same := func(want, got any, why string, args ...any) {
		was, err := json.Marshal(want)
		require.NoError(t, err)
		is, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, string(was), string(is), append([]any{why}, args...)...)
	}
	n, sent := 0, 0
	decided := map[string]bool{"approve": false, "deny": false, "submit": false}
	var planned approvals.Plan // the last one on record
	for _, e := range entries {
		text, _ := e.Values["detail"].(string)
		action, _ := e.Values["action"].(string)
		if action == "plan" {
			var detail struct {
				Plan         approvals.Plan          `json:"plan"`
				Requirements []approvals.Requirement `json:"requirements"`
			}
			require.NoError(t, json.Unmarshal([]byte(text), &detail))
			planned = detail.Plan
			j := p.options.Policy.Judge(approvals.Facts{Plan: planned, Requester: approvals.Requester{ID: asker}, Now: noon})
			same(detail.Requirements, j.Requirements, "the requirements of version %s", e.Values["version"])
			continue
		}
		var detail struct {
			Facts   *approvals.BallotFacts `json:"facts"`
			Verdict *approvals.Verdict     `json:"verdict"`
		}
		require.NoError(t, json.Unmarshal([]byte(text), &detail))
		if _, decides := decided[action]; decides {
			require.NotNil(t, detail.Facts, "%s leaves no facts to count again: %s", action, slices.Sorted(maps.Keys(e.Values)))
		}
		if detail.Facts == nil || detail.Verdict == nil {
			continue
		}
		n++
		again := p.options.Policy.Count(*detail.Facts)
		same(detail.Verdict, again, "%s of version %s", action, e.Values["version"])
		switch action {
		case "submit":
			sent++
			var submitted struct {
				Plan string `json:"plan"`
			}
			require.NoError(t, json.Unmarshal([]byte(text), &submitted))
			require.Equal(t, planned.Hash, submitted.Plan, "what was sent is the last plan on record")
			require.True(t, again.Permits(planned), "sent without a verdict on exactly its plan")
		case "approve":
			require.True(t, again.Permits(planned))
		case "deny":
			require.Equal(t, approvals.Denied, again.Status)
		}
	}
	require.Equal(t, len(p.cloud.Ledger()), sent, "everything that reached the cloud stands in the audit")
	return n
}
