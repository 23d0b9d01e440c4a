import { backward } from '../autodiff/backward';
import { jacobianVector } from '../autodiff/products';
import type { Model } from '../onnx/graph';
import type { MeasurementKind } from '../protocol/model';
import { labelsInput, measurementHead, trainingLoss, weightsInput } from './heads';
import { open } from './instrument';
import type { Subject } from './subject';

/** Names of what replaying training feeds and fetches for each trained weight. */
export const replayNames = {
  vector: (weight: string) => `whence/vector/${weight}`,
  gradient: (weight: string) => `whence/out/gradient/${weight}`,
  slopes: 'whence/out/slopes',
} as const;

/** Gradients of `Σ_i w_i L_i` in all trained weights, for example weights w [batch]. */
export function lossGradientGraph(subject: Subject, trained: readonly string[]): Model {
  const builder = open(subject);
  const seeds = new Map([[trainingLoss(builder, subject), weightsInput(builder, subject)]]);
  for (const [weight, gradient] of backward(builder, seeds, trained, subject)) {
    builder.output(replayNames.gradient(weight), gradient);
  }
  return builder.build();
}

/** Gradients of `Σ_i w_i f_i` in all trained weights, f the measurement, signed so that moving along them makes it worse. */
export function measurementGradientGraph(
  subject: Subject,
  trained: readonly string[],
  measurement: MeasurementKind,
): Model {
  const builder = open(subject);
  const labels = labelsInput(builder, subject);
  const weights = weightsInput(builder, subject);
  const head = measurementHead(builder, subject, measurement, labels);
  const seeds = new Map([[head, measurement === 'loss' ? weights : builder.neg(weights)]]);
  for (const [weight, gradient] of backward(builder, seeds, trained, subject)) {
    builder.output(replayNames.gradient(weight), gradient);
  }
  return builder.build();
}

/** For a vector v in the space of weights: slopes `<∇L_i, v>` [batch], and `H v` with H the Hessian of `Σ_i w_i L_i`. */
export function curvatureGraph(subject: Subject, trained: readonly string[]): Model {
  const builder = open(subject);
  const weights = weightsInput(builder, subject);
  const losses = trainingLoss(builder, subject);
  const vector = new Map(
    trained.map((weight) => [weight, builder.input(replayNames.vector(weight), builder.typeOf(weight))]),
  );
  const slopes = jacobianVector(builder, losses, vector);
  builder.output(replayNames.slopes, slopes);
  for (const [weight, product] of backward(builder, new Map([[slopes, weights]]), trained, subject)) {
    builder.output(replayNames.gradient(weight), product);
  }
  return builder.build();
}
