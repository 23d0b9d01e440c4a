import { bootstrap, defaultDraws, drawCounts, type Interval, intervalOf, mean, uniform } from './bootstrap';
import { type Ranking, rankingOf, spearman } from './rankCorrelation';

/** What retraining on subsets gave: which examples each subset held, and what every query's measurement came to. */
export interface Outcomes {
  readonly subsets: number;
  readonly repeats: number;
  readonly queries: number;
  readonly examples: number;
  /** [subsets, examples] of 0 and 1. */
  readonly masks: ArrayLike<number>;
  /** [subsets, repeats, queries], larger where the query does better; NaN for a retraining that is not there. */
  readonly values: Float64Array;
}

/** A method's linear datamodeling score of every query, and its mean in resamplings. */
export interface DatamodelingScore {
  /** [queries] */
  readonly byQuery: Float64Array;
  /** [draws]: the mean where queries and subsets are drawn anew, both at once. The same draws for every method. */
  readonly resampled: Float64Array;
}

/** A mean over queries with two intervals. */
export interface DatamodelingSummary {
  /** Queries drawn anew, the subsets as they are: would other queries say the same? It is the interval that papers print. */
  readonly overQueries: Interval;
  /** Queries and subsets drawn anew: would other subsets say so too? All queries share their subsets, so it is wider. */
  readonly overBoth: Interval;
}

/**
 * Spearman's correlation, over the subsets, between what retraining gave on average and the sum of the subset's scores (Park
 * et al. 2023, definition 2.4), query by query.
 * @param scores [queries, examples]
 */
export function datamodelingScore(
  outcomes: Outcomes,
  scores: ArrayLike<number>,
  draws = defaultDraws,
): DatamodelingScore {
  const { subsets, queries } = outcomes;
  const truth = meanOutcomes(outcomes);
  const predicted = Array.from({ length: queries }, (_, q) => rankingOf(subsetSums(outcomes, scores, q)));
  const byQuery = Float64Array.from(predicted, (ranking, q) => spearman(ranking, truth[q]!));
  const random = uniform(2);
  const resampled = Float64Array.from({ length: draws }, () => {
    const drawnSubsets = drawCounts(subsets, random);
    const drawnQueries = drawCounts(queries, random);
    let sum = 0;
    predicted.forEach((ranking, q) => {
      const count = drawnQueries[q]!;
      if (count > 0) sum += count * spearman(ranking, truth[q]!, drawnSubsets);
    });
    return sum / queries;
  });
  return { byQuery, resampled };
}

export function summarize({ byQuery, resampled }: DatamodelingScore): DatamodelingSummary {
  return { overQueries: bootstrap(byQuery), overBoth: intervalOf(mean(byQuery), resampled) };
}

/** By how much a method is ahead of another, query for query and draw for draw. */
export function difference(a: DatamodelingScore, b: DatamodelingScore): DatamodelingScore {
  return {
    byQuery: a.byQuery.map((value, q) => value - b.byQuery[q]!),
    resampled: a.resampled.map((value, draw) => value - b.resampled[draw]!),
  };
}

/**
 * The best score to be had: no prediction correlates better with the outcomes than the root of their reliability. That is
 * Spearman and Brown's, R r / (1 + (R - 1) r), of the mean correlation r between two of the R retrainings of the subsets; for two
 * retrainings it is the split-half one. [queries]; nothing where no subset was trained twice.
 */
export function bestScores({ subsets, repeats, queries, values }: Outcomes): Float64Array | undefined {
  if (repeats < 2) return undefined;
  const at = (repeat: number, query: number) =>
    Float64Array.from({ length: subsets }, (_, s) => values[(s * repeats + repeat) * queries + query]!);
  return Float64Array.from({ length: queries }, (_, q) => {
    const columns = Array.from({ length: repeats }, (_, repeat) => at(repeat, q));
    const correlations = columns.flatMap((a, i) => columns.slice(i + 1).map((b) => correlationOfPresent(a, b)));
    const single = Math.max(0, mean(correlations));
    return Math.sqrt((repeats * single) / (1 + (repeats - 1) * single));
  });
}

function correlationOfPresent(a: Float64Array, b: Float64Array): number {
  const both = (_: number, i: number) => !Number.isNaN(a[i]!) && !Number.isNaN(b[i]!);
  return spearman(rankingOf(a.filter(both)), rankingOf(b.filter(both)));
}

/** Per query the subsets ranked by the mean over those retrainings that are there. */
function meanOutcomes({ subsets, repeats, queries, values }: Outcomes): readonly Ranking[] {
  return Array.from({ length: queries }, (_, q) => {
    const means = Float64Array.from({ length: subsets }, (_, s) => {
      const own = Array.from({ length: repeats }, (_, r) => values[(s * repeats + r) * queries + q]!);
      return mean(own.filter((value) => !Number.isNaN(value)));
    });
    return rankingOf(means);
  });
}

function subsetSums({ subsets, examples, masks }: Outcomes, scores: ArrayLike<number>, query: number): Float64Array {
  return Float64Array.from({ length: subsets }, (_, s) => {
    let sum = 0;
    for (let i = 0; i < examples; i++) sum += masks[s * examples + i]! * scores[query * examples + i]!;
    return sum;
  });
}
