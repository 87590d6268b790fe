package cloudsim_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"scalebot/providers/cloudsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC)

// frozen is a clock that only Advance moves.
func frozen() time.Time { return epoch }

// run starts the demo's world, or one changed from it, on real HTTP.
func run(t *testing.T, change func(*cloudsim.Options)) *cloudsim.Sim {
	t.Helper()
	o := cloudsim.Options{World: cloudsim.Demo(), Now: frozen}
	if change != nil {
		change(&o)
	}
	sim, err := cloudsim.New(o)
	require.NoError(t, err)
	require.NoError(t, sim.Start(t.Context()))
	t.Cleanup(sim.Close)
	return sim
}

// client signs by hand, from the vendor's "Signature v3" page and not from the
// code under test. Its fields can be bent to make a request that must fail.
type client struct {
	t      *testing.T
	url    string
	http   *http.Client
	id     string
	key    string
	token  string
	region string
	at     time.Time
	header map[string]string // set after signing
}

func newClient(t *testing.T, sim *cloudsim.Sim) *client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{
		t: t, url: sim.URL(), http: &http.Client{Transport: tr}, id: cloudsim.DemoSecretID,
		key: cloudsim.DemoSecretKey, region: "ap-guangzhou", at: epoch, header: map[string]string{},
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func sign(id, key, service, host, contentType, body string, at time.Time) string {
	return signOn(at.UTC().Format("2006-01-02"), id, key, service, host, contentType, body, at)
}

func signOn(date, id, key, service, host, contentType, body string, at time.Time) string {
	scope := date + "/" + service + "/tc3_request"
	canonical := fmt.Sprintf("POST\n/\n\ncontent-type:%s\nhost:%s\n\ncontent-type;host\n%s", contentType, host, sum(body))
	text := fmt.Sprintf("TC3-HMAC-SHA256\n%d\n%s\n%s", at.Unix(), scope, sum(canonical))
	step := func(k []byte, s string) []byte {
		m := hmac.New(sha256.New, k)
		m.Write([]byte(s))
		return m.Sum(nil)
	}
	k := step(step(step([]byte("TC3"+key), date), service), "tc3_request")
	return fmt.Sprintf("TC3-HMAC-SHA256 Credential=%s/%s, SignedHeaders=content-type;host, Signature=%s", id, scope, hex.EncodeToString(step(k, text)))
}

// send is one signed request; the error is that of the transport.
func (c *client) send(ctx context.Context, action, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/", bytes.NewReader([]byte(body)))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-TC-Action", action)
	req.Header.Set("X-TC-Version", "2019-01-03")
	req.Header.Set("X-TC-Region", c.region)
	req.Header.Set("X-TC-Timestamp", fmt.Sprint(c.at.Unix()))
	if c.token != "" {
		req.Header.Set("X-TC-Token", c.token)
	}
	req.Header.Set("Authorization", sign(c.id, c.key, "emr", req.URL.Host, "application/json", body, c.at))
	for k, v := range c.header {
		if v == "" {
			req.Header.Del(k)
		} else {
			req.Header.Set(k, v)
		}
	}
	return c.http.Do(req)
}

// answer is what a business answer holds, good or bad.
type answer map[string]any

func (a answer) code() string {
	e, ok := a["Error"].(map[string]any)
	if !ok {
		return ""
	}
	return e["Code"].(string)
}

func (a answer) list(field string) []answer {
	var out []answer
	for _, v := range a[field].([]any) {
		out = append(out, v.(map[string]any))
	}
	return out
}

func (c *client) call(action, body string) answer {
	c.t.Helper()
	res, err := c.send(c.t.Context(), action, body)
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, res.Body.Close()) }()
	require.Equal(c.t, http.StatusOK, res.StatusCode, "business answers come with 200")
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	var out struct{ Response answer }
	require.NoError(c.t, json.Unmarshal(raw, &out), "%s", raw)
	require.NotEmpty(c.t, out.Response["RequestId"])
	return out.Response
}

// must is a call that is not refused.
func (c *client) must(action, body string) answer {
	c.t.Helper()
	a := c.call(action, body)
	require.Empty(c.t, a.code(), "%v", a)
	return a
}

func (c *client) status() int {
	c.t.Helper()
	l := c.must("DescribeInstances", `{"DisplayStrategy":"clusterList","InstanceIds":["emr-m620"],"Limit":100,"ProjectId":-1}`).list("ClusterList")
	require.Len(c.t, l, 1)
	return int(l[0]["Status"].(float64))
}

func (c *client) nodes(flag string) []answer {
	c.t.Helper()
	return c.must("DescribeClusterNodes", fmt.Sprintf(`{"InstanceId":"emr-m620","NodeFlag":%q}`, flag)).list("NodeList")
}

func (c *client) flow(id any) answer {
	c.t.Helper()
	return c.call("DescribeClusterFlowStatusDetail", fmt.Sprintf(`{"InstanceId":"emr-m620","FlowParam":{"FKey":"FlowId","FValue":"%v"}}`, id))
}

// hourly is the usual scale-out, with extra fields before the closing brace.
func hourly(n int, extra string) string {
	if extra != "" {
		extra = "," + extra
	}
	return fmt.Sprintf(`{"InstanceChargeType":"POSTPAID_BY_HOUR","InstanceId":"emr-m620","ScaleOutNodeConfig":{"NodeFlag":"TASK","NodeCount":%d},"EnableStartServiceFlag":true%s}`, n, extra)
}

func accepted(sim *cloudsim.Sim) int {
	n := 0
	for _, e := range sim.Ledger() {
		if e.Outcome == cloudsim.Accepted {
			n++
		}
	}
	return n
}
