import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startEngine } from '../../../src/cli/engineProcess';
import { readNpy } from '../../../src/formats/npy';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { bundleFile } from '../../support/bundle';
import { checkerIn, findSoftwareVulkan } from '../../support/softwareVulkan';
import { relativeError } from '../../support/statistics';

/** The engine's own process on WebGPU without a GPU, from the run's files to its scores. */

const root = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'whence-webgpu-run-'));
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
afterAll(() => rmSync(folder, { recursive: true }));
const vulkan = await findSoftwareVulkan(checkerIn(folder));

test.runIf(vulkan.found)('a convolutional run has the scores of PyTorch on WebGPU', { timeout: 600_000 }, async () => {
  const place = join(folder, 'run');
  cpSync(join(root, 'test/fixtures/convolution'), place, { recursive: true });
  const program = bundleFile(join(folder, 'worker.mjs'), 'src/worker/main.ts');
  bundleFile(join(folder, 'eigenThread.mjs'), 'src/worker/eigenThread.ts');
  cpSync(join(root, 'media/eigh.wasm'), join(folder, 'eigh.wasm'));
  const { engine, kill } = startEngine(program, { device: 'webgpu' });
  try {
    const config = join(place, 'whence.json');
    const reports = await engine.providers({ config });
    expect(reports).toEqual([{ provider: 'webgpu', chosen: true, reason: expect.stringContaining('; right') }]);
    const queries = [0, 1].map((index) => ({ split: 'test', index }));
    const out = join(folder, 'scores.npy');
    const measurement = { kind: 'margin' } as const;
    await engine.scores({ config, queries, method: 'influence-functions', measurement, out });
    const [ours, theirs] = [
      await numbers(out),
      await numbers(join(place, 'expected/if_ekfac_margin_heuristic_exact.npy')),
    ];
    expect(ours.length).toBe(400);
    expect(relativeError(ours, theirs.subarray(0, ours.length))).toBeLessThan(1e-5);
  } finally {
    kill();
  }
});

async function numbers(file: string): Promise<Float32Array> {
  return (await readNpy(await nodeFiles().open(file))).data as Float32Array;
}
