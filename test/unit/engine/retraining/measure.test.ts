import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type EngineHandlers } from '../../../../src/engine/engine';
import { range } from '../../../../src/engine/network/examples';
import { readSafetensors } from '../../../../src/formats/checkpoints/safetensors';
import { readNpy } from '../../../../src/formats/npy';
import { readFloat32 } from '../../../../src/formats/tensor';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failure } from '../../../support/failure';
import { relativeError } from '../../../support/statistics';
import { quietContext, testHost } from '../../../support/testHost';
import { copyRun, makeTinyRun, type RunFolder, useRunFolders } from '../../../support/tinyRun';

const owned = useRunFolders();
const queries = range(0, 9).map((index) => ({ split: 'test', index }));
let engine: EngineHandlers;
let run: RunFolder;
beforeAll(async () => {
  engine = createEngine(await testHost());
  run = owned(await copyRun('test/fixtures/oracle/momentum'));
});

describe('measure', () => {
  test("is the log-odds and the loss of the final checkpoint's predictions", async () => {
    const request = { config: run.config, queries };
    const margins = await engine.measure({ ...request, measurement: { kind: 'margin' } }, quietContext());
    const losses = await engine.measure({ ...request, measurement: { kind: 'loss' } }, quietContext());
    const page = { config: run.config, split: 'test', from: 0, count: 9, order: 'file' } as const;
    const { examples } = await engine.examples(page, quietContext());
    const odds = examples.map(({ label, prediction }) => {
      const own = prediction.probabilities[label]!;
      return Math.log(own / prediction.probabilities.reduce((sum, p, at) => (at === label ? sum : sum + p), 0));
    });
    expect(relativeError(margins.values, odds)).toBeLessThan(1e-5);
    expect(margins.predicted).toEqual(examples.map(({ prediction }) => prediction.predicted));
    expect(
      relativeError(
        losses.values,
        examples.map(({ prediction }) => prediction.loss),
      ),
    ).toBeLessThan(1e-6);
  });

  test('takes a checkpoint that need not be the last', async () => {
    const request = { config: run.config, queries, measurement: { kind: 'margin' } } as const;
    const at = (step: number) => join(run.folder, 'checkpoints', `step-${step}.safetensors`);
    const [last, same, first] = [
      await engine.measure(request, quietContext()),
      await engine.measure({ ...request, checkpoint: at(228) }, quietContext()),
      await engine.measure({ ...request, checkpoint: at(38) }, quietContext()),
    ];
    expect(same).toEqual(last);
    expect(relativeError(first.values, last.values)).toBeGreaterThan(0.1);
    const early = owned(await copyRun('test/fixtures/oracle/momentum'));
    const config = JSON.parse(await readFile(early.config, 'utf8')) as object;
    const checkpoints = ['checkpoints/step-38.safetensors'];
    await writeFile(early.config, JSON.stringify({ ...config, checkpoints, segments: 1 }));
    expect(await engine.measure({ ...request, config: early.config }, quietContext())).toEqual(first);
  });

  test.each(['binary', 'absolute', 'smoothed', 'weighted', 'custom', 'next-token', 'tagging', 'mixed'])(
    "is PyTorch's loss of every kind (%s)",
    async (name) => {
      const { folder, config } = owned(await copyRun(`test/fixtures/losses/${name}`));
      const { tensors } = await readSafetensors(await nodeFiles().open(join(folder, 'expected.safetensors')));
      const train = range(0, 12).map((index) => ({ split: 'train', index }));
      const request = { config, queries: train, measurement: { kind: 'loss' } } as const;
      const { values } = await engine.measure(request, quietContext());
      expect(relativeError(values, await readFloat32(tensors.get('losses')!))).toBeLessThan(1e-5);
    },
  );

  test('refuses a checkpoint of another network, and queries of two splits', async () => {
    const tiny = owned(await makeTinyRun());
    const checkpoint = join(tiny.folder, 'checkpoints/step-10.safetensors');
    const request = { config: run.config, queries, measurement: { kind: 'margin' } } as const;
    const other = await failure(engine.measure({ ...request, checkpoint }, quietContext()));
    expect([other.code, other.details.file]).toEqual(['binding-failed', checkpoint]);
    const mixed = [...queries, { split: 'train', index: 0 }];
    expect((await failure(engine.measure({ ...request, queries: mixed }, quietContext()))).code).toBe('bad-argument');
  });
});

test('scores of other segments are those of a run that is cut so', async () => {
  const request = { config: run.config, queries, method: 'source', measurement: { kind: 'margin' } } as const;
  const read = async (name: string) =>
    (await readNpy(await (await testHost()).files.open(join(run.folder, name)))).data as Float32Array;
  const out = (name: string) => join(run.folder, name);
  await engine.scores({ ...request, out: out('own.npy') }, quietContext());
  await engine.scores({ ...request, out: out('cut.npy'), segments: 1 }, quietContext());
  const other = owned(await copyRun('test/fixtures/oracle/momentum'));
  const config = JSON.parse(await readFile(other.config, 'utf8')) as object;
  await writeFile(other.config, JSON.stringify({ ...config, segments: 1 }));
  await engine.scores({ ...request, config: other.config, out: out('written.npy') }, quietContext());
  expect(await read('cut.npy')).toEqual(await read('written.npy'));
  expect(relativeError(await read('cut.npy'), await read('own.npy'))).toBeGreaterThan(0.01);
});
