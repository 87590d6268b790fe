// A small Slack over the local one: state comes whole from /page/state, events
// only say that it is time to look again.

import { h, icon, avatar, display, reconcile, hash } from './dom.js';
import { t, failure, language, setLanguage } from './words.js';
import { Clouds } from './clouds.js';
import { Composer } from './composer.js';
import { drawMessages, drawHome } from './messages.js';

const $ = id => document.getElementById(id);
const ui = { user: '', channel: '', thread: '', home: false, tab: 'clouds', scenario: -1, read: new Map(), hidden: new Set(), lost: false };
let st = null;

// world is how the renderers look things up.
const world = {
  get me() { return st?.me; },
  get app() { return st?.app; },
  user: id => st?.users.find(u => u.id === id),
  group: id => st?.usergroups.find(g => g.id === id),
  channel: id => st?.channels.find(c => c.id === id),
  open: id => openChannel(id),
  hidden: ts => ui.hidden.has(st.me + ts),
  hide: ts => { ui.hidden.add(st.me + ts); draw(); },
};

// Looking: one request at a time, and once more if something changed meanwhile.
// The promise is for a state that is no older than the call.

let looking = null;
let again = false;

function look() {
  again = true;
  looking ??= lookOn();
  return looking;
}

async function lookOn() {
  try {
    while (again) {
      again = false;
      const asked = [ui.user, ui.channel, ui.thread].join();
      const query = new URLSearchParams({ user: ui.user, channel: ui.channel, thread: ui.thread });
      let next;
      try {
        next = await (await fetch('/page/state?' + query)).json();
      } catch {
        lost(true);
        continue;
      }
      if (asked === [ui.user, ui.channel, ui.thread].join()) take(next);
      else again = true; // an answer to an old question
    }
  } finally {
    looking = null;
  }
}

function take(next) {
  if (st && st.boot !== next.boot) {
    location.reload();
    return;
  }
  const first = !st;
  const before = st;
  st = next;
  ui.user = st.me;
  ui.channel = st.channel;
  if (first) listen();
  announce(before, st);
  draw();
  if (!first) clouds?.poll(); // what the app just wrote about has happened there
}

function listen() {
  const source = new EventSource('/page/events?after=' + encodeURIComponent(st.boot + '/' + st.seq));
  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(look, 25);
  };
  source.addEventListener('change', soon);
  source.addEventListener('reload', soon);
  source.onopen = () => {
    if (ui.lost) look();
    lost(false);
  };
  source.onerror = () => lost(true);
}

function lost(yes) {
  if (ui.lost === yes) return;
  ui.lost = yes;
  if (st) draw();
}

// announce tells a screen reader of what arrived in the channel shown.
function announce(before, now) {
  if (!before || before.me !== now.me || before.channel !== now.channel) return;
  const known = new Set([...before.messages, ...before.ephemerals].map(m => m.ts));
  const fresh = [...now.messages, ...now.ephemerals.filter(e => e.channel === now.channel)].filter(m => !known.has(m.ts));
  if (fresh.length) $('live').textContent = fresh.map(m => display(world.user(m.from ? now.app.bot_user_id : m.user)) + ': ' + m.text).join('. ').slice(0, 500);
}

// Acting.

async function act(body) {
  try {
    const res = await fetch('/page/act', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user: st.me, ...body }) });
    return await res.json();
  } catch {
    return { ok: false, error: 'unreachable' };
  }
}

// settle keeps hands off what was drawn for somebody else until the new person's
// view is there.
function settle() {
  const waiting = ui.user !== st.me;
  $('centre').inert = $('thread').inert = waiting;
}

function switchUser(id) {
  ui.user = id;
  ui.thread = '';
  settle();
  look();
  if (ui.home) act({ kind: 'open_home', user: id });
}

function openChannel(id) {
  Object.assign(ui, { channel: id, thread: '', home: false });
  look();
  composer.input.focus();
}

async function openDM() {
  const answer = await act({ kind: 'open_dm' });
  if (answer.ok) openChannel(answer.channel);
  else composer.tell(failure(answer.error), 'bad');
}

function openHome() {
  Object.assign(ui, { home: true, thread: '' });
  act({ kind: 'open_home' });
  draw();
}

async function openThread(ts) {
  Object.assign(ui, { thread: ts, tab: 'thread' });
  await look();
  const parent = st.messages.find(m => m.ts === ts);
  if (ui.thread === ts) reply.set(parent?.bot_id ? '@' + st.app.bot_name + ' ' : '');
}

function closeThread() {
  ui.thread = '';
  look();
  composer.input.focus();
}

async function write(text, thread) {
  const where = { channel: st.channel, thread };
  if (!text.startsWith('/')) {
    const answer = await act({ kind: 'say', text, ...where });
    return answer.ok ? {} : { error: failure(answer.error) };
  }
  if (thread) return { error: t('threadCommand') };
  const answer = await act({ kind: 'slash', text, channel: st.channel });
  if (answer.ok) return { note: '✓ ' + t('delivered', answer.ack_ms) };
  const command = text.split(/\s/)[0];
  return { error: ['operation_timeout', 'the app has no connection', 'invalid_command'].includes(answer.error) ? command + ' ' + failure(answer.error) : failure(answer.error) };
}

function hints(text) {
  const mention = /(?:^|\s)([@#][\p{L}\p{N}._-]*)$/u.exec(text);
  if (mention) {
    const w = mention[1];
    const names = w[0] === '#'
      ? st.channels.filter(c => !c.im).map(c => ({ insert: '#' + c.name, note: '' }))
      : [...st.users.filter(u => !u.deleted).map(u => ({ insert: '@' + u.name, note: display(u) + ' · ' + u.role })),
        ...st.usergroups.filter(g => !g.disabled).map(g => ({ insert: '@' + g.handle, note: g.name }))];
    return names.filter(n => n.insert.toLowerCase().startsWith(w.toLowerCase()) && n.insert !== w).slice(0, 8).map(n => ({ ...n, word: w }));
  }
  if (!text.startsWith('/')) return [];
  const known = st.hints.map(x => ({ insert: x.insert, note: (language() === 'zh' && x.note_zh) || x.note }));
  const commands = st.app.commands.filter(c => !known.some(k => k.insert.startsWith(c))).map(c => ({ insert: c + ' ', note: '' }));
  return [...known, ...commands].filter(k => k.insert.toLowerCase().startsWith(text.toLowerCase()) && k.insert !== text).slice(0, 8);
}

const channelName = c => c.im ? display(world.user(st.app.bot_user_id)) : '#' + c.name;
const here = () => world.channel(st?.channel);

const composer = new Composer({ id: 'composer', label: () => here() ? t('write', channelName(here())) : '', hints, send: text => write(text, '') });
const reply = new Composer({ id: 'reply', label: () => t('replyHere'), hints: text => text.startsWith('/') ? [] : hints(text), send: text => write(text, ui.thread) });

// What messages can do.
const deeds = {
  thread: m => openThread(m.thread_ts || m.ts),
  async react(m, name, on) {
    const answer = await act({ kind: on ? 'react' : 'unreact', channel: m.channel, ts: m.ts, emoji: name });
    if (!answer.ok) composer.tell(failure(answer.error), 'bad');
  },
  async click(m, element, block, values, button) {
    button.disabled = true;
    const action = block.block_id + '/' + element.action_id;
    const answer = await act(values ? { kind: 'select', channel: m.channel, ts: m.ts, action, values } : { kind: 'click', channel: m.channel, ts: m.ts, action });
    button.disabled = false;
    if (!answer.ok) composer.tell(failure(answer.error), 'bad');
  },
  async home(element, block, values, button) {
    button.disabled = true;
    const answer = await act({ kind: 'click_home', action: block.block_id + '/' + element.action_id });
    button.disabled = false;
    if (!answer.ok) composer.tell(failure(answer.error), 'bad');
  },
};

// Drawing.

let clouds = null;
$('thread').append(h('div', { class: 'thread-list' }), reply.root);

function draw() {
  if (!st) return;
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en';
  document.title = st.title;
  markRead();
  settle();
  drawTop();
  drawSide();
  drawHead();
  drawCentre();
  drawRight();
}

const readKey = id => st.me + '/' + id;

// markRead takes what was there when the page opened as read.
function markRead() {
  const first = ui.read.size === 0;
  for (const c of st.channels) if (!ui.read.has(readKey(c.id))) ui.read.set(readKey(c.id), first ? c.last : '');
  const c = here();
  if (c && !ui.home) ui.read.set(readKey(c.id), c.last);
}

const local = (o, name) => (language() === 'zh' && o[name + '_zh']) || o[name];

function drawTop() {
  $('brand').textContent = st.title;
  $('language').replaceChildren(icon('globe'), t('language'));
  $('language').title = t('languageTip');
  $('language').onclick = () => {
    setLanguage(language() === 'zh' ? 'en' : 'zh');
    composer.status.textContent = reply.status.textContent = '';
    draw();
    clouds?.draw();
  };
  $('scenarios').setAttribute('aria-label', t('try'));
  reconcile($('scenarios'), [
    ...(st.scenarios.length ? [{ key: 'label', sig: t('try'), el: () => h('span', { class: 'label' }, t('try')) }] : []),
    ...st.scenarios.map((s, i) => ({
      key: 's' + i, sig: hash([s, language(), ui.scenario === i]),
      el: () => h('button', { class: 'chip', type: 'button', 'aria-pressed': String(ui.scenario === i), data: { scenario: i, focus: 's' + i }, onclick: () => play(i) }, local(s, 'title')),
    })),
  ], x => x.el());
  const s = st.scenarios[ui.scenario];
  const who = s && world.user(s.user);
  reconcile($('guide'), [
    ...(ui.lost ? [{ key: 'lost', sig: language(), el: () => h('div', { class: 'problem' }, t('reconnecting')) }] : []),
    ...(!ui.lost && !st.connected ? [{ key: 'off', sig: language(), el: () => h('div', { class: 'problem' }, t('offline')) }] : []),
    ...(s
      ? [{ key: 'guide' + ui.scenario, sig: hash([s, language()]), el: () => h('div', { class: 'guide' }, who && avatar(who, 'tiny'), who && h('strong', null, display(who)),
        h('span', null, local(s, 'text')), h('button', { class: 'plain', type: 'button', 'aria-label': t('dismiss'), onclick: () => { ui.scenario = -1; draw(); } }, '×')) }]
      : [{ key: 'intro', sig: language(), el: () => h('div', { class: 'guide' }, h('span', null, t('intro'))) }]),
  ], x => x.el());
}

async function play(i) {
  const s = st.scenarios[i];
  ui.scenario = i;
  Object.assign(ui, { user: s.user || ui.user, channel: s.channel || ui.channel, thread: '', home: false, tab: st.clouds ? 'clouds' : ui.tab });
  settle();
  await look();
  draw();
  clouds?.reveal(s.command.split(/\s+/));
  composer.set(s.command);
  composer.tell(t('ready'), 'ready');
}

function drawSide() {
  const item = (key, current, unread, onclick, ...content) => ({
    key, sig: hash([key, current, unread, language(), content.map(c => c?.outerHTML ?? c)]),
    el: () => h('button', { class: 'item', type: 'button', 'aria-current': current ? 'page' : null, data: { focus: key, open: key }, onclick },
      content, unread && h('span', { class: 'unread', title: '●' })),
  });
  const title = (key, words) => ({ key, sig: words, el: () => h('h2', null, words) });
  const unread = c => c.last > (ui.read.get(readKey(c.id)) ?? '');
  const people = st.users.filter(u => !u.is_bot && !u.deleted);
  const bot = world.user(st.app.bot_user_id);
  const dm = st.channels.find(c => c.im);
  reconcile($('side'), [
    { key: 'team', sig: st.team.name, el: () => h('div', { class: 'team' }, st.team.name) },
    title('you', t('youAre')),
    { key: 'people', sig: hash([people, st.me, language()]), el: () => h('div', { class: 'people', role: 'radiogroup', 'aria-label': t('youAre') }, people.map(u =>
      h('label', { class: 'person', data: { person: u.id } },
        h('input', { type: 'radio', name: 'me', value: u.id, checked: u.id === st.me, data: { focus: 'me-' + u.id }, onchange: () => switchUser(u.id) }),
        avatar(u), h('span', { class: 'person-lines' }, h('span', { class: 'person-name cut', title: display(u) }, display(u)), h('span', { class: 'role cut', title: u.role }, u.role))))) },
    title('channels', t('channels')),
    ...st.channels.filter(c => !c.im).map(c => item(c.id, c.id === st.channel && !ui.home, unread(c), () => openChannel(c.id), c.private ? icon('lock') : h('span', { class: 'sigil' }, '#'), c.name)),
    title('dms', t('direct')),
    item('dm', dm && dm.id === st.channel && !ui.home, dm && unread(dm), openDM, avatar(bot, 'tiny'), display(bot)),
    ...(st.home_tab ? [title('apps', t('apps')), item('home', ui.home, false, openHome, icon('home'), display(bot) + ' · ' + t('home'))] : []),
  ], x => x.el());
}

function drawHead() {
  const c = here();
  const bot = world.user(st.app.bot_user_id);
  const people = c?.members.map(id => world.user(id)).filter(Boolean) ?? [];
  reconcile($('head'), [{
    key: 'head', sig: hash([ui.home, c?.id, people.length, language()]),
    el: () => ui.home
      ? h('div', { class: 'head' }, avatar(bot), h('h1', null, display(bot)), h('span', { class: 'badge' }, t('app')), h('span', { class: 'quiet' }, t('home')))
      : h('div', { class: 'head' }, c && (c.im ? avatar(bot) : c.private ? icon('lock') : null), h('h1', null, c ? (c.im ? display(bot) : (c.private ? '' : '# ') + c.name) : ''),
        !c?.im && h('span', { class: 'faces', title: people.map(display).join(', ') }, people.slice(0, 5).map(u => avatar(u, 'tiny')), h('span', { class: 'quiet' }, t('members', people.length)))),
  }], x => x.el());
}

// welcome lists what can be tried, in an empty channel where any of it happens.
function welcome() {
  const offers = st.scenarios.map((s, i) => ({ ...s, i })).filter(s => !s.channel || s.channel === st.channel);
  if (!offers.length || !here()?.member) return null;
  return {
    sig: hash([offers, language()]),
    el: () => h('section', { class: 'welcome' }, h('h2', null, t('welcome')), h('ul', null, offers.map(s =>
      h('li', null, h('button', { type: 'button', data: { play: s.i }, onclick: () => play(s.i) },
        h('strong', null, local(s, 'title')), h('span', null, local(s, 'text'))))))),
  };
}

let shown = '';

// pinned: the newest message is in sight, and stays so when the window changes.
let pinned = true;
$('scroll').addEventListener('scroll', () => { pinned = atBottom(); }, { passive: true });
new ResizeObserver(() => {
  if (pinned && $('messages').querySelector('.message')) $('scroll').scrollTop = $('scroll').scrollHeight;
}).observe($('scroll'));

function atBottom() {
  const box = $('scroll');
  return box.scrollHeight - box.scrollTop - box.clientHeight < 120;
}

function drawCentre() {
  const where = [st.me, st.channel, ui.home].join();
  const box = $('scroll');
  const bottom = where !== shown || atBottom();
  $('messages').className = ui.home ? 'home' : 'log';
  if (where !== shown) $('messages').replaceChildren();
  if (ui.home) {
    drawHome($('messages'), st.home, world, deeds);
  } else {
    const own = st.ephemerals.filter(e => e.channel === st.channel && !e.thread_ts);
    drawMessages($('messages'), [...st.messages, ...own], world, deeds, { thread: false, fresh: where === shown, empty: welcome() });
  }
  const top = ui.home || !$('messages').querySelector('.message');
  if (top ? where !== shown : bottom) box.scrollTop = top ? 0 : box.scrollHeight;
  shown = where;
  const c = here();
  composer.root.hidden = ui.home || !c?.member;
  reconcile($('foot'), [
    { key: 'composer', sig: '', el: () => composer.root },
    ...(!ui.home && c && !c.member ? [{ key: 'no', sig: hash([c.id, c.archived, language()]), el: () => h('div', { class: 'nowrite' }, c.archived ? t('archived') : t('notMember', channelName(c))) }] : []),
  ], x => x.el());
  composer.relabel();
}

function drawRight() {
  $('right').hidden = !st.clouds && !ui.thread;
  $('frame').classList.toggle('narrow', $('right').hidden);
  const tabs = [...(st.clouds ? ['clouds'] : []), ...(ui.thread ? ['thread'] : [])];
  if (!tabs.includes(ui.tab)) ui.tab = tabs[0];
  reconcile($('tabs'), [
    ...tabs.map(name => ({ key: name, sig: hash([ui.tab === name, language()]), el: () => h('button', {
      type: 'button', role: 'tab', id: 'tab-' + name, 'aria-selected': String(ui.tab === name), 'aria-controls': name, data: { focus: 'tab-' + name },
      onclick: () => { ui.tab = name; draw(); },
    }, t(name)) })),
    ...(ui.tab === 'thread' ? [{ key: 'close', sig: language(), el: () => h('button', { type: 'button', class: 'close', 'aria-label': t('closeThread'), title: t('closeThread'), onclick: closeThread }, icon('close')) }] : []),
  ], i => i.el());
  $('clouds').hidden = ui.tab !== 'clouds';
  $('thread').hidden = ui.tab !== 'thread';
  if (st.clouds && !clouds) clouds = new Clouds($('clouds'));
  const list = $('thread').firstElementChild;
  const own = st.ephemerals.filter(e => e.channel === st.channel && e.thread_ts === ui.thread);
  const messages = ui.thread && st.thread ? [...st.thread, ...own] : [];
  const bottom = list.dataset.of !== ui.thread || list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  drawMessages(list, messages, world, deeds, { thread: true, fresh: list.dataset.of === ui.thread });
  list.dataset.of = ui.thread;
  reply.root.hidden = !messages.length || !here()?.member;
  reply.relabel();
  if (bottom) list.scrollTop = list.scrollHeight; // once the box below has its size
}

look();
