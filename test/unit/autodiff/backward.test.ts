import { describe, expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { GraphBuilder } from '../../../src/onnx/builder';
import { encodeModel } from '../../../src/onnx/encode';
import type { Attribute, Node, TensorType } from '../../../src/onnx/graph';
import type { Feeds } from '../../../src/onnx/runtime';
import { bytesOf, numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';

const runtime = createRuntime('cpu', 1);
const vector: TensorType = { dtype: 'float64', dims: [3] };

function node(op: string, inputs: readonly string[], outputs: readonly string[], domain = ''): Node {
  return { name: `/${op}`, op, domain, inputs, outputs, attributes: {} };
}

/** A builder over nodes of which every value is a vector of three. */
function over(nodes: readonly Node[]): GraphBuilder {
  const names = ['x', 'w', ...nodes.flatMap((one) => [...one.inputs, ...one.outputs]).filter((name) => name !== '')];
  const graph = {
    name: 'g',
    inputs: [{ name: 'x', ...vector }],
    outputs: [],
    initializers: new Map([['w', { name: 'w', ...vector, bytes: bytesOf(tensorOf('float64', [3], [2, 3, 4])) }]]),
    nodes,
  };
  const model = { file: '/models/m.onnx', irVersion: 8, producer: '', opsets: new Map([['', 17]]), graph };
  return new GraphBuilder(model, new Map(names.map((name) => [name, vector])));
}

async function values(builder: GraphBuilder, outputs: ReadonlyMap<string, string>, feeds: Feeds) {
  for (const [name, value] of outputs) builder.output(`out/${name}`, value);
  const session = await runtime.createSession(encodeModel(builder.build()));
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries([...outputs.keys()].map((name) => [name, numbersOf(results[`out/${name}`]!)]));
}

const x = tensorOf('float64', [3], [1, 2, 3]);
const ones = (builder: GraphBuilder) => builder.constant([1, 1, 1], [3], 'float64');

describe('targets', () => {
  test('inputs, weights and values in between, the seed itself too', async () => {
    const b = over([node('Mul', ['x', 'w'], ['m']), node('Mul', ['m', 'm'], ['y'])]);
    const gradients = backward(b, new Map([['y', ones(b)]]), ['x', 'w', 'm', 'y']);
    expect(await values(b, gradients, { x })).toEqual({
      x: [8, 36, 96],
      w: [4, 24, 72],
      m: [4, 12, 24],
      y: [1, 1, 1],
    });
  });

  test('a weight used at two places gets the sum', async () => {
    const b = over([node('Mul', ['x', 'w'], ['m']), node('Mul', ['m', 'w'], ['y'])]);
    expect(await values(b, backward(b, new Map([['y', ones(b)]]), ['w']), { x })).toEqual({ w: [4, 12, 24] });
  });

  test('zeros where the seeds do not depend on it', async () => {
    const b = over([node('Neg', ['x'], ['y']), node('Exp', ['w'], ['other'])]);
    const gradients = backward(b, new Map([['y', ones(b)]]), ['w', 'other']);
    expect(await values(b, gradients, { x })).toEqual({ w: [0, 0, 0], other: [0, 0, 0] });
  });

  test('several seeds add up, one behind the other too', async () => {
    const b = over([node('Mul', ['x', 'x'], ['m']), node('Mul', ['m', 'w'], ['y'])]);
    const seeds = new Map([
      ['y', ones(b)],
      ['m', b.constant([10, 10, 10], [3], 'float64')],
    ]);
    expect(await values(b, backward(b, seeds, ['x']), { x })).toEqual({ x: [24, 52, 84] });
  });
});

test('several calls share the forward pass', async () => {
  const b = over([node('Exp', ['x'], ['e']), node('Mul', ['e', 'w'], ['y'])]);
  const once = backward(b, new Map([['y', ones(b)]]), ['w']).get('w')!;
  const twice = backward(b, new Map([['y', b.constant([2, 0, 1], [3], 'float64')]]), ['w']).get('w')!;
  const found = await values(b, new Map(Object.entries({ once, twice })), { x });
  const e = [1, 2, 3].map(Math.exp);
  found.once!.forEach((value, index) => {
    expect(value).toBeCloseTo(e[index]!, 10);
    expect(found.twice![index]).toBeCloseTo(e[index]! * [2, 0, 1][index]!, 10);
  });
  expect(b.build().graph.nodes.filter(({ op }) => op === 'Exp')).toHaveLength(1);
});

test('what a second pass of the first pass differentiates is the second derivative', async () => {
  const b = over([node('Mul', ['x', 'x'], ['s']), node('Mul', ['s', 'x'], ['y'])]);
  const slope = backward(b, new Map([['y', ones(b)]]), ['x']).get('x')!;
  const gradients = backward(b, new Map([[slope, ones(b)]]), ['x']);
  expect(await values(b, gradients, { x })).toEqual({ x: [6, 12, 18] });
});

describe('without a rule', () => {
  test('on the way: op, node, file and mend are named', () => {
    const b = over([node('LpNormalization', ['x'], ['t']), node('Neg', ['t'], ['y'])]);
    expect(() => backward(b, new Map([['y', ones(b)]]), ['x'])).toThrow(
      expect.objectContaining({
        code: 'unsupported-op',
        message: expect.stringContaining('LpNormalization (node /LpNormalization)'),
        details: { file: '/models/m.onnx', place: 'node /LpNormalization', mend: expect.stringContaining('rule') },
      }),
    );
  });

  test('off the way: before the targets, after the seeds, beside them', async () => {
    const b = over([
      node('Shrink', ['x'], ['t']),
      node('Mul', ['t', 'w'], ['y']),
      node('Shrink', ['y'], ['after']),
      node('Shrink', ['w'], ['beside']),
    ]);
    const gradients = backward(b, new Map([['y', ones(b)]]), ['w']);
    expect(await values(b, gradients, { x })).toEqual({ w: [1, 2, 3] });
  });

  test("an op of another domain by an ONNX op's name", () => {
    const b = over([node('Neg', ['x'], ['y'], 'com.example')]);
    expect(() => backward(b, new Map([['y', ones(b)]]), ['x'])).toThrow(/com\.example\.Neg/);
  });

  test('a name that every object has', () => {
    const b = over([node('toString', ['x'], ['y'])]);
    expect(() => backward(b, new Map([['y', ones(b)]]), ['x'])).toThrow(/toString/);
  });

  test('a body that may read the target without saying so', () => {
    const body: Attribute = { kind: 'graph', value: new Uint8Array() };
    const branch = { ...node('If', ['w'], ['y']), attributes: { then_branch: body, else_branch: body } };
    const b = over([branch]);
    expect(() => backward(b, new Map([['y', ones(b)]]), ['x'])).toThrow(/If/);
  });

  test('control flow names the line that made it and how to do without', () => {
    const body: Attribute = { kind: 'graph', value: new Uint8Array() };
    const source = 'net.py, line 7: for t in range(n):';
    const b = over([{ ...node('Loop', ['x'], ['y']), attributes: { body }, source }]);
    expect(() => backward(b, new Map([['y', ones(b)]]), ['x'])).toThrow(
      expect.objectContaining({
        code: 'unsupported-op',
        message: expect.stringContaining(source),
        details: expect.objectContaining({ mend: expect.stringContaining('torch.where') }),
      }),
    );
  });
});

describe('forms that have no gradient', () => {
  const training: Readonly<Record<string, Attribute>> = { training_mode: { kind: 'int', value: 1 } };
  test.each([
    ['BatchNormalization', ['x', 'w', 'w', 'w', 'w'], training, /evaluation mode/],
    ['Dropout', ['x', 'w', 'w'], {}, /evaluation mode/],
    ['Pad', ['x', 'w'], { mode: { kind: 'string', value: 'mirror' } as const }, /zeros/],
    ['Slice', ['x', 'y0', 'y0'], {}, /fixed shapes/],
  ])('%s', (op, inputs, attributes, mend) => {
    const b = over([node('Exp', ['x'], ['y0']), { ...node(op, inputs, ['y']), attributes }]);
    try {
      backward(b, new Map([['y', ones(b)]]), ['x']);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'unsupported-op',
        details: { file: '/models/m.onnx', place: `node /${op}` },
      });
      expect((error as { details: { mend: string } }).details.mend).toMatch(mend);
    }
  });
});

test('a seed of another shape or type is refused', () => {
  const b = over([node('Neg', ['x'], ['y'])]);
  const refused = expect.objectContaining({ code: 'internal' });
  expect(() => backward(b, new Map([['y', b.constant([1], [1], 'float64')]]), ['x'])).toThrow(refused);
  expect(() => backward(b, new Map([['y', b.constant([1, 1, 1])]]), ['x'])).toThrow(refused);
});

test('outputs that nothing arrives at count as zeros', async () => {
  const parts: TensorType = { dtype: 'float64', dims: [1] };
  const b = over([]);
  const [, second] = b.emitMany('Split', ['x', b.constant([1, 1, 1], [3], 'int64')], [parts, parts, parts], {
    axis: { kind: 'int', value: 0 },
  });
  const gradients = backward(b, new Map([[second!, b.constant([5], [1], 'float64')]]), ['x']);
  expect(await values(b, gradients, { x })).toEqual({ x: [0, 5, 0] });
});

test('the norm of a zero vector has the gradient zero', async () => {
  const b = over([]);
  const zero = b.mul('x', b.zeros(vector));
  const norm = b.emit('ReduceL2', [zero], { dtype: 'float64', dims: [1] }, { axes: { kind: 'ints', value: [0] } });
  const gradients = backward(b, new Map([[norm, b.constant([1], [1], 'float64')]]), [zero]);
  expect(await values(b, new Map([['zero', gradients.get(zero)!]]), { x })).toEqual({ zero: [0, 0, 0] });
});
