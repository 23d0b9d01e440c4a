import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeFixture, type FixtureRun, goldenArray, marginScores, openFixture } from '../../support/fixtureRun';
import { pearson, relativeError } from '../../support/statistics';

/**
 * Trainings of two stages: SGD with momentum on 60 examples, then SGD or AdamW on 36 others. The derivative of each margin in
 * each example's weight goes through every step of both (test/fixtures/stages/make.py).
 */
const runs = ['sgd-sgd-1', 'sgd-sgd-2', 'sgd-adamw-1', 'sgd-adamw-2'];
const counts = [60, 36] as const;

describe.for(runs)('%s', (name) => {
  let run: FixtureRun;
  beforeAll(async () => {
    run = await openFixture(`stages/${name}`);
  });
  afterAll(() => closeFixture(run));

  test('is told by SOURCE over both stages', async () => {
    const scores = await marginScores(run.loaded, 'source');
    const exact = await goldenArray(run.folder, 'exact');
    const [first, second] = [columns(scores, 0, counts[0]), columns(scores, counts[0], counts[1])];
    const [firstExact, secondExact] = [columns(exact, 0, counts[0]), columns(exact, counts[0], counts[1])];
    const r = [pearson(scores, exact), pearson(first, firstExact), pearson(second, secondExact)];
    console.log(`${name}: both stages ${r.map((value) => value.toFixed(3)).join(', first and second ')}`);
    expect(relativeError(scores, await goldenArray(run.folder, 'source'))).toBeLessThanOrEqual(1e-4);
    expect(r[0]).toBeGreaterThanOrEqual(0.9);
    expect(Math.min(...r)).toBeGreaterThanOrEqual(0.85);
  });

  test('lists the examples of both stages in their splits', () => {
    const { training, run: opened } = run.loaded;
    expect(training.length).toBe(counts[0] + counts[1]);
    expect(training.at(59)).toEqual({ split: 'first', index: 59 });
    expect(training.at(60)).toEqual({ split: 'second', index: 0 });
    expect(training.indexOf({ split: 'second', index: 35 })).toBe(95);
    expect(training.indexOf({ split: 'test', index: 0 })).toBeUndefined();
    const ends = opened.stages.map((stage) => stage.run.segments.at(-1)!.to);
    expect(opened.segments.map(({ from }) => from)).toContain(ends[0]);
    expect(opened.segments.flatMap(({ checkpoints }) => checkpoints)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

/** `count` columns of every row of [queries, examples]. */
function columns(scores: ArrayLike<number>, from: number, count: number): number[] {
  const width = counts[0] + counts[1];
  return Array.from(scores).filter((_, index) => index % width >= from && index % width < from + count);
}
