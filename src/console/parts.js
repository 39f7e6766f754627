// The other parts that may be at fault: retries, events given up, the ledger, the canary.

import { $, el, fact, keyed, mark, write } from './dom.js';
import { ago, count, NOTHING, span, within } from './format.js';
import { deadReason } from './reasons.js';
import { now, store } from './state.js';
import { lang, t } from './words.js';

export function renderParts() {
  if (!store.state) return;
  renderRetries();
  renderGivenUp();
  facts('ledger', ledgerFacts(store.state.ledger));
  facts('canary', canaryFacts(store.state.canary));
}

// ---- bars --------------------------------------------------------------------------------------------------------

// Rows of `{key, name, value, test}`; null is not known, which is not the same as none. `peak` is as long as the room.
function bars(box, rows, empty, peak = 0) {
  const most = Math.max(1, peak, ...rows.map(row => row.value ?? 0));
  const shown = rows.length ? rows : [{ key: '', name: empty, value: undefined }];
  keyed(box, shown, { key: row => row.key, create: createBar, update: (part, row) => updateBar(part, row, most), edition: lang() });
}

function createBar({ test }) {
  const [name, value, bar] = [el('span', { class: 'bar-name' }), el('b'), el('i')];
  const track = el('span', { class: 'track', 'aria-hidden': 'true' }, bar);
  return { node: el('p', { class: 'bar', 'data-test': test }, name, track, value), name, value, track, bar };
}

function updateBar(part, { name, value, tone }, most) {
  write(part.name, name);
  write(part.value, value === null ? t('unknown_count') : value === undefined ? '' : count(value));
  part.track.hidden = value === undefined;
  part.bar.style.width = `${value ? Math.max(3, (value / most) * 100) : 0}%`;
  mark(part.node, 'data-tone', value ? tone : null);
}

function renderRetries() {
  const most = Math.max(...store.state.lanes.flatMap(({ retry }) => retry.map(step => step.waiting ?? 0)));
  keyed($('retries'), store.state.lanes, {
    key: ({ lane }) => lane,
    create: ({ lane }) => { const list = el('div'); return { node: el('div', { class: 'retry' }, el('h4', { class: 'small' }, t(lane)), list), list }; },
    update: ({ list }, { lane, retry }) => bars(list, retry.map(({ step_seconds: step, waiting }) => ({
      key: String(step), name: span(step), value: waiting, tone: 'warn', test: `retry-${lane}-${step}`,
    })), t('no_retries'), most),
    edition: lang(),
  });
}

function renderGivenUp() {
  const { waiting, by_reason: reasons } = store.state.dead;
  const rows = [...reasons].filter(one => one.count > 0).sort((one, other) => other.count - one.count)
    .map(({ reason, count: value }) => ({ key: reason, name: deadReason(reason), value, tone: 'bad', test: `given-up-${reason}` }));
  bars($('given-up'), rows, t('none_given_up'));
  write($('dead-waiting'), t('in_dead_queue', { count: count(waiting) }));
}

// ---- facts -------------------------------------------------------------------------------------------------------

function facts(id, rows) {
  keyed($(id), rows, {
    key: row => row.name,
    create: row => { const one = fact(row.name); return { node: el('dl', { class: 'facts' }, one.node), value: one.value }; },
    update: (part, row) => { write(part.value, row.value); mark(part.value, 'data-tone', row.tone); mark(part.value, 'lang', row.foreign ? 'en' : null); },
    edition: lang(),
  });
}

function ledgerFacts({ up, trouble, commit_p99: commit }) {
  return [
    { name: t('ledger'), value: up ? `✓ ${t('ledger_up')}` : `✕ ${t('ledger_down')}`, tone: up ? 'good' : 'bad' },
    ...(trouble ? [{ name: t('detail'), value: trouble, tone: 'bad', foreign: true }] : []),
    { name: t('commit'), value: within(commit), tone: commit > .5 ? 'warn' : null },
  ];
}

// Sent every minute: after three nobody can call it late.
const SILENT = 180;

function canaryFacts(canary) {
  if (!canary) return [{ name: t('canary'), value: t('canary_none') }];
  const back = canary.last_accepted;
  const late = !back || (now() - Date.parse(back)) / 1000 > SILENT;
  return [
    { name: t('canary_back'), value: back ? `${late ? '✕' : '✓'} ${ago(back, now())}` : t('canary_never'), tone: late ? 'bad' : 'good' },
    { name: t('round_trip'), value: canary.round_trip_seconds === null ? NOTHING : span(canary.round_trip_seconds) },
  ];
}
