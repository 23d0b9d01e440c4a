import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine } from '../../../../src/engine/engine';
import type { EngineHost } from '../../../../src/engine/host';
import { confirmBinding } from '../../../../src/engine/network/confirm';
import { bind, bindingProblems, loadOutputScales, loadWeights } from '../../../../src/engine/network/weights';
import { modelExamples } from '../../../../src/engine/run/modelExamples';
import { type OpenRun, openRun } from '../../../../src/engine/run/openRun';
import type { Binding } from '../../../../src/formats/bind';
import { openCheckpoint } from '../../../../src/formats/checkpoints';
import { readNpy } from '../../../../src/formats/npy';
import { readFloat32 } from '../../../../src/formats/tensor';
import { failure } from '../../../support/failure';
import { randomFloats, randomNumbers } from '../../../support/random';
import { relativeError } from '../../../support/statistics';
import { quietContext, testHost } from '../../../support/testHost';

const folders: string[] = [];
let host: EngineHost;

beforeAll(async () => {
  host = await testHost();
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** A run of the network of foldable layers as the default exporter writes it: exported at step 3. */
async function foldedRun(steps: readonly number[], variant = 'dynamo') {
  const folder = await mkdtemp(join(tmpdir(), 'whence-folded-'));
  folders.push(folder);
  const fixture = (name: string) => new URL(`../../../fixtures/binding/folded.${name}`, import.meta.url);
  await cp(fixture(`${variant}.onnx`), join(folder, 'model.onnx'));
  // The order of time is free here: a file's step is what its name says.
  for (const [index, step] of steps.entries()) {
    await cp(fixture(`step-${step}.safetensors`), join(folder, `step-${10 * (index + 1)}.safetensors`));
  }
  const random = randomNumbers(5);
  const rows = Array.from({ length: 6 }, (_, row) => [...randomFloats(8, random), row % 3].join());
  await writeFile(join(folder, 'train.csv'), `${['a,b,c,d,e,f,g,h,label', ...rows].join('\n')}\n`);
  const settings = {
    model: 'model.onnx',
    checkpoints: 'step-*.safetensors',
    data: { train: { format: 'csv', file: 'train.csv' } },
    optimizer: { kind: 'sgd', learningRate: 0.1 },
    segments: 1,
  };
  await writeFile(join(folder, 'whence.json'), JSON.stringify(settings));
  const run = await openRun(join(folder, 'whence.json'), host.files);
  return { run, train: (await modelExamples(run)).get('train')! };
}

const weightsOf = (run: OpenRun, bindings: readonly Binding[], checkpoint: number) =>
  loadWeights(run, host, bindings, checkpoint);

test('the weights of the checkpoint that the model was exported from give its own output', async () => {
  const { run, train } = await foldedRun([1, 2, 3]);
  const binding = await bind(run, host);
  expect(binding.exportedFrom).toBe(2);
  await confirmBinding(run, host, binding, train, await weightsOf(run, binding.bindings, 2));
  expect(bindingProblems(run, binding)).toEqual([]);
});

test('weights in the places of one another are found out by the output', async () => {
  const { run, train } = await foldedRun([1, 2, 3]);
  const binding = await bind(run, host);
  const swapped = new Map([
    ['c1.bias', 'c2.weight_bias'],
    ['c2.weight_bias', 'c1.bias'],
  ]);
  const bindings = binding.bindings.map((one) => ({
    ...one,
    initializer: swapped.get(one.initializer) ?? one.initializer,
  }));
  const error = await failure(
    confirmBinding(run, host, { ...binding, bindings }, train, await weightsOf(run, bindings, 2)),
  );
  expect(error.code).toBe('binding-failed');
  expect(error.message).toContain('differs from its own');
});

test('a checkpoint in the middle is told as the one that the model was exported from', async () => {
  const { run, train } = await foldedRun([1, 3, 2]);
  const binding = await bind(run, host);
  expect(binding.exportedFrom).toBe(1);
  await confirmBinding(run, host, binding, train, await weightsOf(run, binding.bindings, 1));
  expect(bindingProblems(run, binding)[0]!.message).toContain('exported from step 20');
});

test('a folded model of none of the checkpoints is refused', async () => {
  const { run } = await foldedRun([1, 2]);
  const error = await failure(bind(run, host));
  expect(error.code).toBe('binding-failed');
  expect(error.message).toContain('The model holds the values of none of the checkpoints');
});

test('every checkpoint has its own scale: the fed weight is the stored one times it, channel by channel', async () => {
  const { run } = await foldedRun([1, 2, 3]);
  const { bindings } = await bind(run, host);
  for (const checkpoint of [0, 1, 2]) {
    const scales = await loadOutputScales(run, host, bindings, checkpoint);
    expect([...scales.keys()].sort()).toEqual(['c1.weight', 'c2.weight', 'fc.weight', 'up.weight']);
    const fed = (await loadWeights(run, host, bindings, checkpoint))['fc.weight']!.data as Float32Array;
    const { tensors } = await openCheckpoint(await host.files.open(run.checkpoints[checkpoint]!.file));
    const stored = await readFloat32(tensors.get('fc.weight')!);
    const scale = scales.get('fc.weight')!;
    expect(scale).toHaveLength(5);
    stored.forEach((value, index) => {
      expect(fed[index]).toBeCloseTo(value * scale[Math.floor(index / 96)]!, 5);
    });
  }
});

test('scores of the folded export are those of the unfolded one', async () => {
  const scores = async (variant: string): Promise<Float32Array> => {
    const { run } = await foldedRun([1, 2, 3], variant);
    const out = join(run.folder, 'scores.npy');
    const queries = [0, 1, 2].map((index) => ({ split: 'train', index }));
    const request = { config: run.path, queries, method: 'source', measurement: { kind: 'margin' }, out } as const;
    await createEngine(host).scores(request, quietContext());
    return (await readNpy(await host.files.open(out))).data as Float32Array;
  };
  const unfolded = await scores('dynamo-unoptimized');
  expect(unfolded.some((value) => value !== 0)).toBe(true);
  expect(relativeError(await scores('dynamo'), unfolded)).toBeLessThan(1e-4);
});
