package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/slack-go/slack"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/flow"
)

const (
	methodView = "views.open"
	// mayVoteBudget is how long the look whether somebody may vote at all can take
	// of the three seconds of a trigger (Slack, Modals).
	mayVoteBudget = time.Second
	openBudget    = 2 * time.Second
)

// asking is what a modal carries along: which ballot or decision, and where to
// answer.
type asking struct {
	Ballot  string `json:"ballot"`
	Channel string `json:"channel"`
	Thread  string `json:"thread,omitempty"`
}

func opensModal(p interactionPayload) bool {
	for _, a := range p.Actions {
		if a.ID == card.ActionDeny || a.ID == card.ActionHappened {
			return true
		}
	}
	return false
}

// vote records a vote and answers privately what it is.
func (s *session) vote(ctx context.Context, c flow.Caller, id string, plan int, choice approvals.Choice, reason string) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskBudget)
	defer cancel()
	v, err := s.desk.Vote(ctx, c, id, plan, choice, reason)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("a vote was taken", "flow", v.Flow.ID, "user", c.User, "choice", string(v.Choice), "same", v.Same)
	return s.say(votedAs(v).of(v.Flow.ID), c.Language)
}

// votedAs is what to tell somebody whose vote was taken.
func votedAs(v flow.Voted) said {
	switch v.Choice {
	case approvals.Deny:
		return saidDenied
	case approvals.TakenBack:
		if v.Same {
			return saidNoneToTakeBack
		}
		return saidTakenBack
	case approvals.Approve:
		if v.Same {
			return saidStands
		}
	}
	return saidApproved
}

// halt asks to stop a flow in its grace time.
func (s *session) halt(ctx context.Context, c flow.Caller, id string) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	f, err := s.desk.Halt(ctx, c, id)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	s.app.log.Info("a flow is to be stopped in its grace time", "flow", f.ID, "user", c.User)
	return s.say(saidHalted.of(f.ID), c.Language)
}

// askWhich opens the modal for the operation of a change that a person saw happen.
// Who may not settle is told so instead; what can't be found out in time asks all
// the same, since the decision itself is checked again.
func (s *session) askWhich(ctx context.Context, c flow.Caller, p interactionPayload, value string) {
	var id string
	id, c.Saw = card.ReadDecision(value)
	look, cancel := context.WithTimeout(ctx, mayVoteBudget)
	f, err := s.desk.MaySettle(look, c, id, flow.SignalHappened)
	late := look.Err() != nil
	cancel()
	if _, no := errors.AsType[*flow.Rejection](err); no && !late {
		s.answer(ctx, p.ResponseURL, c, s.refuse(err, c, saidFailed))
		return
	}
	known := ""
	if f.Operation != nil {
		known = f.Operation.ID
	}
	optional := known != "" || f.Operation != nil || s.desk.Catalog()[f.Request.Wish.Change.Cluster].Nameless
	if !s.open(ctx, c, p, value, func(private string) slack.ModalViewRequest {
		return s.card.HappenedModal(id, known, optional, private, c.Language)
	}) {
		s.answer(ctx, p.ResponseURL, c, s.say(saidFailed, c.Language))
	}
}

// askWhy opens the modal for the reason of a denial. Who may not vote is told so
// instead; when that can't be found out in time the modal opens all the same,
// since the vote itself is checked again.
func (s *session) askWhy(ctx context.Context, c flow.Caller, p interactionPayload, value string) {
	var id string
	var plan int
	id, plan, c.Saw = card.ReadBallot(value)
	look, cancel := context.WithTimeout(ctx, mayVoteBudget)
	err := s.desk.MayVote(look, c, id, plan)
	late := look.Err() != nil
	cancel()
	if _, no := errors.AsType[*flow.Rejection](err); no && !late {
		s.answer(ctx, p.ResponseURL, c, s.refuse(err, c, saidFailed))
		return
	}
	if !s.open(ctx, c, p, value, func(private string) slack.ModalViewRequest { return s.card.DenyModal(id, private, c.Language) }) {
		s.answer(ctx, p.ResponseURL, c, s.say(saidNoModal.of(id), c.Language))
	}
}

// open opens a modal that carries a button's value along; false if Slack did not
// take it.
func (s *session) open(ctx context.Context, c flow.Caller, p interactionPayload, value string, modal func(private string) slack.ModalViewRequest) bool {
	private, err := json.Marshal(asking{Ballot: value, Channel: c.Channel, Thread: c.Thread})
	if err == nil {
		open, cancel := context.WithTimeout(ctx, openBudget)
		defer cancel()
		err = s.app.show(open, methodView, map[string]any{"trigger_id": p.Trigger, "view": modal(string(private))})
	}
	if err != nil {
		s.app.log.Warn("a modal could not be opened", "user", c.User, "error", redacted(err))
	}
	return err == nil
}

// fieldErrors is the ack of a submission that is not taken: the modal stays open
// with the error below its input (Slack, Modals).
type fieldErrors struct {
	Action string            `json:"response_action"`
	Errors map[string]string `json:"errors"`
}

func notTaken(block, text string) fieldErrors {
	return fieldErrors{Action: "errors", Errors: map[string]string{block: text}}
}

// inputs are the modals that are served: each has one input, whose block shows the
// errors.
var inputs = map[string]string{card.CallbackDeny: card.BlockReason, card.CallbackHappened: card.BlockOperation}

// takeSubmission hands a submitted modal to the front workers, who acknowledge it
// once the vote is on record. The person waits for that ack and reads in the
// modal when nothing was done.
func (s *session) takeSubmission(env envelope, p interactionPayload) {
	s.app.metrics.events.WithLabelValues(p.Type).Inc()
	block, served := inputs[p.View.Callback]
	if !served {
		env.ack(nil)
		return
	}
	refuse := func(why said) {
		env.ack(notTaken(block, s.say(why, s.app.language(p.User.ID)).Text))
	}
	var a asking
	if err := json.Unmarshal([]byte(p.View.Private), &a); err != nil {
		s.app.log.Error("a submission could not be read", "error", err)
		refuse(saidUnreadable)
		return
	}
	if s.isStopping() {
		refuse(saidStopping)
		return
	}
	if !s.front.offer(func(ctx context.Context) { s.submitted(ctx, env, p, a, block) }) {
		s.app.metrics.shed.WithLabelValues(typeInteractive).Inc()
		refuse(saidBusy)
	}
}

// submitted records what a submitted modal says: the denial, or that a change
// happened.
func (s *session) submitted(ctx context.Context, env envelope, p interactionPayload, a asking, block string) {
	c := flow.Caller{
		User: p.User.ID, Workspace: p.Team.ID, Channel: a.Channel, Thread: a.Thread,
		Dedupe: p.Trigger, Raw: p.View.Callback + " " + a.Ballot,
	}
	if c.Workspace == "" { // null on org-wide installs
		c.Workspace = p.User.Team
	}
	refuse := func(text string) {
		env.ack(notTaken(block, text))
		if !env.Accepts { // the modal closes as if it were taken
			s.aside(context.WithoutCancel(ctx), func(ctx context.Context) { s.whisper(ctx, c, flow.Message{Text: text}) })
		}
	}
	if no := s.admit(ctx, &c, gateBudget); no != nil { // who opened it may be no member any more
		refuse(no.Text)
		return
	}
	// The gate may have taken its share of the three seconds.
	ctx, cancel := context.WithTimeout(ctx, min(deskBudget, ackBudget-s.app.clock.Now().Sub(env.arrived)))
	defer cancel()
	told, err := s.enter(ctx, c, p, a)
	if err != nil {
		text := saidNotDenied.in(c.Language)
		if p.View.Callback == card.CallbackHappened {
			text = saidUncertain.in(c.Language)
		}
		if no, ok := errors.AsType[*flow.Rejection](err); ok {
			text = s.card.RejectionText(no, c.Language)
		}
		s.app.log.Warn("what a modal says was not taken", "modal", p.View.Callback, "user", c.User, "error", redacted(err))
		refuse(text)
		return
	}
	env.ack(nil)
	s.aside(context.WithoutCancel(ctx), func(ctx context.Context) { s.whisper(ctx, c, s.say(told, c.Language)) })
}

// enter puts what a modal says on record, and says what to tell the person then.
func (s *session) enter(ctx context.Context, c flow.Caller, p interactionPayload, a asking) (said, error) {
	if p.View.Callback == card.CallbackHappened {
		var id string
		id, c.Saw = card.ReadDecision(a.Ballot)
		f, err := s.desk.Settle(ctx, c, id, flow.SignalHappened, p.View.State.Values[card.BlockOperation][card.FieldOperation].Value)
		if err != nil {
			return said{}, err
		}
		s.app.log.Info("an unknown flow was settled", "flow", f.ID, "user", c.User, "how", string(flow.SignalHappened))
		return saidSettled.of(f.ID), nil
	}
	var id string
	var plan int
	id, plan, c.Saw = card.ReadBallot(a.Ballot)
	v, err := s.desk.Vote(ctx, c, id, plan, approvals.Deny, p.View.State.Values[card.BlockReason][card.FieldReason].Value)
	if err != nil {
		return said{}, err
	}
	s.app.log.Info("a vote was taken", "flow", v.Flow.ID, "user", c.User, "choice", string(v.Choice))
	return saidDenied.of(v.Flow.ID), nil
}
