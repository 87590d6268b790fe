package redisstore_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
)

// Everything that holds on one server holds on a cluster of three: all keys of a
// workspace share a slot, and each subtest's workspace another one.
func TestAllOfItOnARedisCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	defer func(before func(*testing.T) redis.UniversalClient) { open = before }(open)
	open = func(t *testing.T) redis.UniversalClient {
		rdb := cluster.Client(t)
		for _, node := range cluster.Nodes { // as fresh as a server of its own
			require.NoError(t, node.Client(t).FlushAll(t.Context()).Err())
		}
		return rdb
	}
	for name, test := range map[string]func(*testing.T){
		"deliveries": TestARequestIsRecordedOnceHoweverOftenItIsDelivered, "ids": TestATakenIDLeavesTheOtherFlowAlone,
		"caps": TestCommandsAreCappedPerPersonAndChannel, "leases": TestOnlyOneReplicaGetsAFlow,
		"dead replica": TestADeadReplicasFlowComesBackAndItsLateSaveWritesNothing, "stale": TestAStaleRecordIsNotWritten,
		"moves": TestEveryMoveIsLegalInTheStoreExactlyIfItIsInTheTable, "ended": TestAnEndedFlowTakesNothingMore,
		"next look": TestAnOpenFlowWithoutANextLookIsRefused, "seat": TestAClusterHasOneSeatAndALine, "line": TestAFreedSeatWakesTheLine,
		"wakes": TestAWakeDuringALeaseIsKept, "signals": TestASignalIsKeptUntilItWasTakenUp,
		"kept lease": TestKeepingTheLeaseAllowsOneMoreSaveAndNobodyElse, "newer": TestANewerRecordIsLeftAlone,
		"posts": TestPostsAreWrittenOnlyUnderTheLeaseAndFoundByCard, "list": TestListWalksAllPagesNewestFirst,
		"audit": TestEveryMoveLeavesOneAuditEntry, "flags": TestFlagsAndOnce, "chain": TestTheAuditChainFindsWhatWasDoneToIt,
		"old entries": TestOldEntriesGoAndTheRestStillVerifies, "meter": TestCommandsAndRequestsShareOneCount,
		"indexes": TestAPersonsFewFlowsAreFoundAmongThoseOfAllOthers, "upgrade": TestFlowsThatAnEarlierVersionRecordedAreFound,
		"cut catch-up": TestACatchUpGoesOnWhereItWasCut, "retention": TestIndexesForgetWhatTheMainOneForgets,
		"graft": TestAGraftedFlowIsFoundByPersonAndCluster,
	} {
		t.Run(name, test)
	}
}

// Workspaces spread over the nodes: shards by workspace.
func TestWorkspacesSpreadOverACluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	rdb := cluster.Client(t)
	for i := range 12 {
		s := redisstore.New(rdb, "test", fmt.Sprintf("T%d", i))
		_, fresh, err := s.Accept(t.Context(), newFlow("F-AAAA"), "one", flow.Limits{})
		require.NoError(t, err)
		require.True(t, fresh)
	}
	for _, node := range cluster.Nodes {
		n, err := node.Client(t).DBSize(t.Context()).Result()
		require.NoError(t, err)
		require.NotZero(t, n, "a node without any workspace")
	}
}

// asked records on which node of a cluster which commands went out together.
type asked struct {
	mu sync.Mutex
	at map[string][]string // "first second" → addresses
}

// on is the recorder as the hook of one node's client.
type on struct {
	*asked
	addr string
}

func (o on) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (o on) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (o on) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		names := make([]string, len(cmds))
		for i, c := range cmds {
			names[i] = strings.ToLower(c.Name())
		}
		o.mu.Lock()
		o.at[strings.Join(names, " ")] = append(o.at[strings.Join(names, " ")], o.addr)
		o.mu.Unlock()
		return next(ctx, cmds)
	}
}

// Whether a write is safe is asked of the node that took it, in the same breath: a
// node that wrote nothing would say at once that all of it is safe.
func TestDurabilityIsAskedOfTheNodeThatWrote(t *testing.T) {
	cluster := redistest.StartCluster(t)
	rdb := cluster.Client(t)
	seen := &asked{at: map[string][]string{}}
	rdb.(*redis.ClusterClient).OnNewNode(func(node *redis.Client) { node.AddHook(on{seen, node.Options().Addr}) })
	for i := range 8 {
		require.NoError(t, redisstore.New(rdb, "test", fmt.Sprintf("T%d", i)).Durable(t.Context(), "F-AAAA"))
	}
	together := 0
	for names, addrs := range seen.at {
		if strings.Contains(names, "waitaof") {
			require.Equal(t, "hset waitaof", names)
			together += len(addrs)
		}
	}
	require.Equal(t, 8, together)
}

// The master dies and its replica takes over: what was recorded is there, a move
// that the old master had is not made twice, and work goes on through the same
// client.
func TestSentinelFailover(t *testing.T) {
	watched := redistest.StartSentinels(t)
	rdb := watched.Client(t)
	b := &bench{Store: redisstore.New(rdb, "test", "T1"), rdb: rdb, t: t, now: noon}
	for i := range 20 {
		b.accept(fmt.Sprintf("F-%04d", i))
	}
	b.must("F-0000", flow.Queued, flow.Submitting)
	require.NoError(t, rdb.Do(t.Context(), "WAIT", 1, 5000).Err(), "the replica has it")
	watched.Master.Stop(t, syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	require.Eventually(t, func() bool { return b.Ping(ctx) == nil }, 60*time.Second, 50*time.Millisecond, "the replica became the master")
	for i := range 20 {
		f, _, err := b.Get(ctx, fmt.Sprintf("F-%04d", i))
		require.NoError(t, err)
		if i == 0 {
			require.Equal(t, flow.Submitting, f.State)
		}
	}
	_, fresh, err := b.Accept(ctx, newFlow("F-NEW0"), "delivery-F-0003", flow.Limits{})
	require.NoError(t, err)
	require.False(t, fresh, "a delivery that the old master had seen")
	b.must("F-0000", flow.Running, flow.Succeeded)
	report, err := b.VerifyAudit(ctx)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

// One master that would drop keys is enough for a no, whichever node is asked first.
func TestAClusterIsAsGoodAsItsWorstMaster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	rdb := cluster.Client(t)
	h, err := redisstore.Inspect(t.Context(), rdb)
	require.NoError(t, err)
	require.False(t, h.Evicts())
	require.NoError(t, cluster.Nodes[2].Client(t).ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	for range 8 {
		h, err := redisstore.Inspect(t.Context(), rdb)
		require.NoError(t, err)
		require.True(t, h.Evicts())
	}
}

// Where the server can say it, Durable means on disk and not only taken: what a full
// disk does not hold is not vouched for, although the server took it.
func TestWhatIsNotOnDiskIsNotVouchedFor(t *testing.T) {
	server, h := waiting(t, "everysec")
	require.False(t, h.NeverOnDisk())
	s := redisstore.New(server.Client(t), "test", "T1")
	require.NoError(t, s.Durable(t.Context(), "F-AAAA"))
	server.FillDisk(t)
	require.Error(t, s.Durable(t.Context(), "F-BBBB"))
	server.FreeDisk(t)
	require.Eventually(t, func() bool { return s.Durable(t.Context(), "F-CCCC") == nil }, 10*time.Second, 50*time.Millisecond)
	server.Restart(t, syscall.SIGKILL)
	v, err := s.Flag(t.Context(), "durable")
	require.NoError(t, err)
	require.Equal(t, "F-CCCC", v)
}

// A server that never says so must not be mistaken for a slow one: each sending
// would wait in vain.
func TestAServerThatNeverSaysThatAWriteIsOnDisk(t *testing.T) {
	server, h := waiting(t, "no")
	require.True(t, h.NeverOnDisk())
	require.ErrorContains(t, redisstore.New(server.Client(t), "test", "T1").Durable(t.Context(), "F-AAAA"), "not on disk")
}

// What a server answers to WAITAOF: only that it can't tell is no reason not to send.
func TestWhatAnAnswerAboutTheDiskMeans(t *testing.T) {
	for answer, sends := range map[string]bool{
		"*2\r\n:1\r\n:0\r\n": true,
		"*2\r\n:0\r\n:0\r\n": false,
		"-ERR unknown command 'WAITAOF', with args beginning with: '1'\r\n":                                 true,
		"-NOPERM User scalebot has no permissions to run the 'waitaof' command\r\n":                         false,
		"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n": false,
		"-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n":                  true,
		"-ERR unknown command\r\n": true,
	} {
		rdb := scripted(t, func(name string) string {
			if name == "waitaof" {
				return answer
			}
			return ":1\r\n"
		})
		err := redisstore.New(rdb, "test", "T1").Durable(t.Context(), "F-AAAA")
		require.Equal(t, sends, err == nil, "%q: %v", answer, err)
	}
}

// A user who may not ask is told at the start, and not at the first change.
func TestAUserWhoMayNotAskWhetherAWriteIsOnDisk(t *testing.T) {
	h, err := redisstore.Inspect(t.Context(), scripted(t, func(name string) string {
		switch name {
		case "info":
			text := "redis_version:7.2.4\r\naof_enabled:1\r\n"
			return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
		case "waitaof":
			return "-NOPERM User scalebot has no permissions to run the 'waitaof' command\r\n"
		}
		return "-ERR unknown command\r\n"
	}))
	require.NoError(t, err)
	require.Contains(t, h.NoWait, "NOPERM")
}

// scripted is a client of a server that answers each command as a function says.
func scripted(t *testing.T, answer func(name string) string) redis.UniversalClient {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() }) // the test ends
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // the test ends
				for in := bufio.NewReader(c); ; {
					words, err := readCommand(in)
					if err != nil || len(words) == 0 {
						return
					}
					reply := "-ERR unknown command\r\n" // HELLO, CLIENT
					if name := strings.ToLower(words[0]); name != "hello" && name != "client" {
						reply = answer(name)
					}
					if _, err := c.Write([]byte(reply)); err != nil {
						return
					}
				}
			}()
		}
	}()
	rdb := redisstore.Open(redisstore.Target{Addrs: []string{l.Addr().String()}})
	t.Cleanup(func() { _ = rdb.Close() }) // the test ends
	return rdb
}

// waiting starts a server that has WAITAOF, or skips the test where there is none.
func waiting(t *testing.T, fsync string) (redistest.Server, redisstore.Health) {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", fsync)
	h, err := redisstore.Inspect(t.Context(), server.Client(t))
	require.NoError(t, err)
	if !h.WaitsForDisk() {
		t.Skipf("Redis %s has no WAITAOF (7.2)", h.Version)
	}
	return server, h
}
