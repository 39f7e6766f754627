// Lines that differ, and within them what differs.

import { el } from './dom.js';

// Longest common subsequence of lines; texts have at most a few hundred.
function pairs(before, after) {
  const length = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      length[i][j] = before[i] === after[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
    }
  }
  const rows = [];
  let i = 0, j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) { rows.push([' ', before[i++]]); j++; }
    else if (j >= after.length || (i < before.length && length[i + 1][j] >= length[i][j + 1])) rows.push(['-', before[i++]]);
    else rows.push(['+', after[j++]]);
  }
  return rows;
}

export function diffOf(before, after) {
  const rows = pairs(before.split('\n'), after.split('\n'));
  if (rows.every(([sign]) => sign === ' ')) return el('p', { class: 'empty' }, '保存されている文面と同じです。');
  return el('div', { class: 'diff' }, ...rows.map(([sign, text], at) => row(sign, text, twin(rows, at))));
}

// A removed line and the added one right behind it are one change.
function twin(rows, at) {
  const [sign] = rows[at];
  const other = sign === '-' ? rows[at + 1] : rows[at - 1];
  const alone = sign === '-' ? rows[at - 1]?.[0] !== '-' && rows[at + 2]?.[0] !== '+' : rows[at + 1]?.[0] !== '+' && rows[at - 2]?.[0] !== '-';
  return sign !== ' ' && other && other[0] !== ' ' && other[0] !== sign && alone ? other[1] : null;
}

function row(sign, text, other) {
  const name = { '-': 'gone', '+': 'come', ' ': 'same' }[sign];
  const spoken = { '-': '削除', '+': '追加', ' ': null }[sign];
  return el('div', { class: `change ${name}` }, el('span', { class: 'sign', 'aria-label': spoken }, sign), el('span', {}, ...inner(text, other)));
}

function inner(text, other) {
  if (other === null) return [text || ' '];
  const [a, b] = [[...text], [...other]];
  let front = 0, back = 0;
  while (front < Math.min(a.length, b.length) && a[front] === b[front]) front++;
  while (back < Math.min(a.length, b.length) - front && a[a.length - 1 - back] === b[b.length - 1 - back]) back++;
  const cut = (from, to) => a.slice(from, to).join('');
  return [cut(0, front), el('mark', {}, cut(front, a.length - back)), cut(a.length - back)];
}
