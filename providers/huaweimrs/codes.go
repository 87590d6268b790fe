package huaweimrs

import (
	"net/http"
	"strings"

	"scalebot/providers"
)

// rule is what an error code means. On a write, write says whether the change
// may have happened; a read can't have done harm.
type rule struct {
	write  providers.Kind
	read   providers.Kind
	advice providers.Text
}

// The shapes of a rule. Reads answer Retry, NotFound or Auth only (the port's
// contract), so a parameter refused on a read counts as a broken answer.
func wrong(en, zh string) rule { // refused, and it stays so until a person changes something
	return rule{providers.Refused, providers.Retry, providers.Text{EN: en, ZH: zh}}
}

func missing(en, zh string) rule {
	return rule{providers.NotFound, providers.NotFound, providers.Text{EN: en, ZH: zh}}
}

func denied(en, zh string) rule {
	return rule{providers.Auth, providers.Auth, providers.Text{EN: en, ZH: zh}}
}

func doubt(en, zh string) rule { // failed inside the cloud, perhaps after it took the change
	return rule{providers.Unknown, providers.Retry, providers.Text{
		EN: en + " Scalebot looks at the cluster and sends nothing twice.",
		ZH: zh + "scalebot 会查看集群，不会重复发送。",
	}}
}

func later(en, zh string) rule { // refused before execution, for now
	return rule{providers.Retry, providers.Retry, providers.Text{EN: en, ZH: zh}}
}

func occupied(en, zh string) rule {
	return rule{providers.Occupied, providers.Retry, providers.Text{EN: en, ZH: zh}}
}

// The advice of errors that carry no code.
var (
	inDoubt = providers.Text{
		EN: "Huawei Cloud's answer is lost or can't be read, so the change may or may not have been taken; scalebot looks at the cluster and sends nothing twice.",
		ZH: "华为云的响应丢失或无法识别，变更可能已被接受也可能没有；scalebot 会查看集群，不会重复发送。",
	}
	adviceSlow   = cloud.Slow()
	adviceBroken = cloud.Broken()
	adviceFault  = providers.Text{
		EN: "A service inside Huawei Cloud failed; it is tried again by itself.",
		ZH: "华为云内部服务出错，稍后会自动重试。",
	}
)

// rule finds what the answer means: by its code, since the status is no sure
// guide (reference section 9); by the status only where the code is not known.
func (s said) rule() rule {
	// The API gateway spells its name in two ways.
	code := s.code
	if rest, ok := strings.CutPrefix(code, "APIG."); ok {
		code = "APIGW." + rest
	}
	r, ok := rules[code]
	switch {
	case ok:
	case s.status == http.StatusUnauthorized, s.status == http.StatusForbidden:
		r = noRight
	case s.status == http.StatusTooManyRequests:
		r = throttled
	default:
		r = unheard
	}
	if s.code == "" {
		// A page without a code may be anybody's, a proxy's on the way back as well.
		r.write = providers.Unknown
	}
	return r
}

// advised is the rule's advice for one call, with the code of a service behind.
func (s said) advised(r rule, write bool) providers.Text {
	t := r.advice
	switch {
	case write && s.code == "":
		t = inDoubt
	case !write && r.write == providers.Unknown && r.read == providers.Retry:
		t = adviceFault
	}
	if s.inner != "" {
		t.EN += " The service behind says " + s.inner + "."
		t.ZH += "底层服务返回 " + s.inner + "。"
	}
	return t
}

var (
	// unheard is the rule of a code in no table. On a write it may be anything, so
	// the change is in doubt.
	unheard = doubt(
		"Huawei Cloud answered with an error that scalebot does not know; give the request id to the cloud's support if it stays unclear.",
		"华为云返回了未知的错误码；若仍不清楚，请将请求 ID 提供给云支持。")
	throttled = later(
		"Huawei Cloud asks for fewer calls; it is tried again by itself.",
		"华为云限制了调用频率，稍后会自动重试。")
	badKey = denied(
		"The key is wrong, disabled or expired, or the host's clock is off: put a valid key into the account.",
		"密钥错误、被禁用或已过期，或主机时钟不准：请为账号配置有效密钥。")
	noRight = denied(
		"The key is not allowed to do this: let the cloud administrator grant it mrs:cluster:resize (mrs:cluster:resizeNodes in the newer policies) and the MRS reads.",
		"该密钥无权执行此操作：请云管理员授予 mrs:cluster:resize（新版策略为 mrs:cluster:resizeNodes）及 MRS 读取权限。")
	badRequest = wrong(
		"MRS refuses a parameter of the request: correct the command or the group's params; the log has its message.",
		"MRS 拒绝了请求中的某个参数：请修改命令或该组的 params，详情见日志。")
	busyNow = occupied(
		"Another change runs on the cluster; this one waits for its end.",
		"集群上有其他变更正在执行，本次变更会等待其结束。")
	badFlavour = wrong(
		"The flavour is not valid or not to be had here now: choose another spec=, correct task_node_info, or try again later.",
		"该规格无效或当前资源不足：请更换 spec=、修改 task_node_info，或稍后再试。")
	diskSoldOut = wrong(
		"The disk type is sold out here now: choose another disk=, correct task_node_info, or try again later.",
		"该类型云盘已售罄：请更换 disk=、修改 task_node_info，或稍后再试。")
	diskSize = wrong(
		"The disk size is not possible here: correct disk= or task_node_info in the group's params.",
		"云盘大小不符合要求：请修改 disk= 或该组 params 中的 task_node_info。")
)

func quota(of, von string) rule {
	return wrong(
		"The account's quota of "+of+" is used up: raise it in the console, or ask for fewer nodes.",
		"账号的"+von+"配额不足：请在控制台提升配额，或减少节点数量。")
}

func behindFailed(name string) rule {
	return doubt("The "+name+" service behind MRS failed.", "MRS 依赖的 "+name+" 服务失败。")
}

// rules holds every code of the document's table 6 and those of the reference,
// section 9.
var rules = map[string]rule{
	// The document's own.
	"12000001": badKey,
	"12000002": badRequest,
	"12000003": missing(
		"MRS has no such cluster: check the cluster's id in config, and the account's region and project_id.",
		"MRS 中没有该集群：请检查配置中的集群 ID，以及账号的 region 和 project_id。"),
	"12000009": badRequest,
	"12000013": doubt(
		"MRS says that the scale-in failed; a part of it may have happened.",
		"MRS 提示缩容失败，可能已部分执行。"),
	"12000014": doubt(
		"MRS says that the scale-out failed; a part of it may have happened.",
		"MRS 提示扩容失败，可能已部分执行。"),
	"12000017": occupied(
		"The cluster is not running, and MRS resizes running clusters only; it is tried again by itself.",
		"集群不在运行状态，MRS 仅支持对运行中的集群扩缩容，稍后会自动重试。"),
	"12000018": busyNow,
	"12000019": later(
		"MRS could not read the cluster's hosts just now, so nothing was changed; it is tried again by itself.",
		"MRS 暂时无法获取集群主机列表，未做变更，稍后会自动重试。"),
	"12000028": wrong(
		"The cluster does not take so many core nodes: ask for a smaller number; the log has the limit.",
		"core 节点数超过上限：请减少数量，上限见日志。"),
	"12000029": later(
		"MRS could not read the quota just now, so nothing was changed; it is tried again by itself.",
		"MRS 暂时无法获取配额，未做变更，稍后会自动重试。"),
	"12000030": quota("nodes", "节点"),
	"12000031": quota("vCPUs", " CPU "),
	"12000032": quota("memory", "内存"),
	"12000033": quota("disks", "磁盘数量"),
	"12000034": quota("disk capacity", "磁盘容量"),
	"12000054": wrong(
		"MRS does not support this operation on the cluster; the log has its message.",
		"MRS 不支持对该集群执行此操作，详情见日志。"),
	"12000065": wrong(
		"The cluster is paid by the year or month and can't be resized by this call: use the MRS console, which makes an order.",
		"该集群为包年包月，不能通过此接口扩缩容：请在 MRS 控制台操作并下单。"),
	"12000067": wrong(
		"The cluster's version is too old to be scaled out: upgrade it first.",
		"集群版本过旧，不支持扩容：请先升级。"),
	"12000068": occupied( // it waits for people, who need longer than a fault lasts
		"Some nodes of the cluster are not running: start or repair them in the MRS console; it is tried again by itself.",
		"集群中有节点未运行：请在 MRS 控制台启动或修复，稍后会自动重试。"),
	"12000121": wrong(
		"An unpaid order stands on the cluster: the billing owner pays or cancels it, then ask again.",
		"该集群存在未支付订单：请费用负责人支付或取消后重新发起。"),
	"MRS.101": quota("resources", "资源"),
	// The document says to try again later. Who keeps getting it ends by the number
	// of tries.
	"MRS.102": later(badKey.advice.EN+" It is tried again by itself.", badKey.advice.ZH+"稍后会自动重试。"),
	"MRS.103": badRequest,
	"MRS.104": wrong(
		"Huawei Cloud has not enough of these machines now: ask for fewer, or try again later.",
		"当前资源不足：请减少节点数量，或稍后再试。"),
	"MRS.105": wrong(
		"The cluster's subnet has no free addresses: enlarge it or free some, then ask again.",
		"集群子网的 IP 不足：请扩大子网或释放地址后重新发起。"),
	"MRS.201": behindFailed("ECS"),
	"MRS.202": behindFailed("IAM"),
	"MRS.203": behindFailed("VPC"),
	"MRS.300": doubt("A part inside MRS failed.", "MRS 内部出错。"),

	// Of other public pages.
	"12000004": doubt("A part inside MRS failed.", "MRS 内部出错。"),
	"12000012": busyNow,
	"12000125": busyNow,
	"12000127": busyNow,
	"12000128": busyNow,
	"12000052": noRight,
	"12000126": noRight,
	"12000136": noRight,
	"12000107": denied(
		"The project is not the right one: correct project_id of the account.",
		"项目 ID 不正确：请修改账号的 project_id。"),
	"12000123": wrong(
		"The group has task nodes already, so the spec of new ones can't be given: ask again without spec= and disk=.",
		"该组已有 task 节点，不能再指定规格：请去掉 spec= 和 disk= 后重新发起。"),
	"12000124": wrong(
		"The group is under auto scaling, which MRS does not let people override: switch its policy off in the MRS console, or change it there.",
		"该组已启用弹性伸缩，MRS 不允许手动调整：请在 MRS 控制台关闭或修改伸缩策略。"),
	"12000048": badFlavour,
	"12000090": badFlavour,
	"12000094": badFlavour,
	"12000233": badFlavour,
	"12000234": badFlavour,
	"12000138": wrong(
		"MRS finds a fault with the nodes or their server group: look at the cluster in the MRS console.",
		"节点或云服务器组存在问题：请在 MRS 控制台查看集群。"),
	"12000139": diskSoldOut,
	"12000140": diskSoldOut,
	"12000141": diskSize,
	"12000142": diskSize,

	// The API gateway, before any service.
	"APIGW.0101": {providers.Refused, providers.NotFound, providers.Text{
		EN: "This address has no such call: correct the account's region or endpoint.",
		ZH: "该地址没有此接口：请修改账号的 region 或 endpoint。",
	}},
	"APIGW.0301": badKey,
	"APIGW.0308": throttled,

	// The price service (reference section 7).
	"CBC.0100": badRequest,
	"CBC.0101": badRequest,
	"CBC.0151": denied(
		"The key may not ask for prices: let the cloud administrator grant it, and check domain_id.",
		"该密钥无权询价：请云管理员授权，并检查 domain_id。"),
}
