package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"scalebot/approvals"
	"scalebot/bot/flow"
)

// replayPolicy judges the requests on record by the rules of another file. Only
// the rules are of that file's making: nothing is asked of Slack or a cloud.
func replayPolicy(cmd *cobra.Command, path, workspace, replay string) error {
	span, err := spanOf(replay)
	if err != nil {
		return usageError{fmt.Errorf("scalebot policy: --replay: %w", err)}
	}
	cfg, err := load(path)
	if err != nil {
		return err
	}
	policy, problems := approvals.Compile(cfg.Approvals)
	if len(problems) > 0 {
		return usageError{fmt.Errorf("approvals: %v", problems)}
	}
	rdb := openRedis(cfg)
	defer rdb.Close() //nolint:errcheck // the process ends
	stores, err := openStores(cmd.Context(), cfg, rdb, workspace)
	if err != nil {
		return err
	}
	var flows []flow.Flow
	for _, s := range stores {
		found, err := s.List(cmd.Context(), flow.Filter{Since: time.Now().Add(-span), Limit: allFlows})
		if err != nil {
			return unread(err)
		}
		flows = append(flows, found...)
	}
	printReplay(cmd.OutOrStdout(), flow.Replay(policy, flows))
	return nil
}

func printReplay(w io.Writer, r flow.Replayed) {
	for _, m := range r.Moved {
		fmt.Fprintln(w, m)
	}
	for _, l := range r.UnjudgedBy() {
		fmt.Fprintln(w, l)
	}
	ways := r.Ways()
	fmt.Fprintf(w, "\n%d judged: %d the same, %d stricter, %d looser, %d other people or numbers; %d could not be judged\n",
		r.Same+len(r.Moved), r.Same, ways[flow.Stricter], ways[flow.Looser], ways[flow.Otherway], len(r.Unjudged))
}
