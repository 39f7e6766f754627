// How good a state is, as colour and sign, and what targets are called.

import { knows, lang, t } from './words.js';

const TONES = {
  accepted: 'good', delivered: 'good', done: 'good', unknown: 'warn', retry: 'warn', in_flight: 'warn', open: 'warn', throttled: 'warn',
  muted: 'calm', held_back: 'calm', happened: 'calm', first_seen: 'calm', next_try: 'calm', claim_until: 'calm',
};
export const toneOf = state => TONES[state] ?? 'bad';
export const SIGNS = { good: '✓', warn: '?', bad: '✕', calm: '·' };

// `current.sms` in words.
export function targetName(target) {
  const [contact, channel] = target.split('.');
  return knows(contact) && knows(channel) ? `${t(channel)}${lang() === 'ja' ? '・' : ', '}${t(contact)}` : target;
}
