// Gateways: how each is, what it failed with last, and taking one out of use for a while.

import { ask, Refused } from './api.js';
import { countScale, createChart, draw, sum } from './charts.js';
import { act } from './dialogs.js';
import { $, el, fact, keyed, mark, write } from './dom.js';
import { ago, count, shortStamp, within } from './format.js';
import { attemptReason, stateWord } from './reasons.js';
import { changed, now, store } from './state.js';
import { lang, t } from './words.js';

// The worst that can be said of it, a person's decision first.
export function stateOf(gateway) {
  if (gateway.drained) return 'drained';
  if (gateway.circuit !== 'closed') return gateway.circuit;
  return gateway.up ? 'up' : 'down';
}
export const stateWords = gateway => t(`gateway_${stateOf(gateway)}`);

const SIGNS = { up: '✓', down: '✕', open: '✕', half_open: '…', drained: '‖' };

export function renderGateways() {
  if (!store.state) return;
  keyed($('gateways'), store.state.gateways, { key: one => one.name, create: createGateway, update: updateGateway, edition: lang() });
  $('no-controls').hidden = store.session?.controls !== false;
}

function createGateway({ name, channel }) {
  const state = el('span', { class: 'tag', 'data-test': `gateway-${name}-state` });
  const drained = el('p', { class: 'small', hidden: true });
  const [accepted, failed, took, circuit] = ['accepted', 'failed', 'took', 'circuit'].map(word => fact(t(word)));
  const [error, detail] = [el('p', { class: 'small' }), el('p', { class: 'small soft mono wrap', lang: 'en' })];
  const [drain, resume] = [['drain', askDrain], ['resume', askResume]].map(([word, action]) =>
    el('button', { type: 'button', class: 'quiet', 'data-test': `${word}-${name}`, 'aria-label': `${t(word)}: ${name}`, click: () => action(name) }, t(word)));
  const chart = createChart(['area accepted', 'area failed'], 'short');
  const node = el('li', { class: 'card gateway', 'data-test': `gateway-${name}` },
    el('div', { class: 'gateway-head' }, el('h4', null, name, ' ', el('small', { class: 'soft' }, t(channel))), state, drain, resume),
    drained, chart.node, el('dl', { class: 'facts' }, accepted.node, failed.node, took.node, circuit.node),
    el('div', { class: 'error' }, error, detail));
  return { node, state, drained, accepted, failed, took, circuit, error, detail, drain, resume, chart, history: null };
}

function updateGateway(part, gateway) {
  const state = stateOf(gateway);
  mark(part.node, 'data-state', state);
  mark(part.state, 'data-state', state);
  write(part.state, `${SIGNS[state]} ${stateWords(gateway)}`);
  part.drained.hidden = !gateway.drained;
  if (gateway.drained) write(part.drained, t('drained_until', { ...gateway.drained, until: shortStamp(gateway.drained.until, now()) }));
  write(part.accepted.value, count(gateway.accepted));
  write(part.failed.value, count(gateway.failed));
  write(part.took.value, within(gateway.p99));
  write(part.circuit.value, t(gateway.circuit));
  updateError(part, gateway.last_error);
  const offered = store.session?.controls !== false;
  part.drain.hidden = !offered || Boolean(gateway.drained);
  part.resume.hidden = !offered || !gateway.drained;
  for (const button of [part.drain, part.resume]) mark(button, 'title', store.session?.acts ? null : t('needs_act'));
  drawGateway(part, gateway);
}

function updateError(part, error) {
  if (!error) write(part.error, t('no_error'));
  else write(part.error, `${t('last_error')} ${ago(error.at, now())}: ${[stateWord(error.outcome), error.reason && attemptReason(error.reason)].filter(Boolean).join(' – ')}`);
  write(part.detail, error?.detail ?? '');
}

function drawGateway(part, { name }) {
  const past = store.history?.gateways.find(one => one.name === name);
  if (!past || part.history === store.history) return;
  part.history = store.history;
  const counts = countScale(past.accepted, past.failed);
  const said = (accepted, failed) => ({ accepted: count(accepted), failed: count(failed) });
  draw(part.chart, {
    series: [past.accepted, past.failed.map(value => value || null)], scale: counts.scale, top: t('per_step', { count: count(counts.most) }),
    end: Date.parse(store.history.end), step: store.history.step_seconds,
    label: t('chart_gateway', { what: name, ...said(sum(past.accepted), sum(past.failed)) }),
    say: ([accepted, failed]) => t('step_gateway', said(accepted, failed ?? 0)),
  });
}

// ---- controls ----------------------------------------------------------------------------------------------------

const FOR = [['5m', 'minutes', 5], ['15m', 'minutes', 15], ['1h', 'hour', 1], ['4h', 'hours', 4], ['12h', 'hours', 12]];
const button = (word, name) => $('gateways').querySelector(`[data-test="${word}-${CSS.escape(name)}"]`);
const path = (name, what) => `/console/gateways/${encodeURIComponent(name)}/${what}`;

function askDrain(gateway) {
  const long = el('select', { 'data-test': 'drain-for' }, FOR.map(([value, word, n]) => el('option', { value, selected: value === '15m' }, t(word, { n }))));
  const last = el('input', { type: 'checkbox', 'data-test': 'drain-even-last' });
  const more = [el('label', null, el('span', null, t('drain_for')), long), el('label', { class: 'check' }, last, el('span', null, t('even_the_last')))];
  return act({
    title: t('act_drain', { gateway }), text: t('act_drain_text'), confirm: t('drain'), more, fallback: () => button('resume', gateway),
    run: async reason => learn(gateway, await ask('POST', path(gateway, 'drain'), { for: long.value, reason, even_the_last: last.checked }).catch(lastWayOut)),
  });
}

function lastWayOut(error) {
  if (error.code === 'conflict') throw new Refused(error.status, 'last_way_out', error.message);
  throw error;
}

function askResume(gateway) {
  return act({
    title: t('act_resume', { gateway }), text: t('act_resume_text'), confirm: t('resume'), asksReason: false, fallback: () => button('drain', gateway),
    run: async () => learn(gateway, await ask('POST', path(gateway, 'resume'), {})),
  });
}

// The stream says the same within a second; the button should not say otherwise until then.
function learn(name, { drained }) {
  const gateway = store.state?.gateways.find(one => one.name === name);
  if (gateway) gateway.drained = drained;
  changed();
}
