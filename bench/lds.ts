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

/** A mean over queries, with the 95 % interval of its bootstrap over them. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Linear datamodeling score of every query: Spearman's correlation between what retraining on subsets gave and the sum of
 * the subset's scores (Park et al. 2023, definition 2.4; their score is the mean over queries). `scores` is [queries,
 * examples].
 */
export function linearDatamodelingScores(outcomes: Outcomes, scores: ArrayLike<number>): Float64Array {
  const { subsets, examples, queries, masks, measured } = outcomes;
  return new Float64Array(queries).map((_, q) => {
    const predicted = new Float64Array(subsets);
    const truth = new Float64Array(subsets);
    for (let s = 0; s < subsets; s++) {
      let sum = 0;
      for (let i = 0; i < examples; i++) sum += masks[s * examples + i]! * scores[q * examples + i]!;
      predicted[s] = sum;
      truth[s] = measured[s * queries + q]!;
    }
    return rankCorrelation(ranks(predicted), ranks(truth));
  });
}

/** `values`: one a query. The draws are always the same, so that a table is printed twice alike. */
export function bootstrap(values: Float64Array, draws = 2000): Interval {
  const random = uniform(1);
  const means = Float64Array.from({ length: draws }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)]!;
    return sum / values.length;
  }).sort();
  const at = (fraction: number) => means[Math.floor(fraction * (draws - 1))]!;
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, low: at(0.025), high: at(0.975) };
}

/** Pearson's correlation of two permutations. */
function rankCorrelation(a: Float64Array, b: Float64Array): number {
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

/** Numbers in [0, 1) by Marsaglia's xorshift. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
