// Middle: the text with line numbers, what is found beside its line, and how long the message is.

import { $, all, chooseTab, el, fill, tabs } from './dom.js';
import { diffOf } from './diff.js';
import { callers, calls, changed, open, reaches, saved, state, textOf, type } from './state.js';
import { messages } from './preview.js';
import { SEVERITY, mendOf, nameOf, ruleName } from './words.js';

export function renderEditor() {
  const path = state.open;
  $('title').textContent = path ? nameOf(path, state.types) : '文面がありません';
  $('path').textContent = path ?? '';
  renderMark(path);
  chooseTab($('edit'), $(`tab-${state.show}`));
  const source = $('source'), text = path ? textOf(path) : '';
  source.disabled = !path;
  if (source.dataset.path !== path || source.value !== text) {
    source.value = text;
    source.dataset.path = path;
    if (state.scrolled !== path) $('editor').scrollTop = 0;
    state.scrolled = path;
  }
  renderLines(text);
  if (state.show === 'diff' && path) $('diff').replaceChildren(diffOf(saved(path), text));
  renderCount();
  renderRelated(path);
  renderFindings();
}

function renderMark(path) {
  const typed = path && state.edits.has(path);
  const draft = path && state.drafts.has(path);
  $('mark').hidden = !typed && !draft;
  $('mark').className = `tag ${typed ? 'warn' : ''}`;
  $('mark').textContent = typed ? '変更あり' : '下書きあり';
}

// ---- lines and notes ---------------------------------------------------------------------------------------------

const TOKEN = /\{\{!--[\s\S]*?--\}\}|\{\{\{?[\s\S]*?\}?\}\}|<\/?[a-zA-Z!][^<>{}]*>?/g;

function kind(token) {
  if (token.startsWith('<')) return 'html';
  if (/^\{\{~?!/.test(token)) return 'comment';
  if (/^\{\{~?#?>|^\{\{~?\/(?!if|each|unless|with)/.test(token)) return 'partial';
  return /^\{\{~?(#|\/|else)/.test(token) ? 'block' : 'value';
}

// The text area is transparent; what is read lies behind it, line for line.
function renderLines(text) {
  const found = here();
  const lines = [[]];
  const put = (part, name) => part.split('\n').forEach((piece, at) => {
    if (at) lines.push([]);
    if (piece) lines.at(-1).push(name ? el('span', { class: name }, piece) : piece);
  });
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    put(text.slice(end, match.index));
    put(match[0], kind(match[0]));
    end = match.index + match[0].length;
  }
  put(text.slice(end));
  const worst = line => found.filter(finding => finding.line === line).map(finding => finding.severity).sort()[0];
  $('lines').replaceChildren(...lines.map((pieces, at) => el('div', { class: `line ${worst(at + 1) ?? ''}`, 'data-line': at + 1 }, ...(pieces.length ? pieces : ['\u200b']))));
  renderNotes(found);
}

const here = () => state.findings.filter(finding => finding.path === state.open);

// Each beside its line, or right below the note before it.
function renderNotes(found) {
  $('editor').dataset.notes = String(found.length > 0);
  let free = 0;
  const sorted = found.toSorted((a, b) => a.line - b.line);
  fill($('notes'), sorted.map(note));
  sorted.forEach((finding, at) => {
    const line = all('.line', $('lines'))[Math.max(0, finding.line - 1)];
    const box = $('notes').children[at], top = Math.max(free, line?.offsetTop ?? 0);
    box.style.top = `${top}px`;
    free = top + box.offsetHeight + 4;
  });
  $('lines').style.minHeight = `${free}px`;
}

function note(finding) {
  return el('button', { type: 'button', class: `note ${finding.severity}`, 'data-note': `${finding.line}:${finding.rule}`, click: () => jump(finding), title: `${finding.what}; ${finding.mend}` },
    el('b', {}, ruleName(finding.rule)), mendOf(finding.rule) ?? el('span', { lang: 'en' }, finding.what));
}

// ---- findings ----------------------------------------------------------------------------------------------------

function renderFindings() {
  const mine = here(), others = state.findings.filter(finding => finding.path !== state.open);
  const errors = state.findings.filter(finding => finding.severity === 'error').length;
  $('findings').dataset.state = errors ? 'error' : state.findings.length ? 'warning' : 'good';
  $('findings-title').textContent = !state.checked ? '確認しています'
    : errors ? `直すところ ${errors}件：このままでは保存できません`
    : state.findings.length ? `注意 ${state.findings.length}件：保存はできます` : 'すべての確認に合格しています';
  fill($('finding-list'), [...mine, ...others].map(finding => el('li', {}, item(finding))));
}

function item(finding) {
  const place = [finding.path === state.open ? null : nameOf(finding.path, state.types), finding.line ? `${finding.line}行 ${finding.column}文字目` : null];
  return el('button', { type: 'button', class: 'finding', 'data-finding': `${finding.path}:${finding.line}:${finding.rule}`, click: () => jump(finding) },
    el('span', { class: `badge ${finding.severity}` }, SEVERITY[finding.severity]),
    el('span', {}, el('b', {}, ruleName(finding.rule)), el('span', { class: 'soft' }, place.filter(Boolean).join(' · ')),
      mendOf(finding.rule) && el('span', { class: 'what' }, mendOf(finding.rule)),
      el('span', { class: 'what', lang: 'en' }, `${finding.what}; ${finding.mend}`),
      finding.example && el('span', { class: 'small soft mono' }, `${finding.example}${finding.shown_by > 1 ? ` ほか${finding.shown_by - 1}件` : ''}`)));
}

// To the place, with the example that shows it.
export function jump(finding) {
  if (state.files.has(finding.path)) open(finding.path);
  state.show = 'source';
  document.dispatchEvent(new CustomEvent('jumped', { detail: finding }));
  requestAnimationFrame(() => requestAnimationFrame(() => caret(finding)));
}

function caret({ line, column }) {
  const source = $('source');
  const before = source.value.split('\n').slice(0, Math.max(0, line - 1)).reduce((sum, one) => sum + one.length + 1, 0);
  const within = [...(source.value.slice(before).split('\n')[0] ?? '')].slice(0, Math.max(0, column - 1)).join('').length;
  source.focus({ preventScroll: true });
  source.setSelectionRange(before + within, before + within);
  all('.line', $('lines'))[Math.max(0, line - 1)]?.scrollIntoView({ block: 'nearest' });
}

// ---- how long ----------------------------------------------------------------------------------------------------

function renderCount() {
  const shown = messages();
  const parts = state.open ? reaches(state.open).map(path => path.split('/')[2]) : [];
  const sms = shown.find(one => one.sms)?.sms, mail = shown.find(one => one.mail)?.mail;
  const items = [];
  if (sms && parts.includes('sms.hbs')) items.push(...smsCount(sms));
  if (mail && parts.includes('email.subject.hbs')) items.push(measure('件名', `${[...segmenter.segment(mail.subject)].length}文字`));
  if (mail && parts.some(part => /^email\.(txt|html)/.test(part))) items.push(measure('本文', `${[...segmenter.segment(mail.text)].length}文字`), mail.html && measure('HTML', `${mail.html.length.toLocaleString('ja')}文字`));
  $('count').replaceChildren(...items.filter(Boolean), el('span', { class: 'at' }, position()));
}

const segmenter = new Intl.Segmenter('ja');
const measure = (name, value, tone = '') => el('span', { class: tone }, `${name} `, el('b', {}, value));

function smsCount({ size }) {
  // Of what does not render nobody knows how long it is.
  const whole = !state.preview.stale && !state.preview.messages.some(one => one.failed);
  const worst = whole && state.preview.longest?.sms?.size;
  const tone = n => (n > 1 ? 'warn' : '');
  return [
    measure('届く文', `${size.characters}文字`), size.units !== size.characters && measure('UTF-16', `${size.units}単位`),
    measure('通数', `${size.segments}通`, tone(size.segments)), measure('あと', `${size.left}文字`, size.left < 3 ? 'warn' : ''),
    worst && measure('最長の例', `${worst.units}文字・${worst.segments}通`, tone(worst.segments)),
  ];
}

function position() {
  const before = $('source').value.slice(0, $('source').selectionStart).split('\n');
  return `${before.length}行 ${[...before.at(-1)].length + 1}文字目`;
}

// ---- what it is made of ------------------------------------------------------------------------------------------

function renderRelated(path) {
  const link = other => el('button', { type: 'button', class: 'chip', 'data-related': other, title: other, click: () => open(other) }, shortName(other));
  const rows = path ? [['使っている部品', calls(path)], ['使われている文面', callers(path)]] : [];
  fill($('related'), rows.filter(([, paths]) => paths.length).map(([name, paths]) => el('p', {}, el('span', { class: 'soft' }, name), ...paths.map(link))));
}

function shortName(path) {
  const [, folder, file] = path.split('/');
  return folder === '_partials' ? file.replace(/\.hbs$/, '') : nameOf(path, state.types);
}

export function connectEditor() {
  $('source').addEventListener('input', () => type(state.open, $('source').value));
  document.addEventListener('selectionchange', () => { if (document.activeElement === $('source')) renderCount(); });
  tabs($('edit').querySelector('[role="tablist"]'), button => { state.show = button.dataset.show; changed(); });
  new ResizeObserver(() => renderNotes(here())).observe($('editor'));
}
