// The stream: what the worker tells every second, and what the page does when it no longer does.

import { readSession } from './api.js';
import { age, changed, store } from './state.js';

// A second is missed easily; three are not.
export const STALE = 4;
// A stream that says nothing for so long is begun anew, whatever the browser thinks of it.
const SILENT = 12;
const AGAIN = 2_000;

let stream = null, openedAt = 0, waiting = 0;

export function listen() {
  stream?.close();
  clearTimeout(waiting);
  waiting = 0;
  if (!store.session?.reads) return void (stream = null);
  openedAt = Date.now();
  stream = new EventSource('/console/live');
  stream.addEventListener('state', ({ data }) => {
    store.state = JSON.parse(data);
    store.heardAt = Date.now();
    changed();
  });
  stream.addEventListener('history', ({ data }) => {
    store.history = JSON.parse(data);
    changed();
  });
  // After an answer that is no stream the browser does not try again by itself.
  stream.addEventListener('error', ({ target }) => { if (target.readyState === EventSource.CLOSED) again(); });
}

function again() {
  waiting ||= setTimeout(async () => {
    waiting = 0;
    try { await readSession(); } catch { return again(); }
    listen();
  }, AGAIN);
}

export function watch() {
  document.addEventListener('session', listen);
  setInterval(() => {
    const silent = Math.min(age(), (Date.now() - openedAt) / 1000);
    if (store.session?.reads && !waiting && silent > SILENT) listen();
    // Ages grow by themselves.
    changed();
  }, 1_000);
  listen();
}
