// The panel of clusters: what the local clouds hold, and the ways to break them.

import { h, icon, reconcile, hash } from './dom.js';
import { t } from './words.js';
import { clock } from './text.js';

const faults = [
  { kind: 'sold-out', label: 'soldOut', body: {} },
  { kind: 'throttled', label: 'throttled', body: { times: 3 } },
  { kind: 'lost-after', label: 'lostAnswer', body: {} },
  { kind: 'slow', label: 'slow', body: { delay: '4s', times: 3 } },
  { kind: 'flow-fails', label: 'flowFails', body: {} },
  { kind: 'partial', label: 'partial', body: { nodes: 1 } },
];

const named = kind => faults.find(f => f.kind === kind);

// manyClusters fold, so that all of them are in sight at once.
const manyClusters = 3;

// maxDots is how many nodes of a group are drawn.
const maxDots = 30;

// Long ids are for machines: then the name comes first.
const longId = c => c.id.length > 20 && c.name;
const title = c => longId(c) ? c.name : c.id;
const subtitle = c => longId(c) ? c.id : c.name;

const clouds = { 'tencent-emr': 'Tencent EMR', 'alibaba-ack': 'Alibaba ACK', 'huawei-mrs': 'Huawei MRS' };

// Groups in capitals are typed in small letters.
const small = id => id === id.toUpperCase() ? id.toLowerCase() : id;

// Clouds draws the panel into root and keeps it fresh while it is visible.
export class Clouds {
  #root;
  #state = null;
  #error = '';
  #timer = 0;
  #bases = new Map(); // cluster -> its operation, and the nodes of the group before it
  #unfolded = new Map(); // cluster -> what a person chose
  #shown = new Set(); // clusters unfolded because something ran there
  #sections = {};

  constructor(root) {
    this.#root = root;
    for (const name of ['notice', 'active', 'clusters', 'ledger']) root.append(this.#sections[name] = h('div', { class: 'c-' + name }));
    document.addEventListener('visibilitychange', () => this.poll());
    this.poll();
  }

  // poll looks now and again later: soon while something runs or is about to fail.
  async poll() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    await this.#call('state');
    const busy = this.#state?.faults.length > 0 || this.#state?.clusters?.some(c => c.operation);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.poll(), busy ? 500 : 1500);
  }

  async #call(what, body) {
    try {
      const res = await fetch('/clouds/' + what, body && { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
      const answer = await res.json();
      this.#error = answer.error ?? '';
      if (res.ok && !(answer.time < this.#state?.time)) this.#state = answer; // an older look may come later
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
    const known = f => f.cluster && named(f.kind) && clusters.some(c => c.id === f.cluster);
    const others = s.faults.filter(f => !known(f)); // those that no cluster's own buttons show
    list('active', others.length ? [{ key: 'faults', sig: others }] : [], () => this.#faults(others));
    list('clusters', clusters.length ? clusters.map(c => ({ key: c.cloud + '/' + c.id, sig: [c.name, c.region], c })) : [{ key: 'none', sig: '' }],
      i => i.c ? this.#frame(i.c) : h('p', { class: 'quiet' }, t('noClouds')));
    for (const c of clusters) this.#fill(c, s.faults.filter(f => f.cluster === c.id));
    const ledger = s.ledger.slice(0, 8);
    list('ledger', [
      { key: 'title', sig: '', el: () => h('h3', null, t('ledger')) },
      ...(ledger.length ? [] : [{ key: 'none', sig: '', el: () => h('p', { class: 'quiet small' }, t('nothingAsked')) }]),
      ...ledger.map(e => ({ key: 'e' + e.n, sig: e, el: () => entry(e, clusters.find(c => c.id === e.cluster)) })),
    ], i => i.el());
  }

  #open(c) {
    const many = this.#state.clusters.length >= manyClusters;
    return this.#unfolded.get(c.id) ?? (!many || this.#shown.has(c.id) || c === this.#state.clusters[0]);
  }

  // frame is the part of a cluster that stays; its parts are filled on each look.
  #frame(c) {
    const cloud = clouds[c.cloud] ?? c.cloud;
    return h('details', { class: 'cluster', data: { cluster: c.id } },
      h('summary', { onclick: event => this.#unfolded.set(c.id, !event.currentTarget.parentElement.open) },
        h('span', { class: 'c-head' }, h('strong', { title: c.id }, title(c)), h('span', { class: 'slot-status' })),
        h('span', { class: 'c-sub' }, h('span', { class: 'tag', title: c.account }, cloud), h('span', { class: 'cut', title: [subtitle(c), c.region].filter(Boolean).join(' · ') }, subtitle(c)), h('span', { class: 'c-count' })),
        h('span', { class: 'slot-mini' })),
      h('div', { class: 'slot-groups' }), h('div', { class: 'slot-op' }), h('div', { class: 'slot-repair' }),
      h('div', { class: 'break', role: 'group', 'aria-label': t('breakIt') }, h('span', { class: 'label' }, t('breakIt')), h('span', { class: 'slot-break' }),
        h('button', { class: 'chip', type: 'button', title: t('outsideTip'), data: { fault: 'outside' }, onclick: () => this.#outside(c.id) }, t('outside')),
        h('div', { class: 'slot-set' })));
  }

  #outside(id) {
    const c = this.#state?.clusters.find(x => x.id === id);
    const g = c?.groups.at(-1);
    if (g) this.#call('set', { cluster: id, group: g.id, count: g.count + 1 });
  }

  #fill(c, broken) {
    const root = this.#sections.clusters.querySelector(`[data-cluster="${CSS.escape(c.id)}"]`);
    const slot = (name, items, build) => reconcile(root.querySelector('.slot-' + name), items.map(i => ({ ...i, sig: hash([i.sig, t('language')]) })), build);
    this.#unfold(c);
    root.open = this.#open(c);
    slot('status', [{ key: 's', sig: [c.status_text, c.usable, Boolean(c.operation)] }], () =>
      h('span', { class: 'state ' + (c.operation ? 'busy' : c.usable ? 'good' : 'bad'), title: t(c.usable ? 'usable' : 'busy') }, c.status_text));
    root.querySelector('.c-count').textContent = t('node', c.groups.reduce((sum, g) => sum + g.count, 0));
    slot('groups', c.groups.map(g => ({ key: g.id, sig: '', g })), i => h('div', { class: 'group' },
      h('span', { class: 'group-name cut', title: [i.g.id, i.g.type].filter(Boolean).join(' · ') }, small(i.g.id)), h('span', { class: 'group-count' }), h('span', { class: 'dots' })));
    for (const g of c.groups) this.#group(c, g, root.querySelector(`.slot-groups > [data-key="${CSS.escape(g.id)}"]`));
    slot('op', c.operation ? [{ key: 'op' + c.operation.id, sig: c.operation.name }] : [], () => h('div', { class: 'op' },
      h('div', { class: 'op-head' }), bar(), h('ol', { class: 'op-stages' })));
    slot('mini', c.operation ? [{ key: 'mini', sig: '' }] : [], bar);
    if (c.operation) operation(c.operation, root);
    const active = kind => broken.filter(f => f.kind === kind);
    slot('break', faults.map(f => ({ key: f.kind, sig: active(f.kind), f })), ({ f }) => h('button', {
      class: 'chip', type: 'button', title: t(f.label + 'Tip'), 'aria-pressed': String(active(f.kind).length > 0), data: { fault: f.kind, focus: c.id + f.kind },
      onclick: () => active(f.kind).length ? this.#clear(active(f.kind)) : this.#call('fault', { ...f.body, kind: f.kind, cluster: c.id }),
    }, t(f.label)));
    // What a failed operation left behind would refuse everything that is tried next.
    slot('repair', c.usable || c.operation ? [] : [{ key: 'repair', sig: '' }], () => h('button', {
      class: 'chip', type: 'button', title: t('repairTip'), data: { focus: c.id + 'repair', repair: c.id }, onclick: () => this.#call('clear', {}),
    }, t('repair')));
    slot('set', broken.filter(f => named(f.kind)).map(f => ({ key: 'f' + f.id, sig: f, f })), ({ f }) =>
      h('div', { class: 'armed' }, h('span', null, h('strong', null, t(named(f.kind).label)), ' · ' + t(named(f.kind).label + 'Tip')),
        h('button', { class: 'plain', type: 'button', 'aria-label': t('clear') + ': ' + t(named(f.kind).label), onclick: () => this.#clear([f]) }, '×')));
  }

  // reveal unfolds the cluster that a command names.
  reveal(words) {
    const c = this.#state?.clusters.find(x => words.includes(title(x)));
    if (!c) return;
    this.#unfolded.delete(c.id);
    this.#show(c);
    this.draw();
  }

  // show unfolds a cluster, and folds those shown before where nothing runs.
  #show(c) {
    for (const id of this.#shown) if (!this.#bases.has(id)) this.#shown.delete(id);
    this.#shown.add(c.id);
  }

  async #clear(list) {
    for (const f of list) await this.#call('clear', { id: f.id });
  }

  // unfold shows where something begins to run. What a person folded or unfolded
  // stays.
  #unfold(c) {
    const base = this.#bases.get(c.id);
    if (!c.operation) {
      this.#bases.delete(c.id);
      return;
    }
    if (base?.op === c.operation.id) return;
    const g = c.groups.find(x => x.id.toLowerCase() === c.operation.group?.toLowerCase());
    this.#bases.set(c.id, { op: c.operation.id, count: g?.count ?? 0 });
    this.#show(c);
  }

  #group(c, g, row) {
    const op = c.operation;
    const mine = op && op.delta && op.group?.toLowerCase() === g.id.toLowerCase();
    const target = mine ? this.#bases.get(c.id).count + op.delta : g.count;
    const nodes = g.nodes ?? [];
    const items = nodes.map(n => ({ key: n.id, sig: String(n.started), n }));
    for (let i = nodes.length; mine && i < target; i++) items.push({ key: 'ghost' + i, sig: '' });
    row.querySelector('.group-count').textContent = target === g.count ? g.count : g.count + ' → ' + target;
    // In a large group those that rest make room for those that change.
    const resting = items.filter(i => i.n?.started);
    const hidden = new Set(resting.slice(0, Math.max(0, items.length - maxDots)));
    const more = hidden.size ? [{ key: 'more', sig: String(hidden.size) }] : [];
    reconcile(row.querySelector('.dots'), [...more, ...items.filter(i => !hidden.has(i))], i => i.key === 'more' ? h('span', null, hidden.size + ' +') : h('span', {
      class: 'dot ' + (!i.n ? 'ghost' : i.n.started ? '' : 'joining'),
      title: i.n ? [i.n.name, i.n.ip, i.n.type, i.n.charge].filter(Boolean).join(' · ') : t('joining'),
    }));
    row.title = mine && op.delta < 0 ? t('leaving', g.count - target) : t('node', g.count);
    row.classList.toggle('shrinking', Boolean(mine) && op.delta < 0);
  }

  #faults(list) {
    return h('div', { class: 'active' }, h('h3', null, t('faults')),
      list.map(f => h('span', { class: 'chip on' }, [named(f.kind) ? t(named(f.kind).label) : f.kind, f.cloud, f.cluster, t('times', f.times || 1)].filter(Boolean).join(' · '),
        h('button', { type: 'button', 'aria-label': t('clear') + ': ' + f.kind, onclick: () => this.#clear([f]) }, '×'))));
  }
}

const bar = () => h('div', { class: 'bar', role: 'progressbar' }, h('div', null));

function operation(op, root) {
  const stages = op.stages ?? [];
  const percent = Math.round(op.progress * 100);
  const head = [op.name, op.id ? t('operation') + ' ' + op.id : '', op.blocked ? t('blocked') : ''].filter(Boolean).join(' · ');
  root.querySelector('.op-head').replaceChildren(h('span', { class: 'cut', title: head }, head), h('span', { class: 'quiet' }, percent + ' %'));
  for (const el of root.querySelectorAll('.bar')) {
    el.firstElementChild.style.width = percent + '%';
    el.setAttribute('aria-valuenow', percent);
    el.setAttribute('aria-label', head);
  }
  const name = { 0: 'pending', 1: 'in_progress', 2: 'complete', 3: 'error', '-1': 'error' };
  reconcile(root.querySelector('.op-stages'), stages.map((s, i) => ({ key: 's' + i, sig: hash([s.name, s.status, t('language')]), s })), i =>
    h('li', { class: 'task ' + name[i.s.status] }, icon(name[i.s.status] ?? 'pending'), h('span', { class: 'cut', title: i.s.name }, i.s.name), h('span', { class: 'task-status' }, t('stage.' + i.s.status))));
}

// entry is one line of the ledger.
function entry(e, cluster) {
  const what = [cluster ? title(cluster) : e.cluster, e.group && small(e.group), e.delta ? (e.delta > 0 ? '+' : '−') + Math.abs(e.delta) : ''].filter(Boolean).join(' ');
  const more = [
    e.code, e.operation ? t('operation') + ' ' + e.operation : '', e.token ? t('token') + ' ' + (e.token.length > 12 ? e.token.slice(0, 8) + '…' : e.token) : '',
    e.duplicate_of ? t('already') : '', e.fault ? t('byFault', named(e.fault) ? t(named(e.fault).label) : e.fault) : '',
  ].filter(Boolean).join(' · ');
  return h('div', { class: 'entry ' + e.outcome, title: [e.action, e.cluster, e.token, e.request_id].filter(Boolean).join('\n') },
    h('div', { class: 'entry-head' }, h('span', { class: 'outcome' }, t('outcome.' + e.outcome)), h('span', { class: 'cut', title: what || e.action }, what || e.action), h('time', null, clock(new Date(e.time)))),
    more && h('div', { class: 'entry-more' }, more));
}
