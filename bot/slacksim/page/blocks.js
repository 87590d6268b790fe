// Block Kit as nodes: the blocks and elements that the local Slack accepts in
// messages and on the Home tab.

import { h, icon } from './dom.js';
import { t } from './words.js';
import { mrkdwn, decode, emoji, person, usergroup, channel, date, link } from './text.js';

// blocks renders a list of blocks. act(element, block, value) is told of presses.
export function blocks(list, world, act) {
  return h('div', { class: 'blocks' }, (list ?? []).map(b => block(b, world, act)));
}

// invites says whether blocks ask for a vote by reaction.
export const invites = list => (list ?? []).some(b => /:white_check_mark:/.test(b.text?.text) && /:x:/.test(b.text?.text));

function block(b, world, act) {
  switch (b.type) {
    case 'header': return h('h3', { class: 'b-header' }, text(b.text, world));
    case 'divider': return h('hr');
    case 'section': return section(b, world, act);
    case 'context': return h('div', { class: 'b-context' }, b.elements.map(e => e.type === 'image' ? picture(e) : h('span', null, text(e, world))));
    case 'actions': return h('div', { class: 'b-actions' }, b.elements.map(e => element(e, b, world, act)));
    case 'rich_text': return rich(b, world);
    case 'image': return h('figure', { class: 'b-image' }, b.title && h('figcaption', null, text(b.title, world)), picture(b));
    case 'plan': return plan(b, world);
    case 'task_card': return h('ul', { class: 'tasks alone' }, task(b, world));
    case 'markdown': return h('div', { class: 'b-section pre-line' }, b.text);
    case 'table': return h('table', { class: 'b-table' }, b.rows.map(r => h('tr', null, r.map(c => h('td', null, c.type === 'raw_text' ? c.text : rich(c, world))))));
    default: return h('div', { class: 'b-unknown' }, '[' + b.type + ']');
  }
}

// text renders a text object. plain_text knows no markup but emoji.
function text(o, world) {
  if (!o) return null;
  if (o.type === 'mrkdwn') return mrkdwn(o.text, world);
  const out = document.createDocumentFragment();
  decode(o.text).split('\n').forEach((line, i) => {
    if (i > 0) out.append(h('br'));
    if (o.emoji === false) out.append(line);
    else line.split(/:([a-z0-9_+'-]+):/).forEach((part, j) => out.append(j % 2 ? emoji(part) : part));
  });
  return out;
}

// picture shows an image by its words: the page loads nothing from elsewhere.
const picture = e => h('span', { class: 'b-picture', role: 'img', 'aria-label': e.alt_text }, '🖼 ' + e.alt_text);

function section(b, world, act) {
  return h('div', { class: 'b-section' },
    h('div', { class: 'b-body' },
      b.text && h('div', { class: 'b-text' }, text(b.text, world)),
      b.fields && h('div', { class: 'b-fields' }, b.fields.map(f => h('div', { class: 'b-field' }, text(f, world))))),
    b.accessory && h('div', { class: 'b-accessory' }, element(b.accessory, b, world, act)));
}

function element(e, b, world, act) {
  if (e.type === 'image') return picture(e);
  if (e.type === 'button') {
    const style = 'btn ' + (e.style ?? '');
    return h('button', {
      class: style, type: 'button', 'aria-label': e.accessibility_label, data: { action: e.action_id, focus: b.block_id + '/' + e.action_id },
      onclick: async event => {
        const button = event.currentTarget; // gone from the event after the first await
        if (e.confirm && !await ask(e.confirm, world)) return;
        if (e.url) window.open(e.url, '_blank', 'noopener,noreferrer');
        act(e, b, null, button);
      },
    }, text(e.text, world));
  }
  const options = e.options ?? (e.option_groups ?? []).flatMap(g => g.options);
  if (['static_select', 'overflow', 'radio_buttons'].includes(e.type)) {
    return h('select', {
      class: 'menu', 'aria-label': e.placeholder?.text ?? e.action_id, data: { focus: b.block_id + '/' + e.action_id },
      onchange: async event => {
        const el = event.currentTarget;
        if (e.confirm && !await ask(e.confirm, world)) el.value = e.initial_option?.value ?? '';
        else act(e, b, [el.value], el);
      },
    },
    h('option', { value: '' }, e.placeholder?.text ?? '…'),
    options.map(o => h('option', { value: o.value, selected: o.value === e.initial_option?.value }, o.text.text)));
  }
  return h('span', { class: 'b-unknown' }, '[' + e.type + ']');
}

// ask shows a confirm dialog and tells whether the person went on. It listens to
// the form and not to the dialog's close, which comes late: the close of one
// question would answer the next.
function ask(c, world) {
  const dialog = document.getElementById('confirm');
  return new Promise(done => {
    dialog.replaceChildren(h('form', { method: 'dialog', onsubmit: event => done(event.submitter?.value === 'yes') },
      h('h2', null, text(c.title, world)), h('p', null, text(c.text, world)),
      h('div', { class: 'row' },
        h('button', { class: 'btn', value: 'no', autofocus: true }, text(c.deny, world)),
        h('button', { class: 'btn solid ' + (c.style ?? 'primary'), value: 'yes', data: { confirm: 'yes' } }, text(c.confirm, world)))));
    dialog.oncancel = () => done(false);
    dialog.showModal();
  });
}

function plan(b, world) {
  return h('div', { class: 'plan' }, h('div', { class: 'plan-title' }, b.title),
    h('ul', { class: 'tasks' }, (b.tasks ?? []).map(x => task(x, world))));
}

// task is one line of a plan. The state stands in words too, unless the title has
// its own after a dot.
function task(x, world) {
  const status = x.status ?? 'pending';
  const said = x.title.includes(' · ');
  return h('li', { class: 'task ' + status }, icon(status),
    h('div', { class: 'task-body' },
      !x.hide_title && h('div', { class: 'task-title' }, x.title, !said && h('span', { class: 'task-status' }, ' ' + t('status.' + status))),
      x.details && h('div', { class: 'task-details' }, rich(x.details, world)),
      x.output && h('div', { class: 'task-details' }, rich(x.output, world)),
      x.sources?.length > 0 && h('div', { class: 'task-details' }, x.sources.map(s => [link(s.url, s.text), ' ']))));
}

function rich(b, world) {
  return h('div', { class: 'b-rich' }, (b.elements ?? []).map(e => richPart(e, world)));
}

function richPart(e, world) {
  const parts = () => e.elements.map(x => richElement(x, world));
  switch (e.type) {
    case 'rich_text_section': return h('div', { class: 'rich-section' }, parts());
    case 'rich_text_preformatted': return h('pre', null, parts());
    case 'rich_text_quote': return h('blockquote', null, parts());
    case 'rich_text_list': {
      const ordered = e.style === 'ordered';
      const list = h(ordered ? 'ol' : 'ul', { class: 'rich-list', start: ordered && e.offset ? e.offset + 1 : null },
        e.elements.map(x => h('li', null, richPart(x, world))));
      list.style.marginLeft = (e.indent ?? 0) * 1.4 + 'em';
      return list;
    }
    default: return h('span', { class: 'b-unknown' }, '[' + e.type + ']');
  }
}

// richElement is literal: no markup is looked for in its text.
function richElement(e, world) {
  let node;
  switch (e.type) {
    case 'text': node = lines(e.text); break;
    case 'link': node = link(e.url, e.text) ?? document.createTextNode(e.text ?? e.url); break;
    case 'user': node = person(e.user_id, world, ''); break;
    case 'usergroup': node = usergroup(e.usergroup_id, world, ''); break;
    case 'channel': node = channel(e.channel_id, world, ''); break;
    case 'emoji': node = emoji(e.skin_tone ? e.name + '::skin-tone-' + e.skin_tone : e.name); break;
    case 'date': node = date(e.timestamp, e.format, e.fallback ?? e.format, e.url); break;
    case 'broadcast': node = h('span', { class: 'mention' }, '@' + e.range); break;
    case 'color': node = document.createTextNode(e.value); break;
    default: node = h('span', { class: 'b-unknown' }, '[' + e.type + ']');
  }
  for (const [style, tag] of [['code', 'code'], ['bold', 'strong'], ['italic', 'em'], ['strike', 's'], ['underline', 'u']]) {
    if (e.style?.[style]) node = h(tag, null, node);
  }
  return node;
}

function lines(s) {
  const out = document.createDocumentFragment();
  s.split('\n').forEach((line, i) => out.append(...(i > 0 ? [h('br')] : []), line));
  return out;
}
