// An event's time as a strip: a row for each notification, a sign for each attempt and receipt. Logarithmic, because what takes
// milliseconds and what waits for an hour are in the same story. The list below it says the same in words.

import { el, svg } from './dom.js';
import { span } from './format.js';
import { targetName, toneOf } from './tones.js';
import { t } from './words.js';

const WIDTH = 640, LEFT = 8, RIGHT = 620, ROW = 30, TOP = 8;
const TICKS = [0, .1, 1, 10, 60, 600, 3_600, 21_600, 86_400];

export function strip(started, seen, rows) {
  const seconds = at => Math.max(0, (at - started) / 1000);
  const longest = Math.max(1, seconds(seen), ...rows.flatMap(({ steps }) => steps.map(step => seconds(step.ends))));
  const place = at => LEFT + (Math.log(1 + 20 * seconds(at)) / Math.log(1 + 20 * longest)) * (RIGHT - LEFT);
  const bottom = TOP + rows.length * ROW + 6;
  const ticks = TICKS.filter(tick => tick <= longest).map(tick => [place(started + tick * 1000), tick]).filter(([x, tick]) => tick === 0 || x > LEFT + 30);
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${bottom + 20}`, role: 'img', 'aria-label': t('chart_story') },
    ticks.map(([x, tick]) => [svg('line', { class: 'tick', x1: x, x2: x, y1: TOP, y2: bottom }), svg('text', { x, y: bottom + 14, 'text-anchor': tick === 0 ? 'start' : 'middle' }, tick === 0 ? '0' : `+${span(tick)}`)]),
    svg('line', { class: 'seen', x1: place(seen), x2: place(seen), y1: TOP, y2: bottom }),
    rows.map((row, at) => drawRow(row, TOP + at * ROW + ROW / 2, place)));
  return el('figure', { class: 'strip' },
    el('div', { class: 'strip-names', 'aria-hidden': 'true' }, rows.map(({ notification }) => el('span', null, targetName(notification.target)))),
    picture, el('figcaption', { class: 'small soft' }, t('chart_story')));
}

function drawRow({ steps }, y, place) {
  const begins = steps.length ? place(Date.parse(steps[0].at)) : LEFT;
  const ends = steps.length ? place(steps.at(-1).ends) : LEFT;
  return svg('g', null, svg('line', { class: 'way', x1: begins, x2: ends, y1: y, y2: y }), steps.map(step => drawStep(step, y, place)));
}

// A bar as long as the attempt took, and a shape at its end: colour is not the only sign.
function drawStep(step, y, place) {
  const [from, to] = [place(Date.parse(step.at)), place(step.ends)];
  const tone = toneOf(step.state);
  return svg('g', { class: `mark ${tone}` }, svg('line', { class: 'took', x1: from, x2: Math.max(to, from + 1), y1: y, y2: y }), shape(tone, to, y));
}

function shape(tone, x, y) {
  if (tone === 'good') return svg('circle', { cx: x, cy: y, r: 6 });
  if (tone === 'bad') return svg('path', { class: 'cross', d: `M${x - 5},${y - 5}L${x + 5},${y + 5}M${x + 5},${y - 5}L${x - 5},${y + 5}` });
  if (tone === 'warn') return svg('path', { d: `M${x},${y - 7}L${x + 7},${y + 5}H${x - 7}Z` });
  return svg('circle', { class: 'hollow', cx: x, cy: y, r: 5 });
}
