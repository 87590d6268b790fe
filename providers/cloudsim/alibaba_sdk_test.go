package cloudsim_test

import (
	"encoding/json"
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

// ackConfig points a vendor's client at the Sim. Its proxy rules don't know
// loopback, so the address must be named.
func ackConfig(sim *cloudsim.Sim, secret string) *openapi.Config {
	host := strings.TrimPrefix(sim.URL(), "http://")
	return &openapi.Config{
		AccessKeyId: tea.String(cloudsim.DemoAccessKeyID), AccessKeySecret: tea.String(secret),
		RegionId: tea.String("cn-beijing"), Endpoint: tea.String(host), Protocol: tea.String("HTTP"), NoProxy: tea.String(host),
		ReadTimeout: tea.Int(20_000),
	}
}

func ackSDK(t *testing.T, sim *cloudsim.Sim, secret string) *cs.Client {
	c, err := cs.NewClient(ackConfig(sim, secret))
	require.NoError(t, err)
	return c
}

// sdkCode is the code of an error of the vendor's client.
func sdkCode(t *testing.T, err error) string {
	t.Helper()
	var se *tea.SDKError
	require.ErrorAs(t, err, &se)
	return tea.StringValue(se.Code)
}

func TestProbe(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) { o.Now = time.Now })
	c := ackSDK(t, sim, cloudsim.DemoAccessKeySecret)
	res, err := c.DescribeClusterDetail(tea.String("c82e6987e2961451182edacd74faf0000"))
	require.NoError(t, err)
	b, _ := json.Marshal(res.Body)
	t.Log(string(b))
	rm, err := c.RemoveNodePoolNodes(tea.String("c82e6987e2961451182edacd74faf0000"), tea.String("np0123456789"), &cs.RemoveNodePoolNodesRequest{InstanceIds: []*string{tea.String("i-1")}, DrainNode: tea.Bool(true)})
	t.Log(rm, err)
	cfg := ackConfig(sim, cloudsim.DemoAccessKeySecret)
	g, err := openapi.NewClient(cfg)
	require.NoError(t, err)
	out, err := g.CallApi(&openapi.Params{Action: tea.String("DescribePrice"), Version: tea.String("2014-05-26"), Protocol: tea.String("HTTPS"), Pathname: tea.String("/"), Method: tea.String("POST"), AuthType: tea.String("AK"), Style: tea.String("RPC"), ReqBodyType: tea.String("formData"), BodyType: tea.String("json")},
		&openapi.OpenApiRequest{Query: openapiutil.Query(map[string]any{"RegionId": "cn-beijing", "InstanceType": "ecs.c7.xlarge", "Amount": 2, "SystemDisk.Category": "cloud_essd", "SystemDisk.Size": 120})}, &util.RuntimeOptions{})
	t.Log(out, err)
	_, err = ackSDK(t, sim, "x").DescribeClusterDetail(tea.String("c82e6987e2961451182edacd74faf0000"))
	t.Log(err)
}
