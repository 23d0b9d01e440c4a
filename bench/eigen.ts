import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nodeHost } from '../src/worker/host';
import { findPython } from './python';

/**
 * Times the eigensolver of the built worker (`npm run build` first) beside SciPy's, as the engine calls it: one matrix, and two
 * at once, which lie side by side on two cores. `node tools/run.mjs bench/eigen.ts [WIDTH ...]`; the best of three runs each.
 */
const widths = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [512, 1024, 2048, 4096];
const runs = 3;
const memory = 2 ** 31;
const host = nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu');

const ours = new Map<number, readonly [number, number]>();
for (const n of widths) ours.set(n, [await best(n, 1), await best(n, 2)]);
const python = findPython(['scipy']);
const theirs = python ? scipy(python) : undefined;

const head = ['width', 'one, s', 'two, s', 'each of two', 'SciPy one, s', 'ratio'];
console.log(head.map((name) => name.padStart(13)).join(''));
for (const [n, [one, two]] of ours) {
  const other = theirs?.[n];
  const row = [`${n}`, one.toFixed(2), two.toFixed(2), (two / 2).toFixed(2)];
  const ratio = other === undefined ? ['-', '-'] : [other.toFixed(2), (one / other).toFixed(2)];
  console.log([...row, ...ratio].map((value) => value.padStart(13)).join(''));
}
if (!theirs) console.log('No Python with scipy was found (set PYTHON), so nothing is compared.');
console.log(`peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`);

async function best(n: number, count: number): Promise<number> {
  let least = Infinity;
  for (let run = 0; run < runs; run++) {
    const matrices = Array.from({ length: count }, () => ({ matrix: symmetric(n), n }));
    const started = performance.now();
    await host.eigh(matrices, memory);
    least = Math.min(least, (performance.now() - started) / 1000);
  }
  return least;
}

function symmetric(n: number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column <= row; column++) {
      const value = Math.random() - 0.5;
      matrix[row * n + column] = value;
      matrix[column * n + row] = value;
    }
  }
  return matrix;
}

function scipy(program: string): Readonly<Record<string, number>> {
  const { stdout } = spawnSync(program, ['bench/reference/eigh.py', `${runs}`, ...widths.map(String)], {
    encoding: 'utf8',
  });
  return JSON.parse(stdout) as Record<string, number>;
}
