import { describe, expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { crossEntropy } from '../../../src/autodiff/loss';
import type { FisherKind } from '../../../src/curvature/fisher';
import { covarianceGraph, eigenvalueGraph } from '../../../src/curvature/instrument';
import { inputNames, outputNames, type Subject } from '../../../src/curvature/subject';
import { drawNoise } from '../../../src/engine/fit/draws';
import { range } from '../../../src/engine/network/examples';
import { batchFeeds } from '../../../src/engine/network/feeds';
import { GraphBuilder } from '../../../src/onnx/builder';
import { encodeModel } from '../../../src/onnx/encode';
import type { Feeds, Tensor } from '../../../src/onnx/runtime';
import { randomFloats, randomNumbers } from '../../support/random';
import { relativeError } from '../../support/statistics';
import { count, node, perceptron, type TinyModel } from '../../support/tinyModel';
import { outputsOf, randomBatch, runtime, subjectFor, weightFeeds } from '../../support/tinySubject';

const examples = 10;
const step = 40;

/** A convolution, so that per-example gradients are sums over positions, and a Linear layer. */
const convolutional: TinyModel = {
  example: [2, 4, 4],
  classes: 3,
  weights: { 'conv.weight': [3, 2, 3, 3], 'conv.bias': [3], 'fc.weight': [3, 12], 'fc.bias': [3] },
  nodes: [
    node('Conv', ['x', 'conv.weight', 'conv.bias'], 'convolved'),
    node('Relu', ['convolved'], 'active'),
    node('Flatten', ['active'], 'flat'),
    node('Gemm', ['flat', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }),
  ],
};

const networks = [
  ['two Linear layers', perceptron],
  ['a convolution', convolutional],
] as const;

/** Rows [from, to) of all examples, padded to the subject's size by the values of the first. */
function rows(tiny: TinyModel, subject: Subject, from: number, to: number, seed: number): Feeds {
  const all = randomBatch(tiny, examples);
  const width = count(tiny.example);
  const data = new Float32Array(subject.batch * width).fill(0.5);
  data.set((all.data as Float32Array).subarray(from * width, to * width));
  const inputs: Tensor = { dtype: 'float32', dims: [subject.batch, ...tiny.example], data };
  const indices = range(from, to);
  const labels = Float64Array.from(indices, (index) => index % tiny.classes);
  return {
    ...batchFeeds(subject, { indices, inputs: { x: inputs }, labels }, labels),
    [inputNames.noise]: {
      dtype: 'float32',
      dims: [subject.batch],
      data: drawNoise(seed, step, indices, [subject.batch]),
    },
  };
}

type Sums = readonly { readonly activation: Float64Array; readonly gradient: Float64Array }[];

/** Covariances summed over all examples in batches of a size. */
async function covariances(tiny: TinyModel, size: number, fisher: FisherKind, seed = 0): Promise<Sums> {
  const subject = await subjectFor(tiny, size);
  const graph = covarianceGraph(subject, fisher, new Set(subject.sites.keys()));
  const sums = subject.sites.map(({ inputs, outputs }) => ({
    activation: new Float64Array(inputs * inputs),
    gradient: new Float64Array(outputs * outputs),
  }));
  for (let from = 0; from < examples; from += size) {
    const feeds = { ...weightFeeds(tiny), ...rows(tiny, subject, from, Math.min(examples, from + size), seed) };
    const output = await outputsOf(graph, feeds);
    sums.forEach(({ activation, gradient }, site) => {
      for (const [i, value] of output(outputNames.activation(site)).entries()) activation[i]! += value;
      for (const [i, value] of output(outputNames.gradient(site)).entries()) gradient[i]! += value;
    });
  }
  return sums;
}

function expectAlike(found: Sums, expected: Sums, tolerance: number): void {
  found.forEach(({ activation, gradient }, site) => {
    expect(relativeError(activation, expected[site]!.activation)).toBeLessThan(tolerance);
    expect(relativeError(gradient, expected[site]!.gradient)).toBeLessThan(tolerance);
  });
}

describe.for(networks)('of %s', ([, tiny]) => {
  test.for<FisherKind>(['exact', 'sampled', 'empirical'])(
    'the %s Fisher weighs a short last batch and padding by their examples',
    async (fisher) => {
      const whole = await covariances(tiny, examples, fisher);
      for (const size of [1, 4, 16]) expectAlike(await covariances(tiny, size, fisher), whole, 1e-5);
    },
  );

  test('the sampled Fisher is that of its seed, and on average the exact one', async () => {
    const [once, again, other] = [
      await covariances(tiny, 4, 'sampled', 1),
      await covariances(tiny, 4, 'sampled', 1),
      await covariances(tiny, 4, 'sampled', 2),
    ];
    expect(again).toEqual(once);
    expect(relativeError(other[0]!.gradient, once[0]!.gradient)).toBeGreaterThan(0.01);
    expect(other[0]!.activation).toEqual(once[0]!.activation);

    const subject = await subjectFor(tiny, examples);
    const graph = covarianceGraph(subject, 'sampled', new Set());
    const exact = await covariances(tiny, examples, 'exact');
    const error = async (draws: number) => {
      const mean = exact.map(({ gradient }) => new Float64Array(gradient.length));
      for (let seed = 0; seed < draws; seed++) {
        const output = await outputsOf(graph, { ...weightFeeds(tiny), ...rows(tiny, subject, 0, examples, seed) });
        mean.forEach((sum, site) => {
          for (const [i, value] of output(outputNames.gradient(site)).entries()) sum[i]! += value / draws;
        });
      }
      return Math.max(...mean.map((sum, site) => relativeError(sum, exact[site]!.gradient)));
    };
    const [few, many] = [await error(4), await error(256)];
    expect(many).toBeLessThan(0.1);
    expect(many).toBeLessThan(few / 2);
  });
});

test('draws depend on seed, step and example alone, and are uniform', () => {
  const whole = drawNoise(3, step, range(0, 5000), [5000]);
  expect(Array.from(drawNoise(3, step, [17, 400], [4]))).toEqual([whole[17], whole[400], 0, 0]);
  expect(drawNoise(4, step, [17], [1])).not.toEqual(whole.subarray(17, 18));
  expect(drawNoise(3, step + 1, [17], [1])).not.toEqual(whole.subarray(17, 18));
  const tenths = new Array<number>(10).fill(0);
  for (const value of whole) tenths[Math.floor(value * 10)]! += 1;
  for (const tenth of tenths) expect(Math.abs(tenth - 500)).toBeLessThan(90);
});

/** An orthonormal matrix: the reflection along a random vector. */
function reflection(n: number, seed: number): Float64Array {
  const v = randomFloats(n, randomNumbers(seed));
  const square = v.reduce((sum, x) => sum + x * x, 0);
  return Float64Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    return (row === column ? 1 : 0) - (2 * v[row]! * v[column]!) / square;
  });
}

/** `a b` of [n, k] and [k, m], in loops. */
function times(a: ArrayLike<number>, b: ArrayLike<number>, n: number, k: number, m: number): Float64Array {
  const result = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let l = 0; l < k; l++) for (let j = 0; j < m; j++) result[i * m + j]! += a[i * k + l]! * b[l * m + j]!;
  }
  return result;
}

/** A site's gradient [outputs, inputs] from the gradients of its weight and bias. */
function together(weight: Float32Array, bias: Float32Array, outputs: number): Float64Array {
  const width = weight.length / outputs;
  return Float64Array.from({ length: outputs * (width + 1) }, (_, i) => {
    const [row, column] = [Math.floor(i / (width + 1)), i % (width + 1)];
    return column < width ? weight[row * width + column]! : bias[row]!;
  });
}

/** Gradients of one example's loss with respect to the weights themselves, were `label` its label; and its probability. */
async function labelGradients(tiny: TinyModel) {
  const { model, types, trained } = await subjectFor(tiny, 1);
  const builder = new GraphBuilder(model, types);
  for (const weight of trained) builder.weightInput(weight);
  const labels = builder.input('label', { dtype: 'int64', dims: [1] });
  const losses = crossEntropy(builder, 'logits', labels);
  const gradients = backward(builder, new Map([[losses, builder.constant([1], [1])]]), [...trained]);
  for (const weight of trained) builder.output(`d ${weight}`, gradients.get(weight)!);
  builder.output('loss', losses);
  const session = await runtime.createSession(encodeModel(builder.build()));
  const all = randomBatch(tiny, examples).data as Float32Array;
  const width = count(tiny.example);
  return async (example: number, label: number) => {
    const x: Tensor = {
      dtype: 'float32',
      dims: [1, ...tiny.example],
      data: all.slice(example * width, (example + 1) * width),
    };
    const own: Tensor = { dtype: 'int64', dims: [1], data: BigInt64Array.of(BigInt(label)) };
    const outputs = await session.run({ ...weightFeeds(tiny), x, label: own });
    const values = (name: string) => outputs[name]!.data as Float32Array;
    return { probability: Math.exp(-values('loss')[0]!), of: (weight: string) => values(`d ${weight}`) };
  };
}

describe.for(networks)('the eigenvalues of %s', ([, tiny]) => {
  /** Sums of squares over all examples, in the coordinates of two reflections a site. */
  async function squares(size: number, fisher: FisherKind): Promise<Float64Array[]> {
    const subject = await subjectFor(tiny, size);
    const graph = eigenvalueGraph(subject, fisher);
    const basis = (n: number, seed: number): Tensor => ({
      dtype: 'float32',
      dims: [n, n],
      data: Float32Array.from(reflection(n, seed)),
    });
    const bases = Object.fromEntries(
      subject.sites.flatMap(({ inputs, outputs }, site) => [
        [inputNames.activationBasis(site), basis(inputs, site)],
        [inputNames.gradientBasis(site), basis(outputs, site + 10)],
      ]),
    );
    const sums = subject.sites.map(({ inputs, outputs }) => new Float64Array(inputs * outputs));
    for (let from = 0; from < examples; from += size) {
      const feeds = rows(tiny, subject, from, Math.min(examples, from + size), 0);
      const output = await outputsOf(graph, { ...weightFeeds(tiny), ...bases, ...feeds });
      sums.forEach((sum, site) => {
        for (const [i, value] of output(outputNames.eigenvalues(site)).entries()) sum[i]! += value;
      });
    }
    return sums;
  }

  test.for<FisherKind>(['exact', 'empirical'])(
    "are sums of each example's own squares, by a loop over examples and labels (%s)",
    async (fisher) => {
      const { sites } = await subjectFor(tiny, 1);
      const gradients = await labelGradients(tiny);
      const expected = sites.map(({ inputs, outputs }) => new Float64Array(inputs * outputs));
      for (let example = 0; example < examples; example++) {
        for (let label = 0; label < tiny.classes; label++) {
          const own = await gradients(example, label);
          const share = fisher === 'exact' ? own.probability : Number(example % tiny.classes === label);
          sites.forEach(({ weight, bias, inputs, outputs }, site) => {
            const whole = together(own.of(weight), own.of(bias!), outputs);
            const left = times(reflection(outputs, site + 10), whole, outputs, outputs, inputs);
            const turned = times(left, reflection(inputs, site), outputs, inputs, inputs);
            turned.forEach((value, i) => {
              expected[site]![i]! += share * value * value;
            });
          });
        }
      }
      const found = await squares(4, fisher);
      found.forEach((sum, site) => {
        expect(relativeError(sum, expected[site]!)).toBeLessThan(1e-5);
      });
    },
  );

  test.for<FisherKind>(['exact', 'sampled', 'empirical'])('do not depend on the batch (%s)', async (fisher) => {
    const whole = await squares(examples, fisher);
    for (const size of [1, 4, 16]) {
      (await squares(size, fisher)).forEach((sum, site) => {
        expect(relativeError(sum, whole[site]!)).toBeLessThan(1e-5);
      });
    }
  });
});
