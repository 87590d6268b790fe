package redisstore

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // what Redis has in Lua; see Store.VerifyAudit for what rests on it
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"scalebot/bot/flow"
)

// AuditRetention is how long audit entries stay when config does not say: a year
// and a month, so that a yearly review finds all of it.
const AuditRetention = 400 * 24 * time.Hour

// cutForm writes the time before which entries are let go so that the script can
// compare it as text with the time of an entry, whose fractions of a second it
// ignores.
const cutForm = "2006-01-02T15:04:05Z"

// The fields of an entry that the chain adds; the digest covers all others.
const (
	fieldN      = "n"
	fieldLink   = "link"
	fieldDigest = "digest"
)

// auditFields are the arguments that chain reads: the digest of the entry and the
// time before which older ones go, then the entry itself: who moved what from
// where to where, with the version that the move made.
func (s *Store) auditFields(id string, from, to flow.State, version int64, at time.Time, a flow.Audit) ([]any, error) {
	detail, err := json.Marshal(a.Detail)
	if err != nil {
		return nil, fmt.Errorf("audit detail of %s: %w", cmp.Or(id, a.Action), err)
	}
	fields := []string{
		"flow", id, "from", string(from), "to", string(to), "version", strconv.FormatInt(version, 10),
		"at", at.UTC().Format(time.RFC3339Nano), "actor", a.Actor, "action", a.Action, "detail", string(detail),
	}
	entry := make(map[string]string, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		entry[fields[i]] = fields[i+1]
	}
	args := []any{fieldDigest, digestOf(entry), "cut", at.Add(-s.auditKept).UTC().Format(cutForm)}
	for _, f := range fields {
		args = append(args, f)
	}
	return args, nil
}

// digestOf is SHA-256 over names and values, each with its length in front so
// that no two entries have one form, in the order of the names. A field that
// somebody adds changes it too.
func digestOf(entry map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(entry)) {
		if name == fieldN || name == fieldLink || name == fieldDigest {
			continue
		}
		fmt.Fprintf(sum, "%d:%s%d:%s", len(name), name, len(entry[name]), entry[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// linkOf is the link of entry n behind the one with link before, as the script
// makes it.
func linkOf(before string, n int64, digest string) string {
	sum := sha1.Sum([]byte(before + " " + strconv.FormatInt(n, 10) + " " + digest)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// AuditEntry is one entry of the audit stream.
type AuditEntry struct {
	N       int64           `json:"n"`              // its place in the chain, from 1; 0 = written before there was one
	At      time.Time       `json:"at"`             // by the clock of the replica that wrote it
	Flow    string          `json:"flow,omitempty"` // "" = of no flow, such as a freeze
	Actor   string          `json:"actor"`          // Slack user id, or "scalebot"
	Action  string          `json:"action"`
	From    flow.State      `json:"from,omitempty"`
	To      flow.State      `json:"to,omitempty"`
	Version int64           `json:"version,omitempty"` // of the record that the move made
	Detail  json.RawMessage `json:"detail,omitempty"`
	Digest  string          `json:"digest,omitempty"` // SHA-256 of all above but N
	Link    string          `json:"link,omitempty"`   // SHA-1 of the link before, N and Digest

	ID      string `json:"id"` // in the stream
	content string // the digest of what stands there
}

// auditPage is how many entries one round trip reads.
const auditPage = 500

// Audit reads the stream from its oldest entry on. An error of each ends it.
func (s *Store) Audit(ctx context.Context, each func(AuditEntry) error) error {
	from := "-"
	for {
		page, err := s.rdb.XRangeN(ctx, s.keys.audit(), from, "+", auditPage).Result()
		if err != nil {
			return answer("", err)
		}
		for _, m := range page {
			if err := each(entryOf(m.ID, m.Values)); err != nil {
				return err
			}
		}
		if len(page) < auditPage {
			return nil
		}
		from = "(" + page[len(page)-1].ID
	}
}

// entryOf reads what stands in the stream. Nothing of it is trusted: what can't
// be read is empty here, and the digest, which is over the text, finds it.
func entryOf(id string, values map[string]any) AuditEntry {
	text := make(map[string]string, len(values))
	for name, v := range values {
		text[name], _ = v.(string)
	}
	e := AuditEntry{
		ID: id, Flow: text["flow"], Actor: text["actor"], Action: text["action"], From: flow.State(text["from"]), To: flow.State(text["to"]),
		Digest: text[fieldDigest], Link: text[fieldLink], content: digestOf(text),
	}
	e.N, _ = strconv.ParseInt(text[fieldN], 10, 64)
	e.Version, _ = strconv.ParseInt(text["version"], 10, 64)
	e.At, _ = time.Parse(time.RFC3339Nano, text["at"])
	if d := text["detail"]; d != "null" && json.Valid([]byte(d)) {
		e.Detail = json.RawMessage(d)
	}
	return e
}
