// Messages of a channel or thread, private replies among them, and the Home tab.

import { h, icon, avatar, display, reconcile, hash } from './dom.js';
import { t, language } from './words.js';
import { mrkdwn, emoji, clock, longDate } from './text.js';
import { blocks, invites } from './blocks.js';

const quick = ['white_check_mark', 'x', 'eyes'];

// framed messages are told apart at a glance: all that the app builds of blocks,
// but in a thread, where it writes its log, only cards.
const framed = (m, where) => m.blocks?.length > 0 && (!where.thread || carded(m));
const carded = m => (m.blocks ?? []).some(b => b.type === 'header' || b.type === 'plan');

// headline is what a card is about and where it stands: a change of it flashes,
// and the many small ones of its progress don't.
const headline = m => hash(carded(m) ? m.blocks.find(b => b.type === 'header')?.text ?? '' : [m.text, m.blocks]);

// drawMessages shows messages in order of time. where.thread: in the thread's
// panel; where.fresh: the place was shown before, so what changes may flash;
// where.empty: {sig, el} to show instead of nothing.
export function drawMessages(root, list, world, deeds, where) {
  const items = [];
  let day = '';
  let last = null;
  const sorted = list.filter(m => !(m.from && world.hidden(m.ts))).sort((a, b) => a.ts < b.ts ? -1 : 1);
  for (const m of sorted) {
    const at = new Date(m.at);
    if (!where.thread && at.toDateString() !== day) {
      day = at.toDateString();
      items.push({ key: 'day' + day, sig: language() + longDate(at), el: () => h('div', { class: 'day' }, h('span', null, longDate(at))) });
      last = null;
    }
    const user = m.from ? world.app.bot_user_id : m.user;
    const follows = last && !m.from && !last.from && !(m.bot_id && framed(m, where)) && last.user === user && !m.deleted && at - new Date(last.at) < 300000;
    const names = [...new Set(m.text.match(/[UWSC][A-Z0-9]{2,}/g) ?? [])].map(id => [world.user(id)?.name, world.group(id)?.users, world.channel(id)?.name]);
    items.push({
      key: (m.from ? 'e' : 'm') + m.ts, body: headline(m), sig: hash([m, follows, world.me, language(), names]),
      el: () => message(m, user, follows, world, deeds, where),
    });
    last = m;
    if (where.thread && m === sorted[0] && sorted.length > 1) {
      items.push({ key: 'replies', sig: hash([sorted.length, language()]), el: () => h('div', { class: 'day left' }, h('span', null, t('replies', sorted.length - 1))) });
      last = null;
    }
  }
  if (!sorted.length) items.push(where.empty ? { key: 'none', ...where.empty } : { key: 'none', sig: language(), el: () => h('p', { class: 'nothing quiet' }, t(where.thread ? 'noThread' : 'empty')) });
  const before = new Map([...root.children].map(n => [n.dataset.key, { ...n.dataset }]));
  reconcile(root, items, i => {
    const old = before.get(i.key);
    const el = i.el();
    el.dataset.body = i.body ?? '';
    if (where.fresh && !old && i.body) el.classList.add('arrives');
    // A flash goes on where it was if the card is drawn anew meanwhile.
    const now = performance.now();
    const since = old && where.fresh && old.body !== i.body ? now : Number(old?.flash ?? -Infinity);
    if (now - since < 1300) {
      el.dataset.flash = since;
      el.classList.add('flash');
      el.style.setProperty('--since', Math.round(since - now) + 'ms');
    }
    return el;
  });
}

function message(m, user, follows, world, deeds, where) {
  const who = m.deleted ? { id: user, real_name: t('system') } : world.user(user) ?? { id: user, name: user };
  const at = new Date(m.at);
  const list = m.blocks ?? [];
  const vote = Boolean(m.bot_id) && invites(list);
  const content = list.length
    ? blocks(list, world, (e, b, values, button) => deeds.click(m, e, b, values, button))
    : h('div', { class: 'text' }, m.deleted ? h('em', { class: 'quiet' }, t('deleted')) : mrkdwn(m.text, world));
  return h('article', { class: 'message' + (m.from ? ' private' : '') + (follows ? ' follows' : '') + (!m.from && framed(m, where) ? ' card' : ''), data: { ts: m.ts } },
    m.from && h('div', { class: 'only' }, icon('eye'), t('onlyYou'), h('button', { class: 'plain', type: 'button', onclick: () => world.hide(m.ts) }, t('dismiss'))),
    h('div', { class: 'gutter' }, follows ? h('time', { class: 'quiet' }, clock(at)) : avatar(who, 'big')),
    h('div', { class: 'main' },
      !follows && h('div', { class: 'by' }, h('strong', null, display(who)), (m.bot_id || m.from) && h('span', { class: 'badge' }, t('app')),
        h('time', { class: 'quiet', datetime: m.at, title: at.toString() }, clock(at))),
      content,
      m.edited && !list.length && h('span', { class: 'quiet' }, ' ' + t('edited')),
      !m.from && !m.deleted && reactions(m, world, deeds, vote),
      !where.thread && m.replies > 0 && h('button', { class: 'replies', type: 'button', data: { focus: 'replies' + m.ts }, onclick: () => deeds.thread(m) }, icon('reply'), t('replies', m.replies))),
    !m.from && !m.deleted && h('div', { class: 'tools' },
      quick.map(name => h('button', { type: 'button', 'aria-label': t('react') + ' :' + name + ':', onclick: () => toggle(m, name, world, deeds) }, emoji(name))),
      !where.thread && h('button', { type: 'button', 'aria-label': t('reply'), title: t('reply'), data: { tool: 'thread' }, onclick: () => deeds.thread(m) }, icon('reply'))));
}

const mine = (m, name, world) => m.reactions?.some(r => r.name === name && r.users.includes(world.me)) ?? false;

const toggle = (m, name, world, deeds) => deeds.react(m, name, !mine(m, name, world));

// reactions are the pills below a message. Where votes are asked for, the quick
// ones are there from the start.
function reactions(m, world, deeds, vote) {
  const given = m.reactions ?? [];
  const offered = vote ? quick.filter(name => !given.some(r => r.name === name)) : [];
  if (!given.length && !offered.length) return null;
  return h('div', { class: 'pills' },
    given.map(r => {
      const names = r.users.map(id => display(world.user(id))).join(', ');
      const own = r.users.includes(world.me);
      return h('button', {
        class: 'pill', type: 'button', 'aria-pressed': String(own), title: names, 'aria-label': ':' + r.name + ': ' + r.users.length + ', ' + names,
        data: { emoji: r.name, focus: m.ts + r.name }, onclick: () => toggle(m, r.name, world, deeds),
      }, emoji(r.name), h('span', null, r.users.length), vote && h('span', { class: 'pill-names' }, names));
    }),
    offered.map(name => h('button', {
      class: 'pill offered', type: 'button', 'aria-pressed': 'false', 'aria-label': t('react') + ' :' + name + ':',
      data: { emoji: name, focus: m.ts + name }, onclick: () => toggle(m, name, world, deeds),
    }, emoji(name))));
}

// drawHome shows what the app published on the person's Home tab.
export function drawHome(root, view, world, deeds) {
  reconcile(root, [{ key: 'home', sig: hash([view?.blocks, world.me, language()]) }], () => view
    ? blocks(view.blocks, world, deeds.home)
    : h('p', { class: 'nothing quiet' }, t('homeEmpty')));
}
