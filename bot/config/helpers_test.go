package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scalebot/bot/config"
	"scalebot/providers"
)

// kinds is a table with one cloud whose checks are simple and loud.
func kinds() providers.Registry {
	return providers.NewRegistry(providers.KindSpec{
		Name: "tencent-emr",
		CheckAccount: func(a providers.Account) []providers.Problem {
			if a.Region == "nowhere" {
				return []providers.Problem{{Path: []string{"region"}, Text: "There is no such region."}}
			}
			return nil
		},
		CheckGroup: func(g providers.GroupConfig) []providers.Problem {
			var ps []providers.Problem
			for k, v := range g.Params {
				switch k {
				case "yarn_node_label", "password", "resource_spec":
				default:
					ps = append(ps, providers.Problem{Path: []string{"params", k}, Text: "There is no such field.", Suggest: "yarn_node_label"})
				}
				// What a careless adapter would do with a secret.
				if s, ok := v.(string); ok && strings.Contains(s, "hunter2") {
					ps = append(ps, providers.Problem{Path: []string{"params", k}, Text: "is too weak: " + s})
				}
			}
			return ps
		},
		GroupID: func(g providers.GroupConfig) string {
			if g.GroupID != "" {
				return strings.ToUpper(g.GroupID)
			}
			return strings.ToUpper(g.Group)
		},
		Open: func(providers.Account, providers.Env) (providers.Provider, error) { panic("config opens nothing") },
	})
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, p := range pairs {
			if k, v, _ := strings.Cut(p, "="); k == name {
				return v, true
			}
		}
		return "", false
	}
}

var tokens = []string{"SLACK_APP_TOKEN=xapp-1-A0-secretapp", "SLACK_BOT_TOKEN=xoxb-1-secretbot"}

const slackSection = "slack: {app_token: '${SLACK_APP_TOKEN}', bot_token: '${SLACK_BOT_TOKEN}'}\n"

// parse reads a text behind a right slack section.
func parse(t *testing.T, text string, vars ...string) *config.Config {
	t.Helper()
	c, err := config.Parse("scalebot.yaml", []byte(slackSection+text), env(append(slices.Clone(tokens), vars...)...), kinds())
	require.NoError(t, err)
	return c
}

func problems(t *testing.T, err error) []config.Problem {
	t.Helper()
	var e *config.Errors
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Problems)
	return e.Problems
}
