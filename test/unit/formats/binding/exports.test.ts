import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { bindModel, type ModelBinding } from '../../../../src/formats/bind';
import { apply } from '../../../../src/formats/binding/apply';
import { describeExpression } from '../../../../src/formats/binding/expression';
import { openCheckpoint } from '../../../../src/formats/checkpoints';
import { readFloat32, type TensorRef } from '../../../../src/formats/tensor';
import { decodeModel } from '../../../../src/onnx/decode';
import { encodeModel } from '../../../../src/onnx/encode';
import type { Initializer, Model } from '../../../../src/onnx/graph';
import type { Session, Tensor } from '../../../../src/onnx/runtime';
import { bytesOf, initializerTensor } from '../../../../src/onnx/tensor';
import { memorySource } from '../../../../src/worker/fileSource';
import { createRuntime } from '../../../../src/worker/session';
import { failureOf } from '../files';

const folder = fileURLToPath(new URL('../../../fixtures/binding/', import.meta.url));
const exporters = ['dynamo', 'dynamo-unoptimized', 'legacy', 'legacy-preserved'];
const sessions: Session[] = [];

afterAll(() => Promise.all(sessions.map((session) => session.release())));

function source(name: string) {
  return memorySource(`${folder}${name}`, new Uint8Array(readFileSync(`${folder}${name}`)));
}

async function tensorsOf(name: string): Promise<ReadonlyMap<string, TensorRef>> {
  return (await openCheckpoint(source(`${name}.safetensors`))).tensors;
}

async function modelOf(name: string): Promise<Model> {
  const file = source(`${name}.onnx`);
  return decodeModel(await file.read(0, file.size), file.path);
}

async function bind(model: string, checkpoints: readonly string[]): Promise<ModelBinding> {
  const series = { length: checkpoints.length, tensors: (index: number) => tensorsOf(checkpoints[index]!) };
  return bindModel(await modelOf(model), series, async (initializer: Initializer) => initializerTensor(initializer)!);
}

/** The output for the fixture's input, of the graph with a checkpoint's weights in the initializers' place. */
async function outputAt(name: string, { bindings }: ModelBinding, checkpoint: string, input: Tensor): Promise<Tensor> {
  const model = await modelOf(name);
  const tensors = await tensorsOf(checkpoint);
  const initializers = new Map(model.graph.initializers);
  for (const { initializer, value } of bindings) {
    const data = await apply(value, (tensor) => readFloat32(tensors.get(tensor)!));
    const own = initializers.get(initializer)!;
    initializers.set(initializer, { ...own, bytes: bytesOf({ dtype: 'float32', dims: own.dims, data }) });
  }
  const session = await createRuntime('cpu', 1).createSession(
    encodeModel({ ...model, graph: { ...model.graph, initializers } }),
  );
  sessions.push(session);
  return (await session.run({ x: input }))[session.outputs[0]!]!;
}

async function goldenOf(net: string, name: string): Promise<Tensor> {
  const ref = (await tensorsOf(`${net}.io`)).get(name)!;
  const bytes = await ref.source.read(ref.offset, ref.length);
  const data = ref.dtype === 'int64' ? new BigInt64Array(new Uint8Array(bytes).buffer) : await readFloat32(ref);
  return { dtype: ref.dtype, dims: ref.dims, data };
}

function words({ bindings }: ModelBinding): Record<string, string> {
  return Object.fromEntries(bindings.map(({ initializer, value }) => [initializer, describeExpression(value)]));
}

function largestError(found: Tensor, expected: Tensor): number {
  const [a, b] = [found.data as Float32Array, expected.data as Float32Array];
  expect(found.dims.join()).toBe(expected.dims.join());
  const scale = b.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0) / scale;
}

const run = (net: string) => [1, 2, 3].map((step) => `${net}.step-${step}`);
const nets = ['folded', 'lstm', 'gru', 'gpt', 'looked'];
const pairs = nets.flatMap((net) => exporters.map((exporter) => [net, exporter] as const));

describe.each(pairs)('%s.%s', (net, exporter) => {
  test('with the weights of each checkpoint gives what PyTorch gives with them', async () => {
    const bound = await bind(`${net}.${exporter}`, run(net));
    expect(bound.exportedFrom).toBe(2);
    expect(bound.unused).toEqual([]);
    for (const step of [1, 2, 3]) {
      const output = await outputAt(`${net}.${exporter}`, bound, `${net}.step-${step}`, await goldenOf(net, 'x'));
      expect(largestError(output, await goldenOf(net, `step-${step}`))).toBeLessThan(1e-5);
    }
  });

  test('is known to be exported from a checkpoint that is not the last', async () => {
    const [first, second, third] = run(net) as [string, string, string];
    const inOrder = await bind(`${net}.${exporter}`, [first, second, third]);
    const bound = await bind(`${net}.${exporter}`, [third, first, second]);
    expect(bound.exportedFrom).toBe(0);
    expect(words(bound)).toEqual(words(inOrder));
  });

  test('binds the checkpoints of another run by their names, or not at all', async () => {
    const names = exporter.includes('-') ? [] : ['dynamo', 'legacy'];
    const attempt = bind(`${net}.${exporter}`, [`${net}.other`]);
    if (names.includes(exporter)) {
      const error = await failureOf(attempt);
      expect(error.code).toBe('binding-failed');
      expect(error.details.mend).toContain('dynamo=True, optimize=False');
    } else {
      const bound = await attempt;
      expect(bound.exportedFrom).toBeUndefined();
      for (const { initializer, value } of bound.bindings) {
        expect([initializer, value]).toEqual([
          initializer,
          expect.objectContaining({ kind: 'tensor', name: initializer }),
        ]);
      }
    }
  });
});

test('folded.dynamo names each fold, the ones without a bias or affine parameters too', async () => {
  const bound = await bind('folded.dynamo', run('folded'));
  expect(Object.values(words(bound)).sort()).toEqual(
    [
      'c1.weight · b1',
      'c1.bias · b1',
      'c2.weight · b2',
      '0 · b2',
      'up.weight · b3',
      'up.bias · b3',
      'fc.weight · b4',
      'fc.bias · b4',
      'head.weight',
      'head.bias',
    ].sort(),
  );
  const epsilons = bound.bindings.flatMap(({ value }) =>
    value.kind === 'folded-weight' ? [value.normalization.epsilon] : [],
  );
  expect(epsilons.sort()).toEqual([1e-5, 1e-5, 1e-5, 1e-3].sort());
});

test('gpt.dynamo binds the tied head twice and the positions cut to the traced length', async () => {
  const bound = Object.values(words(await bind('gpt.dynamo', run('gpt'))));
  expect(bound).toContain('wpe.weight[0:6]');
  expect(bound.filter((text) => /^(lm_head|wte)\.weightᵀ?$/.test(text))).toHaveLength(2);
});

test('looked.dynamo binds rows that were looked up, axes in another order and one plus a weight', async () => {
  const bound = Object.values(words(await bind('looked.dynamo', run('looked'))));
  expect(bound).toContain('marks.weight[2:3]');
  expect(bound).toContain('marks.weight[4:5]');
  expect(bound).toContain('table[3,4,5,… (36)]ᵀ');
  expect(bound).toContain('gain + 1');
  expect(bound).toContain('form(1,0,2)');
});

test.each([
  ['rescaled.legacy', 'fc1.weight (by its sum of squares)'],
  ['averaged.dynamo', 'marks.weight (perhaps of what else it holds)'],
])('%s, which computed a part of what it does with a weight beforehand, is refused', async (model, from) => {
  const net = model.split('.')[0]!;
  const error = await failureOf(bind(model, run(net)));
  expect(error.code).toBe('binding-failed');
  expect(error.message).toContain(`computed the model's constant`);
  expect(error.message).toContain(from);
  expect(error.details.mend).toContain('optimize=False');
});

test.each([
  'rescaled.dynamo-unoptimized',
  'rescaled.legacy-preserved',
  'averaged.dynamo-unoptimized',
  'averaged.legacy',
  'averaged.legacy-preserved',
])('%s, which kept all of it, gives what PyTorch gives at each checkpoint', async (model) => {
  const net = model.split('.')[0]!;
  const bound = await bind(model, run(net));
  for (const step of [1, 2, 3]) {
    const output = await outputAt(model, bound, `${net}.step-${step}`, await goldenOf(net, 'x'));
    expect(largestError(output, await goldenOf(net, `step-${step}`))).toBeLessThan(1e-5);
  }
});

test('a weight that the exporter computed is named with the export that keeps it', async () => {
  const error = await failureOf(bind('normed.dynamo', run('normed')));
  expect(error.code).toBe('binding-failed');
  expect(error.message).toContain('holds none of the values of the checkpoint');
  expect(error.message).toContain('fc1.parametrizations.weight.original1 [4, 6]');
  expect(error.message).toContain('fc1.parametrizations.weight.original0 [4, 1]');
  expect(error.details.mend).toContain('optimize=False');
  const kept = await bind('normed.dynamo-unoptimized', run('normed'));
  expect(Object.values(words(kept))).toContain('fc1.parametrizations.weight.original1');
});

test.each([
  ['cloned', 'The export merged layers.'],
  ['fresh', 'The export left out fc1.bias, whose values were all 0 then'],
])('%s.dynamo, exported before training, is refused for what later checkpoints tell apart', async (net, message) => {
  const error = await failureOf(bind(`${net}.dynamo`, [`${net}.step-0`, `${net}.step-1`]));
  expect(error.message).toContain(message);
  expect(error.details.mend).toContain('optimize=False');
});

test('fresh.dynamo-unoptimized keeps its biases of zero by their names', async () => {
  const bound = await bind('fresh.dynamo-unoptimized', ['fresh.step-0', 'fresh.step-1']);
  expect(bound.exportedFrom).toBe(0);
  expect(words(bound)['fc2.bias']).toBe('fc2.bias');
});
