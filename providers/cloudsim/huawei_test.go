package cloudsim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

// The vendor's own example in its signing guide: the hand-made signer of these
// tests must give that signature, or it proves nothing about the Sim.
func TestHuaweiSignerAgainstTheVendorsExample(t *testing.T) {
	got := hwSign("GET", "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs", "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
		map[string]string{"content-type": "application/json", "host": "service.region.example.com", "x-sdk-date": "20191115T033655Z"},
		"20191115T033655Z", "", "QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc")
	require.Equal(t, "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe", got)
}

func TestHuaweiFront(t *testing.T) {
	tests := map[string]struct {
		bend   func(*hwClient)
		status int
		code   string
	}{
		"all well":                   {func(*hwClient) {}, 200, ""},
		"unknown key":                {func(c *hwClient) { c.ak = "HWNOBODY" }, 401, "APIGW.0301"},
		"wrong key":                  {func(c *hwClient) { c.sk = "other" }, 401, "APIGW.0301"},
		"clock 15 min behind":        {func(c *hwClient) { c.at = epoch.Add(-15 * time.Minute) }, 200, ""},
		"clock over 15 min behind":   {func(c *hwClient) { c.at = epoch.Add(-15*time.Minute - time.Second) }, 401, "APIGW.0301"},
		"clock over 15 min ahead":    {func(c *hwClient) { c.at = epoch.Add(15*time.Minute + time.Second) }, 401, "APIGW.0301"},
		"date changed after signing": {func(c *hwClient) { c.header["X-Sdk-Date"] = "20261124T010001Z" }, 401, "APIGW.0301"},
		"no date":                    {func(c *hwClient) { c.header["X-Sdk-Date"] = "" }, 401, "APIGW.0301"},
		"date not signed":            {func(c *hwClient) { c.dateless = true }, 401, "APIGW.0301"},
		"no signature":               {func(c *hwClient) { c.header["Authorization"] = "" }, 401, "APIGW.0301"},
		"cut signature":              {func(c *hwClient) { c.header["Authorization"] = "SDK-HMAC-SHA256 Access=x" }, 401, "APIGW.0301"},
		"header changed on the way":  {func(c *hwClient) { c.header["X-Domain-Id"] = "other" }, 401, "APIGW.0301"},
		"token with a permanent key": {func(c *hwClient) { c.header["X-Security-Token"] = "t" }, 401, "APIGW.0301"},
		"project left to the SDK":    {func(c *hwClient) { c.project = "{project_id}" }, 400, "12000107"},
		"somebody else's project":    {func(c *hwClient) { c.project = "ffffffffffffffffffffffffffffffff" }, 400, "12000107"},
		"scope of another project":   {func(c *hwClient) { c.signed["x-project-id"] = "ffff" }, 401, "12000001"},
		"scope of this project":      {func(c *hwClient) { c.signed["x-project-id"] = c.project }, 200, ""},
		"form body":                  {func(c *hwClient) { c.header["Content-Type"] = "application/x-www-form-urlencoded" }, 415, "APIGW.0201"},
		"no content type, no body":   {func(c *hwClient) { c.header["Content-Type"] = "" }, 200, ""},
		"unknown cluster":            {func(c *hwClient) { c.cluster = "11111111-2222-3333-4444-555555555555" }, 400, "12000003"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sim := run(t, nil)
			c := newHuaweiClient(t, sim)
			tt.bend(c)
			a := c.call(http.MethodGet, c.v1("/cluster_infos/{}"), "", "")
			require.Equal(t, tt.code, a.code(), "%v", a.answer)
			require.Equal(t, tt.status, a.status)
			r := sim.Requests()
			require.Len(t, r, 1)
			require.Equal(t, a.header.Get("X-Request-Id"), r[0].RequestID)
			require.Equal(t, tt.code, r[0].Code)
			require.Equal(t, tt.code != "" && tt.status == 401 && tt.code == "APIGW.0301", r[0].Account == "")
		})
	}
}

func TestHuaweiSignsBodyQueryAndPath(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	// The right request first, with characters that must be encoded.
	c.must(http.MethodGet, c.v1("/cluster_infos"), "clusterName=a%20b%2B%2A&tags=env%2Aprod", "")
	body := `{"parameters":{"node_id":"node_orderadd",` + change(taskGroup, 1) + `}}`
	for name, replay := range map[string]func(*http.Request){
		"body":   func(r *http.Request) { r.Body = http.NoBody },
		"query":  func(r *http.Request) { r.URL.RawQuery = "a=1" },
		"path":   func(r *http.Request) { r.URL.Path = c.v1("/cluster_infos/other") },
		"method": func(r *http.Request) { r.Method = http.MethodGet },
		"payload that nobody signed": func(r *http.Request) {
			r.Header.Set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD")
		},
	} {
		c.http.Transport = bend{http.DefaultTransport, replay}
		a := c.call(http.MethodPut, c.v1("/cluster_infos/{}"), "", body)
		require.Equal(t, "APIGW.0301", a.code(), name)
		require.NotEmpty(t, a.answer["request_id"], "the gateway's own errors carry it in the body too")
	}
	require.Zero(t, accepted(sim))
}

// bend changes a request after it was signed.
type bend struct {
	http.RoundTripper
	change func(*http.Request)
}

func (b bend) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	b.change(r)
	if r.Body == http.NoBody {
		r.ContentLength = 0
	}
	return b.RoundTripper.RoundTrip(r)
}

// The guide lets a caller leave the body out of the signature, if it signs that.
func TestHuaweiUnsignedPayload(t *testing.T) {
	const body = `{"node_group_name":"task_node_default_group","count":1}`
	for content, want := range map[string]string{"UNSIGNED-PAYLOAD": "", sum(body): "", sum("other"): "APIGW.0301"} {
		sim := run(t, nil)
		c := newHuaweiClient(t, sim)
		c.signed["x-sdk-content-sha256"] = content
		require.Equal(t, want, c.call(http.MethodPost, c.v2("expand"), "", body).code(), content)
	}
}

func TestHuaweiKeyIsLockedAfterFiveFailures(t *testing.T) {
	sim := run(t, nil)
	good, bad := newHuaweiClient(t, sim), newHuaweiClient(t, sim)
	bad.sk = "other"
	fail := func(n int) {
		for range n {
			require.Equal(t, "APIGW.0301", bad.call(http.MethodGet, bad.v1("/cluster_infos"), "", "").code())
		}
	}
	fail(5)
	good.details() // a success in between starts the count again
	fail(5)
	good.details()
	fail(6)
	a := good.call(http.MethodGet, good.v1("/cluster_infos"), "", "")
	require.Equal(t, "APIGW.0301", a.code())
	require.Contains(t, a.answer["error_msg"], "reach the limit")
	sim.Advance(5*time.Minute - time.Second)
	require.Equal(t, "APIGW.0301", good.call(http.MethodGet, good.v1("/cluster_infos"), "", "").code())
	sim.Advance(time.Second)
	good.details()
}

func TestHuaweiTemporaryKeyAndDeniedAction(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		key := w.Accounts[0]
		key.AK, key.SK, key.SecurityToken, key.Denied = "TMP", "k", "session", []string{"mrs:cluster:resize"}
		w.Accounts = append(w.Accounts, key)
	}))
	c := newHuaweiClient(t, sim)
	c.ak, c.sk = "TMP", "k"
	require.Equal(t, "APIGW.0301", c.call(http.MethodGet, c.v1("/cluster_infos/{}"), "", "").code())
	c.signed["x-security-token"] = "session"
	require.Equal(t, "running", c.state(), "two keys of one owner see the same clusters")
	a := c.resize(change(taskGroup, 1))
	require.Equal(t, "12000136", a.code())
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Equal(t, "12000136", c.call(http.MethodPost, c.v2("expand"), "", `{"node_group_name":"task_node_default_group","count":1}`).code())
	require.Zero(t, accepted(sim))
}

func TestHuaweiUnknownRoutes(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	for _, r := range [][2]string{
		{http.MethodDelete, c.v1("/clusters/{}")}, {http.MethodPost, c.v1("/cluster_infos/{}")}, {http.MethodGet, "/v1.1/"},
		{http.MethodGet, c.v1("/cluster_infos/")}, {http.MethodPost, "/v2/" + c.project + "/run-job-flow"},
	} {
		a := c.call(r[0], r[1], "", "")
		require.Equal(t, "APIGW.0101", a.code(), "%v", r)
		require.Equal(t, http.StatusNotFound, a.status)
	}
	require.Len(t, sim.Ledger(), 3, "what may have been a change is on the ledger")

	res, err := c.http.Get(sim.URL() + "/v2/bills/ratings/on-demand-resources/x")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode, "unsigned and no path of this cloud: nobody's")
	require.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
}

func TestHuaweiLists(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		w.Accounts[0].Projects["cn-east-3"] = "1111111111111111111111111111aaaa"
		w.Accounts = append(w.Accounts, cloudsim.HuaweiAccount{Name: "other", AK: "o", SK: "o", DomainID: "d", Projects: map[string]string{"cn-north-4": "2222"}})
		base := w.Clusters[0]
		add := func(change func(*cloudsim.HuaweiCluster)) {
			c := base
			change(&c)
			w.Clusters = append(w.Clusters, c)
		}
		add(func(c *cloudsim.HuaweiCluster) { c.ID, c.Account = "other-account", "other" })
		add(func(c *cloudsim.HuaweiCluster) { c.ID, c.Region, c.Zone = "other-region", "cn-east-3", "cn-east-3a" })
		add(func(c *cloudsim.HuaweiCluster) { c.ID, c.EnterpriseProject = "other-project", "ep-1" })
		add(func(c *cloudsim.HuaweiCluster) {
			c.ID, c.Name, c.Tags, c.Groups = "big", "big", map[string]string{"env": ""}, []cloudsim.HuaweiGroup{{Name: "core_node_streaming_group", Count: 25, Flavor: "c6.4xlarge.4"}}
		})
		for i := range 11 {
			add(func(c *cloudsim.HuaweiCluster) { c.ID, c.Name, c.Tags = fmt.Sprint("n", i), fmt.Sprint("n", i), nil })
		}
	}))
	c := newHuaweiClient(t, sim)
	list := func(query string) []string {
		t.Helper()
		var out []string
		for _, cl := range c.must(http.MethodGet, c.v1("/cluster_infos"), query, "").list("clusters") {
			out = append(out, cl["clusterId"].(string))
		}
		return out
	}
	require.Len(t, list(""), 10, "ten to a page unless asked")
	require.Equal(t, 13, num(c.must(http.MethodGet, c.v1("/cluster_infos"), "", "").answer["clusterTotal"]))
	require.Len(t, list("currentPage=2"), 3)
	require.Empty(t, list("currentPage=3"))
	require.Len(t, list("pageSize=100"), 13)
	require.Equal(t, []string{"other-project"}, list("enterpriseProjectId=ep-1"), "other enterprise projects are hidden unless asked for")
	require.Equal(t, []string{"n3"}, list("clusterName=n3"))
	require.Equal(t, []string{"big"}, list("tags=env"), "a key alone means an empty value")
	require.Equal(t, []string{c.cluster}, list("tags=env%2Aprod%2Cteam%2Adata"))
	set(t, sim, cloudsim.Fault{Kind: cloudsim.ForcedStatus, Cluster: "n1", Status: "terminated"})
	require.Len(t, list("clusterState=existing&pageSize=100"), 12)
	require.Equal(t, []string{"n1"}, list("clusterState=history"))
	require.Equal(t, []string{"n1"}, list("clusterState=terminated"))
	require.Empty(t, list("clusterState=scaling-out"))

	for _, bad := range []string{"pageSize=0", "pageSize=x", "currentPage=-1", "page_size=5", "pageSize=1&pageSize=2", "clusterState=sleepy"} {
		a := c.call(http.MethodGet, c.v1("/cluster_infos"), bad, "")
		require.Equal(t, "12000009", a.code(), bad)
	}
	for _, hidden := range []string{"other-account", "other-region"} {
		c.cluster = hidden
		require.Equal(t, "12000003", c.call(http.MethodGet, c.v1("/cluster_infos/{}"), "", "").code())
		require.Equal(t, "12000003", c.call(http.MethodGet, c.v1("/clusters/{}/hosts"), "", "").code())
		require.Equal(t, "12000003", c.resize(change(taskGroup, 1)).code())
	}

	c.cluster = "big"
	page := func(query string) hwAnswer { return c.must(http.MethodGet, c.v1("/clusters/{}/hosts"), query, "") }
	require.Len(t, page("").list("hosts"), 10, "a caller that doesn't page sees ten hosts")
	require.Equal(t, 25, num(page("").answer["total"]))
	require.Len(t, page("currentPage=3").list("hosts"), 5)
	require.Len(t, page("currentPage=1&pageSize=500").list("hosts"), 25)
	require.Equal(t, "Streaming_Core", page("").list("hosts")[0]["type"])
	require.Equal(t, "12000009", c.call(http.MethodGet, c.v1("/clusters/{}/hosts"), "limit=100", "").code())

	nodes := func(query string) []answer { return c.must(http.MethodGet, c.v2("nodes"), query, "").list("nodes") }
	require.Len(t, nodes(""), 10)
	require.Len(t, nodes("limit=100&offset=1"), 25)
	require.Equal(t, nodes("limit=100&offset=1")[4], nodes("limit=2&offset=5")[0], "offset is a record, from 1")
	require.Empty(t, nodes("offset=26"))
	byName := nodes("limit=100&sort_dir=desc&sort_key=node_name")
	require.True(t, slices.IsSortedFunc(byName, func(a, b answer) int {
		return strings.Compare(b["node_name"].(string), a["node_name"].(string))
	}))
	require.Empty(t, nodes("node_group=task_node_default_group"))
	require.Len(t, nodes("internal_ip="+nodes("")[0]["server_info"].(map[string]any)["internal_ip"].(string)), 1)
	require.Len(t, nodes("node_name="+byName[0]["node_name"].(string)), 1)
	require.Equal(t, "12000009", c.call(http.MethodGet, c.v2("nodes"), "sort_dir=up", "").code())
}

func TestHuaweiDetails(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	d := c.details()
	for field, want := range map[string]any{
		"clusterId": c.cluster, "clusterName": "analytics", "clusterState": "running", "masterNodeNum": "2", "coreNodeNum": "3",
		"totalNodeNum": "7", "billingType": "Metered", "enterpriseProjectId": "0", "tags": "env=prod,team=data", "dataCenter": "cn-north-4",
		"createAt": "1792026000", "coreNodeSize": "c6.4xlarge.4.linux.bigdata", "azCode": "cn-north-4a", "tenantId": c.project,
	} {
		require.Equal(t, want, d[field], field)
	}
	require.NotContains(t, d, "periodType")
	require.Equal(t, 0, num(d["clusterType"]))
	var groups []string
	for _, g := range d.list("nodeGroups") {
		groups = append(groups, g["groupName"].(string))
	}
	require.Equal(t, []string{"master_node_default_group", coreGroup}, groups)
	require.Len(t, d.list("taskNodeGroups"), 1)

	// The page warns that X-Language turns words into Chinese ones.
	c.signed["x-language"] = "zh-cn"
	require.Equal(t, "运行中", c.state())
	c.resize(change(taskGroup, 1))
	sim.Advance(30 * time.Second)
	require.Equal(t, "扩容中", c.state())
	require.Equal(t, "创建虚拟机中", c.details()["stageDesc"])
	require.Equal(t, "scaling-out", c.details()["scale"], "scale is not said to be translated")
}

func TestHuaweiEditions(t *testing.T) {
	sim := run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		w.Edition = cloudsim.HuaweiEdition{TextTotals: true, TasksTwice: true, PascalGroups: true}
	}))
	c := newHuaweiClient(t, sim)
	require.Equal(t, "1", c.must(http.MethodGet, c.v1("/cluster_infos"), "", "").answer["clusterTotal"])
	a := c.must(http.MethodGet, c.v1("/clusters/{}/hosts"), "", "")
	require.Equal(t, "7", a.answer["total"])
	require.Equal(t, "600", a.list("hosts")[0]["data_volume_size"])
	d := c.details()
	require.Len(t, d.list("nodeGroups"), 3)
	require.Equal(t, d.list("taskNodeGroups")[0], d.list("nodeGroups")[2])
	require.Equal(t, taskGroup, d.list("nodeGroups")[2]["GroupName"])

	sim = run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) { w.Edition.CamelErrors = true }))
	c = newHuaweiClient(t, sim)
	res, err := c.send(t.Context(), http.MethodGet, c.v1("/cluster_infos/none"), "", "")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Equal(t, "12000003", sim.Requests()[0].Code)
}

func TestHuaweiIAM(t *testing.T) {
	c := newHuaweiClient(t, run(t, huaweiWorld(func(w *cloudsim.HuaweiWorld) {
		w.Accounts[0].Projects["cn-east-3"] = "1111111111111111111111111111aaaa"
	})))
	projects := func(query string) []answer { return c.must(http.MethodGet, "/v3/projects", query, "").list("projects") }
	p := projects("name=cn-north-4")
	require.Len(t, p, 1)
	require.Equal(t, cloudsim.DemoProjectID, p[0]["id"])
	require.Equal(t, cloudsim.DemoDomainID, p[0]["domain_id"])
	require.Empty(t, projects("name=eu-west-101"), "no project there is no error")
	require.Len(t, projects(""), 2)
	d := c.must(http.MethodGet, "/v3/auth/domains", "", "").list("domains")
	require.Equal(t, cloudsim.DemoDomainID, d[0]["id"])
	c.sk = "other"
	require.Equal(t, "APIGW.0301", c.call(http.MethodGet, "/v3/auth/domains", "", "").code())
}

func TestHuaweiRateLimit(t *testing.T) {
	sim := run(t, nil)
	c := newHuaweiClient(t, sim)
	for range 20 {
		c.details()
	}
	a := c.call(http.MethodGet, c.v1("/cluster_infos/{}"), "", "")
	require.Equal(t, "APIGW.0308", a.code())
	require.Equal(t, http.StatusTooManyRequests, a.status)
	c.must(http.MethodGet, c.v1("/cluster_infos"), "", "") // each call has its own count
	sim.Advance(time.Second)
	c.details()
}

func TestHuaweiBrokenWorlds(t *testing.T) {
	tests := map[string]func(*cloudsim.HuaweiWorld){
		"no key":       func(w *cloudsim.HuaweiWorld) { w.Accounts[0].SK = "" },
		"no domain":    func(w *cloudsim.HuaweiWorld) { w.Accounts[0].DomainID = "" },
		"no project":   func(w *cloudsim.HuaweiWorld) { w.Accounts[0].Projects = nil },
		"no id":        func(w *cloudsim.HuaweiWorld) { w.Clusters[0].ID = "" },
		"same twice":   func(w *cloudsim.HuaweiWorld) { w.Clusters = append(w.Clusters, w.Clusters[0]) },
		"region":       func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Region = "moon" },
		"zone":         func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Zone = "cn-east-3a" },
		"account":      func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Account = "who" },
		"kind":         func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Kind = "big" },
		"group":        func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[0].Name = "workers" },
		"group twice":  func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[0].Name = taskGroup },
		"flavour":      func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[0].Flavor = "X" },
		"no flavour":   func(w *cloudsim.HuaweiWorld) { w.Clusters[0].Groups[0].Flavor = "" },
		"second alone": func(w *cloudsim.HuaweiWorld) { w.Accounts = append(w.Accounts, cloudsim.HuaweiAccount{}) },
	}
	for name, bend := range tests {
		t.Run(name, func(t *testing.T) {
			o := cloudsim.Options{World: cloudsim.Demo(), Now: frozen}
			bend(&o.World.Huawei)
			_, err := cloudsim.New(o)
			require.ErrorContains(t, err, "huawei")
		})
	}
	o := cloudsim.Options{World: cloudsim.World{Huawei: cloudsim.Demo().Huawei}, Now: frozen, Stages: map[string]time.Duration{"mrs_accepted": -1}}
	_, err := cloudsim.New(o)
	require.ErrorContains(t, err, "mrs_accepted")
}
