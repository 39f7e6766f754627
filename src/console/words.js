// What the page says, in Japanese and in English.

const WORDS = {
  name: ['知らせ', 'Shirase'], skip: ['本文へ', 'To the content'], questions: ['三つの問い', 'Three questions'],
  nav_told: ['届いているか', 'Told?'], nav_parts: ['どこが悪いか', 'What fails?'], nav_customer: ['お客さま', 'Customer'],
  told: ['1. お客さまに届いているか', '1. Are customers being told?'],
  parts: ['2. どこが悪いか', '2. Which part is at fault?'],
  customer: ['3. このお客さまに何があったか', '3. What happened to this one customer?'],
  window: ['図は直近15分（5秒ごと）', 'Charts: the last 15 minutes, by 5 s'],
  zone: ['時刻は日本時間（JST、UTC+9）です。', 'Times are Japan’s (JST, UTC+9).'],
  keys: ['キー: / 検索 · Esc 閉じる', 'Keys: / search · Esc closes'],
  worker: ['この画面のワーカー: {version} · 文面 {templates} · 起動 {started}', 'This page’s worker: {version} · templates {templates} · started {started}'],
  this_machine: ['この計算機から（閲覧のみ）', 'this machine (reads only)'], reads_only: ['{who}（閲覧のみ）', '{who} (reads only)'],

  // The verdict.
  connecting: ['ワーカーに接続しています', 'Reaching the worker'],
  not_known: ['わかりません', 'Not known'],
  is_told: ['お客さまに届いています', 'Customers are being told'],
  is_told_but: ['お客さまに届いていますが、見てください', 'Customers are being told, but look at this'],
  is_late: ['お客さまに遅れて届いています', 'Customers are told late'],
  is_partly: ['届いていないお客さまがいます', 'Some customers are not being told'],
  is_not: ['お客さまに届いていません', 'Customers are not being told'],
  is_idle: ['いま知らせることはありません', 'Nobody is waiting to be told'],
  why_unheard: ['{span}前からワーカーの声がありません。下は古い値です。', 'The worker has not been heard for {span}. What stands below is old.'],
  why_never: ['まだ何も受け取っていません。', 'Nothing has come yet.'],
  why_not_ready: ['ワーカーの準備ができていません。', 'The worker is not ready.'],
  why_stuck: ['{lane}: 直近1分の受理は0件、いちばん古いイベントは{span}前', '{lane}: none accepted in the last minute, the oldest event is {span} old'],
  why_late: ['{lane}: いちばん古いイベントは{span}前', '{lane}: the oldest event is {span} old'],
  why_slow: ['{lane} {channel}: p99 が {span}', '{lane} {channel}: p99 is {span}'],
  why_given_up: ['直近5分に{count}件を諦めました', '{count} given up in the last 5 minutes'],
  why_gateway: ['{gateway}: {state}', '{gateway}: {state}'],
  why_ledger: ['台帳に書けません', 'The ledger cannot be written'],
  why_no_events: ['直近15分にイベントがありません。上流は発行していますか。', 'No event in the last 15 minutes. Is upstream publishing?'],
  stale: ['表示は{span}前のものです。再接続しています…', 'Data is {span} old. Reconnecting…'],
  stale_never: ['ワーカーに届きません。再接続しています…', 'The worker is not reached. Reconnecting…'],

  // Traffic.
  critical: ['重要', 'Critical'], standard: ['通常', 'Standard'], sms: ['SMS', 'SMS'], email: ['メール', 'Email'],
  waiting: ['待ち', 'Waiting'], in_flight: ['処理中', 'In flight'], oldest: ['最古', 'Oldest'],
  last_minute: ['直近1分の受理', 'accepted in the last minute'], since_start: ['起動から', 'Since start'],
  per_step: ['最大 {count} / 5秒', 'max {count} / 5 s'],
  p50: ['p50', 'p50'], p99: ['p99', 'p99'], to_acceptance: ['受理まで', 'To acceptance'], five_minutes: ['直近5分', 'last 5 min'],
  chart_accepted: ['{what}: 5秒ごとの受理件数。直近1分 {minute}、15分 {all}、最大 {top}', '{what}: accepted by 5 s. Last minute {minute}, 15 minutes {all}, most {top}'],
  chart_times: ['{what}: イベントから受理までの時間。p50 {p50}、p99 {p99}', '{what}: time from event to acceptance. p50 {p50}, p99 {p99}'],
  chart_gateway: ['{what}: 15分の受理 {accepted}、失敗 {failed}', '{what}: in 15 minutes {accepted} accepted, {failed} failed'],
  step_accepted: ['{count} 件', '{count} accepted'], step_times: ['p50 {p50} p99 {p99}', 'p50 {p50} p99 {p99}'],
  step_gateway: ['受理 {accepted} 失敗 {failed}', '{accepted} accepted, {failed} failed'],
  objective: ['重要レーンの目標', 'Objective of the critical lane'], objective_of: ['起動から {count} 件', '{count} since start'],
  within_limit: ['{limit}秒以内', 'within {limit} s'], target: ['目標 {share}', 'target {share}'],
  met: ['達成', 'met'], missed: ['未達', 'missed'], no_data: ['まだなし', 'none yet'],

  // Parts.
  gateways: ['ゲートウェイ', 'Gateways'], retries: ['再試行を待つイベント', 'Waiting for a retry'], given_up: ['諦めたイベント（起動から）', 'Given up (since start)'],
  ledger: ['台帳', 'Ledger'], canary: ['カナリア', 'Canary'],
  gateway_up: ['正常', 'up'], gateway_down: ['応答なし', 'down'], gateway_open: ['遮断中', 'circuit open: left alone'],
  gateway_half_open: ['試し送り中', 'half-open: being probed'], gateway_drained: ['停止中', 'drained'],
  accepted: ['受理', 'Accepted'], failed: ['失敗', 'Failed'], took: ['所要 p99', 'Took, p99'], circuit: ['遮断器', 'Circuit'],
  closed: ['閉', 'closed'], half_open: ['半開', 'half-open'], open: ['開', 'open'],
  last_error: ['最後の失敗', 'Last failure'], no_error: ['失敗なし', 'no failure'],
  drained_until: ['{until} まで（{by}: {reason}）', 'until {until} ({by}: {reason})'],
  drain: ['止める', 'Drain'], resume: ['再開', 'Resume'],
  no_controls: ['台帳がメモリーにあるので、ゲートウェイを止める操作はできません。', 'The ledger is in memory, so gateways cannot be drained.'],
  no_retries: ['ありません', 'none'], unknown_count: ['不明', 'not known'], events_waiting: ['{count} 件', '{count} waiting'],
  none_given_up: ['ありません', 'none'], in_dead_queue: ['配信不能キューに {count} 件', '{count} in the dead-letter queue'],
  ledger_up: ['書ける', 'can be written'], ledger_down: ['書けない', 'cannot be written'], commit: ['確定 p99', 'Commit, p99'],
  canary_none: ['設定されていません', 'not configured'], canary_never: ['まだ戻っていません', 'has not come back yet'],
  canary_back: ['最後に受理', 'Last accepted'], round_trip: ['一周', 'Round trip'],

  // Dead letters.
  dead: ['配信不能キュー', 'Dead letters'], look: ['キューを見る', 'Look into the queue'], filter: ['理由でしぼり込む', 'Filter by reason'], all: ['すべて', 'All'],
  looking: ['見ています…', 'Looking…'], looked: ['{at} に見た {shown} 件（該当 {matching}、キューに {queue}）', '{shown} shown as of {at} ({matching} match, {queue} in the queue)'],
  changed_since: ['いまキューには {count} 件あります。もう一度見てください。', 'The queue now holds {count}: look again.'],
  none_dead: ['キューは空です。', 'The queue is empty.'], not_looked: ['まだ見ていません。', 'Not looked yet.'],
  select_all: ['すべて選ぶ', 'Select all'], select_one: ['{id} を選ぶ', 'Select {id}'], replay: ['再送', 'Replay'], drop: ['捨てる', 'Drop'], trace: ['経過', 'Story'],
  replay_selected: ['選んだ {count} 件を再送', 'Replay {count} selected'], drop_selected: ['選んだ {count} 件を捨てる', 'Drop {count} selected'],
  died: ['諦めた時刻', 'Given up'], happened: ['発生', 'Happened'], source: ['発行元', 'Source'], lane: ['レーン', 'Lane'], event_id: ['イベントID', 'Event id'],
  attempts: ['試行', 'Attempts'], deaths: ['諦めた回数', 'Times given up'], bytes: ['大きさ', 'Size'], given_up_in: ['諦めたキュー', 'Given up in'], detail: ['詳細', 'Detail'], no_id: ['IDなし', 'no id'],
  outcome_replayed: ['再送しました', 'replayed'], outcome_dropped: ['捨てました', 'dropped'], outcome_kept: ['そのまま', 'kept'], outcome_gone: ['もうありません', 'no longer there'],

  // Actions and access.
  act_replay: ['{count} 件を再送しますか', 'Replay {count}?'], act_replay_text: ['レーンに戻します。受理済みの通知は二度送られません。', 'Puts it back into its lane. What a gateway accepted is not sent again.'],
  act_drop: ['{count} 件を捨てますか', 'Drop {count} for good?'], act_drop_text: ['元に戻せません。お客さまには知らされません。', 'This cannot be undone. The customer will not be told.'],
  act_drain: ['{gateway} を止めますか', 'Drain {gateway}?'], act_drain_text: ['すべてのワーカーが、この間このゲートウェイを使いません。', 'No worker uses this gateway meanwhile.'],
  act_resume: ['{gateway} を再開しますか', 'Resume {gateway}?'], act_resume_text: ['すべてのワーカーがまた使います。', 'All workers use it again.'],
  drain_for: ['期間', 'For how long'], even_the_last: ['ほかに送る道がなくても止める', 'Even if it is the channel’s last way out'],
  minutes: ['{n} 分', '{n} minutes'], hours: ['{n} 時間', '{n} hours'], hour: ['1 時間', '1 hour'],
  reason_label: ['理由', 'Why'], reason_hint: ['ログに残ります（200文字まで）。個人情報は書かないでください。', 'Goes into the log (200 characters at most). Nothing personal, please.'],
  reason_missing: ['理由を書いてください。', 'Say why.'], cancel: ['やめる', 'Cancel'],
  token_title: ['トークン', 'Token'], token_label: ['コンソールのトークン', 'The console’s token'], token_submit: ['入る', 'Sign in'], sign_in: ['トークン', 'Token'], sign_out: ['出る', 'Sign out'],
  token_to_read: ['見るには、閲覧できるトークンが必要です。', 'Reading needs a token.'], token_to_act: ['この操作には、操作できるトークンが必要です。', 'This needs a token that may act.'],
  token_reads_only: ['このトークンは閲覧だけです。操作できるトークンを入れてください。', 'This token may only read. Give one that may act.'], needs_act: ['操作できるトークンが必要', 'needs a token that may act'],

  // Search and story.
  search: ['調べる', 'Search'], search_label: ['イベントID、電話番号、メールアドレス', 'Event id, phone number or mail address'],
  search_as: ['何として調べるか', 'Search as'], as_auto: ['自動', 'Automatic'], as_event: ['イベントID', 'Event id'], as_recipient: ['電話・メール', 'Phone or mail'],
  hint_empty: ['電話番号とアドレスは、記録にもURLにも残りません。', 'Numbers and addresses are kept in no log and no URL.'],
  hint_event: ['イベントIDとして調べます。', 'Taken as an event id.'], hint_recipient: ['電話番号・アドレスとして調べます（HMACで照合、どこにも残りません）。', 'Taken as a number or address (matched as HMAC, kept nowhere).'],
  searching: ['調べています…', 'Searching…'], found: ['{count} 件（新しい順）', '{count} found, the newest first'], none_found: ['見つかりません。保存期間を過ぎたか、まだ届いていません。', 'Nothing found: it never came, or the ledger’s retention is over.'],
  first_seen: ['受信', 'First seen'], attempt: ['{gateway} で試行', 'Tried through {gateway}'], receipt: ['{gateway} の配信結果', 'Receipt of {gateway}'], next_try: ['次の試行（予定）', 'Next try, planned'], claim_until: ['処理の期限', 'Its claim ends'],
  closed_at: ['最後の変化', 'Last change'], recipient: ['宛先のHMAC', 'Recipient’s HMAC'], reference: ['参照番号', 'Reference'], template: ['文面の版', 'Template'], provider_id: ['事業者のID', 'Gateway’s id'], gateway: ['ゲートウェイ', 'Gateway'],
  chart_story: ['発生からの経過（目盛りは対数）', 'Time since the event (logarithmic)'], no_notifications: ['通知はありません。', 'No notification was begun.'], maybe_twice: ['返事のない試行が {count} 回。どれも届いたかもしれません。', 'Attempts without an answer: {count}. Each may have arrived.'],
  after_event: ['発生から +{span}', '+{span} after the event'], before_event: ['発生より {span} 前（時計のずれ）', '{span} before the event: clocks differ'],
  current: ['現在の連絡先', 'current contact'], previous: ['変更前の連絡先', 'previous contact'],

  unit_d: ['日', 'd'], unit_h: ['時間', 'h'], unit_m: ['分', 'm'], unit_s: ['秒', 's'], ago: ['{span}前', '{span} ago'],
};

const KEY = 'shirase.console.lang';

// Storage may be forbidden; the choice then lasts as long as the page.
function stored() {
  try { return localStorage.getItem(KEY); } catch { return null; }
}
let chosen = stored() ?? (navigator.language.startsWith('ja') ? 'ja' : 'en');

export const lang = () => (chosen === 'en' ? 'en' : 'ja');

export function speak(language) {
  chosen = language;
  try { localStorage.setItem(KEY, language); } catch { /* as said */ }
}

export const say = (pair, values = {}) => pair[lang() === 'ja' ? 0 : 1].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
export const knows = key => Object.hasOwn(WORDS, key);
export const t = (key, values) => (knows(key) ? say(WORDS[key], values) : key);
