// Questions to the worker, and who asks.

import { changed, store } from './state.js';

// The worker's no, or that it was not reached.
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export async function ask(method, path, body) {
  const request = { method, headers: { accept: 'application/json' }, cache: 'no-store' };
  if (body !== undefined) {
    request.headers['content-type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  const answer = await fetch(path, request).catch(() => { throw new Refused(0, 'offline', ''); });
  if (answer.status === 204) return null;
  const value = await answer.json().catch(() => null);
  if (answer.ok && value) return value;
  const { code = 'unexpected', message = `HTTP ${answer.status}` } = value?.error ?? {};
  // The session may have ended meanwhile: the page must not go on as if it had not.
  if (answer.status === 401 && path !== SESSION) void readSession();
  throw new Refused(answer.status, answer.status === 429 ? 'braked' : code, message);
}

const SESSION = '/console/session';

export async function readSession() {
  return keep(await ask('GET', SESSION));
}

export async function signIn(token) {
  return keep(await ask('POST', SESSION, { token }));
}

export async function signOut() {
  await ask('DELETE', SESSION);
  return readSession();
}

function keep(session) {
  const before = store.session;
  store.session = session;
  if (!session.reads) Object.assign(store, { state: null, history: null, heardAt: null, dead: null });
  changed();
  if (before?.who === session.who && before?.reads === session.reads) return session;
  if (session.reads) store.since = Date.now();
  document.dispatchEvent(new CustomEvent('session'));
  return session;
}
