import { expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { GraphBuilder } from '../../../src/onnx/builder';
import { encodeModel } from '../../../src/onnx/encode';
import { probeTypes } from '../../../src/onnx/shape';
import { numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';
import { type GradientCheck, modelOf, randomNumbers } from './gradientCheck';
import { gradientChecks } from './gradientChecks';

const runtime = createRuntime('cpu', 1);
const checks = gradientChecks.filter(({ op }) => op === 'MaxPool');

async function gradient(check: GradientCheck, portable: boolean): Promise<readonly number[]> {
  const model = modelOf(check);
  const b = new GraphBuilder(model, await probeTypes(model, runtime, check.inputs));
  const size = b.dims('y0').reduce((product, dim) => product * dim, 1);
  const random = randomNumbers(5);
  const seed = b.constant(Array.from({ length: size }, random), b.dims('y0'), b.dtype('y0'));
  b.output('g', backward(b, new Map([['y0', seed]]), ['x'], { portable }).get('x')!);
  const built = b.build();
  const indices = built.graph.nodes.filter(({ op, outputs }) => op === 'MaxPool' && outputs[1]);
  if (portable) expect(indices).toHaveLength(0);
  const session = await runtime.createSession(encodeModel(built));
  const results = await session.run(check.inputs);
  await session.release();
  return numbersOf(results.g!);
}

test.each(checks.map((check) => [check.what, check] as const))(
  'MaxPool without indices has the same gradient: %s',
  async (_what, check) => {
    const [theirs, ours] = [await gradient(check, false), await gradient(check, true)];
    expect(theirs.filter((value) => value !== 0).length).toBeGreaterThan(0);
    ours.forEach((value, index) => {
      expect(value).toBeCloseTo(theirs[index]!, 6);
    });
  },
);

test('of equal elements the first takes the gradient, whether windows overlap or not', async () => {
  const check = checks[0]!;
  const zeros = tensorOf('float32', [1, 2, 4, 6], new Array(48).fill(0));
  // Products with 0 may be -0.
  const found = (await gradient({ ...check, inputs: { x: zeros } }, false)).map((value) => value + 0);
  const taken = found.map((value, index) => (value === 0 ? -1 : index)).filter((index) => index >= 0);
  expect(taken).toEqual([0, 2, 4, 12, 14, 16, 24, 26, 28, 36, 38, 40]);
  expect(await gradient({ ...check, inputs: { x: zeros } }, true)).toEqual(found);
});

test('of equal elements the first takes the gradient, padding never', async () => {
  const check = checks[0]!;
  const zeros = tensorOf('float32', [1, 1, 4, 4], new Array(16).fill(0));
  const pads = { kind: 'ints', value: [1, 1, 1, 1] } as const;
  const equal = { ...check, inputs: { x: zeros }, attributes: { ...check.attributes, pads } };
  expect(await gradient(equal, true)).toEqual(await gradient(equal, false));
});
