import { bootstrap, type Interval, mean } from './bootstrap';

/** How a query fared when some examples were left out, retraining by retraining. */
export interface Removal {
  readonly query: number;
  /** How many of its strongest proponents were left out; 0: none. */
  readonly count: number;
  /** [retrainings] the measurement, larger where the query does better. */
  readonly values: readonly number[];
  /** [retrainings] whether the prediction was another than the run's own. */
  readonly flipped: readonly boolean[];
}

/** One place on the subset-removal curve. */
export interface RemovalPoint {
  readonly count: number;
  /** Share of the retrainings whose prediction flipped: a mean over queries. */
  readonly flipped: Interval;
  /** Change of the measurement against leaving nothing out: a mean over queries. Absent where that was not trained. */
  readonly change?: Interval;
}

/** The subset-removal curve: what leaving out ever more of the queries' strongest proponents does. Intervals over queries. */
export function removalCurve(removals: readonly Removal[]): readonly RemovalPoint[] {
  const counts = [...new Set(removals.map(({ count }) => count))].sort((a, b) => a - b);
  const whole = new Map(removals.filter(({ count }) => count === 0).map(({ query, values }) => [query, mean(values)]));
  return counts.map((count) => {
    const own = removals.filter((removal) => removal.count === count);
    const changes = own.flatMap(({ query, values }) => {
      const before = whole.get(query);
      return before === undefined ? [] : [mean(values) - before];
    });
    return {
      count,
      flipped: bootstrap(own.map(({ flipped }) => mean(flipped.map(Number)))),
      ...(changes.length > 0 ? { change: bootstrap(changes) } : {}),
    };
  });
}

/** The least count at which more than half of a query's retrainings flipped; undefined where none did. */
export function countToFlip(removals: readonly Removal[], query: number): number | undefined {
  const flips = removals.filter((removal) => removal.query === query && mean(removal.flipped.map(Number)) > 0.5);
  return flips.length > 0 ? Math.min(...flips.map(({ count }) => count)) : undefined;
}

export interface DetectionCurve {
  /** [examples + 1]: share of the wrong labels found among the first k, k = 0, 1, ... */
  readonly found: Float64Array;
  /** Area under `found` over the share inspected, by trapezoids: .5 by chance, 1 - wrong / (2 examples) at best. */
  readonly area: number;
}

/**
 * The mislabel-detection curve.
 * @param order all examples, the most suspect first
 * @param wrong those whose label is known to be wrong, at least one
 */
export function detectionCurve(order: readonly number[], wrong: ReadonlySet<number>): DetectionCurve {
  const found = new Float64Array(order.length + 1);
  order.forEach((example, at) => {
    found[at + 1] = found[at]! + (wrong.has(example) ? 1 / wrong.size : 0);
  });
  let area = 0;
  for (let k = 0; k < order.length; k++) area += (found[k]! + found[k + 1]!) / 2 / order.length;
  return { found, area };
}
