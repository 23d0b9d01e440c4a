import { beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type EngineHandlers } from '../../../../src/engine/engine';
import type { GroupInfluenceRequest } from '../../../../src/protocol/engineApi';
import type { MethodName } from '../../../../src/protocol/model';
import { failure } from '../../../support/failure';
import { quietContext, testHost } from '../../../support/testHost';
import { makeTinyRun, type RunFolder, tinyExamples, useRunFolders } from '../../../support/tinyRun';

const owned = useRunFolders();
let engine: EngineHandlers;
let run: RunFolder;
beforeAll(async () => {
  engine = createEngine(await testHost());
  run = owned(await makeTinyRun());
});

const query = { split: 'test', index: 1 };
const train = (...indices: number[]) => indices.map((index) => ({ split: 'train', index }));
const groupInfluence = (group: GroupInfluenceRequest['group'], method: MethodName = 'source') =>
  engine.groupInfluence({ config: run.config, query, method, group }, quietContext());
const attribute = () =>
  engine.attribute({ config: run.config, query, method: 'source', top: tinyExamples }, quietContext());

describe('a group', () => {
  test('is the sum of its members, each counted once', async () => {
    const { towards, away, hash, measurement } = await attribute();
    const scores = new Map([...towards, ...away].map(({ example, score }) => [example.id.index, score]));
    const found = await groupInfluence({ examples: train(3, 17, 4, 3) });
    const own = [3, 4, 17].map((index) => scores.get(index)!);
    expect(found.group.examples).toBe(3);
    expect(found.group.towards).toBeCloseTo(sum(own.filter((score) => score > 0)), 12);
    expect(found.group.away).toBeCloseTo(sum(own.filter((score) => score < 0)), 12);
    expect(found.all.examples).toBe(tinyExamples);
    expect(found.all.towards).toBeCloseTo(sum(towards.map(({ score }) => score)), 10);
    expect(found.all.away).toBeCloseTo(sum(away.map(({ score }) => score)), 10);
    expect([found.hash, found.measurement]).toEqual([hash, measurement]);
  });

  test('of a label is that class, and may have other members', async () => {
    const { byClass } = await attribute();
    const [{ label, ...first }] = byClass as [(typeof byClass)[number]];
    expect((await groupInfluence({ labels: [label] })).group).toEqual(first);
    const [other] = (await attribute()).towards.filter(({ example }) => example.label !== label);
    const { group } = await groupInfluence({ labels: [label], examples: [other!.example.id] });
    expect(group.examples).toBe(first.examples + 1);
    expect(group.towards).toBeCloseTo(first.towards + other!.score, 12);
  });

  test('is refused where it is empty or not of training examples', async () => {
    for (const group of [{}, { labels: [77] }, { examples: [query] }, { examples: train(tinyExamples) }]) {
      expect((await failure(groupInfluence(group))).code).toBe('bad-argument');
    }
  });
});

test('self-influence lists the strongest first, by any method in which examples differ', async () => {
  for (const method of ['source', 'tracin', 'trak'] as const) {
    const { strongest, examples } = await engine.selfInfluence({ config: run.config, method, top: 4 }, quietContext());
    expect([strongest.length, examples]).toEqual([4, tinyExamples]);
    const scores = strongest.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores[3]).toBeGreaterThan(0);
  }
  const asked = engine.selfInfluence({ config: run.config, method: 'gradient-cosine', top: 4 }, quietContext());
  expect((await failure(asked)).message).toMatch(/same influence on itself/);
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
