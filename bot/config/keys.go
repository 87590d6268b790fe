package config

import (
	"time"

	"github.com/shopspring/decimal"

	"scalebot/providers"
)

// The structs of this file are the config file, key by key. Decoder, defaults,
// checks of form and JSON Schema all read their tags, so a key exists in all of
// them or in none:
//
//	yaml      the key
//	default   its value when left out, as it would be written
//	required  must be given
//	null      "no": a key with nothing behind it is an error, because it would
//	          silently mean the opposite of what was likely meant
//	form      a pattern of forms (forms.go); of the items, where it is a list
//	keys      "name": the keys of the map are names that people type
//	enum      the words it may be, by |
//	min, max  of a number or duration
//	of        provider kinds that know the key; left out = all
//	role      keys that different kinds spell differently share one
//	doc       a sentence for the schema

type fileKeys struct {
	Slack     slackKeys              `yaml:"slack" required:"true" doc:"The Slack app (deploy/slack-manifest.yaml)."`
	Redis     redisKeys              `yaml:"redis" doc:"Where flows are recorded."`
	HTTP      httpKeys               `yaml:"http" doc:"Health and metrics."`
	Engine    engineKeys             `yaml:"engine" doc:"How flows are driven."`
	Limits    limitsKeys             `yaml:"limits" doc:"Caps on commands; 0 = no cap."`
	Accounts  map[string]accountKeys `yaml:"accounts" keys:"name" doc:"Cloud accounts by a name of your choice."`
	Clusters  map[string]clusterKeys `yaml:"clusters" keys:"name" doc:"Clusters by the name that people type."`
	Prices    map[string]priceKeys   `yaml:"prices" doc:"Prices per node by instance type, used where the cloud can't quote."`
	Budgets   *budgetKeys            `yaml:"budgets" null:"no" doc:"Monthly budgets of cost centres; left out = none."`
	Approvals approvalKeys           `yaml:"approvals" doc:"Who must agree to what."`
}

type slackKeys struct {
	AppToken providers.Secret `yaml:"app_token" required:"true" doc:"App-level token, xapp-…, with the scope connections:write."`
	BotToken providers.Secret `yaml:"bot_token" required:"true" doc:"Bot token, xoxb-…, of the same app."`
	APIURL   string           `yaml:"api_url" default:"https://slack.com/api/" doc:"Base of Slack's Web API; override for a proxy or a local Slack."`
	Command  string           `yaml:"command" default:"/scale" form:"command" doc:"The slash command, as in the app's manifest."`
	Language string           `yaml:"language" default:"en" enum:"en|zh" doc:"Language of cards in channels; private replies follow the person's own."`
	Sockets  int              `yaml:"sockets" default:"2" min:"1" max:"10" doc:"Socket Mode connections per replica; Slack allows 10 per app."`
}

type redisKeys struct {
	URL       providers.Secret `yaml:"url" default:"redis://localhost:6379/0" doc:"redis:// rediss:// unix:// redis+sentinel://host1,host2/master/0 redis+cluster://host1,host2"`
	KeyPrefix string           `yaml:"key_prefix" default:"scalebot" form:"key_prefix" doc:"First part of every key, so that several bots can share a Redis."`

	AuditRetention time.Duration `yaml:"audit_retention" default:"400d" min:"1d" max:"3650d" doc:"How long audit entries stay; older ones go, and the rest still verifies."`
}

type httpKeys struct {
	Listen string `yaml:"listen" default:"127.0.0.1:9090" doc:"Address of /metrics, /healthz and /readyz; empty turns them off."`
}

type engineKeys struct {
	Lease       time.Duration `yaml:"lease" default:"30s" min:"1s" max:"10m" doc:"A replica silent for longer loses its flows to another."`
	CallTimeout time.Duration `yaml:"call_timeout" default:"20s" min:"100ms" max:"5m" doc:"One cloud call; always well below the lease."`
	Poll        pollKeys      `yaml:"poll" doc:"How often a running operation is looked at."`
	Doubt       time.Duration `yaml:"doubt" default:"3m" min:"10s" max:"24h" doc:"After a lost answer, how long the machine looks for proof before it asks a person."`
	Follow      time.Duration `yaml:"follow" default:"6h" min:"1m" max:"720h" doc:"How long a running operation is followed before it is handed to a person."`
	Workers     int           `yaml:"workers" default:"16" min:"1" max:"1024" doc:"Flows stepped at the same time per replica."`
}

type pollKeys struct {
	Min time.Duration `yaml:"min" default:"3s" min:"10ms" max:"10m" doc:"Shortest time between two looks; an account's pace may make it longer."`
	Max time.Duration `yaml:"max" default:"30s" min:"10ms" max:"1h" doc:"Longest time between two looks."`
}

type limitsKeys struct {
	PerUser    int `yaml:"commands_per_user_per_minute" default:"20" min:"0" max:"100000" doc:"Commands a person may send per minute."`
	PerChannel int `yaml:"commands_per_channel_per_minute" default:"60" min:"0" max:"100000" doc:"Commands from one channel per minute."`
}

// accountKeys has the keys of all kinds; those that a kind doesn't know are
// refused by their "of".
type accountKeys struct {
	Provider        string           `yaml:"provider" required:"true" doc:"The kind of cloud."`
	Region          string           `yaml:"region" required:"true" form:"region" doc:"The cloud's region, e.g. ap-guangzhou."`
	Endpoint        string           `yaml:"endpoint" default:"" doc:"Empty = the cloud's own; else scheme://host[:port], replacing all three."`
	PriceEndpoint   string           `yaml:"price_endpoint" default:"" of:"alibaba-ack huawei-mrs" doc:"The same for the price service."`
	ProjectID       string           `yaml:"project_id" default:"" of:"huawei-mrs" doc:"Huawei project id of the region."`
	DomainID        string           `yaml:"domain_id" default:"" of:"huawei-mrs" doc:"Huawei domain id of the account that pays; needed for prices."`
	IAMEndpoint     string           `yaml:"iam_endpoint" default:"" of:"huawei-mrs" doc:"Where project and domain are looked up; empty = the cloud's own."`
	Rate            *int             `yaml:"rate" min:"1" max:"1000" doc:"Calls per second to this account, over all replicas; left out = 20 for tencent-emr, else 10."`
	Pace            *time.Duration   `yaml:"pace" min:"0s" max:"10m" doc:"Shortest time between two looks at one operation; left out = 10s for alibaba-ack, 15s for huawei-mrs, 0s for tencent-emr and for an endpoint on this machine."`
	SecretID        providers.Secret `yaml:"secret_id" of:"tencent-emr" role:"key id" doc:"SecretId; leave both keys out for the SDK's default chain."`
	SecretKey       providers.Secret `yaml:"secret_key" of:"tencent-emr huawei-mrs" role:"key secret" doc:"SecretKey."`
	AccessKeyID     providers.Secret `yaml:"access_key_id" of:"alibaba-ack" role:"key id" doc:"AccessKey ID; leave both keys out for the SDK's default chain."`
	AccessKeySecret providers.Secret `yaml:"access_key_secret" of:"alibaba-ack" role:"key secret" doc:"AccessKey secret."`
	AccessKey       providers.Secret `yaml:"access_key" of:"huawei-mrs" role:"key id" doc:"AK; leave both keys out for the SDK's default chain."`
}

type clusterKeys struct {
	Account    string               `yaml:"account" required:"true" doc:"One of accounts."`
	ID         string               `yaml:"id" required:"true" form:"id" doc:"The cloud's id of the cluster."`
	Labels     map[string]string    `yaml:"labels" doc:"Free labels for rules: cluster.labels.env."`
	Channels   []string             `yaml:"channels" form:"channel" doc:"Channels that get completion notices too."`
	Requesters *peopleKeys          `yaml:"requesters" null:"no" doc:"Who may ask; left out = every full member of the workspace."`
	Groups     map[string]groupKeys `yaml:"groups" required:"true" keys:"name" doc:"Node groups by the name that people type."`
}

type peopleKeys struct {
	Users      []string `yaml:"users" form:"user" doc:"Slack user ids."`
	Usergroups []string `yaml:"usergroups" form:"usergroup" doc:"Slack usergroup ids."`
}

type groupKeys struct {
	Min       int              `yaml:"min" default:"0" min:"0" max:"1000000" doc:"Fewest nodes a command may leave."`
	Max       *int             `yaml:"max" min:"0" max:"1000000" doc:"Most nodes a command may reach; left out = no limit."`
	MaxStep   *int             `yaml:"max_step" min:"1" max:"1000000" doc:"Most nodes one command may add or remove; left out = no limit."`
	Charge    providers.Charge `yaml:"charge" default:"postpaid" enum:"postpaid|prepaid|spot" doc:"How new nodes are paid for when the command doesn't say."`
	Term      months           `yaml:"term" doc:"Prepaid term when the command doesn't say: 1m, 3m, 1y."`
	NodeType  string           `yaml:"node_type" default:"" of:"tencent-emr" role:"group id" doc:"The cloud's node type, where it differs from the group's name."`
	NodePool  string           `yaml:"node_pool" default:"" of:"alibaba-ack" role:"group id" doc:"Node pool id."`
	NodeGroup string           `yaml:"node_group" default:"" of:"huawei-mrs" role:"group id" doc:"Node group name."`
	API       string           `yaml:"api" default:"" of:"alibaba-ack" doc:"Another form of the cloud's API than the usual one."`
	Params    map[string]any   `yaml:"params" doc:"Request fields of the cloud's API in snake_case."`
}

type priceKeys struct {
	Currency string          `yaml:"currency" required:"true" form:"currency" doc:"ISO 4217 code."`
	Hourly   decimal.Decimal `yaml:"hourly" doc:"Per node and hour."`
	Monthly  decimal.Decimal `yaml:"monthly" doc:"Per node and month, prepaid."`
}

type budgetKeys struct {
	Label   string                `yaml:"label" required:"true" doc:"The cluster label whose value is the cost centre."`
	Zone    string                `yaml:"zone" default:"Asia/Shanghai" doc:"Time zone of the calendar month; the clouds' bills run in UTC+8."`
	Centres map[string]centreKeys `yaml:"centres" required:"true" keys:"name" doc:"Budgets by the name of the cost centre."`
}

type centreKeys struct {
	Monthly  decimal.Decimal `yaml:"monthly" required:"true" doc:"For each calendar month."`
	Currency string          `yaml:"currency" required:"true" form:"currency" doc:"ISO 4217 code; what is quoted in another one is not known to be within the budget."`
}

type approvalKeys struct {
	Groups         map[string]peopleKeys `yaml:"groups" keys:"name" doc:"Approver groups by the name that rules use."`
	Reactions      reactionKeys          `yaml:"reactions" doc:"Which reactions are votes."`
	ExpireAfter    time.Duration         `yaml:"expire_after" default:"4h" min:"1s" max:"720h" doc:"A ballot still open then ends as expired."`
	RemindAfter    time.Duration         `yaml:"remind_after" default:"15m" min:"0s" max:"720h" doc:"First reminder, then doubling; 0s = none."`
	Renewals       []time.Duration       `yaml:"renewal_reminders" null:"no" default:"14d 3d" min:"1h" max:"8760h" doc:"How long before the end of a prepaid term people are reminded; [] = not at all."`
	Grace          time.Duration         `yaml:"grace" default:"0s" min:"0s" max:"24h" doc:"After the last vote, time in which anyone concerned can still press Stop."`
	PriceTolerance ratio                 `yaml:"price_tolerance" default:"5%" doc:"How far the price may rise between vote and execution."`
	SelfApproval   bool                  `yaml:"self_approval" default:"false" doc:"Whether the requester's own vote counts."`
	Settle         []string              `yaml:"settle" null:"no" doc:"Groups whose members may settle an unknown flow; left out = all approver groups."`
	Rules          []ruleKeys            `yaml:"rules" null:"no" doc:"All that match must be met. Missing altogether = every change is refused; none matching = no approval needed."`
	Freezes        []freezeKeys          `yaml:"freezes" doc:"Times in which changes are refused."`
	Freezers       []string              `yaml:"freezers" null:"no" doc:"Groups whose members may freeze a cluster from Slack; left out = all approver groups."`
	FreezePass     []string              `yaml:"freeze_pass" null:"no" doc:"Groups whose members pass a freeze that somebody ordered from Slack, when they give a reason; left out = nobody."`
	BreakGlass     []string              `yaml:"break_glass" null:"no" doc:"Groups whose members may run a change at once, without its ballot, with a reason; left out = nobody."`
}

type reactionKeys struct {
	Approve []string `yaml:"approve" default:"white_check_mark heavy_check_mark +1" null:"no" form:"reaction" doc:"Reaction names that agree."`
	Deny    []string `yaml:"deny" default:"x no_entry -1" null:"no" form:"reaction" doc:"Reaction names that deny."`
}

type ruleKeys struct {
	Name    string         `yaml:"name" required:"true" doc:"Shown on the card."`
	When    string         `yaml:"when" required:"true" doc:"CEL over change, quote, budget, cluster, requester, now."`
	Require map[string]int `yaml:"require" required:"true" null:"no" min:"1" max:"100" doc:"How many people of which group."`

	Escalate *escalateKeys `yaml:"escalate" null:"no" doc:"Who may fill the seats too when nobody answers in time; left out = nobody else."`
}

type escalateKeys struct {
	After time.Duration `yaml:"after" required:"true" min:"1s" max:"720h" doc:"How long after the plan was posted."`
	To    string        `yaml:"to" required:"true" doc:"One of approvals.groups, asked from then on beside those of require."`
}

type freezeKeys struct {
	Name string    `yaml:"name" required:"true" doc:"Shown to who asks."`
	From time.Time `yaml:"from" required:"true" doc:"Start, with zone: 2026-12-24T00:00+08:00."`
	To   time.Time `yaml:"to" required:"true" doc:"End, with zone."`
	When string    `yaml:"when" default:"" doc:"CEL; left out = every change."`
	Pass []string  `yaml:"pass" null:"no" doc:"Groups whose members it lets through when they give a reason; left out = nobody."`
}
