import type { GraphBuilder } from '../../onnx/builder';
import { isRankOne } from '../positions';
import type { Site } from '../site';
import { float32, inputNames } from '../subject';
import { asRows, timesTransposed } from './products';
import { type BasisInputs, eigenbasisGradients, perExampleGradient, type SiteRows } from './projection';

/** Names of the inputs that low-rank queries come by: [queries · rank, outputs] and [queries · rank, inputs]. */
export const lowRankInputs = {
  left: (site: number) => `${inputNames.queries(site)}/left`,
  right: (site: number) => `${inputNames.queries(site)}/right`,
} as const;

/** Floats that are written and read again cost about as much as this many multiplications each, by what memory carries. */
const flopsPerFloat = 32;

/**
 * The two ways to `<W_q, Σ_t d_t a_tᵀ>`: the example's gradient first, whose cost all queries share, or `a_t W_qᵀ` first, which
 * never makes an [outputs, inputs] matrix of an example. The second is cheaper for few queries and few positions.
 *
 * @returns floating point operations an example, traffic included
 */
export function scoreCosts({ positions, inputs, outputs }: Site, queries: number) {
  const weights = outputs * inputs;
  return {
    gradientFirst: 2 * positions * weights + 2 * queries * weights + flopsPerFloat * weights,
    queryFirst: queries * positions * (2 * weights + 2 * outputs + flopsPerFloat * outputs),
  };
}

/** Scores [queries, batch] of one site with several positions; its queries become inputs of the graph. */
export function score(
  builder: GraphBuilder,
  site: Site,
  index: number,
  rows: SiteRows,
  { queries, rank }: { readonly queries: number; readonly rank?: number | undefined },
): string {
  if (rank !== undefined) return lowRankScore(builder, site, index, rows, queries, rank);
  const values = builder.input(inputNames.queries(index), float32([queries, site.outputs, site.inputs]));
  const { gradientFirst, queryFirst } = scoreCosts(site, queries);
  return queryFirst < gradientFirst && !isRankOne(site)
    ? scoreByQuery(builder, site, rows, values)
    : scoreByGradient(builder, site, rows, values);
}

/** `<W_q, G_i>` by the examples' gradients: queries [Q, outputs, inputs] to [Q, batch]. */
export function scoreByGradient(builder: GraphBuilder, site: Site, rows: SiteRows, queries: string): string {
  const width = site.outputs * site.inputs;
  const [batch] = builder.dims(rows.activation) as [number];
  const [count] = builder.dims(queries) as [number];
  const gradients = builder.reshape(perExampleGradient(builder, site, rows), [batch, width]);
  return timesTransposed(builder, builder.reshape(queries, [count, width]), gradients);
}

/** The same by `a_t W_qᵀ` [batch, positions, Q, outputs], which are multiplied by d_t and summed. */
export function scoreByQuery(builder: GraphBuilder, site: Site, rows: SiteRows, queries: string): string {
  const [batch, positions] = builder.dims(rows.activation) as [number, number];
  const [count] = builder.dims(queries) as [number];
  const asked = builder.reshape(queries, [count * site.outputs, site.inputs]);
  const answers = timesTransposed(builder, asRows(builder, rows.activation), asked);
  const full = builder.reshape(answers, [batch, positions, count, site.outputs]);
  const gradients = builder.reshape(rows.gradient, [batch, positions, 1, site.outputs]);
  return builder.transpose(builder.reduceSum(builder.mul(full, gradients), [1, 3], false), [1, 0]);
}

/** `Σ_t Σ_j (r_qj · a_t) (l_qj · d_t)` [queries, batch]. */
function lowRankScore(
  builder: GraphBuilder,
  site: Site,
  index: number,
  { activation, gradient }: SiteRows,
  queries: number,
  rank: number,
): string {
  const [batch, positions] = builder.dims(activation) as [number, number];
  const left = builder.input(lowRankInputs.left(index), float32([queries * rank, site.outputs]));
  const right = builder.input(lowRankInputs.right(index), float32([queries * rank, site.inputs]));
  const terms = builder.mul(
    timesTransposed(builder, asRows(builder, activation), right),
    timesTransposed(builder, asRows(builder, gradient), left),
  );
  const full = builder.reshape(terms, [batch, positions, queries, rank]);
  return builder.transpose(builder.reduceSum(full, [1, 3], false), [1, 0]);
}

/**
 * `Σ F ∘ G_i²` for every example: a matrix function's eigenvalues [outputs, inputs] and a batch to [batch]; without bases in the
 * parameters' own coordinates.
 */
export function selfScore(
  builder: GraphBuilder,
  site: Site,
  rows: SiteRows,
  bases: BasisInputs | undefined,
  responses: string,
): string {
  const gradients = bases
    ? eigenbasisGradients(builder, site, rows.activation, [rows.gradient], bases)[0]!
    : perExampleGradient(builder, site, rows);
  return builder.reduceSum(builder.mul(builder.mul(gradients, gradients), responses), [1, 2], false);
}
