/** An estimate and the 95 % interval of its bootstrap (the percentile form). */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export const defaultDraws = 2000;

/** The mean of `values`, which are resampled. The draws are always the same, so that a table is printed twice alike. */
export function bootstrap(values: ArrayLike<number>, draws = defaultDraws): Interval {
  const random = uniform(1);
  const means = Float64Array.from({ length: draws }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)]!;
    return sum / values.length;
  });
  return intervalOf(mean(values), means);
}

/** @param resampled the estimate in every resampling, in any order */
export function intervalOf(estimate: number, resampled: Float64Array): Interval {
  const sorted = Float64Array.from(resampled).sort();
  return { mean: estimate, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

/** Between the two nearest of the rising values where the place falls between them. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const value = sorted[below]!;
  return value + (place - below) * ((sorted[below + 1] ?? value) - value);
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** How often each of `size` observations occurs among as many that are drawn with replacement. */
export function drawCounts(size: number, random: () => number): Float64Array {
  const counts = new Float64Array(size);
  for (let i = 0; i < size; i++) counts[Math.floor(random() * size)]!++;
  return counts;
}

/** Numbers in [0, 1) by Marsaglia's xorshift on 32 bits; the seed is not 0. */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
