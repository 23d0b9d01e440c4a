/** Retraining outcomes: which examples each subset held, and what every query's measurement came to on average. */
export interface Outcomes {
  readonly subsets: number;
  readonly examples: number;
  readonly queries: number;
  /** [subsets, examples] of 0 and 1 */
  readonly masks: Float64Array;
  /** [subsets, queries], larger where the query does better */
  readonly measured: Float64Array;
}

/**
 * Linear datamodeling score: the mean over queries of Spearman's correlation between what retraining on subsets gave and
 * the sum of the subset's scores (Park et al. 2023, definition 2.4). `scores` is [queries, examples].
 */
export function linearDatamodelingScore(outcomes: Outcomes, scores: ArrayLike<number>): number {
  const { subsets, examples, queries, masks, measured } = outcomes;
  let total = 0;
  for (let q = 0; q < queries; q++) {
    const predicted = new Float64Array(subsets);
    const truth = new Float64Array(subsets);
    for (let s = 0; s < subsets; s++) {
      let sum = 0;
      for (let i = 0; i < examples; i++) sum += masks[s * examples + i]! * scores[q * examples + i]!;
      predicted[s] = sum;
      truth[s] = measured[s * queries + q]!;
    }
    total += pearson(ranks(predicted), ranks(truth));
  }
  return total / queries;
}

function pearson(a: Float64Array, b: Float64Array): number {
  const mean = (a.length - 1) / 2;
  let product = 0;
  let square = 0;
  for (let i = 0; i < a.length; i++) {
    product += (a[i]! - mean) * (b[i]! - mean);
    square += (a[i]! - mean) ** 2;
  }
  return product / square;
}

/** Ranks from 0. Means of retrainings and sums of scores never tie in practice. */
function ranks(values: Float64Array): Float64Array {
  const order = Array.from(values.keys()).sort((i, j) => values[i]! - values[j]!);
  const result = new Float64Array(values.length);
  order.forEach((index, rank) => {
    result[index] = rank;
  });
  return result;
}
