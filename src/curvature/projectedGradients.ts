import { backward } from '../autodiff/backward';
import type { GraphBuilder } from '../onnx/builder';
import { range } from '../onnx/dims';
import type { Model } from '../onnx/graph';
import type { MeasurementKind } from '../protocol/model';
import { labelsInput, measurementHead, trainingLoss, weightsInput } from './heads';
import { open, targets } from './instrument';
import { isRankOne } from './positions';
import type { Site } from './site';
import { float32, outputNames, type Subject } from './subject';
import { asRows, timesTransposed } from './taps/products';
import { perExampleGradient, type SiteRows, siteRows } from './taps/projection';

/** Names of the inputs that hold a projection's rows, [dimension, inputs] and [dimension, outputs] of each site. */
export const projectionInputs = {
  activation: (site: number) => `whence/projection/${site}/activation`,
  gradient: (site: number) => `whence/projection/${site}/gradient`,
} as const;

/**
 * Projected gradients φ [batch, dimension] of the model output function f, and r [batch] = -∂L/∂f. f is the label's margin, a
 * regression's output, or minus a custom loss (Park et al. 2023, section 3.1). Padding rows are 0.
 */
export function outputProjectionGraph(subject: Subject, dimension: number): Model {
  const builder = open(subject);
  const labels = labelsInput(builder, subject);
  const weights = weightsInput(builder, subject);
  const losses = trainingLoss(builder, subject, labels);
  const output = subject.loss === 'custom' ? builder.neg(losses) : measurementHead(builder, subject, 'margin', labels);
  const gradients = backward(builder, new Map([[output, weights]]), [...targets(subject), subject.logits], subject);
  const lossGradients = backward(builder, new Map([[losses, weights]]), [subject.logits], subject);
  const slope = gradients.get(subject.logits)!;
  builder.output(outputNames.residuals, shareOf(builder, lossGradients.get(subject.logits)!, slope));
  builder.output(outputNames.projected, projected(builder, subject, gradients, dimension));
  return builder.build();
}

/** Projected gradients [batch, dimension] of the measurement, signed so that moving along them makes the query worse. */
export function queryProjectionGraph(subject: Subject, dimension: number, measurement: MeasurementKind): Model {
  const builder = open(subject);
  const labels = labelsInput(builder, subject);
  const weights = weightsInput(builder, subject);
  const head = measurementHead(builder, subject, measurement, labels);
  const seed = measurement === 'loss' ? weights : builder.neg(weights);
  const gradients = backward(builder, new Map([[head, seed]]), targets(subject), subject);
  builder.output(outputNames.projected, projected(builder, subject, gradients, dimension));
  return builder.build();
}

/**
 * The multiple of -∂f that is nearest to ∂L, both in the logits: -∂L/∂f where L depends on the logits by f alone, as plain
 * cross-entropy does; the mean over tokens, those weighted more that their own logits can move more.
 */
function shareOf(builder: GraphBuilder, loss: string, output: string): string {
  const axes = range(builder.dims(output).length - 1).map((axis) => axis + 1);
  const along = builder.reduceSum(builder.mul(loss, output), axes);
  const squares = builder.reduceSum(builder.mul(output, output), axes);
  const none = builder.equal(squares, builder.scalar(0, squares));
  return builder.neg(builder.div(along, builder.where(none, builder.scalar(1, squares), squares)));
}

function projected(
  builder: GraphBuilder,
  subject: Subject,
  gradients: ReadonlyMap<string, string>,
  dimension: number,
): string {
  return subject.sites
    .map((site, index) => projectedSite(builder, site, index, siteRows(builder, site, gradients), dimension))
    .reduce((sum, term) => builder.add(sum, term));
}

/** `Σ_t (r_j · d_t)(r'_j · a_t)` [batch, dimension]; by the whole gradient where it has fewer outputs than there are rows. */
function projectedSite(builder: GraphBuilder, site: Site, index: number, rows: SiteRows, dimension: number): string {
  const { inputs, outputs, positions } = site;
  const across = builder.input(projectionInputs.activation(index), float32([dimension, inputs]));
  const down = builder.input(projectionInputs.gradient(index), float32([dimension, outputs]));
  const [batch] = builder.dims(rows.activation) as [number];
  if (!isRankOne(site) && outputs < 2 * positions) {
    const full = builder.reshape(perExampleGradient(builder, site, rows), [batch * outputs, inputs]);
    const turned = builder.reshape(timesTransposed(builder, full, across), [batch, outputs, dimension]);
    return builder.reduceSum(builder.mul(turned, builder.transpose(down, [1, 0])), [1]);
  }
  const terms = builder.mul(
    timesTransposed(builder, asRows(builder, rows.activation), across),
    timesTransposed(builder, asRows(builder, rows.gradient), down),
  );
  return builder.reduceSum(builder.reshape(terms, [batch, positions, dimension]), [1]);
}
