import type { Algebra, Matrix } from '../curvature/algebra';
import type { EkfacFactor } from '../curvature/ekfac';
import { isRankOne } from '../curvature/positions';
import type { Site } from '../curvature/site';
import { isWorthTruncating, type ScoredQueries, type Truncation, truncated } from './lowRank';
import type { MethodSegment } from './method';
import { QueryWalk, type SiteQueries } from './preconditioned';
import { addRankOne, type FactorBatch } from './rankOneScores';

/** Factors of some sites, read when they are needed. */
export interface Curvature {
  /** Tells curvatures of a run apart. */
  readonly id: string;
  load(): Promise<readonly EkfacFactor[]>;
}

/** A method's segment with its curvature; none for methods that use the identity. */
export interface CurvedSegment {
  readonly method: MethodSegment;
  readonly curvature: Curvature | undefined;
}

/** A segment with the training examples that it scores: those of its stage. */
export interface ScoredSegment extends CurvedSegment {
  readonly training: TrainingGradients;
  readonly examples: number;
}

/** A segment whose factors, one a site, are in memory. */
export interface LoadedSegment extends CurvedSegment {
  readonly factors: readonly EkfacFactor[] | undefined;
}

/** How scores get at the per-example training gradients. */
export interface TrainingGradients {
  /** Rank-one factors in the segment's eigenbasis. */
  batches(segment: LoadedSegment): AsyncIterable<FactorBatch>;
  /**
   * `Σ_c <W_q, G_i(θ_c)>` [Q, examples] over the sites with several positions; `queries` has an entry for each of those, in the
   * parameters' coordinates.
   */
  scorePositions(segment: LoadedSegment, queries: readonly (ScoredQueries | undefined)[]): Promise<Float32Array>;
}

/** What is asked: Q queries, their gradients by site and checkpoint, and the rank that they are truncated to, if any. */
export interface QueryRound {
  readonly count: number;
  readonly gradientsAt: (site: number, checkpoint: number | undefined) => SiteQueries;
  readonly rank?: number | undefined;
}

/** Scores by segment, [Q, examples of its stage] each; where queries were truncated, what that left out, summed over sites and segments. */
export interface RoundScores {
  readonly bySegment: readonly Float32Array[];
  readonly truncation: Truncation;
}

/**
 * Scores of Q queries against the training examples of each segment's stage, segment by segment, positive for proponents if the query gradients point
 * to where the query gets worse (SOURCE, eq. 19, with the mean over a segment's checkpoints in place of its expectation).
 */
export async function scoreQueries(
  algebra: Algebra,
  sites: readonly Site[],
  segments: readonly ScoredSegment[],
  { count, gradientsAt, rank }: QueryRound,
): Promise<RoundScores> {
  const walks = sites.map(
    (site, index) => new QueryWalk(algebra, site, (checkpoint) => gradientsAt(index, checkpoint)),
  );
  const truncation = { norms: new Float64Array(count), leftOut: new Float64Array(count) };
  const bySegment = new Array<Float32Array>(segments.length);
  for (let index = segments.length - 1; index >= 0; index--) {
    const { method, curvature, training, examples } = segments[index]!;
    const segment = { method, curvature, factors: await curvature?.load() };
    const queries: ScoredQueries[] = [];
    for (const [site, walk] of walks.entries()) {
      const full = await walk.step(method, segment.factors?.[site], index === 0);
      queries.push(await asScored(algebra, full, rank, truncation));
    }
    const total = new Float32Array(count * examples);
    if (sites.some(isRankOne))
      await addRankOne(algebra, sites, queries, training.batches(segment), { values: total, examples });
    if (!sites.every(isRankOne)) {
      const several = queries.map((query, site) => (isRankOne(sites[site]!) ? undefined : query));
      const terms = await training.scorePositions(segment, several);
      for (let i = 0; i < total.length; i++) total[i] = total[i]! + terms[i]!;
    }
    const scale = method.scale / method.checkpoints.length;
    bySegment[index] = total.map((value) => value * scale);
  }
  return { bySegment, truncation };
}

async function asScored(
  algebra: Algebra,
  values: Matrix,
  rank: number | undefined,
  truncation: Truncation,
): Promise<ScoredQueries> {
  if (rank === undefined) return { kind: 'full', values };
  const [count, outputs, inputs] = values.dims as [number, number, number];
  if (isWorthTruncating(outputs, inputs, rank)) return truncated(algebra, values, rank, truncation);
  const width = outputs * inputs;
  for (let q = 0; q < count; q++) {
    let sum = 0;
    for (let i = q * width; i < (q + 1) * width; i++) sum += values.values[i]! ** 2;
    truncation.norms[q] = truncation.norms[q]! + sum;
  }
  return { kind: 'full', values };
}
