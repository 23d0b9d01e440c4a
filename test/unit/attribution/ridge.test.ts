import { rm, writeFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { range } from '../../../src/engine/network/examples';
import { LoadedRuns } from '../../../src/engine/run/loadedRun';
import type { MethodName } from '../../../src/protocol/model';
import { makeRidgeRun, type RidgeRun, type RidgeTraining, ridgeConfig } from '../../support/ridgeRun';
import { pearson, slope } from '../../support/statistics';
import { quietTask, testHost } from '../../support/testHost';

/**
 * Ridge regression is the case in which EK-FAC is exact, so that the whole engine, from files to scores, is held against
 * the derivative of the final weights through every step. What remains is SOURCE's own approximation.
 */
const common = { weightDecay: 0.01, checkpoints: 6, segments: 3 };
const constant: RidgeTraining = { ...common, steps: 40, rate: () => 0.05, momentum: 0 };
const cosine: RidgeTraining = {
  ...common,
  steps: 200,
  rate: (step) => 0.025 * (1 + Math.cos((Math.PI * step) / 200)),
  momentum: 0,
};
const momentum: RidgeTraining = { ...common, steps: 300, rate: () => 0.005, momentum: 0.9 };

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function scores(run: RidgeRun, method: MethodName): Promise<Float64Array> {
  folders.push(run.folder);
  const loaded = await new LoadedRuns(await testHost()).get(run.config);
  const queries = range(0, run.queries);
  const targets = queries.map(() => 0);
  const { bySegment } = await loaded.attribution.score(
    loaded.examples('test'),
    queries,
    targets,
    method,
    'logit',
    quietTask(),
  );
  const estimate = new Float64Array(run.exact.length);
  for (const part of bySegment) for (let i = 0; i < estimate.length; i++) estimate[i] = estimate[i]! + part[i]!;
  return estimate;
}

async function agreement(run: RidgeRun, method: MethodName): Promise<{ r: number; slope: number }> {
  const estimate = await scores(run, method);
  return { r: pearson(estimate, run.exact), slope: slope(estimate, run.exact) };
}

test.for([
  ['a constant rate', constant, 0.999, 0.015],
  ['a cosine schedule', cosine, 0.994, 0.02],
  ['momentum', momentum, 0.999, 0.01],
] as const)('SOURCE agrees with exact unrolling under %s', async ([, training, r, tolerance]) => {
  const found = await agreement(await makeRidgeRun(training), 'source');
  expect(found.r).toBeGreaterThanOrEqual(r);
  expect(Math.abs(found.slope - 1)).toBeLessThanOrEqual(tolerance);
});

test('influence functions miss what an unfinished run did', async () => {
  const found = await agreement(await makeRidgeRun(constant), 'influence-functions');
  expect(found.r).toBeLessThan(0.9);
  expect(found.slope).toBeLessThan(0.5);
});

test('a checkpoint given twice changes nothing', async () => {
  const run = await makeRidgeRun(constant);
  const once = await scores(run, 'source');
  const paths = [7, 7, 13, 20, 27, 27, 33, 40].map((step) => `checkpoints/step-${step}.safetensors`);
  await writeFile(run.config, JSON.stringify({ ...ridgeConfig(constant), checkpoints: paths }));
  expect(await scores(run, 'source')).toEqual(once);
});
