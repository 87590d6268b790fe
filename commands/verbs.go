package commands

import "strings"

// Verb is the first word of a command.
type Verb string

// The verbs. A line whose first word is none of them is a VerbScale.
const (
	VerbScale    Verb = "scale"
	VerbHelp     Verb = "help"
	VerbClusters Verb = "clusters"
	VerbStatus   Verb = "status"
	VerbList     Verb = "list"
	VerbShow     Verb = "show"
	VerbHistory  Verb = "history"
	VerbCancel   Verb = "cancel"
	VerbRetry    Verb = "retry"
	VerbExtend   Verb = "extend"
	VerbApprove  Verb = "approve"
	VerbDeny     Verb = "deny"
	VerbFreeze   Verb = "freeze"
	VerbUnfreeze Verb = "unfreeze"
	VerbWatch    Verb = "watch"
	VerbUnwatch  Verb = "unwatch"
	VerbPolicy   Verb = "policy"
	VerbCommit   Verb = "commitments"
	VerbWhoami   Verb = "whoami"
	VerbBudget   Verb = "budget"
	VerbMandate  Verb = "mandate"
)

// HelpEntry is the help of one verb. Usage and Examples are commands without
// the slash word; Usage has its variable parts in capitals and is the same in
// every language.
type HelpEntry struct {
	Verb     Verb
	Usage    string
	Text     string // one sentence in the language asked for
	Examples []string
	Served   bool // false: understood, but nothing answers to it yet; leave it out of the list
}

// form says what follows a verb.
type form int

const (
	takesNothing form = iota
	takesScale
	takesTopic
	takesTarget // [CLUSTER|FLOW]
	takesMaybeCluster
	takesCluster
	takesFlow
	takesFlowWithdraw
	takesFlowDuration
	takesFlowReason
	takesFreeze
	takesMaybeScale
	takesMaybeCentre
	takesMandate
)

type verbRow struct {
	verb     Verb
	form     form
	served   bool
	usage    string
	en, zh   string
	examples []string
}

// verbs is the one table of verbs: parser, help and suggestions read it. A
// later issue that adds a handler only turns served on.
var verbs = [...]verbRow{
	{VerbScale, takesScale, true, "CLUSTER GROUP AMOUNT [at TIME] [OPTION…] [-- REASON]",
		"Change the size of a group: +2 adds two nodes, -2 removes two, =10 makes it ten.",
		"调整节点组的规模：+2 增加两个节点，-2 移除两个节点，=10 调整为十个节点。",
		[]string{"emr-m620 task +2", "emr-m620 task +2 prepaid 1m for 20d", "web workers =5 at 02:00 -- night batch", "emr-m620 task -2 drain=30m dry-run"}},
	{VerbHelp, takesTopic, true, "help [VERB]",
		"Show what can be typed.", "显示可以输入的命令。", []string{"help", "help scale"}},
	{VerbClusters, takesNothing, true, "clusters",
		"List the clusters with their groups.", "列出集群及其节点组。", []string{"clusters"}},
	{VerbStatus, takesTarget, true, "status [CLUSTER|FLOW]",
		"Show what runs now, on one cluster, or in one flow.", "查看当前运行情况，或某个集群、某个流程的状态。",
		[]string{"status", "status emr-m620", "status F-7K3Q"}},
	{VerbList, takesNothing, true, "list",
		"List the open flows.", "列出未结束的流程。", []string{"list"}},
	{VerbShow, takesFlow, true, "show FLOW",
		"Show one flow with its plan, votes and progress.", "查看某个流程的计划、投票和进度。", []string{"show F-7K3Q"}},
	{VerbHistory, takesMaybeCluster, true, "history [CLUSTER]",
		"Show the changes of the last weeks.", "查看最近几周的变更记录。", []string{"history", "history emr-m620"}},
	{VerbCommit, takesMaybeCluster, true, "commitments [CLUSTER]",
		"List what is committed by prepaid terms, and until when.", "列出包年包月的承诺金额及到期日。", []string{"commitments", "commitments emr-m620"}},
	{VerbCancel, takesFlow, true, "cancel FLOW",
		"End your own flow before it is sent to the cloud.", "在提交到云平台之前取消自己的流程。", []string{"cancel F-7K3Q"}},
	{VerbRetry, takesFlow, true, "retry FLOW",
		"Ask again for what a flow that failed or came short did not bring.", "重新申请失败或部分完成的流程中未完成的部分。", []string{"retry F-7K3Q"}},
	{VerbExtend, takesFlowDuration, false, "extend FLOW DURATION",
		"Let a temporary change last longer.", "延长临时变更的时间。", []string{"extend F-7K3Q 2h"}},
	{VerbApprove, takesFlowWithdraw, true, "approve FLOW [withdraw]",
		"Vote for a plan, like the reaction on its card, or take that vote back.", "同意一个计划，等同于在卡片上添加表情；也可撤回这一票。",
		[]string{"approve F-7K3Q", "approve F-7K3Q withdraw"}},
	{VerbDeny, takesFlowReason, true, "deny FLOW [REASON]",
		"Vote against a plan, with a reason if you like.", "否决一个计划，可以附上理由。", []string{"deny F-7K3Q", "deny F-7K3Q too expensive this month"}},
	{VerbFreeze, takesFreeze, true, "freeze CLUSTER [for DURATION] [REASON]",
		"Refuse changes on a cluster for a time.", "在一段时间内禁止变更某个集群。", []string{"freeze emr-m620 for 2h migration"}},
	{VerbUnfreeze, takesCluster, true, "unfreeze CLUSTER",
		"End a freeze.", "解除禁止变更。", []string{"unfreeze emr-m620"}},
	{VerbWatch, takesCluster, false, "watch CLUSTER",
		"Be told of every change on a cluster.", "订阅某个集群的所有变更通知。", []string{"watch emr-m620"}},
	{VerbUnwatch, takesCluster, false, "unwatch CLUSTER",
		"No longer be told.", "取消订阅。", []string{"unwatch emr-m620"}},
	{VerbPolicy, takesMaybeScale, true, "policy [CLUSTER GROUP AMOUNT …]",
		"Explain which rules apply, or would apply to a command.", "说明生效的审批规则，或某条命令会触发的规则。",
		[]string{"policy", "policy emr-m620 task +2 prepaid 1m"}},
	{VerbWhoami, takesNothing, true, "whoami",
		"Show who you are to the bot and what you may approve.", "查看机器人识别的身份以及可审批的内容。", []string{"whoami"}},
	{VerbBudget, takesMaybeCentre, true, "budget [CENTRE]",
		"Show what this month's budgets have spent, reserved and left.", "查看本月预算的已支出、已预留和剩余金额。", []string{"budget", "budget data"}},
	{VerbMandate, takesMandate, true, "mandate [CLUSTER GROUP up to +N until WHEN [max AMOUNT CURRENCY] | revoke M-…]",
		"Vote in advance for additions to a group, list such mandates, or revoke one.", "预先批准某个节点组的扩容、列出此类授权，或撤销授权。",
		[]string{"mandate emr-m620 task up to +10 until friday max 3000 CNY", "mandate", "mandate revoke M-7K3Q"}},
}

// Help is the help of every verb in the order in which it should be shown, in
// English, or in Simplified Chinese for "zh".
func Help(lang string) []HelpEntry {
	all := make([]HelpEntry, 0, len(verbs))
	for _, row := range verbs {
		e := HelpEntry{Verb: row.verb, Usage: row.usage, Text: row.en, Served: row.served}
		if lang == "zh" {
			e.Text = row.zh
		}
		e.Examples = append(e.Examples, row.examples...)
		all = append(all, e)
	}
	return all
}

// Served reports whether something answers to the verb already.
func (v Verb) Served() bool {
	row, ok := verbOf(string(v))
	return ok && row.served
}

// verbOf finds a verb by any spelling of it.
func verbOf(word string) (*verbRow, bool) {
	for i := range verbs {
		if len(word) == len(verbs[i].verb) && strings.EqualFold(word, string(verbs[i].verb)) {
			return &verbs[i], true
		}
	}
	switch strings.ToLower(word) {
	case "?", "-h", "-help", "--help", "帮助":
		return verbOf(string(VerbHelp))
	}
	return nil, false
}

func verbNames() []string {
	names := make([]string, len(verbs))
	for i := range verbs {
		names[i] = string(verbs[i].verb)
	}
	return names
}
