package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"scalebot/bot/config"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
)

// allFlows is no limit: the operator wants every flow of the 90 days.
const allFlows = 1 << 20

func flowsCommand() *cobra.Command {
	var asJSON, open bool
	var workspace string
	cmd := &cobra.Command{
		Use: "flows --config FILE", Short: "Show the flows on record, newest first", Args: noArgs,
		Long: "Show the flows on record in Redis, newest first: what an operator wants to see\nwhen Slack can't be asked. With --json one object per line.",
	}
	path := cmd.PersistentFlags().String("config", "", "the config file (required)")
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "one JSON object per line")
	cmd.PersistentFlags().StringVar(&workspace, "workspace", "", "Slack team id; needed only where a Redis serves several")
	cmd.Flags().BoolVar(&open, "open", false, "only flows that have not ended")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withStores(cmd.Context(), *path, workspace, func(stores []*redisstore.Store) error {
			var all []flow.Flow
			for _, s := range stores {
				flows, err := s.List(cmd.Context(), flow.Filter{Open: open, Limit: allFlows})
				if err != nil {
					return unread(err)
				}
				all = append(all, flows...)
			}
			slices.SortStableFunc(all, func(a, b flow.Flow) int { return b.CreatedAt.Compare(a.CreatedAt) })
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			return printTable(cmd.OutOrStdout(), all)
		})
	}
	cmd.AddCommand(&cobra.Command{
		Use: "show ID --config FILE", Short: "Show all that is on record of one flow", Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("scalebot flows show takes one flow id, such as F-7K3Q")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStores(cmd.Context(), *path, workspace, func(stores []*redisstore.Store) error {
				id := flow.NormalID(args[0])
				for _, s := range stores {
					f, _, err := s.Get(cmd.Context(), id)
					if errors.Is(err, flow.ErrNotFound) {
						continue
					}
					if err != nil {
						return unread(err)
					}
					if asJSON {
						return printJSON(cmd.OutOrStdout(), []flow.Flow{f})
					}
					out := json.NewEncoder(cmd.OutOrStdout())
					out.SetIndent("", "  ")
					out.SetEscapeHTML(false)
					return out.Encode(f)
				}
				return fmt.Errorf("there is no flow %s; `scalebot flows` lists them", id)
			})
		},
	})
	return cmd
}

// withStores opens the workspaces that the config's Redis holds.
func withStores(ctx context.Context, path, workspace string, do func([]*redisstore.Store) error) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	rdb := openRedis(cfg)
	defer rdb.Close() //nolint:errcheck // the process ends
	stores, err := openStores(ctx, cfg, rdb, workspace)
	if err != nil {
		return err
	}
	return do(stores)
}

func openStores(ctx context.Context, cfg *config.Config, rdb redis.UniversalClient, workspace string) ([]*redisstore.Store, error) {
	teams, err := redisstore.Workspaces(ctx, rdb, cfg.Redis.KeyPrefix)
	if err != nil {
		return nil, noRedis(err)
	}
	slices.Sort(teams)
	var stores []*redisstore.Store
	for _, team := range teams {
		if workspace == "" || workspace == team {
			stores = append(stores, redisstore.New(rdb, cfg.Redis.KeyPrefix, team))
		}
	}
	if workspace != "" && len(stores) == 0 {
		return nil, fmt.Errorf("no flow of workspace %s is on record; there are %v", workspace, teams)
	}
	return stores, nil
}

// line is a flow as other programs see it: a contract (design.md section 9).
type line struct {
	ID        string     `json:"id"`
	State     flow.State `json:"state"`
	Cluster   string     `json:"cluster"`
	Group     string     `json:"group"`
	Delta     *int       `json:"delta"`
	Target    *int       `json:"target"`
	Requester string     `json:"requester"`
	Operation *string    `json:"operation"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Attempts  int        `json:"attempts"`
	Wait      string     `json:"wait,omitempty"`
	End       string     `json:"end,omitempty"`
}

func lineOf(f flow.Flow) line {
	l := line{
		ID: f.ID, State: f.State, Cluster: f.Request.Wish.Change.Cluster, Group: f.Request.Wish.Change.Group,
		Requester: f.Request.User, CreatedAt: f.CreatedAt.UTC(), Attempts: f.Attempts,
	}
	if delta, known := f.Delta(); known {
		l.Delta = &delta
	}
	if target, known := f.Target(); known {
		l.Target = &target
	}
	if f.Operation != nil && f.Operation.ID != "" {
		l.Operation = &f.Operation.ID
	}
	if f.State.Ended() {
		ended := f.EndedAt.UTC()
		l.EndedAt = &ended
	}
	if f.Wait != nil {
		l.Wait = string(f.Wait.Code)
	}
	if f.End != nil {
		l.End = string(f.End.Code)
	}
	return l
}

func printJSON(w io.Writer, flows []flow.Flow) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, f := range flows {
		if err := out.Encode(lineOf(f)); err != nil {
			return err
		}
	}
	return nil
}

func printTable(w io.Writer, flows []flow.Flow) error {
	if len(flows) == 0 {
		_, err := fmt.Fprintln(w, "No flow is on record.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tCLUSTER\tGROUP\tCHANGE\tREQUESTER\tOPERATION\tCREATED\tENDED")
	for _, f := range flows {
		l := lineOf(f)
		change, operation, ended := "?", "-", "-"
		if l.Delta != nil {
			change = fmt.Sprintf("%+d", *l.Delta)
		}
		if l.Target != nil {
			change = strings.TrimPrefix(change, "?") + " =" + strconv.Itoa(*l.Target)
		}
		if l.Operation != nil {
			operation = *l.Operation
		}
		if l.EndedAt != nil {
			ended = l.EndedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.State, l.Cluster, l.Group, change, l.Requester, operation,
			l.CreatedAt.Format(time.RFC3339), ended)
	}
	return t.Flush()
}
