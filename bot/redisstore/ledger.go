package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// posted gives the keys and arguments of a save's postings.
func (s *Store) posted(postings []flow.Posting) (keys []string, args []any, err error) {
	args = append(args, len(postings))
	for _, p := range postings {
		seen, last, entry := "", "0", ""
		if p.Seen != nil {
			seen = strconv.FormatInt(*p.Seen, 10)
		}
		if p.Anew {
			last = "1"
		}
		if p.Entry != nil {
			text, err := json.Marshal(p.Entry)
			if err != nil {
				return nil, nil, fmt.Errorf("book %s: %w", p.Book, err)
			}
			entry = string(text)
		}
		keys = append(keys, s.keys.book(p.Book))
		args = append(args, seen, last, entry, int(flow.BookKept.Seconds()))
	}
	return keys, args, nil
}

// Book reads one book; see flow.Store. An entry that can't be read is an error: to
// pass over it would be to spend its money twice.
func (s *Store) Book(ctx context.Context, name string) (flow.Book, error) {
	all, err := s.rdb.HGetAll(ctx, s.keys.book(name)).Result()
	if err != nil {
		return flow.Book{}, answer("", err)
	}
	return readBook(name, all)
}

func readBook(name string, fields map[string]string) (b flow.Book, err error) {
	for field, text := range fields {
		id, isFlow := strings.CutPrefix(field, "f:")
		switch {
		case field == "v":
			b.Version, err = strconv.ParseInt(text, 10, 64)
		case field == "m":
			b.Mandate = &approvals.Mandate{}
			err = json.Unmarshal([]byte(text), b.Mandate)
		case isFlow:
			place, entry, _ := strings.Cut(text, " ")
			var e flow.Entry
			if e.Place, err = strconv.ParseInt(place, 10, 64); err == nil {
				err = json.Unmarshal([]byte(entry), &e)
			}
			b.Entries = append(b.Entries, e)
		}
		if err != nil {
			return flow.Book{}, fmt.Errorf("book %s, %s %s: %w", name, field, id, err)
		}
	}
	slices.SortFunc(b.Entries, func(a, c flow.Entry) int { return cmp.Compare(a.Place, c.Place) })
	return b, nil
}

// SignMandate records a mandate; see flow.Store.
func (s *Store) SignMandate(ctx context.Context, m approvals.Mandate, dedupe string, a flow.Audit) (string, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("mandate %s: %w", m.ID, err)
	}
	fields, err := s.auditFields("", "", "", 0, m.At, a)
	if err != nil {
		return "", err
	}
	ttl := 0
	if dedupe != "" {
		ttl = int(deliveryTTL.Seconds())
	}
	args := append([]any{m.ID, text, ms(m.Until), int(flow.BookKept.Seconds()), ms(m.At.Add(-Retention)), ttl}, fields...)
	got, err := signMandate.Run(ctx, s.rdb, []string{
		s.keys.book(flow.MandateBook(m.ID)), s.keys.mandates(), s.keys.audit(), s.keys.delivery(dedupe),
	}, args...).StringSlice()
	switch {
	case err != nil:
		return "", answer("", err)
	case len(got) == 2 && got[0] == codeSeen:
		return got[1], nil
	case len(got) != 1:
		return "", fmt.Errorf("redis: signing answered %q", got)
	}
	return m.ID, answer(got[0], nil)
}

// RevokeMandate ends a mandate; see flow.Store.
func (s *Store) RevokeMandate(ctx context.Context, was, now approvals.Mandate, a flow.Audit) error {
	before, err := json.Marshal(was)
	if err != nil {
		return fmt.Errorf("mandate %s: %w", was.ID, err)
	}
	after, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("mandate %s: %w", now.ID, err)
	}
	at := now.At
	if now.Revoked != nil {
		at = now.Revoked.At
	}
	fields, err := s.auditFields("", "", "", 0, at, a)
	if err != nil {
		return err
	}
	args := append([]any{before, after}, fields...)
	return answer(revokeMandate.Run(ctx, s.rdb, []string{s.keys.book(flow.MandateBook(was.ID)), s.keys.audit()}, args...).Text())
}

// Mandates reads the books of mandates; see flow.Store. One that can't be read is
// an error: what was taken of it would be forgotten.
func (s *Store) Mandates(ctx context.Context, since time.Time) ([]flow.Book, error) {
	ids, err := s.rdb.ZRangeByScore(ctx, s.keys.mandates(), &redis.ZRangeBy{Min: "(" + strconv.FormatInt(ms(since), 10), Max: "+inf"}).Result()
	if err != nil {
		return nil, answer("", err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	pipe := s.rdb.Pipeline()
	reads := make([]*redis.MapStringStringCmd, len(ids))
	for i, id := range ids {
		reads[i] = pipe.HGetAll(ctx, s.keys.book(flow.MandateBook(id)))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, answer("", err)
	}
	books := make([]flow.Book, 0, len(ids))
	for i, id := range ids {
		b, err := readBook(flow.MandateBook(id), reads[i].Val())
		if err != nil {
			return nil, err
		}
		if b.Mandate != nil {
			books = append(books, b)
		}
	}
	return books, nil
}
