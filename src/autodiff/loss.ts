import type { GraphBuilder } from '../onnx/builder';
import { product, sameDims } from '../onnx/dims';
import { WhenceError } from '../protocol/errors';

/** Heads on a model's outputs: each gives one number per example, [B], from ops that every execution provider has. */

/** Minus the label's log-probability. `logits` is [B, C], `labels` int64 [B]. */
export function crossEntropy(builder: GraphBuilder, logits: string, labels: string): string {
  return builder.neg(oneLogit(builder, builder.logSoftmax(logits), labels));
}

/** The squared error averaged over an example's outputs, as PyTorch's MSELoss of one example. Both are [B, ...]. */
export function squaredError(builder: GraphBuilder, outputs: string, targets: string): string {
  const dims = builder.dims(outputs);
  if (!sameDims(dims, builder.dims(targets))) throw mismatch(dims, builder.dims(targets));
  const flat = builder.reshape(builder.square(builder.sub(outputs, targets)), [dims[0]!, product(dims.slice(1))]);
  return builder.reduceMean(flat, [1]);
}

/** The label's logit minus the log-sum-exp of the others: the log-odds of the label. `logits` is [B, C], C at least 2. */
export function margin(builder: GraphBuilder, logits: string, labels: string): string {
  const [, classes] = matrixDims(builder, logits, labels);
  if (classes < 2) {
    throw new WhenceError('shape-mismatch', 'A margin needs two classes or more; the model has one output.', {
      mend: 'Choose the measurement "logit".',
    });
  }
  const mask = builder.oneHotMask(labels, classes);
  // Far below any logit, yet finite: infinities would make NaNs of the products in a reverse pass.
  const lowest = builder.scalar(builder.dtype(logits) === 'float16' ? -6e4 : -1e30, logits);
  const others = builder.where(mask, lowest, logits);
  // Any shift near the largest will do, and a floored one carries no gradient of its own.
  const shift = builder.floor(builder.reduceMax(others, [1], true));
  const sum = builder.reduceSum(builder.exp(builder.sub(others, shift)), [1], true);
  const rest = builder.add(builder.log(sum), shift);
  return builder.sub(oneLogit(builder, logits, labels), builder.squeeze(rest, [1]));
}

/** The label's own logit. `logits` is [B, C], `labels` int64 [B]. */
export function oneLogit(builder: GraphBuilder, logits: string, labels: string): string {
  const [, classes] = matrixDims(builder, logits, labels);
  const picked = builder.where(builder.oneHotMask(labels, classes), logits, builder.scalar(0, logits));
  return builder.reduceSum(picked, [1]);
}

function matrixDims(builder: GraphBuilder, logits: string, labels: string): readonly [number, number] {
  const dims = builder.dims(logits);
  if (dims.length !== 2 || !sameDims(builder.dims(labels), [dims[0]!])) {
    throw mismatch(dims, builder.dims(labels));
  }
  return [dims[0]!, dims[1]!];
}

function mismatch(outputs: readonly number[], labels: readonly number[]): WhenceError {
  return new WhenceError(
    'shape-mismatch',
    `The model's output is [${outputs.join(', ')}], which does not go with labels of shape [${labels.join(', ')}].`,
    { mend: 'Check the loss in whence.json, or export the model to return [batch, classes].' },
  );
}
