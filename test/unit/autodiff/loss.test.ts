import { describe, expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { crossEntropy, margin, oneLogit, squaredError } from '../../../src/autodiff/loss';
import { GraphBuilder } from '../../../src/onnx/builder';
import type { DType } from '../../../src/onnx/dtype';
import { encodeModel } from '../../../src/onnx/encode';
import { numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';

const runtime = createRuntime('cpu', 1);
type Head = (builder: GraphBuilder, outputs: string, labels: string) => string;

/** A head's values [B] and the gradient of their sum [B][C]. */
async function evaluate(head: Head, rows: readonly (readonly number[])[], labels: readonly number[], dtype: DType) {
  const dims = [rows.length, rows[0]!.length];
  const b = GraphBuilder.empty();
  const value = head(b, b.input('z', { dtype, dims }), b.input('labels', { dtype: 'int64', dims: [rows.length] }));
  expect(b.typeOf(value)).toEqual({ dtype, dims: [rows.length] });
  const seed = b.expand(b.scalar(1, value), [rows.length]);
  b.output('value', value);
  b.output('gradient', backward(b, new Map([[value, seed]]), ['z']).get('z')!);
  const session = await runtime.createSession(encodeModel(b.build()));
  const feeds = { z: tensorOf(dtype, dims, rows.flat()), labels: tensorOf('int64', [rows.length], labels) };
  const results = await session.run(feeds);
  await session.release();
  const flat = numbersOf(results.gradient!);
  const gradients = rows.map((_, row) => flat.slice(row * dims[1]!, (row + 1) * dims[1]!));
  return { values: numbersOf(results.value!), gradients };
}

function logSumExp(values: readonly number[]): number {
  const largest = Math.max(...values);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

function softmax(values: readonly number[]): readonly number[] {
  return values.map((value) => Math.exp(value - logSumExp(values)));
}

const rows = [
  [1, 2, 3, 0.5],
  [-1, 0.25, 4, 4],
  [700, -700, 0, 1],
  [-3000, -3001, -3000.5, -3002],
];
const labels = [2, 0, 0, 1];

const expected: readonly (readonly [
  string,
  Head,
  (z: readonly number[], y: number) => number,
  (z: readonly number[], y: number) => readonly number[],
])[] = [
  [
    'crossEntropy',
    crossEntropy,
    (z, y) => logSumExp(z) - z[y]!,
    (z, y) => softmax(z).map((p, index) => p - (index === y ? 1 : 0)),
  ],
  [
    'margin',
    margin,
    (z, y) => z[y]! - logSumExp(z.filter((_, index) => index !== y)),
    (z, y) => {
      const others = logSumExp(z.filter((_, index) => index !== y));
      return z.map((value, index) => (index === y ? 1 : -Math.exp(value - others)));
    },
  ],
  ['oneLogit', oneLogit, (z, y) => z[y]!, (z, y) => z.map((_, index) => (index === y ? 1 : 0))],
];

describe.each(expected)('%s', (_name, head, value, gradient) => {
  test.each([
    ['float64', 10],
    ['float32', 3],
  ] as const)('in %s, of ordinary and of extreme logits', async (dtype, digits) => {
    const found = await evaluate(head, rows, labels, dtype);
    rows.forEach((z, row) => {
      expect.soft(found.values[row], `value ${row}`).toBeCloseTo(value(z, labels[row]!), digits);
      gradient(z, labels[row]!).forEach((slope, index) => {
        expect.soft(found.gradients[row]![index], `gradient ${row}, ${index}`).toBeCloseTo(slope, digits);
      });
    });
  });
});

test('a margin is the log-odds of the label', async () => {
  const { values } = await evaluate(margin, [[0.3, -1, 2]], [1], 'float64');
  const p = softmax([0.3, -1, 2])[1]!;
  expect(values[0]).toBeCloseTo(Math.log(p / (1 - p)), 10);
});

test('squaredError is the mean over the outputs', async () => {
  const b = GraphBuilder.empty();
  const y = b.input('y', { dtype: 'float64', dims: [2, 3] });
  const t = b.input('t', { dtype: 'float64', dims: [2, 3] });
  const loss = squaredError(b, y, t);
  const seed = b.constant([1, 1], [2], 'float64');
  b.output('loss', loss);
  b.output('gradient', backward(b, new Map([[loss, seed]]), ['y']).get('y')!);
  const session = await runtime.createSession(encodeModel(b.build()));
  const results = await session.run({
    y: tensorOf('float64', [2, 3], [1, 2, 3, 4, 5, 6]),
    t: tensorOf('float64', [2, 3], [1, 0, 0, 4, 5, 9]),
  });
  await session.release();
  expect(numbersOf(results.loss!)).toEqual([13 / 3, 3]);
  numbersOf(results.gradient!).forEach((value, index) => {
    expect(value).toBeCloseTo([0, 4 / 3, 2, 0, 0, -2][index]!, 12);
  });
});

test('outputs that do not go with the labels are refused', () => {
  const b = GraphBuilder.empty();
  const z = b.input('z', { dtype: 'float32', dims: [4, 1] });
  const image = b.input('image', { dtype: 'float32', dims: [4, 3, 2] });
  const labels = b.input('labels', { dtype: 'int64', dims: [4] });
  const few = b.input('few', { dtype: 'int64', dims: [3] });
  const refused = expect.objectContaining({ code: 'shape-mismatch' });
  expect(() => margin(b, z, labels)).toThrow(refused);
  expect(() => crossEntropy(b, image, labels)).toThrow(refused);
  expect(() => oneLogit(b, z, few)).toThrow(refused);
  expect(() => squaredError(b, z, labels)).toThrow(refused);
});
