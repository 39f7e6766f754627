// Asking before something is changed: why, and by whom.

import { signIn } from './api.js';
import { $, write } from './dom.js';
import { inWords } from './reasons.js';
import { store } from './state.js';
import { t } from './words.js';

let acting = null;

// Asks for a reason and runs `run(reason)`; what it throws is said in the dialog, which then stays. `fallback()` gets the focus when
// what had it is gone. Resolves when the dialog is closed.
export async function act({ title, text, confirm, danger = false, more = [], asksReason = true, run, fallback }) {
  if (!store.session?.acts && !(await askToken('token_to_act'))) return;
  write($('act-title'), title);
  write($('act-text'), text);
  write($('act-confirm'), confirm);
  $('act-confirm').classList.toggle('danger', danger);
  $('act-more').replaceChildren(...more);
  $('act-reason').value = '';
  $('act-reason').closest('label').hidden = $('act-hint').hidden = !asksReason;
  fail('act', '');
  acting = { run, asksReason };
  const over = closed($('act'));
  if (!asksReason) $('act-confirm').focus();
  await over;
  acting = null;
  // What was clicked may be gone as soon as the page is drawn again.
  await drawn();
  await drawn();
  if (document.activeElement === document.body) fallback()?.focus();
}

const drawn = () => new Promise(resolve => { requestAnimationFrame(resolve); });

function closed(dialog) {
  return new Promise(resolve => {
    dialog.addEventListener('close', resolve, { once: true });
    dialog.showModal();
  });
}

function fail(name, text) {
  $(`${name}-failed`).hidden = !text;
  write($(`${name}-failed`), text);
}

async function confirmed(event) {
  event.preventDefault();
  if (!acting) return;
  const reason = $('act-reason').value.trim();
  if (acting.asksReason && !reason) {
    fail('act', t('reason_missing'));
    return $('act-reason').focus();
  }
  // Twice is what a hurried person clicks.
  $('act-confirm').disabled = true;
  try {
    await acting.run(reason);
    $('act').close();
  } catch (error) {
    fail('act', inWords(error));
  } finally {
    $('act-confirm').disabled = false;
  }
}

// ---- token -------------------------------------------------------------------------------------------------------

let needed = 'token_to_read';
const enough = () => Boolean(needed === 'token_to_act' ? store.session?.acts : store.session?.reads);

// Whether there is a session now that may do what was needed.
export async function askToken(why) {
  needed = why;
  nameToken();
  $('token-input').value = '';
  fail('token', '');
  $('token-cancel').hidden = why === 'token_to_read' && !store.session?.reads;
  if (!$('token').open) await closed($('token'));
  return enough();
}

export const nameToken = () => write($('token-text'), t(needed));

async function tokenGiven(event) {
  event.preventDefault();
  const token = $('token-input').value.trim();
  if (!token) return $('token-input').focus();
  try {
    await signIn(token);
    if (enough()) return $('token').close();
    fail('token', t('token_reads_only'));
  } catch (error) {
    fail('token', inWords(error));
  }
  $('token-input').value = '';
  $('token-input').focus();
}

export function connectDialogs() {
  $('act').querySelector('form').addEventListener('submit', confirmed);
  $('act-cancel').addEventListener('click', () => $('act').close());
  $('token').querySelector('form').addEventListener('submit', tokenGiven);
  $('token-cancel').addEventListener('click', () => $('token').close());
  // Without the right to read there is nothing behind it to go back to.
  $('token').addEventListener('cancel', event => { if (!store.session?.reads) event.preventDefault(); });
  $('token').addEventListener('close', () => { $('token-input').value = ''; if (!store.session?.reads) void askToken('token_to_read'); });
}
