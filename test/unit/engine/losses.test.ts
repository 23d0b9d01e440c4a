import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import { readNpy } from '../../../src/formats/npy';
import { readFloat32 } from '../../../src/formats/tensor';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { relativeError } from '../../support/statistics';
import { quietContext, testHost } from '../../support/testHost';

/** Every loss and kind of input against PyTorch's per-example gradients: `test/fixtures/losses/make.py` wrote runs and scores. */

const folders: string[] = [];
const queries = [0, 1, 2].map((index) => ({ split: 'test', index }));
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** A copy of a fixture's run, beside which stages may be stored. */
async function copyOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-losses-'));
  folders.push(folder);
  await cp(fileURLToPath(new URL(`../../fixtures/losses/${name}`, import.meta.url)), folder, { recursive: true });
  return folder;
}

describe.each(['binary', 'absolute', 'smoothed', 'weighted', 'custom', 'next-token', 'tagging', 'mixed'])(
  '%s',
  (name) => {
    test("losses and scores are PyTorch's", async () => {
      const folder = await copyOf(name);
      const config = join(folder, 'whence.json');
      const engine = createEngine(await testHost());
      const { tensors } = await readSafetensors(await nodeFiles().open(join(folder, 'expected.safetensors')));
      const out = join(folder, 'scores.npy');
      await engine.scores({ config, queries, method: 'tracin', measurement: { kind: 'loss' }, out }, quietContext());
      const scores = (await readNpy(await nodeFiles().open(out))).data as Float32Array;
      expect(relativeError(scores, await readFloat32(tensors.get('scores')!))).toBeLessThan(1e-5);

      const page = await engine.examples({ config, split: 'train', order: 'file', from: 0, count: 12 }, quietContext());
      const losses = page.examples.map(({ prediction }) => prediction.loss);
      expect(relativeError(losses, await readFloat32(tensors.get('losses')!))).toBeLessThan(1e-5);
    });

    test('SOURCE answers a query', async () => {
      const config = join(await copyOf(name), 'whence.json');
      const engine = createEngine(await testHost());
      const request = { config, query: { split: 'test', index: 1 }, method: 'source', top: 3 } as const;
      const influence = await engine.attribute(request, quietContext());
      expect(influence.examples).toBe(12);
      expect(influence.towards.length + influence.away.length).toBeGreaterThan(0);
      for (const { score } of [...influence.towards, ...influence.away]) expect(Number.isFinite(score)).toBe(true);
    });
  },
);

test.each(['next-token', 'tagging', 'mixed'])('%s: scores cover looked-up embeddings where asked to', async (name) => {
  const folder = await copyOf(name);
  const config = join(folder, 'whence.json');
  const settings = JSON.parse(await readFile(config, 'utf8')) as object;
  await writeFile(config, JSON.stringify({ ...settings, sites: ['embeddings'] }));
  const { tensors } = await readSafetensors(await nodeFiles().open(join(folder, 'expected.safetensors')));
  const out = join(folder, 'scores.npy');
  const request = { config, queries, method: 'tracin', measurement: { kind: 'loss' }, out } as const;
  await createEngine(await testHost()).scores(request, quietContext());
  const scores = (await readNpy(await nodeFiles().open(out))).data as Float32Array;
  expect(relativeError(scores, await readFloat32(tensors.get('covered')!))).toBeLessThan(1e-5);
});

test("a token's own scores, averaged over the tokens that count, are those of the whole loss", async () => {
  const config = join(await copyOf('next-token'), 'whence.json');
  const engine = createEngine(await testHost());
  const query = { split: 'test', index: 0 };
  const scores = async (token?: number) => {
    const measurement = { kind: 'loss' as const, ...(token === undefined ? {} : { token }) };
    const request = { config, query, method: 'tracin', top: 12, measurement } as const;
    const { towards, away } = await engine.attribute(request, quietContext());
    const all = new Float64Array(12);
    for (const { example, score } of [...towards, ...away]) all[example.id.index] = score;
    return all;
  };
  const { examples } = await engine.examples(
    { config, split: 'test', order: 'file', from: 0, count: 1 },
    quietContext(),
  );
  const { preview } = examples[0]!;
  const length = preview.kind === 'text' ? (JSON.parse(preview.text) as { input_ids: number[] }).input_ids.length : 0;
  expect(length).toBeGreaterThan(2);
  const sum = new Float64Array(12);
  for (let token = 1; token < length; token++) {
    const own = await scores(token);
    own.forEach((value, i) => {
      sum[i]! += value / (length - 1);
    });
  }
  expect(relativeError(sum, await scores())).toBeLessThan(1e-5);
  await expect(scores(0)).rejects.toMatchObject({ code: 'bad-argument' });
});
