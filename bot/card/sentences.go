package card

import (
	"scalebot/approvals"
	"scalebot/bot/flow"
	"scalebot/providers"
)

// states are the names of the states of a flow. The English ones are the names
// of design.md section 4 with spaces: people search for them.
var states = map[flow.State]sentence{
	flow.Planning:         {"planning", "规划中"},
	flow.AwaitingApproval: {"awaiting approval", "等待审批"},
	flow.Scheduled:        {"scheduled", "已排期"},
	flow.Queued:           {"queued", "排队中"},
	flow.Submitting:       {"submitting", "提交中"},
	flow.Running:          {"running", "执行中"},
	flow.Unknown:          {"unknown", "结果不明"},
	flow.Refused:          {"refused", "无法执行"},
	flow.Denied:           {"denied", "已否决"},
	flow.Expired:          {"expired", "已过期"},
	flow.Cancelled:        {"cancelled", "已取消"},
	flow.Failed:           {"failed", "失败"},
	flow.Partial:          {"partial", "部分完成"},
	flow.Succeeded:        {"succeeded", "成功"},
}

var stageStates = map[providers.StageState]sentence{
	providers.StagePending: {"pending", "未开始"},
	providers.StageRunning: {"running", "执行中"},
	providers.StageDone:    {"done", "完成"},
	providers.StagePartial: {"partly done", "部分完成"},
	providers.StageFailed:  {"failed", "失败"},
}

var phases = map[providers.Phase]sentence{
	providers.Ready:   {"ready", "就绪"},
	providers.Busy:    {"busy with another operation", "正在执行其他操作"},
	providers.Blocked: {"blocked: a person must look first", "受阻，需人工处理"},
	providers.Gone:    {"gone", "已销毁"},
}

var charges = map[providers.Charge]sentence{
	providers.Postpaid: {"pay as you go", "按量计费"},
	providers.Prepaid:  {"prepaid", "包年包月"},
	providers.Spot:     {"spot", "竞价实例"},
}

// notes are the sentences of the log, of waits and of ends.
var notes = map[flow.NoteCode]sentence{
	flow.NoteRequested:   {"{by} asked for this change[: {reason}]", "{by} 提出变更申请[：{reason}]"},
	flow.NotePlanned:     {"Planned: {from} → {to} nodes.", "方案已生成：{from} → {to} 个节点。"},
	flow.NoteReplaced:    {"This plan no longer holds and its votes are void; the new plan gets a card of its own.", "此方案已失效，原有投票作废；新方案另有卡片。"},
	flow.NoteVote:        {"{by} approved for {group}.", "{by} 以 {group} 身份批准。"},
	flow.NoteUnvote:      {"{by}'s approval for {group} no longer counts.", "{by} 以 {group} 身份的批准不再计入。"},
	flow.NoteApproved:    {"Approved[ by {by}].", "审批通过[，批准人：{by}]。"},
	flow.NoteFree:        {"No rule asks for an approval, so it goes ahead.", "没有规则要求审批，直接执行。"},
	flow.NoteDenied:      {"Denied[ by {by}]. Nothing was changed.[ Reason: {reason}]", "申请被否决[，否决人：{by}]。未作任何变更。[理由：{reason}]"},
	flow.NoteExpired:     {"Not enough approvals came in time. Nothing was changed.", "未能在期限内获得足够的批准。未作任何变更。"},
	flow.NoteCancelled:   {"Cancelled[ by {by}]. Nothing was changed.", "申请已取消[，操作人：{by}]。未作任何变更。"},
	flow.NoteTooLate:     {"{by} asked to cancel, but the change had already been sent to the cloud.", "{by} 请求取消，但变更已提交到云平台。"},
	flow.NoteScheduled:   {"Cleared to go; it starts at {at}.", "已可执行，将于 {at} 开始。"},
	flow.NoteQueued:      {"In the cluster's queue[ at place {place}][, behind {behind}].", "已进入该集群的队列[，第 {place} 位][，排在 {behind} 之后]。"},
	flow.NoteSubmitting:  {"Sending the change to the cloud[ (attempt {attempt})].", "正在向云平台提交变更[（第 {attempt} 次）]。"},
	flow.NoteAccepted:    {"The cloud accepted the change[; its operation is {operation}].", "云平台已接受变更[，操作编号 {operation}]。"},
	flow.NoteNotAccepted: {"The cloud did not take the change; it will be tried again.[ {text}]", "云平台未接受变更，稍后重试。[{text}]"},
	flow.NoteNotSent:     {"Redis did not confirm that the request is on record for good, so nothing was sent; it will be tried again. Whoever runs Redis should look at it.", "Redis 未确认请求已可靠保存，因此没有发送，稍后重试。请让 Redis 的维护人员检查。"},
	flow.NoteInDoubt:     {"The cloud's answer was lost. Finding out what became of the change; it is not sent again meanwhile.[ {text}]", "未收到云平台的响应。正在核实变更是否生效，核实前不会重复提交。[{text}]"},
	flow.NoteStage:       {"{stage}: {state}[ — {text}]", "{stage}：{state}[ — {text}]"},
	flow.NoteJoined:      {"{n} {n|node|nodes} joined[: {nodes}]", "{n} 个节点已加入[：{nodes}]"},
	flow.NoteLeft:        {"{n} {n|node|nodes} left[: {nodes}]", "{n} 个节点已移除[：{nodes}]"},
	flow.NoteAttention:   {"Please have a look.[ {text}]", "请关注。[{text}]"},
	flow.NoteSucceeded:   {"Done: the cloud reports success.", "变更完成，云平台返回成功。"},
	flow.NotePartial:     {"Only {got} of {want} {want|node|nodes} came through.[ {text}]", "只完成了 {got} 个节点，应为 {want} 个。[{text}]"},
	flow.NoteFailed:      {"The change failed.[ {text}]", "变更失败。[{text}]"},
	flow.NoteUnknown:     {"It can't be told whether the change happened.[ {text}]", "无法确认变更是否已生效。[{text}]"},
	flow.NoteTorn:        {"It was settled in different ways at once, so nothing was done. Please agree, and press one button.", "同时收到了不同的裁定，因此未执行任何操作。请协商一致后再点击按钮。"},
	flow.NoteOutdated:    {"{by} decided about what was unknown before: {how}. Nothing was done with that; please look at the card and in the cloud's console again.", "{by} 的裁定针对此前的情况：{how}。该裁定未被执行，请重新查看卡片和云控制台。"},
	flow.NoteResolved:    {"{by} settled it: {how}.", "{by} 已作裁定：{how}。"},
	flow.NoteRefused:     {"The change can't be made.[ {text}]", "变更无法执行。[{text}]"},
	flow.NoteImpossible:  {"The change can't be made.[ {text}]", "变更无法执行。[{text}]"},
	flow.NoteNoRules:     {"No approval rules are configured (approvals.rules), so no change is allowed. Please tell whoever runs scalebot.", "尚未配置审批规则（approvals.rules），因此不允许任何变更。请联系 scalebot 的管理员。"},
	flow.NoteFrozen:      {"The freeze “{name}” is on until {until}. Ask again after that.[ With a reason, members of {groups} may pass it.]", "冻结期“{name}”持续到 {until}，请在此之后重新申请。[{groups} 的成员附理由可以通过。]"},
	flow.NoteRuleBroken:  {"The rule “{name}” could not be evaluated, so no change is allowed. Please tell whoever runs scalebot.", "审批规则“{name}”无法求值，因此不允许变更。请联系 scalebot 的管理员。"},
	flow.NoteFrozenBy:    {"{by} froze {cluster}[ until {until}][: {reason}]. Nothing was sent; ask again when the freeze has ended.[ With a reason, members of {groups} may pass it.]", "{by} 已冻结 {cluster}[，持续到 {until}][：{reason}]。未提交任何变更，请在解除冻结后重新申请。[{groups} 的成员附理由可以通过。]"},
	flow.NotePassed:      {"{by} passes the freeze “{name}” as a member of {group}[: {reason}]", "{by} 以 {group} 成员身份通过冻结期“{name}”[：{reason}]"},
	flow.NoteSkipped:     {"Break-glass: {by}, as a member of {group}, runs this without the vote that you could have given[: {reason}]", "紧急执行：{by} 以 {group} 成员身份跳过审批执行此变更，未经你投票[：{reason}]"},
	flow.NotePassedOrder: {"{by} passes the freeze that {whose} ordered, as a member of {group}[: {reason}]", "{by} 以 {group} 成员身份通过由 {whose} 设定的冻结[：{reason}]"},
	flow.NoteGlass:       {"Break-glass: {by} runs this without approval, as a member of {group}[: {reason}][ Skipped: {skipped}]", "紧急执行：{by} 以 {group} 成员身份跳过审批[：{reason}][ 被跳过：{skipped}]"},
	flow.NoteGlassHeld:   {"{by} asked to run this without approval and is not, or no longer, among those who may: approvals are asked for.", "{by} 请求跳过审批，但没有（或已不再有）此权限：仍需审批。"},
	flow.NoteBelowMin:    {"That would leave {to} {to|node|nodes} in {group} of {cluster}; the minimum is {min}.", "变更后 {cluster} 的 {group} 将只剩 {to} 个节点，低于下限 {min}。"},
	flow.NoteAboveMax:    {"That would make {to} {to|node|nodes}; the maximum is {max}[, and there are {have} now].", "变更后将有 {to} 个节点，超过上限 {max}[；当前为 {have} 个]。"},
	flow.NoteAboveStep:   {"That is {n} nodes at once; at most {max_step} are allowed.", "一次变更 {n} 个节点，超过单次上限 {max_step}。"},
	flow.NoteTooMany:     {"{n} nodes can't be removed: the group has only {have}.", "无法移除 {n} 个节点：该组只有 {have} 个。"},
	flow.NoteNoChange:    {"Nothing to do: the group already has {to} {to|node|nodes}.", "无需变更：该组已经是 {to} 个节点。"},
	flow.NoteHeld:        {"For {for} it could not be judged any more whether this may go, and others waited behind it. Nothing was sent. Please mend the cause and ask again.[ {text}]", "已有 {for} 无法判断此变更能否执行，后面的申请也在等待。未提交任何变更，请排除原因后重新申请。[{text}]"},
	flow.NoteRestless:    {"The cluster or the price moved again and again: {n} plans were made and none could be carried out. Nothing was sent; please ask again when it is quieter.", "集群或价格反复变化：已生成 {n} 个方案，均未能执行。未提交任何变更，请稍后重新申请。"},
	flow.NoteQuiet:       {"This thread is long; from here on only what matters is told, and the card shows the rest.", "此消息串已很长，此后只通报要点，其余见卡片。"},
	flow.NoteMoved:       {"The group's size went from {was} to {is} while this waited, and no request on record did that. It may have been this very request, so it is not sent again. Please look at the cluster, and ask again if nodes are still missing.", "等待期间该组的节点数从 {was} 变为 {is}，但没有任何已记录的申请造成此变化。这可能正是本申请的结果，因此不会再次提交。请检查集群，如仍需变更请重新申请。"},
	flow.NoteForgotten:   {"Redis restarted while this was being worked on, so it can't be told whether it was already sent. Nobody approves this change, so it is not sent again by itself. Please look at the cluster, and ask again if it is still needed.", "处理期间 Redis 重启，无法确认此变更是否已经提交。由于无人审批此变更，系统不会自行重复提交。请检查集群，如仍需变更请重新申请。"},
	flow.NoteRestored:    {"Redis had come back without the last of this request; what is known to have happened is on record again.", "Redis 恢复后缺少本申请的最新记录；已知发生的情况现已重新记录。"},
	flow.NoteNoChannel:   {"scalebot can't post the card in {channel}: it is not a member. Invite it there with “/invite”; the card follows by itself.", "scalebot 不是 {channel} 的成员，无法发布卡片。请在该频道用“/invite”邀请它，卡片随后会自动发布。"},
	flow.NoteArchived:    {"scalebot can't post the card in {channel}: the channel is archived. Once it is unarchived the card follows by itself.", "{channel} 已归档，无法发布卡片。取消归档后卡片会自动发布。"},
	flow.NoteRestricted:  {"scalebot can't post the card in {channel}: only some people may post there. Please ask an administrator of the workspace to let scalebot post too; the card follows by itself.", "{channel} 限制了发言权限，无法发布卡片。请联系工作区管理员允许 scalebot 发言，卡片随后会自动发布。"},
	flow.NoteAuth:        {"The cloud did not let account {account} in.[ {text}] Please ask whoever runs scalebot to run “scalebot check”.", "云平台拒绝了账号 {account} 的访问。[{text}]请联系 scalebot 的管理员运行“scalebot check”。"},
	flow.NoteSteered:     {"{by} asked the cloud to {control}; it took that.", "{by} 请求云平台{control}，云平台已接受。"},
	flow.NoteNotSteered:  {"{by} asked the cloud to {control}, but it didn't.[ {text}]", "{by} 请求云平台{control}，但未成功。[{text}]"},
	flow.NoteRetried:     {"{by} asked for the rest: {id}", "{by} 已申请补齐剩余部分：{id}"},
	flow.NoteCleaned:     {"{by} asked to remove the failed nodes: {id}", "{by} 已申请移除失败的节点：{id}"},
	flow.NoteKept:        {"{by} keeps it as it is.", "{by} 决定保持现状。"},

	flow.NoteReminder:  {"{who} — an approval of yours is still needed; the vote closes at {at}.", "{who}：仍需你们的批准，投票截止 {at}。"},
	flow.NoteUnsettled: {"Nobody has settled it yet. Its outcome is unknown since {at}, and nothing else is sent to this cluster until somebody looks in the cloud's console and presses the button on the card that is true.[ {who}]", "尚未裁定。结果自 {at} 起不明；在有人查看云控制台并点击卡片上相符的按钮之前，不会向该集群提交其他变更。[{who}]"},
	flow.NoteEscalated: {"{group} has not answered in time; from now on members of {to} may vote in their place[: {who}].", "{group} 未在期限内答复，即刻起 {to} 的成员也可以代为审批[：{who}]。"},
	flow.NoteGrace:     {"Everybody concerned can stop it until {at}; after that it goes on by itself.", "在 {at} 之前，相关人员可以随时叫停；此后将自动继续。"},
	flow.NoteStopped:   {"{by} stopped it before it was sent. Nothing was changed.[ For {who} to know.]", "{by} 在提交前叫停了变更。未作任何变更。[通知：{who}]"},

	flow.NoteMandate:     {"Mandate {id} of {by} fills a seat of {group}: this takes {n} {n|node|nodes}[ and {amount}] of it. Left until {until}: {left} {left|node|nodes}[ and {money}].", "{by} 的授权 {id} 计入 {group}：本次占用 {n} 个节点[，{amount}]。截至 {until} 还剩 {left} 个节点[，{money}]。"},
	flow.NoteBudgetMoved: {"Approved, but others took of the budget meanwhile[: {left} of {centre} is left]. Also needed now: {groups}[ — {who}]. The votes that are there stand[; the vote closes at {at}].", "审批已通过，但其他变更已占用预算[：{centre} 剩余 {left}]。现还需审批：{groups}[ — {who}]。已有投票继续有效[，投票截止 {at}]。"},

	flow.WaitCloud:  {"The cloud is slow to answer; trying again.[ {text}]", "云平台响应缓慢，正在重试。[{text}]"},
	flow.WaitBusy:   {"Another operation is running on the cluster[ ({status})]; this one starts when it has ended.", "集群正在执行其他操作[（{status}）]，结束后自动开始。"},
	flow.WaitPlace:  {"In the cluster's queue[ at place {place}][, behind {behind}].", "正在该集群的队列中等待[，第 {place} 位][，排在 {behind} 之后]。"},
	flow.WaitStart:  {"Starts at {at}.", "将于 {at} 开始。"},
	flow.WaitGrace:  {"Approved. It goes on at {at} unless somebody concerned stops it.", "审批已通过。除非有相关人员叫停，将于 {at} 继续。"},
	flow.WaitBallot: {"The votes can't be read right now, so nothing is decided yet.[ {text}]", "暂时无法读取投票，因此尚未作出决定。[{text}]"},
	flow.WaitCard:   {"Waiting for Slack to take the card.", "正在等待 Slack 接收卡片。"},
	flow.WaitDisk:   {"Redis does not confirm that the request is on record for good, so nothing is sent; trying again.", "Redis 未确认请求已可靠保存，因此没有发送；正在重试。"},
	flow.WaitStore:  {"Redis restarted and may have forgotten what was sent last; nothing is sent before {at}.", "Redis 已重启，可能丢失最近的提交记录；在 {at} 之前不会提交任何变更。"},
	flow.WaitProof:  {"Finding out what became of the change; it is not sent again meanwhile.[ {text}]", "正在核实变更是否生效，核实前不会重复提交。[{text}]"},
}

// resolutions are the values of NoteResolved's how: the signals that settle an
// unknown flow.
var resolutions = map[string]sentence{
	string(flow.SignalHappened): {"the change happened", "变更已发生"},
	string(flow.SignalRetry):    {"the change did not happen and may be sent again", "变更未发生，可以重新提交"},
	string(flow.SignalClose):    {"closed as failed", "按失败结束"},
}

// controls are the values of a steering note's control.
var controls = map[string]sentence{
	string(providers.Pause):  {"pause the operation", "暂停操作"},
	string(providers.Resume): {"go on with the operation", "继续操作"},
	string(providers.Cancel): {"stop the operation", "终止操作"},
}

// rejections are what a person reads who asked for something that is not taken.
var rejections = map[flow.RejectCode]sentence{
	flow.RejectGuest:      {"Only full members of this workspace can use scalebot.", "只有本工作区的正式成员才能使用 scalebot。"},
	flow.RejectPerson:     {"Slack could not say who you are, or who is in which group, just now, so nothing was done. Please try again in a minute.", "暂时无法向 Slack 核实你的身份或用户组成员，未作任何操作。请稍后再试。"},
	flow.RejectRequester:  {"You are not among those who may change {cluster}.", "你没有变更 {cluster} 的权限。"},
	flow.RejectCluster:    {"There is no cluster {word}.[ Did you mean {meant}?]", "没有名为 {word} 的集群。[是否想输入 {meant}？]"},
	flow.RejectGroup:      {"Cluster {cluster} has no group {word}.[ Did you mean {meant}?]", "集群 {cluster} 没有名为 {word} 的组。[是否想输入 {meant}？]"},
	flow.RejectZero:       {"Adding or removing 0 nodes changes nothing.", "增加或减少 0 个节点等于没有变更。"},
	flow.RejectStep:       {"{n} nodes at once is too many: at most {max_step} are allowed.", "一次变更 {n} 个节点过多，最多 {max_step} 个。"},
	flow.RejectMin:        {"{n} {n|node|nodes} would be below the group's minimum of {min}.", "{n} 个节点低于该组的下限 {min}。"},
	flow.RejectMax:        {"{n} {n|node|nodes} would be above the group's maximum of {max}.", "{n} 个节点超过该组的上限 {max}。"},
	flow.RejectTerm:       {"Prepaid needs a term, which is paid for as a whole. Say which: “prepaid 1m”, “prepaid 3m”, “prepaid 1y” or another number of months.", "包年包月须写明时长，且费用按整个时长计。请选择：“prepaid 1m”、“prepaid 3m”、“prepaid 1y”，或其他月数。"},
	flow.RejectTermUnused: {"A term and renewal only go with prepaid.", "时长和续费选项只适用于包年包月（prepaid）。"},
	flow.RejectNodes:      {"“nodes=” only goes with a removal, and must name as many nodes as the amount says.", "“nodes=”只能用于缩容，且节点个数必须与数量一致。"},
	flow.RejectBuyOption:  {"{option} only makes sense when nodes are added.", "{option} 只适用于扩容。"},
	flow.RejectDropOption: {"{option} only makes sense when nodes are removed.", "{option} 只适用于缩容。"},
	flow.RejectTemporary: {
		"Temporary changes (“for …”) are not available yet. Ask without “for …”, and remove the nodes with a change of their own when they are not needed any more.",
		"暂不支持临时变更（“for …”）。请去掉“for …”重新申请，不再需要时另行申请移除节点。",
	},
	flow.RejectPast:         {"{at} has already passed.", "{at} 已经过去。"},
	flow.RejectProvider:     {"This change can't be made.[ {text}]", "这项变更无法执行。[{text}]"},
	flow.RejectFlow:         {"There is no request {word}.", "没有编号为 {word} 的申请。"},
	flow.RejectNotYours:     {"Only the person who asked for it can do this.", "只有申请人本人可以执行此操作。"},
	flow.RejectEnded:        {"{id} has already ended: {state}.", "{id} 已经结束：{state}。"},
	flow.RejectTooLate:      {"{id} has already been sent to the cloud and can't be cancelled any more (now {state}).", "{id} 已提交到云平台，无法取消（当前{state}）。"},
	flow.RejectNotUnknown:   {"{id} needs no decision: it is {state}.", "{id} 无需裁定：当前{state}。"},
	flow.RejectEpisode:      {"What is known about {id} has changed since the card that you decided on was drawn, so nothing was done. Look at its card and in the cloud's console again, and decide about what is open now.", "在你所看的卡片之后，{id} 的情况已有变化，因此未作任何操作。请重新查看其卡片和云控制台，再对当前情况作出裁定。"},
	flow.RejectSettler:      {"You are not among those who may settle a request whose outcome is unknown[ ({groups})].", "你没有裁定结果不明的申请的权限[（{groups}）]。"},
	flow.RejectOperation:    {"To follow {id}, scalebot needs the operation's id as the cloud's console shows it, without spaces.", "要继续跟踪 {id}，请填写云控制台显示的操作编号（不含空格）。"},
	flow.RejectOthers:       {"Operation {operation} is the one of {other}. Look again which one is of {id}.", "操作 {operation} 属于 {other}，请重新核对 {id} 的操作编号。"},
	flow.RejectTaken:        {"The cloud accepted {id}, so it can't be said that it did not happen. Say that it happened, or close it as failed.", "云平台已接受 {id}，不能裁定为未发生。请选择“变更已发生”或“按失败结束”。"},
	flow.RejectSteer:        {"{id} can't be steered like this now: it is {state}.", "{id} 当前{state}，无法执行此操作。"},
	flow.RejectNothing:      {"There is nothing to do about {id}: it is {state}.", "{id} 当前{state}，无需处理。"},
	flow.RejectVote:         {"Your vote on {id} would not count, so it was not taken: {vote}.", "你对 {id} 的投票不会计入，因此未登记：{vote}。"},
	flow.RejectOldPlan:      {"This plan of {id} no longer holds, so your vote was not taken. Look at the newest card of {id} and vote there.", "{id} 的这个方案已失效，你的投票未登记。请查看 {id} 的最新卡片并在那里投票。"},
	flow.RejectBallot:       {"There is nothing to vote on: {id} is {state}.", "{id} 当前{state}，没有可投票的内容。"},
	flow.RejectStop:         {"{id} can't be stopped like this now: it is {state}.", "{id} 当前{state}，无法叫停。"},
	flow.RejectNoStop:       {"Only who asked for {id}, who was asked to approve it, and those who settle requests can stop it.", "只有 {id} 的申请人、被要求审批的人，以及有权裁定的人可以叫停。"},
	flow.RejectReason:       {"Running without approval needs a reason: everybody who is skipped will read it.", "跳过审批必须写明理由，所有被跳过的审批人都会看到。"},
	flow.RejectGlass:        {"You are not among those who may run a change without approval ({groups}). Without break-glass it is put to the vote.", "你没有跳过审批的权限（{groups}）。去掉 break-glass 即可按正常流程申请。"},
	flow.RejectGlassOff:     {"Nobody may run a change without approval here: approvals.break_glass names no group.", "此处不允许任何人跳过审批：approvals.break_glass 未指定任何组。"},
	flow.RejectFreezer:      {"You are not among those who may freeze a cluster ({groups}).", "你没有冻结集群的权限（{groups}）。"},
	flow.RejectNotFrozen:    {"Nobody has frozen {cluster}. A freeze of the calendar in config ends by itself.", "没有人冻结 {cluster}。配置日历中的冻结期会自行结束。"},
	flow.RejectCommitment:   {"Nothing is on record as committed by {word}.", "没有 {word} 的包年包月承诺记录。"},
	flow.RejectTermOver:     {"The term of {id} ended at {at}: there is nothing left to decide.", "{id} 的时长已于 {at} 到期，无需再决定。"},
	flow.RejectDecided:      {"Somebody decided about {id} meanwhile[: {by}, {choice}]. Look at its reminder, and press there if you decide otherwise.", "在此期间已有人对 {id} 作出决定[：{by}，{choice}]。请查看其提醒，如有不同决定请在那里操作。"},
	flow.RejectRenewer:      {"Only {by}, who asked for it, and members of an approver group[ ({groups})] can decide about its renewal.", "只有申请人 {by} 或审批组[（{groups}）]的成员可以决定是否续费。"},
	flow.RejectNoBudgets:    {"No budgets are configured here.", "此处未配置预算。"},
	flow.RejectCentre:       {"There is no cost centre {word}. There are: {meant}", "没有名为 {word} 的成本中心。现有：{meant}"},
	flow.RejectLimited:      {"That was a lot of commands in one minute. Nothing was done; please wait a minute.", "一分钟内的命令过多，未作任何操作，请稍候一分钟。"},
	flow.RejectStore:        {"The request could not be recorded, so nothing was done. Please try again in a minute.", "申请未能记录，未作任何操作。请稍后再试。"},
	flow.RejectNoApprover:   {"Only members of an approver group can sign a mandate ({groups}): it is a vote in advance.", "只有审批组成员（{groups}）才能签署授权：授权即预先批准。"},
	flow.RejectMandateLong:  {"A mandate can last until {until} at the longest.", "授权的有效期最长到 {until}。"},
	flow.RejectMandate:      {"There is no mandate {word}.", "没有编号为 {word} 的授权。"},
	flow.RejectMandateEnded: {"Mandate {id} has already ended.", "授权 {id} 已经终止。"},
	flow.RejectNotSigner:    {"Only {by}, who signed {id}, and members of {groups} can revoke it.", "只有签署人 {by} 以及 {groups} 的成员可以撤销授权 {id}。"},
}

// renewalChoices are the decisions about the renewal of a prepaid term.
var renewalChoices = map[flow.RenewalChoice]sentence{
	flow.Renew:    {"renew", "续费"},
	flow.LetLapse: {"let it lapse", "到期不续"},
}

// reasons are why a vote isn't counted; a mention stands before them.
var reasons = map[approvals.Reason]sentence{
	approvals.ReasonBot:            {"a bot can't vote", "机器人不能投票"},
	approvals.ReasonDeactivated:    {"this account is deactivated", "该账号已停用"},
	approvals.ReasonStranger:       {"belongs to another workspace", "属于其他工作区"},
	approvals.ReasonGuest:          {"guests can't vote", "访客不能投票"},
	approvals.ReasonUnknown:        {"could not be looked up in Slack", "无法向 Slack 核实身份"},
	approvals.ReasonRequester:      {"asked for this change, and someone else must agree", "是申请人本人，须由他人批准"},
	approvals.ReasonNotInGroup:     {"is in none of the groups asked", "不在所要求的审批组中"},
	approvals.ReasonGroupUnread:    {"a group asked can't be looked up right now", "暂时无法读取审批组成员"},
	approvals.ReasonNoSeatLeft:     {"not needed: the group's seats are taken", "该组名额已满，无需再投"},
	approvals.ReasonBoth:           {"also denied, and the denial counts", "同时投了否决，以否决为准"},
	approvals.ReasonListCut:        {"Slack's list of voters is cut short", "Slack 返回的投票名单不完整"},
	approvals.ReasonWithdrawn:      {"withdrew the vote", "已撤回投票"},
	approvals.ReasonMandateRevoked: {"it was revoked", "已被撤销"},
	approvals.ReasonMandateOver:    {"its time is over", "已过有效期"},
	approvals.ReasonMandateOwn:     {"who signed it asks for this change, and someone else must agree", "签署人即申请人，须由他人批准"},
	approvals.ReasonMandateNodes:   {"fewer nodes are left of it", "剩余节点数不足"},
	approvals.ReasonMandatePrice:   {"it has a limit of money, and the price is unknown or in another currency", "有金额上限，但价格未知或币种不同"},
	approvals.ReasonMandateSpent:   {"less money is left of it", "剩余金额不足"},
	approvals.ReasonOlderPlan:      {"voted on an older plan, and has not voted on this one", "投的是旧方案，尚未对此方案投票"},
}

// differences are what moved between two plans. A side that is "" reads as none.
var differences = map[approvals.DifferenceKind]sentence{
	approvals.BaseMoved:   {"Size of the group now: {was} → {is}", "该组当前节点数：{was} → {is}"},
	approvals.ChangeMoved: {"{field}: {was} → {is}", "{field}：{was} → {is}"},
	approvals.PriceUp:     {"Price ({field}): {was} → {is}", "价格（{field}）：{was} → {is}"},
	approvals.PriceLost:   {"The price was {was} and can't be told any more.", "价格原为 {was}，现已无法获知。"},
	approvals.VotesMoved:  {"Votes were withdrawn, or the rules now ask for more approvals.", "有投票被撤回，或审批规则要求更多批准。"},
	approvals.Withdrawn:   {"Withdrew the vote: {was}", "撤回了投票：{was}"},
	approvals.VoteLost:    {"No longer counted: {was}[ (mandate {is})] — {field}", "不再计入：{was}[（授权 {is}）] — {field}"},
	approvals.RulesMoved:  {"Asked before: {was}. Asked now: {is}.", "此前要求：{was}。现在要求：{is}。"},
	approvals.FreezeBegan: {"A freeze began.", "冻结期已开始。"},
	approvals.BudgetMoved: {"What is left of the budget moved, and the rules no longer take the change as it is.", "预算余额已变动，按规则此变更不再可行。"},
	approvals.GroupGone:   {"The config no longer has group {was}, which was asked.", "配置中已没有所要求的审批组 {was}。"},
	approvals.CardGone:    {"The card was deleted, and its votes with it.", "卡片被删除，其上的投票一并失效。"},
}

// changed names the fields of a change, by their JSON names, and of a price.
var changed = map[string]sentence{
	"target":        {"Target size", "目标节点数"},
	"delta":         {"Nodes to add or remove", "增减节点数"},
	"charge":        {"Charge", "计费"},
	"months":        {"Term in months", "时长（月）"},
	"renew":         {"Auto-renew", "自动续费"},
	"nodes":         {"Nodes", "节点"},
	"instance_type": {"Spec", "规格"},
	"disks":         {"Disks", "数据盘"},
	"zone":          {"Zone", "可用区"},
	"tags":          {"Tags", "标签"},
	"start":         {"Start services", "启动服务"},
	"bootstrap":     {"Bootstrap scripts", "引导脚本"},
	"account":       {"Account", "账号"},
	"cluster_id":    {"Cluster id", "集群 ID"},
	"group_id":      {"Group id", "组 ID"},
	"committed":     {"committed", "承诺支付"},
	"hourly":        {"per hour", "每小时"},
	"monthly":       {"per month", "每月"},
	"currency":      {"currency", "币种"},
}

// reconfigured is the change of a field whose values mean nothing to a reader:
// digests and durations in nanoseconds.
var reconfigured = map[string]sentence{
	"profile": {"The group's configured parameters changed.", "该组的配置参数已变更。"},
	"drain":   {"The time to drain nodes changed.", "节点排空时间已变更。"},
}

// refusals are the outright noes of a policy, for a dry run.
var refusals = map[approvals.RefusalCode]sentence{
	approvals.NoRules:    {"Would be refused: no approval rules are configured (approvals.rules).", "将被拒绝：尚未配置审批规则（approvals.rules）。"},
	approvals.Frozen:     {"Would be refused: the freeze “{name}” is on[ until {until}].[ With a reason, members of {groups} may pass it.]", "将被拒绝：处于冻结期“{name}”[，持续到 {until}]。[{groups} 的成员附理由可以通过。]"},
	approvals.Ordered:    {"Would be refused: {by} froze {name}[ until {until}][: {reason}].[ With a reason, members of {groups} may pass it.]", "将被拒绝：{by} 已冻结 {name}[，持续到 {until}][：{reason}]。[{groups} 的成员附理由可以通过。]"},
	approvals.RuleBroken: {"Would be refused: the rule “{name}” could not be evaluated[: {error}]", "将被拒绝：审批规则“{name}”无法求值[：{error}]"},
}

// nexts are what to do after an end; states that need no next have none.
var nexts = map[flow.State]sentence{
	flow.Unknown: {"Look in the cloud's console whether the change happened, then press the button that is true. Until then nothing else is sent to this cluster.", "请在云控制台确认变更是否生效，再点击相符的按钮。在此之前不会向该集群提交其他变更。"},
	flow.Denied:  {"Talk it over, then ask again with:", "沟通一致后，可用以下命令重新申请："},
	flow.Expired: {"To ask again:", "重新申请请使用："},
	flow.Failed:  {"Once the cause is gone, ask again with:", "排除原因后，可用以下命令重新申请："},
	flow.Partial: {"To ask for the rest:", "补齐剩余节点请使用："},
}
