// Right: what customers would read.

import { $, el, fill } from './dom.js';
import { renderMail } from './mail.js';
import { changed, choose, lookAgain, state } from './state.js';
import { CONTACT, FATE, exampleName, nameOf } from './words.js';

export function renderPreview() {
  renderChooser();
  const stale = Boolean(state.preview?.stale);
  $('stale').hidden = !stale;
  $('shown').dataset.stale = String(stale);
  const shown = messages();
  fill($('bubbles'), shown.filter(one => one.channel === 'sms').map(bubble));
  renderMail(shown.filter(one => one.channel === 'email'));
}

// While the text does not parse, the last good messages; of one that does not render, its last good text.
export function messages() {
  const good = state.good?.messages ?? [];
  const now = state.preview?.stale && good.length ? good : state.preview?.messages ?? [];
  return now.map((one, at) => ({ ...one, ...(one.failed ? good[at] : {}), failed: one.failed }));
}

function renderChooser() {
  const options = state.types.map(type => el('option', { value: type.name }, type.title || type.name));
  if ($('type').options.length !== options.length) $('type').replaceChildren(...options);
  $('type').value = state.type ?? '';
  const examples = state.types.find(type => type.name === state.type)?.examples ?? [];
  const option = one => el('option', { value: one.id }, exampleName(one.id, state.type));
  const extremes = examples.filter(one => one.extreme);
  if ($('example').dataset.type !== state.type || $('example').querySelectorAll('option').length !== examples.length) {
    $('example').replaceChildren(
      el('optgroup', { label: '見本' }, ...examples.filter(one => !one.extreme).map(option)),
      ...(extremes.length ? [el('optgroup', { label: '長さの限界' }, ...extremes.map(option))] : []));
    $('example').dataset.type = state.type;
  }
  $('example').value = state.example ?? '';
  $('example').disabled = state.own !== null;
  const worst = longest();
  $('longest').disabled = !worst;
  $('longest').setAttribute('aria-pressed', String(Boolean(worst) && state.own === null && worst === state.example));
  $('own').setAttribute('aria-pressed', String(state.own !== null));
  $('own-data').hidden = state.own === null;
  if (state.own !== null && $('data').value !== state.own) $('data').value = state.own;
  $('data').setAttribute('aria-invalid', String(Boolean(state.ownProblem)));
  $('data-hint').textContent = state.ownProblem ?? 'このデータで表示しています。';
}

// The longest mail while a mail's text is open, else the longest SMS.
function longest() {
  const kind = /\/email\./.test(state.open ?? '') ? 'mail' : 'sms';
  return state.preview?.longest?.[kind]?.example;
}

function bubble(message) {
  const to = el('p', { class: 'to' }, el('span', { class: `tag ${message.fate === 'not_sent' ? 'warn' : 'good'}` }, FATE[message.fate]),
    el('span', { class: 'cut', title: message.why }, [message.to, CONTACT[message.contact]].filter(Boolean).join(' · ') || 'この例では SMS を使いません'));
  const text = message.sms && el('div', { class: 'bubble' }, ...message.sms.parts.flatMap(part));
  return el('li', { class: `sms ${message.failed ? 'old' : ''}` }, to, text, message.sms && fine(message.sms.size), message.failed && failed(message.failed));
}

function part(text, at) {
  const border = at > 0 && el('span', { class: 'border' }, el('span', {}, `ここから${at + 1}通目`));
  return [border, ...withPhones(text)].filter(Boolean);
}

// A phone underlines what it can call.
const withPhones = text => text.split(/(\b0\d{1,3}-\d{2,4}-\d{3,4}\b)/).map((piece, at) => (at % 2 ? el('u', {}, piece) : piece));

// What is billed: one bar for each segment, filled as far as its characters go.
function fine(size) {
  const each = size.limit / size.segments;
  const full = at => Math.max(0, Math.min(1, (size.units - at * each) / each));
  const bars = Array.from({ length: size.segments }, (_, at) => el('i', { style: `--full:${full(at) * 100}%` }));
  return el('p', { class: `fine ${size.segments > 1 ? 'long' : ''}` }, el('span', { class: 'meter', 'aria-hidden': 'true' }, ...bars),
    `${size.segments}通 · ${size.units}/${size.limit}${size.encoding === 'UCS-2' ? '文字' : ' GSM-7'} · あと${size.left}`);
}

export function failed({ path, line, what }) {
  return el('p', { class: 'failed', role: 'alert' }, el('b', {}, '送れません'), ` ${nameOf(path, state.types)}${line ? ` ${line}行` : ''} `, el('span', { lang: 'en' }, what));
}

export function connectPreview() {
  $('type').addEventListener('change', () => choose($('type').value));
  $('example').addEventListener('change', () => choose(state.type, $('example').value));
  $('longest').addEventListener('click', () => { if (longest()) choose(state.type, longest()); });
  $('own').addEventListener('click', () => {
    const data = state.types.find(type => type.name === state.type)?.examples.find(one => one.id === state.example)?.data ?? {};
    state.own = state.own === null ? JSON.stringify(data, null, 2) : null;
    state.ownProblem = null;
    changed();
    lookAgain();
  });
  $('data').addEventListener('input', () => { state.own = $('data').value; lookAgain(); });
}
