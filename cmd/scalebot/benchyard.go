package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"scalebot/bot/slacksim"
	"scalebot/providers/cloudsim"
)

func benchCluster(i int) string { return fmt.Sprintf("emr%04d", i) }

// benchRooms are the channels that the load is spread over: Slack takes one post a
// second in each.
const benchRooms = 20

func benchRoom(i int) string { return fmt.Sprintf("C0BENCH%02d", i%benchRooms) }

// build makes the peers and the config, and starts the replicas.
func (b *bench) build(ctx context.Context) error {
	world, land := demoWorld(), cloudsim.Demo()
	for i := range benchRooms {
		world.Channels = append(world.Channels, slacksim.Channel{ID: benchRoom(i), Name: fmt.Sprintf("bench-%02d", i), Members: []string{mei, chen, "U0SCALEBOT"}})
	}
	model := land.Tencent.Clusters[0]
	land.Tencent.Clusters, land.Tencent.Quota = nil, 1_000_000
	var clusters strings.Builder
	for i := range b.n {
		c := model
		c.ID, c.Name, c.Groups = fmt.Sprintf("emr-bench%04d", i), benchCluster(i), slices.Clone(model.Groups)
		land.Tencent.Clusters = append(land.Tencent.Clusters, c)
		fmt.Fprintf(&clusters, "  %s: {account: data-gz, id: %s, groups: {task: {max: 50, params: {soft_deploy_info: [1, 2], service_node_info: [7], yarn_node_label: CLOUD, enable_start_service_flag: true}}}}\n", c.Name, c.ID)
	}
	b.slack = slacksim.New(slacksim.Options{World: world, NoRateLimits: b.free, Keep: 1 << 20})
	if err := b.slack.Start("127.0.0.1:0"); err != nil {
		return err
	}
	var err error
	if b.clouds, err = cloudsim.New(cloudsim.Options{World: land, Now: time.Now, Speed: benchSpeed, Rate: -1}); err != nil {
		return err
	}
	if err := b.clouds.Start(ctx); err != nil {
		return err
	}
	if err := b.openRedis(ctx); err != nil {
		return err
	}
	if b.home, err = os.MkdirTemp("", "scalebot-bench"); err != nil {
		return err
	}
	text := `
slack: {app_token: "${DEMO_APP_TOKEN}", bot_token: "${DEMO_BOT_TOKEN}", api_url: "${DEMO_SLACK}", sockets: 2}
redis: {url: "${DEMO_REDIS}"}
http: {listen: ""}
engine: {lease: ` + b.lease.String() + `, call_timeout: ` + min(b.lease/2, 20*time.Second).String() + `, poll: {min: 500ms, max: 5s}}
limits: {commands_per_user_per_minute: 100000, commands_per_channel_per_minute: 100000}
accounts:
  data-gz: {provider: tencent-emr, region: ap-guangzhou, endpoint: "${DEMO_CLOUDS}", secret_id: "${DEMO_ID}", secret_key: "${DEMO_KEY}", rate: 1000}
clusters:
` + clusters.String() + `approvals:
  groups: {leads: {users: [` + chen + `]}}
  rules: [{name: scale-in, when: 'change.delta < 0', require: {leads: 1}}]
`
	if err := os.WriteFile(b.config(), []byte(text), 0o600); err != nil {
		return err
	}
	b.env = append(os.Environ(), "DEMO_APP_TOKEN="+b.slack.AppToken(), "DEMO_BOT_TOKEN="+b.slack.BotToken(),
		"DEMO_SLACK="+b.slack.APIURL(), "DEMO_REDIS="+b.redisURL, "DEMO_CLOUDS="+b.clouds.URL())
	for _, name := range slices.Sorted(maps.Keys(demoKeys())) {
		b.env = append(b.env, name+"="+demoKeys()[name])
	}
	b.figure("peers", "%d replicas, %d clusters, local Slack (limits %s), %s", b.replicas, b.n, map[bool]string{true: "off", false: "as documented"}[b.free], b.redisName())
	_, err = b.start(ctx)
	return err
}

func (b *bench) config() string { return filepath.Join(b.home, "scalebot.yaml") }

func (b *bench) redisName() string {
	if b.embedded != nil {
		return "embedded Redis (use --redis for figures of a real one)"
	}
	return "the Redis given"
}

// openRedis starts the embedded Redis, or looks that the given one holds nothing of
// somebody else's.
func (b *bench) openRedis(ctx context.Context) error {
	if b.redisURL == "" {
		var err error
		if b.embedded, err = miniredis.Run(); err != nil {
			return err
		}
		b.redisURL = "redis://" + b.embedded.Addr() + "/0"
	}
	opt, err := redis.ParseURL(b.redisURL)
	if err != nil {
		return usageError{fmt.Errorf("scalebot bench: --redis: %w", err)}
	}
	b.rdb = redis.NewClient(opt)
	size, err := b.rdb.DBSize(ctx).Result()
	if err != nil {
		return noRedis(err)
	}
	if size > 0 {
		return fmt.Errorf("the database of --redis holds %d keys; give an empty one, the bench would mix with what is there", size)
	}
	b.mine = true
	return nil
}

// start starts the replicas and says how long it took until all had their sockets.
func (b *bench) start(ctx context.Context) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for range b.replicas {
		cmd := exec.Command(self, "run", "--config", b.config()) //nolint:gosec // this very program
		said := &bytes.Buffer{}
		cmd.Env, cmd.Stderr = b.env, said
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		gone := b.gone
		b.waits.Go(func() {
			_ = cmd.Wait() // that it ended is what counts
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			select {
			case gone <- lines[len(lines)-1]:
			default:
			}
		})
		b.running = append(b.running, cmd)
	}
	err = b.until(ctx, "the sockets of all replicas", func() bool { return b.slack.Connections() >= 2*b.replicas })
	return time.Since(began), err
}

// kill ends all replicas with -9.
func (b *bench) kill() error {
	var errs []error
	for _, cmd := range b.running {
		errs = append(errs, cmd.Process.Kill())
	}
	b.waits.Wait()
	b.running, b.gone = nil, make(chan string, 1)
	return errors.Join(errs...)
}

func (b *bench) close() error {
	errs := []error{b.kill()}
	if b.rdb != nil {
		if b.mine { // it was empty
			errs = append(errs, b.rdb.FlushDB(context.Background()).Err())
		}
		errs = append(errs, b.rdb.Close())
	}
	if b.clouds != nil {
		b.clouds.Close()
	}
	if b.embedded != nil {
		b.embedded.Close()
	}
	if b.slack != nil {
		errs = append(errs, b.slack.Close())
	}
	if b.home != "" {
		errs = append(errs, os.RemoveAll(b.home))
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	return nil
}

// until looks ten times a second whether something is there. A replica that ended by
// itself never brings it.
func (b *bench) until(ctx context.Context, what string, there func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !there() {
		select {
		case <-tick.C:
		case why := <-b.gone:
			return fmt.Errorf("a replica ended by itself: %s", why)
		case <-ctx.Done():
			return fmt.Errorf("%s did not come: %w", what, ctx.Err())
		}
	}
	return nil
}
