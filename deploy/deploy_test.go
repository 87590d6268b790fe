package deploy_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"scalebot/bot/config"
	"scalebot/bot/slackapp"
	"scalebot/deploy"
	"scalebot/providers"
	"scalebot/providers/alibabaack"
	"scalebot/providers/huaweimrs"
	"scalebot/providers/tencentemr"
)

type manifest struct {
	Display struct {
		Name            string
		Description     string
		BackgroundColor string `yaml:"background_color"`
	} `yaml:"display_information"`
	Features struct {
		AppHome struct {
			Home     bool `yaml:"home_tab_enabled"`
			Messages bool `yaml:"messages_tab_enabled"`
		} `yaml:"app_home"`
		BotUser struct {
			Name string `yaml:"display_name"`
		} `yaml:"bot_user"`
		Commands []struct {
			Command      string
			ShouldEscape bool `yaml:"should_escape"`
		} `yaml:"slash_commands"`
	}
	OAuth struct {
		Scopes struct{ Bot, User []string }
	} `yaml:"oauth_config"`
	Settings struct {
		Events struct {
			Bot []string `yaml:"bot_events"`
		} `yaml:"event_subscriptions"`
		Interactivity struct {
			Enabled bool `yaml:"is_enabled"`
		}
		SocketMode bool `yaml:"socket_mode_enabled"`
		Rotation   bool `yaml:"token_rotation_enabled"`
	}
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	var m manifest
	require.NoError(t, yaml.Unmarshal(deploy.SlackManifest, &m))
	return m
}

// The app asks for exactly what the code needs: less would break, more would
// have to be justified to whoever installs it.
func TestManifestScopes(t *testing.T) {
	var need []string
	for _, s := range slackapp.RequiredScopes() {
		need = append(need, s.Name)
	}
	m := readManifest(t)
	require.ElementsMatch(t, need, m.OAuth.Scopes.Bot)
	require.Empty(t, m.OAuth.Scopes.User)
}

func TestManifest(t *testing.T) {
	m := readManifest(t)
	// Slack's limits, reference section 8.
	require.LessOrEqual(t, len(m.Display.Name), 35)
	require.LessOrEqual(t, len(m.Display.Description), 140)
	require.LessOrEqual(t, len(m.Features.BotUser.Name), 80)
	require.Regexp(t, `^#[0-9a-f]{6}$`, m.Display.BackgroundColor)
	require.True(t, m.Settings.SocketMode)
	require.True(t, m.Settings.Interactivity.Enabled)
	require.False(t, m.Settings.Rotation, "the config takes no rotating token")
	require.True(t, m.Features.AppHome.Home)
	require.True(t, m.Features.AppHome.Messages, "private answers need it where a channel takes none")
	require.NotContains(t, string(deploy.SlackManifest), "request_url", "Socket Mode has none")

	require.Len(t, m.Features.Commands, 1)
	require.True(t, m.Features.Commands[0].ShouldEscape, "else a name could pass for a person")
	require.Equal(t, sample(t).Slack.Command, m.Features.Commands[0].Command)

	// Each event comes with the scope that it needs.
	scopeOf := map[string]string{
		"app_mention": "app_mentions:read", "reaction_added": "reactions:read", "reaction_removed": "reactions:read",
		"message.channels": "channels:history", "message.groups": "groups:history",
		"subteam_members_changed": "usergroups:read", "subteam_updated": "usergroups:read", "user_change": "users:read",
		"app_home_opened": "", "tokens_revoked": "", "app_uninstalled": "",
	}
	for _, e := range m.Settings.Events.Bot {
		scope, known := scopeOf[e]
		require.True(t, known, e)
		require.True(t, scope == "" || slices.Contains(m.OAuth.Scopes.Bot, scope), e)
	}
	require.Len(t, m.Settings.Events.Bot, len(scopeOf))
}

// Whoever installs the app reads why, line by line.
func TestManifestGivesReasons(t *testing.T) {
	m := readManifest(t)
	for _, item := range append(m.OAuth.Scopes.Bot, m.Settings.Events.Bot...) {
		require.Regexp(t, `(?m)^ +- `+regexp.QuoteMeta(item)+` +# \S+`, string(deploy.SlackManifest))
	}
}

func sample(t *testing.T) *config.Config {
	t.Helper()
	vars := dotenv(t)
	vars["SLACK_APP_TOKEN"] += "1-A0-x"
	vars["SLACK_BOT_TOKEN"] += "1-x"
	vars["TENCENTCLOUD_SECRET_ID"], vars["TENCENTCLOUD_SECRET_KEY"] = "id", "key"
	c, err := config.Parse("scalebot.yaml", deploy.SampleConfig, func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}, providers.NewRegistry(tencentemr.Kind()))
	require.NoError(t, err)
	return c
}

// The sample loads with this version's clouds and the variables of .env.example,
// filled in: neither may name what the other hasn't.
func TestSampleLoads(t *testing.T) {
	c := sample(t)
	require.Empty(t, c.Warnings)
	require.Equal(t, "TASK", c.Catalog["emr-m620"].Groups["task"].ID)
	for name := range dotenv(t) {
		require.Contains(t, string(deploy.SampleConfig), "${"+name+"}")
	}
}

// What the sample holds in comments, for the clouds that not everybody uses,
// loads as well once it is uncommented.
func TestSampleLoadsWithEveryCloud(t *testing.T) {
	var b strings.Builder
	inside := false
	block := regexp.MustCompile(`^  # [a-z0-9.-]+:( \{.*)?$`)
	for line := range strings.Lines(string(deploy.SampleConfig)) {
		text := strings.TrimRight(line, "\n")
		inside = strings.HasPrefix(text, "  # ") && (inside || block.MatchString(text))
		if inside {
			line = "  " + strings.TrimPrefix(line, "  # ")
		}
		b.WriteString(line)
	}
	c, err := config.Parse("scalebot.yaml", []byte(b.String()), func(name string) (string, bool) {
		v, given := map[string]string{
			"SLACK_APP_TOKEN": "xapp-1-A0-x", "SLACK_BOT_TOKEN": "xoxb-1-x", "REDIS_URL": "redis://r:6379/0", "EDGE_PASSWORD": "Edge-1234",
			"HUAWEICLOUD_SDK_PROJECT_ID": "0a1b2c3d4e5f40718293a4b5c6d7e8f9", "HUAWEICLOUD_SDK_DOMAIN_ID": "9f8e7d6c5b4a49382716f5e4d3c2b1a0",
		}[name]
		if !given {
			v = "key-of-" + name
		}
		return v, true
	}, providers.NewRegistry(tencentemr.Kind(), alibabaack.Kind(), huaweimrs.Kind()))
	require.NoError(t, err)
	require.Len(t, c.Accounts, 3)
	require.Equal(t, []string{"analytics", "emr-m620", "web", "web-edge"}, c.Catalog.Names())
	require.Len(t, c.Prices, 2)
}

func dotenv(t *testing.T) map[string]string {
	t.Helper()
	vars := map[string]string{}
	for line := range strings.Lines(read(t, ".env.example")) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			vars[k] = strings.Trim(v, "'")
		}
	}
	require.NotEmpty(t, vars)
	return vars
}

func TestCompose(t *testing.T) {
	var c struct {
		Services map[string]struct {
			Command     []string
			Environment map[string]string
			Volumes     []any
			Ports       []string
			ReadOnly    bool   `yaml:"read_only"`
			EnvFile     string `yaml:"env_file"`
			Grace       string `yaml:"stop_grace_period"`
			Build       struct{ Context, Dockerfile string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c))
	redis := strings.Join(c.Services["redis"].Command, " ")
	for _, setting := range []string{"--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"} {
		require.Contains(t, redis, setting)
	}
	require.Empty(t, c.Services["redis"].Ports, "nobody else may reach the bot's memory")
	require.NotEmpty(t, c.Services["redis"].Volumes)
	bot := c.Services["scalebot"]
	require.Equal(t, "redis://redis:6379/0", bot.Environment["REDIS_URL"])
	require.Equal(t, ".env", bot.EnvFile)
	require.True(t, bot.ReadOnly)
	require.Equal(t, "..", bot.Build.Context)
	require.Equal(t, "deploy/Dockerfile", bot.Build.Dockerfile)
	require.Equal(t, "15s", bot.Grace, "more than the 10 s in which the bot stops")
	for _, p := range bot.Ports {
		require.True(t, strings.HasPrefix(p, "127.0.0.1:"), p)
	}
}

// The image is built with the Go of go.mod, and of sources that exist.
func TestDockerfile(t *testing.T) {
	file, mod := read(t, "Dockerfile"), read(t, "../go.mod")
	goVersion := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(mod)
	require.NotNil(t, goVersion)
	require.Contains(t, file, "ARG GO_VERSION="+goVersion[1]+"\n")
	require.Regexp(t, `(?m)^USER [1-9][0-9]*:[1-9][0-9]*$`, file)
	require.Contains(t, file, "CGO_ENABLED=0")
	require.Contains(t, file, "-trimpath")
	require.Contains(t, read(t, "../cmd/scalebot/main.go"), "var version =", "-X main.version sets it")

	ignore := read(t, "../.dockerignore")
	require.True(t, strings.HasPrefix(ignore[strings.Index(ignore, "\n")+1:], "*\n"), "all is left out but what is named")
	for line := range strings.Lines(ignore) {
		if kept, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok && !strings.Contains(kept, "*") {
			_, err := os.Stat("../" + kept)
			require.NoError(t, err)
		}
	}
	for _, embedded := range regexp.MustCompile(`(?m)^//go:embed (\S+)$`).FindAllStringSubmatch(read(t, "embed.go"), -1) {
		require.Contains(t, ignore, "!deploy/"+embedded[1]+"\n")
	}
}

// The rights of the README are those of the calls that the adapter makes.
func TestReadmeRights(t *testing.T) {
	var granted []string
	for _, m := range regexp.MustCompile(`"emr:([A-Za-z]+)"`).FindAllStringSubmatch(read(t, "README.md"), -1) {
		granted = append(granted, m[1])
	}
	called := map[string]bool{}
	files, err := os.ReadDir("../providers/tencentemr")
	require.NoError(t, err)
	for _, f := range files {
		if name := f.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			for _, m := range regexp.MustCompile(`emr\.New([A-Za-z]+)Request\(`).FindAllStringSubmatch(read(t, "../providers/tencentemr/"+name), -1) {
				called[m[1]] = true
			}
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(called)), granted)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}
