import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Kept } from '../../../src/engine/fit/kept';
import { cutSites } from '../../../src/engine/fit/siteParts';
import { divideMemory } from '../../../src/engine/memoryBudget';
import { range } from '../../../src/engine/network/examples';
import { LoadedRuns } from '../../../src/engine/run/loadedRun';
import type { MethodName } from '../../../src/protocol/model';
import { relativeError } from '../../support/statistics';
import { quietTask, testHost } from '../../support/testHost';
import { makeTinyRun, tinyQueries } from '../../support/tinyRun';
import { subjectFor } from '../../support/tinySubject';
import { wide } from '../../support/wideRun';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function loadedRun(memory: number, settings: object = {}) {
  const { folder, config } = await makeTinyRun(wide, settings);
  folders.push(folder);
  return new LoadedRuns({ ...(await testHost()), memory }).get(config);
}

type Loaded = Awaited<ReturnType<typeof loadedRun>>;

async function scoresOf({ attribution, examples }: Loaded, method: MethodName) {
  const queries = examples('test');
  const labels = Array.from(queries.dataset.labels);
  return attribution.score(queries, range(0, tinyQueries), labels, method, 'margin', quietTask());
}

/** So little that the layers' curvature has to be fitted, and their queries scored, in several parts. */
const scarce = 400;

describe('a run in parts', { timeout: 240_000 }, () => {
  let whole: Loaded;
  let parts: Loaded;
  beforeAll(async () => {
    whole = await loadedRun(2048);
    parts = await loadedRun(scarce);
  }, 120_000);

  test('really is cut', () => {
    const bytesOf = ({ inputs, outputs }: { inputs: number; outputs: number }) => 12 * (inputs ** 2 + outputs ** 2);
    const { training, memory } = parts.network;
    expect(cutSites(training, [0, 1, 2, 3], [{ bytes: memory.curvature, of: bytesOf }]).length).toBeGreaterThan(1);
    const { training: other, memory: ample } = whole.network;
    expect(cutSites(other, [0, 1, 2, 3], [{ bytes: ample.curvature, of: bytesOf }])).toHaveLength(1);
  });

  test.for(['source', 'tracin'] as const)('has the scores of the whole (%s)', async (method) => {
    const [expected, found] = [await scoresOf(whole, method), await scoresOf(parts, method)];
    found.bySegment.forEach((scores, segment) => {
      expect(relativeError(scores, expected.bySegment[segment]!)).toBeLessThan(1e-4);
    });
  });

  test('has the self-influences of the whole', async () => {
    const [expected, found] = [
      await whole.attribution.selfInfluence(quietTask()),
      await parts.attribution.selfInfluence(quietTask()),
    ];
    expect(relativeError(found, expected)).toBeLessThan(1e-4);
  });

  test('differs by no more than what truncated queries are said to leave out', async () => {
    const truncated = await loadedRun(2048, { queryRank: 2 });
    const [expected, found] = [await scoresOf(whole, 'tracin'), await scoresOf(truncated, 'tracin')];
    const errors = found.truncationErrors!;
    expect(expected.truncationErrors).toBeUndefined();
    expect(errors).toHaveLength(tinyQueries);
    const examples = found.examples;
    for (const [q, error] of errors.entries()) {
      expect(error).toBeGreaterThan(1e-4);
      expect(error).toBeLessThan(0.9);
      const own = (scores: readonly Float32Array[]) => scores.map((all) => all.slice(q * examples, (q + 1) * examples));
      const worst = Math.max(
        ...own(found.bySegment).map((scores, s) => relativeError(scores, own(expected.bySegment)[s]!)),
      );
      expect(worst).toBeGreaterThan(1e-6);
      expect(worst).toBeLessThan(3 * error);
    }
  });
});

describe('the division', () => {
  test('never exceeds the budget, and gives the widest layer what it needs', async () => {
    const { sites } = await subjectFor(wide, 4);
    for (const megabytes of [512, 2048, 16384]) {
      const memory = divideMemory(megabytes, sites, 2 ** 20, 'whence.json');
      const { inputs, gradients, factors, batch, curvature, queries } = memory;
      expect(inputs + gradients + factors + batch + curvature + queries).toBeLessThan((megabytes - 256) * 2 ** 20);
      expect(curvature).toBeGreaterThan(12 * (800 ** 2 + 700 ** 2));
    }
  });

  test('says how much would do where it is too little, and that does', async () => {
    const { sites } = await subjectFor(wide, 4);
    const large = [{ ...sites[0]!, inputs: 4097, outputs: 4096 }];
    const message = /needs about (\d+) MB, and 600 MB are allowed/;
    let needed = 0;
    try {
      divideMemory(600, large, 2 ** 26, 'whence.json');
    } catch (error) {
      needed = Number(message.exec(String(error))?.[1]);
    }
    expect(needed).toBeGreaterThan(600);
    expect(() => divideMemory(needed, large, 2 ** 26, 'whence.json')).not.toThrow();
    expect(() => divideMemory(needed - 64, large, 2 ** 26, 'whence.json')).toThrow(/needs about/);
  });
});

test('what is kept makes room in the order of use', () => {
  const kept = new Kept<string>(10);
  kept.set('a', 'A', 4);
  kept.set('b', 'B', 4);
  expect(kept.get('a')).toBe('A');
  kept.set('c', 'C', 4);
  expect([kept.get('a'), kept.get('b'), kept.get('c')]).toEqual(['A', undefined, 'C']);
  kept.set('d', 'D', 11);
  expect(kept.get('d')).toBeUndefined();
  expect(kept.get('a')).toBe('A');
});
