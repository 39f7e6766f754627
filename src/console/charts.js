// Small charts of the last minutes: an area or a line for each series, a look at one step under the pointer. Each has its words.

import { el, mark, svg, write } from './dom.js';
import { clock } from './format.js';

const STEPS = 180, HEIGHT = 100;
const RIGHT = STEPS - 1;

// `kinds` are classes, one a series: `area …` is filled down to the ground, `line …` is not.
export function createChart(kinds, className) {
  const paths = kinds.map(kind => svg('path', { class: kind }));
  const rules = svg('g', { class: 'rules' });
  const cross = svg('line', { class: 'cross', y1: 0, y2: HEIGHT, visibility: 'hidden' });
  const picture = svg('svg', { viewBox: `0 0 ${RIGHT} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, rules, paths, cross);
  const top = el('span', { class: 'top' });
  const names = el('span', { class: 'rule-names' });
  const tip = el('span', { class: 'tip', hidden: true });
  const node = el('div', { class: `chart ${className}`, role: 'img' }, picture, top, names, tip);
  const chart = { node, kinds, paths, rules, cross, top, names, tip, drawn: null };
  node.addEventListener('pointermove', event => look(chart, event));
  node.addEventListener('pointerleave', () => {
    chart.tip.hidden = true;
    mark(chart.cross, 'visibility', 'hidden');
  });
  return chart;
}

// `series`: arrays, the oldest first, null where nothing is known. `scale` gives 0 to 1 for a value. `rules`: `{value, name}` of dashed
// lines. `say` gives words for one step's values.
export function draw(chart, { series, scale, rules = [], top = '', label, end, step, say }) {
  chart.drawn = { series, end, step, say };
  series.forEach((values, at) => mark(chart.paths[at], 'd', path(values, scale, chart.kinds[at].startsWith('area'))));
  drawRules(chart, rules, scale);
  write(chart.top, top);
  mark(chart.node, 'aria-label', label);
}

function drawRules(chart, rules, scale) {
  if (chart.rules.childElementCount !== rules.length) {
    chart.rules.replaceChildren(...rules.map(() => svg('line', { x1: 0, x2: RIGHT })));
    chart.names.replaceChildren(...rules.map(() => el('span')));
  }
  rules.forEach(({ value, name }, at) => {
    const y = height(scale(value));
    for (const end of ['y1', 'y2']) mark(chart.rules.children[at], end, y);
    chart.names.children[at].style.top = `${y}%`;
    write(chart.names.children[at], name);
  });
}

const height = share => (HEIGHT - 4 - Math.min(1, Math.max(0, share)) * (HEIGHT - 8)).toFixed(1);

function path(values, scale, filled) {
  const first = RIGHT - values.length + 1;
  const runs = [];
  let run = null;
  values.forEach((value, index) => {
    if (value === null) return void (run = null);
    if (!run) runs.push(run = []);
    run.push([first + index, height(scale(value))]);
  });
  return runs.map(points => {
    // One step alone would be a line without length.
    const wide = points.length > 1 ? points : [[points[0][0] - .5, points[0][1]], [points[0][0] + .5, points[0][1]]];
    const line = wide.map(([x, y]) => `${x},${y}`).join('L');
    return filled ? `M${wide[0][0]},${HEIGHT}L${line}L${wide.at(-1)[0]},${HEIGHT}Z` : `M${line}`;
  }).join('');
}

function look(chart, event) {
  if (!chart.drawn) return;
  const box = chart.node.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const fromRight = Math.round((1 - share) * RIGHT);
  const values = chart.drawn.series.map(one => one[one.length - 1 - fromRight] ?? null);
  const time = clock(chart.drawn.end - fromRight * chart.drawn.step * 1000);
  write(chart.tip, `${time} ${chart.drawn.say(values)}`);
  chart.tip.hidden = false;
  chart.tip.classList.toggle('left', share > .5);
  for (const name of ['x1', 'x2']) mark(chart.cross, name, RIGHT - fromRight);
  mark(chart.cross, 'visibility', 'visible');
}

// Counts from the ground up; four at least, so that a single one is no peak, and room for the words above.
export function countScale(...series) {
  const most = Math.max(0, ...series.flat().map(value => value ?? 0));
  return { most, scale: value => value / (Math.max(4, most) * 1.25) };
}

// Times over four orders of magnitude: each as high as its logarithm.
const LEAST = .01;
export function timeScale(...series) {
  const top = Math.max(60, ...series.flat().map(value => value ?? 0));
  return { scale: value => Math.log(Math.max(value, LEAST) / LEAST) / Math.log(top / LEAST) };
}

export const sum = values => (values ?? []).reduce((total, value) => total + (value ?? 0), 0);
export const known = values => (values ?? []).some(value => value !== null);
export const last = (values, steps) => (values ?? []).slice(-steps);
