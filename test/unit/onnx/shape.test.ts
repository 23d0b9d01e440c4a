import { expect, test } from 'vitest';
import type { Model, Node } from '../../../src/onnx/graph';
import { fixedBatch, probeTypes } from '../../../src/onnx/shape';
import { tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';

const runtime = createRuntime('cpu', 1);

function node(op: string, inputs: readonly string[], outputs: readonly string[]): Node {
  return { name: `/${outputs[0]}`, op, domain: '', inputs, outputs, attributes: {} };
}

function model(batch: number | string, nodes: readonly Node[], opset = 17): Model {
  const weight = { name: 'w', dtype: 'float32', dims: [3, 2], bytes: new Uint8Array(24) } as const;
  const graph = {
    name: 'g',
    inputs: [{ name: 'x', dtype: 'float32', dims: [batch, 3] } as const],
    outputs: [],
    initializers: new Map([['w', weight]]),
    nodes,
  };
  return { file: '/models/m.onnx', irVersion: 8, producer: '', opsets: new Map([['', opset]]), graph };
}

const x = tensorOf('float32', [4, 3], new Array(12).fill(1));

test('finds the static type of every value', async () => {
  const nodes = [node('MatMul', ['x', 'w'], ['y']), node('Shape', ['y'], ['s']), node('Size', ['y'], ['n'])];
  expect(await probeTypes(model('batch', nodes), runtime, { x })).toEqual(
    new Map([
      ['x', { dtype: 'float32', dims: [4, 3] }],
      ['w', { dtype: 'float32', dims: [3, 2] }],
      ['y', { dtype: 'float32', dims: [4, 2] }],
      ['s', { dtype: 'int64', dims: [2], constant: [4, 2] }],
      ['n', { dtype: 'int64', dims: [], constant: [8] }],
    ]),
  );
});

test('knows integers that only shapes decide, and no others', async () => {
  const constant = {
    ...node('Constant', [], ['one']),
    attributes: { value_ints: { kind: 'ints', value: [1] } as const },
  };
  const nodes = [
    constant,
    node('Shape', ['x'], ['s']),
    node('Gather', ['s', 'one'], ['columns']),
    node('ArgMax', ['x'], ['ofData']),
    node('Add', ['columns', 'ofData'], ['mixed']),
    node('Shape', ['w'], ['weightShape']),
    node('ArgMax', ['w'], ['ofWeight']),
    node('RandomNormalLike', ['x'], ['noise']),
    node('Shape', ['noise'], ['noiseShape']),
  ];
  const types = await probeTypes(model('batch', nodes), runtime, { x });
  const known = [...types].flatMap(([name, { constant: elements }]) => (elements ? [[name, elements]] : []));
  expect(Object.fromEntries(known)).toEqual({
    one: [1],
    s: [4, 3],
    columns: [3],
    weightShape: [3, 2],
    noiseShape: [4, 3],
  });
});

test('passes sequences over and goes on behind them', async () => {
  const split = node('SplitToSequence', ['x'], ['parts']);
  const nodes = [split, node('SequenceLength', ['parts'], ['n'])];
  const types = await probeTypes(model('batch', nodes), runtime, { x });
  expect(types.has('parts')).toBe(false);
  expect(types.get('n')).toEqual({ dtype: 'int64', dims: [] });
});

test('no value of a weight is needed, be it in another file or not', async () => {
  const bare = model('batch', [node('MatMul', ['x', 'w'], ['y'])]);
  const type = { dtype: 'float32', dims: [4, 2] };
  expect((await probeTypes(bare, runtime, { x }, new Set(['w']))).get('y')).toEqual(type);
  const external = { location: 'w.bin', offset: 0, length: 24 };
  const initializers = new Map([['w', { name: 'w', dtype: 'float32', dims: [3, 2], external } as const]]);
  const types = await probeTypes({ ...bare, graph: { ...bare.graph, initializers } }, runtime, { x });
  expect(types.get('y')).toEqual(type);
});

test('a model of a fixed batch takes that batch and no other', async () => {
  const nodes = [node('MatMul', ['x', 'w'], ['y'])];
  expect(fixedBatch(model(4, nodes))).toBe(4);
  expect(fixedBatch(model('batch', nodes))).toBe(null);
  expect((await probeTypes(model(4, nodes), runtime, { x })).get('y')!.dims).toEqual([4, 2]);
  const refused = expect.objectContaining({
    code: 'shape-mismatch',
    details: expect.objectContaining({ place: 'input x' }),
  });
  await expect(probeTypes(model(5, nodes), runtime, { x })).rejects.toEqual(refused);
});

test('data that does not fit the inputs is refused', async () => {
  const nodes = [node('MatMul', ['x', 'w'], ['y'])];
  const refused = expect.objectContaining({ code: 'shape-mismatch' });
  await expect(probeTypes(model('batch', nodes), runtime, {})).rejects.toEqual(refused);
  const double = tensorOf('float64', [4, 3], new Array(12).fill(1));
  await expect(probeTypes(model('batch', nodes), runtime, { x: double })).rejects.toEqual(refused);
  const flat = tensorOf('float32', [12], new Array(12).fill(1));
  await expect(probeTypes(model('batch', nodes), runtime, { x: flat })).rejects.toEqual(refused);
});
