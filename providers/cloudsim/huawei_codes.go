package cloudsim

import (
	"fmt"
	"net/http"
	"strings"
)

// hwError is an error of the API: a status of 400 or more with a code.
type hwError struct {
	status        int
	code, message string
}

func (e *hwError) Error() string { return e.code + ": " + e.message }

// with answers the same error with another status.
func (e *hwError) with(status int) *hwError {
	e.status = status
	return e
}

// hwBadKeys is the gateway's answer to everything that is wrong with keys, clock
// or signature.
const hwBadKeys = "APIGW.0301"

// hwResultFailed is no code at all: as the Code of a Refused fault it gives the
// answer {"result":"failed"} with status 200, which the pages of version 2 list.
const hwResultFailed = "failed"

// hwInvalid and hwBSSInvalid are the codes for a parameter that is not valid.
const (
	hwInvalid    = "12000002"
	hwBSSInvalid = "CBC.0100"
)

// hwRefuse makes an error from a code and what is wrong in this case. Status and
// text of the code come from the table; an unknown code is a 400 with the detail
// alone.
func hwRefuse(code, detail string, args ...any) *hwError {
	e := &hwError{status: http.StatusBadRequest, code: code}
	known, ok := hwCodes[code]
	if ok {
		e.message = known.text
		if known.status != 0 {
			e.status = known.status
		}
	}
	detail = fmt.Sprintf(detail, args...)
	switch {
	case e.message == "" && detail == "":
		e.message = "操作失败"
	case e.message == "" || detail == "":
		e.message += detail
	case strings.HasSuffix(e.message, ":"):
		e.message += " " + detail
	default:
		e.message += " (" + detail + ")"
	}
	return e
}

// hwCodes are the codes of table 6 of the document, of the general list of MRS
// codes, of the gateway and of BSS, with their text. The status is that of the
// general list and 400 for what it leaves out; callers are told to go by the
// code. An account of this region reads Chinese.
var hwCodes = map[string]struct {
	status int // 0 = 400
	text   string
}{
	"12000001": {http.StatusUnauthorized, "身份校验不合法。"},
	"12000002": {0, "参数不合法。"},
	"12000003": {0, "集群不存在。"},
	"12000004": {http.StatusInternalServerError, "内部错误。"},
	"12000009": {0, "方法参数不合法。"},
	"12000012": {0, "集群正在执行任务，不允许执行该操作。"},
	"12000013": {0, "集群缩容失败。"},
	"12000014": {0, "集群扩容失败。"},
	"12000017": {0, "状态不是【运行中】的集群，不允许执行缩容/扩容操作。"},
	"12000018": {0, "缩容/扩容中的集群，不允许再次缩容/扩容。"},
	"12000019": {0, "获取集群主机列表失败！"},
	"12000028": {0, "集群Core和Task节点个数超过上限。"},
	"12000029": {0, "获取配额失败。"},
	"12000030": {0, "申请的集群节点总数大于可用配额数量。"},
	"12000031": {0, "申请的集群CPU总核数大于可用配额数量。"},
	"12000032": {0, "申请的集群内存总数大于可用配额数量。"},
	"12000033": {0, "申请的集群磁盘块数大于可用配额数量。"},
	"12000034": {0, "申请的集群磁盘容量大于可用配额数量。"},
	"12000048": {0, "产品规格不存在。"},
	"12000052": {0, "没有访问权限。"},
	"12000054": {0, "不支持此操作。"},
	"12000065": {0, "包年包月的集群不支持扩容/缩容！"},
	"12000067": {0, "集群版本太老，不允许扩容，请尽快升级最新版本。"},
	"12000068": {0, "集群存在非运行状态节点，请稍后重试。"},
	"12000107": {0, "Invalid project ID:"},
	"12000121": {0, "该集群存在未支付订单，不允许扩容，请完成订单后再执行操作。"},
	"12000123": {0, "Task节点个数不为0，不能更新Task节点信息。"},
	"12000124": {0, "该集群的Task节点个数只能通过弹性伸缩调整。"},
	"12000136": {http.StatusUnauthorized, "Permission denied. Error message:"},
	"12000141": {0, "节点磁盘大小不能小于100GB。"},
	"12000142": {0, "磁盘大小不能超过32000GB。"},
	"MRS.101":  {0, "用户请求配额不足，请联系提交工单提升配额。"},
	"MRS.102":  {0, "用户Token为空或不合法，请稍后重试或联系客服。"},
	"MRS.103":  {0, "用户请求不合法，请稍后重试或联系客服。"},
	"MRS.104":  {0, "用户资源不足，请稍后重试或联系客服。"},
	"MRS.105":  {0, "现子网IP不足，请稍后重试或联系客服。"},
	"MRS.201":  {0, "因ECS服务导致失败，请稍后重试或联系客服。"},
	"MRS.202":  {0, "因IAM服务导致失败，请稍后重试或联系客服。"},
	"MRS.203":  {0, "因VPC服务导致失败，请稍后重试或联系客服。"},
	"MRS.300":  {http.StatusInternalServerError, "MRS内部出错，请稍后重试或联系客服。"},

	"APIGW.0101": {http.StatusNotFound, "The API does not exist or has not been published in the environment"},
	"APIGW.0201": {0, "API request error"},
	"APIGW.0301": {http.StatusUnauthorized, "Incorrect IAM authentication information:"},
	"APIGW.0308": {http.StatusTooManyRequests, "The throttling threshold has been reached:"},
	"APIG.0308":  {http.StatusTooManyRequests, "The throttling threshold has been reached:"},

	"CBC.0100":     {0, "参数错误。"},
	"CBC.0101":     {0, "参数错误。"},
	"CBC.0151":     {http.StatusForbidden, "访问拒绝。"},
	"CBC.0999":     {http.StatusInternalServerError, "其他错误。"},
	"CBC.99006006": {0, "产品未发现。"},
	"CBC.99006050": {0, "使用量单位错误。"},
	"CBC.99006074": {0, "计费因子不存在。"},
}
