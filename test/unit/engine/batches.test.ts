import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import { readNpy } from '../../../src/formats/npy';
import { readTensor } from '../../../src/formats/tensor';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { relativeError } from '../../support/statistics';
import { quietContext, testHost } from '../../support/testHost';
import { node, perceptron, type TinyModel } from '../../support/tinyModel';
import { makeTinyRun, type TinyRun, tinyExamples, tinyQueries } from '../../support/tinyRun';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function made(model: TinyModel, settings: object = {}): Promise<TinyRun> {
  const run = await makeTinyRun(model, settings);
  folders.push(run.folder);
  return run;
}

/** Scores of all test examples by the whole engine. */
async function scores({ config, folder }: TinyRun): Promise<Float32Array> {
  const engine = createEngine(await testHost());
  const queries = Array.from({ length: tinyQueries }, (_, index) => ({ split: 'test', index }));
  const out = join(folder, 'scores.npy');
  await engine.scores({ config, queries, method: 'source', measurement: { kind: 'margin' }, out }, quietContext());
  return (await readNpy(await nodeFiles().open(out))).data as Float32Array;
}

/** A stage's tensors, one map a stored file. */
async function stored({ folder }: TinyRun, kind: string): Promise<Map<string, Float64Array>[]> {
  const names = (await readdir(join(folder, '.whence'))).filter((name) => name.startsWith(kind));
  const files = names.map(async (name) => {
    const { tensors } = await readSafetensors(await nodeFiles().open(join(folder, '.whence', name)));
    const values = new Map<string, Float64Array>();
    for (const [key, ref] of tensors) values.set(key, (await readTensor(ref)).data as Float64Array);
    return values;
  });
  return Promise.all(files);
}

const convolutional: TinyModel = {
  example: [1, 4, 4],
  classes: 3,
  weights: { 'conv.weight': [2, 1, 3, 3], 'conv.bias': [2], 'fc.weight': [3, 8], 'fc.bias': [3] },
  nodes: [
    node('Conv', ['x', 'conv.weight', 'conv.bias'], 'convolved'),
    node('Relu', ['convolved'], 'active'),
    node('Flatten', ['active'], 'flat'),
    node('Gemm', ['flat', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }),
  ],
};

describe.for([
  ['two Linear layers', perceptron],
  ['a convolution', convolutional],
] as const)('%s', ([, model]) => {
  // 30 examples: in batches of 7 the last holds 2, in batches of 64 more than half of the rows is padding.
  test.for(['exact', 'sampled', 'empirical'])(
    'has the same curvature and scores in any batches (%s)',
    async (fisher) => {
      const free = await made(model, { fisher });
      const expected = await scores(free);
      const total = (traces: readonly number[]) => traces.reduce((sum, value) => sum + value, 0);
      // Files are named by hashes that differ: what each holds tells which checkpoint it is of.
      const byTrace = (all: Map<string, Float64Array>[]) =>
        all.map((one) => [...one.values()].map(trace)).sort((a, b) => total(a) - total(b));
      for (const batch of [1, 7, 64]) {
        const fixed = await made({ ...model, batch }, { fisher });
        expect(relativeError(await scores(fixed), expected)).toBeLessThan(1e-3);
        const [found, wanted] = [
          byTrace(await stored(fixed, 'covariances')),
          byTrace(await stored(free, 'covariances')),
        ];
        found.forEach((traces, i) => {
          expect(relativeError(traces, wanted[i]!)).toBeLessThan(1e-5);
        });
      }
    },
  );
});

function trace(matrix: Float64Array): number {
  const n = Math.round(Math.sqrt(matrix.length));
  return Array.from({ length: n }, (_, i) => matrix[i * n + i]!).reduce((sum, value) => sum + value, 0);
}

test('activations of one example each are what covariances count', async () => {
  const run = await made({ ...perceptron, batch: 64 });
  await scores(run);
  // The bias's own diagonal element counts the examples, once a checkpoint.
  for (const values of await stored(run, 'covariances')) {
    expect(values.get('activation')!.at(-1)).toBe(tinyExamples);
  }
});

test('a padded batch makes no NaN where a network divides by its input', async () => {
  const dividing: TinyModel = {
    ...perceptron,
    batch: 64,
    nodes: [
      node('Mul', ['x', 'x'], 'squares'),
      node('ReduceMean', ['squares'], 'size', { axes: [1], keepdims: 1 }),
      node('Div', ['x', 'size'], 'scaled'),
      ...perceptron.nodes.map((one) => ({
        ...one,
        inputs: one.inputs.map((name) => (name === 'x' ? 'scaled' : name)),
      })),
    ],
  };
  const found = await scores(await made(dividing));
  expect(found.every(Number.isFinite)).toBe(true);
  expect(relativeError(found, await scores(await made({ ...dividing, batch: 10 })))).toBeLessThan(1e-3);
});

test('what scores leave out is said', async () => {
  const scaled: TinyModel = {
    example: [4],
    classes: 3,
    weights: { 'scale.weight': [4], 'scale.bias': [4], 'fc.weight': [3, 4], 'fc.bias': [3] },
    nodes: [
      node('Mul', ['x', 'scale.weight'], 'scaled'),
      node('Add', ['scaled', 'scale.bias'], 'shifted'),
      node('Gemm', ['shifted', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }),
    ],
  };
  const { config } = await made(scaled);
  const { problems } = await createEngine(await testHost()).check({ config }, quietContext());
  expect(problems).toContainEqual(
    expect.objectContaining({ severity: 'info', message: expect.stringMatching(/scale\.weight, scale\.bias\.$/) }),
  );
});
