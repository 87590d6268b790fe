package cloudsim_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	cs "github.com/alibabacloud-go/cs-20151215/v5/client"
	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/openapi-util/service"
	util "github.com/alibabacloud-go/tea-utils/v2/service"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// ackConfig points a vendor's client at the Sim. Each client needs its own: it
// is rewritten. Proxies of the environment would be used even on loopback, so
// the address is excepted by name.
func ackConfig(sim *cloudsim.Sim, secret string) *openapi.Config {
	host := strings.TrimPrefix(sim.URL(), "http://")
	return &openapi.Config{
		AccessKeyId: new(cloudsim.DemoAccessKeyID), AccessKeySecret: new(secret), RegionId: new("cn-beijing"),
		Endpoint: new(host), Protocol: new("HTTP"), NoProxy: new(host), ReadTimeout: new(20_000),
	}
}

func ackSDK(t *testing.T, sim *cloudsim.Sim, secret string) *cs.Client {
	c, err := cs.NewClient(ackConfig(sim, secret))
	require.NoError(t, err)
	return c
}

// sdkCode is the code of an error of the vendor's client.
func sdkCode(t *testing.T, err error) (string, int) {
	t.Helper()
	var se *tea.SDKError
	require.ErrorAs(t, err, &se)
	return tea.StringValue(se.Code), tea.IntValue(se.StatusCode)
}

func refusedBy(t *testing.T, err error, code string, status int) {
	t.Helper()
	gotCode, gotStatus := sdkCode(t, err)
	require.Equal(t, code, gotCode)
	require.Equal(t, status, gotStatus)
}

// The vendor's own SDK must be able to sign for, ask and read this cloud: every
// call of the reference's wire table once.
func TestAckOfficialSDK(t *testing.T) {
	// The SDK signs with the machine's clock.
	sim := run(t, func(o *cloudsim.Options) {
		ackWorld(o)
		o.Now = time.Now
	})
	c := ackSDK(t, sim, cloudsim.DemoAccessKeySecret)
	pool := new(workers)

	_, err := ackSDK(t, sim, "wrong").DescribeClusterDetail(new(web))
	refusedBy(t, err, "SignatureDoesNotMatch", 400)
	_, err = c.DescribeClusterDetail(new("none"))
	refusedBy(t, err, "ErrorClusterNotFound", 404)
	require.Contains(t, err.Error(), "request id: <nil>", "a trap: the SDK doesn't know this spelling")
	detail, err := c.DescribeClusterDetail(new(web))
	require.NoError(t, err)
	require.Equal(t, "running", *detail.Body.State)
	require.EqualValues(t, 9, *detail.Body.Size)
	require.Equal(t, "env", *detail.Body.Tags[0].Key)
	list, err := c.DescribeClustersV1(&cs.DescribeClustersV1Request{
		PageNumber: new(int64(1)), PageSize: new(int64(50)), RegionId: new("cn-beijing"),
	})
	require.NoError(t, err)
	require.Len(t, list.Body.Clusters, 2)
	require.EqualValues(t, 2, *list.Body.PageInfo.TotalCount)
	pools, err := c.DescribeClusterNodePools(new(web), &cs.DescribeClusterNodePoolsRequest{NodepoolName: new("workers")})
	require.NoError(t, err)
	require.Len(t, pools.Body.Nodepools, 1)
	require.EqualValues(t, 4, *pools.Body.Nodepools[0].Status.TotalNodes)
	old, err := c.DescribeClusterNodePoolDetail(new(web), new(legacy))
	require.NoError(t, err)
	require.Nil(t, old.Body.ScalingGroup.DesiredSize)
	require.EqualValues(t, 120, *old.Body.ScalingGroup.SystemDiskSize)
	edgePool, err := c.DescribeClusterNodePoolDetail(new(webEdge), new(edge))
	require.NoError(t, err)
	require.Nil(t, edgePool.Body.ScalingGroup)

	nodes := func() []*cs.DescribeClusterNodesResponseBodyNodes {
		res, err := c.DescribeClusterNodes(new(web), &cs.DescribeClusterNodesRequest{
			NodepoolId: pool, PageNumber: new("1"), PageSize: new("100"), State: new("all"),
		})
		require.NoError(t, err)
		require.EqualValues(t, len(res.Body.Nodes), *res.Body.Page.TotalCount)
		return res.Body.Nodes
	}
	require.Len(t, nodes(), 4)

	grown, err := c.ScaleClusterNodePool(new(web), pool, &cs.ScaleClusterNodePoolRequest{Count: new(int64(2))})
	require.NoError(t, err)
	require.NotEmpty(t, *grown.Headers["x-acs-request-id"], "the only place of the request id")
	_, err = c.ScaleClusterNodePool(new(web), pool, &cs.ScaleClusterNodePoolRequest{Count: new(int64(2))})
	refusedBy(t, err, "ErrorClusterState", 400)
	_, err = c.PauseTask(grown.Body.TaskId)
	require.NoError(t, err)
	info := func(id *string) *cs.DescribeTaskInfoResponseBody {
		res, err := c.DescribeTaskInfo(id)
		require.NoError(t, err)
		return res.Body
	}
	require.Equal(t, "paused", *info(grown.Body.TaskId).State)
	_, err = c.ResumeTask(grown.Body.TaskId)
	require.NoError(t, err)
	sim.Advance(time.Hour) // signatures go by the clock, not by Advance: the SDK can't advance its own
	done := info(grown.Body.TaskId)
	require.Equal(t, "success", *done.State)
	require.Len(t, done.Stages, 4)
	require.Len(t, done.TaskResult, 2)
	require.Empty(t, *done.Error.Message)
	require.Equal(t, *nodes()[4].InstanceId, *done.TaskResult[0].Data)
	tasks, err := c.DescribeClusterTasks(new(web), &cs.DescribeClusterTasksRequest{PageNumber: new(int32(1)), PageSize: new(int32(10))})
	require.NoError(t, err)
	require.Equal(t, *grown.Body.TaskId, *tasks.Body.Tasks[0].TaskId)
	events, err := c.DescribeClusterEvents(new(web), &cs.DescribeClusterEventsRequest{TaskId: grown.Body.TaskId})
	require.NoError(t, err)
	require.Len(t, events.Body.Events, 12)
	require.Equal(t, "Success", *events.Body.Events[0].Data.Reason)

	set, err := c.ModifyClusterNodePool(new(web), pool, &cs.ModifyClusterNodePoolRequest{
		ScalingGroup: &cs.ModifyClusterNodePoolRequestScalingGroup{DesiredSize: new(int64(7))},
	})
	require.NoError(t, err)
	require.Equal(t, workers, *set.Body.NodepoolId)
	_, err = c.CancelTask(set.Body.TaskId)
	require.NoError(t, err)
	_, err = c.CancelTask(set.Body.TaskId)
	refusedBy(t, err, "ErrorTaskState", 400)

	// The list of ids travels as one JSON text in the query, which is signed.
	n := nodes()
	gone, err := c.RemoveNodePoolNodes(new(web), pool, &cs.RemoveNodePoolNodesRequest{
		InstanceIds: []*string{n[0].InstanceId, n[1].InstanceId}, DrainNode: new(true), ReleaseNode: new(true), Concurrency: new(false),
	})
	require.NoError(t, err)
	sim.Advance(time.Hour)
	require.Equal(t, "success", *info(gone.Body.TaskId).State)
	require.Len(t, nodes(), 4)
	deleted, err := c.DeleteClusterNodes(new(web), &cs.DeleteClusterNodesRequest{
		Nodes: []*string{n[2].NodeName}, DrainNode: new(true), ReleaseNode: new(false),
	})
	require.NoError(t, err)
	require.Equal(t, web, *deleted.Body.ClusterId)
	sim.Advance(time.Hour)
	_, err = c.RemoveClusterNodes(new(web), &cs.RemoveClusterNodesRequest{Nodes: []*string{n[3].NodeName}, DrainNode: new(true), ReleaseNode: new(true)}) //nolint:staticcheck // deprecated, but in the table
	require.NoError(t, err)
	sim.Advance(time.Hour)
	require.Len(t, nodes(), 4, "made up for, twice")

	// Every field that the reference's wire trace shows for this call.
	legacyOrder, err := c.ScaleOutCluster(new(web), &cs.ScaleOutClusterRequest{
		CloudMonitorFlags: new(true), Count: new(int64(1)), CpuPolicy: new("none"), KeyPair: new("common"),
		Runtime: &cs.Runtime{Name: new("containerd"), Version: new("1.6.28")}, Tags: []*cs.Tag{{Key: new("tier"), Value: new("frontend")}},
		Taints:     []*cs.Taint{{Effect: new("NoSchedule"), Key: new("k"), Value: new("v")}},
		VswitchIds: []*string{new("vsw-1")}, WorkerAutoRenew: new(true), WorkerAutoRenewPeriod: new(int64(1)),
		WorkerDataDisks:          []*cs.ScaleOutClusterRequestWorkerDataDisks{{Category: new("cloud_ssd"), Size: new("500")}},
		WorkerInstanceChargeType: new("PrePaid"), WorkerInstanceTypes: []*string{new("ecs.c5.xlarge")}, WorkerPeriod: new(int64(1)),
		WorkerPeriodUnit: new("Month"), WorkerSystemDiskCategory: new("cloud_efficiency"), WorkerSystemDiskSize: new(int64(120)),
	})
	require.NoError(t, err)
	require.Equal(t, web, *legacyOrder.Body.ClusterId)
	require.Equal(t, "cluster_scaleout", *info(legacyOrder.Body.TaskId).TaskType)

	// The edge body, which the SDK has no type for.
	edgeParams := &openapi.Params{
		Action: new("ScaleOutCluster"), Version: new("2015-12-15"), Protocol: new("HTTPS"), Pathname: new("/api/v2/clusters/" + webEdge),
		Method: new("POST"), AuthType: new("AK"), Style: new("ROA"), ReqBodyType: new("json"), BodyType: new("json"),
	}
	raw, err := c.CallApi(edgeParams, &openapi.OpenApiRequest{Body: map[string]any{
		"count": 1, "ens_internet_charge_type": "BandwidthByDay", "ens_region_id": "cn-beijing-telecom", "is_edge_worker": true,
		"login_password": "Hello1234!", "timeout_mins": 60, "worker_auto_renew": true, "worker_auto_renew_period": 1,
		"worker_data_disk_size": 0, "worker_image_id": "m-2QVL", "worker_instance_type": "ens.sn1.tiny", "worker_period": 1,
		"worker_system_disk_size": 20,
	}}, &util.RuntimeOptions{})
	require.NoError(t, err)
	out := &cs.ScaleOutClusterResponse{}
	require.NoError(t, tea.Convert(raw, &out))
	require.Equal(t, webEdge, *out.Body.ClusterId)
	sim.Advance(time.Hour)
	require.Equal(t, "success", *info(out.Body.TaskId).State)
}

// Prices by the generic client, with both of its signatures, for both services.
func TestAckOfficialSDKPrices(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) { o.Now = time.Now })
	for _, algorithm := range []string{"ACS3-HMAC-SHA256", "v2"} {
		t.Run(algorithm, func(t *testing.T) {
			form := false
			ask := func(secret, version string, params map[string]any) (string, error) {
				cfg := ackConfig(sim, secret)
				cfg.SignatureAlgorithm = new(algorithm)
				c, err := openapi.NewClient(cfg)
				require.NoError(t, err)
				req := &openapi.OpenApiRequest{Query: openapiutil.Query(params)}
				if form {
					req = &openapi.OpenApiRequest{Body: params}
				}
				res, err := c.CallApi(&openapi.Params{
					Action: new("DescribePrice"), Version: new(version), Protocol: new("HTTPS"), Pathname: new("/"), Method: new("POST"),
					AuthType: new("AK"), Style: new("RPC"), ReqBodyType: new("formData"), BodyType: new("json"),
				}, req, &util.RuntimeOptions{})
				if err != nil {
					return "", err
				}
				price := res["body"].(map[string]any)["PriceInfo"].(map[string]any)["Price"].(map[string]any)
				return price["TradePrice"].(json.Number).String(), nil
			}
			node := map[string]any{
				"RegionId": "cn-beijing", "ResourceType": "instance", "InstanceType": "ecs.c5.xlarge", "Amount": 2, "PriceUnit": "Hour", "Period": 1,
				"SystemDisk.Category": "cloud_efficiency", "SystemDisk.Size": 120, "DataDisk.1.Category": "cloud_ssd", "DataDisk.1.Size": 500,
			}
			got, err := ask(cloudsim.DemoAccessKeySecret, "2014-05-26", node)
			require.NoError(t, err)
			require.Equal(t, "3.2752", got)
			form = true
			got, err = ask(cloudsim.DemoAccessKeySecret, "2014-05-26", node)
			require.NoError(t, err, "the parameters may also travel in a form")
			require.Equal(t, "3.2752", got)
			form = false
			_, err = ask("wrong", "2014-05-26", node)
			refusedBy(t, err, "SignatureDoesNotMatch", 400)
			got, err = ask(cloudsim.DemoAccessKeySecret, "2017-11-10", map[string]any{
				"DataDisk.1.Size": 50, "EnsRegionId": "cn-shanghai-unicom", "InstanceType": "ens.sn1.tiny", "InternetChargeType": "95BandwidthByMonth",
				"Period": 1, "PeriodUnit": "Month", "Quantity": 2, "SystemDisk.Size": 20,
			})
			require.NoError(t, err)
			require.Equal(t, "510", got)
			require.Equal(t, "ack-bj", sim.Requests()[0].Account)
		})
	}
}

// Temporary keys, which the SDK sends with two more headers.
func TestAckOfficialSDKTemporaryKey(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) {
		o.Now = time.Now
		o.World.Alibaba.Accounts[0].Token = "session"
	})
	cfg := ackConfig(sim, cloudsim.DemoAccessKeySecret)
	cfg.SecurityToken = new("session")
	c, err := cs.NewClient(cfg)
	require.NoError(t, err)
	_, err = c.DescribeClusterDetail(new(web))
	require.NoError(t, err)
	_, err = ackSDK(t, sim, cloudsim.DemoAccessKeySecret).DescribeClusterDetail(new(web))
	refusedBy(t, err, "MissingSecurityToken", 400)
}

// What the faults of the transport look like to whoever uses this SDK: only some
// of it tells whether the order was placed.
func TestAckOfficialSDKFaults(t *testing.T) {
	grow := func(sim *cloudsim.Sim) error {
		_, err := ackSDK(t, sim, cloudsim.DemoAccessKeySecret).ScaleClusterNodePool(new(web), new(workers), &cs.ScaleClusterNodePoolRequest{Count: new(int64(2))})
		return err
	}
	tests := map[cloudsim.FaultKind]func(t *testing.T, err error){
		cloudsim.LostBefore: func(t *testing.T, err error) { require.True(t, isAs[*url.Error](err), "%T", err) },
		cloudsim.LostAfter:  func(t *testing.T, err error) { require.True(t, isAs[*url.Error](err), "%T", err) },
		cloudsim.ServerError: func(t *testing.T, err error) {
			require.True(t, isAs[*json.SyntaxError](err), "a trap: the status is lost, %T", err)
		},
		cloudsim.Garbage:    func(t *testing.T, err error) { require.True(t, isAs[*json.SyntaxError](err), "%T", err) },
		cloudsim.Throttled:  func(t *testing.T, err error) { refusedBy(t, err, "Throttling.User", 400) },
		cloudsim.AuthFailed: func(t *testing.T, err error) { refusedBy(t, err, "SignatureDoesNotMatch", 400) },
	}
	for kind, check := range tests {
		t.Run(string(kind), func(t *testing.T) {
			sim := run(t, func(o *cloudsim.Options) { o.Now = time.Now })
			set(t, sim, cloudsim.Fault{Kind: kind, Action: "ScaleClusterNodePool"})
			check(t, grow(sim))
			require.NoError(t, ackIdle(t, sim, kind == cloudsim.LostAfter || kind == cloudsim.Garbage))
		})
	}
}

func isAs[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// ackIdle says whether the demo's cluster is as busy as it should be.
func ackIdle(t *testing.T, sim *cloudsim.Sim, busy bool) error {
	t.Helper()
	c, err := ackSDK(t, sim, cloudsim.DemoAccessKeySecret).DescribeClusterDetail(new(web))
	if err != nil {
		return err
	}
	if (*c.Body.State == "scaling") != busy {
		return errors.New("the cluster is " + *c.Body.State)
	}
	return nil
}
