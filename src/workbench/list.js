// Left: the templates with their findings.

import { $, all, el, fill } from './dom.js';
import { dropDraft } from './saving.js';
import { absent, changed, open, ordered, state, type } from './state.js';
import { LOCALES, SEVERITY, nameOf, partOf } from './words.js';

export function renderList() {
  renderLocales();
  const paths = ordered();
  const of = folder => paths.filter(path => path.split('/')[1] === folder);
  const groups = state.types.filter(kind => of(kind.name).length).map(kind => group(kind, of(kind.name)));
  const partials = of('_partials');
  fill($('list'), [
    drafts(),
    ...groups,
    partials.length && el('section', { class: 'group' }, el('h3', {}, '共通部品'), el('div', { class: 'partials' }, ...partials.map(file))),
    !paths.length && el('p', { class: 'empty' }, 'あてはまる文面がありません。'),
  ].filter(Boolean));
  const buttons = all('.file', $('list'));
  const stop = buttons.find(button => button === document.activeElement) ?? buttons.find(button => button.ariaCurrent === 'true') ?? buttons[0];
  buttons.forEach(button => { button.tabIndex = button === stop ? 0 : -1; });
}

function renderLocales() {
  const locales = [...new Set([...state.files.values()].map(file => file.locale))].sort((a, b) => (a === 'ja' ? -1 : a.localeCompare(b)));
  fill($('locales'), locales.map(locale => el('button', {
    type: 'button', class: 'quiet', 'data-locale': locale, 'aria-pressed': String(locale === state.locale), click: () => speak(locale),
  }, LOCALES[locale] ?? locale)));
}

// The same text in the other language, where there is one.
function speak(locale) {
  state.locale = locale;
  const twin = state.open?.replace(/^[^/]+/, locale);
  open(state.files.has(twin) ? twin : ordered()[0] ?? null);
}

function drafts() {
  const paths = [...state.drafts.keys()];
  return paths.length && el('section', { class: 'group' }, el('h3', {}, '下書き'),
    el('div', { class: 'partials' }, ...paths.map(draft)));
}

function draft(path) {
  const name = nameOf(path, state.types);
  return el('div', { class: 'row' },
    el('button', { type: 'button', class: 'draft', 'data-draft': path, title: path, click: () => openDraft(path) }, el('span', { class: 'cut' }, name)),
    el('button', { type: 'button', class: 'quiet', 'data-drop': path, 'aria-label': `下書き「${name}」を消す`, click: () => dropDraft(path) }, '消す'));
}

function openDraft(path) {
  state.locale = path.split('/')[0];
  if (!state.files.has(path)) state.files.set(path, absent(path));
  type(path, state.drafts.get(path));
  open(path);
  document.dispatchEvent(new CustomEvent('opened-draft'));
}

function group(kind, paths) {
  return el('section', { class: 'group' },
    el('h3', {}, kind.title || kind.name, el('small', { class: 'mono' }, kind.name)),
    el('div', { class: 'parts' }, ...paths.map(file)));
}

function file(path) {
  const label = partOf(path) ?? path.split('/')[2].replace(/\.hbs$/, '');
  const counts = Object.keys(SEVERITY).map(severity => [severity, count(path, severity)]).filter(([, n]) => n);
  const typed = state.edits.has(path);
  const spoken = [label, ...counts.map(([severity, n]) => `${SEVERITY[severity]}${n}件`), typed && '変更あり'].filter(Boolean).join('、');
  return el('button', {
    type: 'button', class: `file ${typed ? 'typed' : ''}`, 'data-path': path, 'aria-label': spoken, title: path,
    'aria-current': String(path === state.open), click: () => show(path),
  }, el('span', { class: 'cut' }, label), ...counts.map(([severity, n]) => el('span', { class: `badge ${severity}` }, String(n))));
}

const count = (path, severity) => state.findings.filter(finding => finding.path === path && finding.severity === severity).length;

function show(path) {
  open(path);
  document.dispatchEvent(new CustomEvent('opened'));
}

// The next or the one before, in the order of the list.
export function step(by) {
  const paths = ordered();
  if (!paths.length) return;
  const at = paths.indexOf(state.open);
  open(paths[at < 0 ? 0 : (at + by + paths.length) % paths.length]);
  requestAnimationFrame(() => current()?.scrollIntoView({ block: 'nearest' }));
}

export const current = () => document.querySelector('#list .file[aria-current="true"]');

export function connectList() {
  $('filter').addEventListener('input', () => { state.filter = $('filter').value; changed(); });
  $('filter').addEventListener('keydown', event => {
    if (event.key === 'Enter' && ordered()[0]) show(ordered()[0]);
    if (event.key === 'Escape') { $('filter').value = state.filter = ''; changed(); }
  });
  $('list').addEventListener('keydown', event => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!by || event.altKey || !document.activeElement.matches('.file')) return;
    event.preventDefault();
    step(by);
    requestAnimationFrame(() => current()?.focus());
  });
}
