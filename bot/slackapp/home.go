package slackapp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/slack-go/slack"

	"scalebot/bot/card"
	"scalebot/bot/flow"
)

const (
	methodPublish = "views.publish"
	homeFlows     = 50
)

// home publishes a person's home tab, unless it is what they see already: shown
// is the name of that, as the tab itself carries it. A note of our own would be
// wrong as soon as another replica published something else.
func (s *session) home(ctx context.Context, user, shown string) {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	view, err := s.tab(ctx, user)
	if err == nil {
		err = s.publish(ctx, user, shown, view)
	}
	if err != nil {
		s.app.log.Warn("a home tab could not be shown", "user", user, "error", redacted(err))
	}
}

// tab is what a person's home tab should show.
func (s *session) tab(ctx context.Context, user string) (flow.Message, error) {
	c := flow.Caller{User: user}
	if no := s.admit(ctx, &c, lookupTimeout); no != nil {
		return *no, nil
	}
	running, err := s.desk.Flows(ctx, flow.Filter{Open: true, Limit: homeFlows})
	if err != nil {
		return flow.Message{}, err
	}
	waiting, unread, err := s.desk.Waiting(ctx, user)
	if err != nil {
		return flow.Message{}, err
	}
	mine, err := s.desk.Flows(ctx, flow.Filter{User: user, Limit: homeFlows})
	if err != nil {
		return flow.Message{}, err
	}
	committed, err := s.desk.Commitments(ctx, "")
	if err != nil {
		return flow.Message{}, err
	}
	return s.card.Home(card.Tab{
		User: user, Running: running, Waiting: waiting, Unread: unread, Mine: mine, Committed: committed,
	}, c.Language), nil
}

func (s *session) publish(ctx context.Context, user, shown string, view flow.Message) error {
	sum := sha256.Sum256(view.Blocks)
	name := hex.EncodeToString(sum[:16])
	if name == shown {
		return nil
	}
	blocks, err := rawBlocks(view.Blocks)
	if err != nil {
		return err
	}
	return s.app.show(ctx, methodPublish, slack.PublishViewContextRequest{
		UserID: user,
		View:   slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}, PrivateMetadata: name},
	})
}
