package tencentemr

import (
	"strings"

	"scalebot/providers"
)

// proof is what a refusal of a repeat with the same token says of the first
// send. The argument stands in the package comment.
type proof int

const (
	provesNothing proof = iota
	provesNow           // the first was not accepted so far; a late arrival still could be
	provesForGood       // and a late arrival would be refused as well
)

// rule is what an error code means. On a write, write says whether the change
// may have happened; a read can't have done harm.
type rule struct {
	write  providers.Kind
	read   providers.Kind
	proof  proof
	advice providers.Text
}

func (r rule) kind(x exchange) providers.Kind {
	if x.write {
		return r.write
	}
	return r.read
}

// The shapes of a rule. Reads answer Retry, NotFound or Auth only (the port's
// contract), so a parameter refused on a read counts as a broken answer.
func wrong(en, zh string) rule { // the request is wrong and stays wrong
	return rule{providers.Refused, providers.Retry, provesForGood, providers.Text{EN: en, ZH: zh}}
}

// vague is wrong, but the code does not say that another parameter than the token
// is meant: what a repeat of a token that was taken is answered with is not
// documented, and an error about the token is then the acceptance of the first.
func vague(en, zh string) rule {
	return rule{providers.Refused, providers.Retry, provesNothing, providers.Text{EN: en, ZH: zh}}
}

func short(en, zh string) rule { // the cloud has not enough of something now
	return rule{providers.Refused, providers.Retry, provesNow, providers.Text{EN: en, ZH: zh}}
}

func missing(en, zh string) rule {
	return rule{providers.NotFound, providers.NotFound, provesForGood, providers.Text{EN: en, ZH: zh}}
}

func denied(en, zh string) rule {
	return rule{providers.Auth, providers.Auth, provesNothing, providers.Text{EN: en, ZH: zh}}
}

func doubt(en, zh string) rule { // failed inside the cloud, perhaps after it took the change
	return rule{providers.Unknown, providers.Retry, provesNothing, providers.Text{EN: en, ZH: zh}}
}

func later(en, zh string) rule { // refused before execution
	return rule{providers.Retry, providers.Retry, provesNothing, providers.Text{EN: en, ZH: zh}}
}

// The advice of errors that carry no code.
var (
	inDoubt = providers.Text{
		EN: "Tencent Cloud's answer is lost, so the change may or may not have been taken; scalebot looks at the cluster and sends nothing twice.",
		ZH: "腾讯云的响应丢失，变更可能已被接受也可能没有；scalebot 会查看集群，不会重复发送。",
	}
	adviceSlow   = cloud.Slow()
	adviceBroken = cloud.Broken()
)

// unheard is the rule of a code in no table. On a write it may be anything, so
// the change is in doubt.
var unheard = doubt(
	"Tencent Cloud answered with an error that scalebot does not know; look at the cluster and give the request id to the cloud's support.",
	"腾讯云返回了未知的错误码，请查看集群，并将请求 ID 提供给云支持。")

// lookup finds the rule of a code: the code itself, else its family, which is
// the code up to a dot.
func lookup(code string) rule {
	for c := code; ; {
		if r, ok := rules[c]; ok {
			return r
		}
		dot := strings.LastIndexByte(c, '.')
		if dot < 0 {
			return unheard
		}
		c = c[:dot]
	}
}

var (
	soldOut = short(
		"This machine type is sold out or not offered in this zone now: choose another spec= or zone=, or try again later.",
		"该机型在此可用区已售罄或不支持：请换用其他 spec= 或 zone=，或稍后再试。")
	diskSoldOut = short(
		"The disk type is sold out or its stock is too small now: choose another disk= or zone=, or try again later.",
		"该云盘类型已售罄或库存不足：请换用其他 disk= 或 zone=，或稍后再试。")
	badCount = wrong(
		"The number of nodes is out of the service's range: ask for a smaller step.",
		"节点数量超出服务允许的范围：请减小单次数量。")
	badCharge = wrong(
		"The charge mode and its term don't go together here: use postpaid, or prepaid with 1–12, 24, 36, 48 or 60 months.",
		"计费模式与购买时长不匹配：请使用 postpaid，或 prepaid 并选择 1–12、24、36、48、60 个月。")
	noCluster = missing(
		"Tencent Cloud has no such cluster: check the cluster's id in config, and the account's region (keys of the domestic and the international site are separate).",
		"腾讯云上没有该集群：请检查配置中的集群 ID 与账号的地域（国内站与国际站的密钥不通用）。")
	noNodes = missing(
		"Some of the nodes are gone or belong to another cluster: look at the status again and name nodes that are there.",
		"部分节点已不存在或属于其他集群：请重新查看状态，并指定现有节点。")
	noRight = denied(
		"The key is not allowed to do this: let the cloud administrator grant it the EMR action in CAM.",
		"该密钥无权执行此操作：请云管理员在 CAM 中授予相应的 EMR 权限。")
	badKey = denied(
		"The key is wrong, disabled or expired: put a valid one into the account.",
		"密钥错误、被禁用或已过期：请为账号配置有效密钥。")
	throttled = later(
		"Tencent Cloud asks for fewer calls; it is tried again by itself.",
		"腾讯云限制了调用频率，稍后会自动重试。")
	cloudFault = doubt(
		"A service inside Tencent Cloud failed; scalebot looks at the cluster before anything else.",
		"腾讯云内部服务出错；scalebot 会先查看集群再决定下一步。")
	misconfigured = wrong(
		"Tencent Cloud does not take this request in this region or version: check the account's region and endpoint, and report it if they are right.",
		"腾讯云在该地域或版本不接受此请求：请检查账号的地域和 endpoint；若无误请反馈给 scalebot。")
	badDisk = wrong(
		"The disk type, size or number is not possible for this machine: correct disk= or resource_spec in the group's params.",
		"该机型不支持所选云盘的类型、大小或数量：请修改 disk= 或该组 params 中的 resource_spec。")
)

// rules holds every code of the ScaleOutCluster document (section 6), those of
// the reference (section 9), and one entry for each family, so that a code
// that Tencent adds is still read for what its family means.
var rules = map[string]rule{
	// The document's own.
	"FailedOperation": doubt(
		"The operation failed inside Tencent Cloud; scalebot looks at the cluster. Give the request id to the cloud's support if it stays so.",
		"腾讯云内部操作失败；scalebot 会查看集群。若持续失败，请将请求 ID 提供给云支持。"),
	"FailedOperation.GetCvmConfigQuotaFailed": later(
		"Tencent Cloud could not read its machine specs and quota just now, so nothing was ordered; it is tried again by itself.",
		"腾讯云暂时无法读取机型规格与配额，未下单，稍后会自动重试。"),
	"InvalidParameter.InvalidInstanceChargeType": wrong(
		"This charge mode is not possible here: use postpaid or prepaid; spot is for task nodes only.",
		"此处不支持该计费模式：请使用 postpaid 或 prepaid；spot 仅限 task 节点。"),
	"InvalidParameter.InvalidInstanceType": wrong(
		"Tencent Cloud does not know this machine type: pick one from the cluster's spec list with spec=, or correct resource_spec in config.",
		"机型无效：请用 spec= 选择集群规格列表中的机型，或修改配置中的 resource_spec。"),
	"InvalidParameter.InvalidNodeFlag": wrong(
		"This cluster does not scale such a group: use task, core or router.",
		"该集群不支持此节点类型：请使用 task、core 或 router。"),
	"InvalidParameter.InvalidSoftDeployInfo": wrong(
		"The list of services is not valid for this group: correct or drop soft_deploy_info in the group's params.",
		"部署服务列表无效：请修改或删除该组 params 中的 soft_deploy_info。"),
	"ResourceInUse.InstanceInProcess": {providers.Occupied, providers.Retry, provesNothing, providers.Text{
		EN: "Another operation runs on the cluster; this change waits for its end.",
		ZH: "集群上有其他流程正在执行，本次变更会等待其结束。",
	}},
	"ResourceInsufficient.DiskInsufficient":     diskSoldOut,
	"ResourceInsufficient.InstanceInsufficient": soldOut,
	"ResourceNotFound.InstanceNotFound":         noCluster,
	"ResourceUnavailable.ResourceSpecNotDefaultSpec": wrong(
		"The group has no default machine spec: name one with spec=, or set a default in the EMR console.",
		"该节点组没有默认规格：请用 spec= 指定机型，或在 EMR 控制台设置默认规格。"),

	// Operation failures that say more than their family.
	"FailedOperation.DuplicateOrderNotAllowed": doubt(
		"Tencent Cloud says that the same order was already placed, so the change was probably taken before; scalebot looks at the cluster.",
		"腾讯云提示订单重复，变更很可能此前已被接受；scalebot 会查看集群。"),
	"FailedOperation.NotSupportPod": wrong(
		"This cluster does not take pods: leave hardware_source_type: POD out of the group's params.",
		"该集群不支持 Pod：请从该组 params 中去掉 hardware_source_type: POD。"),
	"FailedOperation.CheckIfSupportPodStretch": wrong(
		"This cluster can't be stretched with pods: leave hardware_source_type: POD out of the group's params.",
		"该集群不支持用 Pod 扩容：请从该组 params 中去掉 hardware_source_type: POD。"),
	"FailedOperation.MoreStrategyNotAllowed": wrong(
		"The cluster's own scaling strategies don't allow it: look at them in the EMR console.",
		"集群的自动伸缩策略不允许此操作：请在 EMR 控制台查看。"),

	// Parameters.
	"InvalidParameter": vague(
		"Tencent Cloud refuses a parameter of the request: correct the command or the group's params; the log has its message.",
		"腾讯云拒绝了请求中的某个参数：请修改命令或该组的 params，详情见日志。"),
	"InvalidParameterValue": vague(
		"Tencent Cloud refuses a value of the request: correct the command or the group's params; the log has its message.",
		"腾讯云拒绝了请求中的某个取值：请修改命令或该组的 params，详情见日志。"),
	"InvalidParameter.InvalidCount":     badCount,
	"InvalidParameter.InvalidCountNum":  badCount,
	"InvalidParameter.InvalidNodeCount": badCount,
	"InvalidParameter.InvalidTaskCount": badCount,
	"InvalidParameter.InvalidCoreCount": badCount,
	"InvalidParameter.InvalidClientToken": vague(
		"Tencent Cloud does not take scalebot's token; report this, it is a fault of scalebot.",
		"腾讯云不接受 scalebot 的幂等 Token；这是 scalebot 的缺陷，请反馈。"),
	"InvalidParameter.InvalidResourceIds":      noNodes,
	"InvalidParameter.InvalidResourceId":       noNodes,
	"InvalidParameter.InvalidClusterId":        noCluster,
	"InvalidParameter.InvalidInstance":         noCluster,
	"InvalidParameter.AppIdResourceNotMatch":   noCluster,
	"InvalidParameter.PayModeResourceNotMatch": badCharge,
	"InvalidParameter.InvalidPaymode":          badCharge,
	"InvalidParameter.InvalidTimeSpan":         badCharge,
	"InvalidParameter.InvalidTimeUnit":         badCharge,
	"InvalidParameter.InvalidRenewFlag":        badCharge,
	"InvalidParameter.InvalidAutoRenew":        badCharge,
	"InvalidParameter.InvalidServiceNodeInfo": wrong(
		"The list of processes is not valid for this group: correct or drop service_node_info in the group's params.",
		"部署进程列表无效：请修改或删除该组 params 中的 service_node_info。"),
	"InvalidParameter.InvalidScriptBootstrapActionConfig": wrong(
		"A bootstrap script is not valid: correct script_bootstrap_action_config, or add no-bootstrap.",
		"引导脚本配置无效：请修改 script_bootstrap_action_config，或加上 no-bootstrap。"),
	"InvalidParameter.InvalidBootstrapAction": wrong(
		"A bootstrap script is not valid: correct script_bootstrap_action_config, or add no-bootstrap.",
		"引导脚本配置无效：请修改 script_bootstrap_action_config，或加上 no-bootstrap。"),
	"InvalidParameter.InvalidCosFileURI": wrong(
		"A bootstrap script's address is not valid: correct cos_file_uri in the group's params.",
		"引导脚本地址无效：请修改该组 params 中的 cos_file_uri。"),
	"InvalidParameter.InvalidDiskType": badDisk,
	"InvalidParameter.InvalidDiskSize": badDisk,
	"InvalidParameter.InvalidDiskNum":  badDisk,
	"InvalidParameter.InvalidResourceSpec": wrong(
		"The machine spec is not valid: correct spec= or resource_spec in the group's params.",
		"机器规格无效：请修改 spec= 或该组 params 中的 resource_spec。"),
	"InvalidParameter.InvalidZone": wrong(
		"The zone is not valid for this cluster: choose another zone=, or leave it out.",
		"可用区对该集群无效：请更换 zone= 或不填。"),
	"InvalidParameter.ZoneResourceNotMatch": wrong(
		"The zone and the cluster or subnet don't belong together: choose another zone=, or leave it out.",
		"可用区与集群或子网不匹配：请更换 zone= 或不填。"),
	"InvalidParameter.InvalidSubnetId": wrong(
		"The subnet is not valid: correct subnet_id in the group's params.",
		"子网无效：请修改该组 params 中的 subnet_id。"),
	"InvalidParameter.InvalidClickHouseCluster": wrong(
		"The ClickHouse machine group is not valid: correct click_house_cluster_name and click_house_cluster_type.",
		"ClickHouse 机器分组无效：请修改 click_house_cluster_name 与 click_house_cluster_type。"),
	"InvalidParameter.UngrantedRole":   noRight,
	"InvalidParameter.UngrantedPolicy": noRight,

	// Stock, quota, things that are not there.
	"ResourceInUse": {providers.Occupied, providers.Retry, provesNothing, providers.Text{
		EN: "The cluster or one of its parts is in use; this change waits.",
		ZH: "集群或其资源正被占用，本次变更会等待。",
	}},
	"ResourceInsufficient":                  soldOut,
	"ResourcesSoldOut":                      soldOut,
	"ResourcesSoldOut.CvmSoldOut":           soldOut,
	"ResourcesSoldOut.CbsSoldOut":           diskSoldOut,
	"ResourceNotFound":                      noCluster,
	"ResourceNotFound.ClusterNotFound":      noCluster,
	"ResourceNotFound.CvmInstanceNotFound":  noNodes,
	"ResourceNotFound.HardwareInfoNotFound": noNodes,
	"ResourceNotFound.SubnetNotFound": missing(
		"The subnet is not there: correct subnet_id in the group's params.",
		"子网不存在：请修改该组 params 中的 subnet_id。"),
	"ResourceUnavailable": wrong(
		"Tencent Cloud does not offer this for the cluster: choose another spec= or zone=.",
		"腾讯云不为该集群提供此资源：请更换 spec= 或 zone=。"),
	"ResourceUnavailable.ResourceSpecNotExist": wrong(
		"The machine spec is not offered for this group: choose another spec=.",
		"该节点组没有此规格：请更换 spec=。"),
	"ResourceUnavailable.NotSupportClusterType": wrong(
		"Clusters of this type don't scale this way: use the EMR console.",
		"该类型集群不支持此操作：请使用 EMR 控制台。"),
	"LimitExceeded": short(
		"The account's quota is used up: raise it in the console, or ask for fewer nodes.",
		"账号配额不足：请在控制台提升配额，或减少节点数量。"),
	"UnsupportedOperation": wrong(
		"Tencent Cloud does not support this operation on the cluster; the log has its message.",
		"腾讯云不支持对该集群执行此操作，详情见日志。"),
	"OperationDenied": short(
		"Tencent Cloud denies the operation for the cluster as it is now; the log has its message.",
		"集群当前状态不允许此操作，详情见日志。"),

	// Rights and keys.
	"UnauthorizedOperation":             noRight,
	"AuthFailure":                       badKey,
	"AuthFailure.UnauthorizedOperation": noRight,
	"AuthFailure.SignatureExpire": denied(
		"The clock of scalebot's host is wrong by more than five minutes: set it right.",
		"scalebot 所在主机时钟偏差超过五分钟：请校准时钟。"),
	"InvalidCredential": badKey,

	// Too many calls: refused before execution.
	"RequestLimitExceeded": throttled,

	// Faults inside the cloud.
	"InternalError":      cloudFault,
	"ServiceUnavailable": cloudFault,

	// A wrong address, version or region: config or a fault of ours.
	"UnsupportedRegion": {providers.Refused, providers.NotFound, provesForGood, providers.Text{
		EN: "Tencent EMR is not offered in the account's region: correct region in config.",
		ZH: "账号的地域不支持腾讯云 EMR：请修改配置中的 region。",
	}},
	"UnsupportedProtocol": misconfigured,
	"NoSuchVersion":       misconfigured,
	"NoSuchProduct":       misconfigured,
	"InvalidAction":       misconfigured,
	"InvalidRequest":      misconfigured,
	"ActionOffline":       misconfigured,
	"MissingParameter":    misconfigured,
	"UnknownParameter":    misconfigured,
	"RequestSizeLimitExceeded": wrong(
		"The request is too large: shorten the group's params.",
		"请求过大：请精简该组的 params。"),
}
