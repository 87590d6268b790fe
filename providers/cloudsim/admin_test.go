package cloudsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scalebot/providers/cloudsim"
)

func TestAdmin(t *testing.T) {
	sim := run(t, nil)
	c := newClient(t, sim)
	mux := http.NewServeMux()
	mux.Handle("/demo/clouds/", sim.AdminHandler())
	page := httptest.NewServer(mux)
	defer page.Close()

	do := func(method, what, kind, body string) (int, cloudsim.State, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, page.URL+"/demo/clouds/"+what, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", kind)
		res, err := c.http.Do(req)
		require.NoError(t, err)
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		var s cloudsim.State
		var e struct {
			Error string `json:"error"`
		}
		require.NoError(t, json.Unmarshal(raw, &s))
		require.NoError(t, json.Unmarshal(raw, &e))
		return res.StatusCode, s, e.Error
	}
	post := func(what, body string) (int, cloudsim.State, string) {
		t.Helper()
		return do(http.MethodPost, what, "application/json", body)
	}

	code, s, _ := do(http.MethodGet, "state", "", "")
	require.Equal(t, http.StatusOK, code)
	require.Len(t, s.Clusters, 3, "one of Tencent's, two of Alibaba's")
	require.True(t, s.Clusters[0].Usable)
	require.Nil(t, s.Clusters[0].Operation)
	require.Equal(t, "TASK", s.Clusters[0].Groups[3].ID)
	require.Equal(t, 3, s.Clusters[0].Groups[3].Count)
	require.Len(t, s.Clusters[0].Groups[3].Nodes, 3)

	code, s, _ = post("fault", `{"kind":"slow","cloud":"tencent-emr","action":"DescribeCvmQuota","delay":"3s","times":-1}`)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, []cloudsim.FaultState{{ID: 1, Kind: cloudsim.Slow, Cloud: cloudsim.Tencent, Action: "DescribeCvmQuota", Times: -1, Delay: "3s"}}, s.Faults)
	_, s, _ = post("fault", `{"kind":"flow-blocked","stage":1}`)
	require.Len(t, s.Faults, 2)
	_, s, _ = post("clear", `{"id":1}`)
	require.Len(t, s.Faults, 1)

	c.must("ScaleOutCluster", hourly(2, ""))
	sim.Advance(time.Minute)
	_, s, _ = do(http.MethodGet, "state", "", "")
	op := s.Clusters[0].Operation
	require.Equal(t, "19239", op.ID)
	require.Equal(t, 2, op.Delta)
	require.True(t, op.Blocked)
	require.Equal(t, 1, op.Stages[0].Status)
	require.Equal(t, "scaling out", s.Clusters[0].StatusText)
	_, s, _ = post("clear", `{}`)
	require.Empty(t, s.Faults)
	require.False(t, s.Clusters[0].Operation.Blocked)
	sim.Advance(time.Hour)

	// Somebody else resizes the group: up, then down.
	_, s, _ = post("set", `{"cluster":"emr-m620","group":"task","count":9}`)
	require.Equal(t, 9, s.Clusters[0].Groups[3].Count)
	require.Equal(t, cloudsim.Outside, s.Ledger[0].Outcome)
	require.Equal(t, 4, s.Ledger[0].Delta)
	require.Len(t, c.nodes("task"), 9)
	_, s, _ = post("set", `{"cluster":"emr-m620","group":"TASK","count":1}`)
	require.Equal(t, -8, s.Ledger[0].Delta)
	require.Len(t, c.nodes("task"), 1)
	require.Equal(t, 1, accepted(sim))

	for _, bad := range [][2]string{
		{"fault", `{"kind":"fire"}`}, {"fault", `{"kind":"slow","delay":"soon"}`}, {"fault", `{"sort":"slow"}`}, {"fault", `{`},
		{"clear", `{"id":77}`}, {"clear", ``}, {"set", `{"cluster":"emr-m620","group":"task"}`},
		{"set", `{"cluster":"emr-none","group":"task","count":1}`}, {"set", `{"cluster":"emr-m620","group":"gpu","count":1}`},
		{"set", `{"cluster":"emr-m620","group":"task","count":-1}`},
	} {
		code, _, msg := post(bad[0], bad[1])
		require.Equal(t, http.StatusBadRequest, code, "%v", bad)
		require.NotEmpty(t, msg)
	}
	code, _, _ = do(http.MethodPost, "clear", "text/plain", `{}`)
	require.Equal(t, http.StatusUnsupportedMediaType, code, "what a form of another site could send")
	code, _, _ = do(http.MethodGet, "fault", "", "")
	require.Equal(t, http.StatusNotFound, code)
}
