//go:build !race

package approvals

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A policy of twenty rules is judged in less than 50 µs. Single judgements are
// timed and the better half must keep to it, so that a busy machine, which takes
// its time from some of them, does not fail the test; one that became slower by a
// factor does. BenchmarkJudgeTwentyRules has the figures.
func TestTwentyRulesAreJudgedInTime(t *testing.T) {
	p, f := twentyRules(t), baseFacts(prepaid)
	took := make([]time.Duration, 4000)
	for i := range took {
		from := time.Now()
		p.Judge(f)
		took[i] = time.Since(from)
	}
	slices.Sort(took)
	require.Less(t, took[len(took)/2], 50*time.Microsecond)
	t.Logf("half of them within %s, the best %s", took[len(took)/2], took[0])
}
