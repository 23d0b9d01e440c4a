import { backward } from '../src/autodiff/backward';
import { trainingLoss, weightsInput } from '../src/curvature/heads';
import { isRankOne } from '../src/curvature/positions';
import type { Site } from '../src/curvature/site';
import { outputNames, type Subject } from '../src/curvature/subject';
import { siteRows } from '../src/curvature/taps/projection';
import { score } from '../src/curvature/taps/score';
import { GraphBuilder } from '../src/onnx/builder';
import { range } from '../src/onnx/dims';
import type { Model } from '../src/onnx/graph';

/** What is timed of a network. */
export type Stage = 'taps' | 'covariances' | 'eigenvalues' | 'scores' | 'products';

/** Graphs that show a part of the engine's passes alone, and what the parts compute. */

/** Every value that the taps read: activations and gradients of the outputs of all sites. */
function tapped({ sites }: Subject): { readonly activations: readonly string[]; readonly outputs: readonly string[] } {
  const uses = sites.flatMap((site) => site.uses);
  return {
    activations: [...new Set(uses.map(({ activation }) => activation))],
    outputs: [...new Set(uses.map(({ output }) => output))],
  };
}

/** Forward and backward; of every tapped value one element is fetched, so that it is computed whole but not copied. */
export function tapsGraph(subject: Subject): Model {
  const builder = new GraphBuilder(subject.model, subject.types);
  for (const weight of subject.trained) builder.weightInput(weight);
  const { activations, outputs } = tapped(subject);
  const losses = trainingLoss(builder, subject);
  const gradients = backward(builder, new Map([[losses, weightsInput(builder, subject)]]), outputs, subject);
  [...activations, ...gradients.values()].forEach((value, index) => {
    const axes = range(builder.dims(value).length);
    const corner = builder.slice(
      value,
      axes.map(() => 0),
      axes.map(() => 1),
    );
    builder.output(`tap/${index}`, corner);
  });
  return builder.build();
}

/** From activations and gradients, which are its inputs, to the scores of the sites with several positions. */
export function productsGraph(subject: Subject, queries: number): Model {
  const builder = GraphBuilder.empty();
  const { activations, outputs } = tapped(subject);
  // An output of one site may be the activation of another.
  for (const value of activations) builder.input(activationInput(value), subject.types.get(value)!);
  for (const value of outputs) builder.input(value, subject.types.get(value)!);
  const gradients = new Map(outputs.map((value) => [value, value]));
  const terms = subject.sites.flatMap((site, index) => {
    if (isRankOne(site)) return [];
    const own = { ...site, uses: site.uses.map((use) => ({ ...use, activation: activationInput(use.activation) })) };
    return [score(builder, own, index, siteRows(builder, own, gradients), { queries })];
  });
  builder.output(
    outputNames.scores,
    terms.reduce((sum, term) => builder.add(sum, term)),
  );
  return builder.build();
}

/** The name of an activation that is an input of `productsGraph`; gradients have that of the output that they are of. */
export function activationInput(value: string): string {
  return `activation/${value}`;
}

/**
 * Floating-point operations of every stage on one batch: the products of the sites alone, in the cheapest order.
 * @param draws backward passes of the Fisher
 */
export function countFlops({ sites, batch }: Subject, draws: number, queries: number): Readonly<Record<Stage, number>> {
  const sum = (of: (site: Site) => number) => 2 * batch * sites.reduce((total, site) => total + of(site), 0);
  const size = ({ inputs, outputs }: Site) => inputs * outputs;
  const forward = sum((site) => site.positions * size(site));
  // Nobody wants the gradient of what the first site reads.
  const back = sum((site) => (site === sites[0] ? 0 : site.positions * size(site)));
  const products = sum((site) => (isRankOne(site) ? 0 : (site.positions + queries) * size(site)));
  return {
    taps: forward + back,
    covariances:
      forward +
      draws * back +
      sum(({ positions, inputs, outputs }) => positions * (inputs ** 2 + draws * outputs ** 2)),
    eigenvalues: forward + draws * back + sum((site) => eigenvalueProducts(site, draws)),
    scores: forward + back + products,
    products,
  };
}

/** Multiply-adds of one example: either its rows are rotated or, where there are many, the gradient that they make. */
function eigenvalueProducts(site: Site, draws: number): number {
  const { positions, inputs, outputs } = site;
  const rows = positions * (inputs ** 2 + draws * outputs ** 2);
  if (isRankOne(site)) return rows + inputs * outputs;
  return Math.min(rows, draws * inputs * outputs * (inputs + outputs)) + draws * positions * inputs * outputs;
}
