package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/slacksim"
	"scalebot/providers/cloudsim"
)

// benchSpeed makes a scale-out of six minutes take two seconds.
const benchSpeed = 180

// benchTime bounds how long a bench waits for one thing.
const benchTime = 10 * time.Minute

// bench is one load against local peers: a local Slack that keeps to its limits,
// local clouds, a Redis, and replicas that are processes of their own.
type bench struct {
	n, replicas int
	redisURL    string // "" = the embedded one
	free        bool   // Slack has no limits
	lease       time.Duration

	out      io.Writer
	slack    *slacksim.Server
	clouds   *cloudsim.Sim
	rdb      redis.UniversalClient
	embedded *miniredis.Miniredis
	home     string // holds the config file
	env      []string
	running  []*exec.Cmd
	waits    sync.WaitGroup
	gone     chan string // the last words of a replica that ended
	mine     bool        // the database was empty before
	figures  [][2]string
}

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench ack|flows|recover", Short: "Load this bot against local peers and print figures", Args: noArgs,
		Long: "Run replicas of this program as processes against a local Slack, local clouds and a\nRedis, put load on them, and print what was measured. Nothing leaves this machine.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("scalebot bench: say what to measure: `scalebot bench ack`, `flows` or `recover`")}
		},
	}
	for _, kind := range []struct {
		name, short string
		n           int
		play        func(*bench, context.Context) error
	}{
		{"ack", "How fast commands are acknowledged, typed as fast as they are answered", 400, (*bench).ack},
		{"flows", "How long many changes at once take from the command to the last notice", 100, (*bench).flows},
		{"recover", "How long flows stand still when all replicas are killed with -9", 40, (*bench).recover},
	} {
		b := &bench{gone: make(chan string, 1)}
		one := &cobra.Command{Use: kind.name, Short: kind.short, Args: noArgs}
		one.Flags().IntVarP(&b.n, "number", "n", kind.n, "how many commands, each a change of a cluster of its own (1 to 2000)")
		one.Flags().IntVar(&b.replicas, "replicas", 2, "how many processes of the bot (1 to 5: each holds two of Slack's ten sockets)")
		one.Flags().StringVar(&b.redisURL, "redis", "", "redis:// address of an empty database; default: the embedded Redis. It is emptied again")
		one.Flags().BoolVar(&b.free, "no-slack-limits", false, "let the local Slack take any number of calls, to measure the bot alone")
		one.Flags().DurationVar(&b.lease, "lease", 30*time.Second, "engine.lease: how long a killed replica's work waits for another (6s to 5m)")
		one.RunE = func(cmd *cobra.Command, _ []string) error {
			if b.n < 1 || b.n > 2000 || b.replicas < 1 || b.replicas > 5 {
				return usageError{fmt.Errorf("%s: --number is 1 to 2000 and --replicas 1 to 5", cmd.CommandPath())}
			}
			if b.lease < 6*time.Second || b.lease > 5*time.Minute {
				return usageError{fmt.Errorf("%s: --lease is 6s to 5m", cmd.CommandPath())}
			}
			b.out = cmd.OutOrStdout()
			return b.run(cmd.Context(), kind.play)
		}
		cmd.AddCommand(one)
	}
	return cmd
}

// run sets the stage, plays, and prints the figures.
func (b *bench) run(ctx context.Context, play func(*bench, context.Context) error) (err error) {
	ctx, stop := context.WithTimeout(ctx, benchTime)
	defer stop()
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := play(b, ctx); err != nil {
		return err
	}
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', 0)
	for _, f := range b.figures {
		fmt.Fprintf(w, "%s\t%s\n", f[0], f[1])
	}
	return w.Flush()
}

func (b *bench) figure(name, format string, args ...any) {
	b.figures = append(b.figures, [2]string{name, fmt.Sprintf(format, args...)})
}

// typeAll types one command for each cluster, by several people at a time, and
// returns how long each waited for the ack and how many saw that it was recorded.
func (b *bench) typeAll(ctx context.Context, people int, what string) (waits []time.Duration, recorded int, lasted time.Duration) {
	var mu sync.Mutex
	var typing sync.WaitGroup
	next := make(chan int)
	began := time.Now()
	for range people {
		typing.Go(func() {
			for i := range next {
				typed := time.Now()
				d := b.slack.Slash(mei, benchRoom(i), "/scale", benchCluster(i)+" "+what)
				wait := time.Since(typed)
				mu.Lock()
				waits = append(waits, wait)
				if d.Err == nil && d.Ephemeral != nil && strings.Contains(d.Ephemeral.Text, "F-") {
					recorded++
				}
				mu.Unlock()
			}
		})
	}
	for i := range b.n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	typing.Wait()
	return waits, recorded, time.Since(began)
}

// spread writes the middle and the slow end of what was measured.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "nothing"
	}
	slices.Sort(all)
	at := func(share float64) time.Duration {
		return all[min(len(all)-1, int(share*float64(len(all))))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s  p95 %s  p99 %s  most %s", at(0.50), at(0.95), at(0.99), all[len(all)-1].Round(100*time.Microsecond))
}

// ack measures the answer to a command as a person sees it.
func (b *bench) ack(ctx context.Context) error {
	for _, people := range []int{1, 16} {
		what := map[int]string{1: "task +1 dry-run", 16: "task +1"}[people]
		waits, recorded, lasted := b.typeAll(ctx, people, what)
		b.figure(fmt.Sprintf("%q, %d at a time", what, people), "%s  %.0f a second", spread(waits), float64(len(waits))/lasted.Seconds())
		if people > 1 {
			b.figure("recorded", "%d of %d", recorded, b.n)
		}
	}
	return ctx.Err()
}

// flows measures many changes from the command to the notice.
func (b *bench) flows(ctx context.Context) error {
	waits, recorded, lasted := b.typeAll(ctx, 16, "task +1")
	began := time.Now().Add(-lasted)
	cards := map[string]time.Time{}
	ends := map[string]time.Time{}
	if err := b.until(ctx, "the notices of all flows", func() bool {
		for i := range min(b.n, benchRooms) {
			for _, m := range b.slack.Messages(benchRoom(i)) {
				if m.Metadata == nil {
					continue
				}
				id, _ := m.Metadata.EventPayload["flow"].(string)
				switch m.Metadata.EventType {
				case "scalebot_flow":
					cards[id] = m.At
				case "scalebot_notice":
					ends[id] = m.At
				}
			}
		}
		return len(ends) >= recorded
	}); err != nil {
		return err
	}
	since := func(all map[string]time.Time) (d []time.Duration) {
		for _, at := range all {
			d = append(d, at.Sub(began))
		}
		return d
	}
	b.figure("ack", "%s", spread(waits))
	b.figure("recorded", "%d of %d in %s", recorded, b.n, lasted.Round(time.Millisecond))
	b.figure("first command to each card", "%s", spread(since(cards)))
	b.figure("first command to each end notice", "%s", spread(since(ends)))
	b.calls()
	return b.taken(ctx)
}

// taken compares what clouds accepted with what was asked for.
func (b *bench) taken(ctx context.Context) error {
	all, err := b.store().List(ctx, flow.Filter{Limit: allFlows})
	if err != nil {
		return noRedis(err)
	}
	ended := map[string]int{}
	for _, f := range all {
		ended[string(f.State)]++
	}
	b.figure("ended as", "%s", counts(ended))
	perCluster := map[string]int{}
	for _, e := range b.clouds.Ledger() {
		if e.Outcome == cloudsim.Accepted {
			perCluster[e.Cluster]++
		}
	}
	twice := 0
	for _, n := range perCluster {
		if n > 1 {
			twice++
		}
	}
	b.figure("changes that the cloud took", "%d, of which %d twice", len(perCluster), twice)
	return nil
}

// counts writes how many there are of each.
func counts(of map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(parts, ", ")
}

// calls counts what Slack was asked and what it refused for its rate.
func (b *bench) calls() {
	count, limited := map[string]int{}, 0
	for _, r := range b.slack.Requests() {
		count[r.Method]++
	}
	for _, n := range b.slack.Limited() {
		limited += n
	}
	b.figure("calls of Slack", "%s; %d of them answered 429", counts(count), limited)
}

// recover kills every replica in the middle of all flows, starts new ones, and
// measures how long each flow stood still.
func (b *bench) recover(ctx context.Context) error {
	_, recorded, _ := b.typeAll(ctx, 16, "task +1")
	if err := b.until(ctx, "the first changes at the cloud", func() bool { return len(b.clouds.Ledger()) >= max(recorded/4, 1) }); err != nil {
		return err
	}
	if err := b.kill(); err != nil {
		return err
	}
	killed := time.Now()
	before, err := b.versions(ctx)
	if err != nil {
		return err
	}
	up, err := b.start(ctx)
	if err != nil {
		return err
	}
	var still []time.Duration
	open := maps.Clone(before)
	maps.DeleteFunc(open, func(_ string, v flowMark) bool { return v.ended })
	stood := len(open)
	if err := b.until(ctx, "the next move of each flow", func() bool {
		now, err := b.versions(ctx)
		if err != nil {
			return false
		}
		for id, was := range open {
			if now[id].version > was.version {
				still = append(still, time.Since(killed))
				delete(open, id)
			}
		}
		return len(open) == 0
	}); err != nil {
		return err
	}
	if err := b.until(ctx, "the end of each flow", func() bool {
		now, err := b.versions(ctx)
		left := 0
		for _, m := range now {
			if !m.ended {
				left++
			}
		}
		return err == nil && left == 0
	}); err != nil {
		return err
	}
	b.figure("flows open at the kill", "%d of %d", stood, recorded)
	b.figure("start to all sockets", "%s", up.Round(time.Millisecond))
	b.figure("kill to the next move of each flow", "%s", spread(still))
	b.figure("kill to the end of the last flow", "%s", time.Since(killed).Round(time.Millisecond))
	return b.taken(ctx)
}

func (b *bench) store() *redisstore.Store {
	return redisstore.New(b.rdb, "scalebot", demoWorld().Team.ID)
}

// flowMark is how far a flow is.
type flowMark struct {
	version int64
	ended   bool
}

// versions reads how far every flow is.
func (b *bench) versions(ctx context.Context) (map[string]flowMark, error) {
	all, err := b.store().List(ctx, flow.Filter{Limit: allFlows})
	marks := map[string]flowMark{}
	for _, f := range all {
		marks[f.ID] = flowMark{f.Version, f.State.Ended()}
	}
	return marks, err
}
