// The panel of clusters: what the local clouds hold, and the ways to break them.

import { h, icon, reconcile, hash } from './dom.js';
import { t } from './words.js';
import { clock } from './text.js';

const faults = [
  { label: 'soldOut', tip: 'tipSoldOut', body: { kind: 'sold-out' } },
  { label: 'throttled', tip: 'tipThrottled', body: { kind: 'throttled', times: 3 } },
  { label: 'lostAnswer', tip: 'tipLost', body: { kind: 'lost-after' } },
  { label: 'slow', tip: 'tipSlow', body: { kind: 'slow', delay: '4s', times: 3 } },
  { label: 'flowFails', tip: 'tipFails', body: { kind: 'flow-fails' } },
  { label: 'partial', tip: 'tipPartial', body: { kind: 'partial', nodes: 1 } },
];

// Clouds draws the panel into root and keeps it fresh while it is visible.
export class Clouds {
  #root;
  #state = null;
  #error = '';
  #timer = 0;
  #bases = new Map(); // operation -> nodes of its group before it
  #sections = {};

  constructor(root) {
    this.#root = root;
    for (const name of ['notice', 'clusters', 'active', 'ledger']) root.append(this.#sections[name] = h('div', { class: 'c-' + name }));
    document.addEventListener('visibilitychange', () => this.poll());
    this.poll();
  }

  // poll looks now and again later: soon while something runs.
  async poll() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    await this.#call('state');
    const busy = this.#state?.clusters?.some(c => c.operation) ?? false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.poll(), busy ? 500 : 1500);
  }

  async #call(what, body) {
    try {
      const res = await fetch('/clouds/' + what, body && { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
      const answer = await res.json();
      this.#error = answer.error ?? '';
      if (res.ok) this.#state = answer;
    } catch {
      this.#error = t('unreachable');
    }
    this.draw();
  }

  draw() {
    const s = this.#state;
    const list = (name, items, build) => reconcile(this.#sections[name], items.map(i => ({ ...i, sig: hash([i.sig, t('language')]) })), build);
    list('notice', this.#error ? [{ key: 'error', sig: this.#error }] : [], () => h('div', { class: 'problem', role: 'alert' }, this.#error));
    if (!s) return;
    const clusters = s.clusters ?? [];
    list('clusters', clusters.map(c => ({ key: c.cloud + '/' + c.id, sig: c.name, c })), i => this.#frame(i.c));
    for (const c of clusters) this.#fill(c);
    list('active', s.faults.length ? [{ key: 'faults', sig: s.faults }] : [], () => this.#faults(s.faults));
    const ledger = s.ledger.slice(0, 8);
    list('ledger', [
      { key: 'title', sig: '', el: () => h('h3', null, t('ledger')) },
      ...(ledger.length ? [] : [{ key: 'none', sig: '', el: () => h('p', { class: 'quiet' }, t('nothingAsked')) }]),
      ...ledger.map(e => ({ key: 'e' + e.n, sig: e, el: () => entry(e) })),
    ], i => i.el());
  }

  // frame is the part of a cluster that stays; its parts are filled on each look.
  #frame(c) {
    const send = body => this.#call('fault', { ...body, cluster: c.id });
    return h('article', { class: 'cluster', data: { cluster: c.id } },
      h('header', null, h('strong', null, c.id), h('span', { class: 'quiet' }, c.name), h('span', { class: 'tag' }, c.cloud), h('span', { class: 'slot-status' })),
      h('div', { class: 'slot-groups' }), h('div', { class: 'slot-op' }),
      h('div', { class: 'break' }, h('span', { class: 'label' }, t('breakIt')),
        faults.map(f => h('button', { class: 'chip', type: 'button', title: t(f.tip), data: { fault: f.body.kind }, onclick: () => send(f.body) }, t(f.label))),
        h('button', { class: 'chip', type: 'button', title: t('tipOutside'), data: { fault: 'outside' }, onclick: () => this.#outside(c.id) }, t('outside'))));
  }

  #outside(id) {
    const c = this.#state?.clusters.find(x => x.id === id);
    const g = c?.groups.at(-1);
    if (g) this.#call('set', { cluster: id, group: g.id, count: g.count + 1 });
  }

  #fill(c) {
    const root = this.#sections.clusters.querySelector(`[data-cluster="${CSS.escape(c.id)}"]`);
    const slot = (name, items, build) => reconcile(root.querySelector('.slot-' + name), items, build);
    slot('status', [{ key: 's', sig: c.status_text + c.usable }], () =>
      h('span', { class: 'state ' + (c.operation ? 'busy' : c.usable ? 'good' : 'bad'), title: t(c.usable ? 'usable' : 'busy') }, c.status_text));
    slot('groups', c.groups.map(g => ({ key: g.id, sig: '', g })), i => h('div', { class: 'group' },
      h('span', { class: 'group-name', title: i.g.type }, i.g.id.toLowerCase()), h('span', { class: 'group-count' }), h('span', { class: 'dots' })));
    for (const g of c.groups) this.#group(c, g, root.querySelector(`.slot-groups > [data-key="${CSS.escape(g.id)}"]`));
    slot('op', c.operation ? [{ key: c.operation.id, sig: c.operation.name }] : [], () => h('div', { class: 'op' },
      h('div', { class: 'op-head' }), h('div', { class: 'bar' }, h('div', null)), h('ol', { class: 'op-stages' })));
    if (c.operation) operation(c.operation, root.querySelector('.op'));
  }

  #group(c, g, row) {
    const op = c.operation;
    const mine = op && op.delta && op.group?.toLowerCase() === g.id.toLowerCase();
    if (mine && !this.#bases.has(op.id)) this.#bases.set(op.id, g.count);
    const target = mine ? this.#bases.get(op.id) + op.delta : g.count;
    const nodes = g.nodes ?? [];
    const items = nodes.map(n => ({ key: n.id, sig: String(n.started), n }));
    for (let i = nodes.length; mine && i < target; i++) items.push({ key: 'ghost' + i, sig: '' });
    row.querySelector('.group-count').textContent = target === g.count ? g.count : g.count + ' → ' + target;
    reconcile(row.querySelector('.dots'), items, i => h('span', {
      class: 'dot ' + (!i.n ? 'ghost' : i.n.started ? '' : 'joining'),
      title: i.n ? [i.n.name, i.n.ip, i.n.type, i.n.charge].filter(Boolean).join(' · ') : t('joining'),
    }));
    row.title = mine && op.delta < 0 ? t('leaving', g.count - target) : t('node', g.count);
    row.classList.toggle('shrinking', Boolean(mine) && op.delta < 0);
  }

  #faults(list) {
    return h('div', { class: 'active' }, h('h3', null, t('faults')),
      list.map(f => h('span', { class: 'chip on' }, [f.kind, f.cluster, t('times', f.times ?? 1)].filter(Boolean).join(' · '),
        h('button', { type: 'button', 'aria-label': t('clear') + ' ' + f.kind, onclick: () => this.#call('clear', { id: f.id }) }, '×'))),
      h('button', { class: 'chip', type: 'button', data: { fault: 'clear' }, onclick: () => this.#call('clear', {}) }, t('clear')));
  }
}

function operation(op, el) {
  const stages = op.stages ?? [];
  const percent = Math.round(op.progress * 100);
  const head = t('flow') + ' ' + op.id + ' · ' + op.name + (op.blocked ? ' · ' + t('blocked') : '');
  el.querySelector('.op-head').replaceChildren(h('span', null, head), h('span', { class: 'quiet' }, percent + ' %'));
  const bar = el.querySelector('.bar');
  bar.firstElementChild.style.width = percent + '%';
  bar.setAttribute('role', 'progressbar');
  bar.setAttribute('aria-valuenow', percent);
  bar.setAttribute('aria-label', head);
  const name = { 0: 'pending', 1: 'in_progress', 2: 'complete', 3: 'error', '-1': 'error' };
  reconcile(el.querySelector('.op-stages'), stages.map((s, i) => ({ key: 's' + i, sig: s.name + s.status, s })), i =>
    h('li', { class: 'task ' + name[i.s.status] }, icon(name[i.s.status] ?? 'pending'), h('span', null, i.s.name), h('span', { class: 'task-status' }, t('stage.' + i.s.status))));
}

// entry is one line of the ledger.
function entry(e) {
  const what = [
    e.operation ? t('flow') + ' ' + e.operation : '', e.group && e.delta ? e.group.toLowerCase() + ' ' + (e.delta > 0 ? '+' : '−') + Math.abs(e.delta) : '',
    e.token ? t('token') + ' ' + (e.token.length > 14 ? e.token.slice(0, 13) + '…' : e.token) : '', e.code, e.duplicate_of ? t('already') : '', e.fault,
  ].filter(Boolean).join(', ');
  return h('div', { class: 'entry ' + e.outcome, title: [e.action, e.cluster, e.token, e.request_id].filter(Boolean).join('\n') },
    h('time', null, clock(new Date(e.time))), h('span', { class: 'outcome' }, t('outcome.' + e.outcome)), h('span', null, what || e.action));
}
