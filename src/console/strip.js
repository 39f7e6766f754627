// An event's time as a strip: a row for each notification, a sign for each attempt and receipt. Logarithmic, because what takes
// milliseconds and what waits for an hour are in the same story. The list below it says the same in words.

import { el, svg } from './dom.js';
import { span } from './format.js';
import { targetName, toneOf } from './tones.js';
import { t } from './words.js';

const LEFT = 8, ROW = 40, TOP = 4;
// About as wide as it is shown, so that its words are as large as others.
const room = () => Math.min(1220, Math.max(280, innerWidth - 80));
const TICKS = [0, .1, 1, 10, 60, 600, 3_600, 21_600, 86_400];

export function strip(started, seen, rows) {
  const seconds = at => Math.max(0, (at - started) / 1000);
  const width = room();
  const longest = Math.max(1, seconds(seen), ...rows.flatMap(({ steps }) => steps.map(step => seconds(step.ends))));
  const place = at => LEFT + (Math.log(1 + 20 * seconds(at)) / Math.log(1 + 20 * longest)) * (width - 2 * LEFT - 12);
  const bottom = TOP + rows.length * ROW + 6;
  const ticks = TICKS.filter(tick => tick <= longest).map(tick => [place(started + tick * 1000), tick]);
  const picture = svg('svg', { viewBox: `0 0 ${width} ${bottom + 20}`, role: 'img', 'aria-label': t('chart_story') },
    ticks.map(([x, tick]) => [svg('line', { class: 'tick', x1: x, x2: x, y1: TOP, y2: bottom }), svg('text', { x, y: bottom + 14, 'text-anchor': tick === 0 ? 'start' : 'middle' }, tick === 0 ? '0' : `+${span(tick)}`)]),
    svg('line', { class: 'seen', x1: place(seen), x2: place(seen), y1: TOP, y2: bottom }),
    rows.map((row, at) => drawRow(row, TOP + at * ROW + 28, place)));
  return el('figure', { class: 'strip' }, picture, el('figcaption', { class: 'small soft' }, t('chart_story')));
}

function drawRow({ notification, steps }, y, place) {
  const begins = steps.length ? place(Date.parse(steps[0].at)) : LEFT;
  const ends = steps.length ? place(steps.at(-1).ends) : LEFT;
  return svg('g', null, svg('text', { x: LEFT, y: y - 14 }, targetName(notification.target)), svg('line', { class: 'way', x1: begins, x2: ends, y1: y, y2: y }), steps.map(step => drawStep(step, y, place)));
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
