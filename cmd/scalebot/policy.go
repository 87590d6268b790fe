package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/config"
	"scalebot/bot/flow"
	"scalebot/bot/slackapp"
)

func policyCommand() *cobra.Command {
	var as, replay, workspace string
	cmd := &cobra.Command{
		Use: "policy --config FILE --as USER 'emr-m620 task +2 prepaid 1m'", Short: "Say which rules match a request, and who must approve it; or try a changed file on the record",
		Long: `Plan a request as the bot would, without recording it: the cluster is observed,
the change is priced, and every rule and freeze is shown with what it says and
the values that it read. USER is a Slack user id.

With --replay, judge the requests on record of that time by the rules of FILE
instead, and list those that would have gone another way:

    scalebot policy --config changed.yaml --replay 90d`,
		Args: func(_ *cobra.Command, args []string) error {
			if replay != "" && len(args) > 0 {
				return usageError{errors.New("scalebot policy takes a request or --replay, not both")}
			}
			if len(args) == 0 && replay == "" {
				return usageError{errors.New("scalebot policy needs a request in quotes, such as 'emr-m620 task +2 prepaid 1m'")}
			}
			return nil
		},
	}
	path := configFlag(cmd)
	cmd.Flags().StringVar(&as, "as", "", "the Slack user id of the person who would ask (required)")
	cmd.Flags().StringVar(&replay, "replay", "", "judge the requests of this time on record again, such as 90d")
	cmd.Flags().StringVar(&workspace, "workspace", "", "with --replay: Slack team id; needed only where a Redis serves several")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if replay != "" {
			return replayPolicy(cmd, *path, workspace, replay)
		}
		if as == "" {
			return usageError{errors.New("scalebot policy: --as USER is required, a Slack user id such as U0123ABCD")}
		}
		cfg, err := load(*path)
		if err != nil {
			return err
		}
		rdb := openRedis(cfg)
		defer rdb.Close() //nolint:errcheck // the process ends
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
		defer cancel()
		app, err := reachSlack(ctx, cfg)
		if err != nil {
			return err
		}
		zone, err := app.Zone(ctx, as)
		if err != nil {
			return fmt.Errorf("%w; --as takes the id of a member, such as U0123ABCD (in Slack: the profile, ⋮, Copy member ID)", err)
		}
		if err := rdb.Ping(ctx).Err(); err != nil {
			return noRedis(err)
		}
		b, err := newBot(ctx, cfg, rdb, newLogger(cmd.ErrOrStderr(), slog.LevelError), prometheus.NewRegistry())
		if err != nil {
			return toldApart(err)
		}
		text := strings.Join(args, " ")
		asked, err := slackapp.ParseAsk(text, b.desk.Catalog(), time.Now(), zone)
		if err != nil {
			return usageError{err}
		}
		preview, err := b.desk.DryRun(ctx, flow.Caller{User: as, Workspace: b.identity.Team, Language: card.English, Raw: text}, asked)
		var no *flow.Rejection
		if errors.As(err, &no) {
			if no.Better != nil {
				no.Fixed = slackapp.Spell(*no.Better)
			}
			return errors.New(b.renderer.Rejection(no, card.English).Text)
		}
		if err != nil {
			return err
		}
		if why := preview.Refused; why != nil && (why.Code == flow.WaitCloud || why.Code == flow.WaitBallot) {
			return fmt.Errorf("%s Try again, and run `scalebot check` if it stays", b.renderer.Preview(preview, card.English).Text)
		}
		printPreview(cmd.OutOrStdout(), b, preview)
		return nil
	}
	return cmd
}

// reachTime bounds how long a tool waits for Slack: somebody sits before it.
const reachTime = 5 * time.Second

// reachSlack asks Slack once who the bot is. The bot itself tries for ever.
func reachSlack(ctx context.Context, cfg *config.Config) (*slackapp.App, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	app, err := slackApp(cfg)
	if err != nil {
		return nil, err
	}
	switch _, err := app.Identify(ctx); {
	case errors.Is(err, slackapp.ErrTokens):
		return nil, toldApart(err)
	case err != nil:
		return nil, fmt.Errorf("Slack does not answer at %s: %w; check slack.api_url, and the way there", cfg.Slack.APIURL, err)
	}
	return app, nil
}

func printPreview(w io.Writer, b *bot, p flow.Preview) {
	renderer := b.renderer
	fmt.Fprintln(w, renderer.Preview(p, card.English).Text)
	if b := p.Budget; b != nil {
		takes := "what this takes of it is unknown"
		if amount, known := b.Takes(p.Plan); known {
			takes = "this takes " + amount.StringFixed(2)
		}
		fmt.Fprintf(w, "\nBudget %s, %s: %s %s left of %s (%s spent, %s reserved); %s.\n", b.Centre, b.Month,
			b.Left().StringFixed(2), b.Currency, b.Monthly.StringFixed(2), b.Spent.StringFixed(2), b.Reserved.StringFixed(2), takes)
	}
	if p.Explained != nil {
		fmt.Fprintln(w)
		printExplained(w, renderer, *p.Explained)
	}
	if p.Refused != nil {
		return
	}
	for _, x := range p.Judgement.Passed {
		if x.Order != nil {
			fmt.Fprintf(w, "\nThe freeze that %s ordered is passed as a member of %s.\n", x.Order.By, x.Group)
		}
	}
	if len(p.Judgement.Requirements) == 0 {
		fmt.Fprintln(w, "\nNobody needs to approve.")
		return
	}
	if v := p.Foreseen; v != nil && v.Glass != nil {
		fmt.Fprintf(w, "\nWould run by breaking the glass, as a member of %s. These would be told:\n", v.Glass.Group)
	} else {
		fmt.Fprintln(w, "\nMust approve (one person fills one seat):")
	}
	for _, r := range p.Judgement.Requirements {
		fmt.Fprintf(w, "  %d of %s, asked by %s\n", r.N, r.Group, strings.Join(r.Rules, ", "))
	}
	if p.Foreseen == nil {
		return
	}
	for _, u := range p.Foreseen.Ballot.Mandates {
		fmt.Fprintf(w, "Mandate %s of %s would cover a seat of %s.\n", u.ID, u.By, u.Group)
	}
	for _, u := range p.Foreseen.Ballot.Uncounted {
		fmt.Fprintf(w, "Mandate %s of %s would not count: %s\n", u.Mandate, u.User, u.Reason)
	}
}

// printExplained prints the card's line of each rule and freeze, and below it the
// condition that it is about.
func printExplained(w io.Writer, r *card.Renderer, x approvals.Explanation) {
	var when []string // as the lines come: the rules, then the freezes
	for _, y := range x.Rules {
		when = append(when, y.When)
	}
	for _, y := range x.Freezes {
		when = append(when, y.When)
	}
	for i, line := range r.Explained(x, card.English) {
		fmt.Fprintf(w, "  %s\n", line)
		if when[i] != "" {
			fmt.Fprintf(w, "       when %s\n", when[i])
		}
	}
}
