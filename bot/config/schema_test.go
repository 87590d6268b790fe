package config_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"scalebot/bot/config"
	"scalebot/deploy"
)

// The sample is valid by the schema, and the schema notices what is wrong.
func TestSchemaKnowsTheFile(t *testing.T) {
	v := newValidator(t)
	var doc map[string]any
	require.NoError(t, yaml.Unmarshal(deploy.SampleConfig, &doc))
	require.Empty(t, v.check(v.root, doc, ""))

	for file, path := range map[string]string{
		"testdata/keys.yaml":      "/slack/bot_tokn",
		"testdata/values.yaml":    "/slack/sockets",
		"testdata/accounts.yaml":  "/accounts/typo", // half a pair is for the loader to see
		"testdata/approvals.yaml": "/approvals/groups/leads/users/0",
		"testdata/empty.yaml":     "/slack",
	} {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var bad map[string]any
		require.NoError(t, yaml.UnmarshalWithOptions(data, &bad, yaml.AllowDuplicateMapKey()))
		require.Contains(t, v.check(v.root, bad, ""), path, file)
	}
}

// Editors and CI read the schema with other regular expressions than Go's.
func TestSchemaPatternsAreOfEveryDialect(t *testing.T) {
	seen := 0
	var walk func(x any)
	walk = func(x any) {
		for _, it := range list(x) {
			walk(it)
		}
		m, _ := x.(map[string]any)
		for k, v := range m {
			if text, ok := v.(string); ok && k == "pattern" {
				seen++
				require.NotNil(t, dialect(t, text))
			}
			walk(v)
		}
	}
	walk(newValidator(t).root)
	require.Greater(t, seen, 10)
}

// dialect compiles a pattern of the schema after making sure that it holds only
// what ECMA 262 (which JSON Schema names), Python and Go all know and read alike.
// They differ in how they write a character by its number.
func dialect(t testing.TB, pattern string) *regexp.Regexp {
	t.Helper()
	for _, own := range []string{`\p`, `\P`, `\A`, `\z`, `\Z`, `\Q`, `\C`, `\x`, `\a`, `\s`, `\S`, `\w`, `\b`, `(?`, `[[:`} {
		require.NotContains(t, pattern, own, "in %s", pattern)
	}
	re, err := regexp.Compile(regexp.MustCompile(`\\u([0-9a-fA-F]{4})`).ReplaceAllString(pattern, `\x{$1}`))
	require.NoError(t, err)
	return re
}

// What the loader takes the schema takes too: an editor must not strike out what
// runs.
func TestSchemaTakesEveryNameThatTheLoaderTakes(t *testing.T) {
	v := newValidator(t)
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._-]{0,20}`), rapid.StringN(1, 20, 40)).Draw(rt, "name")
		text := slackSection + "accounts: {" + strconv.QuoteToASCII(name) + ": {provider: tencent-emr, region: r}}\n"
		_, err := config.Parse("f", []byte(text), env(tokens...), kinds())
		doc := map[string]any{
			"slack":    map[string]any{"app_token": "xapp-1", "bot_token": "xoxb-1"},
			"accounts": map[string]any{name: map[string]any{"provider": "tencent-emr", "region": "r"}},
		}
		bad := v.check(v.root, doc, "")
		if err == nil && len(bad) > 0 {
			rt.Fatalf("%q runs, but the schema has %v", name, bad)
		}
	})
	for _, bad := range []string{"a b", "-a", ".a", "a/b", "a:b", "", "a,b", "a`b", "a~b", "©"} {
		doc := map[string]any{
			"slack":    map[string]any{"app_token": "xapp-1", "bot_token": "xoxb-1"},
			"accounts": map[string]any{bad: map[string]any{"provider": "tencent-emr", "region": "r"}},
		}
		require.NotEmpty(t, v.check(v.root, doc, ""), bad)
	}
}

// Every key has its sentence, and every key of design.md section 6 is there.
func TestSchemaIsWhole(t *testing.T) {
	v := newValidator(t)
	paths := map[string]bool{}
	var walk func(s map[string]any, path string)
	walk = func(s map[string]any, path string) {
		for _, alternative := range []string{"anyOf", "oneOf"} {
			for _, a := range list(s[alternative]) {
				walk(a.(map[string]any), path)
			}
		}
		if items, ok := s["items"].(map[string]any); ok {
			walk(items, path+"/*")
		}
		if values, ok := s["additionalProperties"].(map[string]any); ok {
			walk(values, path+"/*")
		}
		props, _ := s["properties"].(map[string]any)
		for k, p := range props {
			require.NotEmpty(t, p.(map[string]any)["description"], path+"/"+k)
			paths[path+"/"+k] = true
			walk(p.(map[string]any), path+"/"+k)
		}
	}
	walk(v.root, "")
	for _, p := range []string{
		"/slack/app_token", "/slack/bot_token", "/slack/api_url", "/slack/command", "/slack/language", "/slack/sockets",
		"/redis/url", "/redis/key_prefix", "/http/listen", "/engine/lease", "/engine/call_timeout", "/engine/poll/min", "/engine/poll/max",
		"/engine/doubt", "/engine/follow", "/engine/workers", "/limits/commands_per_user_per_minute", "/limits/commands_per_channel_per_minute",
		"/accounts/*/provider", "/accounts/*/region", "/accounts/*/endpoint", "/accounts/*/price_endpoint", "/accounts/*/secret_id", "/accounts/*/secret_key",
		"/accounts/*/access_key_id", "/accounts/*/access_key_secret", "/accounts/*/project_id", "/accounts/*/access_key",
		"/clusters/*/account", "/clusters/*/id", "/clusters/*/labels", "/clusters/*/channels", "/clusters/*/requesters/usergroups", "/clusters/*/requesters/users",
		"/clusters/*/groups/*/min", "/clusters/*/groups/*/max", "/clusters/*/groups/*/max_step", "/clusters/*/groups/*/charge", "/clusters/*/groups/*/term",
		"/clusters/*/groups/*/params", "/clusters/*/groups/*/node_type", "/clusters/*/groups/*/node_pool", "/clusters/*/groups/*/node_group", "/clusters/*/groups/*/api",
		"/prices/*/currency", "/prices/*/hourly", "/prices/*/monthly", "/approvals/groups/*/users", "/approvals/groups/*/usergroups",
		"/approvals/reactions/approve", "/approvals/reactions/deny", "/approvals/expire_after", "/approvals/remind_after", "/approvals/grace",
		"/approvals/price_tolerance", "/approvals/self_approval", "/approvals/settle", "/approvals/freezers", "/approvals/freeze_pass", "/approvals/break_glass", "/approvals/freezes/*/pass", "/redis/audit_retention", "/approvals/rules/*/name", "/approvals/rules/*/when",
		"/approvals/rules/*/require", "/approvals/freezes/*/name", "/approvals/freezes/*/from", "/approvals/freezes/*/to", "/approvals/freezes/*/when",
	} {
		require.True(t, paths[p], p)
	}
}

// validator knows as much of JSON Schema as our schema uses, and refuses the
// rest, so that the schema can't outgrow it unseen.
type validator struct {
	t    testing.TB
	root map[string]any
	defs map[string]any
}

func newValidator(t *testing.T) *validator {
	t.Helper()
	v := &validator{t: t}
	require.NoError(t, json.Unmarshal(config.Schema(), &v.root))
	require.Equal(t, "https://json-schema.org/draft/2020-12/schema", v.root["$schema"])
	v.defs = v.root["$defs"].(map[string]any)
	return v
}

// check returns the paths at fault.
func (v *validator) check(s map[string]any, x any, at string) []string {
	var bad []string
	fault := func(ok bool) {
		if !ok {
			bad = append(bad, at)
		}
	}
	for word, arg := range s {
		switch word {
		case "$schema", "$defs", "title", "description", "default":
		case "$ref":
			bad = append(bad, v.check(v.defs["variable"].(map[string]any), x, at)...)
		case "type":
			fault(typeOf(x) == arg || arg == "number" && typeOf(x) == "integer")
		case "const":
			fault(x == arg)
		case "enum":
			fault(slices.Contains(list(arg), x))
		case "pattern":
			text, ok := x.(string)
			fault(!ok || dialect(v.t, arg.(string)).MatchString(text))
		case "minimum":
			n, ok := number(x)
			fault(!ok || n >= arg.(float64))
		case "maximum":
			n, ok := number(x)
			fault(!ok || n <= arg.(float64))
		case "anyOf", "oneOf":
			bad = append(bad, v.alternatives(word, list(arg), x, at)...)
		case "required":
			m, ok := x.(map[string]any)
			for _, k := range list(arg) {
				if _, has := m[k.(string)]; ok && !has {
					bad = append(bad, at+"/"+k.(string))
				}
			}
		case "propertyNames":
			m, _ := x.(map[string]any)
			for k := range m {
				bad = append(bad, v.check(arg.(map[string]any), k, at+"/"+k)...)
			}
		case "items":
			for i, it := range list(x) {
				bad = append(bad, v.check(arg.(map[string]any), it, fmt.Sprintf("%s/%d", at, i))...)
			}
		case "properties", "additionalProperties":
		default:
			panic("the validator doesn't know " + word)
		}
	}
	return append(bad, v.properties(s, x, at)...)
}

func (v *validator) alternatives(word string, all []any, x any, at string) []string {
	var deepest []string
	matched := 0
	for i, a := range all {
		b := v.check(a.(map[string]any), x, at)
		if len(b) == 0 {
			matched++
		}
		// The alternative that got deepest tells most.
		if i == 0 || len(b) > 0 && len(deepest) > 0 && len(b[0]) > len(deepest[0]) {
			deepest = b
		}
	}
	if matched == 1 || matched > 1 && word == "anyOf" {
		return nil
	}
	return append(deepest, at)
}

func (v *validator) properties(s map[string]any, x any, at string) []string {
	var bad []string
	m, _ := x.(map[string]any)
	props, _ := s["properties"].(map[string]any)
	for k, val := range m {
		if p, ok := props[k].(map[string]any); ok {
			bad = append(bad, v.check(p, val, at+"/"+k)...)
			continue
		}
		switch other := s["additionalProperties"].(type) {
		case bool:
			if !other {
				bad = append(bad, at+"/"+k)
			}
		case map[string]any:
			bad = append(bad, v.check(other, val, at+"/"+k)...)
		}
	}
	return bad
}

func list(x any) []any {
	l, _ := x.([]any)
	return l
}

func number(x any) (float64, bool) {
	switch n := x.(type) {
	case float64:
		return n, true
	case uint64:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

func typeOf(x any) string {
	switch x := x.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case float64:
		if x == math.Trunc(x) {
			return "integer"
		}
		return "number"
	case uint64, int64:
		return "integer"
	}
	panic(fmt.Sprintf("no YAML type: %T", x))
}
