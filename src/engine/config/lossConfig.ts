import type { LossOptions } from '../../curvature/subject';
import { WhenceError } from '../../protocol/errors';
import type { LossKind } from '../../protocol/model';

/** The loss that training minimised, by its name alone or with its settings. */
export type LossConfig =
  | Exclude<LossKind, 'custom'>
  | {
      readonly kind: LossKind;
      readonly labelSmoothing?: number;
      /** One a class, as the weight of torch.nn.CrossEntropyLoss. */
      readonly classWeights?: readonly number[];
      /** A label that does not count; negative ones never do. */
      readonly ignoreIndex?: number;
      /** Path of an ONNX graph (logits, target) to per-example losses; for `custom` only. */
      readonly model?: string;
    };

/** The loss with its settings; cross-entropy where nothing is said. */
export function lossOf(loss: LossConfig = 'cross-entropy'): Exclude<LossConfig, string> {
  return typeof loss === 'string' ? { kind: loss } : loss;
}

/**
 * A loss's settings as its head takes them. PyTorch divides a batch's weighted losses by the sum of their weights: over the
 * training set that is every class weight over their mean.
 */
export function lossOptions(
  { kind, labelSmoothing, classWeights }: Exclude<LossConfig, string>,
  labels: Float64Array,
  path: string,
): LossOptions {
  const smoothing = labelSmoothing === undefined ? {} : { labelSmoothing };
  if (classWeights === undefined) return smoothing;
  if (kind !== 'cross-entropy') {
    throw new WhenceError('config-invalid', `"classWeights" go with cross-entropy, not with ${kind}.`, {
      file: path,
      place: 'loss.classWeights',
      mend: 'Remove them.',
    });
  }
  const known = labels.filter((label) => classWeights[label] !== undefined);
  const mean = known.reduce((sum, label) => sum + classWeights[label]!, 0) / known.length;
  if (known.length < labels.length || !(mean > 0)) {
    const message = `"classWeights" has ${classWeights.length} weights, which do not cover the labels of the training data.`;
    throw new WhenceError('config-invalid', message, {
      file: path,
      place: 'loss.classWeights',
      mend: 'Give one weight for each class, in the order of the outputs.',
    });
  }
  return { ...smoothing, classWeights: classWeights.map((weight) => weight / mean) };
}
