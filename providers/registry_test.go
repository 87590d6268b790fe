package providers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// A cloud of one's own, or a proxy to a real one, is looked at no faster than the
// real one; a local one as fast as config says.
func TestPace(t *testing.T) {
	r := providers.NewRegistry(providers.KindSpec{Name: "slow", Pace: time.Minute}, providers.KindSpec{Name: "fast"})
	for endpoint, want := range map[string]time.Duration{
		"": time.Minute, "https://private.example": time.Minute, "http://10.0.0.1:7001": time.Minute, "https://localhost.example": time.Minute,
		"http://127.0.0.1:7001": 0, "http://[::1]:7001": 0, "http://localhost:7001": 0,
	} {
		require.Equal(t, want, r.Pace(providers.Account{Kind: "slow", Endpoint: endpoint}), endpoint)
		require.Zero(t, r.Pace(providers.Account{Kind: "fast", Endpoint: endpoint}))
	}
}
