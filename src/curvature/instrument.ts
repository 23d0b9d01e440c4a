import { backward } from '../autodiff/backward';
import { GraphBuilder } from '../onnx/builder';
import type { Model } from '../onnx/graph';
import type { MeasurementKind } from '../protocol/model';
import type { FisherKind } from './fisher';
import { fisherGradients, labelsInput, measurementHead, trainingLoss, weightsInput } from './heads';
import { isRankOne, positionInputs, siteActivation, siteGradient } from './positions';
import type { Site } from './site';
import { float32, inputNames, isPerToken, outputNames, type Subject, scaledWeights } from './subject';
import { activationCovariance, gradientCovariance } from './taps/covariance';
import { eigenvalueSum } from './taps/eigenvalue';
import { type BasisInputs, perExampleGradient, rotateRows, siteRows } from './taps/projection';
import { score, selfScore } from './taps/score';
import { gradientSums } from './taps/squares';

/** Forward only: logits [batch, outputs], where an example has one label, and per-example losses [batch]. */
export function predictGraph(subject: Subject): Model {
  const builder = open(subject);
  // Of every token and word they would be many, and only their losses are looked at.
  if (!isPerToken(subject)) builder.output(outputNames.logits, subject.logits);
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
      builder.output(outputNames.activation(index), activationCovariance(builder, site, weights));
    }
    builder.output(outputNames.gradient(index), gradientCovariance(builder, site, draws));
  });
  return builder.build();
}

/** Sums over a batch of the eigenvalues of every site: squares of per-example gradients in the eigenbasis. */
export function eigenvalueGraph(subject: Subject, fisher: FisherKind): Model {
  const builder = open(subject);
  const draws = fisherDraws(builder, subject, fisher, weightsInput(builder, subject));
  subject.sites.forEach((site, index) => {
    const bases = basisInputs(builder, site, index);
    builder.output(outputNames.eigenvalues(index), eigenvalueSum(builder, site, draws, bases));
  });
  return builder.build();
}

/** Sums over a batch of the training loss's per-example gradients and of their squares, for every site: what Adam averages. */
export function momentGraph(subject: Subject): Model {
  const builder = open(subject);
  const gradients = trainingGradients(builder, subject);
  subject.sites.forEach((site, index) => {
    const { sum, rows, columns } = gradientSums(builder, site, siteRows(builder, site, gradients));
    builder.output(outputNames.gradientSum(index), sum);
    builder.output(outputNames.squaredRows(index), rows);
    builder.output(outputNames.squaredColumns(index), columns);
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
      builder.output(
        outputNames.activation(index),
        rotateRows(builder, siteActivation(builder, site), bases?.activation),
      );
    }
    const gradient = rotateRows(builder, siteGradient(builder, site, gradients), bases?.gradient);
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
  const gradients = backward(builder, new Map([[head, seed]]), targets(subject), subject);
  subject.sites.forEach((site, index) => {
    const rows = siteRows(builder, site, gradients);
    if (isRankOne(site)) {
      builder.output(outputNames.activation(index), rows.activation);
      builder.output(outputNames.gradient(index), rows.gradient);
    } else {
      builder.output(outputNames.full(index), perExampleGradient(builder, site, rows));
    }
  });
  return builder.build();
}

/**
 * Scores [queries, batch] of the sites with several positions, summed over them. Queries are in the parameters' coordinates, so
 * that no example has to be brought to another basis.
 * @param ranks of the sites' queries, where these come as sums of outer products
 */
export function scoreGraph(subject: Subject, queries: number, ranks: readonly (number | undefined)[] = []): Model {
  const builder = open(subject);
  const gradients = trainingGradients(builder, subject);
  const terms = subject.sites.flatMap((site, index) => {
    if (isRankOne(site)) return [];
    return [score(builder, site, index, siteRows(builder, site, gradients), { queries, rank: ranks[index] })];
  });
  builder.output(
    outputNames.scores,
    terms.reduce((sum, term) => builder.add(sum, term)),
  );
  return builder.build();
}

/** `Σ F ∘ G²` [batch] over the sites with several positions, summed over them; in the eigenbasis where `projected`. */
export function selfScoreGraph(subject: Subject, projected: boolean): Model {
  const builder = open(subject);
  const gradients = trainingGradients(builder, subject);
  const terms = subject.sites.flatMap((site, index) => {
    if (isRankOne(site)) return [];
    const bases = projected ? basisInputs(builder, site, index) : undefined;
    const responses = builder.input(inputNames.responses(index), float32([site.outputs, site.inputs]));
    return [selfScore(builder, site, siteRows(builder, site, gradients), bases, responses)];
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

/** The subject's graph with its weights as inputs, and what positions read. */
export function open(subject: Subject): GraphBuilder {
  const builder = new GraphBuilder(subject.model, subject.types);
  for (const weight of subject.trained) builder.weightInput(weight);
  if (subject.tokens !== undefined) builder.input(positionInputs.mask, float32([subject.batch, subject.tokens]));
  for (const [weight, outputs] of scaledWeights(subject.sites))
    builder.input(positionInputs.scale(weight), float32([outputs]));
  return builder;
}

/** The values whose gradients make those of the sites. */
export function targets(subject: Subject): string[] {
  return [...new Set(subject.sites.flatMap(({ uses }) => uses.map(({ output }) => output)))];
}

function trainingGradients(builder: GraphBuilder, subject: Subject): ReadonlyMap<string, string> {
  const losses = trainingLoss(builder, subject);
  return backward(builder, new Map([[losses, weightsInput(builder, subject)]]), targets(subject), subject);
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
    return [backward(builder, new Map([[losses, weights]]), targets(subject), subject)];
  }
  return fisherGradients(builder, subject, fisher, weights).map((seed) =>
    backward(builder, new Map([[subject.logits, seed]]), targets(subject), subject),
  );
}

function basisInputs(builder: GraphBuilder, site: Site, index: number): BasisInputs {
  return {
    activation: builder.input(inputNames.activationBasis(index), float32([site.inputs, site.inputs])),
    gradient: builder.input(inputNames.gradientBasis(index), float32([site.outputs, site.outputs])),
  };
}
