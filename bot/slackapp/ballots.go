package slackapp

import (
	"context"
	"fmt"
	"net/url"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

const methodReactions = "reactions.get"

// subtypeTombstone marks what stays of a deleted message that has replies, as every
// card has (slack.md 6.2).
const subtypeTombstone = "tombstone"

// Reactions reads the reactions of a message with all their users. Slack tells
// nothing about when they were put. A list that Slack cuts short in spite of
// full=true shows in Reaction.Count.
func (a *App) Reactions(ctx context.Context, ref flow.MessageRef) ([]approvals.Reaction, error) {
	var answer struct {
		Message struct {
			Subtype   string `json:"subtype"`
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
	if answer.Message.Subtype == subtypeTombstone {
		// No reactions are on it any more, which must not read as no votes.
		return nil, fmt.Errorf("%w: %s: a tombstone", flow.ErrMessageGone, methodReactions)
	}
	list := make([]approvals.Reaction, len(answer.Message.Reactions))
	for i, r := range answer.Message.Reactions {
		list[i] = approvals.Reaction{Name: r.Name, Users: r.Users, Count: r.Count}
	}
	return list, nil
}
