import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { range } from '../../../../src/engine/network/examples';
import { LoadedRuns } from '../../../../src/engine/run/loadedRun';
import { readSafetensors } from '../../../../src/formats/checkpoints/safetensors';
import { readTensor } from '../../../../src/formats/tensor';
import type { MeasurementKind, MethodName } from '../../../../src/protocol/model';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failure } from '../../../support/failure';
import { pearson, relativeError, slope } from '../../../support/statistics';
import { quietTask, testHost } from '../../../support/testHost';

/** Exact unrolling against PyTorch's derivative through torch.optim's own steps: `test/fixtures/unrolling/make.py`. */

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function copyOf(name: string, settings: object = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-unrolling-'));
  folders.push(folder);
  await cp(fileURLToPath(new URL(`../../../fixtures/unrolling/${name}`, import.meta.url)), folder, { recursive: true });
  const config = join(folder, 'whence.json');
  const own = JSON.parse(await readFile(config, 'utf8')) as object;
  await writeFile(config, JSON.stringify({ ...own, ...settings }));
  return folder;
}

async function scoresOf(folder: string, method: MethodName, kind: MeasurementKind): Promise<Float64Array> {
  const loaded = await new LoadedRuns(await testHost()).get(join(folder, 'whence.json'));
  const queries = loaded.examples('test');
  const indices = range(0, queries.length);
  const targets = [...queries.dataset.labels];
  const { bySegment } = await loaded.attribution.score(queries, indices, targets, method, kind, quietTask());
  const total = Float64Array.from(bySegment[0]!);
  for (const more of bySegment.slice(1)) for (let i = 0; i < total.length; i++) total[i]! += more[i]!;
  return total;
}

async function exact(folder: string, kind: string): Promise<Float64Array> {
  const { tensors } = await readSafetensors(await nodeFiles().open(join(folder, 'exact.safetensors')));
  return (await readTensor(tensors.get(kind)!)).data as Float64Array;
}

/**
 * Correlations of SOURCE (one segment of six checkpoints) with the exact derivative were .854, .903, .957 and .953; those of the
 * gradient dot product .563, .679, .885 and .868.
 */
const runs = [
  ['momentum', 0.83],
  ['nesterov', 0.88],
  ['adam', 0.94],
  ['adamw', 0.93],
] as const;

describe.each(runs)('a run by %s', (name, least) => {
  test.each(['margin', 'loss'] as const)("is unrolled to PyTorch's derivative of the %s", async (kind) => {
    const folder = await copyOf(name);
    expect(relativeError(await scoresOf(folder, 'exact-unrolling', kind), await exact(folder, kind))).toBeLessThan(
      2e-4,
    );
  });

  test('is told by SOURCE, and less by one product of gradients', async () => {
    const folder = await copyOf(name);
    const truth = await exact(folder, 'margin');
    const source = await scoresOf(folder, 'source', 'margin');
    const dot = await scoresOf(folder, 'gradient-dot', 'margin');
    expect(pearson(source, truth)).toBeGreaterThan(least);
    expect(pearson(source, truth) - pearson(dot, truth)).toBeGreaterThan(0.05);
    // SOURCE overestimates: within a segment of this size curvature does not stand still.
    expect(slope(source, truth)).toBeGreaterThan(0.4);
    expect(slope(source, truth)).toBeLessThan(1.1);
  });
});

describe('a run that cannot be replayed', () => {
  const refusal = async (name: string, settings: object) =>
    failure(scoresOf(await copyOf(name, settings), 'exact-unrolling', 'margin'));

  test('is refused where its batches or its initial weights are not known', async () => {
    expect((await refusal('adamw', { unrolling: undefined })).message).toMatch(/batches/);
    expect((await refusal('adamw', { unrolling: { batches: 'batches.jsonl' } })).message).toMatch(/initial weights/);
  });

  test('is refused where it does not meet its checkpoints, by how much', async () => {
    const optimizer = { kind: 'sgd', momentum: 0.85, weightDecay: 0.01 };
    const error = await refusal('momentum', { optimizer });
    expect([error.code, error.message]).toEqual([
      'unsupported-op',
      expect.stringMatching(/ % of the way from step 8's/),
    ]);
  });

  test('is refused where batches are too few, or no examples', async () => {
    const folder = await copyOf('adamw');
    const path = join(folder, 'batches.jsonl');
    const lines = (await readFile(path, 'utf8')).split('\n');
    const ask = async (text: string) => {
      await writeFile(path, text);
      return failure(scoresOf(folder, 'exact-unrolling', 'margin'));
    };
    expect((await ask(lines.slice(0, 20).join('\n'))).message).toMatch(/batches of 20 updates/);
    expect((await ask(['[1, 30]', ...lines].join('\n'))).message).toMatch(/Update 1 has an example 30/);
    expect((await ask(['[]', ...lines].join('\n'))).message).toMatch(/no examples/);
    expect(await ask(['[1, "a"]', ...lines].join('\n'))).toMatchObject({ details: { place: 'line 1' } });
  });
});
