package alibabaack

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"scalebot/providers"
)

// What the documents and the SDK's text say a value may be.
var (
	// periods are the months of worker_period. The worker documents name the
	// first five; the SDK's text and the edge document have the others too.
	periods = []int{1, 2, 3, 6, 12, 24, 36, 48, 60}
	// renewals are the months of worker_auto_renew_period of ECS nodes; of ENS
	// nodes it is any month from 1 to 12.
	renewals = []int{1, 2, 3, 6, 12}
	effects  = []string{"NoSchedule", "NoExecute", "PreferNoSchedule"} // Kubernetes
	ensNets  = []string{"BandwidthByDay", "95BandwidthByMonth"}
)

const (
	prePaid, postPaid = "PrePaid", "PostPaid"
	periodUnit        = "Month"

	minSystemDisk, maxSystemDisk = 40, 500   // GiB, worker_system_disk_size (SDK text)
	minDataDisk, maxDataDisk     = 40, 32767 // GiB, worker_data_disks[].size (SDK text)
	maxDisks                     = 16        // data disks of one ECS machine

	minEdgeSystem, maxEdgeSystem = 20, 100 // GiB, a multiple of edgeStep
	minEdgeData, maxEdgeData     = 20, 200 // GiB, a multiple of edgeStep; 0 = no disk
	edgeStep                     = 10

	maxTags, maxTagKey, maxTagValue = 20, 64, 128 // letters (SDK text)
)

// checker looks at ranges and at what goes together in decoded params.
type checker struct {
	params   params
	problems []providers.Problem
}

func (c *checker) add(path []string, suggest, format string, args ...any) {
	c.problems = append(c.problems, providers.Problem{
		Path: append([]string{"params"}, path...), Text: fmt.Sprintf(format, args...), Suggest: suggest,
	})
}

func (c *checker) worker() {
	p := c.params
	c.oneOf("worker_instance_charge_type", prePaid, postPaid)
	c.oneOf("worker_period_unit", periodUnit)
	c.oneOf("cpu_policy", "none", "static")
	c.among("worker_period", periods)
	c.among("worker_auto_renew_period", renewals)
	c.between("worker_system_disk_size", minSystemDisk, maxSystemDisk)
	c.filled("worker_instance_charge_type", "worker_system_disk_category", "key_pair", "login_password")
	c.distinct("vswitch_ids")
	c.distinct("worker_instance_types")
	c.distinct("rds_instances")

	switch prepaid := p.text("worker_instance_charge_type") == prePaid; {
	case prepaid && !p.has("worker_period"):
		c.add([]string{"worker_period"}, "", "worker_period is missing: %s nodes need their term in months.", prePaid)
	case !prepaid && (p.has("worker_period") || p.has("worker_period_unit")):
		c.add([]string{"worker_period"}, "", "worker_period works only with worker_instance_charge_type: %s; else the term comes from the command.", prePaid)
	}
	c.renewal()
	switch hasKey, hasPassword := p.has("key_pair"), p.has("login_password"); {
	case hasKey && hasPassword:
		c.add([]string{"login_password"}, "", "key_pair and login_password are both given; give one of them.")
	case !hasKey && !hasPassword:
		c.add([]string{"key_pair"}, "", "Nodes need a way to log in: give key_pair or login_password.")
	}
	c.password()
	if data := p.text("user_data"); data != "" {
		if _, err := base64.StdEncoding.DecodeString(data); err != nil {
			c.add([]string{"user_data"}, "", "user_data must be base64; give the script encoded.")
		}
	}
	if r, ok := p["runtime"].(map[string]any); ok && params(r).text("name") == "" {
		c.add([]string{"runtime"}, "", "runtime needs a name, for example containerd.")
	}
	for i, d := range p.objects("worker_data_disks") {
		at := []string{"worker_data_disks", strconv.Itoa(i)}
		if d.text("category") == "" {
			c.add(at, "", "A data disk needs its category, for example cloud_essd.")
		}
		if size, _ := strconv.Atoi(d.text("size")); size < minDataDisk || size > maxDataDisk {
			c.add(append(at, "size"), "", "size is in GiB, from %d to %d.", minDataDisk, maxDataDisk)
		}
	}
	c.tags()
	c.taints()
}

func (c *checker) edge() {
	p := c.params
	for _, key := range []string{"worker_instance_type", "ens_region_id", "worker_image_id", "ens_internet_charge_type", "login_password"} {
		if strings.TrimSpace(p.text(key)) == "" {
			c.add([]string{key}, "", "%s is missing; the edge form needs it.", key)
		}
	}
	if !p.has("worker_system_disk_size") {
		c.add([]string{"worker_system_disk_size"}, "", "worker_system_disk_size is missing; the edge form needs it.")
	}
	if !p.flag("is_edge_worker", true) {
		c.add([]string{"is_edge_worker"}, "", "is_edge_worker must be true on an edge cluster; leave it out, scalebot says it.")
	}
	c.oneOf("ens_internet_charge_type", ensNets...)
	c.among("worker_period", periods)
	c.between("worker_auto_renew_period", 1, 12)
	c.renewal()
	c.steps("worker_system_disk_size", minEdgeSystem, maxEdgeSystem)
	if p.number("worker_data_disk_size") != 0 {
		c.steps("worker_data_disk_size", minEdgeData, maxEdgeData)
	}
	if p.has("timeout_mins") && p.number("timeout_mins") < 1 {
		c.add([]string{"timeout_mins"}, "", "timeout_mins is in minutes, from 1.")
	}
	c.password()
}

// renewal: "takes effect and is required only if … worker_auto_renew is set to
// true". Alone it is the period for a command that says renew.
func (c *checker) renewal() {
	if c.params.flag("worker_auto_renew", false) && !c.params.has("worker_auto_renew_period") {
		c.add([]string{"worker_auto_renew_period"}, "", "worker_auto_renew_period is missing: worker_auto_renew needs it, in months.")
	}
}

func (c *checker) password() {
	if w := c.params.text("login_password"); c.params.has("login_password") && w != "" && !goodPassword(w) {
		c.add([]string{"login_password"}, "", "login_password must have 8 to 30 characters and three of: capital letters, small letters, digits, special characters.")
	}
}

// goodPassword is the rule of all three documents.
func goodPassword(w string) bool {
	var kinds [4]bool
	for _, r := range w {
		switch {
		case unicode.IsUpper(r):
			kinds[0] = true
		case unicode.IsLower(r):
			kinds[1] = true
		case unicode.IsDigit(r):
			kinds[2] = true
		default:
			kinds[3] = true
		}
	}
	n := 0
	for _, has := range kinds {
		if has {
			n++
		}
	}
	letters := utf8.RuneCountInString(w)
	return letters >= 8 && letters <= 30 && n >= 3
}

func (c *checker) filled(keys ...string) {
	for _, k := range keys {
		if c.params.has(k) && strings.TrimSpace(c.params.text(k)) == "" {
			c.add([]string{k}, "", "%s is empty; leave it out to take the cloud's default.", k)
		}
	}
}

func (c *checker) oneOf(key string, allowed ...string) {
	if v := c.params.text(key); v != "" && !slices.Contains(allowed, v) {
		c.add([]string{key}, providers.Nearest(v, allowed), "%q is not possible here: %s.", v, strings.Join(allowed, ", "))
	}
}

func (c *checker) among(key string, allowed []int) {
	if c.params.has(key) && !slices.Contains(allowed, c.params.number(key)) {
		c.add([]string{key}, "", "%s is in months: %s.", key, numbers(allowed))
	}
}

func (c *checker) between(key string, low, high int) {
	if n := c.params.number(key); c.params.has(key) && (n < low || n > high) {
		c.add([]string{key}, "", "%s is from %d to %d.", key, low, high)
	}
}

func (c *checker) steps(key string, low, high int) {
	if n := c.params.number(key); c.params.has(key) && (n < low || n > high || n%edgeStep != 0) {
		c.add([]string{key}, "", "%s is in GiB, a multiple of %d from %d to %d.", key, edgeStep, low, high)
	}
}

func (c *checker) distinct(key string) {
	seen := map[string]bool{}
	for i, s := range c.params.texts(key) {
		switch {
		case strings.TrimSpace(s) == "":
			c.add([]string{key, strconv.Itoa(i)}, "", "An item of %s is empty.", key)
		case seen[s]:
			c.add([]string{key, strconv.Itoa(i)}, "", "%s is named twice.", s)
		}
		seen[s] = true
	}
}

func (c *checker) tags() {
	seen := map[string]bool{}
	list := c.params.objects("tags")
	if len(list) > maxTags {
		c.add([]string{"tags"}, "", "There can be %d tags at most.", maxTags)
	}
	for i, t := range list {
		at := []string{"tags", strconv.Itoa(i)}
		key := t.text("key")
		if seen[key] {
			c.add(at, "", "The tag %s is given twice.", key)
		}
		seen[key] = true
		if why := badTag(key, t.text("value")); why.EN != "" {
			c.add(at, "", "%s", why.EN)
		}
	}
}

// badTag is why a tag can't be, in the SDK's own words on tags; empty if it can.
func badTag(key, value string) providers.Text {
	switch {
	case strings.TrimSpace(key) == "":
		return providers.Text{EN: "A tag needs a name.", ZH: "标签需要名称。"}
	case utf8.RuneCountInString(key) > maxTagKey || utf8.RuneCountInString(value) > maxTagValue:
		return providers.Text{
			EN: fmt.Sprintf("A tag's name has at most %d letters and its value %d.", maxTagKey, maxTagValue),
			ZH: fmt.Sprintf("标签名称最多 %d 个字符，值最多 %d 个字符。", maxTagKey, maxTagValue),
		}
	}
	for _, s := range []string{key, value} {
		for _, start := range []string{"aliyun", "acs:", "http://", "https://"} {
			if strings.HasPrefix(strings.ToLower(s), start) {
				return providers.Text{
					EN: "A tag can't begin with " + start + ": Alibaba Cloud keeps that for itself.",
					ZH: "标签不能以 " + start + " 开头：该前缀由阿里云保留。",
				}
			}
		}
	}
	return providers.Text{}
}

func (c *checker) taints() {
	for i, t := range c.params.objects("taints") {
		at := []string{"taints", strconv.Itoa(i)}
		if t.text("key") == "" {
			c.add(at, "", "A taint needs a key.")
		}
		if e := t.text("effect"); !slices.Contains(effects, e) {
			c.add(append(at, "effect"), providers.Nearest(e, effects), "%q is no effect of a taint: %s.", e, strings.Join(effects, ", "))
		}
	}
}

func numbers(list []int) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.Itoa(n)
	}
	return strings.Join(out, ", ")
}
