package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"scalebot/approvals"
	"scalebot/bot/card"
	"scalebot/bot/config"
	"scalebot/bot/flow"
	"scalebot/bot/redisstore"
	"scalebot/bot/slackapp"
	"scalebot/providers"
)

// wall is the machine's clock. Its readings are of the wall alone: the monotonic
// clock stands still while a machine is suspended, and a replica that slept must
// see that its lease and its intent have grown old.
type wall struct{}

func (wall) Now() time.Time { return time.Now().Round(0) }

// clouds are the opened accounts.
type clouds map[string]providers.Provider

func (c clouds) Provider(account string) (providers.Provider, bool) {
	p, ok := c[account]
	return p, ok
}

// bot is one replica, wired from a config.
type bot struct {
	cfg      *config.Config
	log      *slog.Logger
	metrics  *prometheus.Registry
	rdb      redis.UniversalClient
	app      *slackapp.App
	identity slackapp.Identity
	guards   guards
	renderer *card.Renderer
	options  flow.Options
	store    *redisstore.Store
	desk     *flow.Desk
	engine   *flow.Engine
	courier  *flow.Courier
	renewals *flow.Renewals
}

// startPause is the wait between tries to reach what a start needs.
const startPause = 3 * time.Second

// patiently tries until it works: a bot that starts before its Slack or its Redis
// waits for them, alive and not ready. Only a refusal of the tokens ends it.
func patiently(ctx context.Context, log *slog.Logger, trouble string, try func() error) error {
	for {
		err := try()
		if err == nil || errors.Is(err, slackapp.ErrTokens) || errors.Is(err, errUnfit) || errors.Is(err, errSkew) || ctx.Err() != nil {
			return err
		}
		log.Warn(trouble+"; trying again", "error", err)
		pause := time.NewTimer(startPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// newBot wires a replica and learns from Slack who it is. The caller closes rdb.
func newBot(ctx context.Context, cfg *config.Config, rdb redis.UniversalClient, log *slog.Logger, metrics *prometheus.Registry) (*bot, error) {
	b := &bot{cfg: cfg, log: log, rdb: rdb, metrics: metrics}
	var err error
	if b.app, err = slackapp.New(slackapp.Options{
		AppToken: cfg.Slack.AppToken.Reveal(), BotToken: cfg.Slack.BotToken.Reveal(), APIURL: cfg.Slack.APIURL,
		Command: cfg.Slack.Command, Language: cfg.Slack.Language, Sockets: cfg.Slack.Sockets,
		Meter: redisstore.NewMeter(rdb, cfg.Redis.KeyPrefix, cfg.Limits),
		Clock: wall{}, Logger: log, Registerer: b.metrics,
	}); err != nil {
		return nil, err
	}
	if err := patiently(ctx, log, "Slack does not say who this bot is", func() (err error) {
		b.identity, err = b.app.Identify(ctx)
		return err
	}); err != nil {
		return nil, err
	}
	for _, s := range slackapp.MissingScopes(b.identity.Scopes) {
		if len(b.identity.Scopes) > 0 {
			log.Warn("the bot token lacks a scope; add it and reinstall the app", "scope", s.Name, "needed", s.Reason)
		}
	}
	quota := redisstore.NewQuota(rdb, cfg.Redis.KeyPrefix, b.identity.Team)
	b.app.Share(quota, redisstore.NewLookups(rdb, cfg.Redis.KeyPrefix, b.identity.Team))
	policy, problems := approvals.Compile(cfg.Approvals)
	if len(problems) > 0 {
		return nil, fmt.Errorf("approvals: %v", problems)
	}
	var open clouds
	pacer := redisstore.NewPacer(rdb, cfg.Redis.KeyPrefix)
	open, b.guards, err = openClouds(cfg, pacer, pacer.Take, b.metrics)
	if err != nil {
		return nil, err
	}
	b.renderer = card.New(card.Options{
		Command: cfg.Slack.Command, Language: cfg.Slack.Language, Groups: cfg.Approvals.Groups, Settle: cfg.Settle,
		Approve: policy.Approve(), Deny: policy.Deny(), Spell: slackapp.Spell,
	})
	store := redisstore.New(rdb, cfg.Redis.KeyPrefix, b.identity.Team, redisstore.KeepAudit(cfg.Redis.AuditRetention))
	b.store = store
	moved := flow.Moved{Chat: b.app, Ballots: b.app, Store: store}
	b.options = flow.Options{
		Store: store, Clouds: open, Blocked: b.guards.blocked, Pace: paces(cfg.Accounts), Memory: flow.NewMemory(),
		Reborn:    func(ctx context.Context) (time.Time, error) { return store.Reborn(ctx, wall{}.Now()) },
		Restarted: func(ctx context.Context) (time.Time, error) { return store.Restarted(ctx, wall{}.Now()) },
		Ballots:   moved, Directory: b.app, Chat: moved, Renderer: b.renderer,
		Quota: quota,
		Clock: wall{}, Logger: log, Metrics: flow.NewMetrics(b.metrics),
		Catalog: cfg.Catalog, Budgets: cfg.Budgets, Policy: policy, Approvals: cfg.Approvals, Settle: cfg.Settle,
		Workspace: b.identity.Team, Bot: b.identity.User, Limits: cfg.Limits, NewID: flow.RandomID, Spell: slackapp.Spell,
		RemindAfter: cfg.RemindAfter, Grace: cfg.Grace, RenewalReminders: cfg.Renewals,
		Lease: cfg.Engine.Lease, CallTimeout: cfg.Engine.CallTimeout, PollMin: cfg.Engine.PollMin, PollMax: cfg.Engine.PollMax,
		Doubt: cfg.Engine.Doubt, Follow: cfg.Engine.Follow, Workers: cfg.Engine.Workers,
	}
	b.engine, b.courier, b.renewals = flow.NewEngine(b.options), flow.NewCourier(b.options), flow.NewRenewals(b.options)
	b.desk = flow.NewDesk(b.options, b.engine.Nudge)
	return b, nil
}

// paces says how long an account's cloud is left alone between two looks.
func paces(accounts []providers.Account) func(string) time.Duration {
	registry, by := kinds(), map[string]time.Duration{}
	for _, a := range accounts {
		by[a.Name] = registry.Pace(a)
	}
	return func(account string) time.Duration { return by[account] }
}

// guards are what stands before each account, by its name.
type guards map[string]*providers.Guard

// blocked says until when an account is left alone because it does not answer.
func (g guards) blocked(account string) (time.Time, bool) {
	if guard, ok := g[account]; ok {
		return guard.Blocked()
	}
	return time.Time{}, false
}

// lines tell of the accounts that don't answer.
func (g guards) lines() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if until, blocked := g[name].Blocked(); blocked {
			all = append(all, fmt.Sprintf("account %s: does not answer; next try at %s", name, until.UTC().Format(time.RFC3339)))
		} else {
			all = append(all, fmt.Sprintf("account %s: ok", name))
		}
	}
	return all
}

// openClouds opens every account of the config, each with a guard before it and
// measurement before that. take is the shared rate of an account; nil = none.
func openClouds(
	cfg *config.Config, limiter providers.Limiter, take func(context.Context, string, int) (time.Duration, error), r prometheus.Registerer,
) (clouds, guards, error) {
	calls := providers.NewCalls(r, time.Now)
	env := providers.Env{Now: wall{}.Now, Limiter: limiter, Prices: cfg.Prices}
	registry, open, before := kinds(), clouds{}, guards{}
	for _, a := range cfg.Accounts {
		p, err := registry.Open(a, env)
		if err != nil {
			return nil, nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
		before[a.Name] = providers.NewGuard(providers.GuardOptions{Account: a.Name, Rate: a.Rate, Now: wall{}.Now, Take: take})
		r.MustRegister(before[a.Name].Collect())
		open[a.Name] = before[a.Name].Around(calls.Instrument(a.Name, p))
	}
	return open, before, nil
}

// run works until ctx ends, then stops in order: no new work, steps in hand
// finished, leases released.
func (b *bot) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.engine.Run(ctx) })
	group.Go(func() error { return b.courier.Run(ctx) })
	group.Go(func() error { return b.renewals.Run(ctx) })
	group.Go(func() error { return b.watchClock(ctx) })
	group.Go(func() error {
		// What an earlier version recorded; the first home tab would wait for it.
		if err := b.store.CatchUp(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("the flows of a person and of a cluster are indexed when somebody asks for them", "error", err)
		}
		return nil
	})
	group.Go(func() error { return b.app.Run(ctx, b.desk, b.renderer) })
	b.log.Info("started", "version", version, "workspace", b.identity.Team, "bot", b.identity.User, "clusters", len(b.cfg.Catalog))
	err := group.Wait()
	b.log.Info("stopped", "error", err)
	return err
}

// clockPace is how often the clock is compared with the server's.
const clockPace = time.Minute

// watchClock measures the skew for as long as the bot runs, and tells of one that
// came up. It ends nothing: a replica that stops because of its clock takes its
// flows' followers away.
func (b *bot) watchClock(ctx context.Context) error {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "scalebot_clock_skew_seconds", Help: "How far this replica's clock is ahead of the one of Redis.",
	})
	b.metrics.MustRegister(gauge)
	pace := time.NewTicker(clockPace)
	defer pace.Stop()
	for {
		if skew, err := redisstore.Skew(ctx, b.rdb, wall{}.Now); err == nil {
			gauge.Set(skew.Seconds())
			if skew.Abs() > skewMuch {
				b.log.Error("the clock is off; set it and let it be kept: replicas judge each other's leases by it", "skew", skewText(skew))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
	}
}

// ready says what is missing for work, or nothing.
func (b *bot) ready(ctx context.Context) error {
	if err := b.options.Store.Ping(ctx); err != nil {
		return errors.New("Redis does not answer or takes no writes")
	}
	if !b.app.Ready() {
		return errors.New("no Slack socket has had its hello")
	}
	return nil
}
