package alibabaack

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
)

// problems renders problems as "path: text [suggest]".
func problems(ps []providers.Problem) (out []string) {
	for _, p := range ps {
		s := strings.Join(p.Path, ".") + ": " + p.Text
		if p.Suggest != "" {
			s += " [" + p.Suggest + "]"
		}
		out = append(out, s)
	}
	return out
}

func TestCheckGroupTellsEverythingAtOnce(t *testing.T) {
	got := strings.Join(problems(checkGroup(providers.GroupConfig{
		Group: "legacy", API: "scale-out-cluster", GroupID: "workers",
		Params: map[string]any{
			"worker_instance_typs":        []any{"ecs.c5.xlarge"},
			"count":                       3,
			"ClusterId":                   "c1",
			"worker_instance_charge_type": "Prepaid",
			"worker_period":               "1",
			"worker_system_disk_size":     600,
			"worker_data_disks":           []any{map[string]any{"categry": "cloud_ssd", "size": "big"}, "cloud_ssd"},
			"vswitch_ids":                 "vsw-1",
			"cpu_policy":                  "statc",
			"taints":                      []any{map[string]any{"key": "k", "effect": "NoSchedul"}},
			"login_password":              "tooeasy",
			"key_pair":                    "ops",
			"user_data":                   "#!/bin/sh",
			"cloud_monitor_flags":         "yes",
			"runtime":                     map[string]any{"version": "1"},
			"worker_auto_renew":           true,
		},
	})), "\n")
	for _, want := range []string{
		`node_pool: "workers" is no node pool id`,
		"params.worker_instance_typs: There is no field worker_instance_typs here", "[worker_instance_types]",
		"params.count: count can't be configured: it is the amount of the command.",
		"params.ClusterId: ClusterId can't be configured: it is the cluster's id.",
		`params.worker_instance_charge_type: "Prepaid" is not possible here: PrePaid, PostPaid. [PrePaid]`,
		"params.worker_period: worker_period must be a whole number, not this text.",
		"params.worker_system_disk_size: worker_system_disk_size is from 40 to 500.",
		"params.worker_data_disks.0.categry: ", "[category]",
		"params.worker_data_disks.0.size: size must be a whole number, not this text.",
		"params.worker_data_disks.0: A data disk needs its category",
		"params.worker_data_disks.1: 1 must be a map of fields, not this text.",
		"params.vswitch_ids: vswitch_ids must be a list of texts, not this text.",
		"params.cpu_policy: ", "[static]",
		"params.taints.0.effect: ", "[NoSchedule]",
		"params.login_password: key_pair and login_password are both given",
		"params.login_password: login_password must have 8 to 30 characters",
		"params.user_data: user_data must be base64",
		"params.cloud_monitor_flags: cloud_monitor_flags must be true or false, not this text.",
		"params.runtime: runtime needs a name",
		"params.worker_auto_renew_period: worker_auto_renew_period is missing",
	} {
		require.Contains(t, got, want)
	}
	require.NotContains(t, got, "tooeasy")
}

func TestCheckGroupRanges(t *testing.T) {
	const w, e = "scale-out-cluster", "edge"
	base := map[string]any{"key_pair": "ops"}
	with := func(m map[string]any, kv ...any) map[string]any {
		m = without(m)
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	pw := func(p any) map[string]any { return map[string]any{"login_password": p} }
	disk := func(size any) map[string]any {
		return with(base, "worker_data_disks", []any{map[string]any{"category": "cloud_ssd", "size": size}})
	}
	tag := func(k, v string) map[string]any {
		return with(base, "tags", []any{map[string]any{"key": k, "value": v}})
	}
	for name, tc := range map[string]struct {
		api    string
		params map[string]any
		says   string // "" = fine
	}{
		"design.md's own":                  {w, map[string]any{"vswitch_ids": []any{"vsw-1"}, "worker_instance_types": []any{"ecs.c5.xlarge"}, "key_pair": "ops"}, ""},
		"the worker document's own":        {w, workerParams(), ""},
		"the edge document's own":          {e, edgeParams(), ""},
		"no way to log in":                 {w, map[string]any{}, "key_pair or login_password"},
		"an empty key pair":                {w, map[string]any{"key_pair": " "}, "is empty"},
		"an empty image, as documented":    {w, with(base, "image_id", "", "user_data", ""), ""},
		"prepaid without a term":           {w, with(base, "worker_instance_charge_type", "PrePaid"), "worker_period is missing"},
		"prepaid with its term":            {w, with(base, "worker_instance_charge_type", "PrePaid", "worker_period", 60), ""},
		"a term of four months":            {w, with(base, "worker_instance_charge_type", "PrePaid", "worker_period", 4), "1, 2, 3, 6, 12"},
		"a term in weeks":                  {w, with(base, "worker_instance_charge_type", "PrePaid", "worker_period", 1, "worker_period_unit", "Week"), "Month"},
		"a term without prepaid":           {w, with(base, "worker_period", 1), "works only with"},
		"renewal every 24 months":          {w, with(base, "worker_auto_renew_period", 24), "1, 2, 3, 6, 12"},
		"a system disk of 40":              {w, with(base, "worker_system_disk_size", 40), ""},
		"a system disk of 39":              {w, with(base, "worker_system_disk_size", 39), "40 to 500"},
		"a data disk as a number":          {w, disk(40), ""},
		"a data disk as a text":            {w, disk("32767"), ""},
		"a data disk that is too small":    {w, disk(39), "40 to 32767"},
		"a data disk that is too large":    {w, disk("32768"), "40 to 32767"},
		"a subnet twice":                   {w, with(base, "vswitch_ids", []any{"a", "a"}), "twice"},
		"an empty machine type":            {w, with(base, "worker_instance_types", []any{""}), "empty"},
		"a tag of the cloud's own":         {w, tag("acs:x", "v"), "acs:"},
		"a tag with a web address":         {w, tag("k", "https://x"), "https://"},
		"a tag of 65 letters":              {w, tag(strings.Repeat("k", 65), ""), "64"},
		"21 tags":                          {w, with(base, "tags", manyTags(21)), "20 tags"},
		"a tag twice":                      {w, with(base, "tags", append(manyTags(1), manyTags(1)...)), "twice"},
		"a taint for nobody":               {w, with(base, "taints", []any{map[string]any{"key": "k", "effect": "NoExecute"}}), ""},
		"a number that is too large":       {w, with(base, "worker_auto_renew_period", uint64(math.MaxUint64)), "whole number"},
		"a fraction for a whole number":    {w, with(base, "worker_system_disk_size", 40.5), "not a number with a fraction"},
		"encrypted as true or false":       {w, with(base, "worker_data_disks", []any{map[string]any{"category": "x", "size": 40, "encrypted": "maybe"}}), "true or false"},
		"seven letters of all kinds":       {w, pw("Aa1!567"), "8 to 30"},
		"eight letters of three kinds":     {w, pw("Aa345678"), ""},
		"31 letters":                       {w, pw("Aa1" + strings.Repeat("x", 28)), "8 to 30"},
		"two kinds":                        {w, pw("aaaaaaa1"), "three of"},
		"a password that is a number":      {w, pw(12345678), "in quotes"},
		"an edge disk of 25":               {e, with(edgeParams(), "worker_system_disk_size", 25), "multiple of 10"},
		"an edge disk of 110":              {e, with(edgeParams(), "worker_system_disk_size", 110), "20 to 100"},
		"an edge data disk of 200":         {e, with(edgeParams(), "worker_data_disk_size", 200), ""},
		"an edge data disk of 10":          {e, with(edgeParams(), "worker_data_disk_size", 10), "20 to 200"},
		"an edge data disk of 210":         {e, with(edgeParams(), "worker_data_disk_size", 210), "20 to 200"},
		"edge renewal every 13 months":     {e, with(edgeParams(), "worker_auto_renew_period", 13), "1 to 12"},
		"edge renewal of no period":        {e, without(edgeParams(), "worker_auto_renew_period"), "is missing"},
		"edge term of 5 months":            {e, with(edgeParams(), "worker_period", 5), "in months"},
		"not an edge worker":               {e, with(edgeParams(), "is_edge_worker", false), "must be true"},
		"an edge worker, said so":          {e, with(edgeParams(), "is_edge_worker", true), ""},
		"edge: the table's capital letter": {e, with(without(edgeParams(), "ens_internet_charge_type"), "ens_Internet_charge_type", "BandwidthByDay"), "There is no field ens_Internet_charge_type"},
		"edge: another kind of bandwidth":  {e, with(edgeParams(), "ens_internet_charge_type", "BandwidthByMonth"), "95BandwidthByMonth"},
		"edge: a key pair":                 {e, with(edgeParams(), "key_pair", "ops"), "key_pair is a field of api: scale-out-cluster"},
		"edge: time out at once":           {e, with(edgeParams(), "timeout_mins", 0), "from 1"},
		"edge without an image":            {e, without(edgeParams(), "worker_image_id"), "worker_image_id is missing"},
		"edge without a system disk":       {e, without(edgeParams(), "worker_system_disk_size"), "worker_system_disk_size is missing"},
		"pool with how nodes leave":        {"", map[string]any{"drain_node": true, "release_node": false, "concurrency": true}, ""},
		"pool with machine types":          {"", map[string]any{"worker_instance_types": []any{"x"}}, "is a field of api: scale-out-cluster"},
		"another form":                     {"edg", nil, "[edge]"},
	} {
		t.Run(name, func(t *testing.T) {
			g := providers.GroupConfig{Group: "g", API: tc.api, Params: tc.params}
			if tc.api == "" {
				g.GroupID = "np1"
			}
			got := problems(checkGroup(g))
			if tc.says == "" {
				require.Empty(t, got)
				return
			}
			require.NotEmpty(t, got)
			require.Contains(t, got[0], tc.says)
		})
	}
	require.Equal(t, []string{"node_pool"}, checkGroup(providers.GroupConfig{Group: "workers"})[0].Path)
}

func manyTags(n int) (out []any) {
	for i := range n {
		out = append(out, map[string]any{"key": fmt.Sprint(i), "value": "v"})
	}
	return out
}

func TestGroupID(t *testing.T) {
	id := Kind().GroupID
	require.Equal(t, "np0123456789", id(providers.GroupConfig{Group: "workers", GroupID: "np0123456789"}))
	require.Equal(t, "np0123456789", id(providers.GroupConfig{Group: "np0123456789"}), "as the doctor prints a pool")
	require.Equal(t, "", id(providers.GroupConfig{Group: "workers"}))
	require.Equal(t, allWorkers, id(providers.GroupConfig{Group: "legacy", API: "scale-out-cluster"}))
	require.Equal(t, ensWorkers, id(providers.GroupConfig{Group: "edge", API: "edge"}))
	require.Equal(t, "np1", id(providers.GroupConfig{Group: "legacy", API: "scale-out-cluster", GroupID: "np1"}))
}

func TestCheckAccount(t *testing.T) {
	fine := providers.Account{Region: "cn-beijing"}
	require.Empty(t, checkAccount(fine))
	for endpoint, okay := range map[string]bool{
		"http://127.0.0.1:7001": true, "https://cs-vpc.cn-beijing.aliyuncs.com": true, "HTTPS://x/": true,
		"cs.cn-beijing.aliyuncs.com": false, "127.0.0.1:7001": false, "https://x/cs": false, "ftp://x": false,
		"https://user:pw@x": false, "https://x?a=b": false, "https://": false, "http://[::1": false,
	} {
		a, b := fine, fine
		a.Endpoint, b.PriceEndpoint = endpoint, endpoint
		require.Equal(t, okay, len(checkAccount(a)) == 0, endpoint)
		require.Equal(t, okay, len(checkAccount(b)) == 0, endpoint)
	}
	var paths []string
	for _, p := range checkAccount(providers.Account{Endpoint: "x", PriceEndpoint: "y", ProjectID: "z", KeyID: "a"}) {
		paths = append(paths, p.Path[0])
	}
	require.Equal(t, []string{"access_key_secret", "endpoint", "price_endpoint", "project_id", "region"}, paths)
	require.Equal(t, "access_key_id", checkAccount(providers.Account{Region: "cn-beijing", KeySecret: "x"})[0].Path[0])
	require.Equal(t, "region", checkAccount(providers.Account{Region: "Beijing"})[0].Path[0])
}

func TestOpen(t *testing.T) {
	_, err := Kind().Open(providers.Account{Name: "a", Region: "cn-beijing", KeyID: keyID}, providers.Env{Now: time.Now})
	require.ErrorContains(t, err, "account a: access_key_secret: ")
	require.NotContains(t, err.Error(), keyID)
	_, err = Kind().Open(providers.Account{Name: "a", Region: "cn-beijing", Groups: []providers.GroupConfig{{Cluster: "c", Group: "x"}}}, providers.Env{Now: time.Now})
	require.ErrorContains(t, err, "cluster c group x")
	_, err = Kind().Open(providers.Account{Name: "a", Region: "cn-beijing"}, providers.Env{})
	require.Error(t, err)
	p, err := Kind().Open(providers.Account{Name: "a", Region: "cn-wuhan"}, providers.Env{Now: time.Now})
	require.NoError(t, err)
	require.Equal(t, "cs.aliyuncs.com", p.(*provider).ack.host, "the SDK's own rule for regions")
	require.Equal(t, "ecs.cn-wuhan.aliyuncs.com", p.(*provider).ecs.host)
	require.Equal(t, "ens.aliyuncs.com", p.(*provider).ens.host)
}

// The proxy is settled by Go's reading of the environment and told to the SDK,
// whose own reading must never be reached: it hangs for good on 10.0.0.1:3128.
func TestProxy(t *testing.T) {
	for name, tc := range map[string]struct {
		endpoint, proxy, noProxy string
	}{
		"none":                {"", "", "cs.cn-beijing.aliyuncs.com"},
		"none, local":         {"http://127.0.0.1:7001", "", "127.0.0.1:7001"},
		"one":                 {"", "http://10.0.0.1:3128", ""},
		"one with a password": {"https://private.example:8443", "http://u:p-secret@10.0.0.1:3128", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var asked string
			at, err := addressOf(tc.endpoint, "cs.cn-beijing.aliyuncs.com", func(r *http.Request) (*url.URL, error) {
				asked = r.URL.String()
				if tc.proxy == "" {
					return nil, nil
				}
				return url.Parse(tc.proxy)
			})
			require.NoError(t, err)
			c := newBench(t).p.(*provider).config(keys{}, at)
			require.Equal(t, tc.noProxy, value(c.NoProxy))
			require.Equal(t, tc.proxy, value(c.HttpProxy))
			require.Equal(t, tc.proxy, value(c.HttpsProxy))
			require.Equal(t, strings.ToLower(at.protocol)+"://"+at.host+"/", asked)
			require.Equal(t, strings.Contains(tc.proxy, "p-secret"), at.proxyPassword == "p-secret")
		})
	}
	_, err := addressOf("", "h", func(*http.Request) (*url.URL, error) { return nil, errors.New("http://u:p-secret@x y") })
	require.ErrorContains(t, err, "HTTPS_PROXY")
	require.NotContains(t, err.Error(), "p-secret")
}
