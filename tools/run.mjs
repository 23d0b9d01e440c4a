// Runs a TypeScript program of this repository: `node tools/run.mjs bench/main.ts ARGS`.
// Its packages stay outside the bundle, so that they resolve from node_modules as everywhere.
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [program, ...args] = process.argv.slice(2);
if (!program) throw new Error('usage: node tools/run.mjs PROGRAM.ts ARGS');

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.tsbuild', 'programs');
const outfile = join(folder, `${basename(program, '.ts')}.${process.pid}.mjs`);
await mkdir(folder, { recursive: true });
await build({
  entryPoints: [resolve(program)],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
});
process.argv = [process.argv[0], program, ...args];
await import(pathToFileURL(outfile).href);
