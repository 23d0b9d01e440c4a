import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseConfig, type RunConfig } from '../../../../src/engine/config/config';
import { validateConfig } from '../../../../src/engine/config/validate';
import { discover } from '../../../../src/engine/workspace/discover';
import { propose } from '../../../../src/engine/workspace/propose';
import { nodeFiles } from '../../../../src/worker/nodeFiles';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-texts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The fixture as training left it, without the files of these names. */
function put(name: string, without: readonly string[] = []): void {
  const filter = (path: string) => !['whence.json', ...without].includes(basename(path));
  cpSync(fileURLToPath(new URL(`../../../fixtures/texts/${name}`, import.meta.url)), folder, {
    recursive: true,
    filter,
  });
}

async function proposed(): Promise<{ readonly config: RunConfig | undefined; readonly problems: readonly string[] }> {
  const files = nodeFiles();
  const [proposal] = await propose(await discover(folder, files), files);
  const { config } = parseConfig(proposal!.text, proposal!.config);
  return { config, problems: proposal!.problems.map(({ message }) => message) };
}

test.each([
  ['lines', 'jsonl', 'train.jsonl', 'tokenizer.json', 'next-token'],
  ['classes', 'csv', 'train.csv', 'tokenizer.json', 'cross-entropy'],
  ['blocks', 'text', 'train.txt', 'tokenizer/tokenizer.json', 'next-token'],
])('%s: texts and their tokenizer are found', async (name, format, file, tokenizer, loss) => {
  put(name);
  const { config } = await proposed();
  expect(config).toMatchObject({
    data: { train: { format, file } },
    preprocess: { tokenizer: { file: tokenizer } },
    loss,
  });
});

test('texts without a tokenizer are named as what is missing', async () => {
  put('lines', ['tokenizer.json']);
  const { config, problems } = await proposed();
  expect(config).toBeUndefined();
  expect(problems.join(' ')).toContain('The examples are texts');
});

test('whence.json is checked with its tokenizer', async () => {
  put('lines');
  const files = nodeFiles();
  const path = join(folder, 'whence.json');
  const text = (tokenizer: object) =>
    JSON.stringify({
      model: 'model.onnx',
      checkpoints: 'checkpoints/step-*.safetensors',
      data: { train: { format: 'jsonl', file: 'train.jsonl' }, test: { format: 'jsonl', file: 'test.jsonl' } },
      preprocess: { tokenizer },
      loss: 'next-token',
      optimizer: { kind: 'sgd', learningRate: 0.1 },
    });
  const problemsOf = async (tokenizer: object) => {
    const own = text(tokenizer);
    const found = await validateConfig(path, own, files);
    return found.map(({ message, range }) => `${own.slice(range!.offset, range!.offset + range!.length)}: ${message}`);
  };
  expect(await problemsOf({ file: 'tokenizer.json', maxLength: 20 })).toEqual([]);
  expect((await problemsOf({ file: 'none.json' }))[0]).toMatch(/^"none.json": /);
  expect((await problemsOf({ file: 'train.jsonl' }))[0]).toMatch(/^"train.jsonl": train.jsonl.*not valid JSON/);
  expect((await problemsOf({ file: 'tokenizer.json', endToken: '<none>' }))[0]).toContain('no token "<none>"');
  expect((await problemsOf({ file: 'tokenizer.json', padding: 'left' }))[0]).toContain('must be "longest" or "max"');
});
