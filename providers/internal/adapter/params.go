package adapter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"scalebot/providers"
)

// Problems collects what is wrong with config, so that everything is told at once.
type Problems struct{ Found []providers.Problem }

// Bad adds a problem; the path may be reused by the caller.
func (p *Problems) Bad(path []string, suggest, format string, args ...any) {
	p.Found = append(p.Found, providers.Problem{
		Path: slices.Clone(path), Text: fmt.Sprintf(format, args...), Suggest: suggest,
	})
}

// ProblemError is a problem as an error, for a provider that can't be opened.
func ProblemError(p providers.Problem) error {
	return fmt.Errorf("%s: %s", strings.Join(p.Path, "."), p.Text)
}

// Integer reads a whole number in any of the types that YAML gives.
func Integer(raw any) (int64, bool) {
	switch n := raw.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		if n <= math.MaxInt64 {
			return int64(n), true
		}
	}
	return 0, false
}

// TypeName says what config has in place of what it should have; never the value,
// which may be a password under a wrong key or on a wrong level.
func TypeName(raw any) string {
	switch raw.(type) {
	case nil:
		return "nothing"
	case string:
		return "this text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	case float32, float64:
		return "a number with a fraction"
	case int, int64, uint64:
		return "this number"
	default:
		return "another kind of value"
	}
}

// Digest names a group's configured params, and the form of the API where a cloud
// has several, without showing them: Change.Profile. It covers the params as
// written, so that another SDK or another version of an adapter voids no votes, and
// an empty list counts as different from none, as on the wire.
func Digest(raw map[string]any, form ...string) string {
	if raw == nil {
		raw = map[string]any{}
	}
	var what any = raw
	if len(form) > 0 {
		what = []any{form[0], raw}
	}
	b, err := json.Marshal(what) // sorts map keys: canonical
	if err != nil {
		// NaN, infinity or a map that isn't keyed by text; decoding refuses them before
		// any change can carry this digest.
		b = []byte(err.Error())
	}
	return "sha256:" + Fingerprint(b)
}

// Fingerprint is a short digest, to tell texts apart without keeping them.
func Fingerprint(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
