package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// SetFreeze records a freeze; see flow.Store.
func (s *Store) SetFreeze(ctx context.Context, cluster string, o approvals.Order, a flow.Audit) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("freeze of %s: %w", cluster, err)
	}
	fields, err := s.auditFields("", "", "", 0, o.Since, a)
	if err != nil {
		return err
	}
	args := append([]any{cluster, text}, fields...)
	return answer(setFreeze.Run(ctx, s.rdb, []string{s.keys.freezes(), s.keys.audit()}, args...).Text())
}

// EndFreeze forgets a freeze; see flow.Store.
func (s *Store) EndFreeze(ctx context.Context, cluster string, at time.Time, a flow.Audit) error {
	fields, err := s.auditFields("", "", "", 0, at, a)
	if err != nil {
		return err
	}
	args := append([]any{cluster}, fields...)
	return answer(endFreeze.Run(ctx, s.rdb, []string{s.keys.freezes(), s.keys.audit()}, args...).Text())
}

// Freezes reads all freezes on record; see flow.Store. One that can't be read is
// an error: a freeze must not end by it.
func (s *Store) Freezes(ctx context.Context) (map[string]approvals.Order, error) {
	all, err := s.rdb.HGetAll(ctx, s.keys.freezes()).Result()
	if err != nil {
		return nil, answer("", err)
	}
	orders := make(map[string]approvals.Order, len(all))
	for cluster, text := range all {
		var o approvals.Order
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return nil, fmt.Errorf("freeze of %s: %w", cluster, err)
		}
		orders[cluster] = o
	}
	return orders, nil
}

// seenFreeze is what save compares with the freeze on record: since when it is, in
// the form of the record. The whole text would be another one when a version wrote
// it that knows more of a freeze, and nothing could be sent any more.
func seenFreeze(seen *flow.SeenFreeze) string {
	switch {
	case seen == nil:
		return "-"
	case seen.Order == nil:
		return ""
	}
	return seen.Order.Since.Format(time.RFC3339Nano)
}
