package cloudsim_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/region"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	bss "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/bss/v2"
	bssmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/bss/v2/model"
	bssintl "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/bssintl/v2"
	bssintlmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/bssintl/v2/model"
	mrs1 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1"
	m1 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v1/model"
	mrs2 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v2"
	m2 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/mrs/v2/model"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// hwSDK is the vendor's client, pointed at the Sim. The SDK signs with the
// machine's clock, so the Sim must run on that too.
func hwSDK(t *testing.T, builder *core.HcHttpClientBuilder, cred auth.ICredential, at func(*core.HcHttpClientBuilder)) *core.HcHttpClient {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	at(builder.WithCredential(cred).WithHttpConfig(config.DefaultHttpConfig().WithHttpTransport(tr)))
	hc, err := builder.SafeBuild()
	require.NoError(t, err)
	return hc
}

func endpoint(sim *cloudsim.Sim) func(*core.HcHttpClientBuilder) {
	return func(b *core.HcHttpClientBuilder) { b.WithEndpoints([]string{sim.URL()}) }
}

func projectKey(t *testing.T, sk, project string) auth.ICredential {
	t.Helper()
	c, err := basic.NewCredentialsBuilder().WithAk(cloudsim.DemoAK).WithSk(sk).WithProjectId(project).SafeBuild()
	require.NoError(t, err)
	return c
}

func accountKey(t *testing.T, domain string) auth.ICredential {
	t.Helper()
	c, err := global.NewCredentialsBuilder().WithAk(cloudsim.DemoAK).WithSk(cloudsim.DemoSK).WithDomainId(domain).SafeBuild()
	require.NoError(t, err)
	return c
}

// refusal is what the SDK makes of an error: it must find the code and the id.
func refusal(t *testing.T, err error) *sdkerr.ServiceResponseError {
	t.Helper()
	var se *sdkerr.ServiceResponseError
	require.ErrorAs(t, err, &se)
	require.NotEmpty(t, se.RequestId)
	return se
}

func onRealClock(change func(*cloudsim.HuaweiWorld)) func(*cloudsim.Options) {
	return func(o *cloudsim.Options) {
		o.Now = time.Now
		if change != nil {
			change(&o.World.Huawei)
		}
	}
}

// The vendor's own SDK must be able to sign for, ask and read this cloud: every
// call of version 1.1, with its types, which decode strictly.
func TestHuaweiSDKv1(t *testing.T) {
	sim := run(t, onRealClock(nil))
	hc := hwSDK(t, mrs1.MrsClientBuilder(), projectKey(t, cloudsim.DemoSK, cloudsim.DemoProjectID), endpoint(sim))
	c := mrs1.NewMrsClient(hc)
	show := func() *m1.Cluster {
		t.Helper()
		res, err := c.ShowClusterDetails(&m1.ShowClusterDetailsRequest{ClusterId: cloudsim.DemoMRSCluster})
		require.NoError(t, err)
		return res.Cluster
	}

	wrong := mrs1.NewMrsClient(hwSDK(t, mrs1.MrsClientBuilder(), projectKey(t, "wrong", cloudsim.DemoProjectID), endpoint(sim)))
	_, err := wrong.ShowClusterDetails(&m1.ShowClusterDetailsRequest{ClusterId: cloudsim.DemoMRSCluster})
	require.Equal(t, []any{401, "APIGW.0301"}, []any{refusal(t, err).StatusCode, refusal(t, err).ErrorCode})
	// Without a project the SDK sends its template and says nothing.
	lost := mrs1.NewMrsClient(hwSDK(t, mrs1.MrsClientBuilder(), projectKey(t, cloudsim.DemoSK, ""), endpoint(sim)))
	_, err = lost.ShowClusterDetails(&m1.ShowClusterDetailsRequest{ClusterId: cloudsim.DemoMRSCluster})
	require.Equal(t, "12000107", refusal(t, err).ErrorCode)
	_, err = c.ShowClusterDetails(&m1.ShowClusterDetailsRequest{ClusterId: "none"})
	require.Equal(t, "12000003", refusal(t, err).ErrorCode)

	cl := show()
	require.Equal(t, []string{"running", "7", "2", "3", "Metered", ""}, []string{*cl.ClusterState, *cl.TotalNodeNum, *cl.MasterNodeNum, *cl.CoreNodeNum, *cl.BillingType, *cl.Scale})
	require.Equal(t, "core_node_default_group", *(*cl.NodeGroups)[1].GroupName)
	require.EqualValues(t, 3, *(*cl.NodeGroups)[1].NodeNum)
	require.EqualValues(t, 2, *(*cl.TaskNodeGroups)[0].NodeNum)
	require.EqualValues(t, 600, *(*cl.TaskNodeGroups)[0].DataVolumeSize)

	list, err := c.ListClusters(&m1.ListClustersRequest{ClusterState: new("existing"), PageSize: new("100"), CurrentPage: new("1"), ClusterName: new("analytics"), EnterpriseProjectId: new("0")})
	require.NoError(t, err)
	require.EqualValues(t, 1, *list.ClusterTotal)
	require.Equal(t, cloudsim.DemoMRSCluster, *(*list.Clusters)[0].ClusterId)

	hosts := func() []m1.HostModel {
		t.Helper()
		res, err := c.ListHosts(&m1.ListHostsRequest{ClusterId: cloudsim.DemoMRSCluster, PageSize: new("500"), CurrentPage: new("1")})
		require.NoError(t, err)
		require.EqualValues(t, len(*res.Hosts), *res.Total)
		return *res.Hosts
	}
	require.Len(t, hosts(), 7)
	require.Equal(t, []any{"Task", "ACTIVE", int32(600)}, []any{*hosts()[6].Type, *hosts()[6].Status, *hosts()[6].DataVolumeSize})

	// The body of the document's sample, as the SDK writes it, and the minimal one.
	scale := func(p m1.ClusterScalingParams, full bool) (*m1.UpdateClusterScalingResponse, error) {
		p.NodeId = "node_orderadd"
		body := &m1.ClusterScalingReq{Parameters: &p}
		if full {
			body.ServiceId, body.PlanId, body.PreviousValues = new(""), new(""), map[string]string{"plan_id": ""}
			p.OrderId, p.SkipBootstrapScripts, p.ScaleWithoutStart = new(""), new("false"), new(false)
		}
		return c.UpdateClusterScaling(&m1.UpdateClusterScalingRequest{ClusterId: cloudsim.DemoMRSCluster, Body: body})
	}
	out, in := m1.GetClusterScalingParamsScaleTypeEnum().SCALE_OUT, m1.GetClusterScalingParamsScaleTypeEnum().SCALE_IN
	res, err := scale(m1.ClusterScalingParams{ScaleType: out, NodeGroup: new(taskGroup), Instances: 2}, true)
	require.NoError(t, err)
	require.Equal(t, "succeeded", *res.Result)
	require.Equal(t, "running", *show().ClusterState)
	_, err = scale(m1.ClusterScalingParams{ScaleType: out, NodeGroup: new(taskGroup), Instances: 2}, true)
	require.Equal(t, "12000018", refusal(t, err).ErrorCode)
	// Signatures go by the clock, not by Advance: the SDK can't advance its own.
	sim.Advance(time.Minute)
	require.Equal(t, []string{"scaling-out", "Creating VM"}, []string{*show().ClusterState, *show().StageDesc})
	sim.Advance(time.Hour)
	after := hosts()
	require.Len(t, after, 9)
	require.Contains(t, *after[8].Name, "node_orderadd")

	_, err = scale(m1.ClusterScalingParams{ScaleType: in, NodeGroup: new(taskGroup), Instances: 2, ServerIds: &[]string{*after[7].Id, *after[8].Id}}, false)
	require.NoError(t, err)
	sim.Advance(time.Hour)
	require.Equal(t, after[:7], hosts())
	_, err = scale(m1.ClusterScalingParams{ScaleType: in, NodeGroup: new(taskGroup), Instances: 2}, false)
	require.NoError(t, err)
	sim.Advance(time.Hour)
	info := &m1.TaskNodeInfo{
		NodeSize: "s3.xlarge.2.linux.bigdata", DataVolumeType: m1.GetTaskNodeInfoDataVolumeTypeEnum().SATA, DataVolumeCount: 2, DataVolumeSize: 200,
	}
	_, err = scale(m1.ClusterScalingParams{ScaleType: out, NodeGroup: new(taskGroup), Instances: 1, TaskNodeInfo: info}, false)
	require.NoError(t, err)
	sim.Advance(time.Hour)
	require.Equal(t, "s3.xlarge.2.linux.bigdata", *(*show().TaskNodeGroups)[0].NodeSize)
	_, err = scale(m1.ClusterScalingParams{ScaleType: out, NodeGroup: new(taskGroup), Instances: 1, TaskNodeInfo: info}, false)
	require.Equal(t, "12000123", refusal(t, err).ErrorCode)

	set(t, sim, cloudsim.Fault{Kind: cloudsim.Throttled})
	_, err = c.ListHosts(&m1.ListHostsRequest{ClusterId: cloudsim.DemoMRSCluster})
	require.Equal(t, []any{429, "APIGW.0308"}, []any{refusal(t, err).StatusCode, refusal(t, err).ErrorCode})
}

func TestHuaweiSDKv2(t *testing.T) {
	sim := run(t, onRealClock(func(w *cloudsim.HuaweiWorld) {
		w.Clusters[0].Prepaid, w.Clusters[0].Groups[2].Metered = true, true
	}))
	c := mrs2.NewMrsClient(hwSDK(t, mrs2.MrsClientBuilder(), projectKey(t, cloudsim.DemoSK, cloudsim.DemoProjectID), endpoint(sim)))
	expand := func(group string) *m2.ExpandClusterResponse {
		t.Helper()
		res, err := c.ExpandCluster(&m2.ExpandClusterRequest{ClusterId: cloudsim.DemoMRSCluster, Body: &m2.ExpandParam{
			NodeGroupName: group, Count: 2, SkipBootstrapScripts: new(true), ScaleWithoutStart: new(false),
		}})
		require.NoError(t, err)
		return res
	}
	require.Equal(t, "success", *expand(taskGroup).Result)
	sim.Advance(time.Hour)
	nodes, err := c.ListNodes(&m2.ListNodesRequest{
		ClusterId: cloudsim.DemoMRSCluster, Limit: new(int32(100)), Offset: new(int32(1)), NodeGroup: new(taskGroup),
		SortKey: new(m2.GetListNodesRequestSortKeyEnum().NODE_NAME), SortDir: new(m2.GetListNodesRequestSortDirEnum().ASC), QueryNodeDetail: new(false),
	})
	require.NoError(t, err)
	require.EqualValues(t, 4, *nodes.NodeTotal)
	n := (*nodes.Nodes)[0]
	require.Equal(t, []string{"on-quantity", "started", "ECS"}, []string{*n.BillingType, *n.NodeStatus, n.ServerInfo.ServerType})
	require.NotEqual(t, *n.ResourceId, n.ServerInfo.ServerId)

	shrunk, err := c.ShrinkCluster(&m2.ShrinkClusterRequest{ClusterId: cloudsim.DemoMRSCluster, Body: &m2.ShrinkParam{NodeGroupName: taskGroup, Count: new(int32(1))}})
	require.NoError(t, err)
	require.Equal(t, "succeeded", *shrunk.Result)
	sim.Advance(time.Hour)
	order := expand(coreGroup)
	require.Nil(t, order.Result)
	require.NoError(t, sim.Pay(*order.OrderId))
}

func TestHuaweiSDKPrices(t *testing.T) {
	sim := run(t, onRealClock(nil))
	hour := bssmodel.DemandProductInfo{
		Id: "1", CloudServiceType: "hws.service.type.ec2", ResourceType: "hws.resource.type.vm", ResourceSpec: "c6.4xlarge.4.linux", Region: "cn-north-4",
		UsageFactor: "Duration", UsageValue: new(decimal.NewFromInt(1)), UsageMeasureId: 4, SubscriptionNum: 2,
	}
	ask := func(domain string) (*bssmodel.ListOnDemandResourceRatingsResponse, error) {
		c := bss.NewBssClient(hwSDK(t, bss.BssClientBuilder(), accountKey(t, domain), endpoint(sim)))
		return c.ListOnDemandResourceRatings(&bssmodel.ListOnDemandResourceRatingsRequest{Body: &bssmodel.RateOnDemandReq{
			ProjectId: cloudsim.DemoProjectID, ProductInfos: []bssmodel.DemandProductInfo{hour},
		}})
	}
	res, err := ask(cloudsim.DemoDomainID)
	require.NoError(t, err)
	require.Equal(t, []string{"7.956", "8.84", "0.884", "CNY"}, []string{res.Amount.String(), res.OfficialWebsiteAmount.String(), res.DiscountAmount.String(), *res.Currency})
	require.Equal(t, "7.956", (*res.ProductRatingResults)[0].Amount.String())
	// The SDK sends no X-Domain-Id when it wasn't given one, and says nothing.
	_, err = ask("")
	require.Equal(t, []any{403, "CBC.0151"}, []any{refusal(t, err).StatusCode, refusal(t, err).ErrorCode})

	c := bss.NewBssClient(hwSDK(t, bss.BssClientBuilder(), accountKey(t, cloudsim.DemoDomainID), endpoint(sim)))
	period, err := c.ListRateOnPeriodDetail(&bssmodel.ListRateOnPeriodDetailRequest{Body: &bssmodel.RateOnPeriodReq{
		ProjectId: cloudsim.DemoProjectID, ProductInfos: []bssmodel.PeriodProductInfo{{
			Id: "1", CloudServiceType: "hws.service.type.ebs", ResourceType: "hws.resource.type.volume", ResourceSpec: "SAS", Region: "cn-north-4",
			ResourceSize: new(int32(600)), SizeMeasureId: new(int32(17)), PeriodType: 2, PeriodNum: 3, SubscriptionNum: 1,
		}},
	}})
	require.NoError(t, err)
	require.Equal(t, "630", period.OfficialWebsiteRatingResult.OfficialWebsiteAmount.String())
	best := (*period.OptionalDiscountRatingResults)[1]
	require.EqualValues(t, 1, *best.BestOffer)
	require.Equal(t, "567", best.Amount.String())

	intl := bssintl.NewBssintlClient(hwSDK(t, bssintl.BssintlClientBuilder(), accountKey(t, cloudsim.DemoDomainID), endpoint(sim)))
	abroad, err := intl.ListOnDemandResourceRatings(&bssintlmodel.ListOnDemandResourceRatingsRequest{Body: &bssintlmodel.RateOnDemandReq{
		ProjectId: cloudsim.DemoProjectID, ProductInfos: []bssintlmodel.DemandProductInfo{{
			Id: "1", CloudServiceType: hour.CloudServiceType, ResourceType: hour.ResourceType, ResourceSpec: hour.ResourceSpec, Region: hour.Region,
			UsageFactor: "Duration", UsageValue: new(decimal.NewFromInt(1)), UsageMeasureId: 4, SubscriptionNum: 1,
		}},
	}})
	require.NoError(t, err)
	require.Equal(t, "3.978", abroad.Amount.String())
}

// With a region and nothing else the SDK asks IAM who the caller is. It keeps the
// answer by access key for the life of the process, so each run has its own key.
func TestHuaweiSDKAsksIAM(t *testing.T) {
	ak := fmt.Sprint("HWAK", time.Now().UnixNano())
	sim := run(t, onRealClock(func(w *cloudsim.HuaweiWorld) { w.Accounts[0].AK = ak }))
	here := func(b *core.HcHttpClientBuilder) { b.WithRegion(region.NewRegion("cn-north-4", sim.URL())) }
	key, err := basic.NewCredentialsBuilder().WithAk(ak).WithSk(cloudsim.DemoSK).WithIamEndpointOverride(sim.URL()).SafeBuild()
	require.NoError(t, err)
	c := mrs1.NewMrsClient(hwSDK(t, mrs1.MrsClientBuilder(), key, here))
	res, err := c.ShowClusterDetails(&m1.ShowClusterDetailsRequest{ClusterId: cloudsim.DemoMRSCluster})
	require.NoError(t, err)
	require.Equal(t, "analytics", *res.Cluster.ClusterName)

	account, err := global.NewCredentialsBuilder().WithAk(ak).WithSk(cloudsim.DemoSK).WithIamEndpointOverride(sim.URL()).SafeBuild()
	require.NoError(t, err)
	b := bss.NewBssClient(hwSDK(t, bss.BssClientBuilder(), account, here))
	_, err = b.ListOnDemandResourceRatings(&bssmodel.ListOnDemandResourceRatingsRequest{Body: &bssmodel.RateOnDemandReq{ProjectId: cloudsim.DemoProjectID}})
	require.Equal(t, "CBC.0100", refusal(t, err).ErrorCode, "the account is right, the empty question is not")
	var asked []string
	for _, r := range sim.Requests() {
		asked = append(asked, r.Action)
	}
	require.Equal(t, []string{"KeystoneListProjects", "ShowClusterDetails", "KeystoneListAuthDomains", "ListOnDemandResourceRatings"}, asked)
}

// Answers of other editions break the SDK's own types, and a 200 that can't be
// read is an error with status 200. The Sim must show these traps, not hide them.
func TestHuaweiSDKTraps(t *testing.T) {
	sim := run(t, onRealClock(func(w *cloudsim.HuaweiWorld) {
		w.Edition = cloudsim.HuaweiEdition{TextTotals: true, CamelErrors: true}
	}))
	c := mrs1.NewMrsClient(hwSDK(t, mrs1.MrsClientBuilder(), projectKey(t, cloudsim.DemoSK, cloudsim.DemoProjectID), endpoint(sim)))
	_, err := c.ListHosts(&m1.ListHostsRequest{ClusterId: cloudsim.DemoMRSCluster})
	var se *sdkerr.ServiceResponseError
	require.ErrorAs(t, err, &se)
	require.Equal(t, http.StatusOK, se.StatusCode)
	_, err = c.ShowClusterDetails(&m1.ShowClusterDetailsRequest{ClusterId: "none"})
	require.ErrorAs(t, err, &se)
	require.Empty(t, se.ErrorCode, "the SDK doesn't take this form apart")
	require.Contains(t, se.ErrorMessage, `"errorCode":"12000003"`)

	body := &m1.ClusterScalingReq{Parameters: &m1.ClusterScalingParams{
		ScaleType: m1.GetClusterScalingParamsScaleTypeEnum().SCALE_OUT, NodeId: "node_orderadd", NodeGroup: new(taskGroup), Instances: 1,
	}}
	set(t, sim, cloudsim.Fault{Kind: cloudsim.Garbage, Action: "UpdateClusterScaling"})
	_, err = c.UpdateClusterScaling(&m1.UpdateClusterScalingRequest{ClusterId: cloudsim.DemoMRSCluster, Body: body})
	require.ErrorAs(t, err, &se)
	require.Equal(t, http.StatusOK, se.StatusCode)
	require.Equal(t, 1, accepted(sim), "and yet it was done")
}
