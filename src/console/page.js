// The page as a whole: what is drawn when, who looks at it, and its keys.

import { readSession, signOut } from './api.js';
import { connectDead, draw as drawDead, renderDead } from './dead.js';
import { askToken, connectDialogs, nameToken } from './dialogs.js';
import { $, all, mark, write } from './dom.js';
import { shortStamp } from './format.js';
import { renderGateways } from './gateways.js';
import { watch } from './live.js';
import { renderParts } from './parts.js';
import { connectSearch, draw as drawSearch } from './search.js';
import { changed, now, store, whenChanged } from './state.js';
import { renderTraffic } from './traffic.js';
import { renderVerdict } from './verdict.js';
import { lang, speak, t } from './words.js';

// The words that stand in the page itself.
function name() {
  document.documentElement.lang = lang();
  all('[data-word]').forEach(node => write(node, t(node.dataset.word)));
  all('[data-word-label]').forEach(node => mark(node, 'aria-label', t(node.dataset.wordLabel)));
  all('[data-word-placeholder]').forEach(node => mark(node, 'placeholder', t(node.dataset.wordPlaceholder)));
  for (const id of ['lang', 'token-lang']) {
    write($(id), lang() === 'ja' ? 'English' : '日本語');
    mark($(id), 'lang', lang() === 'ja' ? 'en' : 'ja');
  }
  nameToken();
  drawDead();
  drawSearch();
}

function switchLanguage() {
  speak(lang() === 'ja' ? 'en' : 'ja');
  name();
  changed();
}

function renderSession() {
  const { who, reads = false, acts = false, company = '' } = store.session ?? {};
  $('main').hidden = !reads;
  write($('company'), company);
  const known = who && who !== 'loopback';
  write($('who'), who === 'loopback' ? t('this_machine') : known ? (acts ? who : t('reads_only', { who })) : '');
  $('sign-in').hidden = acts || !store.session;
  $('sign-out').hidden = !known;
  const worker = store.state?.worker;
  write($('worker'), worker ? t('worker', { version: worker.version, templates: worker.templates, started: shortStamp(worker.started_at, now()) }) : '');
}

function gate() {
  if (store.session && !store.session.reads) void askToken('token_to_read');
}

// Letters are keys only where nothing is typed.
function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape' && event.target === $('search-input')) return $('search-input').blur();
  if (event.target.matches('input, select, textarea')) return;
  if (event.key === '/' && store.session?.reads) {
    event.preventDefault();
    $('search-input').focus();
    $('customer').scrollIntoView({ block: 'start' });
  }
}

function connect() {
  for (const each of [connectDialogs, connectDead, connectSearch]) each();
  for (const id of ['lang', 'token-lang']) $(id).addEventListener('click', switchLanguage);
  $('sign-in').addEventListener('click', () => askToken(store.session?.reads ? 'token_to_act' : 'token_to_read'));
  $('sign-out').addEventListener('click', () => signOut().catch(changed));
  document.addEventListener('keydown', key);
  document.addEventListener('session', gate);
  for (const render of [renderSession, renderVerdict, renderTraffic, renderGateways, renderParts, renderDead]) whenChanged(render);
}

// The worker may be starting: the page waits for it and says so.
async function firstSession() {
  for (;;) {
    try { return await readSession(); } catch { await new Promise(resolve => { setTimeout(resolve, 2_000); }); }
    changed();
  }
}

connect();
name();
changed();
await firstSession();
watch();
