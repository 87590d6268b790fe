package cloudsim_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
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

// The demo's clusters and pools.
const (
	web     = "c82e6987e2961451182edacd74faf0000"
	workers = "np0123456789"
	legacy  = "np9876543210"
	webEdge = "Cccfd68c474454665ace07efce9240000"
	edge    = "npedge456789"
)

// ackClient signs by hand, from the vendor's pages and not from the code under
// test. Its fields can be bent to make a request that must fail.
type ackClient struct {
	t       *testing.T
	url     string
	http    *http.Client
	id, key string
	token   string
	at      time.Time
	nonces  int
	header  map[string]string // set before signing; "" takes one away
	after   map[string]string // set after signing
	query   url.Values        // of a price call in the old style: changed after signing
	style   string            // of price calls: acs3 or v2
	raw     []byte            // the last answer as it stood on the wire
}

func newAckClient(t *testing.T, sim *cloudsim.Sim) *ackClient {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &ackClient{
		t: t, url: sim.URL(), http: &http.Client{Transport: tr}, id: cloudsim.DemoAccessKeyID, key: cloudsim.DemoAccessKeySecret,
		at: epoch, header: map[string]string{}, after: map[string]string{}, query: url.Values{}, style: "acs3",
	}
}

func base64SHA1(key, text string) string {
	m := hmac.New(sha1.New, []byte(key))
	m.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// roaSignature is that of the page "Sign API requests" of Container Service.
func roaSignature(key, method, resource string, header map[string]string) string {
	text := method + "\n"
	for _, h := range []string{"accept", "content-md5", "content-type", "date"} {
		text += header[h] + "\n"
	}
	for _, h := range slices.Sorted(maps.Keys(header)) {
		if strings.HasPrefix(h, "x-acs-") {
			text += h + ":" + header[h] + "\n"
		}
	}
	return base64SHA1(key, text+resource)
}

// escape is the percent-encoding of both newer signatures.
func escape(s string) string {
	out := ""
	for _, b := range []byte(s) {
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-_.~", b) >= 0 {
			out += string(b)
		} else {
			out += fmt.Sprintf("%%%02X", b)
		}
	}
	return out
}

func canonical(q url.Values) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(q)) {
		pairs = append(pairs, escape(k)+"="+escape(q.Get(k)))
	}
	return strings.Join(pairs, "&")
}

// acs3Signature is that of the page "Request syntax and signature method V3".
func acs3Signature(key, method, path string, q url.Values, header map[string]string, body string) (signed, signature string) {
	names := slices.Sorted(maps.Keys(header))
	text := method + "\n" + path + "\n" + canonical(q) + "\n"
	for _, h := range names {
		text += h + ":" + header[h] + "\n"
	}
	signed = strings.Join(names, ";")
	text += "\n" + signed + "\n" + sum(body)
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte("ACS3-HMAC-SHA256\n" + sum(text)))
	return signed, hex.EncodeToString(m.Sum(nil))
}

// rpcSignature is that of the page "Sign RPC APIs".
func rpcSignature(key, method string, q url.Values) string {
	return base64SHA1(key+"&", method+"&%2F&"+escape(canonical(q)))
}

func (c *ackClient) nonce() string {
	c.nonces++
	return fmt.Sprintf("%s-%d", c.id, c.nonces)
}

// send is one signed request of the ROA style; what is "METHOD Action path",
// where the path may have a query.
func (c *ackClient) send(ctx context.Context, what, body string) (*http.Response, error) {
	part := strings.SplitN(what, " ", 3)
	path, rawQuery, _ := strings.Cut(part[2], "?")
	h := map[string]string{
		"accept": "application/json", "date": c.at.UTC().Format(http.TimeFormat), "x-acs-version": "2015-12-15", "x-acs-action": part[1],
		"x-acs-signature-method": "HMAC-SHA1", "x-acs-signature-version": "1.0", "x-acs-signature-nonce": c.nonce(),
	}
	if body != "" {
		h["content-type"] = "application/json; charset=utf-8"
	}
	if c.token != "" {
		h["x-acs-security-token"] = c.token
	}
	for k, v := range c.header {
		if h[k] = v; v == "" {
			delete(h, k)
		}
	}
	q, err := url.ParseQuery(rawQuery)
	require.NoError(c.t, err)
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(q)) {
		for _, v := range q[k] {
			pairs = append(pairs, k+"="+v)
		}
	}
	resource, address := path, c.url+path
	if len(pairs) > 0 {
		resource, address = path+"?"+strings.Join(pairs, "&"), address+"?"+q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, part[0], address, strings.NewReader(body))
	require.NoError(c.t, err)
	for k, v := range h {
		req.Header.Set(k, v)
	}
	req.Header.Set("Authorization", "acs "+c.id+":"+roaSignature(c.key, part[0], resource, h))
	return c.deliver(req)
}

func (c *ackClient) deliver(req *http.Request) (*http.Response, error) {
	for k, v := range c.after {
		if v == "" {
			req.Header.Del(k)
		} else {
			req.Header.Set(k, v)
		}
	}
	return c.http.Do(req)
}

// price is one signed request of the RPC style.
func (c *ackClient) price(version string, params map[string]string) answer {
	c.t.Helper()
	q := url.Values{}
	for k, v := range params {
		q.Set(k, v)
	}
	host, stamp := strings.TrimPrefix(c.url, "http://"), c.at.UTC().Format("2006-01-02T15:04:05Z")
	h := map[string]string{}
	if c.style == "v2" { // everything travels in the query
		for k, v := range map[string]string{
			"Action": "DescribePrice", "Version": version, "Format": "json", "AccessKeyId": c.id, "SignatureMethod": "HMAC-SHA1",
			"SignatureVersion": "1.0", "SignatureNonce": c.nonce(), "Timestamp": stamp,
		} {
			q.Set(k, v)
		}
		for k, v := range c.header {
			if q.Set(k, v); v == "" {
				q.Del(k)
			}
		}
		q.Set("Signature", rpcSignature(c.key, http.MethodPost, q))
		maps.Copy(q, c.query)
	} else {
		h = map[string]string{
			"host": host, "x-acs-action": "DescribePrice", "x-acs-version": version, "x-acs-date": stamp,
			"x-acs-signature-nonce": c.nonce(), "x-acs-content-sha256": sum(""),
		}
		for k, v := range c.header {
			if h[k] = v; v == "" {
				delete(h, k)
			}
		}
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/?"+q.Encode(), http.NoBody)
	require.NoError(c.t, err)
	for k, v := range h {
		if k != "host" {
			req.Header.Set(k, v)
		}
	}
	if c.style != "v2" {
		signed, signature := acs3Signature(c.key, http.MethodPost, "/", q, h, "")
		req.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+c.id+",SignedHeaders="+signed+",Signature="+signature)
	}
	res, err := c.deliver(req)
	require.NoError(c.t, err)
	return c.read(res)
}

// read decodes an answer and keeps it as it was.
func (c *ackClient) read(res *http.Response) answer {
	c.t.Helper()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.NoError(c.t, res.Body.Close())
	require.NotEmpty(c.t, res.Header.Get("X-Acs-Request-Id"))
	a := answer{}
	if c.raw = raw; len(raw) > 0 {
		require.NoError(c.t, json.Unmarshal(raw, &a), "%s", raw)
	}
	if code := a.ackCode(); code != "" {
		require.NotEqual(c.t, http.StatusOK, res.StatusCode)
		a["status"] = res.StatusCode
	} else {
		require.Equal(c.t, http.StatusOK, res.StatusCode)
	}
	return a
}

// ackCode is the code of a refusal, by the gateway or by the product.
func (a answer) ackCode() string {
	if code, ok := a["Code"].(string); ok {
		return code
	}
	code, _ := a["code"].(string)
	return code
}

func (a answer) sub(field string) answer { return a[field].(map[string]any) }

func (c *ackClient) call(what, body string) answer {
	c.t.Helper()
	res, err := c.send(c.t.Context(), what, body)
	require.NoError(c.t, err)
	return c.read(res)
}

// must is a call that is not refused.
func (c *ackClient) must(what, body string) answer {
	c.t.Helper()
	a := c.call(what, body)
	require.Empty(c.t, a.ackCode(), "%v", a)
	return a
}

func (c *ackClient) cluster(id string) answer {
	c.t.Helper()
	return c.must("GET DescribeClusterDetail /clusters/"+id, "")
}

func (c *ackClient) pool(cluster, id string) answer {
	c.t.Helper()
	return c.must("GET DescribeClusterNodePoolDetail /clusters/"+cluster+"/nodepools/"+id, "")
}

func (c *ackClient) machines(cluster, query string) []answer {
	c.t.Helper()
	return c.must("GET DescribeClusterNodes /clusters/"+cluster+"/nodes?pageSize=100&"+query, "").list("nodes")
}

// grow is ScaleClusterNodePool of the demo's workers and gives the task id.
func (c *ackClient) grow(n int) string {
	c.t.Helper()
	return c.must(growCall, fmt.Sprintf(`{"count":%d}`, n))["task_id"].(string)
}

const growCall = "POST ScaleClusterNodePool /clusters/" + web + "/nodepools/" + workers

func (c *ackClient) task(id string) answer {
	c.t.Helper()
	return c.must("GET DescribeTaskInfo /tasks/"+id, "")
}

func (c *ackClient) steer(how, id string) string {
	c.t.Helper()
	return c.call("POST "+how+"Task /tasks/"+id+"/"+strings.ToLower(how), "").ackCode()
}

// shrink is RemoveNodePoolNodes by instance ids.
func shrink(cluster, pool, options string, ids ...any) string {
	list, _ := json.Marshal(ids)
	return "DELETE RemoveNodePoolNodes /clusters/" + cluster + "/nodepools/" + pool + "/nodes?instance_ids=" + url.QueryEscape(string(list)) + options
}

func ids(nodes []answer, field string) []any {
	out := []any{}
	for _, n := range nodes {
		out = append(out, n[field])
	}
	return out
}

// states are the states of a task's stages or of its machines.
func states(list []answer, field string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, s[field].(string))
	}
	return out
}
