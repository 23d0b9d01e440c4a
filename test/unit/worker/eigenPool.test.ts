import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Eigendecomposition } from '../../../src/curvature/eigen';
import { solverBytes } from '../../../src/engine/memoryBudget';
import { eigenPool } from '../../../src/worker/eigenPool';

const root = join(import.meta.dirname, '../../..');
const wasm = new Uint8Array(readFileSync(join(root, 'media/eigh.wasm')));
let folder = '';
let thread: URL;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-eigen-'));
  const outfile = join(folder, 'eigenThread.mjs');
  const entry = join(root, 'src/worker/eigenThread.ts');
  buildSync({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile });
  thread = pathToFileURL(outfile);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A symmetric matrix with a fixed, uneven spectrum. */
function symmetric(n: number, seed: number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = Math.sin(seed + 12.9898 * i + 78.233 * j) / (1 + Math.abs(i - j));
      matrix[i * n + j] = value;
      matrix[j * n + i] = value;
    }
  }
  return matrix;
}

/** Largest entry of `A v - λ v` over all eigenvectors. */
function residual(matrix: Float64Array, n: number, { values, vectors }: Eigendecomposition): number {
  let worst = 0;
  for (let k = 0; k < n; k += Math.ceil(n / 10)) {
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += (matrix[i * n + j] ?? 0) * (vectors[k * n + j] ?? 0);
      worst = Math.max(worst, Math.abs(sum - (values[k] ?? 0) * (vectors[k * n + i] ?? 0)));
    }
  }
  return worst;
}

describe('the pool', () => {
  it.for([
    ['with room for all', 2 ** 30],
    ['with room for the widest alone', solverBytes(260)],
    ['with room for none', 1],
  ] as const)('answers in order, small ones here and large ones in threads, %s', async ([, memory]) => {
    const widths = [3, 200, 96, 257, 97, 1];
    const tasks = widths.map((n, seed) => ({ matrix: symmetric(n, seed), n }));
    const before = tasks.map(({ matrix }) => matrix.slice());
    const results = await eigenPool({ thread, wasm, threads: 3 })(tasks, memory);
    for (const [index, n] of widths.entries()) {
      const matrix = before[index];
      const result = results[index];
      if (!matrix || !result) throw new Error('an answer is missing');
      expect(result.values).toHaveLength(n);
      expect(residual(matrix, n, result)).toBeLessThan(1e-11);
    }
  });

  it('decomposes a matrix whose eigenvalues repeat, wider than one cut of its products', async () => {
    const n = 330;
    // I - 2 u uᵀ times a third: a reflection, with one eigenvalue of -1/3 and the rest of 1/3.
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) matrix[i * n + j] = ((i === j ? 1 : 0) - 2 / n) / 3;
    const [result] = await eigenPool({ thread, wasm })([{ matrix: matrix.slice(), n }], 2 ** 30);
    expect(result?.values[0]).toBeCloseTo(-1 / 3, 13);
    expect(result?.values[1]).toBeCloseTo(1 / 3, 13);
    expect(residual(matrix, n, result as Eigendecomposition)).toBeLessThan(1e-13);
  });

  it('brings the solver’s own errors back from a thread', async () => {
    const matrix = symmetric(150, 1);
    matrix[7] = Number.NaN;
    matrix[7 * 150] = Number.NaN;
    await expect(eigenPool({ thread, wasm })([{ matrix, n: 150 }], 2 ** 30)).rejects.toMatchObject({
      code: 'not-finite',
    });
  });

  it('rejects when a thread crashes or ends', async () => {
    const crash = join(folder, 'crash.mjs');
    writeFileSync(
      crash,
      "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3));",
    );
    const failing = join(folder, 'failing.mjs');
    writeFileSync(failing, "throw new Error('cannot load');");
    const task = () => [{ matrix: symmetric(150, 1), n: 150 }];
    await expect(eigenPool({ thread: pathToFileURL(crash), wasm })(task(), 2 ** 30)).rejects.toThrow(/exit code 3/);
    await expect(eigenPool({ thread: pathToFileURL(failing), wasm })(task(), 2 ** 30)).rejects.toThrow(/cannot load/);
  });

  it('stops when cancelled', async () => {
    const cancel = new AbortController();
    const tasks = [1, 2, 3, 4].map((seed) => ({ matrix: symmetric(700, seed), n: 700 }));
    const running = eigenPool({ thread, wasm, threads: 1 })(tasks, 2 ** 30, cancel.signal);
    setTimeout(() => cancel.abort(), 100);
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  });
});
