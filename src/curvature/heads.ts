import {
  absoluteError,
  binaryCrossEntropy,
  counted,
  crossEntropy,
  margin,
  oneLogit,
  squaredError,
} from '../autodiff/loss';
import type { GraphBuilder } from '../onnx/builder';
import { WhenceError } from '../protocol/errors';
import type { MeasurementKind } from '../protocol/model';
import { type FisherKind, fisherSeeds } from './fisher';
import { float32, inputNames, isPerToken, labelsType, type Subject } from './subject';

/** What is computed from a subject's logits: losses, measurements, the Fisher's gradients. */

export function labelsInput(builder: GraphBuilder, subject: Subject): string {
  // A custom loss reads the labels within the model's graph.
  return builder.has(inputNames.labels) ? inputNames.labels : builder.input(inputNames.labels, labelsType(subject));
}

export function weightsInput(builder: GraphBuilder, { batch }: Subject): string {
  return builder.input(inputNames.weights, float32([batch]));
}

/** Per-example losses [batch]. Of tokens the mean over those that count. */
export function trainingLoss(builder: GraphBuilder, subject: Subject, labels = labelsInput(builder, subject)): string {
  const { logits, lossOptions } = subject;
  switch (subject.loss) {
    case 'custom':
      return lossOptions!.losses!;
    case 'squared-error':
      return squaredError(builder, logits, labels);
    case 'absolute-error':
      return absoluteError(builder, logits, labels);
    case 'binary-cross-entropy':
      return binaryCrossEntropy(builder, logits, labels);
    case 'cross-entropy':
    case 'next-token':
      return perExample(builder, subject, labels, (rows, own) => crossEntropy(builder, rows, own, lossOptions));
  }
}

/** The measured scalar of every example, [batch]. */
export function measurementHead(
  builder: GraphBuilder,
  subject: Subject,
  kind: MeasurementKind,
  labels: string,
): string {
  const { logits, loss } = subject;
  if (kind === 'loss') return trainingLoss(builder, subject, labels);
  if (loss === 'binary-cross-entropy') {
    const own = builder.reshape(logits, [subject.batch]);
    if (kind === 'logit') return own;
    const one = builder.scalar(1, logits);
    const sign = builder.sub(builder.mul(builder.reshape(labels, [subject.batch]), builder.scalar(2, logits)), one);
    return builder.mul(own, sign);
  }
  // The prediction itself stands in for a margin or a logit: what moved the number.
  if (loss === 'squared-error' || loss === 'absolute-error') return builder.reduceSum(logits, [1], false);
  if (loss === 'custom' && !isClassIndex(builder, labels, subject)) {
    throw new WhenceError('bad-argument', 'A custom loss of such labels has no margin and no logit to be measured.', {
      file: subject.model.file,
      mend: 'Choose the measurement "loss".',
    });
  }
  return perExample(builder, subject, labels, (rows, own) => {
    const value = kind === 'margin' ? margin(builder, rows, own) : oneLogit(builder, rows, own);
    return builder.mul(value, counted(builder, own, builder.dtype(value)));
  });
}

function isClassIndex(builder: GraphBuilder, labels: string, { batch }: Subject): boolean {
  return builder.dtype(labels) === 'int64' && builder.dims(labels).join() === `${batch}`;
}

/** A head of rows [rows, classes] and their labels [rows] for every example, or for every token and averaged. */
function perExample(
  builder: GraphBuilder,
  subject: Subject,
  labels: string,
  head: (rows: string, labels: string) => string,
): string {
  if (!isPerToken(subject)) return head(subject.logits, labels);
  const [batch, tokens, classes] = builder.dims(subject.logits) as [number, number, number];
  const rows = builder.reshape(subject.logits, [batch * tokens, classes]);
  const values = builder.reshape(head(rows, builder.reshape(labels, [batch * tokens])), [batch, tokens]);
  return builder.reduceSum(builder.mul(values, shares(builder, labels)), [1]);
}

/** What each token counts in its example's mean, [batch, tokens]: one over the counted ones, 0 for the others. */
function shares(builder: GraphBuilder, labels: string): string {
  const own = counted(builder, labels, 'float32');
  const count = builder.reduceSum(own, [1], true);
  // An example without any counted token has the loss 0.
  const none = builder.equal(count, builder.scalar(0, count));
  return builder.div(own, builder.where(none, builder.scalar(1, count), count));
}

/**
 * Gradients of the logits whose summed outer products are the Gauss-Newton Hessian of the loss, one list entry a backward
 * pass. A token's draw is independent of the others', so that with one drawn label each, `Σ_t g_t / √T` squared is on average
 * `1/T Σ_t E[g_t g_tᵀ]`, the Hessian of the mean over T tokens. The squared gradient of the mean would be T times less.
 *
 * @param weights [batch], 0 for padding rows
 */
export function fisherGradients(
  builder: GraphBuilder,
  subject: Subject,
  fisher: Exclude<FisherKind, 'empirical'>,
  weights: string,
): readonly string[] {
  const { logits, loss, batch } = subject;
  const dims = builder.dims(logits);
  const rows = dims.slice(0, -1);
  const noise = fisher === 'sampled' ? builder.input(inputNames.noise, float32(rows)) : '';
  const factor = rowFactor(builder, subject, weights);
  if (!isPerToken(subject)) {
    return fisherSeeds(builder, logits, loss, fisher, noise).map((seed) =>
      builder.mul(seed, builder.reshape(factor, [batch, 1])),
    );
  }
  if (fisher === 'exact') throw exactOfTokens(subject);
  const size = rows[0]! * rows[1]!;
  const flat = builder.reshape(logits, [size, dims[2]!]);
  return fisherSeeds(builder, flat, loss, fisher, builder.reshape(noise, [size])).map((seed) =>
    builder.mul(builder.reshape(seed, dims), builder.unsqueeze(factor, [2])),
  );
}

/** What a row's Fisher gradient is multiplied by, [batch] or [batch, tokens]: the root of its share, that of its class's weight. */
function rowFactor(builder: GraphBuilder, subject: Subject, weights: string): string {
  const { classWeights, labelSmoothing = 0 } = subject.lossOptions ?? {};
  const tokens = isPerToken(subject);
  if (!tokens && !classWeights) return weights;
  const labels = labelsInput(builder, subject);
  // The Hessian of a mean is the mean of Hessians: a token's gradient counts by the root of its share, for it is squared.
  const own = tokens ? builder.mul(builder.unsqueeze(weights, [1]), builder.sqrt(shares(builder, labels))) : weights;
  if (!classWeights) return own;
  // The Hessian of a weighted loss is that of the plain one times the mean weight of the target's classes.
  const mean = classWeights.reduce((sum, weight) => sum + weight, 0) / classWeights.length;
  const scale = classWeights.map((weight) => Math.sqrt((1 - labelSmoothing) * weight + labelSmoothing * mean));
  const classes = builder.constant(scale, [scale.length]);
  const index = builder.where(
    builder.less(labels, builder.constant(0, [], 'int64')),
    builder.constant(0, [], 'int64'),
    labels,
  );
  return builder.mul(own, builder.gather(classes, index, 0));
}

function exactOfTokens({ model }: Subject): WhenceError {
  return new WhenceError('config-invalid', 'The exact Fisher is for one label an example; here every token has one.', {
    file: model.file,
    mend: 'Set "fisher" to "sampled" or "empirical" in whence.json, or leave it out.',
  });
}
