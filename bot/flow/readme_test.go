package flow_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
)

// The table of the README is the one that code goes by.
func TestTheReadmeHasEveryMove(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	moves := flow.Moves()
	var want strings.Builder
	want.WriteString("| State | May go to |\n|---|---|\n")
	for _, from := range flow.States {
		if len(moves[from]) == 0 {
			continue
		}
		var to []string
		for _, s := range moves[from] {
			to = append(to, "`"+string(s)+"`")
		}
		fmt.Fprintf(&want, "| `%s` | %s |\n", from, strings.Join(to, ", "))
	}
	require.Contains(t, string(readme), want.String())
}
