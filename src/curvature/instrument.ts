import { backward } from '../autodiff/backward';
import { crossEntropy, margin, oneLogit, squaredError } from '../autodiff/loss';
import { GraphBuilder } from '../onnx/builder';
import type { Model, TensorType } from '../onnx/graph';
import type { LossKind, MeasurementKind } from '../protocol/model';
import { type FisherKind, fisherSeeds } from './fisher';
import { isRankOne, siteActivation, siteGradient } from './positions';
import type { Site } from './site';
import { activationCovariance, gradientCovariance } from './taps/covariance';
import { eigenvalueSum } from './taps/eigenvalue';
import { type BasisInputs, perExampleGradient, projectActivation, projectGradient } from './taps/projection';
import { score, selfScore } from './taps/score';

/** A graph with known shapes for one batch size, and what of it is data, output and trained. */
export interface Subject {
  readonly model: Model;
  readonly types: ReadonlyMap<string, TensorType>;
  readonly batch: number;
  readonly logits: string;
  readonly loss: LossKind;
  readonly trained: ReadonlySet<string>;
  readonly sites: readonly Site[];
}

/** Names of the graph inputs that taps add to a model. Weights keep their initializer's name. */
export const inputNames = {
  /** int64 [batch] of class indices, or float32 [batch, outputs] of targets. */
  labels: 'whence/labels',
  /** float32 [batch]: 1 for an example, 0 for a padding row. */
  weights: 'whence/weights',
  /** float32 [batch] in [0, 1): the sampled Fisher's draws. */
  noise: 'whence/noise',
  activationBasis: (site: number) => `whence/basis/${site}/activation`,
  gradientBasis: (site: number) => `whence/basis/${site}/gradient`,
  /** float32 [queries, outputs, inputs] in the eigenbasis. */
  queries: (site: number) => `whence/queries/${site}`,
  /** float32 [outputs, inputs] of a matrix function's eigenvalues. */
  responses: (site: number) => `whence/responses/${site}`,
} as const;

/** Names of the outputs of the graphs below; `site` is an index into the subject's sites. */
export const outputNames = {
  logits: 'whence/out/logits',
  losses: 'whence/out/losses',
  scores: 'whence/out/scores',
  activation: (site: number) => `whence/out/${site}/activation`,
  gradient: (site: number) => `whence/out/${site}/gradient`,
  full: (site: number) => `whence/out/${site}/full`,
  eigenvalues: (site: number) => `whence/out/${site}/eigenvalues`,
} as const;

/** Forward only: logits [batch, outputs] and per-example losses [batch]. */
export function predictGraph(subject: Subject): Model {
  const builder = open(subject);
  builder.output(outputNames.logits, subject.logits);
  builder.output(outputNames.losses, trainingLoss(builder, subject));
  return builder.build();
}

/** Sums over a batch of both covariances of every site; activations only of `activationSites`. */
export function covarianceGraph(subject: Subject, fisher: FisherKind, activationSites: ReadonlySet<number>): Model {
  const builder = open(subject);
  const weights = weightsInput(builder, subject);
  const draws = fisherDraws(builder, subject, fisher, weights);
  subject.sites.forEach((site, index) => {
    if (activationSites.has(index)) {
      const activation = siteActivation(builder, site);
      builder.output(outputNames.activation(index), activationCovariance(builder, activation, weights));
    }
    const gradients = draws.map((draw) => draw.get(site.output)!);
    builder.output(outputNames.gradient(index), gradientCovariance(builder, site, gradients));
  });
  return builder.build();
}

/** Sums over a batch of the eigenvalues of every site: squares of per-example gradients in the eigenbasis. */
export function eigenvalueGraph(subject: Subject, fisher: FisherKind): Model {
  const builder = open(subject);
  const draws = fisherDraws(builder, subject, fisher, weightsInput(builder, subject));
  subject.sites.forEach((site, index) => {
    const bases = basisInputs(builder, site, index);
    const activation = projectActivation(builder, site, bases);
    const gradients = draws.map((draw) => projectGradient(builder, site, draw.get(site.output)!, bases));
    builder.output(outputNames.eigenvalues(index), eigenvalueSum(builder, site, activation, gradients));
  });
  return builder.build();
}

/**
 * Rank-one factors of the training loss's per-example gradients, for the sites with one position: activations of
 * `activationSites` and gradients of all, in the eigenbasis or, where `projected` is false, in the parameters' own.
 */
export function factorGraph(subject: Subject, activationSites: ReadonlySet<number>, projected: boolean): Model {
  const builder = open(subject);
  const gradients = trainingGradients(builder, subject);
  subject.sites.forEach((site, index) => {
    if (!isRankOne(site)) return;
    const bases = projected ? basisInputs(builder, site, index) : undefined;
    if (activationSites.has(index)) {
      builder.output(outputNames.activation(index), projectActivation(builder, site, bases));
    }
    const gradient = projectGradient(builder, site, gradients.get(site.output)!, bases);
    builder.output(outputNames.gradient(index), gradient);
  });
  return builder.build();
}

/**
 * Gradients of the measurement, signed so that moving along them makes the query worse (+loss, -margin, -logit): rank-one
 * factors for sites with one position, [batch, outputs, inputs] for the others; in the parameters' own coordinates.
 */
export function queryGraph(subject: Subject, measurement: MeasurementKind): Model {
  const builder = open(subject);
  const labels = labelsInput(builder, subject);
  const weights = weightsInput(builder, subject);
  const head = measurementHead(builder, subject, measurement, labels);
  const seed = measurement === 'loss' ? weights : builder.neg(weights);
  const gradients = backward(builder, new Map([[head, seed]]), targets(subject));
  subject.sites.forEach((site, index) => {
    const activation = siteActivation(builder, site);
    const gradient = siteGradient(builder, site, gradients.get(site.output)!);
    if (isRankOne(site)) {
      builder.output(outputNames.activation(index), activation);
      builder.output(outputNames.gradient(index), gradient);
    } else {
      builder.output(outputNames.full(index), perExampleGradient(builder, site, { activation, gradient }));
    }
  });
  return builder.build();
}

/** Scores [queries, batch] of the sites with several positions, summed over them. */
export function scoreGraph(subject: Subject, queries: number, projected: boolean): Model {
  const builder = open(subject);
  const gradients = trainingGradients(builder, subject);
  const terms = subject.sites.flatMap((site, index) => {
    if (isRankOne(site)) return [];
    const bases = projected ? basisInputs(builder, site, index) : undefined;
    const activation = projectActivation(builder, site, bases);
    const gradient = projectGradient(builder, site, gradients.get(site.output)!, bases);
    const dims = [queries, site.outputs, site.inputs];
    return [score(builder, site, { activation, gradient }, builder.input(inputNames.queries(index), float32(dims)))];
  });
  builder.output(
    outputNames.scores,
    terms.reduce((sum, term) => builder.add(sum, term)),
  );
  return builder.build();
}

/** `Σ F ∘ G²` [batch] over the sites with several positions, summed over them. */
export function selfScoreGraph(subject: Subject): Model {
  const builder = open(subject);
  const gradients = trainingGradients(builder, subject);
  const terms = subject.sites.flatMap((site, index) => {
    if (isRankOne(site)) return [];
    const bases = basisInputs(builder, site, index);
    const activation = projectActivation(builder, site, bases);
    const gradient = projectGradient(builder, site, gradients.get(site.output)!, bases);
    const responses = builder.input(inputNames.responses(index), float32([site.outputs, site.inputs]));
    return [selfScore(builder, site, { activation, gradient }, responses)];
  });
  builder.output(
    outputNames.scores,
    terms.reduce((sum, term) => builder.add(sum, term)),
  );
  return builder.build();
}

/**
 * Gradients of the whole training loss's per-example sum with respect to every site, for comparing a device with the CPU on
 * the graph that it will run: forward, backward and both covariances.
 */
export function checkGraph(subject: Subject): Model {
  return covarianceGraph(subject, 'empirical', new Set(subject.sites.keys()));
}

function open(subject: Subject): GraphBuilder {
  const builder = new GraphBuilder(subject.model, subject.types);
  for (const weight of subject.trained) builder.weightInput(weight);
  return builder;
}

function float32(dims: readonly number[]): TensorType {
  return { dtype: 'float32', dims };
}

function targets(subject: Subject): string[] {
  return [...new Set(subject.sites.map((site) => site.output))];
}

function labelsInput(builder: GraphBuilder, { loss, batch, types, logits }: Subject): string {
  const type: TensorType =
    loss === 'cross-entropy' ? { dtype: 'int64', dims: [batch] } : { dtype: 'float32', dims: types.get(logits)!.dims };
  return builder.input(inputNames.labels, type);
}

function weightsInput(builder: GraphBuilder, { batch }: Subject): string {
  return builder.input(inputNames.weights, float32([batch]));
}

function trainingLoss(builder: GraphBuilder, subject: Subject): string {
  const labels = labelsInput(builder, subject);
  return subject.loss === 'cross-entropy'
    ? crossEntropy(builder, subject.logits, labels)
    : squaredError(builder, subject.logits, labels);
}

function measurementHead(builder: GraphBuilder, subject: Subject, kind: MeasurementKind, labels: string): string {
  if (subject.loss === 'squared-error') {
    // The prediction itself stands in for a margin or a logit: what moved the number.
    return kind === 'loss'
      ? squaredError(builder, subject.logits, labels)
      : builder.reduceSum(subject.logits, [1], false);
  }
  if (kind === 'loss') return crossEntropy(builder, subject.logits, labels);
  return kind === 'margin' ? margin(builder, subject.logits, labels) : oneLogit(builder, subject.logits, labels);
}

function trainingGradients(builder: GraphBuilder, subject: Subject): ReadonlyMap<string, string> {
  const losses = trainingLoss(builder, subject);
  return backward(builder, new Map([[losses, weightsInput(builder, subject)]]), targets(subject));
}

/** One backward pass a draw; all share the forward pass. Padding rows are silenced by their weight. */
function fisherDraws(
  builder: GraphBuilder,
  subject: Subject,
  fisher: FisherKind,
  weights: string,
): readonly ReadonlyMap<string, string>[] {
  if (fisher === 'empirical') {
    const losses = trainingLoss(builder, subject);
    return [backward(builder, new Map([[losses, weights]]), targets(subject))];
  }
  const noise = fisher === 'sampled' ? builder.input(inputNames.noise, float32([subject.batch])) : '';
  const perExample = builder.reshape(weights, [subject.batch, 1]);
  return fisherSeeds(builder, subject.logits, subject.loss, fisher, noise).map((seed) =>
    backward(builder, new Map([[subject.logits, builder.mul(seed, perExample)]]), targets(subject)),
  );
}

function basisInputs(builder: GraphBuilder, site: Site, index: number): BasisInputs {
  return {
    activation: builder.input(inputNames.activationBasis(index), float32([site.inputs, site.inputs])),
    gradient: builder.input(inputNames.gradientBasis(index), float32([site.outputs, site.outputs])),
  };
}
