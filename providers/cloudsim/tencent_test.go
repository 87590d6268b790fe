package cloudsim_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// The vendor's own example on its "Signature v3" page: the hand-made signer of
// these tests must give that signature, or it proves nothing about the Sim.
func TestSignerAgainstTheVendorsExample(t *testing.T) {
	got := sign("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "cvm",
		"cvm.tencentcloudapi.com", "application/json; charset=utf-8",
		`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`, time.Unix(1551113065, 0))
	require.Equal(t, "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168", got)
}

func TestFront(t *testing.T) {
	const read = `{"DisplayStrategy":"clusterList"}`
	tests := map[string]struct {
		bend   func(*client)
		action string
		want   string
	}{
		"all well":                        {},
		"unknown key":                     {bend: func(c *client) { c.id = "AKIDnobody" }, want: "AuthFailure.SecretIdNotFound"},
		"wrong key":                       {bend: func(c *client) { c.key = "other" }, want: "AuthFailure.SignatureFailure"},
		"token with a permanent key":      {bend: func(c *client) { c.token = "t" }, want: "AuthFailure.TokenFailure"},
		"clock 5 min behind":              {bend: func(c *client) { c.at = epoch.Add(-5 * time.Minute) }},
		"clock over 5 min behind":         {bend: func(c *client) { c.at = epoch.Add(-301 * time.Second) }, want: "AuthFailure.SignatureExpire"},
		"clock over 5 min ahead":          {bend: func(c *client) { c.at = epoch.Add(301 * time.Second) }, want: "AuthFailure.SignatureExpire"},
		"timestamp changed after signing": {bend: func(c *client) { c.header["X-TC-Timestamp"] = fmt.Sprint(epoch.Unix() + 1) }, want: "AuthFailure.SignatureFailure"},
		"no signature":                    {bend: func(c *client) { c.header["Authorization"] = "" }, want: "AuthFailure.InvalidAuthorization"},
		"other scheme":                    {bend: func(c *client) { c.header["Authorization"] = "Bearer x" }, want: "AuthFailure.InvalidAuthorization"},
		"other service": {bend: func(c *client) {
			c.header["Authorization"] = sign(c.id, c.key, "cvm", "x", "application/json", read, c.at)
		}, want: "AuthFailure.InvalidAuthorization"},
		"signed for another host": {bend: func(c *client) {
			c.header["Authorization"] = sign(c.id, c.key, "emr", "proxy.example", "application/json", read, c.at)
		}, want: "AuthFailure.SignatureFailure"},
		"body changed on the way": {bend: func(c *client) {
			c.header["Authorization"] = sign(c.id, c.key, "emr", strings.TrimPrefix(c.url, "http://"), "application/json", read+" ", c.at)
		}, want: "AuthFailure.SignatureFailure"},
		"scope of another day": {bend: func(c *client) {
			c.header["Authorization"] = signOn("2026-11-23", c.id, c.key, "emr", strings.TrimPrefix(c.url, "http://"), "application/json", read, c.at)
		}, want: "AuthFailure.SignatureFailure"},
		"no timestamp":   {bend: func(c *client) { c.header["X-TC-Timestamp"] = "" }, want: "MissingParameter"},
		"no action":      {bend: func(c *client) { c.header["X-TC-Action"] = "" }, want: "MissingParameter"},
		"no version":     {bend: func(c *client) { c.header["X-TC-Version"] = "" }, want: "MissingParameter"},
		"other version":  {bend: func(c *client) { c.header["X-TC-Version"] = "2017-03-12" }, want: "NoSuchVersion"},
		"no region":      {bend: func(c *client) { c.header["X-TC-Region"] = "" }, want: "MissingParameter"},
		"unknown region": {bend: func(c *client) { c.region = "ap-atlantis" }, want: "UnsupportedRegion"},
		"form body":      {bend: func(c *client) { c.header["Content-Type"] = "application/x-www-form-urlencoded" }, want: "InvalidRequest"},
		"unknown action": {action: "TerminateInstance", want: "InvalidAction"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, run(t, nil))
			if tt.bend != nil {
				tt.bend(c)
			}
			if tt.action == "" {
				tt.action = "DescribeInstances"
			}
			require.Equal(t, tt.want, c.call(tt.action, read).code())
		})
	}
}

func TestTemporaryKeyAndDeniedAction(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) {
		o.World.Tencent.Accounts = append(o.World.Tencent.Accounts, cloudsim.TencentAccount{
			Name: "data-gz", SecretID: "AKIDtmp", SecretKey: "k", Token: "session", Denied: []string{"ScaleOutCluster"},
		})
	})
	c := newClient(t, sim)
	c.id, c.key = "AKIDtmp", "k"
	require.Equal(t, "AuthFailure.TokenFailure", c.call("DescribeInstances", `{"DisplayStrategy":"clusterList"}`).code())
	c.token = "session"
	require.Len(t, c.must("DescribeInstances", `{"DisplayStrategy":"clusterList"}`).list("ClusterList"), 1, "two keys of one owner see the same clusters")
	require.Equal(t, "UnauthorizedOperation", c.call("ScaleOutCluster", hourly(1, "")).code())
	require.Zero(t, accepted(sim))
}

func TestForeignRequestsGetNotFound(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	res, err := c.http.Get(sim.URL() + "/clusters/c1")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode)
	require.Empty(t, sim.Requests())
}

func TestRefusals(t *testing.T) {
	base := func(charge, node, extra string) string {
		if extra != "" {
			extra = "," + extra
		}
		return `{"InstanceChargeType":"` + charge + `","InstanceId":"emr-m620","ScaleOutNodeConfig":` + node + extra + `}`
	}
	const (
		task = `{"NodeFlag":"TASK","NodeCount":1}`
		core = `{"NodeFlag":"CORE","NodeCount":1}`
		hour = "POSTPAID_BY_HOUR"
	)
	price := func(unit string, span, mode int, rest string) string {
		return fmt.Sprintf(`{"TimeUnit":%q,"TimeSpan":%d,"PayMode":%d,"InstanceId":"emr-m620",%s}`, unit, span, mode, rest)
	}
	const counts = `"ZoneId":100003,"CoreCount":0,"TaskCount":2,"Currency":"CNY"`
	tests := []struct{ name, action, body, want string }{
		{"not JSON", "ScaleOutCluster", `{`, "InvalidParameter"},
		{"two values", "ScaleOutCluster", `{} {}`, "InvalidParameter"},
		{"unknown field", "ScaleOutCluster", base(hour, task, `"Foo":1`), "UnknownParameter"},
		{"unknown nested field", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK","NodeCount":1,"x":1}`, ""), "UnknownParameter"},
		{"field in another case", "ScaleOutCluster", base(hour, task, `"yarnNodeLabel":"a"`), "UnknownParameter"},
		{"number as text", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK","NodeCount":"1"}`, ""), "InvalidParameter"},
		{"fraction", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK","NodeCount":1.5}`, ""), "InvalidParameter"},
		{"negative count", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK","NodeCount":-2}`, ""), "InvalidParameter"},
		{"wrapped negative count", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK","NodeCount":18446744073709551614}`, ""), "InvalidParameter.InvalidNodeCount"},
		{"bool as text", "ScaleOutCluster", base(hour, task, `"EnableStartServiceFlag":"true"`), "InvalidParameter"},
		{"null", "ScaleOutCluster", base(hour, task, `"YarnNodeLabel":null`), "InvalidParameter"},
		{"list of texts for numbers", "ScaleOutCluster", base(hour, task, `"SoftDeployInfo":["1"]`), "InvalidParameter"},
		{"no charge type", "ScaleOutCluster", `{"InstanceId":"emr-m620","ScaleOutNodeConfig":` + task + `}`, "MissingParameter"},
		{"no count", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK"}`, ""), "MissingParameter"},
		{"unknown cluster", "ScaleOutCluster", strings.Replace(base(hour, task, ""), "emr-m620", "emr-none", 1), "ResourceNotFound.InstanceNotFound"},
		{"lower-case group", "ScaleOutCluster", base(hour, `{"NodeFlag":"task","NodeCount":1}`, ""), "InvalidParameter.InvalidNodeFlag"},
		{"common group", "ScaleOutCluster", base(hour, `{"NodeFlag":"COMMON","NodeCount":1}`, ""), "InvalidParameter.InvalidNodeFlag"},
		{"master of an ordinary product", "ScaleOutCluster", base(hour, `{"NodeFlag":"MASTER","NodeCount":1}`, ""), "InvalidParameter.InvalidNodeFlag"},
		{"group the cluster lacks", "ScaleOutCluster", base(hour, `{"NodeFlag":"ROUTER","NodeCount":1}`, ""), "InvalidParameter.InvalidNodeFlag"},
		{"zero nodes", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK","NodeCount":0}`, ""), "InvalidParameter.InvalidNodeCount"},
		{"over the quota", "ScaleOutCluster", base(hour, `{"NodeFlag":"TASK","NodeCount":490}`, ""), "LimitExceeded"},
		{"unknown charge type", "ScaleOutCluster", base("postpaid", task, ""), "InvalidParameter.InvalidInstanceChargeType"},
		{"spot core", "ScaleOutCluster", base("SPOTPAID", core, ""), "InvalidParameter.InvalidInstanceChargeType"},
		{"prepaid without a term", "ScaleOutCluster", base("PREPAID", task, ""), "MissingParameter"},
		{"prepaid 13 months", "ScaleOutCluster", base("PREPAID", task, `"InstanceChargePrepaid":{"Period":13}`), "InvalidParameter"},
		{"prepaid 0 months", "ScaleOutCluster", base("PREPAID", task, `"InstanceChargePrepaid":{"Period":0}`), "InvalidParameter"},
		{"term with hourly", "ScaleOutCluster", base(hour, task, `"InstanceChargePrepaid":{"Period":1}`), "InvalidParameter.PayModeResourceNotMatch"},
		{"service id 0", "ScaleOutCluster", base(hour, task, `"SoftDeployInfo":[0]`), "InvalidParameter.InvalidSoftDeployInfo"},
		{"process id 0", "ScaleOutCluster", base(hour, task, `"ServiceNodeInfo":[0]`), "InvalidParameter"},
		{"script at no moment", "ScaleOutCluster", base(hour, task, `"ScriptBootstrapActionConfig":[{"CosFileURI":"cos://x","ExecutionMoment":"later"}]`), "InvalidParameter"},
		{"two placement groups", "ScaleOutCluster", base(hour, task, `"DisasterRecoverGroupIds":["a","b"]`), "InvalidParameter"},
		{"zone elsewhere", "ScaleOutCluster", base(hour, task, `"Zone":"ap-singapore-1"`), "InvalidParameter"},
		{"tag without a key", "ScaleOutCluster", base(hour, task, `"Tags":[{"TagKey":"","TagValue":"v"}]`), "InvalidParameter"},
		{"unknown hardware", "ScaleOutCluster", base(hour, task, `"HardwareSourceType":"vm"`), "InvalidParameter"},
		{"pod without its spec", "ScaleOutCluster", base(hour, task, `"HardwareSourceType":"POD"`), "InvalidParameter"},
		{"pod spec for a host", "ScaleOutCluster", base(hour, task, `"PodSpecInfo":{}`), "InvalidParameter"},
		{"ClickHouse fields elsewhere", "ScaleOutCluster", base(hour, task, `"ClickHouseClusterType":"old"`), "InvalidParameter"},
		{"unknown machine", "ScaleOutCluster", base(hour, task, `"ResourceSpec":{"InstanceType":"S9.HUGE"}`), "InvalidParameter.InvalidInstanceType"},
		{"two system disks", "ScaleOutCluster", base(hour, task, `"ResourceSpec":{"SystemDisk":[{"Count":1,"DiskType":"CLOUD_SSD","DiskSize":50},{"Count":1,"DiskType":"CLOUD_SSD","DiskSize":50}]}`), "InvalidParameter"},
		{"16 data disks", "ScaleOutCluster", base(hour, task, `"ResourceSpec":{"DataDisk":[{"Count":16,"DiskType":"CLOUD_SSD","DiskSize":50}]}`), "InvalidParameter"},
		{"unknown disk", "ScaleOutCluster", base(hour, task, `"ResourceSpec":{"DataDisk":[{"Count":1,"DiskType":"FLOPPY","DiskSize":50}]}`), "InvalidParameter"},
		{"disk of no size", "ScaleOutCluster", base(hour, task, `"ResourceSpec":{"DataDisk":[{"Count":1,"DiskType":"CLOUD_SSD","DiskSize":0}]}`), "InvalidParameter"},

		{"remove none", "TerminateClusterNodes", `{"InstanceId":"emr-m620","CvmInstanceIds":[],"NodeFlag":"TASK"}`, "InvalidParameter.InvalidResourceIds"},
		{"remove unknown", "TerminateClusterNodes", `{"InstanceId":"emr-m620","CvmInstanceIds":["ins-none"],"NodeFlag":"TASK"}`, "ResourceNotFound.CvmInstanceNotFound"},
		{"remove of no group", "TerminateClusterNodes", `{"InstanceId":"emr-m620","CvmInstanceIds":["ins-none"]}`, "MissingParameter"},
		{"remove masters", "TerminateClusterNodes", `{"InstanceId":"emr-m620","CvmInstanceIds":["ins-none"],"NodeFlag":"MASTER"}`, "InvalidParameter.InvalidNodeFlag"},
		{"grace too short", "TerminateClusterNodes", `{"InstanceId":"emr-m620","CvmInstanceIds":["ins-none"],"NodeFlag":"TASK","GraceDownFlag":true,"GraceDownTime":0}`, "InvalidParameter"},
		{"remove unknown task", "TerminateTasks", `{"InstanceId":"emr-m620","ResourceIds":["emr-vm-none"]}`, "InvalidParameter.InvalidResourceIds"},

		{"no strategy", "DescribeInstances", `{}`, "MissingParameter"},
		{"unknown strategy", "DescribeInstances", `{"DisplayStrategy":"all"}`, "InvalidParameter"},
		{"limit over 100", "DescribeInstances", `{"DisplayStrategy":"clusterList","Limit":101}`, "InvalidParameter"},
		{"unknown filter", "DescribeInstancesList", `{"DisplayStrategy":"clusterList","Filters":[{"Name":"Id","Values":["x"]}]}`, "InvalidParameter"},
		{"node flag upper case", "DescribeClusterNodes", `{"InstanceId":"emr-m620","NodeFlag":"TASK"}`, "InvalidParameter.InvalidNodeFlag"},
		{"node limit over 100", "DescribeClusterNodes", `{"InstanceId":"emr-m620","NodeFlag":"all","Limit":200}`, "InvalidParameter"},
		{"unknown flow", "DescribeClusterFlowStatusDetail", `{"InstanceId":"emr-m620","FlowParam":{"FKey":"FlowId","FValue":"1"}}`, "ResourceNotFound"},
		{"flow id as a number", "DescribeClusterFlowStatusDetail", `{"InstanceId":"emr-m620","FlowParam":{"FKey":"FlowId","FValue":1}}`, "InvalidParameter"},
		{"flow by what", "DescribeClusterFlowStatusDetail", `{"InstanceId":"emr-m620","FlowParam":{"FKey":"Id","FValue":"1"}}`, "InvalidParameter"},
		{"quota of unknown", "DescribeCvmQuota", `{"ClusterId":"emr-none"}`, "ResourceNotFound.ClusterNotFound"},
		{"quota by the wrong field", "DescribeCvmQuota", `{"InstanceId":"emr-m620"}`, "UnknownParameter"},
		{"specs of masters", "DescribeNodeResourceConfigFast", `{"InstanceId":"emr-m620","ResourceType":"MASTER","PayMode":0}`, "InvalidParameter"},

		{"hourly by month", "InquiryPriceScaleOutInstance", price("m", 3600, 0, counts), "InvalidParameter.InvalidTimeUnit"},
		{"hourly for two hours", "InquiryPriceScaleOutInstance", price("s", 7200, 0, counts), "InvalidParameter.InvalidTimeSpan"},
		{"prepaid by second", "InquiryPriceScaleOutInstance", price("s", 1, 1, counts), "InvalidParameter.InvalidTimeUnit"},
		{"prepaid 13 months price", "InquiryPriceScaleOutInstance", price("m", 13, 1, counts), "InvalidParameter.InvalidTimeSpan"},
		{"pay mode 2", "InquiryPriceScaleOutInstance", price("s", 3600, 2, counts), "InvalidParameter.InvalidPaymode"},
		{"dollars", "InquiryPriceScaleOutInstance", price("s", 3600, 0, `"ZoneId":100003,"CoreCount":0,"TaskCount":2,"Currency":"USD"`), "InvalidParameter"},
		{"other zone", "InquiryPriceScaleOutInstance", price("s", 3600, 0, `"ZoneId":900001,"CoreCount":0,"TaskCount":2,"Currency":"CNY"`), "InvalidParameter"},
		{"price of nothing", "InquiryPriceScaleOutInstance", price("s", 3600, 0, `"ZoneId":100003,"CoreCount":0,"TaskCount":0,"Currency":"CNY"`), "InvalidParameter.InvalidCount"},
		{"one count only", "InquiryPriceScaleOutInstance", price("s", 3600, 0, `"ZoneId":100003,"TaskCount":2,"Currency":"CNY"`), "MissingParameter"},
	}
	sim := run(t, func(o *cloudsim.Options) { o.Rate = -1 })
	c := newClient(t, sim)
	for _, tt := range tests {
		c.t = t
		a := c.call(tt.action, tt.body)
		require.Equal(t, tt.want, a.code(), "%s: %v", tt.name, a)
	}
	require.Zero(t, accepted(sim), "nothing of this was ordered")
	require.Equal(t, 2, c.status())
}

// The document's example is taken field by field; its PREPAID lacks the block
// that its own parameter table requires, so that is added.
func TestDocumentExample(t *testing.T) {
	body, err := os.ReadFile("testdata/ScaleOutCluster.json")
	require.NoError(t, err)
	sim := run(t, nil)
	c := newClient(t, sim)
	require.Equal(t, "MissingParameter", c.call("ScaleOutCluster", string(body)).code())

	full := strings.Replace(string(body), `"InstanceId"`, `"InstanceChargePrepaid":{"Period":1,"RenewFlag":true},"InstanceId"`, 1)
	a := c.must("ScaleOutCluster", full)
	require.EqualValues(t, 19239, a["FlowId"])
	require.Equal(t, "emr-m620", a["InstanceId"])
	require.Empty(t, a["ClientToken"])
	require.Regexp(t, `^\d+-[0-9a-f]{8}$`, a["TraceId"])
	sim.Advance(7 * time.Minute)
	got := c.nodes("task")[3]
	require.Equal(t, "MA5.8XLARGE256", got["Spec"])
	require.EqualValues(t, 1, got["ChargeType"])
	require.EqualValues(t, 1, got["IsAutoRenew"])
	require.Equal(t, "2026-12-24 09:00:00", got["ExpireTime"], "a month on, in Beijing time")
	require.Equal(t, "2026-11-24 09:04:50", got["ApplyTime"], "when it joined, not when somebody looked")
}

func TestScaleOutRoad(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	before := c.nodes("task")
	require.Len(t, before, 3)
	a := c.must("ScaleOutCluster", hourly(2, `"Tags":[{"TagKey":"k","TagValue":"v"}]`))
	id := a["FlowId"]
	require.Equal(t, 4, c.status())
	require.Equal(t, "ResourceInUse.InstanceInProcess", c.call("ScaleOutCluster", hourly(1, "")).code())
	require.Equal(t, "ResourceInUse.InstanceInProcess", c.call("TerminateTasks",
		fmt.Sprintf(`{"InstanceId":"emr-m620","ResourceIds":[%q]}`, before[0]["EmrResourceId"])).code())

	f := c.flow(id)
	require.EqualValues(t, 0, f["FlowTotalStatus"])
	var names []string
	for _, s := range f.list("StageDetails") {
		names = append(names, s["Name"].(string))
		require.EqualValues(t, 0, s["Status"])
	}
	require.Equal(t, []string{"申请资源", "初始化节点", "安装服务组件", "下发配置", "节点加入集群", "启动服务"}, names)

	// Half-way through the first stage.
	sim.Advance(45 * time.Second)
	f = c.flow(id)
	require.EqualValues(t, 1, f["FlowTotalStatus"])
	require.InDelta(t, 0.12, f["FlowTotalProgress"], 0.001)
	st := f.list("StageDetails")
	require.EqualValues(t, 1, st[0]["Status"])
	require.InDelta(t, 0.5, st[0]["Progress"], 0.001)
	require.Equal(t, "2026-11-24 09:00:00", st[0]["Starttime"])
	require.Empty(t, st[0]["Endtime"])

	// 290 s: half-way through joining, so one of two is there.
	sim.Advance(245 * time.Second)
	require.Len(t, c.nodes("task"), 4)
	require.Equal(t, "stopped", c.nodes("task")[3]["ServicesStatus"], "joined, services not up yet")
	require.Equal(t, 4, c.status())

	byTrace := c.must("DescribeClusterFlowStatusDetail", fmt.Sprintf(`{"InstanceId":"emr-m620","FlowParam":{"FKey":"TraceId","FValue":%q}}`, a["TraceId"]))
	require.Equal(t, c.flow(id)["FlowTotalProgress"], byTrace["FlowTotalProgress"])

	sim.Advance(82 * time.Second) // 372 s = 6 min 12 s
	f = c.flow(id)
	require.EqualValues(t, 2, f["FlowTotalStatus"])
	require.EqualValues(t, 1, f["FlowTotalProgress"])
	for _, s := range f.list("StageDetails") {
		require.EqualValues(t, 2, s["Status"], s["Name"])
	}
	require.Equal(t, 2, c.status())
	after := c.nodes("task")
	require.Len(t, after, 5)
	require.Equal(t, before, zeroTime(after[:3], before))
	for _, n := range after[3:] {
		require.Regexp(t, `^ins-[0-9a-f]{8}$`, n["OrderNo"])
		require.Regexp(t, `^emr-vm-[0-9a-f]{8}$`, n["EmrResourceId"])
		require.Equal(t, "running", n["ServicesStatus"])
		require.Equal(t, "S5.2XLARGE32", n["Spec"])
		require.EqualValues(t, 3, n["Flag"])
		require.EqualValues(t, 0, n["ChargeType"])
		require.Equal(t, []any{map[string]any{"TagKey": "k", "TagValue": "v"}}, n["Tags"])
	}
	require.Equal(t, "2026-11-24 09:05:20", after[4]["ApplyTime"])
}

// zeroTime gives nodes the CurrentTime of others, the one field that moves.
func zeroTime(nodes, like []answer) []answer {
	for i := range nodes {
		nodes[i]["CurrentTime"] = like[i]["CurrentTime"]
	}
	return nodes
}

func TestServicesStartOnlyWhenAsked(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	a := c.must("ScaleOutCluster", `{"InstanceChargeType":"SPOTPAID","InstanceId":"emr-m620","ScaleOutNodeConfig":{"NodeFlag":"TASK","NodeCount":1}}`)
	sim.Advance(time.Hour)
	require.EqualValues(t, 2, c.flow(a["FlowId"])["FlowTotalStatus"])
	require.Len(t, c.flow(a["FlowId"]).list("StageDetails"), 5, "no stage that starts services")
	require.Equal(t, "stopped", c.nodes("task")[3]["ServicesStatus"])
}

func TestClientToken(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	first := c.must("ScaleOutCluster", hourly(2, `"ClientToken":"tok"`))
	again := c.must("ScaleOutCluster", hourly(2, `"ClientToken":"tok"`))
	require.Equal(t, first["FlowId"], again["FlowId"])
	require.Equal(t, first["TraceId"], again["TraceId"])
	require.NotEqual(t, first["RequestId"], again["RequestId"])
	require.Equal(t, "InvalidParameter.InvalidClientToken", c.call("ScaleOutCluster", hourly(3, `"ClientToken":"tok"`)).code())
	require.Equal(t, 1, accepted(sim))

	// Just inside five minutes, while the operation still runs and after it.
	sim.Advance(5*time.Minute - time.Second)
	require.Equal(t, first["FlowId"], c.must("ScaleOutCluster", hourly(2, `"ClientToken":"tok"`))["FlowId"])
	sim.Advance(time.Second)
	require.Equal(t, "ResourceInUse.InstanceInProcess", c.call("ScaleOutCluster", hourly(2, `"ClientToken":"tok"`)).code(), "the token no longer protects")
	sim.Advance(5 * time.Minute)
	second := c.must("ScaleOutCluster", hourly(2, `"ClientToken":"tok"`))
	require.NotEqual(t, first["FlowId"], second["FlowId"], "a second order: what a late repeat really does")

	var got []cloudsim.Outcome
	for _, e := range sim.Ledger() {
		got = append(got, e.Outcome)
	}
	require.Equal(t, []cloudsim.Outcome{
		cloudsim.Accepted, cloudsim.Duplicate, cloudsim.Rejected, cloudsim.Duplicate, cloudsim.Rejected, cloudsim.Accepted,
	}, got)
	require.Equal(t, 1, sim.Ledger()[3].DuplicateOf)
	require.Equal(t, "19239", sim.Ledger()[3].Operation)
}

func TestRefusedTokenMayBeUsedAgain(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	_, err := sim.Fault(cloudsim.Fault{Kind: cloudsim.SoldOut})
	require.NoError(t, err)
	require.Equal(t, "ResourceInsufficient.InstanceInsufficient", c.call("ScaleOutCluster", hourly(1, `"ClientToken":"tok"`)).code())
	c.must("ScaleOutCluster", hourly(1, `"ClientToken":"tok"`))
}

func TestScaleIn(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	task, core := c.nodes("task"), c.nodes("core")
	ids := fmt.Sprintf(`%q,%q`, task[0]["OrderNo"], task[2]["OrderNo"])
	require.Equal(t, "InvalidParameter.InvalidResourceIds", c.call("TerminateClusterNodes",
		fmt.Sprintf(`{"InstanceId":"emr-m620","CvmInstanceIds":[%q],"NodeFlag":"TASK"}`, core[0]["OrderNo"])).code(), "a core node is no task node")
	require.Equal(t, "InvalidParameter.InvalidResourceIds", c.call("TerminateClusterNodes",
		fmt.Sprintf(`{"InstanceId":"emr-m620","CvmInstanceIds":[%q,%[1]q],"NodeFlag":"TASK"}`, task[0]["OrderNo"])).code())

	a := c.must("TerminateClusterNodes", `{"InstanceId":"emr-m620","CvmInstanceIds":[`+ids+`],"NodeFlag":"TASK","GraceDownFlag":true,"GraceDownTime":120}`)
	require.Equal(t, 24, c.status())
	require.Equal(t, "ResourceInUse.InstanceInProcess", c.call("ScaleOutCluster", hourly(1, "")).code())
	sim.Advance(139 * time.Second)
	require.Equal(t, 24, c.status(), "still draining for the time asked for")
	sim.Advance(time.Second)
	require.Equal(t, 16, c.status())
	sim.Advance(30 * time.Second)
	require.Len(t, c.nodes("task"), 2)
	sim.Advance(50 * time.Second)
	require.Equal(t, 2, c.status())
	require.EqualValues(t, 2, c.flow(a["FlowId"])["FlowTotalStatus"])
	left := c.nodes("task")
	require.Len(t, left, 1)
	require.Equal(t, task[1]["OrderNo"], left[0]["OrderNo"])

	// TerminateTasks goes by the other id and gives no flow.
	b := c.must("TerminateTasks", fmt.Sprintf(`{"InstanceId":"emr-m620","ResourceIds":[%q]}`, left[0]["EmrResourceId"]))
	require.NotContains(t, b, "FlowId")
	sim.Advance(20 * time.Second)
	require.Equal(t, 16, c.status())
	sim.Advance(time.Hour)
	require.Empty(t, c.nodes("task"))

	c.must("TerminateClusterNodes", fmt.Sprintf(`{"InstanceId":"emr-m620","CvmInstanceIds":[%q],"NodeFlag":"CORE"}`, core[0]["OrderNo"]))
	sim.Advance(20 * time.Second)
	require.Equal(t, 15, c.status())
}

func TestPrices(t *testing.T) {
	c := newClient(t, run(t, nil))
	const head = `{"InstanceId":"emr-m620","ZoneId":100003,"Currency":"CNY","CoreCount":0,"TaskCount":2,`
	a := c.must("InquiryPriceScaleOutInstance", head+`"PayMode":0,"TimeUnit":"s","TimeSpan":3600}`)
	require.Equal(t, "3.36", a["DiscountCost"])
	require.Equal(t, "11.80", a["OriginalCost"])
	require.Equal(t, "s", a["Unit"])
	a = c.must("InquiryPriceScaleOutInstance", head+`"PayMode":1,"TimeUnit":"m","TimeSpan":1}`)
	require.Equal(t, "8412.00", a["DiscountCost"])
	a = c.must("InquiryPriceScaleOutInstance", head+`"PayMode":1,"TimeUnit":"m","TimeSpan":12}`)
	require.Equal(t, "100944.00", a["DiscountCost"])
}

func TestDescribe(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) {
		w := &o.World.Tencent
		w.Accounts = append(w.Accounts, cloudsim.TencentAccount{Name: "other", SecretID: "AKIDother", SecretKey: "k"})
		more := func(id string, f func(*cloudsim.TencentCluster)) {
			c := w.Clusters[0]
			c.ID, c.Name = id, id
			f(&c)
			w.Clusters = append(w.Clusters, c)
		}
		more("emr-proj", func(c *cloudsim.TencentCluster) { c.ProjectID = 7 })
		more("emr-sg", func(c *cloudsim.TencentCluster) {
			c.Region, c.Zone, c.ZoneID = "ap-singapore", "ap-singapore-1", 900001
		})
		more("emr-other", func(c *cloudsim.TencentCluster) { c.Account = "other" })
		more("emr-many", func(c *cloudsim.TencentCluster) {
			c.Groups = []cloudsim.TencentGroup{{Flag: "MASTER", Count: 1, Spec: "S5.4XLARGE64"}, {Flag: "TASK", Count: 150}}
		})
	})
	c := newClient(t, sim)
	ids := func(a answer, field string) []string {
		out := []string{}
		for _, cl := range a.list(field) {
			out = append(out, cl["ClusterId"].(string))
		}
		return out
	}
	get := func(extra string) []string {
		return ids(c.must("DescribeInstances", `{"DisplayStrategy":"clusterList"`+extra+`}`), "ClusterList")
	}
	require.Equal(t, []string{"emr-many", "emr-m620"}, get(""), "the default project only, newest id first")
	require.Equal(t, []string{"emr-proj", "emr-many", "emr-m620"}, get(`,"ProjectId":-1`))
	require.Equal(t, []string{"emr-proj"}, get(`,"ProjectId":7`))
	require.Empty(t, get(`,"ProjectId":-1,"InstanceIds":["emr-sg"]`), "another region")
	require.Empty(t, get(`,"ProjectId":-1,"InstanceIds":["emr-other"]`), "another account")
	for _, hidden := range []string{"emr-sg", "emr-other"} {
		require.Equal(t, "ResourceNotFound.InstanceNotFound", c.call("DescribeClusterNodes", fmt.Sprintf(`{"InstanceId":%q,"NodeFlag":"all"}`, hidden)).code())
		require.Equal(t, "ResourceNotFound.InstanceNotFound", c.call("ScaleOutCluster", strings.Replace(hourly(1, ""), "emr-m620", hidden, 1)).code())
		require.Equal(t, "ResourceNotFound.ClusterNotFound", c.call("DescribeCvmQuota", fmt.Sprintf(`{"ClusterId":%q}`, hidden)).code())
	}
	require.Equal(t, []string{"emr-many"}, get(`,"ProjectId":-1,"Limit":1,"Offset":1`), "Offset counts pages")
	require.Equal(t, []string{"emr-m620"}, get(`,"ProjectId":-1,"Limit":2,"Offset":1`), "Offset counts pages")

	require.Equal(t, []string{"emr-m620", "emr-many", "emr-proj"}, ids(c.must("DescribeInstancesList", `{"DisplayStrategy":"clusterList"}`), "InstancesList"))
	require.Equal(t, []string{"emr-m620"}, ids(c.must("DescribeInstancesList", `{"DisplayStrategy":"monitorManage","Filters":[{"Name":"ClusterName","Values":["data-platform"]},{"Name":"ClusterStatus","Values":["2"]}]}`), "InstancesList"))

	cl := c.must("DescribeInstances", `{"DisplayStrategy":"clusterList","InstanceIds":["emr-m620"]}`).list("ClusterList")[0]
	for _, field := range []string{"Config", "ConfigDetail"} {
		d := answer(cl[field].(map[string]any))
		require.EqualValues(t, 2, d["MasterNodeSize"])
		require.EqualValues(t, 3, d["ComNodeSize"])
		require.EqualValues(t, 3, d["CoreNodeSize"])
		require.EqualValues(t, 3, d["TaskNodeSize"])
		require.EqualValues(t, 0, d["RouterNodeSize"])
	}
	require.EqualValues(t, 100003, cl["ZoneId"])

	nodes := func(extra string) answer {
		return c.must("DescribeClusterNodes", `{"InstanceId":"emr-many","NodeFlag":"task"`+extra+`}`)
	}
	require.Len(t, nodes("").list("NodeList"), 150, "no paging asked for: everything")
	require.Len(t, nodes(`,"Offset":0,"Limit":100`).list("NodeList"), 100)
	p2 := nodes(`,"Offset":1,"Limit":100`)
	require.Len(t, p2.list("NodeList"), 50)
	require.EqualValues(t, 150, p2["TotalCnt"])
	require.Empty(t, nodes(`,"HardwareResourceType":"pod"`).list("NodeList"))
	require.Len(t, c.nodes("all"), 11)
	require.EqualValues(t, 0, c.nodes("common")[0]["Flag"])
	require.EqualValues(t, 0, c.nodes("master")[0]["Destroyable"])
	require.EqualValues(t, 1, c.nodes("core")[0]["Destroyable"])

	// emr-many has no default spec for its task nodes.
	many := strings.Replace(hourly(1, ""), "emr-m620", "emr-many", 1)
	require.Equal(t, "ResourceUnavailable.ResourceSpecNotDefaultSpec", c.call("ScaleOutCluster", many).code())
	require.Equal(t, "ResourceUnavailable.ResourceSpecNotDefaultSpec", c.call("InquiryPriceScaleOutInstance",
		`{"InstanceId":"emr-many","ZoneId":100003,"Currency":"CNY","CoreCount":0,"TaskCount":2,"PayMode":0,"TimeUnit":"s","TimeSpan":3600}`).code())

	specs := c.must("DescribeNodeResourceConfigFast", `{"InstanceId":"emr-m620","ResourceType":"TASK","PayMode":0}`).list("Data")
	require.Len(t, specs, 1)
	rows := specs[0].list("ResourceData")
	require.Equal(t, "DEFAULT", rows[0]["IsDefault"])
	require.Equal(t, "BACKUP", rows[1]["IsDefault"])

	quota := func() (float64, float64) {
		q := c.must("DescribeCvmQuota", `{"ClusterId":"emr-m620"}`).list("PostPaidQuotaSet")[0]
		return q["UsedQuota"].(float64), q["RemainingQuota"].(float64)
	}
	used, left := quota()
	require.EqualValues(t, 500, used+left)
	c.must("ScaleOutCluster", hourly(2, ""))
	now, _ := quota()
	require.EqualValues(t, used+2, now, "ordered machines count at once")
	sim.Advance(290 * time.Second)
	require.Len(t, c.nodes("task"), 4, "one of two has joined")
	now, _ = quota()
	require.EqualValues(t, used+2, now)
	sim.Advance(time.Hour)
	now, _ = quota()
	require.EqualValues(t, used+2, now, "and only once")
}

func TestRateLimit(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	const read = `{"DisplayStrategy":"clusterList"}`
	for range 20 {
		c.must("DescribeInstances", read)
	}
	require.Equal(t, "RequestLimitExceeded", c.call("DescribeInstances", read).code())
	c.must("DescribeInstancesList", read) // each action has its own count
	sim.Advance(999 * time.Millisecond)
	require.Equal(t, "RequestLimitExceeded", c.call("DescribeInstances", read).code())
	sim.Advance(time.Millisecond)
	c.must("DescribeInstances", read)
}

func TestBrokenWorlds(t *testing.T) {
	tests := map[string]func(*cloudsim.Options){
		"no clock":       func(o *cloudsim.Options) { o.Now = nil },
		"negative speed": func(o *cloudsim.Options) { o.Speed = -1 },
		"no accounts":    func(o *cloudsim.Options) { o.World = cloudsim.World{} },
		"no key":         func(o *cloudsim.Options) { o.World.Tencent.Accounts[0].SecretKey = "" },
		"no id":          func(o *cloudsim.Options) { o.World.Tencent.Clusters[0].ID = "" },
		"same twice": func(o *cloudsim.Options) {
			o.World.Tencent.Clusters = append(o.World.Tencent.Clusters, o.World.Tencent.Clusters[0])
		},
		"region":      func(o *cloudsim.Options) { o.World.Tencent.Clusters[0].Region = "moon" },
		"zone":        func(o *cloudsim.Options) { o.World.Tencent.Clusters[0].Zone = "ap-singapore-1" },
		"account":     func(o *cloudsim.Options) { o.World.Tencent.Clusters[0].Account = "who" },
		"group":       func(o *cloudsim.Options) { o.World.Tencent.Clusters[0].Groups[0].Flag = "task" },
		"group twice": func(o *cloudsim.Options) { o.World.Tencent.Clusters[0].Groups[0].Flag = "TASK" },
		"machine":     func(o *cloudsim.Options) { o.World.Tencent.Clusters[0].Groups[0].Spec = "X" },
		"stage":       func(o *cloudsim.Options) { o.Stages = map[string]time.Duration{cloudsim.StageApply: -1} },
	}
	for name, bend := range tests {
		t.Run(name, func(t *testing.T) {
			o := cloudsim.Options{World: cloudsim.Demo(), Now: frozen}
			bend(&o)
			_, err := cloudsim.New(o)
			require.Error(t, err)
		})
	}
}

func TestSpeedAndStages(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) {
		o.Speed = cloudsim.DemoSpeed
		o.Stages = map[string]time.Duration{cloudsim.StageApply: 0}
	})
	c := newClient(t, sim)
	a := c.must("ScaleOutCluster", hourly(2, ""))
	sim.Advance(4500 * time.Millisecond) // 372 s without the 90 s of the first stage, by 62, is 4.548 s
	require.EqualValues(t, 1, c.flow(a["FlowId"])["FlowTotalStatus"])
	sim.Advance(50 * time.Millisecond)
	require.EqualValues(t, 2, c.flow(a["FlowId"])["FlowTotalStatus"])
}
