package slackapp

import (
	"context"

	"github.com/slack-go/slack"

	"scalebot/bot/flow"
)

const (
	methodPublish = "views.publish"
	homeFlows     = 50
)

// home publishes a person's home tab, unless it is what they see already.
func (s *session) home(ctx context.Context, user string) {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	lang := s.app.opt.Language
	if p, err := s.app.profile(ctx, user); err == nil {
		lang = p.language
	}
	failed := func(err error) {
		s.app.log.Warn("a home tab could not be shown", "user", user, "err", redacted(err))
	}
	running, err := s.desk.Flows(ctx, flow.Filter{Open: true, Limit: homeFlows})
	if err != nil {
		failed(err)
		return
	}
	waiting, err := s.desk.Waiting(ctx, user)
	if err != nil {
		failed(err)
		return
	}
	mine, err := s.desk.Flows(ctx, flow.Filter{User: user, Limit: homeFlows})
	if err != nil {
		failed(err)
		return
	}
	view := s.card.Home(user, running, waiting, mine, lang)
	if s.app.homes.same(user, view.Blocks) {
		return
	}
	blocks, err := rawBlocks(view.Blocks)
	if err != nil {
		failed(err)
		return
	}
	err = s.app.call(ctx, methodPublish, func(ctx context.Context) error {
		_, err := s.app.slack.PublishViewContext(ctx, slack.PublishViewContextRequest{
			UserID: user,
			View:   slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}},
		})
		return err
	})
	if err != nil {
		failed(err)
		return
	}
	s.app.homes.set(user, view.Blocks)
}
