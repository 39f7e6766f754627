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
  'partials': ['共通部品の呼び出し', '共通部品の名前を確かめてください。'],
  'unused-partial': ['使われていない共通部品', 'どこからも呼ばれていません。要らなければ取り除いてください。'],
  'helpers': ['{{ }} の書き方', '関数の名前と書き方を確かめてください。'],
  'variables': ['知らない項目', '項目の名前を確かめてください。'],
  'guards': ['ないこともある項目', '{{#if …}}…{{/if}} で囲んでください。'],
  'codes': ['知らない値', '比べている値を確かめてください。'],
  'unnamed-code': ['言葉のない値', 'この値のときの言葉を足してください。'],
  'extremes': ['限界の見本を作れない', 'イベントの定義を見直してもらってください。見本だけを調べました。'],
  'schema-bounds': ['長さに限りがない', 'イベントの定義に最大の長さを決めてもらってください。'],
  'shift-jis': ['SMS で送れない文字', 'ほかの文字か言葉に替えてください。'],
  'characters': ['機種によって変わる文字', '半角カナ・絵文字・機種依存文字を、ほかの文字に替えてください。'],
  'masked': ['伏せるべき項目', '{{mask_account …}} などで伏せてください。'],
  'brand': ['会社名がない', '{{brand.company}} を入れてください。'],
  'contact': ['連絡先がない', '{{brand.phone}} を、メールには {{brand.hours}} も入れてください。'],
  'subject': ['件名が長い', '大事なことを先に、短くしてください。'],
  'html': ['HTML の書き方', 'タグの閉じ忘れや、本文に混じったタグがないか確かめてください。'],
  'others': ['まとめの件数', 'まとめて送るときの件数を入れてください。例：{{#if event.others}}ほか{{event.others}}件。{{/if}}'],
  'unescaped': ['そのまま出る項目', '{{{…}}} を {{…}} に替えてください。'],
  'facts': ['本文と HTML の食い違い', '同じことを両方に書いてください。'],
  'unused-exception': ['要らなくなった例外', '設定から取り除いてもらってください。'],
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
