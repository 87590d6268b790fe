package slackapp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"scalebot/bot/flow"
	"scalebot/commands"
	"scalebot/providers"
)

// scale is a wish to change a group.
func (s *session) scale(c flow.Caller, wish *commands.Scale) work {
	if wish.DryRun {
		return s.tried(c, wish)
	}
	return work{counted: true, do: func(ctx context.Context) flow.Message {
		ctx, cancel := context.WithTimeout(ctx, deskBudget)
		defer cancel()
		ask, no := s.ask(ctx, c, wish)
		if no != nil {
			return s.turnedAway(ctx, c, *no)
		}
		return s.requested(ctx, c, func(ctx context.Context) (flow.Receipt, error) { return s.desk.Request(ctx, c, ask) })
	}}
}

// requested records a request and says what became of it.
func (s *session) requested(ctx context.Context, c flow.Caller, record func(context.Context) (flow.Receipt, error)) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	receipt, err := record(ctx)
	if no, ok := errors.AsType[*flow.Rejection](err); ok && no.Code != flow.RejectLimited && no.Code != flow.RejectStore && no.Code != flow.RejectPerson {
		return s.turnedAway(ctx, c, s.refuse(spelled(err, false), c, saidUncertain))
	}
	again := s.comesAgain(c)
	if receipt.Delivery != "" { // what became of it is asked by the name that it was recorded under
		c.Dedupe = receipt.Delivery
	}
	if errors.Is(err, flow.ErrInDoubt) && s.back.offer(func(ctx context.Context) { s.findOut(ctx, c, again) }) {
		return s.refuse(err, c, saidInDoubt)
	}
	if err != nil {
		// Anything else than a rejection may have been recorded all the same.
		return s.unlessTaken(ctx, c, again, s.refuse(spelled(err, false), c, saidUncertain))
	}
	s.app.log.Info("a request was taken", "flow", receipt.Flow.ID, "user", c.User, "channel", c.Channel, "fresh", receipt.Fresh)
	if !receipt.Fresh {
		return s.card.Again(receipt.Flow, c.Language)
	}
	return s.card.Accepted(receipt.Flow, c.Language)
}

// unlessTaken is a no to a request, or what became of it where another delivery of
// the same was taken. Slack delivers a mention again after three seconds, and a
// replica that stood still for longer would tell somebody that nothing was done who
// has read from another that it was.
func (s *session) unlessTaken(ctx context.Context, c flow.Caller, again bool, no flow.Message) flow.Message {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takenBudget)
	defer cancel()
	f, err := s.desk.Outcome(ctx, c)
	switch {
	case err == nil:
		return s.card.Again(f, c.Language)
	case again:
		return s.say(saidUncertain, c.Language)
	}
	return no
}

// comesAgain reports whether Slack delivers a request again that came to nothing
// here: a mention that could not be acknowledged in time. To say that nothing was
// done would be wrong as soon as the next delivery is taken, and whoever then sent it
// again, as asked, would get it twice.
func (s *session) comesAgain(c flow.Caller) bool {
	at, mention := s.app.seen.since(c.Dedupe)
	return mention && s.app.clock.Now().Sub(at) >= ackDeadline
}

// The pace of finding out what became of a request in doubt, and how long it is
// tried.
const (
	findOutPause = 2 * time.Second
	findOutLimit = time.Minute
)

// findOut tells somebody what became of a request whose recording was in doubt. It
// only looks: to record it now would be to act when nobody expects it any more. A
// store that was frozen may still work off what it had received, so one look that
// finds nothing is not believed. Of what comes again nothing is said but that.
func (s *session) findOut(ctx context.Context, c flow.Caller, again bool) {
	ctx, cancel := context.WithTimeout(ctx, findOutLimit)
	defer cancel()
	pause := time.NewTicker(findOutPause)
	defer pause.Stop()
	for misses := 0; misses < 2; {
		select {
		case <-ctx.Done():
			s.whisper(context.WithoutCancel(ctx), c, s.say(saidUncertain, c.Language))
			return
		case <-pause.C:
		}
		switch f, err := s.desk.Outcome(ctx, c); {
		case err == nil:
			s.whisper(ctx, c, s.card.Accepted(f, c.Language))
			return
		case errors.Is(err, flow.ErrNotFound):
			misses++
		default:
			misses = 0
		}
	}
	if again {
		s.whisper(ctx, c, s.say(saidUncertain, c.Language))
		return
	}
	s.whisper(ctx, c, s.say(saidNotRecorded, c.Language))
}

// turnedAway answers a request that never came to the script that counts what it
// records: it counts all the same.
func (s *session) turnedAway(ctx context.Context, c flow.Caller, m flow.Message) flow.Message {
	if over := s.spend(ctx, c); over != nil {
		return *over
	}
	return m
}

// ask puts a parsed wish into the desk's words, or says why that can't be done.
// A bare time of day is meant in the person's own zone.
func (s *session) ask(ctx context.Context, c flow.Caller, wish *commands.Scale) (flow.Ask, *flow.Message) {
	ask := askOf(wish)
	if wish.At == nil {
		return ask, nil
	}
	now := s.app.clock.Now()
	zone := now.Location()
	if wish.At.Offset == nil {
		p, err := s.app.profile(ctx, c.User, flow.UrgentEnd) // of the gate, a moment ago
		if err != nil {
			m := s.refuse(&flow.Rejection{Code: flow.RejectPerson, Err: err}, c, saidFailed)
			return ask, &m
		}
		zone = p.zone
	}
	at, err := wish.At.In(now, zone)
	if err != nil {
		m := s.misread(err, c)
		return ask, &m
	}
	ask.StartAt = at
	return ask, nil
}

// askOf puts a parsed wish into the desk's words, but for its time.
func askOf(wish *commands.Scale) flow.Ask {
	ask := flow.Ask{
		Cluster: wish.Cluster, Group: wish.Group, Op: flow.AmountOp(wish.Op), N: wish.N,
		Charge: providers.Charge(wish.Charge), Months: wish.Months, Renew: wish.Renew,
		InstanceType: wish.InstanceType, Zone: wish.Zone, Nodes: wish.Nodes, Drain: wish.Drain,
		Start: wish.Start, Bootstrap: wish.Bootstrap, Tags: wish.Tags, Reason: wish.Reason, For: wish.For,
		BreakGlass: wish.BreakGlass,
	}
	for _, d := range wish.Disks {
		ask.Disks = append(ask.Disks, providers.Disk{Type: d.Type, SizeG: d.SizeGiB, Count: d.Count})
	}
	return ask
}

// ParseAsk reads a scale request as it is typed in Slack, for tools outside of
// Slack. zone is where a bare time of day is meant. Its error is one sentence
// with the corrected line, or with how such a line is written.
func ParseAsk(line string, c flow.Catalog, now time.Time, zone *time.Location) (flow.Ask, error) {
	cmd, err := commands.Parse(commands.Wire(line), vocabulary(c))
	if err != nil {
		usage, ok := errors.AsType[*commands.UsageError](err)
		switch {
		case ok && usage.Fixed != "":
			return flow.Ask{}, fmt.Errorf("%w; did you mean: %s", err, strings.Join(corrections(usage), " or: "))
		case ok && usage.Usage != "":
			return flow.Ask{}, fmt.Errorf("%w; it is written like this: %s", err, usage.Usage)
		}
		return flow.Ask{}, err
	}
	if cmd.Verb != commands.VerbScale {
		return flow.Ask{}, fmt.Errorf("%q asks for no change of a cluster; write one such as 'emr-m620 task +2'", line)
	}
	ask := askOf(cmd.Scale)
	if cmd.Scale.At != nil {
		if ask.StartAt, err = cmd.Scale.At.In(now, zone); err != nil {
			return flow.Ask{}, err
		}
	}
	return ask, nil
}

// Spell writes a request as the line to type, without the slash word. A time is
// written with its offset, since it was resolved in somebody's zone.
func Spell(a flow.Ask) string { return spell(a, false) }

func spell(a flow.Ask, dryRun bool) string {
	wish := &commands.Scale{
		Cluster: a.Cluster, Group: a.Group, Op: string(a.Op), N: a.N,
		Charge: string(a.Charge), Months: a.Months, Renew: a.Renew,
		InstanceType: a.InstanceType, Zone: a.Zone, Nodes: a.Nodes, Drain: a.Drain,
		Start: a.Start, Bootstrap: a.Bootstrap, Tags: a.Tags, Reason: a.Reason, For: a.For, DryRun: dryRun,
		BreakGlass: a.BreakGlass,
	}
	for _, d := range a.Disks {
		wish.Disks = append(wish.Disks, commands.Disk{Type: d.Type, SizeGiB: d.SizeG, Count: d.Count})
	}
	if at := a.StartAt; !at.IsZero() {
		_, offset := at.Zone()
		wish.At = &commands.When{
			Year: at.Year(), Month: at.Month(), Day: at.Day(),
			Hour: at.Hour(), Minute: at.Minute(), Second: at.Second(), Offset: &offset,
		}
	}
	return commands.Command{Verb: commands.VerbScale, Scale: wish}.Display()
}

// spelled writes the desk's corrected request as the line to copy.
func spelled(err error, dryRun bool) error {
	no, ok := errors.AsType[*flow.Rejection](err)
	if !ok || no.Better == nil || no.Fixed != "" {
		return err
	}
	fixed := *no
	fixed.Fixed = spell(*no.Better, dryRun)
	return &fixed
}

// rehearsed makes the corrected line of a refused dry run one too: copied as it
// was planned it would no longer be a rehearsal.
func rehearsed(p flow.Preview) flow.Preview {
	if p.Refused == nil || p.Refused.Args["fixed"] == "" {
		return p
	}
	note := *p.Refused
	note.Args = maps.Clone(note.Args)
	cmd, err := commands.Parse(commands.Wire(note.Args["fixed"]), commands.Vocabulary{})
	if err == nil && cmd.Scale != nil {
		cmd.Scale.DryRun = true
		note.Args["fixed"] = cmd.Display()
	} else {
		delete(note.Args, "fixed")
	}
	p.Refused = &note
	return p
}
