// What the page knows: the files as they are saved, what was typed, and what is shown.

import { ask, debounced } from './dom.js';

export const state = {
  dir: null, brand: {}, types: [],
  files: new Map(),      // path → {path, locale, type, text, version}, as saved
  drafts: new Map(),     // path → text
  edits: new Map(),      // path → text, where it differs from the saved one
  locale: 'ja', open: null, filter: '',
  findings: [], passes: true, checked: false,
  message: null,         // what the last action led to: {text, bad}
  type: null, example: null, own: null,   // own: JSON as typed, or null
  preview: null, good: null, ownProblem: null,
  show: 'source', tab: 'html', width: 'phone', dark: false, mail: 0,
};

const listeners = [];
export const whenChanged = listener => listeners.push(listener);

let scheduled = 0;
export function changed() {
  scheduled ||= requestAnimationFrame(() => {
    scheduled = 0;
    listeners.forEach(listener => listener());
  });
}

// ---- texts -------------------------------------------------------------------------------------------------------

// A text area knows line feeds only; what was saved with carriage returns is saved so again.
const lines = text => text.replace(/\r\n?/g, '\n');
const asSaved = (path, text) => (state.files.get(path)?.text.includes('\r\n') ? text.replace(/\n/g, '\r\n') : text);

export const saved = path => lines(state.files.get(path)?.text ?? '');
export const textOf = path => state.edits.get(path) ?? saved(path);

export function type(path, text) {
  if (text === saved(path) && state.files.has(path)) state.edits.delete(path);
  else state.edits.set(path, text);
  state.message = null;
  changed();
  lookAgain();
}

export function revert(path) {
  state.edits.delete(path);
  changed();
  lookAgain();
}

export const edited = () => [...state.edits].map(([path, text]) => [path, asSaved(path, text)]);

export async function readState() {
  const { ok, value } = await ask('/api/state');
  if (!ok) return void tell(value.detail ?? '', true);
  Object.assign(state, { dir: value.dir, brand: value.brand, types: value.types });
  state.files = new Map(value.files.map(file => [file.path, mine(file)]));
  state.drafts = new Map(value.drafts.map(draft => [draft.path, lines(draft.text)]));
  for (const [path, text] of state.edits) {
    if (!state.files.has(path)) state.files.set(path, absent(path));
    else if (text === saved(path)) state.edits.delete(path);
  }
  if (!state.files.has(state.open)) open(ordered()[0] ?? null);
  changed();
}

// The saved text that an edit began with stays its base: if another came meanwhile, saving says so.
function mine(file) {
  const known = state.files.get(file.path);
  return state.edits.has(file.path) && known ? known : file;
}

// Typed, but not on disk: a draft of something new, or somebody removed the file.
export function absent(path) {
  const [locale, folder] = path.split('/');
  return { path, locale, type: folder === '_partials' ? null : folder, text: '', version: null };
}

// ---- which one ---------------------------------------------------------------------------------------------------

// The paths of a locale as the list shows them.
export function ordered() {
  const of = files => [...files].map(file => file.path);
  const here = [...state.files.values()].filter(file => file.locale === state.locale && matches(file.path));
  const templates = state.types.flatMap(type => Object.keys(PART_ORDER).map(part => `${state.locale}/${type.name}/${part}`));
  const known = new Set(of(here));
  return [...templates.filter(path => known.has(path)), ...of(here.filter(file => !file.type))];
}
const PART_ORDER = { 'sms.hbs': 0, 'email.subject.hbs': 1, 'email.txt.hbs': 2, 'email.html.hbs': 3 };

function matches(path) {
  const wanted = state.filter.trim().toLowerCase();
  if (!wanted) return true;
  const title = state.types.find(type => type.name === path.split('/')[1])?.title ?? '';
  return [path, title, textOf(path)].some(text => text.toLowerCase().includes(wanted));
}

export function open(path) {
  state.open = path;
  const type = state.files.get(path)?.type;
  const shown = type ? [type] : users(path);
  if (!state.type || (shown.length && !shown.includes(state.type))) choose(shown[0]);
  changed();
}

export function choose(type, example = null) {
  if (type !== state.type) state.mail = 0;
  state.type = type ?? state.types[0]?.name;
  const known = state.types.find(one => one.name === state.type)?.examples ?? [];
  state.example = known.some(one => one.id === example) ? example : known[0]?.id ?? null;
  state.own = null;
  changed();
  look();
}

// ---- who uses what -----------------------------------------------------------------------------------------------

export function calls(path) {
  const names = [...textOf(path).matchAll(/\{\{~?#?>\s*([\w.-]+)/g)].map(([, name]) => name);
  const file = name => ['', '.txt', '.html'].map(kind => `${path.split('/')[0]}/_partials/${name}${kind}.hbs`);
  return [...new Set(names.flatMap(file))].filter(other => state.files.has(other));
}

export const callers = path => [...state.files.keys()].filter(other => calls(other).includes(path));

// The templates whose texts a file is in, however deep.
export function reaches(path) {
  const seen = new Set([path]);
  for (const one of seen) callers(one).forEach(other => seen.add(other));
  return [...seen].filter(one => state.files.get(one)?.type);
}

const users = path => [...new Set(reaches(path).map(one => state.files.get(one).type))];

// ---- questions ---------------------------------------------------------------------------------------------------

let lookedAt = 0, checkedAt = 0;
const look = debounced(() => void preview(), 30);
const lookSoon = debounced(() => void preview(), 160);
const checkSoon = debounced(() => void check(), 350);

export function lookAgain() {
  lookSoon();
  checkSoon();
}

async function preview() {
  if (!state.type) return;
  const question = ++lookedAt;
  let data;
  if (state.own !== null) {
    try { data = JSON.parse(state.own); } catch (error) { return void ownProblem(`JSON として読めません。${error.message}`); }
  }
  const asked = { changes: Object.fromEntries(edited()), locale: shownLocale(), type: state.type };
  const { ok, value } = await reached(ask('/api/preview', data === undefined ? { ...asked, example: state.example } : { ...asked, data }));
  if (question !== lookedAt) return;
  if (!ok) return void (value.reason === 'data' ? ownProblem(value.detail) : tell(value, true));
  state.ownProblem = null;
  state.preview = value;
  state.good = good(value, JSON.stringify([asked.locale, asked.type, data ?? state.example]));
  changed();
}

// The last messages of this very example that could be sent.
function good(now, key) {
  const before = state.good?.key === key ? state.good.messages : [];
  if (now.stale) return { key, messages: before };
  return { key, messages: now.messages.map((one, at) => (one.failed ? before[at] ?? one : one)) };
}

// A type that is not translated is read in Japanese.
const shownLocale = () => (state.files.has(`${state.locale}/${state.type}/sms.hbs`) ? state.locale : 'ja');

function ownProblem(text) {
  state.ownProblem = text;
  changed();
}

export async function check() {
  const question = ++checkedAt;
  const { ok, value } = await reached(ask('/api/check', { changes: Object.fromEntries(edited()) }));
  if (question !== checkedAt) return;
  if (!ok) return void tell(value, true);
  Object.assign(state, { findings: value.findings, passes: value.passes, checked: true });
  changed();
}

export const reached = answer => answer.catch(() => ({ ok: false, status: 0, value: { reason: 'offline' } }));

export function tell(message, bad = false) {
  state.message = message ? { message, bad } : null;
  changed();
}
