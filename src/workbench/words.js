// What things are called.

export const PARTS = { 'sms.hbs': 'SMS', 'email.subject.hbs': '件名', 'email.txt.hbs': '本文', 'email.html.hbs': 'HTML' };

export const LOCALES = { ja: '日本語', en: '英語' };

// Rules that this page can explain in Japanese: a name and the mend. Others keep their own words.
const RULES = {
  'parses': ['書き方の誤り', '{{ }} の閉じ忘れか、{{/if}} などの抜けがないか確かめてください。'],
  'renders': ['表示できない', '名前の打ち間違いを直すか、ないこともある項目なら {{#if …}} で囲んでください。'],
  'segments': ['SMS が長すぎる', '文を短くしてください。通数ごとに料金がかかります。'],
  'routes': ['送れる経路がない', 'どの SMS 経路でも送れません。文字か長さを見直してください。'],
  'links': ['リンクは使えない', 'リンクやドメイン名は書けません。電話番号で案内してください。'],
  'complete': ['ファイルが足りない', 'このファイルを作ってください。'],
  'stray-file': ['知らないファイル', '名前を直すか、取り除いてください。'],
};
export const ruleName = rule => RULES[rule]?.[0] ?? rule;
export const mendOf = rule => RULES[rule]?.[1];

export const SEVERITY = { error: 'エラー', warning: '注意' };

export const FATE = { sent: '送信', fallback: '予備', not_sent: '送られない' };

export const CONTACT = { current: '', previous: '変更前の連絡先' };

const REASONS = {
  findings: 'エラーがあるので保存していません。直すか、下書きに残してください。',
  conflict: 'ほかの人がファイルを変えました。何も保存していません。',
  linked: 'このファイルは別の場所へのリンクなので、ここでは書き換えられません。',
  storage: 'ファイルを読み書きできませんでした。',
  data: 'このデータはイベントとして読めません。',
  locale: 'この種類には、この言語の文面がありません。',
  offline: '作業台に届きませんでした。コマンドが動いているか確かめてください。',
};
export const reason = ({ reason, detail }) => [REASONS[reason] ?? REASONS.offline, reason === 'findings' ? '' : detail].filter(Boolean).join(' ');

export const partOf = path => PARTS[path.split('/')[2]];

export function nameOf(path, types) {
  const [, folder, file] = path.split('/');
  if (folder === '_partials') return `共通部品 ${file.replace(/\.hbs$/, '')}`;
  const title = types.find(type => type.name === folder)?.title ?? folder;
  return `${title} · ${PARTS[file] ?? file}`;
}

// `security.login-2`, `security.login-longest-1`: after the type's name.
export function exampleName(id, type) {
  const name = id.slice(type.length + 1);
  const [, extreme, number] = /^(shortest|longest)-?(.*)$/.exec(name) ?? [];
  if (!extreme) return `見本 ${name}`;
  return `${extreme === 'longest' ? '最長' : '最短'} ${number}`;
}
