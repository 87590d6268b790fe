package providers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// A cloud is looked at no faster than its kind needs, wherever it is reached: a
// sidecar on this machine leads to the real one. Config alone may say otherwise.
func TestPace(t *testing.T) {
	r := providers.NewRegistry(providers.KindSpec{Name: "slow", Pace: time.Minute}, providers.KindSpec{Name: "fast"})
	for _, endpoint := range []string{"", "https://private.example", "http://10.0.0.1:7001", "http://127.0.0.1:7001", "http://[::1]:7001", "http://localhost:7001"} {
		a := providers.Account{Kind: "slow", Endpoint: endpoint}
		require.Equal(t, time.Minute, r.Pace(a), endpoint)
		require.Zero(t, r.Pace(providers.Account{Kind: "fast", Endpoint: endpoint}))
		for _, said := range []time.Duration{0, time.Second, time.Hour} {
			a.Pace = &said
			require.Equal(t, said, r.Pace(a), endpoint)
		}
	}
}
