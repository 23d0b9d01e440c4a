import type { Algebra, Matrix } from '../curvature/algebra';
import type { Site } from '../curvature/site';
import type { ScoredQueries } from './lowRank';

/** One site's rank-one training gradients `d_i a_iᵀ` of a batch at some checkpoints of a segment. */
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

/** Scores [Q, examples] that terms are added to. */
interface Total {
  readonly values: Float32Array;
  readonly examples: number;
}

/** Keeps the intermediate product of a score call within the processor's cache. */
const intermediateBytes = 32 * 2 ** 20;

/** Adds the scores of all sites with one position, batch after batch. */
export async function addRankOne(
  algebra: Algebra,
  sites: readonly Site[],
  queries: readonly ScoredQueries[],
  batches: AsyncIterable<FactorBatch>,
  total: Total,
): Promise<void> {
  for await (const batch of batches) {
    for (const [site, factors] of batch.sites.entries()) {
      if (!factors) continue;
      for (const { activation, gradient } of terms(factors)) {
        await addScores(algebra, queries[site]!, activation, gradient, batch.from, total, sites[site]!);
      }
    }
  }
}

/** The products that a batch needs: `Σ_c d_c a_cᵀ`, which is one product where all checkpoints share the activation. */
function terms({ activations, gradients, gradientSum }: SiteFactors): { activation: Matrix; gradient: Matrix }[] {
  if (gradientSum) return [{ activation: activations[0]!, gradient: gradientSum }];
  return gradients.map((gradient, c) => ({ activation: activations[activations.length === 1 ? 0 : c]!, gradient }));
}

async function addScores(
  algebra: Algebra,
  query: ScoredQueries,
  activation: Matrix,
  gradient: Matrix,
  from: number,
  total: Total,
  site: Site,
): Promise<void> {
  const count = query.kind === 'full' ? query.values.dims[0]! : query.left.dims[0]! / query.rank;
  const width = query.kind === 'full' ? count * site.outputs : 2 * query.left.dims[0]!;
  const rows = activation.dims[0]!;
  const chunk = Math.max(32, Math.floor(intermediateBytes / (4 * width)));
  for (let start = 0; start < rows; start += chunk) {
    const end = Math.min(rows, start + chunk);
    const [a, d] = [rowsOf(activation, start, end), rowsOf(gradient, start, end)];
    const part =
      query.kind === 'full' ? await algebra.score(query.values, a, d) : await algebra.scoreLowRank(query, a, d);
    for (let row = start; row < end; row++) {
      for (let q = 0; q < count; q++) {
        const at = q * total.examples + from + row;
        total.values[at] = total.values[at]! + part[(row - start) * count + q]!;
      }
    }
  }
}

function rowsOf({ dims, values }: Matrix, start: number, end: number): Matrix {
  const width = dims[1]!;
  return { dims: [end - start, width], values: values.subarray(start * width, end * width) };
}
