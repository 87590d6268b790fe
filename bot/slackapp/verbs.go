package slackapp

import (
	"context"
	"errors"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
	"scalebot/commands"
)

// understand turns a line into work.
func (s *session) understand(c flow.Caller, line string) work {
	cmd, err := commands.Parse(line, s.vocabulary())
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
		w := saying(s.card.Help(help(cmd.Topic, c.Language), c.Language))
		w.open = true // how to ask is no secret
		return w
	case commands.VerbClusters:
		return s.clusters(c)
	case commands.VerbStatus:
		switch {
		case cmd.Cluster != "":
			return work{slow: true, do: func(ctx context.Context) flow.Message { return s.cluster(ctx, c, cmd.Cluster) }}
		case cmd.Flow != "":
			return s.look(c, cmd.Flow)
		}
		return s.status(c)
	case commands.VerbList:
		return s.list(c)
	case commands.VerbShow:
		return s.look(c, cmd.Flow)
	case commands.VerbCancel:
		return work{once: true, do: func(ctx context.Context) flow.Message { return s.cancel(ctx, c, cmd.Flow) }}
	case commands.VerbRetry:
		return work{counted: true, do: func(ctx context.Context) flow.Message {
			return s.requested(ctx, c, func(ctx context.Context) (flow.Receipt, error) { return s.desk.Again(ctx, c, cmd.Flow) })
		}}
	case commands.VerbWhoami:
		return work{do: func(ctx context.Context) flow.Message { return s.whoami(ctx, c) }}
	case commands.VerbApprove:
		choice := approvals.Approve
		if cmd.Withdraw {
			choice = approvals.TakenBack
		}
		return work{do: func(ctx context.Context) flow.Message { return s.vote(ctx, c, cmd.Flow, 0, choice, "") }}
	case commands.VerbDeny:
		return work{do: func(ctx context.Context) flow.Message { return s.vote(ctx, c, cmd.Flow, 0, approvals.Deny, cmd.Reason) }}
	case commands.VerbFreeze:
		return work{once: true, do: func(ctx context.Context) flow.Message { return s.freeze(ctx, c, cmd) }}
	case commands.VerbUnfreeze:
		return work{once: true, do: func(ctx context.Context) flow.Message { return s.unfreeze(ctx, c, cmd.Cluster) }}
	case commands.VerbHistory:
		return s.history(c, cmd.Cluster)
	case commands.VerbCommit:
		return s.commitments(c, cmd.Cluster)
	case commands.VerbPolicy:
		return s.policy(c, cmd.Scale)
	case commands.VerbBudget:
		return s.reading(c, func(ctx context.Context) (flow.Message, error) {
			all, err := s.desk.Spendings(ctx, cmd.Centre)
			return s.card.Budgets(all, c.Language), err
		})
	case commands.VerbMandate:
		return s.mandate(c, cmd)
	case commands.VerbExtend, commands.VerbWatch, commands.VerbUnwatch:
	}
	return saying(s.say(saidNotYet, c.Language))
}

// vocabulary is all that the parser proposes and corrects by.
func (s *session) vocabulary() commands.Vocabulary {
	v := vocabulary(s.desk.Catalog())
	v.Centres = s.desk.Centres()
	return v
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
		s.app.log.Error("a command could not be parsed", "error", redacted(err))
		return s.say(saidUnreadable, c.Language)
	}
	return s.card.Usage(card.Misread{Why: usage.In(c.Language), Lines: corrections(usage), Usage: usage.Usage}, c.Language)
}

// corrections are the corrected lines, most likely first.
func corrections(wrong *commands.UsageError) []string {
	if wrong.Fixed == "" {
		return nil
	}
	return append([]string{wrong.Fixed}, wrong.Also...)
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

// status lists the open flows below what is frozen.
func (s *session) status(c flow.Caller) work {
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		open, err := s.desk.Flows(ctx, flow.Filter{Open: true})
		if err != nil {
			return flow.Message{}, err
		}
		frozen, err := s.desk.Frozen(ctx)
		if err != nil {
			return flow.Message{}, err
		}
		return s.card.Status(open, frozen, c.Language), nil
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
	return s.card.WhoAmI(c.User, s.desk.Rights(ctx, c.User), c.Language)
}
