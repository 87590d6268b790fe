package flowsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/bot/slackapp"
	"scalebot/bot/slacksim"
)

const (
	appToken = "xapp-1-A0SIM-1-sim"
	botToken = "xoxb-1-1-sim"
	command  = "/scale"

	// groupsKept is how long a directory may remember who is in a usergroup, and some
	// time for the step that asks it.
	groupsKept = 65 * time.Second
)

// edge is a local Slack that the replicas reach through their real Slack edge, and
// the people in it.
type edge struct {
	s       *sim
	x       *exchange
	server  *slacksim.Server
	groups  []regrouped // oldest first
	typed   []*typed
	clicks  []act
	votes   map[vote]time.Time   // when each reaction was given
	decided map[string]time.Time // by trigger: when the desk was done with what was asked
	probed  int
}

type regrouped struct {
	at  time.Time
	now map[string][]string
}

// typed is a request that somebody typed. Its tag is its reason, by which its flow
// is known.
type typed struct {
	act
	tag string
}

// vote is a person's yes to a card.
type vote struct {
	on   flow.MessageRef
	user string
}

// act is something that somebody did.
type act struct {
	user string
	at   time.Time
}

func newEdge(s *sim, groups map[string][]string) *edge {
	e := &edge{s: s, x: newExchange(), votes: map[vote]time.Time{}, decided: map[string]time.Time{}, groups: []regrouped{{at: time.Now(), now: groups}}}
	everybody := []string{ann, ben, lea, leo, fay, oncall, gus, nobody}
	w := slacksim.World{
		Team: slacksim.Team{ID: workspaceID, Name: "Sim", Domain: "sim"},
		App: slacksim.App{
			ID: "A0SIM", Name: "scalebot", BotUserID: botUser, BotID: "B0SIM", BotToken: botToken, AppToken: appToken,
			Commands: []slacksim.Command{{Name: command, ShouldEscape: true}},
			Events: []string{
				"app_mention", "reaction_added", "reaction_removed", "message.channels", "message.groups", "subteam_members_changed",
				"subteam_updated", "user_change", "app_home_opened", "tokens_revoked", "app_uninstalled",
			},
		},
		Channels: []slacksim.Channel{
			{ID: room, Name: "room", Members: append([]string{botUser}, everybody...)},
			{ID: dataRoom, Name: "data", Members: append([]string{botUser}, everybody...)},
		},
	}
	for _, scope := range slackapp.RequiredScopes() {
		w.App.Scopes = append(w.App.Scopes, scope.Name)
	}
	for _, id := range everybody {
		w.Users = append(w.Users, slacksim.User{ID: id, Name: strings.ToLower(id[2:]), TZ: "UTC", IsRestricted: id == gus})
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		w.Usergroups = append(w.Usergroups, slacksim.Usergroup{ID: id, Handle: strings.ToLower(id), Name: id, Users: groups[id]})
	}
	e.server = slacksim.New(slacksim.Options{World: w, Seed: s.Seed, PingEvery: 10 * time.Second})
	if err := e.server.Serve(e.x); err != nil {
		panic("flowsim: " + err.Error())
	}
	return e
}

func (e *edge) close() { _ = e.server.Close() } // the run is over

// calm ends what is wrong with Slack.
func (e *edge) calm() {
	e.server.ClearFaults()
	e.server.ClearSocketFaults()
	e.server.CutReactions(0)
}

// spell is how cards write a request as the line to type.
func (s *sim) spell() func(flow.Ask) string {
	if s.edge == nil {
		return nil
	}
	return slackapp.Spell
}

// logger puts what the edge warns of into the trace.
func (s *sim) logger(r *replica) *slog.Logger {
	return slog.New(&notes{s: s, r: r, life: r.life})
}

// timedOut is an error whose words depend on which of two deadlines at one moment was
// seen first.
var timedOut = regexp.MustCompile(`[^=]*deadline exceeded.*`)

type notes struct {
	s    *sim
	r    *replica
	life *life
}

// Enabled implements slog.Handler.
func (*notes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// WithAttrs implements slog.Handler.
func (n *notes) WithAttrs([]slog.Attr) slog.Handler { return n }

// WithGroup implements slog.Handler.
func (n *notes) WithGroup(string) slog.Handler { return n }

// Handle implements slog.Handler.
func (n *notes) Handle(_ context.Context, rec slog.Record) error {
	n.s.mu.Lock()
	over := n.s.ended || n.life.dead
	n.s.mu.Unlock()
	if over {
		return nil
	}
	text := rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		text += " " + timedOut.ReplaceAllString(a.String(), "deadline exceeded")
		return true
	})
	n.s.log(nil, n.r.name+" warns", text)
	return nil
}

// plan lays out what goes wrong between Slack and the bot.
func (e *edge) plan() {
	s, server := e.s, e.server
	lasting := func(least, most time.Duration, begin, end func()) {
		begin()
		s.at(s.between(least, most), end)
	}
	for _, x := range []struct {
		n    int
		name string
		what func()
	}{
		{s.mood.cuts, "all sockets are cut", func() { server.CutSockets() }},
		{s.mood.silences, "all sockets fall silent", server.SilenceSockets},
		{s.mood.refresh, "Slack asks to reconnect", func() {
			reason := pick(s, slacksim.DisconnectWarning, slacksim.DisconnectRefresh)
			if s.rng.IntN(2) == 0 {
				server.DisconnectOne(reason)
			} else {
				server.Disconnect(reason)
			}
		}},
		{s.mood.unwelcome, "sockets are cut and get no hello", func() {
			server.WithholdHello(1 + s.rng.IntN(4))
			server.CutSockets()
		}},
		{s.mood.closed, "sockets are cut and none can be opened", func() {
			n := s.rng.IntN(3)
			lasting(5*time.Second, time.Minute, func() {
				if n == 0 {
					server.RefuseOpens("internal_error")
				} else {
					server.RefuseUpgrades(pick(s, 409, 503))
				}
				server.CutSockets()
			}, func() {
				server.RefuseOpens("")
				server.RefuseUpgrades(0)
			})
		}},
		{s.mood.delays, "events come late", func() {
			late := s.between(time.Second, 20*time.Second)
			lasting(time.Minute, 3*time.Minute, func() { server.DelayEvents(late) }, func() { server.DelayEvents(0) })
		}},
		{s.mood.truncated, "reactions are told in part", func() {
			lasting(time.Minute, 4*time.Minute, func() { server.CutReactions(1) }, func() { server.CutReactions(0) })
		}},
	} {
		for range x.n {
			s.at(s.between(time.Second, busyTime), func() {
				if !s.calm {
					s.faults++
					s.log(nil, "Slack", x.name)
					x.what()
				}
			})
		}
	}
	for n := range probes {
		s.at(faultTime+3*time.Minute+time.Duration(n)*20*time.Second, e.probe)
	}
}

// probes are questions after all faults, each of which must be answered in time.
const probes = 6

func (e *edge) probe() {
	e.s.spawn(nil, "probe", func(ctx context.Context, k *task) {
		d := e.server.Slash(ben, room, command, "list")
		e.s.gate(ctx, "ben reads")
		e.probed++
		if d.Err != nil || d.Ephemeral == nil {
			e.s.blame("a command typed after all faults was not answered in time: %v", d.Err)
		}
	})
}

func (e *edge) quiet() bool { return e.probed == probes }

// all implements team.
func (e *edge) all() []*message {
	var out []*message
	for _, channel := range []string{room, dataRoom} {
		for _, root := range e.server.Messages(channel) {
			if root.BotID != "" {
				out = append(out, shown(root, ""))
			}
			if root.Replies == 0 {
				continue
			}
			for _, m := range e.server.Thread(channel, root.TS) {
				if m.BotID != "" && m.TS != root.TS {
					out = append(out, shown(m, ""))
				}
			}
		}
	}
	for _, u := range e.server.Users() {
		for _, m := range e.server.DMs(u.ID) {
			if m.BotID != "" {
				out = append(out, shown(m, u.ID))
			}
		}
		for _, m := range e.server.Ephemerals(u.ID) {
			out = append(out, &message{Message: flow.Message{Channel: m.Channel, Thread: m.ThreadTS, Text: m.Text, Blocks: m.Blocks}, at: m.At, private: u.ID})
		}
	}
	return out
}

// message is a message as it is now; nil = gone.
func (e *edge) message(channel, ts string) *message {
	m, there := e.server.Message(channel, ts)
	if !there {
		return nil
	}
	return shown(m, "")
}

// shown is a message of Slack's in the words of this package. Its key stands in the
// id of its first block.
func shown(m slacksim.Message, private string) *message {
	out := &message{
		Message: flow.Message{Channel: m.Channel, Thread: m.ThreadTS, Text: m.Text, Blocks: m.Blocks},
		ref:     flow.MessageRef{Channel: m.Channel, TS: m.TS}, at: m.At, edits: m.Updates, private: private, deleted: m.Deleted,
	}
	if m.Metadata != nil {
		out.EventType, out.Payload = m.Metadata.EventType, m.Metadata.EventPayload
	}
	var blocks []struct {
		ID string `json:"block_id"`
	}
	if json.Unmarshal(m.Blocks, &blocks) == nil && len(blocks) > 0 {
		out.Key = strings.TrimPrefix(version.ReplaceAllString(blocks[0].ID, ""), out.flow()+"/")
	}
	for _, r := range m.Reactions {
		switch r.Name {
		case "white_check_mark":
			out.yes = r.Users
		case "x":
			out.no = r.Users
		}
	}
	return out
}

// version is the end of a name that changes with each edit.
var version = regexp.MustCompile(`#\d+$`)

// shows implements team. Slack names every block and element that came without a
// name, and the edge names the first.
func (e *edge) shows(m *message, want flow.Message) bool {
	var is, should any
	if json.Unmarshal(m.Blocks, &is) != nil || json.Unmarshal(want.Blocks, &should) != nil {
		return false
	}
	if first, ok := should.([]any); ok && len(first) > 0 {
		if b, ok := first[0].(map[string]any); ok {
			delete(b, "block_id")
		}
	}
	return within(should, is)
}

// within reports whether b is a, with nothing but ids besides.
func within(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return false
		}
		for k := range b {
			if _, wanted := a[k]; !wanted && k != "block_id" && k != "action_id" {
				return false
			}
		}
		for k, v := range a {
			if !within(v, b[k]) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && len(a) == len(b) && !slices.ContainsFunc(indices(a), func(i int) bool { return !within(a[i], b[i]) })
	}
	return reflect.DeepEqual(a, b)
}

func indices[T any](all []T) []int { return slices.Collect(maps.Keys(maps.Collect(slices.All(all)))) }

// members implements team.
func (e *edge) members(group string) []string { return e.groups[len(e.groups)-1].now[group] }

// regroup implements team.
func (e *edge) regroup(group string, users []string) {
	now := maps.Clone(e.groups[len(e.groups)-1].now)
	now[group] = users
	e.groups = append(e.groups, regrouped{at: time.Now(), now: now})
	e.with(2, func() error { return e.server.SetUsergroup(group, users...) })
}

// membersSince are the usergroups as they were at any moment since a time.
func (e *edge) membersSince(at time.Time) []map[string][]string {
	var all []map[string][]string
	for i, g := range e.groups {
		if i == len(e.groups)-1 || e.groups[i+1].at.After(at) {
			all = append(all, g.now)
		}
	}
	return all
}

// with does something of which Slack tells the bot by n events, and may lose, double
// or reorder them.
func (e *edge) with(n int, do func() error) {
	s := e.s
	switch {
	case s.chance(s.mood.dropped):
		e.server.DropEvents(n)
		defer e.server.DropEvents(0)
	case s.chance(s.mood.doubled):
		e.server.DuplicateEvents(n)
		defer e.server.DuplicateEvents(0)
	case s.chance(s.mood.reordered):
		e.server.ReorderEvents(n + 1)
	}
	if err := do(); err != nil {
		s.log(nil, "Slack", err.Error())
	}
}

// react implements team.
func (e *edge) react(m *message, who string, c approvals.Choice) {
	name := "white_check_mark"
	if c == approvals.Deny {
		name = "x"
	} else {
		e.votes[vote{m.ref, who}] = time.Now()
	}
	e.with(1, func() error { return e.server.React(who, m.ref.Channel, m.ref.TS, name) })
}

// unreact implements team.
func (e *edge) unreact(m *message, who string) {
	e.with(1, func() error { return e.server.Unreact(who, m.ref.Channel, m.ref.TS, "white_check_mark") })
}

// remove implements team.
func (e *edge) remove(m *message) {
	e.with(1, func() error { return e.server.DeleteMessage(m.ref.Channel, m.ref.TS) })
}

// ask implements team: as a command, or by mentioning the bot.
func (e *edge) ask(user string, a flow.Ask) { e.type_(user, a, 0) }

func (e *edge) type_(user string, a flow.Ask, tries int) {
	s := e.s
	s.serial++
	t := &typed{act: act{user, time.Now()}, tag: fmt.Sprintf("because (%d)", s.serial)}
	a.Reason = t.tag
	line := slackapp.Spell(a)
	e.typed = append(e.typed, t)
	if s.rng.IntN(3) == 0 {
		s.log(nil, user, "mentions the bot: "+line)
		if s.chance(s.mood.doubled) {
			e.server.DuplicateEvents(2)
			defer e.server.DuplicateEvents(0)
		}
		if _, err := e.server.Mention(user, room, "", line); err != nil {
			s.log(nil, user, err.Error())
		}
		return
	}
	twice := s.chance(s.mood.doubled)
	s.spawn(nil, user+" types", func(ctx context.Context, k *task) {
		s.log(k, "types", line)
		if twice {
			e.server.DuplicateInteractions(1)
		}
		d := e.server.Slash(user, room, command, line)
		if d.Ephemeral != nil {
			e.believe(d.Ephemeral.Text)
		}
		s.gate(ctx, user+" reads the answer to "+t.tag)
		text := ""
		if d.Ephemeral != nil {
			text = d.Ephemeral.Text
		}
		s.log(k, "reads", fmt.Sprintf("%q %v", text, d.Err))
		if (d.Err != nil || nothingDone.MatchString(text)) && tries < 3 && !s.calm {
			s.at(s.between(5*time.Second, 40*time.Second), func() { e.type_(user, a, tries+1) })
		}
	})
}

var (
	flowIDs = regexp.MustCompile(`Request (F-\d+) is recorded|taken as request (F-\d+)`)
	// nothingDone are the answers after which a person rightly types a request again.
	nothingDone = regexp.MustCompile(`(?i)nothing was done[.;] please|nothing was done\. please`)
)

// believe holds an acknowledged answer to promise 1: what it says was taken is on
// record by then.
func (e *edge) believe(text string) {
	for _, m := range flowIDs.FindAllStringSubmatch(text, -1) {
		id := m[1] + m[2]
		if _, asked := e.s.world.asks[id]; !asked {
			e.s.blame("somebody was told that %s was taken, and no script had taken it", id)
		}
	}
}

// click presses a button of a card.
func (e *edge) click(m *message, who, action string, then func()) {
	if m == nil {
		return
	}
	s := e.s
	e.clicks = append(e.clicks, act{who, time.Now()})
	twice := s.chance(s.mood.doubled)
	s.spawn(nil, who+" presses", func(ctx context.Context, k *task) {
		if twice {
			e.server.DuplicateInteractions(1)
		}
		d := e.server.Click(who, m.ref.Channel, m.ref.TS, action)
		s.gate(ctx, who+" pressed "+action+" "+m.ref.TS)
		s.log(k, action+" of "+m.flow(), fmt.Sprint(d.Err))
		if d.Err == nil && then != nil {
			s.at(s.between(500*time.Millisecond, 6*time.Second), then)
		}
	})
}

// submit fills the modal that a person sees, if there is one.
func (e *edge) submit(who string, fields slacksim.Fields) {
	s := e.s
	if len(e.server.Views(who)) == 0 {
		s.log(nil, who, "sees no form")
		return
	}
	s.spawn(nil, who+" submits", func(ctx context.Context, k *task) {
		d := e.server.SubmitView(who, fields)
		s.gate(ctx, who+" submitted")
		s.log(k, "form", fmt.Sprintf("%v %v", d.Errors, d.Err))
		var no *slacksim.Refused
		if d.Err != nil && !errors.As(d.Err, &no) && len(e.server.Views(who)) > 0 || len(d.Errors) > 0 {
			e.server.CloseView(who, true)
		}
	})
}

// press implements team.
func (e *edge) press(_ *replica, m *message, who string, c approvals.Choice) {
	if c == approvals.Approve {
		e.click(m, who, card.ActionApprove, nil)
		return
	}
	e.click(m, who, card.ActionDeny, func() {
		e.submit(who, slacksim.Fields{card.BlockReason: {card.FieldReason: {"no money"}}})
	})
}

// newest is the newest card of a flow.
func (e *edge) newest(id string) *message {
	var card *message
	for _, m := range e.all() {
		if m.flow() == id && m.plan() >= 0 && !m.deleted && m.private == "" && (card == nil || m.plan() >= card.plan()) {
			card = m
		}
	}
	return card
}

// cancel implements team: by the button, or typed.
func (e *edge) cancel(_ *replica, id, user string) {
	if e.s.rng.IntN(2) == 0 {
		e.click(e.newest(id), user, card.ActionCancel, nil)
		return
	}
	e.say(user, "cancel "+id)
}

// say types a command that asks for no change.
func (e *edge) say(user, line string) {
	e.clicks = append(e.clicks, act{user, time.Now()})
	e.s.spawn(nil, user+" types", func(ctx context.Context, k *task) {
		d := e.server.Slash(user, room, command, line)
		e.s.gate(ctx, user+" reads the answer to "+line)
		text := ""
		if d.Ephemeral != nil {
			text = d.Ephemeral.Text
		}
		e.s.log(k, line, fmt.Sprintf("%q %v", text, d.Err))
	})
}

// halt implements team.
func (e *edge) halt(_ *replica, id, user string) { e.click(e.newest(id), user, card.ActionHalt, nil) }

// again implements team.
func (e *edge) again(_ *replica, id string, keep bool) {
	action := card.ActionRetry
	if keep {
		action = card.ActionKeep
	}
	e.click(e.newest(id), ben, action, nil)
}

// settle implements team.
func (e *edge) settle(_ *replica, id, user string, d decision, operation string) {
	m := e.newest(id)
	if d.kind == flow.SignalHappened {
		fields := slacksim.Fields{}
		if operation != "" {
			fields[card.BlockOperation] = map[string][]string{card.FieldOperation: {operation}}
		}
		e.click(m, user, card.ActionHappened, func() { e.submit(user, fields) })
		return
	}
	action := card.ActionClose
	if d.kind == flow.SignalRetry {
		action = card.ActionDidNot
	}
	e.click(m, user, action, nil)
}

// freeze implements team.
func (e *edge) freeze(_ *replica, cluster string, last time.Duration) {
	e.say(leo, fmt.Sprintf("freeze %s for %dm release", cluster, max(1, int(last.Minutes()))))
}
