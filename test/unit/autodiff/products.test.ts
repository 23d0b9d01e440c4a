import { expect, test } from 'vitest';
import { crossEntropy } from '../../../src/autodiff/loss';
import { gaussNewtonVector, hessianVector, jacobianVector } from '../../../src/autodiff/products';
import { GraphBuilder } from '../../../src/onnx/builder';
import { encodeModel } from '../../../src/onnx/encode';
import type { Feeds } from '../../../src/onnx/runtime';
import { numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';
import { randomNumbers } from './gradientCheck';

const runtime = createRuntime('cpu', 1);
const [batch, inputs, hidden, classes] = [3, 2, 2, 3] as const;
const sizes = { first: [hidden, inputs], second: [classes, hidden] } as const;
const random = randomNumbers(3);
const normal = (dims: readonly number[]) =>
  tensorOf('float64', dims, Array.from({ length: dims.reduce((size, dim) => size * dim, 1) }, random));
const feeds: Feeds = {
  x: normal([batch, inputs]),
  labels: tensorOf('int64', [batch], [0, 2, 1]),
  first: normal(sizes.first),
  second: normal(sizes.second),
};

/** Two layers with Tanh between, cross-entropy behind. */
function network(): { readonly b: GraphBuilder; readonly logits: string; readonly loss: string } {
  const b = GraphBuilder.empty();
  const x = b.input('x', { dtype: 'float64', dims: [batch, inputs] });
  const [first, second] = (['first', 'second'] as const).map((name) =>
    b.input(name, { dtype: 'float64', dims: sizes[name] }),
  ) as [string, string];
  const labels = b.input('labels', { dtype: 'int64', dims: [batch] });
  const middle = b.gemm(x, first, { transB: true });
  const logits = b.gemm(b.emit('Tanh', [middle], b.typeOf(middle)), second, { transB: true });
  return { b, logits, loss: crossEntropy(b, logits, labels) };
}

async function evaluate(b: GraphBuilder, values: Readonly<Record<string, string>>, fed: Feeds) {
  for (const [name, value] of Object.entries(values)) b.output(`out/${name}`, value);
  const session = await runtime.createSession(encodeModel(b.build()));
  const results = await session.run(Object.fromEntries(session.inputs.map((name) => [name, fed[name]!])));
  await session.release();
  return Object.fromEntries(Object.keys(values).map((name) => [name, numbersOf(results[`out/${name}`]!)]));
}

const directions = { first: normal(sizes.first), second: normal(sizes.second) };

function vectorOf(b: GraphBuilder): ReadonlyMap<string, string> {
  return new Map(
    (['first', 'second'] as const).map((name) => [
      name,
      b.constant(numbersOf(directions[name]), sizes[name], 'float64'),
    ]),
  );
}

/** Logits [batch, classes] of the same network in plain arithmetic. */
function logitsAt(step: number): readonly (readonly number[])[] {
  const at = (name: 'first' | 'second'): readonly number[] => {
    const along = numbersOf(directions[name]);
    return numbersOf(feeds[name]!).map((value, index) => value + step * along[index]!);
  };
  const [first, second, x] = [at('first'), at('second'), numbersOf(feeds.x!)];
  return Array.from({ length: batch }, (_, row) => {
    const middle = Array.from({ length: hidden }, (_, unit) =>
      Math.tanh(x[row * 2]! * first[unit * 2]! + x[row * 2 + 1]! * first[unit * 2 + 1]!),
    );
    return Array.from({ length: classes }, (_, c) => middle[0]! * second[c * 2]! + middle[1]! * second[c * 2 + 1]!);
  });
}

function lossAt(step: number): number {
  return logitsAt(step).reduce((sum, row, index) => {
    const total = Math.log(row.reduce((s, value) => s + Math.exp(value), 0));
    return sum + total - row[numbersOf(feeds.labels!)[index]!]!;
  }, 0);
}

const inner = (product: Readonly<Record<string, readonly number[]>>): number =>
  (['first', 'second'] as const).reduce(
    (sum, name) =>
      sum + product[name]!.reduce((part, value, index) => part + value * numbersOf(directions[name])[index]!, 0),
    0,
  );

test("v'Hv is the loss' second derivative along v", async () => {
  const { b, loss } = network();
  const product = await evaluate(b, Object.fromEntries(hessianVector(b, loss, vectorOf(b))), feeds);
  const step = 1e-4;
  const second = (lossAt(step) - 2 * lossAt(0) + lossAt(-step)) / step ** 2;
  expect(inner(product)).toBeCloseTo(second, 6);
});

test('Jv is how the outputs move along v', async () => {
  const { b, logits } = network();
  const { moved } = await evaluate(b, { moved: jacobianVector(b, logits, vectorOf(b)) }, feeds);
  const step = 1e-6;
  const [before, after] = [logitsAt(-step).flat(), logitsAt(step).flat()];
  moved!.forEach((value, index) => {
    expect(value).toBeCloseTo((after[index]! - before[index]!) / (2 * step), 8);
  });
});

test("v'Gv is the outputs' variance, under the predicted probabilities, along v", async () => {
  const { b, logits, loss } = network();
  const product = await evaluate(b, Object.fromEntries(gaussNewtonVector(b, loss, logits, vectorOf(b))), feeds);
  const step = 1e-6;
  const [before, here, after] = [logitsAt(-step), logitsAt(0), logitsAt(step)];
  const expected = here.reduce((sum, row, index) => {
    const total = row.reduce((s, value) => s + Math.exp(value), 0);
    const p = row.map((value) => Math.exp(value) / total);
    const moved = row.map((_, c) => (after[index]![c]! - before[index]![c]!) / (2 * step));
    const mean = moved.reduce((s, value, c) => s + p[c]! * value, 0);
    return sum + moved.reduce((s, value, c) => s + p[c]! * (value - mean) ** 2, 0);
  }, 0);
  expect(inner(product)).toBeCloseTo(expected, 7);
});
