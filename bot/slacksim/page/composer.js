// The box in which people write: history, completion, and what became of it.

import { h, icon } from './dom.js';
import { t } from './words.js';

// Composer is one such box. options: label(), hints() (list of {insert, note,
// word}), send(text) → Promise<{error?, note?}>; the text stays when it failed.
export class Composer {
  #options;
  #history = [];
  #at = 0;
  #shown = [];
  #pick = -1;

  constructor(options) {
    this.#options = options;
    this.input = h('textarea', {
      rows: 1, spellcheck: 'false', autocomplete: 'off', oninput: () => this.#typed(), onkeydown: e => this.#key(e), onblur: () => this.#close(),
      role: 'combobox', 'aria-expanded': 'false', 'aria-autocomplete': 'list', data: { focus: options.id },
    });
    this.popup = h('ul', { class: 'hints', role: 'listbox', id: options.id + '-hints', hidden: true });
    this.input.setAttribute('aria-controls', options.id + '-hints');
    this.status = h('div', { class: 'composer-status', role: 'status' });
    this.button = h('button', { class: 'send', type: 'button', onclick: () => this.send() }, icon('send'));
    this.root = h('div', { class: 'composer' }, this.popup, h('div', { class: 'composer-box' }, this.input, this.button), this.status);
    this.relabel();
  }

  relabel() {
    this.input.placeholder = this.#options.label();
    this.input.setAttribute('aria-label', this.#options.label());
    this.button.setAttribute('aria-label', t('send'));
    this.popup.setAttribute('aria-label', t('send'));
    if (!this.status.textContent) this.tell(t('keys'), 'quiet');
    this.#size(); // what was written while the box was hidden could not be measured
  }

  set(text) {
    this.input.value = text;
    this.#size();
    this.#close();
    this.input.focus();
    this.input.setSelectionRange(text.length, text.length);
  }

  tell(text, kind) {
    this.status.className = 'composer-status ' + kind;
    this.status.textContent = text;
  }

  async send() {
    const text = this.input.value.trim();
    if (!text) return;
    this.#close();
    this.input.value = '';
    this.#size();
    if (this.#history.at(-1) !== text) this.#history.push(text);
    this.#at = this.#history.length;
    this.tell(t('waiting'), 'quiet');
    const { error, note } = await this.#options.send(text);
    if (error) {
      this.tell(error, 'bad');
      if (!this.input.value) this.set(text);
    } else {
      this.tell(note || t('keys'), note ? 'good' : 'quiet');
    }
  }

  #size() {
    if (!this.input.isConnected || !this.input.offsetParent) return;
    this.input.style.height = 'auto';
    this.input.style.height = Math.min(this.input.scrollHeight, 160) + 'px';
    this.button.classList.toggle('ready', this.input.value.trim() !== '');
  }

  #typed() {
    if (this.status.classList.contains('ready')) this.tell(t('keys'), 'quiet');
    this.#size();
    const text = this.input.value;
    this.#shown = text && this.input.selectionStart === text.length ? this.#options.hints(text) : [];
    this.#pick = -1;
    this.#draw();
  }

  #draw() {
    this.popup.hidden = this.#shown.length === 0;
    this.input.setAttribute('aria-expanded', String(!this.popup.hidden));
    this.popup.replaceChildren(...this.#shown.map((s, i) => h('li', {
      role: 'option', id: this.#options.id + '-hint-' + i, class: i === this.#pick ? 'on' : '', 'aria-selected': String(i === this.#pick),
      onmousedown: e => { e.preventDefault(); this.#take(s); },
    }, h('span', { class: 'hint-insert' }, s.insert), h('span', { class: 'quiet' }, s.note))));
    if (this.#pick >= 0) this.input.setAttribute('aria-activedescendant', this.#options.id + '-hint-' + this.#pick);
    else this.input.removeAttribute('aria-activedescendant');
    this.popup.children[this.#pick]?.scrollIntoView({ block: 'nearest' });
  }

  #close() {
    this.#shown = [];
    this.#pick = -1;
    this.#draw();
  }

  #take(s) {
    const text = this.input.value;
    this.set((s.word ? text.slice(0, text.length - s.word.length) : '') + s.insert + (s.word ? ' ' : ''));
  }

  #key(e) {
    if (e.isComposing) return;
    const open = this.#shown.length > 0;
    if (e.key === 'Enter' && !e.shiftKey) {
      e.preventDefault();
      if (open && this.#pick >= 0) this.#take(this.#shown[this.#pick]);
      else this.send();
    } else if (e.key === 'Tab' && open && !e.shiftKey) {
      e.preventDefault();
      this.#take(this.#shown[Math.max(0, this.#pick)]);
    } else if (e.key === 'Escape' && open) {
      e.preventDefault();
      this.#close();
    } else if ((e.key === 'ArrowDown' || e.key === 'ArrowUp') && open) {
      e.preventDefault();
      const n = this.#shown.length;
      this.#pick = (this.#pick + (e.key === 'ArrowDown' ? 1 : this.#pick < 0 ? 0 : -1) + n) % n;
      this.#draw();
    } else if ((e.key === 'ArrowUp' || e.key === 'ArrowDown') && this.#history.length && this.#recall(e.key === 'ArrowUp' ? -1 : 1)) {
      e.preventDefault();
    }
  }

  // recall walks through what was sent, but not away from a line being written.
  #recall(step) {
    const text = this.input.value;
    if (text && text !== this.#history[this.#at]) return false;
    const at = Math.min(Math.max(this.#at + step, 0), this.#history.length);
    if (at === this.#at) return false;
    this.#at = at;
    this.set(this.#history[at] ?? '');
    return true;
  }
}
