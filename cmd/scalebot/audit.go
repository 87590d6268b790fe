package main

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scalebot/bot/redisstore"
)

func auditCommand() *cobra.Command {
	var since, format, workspace string
	var verify bool
	cmd := &cobra.Command{
		Use: "audit --config FILE", Short: "Export the audit stream, or check that nobody changed it", Args: noArgs,
		Long: `Export who asked for what, at which price, which rules matched, each vote that
counted and each that did not and why, each move, and each request id of a cloud:
one entry per line, oldest first.

With --verify, walk the whole chain instead and name every entry that was changed,
removed, moved or inserted after it was written; exits 1 then. The chain is kept in
the same Redis and holds no key: somebody who may write everything there can make
it anew. Keep exports, or the last line of a verification, where they can't.`,
	}
	path := configFlag(cmd)
	cmd.Flags().StringVar(&since, "since", "", "only entries of this time, such as 30d; left out = all that are kept")
	cmd.Flags().StringVar(&format, "format", "jsonl", "jsonl or csv")
	cmd.Flags().BoolVar(&verify, "verify", false, "check the chain instead of printing it")
	cmd.Flags().StringVar(&workspace, "workspace", "", "Slack team id; needed only where a Redis serves several")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var from time.Time
		if since != "" {
			span, err := spanOf(since)
			if err != nil {
				return usageError{fmt.Errorf("scalebot audit: --since: %w", err)}
			}
			from = time.Now().Add(-span)
		}
		if format != "jsonl" && format != "csv" {
			return usageError{fmt.Errorf("scalebot audit: --format is jsonl or csv, not %q", format)}
		}
		return withStores(cmd.Context(), *path, workspace, func(stores []*redisstore.Store) error {
			if verify {
				return verifyAudit(cmd, stores)
			}
			return exportAudit(cmd, stores, format, from)
		})
	}
	return cmd
}

// spanOf reads a time to look back: days, or Go's units.
func spanOf(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days > 0 && days <= 36_500 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is no time to look back; write it as 30d or 12h", text)
}

func verifyAudit(cmd *cobra.Command, stores []*redisstore.Store) error {
	w, damaged := cmd.OutOrStdout(), false
	for _, s := range stores {
		r, err := s.VerifyAudit(cmd.Context())
		if err != nil {
			return unread(err)
		}
		fmt.Fprintf(w, "workspace %s: ", s.Workspace())
		switch {
		case r.Checked == 0 && len(r.Findings) == 0:
			fmt.Fprintln(w, "no entry is kept")
		default:
			fmt.Fprintf(w, "%d entries, %d to %d, last link %s\n", r.Checked, r.First, r.Last, r.Link)
		}
		if r.Before > 0 {
			fmt.Fprintf(w, "  %d older entries are from before there was a chain; nothing can be said of them\n", r.Before)
		}
		for _, f := range r.Findings {
			damaged = true
			fmt.Fprintf(w, "  DAMAGED  %s\n", f)
		}
		if len(r.Findings) == 0 {
			fmt.Fprintln(w, "  ok       nothing was changed, removed, moved or inserted")
		}
	}
	if damaged {
		return errors.New("the audit was changed from outside; see the lines marked DAMAGED, keep a copy of the stream, and find out who can write to this Redis")
	}
	return nil
}

// exportLine is an entry with the workspace that it is of.
type exportLine struct {
	Workspace string `json:"workspace"`
	redisstore.AuditEntry
}

func exportAudit(cmd *cobra.Command, stores []*redisstore.Store, format string, from time.Time) error {
	out := bufio.NewWriter(cmd.OutOrStdout())
	lines, table := json.NewEncoder(out), csv.NewWriter(out)
	lines.SetEscapeHTML(false)
	if format == "csv" {
		if err := table.Write(auditColumns); err != nil {
			return err
		}
	}
	for _, s := range stores {
		var unwritten error
		err := s.Audit(cmd.Context(), func(e redisstore.AuditEntry) error {
			switch {
			case e.At.Before(from):
				return nil
			case format == "csv":
				unwritten = table.Write(auditRow(s.Workspace(), e))
			default:
				unwritten = lines.Encode(exportLine{s.Workspace(), e})
			}
			return unwritten
		})
		if unwritten != nil {
			return unwritten
		}
		if err != nil {
			return unread(err)
		}
	}
	table.Flush()
	return errors.Join(table.Error(), out.Flush())
}

// auditColumns are those of the CSV form. What an auditor looks for first is
// taken out of the detail; the detail itself stands behind, so nothing is lost.
var auditColumns = []string{
	"workspace", "n", "at", "flow", "actor", "action", "from", "to", "typed", "price", "rules", "counted", "not_counted", "glass",
	"request_ids", "detail", "digest", "link", "id",
}

// found is as much of a detail as the columns need.
type found struct {
	Raw  string `json:"raw"`
	Plan struct {
		Quote quoted `json:"quote"`
	} `json:"plan"`
	Quote    quoted `json:"quote"` // of a plan that was priced once more
	Outcomes []struct {
		Rule    string
		Matched bool
	} `json:"outcomes"`
	Verdict struct {
		Ballot struct {
			Seats []struct {
				Group string
				By    []string
			}
			DeniedBy  []string `json:"denied_by"`
			Uncounted []struct{ User, Emoji, Reason string }
		}
		Glass *struct{ By, Group, Reason string }
	} `json:"verdict"`
	Operation json.RawMessage `json:"operation"` // a string in the entry of a decision
	RequestID string          `json:"request_id"`
}

type quoted struct {
	Known                      bool
	Currency                   string
	Hourly, Monthly, Committed string
}

func (q quoted) String() string {
	if !q.Known {
		return ""
	}
	return fmt.Sprintf("committed %s, monthly %s, hourly %s %s", q.Committed, q.Monthly, q.Hourly, q.Currency)
}

func auditRow(workspace string, e redisstore.AuditEntry) []string {
	var d found
	// A part that has another form leaves its column empty; the detail has it.
	_ = json.Unmarshal(e.Detail, &d)
	var rules, counted, not, ids []string
	for _, o := range d.Outcomes {
		if o.Matched {
			rules = append(rules, o.Rule)
		}
	}
	for _, s := range d.Verdict.Ballot.Seats {
		for _, who := range s.By {
			counted = append(counted, who+" for "+s.Group)
		}
	}
	for _, who := range d.Verdict.Ballot.DeniedBy {
		counted = append(counted, who+" against")
	}
	for _, u := range d.Verdict.Ballot.Uncounted {
		not = append(not, u.User+" "+u.Emoji+": "+u.Reason)
	}
	var op struct {
		RequestID string `json:"request_id"`
	}
	if json.Unmarshal(d.Operation, &op) == nil && op.RequestID != "" {
		ids = append(ids, op.RequestID)
	}
	if d.RequestID != "" {
		ids = append(ids, d.RequestID)
	}
	price, glass := cmp.Or(d.Plan.Quote.String(), d.Quote.String()), ""
	if g := d.Verdict.Glass; g != nil {
		glass = g.By + " of " + g.Group + ": " + g.Reason
	}
	row := []string{
		workspace, strconv.FormatInt(e.N, 10), e.At.Format(time.RFC3339Nano), e.Flow, e.Actor, e.Action, string(e.From), string(e.To),
		d.Raw, price, strings.Join(rules, "; "), strings.Join(counted, "; "), strings.Join(not, "; "), glass,
		strings.Join(ids, "; "), string(e.Detail), e.Digest, e.Link, e.ID,
	}
	for i := range row {
		row[i] = inert(row[i])
	}
	return row
}

// inert keeps a spreadsheet from running what a person typed as a formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
