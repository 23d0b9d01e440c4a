import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bootstrap, quantile } from '../../../../src/attribution/evaluate/bootstrap';
import { countToFlip, detectionCurve, removalCurve } from '../../../../src/attribution/evaluate/curves';
import {
  bestScores,
  datamodelingScore,
  difference,
  type Outcomes,
  summarize,
} from '../../../../src/attribution/evaluate/datamodeling';
import { rankingOf, spearman } from '../../../../src/attribution/evaluate/rankCorrelation';

/** What SciPy and NumPy say: test/fixtures/evaluate/make.py. */
interface Golden {
  readonly ranks: { a: number[]; b: number[]; counts: number[]; plain: number; resampled: number };
  readonly outcomes: Omit<Outcomes, 'values'> & { readonly values: number[] };
  readonly scores: Readonly<Record<'near' | 'far', number[]>>;
  readonly lds: Readonly<Record<'near' | 'far', number[]>>;
  readonly best: number[];
  readonly overBoth: Readonly<Record<'near' | 'far', [number, number]>>;
  readonly sample: number[];
  readonly sampleInterval: [number, number];
  readonly quantiles: [number, number][];
  readonly detection: { order: number[]; wrong: number[]; found: number[]; area: number };
}

const file = join(import.meta.dirname, '../../../fixtures/evaluate/golden.json');
const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden;
const outcomes: Outcomes = { ...golden.outcomes, values: Float64Array.from(golden.outcomes.values) };
const names = ['near', 'far'] as const;

function expectClose(found: ArrayLike<number>, expected: readonly number[], tolerance = 1e-12): void {
  expect(found).toHaveLength(expected.length);
  expected.forEach((value, at) => {
    expect(Math.abs(found[at]! - value)).toBeLessThanOrEqual(tolerance);
  });
}

describe('rank correlation', () => {
  const { a, b, counts, plain, resampled } = golden.ranks;

  test("is SciPy's where values tie, and where observations occur several times or never", () => {
    expectClose([spearman(rankingOf(a), rankingOf(b))], [plain]);
    expectClose([spearman(rankingOf(a), rankingOf(b), counts)], [resampled]);
  });

  test('of what never varies is 0', () => {
    expect(spearman(rankingOf([1, 1, 1]), rankingOf([1, 2, 3]))).toBe(0);
  });
});

describe('linear datamodeling scores', () => {
  test.for(names)("are SciPy's, query by query (%s)", (name) => {
    expectClose(datamodelingScore(outcomes, golden.scores[name], 1).byQuery, golden.lds[name]);
  });

  test.for(names)('have the interval over queries and subsets that resampling in NumPy gives (%s)', (name) => {
    const { overBoth, overQueries } = summarize(datamodelingScore(outcomes, golden.scores[name]));
    expectClose([overBoth.low, overBoth.high], golden.overBoth[name], 0.03);
    expect(overBoth.high - overBoth.low).toBeGreaterThan(overQueries.high - overQueries.low);
  });

  test('are compared query for query and draw for draw', () => {
    const [near, far] = names.map((name) => datamodelingScore(outcomes, golden.scores[name])) as [
      ReturnType<typeof datamodelingScore>,
      ReturnType<typeof datamodelingScore>,
    ];
    const ahead = summarize(difference(near, far));
    expect(ahead.overQueries.mean).toBeCloseTo(summarize(near).overQueries.mean - summarize(far).overQueries.mean, 12);
    expect(summarize(difference(near, near)).overBoth).toEqual({ mean: 0, low: 0, high: 0 });
  });

  test("cannot be better than the root of the outcomes' reliability", () => {
    expectClose(bestScores(outcomes)!, golden.best);
    expect(bestScores({ ...outcomes, repeats: 1 })).toBeUndefined();
  });

  test('leave out retrainings that are not there', () => {
    const { subsets, repeats, queries, values } = outcomes;
    const wider = new Float64Array(subsets * (repeats + 1) * queries).fill(Number.NaN);
    for (let s = 0; s < subsets; s++) {
      const own = values.subarray(s * repeats * queries, (s + 1) * repeats * queries);
      wider.set(own, s * (repeats + 1) * queries);
    }
    const found = datamodelingScore({ ...outcomes, repeats: repeats + 1, values: wider }, golden.scores.near, 1);
    expectClose(found.byQuery, golden.lds.near);
  });
});

describe('the bootstrap', () => {
  test("has SciPy's percentile interval", () => {
    const { low, high } = bootstrap(golden.sample);
    expectClose([low, high], golden.sampleInterval, 0.03);
  });

  test('gives the same interval every time', () => {
    expect(bootstrap(golden.sample)).toEqual(bootstrap(golden.sample));
  });

  test("takes NumPy's quantiles", () => {
    const sorted = [...golden.sample].sort((a, b) => a - b);
    expectClose(
      golden.quantiles.map(([share]) => quantile(sorted, share)),
      golden.quantiles.map(([, value]) => value),
    );
  });
});

describe('curves', () => {
  test("of mislabel detection have NumPy's shares and area", () => {
    const { order, wrong, found, area } = golden.detection;
    const curve = detectionCurve(order, new Set(wrong));
    expectClose(curve.found, found);
    expectClose([curve.area], [area]);
    const best = detectionCurve([...wrong, ...order.filter((one) => !wrong.includes(one))], new Set(wrong));
    expect(best.area).toBeCloseTo(1 - wrong.length / (2 * order.length), 12);
  });

  test('of subset removal are means over queries', () => {
    const removals = [
      { query: 3, count: 0, values: [2, 4], flipped: [false, false] },
      { query: 8, count: 0, values: [1, 1], flipped: [false, false] },
      { query: 3, count: 10, values: [1, 1], flipped: [false, true] },
      { query: 8, count: 10, values: [-1, -2], flipped: [true, true] },
    ];
    const curve = removalCurve(removals);
    expect(curve.map(({ count, flipped, change }) => [count, flipped.mean, change?.mean])).toEqual([
      [0, 0, 0],
      [10, 0.75, -2.25],
    ]);
    expect([countToFlip(removals, 3), countToFlip(removals, 8)]).toEqual([undefined, 10]);
  });
});
