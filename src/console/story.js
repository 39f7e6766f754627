// The story of an event: what became of each notification, from the event to its end.

import { el, fact, write } from './dom.js';
import { instant, span, stamp } from './format.js';
import { attemptReason, deadReason, stateWord } from './reasons.js';
import { strip } from './strip.js';
import { SIGNS, targetName, toneOf } from './tones.js';
import { t } from './words.js';

// Of many stories the first few are open: the others are read by their heads first.
const OPEN = 3;

export function story(one, at) {
  const title = `story-${at}`;
  const started = instant(one.time);
  const paths = one.notifications.map(notification => ({ notification, steps: stepsOf(notification) }));
  return el('article', { class: 'card story', 'data-test': 'story', 'data-event': one.event_id, 'data-state': one.state, 'aria-labelledby': title },
    el('details', { open: at < OPEN }, head(one, title, paths, started), body(one, paths, started)));
}

function head(one, title, paths, started) {
  return el('summary', null,
    el('span', { class: 'title' }, el('h3', { id: title, class: 'mono wrap' }, one.type), el('time', { datetime: one.time, class: 'small soft' }, stamp(one.time, 0)),
      tag(one.state, ['dead', 'held_back'].includes(one.state) && one.reason ? reasonOf(one) : null)),
    el('span', { class: 'sentence' }, paths.map(path => summary(path, started))));
}

function body(one, paths, started) {
  return [
    facts([['event_id', one.event_id], ['source', one.source], ['lane', one.lane], one.deaths > 0 && ['deaths', one.deaths]], 'mono'),
    paths.length ? strip(started, instant(one.first_seen), paths) : null,
    el('ol', { class: 'timeline' }, [item('happened', t('happened'), one.time, started), item('first_seen', t('first_seen'), one.first_seen, started)]),
    paths.length ? paths.map(path => notificationOf(path, started)) : el('p', { class: 'soft' }, t('no_notifications')),
    el('ol', { class: 'timeline' }, item(one.state, t('closed_at'), one.updated_at, started, [stateWord(one.state), one.reason && reasonOf(one)])),
  ];
}

const reasonOf = one => (one.state === 'held_back' ? attemptReason : deadReason)(one.reason);

function tag(state, reason) {
  const tone = toneOf(state);
  return el('span', { class: `tag ${tone}`, 'data-state': state }, `${SIGNS[tone]} ${stateWord(state)}${reason ? `: ${reason}` : ''}`);
}

const accepted = ({ steps }) => steps.filter(step => step.state === 'accepted').at(-1);

function summary(path, started) {
  const { notification } = path;
  const when = accepted(path);
  const took = when && ['accepted', 'delivered'].includes(notification.state) ? ` (${after(when.ends, started)})` : '';
  const tone = toneOf(notification.state);
  const reason = notification.reason ? `: ${attemptReason(notification.reason)}` : '';
  return el('span', { class: 'part', 'data-tone': tone }, `${SIGNS[tone]} ${targetName(notification.target)} – ${stateWord(notification.state)}${reason}${took}`);
}

// ---- steps -------------------------------------------------------------------------------------------------------

// Attempts and receipts in the order in which they came, and what is still to come. `ends` is when it was known.
function stepsOf(one) {
  const attempts = one.attempts.map(attempt => ({ ...attempt, kind: 'attempt', state: attempt.outcome, ends: instant(attempt.at) + attempt.ms }));
  const receipts = one.receipts.map(receipt => ({ ...receipt, kind: 'receipt', state: receipt.status, detail: receipt.code, ends: instant(receipt.at) }));
  const steps = [...attempts, ...receipts].sort((step, other) => instant(step.at) - instant(other.at));
  if (!one.not_before) return steps;
  const kind = one.state === 'in_flight' ? 'claim_until' : 'next_try';
  return [...steps, { kind, state: kind, at: one.not_before, ends: instant(one.not_before) }];
}

function notificationOf({ notification: one, steps }, started) {
  return el('section', { class: 'notification', 'data-test': 'notification', 'data-state': one.state },
    el('div', { class: 'title' }, el('h4', null, targetName(one.target), ' ', el('small', { class: 'soft mono' }, one.target)), tag(one.state, one.reason && attemptReason(one.reason))),
    el('p', { class: 'small soft', lang: 'en' }, one.why),
    el('ol', { class: 'timeline' }, steps.map(step => stepOf(step, started))),
    one.unknowns > 0 ? el('p', { class: 'small', 'data-tone': 'warn' }, t('maybe_twice', { count: one.unknowns })) : null,
    facts([['gateway', one.gateway], ['provider_id', one.provider_id], ['reference', one.reference], ['template', one.template_version], ['recipient', `${one.recipient.slice(0, 12)}…`]], 'mono'));
}

function stepOf(step, started) {
  const said = { attempt: () => t('attempt', { gateway: step.gateway }), receipt: () => t('receipt', { gateway: step.gateway }) };
  const title = said[step.kind]?.() ?? t(step.kind);
  const planned = step.kind in said ? [stateWord(step.state), step.reason && attemptReason(step.reason), step.kind === 'attempt' && span(step.ms / 1000)] : [];
  return item(step.state, title, step.at, started, planned, step.detail);
}

function item(state, title, at, started, words = [], detail = null) {
  const tone = toneOf(state);
  return el('li', { class: 'step', 'data-test': 'timeline-item', 'data-state': state, 'data-tone': tone },
    el('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[tone]),
    el('b', null, title),
    words.filter(Boolean).length ? el('span', { class: 'said' }, words.filter(Boolean).join(' · ')) : null,
    detail ? el('span', { class: 'mono small wrap', lang: 'en' }, detail) : null,
    el('time', { datetime: at, class: 'small soft' }, state === 'happened' ? stamp(at) : `${stamp(at)} · ${after(instant(at), started)}`));
}

// Upstream's clock may be ahead of ours.
function after(at, started) {
  const passed = (at - started) / 1000;
  return passed < 0 ? t('before_event', { span: span(-passed) }) : t('after_event', { span: span(passed) });
}

function facts(rows, className) {
  return el('dl', { class: 'facts all' }, rows.filter(row => row && row[1] !== null).map(([name, value]) => {
    const one = fact(t(name), { class: `${className} wrap` });
    write(one.value, value);
    return one.node;
  }));
}
