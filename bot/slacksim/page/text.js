// Slack's text: mrkdwn, mentions, dates and emoji, as nodes.

import { h, svg, display } from './dom.js';
import { t, language } from './words.js';

const emojis = {
  eyes: '👀', hourglass: '⌛', hourglass_flowing_sand: '⏳', warning: '⚠️', '+1': '👍', thumbsup: '👍', '-1': '👎', thumbsdown: '👎',
  tada: '🎉', fire: '🔥', rocket: '🚀', heart: '❤️', smile: '😄', slightly_smiling_face: '🙂', thinking_face: '🤔', pray: '🙏', wave: '👋',
  ok: '🆗', ok_hand: '👌', no_entry: '⛔', no_entry_sign: '🚫', stop_sign: '🛑', question: '❓', exclamation: '❗', bulb: '💡',
  bell: '🔔', lock: '🔒', unlock: '🔓', key: '🔑', moneybag: '💰', money_with_wings: '💸', chart_with_upwards_trend: '📈',
  chart_with_downwards_trend: '📉', clock1: '🕐', alarm_clock: '⏰', stopwatch: '⏱️', calendar: '📆', memo: '📝', mag: '🔍', link: '🔗',
  zap: '⚡', cloud: '☁️', construction: '🚧', gear: '⚙️', wrench: '🔧', package: '📦', robot_face: '🤖', bust_in_silhouette: '👤',
  busts_in_silhouette: '👥', arrow_up: '⬆️', arrow_down: '⬇️', arrow_right: '➡️', repeat: '🔁', arrows_counterclockwise: '🔄',
  red_circle: '🔴', large_green_circle: '🟢', large_yellow_circle: '🟡', large_blue_circle: '🔵', white_circle: '⚪', black_circle: '⚫',
  heavy_check_mark: '✔️', ballot_box_with_check: '☑️', heavy_multiplication_x: '✖️', negative_squared_cross_mark: '❎', sos: '🆘',
  raised_hands: '🙌', clap: '👏', speech_balloon: '💬', information_source: 'ℹ️', snail: '🐌', boom: '💥', skull: '💀', new: '🆕',
};
const tones = { 2: '🏻', 3: '🏼', 4: '🏽', 5: '🏾', 6: '🏿' };

// emoji is a picture for a name without colons, :name: if it is not known here.
// The two that decide a vote are drawn, to look the same with every font.
export function emoji(name) {
  const [base, tone] = name.split('::skin-tone-');
  const label = ':' + name + ':';
  if (base === 'white_check_mark') {
    return svg('svg', { viewBox: '0 0 20 20', class: 'emoji', role: 'img', 'aria-label': label },
      svg('rect', { x: 1, y: 1, width: 18, height: 18, rx: 4, fill: '#2bac76' }),
      svg('path', { d: 'M5 10.5l3.4 3.4L15 6.8', fill: 'none', stroke: '#fff', 'stroke-width': 2.6, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }));
  }
  if (base === 'x') {
    return svg('svg', { viewBox: '0 0 20 20', class: 'emoji', role: 'img', 'aria-label': label },
      svg('path', { d: 'M3.5 3.5l13 13M16.5 3.5l-13 13', fill: 'none', stroke: '#e0294f', 'stroke-width': 4.2, 'stroke-linecap': 'round' }));
  }
  const found = Object.hasOwn(emojis, base) ? emojis[base] : null;
  if (!found) return h('span', { class: 'emoji-name' }, label);
  return h('span', { class: 'emoji', role: 'img', 'aria-label': label, title: label }, found + (tones[tone] ?? ''));
}

export const decode = s => s.replace(/&(lt|gt|amp);/g, (_, n) => ({ lt: '<', gt: '>', amp: '&' })[n]);

// mrkdwn renders Slack's own markup. world looks up people, groups and channels.
export function mrkdwn(text, world) {
  const out = document.createDocumentFragment();
  const parts = text.split('```');
  parts.forEach((part, i) => {
    if (i % 2 === 1 && i < parts.length - 1) out.append(h('pre', null, decode(untoken(part.replace(/^\n/, '').replace(/\n$/, '')))));
    else lines(i % 2 === 1 ? '```' + part : part, out, world, i > 0, i < parts.length - 1);
  });
  return out;
}

// lines renders text between preformatted parts; a break beside one of those
// would show as an empty line.
function lines(text, out, world, afterPre, beforePre) {
  if (afterPre) text = text.replace(/^\n/, '');
  if (beforePre) text = text.replace(/\n$/, '');
  if (text === '') return;
  let quote = null;
  let first = true;
  for (const line of text.split('\n')) {
    const quoted = /^&gt;\s?/.exec(line);
    if (quoted) {
      if (!quote) out.append(quote = h('blockquote'));
      else quote.append(h('br'));
      inline(line.slice(quoted[0].length), quote, world);
      first = true;
      continue;
    }
    quote = null;
    if (!first) out.append(h('br'));
    inline(line, out, world);
    first = false;
  }
}

const word = /[\p{L}\p{N}]/u;
const tags = { '*': 'strong', _: 'em', '~': 's' };

function inline(s, out, world) {
  let plain = '';
  const flush = () => {
    if (plain) out.append(decode(plain));
    plain = '';
  };
  for (let i = 0; i < s.length;) {
    const c = s[i];
    const rest = s.slice(i);
    let m;
    if (c === '<' && (m = /^<([^<>\n]+)>/.exec(rest))) {
      flush();
      out.append(token(m[1], world));
      i += m[0].length;
      continue;
    }
    if (c === '`' && (m = /^`([^`\n]+)`/.exec(rest))) {
      flush();
      out.append(h('code', null, decode(untoken(m[1]))));
      i += m[0].length;
      continue;
    }
    if (c === ':' && (m = /^:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/.exec(rest)) && !(i > 0 && word.test(s[i - 1]))) {
      flush();
      out.append(emoji(m[1]));
      i += m[0].length;
      continue;
    }
    if (tags[c] && !(i > 0 && (word.test(s[i - 1]) || s[i - 1] === c))) {
      const end = closing(s, i, c);
      if (end > 0) {
        flush();
        const el = h(tags[c]);
        inline(s.slice(i + 1, end), el, world);
        out.append(el);
        i = end + 1;
        continue;
      }
    }
    plain += c;
    i++;
  }
  flush();
}

// closing finds the mark that ends a span begun at i: not after a space, not
// before a letter or digit, not inside <…> or code. -1 if there is none.
function closing(s, i, mark) {
  if (i + 1 >= s.length || /\s/.test(s[i + 1]) || s[i + 1] === mark) return -1;
  for (let j = i + 1; j < s.length; j++) {
    const skip = s[j] === '<' ? '>' : s[j] === '`' ? '`' : '';
    if (skip) {
      const end = s.indexOf(skip, j + 1);
      if (end > 0) j = end;
      continue;
    }
    if (s[j] === mark && !/\s/.test(s[j - 1]) && !(j + 1 < s.length && (word.test(s[j + 1]) || s[j + 1] === mark))) return j;
  }
  return -1;
}

// untoken gives the text of <…> inside code, where Slack shows links bare.
const untoken = s => s.replace(/<((?:https?|mailto):[^|<>]+)(?:\|([^<>]*))?>/g, (_, url, label) => label || url);

function token(body, world) {
  const bar = body.indexOf('|');
  const head = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? '' : decode(body.slice(bar + 1));
  if (head[0] === '@') return person(head.slice(1), world, label);
  if (head[0] === '#') return channel(head.slice(1), world, label);
  if (head.startsWith('!subteam^')) return usergroup(head.slice(9), world, label);
  if (head.startsWith('!date^')) {
    const [, unix, format, url] = head.split('^');
    return date(Number(unix), decode(format ?? ''), label || decode(format ?? ''), url);
  }
  if (head[0] === '!') return h('span', { class: 'mention' }, label || '@' + head.slice(1));
  return link(decode(head), label) ?? document.createTextNode(decode('<' + body + '>'));
}

// link is an anchor, null for an address that is none of the harmless kinds.
export function link(url, label) {
  if (!/^(https?:\/\/|mailto:|tel:)/i.test(url)) return null;
  return h('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, label || url.replace(/^(mailto|tel):/, ''));
}

export function person(id, world, label) {
  const u = world.user(id);
  return h('span', { class: 'mention' + (id === world.me ? ' me' : ''), title: u ? u.role : id }, '@' + (u ? display(u) : label || id));
}

export function usergroup(id, world, label) {
  const g = world.group(id);
  const mine = g?.users?.includes(world.me);
  const names = (g?.users ?? []).map(x => display(world.user(x))).join(', ');
  return h('span', { class: 'mention' + (mine ? ' me' : ''), title: names }, '@' + (g ? g.handle : label.replace(/^@/, '') || id));
}

export function channel(id, world, label) {
  const c = world.channel(id);
  if (!c) return h('span', { class: 'mention' }, label ? '#' + label : '#private');
  return h('button', { class: 'mention', type: 'button', onclick: () => world.open(id) }, '#' + c.name);
}

const intl = (date, options) => new Intl.DateTimeFormat(language() === 'zh' ? 'zh-CN' : 'en-GB', options).format(date);

export const clock = d => intl(d, { hour: '2-digit', minute: '2-digit' });
export const longDate = d => near(d) ?? intl(d, { weekday: 'long', day: 'numeric', month: 'long' });

function near(d) {
  const day = x => new Date(x.getFullYear(), x.getMonth(), x.getDate()).getTime();
  const diff = Math.round((day(d) - day(new Date())) / 86400000);
  return { '-1': t('yesterday'), 0: t('today'), 1: t('tomorrow') }[diff];
}

// date renders a moment in the viewer's zone, as Slack's format says.
export function date(unix, format, fallback, url) {
  const d = new Date(unix * 1000);
  if (!Number.isFinite(unix) || Number.isNaN(d.getTime())) return document.createTextNode(fallback);
  const short = { day: 'numeric', month: 'short', year: 'numeric' };
  const long = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' };
  const full = { day: 'numeric', month: 'long', year: 'numeric' };
  const forms = {
    date_num: () => [d.getFullYear(), d.getMonth() + 1, d.getDate()].map(n => String(n).padStart(2, '0')).join('-'),
    date: () => intl(d, full), date_pretty: () => near(d) ?? intl(d, full),
    date_short: () => intl(d, short), date_short_pretty: () => near(d) ?? intl(d, short),
    date_long: () => intl(d, long), date_long_pretty: () => near(d) ?? intl(d, long),
    date_long_full: () => intl(d, long), day_divider_pretty: () => near(d) ?? intl(d, long),
    time: () => clock(d), time_secs: () => intl(d, { hour: '2-digit', minute: '2-digit', second: '2-digit' }),
    ago: () => ago(d),
  };
  let known = true;
  const text = format.replace(/\{(\w+)\}/g, (all, name) => {
    if (Object.hasOwn(forms, name)) return forms[name]();
    known = false;
    return all;
  });
  const shown = known && text ? text : fallback;
  const time = h('time', { datetime: d.toISOString(), title: d.toString() }, shown);
  const a = url ? link(url, '') : null;
  if (!a) return time;
  a.replaceChildren(time);
  return a;
}

function ago(d) {
  const s = Math.round((d.getTime() - Date.now()) / 1000);
  const f = new Intl.RelativeTimeFormat(language() === 'zh' ? 'zh-CN' : 'en', { numeric: 'auto' });
  const [n, unit] = Math.abs(s) < 90 ? [s, 'second'] : Math.abs(s) < 5400 ? [s / 60, 'minute'] : Math.abs(s) < 129600 ? [s / 3600, 'hour'] : [s / 86400, 'day'];
  return f.format(Math.round(n), unit);
}
