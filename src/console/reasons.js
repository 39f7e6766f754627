// What the worker's closed lists mean: reasons, outcomes, states, errors. What is not here keeps its own name.

import { say } from './words.js';

// Why an event was given up.
export const DEAD = {
  too_large: ['大きすぎる', 'too large'],
  invalid_utf8: ['UTF-8でない', 'not UTF-8'],
  not_json: ['JSONでない', 'not JSON'],
  too_deep: ['入れ子が深すぎる', 'nested too deep'],
  missing_attribute: ['属性がない', 'an attribute is missing'],
  bad_attribute: ['属性が正しくない', 'a bad attribute'],
  bad_time: ['時刻が正しくない', 'a bad time'],
  unknown_type: ['知らない種類', 'unknown type'],
  schema: ['定義に合わない', 'does not fit the schema'],
  no_address: ['使える宛先がない', 'no usable address'],
  expired: ['期限切れ', 'past its deadline'],
  render: ['文面を作れない', 'a template failed'],
  refused: ['恒久的に拒否された', 'refused for good'],
  exhausted: ['再試行を使い切った', 'tried as often as the schedule says'],
  internal: ['ワーカーの不具合', 'the worker panicked: a bug'],
  unknown: ['不明', 'not known'],
};

// Why an attempt failed or a message did not arrive.
const ATTEMPT = {
  connect: ['つながらない', 'no connection'],
  tls: ['TLSの失敗', 'TLS failed'],
  timeout: ['時間切れ', 'no answer in time'],
  cut: ['途中で切れた', 'cut in the middle'],
  garbage: ['読めない返事', 'an answer that is none we know'],
  server: ['相手の障害', 'the gateway’s own trouble'],
  rate_limit: ['相手の流量制限', 'the gateway asks us to slow down'],
  sms_day_limit: ['この番号への1日の上限', 'the number has had its SMS of the day'],
  collapsed: ['まとめて1通でお知らせ', 'part of one summary'],
  known_device: ['前回と同じ端末', 'the same device as before'],
  own_limit: ['こちらの流量制限', 'our own limit: no turn in time'],
  circuit_open: ['遮断中', 'circuit open: not asked'],
  drained: ['停止中', 'drained: not asked'],
  credentials: ['認証の拒否', 'credentials refused'],
  credit: ['残高不足', 'out of credit'],
  route: ['経路がない', 'no route, or the sender is refused'],
  recipient: ['宛先の拒否', 'the recipient is refused'],
  rejected: ['文面の拒否', 'the message is refused'],
  filtered: ['迷惑判定', 'taken for spam'],
  too_long: ['長すぎる', 'longer than this route carries'],
  repertoire: ['送れない文字', 'characters that this route does not have'],
  build: ['組み立ての失敗', 'the message could not be put together'],
  lost: ['中断（返事なし）', 'cut off: the answer never came'],
  unreachable: ['圏外・満杯', 'out of reach, or the mailbox is full'],
  undelivered: ['不達', 'did not arrive'],
};

// How an attempt ended, and where a notification or event stands.
const STATE = {
  accepted: ['受理', 'accepted'],
  retryable: ['失敗（再試行可）', 'failed, may be retried'],
  throttled: ['待つよう言われた', 'asked to wait'],
  permanent: ['恒久的な失敗', 'failed for good'],
  unknown: ['返事なし', 'no answer'],
  delivered: ['配信済み', 'delivered'],
  undelivered: ['不達', 'did not arrive'],
  in_flight: ['送信中', 'being sent'],
  retry: ['再試行待ち', 'waits for its retry'],
  failed: ['失敗', 'given up'],
  open: ['進行中', 'not finished'],
  done: ['完了', 'done'],
  muted: ['お客さまが停止', 'muted by the customer'],
  held_back: ['送信を控えた', 'held back on purpose'],
  dead: ['配信不能', 'given up'],
};

const ERROR = {
  offline: ['ワーカーに届きません。', 'The worker was not reached.'],
  unauthorised: ['トークンが正しくないか、期限が切れました。', 'The token is not known, or the session is over.'],
  forbidden: ['この操作には、操作できるトークンが必要です。', 'This needs a token that may act.'],
  not_found: ['見つかりません。', 'Not found.'],
  bad_request: ['この入力では調べられません。', 'This cannot be asked.'],
  conflict: ['いまの状態ではできません。', 'Not possible as things stand.'],
  broker: ['ブローカーに届きません。', 'The broker does not answer.'],
  ledger: ['台帳を読み書きできません。', 'The ledger cannot be read or written.'],
  busy: ['ほかの人がキューを見ています。少し待ってください。', 'Another look is running: wait a moment.'],
  braked: ['試した回数が多すぎます。1分待ってください。', 'Too many tries.'],
  last_way_out: ['このチャネルの最後の道です。止めるなら下の箱に印をつけてください。', 'It is the channel’s last way out. Tick the box below to drain it all the same.'],
};

const word = (list, code) => (Object.hasOwn(list, code) ? say(list[code]) : String(code));

export const deadReason = code => word(DEAD, code);
export const attemptReason = code => word(Object.hasOwn(ATTEMPT, code) ? ATTEMPT : DEAD, code);
export const stateWord = code => word(Object.hasOwn(STATE, code) ? STATE : ATTEMPT, code);
export const errorWord = code => (Object.hasOwn(ERROR, code) ? word(ERROR, code) : '');

// The page's words, and behind them the worker's own.
export const inWords = error => [errorWord(error.code), error.message].filter(Boolean).join(' ');
