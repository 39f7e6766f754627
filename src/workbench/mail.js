// A mail as a phone and as a desktop show it, light and dark.

import { $, all, chooseTab, el, fill, tabs } from './dom.js';
import { changed, state } from './state.js';
import { CONTACT, FATE } from './words.js';
import { failed } from './preview.js';

export function renderMail(mails) {
  state.mail = Math.min(state.mail, Math.max(0, mails.length - 1));
  const shown = mails[state.mail];
  $('mail').hidden = !shown?.mail;
  $('mail').classList.toggle('old', Boolean(shown?.failed));
  $('mail-failed').hidden = !shown?.failed;
  if (shown?.failed) $('mail-failed').replaceChildren(...failed(shown.failed).childNodes);
  if (!shown?.mail) return;
  renderWho(mails);
  const { subject, headers, text, html } = shown.mail;
  $('mail-subject').textContent = subject;
  $('mail-from').textContent = headers[0][1];
  $('mail-text').textContent = text;
  $('mail-headers').replaceChildren(...headers.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
  const tab = state.tab === 'html' && !html ? 'text' : state.tab;
  $('tab-html').disabled = !html;
  chooseTab($('mail'), $(`tab-${tab}`));
  renderTools(tab);
  const document = inScheme(html ?? '', state.dark);
  // Loading the frame again would flicker and lose its scroll position.
  if ($('mail-frame').srcdoc !== document) $('mail-frame').srcdoc = document;
  fitFrame();
}

function renderWho(mails) {
  fill($('mail-who'), mails.map((one, at) => el('button', {
    type: 'button', class: 'to', 'data-mail': at, 'aria-pressed': String(at === state.mail), title: one.why, click: () => { state.mail = at; changed(); },
  }, el('span', { class: `tag ${one.fate === 'not_sent' ? 'warn' : 'good'}` }, FATE[one.fate]),
  el('span', { class: 'cut' }, [one.to, CONTACT[one.contact]].filter(Boolean).join(' · ') || 'この例ではメールを使いません'))));
}

function renderTools(tab) {
  $('mail-dark').hidden = tab !== 'html';
  $('mail-tools').hidden = tab === 'headers';
  all('#mail-tools [data-width]').forEach(button => button.setAttribute('aria-pressed', String(button.dataset.width === state.width)));
  $('mail-dark').setAttribute('aria-pressed', String(state.dark));
  $('mail-frame').dataset.dark = $('well').dataset.dark = String(state.dark);
  $('mail-text').dataset.width = state.width;
}

// What the reader's device prefers is not to be asked of this one: the questions are answered in the mail itself.
function inScheme(html, dark) {
  const [yes, no] = ['(min-width: 0px)', '(max-width: 0px)'];
  return html
    .replace(/\(\s*prefers-color-scheme\s*:\s*dark\s*\)/g, dark ? yes : no)
    .replace(/\(\s*prefers-color-scheme\s*:\s*light\s*\)/g, dark ? no : yes)
    .replace(/color-scheme:\s*light dark/g, `color-scheme: ${dark ? 'dark' : 'light'}`)
    // A phone's scroll bar takes no room.
    .concat(html ? '<style>html { scrollbar-width: none }</style>' : '');
}

// 375 px as on a phone, or at least 640 px as on a desktop, made smaller where the pane has less.
function fitFrame() {
  const { clientWidth: room, clientHeight: height } = $('well');
  if (!room) return;
  const width = state.width === 'phone' ? 375 : Math.max(680, room);
  const scale = Math.min(1, room / width);
  Object.assign($('mail-frame').style, {
    width: `${width}px`, height: `${height / scale}px`, left: `${Math.max(0, (room - width * scale) / 2)}px`, transform: scale < 1 ? `scale(${scale})` : '',
  });
}

export function connectMail() {
  tabs($('mail').querySelector('[role="tablist"]'), button => { state.tab = button.dataset.tab; changed(); });
  all('#mail-tools [data-width]').forEach(button => button.addEventListener('click', () => { state.width = button.dataset.width; changed(); }));
  $('mail-dark').addEventListener('click', () => { state.dark = !state.dark; changed(); });
  new ResizeObserver(fitFrame).observe($('well'));
}
