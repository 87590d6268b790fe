package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"scalebot/bot/flow"
	"scalebot/providers"
)

// The provider kinds of design.md section 6. One that is not in the registry is
// known but not in this binary.
const (
	tencentEMR = "tencent-emr"
	alibabaACK = "alibaba-ack"
	huaweiMRS  = "huawei-mrs"
)

var knownKinds = []string{alibabaACK, huaweiMRS, tencentEMR}

// builder makes a Config of the decoded keys and checks what takes more than
// one key to see.
type builder struct {
	*report
	kinds providers.Registry
	file  fileKeys
	cfg   *Config
}

func (b *builder) build() {
	decoder{b.report}.object(reflect.ValueOf(&b.file).Elem(), b.root, nil)
	b.slack()
	b.redis()
	b.http()
	b.engine()
	b.cfg.Limits = flow.Limits{PerUserMinute: b.file.Limits.PerUser, PerChannelMinute: b.file.Limits.PerChannel}
	b.prices()
	b.clouds()
	b.budgets()
	b.approvals()
}

func (b *builder) slack() {
	k := b.file.Slack
	b.cfg.Slack = Slack(k)
	b.token("app_token", k.AppToken, "xapp-", "an app-level token (the app's page, Basic Information, App-Level Tokens)")
	b.token("bot_token", k.BotToken, "xoxb-", "a bot token (the app's page, OAuth & Permissions)")

	path := []string{"slack", "api_url"}
	u, err := url.Parse(k.APIURL)
	switch {
	case b.overlaps(path):
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		b.at(path, "must be an address such as https://slack.com/api/", "")
	default:
		if !strings.HasSuffix(k.APIURL, "/") {
			b.cfg.Slack.APIURL += "/" // slack-go joins base and method without one
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			b.warn(path, "sends the tokens unencrypted to another machine")
		}
	}
}

// token says what a token is by its beginning, and never shows it.
func (b *builder) token(key string, t providers.Secret, prefix, what string) {
	path := []string{"slack", key}
	if t == "" || b.overlaps(path) || strings.HasPrefix(t.Reveal(), prefix) {
		return
	}
	text := fmt.Sprintf("must be %s, which starts with %s", what, prefix)
	for other, name := range map[string]string{
		"xapp-": "this is an app-level token: are app_token and bot_token swapped?",
		"xoxb-": "this is a bot token: are app_token and bot_token swapped?",
		"xoxp-": "this is a user token",
		"xoxe":  "this is a rotating token: scalebot needs one that stays (token rotation off)",
	} {
		if strings.HasPrefix(t.Reveal(), other) {
			text += "; " + name
		}
	}
	b.at(path, text, "")
}

func (b *builder) redis() {
	k, path := b.file.Redis, []string{"redis", "url"}
	b.cfg.Redis.KeyPrefix, b.cfg.Redis.AuditRetention = k.KeyPrefix, k.AuditRetention
	if b.overlaps(path) {
		return
	}
	target, err := parseRedis(k.URL.Reveal())
	if err != nil {
		b.at(path, err.Error(), "")
		return
	}
	b.cfg.Redis.RedisTarget = target
}

func (b *builder) http() {
	b.cfg.HTTP.Listen = b.file.HTTP.Listen
	path := []string{"http", "listen"}
	if b.cfg.HTTP.Listen == "" || b.overlaps(path) {
		return
	}
	_, port, err := net.SplitHostPort(b.cfg.HTTP.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		b.at(path, `must be host:port, such as 127.0.0.1:9090, or "" for none`, "")
	}
}

func (b *builder) engine() {
	k := b.file.Engine
	b.cfg.Engine = Engine{
		Lease: k.Lease, CallTimeout: k.CallTimeout, PollMin: k.Poll.Min, PollMax: k.Poll.Max,
		Doubt: k.Doubt, Follow: k.Follow, Workers: k.Workers,
	}
	// A call that outlives the lease ends after another replica took the flow
	// over: its answer could not be saved. A zero value has its problem already.
	switch path := []string{"engine", "call_timeout"}; {
	case k.Lease <= 0:
	case k.CallTimeout >= k.Lease:
		b.at(path, fmt.Sprintf("is %s, but must be below the lease (%s): the answer of a call that takes longer could not be saved", k.CallTimeout, k.Lease), "")
	case k.CallTimeout*3 > k.Lease*2:
		b.warn(path, fmt.Sprintf("is %s, more than two thirds of the lease (%s): a slow save after a slow call may come too late, and another replica starts over", k.CallTimeout, k.Lease))
	}
	if path := []string{"engine", "poll", "min"}; k.Poll.Max > 0 && k.Poll.Min > k.Poll.Max {
		b.at(path, fmt.Sprintf("is %s, more than max (%s)", k.Poll.Min, k.Poll.Max), "")
	}
}

func (b *builder) prices() {
	b.cfg.Prices = providers.PriceTable{}
	for _, name := range sorted(b.file.Prices) {
		p, path := b.file.Prices[name], []string{"prices", name}
		b.cfg.Prices[name] = providers.Price{Currency: p.Currency, Hourly: p.Hourly, Monthly: p.Monthly}
		if p.Hourly.IsZero() && p.Monthly.IsZero() && !b.overlaps(path) {
			b.at(path, "needs hourly, monthly or both, greater than 0", "")
		}
	}
}

// clouds makes accounts with their groups and the catalogue.
func (b *builder) clouds() {
	accounts := map[string]*providers.Account{}
	for _, name := range sorted(b.file.Accounts) {
		k := b.file.Accounts[name]
		id, secret := credentials(k)
		accounts[name] = &providers.Account{
			Name: name, Kind: k.Provider, Region: k.Region, Endpoint: strings.TrimSuffix(k.Endpoint, "/"),
			PriceEndpoint: strings.TrimSuffix(k.PriceEndpoint, "/"), ProjectID: k.ProjectID, DomainID: k.DomainID,
			IAMEndpoint: strings.TrimSuffix(k.IAMEndpoint, "/"), KeyID: id, KeySecret: secret, Rate: rate(k), Pace: k.Pace,
		}
		b.account(name, k)
	}
	b.cfg.Catalog = flow.Catalog{}
	seats := map[string]string{} // account and cloud id → name
	for _, name := range sorted(b.file.Clusters) {
		b.cluster(name, b.file.Clusters[name], accounts, seats)
	}
	for _, name := range sorted(b.file.Accounts) {
		a, path := accounts[name], []string{"accounts", name}
		if spec, ok := b.kinds[a.Kind]; ok {
			b.adopt(path, spec.CheckAccount(*a))
		}
		if len(a.Groups) == 0 {
			b.warn(path, "is used by no cluster")
		}
		b.cfg.Accounts = append(b.cfg.Accounts, *a)
	}
	if len(b.file.Clusters) == 0 {
		b.warn([]string{"clusters"}, "names no cluster: there is nothing that people could scale")
	}
}

func (b *builder) account(name string, k accountKeys) {
	path := []string{"accounts", name}
	if k.Provider != "" {
		if !b.kind(k.Provider, below(path, "provider"), path) {
			return
		}
		b.keysOfKind(reflect.TypeFor[accountKeys](), k.Provider, path)
	}
	b.endpoint(below(path, "endpoint"), k.Endpoint)
	b.endpoint(below(path, "price_endpoint"), k.PriceEndpoint)
	b.endpoint(below(path, "iam_endpoint"), k.IAMEndpoint)

	idKey, secretKey := roleKey("key id", k.Provider), roleKey("key secret", k.Provider)
	if idKey == "" {
		return
	}
	n := b.root.get("accounts").get(name)
	switch hasID, hasSecret := n.has(idKey), n.has(secretKey); {
	case hasID && !hasSecret:
		b.at(below(path, secretKey), fmt.Sprintf("is missing: give it together with %s, or neither for the SDK's own chain of environment, profile and role", idKey), "")
	case hasSecret && !hasID:
		b.at(below(path, idKey), fmt.Sprintf("is missing: give it together with %s, or neither for the SDK's own chain of environment, profile and role", secretKey), "")
	}
	id, secret := credentials(k)
	for key, v := range map[string]providers.Secret{idKey: id, secretKey: secret} {
		if n.has(key) && v == "" && !b.reported(below(path, key)) {
			b.at(below(path, key), "is empty: leave both keys out to use the SDK's own chain of environment, profile and role", "")
		}
	}
}

// kind checks that a provider is one, and one that this binary has.
func (b *builder) kind(kind string, at, account []string) bool {
	if _, ok := b.kinds[kind]; ok {
		return true
	}
	if slices.Contains(knownKinds, kind) {
		b.atKey(account, fmt.Sprintf("provider %s is not built yet in this version", kind), "")
		return true // its keys can be looked at all the same
	}
	all := slices.Compact(slices.Sorted(slices.Values(append(b.kinds.Names(), knownKinds...))))
	suggest := providers.Nearest(kind, all)
	text := fmt.Sprintf("no provider %q", kind)
	if suggest == "" {
		text += "; there are " + strings.Join(all, ", ")
	}
	b.at(at, text, suggest)
	return false
}

// keysOfKind refuses keys that another kind of provider has, naming the one
// that is meant.
func (b *builder) keysOfKind(t reflect.Type, kind string, path []string) {
	var here *node
	for i, k := range path {
		if i == 0 {
			here = b.root.get(k)
			continue
		}
		here = here.get(k)
	}
	for _, f := range keysOf(t) {
		if key := yamlKey(f); here.has(key) && !ofKind(f, kind) {
			own := ""
			if role := f.Tag.Get("role"); role != "" {
				own = roleKeyIn(t, role, kind)
			}
			b.atKey(below(path, key), fmt.Sprintf("is a key of %s, not of %s", strings.ReplaceAll(f.Tag.Get("of"), " ", " and "), kind), own)
		}
	}
}

// ofKind says whether a kind has a key. A kind that this package doesn't know
// by name has them all: its own check decides.
func ofKind(f reflect.StructField, kind string) bool {
	of := f.Tag.Get("of")
	return of == "" || !slices.Contains(knownKinds, kind) || slices.Contains(strings.Fields(of), kind)
}

// GroupKey is the key of a group in which a kind of provider has the cloud's own
// name of it, e.g. node_pool; "" for a kind that this package doesn't know.
func GroupKey(kind string) string { return roleKeyIn(reflect.TypeFor[groupKeys](), "group id", kind) }

// Typable reports whether people can type a name in a command.
func Typable(name string) bool { return typed(name) }

func roleKey(role, kind string) string {
	return roleKeyIn(reflect.TypeFor[accountKeys](), role, kind)
}

// roleKeyIn is the key that plays a role for a known kind, or "".
func roleKeyIn(t reflect.Type, role, kind string) string {
	for _, f := range keysOf(t) {
		if f.Tag.Get("role") == role && slices.Contains(strings.Fields(f.Tag.Get("of")), kind) {
			return yamlKey(f)
		}
	}
	return ""
}

// rate is how many calls a second an account gets. Tencent documents 20 for each
// API; the other two publish no limit, so they get half of that.
func rate(k accountKeys) int {
	switch {
	case k.Rate != nil:
		return *k.Rate
	case k.Provider == tencentEMR:
		return 20
	}
	return 10
}

// credentials are those of the account's kind.
func credentials(k accountKeys) (id, secret providers.Secret) {
	switch k.Provider {
	case alibabaACK:
		return k.AccessKeyID, k.AccessKeySecret
	case huaweiMRS:
		return k.AccessKey, k.SecretKey
	case tencentEMR:
		return k.SecretID, k.SecretKey
	}
	return cmp.Or(k.SecretID, k.AccessKeyID, k.AccessKey), cmp.Or(k.SecretKey, k.AccessKeySecret)
}

// endpoint accepts scheme://host[:port]. A path would be lost or break the
// signature, depending on the SDK.
func (b *builder) endpoint(path []string, text string) {
	if text == "" || b.overlaps(path) {
		return
	}
	const want = "must be scheme://host or scheme://host:port, such as https://emr.tencentcloudapi.com"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		b.at(path, want, "")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		b.at(path, want+": nothing behind the port", u.Scheme+"://"+u.Host)
	}
}

func (b *builder) cluster(name string, k clusterKeys, accounts map[string]*providers.Account, seats map[string]string) {
	path := []string{"clusters", name}
	c := flow.Cluster{
		Name: name, ID: k.ID, Account: k.Account, Labels: k.Labels, Channels: k.Channels, Groups: map[string]flow.Group{},
	}
	if slices.Contains(verbs, strings.ToLower(name)) {
		b.atKey(path, fmt.Sprintf("is called like the command %q, so nobody could name it: choose another name", strings.ToLower(name)), "")
	}
	b.twice(below(path, "channels"), k.Channels)
	if k.Requesters != nil {
		people := b.people(below(path, "requesters"), *k.Requesters)
		c.Requesters = &people
		if len(people.Users)+len(people.Usergroups) == 0 && !b.overlaps(below(path, "requesters")) {
			b.warn(below(path, "requesters"), "names nobody: nobody can scale this cluster")
		}
	}
	a, ok := accounts[k.Account]
	if !ok {
		if k.Account != "" {
			b.at(below(path, "account"), fmt.Sprintf("no account %q", k.Account), providers.Nearest(k.Account, sorted(accounts)))
		}
		a = &providers.Account{}
	}
	c.Kind, c.Nameless = a.Kind, b.kinds[a.Kind].NoOperationID
	if ok && k.ID != "" {
		seat := k.Account + "/" + k.ID
		if first, dup := seats[seat]; dup {
			b.warn(below(path, "id"), fmt.Sprintf("is the cluster %s under a second name: their changes wait for each other", first))
		} else {
			seats[seat] = name
		}
	}
	if len(k.Groups) == 0 && !b.overlaps(below(path, "groups")) {
		b.at(below(path, "groups"), "names no group: there is nothing to scale", "")
	}
	for _, g := range sorted(k.Groups) {
		c.Groups[g] = b.group(c, g, k.Groups[g], a)
	}
	b.cfg.Catalog[name] = c
}

func (b *builder) group(c flow.Cluster, name string, k groupKeys, a *providers.Account) flow.Group {
	path := []string{"clusters", c.Name, "groups", name}
	gc := providers.GroupConfig{
		Cluster: c.Name, Group: name, GroupID: cmp.Or(k.NodeType, k.NodePool, k.NodeGroup), API: k.API, Params: k.Params,
	}
	a.Groups = append(a.Groups, gc)
	if k.Max != nil && k.Min > *k.Max && !b.reported(below(path, "max")) {
		b.at(below(path, "min"), fmt.Sprintf("is %d, more than max (%d)", k.Min, *k.Max), "")
	}
	g := flow.Group{
		Name: name, ID: gc.GroupID, Min: k.Min, Max: k.Max, MaxStep: k.MaxStep, Charge: k.Charge, Months: int(k.Term),
	}
	if a.Kind != "" {
		b.keysOfKind(reflect.TypeFor[groupKeys](), a.Kind, path)
	}
	if spec, ok := b.kinds[a.Kind]; ok {
		b.adopt(path, spec.CheckGroup(gc))
		g.ID = spec.GroupID(gc)
	}
	return g
}

// adopt takes over what another package found below a path, except what only
// repeats a problem that is on record.
func (b *builder) adopt(path []string, found []providers.Problem) {
	known := &report{problems: slices.Clone(b.problems), values: slices.Clone(b.values)}
	for _, p := range found {
		if at := below(path, p.Path...); !known.overlaps(at) {
			b.at(at, p.Text, p.Suggest)
		}
	}
}

// twice reports list items that are there before.
func (b *builder) twice(path []string, items []string) {
	for i, it := range items {
		if at := below(path, strconv.Itoa(i)); it != "" && slices.Contains(items[:i], it) {
			b.at(at, fmt.Sprintf("%s is named twice", it), "")
		}
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
