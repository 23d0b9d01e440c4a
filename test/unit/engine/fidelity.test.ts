import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { range } from '../../../src/engine/network/examples';
import { type LoadedRun, LoadedRuns } from '../../../src/engine/run/loadedRun';
import { readNpy } from '../../../src/formats/npy';
import type { MethodName } from '../../../src/protocol/model';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { pearson, relativeError } from '../../support/statistics';
import { quietTask, testHost } from '../../support/testHost';

/** Runs with scores by PyTorch (see each folder's make.py), copied so that stored stages never enter the repository. */
const fixtures = new URL('../../fixtures/', import.meta.url);
const runs = [
  { folder: 'oracle/momentum', source: 'source_L3_margin_exact' },
  { folder: 'oracle/weight-decay', source: 'source_L3_margin_exact' },
  { folder: 'convolution', source: 'source_L2_margin_exact' },
] as const;

describe.for(runs)('$folder against PyTorch', ({ folder, source }) => {
  let copy: string;
  let loaded: LoadedRun;
  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'whence-fidelity-'));
    await cp(new URL(folder, fixtures), copy, { recursive: true });
    loaded = await new LoadedRuns(await testHost()).get(join(copy, 'whence.json'));
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  async function expectEqual(method: MethodName, name: string): Promise<void> {
    const expected = await readNpy(await nodeFiles().open(join(copy, 'expected', `${name}.npy`)));
    const [queries, examples] = expected.dims as [number, number];
    const test = loaded.examples('test');
    const labels = Array.from(test.dataset.labels.subarray(0, queries));
    const scores = await loaded.attribution.score(test, range(0, queries), labels, method, 'margin', quietTask());
    const total = new Float64Array(queries * examples);
    for (const part of scores.bySegment) for (let i = 0; i < total.length; i++) total[i] = total[i]! + part[i]!;
    const reference = expected.data as Float32Array;
    expect(scores.examples).toBe(examples);
    expect(relativeError(total, reference)).toBeLessThanOrEqual(1e-3);
    for (let q = 0; q < queries; q++) {
      const own = [total, reference].map((all) => all.subarray(q * examples, (q + 1) * examples)) as [
        Float64Array,
        Float32Array,
      ];
      expect(pearson(...own)).toBeGreaterThanOrEqual(0.9999);
    }
  }

  test('SOURCE', () => expectEqual('source', source));
  test('influence functions', () => expectEqual('influence-functions', 'if_ekfac_margin_heuristic_exact'));
  test('TracIn', () => expectEqual('tracin', 'tracin_margin'));
  test('gradient dot product', () => expectEqual('gradient-dot', 'gradient_dot_margin'));

  test('a second engine finds every stage on disk', async () => {
    const before = await readdir(join(copy, '.whence'));
    const again = await new LoadedRuns(await testHost()).get(join(copy, 'whence.json'));
    const first = await eigenvalues(loaded);
    expect(await eigenvalues(again)).toEqual(first);
    expect(first.length).toBeGreaterThan(0);
    expect(await readdir(join(copy, '.whence'))).toEqual(before);
  });
});

/** Of every segment of SOURCE, one array a site. */
async function eigenvalues({ attribution }: LoadedRun): Promise<readonly Float32Array[]> {
  const all: Float32Array[] = [];
  for (const { curvature } of await attribution.segments('source', quietTask())) {
    for (const factor of await curvature!.load()) all.push(factor.eigenvalues);
  }
  return all;
}
