import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../src/onnx/builder';
import { encodeModel } from '../../../src/onnx/encode';
import type { Model } from '../../../src/onnx/graph';
import type { Feeds, Tensor } from '../../../src/onnx/runtime';
import { numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';

const runtime = createRuntime('cpu', 1);

async function run(builder: GraphBuilder, feeds: Feeds): Promise<Record<string, Tensor>> {
  const session = await runtime.createSession(encodeModel(builder.build()));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

function counting(dims: readonly number[], dtype: Tensor['dtype'] = 'float32'): Tensor {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return tensorOf(
    dtype,
    dims,
    Array.from({ length: size }, (_, index) => index + 1),
  );
}

/** The empty model at an opset, for what opsets spell differently. */
function atOpset(opset: number): GraphBuilder {
  const graph = { name: 'g', inputs: [], outputs: [], initializers: new Map(), nodes: [] };
  const model: Model = { file: 'm.onnx', irVersion: 10, producer: '', opsets: new Map([['', opset]]), graph };
  return new GraphBuilder(model, new Map());
}

type Emit = (b: GraphBuilder, x: string) => string;

/** Of x = 1..24 in the shape [2, 3, 4]: what is emitted, and its expected first elements (all that is listed). */
const emitters: readonly (readonly [string, Emit, readonly number[]])[] = [
  ['add', (b, x) => b.add(x, b.scalar(1, x)), [2, 3]],
  ['sub', (b, x) => b.sub(b.constant([1, 2, 3], [3, 1]), x), [0, -1, -2, -3, -3]],
  ['mul', (b, x) => b.mul(x, x), [1, 4, 9]],
  ['div', (b, x) => b.div(x, b.constant([2], [1, 1, 1, 1])), [0.5, 1]],
  ['pow', (b, x) => b.pow(x, b.scalar(3, x)), [1, 8, 27]],
  ['square', (b, x) => b.square(x), [1, 4, 9]],
  ['neg, abs, sign', (b, x) => b.mul(b.abs(b.neg(x)), b.sign(b.neg(x))), [-1, -2]],
  ['exp, log', (b, x) => b.floor(b.add(b.log(b.exp(x)), b.scalar(0.5, x))), [1, 2, 3]],
  ['sqrt', (b, x) => b.sqrt(b.square(x)), [1, 2, 3]],
  ['relu', (b, x) => b.relu(b.sub(x, b.scalar(2, x))), [0, 0, 1]],
  ['scale', (b, x) => b.scale(x, 3), [3, 6]],
  ['where, greater', (b, x) => b.where(b.greater(x, b.scalar(2, x)), x, b.scalar(0, x)), [0, 0, 3]],
  ['where, less', (b, x) => b.where(b.less(x, b.scalar(2, x)), x, b.scalar(0, x)), [1, 0, 0]],
  ['greaterOrEqual, and', (b, x) => band(b, x), [0, 1, 1, 0]],
  ['equal, cast', (b, x) => b.cast(b.equal(x, b.scalar(2, x)), 'float32'), [0, 1, 0]],
  ['matmul', (b, x) => b.matmul(x, b.constant([1, 0, 0, 0, 0, 0, 0, 1], [4, 2])), [1, 4, 5, 8]],
  [
    'matmul, broadcasting',
    (b, x) => b.matmul(b.expand(b.constant([1], [1, 1]), [5, 1, 1, 3]), x),
    [15, 18, 21, 24, 51],
  ],
  ['gemm', (b, x) => b.gemm(b.reshape(x, [6, 4]), b.reshape(x, [4, 6]), { transA: true, transB: true }), [301]],
  ['einsum', (b, x) => b.einsum('bij,bkj->bik', [x, x]), [30, 70, 110]],
  ['einsum, leading axes unnamed', (b, x) => b.einsum('...ij,...kj->...ik', [x, x]), [30, 70, 110]],
  ['einsum, the result implied', (b, x) => b.einsum('cii', [b.slice(x, [0], [3], [2])]), [18, 54]],
  ['cumSum', (b, x) => b.cumSum(x, -1), [1, 3, 6, 10, 5]],
  ['cumSum, reverse, exclusive', (b, x) => b.cumSum(x, 2, { reverse: true, exclusive: true }), [9, 7, 4, 0]],
  ['transpose', (b, x) => b.transpose(x, [2, 0, 1]), [1, 5, 9, 13]],
  ['transposeLast', (b, x) => b.transposeLast(x), [1, 5, 9, 2]],
  ['reshape', (b, x) => b.reshape(x, [4, 6]), [1, 2]],
  ['unsqueeze', (b, x) => b.unsqueeze(x, [0, -1]), [1, 2]],
  ['squeeze', (b, x) => b.squeeze(b.unsqueeze(x, [1]), [1]), [1, 2]],
  ['expand', (b, x) => b.expand(b.unsqueeze(x, [0]), [3, 2, 3, 4]), [1, 2]],
  ['concat', (b, x) => b.concat([x, x, x], 2), [1, 2, 3, 4, 1]],
  ['slice', (b, x) => b.slice(x, [1, -2], [2, 100], [0, 2]), [15, 16, 19, 20]],
  ['slice in steps', (b, x) => b.slice(x, [0], [4], [2], [3]), [1, 4, 5, 8]],
  ['pad', (b, x) => b.pad(x, [0, 0, 1], [0, 0, 2], 7), [7, 1, 2, 3, 4, 7, 7, 7, 5]],
  ['reduceSum', (b, x) => b.reduceSum(x, [0, 2]), [68, 100, 132]],
  ['reduceSum over nothing', (b, x) => b.reduceSum(x, []), [1, 2]],
  ['reduceMean', (b, x) => b.reduceMean(x, [-1], true), [2.5, 6.5]],
  ['reduceMax', (b, x) => b.reduceMax(x, [1]), [9, 10, 11, 12, 21]],
  ['sumTo', (b, x) => b.sumTo(x, [3, 1]), [68, 100, 132]],
  ['sumTo a scalar', (b, x) => b.sumTo(x, []), [300]],
  ['softmax', (b, x) => b.reduceSum(b.softmax(x, 1), [1]), [1, 1]],
  ['logSoftmax', (b, x) => b.reduceSum(b.exp(b.logSoftmax(x)), [2]), [1, 1]],
  ['argMax', (b, x) => b.argMax(b.neg(x), 1, true), [0, 0]],
  ['gather', (b, x) => b.gather(x, b.constant([3, 0], [2], 'int64'), 2), [4, 1, 8, 5]],
  ['gatherElements', (b, x) => b.gatherElements(x, b.constant([3, 0], [1, 1, 2], 'int64'), 2), [4, 1]],
  ['oneHot', (b, x) => b.oneHot(b.argMax(x, 2), 4, 'float32'), [0, 0, 0, 1, 0]],
  ['zeros', (b, x) => b.add(x, b.zeros(b.typeOf(x))), [1, 2]],
  ['identity', (b, x) => b.identity(x), [1, 2]],
  ['conv', (b, x) => b.conv(x, b.constant([1, 1, 1], [1, 3, 1]), null, along(2)), [15, 21, 51]],
  ['conv of groups', (b, x) => b.conv(x, b.constant([1, 2, 3], [3, 1, 1]), null, along(1, 3)), [1, 2, 3, 4, 10]],
  ['convTranspose', (b, x) => b.convTranspose(x, b.constant([1, 0, 0], [3, 1, 1]), along(2), [1]), [1, 0, 2, 0, 3]],
];

function along(stride: number, groups = 1): Parameters<GraphBuilder['conv']>[3] {
  return { strides: [stride], dilations: [1], begins: [0], ends: [0], groups };
}

function band(b: GraphBuilder, x: string): string {
  const inside = b.and(b.greaterOrEqual(x, b.scalar(2, x)), b.greaterOrEqual(b.scalar(3, x), x));
  return b.cast(inside, 'float32');
}

describe.each([13, 17, 18, 23])('emitters at opset %i', (opset) => {
  test('compute what they say, of the shape they say', async () => {
    const b = atOpset(opset);
    const x = b.input('x', { dtype: 'float32', dims: [2, 3, 4] });
    const values = emitters.map(([, emit]) => emit(b, x));
    values.forEach((value, index) => {
      b.output(`y${index}`, value);
    });
    const results = await run(b, { x: counting([2, 3, 4]) });
    emitters.forEach(([name, , expected], index) => {
      const result = results[`y${index}`]!;
      expect.soft({ dtype: result.dtype, dims: result.dims }, name).toEqual(b.typeOf(values[index]!));
      const actual = numbersOf(result).slice(0, expected.length);
      expected.forEach((value, at) => {
        expect.soft(actual[at], `${name}[${at}]`).toBeCloseTo(value, 4);
      });
    });
  });
});

test.each(['none', 'add'] as const)('scatterElements (%s)', async (reduction) => {
  const b = GraphBuilder.empty();
  const x = b.input('x', { dtype: 'float64', dims: [3] });
  const at = b.constant([0, 2], [2], 'int64');
  b.output('y', b.scatterElements(x, at, b.constant([10, 20], [2], 'float64'), 0, reduction));
  const { y } = await run(b, { x: counting([3], 'float64') });
  expect(numbersOf(y!)).toEqual(reduction === 'add' ? [11, 2, 23] : [10, 2, 20]);
});

test('tensors without elements keep their shape', async () => {
  const b = GraphBuilder.empty();
  const x = b.input('x', { dtype: 'float32', dims: [0, 3] });
  b.output('flat', b.reshape(x, [3, 0]));
  b.output('sum', b.reduceSum(x, [0]));
  const { flat, sum } = await run(b, { x: counting([0, 3]) });
  expect(flat!.dims).toEqual([3, 0]);
  expect(numbersOf(sum!)).toEqual([0, 0, 0]);
});

test('builds only what the outputs need', () => {
  const b = GraphBuilder.empty();
  const x = b.input('x', { dtype: 'float32', dims: [2] });
  b.input('unused', { dtype: 'float32', dims: [2] });
  const kept = b.add(x, b.constant([1, 2]));
  b.mul(kept, b.constant([3, 4]));
  b.output('y', kept);
  const { graph } = b.build();
  expect(graph.nodes.map((node) => node.op)).toEqual(['Add', 'Identity']);
  expect(graph.inputs.map((input) => input.name)).toEqual(['x']);
  expect(graph.initializers.size).toBe(1);
});

test('turns a weight into an input, so that one session serves every checkpoint', async () => {
  const b = GraphBuilder.empty();
  const x = b.input('x', { dtype: 'float32', dims: [2] });
  const w = b.constant([1, 2]);
  b.output('y', b.mul(x, w));
  b.weightInput(w);
  b.weightInput(w);
  const results = await run(b, { x: tensorOf('float32', [2], [1, 1]), [w]: tensorOf('float32', [2], [5, 6]) });
  expect(numbersOf(results.y!)).toEqual([5, 6]);
  expect(() => b.weightInput('nothing')).toThrow(expect.objectContaining({ code: 'bad-argument' }));
});

test("never takes a name of the model's", () => {
  const node = { name: 'n', op: 'Exp', domain: '', inputs: ['x'], outputs: ['whence/Add_0'], attributes: {} };
  const value = { name: 'x', dtype: 'float32', dims: [2] } as const;
  const graph = { name: 'g', inputs: [value], outputs: [], initializers: new Map(), nodes: [node] };
  const model = { file: '', irVersion: 8, producer: '', opsets: new Map([['', 17]]), graph };
  const type = { dtype: 'float32', dims: [2] } as const;
  const b = new GraphBuilder(
    model,
    new Map([
      ['x', type],
      ['whence/Add_0', type],
    ]),
  );
  expect(b.add('x', 'x')).not.toBe('whence/Add_0');
  expect(() => b.input('x', type)).toThrow(expect.objectContaining({ code: 'bad-argument' }));
  expect(() => b.output('x', 'whence/Add_0')).toThrow(expect.objectContaining({ code: 'bad-argument' }));
});

test('refuses shapes that do not go together', () => {
  const b = GraphBuilder.empty();
  const x = b.input('x', { dtype: 'float32', dims: [2, 3] });
  const y = b.input('y', { dtype: 'float32', dims: [2, 4] });
  const mismatch = expect.objectContaining({ code: 'shape-mismatch' });
  expect(() => b.add(x, y)).toThrow(mismatch);
  expect(() => b.matmul(x, y)).toThrow(mismatch);
  expect(() => b.gemm(x, y)).toThrow(mismatch);
  expect(() => b.reshape(x, [5])).toThrow(mismatch);
  expect(() => b.expand(x, [3])).toThrow(mismatch);
  expect(() => b.reduceSum(x, [2])).toThrow(mismatch);
  expect(() => b.einsum('ab,ac->bc', [x])).toThrow(mismatch);
  expect(() => b.einsum('...abc->abc', [x])).toThrow(mismatch);
  expect(() => b.einsum('ab,bc->ac', [x, y])).toThrow(mismatch);
  expect(() => b.typeOf('nothing')).toThrow(expect.objectContaining({ code: 'internal' }));
});
