package cloudsim_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

func set(t *testing.T, sim *cloudsim.Sim, f cloudsim.Fault) int {
	t.Helper()
	id, err := sim.Fault(f)
	require.NoError(t, err)
	return id
}

// Whether the change behind a broken answer happened is the whole point of
// these faults, so it is asked of the ledger and of the cluster.
func TestTransportFaults(t *testing.T) {
	tests := []struct {
		kind    cloudsim.FaultKind
		effect  bool
		outcome cloudsim.Outcome
		check   func(t *testing.T, res *http.Response, err error)
	}{
		{cloudsim.LostBefore, false, cloudsim.Unheard, lost},
		{cloudsim.LostAfter, true, cloudsim.Accepted, lost},
		{cloudsim.ServerError, false, cloudsim.Unheard, func(t *testing.T, res *http.Response, err error) {
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusInternalServerError, res.StatusCode)
			require.Equal(t, "text/html", res.Header.Get("Content-Type"))
		}},
		{cloudsim.Garbage, true, cloudsim.Accepted, func(t *testing.T, res *http.Response, err error) {
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.NotContains(t, string(b), "FlowId")
		}},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			sim := run(t, nil)
			c := newClient(t, sim)
			set(t, sim, cloudsim.Fault{Kind: tt.kind, Action: "ScaleOutCluster"})
			require.Equal(t, 2, c.status(), "other actions are not hit")
			res, err := c.send(t.Context(), "ScaleOutCluster", hourly(2, `"ClientToken":"tok"`))
			tt.check(t, res, err) // closes the body

			require.Empty(t, sim.Faults(), "it was for once")
			l := sim.Ledger()
			require.Len(t, l, 1, "the lost request is on the ledger")
			require.Equal(t, tt.outcome, l[0].Outcome)
			require.Equal(t, tt.kind, l[0].Fault)
			if !tt.effect {
				require.Equal(t, 2, c.status())
				require.Zero(t, accepted(sim))
				return
			}
			require.Equal(t, 4, c.status())
			// The documented protection: the same token finds the same operation.
			a := c.must("ScaleOutCluster", hourly(2, `"ClientToken":"tok"`))
			require.Equal(t, l[0].Operation, fmt.Sprint(a["FlowId"]))
			require.Equal(t, 1, accepted(sim))
		})
	}
}

func lost(t *testing.T, res *http.Response, err error) {
	if err == nil {
		_ = res.Body.Close()
	}
	require.ErrorIs(t, err, io.EOF)
}

func TestSlowActsAtOnceAndAnswersLate(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Slow, Action: "ScaleOutCluster", Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		res, err := c.send(ctx, "ScaleOutCluster", hourly(1, ""))
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	require.Eventually(t, func() bool { return accepted(sim) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)

	set(t, sim, cloudsim.Fault{Kind: cloudsim.Slow, Action: "DescribeInstances", Delay: 30 * time.Millisecond})
	start := time.Now()
	require.Equal(t, 4, c.status())
	require.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)
}

func TestHangEndsWithClose(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Hang})
	gone := make(chan error, 1)
	go func() {
		res, err := c.send(t.Context(), "ScaleOutCluster", hourly(1, ""))
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	require.Eventually(t, func() bool { return len(sim.Ledger()) == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, cloudsim.Unheard, sim.Ledger()[0].Outcome)
	sim.Close()
	require.Error(t, <-gone)
}

func TestStartEndsWithItsContext(t *testing.T) {
	sim, err := cloudsim.New(cloudsim.Options{World: cloudsim.Demo(), Now: frozen})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, sim.Start(ctx))
	require.True(t, strings.HasPrefix(sim.URL(), "http://127.0.0.1:"))
	require.Error(t, sim.Start(ctx), "once only")
	c := newClient(t, sim)
	require.Equal(t, 2, c.status())
	cancel()
	require.Eventually(t, func() bool {
		res, err := c.send(t.Context(), "DescribeInstances", `{}`)
		if err == nil {
			_ = res.Body.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond)
	sim.Close()
}

func TestAnswerFaults(t *testing.T) {
	tests := []struct {
		fault cloudsim.Fault
		want  string
	}{
		{cloudsim.Fault{Kind: cloudsim.SoldOut}, "ResourceInsufficient.InstanceInsufficient"},
		{cloudsim.Fault{Kind: cloudsim.Throttled, Action: "ScaleOutCluster"}, "RequestLimitExceeded"},
		{cloudsim.Fault{Kind: cloudsim.Throttled, Action: "ScaleOutCluster", Code: "RequestLimitExceeded.UinLimitExceeded"}, "RequestLimitExceeded.UinLimitExceeded"},
		{cloudsim.Fault{Kind: cloudsim.AuthFailed, Action: "ScaleOutCluster"}, "AuthFailure.SignatureFailure"},
		{cloudsim.Fault{Kind: cloudsim.AuthFailed, Action: "ScaleOutCluster", Code: "AuthFailure.SecretIdNotFound"}, "AuthFailure.SecretIdNotFound"},
		{cloudsim.Fault{Kind: cloudsim.Refused, Action: "ScaleOutCluster", Code: "FailedOperation.GetCvmConfigQuotaFailed"}, "FailedOperation.GetCvmConfigQuotaFailed"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			sim := run(t, nil)
			c := newClient(t, sim)
			tt.fault.Cluster = "emr-m620"
			set(t, sim, tt.fault)
			require.Equal(t, 2, c.status(), "reads are not hit")
			require.Equal(t, tt.want, c.call("ScaleOutCluster", hourly(1, "")).code())
			l := sim.Ledger()
			require.Len(t, l, 1)
			require.Equal(t, cloudsim.Rejected, l[0].Outcome)
			require.Equal(t, tt.want, l[0].Code)
			require.Equal(t, tt.fault.Kind, l[0].Fault)
			require.Empty(t, sim.Faults())
			c.must("ScaleOutCluster", hourly(1, ""))
		})
	}
}

func TestFaultsNeverHideBrokenRequests(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut})
	require.Equal(t, "InvalidParameter.InvalidNodeCount", c.call("ScaleOutCluster", hourly(0, "")).code())
	require.Len(t, sim.Faults(), 1, "not used up by a request that would not have ordered")
}

func TestTimesAndClear(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut, Times: 2})
	require.Equal(t, 2, sim.Faults()[0].Times)
	c.call("ScaleOutCluster", hourly(1, ""))
	require.Equal(t, 1, sim.Faults()[0].Times)
	c.call("ScaleOutCluster", hourly(1, ""))
	require.Empty(t, sim.Faults())

	set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut, Cluster: "emr-elsewhere", Times: cloudsim.UntilCleared})
	id := set(t, sim, cloudsim.Fault{Kind: cloudsim.SoldOut, Times: cloudsim.UntilCleared})
	for range 3 {
		require.NotEmpty(t, c.call("ScaleOutCluster", hourly(1, "")).code())
	}
	require.True(t, sim.ClearFault(id))
	require.False(t, sim.ClearFault(id))
	c.must("ScaleOutCluster", hourly(1, ""))
	sim.ClearFaults()
	require.Empty(t, sim.Faults())

	for _, bad := range []cloudsim.Fault{
		{}, {Kind: "fire"}, {Kind: cloudsim.Refused}, {Kind: cloudsim.ForcedStatus}, {Kind: cloudsim.ForcedStatus, Status: "sleepy"},
		{Kind: cloudsim.Slow, Delay: -1}, {Kind: cloudsim.FlowFails, Stage: -1}, {Kind: cloudsim.SoldOut, Times: -2},
	} {
		_, err := sim.Fault(bad)
		require.Error(t, err, "%+v", bad)
	}
}

func TestFlowFails(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowFails, Stage: 3, Reason: "磁盘初始化失败"})
	a := c.must("ScaleOutCluster", hourly(2, ""))
	require.Equal(t, cloudsim.FlowFails, sim.Ledger()[0].Fault)
	sim.Advance(194 * time.Second) // stage 3 is 150 s to 240 s
	require.EqualValues(t, 1, c.flow(a["FlowId"])["FlowTotalStatus"])
	sim.Advance(time.Second)
	f := c.flow(a["FlowId"])
	require.EqualValues(t, -1, f["FlowTotalStatus"])
	require.Less(t, f["FlowTotalProgress"], 1.0)
	st := f.list("StageDetails")
	require.EqualValues(t, 2, st[1]["Status"])
	require.EqualValues(t, -1, st[2]["Status"])
	require.Equal(t, "磁盘初始化失败", st[2]["FailedReason"])
	require.EqualValues(t, 0, st[3]["Status"])
	sim.Advance(time.Hour)
	require.Len(t, c.nodes("task"), 3)
	require.Equal(t, 302, c.status())
	require.Equal(t, "ResourceUnavailable", c.call("ScaleOutCluster", hourly(1, "")).code())
	sim.ClearFaults()
	require.Equal(t, 2, c.status())
	require.EqualValues(t, -1, c.flow(a["FlowId"])["FlowTotalStatus"], "the past stays")
}

func TestFlowBlockedGoesOnWhenCleared(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	id := set(t, sim, cloudsim.Fault{Kind: cloudsim.FlowBlocked, Stage: 5})
	a := c.must("ScaleOutCluster", hourly(2, ""))
	sim.Advance(289 * time.Second) // one second before the middle of joining
	require.EqualValues(t, 1, c.flow(a["FlowId"])["FlowTotalStatus"])
	sim.Advance(24 * time.Hour)
	require.EqualValues(t, -3, c.flow(a["FlowId"])["FlowTotalStatus"])
	require.Equal(t, 4, c.status())
	require.Len(t, c.nodes("task"), 4)
	require.Len(t, sim.Faults(), 1, "still listed: it holds an operation")

	require.True(t, sim.ClearFault(id))
	require.EqualValues(t, 1, c.flow(a["FlowId"])["FlowTotalStatus"])
	sim.Advance(81 * time.Second)
	require.EqualValues(t, 1, c.flow(a["FlowId"])["FlowTotalStatus"])
	sim.Advance(time.Second)
	require.EqualValues(t, 2, c.flow(a["FlowId"])["FlowTotalStatus"])
	require.Len(t, c.nodes("task"), 5)
}

func TestPartial(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Nodes: 2})
	a := c.must("ScaleOutCluster", hourly(5, ""))
	sim.Advance(time.Hour)
	f := c.flow(a["FlowId"])
	require.EqualValues(t, 3, f["FlowTotalStatus"])
	require.EqualValues(t, 1, f["FlowTotalProgress"])
	require.EqualValues(t, 3, f.list("StageDetails")[4]["Status"])
	require.Len(t, c.nodes("task"), 5)
	require.Equal(t, 2, c.status())

	// A removal can stop half-way as well.
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Partial, Action: "TerminateClusterNodes", Nodes: 1})
	n := c.nodes("task")
	a = c.must("TerminateClusterNodes", fmt.Sprintf(`{"InstanceId":"emr-m620","NodeFlag":"TASK","CvmInstanceIds":[%q,%q]}`, n[0]["OrderNo"], n[1]["OrderNo"]))
	sim.Advance(time.Hour)
	require.EqualValues(t, 3, c.flow(a["FlowId"])["FlowTotalStatus"])
	require.Len(t, c.nodes("task"), 4)
}

func TestForcedStatus(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	for status, want := range map[string]string{"8": "ResourceInUse.InstanceInProcess", "23": "ResourceUnavailable"} {
		id := set(t, sim, cloudsim.Fault{Kind: cloudsim.ForcedStatus, Cluster: "emr-m620", Status: status})
		require.Equal(t, status, strconv.Itoa(c.status()))
		require.Equal(t, want, c.call("ScaleOutCluster", hourly(1, "")).code())
		require.True(t, sim.ClearFault(id))
	}
	set(t, sim, cloudsim.Fault{Kind: cloudsim.ForcedStatus, Status: "301"})
	require.Empty(t, c.must("DescribeInstances", `{"DisplayStrategy":"monitorManage"}`).list("ClusterList"))
	require.Len(t, c.must("DescribeInstances", `{"DisplayStrategy":"clusterList"}`).list("ClusterList"), 1)
}

func TestLedgerAndJournal(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	body := hourly(2, `"ClientToken":"tok"`)
	a := c.must("ScaleOutCluster", body)
	c.call("TerminateInstance", `{"InstanceId":"emr-m620"}`)
	c.call("DescribeInstances", `{}`)
	c.key = "wrong"
	c.call("ScaleOutCluster", body)

	l := sim.Ledger()
	require.Len(t, l, 3, "reads are not in it")
	require.JSONEq(t, body, string(l[0].Body))
	l[0].Body = nil
	require.Equal(t, cloudsim.Entry{
		N: 1, Time: epoch, Cloud: cloudsim.Tencent, Account: "data-gz", Region: "ap-guangzhou", Action: "ScaleOutCluster",
		Cluster: "emr-m620", Group: "TASK", Delta: 2, Token: "tok", Outcome: cloudsim.Accepted, Operation: "19239",
		RequestID: a["RequestId"].(string),
	}, l[0])
	require.Equal(t, "TerminateInstance", l[1].Action)
	require.Equal(t, "InvalidAction", l[1].Code)
	require.Empty(t, l[2].Account, "nobody's: the signature did not hold")
	require.Equal(t, "AuthFailure.SignatureFailure", l[2].Code)

	r := sim.Requests()
	require.Len(t, r, 4)
	require.Equal(t, body, string(r[0].Body))
	require.Equal(t, "2019-01-03", r[0].Header.Get("X-TC-Version"))
	require.Equal(t, "/", r[0].Path)
	require.Equal(t, http.StatusOK, r[0].Status)
	require.Equal(t, a["RequestId"], r[0].RequestID)
	require.Equal(t, "MissingParameter", r[2].Code)
}
