package slackapp

import (
	"context"
	"net/url"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

const methodReactions = "reactions.get"

// Reactions reads the reactions of a message with all their users. Slack tells
// nothing about when they were put. A list that Slack cuts short in spite of
// full=true shows in Reaction.Count.
func (a *App) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	var answer struct {
		Message struct {
			Reactions []struct {
				Name  string   `json:"name"`
				Count int      `json:"count"`
				Users []string `json:"users"`
			} `json:"reactions"`
		} `json:"message"`
	}
	form := url.Values{"channel": {ref.Channel}, "timestamp": {ref.TS}, "full": {"true"}}
	if err := a.read(ctx, methodReactions, form, &answer); err != nil {
		return nil, err
	}
	list := make([]approvals.Reaction, len(answer.Message.Reactions))
	for i, r := range answer.Message.Reactions {
		list[i] = approvals.Reaction{Name: r.Name, Users: r.Users, Count: r.Count}
	}
	return list, nil
}
