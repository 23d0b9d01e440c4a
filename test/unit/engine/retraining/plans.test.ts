import { describe, expect, test } from 'vitest';
import { range } from '../../../../src/engine/network/examples';
import { maskOf } from '../../../../src/engine/retraining/outcomeFolder';
import { halves, removals, trainings, withAndWithout } from '../../../../src/engine/retraining/plans';

const sum = (mask: Uint8Array) => mask.reduce((total, value) => total + value, 0);

describe('halves', () => {
  const drawn = halves(200, 41, 7).map((subset) => maskOf(subset, 41));

  test('hold half of the examples, each in about half of them, and any two about a quarter together', () => {
    expect(new Set(drawn.map(sum))).toEqual(new Set([20]));
    for (const example of range(0, 41)) {
      const times = drawn.filter((mask) => mask[example] === 1).length;
      expect(Math.abs(times - 97.6)).toBeLessThan(30);
    }
    const overlaps = range(1, 200).map((at) => sum(drawn[at]!.map((value, i) => value * drawn[at - 1]![i]!)));
    const mean = overlaps.reduce((total, value) => total + value, 0) / overlaps.length;
    expect(Math.abs(mean - (20 * 20) / 41)).toBeLessThan(0.5);
  });

  test('are the same when more are asked for, and others from another seed', () => {
    expect(halves(5, 41, 7)).toEqual(halves(9, 41, 7).slice(0, 5));
    expect(halves(5, 41, 8)).not.toEqual(halves(5, 41, 7));
  });
});

test('a claim is two subsets', () => {
  expect(withAndWithout([9, 2])).toEqual([{ without: [] }, { without: [2, 9] }]);
});

test('a removal curve leaves out ever more, the strongest first', () => {
  const order = [4, 0, 3, 1, 2];
  expect(removals([{ query: 6, method: 'source', order }], [1, 3])).toEqual([
    { without: [], removal: { count: 0 } },
    { without: [4], removal: { query: 6, method: 'source', count: 1 } },
    { without: [0, 3, 4], removal: { query: 6, method: 'source', count: 3 } },
  ]);
});

test('seeds are shared by what is compared, and else never twice the same', () => {
  const paired = trainings(2, 3, 10, true);
  expect(paired.map(({ subset, repeat, seed }) => [subset, repeat, seed])).toEqual([
    [0, 0, 10],
    [1, 0, 10],
    [0, 1, 11],
    [1, 1, 11],
    [0, 2, 12],
    [1, 2, 12],
  ]);
  const own = trainings(60, 4, 1, false);
  expect(new Set(own.map(({ seed }) => seed)).size).toBe(240);
  expect(own.slice(0, 60).map(({ repeat }) => repeat)).toEqual(range(0, 60).map(() => 0));
});
