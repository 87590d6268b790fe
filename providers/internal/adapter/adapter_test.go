package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

func TestInTime(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	sub := providers.Submission{SentAt: at}
	require.NoError(t, InTime("X", at, sub))
	require.NoError(t, InTime("X", at.Add(SendWithin), sub))
	err := InTime("X", at.Add(SendWithin+time.Second), sub)
	require.Error(t, err)
	require.Equal(t, providers.Retry, providers.KindOf(err))
	require.Error(t, InTime("X", at, providers.Submission{}), "no intent on record is no intent")
}

// Every way in which a text may quote a secret is known, however deep, and a secret
// that is part of another one leaves none of it.
func TestScrubber(t *testing.T) {
	const odd = "He\"l/lo <&>\\1\n\u00a0密😀x\xff!"
	inJSON := func(x string, html bool) string {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		require.NoError(t, e.Encode(x))
		return b.String()[1 : b.Len()-2]
	}
	inGo := func(x string) string { q := strconv.Quote(x); return q[1 : len(q)-1] }
	var s Scrubber
	s.Add(odd, "LTAI1234", "LTAI1234-and-more", "abc")
	once, deep := inJSON(odd, false), odd
	for i := range 5 {
		deep = inJSON(deep, i == 0)
	}
	for name, text := range map[string]string{
		"as it is":               odd,
		"in JSON":                once,
		"in JSON for HTML":       inJSON(odd, true),
		"in JSON in JSON":        inJSON(once, true),
		"in five layers of JSON": deep,
		"in JSON of ASCII":       strings.NewReplacer("密", `\u5bc6`, "😀", `\uD83D\uDE00`, "/", `\/`).Replace(once),
		"in Go":                  inGo(strings.TrimSuffix(odd, "\xff!")) + "\xff!",
		"JSON in Go":             inGo(once),
		"one that holds another": "LTAI1234-and-more",
		"of this call":           "STSrole",
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, "<[secret]>", s.Clean("<"+text+">", "STSrole"))
		})
	}
	script := strings.Repeat("echo \"密码\" > /etc/x;\n", 5000)
	s.Add(script)
	require.Equal(t, "[secret]", s.Clean(inJSON(script, true)), "a long one")
	require.Equal(t, "an abc is an ordinary word", s.Clean("an abc is an ordinary word"))
	require.Equal(t, "STSrole", s.Clean("STSrole"), "of another call")
	require.Equal(t, `C:\[secret]`, s.Clean(`C:\nothing`, "nothing"), "what looks like a quoted letter")
	require.Equal(t, `a\`, s.Clean(`a\`))
	require.Equal(t, `\u12 \ud83d \ud83d\u0041 \xz`, s.Clean(`\u12 \ud83d \ud83d\u0041 \xz`), "what quotes nothing stays")
}

// What is kept of a foreign error is its text, scrubbed and short, and which of the
// known ones it was; never its type.
func TestCause(t *testing.T) {
	var s Scrubber
	s.Add("verysecret")
	foreign := fmt.Errorf("%s verysecret %w: %w", strings.Repeat("no ", 1000), context.Canceled, &strconv.NumError{Func: "F", Num: "1", Err: strconv.ErrSyntax})
	err := s.Cause(fmt.Errorf("verysecret: %w", foreign), []error{context.Canceled, context.DeadlineExceeded})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, strconv.ErrSyntax)
	require.LessOrEqual(t, len(err.Error()), maxCause+len("…"))
	require.NotContains(t, err.Error(), "verysecret")
	var sdk *strconv.NumError
	require.False(t, errors.As(err, &sdk))
}

func TestCutKeepsRunesAndLines(t *testing.T) {
	require.Equal(t, "a b", Cut(" a\n\tb ", 10))
	require.Equal(t, "集…", Cut("集群", 4))
	require.Equal(t, "a?", Cut("a\xff", 4))
}

// What stands where something else is wanted may be a password that slid there.
func TestTypeNameShowsNoValue(t *testing.T) {
	for _, raw := range []any{nil, "s3cret77", true, 7777, int64(7777), uint64(7777), 77.77, float32(77.5), []any{7777}, map[string]any{"s3cret77": 7777}, time.Date(7777, 1, 1, 0, 0, 0, 0, time.UTC), []byte("s3cret77")} {
		require.NotContains(t, TypeName(raw), "77", "%T", raw)
		require.NotEmpty(t, TypeName(raw))
	}
}

func TestDigest(t *testing.T) {
	a := Digest(map[string]any{"zone": "z", "tags": []any{}})
	require.Equal(t, a, Digest(map[string]any{"tags": []any{}, "zone": "z"}))
	require.NotEqual(t, a, Digest(map[string]any{"zone": "z"}), "an empty list is sent, no list is not")
	require.Equal(t, Digest(nil), Digest(map[string]any{}))
	require.Equal(t, Digest(nil, ""), Digest(map[string]any{}, ""))
	require.NotEqual(t, Digest(nil, ""), Digest(nil, "scale-out-cluster"), "another call is another plan")
	require.Equal(t, Digest(map[string]any{"x": []any{1}}), Digest(map[string]any{"x": []any{uint64(1)}}))
	require.NotContains(t, Digest(map[string]any{"login_password": "password"}), "password")
	// They stand in plans that people voted on: another text voids all those votes.
	require.Equal(t, "sha256:bcead451356deb02cb8dcbf7656a1b51", a)
	require.Equal(t, "sha256:afa7921b8f5e93e6bdc7c9ea8d4bb5f9", Digest(map[string]any{"timeout_mins": 1}, "edge"))
}

// A search that hangs holds nobody for longer than they want to wait, and runs once
// for all.
func TestSearch(t *testing.T) {
	var s Search[string]
	began, free := make(chan struct{}, 10), make(chan struct{})
	find := func() (string, error) { began <- struct{}{}; <-free; return "keys", nil }
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		_, err := s.Get(ctx, find)
		cancel()
		require.ErrorIs(t, err, ErrCredentialsSlow)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	close(free)
	k, err := s.Get(context.Background(), find)
	require.NoError(t, err)
	require.Equal(t, "keys", k)
	require.LessOrEqual(t, len(began), 2, "the first search ran on; a second one only if it had ended")
	_, err = s.Get(context.Background(), func() (string, error) { return "", ErrNoCredentials })
	require.ErrorIs(t, err, ErrNoCredentials)
}
