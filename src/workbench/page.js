// The page as a whole: what is drawn when, and its keys.

import { $, all } from './dom.js';
import { connectEditor, renderEditor } from './editor.js';
import { connectList, current, renderList, step } from './list.js';
import { connectMail } from './mail.js';
import { connectPreview, renderPreview } from './preview.js';
import { connectSaving, keepDraft, renderActions, save } from './saving.js';
import { check, choose, lookAgain, readState, state, whenChanged } from './state.js';

function view(name) {
  document.body.dataset.view = name;
  all('#views button').forEach(button => button.setAttribute('aria-current', String(button.dataset.view === name)));
}

// Keys that work wherever the focus is; letters only where nothing is typed.
function key(event) {
  const held = event.ctrlKey || event.metaKey;
  const typing = event.target.matches('textarea, input, select');
  if (document.querySelector('dialog[open]')) return;
  const act = action => { event.preventDefault(); action(); };
  if (held && event.key.toLowerCase() === 's') return act(event.shiftKey ? keepDraft : save);
  if (event.altKey && event.key === 'ArrowDown') return act(() => step(1));
  if (event.altKey && event.key === 'ArrowUp') return act(() => step(-1));
  if (event.key === 'Escape' && event.target === $('source')) return act(() => current()?.focus());
  if (typing || held || event.altKey) return;
  if (event.key === 'j') return act(() => step(1));
  if (event.key === 'k') return act(() => step(-1));
  if (event.key === '/') return act(() => { view('files'); $('filter').focus(); });
  if (event.key === 'Enter' && event.target.matches('.file[aria-current="true"]')) return act(() => { view('edit'); requestAnimationFrame(() => $('source').focus()); });
}

function connect() {
  for (const each of [connectList, connectEditor, connectPreview, connectMail, connectSaving]) each();
  document.addEventListener('keydown', key);
  document.addEventListener('opened', () => view('edit'));
  document.addEventListener('opened-draft', () => { view('edit'); lookAgain(); });
  document.addEventListener('jumped', ({ detail: finding }) => {
    view('edit');
    if (finding.type && finding.example) choose(finding.type, finding.example);
  });
  all('#views button').forEach(button => button.addEventListener('click', () => { view(button.dataset.view); renderPreview(); }));
  document.querySelector('.skip').addEventListener('click', event => { event.preventDefault(); view('edit'); $('source').focus(); });
  for (const render of [renderActions, renderList, renderEditor, renderPreview]) whenChanged(render);
}

connect();
view('edit');
await readState();
await check();
if (state.open) current()?.scrollIntoView({ block: 'nearest' });
