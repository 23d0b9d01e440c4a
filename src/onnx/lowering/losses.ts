import { stringOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { range } from '../dims';
import type { Node } from '../graph';
import type { Lowering, Lowerings } from './lowering';

/**
 * Minus the labels' entries of log-probabilities [N, C, ...], each times its class's weight and 0 where the label is
 * `ignore_index`; then none, the sum, or the mean by weight.
 */
function negativeLikelihood(b: GraphBuilder, node: Node, logits: string): string {
  const [, labels, classWeights] = node.inputs as [string, string, string | undefined];
  const zero = b.scalar(0, logits);
  const ignored = node.attributes.ignore_index?.kind === 'int' ? node.attributes.ignore_index.value : null;
  const dtype = b.dtype(labels);
  const isIgnored = ignored === null ? null : b.equal(labels, b.constant(ignored, [], dtype));
  const safe = isIgnored ? b.where(isIgnored, b.constant(0, [], dtype), labels) : labels;
  const own = b.squeeze(b.gatherElements(logits, b.unsqueeze(safe, [1]), 1), [1]);
  const all = classWeights ? b.gather(classWeights, safe, 0) : b.expand(b.scalar(1, logits), b.dims(labels));
  const weights = isIgnored ? b.where(isIgnored, zero, all) : all;
  const losses = b.neg(b.mul(own, weights));
  const reduction = stringOf(node, 'reduction', 'mean');
  if (reduction === 'none') return losses;
  const axes = range(b.dims(losses).length);
  const sum = b.reduceSum(losses, axes);
  return reduction === 'sum' ? sum : b.div(sum, b.reduceSum(weights, axes));
}

const negativeLogLikelihoodLoss: Lowering = (b, node) => [negativeLikelihood(b, node, node.inputs[0]!)];

/** The second output, where it is read, are the log-probabilities. */
const softmaxCrossEntropyLoss: Lowering = (b, node) => {
  const probabilities = b.logSoftmax(node.inputs[0]!, 1);
  return [negativeLikelihood(b, node, probabilities), probabilities];
};

export const losses: Lowerings = {
  NegativeLogLikelihoodLoss: negativeLogLikelihoodLoss,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropyLoss,
};
