import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine';
import { describeRun } from '../../../src/engine/run/openRun';
import { closeFixture, type FixtureRun, goldenArray, marginScores, openFixture } from '../../support/fixtureRun';
import { pearson, relativeError } from '../../support/statistics';
import { quietContext, testHost } from '../../support/testHost';

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
    const [both, one, other] = r.map((value) => value.toFixed(3));
    console.log(`${name}: both stages ${both}, the first ${one}, the second ${other}`);
    expect(relativeError(scores, await goldenArray(run.folder, 'source'))).toBeLessThanOrEqual(1e-4);
    expect(r[0]).toBeGreaterThanOrEqual(0.9);
    expect(Math.min(...r)).toBeGreaterThanOrEqual(0.85);
  });

  test('is told by one look at each segment as well', async () => {
    const scores = await marginScores(run.loaded, 'fast-source');
    expect(relativeError(scores, await goldenArray(run.folder, 'fast-source'))).toBeLessThanOrEqual(1e-4);
    const both = await goldenArray(run.folder, 'source');
    expect(relativeError(scores, both)).toBeGreaterThan(1e-4);
    expect(pearson(scores, both)).toBeGreaterThan(0.98);
  });

  test('answers with examples of both', async () => {
    const engine = createEngine(await testHost());
    const config = run.loaded.run.path;
    const query = { split: 'test', index: 3 };
    const influence = await engine.attribute({ config, query, method: 'source', top: 96 }, quietContext());
    const splits = [...influence.towards, ...influence.away].map(({ example }) => example.id.split);
    expect(splits.filter((split) => split === 'first')).toHaveLength(60);
    expect(splits.filter((split) => split === 'second')).toHaveLength(36);
    expect(influence.segments).toHaveLength(4);
    const strongest = influence.towards[0]!;
    expect(strongest.bySegment.filter((score) => score !== 0)).toHaveLength(2);
    const together = influence.byClass.reduce((sum, { examples }) => sum + examples, 0);
    expect(together).toBe(96);
    const described = describeRun(run.loaded.run);
    expect(described.splits.map((split) => split.name)).toEqual(['first', 'second', 'test']);
  });

  test('knows the files of every stage', async () => {
    const engine = createEngine(await testHost());
    for (const split of ['first', 'second', 'test']) {
      const file = join(run.folder, `${split}.csv`);
      const found = await engine.findUse({ folder: run.folder, file }, quietContext());
      expect(found).toMatchObject({ split });
    }
    const { runs } = await engine.inspect({ folder: run.folder }, quietContext());
    expect(runs[0]!.problems).toEqual([]);
    const text = await readFile(run.loaded.run.path, 'utf8');
    expect(await engine.validate({ config: run.loaded.run.path, text }, quietContext())).toEqual([]);
    const wrong = text.replace('"train":"second"', '"train":"third"');
    expect(await engine.validate({ config: run.loaded.run.path, text: wrong }, quietContext())).toMatchObject([
      { severity: 'error', message: '"data" has no split "third".' },
    ]);
  });

  test('refuses methods that know of no stages', async () => {
    await expect(marginScores(run.loaded, 'trak')).rejects.toThrow('does not know of stages');
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
