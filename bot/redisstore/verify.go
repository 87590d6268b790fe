package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Damage names what is wrong at one place of the audit chain.
type Damage string

// The damages.
const (
	DamageChanged   Damage = "changed"   // the content is not what its digest was made of
	DamageReplaced  Damage = "replaced"  // it does not follow from the entry before: one of the two was written anew
	DamageRemoved   Damage = "removed"   // entries N to Last are not there
	DamageMoved     Damage = "moved"     // it stands behind an entry that came later
	DamageInserted  Damage = "inserted"  // its place in the chain is another entry's, or already past
	DamageUnchained Damage = "unchained" // no link at all, among entries that have one
	DamageHead      Damage = "head"      // the last link is not the one that was kept beside the stream
)

// AuditFinding is one damage, with the entry it was found at.
type AuditFinding struct {
	Damage  Damage
	N, Last int64      // the place in the chain; Last only with DamageRemoved
	Entry   AuditEntry // zero with DamageRemoved
}

// String is one sentence for an operator.
func (f AuditFinding) String() string {
	which := fmt.Sprintf("entry %d (%s %s by %s at %s, stream id %s)", f.N, f.Entry.Action, f.Entry.Flow, f.Entry.Actor, f.Entry.At.Format(time.RFC3339), f.Entry.ID)
	switch f.Damage {
	case DamageChanged:
		return which + " was changed: its content is not what was recorded"
	case DamageReplaced:
		return which + " does not follow from the entry before it: one of the two was replaced"
	case DamageRemoved:
		if f.N == f.Last {
			return fmt.Sprintf("entry %d was removed", f.N)
		}
		return fmt.Sprintf("entries %d to %d were removed", f.N, f.Last)
	case DamageMoved:
		return which + " was moved: it stands behind a later entry"
	case DamageInserted:
		return which + " was inserted: its place in the chain is taken"
	case DamageUnchained:
		return fmt.Sprintf("an entry without a link (%s %s at %s, stream id %s) was inserted, or written by a version from before the chain",
			f.Entry.Action, f.Entry.Flow, f.Entry.At.Format(time.RFC3339), f.Entry.ID)
	case DamageHead:
		return fmt.Sprintf("the last link of the chain, kept beside the stream for entry %d, is missing or another one", f.N)
	}
	return which + ": " + string(f.Damage)
}

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Checked  int64 // entries in the chain
	Before   int64 // entries from before there was a chain: nothing can be said of them
	First    int64 // place of the first one that is kept; 0 = none is
	Last     int64 // place of the last one
	Link     string
	Findings []AuditFinding
}

// auditHead is what is kept beside the stream.
type auditHead struct {
	n, anchor        int64
	link, anchorLink string
}

func (s *Store) auditHead(ctx context.Context) (auditHead, error) {
	got, err := s.rdb.HMGet(ctx, s.keys.auditHead(), "n", "link", "anchor", "anchor_link").Result()
	if err != nil {
		return auditHead{}, answer("", err)
	}
	text := make([]string, len(got))
	for i, v := range got {
		text[i], _ = v.(string)
	}
	h := auditHead{link: text[1], anchorLink: text[3]}
	h.n, _ = strconv.ParseInt(text[0], 10, 64)
	h.anchor, _ = strconv.ParseInt(text[2], 10, 64)
	return h, nil
}

// verifyTries bounds how often a walk is begun again because entries came of age
// meanwhile.
const verifyTries = 5

// VerifyAudit walks the audit chain and finds every entry that was changed,
// removed, moved or inserted after it was written.
//
// Each entry has a SHA-256 digest of its content, made before the script that
// writes it, and a link: SHA-1, which is what Redis has in scripts, over the link
// before, the place in the chain and the digest. The last link stands beside the
// stream, as does the one of the last entry that was let go for its age, so that
// a cut at either end is found too.
//
// It protects against an edit of the stream by somebody who does not also
// rewrite all that follows: a slip with a Redis client, a tidied-away entry, a
// bug. It does not protect against somebody who may write everything in this
// Redis and rewrites the chain from there on with its head, or drops both: there
// is no key in it that they could not read. Against them, export the entries to a
// place they can't write, and compare the last place and link of the export with
// those of a later run. It does not hold the content up against the world either:
// it says what was recorded, not that it was true.
func (s *Store) VerifyAudit(ctx context.Context) (AuditReport, error) {
	for range verifyTries {
		head, err := s.auditHead(ctx)
		if err != nil {
			return AuditReport{}, err
		}
		c := newChecker(head)
		if err := s.Audit(ctx, func(e AuditEntry) error { c.add(e); return nil }); err != nil {
			return AuditReport{}, err
		}
		after, err := s.auditHead(ctx)
		if err != nil {
			return AuditReport{}, err
		}
		if after.anchor == head.anchor {
			return c.end(), nil
		}
	}
	return AuditReport{}, errors.New("the audit stream is being trimmed faster than it can be read; try again")
}

// checker follows the chain, entry by entry.
type checker struct {
	head    auditHead // as it was before the first entry was read
	n       int64     // of the last entry in order
	link    string
	started bool
	headOK  bool // the entry that the head names was met, with its link
	missing []span
	report  AuditReport
}

type span struct{ from, to int64 }

func newChecker(h auditHead) *checker {
	return &checker{head: h, n: h.anchor, link: h.anchorLink, headOK: h.n == h.anchor && h.link == h.anchorLink}
}

func (c *checker) find(d Damage, e AuditEntry) {
	c.report.Findings = append(c.report.Findings, AuditFinding{Damage: d, N: e.N, Entry: e})
}

func (c *checker) add(e AuditEntry) {
	if e.N <= 0 {
		if c.started || c.head.anchor > 0 {
			c.find(DamageUnchained, e)
			return
		}
		c.report.Before++
		return
	}
	if !c.started {
		c.started, c.report.First = true, e.N
	}
	c.report.Checked++
	if e.content != e.Digest {
		c.find(DamageChanged, e)
	}
	switch {
	case e.N <= c.n:
		if !c.back(e.N) {
			c.find(DamageInserted, e)
			return
		}
		c.find(DamageMoved, e)
		return
	case e.N > c.n+1:
		c.missing = append(c.missing, span{c.n + 1, e.N - 1})
	case e.Link != linkOf(c.link, e.N, e.Digest):
		c.find(DamageReplaced, e)
	}
	c.n, c.link = e.N, e.Link
	c.headOK = c.headOK || (e.N == c.head.n && e.Link == c.head.link)
}

// back takes an entry out of those that are missing.
func (c *checker) back(n int64) bool {
	i := slices.IndexFunc(c.missing, func(s span) bool { return s.from <= n && n <= s.to })
	if i < 0 {
		return false
	}
	s := c.missing[i]
	c.missing = slices.Delete(c.missing, i, i+1)
	if n < s.to {
		c.missing = slices.Insert(c.missing, i, span{n + 1, s.to})
	}
	if s.from < n {
		c.missing = slices.Insert(c.missing, i, span{s.from, n - 1})
	}
	return true
}

func (c *checker) end() AuditReport {
	if c.n < c.head.n {
		c.missing = append(c.missing, span{c.n + 1, c.head.n})
	} else if !c.headOK {
		c.report.Findings = append(c.report.Findings, AuditFinding{Damage: DamageHead, N: c.head.n})
	}
	for _, s := range c.missing {
		c.report.Findings = append(c.report.Findings, AuditFinding{Damage: DamageRemoved, N: s.from, Last: s.to})
	}
	slices.SortStableFunc(c.report.Findings, func(a, b AuditFinding) int { return int(min(max(a.N-b.N, -1), 1)) })
	c.report.Last, c.report.Link = c.n, c.link
	return c.report
}
