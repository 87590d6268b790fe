package adapter_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/alibabaack"
	"scalebot/providers/huaweimrs"
	"scalebot/providers/providertest"
	"scalebot/providers/tencentemr"
)

// clouds are the adapters, each with a field of its params that is a map.
var clouds = map[string]struct {
	kind  providers.KindSpec
	group providers.GroupConfig
	field string
}{
	"tencent": {tencentemr.Kind(), providers.GroupConfig{Group: "task"}, "pod_spec_info"},
	"alibaba": {alibabaack.Kind(), providers.GroupConfig{Group: "legacy", API: "scale-out-cluster"}, "runtime"},
	"huawei":  {huaweimrs.Kind(), providers.GroupConfig{Group: "task"}, "task_node_info"},
}

// A password that slid up one level is not read out by the error that says so.
func TestAValueOfAnotherTypeIsNotShown(t *testing.T) {
	for name, c := range clouds {
		for _, raw := range []any{"pass-4711", 4711, uint64(4711), 4711.5, true, []any{"pass-4711"}} {
			g := c.group
			g.Params = map[string]any{c.field: raw}
			problems, said := c.kind.CheckGroup(g), false
			for _, p := range problems {
				require.NotContains(t, p.Text+p.Suggest, "4711", "%s: %T", name, raw)
				said = said || len(p.Path) == 2 && p.Path[1] == c.field
			}
			require.True(t, said, "%s: %T: %v", name, raw, problems)
		}
	}
}

// A cloud, or a gateway before it, may answer with the request and quote it. The
// secret is hidden in every cloud's errors, as JSON writes it and as JSON in JSON.
func TestAQuotedSecretIsHidden(t *testing.T) {
	const odd = `He"llo<&>\1x`
	quote := func(x string) string {
		b, err := json.Marshal(x)
		require.NoError(t, err)
		return string(b)
	}
	for name, message := range map[string]string{
		"as it is":     odd,
		"JSON":         quote(odd),
		"JSON in JSON": quote(quote(odd)),
	} {
		body, err := json.Marshal(map[string]any{ // every cloud finds its own words in it
			"code": "Odd " + odd, "message": message, "error_code": "Odd " + odd, "error_msg": message,
			"Response": map[string]any{"Error": map[string]any{"Code": "Odd " + odd, "Message": message}, "RequestId": "r"},
		})
		require.NoError(t, err)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Header.Get("X-Tc-Action") == "" {
				w.WriteHeader(http.StatusBadRequest)
			}
			_, _ = w.Write(body)
		}))
		defer s.Close()
		for cloud, c := range clouds {
			t.Run(cloud+" "+name, func(t *testing.T) {
				p, err := c.kind.Open(providers.Account{
					Name: "a", Kind: c.kind.Name, Region: "cn-north-4", Endpoint: s.URL, KeyID: "keyidentity", KeySecret: odd,
					ProjectID: map[bool]string{true: "pid"}[cloud == "huawei"],
				}, providers.Env{Now: time.Now})
				require.NoError(t, err)
				_, err = p.Observe(context.Background(), providers.ClusterRef{Name: "c", ID: "cid"})
				require.ErrorContains(t, err, "[secret]")
				providertest.Presentable(t, err, odd, "llo<&>", "llo\\u003c", "1x")
			})
		}
	}
}
