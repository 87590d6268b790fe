package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"scalebot/bot/flow"
)

// commitArgs are the arguments of save about a commitment.
func commitArgs(sv flow.Save) ([]any, error) {
	forget := ms(sv.Now.Add(-Retention))
	if sv.Commit == nil {
		return []any{"", 0, 0, 0, flow.CommitmentSchema, forget}, nil
	}
	c := *sv.Commit
	record, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("commitment of %s: %w", c.ID, err)
	}
	return []any{record, ms(c.Until), ms(sv.CommitDue), commitmentTTL(c, sv.Now), flow.CommitmentSchema, forget}, nil
}

// commitmentTTL is how many seconds a commitment is kept, counted from the caller's
// now: a key that dies by the server's clock could be gone before a reminder of it.
func commitmentTTL(c flow.Commitment, now time.Time) int64 {
	return int64((max(c.Until.Sub(now), 0) + Retention) / time.Second)
}

// commitmentFields is what one read of a commitment takes.
var commitmentFields = []string{"j", "n", "d"}

// Commitments reads what is on record; see flow.Store. It walks the index by end.
// Records of a newer version are passed over.
func (s *Store) Commitments(ctx context.Context, since time.Time) ([]flow.Commitment, error) {
	var found []flow.Commitment
	for offset := int64(0); ; offset += listPage {
		ids, err := s.rdb.ZRangeByScore(ctx, s.keys.commitments(), &redis.ZRangeBy{
			Min: strconv.FormatInt(ms(since), 10), Max: "+inf", Offset: offset, Count: listPage,
		}).Result()
		if err != nil {
			return nil, answer("", err)
		}
		if len(ids) == 0 {
			return found, nil
		}
		pipe := s.rdb.Pipeline()
		records := make([]*redis.SliceCmd, len(ids))
		for i, id := range ids {
			records[i] = pipe.HMGet(ctx, s.keys.commitment(id), commitmentFields...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, answer("", err)
		}
		for i, id := range ids {
			c, err := commitmentOf(id, records[i].Val())
			switch {
			case errors.Is(err, flow.ErrNotFound), errors.Is(err, flow.ErrNewer):
			case err != nil:
				return nil, err
			default:
				found = append(found, c)
			}
		}
		if len(ids) < listPage {
			return found, nil
		}
	}
}

// Commitment reads one; see flow.Store.
func (s *Store) Commitment(ctx context.Context, id string) (flow.Commitment, error) {
	fields, err := s.rdb.HMGet(ctx, s.keys.commitment(id), commitmentFields...).Result()
	if err != nil {
		return flow.Commitment{}, answer("", err)
	}
	return commitmentOf(id, fields)
}

func commitmentOf(id string, fields []any) (flow.Commitment, error) {
	record, _ := fields[0].(string)
	schema, _ := fields[1].(string)
	decision, _ := fields[2].(string)
	var c flow.Commitment
	if record == "" {
		return c, fmt.Errorf("%w: commitment of %s", flow.ErrNotFound, id)
	}
	if n, err := strconv.Atoi(schema); err != nil || n > flow.CommitmentSchema {
		return c, fmt.Errorf("%w: the commitment of %s has schema %s, this version knows %d", flow.ErrNewer, id, schema, flow.CommitmentSchema)
	}
	if err := json.Unmarshal([]byte(record), &c); err != nil {
		return c, fmt.Errorf("commitment of %s: %w", id, err)
	}
	if decision != "" {
		c.Decision = &flow.Decision{}
		if err := json.Unmarshal([]byte(decision), c.Decision); err != nil {
			return c, fmt.Errorf("decision about the commitment of %s: %w", id, err)
		}
	}
	return c, nil
}

// Decide records a decision; see flow.Store.
func (s *Store) Decide(ctx context.Context, id string, d flow.Decision, a flow.Audit) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("decision about the commitment of %s: %w", id, err)
	}
	fields, err := s.auditFields(id, "", "", 0, d.At, a)
	if err != nil {
		return err
	}
	args := append([]any{s.keys.base, id, text, d.N, ms(d.At)}, fields...)
	return answer(decide.Run(ctx, s.rdb, []string{s.keys.commitment(id), s.keys.audit()}, args...).Text())
}

// GoOn puts a commitment on by its next end; see flow.Store.
func (s *Store) GoOn(ctx context.Context, claim flow.Claim, c flow.Commitment, now time.Time, a flow.Audit) error {
	fields, err := s.auditFields(c.ID, "", "", 0, now, a)
	if err != nil {
		return err
	}
	args := append([]any{claim.Fence, c.ID, c.Term, ms(c.Until), commitmentTTL(c, now)}, fields...)
	return answer(goOn.Run(ctx, s.rdb, []string{s.keys.commitment(c.ID), s.keys.commitments(), s.keys.audit()}, args...).Text())
}

// Reminders reads what Slack shows of a commitment; see flow.Store.
func (s *Store) Reminders(ctx context.Context, id string) (flow.Reminders, error) {
	var r flow.Reminders
	text, err := s.rdb.HGet(ctx, s.keys.commitment(id), "r").Bytes()
	if errors.Is(err, redis.Nil) {
		return r, nil
	}
	if err != nil {
		return r, answer("", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("reminders of %s: %w", id, err)
	}
	return r, nil
}

// SaveReminders writes it; see flow.Store.
func (s *Store) SaveReminders(ctx context.Context, c flow.Claim, r flow.Reminders) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("reminders of %s: %w", c.ID, err)
	}
	return answer(saveReminders.Run(ctx, s.rdb, []string{s.keys.commitment(c.ID)}, c.Fence, text, r.Version).Text())
}
