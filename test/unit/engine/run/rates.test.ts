import { describe, expect, test } from 'vitest';
import type { SavedCheckpoint } from '../../../../src/engine/run/checkpointFiles';
import { totalBetween } from '../../../../src/engine/run/learningRates';
import { loggedIn, ratesOf } from '../../../../src/engine/run/rates';
import type { LoggedStep } from '../../../../src/formats/trainingState';

const sum = (rates: readonly number[]) => rates.reduce((a, b) => a + b, 0);

function saved(step: number, learningRate?: number, log?: readonly LoggedStep[], first?: number): SavedCheckpoint {
  const group = {
    ...(learningRate === undefined ? {} : { learningRate }),
    ...(first === undefined ? {} : { initialLearningRate: first }),
  };
  const optimizer = { groups: [group], secondMoments: new Map() };
  return { file: `step-${step}.pt`, step, counts: 'updates', state: { optimizer, ...(log ? { log } : {}) } };
}

describe('totalBetween', () => {
  const schedule = Array.from({ length: 100 }, (_, k) => (k < 20 ? k / 20 : (100 - k) / 80));

  test('is exact for straight lines, warm-up before the first knot included', () => {
    const knots = [4, 10, 20, 60, 99].map((update) => ({ update, rate: schedule[update]! }));
    expect(totalBetween(knots, 0, 100, 1)).toBeCloseTo(sum(schedule), 10);
    expect(totalBetween(knots, 3, 37, 1)).toBeCloseTo(sum(schedule.slice(3, 37)), 10);
    expect(totalBetween(knots, 37, 37, 1)).toBe(0);
  });

  test('goes down to 0 after the last knot and no further, and never above the ceiling', () => {
    const falling = [
      { update: 10, rate: 0.9 },
      { update: 20, rate: 0.8 },
    ];
    expect(totalBetween(falling, 200, 300, 1)).toBe(0);
    expect(totalBetween(falling, 0, 1, 0.95)).toBeCloseTo(0.95, 12);
    expect(totalBetween([{ update: 5, rate: 0.5 }], 0, 10, 1)).toBeCloseTo(5, 12);
  });

  test('adds up over any cut', () => {
    const knots = [0, 7, 30, 71].map((update) => ({ update, rate: schedule[update]! }));
    const parts = [0, 13, 31, 100].map((to, index, all) => totalBetween(knots, all[index - 1] ?? 0, to, 1));
    expect(sum(parts)).toBeCloseTo(totalBetween(knots, 0, 100, 1), 10);
  });
});

describe('ratesOf', () => {
  const log = { file: 'log.csv', steps: [{ step: 1, learningRate: 0.5 }] };
  const logged = [
    { step: 10, learningRate: 0.4, loss: 2 },
    { step: 20, learningRate: 0.2 },
  ];

  test('trusts the run log most, then what checkpoints logged, then their states, then the constant', () => {
    const all = [saved(10, 0.3, logged.slice(0, 1)), saved(20, 0.1, logged)];
    expect(ratesOf(log, all, 1)).toMatchObject({ source: 'log', at: [0.5, 0.5] });
    expect(ratesOf(undefined, all, 1)).toMatchObject({ source: 'checkpoints', at: [0.4, 0.2] });
    expect(ratesOf(undefined, [saved(10, 0.3), saved(20, 0.1)], 1)).toMatchObject({ at: [0.3, 0.1] });
    expect(ratesOf(undefined, [saved(10), saved(20)], 1)).toMatchObject({ source: 'constant', at: [1, 1] });
    expect(ratesOf(undefined, [saved(10), saved(20)], undefined)).toBeUndefined();
    expect(loggedIn(all)).toBe(logged);
  });

  test('passes over a log without rates', () => {
    const silent = { file: 'log.csv', steps: [{ step: 1, loss: 2 }] };
    expect(ratesOf(silent, [saved(10, 0.3)], undefined)).toMatchObject({ source: 'checkpoints', at: [0.3] });
  });

  test('begins at the rate that the schedule multiplies', () => {
    const rates = ratesOf(undefined, [saved(10, 0.05, undefined, 0.1), saved(20, 0, undefined, 0.1)], undefined)!;
    expect(rates.total(0, 20)).toBeCloseTo(sum(Array.from({ length: 20 }, (_, k) => 0.1 * (1 - k / 20))), 10);
  });
});
