package cloudsim_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// hwSign is the signing algorithm of the vendor's "API Request Signing Guide",
// written from its text and not from the code under test. headers are those that
// are signed, by their lower-case names.
func hwSign(method, path, query string, headers map[string]string, date, body, ak, sk string) string {
	names := slices.Sorted(maps.Keys(headers))
	var block strings.Builder
	for _, n := range names {
		block.WriteString(n + ":" + headers[n] + "\n")
	}
	signed, payload := strings.Join(names, ";"), headers["x-sdk-content-sha256"]
	if payload == "" {
		payload = sum(body)
	}
	canonical := method + "\n" + path + "/\n" + query + "\n" + block.String() + "\n" + signed + "\n" + payload
	m := hmac.New(sha256.New, []byte(sk))
	m.Write([]byte("SDK-HMAC-SHA256\n" + date + "\n" + sum(canonical)))
	return "SDK-HMAC-SHA256 Access=" + ak + ", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(m.Sum(nil))
}

// hwClient signs by hand. Its fields can be bent to make a request that must fail.
type hwClient struct {
	t                *testing.T
	url              string
	http             *http.Client
	ak, sk           string
	project, cluster string
	at               time.Time
	signed           map[string]string // further headers, signed
	header           map[string]string // set after signing
	dateless         bool              // X-Sdk-Date is sent and not signed
}

func newHuaweiClient(t *testing.T, sim *cloudsim.Sim) *hwClient {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &hwClient{
		t: t, url: sim.URL(), http: &http.Client{Transport: tr}, ak: cloudsim.DemoAK, sk: cloudsim.DemoSK,
		project: cloudsim.DemoProjectID, cluster: cloudsim.DemoMRSCluster, at: epoch,
		signed: map[string]string{"x-domain-id": cloudsim.DemoDomainID}, header: map[string]string{},
	}
}

// send is one signed request; the error is that of the transport. query must be
// sorted, as its canonical form is.
func (c *hwClient) send(ctx context.Context, method, path, query, body string) (*http.Response, error) {
	target := c.url + path
	if query != "" {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	require.NoError(c.t, err)
	date := c.at.UTC().Format("20060102T150405Z")
	headers := map[string]string{"x-sdk-date": date, "host": req.URL.Host}
	maps.Copy(headers, c.signed)
	for k, v := range headers {
		if k != "host" {
			req.Header.Set(k, v)
		}
	}
	if c.dateless {
		delete(headers, "x-sdk-date")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", hwSign(method, (&url.URL{Path: path}).EscapedPath(), query, headers, date, body, c.ak, c.sk))
	for k, v := range c.header {
		if v == "" {
			req.Header.Del(k)
		} else {
			req.Header.Set(k, v)
		}
	}
	return c.http.Do(req)
}

// hwAnswer is an answer with what came around it.
type hwAnswer struct {
	status int
	header http.Header
	answer
}

func (a hwAnswer) code() string {
	code, _ := a.answer["error_code"].(string)
	return code
}

func (a hwAnswer) object(field string) answer { return a.answer[field].(map[string]any) }

func (c *hwClient) call(method, path, query, body string) hwAnswer {
	c.t.Helper()
	res, err := c.send(c.t.Context(), method, path, query, body)
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	out := hwAnswer{status: res.StatusCode, header: res.Header}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber() // a price must arrive with the digits it left with
	require.NoError(c.t, d.Decode(&out.answer), "%s", raw)
	require.Equal(c.t, out.status >= 400, out.code() != "", "%s", raw)
	require.NotEmpty(c.t, out.header.Get("X-Request-Id"))
	return out
}

// must is a call that is not refused.
func (c *hwClient) must(method, path, query, body string) hwAnswer {
	c.t.Helper()
	a := c.call(method, path, query, body)
	require.Equal(c.t, http.StatusOK, a.status, "%v", a.answer)
	return a
}

func (c *hwClient) v1(rest string) string {
	return "/v1.1/" + c.project + strings.ReplaceAll(rest, "{}", c.cluster)
}

func (c *hwClient) v2(verb string) string {
	return "/v2/" + c.project + "/clusters/" + c.cluster + "/" + verb
}

func (c *hwClient) details() answer {
	c.t.Helper()
	return c.must(http.MethodGet, c.v1("/cluster_infos/{}"), "", "").object("cluster")
}

func (c *hwClient) state() string {
	c.t.Helper()
	return c.details()["clusterState"].(string)
}

// hosts are all hosts of a group, whatever the pages.
func (c *hwClient) hosts(group string) []answer {
	c.t.Helper()
	var out []answer
	for _, h := range c.must(http.MethodGet, c.v1("/clusters/{}/hosts"), "currentPage=1&pageSize=1000", "").list("hosts") {
		if h["node_group_name"] == group {
			out = append(out, h)
		}
	}
	return out
}

// size is what the details say of a group, 0 for one that is not listed.
func (c *hwClient) size(group string) int {
	c.t.Helper()
	d := c.details()
	for _, g := range append(d.list("nodeGroups"), d.list("taskNodeGroups")...) {
		if g["groupName"] == group {
			return num(g["nodeNum"])
		}
	}
	return 0
}

// resize is UpdateClusterScaling with fields of parameters.
func (c *hwClient) resize(parameters string) hwAnswer {
	c.t.Helper()
	return c.call(http.MethodPut, c.v1("/cluster_infos/{}"), "", `{"parameters":{"node_id":"node_orderadd",`+parameters+`}}`)
}

const (
	taskGroup = "task_node_default_group"
	coreGroup = "core_node_default_group"
)

// change is the parameters of a change of a group by n.
func change(group string, n int) string {
	kind := "scale_out"
	if n < 0 {
		kind, n = "scale_in", -n
	}
	return fmt.Sprintf(`"scale_type":%q,"node_group":%q,"instances":%d`, kind, group, n)
}

func num(v any) int {
	n, err := v.(json.Number).Int64()
	if err != nil {
		panic(err)
	}
	return int(n)
}

func statuses(hosts []answer) []string {
	var out []string
	for _, h := range hosts {
		out = append(out, h["status"].(string))
	}
	return out
}

// huaweiWorld changes the demo's Huawei world.
func huaweiWorld(change func(*cloudsim.HuaweiWorld)) func(*cloudsim.Options) {
	return func(o *cloudsim.Options) { change(&o.World.Huawei) }
}

// custom makes the demo's cluster a custom one with two groups.
func custom(w *cloudsim.HuaweiWorld) {
	c := &w.Clusters[0]
	c.Kind = cloudsim.HuaweiCustom
	for i, name := range []string{"master_node_default_group", "node_group_1", "node_group_2"} {
		c.Groups[i].Name = name
	}
}

// huaweiState is the demo's Huawei cluster as the admin page sees it.
func huaweiState(t *testing.T, sim *cloudsim.Sim) cloudsim.ClusterState {
	t.Helper()
	for _, c := range sim.State().Clusters {
		if c.Cloud == cloudsim.Huawei {
			return c
		}
	}
	require.Fail(t, "no Huawei cluster")
	return cloudsim.ClusterState{}
}
