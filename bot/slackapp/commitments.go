package slackapp

import (
	"context"

	"scalebot/bot/card"
	"scalebot/bot/flow"
)

// commitments lists what prepaid terms commit to.
func (s *session) commitments(c flow.Caller, cluster string) work {
	return s.reading(c, func(ctx context.Context) (flow.Message, error) {
		all, err := s.desk.Commitments(ctx, cluster)
		if err != nil {
			return flow.Message{}, err
		}
		return s.card.Commitments(all, c.Language), nil
	})
}

// renewal records a decision about a commitment; value is the button's.
func (s *session) renewal(ctx context.Context, c flow.Caller, value string, choice flow.RenewalChoice) flow.Message {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	id, seen := card.ReadDecidable(value)
	made, err := s.desk.Renewal(ctx, c, id, seen, choice)
	if err != nil {
		return s.refuse(err, c, saidUncertain)
	}
	return s.card.RenewalDecided(made, c.Language)
}
