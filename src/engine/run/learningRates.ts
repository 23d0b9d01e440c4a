/** The rate of one update, counted from 0. */
export interface RateKnot {
  readonly update: number;
  readonly rate: number;
}

/**
 * `Σ η_k` over the updates `from <= k < to` of a schedule that is known at some updates only, by straight lines between them.
 * Warm-up and linear decay are exact then, smooth schedules nearly so; where a rate falls at once somewhere between two
 * knots, the line is their mean, which no other guess beats.
 *
 * Before the first knot the first line goes on, between 0 and `ceiling`; after the last one the last line, down to 0 at most.
 * @param knots ascending by update, each once; at least one
 */
export function totalBetween(knots: readonly RateKnot[], from: number, to: number, ceiling: number): number {
  const all = extended(knots, ceiling);
  let total = 0;
  all.forEach((knot, index) => {
    const next = all[index + 1];
    const begin = Math.max(from, knot.update);
    const end = Math.min(to, next?.update ?? Infinity);
    if (end <= begin) return;
    const slope = next ? (next.rate - knot.rate) / (next.update - knot.update) : 0;
    const middle = knot.rate + slope * ((begin + end - 1) / 2 - knot.update);
    total += middle * (end - begin);
  });
  return total;
}

/** Knots from update 0 to beyond the last, after which the rate stays. */
function extended(knots: readonly RateKnot[], ceiling: number): RateKnot[] {
  const first = knots[0]!;
  const last = knots.at(-1)!;
  const begin = first.rate - slopeOf(first, knots[1]) * first.update;
  const fall = slopeOf(knots.at(-2), last);
  return [
    ...(first.update > 0 ? [{ update: 0, rate: Math.max(0, Math.min(ceiling, begin)) }] : []),
    ...knots,
    ...(fall < 0 && last.rate > 0 ? [{ update: last.update - last.rate / fall, rate: 0 }] : []),
  ];
}

function slopeOf(a: RateKnot | undefined, b: RateKnot | undefined): number {
  return a && b && a !== b ? (b.rate - a.rate) / (b.update - a.update) : 0;
}
