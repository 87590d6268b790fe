package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"scalebot/bot/config"
	"scalebot/bot/redisstore"
	"scalebot/bot/slackapp"
	"scalebot/providers"
)

// checkTime bounds one question of the doctor.
const checkTime = 20 * time.Second

func checkCommand() *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use: "check --config FILE", Short: "Check the config, Slack, Redis, and every cluster", Args: noArgs,
		Long: "Check everything that `run` will need and say what to do about what is missing.\nNothing is changed. Exits 0 with warnings, 1 when something would not work, 2 when\nthe config is wrong.",
	}
	path := configFlag(cmd)
	cmd.Flags().BoolVar(&offline, "offline", false, "check only the config file")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(*path)
		if err != nil {
			return err
		}
		d := &doctor{w: cmd.OutOrStdout(), cfg: cfg}
		d.config()
		if !offline {
			d.redis(cmd.Context())
			d.slack(cmd.Context())
			d.clouds(cmd.Context())
		}
		fmt.Fprintf(d.w, "\n%d failed, %d warnings\n", d.failed, d.warned)
		switch d.failed {
		case 0:
			return nil
		case 1:
			return errors.New("1 check failed; see the line marked FAIL, which says what to do")
		}
		return fmt.Errorf("%d checks failed; see the lines marked FAIL, which say what to do", d.failed)
	}
	return cmd
}

// doctor prints one line per finding.
type doctor struct {
	w              io.Writer
	cfg            *config.Config
	failed, warned int
}

func (d *doctor) head(title string) { fmt.Fprintf(d.w, "\n%s\n", title) }

func (d *doctor) ok(format string, a ...any) { fmt.Fprintf(d.w, "  ok    "+format+"\n", a...) }

func (d *doctor) warn(format string, a ...any) {
	d.warned++
	fmt.Fprintf(d.w, "  warn  "+format+"\n", a...)
}

// fail prints what would not work, and what to do about it: without that the line
// only says what somebody knows already.
func (d *doctor) fail(remedy, format string, a ...any) {
	d.fails(fmt.Sprintf(format, a...) + "; " + remedy)
}

// fails is fail for a text that says what to do by itself.
func (d *doctor) fails(text string) {
	d.failed++
	fmt.Fprintf(d.w, "  FAIL  %s\n", text)
}

func (d *doctor) config() {
	d.head("config")
	d.ok("%d accounts, %d clusters, %d rules, %d approver groups", len(d.cfg.Accounts), len(d.cfg.Catalog), len(d.cfg.Approvals.Rules), len(d.cfg.Approvals.Groups))
	for _, w := range d.cfg.Warnings {
		d.warn("%s", w.Error())
	}
	d.rules()
}

func (d *doctor) redis(ctx context.Context) {
	d.head("redis")
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	rdb := openRedis(d.cfg)
	defer rdb.Close() //nolint:errcheck // the process ends
	h, err := redisstore.Inspect(ctx, rdb)
	if err != nil {
		d.fail("check redis.url, and that Redis runs and can be reached from here", "does not answer: %v", err)
		return
	}
	d.ok("answers, version %s", h.Version)
	switch {
	case h.Evicts():
		d.fails(fmt.Sprintf(evicts, h.Eviction))
	case h.Eviction == "":
		d.warn("maxmemory-policy can't be read; make sure that it is noeviction")
	default:
		d.ok("maxmemory-policy noeviction")
	}
	switch skew, err := redisstore.Skew(ctx, rdb, wall{}.Now); {
	case err != nil:
		d.warn("%v", err)
	case skewed(skew) != nil:
		d.fails(skewed(skew).Error())
	case skew.Abs() > skewMuch:
		d.warn("this machine's clock is %s; let it be kept (chrony, ntpd, systemd-timesyncd)", skewText(skew))
	default:
		d.ok("this machine's clock is within %s of the one of Redis", skewMuch)
	}
	d.durability(h)
}

// durability says what protects a paid call from a Redis that forgets.
func (d *doctor) durability(h redisstore.Health) {
	switch {
	case h.NoWait != "":
		d.fails(fmt.Sprintf(mayNotWait, h.NoWait))
	case h.AOF == "always":
		d.ok("appendonly with appendfsync always: what was recorded survives a crash, and so no paid call is forgotten")
	case h.AOF == "off":
		d.warn("appendonly is off: a crash of Redis loses flows; set appendonly yes and appendfsync always")
	case h.NeverOnDisk():
		d.fails(neverOnDisk)
	case h.WaitsForDisk():
		d.ok("WAITAOF (Redis 7.2 or newer): each paid call waits until its intent is on disk; all else may lose a second in a crash (appendfsync %s)", cmp.Or(h.AOF, "unknown"))
	case h.AOF == "everysec":
		d.warn("appendfsync everysec on Redis %s: a crash may lose one second; a paid call is then protected by the cloud's token or by what the cloud shows; appendfsync always or Redis 7.2 closes the gap", h.Version)
	default:
		d.warn("appendfsync is %q or can't be read; appendonly yes with appendfsync always is safest", h.AOF)
	}
	if h.Replicas > 0 {
		d.warn("%d replicas: a failover may lose what they had not received yet; min-replicas-to-write 1 makes that span small, and a paid call is protected by the cloud's token or by what the cloud shows", h.Replicas)
	}
}

func (d *doctor) slack(ctx context.Context) {
	d.head("slack")
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	app, err := slackApp(d.cfg)
	if err != nil {
		d.fail("correct it below slack in the config", "%v", err)
		return
	}
	id, err := app.Identify(ctx)
	if err != nil {
		d.fail("copy the Bot User OAuth Token from OAuth & Permissions, and reinstall the app after a change of scopes", "slack.bot_token: %v", err)
	} else {
		d.ok("bot token is of user %s in workspace %s (%s)", id.User, id.TeamName, id.Team)
		if len(id.Scopes) == 0 {
			d.warn("Slack did not say which scopes the bot token has")
		} else {
			missing := slackapp.MissingScopes(id.Scopes)
			for _, m := range missing {
				d.fail("add it under OAuth & Permissions and reinstall the app", "scope %s is missing: %s", m.Name, m.Reason)
			}
			if len(missing) == 0 {
				d.ok("all %d scopes are granted", len(slackapp.RequiredScopes()))
			}
		}
	}
	switch err := app.CheckSockets(ctx); {
	case errors.Is(err, slackapp.ErrTwoApps):
		d.fails(err.Error())
	case err != nil:
		d.fail("make one under Basic Information, App-Level Tokens, with connections:write, and turn Socket Mode on", "slack.app_token: %v", err)
	default:
		d.ok("app token may open sockets")
	}
	if err == nil {
		d.groups(ctx, app)
	}
}

// slackApp is the Slack edge for a tool: it asks and serves nobody.
func slackApp(cfg *config.Config) (*slackapp.App, error) {
	s := cfg.Slack
	return slackapp.New(slackapp.Options{
		AppToken: s.AppToken.Reveal(), BotToken: s.BotToken.Reveal(), APIURL: s.APIURL, Command: s.Command,
		Language: s.Language, Sockets: s.Sockets, Clock: wall{}, Logger: slog.New(slog.DiscardHandler),
	})
}

// groups looks at who could approve.
func (d *doctor) groups(ctx context.Context, app *slackapp.App) {
	names := make([]string, 0, len(d.cfg.Approvals.Groups))
	for name := range d.cfg.Approvals.Groups {
		names = append(names, name)
	}
	slices.Sort(names)
	known := map[string][]string{}
	for _, name := range names {
		members, err := app.Members(ctx, d.cfg.Approvals.Groups[name])
		switch {
		case err != nil:
			d.fail(readGroup("approvals.groups."+name), "group %s can't be read: %v", name, err)
		case len(members) == 0:
			d.fail("put people into its usergroup in Slack, or below approvals.groups."+name, "group %s has no members: nobody could approve", name)
		default:
			d.ok("group %s has %d members", name, len(members))
			known[name] = members
		}
	}
	d.shortfalls(ctx, app, known)
}

// readGroup is what to do about people of a key of config that Slack does not tell.
func readGroup(key string) string {
	return "name a usergroup that is there and enabled below " + key + ", and let the bot token have the scope usergroups:read"
}

// free lets the doctor's few reads go without the shared pace, which needs a
// Redis that may be what is broken.
type free struct{}

func (free) Wait(context.Context, string, int) error { return nil }

func (d *doctor) clouds(ctx context.Context) {
	open, _, err := openClouds(d.cfg, free{}, nil, prometheus.NewRegistry())
	if err != nil {
		d.head("clouds")
		d.fail("correct it below accounts in the config", "%v", err)
		return
	}
	for _, a := range d.cfg.Accounts {
		d.head("account " + a.Name + " (" + a.Kind + " " + a.Region + ")")
		d.account(ctx, a.Name, a.Kind, open[a.Name])
	}
}

func (d *doctor) account(ctx context.Context, account, kind string, p providers.Provider) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	seen, err := p.Clusters(ctx)
	if err != nil {
		d.fail(fmt.Sprintf("check region, endpoint and keys of accounts.%s, and allow them %s", account, rights[kind].list), "clusters can't be listed: %s", reason(err))
		return
	}
	d.ok("credentials work; %d clusters are visible", len(seen))
	named := map[string]bool{}
	for _, name := range d.cfg.Catalog.Names() {
		c := d.cfg.Catalog[name]
		if c.Account != account {
			continue
		}
		named[c.ID] = true
		s, err := p.Observe(ctx, providers.ClusterRef{Name: c.Name, ID: c.ID})
		if err != nil {
			d.fail(fmt.Sprintf("check clusters.%s.id (%s), and allow the keys of accounts.%s %s", name, c.ID, account, rights[kind].look), "cluster %s: %s", name, reason(err))
			continue
		}
		d.ok("cluster %s (%s) is %s: %s", name, c.ID, s.Status, sizes(s.Groups))
		for _, g := range c.GroupNames() {
			if _, ok := s.Group(c.Groups[g].ID); !ok {
				d.fail(fmt.Sprintf("set clusters.%s.groups.%s.%s to one that it has: %s", name, g, config.GroupKey(kind), groupIDs(s.Groups)),
					"cluster %s has no group %s (%s) in the cloud", name, g, c.Groups[g].ID)
			}
		}
	}
	for _, c := range seen {
		if !named[c.ID] {
			d.ok("cluster %s (%s, %s) is not in the config; to add it, paste this below clusters:\n%s", c.Name, c.ID, c.Status, pasteable(account, kinds()[kind], c))
		}
	}
}

// rights are what an account's keys must be allowed to read, in the words of its
// cloud's policies; deploy/README.md has the whole of each.
var rights = map[string]struct{ list, look string }{
	"tencent-emr": {"emr:DescribeInstances", "emr:DescribeInstances and emr:DescribeClusterNodes"},
	"alibaba-ack": {"cs:DescribeClustersV1", "cs:DescribeClusterDetail, cs:DescribeClusterNodePools and cs:DescribeClusterNodes"},
	"huawei-mrs":  {"mrs:cluster:list", "mrs:cluster:get and mrs:host:list"},
}

// reason is the cloud's word for what went wrong, as the first half of a line.
func reason(err error) string {
	text := strings.TrimSuffix(providers.AdviceOf(err).EN, ".")
	var e *providers.Error
	if errors.As(err, &e) && e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

func groupIDs(groups []providers.Group) string {
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	return cmp.Or(strings.Join(ids, ", "), "none")
}

func sizes(groups []providers.Group) string {
	var parts []string
	for _, g := range groups {
		parts = append(parts, fmt.Sprintf("%s %d", strings.ToLower(g.ID), g.Count))
	}
	return strings.Join(parts, ", ")
}

// pasteable is a cluster as config, with the groups that this kind can scale.
func pasteable(account string, kind providers.KindSpec, c providers.ClusterInfo) string {
	var b strings.Builder
	fmt.Fprintf(&b, "          %s:\n            account: %s\n            id: %q\n            groups:\n", typable(c.Name, c.ID), account, c.ID)
	for _, g := range c.Groups {
		name := typable(g.Name, strings.TrimSuffix(strings.ToLower(g.ID), "_node_default_group"))
		wish := providers.GroupConfig{Cluster: c.Name, Group: name, GroupID: g.ID}
		if len(kind.CheckGroup(wish)) > 0 {
			continue // masters and other groups that no command may change
		}
		body := "{}"
		if kind.GroupID(providers.GroupConfig{Group: name}) != g.ID {
			body = fmt.Sprintf("{%s: %s}", config.GroupKey(kind.Name), g.ID)
		}
		fmt.Fprintf(&b, "              %s: %s   # %d nodes now\n", name, body, g.Count)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// typable is a name that people can type in a command: the cloud's own, or what
// stands in for it.
func typable(name, instead string) string {
	if config.Typable(name) {
		return name
	}
	return instead
}
