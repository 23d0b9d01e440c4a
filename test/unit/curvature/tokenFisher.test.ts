import { expect, test } from 'vitest';
import { eigenvalueGraph } from '../../../src/curvature/instrument';
import { inputNames, outputNames } from '../../../src/curvature/subject';
import { drawNoise } from '../../../src/engine/fit/draws';
import { range } from '../../../src/engine/network/examples';
import type { Tensor } from '../../../src/onnx/runtime';
import { node, type TinyModel } from '../../support/tinyModel';
import { outputsOf, randomBatch, subjectFor, weightFeeds } from '../../support/tinySubject';

const [tokens, width, classes] = [4, 3, 5];
const tiny: TinyModel = {
  example: [tokens, width],
  classes,
  weights: { 'head.weight': [width, classes] },
  nodes: [node('MatMul', ['x', 'head.weight'], 'logits')],
};

/** The second example has two tokens that count. */
const labels = [
  [0, 1, 2, 3],
  [4, -100, 0, -100],
];

function identity(size: number): Tensor {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return { dtype: 'float32', dims: [size, size], data };
}

/** Of one layer of softmax the Gauss-Newton Hessian is known: `1/T Σ_t a_t a_tᵀ ⊗ (diag p_t - p_t p_tᵀ)`. This is its trace. */
function exactTrace(x: Float32Array, weight: Float32Array): number {
  let trace = 0;
  labels.forEach((own, example) => {
    const counted = range(0, tokens).filter((token) => own[token]! >= 0);
    for (const token of counted) {
      const a = x.subarray((example * tokens + token) * width, (example * tokens + token + 1) * width);
      const powers = range(0, classes).map((c) =>
        Math.exp(a.reduce((sum, value, i) => sum + value * weight[i * classes + c]!, 0)),
      );
      const total = powers.reduce((sum, power) => sum + power, 0);
      const spread = 1 - powers.reduce((sum, power) => sum + (power / total) ** 2, 0);
      trace += (a.reduce((sum, value) => sum + value * value, 0) * spread) / counted.length;
    }
  });
  return trace;
}

test("drawn labels of tokens make the mean loss's Gauss-Newton Hessian on average, whatever the number of tokens", async () => {
  const batch = labels.length;
  const subject = { ...(await subjectFor(tiny, batch)), loss: 'next-token' } as const;
  const x = randomBatch(tiny, batch);
  const weights = weightFeeds(tiny);
  const graph = eigenvalueGraph(subject, 'sampled');
  let sum = 0;
  const draws = 400;
  for (let seed = 0; seed < draws; seed++) {
    const output = await outputsOf(graph, {
      ...weights,
      x,
      [inputNames.labels]: { dtype: 'int64', dims: [batch, tokens], data: BigInt64Array.from(labels.flat(), BigInt) },
      [inputNames.weights]: { dtype: 'float32', dims: [batch], data: new Float32Array(batch).fill(1) },
      [inputNames.noise]: {
        dtype: 'float32',
        dims: [batch, tokens],
        data: drawNoise(seed, 1, range(0, batch), [batch, tokens]),
      },
      [inputNames.activationBasis(0)]: identity(width),
      [inputNames.gradientBasis(0)]: identity(classes),
    });
    for (const value of output(outputNames.eigenvalues(0))) sum += value / draws;
  }
  const exact = exactTrace(x.data as Float32Array, weights['head.weight']!.data as Float32Array);
  expect(Math.abs(sum / exact - 1)).toBeLessThan(0.1);
});
