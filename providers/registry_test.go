package providers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// A cloud is looked at no faster than its kind needs, but for one on this machine.
// Config has the last word.
func TestPace(t *testing.T) {
	r := providers.NewRegistry(providers.KindSpec{Name: "slow", Pace: time.Minute}, providers.KindSpec{Name: "fast"})
	for endpoint, want := range map[string]time.Duration{
		"": time.Minute, "https://private.example": time.Minute, "http://10.0.0.1:7001": time.Minute, "https://localhost.example": time.Minute, ":": time.Minute,
		"http://127.0.0.1:7001": 0, "http://[::1]:7001": 0, "http://localhost:7001": 0,
	} {
		a := providers.Account{Kind: "slow", Endpoint: endpoint}
		require.Equal(t, want, r.Pace(a), endpoint)
		require.Zero(t, r.Pace(providers.Account{Kind: "fast", Endpoint: endpoint}))
		for _, said := range []time.Duration{0, time.Second, time.Hour} {
			a.Pace = &said
			require.Equal(t, said, r.Pace(a), endpoint)
		}
	}
}
