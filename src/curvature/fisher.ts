import type { GraphBuilder } from '../onnx/builder';
import type { LossKind } from '../protocol/model';

/**
 * How the Fisher's expectation over the model's own labels is taken: summed over all classes, with one drawn label an
 * example, or with the data's labels (which is no Fisher, and only by option).
 */
export type FisherKind = 'exact' | 'sampled' | 'empirical';

/**
 * Logit gradients whose summed outer products are each example's output Fisher: a list of [batch, outputs] values.
 *
 * Cross-entropy: `Σ_c p_c (p - e_c)(p - e_c)ᵀ = diag(p) - p pᵀ`, or one draw of c ~ p by the noise [batch] in [0, 1).
 * Squared error (mean over D outputs): Gauss-Newton's `2/D I`.
 */
export function fisherSeeds(
  builder: GraphBuilder,
  logits: string,
  loss: LossKind,
  kind: Exclude<FisherKind, 'empirical'>,
  noise: string,
): string[] {
  const outputs = builder.dims(logits)[1]!;
  if (loss === 'squared-error') {
    const batch = builder.dims(logits)[0]!;
    return classes(outputs).map((output) => {
      const seed = new Float32Array(batch * outputs);
      for (let row = 0; row < batch; row++) seed[row * outputs + output] = Math.sqrt(2 / outputs);
      return builder.constant(seed, [batch, outputs]);
    });
  }
  const probabilities = builder.softmax(logits, 1);
  if (kind === 'sampled') return [builder.sub(probabilities, drawOneHot(builder, probabilities, noise))];
  return classes(outputs).map((label) => {
    const oneHot = new Float32Array(outputs);
    oneHot[label] = 1;
    const gradient = builder.sub(probabilities, builder.constant(oneHot, [1, outputs]));
    return builder.mul(builder.sqrt(builder.slice(probabilities, [label], [label + 1], [1])), gradient);
  });
}

/** One-hot draws [batch, classes] by inverting each row's cumulative distribution at its noise. */
function drawOneHot(builder: GraphBuilder, probabilities: string, noise: string): string {
  const [batch, outputs] = builder.dims(probabilities) as [number, number];
  const triangle = new Float32Array(outputs * outputs);
  for (let row = 0; row < outputs; row++) triangle.fill(1, row * outputs + row, (row + 1) * outputs);
  const upTo = builder.matmul(probabilities, builder.constant(triangle, [outputs, outputs]));
  const at = builder.reshape(noise, [batch, 1]);
  // Whether the draw lies beyond class c: 1 for the classes before the drawn one, and never for the last.
  const last = new Float32Array(outputs).fill(1);
  last[outputs - 1] = 0;
  const beyond = builder.mul(builder.cast(builder.less(upTo, at), 'float32'), builder.constant(last, [1, outputs]));
  const ones = builder.constant(new Float32Array(batch).fill(1), [batch, 1]);
  const reached = builder.concat([ones, builder.slice(beyond, [0], [outputs - 1], [1])], 1);
  return builder.sub(reached, beyond);
}

function classes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
