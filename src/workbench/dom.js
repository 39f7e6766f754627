// Small things around the document.

export const $ = id => document.getElementById(id);
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== null && value !== false && value !== undefined) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

const filled = new WeakMap();

// Puts new children in place of the old ones; scroll position, and focus by data attribute, stay. Where nothing changed the old
// ones stay too: a button that is exchanged between press and release is never clicked.
export function fill(box, children) {
  const markup = children.map(child => child.outerHTML).join('');
  if (filled.get(box) === markup) return;
  filled.set(box, markup);
  const held = box.contains(document.activeElement) ? { ...document.activeElement.dataset } : null;
  const top = box.scrollTop;
  box.replaceChildren(...children);
  box.scrollTop = top;
  if (!held) return;
  const same = node => Object.keys(held).length > 0 && Object.keys(held).every(key => node.dataset[key] === held[key]);
  all('button, a, [tabindex]', box).find(same)?.focus({ preventScroll: true });
}

// Calls `action` when nothing has asked for it for `ms` milliseconds.
export function debounced(action, ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
}

// Arrow keys inside a row of tabs; Tab leaves it.
export function tabs(box, choose) {
  const buttons = all('[role="tab"]', box);
  buttons.forEach(button => button.addEventListener('click', () => choose(button)));
  box.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const usable = buttons.filter(button => !button.disabled);
    const at = usable.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = usable[(at + step + usable.length) % usable.length];
    next.focus();
    choose(next);
  });
}

// Marks one of the tabs in a row as the chosen one, and shows its panel alone.
export function chooseTab(box, chosen) {
  for (const button of all('[role="tab"]', box)) {
    const is = button === chosen;
    button.setAttribute('aria-selected', is);
    button.tabIndex = is ? 0 : -1;
    $(button.getAttribute('aria-controls')).hidden = !is;
  }
}

export async function ask(path, body, method = 'POST') {
  const request = body === undefined ? {} : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(path, request);
  const text = await answer.text();
  let value = {};
  try { value = JSON.parse(text); } catch { value = { reason: 'offline', detail: text }; }
  return { ok: answer.ok, status: answer.status, value };
}
