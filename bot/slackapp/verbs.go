package slackapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/commands"
	"scalebot/providers"
)

// understand turns a line into work.
func (s *session) understand(c flow.Caller, line string) work {
	cmd, err := commands.Parse(line, vocabulary(s.desk.Catalog()))
	if err != nil {
		return saying(s.misread(err, c))
	}
	if !cmd.Verb.Served() {
		return saying(s.say(saidNotYet, c.Language))
	}
	switch cmd.Verb {
	case commands.VerbScale:
		return s.scale(c, cmd.Scale)
	case commands.VerbHelp:
		return saying(s.card.Help(help(cmd.Topic, c.Language), c.Language))
	case commands.VerbClusters:
		return s.clusters(c)
	case commands.VerbStatus:
		switch {
		case cmd.Cluster != "":
			return work{slow: true, do: func(ctx context.Context) flow.Message { return s.cluster(ctx, c, cmd.Cluster) }}
		case cmd.Flow != "":
			return s.look(c, cmd.Flow)
		}
		return s.list(c)
	case commands.VerbList:
		return s.list(c)
	case commands.VerbShow:
		return s.look(c, cmd.Flow)
	case commands.VerbCancel:
		return work{do: func(ctx context.Context) flow.Message { return s.cancel(ctx, c, cmd.Flow) }}
	case commands.VerbRetry:
		return work{do: func(ctx context.Context) flow.Message {
			return s.requested(ctx, c, func(ctx context.Context) (flow.Receipt, error) { return s.desk.Again(ctx, c, cmd.Flow) })
		}}
	case commands.VerbWhoami:
		return work{do: func(ctx context.Context) flow.Message { return s.whoami(ctx, c) }}
	case commands.VerbFreeze:
		return work{do: func(ctx context.Context) flow.Message { return s.freeze(ctx, c, cmd) }}
	case commands.VerbUnfreeze:
		return work{do: func(ctx context.Context) flow.Message { return s.unfreeze(ctx, c, cmd.Cluster) }}
	case commands.VerbHistory:
		return s.history(c, cmd.Cluster)
	case commands.VerbPolicy:
		return s.policy(c, cmd.Scale)
	case commands.VerbExtend, commands.VerbApprove, commands.VerbDeny, commands.VerbWatch, commands.VerbUnwatch:
	}
	return saying(s.say(saidNotYet, c.Language))
}

// vocabulary is what the parser proposes and corrects by.
func vocabulary(c flow.Catalog) commands.Vocabulary {
	v := commands.Vocabulary{Clusters: make(map[string][]string, len(c))}
	for name, cluster := range c {
		v.Clusters[name] = cluster.GroupNames()
	}
	return v
}

// misread is the answer to a line that can't be read.
func (s *session) misread(err error, c flow.Caller) flow.Message {
	var usage *commands.UsageError
	if !errors.As(err, &usage) {
		s.app.log.Error("a command could not be parsed", "err", redacted(err))
		return s.say(saidUnreadable, c.Language)
	}
	return s.card.Usage(usage.In(c.Language), usage.Fixed, c.Language)
}

// help are the entries about one verb, or about all that are served.
func help(topic commands.Verb, lang string) []card.HelpEntry {
	var entries []card.HelpEntry
	for _, e := range commands.Help(lang) {
		if e.Served && (topic == "" || e.Verb == topic) {
			entries = append(entries, card.HelpEntry{Usage: e.Usage, About: e.Text, Examples: e.Examples})
		}
	}
	if entries == nil && topic != "" {
		return help("", lang) // of a verb that isn't served yet
	}
	return entries
}

// scale is a wish to change a group.
func (s *session) scale(c flow.Caller, wish *commands.Scale) work {
	if wish.DryRun {
		return s.tried(c, wish)
	}
	return work{do: func(ctx context.Context) flow.Message {
		ctx, cancel := context.WithTimeout(ctx, deskBudget)
		defer cancel()
		ask, no := s.ask(ctx, c, wish)
		if no != nil {
			return *no
		}
		return s.requested(ctx, c, func(ctx context.Context) (flow.Receipt, error) { return s.desk.Request(ctx, c, ask) })
	}}
}

// requested records a request and says what became of it.
func (s *session) requested(ctx context.Context, c flow.Caller, record func(context.Context) (flow.Receipt, error)) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	receipt, err := record(ctx)
	if err != nil {
		// Anything else than a rejection may have been recorded all the same.
		return s.refuse(spelled(err, false), c, saidUncertain)
	}
	s.app.log.Info("a request was taken", "flow", receipt.Flow.ID, "user", c.User, "channel", c.Channel, "fresh", receipt.Fresh)
	if !receipt.Fresh {
		return s.card.Again(receipt.Flow, c.Language)
	}
	return s.card.Accepted(receipt.Flow, c.Language)
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
		p, err := s.app.profile(ctx, c.User)
		if err != nil {
			s.app.log.Warn("a person's time zone could not be looked up", "user", c.User, "err", redacted(err))
			m := s.say(saidNoZone, c.Language)
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
// with the corrected line.
func ParseAsk(line string, c flow.Catalog, now time.Time, zone *time.Location) (flow.Ask, error) {
	cmd, err := commands.Parse(line, vocabulary(c))
	if err != nil {
		if usage, ok := errors.AsType[*commands.UsageError](err); ok && usage.Fixed != "" {
			return flow.Ask{}, fmt.Errorf("%w; did you mean: %s", err, usage.Fixed)
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

// spelled writes the desk's corrected request as the line to copy. A time is
// written with its offset, since it was resolved in the person's zone.
func spelled(err error, dryRun bool) error {
	no, ok := errors.AsType[*flow.Rejection](err)
	if !ok || no.Better == nil || no.Fixed != "" {
		return err
	}
	b := no.Better
	wish := &commands.Scale{
		Cluster: b.Cluster, Group: b.Group, Op: string(b.Op), N: b.N,
		Charge: string(b.Charge), Months: b.Months, Renew: b.Renew,
		InstanceType: b.InstanceType, Zone: b.Zone, Nodes: b.Nodes, Drain: b.Drain,
		Start: b.Start, Bootstrap: b.Bootstrap, Tags: b.Tags, Reason: b.Reason, For: b.For, DryRun: dryRun,
		BreakGlass: b.BreakGlass,
	}
	for _, d := range b.Disks {
		wish.Disks = append(wish.Disks, commands.Disk{Type: d.Type, SizeGiB: d.SizeG, Count: d.Count})
	}
	if at := b.StartAt; !at.IsZero() {
		_, offset := at.Zone()
		wish.At = &commands.When{
			Year: at.Year(), Month: at.Month(), Day: at.Day(),
			Hour: at.Hour(), Minute: at.Minute(), Second: at.Second(), Offset: &offset,
		}
	}
	fixed := *no
	fixed.Fixed = commands.Command{Verb: commands.VerbScale, Scale: wish}.String()
	return &fixed
}

// reading is work that reads the store.
func (s *session) reading(c flow.Caller, do func(context.Context) (flow.Message, error)) work {
	return work{do: func(ctx context.Context) flow.Message {
		ctx, cancel := context.WithTimeout(ctx, deskTimeout)
		defer cancel()
		m, err := do(ctx)
		if err != nil {
			return s.refuse(err, c, saidFailed)
		}
		return m
	}}
}

func (s *session) list(c flow.Caller) work {
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		open, err := s.desk.Flows(ctx, flow.Filter{Open: true})
		if err != nil {
			return flow.Message{}, err
		}
		return s.card.FlowList(open, c.Language), nil
	})
}

func (s *session) look(c flow.Caller, id string) work {
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		f, err := s.desk.Flow(ctx, id)
		if err != nil {
			return flow.Message{}, err
		}
		return s.card.FlowDetail(f, c.Language), nil
	})
}

func (s *session) cluster(ctx context.Context, c flow.Caller, name string) flow.Message {
	cluster, seen, err := s.desk.Cluster(ctx, name)
	if err != nil {
		return s.unseen(err, c)
	}
	frozen, err := s.desk.Frozen(ctx)
	if err != nil {
		return s.refuse(err, c, saidFailed)
	}
	return s.card.ClusterStatus(cluster, seen, frozen, c.Language)
}

func (s *session) cancel(ctx context.Context, c flow.Caller, id string) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	f, err := s.desk.Cancel(ctx, c, id)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("cancelling was asked for", "flow", f.ID, "user", c.User)
	return s.say(saidCancelled.of(f.ID), c.Language)
}

// whoami tells a person what config lets them do. It decides nothing: the desk
// does, each time.
func (s *session) whoami(ctx context.Context, c flow.Caller) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	who := card.Who{User: c.User, Groups: s.desk.GroupsOf(ctx, c.User)}
	if p, err := s.app.profile(ctx, c.User); err == nil && (p.person.Bot || p.person.Guest || p.person.Stranger || p.person.Deleted) {
		return s.card.WhoAmI(who, c.Language)
	}
	catalog := s.desk.Catalog()
	for _, name := range catalog.Names() {
		if asks := catalog[name].Requesters; asks != nil {
			members, err := s.app.Members(ctx, *asks)
			if err != nil || !slices.Contains(members, c.User) {
				continue
			}
		}
		who.MayAsk = append(who.MayAsk, name)
	}
	return s.card.WhoAmI(who, c.Language)
}
