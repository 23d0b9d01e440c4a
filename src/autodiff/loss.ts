import type { GraphBuilder } from '../onnx/builder';
import { product, sameDims } from '../onnx/dims';
import type { DType } from '../onnx/dtype';
import { WhenceError } from '../protocol/errors';

/** Heads on a model's outputs: each gives one number per example, [B], from ops that every execution provider has. */

export interface CrossEntropyOptions {
  /** ε: the share of the target that is spread over all classes (torch.nn.CrossEntropyLoss, `label_smoothing`). */
  readonly labelSmoothing?: number;
  /** [C], each class's weight in the loss. */
  readonly classWeights?: readonly number[];
}

/**
 * Minus the label's log-probability; 0 where the label is negative, which marks what is not counted. `logits` is [B, C],
 * `labels` int64 [B].
 */
export function crossEntropy(
  builder: GraphBuilder,
  logits: string,
  labels: string,
  { labelSmoothing = 0, classWeights }: CrossEntropyOptions = {},
): string {
  const [, classes] = matrixDims(builder, logits, labels);
  const surprise = builder.neg(builder.logSoftmax(logits));
  const weighted = classWeights ? builder.mul(surprise, builder.constant(classWeights, [1, classes])) : surprise;
  const own = oneLogit(builder, weighted, labels);
  if (labelSmoothing === 0) return own;
  const all = builder.mul(builder.reduceSum(weighted, [1]), counted(builder, labels, builder.dtype(logits)));
  const share = builder.scalar(labelSmoothing / classes, all);
  return builder.add(builder.mul(own, builder.scalar(1 - labelSmoothing, own)), builder.mul(all, share));
}

/** 1 for a label that counts, 0 for a negative one. */
export function counted(builder: GraphBuilder, labels: string, dtype: DType): string {
  return builder.cast(builder.greater(labels, builder.constant(-1, [], builder.dtype(labels))), dtype);
}

/**
 * Cross-entropy of independent yes-or-no outputs, averaged over an example's outputs (torch.nn.BCEWithLogitsLoss).
 * Both are [B, ...], targets between 0 and 1.
 */
export function binaryCrossEntropy(builder: GraphBuilder, logits: string, targets: string): string {
  const dims = builder.dims(logits);
  if (!sameDims(dims, builder.dims(targets))) throw mismatch(dims, builder.dims(targets));
  const column = builder.unsqueeze(logits, [-1]);
  const both = builder.logSoftmax(builder.concat([column, builder.zeros(builder.typeOf(column))], dims.length));
  const part = (at: number) => builder.reshape(builder.slice(both, [at], [at + 1], [dims.length]), dims);
  const no = builder.sub(builder.scalar(1, targets), targets);
  const likelihood = builder.add(builder.mul(targets, part(0)), builder.mul(no, part(1)));
  return meanOfExample(builder, builder.neg(likelihood));
}

/** The squared error averaged over an example's outputs, as PyTorch's MSELoss of one example. Both are [B, ...]. */
export function squaredError(builder: GraphBuilder, outputs: string, targets: string): string {
  return meanOfExample(builder, builder.square(difference(builder, outputs, targets)));
}

/** The absolute error averaged over an example's outputs, as PyTorch's L1Loss of one example. Both are [B, ...]. */
export function absoluteError(builder: GraphBuilder, outputs: string, targets: string): string {
  return meanOfExample(builder, builder.abs(difference(builder, outputs, targets)));
}

function difference(builder: GraphBuilder, outputs: string, targets: string): string {
  const dims = builder.dims(outputs);
  if (!sameDims(dims, builder.dims(targets))) throw mismatch(dims, builder.dims(targets));
  return builder.sub(outputs, targets);
}

function meanOfExample(builder: GraphBuilder, terms: string): string {
  const dims = builder.dims(terms);
  return builder.reduceMean(builder.reshape(terms, [dims[0]!, product(dims.slice(1))]), [1]);
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

/** The label's own logit, 0 where the label is negative. `logits` is [B, C], `labels` int64 [B]. */
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
