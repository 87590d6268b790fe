package slackapp

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/flow/flowtest"
	"scalebot/commands"
	"scalebot/providers"
)

// taking is a store that records every request.
type taking struct{ flow.Store }

func (taking) Accept(_ context.Context, f flow.Flow, _ string, _ flow.Limits) (string, bool, error) {
	return f.ID, true, nil
}

// What the bot proposes, it must take: whoever copies a corrected line, or a line of
// the help, only to read that this isn't available was sent in a circle.
func TestNoProposedLineIsATemporaryChange(t *testing.T) {
	files, err := filepath.Glob("../../commands/testdata/examples/*.txt")
	require.NoError(t, err)
	lines := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(content)) {
			for _, mark := range []string{"fixed: ", "also:  "} {
				if proposed, ok := strings.CutPrefix(strings.TrimSpace(line), mark); ok {
					lines[filepath.Base(file)+": "+proposed] = proposed
				}
			}
		}
	}
	require.Greater(t, len(lines), 30)
	for _, e := range commands.Help("en") {
		for _, line := range e.Examples {
			lines["help "+string(e.Verb)+": "+line] = line
		}
		require.NotContains(t, strings.TrimPrefix(e.Usage, "freeze CLUSTER [for DURATION]"), "[for DURATION]")
	}
	clock := flowtest.NewClock(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	people := flowtest.NewSlack(clock)
	asked := 0
	for name, line := range lines {
		cmd, err := commands.Parse(commands.Wire(line), commands.Vocabulary{})
		require.NoError(t, err, name)
		if cmd.Scale == nil {
			continue
		}
		asked++
		ask := askOf(cmd.Scale)
		desk := flow.NewDesk(flow.Options{
			Store: taking{}, Clouds: flowtest.Clouds{"acc": flowtest.NewCloud(clock, 3)}, Directory: people, Clock: clock,
			Logger: slog.New(slog.DiscardHandler), NewID: flow.RandomID, Memory: flow.NewMemory(),
			Catalog: flow.Catalog{ask.Cluster: {Name: ask.Cluster, Account: "acc", Groups: map[string]flow.Group{
				ask.Group: {Name: ask.Group, ID: ask.Group, Charge: providers.Postpaid},
			}}},
		}, nil)
		_, err = desk.Request(t.Context(), flow.Caller{User: ann, Dedupe: name}, ask)
		if no, ok := errors.AsType[*flow.Rejection](err); ok {
			require.NotEqual(t, flow.RejectTemporary, no.Code, name)
			continue
		}
		require.NoError(t, err, name)
	}
	require.Greater(t, asked, 20)
}
