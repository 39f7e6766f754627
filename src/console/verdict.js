// Are customers being told? One line, from what the worker says of itself and of the last minutes.

import { known, last, sum } from './charts.js';
import { $, el, keyed, mark, write } from './dom.js';
import { count, span, within } from './format.js';
import { stateOf, stateWords } from './gateways.js';
import { STALE } from './live.js';
import { age, store } from './state.js';
import { lang, t } from './words.js';

const MINUTE = 12, FIVE_MINUTES = 60;
// Seconds that an event may wait: the objective's outer limit, and more where nobody waits for a code.
const PATIENCE = { critical: 30, standard: 300 };
// An event waits for a second try at times; a whole minute without acceptance while one waits is no hiccup.
const STUCK = 30;

// `{tone, word, why: [{tone, text, foreign}]}`
export function judge(state, history, silence) {
  if (!state) return { tone: 'unknown', word: 'connecting', why: [] };
  if (silence > STALE) return { tone: 'unknown', word: 'not_known', why: [bad(t('why_unheard', { span: span(Math.floor(silence)) }))] };
  const lanes = state.lanes.map(lane => ({ ...lane, minute: accepted(lane.lane, history, MINUTE) }));
  const stuck = lanes.filter(lane => lane.minute === 0 && lane.oldest_seconds > STUCK && (lane.waiting !== 0 || lane.in_flight > 0));
  const late = lanes.filter(lane => !stuck.includes(lane) && lane.oldest_seconds > (PATIENCE[lane.lane] ?? PATIENCE.standard));
  const givenUp = sum(last(history?.given_up, FIVE_MINUTES));
  const troubles = [
    ...state.problems.map(text => ({ tone: 'bad', text, foreign: true })),
    ...(!state.ready && !state.problems.length ? [bad(t('why_not_ready'))] : []),
    ...(state.ledger.up ? [] : [bad(`${t('why_ledger')}${state.ledger.trouble ? `: ${state.ledger.trouble}` : ''}`)]),
    ...stuck.map(lane => bad(t('why_stuck', { lane: t(lane.lane), span: span(lane.oldest_seconds) }))),
  ];
  const delays = [...late.map(lane => warn(t('why_late', { lane: t(lane.lane), span: span(lane.oldest_seconds) }))), ...slow(lanes)];
  const looks = [
    ...(givenUp ? [warn(t('why_given_up', { count: count(givenUp) }))] : []),
    ...state.gateways.filter(one => stateOf(one) !== 'up').map(one => warn(t('why_gateway', { gateway: one.name, state: stateWords(one) }))),
    ...state.warnings.map(text => ({ tone: 'warn', text, foreign: true })),
  ];
  const minute = sum(lanes.map(lane => lane.minute));
  const why = [...troubles, ...delays, ...looks];
  if (troubles.length) return { tone: 'bad', word: minute > 0 ? 'is_partly' : 'is_not', why };
  if (delays.length) return { tone: 'warn', word: 'is_late', why };
  if (idle(lanes, history)) return { tone: looks.length ? 'warn' : 'calm', word: 'is_idle', why: [...why, calm(t('why_no_events'))] };
  return looks.length ? { tone: 'warn', word: 'is_told_but', why } : { tone: 'good', word: 'is_told', why };
}

const bad = text => ({ tone: 'bad', text });
const warn = text => ({ tone: 'warn', text });
const calm = text => ({ tone: 'calm', text });

// The lane's acceptances in the last steps; null while nothing is known of them.
function accepted(lane, history, steps) {
  const channels = history?.lanes.find(one => one.lane === lane)?.channels ?? [];
  const recent = channels.map(channel => last(channel.accepted, steps));
  return recent.some(known) ? sum(recent.map(sum)) : null;
}

function slow(lanes) {
  const channels = lanes.filter(lane => lane.lane === 'critical').flatMap(lane => lane.channels.map(channel => ({ ...channel, lane: lane.lane })));
  return channels.filter(one => one.p99 > PATIENCE.critical)
    .map(one => warn(t('why_slow', { lane: t(one.lane), channel: t(one.channel), span: within(one.p99) })));
}

function idle(lanes, history) {
  const busy = lanes.some(lane => lane.in_flight || lane.waiting || lane.oldest_seconds > 0);
  return !busy && Boolean(history) && sum(lanes.map(lane => accepted(lane.lane, history, Infinity))) === 0;
}

const SIGNS = {
  good: 'M4 12.5l5 5L20 6.5', calm: 'M6 12h12', unknown: 'M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 18v.01',
  warn: 'M12 4v10M12 19v.01', bad: 'M6 6l12 12M18 6L6 18',
};
const MARKS = { good: '✓', calm: '·', unknown: '?', warn: '!', bad: '✕' };

export function renderVerdict() {
  const verdict = judge(store.state, store.history, age());
  mark($('verdict'), 'data-tone', verdict.tone);
  mark($('verdict').querySelector('path'), 'd', SIGNS[verdict.tone]);
  write($('verdict-word'), t(verdict.word));
  document.title = `${MARKS[verdict.tone]} ${t(verdict.word)} – ${t('name')}`;
  keyed($('verdict-why'), verdict.why.map((one, at) => ({ ...one, at })), {
    key: one => `${one.at} ${one.foreign}`,
    create: one => ({ node: el('li', { lang: one.foreign ? 'en' : null }) }),
    update: (part, one) => { write(part.node, one.text); mark(part.node, 'data-tone', one.tone); },
    edition: lang(),
  });
  renderStale();
}

function renderStale() {
  const stale = age() > STALE && store.session?.reads !== false;
  $('stale').hidden = !stale;
  document.body.classList.toggle('old', Boolean(stale));
  if (stale) write($('stale'), store.heardAt === null ? t('stale_never') : t('stale', { span: span(Math.floor(age())) }));
}
