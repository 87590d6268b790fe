package card

// The words around the sentences: labels, buttons and small print.
var (
	wShortened = sentence{"Shortened: there is more than a message can hold.", "内容过长，已省略一部分。"}

	wDays    = sentence{"d", "天"}
	wHours   = sentence{"h", "小时"}
	wMinutes = sentence{"min", "分钟"}
	wSeconds = sentence{"s", "秒"}

	wColon    = sentence{": ", "："}
	wComma    = sentence{", ", "、"}
	wGap      = sentence{" ", ""} // between two sentences
	wClause   = sentence{", ", "，"}
	wAndMore  = sentence{"and {n} more", "（另有 {n} 个）"}
	wNothing  = sentence{"none", "无"}
	wReplaced = sentence{"replaced", "已被取代"}

	wAskedBy  = sentence{"{id} · asked for by {by} · {at}", "{id} · 申请人 {by} · {at}"}
	wNodes    = sentence{"Nodes", "节点数"}
	wCharge   = sentence{"Charge", "计费"}
	wCost     = sentence{"Cost", "费用"}
	wQuoted   = sentence{"Quoted", "报价"}
	wStart    = sentence{"Start", "开始时间"}
	wOp       = sentence{"Cloud operation", "云平台操作"}
	wPlace    = sentence{"Place in the queue", "队列位置"}
	wTook     = sentence{"Took", "用时"}
	wStatus   = sentence{"Status", "状态"}
	wAccount  = sentence{"Account", "账号"}
	wSize     = sentence{"{from} → {to} ({delta})", "{from} → {to}（{delta}）"}
	wSpec     = sentence{"spec {value}", "规格 {value}"}
	wDisk     = sentence{"disk {type} {size} GiB × {n}", "数据盘 {type} {size} GiB × {n}"}
	wZone     = sentence{"zone {value}", "可用区 {value}"}
	wDrain    = sentence{"drain {value} first", "先排空 {value}"}
	wTag      = sentence{"tag {key}={value}", "标签 {key}={value}"}
	wStartYes = sentence{"start services", "启动服务"}
	wStartNo  = sentence{"don't start services", "不启动服务"}
	wBootYes  = sentence{"run bootstrap scripts", "执行引导脚本"}
	wBootNo   = sentence{"skip bootstrap scripts", "不执行引导脚本"}

	wPrepaid  = sentence{"prepaid for {n} {n|month|months}, {renew}", "包年包月 {n} 个月，{renew}"}
	wRenewOn  = sentence{"auto-renew on", "自动续费"}
	wRenewOff = sentence{"auto-renew off", "不自动续费"}

	wCommitted = sentence{"{sum} committed[ (≈ {month} per month)]", "承诺支付 {sum}[（约每月 {month}）]"}
	wHourly    = sentence{"{sum} per hour ≈ {month} per month", "每小时 {sum}，约每月 {month}"}
	wMonthly   = sentence{"{month} per month", "每月 {month}"}
	wFree      = sentence{"nothing to buy", "无需购买"}
	wNoPrice   = sentence{"unknown[: {why}]", "未知[：{why}]"}

	wRemoves   = sentence{"Nodes to be removed", "将移除的节点"}
	wJoined    = sentence{"Joined", "已加入的节点"}
	wLeft      = sentence{"Left", "已移除的节点"}
	wCount     = sentence{"{got} of {want} {want|node|nodes} joined", "已加入 {got}/{want} 个节点"}
	wCountLeft = sentence{"{got} of {want} {want|node|nodes} left", "已移除 {got}/{want} 个节点"}

	wApprovals = sentence{"Approvals", "审批"}
	wSeatFull  = sentence{"{group}: {got} of {n} — {by}", "{group}：{got}/{n} — {by}"}
	wSeatOpen  = sentence{"{group}: {got} of {n}[ — {by}][ — {open} more needed][ from {who}]", "{group}：{got}/{n}[ — {by}][ — 还需 {open} 人][，请 {who} 审批]"}
	wUncounted = sentence{"Votes that don't count", "未计入的投票"}
	wVoteLine  = sentence{"{emoji} {by} — {why}", "{emoji} {by} — {why}"}
	wHowToVote = sentence{"React with {yes} to approve or {no} to deny, or press the card's buttons[ · closes {at}]", "用 {yes} 批准、{no} 否决，或点击卡片上的按钮[ · 截止 {at}]"}
	wAlsoAsked = sentence{"{group}: {to} may vote too since nobody answered in time[ — {who}]", "{group}：因逾期未答复，{to} 也可以审批[ — {who}]"}
	wThen      = sentence{"{group}: from {at} on {to} may vote too", "{group}：自 {at} 起 {to} 也可以审批"}
	wRules     = sentence{"Asked for by {n|rule|rules} {rules}", "触发规则：{rules}"}
	wDenied    = sentence{"Denied by {by}", "否决人：{by}"}
	wApproved  = sentence{"Approved by {by}", "批准人：{by}"}
	wNeeds     = sentence{"needs {seats}", "需要 {seats}"}
	wNeedsSeat = sentence{"{n} of {group}", "{group} {n} 人"}
	wOr        = sentence{" or ", " 或 "}
	wAnd       = sentence{" and ", "、"}
	wSeatBy    = sentence{"{by} ({group})", "{by}（{group}）"}

	wRoad       = sentence{"Progress", "进度"}
	wStepPlan   = sentence{"Plan", "制定方案"}
	wStepVote   = sentence{"Approval", "审批"}
	wStepStart  = sentence{"Start time", "等待开始时间"}
	wStepQueue  = sentence{"Queue", "排队"}
	wStepSend   = sentence{"Send to the cloud", "提交到云平台"}
	wStepEnd    = sentence{"Result", "结果"}
	wIsPending  = sentence{"pending", "未开始"}
	wIsRunning  = sentence{"in progress", "进行中"}
	wIsDone     = sentence{"done", "完成"}
	wNotNeeded  = sentence{"not needed", "无需审批"}
	wVotes      = sentence{"{got} of {n} given", "已获 {got}/{n}"}
	wOpID       = sentence{"operation {id}", "操作编号 {id}"}
	wMoreStages = sentence{"{n} more {n|stage|stages}", "另有 {n} 个阶段"}

	wWhatMoved   = sentence{"What changed", "变化内容"}
	wReplacedWhy = sentence{"This plan no longer holds and its votes are void. If the request goes on, the new plan has a card of its own.", "此方案已失效，原有投票作废。若申请继续，新方案将有单独的卡片。"}
	wOvertaken   = sentence{"Planned by now: the plan has a card of its own below.", "方案已生成，见下方单独的卡片。"}
	wPlanning    = sentence{"Looking at the cluster and pricing the change.", "正在查看集群并计算价格。"}

	wApproveIt  = sentence{"Approve", "批准"}
	wApproveTop = sentence{"Approve this request?", "批准这项申请？"}
	wApproveTxt = sentence{"You approve {id} exactly as this card shows it. Once all approvals are in, it goes on by itself. Pressing again before that takes yours back.", "你批准的是此卡片所示的 {id} 方案。所需批准齐全后将自动继续；在此之前再次点击可撤回。"}
	wApproveYes = sentence{"Approve", "确认批准"}
	wDenyIt     = sentence{"Deny…", "否决…"}
	wDenyTop    = sentence{"Deny {id}", "否决 {id}"}
	wDenyText   = sentence{"Denying {what} ends the request. Nothing is changed.", "否决后申请 {what} 即告结束，不作任何变更。"}
	wDenyWhy    = sentence{"Reason", "理由"}
	wDenyHint   = sentence{"Optional. It stands on the card, and who asked is told.", "选填。会显示在卡片上，并告知申请人。"}
	wDenyYes    = sentence{"Deny", "否决"}
	wHalt       = sentence{"Stop", "叫停"}
	wHaltTop    = sentence{"Stop this request?", "叫停这项申请？"}
	wHaltText   = sentence{"Request {id} ends and nothing is changed. Who asked for it, who was asked to approve it and those who settle requests can do this.", "申请 {id} 将结束，不作任何变更。申请人、被要求审批的人以及有权裁定的人可以叫停。"}
	wHaltYes    = sentence{"Stop it", "确认叫停"}
	wKeep       = sentence{"Keep it", "保留"}
	wGoBack     = sentence{"Go back", "返回"}
	wCancel     = sentence{"Cancel request", "取消申请"}
	wCancelTop  = sentence{"Cancel this request?", "取消这项申请？"}
	wCancelText = sentence{"Request {id} ends and nothing is changed. Only the person who asked for it can do this.", "申请 {id} 将结束，不作任何变更。只有申请人本人可以取消。"}
	wCancelYes  = sentence{"Cancel it", "确认取消"}
	wHappened   = sentence{"It happened…", "变更已发生…"}
	wHappenTop  = sentence{"{id} happened", "{id} 已发生"}
	wHappenText = sentence{"You looked in the cloud's console and saw the change of {what}. scalebot goes on following it and does not send it again.", "你已在云控制台确认 {what} 的变更已发生。scalebot 将继续跟踪，不再提交。"}
	wHappenID   = sentence{"Operation id", "操作编号"}
	wHappenHint = sentence{"As the console shows it: Tencent EMR the flow id, Alibaba ACK the task id.", "以控制台显示为准：腾讯云 EMR 为流程 ID，阿里云 ACK 为任务 ID。"}
	wHappenNone = sentence{"May be left empty: this cloud gives its operations no id, or it is known already.", "可留空：该云平台的操作没有编号，或编号已知。"}
	wDidNot     = sentence{"It did not happen", "变更未发生"}
	wDidNotTop  = sentence{"The change did not happen?", "变更确实未发生？"}
	wDidNotText = sentence{"You looked in the cloud's console and {id} did not happen there. scalebot sends it AGAIN: if you are wrong, it is done and paid for twice.", "你已在云控制台确认 {id} 的变更未发生。scalebot 将重新提交：如果判断有误，变更会执行两次并重复计费。"}
	wClose      = sentence{"Close as failed", "按失败结束"}
	wCloseTop   = sentence{"Close as failed?", "按失败结束？"}
	wCloseText  = sentence{"{id} ends as failed and nothing more is sent or followed. What the cloud may have done stays as it is.", "{id} 将按失败结束，不再提交或跟踪。云平台可能已完成的操作保持原样。"}
	wConfirm    = sentence{"Yes, I checked", "已确认"}
	wCloseYes   = sentence{"Close it", "确认结束"}

	wPause       = sentence{"Pause", "暂停"}
	wPauseTop    = sentence{"Pause the operation?", "暂停云平台操作？"}
	wPauseText   = sentence{"The cloud stops {id} where it is. It can go on later.", "云平台将在当前阶段暂停 {id}，之后可以继续。"}
	wPauseYes    = sentence{"Pause it", "确认暂停"}
	wResume      = sentence{"Resume", "继续"}
	wResumeTop   = sentence{"Go on?", "继续执行？"}
	wResumeText  = sentence{"The cloud goes on with {id}.", "云平台将继续执行 {id}。"}
	wResumeYes   = sentence{"Go on", "确认继续"}
	wStop        = sentence{"Stop the operation", "终止操作"}
	wStopTop     = sentence{"Stop the operation?", "终止云平台操作？"}
	wStopText    = sentence{"The cloud ends {id}. What it has done so far stays, and may have to be paid for.", "云平台将终止 {id}。已完成的部分会保留，并可能产生费用。"}
	wStopYes     = sentence{"Stop it", "确认终止"}
	wRetry       = sentence{"Ask for the rest", "补齐剩余"}
	wRetryTop    = sentence{"Ask for the rest?", "申请补齐剩余部分？"}
	wRetryText   = sentence{"A new request for what {id} did not bring. The rules apply as to any other.", "为 {id} 未完成的部分新建一项申请，同样适用审批规则。"}
	wRetryYes    = sentence{"Ask", "确认申请"}
	wCleanUp     = sentence{"Remove the failed nodes", "移除失败的节点"}
	wCleanUpTop  = sentence{"Remove the failed nodes?", "移除失败的节点？"}
	wCleanUpText = sentence{"A new request to remove the nodes that {id} left unusable. The rules apply as to any other.", "新建一项申请，移除 {id} 留下的不可用节点，同样适用审批规则。"}
	wKeepIt      = sentence{"Keep as it is", "保持现状"}
	wKeepItTop   = sentence{"Keep it as it is?", "保持现状？"}
	wKeepItText  = sentence{"Nothing more is done about {id}. It can still be asked for by hand.", "不再处理 {id}，之后仍可手动申请。"}

	wFailedNodes = sentence{"Failed nodes", "失败的节点"}
	wCloudPicks  = sentence{"The cloud chooses which nodes to remove.", "由云平台选择要移除的节点。"}
	wWarning     = sentence{"Note: {text}", "注意：{text}"}

	wNoticeTook = sentence{"Took {all} from request to end[; {run} of it in the cloud]", "从申请到结束用时 {all}[，其中云平台执行 {run}]"}
	wNoticeOpen = sentence{"{all} since the request[; {run} since it was sent]", "距申请已 {all}[，距提交已 {run}]"}

	wAccepted = sentence{"Request {id} is recorded: {what}.", "申请 {id} 已登记：{what}。"}
	wNextCard = sentence{"Next: scalebot looks at the cluster, prices the change and posts a card in this channel.", "接下来 scalebot 会查看集群、计算价格，并在本频道发布卡片。"}
	wAgain    = sentence{"This was already taken as request {id}: {state}. Nothing was done twice.", "此前已登记为申请 {id}：{state}。未重复执行。"}
	wTryThis  = sentence{"Try this:", "可以试试："}
	wTryOne   = sentence{"Try one of these:", "可以试试其中之一："}
	wWritten  = sentence{"It is written like this:", "写法如下："}
	wSeeHelp  = sentence{"{command} help shows what can be said.", "输入 {command} help 查看用法。"}

	wDryRun   = sentence{"Dry run: nothing was recorded or changed.", "试运行：未登记，也未作任何变更。"}
	wWouldAsk = sentence{"Would need", "需要的审批"}
	wWouldRun = sentence{"No rule asks for an approval: this would go ahead by itself.", "没有规则要求审批，将直接执行。"}
	wRuleYes  = sentence{"Rule {name} matches: {seats}", "规则 {name} 命中：{seats}"}
	wRuleNo   = sentence{"{n|Rule|Rules} without a match: {rules}", "未命中的规则：{rules}"}

	wGroups    = sentence{"Groups", "节点组"}
	wGroupLine = sentence{"{group}: {n} {n|node|nodes}[ · {type}][ · {limits}]", "{group}：{n} 个节点[ · {type}][ · {limits}]"}
	wGroupGone = sentence{"{group}: the cloud has no such group", "{group}：云平台中没有该组"}
	wGroupOnly = sentence{"{group}[ · {limits}] · {charge}", "{group}[ · {limits}] · {charge}"}
	wLimits    = sentence{"{min} to {max}", "{min} 至 {max} 个"}
	wLimitMin  = sentence{"at least {min}", "至少 {min} 个"}
	wLimitStep = sentence{"at most {step} at once", "单次最多 {step} 个"}
	wSeenAt    = sentence{"Seen at {at}", "观测时间 {at}"}
	wClusters  = sentence{"Clusters", "集群"}
	wNone      = sentence{"There are none.", "暂无。"}
	wNoCluster = sentence{"No clusters are configured.", "尚未配置集群。"}
	wFlows     = sentence{"Requests", "申请"}
	wNoFlows   = sentence{"No requests match.", "没有符合条件的申请。"}
	wFlowBy    = sentence{"{id} · {head} · {state} · {by} · {at}", "{id} · {head} · {state} · {by} · {at}"}
	wLog       = sentence{"What happened", "经过"}
	wLogLine   = sentence{"{at} · {what}", "{at} · {what}"}
	wEarlier   = sentence{"{n} earlier {n|entry|entries}", "更早的记录 {n} 条"}

	wYouAre   = sentence{"You are {by}", "你是 {by}"}
	wYouIn    = sentence{"Approver groups: {groups}", "所在审批组：{groups}"}
	wYouInNo  = sentence{"You are in no approver group.", "你不在任何审批组中。"}
	wMayAsk   = sentence{"You may ask for changes to: {clusters}", "你可以申请变更：{clusters}"}
	wMayNot   = sentence{"You may not ask for changes to any cluster.", "你不能申请变更任何集群。"}
	wMaySet   = sentence{"You may settle requests whose outcome is unknown.", "你可以裁定结果不明的申请。"}
	wHelp     = sentence{"What scalebot understands", "scalebot 的用法"}
	wExamples = sentence{"Examples", "示例"}
	wCloudErr = sentence{"The cloud could not be asked.[ {text}] Nothing was changed.", "未能从云平台获取结果。[{text}]未作任何变更。"}

	wHome        = sentence{"scalebot", "scalebot"}
	wHomeIntro   = sentence{"Resize clusters from chat with {command}. What costs money or removes capacity is approved first.", "在聊天中用 {command} 调整集群规模。涉及费用或缩减容量的变更须先审批。"}
	wHomeWaiting = sentence{"Waiting for your vote", "等待你审批"}
	wHomeRunning = sentence{"Under way", "进行中"}
	wHomeMine    = sentence{"Your requests", "你的申请"}

	wGlassCard   = sentence{"Break-glass by {by} as a member of {group}: {reason}", "由 {by} 以 {group} 成员身份紧急执行：{reason}"}
	wGlassSkip   = sentence{"Skipped, and told herewith: {seats} — {who}", "被跳过的审批：{seats} — {who}"}
	wGlassTitle  = sentence{"break-glass", "紧急执行"}
	wPassCard    = sentence{"Passes the freeze “{name}” (until {until}) as a member of {group}: {reason}", "以 {group} 成员身份通过冻结期“{name}”（持续到 {until}）：{reason}"}
	wFroze       = sentence{"{by} froze {cluster}[ until {until}][: {reason}]. Changes are refused meanwhile; what is running goes on.", "{by} 已冻结 {cluster}[，持续到 {until}][：{reason}]。在此期间拒绝变更，已在执行的变更不受影响。"}
	wUnfroze     = sentence{"{by} ended the freeze of {cluster}, which {whose} had ordered.", "{by} 已解除 {cluster} 的冻结（原由 {whose} 冻结）。"}
	wFrozenBy    = sentence{"Frozen by {by}[ until {until}][: {reason}]", "已被 {by} 冻结[，持续到 {until}][：{reason}]"}
	wFrozenOn    = sentence{"The freeze “{name}” is on until {until}, for changes that it holds for", "冻结期“{name}”持续到 {until}，适用于其条件所涵盖的变更"}
	wHistory     = sentence{"Ended changes, newest first", "已结束的变更（最近的在前）"}
	wHistoryNone = sentence{"No change has ended yet.", "尚无已结束的变更。"}
	wHistoryLine = sentence{"{at} · {id} · {head} · {state} · {by}[ · {cost}][ · {took}]", "{at} · {id} · {head} · {state} · {by}[ · {cost}][ · {took}]"}
	wPolicy      = sentence{"Approval rules", "审批规则"}
	wPolicyNone  = sentence{"No approval rules are configured, so every change is refused.", "尚未配置审批规则，因此拒绝所有变更。"}
	wPolicyFree  = sentence{"There is no rule: every change runs without approval.", "没有任何规则：所有变更均无需审批。"}
	wRuleLine    = sentence{"{name}: {seats} when {when}", "{name}：满足 {when} 时需要 {seats}"}
	wRuleMatch   = sentence{"✓ {name} matches: {seats}[ — {values}]", "✓ {name} 命中：{seats}[ — {values}]"}
	wRuleMiss    = sentence{"✗ {name} does not match[ — {values}]", "✗ {name} 未命中[ — {values}]"}
	wRuleBroke   = sentence{"! {name} can't be evaluated, so the change is refused: {error}[ — {values}]", "! {name} 无法求值，因此拒绝变更：{error}[ — {values}]"}
	wFreezes     = sentence{"Freezes", "冻结期"}
	wFreezeLine  = sentence{"{name}: {from} to {to}[, when {when}][; may pass with a reason: {groups}]", "{name}：{from} 至 {to}[，条件 {when}][；附理由可通过：{groups}]"}
	wFreezeOff   = sentence{"{name} is not on: {from} to {to}", "{name} 未生效：{from} 至 {to}"}
	wFreezeHolds = sentence{"{name} refuses this until {to}[ — {values}]", "{name} 拒绝此变更，直到 {to}[ — {values}]"}
	wFreezePass  = sentence{"{name} is on until {to} and lets this through, for a member of {group} with a reason[ — {values}]", "{name} 持续到 {to}，但 {group} 成员附理由可通过[ — {values}]"}
	wFreezeElse  = sentence{"{name} is on until {to} and does not hold for this[ — {values}]", "{name} 持续到 {to}，不适用于此变更[ — {values}]"}
	wFreezeBroke = sentence{"{name} can't be evaluated, so the change is refused: {error}[ — {values}]", "{name} 无法求值，因此拒绝变更：{error}[ — {values}]"}
	wMayGlass    = sentence{"May run a change without approval, with a reason: {groups}", "附理由可跳过审批的组：{groups}"}
	wValue       = sentence{"{field} = {value}", "{field} = {value}"}

	wMandateScope   = sentence{"{what} up to +{n} until {until}[, at most {max}]", "{what} 最多 +{n}，截至 {until}[，上限 {max}]"}
	wMandateYours   = sentence{"Mandate {id} is signed: {scope}. As long as you are in {groups}, a request of somebody else inside it has your vote there. End it with {line}", "授权 {id} 已签署：{scope}。只要你仍是 {groups} 成员，他人在此范围内的申请即视为获得你的批准。如需终止：{line}"}
	wMandateSigned  = sentence{"{by} signed mandate {id}: {scope}. Requests of others inside it have the vote of {by} for {groups}.", "{by} 签署了授权 {id}：{scope}。他人在此范围内的申请视为获得 {by} 在 {groups} 的批准。"}
	wMandateRevoked = sentence{"{by} revoked mandate {id} of {whose}; {used} of its {n} nodes were taken. What was sent by it goes on.", "{by} 撤销了 {whose} 的授权 {id}；已用 {used}/{n} 个节点。已提交的变更继续执行。"}
	wMandateNone    = sentence{"No mandate holds now. {line} shows how one is signed.", "当前没有生效的授权。签署方法见 {line}"}
	wMandates       = sentence{"Mandates", "授权"}
	wMandateLine    = sentence{"{id} · {scope} · {by}, for {groups} · used {used}, reserved {reserved}[ · {money}]", "{id} · {scope} · {by}（{groups}）· 已用 {used}，已预留 {reserved}[ · {money}]"}
	wMandateIdle    = sentence{"{id} · {scope} · {by}, who is in no approver group now, so it counts for nothing · used {used}, reserved {reserved}[ · {money}]", "{id} · {scope} · {by}（当前不在任何审批组，因此无效）· 已用 {used}，已预留 {reserved}[ · {money}]"}
	wMandateCard    = sentence{"Mandate {id}: {by} approved this in advance, for {group}", "授权 {id}：{by} 已代表 {group} 预先批准"}
	wMandateNot     = sentence{"mandate {id} of {by} — {why}", "{by} 的授权 {id} — {why}"}
	wBudget         = sentence{"Budget {centre}: {left} left of {monthly} in {month}", "{centre} 预算：{month} 共 {monthly}，剩余 {left}"}
	wBudgetOver     = sentence{"Budget {centre}: {left} over the {monthly} of {month} already", "{centre} 预算：{month} 共 {monthly}，已超支 {left}"}
	wTakes          = sentence{"this takes {sum}", "本次占用 {sum}"}
	wTakesUnknown   = sentence{"what this takes is unknown", "本次占用金额未知"}
	wBudgets        = sentence{"Budgets of {month}", "{month} 预算"}
	wBudgetKey      = sentence{"█ spent · ▓ reserved by what is approved and has not ended · ░ left", "█ 已支出 · ▓ 已批准、尚未结束的变更所预留 · ░ 剩余"}
	wBudgetSums     = sentence{"{spent} spent, {reserved} reserved, {left} left of {monthly}", "已支出 {spent}，已预留 {reserved}，剩余 {left}，共 {monthly}"}
	wBudgetSumsOver = sentence{"{spent} spent, {reserved} reserved: {left} over the {monthly} of the month", "已支出 {spent}，已预留 {reserved}，超出本月 {monthly} 预算 {left}"}
	wUnpriced       = sentence{"{n} {n|change is|changes are} in no sum: the price is unknown or in another currency", "有 {n} 项变更未计入：价格未知或币种不同"}
	wEntry          = sentence{"{id} · {what} · {sum} · {state} · {by}", "{id} · {what} · {sum} · {state} · {by}"}
	wEntryReserved  = sentence{"reserved", "已预留"}
	wEntrySpent     = sentence{"spent", "已支出"}
	wEntryUnknown   = sentence{"price unknown", "价格未知"}
)
