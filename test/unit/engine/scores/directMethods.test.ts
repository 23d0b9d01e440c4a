import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { methods } from '../../../../src/attribution/methods';
import { type LoadedRun, LoadedRuns } from '../../../../src/engine/run/loadedRun';
import { readSafetensors } from '../../../../src/formats/checkpoints/safetensors';
import { readTensor } from '../../../../src/formats/tensor';
import type { MeasurementKind, MethodName } from '../../../../src/protocol/model';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { relativeError } from '../../../support/statistics';
import { quietTask, testHost } from '../../../support/testHost';

/** The methods without segments against PyTorch, on runs of every loss: `test/fixtures/methods/make.py` wrote the answers. */

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const opened = new Map<string, Promise<LoadedRun>>();

function runOf(name: string): Promise<LoadedRun> {
  const run = opened.get(name) ?? openRun(name);
  opened.set(name, run);
  return run;
}

async function openRun(name: string, fixture = 'losses'): Promise<LoadedRun> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-methods-'));
  folders.push(folder);
  await cp(fileURLToPath(new URL(`../../../fixtures/${fixture}/${name}`, import.meta.url)), folder, {
    recursive: true,
  });
  const config = join(folder, 'whence.json');
  const settings = JSON.parse(await readFile(config, 'utf8')) as object;
  await writeFile(config, JSON.stringify({ ...settings, seed: 5, trak: { dimension: 6, damping: 0.01 } }));
  return new LoadedRuns(await testHost()).get(config);
}

async function expectedOf(name: string): Promise<(key: string) => Promise<Float64Array>> {
  const path = fileURLToPath(new URL(`../../../fixtures/methods/${name}.safetensors`, import.meta.url));
  const { tensors } = await readSafetensors(await nodeFiles().open(path));
  return async (key) => (await readTensor(tensors.get(key)!)).data as Float64Array;
}

async function scoresOf(loaded: LoadedRun, method: MethodName, kind: MeasurementKind, split = 'test') {
  const queries = loaded.examples(split);
  const indices = [...queries.dataset.labels.keys()];
  const targets = [...queries.dataset.labels];
  const { bySegment } = await loaded.attribution.score(queries, indices, targets, method, kind, quietTask());
  const total = Array.from(bySegment[0]!);
  for (const more of bySegment.slice(1)) {
    more.forEach((value, i) => {
      total[i]! += value;
    });
  }
  return total;
}

const names = ['binary', 'absolute', 'smoothed', 'weighted', 'custom', 'next-token', 'tagging', 'mixed'];

describe.each(names)('%s', (name) => {
  test("gradient cosines, representations and TRAK are PyTorch's", async () => {
    const [loaded, expected] = [await runOf(name), await expectedOf(name)];
    expect(relativeError(await scoresOf(loaded, 'gradient-cosine', 'loss'), await expected('cosine'))).toBeLessThan(
      1e-5,
    );
    const alike = await scoresOf(loaded, 'representation-similarity', 'loss');
    expect(relativeError(alike, await expected('representation'))).toBeLessThan(1e-5);
    expect(relativeError(await scoresOf(loaded, 'trak', 'loss'), await expected('lossTrak'))).toBeLessThan(1e-3);
    if (name !== 'custom') {
      expect(relativeError(await scoresOf(loaded, 'trak', 'margin'), await expected('trak'))).toBeLessThan(1e-3);
    }
    const own = await loaded.attribution.selfInfluence(quietTask(), 'trak');
    expect(relativeError(own, await expected('ownTrak'))).toBeLessThan(1e-3);
  });
});

const everyMethod = Object.keys(methods) as MethodName[];
const kinds: readonly MeasurementKind[] = ['margin', 'loss', 'logit'];

/** Exact unrolling needs a run whose batches are known, the paper's form for Adam one by Adam. */
function suitableRun(method: MethodName): Promise<LoadedRun> {
  if (method === 'exact-unrolling') return openRun('momentum', 'unrolling');
  return method === 'source-elementwise' ? openRun('adamw-1', 'adam') : runOf('mixed');
}

/**
 * A training example is a proponent of its own label. A product of gradients is a square then for the loss; the margin's gradient
 * is parallel to it. The logit's is not: it is a proponent of itself by and large only, and so it is where the curvature's inverse
 * is that of other coordinates.
 */
describe.each(everyMethod)('%s', (method) => {
  test.each(kinds)('finds training examples proponents of their own %s', async (kind) => {
    const loaded = await suitableRun(method);
    const scores = await scoresOf(loaded, method, kind, 'train');
    const examples = loaded.examples('train').length;
    expect(scores).toHaveLength(examples ** 2);
    for (const score of scores) expect(Number.isFinite(score)).toBe(true);
    const own = scores.filter((_, at) => at % (examples + 1) === 0);
    if (kind === 'logit') expect(mean(own)).toBeGreaterThan(Math.max(0, mean(scores)));
    else if (method === 'source-elementwise') expect(mean(own)).toBeGreaterThan(Math.max(0, mean(scores)));
    else expect(Math.min(...own)).toBeGreaterThan(0);
  });

  test.skipIf(['exact-unrolling', 'source-elementwise'].includes(method))('measures one token', async () => {
    const loaded = await runOf('next-token');
    const queries = loaded.examples('test');
    const score = (token?: number) =>
      loaded.attribution.score(queries, [0], [Number.NaN], method, 'loss', quietTask(), token);
    const [one, all] = [(await score(0)).bySegment[0]!, (await score()).bySegment[0]!];
    for (const value of one) expect(Number.isFinite(value)).toBe(true);
    expect(one).not.toEqual(all);
  });
});

test('what says nothing of an example by itself is refused', async () => {
  for (const method of everyMethod) {
    const own = methods[method];
    const loaded = await suitableRun(method);
    const scores = loaded.attribution.selfInfluence(quietTask(), method);
    if ('plan' in own ? !own.forAdam : own.tellsOwn) expect((await scores).every((score) => score >= 0)).toBe(true);
    else await expect(scores).rejects.toMatchObject({ code: 'bad-argument' });
  }
});
