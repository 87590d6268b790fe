package commands

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table of the README has every verb that is served, and no other.
func TestTheReadmeHasEveryVerb(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(readme), "| Command | What it does |\n|---|---|\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	var told []string
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		if strings.HasPrefix(cell, "…") || strings.HasPrefix(cell, "`CLUSTER ") { // options, and the command itself
			continue
		}
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			verb, _, _ := strings.Cut(code[1], " ")
			told = append(told, verb)
		}
	}
	var served []string
	for _, row := range verbs {
		if row.served && row.verb != VerbScale {
			served = append(served, string(row.verb))
		}
	}
	slices.Sort(told)
	require.ElementsMatch(t, served, told)
}
