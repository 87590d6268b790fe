// The page's own words. What the bot says comes in the language it chose.

const words = {
  en: {
    try: 'Try', youAre: 'You are', channels: 'Channels', direct: 'Direct messages', apps: 'Apps', home: 'Home',
    intro: 'A small Slack on this machine, with the real bot in it. Pick something to try, or type /scale below. Switch people at any time on the left.',
    dismiss: 'Dismiss', app: 'APP', onlyYou: 'Only visible to you', today: 'today', yesterday: 'yesterday', tomorrow: 'tomorrow',
    deleted: 'This message was deleted.', reply: 'Reply in thread', replies: n => n === 1 ? '1 reply' : n + ' replies',
    react: 'React', write: name => 'Message ' + name, replyHere: 'Reply, or mention the app…', send: 'Send',
    keys: 'Enter sends · Shift+Enter new line · ↑ earlier', delivered: ms => 'delivered, answered in ' + ms + ' ms',
    waiting: 'waiting for the app…', thread: 'Thread', clouds: 'Clouds', noThread: 'Open a thread with “Reply in thread” on a message.',
    archived: 'This channel is archived.', notMember: name => 'You are not in ' + name + '. You can read, not write.',
    members: n => n === 1 ? '1 member' : n + ' members', homeEmpty: 'The app has not shown anything here yet.',
    empty: 'Nothing here yet. Type a command below, or pick something to try above.', welcome: 'Try it in two minutes', ready: 'Ready: press Enter to send it.', closeThread: 'Close thread', languageTip: 'Language of this page',
    threadCommand: 'Slash commands can’t be used in threads. Mention the app instead.',
    offline: 'The app is not connected.', reconnecting: 'Connection to the page’s server lost; trying again…',
    you: 'you', edited: '(edited)', noClouds: 'No clusters.', unreachable: 'The clouds can’t be reached.',
    blocked: 'held', breakIt: 'Make something go wrong', ledger: 'What the clouds were asked', nothingAsked: 'Nothing was asked yet.',
    clear: 'Clear', faults: 'Other faults set', node: n => n === 1 ? '1 node' : n + ' nodes', joining: 'joining', leaving: n => n + ' leaving',
    soldOut: 'Sold out', throttled: 'Throttled', lostAnswer: 'Lost answer', slow: 'Slow', flowFails: 'Fails half-way', partial: 'Comes short',
    outside: 'Someone else adds a node', usable: 'takes changes', busy: 'takes no change now', times: n => n < 0 ? 'until cleared' : n + '×',
    soldOutTip: 'the next request for nodes is refused', throttledTip: 'the next 3 calls are told to slow down',
    lostAnswerTip: 'the next change is carried out, but its answer never arrives', slowTip: 'the next 3 calls take 4 seconds each',
    flowFailsTip: 'the next operation fails half-way', partialTip: 'only one node of the next operation comes through',
    repair: 'Repair', repairTip: 'Mend what failed operations left behind, in all clusters, and clear the faults that are set',
    outsideTip: 'A node appears that the bot did not ask for', status: { pending: 'waiting', in_progress: 'running', complete: 'done', error: 'failed' },
    outcome: { accepted: 'accepted', refused: 'refused', duplicate: 'duplicate', unheard: 'never arrived', outside: 'someone else' },
    stage: { '0': 'waiting', '1': 'running', '2': 'done', '3': 'partly done', '-1': 'failed' },
    operation: 'operation', token: 'token', already: 'first answer again', byFault: name => 'you set: ' + name, system: 'Slackbot', ok: 'OK', cancel: 'Cancel', language: '中文',
    error: {
      operation_timeout: 'failed with the error “operation_timeout”: the app did not answer within 3 seconds.',
      'the app has no connection': 'failed: the app has no connection.', invalid_command: 'is not a valid command here.',
      not_in_channel: 'You are not in this channel.', channel_not_found: 'You can’t see this channel.', is_archived: 'This channel is archived.',
      already_reacted: 'You reacted with this already.', message_not_found: 'This message is gone.', action_not_found: 'This button is gone.',
      unreachable: 'The page’s server can’t be reached.',
    },
  },
  zh: {
    try: '试一试', youAre: '当前身份', channels: '频道', direct: '私信', apps: '应用', home: '主页',
    intro: '这是本机上的一个小型 Slack，里面运行的是真实的机器人。选一个示例，或在下方输入 /scale。左侧可随时切换身份。',
    dismiss: '关闭', app: '应用', onlyYou: '仅你可见', today: '今天', yesterday: '昨天', tomorrow: '明天',
    deleted: '此消息已删除。', reply: '在消息列中回复', replies: n => n + ' 条回复',
    react: '回应', write: name => '发消息到 ' + name, replyHere: '回复，或提及应用…', send: '发送',
    keys: 'Enter 发送 · Shift+Enter 换行 · ↑ 历史', delivered: ms => '已送达，' + ms + ' 毫秒内应答',
    waiting: '等待应用应答…', thread: '消息列', clouds: '云平台', noThread: '在消息上选择“在消息列中回复”即可打开。',
    archived: '此频道已归档。', notMember: name => '你不在 ' + name + ' 中，只能查看，不能发言。',
    members: n => n + ' 位成员', homeEmpty: '应用尚未在此显示内容。',
    empty: '这里还没有内容。在下方输入命令，或在上方选一个示例。', welcome: '两分钟体验', ready: '已填好：按 Enter 发送。', closeThread: '关闭消息列', languageTip: '此页面的语言',
    threadCommand: '消息列中不能使用斜杠命令，请提及应用。',
    offline: '应用未连接。', reconnecting: '与页面服务器的连接中断，正在重试…',
    you: '你', edited: '（已编辑）', noClouds: '没有集群。', unreachable: '无法连接云平台。',
    blocked: '已暂停', breakIt: '制造故障', ledger: '云平台收到的请求', nothingAsked: '还没有收到请求。',
    clear: '清除', faults: '其他已设置的故障', node: n => n + ' 个节点', joining: '加入中', leaving: n => n + ' 个正在移除',
    soldOut: '售罄', throttled: '限流', lostAnswer: '应答丢失', slow: '缓慢', flowFails: '中途失败', partial: '部分成功',
    outside: '他人加了一个节点', usable: '可变更', busy: '暂不可变更', times: n => n < 0 ? '直到清除' : n + ' 次',
    soldOutTip: '下一次申请节点会被拒绝', throttledTip: '接下来 3 次调用被限流',
    lostAnswerTip: '下一次变更会执行，但应答丢失', slowTip: '接下来 3 次调用各耗时 4 秒',
    flowFailsTip: '下一次操作中途失败', partialTip: '下一次操作只成功一个节点',
    repair: '修复', repairTip: '修复所有集群中失败操作留下的问题，并清除已设置的故障',
    outsideTip: '出现一个并非机器人申请的节点', status: { pending: '未开始', in_progress: '进行中', complete: '完成', error: '失败' },
    outcome: { accepted: '已接受', refused: '被拒绝', duplicate: '重复', unheard: '未送达', outside: '他人操作' },
    stage: { '0': '未开始', '1': '进行中', '2': '完成', '3': '部分完成', '-1': '失败' },
    operation: '操作', token: '令牌', already: '再次返回首次应答', byFault: name => '你设置的：' + name, system: 'Slackbot', ok: '确定', cancel: '取消', language: 'English',
    error: {
      operation_timeout: '失败，错误为“operation_timeout”：应用未在 3 秒内应答。',
      'the app has no connection': '失败：应用未连接。', invalid_command: '不是可用的命令。',
      not_in_channel: '你不在此频道中。', channel_not_found: '你看不到此频道。', is_archived: '此频道已归档。',
      already_reacted: '你已经这样回应过了。', message_not_found: '此消息已不存在。', action_not_found: '此按钮已不存在。',
      unreachable: '无法连接页面服务器。',
    },
  },
};

let chosen = localStorage.getItem('language') || (navigator.language.startsWith('zh') ? 'zh' : 'en');
if (!words[chosen]) chosen = 'en';

export const language = () => chosen;

export function setLanguage(l) {
  chosen = l;
  localStorage.setItem('language', l);
}

// t gives a word, or what a function word makes of its arguments. Dots go down.
export function t(key, ...args) {
  const w = key.split('.').reduce((o, k) => o?.[k], words[chosen]) ?? key;
  return typeof w === 'function' ? w(...args) : w;
}

// failure is the sentence for an error code of Slack, the code itself if unknown.
export const failure = code => words[chosen].error[code] ?? code;
