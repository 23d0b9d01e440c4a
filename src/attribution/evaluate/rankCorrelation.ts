/** Which observations have which values, from the smallest: ties stand together. */
export interface Ranking {
  /** Observations by rising value. */
  readonly order: Uint32Array;
  /** Where in `order` each run of equal values begins; ends with the number of observations. */
  readonly starts: Uint32Array;
}

export function rankingOf(values: ArrayLike<number>): Ranking {
  const order = Uint32Array.from({ length: values.length }, (_, at) => at).sort((i, j) => values[i]! - values[j]!);
  const starts: number[] = [];
  order.forEach((index, at) => {
    if (at === 0 || values[index] !== values[order[at - 1]!]) starts.push(at);
  });
  return { order, starts: Uint32Array.from([...starts, values.length]) };
}

/**
 * Spearman's correlation of two variables over the same observations, ties by their average rank. `counts` says how often
 * each observation occurs, as a resampling with replacement has it; by default once. 0 where one of the two never varies.
 */
export function spearman(a: Ranking, b: Ranking, counts?: ArrayLike<number>): number {
  const ranks = [averageRanks(a, counts), averageRanks(b, counts)] as const;
  let total = 0;
  for (let i = 0; i < a.order.length; i++) total += counts?.[i] ?? 1;
  // Average ranks keep the mean of ranks without ties.
  const mean = (total + 1) / 2;
  let [product, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < a.order.length; i++) {
    const count = counts?.[i] ?? 1;
    const [x, y] = [ranks[0][i]! - mean, ranks[1][i]! - mean];
    product += count * x * y;
    squareA += count * x * x;
    squareB += count * y * y;
  }
  return squareA > 0 && squareB > 0 ? product / Math.sqrt(squareA * squareB) : 0;
}

function averageRanks({ order, starts }: Ranking, counts: ArrayLike<number> | undefined): Float64Array {
  const ranks = new Float64Array(order.length);
  let below = 0;
  for (let run = 0; run + 1 < starts.length; run++) {
    let equal = 0;
    for (let at = starts[run]!; at < starts[run + 1]!; at++) equal += counts?.[order[at]!] ?? 1;
    for (let at = starts[run]!; at < starts[run + 1]!; at++) ranks[order[at]!] = below + (equal + 1) / 2;
    below += equal;
  }
  return ranks;
}
