// The traffic picture: acceptances and time to acceptance of each lane and channel, and the objective.

import { countScale, createChart, draw, known, last, sum, timeScale } from './charts.js';
import { $, el, fact, keyed, mark, write } from './dom.js';
import { count, NOTHING, percent, span, within } from './format.js';
import { store } from './state.js';
import { lang, t } from './words.js';

const MINUTE = 12;
const LIMITS = [{ limit: 5, target: .99, key: 'within_5s' }, { limit: 30, target: .999, key: 'within_30s' }];

export function renderTraffic() {
  if (!store.state) return;
  renderObjective(store.state.objective);
  keyed($('lanes'), store.state.lanes, { key: lane => lane.lane, create: createLane, update: updateLane, edition: lang() });
}

// ---- objective ---------------------------------------------------------------------------------------------------

function renderObjective(objective) {
  keyed($('objective'), LIMITS, { key: one => one.key, create: createLimit, update: (part, one) => updateLimit(part, one, objective), edition: lang() });
}

function createLimit({ limit, target, key }) {
  const [share, verdict, of] = [el('b'), el('span', { class: 'tag' }), el('span', { class: 'soft small' })];
  const [meter, aim] = [el('i'), el('b', { class: 'aim' })];
  aim.style.left = `${place(target)}%`;
  const node = el('div', { class: 'limit', 'data-test': `objective-${key}` },
    el('p', null, el('span', null, `${t('objective')}: ${t('within_limit', { limit })}`), share, verdict),
    el('div', { class: 'meter', 'aria-hidden': 'true' }, meter, aim),
    el('p', { class: 'small soft' }, `${t('target', { share: percent(target) })} · `, of));
  return { node, share, verdict, of, meter };
}

function updateLimit(part, { target, key }, objective) {
  const share = objective[key];
  const state = share === null ? 'no_data' : share >= target ? 'met' : 'missed';
  write(part.share, percent(share));
  write(part.verdict, `${{ met: '✓ ', missed: '✕ ', no_data: '' }[state]}${t(state)}`);
  mark(part.node, 'data-state', state);
  write(part.of, t('objective_of', { count: count(objective.total) }));
  part.meter.style.width = `${share === null ? 0 : place(share)}%`;
}

// From 95% to 100%: where the objectives live.
const place = share => Math.max(2, (share - .95) * 2000);

// ---- lanes -------------------------------------------------------------------------------------------------------

function createLane(lane) {
  const [waiting, flight, oldest] = ['waiting', 'in_flight', 'oldest'].map(name => fact(t(name)));
  const channels = el('div', { class: 'channels' });
  const title = `lane-title-${lane.lane}`;
  const node = el('section', { class: 'lane', 'data-test': `lane-${lane.lane}`, 'aria-labelledby': title },
    el('div', { class: 'lane-head' }, el('h3', { id: title }, t(lane.lane), ' ', el('small', { class: 'soft mono' }, t(lane.lane) === lane.lane ? '' : lane.lane)),
      el('dl', { class: 'facts' }, waiting.node, flight.node, oldest.node)), channels);
  return { node, waiting, flight, oldest, channels };
}

function updateLane(part, lane) {
  write(part.waiting.value, count(lane.waiting));
  write(part.flight.value, count(lane.in_flight));
  write(part.oldest.value, lane.oldest_seconds > 0 ? span(lane.oldest_seconds) : NOTHING);
  mark(part.oldest.value, 'data-tone', lane.oldest_seconds > 30 ? 'warn' : null);
  const channels = lane.channels.map(channel => ({ ...channel, lane: lane.lane }));
  keyed(part.channels, channels, { key: one => one.channel, create: createChannel, update: updateChannel, edition: lang() });
}

function createChannel({ lane, channel }) {
  const minute = el('b');
  const [p50, p99, total] = ['p50', 'p99', 'since_start'].map(name => fact(t(name)));
  const accepted = createChart(['area accepted'], 'tall');
  const times = createChart(['line p50', 'line p99'], 'times');
  const node = el('article', { class: 'card channel', 'data-test': `lane-${lane}-${channel}`, 'aria-label': `${t(lane)} ${t(channel)}` },
    el('div', { class: 'channel-head' }, el('h4', null, t(channel)), el('p', null, minute, ' ', el('span', { class: 'small soft' }, t('last_minute')))),
    accepted.node, times.node,
    el('p', { class: 'small soft legend' }, `${t('to_acceptance')} (${t('five_minutes')})`, el('i', { class: 'key p50' }), t('p50'), el('i', { class: 'key p99' }), t('p99')),
    el('dl', { class: 'facts' }, p50.node, p99.node, total.node));
  return { node, minute, p50, p99, total, accepted, times, history: null };
}

function updateChannel(part, channel) {
  const past = pastOf(channel);
  write(part.minute, known(last(past?.accepted, MINUTE)) ? count(sum(last(past.accepted, MINUTE))) : NOTHING);
  write(part.p50.value, within(channel.p50));
  write(part.p99.value, within(channel.p99));
  mark(part.p99.value, 'data-tone', channel.p99 > 30 ? 'bad' : channel.p99 > 5 ? 'warn' : null);
  write(part.total.value, count(channel.accepted));
  if (!past || part.history === store.history) return;
  part.history = store.history;
  drawChannel(part, channel, past);
}

const pastOf = ({ lane, channel }) => store.history?.lanes.find(one => one.lane === lane)?.channels.find(one => one.channel === channel);

function drawChannel(part, channel, past) {
  const what = `${t(channel.lane)} ${t(channel.channel)}`;
  const common = { end: Date.parse(store.history.end), step: store.history.step_seconds };
  const counts = countScale(past.accepted);
  const top = count(counts.most);
  draw(part.accepted, {
    ...common, series: [past.accepted], scale: counts.scale, top: t('per_step', { count: top }),
    label: t('chart_accepted', { what, minute: count(sum(last(past.accepted, MINUTE))), all: count(sum(past.accepted)), top }),
    say: ([value]) => t('step_accepted', { count: count(value) }),
  });
  draw(part.times, {
    ...common, series: [past.p50, past.p99], scale: timeScale(past.p99).scale, rules: LIMITS.map(one => ({ value: one.limit, name: span(one.limit) })),
    label: t('chart_times', { what, p50: within(channel.p50), p99: within(channel.p99) }),
    say: ([p50, p99]) => t('step_times', { p50: within(p50), p99: within(p99) }),
  });
}
