import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import { readFloat32 } from '../../../src/formats/tensor';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { relativeError } from '../../support/statistics';
import { quietContext, testHost } from '../../support/testHost';
import { failureOf } from '../formats/files';

/** Runs on raw text, tokenized here, against PyTorch's losses of the same: `test/fixtures/texts/make.py` trained them. */

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function copyOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-texts-'));
  folders.push(folder);
  await cp(fileURLToPath(new URL(`../../fixtures/texts/${name}`, import.meta.url)), folder, { recursive: true });
  return folder;
}

async function expectedLosses(folder: string, name: string): Promise<Float32Array> {
  const { tensors } = await readSafetensors(await nodeFiles().open(join(folder, 'expected.safetensors')));
  return readFloat32(tensors.get(name)!);
}

describe.each(['blocks', 'lines', 'classes'])('%s', (name) => {
  test("losses of raw text are PyTorch's, and SOURCE attributes a query", async () => {
    const folder = await copyOf(name);
    const config = join(folder, 'whence.json');
    const engine = createEngine(await testHost());
    const golden = await expectedLosses(folder, 'losses');
    const page = await engine.examples(
      { config, split: 'train', order: 'file', from: 0, count: golden.length + 5 },
      quietContext(),
    );
    const losses = page.examples.map(({ prediction }) => prediction.loss);
    expect(losses.length).toBe(golden.length);
    expect(relativeError(losses, golden)).toBeLessThan(1e-5);
    const [loss] = await expectedLosses(folder, 'queryLosses');
    const request = { config, query: { split: 'test', index: 0 }, method: 'source', top: 3 } as const;
    const influence = await engine.attribute(request, quietContext());
    expect(Math.abs(influence.query.prediction.loss - loss!)).toBeLessThan(1e-5);
    expect(influence.examples).toBe(golden.length);
    for (const { score, example } of [...influence.towards, ...influence.away]) {
      expect(Number.isFinite(score)).toBe(true);
      expect(example.preview).toMatchObject({ kind: 'text', text: expect.stringMatching(/\w/) });
    }
  });
});

test('blocks know their line and bytes, and show their text and its tokens', async () => {
  const folder = await copyOf('blocks');
  const config = join(folder, 'whence.json');
  const engine = createEngine(await testHost());
  const page = await engine.examples({ config, split: 'train', order: 'file', from: 0, count: 1000 }, quietContext());
  const bytes = await readFile(join(folder, 'train.txt'));
  let end = 0;
  for (const { location, preview } of page.examples) {
    if (preview.kind !== 'text') throw new Error('a text has another preview');
    const { byte = 0, endByte = 0, line } = location;
    // A block may begin with the rest of a character whose first bytes end the one before.
    expect(byte).toBeLessThanOrEqual(end);
    end = endByte;
    expect(line).toBe(bytes.subarray(0, byte).toString('utf8').split('\n').length);
    expect(preview.tokens?.length).toBe(24);
    expect(preview.tokens!.map(([from, to]) => preview.text.slice(from, to)).join('').length).toBeGreaterThanOrEqual(
      preview.text.length,
    );
    expect(bytes.subarray(byte, endByte).toString('utf8')).toBe(preview.text);
  }
});

test('texts without a tokenizer, and with a broken one, are refused with file and mend', async () => {
  const folder = await copyOf('lines');
  const config = join(folder, 'whence.json');
  const engine = createEngine(await testHost());
  const settings = JSON.parse(await readFile(config, 'utf8')) as Record<string, unknown>;
  await writeFile(config, JSON.stringify({ ...settings, preprocess: {} }));
  const open = () => engine.examples({ config, split: 'train', order: 'file', from: 0, count: 1 }, quietContext());
  const missing = await failureOf(open());
  expect(missing).toMatchObject({
    code: 'config-invalid',
    details: { mend: expect.stringContaining('tokenizer.json') },
  });
  await writeFile(config, JSON.stringify(settings));
  const text = await readFile(join(folder, 'tokenizer.json'), 'utf8');
  await writeFile(join(folder, 'tokenizer.json'), text.slice(0, text.length / 2));
  const broken = await failureOf(open());
  expect(broken).toMatchObject({ code: 'malformed-file', details: { file: join(folder, 'tokenizer.json') } });
});
