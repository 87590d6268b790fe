package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/redisstore/redistest"
	"scalebot/providers"
)

const deskConfig = `slack: {app_token: xapp-1, bot_token: xoxb-1}
redis: {url: "redis://%s/0"}
accounts:
  a: {provider: tencent-emr, region: ap-guangzhou, secret_id: id, secret_key: key}
clusters:
  emr: {account: a, id: emr-1, labels: {env: prod}, groups: {task: {}}}
approvals:
  groups: {leads: {users: [U0LEAD1, U0LEAD2]}}
  rules:
%s
`

// recorded is a Redis with two requests on record, and a config for it with the
// rules given.
func recorded(t *testing.T, rules string) (config string, rdb redis.UniversalClient) {
	t.Helper()
	server := redistest.Start(t)
	rdb = server.Client(t)
	require.NoError(t, redisstore.Register(t.Context(), rdb, "scalebot", "T1"))
	store := redisstore.New(rdb, "scalebot", "T1")
	old, problems := approvals.Compile(approvals.Config{
		Groups:     map[string]approvals.Group{"leads": {Users: []string{"U0LEAD1"}}},
		Approve:    []string{"+1"},
		RulesGiven: true, Rules: []approvals.Rule{{Name: "scale-in", When: "change.delta < 0", Require: map[string]int{"leads": 1}}},
	})
	require.Empty(t, problems)
	now := time.Now()
	for i, delta := range []int{2, -1} {
		c := providers.Change{Kind: "tencent-emr", Account: "a", Cluster: "emr", ClusterID: "emr-1", Group: "task", GroupID: "TASK", Delta: delta}
		plan := approvals.NewPlan(c, providers.Snapshot{Groups: []providers.Group{{ID: "TASK", Count: 3}}},
			providers.Quote{Known: true, Currency: "CNY", Monthly: decimal.NewFromInt(2555)})
		f := flow.Flow{
			ID: fmt.Sprintf("F-AAA%d", i), State: flow.Planning, CreatedAt: now,
			Request: flow.Request{Raw: "=emr task, \"x\"", User: "U0ASK", Channel: "C1", Wish: flow.Wish{Op: flow.Add, N: 2, Change: c}},
			Plans: []flow.Planned{{Plan: plan, At: now, Facts: &flow.Facts{Labels: map[string]string{"env": "prod"}, GroupsRead: true},
				Judgement: old.Judge(approvals.Facts{Plan: plan, Now: now})}},
		}
		_, fresh, err := store.Accept(t.Context(), f, f.ID, flow.Limits{})
		require.NoError(t, err)
		require.True(t, fresh)
	}
	claims, err := store.Claim(t.Context(), flow.LaneStep, now.Add(time.Second), time.Minute, 1)
	require.NoError(t, err)
	f, _, err := store.Get(t.Context(), claims[0].ID)
	require.NoError(t, err)
	f.State = flow.AwaitingApproval
	_, err = store.Save(t.Context(), claims[0], flow.Save{Flow: f, From: flow.Planning, Due: now.Add(time.Hour), Now: now, Audit: flow.Audit{
		Actor: "scalebot", Action: "votes", Detail: map[string]any{
			"plan":     f.Plans[0].Plan,
			"outcomes": []approvals.Outcome{{Rule: "scale-in", Matched: true}, {Rule: "other"}},
			"verdict": approvals.Verdict{Ballot: approvals.Ballot{
				Seats:     []approvals.Seat{{Requirement: approvals.Requirement{Group: "leads", N: 1}, By: []string{"U0LEAD1"}}},
				Uncounted: []approvals.Uncounted{{User: "U0ASK", Emoji: "+1", Reason: approvals.ReasonRequester}},
			}},
			"operation": providers.Operation{ID: "19239", RequestID: "req-1"},
		},
	}})
	require.NoError(t, err)
	config = filepath.Join(t.TempDir(), "scalebot.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, deskConfig, server.Addr, rules), 0o600))
	return config, rdb
}

const scaleIn = "    - {name: scale-in, when: 'change.delta < 0', require: {leads: 1}}"

func TestTheAuditIsExportedAndChecked(t *testing.T) {
	config, rdb := recorded(t, scaleIn)
	code, out, errs := command(t, "audit", "--config", config)
	require.Equal(t, exitDone, code, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 3)
	var e map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &e))
	require.Equal(t, "votes", e["action"])
	require.Equal(t, "T1", e["workspace"])
	require.InDelta(t, 3, e["n"], 0)

	code, out, errs = command(t, "audit", "--config", config, "--format", "csv", "--since", "1d")
	require.Equal(t, exitDone, code, errs)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	cell := func(row int, column string) string {
		for i, name := range rows[0] {
			if name == column {
				return rows[row][i]
			}
		}
		t.Fatal(column)
		return ""
	}
	require.Equal(t, `'=emr task, "x"`, cell(1, "typed"), "a spreadsheet must not run it")
	require.Equal(t, "committed 0, monthly 2555, hourly 0 CNY", cell(3, "price"))
	require.Equal(t, "scale-in", cell(3, "rules"))
	require.Equal(t, "U0LEAD1 for leads", cell(3, "counted"))
	require.Equal(t, "U0ASK +1: requester", cell(3, "not_counted"))
	require.Equal(t, "req-1", cell(3, "request_ids"))

	code, out, errs = command(t, "audit", "--config", config, "--verify")
	require.Equal(t, exitDone, code, errs)
	require.Contains(t, out, "workspace T1: 3 entries, 1 to 3, last link ")
	entries, err := rdb.XRange(t.Context(), "scalebot:{T1}:audit", "-", "+").Result()
	require.NoError(t, err)
	require.NoError(t, rdb.XDel(t.Context(), "scalebot:{T1}:audit", entries[1].ID).Err())
	code, out, _ = command(t, "audit", "--config", config, "--verify")
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "DAMAGED  entry 2 was removed")

	for _, wrong := range [][]string{{"--since", "yesterday"}, {"--since", "-3d"}, {"--format", "xml"}, {"now"}} {
		code, _, errs = command(t, append([]string{"audit", "--config", config}, wrong...)...)
		require.Equal(t, exitUsage, code, wrong)
		require.NotEmpty(t, errs)
	}
}

func TestAChangedFileIsTriedOnTheRecord(t *testing.T) {
	config, _ := recorded(t, "    - {name: all, when: 'cluster.labels.env == \"prod\" && change.delta > 0', require: {leads: 2}}")
	code, out, errs := command(t, "policy", "--config", config, "--replay", "90d")
	require.Equal(t, exitDone, code, errs)
	require.Regexp(t, `F-AAA0  \S+  U0ASK  emr task \+2  runs without approval → asks 2 of leads`, out)
	require.Regexp(t, `F-AAA1  \S+  U0ASK  emr task -1  asks 1 of leads → runs without approval`, out)
	require.Contains(t, out, "2 judged: 0 the same, 1 stricter, 1 looser, 0 other people or numbers; 0 could not be judged")

	config, _ = recorded(t, scaleIn)
	code, out, _ = command(t, "policy", "--config", config, "--replay", "90d")
	require.Equal(t, exitDone, code)
	require.Contains(t, out, "2 judged: 2 the same")

	code, _, errs = command(t, "policy", "--config", config, "--replay", "90d", "emr task +2")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "not both")
}

func TestTheDoctorWarnsOfARuleThatNeverMatches(t *testing.T) {
	config := filepath.Join(t.TempDir(), "scalebot.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, deskConfig, "localhost:1",
		scaleIn+"\n    - {name: huge, when: 'change.delta < 0 && quote.monthly > 100.0', require: {leads: 1}}"), 0o600))
	code, out, errs := command(t, "check", "--config", config, "--offline")
	require.Equal(t, exitDone, code, errs)
	require.Regexp(t, `warn  rule huge matched none of [1-9]\d* plausible requests`, out)
	require.NotContains(t, out, "rule scale-in")
}
