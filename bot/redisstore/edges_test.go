package redisstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
	"scalebot/providers"
)

func TestASignalLeavesAnAuditEntry(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	require.NoError(t, b.Signal(t.Context(), "F-1", flow.Signal{Kind: flow.SignalCancel, By: "U1", At: b.now}, flow.Audit{
		Actor: "U1", Action: "signal_cancel", Detail: map[string]any{"why": "typo"},
	}))
	var last redisstore.AuditEntry
	require.NoError(t, b.Audit(t.Context(), func(e redisstore.AuditEntry) error { last = e; return nil }))
	require.Equal(t, "signal_cancel", last.Action)
	require.Equal(t, "U1", last.Actor)
	require.Equal(t, "F-1", last.Flow)
	require.JSONEq(t, `{"why":"typo"}`, string(last.Detail))
}

func TestAnEndedFlowLeavesTheIndexOfOpenOnes(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	b.accept("F-2")
	b.must("F-1", flow.Refused)
	n, err := b.rdb.ZRange(t.Context(), "test:{T1}:open", 0, -1).Result()
	require.NoError(t, err)
	require.Equal(t, []string{"F-2"}, n, "what walks open flows must not grow with all that ever were")
	var walked []string
	require.NoError(t, b.Walk(t.Context(), flow.Filter{Open: true}, func(f flow.Flow) error { walked = append(walked, f.ID); return nil }))
	require.Equal(t, []string{"F-2"}, walked)
	stop := errors.New("stop")
	require.ErrorIs(t, b.Walk(t.Context(), flow.Filter{}, func(flow.Flow) error { return stop }), stop)
}

// However many records of a newer version are due first, an older replica finds
// what it can do, and leaves the others as they are.
func TestNewerRecordsDoNotFillAClaim(t *testing.T) {
	b := newBench(t)
	for i := range 60 {
		id := fmt.Sprintf("F-%03d", i)
		b.accept(id)
		require.NoError(t, b.rdb.HSet(t.Context(), "test:{T1}:flow:"+id, "n", flow.Schema+1).Err())
	}
	b.now = b.now.Add(time.Second)
	mine := newFlow("F-900")
	mine.CreatedAt = b.now
	_, _, err := b.Accept(t.Context(), mine, "mine", flow.Limits{})
	require.NoError(t, err)
	before, err := b.rdb.ZRangeWithScores(t.Context(), "test:{T1}:due:step", 0, 59).Result()
	require.NoError(t, err)
	claims, err := b.Claim(t.Context(), flow.LaneStep, b.now, time.Minute, 4)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.Equal(t, "F-900", claims[0].ID)
	after, err := b.rdb.ZRangeWithScores(t.Context(), "test:{T1}:due:step", 0, 59).Result()
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestDeliveriesWithoutANameAreNotOne(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"F-1", "F-2"} {
		got, fresh, err := b.Accept(t.Context(), newFlow(id), "", flow.Limits{})
		require.NoError(t, err)
		require.True(t, fresh)
		require.Equal(t, id, got)
	}
}

func TestAServerThatTakesNoWritesIsNotReady(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.Ping(t.Context()))
	if err := b.rdb.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Skip("the embedded one is never full")
	}
	require.NoError(t, b.rdb.Ping(t.Context()).Err(), "it answers")
	require.Error(t, b.Ping(t.Context()))
}

// A script whose answer is lost may have run. The client must not run it again:
// only the caller knows what a second run means.
func TestTheClientRepeatsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // the test ends
	var mu sync.Mutex
	seen := map[string]int{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // that is what is tried
				for in := bufio.NewReader(c); ; {
					words, err := readCommand(in)
					if err != nil || len(words) == 0 {
						return
					}
					name := strings.ToLower(words[0])
					mu.Lock()
					seen[name]++
					mu.Unlock()
					if name == "eval" || name == "evalsha" {
						return // it ran, and the answer is lost
					}
					if _, err := c.Write([]byte("-ERR unknown command\r\n")); err != nil {
						return
					}
				}
			}()
		}
	}()
	rdb := redisstore.Open(redisstore.Target{Addrs: []string{l.Addr().String()}})
	defer rdb.Close() //nolint:errcheck // the test ends
	_, _, err = redisstore.New(rdb, "test", "T1").Accept(t.Context(), newFlow("F-1"), "d", flow.Limits{})
	require.ErrorIs(t, err, flow.ErrInDoubt)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, seen["evalsha"]+seen["eval"], "%v", seen)
}

func readCommand(in *bufio.Reader) ([]string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	if err != nil {
		return nil, err
	}
	words := make([]string, n)
	for i := range words {
		if _, err := in.ReadString('\n'); err != nil { // its length
			return nil, err
		}
		text, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		words[i] = strings.TrimSpace(text)
	}
	return words, nil
}

func TestTheSkewIsAgainstTheServersClock(t *testing.T) {
	rdb := redistest.Start(t).Client(t)
	for _, off := range []time.Duration{0, 40 * time.Second, -3 * time.Second} {
		skew, err := redisstore.Skew(t.Context(), rdb, func() time.Time { return time.Now().Add(off) })
		require.NoError(t, err)
		require.InDelta(t, off.Seconds(), skew.Seconds(), 0.5)
	}
}

// Replicas share one rate, and whoever would wait long is told so at once.
func TestTheRateOfAnAccountIsShared(t *testing.T) {
	server := redistest.Start(t)
	one, two := redisstore.NewPacer(server.Client(t), "test"), redisstore.NewPacer(server.Client(t), "test")
	for i := range 4 {
		p := one
		if i%2 == 1 {
			p = two
		}
		wait, err := p.Take(t.Context(), "account/a", 4)
		require.NoError(t, err)
		require.Zero(t, wait, "call %d", i)
	}
	wait, err := two.Take(t.Context(), "account/a", 4)
	require.NoError(t, err)
	require.Positive(t, wait)
	wait, err = two.Take(t.Context(), "account/b", 4)
	require.NoError(t, err)
	require.Zero(t, wait, "another account's rate is its own")

	for range 2 { // one a second: the first goes at once, the next two wait their turns
		require.NoError(t, one.Wait(t.Context(), "slow", 1))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, one.Wait(ctx, "slow", 1), providers.ErrPaced)
}

// A courier without its lease may have sent something while another one holds the
// flow: that one must look again, even where it wanted no next look. Found by
// flowsim, seed 200058: the note of it read as "none" at the release.
func TestASlipUnderALeaseIsLookedAt(t *testing.T) {
	b := newBench(t)
	b.accept("F-1")
	require.NoError(t, b.Wake(t.Context(), flow.LaneChat, "F-1", b.now))
	claims, err := b.Claim(t.Context(), flow.LaneChat, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.ErrorIs(t, b.SavePosts(t.Context(), flow.Claim{Lane: flow.LaneChat, ID: "F-1", Fence: "older"}, flow.Posts{}), flow.ErrLeaseLost)
	require.NoError(t, b.Release(t.Context(), claims[0], b.now.Add(time.Second)))
	claims, err = b.Claim(t.Context(), flow.LaneChat, b.now, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claims, 1)
}

// A server that takes no writes (full, read only) vouches for none: a paid call must
// not go out on its word.
func TestAServerThatTakesNoWritesVouchesForNothing(t *testing.T) {
	server := redistest.Start(t)
	if !server.Real {
		t.Skip("the embedded Redis can't be made read only")
	}
	rdb := server.Client(t)
	s := redisstore.New(rdb, "test", "T1")
	require.NoError(t, s.Durable(t.Context(), "F-1"))
	require.NoError(t, rdb.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	require.Error(t, s.Durable(t.Context(), "F-1"))
}
