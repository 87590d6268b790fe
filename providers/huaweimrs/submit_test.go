package huaweimrs

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"scalebot/providers"
	"scalebot/providers/internal/adapter"
)

// example is a request of the document, with the deviations that the package
// comment names: reserved fields left out, instances as a number,
// skip_bootstrap_scripts as a text.
func example(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	for _, reserved := range []string{"service_id", "plan_id", "previous_values"} {
		require.Contains(t, m, reserved)
		delete(m, reserved)
	}
	p := m["parameters"].(map[string]any)
	require.Equal(t, "", p["order_id"])
	delete(p, "order_id")
	n, err := strconv.ParseFloat(p["instances"].(string), 64)
	require.NoError(t, err)
	p["instances"] = n
	if skip, ok := p["skip_bootstrap_scripts"]; ok {
		p["skip_bootstrap_scripts"] = strconv.FormatBool(skip.(bool))
	}
	return m
}

// Each of the document's six examples is what the adapter sends for the command
// that means it.
func TestSendsTheDocumentsExamples(t *testing.T) {
	explicit := map[string]any{"skip_bootstrap_scripts": false, "scale_without_start": false}
	const one, two = "c9573435-7814-4b2c-9131-ad78b814414c", "a4951009-6a0f-4e7b-9c81-9d4bd1f8c537"
	for name, tc := range map[string]struct {
		params map[string]any // of the task group
		core   map[string]any
		world  world
		change providers.Change
		more   map[string]any // what the adapter says beyond the example
	}{
		"core-out":   {core: explicit, world: world{cores: 3}, change: change("core", 1)},
		"task-out":   {params: explicit, world: world{cores: 3, tasks: 1}, change: change("task", 1)},
		"task-first": {params: firstParams(), world: world{cores: 3}, change: change("task", 1)},
		"core-in":    {world: world{cores: 5}, change: change("core", -1)},
		// The plan names the nodes that people vote on, so they are sent.
		"task-in": {world: world{cores: 3, tasks: 2}, change: change("task", -1), more: map[string]any{"server_ids": []any{"task1"}}},
		// In order of id, so that two replicas send the same.
		"task-in-named": {
			world:  world{cores: 3, extra: []string{hostJSON(one, "Task", "ACTIVE"), hostJSON(two, "Task", "ACTIVE")}, counted: 2},
			change: named(one, two), more: map[string]any{"server_ids": []any{two, one}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tc.params, func(a *providers.Account, _ *providers.Env) { a.Groups[1].Params = tc.core })
			b.cluster(tc.world)
			op, err := b.submit(t, tc.change)
			require.NoError(t, err)
			require.Equal(t, providers.Operation{RequestID: "rid", AcceptedAt: noon}, op, "MRS gives no operation id")

			want := example(t, name)
			for k, v := range tc.more {
				want["parameters"].(map[string]any)[k] = v
			}
			calls := b.of(resize)
			require.Len(t, calls, 1)
			require.Empty(t, cmp.Diff(want, calls[0].body))
			require.Equal(t, "/v1.1/pid/cluster_infos/cid", calls[0].path)
			h := calls[0].header
			require.Contains(t, h.Get("Authorization"), "SDK-HMAC-SHA256 Access="+accessKey)
			require.Equal(t, "pid", h.Get("X-Project-Id"))
			require.Equal(t, "application/json", h.Get("Content-Type"))
			require.Empty(t, h.Get("Idempotency-Key"), "it would let Go's transport send a PUT twice")
			require.Equal(t, 1, calls[0].proto)
		})
	}
}

func TestWhatChatSaysGoesOverConfig(t *testing.T) {
	yes, no := true, false
	skips := map[string]any{"skip_bootstrap_scripts": true, "scale_without_start": true}
	for name, tc := range map[string]struct {
		params map[string]any
		edit   func(*providers.Change)
		skip   any // skip_bootstrap_scripts
		hold   any // scale_without_start
	}{
		"nobody says anything":   {nil, asIs, nil, nil},
		"config speaks":          {skips, asIs, "true", true},
		"bootstrap, start":       {skips, func(c *providers.Change) { c.Bootstrap, c.Start = &yes, &yes }, "false", false},
		"no-bootstrap, no-start": {nil, func(c *providers.Change) { c.Bootstrap, c.Start = &no, &no }, "true", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tc.params)
			c := change("task", 2)
			tc.edit(&c)
			_, err := b.submit(t, c)
			require.NoError(t, err)
			p := b.of(resize)[0].body["parameters"].(map[string]any)
			require.Equal(t, tc.skip, p["skip_bootstrap_scripts"])
			require.Equal(t, tc.hold, p["scale_without_start"])
			require.Equal(t, 2.0, p["instances"])
		})
	}
}

// spec= and disk= tell what the first nodes are, alone or over config.
func TestFirstNodes(t *testing.T) {
	for name, tc := range map[string]struct {
		params map[string]any
		edit   func(*providers.Change)
		want   map[string]any
	}{
		"from chat": {nil, func(c *providers.Change) {
			c.InstanceType, c.Disks = "c6.4xlarge.4.linux.bigdata", []providers.Disk{{Type: "gpssd", SizeG: 32000, Count: 10}}
		}, map[string]any{"node_size": "c6.4xlarge.4.linux.bigdata", "data_volume_type": "GPSSD", "data_volume_count": 10.0, "data_volume_size": 32000.0}},
		"flavour over config": {firstParams(), func(c *providers.Change) { c.InstanceType = "c6.4xlarge.4.linux.bigdata" },
			map[string]any{"node_size": "c6.4xlarge.4.linux.bigdata", "data_volume_type": "SATA", "data_volume_count": 2.0, "data_volume_size": 200.0}},
		"disk over config": {firstParams(), func(c *providers.Change) { c.Disks = []providers.Disk{{Type: "SSD", SizeG: 100, Count: 1}} },
			map[string]any{"node_size": "s3.xlarge.2.linux.bigdata", "data_volume_type": "SSD", "data_volume_count": 1.0, "data_volume_size": 100.0}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tc.params)
			b.cluster(world{cores: 3})
			c := change("task", 1)
			tc.edit(&c)
			_, err := b.submit(t, c)
			require.NoError(t, err)
			require.Equal(t, tc.want, b.of(resize)[0].body["parameters"].(map[string]any)["task_node_info"])
		})
	}
}

// What is not "succeeded" proves nothing, and is asked once.
func TestOnlySucceededIsAcceptance(t *testing.T) {
	for body, accepted := range map[string]bool{
		`{"result":"succeeded"}`: true, `{"result":"success"}`: true, `{"result":"SUCCEEDED"}`: true,
		`{"result":"failed"}`: false, `{"result":null}`: false, `{"result":""}`: false, `{}`: false, ``: false, `null`: false,
		`{"error_code":"12000017","error_msg":"x"}`: false, `{"result":`: false, `{"result":7}`: false, `<html>`: false,
	} {
		b := newBench(t, nil)
		b.always(resize, ok(body))
		_, err := b.submit(t, change("task", 1))
		if accepted {
			require.NoError(t, err, body)
		} else {
			requireKind(t, providers.Unknown, err, body)
			require.NotEmpty(t, providers.AdviceOf(err).ZH)
		}
		require.Len(t, b.of(resize), 1)
	}
	for _, status := range []int{http.StatusNoContent, http.StatusFound, http.StatusTemporaryRedirect} {
		b := newBench(t, nil)
		b.always(resize, answer{status: status})
		_, err := b.submit(t, change("task", 1))
		requireKind(t, providers.Unknown, err, status)
		require.Len(t, b.of(resize), 1)
	}
}

func TestSubmitSendsNothingWhen(t *testing.T) {
	for name, tc := range map[string]struct {
		change providers.Change
		edit   func(*bench, *providers.Submission)
		kind   providers.Kind
	}{
		"the params changed since the vote": {change("task", 2), func(_ *bench, s *providers.Submission) {
			s.Change.Profile = adapter.Digest(map[string]any{"scale_without_start": true})
		}, providers.Refused},
		"the plan has no profile":        {change("task", 2), func(_ *bench, s *providers.Submission) { s.Change.Profile = "" }, providers.Refused},
		"no cluster is named":            {change("task", 2), func(_ *bench, s *providers.Submission) { s.Change.ClusterID = "" }, providers.Refused},
		"there is nothing to do":         {change("task", 2), func(_ *bench, s *providers.Submission) { s.Change.Delta = 0 }, providers.Refused},
		"the group left the config":      {change("task", 2), func(_ *bench, s *providers.Submission) { s.Change.Group = "gone" }, providers.Refused},
		"prepaid got in":                 {change("task", 2), func(_ *bench, s *providers.Submission) { s.Change.Charge = providers.Prepaid; s.Change.Months = 1 }, providers.Refused},
		"the nodes to remove are lost":   {change("task", -2), func(_ *bench, s *providers.Submission) { s.Change.Nodes = nil }, providers.Refused},
		"core nodes got named":           {change("core", -1), func(_ *bench, s *providers.Submission) { s.Change.Nodes = []string{"core1"} }, providers.Refused},
		"the group has become empty":     {change("task", 2), func(_ *bench, s *providers.Submission) { s.Baseline.Groups[0].Count = 0 }, providers.Refused},
		"the baseline is of another one": {change("task", 2), func(_ *bench, s *providers.Submission) { s.Baseline.Groups = nil }, providers.Refused},
		"the group has nodes after all": {change("task", 2), func(_ *bench, s *providers.Submission) {
			s.Change.InstanceType, s.Change.Disks = "x", []providers.Disk{{Type: "SAS", SizeG: 100, Count: 1}}
		}, providers.Refused},
		"the replica was frozen": {change("task", 2), func(b *bench, _ *providers.Submission) { b.clock.set(noon.Add(adapter.SendWithin + time.Second)) }, providers.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.cluster(world{cores: 5, tasks: 5})
			sub := b.submission(t, tc.change)
			sub.Baseline.Groups = slices.Clone(sub.Baseline.Groups)
			tc.edit(b, &sub)
			_, err := b.p.Submit(context.Background(), sub)
			requireKind(t, tc.kind, err)
			require.NotEmpty(t, providers.AdviceOf(err).ZH)
			require.Empty(t, b.of(resize))
		})
	}
}

// Another edition of the params' digest or a stored record must not change what
// is sent: the submission comes back from Redis before it is used again.
func TestSubmissionSurvivesTheStore(t *testing.T) {
	b := newBench(t, firstParams())
	b.cluster(world{cores: 3})
	sub := b.submission(t, change("task", 2))
	raw, err := json.Marshal(sub)
	require.NoError(t, err)
	var stored providers.Submission
	require.NoError(t, json.Unmarshal(raw, &stored))
	for _, s := range []providers.Submission{sub, stored} {
		_, err := b.p.Submit(context.Background(), s)
		require.NoError(t, err)
	}
	require.Equal(t, b.of(resize)[0].body, b.of(resize)[1].body)
}
