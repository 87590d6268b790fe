package slackapp

import (
	"strings"

	"scalebot/bot/flow"
)

// said is a sentence of the edge itself, about the delivery and not about any
// flow; everything else is said by card.
type said struct{ en, zh string }

func (s said) in(lang string) string {
	if lang == "zh" {
		return s.zh
	}
	return s.en
}

// say makes an answer of the sentence; {command} is the slash word.
func (s *session) say(what said, lang string) flow.Message {
	return flow.Message{Text: strings.ReplaceAll(what.in(lang), "{command}", s.app.opt.Command)}
}

// cluster names the cluster.
func (s said) cluster(name string) said {
	r := strings.NewReplacer("{cluster}", name)
	return said{r.Replace(s.en), r.Replace(s.zh)}
}

// of names the flow.
func (s said) of(id string) said {
	r := strings.NewReplacer("{id}", id)
	return said{r.Replace(s.en), r.Replace(s.zh)}
}

var (
	saidLooking = said{"One moment, I am looking it up…", "请稍候，正在查询……"}
	saidBusy    = said{
		"Too much is going on right now: nothing was done. Please send the command again in a minute.",
		"当前请求过多，未执行任何操作。请一分钟后重新发送命令。",
	}
	saidTwice = said{
		"Slack delivered this command twice. It was worked on once, and the answer to that holds.",
		"Slack 重复投递了该命令。命令只处理了一次，以那一次的回复为准。",
	}
	saidStopping = said{
		"I am being restarted: nothing was done. Please send the command again in a minute.",
		"机器人正在重启，未执行任何操作。请一分钟后重新发送命令。",
	}
	saidUnreadable = said{
		"Slack sent this command in a form that I can't read: nothing was done.",
		"无法读取 Slack 发送的命令，未执行任何操作。",
	}
	saidNotYet = said{
		"This command is understood, but not available yet. `{command} help` lists what is.",
		"该命令暂未开放。发送 `{command} help` 可查看可用的命令。",
	}
	saidOldButton = said{
		"This button is from an older version and does nothing any more. `{command} help` lists what can be typed.",
		"该按钮来自旧版本，已不再有效。发送 `{command} help` 可查看可用的命令。",
	}
	saidFailed = said{
		"The answer could not be looked up. Please try again in a minute.",
		"暂时无法查询，请一分钟后重试。",
	}
	saidInDoubt = said{
		"Nothing was done so far, but it could not be confirmed whether this was recorded. I am finding out and will tell you here; please don't send it again before that.",
		"目前未执行任何操作，但无法确认该请求是否已登记。正在核实，结果会在此告知，请暂勿重新发送。",
	}
	saidNotRecorded = said{
		"Your request was not recorded after all, and nothing was done. Please send it again.",
		"经核实，该请求未登记，未执行任何操作。请重新发送。",
	}
	saidUncertain = said{
		"Nothing was done so far, but it could not be confirmed whether this was recorded. Look at `{command} list` before you send it again.",
		"目前未执行任何操作，但无法确认该请求是否已登记。重新发送前请先查看 `{command} list`。",
	}
	saidCancelled = said{"Cancelling {id} was asked for; its card shows how it ends.", "已请求取消 {id}，结果见其卡片。"}
	saidSteered   = said{"The cloud is asked to do that with {id}; its card shows what comes of it.", "已向云平台发出对 {id} 的操作请求，结果见其卡片。"}
	saidKept      = said{"{id} stays as it is.", "{id} 保持现状。"}
	saidApproved  = said{
		"Your approval of {id} is on record; its card shows what it counts for. To take it back, press the button again or send `{command} approve {id} withdraw`.",
		"已登记你对 {id} 的批准，计入情况见其卡片。如需撤回，请再次点击按钮或发送 `{command} approve {id} withdraw`。",
	}
	saidStands = said{
		"Your approval of {id} stands already, nothing has changed. To take it back, press the button again or send `{command} approve {id} withdraw`.",
		"你对 {id} 的批准此前已登记，没有变化。如需撤回，请再次点击按钮或发送 `{command} approve {id} withdraw`。",
	}
	saidNoneToTakeBack = said{
		"There is no approval of {id} by you to take back. If you reacted on its card, remove the reaction there.",
		"没有可撤回的你对 {id} 的批准。如果你在卡片上添加了表情，请在卡片上移除。",
	}
	saidTakenBack = said{
		"Your approval of {id} is taken back. If you also reacted on its card, that still counts until you remove it.",
		"已撤回你对 {id} 的批准。如果你还在卡片上添加了表情，移除之前仍会计入。",
	}
	saidDenied  = said{"Your denial of {id} is on record; its card shows how it ends.", "已登记你对 {id} 的否决，结果见其卡片。"}
	saidHalted  = said{"Stopping {id} was asked for; its card shows how it ends.", "已请求叫停 {id}，结果见其卡片。"}
	saidNoModal = said{
		"Slack did not open the question for your reason, so nothing was done. Press again, or type `{command} deny {id}` with your reason.",
		"Slack 未能打开填写理由的窗口，未执行任何操作。请再点一次，或输入 `{command} deny {id}` 并附上理由。",
	}
	saidNotDenied = said{
		"It could not be confirmed whether your denial was recorded. Press once more: it counts once.",
		"无法确认你的否决是否已登记。请再次提交，不会重复计入。",
	}
	saidSettled = said{"Your decision about {id} is on record; its card shows what follows.", "已记录你对 {id} 的决定，后续进展见其卡片。"}
	saidFroze   = said{"{cluster} is frozen; `{command} unfreeze {cluster}` ends it.", "{cluster} 已冻结；发送 `{command} unfreeze {cluster}` 可解除。"}
	saidRevoked = said{"{id} is revoked. What is not sent yet is put to the vote again.", "已撤销 {id}。尚未提交的变更将重新表决。"}
	saidUnfroze = said{"The freeze of {cluster} has ended.", "{cluster} 的冻结已解除。"}
)
