package cloudsim_test

import (
	"crypto/md5"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	openapiutil "github.com/alibabacloud-go/openapi-util/service"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// The hand-made signers of these tests must give what the vendor's pages give,
// or they prove nothing about the Sim. The page of the ROA style masks its
// example, so there the witness is the vendor's own function.
func TestAckSignersAgainstTheVendorsExamples(t *testing.T) {
	require.Equal(t, "OLeaidS1JvxuMvnyHOwuJ+uX5qY=", rpcSignature("testsecret", http.MethodGet, url.Values{
		"Timestamp": {"2016-02-23T12:46:24Z"}, "Format": {"XML"}, "AccessKeyId": {"testid"}, "Action": {"DescribeRegions"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {"3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"}, "Version": {"2014-05-26"},
		"SignatureVersion": {"1.0"},
	}))

	signed, got := acs3Signature("YourAccessKeySecret", http.MethodPost, "/", url.Values{
		"ImageId": {"win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}, "RegionId": {"cn-shanghai"},
	}, map[string]string{
		"host": "ecs.cn-shanghai.aliyuncs.com", "x-acs-action": "RunInstances", "x-acs-date": "2023-10-26T10:22:32Z",
		"x-acs-content-sha256":  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-version": "2014-05-26",
	}, "")
	require.Equal(t, "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version", signed)
	require.Equal(t, "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0", got)

	header := map[string]string{
		"accept": "application/json", "content-type": "application/json", "date": "Wed, 16 Dec 2015 11:18:47 GMT",
		"x-acs-version": "2015-12-15", "x-acs-signature-nonce": "n",
	}
	req := tea.NewRequest()
	req.Method, req.Pathname = tea.String(http.MethodDelete), tea.String("/clusters/c1/nodes")
	req.Headers = tea.Merge(header)
	req.Query = map[string]*string{"instance_ids": tea.String(`["i-1","i-2"]`), "drain_node": tea.String("true")}
	want := openapiutil.GetROASignature(openapiutil.GetStringToSign(req), tea.String("secret"))
	require.Equal(t, *want, roaSignature("secret", http.MethodDelete, `/clusters/c1/nodes?drain_node=true&instance_ids=["i-1","i-2"]`, header))
}

func TestAckFront(t *testing.T) {
	const (
		read = "GET DescribeClusterDetail /clusters/" + web
		body = `{"count":1}`
	)
	md5Of := func(s string) string {
		sum := md5.Sum([]byte(s))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	tests := map[string]struct {
		bend   func(*ackClient)
		what   string
		body   string
		want   string
		status int
	}{
		"all well":               {},
		"no nonce":               {bend: func(c *ackClient) { c.header["x-acs-signature-nonce"] = "" }},
		"more headers":           {bend: func(c *ackClient) { c.header["x-acs-credentials-provider"] = "static_ak" }},
		"body with its MD5":      {what: growCall, body: body, bend: func(c *ackClient) { c.header["content-md5"] = md5Of(body) }},
		"clock 15 min behind":    {bend: func(c *ackClient) { c.at = epoch.Add(-15 * time.Minute) }},
		"clock more than behind": {bend: func(c *ackClient) { c.at = epoch.Add(-901 * time.Second) }, want: "InvalidTimeStamp.Expired", status: 400},
		"clock more than ahead":  {bend: func(c *ackClient) { c.at = epoch.Add(901 * time.Second) }, want: "InvalidTimeStamp.Expired", status: 400},
		"no date":                {bend: func(c *ackClient) { c.header["date"] = "" }, want: "MissingDate", status: 400},
		"no date that one reads": {bend: func(c *ackClient) { c.header["date"] = "today" }, want: "InvalidTimeStamp.Format", status: 400},
		"unknown key":            {bend: func(c *ackClient) { c.id = "LTAInobody" }, want: "InvalidAccessKeyId.NotFound", status: 404},
		"wrong secret":           {bend: func(c *ackClient) { c.key = "other" }, want: "SignatureDoesNotMatch", status: 400},
		"token of a permanent key": {
			bend: func(c *ackClient) { c.token = "t" }, want: "InvalidSecurityToken.MismatchWithAccessKey", status: 400,
		},
		"date changed after signing": {
			bend: func(c *ackClient) { c.after["Date"] = epoch.Add(time.Second).Format(http.TimeFormat) }, want: "SignatureDoesNotMatch", status: 400,
		},
		"a header added after signing": {
			bend: func(c *ackClient) { c.after["X-Acs-Region-Id"] = "cn-beijing" }, want: "SignatureDoesNotMatch", status: 400,
		},
		"MD5 of another body": {
			what: growCall, body: body, bend: func(c *ackClient) { c.header["content-md5"] = md5Of(`{"count":9}`) }, want: "ContentMD5NotMatched", status: 400,
		},
		"no signature":       {bend: func(c *ackClient) { c.after["Authorization"] = "" }, want: "MissingAccessKeyId", status: 400},
		"half a signature":   {bend: func(c *ackClient) { c.after["Authorization"] = "acs nothing" }, want: "IncompleteSignature", status: 400},
		"another scheme":     {bend: func(c *ackClient) { c.after["Authorization"] = "Bearer x" }, want: "IncompleteSignature", status: 400},
		"another hash":       {bend: func(c *ackClient) { c.header["x-acs-signature-method"] = "HMAC-MD5" }, want: "InvalidSignatureMethod", status: 400},
		"no signing version": {bend: func(c *ackClient) { c.header["x-acs-signature-version"] = "" }, want: "InvalidSignatureMethod", status: 400},
		"no version":         {bend: func(c *ackClient) { c.header["x-acs-version"] = "" }, want: "MissingParameter", status: 400},
		"another version":    {bend: func(c *ackClient) { c.header["x-acs-version"] = "2014-05-26" }, want: "InvalidVersion", status: 400},
		"a version of none":  {bend: func(c *ackClient) { c.header["x-acs-version"] = "2020-01-01" }, want: "InvalidVersion", status: 400},
		"no action":          {bend: func(c *ackClient) { c.header["x-acs-action"] = "" }, want: "MissingParameter", status: 400},
		"another action":     {bend: func(c *ackClient) { c.header["x-acs-action"] = "DeleteCluster" }, want: "InvalidApi.NotFound", status: 404},
		"unknown path":       {what: "GET DescribeClusterDetail /cluster/" + web, want: "InvalidApi.NotFound", status: 404},
		"another method":     {what: "PATCH DescribeClusterDetail /clusters/" + web, want: "InvalidApi.NotFound", status: 404},
		"XML wanted":         {bend: func(c *ackClient) { c.header["accept"] = "application/xml" }, want: "InvalidParameter.Format", status: 400},
		"a form for a body": {
			what: growCall, body: body, bend: func(c *ackClient) { c.header["content-type"] = "application/x-www-form-urlencoded" },
			want: "InvalidParameter.Format", status: 400,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newAckClient(t, run(t, nil))
			if tt.bend != nil {
				tt.bend(c)
			}
			if tt.what == "" {
				tt.what = read
			}
			a := c.call(tt.what, tt.body)
			require.Equal(t, tt.want, a.ackCode(), "%v", a)
			if tt.want != "" {
				require.Equal(t, tt.status, a["status"])
				require.NotEmpty(t, a["RequestId"], "the gateway's own spelling")
			}
		})
	}
}

// The ROA signature covers the query, by what it means and not how it is written.
func TestAckQueryIsSigned(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/clusters/"+web+"/nodes?pageSize=100", http.NoBody)
	require.NoError(t, err)
	h := map[string]string{
		"accept": "application/json", "date": epoch.Format(http.TimeFormat), "x-acs-version": "2015-12-15",
		"x-acs-action": "DescribeClusterNodes", "x-acs-signature-method": "HMAC-SHA1", "x-acs-signature-version": "1.0",
	}
	for k, v := range h {
		req.Header.Set(k, v)
	}
	req.Header.Set("Authorization", "acs "+c.id+":"+roaSignature(c.key, http.MethodGet, "/clusters/"+web+"/nodes?pageSize=10", h))
	res, err := c.http.Do(req)
	require.NoError(t, err)
	require.Equal(t, "SignatureDoesNotMatch", c.read(res).ackCode())
}

// Prices are signed in either of two newer ways.
func TestAckPriceFront(t *testing.T) {
	ask := map[string]string{"RegionId": "cn-beijing", "InstanceType": "ecs.c7.xlarge"}
	tests := map[string]struct {
		style string
		bend  func(*ackClient)
		want  string
	}{
		"acs3":                    {style: "acs3"},
		"v2":                      {style: "v2"},
		"acs3 wrong secret":       {style: "acs3", bend: func(c *ackClient) { c.key = "other" }, want: "SignatureDoesNotMatch"},
		"v2 wrong secret":         {style: "v2", bend: func(c *ackClient) { c.key = "other" }, want: "SignatureDoesNotMatch"},
		"acs3 unknown key":        {style: "acs3", bend: func(c *ackClient) { c.id = "LTAInobody" }, want: "InvalidAccessKeyId.NotFound"},
		"v2 unknown key":          {style: "v2", bend: func(c *ackClient) { c.id = "LTAInobody" }, want: "InvalidAccessKeyId.NotFound"},
		"acs3 stale":              {style: "acs3", bend: func(c *ackClient) { c.at = epoch.Add(-901 * time.Second) }, want: "InvalidTimeStamp.Expired"},
		"v2 stale":                {style: "v2", bend: func(c *ackClient) { c.at = epoch.Add(-901 * time.Second) }, want: "InvalidTimeStamp.Expired"},
		"acs3 date unread":        {style: "acs3", bend: func(c *ackClient) { c.header["x-acs-date"] = "now" }, want: "InvalidTimeStamp.Format"},
		"v2 date unread":          {style: "v2", bend: func(c *ackClient) { c.header["Timestamp"] = "now" }, want: "InvalidTimeStamp.Format"},
		"acs3 no date":            {style: "acs3", bend: func(c *ackClient) { c.header["x-acs-date"] = "" }, want: "MissingParameter"},
		"acs3 no nonce":           {style: "acs3", bend: func(c *ackClient) { c.header["x-acs-signature-nonce"] = "" }, want: "MissingParameter"},
		"v2 no nonce":             {style: "v2", bend: func(c *ackClient) { c.header["SignatureNonce"] = "" }, want: "MissingSignatureNonce"},
		"v2 no date":              {style: "v2", bend: func(c *ackClient) { c.header["Timestamp"] = "" }, want: "MissingTimestamp"},
		"v2 another hash":         {style: "v2", bend: func(c *ackClient) { c.header["SignatureMethod"] = "MD5" }, want: "InvalidSignatureMethod"},
		"v2 XML":                  {style: "v2", bend: func(c *ackClient) { c.header["Format"] = "XML" }, want: "InvalidParameter.Format"},
		"v2 changed on the way":   {style: "v2", bend: func(c *ackClient) { c.query.Set("Amount", "9") }, want: "SignatureDoesNotMatch"},
		"acs3 hash of no body":    {style: "acs3", bend: func(c *ackClient) { c.header["x-acs-content-sha256"] = sum("x") }, want: "SignatureDoesNotMatch"},
		"acs3 header not signed":  {style: "acs3", bend: func(c *ackClient) { c.after["X-Acs-Region-Id"] = "x" }, want: "IncompleteSignature"},
		"acs3 header changed":     {style: "acs3", bend: func(c *ackClient) { c.after["X-Acs-Signature-Nonce"] = "x" }, want: "SignatureDoesNotMatch"},
		"acs3 not a known scheme": {style: "acs3", bend: func(c *ackClient) { c.after["Authorization"] = "ACS3-HMAC-SM3 x" }, want: "IncompleteSignature"},
		"acs3 no credential":      {style: "acs3", bend: func(c *ackClient) { c.after["Authorization"] = "ACS3-HMAC-SHA256 x" }, want: "IncompleteSignature"},
		"no such action":          {style: "acs3", bend: func(c *ackClient) { c.header["x-acs-action"] = "RunInstances" }, want: "InvalidApi.NotFound"},
		"a version of ROA":        {style: "acs3", bend: func(c *ackClient) { c.header["x-acs-version"] = "2015-12-15" }, want: "InvalidVersion"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newAckClient(t, run(t, nil))
			c.style = tt.style
			if tt.bend != nil {
				tt.bend(c)
			}
			a := c.price("2014-05-26", maps.Clone(ask))
			require.Equal(t, tt.want, a.ackCode(), "%v", a)
		})
	}
}

func TestAckNonceIsGoodForOnce(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	c.header["x-acs-signature-nonce"] = "the same"
	c.cluster(web)
	require.Equal(t, "SignatureNonceUsed", c.call("GET DescribeClusterDetail /clusters/"+web, "").ackCode(), "a replay")
	c.header["x-acs-signature-nonce"] = "another"
	c.key = "wrong"
	require.Equal(t, "SignatureDoesNotMatch", c.call("GET DescribeClusterDetail /clusters/"+web, "").ackCode())
	c.key = cloudsim.DemoAccessKeySecret
	c.cluster(web) // a request that doesn't hold uses no nonce up
}

func TestAckNonceIsForgottenWithItsDate(t *testing.T) {
	now := epoch
	sim := run(t, func(o *cloudsim.Options) { o.Now = func() time.Time { return now } })
	c := newAckClient(t, sim)
	c.header["x-acs-signature-nonce"] = "the same"
	c.cluster(web)
	now = now.Add(31 * time.Minute)
	c.at = now
	c.cluster(web)
}

func TestAckTemporaryKeyAndDeniedAction(t *testing.T) {
	sim := run(t, func(o *cloudsim.Options) {
		o.World.Alibaba.Accounts = append(o.World.Alibaba.Accounts,
			cloudsim.AlibabaAccount{Name: "ack-bj", KeyID: "STS.tmp", KeySecret: "k", Token: "session", Denied: []string{"ScaleClusterNodePool"}},
			cloudsim.AlibabaAccount{Name: "other", KeyID: "LTAIother", KeySecret: "k"})
	})
	c := newAckClient(t, sim)
	c.id, c.key = "STS.tmp", "k"
	require.Equal(t, "MissingSecurityToken", c.call("GET DescribeClusterDetail /clusters/"+web, "").ackCode())
	c.token = "session"
	require.Equal(t, "web", c.cluster(web)["name"], "two keys of one owner see the same clusters")
	a := c.call(growCall, `{"count":1}`)
	require.Equal(t, "Forbidden.RAM", a.ackCode())
	require.Equal(t, 403, a["status"])
	require.Zero(t, accepted(sim))

	// To another owner none of this exists.
	c.token = ""
	task := newAckClient(t, sim).grow(1)
	c.id = "LTAIother"
	require.Empty(t, c.must("GET DescribeClustersV1 /api/v1/clusters", "").list("clusters"))
	for what, want := range map[string]string{
		"GET DescribeClusterDetail /clusters/" + web: "ErrorClusterNotFound", growCall: "ErrorClusterNotFound",
		"GET DescribeTaskInfo /tasks/" + task: "ErrorTaskNotFound", "POST CancelTask /tasks/" + task + "/cancel": "ErrorTaskNotFound",
	} {
		body := ""
		if what == growCall {
			body = `{"count":1}`
		}
		a := c.call(what, body)
		require.Equal(t, want, a.ackCode(), what)
		require.Equal(t, 404, a["status"])
	}
}

func TestAckRateLimits(t *testing.T) {
	sim := run(t, nil)
	c := newAckClient(t, sim)
	for range 20 {
		c.cluster(web)
	}
	a := c.call("GET DescribeClusterDetail /clusters/"+web, "")
	require.Equal(t, "Throttling.User", a.ackCode())
	require.Equal(t, 400, a["status"], "as in the gateway's table")
	c.pool(web, workers) // each action has its own count
	sim.Advance(time.Second)
	c.cluster(web)

	// 500 prices in 60 seconds, for ECS and ENS each.
	ask := map[string]string{"RegionId": "cn-beijing", "InstanceType": "ecs.c7.xlarge"}
	for range 500 {
		require.Empty(t, c.price("2014-05-26", ask).ackCode())
	}
	require.Equal(t, "Throttling.User", c.price("2014-05-26", ask).ackCode())
	require.Equal(t, "MissingParameter", c.price("2017-11-10", nil).ackCode(), "heard, if not answered")
	sim.Advance(59 * time.Second)
	require.Equal(t, "Throttling.User", c.price("2014-05-26", ask).ackCode())
	sim.Advance(time.Second)
	require.Empty(t, c.price("2014-05-26", ask).ackCode())
}

// Two clouds behind one address don't take each other's requests.
func TestCloudsAreToldApart(t *testing.T) {
	sim := run(t, nil)
	newAckClient(t, sim).cluster(web)
	newClient(t, sim).must("DescribeInstances", `{"DisplayStrategy":"clusterList"}`)
	r := sim.Requests()
	require.Equal(t, cloudsim.Alibaba, r[0].Cloud)
	require.Equal(t, cloudsim.Tencent, r[1].Cloud)
	require.Equal(t, "DescribeClusterDetail", r[0].Action)
	require.True(t, strings.HasPrefix(r[0].Path, "/clusters/"))
	require.Equal(t, "ack-bj", r[0].Account)
}
