import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/engine/config/config';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { openRun } from '../../../src/engine/run/openRun';
import { settingsOf } from '../../../src/engine/run/trajectory';
import { readFloat32 } from '../../../src/formats/tensor';
import type { Proposal, WorkspaceReport } from '../../../src/protocol/engineApi';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { quietContext, testHost } from '../../support/testHost';

/** What Python saw while it trained these runs; see make.py beside them. */
interface Expected {
  readonly steps: readonly number[];
  /** Of every update. */
  readonly learningRates: readonly number[];
  readonly optimizer: object;
  readonly weightDecay?: Readonly<Record<string, number>>;
  /** Sums over each parameter at the last checkpoint. */
  readonly secondMoments?: Readonly<Record<string, number>>;
}

const fixture = new URL('../../fixtures/runs/', import.meta.url);
const names = ['trainer', 'lightning', 'loop'] as const;

let folder: string;
let engine: EngineHandlers;
let expected: Readonly<Record<string, Expected>>;
let found: WorkspaceReport;

const configOf = (name: string) => join(folder, name, 'whence.json');
const proposalOf = (name: string): Proposal => found.proposals.find(({ config }) => config === configOf(name))!;

beforeAll(async () => {
  expected = JSON.parse(await readFile(new URL('expected.json', fixture), 'utf8'));
  folder = await mkdtemp(join(tmpdir(), 'whence-real-'));
  for (const name of [...names, 'data']) await cp(new URL(name, fixture), join(folder, name), { recursive: true });
  engine = createEngine(await testHost());
  found = await engine.inspect({ folder }, quietContext());
  for (const name of names) {
    const { text } = await engine.setUp({ config: configOf(name), folder }, quietContext());
    await writeFile(configOf(name), text);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a workspace of three real runs shows three runs, and nothing is asked', () => {
  expect(found.runs).toEqual([]);
  expect(found.proposals.map(({ config }) => config).sort()).toEqual(names.map(configOf).sort());
  expect(found.proposals.map(({ question }) => question)).toEqual([undefined, undefined, undefined]);
  expect(proposalOf('trainer').writer).toBe('transformers Trainer');
  expect(proposalOf('lightning').writer).toMatch(/^PyTorch Lightning/);
  expect(found.problems).toEqual([]);
});

describe.each(names)('the run of %s', (name) => {
  test('is found with its steps, and the rate of each', () => {
    const { steps, learningRates } = expected[name]!;
    const { checkpoints } = proposalOf(name);
    expect(checkpoints.map(({ step }) => step)).toEqual(steps);
    for (const { step, learningRate } of checkpoints) {
      // Schedules take their step between the update and the save: the saved rate is that of the next update.
      const rates = [learningRates[step - 1]!, learningRates[step] ?? 0];
      expect(rates.map((rate) => Math.abs(learningRate! - rate))).toContainEqual(expect.closeTo(0, 12));
    }
  });

  test('is set up by a text of its own, with what training did to its data', async () => {
    const { config, problems } = parseConfig(await readFile(configOf(name), 'utf8'), configOf(name));
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      optimizer: { kind: name === 'lightning' ? 'sgd' : 'adamw' },
      loss: name === 'trainer' ? 'next-token' : 'cross-entropy',
    });
    // Pixels of these tables are 0..1 already; token ids are never preprocessed.
    expect(config?.preprocess).toEqual(name === 'trainer' ? undefined : {});
    expect(config?.optimizer.learningRate).toBeUndefined();
  });

  test('is opened with the optimizer that moved it, and scores its predictions', async () => {
    const { optimizer, weightDecay } = expected[name]!;
    const run = await openRun(configOf(name), nodeFiles());
    expect(run.optimizer).toMatchObject(optimizer);
    for (const [parameter, decay] of Object.entries(weightDecay ?? {})) {
      expect([parameter, settingsOf(run.optimizer, parameter).weightDecay]).toEqual([parameter, decay]);
    }
    const request = {
      config: configOf(name),
      query: { split: 'test', index: 0 },
      method: 'source',
      top: 3,
    } as const;
    const influence = await engine.attribute(request, quietContext());
    expect(influence.segments).toHaveLength(1);
    expect(influence.towards.length + influence.away.length).toBeGreaterThan(3);
    for (const { score } of [...influence.towards, ...influence.away]) expect(Number.isFinite(score)).toBe(true);
  });

  test('has the total learning rate of every segment', async () => {
    const { learningRates } = expected[name]!;
    const { segments, optimizer } = await openRun(configOf(name), nodeFiles());
    // Lightning keeps the schedule itself; between rows and checkpoints of the others it has to be guessed.
    const tolerance = { trainer: 0.02, lightning: 1e-6, loop: 0.25 }[name];
    for (const { from, to, totalLearningRate } of segments) {
      const total = learningRates.slice(from, to).reduce((sum, rate) => sum + rate, 0) / (1 - optimizer.momentum);
      expect(Math.abs(totalLearningRate / total - 1)).toBeLessThan(tolerance);
    }
  });

  test("has Adam's second moments by the names of the weights", async () => {
    const { secondMoments, steps } = expected[name]!;
    const run = await openRun(configOf(name), nodeFiles());
    const last = await run.secondMoments(steps.length - 1);
    if (!secondMoments) {
      expect(last).toBeUndefined();
      return;
    }
    expect(last!.updates).toBe(steps.at(-1));
    expect([...last!.tensors.keys()].sort()).toEqual(Object.keys(secondMoments).sort());
    for (const [parameter, sum] of Object.entries(secondMoments)) {
      const values = await readFloat32(last!.tensors.get(parameter)!);
      expect(values.reduce((a, b) => a + b, 0) / sum).toBeCloseTo(1, 4);
    }
  });
});

test('a whence.json that says otherwise than the checkpoints is followed, and underlined', async () => {
  const text = (await readFile(configOf('loop'), 'utf8')).replace(
    '{ "kind": "adamw" }',
    '{ "kind": "adamw", "weightDecay": 0.2, "learningRate": 0.5 }',
  );
  const problems = await engine.validate({ config: configOf('loop'), text }, quietContext());
  expect(problems.map(({ severity }) => severity)).toEqual(['warning', 'warning']);
  const messages = problems.map(({ message }) => message).join('\n');
  expect(messages).toContain('weight decay 0.2, not 0.05');
  expect(messages).toContain('other learning rates than the constant 0.5');
  const places = problems.map(({ range }) => text.slice(range!.offset, range!.offset + range!.length));
  for (const place of places) expect(place).toContain('"weightDecay": 0.2');
  const own = await engine.validate(
    { config: configOf('loop'), text: await readFile(configOf('loop'), 'utf8') },
    quietContext(),
  );
  expect(own).toEqual([]);
});

test("scores of an Adam run go stale with the optimizer's state and with the logged rates, those of others stay", async () => {
  const hash = (name: string) => engine.hash({ config: configOf(name), method: 'source' }, quietContext());
  const before = { trainer: await hash('trainer'), loop: await hash('loop') };
  const beside = (step: number, name: string) => join(folder, `trainer/out/checkpoint-${step}`, name);
  await cp(beside(20, 'optimizer.pt'), beside(40, 'optimizer.pt'));
  const withState = await hash('trainer');
  expect(withState).not.toBe(before.trainer);
  const last = beside(60, 'trainer_state.json');
  await writeFile(last, (await readFile(last, 'utf8')).replace('"learning_rate": 0.0092', '"learning_rate": 0.02'));
  expect(await hash('trainer')).not.toBe(withState);
  expect(await hash('loop')).toBe(before.loop);
});
