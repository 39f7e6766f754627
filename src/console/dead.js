// The dead-letter queue: a look into it, and what can be done about a letter.

import { ask } from './api.js';
import { act } from './dialogs.js';
import { $, all, el, fact, mark, write } from './dom.js';
import { count, NOTHING, shortStamp, span, stamp } from './format.js';
import { deadReason, inWords } from './reasons.js';
import { searchEvent } from './search.js';
import { changed, now, store } from './state.js';
import { t } from './words.js';

const LIMIT = 50;
let reason = '', looking = false, error = null, chosen = new Set(), fates = new Map();
let seen = null;    // how many the stream said there were at the last look

// A look takes the queue's letters in hand for a moment, so it is taken on demand, and once by itself when there is something to see.
export async function look() {
  if (looking) return;
  [looking, error, seen] = [true, null, store.state?.dead.waiting ?? null];
  draw();
  try {
    const query = new URLSearchParams({ limit: LIMIT, ...(reason && { reason }) });
    store.dead = { ...(await ask('GET', `/console/dead?${query}`)), at: new Date(now()).toISOString() };
    [chosen, fates] = [new Set(), new Map()];
    seen ??= store.dead.in_queue;
  } catch (caught) {
    error = caught;
  }
  looking = false;
  draw();
  changed();
}

export function renderDead() {
  const waiting = store.state?.dead.waiting;
  if (waiting > 0 && !looking && !error && (!store.dead || (store.dead.in_queue === 0 && seen === 0))) void look();
  if (!looking && !error) write($('dead-message'), message(waiting));
  // Apart from the message, which is read out: a growing queue must not talk without end.
  const differs = store.dead && !looking && typeof waiting === 'number' && waiting !== seen;
  write($('dead-since'), differs ? t('changed_since', { count: count(waiting) }) : '');
}

// Everything anew: after a look, an action, another language.
export function draw() {
  const { letters = [], by_reason: reasons = [] } = store.dead ?? {};
  const held = $('dead-filters').contains(document.activeElement);
  $('dead-look').disabled = looking;
  $('dead-filters').replaceChildren(...(reasons.length || reason ? [chip('', t('all'), store.dead?.in_queue), ...reasons.map(one => chip(one.reason, deadReason(one.reason), one.count))] : []));
  if (held) ($('dead-filters').querySelector('[aria-pressed="true"]') ?? $('dead-title')).focus({ preventScroll: true });
  $('dead-list').replaceChildren(...letters.map(row));
  write($('dead-message'), looking ? t('looking') : error ? inWords(error) : message(store.state?.dead.waiting));
  mark($('dead-message'), 'data-tone', error ? 'bad' : null);
  tools();
}

function message(waiting) {
  if (!store.dead) return waiting === 0 ? t('none_dead') : t('not_looked');
  const { letters, matching, in_queue: queue, at } = store.dead;
  if (!queue) return `${t('none_dead')} (${shortStamp(at, now())})`;
  return t('looked', { at: shortStamp(at, now()), shown: letters.length, matching: count(matching), queue: count(queue) });
}

function chip(code, name, many) {
  const pressed = code === reason;
  const pick = () => { reason = pressed ? '' : code; void look(); };
  return el('button', { type: 'button', class: 'quiet', 'aria-pressed': String(pressed), 'data-test': `dead-filter-${code || 'all'}`, click: pick },
    name, ' ', el('b', null, count(many ?? 0)));
}

// ---- letters -----------------------------------------------------------------------------------------------------

const left = () => (store.dead?.letters ?? []).filter(letter => !fates.has(letter.key));

function row(letter) {
  const fate = fates.get(letter.key);
  const id = letter.event_id ?? t('no_id');
  const button = (word, attributes, click) => el('button', { type: 'button', class: 'quiet', ...attributes, 'aria-label': `${t(word)}: ${id}`, click, title: store.session?.acts || word === 'trace' ? null : t('needs_act') }, t(word));
  const box = el('input', { type: 'checkbox', 'aria-label': t('select_one', { id }), change: event => { event.target.checked ? chosen.add(letter.key) : chosen.delete(letter.key); tools(); } });
  box.checked = chosen.has(letter.key);
  const actions = fate
    ? el('p', { class: 'small fate', 'data-test': 'dead-outcome' }, t(`outcome_${fate.outcome}`), fate.why && el('span', { lang: 'en' }, `: ${fate.why}`))
    : el('div', { class: 'row' }, letter.event_id && button('trace', { 'data-test': 'dead-trace' }, () => searchEvent(letter.event_id)),
      button('replay', { 'data-test': 'dead-replay' }, () => askReplay([letter.key])), button('drop', { class: 'quiet danger', 'data-test': 'dead-drop' }, () => askDrop([letter.key])));
  return el('li', { class: 'letter', 'data-test': 'dead-row', 'data-key': letter.key, 'data-outcome': fate?.outcome },
    fate ? el('span') : box,
    el('details', null,
      el('summary', null, el('span', { class: 'tag bad' }, deadReason(letter.reason)), el('span', { class: 'mono wrap' }, letter.type ?? NOTHING),
        el('span', { class: 'small soft' }, letter.age_seconds === null ? NOTHING : t('ago', { span: span(letter.age_seconds) })), el('span', { class: 'small soft mono wrap' }, id)),
      details(letter)),
    actions);
}

function details(letter) {
  const rows = [
    ['detail', letter.detail, 'en'], ['event_id', letter.event_id], ['source', letter.source], ['lane', letter.lane], ['happened', letter.time && stamp(letter.time)],
    ['died', letter.died_at && stamp(letter.died_at)], ['attempts', letter.attempts], ['deaths', letter.deaths], ['given_up_in', letter.given_up_in],
    ['bytes', letter.bytes === null ? null : `${count(letter.bytes)} B`],
  ];
  return el('dl', { class: 'facts all' }, rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value, lang]) => {
    const one = fact(t(name), { lang });
    write(one.value, value);
    return one.node;
  }));
}

function tools() {
  const free = left();
  const many = free.filter(letter => chosen.has(letter.key)).length;
  $('dead-tools').hidden = !free.length;
  $('dead-all').checked = many > 0 && many === free.length;
  $('dead-all').indeterminate = many > 0 && many < free.length;
  write($('dead-replay-selected'), t('replay_selected', { count: many }));
  write($('dead-drop-selected'), t('drop_selected', { count: many }));
  for (const id of ['dead-replay-selected', 'dead-drop-selected']) $(id).disabled = !many;
}

// ---- actions -----------------------------------------------------------------------------------------------------

const picked = () => left().map(letter => letter.key).filter(key => chosen.has(key));
const askReplay = keys => askAct('replay', keys, false);
const askDrop = keys => askAct('drop', keys, true);

function askAct(what, keys, danger) {
  return act({
    title: t(`act_${what}`, { count: keys.length }), text: t(`act_${what}_text`), confirm: t(what), danger, fallback: () => $('dead-title'),
    run: async why => {
      const { results } = await ask('POST', `/console/dead/${what}`, { keys, reason: why });
      results.forEach(result => fates.set(result.key, result));
      keys.forEach(key => chosen.delete(key));
      draw();
    },
  });
}

export function connectDead() {
  $('dead-look').addEventListener('click', look);
  $('dead-replay-selected').addEventListener('click', () => askReplay(picked()));
  $('dead-drop-selected').addEventListener('click', () => askDrop(picked()));
  $('dead-all').addEventListener('change', ({ target }) => {
    chosen = new Set(target.checked ? left().map(letter => letter.key) : []);
    all('.letter > input', $('dead-list')).forEach(box => { box.checked = target.checked; });
    tools();
  });
  document.addEventListener('session', () => {
    if (!store.session?.reads) [reason, error, seen, chosen, fates] = ['', null, null, new Set(), new Map()];
    draw();
  });
}
