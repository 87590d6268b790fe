package cloudsim_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	emr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/emr/v20190103"

	"scalebot/providers/cloudsim"
)

// sdk is the vendor's client, pointed at the Sim.
func sdk(t *testing.T, sim *cloudsim.Sim, key string) *emr.Client {
	prof := profile.NewClientProfile()
	prof.HttpProfile.Scheme = "HTTP"
	prof.HttpProfile.Endpoint = strings.TrimPrefix(sim.URL(), "http://")
	prof.Language = "en-US"
	c, err := emr.NewClient(common.NewCredential(cloudsim.DemoSecretID, key), "ap-guangzhou", prof)
	require.NoError(t, err)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	c.WithHttpTransport(tr)
	return c
}

// The vendor's own SDK must be able to sign for, ask and read this cloud: every
// action once, with the fields that the SDK decodes strictly by type.
func TestOfficialSDK(t *testing.T) {
	// The SDK signs with the machine's clock.
	sim := run(t, func(o *cloudsim.Options) { o.Now = time.Now })
	c, ctx := sdk(t, sim, cloudsim.DemoSecretKey), t.Context()
	code := func(err error) string {
		var te *tcerrors.TencentCloudSDKError
		require.ErrorAs(t, err, &te)
		require.NotEmpty(t, te.RequestId)
		return te.Code
	}

	list := emr.NewDescribeInstancesRequest()
	list.DisplayStrategy, list.InstanceIds, list.ProjectId = new("clusterList"), []*string{new("emr-m620")}, new(int64(-1))
	list.Offset, list.Limit = new(uint64(0)), new(uint64(100))
	_, err := sdk(t, sim, "wrong").DescribeInstancesWithContext(ctx, list)
	require.Equal(t, "AuthFailure.SignatureFailure", code(err))
	got, err := c.DescribeInstancesWithContext(ctx, list)
	require.NoError(t, err)
	require.Len(t, got.Response.ClusterList, 1)
	cluster := got.Response.ClusterList[0]
	require.EqualValues(t, 2, *cluster.Status)
	require.EqualValues(t, 3, *cluster.ConfigDetail.TaskNodeSize)
	require.EqualValues(t, 100003, *cluster.ZoneId)
	require.Equal(t, "env", *cluster.Tags[0].TagKey)

	short := emr.NewDescribeInstancesListRequest()
	short.DisplayStrategy = new("clusterList")
	short.Filters = []*emr.Filters{{Name: new("ClusterId"), Values: []*string{new("emr-m620")}}}
	rows, err := c.DescribeInstancesListWithContext(ctx, short)
	require.NoError(t, err)
	require.EqualValues(t, 2, *rows.Response.InstancesList[0].Status)

	nodes := func() []*emr.NodeHardwareInfo {
		req := emr.NewDescribeClusterNodesRequest()
		req.InstanceId, req.NodeFlag, req.HardwareResourceType = new("emr-m620"), new("task"), new("all")
		req.Offset, req.Limit = new(int64(0)), new(int64(100))
		res, err := c.DescribeClusterNodesWithContext(ctx, req)
		require.NoError(t, err)
		return res.Response.NodeList
	}
	before := nodes()
	require.Len(t, before, 3)
	require.EqualValues(t, 8, *before[0].CpuNum)
	require.False(t, *before[0].DisableApiTermination)

	price := emr.NewInquiryPriceScaleOutInstanceRequest()
	price.TimeUnit, price.TimeSpan, price.PayMode, price.ZoneId = new("s"), new(uint64(3600)), new(uint64(0)), new(uint64(*cluster.ZoneId))
	price.InstanceId, price.Currency, price.CoreCount, price.TaskCount = new("emr-m620"), new("CNY"), new(uint64(0)), new(uint64(2))
	cost, err := c.InquiryPriceScaleOutInstanceWithContext(ctx, price)
	require.NoError(t, err)
	require.Equal(t, "3.36", *cost.Response.DiscountCost)

	quota := emr.NewDescribeCvmQuotaRequest()
	quota.ClusterId = new("emr-m620")
	q, err := c.DescribeCvmQuotaWithContext(ctx, quota)
	require.NoError(t, err)
	require.EqualValues(t, 500, *q.Response.PostPaidQuotaSet[0].TotalQuota)

	specs := emr.NewDescribeNodeResourceConfigFastRequest()
	specs.InstanceId, specs.ResourceType, specs.PayMode = new("emr-m620"), new("TASK"), new(int64(0))
	spec, err := c.DescribeNodeResourceConfigFastWithContext(ctx, specs)
	require.NoError(t, err)
	require.Equal(t, "DEFAULT", *spec.Response.Data[0].ResourceData[0].IsDefault)
	require.Equal(t, "S5.2XLARGE32", *spec.Response.Data[0].ResourceData[0].Resource.Spec)

	// Every field that the reference's wire trace shows for this call.
	order := func() *emr.ScaleOutClusterRequest {
		req := emr.NewScaleOutClusterRequest()
		req.InstanceChargeType, req.InstanceId, req.ClientToken = new("POSTPAID_BY_HOUR"), new("emr-m620"), new("a9a90aa6")
		req.ScaleOutNodeConfig = &emr.ScaleOutNodeConfig{NodeFlag: new("TASK"), NodeCount: new(uint64(2))}
		req.SoftDeployInfo, req.ServiceNodeInfo = []*int64{new(int64(1)), new(int64(2))}, []*int64{new(int64(7))}
		req.Tags = []*emr.Tag{{TagKey: new("k"), TagValue: new("v")}}
		req.HardwareSourceType, req.YarnNodeLabel, req.EnableStartServiceFlag = new("host"), new("CLOUD"), new(true)
		req.ResourceSpec = &emr.NodeResourceSpec{
			InstanceType: new("S5.2XLARGE32"), LocalDataDisk: []*emr.DiskSpecInfo{},
			SystemDisk: []*emr.DiskSpecInfo{{Count: new(int64(1)), DiskType: new("CLOUD_PREMIUM"), DiskSize: new(int64(200)), ExtraPerformance: new(int64(0))}},
		}
		return req
	}
	out, err := c.ScaleOutClusterWithContext(ctx, order())
	require.NoError(t, err)
	require.Len(t, out.Response.DealNames, 1)
	again, err := c.ScaleOutClusterWithContext(ctx, order())
	require.NoError(t, err)
	require.Equal(t, *out.Response.FlowId, *again.Response.FlowId)
	fresh := order()
	fresh.ClientToken = new("another")
	_, err = c.ScaleOutClusterWithContext(ctx, fresh)
	require.Equal(t, "ResourceInUse.InstanceInProcess", code(err))

	flow := func(id int64) *emr.DescribeClusterFlowStatusDetailResponseParams {
		req := emr.NewDescribeClusterFlowStatusDetailRequest()
		req.InstanceId, req.NeedExtraDetail = new("emr-m620"), new(true)
		req.FlowParam = &emr.FlowParam{FKey: new("FlowId"), FValue: new(strconv.FormatInt(id, 10))}
		res, err := c.DescribeClusterFlowStatusDetailWithContext(ctx, req)
		require.NoError(t, err)
		return res.Response
	}
	sim.Advance(100 * time.Second)
	f := flow(*out.Response.FlowId)
	require.EqualValues(t, 1, *f.FlowTotalStatus)
	require.Equal(t, "初始化节点", *f.StageDetails[1].Name)
	require.EqualValues(t, 1, *f.StageDetails[1].Status)
	// Signatures go by the clock, not by Advance: the SDK can't advance its own.
	sim.Advance(time.Hour)
	require.EqualValues(t, 2, *flow(*out.Response.FlowId).FlowTotalStatus)
	after := nodes()
	require.Len(t, after, 5)

	shrink := emr.NewTerminateClusterNodesRequest()
	shrink.InstanceId, shrink.NodeFlag, shrink.CvmInstanceIds = new("emr-m620"), new("TASK"), []*string{after[4].OrderNo}
	shrink.GraceDownFlag, shrink.GraceDownTime = new(true), new(int64(60))
	gone, err := c.TerminateClusterNodesWithContext(ctx, shrink)
	require.NoError(t, err)
	sim.Advance(time.Hour)
	require.EqualValues(t, 2, *flow(*gone.Response.FlowId).FlowTotalStatus)

	tasks := emr.NewTerminateTasksRequest()
	tasks.InstanceId, tasks.ResourceIds = new("emr-m620"), []*string{after[3].EmrResourceId}
	_, err = c.TerminateTasksWithContext(ctx, tasks)
	require.NoError(t, err)
	sim.Advance(time.Hour)
	require.Len(t, nodes(), 3)
}

// A negative status, which the API documents, breaks the SDK's unsigned field in
// DescribeInstancesList. The Sim must show that trap, not hide it.
func TestOfficialSDKTrapOfNegativeStatus(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) { o.Now = time.Now })
	set(t, sim, cloudsim.Fault{Kind: cloudsim.ForcedStatus, Status: "-1"})
	req := emr.NewDescribeInstancesListRequest()
	req.DisplayStrategy = new("clusterList")
	_, err := sdk(t, sim, cloudsim.DemoSecretKey).DescribeInstancesListWithContext(t.Context(), req)
	var te *tcerrors.TencentCloudSDKError
	require.ErrorAs(t, err, &te)
	require.Equal(t, "ClientError.ParseJsonError", te.Code)
}
