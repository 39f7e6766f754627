// The search: by an event's id, or by a customer's number or address, which goes into no URL and is kept nowhere.

import { ask } from './api.js';
import { $, mark, write } from './dom.js';
import { count } from './format.js';
import { inWords } from './reasons.js';
import { store } from './state.js';
import { story } from './story.js';
import { t } from './words.js';

let stories = null, message = null, asked = 0;

// What only digits and a number's marks make up is taken for a number even where it may be an id: an id sent as a recipient is
// not found, a number sent as an id would stand in a URL.
export function kindOf(text, chosen) {
  if (chosen !== 'auto') return chosen;
  return isNumber(text) || /[@＠]/.test(text) ? 'recipient' : 'event';
}

// As a Japanese keyboard writes it: full-width digits, any of its dashes.
const DASHES = /[\u2010-\u2015\u2212ー]/g;
const plain = text => text.normalize('NFKC').replace(DASHES, '-').trim();

function isNumber(text) {
  const digits = plain(text).replace(/\D/g, '').length;
  return /^\+?[\d\s().-]+$/.test(plain(text)) && digits >= 7 && digits <= 15;
}

async function search(event) {
  event?.preventDefault();
  const text = $('search-input').value.trim();
  if (!text) return $('search-input').focus();
  const kind = kindOf(text, $('search-as').value);
  const question = ++asked;
  [stories, message] = [null, { text: () => t('searching') }];
  draw();
  try {
    const answer = kind === 'recipient' ? await ask('POST', '/console/search', { recipient: isNumber(text) ? plain(text) : text }) : await ask('GET', `/console/search?event=${encodeURIComponent(text)}`);
    if (question !== asked) return;
    stories = answer.stories;
    message = { text: () => (stories.length ? t('found', { count: count(stories.length) }) : t('none_found')) };
  } catch (error) {
    if (question !== asked) return;
    message = { text: () => (error.code === 'not_found' ? t('none_found') : inWords(error)), bad: error.code !== 'not_found' };
  }
  // An event's id may be handed on as a link; a customer's number must not.
  const link = kind === 'event' ? `#event=${encodeURIComponent(text)}` : location.pathname;
  history.replaceState(null, '', link);
  draw();
}

export function searchEvent(id) {
  $('search-input').value = id;
  $('search-as').value = 'event';
  hint();
  $('customer').scrollIntoView();
  $('search-input').focus({ preventScroll: true });
  return search();
}

// A link to an event: `#event=ID`.
export function followLink() {
  const [, id] = /^#event=(.+)$/.exec(location.hash) ?? [];
  if (!id || !store.session?.reads) return;
  try { void searchEvent(decodeURIComponent(id)); } catch { /* no id */ }
}

export function draw() {
  hint();
  write($('search-message'), message?.text() ?? '');
  mark($('search-message'), 'data-tone', message?.bad ? 'bad' : null);
  $('stories').replaceChildren(...(stories ?? []).map((one, at) => story(one, at)));
}

function hint() {
  const text = $('search-input').value.trim();
  write($('search-hint'), t(text ? `hint_${kindOf(text, $('search-as').value)}` : 'hint_empty'));
}

export function connectSearch() {
  $('search').addEventListener('submit', search);
  $('search-input').addEventListener('input', hint);
  $('search-as').addEventListener('change', hint);
  addEventListener('hashchange', followLink);
  document.addEventListener('session', () => {
    // When the page is there to scroll in.
    if (store.session?.reads) return void requestAnimationFrame(followLink);
    [stories, message] = [null, null];
    $('search-input').value = '';
    draw();
  });
}
