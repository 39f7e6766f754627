// Saving what passes, keeping drafts, and what to do when somebody else was there.

import { $, ask, el } from './dom.js';
import { diffOf } from './diff.js';
import { absent, changed, check, edited, lookAgain, reached, readState, revert, state, tell, textOf } from './state.js';
import { nameOf, reason } from './words.js';

let conflicts = [];

export function renderActions() {
  const typed = state.edits.size;
  $('save').disabled = !typed;
  $('draft').disabled = !state.edits.has(state.open);
  $('revert').disabled = !state.edits.has(state.open);
  $('save').firstChild.textContent = typed > 1 ? `${typed}件を保存` : '保存';
  const { message, bad } = state.message ?? {};
  $('verdict').dataset.tone = state.message ? (bad ? 'bad' : 'good') : typed ? 'warn' : '';
  $('verdict').textContent = state.message ? (typeof message === 'string' ? message : reason(message)) : typed ? `保存していない変更 ${typed}件` : '';
  $('where').textContent = state.dir ?? '内蔵の文面です。変更はこのコマンドが終わると消えます。自社用は「shirase init フォルダー」で書き出せます。';
  $('where').dataset.builtIn = String(!state.dir);
  $('where').title = $('where').textContent;
}

export async function save() {
  if ($('save').disabled) return;
  const sent = edited();
  $('save').disabled = true;
  const base = path => state.files.get(path)?.version ?? null;
  const { ok, value } = await reached(ask('/api/save', { changes: sent.map(([path, text]) => ({ path, text, base: base(path) })) }));
  if (ok) return done(sent);
  tell(value, true);
  if (value.reason === 'conflict') showConflict(value.conflicts);
  if (value.reason === 'findings') {
    Object.assign(state, { findings: value.findings, passes: value.passes, checked: true });
    changed();
    $('findings').focus();
  }
}

// What was typed meanwhile stays an edit.
async function done(sent) {
  for (const [path, text] of sent) {
    state.files.set(path, { ...(state.files.get(path) ?? absent(path)), text });
    if (textOf(path) === text.replace(/\r\n?/g, '\n')) state.edits.delete(path);
  }
  // The base of what is still being typed is what was just saved.
  const typing = new Map(state.edits);
  state.edits.clear();
  await readState();
  state.edits = typing;
  tell(sent.length > 1 ? `${sent.length}件を保存しました。` : '保存しました。');
  lookAgain();
}

export async function keepDraft() {
  const path = state.open;
  if (!state.edits.has(path)) return;
  const [, text] = edited().find(([one]) => one === path);
  const { ok, value } = await reached(ask('/api/draft', { path, text }, 'PUT'));
  if (!ok) return tell(value, true);
  state.edits.delete(path);
  await readState();
  tell('下書きに残しました。お客さまに送る文面は変わりません。');
  lookAgain();
}

export async function dropDraft(path) {
  if (!confirm(`下書き「${nameOf(path, state.types)}」を消しますか。元には戻せません。`)) return;
  const { ok, value } = await reached(ask('/api/draft', { path }, 'DELETE'));
  if (!ok) return tell(value, true);
  await readState();
  tell('下書きを消しました。');
}

// ---- somebody else was there -------------------------------------------------------------------------------------

function showConflict(found) {
  conflicts = found;
  $('conflict-files').replaceChildren(...found.map(({ path, text }) => el('section', {}, el('h3', {}, nameOf(path, state.types)),
    text === null ? el('p', {}, 'ディスクから消されています。') : el('div', {}, el('p', { class: 'small soft' }, '− ディスクの文面　＋ 自分の文面'), diffOf(text, textOf(path))))));
  $('conflict').showModal();
}

// Takes note of what is on disk; with `mine` the typed text stays, as a change of that.
function settle(mine) {
  for (const { path, text, version } of conflicts) {
    const known = state.files.get(path);
    state.files.set(path, { ...known, text: text ?? '', version });
    if (!mine) state.edits.delete(path);
  }
  $('conflict').close();
  tell(null);
  lookAgain();
  $('source').focus();
}

export function connectSaving() {
  $('save').addEventListener('click', save);
  $('draft').addEventListener('click', keepDraft);
  $('revert').addEventListener('click', () => revert(state.open));
  $('conflict-theirs').addEventListener('click', () => settle(false));
  $('conflict-mine').addEventListener('click', () => settle(true));
  $('conflict-close').addEventListener('click', () => $('conflict').close());
  addEventListener('beforeunload', event => { if (state.edits.size) event.preventDefault(); });
  // Somebody may have been at the files meanwhile.
  addEventListener('focus', async () => { await readState(); await check(); });
}
