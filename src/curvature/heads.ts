import { crossEntropy, margin, oneLogit, squaredError } from '../autodiff/loss';
import type { GraphBuilder } from '../onnx/builder';
import type { TensorType } from '../onnx/graph';
import type { MeasurementKind } from '../protocol/model';
import { float32, inputNames, type Subject } from './subject';

export function labelsInput(builder: GraphBuilder, { loss, batch, types, logits }: Subject): string {
  const type: TensorType =
    loss === 'cross-entropy' ? { dtype: 'int64', dims: [batch] } : { dtype: 'float32', dims: types.get(logits)!.dims };
  return builder.input(inputNames.labels, type);
}

export function weightsInput(builder: GraphBuilder, { batch }: Subject): string {
  return builder.input(inputNames.weights, float32([batch]));
}

export function trainingLoss(builder: GraphBuilder, subject: Subject): string {
  const labels = labelsInput(builder, subject);
  return subject.loss === 'cross-entropy'
    ? crossEntropy(builder, subject.logits, labels)
    : squaredError(builder, subject.logits, labels);
}

export function measurementHead(
  builder: GraphBuilder,
  subject: Subject,
  kind: MeasurementKind,
  labels: string,
): string {
  if (subject.loss === 'squared-error') {
    // The prediction itself stands in for a margin or a logit: what moved the number.
    return kind === 'loss'
      ? squaredError(builder, subject.logits, labels)
      : builder.reduceSum(subject.logits, [1], false);
  }
  if (kind === 'loss') return crossEntropy(builder, subject.logits, labels);
  return kind === 'margin' ? margin(builder, subject.logits, labels) : oneLogit(builder, subject.logits, labels);
}
