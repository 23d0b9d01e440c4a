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
 * Squared error (mean over D outputs): Gauss-Newton's `2/D I`. Absolute error: `1/D I`, the Fisher of Laplace noise. Yes or
 * no at D outputs: `p (1 - p) / D` of each.
 */
export function fisherSeeds(
  builder: GraphBuilder,
  logits: string,
  loss: LossKind,
  kind: Exclude<FisherKind, 'empirical'>,
  noise: string,
): string[] {
  const outputs = builder.dims(logits)[1]!;
  if (loss === 'squared-error') return classes(outputs).map((at) => unit(builder, logits, at, Math.sqrt(2 / outputs)));
  if (loss === 'absolute-error') return classes(outputs).map((at) => unit(builder, logits, at, Math.sqrt(1 / outputs)));
  if (loss === 'binary-cross-entropy') {
    const probability = builder.sigmoid(logits);
    const variance = builder.mul(probability, builder.sub(builder.scalar(1, logits), probability));
    const deviation = builder.sqrt(variance);
    return classes(outputs).map((at) => builder.mul(deviation, unit(builder, logits, at, Math.sqrt(1 / outputs))));
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

/** [batch, outputs]: `value` at one output, 0 at the others. */
function unit(builder: GraphBuilder, logits: string, output: number, value: number): string {
  const [batch, outputs] = builder.dims(logits) as [number, number];
  const seed = new Float32Array(batch * outputs);
  for (let row = 0; row < batch; row++) seed[row * outputs + output] = value;
  return builder.constant(seed, [batch, outputs]);
}

/** One-hot draws [batch, classes] by inverting each row's cumulative distribution at its noise. */
function drawOneHot(builder: GraphBuilder, probabilities: string, noise: string): string {
  const [batch, outputs] = builder.dims(probabilities) as [number, number];
  const upTo = cumulative(builder, probabilities);
  const at = builder.reshape(noise, [batch, 1]);
  // Whether the draw lies beyond class c: 1 for the classes before the drawn one, and never for the last.
  const last = new Float32Array(outputs).fill(1);
  last[outputs - 1] = 0;
  const beyond = builder.mul(builder.cast(builder.less(upTo, at), 'float32'), builder.constant(last, [1, outputs]));
  const ones = builder.constant(new Float32Array(batch).fill(1), [batch, 1]);
  const reached = builder.concat([ones, builder.slice(beyond, [0], [outputs - 1], [1])], 1);
  return builder.sub(reached, beyond);
}

/** Up to this many classes one product is the fastest cumulative sum; a vocabulary's would be as large as its square. */
const triangleClasses = 512;

/** Sums up to and with each class, [batch, outputs]. */
function cumulative(builder: GraphBuilder, probabilities: string): string {
  const outputs = builder.dims(probabilities)[1]!;
  if (outputs > triangleClasses) return builder.cumSum(probabilities, 1);
  const triangle = new Float32Array(outputs * outputs);
  for (let row = 0; row < outputs; row++) triangle.fill(1, row * outputs + row, (row + 1) * outputs);
  return builder.matmul(probabilities, builder.constant(triangle, [outputs, outputs]));
}

function classes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
