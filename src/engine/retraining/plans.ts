import { uniform } from '../../attribution/evaluate/bootstrap';
import { mix } from '../fit/draws';
import { range } from '../network/examples';
import type { Subset } from './outcomeFolder';

/** One training that is to be run. */
export interface Training {
  readonly subset: number;
  readonly repeat: number;
  readonly seed: number;
}

/** Seeds of different repeats are this far apart. */
const seedsOfRepeat = 1_000_000;

/**
 * `count` random halves of the examples. The n-th half is the same whatever the count, so that more of them can be made later.
 */
export function halves(count: number, examples: number, seed: number): readonly Subset[] {
  return range(0, count).map((subset) => {
    const order = shuffled(examples, uniform(mix(mix(seed) ^ subset) || 1));
    return { train: order.slice(0, Math.floor(examples / 2)).sort((a, b) => a - b) };
  });
}

/** Everything, and everything without some examples. */
export function withAndWithout(removed: readonly number[]): readonly Subset[] {
  return [{ without: [] }, { without: [...removed].sort((a, b) => a - b) }];
}

/**
 * Everything, and without ever more of a query's strongest proponents.
 * @param proponents of each query, the strongest first
 */
export function removals(
  proponents: readonly { readonly query: number; readonly method: string; readonly order: readonly number[] }[],
  counts: readonly number[],
): readonly Subset[] {
  const cuts = proponents.flatMap(({ query, method, order }) =>
    counts.map((count) => ({
      without: order.slice(0, count).sort((a, b) => a - b),
      removal: { query, method, count },
    })),
  );
  return [{ without: [], removal: { count: 0 } }, ...cuts];
}

/**
 * All trainings of a plan, every subset once before any a second time. Subsets that are compared with each other (`paired`)
 * share a repeat's seed, so that what differs is not the initial weights; others each have their own.
 */
export function trainings(subsets: number, repeats: number, firstSeed: number, paired: boolean): readonly Training[] {
  return range(0, repeats).flatMap((repeat) =>
    range(0, subsets).map((subset) => ({
      subset,
      repeat,
      seed: firstSeed + repeat * (paired ? 1 : seedsOfRepeat) + (paired ? 0 : subset),
    })),
  );
}

/** Numbers 0 to `length - 1` in random order, by Fisher and Yates. */
function shuffled(length: number, random: () => number): number[] {
  const order = range(0, length);
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
