package config_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"scalebot/approvals"
	"scalebot/bot/config"
	"scalebot/bot/flow"
	"scalebot/commands"
	"scalebot/deploy"
	"scalebot/providers"
)

var update = flag.Bool("update", false, "write the .want files of testdata anew")

// Every bad file is answered with exactly the problems of its .want file, lines
// and suggestions included.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	vars := append([]string{"LEASE=forever and a day", "WEAK=hunter2-and-more", "EMPTY="}, tokens...)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = config.Parse(filepath.Base(file), data, env(vars...), kinds())
			require.Error(t, err)
			got := err.Error() + "\n"
			want := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(got), 0o600))
			}
			golden, err := os.ReadFile(want)
			require.NoError(t, err)
			if diff := cmp.Diff(string(golden), got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			for _, secret := range []string{"hunter2", "secretapp", "secretbot", "plainsecret", "forever"} {
				require.NotContains(t, got, secret)
			}
		})
	}
}

// The defaults are those of design.md section 6.
func TestDefaults(t *testing.T) {
	c := parse(t, "")
	require.Equal(t, config.Slack{
		AppToken: "xapp-1-A0-secretapp", BotToken: "xoxb-1-secretbot", APIURL: "https://slack.com/api/", Command: "/scale", Language: "en", Sockets: 2,
	}, c.Slack)
	require.Equal(t, config.Redis{
		RedisTarget: config.RedisTarget{Mode: config.RedisSingle, Network: "tcp", Addrs: []string{"localhost:6379"}}, KeyPrefix: "scalebot",
		AuditRetention: 400 * 24 * time.Hour,
	}, c.Redis)
	require.Equal(t, "127.0.0.1:9090", c.HTTP.Listen)
	require.Equal(t, config.Engine{
		Lease: 30 * time.Second, CallTimeout: 20 * time.Second, PollMin: 3 * time.Second, PollMax: 30 * time.Second,
		Doubt: 3 * time.Minute, Follow: 6 * time.Hour, Workers: 16,
	}, c.Engine)
	require.Equal(t, flow.Limits{PerUserMinute: 20, PerChannelMinute: 60}, c.Limits)
	require.Equal(t, approvals.Config{
		Groups:  map[string]approvals.Group{},
		Approve: []string{"white_check_mark", "heavy_check_mark", "+1"}, Deny: []string{"x", "no_entry", "-1"},
		ExpireAfter: 4 * time.Hour, PriceTolerance: 0.05,
	}, c.Approvals)
	require.Equal(t, 15*time.Minute, c.RemindAfter)
	require.Zero(t, c.Grace)
	require.Equal(t, []time.Duration{14 * 24 * time.Hour, 3 * 24 * time.Hour}, c.Renewals)
	require.Empty(t, c.Accounts)
	require.Empty(t, c.Catalog)

	c = parse(t, `
accounts: {a: {provider: tencent-emr, region: ap-guangzhou}}
clusters: {m: {account: a, id: emr-1, groups: {task: {}}}}
`)
	require.Equal(t, flow.Catalog{"m": {
		Name: "m", ID: "emr-1", Account: "a", Kind: "tencent-emr",
		Groups: map[string]flow.Group{"task": {Name: "task", ID: "TASK", Charge: providers.Postpaid}},
	}}, c.Catalog)
	require.Equal(t, []providers.Account{{
		Name: "a", Kind: "tencent-emr", Region: "ap-guangzhou", Rate: 20, Groups: []providers.GroupConfig{{Cluster: "m", Group: "task"}},
	}}, c.Accounts)
}

// The file of design.md section 6 is what people write. Its placeholders were
// made concrete; nothing else was touched.
func TestTheContractLoads(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yml")
	require.NoError(t, err)
	vars := append([]string{
		"TENCENTCLOUD_SECRET_ID=id", "TENCENTCLOUD_SECRET_KEY=a: {b} # c", "ALIBABA_CLOUD_ACCESS_KEY_ID=id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET=secret",
		"HUAWEICLOUD_SDK_PROJECT_ID=project", "HUAWEICLOUD_SDK_AK=ak", "HUAWEICLOUD_SDK_SK=sk", "EDGE_PASSWORD=} hunter2",
	}, tokens...)
	_, err = config.Parse("design.yaml", data, env(vars...), lenient())
	var unbuilt []string
	for _, p := range problems(t, err) {
		unbuilt = append(unbuilt, p.Error())
	}
	require.Equal(t, []string{
		"design.yaml:20:3: accounts.ack-bj: provider alibaba-ack is not built yet in this version",
		"design.yaml:21:3: accounts.mrs-n4: provider huawei-mrs is not built yet in this version",
	}, unbuilt)

	c, err := config.Parse("design.yaml", data, env(vars...), lenient("alibaba-ack", "huawei-mrs"))
	require.NoError(t, err)
	require.Empty(t, c.Warnings)
	byName := map[string]providers.Account{}
	for _, a := range c.Accounts {
		byName[a.Name] = a
	}
	require.Equal(t, "a: {b} # c", byName["data-gz"].KeySecret.Reveal(), "a variable's content is text")
	require.Equal(t, "project", byName["mrs-n4"].ProjectID)
	for _, g := range byName["ack-bj"].Groups {
		if g.Group == "edge" {
			require.Equal(t, "} hunter2", g.Params["login_password"])
		}
	}
}

// lenient is a table of clouds that check nothing: tencent-emr and the others
// named.
func lenient(more ...string) providers.Registry {
	spec := kinds()["tencent-emr"]
	spec.CheckGroup = func(providers.GroupConfig) []providers.Problem { return nil }
	specs := []providers.KindSpec{spec}
	for _, name := range more {
		spec.Name = name
		specs = append(specs, spec)
	}
	return providers.NewRegistry(specs...)
}

// A variable needs no quotes wherever a value may stand, and moves nothing.
func TestAVariableStandsUnquotedAnywhere(t *testing.T) {
	c := parse(t, `
accounts: {a: {provider: tencent-emr, region: ${REGION}, endpoint: https://${HOST}:8443, secret_id: ${ID}, secret_key: ${KEY}}}
clusters:
  m: {account: a, id: ${ID}, channels: [${C1}, ${C2}], labels: {one: ${KEY}, two: ${ID}-${KEY}, three: "${ID}", four: '$${ID}', ${ID}: key}, groups: {task: {}}}
  n:
    account: a
    id: ${ID}-2
    labels:
      text: |
        one ${ID}
        two {braces}
    groups: {task: {max: ${N}}}
`, "REGION=ap-guangzhou", "HOST=private.example", "ID=emr-1", "KEY={x: y}", "C1=C0A", "C2=C0B", "N=7")
	require.Equal(t, "https://private.example:8443", c.Accounts[0].Endpoint)
	require.Equal(t, []string{"C0A", "C0B"}, c.Catalog["m"].Channels)
	require.Equal(t, map[string]string{
		"one": "{x: y}", "two": "emr-1-{x: y}", "three": "emr-1", "four": "${ID}", "${ID}": "key",
	}, c.Catalog["m"].Labels, "keys are not looked into")
	require.Equal(t, "one emr-1\ntwo {braces}\n", c.Catalog["n"].Labels["text"])
	require.Equal(t, 7, *c.Catalog["n"].Groups["task"].Max)
}

// Errors behind a variable name the column of the file, and the file's own
// characters.
func TestErrorsBesideVariables(t *testing.T) {
	for text, want := range map[string]string{
		"x: {a: ${A}, b: ${B}, typo: 1}\n":             `f:2:1: x: unknown key`,
		"slack2: {a: ${A}\n":                           `f:2:9: YAML: `,
		"limits: {\"${A}\": 1, ${B}: 2}\n":             `f:2:21: limits.${B}: unknown key`,
		"http: {listen: ${A}, listne: ${B}}\n":         `f:2:22: http.listne: unknown key, did you mean "listen"?`,
		"http: {listen: ${UNSET}, ${UNSET2}: x}\n":     `f:2:16: http.listen: environment variable UNSET is not set`,
		"engine: {lease: ${A}}\n":                      `f:2:17: engine.lease: must be a duration such as 30s, 15m or 4h, not "${A}"`,
		"engine: {lease: \"${1}\"}\n":                  `f:2:17: engine.lease: ${ starts the name of an environment variable`,
		"redis: {key_prefix: *${A}}\n":                 `nothing above is marked &${A}`,
		"http: {listen: \"\ue000${A}\ue001\", x: 1}\n": `f:2:26: http.x: unknown key`,
	} {
		_, err := config.Parse("f", []byte(slackSection+text), env(append([]string{"A=hunter2-and-more", "B=plain"}, tokens...)...), kinds())
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "hunter2", text)
		require.NotContains(t, strings.ReplaceAll(err.Error(), `\ue000`, ""), "\ue000", text)
	}
}

// The sample that the binary prints loads, with every key where it belongs.
func TestSample(t *testing.T) {
	c := sample(t)
	require.Empty(t, c.Warnings)
	require.Len(t, c.Accounts, 1)
	a := c.Accounts[0]
	require.Equal(t, "id-in-env", a.KeyID.Reveal())
	require.Equal(t, "key-in-env", a.KeySecret.Reveal())
	require.Len(t, a.Groups, 2)
	params := a.Groups[1].Params
	require.Equal(t, "CLOUD", params["yarn_node_label"])
	require.Equal(t, []any{uint64(1), uint64(2)}, params["soft_deploy_info"])
	require.Equal(t, true, params["enable_start_service_flag"])

	m := c.Catalog["emr-m620"]
	require.Equal(t, map[string]string{"env": "prod", "team": "data"}, m.Labels)
	require.Equal(t, []string{"C0DATA"}, m.Channels)
	require.Equal(t, []string{"S0DATA"}, m.Requesters.Usergroups)
	task := m.Groups["task"]
	require.Equal(t, 100, *task.Max)
	require.Equal(t, 20, *task.MaxStep)
	require.Equal(t, 1, task.Months)
	core := m.Groups["core"]
	require.Equal(t, 3, core.Min)
	require.Nil(t, core.Max)
	require.Zero(t, core.Months)

	require.True(t, c.Approvals.RulesGiven)
	require.Len(t, c.Approvals.Rules, 3)
	require.Equal(t, map[string]int{"finops": 1, "leads": 1}, c.Approvals.Rules[0].Require)
	require.Equal(t, "2026-12-23T16:00:00Z", c.Approvals.Freezes[0].From.UTC().Format(time.RFC3339))
	require.Equal(t, []string{"leads"}, c.Settle)
	require.Equal(t, approvals.Group{Users: []string{"U0LEAD1", "U0LEAD2"}}, c.Approvals.Groups["leads"])
	require.True(t, c.Prices["MA5.8XLARGE256"].Hourly.Equal(decimal.RequireFromString("11.52")))
}

func sample(t *testing.T) *config.Config {
	t.Helper()
	registry := kinds()
	spec := registry["tencent-emr"]
	spec.CheckGroup = func(providers.GroupConfig) []providers.Problem { return nil }
	registry["tencent-emr"] = spec
	c, err := config.Parse("scalebot.yaml", deploy.SampleConfig, env(append([]string{
		"TENCENTCLOUD_SECRET_ID=id-in-env", "TENCENTCLOUD_SECRET_KEY=key-in-env", "REDIS_URL=redis://:pass-in-env@db:6380/2",
	}, tokens...)...), registry)
	require.NoError(t, err)
	return c
}

func TestTheRateOfAnAccount(t *testing.T) {
	c := parse(t, `
accounts:
  a: {provider: tencent-emr, region: ap-guangzhou}
  b: {provider: tencent-emr, region: ap-guangzhou, rate: 3}
`)
	rates := map[string]int{}
	for _, a := range c.Accounts {
		rates[a.Name] = a.Rate
	}
	require.Equal(t, map[string]int{"a": 20, "b": 3}, rates)
}

// Left out, the kind decides; said, config does, down to none at all.
func TestThePaceOfAnAccount(t *testing.T) {
	c := parse(t, `
accounts:
  a: {provider: tencent-emr, region: ap-guangzhou}
  b: {provider: tencent-emr, region: ap-guangzhou, pace: 0s}
  c: {provider: tencent-emr, region: ap-guangzhou, pace: 1m}
`)
	require.Nil(t, c.Accounts[0].Pace)
	require.Zero(t, *c.Accounts[1].Pace)
	require.Equal(t, time.Minute, *c.Accounts[2].Pace)
}

// No way of printing a config shows a secret, params among them.
func TestPrintsNoSecret(t *testing.T) {
	c := parse(t, `
redis: {url: 'redis+sentinel://u:plainsecret@a,b/m?sentinel_password=plainsecret'}
accounts: {a: {provider: tencent-emr, region: ap-guangzhou, secret_id: plainsecret, secret_key: plainsecret}}
clusters: {m: {account: a, id: emr-1, groups: {task: {params: {password: "${PASSWORD}"}}}}}
`, "PASSWORD=plainsecret")
	require.Equal(t, "plainsecret", c.Redis.SentinelPassword.Reveal())
	require.Equal(t, "plainsecret", c.Accounts[0].Groups[0].Params["password"], "the adapter gets it")
	asJSON, err := json.Marshal(c)
	require.NoError(t, err)
	for _, printed := range []string{
		fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", *c), fmt.Sprint(c.Accounts), string(asJSON),
	} {
		require.NotEmpty(t, printed)
		require.NotContains(t, printed, "plainsecret")
		require.NotContains(t, printed, "secretbot")
	}
}

// A variable's content is text: it can't add keys, comments or references.
func TestVariablesAreText(t *testing.T) {
	nasty := "x\", evil: true} # ${SLACK_BOT_TOKEN}\nmore: 1"
	c := parse(t, `
accounts: {a: {provider: tencent-emr, region: ap-guangzhou}}
clusters: {m: {account: a, id: emr-1, labels: {one: "${NASTY}", two: "a${N}b$${N}c$N"}, groups: {task: {max: "${N}", params: {yarn_node_label: "${N}"}}}}}
`, "NASTY="+nasty, "N=7")
	require.Equal(t, map[string]string{"one": nasty, "two": "a7b${N}c$N"}, c.Catalog["m"].Labels)
	require.Equal(t, 7, *c.Catalog["m"].Groups["task"].Max)
	require.Equal(t, "7", c.Accounts[0].Groups[0].Params["yarn_node_label"], "text, whatever it looks like")
}

func TestAliasesAndMerges(t *testing.T) {
	c := parse(t, `
accounts: {a: {provider: tencent-emr, region: ap-guangzhou}}
clusters:
  one: {account: a, id: emr-1, groups: &groups {task: &task {max: 5, max_step: 2}}}
  two: {account: a, id: emr-2, groups: *groups}
  three: {account: a, id: emr-3, groups: {task: {<<: *task, max: 9}}}
`)
	require.Equal(t, 5, *c.Catalog["two"].Groups["task"].Max)
	three := c.Catalog["three"].Groups["task"]
	require.Equal(t, 9, *three.Max)
	require.Equal(t, 2, *three.MaxStep)
}

func TestWarnings(t *testing.T) {
	c := parse(t, `
accounts:
  a: {provider: tencent-emr, region: ap-guangzhou}
  idle: {provider: tencent-emr, region: ap-guangzhou}
clusters:
  one: {account: a, id: emr-1, groups: {task: {}}}
  two: {account: a, id: emr-1, requesters: {}, groups: {task: {}}}
`)
	var got []string
	for _, w := range c.Warnings {
		got = append(got, w.Error())
	}
	require.Equal(t, []string{
		"scalebot.yaml:1:1: approvals.rules: is missing: every change will be refused; write [] if none shall need approval",
		"scalebot.yaml:5:3: accounts.idle: is used by no cluster",
		"scalebot.yaml:8:21: clusters.two.id: is the cluster one under a second name: their changes wait for each other",
		"scalebot.yaml:8:32: clusters.two.requesters: names nobody: nobody can scale this cluster",
	}, got)
	require.NotNil(t, c.Catalog["two"].Requesters, "nobody is not everybody")

	c = parse(t, "approvals: {rules: []}\n")
	require.True(t, c.Approvals.RulesGiven)
	require.Len(t, c.Warnings, 2)
	require.Contains(t, c.Warnings[1].Error(), "every change runs without approval")
}

// What a person may well want is taken; what can't work is not.
func TestShortTimes(t *testing.T) {
	c := parse(t, "engine: {lease: 1s, call_timeout: 100ms, poll: {min: 10ms, max: 10ms}}\napprovals: {expire_after: 1s, rules: []}\n")
	require.Equal(t, time.Second, c.Engine.Lease)
	require.Equal(t, 100*time.Millisecond, c.Engine.CallTimeout)
	require.Equal(t, 10*time.Millisecond, c.Engine.PollMin)
	require.Equal(t, time.Second, c.Approvals.ExpireAfter)
	warned := func(c *config.Config) bool {
		return slices.ContainsFunc(c.Warnings, func(p config.Problem) bool { return p.Path == "engine.call_timeout" })
	}
	require.False(t, warned(c))
	require.False(t, warned(parse(t, "engine: {lease: 30s, call_timeout: 20s}\n")))
	c = parse(t, "engine: {lease: 30s, call_timeout: 21s}\n")
	require.True(t, warned(c), "more than two thirds")
	for _, text := range []string{"{lease: 999ms}", "{call_timeout: 99ms}", "{poll: {min: 9ms}}", "{lease: 30s, call_timeout: 30s}"} {
		_, err := config.Parse("f", []byte(slackSection+"engine: "+text+"\n"), env(tokens...), kinds())
		require.Error(t, err, text)
	}
}

func TestSettleLeftOut(t *testing.T) {
	c := parse(t, "approvals: {groups: {b: {users: [U1]}, a: {usergroups: [S1]}}, rules: []}\n")
	require.Equal(t, []string{"a", "b"}, c.Settle)
}

func TestForms(t *testing.T) {
	for text, want := range map[string]float64{"5%": 0.05, "0.05": 0.05, "0": 0, "12.5%": 0.125, "1": 1} {
		require.InDelta(t, want, parse(t, "approvals: {rules: [], price_tolerance: "+text+"}\n").Approvals.PriceTolerance, 1e-12, text)
	}
	for text, want := range map[string]int{"1m": 1, "12m": 12, "1y": 12, "3y": 36} {
		c := parse(t, "accounts: {a: {provider: tencent-emr, region: r}}\nclusters: {m: {account: a, id: x, groups: {g: {term: "+text+"}}}}\n")
		require.Equal(t, want, c.Catalog["m"].Groups["g"].Months, text)
	}
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour} {
		require.Equal(t, want, parse(t, "approvals: {rules: [], expire_after: "+text+"}\n").Approvals.ExpireAfter, text)
	}
	// Unquoted, YAML reads these as numbers; they are meant as written.
	require.Equal(t, []string{"+1"}, parse(t, "approvals: {rules: [], reactions: {approve: [+1]}}\n").Approvals.Approve)
	require.Empty(t, parse(t, `http: {listen: ""}`).HTTP.Listen)
	require.Equal(t, "http://127.0.0.1:7001/api/", parse2(t, "api_url: http://127.0.0.1:7001/api").Slack.APIURL)
	c := parse(t, "accounts: {a: {provider: tencent-emr, region: r, endpoint: 'https://emr.intl.tencentcloudapi.com/'}}\n")
	require.Equal(t, "https://emr.intl.tencentcloudapi.com", c.Accounts[0].Endpoint)
}

// parse2 adds a key to the slack section.
func parse2(t *testing.T, key string) *config.Config {
	t.Helper()
	c, err := config.Parse("scalebot.yaml", []byte("slack:\n  app_token: ${SLACK_APP_TOKEN}\n  bot_token: ${SLACK_BOT_TOKEN}\n  "+key+"\n"), env(tokens...), kinds())
	require.NoError(t, err)
	return c
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.yaml")
	_, err := config.Load(path, env(), kinds())
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Len(t, problems(t, err), 1)
	require.Contains(t, err.Error(), path+": can't be read: no such file or directory")

	require.NoError(t, os.WriteFile(path, []byte("\ufeff"+slackSection), 0o600))
	_, err = config.Load(path, env(tokens...), kinds())
	require.NoError(t, err)
}

// A document that would take long is refused before it does.
func TestHostileDocuments(t *testing.T) {
	bomb := "x: &a0 [1]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("y%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i+1, i, i, i, i, i, i, i, i, i, i)
	}
	for name, text := range map[string]string{
		"brackets": strings.Repeat("[", 400_000),
		"braces":   strings.Repeat("{a: ", 100_000),
		"dashes":   strings.Repeat("- ", 200_000),
		"aliases":  bomb,
		"size":     strings.Repeat("# comment\n", 60_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("f", []byte(text), env(), kinds())
			require.Len(t, problems(t, err), 1)
		})
	}
}

// The names that a cluster can't have are the verbs of the language.
func TestVerbsAreNoClusterNames(t *testing.T) {
	for _, e := range commands.Help("en") {
		_, err := config.Parse("f", []byte(slackSection+"accounts: {a: {provider: tencent-emr, region: r}}\nclusters: {"+string(e.Verb)+": {account: a, id: x, groups: {g: {}}}}\n"), env(tokens...), kinds())
		require.ErrorContains(t, err, "is called like the command", e.Verb)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(deploy.SampleConfig)
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	contract, err := os.ReadFile("testdata/contract.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(contract)
	f.Add([]byte("a: &x [*x]\n<<: *x\n? [k]\n: !!str 1\nb: |\n  ${A}$${\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f", data, env(tokens...), kinds())
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if err == nil {
			return
		}
		for _, p := range problems(t, err) {
			if p.Text == "" || p.Line < 0 || p.Line > strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+1 {
				t.Fatalf("problem %+v of %q", p, data)
			}
			if strings.Contains(p.Error(), "secretbot") && !strings.Contains(string(data), "secretbot") {
				t.Fatalf("leak: %s", p.Error())
			}
		}
	})
}

func TestWhoMayFreezeAndBreakTheGlass(t *testing.T) {
	groups := "approvals:\n  groups: {leads: {users: [U0L]}, finops: {users: [U0F]}}\n  rules: []\n"
	c := parse(t, groups)
	require.Equal(t, []string{"finops", "leads"}, c.Approvals.Freezers, "left out = any approver group")
	require.Empty(t, c.Approvals.BreakGlass, "left out = nobody")
	c = parse(t, groups+"  freezers: [leads]\n  break_glass: [finops]\n  freezes:\n    - {name: x, from: 2026-12-24T00:00Z, to: 2027-01-03T00:00Z, pass: [finops]}\nredis: {audit_retention: 30d}\n")
	require.Equal(t, []string{"leads"}, c.Approvals.Freezers)
	require.Equal(t, []string{"finops"}, c.Approvals.BreakGlass)
	require.Empty(t, c.Approvals.FreezePass, "left out = nobody")
	require.Equal(t, []string{"leads"}, parse(t, groups+"  freeze_pass: [leads]\n").Approvals.FreezePass)
	require.Equal(t, []string{"finops"}, c.Approvals.Freezes[0].Pass)
	require.Equal(t, 30*24*time.Hour, c.Redis.AuditRetention)
}

func TestRemindersOfPrepaidTerms(t *testing.T) {
	for text, want := range map[string][]time.Duration{"[]": {}, "[30d, 36h]": {30 * 24 * time.Hour, 36 * time.Hour}} {
		require.Equal(t, want, parse(t, "approvals:\n  rules: []\n  renewal_reminders: "+text+"\n").Renewals, text)
	}
}

func TestBudgetsAndWhatTheyWarnOf(t *testing.T) {
	require.Empty(t, parse(t, "").Budgets.Centres, "left out = none")
	c := parse(t, `
accounts: {a: {provider: tencent-emr, region: r}}
clusters:
  m: {account: a, id: x, labels: {team: data}, groups: {g: {}}}
  n: {account: a, id: y, labels: {team: dta}, groups: {g: {}}}
  o: {account: a, id: z, groups: {g: {}}}
budgets: {label: team, centres: {data: {monthly: "20000.50", currency: CNY}, ads: {monthly: 1, currency: USD}}}
`)
	require.Equal(t, "team", c.Budgets.Label)
	require.Equal(t, "20000.5", c.Budgets.Centres["data"].Monthly.String())
	require.Equal(t, "CNY", c.Budgets.Centres["data"].Currency)
	require.Equal(t, "2026-12", c.Budgets.Month(time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)), "the clouds' bills run in UTC+8")
	warned := ""
	for _, w := range c.Warnings {
		warned += w.Error() + "\n"
	}
	require.Contains(t, warned, `clusters.n.labels.team: names cost centre "dta"`)
	require.Contains(t, warned, "clusters.o: has no label team")
	require.Contains(t, warned, "budgets.centres.ads: is the cost centre of no cluster")
	require.NotContains(t, warned, "clusters.m")
	utc := parse(t, "budgets: {label: team, zone: UTC, centres: {data: {monthly: 1, currency: CNY}}}\n")
	require.Equal(t, "2026-11", utc.Budgets.Month(time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)))
}
