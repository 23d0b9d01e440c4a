import type { Algebra, Matrix } from '../curvature/algebra';
import type { EkfacFactor } from '../curvature/ekfac';
import { isRankOne } from '../curvature/positions';
import type { Site } from '../curvature/site';
import type { MethodSegment } from './method';
import { preconditioned, type SiteQueries } from './preconditioned';

/** One site's rank-one training gradients `d_i a_iᵀ` of a batch at every checkpoint of a segment. */
export interface SiteFactors {
  /** [count, inputs] a checkpoint; one for all where the activation depends on no weight. */
  readonly activations: readonly Matrix[];
  /** [count, outputs] a checkpoint. */
  readonly gradients: readonly Matrix[];
  /** Their sum over the checkpoints, where these share one activation. */
  readonly gradientSum?: Matrix;
}

/** Training examples `from ..< from + count`; one entry a site, none for sites with several positions. */
export interface FactorBatch {
  readonly from: number;
  readonly count: number;
  readonly sites: readonly (SiteFactors | undefined)[];
}

/** A method's segment with its curvature, one factor a site; none for methods that use the identity. */
export interface CurvedSegment {
  readonly method: MethodSegment;
  readonly factors: readonly EkfacFactor[] | undefined;
}

/** How scores get at the per-example training gradients, in a segment's eigenbasis. */
export interface TrainingGradients {
  batches(segment: CurvedSegment): AsyncIterable<FactorBatch>;
  /**
   * `Σ_c <W_q, G_i(θ_c)>` [Q, examples] over the sites with several positions; `queries` has an entry for each of those.
   */
  scorePositions(segment: CurvedSegment, queries: readonly (Matrix | undefined)[]): Promise<Float32Array>;
}

/** Keeps the intermediate product of a score call within the processor's cache. */
const intermediateBytes = 32 * 2 ** 20;

/**
 * Scores of Q queries against all training examples, segment by segment: one [Q, examples] array each, positive for
 * proponents if the query gradients point to where the query gets worse (SOURCE, eq. 19, with the mean over a segment's
 * checkpoints in place of its expectation).
 */
export async function scoreQueries(
  algebra: Algebra,
  sites: readonly Site[],
  segments: readonly CurvedSegment[],
  queriesAt: (site: number, checkpoint: number | undefined) => SiteQueries,
  gradients: TrainingGradients,
  shape: { readonly queries: number; readonly examples: number },
): Promise<Float32Array[]> {
  const walks = sites.map((site, index) =>
    preconditioned(
      algebra,
      site,
      segments.map(({ method, factors }) => ({ method, factor: factors?.[index] })),
      (checkpoint) => queriesAt(index, checkpoint),
    ),
  );
  const scores = new Array<Float32Array>(segments.length);
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index]!;
    const queries: Matrix[] = [];
    for (const walk of walks) {
      const step = await walk.next();
      if (!step.done) queries.push(step.value.queries);
    }
    const total = new Float32Array(shape.queries * shape.examples);
    if (sites.some(isRankOne))
      await addRankOne(algebra, sites, queries, gradients.batches(segment), total, shape.examples);
    if (!sites.every(isRankOne)) {
      const several = queries.map((query, site) => (isRankOne(sites[site]!) ? undefined : query));
      const terms = await gradients.scorePositions(segment, several);
      for (let i = 0; i < total.length; i++) total[i] = total[i]! + terms[i]!;
    }
    const scale = segment.method.scale / segment.method.checkpoints.length;
    scores[index] = total.map((value) => value * scale);
  }
  return scores;
}

async function addRankOne(
  algebra: Algebra,
  sites: readonly Site[],
  queries: readonly Matrix[],
  batches: AsyncIterable<FactorBatch>,
  total: Float32Array,
  examples: number,
): Promise<void> {
  for await (const batch of batches) {
    for (const [site, factors] of batch.sites.entries()) {
      if (!factors) continue;
      const query = queries[site]!;
      for (const { activation, gradient } of terms(factors)) {
        await addScores(algebra, query, activation, gradient, batch.from, total, examples, sites[site]!);
      }
    }
  }
}

/** The products that a batch needs: `Σ_c d_c a_cᵀ`, which is one product where all checkpoints share the activation. */
function terms({ activations, gradients, gradientSum }: SiteFactors): { activation: Matrix; gradient: Matrix }[] {
  if (gradientSum) return [{ activation: activations[0]!, gradient: gradientSum }];
  return gradients.map((gradient, c) => ({ activation: activations[c]!, gradient }));
}

async function addScores(
  algebra: Algebra,
  query: Matrix,
  activation: Matrix,
  gradient: Matrix,
  from: number,
  total: Float32Array,
  examples: number,
  site: Site,
): Promise<void> {
  const count = query.dims[0]!;
  const rows = activation.dims[0]!;
  const chunk = Math.max(32, Math.floor(intermediateBytes / (4 * count * site.outputs)));
  for (let start = 0; start < rows; start += chunk) {
    const end = Math.min(rows, start + chunk);
    const part = await algebra.score(query, rowsOf(activation, start, end), rowsOf(gradient, start, end));
    for (let row = start; row < end; row++) {
      for (let q = 0; q < count; q++) {
        const at = q * examples + from + row;
        total[at] = total[at]! + part[(row - start) * count + q]!;
      }
    }
  }
}

function rowsOf({ dims, values }: Matrix, start: number, end: number): Matrix {
  const width = dims[1]!;
  return { dims: [end - start, width], values: values.subarray(start * width, end * width) };
}
