package alibabaack

import (
	"strings"

	"scalebot/providers"
)

// rule is what an error code means. On a change, write says whether it may have
// happened; a read can't have done harm.
type rule struct {
	write  providers.Kind
	read   providers.Kind
	advice providers.Text
}

func (r rule) kind(m mode) providers.Kind {
	switch m {
	case write:
		return r.write
	case ask:
		if r.write == providers.Unknown || r.write == providers.Occupied {
			return providers.Retry
		}
		return r.write
	case read:
	}
	return r.read
}

// The shapes of a rule. Reads answer Retry, NotFound or Auth only (the port's
// contract), so a parameter refused on a read counts as a broken answer.
func wrong(en, zh string) rule { // the request is wrong, or stays impossible until a person acts
	return rule{providers.Refused, providers.Retry, providers.Text{EN: en, ZH: zh}}
}

func missing(en, zh string) rule {
	return rule{providers.NotFound, providers.NotFound, providers.Text{EN: en, ZH: zh}}
}

func denied(en, zh string) rule {
	return rule{providers.Auth, providers.Auth, providers.Text{EN: en, ZH: zh}}
}

func doubt(en, zh string) rule { // failed inside the cloud, perhaps after it took the change
	return rule{providers.Unknown, providers.Retry, providers.Text{EN: en, ZH: zh}}
}

func later(en, zh string) rule { // refused before execution
	return rule{providers.Retry, providers.Retry, providers.Text{EN: en, ZH: zh}}
}

// The advice of errors that carry no code.
var (
	inDoubt = providers.Text{
		EN: "Alibaba Cloud's answer is lost, so the change may or may not have been taken; scalebot looks at the cluster and sends nothing twice.",
		ZH: "阿里云的响应丢失，变更可能已被接受也可能没有；scalebot 会查看集群，不会重复发送。",
	}
	adviceSlow   = cloud.Slow()
	adviceBroken = cloud.Broken()
)

var (
	noCluster = missing(
		"Alibaba Cloud has no such cluster: check the cluster's id in config, and the account's region and keys.",
		"阿里云上没有该集群：请检查配置中的集群 ID，以及账号的地域和密钥。")
	noPool = missing(
		"The cluster has no such node pool: check node_pool of the group in config.",
		"该集群没有此节点池：请检查配置中该节点组的 node_pool。")
	noNodes = missing(
		"Some of the nodes are gone or belong to another cluster: look at the status again and name nodes that are there.",
		"部分节点已不存在或属于其他集群：请重新查看状态，并指定现有节点。")
	noTask = missing(
		"Alibaba Cloud does not know the task any more: look at the cluster in the ACK console.",
		"阿里云已查不到该任务：请在 ACK 控制台查看集群。")
	occupied = rule{providers.Occupied, providers.Retry, providers.Text{
		EN: "The cluster or the node pool is at work on something else; this change waits for its end.",
		ZH: "集群或节点池正在执行其他操作，本次变更会等待其结束。",
	}}
	noRight = denied(
		"The key is not allowed to do this: let the cloud administrator grant the action in RAM, and the RBAC role inside the cluster.",
		"该密钥无权执行此操作：请云管理员在 RAM 中授权，并授予集群内的 RBAC 权限。")
	badKey = denied(
		"The key is wrong, disabled or expired: put a valid one into the account.",
		"密钥错误、被禁用或已过期：请为账号配置有效密钥。")
	throttled = later(
		"Alibaba Cloud asks for fewer calls; it is tried again by itself.",
		"阿里云限制了调用频率，稍后会自动重试。")
	cloudFault = doubt(
		"A service inside Alibaba Cloud failed; scalebot looks at the cluster before anything else.",
		"阿里云内部服务出错；scalebot 会先查看集群再决定下一步。")
	quota = wrong(
		"The account's quota is used up: raise it in the quota center, or ask for fewer nodes.",
		"账号配额不足：请在配额中心提升配额，或减少节点数量。")
	noAddress = wrong(
		"The vSwitch has no free addresses left: add another vSwitch to the node pool or to vswitch_ids.",
		"交换机可用 IP 不足：请为节点池或 vswitch_ids 增加其他交换机。")
	soldOut = wrong(
		"The machine type is sold out or not offered in this zone now: choose another type or vSwitch, or try again later.",
		"该机型在此可用区已售罄或不支持：请更换机型或交换机，或稍后再试。")
	diskSoldOut = wrong(
		"The disk type is not offered with this machine in this zone: choose another disk type or zone.",
		"该可用区的此机型不支持所选云盘类型：请更换云盘类型或可用区。")
	noMoney = wrong(
		"The account's balance or way of payment does not allow the purchase: ask the owner of the billing account.",
		"账户余额不足或支付方式不可用：请联系账单负责人。")
	badRequest = wrong(
		"Alibaba Cloud refuses a parameter of the request: correct the command or the group's params; the log has its message.",
		"阿里云拒绝了请求中的某个参数：请修改命令或该组的 params，详情见日志。")
	badInstance = wrong(
		"Alibaba Cloud does not know or not sell this machine type here: correct spec= or the group's machine types.",
		"阿里云在此处不支持该机型：请修改 spec= 或该组的机型。")
	badLogin = wrong(
		"The key pair or password is not accepted: correct key_pair or login_password in the group's params.",
		"密钥对或密码不被接受：请修改该组 params 中的 key_pair 或 login_password。")
	// refusedSomehow is a 4xx with a code of no table: certainly not taken.
	refusedSomehow = wrong(
		"Alibaba Cloud refused this with a code that scalebot does not know; the log has its message, and the cloud's support the request id.",
		"阿里云以未知的错误码拒绝了请求；详情见日志，可凭请求 ID 咨询云支持。")
)

// lookup finds the rule of a code: the code itself, else its family, which is
// the code up to a dot.
func lookup(code string) (rule, bool) {
	for c := code; c != ""; {
		if r, ok := rules[c]; ok {
			return r, true
		}
		dot := strings.LastIndexByte(c, '.')
		if dot < 0 {
			break
		}
		c = c[:dot]
	}
	for _, f := range families {
		if strings.HasPrefix(code, f.start) {
			return f.rule, true
		}
	}
	return rule{}, false
}

// families are codes that go on without a dot: QuotaExceededForNodes.
var families = []struct {
	start string
	rule  rule
}{
	{"Throttling", throttled},
	{"QuotaExceed", quota},
	{"InvalidParameter", badRequest},
	{"MissingParameter", badRequest},
	{"MissingParam", badRequest},
	{"InvalidAccessKey", badKey},
	{"Forbidden", noRight},
	{"OperationDenied.", wrong(
		"Alibaba Cloud denies this as things are now; the log has its message.",
		"阿里云在当前状态下拒绝此操作，详情见日志。")},
}

// rules holds the codes of reference section 9 and their near relations. The
// documents name none and no list is complete, so a code that is missing is
// judged by its HTTP status (see byStatus).
var rules = map[string]rule{
	"ErrorClusterNotFound":   noCluster,
	"ClusterNotFound":        noCluster,
	"ErrorNodePoolNotFound":  noPool,
	"NodePoolNotFound":       noPool,
	"ErrorTaskNotFound":      noTask,
	"TaskNotFound":           noTask,
	"ErrorNodeNotFound":      noNodes,
	"InvalidInstanceId":      noNodes,
	"ErrorClusterState":      occupied,
	"ErrClusterState":        occupied,
	"ErrorNodePoolState":     occupied,
	"IncorrectClusterStatus": occupied,

	"NoPermission":          noRight,
	"StatusForbidden":       noRight,
	"SignatureDoesNotMatch": badKey,
	"InvalidSecurityToken":  badKey,
	"InvalidCredentials": denied(
		"No credentials were found: set access_key_id and access_key_secret of the account, or the environment, profile file or instance role of the host.",
		"未找到凭证：请配置账号的 access_key_id 和 access_key_secret，或主机的环境变量、凭证文件或实例角色。"),
	"InvalidTimeStamp": denied(
		"The clock of scalebot's host is wrong: set it right.",
		"scalebot 所在主机时钟有偏差：请校准时钟。"),
	// A nonce is used once per request, so its twin was seen: something on the
	// way doubled the request, and the first copy may have been taken.
	"SignatureNonceUsed": cloudFault,

	"Rejected.Throttling": throttled,
	"ServiceUnavailable":  cloudFault,
	"InternalError":       cloudFault,
	"UnknownError":        cloudFault,

	"InvalidVSwitchId.IpNotEnough":   noAddress,
	"InvalidVSwitchId":               badRequest,
	"OperationDenied.NoStock":        soldOut,
	"NoInstanceStock":                soldOut,
	"InvalidInstanceType":            badInstance,
	"InvalidInstanceType.NoStock":    soldOut,
	"Zone.NotOnSale":                 soldOut,
	"Zone.NotOpen":                   soldOut,
	"InvalidResourceType":            badInstance,
	"InvalidSystemDiskCategory":      diskSoldOut,
	"InvalidDataDiskCategory":        diskSoldOut,
	"InvalidDiskCategory":            diskSoldOut,
	"InvalidPayMethod":               noMoney,
	"InvalidAccountStatus":           noMoney,
	"InvalidKeyPairName":             badLogin,
	"InvalidKeyPair":                 badLogin,
	"InvalidLoginPassword":           badLogin,
	"InvalidPassword":                badLogin,
	"Account.Arrearage":              noMoney,
	"InvalidAction":                  badRequest,
	"InvalidApi":                     badRequest,
	"InvalidVersion":                 badRequest,
	"UnsupportedOperation":           badRequest,
	"InvalidInternetChargeType":      badRequest,
	"InvalidEnsRegionId":             badRequest,
	"InvalidPeriod":                  badRequest,
	"InvalidNodeCount":               quota,
	"NodePoolNodesExceedsMaxAllowed": quota,
}

// byStatus is the rule of an answer whose code says nothing.
func byStatus(status int) rule {
	switch {
	case status == 401, status == 403:
		return noRight
	case status == 404:
		return noCluster
	case status == 429:
		return throttled
	case status == 408, status >= 500, status < 400:
		return cloudFault
	default:
		return refusedSomehow
	}
}
