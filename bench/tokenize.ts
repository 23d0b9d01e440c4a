// How long texts take to become token ids: 100,000 lines of 20 words as JSON Lines, and 16 MB of plain text cut into blocks.
//
//     node tools/run.mjs bench/tokenize.ts [NAME ...]      of test/fixtures/tokenizers; default gpt2, bert and t5

import { readFileSync } from 'node:fs';
import { openJsonlDataset } from '../src/formats/datasets/jsonl';
import { openTextDataset } from '../src/formats/datasets/textFile';
import { tokenizedDataset } from '../src/formats/tokenized';
import { openTokenizer } from '../src/formats/tokenizer/tokenizer';
import { memorySource } from '../src/worker/fileSource';

const lines = 100_000;
const wordsALine = 20;
const wholeBytes = 16e6;

const text = readFileSync('test/fixtures/texts/grouped/text.txt', 'utf8');
const words = text.split(/\s+/);
let state = 1;
const someWord = () => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return words[state % words.length]!;
};
const rows = Array.from({ length: lines }, () =>
  JSON.stringify({ text: Array.from({ length: wordsALine }, someWord).join(' ') }),
);
const jsonl = new TextEncoder().encode(rows.join('\n'));
const plain = new TextEncoder().encode(text.repeat(Math.floor(wholeBytes / text.length)));
const config = { file: 'tokenizer.json' };

const named = process.argv.slice(2);
for (const name of named.length > 0 ? named : ['gpt2', 'bert', 't5']) {
  const file = new Uint8Array(readFileSync(`test/fixtures/tokenizers/${name}.json`));
  const tokenizer = await openTokenizer(memorySource(name, file));
  await report(`${name}: ${lines} lines`, jsonl.length, async () => {
    const dataset = await openJsonlDataset(memorySource('lines', jsonl));
    return tokenizedDataset(dataset, { tokenizer, config: { ...config, maxLength: 64 } });
  });
  await report(`${name}: one text`, plain.length, async () => {
    const dataset = await openTextDataset(memorySource('text', plain), { examples: 'blocks', blockLength: 128 });
    return tokenizedDataset(dataset, { tokenizer, config });
  });
}

async function report(what: string, bytes: number, act: () => Promise<{ readonly length: number }>): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { length } = await act();
  const seconds = (performance.now() - start) / 1e3;
  const { user, system } = process.cpuUsage(cpu);
  const memory = process.memoryUsage().rss / 2 ** 20;
  console.log(
    `${what.padEnd(26)} ${(bytes / 1e6).toFixed(1)} MB, ${length} examples: ${seconds.toFixed(1)} s ` +
      `(${((user + system) / 1e6).toFixed(1)} s of the processor), ${memory.toFixed(0)} MB in memory`,
  );
}
