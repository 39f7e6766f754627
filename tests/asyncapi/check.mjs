// Reads an AsyncAPI document from standard input: exit 0 when AsyncAPI's parser accepts it without an error or warning, with
// the number of messages; else 1 and what it says.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(0, 'utf8'));
// 0 error, 1 warning, 2 information, 3 hint
const serious = diagnostics.filter((one) => one.severity <= 1);
for (const one of serious) {
  console.error(`${one.code} at /${one.path.join('/')}: ${one.message}`);
}
if (!document || serious.length > 0) {
  process.exit(1);
}
console.log(`${document.messages().all().length} messages in ${document.channels().all().length} channels`);
