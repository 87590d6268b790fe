package commands

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Code says what is wrong with a command; the sentences are in this file.
type Code string

// The codes. Option, where used, is the option or argument that Word stands in,
// and Form how it should look.
const (
	CodeTooLong   Code = "too_long"   // more than MaxLength runes
	CodeHidden    Code = "hidden"     // Word: U+200B: a character that shows nothing or turns the text round
	CodeQuote     Code = "quote"      // Word: its quote never closes
	CodeVerb      Code = "verb"       // Word: neither verb nor cluster
	CodeCluster   Code = "cluster"    // Word: unknown cluster, or no name
	CodeCentre    Code = "centre"     // Word: unknown cost centre, or no name
	CodeGroup     Code = "group"      // Word: unknown group, or no name; Option: the cluster
	CodeOption    Code = "option"     // Word: unknown option
	CodeTemporary Code = "temporary"  // Word: a duration where nodes are added by the hour
	CodeMissing   Code = "missing"    // Option: the argument that is not there
	CodeExtra     Code = "extra"      // Word: nothing may stand there
	CodeAmount    Code = "amount"     // Word: no amount
	CodeSign      Code = "sign"       // Word: an amount without + - or =
	CodeZero      Code = "zero"       // Word: an amount of 0
	CodeTooMuch   Code = "too_much"   // Word: a number above MaxAmount
	CodeTerm      Code = "term"       // Word: no prepaid term
	CodeDuration  Code = "duration"   // Option, Word: no duration, or too long
	CodeTime      Code = "time"       // Word: no time
	CodeSkipped   Code = "skipped"    // Word: a time that the clocks of Option (a zone) jump over; from When.In
	CodeValue     Code = "value"      // Option, Word, Form
	CodeNoValue   Code = "no_value"   // Option, Form: the value is not there
	CodeFlagValue Code = "flag_value" // Option takes no value; Word is one
	CodeConflict  Code = "conflict"   // Option, Word: contradict each other
	CodeMention   Code = "mention"    // Word: a person or channel where none is wanted
	CodeFlow      Code = "flow"       // Word: no flow id
	CodeMandate   Code = "mandate"    // Word: no id of a mandate
)

// UsageError is a command that can't be read. It is the only error type of
// Parse and of When.In. Its texts hold what the person typed: escape them for
// Slack, and answer privately.
type UsageError struct {
	Code   Code
	Word   string   // the word that is wrong, cut to a readable length
	Option string   // see the codes
	Form   string   // see the codes
	Meant  []string // what the word was probably meant to be, most likely first
	Usage  string   // how the verb is used; see HelpEntry.Usage

	// Fixed is the whole corrected command without the slash word, as a person
	// types it, ready to copy; "" when there is no honest guess. It parses under
	// the vocabulary that refused the original. No amount, term or duration in it
	// is invented: each was typed, if in other units (1h30m becomes 90m).
	Fixed string
	// Also are further corrections as likely as Fixed: "=2" beside "+2". Show
	// them too: whoever sees only one of two takes it.
	Also []string
}

var _ error = (*UsageError)(nil)

// Error is the sentence in English.
func (e *UsageError) Error() string { return e.In("en") }

// mostShown is how many proposals one sentence can carry.
const mostShown = 6

// In is what is wrong and what was meant, in English, or in Simplified Chinese
// for "zh". It doesn't repeat Fixed and Usage.
func (e *UsageError) In(lang string) string {
	s, or, ask, known := sentence(e.Code)[0], "` or `", " Did you mean `{meant}`?", " Known: `{known}`."
	if lang == "zh" {
		s, or, ask, known = sentence(e.Code)[1], "` 或 `", "是否想输入 `{meant}`？", "可选：`{known}`。"
	}
	shown := e.Meant
	if len(shown) > mostShown {
		shown = append(shown[:mostShown:mostShown], "…")
	}
	switch {
	case len(shown) == 0:
	case e.Code == CodeMissing && len(shown) > 1:
		s += known
	default:
		s += ask
	}
	return strings.NewReplacer(
		"{word}", e.Word, "{option}", e.Option, "{form}", e.Form,
		"{meant}", strings.Join(shown, or), "{known}", strings.Join(shown, "`, `"),
		"{length}", strconv.Itoa(MaxLength), "{most}", strconv.Itoa(MaxAmount), "{term}", strconv.Itoa(MaxTerm),
	).Replace(s)
}

// sentence is the text of a code in English and Simplified Chinese.
func sentence(c Code) [2]string {
	switch c {
	case CodeTooLong:
		return [2]string{"The command is longer than {length} characters.", "命令超过 {length} 个字符。"}
	case CodeHidden:
		return [2]string{"The command holds an invisible or text-reversing character ({word}); type it again instead of pasting it.",
			"命令中含有不可见字符或改变文字方向的字符（{word}），请手动输入，不要粘贴。"}
	case CodeQuote:
		return [2]string{"The quote in `{word}` is never closed.", "`{word}` 中的引号没有闭合。"}
	case CodeVerb:
		return [2]string{"`{word}` is neither a command nor a cluster.", "`{word}` 既不是命令也不是集群。"}
	case CodeCluster:
		return [2]string{"There is no cluster `{word}`.", "没有名为 `{word}` 的集群。"}
	case CodeCentre:
		return [2]string{"There is no cost centre `{word}`.", "没有名为 `{word}` 的成本中心。"}
	case CodeGroup:
		return [2]string{"Cluster `{option}` has no group `{word}`.", "集群 `{option}` 没有节点组 `{word}`。"}
	case CodeOption:
		return [2]string{"`{word}` is no option; put a reason behind ` -- `.", "`{word}` 不是有效选项；理由请写在 ` -- ` 之后。"}
	case CodeTemporary:
		return [2]string{"`{word}` is no option: a change that ends by itself is not available yet. Ask without it, and remove the nodes with a change of their own when they are not needed any more.",
			"`{word}` 不是有效选项：暂不支持到期自动结束的变更。请去掉它重新申请，不再需要时另行申请移除节点。"}
	case CodeMissing:
		return [2]string{"The command lacks {option}.", "命令缺少 {option}。"}
	case CodeExtra:
		return [2]string{"`{word}` is one word too many.", "多余的内容：`{word}`。"}
	case CodeAmount:
		return [2]string{"`{word}` is no amount: write +2 to add two, -2 to remove two, =10 to make it ten.",
			"`{word}` 不是有效数量：+2 表示增加两个，-2 表示移除两个，=10 表示调整为十个。"}
	case CodeSign:
		return [2]string{"`{word}` doesn't say whether to add, to remove or to set.", "`{word}` 没有说明是增加、移除还是设为该数量。"}
	case CodeZero:
		return [2]string{"The amount `{word}` is 0: nothing would change.", "数量 `{word}` 为 0，不会有任何变化。"}
	case CodeTooMuch:
		return [2]string{"`{word}` is more than {most}.", "`{word}` 超过上限 {most}。"}
	case CodeTerm:
		return [2]string{"`{word}` is no prepaid term: write months or years, such as 1m, 3m or 1y, up to {term} months (here m is months, not minutes).",
			"`{word}` 不是有效的包年包月时长：请写月或年，例如 1m、3m、1y，最多 {term} 个月（此处 m 表示月，不是分钟）。"}
	case CodeDuration:
		return [2]string{"`{word}` is no duration for `{option}`: write a number with m (minutes), h or d, such as 30m, 6h or 2d.",
			"`{word}` 不是 `{option}` 的有效时长：请写数字加 m（分钟）、h（小时）或 d（天），例如 30m、6h、2d。"}
	case CodeTime:
		return [2]string{"`{word}` is no time: write 02:00, or 2026-12-24 02:00.", "`{word}` 不是有效时间：请写 02:00 或 2026-12-24 02:00。"}
	case CodeSkipped:
		return [2]string{"`{word}` does not exist in {option}: the clocks jump over it that day.", "{option} 当天没有 `{word}` 这一时刻：时钟会跳过它。"}
	case CodeValue:
		return [2]string{"`{word}` is no value for `{option}`: write `{form}`.", "`{word}` 不是 `{option}` 的有效值：请写 `{form}`。"}
	case CodeNoValue:
		return [2]string{"`{option}` needs a value: write `{form}`.", "`{option}` 需要一个值：请写 `{form}`。"}
	case CodeFlagValue:
		return [2]string{"`{option}` takes no value, but has `{word}`.", "`{option}` 不带值，但写了 `{word}`。"}
	case CodeConflict:
		return [2]string{"`{option}` and `{word}` contradict each other.", "`{option}` 与 `{word}` 互相矛盾。"}
	case CodeMention:
		return [2]string{"`{word}` is a person or a channel; none is wanted there.", "`{word}` 是用户或频道，此处不需要。"}
	case CodeMandate:
		return [2]string{"`{word}` is no mandate: their ids look like M-7K3Q.", "`{word}` 不是授权编号，编号形如 M-7K3Q。"}
	case CodeFlow:
		return [2]string{"`{word}` is no flow id: they look like F-7K3Q.", "`{word}` 不是流程编号，编号形如 F-7K3Q。"}
	}
	return [2]string{"The command can't be read.", "无法识别该命令。"}
}

// readable cuts what was typed to a length that a sentence can carry, on a rune
// boundary and in one line.
func readable(s string) string {
	const most = 60
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
