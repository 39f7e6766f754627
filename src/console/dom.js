// Small things around the document.

export const $ = id => document.getElementById(id);
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];

const SVG = 'http://www.w3.org/2000/svg';

// Others' words become text here and nothing else: children that are strings are text nodes.
export const el = (tag, attributes, ...children) => made(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => made(document.createElementNS(SVG, tag), attributes, children);

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== null && value !== false && value !== undefined) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

// What is drawn every second is touched only where it differs: a selection stays, and screen readers hear no noise.
export function write(node, text) {
  const wanted = String(text ?? '');
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) return void node.removeAttribute(name);
  const wanted = value === true ? '' : String(value);
  if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
}

const kept = new WeakMap();

// One child of `box` for each item, made once for each key and brought up to date after that; `edition` makes all of them anew.
// `create` gives what `update` needs, with the element as `node`.
export function keyed(box, items, { key, create, update, edition }) {
  let known = kept.get(box);
  if (!known || known.edition !== edition) {
    known = { edition, parts: new Map() };
    kept.set(box, known);
    box.replaceChildren();
  }
  const wanted = new Set(items.map(key));
  for (const [name, part] of known.parts) {
    if (wanted.has(name)) continue;
    part.node.remove();
    known.parts.delete(name);
  }
  items.forEach((item, index) => {
    const name = key(item);
    if (!known.parts.has(name)) known.parts.set(name, create(item));
    const part = known.parts.get(name);
    if (box.children[index] !== part.node) box.insertBefore(part.node, box.children[index] ?? null);
    update(part, item);
  });
}

// A name and a value; `part.value` is the value's place.
export function fact(name, attributes) {
  const value = el('dd', attributes);
  return { node: el('div', null, el('dt', null, name), value), value };
}
