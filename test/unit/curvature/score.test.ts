import { describe, expect, test } from 'vitest';
import type { Site } from '../../../src/curvature/site';
import { score, scoreByGradient, scoreByQuery, scoreCosts } from '../../../src/curvature/taps/score';
import { GraphBuilder } from '../../../src/onnx/builder';
import { randomFloats, randomNumbers } from '../../support/random';
import { relativeError } from '../../support/statistics';
import { outputsOf, subjectFor } from '../../support/tinySubject';
import { wide } from '../../support/wideRun';

const [batch, positions, inputs, outputs, queries] = [3, 5, 7, 4, 2];
const random = randomNumbers(11);
const tensor = (dims: readonly number[]) => ({
  dtype: 'float32' as const,
  dims,
  data: randomFloats(
    dims.reduce((product, n) => product * n, 1),
    random,
  ),
});
const activation = tensor([batch, positions, inputs]);
const gradient = tensor([batch, positions, outputs]);
const asked = tensor([queries, outputs, inputs]);

/** `Σ_t d_tᵀ W_q a_t` by the definition, in float64. */
function exact(): Float64Array {
  const scores = new Float64Array(queries * batch);
  for (let q = 0; q < queries; q++) {
    for (let i = 0; i < batch; i++) {
      let sum = 0;
      for (let t = 0; t < positions; t++) {
        for (let o = 0; o < outputs; o++) {
          for (let k = 0; k < inputs; k++) {
            const row = i * positions + t;
            sum +=
              gradient.data[row * outputs + o]! *
              asked.data[(q * outputs + o) * inputs + k]! *
              activation.data[row * inputs + k]!;
          }
        }
      }
      scores[q * batch + i] = sum;
    }
  }
  return scores;
}

async function site(): Promise<Site> {
  const { sites } = await subjectFor(wide, batch);
  return { ...sites[0]!, inputs, outputs, positions };
}

describe.for([
  ['by the gradient', scoreByGradient],
  ['by the query', scoreByQuery],
] as const)('a score %s', ([, formulation]) => {
  test('is the product by its definition', async () => {
    const builder = GraphBuilder.empty();
    const input = (name: string, { dtype, dims }: typeof asked) => builder.input(name, { dtype, dims });
    const rows = { activation: input('a', activation), gradient: input('d', gradient) };
    const own = await site();
    builder.output('scores', formulation(builder, own, rows, input('w', asked)));
    const found = await outputsOf(builder.build(), { a: activation, d: gradient, w: asked });
    expect(relativeError(found('scores'), exact())).toBeLessThan(1e-6);
  });
});

test('the cheaper of the two is what is built', async () => {
  const ops = async (own: Site, count: number) => {
    const builder = GraphBuilder.empty();
    const dims = [batch, own.positions];
    const rows = {
      activation: builder.input('a', { dtype: 'float32', dims: [...dims, own.inputs] }),
      gradient: builder.input('d', { dtype: 'float32', dims: [...dims, own.outputs] }),
    };
    builder.output('scores', score(builder, own, 0, rows, { queries: count }));
    return builder.build().graph.nodes.map(({ op }) => op);
  };
  const layer = { ...(await site()), inputs: 512, outputs: 512 };
  // One query and a short sequence: no example's gradient is made, whose product would be a batched MatMul.
  expect(scoreCosts({ ...layer, positions: 16 }, 1).queryFirst).toBeLessThan(
    scoreCosts({ ...layer, positions: 16 }, 1).gradientFirst,
  );
  expect(await ops({ ...layer, positions: 16 }, 1)).not.toContain('MatMul');
  // Many queries share the gradient; of a long sequence it is smaller than what the queries would make of its rows.
  expect(await ops({ ...layer, positions: 16 }, 16)).toContain('MatMul');
  expect(await ops({ ...layer, positions: 2048 }, 1)).toContain('MatMul');
});
