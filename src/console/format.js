// Numbers, spans and times for people.

import { lang, t } from './words.js';

export const NOTHING = '–';

export function count(number) {
  if (number === null || number === undefined) return NOTHING;
  const style = number < 100_000 ? {} : { notation: 'compact', maximumFractionDigits: 1 };
  return new Intl.NumberFormat(lang(), style).format(number);
}

// Rounded down: what fell short never reads as 100%.
export function percent(share) {
  if (share === null || share === undefined) return NOTHING;
  return `${Math.floor(share * 10_000 + 1e-6) / 100}%`;
}

const UNITS = [[86_400, 'unit_d'], [3_600, 'unit_h'], [60, 'unit_m'], [1, 'unit_s']];

// Two units at most; fractions only where they matter.
export function span(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return NOTHING;
  const long = Math.max(0, seconds);
  if (long > 0 && long < .1) return `${Math.max(1, Math.round(long * 1000))} ms`;
  if (long < 10) return `${Math.floor(long * 100) / 100}${t('unit_s')}`;
  let rest = Math.floor(long);
  const first = UNITS.findIndex(([size]) => rest >= size);
  const words = [];
  for (const [size, unit] of UNITS.slice(first, first + 2)) {
    const many = Math.floor(rest / size);
    rest %= size;
    if (many > 0) words.push(`${many}${t(unit)}`);
  }
  return words.join(lang() === 'ja' ? '' : ' ');
}

// What is known by a histogram is known as far as its buckets' upper bounds.
export const within = seconds => (seconds === null || seconds === undefined ? NOTHING : `≤ ${span(seconds)}`);

const HOURS_AHEAD = 9 * 3_600_000;   // Japan has no daylight saving time
const inJapan = milliseconds => new Date(milliseconds + HOURS_AHEAD).toISOString();
export const instant = text => (text ? Date.parse(text) : NaN);

// `03:04:05`
export const clock = milliseconds => (Number.isFinite(milliseconds) ? inJapan(milliseconds).slice(11, 19) : NOTHING);

// `2026-11-22 15:04:05.678 JST`
export function stamp(text, digits = 3) {
  const at = instant(text);
  return Number.isFinite(at) ? `${inJapan(at).slice(0, digits ? 20 + digits : 19).replace('T', ' ')} JST` : NOTHING;
}

// The day only where it is another one.
export function shortStamp(text, now) {
  const at = instant(text);
  if (!Number.isFinite(at)) return NOTHING;
  const sameDay = inJapan(at).slice(0, 10) === inJapan(now).slice(0, 10);
  return `${sameDay ? '' : `${inJapan(at).slice(5, 10)} `}${clock(at)} JST`;
}

export const ago = (text, now) => (Number.isFinite(instant(text)) ? t('ago', { span: span((now - instant(text)) / 1000) }) : NOTHING);
