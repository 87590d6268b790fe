// Building nodes. Text from outside only ever becomes a text node: nothing here
// or elsewhere parses it as markup.

// h makes an element. Properties: class, on… (listeners), data (dataset), any
// other as an attribute; null and false leave it out.
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

// svg makes an SVG element.
export function svg(tag, props, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function fill(el, props, children) {
  for (const [k, v] of Object.entries(props ?? {})) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith('on')) el.addEventListener(k.slice(2), v);
    else if (k === 'data') Object.assign(el.dataset, v);
    else el.setAttribute(k, v === true ? '' : v);
  }
  el.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== false));
  return el;
}

// reconcile makes the children of a container those of items: what has the same
// key and signature keeps its node, so that focus, scrolling and animations live
// on. build gets the item and, if its content changed, true.
export function reconcile(container, items, build) {
  const old = new Map([...container.children].map(n => [n.dataset.key, n]));
  const focus = document.activeElement?.dataset?.focus;
  let at = container.firstElementChild;
  let changed = 0;
  for (const item of items) {
    let node = old.get(item.key);
    old.delete(item.key);
    if (!node || node.dataset.sig !== item.sig) {
      const fresh = build(item, !!node);
      fresh.dataset.key = item.key;
      fresh.dataset.sig = item.sig;
      if (node) {
        const had = node.contains(document.activeElement);
        if (at === node) at = fresh;
        node.replaceWith(fresh);
        if (had && focus) fresh.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
      }
      node = fresh;
      changed++;
    }
    if (node === at) at = at.nextElementSibling;
    else container.insertBefore(node, at);
  }
  for (const node of old.values()) {
    if (node === at) at = at.nextElementSibling;
    node.remove();
  }
  return changed;
}

// hash is a short signature of anything that JSON can tell.
export function hash(value) {
  const s = JSON.stringify(value);
  let x = 5381;
  for (let i = 0; i < s.length; i++) x = (x * 33 ^ s.charCodeAt(i)) >>> 0;
  return x.toString(36) + '.' + s.length;
}

const colours = ['#2b6cb0', '#975a16', '#2f855a', '#9b2c2c', '#6b46c1', '#2c7a7b', '#b83280', '#4a5568'];

// avatar is a picture of a person: initials on a colour of their own.
export function avatar(user, size) {
  if (user?.is_bot) {
    return h('span', { class: 'avatar bot ' + (size ?? ''), 'aria-hidden': 'true' },
      svg('svg', { viewBox: '0 0 32 32' },
        svg('rect', { x: 6, y: 17, width: 5, height: 9, rx: 1.5, fill: '#ecb22e' }),
        svg('rect', { x: 13.5, y: 12, width: 5, height: 14, rx: 1.5, fill: '#2eb67d' }),
        svg('rect', { x: 21, y: 6, width: 5, height: 20, rx: 1.5, fill: '#36c5f0' })));
  }
  const name = display(user).replace(/\(.*/, '') || '?'; // "Mei (finance)" is Mei
  const parts = name.split(/[\s._-]+/).filter(Boolean);
  const letters = size === 'tiny' ? [...parts[0] ?? '?'][0] : parts.length > 1 ? [...parts[0]][0] + [...parts[1]][0] : [...parts[0] ?? '?'].slice(0, /^[\x20-\x7e]/.test(name) ? 2 : 1).join('');
  let sum = 0;
  for (const c of user?.id ?? '') sum = (sum * 31 + c.charCodeAt(0)) % 997;
  const el = h('span', { class: 'avatar ' + (size ?? ''), 'aria-hidden': 'true' }, letters.toUpperCase());
  el.style.background = colours[sum % colours.length];
  return el;
}

export const display = user => user?.real_name || user?.name || '?';

// icon is one of the small drawings of states.
export function icon(name) {
  const draw = {
    complete: [svg('circle', { cx: 10, cy: 10, r: 9, class: 'fill' }), svg('path', { d: 'M5.8 10.4l2.8 2.8 5.6-6', class: 'line' })],
    error: [svg('circle', { cx: 10, cy: 10, r: 9, class: 'fill' }), svg('path', { d: 'M6.7 6.7l6.6 6.6M13.3 6.7l-6.6 6.6', class: 'line' })],
    in_progress: [svg('circle', { cx: 10, cy: 10, r: 8, class: 'track' }), svg('path', { d: 'M10 2a8 8 0 0 1 8 8', class: 'arc' })],
    pending: [svg('circle', { cx: 10, cy: 10, r: 8, class: 'track' })],
    lock: [svg('path', { d: 'M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9', class: 'stroke' })],
    eye: [svg('path', { d: 'M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5z', class: 'stroke' }), svg('circle', { cx: 10, cy: 10, r: 2.3, class: 'stroke' })],
    reply: [svg('path', { d: 'M3 4h14v9H9l-4 4v-4H3z', class: 'stroke' })],
    send: [svg('path', { d: 'M3 3l15 7-15 7 2.5-7z', class: 'fill' })],
    globe: [svg('circle', { cx: 10, cy: 10, r: 7.5, class: 'stroke' }), svg('path', { d: 'M2.5 10h15M10 2.5c5 5 5 10 0 15M10 2.5c-5 5-5 10 0 15', class: 'stroke' })],
    close: [svg('path', { d: 'M5 5l10 10M15 5L5 15', class: 'stroke' })],
    home: [svg('path', { d: 'M3 9.5L10 3l7 6.5V17h-4.5v-4h-5v4H3z', class: 'stroke' })],
  }[name];
  const el = svg('svg', { viewBox: '0 0 20 20', class: 'icon i-' + name, 'aria-hidden': 'true' }, draw);
  // All of them turn together, and one that is drawn anew goes on where it was.
  if (name === 'in_progress') el.style.animationDelay = -(performance.now() % 1000) + 'ms';
  return el;
}
