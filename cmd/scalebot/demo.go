package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"

	"scalebot/bot/config"
	"scalebot/bot/slacksim"
	"scalebot/providers/cloudsim"
)

func demoCommand() *cobra.Command {
	var listen string
	var once bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the bot on a local Slack, local clouds and an embedded Redis; no account needed", Args: noArgs,
		Long: "Run the real bot on a local Slack, local clouds and an embedded Redis. Nothing leaves\nthis machine and no account is needed. Open the page that it prints; or use --once to\nplay the main job and print what people saw.",
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of the page")
	cmd.Flags().BoolVar(&once, "once", false, "play the main job, print a transcript, and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if once {
			return playOnce(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		}
		return serveDemo(cmd.Context(), listen, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// The people and places of the demo.
const (
	mei, lin, chen, wang = "U0MEI", "U0LIN", "U0CHEN", "U0WANG"
	guest, stranger      = "U0GUEST", "U0FAR"
	opsRoom, dataRoom    = "C0OPS", "C0DATA"
)

// demoWorld is the workspace of the demo.
func demoWorld() slacksim.World {
	everybody := []string{mei, lin, chen, wang, guest, stranger, "U0SCALEBOT"}
	return slacksim.World{
		Team: slacksim.Team{ID: "T0DEMO", Name: "Example Data", Domain: "example-data"},
		App: slacksim.App{
			ID: "A0SCALEBOT", Name: "scalebot", BotUserID: "U0SCALEBOT", BotID: "B0SCALEBOT",
			BotToken: "xoxb-demo", AppToken: "xapp-1-A0SCALEBOT-demo", Scopes: slacksim.AllScopes(),
			Commands: []slacksim.Command{{Name: "/scale", ShouldEscape: true}},
		},
		Users: []slacksim.User{
			{ID: mei, Name: "mei", RealName: "Mei (data engineer)"},
			{ID: lin, Name: "lin", RealName: "Lin (finance)"},
			{ID: chen, Name: "chen", RealName: "Chen (data lead)"},
			{ID: wang, Name: "wang", RealName: "王芳 (data engineer)", Locale: "zh-CN"},
			{ID: guest, Name: "gus", RealName: "Gus (guest)", IsRestricted: true},
			{ID: stranger, Name: "sam", RealName: "Sam (another company)", TeamID: "T0OTHER", IsStranger: true},
		},
		Channels: []slacksim.Channel{
			{ID: opsRoom, Name: "data-ops", Members: everybody, ExtShared: true},
			{ID: dataRoom, Name: "data-platform", Members: everybody},
		},
		Usergroups: []slacksim.Usergroup{
			{ID: "S0FINOPS", Handle: "finops", Name: "FinOps", Users: []string{lin}},
			{ID: "S0LEADS", Handle: "data-leads", Name: "Data leads", Users: []string{chen}},
		},
	}
}

// demoConfig is the demo's config file. It is read and checked like any other.
const demoConfig = `
slack: {app_token: "${DEMO_APP_TOKEN}", bot_token: "${DEMO_BOT_TOKEN}", api_url: "${DEMO_SLACK}", sockets: 2}
redis: {url: "${DEMO_REDIS}"}
http: {listen: ""}
engine: {poll: {min: 500ms, max: 2s}, doubt: 40s}
accounts:
  data-gz: {provider: tencent-emr, region: ap-guangzhou, endpoint: "${DEMO_CLOUDS}", secret_id: "${DEMO_ID}", secret_key: "${DEMO_KEY}"}
  ack-bj:
    {provider: alibaba-ack, region: cn-beijing, endpoint: "${DEMO_CLOUDS}", price_endpoint: "${DEMO_CLOUDS}", access_key_id: "${DEMO_ACK_ID}", access_key_secret: "${DEMO_ACK_KEY}"}
  mrs-n4:
    {provider: huawei-mrs, region: cn-north-4, endpoint: "${DEMO_CLOUDS}", price_endpoint: "${DEMO_CLOUDS}", project_id: "${DEMO_PROJECT}", domain_id: "${DEMO_DOMAIN}", access_key: "${DEMO_AK}", secret_key: "${DEMO_SK}"}
clusters:
  emr-m620:
    account: data-gz
    id: emr-m620
    labels: {env: prod, team: data}
    channels: [C0DATA]
    groups:
      task: {max: 20, max_step: 10, params: {soft_deploy_info: [1, 2], service_node_info: [7], yarn_node_label: CLOUD, enable_start_service_flag: true}}
      core: {min: 3, max: 12}
  web:
    account: ack-bj
    id: c82e6987e2961451182edacd74faf0000
    labels: {env: prod, team: web}
    channels: [C0DATA]
    groups:
      workers: {node_pool: np0123456789, min: 2, max: 20, max_step: 10}
      legacy:
        api: scale-out-cluster
        node_pool: np9876543210
        max: 10
        params:
          key_pair: ops
          vswitch_ids: [vsw-1]
          worker_instance_types: [ecs.c5.xlarge]
          worker_system_disk_category: cloud_efficiency
          worker_system_disk_size: 120
          worker_auto_renew_period: 1
  web-edge:
    account: ack-bj
    id: Cccfd68c474454665ace07efce9240000
    labels: {env: prod, team: web}
    groups:
      edge:
        api: edge
        charge: prepaid
        term: 1m
        max: 6
        params:
          ens_region_id: cn-beijing-cmcc-2
          worker_instance_type: ens.sn1.tiny
          worker_image_id: m-2QVLO2T8NYgm8CNQVg0000
          ens_internet_charge_type: BandwidthByDay
          login_password: "${DEMO_EDGE_PASSWORD}"
          worker_system_disk_size: 20
          worker_data_disk_size: 0
          is_edge_worker: true
          timeout_mins: 60
  analytics:
    account: mrs-n4
    id: "${DEMO_MRS}"
    labels: {env: prod, team: data}
    channels: [C0DATA]
    groups:
      core: {node_group: core_node_default_group, min: 3, max: 10}
      task: {node_group: task_node_default_group, max: 20}
prices:
  c6.4xlarge.4.linux.bigdata: {currency: CNY, hourly: 5.10, monthly: 2450}
budgets:
  label: team
  centres: {data: {monthly: 60000, currency: CNY}, web: {monthly: 20000, currency: CNY}}
approvals:
  groups:
    leads: {usergroups: [S0LEADS]}
    finops: {usergroups: [S0FINOPS]}
  rules:
    - {name: prepaid, when: 'change.charge == "prepaid"', require: {finops: 1, leads: 1}}
    - {name: costly, when: 'quote.known && quote.monthly > 5000.0 || !quote.known', require: {leads: 1}}
    - {name: scale-in, when: 'change.delta < 0', require: {leads: 1}}
    - {name: over-budget, when: 'budget.known && budget.left < change.cost', require: {finops: 1}}
`

// stage is everything that the demo runs on besides the bot.
type stage struct {
	slack  *slacksim.Server
	clouds *cloudsim.Sim
	redis  *miniredis.Miniredis
	cfg    *config.Config
}

// newStage starts the local Slack, the local clouds and the embedded Redis.
// speed is how many times faster than life operations run.
func newStage(ctx context.Context, speed float64) (*stage, error) {
	s := &stage{slack: slacksim.New(slacksim.Options{World: demoWorld()})}
	if err := s.slack.Start("127.0.0.1:0"); err != nil {
		return nil, err
	}
	var err error
	if s.clouds, err = cloudsim.New(cloudsim.Options{World: cloudsim.Demo(), Now: time.Now, Speed: speed}); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := s.clouds.Start(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.redis, err = miniredis.Run(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	env := map[string]string{
		"DEMO_APP_TOKEN": s.slack.AppToken(), "DEMO_BOT_TOKEN": s.slack.BotToken(), "DEMO_SLACK": s.slack.APIURL(),
		"DEMO_REDIS": "redis://" + s.redis.Addr() + "/0", "DEMO_CLOUDS": s.clouds.URL(),
	}
	maps.Copy(env, demoKeys())
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	if s.cfg, err = config.Parse("demo.yaml", []byte(demoConfig), lookup, kinds()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// demoKeys are the credentials of the local clouds; they open nothing else.
func demoKeys() map[string]string {
	return map[string]string{
		"DEMO_ID": cloudsim.DemoSecretID, "DEMO_KEY": cloudsim.DemoSecretKey,
		"DEMO_ACK_ID": cloudsim.DemoAccessKeyID, "DEMO_ACK_KEY": cloudsim.DemoAccessKeySecret, "DEMO_EDGE_PASSWORD": "Demo-Edge-1234",
		"DEMO_AK": cloudsim.DemoAK, "DEMO_SK": cloudsim.DemoSK, "DEMO_PROJECT": cloudsim.DemoProjectID,
		"DEMO_DOMAIN": cloudsim.DemoDomainID, "DEMO_MRS": cloudsim.DemoMRSCluster,
	}
}

func (s *stage) close() error {
	if s.clouds != nil {
		s.clouds.Close()
	}
	if s.redis != nil {
		s.redis.Close()
	}
	return s.slack.Close()
}

// serveDemo runs the bot and the page until the context ends.
func serveDemo(ctx context.Context, listen string, stdout, stderr io.Writer) error {
	s, err := newStage(ctx, cloudsim.DemoSpeed)
	if err != nil {
		return err
	}
	defer s.close() //nolint:errcheck // the process ends
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("the page can't be served: %w; choose another address with --listen", err)
	}
	page := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: s.slack.Page(slacksim.PageOptions{
		Title: "scalebot demo", Clouds: s.clouds.AdminHandler(), Start: mei, Scenarios: demoScenarios(), Hints: demoHints(),
		Roles: map[string]string{
			mei: "asks for changes", wang: "asks for changes, 中文", lin: "finance: approves money", chen: "data lead: approves",
			guest: "guest", stranger: "another company",
		},
	})}
	served := make(chan error, 1)
	go func() { served <- page.Serve(l) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	bot := make(chan error, 1)
	go func() { bot <- runConfig(ctx, s.cfg, newLogger(stderr, slog.LevelWarn)) }()
	fmt.Fprintf(stdout, "The demo runs: open http://%s in a browser. Ctrl-C ends it.\n", l.Addr())
	select {
	case err = <-bot:
	case err = <-served:
		stop()
		err = errors.Join(err, <-bot)
	}
	// The page's event streams never end by themselves.
	if cerr := page.Close(); err == nil {
		err = cerr
	}
	return err
}

// demoScenarios are what the page offers to try.
func demoScenarios() []slacksim.Scenario {
	return []slacksim.Scenario{
		{Title: "Cheap +2", User: mei, Channel: opsRoom, Command: "/scale emr-m620 task +2",
			Text:    "No rule asks for anybody: it runs by itself. Watch the card and the Clouds panel.",
			TitleZH: "便宜的 +2", TextZH: "没有规则需要审批：直接执行。请看卡片和云平台面板。"},
		{Title: "Prepaid with two approvals", User: mei, Channel: opsRoom, Command: `/scale emr-m620 task +2 prepaid 1m reason="quarter-end backfill"`,
			Text:    "Then react ✅ as Mei (not counted), as Lin (finance) and as Chen (data lead).",
			TitleZH: "包月，需两人审批", TextZH: "然后依次以 Mei（不计）、Lin（财务）和 Chen（数据负责人）的身份回应 ✅。"},
		{Title: "Remove, and deny it", User: mei, Channel: opsRoom, Command: "/scale emr-m620 task -1",
			Text:    "Then become Chen (data lead) and react ❌.",
			TitleZH: "缩容并否决", TextZH: "然后切换为 Chen（数据负责人），回应 ❌。"},
		{Title: "A typo", User: mei, Channel: opsRoom, Command: "/scale emr-m620 tsak ＋2",
			Text:    "The answer is private, with the corrected line to copy.",
			TitleZH: "输错了", TextZH: "答复仅自己可见，并附可直接复制的正确命令。"},
		{Title: "A guest asks", User: guest, Channel: opsRoom, Command: "/scale emr-m620 task +1",
			Text:    "Guests, bots and people of other companies are refused.",
			TitleZH: "访客申请", TextZH: "访客、机器人和外部公司的人会被拒绝。"},
		{Title: "Lost answer", User: mei, Channel: opsRoom, Command: "/scale emr-m620 task +1",
			Text:    "First press “Lost answer” in the Clouds panel: the cloud accepts, the answer never comes, and nothing is sent twice.",
			TitleZH: "应答丢失", TextZH: "先在云平台面板按“应答丢失”：云平台已接受但应答丢失，变更不会重复提交。"},
		{Title: "A node pool on ACK", User: mei, Channel: opsRoom, Command: "/scale web workers +3",
			Text:    "Another cloud, the same road. While it runs the card offers Pause and Stop, where the cloud does.",
			TitleZH: "ACK 节点池", TextZH: "另一家云，同样的流程。运行中，云平台支持时卡片提供暂停和停止。"},
		{Title: "Short of nodes", User: mei, Channel: opsRoom, Command: "/scale web workers +4",
			Text:    "First press “Comes short” in the Clouds panel: fewer nodes come, and the card asks what to do about the rest.",
			TitleZH: "节点不足", TextZH: "先在云平台面板按“部分成功”：到位的节点较少，卡片会询问其余如何处理。"},
		{Title: "An edge node", User: mei, Channel: opsRoom, Command: "/scale web-edge edge +1",
			Text:    "Prepaid by nature, so it needs finance and a lead; the card says that the call is phased out.",
			TitleZH: "边缘节点", TextZH: "边缘节点均为包月，因此需要财务和负责人审批；卡片会提示该接口即将下线。"},
		{Title: "A task node out of MRS", User: mei, Channel: opsRoom, Command: "/scale analytics task -1",
			Text:    "Huawei's cloud gives no operation to follow: the bot compares nodes with what was there before.",
			TitleZH: "从 MRS 移除 task 节点", TextZH: "华为云不提供可跟踪的操作编号：机器人会对比变更前后的节点。"},
		{Title: "中文", User: wang, Channel: opsRoom, Command: "/scale emr-m620 task ＋1 -- 月底补数",
			Text: "Private answers follow each person's language; full-width signs are read as meant."},
	}
}

// demoHints complete what is typed.
func demoHints() []slacksim.Hint {
	return []slacksim.Hint{
		{Insert: "/scale emr-m620 task +2", Note: "add two nodes", NoteZH: "增加两个节点"},
		{Insert: "/scale emr-m620 task +2 dry-run", Note: "price it, and say who would have to approve", NoteZH: "试算价格和审批人"},
		{Insert: "/scale emr-m620 task -1", Note: "remove one node", NoteZH: "移除一个节点"},
		{Insert: "/scale web workers =5", Note: "make it five", NoteZH: "调整为五个节点"},
		{Insert: "/scale analytics task +2", Note: "add two task nodes", NoteZH: "增加两个任务节点"},
		{Insert: "/scale status emr-m620", Note: "look at the cluster", NoteZH: "查看集群"},
		{Insert: "/scale list", Note: "open requests", NoteZH: "未结束的请求"},
		{Insert: "/scale clusters", Note: "what can be resized", NoteZH: "可以伸缩的集群"},
		{Insert: "/scale whoami", Note: "what I may do", NoteZH: "我能做什么"},
		{Insert: "/scale help", Note: "all commands", NoteZH: "全部命令"},
	}
}
