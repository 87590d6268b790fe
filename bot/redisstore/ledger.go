package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	var b flow.Book
	for field, text := range all {
		id, isFlow := strings.CutPrefix(field, "f:")
		switch {
		case field == "v":
			if b.Version, err = strconv.ParseInt(text, 10, 64); err != nil {
				return flow.Book{}, fmt.Errorf("book %s: %w", name, err)
			}
		case isFlow:
			place, entry, _ := strings.Cut(text, " ")
			var e flow.Entry
			if e.Place, err = strconv.ParseInt(place, 10, 64); err == nil {
				err = json.Unmarshal([]byte(entry), &e)
			}
			if err != nil {
				return flow.Book{}, fmt.Errorf("book %s, entry of %s: %w", name, id, err)
			}
			b.Entries = append(b.Entries, e)
		}
	}
	slices.SortFunc(b.Entries, func(a, c flow.Entry) int { return cmp.Compare(a.Place, c.Place) })
	return b, nil
}
